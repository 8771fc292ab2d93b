/* Control totals: what frames say against rows, as bytes, in their file, and the hash that is signed. */
#include <inttypes.h>

#include "event/columns.h"
#include "store/catalog.h"
#include "store/totals_count.h"
#include "store/totals_file.h"
#include "tests/store/log_dir.h"

enum {
    TENANT = 52027,
    OFFSETS_MAX = 4096,
    PARTITIONS = 3,
    HOURS = 4,
    RECORDS = 5, /* of a file */
};

#define HOUR_NS INT64_C(3600000000000)

static uint32_t below(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % limit);
}

/* -------------------------------------------------------------------------------- counting */

/* An offset of a partition as the test knows it. */
struct fact {
    uint8_t kind; /* enum frame_range_kind */
    uint8_t tick; /* hour of the frame */
    uint8_t hour; /* of arrival */
    uint8_t rows; /* 0: the frame says DATA, and there is none */
};

struct model {
    struct fact facts[PARTITIONS][OFFSETS_MAX];
    int64_t next[PARTITIONS];
    struct totals_sum want[PARTITIONS][HOURS];
    uint64_t state;
};

static const struct slice TOPIC = {"seclog.raw.052027.fw1", 21};

static int owner_known(void *self, struct slice topic, struct totals_owner *out)
{
    (void)self;
    assert_true(slice_equal(topic, TOPIC));
    *out = (struct totals_owner){.known = true, .tenant = TENANT, .source = SLICE("fw1")};
    return 0;
}

static int owner_unknown(void *self, struct slice topic, struct totals_owner *out)
{
    (void)self;
    (void)topic;
    (void)out;
    return 0;
}

/* A frame of a few ranges of every partition. */
static void add_frame(struct model *m, struct totals_count *c, uint64_t seq, uint8_t tick)
{
    static const char *const REASONS[] = {"", "no record", "bad CRC", "deleted"};
    struct frame_range ranges[PARTITIONS][4];
    struct frame_entry entries[PARTITIONS];
    struct buf bytes = {0};
    struct sha256 hash;
    struct frame_view view;
    const char *why = NULL;
    for (int p = 0; p < PARTITIONS; p++) {
        size_t count = 1 + below(&m->state, 4);
        int64_t start = m->next[p];
        for (size_t i = 0; i < count; i++) {
            uint8_t kind =
                below(&m->state, 3) != 0 ? FRAME_RANGE_DATA : (uint8_t)below(&m->state, 4);
            int64_t len = 1 + below(&m->state, 9);
            ranges[p][i] = (struct frame_range){
                kind, m->next[p], m->next[p] + len,
                kind == FRAME_RANGE_DATA ? (struct slice){0} : slice_from(REASONS[kind])};
            for (; len > 0; len--) {
                struct fact *f = &m->facts[p][m->next[p]++];
                f->kind = kind;
                f->tick = tick;
                f->hour = (uint8_t)below(&m->state, HOURS);
                f->rows = below(&m->state, 40) == 0 ? 0 : (uint8_t)(1 + below(&m->state, 3));
            }
        }
        entries[p] = (struct frame_entry){TOPIC, p, start, m->next[p], ranges[p], count};
    }
    const struct frame_parts parts = {
        .tick_ns = tick * HOUR_NS + 5, .entries = entries, .entry_count = PARTITIONS};
    const struct frame_link link = {.epoch = 1, .seq = seq};
    assert_int_equal(frame_encode(&bytes, &hash, &parts, &link), 0);
    assert_int_equal(frame_decode(&view, buf_content(&bytes), true, &why), 0);
    assert_int_equal(totals_count_frame(c, &view), 0);
    buf_release(&bytes);
}

