#include "detect/alert_line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "detect/rule_set.h"
#include "event/ndjson.h"

enum {
    JAPAN_MINUTES = 9 * 60,
    REAL_BYTES_MAX = 64,
    REAL_PLAIN_LEAST = 1000, /* from here on three digits would be printed with an exponent */
};

/* Behind a message whose host was found by other rows, by its `joined_by` (detect/held.h). */
static const struct joined_text {
    const char *by;
    const char *ja;
    const char *en;
} JOINED[] = {
    {"x-forwarded-for",
     "この端末は、{via} が中継した通信の X-Forwarded-For から特定しました（確度は高いです）。",
     " The host was found behind {via} by X-Forwarded-For (confidence: high)."},
    {"nat",
     "この端末は、アドレス変換（NAT）の記録により、{via} の背後から特定しました（確度は高いです）。",
     " The host was found behind {via} by the log of address translation (confidence: high)."},
    {"request",
     "この端末は、同じ頃に同じ要求をプロキシへ出した唯一の端末として、{via} の背後から特定しました"
     "（確度は中程度です）。",
     " The host was found behind {via}: no other asked a proxy for the same at the time "
     "(confidence: medium)."},
    {"destination",
     "この端末は、前後の時間に同じ宛先へ通信した唯一の端末として、{via} の背後から特定しました"
     "（確度は低めです。プロキシのログでも確認してください）。",
     " The host was found behind {via}: no other used a proxy to reach that address around the time "
     "(confidence: low; look at the proxy's log, too)."},
};

static void put_key(struct buf *out, const char *name)
{
    buf_text(out, ",\"");
    buf_text(out, name);
    buf_text(out, "\":");
}

static void put_text(struct buf *out, const char *name, struct slice text)
{
    put_key(out, name);
    ndjson_string(out, text);
}

static void put_number(struct buf *out, const char *name, int64_t number)
{
    put_key(out, name);
    buf_decimal(out, number);
}

static void put_time(struct buf *out, const char *name, int64_t ns)
{
    put_key(out, name);
    buf_byte(out, '"');
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void put_hex(struct buf *out, const struct alert_id *id)
{
    static const char DIGITS[] = "0123456789abcdef";
    buf_byte(out, '"');
    for (size_t i = 0; i < ALERT_ID_BYTES; i++) {
        buf_byte(out, DIGITS[id->bytes[i] >> 4]);
        buf_byte(out, DIGITS[id->bytes[i] & 15]);
    }
    buf_byte(out, '"');
}

/* --------------------------------------------------------------- texts with {names} */

static bool find_item(const struct episode *e, struct slice name, struct episode_item *out)
{
    size_t at = 0;
    while (episode_next_item(out, e, &at)) {
        if (slice_equal(out->name, name))
            return true;
    }
    return false;
}

static struct joined_text joined_text(const struct episode *e)
{
    struct episode_item by;
    if (find_item(e, SLICE("joined_by"), &by)) {
        for (size_t i = 0; i < sizeof(JOINED) / sizeof(JOINED[0]); i++) {
            if (slice_equal(by.value, slice_from(JOINED[i].by)))
                return JOINED[i];
        }
    }
    return (struct joined_text){.ja = "", .en = ""};
}

/* A time of an item as people in Japan read it; items hold RFC 3339. */
static void put_local_time(struct buf *out, struct slice value)
{
    int64_t ns = 0;
    if (clock_parse(&ns, value) != 0) {
        buf_slice(out, value);
        return;
    }
    struct clock_civil c;
    clock_to_civil(&c, ns + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE);
    buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d JST", c.year, c.month, c.day, c.hour, c.minute,
               c.second);
}

/* A real number with the digits that people take in; items hold more, for who computes again. */
static void put_short_real(struct buf *out, struct slice value)
{
    char text[REAL_BYTES_MAX];
    if (value.len >= sizeof(text)) {
        buf_slice(out, value);
        return;
    }
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    (void)snprintf(text, sizeof(text), "%.3g", strtod(text, NULL));
    double rounded = strtod(text, NULL);
    if (fabs(rounded) >= REAL_PLAIN_LEAST)
        buf_printf(out, "%.0f", rounded);
    else
        buf_text(out, text);
}

static void put_value(struct buf *out, const struct detect_run *run, const struct episode *e,
                      struct slice name)
{
    struct episode_item item;
    const struct detect_profile *p = run->tenant->o.profile;
    if (slice_equal(name, SLICE("tenant")))
        buf_slice(out, p->name);
    else if (slice_equal(name, SLICE("count")))
        buf_decimal(out, (int64_t)e->count);
    else if (!find_item(e, name, &item))
        buf_text(out, "-");
    else if (item.kind == FINDING_TIME)
        put_local_time(out, item.value);
    else if (item.kind == FINDING_REAL)
        put_short_real(out, item.value);
    else
        buf_slice(out, item.value);
}

/* A text with every {name} replaced. */
static void expand(struct buf *out, const struct detect_run *run, const struct episode *e,
                   const char *text)
{
    struct slice rest = slice_from(text);
    while (rest.len != 0) {
        const char *open = memchr(rest.data, '{', rest.len);
        const char *close =
            open == NULL ? NULL : memchr(open, '}', rest.len - (size_t)(open - rest.data));
        if (close == NULL) {
            buf_slice(out, rest);
            return;
        }
        buf_append(out, rest.data, (size_t)(open - rest.data));
        put_value(out, run, e, slice_of(open + 1, (size_t)(close - open) - 1));
        rest = slice_from_offset(rest, (size_t)(close - rest.data) + 1);
    }
}

