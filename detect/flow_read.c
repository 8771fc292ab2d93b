#include "detect/flow_read.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "detect/flow_hit.h"
#include "event/columns.h"
#include "event/source_class.h"

enum {
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TEXTS_FIRST = 256,
    AHEAD_TEXTS = 8, /* that are on their way from memory meanwhile */
};

/* The batch and where its rows go. */
struct reading {
    struct flow_reader *r;
    const struct batch *b;
    const uint32_t *order;
    struct flow *flows;
};

void flow_texts_reset(struct flow_texts *texts)
{
    buf_reset(&texts->bytes);
    texts->count = 0;
}

struct slice flow_text(const struct flow_texts *texts, uint32_t id)
{
    if (id == 0 || id > texts->count)
        return SLICE("");
    struct span s = texts->spans[id - 1];
    return slice_of(texts->bytes.data + s.offset, s.len);
}

void flow_reader_release(struct flow_reader *r)
{
    buf_release(&r->texts.bytes);
    buf_release(&r->scratch);
    free(r->texts.spans);
    r->texts.spans = NULL;
    r->texts.cap = 0;
    r->texts.count = 0;
}

uint32_t flow_text_add(struct flow_texts *t, struct slice text)
{
    if (t->count == t->cap) {
        uint32_t cap = t->cap == 0 ? TEXTS_FIRST : t->cap * 2;
        struct span *spans = realloc(t->spans, cap * sizeof(*spans));
        if (spans == NULL) {
            t->bytes.failed = true;
            return 0;
        }
        t->spans = spans;
        t->cap = cap;
    }
    t->spans[t->count] = (struct span){.offset = (uint32_t)t->bytes.len, .len = (uint32_t)text.len};
    buf_slice(&t->bytes, text);
    return ++t->count;
}

/* --------------------------------------------------------------- columns of a field */

/* The next column of a field in the order of ordinals: *at counts them; NULL at the end. */
static const struct column *column_of(const struct batch *b, uint16_t field, uint32_t *at)
{
    uint32_t seen = 0;
    for (uint32_t ordinal = 0; ordinal < SLOTS_MAX; ordinal++) {
        bool any = false;
        for (uint32_t i = 0; i < b->column_count; i++) {
            const struct column *c = &b->columns[i];
            if (c->field != field || c->ordinal != ordinal)
                continue;
            any = true;
            if (seen++ == *at) {
                (*at)++;
                return c;
            }
        }
        if (!any)
            return NULL;
    }
    return NULL;
}

static void read_ips(const struct reading *at, uint16_t field, uint16_t flag)
{
    const struct column *c = NULL;
    for (uint32_t next = 0; (c = column_of(at->b, field, &next)) != NULL;) {
        for (uint32_t row = 0; row < at->b->row_count; row++) {
            struct flow *f = &at->flows[at->order[row]];
            if ((f->flags & flag) != 0 || !column_is_present(c, row))
                continue;
            struct ip *ip = flag == FLOW_HAS_SOURCE ? &f->source : &f->destination;
            *ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
            f->flags |= flag;
        }
    }
}

/* Give a number of a row to its flow. */
typedef void take_number(struct flow *f, int64_t value);

static void take_source_port(struct flow *f, int64_t value)
{
    if (f->source_port == 0 && value > 0 && value <= UINT16_MAX)
        f->source_port = (uint16_t)value;
}

static void take_destination_port(struct flow *f, int64_t value)
{
    if (f->destination_port == 0 && value > 0 && value <= UINT16_MAX)
        f->destination_port = (uint16_t)value;
}

static void take_source_bytes(struct flow *f, int64_t value)
{
    if (f->source_bytes < 0)
        f->source_bytes = value;
}

static void take_destination_bytes(struct flow *f, int64_t value)
{
    if (f->destination_bytes < 0)
        f->destination_bytes = value;
}

static void read_numbers(const struct reading *at, uint16_t field, take_number *take)
{
    const struct column *c = NULL;
    for (uint32_t next = 0; (c = column_of(at->b, field, &next)) != NULL;) {
        for (uint32_t row = 0; row < at->b->row_count; row++) {
            if (c->numbers[row] != VALUE_NONE && c->numbers[row] >= 0)
                take(&at->flows[at->order[row]], c->numbers[row]);
        }
    }
}

