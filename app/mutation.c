#include "app/mutation.h"

#include <assert.h>

#include "app/gen_random.h"
#include "base/err.h"

enum {
    FLIPS_MAX = 8,
    PIECE_BYTES_MAX = 80,
    PIECES_MAX = 64,
};

/* A line on its way. */
struct making {
    struct buf *out;
    struct slice line;
    struct slice other; /* what may be glued to it */
    struct gen_random random;
};

/* What formats write between things, and bytes that are strange in a line. */
static const char MARKS[] = "\"\\[](){}<> =,%:;|'/.-_#&@?!+*^~$`\t\r\v\x01\x7f\x80\xe3\xff"
                            "0aZ";

enum {
    MARKS_COUNT = sizeof(MARKS), /* the NUL is one of them */
};

static char any_mark(struct making *m)
{
    return MARKS[gen_random_below(&m->random, MARKS_COUNT)];
}

static bool is_word_byte(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/* A place in the line; every other time where a value or a key may begin. */
static size_t any_place(struct making *m)
{
    size_t at = gen_random_below(&m->random, (uint32_t)m->line.len + 1);
    if (gen_random_below(&m->random, 2) == 0)
        return at;
    while (at < m->line.len && is_word_byte(m->line.data[at]))
        at++;
    return at < m->line.len ? at + 1 : at;
}

/* How many bytes to add: few, or very many. */
static size_t any_length(struct making *m)
{
    static const uint32_t LENGTHS[] = {40, 400, 3000, MUTATION_BYTES_MAX};
    return LENGTHS[gen_random_below(&m->random, sizeof(LENGTHS) / sizeof(LENGTHS[0]))];
}

static void put_head(struct making *m, size_t to)
{
    buf_append(m->out, m->line.data, to);
}

static void put_tail(struct making *m, size_t from)
{
    buf_append(m->out, m->line.data + from, m->line.len - from);
}

/* A few bytes of the line, with what stands between things. */
static struct slice any_piece(struct making *m)
{
    size_t from = any_place(m);
    size_t left = m->line.len - from;
    size_t len = gen_random_below(&m->random, left < PIECE_BYTES_MAX ? (uint32_t)left + 1
                                                                     : (uint32_t)PIECE_BYTES_MAX);
    return slice_of(m->line.data + from, len);
}

/* Put the text over and over, at least once. */
static void put_over(struct making *m, struct slice text, size_t bytes)
{
    size_t before = m->out->len;
    do
        buf_slice(m->out, text);
    while (text.len > 0 && m->out->len - before < bytes && buf_ok(m->out));
}

static void flip(struct making *m)
{
    uint32_t flips = gen_random_between(&m->random, 1, FLIPS_MAX);
    put_head(m, m->line.len);
    for (uint32_t i = 0; i < flips && m->out->len > 0 && buf_ok(m->out); i++) {
        size_t at = gen_random_below(&m->random, (uint32_t)m->out->len);
        char byte = (char)gen_random_below(&m->random, UINT8_MAX + 1);
        m->out->data[at] = byte;
        if (gen_random_below(&m->random, 2) == 0)
            m->out->data[at] = any_mark(m);
    }
}

static void cut(struct making *m)
{
    size_t at = any_place(m);
    if (gen_random_below(&m->random, 2) == 0)
        put_head(m, at);
    else
        put_tail(m, at);
}

static void double_quotes(struct making *m)
{
    for (size_t i = 0; i < m->line.len; i++) {
        buf_byte(m->out, m->line.data[i]);
        if (m->line.data[i] == '"')
            buf_byte(m->out, '"');
    }
}

/* One mark of the line is gone: a quote that nobody closes, a key that nothing follows. */
static void drop_mark(struct making *m)
{
    size_t at = any_place(m);
    while (at < m->line.len && is_word_byte(m->line.data[at]))
        at++;
    put_head(m, at);
    put_tail(m, at < m->line.len ? at + 1 : at);
}

static void run(struct making *m)
{
    size_t at = any_place(m);
    char byte = any_mark(m);
    put_head(m, at);
    put_over(m, slice_of(&byte, 1), any_length(m));
    put_tail(m, at);
}

static void run_of_two(struct making *m)
{
    size_t at = any_place(m);
    char bytes[2] = {any_mark(m), any_mark(m)};
    put_head(m, at);
    put_over(m, slice_of(bytes, 2), any_length(m));
    put_tail(m, at);
}

/* Nothing but bytes of one kind. */
static void run_alone(struct making *m)
{
    char byte = any_mark(m);
    put_over(m, slice_of(&byte, 1), any_length(m));
}

/* A separator of the line, many times. */
static void repeat_mark(struct making *m)
{
    size_t at = any_place(m);
    while (at < m->line.len && is_word_byte(m->line.data[at]))
        at++;
    put_head(m, at);
    if (at < m->line.len)
        put_over(m, slice_of(m->line.data + at, 1), any_length(m));
    put_tail(m, at);
}

/* A key with its value, or a piece of anything else, many times. */
static void repeat_piece(struct making *m)
{
    struct slice piece = any_piece(m);
    size_t at = (size_t)(piece.data - m->line.data) + piece.len;
    put_head(m, at);
    put_over(m, piece, any_length(m));
    put_tail(m, at);
}

/* The same, but its first word differs each time. */
static void number_piece(struct making *m)
{
    struct slice piece = any_piece(m);
    size_t at = (size_t)(piece.data - m->line.data) + piece.len;
    size_t word = 0;
    while (word < piece.len && !is_word_byte(piece.data[word]))
        word++;
    while (word < piece.len && is_word_byte(piece.data[word]))
        word++;
    size_t bytes = any_length(m);
    put_head(m, at);
    for (unsigned n = 0; m->out->len < at + bytes && buf_ok(m->out); n++) {
        buf_append(m->out, piece.data, word);
        buf_printf(m->out, "%u", n);
        buf_append(m->out, piece.data + word, piece.len - word);
    }
    put_tail(m, at);
}

static void long_value(struct making *m)
{
    static const char LETTERS[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_.%";
    size_t at = any_place(m);
    size_t bytes = any_length(m);
    put_head(m, at);
    for (size_t i = 0; i < bytes; i++)
        buf_byte(m->out, LETTERS[gen_random_below(&m->random, sizeof(LETTERS) - 1)]);
    put_tail(m, at);
}

/* Lines behind each other without a newline. */
static void glue(struct making *m)
{
    size_t bytes = any_length(m);
    put_head(m, m->line.len);
    while (m->out->len < bytes && m->other.len > 0 && buf_ok(m->out)) {
        buf_slice(m->out, m->other);
        buf_slice(m->out, m->line);
    }
    if (m->out->len == m->line.len)
        buf_slice(m->out, m->other);
}

/* Objects in objects, lists in lists, what stands in brackets in brackets; closed or not. */
static void nest(struct making *m)
{
    static const char *const OPENS[] = {"{\"a\":", "[", "{\"a\":[", "(", "<", "[{", "{"};
    static const char *const CLOSES[] = {"}", "]", "]}", ")", ">", "}]", "}"};
    size_t kind = gen_random_below(&m->random, sizeof(OPENS) / sizeof(OPENS[0]));
    size_t at = any_place(m);
    size_t bytes = any_length(m);
    put_head(m, at);
    put_over(m, slice_from(OPENS[kind]), bytes);
    if (gen_random_below(&m->random, 2) == 0)
        put_over(m, slice_from(CLOSES[kind]), bytes);
    put_tail(m, at);
}

/* The pieces between marks in another order. */
static void shuffle(struct making *m)
{
    struct slice pieces[PIECES_MAX];
    uint32_t count = 0;
    size_t from = 0;
    for (size_t i = 0; i < m->line.len && count < PIECES_MAX; i++) {
        if (is_word_byte(m->line.data[i]) && i + 1 < m->line.len)
            continue;
        pieces[count++] = slice_of(m->line.data + from, i + 1 - from);
        from = i + 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = gen_random_between(&m->random, i, count - 1);
        struct slice held = pieces[other];
        pieces[other] = pieces[i];
        pieces[i] = held;
        buf_slice(m->out, held);
    }
    put_tail(m, from);
}

static const struct {
    const char *name;
    void (*apply)(struct making *m);
} WAYS[] = {
    {"flip", flip},
    {"cut", cut},
    {"double quotes", double_quotes},
    {"drop mark", drop_mark},
    {"run", run},
    {"run of two", run_of_two},
    {"run alone", run_alone},
    {"repeat mark", repeat_mark},
    {"repeat piece", repeat_piece},
    {"number piece", number_piece},
    {"long value", long_value},
    {"glue", glue},
    {"nest", nest},
    {"shuffle", shuffle},
};

enum {
    WAY_COUNT = sizeof(WAYS) / sizeof(WAYS[0]),
};

int mutation_make(struct mutation *m, const struct slice *lines, size_t count, uint64_t seed)
{
    struct making making = {.out = &m->text, .random = {.state = gen_mix(seed, count)}};
    assert(count > 0);
    m->origin = gen_random_below(&making.random, (uint32_t)count);
    making.line = lines[m->origin];
    making.other = lines[gen_random_below(&making.random, (uint32_t)count)];
    size_t way = gen_random_below(&making.random, WAY_COUNT);
    m->name = WAYS[way].name;
    buf_reset(&m->text);
    WAYS[way].apply(&making);
    for (size_t i = 0; i < m->text.len; i++) {
        if (m->text.data[i] == '\n')
            m->text.data[i] = ' ';
    }
    return buf_ok(&m->text) ? 0 : ERR_NOMEM;
}

void mutation_release(struct mutation *m)
{
    buf_release(&m->text);
    *m = (struct mutation){0};
}

const char *mutation_name_at(size_t index)
{
    return index < WAY_COUNT ? WAYS[index].name : NULL;
}
