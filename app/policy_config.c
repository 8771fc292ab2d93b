#include "app/policy_config.h"

#include <assert.h>
#include <strings.h>

#include "base/calendar.h"
#include "base/err.h"
#include "base/hostname.h"

enum {
    NAMES_BYTES_MAX = 600, /* of a list of zones in a message */
    PORT_DIGITS_MAX = 5,
};

const char *const POLICY_MODEL_CHOICES[] = {"alpha", "alpha'", "beta", "beta'", "custom",
                                            "α",     "α'",     "β",    "β'",    NULL};
const char *const POLICY_KIND_CHOICES[] = {"mynumber", "lgwan", "internet", "dmz", "other", NULL};
const char *const POLICY_ROLE_CHOICES[] = {"sanitizer", "screen", "update",   "proxy",
                                           "mail",      "relay",  "breakout", NULL};
const char *const POLICY_RULE_CHOICES[] = {"deny", "allow", "gateway", "special", "cloud", NULL};
const char *const POLICY_PROTOCOL_CHOICES[] = {"any",    "tcp", "udp", "icmp",
                                               "icmpv6", "esp", "gre", NULL};
static const uint8_t PROTOCOLS[] = {0, 6, 17, 1, 58, 50, 47};

static_assert(sizeof(POLICY_MODEL_CHOICES) / sizeof(char *) == 2UL * POLICY_MODELS,
              "custom has no Greek letter, and there is the NULL");
static_assert(sizeof(POLICY_ROLE_CHOICES) / sizeof(char *) == POLICY_ROLES + 1, "a word each");
/* NEVER is nobody's to write. */
static_assert(sizeof(POLICY_RULE_CHOICES) / sizeof(char *) == POLICY_NEVER + 1, "a word each");
static_assert(sizeof(POLICY_KIND_CHOICES) / sizeof(char *) == POLICY_OTHER - POLICY_NUMBER + 2,
              "a word each");

/* What is being made of a municipality. */
struct loading {
    const struct policy_config *in;
    struct diag *diag;
    struct arena arena;
    struct policy_options o;
    const struct conf_node *lists[POLICY_PART_LINE + 1]; /* of the file, by policy_part */
    size_t faults;
};

static void complain(struct loading *l, const struct conf_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct loading *l, const struct conf_node *at, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    conf_error(l->in->conf, at, l->diag, "%s", buf_string(&text));
    buf_release(&text);
    l->faults++;
}

static struct slice text_of(const struct conf_node *n, const char *key)
{
    const char *text = conf_text(n, key);
    return text == NULL ? SLICE("") : slice_from(text);
}

static const struct conf_node *item_at(const struct conf_node *list, size_t index)
{
    const struct conf_node *n = list == NULL ? NULL : list->first;
    for (; n != NULL && index != 0; index--)
        n = n->next;
    return n;
}

/* ---------------------------------------------------------------------------- zones */

static bool is_alias(const struct conf_node *zone, struct slice name)
{
    const struct conf_node *aliases = conf_find(zone, "aliases");
    for (const struct conf_node *a = aliases == NULL ? NULL : aliases->first; a != NULL;
         a = a->next) {
        if (slice_equal(a->text, name))
            return true;
    }
    return false;
}

struct slice policy_config_zone(const struct conf_node *tenant, struct slice name)
{
    const struct conf_node *zones = conf_find(tenant, "zones");
    for (const struct conf_node *z = zones == NULL ? NULL : zones->first; z != NULL; z = z->next) {
        if (is_alias(z, name))
            return slice_from(z->key);
    }
    return name;
}

static const struct conf_node *declared(const struct loading *l, struct slice name)
{
    const struct conf_node *zones = conf_find(l->in->tenant, "zones");
    return zones == NULL ? NULL : conf_child(zones, name);
}

static enum policy_kind kind_of(const struct loading *l, struct slice name)
{
    const struct conf_node *zone = declared(l, name);
    if (zone != NULL && conf_given(zone, "kind"))
        return (enum policy_kind)(POLICY_NUMBER + conf_int(zone, "kind"));
    return policy_kind_of(name);
}

/* Whether a zone differs from the name in case alone: "Internet" beside a zone "internet". */
static bool is_nearly_zone(const struct loading *l, struct slice name)
{
    for (size_t i = 0; i < l->in->zone_count; i++) {
        struct slice zone = l->in->zones[i];
        if (zone.len == name.len && strncasecmp(zone.data, name.data, name.len) == 0)
            return true;
    }
    return false;
}

