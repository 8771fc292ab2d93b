/*
 * D5, second part: passwords that are tried out.
 *
 *   source x 10 minutes      -> failed, done, users   many of one or of many users: brute force,
 *                                                     spraying; a success right after: got in
 *   destination x 10 minutes -> failed, done, sources from many sources, or more than is usual here
 *
 * Sources are judged by fixed bounds, which need no history: people mistype, and programs keep an
 * old password, but neither goes on like this. Destinations are judged by a bound where many sources
 * take part, and else by what is usual in this municipality (habit.h), which finds what is spread
 * over so many sources that none is conspicuous. Successes count against failures: in the morning a
 * whole office logs in, and some mistype.
 */
#include <assert.h>

#include "base/hash.h"
#include "detect/detector.h"
#include "detect/habit.h"
#include "detect/real.h"

enum text {
    TEXT_SPREAD,
    TEXT_BRUTE,
    TEXT_SPRAY,
    TEXT_GUESSED,
    TEXT_COUNT,
};

enum login_limits {
    WINDOW_MINUTES = 10,
    BRUTE_LEAST = 30,         /* failures of an outside source in a window */
    BRUTE_INSIDE_LEAST = 100, /* of a PC of ours: programs that keep an old password */
    BRUTE_SHARED_LEAST = 300, /* of a proxy or NAT: many people */
    SPRAY_LEAST = 15,         /* failures, over so many users: */
    SPRAY_USERS_LEAST = 10,
    SPRAY_SHARED_LEAST = 120,
    SPRAY_SHARED_USERS_LEAST = 40,
    SPREAD_LEAST = 100, /* failures at a destination, from so many sources: */
    SPREAD_SOURCES_LEAST = 20,
    UNUSUAL_LEAST = 40, /* failures that the habit may call unusual */
    UNUSUAL_STEP = 5,   /* the tail is computed again every so many */
    DONE_TIMES = 2,     /* failures are more than so many times the successes */
    AMEND_STEP = 100,   /* failures after which an alert is amended */
    DESTINATIONS_OF_HOSTS = 8,
    COUNT_MAX = (1 << 14) - 1,
    FIRED = 1 << 15,      /* in `done` */
    FIRED_LAST = 1 << 14, /* in the window before */
    WHO_BITS = 64,
    WHO_MOST = 300, /* what a full set of bits stands for */
};

#define TAIL_MOST    0.05 /* fires at most once in so many normal days: 20 */
#define TAIL_CERTAIN 1e-6 /* from here on it need not compete for the day's budget */
#define MINUTE_NS    CLOCK_NS_PER_MINUTE
#define WINDOW_NS    (WINDOW_MINUTES * MINUTE_NS)
#define EPISODE_NS   (60 * MINUTE_NS)

struct login_key {
    uint64_t key;
    uint32_t window; /* ten minutes since 1970 */
    uint16_t failed;
    uint16_t done; /* COUNT_MAX, FIRED, FIRED_LAST */
    uint64_t who;  /* users, or sources, as a linear counter of 64 bits */
};
static_assert(sizeof(struct login_key) == 24, "24 bytes a source");

