/*
 * D1: rare and new destinations. A place is a registrable domain, or an address without a name.
 *
 *   known   every place of the last 60 days: since when, and whether it is of wide use
 *   fresh   places in their first 24 hours that at most two hosts here and hardly anybody else in the
 *           prefecture met: what happened there (struct rare_unit)
 *   hosts   hosts of the last 14 days, for "1 of 412", and where each was last
 *   names   addresses that a request named: what a firewall says of such an address is no place of
 *           its own
 *
 * What is of wide use by hosts or municipalities is not looked at again, so nearly all flows end
 * after one look into `known`. For the others detect/rare_score.h says how often the municipality
 * sees something at least so unusual; at most RARE_ALERT_RATE times a working day is an alert.
 *
 * The first day teaches which places are not new; nothing is judged before the eighth day.
 */
#include "detect/detector_rare.h"

#include <assert.h>
#include <stdio.h>

#include "base/calendar.h"
#include "detect/detector.h"
#include "detect/rare_score.h"
#include "detect/real.h"

#define SECOND CLOCK_NS_PER_SECOND
#define HOUR   CALENDAR_HOUR_NS
#define DAY    CALENDAR_DAY_NS

#define VISIT_NS  (5 * SECOND) /* contacts within it are one visit */
#define FRESH_NS  DAY          /* a place is new for so long */
#define WINDOW_NS DAY          /* of an episode */

enum {
    HOSTS_MAX = 2,     /* that meet a rare place */
    OTHERS_SHARE = 20, /* one municipality in so many may know it, too */
    KNOWN_DAYS = 60,   /* and forgotten when nobody goes there for so long */
    HOST_DAYS = 14,
    HOST_PLACES_MAX = 50, /* new places of a host and day that are learnt */
    HOST_ALERTS_MAX = 2,  /* a day: a host that meets many is a matter for D3, D4 and D15 */
    VISITS_MIN = 2,       /* one visit is curiosity */
    LEARN_DAYS = 7,
    NIGHT_END = 7 * 60, /* minutes of the day; on days off people work late and early, too */
    NIGHT_BEGIN = 20 * 60,
    PORTS_RESERVED = 1024,
    TEXT_BYTES_MAX = 160,
};

const double RARE_TALLY_SHARES[RARE_TALLY_LEVELS] = {0.05, 0.01, 0.003, 0.001};

enum known_flag {
    KNOWN_WIDE = 1, /* many hosts or municipalities */
};

struct known {
    uint64_t key;
    uint32_t first_minute; /* since 1970 */
    uint16_t last_day;     /* JST */
    uint16_t flags;
};

enum fresh_flag {
    FRESH_SIZEABLE = 1, /* there was an answer that is not small */
    FRESH_ALERTED = 2,
    FRESH_JUDGED = 4,
    FRESH_ACCOMPANIED = 8,  /* the last visit: its host went elsewhere, too */
    FRESH_HIDDEN = 16,      /* one alert too many of its host */
    FRESH_ALARMING = 64,    /* the score is high enough */
    FRESH_UNLEARNT = 32,    /* its host met too many to learn from */
    FRESH_LEVELS_SHIFT = 8, /* from here on one bit for each of RARE_TALLY_SHARES that it reached */
};

struct fresh {
    uint64_t key;
    int64_t first_ns;
    int64_t visit_ns; /* the beginning of the last visit */
    uint64_t upload_bytes;
    uint32_t hosts[HOSTS_MAX]; /* halves of keys */
    uint32_t requests;
    uint16_t visits; /* these saturate */
    uint16_t small;
    uint16_t quiet;
    uint16_t alone;
    uint16_t best; /* score so far, in steps */
    uint16_t flags;
    uint8_t kind;
    uint8_t host_count;
    uint8_t others; /* municipalities, saturating */
    uint8_t spare[5];
};

struct host {
    uint64_t key;
    uint64_t place;   /* where it was last */
    int64_t last_ns;  /* and when */
    int64_t other_ns; /* when it was elsewhere before */
    uint64_t visit;   /* a fresh place that it visits without having been elsewhere; 0 = none */
    uint32_t day;     /* JST, of the counts */
    uint16_t places;  /* fresh ones that it was the first to meet */
    uint16_t alerts;
};

