/*
 * app/bench_rules.c - what rules cost: beside parsing, at their loading, and their correlations.
 *
 *   lines --feed--> batch --rule_hits_read()--> hits, the same ones in every pass
 *                     |
 *                     +-- the first ones, row by row --invent_holds()--> the hits there must be
 */
#include <stdlib.h>

#include "app/bench.h"
#include "app/bench_desk.h"
#include "app/bench_invent.h"
#include "app/rule_load.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "event/ndjson.h"

enum {
    RULES_MAX = 2000,
    RULES_PER_FILE = 100,
    SAMPLE_BATCHES = 4, /* that are looked at twice */
    PATH_BYTES = 512,
    SETS = 5,
};

/* A prefix of the invented rules. */
struct set {
    const char *name;
    uint32_t rule_count;
    struct rule_set rules;
    uint64_t hits; /* of a pass */
    int64_t cpu_ns;
};

/* The lines of one format on their way. */
struct course {
    const struct bench_lines *lines;
    struct feed_bench *bench;
    struct invent *invent;
    struct invent_row *sample;
    size_t sample_count;
    size_t sample_cap;
    struct arena arena; /* of the sample */
    struct signal_fields fields;
    struct sigma_field field_items[INVENT_FIELDS];
    uint32_t order[BATCH_LIVE_ROWS_MAX];
    struct set sets[SETS];
    struct diag *diag;
};

/* One pass over the lines. */
struct pass {
    struct course *course;
    struct set *set; /* NULL: parse alone */
    struct rule_hits hits;
    uint64_t rows;
    uint64_t hit_count;
    int64_t rules_ns; /* CPU time of the rules alone */
    uint32_t batches;
    bool sampling;
    bool checking;
    struct ndjson *json; /* NULL, or the events are written: */
    struct buf *events;
    struct buf *few;
    struct buf *hit_lines;
};

/* The sample and the check */

static int sample_take(struct course *c, const struct batch *b)
{
    struct arena arena = {0};
    int err = 0;
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        struct signal signal = {0};
        struct invent_row *to = &c->sample[c->sample_count];
        if (c->sample_count == c->sample_cap)
            return ERR_RANGE;
        err = signal_take(&signal, &c->fields, b, row, &arena);
        for (unsigned f = 0; f < INVENT_FIELDS && err == 0; f++) {
            if (signal.values[f].data != NULL)
                err = invent_row_take(to, (enum invent_field)f, signal.values[f], &c->arena);
        }
        c->sample_count += err == 0;
        arena_reset(&arena);
    }
    arena_release(&arena);
    return err;
}

/* Exactly the hits that the naive look finds, which come by rule, then by row. */
static int check_batch(struct pass *p, const struct batch *b, uint32_t first)
{
    struct course *c = p->course;
    const struct hits *found = &p->hits.found;
    size_t at = 0;
    bool right = first + b->row_count <= c->sample_count;
    for (uint32_t rule = 0; rule < p->set->rule_count && right; rule++) {
        for (uint32_t row = 0; row < b->row_count && right; row++) {
            bool hit = at < found->count && found->items[at].row == row &&
                       p->set->rules.rules[found->items[at].expression] == rule;
            right = invent_holds(c->invent, rule, &c->sample[first + row]) == hit;
            at += hit;
            if (!right) {
                diag_add(c->diag, "rules", 0, 0,
                         "%s rules: " INVENT_RULE_ID
                         " %s row %u, which a second look says it %s: no "
                         "speed is shown",
                         p->set->name, rule, hit ? "hits" : "does not hit", first + row,
                         hit ? "does not" : "does");
            }
        }
    }
    return right && at == found->count ? 0 : ERR_CORRUPT;
}

/* What the rules ask for, in `few`, and whole events, in `out`, as flat JSON: a line a row. */
static int event_write(const struct pass *p, const struct batch *b, uint32_t row,
                       struct arena *arena)
{
    struct signal signal = {0};
    const char *before = "{";
    int err = signal_take(&signal, &p->course->fields, b, row, arena);
    if (err == 0)
        err = ndjson_row(p->json, row, NDJSON_PLACE, p->events);
    for (unsigned f = 0; f < INVENT_FIELDS && err == 0; f++) {
        if (signal.values[f].data == NULL)
            continue;
        buf_printf(p->few, "%s\"%s\":", before, invent_field_name((enum invent_field)f));
        ndjson_string(p->few, signal.values[f]);
        before = ",";
    }
    buf_text(p->few, *before == '{' ? "{}\n" : "}\n");
    struct slice url = signal.values == NULL ? (struct slice){0} : signal.values[INVENT_URL];
    if (err != 0 || url.data == NULL)
        return err;
    p->events->len -= strlen("}\n");
    buf_printf(p->events, ",\"%s\":", invent_field_name(INVENT_URL));
    ndjson_string(p->events, url);
    buf_text(p->events, "}\n");
    return 0;
}

