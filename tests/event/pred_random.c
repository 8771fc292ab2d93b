#include "tests/event/pred_random.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"

uint32_t random_below(struct random *r, uint32_t bound)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (uint32_t)((r->state >> 20) % bound);
}

#define PICK(r, list) (list)[random_below((r), sizeof(list) / sizeof((list)[0]))]

static const char *const WORDS[] = {
    "accept",
    "Deny",
    "drop",
    "tanaka",
    "SALES\\\\tanaka",
    "upload x",
    "",
    "a",
    "100%",
    "%41b",
    "x%2Fy",
    "\\\"q\\\"",
    "\\u5c71",
    "\"\"",
    "a*b?c",
    "-12",
    "3.5",
    "1e3",
    "007",
    "42",
    "192.0.2.9",
    "\xe5\xb1\xb1\xe7\x94\xb0",
    "\xff\xfez",
    "\xef\xbc\xa1\xef\xbc\xa2\xef\xbc\x91", /* letters and a digit of full width */
    "\xef\xbd\xb6\xef\xbe\x9e\xef\xbe\x80", /* katakana of half width */
    "\x8e\x52\x93\x63x\x81\x41",            /* CP932 */
    "\xbb\xb3\xc5\xc4\xa4\xb5",             /* EUC-JP */
    "%8eR%93c%E5%B1%B1",
    "\\\"\xe5\xb1\xb1\\\"",
    "line\\nbreak",
    "a+b",
    "LongerValueWithLetters",
    "longervaluewithletterz",
    "2026-12-31T23:30:00+09:00",
    "2027-01-01 00:10:00",
    "null",
};
static const char *const IPS[] = {
    "192.0.2.1", "192.0.2.77",  "198.51.100.7", "203.0.113.250",    "2001:db8::1",
    "FE80::A",   "2001:DB8::1", "192.0.02.1",   "::ffff:192.0.2.1", "abc",
    "",          "0.0.0.0",
};
static const char *const INTS[] = {
    "0",
    "1",
    "7",
    "007",
    "80",
    "443",
    "8080",
    "65535",
    "-5",
    "-0",
    "",
    "x1",
    "123456789012345678",
    "1234567890123456789",
    "4.5",
};
static const char *const EPOCHS[] = {
    "1700000000", "1700000000123", "1700000000.123", "0000000001.123", "1700000000123456789", "17",
};
static const char *const HOSTS[] = {"www.example.jp", "Example.JP",       "cdn.example.com",
                                    "192.0.2.5",      "%77ww.example.jp", "host%",
                                    "host%4"};
static const char *const PATHS[] = {
    "/",       "/a/b",  "/admin/Login.php", "/x%2Fy", "/%61dmin", "/a+b", "\\/json\\/path",
    "/upload", "Login", "%61bcd",           "1",      ""};
static const char *const QUERIES[] = {
    "a=1", "q=%E5%B1%B1", "q=%8e%52%93%63", "n=\x8e\x52\xef\xbc\xa1", "cmd=id+x", "x=1&y=2", ""};
static const char *const KEYS[] = {"k1", "vwlid", "odd key"};
static const uint16_t TEXT_FIELDS[] = {FIELD_USER_NAME, FIELD_EVENT_ACTION, FIELD_MESSAGE,
                                       FIELD_USER_AGENT, FIELD_DESTINATION_DOMAIN};
static const uint8_t KINDS[] = {SLOT_PLAIN,
                                SLOT_PLAIN,
                                SLOT_PLAIN,
                                SLOT_C_ESCAPED,
                                SLOT_CSV_DOUBLED,
                                SLOT_JSON_STRING,
                                SLOT_PERCENT,
                                SLOT_FORM,
                                SLOT_CEF,
                                SLOT_PLAIN | CHARSET_CP932 << SLOT_CHARSET_SHIFT,
                                SLOT_C_ESCAPED | CHARSET_EUC_JP << SLOT_CHARSET_SHIFT,
                                SLOT_PERCENT | CHARSET_CP932 << SLOT_CHARSET_SHIFT};

struct line {
    struct buf text;
    struct slots slots;
    struct buf url; /* what is composed so far */
};

