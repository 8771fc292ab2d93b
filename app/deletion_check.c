#include "app/deletion_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"

struct walk {
    struct deletion_check_report *report;
    struct leaf_gather *gather;
    const struct catalog *catalog;
    struct diag *diag;
    size_t removal;   /* of the catalog, the next one */
    uint64_t waiting; /* a certificate of which nothing came yet; 0: none */
    char where[FILE_PATH_BYTES_MAX];
};

static int differs(struct walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int differs(struct walk *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(w->diag, w->where, 0, 0, format, args);
    va_end(args);
    return ERR_CORRUPT;
}

/* The catalog names exactly the certificate's segments. */
static int check_segments(struct walk *w, const struct deletion *d)
{
    const struct catalog *c = w->catalog;
    for (size_t i = 0; i < d->segment_count; i++, w->removal++) {
        const struct catalog_removal *r = &c->removals[w->removal];
        if (w->removal == c->removal_count || r->certificate != d->number ||
            r->hour != d->segments[i].name.hour || r->generation != d->segments[i].name.generation)
            return differs(w, "certificate %" PRIu64 " names other segments than the catalog",
                           d->number);
    }
    if (w->removal < c->removal_count && c->removals[w->removal].certificate == d->number)
        return differs(w, "the catalog names more segments than certificate %" PRIu64, d->number);
    return 0;
}

static int take_rows(struct walk *w, const struct deletion *d)
{
    int err = 0;
    for (size_t i = 0; i < d->stretch_count && err == 0; i++) {
        const struct deletion_stretch *s = &d->stretches[i];
        err = leaf_gather_remove(w->gather, s->first, s->last);
        w->report->rows += s->last - s->first + 1;
    }
    if (err == ERR_CORRUPT) {
        return differs(
            w, "certificate %" PRIu64 " is about rows that cannot be or were deleted before",
            d->number);
    }
    for (size_t i = 0; i < d->node_count && err == 0; i++)
        err = leaf_gather_stand_in(w->gather, d->nodes[i].level, d->nodes[i].index,
                                   &d->nodes[i].hash);
    return err == ERR_CORRUPT
               ? differs(w, "certificate %" PRIu64 " has nodes over rows that it does not name",
                         d->number)
               : err;
}

static int check_one(struct walk *w, const struct deletion *d)
{
    const struct catalog *c = w->catalog;
    bool counts = w->removal < c->removal_count && c->removals[w->removal].certificate == d->number;
    uint64_t waiting = w->waiting;
    w->waiting = 0;
    if (d->withdraws != 0 && d->withdraws != waiting)
        return differs(w, "certificate %" PRIu64 " withdraws one of which something came",
                       d->number);
    if (waiting != 0 && d->withdraws == 0 && d->number <= catalog_certificate(c))
        return differs(w, "of certificate %" PRIu64 " nothing came, and nothing withdraws it",
                       waiting);
    w->report->certificates++;
    if (!counts) {
        w->waiting = d->withdraws == 0 ? d->number : 0;
        return 0;
    }
    int err = check_segments(w, d);
    return err == 0 ? take_rows(w, d) : err;
}

static int walk_all(struct walk *w, struct deletions *f)
{
    struct sha256 before = {0};
    int err = 0;
    for (uint64_t number = 1; number <= deletions_count(f) && err == 0; number++) {
        const struct deletion *d = NULL;
        struct sha256 hash;
        err = deletions_read(f, number, &d, &hash, w->diag);
        if (err == 0 && !sha256_equal(&d->previous, &before))
            err = differs(w, "certificate %" PRIu64 " does not follow the one before it", number);
        if (err == 0)
            err = check_one(w, d);
        before = hash;
    }
    if (err == 0 && w->removal != w->catalog->removal_count) {
        err = differs(
            w, "the catalog says that certificate %" PRIu64 " deleted segments, and there is none",
            w->catalog->removals[w->removal].certificate);
    }
    return err;
}

int deletion_check(struct deletion_check_report *out, struct leaf_gather *g, const char *dir,
                   const struct catalog *catalog, struct diag *diag)
{
    struct note_key key;
    struct deletions *f = NULL;
    struct walk w = {.report = out, .gather = g, .catalog = catalog, .diag = diag};
    struct deletions_options options = {
        .dir = dir, .store_id = catalog->store_id, .tenant = catalog->tenant, .key = &key};
    (void)snprintf(w.where, sizeof(w.where), "%.3900s/deletions/%06" PRIu32, dir, catalog->tenant);
    struct file_info info;
    int err = file_stat(&info, w.where);
    if (err == ERR_NOTFOUND) {
        return catalog->removal_count == 0
                   ? 0
                   : differs(&w, "segments were deleted, and the certificates are missing");
    }
    if (err == 0)
        err = checkpoint_key_read(&key, dir, diag);
    if (err == ERR_NOTFOUND)
        return differs(&w, "the key that signed these is missing: checkpoint.pub");
    if (err == 0)
        err = deletions_open(&f, &options, diag);
    if (err == 0)
        err = walk_all(&w, f);
    deletions_close(f);
    return err == ERR_FORMAT ? ERR_CORRUPT : err;
}
