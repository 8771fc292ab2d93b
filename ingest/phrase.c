#include "ingest/phrase.h"

#include <assert.h>

#include "event/value.h"
#include "ingest/meaning.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    ADDRESS_MAX_BYTES = VALUE_IP_TEXT_MAX + 24, /* with a port, and what is left out at the end */
};

/* Phrases by their first two bytes: chains in the order of the table, 1 = its first. */
struct index {
    const struct phrase_table *table;
    int alone_byte; /* of the phrase of one byte; -1: the table has none */
    uint8_t alone;
    uint8_t heads[UINT8_MAX + 1];
    uint8_t next[PHRASE_COUNT_MAX + 1];
};

static inline uint8_t pair_of(const char *at)
{
    return (uint8_t)((unsigned char)at[0] * 7U + (unsigned char)at[1]);
}

static void index_make(struct index *x, const struct phrase_table *table)
{
    assert(table->count <= PHRASE_COUNT_MAX);
    x->table = table;
    x->alone_byte = -1;
    x->alone = 0;
    memset(x->heads, 0, sizeof(x->heads));
    for (size_t i = table->count; i > 0; i--) {
        const struct slice words = table->phrases[i - 1].words;
        if (words.len == 1) {
            assert(x->alone_byte < 0);
            x->alone_byte = (unsigned char)*words.data;
            x->alone = (uint8_t)i;
            continue;
        }
        uint8_t *head = &x->heads[pair_of(words.data)];
        x->next[i] = *head;
        *head = (uint8_t)i;
    }
}

/* May a phrase begin at `at`? The padding behind the text is readable. */
static inline bool may_be_phrase(const struct index *x, const char *at)
{
    return x->heads[pair_of(at)] != 0 || (unsigned char)*at == x->alone_byte;
}

static const struct phrase *find_phrase(const struct index *x, const char *at, const char *to)
{
    const struct slice rest = slice_of(at, (size_t)(to - at));
    const uint8_t alone = (unsigned char)*at == x->alone_byte ? x->alone : 0;
    uint8_t i = x->heads[pair_of(at)];
    while (i != 0 && (alone == 0 || i < alone)) {
        const struct phrase *phrase = &x->table->phrases[i - 1];
        if (phrase->words.data[0] == at[0] && phrase->words.data[1] == at[1] &&
            slice_starts(rest, phrase->words))
            return phrase;
        i = x->next[i];
    }
    return alone == 0 ? NULL : &x->table->phrases[alone - 1];
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

/* Whether a value of the class may begin with the byte: most that do not are seen here. */
static bool may_begin(const struct phrase *phrase, char byte)
{
    char lower = (char)(byte | 0x20);
    if (phrase->class == PHRASE_NUMBER)
        return word_is_digit(byte);
    return phrase->class != PHRASE_ADDRESS || word_is_digit(byte) || byte == ':' ||
           (lower >= 'a' && lower <= 'f');
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

static bool begins_word(const char *at, const char *from)
{
    return at == from || !word_is_letter(*at) ||
           (!word_is_letter(at[-1]) && !word_is_digit(at[-1]) && at[-1] != '_');
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
    struct index index;
    index_make(&index, table);
    const char *told = from;
    for (const char *at = from; at < to;) {
        const bool may = may_be_phrase(&index, at) && begins_word(at, from);
        const struct phrase *phrase = may ? find_phrase(&index, at, to) : NULL;
        if (phrase == NULL) {
            at++;
            continue;
        }
        const char *value = at + phrase->words.len;
        at = value;
        if (value == to || !may_begin(phrase, *value))
            continue;
        const char *end = value_end(phrase, value, to);
        if (!is_value(phrase, value, end))
            continue;
        if ((tell && !add_told(c, told, value)) || !add_value(c, phrase, value, end))
            return false;
        at = end;
        told = end;
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
