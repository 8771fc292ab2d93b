#include "app/gen_session.h"

#include <assert.h>
#include <stdlib.h>

#include "app/gen_calendar.h"
#include "base/err.h"

enum {
    PAGE_GAP_SECONDS = 60, /* between pages in the middle of an office day */
    REQUEST_GAP_MS = 350,  /* within one */
    REQUESTS_PER_PAGE = 9,
    FAVOURITES = 12,
};

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define MS     INT64_C(1000000)

#define QUARTER_NS (15 * MINUTE)

enum role {
    ROLE_OFFICE,
    ROLE_SHIFT,  /* fire stations: a day on duty of three */
    ROLE_ALWAYS, /* terminals that nobody turns off */
};

enum background {
    BACK_VISITORS,
    BACK_NOISE,
    BACK_MAIL,
    BACK_NTP,
    BACK_PLATFORM,
    BACK_SCHOOL,
    BACK_LOGIN,
    BACK_ATTACK,
    BACKGROUNDS,
};

/* Periods as they were seen in the field: exact, some with jitter. */
static const struct service {
    int64_t period_ms;
    uint32_t jitter_permille; /* of the period, either way */
    uint32_t share_permille;  /* of the PCs */
    uint32_t sent_bytes;
    uint32_t received_bytes;
    uint8_t dest;
} SERVICES[] = {
    {300300, 0, 620, 412, 236, GEN_DEST_ANTIVIRUS},
    {600000, 0, 210, 518, 3100, GEN_DEST_WEATHER},
    {14400000, 0, 450, 240, 18400, GEN_DEST_CRL},
    {3600000, 30, 400, 330, 1900, GEN_DEST_OCSP},
    {79200000, 60, 800, 2400, 64000, GEN_DEST_UPDATE},
    {1740000, 0, 350, 700, 450, GEN_DEST_PUSH},
    {900000, 200, 500, 5200, 380, GEN_DEST_TELEMETRY},
    {120000, 20, 180, 610, 890, GEN_DEST_GROUPWARE},
    {86400000, 100, 120, 2600000, 5200, GEN_DEST_BACKUP},
};

enum {
    SERVICE_COUNT = sizeof(SERVICES) / sizeof(SERVICES[0]),
};

static uint64_t host_bits(const struct gen_world *w, uint16_t tenant, uint16_t host, uint64_t use)
{
    return gen_mix(w->seed + ((uint64_t)tenant << 32 | (uint64_t)host << 16), use);
}

static enum role role_of(const struct gen_world *w, uint16_t tenant, uint16_t host)
{
    uint64_t draw = host_bits(w, tenant, host, 1) % 1000;
    return draw < 935 ? ROLE_OFFICE : draw < 980 ? ROLE_SHIFT : ROLE_ALWAYS;
}

/* Working hours of one day; false when there are none. */
static bool day_hours(const struct gen_world *w, uint16_t tenant, uint16_t host, int64_t day,
                      int64_t hours[2])
{
    uint64_t bits = host_bits(w, tenant, host, 1000 + (uint64_t)day);
    int64_t midnight = gen_calendar_midnight(day);
    enum role role = role_of(w, tenant, host);
    if (role == ROLE_ALWAYS) {
        hours[0] = midnight;
        hours[1] = midnight + GEN_DAY_NS;
        return true;
    }
    if (role == ROLE_SHIFT) {
        hours[0] = midnight + 8 * GEN_HOUR_NS + 30 * MINUTE;
        hours[1] = hours[0] + GEN_DAY_NS;
        return (day + host) % 3 == 0;
    }
    int64_t begin = (int64_t)(bits >> 8 & 0xFFFF) * (55 * MINUTE >> 16);
    hours[0] = midnight + 8 * GEN_HOUR_NS + begin;
    if (!gen_world_open(w, day)) {
        hours[0] += GEN_HOUR_NS;
        hours[1] = hours[0] + (int64_t)(1 + (bits >> 24) % 4) * GEN_HOUR_NS;
        return bits % 1000 < 30;
    }
    /* Half leave in time, the others up to four hours later. */
    int64_t over = (int64_t)(bits >> 32 & 0xFF) * ((bits >> 40 & 1) == 0 ? 7 : 55) * SECOND;
    hours[1] = midnight + 17 * GEN_HOUR_NS + 15 * MINUTE + over;
    return bits % 1000 >= 70;
}

