/*
 * Rules: a row that a Sigma rule holds for. Hits of one rule with the same values of its group-by
 * within its window are one alert (detect/rule_set.h).
 *
 * Which rows hold is asked batch by batch, before the rows are shown (detect/rule_hits.h); here it
 * only becomes a finding.
 */
#include <string.h>

#include "detect/detector.h"
#include "detect/rule_hits.h"

/* Where an alert's rule is no more: its episode began under an earlier set. */
static const struct detector_text TEXTS[] = {
    {.name = "a rule that is no longer loaded",
     .severity = ALERT_MEDIUM,
     .technique = "",
     .message_ja =
         "ルールに該当する通信がありました。このルールは現在のルール集に含まれていません。",
     .message_en = "Traffic that a rule held for. The rule is not part of the rules now loaded.",
     .action_ja = "県のSOCに、ルールの入替えについて確認してください。",
     .action_en = "Ask the SOC about the change of rules."},
};

/* A key or a shown value, a number where the field is one. */
static void put(struct finding *f, const struct sigma_field *field, struct slice value, bool key)
{
    const struct field_info *info = field_info(field->field);
    const char *name = field->name.data;
    int64_t number = 0;
    if (info != NULL && info->type == FIELD_TYPE_INT && value.len != 0 &&
        value_int(value, &number) == VALUE_CANONICAL) {
        if (key)
            finding_key_int(f, name, number);
        else
            finding_int(f, name, number);
    } else if (key) {
        finding_key_text(f, name, value);
    } else {
        finding_text(f, name, value);
    }
}

static void rule_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    const struct rule_hit *hits = NULL;
    size_t count = detect_rule_hits(run, &hits);
    const struct rule_set *rules = detect_rules(run);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct rule_entry *entry = &rules->entries[hits[i].rule];
        struct finding f;
        finding_begin(&f, 0, flow, entry->window_ns);
        f.rule = entry;
        for (uint32_t k = 0; k < entry->fields.count; k++) {
            if (hits[i].values[k].data != NULL)
                put(&f, &entry->fields.items[k], hits[i].values[k], k < entry->key_count);
        }
        detect_fire(run, &f);
    }
}

const struct detector detector_rule = {
    .id = "rule",
    .version = 1,
    .text_count = 1,
    .texts = TEXTS,
    .avoids = FLOW_EXCLUDED,
    .flow = rule_flow,
};
