#include "app/gone_nodes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"

/* A certificate that counts, and between which rows its nodes lie once it was read. */
struct certificate {
    uint64_t number;
    bool known;
    uint64_t first;
    uint64_t end;
};

struct gone_nodes {
    char dir[FILE_PATH_BYTES_MAX];
    const struct catalog *catalog;
    struct note_key key;
    struct deletions *file; /* NULL until it is needed */
    struct certificate *items;
    size_t count;
};

int gone_nodes_open(struct gone_nodes **out, const char *dir, const struct catalog *catalog)
{
    struct gone_nodes *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ERR_NOMEM;
    g->catalog = catalog;
    g->items = calloc(catalog->removal_count + 1, sizeof(*g->items));
    int len = snprintf(g->dir, sizeof(g->dir), "%s", dir);
    if (g->items == NULL || len < 0 || (size_t)len >= sizeof(g->dir)) {
        int err = g->items == NULL ? ERR_NOMEM : ERR_RANGE;
        gone_nodes_close(g);
        return err;
    }
    /* Removals of one certificate stand together. */
    for (size_t i = 0; i < catalog->removal_count; i++) {
        uint64_t number = catalog->removals[i].certificate;
        if (g->count == 0 || g->items[g->count - 1].number != number)
            g->items[g->count++].number = number;
    }
    *out = g;
    return 0;
}

void gone_nodes_close(struct gone_nodes *g)
{
    if (g == NULL)
        return;
    deletions_close(g->file);
    free(g->items);
    free(g);
}

static int open_file(struct gone_nodes *g, struct diag *diag)
{
    const struct deletions_options options = {.dir = g->dir,
                                              .store_id = g->catalog->store_id,
                                              .tenant = g->catalog->tenant,
                                              .key = &g->key};
    int err = checkpoint_key_read(&g->key, g->dir, diag);
    if (err == 0)
        err = deletions_open(&g->file, &options, diag);
    return err == ERR_NOTFOUND || err == ERR_FORMAT ? ERR_CORRUPT : err;
}

static int take_nodes(struct certificate *c, const struct deletion *d, uint64_t first, uint64_t end,
                      gone_nodes_take *take, void *self)
{
    int err = 0;
    c->known = true;
    c->first = UINT64_MAX;
    for (size_t i = 0; i < d->node_count; i++) {
        const struct deletion_node *n = &d->nodes[i];
        uint64_t from = n->index << n->level;
        uint64_t to = from + (UINT64_C(1) << n->level);
        c->first = from < c->first ? from : c->first;
        c->end = to > c->end ? to : c->end;
        if (err == 0 && from >= first && to <= end)
            err = take(self, from, n->level, &n->hash);
    }
    return err;
}

int gone_nodes_each(struct gone_nodes *g, uint64_t first, uint64_t end, gone_nodes_take *take,
                    void *self, struct diag *diag)
{
    int err = g->count != 0 && g->file == NULL ? open_file(g, diag) : 0;
    for (size_t i = 0; i < g->count && err == 0; i++) {
        struct certificate *c = &g->items[i];
        const struct deletion *d = NULL;
        if (c->known && (c->first >= end || c->end <= first))
            continue;
        err = deletions_read(g->file, c->number, &d, NULL, diag);
        if (err == 0)
            err = take_nodes(c, d, first, end, take, self);
    }
    return err == ERR_NOTFOUND || err == ERR_FORMAT ? ERR_CORRUPT : err;
}
