#include "detect/policy.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "detect/policy_check.h"

enum {
    PROTOCOL_ANY = 0,
    PORT_ANY = 0,
};

/* What the matrix has at one place. */
struct place_rule {
    uint8_t rule;  /* enum policy_rule */
    uint16_t line; /* of the municipality, + 1; 0 = the model's */
};

struct policy {
    struct arena arena;
    struct policy_options lists; /* own copies; without networks */
    uint8_t kinds[POLICY_PLACES];
    struct slice names[POLICY_PLACES];
    struct place_rule matrix[POLICY_PLACES][POLICY_PLACES];
};

static_assert(POLICY_CELLS_MAX < UINT16_MAX && POLICY_CLOUDS_MAX < UINT16_MAX, "items fit");

/* -------------------------------------------------------------------------- making */

static bool copy_text(struct arena *a, struct slice *text)
{
    char *copy = arena_copy(a, *text);
    text->data = copy;
    return copy != NULL;
}

static bool copy_zones(struct policy *p)
{
    struct policy_options *l = &p->lists;
    struct policy_zone *zones = arena_array(&p->arena, l->zone_count + 1, sizeof(*zones));
    bool ok = zones != NULL;
    for (size_t i = 0; ok && i < l->zone_count; i++) {
        zones[i] = l->zones[i];
        ok = copy_text(&p->arena, &zones[i].name);
    }
    l->zones = zones;
    return ok;
}

static bool copy_gateways(struct policy *p)
{
    struct policy_options *l = &p->lists;
    struct policy_gateway *items = arena_array(&p->arena, l->gateway_count + 1, sizeof(*items));
    bool ok = items != NULL;
    for (size_t i = 0; ok && i < l->gateway_count; i++) {
        items[i] = l->gateways[i];
        ok = copy_text(&p->arena, &items[i].name) && copy_text(&p->arena, &items[i].reason);
    }
    l->gateways = items;
    return ok;
}

static bool copy_flows(struct policy *p)
{
    struct policy_options *l = &p->lists;
    struct policy_flow *items = arena_array(&p->arena, l->flow_count + 1, sizeof(*items));
    bool ok = items != NULL;
    for (size_t i = 0; ok && i < l->flow_count; i++) {
        items[i] = l->flows[i];
        ok = copy_text(&p->arena, &items[i].name) && copy_text(&p->arena, &items[i].reason) &&
             copy_text(&p->arena, &items[i].from.domain) &&
             copy_text(&p->arena, &items[i].to.domain);
    }
    l->flows = items;
    return ok;
}

static bool copy_clouds(struct policy *p)
{
    struct policy_options *l = &p->lists;
    struct policy_cloud *items = arena_array(&p->arena, l->cloud_count + 1, sizeof(*items));
    bool ok = items != NULL;
    for (size_t i = 0; ok && i < l->cloud_count; i++) {
        items[i] = l->clouds[i];
        ok = copy_text(&p->arena, &items[i].name) && copy_text(&p->arena, &items[i].to.domain);
    }
    l->clouds = items;
    return ok;
}

static bool copy_lines(struct policy *p)
{
    struct policy_options *l = &p->lists;
    struct policy_line *items = arena_array(&p->arena, l->line_count + 1, sizeof(*items));
    bool ok = items != NULL;
    for (size_t i = 0; ok && i < l->line_count; i++) {
        items[i] = l->lines[i];
        ok = copy_text(&p->arena, &items[i].reason);
    }
    l->lines = items;
    return ok;
}

static bool copy_lists(struct policy *p, const struct policy_options *options)
{
    p->lists = *options;
    p->lists.networks = NULL;
    p->lists.network_count = 0;
    return copy_zones(p) && copy_gateways(p) && copy_flows(p) && copy_clouds(p) && copy_lines(p);
}

static void fill_matrix(struct policy *p)
{
    const struct policy_options *l = &p->lists;
    p->names[0] = SLICE("none");
    p->names[POLICY_PLACE_WORLD] = SLICE("Internet");
    p->kinds[POLICY_PLACE_WORLD] = POLICY_WORLD;
    for (size_t i = 0; i < l->zone_count; i++) {
        p->names[i + 1] = l->zones[i].name;
        p->kinds[i + 1] = l->zones[i].kind;
    }
    for (unsigned from = 0; from < POLICY_PLACES; from++) {
        for (unsigned to = 0; to < POLICY_PLACES; to++) {
            p->matrix[from][to].rule =
                from == to && from != 0
                    ? POLICY_ALLOW
                    : policy_preset(l->model, policy_place_kind(p, from), policy_place_kind(p, to))
                          .rule;
        }
    }
    for (size_t i = 0; i < l->line_count; i++) {
        const struct policy_line *line = &l->lines[i];
        p->matrix[line->from][line->to] =
            (struct place_rule){.rule = line->rule, .line = (uint16_t)(i + 1)};
    }
}

