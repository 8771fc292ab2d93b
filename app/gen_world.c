#include "app/gen_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/gen_name.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    PERCENT_JITTER = 15,   /* of a municipality's size */
    LINES_BESIDE = 70,     /* lines that pass no proxy, per 1,000 requests that do; measured */
    PASSED_PERMILLE = 860, /* of the requests a proxy lets out; measured */
    PRIVATE_NETWORKS = 12,
    CATEGORIES = 20,
};

static const uint32_t DEFAULT_SHARE[GEN_FORMATS] = {
    [GEN_FORTIGATE] = 40, [GEN_PANOS] = 12,    [GEN_CISCO_ASA] = 8,
    [GEN_SQUID] = 22,     [GEN_I_FILTER] = 18,
};

static const char *const DEVICE_PREFIX[GEN_FORMATS] = {
    [GEN_FORTIGATE] = "FG", [GEN_PANOS] = "PA",         [GEN_CISCO_ASA] = "ASA",
    [GEN_SQUID] = "proxy",  [GEN_I_FILTER] = "ifilter",
};

static const char *const MODELS[] = {"alpha", "alpha", "alpha'", "beta", "beta'"};

static const struct {
    const char *name;
    uint8_t category;
    bool tls;
} SERVICES[GEN_DEST_SERVICES] = {
    [GEN_DEST_ANTIVIRUS] = {"hb.av-shield.example", 0, true},
    [GEN_DEST_CRL] = {"crl.pki-trust.example", 0, false},
    [GEN_DEST_OCSP] = {"ocsp.pki-trust.example", 0, false},
    [GEN_DEST_UPDATE] = {"dl.os-update.example", 0, false},
    [GEN_DEST_WEATHER] = {"tile.tenki-now.example", 1, true},
    [GEN_DEST_PUSH] = {"push.notify-hub.example", 0, true},
    [GEN_DEST_TELEMETRY] = {"telemetry.office-suite.example", 0, true},
    [GEN_DEST_GROUPWARE] = {"chat.kairan-board.example", 3, true},
    [GEN_DEST_NTP] = {"ntp.time-source.example", 0, false},
    [GEN_DEST_RESOLVER_1] = {"ns1.resolver.example", 0, false},
    [GEN_DEST_RESOLVER_2] = {"ns2.resolver.example", 0, false},
    [GEN_DEST_MAIL] = {"mx.mail-relay.example", 0, true},
    [GEN_DEST_BACKUP] = {"backup.cloud-store.example", 12, true},
    [GEN_DEST_PLATFORM] = {"platform.lg-update.example", 0, true},
    [GEN_DEST_OWN_SITE] = {"www.city.example.jp", 4, true},
    [GEN_DEST_NAMELESS] = {"-", 0, true},
};

static const struct gen_category CATEGORY[CATEGORIES] = {
    {52, 63, "Information Technology", "computer-and-internet-info"},
    {36, 41, "News and Media", "news"},
    {41, 60, "Search Engines and Portals", "search-engines"},
    {49, 22, "Business", "business-and-economy"},
    {51, 20, "Government and Legal Organizations", "government"},
    {30, 24, "Education", "educational-institutions"},
    {42, 33, "Shopping", "shopping"},
    {37, 58, "Social Networking", "social-networking"},
    {25, 62, "Streaming Media and Download", "streaming-media"},
    {33, 28, "Health and Wellness", "health-and-medicine"},
    {17, 71, "Advertising", "web-advertisements"},
    {40, 36, "Travel", "travel"},
    {24, 64, "File Sharing and Storage", "online-storage-and-backup"},
    {23, 57, "Web-based Email", "web-based-email"},
    {31, 26, "Finance and Banking", "financial-services"},
    {46, 35, "Sports", "sports"},
    {20, 52, "Games", "games"},
    {44, 61, "Instant Messaging", "internet-communications-and-telephony"},
    {50, 65, "Information and Computer Security", "computer-and-internet-info"},
    {0, 87, "Unrated", "unknown"},
};

