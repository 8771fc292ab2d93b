#include "app/gen_case.h"

#include <assert.h>

#include "app/gen_calendar.h"
#include "app/gen_name.h"
#include "app/gen_writer.h"
#include "base/buf.h"
#include "base/err.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define MS     INT64_C(1000000)

enum need {
    NEED_FIREWALL,
    NEED_LOGIN, /* a firewall that logs logins */
    NEED_URL,   /* a proxy or a firewall with a web filter */
    NEED_ANY,
    NEED_LGWAN, /* a firewall before the LGWAN */
};

enum {
    LGWAN_TENANTS = 3, /* that rules/prefecture/lgwan_address_everywhere.yml asks for */
};

struct planner {
    const char *detector;
    enum need need;
    uint32_t lines; /* of a case and its look-alike together, about */
    int (*plan)(struct gen_case *c, struct gen_world *w);
    int (*plan_look_alike)(struct gen_case *c, struct gen_world *w);
};

/* ------------------------------------------------------------------- helpers */

static uint32_t pick(struct gen_case *c, uint32_t low, uint32_t high)
{
    return gen_random_between(&c->random, low, high);
}

static const struct gen_tenant *tenant_of(const struct gen_case *c, const struct gen_world *w)
{
    return &w->tenants[c->flow.tenant];
}

static void add_key(struct gen_case *c, const char *name, const struct buf *value)
{
    assert(c->key_count < GEN_KEYS_MAX);
    struct gen_key *k = &c->keys[c->key_count++];
    size_t len = value->len < sizeof(k->value) - 1 ? value->len : sizeof(k->value) - 1;
    k->name = name;
    memcpy(k->value, value->data, len);
    k->value[len] = '\0';
}

static void add_address(struct gen_case *c, const char *name, struct gen_address a)
{
    struct buf text = {0};
    text_address(&text, a);
    add_key(c, name, &text);
    buf_release(&text);
}

static void add_domain(struct gen_case *c, const struct gen_world *w)
{
    struct gen_dest scratch;
    const struct gen_dest *d = gen_world_dest(w, c->flow.dest, &scratch);
    struct buf text = {0};
    buf_append(&text, d->name, d->name_len);
    add_key(c, "url.domain", &text);
    buf_release(&text);
}

/* From a PC that is neither the first nor the same as that of the next case. */
static void from_pc(struct gen_case *c, const struct gen_world *w)
{
    const struct gen_tenant *t = tenant_of(c, w);
    c->flow.host = (uint16_t)pick(c, 0, t->active - 1);
    c->flow.client = (struct gen_address){.value = gen_world_pc(t, c->flow.host)};
    c->flow.path = GEN_PATH_OUT;
    add_address(c, "source.ip", c->flow.client);
}

static void from_outside(struct gen_case *c, const struct gen_world *w, uint32_t client)
{
    c->flow.client = (struct gen_address){.value = client};
    c->flow.server = (struct gen_address){.value = tenant_of(c, w)->published + 2};
    c->flow.dest = GEN_DEST_OWN_SITE;
    c->flow.path = GEN_PATH_IN;
    c->anytime = true;
}

/*
 * The planted range: 0x0000 sites, 0x1000 listed addresses and their neighbours, 0x2000 targets of
 * scans; so no case stumbles over the indicators of another.
 */
static uint32_t planted_address(const struct gen_case *c)
{
    uint32_t order = (c->kind * 2U + c->look_alike) * 61 + c->number * 401;
    return GEN_PLANTED_BASE + (order & 0xFFF);
}

static uint32_t listed_address(const struct gen_case *c)
{
    return GEN_PLANTED_BASE + 0x1000 + c->number * 2;
}

static uint32_t scanned_network(const struct gen_case *c)
{
    return GEN_PLANTED_BASE + 0x2000 + (c->number * 7 + c->kind) % 30 * 256;
}

