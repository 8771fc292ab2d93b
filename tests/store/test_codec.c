/* A batch through the codec: every line, value and column comes back; bad bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/codec.h"
#include "tests/support/lines.h"

enum {
    ROUNDS = 300,
};

static void fill(struct lines *l, struct batch *b, uint32_t rows, uint32_t layouts)
{
    b->tenant = 52027;
    b->format = 1;
    b->topic = SLICE("seclog.raw.052027.fw1");
    b->source = SLICE("fw1");
    b->format_name = SLICE("fortigate");
    int64_t offset = 100;
    uint32_t sub = 0;
    for (uint32_t i = 0; i < rows; i++) {
        lines_next(l, layouts);
        struct row row = {.bytes = slice_of(l->line, l->len),
                          .slots = &l->slots,
                          .time_ns =
                              INT64_C(1763000000000000000) + (int64_t)lines_below(l, 1000000),
                          .arrival_ns = INT64_C(1763000001000000000) + (int64_t)i * 1000000,
                          .partition = (int32_t)lines_below(l, 2),
                          .offset = offset,
                          .sub = sub};
        if (lines_below(l, 20) == 0)
            row.reason = REASON_FORMAT_MISMATCH;
        if (lines_below(l, 50) == 0 && sub == 0) {
            struct extra flags = {.has_key = true};
            assert_int_equal(batch_extra(b, &flags, SLICE("key"), SLICE("\1h\2v")), 0);
        }
        assert_int_equal(batch_append(b, &row), 0);
        if (lines_below(l, 4) == 0) {
            sub++;
        } else {
            sub = 0;
            offset += lines_below(l, 30) == 0 ? 5 : 1;
        }
    }
    struct column *c = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_non_null(c);
    for (uint32_t row = 0; row < rows; row += 3)
        c->codes[row] = column_intern(b, c, row % 2 == 0 ? SLICE("JP") : SLICE("US"));
}

static void compare_rows(const struct batch *a, const struct batch *b)
{
    struct buf left = {0};
    struct buf right = {0};
    for (uint32_t row = 0; row < a->row_count; row++) {
        buf_reset(&left);
        buf_reset(&right);
        assert_int_equal(batch_render(a, row, &left), 0);
        assert_int_equal(batch_render(b, row, &right), 0);
        assert_true(slice_equal(buf_content(&left), buf_content(&right)));
        int32_t p1 = 0;
        int32_t p2 = 0;
        int64_t o1 = 0;
        int64_t o2 = 0;
        batch_place(a, row, &p1, &o1);
        batch_place(b, row, &p2, &o2);
        assert_int_equal(p1, p2);
        assert_int_equal(o1, o2);
        assert_int_equal(a->sub[row], b->sub[row]);
        assert_int_equal(a->time_ns[row], b->time_ns[row]);
        assert_int_equal(a->arrival_ns[row], b->arrival_ns[row]);
        assert_int_equal(a->reason[row], b->reason[row]);
        assert_int_equal(a->verdict[row], b->verdict[row]);
    }
    buf_release(&left);
    buf_release(&right);
}

static const struct column *same_column(const struct batch *b, const struct column *c)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *other = &b->columns[i];
        if (other->field == c->field && other->ordinal == c->ordinal && other->kind == c->kind &&
            other->derived == c->derived)
            return other;
    }
    return NULL;
}

static void compare_columns(const struct batch *a, const struct batch *b)
{
    struct buf left = {0};
    struct buf right = {0};
    for (uint32_t i = 0; i < a->column_count; i++) {
        const struct column *c = &a->columns[i];
        if (c->value_count == 0 && !c->derived)
            continue;
        const struct column *d = same_column(b, c);
        assert_non_null(d);
        if (d == NULL)
            return;
        assert_int_equal(c->storage, d->storage);
        assert_int_equal(c->value_count, d->value_count);
        for (uint32_t row = 0; row < a->row_count; row++) {
            struct slice v1;
            struct slice v2;
            bool has1 = batch_value(a, c, row, &left, &v1);
            bool has2 = batch_value(b, d, row, &right, &v2);
            assert_int_equal(has1, has2);
            assert_true(!has1 || slice_equal(v1, v2));
            if (c->storage == COLUMN_INT)
                assert_int_equal(c->numbers[row], d->numbers[row]);
        }
    }
    buf_release(&left);
    buf_release(&right);
}

/* Of some columns alone the same values, and of the rest no rows; from a copy of the pieces. */
static void some_columns(struct lines *l, struct codec *codec, const struct batch_head *head,
                         const struct batch *all)
{
    struct batch *back = batch_new();
    struct buf pieces = {0};
    struct column_mask only = {0};
    assert_non_null(back);
    assert_int_equal(codec_pieces(codec, head, &pieces), 0);
    assert_int_equal(pieces.len, head->texts_len + head->rows_len);
    const struct batch_head plain = codec_plain_head(head, pieces.data);
    for (uint32_t i = 0; i < all->column_count; i++) {
        if (lines_below(l, 3) == 0)
            column_mask_add(&only, i);
    }
    assert_int_equal(codec_texts(codec, &plain, back), 0);
    assert_int_equal(back->row_count, 0);
    assert_int_equal(codec_rows(codec, &plain, back, &only), 0);
    assert_int_equal(back->column_count, all->column_count);
    for (uint32_t i = 0; i < back->column_count; i++) {
        const struct column *c = &back->columns[i];
        if (!column_mask_has(&only, i) && c->type != FIELD_TYPE_EPOCH)
            assert_int_equal(c->row_cap, 0);
        for (uint32_t row = 0; column_mask_has(&only, i) && row < all->row_count; row++) {
            struct buf left = {0};
            struct buf right = {0};
            struct slice v1 = {0};
            struct slice v2 = {0};
            bool has = batch_value(all, &all->columns[i], row, &left, &v1);
            assert_int_equal(batch_value(back, c, row, &right, &v2), has);
            assert_true(!has || slice_equal(v1, v2));
            buf_release(&left);
            buf_release(&right);
        }
    }
    for (uint32_t row = 0; row < all->row_count; row++) {
        assert_int_equal(back->time_ns[row], all->time_ns[row]);
        assert_int_equal(back->sub[row], all->sub[row]);
    }
    batch_free(back);
    buf_release(&pieces);
}

