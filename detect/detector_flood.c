/*
 * D11: a server of the municipality that is asked far more often than it ever is.
 *
 *   sessions a second  -> weight -> CUSUM over what a busy hour brings -> fires past a bound
 *
 * A session that fails or is refused weighs 1, one that is answered ANSWERED_WEIGHT: floods fill
 * tables with what nobody answers, crowds are answered. The busy level of a server follows its
 * minutes up within an hour and down over days, so nights do not make mornings look like floods.
 *
 *   score += weight;  score -= max(busy * CROWD, LEAST) a second;  bound = max(BOUND, busy * 120 s)
 *
 * (Page's test with a reference of about ten busy hours at once: peaks of 2 to 5 times never move
 * it, 20 times the daily mean for seconds does not reach the bound.) A server that is new has a
 * bound ten times as high. The bound is fixed and no probability: what passes it was never normal.
 *
 * Published addresses often are in no network of the configuration, so destinations of flows that
 * seem to pass are looked at, too, in a table of their own: a log of translated addresses fills it
 * with all the Internet, and what is forgotten there is none of ours. It exports no evictions.
 *
 * While a score is high, WATCHES servers have their sources counted by hash: the entropy tells one
 * source from many.
 */
#include <assert.h>

#include "base/clock.h"
#include "detect/detector.h"
#include "detect/real.h"

enum text {
    TEXT_MANY,
    TEXT_ONE,
    TEXT_COUNT,
};

enum flood_limits {
    WATCHES = 8,          /* servers at a time */
    WATCH_BINS = 64,      /* of a source's hash */
    QUIET_SECONDS = 300,  /* without score: it is over */
    AMEND_SECONDS = 1200, /* while it goes on */
    FIRED = 1,            /* flags of a watch */
    FEW_SOURCES = 2,      /* it was said to come from one or few */
    DESTINATIONS_OF_HOSTS = 2,
};

#define ANSWERED_WEIGHT 0.25f
#define CROWD           10.0f       /* busy hours at once that are no flood */
#define LEAST           2.0f        /* a second: a server that is hardly asked */
#define BOUND           500.0f      /* of weighted sessions above the reference */
#define BOUND_SECONDS   120.0f      /* of the busy level */
#define BOUND_NEW       10.0f       /* times, while the busy level is not known */
#define BOUND_INSIDE    3.0f        /* times, between own networks: mornings and patch days */
#define WATCH_FROM      0.05f       /* of the bound */
#define LEARN_TO        0.05f       /* minutes with a higher score are not learned */
#define BUSY_UP         (1.0f / 30) /* of the way, a minute */
#define BUSY_DOWN       (1.0f / 4320)
#define MINUTE_SECONDS  60
#define NEW_SECONDS     (3 * 86400)
#define ONE_ENTROPY     0.25  /* of the greatest: one or few sources */
#define ACCEPT_SECONDS  86400 /* what lasts a day is the new level */
#define EPISODE_NS      (60 * CLOCK_NS_PER_MINUTE)

struct flood_server {
    uint64_t key;
    uint32_t second; /* of the last session */
    uint32_t minute; /* at hand */
    uint32_t since;  /* second of the first session */
    float weight;    /* in the minute */
    float busy;      /* weight a second */
    float score;
};
static_assert(sizeof(struct flood_server) == 32, "entries of a table are multiples of 8 bytes");

struct flood_watch {
    uint64_t key; /* 0 = free */
    struct ip address;
    struct ip source;  /* the last one */
    uint32_t begun;    /* second */
    uint32_t high;     /* second with a session that counted */
    uint32_t sessions; /* since then */
    uint32_t failed;   /* of them */
    float busy;
    float bound;
    uint32_t flags;
    uint32_t said; /* second of the last finding */
    uint32_t bins[WATCH_BINS];
};
static_assert(sizeof(struct flood_watch) % 8 == 0, "no padding between watches");