static void put_value(struct line *l, uint16_t field, uint8_t kind, const char *value)
{
    (void)slots_add(&l->slots, (uint32_t)l->text.len, (uint32_t)strlen(value), field, kind);
    buf_text(&l->text, value);
}

static void put_field(struct line *l, struct random *r, uint16_t field, const char *value)
{
    const struct field_info *info = field_info(field);
    bool null = info != NULL && info->type == FIELD_TYPE_TEXT && random_below(r, 12) == 0;
    buf_printf(&l->text, " f%u=\"", (unsigned)field);
    put_value(l, field, null ? (uint8_t)SLOT_NULL : PICK(r, KINDS), null ? "null" : value);
    buf_text(&l->text, "\"");
}

static void put_unnamed(struct line *l, struct random *r)
{
    const char *key = PICK(r, KEYS);
    const char *value = PICK(r, WORDS);
    buf_byte(&l->text, ' ');
    struct slot k = {.offset = (uint32_t)l->text.len, .length = (uint32_t)strlen(key)};
    buf_text(&l->text, key);
    buf_byte(&l->text, '=');
    bool null = random_below(r, 5) == 0;
    value = null ? "null" : value;
    struct slot v = {.offset = (uint32_t)l->text.len,
                     .length = (uint32_t)strlen(value),
                     .kind = null ? (uint8_t)SLOT_NULL : PICK(r, KINDS)};
    buf_text(&l->text, value);
    (void)slots_add_unnamed(&l->slots, &k, &v);
}

/* One part of a URL, and what it adds to the whole. */
static void put_part(struct line *l, uint16_t field, uint8_t kind, const char *value)
{
    put_value(l, field, kind, value);
    value_decode(&l->url, slice_from(value), slot_is_percent(kind) ? slot_plain(kind) : kind);
}

static void put_glue(struct line *l, const char *glue)
{
    buf_text(&l->text, glue);
    buf_text(&l->url, glue);
}

static void know_url(struct sample *s, struct line *l, uint32_t row)
{
    struct naive_row *known = &s->known[row];
    assert(known->url_count < NAIVE_URLS_MAX);
    known->urls[known->url_count++] =
        slice_of(arena_copy(&s->arena, buf_content(&l->url)), l->url.len);
    buf_reset(&l->url);
}

static void put_whole_url(struct sample *s, struct line *l, struct random *r, uint32_t row)
{
    uint8_t kind = PICK(r, KINDS);
    buf_text(&l->text, " url=\"");
    put_part(l, FIELD_URL_SCHEME, kind, "https");
    put_glue(l, "://");
    put_part(l, FIELD_URL_DOMAIN, kind, PICK(r, HOSTS));
    if (random_below(r, 3) == 0) {
        put_glue(l, ":");
        put_part(l, FIELD_URL_PORT, SLOT_PLAIN, "8443");
    }
    put_part(l, FIELD_URL_PATH, kind, PICK(r, PATHS));
    if (random_below(r, 2) == 0) {
        put_glue(l, "?");
        put_part(l, FIELD_URL_QUERY, kind, PICK(r, QUERIES));
    }
    buf_text(&l->text, "\"");
    know_url(s, l, row);
}

static void put_url_apart(struct sample *s, struct line *l, struct random *r, uint32_t row)
{
    uint8_t kind = PICK(r, KINDS);
    bool query = random_below(r, 2) == 0;
    buf_text(&l->text, " host=");
    put_part(l, FIELD_URL_DOMAIN, kind, PICK(r, HOSTS));
    buf_text(&l->text, " path=");
    put_part(l, FIELD_URL_PATH, PICK(r, KINDS), PICK(r, PATHS));
    if (query) {
        buf_text(&l->text, " query=");
        buf_text(&l->url, "?");
        put_part(l, FIELD_URL_QUERY, kind, PICK(r, QUERIES));
    }
    know_url(s, l, row);
}

