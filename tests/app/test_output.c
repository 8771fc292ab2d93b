/* Outputs follow the log: in order, each alert until it is delivered, over failures and restarts. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "app/output.h"
#include "app/output_breaker.h"
#include "app/output_cursor.h"
#include "app/output_log.h"
#include "base/clock.h"
#include "base/err.h"
#include "tests/app/alerts_log.h"

enum {
    SEEN_MAX = 8192,
    WAIT_MS = 5000,
    MS = 1000000,
};

/* A receiver that does what the test says; one at a time, behind a lock. */
struct receiver {
    pthread_mutex_t lock;
    uint64_t seen[SEEN_MAX];
    size_t count;
    unsigned fail;      /* so many deliveries fail ... */
    size_t before_fail; /* ... after so many alerts of the batch */
    bool hang;          /* until the end */
    bool move;          /* the place below is the receiver's */
    bool lost;          /* the next delivery finds the receiver elsewhere */
    struct output_place place;
    unsigned connects;
    unsigned disconnects;
    char state[32];
    struct output_host *host;
};

static struct receiver receiver = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool fake_configured(const struct config *config)
{
    (void)config;
    return true;
}

static int fake_open(void **out, struct output_host *host, struct slice state, struct diag *diag)
{
    (void)diag;
    receiver.host = host;
    receiver.state[0] = '\0';
    if (state.len != 0 && state.len < sizeof(receiver.state)) {
        memcpy(receiver.state, state.data, state.len);
        receiver.state[state.len] = '\0';
    }
    *out = &receiver;
    return 0;
}

static void fake_close(void *self)
{
    assert_ptr_equal(self, &receiver);
}

static int fake_connect(void *self)
{
    struct receiver *r = self;
    r->connects++;
    return 0;
}

static void fake_disconnect(void *self)
{
    struct receiver *r = self;
    r->disconnects++;
}

static void fake_place(void *self, struct output_place *place)
{
    const struct receiver *r = self;
    if (r->move)
        *place = r->place;
}

static int fake_deliver(void *self, struct output_batch *b)
{
    struct receiver *r = self;
    int err = 0;
    (void)pthread_mutex_lock(&r->lock);
    bool hang = r->hang;
    if (r->lost) {
        r->lost = false;
        r->move = true;
        err = ERR_RANGE;
    }
    size_t taken = 0;
    for (size_t i = 0; i < b->count && err == 0; i++) {
        if (b->done[i])
            continue;
        if (r->fail != 0 && taken == r->before_fail) {
            r->fail--;
            output_why(r->host, "as the test says");
            err = ERR_DOWN;
        } else if (r->count < SEEN_MAX) {
            r->seen[r->count++] = alerts_number(&b->alerts[i]);
            b->done[i] = true;
            taken++;
        }
    }
    (void)pthread_mutex_unlock(&r->lock);
    while (hang && !output_stopping(r->host))
        (void)usleep(1000);
    return hang ? ERR_DOWN : err;
}

static void fake_save(void *self, struct buf *state)
{
    struct receiver *r = self;
    (void)pthread_mutex_lock(&r->lock);
    buf_text(state, r->state);
    (void)pthread_mutex_unlock(&r->lock);
}

static const struct output_driver FAKE = {
    .name = "fake",
    .configured = fake_configured,
    .open = fake_open,
    .close = fake_close,
    .connect = fake_connect,
    .disconnect = fake_disconnect,
    .place = fake_place,
    .deliver = fake_deliver,
    .save = fake_save,
};

static const struct output_driver FAKE_NOW = {
    .name = "now",
    .from_now = true,
    .configured = fake_configured,
    .open = fake_open,
    .close = fake_close,
    .deliver = fake_deliver,
};

struct output_test {
    struct log_dir dir;
    struct store *store;
    struct outputs *outputs;
    struct config *config;
};

static void begin(struct output_test *t, uint64_t file_bytes_max)
{
    struct diag diag = {0};
    memset(t, 0, sizeof(*t));
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    receiver = (struct receiver){.lock = lock};
    log_dir_make(&t->dir);
    assert_int_equal(log_dir_open_with(&t->store, &t->dir, file_bytes_max, 0), 0);
    assert_int_equal(config_load(&t->config, NULL, &diag), 0);
    diag_release(&diag);
}

