/* A store whose oldest log files are retired: alerts, searches, outputs and a restart's detection. */
#include <string.h>

#include "app/alert_store.h"
#include "app/log_index.h"
#include "app/output_log.h"
#include "app/prefecture.h"
#include "app/rebuild.h"
#include "app/rebuild_needs.h"
#include "base/err.h"
#include "event/builder.h"
#include "tests/app/alerts_log.h"

enum {
    FRAMES = 60,
    EACH = 12, /* alerts of a frame that has some */
    TENANT = 990001,
    ROWS_FRAMES = 40,
};

#define ARRIVAL_NS INT64_C(1763715600000000000)

static struct store *open_small(const struct log_dir *d)
{
    struct store *st = NULL;
    assert_int_equal(log_dir_open_with(&st, d, LEDGER_FILE_BYTES_MIN, 0), 0);
    return st;
}

static uint64_t retire(struct store *st, uint64_t through_seq)
{
    struct retire_report report;
    struct diag diag = {0};
    assert_int_equal(store_retire(st, through_seq, &report, &diag), 0);
    assert_int_equal(diag.count, 0);
    diag_release(&diag);
    return report.files;
}

/* Every third frame has alerts, which are numbered through. */
static uint64_t fill_alerts(struct store *st)
{
    uint64_t next = 0;
    for (int i = 0; i < FRAMES; i++) {
        size_t count = i % 3 == 1 ? EACH : 0;
        alerts_append(st, next, count);
        next += count;
    }
    return next;
}

/* ------------------------------------------------------------------------------ outputs */

/* Take at most `most` alerts; the place then is the cursor that an output would keep. */
static void take(struct output_log *log, struct output_place *place, uint64_t *next, size_t most)
{
    struct output_batch_store b;
    struct diag diag = {0};
    assert_int_equal(output_batch_init(&b), 0);
    while (output_log_fill(log, &b, &diag) == 0) {
        for (size_t i = 0; i < b.batch.count && most != 0; i++, most--)
            assert_int_equal(alerts_number(&b.alerts[i]), (*next)++);
        *place = b.batch.end;
        if (most == 0)
            break;
    }
    assert_int_equal(diag.count, 0);
    output_batch_release(&b);
    diag_release(&diag);
}

static struct output_log *open_at(const struct log_dir *d, struct output_place *place)
{
    struct output_log *log = NULL;
    struct diag diag = {0};
    assert_int_equal(output_log_open(&log, d->path, place, &diag), 0);
    assert_int_equal(diag.count, 0);
    diag_release(&diag);
    return log;
}

/* A cursor at any alert, kept while its file is retired, goes on with the next alert. */
static void cursors_go_on_in_remains(void **state)
{
    (void)state;
    struct log_dir d;
    log_dir_make(&d);
    struct store *st = open_small(&d);
    uint64_t all = fill_alerts(st);
    assert_true(retire(st, FRAMES / 2) > 2);
    for (uint64_t at = 0; at <= all; at++) {
        struct output_place place = {.seq = 3 * (at / EACH) + 2, .skip = at % EACH};
        struct output_place asked = place;
        struct output_log *log = open_at(&d, &place);
        uint64_t next = at;
        assert_int_equal(place.skip, asked.skip);
        assert_true(place.seq == asked.seq || at == all);
        take(log, &place, &next, SIZE_MAX);
        assert_int_equal(next, all);
        assert_int_equal(place.seq, FRAMES + 1);
        output_log_close(log);
    }
    /* One that stands at a frame without alerts, which is no more. */
    struct output_place place = {.seq = 3};
    struct output_log *log = open_at(&d, &place);
    uint64_t next = EACH;
    take(log, &place, &next, SIZE_MAX);
    assert_int_equal(next, all);
    output_log_close(log);
    store_close(st);
    log_dir_remove(&d);
}

