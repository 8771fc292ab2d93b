#include <arpa/inet.h>
#include <maxminddb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/gen.h"
#include "app/gen_calendar.h"
#include "app/gen_mmdb.h"
#include "app/gen_text.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "ingest/parsers.h"
#include "ingest/syslog.h"

enum {
    LINES = 60000,
    LINE_BYTES_MAX = 8192,
};

static struct gen *open_gen(const struct gen_options *o)
{
    struct gen *g = NULL;
    struct diag diag = {0};
    int result = gen_open(&g, o, &diag);
    if (result != 0)
        print_error("%s", diag_text(&diag));
    assert_int_equal(result, 0);
    diag_release(&diag);
    return g;
}

static struct gen_options small_options(void)
{
    struct gen_options o;
    gen_options_init(&o);
    o.tenants = 6;
    o.pcs_max = 300;
    o.days = 1;
    o.events = LINES;
    return o;
}

/* Hash of all lines with their sources; counts them. */
static uint64_t hash_run(const struct gen_options *o, uint64_t *count)
{
    struct gen *g = open_gen(o);
    struct gen_line line;
    uint64_t hash = 1;
    int result = 0;
    *count = 0;
    while ((result = gen_next(g, &line)) == 0) {
        hash = hash_slice(hash, line.line) + line.tenant + line.source_index;
        (*count)++;
    }
    assert_int_equal(result, ERR_NOTFOUND);
    struct buf labels = {0};
    gen_print_labels(&labels, g);
    hash = hash_slice(hash, buf_content(&labels));
    buf_release(&labels);
    gen_close(g);
    return hash;
}

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    struct diag diag = {0};
    assert_int_equal(gen_options_inject(&o, SLICE("all:2"), &diag), 0);
    o.mess_permille = 20;
    uint64_t first_count = 0;
    uint64_t second_count = 0;
    uint64_t first = hash_run(&o, &first_count);
    uint64_t second = hash_run(&o, &second_count);
    assert_true(first_count > LINES / 2 && first_count <= LINES);
    assert_int_equal(first_count, second_count);
    assert_int_equal(first, second);
    o.seed = 2;
    assert_int_not_equal(first, hash_run(&o, &second_count));
}

static void test_codes_have_check_digits(void **state)
{
    (void)state;
    assert_int_equal(gen_world_code(1100), 11002);   /* Sapporo: 01100-2 */
    assert_int_equal(gen_world_code(13104), 131041); /* Shinjuku */
    assert_int_equal(gen_world_code(47201), 472018); /* Naha */
    struct gen_options o = small_options();
    o.tenants = 180;
    struct gen *g = open_gen(&o);
    for (uint32_t i = 0; i < gen_tenant_count(g); i++) {
        uint32_t code = gen_tenant(g, i)->code;
        assert_int_equal(code / 10000, 99);
        assert_int_equal(gen_world_code(code / 10), code);
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(gen_tenant(g, k)->code, code);
    }
    gen_close(g);
}

static void test_holidays(void **state)
{
    (void)state;
    assert_int_equal(gen_calendar_weekday(clock_days(2026, 10, 5)), 0);
    assert_true(gen_calendar_holiday(clock_days(2026, 10, 12))); /* second Monday: sports day */
    assert_true(gen_calendar_holiday(clock_days(2026, 9, 22)));  /* between two holidays */
    assert_true(gen_calendar_holiday(clock_days(2026, 9, 23)));  /* autumnal equinox */
    assert_true(gen_calendar_holiday(clock_days(2026, 5, 6)));   /* substitute */
    assert_true(gen_calendar_holiday(clock_days(2027, 3, 22)));  /* substitute of the equinox */
    assert_true(gen_calendar_holiday(clock_days(2026, 12, 29)));
    assert_false(gen_calendar_holiday(clock_days(2026, 10, 5)));
    assert_false(gen_calendar_holiday(clock_days(2023, 1, 4)));
    assert_false(gen_calendar_holiday(clock_days(2026, 5, 7)));
}

