#include "tests/event/pred_naive.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/fold.h"

enum {
    NAIVE_TEXTS_MAX = 64, /* of one field in one row */
};

static unsigned char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c;
}

static bool same(char a, char b, bool cased)
{
    return cased ? a == b : low(a) == low(b);
}

static bool starts(struct slice text, struct slice with, bool cased)
{
    if (text.len < with.len)
        return false;
    for (size_t i = 0; i < with.len; i++) {
        if (!same(text.data[i], with.data[i], cased))
            return false;
    }
    return true;
}

static bool contains(struct slice text, struct slice part, bool cased)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (starts(slice_from_offset(text, i), part, cased))
            return true;
    }
    return part.len == 0;
}

static struct slice rest_of(struct slice s, size_t n)
{
    return (struct slice){.data = s.len <= n ? "" : s.data + n, .len = s.len <= n ? 0 : s.len - n};
}

static size_t unit(struct slice text)
{
    uint32_t point = 0;
    size_t len = escape_utf8(&point, text);
    return len == 0 ? 1 : len;
}

static bool glob(struct slice p, struct slice t, bool cased)
{
    if (p.len == 0)
        return t.len == 0;
    if (p.data[0] == '*') {
        for (;;) {
            if (glob(rest_of(p, 1), t, cased))
                return true;
            if (t.len == 0)
                return false;
            t = rest_of(t, unit(t));
        }
    }
    if (t.len == 0)
        return false;
    if (p.data[0] == '?')
        return glob(rest_of(p, 1), rest_of(t, unit(t)), cased);
    if (p.data[0] == '\\' && p.len > 1 && strchr("*?\\", p.data[1]) != NULL)
        p = rest_of(p, 1);
    return same(p.data[0], t.data[0], cased) && glob(rest_of(p, 1), rest_of(t, 1), cased);
}

static bool is_wild(struct slice p)
{
    for (size_t i = 0; i < p.len; i++) {
        if (p.data[i] == '\\')
            i++;
        else if (p.data[i] == '*' || p.data[i] == '?')
            return true;
    }
    return false;
}

/* A glob without wildcards is an equality of what it says. */
static struct slice plain_of(struct slice p, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < p.len; i++) {
        if (p.data[i] == '\\' && i + 1 < p.len && strchr("*?\\", p.data[i + 1]) != NULL)
            i++;
        out[n++] = p.data[i];
    }
    return slice_of(out, n);
}

static int regex(struct slice pattern, struct slice text, bool cased)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    const void *p = pattern.data;
    pcre2_code *re = pcre2_compile(p, pattern.len, cased ? 0 : PCRE2_CASELESS, &code, &at, NULL);
    if (re == NULL)
        abort();
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    const void *t = text.len == 0 ? "" : text.data;
    int found = pcre2_match(re, t, text.len, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    return found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static bool number_of(struct slice text, double *out)
{
    char copy[80];
    size_t n = 0;
    bool digits = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool sign = c == '-' && (i == 0 || copy[i - 1] == 'e' || copy[i - 1] == 'E');
        bool plus = c == '+' && i > 0 && (copy[i - 1] == 'e' || copy[i - 1] == 'E');
        bool point = c == '.' && i > 0 && isdigit((unsigned char)copy[i - 1]) && i + 1 < text.len &&
                     isdigit((unsigned char)text.data[i + 1]);
        bool e = (c == 'e' || c == 'E') && digits;
        if (i >= 64 || !(isdigit((unsigned char)c) || sign || plus || point || e))
            return false;
        digits = digits || isdigit((unsigned char)c);
        copy[n++] = c;
    }
    copy[n] = '\0';
    char *end = copy;
    *out = strtod(copy, &end);
    return n > 0 && end == copy + n && isdigit((unsigned char)copy[n - 1]);
}

static double real_of(const struct ast_bound *bound)
{
    return bound->is_real ? bound->real : (double)bound->number;
}

static bool order(const struct ast *ast, double v)
{
    double bound = real_of(&ast->bound);
    switch ((int)ast->op) {
    case AST_LESS:
        return v < bound;
    case AST_LESS_EQUAL:
        return v <= bound;
    case AST_GREATER:
        return v > bound;
    case AST_RANGE:
        return bound <= v && v <= real_of(&ast->high);
    default:
        return v >= bound;
    }
}

