#include "tests/detect/sigma_load.h"

/* Errors of one document */

static void refuses_documents(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } CASES[] = {
        {"- a\n", "a.yml:1:1: a rule document is a map"},
        {"hello\n", "a.yml:1:1: a rule document is a map"},
        {"title: t\nid: i\nlogsource: {category: proxy}\n",
         "a.yml:1:1: the document has no detection"},
        {"id: i\nlogsource: {category: proxy}\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:1:1: the document has no title"},
        {"title: ~\nid: i\nlogsource: {category: proxy}\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:1:1: the document has no title"},
        {"title: t\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:1:1: the document has no logsource"},
        {"title: t\nlogsource: {}\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:2:12: logsource names a category"},
        {"title: t\nlogsource: proxy\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:2:12: logsource names a category"},
        {HEAD "level: urgent\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:4:8: level is one of informational low medium high critical"},
        {HEAD "status: done\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:4:9: status is one of"},
        {HEAD "tags: a\ndetection: {s: {a: x}, condition: s}\n", "a.yml:4:7: tags is a list"},
        {"title: t\nid: []\nlogsource: {category: proxy}\ndetection: {s: {a: x}, condition: s}\n",
         "a.yml:2:5: id is a UUID"},
        {"action: global\n" HEAD "detection: {s: {a: x}, condition: s}\n",
         "a.yml:1:1: action: global is of old Sigma"},
        {HEAD "detection: {s: {a: x}, condition: s}\nfilter: {}\n",
         "a.yml:1:1: a document has one of detection, correlation and filter"},
        {HEAD "detection: []\n", "a.yml:4:12: detection is a map of selections"},
        {HEAD "detection: {s: {a: x}}\n", "a.yml:4:1: detection has no condition"},
        {HEAD "detection: {condition: s}\n", "a.yml:4:1: detection has no selection"},
        {HEAD "detection:\n  s: {a: x}\n  timeframe: 5m\n  condition: s\n",
         "a.yml:6:3: timeframe belongs to the aggregation of old Sigma"},
        {HEAD "detection:\n  s:\n  condition: s\n", "a.yml:5:3: the selection s is empty"},
        {HEAD "detection:\n  s: []\n  condition: s\n", "a.yml:5:3: the selection s is empty"},
        {HEAD "detection:\n  s: [{}]\n  condition: s\n", "a.yml:5:7: an empty map selects nothing"},
        {HEAD "detection:\n  s: [[a]]\n  condition: s\n", "a.yml:5:7: a list in a list"},
        {HEAD "detection:\n  s: {a: [[b]]}\n  condition: s\n", "a.yml:5:11: a list in a list"},
        {HEAD "detection:\n  s: {a: {b: c}}\n  condition: s\n", "a.yml:5:10: a map where a value"},
        {HEAD "detection:\n  s: {a: []}\n  condition: s\n", "a.yml:5:10: an empty list for \"a\""},
        {HEAD "detection:\n  s: {a: [x, ~]}\n  condition: s\n", "a.yml:5:14: null cannot be part"},
        {HEAD "detection:\n  s: [x, ~]\n  condition: s\n", "a.yml:5:10: null as a keyword"},
        {HEAD "detection: {s: {a: x}, condition: [s, {}]}\n",
         "a.yml:4:39: the condition is a text or"},
        {HEAD "detection: {s: {a: x}, condition: {}}\n", "a.yml:4:35: the condition is a text or"},
        {HEAD "detection: {s: {a: x}, s: {a: y}, condition: s}\n", "the key \"s\" is given twice"},
        {HEAD "detection: {s: {a: !!int x}, condition: s}\n", "a.yml:4:20: tags (!)"},
        {"title: \xff\n", "must be UTF-8"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        check_refused(CASES[i].text, CASES[i].message);
}

static const struct {
    const char *item;
    const char *message;
} ITEMS[] = {
    {"a|foo: x", "a.yml:6:5: unknown modifier \"foo\""},
    {"a|contain: x", "did you mean \"contains\"?"},
    {"a|Contains: x", "unknown modifier \"Contains\""},
    {"a|: x", "an empty modifier"},
    {"a||contains: x", "an empty modifier"},
    {"a|contains|: x", "an empty modifier"},
    {"a|all: x", "a.yml:6:5: the modifier \"all\" needs a list"},
    {"a|contains|all: [x]", "the modifier \"all\" needs a list"},
    {"a|re|contains: x", "\"re\" and \"contains\" do not go together"},
    {"a|re|base64: x", "\"re\" and \"base64\" do not go together"},
    {"a|i: x", "the modifier \"i\" is a part of re"},
    {"a|re|cased|i: x", "the modifier \"i\" is a part of re"},
    {"a|contains|i: x", "the modifier \"i\" is a part of re"},
    {"a|re: '('", "a.yml:6:11: the modifier re: this is no regular expression"},
    {"a|re: '[a'", "the modifier re: this is no regular expression"},
    {"a|re: '(?<=a+)b'", "the modifier re: this is no regular expression"},
    {"a|re: ~", "null does not go with the modifier \"re\""},
    {"a|cidr: 192.0.2.0/33", "a.yml:6:13: the modifier cidr: \"192.0.2.0/33\" is no network"},
    {"a|cidr: example.jp", "is no network"},
    {"a|cidr: 192.0.2.", "is no network"},
    {"a|cidr: ''", "is no network"},
    {"a|cidr: ~", "null does not go with the modifier \"cidr\""},
    {"a|cidr|contains: 192.0.2.0/24", "do not go together"},
    {"a|cidr|cased: 192.0.2.0/24", "do not go together"},
    {"a|cidr|re: 192.0.2.0/24", "do not go together"},
    {"a|lt: x", "a.yml:6:11: the modifier \"lt\" takes a number, not \"x\""},
    {"a|gte: ''", "the modifier \"gte\" takes a number"},
    {"a|gte: 0x10", "the modifier \"gte\" takes a number"},
    {"a|gte: ~", "null does not go with the modifier \"gte\""},
    {"a|gte|lte: 1", "\"gte\" and \"lte\" do not go together"},
    {"a|gt|re: 1", "do not go together"},
    {"a|lt|cased: 1", "do not go together"},
    {"a|hour: x", "the modifier \"hour\" takes a number"},
    {"a|hour|day: 1", "\"hour\" and \"day\" do not go together"},
    {"a|hour|contains: 1", "do not go together"},
    {"a|exists: x", "a.yml:6:15: the modifier exists takes true or false"},
    {"a|exists: [true]", "the modifier exists takes true or false"},
    {"a|exists: ~", "null does not go with the modifier \"exists\""},
    {"a|exists|neq: true", "do not go together"},
    {"a|exists|all: [true, false]", "do not go together"},
    {"a|fieldref: ''", "the modifier fieldref takes the name of a field"},
    {"a|fieldref: [b, ~]", "null cannot be part of a list"},
    {"a|fieldref|re: b", "do not go together"},
    {"a|fieldref|base64: b", "do not go together"},
    {"a|fieldref|cidr: b", "do not go together"},
    {"a|base64: 'x*'", "a wildcard cannot be encoded by \"base64\""},
    {"a|base64offset: 'a'", ""},
    {"a|base64offset: ''", "too short for base64offset"},
    {"a|wide: '?'", "a wildcard cannot be encoded by \"wide\""},
    {"a|contains|base64: 'x'", "a wildcard cannot be encoded by \"base64\""},
    {"a|expand: '%none%'", "a.yml:6:15: the placeholder %none% has no list"},
    {"a|contains: ~", "null does not go with the modifier \"contains\""},
    {"a: [x, {b: c}]", "a map where a value belongs"},
    {"'|gt': 5", "the modifier \"gt\" needs a field"},
    {"'|exists': true", "the modifier \"exists\" needs a field"},
    {"'|fieldref': b", "the modifier \"fieldref\" needs a field"},
    {"'|hour': 5", "the modifier \"hour\" needs a field"},
    {"'': ~", "null as a keyword"},
    {"a|all|all|all|all|all|all|all|all|all|all|all|all|all|all|all|all|all: [x, y]",
     "more than 16 modifiers"},
};

static void refuses_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ITEMS) / sizeof(ITEMS[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, HEAD "detection:\n  s:\n    %s\n  condition: s\n", ITEMS[i].item);
        if (ITEMS[i].message[0] != '\0')
            check_refused(buf_string(&text), ITEMS[i].message);
        buf_release(&text);
    }
}

