#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "ingest/kafka_state.h"
#include "ingest/tenant.h"

static struct kafka_topic **topic_slot(struct kafka *k, const char *name)
{
    struct kafka_topic **slot =
        &k->topics[hash_slice(k->seed, slice_from(name)) % KAFKA_TOPIC_BUCKETS];
    while (*slot != NULL && strcmp((*slot)->name, name) != 0)
        slot = &(*slot)->next_topic;
    return slot;
}

struct kafka_part *kafka_part_find(struct kafka *k, const char *topic, int32_t partition)
{
    (void)pthread_mutex_lock(&k->lock);
    struct kafka_topic *t = *topic_slot(k, topic);
    struct kafka_table *table = t == NULL ? NULL : atomic_load(&t->table);
    struct kafka_part *p = NULL;
    if (table != NULL && partition >= 0 && partition < table->count)
        p = table->parts[partition];
    (void)pthread_mutex_unlock(&k->lock);
    return p;
}

struct kafka_part *kafka_part_of(const rd_kafka_message_t *m)
{
    struct kafka_topic *t = rd_kafka_topic_opaque(m->rkt);
    struct kafka_table *table = t == NULL ? NULL : atomic_load(&t->table);
    if (table == NULL || m->partition < 0 || m->partition >= table->count)
        return NULL;
    return table->parts[m->partition];
}

static void topic_free(struct kafka_topic *t)
{
    struct kafka_table *table = atomic_load(&t->table);
    for (int32_t i = 0; table != NULL && i < table->count; i++)
        free(table->parts[i]);
    while (table != NULL) {
        struct kafka_table *older = table->older;
        free(table);
        table = older;
    }
    if (t->handle != NULL)
        rd_kafka_topic_destroy(t->handle);
    free(t->name);
    free(t);
}

void kafka_topics_free(struct kafka *k)
{
    for (size_t i = 0; i < KAFKA_TOPIC_BUCKETS; i++) {
        while (k->topics[i] != NULL) {
            struct kafka_topic *t = k->topics[i];
            k->topics[i] = t->next_topic;
            topic_free(t);
        }
    }
    k->parts = NULL;
}

static rd_kafka_topic_t *handle_new(struct kafka *k, struct kafka_topic *t)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(k->rk);
    rd_kafka_topic_conf_set_opaque(conf, t);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(k->rk, t->name, conf);
    if (handle == NULL)
        rd_kafka_topic_conf_destroy(conf);
    return handle;
}

/* The topic of that name, made when it is new; NULL without memory. */
static struct kafka_topic *topic_get(struct kafka *k, const char *name)
{
    struct kafka_topic **slot = topic_slot(k, name);
    if (*slot != NULL)
        return *slot;
    struct kafka_topic *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    uint32_t tenant = 0;
    struct slice source;
    t->name = strdup(name);
    t->refused = t->name != NULL && tenant_topic_parse(slice_from(name), &tenant, &source) != 0;
    if (t->name != NULL && !t->refused)
        t->handle = handle_new(k, t);
    if (t->name == NULL || (!t->refused && t->handle == NULL)) {
        topic_free(t);
        return NULL;
    }
    if (t->refused) {
        atomic_fetch_add(&k->refused, 1);
        log_error("kafka", "topic refused: no valid municipality code or source in its name",
                  "topic=%s", name);
    }
    (void)pthread_mutex_lock(&k->lock);
    *slot = t;
    (void)pthread_mutex_unlock(&k->lock);
    return t;
}

static struct kafka_part *part_new(struct kafka *k, struct kafka_topic *t, int32_t partition)
{
    struct kafka_part *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    struct kafka_partition *s = &p->shared;
    *s = (struct kafka_partition){.topic = t->name, .partition = partition};
    (void)tenant_topic_parse(slice_from(t->name), &s->tenant, &s->source);
    s->worker = k->options.owner == NULL ? s->tenant % k->options.workers
                                         : k->options.owner(k->options.self, s->tenant);
    s->start = k->options.resume == NULL ? KAFKA_OFFSET_NONE
                                         : k->options.resume(k->options.self, t->name, partition);
    if (s->worker >= k->options.workers)
        s->worker %= k->options.workers;
    if (s->start < 0)
        s->start = KAFKA_OFFSET_NONE;
    p->topic = t;
    p->hinted = KAFKA_OFFSET_NONE;
    p->watch.next = KAFKA_OFFSET_NONE;
    p->watch.settled = KAFKA_OFFSET_NONE;
    atomic_store(&p->next, s->start);
    atomic_store(&p->hint, KAFKA_OFFSET_NONE);
    atomic_store(&p->leader, -1);
    return p;
}

