/*
 * D5, first part: a PC of the municipality that is refused, or gets no answer, unusually often.
 *
 *   host x 5 minutes -> refused flows -> how unusual for this host, hour and municipality (habit.h)
 *                    -> failed flows     fires when a normal day holds such a window hardly ever
 *
 * A window fires as soon as its count is unusual enough, and once. What makes a count worth a
 * person's time is a floor besides: BURST_LEAST. Before the habit has an opinion only a rush counts:
 * RUSH_LEAST within a minute, which no retrying printer or poll reaches.
 *
 * A host's level is its own mean over the mean of everybody; a host that is refused all day, every
 * day, is absorbed by it, and what is refused now and then is not.
 */
#include <assert.h>

#include "detect/detector.h"
#include "detect/habit.h"
#include "detect/real.h"

enum text {
    TEXT_DENIED,
    TEXT_FAILED,
    TEXT_COUNT,
};

enum burst_limits {
    WINDOW_MINUTES = 5,
    BURST_LEAST = 60,     /* in a window */
    BURST_STEP = 15,      /* the tail is computed again every so many */
    RUSH_LEAST = 120,     /* in a minute, while nothing is known */
    RUSH_COUNT_BITS = 12, /* of host->rush; then the minute of the window, then FIRED */
    RUSH_COUNT_MAX = (1 << RUSH_COUNT_BITS) - 1,
    RUSH_MINUTE_MASK = 7,
    FIRED = 1 << 15,
};

#define TAIL_MOST    0.05 /* fires at most once in so many normal days: 20 */
#define TAIL_CERTAIN 1e-6 /* from here on it need not compete for the day's budget */
#define RUSH_TAIL    1e-3 /* its place among the day's scored alerts */
#define MINUTE_NS    CLOCK_NS_PER_MINUTE
#define WINDOW_NS    (WINDOW_MINUTES * MINUTE_NS)
#define EPISODE_NS   (60 * MINUTE_NS)
#define LEVEL_WEIGHT 2.0   /* of everybody's mean in a host's level */
#define LEVEL_KEPT   0.98f /* per window: about the last fifty count */

struct burst_host {
    uint64_t key;
    uint32_t window; /* five minutes since 1970 */
    uint16_t count;
    uint16_t rush;  /* counted in the minute at hand, which minute, FIRED */
    float seen;     /* r of its windows, as learned */
    float expected; /* and what everybody's mean was in them */
};
static_assert(sizeof(struct burst_host) == 24, "24 bytes a host and statistic");

struct burst_state {
    struct habit habits[TEXT_COUNT];
    struct table hosts[TEXT_COUNT];
};

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_DENIED] =
        {.name = "denied",
         .severity = ALERT_MEDIUM,
         .technique = "T1071",
         .message_ja =
             "端末{source.ip}の通信が、5分以内に{connections}件拒否されました。この端末のこの時間帯の通常は多くて"
             "{usual}件ほどです。不正プログラムが外部に接続しようとしているか、ソフトの設定の誤りが考えられます。",
         .message_en =
             "{connections} connections of {source.ip} were refused within five minutes; for this PC "
             "and hour about {usual} are usual. Malware that tries to get out, or a program "
             "with wrong settings.",
         .action_ja =
             "今日中に端末{source.ip}の利用者に、直前に導入・更新したソフトや開いたファイルを確認してください。"
             "宛先{last.destination}(ポート{last.port})に心当たりがなければ、端末をネットワークから切り離し、"
             "県のSOCに連絡してください。",
         .action_en =
             "Today, ask the user of {source.ip} what was installed, updated or opened just before. "
             "If nobody knows {last.destination} (port {last.port}), unplug the PC and call the "
             "SOC."},
    [TEXT_FAILED] =
        {.name = "failed",
         .severity = ALERT_MEDIUM,
         .technique = "T1046",
         .message_ja =
             "端末{source.ip}からの接続が、5分以内に{connections}件応答なしで失敗しました。この端末のこの時間帯の通常は"
             "多くて{usual}件ほどです。内部で広がる不正プログラムか、停止したサーバへの再接続の繰り返しが考えられます。",
         .message_en =
             "{connections} connections of {source.ip} got no answer within five minutes; for this PC "
             "and hour about {usual} are usual. Malware looking for others, or a program that "
             "keeps trying a server that is gone.",
         .action_ja =
             "今日中に宛先{last.destination}(ポート{last.port})のサーバが停止していないか確認してください。"
             "停止していなければ、端末{source.ip}をウイルス対策ソフトで検査し、県のSOCに連絡してください。",
         .action_en =
             "Today, check whether the server {last.destination} (port {last.port}) is down. If it "
             "is not, scan {source.ip} for malware and call the SOC."},
};

static size_t burst_bytes(const struct detect_size *size)
{
    return sizeof(struct burst_state) +
           TEXT_COUNT * table_bytes(size->hosts, sizeof(struct burst_host));
}

static void burst_init(void *state, const struct detect_size *size)
{
    struct burst_state *s = state;
    unsigned char *at = (void *)(s + 1);
    for (int i = 0; i < TEXT_COUNT; i++) {
        table_init(&s->hosts[i], at, size->hosts, sizeof(struct burst_host));
        at += table_bytes(size->hosts, sizeof(struct burst_host));
    }
}

static void burst_gaps(const void *state, struct gaps *out)
{
    const struct burst_state *s = state;
    for (int i = 0; i < TEXT_COUNT; i++)
        table_gap(&s->hosts[i], out);
}

static double level_of(const struct burst_host *h)
{
    return ((double)h->seen + LEVEL_WEIGHT) / ((double)h->expected + LEVEL_WEIGHT);
}

