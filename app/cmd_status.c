/* app/cmd_status.c - `sekisho status`: what a running collector does, per municipality and source. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/status_page.h"
#include "base/clock.h"
#include "event/alert.h"
#include "event/ndjson.h"

static const char HELP[] =
    "usage: sekisho status (--data DIR | --metrics ADDRESS) [--json] [--interval SECONDS]\n"
    "Show rates, lag, unparsed share, silence, alerts, outputs and cost of a running collector.\n"
    "  --data DIR         its store, where it listens on status.sock\n"
    "  --metrics ADDRESS  or the address it was configured with (unix:PATH, 127.0.0.1:PORT)\n"
    "  --interval N       seconds between the two looks that the rates come from (1)\n"
    "Exit status: 4 when no collector answers.\n";

enum {
    FILTERS_SHOWN = 8,
    STORED_SHOWN = 5,
    CLOCK_WORD_S = 600, /* by which the clocks differ */
    JAPAN_MINUTES = 9 * 60,
};

struct status_command {
    const char *data;
    const char *metrics;
    bool json;
    uint64_t interval;
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, 'd'},
    {"metrics", required_argument, NULL, 'm'},
    {"json", no_argument, NULL, 'j'},
    {"interval", required_argument, NULL, 'i'},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct status_command *o = self;
    switch (option) {
    case 'd':
        o->data = value;
        return 0;
    case 'm':
        o->metrics = value;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    default:
        return option_number(&o->interval, "--interval", value, 1, 3600);
    }
}

static int take_operands(void *self, char **words, int count)
{
    const struct status_command *o = self;
    (void)words;
    if ((o->data == NULL) == (o->metrics == NULL) || count != 0)
        return option_usage("status", "give --data DIR or --metrics ADDRESS");
    return 0;
}

static const struct command_line LINE = {.command = "status",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

/* Two looks at the same collector. */
struct looks {
    struct status_page before;
    struct status_page now;
    double seconds;
    double now_s; /* wall clock */
};

static double rate(const struct looks *l, const char *name, struct slice label)
{
    return (status_page_value(&l->now, name, label, 0) -
            status_page_value(&l->before, name, label, 0)) /
           l->seconds;
}

/* What is shown of a source. */
struct source_line {
    struct slice label;
    double rate, events, unparsed_share, bytes_per_event, lag, silent_s;
    bool lgwan_deny;
};

static struct source_line source_line(const struct looks *l, struct slice label)
{
    struct source_line s = {.label = label};
    s.rate = rate(l, "sekisho_events", label);
    s.events = status_page_value(&l->now, "sekisho_events", label, 0);
    double some = s.events > 0 ? s.events : 1;
    s.unparsed_share = status_page_value(&l->now, "sekisho_unparsed", label, 0) / some;
    s.bytes_per_event = status_page_value(&l->now, "sekisho_stored_bytes", label, 0) / some;
    s.lag = status_page_value(&l->now, "sekisho_lag_records", label, -1);
    double last = status_page_value(&l->now, "sekisho_last_arrival_seconds", label, 0);
    s.silent_s = last > 0 ? l->now_s - last : -1;
    s.lgwan_deny = status_page_value(&l->now, "sekisho_source_lgwan_deny", label, 0) > 0;
    return s;
}

/* Alerts by severity, of all municipalities together; the worst first. */
static void print_alerts(const struct status_page *p)
{
    (void)printf("alerts since the start:");
    for (unsigned i = ALERT_SEVERITY_COUNT; i-- > 0;) {
        struct slice name = slice_from(alert_severity_name(i));
        double sum = 0;
        for (size_t k = 0; k < p->count; k++) {
            const struct status_row *r = &p->rows[k];
            if (slice_equal(r->name, SLICE("sekisho_alerts")) && r->label.len > name.len &&
                r->label.data[r->label.len - name.len - 1] == '/' &&
                slice_equal(slice_from_offset(r->label, r->label.len - name.len), name))
                sum += r->value;
        }
        (void)printf(" %s %.0f%s", alert_severity_name(i), sum, i == 0 ? "\n" : ",");
    }
}

/* What filters took out of rules; the most first, by the page's order where equal. */
static void print_filters(const struct status_page *p)
{
    const struct status_row *shown[FILTERS_SHOWN] = {NULL};
    size_t count = 0;
    double sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct status_row *r = &p->rows[i];
        if (!slice_equal(r->name, SLICE("sekisho_filter_hidden")))
            continue;
        count++;
        sum += r->value;
        for (size_t k = 0; k < FILTERS_SHOWN && r != NULL; k++) {
            if (shown[k] == NULL || shown[k]->value < r->value) {
                const struct status_row *moved = shown[k];
                shown[k] = r;
                r = moved;
            }
        }
    }
    if (count == 0)
        return;
    (void)printf("filters took out %.0f hits of rules:", sum);
    for (size_t k = 0; k < FILTERS_SHOWN && shown[k] != NULL; k++)
        (void)printf("%s %.*s %.0f", k == 0 ? "" : ",", (int)shown[k]->label.len,
                     shown[k]->label.data, shown[k]->value);
    if (count > FILTERS_SHOWN)
        (void)printf(", and %zu more", count - FILTERS_SHOWN);
    (void)putchar('\n');
}

