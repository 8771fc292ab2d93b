/*
 * A flood of distinct keys in one municipality: nobody else's alerts change, the flooded one says
 * that detection was incomplete, and memory stays where it was.
 *
 *   gen: towns A and B, planted cases --+
 *   flood: lines of A, each with a      +-> one desk (intake) -> marks, midnight -> alerts
 *   source, destination, domain and     |
 *   port of its own -------------------+
 *
 * 2 million lines; 100 million with SEKISHO_LONG; fewer under a sanitizer. An argument is the number
 * of lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/gen.h"
#include "app/intake.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "ingest/tenant.h"

enum {
    TOWNS = 2,
    FLOODED = 1, /* index of A; B is the other */
    SEED = 20261005,
    DAYS = 2,
    EVENTS = SANITIZED ? 12000 : 60000,
    FLOOD_LINES = SANITIZED ? 60000 : 2000000,
    FLOOD_LINES_LONG = SANITIZED ? 1000000 : 100000000,
    FLOOD_FROM_HOUR = SANITIZED ? 20 : 8, /* of the first day, over midnight */
    FLOOD_HOURS = SANITIZED ? 8 : 40,
    SOURCE_NAME_MAX = 32,
    ITEMS_MAX = 4096,
    LINE_MAX = 1024,
    FLOOD_PORT = 60000, /* partition of the flood's records */
    GROWN_BYTES_MAX = 24 << 20,
};

#define SECOND       CLOCK_NS_PER_SECOND
#define BATCH_AGE_NS (300 * CLOCK_NS_PER_SECOND / 1000)
#define FLOOD_NS     (INT64_C(3600) * FLOOD_HOURS * SECOND)

/* What came out of a run. */
struct seen {
    struct buf alerts[TOWNS]; /* records' lines */
    uint64_t count[TOWNS];
    uint64_t rows[TOWNS];
    uint64_t unparsed[TOWNS];
    uint64_t evictions, records; /* alerts of kind coverage of A */
    size_t resident_first;       /* after a quarter of the flood */
    size_t resident_last;
    uint64_t planted_found;
};

struct town {
    uint32_t code;
    struct stream *streams[GEN_SOURCES_MAX];
    struct part *parts[GEN_SOURCES_MAX];
    int64_t offsets[GEN_SOURCES_MAX];
    char topics[GEN_SOURCES_MAX][64];
};

struct scene {
    struct seen *seen;
    struct gen *gen;
    struct config *config;
    struct watch *watch;
    struct domain_list *domains;
    struct feed_environment env;
    struct intake *in;
    struct town towns[TOWNS];
    struct part *flood;
    uint64_t flood_lines; /* of the whole run */
    uint64_t flooded;     /* so far */
    int64_t tick_ns;
    int64_t from_ns;
    struct buf contributions;
    struct buf line;
    int64_t flood_offset;
};

