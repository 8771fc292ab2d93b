/* Lines into columns: whatever the slots say, the line comes back and the columns hold its values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "event/columns.h"
#include "tests/support/lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int append_row(struct batch *b, struct slice line, const struct slots *slots, int64_t offset)
{
    struct row row = {.bytes = line, .slots = slots, .offset = offset};
    return batch_append(b, &row);
}

/* Append "k=<text>\n" with one slot. */
static void append_value(struct batch *b, struct slice text, uint16_t field, uint8_t kind)
{
    struct lines l = {0};
    lines_put(&l, "k=", 2);
    lines_put(&l, text.data, text.len);
    lines_put(&l, "\n", 1);
    (void)slots_add(&l.slots, 2, (uint32_t)text.len, field, kind);
    assert_int_equal(append_row(b, slice_of(l.line, l.len), &l.slots, b->row_count), 0);
}

static void assert_line(const struct batch *b, uint32_t row, struct slice line)
{
    struct buf out = {0};
    assert_int_equal(batch_render(b, row, &out), 0);
    assert_true(slice_equal(buf_content(&out), line));
    buf_release(&out);
}

/* The value of a column as text; "-" for none. */
static void assert_value(const struct batch *b, const struct column *c, uint32_t row,
                         const char *want)
{
    struct buf scratch = {0};
    struct slice got = SLICE("-");
    (void)batch_value(b, c, row, &scratch, &got);
    assert_true(slice_equal(got, slice_from(want)));
    buf_release(&scratch);
}

static const struct column *find_column(const struct batch *b, uint16_t field, uint8_t ordinal)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (b->columns[i].field == field && b->columns[i].ordinal == ordinal)
            return &b->columns[i];
    }
    fail();
    return NULL;
}

/* The bytes of the skeleton and the columns, put together without the live line. */
static void assert_composed(const struct batch *b, uint32_t row, struct slice line)
{
    struct batch read_back = *b;
    read_back.live = false;
    assert_line(&read_back, row, line);
}

static const struct slot MISUSED[][3] = {
    {{.offset = 4, .length = 2, .field = FIELD_EVENT_ACTION},
     {.offset = 0, .length = 2, .field = FIELD_USER_NAME}},
    {{.offset = 0, .length = 4, .field = FIELD_EVENT_ACTION},
     {.offset = 3, .length = 2, .field = FIELD_USER_NAME}},
    {{.offset = 0, .length = 9, .field = FIELD_EVENT_ACTION}},
    {{.offset = 9, .length = 0, .field = FIELD_EVENT_ACTION}},
    {{.offset = 4, .length = UINT32_MAX, .field = FIELD_EVENT_ACTION}},
    {{.offset = UINT32_MAX, .length = 2, .field = FIELD_EVENT_ACTION}},
    {{.offset = 0, .length = 1, .field = FIELD_EVENT_ACTION, .kind = SLOT_KIND_COUNT}},
    {{.offset = 0, .length = 1, .field = FIELD_EVENT_ACTION, .kind = UINT8_MAX}},
    {{.offset = 0, .length = 1, .field = FIELD_NONE}},
    {{.offset = 0, .length = 1, .field = 1000}},
    {{.offset = 0, .length = 1, .field = FIELD_LOCAL_FIRST}},
    {{.offset = 0, .length = 1, .field = FIELD_COLUMN_FIRST - 1}},
    {{.offset = 0, .length = 1, .field = FIELD_UNNAMED}},
    {{.offset = 0, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY, .depth = 1}},
    {{.offset = 0, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY},
     {.offset = 2, .length = 1, .field = FIELD_UNNAMED, .depth = 1}},
    {{.offset = 0, .length = 3, .field = FIELD_UNNAMED, .kind = SLOT_KEY},
     {.offset = 2, .length = 1, .field = FIELD_UNNAMED}},
};

