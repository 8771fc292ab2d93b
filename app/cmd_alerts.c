/* app/cmd_alerts.c - sekisho alerts: what was found, and what people do about it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/alert_request.h"
#include "app/alert_show.h"
#include "app/alert_view.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/prefecture.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: sekisho alerts --data DIR [options]\n"
    "       sekisho alerts show ID --data DIR\n"
    "       sekisho alerts suppress|ack|close ID --data DIR --reason R [--until T] [--by NAME]\n"
    "       sekisho alerts suppress --kind K --key FIELD=VALUE --until T --data DIR --reason R\n"
    "       sekisho alerts suppressions --data DIR\n"
    "\n"
    "List alerts with their evidence, worst first, by municipality; show all that is known of one; or\n"
    "tell the collector that runs on the store what people do about them.\n"
    "\n"
    "  --data DIR        the store\n"
    "  --keyring FILE    keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --tenant CODE     only this municipality (six digits); 000000: alerts of all of them\n"
    "                    together; of a suppression: only there\n"
    "  --since T         only alerts that lasted to this time; a time or a duration back (24h)\n"
    "  --until T         only alerts that began before it; of a suppression: its end (7d is seven\n"
    "                    days from now, \"now\" ends it)\n"
    "  --severity LEVEL  only this one and worse: informational low medium high critical\n"
    "  --kind K          only this kind (D3, indicator, ...)\n"
    "  --key FIELD=VALUE what a suppression is about (source.ip=192.0.2.1)\n"
    "  --state S         only open, amended, acknowledged, closed or superseded ones\n"
    "  --follow          go on with new ones as they are found\n"
    "  --json            NDJSON: the lines as they were released\n"
    "  --limit N         the first N (default: 1,000; with --json all)\n"
    "  --lang ja|en      language (default: from LANG)\n"
    "  --utc             times in UTC instead of JST\n"
    "  --reason R        why; it is kept with the alert\n"
    "  --by NAME         who (default: the user's name)\n"
    "\n"
    "ID may be the first digits of one.\n"
    "Exit codes: 0 found or done, 1 nothing found, 2 usage, 3 no store, 4 no collector answers,\n"
    "5 the log is damaged (what is, is named), 6 the system refused.\n";

enum command {
    COMMAND_LIST = 1,
    COMMAND_SUPPRESSIONS = 2,
    COMMAND_SUPPRESS = 4,
    COMMAND_ACK = 8,
    COMMAND_CLOSE = 16,
    COMMAND_SHOW = 32,
};

enum {
    COMMAND_CONTROLS = COMMAND_SUPPRESS | COMMAND_ACK | COMMAND_CLOSE,
    COMMAND_ALL = COMMAND_LIST | COMMAND_SHOW | COMMAND_SUPPRESSIONS | COMMAND_CONTROLS,
    TEXT_ALERTS = 1000,      /* shown without --limit */
    SUPPRESS_DAYS_MAX = 366, /* what is suppressed for good is not watched */
};

enum {
    OPT_FIRST = 256,
    OPT_DATA = OPT_FIRST,
    OPT_KEYRING,
    OPT_TENANT,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_SEVERITY,
    OPT_KIND,
    OPT_KEY,
    OPT_STATE,
    OPT_FOLLOW,
    OPT_JSON,
    OPT_LIMIT,
    OPT_LANG,
    OPT_UTC,
    OPT_REASON,
    OPT_BY,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"severity", required_argument, NULL, OPT_SEVERITY},
    {"kind", required_argument, NULL, OPT_KIND},
    {"key", required_argument, NULL, OPT_KEY},
    {"state", required_argument, NULL, OPT_STATE},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"json", no_argument, NULL, OPT_JSON},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"lang", required_argument, NULL, OPT_LANG},
    {"utc", no_argument, NULL, OPT_UTC},
    {"reason", required_argument, NULL, OPT_REASON},
    {"by", required_argument, NULL, OPT_BY},
    {NULL, 0, NULL, 0},
};

/* Which commands an option belongs to. */
static const unsigned BELONGS[] = {
    [OPT_DATA - OPT_FIRST] = COMMAND_ALL,
    [OPT_KEYRING - OPT_FIRST] = COMMAND_ALL,
    [OPT_TENANT - OPT_FIRST] = COMMAND_ALL,
    [OPT_SINCE - OPT_FIRST] = COMMAND_LIST,
    [OPT_UNTIL - OPT_FIRST] = COMMAND_LIST | COMMAND_SUPPRESS,
    [OPT_SEVERITY - OPT_FIRST] = COMMAND_LIST,
    [OPT_KIND - OPT_FIRST] = COMMAND_LIST | COMMAND_SUPPRESS,
    [OPT_KEY - OPT_FIRST] = COMMAND_SUPPRESS,
    [OPT_STATE - OPT_FIRST] = COMMAND_LIST,
    [OPT_FOLLOW - OPT_FIRST] = COMMAND_LIST,
    [OPT_JSON - OPT_FIRST] = COMMAND_ALL,
    [OPT_LIMIT - OPT_FIRST] = COMMAND_LIST,
    [OPT_LANG - OPT_FIRST] = COMMAND_ALL,
    [OPT_UTC - OPT_FIRST] = COMMAND_ALL,
    [OPT_REASON - OPT_FIRST] = COMMAND_CONTROLS,
    [OPT_BY - OPT_FIRST] = COMMAND_CONTROLS,
};

