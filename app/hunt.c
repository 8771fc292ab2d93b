#include "app/hunt.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/store.h"

enum {
    FINDINGS_FIRST = 256,
};

struct hunt {
    const struct hunt_options *o;
    struct hunt_result *result;
    struct diag *diag;
    struct indicator_hunt *detect;
    struct stored_reader *reader;
    struct batch *batch;
    struct batch_head head;
    struct detect_profile profile;
    uint32_t *slots; /* of findings: number + 1, 0 = free */
    size_t slot_count;
    size_t cap;
    struct ip addresses[HUNT_FILTERED_MAX]; /* when the entries are nothing but these */
    size_t address_count;
    int64_t begin_ns;
};

/* --- findings --- */

static size_t slot_of(const struct hunt *h, uint32_t entry, uint32_t tenant)
{
    const uint32_t key[] = {entry, tenant};
    size_t at = hash_bytes(0, key, sizeof(key)) & (h->slot_count - 1);
    for (; h->slots[at] != 0; at = (at + 1) & (h->slot_count - 1)) {
        const struct hunt_finding *f = &h->result->findings[h->slots[at] - 1];
        if (f->entry == entry && f->tenant == tenant)
            break;
    }
    return at;
}

static int grow(struct hunt *h)
{
    size_t cap = h->cap == 0 ? FINDINGS_FIRST : 2 * h->cap;
    struct hunt_finding *findings = realloc(h->result->findings, cap * sizeof(*findings));
    if (findings == NULL)
        return ERR_NOMEM;
    h->result->findings = findings;
    h->cap = cap;
    uint32_t *slots = calloc(2 * cap, sizeof(*slots));
    if (slots == NULL)
        return ERR_NOMEM;
    free(h->slots);
    h->slots = slots;
    h->slot_count = 2 * cap;
    for (size_t i = 0; i < h->result->count; i++)
        h->slots[slot_of(h, findings[i].entry, findings[i].tenant)] = (uint32_t)(i + 1);
    return 0;
}

