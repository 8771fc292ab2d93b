#include "app/sheet_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/row_text.h"
#include "app/sheet_text.h"
#include "base/clock.h"
#include "base/escape.h"
#include "event/ndjson.h"

enum {
    COUNT_WIDTH = 12,
    BYTES_WIDTH = 16,
    START_WIDTH = 17,
    SOURCE_WIDTH_MIN = 8,
    SOURCE_WIDTH_MAX = 32,
};

/* The columns behind municipality, source and time. */
enum {
    COLUMN_RECEIVED,
    COLUMN_STORED,
    COLUMN_QUARANTINED,
    COLUMN_LOST,
    COLUMN_MISSING,
    COLUMN_SURPLUS,
    COLUMN_GAPS,
    COLUMN_ROWS,
    COLUMN_BYTES,
    COLUMN_COUNT,
};

static const struct {
    const char *name; /* for programs */
    struct sheet_word head;
    int width;
    bool rare; /* left out of the table where it is 0 everywhere */
} COLUMNS[COLUMN_COUNT] = {
    [COLUMN_RECEIVED] = {"received", {"received", "受信"}, COUNT_WIDTH, false},
    [COLUMN_STORED] = {"stored", {"stored", "保存"}, COUNT_WIDTH, false},
    [COLUMN_QUARANTINED] = {"quarantined", {"quarantined", "隔離"}, COUNT_WIDTH, false},
    [COLUMN_LOST] = {"lost", {"lost", "消失"}, COUNT_WIDTH, false},
    [COLUMN_MISSING] = {"missing", {"MISSING", "所在不明"}, COUNT_WIDTH, true},
    [COLUMN_SURPLUS] = {"surplus", {"SURPLUS", "余剰"}, COUNT_WIDTH, true},
    [COLUMN_GAPS] = {"gaps", {"gaps", "欠番"}, COUNT_WIDTH, false},
    [COLUMN_ROWS] = {"rows", {"rows", "行"}, COUNT_WIDTH, false},
    [COLUMN_BYTES] = {"bytes", {"bytes", "バイト"}, BYTES_WIDTH, false},
};

static uint64_t column_of(const struct totals_sum *s, int column)
{
    const uint64_t values[COLUMN_COUNT] = {
        [COLUMN_RECEIVED] = totals_received(s),
        [COLUMN_STORED] = s->records,
        [COLUMN_QUARANTINED] = s->quarantined,
        [COLUMN_LOST] = s->lost,
        [COLUMN_MISSING] = s->missing,
        [COLUMN_SURPLUS] = s->surplus,
        [COLUMN_GAPS] = s->gaps,
        [COLUMN_ROWS] = s->rows,
        [COLUMN_BYTES] = s->bytes,
    };
    return values[column];
}

static struct totals_sum sum_of(const struct sheet *s)
{
    struct totals_sum sum = {0};
    for (size_t i = 0; i < s->rows.count; i++)
        totals_add(&sum, &s->rows.items[i].sum);
    return sum;
}