static void test_misused_slots(void **state)
{
    (void)state;
    static const uint32_t COUNTS[COUNT(MISUSED)] = {2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2};
    struct batch *b = batch_new();
    assert_non_null(b);
    for (uint32_t i = 0; i < COUNT(MISUSED); i++) {
        struct slots slots = {.count = COUNTS[i]};
        memcpy(slots.items, MISUSED[i], COUNTS[i] * sizeof(struct slot));
        assert_int_equal(append_row(b, SLICE("a=b c=d\n"), &slots, i), 0);
        assert_int_equal(b->shape[i], 0);
        assert_int_equal(b->reason[i], REASON_PARTIAL);
        assert_line(b, i, SLICE("a=b c=d\n"));
    }
    assert_int_equal(b->column_count, 0);
    assert_int_equal(b->row_count, COUNT(MISUSED));
    batch_free(b);
}

/* The same misuse after good lines of the same look: a known shape does not let it through. */
static void test_misused_after_good(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    for (uint32_t i = 0; i < COUNT(MISUSED); i++) {
        struct slots good = {0};
        (void)slots_add(&good, 0, 1, FIELD_EVENT_ACTION, SLOT_PLAIN);
        (void)slots_add(&good, 2, 1, FIELD_USER_NAME, SLOT_PLAIN);
        struct slots bad = {.count = MISUSED[i][1].length == 0 ? 1 : 2};
        memcpy(bad.items, MISUSED[i], sizeof(MISUSED[i]));
        assert_int_equal(append_row(b, SLICE("a=b c=d\n"), &good, b->row_count), 0);
        assert_int_equal(append_row(b, SLICE("a=b c=d\n"), &bad, b->row_count), 0);
        assert_int_equal(b->reason[b->row_count - 2], REASON_NONE);
        assert_int_equal(b->reason[b->row_count - 1], REASON_PARTIAL);
        assert_line(b, b->row_count - 1, SLICE("a=b c=d\n"));
    }
    batch_free(b);
}

/* A reason other than PARTIAL keeps the line verbatim whatever the slots say. */
static void test_reasons(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct slots slots = {0};
    (void)slots_add(&slots, 0, 1, FIELD_EVENT_ACTION, SLOT_PLAIN);
    static const uint8_t REASONS[] = {REASON_FORMAT_MISMATCH, REASON_TOO_LONG, REASON_NULL_VALUE};
    for (uint32_t i = 0; i < COUNT(REASONS); i++) {
        struct row row = {
            .bytes = SLICE("a b\n"), .slots = &slots, .reason = REASONS[i], .offset = i};
        assert_int_equal(batch_append(b, &row), 0);
        assert_int_equal(b->shape[i], 0);
        assert_int_equal(b->reason[i], REASONS[i]);
    }
    assert_int_equal(b->column_count, 0);
    struct row partial = {
        .bytes = SLICE("a b\n"), .slots = &slots, .reason = REASON_PARTIAL, .offset = 3};
    assert_int_equal(batch_append(b, &partial), 0);
    assert_int_not_equal(b->shape[3], 0);
    assert_int_equal(b->reason[3], REASON_PARTIAL);
    assert_value(b, find_column(b, FIELD_EVENT_ACTION, 0), 3, "a");
    struct row empty = {.bytes = {.data = NULL, .len = 0}, .offset = 4};
    assert_int_equal(batch_append(b, &empty), 0);
    assert_line(b, 4, SLICE(""));
    batch_free(b);
}

static void test_repeated_keys(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    b->format_name = SLICE("alpha");
    struct slots slots = {0};
    for (uint32_t i = 0; i < 3; i++)
        (void)slots_add(&slots, i * 2, 1, FIELD_EVENT_ACTION, i == 1 ? SLOT_FORM : SLOT_PLAIN);
    assert_int_equal(append_row(b, SLICE("a b c\n"), &slots, 0), 0);
    assert_int_equal(append_row(b, SLICE("d d d\n"), &slots, 1), 0);
    assert_int_equal(b->column_count, 3);
    for (uint8_t i = 0; i < 3; i++) {
        static const char *const WANT[] = {"a", "b", "c"};
        const struct column *c = find_column(b, FIELD_EVENT_ACTION, i);
        assert_value(b, c, 0, WANT[i]);
        assert_value(b, c, 1, "d");
        assert_int_equal(c->kind, i == 1 ? SLOT_FORM : SLOT_PLAIN);
    }
    assert_composed(b, 0, SLICE("a b c\n"));
    assert_composed(b, 1, SLICE("d d d\n"));
    batch_free(b);
}