/* The day of the year, from 0. */
static int day_of_year(const struct clock_civil *c)
{
    static const int BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    return BEFORE[c->month - 1] + c->day - 1 + (leap && c->month > 2);
}

/* The weekday of 1 January, Monday = 0 (Gauss). */
static int first_weekday(int year)
{
    int y = year - 1;
    return (y * 365 + y / 4 - y / 100 + y / 400) % 7;
}

static int weeks_of(int year)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int first = first_weekday(year);
    return first == 3 || (first == 2 && leap) ? 53 : 52;
}

/* By the book: (10 + day of the year - day of the week) / 7, both counted from 1. */
static int week_of(const struct clock_civil *c)
{
    int day = day_of_year(c);
    int weekday = (first_weekday(c->year) + day) % 7;
    int week = (10 + day + 1 - (weekday + 1)) / 7;
    if (week < 1)
        return weeks_of(c->year - 1);
    return week > weeks_of(c->year) ? 1 : week;
}

static bool part_holds(const struct ast *ast, int64_t local_ns)
{
    struct clock_civil c;
    clock_to_civil(&c, local_ns);
    const int parts[] = {
        [AST_PART_MINUTE] = c.minute,  [AST_PART_HOUR] = c.hour,   [AST_PART_DAY] = c.day,
        [AST_PART_WEEK] = week_of(&c), [AST_PART_MONTH] = c.month, [AST_PART_YEAR] = c.year};
    return order(ast, parts[ast->part]);
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] > 127)
            return false;
    }
    return true;
}

/* NFKC with case folded, where all of it is UTF-8; else the text itself. */
static void folded(struct buf *out, struct slice text)
{
    struct fold_bufs bufs = {0};
    uint32_t point = 0;
    bool valid = true;
    for (size_t at = 0, len = 0; at < text.len && valid; at += len) {
        len = escape_utf8(&point, rest_of(text, at));
        valid = len != 0;
    }
    if (valid)
        fold_text(out, text, &bufs);
    else
        buf_slice(out, text);
    (void)buf_reserve(out, 1);
    fold_bufs_release(&bufs);
}

static int on_plain_text(const struct ast *ast, struct slice text);

static int on_text(const struct ast *ast, struct slice text)
{
    bool literal = ast->op == AST_EQUAL || ast->op == AST_GLOB || ast->op == AST_CONTAINS ||
                   ast->op == AST_RAW;
    if (!literal || ast->cased || is_ascii(ast->text))
        return on_plain_text(ast, text);
    struct buf want = {0};
    struct ast like = *ast;
    folded(&want, ast->text);
    like.text = buf_content(&want);
    int holds = on_plain_text(&like, text);
    buf_release(&want);
    return holds;
}

/* As it is and as it is folded. */
static int on_meaning(const struct ast *ast, struct slice text)
{
    struct buf form = {0};
    struct fold_bufs bufs = {0};
    int holds = on_text(ast, text);
    if (!ast->cased && !is_ascii(text)) {
        fold_text(&form, text, &bufs);
        (void)buf_reserve(&form, 1);
        holds = holds < 0 ? holds : holds | on_text(ast, buf_content(&form));
    }
    fold_bufs_release(&bufs);
    buf_release(&form);
    return holds;
}

static int on_plain_text(const struct ast *ast, struct slice text)
{
    int64_t local_ns = 0;
    char plain[512];
    double v = 0;
    struct ip ip;
    switch (ast->op) {
    case AST_EQUAL:
        return text.len == ast->text.len && starts(text, ast->text, ast->cased);
    case AST_GLOB:
        if (!is_wild(ast->text)) {
            struct slice want = plain_of(ast->text, plain);
            return text.len == want.len && starts(text, want, ast->cased);
        }
        return glob(ast->text, text, ast->cased);
    case AST_CONTAINS:
    case AST_RAW:
        return contains(text, ast->text, ast->cased);
    case AST_REGEX:
        return regex(ast->text, text, ast->cased);
    case AST_NETWORK:
        return ip_parse(text, &ip) != VALUE_INVALID && network_holds(&ast->network, &ip);
    case AST_EXISTS:
    case AST_VALUE:
        return 1;
    case AST_REF_EQUAL:
    case AST_REF_CONTAINS:
    case AST_REF_PREFIX:
    case AST_REF_SUFFIX:
        return 0;
    case AST_LESS:
    case AST_LESS_EQUAL:
    case AST_GREATER:
    case AST_GREATER_EQUAL:
    case AST_RANGE:
    default:
        if (ast->part != AST_PART_NONE)
            return clock_parse_written(&local_ns, text) == 0 && part_holds(ast, local_ns);
        return number_of(text, &v) && order(ast, v);
    }
}