static void put_connect(struct sample *s, struct line *l, struct random *r, uint32_t row)
{
    buf_text(&l->text, " CONNECT ");
    put_part(l, FIELD_URL_DOMAIN, SLOT_PLAIN, PICK(r, HOSTS));
    put_glue(l, ":");
    put_part(l, FIELD_URL_PORT, SLOT_PLAIN, random_below(r, 2) == 0 ? "443" : "0443");
    know_url(s, l, row);
}

static void put_url(struct sample *s, struct line *l, struct random *r, uint32_t row)
{
    switch (random_below(r, 6)) {
    case 0:
        put_whole_url(s, l, r, row);
        put_whole_url(s, l, r, row);
        return;
    case 1:
        put_whole_url(s, l, r, row);
        return;
    case 2:
        put_url_apart(s, l, r, row);
        return;
    case 3:
        put_connect(s, l, r, row);
        return;
    case 4:
        put_field(l, r, FIELD_URL_ORIGINAL, "http://www.example.jp/%61?b");
        return;
    default:
        return;
    }
}

static void put_line(struct sample *s, struct line *l, struct random *r, uint32_t row, bool wide)
{
    buf_text(&l->text, random_below(r, 4) == 0 ? "<14>x:" : "");
    if (random_below(r, 4) != 0)
        put_field(l, r, FIELD_SOURCE_IP, PICK(r, IPS));
    if (random_below(r, 5) == 0)
        put_field(l, r, FIELD_SOURCE_IP, PICK(r, IPS));
    for (uint32_t i = random_below(r, 4); i > 0; i--)
        put_field(l, r, FIELD_SOURCE_PORT, PICK(r, INTS));
    if (random_below(r, 4) == 0)
        put_field(l, r, FIELD_TIME_EPOCH, PICK(r, EPOCHS));
    for (uint32_t i = random_below(r, 4); i > 0; i--)
        put_field(l, r, PICK(r, TEXT_FIELDS), PICK(r, WORDS));
    if (random_below(r, 3) == 0)
        put_unnamed(l, r);
    if (wide) { /* more distinct values than a dictionary takes */
        char value[32];
        (void)snprintf(value, sizeof(value), "/file-%u-%%41.Html", random_below(r, 100000));
        buf_text(&l->text, " name=");
        put_value(l, FIELD_FILE_NAME, SLOT_PLAIN, value);
    }
    put_url(s, l, r, row);
    buf_text(&l->text, random_below(r, 9) == 0 ? "" : "\n");
}

static void derive(struct batch *b, struct random *r)
{
    static const char *const COUNTRIES[] = {"JP", "US", "ZZ"};
    struct column *c = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert(c != NULL);
    for (uint32_t row = 0; row < b->row_count; row++) {
        b->verdict[row] = (uint8_t)random_below(r, VERDICT_COUNT);
        if (random_below(r, 3) != 0)
            c->codes[row] = column_intern(b, c, slice_from(PICK(r, COUNTRIES)));
    }
}

/* Seconds beside the borders of days, weeks, months and years on Japan's clock, leap days too. */
static const int64_t BORDERS[] = {
    1798729199, 1798729200, 1798988399, 1798988400, 1709132399, 1709132400, 1709218799,
    1709218800, 0,          -1,         -32400,     -32401,     9214646400, -9214560000,
};

/* False where the batch has no room for another shape. */
static bool append(struct sample *s, struct line *l, struct random *r, struct row *like)
{
    struct batch *b = s->batch;
    uint32_t row = b->row_count;
    like->bytes = buf_content(&l->text);
    like->slots = &l->slots;
    like->reason = random_below(r, 10) == 0 ? REASON_FORMAT_MISMATCH : REASON_NONE;
    like->time_source = (uint8_t)random_below(r, TIME_SOURCE_COUNT);
    like->arrival_ns = CLOCK_NS_PER_SECOND * (1700000000 + row);
    like->time_ns = random_below(r, 20) == 0
                        ? CLOCK_NONE
                        : CLOCK_NS_PER_SECOND * (1700000000 + random_below(r, 5));
    if (random_below(r, 8) == 0)
        like->time_ns = CLOCK_NS_PER_SECOND * PICK(r, BORDERS);
    if (random_below(r, 4) == 0) {
        like->sub++;
    } else {
        like->sub = 0;
        like->offset += 1 + random_below(r, 10) / 9;
        like->partition = random_below(r, 20) == 0 ? like->partition + 1 : like->partition;
    }
    s->known[row].partition = like->partition;
    s->known[row].offset = like->offset;
    int err = batch_append(b, like);
    if (err == ERR_RANGE)
        return false;
    assert(err == 0);
    if (b->shape[row] == 0)
        s->known[row].url_count = 0;
    return true;
}