static void refuses_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        const char *message;
    } CASES[] = {
        {"''", "the condition is empty"},
        {"'   '", "the condition is empty"},
        {"t", "the condition names the selection t, which is not defined; did you mean s"},
        {"s t", "the condition has no \"and\" or \"or\" before \"t\""},
        {"s and", "the condition ends where a selection is expected"},
        {"and s", "the condition has nothing before \"and\""},
        {"s and or s", "the condition has nothing before \"or\""},
        {"not", "the condition ends where a selection is expected"},
        {"s not s", "the condition has no \"and\" or \"or\" before \"not\""},
        {"(s", "a \"(\" without its \")\""},
        {"s)", "a \")\" without its \"(\""},
        {"()", "nothing before \")\""},
        {"s (s)", "the condition has no \"and\" or \"or\" before \"(\""},
        {"((((((((((( s )))))))))))", "nested deeper than 10 levels"},
        {"2 of s*", "the quantifier \"2 of\" is not known"},
        {"0 of them", "the quantifier \"0 of\" is not known"},
        {"1 of t*", "\"of t*\" stands for no selection"},
        {"1 of", "the condition names nothing behind \"1 of\""},
        {"all of (s)", "the condition names nothing behind \"all of\""},
        {"1 of s* s", "the condition has no \"and\" or \"or\" before \"s\""},
        {"s | count() > 5", "the condition uses \"|\", the aggregation of old Sigma"},
        {"s near t", "the condition uses near"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        struct buf message = {0};
        buf_printf(&text, HEAD "detection:\n  s: {a: x}\n  condition: %s\n", CASES[i].condition);
        buf_printf(&message, "a.yml:6:14: ");
        check_refused(buf_string(&text), CASES[i].message);
        check_refused(buf_string(&text), buf_string(&message));
        buf_release(&text);
        buf_release(&message);
    }
}

