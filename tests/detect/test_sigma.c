#include "tests/detect/sigma_load.h"

static void reads_conditions(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    EVENT(b, {"a", "1"});
    EVENT(b, {"b", "1"});
    EVENT(b, {"a", "1"}, {"b", "1"});
    EVENT(b, {"a", "1"}, {"b", "1"}, {"c", "1"});
    EVENT(b, {"d", "1"});
    static const struct {
        const char *condition;
        const char *rows;
    } CASES[] = {
        {"sel_a", "0 2 3"},
        {"not sel_a", "1 4"},
        {"not not sel_a", "0 2 3"},
        {"sel_a and sel_b", "2 3"},
        {"sel_a or sel_b and sel_c", "0 2 3"},
        {"(sel_a or sel_b) and sel_c", "3"},
        {"sel_a and not sel_b or _hid", "0 4"},
        {"not sel_a and not sel_b", "4"},
        {"not (sel_a or sel_b)", "4"},
        {"sel_a AND NOT sel_c", "0 2"},
        {"1 of sel_*", "0 1 2 3"},
        {"any of sel_*", "0 1 2 3"},
        {"all of sel_*", "3"},
        {"1 of them", "0 1 2 3"},
        {"all of them", "3"},
        {"1 of *", "0 1 2 3 4"},
        {"1 of _*", "4"},
        {"all of sel_a", "0 2 3"},
        {"not 1 of sel_*", "4"},
        {"1 of sel_* and not all of sel_*", "0 1 2"},
        {"sel_a or sel_a or sel_a", "0 2 3"},
        {"sel_a and not sel_a", ""},
        {"1 of sel_* or not 1 of sel_*", "0 1 2 3 4"},
        {"sel_a\n    and\n\tsel_b", "2 3"},
        {"(((sel_a)))and(sel_b)", "2 3"},
        {"[sel_c, _hid]", "3 4"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        bool list = CASES[i].condition[0] == '[';
        buf_printf(&text,
                   "{sel_a: {a: 1}, sel_b: {b: 1}, sel_c: {c: 1}, _hid: {d: 1}, condition: %s%s%s}",
                   list ? "" : "\"", CASES[i].condition, list ? "" : "\"");
        check_rows(b, buf_string(&text), CASES[i].rows);
        buf_release(&text);
    }
    batch_free(b);
}

/* A flat condition over the selections a, b and c. */
struct flat {
    struct {
        unsigned selection;
        bool negated;
        bool joined; /* to the term before, by AND */
    } terms[6];
};

static void flat_make(struct flat *out, struct buf *text, uint64_t *seed)
{
    static const char *const NAMES[] = {"a", "b", "c"};
    buf_text(text, "{a: {a: 1}, b: {b: 1}, c: {c: 1}, condition: \"");
    for (unsigned i = 0; i < 6; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        out->terms[i].selection = (unsigned)(*seed >> 33) % 3;
        out->terms[i].negated = (*seed >> 45 & 1) != 0;
        out->terms[i].joined = (*seed >> 46 & 1) != 0;
        if (i != 0)
            buf_text(text, out->terms[i].joined ? " and " : " or ");
        buf_printf(text, "%s%s", out->terms[i].negated ? "not " : "",
                   NAMES[out->terms[i].selection]);
    }
    buf_text(text, "\"}");
}

/* AND binds tighter than OR. */
static bool flat_holds(const struct flat *f, unsigned event)
{
    bool any = false;
    bool all = true;
    for (unsigned i = 0; i < 6; i++) {
        bool holds = ((event >> f->terms[i].selection & 1) != 0) != f->terms[i].negated;
        if (i != 0 && !f->terms[i].joined) {
            any |= all;
            all = true;
        }
        all &= holds;
    }
    return any || all;
}

/* Selections stand for trees that several places share: every place has its own meaning. */
static void shares_selections(void **state)
{
    (void)state;
    static const char *const KEYS[] = {"a", "b", "c"};
    struct batch *b = batch_new();
    for (unsigned event = 0; event < 8; event++) {
        struct pair pairs[4] = {{"z", "1"}};
        unsigned count = 1;
        for (unsigned k = 0; k < 3; k++) {
            if ((event >> k & 1) != 0)
                pairs[count++] = (struct pair){KEYS[k], "1"};
        }
        event_add(b, pairs, count);
    }
    uint64_t seed = 3;
    for (int round = 0; round < 300; round++) {
        struct buf text = {0};
        struct buf rows = {0};
        struct flat flat;
        flat_make(&flat, &text, &seed);
        for (unsigned event = 0; event < 8; event++) {
            if (flat_holds(&flat, event))
                buf_printf(&rows, rows.len == 0 ? "%u" : " %u", event);
        }
        check_rows(b, buf_string(&text), buf_string(&rows));
        buf_release(&text);
        buf_release(&rows);
    }
    batch_free(b);
}

static void reads_items(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    EVENT(b, {"a", "Admin"}, {"n", "7"});                             /* 0 */
    EVENT(b, {"a", "admin-x"}, {"n", "10"});                          /* 1 */
    EVENT(b, {"a", ""}, {"n", "-3.5"});                               /* 2 */
    EVENT(b, {"a", NULL}, {"n", "x"});                                /* 3 */
    EVENT(b, {"n", "1e1"});                                           /* 4 */
    EVENT(b, {"a", "x"}, {"a", "y"}, {"b", "Y"});                     /* 5 */
    EVENT(b, {"a", "192.0.2.9"}, {"n", "2026-11-21T23:59:00+09:00"}); /* 6 */
    EVENT(b, {"a", "cmd /exec"}, {"b", "a*b"});                       /* 7 */
    static const struct {
        const char *item;
        const char *rows;
    } CASES[] = {
        {"{a: admin}", "0"},
        {"{a|cased: admin}", ""},
        {"{a|cased: Admin}", "0"},
        {"{a|neq: admin}", "1 2 3 4 5 6 7"},
        {"{a|neq: [admin, x]}", "1 2 3 4 6 7"},
        {"{a: 'admin*'}", "0 1"},
        {"{a|startswith: ADMIN}", "0 1"},
        {"{a|endswith: '-x'}", "1"},
        {"{a|contains: [dmin, exec]}", "0 1 7"},
        {"{a|contains|all: [dmin, x]}", "1"},
        {"{a|contains|all|cased: [dmin, X]}", ""},
        {"{a: ''}", "2"},
        {"{a: ~}", "3 4"},
        {"{a|neq: ~}", "0 1 2 5 6 7"},
        {"{a: '*'}", "0 1 2 5 6 7"},
        {"{a: '?*'}", "0 1 5 6 7"},
        {"{a|exists: true}", "0 1 2 3 5 6 7"},
        {"{a|exists: false}", "4"},
        {"{b: 'a\\*b'}", "7"},
        {"{n: 7}", "0"},
        {"{n|lt: 7.5}", "0 2"},
        {"{n|gte: 10}", "1 4"},
        {"{n|gt|neq: 7}", "0 2 3 5 6 7"},
        {"{n|hour: 23}", "6"},
        {"{n|minute|gte: 59}", "6"},
        {"{n|week: 47}", "6"},
        {"{a|re: '^admin'}", "1"},
        {"{a|re|i: '^admin$'}", "0"},
        {"{a|re: '(?i)ADMIN\\s?'}", "0 1"},
        {"{a|cidr: 192.0.2.0/24}", "6"},
        {"{a|cidr|neq: 192.0.2.0/24}", "0 1 2 3 4 5 7"},
        {"{a|fieldref: b}", "5"},
        {"{a|fieldref|cased: b}", ""},
        {"{a|windash|contains: ' -exec'}", "7"},
        {"{a|windash: '*-X'}", "1"},
        {"{a: [admin, x], n: 7}", "0"},
        {"[{a: admin}, {n: 10}]", "0 1"},
        {"[admin, 'exec']", "0 1 7"},
        {"{'|all': [cmd, 'a\\*b']}", "7"},
        {"[null-ish]", ""},
        {"exec", "7"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, "{s: %s, condition: s}", CASES[i].item);
        check_rows(b, buf_string(&text), CASES[i].rows);
        buf_release(&text);
    }
    batch_free(b);
}

static void expands_placeholders(void **state)
{
    (void)state;
    struct slice users[] = {SLICE("sato"), SLICE("a*"), SLICE("%hosts%")};
    struct slice hosts[] = {SLICE("pc1"), SLICE("pc2")};
    struct slice nets[] = {SLICE("192.0.2.0/24"), SLICE("198.51.100.7/32")};
    const struct sigma_placeholder lists[] = {{SLICE("users"), users, 3},
                                              {SLICE("hosts"), hosts, 2},
                                              {SLICE("nets"), nets, 2},
                                              {SLICE("none"), hosts, 0}};
    struct batch *b = batch_new();
    EVENT(b, {"a", "sato"}, {"i", "192.0.2.5"});
    EVENT(b, {"a", "abe"}, {"i", "198.51.100.7"});
    EVENT(b, {"a", "%hosts%"}, {"i", "198.51.100.8"});
    EVENT(b, {"a", "pc1"});
    EVENT(b, {"a", "pc2-sato"});
    EVENT(b, {"a", "%users%"});
    static const struct {
        const char *item;
        const char *rows; /* NULL: refused */
    } CASES[] = {
        {"a|expand: '%users%'", "0 1 2"},
        {"a|expand: '%hosts%-%users%'", "4"},
        {"a|expand: '\\%users\\%'", "5"},
        {"a|expand: '\\%users%'", "5"},
        {"a|expand: ['%hosts%', sato]", "0 3"},
        {"a|expand|startswith: '%hosts%'", "3 4"},
        {"a|expand: '100%'", ""},
        {"a: '%users%'", "5"},
        {"i|cidr|expand: '%nets%'", "0 1"},
        {"a|expand: '%none%'", NULL},
        {"a|expand: '%Users%'", NULL},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct sigma_set set;
        struct diag diag = {0};
        struct buf text = {0};
        struct buf out = {0};
        sigma_set_init(&set, SIGMA_NAMES_LITERAL);
        set.placeholders = lists;
        set.placeholder_count = 4;
        buf_printf(&text, HEAD "detection:\n  s:\n    %s\n  condition: s\n", CASES[i].item);
        int err = sigma_set_add(&set, "a.yml", buf_content(&text), &diag);
        assert_int_equal(err, CASES[i].rows == NULL ? ERR_CONF : 0);
        if (err == 0 && strcmp(tree_found(b, set.rules[0].condition, &out), CASES[i].rows) != 0)
            fail_msg("%s: %s", CASES[i].item, buf_string(&out));
        sigma_set_release(&set);
        diag_release(&diag);
        buf_release(&text);
        buf_release(&out);
    }
    batch_free(b);
}

/* Values of values: too many are refused, and none takes long. */
static void bounds_what_placeholders_multiply(void **state)
{
    (void)state;
    enum {
        VALUES = 100
    };
    struct slice values[VALUES];
    for (int i = 0; i < VALUES; i++)
        values[i] = SLICE("x");
    const struct sigma_placeholder list = {SLICE("l"), values, VALUES};
    struct sigma_set set;
    struct diag diag = {0};
    sigma_set_init(&set, SIGMA_NAMES_LITERAL);
    set.placeholders = &list;
    set.placeholder_count = 1;
    int64_t start = clock_cpu_ns();
    assert_int_equal(sigma_set_add(&set, "a.yml",
                                   SLICE(HEAD "detection: {s: {a|expand: '%l%%l%%l%%l%%l%'}, "
                                              "condition: s}\n"),
                                   &diag),
                     ERR_CONF);
    assert_non_null(strstr(diag_text(&diag), "stands for more than 20000 values"));
    assert_true(clock_cpu_ns() - start < INT64_C(5000000000));
    sigma_set_release(&set);
    diag_release(&diag);
}

/* Filters */

static void filters_join_as_written(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        RULE("r1", "{s: {a: '*'}, condition: s}") "---\n" RULE("r2", "{s: {a: '*'}, condition: s}"),
        FILTER("f1", "proxy", "rules: [r1, r2], s: {a: x}, condition: not s") "---\n" FILTER(
            "f2", "proxy",
            "rules: r1, s: {a: y}, condition: not s") "---\n" FILTER("f3", "webserver",
                                                                     "rules: r1, s: {a: z}, condition: not s"),
    };
    struct batch *b = batch_new();
    struct buf out = {0};
    struct loaded l = load_files(FILES, 2, CLOCK_NONE);
    EVENT(b, {"a", "w"});
    EVENT(b, {"a", "x"});
    EVENT(b, {"a", "y"});
    EVENT(b, {"a", "z"});
    assert_int_equal(l.err, 0);
    assert_int_equal(l.set.warning_count, 0);
    const struct sigma_rule *r1 = sigma_find(&l.set, SLICE("r1"));
    const struct sigma_rule *r2 = sigma_find(&l.set, SLICE("r2"));
    assert_string_equal(tree_found(b, r1->condition, &out), "0 3");
    assert_string_equal(tree_found(b, r1->unfiltered, &out), "0 1 2 3");
    assert_string_equal(tree_found(b, r2->condition, &out), "0 2 3");
    assert_int_equal(r1->filter_count, 2);
    assert_int_equal(r2->filter_count, 1);
    assert_ptr_equal(&l.set.rules[r1->filters[0]], sigma_find(&l.set, SLICE("f1")));
    assert_ptr_equal(&l.set.rules[r1->filters[1]], sigma_find(&l.set, SLICE("f2")));
    assert_false(sigma_stands_alone(sigma_find(&l.set, SLICE("f1"))));
    unload(&l);
    l = load(RULE("r1", "{s: {a: '*'}, condition: s}") "---\n" FILTER(
        "f1", "proxy", "rules: r1, s: {a: x}, condition: s"));
    assert_int_equal(l.err, 0);
    assert_int_equal(l.set.warning_count, 1);
    assert_non_null(
        strstr(diag_text(&l.set.warnings), "a.yml:9:9: warning: the filter's condition"));
    assert_string_equal(tree_found(b, sigma_find(&l.set, SLICE("r1"))->condition, &out), "1");
    unload(&l);
    batch_free(b);
    buf_release(&out);
}

