/*
 * D12: a log source that falls silent, or says more or less than it did, or a wrong time. Lines that
 * cannot be read: detector_drift.c.
 *
 * Without its lines nothing else here sees anything, so this is said on its own, outside the day's
 * budget. What is measured, and how, is in source_watch.h; here is when it is said, and how:
 *
 *   silence   once, at the tick at which its bound is passed; over with the next line
 *   rate      at the end of an hour; over when an hour is usual again, or after a day
 *   clock     at the end of two blocks of ten minutes; over when it is right again
 *
 * What goes on is said again every hour, which amends the same alert.
 */
#include "detect/detector.h"
#include "detect/source_watch.h"

enum text {
    TEXT_SILENT,
    TEXT_DROPPED,
    TEXT_RISEN,
    TEXT_FAST,
    TEXT_SLOW,
    TEXT_COUNT,
};

enum silence_limits {
    SOURCES = 64,
    BLOCK_MINUTES = 10,
    UNWATCHED_SECONDS = 600, /* between two ticks: nobody was there */
};

#define EPISODE_NS (6 * CALENDAR_HOUR_NS)

struct silence_state {
    int64_t tick_ns; /* 0 = none yet */
    int64_t minute;
    int64_t hour;
    uint64_t begun; /* sources that are ready: the first ones */
    struct source_watch sources[SOURCES];
};

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_SILENT] =
        {.name = "silence",
         .severity = ALERT_HIGH,
         .technique = "T1562.006",
         .message_ja =
             "ログ送信元「{sekisho.source}」から{since}以降ログが届いていません。通常なら{expected}件届いているはずです"
             "が、0件です。この間、この機器を通る通信は監視できていません。",
         .message_en =
             "Nothing came from log source \"{sekisho.source}\" since {since}: expected {expected} "
             "lines, got 0. What passes this device is not watched meanwhile.",
         .action_ja =
             "1時間以内に「{sekisho.source}」の機器の電源・ネットワーク・syslog設定と、中継サーバ(rsyslog等)の動作を"
             "確認してください。停電や計画停止でなければ、ログを止める攻撃も疑い、県のSOCに連絡してください。",
         .action_en =
             "Within the hour, check power, network and syslog settings of \"{sekisho.source}\" and "
             "the relay. If it is neither a power cut nor maintenance, somebody may have stopped "
             "the log: call the SOC."},
    [TEXT_DROPPED] =
        {.name = "rate_drop",
         .severity = ALERT_MEDIUM,
         .technique = "T1562.006",
         .message_ja =
             "ログ送信元「{sekisho.source}」のログが大きく減っています。直近1時間は{lines}件で、通常は約{usual}件です。"
             "ログの一部が失われているか、設定が変わった可能性があります。",
         .message_en =
             "Log source \"{sekisho.source}\" sends far fewer lines: {lines} in the last hour, where "
             "about {usual} are usual. A part may be lost, or a setting was changed.",
         .action_ja =
             "今日中に「{sekisho.source}」のログ出力設定(対象ポリシー・重要度)と、通信経路の変更がなかったかを確認して"
             "ください。",
         .action_en =
             "Today, check the log settings of \"{sekisho.source}\" (policies, severity) and whether "
             "traffic takes another way now."},
    [TEXT_RISEN] =
        {.name = "rate_rise",
         .severity = ALERT_LOW,
         .technique = "",
         .message_ja =
             "ログ送信元「{sekisho.source}」のログが大きく増えています。直近1時間は{lines}件で、通常は約{usual}件です。",
         .message_en =
             "Log source \"{sekisho.source}\" sends far more lines: {lines} in the last hour, where "
             "about {usual} are usual.",
         .action_ja =
             "今週中に「{sekisho.source}」のログ出力設定の変更、同じ通信の繰り返し、攻撃による増加でないかを確認してください。",
         .action_en =
             "This week, check \"{sekisho.source}\" for changed log settings, endless repetition, or "
             "an attack."},
    [TEXT_FAST] =
        {.name = "clock_fast",
         .severity = ALERT_LOW,
         .technique = "",
         .message_ja =
             "ログ送信元「{sekisho.source}」の時計が約{minutes}分進んでいます。ログの時刻が実際と合わず、調査の際に"
             "前後関係を誤るおそれがあります。",
         .message_en =
             "The clock of log source \"{sekisho.source}\" is about {minutes} minutes fast: its times "
             "mislead whoever investigates.",
         .action_ja =
             "今週中に「{sekisho.source}」の時刻同期(NTP)とタイムゾーンの設定を確認してください。",
         .action_en = "This week, check NTP and the time zone of \"{sekisho.source}\"."},
    [TEXT_SLOW] =
        {.name = "clock_slow",
         .severity = ALERT_LOW,
         .technique = "",
         .message_ja =
             "ログ送信元「{sekisho.source}」のログの時刻が約{minutes}分遅れています。機器の時計の遅れか、ログが中継"
             "サーバに溜まっていることが考えられ、検知も遅れます。",
         .message_en =
             "The lines of log source \"{sekisho.source}\" say times about {minutes} minutes ago: its "
             "clock is slow, or lines wait at a relay, and detection is late.",
         .action_ja =
             "今日中に「{sekisho.source}」の時刻同期(NTP)とタイムゾーンの設定、中継サーバの滞留を確認してください。",
         .action_en =
             "Today, check NTP and the time zone of \"{sekisho.source}\", and the queue of the "
             "relay."},
};

static size_t silence_bytes(const struct detect_size *size)
{
    (void)size;
    return sizeof(struct silence_state);
}

/* ---------------------------------------------------------------------------- findings */