struct name {
    uint64_t key;
};

static_assert(sizeof(struct fresh) <= 64 && sizeof(struct fresh) % 8 == 0, "as documented");
static_assert(sizeof(struct known) == 16, "no padding");

struct rare_state {
    struct table known;
    struct table fresh;
    struct table hosts;
    struct table names;
    struct rare_score score;
    struct rare_tally tally;
    int64_t day;     /* JST, of the ticks; 0 before the first */
    uint64_t starts; /* log sources that write a line when a session begins */
};

enum text {
    NEW_DOMAIN,
    NEW_ADDRESS,
    NEW_DOMAIN_ALONE, /* nothing is known of other municipalities */
    NEW_ADDRESS_ALONE,
    TEXTS,
};

#define WHO_JA(place)                                                                                                        \
    "端末 {source.ip} が、これまで庁内のどの端末も使っていなかった接続先 " place                                             \
    " と通信しています（{visits} 回、送信 {bytes_out} バイト）。庁内で確認された {hosts_watched} " \
    "台のうち、ここに接続したのは {hosts} 台だけです。"
#define PREFECTURE_JA                                                                                            \
    "この60日間に接続した団体は、県内 {municipalities_watched} 団体のうち {municipalities} " \
    "団体です。"
#define USUAL_JA                                                                                                            \
    "新しい接続先は毎日ありますが、これほど変わった使われ方は、ふだんは1日に {per_day} " \
    "件しかありません。"
#define ACTION_JA(place)                                                                                                                       \
    "本日中に、端末 {source.ip} の利用者に " place                                                                                             \
    " への接続に心当たりがあるかを確認してください。心当たりがないときは、端末をネットワークから" \
    "切り離し（電源は切らない）、{first} 前後に開いたメールの添付ファイルやリンク、入れた"               \
    "ソフトウェアを調べ、県のSOCに連絡してください。"
#define WHO_EN(place)                                                                              \
    "Host {source.ip} communicates with " place ", which no host of the municipality used before " \
    "({visits} visits, {bytes_out} bytes sent). Of {hosts_watched} hosts seen here, {hosts} went " \
    "there. "
#define PREFECTURE_EN                                                                    \
    "Within 60 days {municipalities} of {municipalities_watched} municipalities of the " \
    "prefecture met it. "
#define USUAL_EN                                                                                \
    "New destinations appear every day, but such an unusual use of one only {per_day} times a " \
    "day."
#define ACTION_EN(place)                                                                          \
    "Today, ask the user of {source.ip} whether they know of the connection to " place ". If "    \
    "not, take the host off the network (do not switch it off), look at mail attachments, links " \
    "and programs opened around {first}, and tell the SOC of the prefecture."

static const struct detector_text TEXT[TEXTS] = {
    [NEW_DOMAIN] = {.name = "rare-domain",
                    .severity = ALERT_MEDIUM,
                    .technique = "T1071",
                    .message_ja = WHO_JA("{url.domain}") PREFECTURE_JA USUAL_JA,
                    .message_en = WHO_EN("{url.domain}") PREFECTURE_EN USUAL_EN,
                    .action_ja = ACTION_JA("{url.domain}"),
                    .action_en = ACTION_EN("{url.domain}")},
    [NEW_ADDRESS] = {.name = "rare-address",
                     .severity = ALERT_MEDIUM,
                     .technique = "T1071",
                     .message_ja = WHO_JA("{destination.ip}") PREFECTURE_JA USUAL_JA,
                     .message_en = WHO_EN("{destination.ip}") PREFECTURE_EN USUAL_EN,
                     .action_ja = ACTION_JA("{destination.ip}"),
                     .action_en = ACTION_EN("{destination.ip}")},
    [NEW_DOMAIN_ALONE] = {.name = "rare-domain",
                          .severity = ALERT_MEDIUM,
                          .technique = "T1071",
                          .message_ja = WHO_JA("{url.domain}") USUAL_JA,
                          .message_en = WHO_EN("{url.domain}") USUAL_EN,
                          .action_ja = ACTION_JA("{url.domain}"),
                          .action_en = ACTION_EN("{url.domain}")},
    [NEW_ADDRESS_ALONE] = {.name = "rare-address",
                           .severity = ALERT_MEDIUM,
                           .technique = "T1071",
                           .message_ja = WHO_JA("{destination.ip}") USUAL_JA,
                           .message_en = WHO_EN("{destination.ip}") USUAL_EN,
                           .action_ja = ACTION_JA("{destination.ip}"),
                           .action_en = ACTION_EN("{destination.ip}")},
};