/* Give a text of a row to its flow; for codes called with the same text once per row. */
typedef void take_text(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                       uint64_t key);

/* The value as it is meant, lower case when `lower`. */
static struct slice meant(struct flow_reader *r, const struct batch *b, struct span s, uint8_t kind,
                          bool lower)
{
    struct slice text = batch_span(b, s);
    if (!lower && !value_is_encoded(text, kind))
        return text;
    buf_reset(&r->scratch);
    value_decode(&r->scratch, text, kind);
    for (size_t i = 0; lower && i < r->scratch.len; i++) {
        char c = r->scratch.data[i];
        if (c >= 'A' && c <= 'Z')
            r->scratch.data[i] = (char)(c + ('a' - 'A'));
    }
    return buf_content(&r->scratch);
}

struct text_reader {
    uint16_t field;
    bool keep;  /* as a text with an id */
    bool keyed; /* and a keyed hash */
    bool lower;
    take_text *take;
};

static void read_codes(const struct reading *at, const struct text_reader *how,
                       const struct column *c)
{
    struct flow_reader *r = at->r;
    for (uint32_t code = 0; code < c->entry_count; code++) {
        if (c->entry_count - code > AHEAD_TEXTS)
            __builtin_prefetch(batch_span(at->b, c->entries[code + AHEAD_TEXTS]).data);
        struct slice text = meant(r, at->b, c->entries[code], c->kind, how->lower);
        r->key_of[code] = how->keyed && text.len != 0 ? hash_slice(r->shared->seed, text) | 1 : 0;
        r->text_of[code] = how->keep && text.len != 0 ? flow_text_add(&r->texts, text) : 0;
    }
    for (uint32_t row = 0; row < at->b->row_count; row++) {
        uint16_t code = c->codes[row];
        if (code == CODE_NONE)
            continue;
        struct slice text = how->keep ? flow_text(&r->texts, r->text_of[code])
                                      : batch_span(at->b, c->entries[code]);
        how->take(at, &at->flows[at->order[row]], text, r->text_of[code], r->key_of[code]);
    }
}

static void text_ahead(const struct batch *b, const struct column *c, uint32_t row)
{
    if (b->row_count - row > AHEAD_TEXTS && c->spans[row + AHEAD_TEXTS].len != SPAN_NONE)
        __builtin_prefetch(batch_span(b, c->spans[row + AHEAD_TEXTS]).data);
}

static void read_spans(const struct reading *at, const struct text_reader *how,
                       const struct column *c)
{
    struct flow_reader *r = at->r;
    for (uint32_t row = 0; row < at->b->row_count; row++) {
        text_ahead(at->b, c, row);
        if (c->spans[row].len == SPAN_NONE || c->spans[row].len == 0)
            continue;
        struct slice text = meant(r, at->b, c->spans[row], c->kind, how->lower);
        uint64_t key = how->keyed ? hash_slice(r->shared->seed, text) | 1 : 0;
        uint32_t id = how->keep ? flow_text_add(&r->texts, text) : 0;
        if (how->keep)
            text = flow_text(&r->texts, id);
        how->take(at, &at->flows[at->order[row]], text, id, key);
    }
}

static void read_texts(const struct reading *at, const struct text_reader *how)
{
    const struct column *c = NULL;
    for (uint32_t next = 0; (c = column_of(at->b, how->field, &next)) != NULL;) {
        if (c->storage == COLUMN_CODES)
            read_codes(at, how, c);
        else if (c->storage == COLUMN_TEXT)
            read_spans(at, how, c);
    }
}

/* ------------------------------------------------------------------- what texts mean */

static void take_domain(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                        uint64_t key)
{
    (void)at;
    (void)text;
    (void)key;
    if (f->domain == 0)
        f->domain = id;
    f->flags |= FLOW_WEB;
}

static void take_registered(const struct reading *at, struct flow *f, struct slice text,
                            uint32_t id, uint64_t key)
{
    (void)at;
    (void)text;
    if (f->registered == 0) {
        f->registered = id;
        f->destination_key = key;
    }
}

static void take_class(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                       uint64_t key)
{
    (void)at;
    (void)id;
    (void)key;
    if (slice_equal(text, source_class_name(SOURCE_CLASS_LGWAN_DENY)))
        f->flags |= FLOW_LGWAN;
}

