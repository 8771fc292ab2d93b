#include "ingest/phrase.h"

#include "event/value.h"
#include "ingest/byte_mask.h"
#include "ingest/meaning.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    ADDRESS_MAX_BYTES = VALUE_IP_TEXT_MAX + 24, /* with a port, and what is left out at the end */
};

static inline bool is_word(char c)
{
    return word_is_letter(c) || word_is_digit(c) || c == '_';
}

/* The places where a phrase of the table may begin: not at a letter within a word. */
struct places {
    const char *block; /* 64 bytes of the text */
    const char *end;
    uint64_t mask;   /* of the block, not yet told */
    uint64_t digits; /* all bits where one may begin with a digit, none else */
    uint64_t marks;  /* the same of what is neither digit nor letter */
};

/* Begin at `at`; `inside`: the byte before it is of a word. The padding behind the text is read. */
static inline void places_seek(struct places *p, const char *at, bool inside)
{
    const uint64_t letters = byte_mask_letters(at);
    const uint64_t digits = byte_mask_digits(at);
    const uint64_t words = letters | digits | byte_mask(at, '_');
    p->block = at;
    p->mask = (letters & ~(words << 1 | inside)) | (digits & p->digits) |
              (~(letters | digits) & p->marks);
}

static inline const char *places_next(struct places *p)
{
    while (p->mask == 0) {
        if (p->end - p->block <= BYTE_MASK_BLOCK)
            return p->end;
        places_seek(p, p->block + BYTE_MASK_BLOCK, is_word(p->block[BYTE_MASK_BLOCK - 1]));
    }
    const char *at = p->block + __builtin_ctzll(p->mask);
    p->mask &= p->mask - 1;
    return at < p->end ? at : p->end;
}

/* Tell no place before `at`, which stands behind one that was told. */
static inline void places_skip(struct places *p, const char *at)
{
    if (at - p->block < BYTE_MASK_BLOCK)
        p->mask &= UINT64_MAX << (at - p->block);
    else
        places_seek(p, at, is_word(at[-1]));
}

/* The rows that may be the phrase of one byte, as bits. */
static inline uint64_t alone_rows(const struct phrase_table *table)
{
    return table->alone == 0 ? 0 : byte_mask(table->keys, (char)((unsigned)table->alone * 7U));
}

/* The phrase that begins at `at`; the padding is readable. `alone`: as alone_rows() gives it. */
static inline const struct phrase *find_phrase(const struct phrase_table *table, uint64_t alone,
                                               const char *at, const char *to)
{
    const unsigned char first = (unsigned char)*at;
    const unsigned key = PHRASE_KEY(at);
    const bool pair = (table->used[key / 64] >> key % 64 & 1) != 0;
    /* No value begins with what stands in front of one. */
    uint64_t found = first == table->alone && at[1] != at[0] ? alone : 0;
    if (!pair && found == 0)
        return NULL;
    if (pair)
        found |= byte_mask(table->keys, (char)key);
    const struct slice rest = slice_of(at, (size_t)(to - at));
    for (; found != 0; found &= found - 1) {
        const size_t i = (size_t)__builtin_ctzll(found);
        const struct phrase *phrase = &table->phrases[i];
        if (i < table->count && *phrase->words.data == *at && slice_starts(rest, phrase->words))
            return phrase;
    }
    return NULL;
}

/* Behind METHOD URL [HTTP/version], which a '>' or a quote may close; `from` where there is none. */
static const char *request_end(const char *from, const char *to)
{
    const char *method = from;
    while (method < to && *method >= 'A' && *method <= 'Z')
        method++;
    if (method == from || method + 1 >= to || *method != ' ')
        return from;
    const char *url = scan_byte(method + 1, to, ' ');
    if (!slice_starts(slice_of(url, (size_t)(to - url)), SLICE(" HTTP/")))
        return url;
    const char *end = url + 6;
    while (end < to && (word_is_digit(*end) || *end == '.'))
        end++;
    return end;
}

static const char *value_end(const struct phrase *phrase, const char *from, const char *to)
{
    if (phrase->class == PHRASE_REST)
        return to;
    const ptrdiff_t longest =
        phrase->class == PHRASE_ADDRESS ? ADDRESS_MAX_BYTES : PHRASE_VALUE_MAX_BYTES;
    if (to - from > longest)
        to = from + longest;
    if (phrase->close != 0)
        return scan_byte(from, to, phrase->close);
    if (phrase->class == PHRASE_REQUEST)
        return request_end(from, to);
    const char *end = scan_either(from, to, ' ', ',');
    while (end > from && strchr(":;.)]>'\"", end[-1]) != NULL)
        end--;
    return end;
}

/* Where the address of "192.0.2.7:7540" ends, of IPv6 the whole; `from` where there is none. */
static const char *address_end(const char *from, const char *to)
{
    const char *hash = scan_byte(from, to, '#');
    if (hash < to)
        return url_host_is_address(slice_of(from, (size_t)(hash - from))) ? hash : from;
    const char *colon = scan_byte(from, to, ':');
    if (url_host_is_address(slice_of(from, (size_t)(to - from))))
        return to;
    return url_host_is_address(slice_of(from, (size_t)(colon - from))) ? colon : from;
}

