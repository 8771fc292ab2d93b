#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"

static void refuses_what_it_cannot_read(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "crash",
        "boom@x",
        "crash@",
        "crash@x:0",
        "crash@x:a",
        "crash@x:1:2",
        "sleep@x:1",
        "sleep@x:1:5",
        "EIO@x",
        "EIO@fly=x",
        "short@sync=x",
        "full@read=x",
        "short@write=x:1:0",
        "full@write=x:*:-1",
        "crash@x:1+2",
        "crash@x;;;boom@y",
        "crash@x:99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(fault_set(WRONG[i]), ERR_CONF);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(fault_set(""), 0);
    assert_int_equal(fault_file(FAULT_WRITE, "/x", NULL), 0);
    failpoint("x");
}

static void fails_the_nth_operation(void **state)
{
    (void)state;
    assert_int_equal(fault_set("EIO@sync=log/:2;ENOSPC@write=seg:3+;EINTR@read=:*"), 0);
    assert_int_equal(fault_file(FAULT_SYNC, "/d/log/1", NULL), 0);
    assert_int_equal(fault_file(FAULT_SYNC, "/d/seg/1", NULL), 0);
    assert_int_equal(fault_file(FAULT_SYNC, "/d/log/1", NULL), EIO);
    assert_int_equal(fault_file(FAULT_SYNC, "/d/log/1", NULL), 0);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(fault_file(FAULT_WRITE, "/d/seg", NULL), i >= 3 ? ENOSPC : 0);
    assert_int_equal(fault_file(FAULT_READ, "/any", NULL), EINTR);
    assert_int_equal(fault_set("EIO@sync=log/:2"), 0);
    assert_int_equal(fault_file(FAULT_SYNC, "/d/log/1", NULL), 0);
    assert_int_equal(fault_set(NULL), 0);
}

static void shortens_and_fills(void **state)
{
    (void)state;
    size_t len = 100;
    assert_int_equal(fault_set("short@write=a:2:7;full@write=b::10"), 0);
    assert_int_equal(fault_file(FAULT_WRITE, "a", &len), 0);
    assert_int_equal(len, 100);
    assert_int_equal(fault_file(FAULT_WRITE, "a", &len), 0);
    assert_int_equal(len, 7);
    assert_int_equal(fault_file(FAULT_WRITE, "b", &len), 0);
    assert_int_equal(len, 7);
    assert_int_equal(fault_file(FAULT_WRITE, "b", &len), 0);
    assert_int_equal(len, 3);
    assert_int_equal(fault_file(FAULT_WRITE, "b", &len), ENOSPC);
    assert_int_equal(fault_set(NULL), 0);
}

static void kills_at_the_named_pass(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)fault_set("crash@commit.synced:3");
        for (int i = 1; i <= 3; i++) {
            failpoint("commit.other");
            failpoint("commit.synced");
            if (i == 2 && access("/", F_OK) != 0)
                _exit(1);
        }
        _exit(2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void sleeps(void **state)
{
    (void)state;
    assert_int_equal(fault_set("sleep@slow:1:30ms"), 0);
    int64_t start = clock_monotonic_ns();
    failpoint("slow");
    assert_true(clock_monotonic_ns() - start >= 30000000);
    assert_int_equal(fault_set(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_it_cannot_read),
        cmocka_unit_test(fails_the_nth_operation),
        cmocka_unit_test(shortens_and_fills),
        cmocka_unit_test(kills_at_the_named_pass),
        cmocka_unit_test(sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
