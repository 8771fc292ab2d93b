/*
 * Every parser against its golden pairs, tests/golden/<format>/NAME.log and NAME.expected: one line
 * of slots per line of log. SEKISHO_GOLDEN_UPDATE=1 rewrites what is expected.
 */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "event/verdict.h"
#include "ingest/format_ask.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "tests/fuzz/slots_check.h"

enum {
    PATH_BYTES = 512,
};

/* What is done with every line of a format's golden logs. */
typedef void (*line_check)(const struct parser *parser, struct parser_state *state,
                           struct slice line, struct buf *expected);

static const char *golden_root(void)
{
    const char *root = getenv("SEKISHO_GOLDEN");
    return root == NULL ? "tests/golden" : root;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s does not open", path);
    char chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(out, chunk, got);
    (void)fclose(file);
    assert_true(buf_ok(out));
}

static void write_file(const char *path, struct slice content)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        fail_msg("%s cannot be written", path);
    assert_int_equal(fwrite(content.data, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

/* Control characters and backslashes are written \xNN: a TAB or LF separates slots and lines. */
static void print_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == 0x7f || byte == '\\') {
            buf_printf(out, "\\x%02x", byte);
        } else {
            buf_byte(out, (char)byte);
        }
    }
}

static const char *kind_name(uint8_t kind)
{
    static const char *const NAMES[SLOT_KIND_COUNT] = {
        [SLOT_PLAIN] = "plain",      [SLOT_C_ESCAPED] = "c",     [SLOT_CSV_DOUBLED] = "csv",
        [SLOT_JSON_STRING] = "json", [SLOT_PERCENT] = "percent", [SLOT_FORM] = "form",
        [SLOT_KEY] = "key",          [SLOT_NULL] = "null",       [SLOT_CEF] = "cef",
    };
    return NAMES[kind];
}

/* The name of an unnamed value: the keys around it. */
static void print_keys(struct buf *out, struct slice line, const struct slots *slots, uint32_t i)
{
    const struct slot *keys[SLOT_DEPTH_MAX] = {0};
    uint32_t missing = slots->items[i].depth + 1U;
    while (missing > 0) {
        const struct slot *slot = &slots->items[--i];
        if (slot->kind == SLOT_KEY && slot->depth + 1U == missing)
            keys[--missing] = slot;
    }
    for (uint32_t depth = 0; depth < SLOT_DEPTH_MAX && keys[depth] != NULL; depth++) {
        if (depth > 0)
            buf_byte(out, '.');
        print_text(out, slice_of(line.data + keys[depth]->offset, keys[depth]->length));
    }
}

/* "source.ip|plain|192.0.2.7", "xid=|plain|7" for an unnamed key, "column 3|csv|x" by position. */
static void print_slot(struct buf *out, struct slice line, const struct slots *slots, uint32_t i)
{
    const struct slot *slot = &slots->items[i];
    if (slot->field == FIELD_UNNAMED) {
        print_keys(out, line, slots, i);
        buf_byte(out, '=');
    } else if (slot->field >= FIELD_COLUMN_FIRST) {
        buf_printf(out, "column %d", slot->field - FIELD_COLUMN_FIRST);
    } else {
        buf_slice(out, field_info(slot->field)->name);
    }
    buf_printf(out, "|%s|", kind_name(slot->kind));
    print_text(out, slice_of(line.data + slot->offset, slot->length));
}

static struct slice first_value(struct slice line, const struct slots *slots, uint16_t field)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        if (slots->items[i].field == field)
            return slice_of(line.data + slots->items[i].offset, slots->items[i].length);
    }
    return SLICE("");
}

