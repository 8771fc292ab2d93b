#include "app/reloads.h"

enum metric_id {
#define METRIC(id, name, type, label, help) METRIC_##id,
#include "app/metrics.def"
#undef METRIC
    METRICS_COUNT
};

void reloads_take(struct reloads *r, int64_t now_ns)
{
    r->taken++;
    r->last_refused = false;
    r->loaded_ns = now_ns;
}

void reloads_refuse(struct reloads *r)
{
    r->refused++;
    r->last_refused = true;
}

static void set(struct metric_set *metrics, enum metric_id id, const char *label, uint64_t value)
{
    metric_cell_set(metric_cell(metrics, id, slice_from(label)), (int64_t)value);
}

void reloads_observe(const struct reloads *r, const struct environment *in_force,
                     struct metric_set *metrics)
{
    struct rule_counts rules = rule_count(in_force->rules);
    set(metrics, METRIC_RELOADS, "taken", r->taken);
    set(metrics, METRIC_RELOADS, "refused", r->refused);
    metric_set_value(metrics, METRIC_RELOAD_REFUSED, r->last_refused);
    metric_set_value(metrics, METRIC_LOADED, r->loaded_ns);
    set(metrics, METRIC_RULES, "rule", rules.rules);
    set(metrics, METRIC_RULES, "correlation", rules.correlations);
    set(metrics, METRIC_RULES, "filter", rules.filters);
    metric_set_value(metrics, METRIC_INDICATORS,
                     (int64_t)indicator_set_entries(in_force->indicators));
}
