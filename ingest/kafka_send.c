#include "ingest/kafka_send.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "ingest/kafka_state.h"

enum {
    ERROR_BYTES = 512,
    FULL_POLL_MS = 20,
    FIELDS_MAX = 7,
    VARINT_SHIFT_MAX = 63,
    VARINT_BITS = 7,
    VARINT_MORE = 0x80,
    CLOSE_MS = 1000,
    NS_PER_MS = 1000000,
};

struct kafka_sender {
    struct kafka_send_options options;
    rd_kafka_t *rk;
};

static const struct kafka_property OURS[] = {
    {"acks", "all"},
    {"enable.idempotence", "true"},
    {"message.max.bytes", "100000000"},
    {"queue.buffering.max.kbytes", "262144"},
    {"queue.buffering.max.messages", "200000"},
};

static const struct kafka_property DEFAULTS[] = {
    {"linger.ms", "100"},
    {"compression.type", "lz4"},
};

static const char *const REFUSED[] = {
    "bootstrap.servers",
    "metadata.broker.list",
    "acks",
    "enable.idempotence",
    "request.required.acks",
    "message.max.bytes",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "transactional.id",
    NULL,
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    const struct kafka_sender *s = opaque;
    (void)rk;
    if (s->options.delivered == NULL)
        return;
    bool failed = m->err != RD_KAFKA_RESP_ERR_NO_ERROR;
    struct kafka_delivery delivery = {
        .topic = rd_kafka_topic_name(m->rkt),
        .partition = m->partition,
        .offset = failed ? -1 : m->offset,
        .bytes = m->len,
        .opaque = m->_private,
        .error = failed ? rd_kafka_err2str(m->err) : NULL,
    };
    s->options.delivered(s->options.self, &delivery);
}

static int settings(rd_kafka_conf_t *conf, const struct kafka_send_options *o, struct diag *diag)
{
    int err = kafka_settings_set(conf, "bootstrap.servers", o->brokers, diag);
    for (size_t i = 0; i < sizeof(DEFAULTS) / sizeof(DEFAULTS[0]) && err == 0; i++)
        err = kafka_settings_set(conf, DEFAULTS[i].name, DEFAULTS[i].value, diag);
    if (err == 0)
        err = kafka_settings_user(conf, o->properties, o->property_count, REFUSED, diag);
    for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]) && err == 0; i++)
        err = kafka_settings_set(conf, OURS[i].name, OURS[i].value, diag);
    return err;
}

int kafka_sender_open(struct kafka_sender **out, const struct kafka_send_options *options,
                      struct diag *diag)
{
    struct kafka_sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    char error[ERROR_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    s->options = *options;
    int err = settings(conf, options, diag);
    if (err == 0) {
        rd_kafka_conf_set_opaque(conf, s);
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rd_kafka_conf_set_log_cb(conf, kafka_log);
        s->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
        if (s->rk == NULL) {
            diag_add(diag, "kafka", 0, 0, "%s", error);
            err = ERR_CONF;
        }
    }
    if (err != 0) {
        rd_kafka_conf_destroy(conf);
        free(s);
        return err;
    }
    *out = s;
    return 0;
}

static int get_varint(struct slice *s, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift <= VARINT_SHIFT_MAX && s->len > 0; shift += VARINT_BITS) {
        uint8_t byte = (uint8_t)s->data[0];
        *s = slice_from_offset(*s, 1);
        value |= (uint64_t)(byte & (VARINT_MORE - 1)) << shift;
        if ((byte & VARINT_MORE) == 0) {
            *out = value;
            return 0;
        }
    }
    return ERR_FORMAT;
}

static int get_bytes(struct slice *s, uint64_t len, struct slice *out)
{
    if (len > s->len)
        return ERR_FORMAT;
    *out = slice_of(s->data, (size_t)len);
    *s = slice_from_offset(*s, (size_t)len);
    return 0;
}