static int events_write(const struct pass *p, const struct batch *b)
{
    struct arena arena = {0};
    int err = ndjson_batch(p->json, b);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        err = event_write(p, b, row, &arena);
        arena_reset(&arena);
    }
    arena_release(&arena);
    return err;
}

static void hits_write(const struct pass *p, uint32_t first)
{
    const struct hits *found = &p->hits.found;
    for (size_t i = 0; i < found->count; i++) {
        buf_printf(p->hit_lines, INVENT_RULE_ID "\t%u\n",
                   p->set->rules.rules[found->items[i].expression], first + found->items[i].row);
    }
}

static int batch_closed(void *self, struct batch *b)
{
    struct pass *p = self;
    uint32_t first = (uint32_t)p->rows;
    int err = 0;
    p->rows += b->row_count;
    p->batches++;
    if (p->json != NULL)
        return events_write(p, b);
    if (p->sampling && p->batches <= SAMPLE_BATCHES)
        return sample_take(p->course, b);
    if (p->set == NULL)
        return 0;
    int64_t before = clock_cpu_ns();
    err = rule_hits_read(&p->hits, &p->set->rules, b, p->course->order);
    p->rules_ns += clock_cpu_ns() - before;
    p->hit_count += p->hits.count;
    if (err == 0 && p->checking && p->batches <= SAMPLE_BATCHES)
        err = check_batch(p, b, first);
    if (err == 0 && p->hit_lines != NULL)
        hits_write(p, first);
    rule_hits_reset(&p->hits);
    return err;
}

/* Generated lines are of one stream; the batches are the same in every pass. */
static int run_pass(struct pass *p)
{
    const struct bench_lines *l = p->course->lines;
    struct feed_options options = bench_feed(&l->streams[0]);
    struct feed *feed = NULL;
    options.closed = batch_closed;
    options.self = p;
    int err = l->stream_count == 1 ? feed_open(&feed, p->course->bench, &options) : ERR_RANGE;
    for (size_t i = 0; i < l->count && err == 0; i++) {
        struct record record = bench_record(bench_line_text(l, i), (int64_t)i, GEN_START_WORK_NS);
        struct feed_result result;
        err = feed_record(feed, &record, &result);
    }
    if (err == 0)
        err = feed_close(feed);
    feed_free(feed);
    rule_hits_release(&p->hits);
    return err == 0 && p->rows != l->count ? ERR_CORRUPT : err;
}

static int fields_make(struct course *c)
{
    for (uint32_t i = 0; i < BATCH_LIVE_ROWS_MAX; i++)
        c->order[i] = i;
    for (unsigned f = 0; f < INVENT_FIELDS; f++) {
        struct slice name = slice_from(invent_field_name((enum invent_field)f));
        c->field_items[f] = (struct sigma_field){.field = field_find(name), .name = name};
    }
    c->fields = (struct signal_fields){.items = c->field_items, .count = INVENT_FIELDS};
    c->sample_cap = (size_t)SAMPLE_BATCHES * BATCH_LIVE_ROWS_MAX;
    c->sample = calloc(c->sample_cap, sizeof(*c->sample));
    return c->sample == NULL ? ERR_NOMEM : 0;
}

/* Rules as files */

static int rules_write(const struct invent *inv, uint32_t count, const char *dir)
{
    struct buf text = {0};
    int err = 0;
    for (uint32_t rule = 0; rule < count && err == 0; rule++) {
        buf_text(&text, "---\n");
        invent_rule_text(inv, rule, &text);
        if (rule % RULES_PER_FILE != RULES_PER_FILE - 1 && rule + 1 != count)
            continue;
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof(path), "%s/%06u.yml", dir, rule);
        err = buf_ok(&text) ? file_write_atomic(path, buf_content(&text)) : ERR_NOMEM;
        buf_reset(&text);
    }
    buf_release(&text);
    return err;
}

/* Load the first rules as `rules` does in the configuration; CPU time of the loading alone. */
static int rules_load(struct set *set, const struct invent *inv, struct diag *diag)
{
    char dir[PATH_BYTES - 16];
    int err = bench_temp_dir(dir, sizeof(dir));
    if (err != 0)
        return err;
    const struct rule_options options = {
        .path = dir, .names = SIGMA_NAMES_FIELDS, .scoped = true, .now_ns = CLOCK_NONE};
    err = rules_write(inv, set->rule_count, dir);
    int64_t before = clock_cpu_ns();
    if (err == 0)
        err = rule_load(&set->rules, &options, diag);
    set->cpu_ns = clock_cpu_ns() - before;
    (void)dir_remove_tree(dir);
    return err;
}