static const struct {
    const char *body;
    const char *message;
} CORRELATIONS[] = {
    {"rules: r1, timespan: 1m, condition: {gte: 1}", "a.yml:7:1: the correlation has no type"},
    {"type: event_counts, rules: r1, timespan: 1m, condition: {gte: 1}",
     "a.yml:7:21: unknown correlation type \"event_counts\"; did you mean \"event_count\"?"},
    {"type: near, rules: r1, timespan: 1m", "unknown correlation type \"near\""},
    {"type: event_count, timespan: 1m, condition: {gte: 1}", "the correlation has no rules"},
    {"type: event_count, rules: [], timespan: 1m, condition: {gte: 1}", "has no rules"},
    {"type: event_count, rules: {a: b}, timespan: 1m, condition: {gte: 1}", "has no rules"},
    {"type: event_count, rules: [[r1]], timespan: 1m, condition: {gte: 1}", "rules is a list"},
    {"type: event_count, rules: r9, timespan: 1m, condition: {gte: 1}",
     "the correlation names the rule \"r9\", which is not defined"},
    {"type: event_count, rules: r1, condition: {gte: 1}", "the correlation has no timespan"},
    {"type: event_count, rules: r1, timespan: 10, condition: {gte: 1}", "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: 1M, condition: {gte: 1}", "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: 1y, condition: {gte: 1}", "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: 0s, condition: {gte: 1}", "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: -1s, condition: {gte: 1}",
     "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: 1.5h, condition: {gte: 1}",
     "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: s, condition: {gte: 1}", "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: 1 h, condition: {gte: 1}",
     "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: [1h], condition: {gte: 1}",
     "timespan is a number and"},
    {"type: event_count, rules: r1, timespan: 1m", "the correlation has no condition"},
    {"type: event_count, rules: r1, timespan: 1m, condition: [1]",
     "the condition is a map of bounds"},
    {"type: event_count, rules: r1, timespan: 1m, condition: r1",
     "an expression over rules is for"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {}", "the condition has no bound"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {ge: 1}", "unknown key \"ge\""},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: x}", "gte takes a number"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: 1, field: a}",
     "event_count takes no field"},
    {"type: value_count, rules: r1, timespan: 1m, condition: {gte: 1}", "names its field"},
    {"type: value_sum, rules: r1, timespan: 1m, condition: {gte: 1, field: [a, b]}",
     "value_sum takes at most 1 field"},
    {"type: value_count, rules: r1, timespan: 1m, condition: {gte: 1, field: [a, b, c, d, e]}",
     "value_count takes at most 4 fields"},
    {"type: value_percentile, rules: r1, timespan: 1m, condition: {gte: 1, field: a}",
     "names its percentile"},
    {"type: value_percentile, rules: r1, timespan: 1m, condition: {gte: 1, field: a, percentile: 101}",
     "percentile is a number from 0 to 100"},
    {"type: value_sum, rules: r1, timespan: 1m, condition: {gte: 1, field: a, percentile: 5}",
     "unknown key \"percentile\""},
    {"type: temporal, rules: [r1, r2], timespan: 1m, condition: r1 and r3",
     "the condition names r3, which is not among the rules"},
    {"type: temporal, rules: [r1, r2], timespan: 1m, condition: 1 of r*",
     "stands for selections only"},
    {"type: temporal_ordered, rules: [r1, r2], timespan: 1m, condition: r1 and r2",
     "an expression over rules is for"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: 1}, group-by: {a: b}",
     "group-by is a list of fields"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: 1}, group-by: [a,b,c,d,e,f,g,h,i]",
     "more than 8 fields in group-by"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: 1}, generate: maybe",
     "generate is true or false"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: 1}, aliases: x",
     "aliases is a map of alias"},
    {"type: event_count, rules: r1, timespan: 1m, condition: {gte: 1}, aliases: {x: {r2: a}}",
     "aliases: r2 is not among the rules"},
    {"type: event_count, rules: [r1, r2], timespan: 1m, condition: {gte: 1}, group-by: x, "
     "aliases: {x: {r2: a}}",
     "the alias x does not say its field in the rule r1"},
};

