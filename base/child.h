/*
 * base/child.h - a function that reads hostile bytes, run in a child process with limits.
 *
 *   parent --fork--> child: limits set, descriptors closed, work() --pipe--> verdict --> parent
 *
 * Whatever the bytes make of the child (a crash, an endless loop, all of its memory), the parent
 * learns how it ended and goes on. The child is a copy of this process with one thread: work() takes no
 * locks that other threads may have held, which leaves out the log and stdio; malloc is fine.
 *
 * Ownership: nothing stays; the child is gone when child_run() returns.
 * Threads:   any one; it waits.
 * Failures:  ERR_IO (no process or pipe to be had), ERR_AGAIN: SIGTERM or SIGINT is blocked and
 *            pending, so the wait was broken off.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum child_limits_of_all {
    CHILD_TEXT_BYTES_MAX = 256,
};

/* How a child ended. */
enum child_end {
    CHILD_ANSWERED, /* work() returned: status and text are its own */
    CHILD_TOO_LONG, /* seconds of processor or of clock were up */
    CHILD_CRASHED,  /* ended by a signal, or without an answer */
};

struct child_answer {
    enum child_end end;
    int status;
    char text[CHILD_TEXT_BYTES_MAX]; /* NUL-terminated */
};

struct child_task {
    /* Runs in the child; may write a sentence into text, of CHILD_TEXT_BYTES_MAX bytes. */
    int (*work)(void *self, char *text);
    void *self;
    int descriptor;        /* one more that the child may use, or -1 */
    uint32_t cpu_seconds;  /* of processor */
    uint32_t wall_seconds; /* of clock */
    uint64_t memory_bytes; /* of address space, beyond what this process has now */
};

int child_run(struct child_answer *out, const struct child_task *task);
