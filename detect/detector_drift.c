/*
 * D12: a log source whose lines can no longer be read, or are those of another device.
 *
 * Rules and detectors are blind for lines that no parser reads, so this is said on its own, outside
 * the day's budget. What is measured, and from where, is in parse_watch.h; here is when it is said:
 *
 *   parser_drift    at the line that makes it too many; over half an hour after lines are read again
 *   format_changed  at the line that makes it too many; over when the old format is back, or after
 *                   24 hours with lines; a format that was told of is known from then on
 *   never_readable  at the line that makes it too many of the first ones; over when lines are read
 *
 * The lines that come next are the alert's evidence. What goes on is said again after 1, 2, 4, 8 and
 * 16 hours with lines and then once a day, which amends the same alert.
 */
#include "detect/detector.h"
#include "detect/parse_watch.h"
#include "detect/week.h"

enum text {
    TEXT_DRIFTED,
    TEXT_CHANGED,
    TEXT_UNREAD,
    TEXT_COUNT,
};

enum drift_limits {
    SOURCES = 64,
    EVIDENCE_LINES = 7, /* told behind the one that made it too many */
};

/* It stays until somebody corrects it, whether or not lines come on a weekend: one alert. */
#define EPISODE_NS (7 * CALENDAR_DAY_NS)

struct drift_source {
    struct parse_watch watch;
    uint8_t evidence[TEXT_COUNT]; /* lines still to be told */
    uint8_t spare[5];
};

struct drift_state {
    int64_t tick_ns; /* 0 = none yet */
    int64_t minute;
    int64_t hour;
    uint64_t begun; /* sources that are ready: the first ones */
    struct drift_source sources[SOURCES];
};

static const uint32_t FLAGS[TEXT_COUNT] = {
    [TEXT_DRIFTED] = PARSE_DRIFTED,
    [TEXT_CHANGED] = PARSE_CHANGED,
    [TEXT_UNREAD] = PARSE_UNREAD,
};

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_DRIFTED] =
        {.name = "parser_drift",
         .severity = ALERT_MEDIUM,
         .technique = "",
         .message_ja =
             "ログ送信元「{sekisho.source}」のログの形式が変わり、読み取れなくなりました。{since}以降の{lines}件中"
             "{unparsed}件が読み取れません(普段は{usual_percent}%)。ログは証拠として保存していますが、これらの行には"
             "検知ルールが効きません。",
         .message_en =
             "Lines of log source \"{sekisho.source}\" have changed their form: {unparsed} of {lines} "
             "since {since} cannot be read (usually {usual_percent} %). They are kept as evidence, "
             "but rules are blind for them.",
         .action_ja =
             "今日中に「{sekisho.source}」のファームウェア更新、ログ形式の設定変更、機器の入れ替えがなかったかを確認し、"
             "このアラートの証拠の行を添えて県のSOCに連絡してください。形式を戻すか、新しい形式に対応するまで、この機器の"
             "検知は止まったままです。",
         .action_en =
             "Today, find out whether the firmware, the log format or the device of "
             "\"{sekisho.source}\" was changed, and send the SOC this alert's evidence lines. Until "
             "the format is set back or a parser reads it, this device is not watched."},
    [TEXT_CHANGED] =
        {.name = "format_changed",
         .severity = ALERT_LOW,
         .technique = "",
         .message_ja =
             "ログ送信元「{sekisho.source}」のログの形式が{usual_format}から{format}に変わりました({since}以降の"
             "{lines}件中{changed}件)。新しい形式も読み取れていますが、別の機器のログになったと考えられます。",
         .message_en =
             "Lines of log source \"{sekisho.source}\" are of format {format} now, not {usual_format} "
             "({changed} of {lines} since {since}). They can be read, but look like those of another "
             "device.",
         .action_ja =
             "今日中に「{sekisho.source}」の機器の入れ替えや設定変更の予定があったかを確認してください。予定どおりなら、"
             "この送信元を指定したルール・除外・formatの設定を見直すよう県のSOCに伝えてください。心当たりがなければ、"
             "別の機器がログを送り込んでいる疑いがあるので、すぐに県のSOCに連絡してください。",
         .action_en =
             "Today, find out whether the device of \"{sekisho.source}\" was to be replaced. If so, "
             "have the SOC review rules, exclusions and the format set for this source. If nobody "
             "knows of it, another device may be sending in its place: call the SOC."},
    [TEXT_UNREAD] =
        {.name = "never_readable",
         .severity = ALERT_MEDIUM,
         .technique = "",
         .message_ja =
             "ログ送信元「{sekisho.source}」のログは、届き始めたときから読み取れていません(この1時間の{lines}件中{unparsed}"
             "件)。ログは証拠として保存していますが、検知には使えていません。",
         .message_en =
             "Lines of log source \"{sekisho.source}\" cannot be read since they first came "
             "({unparsed} of {lines} in this hour). They are kept as evidence, but detect nothing.",
         .action_ja =
             "今日中に、設定ファイルの「{sekisho.source}」のformat(ログ形式)が実際の機器と合っているかを県のSOCに確認してくだ"
             "さい。合っている場合は、ログの例を添えて連絡してください。",
         .action_en =
             "Today, check with the SOC that the format of source \"{sekisho.source}\" in the "
             "configuration is that of the device. If it is, send examples of the lines."},
};