void gen_session_hours(const struct gen_world *w, uint16_t tenant, uint16_t host, int64_t from,
                       int64_t hours[2])
{
    for (int64_t day = gen_calendar_day(from) - 1;; day++) {
        if (!day_hours(w, tenant, host, day, hours) || hours[1] <= from)
            continue;
        if (hours[0] < from)
            hours[0] = from;
        return;
    }
}

/* ------------------------------------------------------------------------- PCs */

static struct gen_flow host_flow(const struct gen_session *s, struct gen_host *h, int64_t now_ns,
                                 uint32_t dest)
{
    const struct gen_tenant *tenant = &s->world->tenants[h->tenant];
    struct gen_dest scratch;
    const struct gen_dest *d = gen_world_dest(s->world, dest, &scratch);
    /* Drawn one after the other: the members of an initializer have no order. */
    uint64_t salt = gen_random_next(&h->random);
    uint16_t port = (uint16_t)gen_random_between(&h->random, 49152, 65535);
    struct gen_flow f = {
        .time_ns = now_ns,
        .salt = salt,
        .dest = dest,
        .client = {.value = gen_world_pc(tenant, h->number)},
        .server = d->address,
        .client_port = port,
        .server_port = d->tls ? 443 : 80,
        .tenant = h->tenant,
        .host = h->number,
        .planted = GEN_CASE_NONE,
        .status = 200,
        .path = GEN_PATH_OUT,
        .protocol = 6,
        .agent = (uint8_t)host_bits(s->world, h->tenant, h->number, 2),
        .tls = d->tls,
    };
    /* Without a proxy a PC reaches an IPv6 site from its own IPv6 address. */
    if (d->address.v6 && tenant->proxies == 0) {
        f.client = (struct gen_address){.value = UINT32_C(0xF0000000) | (uint32_t)h->tenant << 16 |
                                                 (h->number + 2U),
                                        .v6 = true};
    }
    return f;
}

/* How a request that fails, fails: the rows of a proxy's yearly report. */
static void fail(struct gen_flow *f, struct gen_random *r)
{
    uint32_t draw = gen_random_below(r, 100);
    f->received_bytes = 3900 + f->salt % 200;
    if (draw < 32) {
        f->status = 407;
        f->duration_ms = 1;
    } else if (draw < 48) {
        f->status = 403;
        f->blocked = true;
        f->duration_ms = 2;
    } else if (draw < 70) {
        f->status = f->tls ? 200 : 404;
    } else if (draw < 82) {
        f->status = 503;
    } else if (draw < 90) {
        f->status = 504;
        f->duration_ms = 60000;
    } else {
        f->status = 0;
        f->received_bytes = 0;
    }
}

static int web_request(struct gen_session *s, struct gen_host *h, int64_t now_ns, uint32_t dest)
{
    struct gen_flow f = host_flow(s, h, now_ns, dest);
    const struct gen_curves *c = &s->world->curves;
    f.duration_ms = (uint32_t)gen_random_lognormal(&h->random, c, 180, 420) + 1;
    f.upload = gen_random_permille(&h->random, 80);
    f.sent_bytes = gen_random_lognormal(&h->random, c, f.upload ? 3200 : 950, 300) + 200;
    f.received_bytes = gen_random_lognormal(&h->random, c, 6200, 580) + 150;
    if (gen_random_permille(&h->random, s->world->tenants[h->tenant].failure_permille))
        fail(&f, &h->random);
    return gen_traffic_web(s->traffic, &f);
}