/* -------------------------------------------------------------------------- the state */

struct sizes {
    size_t known;
    size_t fresh;
    size_t hosts;
    size_t names;
};

/* Together 64 bytes and 8 of names for each destination of the class, and 16 for each host. */
static struct sizes sizes_of(const struct detect_size *size)
{
    return (struct sizes){.known = (size_t)size->destinations * 2,
                          .fresh = size->destinations / 2,
                          .hosts = size->hosts,
                          .names = size->destinations};
}

static size_t bytes(const struct detect_size *size)
{
    struct sizes n = sizes_of(size);
    return (sizeof(struct rare_state) + 7) / 8 * 8 + table_bytes(n.known, sizeof(struct known)) +
           table_bytes(n.fresh, sizeof(struct fresh)) + table_bytes(n.hosts, sizeof(struct host)) +
           table_bytes(n.names, sizeof(struct name));
}

static void init(void *state, const struct detect_size *size)
{
    struct rare_state *s = state;
    struct sizes n = sizes_of(size);
    unsigned char *at = state;
    at += (sizeof(*s) + 7) / 8 * 8;
    table_init(&s->known, at, n.known, sizeof(struct known));
    at += table_bytes(n.known, sizeof(struct known));
    table_init(&s->fresh, at, n.fresh, sizeof(struct fresh));
    at += table_bytes(n.fresh, sizeof(struct fresh));
    table_init(&s->hosts, at, n.hosts, sizeof(struct host));
    at += table_bytes(n.hosts, sizeof(struct host));
    table_init(&s->names, at, n.names, sizeof(struct name));
}

static void gaps(const void *state, struct gaps *out)
{
    const struct rare_state *s = state;
    table_gap(&s->known, out);
    table_gap(&s->fresh, out);
    table_gap(&s->hosts, out);
    table_gap(&s->names, out);
}

static uint64_t evictions(const void *state)
{
    const struct rare_state *s = state;
    return s->known.evictions + s->fresh.evictions + s->hosts.evictions;
}

struct rare_tally rare_tally(const void *state)
{
    const struct rare_state *s = state;
    return s->tally;
}

static void count(uint16_t *value)
{
    if (*value < UINT16_MAX)
        ++*value;
}

static uint16_t day_of(int64_t time_ns)
{
    int64_t day = calendar_day(time_ns);
    return day < 0 ? 0 : day > UINT16_MAX ? UINT16_MAX : (uint16_t)day;
}

static uint32_t minute_of(int64_t time_ns)
{
    return time_ns < 0 ? 0 : (uint32_t)(time_ns / CLOCK_NS_PER_MINUTE);
}

/* ------------------------------------------------------------------- what is not new */

/* The place, met once more. */
static struct known *meet(struct detect_run *run, struct rare_state *s, const struct flow *f)
{
    bool first = false;
    uint16_t day = day_of(f->time_ns);
    struct known *k = table_take(&s->known, f->destination_key, &first, NULL);
    if (first || day > k->last_day + KNOWN_DAYS) {
        k->first_minute = minute_of(f->time_ns);
        k->last_day = 0;
        k->flags = 0;
    }
    if (day > k->last_day) {
        k->last_day = day;
        detect_contribute(run, f->destination_key);
    }
    return k;
}

static uint64_t name_key(const struct ip *ip)
{
    uint64_t words[2];
    static_assert(sizeof(words) == sizeof(ip->bytes), "an address is two words");
    memcpy(words, ip->bytes, sizeof(words));
    return detect_key(words[0], words[1]);
}

static bool is_named(const struct flow *f)
{
    return f->registered != 0;
}

