#include "event/pipe_word.h"

#include "base/err.h"
#include "event/query_term.h"

#define SHOWN(s) (int)((s).len > 80 ? 80 : (s).len), (s).data

/* Bytes that end a name besides blanks, parentheses, quotes and pipes. */
#define STOP ",=<>!:"

static const char *const FUNCTIONS[] = {
    [PIPE_COUNT] = "count",       [PIPE_SUM] = "sum", [PIPE_AVG] = "avg",
    [PIPE_MIN] = "min",           [PIPE_MAX] = "max", [PIPE_DISTINCT] = "distinct",
    [PIPE_QUANTILE] = "quantile",
};

enum {
    FUNCTION_COUNT = sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]),
    QUANTILE_DIGITS = 4, /* of a percentage, behind the point */
};

bool pipe_at_end(struct pipe_scope *s)
{
    return !lex_blanks(&s->lex) || lex_peek(&s->lex, 0) == '|';
}

bool pipe_take(struct pipe_scope *s, char byte)
{
    if (!lex_blanks(&s->lex) || lex_peek(&s->lex, 0) != byte)
        return false;
    s->lex.at++;
    return true;
}

int pipe_name(struct pipe_scope *s, const char *what, struct query_word *out)
{
    struct query_word word = {0};
    bool more = !pipe_at_end(s);
    char c = lex_peek(&s->lex, 0);
    if (!more || c == ',' || c == '=' || c == '(' || c == ')')
        return lex_error(&s->lex, s->lex.at, "%s is missing here", what);
    int err = lex_word(&s->lex, STOP, &word);
    if (err == 0 && (word.plain.len == 0 || word.plain.len > PIPE_NAME_BYTES_MAX))
        return lex_error(&s->lex, word.at, "%s has 1 to %d bytes", what, PIPE_NAME_BYTES_MAX);
    if (err == 0)
        *out = word;
    return err;
}

int pipe_rows(struct pipe_scope *s, int64_t *out)
{
    (void)pipe_at_end(s);
    char c = lex_peek(&s->lex, 0);
    size_t at = s->lex.at;
    int64_t value = 0;
    size_t len = 0;
    while (c >= '0' && c <= '9' && value <= PIPE_ROWS_MAX) {
        value = value * 10 + (c - '0');
        c = lex_peek(&s->lex, ++len);
    }
    if (len == 0)
        return 0;
    bool ends =
        at + len >= s->lex.text.len || c == '|' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!ends || value < 1 || value > PIPE_ROWS_MAX)
        return lex_error(&s->lex, at, "a number of rows from 1 to %lld is wanted here",
                         (long long)PIPE_ROWS_MAX);
    s->lex.at += len;
    *out = value;
    return 0;
}

static int columns_error(struct pipe_scope *s, size_t at, struct slice name)
{
    struct buf list = {.limit = 1024};
    const char *names[PIPE_COLUMNS_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < s->column_count; i++) {
        const char *copy = arena_copy(s->lex.arena, s->columns[i]);
        if (copy == NULL)
            continue;
        names[count++] = copy;
        buf_text(&list, i == 0 ? "" : ", ");
        buf_slice(&list, s->columns[i]);
    }
    const char *near = diag_suggest(name, names, count);
    int err = near != NULL ? lex_error(&s->lex, at, "no column \"%.*s\" here; did you mean \"%s\"?",
                                       SHOWN(name), near)
                           : lex_error(&s->lex, at, "no column \"%.*s\" here; there are: %s",
                                       SHOWN(name), buf_string(&list));
    buf_release(&list);
    return err;
}

/* The ECS name that an alias stands for, or the name itself. */
static struct slice full_name(struct slice name)
{
    const struct field_info *info = field_info(field_find(name));
    return info == NULL ? name : info->name;
}

