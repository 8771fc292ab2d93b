#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/rule_lines.h"
#include "base/err.h"

struct read {
    struct arena arena;
    struct diag diag;
    struct rule_lines lines;
    int err;
};

static struct read read_text(struct slice text)
{
    struct read r = {0};
    r.err = rule_lines_read(&r.lines, &r.arena, "x.lines", text, &r.diag);
    return r;
}

static void read_release(struct read *r)
{
    arena_release(&r->arena);
    diag_release(&r->diag);
}

static void check_part(const struct rule_part *part, const char *format, uint32_t line,
                       const char *lines)
{
    assert_true(slice_equal(part->format, slice_from(format)));
    assert_int_equal(part->line, line);
    if (!slice_equal(part->lines, slice_from(lines)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)part->lines.len, part->lines.data, lines);
}

static void reads_blocks(void **state)
{
    (void)state;
    struct read r = read_text(SLICE("A word about the lines.\n"
                                    "-- not a part yet\n"
                                    "== fires squid\n"
                                    "1763715600.123 one\n"
                                    "\n"
                                    "1763715600.456 two\n"
                                    "== quiet fortigate rule=base_rule\n"
                                    "date=2026-11-20\n"
                                    "-- squid\n"
                                    "three\n"
                                    "-- fortigate\n"
                                    "== fires squid\n"
                                    "no newline at the end"));
    assert_int_equal(r.err, 0);
    assert_int_equal(r.lines.count, 3);
    const struct rule_block *b = r.lines.blocks;
    assert_true(b[0].fires && !b[1].fires && b[2].fires);
    assert_int_equal(b[0].line, 3);
    assert_int_equal(b[1].line, 7);
    assert_int_equal(b[0].rule.len, 0);
    assert_true(slice_equal(b[1].rule, SLICE("base_rule")));
    assert_int_equal(b[0].part_count, 1);
    assert_int_equal(b[1].part_count, 3);
    assert_int_equal(b[2].part_count, 1);
    check_part(&b[0].parts[0], "squid", 3, "1763715600.123 one\n\n1763715600.456 two\n");
    check_part(&b[1].parts[0], "fortigate", 7, "date=2026-11-20\n");
    check_part(&b[1].parts[1], "squid", 9, "three\n");
    check_part(&b[1].parts[2], "fortigate", 11, "");
    check_part(&b[2].parts[0], "squid", 12, "no newline at the end");
    read_release(&r);
}

static void reads_nothing(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {"", "\n\n", "only words\n", "==fires squid\n", "=="};
    for (size_t i = 0; i < sizeof(EMPTY) / sizeof(EMPTY[0]); i++) {
        struct read r = read_text(slice_from(EMPTY[i]));
        assert_int_equal(r.err, 0);
        assert_int_equal(r.lines.count, 0);
        read_release(&r);
    }
    struct read r = read_text(SLICE("== fires squid\r\none\r\n"));
    assert_int_equal(r.err, 0);
    check_part(&r.lines.blocks[0].parts[0], "squid", 1, "one\r\n");
    read_release(&r);
    r = read_text(SLICE("==  fires   squid   rule=a"));
    assert_int_equal(r.err, 0);
    assert_true(slice_equal(r.lines.blocks[0].rule, SLICE("a")));
    check_part(&r.lines.blocks[0].parts[0], "squid", 1, "");
    read_release(&r);
}

static void reads_municipalities(void **state)
{
    (void)state;
    struct read r =
        read_text(SLICE("== fires squid tenant=011002 rule=a\none\n"
                        "-- squid\ntwo\n-- squid class=lgwan_deny tenant=012025\nthree\n"));
    assert_int_equal(r.err, 0);
    const struct rule_block *b = &r.lines.blocks[0];
    assert_int_equal(b->part_count, 3);
    assert_int_equal(b->parts[0].tenant, 11002);
    assert_int_equal(b->parts[1].tenant, 0);
    assert_int_equal(b->parts[2].tenant, 12025);
    assert_int_equal(b->parts[1].class, SOURCE_CLASS_INTERNET);
    assert_int_equal(b->parts[2].class, SOURCE_CLASS_LGWAN_DENY);
    assert_true(slice_equal(b->rule, SLICE("a")));
    read_release(&r);
    static const char *const BAD[] = {"tenant=", "tenant=12", "tenant=012026",
                                      "rule=a",  "class=",    "class=lgwan"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, "== fires squid\none\n-- squid %s\ntwo\n", BAD[i]);
        r = read_text(buf_content(&text));
        assert_int_equal(r.err, ERR_CONF);
        assert_non_null(strstr(diag_text(&r.diag),
                               "x.lines:3:1: only class=CLASS of a source and tenant=CODE"));
        read_release(&r);
        buf_release(&text);
    }
}

