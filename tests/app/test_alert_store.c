/* Alerts and controls of a log as people see them; evidence by place against the rows as built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/alert_store.h"
#include "app/evidence.h"
#include "base/clock.h"
#include "tests/app/sample_store.h"

enum {
    TENANT = 990019,
    OTHER = 52027,
    ALERTS = 3000,
    PLACES = 300,
};

#define SECOND CLOCK_NS_PER_SECOND
#define DAY    (86400 * SECOND)

/* What an alert of the test says. */
struct said {
    uint64_t number; /* its id */
    uint32_t tenant;
    uint32_t revision;
    const char *state;
    const char *severity;
    const char *kind;
};

static struct alert_id id_of(uint64_t number)
{
    struct alert_id id = {0};
    bytes_put64(id.bytes, number * UINT64_C(0x9e3779b97f4a7c15));
    bytes_put64(id.bytes + 8, number);
    return id;
}

static void put_record(struct buf *out, const struct said *a)
{
    struct buf line = {0};
    buf_printf(
        &line,
        "{\"alert.revision\":%u,\"alert.state\":\"%s\",\"alert.kind\":\"%s\","
        "\"alert.severity\":\"%s\",\"alert.count\":1,\"alert.first\":\"2026-11-21T00:00:00Z\","
        "\"alert.last\":\"2026-11-21T00:00:%02uZ\"}",
        a->revision, a->state, a->kind, a->severity, a->revision % 60);
    const struct alert_record record = {.tenant = a->tenant,
                                        .revision = a->revision,
                                        .id = id_of(a->number),
                                        .line = buf_content(&line)};
    alert_record_put(out, &record);
    buf_release(&line);
}

/* One frame with one alert and one control, either of which may be absent. */
static void append(struct store *st, const struct said *alert, const char *control)
{
    struct buf record = {0};
    int64_t tick_ns = store_last_tick_ns(st);
    if (alert != NULL)
        put_record(&record, alert);
    const struct slice alerts[] = {buf_content(&record)};
    const struct slice controls[] = {slice_from(control == NULL ? "" : control)};
    const struct frame_parts parts = {
        .tick_ns = tick_ns < 0 ? 0 : tick_ns + SECOND,
        .alerts = {.items = alerts, .count = alert != NULL},
        .controls = {.items = controls, .count = control != NULL},
    };
    assert_int_equal(store_append(st, &parts), 0);
    buf_release(&record);
}

static void put_control(struct buf *out, const char *action, uint64_t number, const char *rest)
{
    struct alert_id id = id_of(number);
    buf_reset(out);
    buf_printf(out, "{\"action\":\"%s\",\"id\":\"", action);
    for (size_t i = 0; i < ALERT_ID_BYTES; i++)
        buf_printf(out, "%02x", id.bytes[i]);
    buf_printf(out, "\",\"reason\":\"r\",\"by\":\"b\",\"at\":\"2026-11-21T01:00:00Z\"%s}", rest);
}

static void handle(struct store *st, const char *action, uint64_t number, const char *rest)
{
    struct buf json = {0};
    put_control(&json, action, number, rest);
    append(st, NULL, buf_string(&json));
    buf_release(&json);
}

static struct alert_store *open_alerts(const struct log_dir *d, uint32_t tenant)
{
    const struct alert_store_options options = {
        .dir = d->path, .has_tenant = tenant != 0, .tenant = tenant};
    struct alert_store *s = NULL;
    struct diag diag = {0};
    assert_int_equal(alert_store_open(&s, &options, &diag), 0);
    assert_int_equal(diag.count, 0);
    diag_release(&diag);
    return s;
}

static const struct alert_entry *entry(const struct alert_store *s, uint64_t number)
{
    struct alert_id id = id_of(number);
    return alert_store_find(s, &id);
}