static void print_line(const struct parser *parser, struct parser_state *state, struct slice line,
                       struct buf *out)
{
    static struct slots slots;
    slots.count = 0;
    enum parse_result result = parser->parse(state, line, 0, &slots);
    if (result == PARSE_MISMATCH) {
        buf_text(out, "!mismatch\n");
        return;
    }
    bool first = true;
    if (result == PARSE_PARTIAL) {
        buf_text(out, "!partial");
        first = false;
    }
    for (uint32_t i = 0; i < slots.count; i++) {
        if (slots.items[i].kind == SLOT_KEY)
            continue;
        if (!first)
            buf_byte(out, '\t');
        first = false;
        print_slot(out, line, &slots, i);
    }
    struct slice action = first_value(line, &slots, FIELD_EVENT_ACTION);
    if (action.len == 0)
        action = first_value(line, &slots, parser->verdict_else);
    if (action.len > 0 && parser->verdict != NULL) {
        struct slice beside = first_value(line, &slots, parser->verdict_beside);
        buf_text(out, "\tverdict=");
        uint8_t verdict = parser->verdict(action, beside);
        buf_slice(out, verdict_name(verdict & ~(unsigned)VERDICT_OF_THREAT));
        buf_text(out, (verdict & VERDICT_OF_THREAT) != 0 ? " if of a threat" : "");
    }
    buf_byte(out, '\n');
}

/* The line itself, without and with a used state; every truncation of it; a header before it. */
static void check_line(const struct parser *parser, struct parser_state *state, struct slice line,
                       struct buf *expected)
{
    static const char HEADER[] = "<134>Nov 21 18:00:00 gw ";
    static struct slots plain;
    static struct slots shifted;
    const uint32_t from = sizeof(HEADER) - 1;
    (void)expected;
    for (size_t len = 0; len <= line.len; len++)
        (void)slots_check_line(parser, state, line.data, len);

    struct buf text = {0};
    buf_append(&text, HEADER, from);
    buf_slice(&text, line);
    struct slice headed = slots_line(text.data, text.len, '=');
    plain.count = 0;
    shifted.count = 0;
    enum parse_result result = parser->parse(state, line, 0, &plain);
    assert_int_equal(result, parser->parse(state, headed, from, &shifted));
    if (result != PARSE_MISMATCH) {
        slots_check(&shifted, headed, from);
        for (uint32_t i = 0; i < shifted.count; i++)
            shifted.items[i].offset -= from;
        assert_true(slots_equal(&plain, &shifted));
    }
    slots_line_release(headed);
    buf_release(&text);
}

/* A line of ours is not taken by a probe that `--format auto` asks earlier. */
static void check_probe(const struct parser *parser, struct parser_state *state, struct slice line,
                        struct buf *expected)
{
    static struct slots slots;
    (void)expected;
    slots.count = 0;
    if (parser->parse(state, line, 0, &slots) != PARSE_OK)
        return;
    for (size_t i = 0; parser_at(i) != parser; i++) {
        if (parser_at(i)->probe(line))
            fail_msg("%s takes a line of %s: %.60s", parser_at(i)->name, parser->name, line.data);
    }
}

/* Pairs of which a line alone cannot tell: there the source's habit decides. */
static bool is_ambiguous(const struct parser *parser, const struct parser *settled)
{
    return parser->format == FORMAT_SQUID && settled->format == FORMAT_COMBINED;
}

/* A line of ours stays ours, whatever its source has settled on: else closer.def lacks a line. */
static void check_settled(const struct parser *parser, struct parser_state *state,
                          struct slice line, struct buf *expected)
{
    static struct slots slots;
    (void)expected;
    slots.count = 0;
    if (parser->parse(state, line, 0, &slots) != PARSE_OK || !parser->probe(line))
        return;
    for (size_t i = 0; parser_at(i) != NULL; i++) {
        const struct parser *settled = parser_at(i);
        struct format_ask ask = {.settled = settled->format};
        const struct parser *p = NULL;
        while ((p = format_ask_next(&ask, line)) != NULL && p != parser) {
            struct parser_state *other = p->state_new == NULL ? NULL : p->state_new();
            slots.count = 0;
            if (!is_ambiguous(parser, settled) && p->parse(other, line, 0, &slots) == PARSE_OK)
                fail_msg("a source of %s takes a line of %s as %s: %.60s", settled->name,
                         parser->name, p->name, line.data);
            if (other != NULL)
                p->state_free(other);
        }
        assert_ptr_equal(p, parser);
    }
}