void sample_make(struct sample *s, struct random *r, uint32_t rows)
{
    struct batch *b = s->batch;
    b->tenant = random_below(r, 2) == 0 ? 52027 : 131016;
    b->topic = SLICE("seclog.raw.052027.fw-1");
    b->source = SLICE("fw-1");
    b->format_name = SLICE("fortigate");
    struct line l = {0};
    struct row like = {.partition = 3, .offset = 1000};
    bool wide = random_below(r, 2) == 0;
    for (uint32_t i = 0; i < rows; i++) {
        buf_reset(&l.text);
        buf_reset(&l.url);
        l.slots.count = 0;
        s->known[i] = (struct naive_row){0};
        put_line(s, &l, r, i, wide);
        if (!append(s, &l, r, &like))
            break;
    }
    derive(b, r);
    buf_release(&l.text);
    buf_release(&l.url);
}

static void move_span(const struct batch *b, struct span *span, struct buf *to)
{
    if (span->len == SPAN_NONE)
        return;
    struct span moved = {.offset = (uint32_t)to->len, .len = span->len};
    buf_slice(to, batch_span(b, *span));
    *span = moved;
}

/* A reader may give any column of codes as text. */
static void codes_to_text(struct batch *b, struct column *c)
{
    struct span *spans = arena_array(&b->arena, b->row_count, sizeof(*spans));
    assert(spans != NULL);
    for (uint32_t row = 0; row < b->row_count; row++) {
        spans[row] = (struct span){.len = SPAN_NONE};
        if (c->codes[row] != CODE_NONE)
            spans[row] = c->entries[c->codes[row]];
    }
    c->spans = spans;
    c->storage = COLUMN_TEXT;
}

void sample_read_back(struct sample *s, struct random *r)
{
    struct batch *b = s->batch;
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (b->columns[i].storage == COLUMN_CODES && r != NULL && random_below(r, 3) == 0)
            codes_to_text(b, &b->columns[i]);
    }
    struct buf text = {0};
    (void)buf_reserve(&text, 1);
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct column *c = &b->columns[i];
        for (uint32_t k = 0; c->storage == COLUMN_CODES && k < c->entry_count; k++)
            move_span(b, &c->entries[k], &text);
        for (uint32_t k = 0; c->storage == COLUMN_TEXT && k < b->row_count; k++)
            move_span(b, &c->spans[k], &text);
        for (uint32_t k = 0; k < c->exception_count; k++)
            move_span(b, &c->exceptions[k].text, &text);
    }
    for (uint32_t i = 0; i < b->name_count; i++)
        move_span(b, &b->names[i], &text);
    for (uint32_t i = 0; i < b->row_count; i++) {
        if (b->shape[i] == 0)
            move_span(b, &b->line[i], &text);
        else
            b->line[i] = (struct span){0};
    }
    buf_release(&b->text);
    b->text = text;
    b->live = false;
}

void sample_reset(struct sample *s)
{
    batch_reset(s->batch);
    arena_reset(&s->arena);
}

