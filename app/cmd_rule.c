/* app/cmd_rule.c - sekisho rule: check, test and explain rules, and run them on events. */
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/rule_backtest.h"
#include "app/rule_coverage.h"
#include "app/rule_eval.h"
#include "app/rule_explain.h"
#include "app/rule_hidden.h"
#include "app/rule_query.h"
#include "app/rule_test.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: sekisho rule check RULES\n"
    "       sekisho rule test RULES\n"
    "       sekisho rule explain [--rule NAME] [--tenant CODE] [--class CLASS] [--format NAME]\n"
    "                            [--json] RULES LINE\n"
    "       sekisho rule backtest --data DIR [--tenant CODE] [--since T] [--until T] [--rule NAME]\n"
    "                             [--against RULES | --hidden] [--threads N] [--json] RULES\n"
    "       sekisho rule coverage [--data DIR] [--tenant CODE] [--since T] [--until T] [--json]\n"
    "                             RULES\n"
    "       sekisho rule eval [--placeholders FILE] [--aliases] RULES EVENTS.ndjson\n"
    "       sekisho rule query RULES\n"
    "       sekisho rule from-query [--title TEXT] QUERY\n"
    "\n"
    "RULES is a file of Sigma documents, or a folder with *.yml files; values of placeholders stand\n"
    "in the folder lists beside them, x.txt for %x%.\n"
    "\n"
    "  check       all errors of all files, as file:line:column, and what can never hold\n"
    "  test        each rule on the raw log lines beside it (x.lines for x.yml): lines that must\n"
    "              fire it, and near misses\n"
    "  explain     why a rule holds for a raw log line or does not, selection by selection\n"
    "  backtest    what a rule would have found in the stored history: hits and alerts by\n"
    "              municipality and day, and beside the live version what is new, lost, the same;\n"
    "              with --hidden what filters took out of rules, and a query for it\n"
    "  coverage    for each source in the store which rules can bind there and why others are\n"
    "              blind; without --data the fields that each rule needs; ATT&CK techniques\n"
    "  eval        run the rules on flat JSON events: rule id, tab, number of the event, for each\n"
    "              match of a rule that stands alone; behind a second tab a JSON object with time,\n"
    "              group and value for each alert of a correlation\n"
    "  query       each rule as a query for sekisho search\n"
    "  from-query  a query as a rule\n"
    "\n"
    "  --placeholders FILE  lists for the modifier expand, as {\"name\": [\"value\", ...]}\n"
    "  --aliases            read field names through the field dictionary and Sigma's names;\n"
    "                       without it eval takes them as they stand\n"
    "  --rule NAME          id or name of the rule that is explained or back-tested; with --hidden\n"
    "                       also of a filter\n"
    "  --data DIR           the store; it is only read\n"
    "  --keyring FILE       keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --tenant CODE        only this municipality (six digits); explain: the line is one of its\n"
    "  --class CLASS        explain: the line is of a source of this class (internet, lgwan_deny)\n"
    "  --since T            only events of this time and later; a time or a duration back (30d)\n"
    "  --until T            only events before this time\n"
    "  --against RULES      the live version of the rule\n"
    "  --hidden             rows for which a rule's condition holds and that a filter takes out, by\n"
    "                       filter, rule, municipality and day\n"
    "  --threads N          default: one per processor\n"
    "  --format NAME        format of the line (auto)\n"
    "  --json               NDJSON instead of a table\n"
    "  --title TEXT         title of the rule that is made\n"
    "\n"
    "Exit codes: 0 right, holds, hits; 1 findings of check and test, does not hold, no hits, blind\n"
    "everywhere; 2 an error in a rule or on the command line; 3 no store; 5 incomplete.\n";

enum {
    OPT_PLACEHOLDERS = 256,
    OPT_ALIASES,
    OPT_RULE,
    OPT_FORMAT,
    OPT_JSON,
    OPT_TITLE,
    OPT_DATA,
    OPT_KEYRING,
    OPT_TENANT,
    OPT_CLASS,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_AGAINST,
    OPT_HIDDEN,
    OPT_THREADS,
};