/* What the facts add up to. */
static void add_up(struct model *m, uint64_t *rows)
{
    for (int p = 0; p < PARTITIONS; p++) {
        for (int64_t o = 0; o < m->next[p]; o++) {
            const struct fact *f = &m->facts[p][o];
            struct totals_sum *tick = &m->want[p][f->tick];
            struct totals_sum *hour = &m->want[p][f->hour];
            tick->gaps += f->kind == FRAME_RANGE_GAP;
            tick->quarantined += f->kind == FRAME_RANGE_QUARANTINE;
            tick->lost += f->kind == FRAME_RANGE_LOST;
            if (f->kind != FRAME_RANGE_DATA)
                continue;
            tick->missing += f->rows == 0;
            hour->records += f->rows != 0;
            hour->rows += f->rows;
            hour->bytes += (uint64_t)f->rows * 10;
            *rows += f->rows;
        }
    }
}

/* All rows, in an order of chance of the partitions, in batches. */
static void add_rows(struct model *m, struct totals_count *c, bool with_bytes)
{
    struct batch *b = batch_new();
    int64_t offsets[64];
    int32_t partitions[64];
    uint32_t raw[64];
    int64_t at[PARTITIONS] = {0};
    uint32_t count = 0;
    assert_non_null(b);
    b->tenant = TENANT;
    b->topic = TOPIC;
    b->source = SLICE("fw1");
    assert_int_equal(batch_reserve_rows(b, 64), 0);
    for (;;) {
        bool any = false;
        for (int p = 0; p < PARTITIONS; p++)
            any |= at[p] < m->next[p];
        int32_t p = (int32_t)below(&m->state, PARTITIONS);
        if (count > 60 || !any) {
            b->row_count = count;
            const struct totals_rows rows = {b, offsets, partitions, with_bytes ? raw : NULL};
            assert_int_equal(totals_count_rows(c, &rows, 0), 0);
            count = 0;
        }
        if (!any)
            break;
        if (at[p] == m->next[p])
            continue;
        const struct fact *f = &m->facts[p][at[p]];
        for (uint32_t sub = 0; f->kind == FRAME_RANGE_DATA && sub < f->rows; sub++) {
            b->arrival_ns[count] = f->hour * HOUR_NS + 17;
            b->sub[count] = sub;
            offsets[count] = at[p];
            partitions[count] = p;
            raw[count++] = 10;
        }
        at[p]++;
    }
    batch_free(b);
}

static void compare_hours(const struct totals_partition *p, const struct totals_sum *want)
{
    size_t at = 0;
    for (int h = 0; h < HOURS; h++) {
        const struct totals_sum *w = &want[h];
        if ((w->records | w->gaps | w->quarantined | w->lost | w->missing) == 0)
            continue;
        assert_in_range(at, 0, p->hour_count - 1);
        assert_int_equal(p->hours[at].hour, h);
        assert_memory_equal(&p->hours[at].sum, w, sizeof(*w));
        at++;
    }
    assert_int_equal(at, p->hour_count);
}

/* Every offset of an event is what the event says, and none is left out. */
static void compare_events(const struct model *m, const struct totals_partition *p)
{
    uint64_t seen[TOTALS_KIND_END] = {0};
    uint64_t want[TOTALS_KIND_END] = {0};
    for (size_t i = 0; i < p->event_count; i++) {
        const struct totals_event *e = &p->events[i];
        for (int64_t o = e->start; o < e->end; o++) {
            const struct fact *f = &m->facts[p->partition][o];
            if (e->kind == TOTALS_MISSING)
                assert_true(f->kind == FRAME_RANGE_DATA && f->rows == 0);
            else
                assert_int_equal((int)f->kind, (int)e->kind);
            assert_int_equal(totals_hour_of(e->tick_ns), f->tick);
        }
        seen[e->kind] += (uint64_t)(e->end - e->start);
    }
    for (int h = 0; h < HOURS; h++) {
        want[TOTALS_QUARANTINE] += m->want[p->partition][h].quarantined;
        want[TOTALS_LOST] += m->want[p->partition][h].lost;
        want[TOTALS_MISSING] += m->want[p->partition][h].missing;
    }
    assert_memory_equal(seen, want, sizeof(want));
}

