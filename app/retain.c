#include "app/retain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/keyring_option.h"
#include "app/retain_segment.h"
#include "base/err.h"
#include "base/fault.h"

enum {
    SEQ_DIGITS = 16,
    SET_SEGMENTS = 32, /* of a certificate */
    TRIES = 3,         /* when a hold comes in between */
};

static_assert((int)SET_SEGMENTS <= (int)DELETION_SEGMENTS_MAX, "a set has one certificate");

/* A segment of which something goes. */
struct going {
    struct segment *segment;
    struct segment_info info;
    struct retain_scope scope;
    struct segment_info rest; /* the next generation; row_count 0: nothing stays */
};

struct tenant_run {
    const struct retain_options *o;
    struct diag *diag;
    const struct note_signer *signer; /* NULL: dry run */
    const struct keyring *keys;
    uint64_t log_begin;
    int64_t now_ns;
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog catalog;
    int64_t *hours;
    struct retention_keeps keeps;
    struct holds holds;
    struct deletions *deletions;
    struct going set[SET_SEGMENTS];
    size_t set_count;
    struct retain_tenant *out;
    uint64_t certificates;
    uint64_t freed_bytes;
};

int retain_log_begin(uint64_t *out, const char *dir)
{
    char path[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    struct dir_names names = {0};
    uint64_t begin = UINT64_MAX;
    int len = snprintf(path, sizeof(path), "%s/log", dir);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : dir_list(&names, &arena, path);
    for (size_t i = 0; i < names.count && begin == UINT64_MAX; i++) {
        char *end = NULL;
        uint64_t seq = strtoull(names.names[i], &end, 16);
        if (end == names.names[i] + SEQ_DIGITS && strcmp(end, ".log") == 0)
            begin = seq;
    }
    arena_release(&arena);
    if (err == 0)
        *out = begin;
    return err;
}

static void set_close(struct tenant_run *t)
{
    for (size_t i = 0; i < t->set_count; i++)
        segment_close(t->set[i].segment);
    t->set_count = 0;
}

/* Whether a class of a segment is held: by the times of arrival and of events, whichever reach further. */
static const struct hold *find_hold(const struct tenant_run *t, const struct segment_info *s,
                                    enum retention_class class_id)
{
    struct hold_question q = {
        .tenant = t->catalog.tenant,
        .class_name = slice_from(retention_class_name(class_id)),
        .from_ns = s->time_min_ns < s->arrival_min_ns ? s->time_min_ns : s->arrival_min_ns,
        .to_ns = s->time_max_ns > s->arrival_max_ns ? s->time_max_ns : s->arrival_max_ns};
    return holds_find(&t->holds, &q);
}

static void count(struct retain_count *c, const struct segment_info *s, uint64_t rows,
                  uint64_t raw_bytes)
{
    if (c->segments == 0 || s->name.hour < c->first_hour)
        c->first_hour = s->name.hour;
    if (c->segments == 0 || s->name.hour > c->last_hour)
        c->last_hour = s->name.hour;
    c->segments++;
    c->rows += rows;
    c->raw_bytes += raw_bytes;
}

/* Rows and bytes of a class in an open segment. */
static void count_class(struct retain_count *c, const struct segment *s,
                        enum retention_class class_id)
{
    uint64_t rows = 0;
    uint64_t raw_bytes = 0;
    for (size_t i = 0; i < segment_rowgroup_count(s); i++) {
        const struct rowgroup_head *h = segment_rowgroup(s, i);
        if (retention_class_of(h->format) != class_id)
            continue;
        rows += h->row_count;
        for (uint32_t b = 0; b < h->block_count; b++)
            raw_bytes += h->blocks[b].raw_bytes;
    }
    count(c, segment_info(s), rows, raw_bytes);
}

/* Which of the segment's classes go; false: none. */
static bool choose(struct tenant_run *t, struct going *g, int64_t hour)
{
    bool has[RETENTION_CLASSES];
    bool any = false;
    retain_classes(has, g->segment);
    for (unsigned i = 0; i < RETENTION_CLASSES; i++) {
        int64_t due = retention_due_ns(hour, t->o->time->since_ns, t->keeps.ns[i]);
        g->scope.goes[i] = false;
        if (!has[i])
            continue;
        if (due > t->now_ns) {
            t->out->next_due_ns = due < t->out->next_due_ns ? due : t->out->next_due_ns;
            continue;
        }
        const struct hold *hold = find_hold(t, &g->info, (enum retention_class)i);
        if (hold != NULL) {
            count_class(&t->out->held[i], g->segment, (enum retention_class)i);
            t->out->hold = t->out->hold == 0 ? hold->number : t->out->hold;
            continue;
        }
        g->scope.goes[i] = true;
        any = true;
    }
    return any;
}

/* A segment that is what the catalog says of it. */
static int open_segment(struct tenant_run *t, struct going *g)
{
    char path[FILE_PATH_BYTES_MAX];
    int err = segment_path(path, sizeof(path), t->folder, &g->info.name);
    if (err == 0)
        err = segment_open(&g->segment, path, t->keys, t->diag);
    if (err == 0 && !sha256_equal(&segment_info(g->segment)->hash, &g->info.hash)) {
        diag_add(t->diag, path, 0, 0,
                 "the segment is not the one that the catalog names: it is left alone");
        segment_close(g->segment);
        g->segment = NULL;
        err = ERR_CORRUPT;
    }
    return err == ERR_NOTFOUND || err == ERR_FORMAT ? ERR_CORRUPT : err;
}

static int file_hash(struct sha256 *out, const struct segment *s)
{
    struct file *file = NULL;
    struct slice map = {0};
    int err = file_open(&file, segment_file(s), FILE_READ);
    if (err == 0)
        err = file_map(&map, file);
    if (err == 0)
        err = sha256_of(out, map);
    file_unmap(map);
    file_close(file);
    return err;
}

/* What the certificate of the set says. */
static int describe(struct tenant_run *t, struct deletion *d, struct arena *arena)
{
    struct retain_list list = {0};
    d->segments = arena_array(arena, t->set_count, sizeof(*d->segments));
    d->segment_count = t->set_count;
    int err = d->segments == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < t->set_count && err == 0; i++) {
        const struct going *g = &t->set[i];
        err = retain_look(&list, &d->segments[i], arena, g->segment, &g->scope, t->diag);
        if (err == 0)
            err = file_hash(&d->segments[i].file_hash, g->segment);
    }
    if (err == 0)
        err = retain_join(&list);
    for (size_t i = 0; i < t->set_count && err == 0; i++)
        err = retain_hash(&list, t->set[i].segment, &t->set[i].scope, t->diag);
    if (err == 0)
        err = retain_nodes(&list, d, arena);
    retain_list_release(&list);
    return err;
}

