#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/metric.h"
#include "base/metric_server.h"

enum metric_id {
    METRIC_ROWS,
    METRIC_LAG,
    METRIC_CPU,
    METRIC_BYTES,
    METRIC_WAIT,
    METRIC_COUNT,
};

static const struct metric_desc TABLE[] = {
    {"test_rows", METRIC_TYPE_COUNTER, "tenant", "Rows stored."},
    {"test_lag", METRIC_TYPE_GAUGE, "", "Records \"behind\"."},
    {"test_cpu_seconds", METRIC_TYPE_COUNTER_SECONDS, "", "Time spent."},
    {"test_bytes", METRIC_TYPE_COUNTER, "", "Bytes read."},
    {"test_wait_seconds", METRIC_TYPE_HISTOGRAM_SECONDS, "le", "Time waited."},
};

static struct metric_set *make_set(void)
{
    struct metric_set *set = NULL;
    assert_int_equal(metric_new(&set, TABLE, METRIC_COUNT), 0);
    return set;
}

static void renders_openmetrics(void **state)
{
    (void)state;
    struct buf b = {0};
    struct metric_set *set = make_set();
    metric_cell_add(metric_cell(set, METRIC_ROWS, SLICE("052027")), 5);
    metric_cell_add(metric_cell(set, METRIC_ROWS, SLICE("a\"\\\n\xff")), 1);
    metric_cell_add(metric_cell(set, METRIC_ROWS, SLICE("052027")), 2);
    metric_set_value(set, METRIC_LAG, -3);
    metric_add(set, METRIC_CPU, 1500000000);
    metric_add(set, METRIC_BYTES, UINT64_C(5000000000));
    metric_cell_set(metric_cell(set, METRIC_WAIT, SLICE("0.5")), 3);
    metric_cell_set(metric_cell(set, METRIC_WAIT, SLICE("+Inf")), 4);
    metric_render(set, &b);
    assert_string_equal(buf_string(&b), "# TYPE test_rows counter\n"
                                        "# HELP test_rows Rows stored.\n"
                                        "test_rows_total{tenant=\"052027\"} 7\n"
                                        "test_rows_total{tenant=\"a\\\"\\\\\\n\xef\xbf\xbd\"} 1\n"
                                        "# TYPE test_lag gauge\n"
                                        "# HELP test_lag Records \\\"behind\\\".\n"
                                        "test_lag -3\n"
                                        "# TYPE test_cpu_seconds counter\n"
                                        "# UNIT test_cpu_seconds seconds\n"
                                        "# HELP test_cpu_seconds Time spent.\n"
                                        "test_cpu_seconds_total 1.500000000\n"
                                        "# TYPE test_bytes counter\n"
                                        "# HELP test_bytes Bytes read.\n"
                                        "test_bytes_total 5000000000\n"
                                        "# TYPE test_wait_seconds histogram\n"
                                        "# UNIT test_wait_seconds seconds\n"
                                        "# HELP test_wait_seconds Time waited.\n"
                                        "test_wait_seconds_bucket{le=\"0.5\"} 3\n"
                                        "test_wait_seconds_bucket{le=\"+Inf\"} 4\n"
                                        "# EOF\n");
    assert_int_equal(metric_value(set, METRIC_ROWS, SLICE("052027")), 7);
    assert_int_equal(metric_value(set, METRIC_ROWS, SLICE("none")), 0);
    assert_int_equal(metric_value(set, METRIC_LAG, SLICE("")), -3);
    buf_release(&b);
    metric_free(set);
}

static void bounds_label_values(void **state)
{
    (void)state;
    char label[32];
    struct metric_set *set = make_set();
    struct metric_cell *cells[METRIC_CELLS_MAX];
    for (int i = 0; i < METRIC_CELLS_MAX; i++) {
        int len = snprintf(label, sizeof(label), "t%d", i);
        cells[i] = metric_cell(set, METRIC_ROWS, slice_of(label, (size_t)len));
    }
    struct metric_cell *other = metric_cell(set, METRIC_ROWS, SLICE("one more"));
    assert_ptr_equal(other, metric_cell(set, METRIC_ROWS, SLICE("and another")));
    for (int i = 0; i < METRIC_CELLS_MAX; i++) {
        int len = snprintf(label, sizeof(label), "t%d", i);
        assert_ptr_equal(cells[i], metric_cell(set, METRIC_ROWS, slice_of(label, (size_t)len)));
        assert_ptr_not_equal(cells[i], other);
    }
    struct buf b = {0};
    metric_cell_add(other, 9);
    metric_render(set, &b);
    assert_non_null(strstr(buf_string(&b), "test_rows_total{tenant=\"_other\"} 9\n"));
    buf_release(&b);
    metric_free(set);
}

