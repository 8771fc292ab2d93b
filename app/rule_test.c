/* app/rule_test.c - sekisho rule test: each rule fires on its lines and is quiet on its near misses. */
#include "app/rule_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "app/rule_lines.h"
#include "app/rule_run.h"
#include "app/rule_source.h"
#include "base/file.h"

enum {
    LINES_BYTES_MAX = 4 << 20,
    CELLS = 1 << 14,
};

struct test {
    struct rule_set engine;
    struct rule_source *source;
    struct rule_run *run;
    bool *fired; /* by index of the rule */
    uint32_t *fires_blocks;
    uint32_t *quiet_blocks;
    uint32_t blocks;
    uint32_t failures;
};

static int match_take(void *self, const struct sigma_rule *rule, const struct batch *b,
                      uint32_t row)
{
    struct test *t = self;
    (void)b;
    (void)row;
    t->fired[rule - t->engine.set.rules] = true;
    return 0;
}

static int alert_take(void *self, const struct correlate_alert *alert)
{
    struct test *t = self;
    t->fired[alert->rule] = true;
    return 0;
}

static int batch_take(void *self, struct batch *b)
{
    struct test *t = self;
    return rule_run_batch(t->run, b);
}

static int part_run(struct test *t, const struct rule_part *part, const char *filename,
                    struct diag *diag)
{
    const struct rule_source_lines lines = {.format = part->format,
                                            .lines = part->lines,
                                            .tenant = part->tenant,
                                            .class = part->class,
                                            .take = batch_take,
                                            .self = t};
    uint32_t unparsed = 0;
    int err = rule_source_feed(t->source, &lines, &unparsed, diag);
    if (err == 0 && unparsed != 0) {
        (void)printf("%s:%u: %u of the lines are no %.*s\n", filename, part->line, unparsed,
                     (int)part->format.len, part->format.data);
        t->failures++;
    }
    return err;
}

/* The document that a block is about; NULL with a report. */
static const struct sigma_rule *block_rule(struct test *t, const struct rule_block *block,
                                           const char *filename, const char *rule_file)
{
    const struct sigma_rule *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->engine.set.rule_count; i++) {
        const struct sigma_rule *rule = &t->engine.set.rules[i];
        if (strcmp(rule->filename, rule_file) != 0 || rule->kind == SIGMA_FILTER)
            continue;
        bool named = block->rule.len != 0 &&
                     (slice_equal(rule->name, block->rule) || slice_equal(rule->id, block->rule));
        if (named || (block->rule.len == 0 && sigma_stands_alone(rule))) {
            found = rule;
            count++;
        }
    }
    if (count == 1)
        return found;
    (void)printf("%s:%u: %s\n", filename, block->line,
                 count == 0 ? "names no rule of the file" : "write rule=NAME: there are several");
    t->failures++;
    return NULL;
}

static int block_run(struct test *t, const struct rule_block *block, const char *filename,
                     const char *rule_file, struct diag *diag)
{
    const struct rule_run_options options = {
        .match = match_take, .alert = alert_take, .self = t, .cells = CELLS};
    const struct sigma_rule *rule = block_rule(t, block, filename, rule_file);
    if (rule == NULL)
        return 0;
    memset(t->fired, 0, t->engine.set.rule_count * sizeof(*t->fired));
    int err = rule_run_new(&t->run, &t->engine, &options);
    for (size_t i = 0; i < block->part_count && err == 0; i++)
        err = part_run(t, &block->parts[i], filename, diag);
    if (err == 0)
        err = rule_run_finish(t->run);
    rule_run_free(t->run);
    t->run = NULL;
    if (err != 0)
        return err;
    uint32_t at = (uint32_t)(rule - t->engine.set.rules);
    t->blocks++;
    if (block->fires)
        t->fires_blocks[at]++;
    else
        t->quiet_blocks[at]++;
    if (t->fired[at] == block->fires)
        return 0;
    (void)printf("%s:%u: the rule %.*s %s\n", filename, block->line, (int)rule->id.len,
                 rule->id.data, block->fires ? "does not fire" : "fires and should be quiet");
    t->failures++;
    return 0;
}

