#include "app/hunt_report.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/hash.h"
#include "event/ndjson.h"

enum {
    EVIDENCE_MAX = 16,
    JST_MINUTES = 9 * 60,
};

/* The findings of one entry: [first, end) of the result. */
struct group {
    size_t first;
    size_t end;
    const struct hunt_finding *oldest;
    uint64_t count;
    uint64_t refused;
    int64_t last_ns;
};

/* The next group from `at` on; false at the end. */
static bool next_group(struct group *out, const struct hunt_report *r, size_t at)
{
    const struct hunt_result *result = r->result;
    while (r->tenant != 0 && at < result->count && result->findings[at].tenant != r->tenant)
        at++;
    if (at == result->count)
        return false;
    *out = (struct group){.first = at, .end = at, .last_ns = INT64_MIN};
    uint32_t entry = result->findings[at].entry;
    while (out->end < result->count && result->findings[out->end].entry == entry) {
        const struct hunt_finding *f = &result->findings[out->end++];
        if (out->oldest == NULL || f->first_ns < out->oldest->first_ns)
            out->oldest = f;
        out->count += f->count;
        out->refused += f->refused;
        out->last_ns = f->last_ns > out->last_ns ? f->last_ns : out->last_ns;
        if (r->tenant != 0)
            break; /* a municipality has one for each entry */
    }
    return true;
}

size_t hunt_report_entries(const struct hunt_report *r)
{
    struct group g;
    size_t entries = 0;
    for (size_t at = 0; next_group(&g, r, at); at = g.end)
        entries++;
    return entries;
}

static struct slice tenant_name(const struct hunt_report *r, uint32_t tenant)
{
    return slice_from(r->config == NULL ? "" : config_tenant_name(r->config, tenant));
}

/* --- JSON --- */

static void put_key(struct buf *out, const char *key)
{
    bool first = out->len != 0 && out->data[out->len - 1] == '{';
    buf_printf(out, "%s\"%s\":", first ? "" : ",", key);
}

static void put_text(struct buf *out, const char *key, struct slice text)
{
    put_key(out, key);
    ndjson_string(out, text);
}

static void put_number(struct buf *out, const char *key, uint64_t number)
{
    put_key(out, key);
    buf_printf(out, "%" PRIu64, number);
}

