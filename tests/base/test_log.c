#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

static int kept_stderr = -1;
static int captured[2] = {-1, -1};

static void capture_start(void)
{
    assert_int_equal(pipe(captured), 0);
    kept_stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(captured[1], STDERR_FILENO), STDERR_FILENO);
}

/* What was written since, without the time stamps' 24 characters. */
static void capture_end(struct buf *out)
{
    char data[4096];
    ssize_t got = 0;
    (void)dup2(kept_stderr, STDERR_FILENO);
    (void)close(kept_stderr);
    (void)close(captured[1]);
    while ((got = read(captured[0], data, sizeof(data))) > 0)
        buf_append(out, data, (size_t)got);
    (void)close(captured[0]);
}

static void check_line(struct buf *line, const char *expected)
{
    capture_end(line);
    const char *text = buf_string(line);
    assert_true(line->len > 28);
    assert_memory_equal(text, "ts=20", 5);
    assert_int_equal(text[3 + 23], 'Z');
    assert_string_equal(text + 28, expected);
    buf_reset(line);
}

static void writes_logfmt(void **state)
{
    (void)state;
    struct buf b = {0};
    capture_start();
    errno = 42;
    log_info("store", "segment written", "path=%s rows=%zu part=%.*s r=%.1f n=%d m=%" PRId64,
             "/data/a", (size_t)7, 2, "xyz", 1.25, -3, INT64_MIN);
    assert_int_equal(errno, 42);
    check_line(&b, "level=info component=store msg=\"segment written\" path=/data/a rows=7 "
                   "part=xy r=1.2 n=-3 m=-9223372036854775808\n");
    capture_start();
    log_error("app", "odd", "a=%05d b=%02x c=%c d=%u%% e=%s f=%hhu g=%lu h=%p", -12, 10U, 'z', 5U,
              "", (unsigned char)200, 99UL, NULL);
    check_line(&b, "level=error component=app msg=\"odd\" a=-0012 b=0a c=z d=5% e=\"\" f=200 g=99 "
                   "h=0\n");
    capture_start();
    log_warn("app", "bare", LOG_NO_VALUES);
    check_line(&b, "level=warn component=app msg=\"bare\"\n");
    buf_release(&b);
}

static void lets_nothing_be_forged(void **state)
{
    (void)state;
    struct buf b = {0};
    capture_start();
    log_info("ingest", "bad line", "text=%s tail=%d",
             "x\nts=1 level=error msg=\"forged\" \x1b[2J \xe2\x80\xae \xff", 1);
    check_line(&b, "level=info component=ingest msg=\"bad line\" text=\"x\\nts=1 level=error "
                   "msg=\\\"forged\\\" \\x1b[2J \\u{202e} \\xff\" tail=1\n");
    capture_start();
    log_info("ingest", "bad line", "text=%s tail=%d", "two words=1", 1);
    check_line(&b, "level=info component=ingest msg=\"bad line\" text=\"two words=1\" tail=1\n");
    buf_release(&b);
}

static void bounds_a_line(void **state)
{
    (void)state;
    struct buf b = {0};
    static char huge[100000];
    memset(huge, 1, sizeof(huge) - 1);
    capture_start();
    log_info("x", "y", "a=%s b=%s z=1", huge, "c");
    capture_end(&b);
    assert_true(b.len <= LOG_LINE_BYTES_MAX);
    assert_non_null(strstr(buf_string(&b), " truncated=true\n"));
    buf_reset(&b);
    memset(huge, 'a', sizeof(huge) - 1);
    capture_start();
    log_info("x", huge, "a=%s b=%s c=%s d=%s e=%s", huge, huge, huge, huge, huge);
    capture_end(&b);
    assert_true(b.len <= LOG_LINE_BYTES_MAX);
    assert_int_equal(b.data[b.len - 1], '\n');
    buf_release(&b);
}

static void obeys_severity(void **state)
{
    (void)state;
    struct buf b = {0};
    enum log_severity severity = LOG_SEVERITY_INFO;
    assert_int_equal(log_severity_parse(&severity, SLICE("loud")), ERR_FORMAT);
    assert_int_equal(log_severity_parse(&severity, SLICE("debug")), 0);
    capture_start();
    log_debug("x", "hidden", LOG_NO_VALUES);
    log_set_severity(severity);
    log_debug("x", "seen", LOG_NO_VALUES);
    log_set_severity(LOG_SEVERITY_ERROR);
    log_warn("x", "hidden", LOG_NO_VALUES);
    log_set_severity(LOG_SEVERITY_INFO);
    check_line(&b, "level=debug component=x msg=\"seen\"\n");
    buf_release(&b);
}

static size_t count_lines(struct buf *b)
{
    size_t lines = 0;
    for (size_t i = 0; i < b->len; i++)
        lines += b->data[i] == '\n';
    return lines;
}

static void limits_a_call_site(void **state)
{
    (void)state;
    struct buf b = {0};
    struct log_site site = {0};
    capture_start();
    for (int i = 0; i < 100; i++)
        log_write(&site, LOG_SEVERITY_INFO, "x", "y", "i=%d", i);
    capture_end(&b);
    assert_int_equal(count_lines(&b), LOG_SITE_LINES);
    buf_reset(&b);
    site.window_ns -= LOG_WINDOW_NS;
    capture_start();
    log_write(&site, LOG_SEVERITY_INFO, "x", "y", "i=%d", 100);
    check_line(&b, "level=info component=x msg=\"y\" i=100 suppressed=80\n");
    buf_release(&b);
}

static void *log_some(void *arg)
{
    for (int i = 0; i < 50; i++)
        log_write(NULL, LOG_SEVERITY_INFO, "x", "y", "thread=%p", arg);
    return NULL;
}

static void keeps_lines_whole(void **state)
{
    (void)state;
    struct buf b = {0};
    pthread_t threads[4];
    capture_start();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_some, &threads[0]), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    capture_end(&b);
    assert_int_equal(count_lines(&b), 200);
    size_t each = b.len / 200;
    for (size_t i = 0; i < 200; i++)
        assert_memory_equal(b.data + i * each, "ts=", 3);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_logfmt),      cmocka_unit_test(lets_nothing_be_forged),
        cmocka_unit_test(bounds_a_line),      cmocka_unit_test(obeys_severity),
        cmocka_unit_test(limits_a_call_site), cmocka_unit_test(keeps_lines_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