static const uint16_t ASKED[] = {
    FIELD_SOURCE_IP,      FIELD_SOURCE_PORT,  FIELD_TIME_EPOCH,   FIELD_USER_NAME,
    FIELD_EVENT_ACTION,   FIELD_MESSAGE,      FIELD_USER_AGENT,   FIELD_DESTINATION_DOMAIN,
    FIELD_URL_SCHEME,     FIELD_URL_DOMAIN,   FIELD_URL_PORT,     FIELD_URL_PATH,
    FIELD_URL_QUERY,      FIELD_URL_ORIGINAL, FIELD_URL_ORIGINAL, FIELD_FILE_NAME,
    FIELD_SOURCE_COUNTRY, FIELD_VERDICT,      FIELD_TENANT,       FIELD_PARSE_ERROR,
    FIELD_TIME_SOURCE,    FIELD_SOURCE,       FIELD_FORMAT,       FIELD_DESTINATION_IP,
};
static const char *const NAMED[] = {
    "fortigate.k1", "fortigate.vwlid", "fortigate.odd key", "@timestamp",  "event.ingested",
    "kafka.topic",  "kafka.partition", "kafka.offset",      "sekisho.sub", "fortigate.none"};
static const char *const FIXED[] = {
    "accept",
    "DENY",
    "example.jp",
    "www.example.jp/a",
    "8443/",
    "/admin",
    "443",
    "7",
    "-5",
    "192.0.2.1",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "fe80::a",
    "2023-11-14T22:13:20Z",
    "1003",
    "052027",
    "fw-1",
    "device",
    "1700000000.123",
    "tanaka",
    "html",
    "=\"",
    "\" f",
    "jp",
    "?b",
    "deny",
    "x\n",
    "format_mismatch",
    "4",
    "3",
    "seclog",
    "https://www",
    "\xe5\xb1\xb1",
    "ab1",
    "\xef\xbc\xa1\xef\xbd\x82",
    "\xe3\x82\xac\xe3\x82\xbf",
    "\xe5\xb1\xb1\xe7\x94\xb0x",
    "a",
    "",
};
static const char *const REGEXES[] = {"^a",     "e{1,2}.*p$", "[0-9]+",
                                      "(?i)JP", "\\.html$",   "example\\.(jp|com)/",
                                      "^$",     "\\s",        "admin|upload"};
static const char *const NETS[] = {"192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "0.0.0.0/0",
                                   "::/0",         "192.0.2.1/32", "fe80::/10"};

/* Globs are about characters, so patterns are cut between them. */
static bool inside_character(struct slice text, size_t at)
{
    return at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80;
}

/* Text of a value of the batch, decoded, or a fixed one. */
static struct slice some_text(struct random *r, struct arena *arena, const struct batch *b,
                              uint16_t field)
{
    struct buf scratch = {0};
    struct buf out = {0};
    struct slice written;
    for (uint32_t tries = 0; tries < 8 && b->column_count != 0; tries++) {
        const struct column *c = &b->columns[random_below(r, b->column_count)];
        if ((c->field != field && random_below(r, 4) != 0) || b->row_count == 0 ||
            !batch_value(b, c, random_below(r, b->row_count), &scratch, &written))
            continue;
        value_decode(&out, written, c->kind);
        break;
    }
    if (out.len == 0)
        buf_text(&out, PICK(r, FIXED));
    struct slice text = slice_of(arena_copy(arena, buf_content(&out)), out.len);
    buf_release(&scratch);
    buf_release(&out);
    if (random_below(r, 2) == 0 && text.len > 1) {
        size_t from = random_below(r, (uint32_t)text.len);
        size_t end = from + 1 + random_below(r, (uint32_t)(text.len - from));
        while (from < end && inside_character(text, from))
            from++;
        while (end > from && inside_character(text, end))
            end--;
        text = slice_of(text.data + from, end - from);
    }
    return text;
}

static struct slice change_case(struct random *r, struct arena *arena, struct slice text)
{
    char *copy = arena_copy(arena, text);
    for (size_t i = 0; i < text.len && random_below(r, 3) == 0; i++) {
        if (copy[i] >= 'a' && copy[i] <= 'z')
            copy[i] = (char)(copy[i] - 32);
    }
    return slice_of(copy, text.len);
}

