#include "store/log_state.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "store/frame_items.h"

enum {
    SECTION_ENVIRONMENT_NUMBER = 2,
    SLOTS_FIRST = 256,
};

#define SECTION_ENDS        (FRAME_SECTION_REQUIRED | 1)
#define SECTION_ENVIRONMENT (FRAME_SECTION_REQUIRED | SECTION_ENVIRONMENT_NUMBER)

int log_state_init(struct log_state *s, const struct sha256 *hash)
{
    *s = (struct log_state){
        .epoch = 1,
        .tick_ns = INT64_MIN,
        .hash = *hash,
        .seed = hash_seed(),
        .arena = {.limit_bytes = LOG_STATE_BYTES_MAX},
    };
    s->slots = calloc(SLOTS_FIRST, sizeof(*s->slots));
    if (s->slots == NULL)
        return ERR_NOMEM;
    s->slot_count = SLOTS_FIRST;
    return 0;
}

void log_state_release(struct log_state *s)
{
    free(s->ends);
    free(s->envs);
    free(s->slots);
    arena_release(&s->arena);
    *s = (struct log_state){0};
}

/* The slot that holds the partition, or the free one where it belongs. */
static size_t find_slot(const struct log_state *s, struct slice topic, int32_t partition)
{
    uint64_t hash = hash_slice(s->seed + (uint32_t)partition, topic);
    size_t mask = s->slot_count - 1;
    size_t at = (size_t)hash & mask;
    while (s->slots[at] != 0) {
        const struct partition_end *end = &s->ends[s->slots[at] - 1];
        if (end->partition == partition && slice_equal(end->topic, topic))
            return at;
        at = (at + 1) & mask;
    }
    return at;
}

/* Twice the slots and room for as many ends as half of them. */
static int grow(struct log_state *s)
{
    size_t count = s->slot_count * 2;
    assert(count != 0);
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return ERR_NOMEM;
    free(s->slots);
    s->slots = slots;
    s->slot_count = count;
    for (size_t i = 0; i < s->end_count; i++)
        s->slots[find_slot(s, s->ends[i].topic, s->ends[i].partition)] = (uint32_t)i + 1;
    return 0;
}

static int add_end(struct partition_end **out, struct log_state *s, struct slice topic,
                   int32_t partition)
{
    if (s->end_count == LOG_PARTITIONS_MAX)
        return ERR_NOMEM;
    if (s->end_count * 2 >= s->slot_count) {
        int err = grow(s);
        if (err != 0)
            return err;
    }
    struct partition_end *ends = s->ends;
    if ((s->end_count & (s->end_count - 1)) == 0) {
        size_t cap = s->end_count == 0 ? 1 : s->end_count * 2;
        ends = realloc(s->ends, cap * sizeof(*ends));
        if (ends == NULL)
            return ERR_NOMEM;
        s->ends = ends;
    }
    const char *copy = arena_copy(&s->arena, topic);
    if (copy == NULL)
        return ERR_NOMEM;
    ends[s->end_count] = (struct partition_end){
        .topic = slice_of(copy, topic.len),
        .partition = partition,
        .start = LOG_OFFSET_NONE,
        .end = LOG_OFFSET_NONE,
        .staged = LOG_OFFSET_NONE,
    };
    s->slots[find_slot(s, topic, partition)] = (uint32_t)s->end_count + 1;
    *out = &ends[s->end_count++];
    return 0;
}

const struct partition_end *log_state_find(const struct log_state *s, struct slice topic,
                                           int32_t partition)
{
    uint32_t slot = s->slots[find_slot(s, topic, partition)];
    if (slot == 0 || s->ends[slot - 1].end == LOG_OFFSET_NONE)
        return NULL;
    return &s->ends[slot - 1];
}

const struct frame_env *log_state_env(const struct log_state *s, struct slice name)
{
    for (size_t i = 0; i < s->env_count; i++) {
        if (slice_equal(s->envs[i].name, name))
            return &s->envs[i];
    }
    return NULL;
}

int log_state_stage(struct log_state *s, struct slice topic, int32_t partition, int64_t off_start,
                    int64_t off_end)
{
    struct partition_end *end = NULL;
    uint32_t slot = s->slots[find_slot(s, topic, partition)];
    if (slot != 0)
        end = &s->ends[slot - 1];
    if (end == NULL) {
        int err = add_end(&end, s, topic, partition);
        if (err != 0)
            return err;
    }
    int64_t from = end->staged != LOG_OFFSET_NONE ? end->staged : end->end;
    if (from != LOG_OFFSET_NONE && off_start != from)
        return ERR_RANGE;
    if (off_start < 0 || off_end <= off_start)
        return ERR_RANGE;
    if (from == LOG_OFFSET_NONE)
        end->start = off_start;
    end->staged = off_end;
    return 0;
}

