#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/yaml.h"

#define PICK_PIECE(list, at) (list)[(at) % (sizeof(list) / sizeof((list)[0]))]

struct read {
    struct arena arena;
    struct diag diag;
    struct yaml_node *root;
    int err;
};

static struct read read_text(struct slice text)
{
    struct read r = {0};
    r.err = yaml_read(&r.root, &r.arena, text, "t.yaml", &r.diag);
    return r;
}

static void read_release(struct read *r)
{
    arena_release(&r->arena);
    diag_release(&r->diag);
}

static void reads_a_tree(void **state)
{
    (void)state;
    struct read r = read_text(SLICE("# comment\n"
                                    "name: \"052027\"\n"
                                    "networks:\n"
                                    "  - cidr: 192.0.2.0/24\n"
                                    "    zone: ~\n"
                                    "  - {cidr: '198.51.100.0/24', list: [a, b, ]}\n"
                                    "block: |\n"
                                    "  one\n"
                                    "  two\n"));
    assert_int_equal(r.err, 0);
    assert_int_equal(r.root->kind, YAML_MAP);
    assert_int_equal(r.root->count, 3);
    const struct yaml_node *name = yaml_get(r.root, SLICE("name"));
    assert_true(name->quoted);
    assert_int_equal(name->line, 2);
    assert_int_equal(name->column, 7);
    assert_int_equal(name->key_column, 1);
    assert_string_equal(name->text.data, "052027");
    const struct yaml_node *networks = yaml_get(r.root, SLICE("networks"));
    assert_int_equal(networks->kind, YAML_LIST);
    assert_int_equal(networks->count, 2);
    const struct yaml_node *first = networks->first;
    assert_true(slice_equal(yaml_text(first, SLICE("cidr")), SLICE("192.0.2.0/24")));
    assert_true(yaml_null(yaml_get(first, SLICE("zone"))));
    assert_int_equal(yaml_get(first, SLICE("zone"))->line, 5);
    const struct yaml_node *list = yaml_get(first->next, SLICE("list"));
    assert_int_equal(list->count, 2);
    assert_ptr_equal(list->parent, first->next);
    assert_null(yaml_text(first->next, SLICE("list")).data);
    assert_null(yaml_get(first, SLICE("none")));
    assert_true(slice_equal(yaml_text(r.root, SLICE("block")), SLICE("one\ntwo\n")));
    read_release(&r);
}

static void reads_empty_texts_and_streams(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {"", "\n", "# only\n", "---\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof(EMPTY) / sizeof(EMPTY[0]); i++) {
        struct read r = read_text(slice_from(EMPTY[i]));
        assert_int_equal(r.err, 0);
        assert_true(yaml_null(r.root));
        read_release(&r);
    }
    struct read r = read_text(SLICE("a: 1\n---\nb: 2\n"));
    assert_int_equal(r.err, ERR_FORMAT);
    assert_non_null(strstr(diag_text(&r.diag), "second document"));
    struct yaml_node *all = NULL;
    assert_int_equal(
        yaml_read_stream(&all, &r.arena, SLICE("a: 1\n---\nb: 2\n---\n- x\n"), "t", &r.diag), 0);
    assert_int_equal(all->count, 3);
    assert_int_equal(all->last->kind, YAML_LIST);
    read_release(&r);
}

