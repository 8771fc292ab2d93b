#include "app/sender_config.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

const char *sender_name(enum sender_kind kind)
{
    static const char *const NAMES[SENDER_KINDS] = {
        [SENDER_COLLECTOR] = "collector",
        [SENDER_RSYSLOG] = "rsyslog",
        [SENDER_SYSLOG_NG] = "syslog-ng",
        [SENDER_FLUENT_BIT] = "fluent-bit",
    };
    return NAMES[kind];
}

const char *sender_file(enum sender_kind kind)
{
    static const char *const FILES[SENDER_KINDS] = {
        [SENDER_COLLECTOR] = "/etc/sekisho/collector.yaml",
        [SENDER_RSYSLOG] = "/etc/rsyslog.d/40-seclog.conf",
        [SENDER_SYSLOG_NG] = "/etc/syslog-ng/conf.d/seclog.conf",
        [SENDER_FLUENT_BIT] = "/etc/fluent-bit/fluent-bit.conf",
    };
    return FILES[kind];
}

bool sender_text_fits(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f || strchr("\"'\\`$%{}#", text[i]) != NULL)
            return false;
    }
    return len != 0 && len <= 1024;
}

/* What all three give to librdkafka, in the order of their files. */
static const struct {
    const char *name;
    const char *value; /* NULL: a file of the folder with the certificates */
    const char *suffix;
} PROPERTIES[] = {
    {"security.protocol", "ssl", NULL},
    {"ssl.ca.location", NULL, "ca.pem"},
    {"ssl.certificate.location", NULL, ".crt"},
    {"ssl.key.location", NULL, ".key"},
    {"acks", "all", NULL},
    {"enable.idempotence", "true", NULL},
    {"message.timeout.ms", "0", NULL}, /* an outage of any length is waited out */
    {"linger.ms", "150", NULL},
    {"compression.codec", "lz4", NULL},
};

enum {
    PROPERTIES_COUNT = sizeof(PROPERTIES) / sizeof(PROPERTIES[0]),
};

static void print_value(struct buf *out, size_t i, const struct sender_options *o)
{
    if (PROPERTIES[i].value != NULL)
        buf_text(out, PROPERTIES[i].value);
    else if (PROPERTIES[i].suffix[0] != '.')
        buf_printf(out, "%s/%s", o->tls, PROPERTIES[i].suffix);
    else
        buf_printf(out, "%s/relay-%06" PRIu32 "%s", o->tls, o->tenant, PROPERTIES[i].suffix);
}

/* "052027-fw1": a name for what belongs to this source. */
static void print_label(struct buf *out, const struct sender_options *o, char joint)
{
    buf_printf(out, "%06" PRIu32 "%c%.*s", o->tenant, joint, (int)o->source.len, o->source.data);
}

static void print_topic(struct buf *out, const struct sender_options *o)
{
    buf_text(out, "seclog.raw.");
    print_label(out, o, '.');
}

static void collector_print(struct buf *out, const struct sender_options *o)
{
    buf_printf(out, "tenants:\n  \"%06" PRIu32 "\":\n    sources:\n      %.*s:\n", o->tenant,
               (int)o->source.len, o->source.data);
    buf_printf(out, "        format: %s\n", o->format);
    if (!o->zone_matters) {
        buf_text(out, o->japanese ? "        # zone は不要です: ログの時刻だけで定まります\n"
                                  : "        # no zone: the lines say when they happened\n");
        return;
    }
    buf_text(out, "        zone: \"");
    clock_print_offset(out, o->zone_minutes);
    buf_text(out, "\"\n");
}

static const char *rsyslog_module(enum sender_input input)
{
    static const char *const MODULES[] = {
        [INPUT_UDP] = "imudp", [INPUT_TCP] = "imtcp", [INPUT_FILE] = "imfile"};
    return MODULES[input];
}

static void rsyslog_input(struct buf *out, const struct sender_options *o)
{
    buf_printf(out, "input(type=\"%s\"", rsyslog_module(o->input));
    if (o->input == INPUT_FILE)
        buf_printf(out, " file=\"%s\" tag=\"seclog\" reopenOnTruncate=\"on\"", o->path);
    else
        buf_printf(out, " port=\"%u\"%s", (unsigned)o->port,
                   o->input == INPUT_UDP ? " rcvbufSize=\"4m\"" : "");
    buf_text(out, " ruleset=\"seclog-");
    print_label(out, o, '-');
    buf_text(out, "\")\n");
}