static bool is_present(enum ast_op op)
{
    return op == AST_EXISTS || op == AST_VALUE;
}

static bool is_order(enum ast_op op)
{
    return op >= AST_LESS && op <= AST_RANGE;
}

/* The text of an equality, NUL-terminated and padded, or false. */
static bool equality(const struct ast *ast, char out[512], struct slice *text)
{
    memset(out, 0, 512);
    if (ast->op == AST_EQUAL && ast->text.len < 400)
        memcpy(out, ast->text.data, ast->text.len);
    else if (ast->op == AST_GLOB && ast->text.len < 400 && !is_wild(ast->text))
        *text = plain_of(ast->text, out);
    else
        return false;
    *text = slice_of(out, ast->op == AST_EQUAL ? ast->text.len : text->len);
    return true;
}

/* An integer; what it shows is compared with an end that has a fraction. */
static bool order_exact(const struct ast *ast, int64_t v, double shown)
{
    int64_t bound = ast->bound.number;
    bool from = ast->bound.is_real ? shown >= ast->bound.real : v >= bound;
    bool to = ast->high.is_real ? shown <= ast->high.real : v <= ast->high.number;
    if (ast->op == AST_RANGE)
        return from && to;
    if (ast->bound.is_real)
        return order(ast, shown);
    switch ((int)ast->op) {
    case AST_LESS:
        return v < bound;
    case AST_LESS_EQUAL:
        return v <= bound;
    case AST_GREATER:
        return v > bound;
    default:
        return v >= bound;
    }
}

/* A number: `printed` is how it is written, `shown` what it says. */
static int on_number(const struct ast *ast, int64_t v, double shown, struct slice printed)
{
    char copy[512];
    struct slice text;
    int64_t want = 0;
    if (is_present(ast->op))
        return 1;
    if (ast->op == AST_NETWORK || ast->part != AST_PART_NONE)
        return 0;
    if (is_order(ast->op))
        return order_exact(ast, v, shown);
    if (equality(ast, copy, &text) && text.len != 0 && value_int(text, &want) != VALUE_INVALID)
        return want == v;
    return on_text(ast, printed);
}

static int on_time(const struct ast *ast, int64_t ns)
{
    char copy[512];
    struct slice text;
    int64_t want = 0;
    if (ns == CLOCK_NONE)
        return 0;
    if (ast->part != AST_PART_NONE)
        return part_holds(ast, ns + INT64_C(9) * 3600 * CLOCK_NS_PER_SECOND);
    struct buf printed = {0};
    clock_print(&printed, ns);
    int holds = 0;
    if (equality(ast, copy, &text) && clock_parse(&want, text) == 0)
        holds = want == ns;
    else if (is_order(ast->op) || is_present(ast->op) || ast->op == AST_NETWORK)
        holds = on_number(ast, ns, (double)ns, buf_content(&printed));
    else
        holds = on_text(ast, buf_content(&printed));
    buf_release(&printed);
    return holds;
}

/* Each text that a value is compared as. */
static int on_forms(const struct ast *ast, struct slice written, uint8_t kind, bool url)
{
    struct buf first = {0};
    struct buf second = {0};
    bool percent = slot_is_percent(kind);
    value_decode(&first, written, url && percent ? slot_plain(kind) : kind);
    (void)buf_reserve(&first, 1);
    int holds = on_meaning(ast, buf_content(&first));
    if (holds == 0 && url) {
        value_decode(&second, buf_content(&first), percent ? slot_writing(kind) : SLOT_PERCENT);
        (void)buf_reserve(&second, 1);
        holds = on_meaning(ast, buf_content(&second));
    }
    buf_release(&first);
    buf_release(&second);
    return holds;
}

static int either(int a, int b)
{
    return a < 0 || b < 0 ? -1 : a | b;
}