/* An output that is behind does not keep files, and loses nothing when they go while it reads. */
static void outputs_hold_nobody_up(void **state)
{
    (void)state;
    struct log_dir d;
    log_dir_make(&d);
    struct store *st = open_small(&d);
    uint64_t all = fill_alerts(st);
    struct output_place place = {.seq = 1};
    struct output_log *log = open_at(&d, &place);
    struct output_batch_store b;
    struct diag diag = {0};
    uint64_t next = 0;
    assert_int_equal(output_batch_init(&b), 0);
    assert_true(retire(st, FRAMES / 3) > 1);
    while (output_log_fill(log, &b, &diag) == 0) {
        for (size_t i = 0; i < b.batch.count; i++)
            assert_int_equal(alerts_number(&b.alerts[i]), next++);
        if (next < all)
            continue;
        /* All are taken: the rest goes too, and more comes. */
        if (all == UINT64_C(20) * EACH) {
            assert_true(retire(st, UINT64_MAX) > 1);
            alerts_append(st, all, EACH);
            all += EACH;
        }
    }
    assert_int_equal(next, UINT64_C(21) * EACH);
    output_batch_release(&b);
    output_log_close(log);
    diag_release(&diag);
    store_close(st);
    log_dir_remove(&d);
}

/* ------------------------------------------------------------------------------ alerts */

static void assert_lines(struct alert_store *s, uint64_t all)
{
    struct buf line = {0};
    char number[32];
    assert_int_equal(alert_store_damage(s), 0);
    assert_int_equal(alert_store_count(s), all);
    for (uint64_t i = all; i-- > 0;) {
        buf_reset(&line);
        assert_int_equal(alert_store_line(s, alert_store_entry(s, i), &line), 0);
        (void)snprintf(number, sizeof(number), "\"n\":%llu}", (unsigned long long)i);
        assert_non_null(strstr(buf_string(&line), number));
        assert_true(alert_store_entry(s, i)->known);
    }
    buf_release(&line);
}

static void alerts_are_all_there(void **state)
{
    (void)state;
    struct log_dir d;
    struct alert_store *early = NULL;
    struct alert_store *late = NULL;
    struct diag diag = {0};
    log_dir_make(&d);
    struct store *st = open_small(&d);
    uint64_t all = fill_alerts(st);
    const struct alert_store_options options = {.dir = d.path};
    assert_int_equal(alert_store_open(&early, &options, &diag), 0);
    assert_true(retire(st, FRAMES / 2) > 2);
    assert_int_equal(alert_store_open(&late, &options, &diag), 0);
    assert_lines(early, all);
    assert_lines(late, all);
    /* Both go on following. */
    alerts_append(st, all, EACH);
    assert_true(retire(st, UINT64_MAX) > 2);
    alerts_append(st, all + EACH, EACH);
    struct alert_store *each[] = {early, late};
    for (size_t i = 0; i < COUNT(each); i++) {
        assert_int_equal(alert_store_follow(each[i], NULL, NULL), 0);
        assert_int_equal(alert_store_count(each[i]), all + UINT64_C(2) * EACH);
    }
    alert_store_close(early);
    alert_store_close(late);
    assert_int_equal(alert_store_open(&late, &options, &diag), 0);
    assert_lines(late, all + UINT64_C(2) * EACH);
    alert_store_close(late);
    assert_int_equal(diag.count, 0);
    diag_release(&diag);
    store_close(st);
    log_dir_remove(&d);
}