static int start(struct output_test *t, const struct output_driver *driver)
{
    struct diag diag = {0};
    const struct outputs_options options = {.config = t->config,
                                            .dir = t->dir.path,
                                            .last_seq = store_last_seq(t->store),
                                            .drivers = &driver,
                                            .driver_count = 1};
    int err = outputs_start(&t->outputs, &options, &diag);
    assert_true(err == 0 || diag.count != 0);
    diag_release(&diag);
    return err;
}

static void stop(struct output_test *t)
{
    outputs_stop(t->outputs);
    t->outputs = NULL;
}

static void end(struct output_test *t)
{
    stop(t);
    store_close(t->store);
    config_free(t->config);
    log_dir_remove(&t->dir);
}

static size_t seen_count(void)
{
    (void)pthread_mutex_lock(&receiver.lock);
    size_t count = receiver.count;
    (void)pthread_mutex_unlock(&receiver.lock);
    return count;
}

static void wait_seen(size_t count)
{
    int64_t until = clock_monotonic_ns() + (int64_t)WAIT_MS * MS;
    while (seen_count() < count && clock_monotonic_ns() < until)
        (void)usleep(1000);
    assert_int_equal(seen_count(), count);
}

/* What was seen is first, first + 1, ... */
static void assert_seen(uint64_t first, size_t count)
{
    assert_int_equal(receiver.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(receiver.seen[i], first + i);
}

static struct output_place kept_place(const struct output_test *t, const char *name)
{
    char path[FILE_PATH_BYTES_MAX];
    struct output_cursor cursor;
    struct buf state = {0};
    struct diag diag = {0};
    (void)snprintf(path, sizeof(path), "%s/state/output-%s", t->dir.path, name);
    assert_int_equal(output_cursor_read(&cursor, &state, path, &diag), 0);
    buf_release(&state);
    return cursor.place;
}

static void test_in_order(void **state)
{
    (void)state;
    struct output_test t;
    begin(&t, 0);
    alerts_append(t.store, 0, 3);
    alerts_append(t.store, 3, 0);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(3);
    alerts_append(t.store, 3, 2);
    outputs_wake(t.outputs);
    wait_seen(5);
    /* What stands in the log when it ends is delivered, too. */
    alerts_append(t.store, 5, 1);
    stop(&t);
    assert_seen(0, 6);
    assert_int_equal(kept_place(&t, "fake").seq, 5);
    assert_int_equal(receiver.disconnects, 1);
    end(&t);
}

static void test_restart(void **state)
{
    (void)state;
    struct output_test t;
    begin(&t, 0);
    alerts_append(t.store, 0, 2);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(2);
    (void)pthread_mutex_lock(&receiver.lock);
    memcpy(receiver.state, "kept", sizeof("kept"));
    (void)pthread_mutex_unlock(&receiver.lock);
    alerts_append(t.store, 2, 1);
    outputs_wake(t.outputs);
    wait_seen(3);
    stop(&t);
    alerts_append(t.store, 3, 4);
    assert_int_equal(start(&t, &FAKE), 0);
    assert_string_equal(receiver.state, "kept");
    wait_seen(7);
    stop(&t);
    assert_seen(0, 7);
    end(&t);
}

static void test_failures(void **state)
{
    (void)state;
    struct output_test t;
    struct output_stats stats;
    begin(&t, 0);
    receiver.fail = 3;
    receiver.before_fail = 2;
    alerts_append(t.store, 0, 10);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(10);
    int64_t until = clock_monotonic_ns() + (int64_t)WAIT_MS * MS;
    do {
        (void)usleep(1000);
        assert_int_equal(outputs_stats(t.outputs, &stats, 1), 1);
    } while (stats.delivered < 10 && clock_monotonic_ns() < until);
    assert_string_equal(stats.name, "fake");
    assert_int_equal(stats.delivered, 10);
    assert_int_equal(stats.failed, 3);
    assert_int_equal(stats.retries, 8 + 6 + 4);
    assert_false(stats.open);
    stop(&t);
    assert_seen(0, 10);
    assert_int_equal(receiver.connects, 4);
    end(&t);
}

/* A frame with more alerts than a batch takes: a restart goes on within it. */
static void test_large_frame(void **state)
{
    (void)state;
    struct output_test t;
    size_t all = 2 * OUTPUT_BATCH_ALERTS_MAX + 500;
    begin(&t, 0);
    alerts_append(t.store, 0, all);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(all);
    stop(&t);
    assert_seen(0, all);
    assert_int_equal(kept_place(&t, "fake").seq, 2);
    assert_int_equal(kept_place(&t, "fake").skip, 0);
    end(&t);

    begin(&t, 0);
    alerts_append(t.store, 0, all);
    char path[FILE_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/state/output-fake", t.dir.path);
    struct output_cursor cursor = {.place = {.seq = 1, .skip = OUTPUT_BATCH_ALERTS_MAX}};
    memcpy(cursor.store_id, TEST_STORE_ID, sizeof(cursor.store_id));
    assert_int_equal(output_cursor_write(path, &cursor, SLICE("")), 0);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(all - OUTPUT_BATCH_ALERTS_MAX);
    stop(&t);
    assert_seen(OUTPUT_BATCH_ALERTS_MAX, all - OUTPUT_BATCH_ALERTS_MAX);
    end(&t);
}

static void test_from_now(void **state)
{
    (void)state;
    struct output_test t;
    begin(&t, 0);
    alerts_append(t.store, 0, 5);
    assert_int_equal(start(&t, &FAKE_NOW), 0);
    /* Kept before anything can happen. */
    assert_int_equal(kept_place(&t, "now").seq, 2);
    alerts_append(t.store, 5, 2);
    outputs_wake(t.outputs);
    wait_seen(2);
    stop(&t);
    assert_seen(5, 2);
    end(&t);
}

static void test_receivers_place(void **state)
{
    (void)state;
    struct output_test t;
    begin(&t, 0);
    for (uint64_t i = 0; i < 5; i++)
        alerts_append(t.store, 2 * i, 2);
    receiver.move = true;
    receiver.place = (struct output_place){.seq = 4, .skip = 1};
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(3);
    stop(&t);
    assert_seen(7, 3);
    /* One that lost all: from the beginning again. */
    receiver.count = 0;
    receiver.move = false;
    receiver.lost = true;
    receiver.place = (struct output_place){.seq = 1};
    alerts_append(t.store, 10, 1);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(11);
    stop(&t);
    assert_seen(0, 11);
    end(&t);
}

static void test_stops(void **state)
{
    (void)state;
    struct output_test t;
    begin(&t, 0);
    receiver.hang = true;
    alerts_append(t.store, 0, 1);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(1);
    int64_t before = clock_monotonic_ns();
    stop(&t);
    assert_true(clock_monotonic_ns() - before < (int64_t)4000 * MS);
    /* It did not say that it has it. */
    assert_int_equal(kept_place(&t, "fake").seq, 1);
    end(&t);
}

static void test_log_files(void **state)
{
    (void)state;
    struct output_test t;
    begin(&t, LEDGER_FILE_BYTES_MIN);
    for (uint64_t i = 0; i < 60; i++)
        alerts_append(t.store, 3 * i, 3);
    for (uint64_t seq = 0; seq <= 61; seq += 7) {
        struct output_log *log = NULL;
        struct output_batch_store b;
        struct diag diag = {0};
        struct output_place place = {.seq = seq};
        assert_int_equal(output_log_open(&log, t.dir.path, &place, &diag), 0);
        assert_int_equal(place.seq, seq == 0 ? 1 : seq);
        assert_int_equal(output_batch_init(&b), 0);
        size_t count = 0;
        while (output_log_fill(log, &b, &diag) == 0) {
            for (size_t i = 0; i < b.batch.count; i++, count++)
                assert_int_equal(alerts_number(&b.alerts[i]), 3 * (place.seq - 1) + count);
        }
        assert_int_equal(count, 180 - 3 * (place.seq - 1));
        output_batch_release(&b);
        output_log_close(log);
        diag_release(&diag);
    }
    end(&t);
}

/* The log ends before the place: of a store that was put back to an older copy. */
static void test_log_shorter(void **state)
{
    (void)state;
    struct output_test t;
    char path[FILE_PATH_BYTES_MAX];
    begin(&t, 0);
    alerts_append(t.store, 0, 2);
    (void)snprintf(path, sizeof(path), "%s/state/output-fake", t.dir.path);
    struct output_cursor cursor = {.place = {.seq = 100}};
    memcpy(cursor.store_id, TEST_STORE_ID, sizeof(cursor.store_id));
    assert_int_equal(output_cursor_write(path, &cursor, SLICE("")), 0);
    assert_int_equal(start(&t, &FAKE), 0);
    (void)usleep(100 * 1000);
    alerts_append(t.store, 2, 1);
    outputs_wake(t.outputs);
    wait_seen(1);
    stop(&t);
    assert_seen(2, 1);
    end(&t);
}

static void test_cursor(void **state)
{
    (void)state;
    struct output_test t;
    char path[FILE_PATH_BYTES_MAX];
    struct output_cursor cursor = {.place = {.seq = 42, .skip = 7}};
    struct output_cursor back = {.place = {.seq = 1}};
    struct buf kept = {0};
    struct buf text = {0};
    struct diag diag = {0};
    begin(&t, 0);
    (void)snprintf(path, sizeof(path), "%s/state/output-fake", t.dir.path);
    assert_int_equal(output_cursor_read(&back, &kept, path, &diag), ERR_NOTFOUND);
    memcpy(cursor.store_id, TEST_STORE_ID, sizeof(cursor.store_id));
    assert_int_equal(output_cursor_write(path, &cursor, SLICE("two\nlines\n")), 0);
    assert_int_equal(output_cursor_read(&back, &kept, path, &diag), 0);
    assert_memory_equal(&back, &cursor, sizeof(cursor));
    assert_true(slice_equal(buf_content(&kept), SLICE("two\nlines\n")));
    assert_int_equal(file_read_all(&text, path, 1000), 0);
    /* Each byte counts. */
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        log_dir_write(path, buf_content(&text));
        assert_int_equal(output_cursor_read(&back, &kept, path, &diag), ERR_CORRUPT);
        text.data[i] ^= 1;
    }
    for (size_t len = 0; len < text.len; len++) {
        log_dir_write(path, slice_of(text.data, len));
        assert_int_equal(output_cursor_read(&back, &kept, path, &diag), ERR_CORRUPT);
    }
    assert_non_null(strstr(diag_text(&diag), "remove it"));
    assert_int_equal(start(&t, &FAKE), ERR_CONF);
    /* Of another store: this one's alerts are all new. */
    cursor.store_id[0] ^= 1;
    assert_int_equal(output_cursor_write(path, &cursor, SLICE("")), 0);
    alerts_append(t.store, 0, 2);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(2);
    buf_release(&kept);
    buf_release(&text);
    diag_release(&diag);
    end(&t);
}

/* No room for the cursor: what was delivered does not come again while the process lives. */
static void test_cursor_full(void **state)
{
    (void)state;
    struct output_test t;
    struct output_stats stats;
    begin(&t, 0);
    alerts_append(t.store, 0, 3);
    assert_int_equal(fault_set("ENOSPC@write=state/output-fake:2"), 0);
    assert_int_equal(start(&t, &FAKE), 0);
    wait_seen(3);
    int64_t until = clock_monotonic_ns() + (int64_t)WAIT_MS * MS;
    while (kept_place(&t, "fake").seq != 2 && clock_monotonic_ns() < until)
        (void)usleep(1000);
    assert_int_equal(kept_place(&t, "fake").seq, 2);
    assert_int_equal(outputs_stats(t.outputs, &stats, 1), 1);
    assert_int_equal(stats.failed, 1);
    alerts_append(t.store, 3, 1);
    outputs_wake(t.outputs);
    wait_seen(4);
    stop(&t);
    assert_seen(0, 4);
    end(&t);
}

static void test_breaker(void **state)
{
    (void)state;
    struct breaker b = {.random = 7};
    int64_t nominal = BREAKER_FIRST_MS;
    assert_int_equal(breaker_wait(&b, 0), 0);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(breaker_open(&b), i >= BREAKER_FAILURES);
        int64_t now = (int64_t)i * MS;
        int64_t wait = breaker_fail(&b, now);
        assert_in_range(wait, nominal * MS / 2, nominal * MS);
        assert_int_equal(breaker_wait(&b, now), wait);
        assert_int_equal(breaker_wait(&b, now + wait), 0);
        nominal = nominal * 2 < BREAKER_LAST_MS ? nominal * 2 : BREAKER_LAST_MS;
    }
    breaker_succeed(&b);
    assert_false(breaker_open(&b));
    assert_int_equal(breaker_wait(&b, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),    cmocka_unit_test(test_restart),
        cmocka_unit_test(test_failures),    cmocka_unit_test(test_large_frame),
        cmocka_unit_test(test_from_now),    cmocka_unit_test(test_receivers_place),
        cmocka_unit_test(test_stops),       cmocka_unit_test(test_log_files),
        cmocka_unit_test(test_log_shorter), cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_breaker),     cmocka_unit_test(test_cursor_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