static void take_user(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                      uint64_t key)
{
    (void)at;
    (void)text;
    (void)key;
    if (f->user == 0)
        f->user = id;
}

static bool begins(struct slice text, const char *word)
{
    size_t len = strlen(word);
    if (text.len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((text.data[i] | 32) != word[i])
            return false;
    }
    return true;
}

static bool holds(struct slice text, const char *word)
{
    for (size_t i = 0; i < text.len; i++) {
        if (begins(slice_from_offset(text, i), word))
            return true;
    }
    return false;
}

static uint8_t protocol_number(struct slice text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && i < 4; i++)
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    if (number != 0)
        return number <= UINT8_MAX ? (uint8_t)number : 0;
    if (begins(text, "tcp"))
        return PROTOCOL_TCP;
    if (begins(text, "udp"))
        return PROTOCOL_UDP;
    return begins(text, "icmp") ? PROTOCOL_ICMP : 0;
}

static void take_protocol(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                          uint64_t key)
{
    (void)at;
    (void)id;
    (void)key;
    if (f->protocol == 0)
        f->protocol = protocol_number(text);
}

/*
 * A login by what the device calls it: action and outcome, in whichever field a device writes them
 * (FortiGate: action=login status=failed, ssl-login-fail; PAN-OS: auth-fail; ASA: 605004, 113015).
 */
static void take_login(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                       uint64_t key)
{
    (void)at;
    (void)id;
    (void)key;
    /* FortiGate; SonicWall; Juniper, of a session that goes on. */
    if (slice_equal(text, SLICE("start")) || slice_equal(text, SLICE("Connection Opened")) ||
        slice_equal(text, SLICE("APPTRACK_SESSION_VOL_UPDATE")))
        f->flags |= FLOW_BEGINS;
    if (holds(text, "prelogin") || holds(text, "logout"))
        return;
    if (!holds(text, "login") && !holds(text, "logon") && !holds(text, "auth"))
        return;
    bool failed = holds(text, "fail") || holds(text, "denied") || holds(text, "reject");
    f->flags |= failed ? FLOW_LOGIN_FAILED : FLOW_LOGIN_DONE;
}

/* PAN-OS: TRAFFIC lines at a session's start and end. */
static void take_subtype(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                         uint64_t key)
{
    (void)at;
    (void)id;
    (void)key;
    if (slice_equal(text, SLICE("start")))
        f->flags |= FLOW_BEGINS;
}

/* Sophos: Start, Interim, Stop. What a record before the end counts is in the end's, too. */
static void take_phase(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                       uint64_t key)
{
    (void)at;
    (void)id;
    (void)key;
    if (begins(text, "start") || begins(text, "interim"))
        f->flags |= FLOW_BEGINS;
}

static void take_outcome(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                         uint64_t key)
{
    (void)at;
    (void)id;
    (void)key;
    if ((f->flags & FLOW_LOGIN_DONE) != 0 && (begins(text, "fail") || begins(text, "denied"))) {
        f->flags &= (uint16_t)~FLOW_LOGIN_DONE;
        f->flags |= FLOW_LOGIN_FAILED;
    }
}

static void take_code(const struct reading *at, struct flow *f, struct slice text, uint32_t id,
                      uint64_t key)
{
    static const char *const FAILED[] = {"605004", "113005", "113015", "113021",
                                         "109006", "109023", "716039"};
    static const char *const DONE[] = {"605005", "113004", "113012", "109005", "716038"};
    static const char *const TRANSLATED[] = {"305009", "305010", "305011", "305012"};
    (void)at;
    (void)id;
    (void)key;
    /* Firepower: a connection's begin. FortiGate: its middle, with all bytes so far. */
    if (slice_equal(text, SLICE("430002")) || slice_equal(text, SLICE("0000000020")))
        f->flags |= FLOW_BEGINS;
    for (size_t i = 0; i < sizeof(FAILED) / sizeof(FAILED[0]); i++)
        f->flags |= slice_equal(text, slice_from(FAILED[i])) ? FLOW_LOGIN_FAILED : 0;
    for (size_t i = 0; i < sizeof(DONE) / sizeof(DONE[0]); i++)
        f->flags |= slice_equal(text, slice_from(DONE[i])) ? FLOW_LOGIN_DONE : 0;
    /* A translation is no connection: where it leads is an address of one's own. */
    for (size_t i = 0; i < sizeof(TRANSLATED) / sizeof(TRANSLATED[0]); i++) {
        if (slice_equal(text, slice_from(TRANSLATED[i]))) {
            f->flags &= (uint16_t)~FLOW_HAS_DESTINATION;
            f->destination_port = 0;
        }
    }
}

