/* Parcels into the log: in the order of each worker, on a full disk later, on a broken one never. */
#include <string.h>

#include "app/committer.h"
#include "base/err.h"
#include "event/builder.h"
#include "tests/store/log_dir.h"

enum {
    WORKERS = 2,
    PARCELS = 300, /* of a worker */
    BLOB_EVERY = 7,
    DISTINCT = 30000,
};

#define ARRIVAL_NS INT64_C(1763715600000000000)

static const struct slice TOPICS[WORKERS] = {
    {.data = "seclog.raw.990001.fw1", .len = 21},
    {.data = "seclog.raw.990001.fw2", .len = 21},
};
static const struct slice SOURCES[WORKERS] = {{.data = "fw1", .len = 3}, {.data = "fw2", .len = 3}};

struct commit_test {
    struct log_dir dir;
    struct store *store;
    struct tally *tally;
    struct codec *codec;
    struct committer *committer;
    int64_t next[WORKERS]; /* offset of the next parcel */
    int64_t told[WORKERS]; /* end that committed() told */
    size_t frames;
};

static void told(void *self, const struct frame_entry *entries, size_t count)
{
    struct commit_test *t = self;
    t->frames++;
    for (size_t i = 0; i < count; i++) {
        size_t w = slice_equal(entries[i].topic, TOPICS[0]) ? 0 : 1;
        if (entries[i].partition != 0)
            continue;
        assert_int_equal(entries[i].off_start, t->told[w]);
        t->told[w] = entries[i].off_end;
    }
}

/* Committing every frame_age_ns; ages and sizes of a frame decide how parcels come together. */
static void open_with(struct commit_test *t, int64_t frame_age_ns, bool give_up, bool wall_ticks)
{
    memset(t, 0, sizeof(*t));
    log_dir_make(&t->dir);
    assert_int_equal(log_dir_open(&t->store, &t->dir), 0);
    assert_int_equal(tally_new(&t->tally), 0);
    t->codec = codec_new(1);
    assert_non_null(t->codec);
    const struct committer_options options = {.store = t->store,
                                              .workers = WORKERS,
                                              .zstd_level = 1,
                                              .frame_bytes = 64 << 20,
                                              .frame_age_ns = frame_age_ns,
                                              .give_up_when_full = give_up,
                                              .wall_ticks = wall_ticks,
                                              .tally = t->tally,
                                              .committed = told,
                                              .self = t};
    assert_int_equal(committer_open(&t->committer, &options), 0);
}

static void test_open(struct commit_test *t, int64_t frame_age_ns, bool give_up)
{
    open_with(t, frame_age_ns, give_up, false);
}

static void test_close(struct commit_test *t)
{
    assert_int_equal(fault_set(NULL), 0);
    committer_free(t->committer);
    codec_free(t->codec);
    tally_free(t->tally);
    store_close(t->store);
    log_dir_remove(&t->dir);
}

/* One batch of `rows` rows from the worker's next offset on. */
static void add_batch(struct commit_test *t, struct parcel *p, unsigned w, uint32_t rows)
{
    struct batch *b = batch_new();
    assert_non_null(b);
    b->tenant = 990001;
    b->topic = TOPICS[w];
    b->source = SOURCES[w];
    b->format_name = SLICE("auto");
    for (uint32_t i = 0; i < rows; i++) {
        char line[48];
        int64_t offset = t->next[w] + i;
        int len = snprintf(line, sizeof(line), "worker %u offset %lld\n", w, (long long)offset);
        struct row row = {.bytes = slice_of(line, (size_t)len),
                          .arrival_ns = ARRIVAL_NS,
                          .reason = i == 0 ? REASON_FORMAT_MISMATCH : REASON_NONE,
                          .offset = offset};
        assert_int_equal(batch_append(b, &row), 0);
        p->raw_bytes += (size_t)len;
    }
    p->rows += rows;
    p->unparsed++;
    assert_int_equal(pack_add(t->codec, &p->pack, b), 0);
    t->next[w] += rows;
    batch_free(b);
}

/* A parcel of one or two batches, the first of them a blob of its own when `blob`. */
static struct parcel *make_parcel(struct commit_test *t, unsigned w, bool blob)
{
    struct parcel *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    int64_t start = t->next[w];
    p->tenant = 990001;
    p->source = SOURCES[w];
    p->newest_arrival_ns = ARRIVAL_NS;
    if (blob) {
        add_batch(t, p, w, 5);
        assert_int_equal(pack_seal(t->codec, &p->pack, &p->bytes), 0);
        p->blobs = arena_array(&p->arena, 1, sizeof(*p->blobs));
        assert_non_null(p->blobs);
        p->blobs[p->blob_count++] = buf_content(&p->bytes);
    }
    add_batch(t, p, w, 3);
    p->entries = arena_array(&p->arena, 1, sizeof(*p->entries));
    struct frame_range *range = arena_array(&p->arena, 1, sizeof(*range));
    assert_non_null(p->entries);
    assert_non_null(range);
    *range = (struct frame_range){FRAME_RANGE_DATA, start, t->next[w], {NULL, 0}};
    p->entries[p->entry_count++] = (struct frame_entry){TOPICS[w], 0, start, t->next[w], range, 1};
    return p;
}