static void begin(struct finding *f, struct detect_run *run, unsigned source, enum text text)
{
    finding_begin(f, (uint8_t)text, NULL, EPISODE_NS);
    finding_key_text(f, "sekisho.source", detect_source_name(run, (uint8_t)source));
}

static void say_silence(struct detect_run *run, const struct silence_state *s, unsigned source,
                        bool over)
{
    const struct source_watch *w = &s->sources[source];
    struct finding f;
    begin(&f, run, source, TEXT_SILENT);
    finding_time(&f, "since", w->heard_ns);
    finding_int(&f, "expected", (int64_t)(w->open + 0.5));
    finding_int(&f, "silent_seconds", (s->tick_ns - w->heard_ns) / CLOCK_NS_PER_SECOND);
    finding_real(&f, "bound", source_watch_bound(w));
    finding_real(&f, "longest_before", w->longest);
    finding_real(&f, "level", w->level);
    finding_real(&f, "such_gaps_a_day", source_watch_gap_rate(w));
    f.ended = over;
    detect_fire(run, &f);
}

static void say_rate(struct detect_run *run, unsigned source, const struct source_hour *h)
{
    struct finding f;
    begin(&f, run, source, h->which == SOURCE_DROPPED ? TEXT_DROPPED : TEXT_RISEN);
    finding_int(&f, "lines", (int64_t)h->lines);
    finding_int(&f, "usual", (int64_t)(h->usual + 0.5));
    finding_real(&f, "score", h->score);
    f.ended = h->over;
    detect_fire(run, &f);
}

static void say_clock(struct detect_run *run, unsigned source, uint32_t which,
                      const struct source_block *b)
{
    struct finding f;
    int32_t seconds = b->delay_seconds < 0 ? -b->delay_seconds : b->delay_seconds;
    begin(&f, run, source, which == SOURCE_FAST ? TEXT_FAST : TEXT_SLOW);
    finding_int(&f, "minutes", (seconds + 30) / 60);
    finding_int(&f, "delay_seconds", b->delay_seconds);
    f.ended = b->over;
    detect_fire(run, &f);
}

/* ------------------------------------------------------------------------------- lines */

static struct source_watch *source_of(struct silence_state *s, unsigned source)
{
    for (; s->begun <= source; s->begun++)
        source_watch_begin(&s->sources[s->begun]);
    return &s->sources[source];
}

static void silence_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    struct silence_state *s = state;
    if (flow->log_source >= SOURCES)
        return;
    struct source_watch *w = source_of(s, flow->log_source);
    bool was_silent = (w->flags & SOURCE_SILENT) != 0;
    if (was_silent)
        say_silence(run, s, flow->log_source, true);
    int64_t heard_ns = s->tick_ns != 0 ? s->tick_ns : flow->arrival_ns;
    source_watch_line(w, flow, heard_ns);
    if (was_silent) {
        w->flags &= ~(uint32_t)SOURCE_SILENT;
        w->flags |= SOURCE_UNSURE;
    }
}

/* ------------------------------------------------------------------------------- ticks */

static void begin_hour(struct detect_run *run, struct silence_state *s, unsigned source,
                       int64_t hour)
{
    struct source_watch *w = &s->sources[source];
    struct source_hour h = source_watch_hour(w, hour);
    if (h.which != 0)
        say_rate(run, source, &h);
    if ((w->flags & SOURCE_SILENT) != 0)
        say_silence(run, s, source, false);
}

static void begin_block(struct detect_run *run, struct silence_state *s, unsigned source)
{
    struct source_watch *w = &s->sources[source];
    uint32_t wrong = w->flags & (SOURCE_FAST | SOURCE_SLOW);
    struct source_block b = source_watch_block(w);
    if (b.event != 0 || b.over)
        say_clock(run, source, b.event | wrong, &b);
    if (b.over)
        w->flags &= ~(uint32_t)(SOURCE_FAST | SOURCE_SLOW);
}

static void check(struct detect_run *run, struct silence_state *s, unsigned source)
{
    struct source_watch *w = &s->sources[source];
    if ((w->flags & SOURCE_SILENT) == 0 && source_watch_silent(w, s->tick_ns)) {
        say_silence(run, s, source, false);
        w->flags |= SOURCE_SILENT;
    }
}

static void silence_tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct silence_state *s = state;
    double seconds = (double)(tick_ns - s->tick_ns) / (double)CLOCK_NS_PER_SECOND;
    bool gap = s->tick_ns == 0 || detect_tick_gap(run) || seconds > UNWATCHED_SECONDS;
    int64_t minute = tick_ns / CLOCK_NS_PER_MINUTE;
    int64_t hour = week_hour(tick_ns);
    bool new_minute = minute != s->minute;
    bool new_hour = hour != s->hour;
    s->tick_ns = tick_ns;
    s->minute = minute;
    s->hour = hour;
    for (unsigned i = 0; i < s->begun; i++) {
        struct source_watch *w = &s->sources[i];
        if (gap)
            source_watch_gap(w, tick_ns);
        if (new_hour)
            begin_hour(run, s, i, hour);
        if (new_minute && minute % BLOCK_MINUTES == 0)
            begin_block(run, s, i);
        if (!gap)
            source_watch_pass(w, seconds);
        if (new_minute || gap)
            source_watch_minute(w);
        check(run, s, i);
    }
}

static const struct ladder *silence_ladder(const void *state, unsigned index)
{
    const struct silence_state *s = state;
    return index < s->begun ? &s->sources[index].gaps : NULL;
}

const struct detector detector_silence = {
    .id = "D12",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .bytes = silence_bytes,
    .flow = silence_flow,
    .tick = silence_tick,
    .ladder = silence_ladder,
};