static void refuses_correlations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CORRELATIONS) / sizeof(CORRELATIONS[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, "%s---\ntitle: c\ncorrelation: {%s}\n---\n%s", OTHER("r1", "s"),
                   CORRELATIONS[i].body, OTHER("r2", "s"));
        check_refused(buf_string(&text), CORRELATIONS[i].message);
        buf_release(&text);
    }
}

/* All that is wrong in all files comes at once, each with its file. */
static void reports_all_files_in_one_pass(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        HEAD
        "detection:\n  s: {a|foo: x, b|lt: y}\n  t: {c|re: '('}\n  condition: s and u\n---\n"
        "title: second\nid: r2\nlogsource: {category: proxy}\ndetection: {s: {a: ~, b|cidr: z}, "
        "condition: s}\n",
        "title: [\n",
        RULE("r3", "{s: {a: x}, condition: s"),
        RULE("r1", "{s: {a: x}, condition: s}"),
        RULE("r4", "{s: {a: x}, condition: s}"),
    };
    struct loaded l = load_files(FILES, 5, CLOCK_NONE);
    static const char *const MESSAGES[] = {
        "a.yml:5:7: unknown modifier",
        "a.yml:5:23: the modifier \"lt\"",
        "a.yml:6:13: the modifier re",
        "a.yml:7:14: the condition names",
        "a.yml:12:31: the modifier cidr",
        "b.yml:2:1: not YAML",
        "c.yml:5:1: not YAML",
        "d.yml:2:1: the id or name is that of a.yml:1",
    };
    assert_int_equal(l.err, ERR_CONF);
    for (size_t i = 0; i < sizeof(MESSAGES) / sizeof(MESSAGES[0]); i++) {
        if (strstr(diag_text(&l.diag), MESSAGES[i]) == NULL)
            fail_msg("%s\nis not in:\n%s", MESSAGES[i], diag_text(&l.diag));
    }
    assert_int_equal(l.diag.count, 8);
    assert_null(strstr(diag_text(&l.diag), "e.yml"));
    unload(&l);
}