/* For other programs: DIR/FORMAT/events.whole, events.few, and of each set rules.NAME/, hits.NAME */

static int text_save(struct buf *text, const char *dir, const char *format, const char *what,
                     const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s/%s%s", dir, format, what, name);
    int err = buf_ok(text) ? file_write_atomic(path, buf_content(text)) : ERR_NOMEM;
    buf_release(text);
    return err;
}

static int set_save(struct course *c, struct set *set, const char *dir, const char *format)
{
    struct buf text = {0};
    struct pass p = {.course = c, .set = set, .hit_lines = &text};
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s/rules.%s", dir, format, set->name);
    int err = dir_create(path);
    if (err == 0)
        err = rules_write(c->invent, set->rule_count, path);
    if (err == 0)
        err = run_pass(&p);
    if (err == 0)
        return text_save(&text, dir, format, "hits.", set->name);
    buf_release(&text);
    return err;
}

static int events_save(struct course *c, const char *dir, const char *format)
{
    struct buf whole = {0};
    struct buf few = {0};
    struct pass p = {.course = c, .json = ndjson_new(), .events = &whole, .few = &few};
    int err = p.json == NULL ? ERR_NOMEM : run_pass(&p);
    if (err == 0)
        err = text_save(&whole, dir, format, "events.", "whole");
    if (err == 0)
        err = text_save(&few, dir, format, "events.", "few");
    ndjson_free(p.json);
    buf_release(&whole);
    buf_release(&few);
    return err;
}

static int course_save(struct course *c, const char *dir, const char *format)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, format);
    int err = strlen(dir) > PATH_BYTES / 2 ? ERR_RANGE : dir_create(path);
    if (err == 0)
        err = events_save(c, dir, format);
    for (size_t i = 0; i < SETS && err == 0; i++)
        err = set_save(c, &c->sets[i], dir, format);
    if (err != 0)
        diag_add(c->diag, dir, 0, 0, "cannot be written: %s", err_name(err));
    return err;
}

/* Passes */

/* CPU seconds per million events: of the whole, and of what rules add to parsing. */
struct cost {
    double whole;
    double above;
};

static int pass_cost(struct course *c, struct set *set, struct cost *out)
{
    struct pass p = {.course = c, .set = set};
    double thousands = (double)c->lines->count * 1e3;
    int64_t before = clock_cpu_ns();
    int err = run_pass(&p);
    out->whole = (double)(clock_cpu_ns() - before) / thousands;
    out->above = (double)p.rules_ns / thousands;
    if (err == 0 && set != NULL && p.hit_count != set->hits)
        err = ERR_CORRUPT;
    return err;
}

static int set_check(struct course *c, struct set *set)
{
    struct pass p = {.course = c, .set = set, .checking = true};
    int err = run_pass(&p);
    if (err != 0)
        return err;
    set->hits = p.hit_count;
    if (set->hits != 0)
        return 0;
    diag_add(c->diag, "rules", 0, 0, "%s rules hit nothing, so nothing is known of them",
             set->name);
    return ERR_CORRUPT;
}

/* Order of the sets in a course. */
enum {
    SET_PATTERNS_200,
    SET_PATTERNS_2000,
    SET_RULES_155,
    SET_RULES_200,
    SET_RULES_2000,
};

static void sets_name(struct course *c)
{
    c->sets[SET_PATTERNS_200] = (struct set){.name = "200_patterns", .rule_count = 80};
    c->sets[SET_PATTERNS_2000] = (struct set){.name = "2000_patterns", .rule_count = 800};
    c->sets[SET_RULES_155] = (struct set){.name = "155", .rule_count = 155};
    c->sets[SET_RULES_200] = (struct set){.name = "200", .rule_count = 200};
    c->sets[SET_RULES_2000] = (struct set){.name = "2000", .rule_count = RULES_MAX};
}

enum {
    ROW_PARSE,
    ROW_ABOVE_200,
    ROW_ABOVE_2000,
    ROW_WHOLE_155,
    ROW_WHOLE_2000,
    ROW_GROWTH,
    ROWS,
};