static bool column_find(const struct pipe_scope *s, struct slice name, uint32_t *out)
{
    for (uint32_t i = 0; i < s->column_count; i++) {
        if (slice_equal(s->columns[i], name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

int pipe_field_add(struct pipe_scope *s, size_t at, const struct pipe_field *field, uint32_t *out)
{
    struct pipeline *p = s->pipeline;
    for (uint32_t i = 0; i < p->field_count; i++) {
        if (p->fields[i].span_ns == field->span_ns && slice_equal(p->fields[i].name, field->name)) {
            *out = i;
            return 0;
        }
    }
    if (p->field_count == PIPE_FIELDS_MAX)
        return lex_error(&s->lex, at, "more than %d fields of events in one query",
                         PIPE_FIELDS_MAX);
    *out = p->field_count;
    p->fields[p->field_count++] = *field;
    return 0;
}

int pipe_column(struct pipe_scope *s, size_t at, struct slice name, uint32_t *out)
{
    uint32_t found = 0;
    struct query_field field;
    if (s->on_table || s->restricted) {
        if (!column_find(s, name, &found) && !column_find(s, full_name(name), &found))
            return columns_error(s, at, name);
        *out = s->restricted ? s->shown[found].column : found;
        return 0;
    }
    int err = term_field(&s->lex, at, name, &field);
    if (err != 0)
        return err;
    struct pipe_field used = {.name = full_name(field.name), .field = field.field};
    used.row_field = (uint8_t)row_field_find(used.name);
    return pipe_field_add(s, at, &used, out);
}

int pipe_column_here(struct pipe_scope *s, uint32_t *out)
{
    struct query_word word = {0};
    int err = pipe_name(s, "a field", &word);
    if (err != 0 || lex_peek(&s->lex, 0) != '(')
        return err != 0 ? err : pipe_column(s, word.at, word.plain, out);
    if (!s->on_table)
        return lex_error(&s->lex, word.at,
                         "a field is wanted here; what is computed comes from stats");
    struct pipe_call call;
    struct slice name;
    s->lex.at = word.at;
    err = pipe_call(s, &call);
    if (err == 0)
        err = pipe_call_name(s, &call, full_name(call.argument), &name);
    return err != 0 ? err : pipe_column(s, call.at, name, out);
}

struct slice pipe_column_name(const struct pipe_scope *s, uint32_t column)
{
    return s->on_table ? s->columns[column] : s->pipeline->fields[column].name;
}

/* Digits with a point, as parts of 10^decimals; false for anything else, or above `most`. */
static bool parts_read(struct slice text, unsigned decimals, uint32_t most, uint32_t *out)
{
    uint64_t value = 0;
    unsigned behind = 0;
    bool point = false;
    bool digit = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '.' && !point && digit) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (point && behind == decimals) || value > most)
            return false;
        digit = true;
        behind += point;
        value = value * 10 + (uint64_t)(c - '0');
    }
    for (; behind < decimals; behind++)
        value *= 10;
    *out = (uint32_t)value;
    return digit && value <= most;
}

/* The function of a name; p95 and the like are quantiles. */
static int function_find(struct pipe_scope *s, const struct query_word *word,
                         struct pipe_call *call)
{
    struct slice name = word->plain;
    for (unsigned i = 0; i < FUNCTION_COUNT; i++) {
        if (slice_equal(name, slice_from(FUNCTIONS[i]))) {
            call->function = (uint8_t)i;
            call->quantile = PIPE_QUANTILE_ONE + 1;
            return 0;
        }
    }
    if (name.len > 1 && name.data[0] == 'p' &&
        parts_read(slice_from_offset(name, 1), QUANTILE_DIGITS, PIPE_QUANTILE_ONE,
                   &call->quantile)) {
        call->function = PIPE_QUANTILE;
        return 0;
    }
    const char *near = diag_suggest(name, FUNCTIONS, FUNCTION_COUNT);
    if (near != NULL)
        return lex_error(&s->lex, word->at, "no function \"%.*s\"; did you mean \"%s\"?",
                         SHOWN(name), near);
    return lex_error(&s->lex, word->at,
                     "no function \"%.*s\"; there are count, sum, avg, min, max, distinct, "
                     "quantile and p0 to p100",
                     SHOWN(name));
}

/* The rest of quantile(a, q) or quantile(q, a) behind its first word, which becomes the field. */
static int quantile_read(struct pipe_scope *s, struct pipe_call *call, struct query_word *first)
{
    struct query_word second = {0};
    if (!pipe_take(s, ','))
        return lex_error(&s->lex, s->lex.at, "a quantile is written quantile(field, 0.95)");
    int err = pipe_name(s, "a quantile from 0 to 1", &second);
    if (err != 0)
        return err;
    if (parts_read(first->plain, QUANTILE_DIGITS + 2, PIPE_QUANTILE_ONE, &call->quantile))
        *first = second;
    else if (!parts_read(second.plain, QUANTILE_DIGITS + 2, PIPE_QUANTILE_ONE, &call->quantile))
        return lex_error(&s->lex, second.at, "a quantile is a number from 0 to 1, like 0.95");
    return 0;
}

static int argument_read(struct pipe_scope *s, struct pipe_call *call)
{
    struct query_word word = {0};
    bool empty = pipe_take(s, ')');
    if (empty && call->function != PIPE_COUNT)
        return lex_error(&s->lex, s->lex.at - 1, "%s wants a field: %s(source.bytes)",
                         FUNCTIONS[call->function], FUNCTIONS[call->function]);
    if (empty)
        return 0;
    int err = pipe_name(s, "a field", &word);
    if (err == 0 && call->function == PIPE_QUANTILE && call->quantile > PIPE_QUANTILE_ONE)
        err = quantile_read(s, call, &word);
    if (err != 0)
        return err;
    if (!pipe_take(s, ')'))
        return lex_error(&s->lex, s->lex.at, "a closing parenthesis is missing here");
    call->has_argument = true;
    call->argument = word.plain;
    call->argument_at = word.at;
    return 0;
}

int pipe_call(struct pipe_scope *s, struct pipe_call *out)
{
    struct query_word word = {0};
    struct pipe_call call = {0};
    int err = pipe_name(s, "what to compute, like count() or sum(source.bytes),", &word);
    if (err == 0)
        err = function_find(s, &word, &call);
    if (err != 0)
        return err;
    call.at = word.at;
    if (lex_peek(&s->lex, 0) == '(') {
        s->lex.at++;
        err = argument_read(s, &call);
    } else if (call.function != PIPE_COUNT) {
        err = lex_error(&s->lex, s->lex.at, "%.*s wants a field: %.*s(source.bytes)",
                        SHOWN(word.plain), SHOWN(word.plain));
    }
    if (err == 0)
        *out = call;
    return err;
}

int pipe_call_name(struct pipe_scope *s, const struct pipe_call *call, struct slice argument,
                   struct slice *out)
{
    struct buf name = {0};
    if (call->function == PIPE_QUANTILE) {
        const uint32_t percent = PIPE_QUANTILE_ONE / 100;
        buf_printf(&name, "p%u.%04u", call->quantile / percent, call->quantile % percent);
        while (buf_ok(&name) && name.data[name.len - 1] == '0')
            name.len--;
        if (buf_ok(&name) && name.data[name.len - 1] == '.')
            name.len--;
    } else {
        buf_text(&name, FUNCTIONS[call->function]);
    }
    if (call->has_argument) {
        buf_byte(&name, '(');
        buf_slice(&name, argument);
        buf_byte(&name, ')');
    }
    const char *copy = buf_ok(&name) ? arena_copy(s->lex.arena, buf_content(&name)) : NULL;
    size_t len = name.len;
    buf_release(&name);
    if (copy == NULL)
        return ERR_NOMEM;
    *out = slice_of(copy, len);
    return 0;
}
