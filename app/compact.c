#include "app/compact.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/compact_tenant.h"
#include "app/log_index.h"
#include "app/log_totals.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "ingest/ingest.h"

enum {
    SHARDS_FIRST = 64,
    REST_PARTS = 16,
};

#define REST_AFTER_NS INT64_C(10000000)

/* A pack with batches of one municipality: of the log, or, where `bytes` has no data, spilled. */
struct shard_pack {
    struct slice bytes;
    uint64_t spill_at;
    uint64_t spill_len;
};

/* What one municipality has in the frames at hand, in the order of its history. */
struct shard {
    uint32_t tenant;
    struct tenant_compaction *compaction;
    struct shard_pack *packs;
    size_t count;
    size_t cap;
    struct pack pending; /* batches on their way to the spill */
};

struct compaction {
    const struct compact_options *options;
    struct compact_report *report;
    struct diag *diag;
    struct log_index *index;
    struct codec *codec;
    struct batch *batch;
    struct totals_count *totals;
    struct shard *shards;
    size_t shard_count;
    size_t shard_cap;
    struct file *spill;
    struct slice spilled; /* its map */
    char spill_path[FILE_PATH_BYTES_MAX];
    uint64_t looked_bytes; /* of packs, whose pages are still there */
    struct buf blob;
    int64_t woke_ns;
    struct arena arena;
    struct compacted before;         /* what runs until now have said */
    char where[FILE_PATH_BYTES_MAX]; /* it is at */
    int error_number;                /* of the system, when that ended it */
};

/* What is being worked at, for a message. */
static void at_folder(struct compaction *c, uint32_t tenant)
{
    if (catalog_folder(c->where, sizeof(c->where), c->options->dir, tenant) != 0)
        c->where[0] = '\0';
}

static void at_spill(struct compaction *c)
{
    memcpy(c->where, c->spill_path, sizeof(c->where));
}

/* Up to where a municipality's catalog must go. */
static uint64_t said_through(const struct compaction *c, uint32_t tenant)
{
    for (size_t i = 0; i < c->before.tenant_count; i++) {
        if (c->before.tenants[i] == tenant)
            return c->before.through_seq;
    }
    return 0;
}

static int keep_pack(struct shard *s, struct shard_pack pack)
{
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 64 : s->cap * 2;
        struct shard_pack *packs = reallocarray(s->packs, cap, sizeof(*packs));
        if (packs == NULL)
            return ERR_NOMEM;
        s->packs = packs;
        s->cap = cap;
    }
    s->packs[s->count++] = pack;
    return 0;
}

/* The shard of a municipality, made at first sight. */
static int shard_of(struct compaction *c, uint32_t tenant, struct shard **out)
{
    for (size_t i = c->shard_count; i > 0; i--) {
        if (c->shards[i - 1].tenant == tenant) {
            *out = &c->shards[i - 1];
            return 0;
        }
    }
    if (c->shard_count == c->shard_cap) {
        size_t cap = c->shard_cap == 0 ? SHARDS_FIRST : c->shard_cap * 2;
        struct shard *shards = reallocarray(c->shards, cap, sizeof(*shards));
        if (shards == NULL)
            return ERR_NOMEM;
        c->shards = shards;
        c->shard_cap = cap;
    }
    struct shard *s = &c->shards[c->shard_count];
    *s = (struct shard){.tenant = tenant};
    at_folder(c, tenant);
    int err = tenant_compaction_new(&s->compaction, c->options, tenant, said_through(c, tenant),
                                    c->report, c->diag);
    if (err != 0)
        return err;
    at_spill(c);
    c->shard_count++;
    *out = s;
    return 0;
}

/* Rest as much as the options say. ERR_AGAIN: stop. */
static int rest(struct compaction *c)
{
    const struct compact_options *o = c->options;
    if (o->stop != NULL && atomic_load(o->stop))
        return ERR_AGAIN;
    int64_t worked_ns = clock_monotonic_ns() - c->woke_ns;
    if (o->rest_share == 0 || worked_ns < REST_AFTER_NS)
        return 0;
    int64_t ns = worked_ns * o->rest_share / (REST_PARTS - o->rest_share);
    const struct timespec wait = {.tv_sec = ns / CLOCK_NS_PER_SECOND,
                                  .tv_nsec = ns % CLOCK_NS_PER_SECOND};
    (void)nanosleep(&wait, NULL);
    c->woke_ns = clock_monotonic_ns();
    return 0;
}