/* Applications that insist on going around the proxy, always to the same few places. */
static int stray_request(struct gen_session *s, struct gen_host *h, int64_t now_ns)
{
    static const uint16_t PORTS[4] = {5228, 853, 8443, 3478};
    uint32_t which = gen_random_below(&h->random, 2);
    uint64_t bits = host_bits(s->world, h->tenant, h->number, 20 + which);
    uint32_t dest = GEN_DEST_SERVICES + gen_zipf_pick(&s->world->zipf, bits);
    struct gen_flow f = host_flow(s, h, now_ns, dest);
    f.kind = GEN_FLOW_DENY;
    f.server_port = PORTS[bits % 4];
    f.protocol = f.server_port == 3478 ? 17 : 6;
    return gen_traffic_session(s->traffic, &f);
}

/* The municipality's resolver asks for a name that its cache does not hold. */
static int resolve(struct gen_session *s, struct gen_host *h, int64_t now_ns, uint32_t dest)
{
    const struct gen_tenant *tenant = &s->world->tenants[h->tenant];
    uint32_t resolver = GEN_DEST_RESOLVER_1 + gen_random_below(&h->random, 2);
    struct gen_flow f = host_flow(s, h, now_ns, resolver);
    f.client.value = tenant->inside | 64 << 8 | 53;
    f.server_port = 53;
    f.protocol = 17;
    f.host = GEN_HOST_NONE;
    f.path = GEN_PATH_SERVER;
    f.kind = GEN_FLOW_END;
    f.tls = false;
    f.sent_bytes = 60 + f.salt % 30;
    f.received_bytes = 90 + f.salt % 300;
    f.duration_ms = 30000 + (uint32_t)(f.salt % 150000);
    int result = gen_traffic_session(s->traffic, &f);
    if (result != 0 || tenant->firewalls == 0 || !gen_random_permille(&h->random, 300))
        return result;
    f.dest = dest;
    return gen_traffic_line(s->traffic, &f, GEN_FLOW_DNS, 0);
}

/* Favourites, what everybody visits, and now and then a place that hardly anybody knows. */
static uint32_t choose_site(const struct gen_session *s, struct gen_host *h)
{
    uint32_t draw = gen_random_below(&h->random, 1000);
    uint64_t bits = gen_random_next(&h->random);
    if (draw < 20)
        return GEN_DEST_TAIL + (uint32_t)(bits >> 42);
    if (draw < 560)
        bits = host_bits(s->world, h->tenant, h->number, 40 + bits % FAVOURITES);
    return GEN_DEST_SERVICES + gen_zipf_pick(&s->world->zipf, bits);
}

/* The next page, by the curve of the day; hours that end first give INT64_MAX. */
static int64_t next_page(const struct gen_session *s, struct gen_host *h, int64_t from_ns)
{
    int64_t mean = PAGE_GAP_SECONDS * SECOND / s->rate_permille * 1000;
    while (from_ns < h->until_ns) {
        int64_t of_day = (from_ns + GEN_JST_NS) % GEN_DAY_NS;
        uint32_t quarter = (uint32_t)(of_day / QUARTER_NS);
        int64_t boundary = from_ns - of_day + (quarter + 1) * QUARTER_NS;
        int64_t slow = mean * GEN_CURVE_MEAN / gen_calendar_curve(quarter);
        int64_t next = from_ns + gen_random_exponential(&h->random, &s->world->curves, slow);
        if (next < boundary)
            return next;
        /* Without memory: the wait begins anew where the rate changes. */
        from_ns = boundary;
    }
    return INT64_MAX;
}

/* Wake up for work at or after that moment. */
static void begin_hours(const struct gen_session *s, struct gen_host *h, int64_t from_ns)
{
    int64_t hours[2];
    gen_session_hours(s->world, h->tenant, h->number, from_ns, hours);
    h->until_ns = hours[1];
    h->browse_ns = next_page(s, h, hours[0]);
    for (size_t i = 0; i < GEN_HOST_SERVICES; i++) {
        h->service_ns[i] = INT64_MAX;
        if (h->service[i] >= SERVICE_COUNT)
            continue;
        /* Short periods start with the PC, long ones fall anywhere in the day. */
        int64_t period = SERVICES[h->service[i]].period_ms * MS;
        uint64_t bits = gen_random_next(&h->random) >> 32;
        h->service_ns[i] = hours[0] + (int64_t)(((uint64_t)period >> 20) * bits >> 12);
    }
}