static int64_t window_time_ns(const struct burst_host *h)
{
    return (int64_t)h->window * WINDOW_NS;
}

/* The host's window is over: learn it. */
static void close_window(struct habit *habit, struct burst_host *h)
{
    double everybody = habit_mean(habit, window_time_ns(h), 1.0);
    double r = habit_close(habit, &(struct habit_window){.time_ns = window_time_ns(h),
                                                         .count = h->count,
                                                         .level = level_of(h),
                                                         .alarmed = (h->rush & FIRED) != 0});
    h->seen = h->seen * LEVEL_KEPT + (float)r;
    h->expected = h->expected * LEVEL_KEPT + (float)everybody;
}

/* Count in the minute at hand; a minute that comes late counts in it, too. Returns its count. */
static unsigned count_rush(struct burst_host *h, int64_t minute)
{
    unsigned now = (unsigned)(minute % WINDOW_MINUTES);
    unsigned at = (unsigned)h->rush >> RUSH_COUNT_BITS & RUSH_MINUTE_MASK;
    unsigned count = now > at ? 0 : h->rush & RUSH_COUNT_MAX;
    at = now > at ? now : at;
    count += count < RUSH_COUNT_MAX;
    h->rush = (uint16_t)((h->rush & FIRED) | at << RUSH_COUNT_BITS | count);
    return count;
}

struct verdict_of {
    double mean;
    double size;
    double tail;
};

/* Whether the window has become unusual with this count. */
static bool is_unusual(struct habit *habit, const struct burst_host *h, unsigned rush,
                       struct verdict_of *v)
{
    bool known = habit_knows(habit);
    bool due = known ? h->count >= BURST_LEAST && (h->count - BURST_LEAST) % BURST_STEP == 0
                     : rush >= RUSH_LEAST;
    if ((h->rush & FIRED) != 0 || !due)
        return false;
    v->mean = habit_mean(habit, window_time_ns(h), level_of(h));
    v->size = habit_size(habit, h->count, v->mean);
    v->tail = known ? habit_tail(habit, v->size) : RUSH_TAIL;
    return v->tail <= TAIL_MOST;
}

static void fire(struct detect_run *run, const struct habit *habit, const struct burst_host *h,
                 const struct verdict_of *v, const struct flow *flow, enum text text)
{
    struct finding f;
    finding_begin(&f, (uint8_t)text, flow, EPISODE_NS);
    if (v->tail > TAIL_CERTAIN)
        finding_score(&f, v->tail);
    finding_key_ip(&f, "source.ip", &flow->source);
    finding_int(&f, "connections", h->count);
    finding_int(&f, "usual", (int64_t)(1.5 + v->mean));
    finding_int(&f, "window_seconds", WINDOW_NS / CLOCK_NS_PER_SECOND);
    finding_real(&f, "mean", v->mean);
    finding_real(&f, "dispersion", habit_dispersion(habit));
    finding_real(&f, "size", v->size);
    finding_real(&f, "tail", v->tail);
    finding_text(&f, "basis", habit_knows(habit) ? SLICE("baseline") : SLICE("fixed bound"));
    if ((flow->flags & FLOW_HAS_DESTINATION) != 0)
        finding_ip(&f, "last.destination", &flow->destination);
    else
        finding_text(&f, "last.destination", detect_text(run, flow->domain));
    finding_int(&f, "last.port", flow->destination_port);
    detect_fire(run, &f);
}

static void burst_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    struct burst_state *s = state;
    bool refused = (flow->flags & FLOW_REFUSED) != 0;
    bool login = (flow->flags & (FLOW_LOGIN_FAILED | FLOW_LOGIN_DONE)) != 0; /* another's matter */
    bool own = flow->direction == FLOW_OUT || flow->direction == FLOW_INSIDE;
    if (login || !own || (!refused && (flow->flags & FLOW_FAILED) == 0) || flow->time_ns < 0)
        return;
    enum text text = refused ? TEXT_DENIED : TEXT_FAILED;
    struct habit *habit = &s->habits[text];
    bool fresh = false;
    struct burst_host *h = table_take(&s->hosts[text], flow->source_key, &fresh, NULL);
    int64_t minute = flow->time_ns / MINUTE_NS;
    uint32_t window = (uint32_t)(minute / WINDOW_MINUTES);
    if (!fresh && window > h->window) {
        close_window(habit, h);
        h->count = 0;
        h->rush = 0;
    }
    if (fresh || window > h->window)
        h->window = window;
    h->count = (uint16_t)(h->count + (h->count < UINT16_MAX));
    unsigned rush = count_rush(h, minute);
    struct verdict_of v;
    if (!is_unusual(habit, h, rush, &v))
        return;
    h->rush |= FIRED;
    fire(run, habit, h, &v, flow, text);
}

static uint64_t burst_evictions(const void *state)
{
    const struct burst_state *s = state;
    return s->hosts[TEXT_DENIED].evictions + s->hosts[TEXT_FAILED].evictions;
}

static const struct ladder *burst_ladder(const void *state, unsigned index)
{
    const struct burst_state *s = state;
    return index < TEXT_COUNT ? &s->habits[index].ladder : NULL;
}

const struct detector detector_burst = {
    .id = "D5",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .needs = FLOW_HAS_SOURCE,
    .avoids = FLOW_EXCLUDED | FLOW_SHARED_SOURCE | FLOW_LGWAN,
    .bytes = burst_bytes,
    .init = burst_init,
    .gaps = burst_gaps,
    .flow = burst_flow,
    .evictions = burst_evictions,
    .ladder = burst_ladder,
};