int policy_new(struct policy **out, const struct policy_options *options,
               const struct policy_reader *reader)
{
    int status = policy_check(options, reader);
    if (status != 0)
        return status;
    struct policy *p = calloc(1, sizeof(*p));
    if (p == NULL || !copy_lists(p, options)) {
        policy_free(p);
        return ERR_NOMEM;
    }
    fill_matrix(p);
    *out = p;
    return 0;
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    arena_release(&p->arena);
    free(p);
}

/* ------------------------------------------------------------------------- judging */

bool policy_is_no_host(const struct ip *ip)
{
    const uint8_t *b = ip->bytes;
    if (ip_is_v4(ip)) {
        uint32_t v4 = ip_v4(ip);
        return v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 14 || v4 >> 16 == 0xA9FE;
    }
    bool low = true; /* ::, ::1 */
    for (size_t i = 0; i < sizeof(ip->bytes) - 1; i++)
        low = low && b[i] == 0;
    return (low && b[15] <= 1) || b[0] == 0xFF || (b[0] == 0xFE && (b[1] & 0xC0) == 0x80);
}

bool policy_is_under(struct slice name, struct slice domain)
{
    if (name.len < domain.len || domain.len == 0)
        return false;
    struct slice end = slice_from_offset(name, name.len - domain.len);
    return slice_equal(end, domain) && (end.data == name.data || end.data[-1] == '.');
}

static bool end_matches(const struct policy_end *end, unsigned place, const struct ip *ip,
                        struct slice domain)
{
    switch (end->type) {
    case POLICY_END_PLACE:
        return end->place == place;
    case POLICY_END_NETWORK:
        return ip != NULL && network_holds(&end->network, ip);
    case POLICY_END_DOMAIN:
        return policy_is_under(domain, end->domain);
    }
    return false;
}

static bool port_matches(const struct policy_flow *f, uint16_t port)
{
    for (uint8_t i = 0; i < f->port_count; i++) {
        if (port >= f->ports[i].first && port <= f->ports[i].last)
            return true;
    }
    return f->port_count == PORT_ANY;
}

static bool flow_matches(const struct policy_flow *f, const struct policy_facts *facts,
                         const struct policy_judgement *j)
{
    return (f->protocol == PROTOCOL_ANY || f->protocol == facts->protocol) &&
           port_matches(f, facts->port) &&
           end_matches(&f->from, j->from, facts->source, SLICE("")) &&
           end_matches(&f->to, j->to, facts->destination, facts->domain);
}

static bool by_gateway(struct policy_judgement *j, const struct policy *p,
                       const struct policy_facts *facts)
{
    for (size_t i = 0; i < p->lists.gateway_count; i++) {
        const struct policy_gateway *g = &p->lists.gateways[i];
        bool leaves = (g->joins >> j->to & 1) != 0 && network_holds(&g->network, facts->source);
        bool enters = (g->joins >> j->from & 1) != 0 && facts->destination != NULL &&
                      network_holds(&g->network, facts->destination);
        if (!leaves && !enters)
            continue;
        j->cause = POLICY_BY_GATEWAY;
        j->item = (uint16_t)i;
        return true;
    }
    return false;
}

/* Remembers the nearest flow that fits but for its time. */
static bool by_flow(struct policy_judgement *j, const struct policy *p,
                    const struct policy_facts *facts)
{
    for (size_t i = 0; i < p->lists.flow_count; i++) {
        const struct policy_flow *f = &p->lists.flows[i];
        if (!flow_matches(f, facts, j))
            continue;
        bool over = facts->time_ns >= f->until_ns;
        bool open = policy_hours_hold(&f->hours, facts->time_ns, POLICY_GRACE_MINUTES);
        j->cause = over ? POLICY_BY_EXPIRY : open ? POLICY_BY_FLOW : POLICY_BY_HOURS;
        j->item = (uint16_t)i;
        if (!over && open)
            return true;
    }
    return false;
}

static bool by_cloud(struct policy_judgement *j, const struct policy *p,
                     const struct policy_facts *facts)
{
    if (j->rule != POLICY_CLOUD)
        return false;
    for (size_t i = 0; i < p->lists.cloud_count; i++) {
        if (!end_matches(&p->lists.clouds[i].to, j->to, facts->destination, facts->domain))
            continue;
        j->cause = POLICY_BY_CLOUD;
        j->item = (uint16_t)i;
        return true;
    }
    return false;
}

/* Other members of the LGWAN are where the municipality's own hosts in it are. */
static bool lgwan_place(const struct policy_options *options, uint8_t *place)
{
    for (size_t i = 0; i < options->zone_count; i++) {
        if (options->zones[i].kind != POLICY_LGWAN)
            continue;
        *place = (uint8_t)(i + 1);
        return true;
    }
    return false;
}

