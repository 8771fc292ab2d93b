#include "event/pipe.h"

#include "base/clock.h"
#include "base/err.h"
#include "event/pipe_word.h"
#include "event/query.h"

#define SHOWN(s) (int)((s).len > 80 ? 80 : (s).len), (s).data

static const char *const KINDS[] = {
    [PIPE_STATS] = "stats",   [PIPE_TIMECHART] = "timechart", [PIPE_TOP] = "top",
    [PIPE_RARE] = "rare",     [PIPE_SORT] = "sort",           [PIPE_HEAD] = "head",
    [PIPE_FIELDS] = "fields", [PIPE_DEDUP] = "dedup",         [PIPE_WHERE] = "where",
};

enum {
    KIND_COUNT = sizeof(KINDS) / sizeof(KINDS[0]),
};

const char *pipe_kind_name(enum pipe_kind kind)
{
    return KINDS[kind];
}

static int key_add(struct pipe_scope *s, struct pipe *p, size_t at, struct pipe_key key)
{
    if (p->key_count == PIPE_KEYS_MAX)
        return lex_error(&s->lex, at, "more than %d fields", PIPE_KEYS_MAX);
    for (uint32_t i = 0; i < p->key_count; i++) {
        if (p->keys[i].column == key.column) {
            struct slice name = pipe_column_name(s, key.column);
            return lex_error(&s->lex, at, "\"%.*s\" stands here twice", SHOWN(name));
        }
    }
    p->keys[p->key_count++] = key;
    return 0;
}

/* At least one column, separated by commas; with `signs` each may have a minus. */
static int keys_read(struct pipe_scope *s, struct pipe *p, bool signs)
{
    int err = 0;
    do {
        struct pipe_key key = {0};
        bool more = !pipe_at_end(s);
        size_t at = s->lex.at;
        key.descending = more && signs && pipe_take(s, '-');
        err = pipe_column_here(s, &key.column);
        if (err == 0)
            err = key_add(s, p, at, key);
    } while (err == 0 && pipe_take(s, ','));
    return err;
}

static int arrays_make(struct pipe_scope *s, struct pipe *p)
{
    p->keys = arena_array(s->lex.arena, PIPE_KEYS_MAX + 1, sizeof(*p->keys));
    p->aggregates = arena_array(s->lex.arena, PIPE_AGGREGATES_MAX, sizeof(*p->aggregates));
    p->columns = arena_array(s->lex.arena, PIPE_COLUMNS_MAX, sizeof(*p->columns));
    return p->keys == NULL || p->aggregates == NULL || p->columns == NULL ? ERR_NOMEM : 0;
}

/* `as` and a name, if they stand here. */
static int alias_read(struct pipe_scope *s, struct slice *out)
{
    struct query_word word = {0};
    if (!lex_blanks(&s->lex) || !lex_keyword(&s->lex, "as"))
        return 0;
    int err = pipe_name(s, "a name", &word);
    if (err == 0)
        *out = word.plain;
    return err;
}

static int aggregate_read(struct pipe_scope *s, struct pipe *p)
{
    struct pipe_call call = {0};
    int err = pipe_call(s, &call);
    if (err != 0)
        return err;
    if (p->aggregate_count == PIPE_AGGREGATES_MAX)
        return lex_error(&s->lex, call.at, "more than %d things to compute", PIPE_AGGREGATES_MAX);
    struct pipe_aggregate a = {
        .function = call.function, .column = PIPE_COLUMN_NONE, .quantile = call.quantile};
    struct slice argument = {0};
    if (call.has_argument) {
        err = pipe_column(s, call.argument_at, call.argument, &a.column);
        argument = err == 0 ? pipe_column_name(s, a.column) : argument;
    }
    if (err == 0)
        err = pipe_call_name(s, &call, argument, &a.written);
    a.name = a.written;
    if (err == 0)
        err = alias_read(s, &a.name);
    if (err == 0)
        p->aggregates[p->aggregate_count++] = a;
    return err;
}