static void repeat(struct gen_case *c, uint32_t steps, int64_t gap_ns, uint32_t jitter_permille)
{
    c->steps = steps;
    c->gap_ns = gap_ns;
    c->gap_jitter_permille = jitter_permille;
    c->duration_ns = gap_ns * (int64_t)(steps - 1);
}

static void session(struct gen_case *c, uint8_t kind, uint16_t port)
{
    c->flow.kind = kind;
    c->flow.server_port = port;
    c->flow.sent_bytes = kind == GEN_FLOW_DENY ? 0 : 1200;
    c->flow.received_bytes = kind == GEN_FLOW_END ? 5400 : 0;
    c->flow.duration_ms = kind == GEN_FLOW_DENY ? 0 : 900;
}

/* A site under a name and address of its own, with `prefix` before the name. */
static int plant_site(struct gen_case *c, struct gen_world *w, const char *prefix, bool tls)
{
    struct buf name = {0};
    buf_text(&name, prefix);
    uint64_t number = (c->kind * 2U + c->look_alike) * UINT64_C(2000) + c->number;
    gen_name_odd(&name, number * 26 + c->random.state % 26);
    int result = gen_world_plant(&c->flow.dest, w, buf_content(&name), planted_address(c));
    buf_release(&name);
    if (result != 0)
        return result;
    struct gen_dest scratch;
    c->flow.server = gen_world_dest(w, c->flow.dest, &scratch)->address;
    c->flow.server_port = tls ? 443 : 80;
    c->flow.tls = tls;
    c->web = true;
    c->flow.sent_bytes = 820;
    c->flow.received_bytes = 1400;
    c->flow.duration_ms = 120;
    return 0;
}

static void to_dest(struct gen_case *c, const struct gen_world *w, uint32_t dest, uint16_t port)
{
    struct gen_dest scratch;
    const struct gen_dest *d = gen_world_dest(w, dest, &scratch);
    c->flow.dest = dest;
    c->flow.server = d->address;
    c->flow.server_port = port;
    c->flow.tls = port == 443;
}

static void set_indicator(struct gen_case *c, enum gen_indicator type, const char *prefix,
                          struct slice text, const char *suffix)
{
    struct buf value = {0};
    buf_text(&value, prefix);
    buf_slice(&value, text);
    buf_text(&value, suffix);
    size_t len = value.len < sizeof(c->indicator) - 1 ? value.len : sizeof(c->indicator) - 1;
    memcpy(c->indicator, value.data, len);
    c->indicator[len] = '\0';
    c->indicator_type = (uint8_t)type;
    buf_release(&value);
}

static struct slice planted_name(const struct gen_case *c, const struct gen_world *w)
{
    struct gen_dest scratch;
    const struct gen_dest *d = gen_world_dest(w, c->flow.dest, &scratch);
    return slice_of(d->name, d->name_len);
}

/* --------------------------------------------------------------------- scans */

static int plan_scan(struct gen_case *c, struct gen_world *w)
{
    static const uint16_t PORTS[5] = {445, 22, 3389, 1433, 5985};
    from_pc(c, w);
    session(c, GEN_FLOW_DENY, PORTS[pick(c, 0, 4)]);
    c->flow.dest = GEN_DEST_NAMELESS;
    c->flow.server.value = scanned_network(c);
    c->vary = GEN_VARY_SERVER;
    c->denied_permille = 930;
    uint32_t steps = pick(c, 80, 200);
    repeat(c, steps, pick(c, 30, 400) * MS, 500);
    return 0;
}

/* A monitoring server polls what it is in charge of, and is answered. */
static int like_scan(struct gen_case *c, struct gen_world *w)
{
    c->flow.client.value = tenant_of(c, w)->inside | 64 << 8 | 40;
    c->flow.path = GEN_PATH_SERVER;
    session(c, GEN_FLOW_END, 443);
    c->vary = GEN_VARY_DEST;
    add_address(c, "source.ip", c->flow.client);
    repeat(c, 40, 2 * SECOND, 300);
    return 0;
}

