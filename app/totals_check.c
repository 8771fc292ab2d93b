#include "app/totals_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/keyring_option.h"
#include "app/log_totals.h"
#include "app/sheet.h"
#include "app/sheet_text.h"
#include "base/file.h"
#include "ingest/ingest.h"

/* What the totals say of a partition over the life of the store. */
struct said {
    uint32_t tenant;
    struct slice topic;
    struct slice source;
    int32_t partition;
    uint32_t topic_id; /* the index of its topic's first partition */
    int64_t start;
    int64_t end;
    struct totals_sum sum;
};

struct tenant_said {
    uint32_t tenant;
    uint64_t through_seq;
    size_t first; /* its partitions */
    size_t count;
};

struct totals_checker {
    struct totals_check_report *report;
    const char *dir;
    struct diag *diag;
    struct arena arena;
    struct said *said;
    size_t said_count;
    size_t said_cap;
    struct tenant_said *tenants;
    size_t tenant_count;
    struct tenant_said *at;
    struct hour_sums want; /* of the municipality at hand: id is the place in `said` */
    struct hour_sums have;
    struct keyring *keys;
    struct rowgroup_reader *reader;
    struct batch *batch;
    bool locked; /* rows of the municipality at hand could not be counted */
    char path[FILE_PATH_BYTES_MAX];
    int64_t offsets[ROWGROUP_BLOCK_ROWS];
    int32_t partitions[ROWGROUP_BLOCK_ROWS];
};

static int differs(struct totals_checker *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int differs(struct totals_checker *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(c->diag, c->path, 0, 0, format, args);
    va_end(args);
    return ERR_CORRUPT;
}

static struct said *find_said(struct totals_checker *c, struct slice topic, int32_t partition)
{
    for (size_t i = 0; i < c->at->count; i++) {
        struct said *s = &c->said[c->at->first + i];
        if (s->partition == partition && slice_equal(s->topic, topic))
            return s;
    }
    return NULL;
}

static int add_said(struct totals_checker *c, const struct totals_partition *p, struct said **out)
{
    if (c->said_count == c->said_cap) {
        size_t cap = c->said_cap == 0 ? 64 : c->said_cap * 2;
        struct said *grown = reallocarray(c->said, cap, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        c->said = grown;
        c->said_cap = cap;
    }
    char *topic = arena_copy(&c->arena, p->topic);
    char *source = arena_copy(&c->arena, p->source);
    if (topic == NULL || source == NULL)
        return ERR_NOMEM;
    struct said *s = &c->said[c->said_count];
    *s = (struct said){.tenant = c->at->tenant,
                       .topic = slice_of(topic, p->topic.len),
                       .source = slice_of(source, p->source.len),
                       .partition = p->partition,
                       .topic_id = (uint32_t)c->said_count};
    for (size_t i = 0; i < c->at->count; i++) {
        const struct said *other = &c->said[c->at->first + i];
        if (slice_equal(other->topic, s->topic)) {
            s->topic_id = other->topic_id;
            break;
        }
    }
    c->said_count++;
    c->at->count++;
    *out = s;
    return 0;
}

/* Bytes are compared by topic: a block says how many it has, not of which partition. */
static int want_hour(struct totals_checker *c, const struct said *s, const struct totals_hour *h)
{
    const struct totals_sum counts = {.records = h->sum.records, .rows = h->sum.rows};
    const struct totals_sum bytes = {.bytes = h->sum.bytes};
    const struct hour_sum items[] = {
        {.id = (uint32_t)(s - c->said), .start_ns = h->hour, .sum = counts},
        {.id = s->topic_id, .start_ns = h->hour, .sum = bytes},
    };
    int err = 0;
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]) && err == 0; i++)
        err = h->sum.rows == 0 ? 0 : hour_sums_add(&c->want, &items[i]);
    return err;
}

static int take_said(void *self, const struct totals *t)
{
    struct totals_checker *c = self;
    int err = 0;
    for (size_t i = 0; i < t->partition_count && err == 0; i++) {
        const struct totals_partition *p = &t->partitions[i];
        struct said *s = find_said(c, p->topic, p->partition);
        if (s == NULL)
            err = add_said(c, p, &s);
        if (err == 0 && p->start != p->end) {
            s->start = s->end == 0 ? p->start : s->start;
            s->end = p->end;
        }
        for (size_t k = 0; k < p->hour_count && err == 0; k++) {
            totals_add(&s->sum, &p->hours[k].sum);
            err = want_hour(c, s, &p->hours[k]);
        }
    }
    return err;
}