static void refuses_with_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } CASES[] = {
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3:1: the key \"a\" is given twice, first on line 1"},
        {"a: &x 1\n", "t.yaml:1:4: anchors"},
        {"a: &x 1\nb: *x\n", "t.yaml:2:4: aliases"},
        {"a: !!python/object x\n", "t.yaml:1:4: tags"},
        {"<<: {a: 1}\n", "t.yaml:1:1: merge keys"},
        {"? [a, b]\n: c\n", "t.yaml:1:3: a key must be"},
        {"a: [1, 2\n", "t.yaml:2:1: not YAML"},
        {"a: \"x\n", "not YAML"},
        {"\tb: c\n", "t.yaml:1:1: not YAML"},
        {"a: b: c\n", "t.yaml:1:5: not YAML"},
        {"a: \xff\n", "must be UTF-8"},
        {"a: \x01\n", "must be UTF-8"},
        {"\"a\\0b\": 1\n", "NUL"},
        {"%YAML 9.9\n---\na: 1\n", "not YAML"},
        {"a: 1\n}\n", "not YAML"},
        {"{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1", "nested too"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct read r = read_text(slice_from(CASES[i].text));
        assert_int_equal(r.err, ERR_FORMAT);
        assert_null(r.root);
        assert_non_null(strstr(diag_text(&r.diag), CASES[i].message));
        read_release(&r);
    }
}

static void reports_every_fault(void **state)
{
    (void)state;
    struct read r = read_text(SLICE("a: &x 1\na: !t 2\nb: 1\nb: 2\n"));
    assert_int_equal(r.err, ERR_FORMAT);
    assert_int_equal(r.diag.count, 4);
    read_release(&r);
}

/* A text of `piece` again and again; whatever it is, it has to be over soon. */
static void check_flood(const char *piece, size_t bytes)
{
    struct buf b = {0};
    while (b.len < bytes)
        buf_text(&b, piece);
    int64_t start = clock_cpu_ns();
    struct read r = read_text(buf_content(&b));
    assert_true(clock_cpu_ns() - start < INT64_C(20000000000));
    assert_true(r.err == 0 || r.err == ERR_FORMAT);
    assert_true(r.diag.text.len <= DIAG_TEXT_BYTES_MAX);
    read_release(&r);
    buf_release(&b);
}

static void bounds_hostile_texts(void **state)
{
    (void)state;
    static const char *const PIECES[] = {
        "[",      "{",     "- ",  "? ",    "a: ", "[]",   "{},",   "&a ",
        "*a ",    "!a ",   "\"",  "'",     "|\n", "x\n",  ":",     ",",
        "- x\n",  "---\n", "#\n", "a:\n ", "\r",  "%a\n", "\"\\n", "- - - - - - - -\n",
        "a: b\n",
    };
    for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++)
        check_flood(PIECES[i], 200000);
    struct buf b = {0};
    buf_text(&b, "- [");
    while (b.len < YAML_TEXT_BYTES_MAX - 2)
        buf_text(&b, "a,");
    struct read r = read_text(buf_content(&b));
    assert_int_equal(r.err, ERR_FORMAT);
    assert_non_null(strstr(diag_text(&r.diag), "too large"));
    read_release(&r);
    buf_text(&b, "aaaa");
    r = read_text(buf_content(&b));
    assert_int_equal(r.err, ERR_FORMAT);
    read_release(&r);
    buf_release(&b);
}

static void survives_every_cut_and_flip(void **state)
{
    (void)state;
    static const char TEXT[] = "a: [1, \"x\\u00e9\", {b: 'c'}]\nd: |\n  e\n? f\n: >-\n  g\n- h\n";
    char copy[sizeof(TEXT)];
    for (size_t len = 0; len < sizeof(TEXT); len++) {
        struct read r = read_text(slice_of(TEXT, len));
        assert_true(r.err == 0 || r.diag.count > 0);
        read_release(&r);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, TEXT, sizeof(TEXT));
            copy[len] = (char)(copy[len] ^ (1 << bit));
            r = read_text(slice_of(copy, sizeof(TEXT) - 1));
            assert_true(r.err == 0 || r.diag.count > 0);
            read_release(&r);
        }
    }
}

static void stops_at_the_arena_budget(void **state)
{
    (void)state;
    struct arena arena = {.limit_bytes = 8192};
    struct diag diag = {0};
    struct yaml_node *root = NULL;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_text(&b, "- abc\n");
    assert_int_equal(yaml_read(&root, &arena, buf_content(&b), "t", &diag), ERR_NOMEM);
    assert_null(root);
    buf_release(&b);
    arena_release(&arena);
    diag_release(&diag);
}

