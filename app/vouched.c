#include "app/vouched.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"

/* A frame that a checkpoint named as the log's last. */
struct signed_frame {
    uint64_t seq;
    struct sha256 hash;
};

struct signed_tree {
    uint32_t tenant;
    struct tree_head *heads;
    size_t count;
    size_t cap;
};

struct vouched {
    struct checkpoint_summary summary;
    struct signed_frame *frames; /* ascending */
    size_t frame_count;
    size_t frame_cap;
    size_t next_frame;
    struct signed_tree *trees; /* ascending by tenant */
    size_t tree_count;
    size_t tree_cap;
};

static int keep_frame(struct vouched *v, const struct checkpoint *c)
{
    if (c->log_seq == 0 || (v->frame_count != 0 && v->frames[v->frame_count - 1].seq == c->log_seq))
        return 0; /* the chain of checkpoints says that it is the same hash */
    if (v->frame_count == v->frame_cap) {
        size_t cap = v->frame_cap == 0 ? 256 : v->frame_cap * 2;
        struct signed_frame *frames = reallocarray(v->frames, cap, sizeof(*frames));
        if (frames == NULL)
            return ERR_NOMEM;
        v->frames = frames;
        v->frame_cap = cap;
    }
    v->frames[v->frame_count++] = (struct signed_frame){c->log_seq, c->log_hash};
    return 0;
}

/* The place of a municipality, made where there is none. */
static int tree_of(struct vouched *v, uint32_t tenant, struct signed_tree **out)
{
    size_t at = v->tree_count;
    while (at > 0 && v->trees[at - 1].tenant > tenant)
        at--;
    if (at > 0 && v->trees[at - 1].tenant == tenant) {
        *out = &v->trees[at - 1];
        return 0;
    }
    if (v->tree_count == v->tree_cap) {
        size_t cap = v->tree_cap == 0 ? 64 : v->tree_cap * 2;
        struct signed_tree *trees = reallocarray(v->trees, cap, sizeof(*trees));
        if (trees == NULL)
            return ERR_NOMEM;
        v->trees = trees;
        v->tree_cap = cap;
    }
    memmove(&v->trees[at + 1], &v->trees[at], (v->tree_count - at) * sizeof(*v->trees));
    v->trees[at] = (struct signed_tree){.tenant = tenant};
    v->tree_count++;
    *out = &v->trees[at];
    return 0;
}

static int keep_tree(struct vouched *v, const struct checkpoint_tenant *t)
{
    struct signed_tree *tree = NULL;
    int err = tree_of(v, t->tenant, &tree);
    if (err != 0 || (tree->count != 0 && tree->heads[tree->count - 1].size == t->head.size))
        return err;
    if (tree->count == tree->cap) {
        size_t cap = tree->cap == 0 ? 16 : tree->cap * 2;
        struct tree_head *heads = reallocarray(tree->heads, cap, sizeof(*heads));
        if (heads == NULL)
            return ERR_NOMEM;
        tree->heads = heads;
        tree->cap = cap;
    }
    tree->heads[tree->count++] = t->head;
    return 0;
}

static int keep(void *self, const struct checkpoint *c, struct slice text)
{
    struct vouched *v = self;
    (void)text;
    int err = keep_frame(v, c);
    for (uint32_t i = 0; i < c->tenant_count && err == 0; i++)
        err = keep_tree(v, &c->tenants[i]);
    return err;
}

int vouched_read(struct vouched **out, const char *dir, const struct note_key *key,
                 struct slice held, struct diag *diag)
{
    struct vouched *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return ERR_NOMEM;
    const struct checkpoint_check check = {.key = key, .held = held, .visit = keep, .self = v};
    int err = checkpoint_file_check(&v->summary, dir, &check, diag);
    if (err != 0) {
        vouched_free(v);
        return err;
    }
    *out = v;
    return 0;
}

void vouched_free(struct vouched *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->tree_count; i++)
        free(v->trees[i].heads);
    free(v->trees);
    free(v->frames);
    free(v);
}

uint64_t vouched_count(const struct vouched *v)
{
    return v->summary.count;
}

int vouched_frame(struct vouched *v, uint64_t seq, const struct sha256 *hash)
{
    if (v->next_frame == v->frame_count || v->frames[v->next_frame].seq != seq)
        return 0;
    return sha256_equal(&v->frames[v->next_frame++].hash, hash) ? 0 : ERR_CORRUPT;
}

int vouched_frames_end(const struct vouched *v, struct diag *diag)
{
    if (v->next_frame == v->frame_count)
        return 0;
    diag_add(diag, "checkpoints", 0, 0,
             "frame %" PRIu64 " of the log was signed and is not there: the end of the log was cut "
             "off; restore it from a copy of the store",
             v->frames[v->next_frame].seq);
    return ERR_CORRUPT;
}

const struct tree_head *vouched_heads(const struct vouched *v, uint32_t tenant, size_t *count)
{
    for (size_t i = 0; i < v->tree_count; i++) {
        if (v->trees[i].tenant == tenant) {
            *count = v->trees[i].count;
            return v->trees[i].heads;
        }
    }
    *count = 0;
    return NULL;
}

bool vouched_next_tenant(const struct vouched *v, size_t *cursor, uint32_t *tenant)
{
    if (*cursor == v->tree_count)
        return false;
    *tenant = v->trees[(*cursor)++].tenant;
    return true;
}
