#include "ingest/panos_pairs.h"

#include "ingest/names.h"
#include "ingest/pairs.h"
#include "ingest/panos_value.h"
#include "ingest/word.h"

enum {
    OWN_FORM = (int)PAIR_OWN, /* treatments from here on: enum meaning_form */
};

/* What a line has said so far. */
struct said {
    enum panos_object object; /* by the subtype */
    const char *threat;       /* the key that named it, which may come again; NULL: none did */
};

/* What the operator's name for a variable means. */
static struct pair_key mean(struct names_places *places, struct slice name)
{
    char plain[NAMES_PLAIN_MAX];
    const size_t length = names_plain(plain, sizeof(plain), name);
    const struct meaning meaning = names_key(places, VENDOR_PANOS, slice_of(plain, length), name);
    return (struct pair_key){.field = meaning.field,
                             .treatment = (uint8_t)(OWN_FORM + meaning.form)};
}

/* "$misc", "$number-of-severity": a variable that this log type does not have. */
static bool is_unfilled(struct slice value)
{
    for (size_t i = 1; i < value.len; i++) {
        char c = value.data[i];
        if (!(c >= 'a' && c <= 'z') && !word_is_digit(c) && c != '_' && c != '-')
            return false;
    }
    return value.len > 1 && value.data[0] == '$';
}

/* The value without the quotes that PAN-OS puts around a text of its own: key=""www.example.com/"" */
static struct pair without_quotes(const struct pair *pair)
{
    struct pair inner = *pair;
    if (pair->close - pair->value >= 2 && *pair->value == '"' && pair->close[-1] == '"') {
        inner.value++;
        inner.close--;
    }
    return inner;
}

static bool add_value(struct pairs *p, const struct pair *written)
{
    const struct pair inner = without_quotes(written);
    const struct pair *pair = &inner;
    const struct slice value = pair_value(pair);
    const struct meaning meaning = {.field = pair->key->field,
                                    .form = (uint8_t)(pair->key->special - OWN_FORM)};
    const struct slot slot = {.offset = (uint32_t)(value.data - p->line.data),
                              .length = (uint32_t)value.len,
                              .kind = pair->key->kind};
    struct said *said = p->self;
    if (value.len == 0 || is_unfilled(value))
        return true;
    const bool threat = meaning.form == MEANING_PANOS_THREAT;
    const bool again = threat && said->threat != NULL && said->threat != pair->name;
    if (meaning.field == FIELD_UNNAMED || again)
        return pairs_add(p, pair, pair->value, pair->close, FIELD_UNNAMED);
    if (meaning.form == MEANING_PANOS_OBJECT)
        return panos_object_slots(p->out, p->line, &slot, said->object);
    if (meaning.field == FIELD_USER_NAME)
        return panos_account_slots(p->out, p->line, &slot);
    if (meaning.field == FIELD_EVENT_SUBTYPE)
        said->object = panos_object_of(value);
    if (threat)
        said->threat = pair->name;
    return meaning_slots(p->out, p->line, &meaning, &slot);
}

static const struct pairs_style STYLE = {
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .mean = mean,
    .own = add_value,
};

/* What stands behind "type=" if it is in capitals, without quotes; else empty. */
static struct slice upper_value(const char *at, const char *end)
{
    at += at < end && *at == '"';
    const char *stop = at;
    while (stop < end && ((*stop >= 'A' && *stop <= 'Z') || *stop == '-'))
        stop++;
    const bool closed = stop == end || (!word_is_letter(*stop) && *stop != '_');
    return closed ? slice_of(at, (size_t)(stop - at)) : SLICE("");
}

struct slice panos_pairs_type(struct slice message)
{
    const struct slice head = word_head(message);
    const char *end = head.data + head.len;
    struct slice type = SLICE("");
    bool subtype = false;
    for (const char *hit = scan_text(head.data, end, SLICE("ype=")); hit < end;
         hit = scan_text(hit + 4, end, SLICE("ype="))) {
        const struct slice before = slice_of(head.data, (size_t)(hit - head.data));
        if (before.len == 0 || (hit[-1] | 0x20) != 't')
            continue;
        if (word_holds(slice_from_offset(before, before.len < 5 ? 0 : before.len - 5),
                       SLICE("sub")))
            subtype = true;
        else if (type.len == 0)
            type = upper_value(hit + 4, end);
    }
    return subtype ? type : SLICE("");
}

struct parser_state *panos_pairs_state_new(void)
{
    return pairs_state_new(&STYLE);
}

enum parse_result panos_pairs_parse(struct parser_state *state, struct slice line, uint32_t from,
                                    struct slots *out)
{
    struct said said = {.threat = NULL};
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .places = pairs_places(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .self = &said};
    return pairs_read_line(&p, from);
}