static void round_trip(struct lines *l, struct codec *codec, uint32_t rows, uint32_t layouts)
{
    struct batch *b = batch_new();
    struct batch *back = batch_new();
    struct buf blob = {0};
    assert_non_null(b);
    assert_non_null(back);
    fill(l, b, rows, layouts);
    assert_int_equal(codec_encode(codec, b, &blob), 0);
    struct batch_head head;
    assert_int_equal(codec_head(&head, buf_content(&blob)), 0);
    assert_int_equal(head.row_count, rows);
    assert_true(slice_equal(head.topic, b->topic));
    assert_int_equal(codec_texts(codec, &head, back), 0);
    assert_int_equal(codec_rows(codec, &head, back, NULL), 0);
    compare_rows(b, back);
    compare_columns(b, back);
    some_columns(l, codec, &head, back);
    batch_free(b);
    batch_free(back);
    buf_release(&blob);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct codec *codec = codec_new(1);
    assert_non_null(codec);
    struct lines l = {.state = 42};
    for (uint32_t i = 0; i < ROUNDS; i++)
        round_trip(&l, codec, 1 + lines_below(&l, i % 10 == 0 ? BATCH_LIVE_ROWS_MAX : 100),
                   1 + lines_below(&l, i % 7 == 0 ? 400 : 12));
    codec_free(codec);
}