struct flood_state {
    struct flood_watch watches[WATCHES];
    uint64_t watched; /* how many are not free */
    struct table servers;
    struct table passing; /* servers that may be the municipality's */
};

#define ACTION_JA                                                                                                                                                              \
    "直ちに{destination.ip}のサービス(ホームページなど)が使えるか確認してください。使えない、または遅い場合は、回線事業者と" \
    "県のSOCに連絡し、送信元の遮断や配信サービスへの切替えを依頼してください。"
#define ACTION_EN                                                                                 \
    "At once, check whether the service at {destination.ip} (the web site, say) works. If it is " \
    "slow or gone, call your provider and the SOC to have sources blocked."

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_MANY] =
        {.name = "flood",
         .severity = ALERT_HIGH,
         .technique = "T1498",
         .message_ja =
             "サーバ{destination.ip}に{seconds}秒間で{sessions}件の接続が集中しました(うち失敗・拒否{failed}件、"
             "多数の送信元)。混雑時の通常は1秒あたり約{usual}件です。サービスを止める攻撃(DDoS攻撃)か、"
             "急なアクセス集中です。",
         .message_en =
             "{sessions} connections reached the server {destination.ip} within {seconds} s "
             "({failed} failed or were refused), from many sources; in busy hours about {usual} "
             "a second are usual. A denial of service attack, or a sudden crowd.",
         .action_ja = ACTION_JA,
         .action_en = ACTION_EN},
    [TEXT_ONE] =
        {.name = "flood_few_sources",
         .severity = ALERT_HIGH,
         .technique = "T1499",
         .message_ja =
             "サーバ{destination.ip}に{seconds}秒間で{sessions}件の接続が集中しました(うち失敗・拒否{failed}件)。"
             "送信元は{last.source}などごく少数です。混雑時の通常は1秒あたり約{usual}件です。サービスを止める攻撃か、"
             "誤動作したプログラムです。",
         .message_en =
             "{sessions} connections reached the server {destination.ip} within {seconds} s "
             "({failed} failed or were refused), from {last.source} and few others; in busy hours "
             "about {usual} a second are usual. A denial of service attack, or a program gone "
             "wild.",
         .action_ja = "直ちにファイアウォールで{last.source}を遮断してください。" ACTION_JA,
         .action_en = "Block {last.source} at the firewall. " ACTION_EN},
};

static size_t table_size(const struct detect_size *size)
{
    return table_bytes(size->hosts / DESTINATIONS_OF_HOSTS, sizeof(struct flood_server));
}

static size_t flood_bytes(const struct detect_size *size)
{
    return sizeof(struct flood_state) + 2 * table_size(size);
}

static void flood_init(void *state, const struct detect_size *size)
{
    struct flood_state *s = state;
    unsigned char *at = (void *)(s + 1);
    size_t entries = size->hosts / DESTINATIONS_OF_HOSTS;
    table_init(&s->servers, at, entries, sizeof(struct flood_server));
    table_init(&s->passing, at + table_size(size), entries, sizeof(struct flood_server));
}

/* ------------------------------------------------------------------------- the test */

static void flood_gaps(const void *state, struct gaps *out)
{
    const struct flood_state *s = state;
    table_gap(&s->servers, out);
    table_gap(&s->passing, out);
}

static float reference_of(float busy)
{
    return busy * CROWD > LEAST ? busy * CROWD : LEAST;
}

static float bound_of(const struct flood_server *v, const struct flow *flow)
{
    float bound = v->busy * BOUND_SECONDS;
    if (bound < BOUND)
        bound = BOUND;
    if (v->second - v->since < NEW_SECONDS)
        bound *= BOUND_NEW;
    return flow->direction == FLOW_INSIDE ? bound * BOUND_INSIDE : bound;
}

