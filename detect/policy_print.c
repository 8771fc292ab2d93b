#include "detect/policy_print.h"

#include "base/clock.h"
#include "base/escape.h"

enum {
    ROW_COLUMNS_MAX = 28, /* of a zone's name before the table */
    CELL_COLUMNS = 9,
    JAPAN_MINUTES = 9 * 60,
};

/* A page as it is written. */
struct page {
    struct buf *out;
    const struct policy *p;
    int64_t now_ns;
    bool japanese;
};

/* ----------------------------------------------------------------------------- text */

static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
           (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFE30 && c <= 0xFE4F) || (c >= 0xFF00 && c <= 0xFF60) ||
           (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x20000 && c <= 0x3FFFD);
}

size_t policy_text_columns(struct slice text)
{
    size_t columns = 0;
    while (text.len != 0) {
        uint32_t c = 0;
        size_t len = escape_utf8(&c, text);
        columns += len != 0 && is_wide(c) ? 2 : 1;
        text = slice_from_offset(text, len == 0 ? 1 : len);
    }
    return columns;
}

/* The text and blanks up to the width. */
static void put_padded(struct buf *out, struct slice text, size_t columns)
{
    buf_slice(out, text);
    for (size_t have = policy_text_columns(text); have < columns; have++)
        buf_byte(out, ' ');
}

static const char *pick(const struct page *page, const char *japanese, const char *english)
{
    return page->japanese ? japanese : english;
}

/* The Internet and "none" in words. */
static struct slice place_title(const struct policy *p, unsigned place, bool japanese)
{
    if (place == POLICY_PLACE_WORLD)
        return japanese ? SLICE("インターネット(外部)") : SLICE("Internet (outside)");
    if (place == 0)
        return japanese ? SLICE("所属のないアドレス") : SLICE("addresses in no zone");
    return policy_place_name(p, place);
}

static void put_place(const struct page *page, unsigned place)
{
    escape_text(page->out, place_title(page->p, place, page->japanese));
}

static void put_date(struct buf *out, int64_t ns)
{
    struct clock_civil c;
    clock_to_civil(&c, ns + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE);
    buf_printf(out, "%04d-%02d-%02d", c.year, c.month, c.day);
}

/* ---------------------------------------------------------------------------- matrix */

static const char *const SIGNS[POLICY_RULES] = {
    [POLICY_DENY] = "-",       [POLICY_ALLOW] = "OK",   [POLICY_GATEWAY] = "GW",
    [POLICY_SPECIAL] = "FLOW", [POLICY_CLOUD] = "GW+C", [POLICY_NEVER] = "NEVER",
};

/* Zones and the Internet, in the order of the table. */
static unsigned place_at(const struct policy *p, unsigned at)
{
    return at < policy_zone_count(p) ? at + 1 : POLICY_PLACE_WORLD;
}

static size_t name_columns(const struct page *page)
{
    size_t most = 0;
    for (unsigned i = 0; i <= policy_zone_count(page->p); i++) {
        struct slice name = place_title(page->p, place_at(page->p, i), page->japanese);
        size_t columns = policy_text_columns(name);
        most = columns > most ? columns : most;
    }
    return most < ROW_COLUMNS_MAX ? most : ROW_COLUMNS_MAX;
}

static void put_number(struct buf *out, const struct policy *p, unsigned at, size_t columns)
{
    struct buf text = {0};
    if (at < policy_zone_count(p))
        buf_printf(&text, "[%u]", at + 1);
    else
        buf_text(&text, "[*]");
    put_padded(out, buf_content(&text), columns);
    buf_release(&text);
}

