/* app/cmd_demo.c - `sekisho demo`: the production path at work, on the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/demo.h"
#include "app/options.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

static const char HELP[] =
    "usage: sekisho demo [OPTION...]\n"
    "Start a Kafka broker inside the process, generate the traffic of municipalities with planted\n"
    "attacks, collect it through the production path into a new store and show what comes in and\n"
    "every alert as it fires.\n"
    "  --tenants N   municipalities (10)\n"
    "  --seconds S   how long it is live (30), after seven simulated days of learning\n"
    "  --seed N      of the traffic (1)\n"
    "  --lang ja|en  language of the alerts (from LANG)\n"
    "  --keep        go on until interrupted\n";

enum {
    STEP_MS = 20,
    ROWS_SHOWN_MAX = 40,
};

#define SETTLE_NS (15 * CLOCK_NS_PER_SECOND)

struct demo_command {
    uint64_t tenants;
    uint64_t seconds;
    uint64_t seed;
    bool keep;
    bool japanese;
};

static bool speaks_japanese(void)
{
    const char *lang = getenv("LANG");
    return lang != NULL && strncmp(lang, "ja", 2) == 0;
}

static const struct option OPTIONS[] = {
    {"tenants", required_argument, NULL, 't'}, {"seconds", required_argument, NULL, 's'},
    {"seed", required_argument, NULL, 'd'},    {"keep", no_argument, NULL, 'k'},
    {"lang", required_argument, NULL, 'l'},    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct demo_command *o = self;
    switch (option) {
    case 't':
        return option_number(&o->tenants, "--tenants", value, 1, 180);
    case 's':
        return option_number(&o->seconds, "--seconds", value, 1, 86400);
    case 'd':
        return option_number(&o->seed, "--seed", value, 1, INT64_MAX);
    case 'k':
        o->keep = true;
        return 0;
    default:
        o->japanese = strcmp(value, "ja") == 0;
        if (o->japanese || strcmp(value, "en") == 0)
            return 0;
        return option_usage("demo", "--lang takes ja or en");
    }
}

static const struct command_line LINE = {
    .command = "demo", .help = HELP, .options = OPTIONS, .take = take_option};

/* The screen: what was counted at the last look, for rates. */
struct screen {
    struct tally_row before[TALLY_ROWS_MAX];
    struct tally_row now[TALLY_ROWS_MAX];
    size_t before_count;
    size_t now_count;
    int64_t before_ns;
    int64_t start_ns;
};

static uint64_t rows_before(const struct screen *s, const struct tally_row *row)
{
    for (size_t i = 0; i < s->before_count; i++) {
        if (s->before[i].tenant == row->tenant && strcmp(s->before[i].source, row->source) == 0)
            return s->before[i].rows;
    }
    return 0;
}