/* The lines beside one file of rules. */
static int file_test(struct test *t, const char *rule_file, struct diag *diag)
{
    struct arena arena = {0};
    struct buf path = {0};
    struct buf text = {0};
    struct rule_lines lines = {0};
    const char *dot = strrchr(rule_file, '.');
    buf_append(&path, rule_file, dot == NULL ? strlen(rule_file) : (size_t)(dot - rule_file));
    buf_text(&path, ".lines");
    const char *filename = buf_string(&path);
    int err = file_read_all(&text, filename, LINES_BYTES_MAX);
    if (err == ERR_NOTFOUND || err == ERR_IO) {
        (void)printf("%s: is missing: each rule has lines that fire it and near misses\n",
                     filename);
        t->failures++;
        err = 0;
    } else if (err == 0) {
        (void)buf_string(&text);
        err = rule_lines_read(&lines, &arena, filename, buf_content(&text), diag);
    }
    for (size_t i = 0; i < lines.count && err == 0; i++)
        err = block_run(t, &lines.blocks[i], filename, rule_file, diag);
    buf_release(&path);
    buf_release(&text);
    arena_release(&arena);
    return err;
}

/* Every rule that stands alone needs both kinds of blocks. */
static void coverage_check(struct test *t)
{
    for (uint32_t i = 0; i < t->engine.set.rule_count; i++) {
        const struct sigma_rule *rule = &t->engine.set.rules[i];
        if (rule->kind == SIGMA_FILTER || !sigma_stands_alone(rule) ||
            (t->fires_blocks[i] != 0 && t->quiet_blocks[i] != 0))
            continue;
        (void)printf("%s:%u: %.*s has no line that %s\n", rule->filename, rule->line,
                     (int)rule->id.len, rule->id.data,
                     t->fires_blocks[i] == 0 ? "must fire it" : "must not fire it");
        t->failures++;
    }
}

static int test_open(struct test *t, const struct rule_options *options, struct diag *diag)
{
    int err = rule_load(&t->engine, options, diag);
    size_t count = t->engine.set.rule_count + 1U;
    if (err == 0)
        err = rule_source_open(&t->source, diag);
    t->fired = calloc(count, sizeof(*t->fired));
    t->fires_blocks = calloc(count, sizeof(*t->fires_blocks));
    t->quiet_blocks = calloc(count, sizeof(*t->quiet_blocks));
    if (err == 0 && (t->fired == NULL || t->fires_blocks == NULL || t->quiet_blocks == NULL))
        err = ERR_NOMEM;
    return err;
}

static void test_close(struct test *t)
{
    rule_source_close(t->source);
    free(t->fired);
    free(t->fires_blocks);
    free(t->quiet_blocks);
    rule_set_release(&t->engine);
}

int rule_test(const struct rule_options *options)
{
    struct diag diag = {0};
    struct test t = {0};
    const char *last = "";
    uint32_t files = 0;
    int err = test_open(&t, options, &diag);
    for (uint32_t i = 0; i < t.engine.set.rule_count && err == 0; i++) {
        const char *filename = t.engine.set.rules[i].filename;
        if (t.engine.set.rules[i].kind == SIGMA_FILTER || strcmp(filename, last) == 0)
            continue;
        err = file_test(&t, filename, &diag);
        last = filename;
        files++;
    }
    if (err == 0) {
        coverage_check(&t);
        (void)printf("%u files, %u blocks of lines: %u failed\n", files, t.blocks, t.failures);
    }
    option_say(&diag);
    diag_release(&diag);
    uint32_t failures = t.failures;
    test_close(&t);
    if (err != 0)
        return err == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(err);
    return failures == 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
}