static int browse(struct gen_session *s, struct gen_host *h)
{
    int64_t now = h->browse_ns;
    int result = 0;
    if (h->burst == 0) {
        h->site = choose_site(s, h);
        uint64_t bits = gen_random_next(&h->random);
        h->burst = (uint8_t)(1 + (bits & 7) + (bits >> 3 & 7) + (bits >> 6 & 3));
        if (gen_random_permille(&h->random, 300))
            result = resolve(s, h, now, h->site);
        if (result == 0 && gen_random_permille(&h->random, 30))
            result = stray_request(s, h, now);
    }
    /* Pages fetch from shared places too: advertising, scripts, pictures. */
    uint32_t dest = h->site;
    if (gen_random_permille(&h->random, 550)) {
        uint64_t bits = gen_random_next(&h->random);
        dest = GEN_DEST_SERVICES + gen_zipf_pick(&s->world->zipf, bits) % 300;
    }
    if (result == 0)
        result = web_request(s, h, now, dest);
    h->burst--;
    int64_t gap = gen_random_exponential(&h->random, &s->world->curves, REQUEST_GAP_MS * MS);
    h->browse_ns = h->burst > 0 ? now + gap : next_page(s, h, now + 2 * SECOND);
    return result;
}

static int serve(struct gen_session *s, struct gen_host *h, size_t which)
{
    const struct service *service = &SERVICES[h->service[which]];
    int64_t now = h->service_ns[which];
    struct gen_flow f = host_flow(s, h, now, service->dest);
    f.sent_bytes = service->sent_bytes + f.salt % 7;
    f.received_bytes = service->received_bytes + f.salt % 5;
    f.upload = service->sent_bytes > service->received_bytes;
    f.duration_ms = 40 + (uint32_t)(f.salt >> 20 & 63);
    int64_t period = service->period_ms * MS;
    int64_t jitter = period / 1000 * (int64_t)service->jitter_permille;
    if (jitter > 0)
        period +=
            (int64_t)(((uint64_t)jitter >> 15) * (gen_random_next(&h->random) >> 48)) - jitter;
    h->service_ns[which] = now + period;
    return gen_traffic_web(s->traffic, &f);
}

static int64_t next_of(const struct gen_host *h, size_t *which)
{
    int64_t next = h->browse_ns;
    *which = GEN_HOST_SERVICES;
    for (size_t i = 0; i < GEN_HOST_SERVICES; i++) {
        if (h->service_ns[i] < next) {
            next = h->service_ns[i];
            *which = i;
        }
    }
    return next;
}

/* Returns when to wake it again. */
static int wake_host(struct gen_session *s, struct gen_host *h, int64_t now, int64_t *next)
{
    size_t which = 0;
    int result = 0;
    if (next_of(h, &which) == now)
        result = which == GEN_HOST_SERVICES ? browse(s, h) : serve(s, h, which);
    *next = next_of(h, &which);
    if (*next >= h->until_ns) {
        h->burst = 0;
        begin_hours(s, h, h->until_ns);
        *next = next_of(h, &which);
        if (*next >= h->until_ns)
            *next = h->until_ns; /* nothing happens in these hours */
    }
    return result;
}

/* ------------------------------------------------------------- municipalities */

static struct gen_flow outside_flow(struct gen_background *b, int64_t now)
{
    uint64_t salt = gen_random_next(&b->random);
    uint16_t port = (uint16_t)gen_random_between(&b->random, 1024, 65535);
    return (struct gen_flow){
        .time_ns = now,
        .salt = salt,
        .dest = GEN_DEST_OWN_SITE,
        .client_port = port,
        .tenant = b->tenant,
        .host = GEN_HOST_NONE,
        .planted = GEN_CASE_NONE,
        .status = 200,
        .path = GEN_PATH_IN,
        .protocol = 6,
        .kind = GEN_FLOW_END,
        .tls = true,
    };
}

