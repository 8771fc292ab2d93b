/* The walk over a condition: what a log must have so that it can hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/rule_reach.h"
#include "base/err.h"
#include "event/query.h"

/* A query's condition, and the fields that a source has. */
struct walk {
    struct arena arena;
    struct diag diag;
    struct need_fields fields;
    struct ast *tree;
    bool holds[16];
    struct buf text;
};

static void walk_open(struct walk *w, const char *query)
{
    *w = (struct walk){0};
    assert_int_equal(query_parse(&w->tree, &w->arena, slice_from(query), &w->diag), 0);
    assert_int_equal(need_fields_add(&w->fields, w->tree), 0);
    assert_true(w->fields.known_count <= sizeof(w->holds) / sizeof(w->holds[0]));
}

static void walk_close(struct walk *w)
{
    need_fields_release(&w->fields);
    arena_release(&w->arena);
    diag_release(&w->diag);
    buf_release(&w->text);
}

/* What is lacking where `have`, blank separated, have values and the format is `format`. */
static const char *lacks(struct walk *w, const char *have, const char *format)
{
    struct need_facts facts = {.known_holds = format == NULL ? NULL : w->holds};
    struct needs needs = {0};
    for (uint32_t i = 0; i < w->fields.count; i++) {
        struct slice name = w->fields.items[i].name;
        const char *at = memmem(have, strlen(have), name.data, name.len);
        if (at != NULL)
            need_set_add(&facts.values, i);
    }
    for (uint32_t i = 0; i < w->fields.known_count; i++)
        w->holds[i] = format != NULL && slice_equal(w->fields.known[i]->text, slice_from(format));
    assert_int_equal(needs_of(&needs, &w->fields, w->tree, &facts), 0);
    buf_reset(&w->text);
    needs_print(&w->text, &needs, &w->fields);
    return buf_string(&w->text);
}

static void check(const char *query, const char *have, const char *format, const char *expected)
{
    struct walk w;
    walk_open(&w, query);
    const char *got = lacks(&w, have, format);
    if (strcmp(got, expected) != 0)
        fail_msg("%s, with \"%s\": lacks \"%s\", not \"%s\"", query, have, got, expected);
    walk_close(&w);
}

static void and_needs_all(void **state)
{
    (void)state;
    check("url.domain:a and url.path:b", "", NULL, "url.domain and url.path");
    check("url.domain:a and url.path:b", "url.domain", NULL, "url.path");
    check("url.domain:a and url.path:b", "url.domain url.path", NULL, "");
    check("url.domain:a and url.domain:b", "", NULL, "url.domain");
    check("url.path>=1 and source.ip:192.0.2.0/24", "url.path", NULL, "source.ip");
}

static void or_needs_any(void **state)
{
    (void)state;
    check("url.domain:a or url.path:b", "", NULL, "url.domain or url.path");
    check("url.domain:a or url.path:b", "url.path", NULL, "");
    check("url.path:(a or b or c)", "", NULL, "url.path");
    check("url.domain:a and (url.path:b or url.query:c)", "", NULL,
          "url.domain and (url.path or url.query)");
    check("url.domain:a and (url.path:b or url.query:c)", "url.query", NULL, "url.domain");
    check("(url.domain:a and url.path:b) or (url.domain:c and url.query:d)", "", NULL,
          "url.domain and (url.path or url.query)");
    check("(url.domain:a and url.path:b) or (url.domain:c and url.query:d)", "url.domain url.query",
          NULL, "");
}

static void not_and_null_bind(void **state)
{
    (void)state;
    check("not url.path:b", "", NULL, "");
    check("not (url.path:b and url.query:c)", "", NULL, "");
    check("not not url.path:b", "", NULL, "url.path");
    check("not (not url.path:b or url.query:c)", "", NULL, "url.path");
    check("not url.path:*", "", NULL, "");
    check("url.path:*", "", NULL, "url.path");
    check("url.domain:a and not url.path:b", "url.domain", NULL, "");
    check("not (url.path:b and not url.query:c)", "", NULL, "");
}

static void lines_and_rows_bind(void **state)
{
    (void)state;
    check("password", "", NULL, "");
    check("password and url.path:b", "", NULL, "url.path");
    check("sekisho.verdict:deny and @timestamp>=2026-01-01T00:00:00Z", "", NULL, "");
    check("event.original:x", "", NULL, "");
    check("", "", NULL, "");
}

static void format_is_known(void **state)
{
    (void)state;
    check("sekisho.format:squid", "", "squid", "");
    check("sekisho.format:squid", "", "fortigate", "sekisho.format");
    check("not sekisho.format:squid", "", "squid", "sekisho.format");
    check("not sekisho.format:squid", "", "fortigate", "");
    check("not (sekisho.format:squid and url.path:a)", "", "squid", "");
    check("not (sekisho.format:squid or url.path:a)", "", "squid", "sekisho.format");
    check("sekisho.format:squid and url.path:a", "", "squid", "url.path");
    check("sekisho.format:squid or url.path:a", "", "fortigate", "sekisho.format or url.path");
    check("sekisho.format:squid", "", NULL, "");
}

static void unnamed_fields_by_name(void **state)
{
    (void)state;
    check("fortigate.eventtype:a and fortigate.craction:b", "fortigate.craction", NULL,
          "fortigate.eventtype");
}