/* Name the columns of the table that comes out: keys, then what is computed. */
static int table_columns(struct pipe_scope *s, struct pipe *p, size_t at)
{
    p->column_count = 0;
    for (uint32_t i = 0; i < p->key_count; i++)
        p->columns[p->column_count++] = pipe_column_name(s, p->keys[i].column);
    s->measure = p->column_count;
    for (uint32_t i = 0; i < p->aggregate_count; i++)
        p->columns[p->column_count++] = p->aggregates[i].name;
    for (uint32_t i = 0; i < p->column_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            struct slice name = p->columns[i];
            if (slice_equal(name, p->columns[k])) {
                return lex_error(&s->lex, at,
                                 "two columns are called \"%.*s\"; name one: count() as n",
                                 SHOWN(name));
            }
        }
    }
    s->on_table = true;
    s->restricted = false;
    s->columns = p->columns;
    s->column_count = p->column_count;
    return 0;
}

/* What is computed, and behind `by` the fields of its groups. */
static int aggregates_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    bool by = false;
    bool comma = false;
    int err = 0;
    do {
        err = aggregate_read(s, p);
        comma = err == 0 && pipe_take(s, ',');
        by = err == 0 && !comma && !pipe_at_end(s) && lex_keyword(&s->lex, "by");
    } while (err == 0 && (comma || (!by && !pipe_at_end(s))));
    if (err == 0 && by)
        err = keys_read(s, p, false);
    return err != 0 ? err : table_columns(s, p, at);
}

static int stats_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    if (pipe_at_end(s) || lex_keyword(&s->lex, "by"))
        return lex_error(&s->lex, at, "stats wants what to compute: stats count() by source.ip");
    return aggregates_read(s, p, at);
}

static int span_read(struct pipe_scope *s, int64_t *out)
{
    static const char WANTED[] = "timechart wants its step first: timechart span=5m count()";
    struct query_word word = {0};
    if (pipe_at_end(s))
        return lex_error(&s->lex, s->lex.at, "%s", WANTED);
    int err = pipe_name(s, "span=5m", &word);
    if (err != 0)
        return err;
    if (!slice_equal(word.plain, SLICE("span")) || lex_peek(&s->lex, 0) != '=')
        return lex_error(&s->lex, word.at, "%s", WANTED);
    s->lex.at++;
    err = pipe_name(s, "a duration", &word);
    if (err != 0)
        return err;
    if (clock_parse_duration(out, word.plain) != 0 || *out <= 0)
        return lex_error(&s->lex, word.at, "a step is a duration: 10s, 5m, 2h or 1d");
    return 0;
}

static int timechart_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    struct pipe_key step = {0};
    uint32_t unused = 0;
    if (s->on_table)
        return lex_error(&s->lex, at, "timechart wants events; no table has gone before it");
    int err = s->restricted ? pipe_column(s, at, field_info(FIELD_TIMESTAMP)->name, &unused) : 0;
    if (err == 0)
        err = span_read(s, &p->span_ns);
    const struct pipe_field field = {.name = field_info(FIELD_TIMESTAMP)->name,
                                     .field = FIELD_TIMESTAMP,
                                     .row_field = ROW_FIELD_TIMESTAMP,
                                     .span_ns = p->span_ns};
    if (err == 0)
        err = pipe_field_add(s, at, &field, &step.column);
    if (err == 0)
        err = key_add(s, p, at, step);
    if (err == 0 && pipe_at_end(s))
        return lex_error(&s->lex, at, "timechart wants what to compute: timechart span=5m count()");
    return err != 0 ? err : aggregates_read(s, p, at);
}

/* On events: the values of fields by how often they come; on a table: its rows by a column. */
static int top_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    int err = pipe_rows(s, &p->row_max);
    if (err != 0)
        return err;
    if (!s->on_table) {
        if (pipe_at_end(s))
            return lex_error(&s->lex, at, "%s wants a field: %s 10 url.domain", KINDS[p->kind],
                             KINDS[p->kind]);
        p->aggregates[p->aggregate_count++] = (struct pipe_aggregate){.function = PIPE_COUNT,
                                                                      .column = PIPE_COLUMN_NONE,
                                                                      .name = SLICE("count"),
                                                                      .written = SLICE("count")};
        err = keys_read(s, p, false);
        return err != 0 ? err : table_columns(s, p, at);
    }
    if (pipe_at_end(s)) {
        if (s->measure == PIPE_COLUMN_NONE)
            return lex_error(&s->lex, at, "%s wants a column here: %s 10 count", KINDS[p->kind],
                             KINDS[p->kind]);
        p->keys[p->key_count++] = (struct pipe_key){.column = s->measure};
        return 0;
    }
    err = keys_read(s, p, false);
    if (err == 0 && p->key_count > 1)
        return lex_error(&s->lex, at, "%s goes by one column of a table", KINDS[p->kind]);
    return err;
}

