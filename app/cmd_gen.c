/* app/cmd_gen.c - `sekisho gen`: seeded traffic into files, onto stdout or to a broker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/gen.h"
#include "app/options.h"
#include "app/sender.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    STDOUT_FLUSH_BYTES = 1 << 20,
};

static const char HELP[] =
    "usage: sekisho gen [--seed N] [--tenants N] (--events N | --days D) [options]\n"
    "                   (--out DIR | --out - | --brokers B)\n"
    "\n"
    "Make the log lines of an invented prefecture. The same options make the same bytes.\n"
    "\n"
    "  --seed N            number that everything follows from (1)\n"
    "  --tenants N         municipalities, 1 to 500 (10)\n"
    "  --events N          lines; with --days the days are thinned to about N lines\n"
    "  --days D            days from midnight on\n"
    "  --start TIME        RFC 3339 (2026-10-05T00:00:00+09:00; with --events alone 09:00)\n"
    "  --pcs MIN-MAX       PCs of the smallest and the largest municipality (50-8000)\n"
    "  --format MIX        weights of lines, such as fortigate=60,squid=40\n"
    "                      (fortigate=40,panos=12,cisco_asa=8,squid=22,i_filter=18)\n"
    "  --inject KIND[:N],..  cases to plant, each with a look-alike that must not alert\n"
    "  --inject-after D    none of them in the first D days\n"
    "  --mess N            per thousand lines: cut, doubled, in CP932, with NUL and the like\n"
    "  --mess-huge N       per million lines: of 10 MiB\n"
    "  --out DIR           a new folder: logs, manifest.yaml, config.yaml, labels.ndjson,\n"
    "                      lists, country.mmdb, asn.mmdb\n"
    "  --out -             lines in the order of time on stdout\n"
    "  --brokers B         lines into Kafka\n"
    "\n"
    "kinds: ";

enum option_id {
    OPTION_SEED = 256,
    OPTION_TENANTS,
    OPTION_EVENTS,
    OPTION_DAYS,
    OPTION_START,
    OPTION_PCS,
    OPTION_FORMAT,
    OPTION_INJECT,
    OPTION_INJECT_AFTER,
    OPTION_MESS,
    OPTION_MESS_HUGE,
    OPTION_OUT,
    OPTION_BROKERS,
};

static const struct option OPTIONS[] = {
    {"seed", required_argument, NULL, OPTION_SEED},
    {"tenants", required_argument, NULL, OPTION_TENANTS},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"days", required_argument, NULL, OPTION_DAYS},
    {"start", required_argument, NULL, OPTION_START},
    {"pcs", required_argument, NULL, OPTION_PCS},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"inject", required_argument, NULL, OPTION_INJECT},
    {"inject-after", required_argument, NULL, OPTION_INJECT_AFTER},
    {"mess", required_argument, NULL, OPTION_MESS},
    {"mess-huge", required_argument, NULL, OPTION_MESS_HUGE},
    {"out", required_argument, NULL, OPTION_OUT},
    {"brokers", required_argument, NULL, OPTION_BROKERS},
    {NULL, 0, NULL, 0},
};

struct command {
    struct gen_options gen;
    const char *out;
    const char *brokers;
    struct diag diag;
};

static int read_number32(uint32_t *out, const char *option, const char *text)
{
    uint64_t value = 0;
    int result = option_number(&value, option, text, 0, UINT32_MAX);
    if (result == 0)
        *out = (uint32_t)value;
    return result;
}

static int read_pcs(struct gen_options *o, const char *text, struct diag *diag)
{
    char *end = NULL;
    unsigned long low = strtoul(text, &end, 10);
    unsigned long high = *end == '-' ? strtoul(end + 1, &end, 10) : low;
    if (*end != '\0' || low > GEN_PCS_MAX || high > GEN_PCS_MAX) {
        diag_add(diag, "--pcs", 0, 0, "\"%s\" is not MIN-MAX", text);
        return ERR_CONF;
    }
    o->pcs_min = (uint32_t)low;
    o->pcs_max = (uint32_t)high;
    return 0;
}

static int read_start(struct gen_options *o, const char *text, struct diag *diag)
{
    if (clock_parse(&o->start_ns, slice_from(text)) == 0)
        return 0;
    diag_add(diag, "--start", 0, 0, "\"%s\" is not a time such as 2026-10-05T09:00:00+09:00", text);
    return ERR_CONF;
}

static int take_option(void *self, int option, const char *text)
{
    struct command *c = self;
    switch (option) {
    case OPTION_SEED:
        return option_number(&c->gen.seed, "--seed", text, 0, UINT64_MAX);
    case OPTION_TENANTS:
        return read_number32(&c->gen.tenants, "--tenants", text);
    case OPTION_EVENTS:
        return option_number(&c->gen.events, "--events", text, 0, INT64_MAX);
    case OPTION_DAYS:
        return read_number32(&c->gen.days, "--days", text);
    case OPTION_START:
        return read_start(&c->gen, text, &c->diag);
    case OPTION_PCS:
        return read_pcs(&c->gen, text, &c->diag);
    case OPTION_FORMAT:
        return gen_options_formats(&c->gen, slice_from(text), &c->diag);
    case OPTION_INJECT:
        return gen_options_inject(&c->gen, slice_from(text), &c->diag);
    case OPTION_INJECT_AFTER:
        return read_number32(&c->gen.inject_after_days, "--inject-after", text);
    case OPTION_MESS:
        return read_number32(&c->gen.mess_permille, "--mess", text);
    case OPTION_MESS_HUGE:
        return read_number32(&c->gen.huge_permillion, "--mess-huge", text);
    case OPTION_OUT:
        c->out = text;
        return 0;
    default:
        c->brokers = text;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct command *c = self;
    if ((c->out == NULL) == (c->brokers == NULL))
        return option_usage("gen", "give one of --out and --brokers");
    return 0;
}

static int write_all(int fd, const struct buf *b)
{
    size_t done = 0;
    while (done < b->len) {
        ssize_t got = write(fd, b->data + done, b->len - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        done += (size_t)got;
    }
    return 0;
}

static int write_stdout(struct gen *g)
{
    struct buf pending = {0};
    struct gen_line line;
    int result = 0;
    while ((result = gen_next(g, &line)) == 0) {
        buf_slice(&pending, line.line);
        buf_byte(&pending, '\n');
        if (!buf_ok(&pending))
            result = ERR_NOMEM;
        else if (pending.len >= STDOUT_FLUSH_BYTES)
            result = write_all(STDOUT_FILENO, &pending);
        if (result != 0)
            goto out;
        if (pending.len >= STDOUT_FLUSH_BYTES)
            buf_reset(&pending);
    }
    if (result == ERR_NOTFOUND)
        result = write_all(STDOUT_FILENO, &pending);
out:
    buf_release(&pending);
    return result;
}

/* One line a record, to the topic of its municipality and source. */
static int send_lines(struct gen *g, struct sender *sender)
{
    struct buf topic = {0};
    struct gen_line line;
    int result = 0;
    while ((result = gen_next(g, &line)) == 0) {
        buf_reset(&topic);
        buf_printf(&topic, "seclog.raw.%06u.%s", line.tenant, line.source);
        result = sender_put(sender, buf_string(&topic), line.line);
        if (result != 0)
            break;
        sender_poll(sender);
    }
    buf_release(&topic);
    return result == ERR_NOTFOUND ? 0 : result;
}