/* The address has a name, which is the place. */
static void note_name(struct rare_state *s, const struct flow *f)
{
    bool first = false;
    if (is_named(f) && f->direction == FLOW_OUT && (f->flags & FLOW_HAS_DESTINATION) != 0)
        (void)table_take(&s->names, name_key(&f->destination), &first, NULL);
}

static bool stands_for_a_name(struct rare_state *s, const struct flow *f)
{
    return !is_named(f) && table_find(&s->names, name_key(&f->destination)) != NULL;
}

static bool is_near(int64_t a_ns, int64_t b_ns)
{
    return a_ns - b_ns < VISIT_NS && b_ns - a_ns < VISIT_NS;
}

/* The host goes to a place; what it visits at the same time is not visited alone. */
static struct host *meet_host(struct rare_state *s, const struct flow *f)
{
    bool first = false;
    struct host *h = table_take(&s->hosts, f->source_key, &first, NULL);
    uint32_t day = day_of(f->time_ns);
    if (day > h->day) {
        h->day = day;
        h->places = 0;
        h->alerts = 0;
    }
    if (h->place != f->destination_key) {
        h->other_ns = h->last_ns;
        h->place = f->destination_key;
    }
    if (h->visit != 0 && h->visit != f->destination_key) {
        struct fresh *p = table_find(&s->fresh, h->visit);
        if (p != NULL && is_near(p->visit_ns, f->time_ns))
            p->flags |= FRESH_ACCOMPANIED;
        h->visit = 0;
    }
    h->last_ns = f->time_ns;
    return h;
}

static bool is_new(const struct known *k, int64_t now_ns, int64_t since_ns)
{
    int64_t first_ns = (int64_t)k->first_minute * CLOCK_NS_PER_MINUTE;
    return (k->flags & KNOWN_WIDE) == 0 && first_ns >= since_ns + DAY &&
           first_ns > now_ns - FRESH_NS;
}

/* ------------------------------------------------------------------- what happens there */

/* What is known of a place that is new and rare; NULL when it is not rare. */
static struct fresh *open_fresh(struct detect_run *run, struct rare_state *s, struct host *h,
                                const struct flow *f)
{
    bool first = false;
    struct fresh *p = table_take(&s->fresh, f->destination_key, &first, NULL);
    if (!first)
        return p;
    unsigned others = detect_prevalence(run, f->destination_key).tenants;
    if (others * OTHERS_SHARE > detect_prevalence_tenants(run)) {
        table_remove(&s->fresh, f->destination_key);
        return NULL;
    }
    p->others = (uint8_t)(others < UINT8_MAX ? others : UINT8_MAX);
    p->first_ns = f->time_ns;
    p->kind = UINT8_MAX;
    count(&h->places);
    if (h->places > HOST_PLACES_MAX)
        p->flags |= FRESH_UNLEARNT;
    return p;
}

/* False when it is one host too many. */
static bool add_host(struct fresh *p, const struct flow *f)
{
    uint32_t half = (uint32_t)(f->source_key >> 32);
    for (uint8_t i = 0; i < p->host_count; i++) {
        if (p->hosts[i] == half)
            return true;
    }
    if (p->host_count == HOSTS_MAX)
        return false;
    p->hosts[p->host_count++] = half;
    return true;
}

static bool is_usual_port(const struct flow *f)
{
    return f->destination_port == 0 || f->destination_port == 80 || f->destination_port == 443;
}

/* The class of a contact: named or not, which port, refused or not. */
static uint8_t kind_of(const struct flow *f)
{
    unsigned class = is_usual_port(f) ? 0 : f->destination_port < PORTS_RESERVED ? 1 : 2;
    unsigned kind = (is_named(f) ? 0U : 3U) + class;
    return (uint8_t)((f->flags & FLOW_REFUSED) != 0 ? kind + 6 : kind);
}

static bool is_quiet(int64_t time_ns)
{
    uint32_t minute = calendar_minute(time_ns);
    return minute < NIGHT_END || minute >= NIGHT_BEGIN;
}

/*
 * Whether the line is a contact of its own. Where a device writes a session's beginning, too, its
 * end only says how much it was.
 */