/*
 * A line that no batch has room for is kept whole and says why, wherever it comes: the batch stays
 * open, so that such lines cannot make a batch of each line, and takes no memory for their columns.
 */
static void assert_no_room(const struct slots *slots, struct slice line)
{
    struct batch *b = batch_new();
    assert_int_equal(append_row(b, SLICE("other\n"), NULL, 0), 0);
    for (uint32_t i = 1; i < 200; i++)
        assert_int_equal(append_row(b, line, slots, i), 0);
    size_t held = b->arena.held_bytes;
    for (uint32_t i = 200; i < 300; i++)
        assert_int_equal(append_row(b, line, slots, i), 0);
    assert_int_equal(b->arena.held_bytes, held);
    assert_int_equal(b->name_count, 0);
    assert_int_equal(b->column_count, 0);
    assert_true(batch_fits(b, 1, BATCH_LIVE_ROWS_MAX));
    for (uint32_t i = 1; i < b->row_count; i++) {
        assert_int_equal(b->reason[i], REASON_TOO_MANY_VALUES);
        assert_line(b, i, line);
    }
    batch_free(b);
}

static void test_too_many_values(void **state)
{
    (void)state;
    static char text[4096];
    struct slots slots = {0};
    memset(text, 'x', sizeof(text));
    for (uint32_t i = 0; i < 257; i++)
        (void)slots_add(&slots, i * 2, 1, FIELD_EVENT_ACTION, SLOT_PLAIN);
    struct slice line = slice_of(text, 600);
    assert_no_room(&slots, line);
    struct batch *b = batch_new();
    slots.count = 256;
    assert_int_equal(append_row(b, line, &slots, 1), 0);
    assert_int_equal(b->reason[0], REASON_NONE);
    assert_int_equal(find_column(b, FIELD_EVENT_ACTION, 255)->value_count, 1);
    assert_composed(b, 0, line);
    batch_free(b);
    /* One more value than there are columns, of no field more than 256. */
    slots.count = 0;
    for (uint32_t i = 0; i < BATCH_COLUMNS_MAX + 1; i++)
        (void)slots_add(&slots, i * 2, 1, FIELD_COLUMN(i % 8), SLOT_PLAIN);
    line = slice_of(text, 3000);
    assert_no_room(&slots, line);
    slots.count = BATCH_COLUMNS_MAX;
    b = batch_new();
    assert_int_equal(append_row(b, line, &slots, 1), 0);
    assert_int_equal(b->reason[0], REASON_NONE);
    assert_int_equal(b->column_count, BATCH_COLUMNS_MAX);
    assert_composed(b, 0, line);
    batch_free(b);
}

/* A line of `count` keys of its own. */
static int append_names(struct batch *b, uint32_t first, uint32_t count, int64_t offset)
{
    static char text[BATCH_NAMES_MAX * 16];
    struct slots slots = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        int len = snprintf(text + at, sizeof(text) - at, "name%u=v ", first + i);
        struct slot key = {.offset = at, .length = (uint32_t)len - 3};
        struct slot value = {.offset = at + (uint32_t)len - 2, .length = 1};
        assert_true(slots_add_unnamed(&slots, &key, &value));
        at += (uint32_t)len;
    }
    return append_row(b, slice_of(text, at), &slots, offset);
}

/* Keys past what the batch has room for are refused with the row; those before are found again. */
static void test_names_refused_and_found(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    assert_int_equal(append_names(b, 0, 600, 0), 0);
    assert_int_equal(append_names(b, 600, 600, 1), ERR_RANGE);
    assert_int_equal(b->name_count, 600);
    assert_int_equal(b->column_count, 600);
    b->shapes_full = false;
    assert_int_equal(append_names(b, 300, 400, 1), 0);
    assert_int_equal(b->name_count, 700);
    assert_int_equal(b->column_count, 700);
    assert_int_equal(append_names(b, 699, 1, 2), 0);
    assert_int_equal(append_names(b, 0, 700, 3), 0);
    assert_int_equal(b->name_count, 700);
    assert_int_equal(b->column_count, 700);
    for (uint32_t i = 0; i < b->name_count; i++) {
        char want[16];
        (void)snprintf(want, sizeof(want), "name%u", i);
        assert_true(slice_equal(batch_span(b, b->names[i]), slice_from(want)));
    }
    batch_free(b);
}

