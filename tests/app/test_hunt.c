/* What an update of lists changed, whatever cut it off; and the hunt over a history of parsed lines. */
#include <string.h>

#include "app/hunt_plan.h"
#include "app/hunt_report.h"
#include "base/err.h"
#include "ingest/ingest.h"
#include "tests/store/log_dir.h"

enum {
    EAST = 990019,
    WEST = 990027,
    LISTS = 2,
};

#define START_NS INT64_C(1763686800000000000) /* 2025-11-21T01:00:00Z */

/* ------------------------------------------------------------------------------ plans */

struct plan_test {
    struct log_dir dir;
    struct store *store;
    struct list_file files[LISTS];
    struct lists lists;
    struct hunt_plan plan;
    bool needed;
};

static void plan_begin(struct plan_test *t)
{
    static const char *const NAMES[LISTS] = {"a", "b \"\n"};
    memset(t, 0, sizeof(*t));
    log_dir_make(&t->dir);
    assert_int_equal(log_dir_open(&t->store, &t->dir), 0);
    t->lists = (struct lists){.files = t->files, .count = LISTS};
    for (size_t i = 0; i < LISTS; i++) {
        t->files[i].source = (struct indicator_source){.name = slice_from(NAMES[i]),
                                                       .version = SLICE("1"),
                                                       .path = "p",
                                                       .expires_ns = INT64_MAX};
    }
}

static void plan_end(struct plan_test *t)
{
    hunt_plan_release(&t->plan);
    store_close(t->store);
    log_dir_remove(&t->dir);
}

static void set_list(struct plan_test *t, size_t list, const char *content)
{
    assert_int_equal(sha256_of(&t->files[list].hash, slice_from(content)), 0);
}

/* A frame that names the list's content, as the first one of a session does. */
static void log_list(struct plan_test *t, size_t list, const char *content, int64_t tick_ns)
{
    struct frame_env env;
    struct buf name = {0};
    buf_text(&name, "list/");
    buf_slice(&name, t->files[list].source.name);
    assert_int_equal(store_env_put(t->store, &env, buf_content(&name), slice_from(content)), 0);
    const struct frame_parts parts = {.tick_ns = tick_ns, .envs = &env, .env_count = 1};
    assert_int_equal(store_append(t->store, &parts), 0);
    buf_release(&name);
}

static void make(struct plan_test *t)
{
    hunt_plan_release(&t->plan);
    t->needed = false;
    assert_int_equal(hunt_plan_make(&t->plan, &t->needed, t->dir.path, t->store, &t->lists), 0);
}

static bool is_pending(const struct plan_test *t)
{
    char path[300];
    struct file_info info;
    (void)snprintf(path, sizeof(path), "%s/reports/pending", t->dir.path);
    return file_stat(&info, path) == 0;
}

/* What the list at hand was, by its content; NULL: nothing. */
static void check_before(const struct plan_test *t, size_t list, const char *content)
{
    const struct hunt_list *l = &t->plan.lists[list];
    struct sha256 hash;
    assert_true(l->has_before == (content != NULL));
    if (content == NULL)
        return;
    assert_int_equal(sha256_of(&hash, slice_from(content)), 0);
    assert_true(sha256_equal(&hash, &l->before));
}

static void test_plan(void **state)
{
    (void)state;
    struct plan_test t;
    plan_begin(&t);
    set_list(&t, 0, "one");
    set_list(&t, 1, "two");
    make(&t);
    assert_false(t.needed); /* no history */
    assert_false(is_pending(&t));
    log_list(&t, 0, "one", START_NS);
    log_list(&t, 1, "two", START_NS + 1);
    make(&t);
    assert_false(t.needed); /* nothing changed */
    set_list(&t, 1, "two and more");
    make(&t);
    assert_true(t.needed);
    assert_int_equal(t.plan.count, LISTS);
    assert_int_equal(t.plan.last_seq, 2);
    assert_int_equal(t.plan.tick_ns, START_NS + 1);
    check_before(&t, 0, "one");
    check_before(&t, 1, "two");
    assert_true(is_pending(&t));
    char name[sizeof(t.plan.name)];
    memcpy(name, t.plan.name, sizeof(name));
    make(&t);
    assert_string_equal(name, t.plan.name); /* the same update, the same name */
    set_list(&t, 1, "two");
    make(&t);
    assert_false(t.needed); /* taken back */
    assert_false(is_pending(&t));
    plan_end(&t);
}