/* The log is as large as the disk allows: what was looked at leaves memory again. */
static void let_go(struct compaction *c, size_t looked_bytes)
{
    c->looked_bytes += looked_bytes;
    if (c->looked_bytes < COMPACT_MAPPED_BYTES)
        return;
    log_index_forget_log(c->index);
    file_map_forget(c->spilled);
    c->looked_bytes = 0;
}

/* Write the batches that wait to the spill, as one pack. */
static int spill_pending(struct compaction *c, struct shard *s)
{
    if (s->pending.count == 0)
        return 0;
    buf_reset(&c->blob);
    int err = pack_seal(c->codec, &s->pending, &c->blob);
    if (err == 0 && c->spill == NULL) {
        (void)file_unlink(c->spill_path);
        err = file_open(&c->spill, c->spill_path, FILE_CREATE);
    }
    const struct shard_pack pack = {.spill_at = c->spill == NULL ? 0 : file_end(c->spill),
                                    .spill_len = c->blob.len};
    if (err == 0)
        err = file_append(c->spill, c->blob.data, c->blob.len);
    if (err == ERR_IO && file_no_space())
        err = ERR_AGAIN;
    c->report->spilled_bytes += c->blob.len;
    return err == 0 ? keep_pack(s, pack) : err;
}

/* Whether all batches of a pack are one municipality's; ERR_CORRUPT for what is no pack. */
static int look_at_pack(struct slice blob, uint32_t *tenant, bool *alone)
{
    struct pack_view view;
    struct batch_head head;
    bool any = false;
    int err = pack_open(&view, blob);
    *alone = true;
    while (err == 0) {
        err = pack_next(&view, &head);
        if (err != 0)
            break;
        *alone = *alone && (!any || head.tenant == *tenant);
        *tenant = head.tenant;
        any = true;
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

/* Batches of several municipalities: each to the spill of its own. */
static int split_pack(struct compaction *c, struct slice blob, uint64_t seq)
{
    struct pack_view view;
    struct batch_head head;
    int err = pack_open(&view, blob);
    while (err == 0) {
        struct shard *s = NULL;
        err = pack_next(&view, &head);
        if (err == 0)
            err = shard_of(c, head.tenant, &s);
        if (err != 0 || seq <= tenant_compaction_through(s->compaction))
            continue;
        err = pack_copy(c->codec, &s->pending, &head);
        if (err == 0 && pack_bytes(&s->pending) >= COMPACT_SPILL_BYTES)
            err = spill_pending(c, s);
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static int take_pack(struct compaction *c, size_t at)
{
    struct slice blob = log_index_blob(c->index, at).pack;
    uint64_t seq = log_index_seq(c->index, at);
    uint32_t tenant = 0;
    bool alone = false;
    struct shard *s = NULL;
    int err = look_at_pack(blob, &tenant, &alone);
    if (err == 0 && !alone)
        err = split_pack(c, blob, seq);
    else if (err == 0)
        err = shard_of(c, tenant, &s);
    if (err == 0 && alone && seq > tenant_compaction_through(s->compaction)) {
        err = spill_pending(c, s);
        if (err == 0)
            err = keep_pack(s, (struct shard_pack){.bytes = blob});
    }
    let_go(c, blob.len);
    if (err == ERR_CORRUPT)
        log_index_name(c->index, at, "the batches here are damaged; nothing was changed", c->diag);
    return err;
}

/* Sort the frames' packs by municipality. */
static int shard_log(struct compaction *c)
{
    size_t count = log_index_count(c->index);
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        if (log_index_seq(c->index, i) > c->report->through_seq)
            break;
        err = take_pack(c, i);
        if (err == 0)
            err = rest(c);
    }
    for (size_t i = 0; i < c->shard_count && err == 0; i++)
        err = spill_pending(c, &c->shards[i]);
    if (err == 0 && c->spill != NULL)
        err = file_map(&c->spilled, c->spill);
    return err;
}

static int take_batches(struct compaction *c, struct shard *s, struct slice blob)
{
    struct pack_view view;
    struct batch_head head;
    int err = pack_open(&view, blob);
    while (err == 0) {
        err = pack_next(&view, &head);
        if (err != 0)
            break;
        batch_reset(c->batch);
        err = codec_texts(c->codec, &head, c->batch);
        if (err == 0)
            err = codec_rows(c->codec, &head, c->batch, NULL);
        if (err == 0)
            err = tenant_compaction_add(s->compaction, c->batch);
        if (err == 0)
            err = rest(c);
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static void shard_release(struct shard *s)
{
    tenant_compaction_free(s->compaction);
    pack_release(&s->pending);
    free(s->packs);
    *s = (struct shard){.tenant = s->tenant};
}

static int compact_shard(struct compaction *c, struct shard *s)
{
    int err = 0;
    at_folder(c, s->tenant);
    tenant_compaction_count(s->compaction, c->totals);
    for (size_t i = 0; i < s->count && err == 0; i++) {
        const struct shard_pack *p = &s->packs[i];
        struct slice blob = p->bytes.data != NULL
                                ? p->bytes
                                : slice_of(c->spilled.data + p->spill_at, (size_t)p->spill_len);
        err = take_batches(c, s, blob);
        let_go(c, blob.len);
    }
    if (err == 0)
        err = tenant_compaction_finish(s->compaction, c->report->through_seq);
    if (err == 0)
        c->report->tenants++;
    c->error_number = errno;
    shard_release(s);
    let_go(c, COMPACT_MAPPED_BYTES);
    errno = c->error_number;
    failpoint("compact.tenant");
    return err;
}

/* Municipalities that have segments, and no rows in these frames, have them up to here as well. */
static int add_known(struct compaction *c)
{
    struct arena arena = {0};
    struct catalog_tenants tenants;
    int err = catalog_list_tenants(&tenants, &arena, c->options->dir);
    for (size_t i = 0; i < tenants.count && err == 0; i++) {
        struct shard *s = NULL;
        err = shard_of(c, tenants.codes[i], &s);
    }
    for (size_t i = 0; i < c->before.tenant_count && err == 0; i++) {
        struct shard *s = NULL;
        err = shard_of(c, c->before.tenants[i], &s);
    }
    arena_release(&arena);
    return err;
}

/* A municipality of which there is nothing but what was lost has totals, too. */
static int owner_of(void *self, struct slice topic, struct totals_owner *out)
{
    struct compaction *c = self;
    struct shard *s = NULL;
    uint32_t tenant = 0;
    struct slice source = {0};
    if (tenant_topic_parse(topic, &tenant, &source) != 0)
        return 0;
    int err = shard_of(c, tenant, &s);
    if (err != 0)
        return err;
    *out = (struct totals_owner){.known = true,
                                 .tenant = tenant,
                                 .from_seq = tenant_compaction_through(s->compaction),
                                 .source = source};
    return 0;
}

/* What the frames say that they hold. */
static int count_frames(struct compaction *c)
{
    uint64_t damage = 0;
    uint64_t from_seq = c->report->through_seq;
    for (size_t i = 0; i < c->shard_count; i++) {
        if (tenant_compaction_through(c->shards[i].compaction) < from_seq)
            from_seq = tenant_compaction_through(c->shards[i].compaction);
    }
    from_seq = c->before.through_seq < from_seq ? c->before.through_seq : from_seq;
    int err = totals_count_new(&c->totals, owner_of, c);
    if (err == 0)
        err = log_totals_read(c->totals, c->options->dir, from_seq, c->report->through_seq, &damage,
                              c->diag);
    return err == 0 && damage != 0 ? ERR_CORRUPT : err;
}

static int shard_order(const void *left, const void *right)
{
    const struct shard *a = left;
    const struct shard *b = right;
    return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

/* Everybody's rows up to here are in segments: readers need not look at these frames again. */
static int say_compacted(struct compaction *c)
{
    struct compacted done = {.through_seq = c->report->through_seq, .tenant_count = c->shard_count};
    uint32_t *tenants = calloc(c->shard_count + 1, sizeof(*tenants));
    if (tenants == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < c->shard_count; i++)
        tenants[i] = c->shards[i].tenant;
    memcpy(done.store_id, c->options->store_id, sizeof(done.store_id));
    done.tenants = tenants;
    (void)snprintf(c->where, sizeof(c->where), "%.3000s/seg/compacted", c->options->dir);
    int err = compacted_write(c->options->dir, &done);
    free(tenants);
    return err;
}

static int compact_all(struct compaction *c)
{
    c->report->through_seq = log_index_last_seq(c->index);
    if (c->options->through_seq < c->report->through_seq)
        c->report->through_seq = c->options->through_seq;
    int err = shard_log(c);
    failpoint("compact.sharded");
    if (err == 0)
        err = add_known(c);
    if (err == 0)
        err = count_frames(c);
    if (err == 0 && c->shard_count != 0)
        qsort(c->shards, c->shard_count, sizeof(*c->shards), shard_order);
    bool left_out = false;
    for (size_t i = 0; i < c->shard_count && err == 0; i++) {
        err = compact_shard(c, &c->shards[i]);
        left_out |= err == ERR_SEALED;
        err = err == ERR_SEALED ? 0 : err;
    }
    if (err == 0 && left_out)
        err = ERR_SEALED; /* the log is needed as far as they are concerned */
    failpoint("compact.before_said");
    err = err == 0 ? say_compacted(c) : err;
    failpoint("compact.said");
    return err;
}

static void compaction_release(struct compaction *c)
{
    for (size_t i = 0; i < c->shard_count; i++)
        shard_release(&c->shards[i]);
    free(c->shards);
    totals_count_free(c->totals);
    file_unmap(c->spilled);
    if (c->spill != NULL)
        (void)file_unlink(c->spill_path);
    file_close(c->spill);
    log_index_close(c->index);
    codec_free(c->codec);
    batch_free(c->batch);
    buf_release(&c->blob);
    arena_release(&c->arena);
}

/* Say where the system refused, and why. */
static void say_where(struct compaction *c, int err)
{
    bool system =
        err == ERR_IO || err == ERR_NOTFOUND ||
        (err == ERR_AGAIN && (c->options->stop == NULL || !atomic_load(c->options->stop)));
    if (system && c->where[0] != '\0') {
        diag_add(c->diag, c->where, 0, 0,
                 "%s; what was finished before stays, the next run goes on",
                 strerrordesc_np(c->error_number));
    }
}

/* The folder of all, and what was said of it. */
static int prepare(struct compaction *c)
{
    char folder[FILE_PATH_BYTES_MAX];
    int len = snprintf(folder, sizeof(folder), "%s/seg", c->options->dir);
    if (len < 0 || (size_t)len + sizeof("/spill.tmp") > sizeof(folder))
        return ERR_RANGE;
    (void)snprintf(c->spill_path, sizeof(c->spill_path), "%.*s/spill.tmp", len, folder);
    memcpy(c->where, folder, (size_t)len + 1);
    int err = dir_create(folder);
    if (err == 0)
        err = compacted_read(&c->before, c->options->dir, &c->arena, c->diag);
    if (err == ERR_NOTFOUND)
        err = 0;
    if (err == 0)
        (void)file_unlink(c->spill_path);
    return err;
}

int compact_run(const struct compact_options *options, struct compact_report *out,
                struct diag *diag)
{
    struct compact_report report = {0};
    struct compaction *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->options = options;
    c->report = &report;
    c->diag = diag;
    c->codec = codec_new(1);
    c->batch = batch_new();
    c->woke_ns = clock_monotonic_ns();
    int err = c->codec == NULL || c->batch == NULL ? ERR_NOMEM : prepare(c);
    if (err == 0)
        err = log_index_open_with(
            &c->index, &(struct log_index_options){.dir = options->dir, .log_only = true}, diag);
    if (err == 0 && log_index_damage(c->index) != 0)
        err = ERR_CORRUPT; /* what is named: rows that cannot be read cannot be moved */
    if (err == 0)
        err = compact_all(c);
    c->error_number = errno;
    say_where(c, err);
    compaction_release(c);
    free(c);
    *out = report;
    return err;
}
