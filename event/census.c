#include "event/census.h"

#include "event/field.h"
#include "event/pred_plan.h"

/* Those that most is asked of stand first: a census has room for so many combinations only. */
static const struct census_place PLACES[CENSUS_PLACES_ALL] = {
    {.row_field = ROW_FIELD_VERDICT},
    {.field = FIELD_EVENT_ACTION},
    {.field = FIELD_NETWORK_PROTOCOL},
    {.field = FIELD_NETWORK_TRANSPORT},
    {.field = FIELD_HTTP_METHOD},
    {.field = FIELD_HTTP_STATUS},
    {.field = FIELD_EVENT_OUTCOME},
    {.field = FIELD_NETWORK_DIRECTION},
    {.field = FIELD_EVENT_SEVERITY},
    {.field = FIELD_EVENT_DATASET},
    {.field = FIELD_EVENT_SUBTYPE},
    {.row_field = ROW_FIELD_PARSE_ERROR},
    {.row_field = ROW_FIELD_TIME_SOURCE},
    {.field = FIELD_CACHE_RESULT},
    {.field = FIELD_RULE_CATEGORY},
    {.field = FIELD_NETWORK_APPLICATION},
    {.field = FIELD_ZONE_SOURCE},
    {.field = FIELD_ZONE_DESTINATION},
    {.field = FIELD_OBSERVER_INGRESS_ZONE},
    {.field = FIELD_OBSERVER_EGRESS_ZONE},
    {.field = FIELD_OBSERVER_INGRESS},
    {.field = FIELD_OBSERVER_EGRESS},
    {.field = FIELD_RULE_ID},
    {.field = FIELD_RULE_NAME},
    {.field = FIELD_DESTINATION_COUNTRY},
    {.field = FIELD_SOURCE_COUNTRY},
    {.field = FIELD_EVENT_CODE},
    {.field = FIELD_OBSERVER_NAME},
    {.field = FIELD_DESTINATION_IP},
};

struct census_place census_place(unsigned place)
{
    return PLACES[place];
}

bool census_wants_field(uint16_t field, uint64_t *places)
{
    for (unsigned i = 0; i < CENSUS_PLACES_ALL; i++) {
        if (field != FIELD_NONE && PLACES[i].field == field) {
            *places |= UINT64_C(1) << i;
            return true;
        }
    }
    return false;
}

bool census_wants_row_field(enum row_field field, uint64_t *places)
{
    if (field != ROW_FIELD_NONE && field <= ROW_FIELD_TOPIC)
        return true;
    for (unsigned i = 0; i < CENSUS_PLACES_ALL; i++) {
        if (field != ROW_FIELD_NONE && PLACES[i].row_field == field) {
            *places |= UINT64_C(1) << i;
            return true;
        }
    }
    return false;
}

bool census_wants_pred(const struct pred *p, uint64_t *places)
{
    for (uint32_t i = 0; i < p->target_count; i++) {
        const struct target *t = &p->targets[i];
        bool told = t->kind == TARGET_FIELD ? census_wants_field(t->field, places)
                    : t->kind == TARGET_ROW
                        ? census_wants_row_field((enum row_field)t->row_field, places)
                        : false;
        if (!told)
            return false;
    }
    return true;
}