static int rows_add(struct bench_row *rows[ROWS], struct bench_report *r, const char *format)
{
    static const char *const NAMES[ROWS] = {
        "parse",     "above.200_patterns", "above.2000_patterns",
        "whole.155", "whole.2000",         "growth.200_to_2000"};
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = bench_row_add(r, i == ROW_GROWTH ? BENCH_UNIT_TIMES : BENCH_UNIT_CPU,
                                "rules.%s.%s", format, NAMES[i]);
        if (rows[i] == NULL)
            return ERR_RANGE;
    }
    return 0;
}

/* One sample of each row: parse alone and every set in turn, so that the machine is the same. */
static int rows_sample(struct course *c, struct bench_row *rows[ROWS])
{
    struct cost alone;
    struct cost cost[SETS];
    int err = pass_cost(c, NULL, &alone);
    for (size_t i = 0; i < SETS && err == 0; i++)
        err = pass_cost(c, &c->sets[i], &cost[i]);
    if (err != 0)
        return err;
    bench_sample(rows[ROW_PARSE], alone.whole);
    bench_sample(rows[ROW_ABOVE_200], cost[SET_PATTERNS_200].above);
    bench_sample(rows[ROW_ABOVE_2000], cost[SET_PATTERNS_2000].above);
    bench_sample(rows[ROW_WHOLE_155], cost[SET_RULES_155].whole);
    bench_sample(rows[ROW_WHOLE_2000], cost[SET_RULES_2000].whole);
    bench_sample(rows[ROW_GROWTH], cost[SET_RULES_2000].above / cost[SET_RULES_200].above);
    return 0;
}

static int course_prepare(struct course *c, uint64_t seed)
{
    static const struct feed_environment ENVIRONMENT = {0};
    struct pass sampling = {.course = c, .sampling = true};
    sets_name(c);
    int err = fields_make(c);
    if (err == 0)
        err = feed_bench_new(&c->bench, &ENVIRONMENT);
    if (err == 0)
        err = run_pass(&sampling);
    if (err == 0)
        err = invent_new(&c->invent, RULES_MAX, seed, c->sample, c->sample_count);
    for (size_t i = 0; i < SETS && err == 0; i++) {
        err = rules_load(&c->sets[i], c->invent, c->diag);
        if (err == 0)
            err = set_check(c, &c->sets[i]);
    }
    return err;
}

static void course_release(struct course *c)
{
    for (size_t i = 0; i < SETS; i++)
        rule_set_release(&c->sets[i].rules);
    invent_free(c->invent);
    feed_bench_free(c->bench);
    arena_release(&c->arena);
    free(c->sample);
    free(c);
}

/* Loading all rules, without anything kept from the time before. */
static int measure_load(struct bench_report *r, const struct course *c,
                        const struct bench_options *o)
{
    struct bench_row *row = bench_row_add(r, BENCH_UNIT_SECONDS, "rules.load.2000");
    int err = row == NULL ? ERR_RANGE : 0;
    for (unsigned i = 0; i < o->repeat && err == 0; i++) {
        struct set set = {.rule_count = RULES_MAX};
        err = rules_load(&set, c->invent, o->diag);
        bench_sample(row, (double)set.cpu_ns / 1e9);
        rule_set_release(&set.rules);
        row->events = RULES_MAX;
    }
    return err;
}

static int measure_format(struct bench_report *r, const struct bench_options *o, const char *format,
                          bool load)
{
    struct bench_lines lines;
    struct bench_mix mix = {
        .formats = format, .tenants = 1, .events = o->events == 0 ? BENCH_HELD_LINES : o->events};
    struct bench_row *rows[ROWS];
    int err = bench_lines_generate(&lines, &mix, o);
    if (err != 0)
        return err;
    struct course *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        bench_lines_release(&lines);
        return ERR_NOMEM;
    }
    c->lines = &lines;
    c->diag = o->diag;
    err = course_prepare(c, o->seed);
    if (err == 0)
        err = rows_add(rows, r, format);
    if (err == 0 && o->write != NULL)
        err = course_save(c, o->write, format);
    for (unsigned i = 0; i < o->repeat && err == 0; i++)
        err = rows_sample(c, rows);
    for (size_t i = 0; i < ROWS && err == 0; i++) {
        rows[i]->events = lines.count;
        rows[i]->line_bytes = bench_line_bytes(&lines);
    }
    if (err == 0 && load)
        err = measure_load(r, c, o);
    course_release(c);
    bench_lines_release(&lines);
    return err;
}

int bench_rules(struct bench_report *r, const struct bench_options *o)
{
    int err = measure_format(r, o, "squid", true);
    if (err == 0)
        err = measure_format(r, o, "i_filter", false);
    if (err == 0)
        err = bench_correlations(r, o);
    return err;
}