/* `distinct` different texts in turn, on each `step`-th row. */
static void fill_texts(struct batch *b, uint32_t rows, uint32_t distinct, uint32_t step)
{
    for (uint32_t i = 0; i < rows; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "t%u", i % distinct);
        append_value(b, slice_from(text), i % step == 0 ? FIELD_EVENT_ACTION : FIELD_USER_NAME,
                     SLOT_PLAIN);
    }
}

static void assert_texts(const struct batch *b, uint32_t distinct, uint32_t step)
{
    const struct column *c = find_column(b, FIELD_EVENT_ACTION, 0);
    for (uint32_t i = 0; i < b->row_count; i++) {
        char want[16];
        char line[20];
        (void)snprintf(want, sizeof(want), "t%u", i % distinct);
        (void)snprintf(line, sizeof(line), "k=%s\n", want);
        assert_value(b, c, i, i % step == 0 ? want : "-");
        assert_composed(b, i, slice_from(line));
    }
}

static void test_text_switch(void **state)
{
    (void)state;
    static const struct {
        uint32_t rows, distinct, step;
        uint8_t storage;
    } CASES[] = {
        {256, 256, 1, COLUMN_CODES},
        {257, 257, 1, COLUMN_TEXT},
        {257, 129, 1, COLUMN_TEXT},
        {257, 128, 1, COLUMN_CODES},
        {513, 513, 2, COLUMN_TEXT},
        {BATCH_LIVE_ROWS_MAX, BATCH_LIVE_ROWS_MAX, 1, COLUMN_TEXT},
        {BATCH_LIVE_ROWS_MAX, 1, 1, COLUMN_CODES},
        {BATCH_LIVE_ROWS_MAX, 100, 3, COLUMN_CODES},
    };
    struct batch *b = batch_new();
    for (size_t i = 0; i < COUNT(CASES); i++) {
        batch_reset(b);
        fill_texts(b, CASES[i].rows, CASES[i].distinct, CASES[i].step);
        assert_int_equal(find_column(b, FIELD_EVENT_ACTION, 0)->storage, CASES[i].storage);
        assert_texts(b, CASES[i].distinct, CASES[i].step);
    }
    batch_free(b);
}

static void test_widening(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    for (uint32_t i = 0; i < 100; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "192.0.2.%u", i);
        append_value(b, slice_from(text), FIELD_SOURCE_IP, SLOT_PLAIN);
        append_value(b, SLICE("x"), FIELD_USER_NAME, SLOT_PLAIN);
    }
    append_value(b, SLICE("::ffff:192.0.2.9"), FIELD_SOURCE_IP, SLOT_PLAIN);
    assert_int_equal(find_column(b, FIELD_SOURCE_IP, 0)->storage, COLUMN_IP4);
    append_value(b, SLICE("2001:DB8::1"), FIELD_SOURCE_IP, SLOT_PLAIN);
    append_value(b, SLICE("2001:db8::1"), FIELD_SOURCE_IP, SLOT_PLAIN);
    append_value(b, SLICE("198.51.100.1"), FIELD_SOURCE_IP, SLOT_PLAIN);
    append_value(b, SLICE("nobody"), FIELD_SOURCE_IP, SLOT_PLAIN);
    const struct column *c = find_column(b, FIELD_SOURCE_IP, 0);
    assert_int_equal(c->storage, COLUMN_IP);
    assert_int_equal(c->value_count, 105);
    assert_int_equal(c->exception_count, 3);
    for (uint32_t i = 0; i < 100; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "192.0.2.%u", i);
        assert_value(b, c, 2 * i, text);
        assert_value(b, c, 2 * i + 1, "-");
        assert_false(column_is_present(c, 2 * i + 1));
    }
    static const char *const LAST[] = {"::ffff:192.0.2.9", "2001:DB8::1", "2001:db8::1",
                                       "198.51.100.1", "nobody"};
    for (uint32_t i = 0; i < COUNT(LAST); i++)
        assert_value(b, c, 200 + i, LAST[i]);
    assert_true(ip_is_v4(&c->ips[200]) && ip_v4(&c->ips[200]) == 0xc0000209);
    assert_memory_equal(&c->ips[201], &c->ips[202], sizeof(struct ip));
    assert_false(column_is_present(c, 204));
    batch_free(b);
}

