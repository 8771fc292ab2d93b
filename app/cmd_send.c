/* app/cmd_send.c - `sekisho send`: the lines of a file into a topic, with a journal. */
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/line_reader.h"
#include "app/options.h"
#include "app/sender.h"

static const char HELP[] =
    "usage: sekisho send --brokers LIST --topic TOPIC [OPTION...] [FILE]\n"
    "Send the lines of FILE (or standard input) to Kafka; print one JSON object per record\n"
    "that the brokers acknowledged: topic, partition, offset, bytes, sha256.\n"
    "  --per-message N  lines in a record (1), a newline between them\n"
    "  -0               records end with NUL and may hold newlines\n"
    "  -X NAME=VALUE    property of librdkafka, for TLS and SASL; may be repeated\n"
    "Exit status: 4 when a record was not acknowledged.\n";

enum {
    PROPERTIES_MAX = 64,
};

struct send_command {
    const char *brokers;
    const char *topic;
    const char *path;
    uint64_t per_message;
    char end;
    struct kafka_property properties[PROPERTIES_MAX];
    size_t property_count;
    struct arena arena; /* of properties' names */
};

static int take_property(struct send_command *o, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || o->property_count == PROPERTIES_MAX)
        return option_usage("send", "-X takes NAME=VALUE, at most %d of them", PROPERTIES_MAX);
    const char *name = arena_copy(&o->arena, slice_of(text, (size_t)(equals - text)));
    o->properties[o->property_count++] = (struct kafka_property){.name = name, .value = equals + 1};
    return name == NULL ? ERR_NOMEM : 0;
}

static const struct option OPTIONS[] = {
    {"brokers", required_argument, NULL, 'b'},
    {"topic", required_argument, NULL, 't'},
    {"per-message", required_argument, NULL, 'n'},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct send_command *o = self;
    switch (option) {
    case 'b':
        o->brokers = value;
        return 0;
    case 't':
        o->topic = value;
        return 0;
    case 'n':
        return option_number(&o->per_message, "--per-message", value, 1, 1000000);
    case '0':
        o->end = '\0';
        return 0;
    default:
        return take_property(o, value);
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct send_command *o = self;
    if (o->brokers == NULL || o->topic == NULL || count > 1)
        return option_usage("send", "give --brokers, --topic and at most one FILE");
    o->path = count == 0 ? NULL : words[0];
    return 0;
}

static const struct command_line LINE = {.command = "send",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .letters = "0X:"};

static int send_lines(struct sender *sender, struct line_reader *reader,
                      const struct send_command *o)
{
    struct slice line;
    struct buf record = {.limit = KAFKA_SEND_BYTES_MAX};
    uint64_t lines = 0;
    int status = 0;
    while ((status = line_reader_next(reader, &line)) == 0) {
        if (line.len != 0 && line.data[line.len - 1] == o->end)
            line.len--;
        if (lines != 0)
            buf_byte(&record, '\n');
        buf_slice(&record, line);
        if (!buf_ok(&record))
            status = ERR_RANGE;
        else if (++lines == o->per_message) {
            status = sender_put(sender, o->topic, buf_content(&record));
            lines = 0;
            buf_reset(&record);
            sender_poll(sender);
        }
        if (status != 0)
            break;
    }
    if (status == ERR_NOTFOUND)
        status = lines == 0 ? 0 : sender_put(sender, o->topic, buf_content(&record));
    buf_release(&record);
    return status;
}

static int send_file(const struct send_command *o)
{
    struct diag diag = {0};
    struct sender *sender = NULL;
    struct line_reader *reader = NULL;
    struct sender_options options = {.brokers = o->brokers,
                                     .properties = o->properties,
                                     .property_count = o->property_count,
                                     .journal = stdout};
    int status = line_reader_open(&reader, o->path, o->end, KAFKA_SEND_BYTES_MAX);
    if (status != 0)
        diag_add(&diag, o->path == NULL ? "standard input" : o->path, 0, 0, "cannot be opened: %s",
                 err_name(status));
    if (status == 0)
        status = sender_open(&sender, &options, &diag);
    if (status == 0) {
        int sent = send_lines(sender, reader, o);
        status = sender_finish(sender, &diag);
        if (sent != 0)
            status = sent;
    }
    if (status != 0 && diag.count == 0)
        diag_add(&diag, "sekisho send", 0, 0, "%s", err_name(status));
    option_say(&diag);
    sender_close(sender);
    line_reader_close(reader);
    diag_release(&diag);
    return option_exit_code(status);
}

int cmd_send(int argc, char **argv)
{
    struct send_command o = {.per_message = 1, .end = '\n'};
    int code = EXIT_CODE_OK;
    if (command_line_read(&LINE, &o, argc, argv, &code))
        code = send_file(&o);
    arena_release(&o.arena);
    return code;
}