/* The hunt did not end: what it was for is not forgotten, though the log has the new lists. */
static void test_cut_off(void **state)
{
    (void)state;
    struct plan_test t;
    plan_begin(&t);
    set_list(&t, 0, "one");
    set_list(&t, 1, "new");
    log_list(&t, 0, "one", START_NS);
    make(&t);
    assert_true(t.needed);
    check_before(&t, 1, NULL); /* a list that was not there */
    log_list(&t, 1, "new", START_NS + 1);
    log_list(&t, 0, "one", START_NS + 2);
    make(&t);
    assert_true(t.needed);
    check_before(&t, 1, NULL);
    assert_int_equal(t.plan.last_seq, 1); /* what came since was watched */
    set_list(&t, 0, "one and more");
    make(&t);
    assert_true(t.needed);
    check_before(&t, 0, "one");
    check_before(&t, 1, NULL);
    assert_int_equal(t.plan.last_seq, 3); /* another update: the history of today */
    log_list(&t, 0, "one and more", START_NS + 3);
    hunt_plan_done(t.dir.path);
    make(&t);
    assert_false(t.needed);
    plan_end(&t);
}

static void test_broken_pending(void **state)
{
    (void)state;
    static const char *const BROKEN[] = {
        "", "{", "[]", "{\"seq\": -1, \"lists\": [{\"name\": 5}, 7]}",
        "{\"seq\": 1, \"lists\": [{\"name\": \"a\", \"before\": \"zz\"}]}"};
    for (size_t i = 0; i < COUNT(BROKEN); i++) {
        struct plan_test t;
        char path[300];
        plan_begin(&t);
        set_list(&t, 0, "one");
        set_list(&t, 1, "two");
        log_list(&t, 0, "one", START_NS);
        log_list(&t, 1, "two", START_NS + 1);
        (void)snprintf(path, sizeof(path), "%s/reports", t.dir.path);
        assert_int_equal(dir_create(path), 0);
        (void)snprintf(path, sizeof(path), "%s/reports/pending", t.dir.path);
        assert_int_equal(file_write_atomic(path, slice_from(BROKEN[i])), 0);
        make(&t);
        /* A list of which the earlier version is unknown is new as a whole. */
        assert_true(t.needed == (i == COUNT(BROKEN) - 1));
        plan_end(&t);
    }
}

/* ------------------------------------------------------------------------------ hunts */

struct history {
    struct log_dir dir;
    struct store *store;
    struct codec *codec;
    struct feed_bench *bench;
    struct domain_list *domains;
    struct buf blob;
    size_t blobs;
    int64_t offset;
    struct feed_environment environment; /* the bench borrows it */
};

static int closed(void *self, struct batch *b)
{
    struct history *h = self;
    assert_int_equal(codec_encode(h->codec, b, &h->blob), 0);
    return 0;
}

static void history_begin(struct history *h)
{
    memset(h, 0, sizeof(*h));
    log_dir_make(&h->dir);
    assert_int_equal(log_dir_open(&h->store, &h->dir), 0);
    h->codec = codec_new(1);
    assert_non_null(h->codec);
    assert_int_equal(domain_open(&h->domains, NULL), 0);
    h->environment.domains = h->domains;
    assert_int_equal(feed_bench_new(&h->bench, &h->environment), 0);
}

static void history_end(struct history *h)
{
    feed_bench_free(h->bench);
    domain_close(h->domains);
    codec_free(h->codec);
    buf_release(&h->blob);
    store_close(h->store);
    log_dir_remove(&h->dir);
}

