#include "ingest/kafka_probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    POLL_MS = 50,
    FIRST_MS = 1000, /* time to find the leader, connect and fetch */
    NEXT_MS = 100,
    ANSWER_MS = 1000,
    ANSWER_TRIES = 30, /* a large batch may be unpacked so many seconds */
    NS_PER_MS = 1000000,
    ERROR_BYTES = 512,
};

struct kafka_probe {
    rd_kafka_t *rk;
    const _Atomic bool *stop; /* of the source */
    const struct kafka_partition *partition;
    int64_t offset; /* the next one that counts */
};

int kafka_probe_open(struct kafka_probe **out, const struct kafka *k)
{
    struct kafka_probe *probe = calloc(1, sizeof(*probe));
    if (probe == NULL)
        return ERR_NOMEM;
    rd_kafka_conf_t *conf = NULL;
    struct diag diag = {0};
    char error[ERROR_BYTES];
    int err = kafka_settings_consumer(&conf, &k->options, true, &diag);
    if (err == 0) {
        rd_kafka_conf_set_log_cb(conf, NULL);
        probe->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
        if (probe->rk == NULL) {
            rd_kafka_conf_destroy(conf);
            err = ERR_NOMEM;
        }
    }
    diag_release(&diag);
    if (err != 0) {
        free(probe);
        return err;
    }
    (void)rd_kafka_poll_set_consumer(probe->rk);
    probe->stop = &k->stop;
    *out = probe;
    return 0;
}

void kafka_probe_close(struct kafka_probe *probe)
{
    if (probe == NULL)
        return;
    rd_kafka_destroy_flags(probe->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(probe);
}

int kafka_probe_start(struct kafka_probe *probe, const struct kafka_partition *p, int64_t offset)
{
    kafka_probe_stop(probe);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = offset;
    rd_kafka_resp_err_t code = rd_kafka_assign(probe->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    probe->partition = p;
    probe->offset = offset;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : ERR_DOWN;
}

void kafka_probe_stop(struct kafka_probe *probe)
{
    (void)rd_kafka_assign(probe->rk, NULL);
}

static enum kafka_verdict of_error(const rd_kafka_message_t *m, struct kafka_finding *finding)
{
    (void)snprintf(finding->text, sizeof(finding->text), "%s", rd_kafka_message_errstr(m));
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return KAFKA_AT_END;
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        return KAFKA_NOT_THERE;
    if (!kafka_is_data_error(m->err))
        return KAFKA_REFUSED;
    finding->batch = m->offset;
    return KAFKA_UNREADABLE;
}

/* Take what there is within the time: a message, or why there is none. */
static enum kafka_verdict take(struct kafka_probe *probe, int timeout_ms,
                               struct kafka_finding *finding)
{
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * timeout_ms * NS_PER_MS;
    bool refused = false;
    while (clock_monotonic_ns() < end_ns) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(probe->rk, POLL_MS);
        if (m == NULL)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset >= probe->offset) {
            probe->offset = m->offset + 1;
            finding->message = m;
            return KAFKA_READABLE;
        }
        enum kafka_verdict verdict = KAFKA_SILENT;
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->rkt != NULL)
            verdict = of_error(m, finding);
        /* Left over from where a bad batch led it before: that also stopped this fetching. */
        bool stray = verdict == KAFKA_NOT_THERE && m->offset != probe->offset;
        rd_kafka_message_destroy(m);
        if (stray && kafka_probe_start(probe, probe->partition, probe->offset) != 0)
            return KAFKA_REFUSED;
        if (!stray && verdict != KAFKA_SILENT && verdict != KAFKA_REFUSED)
            return verdict;
        refused = refused || (!stray && verdict == KAFKA_REFUSED);
    }
    return refused ? KAFKA_REFUSED : KAFKA_SILENT;
}

/*
 * A broker answers the requests of a connection in order, and the thread that asks unpacks the
 * answers: once it has the answer to another request, the fetch before it has been answered and
 * gone through, however long that took.
 */
static bool fetch_is_over(struct kafka_probe *probe)
{
    int64_t low = 0;
    int64_t high = 0;
    for (int i = 0; i < ANSWER_TRIES && !atomic_load(probe->stop); i++) {
        if (rd_kafka_query_watermark_offsets(probe->rk, probe->partition->topic,
                                             probe->partition->partition, &low, &high,
                                             ANSWER_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            return true;
    }
    return false;
}

enum kafka_verdict kafka_probe_next(struct kafka_probe *probe, int rounds,
                                    struct kafka_finding *finding)
{
    *finding = (struct kafka_finding){.batch = -1};
    enum kafka_verdict verdict = take(probe, FIRST_MS, finding);
    for (int i = 0; i < rounds && verdict == KAFKA_SILENT; i++)
        verdict = fetch_is_over(probe) ? take(probe, NEXT_MS, finding) : KAFKA_REFUSED;
    if (verdict == KAFKA_SILENT)
        (void)snprintf(finding->text, sizeof(finding->text), "%s",
                       "the broker's answer gives neither a message nor an error");
    return verdict;
}
