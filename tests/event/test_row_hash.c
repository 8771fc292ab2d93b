/* Hashes of rows: the same however a batch stores them, another for whatever differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/columns.h"
#include "event/row_hash.h"
#include "tests/support/lines.h"

enum {
    ROWS = 900,
    LAYOUTS = 12,
};

/* Random lines with everything that a row can have. */
static struct batch *make_batch(uint64_t seed)
{
    struct lines l = {.state = seed};
    struct batch *b = batch_new();
    assert_non_null(b);
    b->format_name = SLICE("alpha");
    for (int64_t i = 0; i < ROWS; i++) {
        lines_next(&l, LAYOUTS);
        const struct row row = {.bytes = slice_of(l.line, l.len),
                                .slots = &l.slots,
                                .time_ns = i * 1000,
                                .arrival_ns = i * 1000 + 77,
                                .partition = (int32_t)(i / 100),
                                .sub = i % 50 == 1,
                                .offset = i - (i % 50 == 1),
                                .reason = i % 40 == 7 ? REASON_FORMAT_MISMATCH : REASON_NONE};
        if (i % 31 == 0)
            assert_int_equal(
                batch_extra(b, &(struct extra){.has_key = true}, SLICE("key"), SLICE("\1h\2v")), 0);
        assert_int_equal(batch_append(b, &row), 0);
    }
    struct column *country = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_non_null(country);
    for (uint32_t i = 0; i < ROWS; i += 3)
        country->codes[i] = column_intern(b, country, i % 2 == 0 ? SLICE("JP") : SLICE("US"));
    b->live = false;
    return b;
}

static void hash_all(const struct batch *b, uint64_t out[ROWS])
{
    struct row_hasher h = {0};
    struct ties ties = {0};
    assert_int_equal(ties_find(&ties, b), 0);
    assert_int_equal(row_hashes(&h, b, &ties, out), 0);
    ties_release(&ties);
    row_hasher_release(&h);
}

static void assert_same(const struct batch *b, const uint64_t want[ROWS])
{
    uint64_t got[ROWS];
    hash_all(b, got);
    assert_memory_equal(got, want, sizeof(got));
}

/* Entries in another order, and one that no row has. */
static void shuffle_entries(struct batch *b, struct column *c)
{
    uint32_t n = c->entry_count;
    struct span *entries = arena_array(&b->arena, n + 1U, sizeof(*entries));
    assert_non_null(entries);
    for (uint32_t i = 0; i < n; i++)
        entries[n - i] = c->entries[i];
    entries[0] = (struct span){.len = 1};
    for (uint32_t row = 0; row < b->row_count; row++) {
        if (c->codes[row] != CODE_NONE)
            c->codes[row] = (uint16_t)(n - c->codes[row]);
    }
    c->entries = entries;
    c->entry_count = n + 1;
}

static void codes_to_texts(struct batch *b, struct column *c)
{
    struct span *spans = arena_array(&b->arena, c->row_cap + 1U, sizeof(*spans));
    assert_non_null(spans);
    for (uint32_t row = 0; row < b->row_count; row++)
        spans[row] = c->codes[row] == CODE_NONE ? (struct span){.len = SPAN_NONE}
                                                : c->entries[c->codes[row]];
    c->spans = spans;
    c->storage = COLUMN_TEXT;
}

static void swap_shapes(struct batch *b, uint8_t x, uint8_t y)
{
    struct shape shape = b->shapes[x];
    b->shapes[x] = b->shapes[y];
    b->shapes[y] = shape;
    for (uint32_t row = 0; row < b->row_count; row++)
        b->shape[row] = b->shape[row] == x ? y : b->shape[row] == y ? x : b->shape[row];
}

static void test_storage_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct batch *b = make_batch(seed);
        uint64_t want[ROWS];
        unsigned changed[COLUMN_IP + 1] = {0};
        hash_all(b, want);
        swap_shapes(b, 1, 2);
        for (uint32_t i = 0; i < b->column_count; i++) {
            struct column *c = &b->columns[i];
            changed[c->storage]++;
            if (c->storage == COLUMN_CODES)
                shuffle_entries(b, c);
            if (c->storage == COLUMN_CODES && i % 2 == 0)
                codes_to_texts(b, c);
            else if (c->storage == COLUMN_IP4)
                assert_int_equal(column_widen(b, c), 0);
        }
        assert_true(changed[COLUMN_CODES] > 3 && changed[COLUMN_IP4] + changed[COLUMN_IP] > 0);
        assert_same(b, want);
        batch_free(b);
    }
}

/* That of `row` is another one now. */
static void assert_differs(const struct batch *b, const uint64_t want[ROWS], uint32_t row)
{
    uint64_t got[ROWS];
    hash_all(b, got);
    assert_int_not_equal(got[row], want[row]);
}