static void put_matrix_row(const struct page *page, unsigned at, size_t width)
{
    struct buf text = {0};
    unsigned from = place_at(page->p, at);
    buf_text(page->out, "  ");
    put_number(page->out, page->p, at, 5);
    escape_text(&text, place_title(page->p, from, page->japanese));
    put_padded(page->out, buf_content(&text), width + 2);
    for (unsigned i = 0; i <= policy_zone_count(page->p); i++) {
        const struct policy_line *line = NULL;
        unsigned to = place_at(page->p, i);
        enum policy_rule rule = policy_between(page->p, from, to, &line);
        buf_reset(&text);
        if (from == POLICY_PLACE_WORLD && to == POLICY_PLACE_WORLD)
            buf_text(&text, ".");
        else
            buf_printf(&text, "%s%s", SIGNS[rule], line == NULL ? "" : "!");
        bool last = i == policy_zone_count(page->p);
        put_padded(page->out, buf_content(&text), last ? 0 : CELL_COLUMNS);
    }
    buf_byte(page->out, '\n');
    buf_release(&text);
}

static void put_matrix(const struct page *page)
{
    size_t width = name_columns(page);
    struct buf head = {0};
    buf_text(page->out, "  ");
    buf_text(&head, pick(page, "送信元 \\ 宛先", "from \\ to"));
    put_padded(page->out, buf_content(&head), width + 7);
    buf_release(&head);
    for (unsigned i = 0; i <= policy_zone_count(page->p); i++)
        put_number(page->out, page->p, i, i == policy_zone_count(page->p) ? 0 : CELL_COLUMNS);
    buf_byte(page->out, '\n');
    for (unsigned i = 0; i <= policy_zone_count(page->p); i++)
        put_matrix_row(page, i, width);
}

static void put_legend(const struct page *page)
{
    bool used[POLICY_RULES] = {false};
    bool written = false;
    for (unsigned a = 0; a <= policy_zone_count(page->p); a++) {
        for (unsigned b = 0; b <= policy_zone_count(page->p); b++) {
            const struct policy_line *line = NULL;
            used[policy_between(page->p, place_at(page->p, a), place_at(page->p, b), &line)] = true;
            written = written || line != NULL;
        }
    }
    for (unsigned rule = 0; rule < POLICY_RULES; rule++) {
        if (used[rule])
            buf_printf(page->out, "    %-6s %s\n", SIGNS[rule],
                       policy_rule_title(rule, page->japanese));
    }
    if (written)
        buf_printf(page->out, "    %-6s %s\n", "!",
                   pick(page, "団体が独自に定めた行", "a line that the municipality wrote"));
}

/* ---------------------------------------------------------------------- what widens it */

static void put_title(const struct page *page, const char *japanese, const char *english)
{
    buf_printf(page->out, "  %s\n", pick(page, japanese, english));
}

static void put_reason(const struct page *page, struct slice reason)
{
    if (reason.len != 0) {
        buf_text(page->out, pick(page, "、理由: ", "; reason: "));
        escape_text(page->out, reason);
    }
    buf_byte(page->out, '\n');
}

static void put_network(struct buf *out, const struct network *net)
{
    bool v4 = ip_is_v4(&net->ip) && net->prefix_bits >= 96;
    ip_print(out, &net->ip);
    if (net->prefix_bits != 128)
        buf_printf(out, "/%u", net->prefix_bits - (v4 ? 96U : 0U));
}

static void put_end(const struct page *page, const struct policy_end *end)
{
    switch (end->type) {
    case POLICY_END_PLACE:
        put_place(page, end->place);
        break;
    case POLICY_END_NETWORK:
        put_network(page->out, &end->network);
        break;
    case POLICY_END_DOMAIN:
        escape_text(page->out, end->domain);
        break;
    }
}

static void put_item(const struct page *page, struct slice name)
{
    buf_text(page->out, "    - ");
    escape_text(page->out, name);
    buf_text(page->out, ": ");
}