/* Escape the text and put wildcards into it. */
static struct slice make_glob(struct random *r, struct arena *arena, struct slice text)
{
    struct buf out = {0};
    unsigned stars = 0;
    if (random_below(r, 2) == 0)
        buf_byte(&out, '*');
    for (size_t i = 0; i < text.len; i++) {
        uint32_t dice = random_below(r, 12);
        bool ascii = (unsigned char)text.data[i] < 0x80;
        if (dice == 0 && ascii && stars++ < 2)
            buf_byte(&out, '*');
        else if (dice == 1 && ascii)
            buf_byte(&out, '?');
        else if (strchr("*?\\", text.data[i]) != NULL)
            buf_printf(&out, "\\%c", text.data[i]);
        else
            buf_byte(&out, text.data[i]);
    }
    if (random_below(r, 2) == 0)
        buf_byte(&out, '*');
    struct slice glob = slice_of(arena_copy(arena, buf_content(&out)), out.len);
    buf_release(&out);
    return glob;
}

static struct ast_bound random_bound(struct random *r, bool is_time)
{
    static const int64_t BOUNDS[] = {0, 1, 7, 80, 443, 1003, -5, 1700000000, 1700000000123};
    struct ast_bound bound = {.number = PICK(r, BOUNDS)};
    if (is_time)
        bound.number = CLOCK_NS_PER_SECOND * (1700000000 + random_below(r, 5));
    bound.is_real = random_below(r, 3) == 0;
    if (bound.is_real)
        bound.real = (double)bound.number + (double)random_below(r, 3) / 2;
    return bound;
}

/* An order or a range, for the most part of fields that have numbers, also several in a row. */
static void random_order(struct random *r, struct ast *leaf)
{
    static const uint16_t NUMBERED[] = {FIELD_SOURCE_PORT, FIELD_SOURCE_PORT, FIELD_TIME_EPOCH,
                                        FIELD_USER_NAME};
    if (leaf->field_name.len == 0 && random_below(r, 3) != 0)
        leaf->field = PICK(r, NUMBERED);
    bool is_time = slice_equal(leaf->field_name, SLICE("@timestamp")) ||
                   slice_equal(leaf->field_name, SLICE("event.ingested"));
    leaf->op = random_below(r, 2) == 0 ? AST_RANGE : AST_LESS + random_below(r, 4);
    leaf->bound = random_bound(r, is_time);
    if (leaf->op != AST_RANGE)
        return;
    leaf->high = random_below(r, 4) == 0 ? leaf->bound : random_bound(r, is_time);
    if (leaf->high.number < leaf->bound.number && random_below(r, 8) != 0) {
        struct ast_bound low = leaf->high;
        leaf->high = leaf->bound;
        leaf->bound = low;
    }
}

/* A part of a time within what it can be, and one beyond. */
static void random_part(struct random *r, struct ast *leaf)
{
    static const int64_t VALUES[] = {-1, 0,  1,  2,  8,  9,  12, 14,   23,   28,
                                     29, 30, 31, 52, 53, 59, 60, 2023, 2026, 2027};
    static const char *const TIMES[] = {"@timestamp", "event.ingested", "fortigate.k1"};
    static const uint16_t FIELDS[] = {FIELD_USER_NAME, FIELD_MESSAGE, FIELD_TIME_EPOCH,
                                      FIELD_SOURCE_IP, FIELD_URL_PATH};
    leaf->op = random_below(r, 2) == 0 ? AST_RANGE : AST_LESS + random_below(r, 4);
    leaf->part = (uint8_t)(AST_PART_MINUTE + random_below(r, AST_PART_YEAR - AST_PART_MINUTE + 1));
    leaf->bound = (struct ast_bound){.number = PICK(r, VALUES)};
    leaf->high =
        random_below(r, 2) == 0 ? leaf->bound : (struct ast_bound){.number = PICK(r, VALUES)};
    leaf->field = PICK(r, FIELDS);
    leaf->field_name = SLICE("");
    if (random_below(r, 3) == 0)
        return;
    leaf->field_name = slice_from(PICK(r, TIMES));
    uint16_t id = field_find(leaf->field_name);
    leaf->field = id == FIELD_NONE ? (uint16_t)FIELD_UNNAMED : id;
}