static int write_brokers(struct gen *g, const char *brokers, struct diag *diag)
{
    struct sender *sender = NULL;
    struct sender_options options = {.brokers = brokers, .journal = stdout};
    int result = sender_open(&sender, &options, diag);
    if (result != 0)
        return result;
    result = send_lines(g, sender);
    int finished = sender_finish(sender, diag);
    sender_close(sender);
    return result == 0 ? finished : result;
}

static int write_dir(struct gen *g, const char *dir, struct diag *diag)
{
    uint64_t lines = 0;
    int result = gen_write_dir(g, dir, &lines, diag);
    if (result == 0)
        (void)fprintf(stderr, "%llu lines of %u municipalities in %s\n", (unsigned long long)lines,
                      gen_tenant_count(g), dir);
    return result;
}

static int run(struct command *c)
{
    struct gen *g = NULL;
    int result = gen_open(&g, &c->gen, &c->diag);
    if (result != 0)
        return result;
    if (c->brokers != NULL)
        result = write_brokers(g, c->brokers, &c->diag);
    else if (strcmp(c->out, "-") == 0)
        result = write_stdout(g);
    else
        result = write_dir(g, c->out, &c->diag);
    gen_close(g);
    return result;
}

static void list_kinds(struct buf *out)
{
    gen_options_kinds(out);
    buf_byte(out, '\n');
}

static const struct command_line LINE = {.command = "gen",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options,
                                         .help_more = list_kinds};

int cmd_gen(int argc, char **argv)
{
    struct command c = {0};
    int code = EXIT_CODE_OK;
    gen_options_init(&c.gen);
    if (command_line_read(&LINE, &c, argc, argv, &code)) {
        int result = run(&c);
        if (result != 0 && result != ERR_CONF && c.diag.count == 0)
            diag_add(&c.diag, "gen", 0, 0, "%s", err_name(result));
        /* A folder that is in use is a mistake of the caller, not of the system. */
        code = result == ERR_BUSY ? EXIT_CODE_CONFIG : option_exit_code(result);
    }
    option_say(&c.diag);
    diag_release(&c.diag);
    return code;
}
