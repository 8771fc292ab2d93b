/*
 * app/follow.h - commands that go on until they are told to end: signals, or nobody reads any more.
 *
 * Ownership: follow_begin() fills a struct that follow_end() empties.
 * Threads:   the main thread, before any other starts.
 * Failures:  ERR_IO from the system.
 */
#pragma once

#include <stdbool.h>

struct follow {
    int signals; /* descriptor that SIGINT and SIGTERM are read from; -1 = none */
    int out;     /* where results go */
};

/* Hold back SIGINT and SIGTERM, ignore SIGPIPE. */
int follow_begin(struct follow *f, int out);
void follow_end(struct follow *f);

/* Wait so long. Returns whether it is time to end: a signal, or `out` is closed. */
bool follow_wait(const struct follow *f, int timeout_ms);