struct login_state {
    struct habit habit;
    struct table sources;
    struct table destinations;
};

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_SPREAD] =
        {.name = "spread_failures",
         .severity = ALERT_HIGH,
         .technique = "T1110.003",
         .message_ja =
             "{target}へのログインが10分以内に{failed}回失敗しました(約{sources}か所から、成功{done}回)。この時間帯の"
             "通常は多くて{usual}回ほどです。多数の送信元に分けてパスワードを試す攻撃が考えられます。",
         .message_en =
             "{failed} logins at {target} failed within ten minutes (from about {sources} sources, "
             "{done} succeeded); about {usual} are usual at this hour. Passwords may be tried from "
             "many places at once.",
         .action_ja =
             "今日中に{target}のログイン記録を確認し、多要素認証が有効かを確かめてください。成功した見慣れない"
             "ログインがあれば、県のSOCに連絡してください。",
         .action_en =
             "Today, look through the logins at {target} and make sure that a second factor is asked "
             "for. Call the SOC about successes that nobody knows."},
    [TEXT_BRUTE] =
        {.name = "brute_force",
         .severity = ALERT_HIGH,
         .technique = "T1110.001",
         .message_ja =
             "{source.ip}からのログインが10分以内に{failed}回失敗しました(成功{done}回)。入力の誤りでは起こらない回数"
             "で、パスワードを順に試す攻撃(総当たり攻撃)と考えられます。",
         .message_en =
             "{failed} logins from {source.ip} failed within ten minutes ({done} succeeded). "
             "Nobody mistypes so often: passwords are being tried out.",
         .action_ja =
             "1時間以内に、VPN装置・ファイアウォールで{source.ip}からの接続を遮断し、この時刻以降に{source.ip}"
             "からログインに成功した利用者がいないか確認してください。",
         .action_en =
             "Within the hour, block {source.ip} at the VPN or firewall, and check whether anybody "
             "logged in from it since."},
    [TEXT_SPRAY] =
        {.name = "password_spraying",
         .severity = ALERT_HIGH,
         .technique = "T1110.003",
         .message_ja =
             "{source.ip}から、約{users}人分の利用者名でのログインが10分以内に{failed}回失敗しました(成功{done}回)。"
             "多くの利用者に同じパスワードを試す攻撃(パスワードスプレー)と考えられます。",
         .message_en =
             "{failed} logins from {source.ip} with about {users} different user names failed within "
             "ten minutes ({done} succeeded): common passwords are tried on many users.",
         .action_ja =
             "1時間以内に{source.ip}からの接続を遮断し、この時刻以降に{source.ip}からログインに成功した利用者の"
             "パスワードを変更してください。",
         .action_en =
             "Within the hour, block {source.ip} and change the passwords of users that logged in "
             "from it since."},
    [TEXT_GUESSED] =
        {.name = "login_after_failures",
         .severity = ALERT_CRITICAL,
         .technique = "T1110 T1078",
         .message_ja =
             "パスワードを試していた{source.ip}から、利用者「{user}」のログインが成功しました。パスワードを知られた"
             "おそれがあります。",
         .message_en =
             "After many failures a login of user \"{user}\" from {source.ip} succeeded. The password "
             "may be known to an attacker.",
         .action_ja =
             "直ちに利用者「{user}」の接続を切り、アカウントを停止してパスワードを変更し、県のSOCに連絡してください。",
         .action_en =
             "At once, disconnect and lock user \"{user}\", change the password and call the SOC."},
};

static size_t login_bytes(const struct detect_size *size)
{
    return sizeof(struct login_state) + table_bytes(size->hosts, sizeof(struct login_key)) +
           table_bytes(size->hosts / DESTINATIONS_OF_HOSTS, sizeof(struct login_key));
}

static void login_init(void *state, const struct detect_size *size)
{
    struct login_state *s = state;
    unsigned char *at = (void *)(s + 1);
    table_init(&s->sources, at, size->hosts, sizeof(struct login_key));
    at += table_bytes(size->hosts, sizeof(struct login_key));
    table_init(&s->destinations, at, size->hosts / DESTINATIONS_OF_HOSTS, sizeof(struct login_key));
}

/* ------------------------------------------------------------------------ counting */

static unsigned done_of(const struct login_key *k)
{
    return k->done & COUNT_MAX;
}

/* How many different ones the bits stand for (linear counting, Whang et al. 1990). */
static int64_t who_count(uint64_t who)
{
    int set = __builtin_popcountll(who);
    if (set == WHO_BITS)
        return WHO_MOST;
    return (int64_t)(0.5 + WHO_BITS * real_log((double)WHO_BITS / (WHO_BITS - set)));
}

/* The key's window at that time; a late row counts in the one at hand. */
static struct login_key *take_key(struct table *t, uint64_t key, int64_t time_ns, bool *begins,
                                  struct login_key *over)
{
    bool fresh = false;
    struct login_key *k = table_take(t, key, &fresh, NULL);
    uint32_t window = (uint32_t)(time_ns / WINDOW_NS);
    *begins = false;
    if (fresh) {
        k->window = window;
    } else if (window > k->window) {
        *over = *k;
        *begins = true;
        bool last = (k->done & FIRED) != 0 && window == k->window + 1;
        *k = (struct login_key){.key = key, .window = window, .done = last ? FIRED_LAST : 0};
    }
    return k;
}