static void check_blob(struct slice blob, int64_t next[WORKERS])
{
    struct codec *codec = codec_new(1);
    struct batch *b = batch_new();
    struct pack_view view;
    struct batch_head head;
    assert_int_equal(pack_open(&view, blob), 0);
    while (pack_next(&view, &head) == 0) {
        batch_reset(b);
        assert_int_equal(codec_texts(codec, &head, b), 0);
        assert_int_equal(codec_rows(codec, &head, b, NULL), 0);
        size_t w = slice_equal(head.topic, TOPICS[0]) ? 0 : 1;
        for (uint32_t row = 0; row < b->row_count; row++) {
            int32_t partition = -1;
            int64_t offset = -1;
            batch_place(b, row, &partition, &offset);
            assert_int_equal(offset, next[w]++);
        }
    }
    batch_free(b);
    codec_free(codec);
}

/* The log holds each worker's rows once, in order, from 0 to what was submitted. */
static void check_log(struct commit_test *t)
{
    int64_t next[WORKERS] = {0};
    const struct log_reader_options options = {.dir = t->dir.path, .verify_hashes = true};
    struct log_reader *reader = NULL;
    struct diag diag = {0};
    struct frame_view view;
    assert_int_equal(log_reader_open(&reader, &options, &diag), 0);
    while (ledger_read(&view, reader, &diag) == 0) {
        struct slice blob;
        while (frame_next_blob(&blob, &view.batches))
            check_blob(blob, next);
    }
    log_reader_close(reader);
    diag_release(&diag);
    for (size_t w = 0; w < WORKERS; w++) {
        int64_t end = -1;
        assert_int_equal(next[w], t->next[w]);
        assert_int_equal(t->told[w], t->next[w]);
        assert_int_equal(store_end_offset(t->store, TOPICS[w], 0, &end), 0);
        assert_int_equal(end, t->next[w]);
    }
}

struct worker_args {
    struct commit_test *test;
    unsigned worker;
    struct parcel **parcels;
};

static void *worker_main(void *arg)
{
    const struct worker_args *a = arg;
    for (size_t i = 0; i < PARCELS; i++)
        (void)committer_submit(a->test->committer, a->worker, a->parcels[i]);
    return NULL;
}

static void run_workers(struct commit_test *t)
{
    static struct parcel *parcels[WORKERS][PARCELS];
    struct worker_args args[WORKERS];
    pthread_t threads[WORKERS];
    for (unsigned w = 0; w < WORKERS; w++) {
        for (size_t i = 0; i < PARCELS; i++)
            parcels[w][i] = make_parcel(t, w, i % BLOB_EVERY == w);
    }
    for (unsigned w = 0; w < WORKERS; w++) {
        args[w] = (struct worker_args){.test = t, .worker = w, .parcels = parcels[w]};
        assert_int_equal(pthread_create(&threads[w], NULL, worker_main, &args[w]), 0);
    }
    for (unsigned w = 0; w < WORKERS; w++)
        assert_int_equal(pthread_join(threads[w], NULL), 0);
}

static void check_tally(struct commit_test *t)
{
    struct tally_row rows[4];
    assert_int_equal(tally_copy(t->tally, rows, 4), WORKERS);
    uint64_t stored = 0;
    for (size_t w = 0; w < WORKERS; w++) {
        assert_string_equal(rows[w].source, SOURCES[w].data);
        assert_int_equal(rows[w].rows, t->next[w]);
        assert_int_equal(rows[w].last_arrival_ns, ARRIVAL_NS);
        assert_int_equal(rows[w].lag_records, -1);
        stored += rows[w].stored_bytes;
    }
    struct tally_row total = tally_total(t->tally);
    assert_int_equal(total.rows, t->next[0] + t->next[1]);
    assert_int_equal(total.stored_bytes, stored);
    assert_true(stored > 0 && stored <= store_log_bytes(t->store));
    size_t blobs = 0;
    for (size_t i = 0; i < PARCELS; i++)
        blobs += i % BLOB_EVERY <= 1 ? 1 : 0;
    assert_int_equal(total.unparsed, (size_t)PARCELS * WORKERS + blobs);
}