static bool is_contact(struct rare_state *s, const struct flow *f)
{
    uint64_t source = UINT64_C(1) << (f->log_source % 64);
    if ((f->flags & (FLOW_WEB | FLOW_REFUSED)) != 0)
        return true;
    if (f->source_bytes < 0 && f->destination_bytes < 0) {
        s->starts |= source;
        return true;
    }
    return (s->starts & source) == 0;
}

static void note_sizes(struct rare_state *s, struct fresh *p, const struct flow *f)
{
    int64_t answer = f->destination_bytes;
    if (f->source_bytes > 0)
        p->upload_bytes += (uint64_t)f->source_bytes;
    if (answer <= 0)
        return;
    if (is_usual_port(f))
        rare_score_answer(&s->score, answer);
    if ((uint64_t)answer >= s->score.small_bytes)
        p->flags |= FRESH_SIZEABLE;
    else if ((p->flags & FRESH_SIZEABLE) == 0)
        count(&p->small);
}

static void begin_visit(struct fresh *p, struct host *h, const struct flow *f)
{
    if (p->visits != 0 && (p->flags & FRESH_ACCOMPANIED) == 0)
        count(&p->alone);
    p->flags &= (uint16_t)~FRESH_ACCOMPANIED;
    h->visit = 0;
    if (is_near(h->other_ns, f->time_ns))
        p->flags |= FRESH_ACCOMPANIED;
    else
        h->visit = f->destination_key;
    p->visit_ns = f->time_ns;
    count(&p->visits);
    if (is_quiet(f->time_ns))
        count(&p->quiet);
}

/* True when a visit begins. */
static bool note_contact(const struct rare_state *s, struct fresh *p, struct host *h,
                         const struct flow *f)
{
    uint8_t kind = kind_of(f);
    p->requests += p->requests < UINT32_MAX;
    if (p->kind == UINT8_MAX || s->score.bits[RARE_KIND][kind] > s->score.bits[RARE_KIND][p->kind])
        p->kind = kind;
    if (p->visits != 0 && f->time_ns < p->visit_ns + VISIT_NS)
        return false;
    begin_visit(p, h, f);
    return true;
}

static struct rare_unit unit_of(const struct fresh *p)
{
    return (struct rare_unit){.visits = p->visits,
                              .small = p->small,
                              .quiet = p->quiet,
                              .alone = p->alone,
                              .upload_bytes = p->upload_bytes,
                              .kind = p->kind == UINT8_MAX ? 0 : p->kind};
}

/* ------------------------------------------------------------------------------ judging */

static bool may_judge(const struct detect_run *run, const struct rare_state *s, int64_t now_ns)
{
    int64_t days = calendar_day(now_ns) - calendar_day(detect_since_ns(run));
    return days >= LEARN_DAYS && rare_score_ready(&s->score);
}

/* The sum and what it means, so that anybody can do it again. */
static void explain_score(struct finding *out, const struct rare_score *score,
                          const struct rare_unit *unit)
{
    char text[TEXT_BYTES_MAX];
    uint8_t bins[RARE_TRAITS];
    rare_score_bins(bins, unit);
    int len = snprintf(
        text, sizeof(text),
        "visits %.2f + small_answers %.2f + upload %.2f + quiet %.2f + alone %.2f + "
        "kind %.2f",
        score->bits[RARE_VISITS][bins[RARE_VISITS]], score->bits[RARE_SMALL][bins[RARE_SMALL]],
        score->bits[RARE_UPLOAD][bins[RARE_UPLOAD]], score->bits[RARE_QUIET][bins[RARE_QUIET]],
        score->bits[RARE_ALONE][bins[RARE_ALONE]], score->bits[RARE_KIND][bins[RARE_KIND]]);
    finding_text(out, "bits", slice_of(text, (size_t)len));
    len = snprintf(text, sizeof(text), "%.4g a day from %.2f bits on, scale %.4g, shape %.4g",
                   score->threshold_rate, score->threshold, score->scale, score->shape);
    finding_text(out, "usual", slice_of(text, (size_t)len));
}