static void put_gateways(const struct page *page)
{
    const struct policy_options *l = policy_lists(page->p);
    if (l->gateway_count != 0)
        put_title(page, "登録された中継装置", "Registered gateways");
    for (size_t i = 0; i < l->gateway_count; i++) {
        const struct policy_gateway *g = &l->gateways[i];
        bool first = true;
        put_item(page, g->name);
        buf_printf(page->out, "%s, ", policy_role_title(g->role, page->japanese));
        put_network(page->out, &g->network);
        buf_text(page->out, ", ");
        for (unsigned place = 1; place < POLICY_PLACES; place++) {
            if ((g->joins >> place & 1) == 0)
                continue;
            buf_text(page->out, first ? "" : " <-> ");
            put_place(page, place);
            first = false;
        }
        put_reason(page, g->reason);
    }
}

static void put_ports(struct buf *out, const struct policy_flow *f)
{
    static const struct {
        uint8_t number;
        const char *name;
    } PROTOCOLS[] = {{6, "tcp"},     {17, "udp"}, {1, "icmp"},
                     {58, "icmpv6"}, {50, "esp"}, {47, "gre"}};
    if (f->protocol == 0 && f->port_count == 0)
        return;
    const char *name = f->protocol == 0 ? "any" : NULL;
    for (size_t i = 0; i < sizeof(PROTOCOLS) / sizeof(PROTOCOLS[0]); i++)
        name = PROTOCOLS[i].number == f->protocol ? PROTOCOLS[i].name : name;
    if (name == NULL)
        buf_printf(out, " %u", f->protocol);
    else
        buf_printf(out, " %s", name);
    for (uint8_t i = 0; i < f->port_count; i++) {
        buf_printf(out, "%s%u", i == 0 ? "/" : ",", f->ports[i].first);
        if (f->ports[i].last != f->ports[i].first)
            buf_printf(out, "-%u", f->ports[i].last);
    }
}

