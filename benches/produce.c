/*
 * benches/produce.c - generated lines into many topics of a real Kafka, at a rate or as fast as it
 * goes: the sending side of benches/kafka_pipeline.py.
 *
 *   gen -> records of N lines -> topic of the source, partitions in turn, a batch each -> broker
 *
 * Threads:   the main thread and librdkafka's own.
 * Failures:  exit code 1 and a message; also when a record was not acknowledged.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/command_line.h"
#include "app/gen.h"
#include "app/options.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: bench_produce [options]\n"
    "Send generated lines to the topics of their sources; one object on standard output.\n"
    "\n"
    "  --brokers LIST   host:port,... (127.0.0.1:9092)\n"
    "  --seed N         of the lines (1)\n"
    "  --tenants N      municipalities (180)\n"
    "  --events N       lines (1)\n"
    "  --format LIST    name=share,... of the sources, as sekisho gen has it\n"
    "  --rate N         lines a second (as fast as it goes)\n"
    "  --linger-ms N    how long the sender waits for more (100)\n"
    "  --per-record N   lines of a record (1)\n"
    "  --batch N        records of a batch (as the sender chooses)\n"
    "  --list           print the topics instead\n";

enum {
    TOPICS_MAX = 4096,
    TOPIC_BYTES = 64,
    PARTITIONS = 2,
    PACE_LINES = 64, /* lines between two looks at the clock */
    POLL_MS = 50,
    FLUSH_MS = 120000,
};

/* A source's topic and the record being gathered for it. */
struct topic {
    rd_kafka_topic_t *handle;
    struct buf record;
    uint64_t lines;   /* in the record */
    uint64_t records; /* sent */
};

struct producer {
    rd_kafka_t *kafka;
    struct topic topics[TOPICS_MAX];
    uint64_t per_record;
    uint64_t batch; /* records of a batch; 0 = as the linger decides */
    uint64_t records;
    uint64_t failed;
};

struct produce_options {
    struct gen_options gen;
    const char *brokers;
    uint64_t rate; /* lines a second; 0 = no limit */
    uint64_t linger_ms;
    uint64_t per_record;
    uint64_t batch;
    uint64_t tenants;
    bool list; /* print the topics instead */
    struct diag diag;
};

static void delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *self)
{
    struct producer *p = self;
    (void)kafka;
    p->failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
        return true;
    (void)fprintf(stderr, "produce: %s\n", error);
    return false;
}

static bool connect_producer(struct producer *p, const struct produce_options *o)
{
    char linger[32];
    char batch[32];
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)snprintf(linger, sizeof(linger), "%llu", (unsigned long long)o->linger_ms);
    (void)snprintf(batch, sizeof(batch), "%llu",
                   (unsigned long long)(o->batch == 0 ? 10000 : o->batch));
    if (!set(conf, "bootstrap.servers", o->brokers) || !set(conf, "linger.ms", linger) ||
        !set(conf, "batch.num.messages", batch) || !set(conf, "compression.codec", "lz4") ||
        !set(conf, "acks", "all") || !set(conf, "queue.buffering.max.messages", "200000"))
        return false;
    rd_kafka_conf_set_opaque(conf, p);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    p->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (p->kafka == NULL)
        (void)fprintf(stderr, "produce: %s\n", error);
    p->per_record = o->per_record;
    p->batch = o->batch;
    return p->kafka != NULL;
}

static bool send_record(struct producer *p, struct topic *t)
{
    if (t->lines == 0)
        return true;
    /* A whole batch to one partition, then one to the other. */
    uint64_t turn = p->batch == 0 ? t->records : t->records / p->batch;
    int32_t partition = (int32_t)(turn % PARTITIONS);
    while (rd_kafka_produce(t->handle, partition, RD_KAFKA_MSG_F_COPY, t->record.data,
                            t->record.len, NULL, 0, NULL) != 0) {
        /* What was delivered counts until its report is taken. */
        if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            (void)rd_kafka_poll(p->kafka, POLL_MS);
            continue;
        }
        (void)fprintf(stderr, "produce: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
        return false;
    }
    buf_reset(&t->record);
    t->lines = 0;
    t->records++;
    p->records++;
    return true;
}

static bool add_line(struct producer *p, const struct gen_line *line)
{
    size_t index = (size_t)line->tenant_index * GEN_SOURCES_MAX + line->source_index;
    struct topic *t = index < TOPICS_MAX ? &p->topics[index] : NULL;
    if (t != NULL && t->handle == NULL) {
        char name[TOPIC_BYTES];
        (void)snprintf(name, sizeof(name), "seclog.raw.%06u.%s", line->tenant, line->source);
        t->handle = rd_kafka_topic_new(p->kafka, name, NULL);
    }
    if (t == NULL || t->handle == NULL)
        return false;
    if (t->lines != 0)
        buf_byte(&t->record, '\n');
    buf_slice(&t->record, line->line);
    if (!buf_ok(&t->record))
        return false;
    return ++t->lines < p->per_record || send_record(p, t);
}