/* The place of a zone's name; 0 when it is none. */
static uint8_t place_of(const struct loading *l, struct slice name)
{
    static const struct slice WORLD[] = {
        {.data = "Internet", .len = 8},        {.data = "internet", .len = 8},
        {.data = "outside", .len = 7},         {.data = "外部", .len = 6},
        {.data = "インターネット", .len = 21},
    };
    struct slice canonical = policy_config_zone(l->in->tenant, name);
    for (size_t i = 0; i < l->in->zone_count && i < POLICY_ZONES_MAX; i++) {
        if (slice_equal(l->in->zones[i], canonical))
            return (uint8_t)(i + 1);
    }
    for (size_t i = 0; i < sizeof(WORLD) / sizeof(WORLD[0]); i++) {
        if (slice_equal(WORLD[i], name) && !is_nearly_zone(l, name))
            return POLICY_PLACE_WORLD;
    }
    return 0;
}

static void complain_place(struct loading *l, const struct conf_node *at, struct slice name,
                           const char *also)
{
    struct buf names = {.limit = NAMES_BYTES_MAX};
    for (size_t i = 0; i < l->in->zone_count; i++)
        buf_printf(&names, "%.*s, ", (int)l->in->zones[i].len, l->in->zones[i].data);
    complain(l, at, "\"%.*s\" is no zone of this municipality; write one of: %soutside%s",
             (int)name.len, name.data, buf_string(&names), also);
    buf_release(&names);
}

/* The first network of the file that is in a zone. */
static const struct conf_node *network_of(const struct loading *l, size_t zone)
{
    const struct conf_node *n = l->lists[POLICY_PART_NETWORK]->first;
    for (size_t i = 0; i < l->in->network_count; i++, n = n->next) {
        assert(n != NULL);
        if (l->in->networks[i].match.zone == zone)
            return n;
    }
    return l->lists[POLICY_PART_NETWORK];
}

/* A zone of `zones`: used, and no other zone's alias. */
static void check_declared(struct loading *l, const struct conf_node *zone)
{
    struct slice name = slice_from(zone->key);
    if (place_of(l, name) == 0 || place_of(l, name) == POLICY_PLACE_WORLD)
        complain(l, zone, "no network is in the zone \"%s\"; take it away or write its networks",
                 zone->key);
    const struct conf_node *aliases = conf_find(zone, "aliases");
    for (const struct conf_node *a = aliases == NULL ? NULL : aliases->first; a != NULL;
         a = a->next) {
        if (declared(l, a->text) != NULL ||
            !slice_equal(policy_config_zone(l->in->tenant, a->text), name))
            complain(l, a, "\"%s\" is another zone's name already; a name means one zone",
                     a->text.data);
        enum policy_kind known = policy_kind_of(a->text);
        if (known != POLICY_NONE && known != kind_of(l, name)) {
            complain(l, a, "\"%s\" is known as a zone of kind %s, \"%s\" is one of kind %s",
                     a->text.data, policy_kind_name(known), zone->key,
                     policy_kind_name(kind_of(l, name)));
        }
    }
}

static int load_zones(struct loading *l)
{
    struct policy_zone *zones = arena_array(&l->arena, l->in->zone_count + 1, sizeof(*zones));
    if (zones == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < l->in->zone_count; i++) {
        struct slice name = l->in->zones[i];
        zones[i] = (struct policy_zone){.name = name, .kind = (uint8_t)kind_of(l, name)};
        if (zones[i].kind != POLICY_NONE)
            continue;
        complain(l, network_of(l, i + 1),
                 "what the zone \"%.*s\" is for is not known; write its kind, "
                 "zones: {\"%.*s\": {kind: mynumber | lgwan | internet | dmz | other}}",
                 (int)name.len, name.data, (int)name.len, name.data);
    }
    const struct conf_node *list = conf_find(l->in->tenant, "zones");
    for (const struct conf_node *z = list == NULL ? NULL : list->first; z != NULL; z = z->next)
        check_declared(l, z);
    l->o.zones = zones;
    l->o.zone_count = l->in->zone_count;
    return 0;
}

/* --------------------------------------------------------------------- one value each */

/* A place that `matrix` and `gateways` name. */
static uint8_t read_place(struct loading *l, const struct conf_node *at)
{
    uint8_t place = at == NULL ? 0 : place_of(l, at->text);
    if (place == 0 && at != NULL)
        complain_place(l, at, at->text, "");
    return place;
}