static int plan_scan_vertical(struct gen_case *c, struct gen_world *w)
{
    from_pc(c, w);
    session(c, GEN_FLOW_DENY, 0);
    c->flow.path = GEN_PATH_INSIDE;
    c->flow.dest = GEN_DEST_NAMELESS;
    c->flow.server.value = tenant_of(c, w)->inside | 64 << 8 | 10;
    c->vary = GEN_VARY_PORT;
    c->denied_permille = 950;
    add_address(c, "destination.ip", c->flow.server);
    uint32_t steps = pick(c, 120, 300);
    repeat(c, steps, pick(c, 10, 200) * MS, 500);
    return 0;
}

/* A printer driver keeps trying the port of a printer that is off. */
static int like_scan_vertical(struct gen_case *c, struct gen_world *w)
{
    from_pc(c, w);
    session(c, GEN_FLOW_FAILED, 9100);
    c->flow.path = GEN_PATH_INSIDE;
    c->flow.dest = GEN_DEST_NAMELESS;
    c->flow.server.value = tenant_of(c, w)->inside | 64 << 8 | 60;
    repeat(c, 12, 5 * SECOND, 100);
    return 0;
}

static int plan_scan_inbound(struct gen_case *c, struct gen_world *w)
{
    from_outside(c, w, GEN_ATTACK_BASE + 1 + c->number % 254);
    session(c, GEN_FLOW_DENY, 0);
    c->vary = GEN_VARY_PUBLISHED;
    c->denied_permille = 970;
    add_address(c, "source.ip", c->flow.client);
    uint32_t steps = pick(c, 100, 300);
    repeat(c, steps, pick(c, 20, 200) * MS, 500);
    return 0;
}

/* A search engine reads the municipality's pages. */
static int like_scan_inbound(struct gen_case *c, struct gen_world *w)
{
    from_outside(c, w, GEN_VISITOR_BASE + c->number * 7 % 32768);
    session(c, GEN_FLOW_END, 443);
    add_address(c, "source.ip", c->flow.client);
    repeat(c, 150, 2 * SECOND, 500);
    return 0;
}

static int plan_slow_scan(struct gen_case *c, struct gen_world *w)
{
    from_pc(c, w);
    session(c, GEN_FLOW_DENY, 445);
    c->flow.dest = GEN_DEST_NAMELESS;
    c->flow.server.value = scanned_network(c);
    c->vary = GEN_VARY_SERVER;
    /* Half of it is let through, so that the walk between refused and accepted stays undecided. */
    c->denied_permille = 500;
    c->anytime = true;
    uint32_t steps = pick(c, 150, 300);
    repeat(c, steps, pick(c, 80, 240) * SECOND, 400);
    return 0;
}

/* A program asks a server that was taken away, every two minutes. */
static int like_slow_scan(struct gen_case *c, struct gen_world *w)
{
    from_pc(c, w);
    session(c, GEN_FLOW_FAILED, 8080);
    to_dest(c, w, GEN_DEST_SERVICES + 40, 8080);
    c->anytime = true;
    repeat(c, 150, 120 * SECOND, 20);
    return 0;
}

/* ---------------------------------------------------------------- indicators */

static int plan_indicator_ip(struct gen_case *c, struct gen_world *w)
{
    struct buf text = {0};
    /* An odd address; the look-alike is the even one beside it, which no list names. */
    uint32_t address = listed_address(c) + (c->look_alike ? 0 : 1);
    text_ip4(&text, address);
    int result = gen_world_plant(&c->flow.dest, w, buf_content(&text), address);
    if (result == 0) {
        from_pc(c, w);
        to_dest(c, w, c->flow.dest, 80);
        c->web = true;
        c->flow.sent_bytes = 640;
        c->flow.received_bytes = 2100;
        c->flow.duration_ms = 210;
        add_key(c, "destination.ip", &text);
        if (!c->look_alike)
            set_indicator(c, GEN_INDICATOR_IP, "", buf_content(&text), "");
        uint32_t steps = pick(c, 3, 6);
        repeat(c, steps, pick(c, 5, 60) * SECOND, 500);
    }
    buf_release(&text);
    return result;
}