/* Bytes of any kind are lines. */
static void keeps_bytes(void **state)
{
    (void)state;
    static const char BYTES[] = "== fires squid\na\0b\n\xff=\n == quiet\n";
    struct slice text = slice_of(BYTES, sizeof(BYTES) - 1);
    struct read r = read_text(text);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.lines.count, 1);
    struct slice lines = r.lines.blocks[0].parts[0].lines;
    assert_true(slice_equal(lines, slice_from_offset(text, 15)));
    read_release(&r);
}

static void reads_many(void **state)
{
    (void)state;
    enum {
        BLOCKS = 300,
        PARTS = 9,
    };
    struct buf text = {0};
    for (int i = 0; i < BLOCKS; i++) {
        buf_printf(&text, "== %s f%d\nline %d\n", i % 2 == 0 ? "fires" : "quiet", i, i);
        for (int k = 0; k < i % PARTS; k++)
            buf_printf(&text, "-- p%d\n%d of %d\n", k, k, i);
    }
    struct read r = read_text(buf_content(&text));
    assert_int_equal(r.err, 0);
    assert_int_equal(r.lines.count, BLOCKS);
    uint32_t line = 1;
    for (int i = 0; i < BLOCKS; i++) {
        const struct rule_block *b = &r.lines.blocks[i];
        char format[16];
        char want[32];
        assert_int_equal(b->part_count, 1 + i % PARTS);
        assert_int_equal(b->line, line);
        for (int k = -1; k < i % PARTS; k++) {
            (void)snprintf(format, sizeof(format), k < 0 ? "f%d" : "p%d", k < 0 ? i : k);
            if (k < 0)
                (void)snprintf(want, sizeof(want), "line %d\n", i);
            else
                (void)snprintf(want, sizeof(want), "%d of %d\n", k, i);
            check_part(&b->parts[k + 1], format, line, want);
            line += 2;
        }
    }
    read_release(&r);
    buf_release(&text);
}

static void reports_every_fault(void **state)
{
    (void)state;
    struct read r = read_text(SLICE("== fire squid\nx\n== fires\nx\n== quiet squid all\n-- \n"
                                    "== fires squid rule=a\n"));
    assert_int_equal(r.err, ERR_CONF);
    assert_int_equal(r.lines.count, 0);
    assert_int_equal(r.diag.count, 4);
    static const char *const MESSAGES[] = {"x.lines:1:1: fires or quiet is expected",
                                           "x.lines:3:1: the name of a format is expected",
                                           "x.lines:5:1: only rule=NAME, class=CLASS",
                                           "x.lines:6:1: the name of a format is expected"};
    for (size_t i = 0; i < sizeof(MESSAGES) / sizeof(MESSAGES[0]); i++)
        assert_non_null(strstr(diag_text(&r.diag), MESSAGES[i]));
    read_release(&r);
}

static void says_when_memory_is_out(void **state)
{
    (void)state;
    struct read r = {.arena = {.limit_bytes = 2000}};
    struct buf text = {0};
    for (int i = 0; i < 1000; i++)
        buf_text(&text, "== fires squid\n");
    assert_int_equal(rule_lines_read(&r.lines, &r.arena, "x", buf_content(&text), &r.diag),
                     ERR_NOMEM);
    assert_int_equal(r.lines.count, 0);
    buf_release(&text);
    read_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_blocks),
        cmocka_unit_test(reads_nothing),
        cmocka_unit_test(reads_municipalities),
        cmocka_unit_test(keeps_bytes),
        cmocka_unit_test(reads_many),
        cmocka_unit_test(reports_every_fault),
        cmocka_unit_test(says_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
