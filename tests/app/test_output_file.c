/* Alert files: each alert once per file, over crashes, rotations and a full disk. */
#include <string.h>
#include <unistd.h>

#include "app/output_driver.h"
#include "base/err.h"
#include "tests/app/alerts_log.h"

enum {
    BATCH = 12,
    BATCH_2 = 2 * BATCH,
    BATCH_3 = 3 * BATCH,
    TEXT_BYTES_MAX = 1 << 20,
};

struct file_test {
    struct log_dir dir;
    struct config *config;
    struct output_host host;
    void *self;
    struct buf state; /* as kept last */
    struct buf bytes;
    struct alert_record alerts[BATCH];
    bool done[BATCH];
    struct output_batch batch;
    char main[300];
    char tenants[300];
};

static void reopen(struct file_test *t)
{
    struct diag diag = {0};
    if (t->self != NULL)
        OUTPUT_FILE.close(t->self);
    t->host.config = t->config;
    assert_int_equal(OUTPUT_FILE.open(&t->self, &t->host, buf_content(&t->state), &diag), 0);
    diag_release(&diag);
}

static void begin(struct file_test *t)
{
    char path[300];
    struct buf text = {0};
    struct diag diag = {0};
    memset(t, 0, sizeof(*t));
    log_dir_make(&t->dir);
    (void)snprintf(t->main, sizeof(t->main), "%s/alerts.ndjson", t->dir.path);
    (void)snprintf(t->tenants, sizeof(t->tenants), "%s/each", t->dir.path);
    (void)snprintf(path, sizeof(path), "%s/collector.yaml", t->dir.path);
    buf_printf(&text,
               "data: store\noutputs:\n  file: {path: alerts.ndjson, tenant_directory: each}\n");
    log_dir_write(path, buf_content(&text));
    assert_int_equal(config_load(&t->config, path, &diag), 0);
    assert_true(OUTPUT_FILE.configured(t->config));
    buf_release(&text);
    diag_release(&diag);
    t->host.end_ns = INT64_MAX;
    reopen(t);
}

static void end(struct file_test *t)
{
    OUTPUT_FILE.close(t->self);
    config_free(t->config);
    buf_release(&t->state);
    buf_release(&t->bytes);
    log_dir_remove(&t->dir);
}

/* The batch of the alerts first..first+BATCH-1. */
static void make_batch(struct file_test *t, uint64_t first)
{
    size_t at[BATCH + 1] = {0};
    buf_reset(&t->bytes);
    for (size_t i = 0; i < BATCH; i++) {
        alerts_record(&t->bytes, first + i);
        at[i + 1] = t->bytes.len;
    }
    for (size_t i = 0; i < BATCH; i++) {
        assert_int_equal(
            alert_record_take(&t->alerts[i], slice_of(t->bytes.data + at[i], at[i + 1] - at[i])),
            0);
        t->done[i] = false;
    }
    t->batch = (struct output_batch){.alerts = t->alerts, .done = t->done, .count = BATCH};
}

static void keep(struct file_test *t)
{
    buf_reset(&t->state);
    OUTPUT_FILE.save(t->self, &t->state);
    assert_false(OUTPUT_FILE.dirty(t->self));
}

/* As the output's thread does it, up to the cursor. */
static int deliver(struct file_test *t, uint64_t first)
{
    make_batch(t, first);
    int err = OUTPUT_FILE.connect(t->self);
    if (err == 0)
        err = OUTPUT_FILE.prepare(t->self, &t->batch);
    if (err == 0 && OUTPUT_FILE.dirty(t->self))
        keep(t);
    return err == 0 ? OUTPUT_FILE.deliver(t->self, &t->batch) : err;
}

/* The file holds the lines of the alerts first..end-1 of the municipality (0 = all) behind `before`. */
static void assert_file(const char *path, const char *before, uint64_t first, uint64_t end,
                        uint32_t tenant)
{
    struct buf want = {0};
    struct buf have = {0};
    buf_text(&want, before);
    for (uint64_t n = first; n < end; n++) {
        struct buf bytes = {0};
        struct alert_record a;
        alerts_record(&bytes, n);
        assert_int_equal(alert_record_take(&a, buf_content(&bytes)), 0);
        if (tenant == 0 || a.tenant == tenant) {
            buf_slice(&want, a.line);
            buf_byte(&want, '\n');
        }
        buf_release(&bytes);
    }
    assert_int_equal(file_read_all(&have, path, TEXT_BYTES_MAX), 0);
    assert_string_equal(buf_string(&have), buf_string(&want));
    buf_release(&want);
    buf_release(&have);
}

static void assert_files(const struct file_test *t, uint64_t first, uint64_t end)
{
    static const uint32_t TENANTS[] = {990019, 52027, 12025};
    assert_file(t->main, "", first, end, 0);
    for (size_t i = 0; i < 3; i++) {
        char path[400];
        (void)snprintf(path, sizeof(path), "%s/%06u.ndjson", t->tenants, TENANTS[i]);
        assert_file(path, "", first, end, TENANTS[i]);
    }
}