static size_t resident_bytes(void)
{
    char text[128];
    char *resident = NULL;
    FILE *f = fopen("/proc/self/statm", "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    assert_int_equal(fclose(f), 0);
    (void)strtoul(text, &resident, 10); /* the whole size */
    return strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* ------------------------------------------------------------------------- what comes out */

static bool holds(struct slice text, const char *what)
{
    return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static void take_alert(struct scene *r, struct slice item)
{
    struct alert_record record;
    assert_int_equal(alert_record_take(&record, item), 0);
    unsigned town = record.tenant == r->towns[FLOODED].code ? FLOODED : 0;
    assert_int_equal(record.tenant, r->towns[town].code);
    struct seen *s = r->seen;
    buf_slice(&s->alerts[town], record.line);
    buf_byte(&s->alerts[town], '\n');
    s->count[town]++;
    if (town != FLOODED)
        return;
    s->evictions += holds(record.line, "\"rule.name\":\"coverage eviction\"");
    s->records += holds(record.line, "\"rule.name\":\"coverage record\"");
}

static int emit(void *self, struct parcel *chain)
{
    struct scene *r = self;
    static const size_t MOST = ITEMS_MAX;
    struct slice *items = calloc(MOST, sizeof(*items));
    assert_non_null(items);
    assert_true(chain->alert_count <= MOST);
    size_t count = parcel_items(items, MOST, buf_content(&chain->alerts));
    assert_int_equal(count, chain->alert_count);
    for (size_t i = 0; i < count; i++)
        take_alert(r, items[i]);
    free(items);
    if (chain->mark)
        buf_slice(&r->contributions, buf_content(&chain->contributions));
    for (const struct parcel *p = chain; p != NULL && !chain->mark; p = p->next) {
        unsigned town = p->tenant == r->towns[FLOODED].code ? FLOODED : 0;
        r->seen->rows[town] += p->rows;
        r->seen->unparsed[town] += p->unparsed;
    }
    parcel_free(chain);
    return 0;
}

/* A tick of both, and what happens at midnight when all workers stand still. */
static void tick(struct scene *r, int64_t tick_ns, unsigned flags)
{
    struct mark mark = {
        .tick_ns = tick_ns, .flags = flags, .day_ends = watch_day_ends(r->tick_ns, tick_ns)};
    buf_reset(&r->contributions);
    assert_int_equal(intake_mark(r->in, &mark), 0);
    if (mark.day_ends) {
        struct buf bytes = {0};
        assert_int_equal(watch_midnight(r->watch, buf_content(&r->contributions), tick_ns, &bytes),
                         0);
        buf_release(&bytes);
    }
    r->tick_ns = tick_ns;
}

/* --------------------------------------------------------------------------- what goes in */

static void put(struct part *part, int32_t partition, int64_t offset, int64_t time_ns,
                const struct buf *line)
{
    const struct record record = {.partition = partition,
                                  .offset = offset,
                                  .arrival_ns = time_ns,
                                  .reference_ns = time_ns,
                                  .value = buf_content(line)};
    assert_int_equal(intake_record(part, &record), 0);
}

/* The i-th line of the flood: what it does varies, and every key in it occurs once. */
static void print_flood(struct buf *out, uint64_t i, int64_t time_ns)
{
    static const char *const ACTIONS[] = {"accept", "deny", "timeout", "close"};
    struct clock_civil c;
    uint64_t a = i & 0xFFFF;
    uint64_t b = i >> 16 & 0xFFFF;
    bool outgoing = i % 3 != 0;
    bool web = i % 5 == 0;
    clock_to_civil(&c, time_ns + INT64_C(540) * CLOCK_NS_PER_MINUTE);
    buf_reset(out);
    buf_printf(out,
               "date=%04d-%02d-%02d time=%02d:%02d:%02d devname=\"fw\" logid=\"0000000013\" "
               "type=\"%s\" subtype=\"%s\" level=\"notice\" vd=\"root\" ",
               c.year, c.month, c.day, c.hour, c.minute, c.second, web ? "utm" : "traffic",
               web ? "webfilter" : "forward");
    buf_printf(out, "srcip=%s:%llx:%llx srcport=%llu dstip=%s:%llx:%llx dstport=%llu ",
               outgoing ? "fd00::1" : "2001:db8::1", (unsigned long long)b + 1,
               (unsigned long long)a + 1, (unsigned long long)(i % 64000 + 1024),
               outgoing ? "2001:db8::2" : "fd00::2", (unsigned long long)b + 1,
               (unsigned long long)a + 1, (unsigned long long)(i * 7919 % 65535 + 1));
    if (web)
        buf_printf(out, "hostname=\"h.d%llu.example\" url=\"https://h.d%llu.example/\" ",
                   (unsigned long long)i, (unsigned long long)i);
    buf_printf(out,
               "user=\"u%llu\" proto=6 action=\"%s\" policyid=1 service=\"HTTPS\" duration=1 "
               "sentbyte=%llu rcvdbyte=%llu\n",
               (unsigned long long)i, web ? "passthrough" : ACTIONS[i / 3 % 4],
               (unsigned long long)(i % 90000),
               (unsigned long long)(i / 3 % 4 == 2 ? 0 : i % 70000));
}

/* The flood's lines up to a time, spread evenly over its span. */
static void flood_to(struct scene *r, int64_t time_ns)
{
    int64_t into = time_ns - r->from_ns;
    if (r->flood_lines == 0 || into <= 0)
        return;
    uint64_t due = into >= FLOOD_NS
                       ? r->flood_lines
                       : (uint64_t)((double)r->flood_lines * ((double)into / FLOOD_NS));
    while (r->flooded < due) {
        print_flood(&r->line, r->flooded, time_ns);
        put(r->flood, FLOOD_PORT, r->flood_offset++, time_ns, &r->line);
        if (++r->flooded == r->flood_lines / 4)
            r->seen->resident_first = resident_bytes();
    }
}

/* Everything up to the second of a time: the flood between two ticks comes before the tick. */
static void go_to(struct scene *r, int64_t time_ns)
{
    int64_t second = time_ns / SECOND * SECOND;
    while (r->tick_ns < second) {
        int64_t next = r->tick_ns + SECOND;
        flood_to(r, next - 1);
        tick(r, next, 0);
    }
}

static void take_line(struct scene *r, const struct gen_line *line)
{
    struct town *t = &r->towns[line->tenant_index];
    uint32_t source = line->source_index;
    go_to(r, line->time_ns);
    flood_to(r, line->time_ns);
    buf_reset(&r->line);
    buf_slice(&r->line, line->line);
    buf_byte(&r->line, '\n');
    put(t->parts[source], 0, t->offsets[source]++, line->time_ns, &r->line);
    assert_int_equal(intake_tick(r->in, line->time_ns - r->tick_ns), 0);
}

/* --------------------------------------------------------------------------------- a run */

static void open_stream(struct scene *r, struct town *t, uint32_t i, const char *source,
                        const char *format)
{
    struct feed_options feed = {.tenant = t->code,
                                .source = slice_from(source),
                                .format = parser_find(slice_from(format))->format,
                                .zone_minutes = 540};
    (void)snprintf(t->topics[i], sizeof(t->topics[i]), "seclog.raw.%06u.%s", t->code, source);
    feed.topic = slice_from(t->topics[i]);
    assert_int_equal(intake_stream(&t->streams[i], r->in, &feed), 0);
    assert_int_equal(intake_part(&t->parts[i], t->streams[i], 0, 0), 0);
}

static void open_gen(struct scene *r)
{
    struct gen_options o;
    struct diag diag = {0};
    gen_options_init(&o);
    o.seed = SEED;
    o.tenants = TOWNS;
    o.days = DAYS;
    o.events = EVENTS;
    o.pcs_min = 50;
    o.pcs_max = 60;
    assert_int_equal(
        gen_options_inject(&o, SLICE("scan:2,deny_burst:2,brute_force:2,few_hosts:2"), &diag), 0);
    int status = gen_open(&r->gen, &o, &diag);
    if (status != 0)
        print_error("%s\n", diag_text(&diag));
    assert_int_equal(status, 0);
    diag_release(&diag);
}

static void run_open(struct scene *r, struct seen *seen, uint64_t flood_lines)
{
    struct diag diag = {0};
    *r = (struct scene){.seen = seen, .flood_lines = flood_lines};
    open_gen(r);
    assert_int_equal(config_load(&r->config, NULL, &diag), 0);
    assert_int_equal(domain_open(&r->domains, NULL), 0);
    r->env.domains = r->domains;
    const struct watch_options watching = {.config = r->config, .seed = 4711};
    assert_int_equal(watch_new(&r->watch, &watching), 0);
    const struct intake_options options = {.environment = &r->env,
                                           .batch_rows = BATCH_LIVE_ROWS_MAX,
                                           .batch_age_ns = BATCH_AGE_NS,
                                           .open_bytes_max = 64 << 20,
                                           .zstd_level = 1,
                                           .watch = r->watch,
                                           .emit = emit,
                                           .self = r};
    assert_int_equal(intake_open(&r->in, &options), 0);
    for (uint32_t i = 0; i < TOWNS; i++) {
        const struct gen_tenant *g = gen_tenant(r->gen, i);
        r->towns[i].code = g->code;
        for (uint8_t s = 0; s < g->source_count; s++)
            open_stream(r, &r->towns[i], s, g->sources[s].name,
                        gen_format_name((enum gen_format)g->sources[s].format));
    }
    /* The flood comes from a source that is there in both runs: B's history is the only question. */
    struct town *a = &r->towns[FLOODED];
    const struct gen_tenant *g = gen_tenant(r->gen, FLOODED);
    assert_true(g->source_count < GEN_SOURCES_MAX);
    open_stream(r, a, g->source_count, "flood1", "fortigate");
    assert_int_equal(intake_part(&r->flood, a->streams[g->source_count], FLOOD_PORT, 0), 0);
    r->tick_ns = gen_time(r->gen) / SECOND * SECOND;
    r->from_ns = r->tick_ns + FLOOD_FROM_HOUR * INT64_C(3600) * SECOND;
    diag_release(&diag);
}

static void run_close(struct scene *r)
{
    intake_close(r->in);
    watch_free(r->watch);
    domain_close(r->domains);
    config_free(r->config);
    gen_close(r->gen);
    buf_release(&r->contributions);
    buf_release(&r->line);
}

static void run_days(struct seen *seen, uint64_t flood_lines)
{
    struct scene r;
    struct gen_line line;
    int status = 0;
    *seen = (struct seen){0};
    run_open(&r, seen, flood_lines);
    while ((status = gen_next(r.gen, &line)) == 0)
        take_line(&r, &line);
    assert_int_equal(status, ERR_NOTFOUND);
    go_to(&r, r.from_ns + FLOOD_NS + 2 * SECOND);
    tick(&r, r.tick_ns + SECOND, DETECT_TICK_END);
    assert_int_equal(r.flooded, flood_lines);
    seen->resident_last = resident_bytes();
    run_close(&r);
}

static uint64_t wanted_lines; /* set by main() once */

static void test_flood(void **state)
{
    (void)state;
    struct seen quiet;
    struct seen loud;
    run_days(&quiet, 0);
    size_t before = resident_bytes();
    run_days(&loud, wanted_lines);
    print_message("flood of %llu lines: B %llu alerts, A %llu alerts without and %llu with it, "
                  "coverage %llu evictions %llu records\n",
                  (unsigned long long)wanted_lines, (unsigned long long)loud.count[0],
                  (unsigned long long)quiet.count[FLOODED], (unsigned long long)loud.count[FLOODED],
                  (unsigned long long)loud.evictions, (unsigned long long)loud.records);
    print_message("resident MiB: %zu before, %zu after a quarter of the flood, %zu at its end\n",
                  before >> 20, loud.resident_first >> 20, loud.resident_last >> 20);
    assert_int_equal(quiet.rows[0], loud.rows[0]);
    assert_int_equal(quiet.rows[FLOODED] + wanted_lines, loud.rows[FLOODED]);
    assert_int_equal(quiet.unparsed[FLOODED], loud.unparsed[FLOODED]);
    assert_true(loud.count[0] >= 3);
    assert_true(slice_equal(buf_content(&quiet.alerts[0]), buf_content(&loud.alerts[0])));
    assert_int_equal(quiet.evictions + quiet.records, 0);
    assert_true(loud.evictions >= 1);
    assert_true(loud.records >= 1);
    if (!SANITIZED)
        assert_true(loud.resident_last <= loud.resident_first + GROWN_BYTES_MAX);
    for (unsigned i = 0; i < TOWNS; i++) {
        buf_release(&quiet.alerts[i]);
        buf_release(&loud.alerts[i]);
    }
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("SEKISHO_LONG");
    wanted_lines = is_long != NULL && is_long[0] != '\0' && strcmp(is_long, "0") != 0
                       ? FLOOD_LINES_LONG
                       : FLOOD_LINES;
    if (argc > 1)
        wanted_lines = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flood)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
