#include "app/rebuild_needs.h"

#include <stdlib.h>

#include "app/prefecture.h"
#include "base/err.h"
#include "store/store.h"

struct needs {
    const char *dir;
    const uint32_t *tenants;
    bool *has; /* of each: a usable snapshot */
    size_t count;
    struct log_reader *reader;
    struct buf state;
    uint64_t lowest;
};

/* A tenant's place in the list; count: it is not there. */
static size_t place_of(const struct needs *n, uint32_t tenant)
{
    size_t i = 0;
    while (i < n->count && n->tenants[i] != tenant)
        i++;
    return i;
}

/* The state is whole, and its frame stands in the log behind the frame that it names. */
static int read_snapshot(bool *usable, struct needs *n, const struct snapshot_file *file,
                         struct snapshot_place *place)
{
    struct frame_view frame;
    int err = snapshot_read(&n->state, place, n->dir, file);
    if (err == 0)
        err = log_reader_seek(n->reader, &place->at, NULL);
    if (err == 0)
        err = ledger_read(&frame, n->reader, NULL);
    *usable = err == 0;
    return err == ERR_IO || err == ERR_NOMEM ? err : 0;
}

static int take_snapshot(struct needs *n, const struct snapshot_file *file)
{
    struct snapshot_place place;
    size_t i = place_of(n, file->tenant);
    bool usable = false;
    /* Of municipalities that are gone a restart reads them, too; of the prefecture only where it runs. */
    if (file->tenant == PREFECTURE_CODE && i == n->count)
        return 0;
    int err = read_snapshot(&usable, n, file, &place);
    if (err != 0 || !usable)
        return err;
    if (i < n->count)
        n->has[i] = true;
    if (place.at.next_seq < n->lowest)
        n->lowest = place.at.next_seq;
    return 0;
}

static int take_all(struct needs *n)
{
    const struct log_reader_options options = {.dir = n->dir, .from_newest = true};
    struct snapshot_file *files = NULL;
    size_t count = 0;
    int err = log_reader_open(&n->reader, &options, NULL);
    if (err == 0)
        err = snapshot_list(&files, &count, n->dir);
    for (size_t i = 0; i < count && err == 0; i++)
        err = take_snapshot(n, &files[i]);
    free(files);
    log_reader_close(n->reader);
    return err;
}

int rebuild_needs_seq(uint64_t *out, const char *dir, const uint32_t *tenants, size_t count)
{
    struct needs n = {.dir = dir, .tenants = tenants, .count = count, .lowest = UINT64_MAX};
    n.has = calloc(count + 1, sizeof(*n.has));
    if (n.has == NULL)
        return ERR_NOMEM;
    int err = take_all(&n);
    for (size_t i = 0; i < count; i++)
        n.lowest = n.has[i] ? n.lowest : 1;
    if (err == 0)
        *out = count == 0 || n.lowest == UINT64_MAX ? 1 : n.lowest;
    free(n.has);
    buf_release(&n.state);
    return err;
}
