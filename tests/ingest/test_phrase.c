/* Values and the text around them in texts for people: phrases, arrows, requests with headers. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>

#include "base/buf.h"
#include "ingest/arrow.h"
#include "ingest/meaning.h"

#define PHRASES(PHRASE)                                  \
    PHRASE("user '", USER_NAME, NONE, ACCOUNT, '\'')     \
    PHRASE("user ", USER_NAME, NONE, ACCOUNT, 0)         \
    PHRASE("from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)  \
    PHRASE("bytes: ", SOURCE_BYTES, NONE, NUMBER, 0)     \
    PHRASE("URL: ", URL_ORIGINAL, NONE, SITE, 0)         \
    PHRASE("request: <", URL_ORIGINAL, NONE, REQUEST, 0) \
    PHRASE("because ", EVENT_REASON, NONE, REST, 0)

PHRASE_TABLE(TABLE, PHRASES);

#define PLACED(PHRASE)                            \
    PHRASE("id ", EVENT_ID, NONE, NUMBER, 0)      \
    PHRASE("4 of ", EVENT_COUNT, NONE, NUMBER, 0) \
    PHRASE("_name ", USER_NAME, NONE, ACCOUNT, 0) \
    PHRASE("host ", SOURCE_DOMAIN, NONE, WORD, 0)

PHRASE_TABLE(PLACED_TABLE, PLACED);

#define ONE(PHRASE) PHRASE("(", SOURCE_IP, NONE, ADDRESS, ')')

PHRASE_TABLE(ALONE, ONE);

#define SOME(PHRASE)                           \
    PHRASE("(by ", USER_NAME, NONE, WORD, ')') \
    PHRASE("(", SOURCE_IP, NONE, ADDRESS, ')') \
    PHRASE("(1", EVENT_ID, NONE, WORD, ')')    \
    PHRASE("at ", DESTINATION_IP, NONE, ADDRESS, 0)

PHRASE_TABLE(FEW, SOME);

/* The slots as "field=value;", text as "~text;". */
static void dump(struct buf *to, const struct slots *slots, const char *line)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *s = &slots->items[i];
        if (s->field == FIELD_MESSAGE) {
            buf_byte(to, '~');
        } else {
            buf_slice(to, field_info(s->field)->name);
            buf_byte(to, '=');
        }
        buf_slice(to, slice_of(line + s->offset, s->length));
        buf_byte(to, ';');
    }
}

/* Slots are in the order of the line and do not overlap. */
static void check_order(const struct slots *slots, size_t length)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        assert_true(slots->items[i].offset >= end);
        end = slots->items[i].offset + slots->items[i].length;
        assert_true(end <= length);
    }
}

struct text_case {
    const char *text;
    const char *expected;
};

static void check_tell(const struct text_case *c, bool arrow)
{
    char line[512] = {0};
    struct slots slots = {0};
    size_t length = strlen(c->text);
    struct buf got = {0};
    memcpy(line, c->text, length);
    struct cursor at = cursor_at(&slots, slice_of(line, length), 0);
    assert_true(arrow ? arrow_tell(&at, &TABLE, line, line + length)
                      : phrase_tell(&at, &TABLE, line, line + length));
    check_order(&slots, length);
    dump(&got, &slots, line);
    buf_byte(&got, '\0');
    assert_string_equal(got.data, c->expected);
    buf_release(&got);
}