/* The lines of a municipality, a frame of one batch; offsets go on through all frames. */
static void add_lines(struct history *h, uint32_t tenant, uint16_t format, const char *const *lines,
                      size_t count)
{
    struct feed *feed = NULL;
    char topic[64];
    (void)snprintf(topic, sizeof(topic), "seclog.raw.%06u.fw1", tenant);
    const struct feed_options options = {.tenant = tenant,
                                         .topic = slice_from(topic),
                                         .source = SLICE("fw1"),
                                         .format = format,
                                         .zone_minutes = 540,
                                         .rows_max = 100,
                                         .closed = closed,
                                         .self = h};
    struct buf line = {0};
    int64_t begin = 0;
    if (store_end_offset(h->store, slice_from(topic), 0, &begin) != 0)
        begin = 0;
    assert_int_equal(feed_open(&feed, h->bench, &options), 0);
    for (size_t i = 0; i < count; i++) {
        struct feed_result result;
        buf_reset(&line);
        buf_printf(&line, "%s\n", lines[i]);
        const struct record record = {.offset = begin + (int64_t)i,
                                      .arrival_ns = START_NS,
                                      .reference_ns = START_NS,
                                      .value = buf_content(&line)};
        assert_int_equal(feed_record(feed, &record, &result), 0);
        assert_int_equal(result.unparsed, 0);
    }
    buf_reset(&h->blob);
    assert_int_equal(feed_close(feed), 0);
    feed_free(feed);
    buf_release(&line);
    const struct slice batch = buf_content(&h->blob);
    const struct frame_range range = {FRAME_RANGE_DATA, begin, begin + (int64_t)count, {NULL, 0}};
    const struct frame_entry entry = {slice_from(topic), 0, begin, range.end, &range, 1};
    const struct frame_parts parts = {.tick_ns = START_NS,
                                      .entries = &entry,
                                      .entry_count = 1,
                                      .batches = &batch,
                                      .batch_count = 1};
    assert_int_equal(store_append(h->store, &parts), 0);
}

#define FIREWALL(second, source, destination, port, action)                             \
    "date=2025-11-21 time=10:00:" second " tz=\"+0900\" type=\"traffic\" srcip=" source \
    " srcport=40000 dstip=" destination " dstport=" port " action=\"" action "\""
#define PROXY(second, source, url)                                    \
    "17636868" second ".000 100 " source " TCP_MISS/200 512 GET " url \
    " - HIER_DIRECT/203.0.113.5 text/html"

static void add_history(struct history *h)
{
    static const char *const EAST_FIREWALL[] = {
        FIREWALL("05", "10.1.0.5", "198.51.100.7", "443", "accept"),
        FIREWALL("06", "10.1.0.6", "198.51.100.7", "443", "deny"),
        FIREWALL("01", "10.1.0.7", "203.0.113.77", "80", "accept"),
        FIREWALL("02", "198.51.100.7", "10.1.0.8", "22", "deny"), /* a knock */
        FIREWALL("03", "10.1.0.9", "192.0.2.9", "8080", "accept"),
        FIREWALL("04", "10.1.0.9", "192.0.2.9", "8081", "accept"),
    };
    static const char *const WEST_PROXY[] = {
        PROXY("10", "10.2.0.5", "http://www.evil.example/index.html"),
        PROXY("11", "10.2.0.6", "http://bad.example:8000/gate.php?id=7"),
        PROXY("12", "10.2.0.6", "http://bad.example:8000/other"),
        "1763686813.000 100 10.2.0.7 TCP_MISS/200 512 GET http://198.51.100.7/x - HIER_NONE/- text/html",
        PROXY("14", "10.2.0.7", "http://fine.example/panel/login.php"),
    };
    static const char *const EAST_LATER[] = {
        FIREWALL("59", "10.1.0.5", "198.51.100.7", "443", "accept"),
    };
    add_lines(h, EAST, FORMAT_FORTIGATE, EAST_FIREWALL, COUNT(EAST_FIREWALL));
    add_lines(h, WEST, FORMAT_SQUID, WEST_PROXY, COUNT(WEST_PROXY));
    add_lines(h, EAST, FORMAT_FORTIGATE, EAST_LATER, COUNT(EAST_LATER));
}

