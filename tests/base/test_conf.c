#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/file.h"

static const char *const MODELS[] = {"alpha", "beta", "gamma", NULL};

static const struct conf_key TABLE[] = {
    {.path = "data", .type = CONF_PATH, .required = true, .help = "Where the store is."},
    {.path = "kafka", .type = CONF_SECTION, .help = "The source."},
    {.path = "kafka.brokers", .type = CONF_STRING, .required = true, .initial = "192.0.2.1:9092"},
    {.path = "kafka.topics[]", .type = CONF_STRING, .help = "Topics."},
    {.path = "kafka.properties.*", .type = CONF_STRING, .help = "For the client library."},
    {.path = "start", .type = CONF_ENUM, .choices = MODELS, .initial = "beta"},
    {.path = "limits.log_bytes",
     .type = CONF_SIZE,
     .initial = "64MiB",
     .min = 4096,
     .max = INT64_C(1) << 40,
     .help = "Size of the log."},
    {.path = "limits.wait",
     .type = CONF_DURATION,
     .initial = "10s",
     .min = 1000000,
     .max = INT64_C(3600000000000)},
    {.path = "limits.workers",
     .type = CONF_INT,
     .initial = "2",
     .min = 1,
     .max = 64,
     .unit = "threads"},
    {.path = "limits.strict", .type = CONF_BOOL, .initial = "true"},
    {.path = "tenants", .type = CONF_SECTION, .required = true, .help = "One per municipality."},
    {.path = "tenants.*.name", .type = CONF_STRING, .required = true, .min = 1, .max = 20},
    {.path = "tenants.*.networks[].cidr", .type = CONF_CIDR, .required = true},
    {.path = "tenants.*.networks[].exclude[]", .type = CONF_CIDR},
    {.path = "tenants.*.sources.*.zone", .type = CONF_ZONE, .initial = "+09:00"},
};

enum {
    KEYS = sizeof(TABLE) / sizeof(TABLE[0]),
};

static const char GOOD[] = "data: /srv/store\n"
                           "kafka:\n"
                           "  brokers: \"192.0.2.7:9092\"\n"
                           "  topics: [one, two]\n"
                           "  properties: {client.id: x, debug: 'yes'}\n"
                           "limits:\n"
                           "  log_bytes: 1GB\n"
                           "tenants:\n"
                           "  \"992011\":\n"
                           "    name: 関所市\n"
                           "    networks:\n"
                           "      - cidr: 198.51.100.0/24\n"
                           "        exclude: [198.51.100.8/32]\n"
                           "      - cidr: 2001:db8::/32\n"
                           "    sources: {fw1: {}, fw2: {zone: \"-03:30\"}}\n";

struct parsed {
    struct conf *conf;
    struct diag diag;
    int err;
};

static struct parsed parse(const char *text)
{
    struct parsed p = {0};
    p.err = conf_parse(&p.conf, TABLE, KEYS, slice_from(text), "/etc/c.yaml", &p.diag);
    return p;
}

static void parsed_release(struct parsed *p)
{
    conf_free(p->conf);
    diag_release(&p->diag);
}