static const struct option OPTIONS[] = {
    {"placeholders", required_argument, NULL, OPT_PLACEHOLDERS},
    {"aliases", no_argument, NULL, OPT_ALIASES},
    {"rule", required_argument, NULL, OPT_RULE},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"json", no_argument, NULL, OPT_JSON},
    {"title", required_argument, NULL, OPT_TITLE},
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"class", required_argument, NULL, OPT_CLASS},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"against", required_argument, NULL, OPT_AGAINST},
    {"hidden", no_argument, NULL, OPT_HIDDEN},
    {"threads", required_argument, NULL, OPT_THREADS},
    {NULL, 0, NULL, 0},
};

struct rule_command {
    const char *placeholders;
    const char *rule;
    const char *format;
    const char *title;
    bool aliases;
    bool json;
    bool hidden;
    const char *data;
    const char *against;
    uint32_t tenant;
    bool has_tenant;
    enum source_class class;
    int64_t since_ns;
    int64_t until_ns;
    unsigned threads;
    size_t verb;
    char **words; /* behind the options */
};

/* As the collector reads rules. */
static struct rule_options as_collected(const struct rule_command *c, int64_t now_ns)
{
    return (struct rule_options){.path = c->words[0],
                                 .placeholders = c->placeholders,
                                 .lists = true,
                                 .names = SIGMA_NAMES_FIELDS,
                                 .needs_rules = true,
                                 .scoped = true,
                                 .now_ns = now_ns};
}

static int run_check(const struct rule_command *c)
{
    const struct rule_options options = as_collected(c, clock_now_ns());
    struct diag diag = {0};
    struct rule_set rules = {0};
    int err = rule_load(&rules, &options, &diag);
    uint32_t warnings = rules.set.warning_count;
    option_say(&diag);
    diag_release(&diag);
    if (err == 0)
        (void)printf("%u documents: %u rules, %u correlations; %u warnings\n", rules.set.rule_count,
                     rules.rule_count, rules.set.order_count, warnings);
    rule_set_release(&rules);
    if (err == 0)
        return warnings == 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
    return err == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(err);
}

static int run_test(const struct rule_command *c)
{
    const struct rule_options options = as_collected(c, CLOCK_NONE);
    return rule_test(&options);
}

static int run_explain(const struct rule_command *c)
{
    const struct explain_options options = {.rules = as_collected(c, CLOCK_NONE),
                                            .rule = c->rule,
                                            .format = c->format,
                                            .line = slice_from(c->words[1]),
                                            .tenant = c->tenant,
                                            .class = c->class,
                                            .json = c->json};
    return rule_explain(&options);
}

static int run_backtest(const struct rule_command *c)
{
    const struct backtest_options options = {.rules = as_collected(c, CLOCK_NONE),
                                             .rule = c->rule,
                                             .against = c->against,
                                             .data = c->data,
                                             .tenant = c->tenant,
                                             .has_tenant = c->has_tenant,
                                             .since_ns = c->since_ns,
                                             .until_ns = c->until_ns,
                                             .threads = c->threads,
                                             .json = c->json};
    if (c->data == NULL)
        return option_usage("rule", "backtest: --data DIR is missing");
    if (c->hidden && c->against != NULL)
        return option_usage("rule", "backtest: --hidden and --against do not go together");
    return c->hidden ? rule_hidden(&options) : rule_backtest(&options);
}

static int run_coverage(const struct rule_command *c)
{
    const struct coverage_options options = {.rules = as_collected(c, CLOCK_NONE),
                                             .data = c->data,
                                             .tenant = c->tenant,
                                             .has_tenant = c->has_tenant,
                                             .since_ns = c->since_ns,
                                             .until_ns = c->until_ns,
                                             .json = c->json};
    return rule_coverage(&options);
}