uint32_t gen_world_code(uint32_t five)
{
    uint32_t sum = 0;
    uint32_t rest = five;
    for (uint32_t weight = 2; weight <= 6; weight++, rest /= 10)
        sum += weight * (rest % 10);
    uint32_t check = sum < 11 ? 11 - sum : 11 - sum % 11;
    return five * 10 + check % 10;
}

static void copy_name(char *out, size_t cap, const struct buf *name)
{
    size_t len = name->len < cap - 1 ? name->len : cap - 1;
    memcpy(out, name->data, len);
    out[len] = '\0';
}

/* low * (high / low)^(at / 2^16), by doublings. */
static uint32_t between(const struct gen_curves *c, uint32_t low, uint32_t high, uint32_t at)
{
    uint64_t doublings = 0; /* of high / low, times 256 */
    uint64_t reached = (uint64_t)low << 16;
    while (reached * 2 <= (uint64_t)high << 16) {
        reached *= 2;
        doublings += 256;
    }
    for (uint32_t i = 1; i < 256 && reached * c->exp2[i] >> 16 <= (uint64_t)high << 16; i++)
        doublings = doublings / 256 * 256 + i;
    uint64_t exponent = doublings * at >> 16;
    uint64_t value = ((uint64_t)low << (exponent / 256)) * c->exp2[exponent % 256] >> 16;
    return value > high ? high : (uint32_t)value;
}

static void add_network(struct gen_tenant *t, uint32_t base, uint32_t bits, const char *zone,
                        const char *asset)
{
    assert(t->network_count < GEN_NETWORKS_MAX);
    struct gen_network *n = &t->networks[t->network_count++];
    (void)snprintf(n->cidr, sizeof(n->cidr), "%u.%u.%u.%u/%u", base >> 24, base >> 16 & 255,
                   base >> 8 & 255, base & 255, bits);
    n->zone = zone;
    n->asset = asset;
}

static void name_networks(struct gen_tenant *t)
{
    /* Two in five municipalities use older names for the segments. */
    bool older = t->index % 5 >= 3;
    add_network(t, t->inside, 18, "インターネット接続系", "normal");
    add_network(t, t->inside | 64 << 8, 24, "DMZ", "important");
    add_network(t, t->inside | 128 << 8, 18, older ? "業務系" : "LGWAN接続系", "important");
    add_network(t, GEN_NUMBER_BASE, 16, older ? "個人番号利用事務系" : "マイナンバー利用事務系",
                "critical");
    add_network(t, t->inside | 192 << 8, 18, "学校", "normal");
    t->networks[t->network_count - 1].exclude = true;
}

static void make_tenant(struct gen_world *w, const struct gen_options *o, uint32_t index)
{
    struct gen_tenant *t = &w->tenants[index];
    uint32_t cities = (o->tenants * 3 + 9) / 10;
    uint32_t five = index < cities ? 99201 + index : 99301 + index - cities;
    struct gen_random r = {gen_mix(w->seed, 1000 + index)};
    uint32_t rank = 2 * (o->tenants - index) - 1;
    uint32_t at = (uint32_t)(((uint64_t)rank << 16) / (o->tenants * UINT64_C(2)));
    uint32_t size = between(&w->curves, o->pcs_min, o->pcs_max, at);
    size = size * gen_random_between(&r, 100 - PERCENT_JITTER, 100 + PERCENT_JITTER) / 100;
    if (size < o->pcs_min)
        size = o->pcs_min;
    if (size > o->pcs_max)
        size = o->pcs_max;
    struct buf name = {0};
    gen_name_town(&name, index, index < cities ? 0 : index / 256 + (size < 300 ? 2 : 1));
    copy_name(t->name, sizeof(t->name), &name);
    buf_reset(&name);
    gen_name_town_latin(&name, index);
    copy_name(t->label, sizeof(t->label), &name);
    buf_release(&name);
    t->code = gen_world_code(five);
    t->index = index;
    t->pcs = size;
    t->model = MODELS[gen_random_below(&r, sizeof(MODELS) / sizeof(MODELS[0]))];
    t->inside = UINT32_C(10) << 24 | (10 + index % PRIVATE_NETWORKS * 16) << 16;
    t->translated = UINT32_C(0xC6336400) + 1 + index % 254; /* 198.51.100.0/24 */
    t->published = UINT32_C(0xC0000200) + index % 32 * 8;   /* 192.0.2.0/24 */
    t->failure_permille = gen_random_between(&r, 170, 350);
    name_networks(t);
}