/* Whether an IPv4 address is one that documentation, benchmarks or private networks may use. */
static bool allowed_ipv4(uint32_t a)
{
    return a >> 24 == 10 || a >> 16 == 0xC0A8 || a >> 17 == 0xC612 >> 1 || a >> 8 == 0xC00002 ||
           a >> 8 == 0xC63364 || a >> 8 == 0xCB0071 || a == 0;
}

/* Every dotted quad in the line; versions such as 537.36.0.1 do not occur, Chrome/138.0.0.0 does. */
static void check_addresses(struct slice line)
{
    for (size_t at = 0; at < line.len; at++) {
        bool starts = line.data[at] >= '0' && line.data[at] <= '9' &&
                      (at == 0 || strchr(" =,\":/(\\", line.data[at - 1]) != NULL);
        if (!starts || (at >= 7 && memcmp(line.data + at - 7, "Chrome/", 7) == 0) ||
            (at >= 4 && memcmp(line.data + at - 4, "Edg/", 4) == 0))
            continue;
        size_t end = at;
        while (end < line.len && end - at < 15 &&
               ((line.data[end] >= '0' && line.data[end] <= '9') || line.data[end] == '.'))
            end++;
        char text[16] = {0};
        memcpy(text, line.data + at, end - at);
        struct in_addr address;
        if (inet_pton(AF_INET, text, &address) == 1 && !allowed_ipv4(ntohl(address.s_addr)))
            fail_msg("%s in %.*s", text, (int)line.len, line.data);
        at = end;
    }
    const char *v6 = memmem(line.data, line.len, "2001:", 5);
    if (v6 != NULL)
        assert_memory_equal(v6, "2001:db8:", 9);
}

static void test_order_addresses_formats(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    struct gen *g = open_gen(&o);
    struct gen_line line;
    int64_t last = 0;
    uint64_t of_format[GEN_FORMATS] = {0};
    uint64_t per_hour[24] = {0};
    while (gen_next(g, &line) == 0) {
        assert_true(line.time_ns >= last && line.time_ns >= GEN_START_NS);
        assert_true(line.time_ns < GEN_START_NS + GEN_DAY_NS);
        last = line.time_ns;
        assert_true(line.line.len > 60 && line.line.len < 2000);
        assert_null(memchr(line.line.data, '\n', line.line.len));
        const struct gen_tenant *t = gen_tenant(g, line.tenant_index);
        of_format[t->sources[line.source_index].format]++;
        assert_string_equal(t->sources[line.source_index].name, line.source);
        per_hour[(line.time_ns - GEN_START_NS) / GEN_HOUR_NS]++;
        check_addresses(line.line);
    }
    for (size_t f = 0; f < GEN_FORMATS; f++)
        assert_true(of_format[f] > 500);
    /* Quiet nights, peaks at lunch and in the morning. */
    assert_true(per_hour[3] * 20 < per_hour[10]);
    assert_true(per_hour[12] > per_hour[10] * 3 / 2 && per_hour[9] > per_hour[11]);
    gen_close(g);
}

static void test_mix(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    struct diag diag = {0};
    assert_int_equal(gen_options_formats(&o, SLICE("fortigate=60,squid=40"), &diag), 0);
    struct gen *g = open_gen(&o);
    struct gen_line line;
    uint64_t firewall = 0;
    uint64_t all = 0;
    for (; gen_next(g, &line) == 0; all++)
        firewall += strcmp(line.format, "fortigate") == 0;
    assert_true(firewall * 100 > all * 52 && firewall * 100 < all * 68);
    gen_close(g);
    assert_int_equal(gen_options_formats(&o, SLICE("fortigat=1"), &diag), ERR_CONF);
    assert_int_equal(gen_options_formats(&o, SLICE("squid=x"), &diag), ERR_CONF);
    assert_int_equal(gen_options_inject(&o, SLICE("skan"), &diag), ERR_CONF);
    assert_int_equal(diag.count, 3);
    diag_release(&diag);
}