/* The minute at hand is over, and `minutes` have passed since it began. */
static void learn_minute(struct flood_server *v, uint32_t minutes, bool normal)
{
    float rate = v->weight / MINUTE_SECONDS;
    if (normal && rate > v->busy)
        v->busy += (rate - v->busy) * BUSY_UP;
    float down = (float)minutes * BUSY_DOWN;
    if (rate < v->busy)
        v->busy -= (v->busy - (minutes == 1 ? rate : 0)) * (down < 1 ? down : 1);
}

static void pass_time(struct flood_server *v, uint32_t second, float bound)
{
    uint32_t minute = second / MINUTE_SECONDS;
    if (minute > v->minute) {
        learn_minute(v, minute - v->minute, v->score < bound * LEARN_TO);
        v->minute = minute;
        v->weight = 0;
    }
    if (second > v->second) {
        float score = v->score - (float)(second - v->second) * reference_of(v->busy);
        v->score = score > 0 ? score : 0;
        v->second = second;
    }
}

/* ------------------------------------------------------------------------- watches */

static struct flood_watch *watch_of(struct flood_state *s, uint64_t key)
{
    for (unsigned i = 0; s->watched != 0 && i < WATCHES; i++) {
        if (s->watches[i].key == key)
            return &s->watches[i];
    }
    return NULL;
}

/* A free place, or that of the watch that began first and did not fire; NULL when all fired. */
static struct flood_watch *watch_place(struct flood_state *s)
{
    struct flood_watch *oldest = NULL;
    for (unsigned i = 0; i < WATCHES; i++) {
        struct flood_watch *w = &s->watches[i];
        if (w->key == 0)
            return w;
        if ((w->flags & FIRED) == 0 && (oldest == NULL || w->begun < oldest->begun))
            oldest = w;
    }
    return oldest;
}

static void watch_end(struct flood_state *s, struct flood_watch *w)
{
    *w = (struct flood_watch){0};
    s->watched--;
}

static struct flood_watch *watch_begin(struct flood_state *s, const struct flood_server *v,
                                       const struct flow *flow, float bound)
{
    struct flood_watch *w = watch_place(s);
    if (w == NULL)
        return NULL;
    s->watched += w->key == 0;
    *w = (struct flood_watch){.key = v->key,
                              .address = flow->destination,
                              .begun = v->second,
                              .high = v->second,
                              .busy = v->busy,
                              .bound = bound};
    return w;
}

/* Entropy of the sources over the greatest that so many bins and sessions allow: 0 to 1. */
static double entropy_of(const struct flood_watch *w)
{
    double sum = 0;
    for (unsigned i = 0; i < WATCH_BINS; i++) {
        if (w->bins[i] == 0)
            continue;
        double share = (double)w->bins[i] / w->sessions;
        sum -= share * real_log(share);
    }
    double entropy = sum / real_log(WATCH_BINS);
    return entropy > 0 ? entropy : 0;
}

/* ------------------------------------------------------------------------- findings */

static void say(struct detect_run *run, struct flood_watch *w, const struct flow *flow, float score)
{
    bool over = flow == NULL && !(score > 0);
    struct finding f;
    finding_begin(&f, (w->flags & FEW_SOURCES) != 0 ? TEXT_ONE : TEXT_MANY, flow, EPISODE_NS);
    finding_key_ip(&f, "destination.ip", &w->address);
    finding_int(&f, "sessions", w->sessions);
    finding_int(&f, "failed", w->failed);
    finding_int(&f, "seconds", (int64_t)w->high - w->begun + 1);
    finding_int(&f, "usual", (int64_t)(1.0 + (double)w->busy));
    finding_real(&f, "busy", (double)w->busy);
    finding_real(&f, "reference", (double)reference_of(w->busy));
    finding_real(&f, "score", (double)score);
    finding_real(&f, "bound", (double)w->bound);
    finding_real(&f, "entropy", entropy_of(w));
    finding_ip(&f, "last.source", &w->source);
    f.ended = over;
    w->said = w->high;
    detect_fire(run, &f);
}

