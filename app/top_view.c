#include "app/top_view.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/escape.h"

enum {
    ALERT_ROWS_SHARE = 3, /* of the rows of both tables one in so many is for alerts */
    ALERT_ROWS_MAX = 10,
    PLAIN_ALERTS = 5,   /* in a block without an end */
    WIDE_COLUMNS = 100, /* of a terminal that has room for dates */
    TABLE_ROWS = 3,     /* the heads of both tables and the blank between */
};

struct top_source {
    struct slice label; /* municipality/source; of the page */
    double events;
    double unparsed;
    double stored_bytes;
    double lag;
    double last_arrival_s;
    double rate; /* lines a second */
    double silent_s;
    double alerts;
};

/* A page and its sources. */
struct look {
    struct status_page page;
    int64_t now_ns;
    int64_t monotonic_ns;
    struct top_source *sources;
    size_t count;
};

struct top_alert {
    char text[TOP_ALERT_TEXT_MAX];
    size_t len;
    int64_t first_ns;
};

struct top_view {
    struct alert_print how;
    struct look before;
    struct look now;
    bool lost;
    struct top_source **order; /* of the sources of the newest look */
    struct top_alert alerts[TOP_ALERTS_MAX];
    size_t alert_count; /* ever; the newest is at (alert_count - 1) % TOP_ALERTS_MAX */
    struct buf line;
};

int top_view_new(struct top_view **out, const struct alert_print *how)
{
    struct top_view *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return ERR_NOMEM;
    v->how = *how;
    v->before.sources = calloc(TOP_SOURCES_MAX, sizeof(*v->before.sources));
    v->now.sources = calloc(TOP_SOURCES_MAX, sizeof(*v->now.sources));
    v->order = calloc(TOP_SOURCES_MAX, sizeof(struct top_source *));
    if (v->before.sources == NULL || v->now.sources == NULL || v->order == NULL) {
        top_view_free(v);
        return ERR_NOMEM;
    }
    *out = v;
    return 0;
}

void top_view_free(struct top_view *v)
{
    if (v == NULL)
        return;
    status_page_release(&v->before.page);
    status_page_release(&v->now.page);
    free(v->before.sources);
    free(v->now.sources);
    free(v->order);
    buf_release(&v->line);
    free(v);
}

/* ------------------------------------------------------------------------------ sources */

/* A metric's cells come in the order in which sources were made: look behind the last one first. */
static struct top_source *source_of(struct look *l, struct slice label, size_t *hint)
{
    for (size_t i = 0; i < l->count; i++) {
        size_t at = (*hint + i) % l->count;
        if (slice_equal(l->sources[at].label, label)) {
            *hint = (at + 1) % l->count;
            return &l->sources[at];
        }
    }
    return NULL;
}

static void set_value(struct top_source *s, struct slice name, double value)
{
    if (slice_equal(name, SLICE("sekisho_unparsed")))
        s->unparsed = value;
    else if (slice_equal(name, SLICE("sekisho_stored_bytes")))
        s->stored_bytes = value;
    else if (slice_equal(name, SLICE("sekisho_lag_records")))
        s->lag = value;
    else if (slice_equal(name, SLICE("sekisho_last_arrival_seconds")))
        s->last_arrival_s = value;
}

/* Alerts are counted by municipality: every source of it shows them. */
static void add_alerts(struct look *l, const struct status_row *row)
{
    const char *slash = row->label.len == 0 ? NULL : memchr(row->label.data, '/', row->label.len);
    if (slash == NULL)
        return;
    struct slice tenant = slice_of(row->label.data, (size_t)(slash - row->label.data) + 1);
    for (size_t i = 0; i < l->count; i++) {
        if (slice_starts(l->sources[i].label, tenant))
            l->sources[i].alerts += row->value;
    }
}

