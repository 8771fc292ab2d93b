/*
 * D4: slow scans, and scans that mix in successes to deceive D3's walk. Counts how many *different*
 * services (host and port) refused a source or never answered it, over an hour, a day and a week, in
 * sketches of 48 bytes. A window slides by halves: a count spans between half of it and all of it.
 *
 * A count alarms when it is above a floor, enough of what the source asked for was refused, and it
 * stands out from the sources of its zone, from the source's own past and from what was told
 * already. A scan keeps to a host, to a network or to a port that scanners seek; where nothing
 * stands out (programs that talk to each other's users) floor and share are higher. What is refused
 * before the LGWAN is counted apart, as nothing is known of what was answered there.
 */
#include <assert.h>

#include "base/clock.h"
#include "detect/detectors.h"
#include "detect/hyperloglog.h"
#include "detect/scan_flow.h"

enum {
    TEXT_SERVICES,
    TEXT_LGWAN,
    TEXT_COUNT,
};

enum {
    HOSTS_PER_ENTRY = 2, /* most hosts are refused by nobody new */
    TARGETS_PER_HOST = 16,
    HALVES = 2,
    CLASSES = 16,        /* zones by number, for each of three sorts */
    BINS = 48,           /* four to a doubling: counts below 2^12 */
    CLASS_MAX = 60000,   /* then a class is halved, and so forgets */
    CLASS_LEAST = 30,    /* halves of days of its sources before a class says anything */
    SCATTERED_TIMES = 4, /* the floor where neither port nor host stands out */
    VOTES_MAX = 1000,
    IDLE_MOST = 20,  /* services of the week of a source that is given up when it is idle */
    WALK_LEAST = 14, /* services that D3's walk takes */
    WALK_LEAST_LGWAN = 33,
    HOUR_OF_WALKS = 60, /* services within an hour, nearly all refused */
    KEY_SOURCE = 0x200, /* beside enum scan_kind, in keys */
};

/* What a source is refused is counted apart by its sort. */
enum slow_sort {
    SLOW_SOUGHT,
    SLOW_EVERYDAY, /* on ports that programs use all day */
    SLOW_LGWAN,    /* at the firewall before the LGWAN */
    SLOW_SORTS,
};

#define EPISODE_NS      (INT64_C(24) * 3600 * CLOCK_NS_PER_SECOND)
#define SHARE_SCAN      0.33 /* of the services asked for, refused; scans hide behind two answers */
#define SHARE_SCATTERED 0.55 /* PCs and peers have up to 0.35, and a sketch errs */
#define TOLD_TIMES      1.25 /* what was told, and as much more as a sketch errs, and the floor */
#define SHARE_OF_WALKS  0.80 /* from here on D3's walk rises */
#define SHARE_OF_BURST  0.90 /* of the day's services, within the hour */

enum window {
    WINDOW_HOUR,
    WINDOW_DAY,
    WINDOW_WEEK,
    WINDOWS,
};

/* How a window is judged; counts are of services. */
struct slow_window {
    const char *name;
    uint32_t half_s;
    uint16_t floor;
    uint16_t floor_everyday;
    uint16_t class_times; /* the class's 95th percentile of a day */
    uint16_t own_times;   /* the source's own usual day */
};

static const struct slow_window RULES[WINDOWS] = {
    [WINDOW_HOUR] = {"1h", 1800, 30, 100, 1, 1},
    [WINDOW_DAY] = {"24h", 12 * 3600, 40, 200, 3, 2},
    [WINDOW_WEEK] = {"7d", 84 * 3600, 80, 400, 8, 8},
};

/* A majority vote after Boyer and Moore. */
struct slow_vote {
    uint16_t value;
    uint16_t votes;
};

struct slow_entry {
    uint64_t key;
    uint32_t half[WINDOWS]; /* number of the half that is being filled */
    struct slow_vote port;
    struct slow_vote host;
    struct slow_vote network;
    uint16_t samples;               /* votes cast */
    uint16_t usual;                 /* services that refuse it on a usual day */
    uint16_t told[WINDOWS][HALVES]; /* counts that D3's walk saw, or that were reported */
    uint64_t alarmed;               /* in the day's window: it is not what is usual */
    struct hyperloglog refused[WINDOWS][HALVES];
    struct hyperloglog answered[HALVES]; /* of the day */
};
static_assert(sizeof(struct slow_entry) % 8 == 0, "entries of a table");