static void print_check(const struct parser *parser, struct parser_state *state, struct slice line,
                        struct buf *expected)
{
    print_line(parser, state, line, expected);
}

static void each_line(const struct parser *parser, struct slice log, line_check check,
                      struct buf *expected)
{
    struct parser_state *state = parser->state_new == NULL ? NULL : parser->state_new();
    size_t from = 0;
    while (from < log.len) {
        const char *end = memchr(log.data + from, '\n', log.len - from);
        size_t len = end == NULL ? log.len - from : (size_t)(end - log.data) - from;
        size_t bare = len > 0 && log.data[from + len - 1] == '\r' ? len - 1 : len;
        struct slice line = slots_line(log.data + from, bare, '"');
        check(parser, state, line, expected);
        slots_line_release(line);
        from += len + 1;
    }
    if (state != NULL)
        parser->state_free(state);
}

static void compare(const char *path, struct slice got)
{
    struct buf want = {0};
    if (getenv("SEKISHO_GOLDEN_UPDATE") != NULL) {
        write_file(path, got);
        return;
    }
    read_file(path, &want);
    size_t line = 1;
    for (size_t i = 0; i < got.len && i < want.len && got.data[i] == want.data[i]; i++)
        line += got.data[i] == '\n';
    if (!slice_equal(got, buf_content(&want)))
        fail_msg("%s:%zu differs (SEKISHO_GOLDEN_UPDATE=1 rewrites it)", path, line);
    buf_release(&want);
}

/* One golden log; without a check, its slots are compared with what is expected. */
static void one_log(const struct parser *parser, const char *name, size_t stem, line_check check)
{
    char path[PATH_BYTES];
    struct buf log = {0};
    struct buf got = {0};
    int length = snprintf(path, sizeof(path), "%s/%s/%s", golden_root(), parser->name, name);
    assert_in_range(length, 1, sizeof(path) - sizeof(".expected"));
    read_file(path, &log);
    each_line(parser, buf_content(&log), check == NULL ? print_check : check, &got);
    if (check == NULL) {
        size_t dot = (size_t)length - strlen(name) + stem;
        (void)snprintf(path + dot, sizeof(path) - dot, ".expected");
        compare(path, buf_content(&got));
    }
    buf_release(&log);
    buf_release(&got);
}

static void each_log(line_check check)
{
    for (size_t i = 0; parser_at(i) != NULL; i++) {
        const struct parser *parser = parser_at(i);
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof(path), "%s/%s", golden_root(), parser->name);
        assert_in_range(length, 1, sizeof(path) - 1);
        DIR *folder = opendir(path);
        if (folder == NULL)
            fail_msg("%s has no golden pairs in %s", parser->name, path);
        assert(folder != NULL);
        size_t logs = 0;
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            size_t len = strlen(entry->d_name);
            if (len <= 4 || strcmp(entry->d_name + len - 4, ".log") != 0)
                continue;
            one_log(parser, entry->d_name, len - 4, check);
            logs++;
        }
        (void)closedir(folder);
        assert_true(logs > 0);
    }
}

static void test_golden_slots(void **state)
{
    (void)state;
    each_log(NULL);
}

static void test_truncated_and_shifted(void **state)
{
    (void)state;
    each_log(check_line);
}

static void test_probes(void **state)
{
    (void)state;
    each_log(check_probe);
}

