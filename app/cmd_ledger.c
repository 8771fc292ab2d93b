/* app/cmd_ledger.c - sekisho ledger: what each source sent, hour by hour, and what became of it. */
#include <errno.h>
#include <stdio.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/sheet_print.h"
#include "base/clock.h"

enum {
    JST_MINUTES = 9 * 60,
};

static const char HELP[] =
    "usage: sekisho ledger --data DIR [options]\n"
    "\n"
    "The completeness ledger: for each municipality, source and hour of arrival how many records were\n"
    "received from Kafka, how many of them were stored, quarantined (could not be read) and lost (deleted\n"
    "at the broker before they were read), and why. Received = stored + quarantined + lost; what is\n"
    "accounted for nowhere is a finding and named. Gaps are offsets at which there never was a record.\n"
    "\n"
    "  --data DIR       the store, of a running collector or of none; it is only read\n"
    "  --tenant CODE    only this municipality (six digits)\n"
    "  --source NAME    only this source\n"
    "  --topic T        only this topic\n"
    "  --since T        only hours from this time on; a time or a duration back (30d)\n"
    "  --until T        only hours before this time\n"
    "  --by WHAT        hour (the default), day or month\n"
    "  --json           NDJSON\n"
    "  --csv            the table as CSV\n"
    "  --lang ja|en     language of the table; by default that of the environment\n"
    "  --utc            times, days and months in UTC instead of JST\n"
    "\n"
    "Exit codes: 0 every record is accounted for, 1 findings, 2 usage, 3 no store, 5 incomplete (what is\n"
    "damaged is named), or not what a checkpoint signed, 6 the system refused.\n";

struct ledger_command {
    struct sheet_wish wish;
    bool json;
    bool csv;
    bool japanese;
    bool utc;
};

enum {
    OPT_DATA = 256,
    OPT_TENANT,
    OPT_SOURCE,
    OPT_TOPIC,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_BY,
    OPT_JSON,
    OPT_CSV,
    OPT_LANG,
    OPT_UTC,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"source", required_argument, NULL, OPT_SOURCE},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"by", required_argument, NULL, OPT_BY},
    {"json", no_argument, NULL, OPT_JSON},
    {"csv", no_argument, NULL, OPT_CSV},
    {"lang", required_argument, NULL, OPT_LANG},
    {"utc", no_argument, NULL, OPT_UTC},
    {NULL, 0, NULL, 0},
};

static int set_by(enum sheet_by *out, const char *text)
{
    static const char *const NAMES[] = {
        [SHEET_HOUR] = "hour", [SHEET_DAY] = "day", [SHEET_MONTH] = "month"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(text, NAMES[i]) == 0) {
            *out = (enum sheet_by)i;
            return 0;
        }
    }
    (void)fprintf(stderr, "sekisho ledger: --by \"%s\": hour, day or month\n", text);
    return ERR_CONF;
}

static int take_option(void *self, int option, const char *value)
{
    struct ledger_command *c = self;
    struct sheet_wish *w = &c->wish;
    switch (option) {
    case OPT_DATA:
        w->dir = value;
        return 0;
    case OPT_TENANT:
        w->has_tenant = true;
        return option_tenant(&w->tenant, "--tenant", value);
    case OPT_SOURCE:
        w->source = slice_from(value);
        return 0;
    case OPT_TOPIC:
        w->topic = slice_from(value);
        return 0;
    case OPT_SINCE:
        return option_time(&w->since_ns, "--since", value, clock_now_ns());
    case OPT_UNTIL:
        return option_time(&w->until_ns, "--until", value, clock_now_ns());
    case OPT_BY:
        return set_by(&w->by, value);
    case OPT_JSON:
        c->json = true;
        return 0;
    case OPT_CSV:
        c->csv = true;
        return 0;
    case OPT_LANG:
        return option_language(&c->japanese, "--lang", value);
    default:
        c->utc = true;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct ledger_command *c = self;
    if (c->wish.dir == NULL)
        return option_usage("ledger", "--data DIR is missing");
    if (c->json && c->csv)
        return option_usage("ledger", "--json and --csv exclude each other");
    return 0;
}

static const struct command_line LINE = {.command = "ledger",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

static int print(const struct ledger_command *c, const struct sheet *s)
{
    struct buf out = {0};
    const struct sheet_style style = {
        .wish = &c->wish, .japanese = c->japanese, .zone = c->utc ? "UTC" : "JST"};
    if (c->json)
        sheet_print_json(&out, s, &style);
    else if (c->csv)
        sheet_print_csv(&out, s, &style);
    else
        sheet_print_table(&out, s, &style);
    int code = EXIT_CODE_OK;
    if (!buf_ok(&out) || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
        code = EXIT_CODE_SYSTEM;
    else if (s->damage != 0 || (s->signature.checked && !s->signature.same))
        code = EXIT_CODE_INCOMPLETE;
    else if (s->finding_count != 0)
        code = EXIT_CODE_FINDINGS;
    buf_release(&out);
    return code;
}

int cmd_ledger(int argc, char **argv)
{
    struct ledger_command c = {.wish = {.since_ns = INT64_MIN, .until_ns = INT64_MAX}};
    struct sheet sheet = {0};
    struct diag diag = {0};
    int code = EXIT_CODE_OK;
    (void)option_language(&c.japanese, "--lang", NULL);
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    c.wish.zone_minutes = c.utc ? 0 : JST_MINUTES;
    option_give_way(c.wish.dir);
    int err = sheet_read(&sheet, &c.wish, &diag);
    if (err != 0 && diag.count == 0)
        diag_add(&diag, c.wish.dir, 0, 0, "cannot be read: %s",
                 err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    option_say(&diag);
    code = err == 0 ? print(&c, &sheet) : option_exit_code(err);
    sheet_close(&sheet);
    diag_release(&diag);
    return code;
}
