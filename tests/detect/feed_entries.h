/* tests/detect/feed_entries.h - what a feed's reader gives, as text to compare. */
#pragma once

/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/indicator_list.h"
#include "detect/indicator_set.h"

/*
 * All entries, one a line: "line kind key [until s]" as a set would hold them, "line !reason" for bad
 * ones, "line ~what" for what is not used.
 */
static inline int feed_read(struct buf *out, const struct indicator_source *source,
                            struct diag *diag)
{
    struct indicator_list list;
    struct indicator_entry e;
    int status = indicator_list_open(&list, source, diag);
    if (status != 0)
        return status;
    while (indicator_list_next(&list, &e)) {
        struct indicator_key key;
        const char *why = e.fault;
        if (e.unused != NULL) {
            buf_printf(out, "%u ~%s\n", e.line, e.unused);
            continue;
        }
        if (why == NULL)
            why = indicator_key_read(&key, e.text, e.type, e.port);
        if (why != NULL) {
            buf_printf(out, "%u !%s\n", e.line, why);
            continue;
        }
        buf_printf(out, "%u %s ", e.line, indicator_kind_name(key.kind));
        indicator_key_print(out, key.kind, slice_of(key.bytes, key.len));
        if (e.expires_ns != INT64_MAX)
            buf_printf(out, " until %lld", (long long)(e.expires_ns / CLOCK_NS_PER_SECOND));
        buf_byte(out, '\n');
    }
    indicator_list_close(&list);
    return 0;
}

static inline void feed_check(enum indicator_format format, const char *content,
                              const char *expected)
{
    const struct indicator_source source = {.content = slice_from(content),
                                            .path = "f.json",
                                            .format = format,
                                            .expires_ns = INT64_MAX};
    struct buf out = {0};
    struct diag diag = {0};
    int status = feed_read(&out, &source, &diag);
    if (status != 0 || strcmp(buf_string(&out), expected) != 0)
        print_error("%s%s\nnot\n%s\nof %s\n", buf_string(&out), diag_text(&diag), expected,
                    content);
    assert_int_equal(status, 0);
    assert_string_equal(buf_string(&out), expected);
    buf_release(&out);
    diag_release(&diag);
}

/* The whole document is refused, with this finding. */
static inline void feed_check_refused(enum indicator_format format, struct slice content,
                                      const char *finding)
{
    const struct indicator_source source = {
        .content = content, .path = "f.json", .format = format, .expires_ns = INT64_MAX};
    struct buf out = {0};
    struct diag diag = {0};
    assert_int_equal(feed_read(&out, &source, &diag), ERR_CONF);
    if (strstr(diag_text(&diag), finding) == NULL)
        fail_msg("\"%s\" is not in: %s", finding, diag_text(&diag));
    buf_release(&out);
    diag_release(&diag);
}
