/* Lines of a file, whatever their length and wherever they lie in the reader's buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/line_reader.h"
#include "base/buf.h"
#include "tests/store/log_dir.h"

enum {
    BUFFER_BYTES = 1 << 20, /* of one read */
};

struct reader_test {
    struct log_dir dir;
    char path[300];
    struct buf content;
    struct line_reader *reader;
};

static void test_make(struct reader_test *t)
{
    memset(t, 0, sizeof(*t));
    log_dir_make(&t->dir);
    (void)snprintf(t->path, sizeof(t->path), "%s/lines", t->dir.path);
}

static void test_remove(struct reader_test *t)
{
    buf_release(&t->content);
    log_dir_remove(&t->dir);
}

/* A line of `len` bytes in all. */
static void add_line(struct reader_test *t, size_t len, char end)
{
    for (size_t i = 0; i + 1 < len; i++)
        buf_byte(&t->content, (char)('a' + (t->content.len + i) % 26));
    if (len != 0)
        buf_byte(&t->content, end);
}

/* Read the content back; every record is the next bytes and ends where it should. */
static size_t read_all(struct reader_test *t, char end, size_t bytes_max)
{
    struct slice line;
    size_t at = 0;
    size_t count = 0;
    int status = 0;
    log_dir_write(t->path, buf_content(&t->content));
    assert_int_equal(line_reader_open(&t->reader, t->path, end, bytes_max), 0);
    while ((status = line_reader_next(t->reader, &line)) == 0) {
        assert_in_range(line.len, 1, bytes_max);
        assert_true(at + line.len <= t->content.len);
        assert_memory_equal(line.data, t->content.data + at, line.len);
        const char *found = memchr(line.data, end, line.len);
        at += line.len;
        bool ended = found == line.data + line.len - 1;
        assert_true(found == NULL || ended);
        assert_true(ended || line.len == bytes_max || at == t->content.len);
        char sum = 0;
        for (size_t i = 0; i < SLICE_PADDING_BYTES; i++)
            sum = (char)(sum ^ line.data[line.len + i]);
        (void)sum;
        count++;
    }
    assert_int_equal(status, ERR_NOTFOUND);
    assert_int_equal(line_reader_next(t->reader, &line), ERR_NOTFOUND);
    assert_int_equal(at, t->content.len);
    line_reader_close(t->reader);
    return count;
}

static void test_around_buffer(void **state)
{
    (void)state;
    for (size_t around = BUFFER_BYTES - 2; around <= BUFFER_BYTES + 2; around++) {
        for (size_t before = 0; before <= 2; before++) {
            struct reader_test t;
            test_make(&t);
            add_line(&t, before, '\n');
            add_line(&t, around, '\n');
            add_line(&t, 3, '\n');
            assert_int_equal(read_all(&t, '\n', SIZE_MAX), before == 0 ? 2 : 3);
            test_remove(&t);
        }
    }
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        struct slice content;
        char end;
        size_t bytes_max;
        size_t count;
    } CASES[] = {
        {{"", 0}, '\n', 100, 0},
        {{"\n", 1}, '\n', 100, 1},
        {{"\n\n\n", 3}, '\n', 100, 3},
        {{"a", 1}, '\n', 100, 1},
        {{"a\nb", 3}, '\n', 100, 2},
        {{"a\r\nb\r\n", 6}, '\n', 100, 2},
        {{"a\0b\nc\0", 6}, '\n', 100, 2},
        {{"a\0b\nc\0", 6}, '\0', 100, 2},
        {{"a\0b\nc", 5}, '\0', 100, 2},
        {{"\0\0", 2}, '\0', 100, 2},
        {{"abc\n", 4}, '\n', 4, 1},
        {{"abcd\n", 5}, '\n', 4, 2},
        {{"abcd", 4}, '\n', 4, 1},
        {{"abcdefgh\n", 9}, '\n', 4, 3},
        {{"abcdefg\nx\n", 10}, '\n', 4, 3},
        {{"ab\n", 3}, '\n', 1, 3},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct reader_test t;
        test_make(&t);
        buf_slice(&t.content, CASES[i].content);
        assert_int_equal(read_all(&t, CASES[i].end, CASES[i].bytes_max), CASES[i].count);
        test_remove(&t);
    }
}

/* A line of many reads, whole and in pieces. */
static void test_long_line(void **state)
{
    (void)state;
    struct reader_test t;
    test_make(&t);
    add_line(&t, 10, '\n');
    add_line(&t, 5 * BUFFER_BYTES + 17, '\n');
    add_line(&t, 10, '\n');
    assert_int_equal(read_all(&t, '\n', SIZE_MAX), 3);
    assert_int_equal(read_all(&t, '\n', BUFFER_BYTES), 8);
    assert_int_equal(read_all(&t, '\n', 2 * BUFFER_BYTES + 3), 5);
    test_remove(&t);
}

/* Short reads change nothing; a failed one is told; a file that is missing is, too. */
static void test_reads(void **state)
{
    (void)state;
    struct reader_test t;
    struct slice line;
    test_make(&t);
    for (size_t i = 0; i < 50; i++)
        add_line(&t, 1 + i, '\n');
    assert_int_equal(fault_set("short@read=lines:*:3"), 0);
    assert_int_equal(read_all(&t, '\n', SIZE_MAX), 50);
    assert_int_equal(read_all(&t, '\n', 30), 70);
    assert_int_equal(fault_set("EIO@read=lines:1"), 0);
    assert_int_equal(line_reader_open(&t.reader, t.path, '\n', 100), 0);
    assert_int_equal(line_reader_next(t.reader, &line), ERR_IO);
    line_reader_close(t.reader);
    assert_int_equal(line_reader_open(&t.reader, "/nowhere/lines", '\n', 100), ERR_NOTFOUND);
    line_reader_close(NULL);
    test_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_around_buffer),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