static void reads_values_and_defaults(void **state)
{
    (void)state;
    struct parsed p = parse(GOOD);
    assert_string_equal(diag_text(&p.diag), "");
    assert_int_equal(p.err, 0);
    const struct conf_node *root = conf_root(p.conf);
    assert_string_equal(conf_text(root, "data"), "/srv/store");
    assert_string_equal(conf_text(root, "kafka.brokers"), "192.0.2.7:9092");
    assert_int_equal(conf_count(root, "kafka.topics"), 2);
    assert_string_equal(conf_find(root, "kafka.topics")->first->next->text.data, "two");
    const struct conf_node *properties = conf_find(root, "kafka.properties");
    assert_string_equal(conf_child(properties, SLICE("client.id"))->text.data, "x");
    assert_int_equal(conf_int(root, "start"), 1);
    assert_int_equal(conf_int(root, "limits.log_bytes"), 1000000000);
    assert_int_equal(conf_int(root, "limits.wait"), INT64_C(10000000000));
    assert_int_equal(conf_int(root, "limits.workers"), 2);
    assert_true(conf_bool(root, "limits.strict"));
    const struct conf_node *tenant = conf_find(root, "tenants")->first;
    assert_string_equal(tenant->key, "992011");
    assert_int_equal(tenant->line, 10);
    assert_string_equal(conf_text(tenant, "name"), "関所市");
    const struct conf_node *network = conf_find(tenant, "networks")->first;
    assert_int_equal(conf_int(network, "cidr"), 24);
    assert_int_equal(conf_find(network, "exclude")->first->number, 32);
    assert_int_equal(conf_int(tenant, "sources.fw1.zone"), 540);
    assert_int_equal(conf_int(tenant, "sources.fw2.zone"), -210);
    assert_false(conf_given(tenant, "sources.fw1.zone"));
    assert_true(conf_given(tenant, "sources.fw2.zone"));
    assert_true(conf_given(root, "limits"));
    assert_false(conf_given(root, "start"));
    assert_null(conf_text(root, "kafka.none"));
    assert_null(conf_text(root, "kafka"));
    assert_int_equal(conf_int(root, "data.x.y"), 0);
    struct buf b = {0};
    conf_resolve(&b, p.conf, "lists/a");
    conf_resolve(&b, p.conf, "/b");
    assert_string_equal(buf_string(&b), "/etc/lists/a/b");
    buf_release(&b);
    conf_error(p.conf, tenant, &p.diag, "no %s", "code");
    assert_string_equal(diag_text(&p.diag), "/etc/c.yaml:10:5: no code\n");
    parsed_release(&p);
}

static void leaves_optional_sections_out(void **state)
{
    (void)state;
    struct parsed p = parse("data: d\ntenants: {a: {name: x}}\n");
    assert_int_equal(p.err, 0);
    const struct conf_node *root = conf_root(p.conf);
    assert_null(conf_find(root, "kafka"));
    assert_false(conf_given(root, "limits"));
    assert_int_equal(conf_int(root, "limits.log_bytes"), 64 << 20);
    parsed_release(&p);
}

static void reports_all_faults_at_once(void **state)
{
    (void)state;
    static const char TEXT[] = "kafka:\n"
                               "  broker: x\n"
                               "start: betta\n"
                               "limits:\n"
                               "  log_bytes: 1\n"
                               "  wait: 10 seconds\n"
                               "  workers: [1]\n"
                               "  strict:\n"
                               "tenants:\n"
                               "  a:\n"
                               "    name: ''\n"
                               "    networks: 192.0.2.0/24\n"
                               "  b:\n"
                               "    name: \"x\\0y\"\n"
                               "    networks:\n"
                               "      - cidr: 192.0.2.1/24\n"
                               "      - cidr: 300.0.2.1/24\n"
                               "      - exclude: [2001:db8::/129]\n"
                               "    sources: {fw: {zone: JST}}\n"
                               "  c: 7\n";
    static const char *const EXPECTED[] = {
        "c.yaml:1:1: the key \"data\" is missing; write path: Where the store is.\n",
        "c.yaml:2:3: unknown key \"broker\"; did you mean \"brokers\"?\n",
        "c.yaml:1:1: the key \"brokers\" is missing in \"kafka\"; write string\n",
        ("c.yaml:3:8: \"betta\" is not a valid choice; did you mean beta? it is one of alpha, beta, "
         "gamma\n"),
        "c.yaml:5:14: \"1\" is out of range; allowed is size in bytes from 4KiB to 1TiB\n",
        ("c.yaml:6:9: \"10 seconds\" is not a valid duration; write a number with ms, s, m, h or d, "
         "such as 10s\n"),
        "c.yaml:7:12: a list where one value is expected; write integer from 1 to 64 threads\n",
        "c.yaml:8:10: the value is missing; write true or false\n",
        "c.yaml:11:11: \"\" is out of range; allowed is string of 1 to 20 bytes\n",
        "c.yaml:12:15: a single value where a list is expected",
        "c.yaml:14:11: \"x\\x00y\" holds a NUL character",
        "c.yaml:16:15: \"192.0.2.1/24\" has bits set behind its prefix",
        "c.yaml:17:15: \"300.0.2.1/24\" is not a valid network",
        "c.yaml:18:9: the key \"cidr\" is missing",
        "c.yaml:18:19: \"2001:db8::/129\" is not a valid network",
        "c.yaml:19:26: \"JST\" is not a valid zone offset",
        "c.yaml:20:6: a single value where a section is expected",
    };
    struct parsed p = parse(TEXT);
    assert_int_equal(p.err, ERR_CONF);
    assert_null(p.conf);
    const char *messages = diag_text(&p.diag);
    for (size_t i = 0; i < sizeof(EXPECTED) / sizeof(EXPECTED[0]); i++) {
        if (strstr(messages, EXPECTED[i]) == NULL)
            print_error("not found: %s\nin:\n%s", EXPECTED[i], messages);
        assert_non_null(strstr(messages, EXPECTED[i]));
    }
    assert_int_equal(p.diag.count, sizeof(EXPECTED) / sizeof(EXPECTED[0]));
    parsed_release(&p);
}

