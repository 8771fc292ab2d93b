/*
 * Keys and values of any device or service that is no format of its own (logfmt among them):
 *
 *   action=deny proto=tcp src=192.0.2.7 sport=40000 dst=198.51.100.9 dport=443 rule="block all"
 *   time=2026-11-21T10:00:00+09:00 level=info msg="request done" client_ip=192.0.2.7 method=GET status=200
 *   date=2026/11/21,time=10:00:00,user=taro,srcip=192.0.2.7
 *
 * What a key means is looked up by its name (ingest/names.h), as for JSON of an unknown vendor. A field
 * that has a value gets no second one from another key.
 */
#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/names.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    NAMED_MIN = 3,   /* keys that mean something in the first bytes of a line that is ours */
    ASKED_MAX = 32,  /* keys that a probe looks up */
    OWNED_WORDS = 5, /* of 64 fields each; later ones may have several keys */
    OWN_FORM = (int)PAIR_OWN, /* treatments from here on: enum meaning_form */
    DATE_BYTES = 10,          /* 2026-11-21 */
    CLOCK_BYTES_MIN = 8,      /* 10:00:00 */
};

/* The fields that have a value, as bits; and the last key that took one, which may come again. */
struct owned {
    uint64_t fields[OWNED_WORDS];
    const char *last;
};

static struct meaning meaning_of(struct names_places *places, struct slice name)
{
    char plain[NAMES_PLAIN_MAX];
    const size_t length = names_plain(plain, sizeof(plain), name);
    return names_key(places, VENDOR_KEY_VALUE, slice_of(plain, length), name);
}

static struct pair_key mean(struct names_places *places, struct slice name)
{
    const struct meaning meaning = meaning_of(places, name);
    return (struct pair_key){.field = meaning.field,
                             .treatment = (uint8_t)(OWN_FORM + meaning.form)};
}

/* Take the field for the value of that key; false where it has one of another. */
static bool take(struct owned *owned, uint16_t field, const char *key)
{
    if (field / 64 >= OWNED_WORDS || owned->last == key)
        return true;
    const uint64_t bit = UINT64_C(1) << field % 64;
    uint64_t *word = &owned->fields[field / 64];
    if ((*word & bit) != 0)
        return false;
    *word |= bit;
    owned->last = key;
    return true;
}

/* A date and a time of day that stand apart are parts of the stamp. */
static uint16_t time_part(struct slice value)
{
    if (value.len == DATE_BYTES && value.data[4] == value.data[7] &&
        (value.data[4] == '-' || value.data[4] == '/'))
        return FIELD_TIME_DATE;
    const bool clock = value.len >= CLOCK_BYTES_MIN && value.data[2] == ':' && value.data[5] == ':';
    return clock ? FIELD_TIME_CLOCK : FIELD_NONE;
}

/* A name where an address is due is of another field. */
static bool is_name(struct slice value)
{
    return !word_is_digit(*value.data) &&
           scan_byte(value.data, value.data + value.len, ':') == value.data + value.len;
}

static bool add_value(struct pairs *p, const struct pair *pair)
{
    const struct slice value = pair_value(pair);
    struct meaning meaning = {.field = pair->key->field,
                              .form = (uint8_t)(pair->key->special - OWN_FORM)};
    const struct slot slot = {.offset = (uint32_t)(value.data - p->line.data),
                              .length = (uint32_t)value.len,
                              .kind = pair->key->kind};
    if (value.len == 0 || meaning.field == FIELD_UNNAMED || meaning_is_none(value))
        return value.len == 0 || pairs_add(p, pair, pair->value, pair->close, FIELD_UNNAMED);
    const uint16_t part = meaning.form == MEANING_TIME ? time_part(value) : (uint16_t)FIELD_NONE;
    if (part != FIELD_NONE)
        meaning = (struct meaning){.field = part, .form = MEANING_TEXT};
    if (meaning.form == MEANING_STATUS && meaning_is_http_status(value))
        meaning.field = FIELD_HTTP_STATUS;
    const bool other = meaning.form == MEANING_PEER && is_name(value);
    if (!other && !take(p->self, meaning.field, pair->name))
        return pairs_add(p, pair, pair->value, pair->close, FIELD_UNNAMED);
    return meaning_slots(p->out, p->line, &meaning, &slot);
}

static const struct pairs_style STYLE = {
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .mean = mean,
    .own = add_value,
};

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct owned owned = {.last = NULL};
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .places = pairs_places(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .self = &owned};
    return pairs_read_line(&p, from);
}

/* Whether an address stands behind the assignment at `at`. */
static bool holds_address(const char *at, const char *end)
{
    const char *from = at + 1 + (end - at > 1 && at[1] == '"');
    const char *to = from;
    while (to < end && strchr(" ,|;\t\"", *to) == NULL)
        to++;
    return url_host_is_address(slice_of(from, (size_t)(to - from)));
}

/* Three keys that mean something, one of them where from or where to with an address behind it. */
static bool probe(struct slice message)
{
    const struct slice head = word_head(message);
    const char *end = head.data + head.len;
    int named = 0;
    bool address = false;
    if (pairs_first(&STYLE, head.data, end) == NULL)
        return false;
    const char *at = scan_byte(head.data, end, '=');
    for (int i = 0; i < ASKED_MAX && at < end; i++, at = scan_byte(at + 1, end, '=')) {
        const char *name = pairs_name_before(head.data, at);
        const struct meaning meaning = meaning_of(NULL, slice_of(name, (size_t)(at - name)));
        named += meaning.field != FIELD_UNNAMED;
        address = address ||
                  ((meaning.field == FIELD_SOURCE_IP || meaning.field == FIELD_DESTINATION_IP) &&
                   holds_address(at, end));
        if (named >= NAMED_MIN && address)
            return true;
    }
    return false;
}

/* The verb, else what became of it. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    const uint8_t found = meaning_verdict(action);
    return found != VERDICT_UNKNOWN ? found : meaning_verdict(beside);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

const struct parser parser_key_value = {
    .name = "key_value",
    .format = FORMAT_KEY_VALUE,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .verdict_else = FIELD_EVENT_OUTCOME,
    .last_resort = true,
};