static int rewrite_mixed(struct tenant_run *t, const struct deletion *d)
{
    int err = 0;
    const struct retain_place place = {.folder = t->folder, .keys = t->keys};
    for (size_t i = 0; i < t->set_count && err == 0; i++) {
        struct going *g = &t->set[i];
        g->rest = (struct segment_info){0};
        if (d->segments[i].rest_rows != 0)
            err = retain_rewrite(&g->rest, g->segment, &g->scope, &place, t->diag);
        failpoint("retain.rewritten");
    }
    return err;
}

/* Whether somebody holds something of the set now; the holds are read anew. */
static int look_at_holds(struct tenant_run *t)
{
    struct holds now = {0};
    int err = holds_read(&now, t->o->dir, t->diag);
    if (err != 0)
        return err;
    holds_release(&t->holds);
    t->holds = now;
    for (size_t i = 0; i < t->set_count; i++) {
        for (unsigned c = 0; c < RETENTION_CLASSES; c++) {
            if (t->set[i].scope.goes[c] &&
                find_hold(t, &t->set[i].info, (enum retention_class)c) != NULL)
                return ERR_BUSY;
        }
    }
    return 0;
}

/* Let the catalog say that the certificate counts. */
static int count_certificate(struct tenant_run *t, const struct deletion *d,
                             const struct segment_info *added, size_t added_count)
{
    struct catalog_removal *removed = calloc(d->segment_count + 1, sizeof(*removed));
    if (removed == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < d->segment_count; i++) {
        removed[i] = (struct catalog_removal){.hour = d->segments[i].name.hour,
                                              .generation = d->segments[i].name.generation,
                                              .certificate = d->number};
    }
    const struct tree tree = t->catalog.tree;
    const struct catalog_change change = {.through_seq = t->catalog.through_seq,
                                          .tree = &tree,
                                          .added = added,
                                          .added_count = added_count,
                                          .removed = removed,
                                          .removed_count = d->segment_count};
    int err = catalog_append(&t->catalog, t->folder, &change);
    free(removed);
    failpoint("retain.counted");
    return err;
}