static bool holds(struct slice line, const char *text)
{
    return memmem(line.data, line.len, text, strlen(text)) != NULL;
}

static void test_labels_name_planted_lines(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    struct diag diag = {0};
    o.days = 2;
    o.events = 2UL * LINES;
    assert_int_equal(gen_options_inject(&o, SLICE("all:3"), &diag), 0);
    struct gen *g = open_gen(&o);
    uint32_t count = gen_label_count(g);
    assert_int_equal(count, GEN_CASE_KINDS * 3U * 2U);
    uint64_t *lines = calloc(count, sizeof(*lines));
    assert_non_null(lines);
    struct gen_line line;
    while (gen_next(g, &line) == 0) {
        if (line.planted < 0)
            continue;
        struct gen_label label;
        gen_label(&label, g, (uint32_t)line.planted);
        bool roams = strcmp(label.name, "lgwan_spread") == 0;
        assert_true(label.tenant == line.tenant || roams);
        assert_true(line.time_ns >= label.first_ns && line.time_ns <= label.last_ns);
        lines[line.planted]++;
        /* What the label says of the source stands in the lines of the first device. */
        if (line.source_index != 0 || gen_tenant(g, line.tenant_index)->proxies > 0)
            continue;
        for (uint32_t k = 0; k < label.key_count; k++) {
            bool source = strcmp(label.keys[k].name, "source.ip") == 0;
            assert_true(!source || holds(line.line, label.keys[k].value));
        }
    }
    uint32_t complete = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gen_label label;
        gen_label(&label, g, i);
        assert_int_equal(label.lines, lines[i]);
        assert_true(label.key_count > 0);
        assert_int_equal(label.expect_alert, i % 2 == 0);
        complete += label.complete;
    }
    assert_true(complete >= count - 2);
    struct buf text = {0};
    gen_print_labels(&text, g);
    size_t printed = 0;
    for (size_t i = 0; i < text.len; i++)
        printed += text.data[i] == '\n';
    assert_int_equal(printed, complete);
    buf_release(&text);
    free(lines);
    gen_close(g);
}

static void test_silence_is_silent(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    struct diag diag = {0};
    o.events = 200000;
    assert_int_equal(gen_options_inject(&o, SLICE("silence"), &diag), 0);
    struct gen *g = open_gen(&o);
    struct gen_label label;
    struct gen_line line;
    uint64_t other = 0;
    gen_label(&label, g, 0);
    while (gen_next(g, &line) == 0) {
        if (line.time_ns < label.first_ns || line.time_ns >= label.last_ns)
            continue;
        bool same = line.tenant == label.tenant && strcmp(line.source, label.keys[0].value) == 0;
        assert_false(same);
        other++;
    }
    assert_true(other > 100);
    gen_close(g);
}

/* A run of seconds: where a source falls silent or a relay restarts, no other case can be seen whole. */
static void test_short_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct gen_options o = small_options();
        struct diag diag = {0};
        o.tenants = 10;
        o.seed = seed;
        o.inject_from_ns = o.start_ns + 10 * GEN_HOUR_NS;
        o.inject_until_ns = o.inject_from_ns + 16 * CLOCK_NS_PER_SECOND;
        o.silence_from_ns = o.inject_from_ns - 290 * CLOCK_NS_PER_SECOND;
        o.silence_until_ns = o.inject_until_ns;
        assert_int_equal(
            gen_options_inject(&o, SLICE("silence,scan,ioc_ip,ioc_domain,ioc_url"), &diag), 0);
        struct gen *g = open_gen(&o);
        struct gen_label silences[2];
        struct gen_label label;
        gen_label(&silences[0], g, 0);
        gen_label(&silences[1], g, 1);
        assert_true(silences[0].expect_alert && !silences[1].expect_alert);
        for (uint32_t i = 2; i < gen_label_count(g); i++) {
            gen_label(&label, g, i);
            assert_int_not_equal(label.tenant, silences[0].tenant);
            assert_int_not_equal(label.tenant, silences[1].tenant);
        }
        gen_close(g);
    }
}

