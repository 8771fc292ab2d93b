/* app/cmd_hold.c - sekisho hold: what must not be deleted, whatever its age. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/retention.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/ndjson.h"

static const char HELP[] =
    "usage: sekisho hold add --data DIR --tenant CODE [--class C] [--since T] [--until T]\n"
    "                        --reason R --by WHO\n"
    "       sekisho hold release --data DIR --hold N --reason R --by WHO\n"
    "       sekisho hold list --data DIR [--all] [--json]\n"
    "\n"
    "Legal hold: rows of a municipality that stay until the hold is released, however long they are to\n"
    "be kept. Works beside a running collector; what add has acknowledged is obeyed. Nothing is taken\n"
    "out of the list: a release is a record too.\n"
    "\n"
    "  --data DIR       the store\n"
    "  --tenant CODE    the municipality\n"
    "  --class C        only logs of this class: firewall, proxy, other\n"
    "  --since T        by the time of events or of their arrival; left out, from the beginning\n"
    "  --until T        likewise; left out, for all that is to come too\n"
    "  --reason R       why; one line\n"
    "  --by WHO         who says so\n"
    "  --hold N         the number that add printed\n"
    "  --all            also holds that were released\n"
    "  --json           one object a line\n"
    "\n"
    "Exit codes: 0 ok, 1 no such hold, 2 usage, 3 no store, 5 damage, 6 the system refused.\n";

enum {
    OPT_DATA = 256,
    OPT_TENANT,
    OPT_CLASS,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_REASON,
    OPT_BY,
    OPT_HOLD,
    OPT_ALL,
    OPT_JSON,
    JAPAN_MINUTES = 9 * 60,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"class", required_argument, NULL, OPT_CLASS},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"reason", required_argument, NULL, OPT_REASON},
    {"by", required_argument, NULL, OPT_BY},
    {"hold", required_argument, NULL, OPT_HOLD},
    {"all", no_argument, NULL, OPT_ALL},
    {"json", no_argument, NULL, OPT_JSON},
    {NULL, 0, NULL, 0},
};

enum action {
    ACTION_ADD,
    ACTION_RELEASE,
    ACTION_LIST,
};

struct hold_command {
    enum action action;
    const char *data;
    struct hold hold;
    bool has_tenant;
    uint64_t number;
    bool all;
    bool json;
    int64_t now_ns;
};

static int read_class(struct hold_command *c, const char *text)
{
    struct buf names = {0};
    c->hold.class_name = slice_from(text);
    if (retention_class_find(c->hold.class_name) != RETENTION_CLASSES)
        return 0;
    retention_class_list(&names);
    (void)option_usage("hold", "--class: \"%s\" is none of %s", text, buf_string(&names));
    buf_release(&names);
    return ERR_CONF;
}

static int take_option(void *self, int option, const char *value)
{
    struct hold_command *c = self;
    switch (option) {
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_TENANT:
        c->has_tenant = true;
        return option_tenant(&c->hold.tenant, "--tenant", value);
    case OPT_CLASS:
        return read_class(c, value);
    case OPT_SINCE:
        return option_time(&c->hold.since_ns, "--since", value, c->now_ns);
    case OPT_UNTIL:
        return option_time(&c->hold.until_ns, "--until", value, c->now_ns);
    case OPT_REASON:
        c->hold.reason = slice_from(value);
        return 0;
    case OPT_BY:
        c->hold.by = slice_from(value);
        return 0;
    case OPT_HOLD:
        return option_number(&c->number, "--hold", value, 1, HOLD_RECORDS_MAX);
    case OPT_ALL:
        c->all = true;
        return 0;
    default:
        c->json = true;
        return 0;
    }
}

/* What is missing, or NULL. */
static const char *find_missing(const struct hold_command *c)
{
    if (c->data == NULL)
        return "--data DIR is missing";
    if (c->action == ACTION_LIST)
        return NULL;
    if (c->hold.reason.len == 0)
        return "--reason R is missing: why";
    if (c->hold.by.len == 0)
        return "--by WHO is missing: who says so";
    if (c->action == ACTION_RELEASE)
        return c->number == 0 ? "--hold N is missing: which one" : NULL;
    if (!c->has_tenant)
        return "--tenant CODE is missing: whose rows";
    return c->hold.since_ns < c->hold.until_ns ? NULL : "--until is not behind --since";
}

static int take_action(void *self, const char *word)
{
    static const char *const NAMES[] = {"add", "release", "list"};
    struct hold_command *c = self;
    for (unsigned i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(word, NAMES[i]) == 0) {
            c->action = (enum action)i;
            return 0;
        }
    }
    return option_usage("hold", "say add, release or list first");
}

static int check_options(void *self)
{
    const char *missing = find_missing(self);
    return missing == NULL ? 0 : option_usage("hold", "%s", missing);
}

static const struct command_line LINE = {.command = "hold",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options,
                                         .verb = take_action};

