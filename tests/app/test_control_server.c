/* The control socket: what it takes, what it answers, whom it cuts off, what it leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/control.h"
#include "app/control_client.h"
#include "app/control_server.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

#define ACK "{\"action\":\"ack\",\"id\":\"00112233445566778899aabbccddeeff\",\"reason\":\"seen\"}"

/* A server in a folder, and what it was given. */
struct bench {
    char dir[256];
    char path[300];
    struct control_server *server;
    struct buf taken; /* requests, each with a line feed */
    int answer;       /* to requests that are controls */
};

static int take(void *self, struct slice json)
{
    struct bench *b = self;
    struct detect_control control;
    if (control_read(&control, json) != 0)
        return ERR_FORMAT;
    buf_slice(&b->taken, json);
    buf_byte(&b->taken, '\n');
    return b->answer;
}

static void bench_open(struct bench *b)
{
    char prefix[200];
    const char *temp = getenv("TMPDIR");
    (void)snprintf(prefix, sizeof(prefix), "%s/control.", temp == NULL ? P_tmpdir : temp);
    assert_int_equal(dir_create_temp(b->dir, sizeof(b->dir), prefix), 0);
    (void)snprintf(b->path, sizeof(b->path), "%s/control.sock", b->dir);
    const struct control_server_options options = {.path = b->path, .take = take, .self = b};
    assert_int_equal(control_server_open(&b->server, &options), 0);
}

static void bench_close(struct bench *b)
{
    control_server_close(b->server);
    assert_int_not_equal(access(b->path, F_OK), 0);
    buf_release(&b->taken);
    assert_int_equal(dir_remove_tree(b->dir), 0);
}

static int connect_to(const struct bench *b)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } to = {.local = {.sun_family = AF_UNIX}};
    assert_true(strlen(b->path) < sizeof(to.local.sun_path));
    memcpy(to.local.sun_path, b->path, strlen(b->path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to.any, sizeof(to.local)), 0);
    return fd;
}

/* Send, end the sending side by wish, and read until the server closes. */
static void talk(struct buf *answer, const struct bench *b, struct slice request, bool shut)
{
    int fd = connect_to(b);
    (void)send(fd, request.data, request.len, MSG_NOSIGNAL);
    if (shut)
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
    buf_reset(answer);
    for (;;) {
        char *to = buf_reserve(answer, 4096);
        assert_non_null(to);
        ssize_t got = recv(fd, to, 4096, 0);
        if (got <= 0)
            break;
        answer->len += (size_t)got;
    }
    (void)close(fd);
}

static void takes_controls(void **state)
{
    (void)state;
    struct bench b = {0};
    struct buf why = {0};
    struct buf answer = {0};
    bench_open(&b);
    assert_int_equal(control_send(b.dir, SLICE(ACK), &why), 0);
    assert_string_equal(buf_string(&b.taken), ACK "\n");
    talk(&answer, &b, SLICE(ACK "\n" ACK "\n\n" ACK "\nrest"), true);
    struct slice begin = SLICE("{\"ok\":true}\n{\"ok\":true}\n{\"error\":\"");
    assert_true(slice_starts(buf_content(&answer), begin));
    assert_string_equal(buf_string(&b.taken), ACK "\n" ACK "\n" ACK "\n" ACK "\n");
    bench_close(&b);
    buf_release(&answer);
    buf_release(&why);
}