static void count_random(uint64_t seed, totals_owner_of *owner_of, bool with_bytes)
{
    struct model *m = calloc(1, sizeof(*m));
    struct totals_count *c = NULL;
    struct totals t = {0};
    struct arena arena = {0};
    uint32_t tenant = 0;
    uint64_t rows = 0;
    assert_non_null(m);
    m->state = seed;
    assert_int_equal(totals_count_new(&c, owner_of, NULL), 0);
    for (uint64_t seq = 1; seq <= 40; seq++)
        add_frame(m, c, seq, (uint8_t)(seq / 11));
    add_up(m, &rows);
    add_rows(m, c, with_bytes);
    assert_true(totals_count_tenant(c, &tenant));
    assert_int_equal(tenant, TENANT);
    assert_int_equal(totals_count_take(c, TENANT, &arena, &t), 0);
    assert_false(totals_count_tenant(c, &tenant));
    assert_int_equal(t.partition_count, PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        const struct totals_partition *got = &t.partitions[p];
        for (int h = 0; h < HOURS && !with_bytes; h++)
            m->want[p][h].bytes = 0;
        assert_int_equal(got->partition, p);
        assert_int_equal(got->start, 0);
        assert_int_equal(got->end, m->next[p]);
        assert_true(slice_equal(got->topic, TOPIC) && slice_equal(got->source, SLICE("fw1")));
        assert_true(totals_add_up(got));
        compare_hours(got, m->want[p]);
        compare_events(m, got);
    }
    totals_count_free(c);
    arena_release(&arena);
    free(m);
}

static void test_count(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        count_random(seed, seed % 2 == 0 ? owner_known : owner_unknown, seed % 3 != 0);
}

/* One row; what it adds up to. */
static void count_row(struct totals_count *c, uint32_t tenant, int64_t offset)
{
    struct batch *b = batch_new();
    const int32_t partition = 0;
    assert_non_null(b);
    assert_int_equal(batch_reserve_rows(b, 1), 0);
    b->tenant = tenant;
    b->topic = TOPIC;
    b->source = SLICE("fw1");
    b->row_count = 1;
    b->arrival_ns[0] = 7;
    b->sub[0] = 0;
    const struct totals_rows rows = {b, &offset, &partition, NULL};
    assert_int_equal(totals_count_rows(c, &rows, 0), 0);
    batch_free(b);
}

/* Rows that no frame speaks of, that are there twice, or that are another municipality's. */
static void test_surplus(void **state)
{
    (void)state;
    struct totals_count *c = NULL;
    struct totals t = {0};
    struct arena arena = {0};
    const struct frame_range data = {FRAME_RANGE_DATA, 10, 13, {0}};
    const struct frame_range lost = {FRAME_RANGE_LOST, 13, 15, SLICE("deleted")};
    assert_int_equal(totals_count_new(&c, owner_known, NULL), 0);
    assert_int_equal(totals_count_range(c, TOPIC, 0, &data, 1, 5), 0);
    assert_int_equal(totals_count_range(c, TOPIC, 0, &lost, 1, 5), 0);
    static const int64_t OFFSETS[] = {10, 11, 12, 11, 14, 99, 100};
    for (size_t i = 0; i < COUNT(OFFSETS); i++)
        count_row(c, TENANT, OFFSETS[i]);
    count_row(c, TENANT + 1, 11);
    assert_int_equal(totals_count_take(c, TENANT, &arena, &t), 0);
    assert_int_equal(t.partition_count, 1);
    const struct totals_partition *p = &t.partitions[0];
    assert_int_equal(p->hour_count, 1);
    assert_int_equal(p->hours[0].sum.records, 7);
    assert_int_equal(p->hours[0].sum.surplus, 4);
    assert_int_equal(p->hours[0].sum.lost, 2);
    assert_int_equal(totals_received(&p->hours[0].sum), 5);
    assert_false(totals_balanced(&p->hours[0].sum));
    assert_true(totals_add_up(p));
    assert_int_equal(p->event_count, 4); /* lost, 11 again, 14, 99 and 100 */
    assert_int_equal(p->events[3].start, 99);
    assert_int_equal(p->events[3].end, 101);
    assert_int_equal(totals_count_take(c, TENANT + 1, &arena, &t), 0);
    assert_int_equal(t.partition_count, 1);
    assert_int_equal(t.partitions[0].hours[0].sum.surplus, 1);
    totals_count_free(c);
    arena_release(&arena);
}

