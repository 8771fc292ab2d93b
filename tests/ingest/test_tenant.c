/* Municipality codes, topics, and the format that a source's name suggests. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/err.h"
#include "ingest/tenant.h"

enum {
    UNTOUCHED = 42
};

static void test_codes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        uint32_t code;
    } CASES[] = {
        {"052027", 0, 52027},  /* 能代市 */
        {"131016", 0, 131016}, /* 千代田区 */
        {"011002", 0, 11002},  /* 札幌市 */
        {"132021", 0, 132021}, /* 立川市 */
        {"082015", 0, 82015},  /* 水戸市 */
        {"282090", 0, 282090}, /* 豊岡市: what is missing is 10, the digit 0 */
        {"010006", 0, 10006},  /* 北海道: a sum below 11 */
        {"000001", 0, 1},      /* a sum of 0: 11, the digit 1 */
        {"000000", ERR_RANGE, 0},   {"052026", ERR_RANGE, 0},  {"052020", ERR_RANGE, 0},
        {"520271", ERR_RANGE, 0},   {"", ERR_FORMAT, 0},       {"05202", ERR_FORMAT, 0},
        {"0520277", ERR_FORMAT, 0}, {"05202x", ERR_FORMAT, 0}, {"+52027", ERR_FORMAT, 0},
        {" 52027", ERR_FORMAT, 0},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint32_t code = UNTOUCHED;
        assert_int_equal(tenant_code_parse(&code, slice_from(CASES[i].text)), CASES[i].err);
        assert_int_equal(code, CASES[i].err == 0 ? CASES[i].code : UNTOUCHED);
    }
}

static void test_one_check_digit_for_every_code(void **state)
{
    (void)state;
    for (uint32_t five = 0; five < 100000; five++) {
        char text[7] = {0};
        uint32_t rest = five;
        for (int i = 4; i >= 0; i--) {
            text[i] = (char)('0' + rest % 10);
            rest /= 10;
        }
        int accepted = 0;
        for (uint32_t last = 0; last <= 9; last++) {
            uint32_t code = 0;
            text[5] = (char)('0' + last);
            if (tenant_code_parse(&code, slice_of(text, 6)) != 0)
                continue;
            assert_int_equal(code, five * 10 + last);
            accepted++;
        }
        assert_int_equal(accepted, 1);
    }
}

static void test_topics(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        int err;
        const char *source;
    } CASES[] = {
        {"seclog.raw.052027.fw1", 0, "fw1"},
        {"seclog.raw.052027.f", 0, "f"},
        {"seclog.raw.052027.0123456789abcdef0123456789abcdef", 0,
         "0123456789abcdef0123456789abcdef"},
        {"seclog.raw.052027.0123456789abcdef0123456789abcdefg", ERR_FORMAT, "untouched"},
        {"seclog.raw.052026.fw1", ERR_RANGE, "untouched"},
        {"seclog.raw.052027.", ERR_FORMAT, "untouched"},
        {"seclog.raw.052027", ERR_FORMAT, "untouched"},
        {"seclog.raw.052027fw1", ERR_FORMAT, "untouched"},
        {"seclog.raw.05202.fw1", ERR_FORMAT, "untouched"},
        {"seclog.raw.0520277.fw1", ERR_FORMAT, "untouched"},
        {"seclog.raw.052027.FW1", ERR_FORMAT, "untouched"},
        {"seclog.raw.052027.fw_1", ERR_FORMAT, "untouched"},
        {"seclog.raw.052027.fw.1", ERR_FORMAT, "untouched"},
        {"seclog.raw.05202x.fw1", ERR_FORMAT, "untouched"},
        {"seclog.alerts.052027.fw1", ERR_FORMAT, "untouched"},
        {"xseclog.raw.052027.fw1", ERR_FORMAT, "untouched"},
        {"", ERR_FORMAT, "untouched"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint32_t tenant = UNTOUCHED;
        struct slice source = SLICE("untouched");
        int err = tenant_topic_parse(slice_from(CASES[i].topic), &tenant, &source);
        assert_int_equal(err, CASES[i].err);
        assert_int_equal(tenant, err == 0 ? 52027 : UNTOUCHED);
        assert_true(slice_equal(source, slice_from(CASES[i].source)));
    }
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        enum format format;
    } CASES[] = {
        {"fortigate", FORMAT_FORTIGATE},
        {"fortigate-main", FORMAT_FORTIGATE},
        {"fortigate2", FORMAT_FORTIGATE},
        {"cisco-asa", FORMAT_CISCO_ASA},
        {"cisco-asa-dmz", FORMAT_CISCO_ASA},
        {"i-filter", FORMAT_I_FILTER},
        {"d-spa-1", FORMAT_D_SPA},
        {"squid", FORMAT_SQUID},
        {"fw1", FORMAT_AUTO},
        {"fortigat", FORMAT_AUTO},
        {"cisco", FORMAT_AUTO},
        {"my-squid", FORMAT_AUTO},
        {"", FORMAT_AUTO},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_int_equal(tenant_source_format(slice_from(CASES[i].source)), CASES[i].format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_one_check_digit_for_every_code),
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
