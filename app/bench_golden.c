/* app/bench_golden.c - the golden lines of a format, as many as are asked for. */
#include <stdio.h>

#include "app/bench.h"
#include "base/err.h"
#include "base/file.h"

enum {
    GOLDEN_BYTES_MAX = 16 << 20, /* of a file */
};

static bool is_log(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

static int add_lines(struct bench_lines *out, struct slice text)
{
    int status = 0;
    while (text.len > 0 && status == 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        status = bench_lines_add(out, slice_of(text.data, len), 0);
        text = slice_from_offset(text, end == NULL ? len : len + 1);
    }
    return status;
}

/* Every *.log of the folder, in the order of their names. */
static int read_folder(struct bench_lines *out, const char *folder, struct arena *arena)
{
    struct dir_names names;
    struct buf text = {0};
    int status = dir_list(&names, arena, folder);
    for (size_t i = 0; status == 0 && i < names.count; i++) {
        char path[FILE_PATH_BYTES_MAX];
        if (!is_log(names.names[i]))
            continue;
        buf_reset(&text);
        int length = snprintf(path, sizeof(path), "%s/%s", folder, names.names[i]);
        status =
            length < (int)sizeof(path) ? file_read_all(&text, path, GOLDEN_BYTES_MAX) : ERR_RANGE;
        if (status == 0)
            status = add_lines(out, buf_content(&text));
    }
    buf_release(&text);
    return status;
}

/* All lines once more, from the first on, until there are that many. */
static int repeat_lines(struct bench_lines *l, uint64_t count)
{
    size_t once = l->count;
    struct buf text = {0};
    int status = 0;
    buf_append(&text, l->text.data, l->text.len);
    if (!buf_ok(&text))
        status = ERR_NOMEM;
    for (size_t i = 0; status == 0 && l->count < count; i = (i + 1) % once)
        status = bench_lines_add(l, slice_of(text.data + l->lines[i].offset, l->lines[i].len), 0);
    buf_release(&text);
    return status;
}

static int read_format(struct bench_lines *out, const struct parser *parser, uint64_t count,
                       const struct bench_options *o)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    int length = snprintf(folder, sizeof(folder), "%s/%s", o->golden, parser->name);
    int status = length < (int)sizeof(folder) ? bench_lines_start(out, parser->format) : ERR_RANGE;
    if (status == 0)
        status = read_folder(out, folder, &arena);
    if (status == 0 && out->count == 0)
        status = ERR_NOTFOUND;
    if (status == 0)
        status = repeat_lines(out, count);
    if (status != 0 && status != ERR_NOTFOUND)
        diag_add(o->diag, folder, 0, 0, "cannot be read: %s", err_name(status));
    arena_release(&arena);
    if (status != 0)
        bench_lines_release(out);
    return status;
}

/* Why no format was measured. */
static int nothing_found(const struct bench_options *o)
{
    const char *what = o->format == NULL ? "<format>" : o->format;
    if (o->format != NULL && parser_find(slice_from(o->format)) == NULL) {
        diag_add(o->diag, "--format", 0, 0, "no format \"%s\"", o->format);
        return ERR_CONF;
    }
    diag_add(o->diag, o->golden, 0, 0,
             "holds no %s/*.log; tests/golden of the source is such a folder", what);
    return ERR_CONF;
}

int bench_golden_each(struct bench_report *r, const struct bench_options *o, uint64_t count,
                      bench_golden_measure *measure)
{
    bool found = false;
    for (size_t i = 0; parser_at(i) != NULL; i++) {
        const struct parser *parser = parser_at(i);
        struct bench_lines lines = {0};
        if (o->format != NULL && strcmp(o->format, parser->name) != 0)
            continue;
        int status = read_format(&lines, parser, count, o);
        if (status == ERR_NOTFOUND)
            continue;
        if (status == 0)
            status = measure(r, o, &lines, parser->name);
        bench_lines_release(&lines);
        if (status != 0)
            return status;
        found = true;
    }
    return found ? 0 : nothing_found(o);
}