/* Hunt for the entries: "name tenant rows refused first last" a finding, offsets for first and last. */
static void hunt(struct history *h, const char *list, struct hunt_options *options,
                 struct hunt_result *result, struct buf *out)
{
    struct log_index *index = NULL;
    struct indicator_set *set = NULL;
    struct diag diag = {0};
    const struct indicator_source sources[] = {
        {.name = SLICE("l"),
         .version = SLICE("1"),
         .content = slice_from(list),
         .path = "l",
         .expires_ns = INT64_MAX},
        {.name = SLICE("p"),
         .version = SLICE("1"),
         .content = SLICE("/panel/login.php\n"),
         .path = "p",
         .type = INDICATOR_TYPE_PATH,
         .expires_ns = INT64_MAX},
    };
    bool paths = strstr(list, "#paths") != NULL;
    assert_int_equal(indicator_set_new(&set, sources, paths ? 2 : 1, NULL, &diag), 0);
    assert_int_equal(log_index_open(&index, h->dir.path, &diag), 0);
    assert_int_equal(diag.count, 0);
    options->index = index;
    options->set = set;
    assert_int_equal(hunt_run(result, options, &diag), 0);
    assert_true((result->damaged != 0) == (diag.count != 0));
    for (size_t i = 0; i < result->count; i++) {
        const struct hunt_finding *f = &result->findings[i];
        struct indicator_info info;
        indicator_describe(&info, set, f->entry, INT64_MIN);
        buf_printf(out, "%.*s %06u %llu %llu %lld %lld\n", (int)info.text.len, info.text.data,
                   f->tenant, (unsigned long long)f->count, (unsigned long long)f->refused,
                   (long long)f->first.offset, (long long)f->last.offset);
    }
    struct buf page = {0};
    const struct hunt_report report = {.result = result, .set = set, .at_ns = INT64_MIN};
    hunt_report_json(&page, &report);
    hunt_report_table(&page, &report, 0);
    hunt_report_summary(&page, &report);
    assert_true(buf_ok(&page));
    assert_true((strstr(buf_string(&page), "INCOMPLETE") == NULL) == hunt_is_whole(result));
    buf_release(&page);
    indicator_set_free(set);
    log_index_close(index);
    diag_release(&diag);
}

static struct hunt_options everything(void)
{
    return (struct hunt_options){.last_seq = UINT64_MAX,
                                 .since_ns = INT64_MIN,
                                 .until_ns = INT64_MAX,
                                 .findings_max = HUNT_FINDINGS_DEFAULT};
}

static void check(struct history *h, const char *list, struct hunt_options options,
                  const char *expected)
{
    struct hunt_result result;
    struct buf out = {0};
    hunt(h, list, &options, &result, &out);
    assert_string_equal(buf_string(&out), expected);
    hunt_release(&result);
    buf_release(&out);
}

static void test_entries(void **state)
{
    (void)state;
    struct history h;
    history_begin(&h);
    add_history(&h);
    check(&h, "198.51.100.7\n", everything(),
          "198.51.100.7 990019 3 1 0 6\n198.51.100.7 990027 1 0 3 3\n");
    check(&h, "203.0.113.64/26\n", everything(), "203.0.113.64/26 990019 1 0 2 2\n");
    check(&h, "192.0.2.9:8080\n", everything(), "192.0.2.9:8080 990019 1 0 4 4\n");
    check(&h, "evil.example\n", everything(), "evil.example 990027 1 0 0 0\n");
    check(&h, "bad.example:8000\n", everything(), "bad.example:8000 990027 2 0 1 2\n");
    check(&h, "http://bad.example:8000/gate.php\n", everything(),
          "bad.example:8000/gate.php 990027 1 0 1 1\n");
    check(&h, "http://bad.example/gate.php\nnever.example\n192.0.2.99\n", everything(), "");
    check(&h, "#paths\n", everything(), "/panel/login.php 990027 1 0 4 4\n");
    check(&h, "evil.example\n198.51.100.7\n#paths\n", everything(),
          "evil.example 990027 1 0 0 0\n198.51.100.7 990019 3 1 0 6\n198.51.100.7 990027 1 0 3 3\n"
          "/panel/login.php 990027 1 0 4 4\n");
    history_end(&h);
}