static void test_settled_sources(void **state)
{
    (void)state;
    each_log(check_settled);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; parser_at(i) != NULL; i++) {
        const struct parser *parser = parser_at(i);
        assert_ptr_equal(parser_get(parser->format), parser);
        assert_ptr_equal(parser_find(slice_from(parser->name)), parser);
        assert_true((parser->state_new == NULL) == (parser->state_free == NULL));
    }
    assert_null(parser_get(FORMAT_AUTO));
    assert_null(parser_get(UINT16_MAX));
    assert_null(parser_find(SLICE("fortigat")));
    assert_null(parser_find(SLICE("")));
}

/* More keys than a state remembers, in lines that share none: nothing is lost. */
/* Who chooses the keys must not choose which of them meet in the memory of keys. */
static void test_key_order_seed(void **state)
{
    struct parser_state *first = parser_fortigate.state_new();
    struct parser_state *second = parser_fortigate.state_new();
    uint32_t apart = 0;
    (void)state;
    for (int c = 'a'; c <= 'z'; c++) {
        char text[SCAN_BLOCK] = {(char)c, '='};
        uint32_t in_first = 0;
        uint32_t in_second = 0;
        assert_null(key_order_find(pairs_order(first), text, 2, &in_first));
        assert_null(key_order_find(pairs_order(second), text, 2, &in_second));
        apart += in_first != in_second;
    }
    assert_true(apart > 0);
    parser_fortigate.state_free(first);
    parser_fortigate.state_free(second);
}

static void test_key_order_overflows(void **state)
{
    (void)state;
    struct parser_state *memory = parser_fortigate.state_new();
    assert_non_null(memory);
    struct buf line = {0};
    for (unsigned round = 0; round < 40; round++) {
        buf_reset(&line);
        buf_text(&line, "date=2026-11-21 time=10:00:00");
        for (unsigned i = 0; i < 60; i++) {
            const char *quote = i % 2 == 0 ? "" : "\"";
            buf_printf(&line, " key%u_%u=%s%u%s", round % 7, i * round, quote, i, quote);
        }
        assert_int_equal(slots_check_line(&parser_fortigate, memory, line.data, line.len),
                         PARSE_OK);
    }
    parser_fortigate.state_free(memory);
    buf_release(&line);
}

static void test_more_values_than_slots(void **state)
{
    static struct slots slots;
    struct buf line = {0};
    (void)state;
    for (unsigned i = 0; i < SLOTS_MAX; i++)
        buf_printf(&line, "srcip=192.0.2.%u ", i % 250);
    assert_int_equal(slots_check_line(&parser_fortigate, NULL, line.data, line.len), PARSE_PARTIAL);
    struct slice copy = slots_line(line.data, line.len, ' ');
    slots.count = 0;
    (void)parser_fortigate.parse(NULL, copy, 0, &slots);
    assert_in_range(slots.count, SLOTS_MAX - 1, SLOTS_MAX);
    slots_line_release(copy);
    buf_release(&line);
}

/* The parts of a URL as "field=text" joined by blanks. */
static void assert_url(const char *url, const char *want)
{
    static struct slots slots;
    struct buf got = {0};
    struct slice line = slots_line(url, strlen(url), '/');
    slots.count = 0;
    assert_true(url_slots(&slots, line, 0, (uint32_t)line.len, SLOT_PLAIN));
    slots_check(&slots, line, 0);
    for (uint32_t i = 0; i < slots.count; i++) {
        if (i > 0)
            buf_byte(&got, ' ');
        print_slot(&got, line, &slots, i);
    }
    assert_string_equal(buf_string(&got), want);
    slots_line_release(line);
    buf_release(&got);
}