/* Later from now on, in the line as in its time. */
static void test_postpone(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    struct gen *g = open_gen(&o);
    struct gen *as_planned = open_gen(&o);
    struct gen_line line;
    struct gen_line planned;
    for (int i = 0; i < 2000; i++) {
        int64_t by_ns = i < 1000 ? 0 : 7 * CLOCK_NS_PER_SECOND;
        if (i == 1000)
            gen_postpone(g, by_ns);
        assert_int_equal(gen_next(g, &line), 0);
        assert_int_equal(gen_next(as_planned, &planned), 0);
        assert_true(line.time_ns == planned.time_ns + by_ns);
        assert_int_equal(slice_equal(line.line, planned.line), i < 1000);
    }
    assert_true(gen_time(g) == gen_time(as_planned) + 7 * CLOCK_NS_PER_SECOND);
    gen_close(g);
    gen_close(as_planned);
}

/* Whether the parser of the line's device reads it; else no format takes it for its own. */
static bool is_read(const struct gen_line *line)
{
    static struct slots slots;
    static char text[LINE_BYTES_MAX];
    const struct parser *parser = parser_find(slice_from(line->format));
    assert_true(parser != NULL && line->line.len + SLICE_PADDING_BYTES <= sizeof(text));
    memset(text, 0, sizeof(text));
    memcpy(text, line->line.data, line->line.len);
    struct slice copy = slice_of(text, line->line.len);
    slots.count = 0;
    uint32_t from = syslog_header(copy, &slots);
    if (parser->parse(NULL, copy, from, &slots) == PARSE_OK)
        return true;
    for (size_t i = 0; parser_at(i) != NULL; i++)
        assert_false(parser_at(i)->probe(slice_from_offset(copy, from)));
    return false;
}

/* The source of a drift cannot be read while it lasts, in any format, nor by the look of it. */
static void test_drift_cannot_be_read(void **state)
{
    (void)state;
    for (uint32_t f = 0; f < GEN_FORMATS; f++) {
        struct gen_options o = small_options();
        struct diag diag = {0};
        uint64_t odd = 0;
        uint64_t other = 0;
        o.share[f] = 1;
        o.events = 200000;
        assert_int_equal(gen_options_inject(&o, SLICE("drift"), &diag), 0);
        struct gen *g = open_gen(&o);
        struct gen_label labels[2];
        struct gen_line line;
        for (uint32_t i = 0; i < 2; i++)
            gen_label(&labels[i], g, i);
        assert_true(labels[0].expect_alert && !labels[1].expect_alert);
        assert_true(labels[1].last_ns - labels[1].first_ns <= 90 * CLOCK_NS_PER_SECOND);
        while (gen_next(g, &line) == 0) {
            bool in = false;
            for (uint32_t i = 0; i < 2; i++) {
                in = in || (line.tenant == labels[i].tenant && line.time_ns >= labels[i].first_ns &&
                            line.time_ns < labels[i].last_ns &&
                            strcmp(line.source, labels[i].keys[0].value) == 0);
            }
            assert_int_equal(is_read(&line), !in);
            odd += in;
            other += !in;
        }
        assert_true(odd > 100 && other > 1000);
        gen_close(g);
    }
}