static void test_exceptions(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    static const struct {
        const char *text;
        int64_t value;
    } INTS[] = {{"7", 7},
                {"007", 7},
                {"", VALUE_NONE},
                {"-0", 0},
                {"-5", -5},
                {"5 ", VALUE_NONE},
                {"1e3", VALUE_NONE},
                {"+1", VALUE_NONE},
                {"9999999999999999999", VALUE_NONE},
                {"0", 0}};
    for (uint32_t i = 0; i < COUNT(INTS); i++)
        append_value(b, slice_from(INTS[i].text), FIELD_SOURCE_PORT, SLOT_PLAIN);
    const struct column *c = find_column(b, FIELD_SOURCE_PORT, 0);
    for (uint32_t i = 0; i < COUNT(INTS); i++) {
        assert_int_equal(c->numbers[i], INTS[i].value);
        assert_value(b, c, i, INTS[i].text);
        bool canonical = i == 0 || i == 4 || i == 9;
        assert_int_equal(column_exception(c, i) == NULL, canonical);
    }
    /* A column of epochs has one way of writing: the first canonical value's. */
    batch_reset(b);
    static const char *const EPOCHS[] = {"1763000000.250", "1763000000", "0763000000.250", "x"};
    for (uint32_t i = 0; i < COUNT(EPOCHS); i++)
        append_value(b, slice_from(EPOCHS[i]), FIELD_TIME_EPOCH, SLOT_PLAIN);
    c = find_column(b, FIELD_TIME_EPOCH, 0);
    assert_int_equal(c->epoch_form, EPOCH_MILLIS_POINT);
    assert_int_equal(c->numbers[0], INT64_C(1763000000250));
    assert_int_equal(c->numbers[2], INT64_C(763000000250));
    for (uint32_t i = 0; i < COUNT(EPOCHS); i++) {
        char line[24];
        (void)snprintf(line, sizeof(line), "k=%s\n", EPOCHS[i]);
        assert_value(b, c, i, EPOCHS[i]);
        assert_composed(b, i, slice_from(line));
    }
    batch_free(b);
}

/* A layout of its own for each n. */
static int append_layout(struct batch *b, uint32_t n)
{
    char text[32];
    struct slots slots = {0};
    int len = snprintf(text, sizeof(text), "layout%u v\n", n);
    (void)slots_add(&slots, (uint32_t)len - 2, 1, FIELD_EVENT_ACTION, SLOT_PLAIN);
    return append_row(b, slice_of(text, (size_t)len), &slots, n);
}

static void test_shapes_full(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    for (uint32_t i = 0; i < BATCH_SHAPES_MAX - 1; i++)
        assert_int_equal(append_layout(b, i), 0);
    assert_true(batch_fits(b, 1, BATCH_LIVE_ROWS_MAX));
    assert_int_equal(append_layout(b, 7), 0);
    size_t text_len = b->text.len;
    struct extra flags = {.has_key = true};
    assert_int_equal(batch_extra(b, &flags, SLICE("key"), SLICE("")), 0);
    assert_int_equal(append_layout(b, 1000), ERR_RANGE);
    assert_int_equal(b->row_count, BATCH_SHAPES_MAX);
    assert_int_equal(b->extra_count, 0);
    assert_int_equal(b->text.len, text_len);
    assert_false(batch_fits(b, 1, BATCH_LIVE_ROWS_MAX));
    for (uint32_t i = 0; i < b->row_count; i++) {
        char want[32];
        (void)snprintf(want, sizeof(want), "layout%u v\n", i == BATCH_SHAPES_MAX - 1 ? 7 : i);
        assert_composed(b, i, slice_from(want));
        assert_int_equal(b->reason[i], REASON_NONE);
    }
    batch_free(b);
}

