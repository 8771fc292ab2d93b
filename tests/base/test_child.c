/* Work in a child process: its answer, and each way in which it does not come. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    MEMORY_BYTES = 64 << 20,
    DESCRIPTORS_LOOKED_AT = 256,
};

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Run it; afterwards no process and no descriptor is left. */
static int run(struct child_answer *out, int (*work)(void *self, char *text), void *self,
               int descriptor)
{
    const struct child_task task = {.work = work,
                                    .self = self,
                                    .descriptor = descriptor,
                                    .cpu_seconds = 1,
                                    .wall_seconds = 3,
                                    .memory_bytes = MEMORY_BYTES};
    int before = count_descriptors();
    int status = child_run(out, &task);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return status;
}

static int answer(void *self, char *text)
{
    int *number = self;
    (void)snprintf(text, CHILD_TEXT_BYTES_MAX, "was %d", *number);
    *number = 8; /* in the child only */
    return ERR_FORMAT;
}

static int answer_long(void *self, char *text)
{
    (void)self;
    memset(text, 'x', CHILD_TEXT_BYTES_MAX); /* no end: the parent makes one */
    return 0;
}

static void test_answers(void **state)
{
    (void)state;
    struct child_answer got;
    int number = 7;
    assert_int_equal(run(&got, answer, &number, -1), 0);
    assert_int_equal(got.end, CHILD_ANSWERED);
    assert_int_equal(got.status, ERR_FORMAT);
    assert_string_equal(got.text, "was 7");
    assert_int_equal(number, 7);
    assert_int_equal(run(&got, answer_long, NULL, -1), 0);
    assert_int_equal(got.status, 0);
    assert_int_equal(strlen(got.text), CHILD_TEXT_BYTES_MAX - 1);
}

static int crash(void *self, char *text)
{
    const int *number = self;
    text[0] = '\0';
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
    (void)raise(*number);
    return 0;
}

static int leave(void *self, char *text)
{
    (void)self;
    text[0] = '\0';
    _exit(0);
}

static int spin(void *self, char *text)
{
    text[0] = '\0';
    volatile uint64_t *n = self;
    while (*n < UINT64_MAX)
        (*n)++;
    return 0;
}

static int sleep_long(void *self, char *text)
{
    (void)self;
    text[0] = '\0';
    (void)sleep(60);
    return 0;
}

static void test_no_answer(void **state)
{
    (void)state;
    struct child_answer got;
    int segv = SIGSEGV;
    int killed = SIGKILL;
    uint64_t n = 0;
    assert_int_equal(run(&got, crash, &segv, -1), 0);
    assert_int_equal(got.end, CHILD_CRASHED);
    assert_int_equal(run(&got, crash, &killed, -1), 0);
    assert_int_equal(got.end, CHILD_CRASHED);
    assert_int_equal(run(&got, leave, NULL, -1), 0);
    assert_int_equal(got.end, CHILD_CRASHED);
    assert_int_equal(run(&got, spin, &n, -1), 0);
    assert_int_equal(got.end, CHILD_TOO_LONG);
    int64_t start = clock_monotonic_ns();
    assert_int_equal(run(&got, sleep_long, NULL, -1), 0);
    assert_int_equal(got.end, CHILD_TOO_LONG);
    assert_true(clock_monotonic_ns() - start >= INT64_C(3000000000));
}

static int take_memory(void *self, char *text)
{
    const size_t *bytes = self;
    text[0] = '\0';
    char *taken = malloc(*bytes);
    if (taken == NULL)
        return ERR_NOMEM;
    memset(taken, 1, *bytes);
    int status = taken[*bytes / 2] == 1 ? 0 : ERR_CORRUPT;
    free(taken);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    struct child_answer got;
    size_t little = MEMORY_BYTES / 2;
    size_t much = MEMORY_BYTES * 2UL;
    if (SANITIZED) /* its allocator ends the process in place of a NULL */
        skip();
    assert_int_equal(run(&got, take_memory, &little, -1), 0);
    assert_int_equal(got.end, CHILD_ANSWERED);
    assert_int_equal(got.status, 0);
    assert_int_equal(run(&got, take_memory, &much, -1), 0);
    assert_int_equal(got.end, CHILD_ANSWERED);
    assert_int_equal(got.status, ERR_NOMEM);
}

/* Which of three the child has: the number of each bit. */
static int look_at_descriptors(void *self, char *text)
{
    const int *fds = self;
    text[0] = '\0';
    int open = 0;
    for (int i = 0; i < 3; i++)
        open |= fcntl(fds[i], F_GETFD) >= 0 ? 1 << i : 0;
    return open;
}

static void test_descriptors(void **state)
{
    (void)state;
    struct child_answer got;
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        assert_true(fds[i] > STDERR_FILENO);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(&got, look_at_descriptors, fds, fds[i]), 0);
        assert_int_equal(got.status, 1 << i);
    }
    assert_int_equal(run(&got, look_at_descriptors, fds, -1), 0);
    assert_int_equal(got.status, 0);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
}

/* Who is asked to end does not wait for a child. */
static void test_asked_to_end(void **state)
{
    (void)state;
    struct child_answer got;
    sigset_t set;
    sigset_t before;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    (void)raise(SIGTERM);
    int64_t start = clock_monotonic_ns();
    assert_int_equal(run(&got, sleep_long, NULL, -1), ERR_AGAIN);
    assert_true(clock_monotonic_ns() - start < INT64_C(2500000000));
    int taken = 0;
    assert_int_equal(sigwait(&set, &taken), 0);
    assert_int_equal(taken, SIGTERM);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_memory),       cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_asked_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