static_assert(sizeof(BELONGS) / sizeof(BELONGS[0]) + 1 == sizeof(OPTIONS) / sizeof(OPTIONS[0]),
              "one entry for each option");

struct alerts {
    unsigned command; /* enum command */
    uint32_t seen;    /* options that were given; bits as in BELONGS */
    struct alert_view view;
    struct alert_request request;
    struct alert_show show;
    const char *until;
    struct diag diag;
};

static unsigned command_of(const char *word)
{
    static const struct {
        const char *name;
        unsigned command;
    } NAMES[] = {{"show", COMMAND_SHOW},
                 {"suppressions", COMMAND_SUPPRESSIONS},
                 {"suppress", COMMAND_SUPPRESS},
                 {"ack", COMMAND_ACK},
                 {"close", COMMAND_CLOSE}};
    for (size_t i = 0; word != NULL && i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(word, NAMES[i].name) == 0)
            return NAMES[i].command;
    }
    return COMMAND_LIST;
}

static int set_severity(struct alert_view *v, const char *text)
{
    for (unsigned i = 0; i < ALERT_SEVERITY_COUNT; i++) {
        if (strcmp(alert_severity_name(i), text) == 0) {
            v->severity_min = (uint8_t)i;
            return 0;
        }
    }
    (void)option_usage("alerts", "--severity is informational, low, medium, high or critical");
    return ERR_CONF;
}

static int set_state(struct alert_view *v, const char *text)
{
    v->state = text;
    if (alert_state_exists(text))
        return 0;
    (void)option_usage("alerts", "--state is open, amended, acknowledged, closed or superseded");
    return ERR_CONF;
}

static int set_language(struct alert_view *v, const char *text)
{
    if (alert_language(&v->print.japanese, text) == 0)
        return 0;
    (void)option_usage("alerts", "--lang is ja or en");
    return ERR_CONF;
}

/* Options that only keep what they are given. */
static void keep_option(struct alerts *a, int option, const char *value)
{
    switch (option) {
    case OPT_DATA:
        a->view.dir = value;
        break;
    case OPT_KEYRING:
        (void)keyring_option_name(value);
        break;
    case OPT_UNTIL:
        a->until = value;
        break;
    case OPT_KIND:
        a->view.kind = value;
        break;
    case OPT_KEY:
        a->request.key = value;
        break;
    case OPT_FOLLOW:
        a->view.follow = true;
        break;
    case OPT_JSON:
        a->view.json = true;
        break;
    case OPT_UTC:
        a->view.print.utc = true;
        break;
    case OPT_REASON:
        a->request.reason = value;
        break;
    default:
        a->request.by = value;
        break;
    }
}

static int take_option(void *self, int option, const char *value)
{
    struct alerts *a = self;
    a->seen |= UINT32_C(1) << (option - OPT_FIRST);
    switch (option) {
    case OPT_TENANT:
        a->view.has_tenant = true;
        if (strcmp(value, PREFECTURE_TEXT) == 0) /* no municipality's: it has no check digit */
            return 0;
        return option_tenant(&a->view.tenant, "--tenant", value);
    case OPT_SINCE:
        return option_time(&a->view.since_ns, "--since", value, clock_now_ns());
    case OPT_SEVERITY:
        return set_severity(&a->view, value);
    case OPT_STATE:
        return set_state(&a->view, value);
    case OPT_LIMIT:
        return option_number(&a->view.limit, "--limit", value, 1, UINT64_MAX);
    case OPT_LANG:
        return set_language(&a->view, value);
    default:
        keep_option(a, option, value);
        return 0;
    }
}

/* The end of a suppression: a time, a duration from now, or "now". */
static int read_end(int64_t *out, const char *text)
{
    int64_t now_ns = clock_now_ns();
    int64_t span = 0;
    if (strcmp(text, "now") == 0) {
        *out = now_ns;
        return 0;
    }
    if (clock_parse(out, slice_from(text)) != 0) {
        if (clock_parse_duration(&span, slice_from(text)) != 0 ||
            __builtin_add_overflow(now_ns, span, out))
            return ERR_CONF;
    }
    int64_t most = (int64_t)SUPPRESS_DAYS_MAX * 24 * 60 * CLOCK_NS_PER_MINUTE;
    return *out > now_ns && *out - now_ns <= most ? 0 : ERR_CONF;
}