static void bounds_its_complaints(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, "key%d: 1\n", i);
    struct parsed p = parse(buf_string(&b));
    assert_int_equal(p.err, ERR_CONF);
    assert_int_equal(p.diag.count, 20002);
    parsed_release(&p);
    buf_release(&b);
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        int64_t bytes;
    } CASES[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"512B", 0, 512},
        {"64MiB", 0, 64 << 20},
        {"1 GB", 0, 1000000000},
        {"8KB", 0, 8000},
        {"2TiB", 0, INT64_C(2) << 40},
        {"", ERR_FORMAT, 0},
        {"MiB", ERR_FORMAT, 0},
        {"1M", ERR_FORMAT, 0},
        {"-1", ERR_FORMAT, 0},
        {"1.5GB", ERR_FORMAT, 0},
        {"99999999TiB", ERR_RANGE, 0},
        {"99999999999999999999", ERR_FORMAT, 0},
        {"1 ", ERR_FORMAT, 0},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        int64_t bytes = 0;
        assert_int_equal(conf_parse_size(&bytes, slice_from(CASES[i].text)), CASES[i].err);
        assert_int_equal(bytes, CASES[i].bytes);
    }
}

/* Whether two trees say the same; places may differ. */
static void check_equal(const struct conf_node *a, const struct conf_node *b)
{
    const struct conf_node *open_a[32];
    const struct conf_node *open_b[32];
    size_t depth = 0;
    open_a[depth] = a;
    open_b[depth++] = b;
    while (depth > 0) {
        a = open_a[--depth];
        b = open_b[depth];
        for (; a != NULL; a = a->next, b = b->next) {
            assert_non_null(b);
            assert_int_equal(a->kind, b->kind);
            assert_int_equal(a->given, b->given);
            assert_int_equal(a->number, b->number);
            assert_int_equal(a->count, b->count);
            assert_ptr_equal(a->row, b->row);
            assert_true(slice_equal(a->text, b->text));
            assert_string_equal(a->key == NULL ? "" : a->key, b->key == NULL ? "" : b->key);
            if (a->first != NULL) {
                assert_true(depth < 32);
                open_a[depth] = a->first;
                open_b[depth++] = b->first;
            }
        }
        assert_null(b);
    }
}

