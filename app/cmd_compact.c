/* app/cmd_compact.c - sekisho compact: rows of the log into the long-term level. */
#include <errno.h>
#include <stdio.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/compact.h"
#include "app/existing_store.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "base/clock.h"
#include "base/err.h"

static const char HELP[] =
    "usage: sekisho compact --data DIR [options]\n"
    "\n"
    "Write the rows of the log into segments, one file per municipality and hour in a folder of its\n"
    "own, smaller and quicker to search than the log. Each block is read back and compared with the\n"
    "log's lines before it counts. A collector does this by itself; the command is for stores that no\n"
    "collector has open: of a replay, or of one that was stopped.\n"
    "\n"
    "  --data DIR       the store\n"
    "  --keyring FILE   the keys: municipalities that have one are encrypted; else\n"
    "                   SEKISHO_KEYRING names them\n"
    "  --json           one object on standard output\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 3 no store, 5 damage, 6 the system refused or a collector is running.\n";

enum {
    OPT_DATA = 256,
    OPT_KEYRING,
    OPT_JSON,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"json", no_argument, NULL, OPT_JSON},
    {NULL, 0, NULL, 0},
};

struct compact_command {
    const char *data;
    bool json;
};

static int take_option(void *self, int option, const char *value)
{
    struct compact_command *c = self;
    switch (option) {
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    default:
        c->json = true;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct compact_command *c = self;
    return c->data == NULL ? option_usage("compact", "--data DIR is missing") : 0;
}

static const struct command_line LINE = {.command = "compact",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

static void print_report(const struct compact_command *c, const struct compact_report *r,
                         int64_t cpu_ns)
{
    double rows = r->rows == 0 ? 1 : (double)r->rows;
    if (c->json) {
        (void)printf("{\"tenants\":%llu,\"rows\":%llu,\"rows_again\":%llu,\"raw_bytes\":%llu,"
                     "\"segments\":%llu,\"segment_bytes\":%llu,\"spilled_bytes\":%llu,"
                     "\"through_seq\":%llu,\"cpu_seconds\":%.3f}\n",
                     (unsigned long long)r->tenants, (unsigned long long)r->rows,
                     (unsigned long long)r->rows_again, (unsigned long long)r->raw_bytes,
                     (unsigned long long)r->segments, (unsigned long long)r->segment_bytes,
                     (unsigned long long)r->spilled_bytes, (unsigned long long)r->through_seq,
                     (double)cpu_ns / 1e9);
        return;
    }
    (void)printf(
        "%llu rows of %llu municipalities in %llu segments: %.1f MB of lines in %.1f MB, "
        "%.1f bytes an event, %.2f CPU s/M\n",
        (unsigned long long)r->rows, (unsigned long long)r->tenants,
        (unsigned long long)r->segments, (double)r->raw_bytes / 1e6, (double)r->segment_bytes / 1e6,
        (double)r->segment_bytes / (rows + (double)r->rows_again), (double)cpu_ns / 1e3 / rows);
}

int cmd_compact(int argc, char **argv)
{
    struct compact_command c = {0};
    struct diag diag = {0};
    struct store *st = NULL;
    struct keyring *keys = NULL;
    struct compact_report report = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    int err = keyring_option(&keys, &diag);
    if (err == 0)
        err = existing_store_open(&st, c.data, false, &diag);
    if (err == 0) {
        const struct compact_options options = {.dir = c.data,
                                                .keys = keys,
                                                .store_id = store_id(st),
                                                .through_seq = store_last_seq(st)};
        err = compact_run(&options, &report, &diag);
    }
    int saved = errno;
    store_close(st);
    keyring_close(keys);
    option_say(&diag);
    if (err == 0)
        print_report(&c, &report, clock_cpu_ns());
    else if (diag.count == 0)
        option_why("compact", err, saved);
    diag_release(&diag);
    return option_exit_code(err);
}
