/* The completeness ledger against a count by hand: of the log, of segments, of both; holes, damage, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/compact.h"
#include "app/sheet_print.h"
#include "app/totals_check.h"
#include "tests/app/history.h"

enum {
    SEEDS = SANITIZED ? 2 : 8,
    STEPS = 3,
    FRAMES = 6,
};

static const struct history_shape SHAPE = {
    .records_max = 40, .late_share = 30, .late_hours = 5, .hour_step = 2, .other_share = 25};

static void compact(const struct history *h)
{
    struct diag diag = {0};
    struct compact_report report = {0};
    const struct compact_options options = {
        .dir = h->dir.path, .store_id = store_id(h->store), .through_seq = UINT64_MAX};
    if (compact_run(&options, &report, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    diag_release(&diag);
}

static struct sheet_wish whole(const struct history *h)
{
    return (struct sheet_wish){.dir = h->dir.path, .since_ns = INT64_MIN, .until_ns = INT64_MAX};
}

static struct sheet read_sheet(const struct sheet_wish *wish)
{
    struct sheet s = {0};
    struct diag diag = {0};
    int err = sheet_read(&s, wish, &diag);
    if (err != 0 || diag.count != 0)
        fail_msg("%s: %s", err_name(err), diag_text(&diag));
    diag_release(&diag);
    return s;
}

static struct totals_sum sum_of(const struct sheet *s)
{
    struct totals_sum sum = {0};
    for (size_t i = 0; i < s->rows.count; i++)
        totals_add(&sum, &s->rows.items[i].sum);
    return sum;
}

/* What is stored of a municipality, source and hour. */
static struct totals_sum by_hand(const struct history *h, uint32_t tenant, struct slice source,
                                 int64_t start_ns)
{
    struct totals_sum sum = {0};
    for (size_t i = 0; i < h->row_count; i++) {
        const struct history_row *r = &h->rows[i];
        int64_t arrival_ns = r->batch->arrival_ns[r->row];
        struct slice name = slice_from_offset(r->topic, sizeof("seclog.raw.052027.") - 1);
        if (r->tenant != tenant || !slice_equal(name, source) || arrival_ns < start_ns ||
            arrival_ns - start_ns >= HISTORY_HOUR_NS)
            continue;
        sum.records += r->sub == 0;
        sum.rows++;
        sum.bytes += r->batch->line[r->row].len;
    }
    return sum;
}

static void compare(const struct history *h, const struct sheet *s)
{
    struct totals_sum total = sum_of(s);
    size_t records = 0;
    for (size_t i = 0; i < s->rows.count; i++) {
        const struct hour_sum *row = &s->rows.items[i];
        struct totals_sum want = by_hand(h, row->tenant, s->sources[row->id], row->start_ns);
        assert_int_equal(row->sum.records, want.records);
        assert_int_equal(row->sum.rows, want.rows);
        assert_int_equal(row->sum.bytes, want.bytes);
    }
    for (size_t i = 0; i < h->row_count; i++)
        records += h->rows[i].sub == 0;
    assert_int_equal(total.records, records);
    assert_int_equal(total.rows, h->row_count);
    assert_int_equal(total.gaps, h->kinds[FRAME_RANGE_GAP]);
    assert_int_equal(total.quarantined, h->kinds[FRAME_RANGE_QUARANTINE]);
    assert_int_equal(total.lost, h->kinds[FRAME_RANGE_LOST]);
    assert_int_equal(total.missing, h->kinds[FRAME_RANGE_DATA]);
    assert_int_equal(totals_received(&total),
                     records + total.quarantined + total.lost + total.missing);
    assert_int_equal(total.surplus, 0);
    assert_int_equal(s->damage, 0);
}

static int verify(const struct history *h, const struct checkpoint *held, const char *says)
{
    struct diag diag = {0};
    struct totals_check_report report = {0};
    int err = totals_check_run(&report, h->dir.path, held, &diag);
    if (err != 0 && says == NULL)
        fail_msg("%s: %s", err_name(err), diag_text(&diag));
    if (says != NULL && strstr(diag_text(&diag), says) == NULL)
        fail_msg("%s: %s", says, diag_text(&diag));
    diag_release(&diag);
    return err;
}

