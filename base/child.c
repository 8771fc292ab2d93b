#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/slice.h"

enum {
    LOOK_MS = 100, /* how often a waiting parent looks whether it is asked to end */
    STATM_BYTES_MAX = 256,
};

/* What goes through the pipe, in one write. */
struct message {
    int32_t status;
    char text[CHILD_TEXT_BYTES_MAX];
};

/* --- the child's side --- */

/* Of address space that this process has; 0 = not known. */
static uint64_t address_space(void)
{
    struct buf text = {0};
    uint64_t pages = 0;
    if (file_read_all(&text, "/proc/self/statm", STATM_BYTES_MAX) == 0)
        pages = strtoull(buf_string(&text), NULL, 10);
    buf_release(&text);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool set_limit(__rlimit_resource_t which, uint64_t value, uint64_t more)
{
    const struct rlimit limit = {.rlim_cur = value, .rlim_max = value + more};
    return setrlimit(which, &limit) == 0;
}

static bool set_limits(const struct child_task *task, uint64_t space)
{
    /* The hard limit later: SIGXCPU tells what SIGKILL does not. */
    return set_limit(RLIMIT_CPU, task->cpu_seconds, 1) && set_limit(RLIMIT_CORE, 0, 0) &&
           set_limit(RLIMIT_FSIZE, 0, 0) && set_limit(RLIMIT_AS, space + task->memory_bytes, 0);
}

static void close_between(int from, int to)
{
    if (from <= to)
        (void)close_range((unsigned)from, (unsigned)to, 0);
}

/* All but the standard ones and two: sockets and locks of the parent are not the child's. */
static void close_others(int a, int b)
{
    int low = a < b ? a : b;
    int high = a < b ? b : a;
    close_between(STDERR_FILENO + 1, low - 1);
    close_between(low > STDERR_FILENO ? low + 1 : STDERR_FILENO + 1, high - 1);
    close_between(high + 1, INT32_MAX);
}

static _Noreturn void be_child(const struct child_task *task, uint64_t space, int out)
{
    struct message message = {.status = ERR_IO};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_others(task->descriptor, out);
    if (set_limits(task, space))
        message.status = task->work(task->self, message.text);
    (void)!write(out, &message, sizeof(message));
    _exit(0);
}

/* --- the parent's side --- */

static bool is_asked_to_end(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Wait for the message or for the end; true when all of the message is there. */
static bool receive(struct message *message, int in, int64_t until_ns, int *why)
{
    for (;;) {
        struct pollfd pipe_end = {.fd = in, .events = POLLIN};
        int ready = poll(&pipe_end, 1, LOOK_MS);
        if (ready > 0)
            return read(in, message, sizeof(*message)) == (ssize_t)sizeof(*message);
        if (is_asked_to_end())
            *why = ERR_AGAIN;
        else if (clock_monotonic_ns() >= until_ns)
            *why = ERR_RANGE;
        if (*why != 0)
            return false;
    }
}

static void collect(int *how, pid_t pid)
{
    while (waitpid(pid, how, 0) < 0 && errno == EINTR) {
    }
}

static enum child_end end_of(int how)
{
    bool too_long = WIFSIGNALED(how) && WTERMSIG(how) == SIGXCPU;
    return too_long ? CHILD_TOO_LONG : CHILD_CRASHED;
}

static int attend(struct child_answer *out, const struct child_task *task, pid_t pid, int in)
{
    struct message message = {0};
    int how = 0;
    int why = 0;
    int64_t until = clock_monotonic_ns() + (int64_t)task->wall_seconds * INT64_C(1000000000);
    bool whole = receive(&message, in, until, &why);
    if (!whole && why != 0)
        (void)kill(pid, SIGKILL);
    collect(&how, pid);
    if (why == ERR_AGAIN)
        return ERR_AGAIN;
    message.text[sizeof(message.text) - 1] = '\0';
    *out = (struct child_answer){.end = CHILD_ANSWERED, .status = message.status};
    if (!whole)
        out->end = why == ERR_RANGE ? CHILD_TOO_LONG : end_of(how);
    memcpy(out->text, message.text, sizeof(out->text));
    return 0;
}

int child_run(struct child_answer *out, const struct child_task *task)
{
    int ends[2];
    assert(task->cpu_seconds != 0 && task->wall_seconds != 0);
    uint64_t space = address_space();
    if (space == 0 || pipe2(ends, O_CLOEXEC) != 0)
        return ERR_IO;
    pid_t pid = fork();
    if (pid == 0)
        be_child(task, space, ends[1]);
    (void)close(ends[1]);
    int status = pid < 0 ? ERR_IO : attend(out, task, pid, ends[0]);
    (void)close(ends[0]);
    return status;
}
