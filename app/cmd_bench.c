/* app/cmd_bench.c - sekisho bench: speed, size and memory, with the answers checked first. */
#include <errno.h>
#include <stdlib.h>

#include "app/bench.h"
#include "app/commands.h"
#include "app/options.h"
#include "base/log.h"

static const char HELP[] =
    "usage: sekisho bench [parse|store|search|pipeline|indicators|rules ...] [options]\n"
    "       sekisho bench compare A.json B.json [--threshold PERCENT]\n"
    "\n"
    "Measure CPU time, stored bytes and memory on generated lines. Each answer is checked first:\n"
    "a wrong one ends the run with exit code 1 and no figure.\n"
    "\n"
    "  parse        lines to columns, each format (build is another name of it)\n"
    "  store        columns to bytes and back; log frames as a collector writes them\n"
    "  search       address and URL substring over a log, checked against a scan of the lines\n"
    "  pipeline     lines to log: parse, enrich, build, encode, commit\n"
    "  indicators   a set of 1,500,000 indicators: memory, making, lookups\n"
    "  rules        rules on proxy events, their loading, correlations\n"
    "\n"
    "  --seed N         of the generator (1)\n"
    "  --events N       lines behind a figure (200,000; search 1,000,000;\n"
    "                   entries of indicators 1,500,000)\n"
    "  --repeat N       samples of each row (5)\n"
    "  --lines FILE     parse and store: the lines of a file instead\n"
    "  --format NAME    their format\n"
    "  --write DIR      rules: make this folder of the rules, the events as JSON, and the hits\n"
    "  --json           for machines and for compare\n"
    "  --threshold P    compare: a row worse by more than P percent ends with 1 (10)\n"
    "\n"
    "Exit codes: 0 ok, 1 wrong answer or a row that is worse, 2 usage, 6 the system refused.\n";

enum {
    OPT_SEED = 256,
    OPT_EVENTS,
    OPT_REPEAT,
    OPT_LINES,
    OPT_FORMAT,
    OPT_WRITE,
    OPT_JSON,
    OPT_THRESHOLD,
    OPT_HELP,
};

static const struct option OPTIONS[] = {
    {"seed", required_argument, NULL, OPT_SEED},
    {"events", required_argument, NULL, OPT_EVENTS},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"lines", required_argument, NULL, OPT_LINES},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"write", required_argument, NULL, OPT_WRITE},
    {"json", no_argument, NULL, OPT_JSON},
    {"threshold", required_argument, NULL, OPT_THRESHOLD},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

struct noun {
    const char *name;
    int (*run)(struct bench_report *r, const struct bench_options *o);
    bool takes_file;
};

static const struct noun NOUNS[] = {
    {"parse", bench_parse, true},
    {"store", bench_store, true},
    {"search", bench_search, false},
    {"pipeline", bench_pipeline, false},
    {"indicators", bench_indicators, false},
    {"rules", bench_rules, false},
};

enum {
    NOUN_COUNT = sizeof(NOUNS) / sizeof(NOUNS[0]),
};

struct bench_command {
    struct bench_options o;
    bool json;
    double threshold_percent;
};

static int read_threshold(double *out)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(optarg, &end);
    if (errno != 0 || end == optarg || *end != '\0' || !(value >= 0 && value <= 1000)) {
        (void)option_usage("bench", "--threshold takes a percentage of 0 to 1000");
        return ERR_CONF;
    }
    *out = value;
    return 0;
}

static int set_option(struct bench_command *c, int got)
{
    uint64_t repeat = 0;
    int status = 0;
    switch (got) {
    case OPT_SEED:
        return option_number(&c->o.seed, "--seed", optarg, 0, UINT64_MAX);
    case OPT_EVENTS:
        return option_number(&c->o.events, "--events", optarg, 1000, BENCH_EVENTS_MAX);
    case OPT_REPEAT:
        status = option_number(&repeat, "--repeat", optarg, 1, BENCH_REPEAT_MAX);
        c->o.repeat = status == 0 ? (unsigned)repeat : c->o.repeat;
        return status;
    case OPT_LINES:
        c->o.lines = optarg;
        return 0;
    case OPT_FORMAT:
        c->o.format = optarg;
        return 0;
    case OPT_WRITE:
        c->o.write = optarg;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    default:
        return read_threshold(&c->threshold_percent);
    }
}

/* Returns true to go on, false to end with *exit_code. */
static bool read_options(struct bench_command *c, int argc, char **argv, int *exit_code)
{
    int got = 0;
    *exit_code = EXIT_CODE_USAGE;
    opterr = 0;
    optind = 1;
    while ((got = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1) {
        if (got == OPT_HELP) {
            *exit_code = fputs(HELP, stdout) < 0 ? EXIT_CODE_SYSTEM : EXIT_CODE_OK;
            return false;
        }
        if (got == '?' || got == ':') {
            *exit_code = option_refuse(argc, argv, got, OPTIONS);
            return false;
        }
        if (set_option(c, got) != 0)
            return false;
    }
    if ((c->o.lines == NULL) != (c->o.format == NULL)) {
        *exit_code = option_usage("bench", "--lines and --format belong together");
        return false;
    }
    return true;
}

static const struct noun *find_noun(const char *word)
{
    const char *name = strcmp(word, "build") == 0 ? "parse" : word;
    for (size_t i = 0; i < NOUN_COUNT; i++) {
        if (strcmp(NOUNS[i].name, name) == 0)
            return &NOUNS[i];
    }
    return NULL;
}

/* Which nouns the arguments name, all without any; false after a message. */
static bool choose(const struct bench_command *c, char **words, int count, bool chosen[NOUN_COUNT])
{
    for (size_t i = 0; i < NOUN_COUNT; i++)
        chosen[i] = count == 0 && (c->o.lines == NULL || NOUNS[i].takes_file);
    for (int i = 0; i < count; i++) {
        const struct noun *noun = find_noun(words[i]);
        if (noun == NULL) {
            (void)option_usage("bench", "nothing is called \"%s\"", words[i]);
            return false;
        }
        if (c->o.lines != NULL && !noun->takes_file) {
            (void)option_usage("bench", "%s takes no --lines", noun->name);
            return false;
        }
        chosen[noun - NOUNS] = true;
    }
    if (c->o.write != NULL && !chosen[find_noun("rules") - NOUNS]) {
        (void)option_usage("bench", "only rules takes --write");
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
        (void)fprintf(stderr, "sekisho bench: %s\n", err_name(status));
    free(report);
    option_say(c->o.diag);
    if (status == 0)
        return fflush(stdout) == 0 ? EXIT_CODE_OK : EXIT_CODE_SYSTEM;
    return status == ERR_CORRUPT ? EXIT_CODE_FINDINGS : option_exit_code(status);
}

static int run_compare(const struct bench_command *c, char **words, int count)
{
    bool worse = false;
    if (count != 3)
        return option_usage("bench", "compare takes two reports");
    int status = bench_compare(words[1], words[2], c->threshold_percent, &worse, c->o.diag);
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
    if (!read_options(&c, argc, argv, &code))
        return code;
    char **words = argv + optind;
    int count = argc - optind;
    bool chosen[NOUN_COUNT];
    log_set_severity(LOG_SEVERITY_WARN);
    if (count > 0 && strcmp(words[0], "compare") == 0)
        code = run_compare(&c, words, count);
    else if (choose(&c, words, count, chosen))
        code = run_nouns(&c, chosen);
    else
        code = EXIT_CODE_USAGE;
    diag_release(&diag);
    return code;
}