/* ---------------------------------------------------------------------- whole rows */

static void read_rows(const struct reading *at, uint8_t log_source)
{
    const struct batch *b = at->b;
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        int64_t offset = run->first_offset;
        for (uint32_t row = run->first_row; row < run->first_row + run->count; row++) {
            uint32_t sub = run->multi ? b->sub[row] : 0;
            if (row != run->first_row && sub == 0)
                offset++;
            uint8_t verdict = b->verdict[row];
            bool refused = verdict == VERDICT_DENY || verdict == VERDICT_DROP ||
                           verdict == VERDICT_RESET || verdict == VERDICT_BLOCK;
            unsigned flags = refused ? FLOW_REFUSED : 0;
            flags |= b->reason[row] == REASON_NONE ? 0 : FLOW_UNPARSED;
            flags |= b->time_source[row] == TIME_SOURCE_DEVICE ||
                             b->time_source[row] == TIME_SOURCE_SYSLOG
                         ? 0
                         : FLOW_NO_TIME;
            at->flows[at->order[row]] = (struct flow){.time_ns = b->time_ns[row],
                                                      .arrival_ns = b->arrival_ns[row],
                                                      .source_bytes = -1,
                                                      .destination_bytes = -1,
                                                      .offset = offset,
                                                      .partition = run->partition,
                                                      .sub = sub,
                                                      .flags = (uint16_t)flags,
                                                      .log_source = log_source,
                                                      .format = (uint8_t)b->format,
                                                      .verdict = verdict};
        }
    }
}

/* By how much an asset class raises severity; its names are in docs and sekisho.conf(5). */
static uint8_t importance(const struct detect_profile *p, uint16_t asset)
{
    if (asset == 0 || asset > p->asset_count)
        return 0;
    struct slice name = p->assets[asset - 1];
    if (slice_equal(name, SLICE("critical")) || slice_equal(name, SLICE("最重要")))
        return 2;
    return slice_equal(name, SLICE("important")) || slice_equal(name, SLICE("重要")) ? 1 : 0;
}

/* Whether the address is the municipality's; its zone, and what is said of it. */
static bool look_up(const struct flow_reader *r, const struct ip *ip, struct flow *f,
                    uint16_t *zone)
{
    struct zone_match m = {0};
    if (r->profile->networks != NULL)
        m = zone_find(r->profile->networks, ip);
    uint8_t raise = importance(r->profile, m.asset);
    *zone = m.zone;
    if (m.excluded)
        f->flags |= FLOW_EXCLUDED;
    if (raise > f->important)
        f->important = raise;
    return m.zone != 0 || m.asset != 0 || m.excluded || ip_is_private(ip);
}

static uint8_t direction_of(const struct flow *f, bool source_inside, bool destination_inside)
{
    unsigned ends = FLOW_HAS_SOURCE | FLOW_HAS_DESTINATION;
    bool to_name = f->domain != 0 && (f->flags & ends) == FLOW_HAS_SOURCE;
    if (to_name)
        return source_inside ? FLOW_OUT : FLOW_PASSING;
    if ((f->flags & ends) != ends)
        return FLOW_NOWHERE;
    if (source_inside)
        return destination_inside ? FLOW_INSIDE : FLOW_OUT;
    return destination_inside ? FLOW_IN : FLOW_PASSING;
}

/* A request that names an address in place of a host. */
static void address_from_domain(const struct flow_reader *r, struct flow *f)
{
    struct ip ip;
    if ((f->flags & FLOW_HAS_DESTINATION) != 0 || f->domain == 0)
        return;
    struct slice text = flow_text(&r->texts, f->domain);
    bool digit = text.len != 0 && ((text.data[0] >= '0' && text.data[0] <= '9') ||
                                   memchr(text.data, ':', text.len) != NULL);
    if (digit && ip_parse(text, &ip) != VALUE_INVALID) {
        f->destination = ip;
        f->flags |= FLOW_HAS_DESTINATION;
    }
}