static void keeps_the_highest_revision(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct buf line = {0};
    struct buf record = {0};
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    append(st, &(struct said){1, TENANT, 1, "open", "high", "D3"}, NULL);
    append(st, &(struct said){2, OTHER, 1, "open", "low", "zone"}, NULL);
    append(st, &(struct said){1, TENANT, 3, "closed", "critical", "D3"}, NULL);
    append(st, &(struct said){1, TENANT, 2, "amended", "medium", "D3"}, NULL);
    struct alert_store *s = open_alerts(&d, 0);
    assert_int_equal(alert_store_count(s), 2);
    const struct alert_entry *e = entry(s, 1);
    assert_int_equal(e->revision, 3);
    assert_int_equal(e->severity, ALERT_CRITICAL);
    assert_string_equal(alert_entry_state(e), "closed");
    assert_string_equal(e->kind, "D3");
    assert_int_equal(e->last_ns - e->first_ns, 3 * SECOND);
    put_record(&record, &(struct said){1, TENANT, 3, "closed", "critical", "D3"});
    assert_int_equal(alert_store_line(s, e, &line), 0);
    struct alert_record want;
    assert_int_equal(alert_record_take(&want, buf_content(&record)), 0);
    assert_true(slice_equal(buf_content(&line), want.line));
    alert_store_close(s);
    s = open_alerts(&d, OTHER);
    assert_int_equal(alert_store_count(s), 1);
    assert_null(entry(s, 1));
    assert_non_null(entry(s, 2));
    alert_store_close(s);
    store_close(st);
    buf_release(&line);
    buf_release(&record);
    log_dir_remove(&d);
}

static void keeps_many(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    for (uint64_t n = 0; n < ALERTS; n++)
        append(st, &(struct said){n, TENANT, 1 + (uint32_t)(n % 3), "open", "low", "D1"}, NULL);
    struct alert_store *s = open_alerts(&d, 0);
    assert_int_equal(alert_store_count(s), ALERTS);
    for (uint64_t n = 0; n < ALERTS; n++) {
        assert_non_null(entry(s, n));
        assert_int_equal(entry(s, n)->revision, 1 + n % 3);
    }
    assert_null(entry(s, ALERTS));
    alert_store_close(s);
    store_close(st);
    log_dir_remove(&d);
}

static void applies_controls(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    for (uint64_t n = 0; n < 6; n++)
        append(st, &(struct said){n, TENANT, 1, n == 5 ? "superseded" : "open", "low", "D3"}, NULL);
    handle(st, "ack", 1, "");
    handle(st, "close", 2, "");
    handle(st, "ack", 2, "");
    handle(st, "suppress", 3, ",\"until\":\"2027-01-01T00:00:00Z\"");
    handle(st, "close", 4, ",\"tenant\":\"052027\"");
    handle(st, "close", 5, "");
    append(st, NULL, "not a control");
    append(st, &(struct said){1, TENANT, 2, "amended", "low", "D3"}, NULL);
    struct alert_store *s = open_alerts(&d, 0);
    static const char *const STATES[] = {"open",   "acknowledged", "closed",
                                         "closed", "open",         "superseded"};
    for (uint64_t n = 0; n < 6; n++)
        assert_string_equal(alert_entry_state(entry(s, n)), STATES[n]);
    for (uint64_t n = 0; n < 6; n++)
        assert_int_equal(alert_entry_amended_since(entry(s, n)), n == 1);
    const struct alert_control *c = alert_store_control(s, entry(s, 1)->control);
    assert_string_equal(c->what.reason, "r");
    assert_string_equal(c->by, "b");
    assert_int_equal(c->at_ns, entry(s, 1)->first_ns + 3600 * SECOND);
    alert_store_close(s);
    store_close(st);
    log_dir_remove(&d);
}

/* Who acknowledges knows what was released before the control's frame; what comes later is news. */
static void tells_what_was_added_since(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct buf ack = {0};
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    append(st, &(struct said){1, TENANT, 1, "open", "low", "D3"}, NULL);
    append(st, &(struct said){1, TENANT, 2, "amended", "low", "D3"}, NULL);
    handle(st, "ack", 1, "");
    struct alert_store *s = open_alerts(&d, 0);
    assert_false(alert_entry_amended_since(entry(s, 1)));
    alert_store_close(s);
    put_control(&ack, "ack", 1, "");
    append(st, &(struct said){1, TENANT, 3, "amended", "low", "D3"}, buf_string(&ack));
    s = open_alerts(&d, 0);
    assert_string_equal(alert_entry_state(entry(s, 1)), "acknowledged");
    assert_true(alert_entry_amended_since(entry(s, 1)));
    alert_store_close(s);
    handle(st, "ack", 1, "");
    s = open_alerts(&d, 0);
    assert_false(alert_entry_amended_since(entry(s, 1)));
    alert_store_close(s);
    handle(st, "close", 1, "");
    append(st, &(struct said){1, TENANT, 4, "closed", "low", "D3"}, NULL);
    s = open_alerts(&d, 0);
    assert_string_equal(alert_entry_state(entry(s, 1)), "closed");
    assert_false(alert_entry_amended_since(entry(s, 1)));
    alert_store_close(s);
    store_close(st);
    buf_release(&ack);
    log_dir_remove(&d);
}