/* Wait until line number n is due. */
static void pace(struct producer *p, uint64_t n, uint64_t rate, int64_t start_ns)
{
    int64_t due_ns = start_ns + (int64_t)((double)n / (double)rate * 1e9);
    int64_t left_ns = 0;
    /* Polling returns with the first report: go on until the time has come. */
    while ((left_ns = due_ns - clock_monotonic_ns()) >= 1000000)
        (void)rd_kafka_poll(p->kafka, (int)(left_ns / 1000000));
    (void)rd_kafka_poll(p->kafka, 0);
}

static bool produce(struct producer *p, struct gen *gen, const struct produce_options *o)
{
    struct gen_line line;
    uint64_t lines = 0;
    bool ok = true;
    int64_t start_ns = clock_monotonic_ns();
    while (ok && gen_next(gen, &line) == 0) {
        ok = add_line(p, &line);
        if (++lines % PACE_LINES != 0)
            continue;
        if (o->rate != 0)
            pace(p, lines, o->rate, start_ns);
        else
            (void)rd_kafka_poll(p->kafka, 0);
    }
    for (size_t i = 0; i < TOPICS_MAX && ok; i++)
        ok = send_record(p, &p->topics[i]);
    ok = rd_kafka_flush(p->kafka, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR && ok && p->failed == 0;
    (void)printf("{\"lines\":%llu,\"records\":%llu,\"failed\":%llu,\"seconds\":%.3f}\n",
                 (unsigned long long)lines, (unsigned long long)p->records,
                 (unsigned long long)p->failed, (double)(clock_monotonic_ns() - start_ns) / 1e9);
    return ok;
}

static void list_topics(const struct gen *gen)
{
    for (uint32_t i = 0; i < gen_tenant_count(gen); i++) {
        const struct gen_tenant *t = gen_tenant(gen, i);
        for (uint32_t s = 0; s < t->source_count; s++)
            (void)printf("seclog.raw.%06u.%s\n", t->code, t->sources[s].name);
    }
}

static int run(const struct produce_options *o)
{
    struct diag diag = {0};
    struct gen *gen = NULL;
    struct producer *p = calloc(1, sizeof(*p));
    bool ok = p != NULL && gen_open(&gen, &o->gen, &diag) == 0;
    option_say(&diag);
    if (ok && o->list)
        list_topics(gen);
    else
        ok = ok && connect_producer(p, o) && produce(p, gen, o);
    for (size_t i = 0; p != NULL && i < TOPICS_MAX; i++) {
        if (p->topics[i].handle != NULL)
            rd_kafka_topic_destroy(p->topics[i].handle);
        buf_release(&p->topics[i].record);
    }
    if (p != NULL && p->kafka != NULL)
        rd_kafka_destroy(p->kafka);
    gen_close(gen);
    free(p);
    diag_release(&diag);
    return ok ? 0 : 1;
}

static int take_option(void *self, int option, const char *value)
{
    struct produce_options *o = self;
    switch (option) {
    case 'b':
        o->brokers = value;
        return 0;
    case 's':
        return option_number(&o->gen.seed, "--seed", value, 0, UINT64_MAX);
    case 't':
        return option_number(&o->tenants, "--tenants", value, 1, GEN_TENANTS_MAX);
    case 'e':
        return option_number(&o->gen.events, "--events", value, 1, UINT32_MAX);
    case 'f':
        return gen_options_formats(&o->gen, slice_from(value), &o->diag);
    case 'r':
        return option_number(&o->rate, "--rate", value, 1, 10000000);
    case 'l':
        return option_number(&o->linger_ms, "--linger-ms", value, 0, 100000);
    case 'p':
        return option_number(&o->per_record, "--per-record", value, 1, 10000);
    case 'n':
        return option_number(&o->batch, "--batch", value, 1, 10000);
    default:
        o->list = true;
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"seed", required_argument, NULL, 's'},
        {"tenants", required_argument, NULL, 't'},
        {"events", required_argument, NULL, 'e'},
        {"format", required_argument, NULL, 'f'},
        {"rate", required_argument, NULL, 'r'},
        {"linger-ms", required_argument, NULL, 'l'},
        {"per-record", required_argument, NULL, 'p'},
        {"batch", required_argument, NULL, 'n'},
        {"list", no_argument, NULL, 'T'},
        {NULL, 0, NULL, 0},
    };
    static const struct command_line LINE = {
        .command = "bench_produce", .help = HELP, .options = OPTIONS, .take = take_option};
    struct produce_options o = {
        .brokers = "127.0.0.1:9092", .linger_ms = 100, .per_record = 1, .tenants = 180};
    int code = 0;
    gen_options_init(&o.gen);
    o.gen.events = 1;
    bool go = command_line_read(&LINE, &o, argc, argv, &code);
    option_say(&o.diag);
    diag_release(&o.diag);
    o.gen.tenants = (uint32_t)o.tenants;
    return go ? run(&o) : code;
}
