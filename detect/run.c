/* What a detector may ask and say: the calls of detect/detector.h. */
#include "base/clock.h"
#include "base/hash.h"
#include "detect/correlation_fire.h"
#include "detect/detectors.h"
#include "detect/digest.h"
#include "detect/parties.h"
#include "detect/prevalence.h"
#include "detect/tenant_state.h"

enum {
    BUDGET_SHARES = 2, /* one detector has at most the budget's half, rounded up */
};

struct slice detect_text(const struct detect_run *run, uint32_t id)
{
    const struct desk *desk = run->tenant->desk;
    return desk == NULL ? SLICE("") : flow_text(&desk->reader.texts, id);
}

struct slice detect_zone_name(const struct detect_run *run, uint16_t zone)
{
    const struct detect_profile *p = run->tenant->o.profile;
    return zone == 0 || zone > p->zone_count ? SLICE("") : p->zones[zone - 1];
}

struct slice detect_source_name(const struct detect_run *run, uint16_t log_source)
{
    if (log_source >= run->state->source_count)
        return SLICE("");
    const struct source_state *s = &run->state->sources[log_source];
    return slice_of(s->name, s->name_len);
}

struct slice detect_topic(const struct detect_run *run, uint32_t log_source)
{
    if (run->tenant->o.profile->size == DETECT_PREFECTURE)
        return parties_topic_text(correlation_parties(run->state), log_source);
    const struct source_state *s = &run->state->sources[log_source];
    return slice_of(s->topic, s->topic_len);
}

struct slice detect_format_name(const struct detect_run *run, uint8_t format)
{
    if (format >= TENANT_FORMATS_MAX)
        return SLICE("");
    const char *name = run->state->format_names[format];
    return slice_of(name, strnlen(name, TENANT_FORMAT_BYTES_MAX));
}

unsigned detect_source_count(const struct detect_run *run)
{
    return (unsigned)run->state->source_count;
}

const struct rule_set *detect_rules(const struct detect_run *run)
{
    return run->tenant->o.shared->rules;
}

size_t detect_rule_hits(const struct detect_run *run, const struct rule_hit **out)
{
    *out = run->hits;
    return run->hit_count;
}

uint32_t detect_tenant_code(const struct detect_run *run)
{
    return run->tenant->o.profile->tenant;
}

int64_t detect_tick_ns(const struct detect_run *run)
{
    return run->state->tick_ns;
}

bool detect_tick_gap(const struct detect_run *run)
{
    return (run->tick_flags & DETECT_TICK_GAP) != 0;
}

int64_t detect_since_ns(const struct detect_run *run)
{
    return run->state->since_ns;
}

int64_t detect_watermark_ns(const struct detect_run *run)
{
    return run->state->watermark_ns;
}

struct prevalence detect_prevalence(const struct detect_run *run, uint64_t destination_key)
{
    const struct prevalence_set *set = run->tenant->prevalence;
    struct prevalence_entry e = {0};
    if (set != NULL)
        e = prevalence_find(set, destination_key);
    return (struct prevalence){.tenants = e.tenants, .first_day = e.first_day};
}

unsigned detect_prevalence_tenants(const struct detect_run *run)
{
    const struct prevalence_set *set = run->tenant->prevalence;
    return set == NULL ? 0 : prevalence_tenants(set);
}

void detect_contribute(struct detect_run *run, uint64_t destination_key)
{
    bool fresh = false;
    (void)table_take(&run->state->contributed, destination_key, &fresh, NULL);
}

const struct indicator_set *detect_indicators(const struct detect_run *run)
{
    return run->tenant->o.shared->indicators;
}

const struct policy *detect_policy(const struct detect_run *run)
{
    return run->tenant->o.profile->policy;
}

uint64_t detect_key(uint64_t a, uint64_t b)
{
    uint64_t words[2] = {a, b};
    return hash_bytes(0, words, sizeof(words)) | 1;
}

/* ------------------------------------------------------------------------ holding back */

static bool key_matches(const struct finding *f, struct slice key)
{
    const char *equals = memchr(key.data, '=', key.len);
    if (equals == NULL)
        return key.len == 0;
    struct slice name = slice_of(key.data, (size_t)(equals - key.data));
    struct slice value = slice_from_offset(key, name.len + 1);
    for (uint8_t i = 0; i < f->item_count; i++) {
        const struct finding_item *item = &f->items[i];
        if (item->key && slice_equal(name, slice_from(item->name)) &&
            slice_equal(value, slice_of(f->values + item->at, item->len)))
            return true;
    }
    return false;
}

static struct suppression *suppression_of(const struct detect_run *run, const struct finding *f)
{
    struct slice kind = slice_from(run->detector->id);
    for (size_t i = 0; i < TENANT_SUPPRESSIONS_MAX; i++) {
        struct suppression *s = &run->state->suppressions[i];
        if (s->until_ns <= f->time_ns || (s->tenant != 0 && s->tenant != f->tenant))
            continue;
        if ((s->kind[0] == '\0' || slice_equal(kind, slice_from(s->kind))) &&
            key_matches(f, slice_from(s->key)))
            return s;
    }
    return NULL;
}

/* What says that detection was incomplete is needed most when there is a flood; it is few by itself. */
static bool is_capped(const struct detect_run *run, uint8_t severity)
{
    return severity < ALERT_CRITICAL && run->detector != &detector_coverage &&
           run->state->released_in_hour >= TENANT_ALERTS_PER_HOUR;
}

enum episode_silence detect_silence_of(const struct detect_run *run, const struct finding *f,
                                       uint8_t severity)
{
    if (suppression_of(run, f) != NULL)
        return EPISODE_SUPPRESSED;
    return is_capped(run, severity) ? EPISODE_CAPPED : EPISODE_HEARD;
}

enum episode_silence detect_withheld(struct detect_run *run, const struct finding *f,
                                     uint8_t severity)
{
    enum episode_silence silence = detect_silence_of(run, f, severity);
    if (silence == EPISODE_SUPPRESSED) {
        suppression_of(run, f)->hidden++;
        run->state->suppressed++;
    } else if (silence == EPISODE_CAPPED) {
        run->state->held_in_hour++;
    } else {
        /* What a municipality hears of the prefecture's alert comes with that one. */
        run->state->released_in_hour += f->tenant == 0;
    }
    return silence;
}

/* ------------------------------------------------------------------------ findings */

static bool budget_left(const struct detect_run *run)
{
    uint64_t all = 0;
    uint64_t budget = run->tenant->o.profile->budget;
    for (unsigned i = 0; i < TENANT_DETECTORS_MAX; i++)
        all += run->state->spent[i];
    return all < budget &&
           run->state->spent[run->index] < (budget + BUDGET_SHARES - 1) / BUDGET_SHARES;
}

void detect_deliver(struct detect_run *run, struct finding *f)
{
    if (f->scored && !f->ended && episode_is_new(run, f) && suppression_of(run, f) == NULL) {
        if (!budget_left(run)) {
            digest_add(run, f);
            return;
        }
        run->state->spent[run->index]++;
    }
    episode_take(run, f);
}

void detect_fire(struct detect_run *run, struct finding *f)
{
    if (f->flow == NULL && f->time_ns == CLOCK_NONE)
        f->time_ns = run->state->tick_ns;
    if (!held_take(run, f))
        detect_deliver(run, f);
}