static bool add_address(struct cursor *c, const struct phrase *phrase, const char *from,
                        const char *to)
{
    const char *colon = address_end(from, to);
    return cursor_add(c, from, colon, phrase->field) &&
           (colon + 1 >= to || phrase->port == FIELD_NONE ||
            cursor_add(c, colon + 1, to, phrase->port));
}

static bool add_account(struct cursor *c, const char *from, const char *to)
{
    const char *sign = scan_byte(from, to, '@');
    if (sign == from || sign + 1 >= to)
        return account_slots(c->out, c->line, cursor_offset(c, from), (uint32_t)(to - from),
                             SLOT_PLAIN);
    return cursor_add(c, from, sign, FIELD_USER_NAME) &&
           cursor_add(c, sign + 1, to, FIELD_USER_DOMAIN);
}

static bool add_site(struct cursor *c, const char *from, const char *to)
{
    const struct meaning site = {.field = FIELD_URL_ORIGINAL, .form = MEANING_SITE};
    const struct slot url = {.offset = cursor_offset(c, from), .length = (uint32_t)(to - from)};
    return meaning_slots(c->out, c->line, &site, &url);
}

static bool add_request(struct cursor *c, const char *from, const char *to)
{
    const char *method = scan_byte(from, to, ' ');
    const char *url = scan_byte(method + 1, to, ' ');
    return cursor_add(c, from, method, FIELD_HTTP_METHOD) && add_site(c, method + 1, url) &&
           (url == to || cursor_add(c, url + 6, to, FIELD_HTTP_VERSION));
}

static bool add_value(struct cursor *c, const struct phrase *phrase, const char *from,
                      const char *to)
{
    switch ((enum phrase_class)phrase->class) {
    case PHRASE_ADDRESS:
        return add_address(c, phrase, from, to);
    case PHRASE_ACCOUNT:
        return add_account(c, from, to);
    case PHRASE_URL:
        return url_slots(c->out, c->line, cursor_offset(c, from), (uint32_t)(to - from),
                         SLOT_PLAIN);
    case PHRASE_SITE:
        return add_site(c, from, to);
    case PHRASE_REQUEST:
        return add_request(c, from, to);
    case PHRASE_WORD:
    case PHRASE_NUMBER:
    case PHRASE_REST:
        break;
    }
    return cursor_add(c, from, to, phrase->field);
}

static bool is_hex(char byte)
{
    char lower = (char)(byte | 0x20);
    return word_is_digit(byte) || (lower >= 'a' && lower <= 'f');
}

/* Whether a value of the class may begin at `at`: most that do not are seen here. */
static bool may_begin(const struct phrase *phrase, const char *at)
{
    if (phrase->class == PHRASE_NUMBER)
        return word_is_digit(*at);
    if (phrase->class != PHRASE_ADDRESS)
        return true;
    if (*at == ':')
        return at[1] == ':';
    return is_hex(*at) && (is_hex(at[1]) || at[1] == '.' || at[1] == ':');
}

/* Is [from, to) what the phrase's class asks for? */
static bool is_value(const struct phrase *phrase, const char *from, const char *to)
{
    if (phrase->class == PHRASE_ADDRESS)
        return from < to && address_end(from, to) > from;
    for (const char *at = from; phrase->class == PHRASE_NUMBER && at < to; at++) {
        if (!word_is_digit(*at))
            return false;
    }
    return from < to;
}

/* [from, to) without blanks at its ends is text; nothing for nothing. */
static bool add_told(struct cursor *c, const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\n' || to[-1] == '\r'))
        to--;
    return from == to || cursor_add(c, from, to, FIELD_MESSAGE);
}

static bool walk(struct cursor *c, const struct phrase_table *table, const char *from,
                 const char *to, bool tell)
{
    const char *told = from;
    struct places places = {
        .end = to, .digits = 0 - (uint64_t)table->digits, .marks = 0 - (uint64_t)table->marks};
    const uint64_t alone = alone_rows(table);
    places_seek(&places, from, false);
    for (const char *at = places_next(&places); at < to; at = places_next(&places)) {
        const struct phrase *phrase = find_phrase(table, alone, at, to);
        if (phrase == NULL)
            continue;
        const char *value = at + phrase->words.len;
        const char *end = value;
        if (value < to && may_begin(phrase, value))
            end = value_end(phrase, value, to);
        const bool found = is_value(phrase, value, end);
        if (found && ((tell && !add_told(c, told, value)) || !add_value(c, phrase, value, end)))
            return false;
        told = found ? end : told;
        at = found ? end : value;
        places_skip(&places, at);
    }
    return !tell || add_told(c, told, to);
}

bool phrase_add(struct cursor *c, const struct phrase_table *table, const char *from,
                const char *to)
{
    return walk(c, table, from, to, false);
}

bool phrase_tell(struct cursor *c, const struct phrase_table *table, const char *from,
                 const char *to)
{
    return walk(c, table, from, to, true);
}