static void test_order(void **state)
{
    (void)state;
    static const int64_t AGES[] = {0, 2000000, INT64_C(3600000000000)};
    for (size_t i = 0; i < COUNT(AGES); i++) {
        struct commit_test t;
        test_open(&t, AGES[i], false);
        run_workers(&t);
        assert_int_equal(committer_finish(t.committer, 0), 0);
        check_log(&t);
        check_tally(&t);
        struct committer_stats stats = committer_stats(t.committer);
        assert_int_equal(stats.frames, t.frames);
        assert_int_equal(stats.log_bytes, store_log_bytes(t.store));
        assert_false(stats.waiting_for_room);
        test_close(&t);
    }
}

static bool comes_true(struct committer *c, bool waiting)
{
    for (int i = 0; i < 5000; i++) {
        const struct timespec ms = {.tv_nsec = 1000000};
        if (committer_stats(c).waiting_for_room == waiting)
            return true;
        (void)nanosleep(&ms, NULL);
    }
    return false;
}

/* No room: the committer waits, says so, and goes on where it stopped once there is room. */
static void test_full_disk(void **state)
{
    (void)state;
    struct commit_test t;
    test_open(&t, 0, false);
    assert_int_equal(committer_submit(t.committer, 0, make_parcel(&t, 0, true)), 0);
    for (int i = 0; i < 5000 && committer_stats(t.committer).frames == 0; i++) {
        const struct timespec ms = {.tv_nsec = 1000000};
        (void)nanosleep(&ms, NULL);
    }
    /* The rules change while the committer has nothing to write. */
    assert_int_equal(fault_set("ENOSPC@write=log/:1;ENOSPC@write=log/:2"), 0);
    assert_int_equal(committer_submit(t.committer, 1, make_parcel(&t, 1, false)), 0);
    assert_true(comes_true(t.committer, true));
    assert_int_equal(committer_error(t.committer), 0);
    assert_int_equal(t.told[1], 0);
    assert_int_equal(committer_submit(t.committer, 0, make_parcel(&t, 0, false)), 0);
    assert_true(comes_true(t.committer, false));
    assert_int_equal(committer_finish(t.committer, INT64_C(60000000000)), 0);
    check_log(&t);
    test_close(&t);
}

/* Told to pause, it writes nothing and loses nothing, and goes on when it may. */
static void test_pause(void **state)
{
    (void)state;
    struct commit_test t;
    test_open(&t, 0, false);
    committer_pause(t.committer, true);
    assert_int_equal(committer_submit(t.committer, 0, make_parcel(&t, 0, true)), 0);
    assert_int_equal(committer_submit(t.committer, 1, make_parcel(&t, 1, false)), 0);
    assert_true(comes_true(t.committer, true));
    assert_int_equal(committer_stats(t.committer).frames, 0);
    assert_int_equal(store_last_seq(t.store), 0);
    assert_int_equal(committer_error(t.committer), 0);
    committer_pause(t.committer, false);
    assert_true(comes_true(t.committer, false));
    assert_int_equal(committer_finish(t.committer, INT64_C(60000000000)), 0);
    check_log(&t);
    test_close(&t);
}

static void test_give_up(void **state)
{
    (void)state;
    struct commit_test t;
    /* Told to finish, it waits for room no longer than it is told. */
    test_open(&t, 0, false);
    assert_int_equal(fault_set("ENOSPC@write=log/:1+"), 0);
    assert_int_equal(committer_submit(t.committer, 0, make_parcel(&t, 0, false)), 0);
    assert_int_equal(committer_finish(t.committer, 1), ERR_AGAIN);
    assert_int_equal(t.told[0], 0);
    assert_int_equal(tally_total(t.tally).rows, 0);
    test_close(&t);
    /* A replay does not wait at all. */
    test_open(&t, 0, true);
    assert_int_equal(fault_set("ENOSPC@write=log/:1+"), 0);
    assert_int_equal(committer_submit(t.committer, 0, make_parcel(&t, 0, false)), 0);
    for (int i = 0; i < 5000 && committer_error(t.committer) == 0; i++) {
        const struct timespec ms = {.tv_nsec = 1000000};
        (void)nanosleep(&ms, NULL);
    }
    assert_int_equal(committer_submit(t.committer, 1, make_parcel(&t, 1, false)), ERR_AGAIN);
    assert_int_equal(committer_finish(t.committer, 0), ERR_AGAIN);
    test_close(&t);
}