/* Counts of the days of a class's sources: how many had so many. */
struct slow_class {
    uint32_t total;
    uint16_t bins[BINS];
    uint32_t spare;
};

struct slow_state {
    uint64_t tells;
    uint64_t swept_half;
    struct slow_class classes[CLASSES * SLOW_SORTS];
    struct table entries;
    struct contact_set targets; /* and sources that were refused once */
};

/* A count that is to be judged. */
struct slow_count {
    enum window window;
    enum slow_sort sort;
    bool scattered;
    double refused;
    double refused_day;
    double answered_day;
    double class_usual; /* 0 = not known yet */
    double need;
    double share;
    double share_least;
};

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_SERVICES] =
        {.name = "services",
         .severity = ALERT_HIGH,
         .technique = "T1046 T1018",
         .message_ja =
             "庁内の端末 {source.ip} が、{window} のあいだに約 {services} 件の異なる接続先(機器とポートの組)で拒否"
             "または無応答になりました。この端末の普段は1日 {usual_day} 件程度です。間隔を空けたり、成功する通信を混ぜた"
             "りして目立たないように接続先を探す動き(低速スキャン)が疑われます。",
         .message_en =
             "Host {source.ip} was refused or not answered by about {services} different services (machine "
             "and port) within {window}; on a usual day it is {usual_day}. Slowly, or mixed with "
             "connections that succeed, it seems to search for machines without being noticed (a slow "
             "scan).",
         .action_ja =
             "当日中に、この端末の使用者と、資産管理や監視ソフトの設定変更がなかったかを確認してください。心当たりがなけ"
             "れば端末をネットワークから切り離し(電源は切らない)、常駐プログラムとウイルス対策ソフトの履歴を確認して、"
             "県のSOCに連絡してください。",
         .action_en =
             "By the end of the day ask who uses this host and whether inventory or monitoring software "
             "was changed. If not, take it off the network (leave it switched on), look at its resident "
             "programs and antivirus history, and call the prefecture's SOC."},
    [TEXT_LGWAN] =
        {.name = "lgwan",
         .severity = ALERT_HIGH,
         .technique = "T1046 T1210",
         .message_ja =
             "LGWAN接続系のファイアウォールで、{source.ip} が {window} のあいだに約 {services} 件の異なる接続先(機器と"
             "ポートの組)への通信を拒否されました。この送信元の普段は1日 {usual_day} 件程度です。LGWANを通じて感染を"
             "広げる相手を、間隔を空けて探す動き(低速スキャン)が疑われます。",
         .message_en =
             "The LGWAN firewall refused {source.ip} about {services} different services (machine and port) "
             "within {window}; on a usual day it is {usual_day}. Slowly it seems to search the LGWAN for "
             "machines to spread to (a slow scan).",
         .action_ja =
             "当日中に、{source.ip} が庁内の端末であれば使用者と設定変更の有無を確認し、心当たりがなければネットワーク"
             "から切り離してください(電源は切らない)。LGWAN側のアドレスであれば、県のSOCに連絡してどの団体のものかを"
             "確認してもらってください。",
         .action_en =
             "By the end of the day: if {source.ip} is a host of yours, ask who uses it and whether its "
             "settings were changed, and if nobody knows take it off the network (leave it switched on). If "
             "it is an address of the LGWAN, have the prefecture's SOC find out whose."},
};

/* -------------------------------------------------------------------- the state */

static size_t entries_for(const struct detect_size *size)
{
    return size->hosts / HOSTS_PER_ENTRY;
}

static size_t targets_for(const struct detect_size *size)
{
    return (size_t)TARGETS_PER_HOST * size->hosts;
}

static size_t targets_at(const struct detect_size *size)
{
    return sizeof(struct slow_state) + table_bytes(entries_for(size), sizeof(struct slow_entry));
}

static size_t slow_bytes(const struct detect_size *size)
{
    return targets_at(size) + contact_set_bytes(targets_for(size));
}

static void slow_init(void *state, const struct detect_size *size)
{
    struct slow_state *s = state;
    unsigned char *base = state;
    table_init(&s->entries, base + sizeof(*s), entries_for(size), sizeof(struct slow_entry));
    contact_set_init(&s->targets, base + targets_at(size), targets_for(size));
}

static void slow_gaps(const void *state, struct gaps *out)
{
    const struct slow_state *s = state;
    table_gap(&s->entries, out);
    contact_set_gaps(&s->targets, out);
}

static uint64_t slow_evictions(const void *state)
{
    const struct slow_state *s = state;
    return s->entries.evictions + s->targets.evictions;
}