static void filters_have_layers(void **state)
{
    (void)state;
    static const struct {
        const char *ours;
        const char *message; /* NULL: accepted */
    } CASES[] = {
        {"", NULL},
        {OURS("owner: o"), NULL},
        {OURS("layer: base, expires: 2030-01-01T00:00:00Z"), NULL},
        {OURS("layer: base, expires: 2026-11-21T00:00:00Z"),
         "a.yml:10:33: the filter expired on 2026-11-21"},
        {OURS("layer: base, expires: 2026-11-21T09:00:00+09:00"), "the filter expired on"},
        {OURS("layer: base, expires: 2026-11-21T09:00:01+09:00"), NULL},
        {OURS("layer: base, expires: never"), "expires is a date"},
        {OURS("layer: base, expires: []"), "expires is a date"},
        {OURS("layer: town"), "a.yml:10:18: layer is base, prefecture or municipality"},
        {OURS("layer: []"), "layer is base, prefecture or municipality"},
        {OURS("layer: prefecture"), "a filter of layer prefecture names owner, reason and expires"},
        {OURS("layer: prefecture, owner: o, reason: r"), "names owner, reason and expires"},
        {OURS("layer: prefecture, owner: o, expires: 2030-01-01T00:00:00Z"),
         "names owner, reason and"},
        {OURS("layer: prefecture, owner: o, reason: r, expires: 2030-01-01T00:00:00Z"), NULL},
        {OURS("layer: municipality, owner: o, reason: r, expires: 2030-01-01T00:00:00Z"),
         "a filter of layer municipality names its tenant"},
        {OURS(
             "layer: municipality, tenant: 12345, owner: o, reason: r, expires: 2030-01-01T00:00:00Z"),
         "tenant is the six digits"},
        {OURS("layer: municipality, tenant: '052027', owner: o, reason: r, expires: "
              "2030-01-01T00:00:00Z"),
         NULL},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, "%s---\n%s%s", RULE("r1", "{s: {a: '*'}, condition: s}"), NOT_X,
                   CASES[i].ours);
        const char *file = buf_string(&text);
        int64_t now_ns = 0;
        assert_int_equal(clock_parse(&now_ns, SLICE("2026-11-21T00:00:00Z")), 0);
        struct loaded l = load_files(&file, 1, now_ns);
        if ((l.err == 0) != (CASES[i].message == NULL))
            fail_msg("%s: %d %s", CASES[i].ours, l.err, diag_text(&l.diag));
        if (CASES[i].message != NULL && strstr(diag_text(&l.diag), CASES[i].message) == NULL)
            fail_msg("%s: %s", CASES[i].ours, diag_text(&l.diag));
        unload(&l);
        buf_release(&text);
    }
}