/* Certificate and record, while nobody can add a hold. ERR_BUSY: one was added before. */
static int commit_set(struct tenant_run *t, struct deletion *d)
{
    struct file *lock = NULL;
    struct segment_info added[SET_SEGMENTS];
    size_t added_count = 0;
    for (size_t i = 0; i < t->set_count; i++) {
        if (t->set[i].rest.row_count != 0)
            added[added_count++] = t->set[i].rest;
    }
    int err = holds_lock(&lock, t->o->dir, HOLD_LOCK_WAIT_NS);
    if (err == ERR_BUSY) {
        diag_add(t->diag, t->o->dir, 0, 0, "the lock of the holds is kept by another process");
        return ERR_AGAIN;
    }
    if (err == 0)
        err = look_at_holds(t);
    failpoint("retain.locked");
    if (err == 0)
        err = deletions_append(t->deletions, d, t->diag);
    failpoint("retain.certified");
    if (err == 0)
        err = count_certificate(t, d, added, added_count);
    file_close(lock);
    return err;
}

/* The files of what went, and of what was replaced. */
static int sweep(struct tenant_run *t)
{
    struct segment_sweep swept;
    int err = segment_sweep(&swept, t->o->dir, &t->catalog);
    t->out->segments_left += swept.left;
    return err;
}

static void count_set(struct tenant_run *t, const struct deletion *d)
{
    for (size_t i = 0; i < t->set_count; i++) {
        const struct going *g = &t->set[i];
        const struct deletion_segment *s = &d->segments[i];
        for (size_t c = 0; c < s->class_count; c++)
            count(&t->out->gone[retention_class_find(s->classes[c].name)], &g->info,
                  s->classes[c].rows, s->classes[c].raw_bytes);
        t->freed_bytes += g->info.bytes - g->rest.bytes;
    }
}

/* What would go. */
static void foresee_set(struct tenant_run *t)
{
    for (size_t i = 0; i < t->set_count; i++) {
        for (unsigned c = 0; c < RETENTION_CLASSES; c++) {
            if (t->set[i].scope.goes[c])
                count_class(&t->out->gone[c], t->set[i].segment, (enum retention_class)c);
        }
    }
    set_close(t);
}

/* What is in the set goes. ERR_BUSY: a hold came in between, plan anew. */
static int delete_set(struct tenant_run *t)
{
    struct deletion d = {.time_ns = t->now_ns, .clock_ns = t->o->system_ns};
    struct arena arena = {0};
    if (t->set_count == 0)
        return 0;
    if (t->o->dry_run) {
        foresee_set(t);
        return 0;
    }
    int err = describe(t, &d, &arena);
    if (err == 0)
        err = rewrite_mixed(t, &d);
    if (err == 0)
        err = commit_set(t, &d);
    if (err == 0) {
        count_set(t, &d);
        t->out->certificate = d.number;
        t->certificates++;
    }
    set_close(t);
    arena_release(&arena);
    return err;
}

static bool stopped(const struct tenant_run *t)
{
    return t->o->stop != NULL && atomic_load(t->o->stop);
}

/* A segment whose hour may be due: into the set, or why it stays. */
static int take_candidate(struct tenant_run *t, const struct segment_info *s, int64_t hour)
{
    struct going *g = &t->set[t->set_count];
    if (s->leaf_max >= catalog_rows_before(&t->catalog, t->log_begin)) {
        t->out->segments_in_log++;
        return 0;
    }
    *g = (struct going){.info = *s, .scope = {.keeps = t->keeps}};
    int err = open_segment(t, g);
    if (err == ERR_CORRUPT || err == ERR_SEALED) { /* it is named */
        t->out->segments_damaged += err == ERR_CORRUPT;
        t->out->segments_locked += err == ERR_SEALED;
        return 0;
    }
    if (err != 0)
        return err;
    if (choose(t, g, hour))
        t->set_count++;
    else
        segment_close(g->segment);
    return 0;
}