static int plan_indicator_domain(struct gen_case *c, struct gen_world *w)
{
    /* The list names the domain; the PC asks for a host under it. */
    int result = plant_site(c, w, "cdn.", true);
    if (result != 0)
        return result;
    from_pc(c, w);
    add_domain(c, w);
    set_indicator(c, GEN_INDICATOR_DOMAIN, "", slice_from_offset(planted_name(c, w), 4), "");
    uint32_t steps = pick(c, 3, 6);
    repeat(c, steps, pick(c, 5, 60) * SECOND, 500);
    return 0;
}

/* Ends like a listed name without being under it. */
static int like_indicator_domain(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "my", true);
    if (result != 0)
        return result;
    from_pc(c, w);
    add_domain(c, w);
    set_indicator(c, GEN_INDICATOR_DOMAIN, "", slice_from_offset(planted_name(c, w), 2), "");
    repeat(c, 4, 20 * SECOND, 500);
    return 0;
}

/* gen_text.c writes the path of a planted site from the top 16 bits of the salt. */
static int plan_indicator_url(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "", false);
    if (result != 0)
        return result;
    from_pc(c, w);
    set_indicator(c, GEN_INDICATOR_URL, "http://", planted_name(c, w), "/gate/beef.php");
    struct buf text = {0};
    buf_text(&text, c->indicator);
    if (c->look_alike)
        add_domain(c, w);
    else
        add_key(c, "url.original", &text);
    buf_release(&text);
    c->flow.salt = c->look_alike ? UINT64_C(0xcafe) << 48 : UINT64_C(0xbeef) << 48;
    c->fixed_salt = true;
    uint32_t steps = pick(c, 2, 5);
    repeat(c, steps, pick(c, 5, 60) * SECOND, 500);
    return 0;
}

/* --------------------------------------------------------------------- zones */

static void zone_flow(struct gen_case *c, const struct gen_world *w, uint32_t client, uint8_t path)
{
    c->flow.client = (struct gen_address){.value = client};
    bool denied = c->number % 2 == 0 && !c->look_alike;
    session(c, denied ? GEN_FLOW_DENY : GEN_FLOW_END, 443);
    uint32_t dest = GEN_DEST_SERVICES + pick(c, 0, 200);
    struct gen_dest scratch;
    while (gen_world_dest(w, dest, &scratch)->address.v6)
        dest++;
    to_dest(c, w, dest, 443);
    c->flow.path = path;
    add_address(c, "source.ip", c->flow.client);
    add_address(c, "destination.ip", c->flow.server);
    repeat(c, pick(c, 1, 5), 3 * SECOND, 500);
    struct buf verdict = {0};
    buf_text(&verdict, denied ? "deny" : "allow");
    add_key(c, "sekisho.verdict", &verdict);
    buf_release(&verdict);
}

static int plan_zone_lgwan(struct gen_case *c, struct gen_world *w)
{
    zone_flow(c, w, gen_world_address(tenant_of(c, w)->inside, 129, pick(c, 0, 200)),
              GEN_PATH_LGWAN);
    return 0;
}

/* The registered update gateway fetches what it is there to fetch. */
static int like_zone_lgwan(struct gen_case *c, struct gen_world *w)
{
    zone_flow(c, w, tenant_of(c, w)->inside | 128 << 8 | 10, GEN_PATH_LGWAN);
    to_dest(c, w, GEN_DEST_PLATFORM, 443);
    c->key_count = 1;
    return 0;
}

static int plan_zone_number(struct gen_case *c, struct gen_world *w)
{
    zone_flow(c, w, gen_world_address(GEN_NUMBER_BASE, 10, pick(c, 0, 200)), GEN_PATH_NUMBER);
    return 0;
}

/* A network that the municipality excludes from monitoring. */
static int like_zone_number(struct gen_case *c, struct gen_world *w)
{
    zone_flow(c, w, gen_world_address(tenant_of(c, w)->inside, 200, pick(c, 0, 200)),
              GEN_PATH_SCHOOL);
    return 0;
}