static void rsyslog_print(struct buf *out, const struct sender_options *o)
{
    buf_text(
        out,
        o->japanese
            ? "# 必要なパッケージ: rsyslog rsyslog-kafka\n"
              "# 行を届いたまま渡すため、制御文字の書き換えと 8 KiB での切り捨てを止めます。\n"
              "# 「ソースごと」より前は一台の中継に一度だけ(module は種類ごとに一度)書きます。\n"
            : "# Packages: rsyslog rsyslog-kafka\n"
              "# Lines go on as they came: no escapes for control characters, no cut at 8 "
              "KiB.\n"
              "# What stands before \"each source\" is written once in a relay, each module once.\n");
    buf_printf(out,
               "global(parser.escapeControlCharactersOnReceive=\"off\" maxMessageSize=\"64k\")\n"
               "module(load=\"omkafka\")\nmodule(load=\"%s\")\n",
               rsyslog_module(o->input));
    buf_text(out, o->japanese ? "# ソースごと\n" : "# each source\n");
    buf_text(out, "template(name=\"seclog-");
    print_label(out, o, '-');
    buf_text(out, "\" type=\"string\" string=\"%rawmsg%\")\nruleset(name=\"seclog-");
    print_label(out, o, '-');
    buf_text(out, "\") {\n  action(type=\"omkafka\" template=\"seclog-");
    print_label(out, o, '-');
    buf_text(out, "\"\n    topic=\"");
    print_topic(out, o);
    buf_text(out, "\"\n    broker=[");
    for (const char *at = o->broker; at != NULL;) {
        const char *comma = strchr(at, ',');
        size_t len = comma == NULL ? strlen(at) : (size_t)(comma - at);
        buf_printf(out, "%s\"%.*s\"", at == o->broker ? "" : ", ", (int)len, at);
        at = comma == NULL ? NULL : comma + 1;
    }
    buf_text(out, "]\n    confParam=[");
    for (size_t i = 0; i < PROPERTIES_COUNT; i++) {
        buf_printf(out, "%s\"%s=", i == 0 ? "" : ",\n               ", PROPERTIES[i].name);
        print_value(out, i, o);
        buf_byte(out, '"');
    }
    buf_text(out, "]\n    queue.type=\"LinkedList\" queue.filename=\"seclog-");
    print_label(out, o, '-');
    buf_text(
        out,
        "\" queue.maxDiskSpace=\"10g\" queue.saveOnShutdown=\"on\"\n"
        "    action.resumeRetryCount=\"-1\" action.resumeInterval=\"10\" resubmitOnFailure=\"on\" "
        "keepFailedMessages=\"on\"\n    failedMsgFile=\"seclog-");
    print_label(out, o, '-');
    buf_text(out, ".failed\")\n}\n");
    rsyslog_input(out, o);
}

static void syslog_ng_input(struct buf *out, const struct sender_options *o)
{
    switch (o->input) {
    case INPUT_FILE:
        buf_printf(out, "  file(\"%s\" flags(no-parse) log-msg-size(65536) follow-freq(1));\n",
                   o->path);
        break;
    case INPUT_TCP:
        buf_printf(out,
                   "  network(transport(\"tcp\") port(%u) flags(no-parse) log-msg-size(65536) "
                   "max-connections(100));\n",
                   (unsigned)o->port);
        break;
    case INPUT_UDP:
    default:
        buf_printf(out,
                   "  network(transport(\"udp\") port(%u) flags(no-parse) log-msg-size(65536) "
                   "so-rcvbuf(4194304));\n",
                   (unsigned)o->port);
        break;
    }
}

