/* What was unusual, but not among the day's most unusual: one alert a day. */
#include <stdio.h>

#include "detect/detectors.h"
#include "detect/digest.h"

enum {
    NAMED_MAX = 20, /* entries that the alert names */
};

#define WINDOW_NS (60 * INT64_C(1000000000))

static const struct detector_text TEXTS[] = {
    {.name = "day",
     .severity = ALERT_INFORMATIONAL,
     .technique = "",
     .message_ja =
         "本日は、警報の1日の上限を超えたため個別には通知しなかった「普段と違う通信」が{findings}件"
         "ありました。珍しい順に並べてあります。",
     .message_en =
         "Today {findings} unusual communications were not notified one by one, because the "
         "day's budget of alerts was used up. They are listed by how unusual they are.",
     .action_ja =
         "翌営業日までに一覧を上から確認し、業務で説明できない通信があれば端末の利用者に確認してください。",
     .action_en =
         "Read the list from the top by the next business day; ask the user of the PC about "
         "anything that work does not explain."},
};

const struct detector detector_digest = {
    .id = "digest", .version = 1, .text_count = 1, .texts = TEXTS};

/* "D1 rare source.ip=192.0.2.1 ..." */
static uint16_t describe(char *out, size_t cap, const struct detect_run *run,
                         const struct finding *f)
{
    struct buf text = {0};
    buf_text(&text, run->detector->id);
    buf_byte(&text, ' ');
    buf_text(&text, run->detector->texts[f->text].name);
    for (uint8_t i = 0; i < f->item_count; i++) {
        if (!f->items[i].key)
            continue;
        buf_byte(&text, ' ');
        buf_text(&text, f->items[i].name);
        buf_byte(&text, '=');
        buf_append(&text, f->values + f->items[i].at, f->items[i].len);
    }
    size_t len = text.len < cap ? text.len : cap;
    while (len < text.len && len != 0 && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    if (len != 0)
        memcpy(out, text.data, len);
    buf_release(&text);
    return (uint16_t)len;
}

/* The entry of the key, a free one, or the weakest if it is weaker than `tail`. */
static struct digest_entry *place_for(struct tenant_state *s, uint64_t key, double tail)
{
    struct digest_entry *weakest = &s->digest[0];
    for (uint64_t i = 0; i < s->digest_count; i++) {
        if (s->digest[i].key == key)
            return &s->digest[i];
        if (s->digest[i].tail > weakest->tail)
            weakest = &s->digest[i];
    }
    if (s->digest_count < TENANT_DIGEST_MAX)
        return &s->digest[s->digest_count++];
    if (weakest->tail <= tail) {
        s->digest_more++;
        return NULL;
    }
    s->digest_more += weakest->count;
    return weakest;
}

void digest_add(struct detect_run *run, const struct finding *f)
{
    uint64_t key = episode_key(run, f);
    struct digest_entry *e = place_for(run->state, key, f->tail);
    if (e == NULL)
        return;
    if (e->key == key) {
        e->count++;
        e->tail = f->tail < e->tail ? f->tail : e->tail;
        return;
    }
    memset(e, 0, sizeof(*e));
    e->key = key;
    e->tail = f->tail;
    e->count = 1;
    e->detector = (uint16_t)run->index;
    e->text_len = describe(e->text, sizeof(e->text), run, f);
}

/* The next entry by tail, then by place; NULL at the end. */
static const struct digest_entry *next_entry(const struct tenant_state *s,
                                             const struct digest_entry *after)
{
    const struct digest_entry *best = NULL;
    for (uint64_t i = 0; i < s->digest_count; i++) {
        const struct digest_entry *e = &s->digest[i];
        bool later =
            after == NULL || e->tail > after->tail || (!(e->tail < after->tail) && e > after);
        if (later && (best == NULL || e->tail < best->tail))
            best = e;
    }
    return best;
}

void digest_release(struct detect_run *run)
{
    static const char *const NAMES[NAMED_MAX] = {"1",  "2",  "3",  "4",  "5",  "6",  "7",
                                                 "8",  "9",  "10", "11", "12", "13", "14",
                                                 "15", "16", "17", "18", "19", "20"};
    struct tenant_state *s = run->state;
    struct finding f;
    uint64_t findings = s->digest_more;
    if (s->digest_count == 0)
        return;
    for (uint64_t i = 0; i < s->digest_count; i++)
        findings += s->digest[i].count;
    finding_begin(&f, 0, NULL, WINDOW_NS);
    f.time_ns = s->tick_ns;
    finding_int(&f, "findings", (int64_t)findings);
    finding_int(&f, "entries", (int64_t)s->digest_count);
    const struct digest_entry *e = NULL;
    for (unsigned i = 0; i < NAMED_MAX && (e = next_entry(s, e)) != NULL; i++)
        finding_text(&f, NAMES[i], slice_of(e->text, e->text_len));
    memset(s->digest, 0, sizeof(s->digest));
    s->digest_count = 0;
    s->digest_more = 0;
    detectors_enter(run, &detector_digest);
    detect_fire(run, &f);
}