/* --------------------------------------------------------- silence, drift and bursts */

/* Something about one of the sources for a while. */
static void at_source(struct gen_case *c, const struct gen_world *w, int64_t duration_ns)
{
    const struct gen_tenant *t = tenant_of(c, w);
    c->at_source = (uint8_t)(c->number % gen_world_sources(t));
    c->steps = 0;
    c->duration_ns = duration_ns;
    struct buf name = {0};
    buf_text(&name, t->sources[c->at_source].name);
    add_key(c, "sekisho.source", &name);
    buf_release(&name);
}

static int plan_silence(struct gen_case *c, struct gen_world *w)
{
    at_source(c, w, pick(c, 40, 90) * MINUTE);
    return 0;
}

/* A relay restarts. */
static int like_silence(struct gen_case *c, struct gen_world *w)
{
    at_source(c, w, 45 * SECOND);
    return 0;
}

/* New firmware: another layout until somebody sets it back. */
static int plan_drift(struct gen_case *c, struct gen_world *w)
{
    at_source(c, w, pick(c, 120, 240) * MINUTE);
    return 0;
}

/* The device restarts: what it says meanwhile is in no layout either. */
static int like_drift(struct gen_case *c, struct gen_world *w)
{
    at_source(c, w, 90 * SECOND);
    return 0;
}

static int plan_deny_burst(struct gen_case *c, struct gen_world *w)
{
    from_pc(c, w);
    session(c, GEN_FLOW_DENY, 8443);
    to_dest(c, w, GEN_DEST_SERVICES + pick(c, 2000, 3000), 8443);
    c->flow.server.v6 = false;
    c->flow.server.value = planted_address(c);
    repeat(c, pick(c, 300, 600), 150 * MS, 500);
    return 0;
}

static int like_deny_burst(struct gen_case *c, struct gen_world *w)
{
    int result = plan_deny_burst(c, w);
    repeat(c, 8, 8 * SECOND, 300);
    return result;
}

static int plan_brute_force(struct gen_case *c, struct gen_world *w)
{
    from_outside(c, w, GEN_ATTACK_BASE + 254 - c->number % 254);
    c->flow.kind = GEN_FLOW_LOGIN_FAIL;
    c->flow.server_port = 443;
    c->vary = GEN_VARY_LOGIN;
    add_address(c, "source.ip", c->flow.client);
    uint32_t steps = pick(c, 150, 400);
    repeat(c, steps, pick(c, 300, 900) * MS, 500);
    return 0;
}

/* Somebody mistypes a new password. */
static int like_brute_force(struct gen_case *c, struct gen_world *w)
{
    from_outside(c, w, GEN_VISITOR_BASE + c->number * 13 % 32768);
    c->flow.kind = GEN_FLOW_LOGIN_FAIL;
    c->flow.server_port = 443;
    c->flow.host = (uint16_t)pick(c, 0, tenant_of(c, w)->active - 1);
    c->anytime = false;
    add_address(c, "source.ip", c->flow.client);
    repeat(c, 4, 12 * SECOND, 500);
    return 0;
}

static int plan_flood(struct gen_case *c, struct gen_world *w)
{
    from_outside(c, w, GEN_VISITOR_BASE);
    session(c, GEN_FLOW_FAILED, 443);
    c->flow.duration_ms = 300;
    c->vary = GEN_VARY_CLIENT;
    add_address(c, "destination.ip", c->flow.server);
    repeat(c, pick(c, 3000, 6000), 4 * MS, 900);
    return 0;
}

/* An announcement is read by many. */
static int like_flood(struct gen_case *c, struct gen_world *w)
{
    from_outside(c, w, GEN_VISITOR_BASE);
    session(c, GEN_FLOW_END, 443);
    c->vary = GEN_VARY_CLIENT;
    add_address(c, "destination.ip", c->flow.server);
    repeat(c, 200, 3 * SECOND, 900);
    return 0;
}

/* --------------------------------------------------- few and rare destinations */