static int check_suppress(struct alerts *a)
{
    struct alert_request *r = &a->request;
    if (r->has_tenant && r->tenant == PREFECTURE_CODE) {
        return option_usage("alerts", "%s is all municipalities together: leave --tenant out",
                            PREFECTURE_TEXT);
    }
    if (r->id == NULL && r->kind == NULL && r->key == NULL)
        return option_usage("alerts", "suppress what? give an ID, or --kind and --key");
    if (r->id != NULL && (r->kind != NULL || r->key != NULL))
        return option_usage("alerts", "an ID says what is suppressed: no --kind and --key then");
    if (r->key != NULL && strchr(r->key, '=') == NULL)
        return option_usage("alerts", "--key is FIELD=VALUE, as source.ip=192.0.2.1");
    if (a->until == NULL)
        return option_usage("alerts", "--until is missing: a suppression has an end");
    if (read_end(&r->until_ns, a->until) != 0) {
        return option_usage("alerts",
                            "--until is a time or a duration from now (7d), at most %d days "
                            "ahead, or \"now\"",
                            SUPPRESS_DAYS_MAX);
    }
    return 0;
}

static int check_control(struct alerts *a, int rest, char **argv)
{
    struct alert_request *r = &a->request;
    r->action = a->command == COMMAND_SUPPRESS ? DETECT_SUPPRESS
                : a->command == COMMAND_ACK    ? DETECT_ACK
                                               : DETECT_CLOSE;
    r->dir = a->view.dir;
    r->has_tenant = a->view.has_tenant;
    r->tenant = a->view.tenant;
    r->kind = a->view.kind;
    r->json = a->view.json;
    r->print = a->view.print;
    r->id = rest > 0 ? argv[0] : NULL;
    if (rest > 1)
        return option_usage("alerts", "one ID at a time");
    if (r->id == NULL && a->command != COMMAND_SUPPRESS)
        return option_usage("alerts", "which alert? sekisho alerts shows their ids");
    if (r->reason == NULL || r->reason[0] == '\0')
        return option_usage("alerts", "--reason is missing: say why; it is kept with the alert");
    return a->command == COMMAND_SUPPRESS ? check_suppress(a) : 0;
}

static int check_show(struct alerts *a, int rest, char **argv)
{
    if (rest != 1)
        return option_usage("alerts", "show which alert? give one ID; sekisho alerts lists them");
    a->show = (struct alert_show){.wanted = {.dir = a->view.dir,
                                             .id = argv[0],
                                             .has_tenant = a->view.has_tenant,
                                             .tenant = a->view.tenant},
                                  .json = a->view.json,
                                  .print = a->view.print};
    a->show.print.name_tenant = true;
    return 0;
}

static int check_list(struct alerts *a, int rest, char **argv)
{
    if (rest > 0 && a->command == COMMAND_SUPPRESSIONS)
        return option_usage("alerts", "suppressions takes no further word: \"%s\"", argv[0]);
    if (rest > 0) {
        return option_usage(
            "alerts", "\"%s\" is no action: show, suppress, ack, close or suppressions", argv[0]);
    }
    if (a->view.limit == 0 && !a->view.json)
        a->view.limit = TEXT_ALERTS;
    if (a->until == NULL)
        return 0;
    return option_time(&a->view.until_ns, "--until", a->until, clock_now_ns());
}

static int take_operands(void *self, char **words, int count)
{
    struct alerts *a = self;
    a->command = command_of(count > 0 ? words[0] : NULL);
    for (size_t i = 0; i < sizeof(BELONGS) / sizeof(BELONGS[0]); i++) {
        if ((a->seen >> i & 1) != 0 && (BELONGS[i] & a->command) == 0)
            return option_usage("alerts", "--%s has no place here", OPTIONS[i].name);
    }
    if (a->view.dir == NULL)
        return option_usage("alerts", "--data DIR is missing");
    if ((a->command & COMMAND_CONTROLS) != 0)
        return check_control(a, count - 1, words + 1);
    if (a->command == COMMAND_SHOW)
        return check_show(a, count - 1, words + 1);
    bool action = a->command != COMMAND_LIST;
    return check_list(a, action ? count - 1 : count, action ? words + 1 : words);
}

static const struct command_line LINE = {.command = "alerts",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

static int do_control(struct alerts *a)
{
    struct buf out = {0};
    int code = alert_request_run(&a->request, &out, &a->diag);
    if (out.len != 0 &&
        (!buf_ok(&out) || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
        code = EXIT_CODE_SYSTEM;
    buf_release(&out);
    return code;
}

int cmd_alerts(int argc, char **argv)
{
    struct alerts a = {.view = {.since_ns = INT64_MIN, .until_ns = INT64_MAX}};
    int code = EXIT_CODE_OK;
    a.view.print.japanese = alert_language_default();
    if (!command_line_read(&LINE, &a, argc, argv, &code))
        return code;
    if ((a.command & COMMAND_CONTROLS) != 0)
        code = do_control(&a);
    else if (a.command == COMMAND_SHOW)
        code = alert_show_run(&a.show, STDOUT_FILENO, &a.diag);
    else if (a.command == COMMAND_SUPPRESSIONS)
        code = alert_view_suppressions(&a.view, STDOUT_FILENO, &a.diag);
    else
        code = alert_view_list(&a.view, STDOUT_FILENO, &a.diag);
    option_say(&a.diag);
    if (code != EXIT_CODE_OK && code != EXIT_CODE_FINDINGS && a.diag.count == 0)
        (void)fprintf(stderr, "sekisho alerts: the system refused: %s\n", strerrordesc_np(errno));
    diag_release(&a.diag);
    return code;
}