static void put_time(struct buf *out, const char *key, int64_t ns)
{
    put_key(out, key);
    buf_byte(out, '"');
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void put_place(struct buf *out, const struct hunt_place *p)
{
    struct buf text = {0};
    buf_slice(&text, p->topic);
    buf_printf(&text, "/%" PRId32 "/%" PRId64 "/%" PRIu32, p->partition, p->offset, p->sub);
    ndjson_string(out, buf_content(&text));
    buf_release(&text);
}

/* A name for the entry's report: the same from every hunt for this version of the feed. */
static void put_id(struct buf *out, const struct hunt_report *r, const struct indicator_info *info)
{
    struct buf text = {0};
    uint8_t id[HASH_ID_BYTES];
    buf_printf(&text, "hunt %06" PRIu32 " %s ", r->tenant, indicator_kind_name(info->kind));
    buf_slice(&text, info->text);
    for (size_t i = 0; i < info->feed_count; i++) {
        buf_byte(&text, '\n');
        buf_slice(&text, info->feeds[i].name);
        buf_byte(&text, '\n');
        buf_slice(&text, info->feeds[i].version);
    }
    hash_id(id, buf_content(&text));
    buf_release(&text);
    put_key(out, "hunt.id");
    buf_byte(out, '"');
    for (size_t i = 0; i < sizeof(id); i++)
        buf_printf(out, "%02x", id[i]);
    buf_byte(out, '"');
}

static void put_feeds(struct buf *out, const struct indicator_info *info)
{
    if (info->feed_count == 0)
        return;
    put_text(out, "feed", info->feeds[0].name);
    put_text(out, "version", info->feeds[0].version);
    if (info->feeds[0].expires_ns != INT64_MAX)
        put_time(out, "expires", info->feeds[0].expires_ns);
    put_number(out, "feeds", info->feed_count + info->feeds_more);
}

/* Arrays of one length: which municipalities, how often, and when first. */
static void put_tenants(struct buf *out, const struct hunt_report *r, const struct group *g)
{
    const struct hunt_finding *f = r->result->findings;
    put_key(out, "hunt.tenants");
    for (size_t i = g->first; i < g->end; i++)
        buf_printf(out, "%s\"%06" PRIu32 "\"", i == g->first ? "[" : ",", f[i].tenant);
    buf_byte(out, ']');
    put_key(out, "hunt.tenants.count");
    for (size_t i = g->first; i < g->end; i++)
        buf_printf(out, "%s%" PRIu64, i == g->first ? "[" : ",", f[i].count);
    buf_byte(out, ']');
    put_key(out, "hunt.tenants.first");
    for (size_t i = g->first; i < g->end; i++) {
        buf_text(out, i == g->first ? "[\"" : ",\"");
        clock_print(out, f[i].first_ns);
        buf_byte(out, '"');
    }
    buf_byte(out, ']');
}

static void put_evidence(struct buf *out, const struct hunt_report *r, const struct group *g)
{
    size_t put = 0;
    put_key(out, "evidence");
    buf_byte(out, '[');
    for (size_t i = g->first; i < g->end && put < EVIDENCE_MAX; i++) {
        const struct hunt_finding *f = &r->result->findings[i];
        buf_text(out, put++ == 0 ? "" : ",");
        put_place(out, &f->first);
        if (f->count > 1 && put < EVIDENCE_MAX) {
            buf_byte(out, ',');
            put_place(out, &f->last);
            put++;
        }
    }
    buf_byte(out, ']');
}

/* To the second, for people. */
static void put_when(struct buf *out, int64_t ns, int32_t zone_minutes)
{
    int64_t rest = ns % CLOCK_NS_PER_SECOND;
    clock_print_zone(out, ns - (rest < 0 ? rest + CLOCK_NS_PER_SECOND : rest), zone_minutes);
}

static void say_ja(struct buf *out, const struct group *g, const struct indicator_info *info)
{
    buf_text(out, "脅威情報リスト「");
    buf_slice(out, info->feed_count == 0 ? SLICE("") : info->feeds[0].name);
    buf_text(out, "」に載っている ");
    buf_slice(out, info->text);
    buf_text(out, g->oldest->inbound ? " からの通信が、過去の記録に見つかりました。最初は "
                                     : " への通信が、過去の記録に見つかりました。最初は ");
    put_when(out, g->oldest->first_ns, JST_MINUTES);
    if (g->oldest->has_source && !g->oldest->inbound) {
        buf_text(out, "（端末 ");
        ip_print(out, &g->oldest->source);
        buf_text(out, "）");
    }
    buf_text(out, "、最後は ");
    put_when(out, g->last_ns, JST_MINUTES);
    buf_printf(out, "、%" PRIu64 " 件、うち装置が止めたもの %" PRIu64 " 件です。", g->count,
               g->refused);
    if (g->end - g->first > 1)
        buf_printf(out, "%zu 市町村にあります。", g->end - g->first);
}

static void say_en(struct buf *out, const struct group *g, const struct indicator_info *info)
{
    buf_slice(out, info->text);
    buf_text(out, ", which the list ");
    buf_slice(out, info->feed_count == 0 ? SLICE("") : info->feeds[0].name);
    buf_printf(out, " names, is in the history: %" PRIu64 " rows, %" PRIu64 " of them refused",
               g->count, g->refused);
    if (g->end - g->first > 1)
        buf_printf(out, ", in %zu municipalities", g->end - g->first);
    buf_text(out, "; first ");
    put_when(out, g->oldest->first_ns, JST_MINUTES);
    if (g->oldest->has_source && !g->oldest->inbound) {
        buf_text(out, " by host ");
        ip_print(out, &g->oldest->source);
    }
    buf_text(out, ", last ");
    put_when(out, g->last_ns, JST_MINUTES);
    buf_byte(out, '.');
}

static void put_messages(struct buf *out, const struct group *g, const struct indicator_info *info)
{
    struct buf text = {0};
    say_ja(&text, g, info);
    put_text(out, "message.ja", buf_content(&text));
    buf_reset(&text);
    say_en(&text, g, info);
    put_text(out, "message.en", buf_content(&text));
    buf_release(&text);
    put_text(
        out, "action.ja",
        SLICE(
            "本日中に、証跡の行（evidence）を開いて端末を特定してください。通信が許可されていた端末は"
            "ネットワークから切り離し（電源は切らない）、最初の時刻の前後の操作を利用者に確認して、県のSOCに"
            "連絡してください。"));
    put_text(
        out, "action.en",
        SLICE(
            "Today, open the rows of the evidence and find the host. Where the device let it through, take "
            "the host off the network (do not switch it off), ask its user what was done around the "
            "first time, and tell the SOC of the prefecture."));
}

static void put_group(struct buf *out, const struct hunt_report *r, const struct group *g)
{
    struct indicator_info info;
    indicator_describe(&info, r->set, g->oldest->entry, r->at_ns);
    buf_byte(out, '{');
    put_id(out, r, &info);
    if (r->tenant != 0) {
        struct buf code = {0};
        buf_printf(&code, "%06" PRIu32, r->tenant);
        put_text(out, "sekisho.tenant", buf_content(&code));
        put_text(out, "sekisho.tenant.name", tenant_name(r, r->tenant));
        buf_release(&code);
    }
    put_text(out, "threat.indicator.type", slice_from(indicator_kind_name(info.kind)));
    put_text(out, "threat.indicator.name", info.text);
    put_feeds(out, &info);
    put_number(out, "hunt.count", g->count);
    put_number(out, "hunt.refused", g->refused);
    put_time(out, "hunt.first", g->oldest->first_ns);
    put_time(out, "hunt.last", g->last_ns);
    if (g->oldest->has_source) {
        struct buf ip = {0};
        ip_print(&ip, &g->oldest->source);
        put_text(out, "source.ip", buf_content(&ip));
        buf_release(&ip);
    }
    if (r->tenant == 0)
        put_tenants(out, r, g);
    put_messages(out, g, &info);
    put_evidence(out, r, g);
    buf_text(out, "}\n");
}

/* Why an answer is not whole, in words of one kind each. */
static void put_missing(struct buf *out, const struct hunt_result *result)
{
    static const char *const ENDS[] = {[HUNT_WHOLE] = NULL,
                                       [HUNT_TIME] = "time",
                                       [HUNT_BYTES] = "bytes",
                                       [HUNT_STOPPED] = "stopped"};
    const char *before = "[";
    put_key(out, "hunt.missing");
    if (ENDS[result->end] != NULL) {
        buf_printf(out, "%s\"%s\"", before, ENDS[result->end]);
        before = ",";
    }
    if (result->damaged != 0) {
        buf_printf(out, "%s\"damaged\"", before);
        before = ",";
    }
    if (result->left_out != 0) {
        buf_printf(out, "%s\"findings\"", before);
        before = ",";
    }
    buf_text(out, before[0] == '[' ? "[]" : "]");
}

void hunt_report_json(struct buf *out, const struct hunt_report *r)
{
    const struct hunt_result *result = r->result;
    struct group g;
    for (size_t at = 0; next_group(&g, r, at); at = g.end)
        put_group(out, r, &g);
    buf_byte(out, '{');
    put_key(out, "hunt.complete");
    buf_text(out, hunt_is_whole(result) ? "true" : "false");
    put_missing(out, result);
    put_number(out, "hunt.indicators", indicator_set_entries(r->set));
    put_number(out, "hunt.found", hunt_report_entries(r));
    if (result->reached_ns != INT64_MAX)
        put_time(out, "hunt.searched_from", result->reached_ns);
    if (r->tenant == 0) { /* of all municipalities: not for one of them */
        put_number(out, "hunt.rows", result->rows);
        put_number(out, "hunt.batches", result->batches);
        put_number(out, "hunt.batches.skipped", result->batches_skipped);
        put_number(out, "hunt.bytes", result->bytes);
        put_number(out, "hunt.knocks", result->knocks);
        put_number(out, "hunt.damaged", result->damaged);
        put_number(out, "hunt.left_out", result->left_out);
    }
    buf_text(out, "}\n");
}

/* --- for people --- */

static void put_tenant_line(struct buf *out, const struct hunt_report *r,
                            const struct hunt_finding *f, int32_t zone_minutes)
{
    buf_printf(out, "  %06" PRIu32 "  ", f->tenant);
    put_when(out, f->first_ns, zone_minutes);
    buf_text(out, " .. ");
    put_when(out, f->last_ns, zone_minutes);
    buf_printf(out, "  %" PRIu64 " rows, %" PRIu64 " refused  ", f->count, f->refused);
    if (f->has_source)
        ip_print(out, &f->source);
    buf_text(out, "  ");
    escape_text(out, f->first.topic);
    buf_printf(out, "/%" PRId32 "/%" PRId64 "/%" PRIu32 "  ", f->first.partition, f->first.offset,
               f->first.sub);
    escape_text(out, tenant_name(r, f->tenant));
    buf_byte(out, '\n');
}

void hunt_report_table(struct buf *out, const struct hunt_report *r, int32_t zone_minutes)
{
    struct group g;
    for (size_t at = 0; next_group(&g, r, at); at = g.end) {
        struct indicator_info info;
        indicator_describe(&info, r->set, g.oldest->entry, r->at_ns);
        escape_text(out, info.text);
        buf_printf(out, "  %s", indicator_kind_name(info.kind));
        if (info.feed_count != 0) {
            buf_text(out, "  ");
            escape_text(out, info.feeds[0].name);
            buf_byte(out, ' ');
            escape_text(out, info.feeds[0].version);
        }
        buf_byte(out, '\n');
        for (size_t i = g.first; i < g.end; i++)
            put_tenant_line(out, r, &r->result->findings[i], zone_minutes);
    }
}

void hunt_report_summary(struct buf *out, const struct hunt_report *r)
{
    static const char *const ENDS[] = {[HUNT_WHOLE] = "",
                                       [HUNT_TIME] = "; the time was up",
                                       [HUNT_BYTES] = "; the limit of bytes was reached",
                                       [HUNT_STOPPED] = "; it was stopped"};
    const struct hunt_result *result = r->result;
    buf_printf(out,
               "%zu of %zu indicators found, %" PRIu64 " rows in %" PRIu64
               " batches looked at, %.1f MB read, %s",
               hunt_report_entries(r), indicator_set_entries(r->set), result->rows,
               result->batches - result->batches_skipped, (double)result->bytes / 1e6,
               hunt_is_whole(result) ? "complete" : "INCOMPLETE");
    buf_text(out, ENDS[result->end]);
    if (result->end != HUNT_WHOLE && result->reached_ns != INT64_MAX) {
        buf_text(out, ": what arrived before ");
        clock_print(out, result->reached_ns);
        buf_text(out, " was not searched");
    }
    if (result->damaged != 0)
        buf_printf(out, "; %" PRIu64 " damaged places were left out", result->damaged);
    if (result->left_out != 0)
        buf_printf(out, "; %" PRIu64 " rows of further findings were left out", result->left_out);
}
