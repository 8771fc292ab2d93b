#include "app/sheet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/sheet_state.h"
#include "base/err.h"
#include "base/file.h"

void sheet_close(struct sheet *s)
{
    hour_sums_release(&s->rows);
    free(s->sources);
    free(s->events);
    free(s->findings);
    arena_release(&s->arena);
    *s = (struct sheet){0};
}

/* The totals must have all frames and rows that the catalog counts. */
static int check_counted(struct sheet_reading *r, const struct catalog *c)
{
    int err = 0;
    if (r->at->counted_seq < c->through_seq) {
        const struct sheet_finding frames = {.kind = SHEET_FRAMES,
                                             .tenant = r->at->tenant,
                                             .from = r->at->counted_seq + 1,
                                             .to = c->through_seq + 1};
        err = sheet_find(r, &frames);
        r->at->counted_seq = c->through_seq;
    }
    const struct sheet_finding rows = {
        .kind = SHEET_ROWS, .tenant = r->at->tenant, .from = r->at->rows, .to = c->tree.size};
    return err == 0 && rows.from != rows.to ? sheet_find(r, &rows) : err;
}

static int read_totals(struct sheet_reading *r, const char *folder, const struct catalog *c)
{
    struct totals_head head = {0};
    r->at = sheet_tenant(r, c->tenant, c->through_seq);
    if (r->at == NULL)
        return ERR_NOMEM;
    int err = totals_file_read(&head, folder, c->through_seq, sheet_take, r, r->diag);
    if (err == ERR_CORRUPT || err == ERR_FORMAT) {
        r->sheet->damage++;
        r->at->counted_seq = c->through_seq;
        return 0;
    }
    if (err == 0 && (head.tenant != c->tenant || memcmp(head.store_id, c->store_id, 16) != 0)) {
        diag_add(r->diag, folder, 0, 0,
                 "the control totals are those of another store or municipality");
        r->sheet->damage++;
    }
    return err == 0 || err == ERR_NOTFOUND ? check_counted(r, c) : err;
}

/* must: a compaction has said that the folder is there. */
static int read_tenant(struct sheet_reading *r, uint32_t tenant, bool must)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    int err = catalog_folder(folder, sizeof(folder), r->wish->dir, tenant);
    if (err == 0)
        err = catalog_read(&c, folder, r->diag);
    if (err == ERR_NOTFOUND && !must)
        return 0;
    if (err == ERR_NOTFOUND)
        diag_add(r->diag, folder, 0, 0,
                 "the folder or its catalog is missing; restore it from a copy");
    if (err == ERR_NOTFOUND || err == ERR_CORRUPT || err == ERR_FORMAT) {
        r->sheet->damage++;
        return 0;
    }
    if (err == 0)
        err = read_totals(r, folder, &c);
    catalog_release(&c);
    return err;
}

/* Municipalities that have a folder, and those that should. */
static int read_tenants(struct sheet_reading *r, const struct compacted *done, struct arena *arena)
{
    const struct sheet_wish *wish = r->wish;
    struct catalog_tenants there;
    int err = catalog_list_tenants(&there, arena, wish->dir);
    for (size_t i = 0; i < there.count && err == 0; i++) {
        uint32_t tenant = there.codes[i];
        if (!compacted_has(done, tenant) && (!wish->has_tenant || wish->tenant == tenant))
            err = read_tenant(r, tenant, false);
    }
    for (size_t i = 0; i < done->tenant_count && err == 0; i++) {
        if (!wish->has_tenant || wish->tenant == done->tenants[i])
            err = read_tenant(r, done->tenants[i], true);
    }
    return err;
}

/* The newest checkpoint with a record of totals. */
struct newest {
    struct sheet_signed *out;
    struct sha256 hash;
};

static int see_checkpoint(void *self, const struct checkpoint *c, struct slice text)
{
    struct newest *n = self;
    (void)text;
    for (uint32_t i = 0; i < c->record_count; i++) {
        uint64_t through_seq = 0;
        if (!totals_signed_name(&through_seq, c->records[i].name))
            continue;
        *n->out = (struct sheet_signed){
            .number = c->number, .time_ns = c->time_ns, .through_seq = through_seq};
        n->hash = c->records[i].hash;
    }
    return 0;
}