/* One pass over the catalog as it is; it changes when a set goes. */
static int plan(struct tenant_run *t)
{
    struct catalog *c = &t->catalog;
    const size_t total = c->segment_count;
    struct segment_info *all = calloc(total + 1, sizeof(*all));
    free(t->hours);
    t->hours = calloc(total + 1, sizeof(*t->hours));
    int err = all == NULL || t->hours == NULL ? ERR_NOMEM : retention_hours(t->hours, c, t->now_ns);
    if (err == 0 && total != 0)
        memcpy(all, c->segments, total * sizeof(*all));
    t->out->next_due_ns = INT64_MAX;
    for (size_t i = 0; i < total && err == 0; i++) {
        int64_t due =
            retention_due_ns(t->hours[i], t->o->time->since_ns, retention_least(&t->keeps));
        if (due > t->now_ns) {
            t->out->next_due_ns = due < t->out->next_due_ns ? due : t->out->next_due_ns;
            continue;
        }
        err = stopped(t) ? ERR_AGAIN : take_candidate(t, &all[i], t->hours[i]);
        if (err == 0 && t->set_count == SET_SEGMENTS)
            err = delete_set(t);
    }
    free(all);
    return err == 0 ? delete_set(t) : err;
}

/* Whether everything that the certificate says can still be done, and should. */
static bool still_right(struct tenant_run *t, const struct deletion *d)
{
    for (size_t i = 0; i < d->segment_count; i++) {
        const struct deletion_segment *s = &d->segments[i];
        const struct segment_info *live = catalog_find(&t->catalog, s->name.hour);
        if (live == NULL || live->name.generation != s->name.generation ||
            !sha256_equal(&live->hash, &s->hash) || s->rest_rows != 0)
            return false;
        for (size_t c = 0; c < s->class_count; c++) {
            enum retention_class id = retention_class_find(s->classes[c].name);
            if (id == RETENTION_CLASSES || find_hold(t, live, id) != NULL ||
                t->keeps.ns[id] / CLOCK_NS_PER_SECOND > (int64_t)s->classes[c].keep_s)
                return false;
        }
    }
    return d->time_ns <= t->now_ns;
}

static void count_completed(struct tenant_run *t, const struct deletion *d)
{
    for (size_t i = 0; i < d->segment_count; i++) {
        const struct deletion_segment *s = &d->segments[i];
        const struct segment_info info = {.name = s->name};
        for (size_t c = 0; c < s->class_count; c++)
            count(&t->out->gone[retention_class_find(s->classes[c].name)], &info,
                  s->classes[c].rows, s->classes[c].raw_bytes);
        t->freed_bytes += s->bytes;
    }
    t->out->certificate = d->number;
    t->out->completed = true;
    t->certificates++;
}

/* A certificate that no catalog knows: complete it or take it back. The lock is held. */
static int settle(struct tenant_run *t, const struct deletion *d)
{
    if (still_right(t, d)) {
        int err = count_certificate(t, d, NULL, 0);
        if (err == 0)
            count_completed(t, d);
        return err;
    }
    struct deletion back = {
        .time_ns = t->now_ns, .clock_ns = t->o->system_ns, .withdraws = d->number};
    t->out->withdrawn = d->number;
    return deletions_append(t->deletions, &back, t->diag);
}

static int resume(struct tenant_run *t)
{
    const struct deletion *last = NULL;
    struct file *lock = NULL;
    uint64_t number = deletions_count(t->deletions);
    if (number < catalog_certificate(&t->catalog)) {
        diag_add(t->diag, t->folder, 0, 0,
                 "certificate %" PRIu64
                 " is missing in deletions/: restore it from a copy; nothing is deleted until then",
                 catalog_certificate(&t->catalog));
        return ERR_CORRUPT;
    }
    if (number == catalog_certificate(&t->catalog) || t->o->dry_run)
        return 0;
    int err = deletions_read(t->deletions, number, &last, NULL, t->diag);
    if (err != 0 || last->withdraws != 0)
        return err;
    err = holds_lock(&lock, t->o->dir, HOLD_LOCK_WAIT_NS);
    if (err == 0)
        err = look_at_holds(t);
    if (err == 0)
        err = settle(t, last);
    file_close(lock);
    return err == ERR_BUSY ? ERR_AGAIN : err;
}

static int run_tenant(struct tenant_run *t)
{
    const struct retain_options *o = t->o;
    const struct deletions_options options = {.dir = o->dir,
                                              .store_id = o->store_id,
                                              .tenant = t->catalog.tenant,
                                              .key = t->signer == NULL ? NULL : &t->signer->key,
                                              .signer = t->signer};
    retention_keeps(&t->keeps, o->config, t->catalog.tenant);
    int err = holds_read(&t->holds, o->dir, t->diag);
    if (err == 0)
        err = deletions_open(&t->deletions, &options, t->diag);
    if (err == 0)
        err = resume(t);
    int tries = 0;
    if (err == 0)
        err = plan(t);
    while (err == ERR_BUSY && ++tries < TRIES) {
        set_close(t);
        err = plan(t);
    }
    if (err == 0 && !o->dry_run)
        err = sweep(t);
    for (size_t i = 0; i < t->catalog.segment_count; i++)
        t->out->bytes += t->catalog.segments[i].bytes;
    return err == ERR_BUSY ? ERR_AGAIN : err;
}