/* Columns that a text takes: those of our own words are one or two wide. */
static int width_of(struct slice text)
{
    int width = 0;
    while (text.len != 0) {
        uint32_t point = 0;
        size_t len = escape_utf8(&point, text);
        width += point < 0x1100 ? 1 : 2;
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
    return width;
}

static void pad(struct buf *out, int from, int to)
{
    for (; from < to; from++)
        buf_byte(out, ' ');
}

static void put_left(struct buf *out, struct slice text, int width)
{
    buf_slice(out, text);
    pad(out, width_of(text), width);
}

static void put_right(struct buf *out, struct slice text, int width)
{
    pad(out, width_of(text), width);
    buf_slice(out, text);
}

static const char *say(const struct sheet_style *style, struct sheet_word w)
{
    return style->japanese ? w.japanese : w.english;
}

static int source_width(const struct sheet *s)
{
    size_t width = SOURCE_WIDTH_MIN;
    for (size_t i = 0; i < s->source_count; i++)
        width = s->sources[i].len > width ? s->sources[i].len : width;
    return (int)(width < SOURCE_WIDTH_MAX ? width : SOURCE_WIDTH_MAX);
}

static bool is_shown(const struct totals_sum *total, int column)
{
    return !COLUMNS[column].rare || column_of(total, column) != 0;
}

static void table_head(struct buf *out, const struct sheet *s, const struct totals_sum *total,
                       const struct sheet_style *style)
{
    static const struct sheet_word WHEN[] = {[SHEET_HOUR] = {"hour", "時間帯"},
                                             [SHEET_DAY] = {"day", "日"},
                                             [SHEET_MONTH] = {"month", "月"}};
    struct buf when = {0};
    buf_printf(&when, "%s (%s)", say(style, WHEN[style->wish->by]), style->zone);
    put_left(out, slice_from(say(style, (struct sheet_word){"tenant", "団体"})), 8);
    put_left(out, slice_from(say(style, (struct sheet_word){"source", "ログ源"})),
             source_width(s) + 2);
    put_left(out, buf_content(&when), START_WIDTH);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        if (is_shown(total, i))
            put_right(out, slice_from(say(style, COLUMNS[i].head)), COLUMNS[i].width);
    }
    buf_printf(out, "  %s\n", say(style, (struct sheet_word){"balanced", "照合"}));
    buf_release(&when);
}

static void table_counts(struct buf *out, const struct totals_sum *sum,
                         const struct totals_sum *total, const struct sheet_style *style)
{
    char digits[32];
    for (int i = 0; i < COLUMN_COUNT; i++) {
        if (!is_shown(total, i))
            continue;
        (void)snprintf(digits, sizeof(digits), "%" PRIu64, column_of(sum, i));
        put_right(out, slice_from(digits), COLUMNS[i].width);
    }
    buf_printf(out, "  %s\n",
               say(style, totals_balanced(sum) ? (struct sheet_word){"yes", "一致"}
                                               : (struct sheet_word){"NO", "不一致"}));
}

static void table_row(struct buf *out, const struct sheet *s, const struct hour_sum *row,
                      const struct totals_sum *total, const struct sheet_style *style)
{
    struct buf text = {0};
    buf_printf(out, "%06" PRIu32 "  ", row->tenant);
    escape_text(&text, s->sources[row->id]);
    put_left(out, buf_content(&text), source_width(s) + 2);
    buf_reset(&text);
    sheet_text_start(&text, style->wish, row->start_ns);
    put_left(out, buf_content(&text), START_WIDTH);
    buf_release(&text);
    table_counts(out, &row->sum, total, style);
}

static void table_events(struct buf *out, const struct sheet *s, const struct sheet_style *style)
{
    const struct sheet_word head = {"Not stored, and why:", "保存されなかったレコードとその理由："};
    if (s->event_count != 0)
        buf_printf(out, "\n%s\n", say(style, head));
    for (size_t i = 0; i < s->event_count; i++) {
        const struct sheet_event *e = &s->events[i];
        buf_text(out, "  ");
        clock_print_zone(out, e->event.tick_ns, style->wish->zone_minutes);
        buf_printf(out, "  %06" PRIu32 "  ", e->tenant);
        escape_text(out, e->topic);
        buf_printf(out, "/%" PRId32 "  %" PRId64 "..%" PRId64 "  %s %" PRId64 ": ", e->partition,
                   e->event.start, e->event.end - 1,
                   sheet_text_kind(e->event.kind, style->japanese), e->event.end - e->event.start);
        escape_text(out, e->event.reason);
        buf_byte(out, '\n');
    }
}

static void table_findings(struct buf *out, const struct sheet *s, const struct sheet_style *style)
{
    if (s->finding_count != 0)
        buf_printf(out, "\n%s\n", say(style, (struct sheet_word){"FINDINGS:", "指摘事項："}));
    for (size_t i = 0; i < s->finding_count; i++) {
        buf_text(out, "  ");
        sheet_text_finding(out, &s->findings[i], style->japanese);
        buf_byte(out, '\n');
    }
}