/* A line with more bytes than a batch aims at, and one of the largest size. */
static void test_long_line(void **state)
{
    (void)state;
    struct codec *codec = codec_new(1);
    struct batch *b = batch_new();
    struct batch *back = batch_new();
    struct buf blob = {0};
    char *line = malloc(BATCH_ROW_BYTES_MAX);
    assert_non_null(line);
    memset(line, 'x', BATCH_ROW_BYTES_MAX);
    struct row row = {.bytes = slice_of(line, BATCH_ROW_BYTES_MAX), .reason = REASON_TOO_LONG};
    assert_int_equal(batch_append(b, &row), 0);
    assert_false(batch_fits(b, 1, BATCH_LIVE_ROWS_MAX));
    b->topic = SLICE("t");
    assert_int_equal(codec_encode(codec, b, &blob), 0);
    struct batch_head head;
    assert_int_equal(codec_head(&head, buf_content(&blob)), 0);
    assert_int_equal(head.raw_bytes, BATCH_ROW_BYTES_MAX);
    assert_int_equal(codec_texts(codec, &head, back), 0);
    assert_int_equal(codec_rows(codec, &head, back, NULL), 0);
    compare_rows(b, back);
    free(line);
    batch_free(b);
    batch_free(back);
    buf_release(&blob);
    codec_free(codec);
}

/* Every flipped bit is refused by the checksum; with the checksum mended nothing crashes. */
static void test_flipped_bits(void **state)
{
    (void)state;
    struct codec *codec = codec_new(1);
    struct batch *b = batch_new();
    struct batch *back = batch_new();
    struct buf blob = {0};
    struct lines l = {.state = 7};
    fill(&l, b, 40, 5);
    assert_int_equal(codec_encode(codec, b, &blob), 0);
    for (size_t bit = 0; bit < blob.len * 8; bit++) {
        blob.data[bit / 8] = (char)((unsigned char)blob.data[bit / 8] ^ 1U << bit % 8);
        struct batch_head head;
        uint64_t kept = bytes_get64(blob.data + 8);
        assert_int_equal(codec_head(&head, buf_content(&blob)), ERR_CORRUPT);
        bytes_put64(blob.data + 8, hash_slice(bytes_get16(blob.data + 6),
                                              slice_from_offset(buf_content(&blob), 16)));
        if (codec_head(&head, buf_content(&blob)) == 0) {
            batch_reset(back);
            if (codec_texts(codec, &head, back) == 0)
                (void)codec_rows(codec, &head, back, NULL);
            const struct column_mask only = {.words = {0x55}};
            batch_reset(back);
            if (codec_texts(codec, &head, back) == 0)
                (void)codec_rows(codec, &head, back, &only);
        }
        bytes_put64(blob.data + 8, kept);
        blob.data[bit / 8] = (char)((unsigned char)blob.data[bit / 8] ^ 1U << bit % 8);
    }
    batch_free(b);
    batch_free(back);
    buf_release(&blob);
    codec_free(codec);
}

static void test_filter(void **state)
{
    (void)state;
    struct codec *codec = codec_new(1);
    struct batch *b = batch_new();
    struct buf blob = {0};
    struct lines l = {.state = 3};
    b->topic = SLICE("t");
    for (uint32_t i = 0; i < 500; i++) {
        l.len = 0;
        l.slots.count = 0;
        char text[32];
        size_t len = (size_t)snprintf(text, sizeof(text), "198.51.%u.%u", i / 250, i % 250);
        lines_put(&l, text, len);
        (void)slots_add(&l.slots, 0, (uint32_t)len, FIELD_SOURCE_IP, SLOT_PLAIN);
        struct row row = {.bytes = slice_of(l.line, l.len), .slots = &l.slots, .offset = i};
        assert_int_equal(batch_append(b, &row), 0);
    }
    assert_int_equal(codec_encode(codec, b, &blob), 0);
    struct batch_head head;
    assert_int_equal(codec_head(&head, buf_content(&blob)), 0);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < 500; i++) {
        struct ip in = ip_from_v4(0xc6330000U + (i / 250 << 8) + i % 250);
        struct ip out = ip_from_v4(0xcb007100U + i);
        assert_true(codec_head_may_hold_ip(&head, &in));
        wrong += codec_head_may_hold_ip(&head, &out);
    }
    assert_true(wrong < 25);
    batch_free(b);
    buf_release(&blob);
    codec_free(codec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