static void test_tell(void **state)
{
    static const struct text_case CASES[] = {
        {"", ""},
        {"nothing of it", "~nothing of it;"},
        {" user 'taro' failed ", "~user ';user.name=taro;~' failed;"},
        {"user EXAMPLE\\taro: x", "~user;user.domain=EXAMPLE;user.name=taro;~: x;"},
        {"a superuser from here", "~a superuser from here;"},
        {"ADM_user x", "~ADM_user x;"},
        {"user ", "~user;"},
        {"from 192.0.2.7:40000, then", "~from;source.ip=192.0.2.7;source.port=40000;~, then;"},
        {"from 192.0.2.7#53: up", "~from;source.ip=192.0.2.7;source.port=53;~: up;"},
        {"from 2001:db8::7.", "~from;source.ip=2001:db8::7;~.;"},
        {"from home#1", "~from home#1;"},
        {"bytes: 77, bytes: 7x", "~bytes:;source.bytes=77;~, bytes: 7x;"},
        {"URL: www.example.jp/a?b=c d",
         "~URL:;url.domain=www.example.jp;url.path=/a;url.query=b=c;~d;"},
        {"request: <GET https://www.example.jp/ HTTP/1.0>",
         "~request: <;http.request.method=GET;url.scheme=https;url.domain=www.example.jp;"
         "url.path=/;http.version=1.0;~>;"},
        {"request: <GET /a", "~request: <;http.request.method=GET;url.path=/a;"},
        {"request: <get /a", "~request: <get /a;"},
        {"no, because user 'x' left", "~no, because;event.reason=user 'x' left;"},
        {"user 'never closed", "~user ';user.name=never closed;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        check_tell(&CASES[i], false);
}

static void test_arrow(void **state)
{
    static const struct text_case CASES[] = {
        {"drop tcp 192.0.2.7:1 -> 198.51.100.9:443, x",
         "~drop;network.transport=tcp;source.ip=192.0.2.7;source.port=1;"
         "destination.ip=198.51.100.9;destination.port=443;~, x;"},
        {"192.0.2.7:547-> 198.51.100.9:546",
         "source.ip=192.0.2.7;source.port=547;destination.ip=198.51.100.9;destination.port=546;"},
        {"|UDP 192.0.2.7:80 (eth1) -> 198.51.100.9:443)",
         "~|;network.transport=UDP;source.ip=192.0.2.7;source.port=80;"
         "observer.ingress.interface.name=eth1;destination.ip=198.51.100.9;destination.port=443;~);"},
        {"a -> b, 192.0.2.7 -> 198.51.100.9: c",
         "~a -> b,;source.ip=192.0.2.7;destination.ip=198.51.100.9;~: c;"},
        {"->", "~->;"},
        {"192.0.2.7 ->", "~192.0.2.7 ->;"},
        {"-> 192.0.2.7", "~-> 192.0.2.7;"},
        {"user 'a' 192.0.2.7:x -> 198.51.100.9:y user 'b'",
         "~user ';user.name=a;~' 192.0.2.7:x -> 198.51.100.9:y user ';user.name=b;~';"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        check_tell(&CASES[i], true);
}

/* A request with its headers, lines ending in control characters or in their escapes. */
static void test_http(void **state)
{
    static const struct text_case CASES[] = {
        {"GET /a HTTP/1.1\r\nHost: www.example.jp:8443\r\nUser-Agent: x y\r\n\r\n",
         "http.request.method=GET;url.path=/a;http.version=1.1;url.domain=www.example.jp;"
         "url.port=8443;user_agent.original=x y;"},
        {"GET /a HTTP/1.1\\r\\nuser-agent: x\\r\\nAccept: */*",
         "http.request.method=GET;url.path=/a;http.version=1.1;user_agent.original=x;~Accept: */*;"},
        {"POST /b HTTP/1.1\\\\r\\\\nReferer: r\\\\r\\\\n",
         "http.request.method=POST;url.path=/b;http.version=1.1;http.request.referrer=r;"},
        {"GET /c\\d HTTP/1.1", "http.request.method=GET;url.path=/c\\d;http.version=1.1;"},
        {"GET /\\\\", "http.request.method=GET;url.path=/\\\\;"},
    };
    static const struct meaning HTTP = {.field = FIELD_USER_AGENT, .form = MEANING_HTTP};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char line[512] = {0};
        struct slots slots = {0};
        struct buf got = {0};
        size_t length = strlen(CASES[i].text);
        memcpy(line, CASES[i].text, length);
        struct slot value = {.length = (uint32_t)length};
        assert_true(meaning_slots(&slots, slice_of(line, length), &HTTP, &value));
        check_order(&slots, length);
        dump(&got, &slots, line);
        buf_byte(&got, '\0');
        assert_string_equal(got.data, CASES[i].expected);
        buf_release(&got);
    }
}

/* A phrase of one byte among longer ones: of those that begin at a byte the table's first counts. */
static void test_one_byte(void **state)
{
    static const char LINE[512] = "up ((by taro) x(192.0.2.7) (no) at 198.51.100.9, ((2001:db8::7)";
    const size_t length = strlen(LINE);
    struct slots slots = {0};
    struct buf got = {0};
    (void)state;
    struct cursor at = cursor_at(&slots, slice_of(LINE, length), 0);
    assert_true(phrase_add(&at, &FEW, LINE, LINE + length));
    dump(&got, &slots, LINE);
    buf_byte(&got, '\0');
    assert_string_equal(got.data, "user.name=taro;source.ip=192.0.2.7;destination.ip=198.51.100.9;"
                                  "source.ip=2001:db8::7;");
    buf_release(&got);
}

/* Any byte in any place: nothing is found where no phrase is, with and without a phrase of one byte. */
static void test_every_pair(void **state)
{
    const struct phrase_table *const tables[] = {&TABLE, &ALONE};
    (void)state;
    for (unsigned i = 0; i < 2 * 65536; i++) {
        char line[512] = {0};
        struct slots slots = {0};
        line[0] = (char)(i >> 8 & 0xff);
        line[1] = (char)(i & 0xff);
        struct cursor at = cursor_at(&slots, slice_of(line, 2), 0);
        assert_true(phrase_add(&at, tables[i >> 16], line, line + 2));
        assert_int_equal(slots.count, 0);
    }
}

/* A phrase behind any number of bytes, blanks or letters, digits: it begins a word or does not. */
static void test_every_place(void **state)
{
    static const char TEXT[] = "id 7 4 of 9 x_name taro host pc1";
    (void)state;
    for (size_t before = 0; before < 200; before++) {
        static const char FILL[] = " a5_";
        for (size_t i = 0; i + 1 < sizeof(FILL); i++) {
            char line[512] = {0};
            struct slots slots = {0};
            const bool begins = before == 0 || FILL[i] == ' ';
            memset(line, FILL[i], before);
            memcpy(line + before, TEXT, sizeof(TEXT) - 1);
            const size_t length = before + sizeof(TEXT) - 1;
            struct cursor at = cursor_at(&slots, slice_of(line, length), 0);
            assert_true(phrase_add(&at, &PLACED_TABLE, line, line + length));
            assert_int_equal(slots.count, begins ? 4 : 3);
            assert_int_equal(slots.items[slots.count - 1].field, FIELD_SOURCE_DOMAIN);
            assert_int_equal(slots.items[slots.count - 2].field, FIELD_USER_NAME);
            assert_int_equal(slots.items[slots.count - 3].field, FIELD_EVENT_COUNT);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tell),       cmocka_unit_test(test_arrow),
        cmocka_unit_test(test_http),       cmocka_unit_test(test_one_byte),
        cmocka_unit_test(test_every_pair), cmocka_unit_test(test_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