static int run_eval(const struct rule_command *c)
{
    const struct rule_options options = {.path = c->words[0],
                                         .placeholders = c->placeholders,
                                         .names =
                                             c->aliases ? SIGMA_NAMES_FIELDS : SIGMA_NAMES_LITERAL,
                                         .now_ns = CLOCK_NONE};
    return rule_eval(&options, c->words[1]);
}

static int run_query(const struct rule_command *c)
{
    struct rule_options options = as_collected(c, CLOCK_NONE);
    options.scoped = false;
    return rule_query(&options);
}

static int run_from_query(const struct rule_command *c)
{
    return rule_from_query(c->words[0], c->title);
}

static const struct {
    const char *name;
    int words;
    const char *expected;
    int (*run)(const struct rule_command *c);
} VERBS[] = {
    {"check", 1, "RULES", run_check},
    {"test", 1, "RULES", run_test},
    {"explain", 2, "RULES and LINE", run_explain},
    {"backtest", 1, "RULES", run_backtest},
    {"coverage", 1, "RULES", run_coverage},
    {"eval", 2, "RULES and EVENTS", run_eval},
    {"query", 1, "RULES", run_query},
    {"from-query", 1, "QUERY", run_from_query},
};

enum {
    VERBS_COUNT = sizeof(VERBS) / sizeof(VERBS[0]),
};

static int take_verb(void *self, const char *word)
{
    struct rule_command *c = self;
    const char *names[VERBS_COUNT];
    for (size_t i = 0; i < VERBS_COUNT; i++) {
        names[i] = VERBS[i].name;
        c->verb = i;
        if (strcmp(names[i], word) == 0)
            return 0;
    }
    const char *near = diag_suggest(slice_from(word), names, VERBS_COUNT);
    return option_usage("rule", "no such verb \"%s\"%s%s%s", word,
                        near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                        near == NULL ? "" : "\"?");
}

/* Options that choose events of a store. */
static int take_scope(struct rule_command *c, int option, const char *value)
{
    int64_t now_ns = clock_now_ns();
    uint64_t threads = 0;
    int err = 0;
    switch (option) {
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    case OPT_TENANT:
        c->has_tenant = true;
        return option_tenant(&c->tenant, "--tenant", value);
    case OPT_SINCE:
        return option_time(&c->since_ns, "--since", value, now_ns);
    case OPT_UNTIL:
        return option_time(&c->until_ns, "--until", value, now_ns);
    case OPT_AGAINST:
        c->against = value;
        return 0;
    default:
        err = option_number(&threads, "--threads", value, 1, OPTION_THREADS_MAX);
        c->threads = err == 0 ? (unsigned)threads : c->threads;
        return err;
    }
}

static int take_option(void *self, int option, const char *value)
{
    struct rule_command *c = self;
    switch (option) {
    case OPT_PLACEHOLDERS:
        c->placeholders = value;
        return 0;
    case OPT_ALIASES:
        c->aliases = true;
        return 0;
    case OPT_RULE:
        c->rule = value;
        return 0;
    case OPT_FORMAT:
        c->format = value;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    case OPT_CLASS:
        return option_class(&c->class, "--class", value);
    case OPT_HIDDEN:
        c->hidden = true;
        return 0;
    case OPT_TITLE:
        c->title = value;
        return 0;
    default:
        return take_scope(c, option, value);
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct rule_command *c = self;
    c->words = words;
    if (count == VERBS[c->verb].words)
        return 0;
    return option_usage("rule", "%s: %s expected", VERBS[c->verb].name, VERBS[c->verb].expected);
}

static const struct command_line LINE = {.command = "rule",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .verb = take_verb};

int cmd_rule(int argc, char **argv)
{
    struct rule_command c = {.format = "auto",
                             .title = "A query as a rule",
                             .since_ns = INT64_MIN,
                             .until_ns = INT64_MAX,
                             .threads = option_processors()};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    if (c.data != NULL)
        option_give_way(c.data);
    return VERBS[c.verb].run(&c);
}