/* By time, then by place, so that the answer does not hang on how rows were cut into batches. */
static int place_order(int64_t a_ns, const struct hunt_place *a, int64_t b_ns,
                       const struct hunt_place *b)
{
    if (a_ns != b_ns)
        return a_ns < b_ns ? -1 : 1;
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

static void set_first(struct hunt_finding *f, const struct indicator_sighting *s,
                      const struct hunt_place *place)
{
    f->first = *place;
    f->first_ns = s->flow->time_ns;
    f->source = s->flow->source;
    f->has_source = (s->flow->flags & FLOW_HAS_SOURCE) != 0;
    f->inbound = s->manner == INDICATOR_INBOUND;
}

static void add_row(struct hunt_finding *f, const struct indicator_sighting *s,
                    const struct hunt_place *place)
{
    int64_t time_ns = s->flow->time_ns;
    if (f->count == 0 || place_order(time_ns, place, f->first_ns, &f->first) < 0)
        set_first(f, s, place);
    if (f->count == 0 || place_order(time_ns, place, f->last_ns, &f->last) > 0) {
        f->last = *place;
        f->last_ns = time_ns;
    }
    f->count++;
    f->refused += (s->flow->flags & FLOW_REFUSED) != 0;
}

static int see(void *self, const struct indicator_sighting *s)
{
    struct hunt *h = self;
    struct hunt_result *r = h->result;
    if (s->flow->time_ns < h->o->since_ns || s->flow->time_ns >= h->o->until_ns)
        return 0;
    if (s->manner == INDICATOR_KNOCK) {
        r->knocks++;
        return 0;
    }
    if (r->count == h->cap && grow(h) != 0)
        return ERR_NOMEM;
    size_t slot = slot_of(h, s->flow->hit, h->head.tenant);
    if (h->slots[slot] == 0) {
        if (r->count == h->o->findings_max) {
            r->left_out++;
            return 0;
        }
        r->findings[r->count++] =
            (struct hunt_finding){.entry = s->flow->hit, .tenant = h->head.tenant};
        h->slots[slot] = (uint32_t)r->count;
    }
    const struct hunt_place place = {.topic = h->head.topic,
                                     .offset = s->flow->offset,
                                     .partition = s->flow->partition,
                                     .sub = s->flow->sub};
    add_row(&r->findings[h->slots[slot] - 1], s, &place);
    return 0;
}

static int finding_compare(const void *left, const void *right)
{
    const struct hunt_finding *a = left;
    const struct hunt_finding *b = right;
    if (a->entry != b->entry)
        return a->entry < b->entry ? -1 : 1;
    return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

/* --- batches --- */

/* Whether the filter in front of the batch says that no address of the entries is in it. */
static bool is_filtered(const struct hunt *h)
{
    struct buf text = {0};
    bool may = h->address_count == 0;
    for (size_t i = 0; i < h->address_count && !may; i++) {
        buf_reset(&text);
        ip_print(&text, &h->addresses[i]);
        may = codec_head_may_hold_ip(&h->head, &h->addresses[i]) ||
              codec_head_may_hold_text(&h->head, buf_content(&text));
    }
    buf_release(&text);
    return !may;
}

static bool is_wanted(const struct hunt *h)
{
    const struct batch_head *head = &h->head;
    const struct hunt_options *o = h->o;
    return (o->tenant == 0 || o->tenant == head->tenant) && head->time_max_ns >= o->since_ns &&
           head->time_min_ns < o->until_ns && !is_filtered(h);
}

/* Whether rows have to be looked at: texts first, then addresses alone. */
static int may_hold(struct hunt *h, bool *may)
{
    struct column_mask columns = {0};
    bool whole = true;
    int err = stored_begin(h->reader, &h->head, h->batch);
    if (err == 0)
        err = stored_texts(h->reader, &h->head, NULL, h->batch, &whole);
    *may = err == 0 && indicator_hunt_texts(h->detect, h->batch);
    if (err != 0 || *may || !indicator_hunt_columns(h->batch, &columns))
        return err;
    err = stored_rows(h->reader, &h->head, &columns, h->batch);
    *may = err == 0 && indicator_hunt_addresses(h->detect, h->batch);
    return err;
}

static int search_batch(struct hunt *h)
{
    bool may = false;
    int err = may_hold(h, &may);
    if (err != 0 || !may)
        return err;
    err = stored_batch(h->reader, &h->head, h->batch);
    if (err != 0)
        return err;
    h->profile = (struct detect_profile){.tenant = h->head.tenant};
    if (h->o->config != NULL)
        config_profile(h->o->config, h->head.tenant, &h->profile);
    return indicator_hunt_rows(h->detect, &h->profile, h->batch, see, h);
}

static int search_blob(struct hunt *h, size_t at)
{
    struct hunt_result *r = h->result;
    uint64_t bytes = 0;
    int64_t arrival_ns = INT64_MAX;
    int err = stored_open(h->reader, log_index_blob(h->o->index, at), &bytes);
    while (err == 0 && (err = stored_next(h->reader, &h->head)) == 0) {
        if (log_index_is_covered(h->o->index, at, h->head.tenant))
            continue;
        if (h->head.arrival_min_ns < arrival_ns)
            arrival_ns = h->head.arrival_min_ns;
        r->batches++;
        if (h->address_count != 0)
            err = stored_filter(h->reader, &h->head);
        if (err != 0)
            break;
        if (!is_wanted(h)) {
            r->batches_skipped++;
            continue;
        }
        r->rows += h->head.row_count;
        err = search_batch(h);
    }
    r->bytes += bytes;
    if (err == ERR_CORRUPT || err == ERR_RANGE) {
        log_index_name(h->o->index, at, "damaged; left out of the hunt", h->diag);
        r->damaged++;
        return 0;
    }
    if (arrival_ns < r->reached_ns)
        r->reached_ns = arrival_ns;
    return err == ERR_NOTFOUND ? 0 : err;
}

/* Whether a budget is used up. */
static bool is_over(struct hunt *h)
{
    const struct hunt_options *o = h->o;
    if (o->stop != NULL && atomic_load(o->stop))
        h->result->end = HUNT_STOPPED;
    else if (o->time_max_ns != 0 && clock_monotonic_ns() - h->begin_ns > o->time_max_ns)
        h->result->end = HUNT_TIME;
    else if (o->bytes_max != 0 && h->result->bytes >= o->bytes_max)
        h->result->end = HUNT_BYTES;
    return h->result->end != HUNT_WHOLE;
}

/* The addresses, when the set has nothing else and not many. */
static void take_addresses(struct hunt *h)
{
    const struct indicator_set *set = h->o->set;
    size_t count = indicator_set_entries(set);
    if (count > HUNT_FILTERED_MAX)
        return;
    for (uint32_t handle = 1; handle <= count; handle++) {
        struct indicator_info info;
        indicator_describe(&info, set, handle, INT64_MIN);
        struct ip *ip = &h->addresses[handle - 1];
        if (info.kind != INDICATOR_ADDRESS || ip_parse(info.text, ip) == VALUE_INVALID)
            return;
    }
    h->address_count = count;
}

/* Leave the processor to others. */
static void rest(const struct hunt *h, int64_t worked_ns)
{
    int64_t ns = worked_ns * h->o->rests;
    const struct timespec time = {.tv_sec = ns / CLOCK_NS_PER_SECOND,
                                  .tv_nsec = ns % CLOCK_NS_PER_SECOND};
    if (ns > 0)
        (void)nanosleep(&time, NULL);
}

static int search_log(struct hunt *h)
{
    int err = 0;
    for (size_t at = log_index_count(h->o->index); at != 0 && err == 0; at--) {
        if (log_index_seq(h->o->index, at - 1) > h->o->last_seq)
            continue;
        if (is_over(h))
            break;
        int64_t begin_ns = clock_monotonic_ns();
        err = search_blob(h, at - 1);
        rest(h, clock_monotonic_ns() - begin_ns);
    }
    return err;
}

int hunt_run(struct hunt_result *out, const struct hunt_options *options, struct diag *diag)
{
    struct hunt_result result = {.reached_ns = INT64_MAX,
                                 .damaged = log_index_damage(options->index)};
    struct hunt *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return ERR_NOMEM;
    h->o = options;
    h->result = &result;
    h->diag = diag;
    h->begin_ns = clock_monotonic_ns();
    h->reader = stored_reader_new();
    h->batch = batch_new();
    int err = h->reader == NULL || h->batch == NULL ? ERR_NOMEM : grow(h);
    if (err == 0)
        err = indicator_hunt_new(&h->detect, options->set);
    if (err == 0) {
        take_addresses(h);
        err = search_log(h);
    }
    if (err == 0 && result.count != 0)
        qsort(result.findings, result.count, sizeof(*result.findings), finding_compare);
    indicator_hunt_free(h->detect);
    stored_reader_free(h->reader);
    batch_free(h->batch);
    free(h->slots);
    free(h);
    if (err != 0) {
        hunt_release(&result);
        return err;
    }
    *out = result;
    return 0;
}

void hunt_release(struct hunt_result *r)
{
    free(r->findings);
    *r = (struct hunt_result){0};
}

bool hunt_is_whole(const struct hunt_result *r)
{
    return r->end == HUNT_WHOLE && r->damaged == 0 && r->left_out == 0;
}