static void count_watched(struct flood_watch *w, const struct flow *flow, uint32_t second,
                          bool failed)
{
    w->source = flow->source;
    w->high = second > w->high ? second : w->high;
    w->sessions++;
    w->failed += failed;
    w->bins[(flow->source_key >> 8) % WATCH_BINS]++;
}

static void flood_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    struct flood_state *s = state;
    if (flow->direction == FLOW_OUT || flow->direction == FLOW_NOWHERE || flow->time_ns < 0)
        return;
    uint32_t second = (uint32_t)(flow->time_ns / CLOCK_NS_PER_SECOND);
    bool fresh = false;
    struct table *servers = flow->direction == FLOW_PASSING ? &s->passing : &s->servers;
    struct flood_server *v = table_take(servers, flow->destination_key, &fresh, NULL);
    if (fresh) {
        v->since = second;
        v->second = second;
        v->minute = second / MINUTE_SECONDS;
    }
    float bound = bound_of(v, flow);
    pass_time(v, second, bound);
    bool failed = (flow->flags & (FLOW_FAILED | FLOW_REFUSED)) != 0;
    float weight = failed ? 1.0f : ANSWERED_WEIGHT;
    v->weight += weight;
    v->score += weight;
    if (v->score < bound * WATCH_FROM)
        return;
    struct flood_watch *w = watch_of(s, v->key);
    if (w == NULL)
        w = watch_begin(s, v, flow, bound);
    if (w == NULL)
        return;
    count_watched(w, flow, v->second, failed);
    /* What is over the bound stays there: a long flood does not take as long to be over. */
    if (v->score < bound)
        return;
    v->score = bound;
    if ((w->flags & FIRED) != 0)
        return;
    w->flags |= entropy_of(w) < ONE_ENTROPY ? FIRED | FEW_SOURCES : FIRED;
    say(run, w, flow, v->score);
}

static void tick_watch(struct detect_run *run, struct flood_state *s, struct flood_watch *w,
                       uint32_t now)
{
    struct flood_server *v = table_find(&s->servers, w->key);
    if (v == NULL)
        v = table_find(&s->passing, w->key);
    float score = v == NULL ? 0 : v->score;
    uint32_t last = v == NULL ? w->high : v->second;
    if (now > last)
        score -= (float)(now - last) * reference_of(w->busy);
    bool fired = (w->flags & FIRED) != 0;
    bool accepted = fired && now > w->begun && now - w->begun > ACCEPT_SECONDS;
    if (accepted && v != NULL) {
        v->busy = (float)w->sessions / (float)(now - w->begun);
        v->score = 0;
    }
    if (!accepted && (score > 0 || (fired && now < w->high + QUIET_SECONDS))) {
        if (fired && score > 0 && w->high >= w->said + AMEND_SECONDS)
            say(run, w, NULL, score);
        return;
    }
    if (fired)
        say(run, w, NULL, 0);
    watch_end(s, w);
}

static void flood_tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct flood_state *s = state;
    for (unsigned i = 0; s->watched != 0 && i < WATCHES; i++) {
        if (s->watches[i].key != 0)
            tick_watch(run, s, &s->watches[i], (uint32_t)(tick_ns / CLOCK_NS_PER_SECOND));
    }
}

static uint64_t flood_evictions(const void *state)
{
    const struct flood_state *s = state;
    return s->servers.evictions;
}

const struct detector detector_flood = {
    .id = "D11",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .needs = FLOW_HAS_SOURCE | FLOW_HAS_DESTINATION,
    .avoids = FLOW_EXCLUDED | FLOW_LGWAN,
    .bytes = flood_bytes,
    .init = flood_init,
    .gaps = flood_gaps,
    .flow = flood_flow,
    .tick = flood_tick,
    .evictions = flood_evictions,
};