/* A value of a typed column, read from how it is written. */
struct typed {
    enum value_class class;
    int64_t number;
    enum epoch_form form;
    struct ip ip;
    char printed[128];
};

static struct typed typed_read(uint8_t type, struct slice written)
{
    struct typed v = {0};
    struct buf text = {0};
    if (type == FIELD_TYPE_INT) {
        v.class = value_int(written, &v.number);
        buf_printf(&text, "%lld", (long long)v.number);
    } else if (type == FIELD_TYPE_EPOCH) {
        v.class = value_epoch(written, &v.number, &v.form);
        int64_t unit = v.form == EPOCH_MILLIS_POINT ? 1000 : 1;
        buf_printf(&text, "%lld", (long long)(v.number / unit));
        if (unit != 1)
            buf_printf(&text, ".%03lld", (long long)(v.number % unit));
    } else {
        v.class = ip_parse(written, &v.ip);
        ip_print(&text, &v.ip);
    }
    if (text.len < sizeof(v.printed))
        memcpy(v.printed, text.data, text.len);
    buf_release(&text);
    return v;
}

/* Asked by value: 1, 0; or -2 where the leaf asks for text. */
static int by_value(const struct ast *ast, uint8_t type, const struct typed *v)
{
    char copy[512];
    struct slice want = {0};
    bool equal = equality(ast, copy, &want);
    if (is_present(ast->op))
        return 1;
    if (ast->part != AST_PART_NONE)
        return 0;
    if (ast->op == AST_NETWORK)
        return type == FIELD_TYPE_IP && network_holds(&ast->network, &v->ip);
    if (is_order(ast->op) && type == FIELD_TYPE_IP)
        return 0;
    if (is_order(ast->op) && v->form == EPOCH_MILLIS_POINT)
        return order(ast, (double)v->number / 1000.0);
    if (is_order(ast->op))
        return on_number(ast, v->number, (double)v->number, SLICE(""));
    if (!equal || want.len == 0)
        return -2;
    struct typed other = typed_read(type, want);
    if (other.class == VALUE_INVALID)
        return -2;
    return other.number == v->number && other.form == v->form &&
           memcmp(&other.ip, &v->ip, sizeof(v->ip)) == 0;
}

static int on_typed(const struct ast *ast, const struct column *c, struct slice written, bool url)
{
    struct typed v = typed_read(c->type, written);
    bool other_form = c->type == FIELD_TYPE_EPOCH && v.form != c->epoch_form;
    if (v.class == VALUE_INVALID || other_form)
        return 0;
    int holds = by_value(ast, c->type, &v);
    if (holds != -2)
        return holds;
    holds = on_text(ast, slice_from(v.printed));
    if (v.class == VALUE_VALID)
        holds = either(holds, on_forms(ast, written, c->kind, url));
    return holds;
}

/* One value of a column, in the row. */
static int on_value(const struct ast *ast, const struct column *c, struct slice written, bool url)
{
    if (c->kind == SLOT_NULL)
        return ast->op == AST_EXISTS;
    return c->type == FIELD_TYPE_TEXT ? on_forms(ast, written, c->kind, url)
                                      : on_typed(ast, c, written, url);
}

/* Is the column one of the field that is asked? */
static bool is_asked(const struct batch *b, const struct column *c, uint16_t field,
                     struct slice name, struct buf *scratch)
{
    const struct field_info *info = field_info(field);
    struct slice want = info == NULL ? name : info->name;
    return (c->field < FIELD_LOCAL_FIRST) == (info != NULL) &&
           slice_equal(batch_field_name(b, c->field, scratch), want);
}

static bool is_url(const struct column *c)
{
    const struct field_info *info = c->field < FIELD_LOCAL_FIRST ? field_info(c->field) : NULL;
    return info != NULL && slice_starts(info->name, SLICE("url."));
}

static int on_columns(const struct batch *b, uint32_t row, const struct ast *ast)
{
    struct buf name = {0};
    struct buf scratch = {0};
    int holds = 0;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct slice written;
        bool asked =
            ast->any_field ? !c->derived : is_asked(b, c, ast->field, ast->field_name, &name);
        if (asked && batch_value(b, c, row, &scratch, &written))
            holds = either(holds, on_value(ast, c, written, is_url(c)));
    }
    buf_release(&name);
    buf_release(&scratch);
    return holds;
}

