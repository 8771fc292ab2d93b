#include "app/sheet_text.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/escape.h"

void sheet_text_start(struct buf *out, const struct sheet_wish *wish, int64_t start_ns)
{
    struct clock_civil c;
    int64_t local_ns = 0;
    if (__builtin_add_overflow(start_ns, wish->zone_minutes * CLOCK_NS_PER_MINUTE, &local_ns) ||
        start_ns == INT64_MIN) {
        buf_text(out, "-");
        return;
    }
    clock_to_civil(&c, local_ns);
    buf_printf(out, "%04" PRId32 "-%02" PRId32, c.year, c.month);
    if (wish->by != SHEET_MONTH)
        buf_printf(out, "-%02" PRId32, c.day);
    if (wish->by == SHEET_HOUR)
        buf_printf(out, " %02" PRId32 ":%02" PRId32, c.hour, c.minute);
}

const char *sheet_text_kind(enum totals_kind kind, bool japanese)
{
    static const char *const JAPANESE[TOTALS_KIND_END] = {
        [TOTALS_QUARANTINE] = "隔離",
        [TOTALS_LOST] = "消失",
        [TOTALS_MISSING] = "所在不明",
        [TOTALS_SURPLUS] = "余剰",
    };
    return japanese && kind >= TOTALS_QUARANTINE && kind < TOTALS_KIND_END ? JAPANESE[kind]
                                                                           : totals_kind_name(kind);
}

const char *sheet_finding_name(enum sheet_finding_kind kind)
{
    static const char *const NAMES[SHEET_FINDING_COUNT] = {
        [SHEET_MISSING] = "missing", [SHEET_SURPLUS] = "surplus", [SHEET_OFFSETS] = "offsets",
        [SHEET_OVERLAP] = "overlap", [SHEET_FRAMES] = "frames",   [SHEET_ROWS] = "rows",
        [SHEET_SUM] = "sum",         [SHEET_NOBODY] = "nobody",
    };
    return NAMES[kind];
}

/* For sheet_text_numbers(): the first number, and the last or the second one. */
static const struct sheet_word SENTENCES[SHEET_FINDING_COUNT] = {
    [SHEET_MISSING] = {"offsets A to B are said to be stored, and no row of them is there",
                       "オフセット A～B は保存済みと記録されていますが、その行がありません"},
    [SHEET_SURPLUS] =
        {"offsets A to B have rows that no frame says were stored, or have them twice",
         "オフセット A～B に、保存の記録がない行、または重複した行があります"},
    [SHEET_OFFSETS] = {"offsets A to B are accounted for nowhere",
                       "オフセット A～B がどこにも計上されていません"},
    [SHEET_OVERLAP] = {"offsets A to B are counted twice",
                       "オフセット A～B が二重に計上されています"},
    [SHEET_FRAMES] = {"frames A to B have no control totals",
                      "フレーム A～B の集計記録がありません"},
    [SHEET_ROWS] = {"the control totals have A rows, the catalog has B",
                    "集計記録の行数は A、カタログの行数は B です"},
    [SHEET_SUM] = {"the hours add up to A offsets, the frames have B",
                   "時間帯ごとの合計は A 件、フレームの記録は B 件です"},
    [SHEET_NOBODY] = {"offsets A to B are of no municipality",
                      "オフセット A～B はどの団体にも属していません"},
};

void sheet_text_numbers(struct buf *out, const char *text, uint64_t a, uint64_t b)
{
    for (; *text != '\0'; text++) {
        if (*text == 'A' || *text == 'B')
            buf_printf(out, "%" PRIu64, *text == 'A' ? a : b);
        else
            buf_byte(out, *text);
    }
}

void sheet_text_finding(struct buf *out, const struct sheet_finding *f, bool japanese)
{
    const struct sheet_word *w = &SENTENCES[f->kind];
    bool counts = f->kind == SHEET_ROWS || f->kind == SHEET_SUM;
    if (f->tenant != 0)
        buf_printf(out, "%06" PRIu32 " ", f->tenant);
    if (f->topic.len != 0) {
        escape_text(out, f->topic);
        buf_printf(out, "/%" PRId32 " ", f->partition);
    }
    sheet_text_numbers(out, japanese ? w->japanese : w->english, f->from,
                       counts ? f->to : f->to - 1);
}