static size_t drift_bytes(const struct detect_size *size)
{
    (void)size;
    return sizeof(struct drift_state);
}

/* ---------------------------------------------------------------------------- findings */

static void put_numbers(struct detect_run *run, struct finding *f, const struct parse_watch *w)
{
    if (f->text == TEXT_UNREAD) {
        finding_int(f, "unparsed", w->unparsed);
        finding_int(f, "lines", w->lines);
        return;
    }
    const struct parse_sum *sum = f->text == TEXT_DRIFTED ? &w->unread : &w->format;
    if (f->text == TEXT_CHANGED) {
        finding_text(f, "format", detect_format_name(run, w->odd_format));
        finding_text(f, "usual_format", detect_format_name(run, w->habit.settled));
    }
    finding_int(f, f->text == TEXT_DRIFTED ? "unparsed" : "changed", (int64_t)sum->odd);
    finding_int(f, "lines", (int64_t)sum->lines);
    finding_time(f, "since", sum->since_ns);
    finding_real(f, "score", (double)sum->peak);
    if (f->text == TEXT_DRIFTED) {
        finding_real(f, "usual_percent", (double)w->share * 100.0);
        finding_int(f, "usual_most", (int64_t)w->most);
    }
}

struct saying {
    unsigned source;
    enum text text;
    const struct parse_watch *watch; /* the numbers to tell */
    const struct flow *flow;         /* the line that shows it, or NULL */
    bool over;
};

static void say(struct detect_run *run, const struct saying *what)
{
    struct finding f;
    finding_begin(&f, (uint8_t)what->text, what->flow, EPISODE_NS);
    finding_key_text(&f, "sekisho.source", detect_source_name(run, (uint8_t)what->source));
    put_numbers(run, &f, what->watch);
    /* It is the source that matters, not whom one of its lines speaks of. */
    if (what->flow != NULL)
        f.severity_step = (int8_t)-what->flow->important;
    f.ended = what->over;
    detect_fire(run, &f);
}

/* What those flags say, without a line. */
static void say_flags(struct detect_run *run, uint32_t flags, struct saying what)
{
    for (unsigned text = 0; text < TEXT_COUNT && flags != 0; text++) {
        what.text = (enum text)text;
        if ((flags & FLAGS[text]) != 0)
            say(run, &what);
    }
}

/* ------------------------------------------------------------------------------- lines */

static struct drift_source *source_of(struct drift_state *s, unsigned source)
{
    for (; s->begun <= source; s->begun++)
        parse_watch_begin(&s->sources[s->begun].watch);
    return &s->sources[source];
}

static void drift_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    struct drift_state *s = state;
    if (flow->log_source >= SOURCES)
        return;
    struct drift_source *source = source_of(s, flow->log_source);
    int64_t now_ns = s->tick_ns != 0 ? s->tick_ns : flow->arrival_ns;
    uint32_t event = parse_watch_line(&source->watch, flow, now_ns);
    uint32_t shows = parse_watch_shows(&source->watch, flow);
    for (unsigned text = 0; text < TEXT_COUNT && shows != 0; text++) {
        if ((event & FLAGS[text]) != 0)
            source->evidence[text] = EVIDENCE_LINES + 1;
        if ((shows & FLAGS[text]) == 0 || source->evidence[text] == 0)
            continue;
        source->evidence[text]--;
        say(run, &(struct saying){.source = flow->log_source,
                                  .text = (enum text)text,
                                  .watch = &source->watch,
                                  .flow = flow});
    }
}

/* ------------------------------------------------------------------------------- ticks */

static void begin_minute(struct detect_run *run, struct drift_state *s, unsigned source)
{
    struct parse_watch before = s->sources[source].watch;
    uint32_t over = parse_watch_minute(&s->sources[source].watch, s->tick_ns);
    say_flags(run, over, (struct saying){.source = source, .watch = &before, .over = true});
}

static void begin_hour(struct detect_run *run, struct drift_state *s, unsigned source)
{
    struct parse_watch before = s->sources[source].watch;
    uint32_t again = parse_watch_hour(&s->sources[source].watch);
    say_flags(run, again, (struct saying){.source = source, .watch = &before});
}

static void drift_tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct drift_state *s = state;
    int64_t minute = tick_ns / CLOCK_NS_PER_MINUTE;
    int64_t hour = week_hour(tick_ns);
    bool new_minute = minute != s->minute;
    bool new_hour = hour != s->hour;
    s->tick_ns = tick_ns;
    s->minute = minute;
    s->hour = hour;
    for (unsigned i = 0; i < s->begun && new_minute; i++) {
        if (new_hour)
            begin_hour(run, s, i);
        begin_minute(run, s, i);
    }
}

const struct detector detector_drift = {
    .id = "D12",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .bytes = drift_bytes,
    .flow = drift_flow,
    .tick = drift_tick,
};