/* The texts of one field in a row, for the comparison of two. */
struct texts {
    struct buf items[NAIVE_TEXTS_MAX];
    unsigned count;
    bool cased;
};

static void text_add(struct texts *t, struct slice text)
{
    if (t->count + 1 >= NAIVE_TEXTS_MAX)
        abort();
    buf_slice(&t->items[t->count++], text);
    if (t->cased || is_ascii(text))
        return;
    struct fold_bufs bufs = {0};
    fold_text(&t->items[t->count++], text, &bufs);
    fold_bufs_release(&bufs);
}

static void forms_add(struct texts *t, struct slice written, uint8_t kind, bool url)
{
    struct buf first = {0};
    struct buf second = {0};
    bool percent = slot_is_percent(kind);
    value_decode(&first, written, url && percent ? slot_plain(kind) : kind);
    text_add(t, buf_content(&first));
    if (url) {
        value_decode(&second, buf_content(&first), percent ? slot_writing(kind) : SLOT_PERCENT);
        text_add(t, buf_content(&second));
    }
    buf_release(&first);
    buf_release(&second);
}

static void typed_add(struct texts *t, const struct column *c, struct slice written)
{
    struct typed v = typed_read(c->type, written);
    if (v.class == VALUE_INVALID || (c->type == FIELD_TYPE_EPOCH && v.form != c->epoch_form))
        return;
    text_add(t, slice_from(v.printed));
    if (v.class == VALUE_VALID)
        forms_add(t, written, c->kind, is_url(c));
}

static void texts_read(struct texts *t, const struct batch *b, uint32_t row,
                       const struct naive_row *known, uint16_t field, struct slice name)
{
    struct buf scratch = {0};
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct slice written;
        if (!is_asked(b, c, field, name, &scratch) || c->kind == SLOT_NULL ||
            !batch_value(b, c, row, &scratch, &written))
            continue;
        if (c->type == FIELD_TYPE_TEXT)
            forms_add(t, written, c->kind, is_url(c));
        else
            typed_add(t, c, written);
    }
    for (unsigned i = 0; field == FIELD_URL_ORIGINAL && i < known->url_count; i++)
        forms_add(t, known->urls[i], SLOT_PLAIN, true);
    buf_release(&scratch);
}

static bool pair_holds(const struct ast *ast, struct slice value, struct slice other)
{
    size_t rest = value.len - other.len;
    if (value.len < other.len)
        return false;
    if (ast->op == AST_REF_CONTAINS)
        return contains(value, other, ast->cased);
    if (ast->op == AST_REF_SUFFIX)
        return starts(rest_of(value, rest), other, ast->cased);
    return (ast->op == AST_REF_PREFIX || rest == 0) && starts(value, other, ast->cased);
}

static int on_pairs(const struct batch *b, uint32_t row, const struct naive_row *known,
                    const struct ast *ast)
{
    struct texts value = {.cased = ast->cased};
    struct texts other = {.cased = ast->cased};
    bool holds = false;
    texts_read(&value, b, row, known, ast->field, ast->field_name);
    texts_read(&other, b, row, known, ast->other, ast->other_name);
    for (unsigned i = 0; i < value.count; i++) {
        for (unsigned k = 0; k < other.count; k++)
            holds |= pair_holds(ast, buf_content(&value.items[i]), buf_content(&other.items[k]));
    }
    for (unsigned i = 0; i < NAIVE_TEXTS_MAX; i++) {
        buf_release(&value.items[i]);
        buf_release(&other.items[i]);
    }
    return holds;
}

static int named(const struct ast *ast, struct slice text)
{
    return text.len == 0 ? 0 : on_text(ast, text);
}

static int numbered(const struct ast *ast, int64_t v)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)v);
    return on_number(ast, v, (double)v, slice_from(text));
}

/* Does the value mean something that is not ASCII? */
static bool is_foreign(struct slice written, uint8_t kind, bool url)
{
    struct buf text = {0};
    value_decode(&text, written, kind);
    bool foreign = !is_ascii(buf_content(&text));
    if (!foreign && url) {
        struct buf meant = {0};
        value_decode(&meant, buf_content(&text), SLOT_PERCENT);
        foreign = !is_ascii(buf_content(&meant));
        buf_release(&meant);
    }
    buf_release(&text);
    return foreign;
}