static void syslog_ng_print(struct buf *out, const struct sender_options *o)
{
    buf_text(out, o->japanese ? "# 必要なパッケージ: syslog-ng-core syslog-ng-mod-rdkafka\n"
                                "# no-parse: 行を届いたまま渡します。\n"
                              : "# Packages: syslog-ng-core syslog-ng-mod-rdkafka\n"
                                "# no-parse: lines go on as they came.\n");
    buf_text(out, "source s_seclog_");
    print_label(out, o, '-');
    buf_text(out, " {\n");
    syslog_ng_input(out, o);
    buf_text(out, "};\ndestination d_seclog_");
    print_label(out, o, '-');
    buf_text(out, " {\n  kafka-c(\n    bootstrap-servers(\"");
    buf_text(out, o->broker);
    buf_text(out, "\")\n    topic(\"");
    print_topic(out, o);
    buf_text(out, "\")\n    message(\"${MESSAGE}\")\n    config(");
    for (size_t i = 0; i < PROPERTIES_COUNT; i++) {
        buf_printf(out, "%s\"%s\" => \"", i == 0 ? "" : "\n           ", PROPERTIES[i].name);
        print_value(out, i, o);
        buf_byte(out, '"');
    }
    buf_text(out, ")\n    disk-buffer(reliable(yes) disk-buf-size(10737418240) "
                  "mem-buf-size(16777216))\n  );\n};\nlog { source(s_seclog_");
    print_label(out, o, '-');
    buf_text(out, "); destination(d_seclog_");
    print_label(out, o, '-');
    buf_text(out, "); flags(flow-control); };\n");
}

static void fluent_bit_input(struct buf *out, const struct sender_options *o)
{
    if (o->input == INPUT_FILE) {
        buf_printf(out,
                   "[INPUT]\n    Name             tail\n    Path             %s\n"
                   "    Key              log\n    DB               /var/lib/fluent-bit/",
                   o->path);
        print_label(out, o, '-');
        buf_text(out, ".db\n    Buffer_Max_Size  1M\n    Skip_Long_Lines  Off\n");
    } else {
        if (o->input == INPUT_UDP) {
            buf_text(
                out,
                o->japanese
                    ? "# Fluent Bit の udp 入力は改行で終わらないデータグラムを失うため、TCP で"
                      "受けます。\n# 機器が UDP でしか送れないときは rsyslog か syslog-ng を使ってください。\n"
                    : "# TCP: its input udp loses datagrams that end without a newline. For a "
                      "device\n# that sends UDP only, take rsyslog or syslog-ng.\n");
        }
        buf_printf(out,
                   "[INPUT]\n    Name             tcp\n    Listen           0.0.0.0\n"
                   "    Port             %u\n    Format           none\n",
                   (unsigned)o->port);
    }
    buf_text(out, "    Tag              seclog.");
    print_label(out, o, '.');
    buf_text(out, "\n    storage.type     filesystem\n");
}

static void fluent_bit_print(struct buf *out, const struct sender_options *o)
{
    buf_text(out, o->japanese
                      ? "# Fluent Bit 3.1 以降 (Debian 12 にはありません)。既にある "
                        "[SERVICE] には足りない行だけを加えます。\n"
                      : "# Fluent Bit 3.1 or later (Debian 12 has none). Add to a [SERVICE] "
                        "that is there what it lacks.\n");
    buf_text(out, "[SERVICE]\n    Flush            1\n"
                  "    storage.path     /var/lib/fluent-bit/storage\n"
                  "    storage.sync     full\n");
    fluent_bit_input(out, o);
    buf_text(out, "[OUTPUT]\n    Name             kafka\n    Match            seclog.");
    print_label(out, o, '.');
    buf_printf(out, "\n    Brokers          %s\n    Topics           ", o->broker);
    print_topic(out, o);
    buf_text(out, "\n    Format           raw\n    Raw_Log_Key      log\n"
                  "    Retry_Limit      no_limits\n    queue_full_retries 0\n");
    for (size_t i = 0; i < PROPERTIES_COUNT; i++) {
        buf_printf(out, "    rdkafka.%s ", PROPERTIES[i].name);
        print_value(out, i, o);
        buf_byte(out, '\n');
    }
}

void sender_config_print(struct buf *out, enum sender_kind kind, const struct sender_options *o)
{
    switch (kind) {
    case SENDER_COLLECTOR:
        collector_print(out, o);
        break;
    case SENDER_RSYSLOG:
        rsyslog_print(out, o);
        break;
    case SENDER_SYSLOG_NG:
        syslog_ng_print(out, o);
        break;
    case SENDER_FLUENT_BIT:
    case SENDER_KINDS:
    default:
        fluent_bit_print(out, o);
        break;
    }
}