static void test_url_parts(void **state)
{
    (void)state;
    assert_url("http://www.example.com:8080/a/b?c=d#e",
               "url.scheme|plain|http url.domain|plain|www.example.com url.port|plain|8080 "
               "url.path|plain|/a/b url.query|plain|c=d url.fragment|plain|e");
    assert_url("https://[2001:db8::1]:8443/",
               "url.scheme|plain|https url.domain|plain|2001:db8::1 url.port|plain|8443 "
               "url.path|plain|/");
    assert_url("ftp://taro:word@files.example.net/x@y",
               "url.scheme|plain|ftp url.username|plain|taro:word "
               "url.domain|plain|files.example.net url.path|plain|/x@y");
    assert_url("http://example.com?q=1", "url.scheme|plain|http url.domain|plain|example.com "
                                         "url.query|plain|q=1");
    assert_url("/p?u=https://example.org/",
               "url.path|plain|/p url.query|plain|u=https://example.org/");
    assert_url("example.com:443", "url.domain|plain|example.com url.port|plain|443");
    assert_url("[2001:db8::2]:443", "url.domain|plain|2001:db8::2 url.port|plain|443");
    assert_url("2001:db8::2:443", "url.original|plain|2001:db8::2:443");
    assert_url("http://", "url.scheme|plain|http");
    assert_url("http://[2001:db8::1", "url.scheme|plain|http url.domain|plain|[2001:db8::1");
    assert_url("mailto:taro@example.jp", "url.original|plain|mailto:taro@example.jp");
    assert_url("example.com/a", "url.original|plain|example.com/a");
    assert_url("*", "url.original|plain|*");
    assert_url("", "url.original|plain|");
    assert_url("/", "url.path|plain|/");
}

static void assert_account(const char *account, const char *domain, const char *name)
{
    static struct slots slots;
    struct slice line = slots_line(account, strlen(account), '\\');
    slots.count = 0;
    assert_true(account_slots(&slots, line, 0, (uint32_t)line.len, SLOT_PLAIN));
    slots_check(&slots, line, 0);
    assert_true(slice_equal(first_value(line, &slots, FIELD_USER_DOMAIN), slice_from(domain)));
    assert_true(slice_equal(first_value(line, &slots, FIELD_USER_NAME), slice_from(name)));
    slots_line_release(line);
}

static void test_accounts(void **state)
{
    (void)state;
    assert_account("taro", "", "taro");
    assert_account("EXAMPLE\\taro", "EXAMPLE", "taro");
    assert_account("EXAMPLE\\\\taro", "EXAMPLE", "taro");
    assert_account("\\taro", "", "taro");
    assert_account("EXAMPLE\\", "", "EXAMPLE\\");
    assert_account("taro@example.jp", "", "taro@example.jp");
    assert_account("\x95\x5c\x8e\xa6", "", "\x95\x5c\x8e\xa6"); /* CP932 */
    assert_account("", "", "");
}

static void test_url_slots_full(void **state)
{
    static struct slots slots;
    (void)state;
    slots.count = SLOTS_MAX - 2;
    struct slice line = slots_line("http://a/b?c", 12, ' ');
    assert_false(url_slots(&slots, line, 0, 12, SLOT_PLAIN));
    assert_int_equal(slots.count, SLOTS_MAX);
    slots_line_release(line);
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(url_host_is_address(SLICE("192.0.2.7")));
    assert_true(url_host_is_address(SLICE("2001:db8::1")));
    assert_true(url_host_is_address(SLICE("::ffff:192.0.2.7")));
    assert_false(url_host_is_address(SLICE("ab.1.2.3")));
    assert_false(url_host_is_address(SLICE("www.example.com")));
    assert_false(url_host_is_address(SLICE("fade")));
    assert_false(url_host_is_address(SLICE("")));
    assert_false(url_host_is_address(SLICE("0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0")));
    assert_false(url_host_is_address(SLICE("192.0.2.7 ")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_slots),
        cmocka_unit_test(test_truncated_and_shifted),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_settled_sources),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_key_order_seed),
        cmocka_unit_test(test_key_order_overflows),
        cmocka_unit_test(test_more_values_than_slots),
        cmocka_unit_test(test_url_parts),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_url_slots_full),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