static void print_outputs(const struct status_page *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct status_row *r = &p->rows[i];
        if (!slice_equal(r->name, SLICE("sekisho_output_delivered")))
            continue;
        (void)printf("output %.*s: %.0f delivered, %.0f commits behind%s\n", (int)r->label.len,
                     r->label.data, r->value,
                     status_page_value(p, "sekisho_output_behind", r->label, 0),
                     status_page_value(p, "sekisho_output_open", r->label, 0) > 0 ? ", DOWN" : "");
    }
}

/* What rows are judged with, and whether it is what the files say. */
static void print_rules(const struct status_page *p)
{
    struct slice none = SLICE("");
    struct clock_civil t;
    double loaded = status_page_value(p, "sekisho_loaded_seconds", none, 0);
    if (loaded <= 0)
        return;
    clock_to_civil(&t, (int64_t)loaded * CLOCK_NS_PER_SECOND + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE);
    (void)printf("%.0f rules, %.0f correlations, %.0f filters, %.0f indicators, read "
                 "%04d-%02d-%02d %02d:%02d:%02d JST; reloads %.0f taken, %.0f refused\n",
                 status_page_value(p, "sekisho_rules", SLICE("rule"), 0),
                 status_page_value(p, "sekisho_rules", SLICE("correlation"), 0),
                 status_page_value(p, "sekisho_rules", SLICE("filter"), 0),
                 status_page_value(p, "sekisho_indicators", none, 0), t.year, t.month, t.day,
                 t.hour, t.minute, t.second,
                 status_page_value(p, "sekisho_reloads", SLICE("taken"), 0),
                 status_page_value(p, "sekisho_reloads", SLICE("refused"), 0));
    if (status_page_value(p, "sekisho_reload_refused", none, 0) > 0)
        (void)puts("THE LAST RELOAD WAS REFUSED: the configuration before it stays in force; "
                   "sekisho check says what is wrong");
}

/* The municipalities that take the most space in segments. */
static void print_stored(const struct status_page *p)
{
    const struct status_row *shown[STORED_SHOWN] = {NULL};
    size_t count = 0;
    double sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct status_row *r = &p->rows[i];
        if (!slice_equal(r->name, SLICE("sekisho_segment_bytes")))
            continue;
        count++;
        sum += r->value;
        for (size_t k = 0; k < STORED_SHOWN && r != NULL; k++) {
            if (shown[k] == NULL || shown[k]->value < r->value) {
                const struct status_row *moved = shown[k];
                shown[k] = r;
                r = moved;
            }
        }
    }
    if (count == 0)
        return;
    (void)printf("segments %.1f MB:", sum / 1e6);
    for (size_t k = 0; k < STORED_SHOWN && shown[k] != NULL; k++)
        (void)printf("%s %.*s %.1f", k == 0 ? "" : ",", (int)shown[k]->label.len,
                     shown[k]->label.data, shown[k]->value / 1e6);
    (void)printf(count > STORED_SHOWN ? ", and %zu more\n" : "\n", count - STORED_SHOWN);
}