static int plan_beacon(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "", true);
    if (result != 0)
        return result;
    from_pc(c, w);
    add_domain(c, w);
    uint32_t period = pick(c, 60, 600);
    c->flow.sent_bytes = pick(c, 300, 900);
    c->flow.received_bytes = pick(c, 150, 600);
    c->size_jitter_permille = 30;
    repeat(c, (uint32_t)(6 * 3600 / period), period * SECOND, pick(c, 0, 3) * 100);
    return 0;
}

/* A newly bought program looks for updates from many PCs. */
static int like_beacon(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "update.", true);
    if (result != 0)
        return result;
    uint32_t active = tenant_of(c, w)->active;
    c->flow.path = GEN_PATH_OUT;
    c->hosts = (uint16_t)(active < 150 ? active * 2 / 3 : 100);
    c->vary = GEN_VARY_HOST;
    add_domain(c, w);
    repeat(c, c->hosts * 12U, 300 * SECOND / c->hosts, 0);
    return 0;
}

static int plan_exfil(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "files.", true);
    if (result != 0)
        return result;
    from_pc(c, w);
    add_domain(c, w);
    c->flow.upload = true;
    c->flow.sent_bytes = pick(c, 8, 20) * 1000000ULL;
    c->flow.duration_ms = 14000;
    c->size_jitter_permille = 400;
    uint32_t steps = pick(c, 25, 40);
    repeat(c, steps, pick(c, 6, 9) * MINUTE, 500);
    return 0;
}

/* The cloud storage that everybody uses, in the amounts that people save. */
static int like_exfil(struct gen_case *c, struct gen_world *w)
{
    from_pc(c, w);
    to_dest(c, w, GEN_DEST_BACKUP, 443);
    c->web = true;
    c->flow.upload = true;
    c->flow.sent_bytes = 1500000;
    c->flow.received_bytes = 3000;
    c->flow.duration_ms = 4000;
    c->size_jitter_permille = 400;
    add_domain(c, w);
    repeat(c, 12, 5 * MINUTE, 500);
    return 0;
}

static int plan_rare(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "", true);
    if (result != 0)
        return result;
    from_pc(c, w);
    add_domain(c, w);
    c->size_jitter_permille = 600;
    uint32_t steps = pick(c, 4, 8);
    repeat(c, steps, pick(c, 2, 40) * SECOND, 800);
    return 0;
}

/* A host that nobody asked for yet, of a domain that everybody knows. */
static int like_rare(struct gen_case *c, struct gen_world *w)
{
    struct buf name = {0};
    buf_text(&name, "tile");
    buf_decimal(&name, 100 + (int64_t)c->number);
    buf_text(&name, ".tenki-now.example");
    uint32_t address = w->dests[GEN_DEST_WEATHER].address.value;
    int result = gen_world_plant(&c->flow.dest, w, buf_content(&name), address);
    buf_release(&name);
    if (result != 0)
        return result;
    from_pc(c, w);
    to_dest(c, w, c->flow.dest, 443);
    c->web = true;
    c->flow.sent_bytes = 900;
    c->flow.received_bytes = 8000;
    c->flow.duration_ms = 150;
    add_domain(c, w);
    repeat(c, 6, 10 * SECOND, 800);
    return 0;
}

/* Kashiwa, 2016: 3 PCs, 437 communications of 0.16 to 62 KB within 33 hours. */
static int plan_few_hosts(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "www.", false);
    if (result != 0)
        return result;
    c->flow.path = GEN_PATH_OUT;
    c->flow.upload = true;
    c->flow.sent_bytes = 900;
    c->size_jitter_permille = 800;
    c->hosts = 3;
    c->vary = GEN_VARY_HOST;
    c->anytime = true;
    add_domain(c, w);
    repeat(c, 437, (33 * GEN_HOUR_NS + 20 * MINUTE) / 436, 700);
    return 0;
}