/* ------------------------------------------------------------------- the classes */

static struct slow_class *class_of(struct slow_state *s, const struct flow *f, enum slow_sort sort)
{
    return &s->classes[sort * CLASSES + f->source_zone % CLASSES];
}

static enum slow_sort sort_of(enum scan_kind kind)
{
    return kind == SCAN_LGWAN ? SLOW_LGWAN : kind == SCAN_EVERYDAY ? SLOW_EVERYDAY : SLOW_SOUGHT;
}

/* Bin b holds counts from lower_edge(b) up to the next bin's. */
static unsigned bin_of(double count)
{
    uint32_t n = (uint32_t)count + 4;
    unsigned power = 31U - (unsigned)__builtin_clz(n);
    unsigned bin = (power - 2) * 4 + (n >> (power - 2) & 3);
    return bin < BINS ? bin : BINS - 1;
}

static double upper_edge(unsigned bin)
{
    return (double)((5U + bin % 4) << bin / 4) - 4;
}

static void class_add(struct slow_class *c, double count)
{
    c->bins[bin_of(count)]++;
    if (++c->total < CLASS_MAX)
        return;
    c->total = 0;
    for (unsigned b = 0; b < BINS; b++) {
        c->bins[b] /= 2;
        c->total += c->bins[b];
    }
}

/* The 95th percentile of its sources' days; 0 while too few are known. */
static double class_usual(const struct slow_class *c)
{
    if (c->total < CLASS_LEAST)
        return 0;
    uint32_t above = 0;
    for (unsigned b = BINS; b-- > 0;) {
        above += c->bins[b];
        if (above * 20 > c->total)
            return upper_edge(b);
    }
    return 0;
}

/* ------------------------------------------------------------------- the windows */

static double at_least(double a, double b)
{
    return a > b ? a : b;
}

static uint16_t rounded(double count)
{
    return (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX);
}

static double count_of(const struct hyperloglog halves[HALVES])
{
    struct hyperloglog both = halves[0];
    hyperloglog_merge(&both, &halves[1]);
    return hyperloglog_count(&both);
}

static void slide(struct hyperloglog halves[HALVES], bool by_one)
{
    halves[1] = by_one ? halves[0] : (struct hyperloglog){0};
    halves[0] = (struct hyperloglog){0};
}

/* A day's half is over: what was usual in it, and a clean sheet. */
static void close_day(struct slow_entry *e, struct slow_class *c, bool by_one)
{
    double count = count_of(e->refused[WINDOW_DAY]);
    double fading = e->usual * 0.9;
    if (e->alarmed == 0) {
        class_add(c, count);
        e->usual = rounded(at_least(count, fading));
    }
    e->alarmed = e->alarmed == 1 && by_one ? 2 : 0;
    e->port.votes /= 2;
    e->host.votes /= 2;
    e->network.votes /= 2;
    e->samples /= 2;
    slide(e->answered, by_one);
}

static void advance(struct slow_entry *e, struct slow_class *c, int64_t time_ns)
{
    int64_t now_s = time_ns / CLOCK_NS_PER_SECOND;
    for (unsigned w = 0; w < WINDOWS; w++) {
        uint32_t half = (uint32_t)(now_s / RULES[w].half_s);
        uint32_t at = e->half[w];
        bool clock_came_back = half + HALVES < at;
        if (half <= at && !clock_came_back)
            continue;
        if (w == WINDOW_DAY && at != 0)
            close_day(e, c, half == at + 1);
        slide(e->refused[w], half == at + 1);
        e->told[w][1] = half == at + 1 ? e->told[w][0] : 0;
        e->told[w][0] = 0;
        e->half[w] = half;
    }
}

static void vote(struct slow_vote *v, uint16_t value)
{
    if (v->votes == 0)
        v->value = value;
    if (v->value != value)
        v->votes--;
    else if (v->votes < VOTES_MAX)
        v->votes++;
}

/* Whether at least about five in eight agree. */
static bool stands_out(const struct slow_entry *e, const struct slow_vote *v)
{
    return v->votes * 4U >= e->samples;
}

static uint64_t service_of(const struct flow *f)
{
    bool ephemeral = f->destination_port >= SCAN_PORT_EPHEMERAL;
    return detect_key(f->destination_key, ephemeral ? SCAN_PORT_EPHEMERAL : f->destination_port);
}