static size_t in_force(const struct alert_store *s, int64_t now_ns)
{
    uint64_t begin = 0;
    uint64_t end = 0;
    size_t count = 0;
    alert_store_controls(s, &begin, &end);
    for (; begin < end; begin++)
        count += alert_store_in_force(s, begin, now_ns);
    return count;
}

static void knows_what_is_in_force(void **state)
{
    (void)state;
    static const char *const CONTROLS[] = {
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"key\":\"source.ip=192.0.2.1\",\"reason\":\"a\","
        "\"until\":\"2026-12-01T00:00:00Z\"}",
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"key\":\"source.ip=192.0.2.2\",\"reason\":\"b\","
        "\"until\":\"2026-12-02T00:00:00Z\"}",
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"key\":\"source.ip=192.0.2.1\",\"reason\":\"c\","
        "\"until\":\"2026-12-03T00:00:00Z\"}",
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"key\":\"source.ip=192.0.2.2\",\"reason\":\"d\","
        "\"until\":\"2026-11-22T00:00:00Z\"}",
        "{\"action\":\"suppress\",\"kind\":\"D3\",\"key\":\"source.ip=192.0.2.2\",\"reason\":\"e\","
        "\"tenant\":\"990019\",\"until\":\"2026-12-02T00:00:00Z\"}",
    };
    struct log_dir d;
    struct store *st = NULL;
    int64_t day = 0;
    log_dir_make(&d);
    assert_int_equal(log_dir_open(&st, &d), 0);
    for (size_t i = 0; i < COUNT(CONTROLS); i++)
        append(st, NULL, CONTROLS[i]);
    struct alert_store *s = open_alerts(&d, 0);
    assert_int_equal(clock_parse(&day, SLICE("2026-11-21T12:00:00Z")), 0);
    assert_int_equal(in_force(s, day), 3); /* c, d and the municipality's own e */
    assert_int_equal(in_force(s, day + DAY), 2);
    assert_int_equal(in_force(s, day + 11 * DAY), 1);
    assert_int_equal(in_force(s, day + 12 * DAY), 0);
    alert_store_close(s);
    store_close(st);
    log_dir_remove(&d);
}

/* ------------------------------------------------------------------------------ following */

struct visits {
    size_t count;
    uint32_t revision;
};

static int visit(void *self, const struct alert_entry *e)
{
    struct visits *v = self;
    v->count++;
    v->revision = e->revision;
    assert_true(e->known);
    return 0;
}

static void follows_the_log(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct buf json = {0};
    struct visits v = {0};
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    append(st, &(struct said){1, TENANT, 1, "open", "low", "D3"}, NULL);
    struct alert_store *s = open_alerts(&d, 0);
    assert_int_equal(alert_store_follow(s, visit, &v), 0);
    assert_int_equal(v.count, 0);
    for (uint32_t r = 2; r < 400; r++)
        append(st, &(struct said){1, TENANT, r, "amended", "low", "D3"}, NULL);
    assert_int_equal(alert_store_follow(s, visit, &v), 0);
    assert_int_equal(v.count, 398);
    assert_int_equal(v.revision, 399);
    put_control(&json, "ack", 1, "");
    assert_int_equal(alert_store_await(s, buf_content(&json), 30 * SECOND / 1000), ERR_AGAIN);
    append(st, NULL, buf_string(&json));
    assert_int_equal(alert_store_await(s, buf_content(&json), 10 * SECOND), 0);
    assert_string_equal(alert_entry_state(entry(s, 1)), "acknowledged");
    alert_store_close(s);
    store_close(st);
    buf_release(&json);
    log_dir_remove(&d);
}