/* One municipality's filter takes out its own events alone. */
static void filters_of_a_tenant(void **state)
{
    (void)state;
    struct loaded l = load(RULE("r1", "{s: {a: '*'}, condition: s}") "---\n" NOT_X OURS(
        "layer: municipality, tenant: '052027', owner: o, reason: r, expires: 2030-01-01T00:00:00Z"));
    struct buf out = {0};
    assert_int_equal(l.err, 0);
    for (int own = 0; own < 2; own++) {
        struct batch *b = batch_new();
        b->tenant = own != 0 ? 52027 : 52035;
        EVENT(b, {"a", "x"});
        EVENT(b, {"a", "y"});
        assert_string_equal(tree_found(b, l.set.rules[0].condition, &out), own != 0 ? "1" : "0 1");
        batch_free(b);
    }
    const struct sigma_filter *f = sigma_find(&l.set, SLICE("f1"))->filter;
    assert_int_equal(f->layer, SIGMA_LAYER_MUNICIPALITY);
    assert_true(slice_equal(f->reason, SLICE("r")));
    unload(&l);
    buf_release(&out);
}

/* Rows that a filter of a rule takes out. */
static const char *taken_out(const struct loaded *l, const struct batch *b, const char *filter,
                             struct buf *out)
{
    const struct sigma_rule *rule = sigma_find(&l->set, SLICE("r1"));
    for (uint32_t i = 0; i < rule->filter_count; i++) {
        if (slice_equal(l->set.rules[rule->filters[i]].id, slice_from(filter)))
            return tree_found(b, rule->hidden[i], out);
    }
    fail_msg("%s is no filter of the rule", filter);
    return NULL;
}