/* Decode headers into *out, which is the caller's even on failure. */
static int decode_headers(rd_kafka_headers_t **out, struct slice text)
{
    if (text.len == 0)
        return 0;
    *out = rd_kafka_headers_new(1);
    for (size_t count = 0; text.len > 0; count++) {
        uint64_t len = 0;
        struct slice name = {0};
        struct slice value = {0};
        if (count == KAFKA_SEND_HEADERS_MAX)
            return ERR_RANGE;
        if (get_varint(&text, &len) != 0 || get_bytes(&text, len, &name) != 0 ||
            get_varint(&text, &len) != 0)
            return ERR_FORMAT;
        if (len > 0 && get_bytes(&text, len - 1, &value) != 0)
            return ERR_FORMAT;
        /* An empty name has data, so that librdkafka does not take its length from the text. */
        if (rd_kafka_header_add(*out, name.data, (ssize_t)name.len, len == 0 ? NULL : value.data,
                                len == 0 ? -1 : (ssize_t)value.len) != RD_KAFKA_RESP_ERR_NO_ERROR)
            return ERR_NOMEM;
    }
    return 0;
}

static int of_code(rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return ERR_AGAIN;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return ERR_RANGE;
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        return ERR_NOTFOUND;
    return ERR_IO;
}

/* The library's field is not const and only read. An empty value differs from none: an address. */
static void *readable(struct slice s)
{
    union {
        const char *from;
        void *to;
    } pointer = {.from = s.data == NULL ? "" : s.data};
    return pointer.to;
}

/* One try; takes *headers only when it succeeds. */
static int produce(struct kafka_sender *s, const struct kafka_send_record *r,
                   rd_kafka_headers_t **headers)
{
    rd_kafka_vu_t fields[FIELDS_MAX] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = r->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = r->opaque},
    };
    size_t count = 4;
    if (!r->null_value) {
        fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
        fields[count].u.mem.ptr = readable(r->value);
        fields[count++].u.mem.size = r->value.len;
    }
    if (r->has_key) {
        fields[count].vtype = RD_KAFKA_VTYPE_KEY;
        fields[count].u.mem.ptr = readable(r->key);
        fields[count++].u.mem.size = r->key.len;
    }
    if (*headers != NULL) {
        fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        fields[count++].u.headers = *headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(s->rk, fields, count);
    if (error == NULL) {
        *headers = NULL;
        return 0;
    }
    int err = of_code(rd_kafka_error_code(error));
    rd_kafka_error_destroy(error);
    return err;
}

int kafka_send(struct kafka_sender *s, const struct kafka_send_record *record, int timeout_ms)
{
    rd_kafka_headers_t *headers = NULL;
    if (record->value.len > KAFKA_SEND_BYTES_MAX)
        return ERR_RANGE;
    int64_t start_ns = clock_monotonic_ns();
    int err = decode_headers(&headers, record->headers);
    if (err == 0)
        err = produce(s, record, &headers);
    (void)rd_kafka_poll(s->rk, 0);
    while (err == ERR_AGAIN && (timeout_ms < 0 || clock_monotonic_ns() - start_ns <
                                                      INT64_C(1) * timeout_ms * NS_PER_MS)) {
        (void)rd_kafka_poll(s->rk, FULL_POLL_MS);
        err = produce(s, record, &headers);
    }
    if (headers != NULL)
        rd_kafka_headers_destroy(headers);
    return err;
}

void kafka_sender_poll(struct kafka_sender *s, int timeout_ms)
{
    (void)rd_kafka_poll(s->rk, timeout_ms);
}

int kafka_sender_flush(struct kafka_sender *s, int timeout_ms)
{
    return rd_kafka_flush(s->rk, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : ERR_AGAIN;
}

size_t kafka_sender_pending(struct kafka_sender *s)
{
    int pending = rd_kafka_outq_len(s->rk);
    return pending > 0 ? (size_t)pending : 0;
}

void kafka_sender_close(struct kafka_sender *s)
{
    if (s == NULL)
        return;
    if (rd_kafka_outq_len(s->rk) > 0) {
        (void)rd_kafka_purge(s->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(s->rk, CLOSE_MS);
    }
    rd_kafka_destroy(s->rk);
    free(s);
}
