/* Censuses: how many rows have an address; what is told of which rows. Combinations: tests/store/test_segment.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/census.h"
#include "tests/support/lines.h"

enum {
    BLOCKS_MAX = 3,
    ADDRESSES_MAX = 1200,
    LINE_MAX_BYTES = 128,
};

/* How many rows should have which address; the last is for those without one. */
struct truth {
    char texts[ADDRESSES_MAX + 1][VALUE_IP_TEXT_MAX + 1];
    uint32_t rows[ADDRESSES_MAX + 1];
    uint32_t row_count;
};

struct sample {
    struct lines lines;
    struct truth truth;
    uint32_t addresses; /* distinct */
    uint32_t v6_share;  /* of 100 */
    bool odd;           /* some are written otherwise than they print */
};

static void sample_init(struct sample *s)
{
    for (uint32_t i = 0; i < s->addresses; i++) {
        char *to = s->truth.texts[i];
        if (i * 7 % 100 < s->v6_share)
            (void)snprintf(to, VALUE_IP_TEXT_MAX, "2001:db8::%x", i + 1);
        else
            (void)snprintf(to, VALUE_IP_TEXT_MAX, "198.%u.%u.%u", 18 + i % 2, i % 256, i / 7 % 256);
    }
}

static void put(struct buf *line, struct slots *slots, const char *key, const char *value,
                uint16_t field)
{
    buf_text(line, key);
    assert_true(slots_add(slots, (uint32_t)line->len, (uint32_t)strlen(value), field, SLOT_PLAIN));
    buf_text(line, value);
}

static void append(struct sample *s, struct batch *b)
{
    struct buf line = {0};
    struct slots slots = {0};
    uint32_t which = lines_below(&s->lines, s->addresses + s->addresses / 8 + 1);
    which = which < s->addresses ? which : ADDRESSES_MAX;
    put(&line, &slots, "act=", which % 3 == 0 ? "deny" : "allow", FIELD_EVENT_ACTION);
    if (which != ADDRESSES_MAX)
        put(&line, &slots, " dst=", s->truth.texts[which], FIELD_DESTINATION_IP);
    else if (s->odd)
        put(&line, &slots, " dst=", "198.51.100.010", FIELD_DESTINATION_IP);
    buf_text(&line, "\n");
    const struct row row = {
        .bytes = buf_content(&line), .slots = &slots, .offset = s->truth.row_count};
    assert_int_equal(batch_append(b, &row), 0);
    s->truth.rows[which]++;
    s->truth.row_count++;
    buf_release(&line);
}

/* The census of some blocks, into *out. */
static void make(struct sample *s, uint32_t blocks, uint32_t rows, uint64_t only, struct buf *out)
{
    struct census_maker *m = NULL;
    sample_init(s);
    assert_int_equal(census_maker_new(&m), 0);
    census_maker_reset(m);
    for (uint32_t i = 0; i < blocks; i++) {
        struct batch *b = batch_new();
        assert_non_null(b);
        for (uint32_t row = 0; row < rows; row++)
            append(s, b);
        assert_int_equal(census_maker_add(m, b), 0);
        batch_free(b);
    }
    assert_int_equal(census_maker_seal(m, only, out), 0);
    census_maker_free(m);
}

static void compare(const struct sample *s, const struct batch *b, const uint32_t *weights)
{
    struct buf scratch = {0};
    uint32_t seen = 0;
    assert_int_equal(b->column_count, 1);
    for (uint32_t row = 0; row < b->row_count; row++) {
        struct slice text = {0};
        uint32_t at = 0;
        if (!batch_value(b, &b->columns[0], row, &scratch, &text))
            at = ADDRESSES_MAX;
        while (at < s->addresses && !slice_equal(slice_from(s->truth.texts[at]), text))
            at++;
        assert_true(at < s->addresses || at == ADDRESSES_MAX);
        assert_int_equal(weights[row], s->truth.rows[at]);
        seen += weights[row];
    }
    assert_int_equal(seen, s->truth.row_count);
    buf_release(&scratch);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        uint32_t addresses, v6_share, blocks, rows;
        bool odd;
        bool told;
    } CASES[] = {
        {1, 0, 1, 1, false, false}, /* an address a row: not worth it */
        {5, 0, 1, 200, false, true},      {300, 0, 3, 2000, false, true},
        {300, 30, 3, 2000, false, true},  {200, 100, 2, 900, false, true},
        {20, 0, 1, 300, true, false},     /* exceptions */
        {1200, 0, 3, 2000, false, false}, /* too many */
        {600, 0, 1, 700, false, false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct sample *s = calloc(1, sizeof(*s));
        struct buf census = {0};
        assert_non_null(s);
        if (s == NULL)
            return;
        *s = (struct sample){.lines = {.state = 11 + i},
                             .addresses = CASES[i].addresses,
                             .v6_share = CASES[i].v6_share,
                             .odd = CASES[i].odd};
        make(s, CASES[i].blocks, CASES[i].rows, 0, &census);
        struct rowgroup_head head = {.row_count = s->truth.row_count,
                                     .census = buf_content(&census)};
        struct census_reader *r = census_reader_new();
        struct batch *b = batch_new();
        const uint32_t *weights = NULL;
        bool told = (census_places(head.census) & CENSUS_TALLIES) != 0;
        if (told != CASES[i].told)
            fail_msg("case %zu", i);
        int err = census_read(r, &head, CENSUS_TALLIES, b, &weights);
        assert_int_equal(err, told ? 0 : ERR_CORRUPT);
        if (told)
            compare(s, b, weights);
        assert_int_equal(census_read(r, &head, CENSUS_TALLIES | 1, b, &weights), ERR_CORRUPT);
        assert_int_equal(census_read(r, &head, 2, b, &weights), 0);
        head.row_count++;
        assert_int_equal(census_read(r, &head, 2, b, &weights), ERR_CORRUPT);
        assert_int_equal(census_read(r, &head, CENSUS_TALLIES, b, &weights), ERR_CORRUPT);
        batch_free(b);
        census_reader_free(r);
        buf_release(&census);
        free(s);
    }
}

/* One that ends early is none. */
static void test_cut(void **state)
{
    (void)state;
    struct sample *s = calloc(1, sizeof(*s));
    struct buf census = {0};
    assert_non_null(s);
    if (s == NULL)
        return;
    *s = (struct sample){.lines = {.state = 3}, .addresses = 20, .v6_share = 20};
    make(s, 1, 200, 0, &census);
    struct census_reader *r = census_reader_new();
    struct batch *b = batch_new();
    for (size_t len = 0; len < census.len; len++) {
        struct rowgroup_head head = {.row_count = s->truth.row_count,
                                     .census = slice_of(census.data, len)};
        const uint32_t *weights = NULL;
        assert_int_equal(census_read(r, &head, CENSUS_TALLIES, b, &weights), ERR_CORRUPT);
    }
    batch_free(b);
    census_reader_free(r);
    buf_release(&census);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