/* A link in a circular: a new place, but half of the office goes there within the hour. */
static int like_few_hosts(struct gen_case *c, struct gen_world *w)
{
    int result = plant_site(c, w, "event.", true);
    if (result != 0)
        return result;
    uint32_t active = tenant_of(c, w)->active;
    c->flow.path = GEN_PATH_OUT;
    c->hosts = (uint16_t)(active < 120 ? active * 2 / 3 : 80);
    c->vary = GEN_VARY_HOST;
    c->size_jitter_permille = 600;
    add_domain(c, w);
    repeat(c, c->hosts * 2U, 40 * MINUTE / c->hosts, 500);
    return 0;
}

/* ---------------------------------------------------------------- before the LGWAN */

static void refused_by_lgwan(struct gen_case *c, const struct gen_world *w, uint16_t port)
{
    session(c, GEN_FLOW_DENY, port);
    c->flow.dest = GEN_DEST_NAMELESS;
    c->flow.path = GEN_PATH_TO_LGWAN;
    c->flow.client.value = gen_world_address(tenant_of(c, w)->inside, 129, c->number % 200);
    c->flow.server.value = GEN_LGWAN_BASE;
}

/* What came into the LGWAN segment looks for machines of the LGWAN's other members. */
static int plan_lgwan_scan(struct gen_case *c, struct gen_world *w)
{
    static const uint16_t PORTS[4] = {445, 3389, 135, 5985};
    refused_by_lgwan(c, w, PORTS[pick(c, 0, 3)]);
    c->flow.server.value += pick(c, 0, 100);
    c->vary = GEN_VARY_SERVER;
    add_address(c, "source.ip", c->flow.client);
    struct buf port = {0};
    buf_decimal(&port, c->flow.server_port);
    add_key(c, "destination.port", &port);
    buf_release(&port);
    uint32_t steps = pick(c, 60, 150);
    repeat(c, steps, pick(c, 1, 20) * SECOND, 500);
    return 0;
}

/* A service of the LGWAN has moved, and the whole office still asks for it. */
static int like_lgwan_scan(struct gen_case *c, struct gen_world *w)
{
    refused_by_lgwan(c, w, 443);
    c->flow.server.value += 255;
    c->vary = GEN_VARY_LGWAN;
    add_address(c, "destination.ip", c->flow.server);
    repeat(c, 200, 15 * SECOND, 500);
    return 0;
}

/* Somebody else's machine knocks at one municipality after the other. */
static int plan_lgwan_spread(struct gen_case *c, struct gen_world *w)
{
    refused_by_lgwan(c, w, 445);
    c->flow.path = GEN_PATH_FROM_LGWAN;
    c->flow.client.value = GEN_LGWAN_BASE + 256 + c->number * 2 % 256 + c->look_alike;
    c->vary = GEN_VARY_TENANT;
    c->hosts = (uint16_t)(w->tenant_count < 6 ? w->tenant_count : 6);
    c->look_alike = c->look_alike || w->tenant_count < LGWAN_TENANTS;
    add_address(c, "source.ip", c->flow.client);
    repeat(c, c->hosts * 2U, 120 * SECOND, 500);
    return 0;
}

/* A machine that two of them once had to do with asks again and again. */
static int like_lgwan_spread(struct gen_case *c, struct gen_world *w)
{
    int result = plan_lgwan_spread(c, w);
    c->hosts = c->hosts < LGWAN_TENANTS ? c->hosts : LGWAN_TENANTS - 1;
    repeat(c, 60, 30 * SECOND, 500);
    return result;
}