static int sort_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    if (pipe_at_end(s))
        return lex_error(&s->lex, at, "sort wants a field: sort -source.bytes");
    return keys_read(s, p, true);
}

static int head_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    (void)at;
    return pipe_rows(s, &p->row_max);
}

static int dedup_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    if (pipe_at_end(s))
        return lex_error(&s->lex, at, "dedup wants a field: dedup source.ip");
    return keys_read(s, p, false);
}

static int fields_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    if (pipe_at_end(s))
        return lex_error(&s->lex, at, "fields wants a field: fields @timestamp, source.ip");
    int err = keys_read(s, p, false);
    if (err != 0)
        return err;
    uint32_t measure = PIPE_COLUMN_NONE;
    for (uint32_t i = 0; i < p->key_count; i++) {
        if (s->on_table && p->keys[i].column == s->measure)
            measure = i;
        p->columns[i] = pipe_column_name(s, p->keys[i].column);
    }
    p->column_count = p->key_count;
    s->measure = measure;
    s->restricted = !s->on_table;
    s->columns = p->columns;
    s->shown = p->keys;
    s->column_count = p->column_count;
    return 0;
}

/* The sign between a column and what it is compared with. */
static bool comparison_read(struct pipe_scope *s, uint8_t *out)
{
    static const struct {
        struct slice sign;
        uint8_t comparison;
    } SIGNS[] = {
        {{"!=", 2}, PIPE_NOT_EQUAL}, {{"<=", 2}, PIPE_LESS_EQUAL}, {{">=", 2}, PIPE_GREATER_EQUAL},
        {{"=", 1}, PIPE_EQUAL},      {{":", 1}, PIPE_EQUAL},       {{"<", 1}, PIPE_LESS},
        {{">", 1}, PIPE_GREATER},
    };
    (void)pipe_at_end(s);
    struct slice rest = slice_from_offset(s->lex.text, s->lex.at);
    for (size_t i = 0; i < sizeof(SIGNS) / sizeof(SIGNS[0]); i++) {
        if (slice_starts(rest, SIGNS[i].sign)) {
            s->lex.at += SIGNS[i].sign.len;
            *out = SIGNS[i].comparison;
            return true;
        }
    }
    return false;
}

static int test_read(struct pipe_scope *s, struct pipe_test *out)
{
    struct query_word word = {0};
    struct pipe_test t = {0};
    int err = pipe_column_here(s, &t.column);
    if (err == 0 && !comparison_read(s, &t.comparison))
        return lex_error(&s->lex, s->lex.at, "where wants a comparison here: count>10");
    if (err == 0 && pipe_at_end(s))
        return lex_error(&s->lex, s->lex.at, "a value is missing here");
    if (err == 0)
        err = lex_word(&s->lex, "", &word);
    if (err != 0)
        return err;
    t.text = word.plain;
    t.is_number = pipe_number_read(&t.number, word.plain);
    t.is_time = clock_parse(&t.time_ns, word.plain) == 0;
    bool ordered = t.comparison != PIPE_EQUAL && t.comparison != PIPE_NOT_EQUAL;
    if (ordered && !t.is_number && !t.is_time)
        return lex_error(&s->lex, word.at, "a number or a time is wanted behind < and >");
    *out = t;
    return 0;
}