static void fire(struct detect_run *run, struct rare_state *s, const struct fresh *p,
                 const struct flow *f)
{
    struct finding out;
    struct rare_unit unit = unit_of(p);
    double score = rare_score_of(&s->score, &unit);
    double rate = rare_score_rate(&s->score, score);
    unsigned tenants = detect_prevalence_tenants(run);
    bool alone = tenants == 0;
    unsigned text = is_named(f) ? (alone ? NEW_DOMAIN_ALONE : NEW_DOMAIN)
                                : (alone ? NEW_ADDRESS_ALONE : NEW_ADDRESS);
    finding_begin(&out, (uint8_t)text, f, WINDOW_NS);
    finding_score(&out, 1 - real_exp(-rate));
    finding_key_ip(&out, "source.ip", &f->source);
    if (is_named(f))
        finding_key_text(&out, "url.domain", detect_text(run, f->registered));
    else
        finding_key_ip(&out, "destination.ip", &f->destination);
    finding_int(&out, "hosts", p->host_count);
    finding_int(&out, "hosts_watched", (int64_t)s->hosts.count);
    finding_int(&out, "municipalities", p->others);
    finding_int(&out, "municipalities_watched", tenants);
    finding_time(&out, "first", p->first_ns);
    finding_int(&out, "requests", p->requests);
    finding_int(&out, "visits", p->visits);
    finding_int(&out, "small_answers", p->small);
    finding_int(&out, "small_bytes", (int64_t)s->score.small_bytes);
    finding_int(&out, "bytes_out", (int64_t)p->upload_bytes);
    finding_int(&out, "quiet_visits", p->quiet);
    finding_int(&out, "visits_alone", p->alone);
    explain_score(&out, &s->score, &unit);
    finding_real(&out, "score", score);
    finding_real(&out, "per_day", rate);
    detect_fire(run, &out);
}

/* Whether what happened so far is an alarm. */
static bool is_alarming(struct rare_state *s, struct fresh *p)
{
    struct rare_unit unit = unit_of(p);
    double score = rare_score_of(&s->score, &unit);
    uint16_t step = (uint16_t)(score * RARE_STEPS_PER_BIT);
    if (step > p->best || (p->flags & FRESH_JUDGED) == 0) {
        p->best = step;
        p->flags |= FRESH_JUDGED;
        double share = rare_score_share(&s->score, score);
        for (unsigned i = 0; i < RARE_TALLY_LEVELS; i++) {
            if (share <= RARE_TALLY_SHARES[i])
                p->flags |= (uint16_t)(1U << (FRESH_LEVELS_SHIFT + i));
        }
        if (rare_score_rate(&s->score, score) <= RARE_ALERT_RATE)
            p->flags |= FRESH_ALARMING;
    }
    return (p->flags & FRESH_ALARMING) != 0 && p->visits >= VISITS_MIN;
}

/* Whether the place is, or becomes now, an alert of this host's. */
static bool judge(const struct detect_run *run, struct rare_state *s, struct fresh *p,
                  struct host *h, const struct flow *f)
{
    if ((p->flags & FRESH_ALERTED) != 0)
        return true;
    if (!may_judge(run, s, f->time_ns) || !is_alarming(s, p))
        return false;
    p->flags |= FRESH_ALERTED;
    count(&h->alerts);
    if (h->alerts > HOST_ALERTS_MAX)
        p->flags |= FRESH_HIDDEN;
    return true;
}

/* A request may go to the next proxy, which is inside: its name is still the place. */
static bool goes_out(const struct flow *f)
{
    bool by_proxy = f->direction == FLOW_INSIDE && is_named(f) && (f->flags & FLOW_WEB) != 0;
    return (f->direction == FLOW_OUT || by_proxy) && f->destination_key != 0 && f->source_key != 0;
}

static void ahead(const void *state, const struct flow *f, bool near)
{
    const struct rare_state *s = state;
    if (!goes_out(f))
        return;
    table_ahead(&s->known, f->destination_key, near);
    table_ahead(&s->hosts, f->source_key, near);
    if ((f->flags & FLOW_HAS_DESTINATION) != 0)
        table_ahead(&s->names, name_key(&f->destination), near);
}