/* All that is printed. */
static struct buf printed(const struct history *h, const struct sheet_wish *more)
{
    struct sheet_wish wish = more == NULL ? whole(h) : *more;
    struct sheet s = read_sheet(&wish);
    struct buf out = {0};
    const struct sheet_style style = {.wish = &wish, .zone = "UTC"};
    s.compacted_seq = 0; /* what alone differs */
    sheet_print_json(&out, &s, &style);
    sheet_print_csv(&out, &s, &style);
    sheet_print_table(&out, &s, &style);
    sheet_close(&s);
    assert_true(buf_ok(&out));
    return out;
}

/* The same sheet from the log, from both, from segments. */
static void test_levels(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct history h = {0};
        history_open(&h, seed, &SHAPE);
        for (int step = 0; step < STEPS; step++) {
            struct sheet_wish wish = whole(&h);
            history_grow(&h, FRAMES);
            struct sheet s = read_sheet(&wish);
            compare(&h, &s);
            assert_int_equal(s.finding_count, 0);
            sheet_close(&s);
            struct buf before = printed(&h, NULL);
            compact(&h);
            struct buf after = printed(&h, NULL);
            assert_string_equal(buf_string(&before), buf_string(&after));
            buf_release(&before);
            buf_release(&after);
            s = read_sheet(&wish);
            compare(&h, &s);
            assert_int_equal(s.compacted_seq, s.last_seq);
            sheet_close(&s);
            assert_int_equal(verify(&h, NULL, NULL), 0);
        }
        history_close(&h);
    }
}

/* Records that frames claim and that are not there are named, before and after compaction. */
static void test_holes(void **state)
{
    (void)state;
    struct history h = {0};
    struct history_shape shape = SHAPE;
    shape.hole_share = 60;
    history_open(&h, 3, &shape);
    history_grow(&h, 3 * FRAMES);
    assert_true(h.kinds[FRAME_RANGE_DATA] > 3);
    for (int compacted = 0; compacted < 2; compacted++) {
        struct sheet_wish wish = whole(&h);
        struct sheet s = read_sheet(&wish);
        uint64_t missing = 0;
        compare(&h, &s);
        for (size_t i = 0; i < s.finding_count; i++) {
            const struct sheet_finding *f = &s.findings[i];
            assert_int_equal((int)f->kind, (int)SHEET_MISSING);
            assert_true(f->topic.len != 0);
            for (size_t k = 0; k < h.row_count; k++) {
                const struct history_row *r = &h.rows[k];
                assert_false(slice_equal(r->topic, f->topic) && r->partition == f->partition &&
                             (uint64_t)r->offset >= f->from && (uint64_t)r->offset < f->to);
            }
            missing += f->to - f->from;
        }
        assert_int_equal(missing, h.kinds[FRAME_RANGE_DATA]);
        sheet_close(&s);
        assert_int_equal(verify(&h, NULL, "no row of them is there"), ERR_CORRUPT);
        compact(&h);
    }
    history_close(&h);
}

/* Part of a sheet is what the whole one has of it. */
static void test_parts(void **state)
{
    (void)state;
    struct history h = {0};
    history_open(&h, 5, &SHAPE);
    history_grow(&h, 2 * FRAMES);
    compact(&h);
    history_grow(&h, FRAMES);
    struct sheet_wish wish = whole(&h);
    struct sheet all = read_sheet(&wish);
    struct totals_sum sum = {0};
    struct totals_sum total = sum_of(&all);
    for (size_t i = 0; i < HISTORY_TENANTS * all.source_count; i++) {
        struct sheet_wish part = whole(&h);
        part.has_tenant = true;
        part.tenant = HISTORY_CODES[i / all.source_count];
        part.source = all.sources[i % all.source_count];
        struct sheet s = read_sheet(&part);
        struct totals_sum own = sum_of(&s);
        totals_add(&sum, &own);
        for (size_t k = 0; k < s.rows.count; k++)
            assert_int_equal(s.rows.items[k].tenant, part.tenant);
        for (size_t k = 0; k < s.event_count; k++) {
            assert_int_equal(s.events[k].tenant, part.tenant);
            assert_true(slice_equal(s.events[k].source, part.source));
        }
        sheet_close(&s);
    }
    assert_memory_equal(&sum, &total, sizeof(sum));
    /* By time: each hour is in one half. */
    int64_t middle_ns = all.rows.items[all.rows.count / 2].start_ns;
    struct sheet_wish early = whole(&h);
    struct sheet_wish late = whole(&h);
    early.until_ns = middle_ns;
    late.since_ns = middle_ns;
    struct sheet a = read_sheet(&early);
    struct sheet b = read_sheet(&late);
    assert_true(a.rows.count != 0 && b.rows.count != 0);
    assert_int_equal(a.rows.count + b.rows.count, all.rows.count);
    assert_int_equal(a.event_count + b.event_count, all.event_count);
    sheet_close(&a);
    sheet_close(&b);
    wish.by = SHEET_MONTH;
    wish.zone_minutes = 540;
    struct sheet months = read_sheet(&wish);
    struct totals_sum again = sum_of(&months);
    assert_memory_equal(&again, &total, sizeof(again));
    assert_true(months.rows.count < all.rows.count);
    sheet_close(&months);
    sheet_close(&all);
    history_close(&h);
}