static void refuses_filters(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *message;
    } CASES[] = {
        {"s: {a: x}, condition: not s", "a.yml:9:1: the filter has no rules"},
        {"rules: [], s: {a: x}, condition: not s", "rules is a list of ids or names"},
        {"rules: {a: b}, s: {a: x}, condition: not s", "rules is a list of ids or names"},
        {"rules: [[r1]], s: {a: x}, condition: not s", "rules is a list of ids or names"},
        {"rules: r9, s: {a: x}, condition: not s", "a.yml:9:17: the filter names the rule \"r9\""},
        {"rules: f1, s: {a: x}, condition: not s", "which is no rule; filters work on rules"},
        {"rules: r1, condition: not s", "filter has no selection beside its condition"},
        {"rules: r1, s: {a: x}", "filter has no condition"},
        {"rules: r1, s: {a|foo: x}, condition: not s", "unknown modifier"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        buf_printf(&text, "%s---\ntitle: f\nid: f1\nlogsource: {category: proxy}\nfilter: {%s}\n",
                   RULE("r1", "{s: {a: x}, condition: s}"), CASES[i].body);
        check_refused(buf_string(&text), CASES[i].message);
        buf_release(&text);
    }
    check_refused(NOT_X "---\ntitle: x\nid: r1\nlogsource: {category: proxy}\nfilter: []\n",
                  "filter is a map of rules");
}

static void refuses_cycles(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        CORRELATION("c1", "type: event_count, rules: c1, timespan: 1h, condition: {gte: 2}"),
        CORRELATION("c1", "type: event_count, rules: c2, timespan: 1h, condition: {gte: 2}") "---\n" CORRELATION(
            "c2", "type: event_count, rules: c1, timespan: 1h, condition: {gte: 2}"),
        CORRELATION("c1", "type: event_count, rules: c2, timespan: 1h, condition: {gte: 2}") "---\n" CORRELATION("c2", "type: temporal, rules: [r1, c3], timespan: 1h") "---\n" CORRELATION(
            "c3",
            "type: temporal, rules: [r1, c2], timespan: 1h") "---\n" RULE("r1",
                                                                          "{s: {a: x}, condition: s}"),
    };
    for (size_t i = 0; i < 3; i++)
        check_refused(TEXTS[i], "a.yml:1:1: the correlation is part of a cycle");
    check_refused(RULE("r1", "{s: {a: x}, condition: s}") "---\n" NOT_X "---\n" CORRELATION(
                      "c1", "type: event_count, rules: f1, timespan: 1h, condition: {gte: 2}"),
                  "the correlation names the rule \"f1\", which is a filter");
}

