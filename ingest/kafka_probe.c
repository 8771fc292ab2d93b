#include "ingest/kafka_probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    POLL_MS = 50,
    NS_PER_MS = 1000000,
    ERROR_BYTES = 512,
    ERRORS_MAX = 3, /* the same answer so often is no accident */
};

struct kafka_probe {
    rd_kafka_t *rk;
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

enum kafka_verdict kafka_probe_next(struct kafka_probe *probe, int timeout_ms,
                                    struct kafka_finding *finding)
{
    *finding = (struct kafka_finding){.batch = -1};
    int64_t end_ns = clock_monotonic_ns() + INT64_C(1) * timeout_ms * NS_PER_MS;
    enum kafka_verdict verdict = KAFKA_SILENT;
    unsigned errors = 0;
    bool faulty = false;
    while (clock_monotonic_ns() < end_ns) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(probe->rk, POLL_MS);
        if (m == NULL)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && !faulty && m->offset >= probe->offset) {
            probe->offset = m->offset + 1;
            finding->message = m;
            return KAFKA_READABLE;
        }
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->rkt != NULL) {
            /* After the first undecodable answer only the same again counts, not what follows. */
            enum kafka_verdict now = faulty ? KAFKA_UNREADABLE : of_error(m, finding);
            faulty = faulty || now == KAFKA_UNREADABLE;
            verdict = now;
            errors += !faulty || kafka_is_data_error(m->err) ? 1 : 0;
        }
        rd_kafka_message_destroy(m);
        if (verdict == KAFKA_AT_END || verdict == KAFKA_NOT_THERE || errors >= ERRORS_MAX)
            break;
    }
    return verdict;
}