static void prints_what_reads_back(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "plain",
        "a b",
        "052027",
        "1.5",
        "true",
        "No",
        "~",
        "null",
        "a: b",
        "#x",
        "- a",
        "\"q\" \\",
        "line\nfeed\ttab",
        " a ",
        "x:",
        "[a",
        "@at",
        "+09:00",
        "10s",
        "\x7f\x1b",
        "関所",
        "\xe2\x80\xa8\xc2\x85\xef\xbb\xbf",
        "/a/b-c.d_e",
        "-",
        ".",
        "\xf0\x9f\x9a\xa7",
        "\xef\xbf\xbe\xef\xbf\xbf",
        "NaN",
        "0x1f",
        "1e5",
        "=",
        "<<",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct buf b = {0};
        buf_text(&b, "key: ");
        yaml_print_scalar(&b, slice_from(TEXTS[i]));
        buf_text(&b, "\n");
        yaml_print_scalar(&b, slice_from(TEXTS[i]));
        buf_text(&b, ": 1\n");
        struct read r = read_text(buf_content(&b));
        assert_int_equal(r.err, 0);
        assert_true(slice_equal(yaml_text(r.root, SLICE("key")), slice_from(TEXTS[i])));
        assert_false(yaml_null(r.root->first));
        assert_string_equal(r.root->last->key, TEXTS[i]);
        read_release(&r);
        buf_release(&b);
    }
}

/* As the reader of rules does: aliases are allowed, everything is bounded. */
static struct read read_within(struct slice text, const struct yaml_bounds *bounds)
{
    struct read r = {0};
    r.err = yaml_read_within(&r.root, &r.arena, text, "t.yaml", bounds, &r.diag);
    return r;
}

static const struct yaml_bounds ALIASES = {
    .depth = 8, .aliases = 16, .nodes = 200, .document_bytes = 4096};

static void print_tree(struct buf *out, const struct yaml_node *node)
{
    if (node->kind == YAML_TEXT) {
        buf_printf(out, node->quoted ? "'%.*s'" : "%.*s", (int)node->text.len, node->text.data);
        return;
    }
    buf_text(out, node->kind == YAML_LIST ? "[" : "{");
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        assert_ptr_equal(n->parent, node);
        assert_int_equal(n->key != NULL, node->kind == YAML_MAP);
        if (n != node->first)
            buf_text(out, ",");
        if (n->key != NULL)
            buf_printf(out, "%s:", n->key);
        print_tree(out, n);
    }
    buf_text(out, node->kind == YAML_LIST ? "]" : "}");
}

static void an_alias_is_a_copy(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *tree;
    } CASES[] = {
        {"a: &x 1\nb: *x\n", "{a:1,b:1}"},
        {"a: &x '1'\nb: *x\nc: &y\nd: *y\n", "{a:'1',b:'1',c:,d:}"},
        {"- &x [1, 2]\n- *x\n- [*x, 3, *x]\n", "[[1,2],[1,2],[[1,2],3,[1,2]]]"},
        {"a: &x {k: v, l: [m, {n: o}]}\nb: *x\nc: {d: *x, e: f}\ng: h\n",
         "{a:{k:v,l:[m,{n:o}]},b:{k:v,l:[m,{n:o}]},c:{d:{k:v,l:[m,{n:o}]},e:f},g:h}"},
        {"a: &x {k: &y [1], l: *y}\nb: [*x, *y]\n", "{a:{k:[1],l:[1]},b:[{k:[1],l:[1]},[1]]}"},
        {"a: &x []\nb: &y {}\nc: [*x, *y, *x]\n", "{a:[],b:{},c:[[],{},[]]}"},
        {"a: &x {k: {l: {m: 1}}, n: 2}\nb: *x\nz: 3\n",
         "{a:{k:{l:{m:1}},n:2},b:{k:{l:{m:1}},n:2},z:3}"},
        {"a: &x 1\nb: &x 2\nc: *x\n", "{a:1,b:2,c:2}"},
        {"a: &x {k: 1}\nb: {k: 2, l: *x}\n", "{a:{k:1},b:{k:2,l:{k:1}}}"},
        {"- &a [x]\n- &b [*a, *a]\n- &c [*b, *b]\n- *c\n",
         "[[x],[[x],[x]],[[[x],[x]],[[x],[x]]],[[[x],[x]],[[x],[x]]]]"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf tree = {0};
        struct read r = read_within(slice_from(CASES[i].text), &ALIASES);
        if (r.err != 0)
            fail_msg("%s: %s", CASES[i].text, diag_text(&r.diag));
        assert_int_equal(r.root->count, 1);
        print_tree(&tree, r.root->first);
        assert_string_equal(buf_string(&tree), CASES[i].tree);
        buf_release(&tree);
        read_release(&r);
    }
}