static void put_expanded(struct buf *out, const struct detect_run *run, const struct episode *e,
                         const char *name, const char *text, const char *more)
{
    struct buf plain = {0};
    expand(&plain, run, e, text);
    expand(&plain, run, e, more);
    put_text(out, name, buf_content(&plain));
    if (!buf_ok(&plain))
        out->failed = true;
    buf_release(&plain);
}

/* ---------------------------------------------------------------------- parts of a line */

static void put_times(struct buf *out, const struct episode *e)
{
    put_number(out, "alert.count", (int64_t)e->count);
    put_time(out, "alert.first", e->first_ns);
    put_time(out, "alert.last", e->last_ns);
    put_time(out, "alert.arrival", e->arrival_ns);
}

static void put_techniques(struct buf *out, const char *ids)
{
    put_key(out, "threat.technique.id");
    buf_byte(out, '[');
    struct slice rest = slice_from(ids);
    for (bool first = true; rest.len != 0; first = false) {
        const char *blank = memchr(rest.data, ' ', rest.len);
        size_t len = blank == NULL ? rest.len : (size_t)(blank - rest.data);
        if (!first)
            buf_byte(out, ',');
        ndjson_string(out, slice_of(rest.data, len));
        rest = slice_from_offset(rest, blank == NULL ? len : len + 1);
    }
    buf_byte(out, ']');
}

static void put_rule(struct buf *out, const struct detector *d, const struct rule_entry *rule,
                     const struct detector_text *text)
{
    put_text(out, "rule.id", slice_from(rule == NULL ? d->id : rule->id));
    put_number(out, "rule.version", d->version);
    if (rule == NULL) {
        put_key(out, "rule.name");
        buf_byte(out, '"');
        buf_text(out, d->id);
        buf_byte(out, ' ');
        buf_text(out, text->name);
        buf_byte(out, '"');
    } else {
        put_text(out, "rule.name", slice_from(text->name));
    }
    if (text->technique[0] != '\0')
        put_techniques(out, text->technique);
}

static void put_items(struct buf *out, const struct episode *e, bool keys)
{
    struct episode_item item;
    size_t at = 0;
    while (episode_next_item(&item, e, &at)) {
        if (item.key != keys)
            continue;
        buf_text(out, keys ? ",\"" : ",\"explain.");
        buf_slice(out, item.name);
        buf_text(out, "\":");
        if (item.kind == FINDING_NUMBER || item.kind == FINDING_REAL)
            buf_slice(out, item.value);
        else
            ndjson_string(out, item.value);
    }
}

static void put_evidence(struct buf *out, const struct detect_run *run, const struct episode *e)
{
    bool first = true;
    buf_text(out, ",\"evidence\":[");
    for (uint8_t i = 0; i < e->place_count; i++) {
        const struct episode_place *p = &e->places[i];
        if (p->log_source == EPISODE_PLACE_NONE)
            continue;
        buf_text(out, first ? "\"" : ",\"");
        buf_slice(out, detect_topic(run, p->log_source));
        buf_printf(out, "/%" PRId32 "/%" PRId64 "/%" PRIu32 "\"", p->partition, p->offset, p->sub);
        first = false;
    }
    buf_byte(out, ']');
}

void alert_line_print(struct buf *out, const struct detect_run *run, const struct episode *e,
                      const struct alert_line *how)
{
    const struct detector *d = DETECTORS[e->detector];
    const struct rule_entry *rule =
        e->rule == 0 ? NULL : rule_set_find(run->tenant->o.shared->rules, e->rule);
    const struct detector_text *text = rule == NULL ? &d->texts[e->text] : &rule->text;
    const struct detect_profile *p = run->tenant->o.profile;
    const struct joined_text joined = joined_text(e);
    buf_text(out, "{\"alert.id\":");
    put_hex(out, &e->id);
    put_number(out, "alert.revision", e->revision);
    put_text(out, "alert.state", slice_from(alert_state_name(how->state)));
    if (how->superseded_by != NULL) {
        put_key(out, "alert.superseded_by");
        put_hex(out, how->superseded_by);
    }
    put_text(out, "alert.kind", slice_from(d->id));
    put_text(out, "alert.severity", slice_from(alert_severity_name(e->severity)));
    put_times(out, e);
    buf_printf(out, ",\"sekisho.tenant\":\"%06u\"", e->tenant != 0 ? e->tenant : p->tenant);
    put_text(out, "sekisho.tenant.name",
             e->tenant != 0 ? p->name_of(p->names, e->tenant) : p->name);
    put_rule(out, d, rule, text);
    put_expanded(out, run, e, "message.ja", text->message_ja, joined.ja);
    put_expanded(out, run, e, "message.en", text->message_en, joined.en);
    put_expanded(out, run, e, "action.ja", text->action_ja, "");
    put_expanded(out, run, e, "action.en", text->action_en, "");
    put_items(out, e, true);
    put_items(out, e, false);
    if (e->cut != 0)
        put_number(out, "explain.cut", e->cut);
    if (how->reason.len != 0)
        put_text(out, "explain.closed", how->reason);
    put_evidence(out, run, e);
    buf_byte(out, '}');
}
