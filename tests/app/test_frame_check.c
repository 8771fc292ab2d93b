/* Whether a frame's batches are found to be what the frame says, and lies are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/frame_check.h"
#include "tests/app/sample_store.h"

/* Check every frame; the first error. */
static int check_frames(const struct sample_store *s, struct frame_check_counts *counts,
                        struct diag *diag)
{
    const struct log_reader_options options = {.dir = s->dir.path};
    struct log_reader *reader = NULL;
    struct frame_checker *checker = NULL;
    struct frame_view frame;
    assert_int_equal(log_reader_open(&reader, &options, diag), 0);
    assert_int_equal(frame_checker_new(&checker), 0);
    int err = 0;
    while (err == 0 && ledger_read(&frame, reader, diag) == 0)
        err = frame_check(checker, &frame, log_reader_path(reader), 0, diag);
    *counts = frame_checker_counts(checker);
    frame_checker_free(checker);
    log_reader_close(reader);
    return err;
}

/* Append a frame whose batch holds offsets 0.. of partition 9, and say that it holds [0, end). */
static int check_claim(struct sample_store *s, int64_t rows, int64_t end, bool twice, bool lost)
{
    struct batch *b = batch_new();
    struct buf blob = {0};
    struct diag diag = {0};
    struct frame_check_counts counts;
    const struct sample_topic *t = &s->topics[0];
    assert_non_null(b);
    b->tenant = t->tenant;
    b->topic = t->name;
    b->source = SLICE("fw1");
    b->format_name = SLICE("alpha");
    for (int64_t i = 0; i < rows; i++) {
        const struct row row = {.bytes = SLICE("line\n"),
                                .reason = REASON_FORMAT_MISMATCH,
                                .partition = 9,
                                .offset = i,
                                .sub = i == 3 ? 1 : 0};
        assert_int_equal(batch_append(b, &row), 0);
    }
    assert_int_equal(codec_encode(s->codec, b, &blob), 0);
    const struct slice blobs[] = {buf_content(&blob), buf_content(&blob)};
    const struct frame_range ranges[] = {
        {lost ? FRAME_RANGE_LOST : FRAME_RANGE_DATA, 0, end, lost ? SLICE("gone") : SLICE("")}};
    const struct frame_entry entries[] = {{t->name, 9, 0, end, ranges, 1}};
    const struct frame_parts parts = {.tick_ns = ++s->tick_ns,
                                      .entries = entries,
                                      .entry_count = 1,
                                      .batches = blobs,
                                      .batch_count = twice ? 2 : 1};
    assert_int_equal(store_append(s->store, &parts), 0);
    int err = check_frames(s, &counts, &diag);
    assert_int_equal(err == 0, diag.count == 0);
    diag_release(&diag);
    buf_release(&blob);
    batch_free(b);
    return err;
}

static void test_frames(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct frame_check_counts counts;
    uint64_t records = 0;
    sample_open(&s, 15, 80, 64 << 10);
    if (check_frames(&s, &counts, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    for (size_t i = 0; i < s.row_count; i++)
        records += sample_begins_record(&s, i);
    assert_int_equal(counts.rows, s.row_count);
    assert_int_equal(counts.records, records);
    assert_int_equal(counts.batches, s.batch_count);
    diag_release(&diag);
    sample_close(&s);
}

static void test_false_claims(void **state)
{
    (void)state;
    static const struct {
        int64_t rows;
        int64_t end;
        bool twice;
        bool lost;
        int err;
    } CLAIMS[] = {
        {3, 3, false, false, 0},           {3, 4, false, false, ERR_CORRUPT},
        {3, 2, false, false, ERR_CORRUPT}, {3, 3, true, false, ERR_CORRUPT},
        {3, 3, false, true, ERR_CORRUPT},  {4, 4, false, false, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(CLAIMS) / sizeof(CLAIMS[0]); i++) {
        struct sample_store small = {0};
        sample_open(&small, 16 + i, 3, 0);
        assert_int_equal(
            check_claim(&small, CLAIMS[i].rows, CLAIMS[i].end, CLAIMS[i].twice, CLAIMS[i].lost),
            CLAIMS[i].err);
        sample_close(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_false_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