static void a_log_behind_remains_is_not_damaged(void **state)
{
    (void)state;
    struct log_dir d;
    struct log_walk walk = {0};
    struct log_index *index = NULL;
    struct diag diag = {0};
    struct frame_view frame;
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    struct store *st = open_small(&d);
    (void)fill_alerts(st);
    assert_true(retire(st, FRAMES / 2) > 2);
    for (int round = 0; round < 2; round++) {
        uint64_t damage = round == 0 ? 0 : 1;
        for (int whole = 0; whole < 2; whole++) {
            assert_int_equal(whole != 0 ? log_walk_open_whole(&walk, d.path, &diag)
                                        : log_walk_open(&walk, d.path, false, &diag),
                             0);
            uint64_t last = 0;
            while (log_walk_next(&frame, &walk) == 0)
                last = frame.link.seq;
            assert_int_equal(last, FRAMES);
            assert_int_equal(walk.damage, damage);
            log_walk_close(&walk);
        }
        assert_int_equal(log_index_open(&index, d.path, &diag), 0);
        log_index_close(index);
        assert_true((diag.count != 0) == (round == 1));
        /* The same without the remains of frame 1. */
        (void)snprintf(path, sizeof(path), "%s/log/0000000000000001.rem", d.path);
        assert_true(file_unlink(path) == 0 || round == 1);
    }
    diag_release(&diag);
    store_close(st);
    log_dir_remove(&d);
}

/* ------------------------------------------------------------------------------ detection */

/* A frame with a few rows of the municipality. */
static void append_rows(struct store *st, struct codec *codec, int64_t at)
{
    struct pack pack = {0};
    struct buf blob = {0};
    struct batch *b = batch_new();
    assert_non_null(b);
    b->tenant = TENANT;
    b->topic = SLICE("seclog.raw.990001.fw1");
    b->source = SLICE("fw1");
    b->format_name = SLICE("auto");
    const struct row row = {.bytes = SLICE("a line that no parser knows\n"),
                            .arrival_ns = ARRIVAL_NS + at * 1000000000,
                            .reason = REASON_FORMAT_MISMATCH,
                            .offset = at};
    assert_int_equal(batch_append(b, &row), 0);
    assert_int_equal(pack_add(codec, &pack, b), 0);
    assert_int_equal(pack_seal(codec, &pack, &blob), 0);
    batch_free(b);
    const struct slice batch = buf_content(&blob);
    const struct frame_range range = {FRAME_RANGE_DATA, at, at + 1, {NULL, 0}};
    const struct frame_entry entry = {SLICE("seclog.raw.990001.fw1"), 0, at, at + 1, &range, 1};
    const struct frame_parts parts = {.tick_ns = row.arrival_ns,
                                      .entries = &entry,
                                      .entry_count = 1,
                                      .batches = &batch,
                                      .batch_count = 1};
    assert_int_equal(store_append(st, &parts), 0);
    pack_release(&pack);
    buf_release(&blob);
}

struct judged {
    struct past *past;
    struct config *config;
    struct watch *watch;
    struct rebuild_stats stats;
    struct diag diag;
    int status;
};

static void judge(struct judged *j, const struct log_dir *d, bool from_start)
{
    *j = (struct judged){0};
    assert_int_equal(config_load(&j->config, NULL, &j->diag), 0);
    const struct watch_options watching = {.config = j->config, .seed = 1};
    assert_int_equal(watch_new(&j->watch, &watching), 0);
    const struct past_options named = {.dir = d->path};
    const struct watch_sets now = {.config = j->config};
    assert_int_equal(past_new(&j->past, &named), 0);
    const struct rebuild_options options = {
        .dir = d->path, .watch = j->watch, .past = j->past, .now = &now, .from_start = from_start};
    j->status = rebuild_run(&options, &j->stats, &j->diag);
    assert_true((j->status != 0) == (j->diag.count != 0));
}

static void judged_release(struct judged *j)
{
    watch_free(j->watch);
    past_free(j->past);
    config_free(j->config);
    diag_release(&j->diag);
}

static void keep_state(void *self, uint32_t tenant, struct detect_tenant *t)
{
    struct buf *image = self;
    if (tenant == TENANT)
        assert_int_equal(detect_tenant_image(t, image), 0);
}