bool policy_name_place(const struct policy_options *options, struct slice name, uint8_t *place)
{
    static const struct slice INSIDE[] = {
        {.data = "local", .len = 5},     {.data = "localdomain", .len = 11},
        {.data = "lan", .len = 3},       {.data = "internal", .len = 8},
        {.data = "home.arpa", .len = 9},
    };
    for (size_t i = 0; i < sizeof(INSIDE) / sizeof(INSIDE[0]); i++) {
        if (policy_is_under(name, INSIDE[i]))
            return false;
    }
    if (name.len == 0 || memchr(name.data, '.', name.len) == NULL)
        return false;
    if (policy_is_under(name, SLICE("lgwan.jp")))
        return lgwan_place(options, place);
    *place = POLICY_PLACE_WORLD;
    return true;
}

/* False: it is the LGWAN's, and the municipality has no such zone. */
static bool place_of(uint8_t *place, const struct policy *p, const struct policy_facts *f,
                     bool source)
{
    uint16_t zone = source ? f->source_zone : f->destination_zone;
    bool inside = source ? f->source_inside : f->destination_inside;
    if (zone == 0 && f->lgwan)
        return lgwan_place(&p->lists, place);
    *place = inside ? 0 : POLICY_PLACE_WORLD;
    if (zone != 0)
        *place = zone <= POLICY_ZONES_MAX ? (uint8_t)zone : 0;
    return true;
}

/* Both places; false where there is nothing to judge. */
static bool find_places(struct policy_judgement *j, const struct policy *p,
                        const struct policy_facts *f)
{
    if (f->source == NULL || policy_is_no_host(f->source) ||
        (f->destination != NULL && policy_is_no_host(f->destination)))
        return false;
    if (!place_of(&j->from, p, f, true) ||
        (f->destination != NULL && !place_of(&j->to, p, f, false)))
        return false;
    if (f->destination == NULL && !policy_name_place(&p->lists, f->domain, &j->to))
        return false;
    j->from_kind = p->kinds[j->from];
    j->to_kind = p->kinds[j->to];
    /* Between two strangers it is not ours; what outsiders try all day is not our network's. */
    return j->from != POLICY_PLACE_WORLD || (j->to != POLICY_PLACE_WORLD && !f->refused);
}

static bool protects(unsigned kind)
{
    return kind == POLICY_NUMBER || kind == POLICY_LGWAN;
}

/* One end is ours and in no zone. PCs that come back from elsewhere ask for what was there: refused. */
static void judge_homeless(struct policy_judgement *j, const struct policy_facts *f)
{
    bool stray = j->from != 0 && f->refused;
    j->cause = POLICY_BY_NOWHERE;
    j->rule = POLICY_DENY;
    if (!stray)
        j->verdict = POLICY_HOMELESS;
    else
        j->verdict = protects(j->from_kind) ? POLICY_ATTEMPT : POLICY_UNJUDGED;
}

struct policy_judgement policy_judge(const struct policy *p, const struct policy_facts *facts)
{
    struct policy_judgement j = {.verdict = POLICY_UNJUDGED};
    if (!find_places(&j, p, facts))
        return j;
    if (j.from == 0 || j.to == 0) {
        judge_homeless(&j, facts);
        return j;
    }
    const struct place_rule *rule = &p->matrix[j.from][j.to];
    j.rule = rule->rule;
    j.cause = j.from == j.to ? POLICY_BY_ZONE : rule->line != 0 ? POLICY_BY_LINE : POLICY_BY_MODEL;
    j.item = rule->line == 0 ? 0 : (uint16_t)(rule->line - 1);
    j.verdict = facts->refused ? POLICY_ATTEMPT : POLICY_AGAINST;
    if (j.rule == POLICY_ALLOW ||
        (j.rule != POLICY_NEVER &&
         (by_gateway(&j, p, facts) || by_cloud(&j, p, facts) || by_flow(&j, p, facts))))
        j.verdict = POLICY_PERMITTED;
    return j;
}

/* ------------------------------------------------------------------------ answers */

enum policy_model policy_model_of(const struct policy *p)
{
    return p->lists.model;
}

unsigned policy_zone_count(const struct policy *p)
{
    return (unsigned)p->lists.zone_count;
}

enum policy_kind policy_place_kind(const struct policy *p, unsigned place)
{
    assert(place < POLICY_PLACES);
    return (enum policy_kind)p->kinds[place];
}

struct slice policy_place_name(const struct policy *p, unsigned place)
{
    assert(place < POLICY_PLACES);
    return p->names[place];
}

enum policy_rule policy_between(const struct policy *p, unsigned from, unsigned to,
                                const struct policy_line **line)
{
    assert(from < POLICY_PLACES && to < POLICY_PLACES);
    const struct place_rule *r = &p->matrix[from][to];
    if (line != NULL)
        *line = r->line == 0 ? NULL : &p->lists.lines[r->line - 1];
    return (enum policy_rule)r->rule;
}

const struct policy_options *policy_lists(const struct policy *p)
{
    return &p->lists;
}
