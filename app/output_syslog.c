/* app/output_syslog.c - alerts as RFC 5424 messages over UDP, TCP or a unix socket. */
#include "app/output_syslog.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/output_socket.h"
#include "base/err.h"
#include "base/escape.h"

enum {
    NS_PER_US = 1000,
    ACKNOWLEDGE_MS = 20, /* between two looks at what the receiver has taken */
    FACILITY_STEP = 8,
};

struct syslog_output {
    struct output_host *host;
    struct output_address address;
    struct output_socket socket;
    struct syslog_form form;
    struct buf message;
};

/* Syslog's levels of ours. */
static unsigned level_of(enum alert_severity severity)
{
    static const unsigned LEVELS[ALERT_SEVERITY_COUNT] = {
        [ALERT_INFORMATIONAL] = 6, /* informational */
        [ALERT_LOW] = 5,           /* notice */
        [ALERT_MEDIUM] = 4,        /* warning */
        [ALERT_HIGH] = 3,          /* error */
        [ALERT_CRITICAL] = 2,      /* critical */
    };
    return LEVELS[severity];
}

/* A header field: printable ASCII without blanks, "-" when nothing is left. */
static void put_name(struct buf *out, const char *text, size_t max)
{
    size_t before = out->len;
    for (size_t i = 0; text[i] != '\0' && out->len - before < max; i++) {
        if (text[i] > ' ' && text[i] < 127)
            buf_byte(out, text[i]);
    }
    if (out->len == before)
        buf_byte(out, '-');
}

/* A parameter of the structured data; control characters have no place in it. */
static void put_parameter(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, " %s=\"", name);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\' || *p == ']')
            buf_byte(out, '\\');
        if ((unsigned char)*p >= ' ' && *p != 127)
            buf_byte(out, *p);
    }
    buf_byte(out, '"');
}

static void put_header(struct buf *out, const struct syslog_form *form,
                       const struct output_alert *a, const struct alert_record *record)
{
    char number[24];
    buf_printf(out, "<%u>1 ", SYSLOG_FACILITY_LOCAL4 * FACILITY_STEP + level_of(a->severity));
    if (a->last_ns != CLOCK_NONE)
        clock_print(out, a->last_ns - (a->last_ns % NS_PER_US + NS_PER_US) % NS_PER_US);
    else
        buf_byte(out, '-');
    buf_byte(out, ' ');
    put_name(out, form->host, SYSLOG_HOST_BYTES_MAX);
    buf_text(out, " sekisho - ");
    put_name(out, a->kind, SYSLOG_NAME_BYTES_MAX);
    buf_printf(out, " [%s", form->data_id);
    put_parameter(out, "id", a->id);
    (void)snprintf(number, sizeof(number), "%" PRIu32, record->revision);
    put_parameter(out, "revision", number);
    (void)snprintf(number, sizeof(number), "%06" PRIu32, record->tenant);
    put_parameter(out, "tenant", number);
    put_parameter(out, "kind", a->kind);
    put_parameter(out, "severity", alert_severity_name(a->severity));
    put_parameter(out, "state", a->state);
    buf_text(out, "] \xef\xbb\xbf");
}

void syslog_print(struct buf *out, const struct syslog_form *form,
                  const struct alert_record *record, bool counted)
{
    struct output_alert a;
    struct buf message = {0};
    (void)output_alert_read(&a, record);
    put_header(&message, form, &a, record);
    if (form->text || message.len + record->line.len > form->bytes_max) {
        struct buf text = {0};
        size_t room = form->bytes_max > message.len ? form->bytes_max - message.len : 0;
        buf_text(&text, a.tenant_name);
        buf_text(&text, a.tenant_name[0] == '\0' ? "" : " ");
        escape_text(&text, slice_from(a.message_ja[0] != '\0' ? a.message_ja : a.message_en));
        buf_slice(&message, output_text_cut(buf_string(&text), room));
        buf_release(&text);
    } else {
        buf_slice(&message, record->line);
    }
    if (counted)
        buf_printf(out, "%zu ", message.len);
    buf_slice(out, buf_content(&message));
    if (!buf_ok(&message))
        out->failed = true;
    buf_release(&message);
    output_alert_release(&a);
}

static bool syslog_configured(const struct config *config)
{
    return conf_text(config_root(config), "outputs.syslog.address") != NULL;
}