static void tenant_release(struct tenant_run *t)
{
    set_close(t);
    catalog_release(&t->catalog);
    holds_release(&t->holds);
    deletions_close(t->deletions);
    free(t->hours);
    free(t);
}

static void add_report(struct retain_report *r, const struct tenant_run *t)
{
    const struct retain_tenant *out = t->out;
    r->tenants++;
    for (unsigned i = 0; i < RETENTION_CLASSES; i++) {
        r->segments += out->gone[i].segments;
        r->rows += out->gone[i].rows;
        r->raw_bytes += out->gone[i].raw_bytes;
        r->held += out->held[i].segments;
    }
    r->waiting += out->segments_in_log + out->segments_damaged + out->segments_locked;
    r->locked += out->segments_locked;
    r->stored_bytes += out->bytes;
    r->certificates += t->certificates;
    r->freed_bytes += t->freed_bytes;
    r->next_due_ns = out->next_due_ns < r->next_due_ns ? out->next_due_ns : r->next_due_ns;
}

/* What all municipalities of a run share. */
struct retain_walk {
    const struct retain_options *o;
    struct retain_report *report;
    struct note_signer signer;
    bool has_signer;
    struct keyring *keys;
    uint64_t log_begin;
    struct diag *diag;
};

static int retain_one(struct retain_walk *r, uint32_t tenant)
{
    struct retain_tenant out = {.tenant = tenant, .next_due_ns = INT64_MAX};
    struct tenant_run *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    t->o = r->o;
    t->diag = r->diag;
    t->signer = r->has_signer ? &r->signer : NULL;
    t->keys = r->keys;
    t->log_begin = r->log_begin;
    t->now_ns = trusted_time_now(r->o->time, r->o->system_ns);
    t->out = &out;
    int err = catalog_folder(t->folder, sizeof(t->folder), r->o->dir, tenant);
    if (err == 0)
        err = catalog_read(&t->catalog, t->folder, r->diag);
    if (err == 0 && memcmp(t->catalog.store_id, r->o->store_id, STORE_ID_BYTES) != 0) {
        diag_add(r->diag, t->folder, 0, 0, "the catalog is that of another store");
        err = ERR_CORRUPT;
    }
    bool known = err != ERR_NOTFOUND;
    if (err == 0)
        err = run_tenant(t);
    if (known) {
        add_report(r->report, t);
        if (r->o->visit != NULL)
            r->o->visit(r->o->self, &out);
    }
    tenant_release(t);
    return known ? err : 0;
}

/* Every municipality; what is damaged is named, and the others go on. */
static int retain_all(struct retain_walk *r)
{
    struct arena arena = {0};
    struct catalog_tenants tenants;
    int damage = 0;
    int err = catalog_list_tenants(&tenants, &arena, r->o->dir);
    for (size_t i = 0; i < tenants.count && err == 0; i++) {
        err = retain_one(r, tenants.codes[i]);
        if (err == ERR_CORRUPT || err == ERR_FORMAT || err == ERR_SEALED) {
            damage = err;
            err = 0;
        }
        failpoint("retain.tenant");
    }
    arena_release(&arena);
    return err != 0 ? err : damage;
}

int retain_run(const struct retain_options *options, struct retain_report *out, struct diag *diag)
{
    struct retain_report report = {.next_due_ns = INT64_MAX};
    struct retain_walk r = {.o = options, .report = &report, .diag = diag};
    int err = retain_log_begin(&r.log_begin, options->dir);
    if (err == 0 && !options->dry_run) {
        err = checkpoint_signer_open(&r.signer, options->dir, options->store_id,
                                     config_path(options->config, "checkpoint.key"), diag);
        r.has_signer = err == 0;
    }
    if (err == 0)
        err = keyring_option(&r.keys, diag);
    if (err == 0)
        err = retain_all(&r);
    keyring_close(r.keys);
    if (r.has_signer)
        note_signer_wipe(&r.signer);
    *out = report;
    return err;
}
