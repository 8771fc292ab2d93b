/* app/bench_pipeline.c - lines to a durable log in one process: what a collector does but Kafka. */
#include <stdlib.h>

#include "app/bench.h"
#include "app/bench_desk.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    PIPELINE_TENANTS = 42,
    DIR_BYTES = 256,
    EVENTS_PER_SECOND = 10000,
};

/* Configuration and databases that the generator makes for its own prefecture. */
struct support {
    char dir[DIR_BYTES];
    struct config *config;
    struct environment environment;
};

static int support_open(struct support *s, const struct bench_options *o)
{
    struct gen_options options;
    struct gen *gen = NULL;
    char path[DIR_BYTES + 16];
    gen_options_init(&options);
    options.seed = o->seed;
    options.tenants = PIPELINE_TENANTS;
    options.events = 1;
    int status = bench_temp_dir(s->dir, sizeof(s->dir));
    if (status == 0)
        status = gen_open(&gen, &options, o->diag);
    (void)snprintf(path, sizeof(path), "%s/gen", s->dir);
    if (status == 0)
        status = gen_write_support(gen, path, o->diag);
    (void)snprintf(path, sizeof(path), "%s/gen/config.yaml", s->dir);
    if (status == 0)
        status = config_load(&s->config, path, o->diag);
    if (status == 0)
        status = environment_open(&s->environment, s->config, NULL, o->diag);
    gen_close(gen);
    return status;
}

static void support_close(struct support *s)
{
    environment_close(&s->environment);
    config_free(s->config);
    if (s->dir[0] != '\0')
        (void)dir_remove_tree(s->dir);
}

/* One run of all lines into a new store; *cpu_ns without the check. */
static int run_once(const struct support *s, const struct bench_lines *lines, uint32_t rate,
                    const struct bench_options *o, double *bytes, int64_t *cpu_ns)
{
    struct bench_desk *desk = NULL;
    struct bench_desk_options options = {.config = s->config,
                                         .environment = &s->environment,
                                         .events_per_second = rate,
                                         .diag = o->diag};
    int64_t before = clock_cpu_ns();
    int status = bench_desk_open(&desk, &options);
    for (size_t i = 0; i < lines->count && status == 0; i++) {
        uint32_t stream = lines->lines[i].stream;
        status = bench_desk_line(desk, stream, &lines->streams[stream], bench_line_text(lines, i));
    }
    if (status == 0)
        status = bench_desk_finish(desk);
    *cpu_ns = clock_cpu_ns() - before;
    if (status == 0 && bench_desk_unparsed(desk) != 0) {
        diag_add(o->diag, "pipeline", 0, 0, "%llu lines were not parsed: no speed is shown",
                 (unsigned long long)bench_desk_unparsed(desk));
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        *bytes = (double)bench_desk_log_bytes(desk) / (double)lines->count;
        status = bench_desk_prove(desk, lines, "pipeline");
    }
    bench_desk_close(desk);
    return status;
}

static int measure(struct bench_report *r, const struct bench_options *o, const struct support *s,
                   const struct bench_lines *lines, uint32_t rate)
{
    const char *name = rate == 0 ? "pipeline.full" : "pipeline.seconds";
    struct bench_row *cpu = bench_row_add(r, BENCH_UNIT_CPU, "%s", name);
    struct bench_row *size = bench_row_add(r, BENCH_UNIT_BYTES, "%s.size", name);
    if (cpu == NULL || size == NULL)
        return ERR_RANGE;
    int status = 0;
    for (unsigned i = 0; i < o->repeat && status == 0; i++) {
        double bytes = 0;
        int64_t cpu_ns = 0;
        status = run_once(s, lines, rate, o, &bytes, &cpu_ns);
        bench_sample(cpu, (double)cpu_ns / 1e3 / (double)lines->count);
        if (i == 0)
            bench_sample(size, bytes);
    }
    cpu->events = size->events = lines->count;
    cpu->line_bytes = size->line_bytes = bench_line_bytes(lines);
    return status;
}

int bench_pipeline(struct bench_report *r, const struct bench_options *o)
{
    struct support support = {0};
    struct bench_lines lines;
    struct bench_mix mix = {.tenants = PIPELINE_TENANTS,
                            .events = o->events == 0 ? BENCH_HELD_LINES : o->events};
    int status = bench_lines_generate(&lines, &mix, o);
    if (status == 0)
        status = support_open(&support, o);
    if (status == 0)
        status = measure(r, o, &support, &lines, 0);
    if (status == 0)
        status = measure(r, o, &support, &lines, EVENTS_PER_SECOND);
    support_close(&support);
    bench_lines_release(&lines);
    return status;
}