static void syslog_done(void *self)
{
    struct syslog_output *s = self;
    output_socket_close(&s->socket);
    buf_release(&s->message);
    free(s);
}

static int syslog_begin(void **out, struct output_host *host, struct slice state, struct diag *diag)
{
    (void)state;
    const struct conf_node *root = config_root(host->config);
    const char *address = conf_text(root, "outputs.syslog.address");
    const char *data_id = conf_text(root, "outputs.syslog.data_id");
    struct syslog_output *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->host = host;
    s->socket.fd = -1;
    if (gethostname(s->form.host, sizeof(s->form.host) - 1) != 0)
        s->form.host[0] = '\0';
    (void)snprintf(s->form.data_id, sizeof(s->form.data_id), "%s", data_id);
    s->form.text = conf_int(root, "outputs.syslog.body") == 1;
    if (output_address_parse(&s->address, address) != 0) {
        diag_add(diag, NULL, 0, 0,
                 "outputs.syslog.address \"%s\": give udp:HOST:PORT, tcp:HOST:PORT or unix:PATH",
                 address);
        syslog_done(s);
        return ERR_CONF;
    }
    *out = s;
    return 0;
}

static int syslog_connect(void *self)
{
    struct syslog_output *s = self;
    int err = output_socket_open(&s->socket, &s->address, s->host);
    s->form.bytes_max = s->socket.datagrams ? SYSLOG_DATAGRAM_BYTES_MAX : SYSLOG_STREAM_BYTES_MAX;
    return err;
}

static void syslog_leave(void *self)
{
    struct syslog_output *s = self;
    output_socket_close(&s->socket);
}

/* Whether the other side closed the stream, or an error is known of it. */
static int check_peer(struct syslog_output *s)
{
    char byte;
    ssize_t got = recv(s->socket.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
        return 0;
    output_why(s->host, "%s",
               got == 0 ? "the receiver closed the connection" : strerrordesc_np(errno));
    return ERR_DOWN;
}

/*
 * Syslog has no answers. What can be known is that the receiver's system has taken every byte: then
 * the batch counts as delivered. A datagram's refusal comes with a later call.
 */
static int wait_taken(struct syslog_output *s)
{
    int64_t until = output_until(s->host, OUTPUT_EXCHANGE_MS);
    for (;;) {
        int left = 0;
        int err = check_peer(s);
        if (err != 0 || s->socket.datagrams)
            return err;
        if (ioctl(s->socket.fd, SIOCOUTQ, &left) != 0 || left == 0)
            return 0;
        if (clock_monotonic_ns() >= until) {
            output_why(s->host, "the receiver does not take what was sent");
            return ERR_DOWN;
        }
        (void)poll(NULL, 0, ACKNOWLEDGE_MS);
    }
}

static int send_one(struct syslog_output *s, const struct alert_record *record, int64_t until_ns)
{
    int err = ERR_RANGE;
    while (err == ERR_RANGE) {
        buf_reset(&s->message);
        syslog_print(&s->message, &s->form, record, !s->socket.datagrams);
        err = buf_ok(&s->message)
                  ? output_socket_send(&s->socket, buf_content(&s->message), until_ns, s->host)
                  : ERR_NOMEM;
        if (err == ERR_RANGE && s->form.bytes_max <= SYSLOG_DATAGRAM_BYTES_MIN)
            return ERR_DOWN;
        /* The way takes less: shorter ones from here on. */
        if (err == ERR_RANGE)
            s->form.bytes_max /= 2;
    }
    return err;
}

/* None is done before all are: a refusal does not say which datagram it is of. */
static int syslog_deliver(void *self, struct output_batch *batch)
{
    struct syslog_output *s = self;
    int64_t until = output_until(s->host, OUTPUT_EXCHANGE_MS);
    int err = check_peer(s);
    for (size_t i = 0; i < batch->count && err == 0; i++)
        err = send_one(s, &batch->alerts[i], until);
    return err == 0 ? wait_taken(s) : err;
}

const struct output_driver OUTPUT_SYSLOG = {
    .name = "syslog",
    .from_now = true,
    .configured = syslog_configured,
    .open = syslog_begin,
    .close = syslog_done,
    .connect = syslog_connect,
    .disconnect = syslog_leave,
    .deliver = syslog_deliver,
};