/* What is left of a rule, and what each of its filters takes out of it, are all that it finds. */
static void filters_say_what_they_take_out(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *condition;
        const char *ours;
        const char *rows;
    } CASES[] = {
        {"f1", "not s", "", "0 1"},
        {"f1", "not not s", "", "2 3"},
        {"f1", "s", "", "2 3"},
        {"f1", "not s and not t", "", "0 1 2"},
        {"f1", "not 1 of them", "", "0 1 2"},
        {"f1", "not (s and t)", "", ""},
        {"f1", "not s", "layer: base, tenant: '052027'", "0 1"},
        {"f1", "not s", "layer: base, tenant: '052035'", ""},
        {"f1", "not s", "layer: base, expires: 2026-11-21T00:00:01Z", "0"},
        {"f1", "not s", "layer: base, expires: 2026-11-21T00:00:00Z", ""},
        {"f1", "not s", "layer: base, tenant: '052027', expires: 2026-11-21T00:00:02Z", "0 1"},
        {"f1", "not t", "layer: base, expires: 2026-11-21T00:00:02Z", ""},
    };
    struct batch *b = batch_new();
    struct buf out = {0};
    int64_t start_ns = 0;
    assert_int_equal(clock_parse(&start_ns, SLICE("2026-11-21T00:00:00Z")), 0);
    b->tenant = 52027;
    EVENT(b, {"a", "x"});
    EVENT(b, {"a", "x"});
    EVENT(b, {"a", "y"});
    EVENT(b, {"a", "z"});
    for (uint32_t row = 0; row < b->row_count; row++)
        b->time_ns[row] = start_ns + row * CLOCK_NS_PER_SECOND;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        buf_printf(&text,
                   RULE("r1", "{s: {a: '*'}, condition: s}") "---\n"
                                                             "title: f\nid: %s\n"
                                                             "logsource: {category: proxy}\n"
                                                             "filter: {rules: [r1, r1], "
                                                             "s: {a: x}, t: {a: y}, "
                                                             "condition: %s}\nsekisho: {%s}\n",
                   CASES[i].name, CASES[i].condition, CASES[i].ours);
        struct loaded l = load(buf_string(&text));
        if (l.err != 0)
            fail_msg("%s: %s", buf_string(&text), diag_text(&l.diag));
        assert_int_equal(sigma_find(&l.set, SLICE("r1"))->filter_count, 1);
        if (strcmp(taken_out(&l, b, CASES[i].name, &out), CASES[i].rows) != 0)
            fail_msg("%s, %s: %s, not %s", CASES[i].condition, CASES[i].ours, buf_string(&out),
                     CASES[i].rows);
        uint32_t rows = 0;
        for (size_t at = 0; at < out.len; at++)
            rows |= out.data[at] == ' ' ? 0 : UINT32_C(1) << (out.data[at] - '0');
        (void)tree_found(b, l.set.rules[0].condition, &out);
        for (size_t at = 0; at < out.len; at++) {
            uint32_t row = out.data[at] == ' ' ? 0 : UINT32_C(1) << (out.data[at] - '0');
            assert_int_equal(rows & row, 0);
            rows |= row;
        }
        assert_int_equal(rows, 0xf);
        unload(&l);
        buf_release(&text);
    }
    batch_free(b);
    buf_release(&out);
}