static const struct planner PLANNERS[GEN_CASE_KINDS] = {
    [GEN_SCAN] = {"D3", NEED_FIREWALL, 220, plan_scan, like_scan},
    [GEN_SCAN_VERTICAL] = {"D3", NEED_FIREWALL, 250, plan_scan_vertical, like_scan_vertical},
    [GEN_SCAN_INBOUND] = {"D3", NEED_FIREWALL, 400, plan_scan_inbound, like_scan_inbound},
    [GEN_SLOW_SCAN] = {"D4", NEED_FIREWALL, 450, plan_slow_scan, like_slow_scan},
    [GEN_IOC_IP] = {"indicator", NEED_ANY, 40, plan_indicator_ip, plan_indicator_ip},
    [GEN_IOC_DOMAIN] = {"indicator", NEED_URL, 40, plan_indicator_domain, like_indicator_domain},
    [GEN_IOC_URL] = {"indicator", NEED_URL, 40, plan_indicator_url, plan_indicator_url},
    [GEN_ZONE_LGWAN] = {"zone", NEED_FIREWALL, 10, plan_zone_lgwan, like_zone_lgwan},
    [GEN_ZONE_MYNUMBER] = {"zone", NEED_FIREWALL, 10, plan_zone_number, like_zone_number},
    [GEN_SILENCE] = {"D12", NEED_ANY, 0, plan_silence, like_silence},
    [GEN_DENY_BURST] = {"D5", NEED_FIREWALL, 460, plan_deny_burst, like_deny_burst},
    [GEN_BRUTE_FORCE] = {"D5", NEED_LOGIN, 290, plan_brute_force, like_brute_force},
    [GEN_FLOOD] = {"D11", NEED_FIREWALL, 4700, plan_flood, like_flood},
    [GEN_BEACON] = {"D2", NEED_URL, 2000, plan_beacon, like_beacon},
    [GEN_EXFIL] = {"D6", NEED_URL, 150, plan_exfil, like_exfil},
    [GEN_RARE] = {"D1", NEED_URL, 50, plan_rare, like_rare},
    [GEN_FEW_HOSTS] = {"D15", NEED_URL, 1900, plan_few_hosts, like_few_hosts},
    [GEN_DRIFT] = {"D12", NEED_ANY, 0, plan_drift, like_drift},
    [GEN_LGWAN_SCAN] = {"D3", NEED_LGWAN, 300, plan_lgwan_scan, like_lgwan_scan},
    [GEN_LGWAN_SPREAD] = {"correlation", NEED_LGWAN, 70, plan_lgwan_spread, like_lgwan_spread},
};

const char *gen_case_detector(enum gen_case_kind kind)
{
    return PLANNERS[kind].detector;
}

uint32_t gen_case_lines(enum gen_case_kind kind)
{
    return PLANNERS[kind].lines;
}

bool gen_case_fits(const struct gen_tenant *t, enum gen_case_kind kind)
{
    enum gen_format first = (enum gen_format)t->sources[0].format;
    switch (PLANNERS[kind].need) {
    case NEED_FIREWALL:
        return t->firewalls > 0;
    case NEED_LOGIN:
        return t->firewalls > 0 && gen_writer_knows(first, GEN_FLOW_LOGIN_FAIL);
    case NEED_URL:
    case NEED_ANY:
        return gen_world_sources(t) > 0;
    case NEED_LGWAN:
        return t->lgwan;
    }
    return false;
}

int gen_case_plan(struct gen_case *c, struct gen_world *w, int64_t span_ns)
{
    const struct planner *p = &PLANNERS[c->kind];
    c->flow.host = GEN_HOST_NONE;
    c->flow.protocol = 6;
    c->flow.status = 200;
    c->first_ns = CLOCK_NONE;
    c->last_ns = CLOCK_NONE;
    int result = c->look_alike ? p->plan_look_alike(c, w) : p->plan(c, w);
    if (result != 0)
        return result;
    /* What takes longer than there is room for goes faster, down to a tenth, then stops earlier. */
    int64_t room = span_ns / 10 * 7;
    if (c->duration_ns > room && c->steps > 1) {
        int64_t gap = room / (int64_t)(c->steps - 1);
        c->gap_ns = gap < c->gap_ns / 10 ? c->gap_ns / 10 + 1 : gap;
        int64_t steps = room / c->gap_ns + 1;
        c->steps = steps < c->steps ? (uint32_t)steps : c->steps;
        c->duration_ns = c->gap_ns * (int64_t)(c->steps - 1);
    } else if (c->duration_ns > room) {
        c->duration_ns = room;
    }
    return 0;
}
