/* Registrable domains: our own cases, and the Public Suffix List's test vectors. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/err.h"
#include "base/file.h"
#include "base/punycode.h"
#include "ingest/domain.h"
#include "tests/ingest/corpus.h"

enum {
    LINE_BYTES_MAX = 512,
    VECTORS_MIN = 60, /* fewer would mean that this test no longer reads the vectors */
};

static void check(const struct domain_list *list, struct slice name, const char *expected)
{
    struct domain_scratch scratch;
    struct slice got = domain_registered(list, name, &scratch);
    if (!slice_equal(got, slice_from(expected)))
        print_error("%.*s: %.*s, not %s\n", (int)name.len, name.data, (int)got.len, got.data,
                    expected);
    assert_true(slice_equal(got, slice_from(expected)));
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *expected;
    } CASES[] = {
        {"example.com", "example.com"},
        {"WWW.Example.COM", "example.com"},
        {"www.example.com.", "example.com"},
        {"a.b.c.example.co.jp", "example.co.jp"},
        {"www.city.example.lg.jp", "example.lg.jp"},
        {"www.pref.akita.jp", "pref.akita.jp"},
        {"www.city.kobe.jp", "city.kobe.jp"},
        {"user.github.io", "user.github.io"}, /* the private part of the list */
        {"a.user.github.io", "user.github.io"},
        {"_dmarc.example.com", "example.com"},
        {"host.unlisted", "host.unlisted"},
        {"xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"},
        {"www.食狮.公司.cn", "xn--85x722f.xn--55qx5d.cn"},
        {"www.例え.jp", "xn--r8jz45g.jp"},
        {"co.jp", ""},
        {"com", ""},
        {"localhost", ""},
        {"github.io", ""},
        {"", ""},
        {".", ""},
        {"..", ""},
        {"...", ""},
        {"com.", ""},
        {".example.com", ""},
        {"www..example.com", ""},
        {"example.com..", ""},
        {"198.51.100.7", ""},
        {"198.51.100.700", ""},
        {"example.7", ""},
        {"2001:db8::1", ""},
        {"[2001:db8::1]", ""},
        {"example.com:443", ""},
        {"exa mple.com", ""},
        {"example.com/path", ""},
        {"例え /.jp", ""},
        {"\xff\xfe.example.com", ""},
    };
    struct domain_list *list = NULL;
    assert_int_equal(domain_open(&list, NULL), 0);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        check(list, slice_from(CASES[i].name), CASES[i].expected);
    domain_close(list);
}

static void overwrite(char *to, struct slice text)
{
    memcpy(to, text.data, text.len);
}

static void test_limits_of_names(void **state)
{
    (void)state;
    struct domain_list *list = NULL;
    char name[300];
    assert_int_equal(domain_open(&list, NULL), 0);
    /* 253 bytes are a name, 254 are none; a NUL inside is none. */
    for (size_t len = 20; len < sizeof(name); len++) {
        memset(name, 'a', sizeof(name));
        for (size_t i = 5; i < len - 13; i += 50)
            name[i] = '.';
        overwrite(name + len - 12, SLICE(".example.com"));
        check(list, slice_of(name, len), len <= HOSTNAME_BYTES_MAX ? "example.com" : "");
    }
    memset(name, 'a', sizeof(name));
    overwrite(name + 63, SLICE(".example.com"));
    check(list, slice_of(name, 75), "example.com");
    overwrite(name + 63, SLICE("a.example.com"));
    check(list, slice_of(name, 76), "");
    check(list, slice_of("a\0b.example.com", 15), "");
    domain_close(list);
}

static void test_lists_that_are_refused(void **state)
{
    (void)state;
    struct domain_list *list = NULL;
    assert_int_equal(domain_open(&list, "/nonexistent/list"), ERR_NOTFOUND);
    /* By its form each of these is a list of suffixes. */
    static const char *const OTHERS[] = {"",
                                         "\n",
                                         "<html>\nnot found\n</html>\n",
                                         "// ===BEGIN PRIVATE DOMAINS===\ncom\n",
                                         ".DAFSA@PSL_0   \n",
                                         ".DAFSA@PSL_0   \n\x81\x82\x83"};
    char dir[CORPUS_PATH_BYTES_MAX];
    char path[CORPUS_PATH_BYTES_MAX + 16];
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/domain"), 0);
    (void)snprintf(path, sizeof(path), "%s/list", dir);
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        assert_int_equal(file_write_atomic(path, slice_from(OTHERS[i])), 0);
        assert_int_equal(domain_open(&list, path), ERR_FORMAT);
    }
    assert_int_equal(dir_remove_tree(dir), 0);
    assert_null(list);
    domain_close(NULL);
}