static void print_day(const char *what, double seconds)
{
    struct clock_civil t;
    clock_to_civil(&t,
                   (int64_t)seconds * CLOCK_NS_PER_SECOND + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE);
    (void)printf("%s %04d-%02d-%02d %02d:%02d JST", what, t.year, t.month, t.day, t.hour, t.minute);
}

/* What the disk holds, for how long, and what will be deleted. */
static void print_disk(const struct status_page *p)
{
    struct slice none = SLICE("");
    double total = status_page_value(p, "sekisho_disk_bytes", none, 0);
    double days = status_page_value(p, "sekisho_disk_days_left", none, -1);
    double next = status_page_value(p, "sekisho_retention_next_seconds", none, 0);
    double ahead = status_page_value(p, "sekisho_retention_clock_ahead_seconds", none, 0);
    if (total <= 0)
        return;
    (void)printf("disk %.1f of %.1f GB free",
                 status_page_value(p, "sekisho_disk_free_bytes", none, 0) / 1e9, total / 1e9);
    if (days >= 0)
        (void)printf(", full in %.0f days as it comes in now", days);
    if (next > 0)
        print_day("; the next rows are due", next);
    (void)printf("; %.0f rows deleted, %.0f legal holds, %.0f hours held\n",
                 status_page_value(p, "sekisho_retention_deleted", none, 0),
                 status_page_value(p, "sekisho_retention_holds", none, 0),
                 status_page_value(p, "sekisho_retention_held", none, 0));
    print_stored(p);
    if (ahead > CLOCK_WORD_S || ahead < -CLOCK_WORD_S) {
        (void)printf(
            "THE CLOCK IS NOT TRUSTED: it is %.0f s ahead of what is; rows are kept longer "
            "(docs/retention.md)\n",
            ahead);
    }
    const char *full =
        status_page_value(p, "sekisho_disk_paused", none, 0) > 0
            ? "THE DISK IS FULL: nothing is taken from Kafka, which keeps it; free disk space\n"
        : status_page_value(p, "sekisho_disk_no_compaction", none, 0) > 0
            ? "THE DISK IS NEARLY FULL: no more segments are written; free disk space\n"
        : status_page_value(p, "sekisho_disk_warning", none, 0) > 0
            ? "The disk is getting full: a larger one, or a shorter retention\n"
            : "";
    (void)fputs(full, stdout);
}