static void refuses_what_is_no_control(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"action\":\"ack\",\"reason\":\"no id\"}",
        "{\"action\":\"ack\",\"id\":\"0011\",\"reason\":\"short id\"}",
        "{\"action\":\"ack\",\"id\":\"00112233445566778899aabbccddeeff\",\"reason\":\"\"}",
        "{\"action\":\"open\",\"id\":\"00112233445566778899aabbccddeeff\",\"reason\":\"r\"}",
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"reason\":\"no end\"}",
        "{\"action\":\"suppress\",\"until\":\"2027-01-01T00:00:00Z\",\"reason\":\"all of it\"}",
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"until\":\"tomorrow\",\"reason\":\"r\"}",
        "{\"action\":\"suppress\",\"tenant\":\"990018\",\"kind\":\"D3\",\"until\":\"2027-01-01T00:00:00Z\",\"reason\":\"check digit\"}",
    };
    struct bench b = {0};
    struct buf why = {0};
    bench_open(&b);
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        buf_reset(&why);
        assert_int_equal(control_send(b.dir, slice_from(WRONG[i]), &why), ERR_CONF);
        assert_non_null(strstr(buf_string(&why), "docs/alerts.md"));
    }
    assert_int_equal(b.taken.len, 0);
    b.answer = ERR_AGAIN;
    buf_reset(&why);
    assert_int_equal(control_send(b.dir, SLICE(ACK), &why), ERR_CONF);
    assert_non_null(strstr(buf_string(&why), "again"));
    bench_close(&b);
    buf_release(&why);
}

static void bounds_clients(void **state)
{
    (void)state;
    char many[CONTROL_SERVER_REQUEST_BYTES_MAX];
    struct bench b = {0};
    struct buf answer = {0};
    struct buf lines = {0};
    bench_open(&b);
    memset(many, 'x', sizeof(many));
    talk(&answer, &b, slice_of(many, sizeof(many)), false);
    assert_string_equal(buf_string(&answer),
                        "{\"error\":\"the request is longer than 4096 bytes\"}\n");
    for (int i = 0; i < CONTROL_SERVER_REQUESTS_MAX + 5; i++)
        buf_text(&lines, "x\n");
    talk(&answer, &b, buf_content(&lines), false);
    size_t count = 0;
    for (size_t i = 0; i < answer.len; i++)
        count += answer.data[i] == '\n';
    assert_in_range(count, 1, CONTROL_SERVER_REQUESTS_MAX);
    int64_t start = clock_monotonic_ns();
    talk(&answer, &b, SLICE("{\"action\":"), false);
    assert_in_range(clock_monotonic_ns() - start, 1900 * INT64_C(1000000),
                    20000 * INT64_C(1000000));
    assert_int_equal(answer.len, 0);
    bench_close(&b);
    buf_release(&answer);
    buf_release(&lines);
}

/* A client that stays does not keep the server from ending. */
static void ends_at_once(void **state)
{
    (void)state;
    struct bench b = {0};
    bench_open(&b);
    int fd = connect_to(&b);
    assert_int_equal(send(fd, "{", 1, MSG_NOSIGNAL), 1);
    int64_t start = clock_monotonic_ns();
    bench_close(&b);
    assert_true(clock_monotonic_ns() - start < CONTROL_SERVER_TIMEOUT_MS * INT64_C(1000000));
    (void)close(fd);
}

static void replaces_a_stale_socket(void **state)
{
    (void)state;
    struct bench b = {0};
    struct bench other = {0};
    struct buf why = {0};
    struct stat s;
    char longer[200];
    bench_open(&b);
    assert_int_equal(stat(b.path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0660);
    const struct control_server_options again = {.path = b.path, .take = take, .self = &other};
    assert_int_equal(control_server_open(&other.server, &again), 0);
    assert_int_equal(control_send(b.dir, SLICE(ACK), &why), 0);
    assert_int_equal(b.taken.len, 0);
    assert_string_equal(buf_string(&other.taken), ACK "\n");
    control_server_close(other.server);
    buf_release(&other.taken);
    assert_int_equal(control_send(b.dir, SLICE(ACK), &why), ERR_DOWN);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const struct control_server_options wrong = {.path = longer, .take = take, .self = &b};
    assert_int_equal(control_server_open(&other.server, &wrong), ERR_RANGE);
    const struct control_server_options nowhere = {.path = "/nonexistent/x", .take = take};
    assert_int_equal(control_server_open(&other.server, &nowhere), ERR_IO);
    assert_int_equal(control_send(longer, SLICE(ACK), &why), ERR_RANGE);
    bench_close(&b);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_controls),          cmocka_unit_test(refuses_what_is_no_control),
        cmocka_unit_test(bounds_clients),          cmocka_unit_test(ends_at_once),
        cmocka_unit_test(replaces_a_stale_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