/* A row that no batch has room for leaves no name behind that points at bytes that are no longer there. */
static void test_refused_names(void **state)
{
    (void)state;
    char text[2100];
    struct slots slots = {0};
    memset(text, 'n', sizeof(text));
    struct slot key = {.offset = 0, .length = 300};
    struct slot value = {.offset = 301, .length = 1};
    struct slot short_key = {.offset = 0, .length = 5};
    struct slot short_value = {.offset = 6, .length = 1};
    (void)slots_add_unnamed(&slots, &key, &value);
    assert_no_room(&slots, slice_of(text, 400));
    slots.count = 0;
    key.offset = 10;
    value.offset = 311;
    (void)slots_add_unnamed(&slots, &short_key, &short_value);
    (void)slots_add_unnamed(&slots, &key, &value);
    assert_no_room(&slots, slice_of(text, 400));
}

/* Keys in keys: a value's name is that of all keys around it, also for the second one of a list. */
static void test_nested_names(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    static const struct slot ITEMS[] = {
        {.offset = 0, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY},
        {.offset = 2, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY, .depth = 1},
        {.offset = 4, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY, .depth = 2},
        {.offset = 6, .length = 1, .field = FIELD_UNNAMED, .depth = 2},
        {.offset = 8, .length = 1, .field = FIELD_UNNAMED, .depth = 1},
        {.offset = 10, .length = 1, .field = FIELD_USER_NAME},
        {.offset = 12, .length = 1, .field = FIELD_UNNAMED, .depth = 1},
        {.offset = 14, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY},
        {.offset = 16, .length = 1, .field = FIELD_UNNAMED},
        {.offset = 18, .length = 1, .field = FIELD_UNNAMED, .kind = SLOT_KEY, .depth = 1},
    };
    static const char *const NAMES[] = {"a.b.c", "a.b", "d"};
    struct slots slots = {.count = COUNT(ITEMS)};
    memcpy(slots.items, ITEMS, sizeof(ITEMS));
    assert_int_equal(append_row(b, SLICE("a b c 1 2 u 3 d 4 e \n"), &slots, 0), 0);
    assert_int_equal(b->reason[0], REASON_NONE);
    assert_int_equal(b->name_count, COUNT(NAMES));
    for (uint32_t i = 0; i < COUNT(NAMES); i++)
        assert_true(slice_equal(batch_span(b, b->names[i]), slice_from(NAMES[i])));
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST, 0), 0, "1");
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST + 1, 0), 0, "2");
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST + 1, 1), 0, "3");
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST + 2, 0), 0, "4");
    assert_composed(b, 0, SLICE("a b c 1 2 u 3 d 4 e \n"));
    /* Names longer than a batch takes: the line is kept as it is. */
    static char wide[BATCH_NAME_BYTES_MAX + 32];
    memset(wide, 'k', sizeof(wide));
    struct slots two = {.count = 3};
    two.items[0] = (struct slot){.length = 200, .field = FIELD_UNNAMED, .kind = SLOT_KEY};
    two.items[1] = (struct slot){
        .offset = 200, .length = 60, .field = FIELD_UNNAMED, .kind = SLOT_KEY, .depth = 1};
    two.items[2] = (struct slot){.offset = 262, .length = 1, .field = FIELD_UNNAMED, .depth = 1};
    batch_reset(b);
    assert_int_equal(append_row(b, slice_of(wide, sizeof(wide)), &two, 0), 0);
    assert_int_equal(b->reason[0], REASON_TOO_MANY_VALUES);
    batch_free(b);
}