static void print_table(const struct looks *l)
{
    (void)printf("%-24s %10s %12s %8s %8s %10s %9s\n", "municipality/source", "lines/s", "events",
                 "unparsed", "B/event", "lag", "silent");
    for (size_t i = 0; i < l->now.count; i++) {
        if (!slice_equal(l->now.rows[i].name, SLICE("sekisho_events")))
            continue;
        struct source_line s = source_line(l, l->now.rows[i].label);
        (void)printf("%-24.*s %10.1f %12.0f %7.2f%% %8.1f %10.0f %8.1fs%s\n", (int)s.label.len,
                     s.label.data, s.rate, s.events, s.unparsed_share * 100, s.bytes_per_event,
                     s.lag, s.silent_s, s.lgwan_deny ? "  lgwan_deny" : "");
    }
    const struct status_page *p = &l->now;
    struct slice none = SLICE("");
    (void)printf("\nlog %.1f MB in %.0f commits; arrival to log p50 %.0f ms, p99 %.0f ms\n",
                 status_page_value(p, "sekisho_log_bytes", none, 0) / 1e6,
                 status_page_value(p, "sekisho_frames", none, 0),
                 status_page_value(p, "sekisho_latency_p50_seconds", none, 0) * 1e3,
                 status_page_value(p, "sekisho_latency_p99_seconds", none, 0) * 1e3);
    (void)printf("kafka %s, %.0f partitions, ranges lost %.0f, quarantined %.0f\n",
                 status_page_value(p, "sekisho_kafka_up", none, 0) > 0 ? "up" : "DOWN",
                 status_page_value(p, "sekisho_kafka_partitions", none, 0),
                 status_page_value(p, "sekisho_kafka_ranges_lost", none, 0),
                 status_page_value(p, "sekisho_kafka_ranges_quarantined", none, 0));
    print_disk(p);
    print_alerts(p);
    print_filters(p);
    print_outputs(p);
    print_rules(p);
    (void)printf("cpu %.2f cores (workers %.2f, commit %.2f), memory %.0f MB%s\n",
                 rate(l, "sekisho_cpu_seconds", none), rate(l, "sekisho_cpu_workers_seconds", none),
                 rate(l, "sekisho_cpu_commit_seconds", none),
                 status_page_value(p, "sekisho_resident_bytes", none, 0) / 1e6,
                 status_page_value(p, "sekisho_log_waiting", none, 0) > 0
                     ? "\nTHE LOG HAS NO ROOM: the intake waits; free disk space or raise "
                       "limits.log_bytes"
                     : "");
}

static int print_json(const struct looks *l)
{
    struct buf out = {0};
    struct buf name = {0};
    for (size_t i = 0; i < l->now.count; i++) {
        const struct status_row *r = &l->now.rows[i];
        buf_reset(&name);
        buf_slice(&name, r->name);
        buf_text(&out, "{\"name\":");
        ndjson_string(&out, r->name);
        buf_text(&out, ",\"source\":");
        ndjson_string(&out, r->label);
        buf_printf(&out, ",\"value\":%.17g,\"rate\":%.17g}\n", r->value,
                   rate(l, buf_string(&name), r->label));
    }
    size_t written = fwrite(out.data, 1, out.len, stdout);
    int code = buf_ok(&out) && written == out.len ? EXIT_CODE_OK : EXIT_CODE_SYSTEM;
    buf_release(&out);
    buf_release(&name);
    return code;
}

static int look_twice(struct looks *l, const char *address, uint64_t seconds)
{
    int status = status_page_fetch(&l->before, address);
    if (status != 0)
        return status;
    int64_t start = clock_monotonic_ns();
    struct timespec wait = {.tv_sec = (time_t)seconds, .tv_nsec = 50000000};
    (void)nanosleep(&wait, NULL);
    status = status_page_fetch(&l->now, address);
    l->seconds = (double)(clock_monotonic_ns() - start) / 1e9;
    l->now_s = (double)clock_now_ns() / 1e9;
    return status;
}

int cmd_status(int argc, char **argv)
{
    struct status_command o = {.interval = 1};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &o, argc, argv, &code))
        return code;
    struct buf address = {0};
    if (o.metrics != NULL)
        buf_text(&address, o.metrics);
    else
        buf_printf(&address, "unix:%s/status.sock", o.data);
    struct looks l = {0};
    int status = look_twice(&l, buf_string(&address), o.interval);
    if (status == 0 && o.json) {
        code = print_json(&l);
    } else if (status == 0) {
        print_table(&l);
    } else {
        (void)fprintf(stderr, "sekisho status: no collector answers on %s (%s); is it running?\n",
                      buf_string(&address), err_name(status));
        code = status == ERR_CONF ? EXIT_CODE_USAGE : EXIT_CODE_DOWN;
    }
    status_page_release(&l.before);
    status_page_release(&l.now);
    buf_release(&address);
    return code;
}