static void read_sources(struct look *l)
{
    size_t hint = 0;
    l->count = 0;
    for (size_t i = 0; i < l->page.count; i++) {
        const struct status_row *r = &l->page.rows[i];
        if (slice_equal(r->name, SLICE("sekisho_events")) && l->count < TOP_SOURCES_MAX)
            l->sources[l->count++] =
                (struct top_source){.label = r->label, .events = r->value, .lag = -1};
    }
    for (size_t i = 0; i < l->page.count; i++) {
        const struct status_row *r = &l->page.rows[i];
        struct top_source *s = r->label.len == 0 ? NULL : source_of(l, r->label, &hint);
        if (slice_equal(r->name, SLICE("sekisho_alerts")))
            add_alerts(l, r);
        else if (s != NULL)
            set_value(s, r->name, r->value);
    }
}

static double seconds_between(const struct top_view *v)
{
    double s = (double)(v->now.monotonic_ns - v->before.monotonic_ns) / 1e9;
    return s > 0 ? s : 1;
}

/* A collector that was started anew counts from zero: no rate below that. */
static double rate_of(const struct top_view *v, double before, double now)
{
    return now > before && v->before.page.count != 0 ? (now - before) / seconds_between(v) : 0;
}

static bool is_silent(const struct top_source *s)
{
    return s->silent_s >= TOP_SILENT_S;
}

/* What needs a look first: the silent, the longest first; then the busiest. */
static int attention(const void *x, const void *y)
{
    struct top_source *const *left_item = x;
    struct top_source *const *right_item = y;
    const struct top_source *a = *left_item;
    const struct top_source *b = *right_item;
    if (is_silent(a) != is_silent(b))
        return is_silent(a) ? -1 : 1;
    double left = is_silent(a) ? a->silent_s : a->rate;
    double right = is_silent(a) ? b->silent_s : b->rate;
    if (left < right || left > right)
        return left > right ? -1 : 1;
    return slice_compare(a->label, b->label);
}

void top_view_page(struct top_view *v, struct status_page *page, int64_t now_ns,
                   int64_t monotonic_ns)
{
    struct look old = v->before;
    status_page_release(&old.page);
    v->before = v->now;
    v->now = (struct look){
        .page = *page, .now_ns = now_ns, .monotonic_ns = monotonic_ns, .sources = old.sources};
    *page = (struct status_page){0};
    v->lost = false;
    read_sources(&v->now);
    size_t hint = 0;
    for (size_t i = 0; i < v->now.count; i++) {
        struct top_source *s = &v->now.sources[i];
        const struct top_source *was = source_of(&v->before, s->label, &hint);
        s->rate = rate_of(v, was == NULL ? 0 : was->events, s->events);
        s->silent_s = s->last_arrival_s > 0 ? (double)now_ns / 1e9 - s->last_arrival_s : -1;
        v->order[i] = s;
    }
    if (v->now.count != 0)
        qsort(v->order, v->now.count, sizeof(struct top_source *), attention);
}

void top_view_lost(struct top_view *v)
{
    v->lost = true;
}

/* ------------------------------------------------------------------------------ alerts */

static void keep_alert(struct top_view *v, const struct alert_record *record)
{
    struct output_alert a;
    struct buf text = {0};
    (void)output_alert_read(&a, record);
    buf_printf(&text, "  [%s] ", alert_print_severity(&v->how, a.severity));
    escape_text(&text, slice_from(a.tenant_name));
    buf_printf(&text, " (%06" PRIu32 ") ", record->tenant);
    escape_text(&text, slice_from(a.kind));
    buf_text(&text, ": ");
    escape_text(&text, slice_from(v->how.japanese ? a.message_ja : a.message_en));
    struct slice cut = output_text_cut(buf_string(&text), TOP_ALERT_TEXT_MAX);
    struct top_alert *to = &v->alerts[v->alert_count++ % TOP_ALERTS_MAX];
    memcpy(to->text, cut.data, cut.len);
    to->len = cut.len;
    to->first_ns = a.first_ns;
    buf_release(&text);
    output_alert_release(&a);
}