static uint64_t address_key(const struct flow_reader *r, const struct ip *ip)
{
    return hash_bytes(r->shared->seed, ip->bytes, sizeof(ip->bytes)) | 1;
}

static void finish(const struct flow_reader *r, struct flow *f)
{
    bool source_inside = false;
    bool destination_inside = false;
    address_from_domain(r, f);
    if ((f->flags & FLOW_BEGINS) != 0) {
        f->source_bytes = -1; /* counted with the session's end */
        f->destination_bytes = -1;
    }
    if ((f->flags & FLOW_HAS_SOURCE) != 0) {
        f->source_key = address_key(r, &f->source);
        source_inside = look_up(r, &f->source, f, &f->source_zone);
        if (r->shared_networks != NULL && zone_find(r->shared_networks, &f->source).zone != 0)
            f->flags |= FLOW_SHARED_SOURCE;
    }
    if ((f->flags & FLOW_HAS_DESTINATION) != 0) {
        destination_inside = look_up(r, &f->destination, f, &f->destination_zone);
        if (f->destination_key == 0)
            f->destination_key = address_key(r, &f->destination);
    }
    f->direction = direction_of(f, source_inside, destination_inside);
    if (f->verdict == VERDICT_ALLOW && f->protocol == PROTOCOL_TCP && f->destination_bytes == 0 &&
        (f->flags & (FLOW_WEB | FLOW_BEGINS)) == 0)
        f->flags |= FLOW_FAILED;
}

void flow_comes_from(const struct flow_reader *r, struct flow *f, const struct ip *host)
{
    f->source = *host;
    f->source_key = address_key(r, host);
    bool inside = look_up(r, host, f, &f->source_zone);
    if (!inside && f->direction == FLOW_OUT)
        f->direction = FLOW_PASSING;
    else if (!inside && f->direction == FLOW_INSIDE)
        f->direction = FLOW_IN;
}

int flow_read(struct flow_reader *r, const struct batch *b, const uint32_t *order,
              uint8_t log_source, struct flow *flows)
{
    static const struct text_reader TEXTS[] = {
        {FIELD_URL_DOMAIN, true, false, true, take_domain},
        {FIELD_DESTINATION_DOMAIN, true, false, true, take_domain},
        {FIELD_URL_REGISTERED_DOMAIN, true, true, true, take_registered},
        {FIELD_USER_NAME, true, false, false, take_user},
        {FIELD_NETWORK_TRANSPORT, false, false, false, take_protocol},
        {FIELD_EVENT_ACTION, false, false, false, take_login},
        {FIELD_EVENT_SUBTYPE, false, false, false, take_subtype},
        {FIELD_SESSION_PHASE, false, false, false, take_phase},
        {FIELD_EVENT_OUTCOME, false, false, false, take_outcome},
        {FIELD_EVENT_CODE, false, false, false, take_code},
        {FIELD_SOURCE_CLASS, false, false, false, take_class},
    };
    struct reading at = {.r = r, .b = b, .order = order, .flows = flows};
    read_rows(&at, log_source);
    read_ips(&at, FIELD_SOURCE_IP, FLOW_HAS_SOURCE);
    read_ips(&at, FIELD_DESTINATION_IP, FLOW_HAS_DESTINATION);
    read_numbers(&at, FIELD_SOURCE_PORT, take_source_port);
    read_numbers(&at, FIELD_DESTINATION_PORT, take_destination_port);
    read_numbers(&at, FIELD_URL_PORT, take_destination_port);
    read_numbers(&at, FIELD_SOURCE_BYTES, take_source_bytes);
    read_numbers(&at, FIELD_DESTINATION_BYTES, take_destination_bytes);
    read_numbers(&at, FIELD_HTTP_REQUEST_BYTES, take_source_bytes);
    read_numbers(&at, FIELD_HTTP_RESPONSE_BYTES, take_destination_bytes);
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        read_texts(&at, &TEXTS[i]);
    for (uint32_t row = 0; row < b->row_count; row++)
        finish(r, &flows[order[row]]);
    flow_hit(r, b, order, flows);
    return buf_ok(&r->texts.bytes) && buf_ok(&r->scratch) ? 0 : ERR_NOMEM;
}