static int visitor(struct gen_session *s, struct gen_background *b, int64_t now)
{
    const struct gen_tenant *tenant = &s->world->tenants[b->tenant];
    struct gen_flow f = outside_flow(b, now);
    f.client.value = GEN_VISITOR_BASE + gen_random_below(&b->random, 32768);
    f.server.value = tenant->published + 2;
    f.server_port = gen_random_permille(&b->random, 900) ? 443 : 80;
    f.sent_bytes = gen_random_lognormal(&b->random, &s->world->curves, 2400, 300);
    f.received_bytes = gen_random_lognormal(&b->random, &s->world->curves, 42000, 500);
    f.duration_ms = (uint32_t)gen_random_lognormal(&b->random, &s->world->curves, 9000, 400);
    if (gen_random_permille(&b->random, 20)) {
        f.kind = GEN_FLOW_FAILED;
        f.received_bytes = 0;
    }
    return gen_traffic_session(s->traffic, &f);
}

/* What knocks at every address of the Internet all day, one or two packets a source. */
static int noise(struct gen_session *s, struct gen_background *b, int64_t now)
{
    static const uint16_t PORTS[12] = {23,   22,   445,  3389, 80,   8080,
                                       1433, 5900, 2323, 81,   6379, 7547};
    struct gen_flow f = outside_flow(b, now);
    f.client.value = GEN_NOISE_BASE + gen_random_below(&b->random, 16384);
    f.server.value = s->world->tenants[b->tenant].published + gen_random_below(&b->random, 8);
    f.server_port = PORTS[gen_random_below(&b->random, 12)];
    f.kind = GEN_FLOW_DENY;
    f.tls = false;
    return gen_traffic_session(s->traffic, &f);
}

static int server_out(struct gen_session *s, struct gen_background *b, int64_t now)
{
    const struct gen_tenant *tenant = &s->world->tenants[b->tenant];
    struct gen_flow f = outside_flow(b, now);
    bool mail = b->kind == BACK_MAIL;
    bool platform = b->kind == BACK_PLATFORM;
    f.dest = mail ? GEN_DEST_MAIL : platform ? GEN_DEST_PLATFORM : GEN_DEST_NTP;
    f.server = s->world->dests[f.dest].address;
    f.client.value = tenant->inside | (platform ? 128 << 8 | 10
                                       : mail   ? 64 << 8 | 20
                                                : 64 << 8 | 53);
    f.path = platform ? GEN_PATH_LGWAN : GEN_PATH_SERVER;
    f.protocol = mail || platform ? 6 : 17;
    f.server_port = mail ? 25 : platform ? 443 : 123;
    f.client_port = f.server_port == 123 ? 123 : f.client_port;
    f.sent_bytes = mail ? gen_random_lognormal(&b->random, &s->world->curves, 38000, 500) : 76;
    f.received_bytes = mail ? 1200 : platform ? 5200 + f.salt % 900 : 76;
    f.duration_ms = mail ? 1800 : platform ? 900 : 60000;
    return gen_traffic_session(s->traffic, &f);
}

static int school(struct gen_session *s, struct gen_background *b, int64_t now)
{
    const struct gen_tenant *tenant = &s->world->tenants[b->tenant];
    struct gen_flow f = outside_flow(b, now);
    uint64_t bits = gen_random_next(&b->random);
    f.dest = GEN_DEST_SERVICES + gen_zipf_pick(&s->world->zipf, bits) % 2000;
    f.server = s->world->dests[f.dest].address;
    f.client.value = gen_world_address(tenant->inside, 192, gen_random_below(&b->random, 400));
    if (f.server.v6)
        f.client = (struct gen_address){
            .value = UINT32_C(0xF0000000) | (uint32_t)b->tenant << 16 | 0xE000, .v6 = true};
    f.path = GEN_PATH_SCHOOL;
    f.server_port = 443;
    f.sent_bytes = gen_random_lognormal(&b->random, &s->world->curves, 1800, 300);
    f.received_bytes = gen_random_lognormal(&b->random, &s->world->curves, 30000, 560);
    f.duration_ms = (uint32_t)gen_random_lognormal(&b->random, &s->world->curves, 8000, 400);
    return gen_traffic_session(s->traffic, &f);
}