/* -------------------------------------------------------------------------------- signatures, damage */

static void sign(const struct history *h, struct buf *text)
{
    char name[NOTE_NAME_BYTES_MAX + 1];
    struct checkpoint_file *file = NULL;
    struct note_signer signer;
    struct diag diag = {0};
    struct totals_signed totals = {0};
    assert_int_equal(totals_hash_now(&totals, h->dir.path, &diag), 0);
    checkpoint_key_name(name, store_id(h->store));
    assert_int_equal(note_signer_make(&signer, name), 0);
    assert_int_equal(checkpoint_file_open(&file, h->dir.path, &signer, &diag), 0);
    const struct checkpoint_record record = {slice_from(totals.name), totals.hash};
    struct checkpoint c = {
        .time_ns = HISTORY_TIME_NS, .log_seq = 1, .records = &record, .record_count = 1};
    memcpy(c.store_id, store_id(h->store), STORE_ID_BYTES);
    assert_int_equal(checkpoint_file_append(file, &c, text, &diag), 0);
    checkpoint_file_close(file);
    diag_release(&diag);
}

static void totals_path(char out[512], const struct history *h)
{
    (void)snprintf(out, 512, "%s/seg/052027/totals", h->dir.path);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

struct copied {
    struct totals_head head;
    const char *folder;
    int change; /* of the second record */
};

/* Whether a partition could be changed so. The sum of its offsets stays but for the last. */
static bool change_partition(struct totals_partition *p, int change)
{
    struct totals_sum *first = &p->hours[0].sum;
    for (size_t i = 0; i < p->hour_count && change == 1; i++) {
        if (p->hours[i].sum.lost != 0) { /* what was lost is quarantined */
            p->hours[i].sum.lost--;
            p->hours[i].sum.quarantined++;
            return true;
        }
    }
    if (change == 1 || p->hour_count < 2 || first->records < 2 || p->hours[1].sum.rows == 0)
        return false;
    if (change == 0) { /* from one hour to the next */
        first->records--;
        p->hours[1].sum.records++;
    }
    first->bytes += change == 2;
    first->rows += change == 3;
    p->end += change == 4;
    return true;
}

/* Write a record again, changed, with a hash that is right for it. */
static int copy_changed(void *self, const struct totals *t)
{
    struct copied *c = self;
    struct totals changed = *t;
    bool done = t->number != 2;
    for (size_t i = 0; i < t->partition_count && !done; i++)
        done = change_partition(&changed.partitions[i], c->change);
    assert_true(done);
    return totals_file_append(&c->head, c->folder, &changed);
}

static void test_tampering(void **state)
{
    static const char *const SAYS[] = {"the segments have", "the frames have", "the segments have",
                                       "the catalog has", "offsets"};
    (void)state;
    struct history h = {0};
    struct buf text = {0};
    struct buf bytes = {0};
    struct diag diag = {0};
    char path[512];
    history_open(&h, 11, &SHAPE);
    for (int step = 0; step < STEPS; step++) {
        history_grow(&h, FRAMES);
        compact(&h);
    }
    totals_path(path, &h);
    assert_int_equal(file_read_all(&bytes, path, 1 << 24), 0);
    for (int change = 0; change < (int)COUNT(SAYS); change++) {
        char folder[512];
        struct totals_head head = {0};
        write_file(path, bytes.data, bytes.len);
        (void)snprintf(folder, sizeof(folder), "%s/seg/052027", h.dir.path);
        assert_int_equal(totals_file_head(&head, folder, UINT64_MAX, &diag), 0);
        struct copied c = {.head = {.tenant = 52027}, .folder = h.dir.path, .change = change};
        memcpy(c.head.store_id, head.store_id, STORE_ID_BYTES);
        assert_int_equal(totals_file_read(&head, folder, UINT64_MAX, copy_changed, &c, &diag), 0);
        char made[600];
        (void)snprintf(made, sizeof(made), "%s/totals", h.dir.path);
        assert_int_equal(file_rename(made, path), 0);
        assert_int_equal(verify(&h, NULL, SAYS[change]), ERR_CORRUPT);
    }
    write_file(path, bytes.data, bytes.len);
    assert_int_equal(verify(&h, NULL, NULL), 0);
    buf_release(&bytes);
    buf_release(&text);
    diag_release(&diag);
    history_close(&h);
}

/* A checkpoint signs the totals of its time; other ones are found by it, also by one that was kept. */
static void test_signed(void **state)
{
    (void)state;
    struct history h = {0};
    struct buf text = {0};
    struct buf bytes = {0};
    struct diag diag = {0};
    struct arena arena = {0};
    struct checkpoint held = {0};
    struct sheet_wish wish = {0};
    char path[512];
    history_open(&h, 13, &SHAPE);
    history_grow(&h, FRAMES);
    compact(&h);
    sign(&h, &text);
    assert_int_equal(checkpoint_parse(&held, &arena, buf_content(&text), NULL, "held", &diag), 0);
    totals_path(path, &h);
    assert_int_equal(file_read_all(&bytes, path, 1 << 24), 0);
    history_grow(&h, FRAMES);
    wish = whole(&h);
    for (int round = 0; round < 2; round++) {
        struct sheet s = read_sheet(&wish);
        assert_int_equal(s.signature.number, 1);
        assert_int_equal(s.signature.through_seq, held.records[0].name.len == 0 ? 0 : FRAMES);
        assert_true(s.signature.checked && s.signature.same);
        sheet_close(&s);
        assert_int_equal(verify(&h, &held, NULL), 0);
        compact(&h);
    }
    /* The first record again, with another number in it and the chain mended. */
    char folder[512];
    struct totals_head head = {0};
    (void)snprintf(folder, sizeof(folder), "%s/seg/052027", h.dir.path);
    struct totals empty = {.through_seq = FRAMES};
    assert_int_equal(totals_file_head(&head, folder, 0, &diag), 0);
    assert_int_equal(head.count, 0);
    assert_int_equal(totals_file_append(&head, folder, &empty), 0);
    struct sheet s = read_sheet(&wish);
    assert_true(s.signature.checked && !s.signature.same);
    assert_true(s.finding_count != 0); /* and its rows are not the catalog's */
    sheet_close(&s);
    assert_int_equal(verify(&h, &held, "the completeness ledger"), ERR_CORRUPT);
    buf_release(&text);
    buf_release(&bytes);
    diag_release(&diag);
    arena_release(&arena);
    history_close(&h);
}

/* Without its file, or without the file's end, the ledger says what it lacks; compaction goes on. */
static void test_lost_file(void **state)
{
    (void)state;
    struct history h = {0};
    struct buf bytes = {0};
    struct diag diag = {0};
    struct totals_head head = {0};
    char path[512];
    char folder[512];
    history_open(&h, 17, &SHAPE);
    history_grow(&h, FRAMES);
    compact(&h);
    history_grow(&h, FRAMES);
    compact(&h);
    totals_path(path, &h);
    (void)snprintf(folder, sizeof(folder), "%s/seg/052027", h.dir.path);
    assert_int_equal(file_read_all(&bytes, path, 1 << 24), 0);
    assert_int_equal(totals_file_head(&head, folder, FRAMES, &diag), 0);
    assert_int_equal(head.count, 1);
    for (int lost = 0; lost < 2; lost++) {
        for (int again = 0; again < 2; again++) {
            if (again == 0 && lost == 0)
                write_file(path, bytes.data, (size_t)head.bytes);
            else if (again == 0)
                assert_int_equal(file_unlink(path), 0);
            struct sheet_wish wish = whole(&h);
            struct sheet s = read_sheet(&wish);
            bool frames = false;
            for (size_t i = 0; i < s.finding_count; i++) {
                frames |= s.findings[i].kind == SHEET_FRAMES && s.findings[i].tenant == 52027 &&
                          s.findings[i].from == (lost == 0 ? FRAMES + 1 : 1) &&
                          s.findings[i].to == 2 * FRAMES + 1;
            }
            assert_true(frames);
            assert_int_equal(s.damage, 0);
            sheet_close(&s);
            assert_int_equal(verify(&h, NULL, "no control totals"), ERR_CORRUPT);
            compact(&h);
        }
    }
    buf_release(&bytes);
    diag_release(&diag);
    history_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels), cmocka_unit_test(test_holes),
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_signed), cmocka_unit_test(test_lost_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