/* A /24 outside, a /16 inside, a /48: 16 bits of it. */
static uint16_t network_of(const struct flow *f)
{
    const uint8_t *b = f->destination.bytes;
    if (!ip_is_v4(&f->destination))
        return (uint16_t)((b[0] ^ b[2] ^ b[4]) << 8 | (b[1] ^ b[3] ^ b[5]));
    uint32_t v4 = ip_v4(&f->destination);
    return (uint16_t)(f->direction == FLOW_INSIDE ? v4 >> 16 : v4 >> 8 ^ v4 >> 24 << 8);
}

/* Whether any window learnt something. */
static bool add_refused(struct slow_entry *e, const struct flow *f)
{
    uint64_t service = service_of(f);
    bool changed = false;
    for (unsigned w = 0; w < WINDOWS; w++)
        changed |= hyperloglog_add(&e->refused[w][0], service);
    if (!changed)
        return false;
    vote(&e->port, f->destination_port);
    vote(&e->host, (uint16_t)(f->destination_key >> 32));
    vote(&e->network, network_of(f));
    if (e->samples < VOTES_MAX)
        e->samples++;
    return true;
}

/* --------------------------------------------------------------------- judgement */

static void judge(struct slow_count *c, const struct slow_entry *e)
{
    const struct slow_window *rule = &RULES[c->window];
    c->refused = count_of(e->refused[c->window]);
    double floor = c->sort == SLOW_EVERYDAY ? rule->floor_everyday : rule->floor;
    c->need = c->scattered ? floor * SCATTERED_TIMES : floor;
    c->need = at_least(c->need, rule->class_times * c->class_usual);
    c->need = at_least(c->need, rule->own_times * (double)e->usual);
    for (unsigned half = 0; half < HALVES; half++) {
        if (e->told[c->window][half] != 0)
            c->need = at_least(c->need, TOLD_TIMES * e->told[c->window][half] + floor);
    }
}

/* From here on a window asks for more than that. */
static void tell(struct slow_entry *e)
{
    for (unsigned w = 0; w < WINDOWS; w++)
        e->told[w][0] = rounded(count_of(e->refused[w]));
}

/* Nearly all refused, and all of it within the hour or as much as D3's walk cannot miss. */
static bool is_of_walks(const struct slow_entry *e, const struct slow_count *c)
{
    double hour = count_of(e->refused[WINDOW_HOUR]);
    return c->share >= SHARE_OF_WALKS &&
           (hour >= SHARE_OF_BURST * c->refused_day || hour >= HOUR_OF_WALKS);
}

static void fire(struct detect_run *run, const struct flow *f, const struct slow_entry *e,
                 const struct slow_count *c)
{
    const struct slow_window *rule = &RULES[c->window];
    struct finding out;
    finding_begin(&out, c->sort == SLOW_LGWAN ? TEXT_LGWAN : TEXT_SERVICES, f, EPISODE_NS);
    finding_key_ip(&out, "source.ip", &f->source);
    finding_text(&out, "window", slice_from(rule->name));
    finding_int(&out, "services", rounded(c->refused));
    finding_real(&out, "bound", c->need);
    finding_int(&out, "floor", c->sort == SLOW_EVERYDAY ? rule->floor_everyday : rule->floor);
    finding_int(&out, "usual_day", e->usual);
    finding_real(&out, "class_day_p95", c->class_usual);
    finding_real(&out, "refused_day", c->refused_day);
    finding_real(&out, "answered_day", c->answered_day);
    finding_real(&out, "share", c->share);
    finding_real(&out, "share_least", c->share_least);
    if (stands_out(e, &e->port) && e->port.value != 0)
        finding_int(&out, "port", e->port.value);
    if ((f->flags & FLOW_HAS_DESTINATION) != 0)
        finding_ip(&out, "last_destination", &f->destination);
    if (c->sort == SLOW_EVERYDAY)
        out.severity_step = -1;
    detect_fire(run, &out);
}

static bool is_scattered(const struct slow_entry *e)
{
    bool sought = stands_out(e, &e->port) && scan_port_is_sought(e->port.value);
    return !sought && !stands_out(e, &e->host) && !stands_out(e, &e->network);
}