static void count(struct login_key *k, const struct flow *flow, uint64_t who)
{
    if ((flow->flags & FLOW_LOGIN_FAILED) != 0) {
        k->failed = (uint16_t)(k->failed + (k->failed < UINT16_MAX));
        k->who |= UINT64_C(1) << (who % WHO_BITS);
    } else if (done_of(k) < COUNT_MAX) {
        k->done++;
    }
}

static bool mostly_fails(const struct login_key *k)
{
    return k->failed > DONE_TIMES * done_of(k);
}

/* ------------------------------------------------------------------------- sources */

struct bounds {
    unsigned brute;
    unsigned spray;
    int64_t users;
};

static struct bounds bounds_of(const struct flow *flow)
{
    bool inside = flow->direction == FLOW_OUT || flow->direction == FLOW_INSIDE;
    if ((flow->flags & FLOW_SHARED_SOURCE) != 0)
        return (struct bounds){BRUTE_SHARED_LEAST, SPRAY_SHARED_LEAST, SPRAY_SHARED_USERS_LEAST};
    return (struct bounds){inside ? BRUTE_INSIDE_LEAST : BRUTE_LEAST, SPRAY_LEAST,
                           SPRAY_USERS_LEAST};
}

static void fire_source(struct detect_run *run, const struct login_key *k, const struct flow *flow,
                        enum text text)
{
    struct finding f;
    finding_begin(&f, (uint8_t)text, flow, EPISODE_NS);
    finding_key_ip(&f, "source.ip", &flow->source);
    finding_int(&f, "failed", k->failed);
    finding_int(&f, "done", done_of(k));
    finding_int(&f, "users", who_count(k->who));
    finding_int(&f, "window_seconds", WINDOW_NS / CLOCK_NS_PER_SECOND);
    if (text == TEXT_GUESSED) {
        finding_text(&f, "user", detect_text(run, flow->user));
    } else {
        struct bounds b = bounds_of(flow);
        finding_int(&f, "bound", text == TEXT_BRUTE ? b.brute : b.spray);
        finding_int(&f, "users_bound", text == TEXT_BRUTE ? 0 : b.users);
    }
    detect_fire(run, &f);
}

/* Returns whether the source is known to try passwords out: nobody counts its failures twice. */
static bool judge_source(struct detect_run *run, struct login_state *s, const struct flow *flow)
{
    struct login_key over;
    bool begins = false;
    struct login_key *k = take_key(&s->sources, flow->source_key, flow->time_ns, &begins, &over);
    struct slice user = detect_text(run, flow->user);
    count(k, flow, hash_slice(0, user));
    bool suspect = (k->done & (FIRED | FIRED_LAST)) != 0;
    if ((flow->flags & FLOW_LOGIN_FAILED) == 0) {
        if (suspect && (flow->flags & FLOW_SHARED_SOURCE) == 0)
            fire_source(run, k, flow, TEXT_GUESSED);
        return suspect;
    }
    struct bounds b = bounds_of(flow);
    bool spray = k->failed >= b.spray && who_count(k->who) >= b.users;
    if ((k->failed < b.brute && !spray) || !mostly_fails(k))
        return suspect;
    if ((k->done & FIRED) == 0 || k->failed % AMEND_STEP == 0)
        fire_source(run, k, flow, spray ? TEXT_SPRAY : TEXT_BRUTE);
    k->done |= FIRED;
    return true;
}

/* -------------------------------------------------------------------- destinations */