static void test_appends(void **state)
{
    (void)state;
    struct file_test t;
    begin(&t);
    assert_int_equal(deliver(&t, 0), 0);
    keep(&t);
    assert_files(&t, 0, BATCH);
    assert_int_equal(deliver(&t, BATCH), 0);
    assert_files(&t, 0, BATCH_2);
    end(&t);
}

/* The process dies after the delivery and before the cursor: the batch comes again. */
static void test_crash(void **state)
{
    (void)state;
    struct file_test t;
    begin(&t);
    assert_int_equal(deliver(&t, 0), 0); /* into files that were not there */
    reopen(&t);
    assert_int_equal(deliver(&t, 0), 0);
    keep(&t);
    assert_files(&t, 0, BATCH);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(deliver(&t, BATCH), 0);
        reopen(&t);
    }
    assert_int_equal(OUTPUT_FILE.connect(t.self), 0);
    assert_files(&t, 0, BATCH);
    assert_int_equal(deliver(&t, BATCH), 0);
    keep(&t);
    reopen(&t);
    assert_int_equal(deliver(&t, BATCH_2), 0);
    assert_files(&t, 0, BATCH_3);
    end(&t);
}

static void test_rotation(void **state)
{
    (void)state;
    struct file_test t;
    char old[310];
    begin(&t);
    (void)snprintf(old, sizeof(old), "%s.1", t.main);
    assert_int_equal(deliver(&t, 0), 0);
    keep(&t);
    assert_int_equal(file_rename(t.main, old), 0);
    assert_int_equal(deliver(&t, BATCH), 0);
    assert_file(old, "", 0, BATCH, 0);
    assert_file(t.main, "", BATCH, BATCH_2, 0);
    /* A crash now cuts the new file, as its beginning was kept before it was written to. */
    reopen(&t);
    assert_int_equal(deliver(&t, BATCH), 0);
    assert_file(t.main, "", BATCH, BATCH_2, 0);
    assert_file(old, "", 0, BATCH, 0);
    keep(&t);
    /* Emptied in place. */
    assert_int_equal(truncate(t.main, 0), 0);
    assert_int_equal(deliver(&t, BATCH_2), 0);
    assert_file(t.main, "", BATCH_2, BATCH_3, 0);
    reopen(&t);
    assert_int_equal(deliver(&t, BATCH_2), 0);
    assert_file(t.main, "", BATCH_2, BATCH_3, 0);
    end(&t);
}

/* What others wrote before stays. */
static void test_existing(void **state)
{
    (void)state;
    struct file_test t;
    begin(&t);
    log_dir_write(t.main, SLICE("{\"older\":1}\n"));
    assert_int_equal(deliver(&t, 0), 0);
    reopen(&t);
    assert_int_equal(deliver(&t, 0), 0);
    assert_file(t.main, "{\"older\":1}\n", 0, BATCH, 0);
    /* Replaced by an editor between two batches: not ours to cut. */
    keep(&t);
    assert_int_equal(file_unlink(t.main), 0);
    log_dir_write(t.main, SLICE("{\"edited\":1}\n"));
    reopen(&t);
    assert_int_equal(deliver(&t, BATCH), 0);
    assert_file(t.main, "{\"edited\":1}\n", BATCH, BATCH_2, 0);
    end(&t);
}

/* A full disk leaves neither half a line nor half a batch behind. */
static void test_full_disk(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"full@write=alerts.ndjson:*:300", "full@write=each/:*:0",
                                         "full@write=each/:*:700", "EIO@sync=each/990019",
                                         "short@write=each/:*:7;full@write=each/:*:500"};
    struct file_test t;
    begin(&t);
    assert_int_equal(deliver(&t, 0), 0);
    keep(&t);
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_not_equal(deliver(&t, BATCH), 0);
        assert_int_not_equal(t.host.why[0], '\0');
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(OUTPUT_FILE.connect(t.self), 0);
        assert_files(&t, 0, BATCH);
    }
    /* Not even to be cut: then before the next try. */
    assert_int_equal(fault_set("full@write=each/:*:700;EIO@truncate=each/:*"), 0);
    assert_int_not_equal(deliver(&t, BATCH), 0);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(deliver(&t, BATCH), 0);
    assert_files(&t, 0, BATCH_2);
    end(&t);
}

static void test_bad_state(void **state)
{
    (void)state;
    static const char *const STATES[] = {"1 2 3\n", "1 2 3 4", "a b c d\n", "1 2 3 4 5\n",
                                         "4294967296 1 1 1\n"};
    struct file_test t;
    struct diag diag = {0};
    void *self = NULL;
    begin(&t);
    for (size_t i = 0; i < COUNT(STATES); i++) {
        assert_int_equal(OUTPUT_FILE.open(&self, &t.host, slice_from(STATES[i]), &diag),
                         ERR_CORRUPT);
        assert_null(self);
        assert_int_equal(diag.count, i + 1);
    }
    diag_release(&diag);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),   cmocka_unit_test(test_crash),
        cmocka_unit_test(test_rotation),  cmocka_unit_test(test_existing),
        cmocka_unit_test(test_full_disk), cmocka_unit_test(test_bad_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