/* References */

static void orders_correlations(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        CORRELATION("c3", "type: temporal, rules: [c2, c1], timespan: 1h") "---\n" CORRELATION(
            "c1", "type: event_count, rules: r1, timespan: 1h, condition: {gte: 2}"),
        CORRELATION("c2",
                    "type: event_count, rules: [c1, by_name], timespan: 1h, condition: {gt: 1}, "
                    "generate: true"),
        RULE("r1", "{s: {a: x}, condition: s}") "---\nname: by_name\n" RULE(
            "r2", "{s: {a: x}, condition: s}"),
    };
    struct loaded l = load_files(FILES, 3, CLOCK_NONE);
    if (l.err != 0)
        fail_msg("%s", diag_text(&l.diag));
    assert_int_equal(l.set.order_count, 3);
    assert_true(slice_equal(l.set.rules[l.set.order[0]].id, SLICE("c1")));
    assert_true(slice_equal(l.set.rules[l.set.order[1]].id, SLICE("c2")));
    assert_true(slice_equal(l.set.rules[l.set.order[2]].id, SLICE("c3")));
    assert_true(sigma_stands_alone(sigma_find(&l.set, SLICE("c1"))));
    assert_false(sigma_stands_alone(sigma_find(&l.set, SLICE("c2"))));
    assert_true(sigma_stands_alone(sigma_find(&l.set, SLICE("c3"))));
    assert_true(sigma_stands_alone(sigma_find(&l.set, SLICE("by_name"))));
    assert_ptr_equal(sigma_find(&l.set, SLICE("by_name")), sigma_find(&l.set, SLICE("r2")));
    assert_false(sigma_stands_alone(sigma_find(&l.set, SLICE("r1"))));
    assert_null(sigma_find(&l.set, SLICE("")));
    assert_null(sigma_find(&l.set, SLICE("r")));
    unload(&l);
}