static int login(struct gen_session *s, struct gen_background *b, int64_t now)
{
    const struct gen_tenant *tenant = &s->world->tenants[b->tenant];
    if (tenant->firewalls == 0)
        return 0;
    struct gen_flow f = outside_flow(b, now);
    f.host = (uint16_t)gen_random_below(&b->random, tenant->active);
    f.client.value =
        GEN_VISITOR_BASE + (uint32_t)(host_bits(s->world, b->tenant, f.host, 90) % 32768);
    f.server.value = tenant->published + 4;
    f.server_port = 443;
    bool wrong = gen_random_permille(&b->random, 60);
    return gen_traffic_line(s->traffic, &f, wrong ? GEN_FLOW_LOGIN_FAIL : GEN_FLOW_LOGIN,
                            gen_traffic_firewall(tenant, f.host));
}

static int attack(struct gen_session *s, struct gen_background *b, int64_t now)
{
    const struct gen_tenant *tenant = &s->world->tenants[b->tenant];
    if (tenant->firewalls == 0)
        return 0;
    struct gen_flow f = outside_flow(b, now);
    f.client.value = GEN_NOISE_BASE + gen_random_below(&b->random, 16384);
    f.server.value = tenant->published + 2;
    f.server_port = 80;
    f.tls = false;
    return gen_traffic_line(s->traffic, &f, GEN_FLOW_IPS, 0);
}

/* Lines an hour at the natural rate, or a period for what is exact. */
static int64_t background_gap(const struct gen_session *s, struct gen_background *b, int64_t now)
{
    const struct gen_tenant *tenant = &s->world->tenants[b->tenant];
    if (b->kind == BACK_NTP)
        return 1024 * SECOND;
    if (b->kind == BACK_PLATFORM)
        return 1800 * SECOND;
    uint32_t quarter = (uint32_t)((now + GEN_JST_NS) % GEN_DAY_NS / QUARTER_NS);
    uint32_t visitors = gen_calendar_visitors(quarter);
    bool work = quarter >= 33 && quarter < 70 && gen_world_open(s->world, gen_calendar_day(now));
    uint64_t an_hour = 2;
    if (b->kind == BACK_VISITORS)
        an_hour = tenant->active * (uint64_t)visitors / 64;
    else if (b->kind == BACK_NOISE)
        an_hour = 60 + tenant->active / 8;
    else if (b->kind == BACK_MAIL)
        an_hour = 6 + tenant->active * (work ? 2U : 0U);
    else if (b->kind == BACK_SCHOOL)
        an_hour = 2 + tenant->active * (work ? 4U : 0U);
    else if (b->kind == BACK_LOGIN)
        an_hour = 1 + tenant->active / (work ? 64 : 400);
    uint64_t thinned = an_hour * s->rate_permille * tenant->machine_permille;
    int64_t mean = (int64_t)((uint64_t)GEN_HOUR_NS / (thinned / 1000 + 1) * 1000);
    return gen_random_exponential(&b->random, &s->world->curves, mean) + 1;
}

static int wake_background(struct gen_session *s, struct gen_background *b, int64_t now)
{
    switch (b->kind) {
    case BACK_VISITORS:
        return visitor(s, b, now);
    case BACK_NOISE:
        return noise(s, b, now);
    case BACK_SCHOOL:
        return school(s, b, now);
    case BACK_LOGIN:
        return login(s, b, now);
    case BACK_ATTACK:
        return attack(s, b, now);
    default:
        return server_out(s, b, now);
    }
}

