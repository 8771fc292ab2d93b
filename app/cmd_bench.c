/* app/cmd_bench.c - sekisho bench: speed, size and memory, with the answers checked first. */
#include <errno.h>
#include <stdlib.h>

#include "app/bench.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/options.h"
#include "base/log.h"

static const char HELP[] =
    "usage: sekisho bench [parse|mutate|store|search|pipeline|indicators|rules ...] [options]\n"
    "       sekisho bench compare A.json B.json [--threshold PERCENT]\n"
    "\n"
    "Measure CPU time, stored bytes and memory on generated lines. Each answer is checked first:\n"
    "a wrong one ends the run with exit code 1 and no figure.\n"
    "\n"
    "  parse        lines to columns, each format (build is another name of it)\n"
    "  mutate       golden lines cut, glued, doubled, overgrown: the worst by what the format's\n"
    "               median line costs; with --golden\n"
    "  store        columns to bytes and back; log frames as a collector writes them\n"
    "  search       address and URL substring over a log, checked against a scan of the lines\n"
    "  pipeline     lines to log: parse, enrich, build, encode, commit\n"
    "  indicators   a set of 1,500,000 indicators: memory, making, lookups\n"
    "  rules        rules on proxy events, their loading, correlations\n"
    "\n"
    "  --seed N         of the generator (1)\n"
    "  --events N       lines behind a figure (200,000; search 1,000,000;\n"
    "                   entries of indicators 1,500,000; mutated lines of a format 1,000)\n"
    "  --repeat N       samples of each row (5)\n"
    "  --lines FILE     parse and store: the lines of a file instead\n"
    "  --golden DIR     parse and mutate: DIR/<format>/*.log, each format there is, such as\n"
    "                   tests/golden of the source\n"
    "  --format NAME    of --lines: their format, or auto: by the look of each line;\n"
    "                   of --golden: this format only\n"
    "  --write DIR      rules: make this folder of the rules, the events as JSON, and the hits;\n"
    "                   mutate: of the worst line of each format\n"
    "  --json           for machines and for compare\n"
    "  --threshold P    compare: a row worse by more than P percent ends with 1 (10)\n"
    "\n"
    "Exit codes: 0 ok, 1 wrong answer or a row that is worse, 2 usage, 6 the system refused.\n";

enum {
    OPT_SEED = 256,
    OPT_EVENTS,
    OPT_REPEAT,
    OPT_LINES,
    OPT_GOLDEN,
    OPT_FORMAT,
    OPT_WRITE,
    OPT_JSON,
    OPT_THRESHOLD,
};

static const struct option OPTIONS[] = {
    {"seed", required_argument, NULL, OPT_SEED},
    {"events", required_argument, NULL, OPT_EVENTS},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"lines", required_argument, NULL, OPT_LINES},
    {"golden", required_argument, NULL, OPT_GOLDEN},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"write", required_argument, NULL, OPT_WRITE},
    {"json", no_argument, NULL, OPT_JSON},
    {"threshold", required_argument, NULL, OPT_THRESHOLD},
    {NULL, 0, NULL, 0},
};

struct noun {
    const char *name;
    int (*run)(struct bench_report *r, const struct bench_options *o);
    bool takes_lines;
    bool takes_golden;
    bool takes_write;
    bool needs_golden; /* and is nothing without */
};

static const struct noun NOUNS[] = {
    {"parse", bench_parse, .takes_lines = true, .takes_golden = true},
    {"mutate", bench_mutate, .takes_golden = true, .takes_write = true, .needs_golden = true},
    {"store", bench_store, .takes_lines = true},
    {.name = "search", .run = bench_search},
    {.name = "pipeline", .run = bench_pipeline},
    {.name = "indicators", .run = bench_indicators},
    {"rules", bench_rules, .takes_write = true},
};

enum {
    NOUN_COUNT = sizeof(NOUNS) / sizeof(NOUNS[0]),
};

struct bench_command {
    struct bench_options o;
    bool json;
    double threshold_percent;
    char **words; /* nouns, or compare and reports */
    int word_count;
};

static int read_threshold(double *out, const char *text)
{
    char *end = NULL;
    errno = 0;
    double percent = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(percent >= 0 && percent <= 1000)) {
        (void)option_usage("bench", "--threshold takes a percentage of 0 to 1000");
        return ERR_CONF;
    }
    *out = percent;
    return 0;
}

