#include "tests/detect/fake_run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

static const struct detect_size SIZES[DETECT_CLASSES] = {
    [DETECT_SMALL] = {.hosts = 1024, .destinations = 4096, .pairs = 8192},
    [DETECT_MEDIUM] = {.hosts = 4096, .destinations = 16384, .pairs = 32768},
    [DETECT_LARGE] = {.hosts = 16384, .destinations = 65536, .pairs = 131072},
};

enum {
    SEED = 7,
};

/* --------------------------------------------------- what the frame is to a detector */

void detect_fire(struct detect_run *run, struct finding *f)
{
    run->fired++;
    assert(f->text < run->detector->text_count);
    if (f->flow == NULL && f->time_ns == CLOCK_NONE)
        f->time_ns = run->tick_ns;
    if (run->finding_count == FAKE_FINDINGS_MAX)
        return;
    struct finding *kept = &run->findings[run->finding_count];
    *kept = *f;
    if (f->flow != NULL) {
        run->flows[run->finding_count] = *f->flow;
        kept->flow = &run->flows[run->finding_count];
    }
    run->finding_count++;
}

struct slice detect_text(const struct detect_run *run, uint32_t id)
{
    if (id == 0 || id > run->text_count)
        return SLICE("");
    return slice_from(run->texts[id - 1]);
}

struct slice detect_zone_name(const struct detect_run *run, uint16_t zone)
{
    (void)run;
    return zone == 0 ? SLICE("") : SLICE("zone");
}

struct slice detect_source_name(const struct detect_run *run, uint16_t log_source)
{
    (void)run;
    return log_source == 0 ? SLICE("source") : SLICE("another source");
}

struct slice detect_format_name(const struct detect_run *run, uint8_t format)
{
    static const char *const NAMES[] = {"none", "alpha", "beta", "gamma", "delta"};
    (void)run;
    return format < sizeof(NAMES) / sizeof(NAMES[0]) ? slice_from(NAMES[format]) : SLICE("other");
}

unsigned detect_source_count(const struct detect_run *run)
{
    return run->source_count;
}

uint32_t detect_tenant_code(const struct detect_run *run)
{
    (void)run;
    return 990019;
}

int64_t detect_tick_ns(const struct detect_run *run)
{
    return run->tick_ns;
}

bool detect_tick_gap(const struct detect_run *run)
{
    return run->gap;
}

int64_t detect_since_ns(const struct detect_run *run)
{
    return run->since_ns;
}

int64_t detect_watermark_ns(const struct detect_run *run)
{
    return run->watermark_ns;
}

struct prevalence detect_prevalence(const struct detect_run *run, uint64_t destination_key)
{
    for (size_t i = 0; i < run->prevalence_count; i++) {
        if (run->prevalence[i].key == destination_key)
            return run->prevalence[i].what;
    }
    return (struct prevalence){0};
}

unsigned detect_prevalence_tenants(const struct detect_run *run)
{
    return run->prevalence_tenants;
}

void detect_contribute(struct detect_run *run, uint64_t destination_key)
{
    (void)destination_key;
    run->contributed++;
}

const struct indicator_set *detect_indicators(const struct detect_run *run)
{
    return run->indicators;
}

/* Rules are asked of batches, which a fake run has none of. */
const struct rule_set *detect_rules(const struct detect_run *run)
{
    (void)run;
    return NULL;
}

size_t detect_rule_hits(const struct detect_run *run, const struct rule_hit **out)
{
    (void)run;
    *out = NULL;
    return 0;
}

const struct policy *detect_policy(const struct detect_run *run)
{
    return run->policy;
}

uint64_t detect_key(uint64_t a, uint64_t b)
{
    uint64_t words[2] = {a, b};
    return hash_bytes(0, words, sizeof(words)) | 1;
}

/* ---------------------------------------------------------------------- the frame */

void fake_run_begin(struct detect_run *r, const struct detector *d, enum detect_class size)
{
    size_t bytes = d->bytes == NULL ? 0 : d->bytes(&SIZES[size]);
    assert(bytes % 8 == 0);
    *r = (struct detect_run){.detector = d,
                             .state = calloc(1, bytes + 1),
                             .state_bytes = bytes,
                             .findings = calloc(FAKE_FINDINGS_MAX, sizeof(struct finding)),
                             .flows = calloc(FAKE_FINDINGS_MAX, sizeof(struct flow)),
                             .tick_ns = CLOCK_NONE,
                             .since_ns = CLOCK_NONE,
                             .watermark_ns = CLOCK_NONE,
                             .source_count = 1};
    assert(r->state != NULL && r->findings != NULL && r->flows != NULL);
    if (d->init != NULL)
        d->init(r->state, &SIZES[size]);
}

void fake_run_end(struct detect_run *r)
{
    for (uint32_t i = 0; i < r->text_count; i++)
        free(r->texts[i]);
    free(r->state);
    free(r->findings);
    free(r->flows);
}