static void add_source(struct gen_world *w, struct gen_tenant *t, enum gen_format format,
                       bool upper)
{
    if (t->source_count >= GEN_SOURCES_MAX - 1) /* the last place is the LGWAN's */
        return;
    uint32_t number = 1;
    const char *base = upper ? "upper" : format < GEN_FIREWALLS ? "fw" : "proxy";
    struct gen_source *s = &t->sources[t->source_count++];
    if (format < GEN_FIREWALLS)
        number = ++t->firewalls;
    else if (!upper)
        number = ++t->proxies;
    (void)snprintf(s->name, sizeof(s->name), "%s%u", base, number);
    (void)snprintf(s->device, sizeof(s->device), "%s-%.18s-%02u", DEVICE_PREFIX[format], t->label,
                   number);
    if (format < GEN_FIREWALLS)
        for (char *c = s->device; *c != '\0'; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    s->format = (uint8_t)format;
    s->upper = upper;
    s->serial = (uint32_t)(gen_mix(w->seed, t->code * 8 + t->source_count) % 90000000) + 10000000;
    s->address = t->inside | 64 << 8 | (format < GEN_FIREWALLS ? number : 79 + number + 10 * upper);
}

/* The firewall before the LGWAN, which was bought with the other one. */
static void add_lgwan(struct gen_world *w, struct gen_tenant *t)
{
    assert(t->source_count < GEN_SOURCES_MAX);
    struct gen_source *s = &t->sources[t->source_count++];
    bool bought = t->firewalls > 0;
    *s = (struct gen_source){.name = "lgwan1",
                             .format = bought ? t->sources[0].format : (uint8_t)GEN_FORTIGATE,
                             .address = t->inside | 128 << 8 | 1,
                             .lgwan = true};
    (void)snprintf(s->device, sizeof(s->device), "LGWAN-FW-%03u", t->index + 1);
    s->serial = (uint32_t)(gen_mix(w->seed, UINT64_C(8) * t->code) % 90000000) + 10000000;
    t->lgwan = true;
}

/* The format of formats first..last-1 that is furthest behind its share of PCs; GEN_FORMATS: none. */
static enum gen_format furthest_behind(const struct gen_world *w, const uint64_t *given,
                                       uint32_t first, uint32_t last, uint64_t pcs)
{
    uint64_t total = 0;
    uint64_t used = pcs;
    for (uint32_t f = first; f < last; f++) {
        total += w->share[f];
        used += given[f];
    }
    enum gen_format best = GEN_FORMATS;
    int64_t most = INT64_MIN;
    for (uint32_t f = first; f < last; f++) {
        if (w->share[f] == 0)
            continue;
        int64_t behind = (int64_t)(used * w->share[f] / total) - (int64_t)given[f];
        if (behind > most) {
            most = behind;
            best = (enum gen_format)f;
        }
    }
    return best;
}

/* A format that came away empty gets the smallest municipality whose own format others have too. */
static void place_rest(struct gen_world *w, uint8_t *format, uint64_t *given, uint32_t first,
                       uint32_t last)
{
    for (uint32_t f = first; f < last; f++) {
        if (w->share[f] == 0 || given[f] != 0)
            continue;
        for (uint32_t i = w->tenant_count; i-- > 0;) {
            uint32_t same = 0;
            for (uint32_t k = 0; k < w->tenant_count; k++)
                same += format[k] == format[i];
            if (same < 2)
                continue;
            format[i] = (uint8_t)f;
            given[f] = 1;
            break;
        }
    }
}

static void give_format(struct gen_world *w, const uint8_t *format, uint64_t *given, uint32_t first,
                        uint32_t last)
{
    for (uint32_t i = 0; i < w->tenant_count; i++) {
        struct gen_tenant *t = &w->tenants[i];
        if (format[i] < GEN_FORMATS)
            add_source(w, t, (enum gen_format)format[i], false);
    }
    /* With fewer municipalities than formats some have several devices. */
    uint32_t next = w->tenant_count;
    for (uint32_t f = first; f < last; f++) {
        if (w->share[f] == 0 || given[f] != 0)
            continue;
        next = next == 0 ? w->tenant_count - 1 : next - 1;
        add_source(w, &w->tenants[next], (enum gen_format)f, false);
        given[f] = 1;
    }
}

static int assign_formats(struct gen_world *w, uint32_t first, uint32_t last)
{
    uint64_t given[GEN_FORMATS] = {0};
    uint8_t *format = calloc(w->tenant_count, 1);
    if (format == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < w->tenant_count; i++) {
        uint32_t pcs = w->tenants[i].pcs;
        format[i] = (uint8_t)furthest_behind(w, given, first, last, pcs);
        if (format[i] < GEN_FORMATS)
            given[format[i]] += pcs;
    }
    place_rest(w, format, given, first, last);
    give_format(w, format, given, first, last);
    free(format);
    return 0;
}

/* How many firewall lines a proxied request makes, so that the asked mix of lines comes out. */
static void balance(const struct gen_world *w, struct gen_tenant *t)
{
    uint64_t firewall =
        (uint64_t)w->share[GEN_FORTIGATE] + w->share[GEN_PANOS] + w->share[GEN_CISCO_ASA];
    uint64_t proxy = (uint64_t)w->share[GEN_SQUID] + w->share[GEN_I_FILTER];
    /* An ASA writes two lines a session. */
    uint64_t lines = t->sources[0].format == GEN_CISCO_ASA ? 2 : 1;
    uint64_t proxied = t->proxies == 0 ? 0 : 1000 + 950 * (uint64_t)t->series;
    t->machine_permille = 1000;
    t->filter_permille = 100;
    t->session_permille = 1000;
    t->lines_permille = (uint32_t)proxied;
    if (t->firewalls == 0)
        return;
    t->lines_permille += LINES_BESIDE;
    if (t->proxies == 0) {
        t->lines_permille += (uint32_t)(lines * 1000) + t->filter_permille;
        return;
    }
    uint64_t want = proxied * firewall / proxy;
    if (want < LINES_BESIDE + 50) {
        t->machine_permille = (uint32_t)(want * 1000 / (LINES_BESIDE + 50));
        want = LINES_BESIDE + 50;
    }
    want = (want - LINES_BESIDE) * 1000 / PASSED_PERMILLE;
    uint64_t sessions = want * 88 / 100 / lines;
    t->session_permille = sessions > 1000 ? 1000 : (uint32_t)sessions;
    uint64_t filtered = want - t->session_permille * lines;
    t->filter_permille = filtered > 1000 ? 1000 : (uint32_t)filtered;
    uint64_t passed = t->session_permille * lines + t->filter_permille;
    t->lines_permille += (uint32_t)(passed * PASSED_PERMILLE / 1000);
}

static void make_dest(struct gen_dest *d, uint64_t seed, uint32_t number)
{
    uint64_t bits = gen_mix(seed, UINT64_C(5000000) + number);
    struct buf name = {0};
    *d = (struct gen_dest){.number = number};
    if (number < GEN_DEST_SERVICES) {
        buf_text(&name, SERVICES[number].name);
        d->category = SERVICES[number].category;
        d->tls = SERVICES[number].tls;
        d->service = true;
    } else {
        gen_name_site(&name, number);
        d->category = (uint8_t)(bits % CATEGORIES);
        d->tls = (bits >> 8) % 100 < 86;
        d->address.v6 = (bits >> 16) % 100 < 4;
    }
    d->name_len = (uint8_t)name.len;
    copy_name(d->name, sizeof(d->name), &name);
    buf_release(&name);
    /* 2001:db8:0..efff: are destinations, from f000 on clients. */
    d->address.value = d->address.v6 ? (uint32_t)(bits >> 32) % UINT32_C(0xF0000000) | 1
                                     : GEN_DEST_BASE + (uint32_t)(bits >> 32) % 65536;
}

static int make_dests(struct gen_world *w)
{
    w->dests = calloc(GEN_DESTS, sizeof(*w->dests));
    w->planted = calloc(GEN_PLANTED_MAX, sizeof(*w->planted));
    if (w->dests == NULL || w->planted == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < GEN_DESTS; i++)
        make_dest(&w->dests[i], w->seed, i);
    return gen_zipf_init(&w->zipf, GEN_DESTS - GEN_DEST_SERVICES);
}

static void set_active(struct gen_world *w, uint32_t hosts_permillion)
{
    for (uint32_t i = 0; i < w->tenant_count; i++) {
        struct gen_tenant *t = &w->tenants[i];
        uint32_t active = (uint32_t)((uint64_t)t->pcs * hosts_permillion / 1000000);
        t->active = active < 8 ? 8 : active;
    }
}

int gen_world_init(struct gen_world *w, const struct gen_options *o, uint32_t hosts_permillion)
{
    *w = (struct gen_world){
        .seed = gen_mix(o->seed, 0), .tenant_count = o->tenants, .open_daily = o->open_daily};
    uint32_t total = 0;
    for (uint32_t f = 0; f < GEN_FORMATS; f++)
        total += o->share[f];
    memcpy(w->share, total == 0 ? DEFAULT_SHARE : o->share, sizeof(w->share));
    gen_curves_init(&w->curves);
    w->tenants = calloc(o->tenants, sizeof(*w->tenants));
    int result = w->tenants == NULL ? ERR_NOMEM : make_dests(w);
    if (result != 0)
        goto out;
    for (uint32_t i = 0; i < o->tenants; i++)
        make_tenant(w, o, i);
    set_active(w, hosts_permillion);
    result = assign_formats(w, 0, GEN_FIREWALLS);
    if (result == 0)
        result = assign_formats(w, GEN_FIREWALLS, GEN_FORMATS);
    if (result != 0)
        goto out;
    for (uint32_t i = 0; i < o->tenants; i++) {
        struct gen_tenant *t = &w->tenants[i];
        if (t->proxies > 0 && i % 5 == 2) {
            t->series = true;
            add_source(w, t, (enum gen_format)t->sources[t->firewalls].format, true);
        }
        balance(w, t);
        if (o->cases[GEN_LGWAN_SCAN] + o->cases[GEN_LGWAN_SPREAD] != 0)
            add_lgwan(w, t);
    }
out:
    if (result != 0)
        gen_world_release(w);
    return result;
}

void gen_world_release(struct gen_world *w)
{
    gen_zipf_release(&w->zipf);
    free(w->tenants);
    free(w->dests);
    free(w->planted);
    *w = (struct gen_world){0};
}

const struct gen_dest *gen_world_dest(const struct gen_world *w, uint32_t dest,
                                      struct gen_dest *scratch)
{
    if (dest >= GEN_DEST_PLANTED)
        return &w->planted[dest - GEN_DEST_PLANTED];
    if (dest < GEN_DESTS)
        return &w->dests[dest];
    make_dest(scratch, w->seed, dest);
    return scratch;
}

int gen_world_plant(uint32_t *out, struct gen_world *w, struct slice name, uint32_t address)
{
    if (w->planted_count >= GEN_PLANTED_MAX || name.len >= sizeof(w->planted[0].name))
        return ERR_NOMEM;
    struct gen_dest *d = &w->planted[w->planted_count];
    memcpy(d->name, name.data, name.len);
    d->name_len = (uint8_t)name.len;
    d->number = GEN_DEST_PLANTED + w->planted_count;
    d->address.value = address;
    d->category = CATEGORIES - 1;
    *out = d->number;
    w->planted_count++;
    return 0;
}

const struct gen_category *gen_world_category(uint8_t category)
{
    assert(category < CATEGORIES);
    return &CATEGORY[category];
}