/* Frames that were counted before, and those behind the last one that is asked for. */
static void test_limits(void **state)
{
    (void)state;
    struct totals_count *c = NULL;
    struct totals t = {0};
    struct arena arena = {0};
    struct slice topic;
    int32_t partition = 0;
    int64_t start = 0;
    int64_t end = 0;
    const struct totals_owner owner = {
        .known = true, .tenant = TENANT, .from_seq = 4, .until_seq = 6, .source = SLICE("fw1")};
    assert_int_equal(totals_count_new(&c, owner_unknown, NULL), 0);
    assert_int_equal(totals_count_know(c, TOPIC, 0, &owner), 0);
    for (int32_t p = 0; p < 2; p++) {
        for (uint64_t seq = 3; seq <= 8; seq++) {
            const struct frame_range data = {
                FRAME_RANGE_DATA, (int64_t)seq * 10, (int64_t)seq * 10 + 10, {0}};
            assert_int_equal(totals_count_range(c, TOPIC, p, &data, seq, 5), 0);
        }
    }
    assert_true(totals_count_orphan(c, &topic, &partition, &start, &end));
    assert_true(slice_equal(topic, TOPIC));
    assert_int_equal(partition, 1);
    assert_int_equal(start, 30);
    assert_int_equal(end, 90);
    assert_int_equal(totals_count_take(c, TENANT, &arena, &t), 0);
    assert_int_equal(t.partition_count, 1);
    assert_int_equal(t.partitions[0].start, 50);
    assert_int_equal(t.partitions[0].end, 70);
    assert_int_equal(t.partitions[0].hours[0].sum.missing, 20);
    totals_count_free(c);
    arena_release(&arena);
}

/* -------------------------------------------------------------------------------- bytes */

static struct totals_sum random_sum(uint64_t *state)
{
    return (struct totals_sum){.records = below(state, 1000),
                               .rows = below(state, 100000),
                               .bytes = (uint64_t)below(state, UINT32_MAX) << 20,
                               .quarantined = below(state, 3),
                               .lost = below(state, 300),
                               .gaps = below(state, 2),
                               .missing = below(state, 5),
                               .surplus = below(state, 2)};
}

/* Totals of chance; everything is in the arena. */
static struct totals random_totals(struct arena *arena, uint64_t *state)
{
    struct totals t = {.from_seq = 0, .partition_count = below(state, 4)};
    t.partitions = arena_array(arena, t.partition_count + 1, sizeof(*t.partitions));
    for (size_t i = 0; i < t.partition_count; i++) {
        struct totals_partition *p = &t.partitions[i];
        *p = (struct totals_partition){.topic = TOPIC,
                                       .source = SLICE("fw1"),
                                       .partition = (int32_t)(i * 7),
                                       .start = below(state, 1 << 30),
                                       .hour_count = below(state, 4),
                                       .event_count = below(state, 3)};
        p->end = p->start + below(state, 1 << 20);
        p->hours = arena_array(arena, 4, sizeof(*p->hours));
        p->events = arena_array(arena, 4, sizeof(*p->events));
        for (size_t k = 0; k < p->hour_count; k++)
            p->hours[k] = (struct totals_hour){(int64_t)k * 3 - 4, random_sum(state)};
        for (size_t k = 0; k < p->event_count; k++) {
            p->events[k] = (struct totals_event){
                (enum totals_kind)(TOTALS_QUARANTINE + below(state, 4)), p->start, p->end,
                -(int64_t)below(state, 1000), SLICE("bad CRC")};
        }
    }
    return t;
}