void fake_run_flow(struct detect_run *r, const struct flow *f)
{
    unsigned avoids = r->detector->avoids;
    if (r->since_ns == CLOCK_NONE)
        r->since_ns = f->time_ns;
    if (f->time_ns > r->watermark_ns)
        r->watermark_ns = f->time_ns;
    if ((f->flags & r->detector->needs) != r->detector->needs || (f->flags & avoids) != 0)
        return;
    if (r->detector->flow != NULL)
        r->detector->flow(r, r->state, f);
}

void fake_run_tick(struct detect_run *r, int64_t tick_ns)
{
    r->tick_ns = tick_ns;
    if (r->detector->tick != NULL)
        r->detector->tick(r, r->state, tick_ns);
}

void fake_run_ticks(struct detect_run *r, int64_t until_ns)
{
    if (r->tick_ns == CLOCK_NONE)
        r->tick_ns = until_ns - CLOCK_NS_PER_SECOND;
    while (r->tick_ns + CLOCK_NS_PER_SECOND <= until_ns)
        fake_run_tick(r, r->tick_ns + CLOCK_NS_PER_SECOND);
}

void fake_run_move(struct detect_run *r)
{
    void *moved = calloc(1, r->state_bytes + 1);
    assert(moved != NULL);
    memcpy(moved, r->state, r->state_bytes);
    memset(r->state, 0xA5, r->state_bytes);
    free(r->state);
    r->state = moved;
}

void fake_run_clear(struct detect_run *r)
{
    r->finding_count = 0;
    r->fired = 0;
}

uint32_t fake_run_text(struct detect_run *r, const char *text)
{
    for (uint32_t i = 0; i < r->text_count; i++) {
        if (strcmp(r->texts[i], text) == 0)
            return i + 1;
    }
    assert(r->text_count < FAKE_TEXTS_MAX);
    r->texts[r->text_count] = strdup(text);
    assert(r->texts[r->text_count] != NULL);
    return ++r->text_count;
}

void fake_run_prevalence(struct detect_run *r, uint64_t key, struct prevalence what)
{
    assert(r->prevalence_count < FAKE_PREVALENCES_MAX);
    r->prevalence[r->prevalence_count++] = (struct fake_prevalence){key, what};
}

/* -------------------------------------------------------------------------- flows */

struct ip fake_ip(const char *text)
{
    struct ip ip = {0};
    char padded[VALUE_IP_TEXT_MAX + SLICE_PADDING_BYTES + 1] = {0};
    size_t len = strlen(text);
    assert(len <= VALUE_IP_TEXT_MAX);
    for (size_t i = 0; i < len; i++)
        padded[i] = text[i];
    assert(ip_parse(slice_of(padded, len), &ip) != VALUE_INVALID);
    return ip;
}

static bool is_inside(const struct ip *ip)
{
    return ip_is_v4(ip) &&
           (ip_v4(ip) >> 24 == 10 || ip_v4(ip) >> 20 == 0xAC1 || ip_v4(ip) >> 16 == 0xC0A8);
}

static uint64_t address_key(const struct ip *ip)
{
    return hash_bytes(SEED, ip->bytes, sizeof(ip->bytes)) | 1;
}

void fake_flow_keys(struct flow *f)
{
    bool from_inside = is_inside(&f->source);
    f->source_key = (f->flags & FLOW_HAS_SOURCE) != 0 ? address_key(&f->source) : 0;
    if (f->registered != 0)
        f->destination_key = detect_key(SEED, f->registered);
    else if ((f->flags & FLOW_HAS_DESTINATION) != 0)
        f->destination_key = address_key(&f->destination);
    if (is_inside(&f->destination))
        f->direction = from_inside ? FLOW_INSIDE : FLOW_IN;
    else
        f->direction = from_inside ? FLOW_OUT : FLOW_PASSING;
}

struct flow fake_flow(const char *source, const char *destination, uint16_t port, int64_t time_ns)
{
    struct flow f = {.time_ns = time_ns,
                     .arrival_ns = time_ns,
                     .source = fake_ip(source),
                     .destination = fake_ip(destination),
                     .source_bytes = 900,
                     .destination_bytes = 3000,
                     .flags = FLOW_HAS_SOURCE | FLOW_HAS_DESTINATION,
                     .source_port = 50000,
                     .destination_port = port,
                     .protocol = 6,
                     .verdict = 1};
    fake_flow_keys(&f);
    return f;
}

/* ----------------------------------------------------------------------- findings */

const char *fake_item(const struct finding *f, const char *name)
{
    static _Thread_local char text[FINDING_VALUE_BYTES_MAX + 1];
    for (uint8_t i = 0; i < f->item_count; i++) {
        const struct finding_item *item = &f->items[i];
        if (strcmp(item->name, name) != 0)
            continue;
        (void)snprintf(text, sizeof(text), "%.*s", (int)item->len, f->values + item->at);
        return text;
    }
    return "";
}

size_t fake_count(const struct detect_run *r, unsigned text, const char *name, const char *value)
{
    size_t count = 0;
    for (size_t i = 0; i < r->finding_count; i++) {
        if (r->findings[i].text == text &&
            (name == NULL || strcmp(fake_item(&r->findings[i], name), value) == 0))
            count++;
    }
    return count;
}