static void prints_what_reads_back(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        GOOD,
        "data: \"a\\nb: c\"\ntenants: {a: {name: x}}\n",
        "data: d\nlimits:\ntenants: {a: {name: \"052027\", networks: [], sources: {}}}\n",
        "data: d\nkafka: {brokers: x, properties: {a: \"\", \"b c\": \"#\", '\"': '\\'}}\n"
        "tenants:\n  'null': {name: \"true\", networks: [{cidr: 192.0.2.1}]}\n",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct buf once = {0};
        struct buf twice = {0};
        struct parsed p = parse(TEXTS[i]);
        assert_string_equal(diag_text(&p.diag), "");
        conf_print(p.conf, &once);
        struct parsed q = parse(buf_string(&once));
        assert_string_equal(diag_text(&q.diag), "");
        check_equal(conf_root(p.conf), conf_root(q.conf));
        conf_print(q.conf, &twice);
        assert_string_equal(buf_string(&once), buf_string(&twice));
        buf_release(&once);
        buf_release(&twice);
        parsed_release(&p);
        parsed_release(&q);
    }
}

static void prints_a_valid_example(void **state)
{
    (void)state;
    struct buf b = {0};
    conf_print_example(TABLE, KEYS, &b);
    struct parsed p = parse(buf_string(&b));
    assert_string_equal(diag_text(&p.diag), "");
    assert_int_equal(p.err, 0);
    assert_null(conf_find(conf_root(p.conf), "kafka"));
    assert_string_equal(conf_text(conf_root(p.conf), "tenants.name.name"), "text");
    parsed_release(&p);
    assert_non_null(strstr(b.data, "# Size of the log. (size in bytes from 4KiB to 1TiB, default "
                                   "64MiB)\n#  log_bytes: 64MiB\n"));
    /* With every setting switched on it is valid too. */
    struct buf all = {0};
    for (size_t i = 0; i < b.len; i++) {
        bool setting = b.data[i] == '#' && (i == 0 || b.data[i - 1] == '\n') &&
                       !(b.data[i + 1] == ' ' && b.data[i + 2] != ' ');
        if (!setting)
            buf_byte(&all, b.data[i]);
    }
    p = parse(buf_string(&all));
    assert_string_equal(diag_text(&p.diag), "");
    assert_string_equal(conf_text(conf_root(p.conf), "kafka.brokers"), "192.0.2.1:9092");
    assert_int_equal(conf_count(conf_root(p.conf), "tenants.name.networks"), 1);
    parsed_release(&p);
    buf_release(&all);
    buf_release(&b);
}

static void prints_a_manual(void **state)
{
    (void)state;
    struct buf b = {0};
    conf_print_man(TABLE, KEYS, &b);
    const char *text = buf_string(&b);
    assert_true(slice_starts(buf_content(&b), SLICE(".Bl -tag -width Ds\n.It Cm data\nWhere the "
                                                    "store is.\n(path, required)\n")));
    assert_non_null(strstr(text, ".It Cm limits.workers\n(integer from 1 to 64 threads, default "
                                 "2)\n"));
    buf_release(&b);
}

static void loads_files(void **state)
{
    (void)state;
    char path[64];
    struct conf *conf = NULL;
    struct diag diag = {0};
    (void)snprintf(path, sizeof(path), "/tmp/test_conf.%d.yaml", (int)getpid());
    assert_int_equal(conf_load(&conf, TABLE, KEYS, path, &diag), ERR_NOTFOUND);
    assert_non_null(strstr(diag_text(&diag), "cannot be read: No such file"));
    assert_int_equal(file_write_atomic(path, slice_from(GOOD)), 0);
    assert_int_equal(conf_load(&conf, TABLE, KEYS, path, &diag), 0);
    assert_string_equal(conf_filename(conf), path);
    conf_free(conf);
    struct file *f = NULL;
    assert_int_equal(file_open(&f, path, FILE_APPEND), 0);
    assert_int_equal(file_truncate(f, (4 << 20) + 1), 0);
    file_close(f);
    assert_int_equal(conf_load(&conf, TABLE, KEYS, path, &diag), ERR_RANGE);
    assert_int_equal(file_unlink(path), 0);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_and_defaults),
        cmocka_unit_test(leaves_optional_sections_out),
        cmocka_unit_test(reports_all_faults_at_once),
        cmocka_unit_test(bounds_its_complaints),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(prints_what_reads_back),
        cmocka_unit_test(prints_a_valid_example),
        cmocka_unit_test(prints_a_manual),
        cmocka_unit_test(loads_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