static int take_option(void *self, int option, const char *value)
{
    struct bench_command *c = self;
    uint64_t repeat = 0;
    int status = 0;
    switch (option) {
    case OPT_SEED:
        return option_number(&c->o.seed, "--seed", value, 0, UINT64_MAX);
    case OPT_EVENTS:
        return option_number(&c->o.events, "--events", value, 1000, BENCH_EVENTS_MAX);
    case OPT_REPEAT:
        status = option_number(&repeat, "--repeat", value, 1, BENCH_REPEAT_MAX);
        c->o.repeat = status == 0 ? (unsigned)repeat : c->o.repeat;
        return status;
    case OPT_LINES:
        c->o.lines = value;
        return 0;
    case OPT_GOLDEN:
        c->o.golden = value;
        return 0;
    case OPT_FORMAT:
        c->o.format = value;
        return 0;
    case OPT_WRITE:
        c->o.write = value;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    default:
        return read_threshold(&c->threshold_percent, value);
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct bench_command *c = self;
    c->words = words;
    c->word_count = count;
    if (c->o.lines != NULL && c->o.golden != NULL)
        return option_usage("bench", "--lines and --golden exclude each other");
    if (c->o.lines != NULL && c->o.format == NULL)
        return option_usage("bench", "--lines needs --format");
    if (c->o.format != NULL && c->o.lines == NULL && c->o.golden == NULL)
        return option_usage("bench", "--format needs --lines or --golden");
    return 0;
}

static const struct command_line LINE = {.command = "bench",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

static const struct noun *find_noun(const char *word)
{
    const char *name = strcmp(word, "build") == 0 ? "parse" : word;
    for (size_t i = 0; i < NOUN_COUNT; i++) {
        if (strcmp(NOUNS[i].name, name) == 0)
            return &NOUNS[i];
    }
    return NULL;
}

/* Whether the noun can do with the options; otherwise what is wrong, for it and its name. */
static const char *refusal(const struct noun *noun, const struct bench_options *o)
{
    if (o->lines != NULL && !noun->takes_lines)
        return "takes no --lines";
    if (o->golden != NULL && !noun->takes_golden)
        return "takes no --golden";
    if (o->golden == NULL && noun->needs_golden)
        return "needs --golden";
    return NULL;
}

/* Which nouns the arguments name, without any all that can do with the options; false after a message. */
static bool choose(const struct bench_command *c, bool chosen[NOUN_COUNT])
{
    bool writes = false;
    for (size_t i = 0; i < NOUN_COUNT; i++)
        chosen[i] = c->word_count == 0 && refusal(&NOUNS[i], &c->o) == NULL;
    for (int i = 0; i < c->word_count; i++) {
        const struct noun *noun = find_noun(c->words[i]);
        if (noun == NULL) {
            (void)option_usage("bench", "nothing is called \"%s\"", c->words[i]);
            return false;
        }
        const char *reason = refusal(noun, &c->o);
        if (reason != NULL) {
            (void)option_usage("bench", "%s %s", noun->name, reason);
            return false;
        }
        chosen[noun - NOUNS] = true;
    }
    for (size_t i = 0; i < NOUN_COUNT; i++)
        writes |= chosen[i] && NOUNS[i].takes_write;
    if (c->o.write != NULL && !writes) {
        (void)option_usage("bench", "only mutate and rules take --write");
        return false;
    }
    return true;
}

static int run_nouns(const struct bench_command *c, const bool chosen[NOUN_COUNT])
{
    struct bench_report *report = calloc(1, sizeof(*report));
    int status = report == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < NOUN_COUNT && status == 0; i++) {
        if (chosen[i])
            status = NOUNS[i].run(report, &c->o);
    }
    if (status == 0)
        (c->json ? bench_print_json : bench_print_table)(stdout, report, &c->o);
    else if (c->o.diag->count == 0)
        option_why("bench", status, errno);
    free(report);
    option_say(c->o.diag);
    if (status == 0)
        return fflush(stdout) == 0 ? EXIT_CODE_OK : EXIT_CODE_SYSTEM;
    return status == ERR_CORRUPT ? EXIT_CODE_FINDINGS : option_exit_code(status);
}

static int run_compare(const struct bench_command *c)
{
    bool worse = false;
    if (c->word_count != 3)
        return option_usage("bench", "compare takes two reports");
    int status = bench_compare(c->words[1], c->words[2], c->threshold_percent, &worse, c->o.diag);
    option_say(c->o.diag);
    if (status == 0)
        return worse ? EXIT_CODE_FINDINGS : EXIT_CODE_OK;
    return option_exit_code(status);
}

int cmd_bench(int argc, char **argv)
{
    struct diag diag = {0};
    struct bench_command c = {.o = {.seed = 1, .repeat = 5, .diag = &diag},
                              .threshold_percent = 10};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    bool chosen[NOUN_COUNT];
    log_set_severity(LOG_SEVERITY_WARN);
    if (c.word_count > 0 && strcmp(c.words[0], "compare") == 0)
        code = run_compare(&c);
    else if (choose(&c, chosen))
        code = run_nouns(&c, chosen);
    else
        code = EXIT_CODE_USAGE;
    diag_release(&diag);
    return code;
}
