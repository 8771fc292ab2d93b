/* tests/detect/sigma_load.h - rule files as texts, events to ask them of, and what both give. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/sigma_correlation.h"
#include "detect/sigma_filter.h"
#include "event/builder.h"
#include "tests/event/pred_found.h"

#define HEAD "title: t\nid: r1\nlogsource: {category: proxy}\n"
#define RULE(id, detection) \
    "title: t\nid: " id "\nlogsource: {category: proxy}\ndetection: " detection "\n"
#define OTHER(id, condition)  RULE(id, "{s: {a: x}, condition: " condition "}")
#define CORRELATION(id, body) "title: c\nid: " id "\ncorrelation: {" body "}\n"
#define FILTER(id, category, body) \
    "title: f\nid: " id "\nlogsource: {category: " category "}\nfilter: {" body "}\n"

#define OURS(body) "sekisho: {" body "}\n"
#define NOT_X      FILTER("f1", "proxy", "rules: r1, s: {a: x}, condition: not s")

struct loaded {
    struct sigma_set set;
    struct diag diag;
    int err;
};

static inline struct loaded load_files(const char *const *files, size_t count, int64_t now_ns)
{
    struct loaded l = {0};
    sigma_set_init(&l.set, SIGMA_NAMES_LITERAL);
    l.set.now_ns = now_ns;
    for (size_t i = 0; i < count; i++) {
        struct buf name = {0};
        buf_printf(&name, "%c.yml", (char)('a' + i));
        int err = sigma_set_add(&l.set, buf_string(&name), slice_from(files[i]), &l.diag);
        assert_true(err == 0 || err == ERR_CONF);
        l.err = err != 0 ? err : l.err;
        buf_release(&name);
    }
    int err = sigma_set_link(&l.set, &l.diag);
    assert_true(l.err == 0 || err == ERR_CONF);
    l.err = err;
    return l;
}

static inline struct loaded load(const char *text)
{
    return load_files(&text, 1, CLOCK_NONE);
}

static inline void unload(struct loaded *l)
{
    sigma_set_release(&l->set);
    diag_release(&l->diag);
}

/* Refused, and the reason is among the diagnoses. */
static inline void check_refused(const char *text, const char *message)
{
    struct loaded l = load(text);
    if (l.err != ERR_CONF)
        fail_msg("accepted, though: %s\n%s", message, text);
    if (strstr(diag_text(&l.diag), message) == NULL)
        fail_msg("%s\nis not: %s\n%s", diag_text(&l.diag), message, text);
    unload(&l);
}

/* Events */

struct pair {
    const char *key;
    const char *value; /* NULL: null */
};

static inline void event_add(struct batch *b, const struct pair *pairs, size_t count)
{
    struct buf line = {0};
    struct slots slots = {0};
    for (size_t i = 0; i < count && pairs[i].key != NULL; i++) {
        struct slot key = {.offset = (uint32_t)line.len, .length = (uint32_t)strlen(pairs[i].key)};
        buf_printf(&line, "%s=", pairs[i].key);
        const char *text = pairs[i].value == NULL ? "null" : pairs[i].value;
        struct slot value = {.offset = (uint32_t)line.len,
                             .length = (uint32_t)strlen(text),
                             .kind = pairs[i].value == NULL ? SLOT_NULL : SLOT_PLAIN};
        buf_printf(&line, "%s\n", text);
        assert_true(slots_add_unnamed(&slots, &key, &value));
    }
    b->format_name = SLICE("event");
    struct row row = {.bytes = buf_content(&line), .slots = &slots, .offset = b->row_count};
    assert_int_equal(batch_append(b, &row), 0);
    buf_release(&line);
}

#define EVENT(b, ...)                                            \
    do {                                                         \
        const struct pair pairs[] = {__VA_ARGS__};               \
        event_add((b), pairs, sizeof(pairs) / sizeof(pairs[0])); \
    } while (0)

/* The rows that the only rule of the text finds. */
static inline void check_rows(const struct batch *b, const char *detection, const char *rows)
{
    struct buf text = {0};
    struct buf out = {0};
    buf_printf(&text, HEAD "detection: %s\n", detection);
    struct loaded l = load(buf_string(&text));
    if (l.err != 0)
        fail_msg("%s: %s", detection, diag_text(&l.diag));
    if (strcmp(tree_found(b, l.set.rules[0].condition, &out), rows) != 0)
        fail_msg("%s: rows %s, not %s", detection, buf_string(&out), rows);
    unload(&l);
    buf_release(&text);
    buf_release(&out);
}