/* More clauses than are kept still do not bind. */
static void clauses_are_bounded(void **state)
{
    struct walk w;
    struct buf query = {0};
    (void)state;
    for (unsigned i = 0; i < NEED_CLAUSES_MAX * 2; i++)
        buf_printf(&query, "%sx.field%u:a", i == 0 ? "" : " and ", i);
    walk_open(&w, buf_string(&query));
    const struct need_facts nothing = {0};
    struct needs needs = {0};
    assert_int_equal(needs_of(&needs, &w.fields, w.tree, &nothing), 0);
    assert_int_equal(needs.count, NEED_CLAUSES_MAX);
    walk_close(&w);
    buf_reset(&query);
    for (unsigned i = 0; i < NEED_FIELDS_MAX + 1; i++)
        buf_printf(&query, "%sx.field%u:a", i == 0 ? "" : " or ", i);
    w = (struct walk){0};
    assert_int_equal(query_parse(&w.tree, &w.arena, buf_content(&query), &w.diag), 0);
    assert_int_equal(need_fields_add(&w.fields, w.tree), ERR_RANGE);
    walk_close(&w);
    buf_release(&query);
}

/* Rules */

static const char RULES[] =
    "title: a\nid: a\nname: a\nlogsource: {category: webserver}\n"
    "detection: {s: {url.path: x}, condition: s}\n"
    "---\n"
    "title: b\nid: b\nname: b\nlogsource: {category: proxy}\n"
    "detection: {s: {user_agent.original: x}, condition: s}\n"
    "---\n"
    "title: c\nid: c\nname: c\nlogsource: {category: process_creation}\n"
    "detection: {s: {Image: x}, condition: s}\n"
    "---\n"
    "title: d\nid: d\nname: d\nstatus: deprecated\nlogsource: {category: proxy}\n"
    "detection: {s: {url.path: x}, condition: s}\n"
    "---\n"
    "title: both\nid: both\ncorrelation: {type: temporal, rules: [a, b], timespan: 5m,\n"
    "  group-by: [source.ip]}\n"
    "---\n"
    "title: either\nid: either\ncorrelation: {type: event_count, rules: [a, b], timespan: 5m,\n"
    "  group-by: [source.ip], condition: {gte: 2}}\n"
    "---\n"
    "title: without\nid: without\ncorrelation: {type: temporal, rules: [a, b], timespan: 5m,\n"
    "  condition: a and not b}\n";

static enum reach reach_of(const struct rule_set *rules, const struct need_fields *fields,
                           const char *id, const struct need_facts *facts)
{
    enum reach reach = REACH_REFERENCES;
    struct needs lacks = {0};
    const struct sigma_rule *rule = sigma_find(&rules->set, slice_from(id));
    assert_non_null(rule);
    assert_int_equal(rule_reach(&reach, &lacks, rule, fields, facts), 0);
    return reach;
}

static void rules_by_source(void **state)
{
    struct rule_set rules;
    struct diag diag = {0};
    struct need_fields fields = {0};
    bool squid[64] = {false};
    (void)state;
    rule_set_init(&rules, SIGMA_NAMES_FIELDS, true);
    if (sigma_set_add(&rules.set, "x.yml", SLICE(RULES), &diag) != 0 ||
        rule_set_compile(&rules, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(rule_reach_fields(&fields, &rules.set), 0);
    assert_true(fields.known_count < sizeof(squid));
    for (uint32_t i = 0; i < fields.known_count; i++)
        squid[i] = slice_equal(fields.known[i]->text, SLICE("squid"));
    struct need_facts facts = {.known_holds = squid};
    assert_int_equal(reach_of(&rules, &fields, "a", &facts), REACH_LOGSOURCE);
    assert_int_equal(reach_of(&rules, &fields, "b", &facts), REACH_FIELDS);
    assert_int_equal(reach_of(&rules, &fields, "c", &facts), REACH_NOWHERE);
    assert_int_equal(reach_of(&rules, &fields, "d", &facts), REACH_DEPRECATED);
    bool sees_source = false;
    for (uint32_t i = 0; i < fields.count; i++) {
        assert_false(slice_equal(fields.items[i].name, SLICE("Image")));
        sees_source |= fields.items[i].field == FIELD_SOURCE_IP;
        if (fields.items[i].field == FIELD_USER_AGENT)
            need_set_add(&facts.values, i);
    }
    assert_true(sees_source);
    assert_int_equal(reach_of(&rules, &fields, "b", &facts), REACH_BINDS);
    const struct sigma_rule *both = sigma_find(&rules.set, SLICE("both"));
    const struct sigma_rule *either = sigma_find(&rules.set, SLICE("either"));
    const struct sigma_rule *without = sigma_find(&rules.set, SLICE("without"));
    assert_false(correlation_reach(both, 1));
    assert_true(correlation_reach(both, 3));
    assert_true(correlation_reach(either, 2));
    assert_false(correlation_reach(either, 0));
    assert_true(correlation_reach(without, 1));
    assert_true(correlation_reach(without, 3));
    assert_false(correlation_reach(without, 2));
    assert_false(correlation_counts(both, 0, &fields, &facts));
    assert_true(correlation_counts(without, 0, &fields, &facts));
    need_fields_release(&fields);
    rule_set_release(&rules);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(and_needs_all),       cmocka_unit_test(or_needs_any),
        cmocka_unit_test(not_and_null_bind),   cmocka_unit_test(lines_and_rows_bind),
        cmocka_unit_test(format_is_known),     cmocka_unit_test(unnamed_fields_by_name),
        cmocka_unit_test(clauses_are_bounded), cmocka_unit_test(rules_by_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