static void test_bounds(void **state)
{
    (void)state;
    struct history h;
    struct hunt_options o = everything();
    history_begin(&h);
    add_history(&h);
    o.tenant = WEST;
    check(&h, "198.51.100.7\n", o, "198.51.100.7 990027 1 0 3 3\n");
    o = everything();
    o.last_seq = 1;
    check(&h, "198.51.100.7\n", o, "198.51.100.7 990019 2 1 0 1\n");
    o = everything();
    o.since_ns = START_NS + 6 * INT64_C(1000000000);
    o.until_ns = START_NS + 59 * INT64_C(1000000000);
    o.tenant = EAST;
    check(&h, "198.51.100.7\n", o, "198.51.100.7 990019 1 1 1 1\n");
    history_end(&h);
}

/* A budget ends the hunt at the old end, and that is said. */
static void test_budgets(void **state)
{
    (void)state;
    struct history h;
    struct hunt_result result;
    struct buf out = {0};
    atomic_bool stop = true;
    history_begin(&h);
    add_history(&h);
    struct hunt_options o = everything();
    o.bytes_max = 1;
    hunt(&h, "198.51.100.7\n", &o, &result, &out);
    assert_string_equal(buf_string(&out), "198.51.100.7 990019 1 0 6 6\n");
    assert_int_equal(result.end, HUNT_BYTES);
    assert_false(hunt_is_whole(&result));
    hunt_release(&result);
    o = everything();
    o.findings_max = 1;
    buf_reset(&out);
    hunt(&h, "198.51.100.7\n", &o, &result, &out);
    assert_string_equal(buf_string(&out), "198.51.100.7 990019 3 1 0 6\n");
    assert_int_equal(result.left_out, 1);
    assert_int_equal(result.knocks, 1);
    assert_false(hunt_is_whole(&result));
    hunt_release(&result);
    o = everything();
    o.stop = &stop;
    hunt(&h, "198.51.100.7\n", &o, &result, &out);
    assert_int_equal(result.end, HUNT_STOPPED);
    assert_int_equal(result.batches, 0);
    hunt_release(&result);
    buf_release(&out);
    history_end(&h);
}

/* A batch, in the middle. */
static void damage(struct history *h, const char *path, struct slice blob)
{
    struct buf bytes = {0};
    store_close(h->store);
    h->store = NULL;
    assert_int_equal(file_read_all(&bytes, path, 1 << 20), 0);
    char *batch = memmem(bytes.data, bytes.len, blob.data, blob.len);
    assert_non_null(batch);
    batch[blob.len / 2] = (char)(batch[blob.len / 2] ^ 1);
    assert_int_equal(file_write_atomic(path, buf_content(&bytes)), 0);
    buf_release(&bytes);
}

static void test_damage(void **state)
{
    (void)state;
    struct history h;
    struct log_index *index = NULL;
    struct indicator_set *set = NULL;
    struct hunt_result result;
    struct diag diag = {0};
    char path[FILE_PATH_BYTES_MAX];
    const struct indicator_source source = {.name = SLICE("l"),
                                            .version = SLICE("1"),
                                            .content = SLICE("198.51.100.7\n"),
                                            .path = "l",
                                            .expires_ns = INT64_MAX};
    history_begin(&h);
    struct buf blob = {0};
    add_history(&h);
    buf_slice(&blob, buf_content(&h.blob));
    add_history(&h); /* damage at the very end would be a torn tail */
    damage(&h, log_dir_file(path, &h.dir, 1), buf_content(&blob));
    buf_release(&blob);
    assert_int_equal(indicator_set_new(&set, &source, 1, NULL, &diag), 0);
    assert_int_equal(log_index_open(&index, h.dir.path, &diag), 0);
    struct hunt_options o = everything();
    o.index = index;
    o.set = set;
    assert_int_equal(hunt_run(&result, &o, &diag), 0);
    assert_int_equal(result.damaged, 1);
    assert_false(hunt_is_whole(&result));
    assert_non_null(strstr(diag_text(&diag), path));
    assert_int_equal(result.count, 2);
    assert_int_equal(result.findings[0].count, 5); /* of six, one is in the damaged batch */
    hunt_release(&result);
    indicator_set_free(set);
    log_index_close(index);
    diag_release(&diag);
    history_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),           cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_broken_pending), cmocka_unit_test(test_entries),
        cmocka_unit_test(test_bounds),         cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