static void put_hours(const struct page *page, const struct policy_hours *hours)
{
    static const char *const DAYS[2][7] = {{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"},
                                           {"月", "火", "水", "木", "金", "土", "日"}};
    for (uint8_t i = 0; i < hours->count; i++) {
        const struct policy_span *s = &hours->spans[i];
        buf_text(page->out, ", ");
        for (unsigned day = 0; day < 7; day++) {
            if ((s->weekdays >> day & 1) != 0)
                buf_text(page->out, DAYS[page->japanese][day]);
        }
        if (s->weekdays == 0 && s->open && s->closed)
            buf_text(page->out, pick(page, "毎日", "daily"));
        else if (s->weekdays == 0)
            buf_text(page->out, s->open ? pick(page, "開庁日", "working days")
                                        : pick(page, "閉庁日", "days off"));
        buf_printf(page->out, " %02u:%02u-%02u:%02u", s->from_minute / 60U, s->from_minute % 60U,
                   s->to_minute / 60U, s->to_minute % 60U);
    }
}

static void put_flows(const struct page *page)
{
    const struct policy_options *l = policy_lists(page->p);
    if (l->flow_count != 0)
        put_title(page, "登録された特定通信", "Registered special flows");
    for (size_t i = 0; i < l->flow_count; i++) {
        const struct policy_flow *f = &l->flows[i];
        put_item(page, f->name);
        put_end(page, &f->from);
        buf_text(page->out, " -> ");
        put_end(page, &f->to);
        put_ports(page->out, f);
        put_hours(page, &f->hours);
        if (f->until_ns != INT64_MAX) {
            buf_text(page->out, pick(page, "、期限 ", ", until "));
            put_date(page->out, f->until_ns - 1);
            if (page->now_ns != CLOCK_NONE && page->now_ns >= f->until_ns)
                buf_text(page->out, pick(page, " (期限切れ)", " (over)"));
        }
        put_reason(page, f->reason);
    }
}

static void put_clouds(const struct page *page)
{
    const struct policy_options *l = policy_lists(page->p);
    if (l->cloud_count != 0)
        put_title(page, "指定クラウド", "Named clouds");
    for (size_t i = 0; i < l->cloud_count; i++) {
        put_item(page, l->clouds[i].name);
        put_end(page, &l->clouds[i].to);
        buf_byte(page->out, '\n');
    }
}

static void put_lines(const struct page *page)
{
    const struct policy_options *l = policy_lists(page->p);
    if (l->line_count != 0)
        put_title(page, "独自に定めた行", "Lines of its own");
    for (size_t i = 0; i < l->line_count; i++) {
        const struct policy_line *line = &l->lines[i];
        buf_text(page->out, "    - ");
        put_place(page, line->from);
        buf_text(page->out, " -> ");
        put_place(page, line->to);
        buf_printf(page->out, ": %s", policy_rule_title(line->rule, page->japanese));
        put_reason(page, line->reason);
    }
}

void policy_print(struct buf *out, const struct policy *p, int64_t now_ns, bool japanese)
{
    struct page page = {.out = out, .p = p, .now_ns = now_ns, .japanese = japanese};
    put_matrix(&page);
    put_legend(&page);
    put_gateways(&page);
    put_flows(&page);
    put_clouds(&page);
    put_lines(&page);
}

/* ------------------------------------------------------------------- one judgement */

static void explain_matrix(struct buf *out, const struct policy *p,
                           const struct policy_judgement *j, bool japanese)
{
    const char *by = policy_model_title(policy_model_of(p), japanese);
    if (j->cause == POLICY_BY_LINE)
        by = japanese ? "団体独自の行" : "the municipality's own line";
    buf_printf(out, "%s: ", by);
    buf_slice(out, place_title(p, j->from, japanese));
    buf_text(out, japanese ? "→" : " -> ");
    buf_slice(out, place_title(p, j->to, japanese));
    buf_printf(out, japanese ? "は%s" : ": %s", policy_rule_title(j->rule, japanese));
}

/* What, its name in quotes, and how it is with it. */
static void put_named(struct buf *out, bool ja, struct slice name, const char *before,
                      const char *after)
{
    buf_text(out, before);
    buf_text(out, ja ? "「" : " \"");
    buf_slice(out, name);
    buf_text(out, ja ? "」" : "\"");
    buf_text(out, after);
}

void policy_explain(struct buf *out, const struct policy *p, const struct policy_judgement *j,
                    bool japanese)
{
    const struct policy_options *l = policy_lists(p);
    const char *flow = japanese ? "特定通信" : "special flow";
    switch ((enum policy_cause)j->cause) {
    case POLICY_BY_ZONE:
        buf_text(out, japanese ? "同じ領域の中の通信" : "within one zone");
        return;
    case POLICY_BY_MODEL:
    case POLICY_BY_LINE:
        explain_matrix(out, p, j, japanese);
        return;
    case POLICY_BY_GATEWAY:
        put_named(out, japanese, l->gateways[j->item].name, japanese ? "中継装置" : "gateway", "");
        return;
    case POLICY_BY_FLOW:
        put_named(out, japanese, l->flows[j->item].name, flow, "");
        return;
    case POLICY_BY_CLOUD:
        put_named(out, japanese, l->clouds[j->item].name, japanese ? "指定クラウド" : "named cloud",
                  "");
        return;
    case POLICY_BY_EXPIRY:
        put_named(out, japanese, l->flows[j->item].name, flow,
                  japanese ? "は期限切れ(最終日 " : " is over (last day ");
        put_date(out, l->flows[j->item].until_ns - 1);
        buf_byte(out, ')');
        return;
    case POLICY_BY_HOURS:
        put_named(out, japanese, l->flows[j->item].name, flow,
                  japanese ? "は時間外" : " does not hold at this hour");
        return;
    case POLICY_BY_NOWHERE:
        buf_text(out, japanese ? "どの領域にも登録されていないアドレス"
                               : "an address that is registered in no zone");
        return;
    }
}