static void reads_correlations(void **state)
{
    (void)state;
    struct loaded l = load(
        RULE("r1", "{s: {a: x}, condition: s}") "---\n" RULE("r2", "{s: {a: x}, condition: s}") "---\n" CORRELATION(
            "c1",
            "type: value_percentile, rules: [r1, r2], group-by: [u, v], timespan: 2w, "
            "condition: {gte: 1.5, lt: 9, field: n, percentile: 99.5}, "
            "aliases: {u: {r1: a, r2: b}}") "---\n" CORRELATION("c2",
                                                                "type: temporal, rules: [r1, r2], timespan: 90s, "
                                                                "condition: r1 and not (r2 or not r1)") "generate: true\nsekisho: {scope: prefecture}\n");
    if (l.err != 0)
        fail_msg("%s", diag_text(&l.diag));
    const struct sigma_correlation *c = l.set.rules[2].correlation;
    assert_int_equal(c->type, SIGMA_VALUE_PERCENTILE);
    assert_true(c->timespan_ns == INT64_C(14) * 86400 * CLOCK_NS_PER_SECOND);
    assert_int_equal(c->bound_count, 2);
    assert_true(sigma_bounds_hold(c, 1.5) && sigma_bounds_hold(c, 8.99));
    assert_false(sigma_bounds_hold(c, 1.49) || sigma_bounds_hold(c, 9));
    assert_true(slice_equal(c->references[0].groups[0].name, SLICE("event.a")));
    assert_true(slice_equal(c->references[1].groups[0].name, SLICE("event.b")));
    assert_true(slice_equal(c->references[1].groups[1].name, SLICE("event.v")));
    assert_true(slice_equal(c->fields[0].name, SLICE("event.n")));
    assert_false(c->generate || c->prefecture || c->has_not);
    c = l.set.rules[3].correlation;
    assert_true(c->generate && c->prefecture && c->has_not);
    for (uint64_t bits = 0; bits < 4; bits++)
        assert_int_equal(sigma_program_holds(c, bits), bits == 1);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_conditions),
        cmocka_unit_test(shares_selections),
        cmocka_unit_test(reads_items),
        cmocka_unit_test(expands_placeholders),
        cmocka_unit_test(bounds_what_placeholders_multiply),
        cmocka_unit_test(filters_join_as_written),
        cmocka_unit_test(filters_have_layers),
        cmocka_unit_test(filters_of_a_tenant),
        cmocka_unit_test(filters_say_what_they_take_out),
        cmocka_unit_test(orders_correlations),
        cmocka_unit_test(reads_correlations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
