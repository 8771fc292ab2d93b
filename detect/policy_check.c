#include "detect/policy_check.h"

#include <stdlib.h>

#include "base/err.h"

enum {
    NEST_MAX = 129, /* a chain of nested networks has at most one per prefix */
};

struct check {
    const struct policy_options *o;
    const struct policy_reader *reader;
    struct zone_table *table;
    struct buf text;
    size_t faults;
};

static void fault(struct check *c, enum policy_part part, size_t index, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fault(struct check *c, enum policy_part part, size_t index, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_reset(&c->text);
    buf_vprintf(&c->text, format, args);
    va_end(args);
    c->reader->fault(c->reader->self, part, index, buf_string(&c->text));
    c->faults++;
}

/* ---------------------------------------------------------------------------- places */

static unsigned kind_of(const struct check *c, unsigned place)
{
    if (place == POLICY_PLACE_WORLD)
        return POLICY_WORLD;
    return place == 0 || place > c->o->zone_count ? POLICY_NONE : c->o->zones[place - 1].kind;
}

static struct slice name_of(const struct check *c, unsigned place)
{
    if (place == POLICY_PLACE_WORLD)
        return SLICE("Internet");
    return place == 0 || place > c->o->zone_count ? SLICE("none") : c->o->zones[place - 1].name;
}

#define NAME_OF(c, place) (int)name_of(c, place).len, name_of(c, place).data

/* What the model has between two places, whatever the municipality wrote. */
static struct policy_cell model_cell(const struct check *c, unsigned from, unsigned to)
{
    if (from == to)
        return (struct policy_cell){.rule = POLICY_ALLOW};
    return policy_preset(c->o->model, (enum policy_kind)kind_of(c, from),
                         (enum policy_kind)kind_of(c, to));
}

/* The rule that holds: the municipality's line before the model. */
static struct policy_cell cell_of(const struct check *c, unsigned from, unsigned to)
{
    struct policy_cell cell = model_cell(c, from, to);
    for (size_t i = 0; i < c->o->line_count; i++) {
        if (c->o->lines[i].from == from && c->o->lines[i].to == to)
            cell.rule = c->o->lines[i].rule;
    }
    return cell;
}

static struct ip last_of(const struct network *net)
{
    struct ip ip = net->ip;
    for (unsigned bit = net->prefix_bits; bit < 128; bit++)
        ip.bytes[bit / 8] |= (uint8_t)(0x80U >> bit % 8);
    return ip;
}

/* The one place of a whole network; 0 when it lies in none or in several. */
static unsigned place_of(const struct check *c, const struct network *net)
{
    struct ip last = last_of(net);
    struct zone_match first = zone_find(c->table, &net->ip);
    struct zone_match end = zone_find(c->table, &last);
    if (first.zone != end.zone || first.excluded || end.excluded)
        return 0;
    if (first.zone != 0)
        return first.zone <= POLICY_ZONES_MAX ? first.zone : 0;
    return ip_is_private(&net->ip) ? 0 : POLICY_PLACE_WORLD;
}

static bool protects(unsigned kind)
{
    return kind == POLICY_NUMBER || kind == POLICY_LGWAN;
}

/* ---------------------------------------------------------- zones and networks */

static bool is_v4_network(const struct network *net)
{
    return net->prefix_bits >= 96 && ip_is_v4(&net->ip);
}

/* A network and its place in the list. */
struct listed {
    struct network network;
    size_t index;
};

/* Ascending address, the wider network first. */
static int network_compare(const void *a, const void *b)
{
    const struct listed *left = a;
    const struct listed *right = b;
    const struct network *x = &left->network;
    const struct network *y = &right->network;
    int order = memcmp(x->ip.bytes, y->ip.bytes, sizeof(x->ip.bytes));
    return order != 0 ? order : (int)x->prefix_bits - (int)y->prefix_bits;
}

/* `outer` is the narrowest network around it, or NULL. */
static void check_network(struct check *c, size_t index, const struct zone_network *outer)
{
    const struct zone_match *m = &c->o->networks[index].match;
    if (m->zone == 0 && !m->excluded) {
        fault(c, POLICY_PART_NETWORK, index,
              "the network has no zone, so its addresses would be in none; give it a zone, or "
              "\"exclude: true\"");
        return;
    }
    if (outer == NULL)
        return;
    const struct zone_match *wide = &outer->match;
    unsigned kind = kind_of(c, m->zone);
    unsigned wide_kind = kind_of(c, wide->zone);
    if (m->excluded && wide_kind == POLICY_NUMBER) {
        fault(c, POLICY_PART_NETWORK, index,
              "an exclusion inside %.*s would hide My-Number traffic; take the exclusion away",
              NAME_OF(c, wide->zone));
    } else if (!m->excluded && !wide->excluded && kind != wide_kind &&
               (protects(kind) || protects(wide_kind))) {
        fault(c, POLICY_PART_NETWORK, index,
              "the network of %.*s lies inside one of %.*s; write networks that do not overlap",
              NAME_OF(c, m->zone), NAME_OF(c, wide->zone));
    }
}

static int check_networks(struct check *c)
{
    if (c->o->zone_count > POLICY_ZONES_MAX) {
        fault(c, POLICY_PART_ZONE, POLICY_ZONES_MAX,
              "more than %d zones; give networks of one purpose one zone", POLICY_ZONES_MAX);
        return ERR_CONF;
    }
    /* Networks nest: those around one are the last ones before it that still hold it. */
    const struct listed *open[NEST_MAX];
    size_t depth = 0;
    size_t count = c->o->network_count;
    struct listed *order = calloc(count + 1, sizeof(*order));
    if (order == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        order[i] = (struct listed){.network = c->o->networks[i].network, .index = i};
    qsort(order, count, sizeof(*order), network_compare);
    for (size_t i = 0; i < count; i++) {
        const struct listed *here = &order[i];
        while (depth > 0 && !network_holds(&open[depth - 1]->network, &here->network.ip))
            depth--;
        const struct listed *outer = depth == 0 ? NULL : open[depth - 1];
        bool nested =
            outer != NULL && is_v4_network(&outer->network) == is_v4_network(&here->network);
        check_network(c, here->index, nested ? &c->o->networks[outer->index] : NULL);
        open[depth++] = here;
    }
    free(order);
    return 0;
}

/* --------------------------------------------------------------------------- matrix */

/* How much a rule lets through. */
static unsigned width_of(unsigned rule)
{
    static const uint8_t WIDTHS[POLICY_RULES] = {
        [POLICY_NEVER] = 0,   [POLICY_DENY] = 1,  [POLICY_SPECIAL] = 2,
        [POLICY_GATEWAY] = 2, [POLICY_CLOUD] = 3, [POLICY_ALLOW] = 4,
    };
    return WIDTHS[rule];
}

static void check_line(struct check *c, size_t index)
{
    const struct policy_line *line = &c->o->lines[index];
    struct policy_cell model = model_cell(c, line->from, line->to);
    if (line->from == line->to) {
        fault(c, POLICY_PART_LINE, index,
              "within %.*s everything is allowed; name two different zones",
              NAME_OF(c, line->from));
        return;
    }
    if (model.rule == POLICY_NEVER && line->rule != POLICY_NEVER) {
        fault(
            c, POLICY_PART_LINE, index,
            "between the My-Number segment and the Internet nothing may pass, whatever is written "
            "here; take the line away");
    } else if (c->o->model != POLICY_CUSTOM && width_of(line->rule) > width_of(model.rule) &&
               line->reason.len == 0) {
        fault(c, POLICY_PART_LINE, index,
              "%s has \"%s\" from %.*s to %.*s, this line allows more; write the reason",
              policy_model_name(c->o->model), policy_rule_name(model.rule), NAME_OF(c, line->from),
              NAME_OF(c, line->to));
    }
    for (size_t i = 0; i < index; i++) {
        if (c->o->lines[i].from == line->from && c->o->lines[i].to == line->to) {
            fault(c, POLICY_PART_LINE, index,
                  "there is a line from %.*s to %.*s already, with \"%s\"; keep one",
                  NAME_OF(c, line->from), NAME_OF(c, line->to),
                  policy_rule_name(c->o->lines[i].rule));
        }
    }
}

/* ------------------------------------------------------------------------- gateways */

static bool overlap(const struct network *a, const struct network *b)
{
    return network_holds(a, &b->ip) || network_holds(b, &a->ip);
}

/* One of the zones that a gateway joins against another. */
static void check_join(struct check *c, size_t index, unsigned a, unsigned b)
{
    const struct policy_gateway *g = &c->o->gateways[index];
    struct policy_cell there = cell_of(c, a, b);
    struct policy_cell back = cell_of(c, b, a);
    if (there.rule == POLICY_NEVER || back.rule == POLICY_NEVER) {
        fault(c, POLICY_PART_GATEWAY, index,
              "a gateway between %.*s and the other side's %.*s can never be; join the My-Number "
              "segment to the LGWAN segment at most",
              NAME_OF(c, a), NAME_OF(c, b));
        return;
    }
    bool open = there.rule == POLICY_ALLOW && back.rule == POLICY_ALLOW;
    bool foreseen = ((there.roles | back.roles) >> g->role & 1) != 0;
    if (!open && !foreseen && g->reason.len == 0) {
        fault(c, POLICY_PART_GATEWAY, index,
              "%s foresees no gateway of role %s between %.*s and %.*s; write the reason, or "
              "another role",
              policy_model_name(c->o->model), policy_role_name(g->role), NAME_OF(c, a),
              NAME_OF(c, b));
    }
}

static unsigned host_bits(const struct network *net)
{
    return 128U - net->prefix_bits;
}

static void check_gateway_place(struct check *c, size_t index)
{
    const struct policy_gateway *g = &c->o->gateways[index];
    unsigned place = place_of(c, &g->network);
    if (place == 0 || place == POLICY_PLACE_WORLD) {
        fault(c, POLICY_PART_GATEWAY, index,
              "the gateway lies in no zone; list the network that it stands in under networks");
    } else if ((g->joins >> place & 1) == 0 && kind_of(c, place) != POLICY_DMZ) {
        fault(c, POLICY_PART_GATEWAY, index,
              "the gateway lies in %.*s, which it does not join; add that zone, or correct the "
              "address",
              NAME_OF(c, place));
    }
}

static void check_gateway(struct check *c, size_t index)
{
    const struct policy_gateway *g = &c->o->gateways[index];
    if (host_bits(&g->network) >= 64 ||
        (UINT64_C(1) << host_bits(&g->network)) > POLICY_GATEWAY_ADDRESSES_MAX) {
        fault(c, POLICY_PART_GATEWAY, index,
              "a gateway has at most %d addresses; a whole segment is none",
              POLICY_GATEWAY_ADDRESSES_MAX);
    }
    if (__builtin_popcountll(g->joins) < 2)
        fault(c, POLICY_PART_GATEWAY, index, "a gateway joins at least two zones");
    check_gateway_place(c, index);
    for (unsigned a = 1; a < POLICY_PLACES; a++) {
        for (unsigned b = a + 1; b < POLICY_PLACES; b++) {
            if ((g->joins >> a & 1) != 0 && (g->joins >> b & 1) != 0)
                check_join(c, index, a, b);
        }
    }
    for (size_t i = 0; i < index; i++) {
        if (overlap(&c->o->gateways[i].network, &g->network)) {
            fault(c, POLICY_PART_GATEWAY, index,
                  "the gateway \"%.*s\" has the same address; write one gateway for each address",
                  (int)c->o->gateways[i].name.len, c->o->gateways[i].name.data);
        }
    }
}

/* ---------------------------------------------------------------------- flows, clouds */

/* The place of an end; 0 after a fault. */
static unsigned end_place(struct check *c, size_t index, const struct policy_end *end,
                          const char *which)
{
    uint8_t named = 0;
    unsigned place = end->place;
    if (end->type == POLICY_END_NETWORK)
        place = place_of(c, &end->network);
    else if (end->type == POLICY_END_DOMAIN)
        place = policy_name_place(c->o, end->domain, &named) ? named : 0;
    if (place == 0) {
        fault(c, POLICY_PART_FLOW, index,
              "\"%s\" lies in no zone, or in several; list its network under networks, or write a "
              "zone",
              which);
    }
    return place;
}

static void check_flow_places(struct check *c, size_t index)
{
    const struct policy_flow *f = &c->o->flows[index];
    unsigned from = end_place(c, index, &f->from, "from");
    unsigned to = end_place(c, index, &f->to, "to");
    if (from == 0 || to == 0)
        return;
    struct policy_cell cell = cell_of(c, from, to);
    if (cell.rule == POLICY_ALLOW) {
        fault(c, POLICY_PART_FLOW, index,
              "from %.*s to %.*s everything is allowed already; take the flow away",
              NAME_OF(c, from), NAME_OF(c, to));
    } else if (cell.rule == POLICY_NEVER) {
        fault(
            c, POLICY_PART_FLOW, index,
            "between the My-Number segment and the Internet nothing may pass; take the flow away, "
            "or list the other side's network in the zone that it is reached through");
    } else if (cell.rule != POLICY_SPECIAL && f->reason.len == 0) {
        fault(c, POLICY_PART_FLOW, index,
              "%s has \"%s\" from %.*s to %.*s, this flow allows more; write the reason",
              policy_model_name(c->o->model), policy_rule_name(cell.rule), NAME_OF(c, from),
              NAME_OF(c, to));
    }
}

static bool same_end(const struct policy_end *a, const struct policy_end *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case POLICY_END_PLACE:
        return a->place == b->place;
    case POLICY_END_NETWORK:
        return a->network.prefix_bits == b->network.prefix_bits &&
               memcmp(&a->network.ip, &b->network.ip, sizeof(a->network.ip)) == 0;
    case POLICY_END_DOMAIN:
        return slice_equal(a->domain, b->domain);
    }
    return false;
}

static bool same_ports(const struct policy_flow *a, const struct policy_flow *b)
{
    if (a->port_count != b->port_count)
        return false;
    for (uint8_t i = 0; i < a->port_count; i++) {
        if (a->ports[i].first != b->ports[i].first || a->ports[i].last != b->ports[i].last)
            return false;
    }
    return true;
}

static void check_flow(struct check *c, size_t index)
{
    const struct policy_flow *f = &c->o->flows[index];
    check_flow_places(c, index);
    for (size_t i = 0; i < index; i++) {
        const struct policy_flow *other = &c->o->flows[i];
        if (f->protocol == other->protocol && same_ports(f, other) &&
            same_end(&f->from, &other->from) && same_end(&f->to, &other->to)) {
            fault(
                c, POLICY_PART_FLOW, index,
                "the flow \"%.*s\" is about the same ends, protocol and ports; write one flow with "
                "all its hours and one expiry",
                (int)other->name.len, other->name.data);
        }
    }
}

static void check_cloud(struct check *c, size_t index)
{
    const struct policy_cloud *cloud = &c->o->clouds[index];
    bool used = false;
    for (unsigned from = 1; from <= c->o->zone_count; from++)
        used = used || cell_of(c, from, POLICY_PLACE_WORLD).rule == POLICY_CLOUD;
    if (!used) {
        fault(
            c, POLICY_PART_CLOUD, index,
            "%s knows no named clouds; write model alpha', or a line of the matrix with rule cloud",
            policy_model_name(c->o->model));
    }
    if (cloud->to.type == POLICY_END_NETWORK &&
        place_of(c, &cloud->to.network) != POLICY_PLACE_WORLD)
        fault(c, POLICY_PART_CLOUD, index,
              "the network is the municipality's own or a private one; a cloud is on the Internet");
    if (cloud->to.type == POLICY_END_DOMAIN &&
        memchr(cloud->to.domain.data, '.', cloud->to.domain.len) == NULL) {
        fault(c, POLICY_PART_CLOUD, index,
              "\"%.*s\" is a top-level domain; name the service's own domain",
              (int)cloud->to.domain.len, cloud->to.domain.data);
    }
}

/* ----------------------------------------------------------------------------- all */

static void check_count(struct check *c, enum policy_part part, size_t count, size_t most)
{
    if (count > most)
        fault(c, part, most, "more than %zu entries; write networks in place of single addresses",
              most);
}

static int check_all(struct check *c)
{
    const struct policy_options *o = c->o;
    check_count(c, POLICY_PART_GATEWAY, o->gateway_count, POLICY_GATEWAYS_MAX);
    check_count(c, POLICY_PART_FLOW, o->flow_count, POLICY_FLOWS_MAX);
    check_count(c, POLICY_PART_CLOUD, o->cloud_count, POLICY_CLOUDS_MAX);
    check_count(c, POLICY_PART_LINE, o->line_count, POLICY_CELLS_MAX);
    if (c->faults != 0)
        return ERR_CONF;
    int status = check_networks(c);
    if (status != 0)
        return status;
    for (size_t i = 0; i < o->line_count; i++)
        check_line(c, i);
    for (size_t i = 0; i < o->gateway_count; i++)
        check_gateway(c, i);
    for (size_t i = 0; i < o->flow_count; i++)
        check_flow(c, i);
    for (size_t i = 0; i < o->cloud_count; i++)
        check_cloud(c, i);
    return c->faults == 0 ? 0 : ERR_CONF;
}

int policy_check(const struct policy_options *options, const struct policy_reader *reader)
{
    struct check c = {.o = options, .reader = reader};
    size_t bad = 0;
    int status = zone_table_new(&c.table, options->networks, options->network_count, &bad);
    if (status == ERR_CONF)
        fault(&c, POLICY_PART_NETWORK, bad, "the network is listed twice; keep one");
    if (status == 0)
        status = check_all(&c);
    if (status == 0 && !buf_ok(&c.text))
        status = ERR_NOMEM;
    zone_table_free(c.table);
    buf_release(&c.text);
    return status;
}