static void keeps_limits(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_text(&text, HEAD "detection: {s: {a: '");
    for (int i = 0; i < SIGMA_PATTERN_BYTES_MAX; i++)
        buf_byte(&text, 'a');
    size_t fits = text.len;
    buf_text(&text, "'}, condition: s}\n");
    struct loaded l = load(buf_string(&text));
    assert_int_equal(l.err, 0);
    unload(&l);
    text.len = fits;
    buf_text(&text, "a'}, condition: s}\n");
    check_refused(buf_string(&text), "a.yml:4:20: a pattern of more than 8192 bytes");
    buf_reset(&text);
    buf_text(&text, HEAD "detection:\n  condition: s0\n");
    for (int i = 0; i < 257; i++)
        buf_printf(&text, "  s%d: {a: x}\n", i);
    check_refused(buf_string(&text), "a.yml:262:3: more than 256 selections");
    buf_reset(&text);
    buf_text(&text, HEAD "detection:\n  s: {a: x}\n  condition: s");
    for (int i = 0; i < 2000; i++)
        buf_text(&text, " or s");
    buf_text(&text, "\n");
    l = load(buf_string(&text));
    assert_int_equal(l.err, 0);
    unload(&l);
    buf_reset(&text);
    buf_text(&text, HEAD "detection:\n  s: {a: x}\n  condition: ");
    for (int i = 0; i < 300; i++)
        buf_text(&text, "not ");
    buf_text(&text, "s\n");
    check_refused(buf_string(&text), "a.yml:6:14: the condition has more than 256 operators");
    buf_reset(&text);
    buf_text(&text, "title: c\ncorrelation: {type: temporal, timespan: 1m, rules: [");
    for (int i = 0; i < 65; i++)
        buf_printf(&text, "%sr%d", i == 0 ? "" : ", ", i);
    buf_text(&text, "]}\n");
    check_refused(buf_string(&text), "more than 64 rules");
    buf_reset(&text);
    buf_text(&text, HEAD "detection:\n  s: {a: x}\n  condition: s\nx: '");
    while (text.len < SIGMA_DOCUMENT_BYTES_MAX + 100)
        buf_text(&text, "xxxxxxxxxxxxxxxx");
    buf_text(&text, "'\n");
    check_refused(buf_string(&text), "a document of more than 65536 bytes");
    buf_release(&text);
}

/* Refused with a reason, or accepted and good to ask. */
static bool accepted(const char *text, const struct batch *b)
{
    struct buf out = {0};
    struct loaded l = load(text);
    bool is = l.err == 0;
    assert_true(is || l.diag.count > 0);
    for (uint32_t i = 0; is && i < l.set.rule_count; i++) {
        if (l.set.rules[i].kind == SIGMA_RULE)
            (void)tree_found(b, l.set.rules[i].condition, &out);
    }
    unload(&l);
    buf_release(&out);
    return is;
}

/* However a file is cut or changed. */
static void survives_every_cut_and_flip(void **state)
{
    (void)state;
    static const char TEXT[] =
        "title: t\nid: r1\nlogsource: {category: proxy}\ndetection:\n  s:\n    a|contains|all: [x*, "
        "'\\?y']\n    b|re|i: ^a+$\n  k: [x, {c|cidr: 192.0.2.0/24}]\n  condition: 1 of s* and not "
        "k\n---\ntitle: c\nname: c1\ncorrelation:\n  type: temporal\n  rules: [r1]\n  group-by: "
        "[a]\n  timespan: 1h\n  condition: r1\n---\ntitle: f\nlogsource: {category: "
        "proxy}\nfilter:\n  rules: r1\n  s: {d|gte: 1.5}\n  condition: not s\n";
    struct batch *b = batch_new();
    unsigned count = 0;
    char copy[sizeof(TEXT)];
    EVENT(b, {"a", "x?y"}, {"b", "aa"});
    for (size_t at = 0; at < sizeof(TEXT) - 1; at++) {
        memcpy(copy, TEXT, sizeof(TEXT));
        copy[at] = '\0';
        count += accepted(copy, b);
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(copy, TEXT, sizeof(TEXT));
            copy[at] = (char)(copy[at] ^ (1 << bit));
            if (copy[at] != '\0')
                count += accepted(copy, b);
        }
    }
    assert_true(count > 100);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_documents),
        cmocka_unit_test(refuses_items),
        cmocka_unit_test(refuses_conditions),
        cmocka_unit_test(refuses_correlations),
        cmocka_unit_test(reports_all_files_in_one_pass),
        cmocka_unit_test(refuses_filters),
        cmocka_unit_test(refuses_cycles),
        cmocka_unit_test(keeps_limits),
        cmocka_unit_test(survives_every_cut_and_flip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
