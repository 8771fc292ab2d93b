#include "app/filter_print.h"

#include "base/clock.h"
#include "base/escape.h"
#include "event/ndjson.h"

enum {
    JAPAN_MINUTES = 9 * 60,
};

static void word(struct buf *out, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    buf_printf(out, ", %s ", name);
    escape_text(out, text);
}

void filter_print(struct buf *out, const struct sigma_rule *filter)
{
    const struct sigma_filter *f = filter->filter;
    buf_printf(out, "%s:%u ", filter->filename, filter->line);
    escape_text(out, filter->id);
    buf_printf(out, " (layer %s", sigma_layer_name(f->layer));
    if (f->tenant.len != 0) {
        buf_byte(out, ' ');
        buf_slice(out, f->tenant);
    }
    word(out, "owner", f->owner);
    word(out, "reason", f->reason);
    if (f->expires_ns != CLOCK_NONE) {
        buf_text(out, ", until ");
        clock_print_zone(out, f->expires_ns, JAPAN_MINUTES);
    }
    buf_byte(out, ')');
}

static void member(struct buf *out, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    buf_printf(out, ",\"%s\":", name);
    ndjson_string(out, text);
}

void filter_print_json(struct buf *out, const struct sigma_rule *filter)
{
    const struct sigma_filter *f = filter->filter;
    buf_text(out, "\"filter\":");
    ndjson_string(out, filter->id);
    member(out, "title", filter->words.title);
    member(out, "file", slice_from(filter->filename));
    buf_printf(out, ",\"line\":%u,\"layer\":\"%s\"", filter->line, sigma_layer_name(f->layer));
    member(out, "municipality", f->tenant);
    member(out, "owner", f->owner);
    member(out, "reason", f->reason);
    if (f->expires_ns != CLOCK_NONE) {
        buf_text(out, ",\"until\":\"");
        clock_print_zone(out, f->expires_ns, JAPAN_MINUTES);
        buf_byte(out, '"');
    }
}
