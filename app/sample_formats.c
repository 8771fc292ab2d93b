#include "app/sample_formats.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum {
    MOST_OF = 20, /* 19 of 20 lines are nearly all, one is a part of a mixture */
    ODD_OF = 4,   /* fewer than one of so many lines are odd ones */
};

const char *sample_certainty_name(enum sample_certainty certainty)
{
    static const char *const NAMES[] = {
        [FORMAT_GIVEN] = "given", [FORMAT_SURE] = "sure",       [FORMAT_LIKELY] = "likely",
        [FORMAT_MIXED] = "mixed", [FORMAT_UNKNOWN] = "unknown",
    };
    return NAMES[certainty];
}

/* Values of fields that have a name in the dictionary, without the parts of times. */
static uint64_t values_of(const struct batch *b)
{
    uint64_t values = 0;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (c->field > FIELD_TIME_LAST && c->field < FIELD_LOCAL_FIRST && !c->derived)
            values += c->value_count;
    }
    return values;
}

static int share_take(void *self, struct batch *b)
{
    struct sample_share *shares = self;
    struct sample_share *share = &shares[b->format];
    share->rows += b->row_count;
    for (uint32_t i = 0; i < b->row_count; i++)
        share->parsed += b->reason[i] == REASON_NONE;
    share->fields += values_of(b);
    return 0;
}

static int share_compare(const void *left, const void *right)
{
    const struct sample_share *a = left;
    const struct sample_share *b = right;
    if ((a->name == NULL) != (b->name == NULL))
        return a->name == NULL ? 1 : -1;
    if (a->rows != b->rows)
        return a->rows > b->rows ? -1 : 1;
    return a->format < b->format ? -1 : a->format > b->format;
}

/* As with `format: auto`. */
static int shares_find(struct sample_formats *f, const struct sample *s, struct sample_reading how)
{
    struct sample_share by_format[SAMPLE_FORMATS_MAX] = {0};
    how.format = FORMAT_AUTO;
    how.layout = NULL;
    how.closed = share_take;
    how.self = by_format;
    int err = sample_feed(s, &how);
    for (uint16_t i = 0; i < SAMPLE_FORMATS_MAX && err == 0; i++) {
        const struct parser *p = parser_get(i);
        f->rows += by_format[i].rows;
        if (by_format[i].rows == 0)
            continue;
        f->shares[f->share_count] = by_format[i];
        f->shares[f->share_count].format = i;
        f->shares[f->share_count++].name = p == NULL ? NULL : p->name;
    }
    if (err == 0 && f->share_count != 0)
        qsort(f->shares, f->share_count, sizeof(f->shares[0]), share_compare);
    return err;
}

/* Keep the best few. */
static void rival_add(struct sample_formats *f, const struct sample_share *rival)
{
    size_t at = 0;
    while (at < f->rival_count && f->rivals[at].parsed >= rival->parsed)
        at++;
    if (at == SAMPLE_RIVALS_MAX)
        return;
    size_t kept = f->rival_count < SAMPLE_RIVALS_MAX ? f->rival_count : SAMPLE_RIVALS_MAX - 1;
    memmove(&f->rivals[at + 1], &f->rivals[at], (kept - at) * sizeof(f->rivals[0]));
    f->rivals[at] = *rival;
    f->rival_count = kept + 1;
}

/* Of one format only its own lines, no exports beside them; of all together none of the last resort. */
static bool is_counted(size_t format, const struct parser *one)
{
    const struct parser *p = parser_get((uint16_t)format);
    return one != NULL ? format == one->format : p == NULL || !p->last_resort;
}

/* The first lines as one format, or each as that whose probe takes it. */
static int format_try(struct sample_share *out, const struct sample *s, struct sample_reading how,
                      const struct parser *p)
{
    struct sample_share by_format[SAMPLE_FORMATS_MAX] = {0};
    how.format = p == NULL ? FORMAT_AUTO : p->format;
    how.layout = NULL;
    how.lines_max = SAMPLE_TRIED_LINES;
    how.closed = share_take;
    how.self = by_format;
    int err = sample_feed(s, &how);
    *out = (struct sample_share){.format = how.format, .name = p == NULL ? NULL : p->name};
    for (size_t i = 0; i < SAMPLE_FORMATS_MAX; i++) {
        out->rows += by_format[i].rows;
        if (!is_counted(i, p))
            continue;
        out->parsed += by_format[i].parsed;
        out->fields += by_format[i].fields;
    }
    return err;
}