static void test_mess(void **state)
{
    (void)state;
    struct gen_options o = small_options();
    o.events = 20000;
    o.mess_permille = 500;
    o.huge_permillion = 200;
    struct gen *g = open_gen(&o);
    struct gen_line line;
    uint64_t empty = 0;
    uint64_t nul = 0;
    uint64_t huge = 0;
    uint64_t returned = 0;
    while (gen_next(g, &line) == 0) {
        empty += line.line.len == 0;
        nul += line.line.len > 0 && memchr(line.line.data, '\0', line.line.len) != NULL;
        huge += line.line.len >= 10 << 20;
        returned += line.line.len > 0 && line.line.data[line.line.len - 1] == '\r';
    }
    assert_true(empty > 100 && nul > 100 && returned > 100 && huge >= 1);
    gen_close(g);
}

static void look_up(const MMDB_s *db, const char *address, bool country)
{
    int gai = 0;
    int error = 0;
    MMDB_lookup_result_s found = MMDB_lookup_string(db, address, &gai, &error);
    assert_int_equal(gai, 0);
    assert_int_equal(error, MMDB_SUCCESS);
    assert_true(found.found_entry);
    struct gen_address a = {0};
    struct in_addr four;
    if (inet_pton(AF_INET, address, &four) == 1) {
        a.value = ntohl(four.s_addr);
    } else {
        unsigned char six[16];
        assert_int_equal(inet_pton(AF_INET6, address, six), 1);
        a.v6 = true;
        a.value = (uint32_t)six[4] << 24 | (uint32_t)six[5] << 16 | (uint32_t)six[6] << 8 | six[7];
    }
    MMDB_entry_data_s data;
    if (country) {
        const char *expected = gen_country(gen_country_of(a))->code;
        assert_int_equal(MMDB_get_value(&found.entry, &data, "country", "iso_code", NULL), 0);
        assert_int_equal(data.data_size, 2);
        assert_memory_equal(data.utf8_string, expected, 2);
    } else {
        assert_int_equal(MMDB_get_value(&found.entry, &data, "autonomous_system_number", NULL), 0);
        assert_int_equal(data.uint32, gen_system_number(gen_system_of(a)));
    }
}

static void test_databases(void **state)
{
    (void)state;
    static const char *const ADDRESSES[] = {
        "198.18.0.0",   "198.18.77.3", "198.19.255.255",     "203.0.113.200",         "192.0.2.17",
        "198.51.100.1", "2001:db8::1", "2001:db8:f001:2::1", "2001:db8:ffff:ffff::1",
    };
    char dir[FILE_PATH_BYTES_MAX];
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/test_gen."), 0);
    for (int kind = GEN_MMDB_COUNTRY; kind <= GEN_MMDB_ASN; kind++) {
        struct buf bytes = {0};
        char path[FILE_PATH_BYTES_MAX + 16];
        (void)snprintf(path, sizeof(path), "%s/db%d.mmdb", dir, kind);
        assert_int_equal(gen_mmdb_make(&bytes, (enum gen_mmdb_kind)kind), 0);
        assert_int_equal(file_write_atomic(path, buf_content(&bytes)), 0);
        buf_release(&bytes);
        MMDB_s db;
        assert_int_equal(MMDB_open(path, MMDB_MODE_MMAP, &db), MMDB_SUCCESS);
        assert_true(db.metadata.node_count > 500000);
        for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++)
            look_up(&db, ADDRESSES[i], kind == GEN_MMDB_COUNTRY);
        int gai = 0;
        int error = 0;
        assert_false(MMDB_lookup_string(&db, "10.0.0.1", &gai, &error).found_entry);
        MMDB_close(&db);
    }
    assert_int_equal(dir_remove_tree(dir), 0);
}

