/* app/source_json.c - the report of `source try` for programs: one JSON object a line. */
#include <inttypes.h>

#include "app/source_try.h"
#include "base/clock.h"
#include "event/ndjson.h"

static void key_text(struct buf *out, const char *key, struct slice value)
{
    buf_printf(out, ",\"%s\":", key);
    ndjson_string(out, value);
}

static void key_word(struct buf *out, const char *key, const char *value)
{
    key_text(out, key, slice_from(value));
}

static void key_number(struct buf *out, const char *key, uint64_t value)
{
    buf_printf(out, ",\"%s\":%" PRIu64, key, value);
}

static void key_time(struct buf *out, const char *key, int64_t ns)
{
    buf_printf(out, ",\"%s\":\"", key);
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void key_flag(struct buf *out, const char *key, bool value)
{
    buf_printf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void share_json(struct buf *out, const char *kind, const struct sample_share *share)
{
    buf_printf(out, "{\"try\":\"%s\"", kind);
    key_word(out, "sekisho.format", share->name == NULL ? "none" : share->name);
    if (share->rows != 0)
        key_number(out, "lines", share->rows);
    key_number(out, "parsed", share->parsed);
    buf_text(out, "}\n");
}

static void formats_json(struct buf *out, const struct source_try *t)
{
    const struct sample_formats *f = &t->formats;
    buf_text(out, "{\"try\":\"format\"");
    key_word(out, "sekisho.format", f->name);
    key_word(out, "certainty", sample_certainty_name(f->certainty));
    key_number(out, "lines", t->rows);
    key_number(out, "parsed", t->parsed);
    buf_text(out, "}\n");
    for (size_t i = 0; i < f->share_count; i++)
        share_json(out, "share", &f->shares[i]);
    for (size_t i = 0; i < f->rival_count; i++)
        share_json(out, "rival", &f->rivals[i]);
}

static void envelope_json(struct buf *out, const struct source_try *t)
{
    if (t->envelope.key == NULL)
        return;
    buf_text(out, "{\"try\":\"envelope\"");
    key_word(out, "key", t->envelope.key);
    key_word(out, "sekisho.format", t->envelope.format);
    key_number(out, "lines", t->envelope.lines);
    key_number(out, "tried", t->envelope.tried);
    buf_text(out, "}\n");
}

static void unparsed_json(struct buf *out, const struct source_try *t)
{
    for (size_t i = 0; i < t->unparsed_count; i++) {
        buf_text(out, "{\"try\":\"unparsed\"");
        key_number(out, "line", t->sample.numbers[t->unparsed[i].at]);
        key_text(out, "sekisho.parse.error", reason_code(t->unparsed[i].reason));
        key_text(out, "event.original", sample_text(&t->sample, t->unparsed[i].at));
        buf_text(out, "}\n");
    }
}

static void fields_json(struct buf *out, const struct source_try *t)
{
    const struct field_info *info = NULL;
    for (size_t at = 0; (info = field_next(&at)) != NULL;) {
        if (t->values[info->id] == 0)
            continue;
        buf_text(out, "{\"try\":\"field\"");
        key_text(out, "field", info->name);
        key_number(out, "lines", t->values[info->id]);
        buf_text(out, "}\n");
    }
}

static void clock_json(struct buf *out, const struct source_try *t)
{
    const struct sample_clock *c = &t->clock;
    buf_text(out, "{\"try\":\"clock\"");
    key_number(out, "device", c->device);
    key_number(out, "relay", c->header);
    key_number(out, "zone_in_line", c->said);
    key_word(out, "zone_from", zone_basis_name(c->basis));
    buf_text(out, ",\"zone\":\"");
    clock_print_offset(out, c->zone_minutes);
    buf_byte(out, '"');
    if (c->newest_ns != CLOCK_NONE) {
        key_time(out, "oldest", c->oldest_ns);
        key_time(out, "newest", c->newest_ns);
        buf_printf(out, ",\"offset_seconds\":%" PRId64, c->offset_ns / CLOCK_NS_PER_SECOND);
    }
    key_time(out, "reference", c->reference_ns);
    key_word(out, "reference_from", c->reference_given ? "option" : "file");
    key_flag(out, "off", c->is_off);
    buf_text(out, "}\n");
}

static void encodings_json(struct buf *out, const struct source_try *t)
{
    for (unsigned i = 0; i < TEXT_ENCODINGS; i++) {
        if (t->encodings.lines[i] == 0)
            continue;
        buf_text(out, "{\"try\":\"encoding\"");
        key_word(out, "encoding", text_encoding_name((enum text_encoding)i));
        key_number(out, "lines", t->encodings.lines[i]);
        key_number(out, "first_line", t->encodings.first[i]);
        buf_text(out, "}\n");
    }
}

static void rules_json(struct buf *out, const struct source_try *t)
{
    for (uint32_t i = 0; i < t->rule_count; i++) {
        const struct sample_rule *r = &t->rules[i];
        buf_text(out, "{\"try\":\"rule\"");
        key_text(out, "rule.id", r->id);
        if (r->name.len != 0)
            key_text(out, "rule.name", r->name);
        key_text(out, "title", r->title);
        key_flag(out, "binds", r->reach == REACH_BINDS);
        if (r->needs_networks)
            key_flag(out, "needs_networks", true);
        if (r->reach != REACH_BINDS)
            key_word(out, "reason", reach_name(r->reach));
        if (r->reach == REACH_FIELDS)
            key_text(out, "lacks", r->lacks);
        buf_text(out, "}\n");
    }
}

static void detectors_json(struct buf *out, const struct source_try *t)
{
    const struct detector_facts facts = {
        .values = t->values, .verdicts = t->verdicts, .refused = t->refused};
    const struct sample_detector *d = NULL;
    struct buf text = {0};
    for (unsigned i = 0; (d = sample_detector_at(i)) != NULL; i++) {
        const struct detector_need *need = NULL;
        const char *before = "";
        buf_text(out, "{\"try\":\"detector\"");
        key_word(out, "detector", d->id);
        key_word(out, "state", detector_state_name(sample_detector_state(d->id, &facts)));
        buf_text(out, ",\"lacks\":[");
        for (size_t at = 0; (need = sample_detector_lacks(d->id, &facts, &at)) != NULL;) {
            buf_reset(&text);
            detector_need_print(&text, need, false);
            buf_text(out, before);
            ndjson_string(out, buf_content(&text));
            before = ",";
        }
        buf_text(out, "]}\n");
    }
    out->failed = out->failed || !buf_ok(&text);
    buf_release(&text);
}

static void configs_json(struct buf *out, const struct source_try *t)
{
    const struct sender_options sender = source_try_sender(t);
    struct buf text = {0};
    for (unsigned i = 0; i < SENDER_KINDS && t->options->has_source; i++) {
        buf_reset(&text);
        sender_config_print(&text, (enum sender_kind)i, &sender);
        buf_text(out, "{\"try\":\"config\"");
        key_word(out, "for", sender_name((enum sender_kind)i));
        key_word(out, "file", sender_file((enum sender_kind)i));
        key_text(out, "text", buf_content(&text));
        buf_text(out, "}\n");
    }
    out->failed = out->failed || !buf_ok(&text);
    buf_release(&text);
}

void source_json_print(struct buf *out, const struct source_try *t)
{
    buf_text(out, "{\"try\":\"sample\"");
    key_word(out, "file", t->options->path == NULL ? "-" : t->options->path);
    key_number(out, "lines", t->sample.count);
    key_number(out, "empty_lines", t->sample.empty);
    key_number(out, "bytes", t->sample.bytes.len);
    key_flag(out, "cut", t->sample.cut);
    key_flag(out, "ready", !source_try_finds(t));
    buf_text(out, "}\n");
    formats_json(out, t);
    envelope_json(out, t);
    unparsed_json(out, t);
    fields_json(out, t);
    clock_json(out, t);
    encodings_json(out, t);
    rules_json(out, t);
    detectors_json(out, t);
    configs_json(out, t);
}