int top_view_alerts(struct top_view *v, struct log_reader *reader)
{
    struct frame_view frame;
    struct slice blob;
    int err = 0;
    while ((err = ledger_read(&frame, reader, NULL)) == 0) {
        struct frame_items alerts = frame.alerts;
        while (frame_next_blob(&blob, &alerts)) {
            struct alert_record record;
            if (alert_record_take(&record, blob) == 0 && record.revision == 1)
                keep_alert(v, &record);
        }
    }
    return err == ERR_AGAIN ? 0 : err;
}

/* ------------------------------------------------------------------------------ lines */

/* Columns of a character on a terminal: 2 for East Asian wide and full-width ones. */
static unsigned columns_of(uint32_t point)
{
    static const struct {
        uint32_t from;
        uint32_t to;
    } WIDE[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},  {0xac00, 0xd7a3}, {0xf900, 0xfaff},
                {0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
                {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    for (size_t i = 0; i < sizeof(WIDE) / sizeof(WIDE[0]); i++) {
        if (point >= WIDE[i].from && point <= WIDE[i].to)
            return 2;
    }
    return 1;
}

/* Append v->line, cut to the columns, and empty it. */
static void end_line(struct top_view *v, const struct top_size *size, struct buf *out)
{
    struct slice rest = buf_content(&v->line);
    unsigned used = 0;
    while (rest.len != 0) {
        uint32_t point = 0;
        size_t len = escape_utf8(&point, rest);
        unsigned columns = len == 0 ? 1 : columns_of(point);
        if (size->columns != 0 && used + columns > size->columns)
            break;
        if (len == 0)
            buf_byte(out, '?');
        else
            buf_append(out, rest.data, len);
        used += columns;
        rest = slice_from_offset(rest, len == 0 ? 1 : len);
    }
    buf_byte(out, '\n');
    buf_reset(&v->line);
}

static double value(const struct look *l, const char *name)
{
    return status_page_value(&l->page, name, SLICE(""), 0);
}

static double rate(const struct top_view *v, const char *name)
{
    return rate_of(v, value(&v->before, name), value(&v->now, name));
}

static void print_title(struct top_view *v, const struct top_size *size, struct buf *out)
{
    bool up = value(&v->now, "sekisho_kafka_up") > 0;
    buf_text(&v->line, "sekisho top  ");
    alert_print_time(&v->line, &v->how, v->now.now_ns);
    buf_printf(&v->line, "  kafka %s, %.0f partitions", up ? "up" : "DOWN",
               value(&v->now, "sekisho_kafka_partitions"));
    if (v->lost)
        buf_text(&v->line, v->how.japanese ? "  ** 収集プロセスが応答しません **"
                                           : "  ** NO COLLECTOR ANSWERS **");
    end_line(v, size, out);
}

static void print_totals(struct top_view *v, const struct top_size *size, struct buf *out)
{
    struct top_source all = {0};
    for (size_t i = 0; i < v->now.count; i++) {
        const struct top_source *s = &v->now.sources[i];
        all.rate += s->rate;
        all.events += s->events;
        all.unparsed += s->unparsed;
        all.lag += s->lag > 0 ? s->lag : 0;
    }
    buf_printf(&v->line,
               v->how.japanese ? "毎秒%.0f行  計%.0f行  解析できず%.2f%%  遅れ%.0f件"
                               : "%.0f lines/s  %.0f events  %.2f%% unparsed  lag %.0f",
               all.rate, all.events, all.events > 0 ? all.unparsed / all.events * 100 : 0, all.lag);
    buf_printf(&v->line,
               v->how.japanese ? "  ログ%.1f MB  到着から保存まで p50 %.0f ms, p99 %.0f ms"
                               : "  log %.1f MB  arrival to log p50 %.0f ms, p99 %.0f ms",
               value(&v->now, "sekisho_log_bytes") / 1e6,
               value(&v->now, "sekisho_latency_p50_seconds") * 1e3,
               value(&v->now, "sekisho_latency_p99_seconds") * 1e3);
    end_line(v, size, out);
    if (value(&v->now, "sekisho_log_waiting") > 0) {
        buf_text(&v->line, v->how.japanese
                               ? "** ログの空きがありません: 取り込みを待たせています **"
                               : "** THE LOG HAS NO ROOM: the intake waits; free disk space or "
                                 "raise limits.log_bytes **");
        end_line(v, size, out);
    }
    if (value(&v->now, "sekisho_reload_refused") > 0) {
        buf_text(&v->line,
                 v->how.japanese
                     ? "** 設定の再読込みに失敗: 以前の設定のまま動作中 (sekisho check で確認) **"
                     : "** THE LAST RELOAD WAS REFUSED: the configuration before it stays in "
                       "force; see sekisho check **");
        end_line(v, size, out);
    }
}

/* What the processor does, by stage. */
static void print_cost(struct top_view *v, const struct top_size *size, struct buf *out)
{
    double cpu = rate(v, "sekisho_cpu_seconds");
    double workers = rate(v, "sekisho_cpu_workers_seconds");
    double commit = rate(v, "sekisho_cpu_commit_seconds");
    double rest = cpu > workers + commit ? cpu - workers - commit : 0;
    buf_printf(&v->line,
               v->how.japanese
                   ? "CPU %.2f コア (解析・検知 %.2f, 保存 %.2f, 受信ほか %.2f)  メモリ %.0f MB"
                   : "cpu %.2f cores (workers %.2f, commit %.2f, kafka and rest %.2f)  "
                     "memory %.0f MB",
               cpu, workers, commit, rest, value(&v->now, "sekisho_resident_bytes") / 1e6);
    double lost = value(&v->now, "sekisho_kafka_ranges_lost");
    double quarantined = value(&v->now, "sekisho_kafka_ranges_quarantined");
    if (lost > 0 || quarantined > 0) {
        buf_printf(&v->line,
                   v->how.japanese ? "  欠落 %.0f, 隔離 %.0f" : "  LOST %.0f, quarantined %.0f",
                   lost, quarantined);
    }
    end_line(v, size, out);
}

/* What filters took out of rules since the start. */
static double hidden_hits(const struct status_page *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (slice_equal(p->rows[i].name, SLICE("sekisho_filter_hidden")))
            sum += p->rows[i].value;
    }
    return sum;
}

/* Whom alerts go to, who does not take them, and what filters kept from becoming any. */
static void print_outputs(struct top_view *v, const struct top_size *size, struct buf *out)
{
    const struct status_page *p = &v->now.page;
    for (size_t i = 0; i < p->count; i++) {
        const struct status_row *r = &p->rows[i];
        if (!slice_equal(r->name, SLICE("sekisho_output_delivered")))
            continue;
        if (v->line.len == 0)
            buf_text(&v->line, v->how.japanese ? "警報の送り先" : "alerts to");
        buf_text(&v->line, "  ");
        escape_text(&v->line, r->label);
        buf_printf(&v->line, " %.0f", r->value);
        double behind = status_page_value(p, "sekisho_output_behind", r->label, 0);
        if (behind > 0)
            buf_printf(&v->line, v->how.japanese ? " (未送信 %.0f)" : " (%.0f behind)", behind);
        if (status_page_value(p, "sekisho_output_open", r->label, 0) > 0)
            buf_text(&v->line, v->how.japanese ? " 停止中!" : " DOWN!");
    }
    double hidden = hidden_hits(p);
    if (hidden > 0) {
        buf_printf(&v->line,
                   v->how.japanese ? "  フィルタで除外 %.0f" : "  taken out by filters %.0f",
                   hidden);
    }
    if (v->line.len != 0)
        end_line(v, size, out);
}

/* ------------------------------------------------------------------------------ the table */

/* Behind the label, from the left; narrow terminals lack those of the highest `sacrifice`. */
static const struct {
    const char *english;
    const char *japanese;
    unsigned columns; /* with the blank before it */
    unsigned sacrifice;
} CELLS[] = {
    {"lines/s", "行/秒", 11, 1}, {"events", "累計行数", 13, 6}, {"unparsed", "解析不可", 10, 5},
    {"B/event", "B/行", 9, 7},   {"lag", "遅れ", 10, 3},        {"silent", "無通信", 11, 2},
    {"alerts", "警報", 8, 4},
};

enum {
    CELL_RATE,
    CELL_EVENTS,
    CELL_UNPARSED,
    CELL_SIZE,
    CELL_LAG,
    CELL_SILENT,
    CELL_ALERTS,
    CELL_COUNT,
    LABEL_COLUMNS = 24,
    LABEL_COLUMNS_NARROW = 14, /* where a terminal has no more than twice that for the rest */
    NARROW_COLUMNS = 50,
};

static_assert(sizeof(CELLS) / sizeof(CELLS[0]) == CELL_COUNT, "one for each");

/* Cells up to this sacrifice fit beside a label of *label columns. */
static unsigned choose_cells(unsigned *label, const struct top_size *size)
{
    unsigned most = CELL_COUNT;
    *label = size->columns == 0 || size->columns >= NARROW_COLUMNS ? LABEL_COLUMNS
                                                                   : LABEL_COLUMNS_NARROW;
    for (; most > 1; most--) {
        unsigned width = *label;
        for (size_t i = 0; i < CELL_COUNT; i++)
            width += CELLS[i].sacrifice <= most ? CELLS[i].columns : 0;
        if (size->columns == 0 || width <= size->columns)
            break;
    }
    return most;
}

static unsigned text_columns(struct slice text)
{
    unsigned columns = 0;
    while (text.len != 0) {
        uint32_t point = 0;
        size_t len = escape_utf8(&point, text);
        columns += len == 0 ? 1 : columns_of(point);
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
    return columns;
}

static void put_blanks(struct buf *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        buf_byte(out, ' ');
}

/* To the right of its cell. */
static void put_cell(struct buf *out, size_t cell, struct slice text)
{
    unsigned columns = text_columns(text);
    put_blanks(out, columns < CELLS[cell].columns ? CELLS[cell].columns - columns : 1);
    buf_slice(out, text);
}

static void put_label(struct buf *out, struct slice text, unsigned columns)
{
    unsigned used = text_columns(text);
    buf_slice(out, text);
    put_blanks(out, used < columns ? columns - used : 0);
}

static void put_value(struct buf *text, const struct top_source *s, size_t cell)
{
    double some = s->events > 0 ? s->events : 1;
    if ((cell == CELL_LAG && s->lag < 0) || (cell == CELL_SILENT && s->silent_s < 0)) {
        buf_text(text, cell == CELL_SILENT ? "- " : "-");
        return;
    }
    switch (cell) {
    case CELL_RATE:
        buf_printf(text, "%.1f", s->rate);
        break;
    case CELL_EVENTS:
        buf_printf(text, "%.0f", s->events);
        break;
    case CELL_UNPARSED:
        buf_printf(text, "%.2f%%", s->unparsed / some * 100);
        break;
    case CELL_SIZE:
        buf_printf(text, "%.1f", s->stored_bytes / some);
        break;
    case CELL_LAG:
        buf_printf(text, "%.0f", s->lag);
        break;
    case CELL_SILENT:
        buf_printf(text, "%.0fs%c", s->silent_s, is_silent(s) ? '!' : ' ');
        break;
    default:
        buf_printf(text, "%.0f", s->alerts);
        break;
    }
}

static void print_table_head(struct top_view *v, const struct top_size *size, struct buf *out)
{
    unsigned label = 0;
    unsigned most = choose_cells(&label, size);
    put_label(&v->line, slice_from(v->how.japanese ? "自治体/機器" : "municipality/source"), label);
    for (size_t i = 0; i < CELL_COUNT; i++) {
        if (CELLS[i].sacrifice <= most)
            put_cell(&v->line, i,
                     slice_from(v->how.japanese ? CELLS[i].japanese : CELLS[i].english));
    }
    end_line(v, size, out);
}

static void print_source(struct top_view *v, const struct top_source *s,
                         const struct top_size *size, struct buf *out)
{
    struct buf text = {0};
    unsigned label = 0;
    unsigned most = choose_cells(&label, size);
    escape_text(&text, s->label);
    put_label(&v->line, buf_content(&text), label);
    for (size_t i = 0; i < CELL_COUNT; i++) {
        if (CELLS[i].sacrifice > most)
            continue;
        buf_reset(&text);
        put_value(&text, s, i);
        put_cell(&v->line, i, buf_content(&text));
    }
    buf_release(&text);
    end_line(v, size, out);
}

static void print_sources(struct top_view *v, const struct top_size *size, size_t most,
                          struct buf *out)
{
    size_t shown = v->now.count < most ? v->now.count : most;
    if (shown < v->now.count && shown > 0)
        shown--;
    print_table_head(v, size, out);
    for (size_t i = 0; i < shown; i++)
        print_source(v, v->order[i], size, out);
    if (shown < v->now.count && most > 0) {
        buf_printf(&v->line, v->how.japanese ? "ほか %zu 件" : "and %zu more",
                   v->now.count - shown);
        end_line(v, size, out);
    }
}

/* ------------------------------------------------------------------------------ all of it */

static size_t alerts_kept(const struct top_view *v)
{
    return v->alert_count < TOP_ALERTS_MAX ? v->alert_count : TOP_ALERTS_MAX;
}

/* Where there is little room the date is that of the head. */
static void put_alert_time(struct top_view *v, const struct top_size *size, int64_t ns)
{
    static const char DATE[] = "2026-10-05 ";
    static const char CLOCK[] = "09:00:19";
    struct buf text = {0};
    alert_print_time(&text, &v->how, ns);
    struct slice shown = buf_content(&text);
    if (size->columns != 0 && size->columns < WIDE_COLUMNS && shown.len > sizeof(DATE))
        shown = slice_of(shown.data + sizeof(DATE) - 1, sizeof(CLOCK) - 1);
    buf_slice(&v->line, shown);
    buf_release(&text);
}

/* The newest first. */
static void print_alerts(struct top_view *v, const struct top_size *size, size_t most,
                         struct buf *out)
{
    size_t count = alerts_kept(v) < most ? alerts_kept(v) : most;
    buf_byte(out, '\n');
    buf_text(&v->line, v->alert_count == 0
                           ? (v->how.japanese ? "警報はまだありません" : "no alerts yet")
                       : v->how.japanese ? "新しい警報"
                                         : "newest alerts");
    end_line(v, size, out);
    for (size_t i = 0; i < count; i++) {
        const struct top_alert *a = &v->alerts[(v->alert_count - 1 - i) % TOP_ALERTS_MAX];
        put_alert_time(v, size, a->first_ns);
        buf_append(&v->line, a->text, a->len);
        end_line(v, size, out);
    }
}

void top_view_print(struct top_view *v, const struct top_size *size, struct buf *out)
{
    size_t used = TABLE_ROWS;
    size_t start = out->len;
    print_title(v, size, out);
    print_totals(v, size, out);
    print_cost(v, size, out);
    print_outputs(v, size, out);
    buf_byte(out, '\n');
    for (size_t i = start; i < out->len; i++)
        used += out->data[i] == '\n';
    size_t room = size->rows == 0 ? SIZE_MAX : size->rows > used ? size->rows - used : 0;
    size_t alerts = size->rows == 0 ? PLAIN_ALERTS : room / ALERT_ROWS_SHARE;
    alerts = alerts < ALERT_ROWS_MAX ? alerts : ALERT_ROWS_MAX;
    alerts = alerts < alerts_kept(v) ? alerts : alerts_kept(v);
    print_sources(v, size, room - alerts, out);
    print_alerts(v, size, alerts, out);
}
