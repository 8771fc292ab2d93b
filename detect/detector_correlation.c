/*
 * Correlations: what several rows together mean (detect/correlate.h). They see the rows of a
 * municipality in the order of event time, when the watermark has passed; so this detector is asked
 * by no row, and fires when the frame tells it of an alert.
 *
 * An alert is one episode: a group fires again only after its window was empty; what comes until
 * then amends it.
 *
 * A correlation over municipalities (detect/parties.h) gives an alert of the prefecture, which names
 * them, and one for each of them, which has its own rows and the number of the others.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "detect/correlation_fire.h"
#include "detect/detectors.h"
#include "detect/parties.h"

/* Where an alert's rule is no more: its episode began under an earlier set. */
static const struct detector_text TEXTS[] = {
    {.name = "a correlation that is no longer loaded",
     .severity = ALERT_MEDIUM,
     .technique = "",
     .message_ja =
         "相関ルールに該当する通信がありました。このルールは現在のルール集に含まれていません。",
     .message_en = "Traffic that a correlation held for. It is not part of the rules now loaded.",
     .action_ja = "県のSOCに、ルールの入替えについて確認してください。",
     .action_en = "Ask the SOC about the change of rules."},
};

enum {
    LIST_BYTES = FINDING_VALUE_BYTES_MAX + 16,
};

/* Behind it stand the prefecture's parties. */
struct state {
    uint64_t losses; /* of the correlations, at the last tick */
};

static size_t state_bytes(const struct detect_size *size)
{
    return sizeof(struct state) + parties_bytes(size->parties);
}

static void state_init(void *state, const struct detect_size *size)
{
    struct state *s = state;
    void *parties = s + 1;
    parties_init(parties, size->parties);
}

static void note_losses(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct state *s = state;
    (void)tick_ns;
    s->losses = correlation_run_losses(run->tenant->correlations);
    if (run->tenant->o.profile->size == DETECT_PREFECTURE)
        s->losses += parties_losses(correlation_parties(run->state));
}

static uint64_t evictions(const void *state)
{
    const struct state *s = state;
    return s->losses;
}

const struct detector detector_correlation = {.id = "correlation",
                                              .version = 1,
                                              .text_count = 1,
                                              .texts = TEXTS,
                                              .bytes = state_bytes,
                                              .init = state_init,
                                              .tick = note_losses,
                                              .evictions = evictions};

static void finding_make(struct finding *f, const struct detect_run *run,
                         const struct correlate_alert *alert, const struct flow *flow)
{
    const struct rule_set *rules = detect_rules(run);
    const struct sigma_correlation *c = rules->set.rules[alert->rule].correlation;
    finding_begin(f, 0, flow, c->timespan_ns);
    f->rule = &rules->entries[alert->rule];
    f->amends = alert->news == CORRELATE_AGAIN;
    f->tail = alert->holds ? 0.0 : 1.0; /* then the values of the window before it stay */
    if (flow == NULL)
        f->time_ns = alert->time_ns;
    for (uint32_t i = 0; i < alert->group_count && i < FINDING_KEYS_MAX; i++)
        finding_key_text(f, c->groups[i].data, alert->groups[i]);
    finding_text(f, "correlation.type", slice_from(sigma_correlation_type_name(c->type)));
    finding_real(f, "correlation.value", alert->value);
    finding_int(f, "correlation.timespan_s", c->timespan_ns / CLOCK_NS_PER_SECOND);
}

/* ------------------------------------------------------------------- over municipalities */

/* An alert of the prefecture, and who took part in its group. */
struct meeting {
    struct detect_run *run;
    struct parties *parties;
    const struct correlate_alert *alert;
    int64_t from_ns; /* the window begins behind it */
    uint32_t count;  /* municipalities */
};

static struct flow party_flow(const struct party *party)
{
    return (struct flow){.time_ns = party->time_ns,
                         .arrival_ns = party->arrival_ns,
                         .partition = party->partition,
                         .offset = party->offset,
                         .sub = party->sub,
                         .log_source = party->topic,
                         .important = party->important};
}