static double per(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

/* Rates since the last look, or over the whole run. */
static void print_rows(const struct screen *s, struct demo *d, double seconds, bool whole)
{
    (void)printf("%-8s %-18s %-9s %9s %10s %8s %8s %6s\n", "code", "municipality", "source",
                 "lines/s", "lines", "B/event", "unparsed", "lag");
    for (size_t i = 0; i < s->now_count && i < ROWS_SHOWN_MAX; i++) {
        const struct tally_row *r = &s->now[i];
        const char *name = demo_tenant_name(d, r->tenant);
        /* A character of Japanese is three bytes and two columns wide. */
        int pad = (int)(18 - strlen(name) / 3 * 2);
        (void)printf("%06u   %s%*s %-9s %9.1f %10llu %8.1f %7.2f%% %6lld\n", r->tenant, name,
                     pad > 0 ? pad : 0, "", r->source,
                     (double)(r->rows - (whole ? 0 : rows_before(s, r))) / seconds,
                     (unsigned long long)r->rows, per(r->stored_bytes, r->rows),
                     100.0 * per(r->unparsed, r->rows),
                     (long long)(r->lag_records < 0 ? 0 : r->lag_records));
    }
}

static void show(struct screen *s, struct demo *d, bool last)
{
    struct collector *c = demo_collector(d);
    collector_observe(c);
    int64_t now = clock_monotonic_ns();
    double seconds = (double)(now - s->before_ns) / 1e9;
    s->now_count = tally_copy(collector_tally(c), s->now, TALLY_ROWS_MAX);
    struct tally_row total = tally_total(collector_tally(c));
    uint64_t before = 0;
    for (size_t i = 0; i < s->before_count; i++)
        before += s->before[i].rows;
    if (last)
        print_rows(s, d, last ? (double)(now - s->start_ns) / 1e9 : seconds, last);
    if (!last) {
        (void)printf("%4.0f s  %8.1f lines/s  %9llu lines  %6.1f B/event  unparsed %5.2f%%  lag "
                     "%lld  to log p99 %.0f ms\n",
                     (double)(now - s->start_ns) / 1e9, (double)(total.rows - before) / seconds,
                     (unsigned long long)total.rows, per(total.stored_bytes, total.rows),
                     100.0 * per(total.unparsed, total.rows), (long long)total.lag_records,
                     (double)tally_latency_share(collector_tally(c), 0.99) / 1e6);
    }
    (void)fflush(stdout);
    memcpy(s->before, s->now, s->now_count * sizeof(s->now[0]));
    s->before_count = s->now_count;
    s->before_ns = now;
}

static int watch(struct demo *d, struct screen *s, const struct demo_command *o)
{
    int64_t end = clock_monotonic_ns() + (int64_t)o->seconds * CLOCK_NS_PER_SECOND;
    if (demo_live_ns(d) > clock_now_ns())
        end += demo_live_ns(d) - clock_now_ns();
    int64_t next = clock_monotonic_ns() + CLOCK_NS_PER_SECOND;
    while (o->keep || clock_monotonic_ns() < end) {
        int status = demo_send_due(d);
        if (status != 0)
            return status;
        status = demo_alerts_poll(demo_alerts(d), true, o->japanese);
        if (status != 0)
            return status;
        if (clock_monotonic_ns() >= next) {
            next += CLOCK_NS_PER_SECOND;
            show(s, d, false);
        }
        if (signals_wait(STEP_MS) == SIGNALS_END)
            break;
    }
    return 0;
}

static void print_summary(struct demo *d, const char *dir, const struct screen *s)
{
    struct collector *c = demo_collector(d);
    struct tally_row total = tally_total(collector_tally(c));
    struct committer_stats log = collector_committed(c);
    uint32_t tenant = s->now_count == 0 ? 0 : s->now[0].tenant;
    (void)printf("\n%llu lines sent, %llu kept (%s), %llu of them not parsed; %.1f MB of lines in "
                 "%.1f MB of log: %.1f bytes per event\n",
                 (unsigned long long)demo_sent(d), (unsigned long long)total.rows,
                 demo_sent(d) == total.rows ? "all" : "NOT ALL", (unsigned long long)total.unparsed,
                 (double)total.raw_bytes / 1e6, (double)log.log_bytes / 1e6,
                 per(log.log_bytes, total.rows));
    (void)printf("arrival to log: p50 %.0f ms, p99 %.0f ms; %llu commits; %.1f CPU seconds\n",
                 (double)tally_latency_share(collector_tally(c), 0.5) / 1e6,
                 (double)tally_latency_share(collector_tally(c), 0.99) / 1e6,
                 (unsigned long long)log.frames, (double)clock_cpu_ns() / 1e9);
    (void)printf("\nThe store stays in %s/store. Look into it:\n"
                 "  sekisho search 'event.action:(deny or denied or blocked)' --data %s/store "
                 "--limit 5\n"
                 "  sekisho search 'source.ip:10.0.0.0/8 and destination.port:443' --data %s/store "
                 "--tenant %06u --count\n"
                 "  sekisho export --raw --data %s/store --tenant %06u | head\n"
                 "  sekisho verify --data %s/store\n",
                 dir, dir, dir, tenant, dir, tenant, dir);
}

static bool say_progress(uint64_t lines, int64_t time_ns)
{
    struct clock_civil c;
    clock_to_civil(&c, time_ns);
    (void)printf("  %llu lines, %04d-%02d-%02d\r", (unsigned long long)lines, c.year, c.month,
                 c.day);
    (void)fflush(stdout);
    return signals_wait(0) != SIGNALS_END;
}

static int run(const struct demo_command *o, const char *dir, struct screen *s, struct diag *diag)
{
    struct demo_options options = {.tenants = (uint32_t)o->tenants,
                                   .seed = o->seed,
                                   .seconds = (uint32_t)o->seconds,
                                   .dir = dir};
    struct demo *d = NULL;
    int status = demo_open(&d, &options, diag);
    if (status != 0)
        return status;
    (void)printf("learning from seven days of %llu municipalities' traffic ...\n",
                 (unsigned long long)o->tenants);
    status = demo_learn(d, say_progress, diag);
    if (status == ERR_AGAIN) {
        demo_close(d);
        return 0;
    }
    s->start_ns = clock_monotonic_ns();
    s->before_ns = s->start_ns;
    if (status == 0)
        status = watch(d, s, o);
    if (status == 0)
        status = demo_settle(d, SETTLE_NS, diag);
    if (status == 0)
        status = demo_alerts_poll(demo_alerts(d), true, o->japanese);
    if (status == 0) {
        show(s, d, true);
        status = demo_stop(d);
    }
    if (status == 0)
        print_summary(d, dir, s);
    if (status == 0)
        demo_alerts_summary(demo_alerts(d), demo_gen(d));
    bool all = status == 0 && tally_total(collector_tally(demo_collector(d))).rows == demo_sent(d);
    demo_close(d);
    if (status == 0 && !all) {
        diag_add(diag, "sekisho demo", 0, 0, "not every line that was sent is in the log");
        status = ERR_CORRUPT;
    }
    return status;
}

int cmd_demo(int argc, char **argv)
{
    struct demo_command o = {
        .tenants = 10, .seconds = 30, .seed = 1, .japanese = speaks_japanese()};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &o, argc, argv, &code))
        return code;
    signals_block();
    log_set_severity(LOG_SEVERITY_WARN);
    struct diag diag = {0};
    struct buf prefix = {0};
    char dir[256];
    const char *tmp = getenv("TMPDIR");
    buf_printf(&prefix, "%s/sekisho-demo.", tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    struct screen *screen = calloc(1, sizeof(*screen));
    int status = screen == NULL ? ERR_NOMEM : 0;
    if (status == 0)
        status = dir_create_temp(dir, sizeof(dir), buf_string(&prefix));
    if (status == 0)
        status = run(&o, dir, screen, &diag);
    if (status != 0 && diag.count == 0)
        diag_add(&diag, "sekisho demo", 0, 0, "%s", err_name(status));
    option_say(&diag);
    free(screen);
    buf_release(&prefix);
    diag_release(&diag);
    return option_exit_code(status);
}