/* The queue must lead to the worker before the first message comes. */
static void forward(struct kafka *k, const struct kafka_part *p)
{
    rd_kafka_queue_t *queue =
        rd_kafka_queue_get_partition(k->rk, p->shared.topic, p->shared.partition);
    if (queue == NULL)
        return;
    rd_kafka_queue_forward(queue, k->workers[p->shared.worker].queue);
    rd_kafka_queue_destroy(queue);
}

/* Add partitions up to `count` to the topic and to the list of those to assign. */
static int topic_grow(struct kafka *k, struct kafka_topic *t, int32_t count,
                      rd_kafka_topic_partition_list_t *fresh)
{
    struct kafka_table *old = atomic_load(&t->table);
    int32_t known = old == NULL ? 0 : old->count;
    if (count <= known)
        return 0;
    if (k->part_count + (uint32_t)(count - known) > KAFKA_PARTITIONS_MAX) {
        log_error("kafka", "too many partitions: topic not consumed", "topic=%s partitions=%d",
                  t->name, count);
        return 0;
    }
    struct kafka_table *table =
        calloc(1, sizeof(*table) + (size_t)count * sizeof(struct kafka_part *));
    if (table == NULL)
        return ERR_NOMEM;
    table->older = old;
    for (table->count = 0; table->count < count; table->count++) {
        int32_t i = table->count;
        table->parts[i] = i < known ? old->parts[i] : part_new(k, t, i);
        if (table->parts[i] == NULL)
            break;
    }
    (void)pthread_mutex_lock(&k->lock);
    for (int32_t i = known; i < table->count; i++) {
        table->parts[i]->next_part = k->parts;
        k->parts = table->parts[i];
    }
    k->part_count += (uint32_t)(table->count - known);
    atomic_store(&t->table, table);
    (void)pthread_mutex_unlock(&k->lock);
    for (int32_t i = known; i < table->count; i++) {
        struct kafka_part *p = table->parts[i];
        /* "latest" is for what was there at the start; a topic made later is ours from its first. */
        int64_t none = k->options.start_latest && !k->discovered ? RD_KAFKA_OFFSET_END
                                                                 : RD_KAFKA_OFFSET_BEGINNING;
        forward(k, p);
        rd_kafka_topic_partition_list_add(fresh, t->name, i)->offset =
            p->shared.start == KAFKA_OFFSET_NONE ? none : p->shared.start;
    }
    return table->count == count ? 0 : ERR_NOMEM;
}

static void note_leaders(struct kafka_topic *t, const rd_kafka_metadata_topic_t *m)
{
    struct kafka_table *table = atomic_load(&t->table);
    for (int i = 0; table != NULL && i < m->partition_cnt; i++) {
        int32_t id = m->partitions[i].id;
        if (id >= 0 && id < table->count)
            atomic_store(&table->parts[id]->leader, m->partitions[i].leader);
    }
}

static int assign_list(struct kafka *k, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_error_t *error = rd_kafka_incremental_assign(k->rk, list);
    if (error == NULL)
        return 0;
    log_error("kafka", "partitions not assigned", "error=%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return ERR_DOWN;
}

int kafka_part_assign(struct kafka *k, struct kafka_part *p, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, p->shared.topic, p->shared.partition)->offset =
        offset == KAFKA_OFFSET_NONE ? RD_KAFKA_OFFSET_BEGINNING : offset;
    forward(k, p);
    int err = assign_list(k, list);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

int kafka_part_unassign(struct kafka *k, struct kafka_part *p)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, p->shared.topic, p->shared.partition);
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(k->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error == NULL)
        return 0;
    log_error("kafka", "partition not taken back", "topic=%s partition=%d error=%s",
              p->shared.topic, p->shared.partition, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return ERR_DOWN;
}

int kafka_discover(struct kafka *k)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(k->rk, 1, NULL, &metadata, KAFKA_QUERY_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return ERR_DOWN;
    int err = 0;
    struct slice prefix = slice_from(k->options.topic_prefix);
    rd_kafka_topic_partition_list_t *fresh = rd_kafka_topic_partition_list_new(64);
    for (int i = 0; i < metadata->topic_cnt && err == 0; i++) {
        const rd_kafka_metadata_topic_t *m = &metadata->topics[i];
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR || !slice_starts(slice_from(m->topic), prefix))
            continue;
        struct kafka_topic *t = topic_get(k, m->topic);
        if (t == NULL)
            err = ERR_NOMEM;
        if (t == NULL || t->refused)
            continue;
        err = topic_grow(k, t, m->partition_cnt, fresh);
        note_leaders(t, m);
    }
    rd_kafka_metadata_destroy(metadata);
    if (fresh->cnt > 0) {
        log_info("kafka", "new partitions", "count=%d", fresh->cnt);
        (void)assign_list(k, fresh);
    }
    rd_kafka_topic_partition_list_destroy(fresh);
    k->discovered = true;
    atomic_store(&k->up, true);
    return err;
}