static void same_partition(const struct totals_partition *a, const struct totals_partition *b)
{
    assert_true(slice_equal(a->topic, b->topic) && slice_equal(a->source, b->source));
    assert_int_equal(a->partition, b->partition);
    assert_int_equal(a->start, b->start);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->hour_count, b->hour_count);
    assert_int_equal(a->event_count, b->event_count);
    assert_memory_equal(a->hours, b->hours, a->hour_count * sizeof(*a->hours));
    for (size_t i = 0; i < a->event_count; i++) {
        assert_int_equal((int)a->events[i].kind, (int)b->events[i].kind);
        assert_int_equal(a->events[i].start, b->events[i].start);
        assert_int_equal(a->events[i].end, b->events[i].end);
        assert_int_equal(a->events[i].tick_ns, b->events[i].tick_ns);
        assert_true(slice_equal(a->events[i].reason, b->events[i].reason));
    }
}

static void test_bytes(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct arena arena = {0};
    for (int round = 0; round < 200; round++) {
        struct buf bytes = {0};
        struct totals back = {0};
        arena_reset(&arena);
        struct totals t = random_totals(&arena, &seed);
        t.number = (uint64_t)round;
        t.through_seq = below(&seed, 1000);
        totals_write(&bytes, &t);
        assert_int_equal(totals_read(&back, &arena, buf_content(&bytes)), 0);
        assert_int_equal(back.number, t.number);
        assert_int_equal(back.through_seq, t.through_seq);
        assert_int_equal(back.partition_count, t.partition_count);
        for (size_t i = 0; i < t.partition_count; i++)
            same_partition(&back.partitions[i], &t.partitions[i]);
        /* Fewer bytes, and one more. */
        for (size_t len = 0; len < bytes.len; len++)
            assert_int_equal(totals_read(&back, &arena, slice_of(bytes.data, len)), ERR_CORRUPT);
        buf_byte(&bytes, 0);
        assert_int_equal(totals_read(&back, &arena, buf_content(&bytes)), ERR_CORRUPT);
        buf_release(&bytes);
    }
    arena_release(&arena);
}

/* -------------------------------------------------------------------------------- the file */

/* Record i of a file, of frames 10 (k - 1) + 1 to 10 k. */
static void append_frames(struct totals_head *head, const char *folder, uint64_t i, uint64_t k)
{
    struct arena arena = {0};
    uint64_t seed = i;
    struct totals t = random_totals(&arena, &seed);
    t.from_seq = 10 * (k - 1);
    t.through_seq = 10 * k;
    assert_int_equal(totals_file_append(head, folder, &t), 0);
    assert_int_equal(t.number, i);
    arena_release(&arena);
}

static void append(struct totals_head *head, const char *folder, uint64_t i)
{
    append_frames(head, folder, i, i);
}

static struct totals_head empty_head(void)
{
    struct totals_head head = {.tenant = TENANT};
    memcpy(head.store_id, TEST_STORE_ID, sizeof(head.store_id));
    return head;
}

static int see(void *self, const struct totals *t)
{
    uint64_t *count = self;
    struct arena arena = {0};
    uint64_t seed = ++*count;
    struct totals want = random_totals(&arena, &seed);
    assert_int_equal(t->number, *count);
    assert_int_equal(t->through_seq, 10 * *count);
    assert_int_equal(t->partition_count, want.partition_count);
    for (size_t i = 0; i < want.partition_count; i++)
        same_partition(&t->partitions[i], &want.partitions[i]);
    arena_release(&arena);
    return 0;
}