/* Rows from `first` on that are of one partition and hour; *next: the row behind them. */
static int have_run(struct totals_checker *c, const struct rowgroup_head *head, uint32_t first,
                    uint32_t *next)
{
    const struct batch *b = c->batch;
    const struct said *s = find_said(c, head->topic, c->partitions[first]);
    if (s == NULL)
        return differs(c, "partition %" PRId32 " has rows, and the control totals do not know it",
                       c->partitions[first]);
    struct hour_sum item = {.id = (uint32_t)(s - c->said),
                            .start_ns = totals_hour_of(b->arrival_ns[first])};
    uint32_t row = first;
    for (; row < b->row_count && c->partitions[row] == c->partitions[first] &&
           totals_hour_of(b->arrival_ns[row]) == item.start_ns;
         row++) {
        item.sum.records += b->sub[row] == 0;
        item.sum.rows++;
    }
    c->report->records += item.sum.records;
    c->report->rows += item.sum.rows;
    *next = row;
    return hour_sums_add(&c->have, &item);
}

/* Records and rows of a block, by partition and hour. */
static int have_rows(struct totals_checker *c, const struct rowgroup_head *head)
{
    int err = 0;
    batch_places(c->batch, c->offsets, c->partitions);
    for (uint32_t row = 0; row < c->batch->row_count && err == 0;)
        err = have_run(c, head, row, &row);
    return err;
}

static int have_block(struct totals_checker *c, const struct rowgroup_head *head, uint32_t block,
                      int64_t hour)
{
    const struct column_mask none = {.parts = PART_ARRIVALS | PART_PLACES};
    int err = rowgroup_rows(c->reader, block, &none, c->batch);
    if (err == ERR_CORRUPT)
        return differs(c, "block %" PRIu32 " is damaged", block);
    if (err == 0)
        err = have_rows(c, head);
    if (err != 0 || c->batch->row_count == 0)
        return err;
    const struct said *s = find_said(c, head->topic, c->partitions[0]);
    const struct hour_sum bytes = {.id = s == NULL ? 0 : s->topic_id,
                                   .start_ns = hour,
                                   .sum = {.bytes = head->blocks[block].raw_bytes}};
    return hour_sums_add(&c->have, &bytes);
}