static int where_read(struct pipe_scope *s, struct pipe *p, size_t at)
{
    int err = 0;
    p->tests = arena_array(s->lex.arena, PIPE_TESTS_MAX, sizeof(*p->tests));
    if (p->tests == NULL)
        return ERR_NOMEM;
    if (pipe_at_end(s))
        return lex_error(&s->lex, at, "where wants a comparison: where count>10");
    do {
        if (p->test_count == PIPE_TESTS_MAX)
            return lex_error(&s->lex, at, "more than %d comparisons", PIPE_TESTS_MAX);
        err = test_read(s, &p->tests[p->test_count++]);
    } while (err == 0 && !pipe_at_end(s) && lex_keyword(&s->lex, "and"));
    return err;
}

static int (*const READERS[])(struct pipe_scope *s, struct pipe *p, size_t at) = {
    [PIPE_STATS] = stats_read,   [PIPE_TIMECHART] = timechart_read, [PIPE_TOP] = top_read,
    [PIPE_RARE] = top_read,      [PIPE_SORT] = sort_read,           [PIPE_HEAD] = head_read,
    [PIPE_FIELDS] = fields_read, [PIPE_DEDUP] = dedup_read,         [PIPE_WHERE] = where_read,
};

static int kind_find(struct pipe_scope *s, const struct query_word *word, uint8_t *out)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (!word->quoted && slice_equal(word->plain, slice_from(KINDS[i]))) {
            *out = (uint8_t)i;
            return 0;
        }
    }
    const char *near = diag_suggest(word->plain, KINDS, KIND_COUNT);
    if (near != NULL)
        return lex_error(&s->lex, word->at, "no pipe \"%.*s\"; did you mean \"%s\"?",
                         SHOWN(word->plain), near);
    return lex_error(&s->lex, word->at,
                     "no pipe \"%.*s\"; there are stats, timechart, top, rare, sort, head, fields, "
                     "dedup and where; quote a text that holds |",
                     SHOWN(word->plain));
}

/* One pipe; its bar has been read. */
static int pipe_read(struct pipe_scope *s)
{
    struct pipeline *pl = s->pipeline;
    struct query_word word = {0};
    struct pipe p = {.row_max = PIPE_ROWS_DEFAULT, .on_table = s->on_table};
    int err = pipe_name(s, "a pipe, like stats count() by source.ip,", &word);
    if (err == 0)
        err = kind_find(s, &word, &p.kind);
    if (err == 0 && pl->pipe_count == PIPES_MAX)
        return lex_error(&s->lex, word.at, "more than %d pipes", PIPES_MAX);
    if (err == 0)
        err = arrays_make(s, &p);
    if (err == 0)
        err = READERS[p.kind](s, &p, word.at);
    if (err == 0 && !pipe_at_end(s))
        return lex_error(&s->lex, s->lex.at, "%s ends here: | or the end is wanted", KINDS[p.kind]);
    if (err != 0)
        return err;
    if (s->on_table || s->restricted) {
        for (uint32_t i = 0; i < s->column_count; i++)
            p.columns[i] = s->columns[i];
        p.column_count = s->column_count;
    } else {
        p.columns = NULL;
    }
    pl->pipes[pl->pipe_count++] = p;
    return 0;
}

int pipe_parse(struct pipeline **out, struct arena *arena, struct slice text, struct diag *diag)
{
    struct pipe_scope s = {.lex = {.text = text, .arena = arena, .diag = diag},
                           .pipeline = arena_alloc(arena, sizeof(struct pipeline)),
                           .measure = PIPE_COLUMN_NONE};
    if (s.pipeline == NULL)
        return ERR_NOMEM;
    int err = query_parse_head(&s.pipeline->condition, arena, text, &s.lex.at, diag);
    while (err == 0 && lex_peek(&s.lex, 0) == '|') {
        s.lex.at++;
        err = pipe_read(&s);
    }
    if (err == 0)
        *out = s.pipeline;
    return err;
}

const struct slice *pipe_columns(const struct pipeline *p, uint32_t *count)
{
    const struct pipe *last = p->pipe_count == 0 ? NULL : &p->pipes[p->pipe_count - 1];
    *count = last == NULL ? 0 : last->column_count;
    return last == NULL ? NULL : last->columns;
}

bool pipe_makes_table(const struct pipeline *p)
{
    for (uint32_t i = 0; i < p->pipe_count; i++) {
        if (p->pipes[i].aggregate_count != 0)
            return true;
    }
    return false;
}