static void look(struct detect_run *run, struct slow_state *s, struct slow_entry *e,
                 const struct flow *f, enum slow_sort sort)
{
    bool everyday = sort == SLOW_EVERYDAY;
    struct slow_count c = {.sort = sort,
                           .scattered = is_scattered(e) && !everyday,
                           .refused_day = count_of(e->refused[WINDOW_DAY]),
                           .answered_day = count_of(e->answered),
                           .class_usual = class_usual(class_of(s, f, sort))};
    c.share = c.refused_day / (c.refused_day + c.answered_day);
    c.share_least = c.scattered || everyday ? SHARE_SCATTERED : SHARE_SCAN;
    if (is_of_walks(e, &c)) {
        if (c.refused_day < (sort == SLOW_LGWAN ? WALK_LEAST_LGWAN : WALK_LEAST))
            return;
        e->alarmed = 1;
        tell(e);
        return;
    }
    for (unsigned w = 0; w < WINDOWS && c.share >= c.share_least; w++) {
        c.window = (enum window)w;
        judge(&c, e);
        bool of_walks = w == WINDOW_HOUR && c.share >= SHARE_OF_WALKS;
        if (of_walks || c.refused < c.need)
            continue;
        e->alarmed = 1;
        fire(run, f, e, &c);
        tell(e);
        return;
    }
}

static void refuse(struct detect_run *run, struct slow_state *s, const struct flow *f,
                   enum scan_kind kind)
{
    if (scan_target_weight(f, kind, scan_target_refused(&s->targets, f)) == 0)
        return;
    enum slow_sort sort = sort_of(kind);
    uint64_t key = detect_key(f->source_key, (uint64_t)KEY_SOURCE + sort);
    struct slow_entry *e = table_find(&s->entries, key);
    if (e == NULL) {
        unsigned age = 0;
        bool fresh = false;
        (void)contact_take(&s->targets, key, f->time_ns, &age);
        if (age == CONTACT_NEVER)
            return; /* a place is for those who come again */
        e = table_take(&s->entries, key, &fresh, NULL);
    }
    advance(e, class_of(s, f, sort), f->time_ns);
    if (add_refused(e, f))
        look(run, s, e, f, sort);
}

static void answer(struct slow_state *s, const struct flow *f, enum scan_kind kind)
{
    scan_target_answered(&s->targets, f);
    enum slow_sort sort = sort_of(kind);
    struct slow_entry *e =
        table_find(&s->entries, detect_key(f->source_key, (uint64_t)KEY_SOURCE + sort));
    if (e == NULL)
        return;
    advance(e, class_of(s, f, sort), f->time_ns);
    (void)hyperloglog_add(&e->answered[0], service_of(f));
}

static void slow_ahead(const void *state, const struct flow *f, bool near)
{
    const struct slow_state *s = state;
    if (!near && f->direction != FLOW_IN && !scan_flow_is_noise(f))
        scan_target_ahead(&s->targets, f);
}

static void slow_flow(struct detect_run *run, void *state, const struct flow *f)
{
    struct slow_state *s = state;
    if (f->destination_key == 0)
        return;
    enum scan_outcome outcome = scan_flow_outcome(f, &s->tells);
    enum scan_kind kind = scan_flow_kind(f);
    if (outcome == SCAN_SILENT || kind == SCAN_INBOUND || scan_flow_is_noise(f))
        return;
    if (outcome == SCAN_REFUSED)
        refuse(run, s, f, kind);
    else
        answer(s, f, kind);
}

/* Sources that were refused by a few services some days ago make room. */
static void slow_tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct slow_state *s = state;
    uint32_t half = (uint32_t)(tick_ns / CLOCK_NS_PER_SECOND / RULES[WINDOW_DAY].half_s);
    size_t at = 0;
    struct slow_entry *e = NULL;
    (void)run;
    if (half == s->swept_half)
        return;
    s->swept_half = half;
    contact_set_sweep(&s->targets, tick_ns);
    while ((e = table_next(&s->entries, &at)) != NULL) {
        if (half > e->half[WINDOW_DAY] + HALVES && count_of(e->refused[WINDOW_WEEK]) < IDLE_MOST)
            table_remove(&s->entries, e->key);
    }
}

const struct detector detector_slow_scan = {.id = "D4",
                                            .version = 1,
                                            .text_count = TEXT_COUNT,
                                            .texts = TEXTS,
                                            .needs = FLOW_HAS_SOURCE,
                                            .avoids = FLOW_SHARED_SOURCE | FLOW_EXCLUDED |
                                                      FLOW_UNPARSED | FLOW_LOGIN_FAILED |
                                                      FLOW_LOGIN_DONE,
                                            .bytes = slow_bytes,
                                            .init = slow_init,
                                            .gaps = slow_gaps,
                                            .flow = slow_flow,
                                            .ahead = slow_ahead,
                                            .tick = slow_tick,
                                            .evictions = slow_evictions};
