/* app/cmd_source.c - sekisho source: what a new source's sample is, and how its lines get here. */
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/source_try.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: sekisho source try [OPTION...] [FILE]\n"
    "Say what a sample of a new source is: format, share parsed, fields, clock, time zone, encoding,\n"
    "which rules and detectors it is enough for; and print the configurations to paste.\n"
    "  --tenant CODE      municipality (six digits) that the source belongs to\n"
    "  --source NAME      name of the source: 1 to 32 of a-z, 0-9 and -\n"
    "  --broker LIST      HOST:PORT of the brokers, with commas (kafka.example.jp:9093)\n"
    "  --from INPUT       where the relay takes the lines: udp:PORT, tcp:PORT or file:PATH (udp:514)\n"
    "  --tls DIR          the relay's folder with ca.pem, relay-CODE.crt and relay-CODE.key\n"
    "                     (/etc/sekisho/tls)\n"
    "  --format NAME      format of the lines, as in sekisho parse; auto, the default, finds it out\n"
    "  --zone OFFSET      zone of the device's clock where neither the lines nor times tell (+09:00)\n"
    "  --reference-time T when the newest line was written; without it the file's own time\n"
    "  --rules RULES      rules to be judged (/usr/share/sekisho/rules)\n"
    "  --print NAME       only one configuration: collector, rsyslog, syslog-ng or fluent-bit\n"
    "  --lang ja|en       language; default from LANG\n"
    "  --json             NDJSON instead of a report\n"
    "Exit status: 0 ready to be sent; 1 something is to be looked at: a mixture, unreadable lines, a\n"
    "wrong clock, broken characters; 2 no sample: empty, compressed, binary.\n";

enum {
    SYSLOG_PORT = 514,
};

static const struct option OPTIONS[] = {
    {"tenant", required_argument, NULL, 't'},
    {"source", required_argument, NULL, 's'},
    {"broker", required_argument, NULL, 'b'},
    {"from", required_argument, NULL, 'i'},
    {"tls", required_argument, NULL, 'c'},
    {"format", required_argument, NULL, 'f'},
    {"zone", required_argument, NULL, 'z'},
    {"reference-time", required_argument, NULL, 'r'},
    {"rules", required_argument, NULL, 'u'},
    {"print", required_argument, NULL, 'p'},
    {"lang", required_argument, NULL, 'l'},
    {"json", no_argument, NULL, 'j'},
    {NULL, 0, NULL, 0},
};

struct source_command {
    struct source_try_options o;
    const char *tenant; /* as written */
    const char *source;
    const char *language;
};

static int take_verb(void *self, const char *word)
{
    (void)self;
    if (strcmp(word, "try") == 0)
        return 0;
    return option_usage("source", "no such verb \"%s\"; there is try", word);
}

static int take_input(struct sender_options *o, const char *value)
{
    uint64_t port = 0;
    const char *colon = strchr(value, ':');
    const char *rest = colon == NULL ? "" : colon + 1;
    struct slice kind = slice_of(value, strlen(value) - strlen(rest));
    bool tcp = slice_equal(kind, SLICE("tcp:"));
    if (slice_equal(kind, SLICE("file:")) && rest[0] == '/' && sender_text_fits(rest)) {
        o->input = INPUT_FILE;
        o->path = rest;
        return 0;
    }
    if (!tcp && !slice_equal(kind, SLICE("udp:"))) {
        return option_usage("source", "--from takes udp:PORT, tcp:PORT, or file:/PATH without "
                                      "blanks and quotes");
    }
    int err = option_number(&port, "--from", rest, 1, UINT16_MAX);
    if (err == 0) {
        o->input = tcp ? INPUT_TCP : INPUT_UDP;
        o->port = (uint16_t)port;
    }
    return err;
}