/* What is wrong with checkpoints themselves is for `verify` to say. */
static int read_signature(struct sheet_reading *r)
{
    struct sheet_signed *s = &r->sheet->signature;
    struct newest newest = {.out = s};
    struct checkpoint_summary summary = {0};
    struct totals_signed now = {0};
    const struct checkpoint_check check = {.visit = see_checkpoint, .self = &newest};
    int err = checkpoint_file_check(&summary, r->wish->dir, &check, r->diag);
    s->checked = s->number != 0 && !r->wish->has_tenant;
    if (err == 0 && s->checked)
        err = totals_hash(&now, r->wish->dir, s->through_seq, r->diag);
    s->same = err == 0 && s->checked && sha256_equal(&now.hash, &newest.hash);
    if (err == ERR_CORRUPT || err == ERR_FORMAT) {
        r->sheet->damage++;
        return 0;
    }
    return err;
}

static int place_order(const struct sheet_event *a, const struct sheet_event *b)
{
    if (a->tenant != b->tenant)
        return a->tenant < b->tenant ? -1 : 1;
    int order = slice_compare(a->topic, b->topic);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static int event_order(const void *left, const void *right)
{
    const struct sheet_event *a = left;
    const struct sheet_event *b = right;
    int order = place_order(a, b);
    return order != 0 ? order
                      : (a->event.start > b->event.start) - (a->event.start < b->event.start);
}

/* In the order of offsets; what runs of a compaction have cut in two is one again. */
static void settle_events(struct sheet *s)
{
    size_t kept = 0;
    if (s->event_count != 0)
        qsort(s->events, s->event_count, sizeof(*s->events), event_order);
    for (size_t i = 0; i < s->event_count; i++) {
        struct sheet_event *last = kept == 0 ? NULL : &s->events[kept - 1];
        const struct totals_event *e = &s->events[i].event;
        if (last != NULL && place_order(last, &s->events[i]) == 0 && last->event.kind == e->kind &&
            last->event.end == e->start && slice_equal(last->event.reason, e->reason) &&
            totals_hour_of(last->event.tick_ns) == totals_hour_of(e->tick_ns))
            last->event.end = e->end;
        else
            s->events[kept++] = s->events[i];
    }
    s->event_count = kept;
}

static int finding_order(const void *left, const void *right)
{
    const struct sheet_finding *a = left;
    const struct sheet_finding *b = right;
    const struct sheet_event x = {
        .tenant = a->tenant, .topic = a->topic, .partition = a->partition};
    const struct sheet_event y = {
        .tenant = b->tenant, .topic = b->topic, .partition = b->partition};
    int order = place_order(&x, &y);
    if (order == 0)
        order = (a->kind > b->kind) - (a->kind < b->kind);
    return order != 0 ? order : (a->from > b->from) - (a->from < b->from);
}

static void settle_findings(struct sheet *s)
{
    size_t kept = 0;
    if (s->finding_count != 0)
        qsort(s->findings, s->finding_count, sizeof(*s->findings), finding_order);
    for (size_t i = 0; i < s->finding_count; i++) {
        struct sheet_finding *last = kept == 0 ? NULL : &s->findings[kept - 1];
        const struct sheet_finding *f = &s->findings[i];
        if (last != NULL && f->kind == SHEET_MISSING && last->kind == f->kind &&
            last->to == f->from && last->tenant == f->tenant &&
            slice_equal(last->topic, f->topic) && last->partition == f->partition)
            last->to = f->to;
        else
            s->findings[kept++] = *f;
    }
    s->finding_count = kept;
}

static int read_all(struct sheet_reading *r, struct arena *arena)
{
    struct compacted done = {0};
    int err = compacted_read(&done, r->wish->dir, arena, r->diag);
    if (err == ERR_CORRUPT)
        r->sheet->damage++;
    if (err == ERR_CORRUPT || err == ERR_NOTFOUND)
        err = 0;
    r->sheet->compacted_seq = done.through_seq;
    if (err == 0)
        err = read_tenants(r, &done, arena);
    if (err == 0)
        err = sheet_count_log(r);
    if (err == 0)
        err = read_signature(r);
    hour_sums_settle(&r->sheet->rows);
    settle_events(r->sheet);
    settle_findings(r->sheet);
    return err;
}

int sheet_read(struct sheet *out, const struct sheet_wish *wish, struct diag *diag)
{
    struct sheet s = {0};
    struct arena arena = {0};
    struct log_hold hold = {0};
    struct sheet_reading r = {.sheet = &s, .wish = wish, .diag = diag};
    /* Held before the catalogs are read: else files could go that these do not cover yet. */
    int err = log_hold_take_store(&hold, wish->dir);
    if (err == 0)
        err = read_all(&r, &arena);
    log_hold_drop(&hold);
    for (size_t i = 0; i < r.tenant_count; i++)
        free(r.tenants[i].ends);
    free(r.tenants);
    arena_release(&arena);
    if (err == 0)
        *out = s;
    else
        sheet_close(&s);
    return err;
}