/* A damaged frame costs its file's rest, by name; what stands in other files is listed. */
static void goes_on_behind_damage(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *st = NULL;
    struct diag diag = {0};
    struct alert_store *s = NULL;
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    log_dir_make(&d);
    assert_int_equal(log_dir_open_with(&st, &d, LEDGER_FILE_BYTES_MIN, 0), 0);
    for (uint64_t n = 0; n < ALERTS; n++)
        append(st, &(struct said){n, TENANT, 1, "open", "low", "D1"}, NULL);
    store_close(st);
    assert_int_equal(file_read_all(&bytes, log_dir_file(path, &d, 1), 1 << 24), 0);
    memset(bytes.data + bytes.len / 2, 0xff, 400);
    assert_int_equal(file_write_atomic(path, buf_content(&bytes)), 0);
    const struct alert_store_options options = {.dir = d.path};
    assert_int_equal(alert_store_open(&s, &options, &diag), 0);
    assert_int_not_equal(alert_store_damage(s), 0);
    assert_int_not_equal(diag.count, 0);
    assert_non_null(entry(s, 0));
    assert_non_null(entry(s, ALERTS - 1));
    assert_true(alert_store_count(s) < ALERTS);
    alert_store_close(s);
    diag_release(&diag);
    buf_release(&bytes);
    log_dir_remove(&d);
}

/* ------------------------------------------------------------------------------ evidence */

static void reads_places(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",
        "a/1/2",
        "/0/1/2",
        "a/0/1/",
        "a//1/2",
        "a/0/1/x",
        "a/0/-1/2",
        "a/0/1/2/ ",
        "a/2147483648/1/2",
        "a/0/9223372036854775808/0",
        "a/0/1/4294967296",
    };
    struct evidence_place p;
    assert_int_equal(evidence_parse(&p, SLICE("seclog.raw.990019.fw1/3/9223372036854775807/2")), 0);
    assert_true(slice_equal(p.topic, SLICE("seclog.raw.990019.fw1")));
    assert_int_equal(p.partition, 3);
    assert_true(p.offset == INT64_MAX);
    assert_int_equal(p.sub, 2);
    for (size_t i = 0; i < COUNT(WRONG); i++)
        assert_int_equal(evidence_parse(&p, slice_from(WRONG[i])), ERR_FORMAT);
}

static void finds_lines_by_place(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct evidence items[PLACES] = {{.owner = 0}};
    struct buf line = {0};
    struct diag diag = {0};
    sample_open(&s, 41, 120, INT64_C(4) * LEDGER_FILE_BYTES_MIN);
    const struct evidence_log log = {.dir = s.dir.path};
    for (size_t i = 0; i < PLACES; i++) {
        size_t at = lines_below(&s.lines, (uint32_t)s.row_count);
        const struct sample_row *r = &s.rows[at];
        items[i].owner = at;
        items[i].place = (struct evidence_place){r->topic, r->partition, r->offset, r->sub};
    }
    items[0].place.sub = 1000; /* of no row */
    items[1].place.offset = INT64_MAX - 1;
    items[2].place.topic = SLICE("seclog.raw.052027.none");
    assert_int_equal(evidence_find(items, PLACES, &log, &diag), 0);
    size_t found = 0;
    for (size_t i = 0; i < PLACES; i++) {
        const struct sample_row *r = &s.rows[items[i].owner];
        found += items[i].found;
        if (!items[i].found)
            continue;
        buf_reset(&line);
        assert_int_equal(batch_render(r->batch, r->row, &line), 0);
        assert_true(slice_equal(buf_content(&line), buf_content(&items[i].line)));
        buf_release(&items[i].line);
    }
    assert_int_equal(found, PLACES - 3);
    assert_int_equal(diag.count, 0);
    buf_release(&line);
    sample_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_highest_revision), cmocka_unit_test(keeps_many),
        cmocka_unit_test(tells_what_was_added_since), cmocka_unit_test(applies_controls),
        cmocka_unit_test(knows_what_is_in_force),     cmocka_unit_test(follows_the_log),
        cmocka_unit_test(goes_on_behind_damage),      cmocka_unit_test(reads_places),
        cmocka_unit_test(finds_lines_by_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