/* The bytes, and what values mean that are not ASCII. */
static int on_line(const struct batch *b, uint32_t row, const struct ast *ast)
{
    struct buf line = {0};
    struct buf scratch = {0};
    (void)batch_render(b, row, &line);
    (void)buf_reserve(&line, 1);
    int holds = on_text(ast, buf_content(&line));
    if (b->shape[row] == 0)
        holds = either(
            holds, on_forms(ast, buf_content(&line), CHARSET_AUTO << SLOT_CHARSET_SHIFT, false));
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct slice written;
        if (c->type == FIELD_TYPE_TEXT && c->kind != SLOT_NULL && !c->derived &&
            batch_value(b, c, row, &scratch, &written) && is_foreign(written, c->kind, is_url(c)))
            holds = either(holds, on_forms(ast, written, c->kind, is_url(c)));
    }
    buf_release(&scratch);
    buf_release(&line);
    return holds;
}

/* Every value of the line; a line that was not taken apart is one value. */
static int on_any(const struct batch *b, uint32_t row, const struct naive_row *known,
                  const struct ast *ast)
{
    int holds = on_columns(b, row, ast);
    if (b->shape[row] == 0)
        return either(holds, on_line(b, row, ast));
    for (unsigned i = 0; i < known->url_count; i++)
        holds = either(holds, on_forms(ast, known->urls[i], SLOT_PLAIN, true));
    return holds;
}

static int leaf_holds(const struct batch *b, uint32_t row, const struct naive_row *known,
                      const struct ast *ast)
{
    const struct field_info *info = field_info(ast->field);
    struct slice name = info == NULL ? ast->field_name : info->name;
    char tenant[16];
    if (ast->op == AST_RAW)
        return on_line(b, row, ast);
    if (ast->any_field)
        return on_any(b, row, known, ast);
    if (ast->op >= AST_REF_EQUAL)
        return on_pairs(b, row, known, ast);
    if (slice_equal(name, SLICE("sekisho.tenant"))) {
        (void)snprintf(tenant, sizeof(tenant), "%06u", b->tenant);
        return named(ast, slice_from(tenant));
    }
    if (slice_equal(name, SLICE("sekisho.source")))
        return named(ast, b->source);
    if (slice_equal(name, SLICE("sekisho.format")))
        return named(ast, b->format_name);
    if (slice_equal(name, SLICE("kafka.topic")))
        return named(ast, b->topic);
    if (slice_equal(name, SLICE("sekisho.verdict")))
        return named(ast, verdict_name(b->verdict[row]));
    if (slice_equal(name, SLICE("sekisho.parse.error")))
        return named(ast, reason_code(b->reason[row]));
    if (slice_equal(name, SLICE("sekisho.time.source")))
        return named(ast, time_source_name(b->time_source[row]));
    if (slice_equal(name, SLICE("@timestamp")))
        return on_time(ast, b->time_ns[row]);
    if (slice_equal(name, SLICE("event.ingested")))
        return on_time(ast, b->arrival_ns[row]);
    if (slice_equal(name, SLICE("kafka.partition")))
        return numbered(ast, known->partition);
    if (slice_equal(name, SLICE("kafka.offset")))
        return numbered(ast, known->offset);
    if (slice_equal(name, SLICE("sekisho.sub")))
        return numbered(ast, b->sub[row]);
    int holds = on_columns(b, row, ast);
    if (slice_equal(name, SLICE("url.original"))) {
        for (unsigned i = 0; i < known->url_count; i++)
            holds = either(holds, on_forms(ast, known->urls[i], SLOT_PLAIN, true));
    }
    return holds;
}

int naive_holds(const struct batch *b, uint32_t row, const struct naive_row *known,
                const struct ast *ast)
{
    if (ast->kind == AST_TRUE)
        return 1;
    if (ast->kind == AST_LEAF)
        return leaf_holds(b, row, known, ast);
    int all = 1;
    int any = 0;
    for (const struct ast *c = ast->first; c != NULL; c = c->next) {
        int holds = naive_holds(b, row, known, c);
        if (holds < 0)
            return -1;
        all &= holds;
        any |= holds;
    }
    return ast->kind == AST_NOT ? !any : ast->kind == AST_OR ? any : all;
}
