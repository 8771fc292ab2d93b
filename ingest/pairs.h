/*
 * ingest/pairs.h - private to ingest/: lines that are lists of keys and values.
 *
 *   date=2026-11-21 name="fw 1" note=two words action=drop      '=', a blank
 *   [action:"Accept"; rule:"a\]b"; ]                            ':', a semicolon
 *   SrcIP: 192.0.2.7, DstIP: 198.51.100.9                       ": ", a comma
 *   name=""fw 1"" action=""drop""                               quotes of a line that was quoted
 *
 * A value is bare up to the separator, or quoted. Devices do not escape quotes inside reliably and
 * leave backslashes alone ("EXAMPLE\user", "C:\"): the quote that closes a value is the one behind
 * which the line ends or the next key begins. A bare text goes on where no key follows the
 * separator. Keys are recognised by what followed them before (ingest/key_order.h).
 *
 * Layer:     ingest; knows slots only.
 * Ownership: a style is static; struct pairs lives as long as one line is read.
 * Threads:   a parser's memory has one owner.
 * Failures:  PARSE_PARTIAL where neither a key nor the rest of a value begins, where a quote is
 *            never closed, and when the slots are full; what was appended until then is good.
 */
#pragma once

#include "ingest/key_order.h"
#include "ingest/names.h"
#include "ingest/parser.h"

enum pairs_limits {
    PAIRS_NAME_MAX_BYTES = 64, /* of a key; what is longer is no key */
    PAIRS_BEFORE_MAX = 128,    /* bytes of a text in front of the first key */
    PAIRS_FRESH_MAX =
        16, /* keys that a line adds to the memory: a line of nothing else spoils it */
};

/* What is done with a value instead of marking it as it stands. */
enum pair_treatment {
    PAIR_NONE,
    PAIR_ABSENT,  /* the style's `absent` means that there is none */
    PAIR_URL,     /* the same, and split into its parts */
    PAIR_ACCOUNT, /* the same, and DOMAIN\user split */
    PAIR_OWN,     /* from here on: the format's own */
};

struct pair_key {
    struct slice name;
    uint16_t field; /* FIELD_UNNAMED: searchable by its name */
    uint8_t treatment;
};

/* A row of a key table, KEY(name, FIELD, TREATMENT); PREFIX is that of the treatments' names. */
#define PAIR_KEY(text, field_name, treat)                                    \
    {                                                                        \
        {.data = (text), .len = sizeof(text) - 1}, FIELD_##field_name, treat \
    }

/* One pair as it stands in the line. */
struct pair {
    const struct key *key;
    const char *name;
    const char *value;
    const char *close; /* behind the value */
};

struct pairs;

/* How a format writes its pairs. */
struct pairs_style {
    const struct pair_key *keys; /* sorted by name */
    size_t key_count;
    struct slice assign;  /* between key and value, without the quote: 1 or 2 bytes */
    bool blanks_in_names; /* "Prefilter Policy: " */
    bool quoted_only;     /* no bare values; then a name may end in a ':' of its own ("ike::") */
    uint8_t quoted_kind;  /* enum slot_kind of quoted values */
    struct slice absent;  /* for PAIR_ABSENT, PAIR_URL and PAIR_ACCOUNT */
    /* What a key that is not in `keys` means, whatever the rest of the line; NULL: it is unnamed. */
    struct pair_key (*mean)(struct names_places *places, struct slice name);
    /* Append a value whose treatment is PAIR_OWN or above; false when the slots are full. */
    bool (*own)(struct pairs *p, const struct pair *pair);
};

/* The pairs of one line. Set all but `fresh` and `scratch`, which begin as zeros, before pairs_read(). */
struct pairs {
    const struct pairs_style *style;
    struct key_order *order;     /* NULL: nothing is remembered */
    struct names_places *places; /* for the style's mean(), or NULL */
    struct slots *out;
    struct slice line;
    const char *end;    /* of the last pair; not behind the line */
    char separator;     /* between pairs; blanks behind it are passed over */
    bool doubled;       /* quotes stand twice where values are quoted */
    uint32_t marks;     /* the format's own, for what it saw in this line */
    void *self;         /* the same, of a kind of its own */
    uint32_t fresh;     /* keys that the line added to the order */
    struct key scratch; /* a key that is not remembered */
};

/* Append the slots of the pairs from `at` on. Cost is linear in the bytes. */
enum parse_result pairs_read(struct pairs *p, const char *at);

/* Append [from, to) under `field`; as the value of its own key where that is FIELD_UNNAMED. */
bool pairs_add(struct pairs *p, const struct pair *pair, const char *from, const char *to,
               uint16_t field);

/* The value of a pair, and whether it is what the style writes for none. */
struct slice pair_value(const struct pair *pair);
bool pairs_absent(const struct pairs *p, const struct pair *pair);

/* The bytes of the key before the assignment at `at`, or 0 when there is no key. */
size_t pairs_name_length(const struct pairs_style *style, const char *at, const char *end);

/* Where the name in front of the assignment at `at` begins, `from` at the earliest; `at`: there is none. */
const char *pairs_name_before(const char *from, const char *at);

/* Where the first key begins: at `from` or behind a blank within PAIRS_BEFORE_MAX bytes; NULL: nowhere. */
const char *pairs_first(const struct pairs_style *style, const char *from, const char *end);

/*
 * Read a line that is pairs from line[from] on, or behind a text, which becomes column 0. Sets the
 * separator by what stands between the first two pairs, one of " ,|;\t". PARSE_MISMATCH where there is
 * no key, or none has a field of its own.
 */
enum parse_result pairs_read_line(struct pairs *p, uint32_t from);

/* PARSE_MISMATCH instead of `result` where none of the slots since `mark` has a field of its own. */
enum parse_result pairs_ours(const struct pairs *p, uint32_t mark, enum parse_result result);

/*
 * The memory of a parser whose pairs are of that style: its keys must be sorted. The order in it is
 * NULL where there is no state.
 */
struct parser_state *pairs_state_new(const struct pairs_style *style);
void pairs_state_free(struct parser_state *state);
struct key_order *pairs_order(struct parser_state *state);
/* For styles that have mean(): NULL where there is no state. */
struct names_places *pairs_places(struct parser_state *state);

/*
 * The same for a format of several styles, `index` telling which. Each has an order of its own: what
 * is a key in one of them (time:") is none in another.
 */
struct parser_state *pairs_states_new(const struct pairs_style *const *styles, size_t count);
struct key_order *pairs_order_at(struct parser_state *state, size_t index);

/* For parser.key_at. */
const char *pairs_key_at(const struct pairs_style *style, size_t index, uint16_t *field,
                         bool *unnamed);
