/* Detection that was incomplete, as an alert: eviction surges, floods of alerts. */
#include "base/clock.h"
#include "detect/coverage.h"
#include "detect/detectors.h"

enum text {
    TEXT_EVICTION,
    TEXT_RECORD,
    TEXT_HELD,
    TEXT_COUNT,
};

#define HOUR_NS   (3600 * CLOCK_NS_PER_SECOND)
#define WINDOW_NS (2 * HOUR_NS)

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_EVICTION] =
        {.name = "eviction",
         .severity = ALERT_MEDIUM,
         .technique = "",
         .message_ja =
             "検知器{detector}の記憶表から{evicted}件があふれました。大量の異なるアドレスや宛先が短時間に現れて"
             "おり、その間は検知が不完全になるおそれがあります。",
         .message_en =
             "The table of detector {detector} gave up {evicted} entries: very many different "
             "addresses or destinations appeared in a short time, and detection may be "
             "incomplete meanwhile.",
         .action_ja =
             "県のSOCに連絡し、直近1時間に急増した送信元または宛先がないか確認してください。",
         .action_en =
             "Tell the SOC; look for sources or destinations that surged within the last hour."},
    [TEXT_RECORD] =
        {.name = "record",
         .severity = ALERT_LOW,
         .technique = "",
         .message_ja =
             "{from}から{to}まで、検知器{detector}は記憶表があふれたため検知が不完全でした({evicted}件)。",
         .message_en =
             "From {from} to {to} detector {detector} was incomplete, because its table gave up "
             "{evicted} entries.",
         .action_ja = "この時間帯の通信は、後日の検索で補って確認してください。",
         .action_en = "Make up for this span by searching its stored lines."},
    [TEXT_HELD] =
        {.name = "held",
         .severity = ALERT_HIGH,
         .technique = "",
         .message_ja =
             "1時間の警報が{released}件に達したため、さらに{held}件を個別には通知していません。",
         .message_en =
             "{released} alerts were released within an hour, so {held} more are not notified one "
             "by one.",
         .action_ja = "大規模な攻撃または機器の異常が疑われます。直ちに県のSOCに連絡してください。",
         .action_en = "Suspect a large attack or a broken device; call the SOC at once."},
};

const struct detector detector_coverage = {
    .id = "coverage", .version = 1, .text_count = TEXT_COUNT, .texts = TEXTS};

/* So many evictions within an hour are a surge: as many as the municipality may have hosts. */
static uint64_t surge_limit(const struct detect_run *run)
{
    static const uint64_t LIMITS[DETECT_CLASSES] = {1024, 4096, 16384, 16384};
    return LIMITS[run->tenant->o.profile->size];
}

static uint64_t evicted_in_hour(const struct detect_run *run, unsigned index)
{
    const struct detector *d = DETECTORS[index];
    uint64_t now = d->evictions(detector_state(run->state, index));
    return now - run->state->evictions[index];
}

static void say_surge(struct detect_run *run, unsigned index, uint64_t evicted)
{
    struct finding f;
    finding_begin(&f, TEXT_EVICTION, NULL, WINDOW_NS);
    finding_key_text(&f, "detector", slice_from(DETECTORS[index]->id));
    finding_int(&f, "evicted", (int64_t)evicted);
    finding_int(&f, "limit", (int64_t)surge_limit(run));
    detectors_enter(run, &detector_coverage);
    detect_fire(run, &f);
}

static void say_record(struct detect_run *run, unsigned index, uint64_t evicted)
{
    struct finding f;
    finding_begin(&f, TEXT_RECORD, NULL, CLOCK_NS_PER_SECOND);
    finding_key_text(&f, "detector", slice_from(DETECTORS[index]->id));
    finding_time(&f, "from", run->state->surge_since_ns[index]);
    finding_time(&f, "to", run->state->tick_ns);
    finding_int(&f, "evicted", (int64_t)evicted);
    finding_text(&f, "reason", SLICE("table full"));
    detectors_enter(run, &detector_coverage);
    detect_fire(run, &f);
}

void coverage_tick(struct detect_run *run)
{
    struct tenant_state *s = run->state;
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        if (DETECTORS[i]->evictions == NULL || s->surge_since_ns[i] != 0)
            continue;
        uint64_t evicted = evicted_in_hour(run, i);
        if (evicted < surge_limit(run))
            continue;
        s->surge_since_ns[i] = s->tick_ns;
        say_surge(run, i, evicted);
    }
}

void coverage_hour(struct detect_run *run)
{
    struct tenant_state *s = run->state;
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        if (DETECTORS[i]->evictions == NULL)
            continue;
        uint64_t evicted = evicted_in_hour(run, i);
        if (s->surge_since_ns[i] != 0)
            say_record(run, i, evicted);
        s->surge_since_ns[i] = 0;
        s->evictions[i] += evicted;
    }
    if (s->held_in_hour == 0)
        return;
    struct finding f;
    finding_begin(&f, TEXT_HELD, NULL, CLOCK_NS_PER_SECOND);
    finding_int(&f, "released", (int64_t)s->released_in_hour);
    finding_int(&f, "held", (int64_t)s->held_in_hour);
    s->released_in_hour = 0;
    detectors_enter(run, &detector_coverage);
    detect_fire(run, &f);
}