static void fire_spread(struct detect_run *run, struct habit *habit, const struct login_key *k,
                        const struct flow *flow, double tail)
{
    struct finding f;
    double mean = habit_mean(habit, flow->time_ns, 1.0);
    bool by_habit = tail < 1.0;
    finding_begin(&f, TEXT_SPREAD, flow, EPISODE_NS);
    if (by_habit && tail > TAIL_CERTAIN)
        finding_score(&f, tail);
    if ((flow->flags & FLOW_HAS_DESTINATION) != 0) {
        finding_key_ip(&f, "destination.ip", &flow->destination);
        finding_ip(&f, "target", &flow->destination);
    } else {
        struct slice name = detect_source_name(run, flow->log_source);
        finding_key_text(&f, "sekisho.source", name);
        finding_text(&f, "target", name);
    }
    finding_int(&f, "failed", k->failed);
    finding_int(&f, "done", done_of(k));
    finding_int(&f, "sources", who_count(k->who));
    finding_int(&f, "usual", (int64_t)(1.5 + mean));
    finding_int(&f, "window_seconds", WINDOW_NS / CLOCK_NS_PER_SECOND);
    finding_real(&f, "mean", mean);
    finding_real(&f, "dispersion", habit_dispersion(habit));
    finding_real(&f, "size", habit_size(habit, k->failed, mean));
    if (by_habit)
        finding_real(&f, "tail", tail);
    finding_text(&f, "basis", by_habit ? SLICE("baseline") : SLICE("fixed bound"));
    detect_fire(run, &f);
}

static void close_destination(struct habit *habit, const struct login_key *k)
{
    if (k->failed == 0)
        return;
    (void)habit_close(habit, &(struct habit_window){.time_ns = (int64_t)k->window * WINDOW_NS,
                                                    .count = k->failed,
                                                    .level = 1.0,
                                                    .alarmed = (k->done & FIRED) != 0});
}

static void judge_destination(struct detect_run *run, struct login_state *s,
                              const struct flow *flow)
{
    uint64_t key = (flow->flags & FLOW_HAS_DESTINATION) != 0 ? flow->destination_key
                                                             : detect_key(1, flow->log_source);
    struct login_key over;
    bool begins = false;
    struct login_key *k = take_key(&s->destinations, key, flow->time_ns, &begins, &over);
    if (begins)
        close_destination(&s->habit, &over);
    count(k, flow, flow->source_key);
    if ((flow->flags & FLOW_LOGIN_FAILED) == 0 || !mostly_fails(k))
        return;
    double tail = 1.0;
    bool many = k->failed >= SPREAD_LEAST && who_count(k->who) >= SPREAD_SOURCES_LEAST;
    if (!many && k->failed >= UNUSUAL_LEAST && k->failed % UNUSUAL_STEP == 0 &&
        habit_knows(&s->habit)) {
        double mean = habit_mean(&s->habit, flow->time_ns, 1.0);
        tail = habit_tail(&s->habit, habit_size(&s->habit, k->failed, mean));
    }
    bool fired = (k->done & FIRED) != 0;
    if (fired ? k->failed % AMEND_STEP != 0 || !many : !many && tail > TAIL_MOST)
        return;
    k->done |= FIRED;
    fire_spread(run, &s->habit, k, flow, tail);
}

static void login_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    struct login_state *s = state;
    if ((flow->flags & (FLOW_LOGIN_FAILED | FLOW_LOGIN_DONE)) == 0 || flow->time_ns < 0)
        return;
    bool suspect = false;
    if ((flow->flags & FLOW_HAS_SOURCE) != 0)
        suspect = judge_source(run, s, flow);
    if (!suspect)
        judge_destination(run, s, flow);
}

static void login_gaps(const void *state, struct gaps *out)
{
    const struct login_state *s = state;
    table_gap(&s->sources, out);
    table_gap(&s->destinations, out);
}

static uint64_t login_evictions(const void *state)
{
    const struct login_state *s = state;
    return s->sources.evictions + s->destinations.evictions;
}

static const struct ladder *login_ladder(const void *state, unsigned index)
{
    const struct login_state *s = state;
    return index == 0 ? &s->habit.ladder : NULL;
}

const struct detector detector_login = {
    .id = "D5",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .avoids = FLOW_EXCLUDED,
    .bytes = login_bytes,
    .init = login_init,
    .gaps = login_gaps,
    .flow = login_flow,
    .evictions = login_evictions,
    .ladder = login_ladder,
};