/* Spoil a row's value. False: it has none to spoil. */
static bool spoil_value(struct batch *b, struct column *c, uint32_t row)
{
    switch ((enum column_storage)c->storage) {
    case COLUMN_CODES:
        if (c->codes[row] == CODE_NONE)
            return false;
        c->codes[row] =
            c->entry_count == 1 ? CODE_NONE : (uint16_t)((c->codes[row] + 1U) % c->entry_count);
        return true;
    case COLUMN_TEXT:
        if (c->spans[row].len == SPAN_NONE)
            return false;
        c->spans[row].len = c->spans[row].len == 0 ? SPAN_NONE : c->spans[row].len - 1;
        return true;
    case COLUMN_INT:
        if (c->numbers[row] == VALUE_NONE || column_exception(c, row) != NULL)
            return false;
        c->numbers[row] = row % 2 == 0 ? VALUE_NONE : c->numbers[row] + 1;
        return true;
    case COLUMN_IP4:
    case COLUMN_IP:
        if (!column_is_present(c, row) || column_exception(c, row) != NULL)
            return false;
        if (row % 2 == 0)
            c->present[row / 64] &= ~(UINT64_C(1) << (row % 64));
        else if (c->storage == COLUMN_IP4)
            c->ip4[row] ^= 1;
        else
            c->ips[row].bytes[15] ^= 1;
        return true;
    }
    (void)b;
    return false;
}

static void test_values(void **state)
{
    (void)state;
    unsigned spoiled[COLUMN_IP + 1] = {0};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct batch *good = make_batch(seed);
        uint64_t want[ROWS];
        hash_all(good, want);
        for (uint32_t i = 0; i < good->column_count; i++) {
            struct batch *b = make_batch(seed);
            uint32_t row = (uint32_t)(seed * 131) % ROWS;
            uint32_t tries = 0;
            while (tries < ROWS && !spoil_value(b, &b->columns[i], row)) {
                row = (row + 1) % ROWS;
                tries++;
            }
            if (tries < ROWS) {
                spoiled[b->columns[i].storage]++;
                assert_differs(b, want, row);
            }
            batch_free(b);
        }
        batch_free(good);
    }
    assert_true(spoiled[COLUMN_CODES] > 10 && spoiled[COLUMN_INT] > 10);
    assert_true(spoiled[COLUMN_IP4] + spoiled[COLUMN_IP] > 5);
}

static void test_exceptions(void **state)
{
    (void)state;
    struct batch *b = make_batch(4);
    uint64_t want[ROWS];
    unsigned spoiled = 0;
    hash_all(b, want);
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct column *c = &b->columns[i];
        if (c->exception_count == 0 || c->exceptions[0].text.len == 0)
            continue;
        c->exceptions[0].text.len--;
        assert_differs(b, want, c->exceptions[0].row);
        c->exceptions[0].text.len++;
        c->exception_count--;
        assert_differs(b, want, c->exceptions[c->exception_count].row);
        c->exception_count++;
        assert_same(b, want);
        spoiled++;
    }
    assert_true(spoiled > 3);
    batch_free(b);
}

/* What a column is, and what stands between the values. */
static void test_shapes(void **state)
{
    (void)state;
    struct batch *b = make_batch(6);
    uint64_t want[ROWS];
    hash_all(b, want);
    for (uint32_t row = 0; row < ROWS; row += 17) {
        struct shape *shape = &b->shapes[b->shape[row]];
        if (b->shape[row] == 0) {
            b->line[row].len--;
            assert_differs(b, want, row);
            b->line[row].len++;
            continue;
        }
        b->skeleton.data[shape->tail] ^= 4;
        assert_differs(b, want, row);
        b->skeleton.data[shape->tail] ^= 4;
        if (shape->slot_count == 0)
            continue;
        struct shape_slot *slot = &shape->slots[row % shape->slot_count];
        b->skeleton.data[slot->piece] ^= 4;
        assert_differs(b, want, row);
        b->skeleton.data[slot->piece] ^= 4;
        slot->kind ^= 1;
        assert_differs(b, want, row);
        slot->kind ^= 1;
        b->columns[slot->column].ordinal ^= 1;
        assert_differs(b, want, row);
        b->columns[slot->column].ordinal ^= 1;
        uint16_t column = slot->column;
        slot->column = (uint16_t)((column + 1U) % b->column_count);
        assert_differs(b, want, row);
        slot->column = column;
    }
    assert_same(b, want);
    batch_free(b);
}

static void test_what_stands_beside(void **state)
{
    (void)state;
    struct batch *b = make_batch(7);
    uint64_t want[ROWS];
    hash_all(b, want);
    const uint32_t row = 211;
    uint8_t *const bytes[] = {&b->reason[row], &b->time_source[row], &b->verdict[row]};
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        *bytes[i] ^= 1;
        assert_differs(b, want, row);
        *bytes[i] ^= 1;
    }
    int64_t *const times[] = {&b->time_ns[row], &b->arrival_ns[row]};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        *times[i] ^= 1;
        assert_differs(b, want, row);
        *times[i] ^= 1;
    }
    b->sub[row] = 1;
    assert_differs(b, want, row);
    b->sub[row] = 0;
    b->runs[1].first_offset++;
    assert_differs(b, want, b->runs[1].first_row + 3);
    b->runs[1].first_offset--;
    b->runs[1].partition++;
    assert_differs(b, want, b->runs[1].first_row);
    b->runs[1].partition--;
    b->extras[2].key.len--;
    assert_differs(b, want, b->extras[2].row);
    b->extras[2].key.len++;
    b->extras[2].headers.len--;
    assert_differs(b, want, b->extras[2].row);
    b->extras[2].headers.len++;
    b->extras[2].null_value = true;
    assert_differs(b, want, b->extras[2].row);
    b->extras[2].null_value = false;
    assert_same(b, want);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storage_does_not_matter),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_what_stands_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