/* Both ways of reading say the same. */
static int read_it(struct totals_head *out, const char *folder, uint64_t through_seq)
{
    struct diag diag = {0};
    struct totals_head back = {0};
    uint64_t seen = 0;
    int err = totals_file_read(out, folder, through_seq, see, &seen, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    if (err == 0) {
        assert_int_equal(seen, out->count);
        assert_int_equal(totals_file_head(&back, folder, through_seq, &diag), 0);
        assert_int_equal(back.count, out->count);
        assert_int_equal(back.through_seq, out->through_seq);
        assert_int_equal(back.bytes, out->bytes);
        assert_memory_equal(back.hash.bytes, out->hash.bytes, SHA256_BYTES);
    }
    diag_release(&diag);
    return err;
}

static void test_file(void **state)
{
    (void)state;
    struct log_dir d;
    struct totals_head head = empty_head();
    struct totals_head got = {0};
    struct diag diag = {0};
    log_dir_make(&d);
    assert_int_equal(totals_file_head(&got, d.path, 10, &diag), ERR_NOTFOUND);
    for (uint64_t i = 1; i <= RECORDS; i++) {
        append(&head, d.path, i);
        for (uint64_t through = 0; through <= 10 * i + 5; through += 5) {
            assert_int_equal(read_it(&got, d.path, through), 0);
            assert_int_equal(got.count, through / 10 < i ? through / 10 : i);
            assert_int_equal(got.tenant, TENANT);
            assert_memory_equal(got.store_id, TEST_STORE_ID, STORE_ID_BYTES);
        }
    }
    /* A run that did not come to count is cut off by the next. */
    assert_int_equal(read_it(&got, d.path, 30), 0);
    append(&got, d.path, 4);
    assert_int_equal(read_it(&got, d.path, UINT64_MAX), 0);
    assert_int_equal(got.count, 4);
    /* Frames do not go back. */
    struct totals back = {.from_seq = 30, .through_seq = 39};
    assert_int_equal(totals_file_append(&got, d.path, &back), ERR_RANGE);
    assert_int_equal(diag.count, 0);
    log_dir_remove(&d);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Cut anywhere, the records before the cut are there; a flipped bit is damage, or the last record is gone. */
static void test_damage(void **state)
{
    (void)state;
    struct log_dir d;
    struct totals_head head = empty_head();
    struct totals_head got = {0};
    char path[FILE_PATH_BYTES_MAX];
    uint64_t ends[RECORDS + 1] = {TOTALS_FILE_HEADER_BYTES};
    struct buf whole = {0};
    log_dir_make(&d);
    for (uint64_t i = 1; i <= RECORDS; i++) {
        append(&head, d.path, i);
        ends[i] = head.bytes;
    }
    (void)snprintf(path, sizeof(path), "%s/totals", d.path);
    assert_int_equal(file_read_all(&whole, path, 1 << 20), 0);
    assert_int_equal(whole.len, ends[RECORDS]);
    for (size_t len = 0; len < whole.len; len++) {
        uint64_t records = 0;
        write_file(path, whole.data, len);
        while (records < RECORDS && ends[records + 1] <= len)
            records++;
        int err = read_it(&got, d.path, UINT64_MAX);
        assert_int_equal(err, len < TOTALS_FILE_HEADER_BYTES ? ERR_CORRUPT : 0);
        if (err != 0)
            continue;
        assert_int_equal(got.count, records);
        append(&got, d.path, records + 1);
        assert_int_equal(read_it(&got, d.path, UINT64_MAX), 0);
        assert_int_equal(got.count, records + 1);
    }
    for (size_t at = 0; at < whole.len; at++) {
        whole.data[at] = (char)((unsigned char)whole.data[at] ^ (1U << (at % 8)));
        write_file(path, whole.data, whole.len);
        int err = read_it(&got, d.path, UINT64_MAX);
        if (at < ends[RECORDS - 1])
            assert_int_equal(err, ERR_CORRUPT);
        else
            assert_true(err == 0 && got.count == RECORDS - 1);
        whole.data[at] = (char)((unsigned char)whole.data[at] ^ (1U << (at % 8)));
    }
    buf_release(&whole);
    log_dir_remove(&d);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct log_dir d;
    struct totals_head head = empty_head();
    struct totals_head got = {0};
    struct totals t = {.through_seq = 10};
    log_dir_make(&d);
    assert_int_equal(fault_set("ENOSPC@write=totals"), 0);
    assert_int_equal(totals_file_append(&head, d.path, &t), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(head.bytes, 0);
    append(&head, d.path, 1);
    static const char *const FAULTS[] = {"ENOSPC@write=totals", "EIO@sync=totals",
                                         "EIO@open=totals"};
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        struct totals next = {.from_seq = 10, .through_seq = 20};
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(totals_file_append(&head, d.path, &next), i == 0 ? ERR_AGAIN : ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(head.count, 1);
    }
    append(&head, d.path, 2);
    assert_int_equal(read_it(&got, d.path, UINT64_MAX), 0);
    assert_int_equal(got.count, 2);
    log_dir_remove(&d);
}

/* -------------------------------------------------------------------------------- the hash */

static struct totals_signed hash_at(const struct log_dir *d, uint64_t through_seq)
{
    struct totals_signed s = {0};
    struct diag diag = {0};
    assert_int_equal(totals_hash(&s, d->path, through_seq, &diag), 0);
    assert_int_equal(diag.count, 0);
    return s;
}

static void test_hash(void **state)
{
    (void)state;
    struct log_dir d;
    struct totals_head heads[3] = {empty_head(), empty_head(), empty_head()};
    char folders[3][512];
    struct totals_signed before[RECORDS + 1];
    struct totals_signed now = {0};
    struct diag diag = {0};
    uint64_t seq = 0;
    log_dir_make(&d);
    assert_int_equal(totals_hash_now(&now, d.path, &diag), ERR_NOTFOUND);
    for (uint32_t i = 0; i < 3; i++) {
        heads[i].tenant = TENANT + i;
        assert_int_equal(catalog_folder(folders[i], sizeof(folders[i]), d.path, TENANT + i), 0);
        assert_int_equal(dir_create(folders[i]), 0);
    }
    before[0] = hash_at(&d, 0);
    for (uint64_t k = 1; k <= RECORDS; k++) {
        for (uint32_t i = 0; i < (k < 3 ? 2 : 3); i++) {
            /* The third comes later: its first totals are those of the third run. */
            struct totals late = {.from_seq = 20, .through_seq = 30};
            if (i == 2 && k == 3)
                assert_int_equal(totals_file_append(&heads[i], folders[i], &late), 0);
            else if (i == 2)
                append_frames(&heads[i], folders[i], k - 2, k);
            else
                append(&heads[i], folders[i], k);
        }
        before[k] = hash_at(&d, 10 * k);
        assert_int_equal(before[k].tenants, k < 3 ? 2 : 3);
    }
    for (uint64_t k = 0; k <= RECORDS; k++) {
        char want[64];
        now = hash_at(&d, 10 * k);
        (void)snprintf(want, sizeof(want), "ledger.%" PRIu64, 10 * k);
        assert_string_equal(now.name, want);
        assert_true(totals_signed_name(&seq, slice_from(now.name)));
        assert_int_equal(seq, 10 * k);
        /* What was signed is the same later, where no municipality came between with older frames. */
        for (uint64_t j = 0; j <= RECORDS; j++) {
            bool same = sha256_equal(&now.hash, &before[j].hash);
            assert_int_equal(same, j == k);
        }
    }
    assert_false(totals_signed_name(&seq, SLICE("ledger.")));
    assert_false(totals_signed_name(&seq, SLICE("ledger.1x")));
    assert_false(totals_signed_name(&seq, SLICE("ledger.99999999999999999999")));
    assert_false(totals_signed_name(&seq, SLICE("certificate.1")));
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),     cmocka_unit_test(test_surplus),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_file),      cmocka_unit_test(test_damage),
        cmocka_unit_test(test_full_disk), cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