/* Up to where it was counted, and who has signed it. */
static void table_basis(struct buf *out, const struct sheet *s, const struct sheet_style *style)
{
    const struct sheet_signed *g = &s->signature;
    const struct sheet_word counted = {
        "counted up to frame A of the log; totals up to frame B are on record\n",
        "ログのフレーム A まで集計。うちフレーム B までは集計記録として保存済み\n"};
    const struct sheet_word signed_by = {"signed up to frame A by checkpoint B of ",
                                         "フレーム A まではチェックポイント B で署名済み："};
    const struct sheet_word same = {": the totals on record are these", "（集計記録と一致）"};
    const struct sheet_word other = {": THE TOTALS ON RECORD ARE OTHERS",
                                     "（集計記録と一致しません）"};
    sheet_text_numbers(out, say(style, counted), s->last_seq, s->compacted_seq);
    if (g->number == 0) {
        const struct sheet_word none = {"no checkpoint has signed them yet\n",
                                        "署名済みチェックポイントはまだありません\n"};
        buf_text(out, say(style, none));
        return;
    }
    sheet_text_numbers(out, say(style, signed_by), g->through_seq, g->number);
    clock_print_zone(out, g->time_ns, style->wish->zone_minutes);
    if (g->checked)
        buf_text(out, say(style, g->same ? same : other));
    buf_byte(out, '\n');
}

void sheet_print_table(struct buf *out, const struct sheet *s, const struct sheet_style *style)
{
    struct totals_sum total = sum_of(s);
    table_head(out, s, &total, style);
    for (size_t i = 0; i < s->rows.count; i++)
        table_row(out, s, &s->rows.items[i], &total, style);
    put_left(out, slice_from(say(style, (struct sheet_word){"total", "合計"})),
             8 + source_width(s) + 2 + START_WIDTH);
    table_counts(out, &total, &total, style);
    table_events(out, s, style);
    table_findings(out, s, style);
    buf_byte(out, '\n');
    table_basis(out, s, style);
    bool good = totals_balanced(&total) && s->finding_count == 0 && s->damage == 0;
    buf_printf(out, "%s\n",
               say(style, good ? (struct sheet_word){"received = stored + quarantined + lost: "
                                                     "every record is accounted for",
                                                     "受信 = 保存 + 隔離 + 消失：すべてのレコードの"
                                                     "所在が確認できました"}
                               : (struct sheet_word){"NOT EVERY RECORD IS ACCOUNTED FOR",
                                                     "所在を確認できないレコードがあります"}));
}

static void json_counts(struct buf *out, const struct totals_sum *sum)
{
    for (int i = 0; i < COLUMN_COUNT; i++)
        buf_printf(out, ",\"%s\":%" PRIu64, COLUMNS[i].name, column_of(sum, i));
    buf_printf(out, ",\"balanced\":%s", totals_balanced(sum) ? "true" : "false");
}

