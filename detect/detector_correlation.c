/*
 * Correlations: what several rows together mean (detect/correlate.h). They see the rows of a
 * municipality in the order of event time, when the watermark has passed; so this detector is asked
 * by no row, and fires when the frame tells it of an alert.
 *
 * An alert is one episode: a group fires again only after its window was empty; what comes until
 * then amends it.
 */
#include "detect/correlation_fire.h"
#include "detect/detectors.h"

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

const struct detector detector_correlation = {
    .id = "correlation", .version = 1, .text_count = 1, .texts = TEXTS};

int correlation_fire(void *self, const struct correlate_alert *alert, const struct flow *flow)
{
    struct detect_run *run = self;
    const struct rule_set *rules = detect_rules(run);
    const struct sigma_correlation *c = rules->set.rules[alert->rule].correlation;
    const struct detector *detector = run->detector;
    unsigned index = run->index;
    struct finding f;
    if (c->prefecture)
        return 0; /* it is no municipality's */
    finding_begin(&f, 0, flow, c->timespan_ns);
    f.rule = &rules->entries[alert->rule];
    f.amends = alert->again;
    f.tail = alert->holds ? 0.0 : 1.0; /* then the values of the window before it stay */
    if (flow == NULL)
        f.time_ns = alert->time_ns;
    for (uint32_t i = 0; i < alert->group_count && i < FINDING_KEYS_MAX; i++)
        finding_key_text(&f, c->groups[i].data, alert->groups[i]);
    finding_text(&f, "correlation.type", slice_from(sigma_correlation_type_name(c->type)));
    finding_real(&f, "correlation.value", alert->value);
    finding_int(&f, "correlation.timespan_s", c->timespan_ns / INT64_C(1000000000));
    detectors_enter(run, &detector_correlation);
    detect_fire(run, &f);
    run->detector = detector;
    run->index = index;
    return run->status;
}