static void test_names(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf scratch = {0};
    b->format_name = SLICE("alpha");
    struct slots slots = {0};
    struct slot key = {.offset = 0, .length = 4};
    struct slot value = {.offset = 5, .length = 1};
    (void)slots_add_unnamed(&slots, &key, &value);
    (void)slots_add(&slots, 7, 1, FIELD_COLUMN(17), SLOT_PLAIN);
    (void)slots_add(&slots, 9, 1, FIELD_COLUMN(32766), SLOT_PLAIN);
    assert_int_equal(append_row(b, SLICE("rack=1 2 3\n"), &slots, 0), 0);
    /* A name that looks like a position is the same field, and its second value. */
    struct slots same = {0};
    key.length = 5;
    value.offset = 6;
    (void)slots_add_unnamed(&same, &key, &value);
    (void)slots_add(&same, 8, 1, FIELD_COLUMN(17), SLOT_PLAIN);
    assert_int_equal(append_row(b, SLICE("col17=4 5\n"), &same, 1), 0);
    assert_int_equal(b->name_count, 3);
    static const char *const WANT[] = {"alpha.rack", "alpha.col17", "alpha.col32766"};
    for (uint16_t i = 0; i < 3; i++) {
        struct slice name = batch_field_name(b, FIELD_LOCAL_FIRST + i, &scratch);
        assert_true(slice_equal(name, slice_from(WANT[i])));
    }
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST + 1, 0), 0, "2");
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST + 1, 0), 1, "4");
    assert_value(b, find_column(b, FIELD_LOCAL_FIRST + 1, 1), 1, "5");
    buf_release(&scratch);
    batch_free(b);
}

/* Rows of three partitions, records of several lines, gaps between offsets. */
static void test_places(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct lines l = {.state = 11};
    struct row rows[BATCH_LIVE_ROWS_MAX];
    int64_t next[3] = {0, 1000, INT64_C(1) << 40};
    int32_t partition = 0;
    uint32_t sub = 0;
    for (uint32_t i = 0; i < BATCH_LIVE_ROWS_MAX; i++) {
        rows[i] = (struct row){
            .bytes = SLICE("x\n"), .partition = partition, .offset = next[partition], .sub = sub};
        assert_int_equal(batch_append(b, &rows[i]), 0);
        sub++;
        if (lines_below(&l, 3) != 0) {
            sub = 0;
            next[partition] += lines_below(&l, 10) == 0 ? 1 + lines_below(&l, 50) : 1;
            if (lines_below(&l, 8) == 0)
                partition = (int32_t)lines_below(&l, 3);
        }
    }
    uint32_t row = 0;
    for (uint32_t i = 0; i < b->run_count; i++) {
        assert_int_equal(b->runs[i].first_row, row);
        row += b->runs[i].count;
    }
    assert_int_equal(row, BATCH_LIVE_ROWS_MAX);
    for (uint32_t i = 0; i < BATCH_LIVE_ROWS_MAX; i++) {
        int32_t p = -1;
        int64_t offset = -1;
        batch_place(b, i, &p, &offset);
        assert_int_equal(p, rows[i].partition);
        assert_int_equal(offset, rows[i].offset);
        assert_int_equal(b->sub[i], rows[i].sub);
    }
    assert_false(batch_fits(b, 1, BATCH_LIVE_ROWS_MAX));
    batch_free(b);
}

static void test_extras(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct extra keyed = {.has_key = true};
    struct extra null = {.null_value = true};
    struct extra plain = {0};
    assert_int_equal(batch_extra(b, &keyed, SLICE(""), SLICE("")), 0);
    assert_int_equal(append_row(b, SLICE("a\n"), NULL, 0), 0);
    assert_int_equal(append_row(b, SLICE("b\n"), NULL, 1), 0);
    assert_int_equal(batch_extra(b, &null, slice_of(NULL, 0), slice_of(NULL, 0)), 0);
    assert_int_equal(append_row(b, SLICE(""), NULL, 2), 0);
    assert_int_equal(batch_extra(b, &plain, SLICE(""), SLICE("\1h\2v")), 0);
    assert_int_equal(append_row(b, SLICE("c\n"), NULL, 3), 0);
    assert_int_equal(b->extra_count, 3);
    assert_true(b->extras[0].row == 0 && b->extras[0].has_key && b->extras[0].key.len == 0);
    assert_true(b->extras[1].row == 2 && b->extras[1].null_value && !b->extras[1].has_key);
    assert_true(b->extras[2].row == 3 && !b->extras[2].has_key);
    assert_true(slice_equal(batch_span(b, b->extras[2].headers), SLICE("\1h\2v")));
    for (uint32_t i = 0; i < 4; i++) {
        static const char *const WANT[] = {"a\n", "b\n", "", "c\n"};
        assert_line(b, i, slice_from(WANT[i]));
    }
    batch_free(b);
}