/* One side of a comparison of two fields of the line. */
static void random_side(struct random *r, uint16_t *field, struct slice *name)
{
    static const uint16_t FIELDS[] = {
        FIELD_SOURCE_IP,    FIELD_SOURCE_PORT, FIELD_TIME_EPOCH,    FIELD_USER_NAME,
        FIELD_EVENT_ACTION, FIELD_MESSAGE,     FIELD_USER_AGENT,    FIELD_DESTINATION_DOMAIN,
        FIELD_URL_DOMAIN,   FIELD_URL_PATH,    FIELD_URL_PORT,      FIELD_URL_QUERY,
        FIELD_URL_ORIGINAL, FIELD_FILE_NAME,   FIELD_SOURCE_COUNTRY};
    static const char *const LOCAL[] = {"fortigate.k1", "fortigate.vwlid", "fortigate.none"};
    bool local = random_below(r, 5) == 0;
    *name = local ? slice_from(PICK(r, LOCAL)) : SLICE("");
    *field = local ? (uint16_t)FIELD_UNNAMED : PICK(r, FIELDS);
}

static void random_ref(struct random *r, struct ast *leaf)
{
    leaf->op = AST_REF_EQUAL + random_below(r, 4);
    leaf->text = SLICE("");
    random_side(r, &leaf->field, &leaf->field_name);
    random_side(r, &leaf->other, &leaf->other_name);
}

/* Ask a leaf of every value of the event. */
static void random_any(struct random *r, struct ast *leaf)
{
    if (leaf->op == AST_RAW || leaf->op >= AST_REF_EQUAL || random_below(r, 8) != 0)
        return;
    leaf->any_field = true;
    leaf->field = FIELD_NONE;
    leaf->field_name = SLICE("");
}

static void random_leaf(struct random *r, struct arena *arena, const struct batch *b,
                        struct ast *leaf)
{
    *leaf = (struct ast){.kind = AST_LEAF, .cased = random_below(r, 5) == 0};
    leaf->field = PICK(r, ASKED);
    if (random_below(r, 5) == 0) {
        leaf->field_name = slice_from(PICK(r, NAMED));
        uint16_t id = field_find(leaf->field_name);
        leaf->field = id == FIELD_NONE ? (uint16_t)FIELD_UNNAMED : id;
    }
    leaf->text = some_text(r, arena, b, leaf->field);
    switch (random_below(r, 16)) {
    case 0:
    case 1:
        leaf->op = AST_EQUAL;
        leaf->text = change_case(r, arena, leaf->text);
        return;
    case 2:
    case 3:
    case 4:
        leaf->op = AST_GLOB;
        leaf->text = make_glob(r, arena, leaf->text);
        return;
    case 5:
    case 6:
        leaf->op = AST_CONTAINS;
        leaf->text = change_case(r, arena, leaf->text);
        return;
    case 7:
        leaf->op = AST_REGEX;
        leaf->text = slice_from(PICK(r, REGEXES));
        return;
    case 8:
        random_order(r, leaf);
        return;
    case 9:
        leaf->op = AST_NETWORK;
        (void)network_parse(&leaf->network, slice_from(PICK(r, NETS)), NULL);
        return;
    case 10:
        leaf->op = AST_EXISTS;
        return;
    case 11:
        leaf->op = AST_VALUE;
        return;
    case 12:
        random_part(r, leaf);
        return;
    case 13:
    case 14:
        random_ref(r, leaf);
        return;
    default:
        leaf->op = AST_RAW;
        return;
    }
}

struct ast *random_ast(struct random *r, struct arena *arena, const struct batch *b, unsigned depth)
{
    struct ast *node = arena_alloc(arena, sizeof(*node));
    uint32_t dice = random_below(r, 10);
    if (depth <= 1 || dice < 3) {
        random_leaf(r, arena, b, node);
        random_any(r, node);
        if (random_below(r, 60) == 0)
            *node = (struct ast){.kind = AST_TRUE};
        return node;
    }
    node->kind = dice < 6 ? AST_AND : dice < 9 ? AST_OR : AST_NOT;
    uint32_t count = node->kind == AST_NOT ? 1 : 1 + random_below(r, 4);
    for (uint32_t i = 0; i < count; i++) {
        struct ast *child = random_ast(r, arena, b, depth - 1);
        child->next = node->first;
        node->first = child;
    }
    return node;
}
