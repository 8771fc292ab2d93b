#include <string.h>

#include "base/err.h"
#include "event/pipe.h"
#include "event/pipe_word.h"
#include "event/query.h"

static void print_quoted(struct buf *out, struct slice text)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\0' && strchr("\"\\*?", text.data[i]) != NULL)
            buf_byte(out, '\\');
        buf_byte(out, text.data[i]);
    }
    buf_byte(out, '"');
}

static void print_name(struct buf *out, struct slice name)
{
    bool bare = name.len != 0 && name.data[0] != '-' && (name.data[0] < '0' || name.data[0] > '9');
    for (size_t i = 0; i < name.len; i++)
        bare = bare && lex_is_name_byte(name.data[i]);
    if (bare)
        buf_slice(out, name);
    else
        print_quoted(out, name);
}

/* How the columns that a pipe may name are called. */
struct names {
    const struct pipeline *pipeline;
    const struct slice *table; /* NULL: fields of events */
};

static struct slice column_name(const struct names *n, uint32_t column)
{
    return n->table != NULL ? n->table[column] : n->pipeline->fields[column].name;
}

static void print_keys(struct buf *out, const struct names *n, const struct pipe *p, uint32_t from)
{
    for (uint32_t i = from; i < p->key_count; i++) {
        buf_text(out, i == from ? " " : ", ");
        if (p->keys[i].descending)
            buf_byte(out, '-');
        print_name(out, column_name(n, p->keys[i].column));
    }
}

static void print_aggregate(struct buf *out, const struct names *n, const struct pipe_aggregate *a)
{
    const char *end = a->written.len == 0 ? NULL : memchr(a->written.data, '(', a->written.len);
    size_t len = end == NULL ? a->written.len : (size_t)(end - a->written.data);
    buf_append(out, a->written.data, len);
    buf_byte(out, '(');
    if (a->column != PIPE_COLUMN_NONE)
        print_name(out, column_name(n, a->column));
    buf_byte(out, ')');
    if (!slice_equal(a->name, a->written)) {
        buf_text(out, " as ");
        print_name(out, a->name);
    }
}

static void print_aggregates(struct buf *out, const struct names *n, const struct pipe *p)
{
    uint32_t from = p->kind == PIPE_TIMECHART ? 1 : 0;
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        buf_text(out, i == 0 ? " " : ", ");
        print_aggregate(out, n, &p->aggregates[i]);
    }
    if (p->key_count > from) {
        buf_text(out, " by");
        print_keys(out, n, p, from);
    }
}

static void print_tests(struct buf *out, const struct names *n, const struct pipe *p)
{
    static const char *const SIGNS[] = {
        [PIPE_EQUAL] = "=",       [PIPE_NOT_EQUAL] = "!=", [PIPE_LESS] = "<",
        [PIPE_LESS_EQUAL] = "<=", [PIPE_GREATER] = ">",    [PIPE_GREATER_EQUAL] = ">=",
    };
    for (uint32_t i = 0; i < p->test_count; i++) {
        buf_text(out, i == 0 ? " " : " and ");
        print_name(out, column_name(n, p->tests[i].column));
        buf_text(out, SIGNS[p->tests[i].comparison]);
        print_quoted(out, p->tests[i].text);
    }
}

static void print_one(struct buf *out, const struct names *n, const struct pipe *p)
{
    buf_text(out, pipe_kind_name((enum pipe_kind)p->kind));
    switch (p->kind) {
    case PIPE_TIMECHART:
        buf_printf(out, " span=%lldns", (long long)p->span_ns);
        print_aggregates(out, n, p);
        break;
    case PIPE_STATS:
        print_aggregates(out, n, p);
        break;
    case PIPE_TOP:
    case PIPE_RARE:
    case PIPE_HEAD:
        buf_printf(out, " %lld", (long long)p->row_max);
        print_keys(out, n, p, 0);
        break;
    case PIPE_WHERE:
        print_tests(out, n, p);
        break;
    case PIPE_SORT:
    case PIPE_FIELDS:
    case PIPE_DEDUP:
    default:
        print_keys(out, n, p, 0);
        break;
    }
}

int pipe_print(const struct pipeline *p, struct buf *out)
{
    struct names names = {.pipeline = p};
    int err = query_print(p->condition, out);
    for (uint32_t i = 0; err == 0 && i < p->pipe_count; i++) {
        buf_text(out, out->len == 0 ? "| " : " | ");
        print_one(out, &names, &p->pipes[i]);
        if (p->pipes[i].aggregate_count != 0 || p->pipes[i].on_table)
            names.table = p->pipes[i].columns;
    }
    return err != 0 ? err : buf_ok(out) ? 0 : ERR_NOMEM;
}