int gen_session_step(struct gen_session *s)
{
    struct gen_wake wake = s->queue.items[0];
    int result = 0;
    int64_t next = 0;
    if (wake.tag < s->host_count) {
        result = wake_host(s, &s->hosts[wake.tag], wake.time_ns, &next);
    } else {
        struct gen_background *b = &s->backgrounds[wake.tag - s->host_count];
        result = wake_background(s, b, wake.time_ns);
        next = wake.time_ns + background_gap(s, b, wake.time_ns);
    }
    wake.time_ns = next;
    gen_queue_replace(&s->queue, wake);
    return result;
}

/* ------------------------------------------------------------------ beginning */

static void choose_services(struct gen_session *s, struct gen_host *h)
{
    size_t count = 0;
    for (uint8_t k = 0; k < SERVICE_COUNT && count < GEN_HOST_SERVICES; k++) {
        /* At a lower rate fewer PCs have the service: its period is what must not change. */
        uint64_t share = (uint64_t)SERVICES[k].share_permille * s->rate_permille / 1000;
        if (host_bits(s->world, h->tenant, h->number, 60 + k) % 1000 < share)
            h->service[count++] = k;
    }
    for (; count < GEN_HOST_SERVICES; count++)
        h->service[count] = SERVICE_COUNT;
}

static int add_host(struct gen_session *s, uint32_t index, uint16_t tenant, uint16_t number,
                    int64_t start_ns)
{
    struct gen_host *h = &s->hosts[index];
    h->tenant = tenant;
    h->number = number;
    h->random.state = host_bits(s->world, tenant, number, 0);
    choose_services(s, h);
    begin_hours(s, h, start_ns);
    size_t which = 0;
    int64_t next = next_of(h, &which);
    if (next >= h->until_ns)
        next = h->until_ns;
    return gen_queue_push(&s->queue, (struct gen_wake){next, index});
}

static int add_background(struct gen_session *s, uint32_t index, int64_t start_ns)
{
    struct gen_background *b = &s->backgrounds[index];
    b->tenant = (uint16_t)(index / BACKGROUNDS);
    b->kind = (uint8_t)(index % BACKGROUNDS);
    b->random.state = gen_mix(s->world->seed, UINT64_C(9000000) + index);
    int64_t phase = (int64_t)(gen_random_next(&b->random) >> 44) * (1024 * SECOND >> 20);
    if (b->kind != BACK_NTP && b->kind != BACK_PLATFORM)
        phase = background_gap(s, b, start_ns);
    return gen_queue_push(&s->queue, (struct gen_wake){start_ns + phase, s->host_count + index});
}

int gen_session_init(struct gen_session *s, const struct gen_world *world,
                     struct gen_traffic *traffic, int64_t start_ns, uint32_t rate_permille)
{
    *s = (struct gen_session){.world = world, .traffic = traffic, .rate_permille = rate_permille};
    for (uint32_t i = 0; i < world->tenant_count; i++)
        s->host_count += world->tenants[i].active;
    s->background_count = world->tenant_count * BACKGROUNDS;
    assert(s->host_count > 0 && s->background_count > 0);
    s->hosts = calloc(s->host_count, sizeof(*s->hosts));
    s->backgrounds = calloc(s->background_count, sizeof(*s->backgrounds));
    int result = s->hosts == NULL || s->backgrounds == NULL ? ERR_NOMEM : 0;
    uint32_t index = 0;
    for (uint32_t i = 0; i < world->tenant_count; i++)
        for (uint32_t n = 0; result == 0 && n < world->tenants[i].active; n++)
            result = add_host(s, index++, (uint16_t)i, (uint16_t)n, start_ns);
    for (uint32_t i = 0; result == 0 && i < s->background_count; i++)
        result = add_background(s, i, start_ns);
    if (result != 0)
        gen_session_release(s);
    return result;
}

void gen_session_release(struct gen_session *s)
{
    gen_queue_release(&s->queue);
    free(s->hosts);
    free(s->backgrounds);
    *s = (struct gen_session){0};
}