static void *count_up(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        metric_add(arg, METRIC_BYTES, 1);
        metric_cell_add(metric_cell(arg, METRIC_ROWS, i % 2 ? SLICE("a") : SLICE("b")), 1);
    }
    return NULL;
}

static void loses_no_count(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct metric_set *set = make_set();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, set), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(metric_value(set, METRIC_BYTES, SLICE("")), 40000);
    assert_int_equal(metric_value(set, METRIC_ROWS, SLICE("a")), 20000);
    metric_free(set);
}

static int connect_port(uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
    } to = {.v4 = {.sin_family = AF_INET}};
    to.v4.sin_port = htons(port);
    to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to.any, sizeof(to.v4)), 0);
    return fd;
}

static int connect_path(const char *path)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } to = {.local = {.sun_family = AF_UNIX}};
    (void)snprintf(to.local.sun_path, sizeof(to.local.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to.any, sizeof(to.local)), 0);
    return fd;
}

/* Everything the server says until it closes. */
static void ask(struct buf *reply, int fd, struct slice request)
{
    char data[4096];
    ssize_t got = 0;
    buf_reset(reply);
    (void)send(fd, request.data, request.len, MSG_NOSIGNAL);
    while ((got = recv(fd, data, sizeof(data), 0)) > 0)
        buf_append(reply, data, (size_t)got);
    (void)close(fd);
}

static void serves_over_tcp(void **state)
{
    (void)state;
    struct buf b = {0};
    static char huge[METRIC_REQUEST_BYTES_MAX + 100];
    struct metric_server *server = NULL;
    struct metric_set *set = make_set();
    assert_int_equal(metric_server_open(&server, set, "127.0.0.1:0"), 0);
    uint16_t port = metric_server_port(server);
    ask(&b, connect_port(port), SLICE("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(slice_starts(buf_content(&b), SLICE("HTTP/1.1 200 OK\r\n")));
    assert_non_null(strstr(buf_string(&b), "\r\n\r\n# TYPE test_rows counter\n"));
    assert_non_null(strstr(buf_string(&b), "# EOF\n"));
    ask(&b, connect_port(port), SLICE("POST / HTTP/1.1\r\n\r\n"));
    assert_true(slice_starts(buf_content(&b), SLICE("HTTP/1.1 405 ")));
    memset(huge, 'x', sizeof(huge));
    ask(&b, connect_port(port), slice_of(huge, sizeof(huge)));
    assert_int_equal(b.len, 0);
    int64_t start = clock_monotonic_ns();
    ask(&b, connect_port(port), SLICE("GET / HT"));
    assert_int_equal(b.len, 0);
    assert_true(clock_monotonic_ns() - start >= INT64_C(1900000000));
    metric_server_close(server);
    metric_server_close(NULL);
    buf_release(&b);
    metric_free(set);
}

static void serves_over_a_unix_socket(void **state)
{
    (void)state;
    struct buf b = {0};
    char address[64];
    struct metric_server *server = NULL;
    struct metric_set *set = make_set();
    (void)snprintf(address, sizeof(address), "unix:/tmp/test_metric.%d", (int)getpid());
    for (int round = 0; round < 2; round++) {
        assert_int_equal(metric_server_open(&server, set, address), 0);
        assert_int_equal(metric_server_port(server), 0);
        ask(&b, connect_path(address + 5), SLICE("GET / HTTP/1.0\n\n"));
        assert_true(slice_starts(buf_content(&b), SLICE("HTTP/1.1 200 OK\r\n")));
        metric_server_close(server);
        assert_int_not_equal(access(address + 5, F_OK), 0);
    }
    buf_release(&b);
    metric_free(set);
}

static void refuses_open_addresses(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "0.0.0.0:9188", "192.0.2.1:9188", "127.0.0.1", "127.0.0.1:",  "127.0.0.1:99999",
        "[::]:1",       "unix:",          "",          "127.0.0.1:9x"};
    struct metric_server *server = NULL;
    struct metric_set *set = make_set();
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(metric_server_open(&server, set, WRONG[i]), ERR_CONF);
    assert_int_equal(metric_server_open(&server, set, "unix:/nonexistent/x"), ERR_IO);
    metric_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_openmetrics),
        cmocka_unit_test(bounds_label_values),
        cmocka_unit_test(loses_no_count),
        cmocka_unit_test(serves_over_tcp),
        cmocka_unit_test(serves_over_a_unix_socket),
        cmocka_unit_test(refuses_open_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
