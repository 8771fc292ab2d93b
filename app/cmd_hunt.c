/* app/cmd_hunt.c - sekisho hunt: look for the indicators of lists in what is stored. */
#include <stdio.h>
#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/hunt_report.h"
#include "app/keyring_option.h"
#include "app/lists.h"
#include "app/options.h"
#include "app/sink.h"
#include "base/clock.h"

enum {
    JST_MINUTES = 9 * 60,
};

static const char HELP[] =
    "usage: sekisho hunt --data DIR --list FILE[:TYPE] [options]\n"
    "\n"
    "Look for indicators of compromise in what is stored, as detection would have done: who met them,\n"
    "in which municipality, when first and last, how often, and a row of evidence.\n"
    "\n"
    "  --data DIR       the store, of a running collector or of none; it is only read\n"
    "  --keyring FILE   keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --list FILE      list of indicators; may be given several times. A TYPE behind it is plain, csv,\n"
    "                   misp or stix, or what its lines name: address, network, address_port, domain,\n"
    "                   url, path, agent; left out, by the look of the file\n"
    "  --config CONF    networks of municipalities (inside and outside), their names, suffix list\n"
    "  --tenant CODE    only this municipality (six digits)\n"
    "  --since T        only events of this time and later; a time or a duration back (30d)\n"
    "  --until T        only events before this time\n"
    "  --time N         end after so many seconds, with what was found until then\n"
    "  --json           NDJSON, also on a terminal\n"
    "  --utc            times of the table in UTC instead of JST\n"
    "\n"
    "Exit codes: 0 found, 1 nothing found, 2 usage, 3 no store, no list or a wrong one, 5 incomplete (what\n"
    "could not be searched is named), 6 the system refused.\n";

struct hunt_command {
    const char *data;
    const char *config;
    uint32_t tenant;
    int64_t since_ns;
    int64_t until_ns;
    int64_t time_max_ns;
    bool json;
    bool utc;
    struct lists lists;
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_KEYRING,
    OPT_LIST,
    OPT_CONFIG,
    OPT_TENANT,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_TIME,
    OPT_JSON,
    OPT_UTC,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"list", required_argument, NULL, OPT_LIST},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"time", required_argument, NULL, OPT_TIME},
    {"json", no_argument, NULL, OPT_JSON},
    {"utc", no_argument, NULL, OPT_UTC},
    {NULL, 0, NULL, 0},
};

/* A list that cannot be read is a wrong configuration: ERR_NOTFOUND ends with 3. */
static int take_list(struct hunt_command *c, const char *text)
{
    int err = lists_add(&c->lists, text, &c->diag);
    return err == ERR_CONF ? ERR_NOTFOUND : err;
}

static int take_option(void *self, int option, const char *value)
{
    struct hunt_command *c = self;
    uint64_t seconds = 0;
    int err = 0;
    switch (option) {
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    case OPT_LIST:
        return take_list(c, value);
    case OPT_CONFIG:
        c->config = value;
        return 0;
    case OPT_TENANT:
        return option_tenant(&c->tenant, "--tenant", value);
    case OPT_SINCE:
        return option_time(&c->since_ns, "--since", value, clock_now_ns());
    case OPT_UNTIL:
        return option_time(&c->until_ns, "--until", value, clock_now_ns());
    case OPT_TIME:
        err = option_number(&seconds, "--time", value, 1, UINT32_MAX);
        c->time_max_ns = (int64_t)seconds * CLOCK_NS_PER_SECOND;
        return err;
    case OPT_JSON:
        c->json = true;
        return 0;
    default:
        c->utc = true;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct hunt_command *c = self;
    if (c->data == NULL)
        return option_usage("hunt", "--data DIR is missing");
    return c->lists.count == 0 ? option_usage("hunt", "--list FILE is missing") : 0;
}

static const struct command_line LINE = {.command = "hunt",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

/* What lists and configuration give. */
struct hunt_basis {
    struct config *config;
    struct domain_list *suffixes;
    struct indicator_set *set;
};

static int load_basis(struct hunt_basis *b, struct hunt_command *c)
{
    int err = config_load(&b->config, c->config, &c->diag);
    if (err != 0)
        return err;
    const char *path = config_path(b->config, "public_suffix_list");
    if (domain_open(&b->suffixes, path) != 0) {
        diag_add(&c->diag, path != NULL ? path : "public_suffix_list", 0, 0,
                 "no readable public suffix list: entries like co.jp are not refused");
        b->suffixes = NULL;
    }
    return lists_build(&b->set, &c->lists, b->suffixes, &c->diag);
}

static void release_basis(struct hunt_basis *b)
{
    indicator_set_free(b->set);
    domain_close(b->suffixes);
    config_free(b->config);
}

static int print_result(const struct hunt_command *c, const struct hunt_report *report)
{
    struct sink sink = {.fd = STDOUT_FILENO};
    struct buf summary = {0};
    if (c->json)
        hunt_report_json(&sink.out, report);
    else
        hunt_report_table(&sink.out, report, c->utc ? 0 : JST_MINUTES);
    int err = sink_close(&sink);
    hunt_report_summary(&summary, report);
    (void)fprintf(stderr, "%s\n", buf_string(&summary));
    buf_release(&summary);
    return err;
}

static int hunt_store(struct hunt_command *c, const struct hunt_basis *b, int *exit_code)
{
    struct log_index *index = NULL;
    struct hunt_result result = {0};
    const struct log_index_options range = {.dir = c->data,
                                            .wish = {.has_tenant = c->tenant != 0,
                                                     .tenant = c->tenant,
                                                     .since_ns = c->since_ns,
                                                     .until_ns = c->until_ns}};
    option_give_way(c->data);
    int err = log_index_open_with(&index, &range, &c->diag);
    const struct hunt_options options = {.index = index,
                                         .set = b->set,
                                         .config = b->config,
                                         .last_seq = UINT64_MAX,
                                         .tenant = c->tenant,
                                         .since_ns = c->since_ns,
                                         .until_ns = c->until_ns,
                                         .time_max_ns = c->time_max_ns,
                                         .findings_max = HUNT_FINDINGS_DEFAULT};
    if (err == 0)
        err = hunt_run(&result, &options, &c->diag);
    if (err == 0) {
        const struct hunt_report report = {.result = &result,
                                           .set = b->set,
                                           .config = b->config,
                                           .at_ns = INT64_MIN,
                                           .tenant = c->tenant};
        option_say(&c->diag);
        diag_release(&c->diag);
        err = print_result(c, &report);
        *exit_code = result.count != 0 ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
        if (!hunt_is_whole(&result))
            *exit_code = EXIT_CODE_INCOMPLETE;
    }
    hunt_release(&result);
    log_index_close(index);
    return err;
}

int cmd_hunt(int argc, char **argv)
{
    struct hunt_command c = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    struct hunt_basis basis = {0};
    int code = EXIT_CODE_OK;
    if (command_line_read(&LINE, &c, argc, argv, &code)) {
        c.json = c.json || isatty(STDOUT_FILENO) != 1;
        int err = load_basis(&basis, &c);
        code = err == ERR_CONF ? EXIT_CODE_CONFIG : EXIT_CODE_OK;
        if (err == 0)
            err = hunt_store(&c, &basis, &code);
        if (err != 0) {
            code = err == ERR_CONF ? EXIT_CODE_CONFIG : option_exit_code(err);
            if (c.diag.count == 0)
                diag_add(&c.diag, c.data, 0, 0, "%s", err_name(err));
        }
    }
    option_say(&c.diag);
    release_basis(&basis);
    lists_release(&c.lists);
    diag_release(&c.diag);
    return code;
}