/* Judge all rows so far and keep the state as of the last frame, which stands at `at`. */
static void keep_snapshot(const struct log_dir *d, const struct log_position *at, uint64_t rows)
{
    struct judged j;
    struct buf image = {0};
    struct snapshot *s = NULL;
    const struct snapshot_place place = {.at = *at};
    judge(&j, d, false);
    assert_int_equal(j.status, 0);
    assert_int_equal(j.stats.rows, rows);
    watch_each(j.watch, keep_state, &image);
    assert_int_equal(snapshot_make(&s, TENANT, buf_content(&image)), 0);
    assert_int_equal(snapshot_write(s, d->path, &place), 0);
    snapshot_free(s);
    buf_release(&image);
    judged_release(&j);
}

static uint64_t needs(const struct log_dir *d, const uint32_t *tenants, size_t count)
{
    uint64_t seq = 0;
    assert_int_equal(rebuild_needs_seq(&seq, d->path, tenants, count), 0);
    return seq;
}

static void a_restart_needs_what_snapshots_lack(void **state)
{
    (void)state;
    static const uint32_t TENANTS[] = {TENANT, PREFECTURE_CODE};
    struct log_dir d;
    struct judged j;
    struct codec *codec = codec_new(1);
    uint64_t kept[2] = {0};
    log_dir_make(&d);
    assert_non_null(codec);
    struct store *st = open_small(&d);
    for (int64_t at = 0; at < ROWS_FRAMES; at++) {
        const struct log_position here = store_position(st);
        append_rows(st, codec, at);
        if (at == 10 || at == 25) {
            assert_int_equal(needs(&d, TENANTS, 1), at == 10 ? 1 : 11);
            /* From the second one on, only the rows behind the first are judged. */
            keep_snapshot(&d, &here, at == 10 ? 11 : 15);
            kept[at == 25] = here.next_seq;
        }
    }
    assert_int_equal(kept[0], 11);
    assert_int_equal(kept[1], 26);
    assert_int_equal(needs(&d, NULL, 0), 1);
    assert_int_equal(needs(&d, TENANTS, 2), 1); /* the prefecture has none */
    assert_int_equal(needs(&d, TENANTS, 1), kept[0]);
    assert_true(retire(st, kept[0] - 1) > 0);
    assert_int_equal(needs(&d, TENANTS, 1), kept[0]);
    judge(&j, &d, false);
    assert_int_equal(j.status, 0);
    assert_int_equal(j.stats.rows, ROWS_FRAMES - 26);
    judged_release(&j);
    /* The rows of `replay --log`: not from the first one on. */
    judge(&j, &d, true);
    assert_int_equal(j.status, ERR_NOTFOUND);
    assert_non_null(strstr(diag_text(&j.diag), "are in segments"));
    judged_release(&j);
    /* The newer one alone would do, until it is damaged. */
    assert_true(retire(st, kept[1] - 1) > 0);
    assert_int_equal(needs(&d, TENANTS, 1), kept[1]);
    judge(&j, &d, false);
    assert_int_equal(j.status, 0);
    judged_release(&j);
    char path[FILE_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/state/%06u.%020llu", d.path, (unsigned)TENANT,
                   (unsigned long long)kept[1]);
    struct buf bytes = log_dir_read(path);
    bytes.data[bytes.len - 9] = (char)(bytes.data[bytes.len - 9] ^ 1);
    log_dir_write(path, buf_content(&bytes));
    buf_release(&bytes);
    assert_int_equal(needs(&d, TENANTS, 1), 1);
    /* Lines must be kept whatever became of the states: it begins anew with what the log has. */
    judge(&j, &d, false);
    assert_int_equal(j.status, 0);
    assert_true(j.stats.rows > 0 && j.stats.rows < ROWS_FRAMES - 10);
    judged_release(&j);
    store_close(st);
    codec_free(codec);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_go_on_in_remains),
        cmocka_unit_test(outputs_hold_nobody_up),
        cmocka_unit_test(alerts_are_all_there),
        cmocka_unit_test(a_log_behind_remains_is_not_damaged),
        cmocka_unit_test(a_restart_needs_what_snapshots_lack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