static void test_write_dir(void **state)
{
    (void)state;
    static const char *const FILES[] = {"manifest.yaml", "config.yaml",     "labels.ndjson",
                                        "country.mmdb",  "asn.mmdb",        "lists/ip.txt",
                                        "lists/url.txt", "lists/domain.txt"};
    char dir[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX + 64];
    struct diag diag = {0};
    struct gen_options o = small_options();
    o.events = 20000;
    assert_int_equal(gen_options_inject(&o, SLICE("ioc_ip:2,ioc_domain,ioc_url"), &diag), 0);
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/test_gen."), 0);
    struct gen *g = open_gen(&o);
    uint64_t lines = 0;
    assert_int_equal(gen_write_dir(g, dir, &lines, &diag), 0);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < gen_tenant_count(g); i++) {
        const struct gen_tenant *t = gen_tenant(g, i);
        for (uint32_t k = 0; k < t->source_count; k++) {
            struct file_info info;
            (void)snprintf(path, sizeof(path), "%s/%06u/%s.log", dir, t->code, t->sources[k].name);
            assert_int_equal(file_stat(&info, path), 0);
            bytes += info.size_bytes;
        }
    }
    assert_true(lines > 10000 && bytes > lines * 150);
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        struct file_info info;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, FILES[i]);
        assert_int_equal(file_stat(&info, path), 0);
        assert_true(info.size_bytes > 0);
    }
    gen_close(g);
    /* A second run does not mix with the first. */
    g = open_gen(&o);
    assert_int_equal(gen_write_dir(g, dir, NULL, &diag), ERR_BUSY);
    gen_close(g);
    diag_release(&diag);
    assert_int_equal(dir_remove_tree(dir), 0);
}

/* The first three lines of each format for seed 1, as they are in tests/golden/gen. */
static void test_golden(void **state)
{
    (void)state;
    const char *golden = getenv("SEKISHO_GOLDEN");
    if (golden == NULL)
        golden = "tests/golden";
    for (uint32_t f = 0; f < GEN_FORMATS; f++) {
        struct gen_options o;
        struct buf expected = {0};
        struct buf got = {0};
        char path[FILE_PATH_BYTES_MAX];
        gen_options_init(&o);
        o.tenants = 2;
        o.events = 3;
        o.share[f] = 1;
        (void)snprintf(path, sizeof(path), "%s/gen/%s.log", golden,
                       gen_format_name((enum gen_format)f));
        assert_int_equal(file_read_all(&expected, path, 1 << 20), 0);
        struct gen *g = open_gen(&o);
        struct gen_line line;
        while (gen_next(g, &line) == 0) {
            buf_slice(&got, line.line);
            buf_byte(&got, '\n');
        }
        gen_close(g);
        assert_string_equal(buf_string(&got), buf_string(&expected));
        buf_release(&got);
        buf_release(&expected);
    }
}

/* A day of everything is the same whatever compiled it: its hash is in tests/golden/gen. */
static void test_golden_run(void **state)
{
    (void)state;
    const char *golden = getenv("SEKISHO_GOLDEN");
    char path[FILE_PATH_BYTES_MAX];
    struct gen_options o = small_options();
    struct diag diag = {0};
    struct buf expected = {0};
    char text[32];
    uint64_t count = 0;
    assert_int_equal(gen_options_inject(&o, SLICE("all"), &diag), 0);
    o.mess_permille = 10;
    (void)snprintf(path, sizeof(path), "%s/gen/run.hash", golden == NULL ? "tests/golden" : golden);
    assert_int_equal(file_read_all(&expected, path, 1 << 10), 0);
    (void)snprintf(text, sizeof(text), "%016llx\n", (unsigned long long)hash_run(&o, &count));
    assert_string_equal(text, buf_string(&expected));
    buf_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_codes_have_check_digits),
        cmocka_unit_test(test_holidays),
        cmocka_unit_test(test_order_addresses_formats),
        cmocka_unit_test(test_mix),
        cmocka_unit_test(test_labels_name_planted_lines),
        cmocka_unit_test(test_silence_is_silent),
        cmocka_unit_test(test_short_run),
        cmocka_unit_test(test_postpone),
        cmocka_unit_test(test_drift_cannot_be_read),
        cmocka_unit_test(test_mess),
        cmocka_unit_test(test_databases),
        cmocka_unit_test(test_write_dir),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_golden_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