/* A zone, a network, or (`names`) a domain. */
static void read_end(struct loading *l, struct policy_end *out, const struct conf_node *at,
                     bool names)
{
    char host[HOSTNAME_BYTES_MAX + 1];
    bool had_host_bits = false;
    struct slice text = at == NULL ? SLICE("") : at->text;
    uint8_t place = place_of(l, text);
    if (at == NULL)
        return;
    if (place != 0) {
        *out = (struct policy_end){.type = POLICY_END_PLACE, .place = place};
        return;
    }
    if (network_parse(&out->network, text, &had_host_bits) == 0) {
        out->type = POLICY_END_NETWORK;
        if (had_host_bits)
            complain(l, at, "\"%s\" has bits set behind its prefix; write the network's address",
                     text.data);
        return;
    }
    size_t len = hostname_normalize(host, text);
    if (!names || len == 0 || memchr(text.data, '.', text.len) == NULL ||
        hostname_ends_in_number(text)) {
        complain_place(l, at, text, names ? ", a network or a domain" : ", or a network");
        return;
    }
    out->type = POLICY_END_DOMAIN;
    out->domain = slice_of(arena_copy(&l->arena, slice_of(host, len)), len);
    if (out->domain.data == NULL)
        out->domain = SLICE("");
}

/* Digits at the start of the text as a port; their count, 0 when it is none. */
static size_t read_port(uint16_t *out, struct slice text)
{
    uint32_t port = 0;
    size_t at = 0;
    for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        if (at == PORT_DIGITS_MAX)
            return 0;
        port = port * 10 + (uint32_t)(text.data[at] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return 0;
    *out = (uint16_t)port;
    return at;
}

static bool read_ports(struct policy_flow *f, struct slice text)
{
    while (f->port_count < POLICY_PORTS_MAX) {
        struct policy_ports *p = &f->ports[f->port_count];
        while (text.len != 0 && text.data[0] == ' ')
            text = slice_from_offset(text, 1);
        size_t digits = read_port(&p->first, text);
        text = slice_from_offset(text, digits);
        p->last = p->first;
        if (digits != 0 && text.len != 0 && text.data[0] == '-') {
            text = slice_from_offset(text, 1);
            digits = read_port(&p->last, text);
            text = slice_from_offset(text, digits);
        }
        if (digits == 0 || p->last < p->first)
            return false;
        f->port_count++;
        if (text.len == 0)
            return true;
        if (text.data[0] != ',')
            return false;
        text = slice_from_offset(text, 1);
    }
    return false;
}

/* The end of a day "2027-03-31" in Japan. */
static bool read_day(int64_t *end_ns, struct slice text)
{
    int32_t parts[3] = {0};
    static const uint8_t DIGITS[3] = {4, 2, 2};
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < DIGITS[i]; k++, at++) {
            if (at >= text.len || text.data[at] < '0' || text.data[at] > '9')
                return false;
            parts[i] = parts[i] * 10 + (text.data[at] - '0');
        }
        if (i < 2 && (at >= text.len || text.data[at++] != '-'))
            return false;
    }
    struct clock_civil civil = {.year = parts[0], .month = parts[1], .day = parts[2]};
    if (at != text.len || !clock_civil_valid(&civil) || civil.year < 1970 || civil.year > 2200)
        return false;
    *end_ns = calendar_midnight(clock_days(civil.year, civil.month, civil.day) + 1);
    return true;
}

/* ----------------------------------------------------------------------------- lists */

static int load_gateways(struct loading *l)
{
    const struct conf_node *list = l->lists[POLICY_PART_GATEWAY];
    size_t count = list == NULL ? 0 : list->count;
    struct policy_gateway *items = arena_array(&l->arena, count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t at = 0;
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        struct policy_gateway *g = &items[at++];
        g->name = text_of(n, "name");
        g->reason = text_of(n, "reason");
        g->role = (uint8_t)conf_int(n, "role");
        if (network_parse(&g->network, text_of(n, "cidr"), NULL) != 0)
            l->faults++; /* the key table told it */
        const struct conf_node *zones = conf_find(n, "zones");
        for (const struct conf_node *z = zones == NULL ? NULL : zones->first; z != NULL;
             z = z->next) {
            uint8_t place = read_place(l, z);
            if (place != 0)
                g->joins |= UINT64_C(1) << place;
        }
    }
    l->o.gateways = items;
    l->o.gateway_count = count;
    return 0;
}

static void load_flow(struct loading *l, struct policy_flow *f, const struct conf_node *n)
{
    struct slice ports = text_of(n, "ports");
    struct slice expires = text_of(n, "expires");
    struct slice hours = text_of(n, "hours");
    f->name = text_of(n, "name");
    f->reason = text_of(n, "reason");
    f->protocol = PROTOCOLS[conf_int(n, "protocol")];
    f->until_ns = INT64_MAX;
    read_end(l, &f->from, conf_find(n, "from"), false);
    read_end(l, &f->to, conf_find(n, "to"), true);
    if (ports.len != 0 && !read_ports(f, ports)) {
        complain(l, conf_find(n, "ports"),
                 "\"%s\" is no list of ports; write at most %d like \"443\" or \"443,8000-8010\"",
                 ports.data, POLICY_PORTS_MAX);
    }
    if (ports.len != 0 && f->protocol != 0 && f->protocol != 6 && f->protocol != 17)
        complain(l, conf_find(n, "ports"), "only tcp and udp have ports");
    if (expires.len != 0 && !read_day(&f->until_ns, expires))
        complain(l, conf_find(n, "expires"), "\"%s\" is no day; write the last one, \"2027-03-31\"",
                 expires.data);
    if (hours.len != 0 && policy_hours_parse(&f->hours, hours) != 0) {
        complain(l, conf_find(n, "hours"),
                 "\"%s\" are no hours; write always, office, or up to %d like \"weekdays "
                 "08:30-17:15, sat+sun 09:00-12:00\" with daily, weekdays, holidays, mon .. sun",
                 hours.data, POLICY_SPANS_MAX);
    }
}