static void print_time(struct buf *out, const char *key, int64_t ns)
{
    if (ns == INT64_MIN || ns == INT64_MAX)
        return;
    buf_printf(out, ",\"%s\":\"", key);
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void print_text(struct buf *out, const char *key, struct slice text)
{
    buf_printf(out, ",\"%s\":", key);
    ndjson_string(out, text);
}

static void print_json(struct buf *out, const struct hold *h)
{
    buf_printf(out, "{\"hold\":%" PRIu64 ",\"tenant\":\"%06" PRIu32 "\"", h->number, h->tenant);
    print_text(out, "class", h->class_name);
    print_time(out, "since", h->since_ns);
    print_time(out, "until", h->until_ns);
    print_time(out, "time", h->time_ns);
    print_text(out, "by", h->by);
    print_text(out, "reason", h->reason);
    if (h->released != 0) {
        print_time(out, "released", h->released_ns);
        print_text(out, "released_by", h->released_by);
        print_text(out, "released_reason", h->released_reason);
    }
    buf_text(out, "}\n");
}

static void print_span(struct buf *out, int64_t ns, const char *open_end)
{
    if (ns == INT64_MIN || ns == INT64_MAX)
        buf_text(out, open_end);
    else
        clock_print_zone(out, ns, JAPAN_MINUTES);
}

static void print_line(struct buf *out, const struct hold *h)
{
    struct diag text = {0};
    buf_printf(out, "%4" PRIu64 "  %06" PRIu32 "  %-8.*s  ", h->number, h->tenant,
               (int)h->class_name.len, h->class_name.data);
    print_span(out, h->since_ns, "the beginning");
    buf_text(out, " .. ");
    print_span(out, h->until_ns, "no end");
    /* A diagnosis makes words harmless for a terminal. */
    diag_add(&text, NULL, 0, 0, "%.*s: %.*s", (int)h->by.len, h->by.data, (int)h->reason.len,
             h->reason.data);
    if (h->released != 0)
        diag_add(&text, NULL, 0, 0, "released by %.*s: %.*s", (int)h->released_by.len,
                 h->released_by.data, (int)h->released_reason.len, h->released_reason.data);
    buf_byte(out, '\n');
    struct slice said = slice_from(diag_text(&text));
    while (said.len != 0) {
        const char *end = memchr(said.data, '\n', said.len);
        size_t len = end == NULL ? said.len : (size_t)(end - said.data) + 1;
        buf_text(out, "      ");
        buf_append(out, said.data, len);
        said = slice_from_offset(said, len);
    }
    diag_release(&text);
}

static int list(const struct hold_command *c, struct diag *diag)
{
    struct holds holds = {0};
    struct buf out = {0};
    int err = holds_read(&holds, c->data, diag);
    for (size_t i = 0; i < holds.count && err == 0; i++) {
        const struct hold *h = &holds.items[i];
        if (h->released != 0 && !c->all)
            continue;
        if (c->json)
            print_json(&out, h);
        else
            print_line(&out, h);
    }
    if (err == 0 && out.len == 0 && !c->json)
        buf_text(&out, "nothing is held\n");
    if (err == 0 && (!buf_ok(&out) || fwrite(out.data, 1, out.len, stdout) != out.len))
        err = ERR_IO;
    buf_release(&out);
    holds_release(&holds);
    return err;
}

static int act(struct hold_command *c, struct diag *diag)
{
    uint64_t number = 0;
    int err = 0;
    if (c->action == ACTION_LIST)
        return list(c, diag);
    if (c->action == ACTION_RELEASE) {
        err = holds_end(c->data, c->number, &c->hold, diag);
        if (err == 0)
            (void)printf("hold %" PRIu64 " is released\n", c->number);
        return err;
    }
    err = holds_add(&number, c->data, &c->hold, diag);
    if (err == 0)
        (void)printf("hold %" PRIu64 "\n", number);
    return err;
}

int cmd_hold(int argc, char **argv)
{
    struct hold_command c = {.now_ns = clock_now_ns()};
    struct diag diag = {0};
    struct store *st = NULL;
    int code = EXIT_CODE_OK;
    c.hold = (struct hold){.time_ns = c.now_ns,
                           .class_name = SLICE(HOLD_CLASS_ALL),
                           .since_ns = INT64_MIN,
                           .until_ns = INT64_MAX};
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    const struct store_options look = {.dir = c.data, .read_only = true};
    int err = store_open(&st, &look, &diag);
    store_close(st);
    bool there = err == 0;
    if (there)
        err = act(&c, &diag);
    int saved = errno;
    option_say(&diag);
    if (err == ERR_RANGE) {
        (void)option_usage("hold", "--reason and --by are one line of 1 to %d bytes",
                           HOLD_TEXT_BYTES_MAX);
    } else if (err != 0 && diag.count == 0) {
        option_why("hold", err, saved);
    }
    diag_release(&diag);
    if (there && err == ERR_NOTFOUND)
        return EXIT_CODE_FINDINGS;
    return err == ERR_RANGE ? EXIT_CODE_USAGE : option_exit_code(err);
}