static int have_segment(struct totals_checker *c, const char *folder,
                        const struct segment_info *info)
{
    struct segment *s = NULL;
    struct diag said = {0};
    int err = segment_path(c->path, sizeof(c->path), folder, &info->name);
    if (err == 0)
        err = segment_open(&s, c->path, c->keys, &said);
    if (err != ERR_SEALED)
        diag_add_all(c->diag, &said);
    diag_release(&said);
    if (err == ERR_SEALED) { /* app/segment_check.h names it */
        c->locked = true;
        return 0;
    }
    for (size_t g = 0; err == 0 && g < segment_rowgroup_count(s); g++) {
        const struct rowgroup_head *head = segment_rowgroup(s, g);
        err = rowgroup_open(c->reader, head, c->batch);
        for (uint32_t block = 0; err == 0 && block < head->block_count; block++)
            err = have_block(c, head, block, info->name.hour);
    }
    segment_close(s);
    return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

static int order(const struct hour_sum *a, const struct hour_sum *b)
{
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

/* Whether rows of an hour were deleted, under certificates that app/deletion_check.h holds to account. */
static bool has_removal(const struct catalog *catalog, int64_t hour)
{
    for (size_t i = 0; i < catalog->removal_count; i++) {
        if (catalog->removals[i].hour == hour)
            return true;
    }
    return false;
}

static int compare_hour(struct totals_checker *c, const struct catalog *catalog,
                        const struct hour_sum *want, const struct hour_sum *have)
{
    const struct hour_sum none = {0};
    const struct hour_sum *any = want != NULL ? want : have != NULL ? have : &none;
    const struct totals_sum *a = want != NULL ? &want->sum : &none.sum;
    const struct totals_sum *b = have != NULL ? &have->sum : &none.sum;
    const struct said *s = &c->said[any->id];
    if (a->records == b->records && a->rows == b->rows && a->bytes == b->bytes)
        return 0;
    if (b->records <= a->records && b->rows <= a->rows && b->bytes <= a->bytes &&
        has_removal(catalog, any->start_ns))
        return 0;
    return differs(c,
                   "hour %08" PRIx64 ", %.*s/%" PRId32 ": the control totals have %" PRIu64
                   " records, %" PRIu64 " rows, %" PRIu64
                   " bytes of the topic; the segments have %" PRIu64 ", %" PRIu64 ", %" PRIu64,
                   (uint64_t)any->start_ns, (int)s->topic.len, s->topic.data, s->partition,
                   a->records, a->rows, a->bytes, b->records, b->rows, b->bytes);
}

static int compare_hours(struct totals_checker *c, const struct catalog *catalog)
{
    size_t w = 0;
    size_t h = 0;
    int err = 0;
    hour_sums_settle(&c->want);
    hour_sums_settle(&c->have);
    while (err == 0 && (w < c->want.count || h < c->have.count)) {
        const struct hour_sum *want = w < c->want.count ? &c->want.items[w] : NULL;
        const struct hour_sum *have = h < c->have.count ? &c->have.items[h] : NULL;
        int by = want == NULL ? 1 : have == NULL ? -1 : order(want, have);
        err = compare_hour(c, catalog, by <= 0 ? want : NULL, by >= 0 ? have : NULL);
        w += by <= 0;
        h += by >= 0;
    }
    return err;
}

static int check_tenant(struct totals_checker *c, uint32_t tenant)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog catalog = {0};
    struct totals_head head = {0};
    int err = catalog_folder(folder, sizeof(folder), c->dir, tenant);
    if (err == 0)
        err = catalog_read(&catalog, folder, c->diag);
    if (err == ERR_NOTFOUND)
        return 0; /* a compaction has begun and not finished */
    struct tenant_said *tenants = reallocarray(c->tenants, c->tenant_count + 1, sizeof(*tenants));
    if (err == 0 && tenants == NULL)
        err = ERR_NOMEM;
    if (tenants != NULL)
        c->tenants = tenants;
    if (err == 0) {
        c->at = &tenants[c->tenant_count++];
        *c->at = (struct tenant_said){
            .tenant = tenant, .through_seq = catalog.through_seq, .first = c->said_count};
        c->want.count = c->want.settled = 0;
        c->have.count = c->have.settled = 0;
        c->locked = false;
        err = totals_file_read(&head, folder, catalog.through_seq, take_said, c, c->diag);
    }
    for (size_t i = 0; err == 0 && i < catalog.segment_count; i++)
        err = have_segment(c, folder, &catalog.segments[i]);
    (void)snprintf(c->path, sizeof(c->path), "%.4000s/totals", folder);
    if (err == 0 && !c->locked)
        err = compare_hours(c, &catalog);
    catalog_release(&catalog);
    c->report->tenants += err == 0;
    return err;
}

static int check_tenants(struct totals_checker *c)
{
    struct arena arena = {0};
    struct catalog_tenants tenants;
    int err = catalog_list_tenants(&tenants, &arena, c->dir);
    for (size_t i = 0; i < tenants.count && err == 0; i++)
        err = check_tenant(c, tenants.codes[i]);
    arena_release(&arena);
    return err;
}

/* Of a topic's frames those count that the municipality's totals are about. */
static int owner_of(void *self, struct slice topic, struct totals_owner *out)
{
    struct totals_checker *c = self;
    uint32_t tenant = 0;
    struct slice source;
    if (tenant_topic_parse(topic, &tenant, &source) != 0)
        return 0;
    *out = (struct totals_owner){
        .known = true, .tenant = tenant, .from_seq = UINT64_MAX, .source = source};
    for (size_t i = 0; i < c->tenant_count; i++) {
        if (c->tenants[i].tenant == tenant && c->tenants[i].through_seq != 0) {
            out->from_seq = 0;
            out->until_seq = c->tenants[i].through_seq;
        }
    }
    return 0;
}

static int count_partition(struct totals_count *count, struct remains_partition *p,
                           const struct remains_head *head)
{
    struct frame_range range;
    int err = 0;
    while (err == 0 && remains_next_range(&range, p))
        err = totals_count_range(count, p->topic, p->partition, &range, head->first_seq,
                                 head->tick_ns);
    return err;
}

static int count_remains(struct totals_checker *c, struct totals_count *count, const char *log,
                         uint64_t first_seq)
{
    struct remains *r = NULL;
    struct remains_partition p;
    const char *why = NULL;
    uint32_t partitions = 0;
    int err = remains_open(&r, log, first_seq, true, &why);
    if (err == 0)
        err = remains_ranges(&partitions, r, &why);
    while (err == 0 && remains_next_partition(&p, r))
        err = count_partition(count, &p, remains_head(r));
    remains_close(r);
    if (err == ERR_CORRUPT || err == ERR_FORMAT)
        diag_add(c->diag, log, 0, 0, "%016" PRIx64 ".rem: %s", first_seq, why == NULL ? "?" : why);
    return err;
}

/* What all frames consumed, also those of files that are retired. */
static int count_frames(struct totals_checker *c, struct totals_count *count)
{
    char log[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    struct log_file_list files = {0};
    struct log_file_list remains = {0};
    uint64_t damage = 0;
    int len = snprintf(log, sizeof(log), "%s/log", c->dir);
    int err =
        len < 0 || (size_t)len >= sizeof(log) ? ERR_RANGE : log_file_list(&files, &arena, log);
    if (err == 0)
        err = remains_list(&remains, &arena, log);
    for (size_t i = 0; i < remains.count && err == 0; i++) {
        if (files.count == 0 || remains.first_seqs[i] < files.first_seqs[0])
            err = count_remains(c, count, log, remains.first_seqs[i]);
    }
    if (err == 0)
        err = log_totals_read(count, c->dir, 0, UINT64_MAX, &damage, c->diag);
    arena_release(&arena);
    return err == 0 && damage != 0 ? ERR_CORRUPT : err;
}

static int compare_ranges(struct totals_checker *c, const struct said *s,
                          const struct totals_partition *p)
{
    struct totals_sum have = {0};
    for (size_t i = 0; p != NULL && i < p->hour_count; i++)
        totals_add(&have, &p->hours[i].sum);
    int64_t start = p == NULL ? 0 : p->start;
    int64_t end = p == NULL ? 0 : p->end;
    uint64_t data = s->sum.records + s->sum.missing - s->sum.surplus;
    c->report->offsets += (uint64_t)(end - start);
    /* No row was counted: what the frames call DATA is missing here. */
    if (data == have.missing && s->sum.gaps == have.gaps && s->sum.lost == have.lost &&
        s->sum.quarantined == have.quarantined && s->start == start && s->end == end)
        return 0;
    return differs(c,
                   "%.*s/%" PRId32 ": the control totals have offsets %" PRId64 " to %" PRId64
                   ": %" PRIu64 " stored, %" PRIu64 " gaps, %" PRIu64 " quarantined, %" PRIu64
                   " lost; the frames have %" PRId64 " to %" PRId64 ": %" PRIu64 ", %" PRIu64
                   ", %" PRIu64 ", %" PRIu64,
                   (int)s->topic.len, s->topic.data, s->partition, s->start, s->end, data,
                   s->sum.gaps, s->sum.quarantined, s->sum.lost, start, end, have.missing,
                   have.gaps, have.quarantined, have.lost);
}

static const struct totals_partition *partition_of(const struct totals *t, const struct said *s)
{
    for (size_t i = 0; i < t->partition_count; i++) {
        if (t->partitions[i].partition == s->partition &&
            slice_equal(t->partitions[i].topic, s->topic))
            return &t->partitions[i];
    }
    return NULL;
}

static int compare_tenant(struct totals_checker *c, struct totals_count *count)
{
    struct arena arena = {0};
    struct totals t = {0};
    int err = totals_count_take(count, c->at->tenant, &arena, &t);
    (void)snprintf(c->path, sizeof(c->path), "%.3000s/seg/%06" PRIu32 "/totals", c->dir,
                   c->at->tenant);
    for (size_t i = 0; i < c->at->count && err == 0; i++) {
        const struct said *s = &c->said[c->at->first + i];
        err = compare_ranges(c, s, partition_of(&t, s));
    }
    for (size_t i = 0; i < t.partition_count && err == 0; i++) {
        const struct totals_partition *p = &t.partitions[i];
        if (find_said(c, p->topic, p->partition) == NULL)
            err = differs(c, "%.*s/%" PRId32 ": frames have offsets of it, the control totals none",
                          (int)p->topic.len, p->topic.data, p->partition);
    }
    arena_release(&arena);
    return err;
}

/* The totals against what frames say. */
static int check_frames(struct totals_checker *c)
{
    struct totals_count *count = NULL;
    int err = totals_count_new(&count, owner_of, c);
    for (size_t i = 0; i < c->said_count && err == 0; i++) {
        const struct said *s = &c->said[i];
        struct totals_owner owner = {.known = true};
        if (tenant_topic_parse(s->topic, &owner.tenant, &owner.source) == 0)
            continue; /* asked for when it comes */
        owner.tenant = s->tenant;
        for (size_t k = 0; k < c->tenant_count; k++) {
            if (c->tenants[k].tenant == s->tenant)
                owner.until_seq = c->tenants[k].through_seq;
        }
        err = totals_count_know(count, s->topic, s->partition, &owner);
    }
    if (err == 0 && c->tenant_count != 0)
        err = count_frames(c, count);
    for (size_t i = 0; i < c->tenant_count && err == 0; i++) {
        c->at = &c->tenants[i];
        err = compare_tenant(c, count);
    }
    totals_count_free(count);
    return err;
}

/* Whether each record is accounted for, and the newest checkpoint signs these totals. */
static int check_sheet(struct totals_checker *c)
{
    const struct sheet_wish wish = {
        .dir = c->dir, .since_ns = INT64_MIN, .until_ns = INT64_MAX, .by = SHEET_MONTH};
    struct sheet s = {0};
    struct buf text = {0};
    int err = sheet_read(&s, &wish, c->diag);
    (void)snprintf(c->path, sizeof(c->path), "%.4000s", c->dir);
    if (err == 0 && s.damage != 0)
        err = ERR_CORRUPT; /* named */
    if (err == 0 && s.finding_count != 0) {
        sheet_text_finding(&text, &s.findings[0], false);
        err = differs(c, "the completeness ledger: %s", buf_string(&text));
    }
    if (err == 0 && s.signature.checked && !s.signature.same)
        err = differs(c, "the control totals are not those that checkpoint %" PRIu64 " signed",
                      s.signature.number);
    buf_release(&text);
    sheet_close(&s);
    return err;
}

static int check_held(struct totals_checker *c, const struct checkpoint *held)
{
    int err = 0;
    for (uint32_t i = 0; held != NULL && i < held->record_count && err == 0; i++) {
        struct totals_signed now = {0};
        uint64_t through_seq = 0;
        if (!totals_signed_name(&through_seq, held->records[i].name))
            continue;
        err = totals_hash(&now, c->dir, through_seq, c->diag);
        if (err == 0 && !sha256_equal(&now.hash, &held->records[i].hash)) {
            err = differs(c,
                          "the control totals up to frame %" PRIu64
                          " are not those that checkpoint %" PRIu64 ", which is held, signed",
                          through_seq, held->number);
        }
    }
    return err;
}

static int check_all(struct totals_checker *c, const struct checkpoint *held)
{
    struct log_hold hold = {0};
    int err = log_hold_take_store(&hold, c->dir);
    if (err == 0)
        err = check_sheet(c);
    if (err == 0)
        err = check_held(c, held);
    if (err == 0)
        err = check_tenants(c);
    if (err == 0)
        err = check_frames(c);
    log_hold_drop(&hold);
    return err;
}

int totals_check_run(struct totals_check_report *out, const char *dir,
                     const struct checkpoint *held, struct diag *diag)
{
    struct totals_check_report report = {0};
    struct totals_checker *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->report = &report;
    c->dir = dir;
    c->diag = diag;
    c->reader = rowgroup_reader_new();
    c->batch = batch_new();
    int err = c->reader == NULL || c->batch == NULL ? ERR_NOMEM : keyring_option(&c->keys, diag);
    if (err == 0)
        err = check_all(c, held);
    rowgroup_reader_free(c->reader);
    keyring_close(c->keys);
    batch_free(c->batch);
    hour_sums_release(&c->want);
    hour_sums_release(&c->have);
    free(c->said);
    free(c->tenants);
    arena_release(&c->arena);
    free(c);
    *out = report;
    return err;
}