/* A write that fails is final: nothing is told as committed after it, and nobody waits for ever. */
static void test_broken_disk(void **state)
{
    (void)state;
    struct commit_test t;
    test_open(&t, 0, false);
    assert_int_equal(fault_set("EIO@sync=log/:1+"), 0);
    int status = 0;
    for (int i = 0; i < 200 && status == 0; i++)
        status = committer_submit(t.committer, 0, make_parcel(&t, 0, false));
    assert_int_equal(status, ERR_IO);
    assert_int_equal(committer_finish(t.committer, INT64_C(60000000000)), ERR_IO);
    assert_int_equal(t.frames, 0);
    assert_int_equal(t.told[0], 0);
    test_close(&t);
}

/* A parcel that covers one offset of many partitions and has no rows. */
static struct parcel *make_wide(int64_t start)
{
    struct parcel *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->tenant = 990001;
    p->source = SOURCES[0];
    p->newest_arrival_ns = ARRIVAL_NS;
    p->entries = arena_array(&p->arena, DISTINCT, sizeof(*p->entries));
    struct frame_range *range = arena_array(&p->arena, 1, sizeof(*range));
    assert_non_null(p->entries);
    assert_non_null(range);
    *range = (struct frame_range){FRAME_RANGE_GAP, start, start + 1, SLICE("no record")};
    for (int32_t i = 0; i < DISTINCT; i++)
        p->entries[p->entry_count++] =
            (struct frame_entry){TOPICS[0], i, start, start + 1, range, 1};
    return p;
}

/* More entries than a frame may have become several frames. */
static void test_many_entries(void **state)
{
    (void)state;
    struct commit_test t;
    test_open(&t, INT64_C(3600000000000), false);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(committer_submit(t.committer, 0, make_wide(i)), 0);
    assert_int_equal(committer_finish(t.committer, 0), 0);
    assert_int_equal(t.told[0], 5);
    assert_true(t.frames >= 3);
    test_close(&t);
}

struct answers {
    struct commit_test *test;
    _Atomic bool over;
    uint64_t marks;
    uint64_t ends;
    int64_t last_ns;
};

static struct parcel *answer_of(const struct mark *mark)
{
    struct parcel *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->mark = true;
    p->tick_ns = mark->tick_ns;
    p->tick_flags = (mark->flags & DETECT_TICK_END) != 0 ? FRAME_FLAG_INPUT_END : 0;
    p->newest_arrival_ns = CLOCK_NONE;
    return p;
}

/* Both workers in one: answers every mark. */
static void *answer_main(void *arg)
{
    struct answers *a = arg;
    uint64_t seen = 0;
    while (!a->over) {
        struct mark mark;
        const struct timespec wait = {.tv_nsec = 2000000};
        if (!committer_mark(a->test->committer, &seen, &mark)) {
            (void)nanosleep(&wait, NULL);
            continue;
        }
        a->marks++;
        a->ends += (mark.flags & DETECT_TICK_END) != 0;
        a->last_ns = mark.tick_ns;
        for (unsigned w = 0; w < WORKERS; w++)
            (void)committer_submit(a->test->committer, w, answer_of(&mark));
    }
    return NULL;
}

static uint64_t frames_with(const struct commit_test *t, uint32_t flag)
{
    const struct log_reader_options options = {.dir = t->dir.path};
    struct log_reader *reader = NULL;
    struct diag diag = {0};
    struct frame_view view;
    uint64_t count = 0;
    assert_int_equal(log_reader_open(&reader, &options, &diag), 0);
    while (ledger_read(&view, reader, &diag) == 0)
        count += (view.flags & flag) != 0;
    log_reader_close(reader);
    diag_release(&diag);
    return count;
}

/* The end of the input is a mark that comes at once, is the last, and is waited for until it is durable. */
static void test_end_input(void **state)
{
    (void)state;
    struct commit_test t;
    pthread_t thread;
    open_with(&t, 0, false, true);
    struct answers a = {.test = &t};
    assert_int_equal(committer_end_input(t.committer, clock_monotonic_ns()), ERR_AGAIN);
    assert_int_equal(frames_with(&t, FRAME_FLAG_INPUT_END), 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_main, &a), 0);
    int64_t until_ns = clock_monotonic_ns() + 30 * CLOCK_NS_PER_SECOND;
    assert_int_equal(committer_end_input(t.committer, until_ns), 0);
    assert_int_equal(frames_with(&t, FRAME_FLAG_INPUT_END), 1);
    const struct timespec second = {.tv_sec = 1, .tv_nsec = 100000000};
    (void)nanosleep(&second, NULL);
    a.over = true;
    (void)pthread_join(thread, NULL);
    assert_int_equal(a.ends, 1);
    assert_true(a.marks <= 2); /* one may have been announced before it was asked for the end */
    test_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),       cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_pause),       cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_broken_disk), cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_end_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
