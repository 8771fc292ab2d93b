#include "app/alert_show.h"

#include <stdlib.h>

#include "app/evidence.h"
#include "app/options.h"
#include "app/sink.h"
#include "event/ndjson.h"

/* What is gathered for the print. */
struct gathered {
    const struct alert_entry *entry;
    struct alert_store *store;
    struct buf line;
    struct output_alert alert;
    struct evidence items[ALERT_EVIDENCE_MAX]; /* in the order of places once found */
    size_t count;
    struct slice lines[ALERT_EVIDENCE_MAX]; /* in the alert's order; data NULL = not in the log */
    size_t line_count;
    bool damaged;
};

static void gathered_release(struct gathered *g)
{
    for (size_t i = 0; i < g->count; i++)
        buf_release(&g->items[i].line);
    output_alert_release(&g->alert);
    buf_release(&g->line);
    alert_store_close(g->store);
}

static int find_lines(struct gathered *g, const struct alert_show *show, struct diag *diag)
{
    const struct evidence_log log = {.dir = show->wanted.dir};
    const json_t *places = json_object_get(g->alert.root, "evidence");
    size_t said = diag->count;
    for (size_t i = 0; i < json_array_size(places) && i < ALERT_EVIDENCE_MAX; i++) {
        const char *text = json_string_value(json_array_get(places, i));
        g->line_count = i + 1;
        if (text == NULL || evidence_parse(&g->items[g->count].place, slice_from(text)) != 0)
            continue;
        g->items[g->count++].owner = i;
    }
    int err = evidence_find(g->items, g->count, &log, diag);
    g->damaged = diag->count != said;
    for (size_t i = 0; i < g->count; i++) {
        if (g->items[i].found)
            g->lines[g->items[i].owner] = buf_content(&g->items[i].line);
    }
    return err;
}

static int gather(struct gathered *g, const struct alert_show *show, struct diag *diag)
{
    int err = alert_store_line(g->store, g->entry, &g->line);
    if (err != 0)
        return err;
    const struct alert_record record = {.tenant = g->entry->tenant,
                                        .revision = g->entry->revision,
                                        .id = g->entry->id,
                                        .line = buf_content(&g->line)};
    (void)output_alert_read(&g->alert, &record);
    return find_lines(g, show, diag);
}

/* ------------------------------------------------------------------------------ print */

/* Whether a control is about this alert. */
static bool is_about(const struct detect_control *what, const struct alert_entry *e)
{
    return what->by_id && alert_id_equal(&what->id, &e->id) &&
           (what->tenant == 0 || what->tenant == e->tenant);
}

static void print_text(const struct gathered *g, const struct alert_print *how, struct buf *out)
{
    const struct alert_text text = {.entry = g->entry, .alert = &g->alert};
    uint64_t begin = 0;
    uint64_t end = 0;
    alert_print_head(out, how, &text);
    alert_print_numbers(out, how, &g->alert);
    for (size_t i = 0; i < g->line_count; i++)
        alert_print_evidence(out, how, &g->alert, i, &g->lines[i]);
    alert_store_controls(g->store, &begin, &end);
    for (; begin < end; begin++) {
        const struct alert_control *c = alert_store_control(g->store, begin);
        if (is_about(&c->what, g->entry))
            alert_print_control(out, how, c);
    }
    alert_print_tail(out, how, g->entry);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    ndjson_string(out, slice_from(text));
}

/* The line as it was released, up to its end, and behind that what a collector's log adds to it. */
static void print_json(const struct gathered *g, struct buf *out)
{
    const struct alert_entry *e = g->entry;
    struct slice line = buf_content(&g->line);
    line.len -= line.len != 0;
    buf_slice(out, line);
    put_member(out, "handling.state", alert_entry_state(e));
    if (e->handling != ALERT_NOT_HANDLED) {
        const struct alert_control *c = alert_store_control(g->store, e->control);
        buf_text(out, ",\"handling.amended\":");
        buf_text(out, alert_entry_amended_since(e) ? "true" : "false");
        if (c != NULL) {
            put_member(out, "handling.by", c->by);
            put_member(out, "handling.reason", c->what.reason);
            if (c->at_ns != CLOCK_NONE) {
                buf_text(out, ",\"handling.at\":\"");
                clock_print(out, c->at_ns);
                buf_byte(out, '"');
            }
        }
    }
    buf_text(out, ",\"evidence.original\":[");
    for (size_t i = 0; i < g->line_count; i++) {
        buf_text(out, i == 0 ? "" : ",");
        if (g->lines[i].data == NULL)
            buf_text(out, "null");
        else
            ndjson_string(out, g->lines[i]);
    }
    buf_text(out, "]}\n");
}

int alert_show_run(const struct alert_show *show, int out, struct diag *diag)
{
    const struct alert_store_options options = {.dir = show->wanted.dir,
                                                .has_tenant = show->wanted.has_tenant,
                                                .tenant = show->wanted.tenant};
    struct gathered g = {0};
    struct sink sink = {.fd = out};
    int code = option_exit_code(alert_store_open(&g.store, &options, diag));
    if (code == EXIT_CODE_OK)
        code = alert_find(&g.entry, &show->wanted, g.store, diag);
    if (code == EXIT_CODE_OK)
        code = option_exit_code(gather(&g, show, diag));
    if (code == EXIT_CODE_OK) {
        if (show->json)
            print_json(&g, &sink.out);
        else
            print_text(&g, &show->print, &sink.out);
        int err = sink_close(&sink);
        code = option_exit_code(err == ERR_DOWN ? 0 : err);
        if (code == EXIT_CODE_OK && (g.damaged || alert_store_damage(g.store) != 0))
            code = EXIT_CODE_INCOMPLETE;
    }
    gathered_release(&g);
    return code;
}