void log_state_abandon(struct log_state *s)
{
    for (size_t i = 0; i < s->end_count; i++)
        s->ends[i].staged = LOG_OFFSET_NONE;
}

void log_state_commit(struct log_state *s, const struct frame_link *link, int64_t tick_ns,
                      const struct sha256 *hash)
{
    for (size_t i = 0; i < s->end_count; i++) {
        if (s->ends[i].staged != LOG_OFFSET_NONE)
            s->ends[i].end = s->ends[i].staged;
        s->ends[i].staged = LOG_OFFSET_NONE;
    }
    s->epoch = link->epoch;
    s->seq = link->seq;
    s->tick_ns = tick_ns;
    s->hash = *hash;
}

int log_state_env_set(struct log_state *s, const struct frame_env *env)
{
    for (size_t i = 0; i < s->env_count; i++) {
        if (slice_equal(s->envs[i].name, env->name)) {
            s->envs[i].sha256 = env->sha256;
            s->envs[i].bytes = env->bytes;
            return 0;
        }
    }
    if (s->env_count == LOG_ENVS_MAX)
        return ERR_NOMEM;
    if ((s->env_count & (s->env_count - 1)) == 0) {
        size_t cap = s->env_count == 0 ? 1 : s->env_count * 2;
        struct frame_env *envs = realloc(s->envs, cap * sizeof(*envs));
        if (envs == NULL)
            return ERR_NOMEM;
        s->envs = envs;
    }
    const char *copy = arena_copy(&s->arena, env->name);
    if (copy == NULL)
        return ERR_NOMEM;
    s->envs[s->env_count] = *env;
    s->envs[s->env_count++].name = slice_of(copy, env->name.len);
    return 0;
}

static const char *frame_misplaced(const struct log_state *s, const struct frame_view *frame)
{
    if (frame->link.seq != s->seq + 1)
        return "the frame's number does not follow";
    if (!sha256_equal(&frame->link.prev_hash, &s->hash))
        return "the chain of hashes is broken";
    if (frame->link.epoch < s->epoch)
        return "the frame's epoch is older than the one before";
    if (frame->tick_ns < s->tick_ns)
        return "the frame's tick is older than the one before";
    return NULL;
}

int log_state_apply(struct log_state *s, const struct frame_view *frame, const char **why)
{
    struct frame_items entries = frame->entries;
    struct frame_items envs = frame->envs;
    struct frame_entry_view entry;
    struct frame_env env;
    *why = frame_misplaced(s, frame);
    if (*why != NULL)
        return ERR_CORRUPT;
    while (frame_next_entry(&entry, &entries)) {
        int err = log_state_stage(s, entry.topic, entry.partition, entry.off_start, entry.off_end);
        if (err != 0) {
            log_state_abandon(s);
            *why = "the offsets of a partition do not follow";
            return err == ERR_RANGE ? ERR_CORRUPT : err;
        }
    }
    while (frame_next_env(&env, &envs)) {
        int err = log_state_env_set(s, &env);
        if (err != 0) {
            log_state_abandon(s);
            return err;
        }
    }
    log_state_commit(s, &frame->link, frame->tick_ns, &frame->hash);
    return 0;
}