/* Others that read half of the first lines; *rivalled: one reads more of them than the best does. */
static int rivals_find(struct sample_formats *f, const struct sample *s,
                       const struct sample_reading *how, bool *rivalled)
{
    struct sample_share best = {0};
    struct sample_share rival;
    size_t at = 0;
    int err = 0;
    const struct parser *own = parser_get(f->format);
    f->tried = s->count < SAMPLE_TRIED_LINES ? s->count : SAMPLE_TRIED_LINES;
    if (own != NULL)
        err = format_try(&best, s, *how, own);
    for (const struct parser *p = parser_at(at); p != NULL && err == 0; p = parser_at(++at)) {
        if (p->format == f->format || p->last_resort)
            continue;
        err = format_try(&rival, s, *how, p);
        if (err != 0 || rival.parsed * 2 < f->tried || rival.fields * 2 < best.fields)
            continue;
        rival_add(f, &rival);
        *rivalled = *rivalled || (rival.parsed >= best.parsed && rival.fields > best.fields);
    }
    return err;
}

/*
 * A probe may take a line of another format. So before it is called a mixture: is there one among its
 * formats that reads the lines as well as all of them together?
 */
static int whole_find(struct sample_formats *f, const struct sample *s,
                      const struct sample_reading *how)
{
    struct sample_share together;
    struct sample_share best = {0};
    int err = format_try(&together, s, *how, NULL);
    for (size_t i = 0; i < f->share_count && err == 0; i++) {
        struct sample_share one;
        if (f->shares[i].name == NULL)
            continue;
        err = format_try(&one, s, *how, parser_get(f->shares[i].format));
        if (err == 0 && one.parsed * 10 >= together.parsed * 9 &&
            one.fields * 10 >= together.fields * 9 && one.fields > best.fields)
            best = one;
    }
    if (err != 0 || best.name == NULL)
        return err;
    f->certainty = FORMAT_LIKELY;
    f->format = best.format;
    return 0;
}

/* Formats that are a part of a mixture; a few lines of the last resort are odd ones of the device itself. */
static size_t parts_count(const struct sample_formats *f)
{
    size_t parts = 0;
    for (size_t i = 0; i < f->share_count; i++) {
        const struct parser *p = parser_get(f->shares[i].format);
        const size_t part_of = p != NULL && p->last_resort ? ODD_OF : MOST_OF;
        parts += p != NULL && f->shares[i].rows * part_of >= f->rows;
    }
    return parts;
}

int sample_formats_find(struct sample_formats *out, const struct sample *s,
                        const struct sample_reading *how)
{
    struct sample_formats f = {.certainty = FORMAT_GIVEN, .format = how->format};
    bool rivalled = false;
    int err = shares_find(&f, s, *how);
    const struct sample_share *first = &f.shares[0];
    if (err == 0 && how->format == FORMAT_AUTO) {
        bool known = f.share_count != 0 && first->name != NULL && first->parsed * 2 >= f.rows;
        f.certainty = parts_count(&f) > 1 ? FORMAT_MIXED : known ? FORMAT_LIKELY : FORMAT_UNKNOWN;
        f.format = f.certainty == FORMAT_LIKELY ? first->format : FORMAT_AUTO;
    }
    if (err == 0 && f.certainty == FORMAT_MIXED)
        err = whole_find(&f, s, how);
    if (err == 0)
        err = rivals_find(&f, s, how, &rivalled);
    if (err != 0)
        return err;
    if (f.certainty == FORMAT_LIKELY && !rivalled && f.format == first->format &&
        first->parsed * MOST_OF >= f.rows * (MOST_OF - 1))
        f.certainty = FORMAT_SURE;
    f.name = how->layout != NULL       ? "template"
             : f.format == FORMAT_AUTO ? "auto"
                                       : parser_get(f.format)->name;
    *out = f;
    return 0;
}