static void test_derived(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    fill_texts(b, 600, 10, 1);
    struct column *country = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_non_null(country);
    assert_true(country->derived);
    for (uint32_t i = 0; i < 600; i += 2)
        country->codes[i] = column_intern(b, country, i % 4 == 0 ? SLICE("JP") : SLICE("US"));
    struct column *number = batch_derived(b, FIELD_SOURCE_ASN);
    assert_non_null(number);
    for (uint32_t i = 0; i < 600; i++)
        assert_int_equal(number->numbers[i], VALUE_NONE);
    number->numbers[5] = 64496;
    /* Found again, also beside a column of the same field that lines have. */
    append_value(b, SLICE("FR"), FIELD_SOURCE_COUNTRY, SLOT_PLAIN);
    country = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_true(country->derived);
    assert_int_equal(country->entry_count, 2);
    for (uint32_t i = 0; i < 600; i++) {
        const char *want = i % 4 == 0 ? "JP" : "US";
        assert_value(b, country, i, i % 2 == 0 ? want : "-");
    }
    assert_value(b, country, 600, "-");
    assert_value(b, batch_derived(b, FIELD_SOURCE_ASN), 5, "64496");
    batch_free(b);
}

/* Random lines and slots, over resets of one batch: live and composed they are the line. */
static void test_random_lines(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct lines l = {.state = 5};
    struct buf all = {0};
    struct span places[BATCH_LIVE_ROWS_MAX] = {{0}};
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t layouts = 1 + lines_below(&l, round % 5 == 0 ? 400 : 20);
        uint32_t rows = 1 + lines_below(&l, round % 10 == 0 ? BATCH_LIVE_ROWS_MAX : 300);
        batch_reset(b);
        buf_reset(&all);
        for (uint32_t i = 0; i < rows; i++) {
            lines_next(&l, layouts);
            int status = append_row(b, slice_of(l.line, l.len), &l.slots, i);
            if (status == ERR_RANGE)
                break;
            assert_int_equal(status, 0);
            places[i] = (struct span){.offset = (uint32_t)all.len, .len = (uint32_t)l.len};
            buf_append(&all, l.line, l.len);
        }
        for (uint32_t i = 0; i < b->row_count; i++) {
            struct slice line = slice_of(all.data + places[i].offset, places[i].len);
            assert_line(b, i, line);
            assert_composed(b, i, line);
            assert_int_equal(b->reason[i], REASON_NONE);
        }
    }
    buf_release(&all);
    batch_free(b);
}

static void test_longest_line(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    char *text = malloc(BATCH_ROW_BYTES_MAX);
    assert_non_null(text);
    for (size_t i = 0; i < BATCH_ROW_BYTES_MAX; i++)
        text[i] = (char)(uint8_t)(i * 7 + i / 251);
    static const char LINE_END[] = {'\x93', '\xfa', '\x96', '\x7b', '\r', '\n'};
    memcpy(text + BATCH_ROW_BYTES_MAX - sizeof(LINE_END), LINE_END, sizeof(LINE_END));
    struct slots slots = {0};
    (void)slots_add(&slots, 0, 0, FIELD_SOURCE_IP, SLOT_PLAIN);
    (void)slots_add(&slots, 3, 5 << 20, FIELD_MESSAGE, SLOT_PLAIN);
    (void)slots_add(&slots, BATCH_ROW_BYTES_MAX, 0, FIELD_SOURCE_PORT, SLOT_PLAIN);
    struct slice line = slice_of(text, BATCH_ROW_BYTES_MAX);
    assert_int_equal(append_row(b, line, &slots, 0), 0);
    assert_int_equal(b->reason[0], REASON_NONE);
    assert_line(b, 0, line);
    assert_composed(b, 0, line);
    assert_false(batch_fits(b, 0, BATCH_LIVE_ROWS_MAX));
    free(text);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misused_slots),
        cmocka_unit_test(test_misused_after_good),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_repeated_keys),
        cmocka_unit_test(test_too_many_values),
        cmocka_unit_test(test_text_switch),
        cmocka_unit_test(test_widening),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_shapes_full),
        cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_nested_names),
        cmocka_unit_test(test_names_refused_and_found),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_extras),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_random_lines),
        cmocka_unit_test(test_longest_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