/* A message about a copy says where its text stands. */
static void a_copy_has_the_place_of_its_text(void **state)
{
    (void)state;
    struct read r = read_within(SLICE("a: &x\n  k: [1, 'z']\nb: *x\n"), &ALIASES);
    assert_int_equal(r.err, 0);
    const struct yaml_node *b = r.root->first->last;
    assert_string_equal(b->key, "b");
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->line, 1); /* where the anchor stands */
    const struct yaml_node *k = b->first;
    assert_int_equal(k->key_line, 2);
    assert_int_equal(k->key_column, 3);
    assert_int_equal(k->last->line, 2);
    assert_int_equal(k->last->column, 10);
    assert_true(k->last->quoted);
    read_release(&r);
}

static void refuses_aliases_with_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } CASES[] = {
        {"a: *x\nb: &x 1\n", "t.yaml:1:4: an alias (*) of an anchor"},
        {"a: &x [1, *x]\n", "t.yaml:1:11: an alias (*) of an anchor"},
        {"a: &x {k: {l: *x}}\n", "t.yaml:1:15: an alias (*) of an anchor"},
        {"a: &x k\n*x : 1\n", "t.yaml:2:1: an alias (*) cannot be a key"},
        {"a: &x 1\n&x k: 2\nb: *x\n", "t.yaml:2:1: "}, /* an anchor on a key */
        {"a: &x 1\n---\nb: *x\n", "t.yaml:3:4: an alias (*) of an anchor"},
        {"a: &x {k: 1}\nb: {<<: *x}\n", "t.yaml:2:5: merge keys"},
        {"a: &x 1\nb: [*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x]\nc: *x\n",
         "t.yaml:3:4: too many aliases"},
        {"a: &x [[[[1]]]]\nb: [[[[*x]]]]\n", "t.yaml:2:8: nested too deep"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct read r = read_within(slice_from(CASES[i].text), &ALIASES);
        assert_int_equal(r.err, ERR_FORMAT);
        assert_null(r.root);
        if (strstr(diag_text(&r.diag), CASES[i].message) == NULL)
            fail_msg("%s: %s", CASES[i].text, diag_text(&r.diag));
        read_release(&r);
    }
    struct read r = read_within(SLICE("a: &x [[[1]]]\nb: [[[[*x]]]]\n"), &ALIASES);
    assert_int_equal(r.err, 0);
    read_release(&r);
}