static void json_time(struct buf *out, const char *key, int64_t ns)
{
    buf_printf(out, ",\"%s\":", key);
    if (ns == INT64_MIN) {
        buf_text(out, "null");
        return;
    }
    buf_byte(out, '"');
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void json_place(struct buf *out, uint32_t tenant, struct slice topic, int32_t partition)
{
    if (tenant != 0)
        buf_printf(out, ",\"tenant\":\"%06" PRIu32 "\"", tenant);
    if (topic.len == 0)
        return;
    buf_text(out, ",\"topic\":");
    ndjson_string(out, topic);
    buf_printf(out, ",\"partition\":%" PRId32, partition);
}

static void json_rows(struct buf *out, const struct sheet *s)
{
    for (size_t i = 0; i < s->rows.count; i++) {
        const struct hour_sum *row = &s->rows.items[i];
        buf_printf(out, "{\"type\":\"sum\",\"tenant\":\"%06" PRIu32 "\",\"source\":", row->tenant);
        ndjson_string(out, s->sources[row->id]);
        json_time(out, "start", row->start_ns);
        json_counts(out, &row->sum);
        buf_text(out, "}\n");
    }
}

static void json_events(struct buf *out, const struct sheet *s)
{
    for (size_t i = 0; i < s->event_count; i++) {
        const struct sheet_event *e = &s->events[i];
        buf_printf(out, "{\"type\":\"event\",\"kind\":\"%s\"", totals_kind_name(e->event.kind));
        json_place(out, e->tenant, e->topic, e->partition);
        buf_text(out, ",\"source\":");
        ndjson_string(out, e->source);
        buf_printf(out, ",\"first\":%" PRId64 ",\"last\":%" PRId64 ",\"count\":%" PRId64,
                   e->event.start, e->event.end - 1, e->event.end - e->event.start);
        json_time(out, "time", e->event.tick_ns);
        buf_text(out, ",\"reason\":");
        ndjson_string(out, e->event.reason);
        buf_text(out, "}\n");
    }
}

static void json_findings(struct buf *out, const struct sheet *s, bool japanese)
{
    struct buf text = {0};
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct sheet_finding *f = &s->findings[i];
        buf_printf(out, "{\"type\":\"finding\",\"kind\":\"%s\"", sheet_finding_name(f->kind));
        json_place(out, f->tenant, f->topic, f->partition);
        if (f->kind == SHEET_ROWS || f->kind == SHEET_SUM)
            buf_printf(out, ",\"counted\":%" PRIu64 ",\"expected\":%" PRIu64, f->from, f->to);
        else
            buf_printf(out, ",\"first\":%" PRIu64 ",\"last\":%" PRIu64, f->from, f->to - 1);
        buf_reset(&text);
        sheet_text_finding(&text, f, japanese);
        buf_text(out, ",\"text\":");
        ndjson_string(out, buf_content(&text));
        buf_text(out, "}\n");
    }
    buf_release(&text);
}

void sheet_print_json(struct buf *out, const struct sheet *s, const struct sheet_style *style)
{
    const struct sheet_signed *g = &s->signature;
    struct totals_sum total = sum_of(s);
    json_rows(out, s);
    json_events(out, s);
    json_findings(out, s, style->japanese);
    buf_text(out, "{\"type\":\"total\"");
    json_counts(out, &total);
    buf_printf(out,
               ",\"findings\":%zu,\"complete\":%s,\"frames\":%" PRIu64
               ",\"frames_on_record\":%" PRIu64,
               s->finding_count, s->damage == 0 ? "true" : "false", s->last_seq, s->compacted_seq);
    if (g->number != 0) {
        buf_printf(out, ",\"checkpoint\":%" PRIu64 ",\"frames_signed\":%" PRIu64, g->number,
                   g->through_seq);
        json_time(out, "checkpoint_time", g->time_ns);
        if (g->checked)
            buf_printf(out, ",\"as_signed\":%s", g->same ? "true" : "false");
    }
    buf_text(out, "}\n");
}

void sheet_print_csv(struct buf *out, const struct sheet *s, const struct sheet_style *style)
{
    struct buf scratch = {0};
    buf_text(out, "tenant,source,start");
    for (int i = 0; i < COLUMN_COUNT; i++)
        buf_printf(out, ",%s", COLUMNS[i].name);
    buf_text(out, ",balanced\r\n");
    for (size_t i = 0; i < s->rows.count; i++) {
        const struct hour_sum *row = &s->rows.items[i];
        buf_printf(out, "%06" PRIu32 ",", row->tenant);
        row_text_csv(out, &scratch, s->sources[row->id], false);
        buf_byte(out, ',');
        if (row->start_ns != INT64_MIN)
            clock_print_zone(out, row->start_ns, style->wish->zone_minutes);
        for (int k = 0; k < COLUMN_COUNT; k++)
            buf_printf(out, ",%" PRIu64, column_of(&row->sum, k));
        buf_printf(out, ",%s\r\n", totals_balanced(&row->sum) ? "yes" : "no");
    }
    buf_release(&scratch);
}