static int take_print(struct source_try_options *o, const char *value)
{
    const char *names[SENDER_KINDS];
    for (unsigned i = 0; i < SENDER_KINDS; i++) {
        names[i] = sender_name((enum sender_kind)i);
        o->print = (int)i;
        if (strcmp(names[i], value) == 0)
            return 0;
    }
    const char *near = diag_suggest(slice_from(value), names, SENDER_KINDS);
    return option_usage("source", "--print takes collector, rsyslog, syslog-ng or fluent-bit%s%s%s",
                        near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                        near == NULL ? "" : "\"?");
}

static int take_text(const char **out, const char *option, const char *value)
{
    if (!sender_text_fits(value))
        return option_usage("source", "%s takes a text without blanks, quotes, $ and %%", option);
    *out = value;
    return 0;
}

static int take_format_option(struct source_command *c, int option, const char *value)
{
    switch (option) {
    case 'f':
        c->o.format = value;
        return 0;
    case 'z':
        if (clock_parse_zone(&c->o.sender.zone_minutes, slice_from(value)) == 0)
            return 0;
        return option_usage("source", "--zone takes an offset such as +09:00");
    case 'r':
        c->o.reference_given = true;
        return option_time(&c->o.reference_ns, "--reference-time", value, c->o.now_ns);
    case 'u':
        c->o.rules = value;
        c->o.rules_given = true;
        return 0;
    case 'l':
        c->language = value;
        return 0;
    default:
        c->o.json = true;
        return 0;
    }
}

static int take_option(void *self, int option, const char *value)
{
    struct source_command *c = self;
    switch (option) {
    case 't':
        c->tenant = value;
        return option_tenant(&c->o.sender.tenant, "--tenant", value);
    case 's':
        c->source = value;
        return 0;
    case 'b':
        return take_text(&c->o.sender.broker, "--broker", value);
    case 'i':
        return take_input(&c->o.sender, value);
    case 'c':
        return take_text(&c->o.sender.tls, "--tls", value);
    case 'p':
        return take_print(&c->o, value);
    default:
        return take_format_option(c, option, value);
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct source_command *c = self;
    if (count > 1)
        return option_usage("source", "one FILE at a time; further ones go to further calls");
    c->o.path = count == 0 || strcmp(words[0], "-") == 0 ? NULL : words[0];
    return 0;
}

/* The name as part of a topic is what the collector will read it from. */
static int check_source(struct source_command *c)
{
    struct buf topic = {0};
    uint32_t tenant = 0;
    struct slice source;
    buf_printf(&topic, "seclog.raw.%s.%s", c->tenant == NULL ? "131016" : c->tenant, c->source);
    int err = tenant_topic_parse(buf_content(&topic), &tenant, &source);
    buf_release(&topic);
    if (err != 0)
        return option_usage("source", "--source takes 1 to 32 of a-z, 0-9 and -");
    c->o.sender.source = slice_from(c->source);
    return 0;
}

static int check_together(void *self)
{
    struct source_command *c = self;
    int err = option_language(&c->o.sender.japanese, "--lang", c->language);
    if (err == 0 && c->source != NULL)
        err = check_source(c);
    c->o.has_source = c->tenant != NULL && c->source != NULL;
    if (err == 0 && c->o.print >= 0 && !c->o.has_source)
        err = option_usage("source", "--print needs --tenant and --source");
    if (err == 0 && c->o.print >= 0 && c->o.json)
        err = option_usage("source", "--print and --json do not go together");
    return err;
}

static const struct command_line LINE = {.command = "source",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .verb = take_verb,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .check = check_together};

int cmd_source(int argc, char **argv)
{
    struct source_command c = {.o = {.format = "auto",
                                     .rules = "/usr/share/sekisho/rules",
                                     .now_ns = clock_now_ns(),
                                     .print = -1,
                                     .sender = {.broker = "kafka.example.jp:9093",
                                                .tls = "/etc/sekisho/tls",
                                                .input = INPUT_UDP,
                                                .port = SYSLOG_PORT,
                                                .zone_minutes = 9 * 60}}};
    int code = EXIT_CODE_OK;
    return command_line_read(&LINE, &c, argc, argv, &code) ? source_try(&c.o) : code;
}