/* Ten lists of ten aliases each of the list before: 10^10 values. */
static void bounds_what_aliases_multiply(void **state)
{
    (void)state;
    const struct yaml_bounds bounds = {
        .depth = 32, .aliases = 200, .nodes = 100000, .document_bytes = 65536};
    struct buf b = {0};
    buf_text(&b, "a0: &a0 x\n");
    for (int i = 1; i <= 10; i++) {
        buf_printf(&b, "a%d: &a%d [*a%d", i, i, i - 1);
        for (int k = 1; k < 10; k++)
            buf_printf(&b, ", *a%d", i - 1);
        buf_text(&b, "]\n");
    }
    struct read r = read_within(buf_content(&b), &bounds);
    assert_int_equal(r.err, ERR_FORMAT);
    assert_non_null(strstr(diag_text(&r.diag), "t.yaml:6:"));
    assert_non_null(strstr(diag_text(&r.diag), "those of aliases included"));
    assert_int_equal(r.diag.count, 1);
    read_release(&r);
    buf_release(&b);
}

static void bounds_a_document(void **state)
{
    (void)state;
    const struct yaml_bounds bounds = {.depth = 8, .aliases = 0, .nodes = 10, .document_bytes = 40};
    struct read r = read_within(SLICE("a: 1\n---\nb: 'x'\n---\nc: 'y'\n"), &bounds);
    assert_int_equal(r.err, 0);
    assert_int_equal(r.root->count, 3);
    read_release(&r);
    r = read_within(
        SLICE("a: 1\n---\nb: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'\n---\nc: 1\n"), &bounds);
    assert_int_equal(r.err, ERR_FORMAT);
    assert_non_null(strstr(diag_text(&r.diag), "a document of more than 40 bytes"));
    read_release(&r);
    /* bytes, not characters */
    r = read_within(SLICE("a: 関所関所関所関所関所関所関所\n"), &bounds);
    assert_int_equal(r.err, ERR_FORMAT);
    assert_non_null(strstr(diag_text(&r.diag), "a document of more than 40 bytes"));
    read_release(&r);
    r = read_within(SLICE("[1, 2, 3, 4, 5, 6, 7, 8, 9]\n"), &bounds);
    assert_int_equal(r.err, 0);
    read_release(&r);
    r = read_within(SLICE("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"), &bounds);
    assert_int_equal(r.err, ERR_FORMAT);
    assert_non_null(strstr(diag_text(&r.diag), "t.yaml:1:29: too large"));
    read_release(&r);
}

/* Texts of anchors and aliases at random: accepted within the bounds, or refused with a reason. */
static void survives_random_aliases(void **state)
{
    (void)state;
    static const char *const PIECES[] = {"&a ", "&b ", "*a ", "*b ", "[",  "]",  "{",
                                         "}",   "k: ", ", ",  "x ",  "- ", "\n", "? "};
    uint64_t seed = 77;
    unsigned accepted = 0;
    for (int round = 0; round < 20000; round++) {
        struct buf b = {0};
        for (int i = 0; i < 14; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            buf_text(&b, PICK_PIECE(PIECES, seed >> 33));
        }
        struct read r = read_within(buf_content(&b), &ALIASES);
        assert_true(r.err == 0 ? r.diag.count == 0 : r.diag.count > 0);
        struct buf tree = {0};
        if (r.err == 0)
            print_tree(&tree, r.root);
        accepted += r.err == 0 && memchr(b.data, '*', b.len) != NULL;
        buf_release(&tree);
        read_release(&r);
        buf_release(&b);
    }
    assert_true(accepted > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree),
        cmocka_unit_test(reads_empty_texts_and_streams),
        cmocka_unit_test(refuses_with_a_place),
        cmocka_unit_test(reports_every_fault),
        cmocka_unit_test(bounds_hostile_texts),
        cmocka_unit_test(survives_every_cut_and_flip),
        cmocka_unit_test(stops_at_the_arena_budget),
        cmocka_unit_test(prints_what_reads_back),
        cmocka_unit_test(an_alias_is_a_copy),
        cmocka_unit_test(a_copy_has_the_place_of_its_text),
        cmocka_unit_test(refuses_aliases_with_a_place),
        cmocka_unit_test(bounds_what_aliases_multiply),
        cmocka_unit_test(bounds_a_document),
        cmocka_unit_test(survives_random_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