static int end_order(const struct partition_end *a, const struct partition_end *b)
{
    int order = slice_compare(a->topic, b->topic);
    if (order != 0)
        return order;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

static int end_compare(const void *a, const void *b)
{
    const struct partition_end *left = a;
    const struct partition_end *right = b;
    return end_order(left, right);
}

static int env_compare(const void *a, const void *b)
{
    const struct frame_env *left = a;
    const struct frame_env *right = b;
    return slice_compare(left->name, right->name);
}

static size_t section_begin(struct buf *out, uint32_t type)
{
    buf_put32(out, type);
    buf_put64(out, 0);
    return out->len;
}

static void section_end(struct buf *out, size_t content)
{
    if (buf_ok(out))
        bytes_put64(out->data + content - sizeof(uint64_t), out->len - content);
}

static int encode_ends(struct buf *out, const struct log_state *s)
{
    uint32_t count = 0;
    struct partition_end *order = calloc(s->end_count + 1, sizeof(*order));
    if (order == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < s->end_count; i++) {
        if (s->ends[i].end != LOG_OFFSET_NONE)
            order[count++] = s->ends[i];
    }
    qsort(order, count, sizeof(*order), end_compare);
    size_t content = section_begin(out, SECTION_ENDS);
    buf_put32(out, count);
    for (size_t i = 0; i < count; i++) {
        buf_put16(out, (uint16_t)order[i].topic.len);
        buf_slice(out, order[i].topic);
        buf_put32(out, (uint32_t)order[i].partition);
        buf_put64(out, (uint64_t)order[i].start);
        buf_put64(out, (uint64_t)order[i].end);
    }
    section_end(out, content);
    free(order);
    return 0;
}

static int encode_envs(struct buf *out, const struct log_state *s)
{
    int err = 0;
    struct frame_env *order = calloc(s->env_count + 1, sizeof(*order));
    if (order == NULL)
        return ERR_NOMEM;
    if (s->env_count != 0)
        memcpy(order, s->envs, s->env_count * sizeof(*order));
    qsort(order, s->env_count, sizeof(*order), env_compare);
    size_t content = section_begin(out, SECTION_ENVIRONMENT);
    buf_put32(out, (uint32_t)s->env_count);
    for (size_t i = 0; i < s->env_count && err == 0; i++)
        err = env_encode(out, &order[i]);
    section_end(out, content);
    free(order);
    return err;
}

int log_state_encode(struct buf *out, const struct log_state *s)
{
    int err = encode_ends(out, s);
    if (err == 0)
        err = encode_envs(out, s);
    if (err == 0 && !buf_ok(out))
        err = ERR_NOMEM;
    return err;
}

static int decode_end(struct log_state *s, struct cursor *c)
{
    struct slice topic = cursor_take(c, cursor_take16(c));
    int32_t partition = (int32_t)cursor_take32(c);
    int64_t start = (int64_t)cursor_take64(c);
    int64_t end = (int64_t)cursor_take64(c);
    struct partition_end this = {.topic = topic, .partition = partition};
    if (c->failed || topic.len == 0 || topic.len > FRAME_TOPIC_BYTES_MAX || partition < 0 ||
        start < 0 || end <= start)
        return ERR_CORRUPT;
    if (s->end_count != 0 && end_order(&s->ends[s->end_count - 1], &this) >= 0)
        return ERR_CORRUPT;
    struct partition_end *added = NULL;
    int err = add_end(&added, s, topic, partition);
    if (err != 0)
        return err;
    added->start = start;
    added->end = end;
    return 0;
}

static int decode_ends(struct log_state *s, struct slice content)
{
    struct cursor c = {.rest = content};
    uint32_t count = cursor_take32(&c);
    if (c.failed || count > LOG_PARTITIONS_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        int err = decode_end(s, &c);
        if (err != 0)
            return err;
    }
    return c.rest.len == 0 ? 0 : ERR_CORRUPT;
}

static int decode_envs(struct log_state *s, struct slice content)
{
    struct frame_items items = {0};
    struct frame_env env;
    int err = items_of_envs(&items, content);
    while (err == 0 && frame_next_env(&env, &items)) {
        if (s->env_count != 0 && slice_compare(s->envs[s->env_count - 1].name, env.name) >= 0)
            return ERR_CORRUPT;
        err = log_state_env_set(s, &env);
    }
    return err;
}

int log_state_decode(struct log_state *s, struct slice sections)
{
    struct cursor c = {.rest = sections};
    uint32_t last = 0;
    uint32_t count = 0;
    while (c.rest.len != 0) {
        uint32_t type = cursor_take32(&c);
        struct slice content = cursor_take(&c, cursor_take64(&c));
        uint32_t number = type & ~FRAME_SECTION_REQUIRED;
        int err = 0;
        if (c.failed || number <= last || ++count > FRAME_SECTIONS_MAX)
            return ERR_CORRUPT;
        if (type == SECTION_ENDS)
            err = decode_ends(s, content);
        else if (type == SECTION_ENVIRONMENT)
            err = decode_envs(s, content);
        else if ((type & FRAME_SECTION_REQUIRED) != 0)
            err = ERR_FORMAT;
        if (err != 0)
            return err;
        last = number;
    }
    return 0;
}
