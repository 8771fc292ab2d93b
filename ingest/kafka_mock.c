#include "ingest/kafka_mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "base/err.h"
#include "ingest/kafka_state.h"

enum {
    ERROR_BYTES = 512,
};

struct kafka_mock {
    rd_kafka_t *rk; /* the cluster lives on a client that does nothing else */
    rd_kafka_mock_cluster_t *cluster;
};

int kafka_mock_open(struct kafka_mock **out, int brokers)
{
    struct kafka_mock *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return ERR_NOMEM;
    char error[ERROR_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, kafka_log);
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (m->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        free(m);
        return ERR_NOMEM;
    }
    m->cluster = rd_kafka_mock_cluster_new(m->rk, brokers);
    if (m->cluster == NULL) {
        kafka_mock_close(m);
        return ERR_IO;
    }
    *out = m;
    return 0;
}

void kafka_mock_close(struct kafka_mock *m)
{
    if (m == NULL)
        return;
    if (m->cluster != NULL)
        rd_kafka_mock_cluster_destroy(m->cluster);
    rd_kafka_destroy(m->rk);
    free(m);
}

const char *kafka_mock_brokers(const struct kafka_mock *m)
{
    return rd_kafka_mock_cluster_bootstraps(m->cluster);
}

int kafka_mock_topic(struct kafka_mock *m, const char *name, int partitions)
{
    return rd_kafka_mock_topic_create(m->cluster, name, partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR
               ? 0
               : ERR_RANGE;
}

int kafka_mock_set_up(struct kafka_mock *m, int32_t broker, bool up)
{
    rd_kafka_resp_err_t code = up ? rd_kafka_mock_broker_set_up(m->cluster, broker)
                                  : rd_kafka_mock_broker_set_down(m->cluster, broker);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : ERR_NOTFOUND;
}