static int load_flows(struct loading *l)
{
    const struct conf_node *list = l->lists[POLICY_PART_FLOW];
    size_t count = list == NULL ? 0 : list->count;
    struct policy_flow *items = arena_array(&l->arena, count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t at = 0;
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next)
        load_flow(l, &items[at++], n);
    l->o.flows = items;
    l->o.flow_count = count;
    return 0;
}

static int load_clouds(struct loading *l)
{
    const struct conf_node *list = l->lists[POLICY_PART_CLOUD];
    size_t count = list == NULL ? 0 : list->count;
    struct policy_cloud *items = arena_array(&l->arena, count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t at = 0;
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        struct policy_cloud *cloud = &items[at++];
        cloud->name = text_of(n, "name");
        read_end(l, &cloud->to, conf_find(n, "to"), true);
        if (cloud->to.type == POLICY_END_PLACE && cloud->to.place != 0)
            complain(l, conf_find(n, "to"), "a cloud is a network or a domain, not a zone");
    }
    l->o.clouds = items;
    l->o.cloud_count = count;
    return 0;
}

static int load_lines(struct loading *l)
{
    const struct conf_node *list = l->lists[POLICY_PART_LINE];
    size_t count = list == NULL ? 0 : list->count;
    struct policy_line *items = arena_array(&l->arena, count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t at = 0;
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        struct policy_line *line = &items[at++];
        line->from = read_place(l, conf_find(n, "from"));
        line->to = read_place(l, conf_find(n, "to"));
        line->rule = (uint8_t)conf_int(n, "rule");
        line->reason = text_of(n, "reason");
    }
    l->o.lines = items;
    l->o.line_count = count;
    return 0;
}

/* ------------------------------------------------------------------------------- all */

static bool is_wanted(const struct loading *l)
{
    static const char *const KEYS[] = {"model", "zones", "gateways", "flows", "clouds", "matrix"};
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (conf_given(l->in->tenant, KEYS[i]))
            return true;
    }
    for (size_t i = 0; i < l->in->zone_count; i++) {
        enum policy_kind kind = policy_kind_of(l->in->zones[i]);
        if (kind == POLICY_NUMBER || kind == POLICY_LGWAN)
            return true;
    }
    return false;
}

static void take_fault(void *self, enum policy_part part, size_t index, const char *text)
{
    struct loading *l = self;
    const struct conf_node *at = item_at(l->lists[part], index);
    complain(l, at == NULL ? l->in->tenant : at, "%s", text);
}

static int load_all(struct loading *l)
{
    int status = load_zones(l);
    if (status == 0)
        status = load_gateways(l);
    if (status == 0)
        status = load_flows(l);
    if (status == 0)
        status = load_clouds(l);
    return status == 0 ? load_lines(l) : status;
}

int policy_config_load(struct policy **out, const struct policy_config *in, struct diag *diag)
{
    static const char *const LISTS[] = {"zones", "networks", "gateways",
                                        "flows", "clouds",   "matrix"};
    struct loading l = {.in = in, .diag = diag};
    const struct policy_reader reader = {.fault = take_fault, .self = &l};
    struct policy *policy = NULL;
    for (size_t i = 0; i <= POLICY_PART_LINE; i++)
        l.lists[i] = conf_find(in->tenant, LISTS[i]);
    if (!is_wanted(&l)) {
        *out = NULL;
        return 0;
    }
    if (in->network_count == 0) {
        complain(&l, in->tenant,
                 "a model or its parts are given, but no networks; list the "
                 "municipality's networks with their zones");
        return 0;
    }
    l.o.model = (enum policy_model)(conf_int(in->tenant, "model") % POLICY_MODELS);
    l.o.networks = in->networks;
    l.o.network_count = in->network_count;
    int status = load_all(&l);
    /* Contradictions are looked for among things that are right by themselves. */
    if (status == 0 && l.faults == 0)
        status = policy_new(&policy, &l.o, &reader);
    arena_release(&l.arena);
    if (status == ERR_CONF)
        status = 0;
    if (status == 0)
        *out = policy;
    return status;
}