/* What a list was made of is what is in force, whatever becomes of the file. */
static void test_content(void **state)
{
    (void)state;
    const struct slice text = SLICE("// ===BEGIN ICANN DOMAINS===\ncom\nmade.com\n");
    struct domain_list *list = NULL;
    char dir[CORPUS_PATH_BYTES_MAX];
    char path[CORPUS_PATH_BYTES_MAX + 16];
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/domain"), 0);
    (void)snprintf(path, sizeof(path), "%s/list", dir);
    assert_int_equal(file_write_atomic(path, text), 0);
    assert_int_equal(domain_open(&list, path), 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_true(slice_equal(domain_content(list), text));
    check(list, SLICE("www.up.made.com"), "up.made.com");
    domain_close(list);
    assert_int_equal(dir_remove_tree(dir), 0);
}

/* A compiled list that is cut off anywhere is refused or read, and no read leaves its bytes. */
static void test_cut_off(void **state)
{
    (void)state;
    enum {
        CUTS = 250
    };
    struct domain_list *whole = NULL;
    char dir[CORPUS_PATH_BYTES_MAX];
    char path[CORPUS_PATH_BYTES_MAX + 16];
    assert_int_equal(domain_open(&whole, NULL), 0);
    struct slice content = domain_content(whole);
    assert_int_equal(dir_create_temp(dir, sizeof(dir), "/tmp/domain"), 0);
    (void)snprintf(path, sizeof(path), "%s/list", dir);
    for (size_t i = 0; i < CUTS && content.len != 0; i++) {
        struct domain_list *list = NULL;
        struct domain_scratch scratch;
        assert_int_equal(file_write_atomic(path, slice_of(content.data, content.len * i / CUTS)),
                         0);
        if (domain_open(&list, path) != 0)
            continue;
        (void)domain_registered(list, SLICE("www.city.example.lg.jp"), &scratch);
        (void)domain_registered(list, SLICE("www.example.zw"), &scratch);
        domain_close(list);
    }
    assert_int_equal(dir_remove_tree(dir), 0);
    domain_close(whole);
}

static void test_punycode(void **state)
{
    (void)state;
    /* The names are those of RFC 3492, section 7.1. */
    static const struct {
        const char *label;
        const char *expected; /* "" = refused */
    } CASES[] = {
        {"ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn"},
        {"他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"},
        {"なぜみんな日本語を話してくれないのか", "xn--n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"},
        {"3年B組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"},
        {"パフィーdeルンバ", "xn--de-jg4avhby1noc0d"},
        {"そのスピードで", "xn--d9juau41awczczp"},
        {"bücher", "xn--bcher-kva"},
        {"\xc3", ""},
        {"\xc0\x80", ""},
        {"\xed\xa0\x80", ""},
        {"\xf4\x90\x80\x80", ""},
        {"\x80", ""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char out[64];
        size_t len = punycode_label(out, sizeof(out), slice_from(CASES[i].label));
        assert_true(slice_equal(slice_of(out, len), slice_from(CASES[i].expected)));
        if (len == 0)
            continue;
        assert_int_equal(punycode_label(out, len, slice_from(CASES[i].label)), len);
        assert_int_equal(punycode_label(out, len - 1, slice_from(CASES[i].label)), 0);
    }
}

/* The text between the next two quotes from *at on, or the empty slice for the word null. */
static struct slice quoted(const char **at)
{
    const char *open = strchr(*at, '\'');
    const char *null = strstr(*at, "null");
    if (open == NULL || (null != NULL && null < open)) {
        *at = null == NULL ? *at + strlen(*at) : null + 4;
        return SLICE("");
    }
    const char *close = strchr(open + 1, '\'');
    *at = close == NULL ? open + 1 : close + 1;
    return slice_of(open + 1, close == NULL ? 0 : (size_t)(close - open - 1));
}

static void test_vectors(void **state)
{
    (void)state;
    char path[CORPUS_PATH_BYTES_MAX];
    if (!corpus_path(path, "psl/psl-tests/test_psl.txt"))
        skip();
    struct domain_list *list = NULL;
    assert_int_equal(domain_open(&list, NULL), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[LINE_BYTES_MAX];
    int seen = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "checkPublicSuffix(", 18) != 0)
            continue;
        const char *at = line + 18;
        struct slice name = quoted(&at);
        struct slice wanted = quoted(&at);
        struct domain_scratch a;
        struct domain_scratch b;
        struct slice got = domain_registered(list, name, &a);
        /* A registrable domain is its own one: that also brings what is wanted into our form. */
        struct slice normal = domain_registered(list, wanted, &b);
        assert_true(slice_equal(got, normal));
        assert_int_equal(got.len == 0, wanted.len == 0);
        seen++;
    }
    assert_true(seen >= VECTORS_MIN);
    (void)fclose(file);
    domain_close(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_content),
        cmocka_unit_test(test_cut_off),  cmocka_unit_test(test_limits_of_names),
        cmocka_unit_test(test_punycode), cmocka_unit_test(test_lists_that_are_refused),
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