/* What the municipality hears: its own rows, and how many others there are. */
static void municipality_fire(const struct meeting *m, struct party *party, const struct flow *flow)
{
    struct finding f;
    finding_make(&f, m->run, m->alert, flow);
    f.tenant = party->tenant;
    f.amends = m->alert->news == CORRELATE_AGAIN && party->told != 0;
    finding_int(&f, "correlation.municipalities", m->count);
    party->told = 1;
    detect_fire(m->run, &f);
}

/* Codes, ascending in the order of first sight; cut where they are too many. */
static void list_parties(const struct meeting *m, struct finding *f)
{
    char text[LIST_BYTES];
    size_t len = 0;
    uint32_t at = 0;
    const struct party *party = NULL;
    while ((party = parties_next(m->parties, m->alert->group, m->from_ns, &at)) != NULL &&
           len < FINDING_VALUE_BYTES_MAX)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%06" PRIu32, len == 0 ? "" : " ",
                                party->tenant);
    finding_text(f, "correlation.tenants", slice_of(text, len));
}

/* The prefecture's own alert; when it begins, the first row of each that took part is evidence. */
static void prefecture_fire(const struct meeting *m, const struct flow *flow)
{
    struct finding f;
    uint32_t at = 0;
    const struct party *party = NULL;
    finding_make(&f, m->run, m->alert, flow);
    finding_int(&f, "correlation.municipalities", m->count);
    list_parties(m, &f);
    detect_fire(m->run, &f);
    if (m->alert->news != CORRELATE_ALERT)
        return;
    while ((party = parties_next(m->parties, m->alert->group, m->from_ns, &at)) != NULL) {
        const struct flow first = party_flow(party);
        if (flow != NULL && first.log_source == flow->log_source &&
            first.partition == flow->partition && first.offset == flow->offset &&
            first.sub == flow->sub)
            continue;
        finding_make(&f, m->run, m->alert, &first);
        f.amends = true;
        f.tail = 1.0;
        detect_fire(m->run, &f);
    }
}

/* Everybody who took part hears of an alert; who joins later then. */
static void municipalities_fire(const struct meeting *m, struct party *joined,
                                const struct flow *flow)
{
    uint32_t at = 0;
    struct party *party = NULL;
    if (m->alert->news == CORRELATE_AGAIN) {
        if (joined != NULL)
            municipality_fire(m, joined, flow);
        return;
    }
    while ((party = parties_next(m->parties, m->alert->group, m->from_ns, &at)) != NULL) {
        const struct flow first = party_flow(party);
        municipality_fire(m, party, &first);
    }
}

static void meet(struct detect_run *run, const struct correlate_alert *alert,
                 const struct flow *flow)
{
    const struct sigma_set *set = &detect_rules(run)->set;
    struct meeting m = {.run = run,
                        .parties = correlation_parties(run->state),
                        .alert = alert,
                        .from_ns =
                            alert->time_ns - set->rules[alert->rule].correlation->timespan_ns};
    /* [t, t + timespan) where its end decides, else (t - timespan, t]. */
    if (flow == NULL)
        m.from_ns--;
    struct party *joined = NULL;
    uint32_t at = 0;
    if (flow != NULL)
        joined = parties_join(m.parties, alert->group, flow, alert->time_ns, m.from_ns);
    if (alert->news == CORRELATE_JOINED)
        return;
    while (parties_next(m.parties, alert->group, m.from_ns, &at) != NULL)
        m.count++;
    prefecture_fire(&m, flow);
    municipalities_fire(&m, joined, flow);
}

struct parties *correlation_parties(struct tenant_state *s)
{
    unsigned index = 0;
    while (DETECTORS[index] != &detector_correlation)
        index++;
    struct state *state = detector_state(s, index);
    void *parties = state + 1;
    return parties;
}

/* ------------------------------------------------------------------------------ both */

int correlation_fire(void *self, const struct correlate_alert *alert, const struct flow *flow)
{
    struct detect_run *run = self;
    const struct detector *detector = run->detector;
    unsigned index = run->index;
    detectors_enter(run, &detector_correlation);
    if (detect_rules(run)->set.rules[alert->rule].correlation->prefecture) {
        meet(run, alert, flow);
    } else {
        struct finding f;
        finding_make(&f, run, alert, flow);
        detect_fire(run, &f);
    }
    run->detector = detector;
    run->index = index;
    return run->status;
}