static void flow(struct detect_run *run, void *state, const struct flow *f)
{
    struct rare_state *s = state;
    int64_t since_ns = detect_since_ns(run);
    if (!goes_out(f))
        return;
    struct known *k = meet(run, s, f);
    note_name(s, f);
    if ((f->flags & FLOW_SHARED_SOURCE) != 0 || stands_for_a_name(s, f))
        return;
    struct host *h = meet_host(s, f);
    if (f->time_ns < since_ns + DAY && is_usual_port(f))
        rare_score_answer(&s->score, f->destination_bytes);
    if (!is_new(k, f->time_ns, since_ns))
        return;
    struct fresh *p = open_fresh(run, s, h, f);
    if (p == NULL || !add_host(p, f)) {
        k->flags |= KNOWN_WIDE;
        table_remove(&s->fresh, f->destination_key);
        return;
    }
    bool visit = is_contact(s, f) && note_contact(s, p, h, f);
    note_sizes(s, p, f);
    bool before = (p->flags & FRESH_ALERTED) != 0;
    if (judge(run, s, p, h, f) && (visit || !before) && (p->flags & FRESH_HIDDEN) == 0)
        fire(run, s, p, f);
}

/* ------------------------------------------------------------------------------- midnight */

static bool is_over(const struct fresh *p, int64_t now_ns)
{
    return p->first_ns <= now_ns - FRESH_NS;
}

/* Shows the units whose time is over to `take`; alarms are not learnt. */
static void each_unit(struct rare_state *s, int64_t now_ns,
                      void (*take)(struct rare_score *score, const struct rare_unit *unit))
{
    size_t at = 0;
    const struct fresh *p = NULL;
    while ((p = table_next(&s->fresh, &at)) != NULL) {
        if (!is_over(p, now_ns) || p->visits == 0 ||
            (p->flags & (FRESH_ALERTED | FRESH_UNLEARNT)) != 0)
            continue;
        struct rare_unit unit = unit_of(p);
        take(&s->score, &unit);
    }
}

/* What is not new any more is counted and forgotten. */
static void close_units(struct rare_state *s, int64_t now_ns, bool working)
{
    uint64_t units = s->tally.units;
    size_t at = 0;
    const struct fresh *p = NULL;
    while ((p = table_next(&s->fresh, &at)) != NULL) {
        if (!is_over(p, now_ns))
            continue;
        if ((p->flags & FRESH_JUDGED) != 0) {
            s->tally.units++;
            s->tally.alerts += (p->flags & FRESH_ALERTED) != 0;
            for (unsigned i = 0; i < RARE_TALLY_LEVELS; i++)
                s->tally.reached[i] += (p->flags >> (FRESH_LEVELS_SHIFT + i)) & 1U;
        }
        table_remove(&s->fresh, p->key);
    }
    s->tally.days += working && s->tally.units != units;
}

static void forget_hosts(struct rare_state *s)
{
    size_t at = 0;
    const struct host *h = NULL;
    while ((h = table_next(&s->hosts, &at)) != NULL) {
        if (calendar_day(h->last_ns) + HOST_DAYS < s->day)
            table_remove(&s->hosts, h->key);
    }
}

static void tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct rare_state *s = state;
    int64_t day = calendar_day(tick_ns);
    (void)run;
    if (day == s->day)
        return;
    if (s->day != 0) {
        int64_t midnight_ns = calendar_midnight(day);
        each_unit(s, midnight_ns, rare_score_learn);
        rare_score_weigh(&s->score);
        each_unit(s, midnight_ns, rare_score_close);
        bool working = rare_score_turn(&s->score);
        close_units(s, midnight_ns, working);
        forget_hosts(s);
    }
    s->day = day;
}

const struct detector detector_rare = {
    .id = "D1",
    .version = 1,
    .text_count = TEXTS,
    .texts = TEXT,
    .needs = FLOW_HAS_SOURCE,
    .avoids = FLOW_EXCLUDED | FLOW_UNPARSED | FLOW_LGWAN,
    .bytes = bytes,
    .init = init,
    .gaps = gaps,
    .flow = flow,
    .ahead = ahead,
    .tick = tick,
    .evictions = evictions,
};
