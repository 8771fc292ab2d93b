#include "detect/flow_hit.h"

#include "detect/indicator_set.h"

enum {
    COLUMNS_MAX = 8, /* of one field: ordinal 0 in all its kinds */
    CACHE_SLOTS = 256,
    AHEAD_ROWS = 8, /* whose lookups wait for memory meanwhile */
};

/* Where the texts of a field are. */
struct texts {
    const struct column *columns[COLUMNS_MAX];
    size_t count;
};

/* Hosts come again and again: the answer for a text id. */
struct cache {
    uint32_t ids[CACHE_SLOTS]; /* 0 = free */
    uint32_t hits[CACHE_SLOTS];
};

struct flow_hits {
    struct flow_reader *r;
    const struct indicator_set *set;
    const struct batch *b;
    struct texts path;
    struct texts query;
    struct texts whole; /* URLs that are not in parts */
    struct texts agent;
    struct texts question;
    struct cache hosts;
};

static struct texts texts_of(const struct batch *b, uint16_t field)
{
    struct texts t = {0};
    for (uint32_t i = 0; i < b->column_count && t.count < COLUMNS_MAX; i++) {
        const struct column *c = &b->columns[i];
        if (c->field == field && c->ordinal == 0 &&
            (c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT))
            t.columns[t.count++] = c;
    }
    return t;
}

/* A row's text, percent escapes as they are; valid until the next call. Empty when it has none. */
static struct slice text_at(struct flow_hits *h, const struct texts *t, uint32_t row)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct column *c = t->columns[i];
        struct span s = {.len = SPAN_NONE};
        if (c->storage == COLUMN_TEXT)
            s = c->spans[row];
        else if (c->codes[row] != CODE_NONE)
            s = c->entries[c->codes[row]];
        if (s.len == SPAN_NONE)
            continue;
        struct slice text = batch_span(h->b, s);
        if (slot_writing(c->kind) == SLOT_PERCENT || !value_is_encoded(text, c->kind))
            return text;
        buf_reset(&h->r->scratch);
        value_decode(&h->r->scratch, text, c->kind);
        return buf_content(&h->r->scratch);
    }
    return SLICE("");
}

static uint32_t host_hit(struct flow_hits *h, const struct flow *f)
{
    size_t slot = f->domain % CACHE_SLOTS;
    struct slice host = flow_text(&h->r->texts, f->domain);
    if (h->hosts.ids[slot] != f->domain) {
        h->hosts.ids[slot] = f->domain;
        h->hosts.hits[slot] = indicator_find_domain(h->set, host, INT64_MIN);
    }
    uint32_t hit = h->hosts.hits[slot];
    if (hit == 0 || indicator_is_live(h->set, hit, f->time_ns))
        return hit;
    return indicator_find_domain(h->set, host, f->time_ns);
}

/* The URL as it was looked for: host, path and query, for people; what is too long is left out. */
static uint32_t url_text(struct flow_hits *h, const struct flow *f, const struct indicator_url *url)
{
    char memory[INDICATOR_URL_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf text = {
        .data = memory, .cap = INDICATOR_URL_BYTES_MAX, .limit = INDICATOR_URL_BYTES_MAX};
    buf_slice(&text, flow_text(&h->r->texts, f->domain));
    buf_slice(&text, url->path);
    if (url->query.len != 0 && url->query.len < text.cap - text.len) {
        buf_byte(&text, '?');
        buf_slice(&text, url->query);
    }
    return flow_text_add(&h->r->texts, buf_content(&text));
}

static uint32_t url_hit(struct flow_hits *h, struct flow *f, uint32_t row)
{
    char path[INDICATOR_URL_BYTES_MAX];
    struct indicator_url url = {.host = flow_text(&h->r->texts, f->domain),
                                .port = f->destination_port,
                                .path = text_at(h, &h->path, row)};
    /* What was decoded lies in the scratch that the query may need; longer ones cannot be listed. */
    if (url.path.data == h->r->scratch.data && url.path.len != 0) {
        url.path.len = url.path.len < sizeof(path) ? url.path.len : sizeof(path);
        memcpy(path, url.path.data, url.path.len);
        url.path.data = path;
    }
    url.query = text_at(h, &h->query, row);
    uint32_t hit = 0;
    if (url.host.len != 0 || url.path.len != 0)
        hit = indicator_find_url_parts(h->set, &url, f->time_ns);
    if (hit != 0) {
        f->url = url_text(h, f, &url);
        return hit;
    }
    struct slice whole = text_at(h, &h->whole, row);
    hit = whole.len == 0 ? 0 : indicator_find_url(h->set, whole, f->time_ns);
    if (hit != 0)
        f->url = flow_text_add(&h->r->texts, whole);
    return hit;
}

static uint32_t address_hit(const struct flow_hits *h, const struct flow *f, bool source)
{
    if (source) {
        return f->direction != FLOW_IN || (f->flags & FLOW_HAS_SOURCE) == 0
                   ? 0
                   : indicator_find_address(h->set, &f->source, 0, f->time_ns);
    }
    return (f->flags & FLOW_HAS_DESTINATION) == 0
               ? 0
               : indicator_find_address(h->set, &f->destination, f->destination_port, f->time_ns);
}

static void address_ahead(const struct indicator_set *set, const struct flow *f)
{
    if ((f->flags & FLOW_HAS_DESTINATION) != 0)
        indicator_ahead(set, &f->destination);
    if (f->direction == FLOW_IN)
        indicator_ahead(set, &f->source);
}

static uint32_t row_hit(struct flow_hits *h, struct flow *f, uint32_t row)
{
    uint32_t hit = url_hit(h, f, row);
    if (hit == 0 && f->domain != 0)
        hit = host_hit(h, f);
    if (hit == 0 && h->question.count != 0)
        hit = indicator_find_domain(h->set, text_at(h, &h->question, row), f->time_ns);
    if (hit == 0)
        hit = address_hit(h, f, false);
    if (hit == 0 && h->agent.count != 0)
        hit = indicator_find_agent(h->set, text_at(h, &h->agent, row), f->time_ns);
    return hit != 0 ? hit : address_hit(h, f, true);
}

void flow_hit(struct flow_reader *r, const struct batch *b, const uint32_t *order,
              struct flow *flows)
{
    const struct indicator_set *set = r->shared->indicators;
    if (set == NULL || indicator_set_entries(set) == 0)
        return;
    struct flow_hits h = {.r = r,
                          .set = set,
                          .b = b,
                          .path = texts_of(b, FIELD_URL_PATH),
                          .query = texts_of(b, FIELD_URL_QUERY),
                          .whole = texts_of(b, FIELD_URL_ORIGINAL),
                          .agent = texts_of(b, FIELD_USER_AGENT),
                          .question = texts_of(b, FIELD_DNS_QUESTION)};
    for (uint32_t row = 0; row < b->row_count; row++) {
        struct flow *f = &flows[order[row]];
        if (b->row_count - row > AHEAD_ROWS)
            address_ahead(set, &flows[order[row + AHEAD_ROWS]]);
        f->hit = row_hit(&h, f, row);
    }
}
