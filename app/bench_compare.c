/* app/bench_compare.c - two reports side by side, with a threshold. */
#include <errno.h>
#include <stdlib.h>

#include "app/bench.h"
#include "base/err.h"
#include "base/file.h"
#include "base/yaml.h"

enum {
    REPORT_BYTES_MAX = 1 << 20,
};

struct side {
    struct arena arena;
    struct buf text;
    const struct yaml_node *rows;
};

static int side_read(struct side *s, const char *path, struct diag *diag)
{
    struct yaml_node *root = NULL;
    int status = file_read_all(&s->text, path, REPORT_BYTES_MAX);
    if (status != 0) {
        diag_add(diag, path, 0, 0, "cannot be read: %s", err_name(status));
        return status;
    }
    /* JSON as printed by `bench --json` is YAML too. */
    status = yaml_read(&root, &s->arena, buf_content(&s->text), path, diag);
    if (status != 0)
        return status == ERR_NOMEM ? status : ERR_CONF;
    s->rows = root->kind == YAML_MAP ? yaml_get(root, SLICE("rows")) : NULL;
    if (s->rows != NULL && s->rows->kind == YAML_LIST)
        return 0;
    diag_add(diag, path, 0, 0, "is no report of `sekisho bench --json`");
    return ERR_CONF;
}

static void side_release(struct side *s)
{
    arena_release(&s->arena);
    buf_release(&s->text);
}

/* A number of a row; false when it is none. */
static bool number(const struct yaml_node *row, struct slice key, double *out)
{
    struct slice text = yaml_text(row, key);
    if (text.data == NULL)
        return false;
    char *end = NULL;
    errno = 0;
    *out = strtod(text.data, &end);
    return errno == 0 && end == text.data + text.len && text.len != 0;
}

static const struct yaml_node *find_row(const struct yaml_node *rows, struct slice name)
{
    for (const struct yaml_node *row = rows->first; row != NULL; row = row->next) {
        if (row->kind == YAML_MAP && slice_equal(yaml_text(row, SLICE("name")), name))
            return row;
    }
    return NULL;
}

/* One line of the comparison; true when the row is worse by more than `percent`. */
static bool compare_row(const struct yaml_node *a, const struct yaml_node *b, struct slice name,
                        double percent)
{
    struct slice unit = yaml_text(b, SLICE("unit"));
    double before = 0;
    double after = 0;
    if (a == NULL || !number(a, SLICE("median"), &before) || !number(b, SLICE("median"), &after) ||
        before <= 0) {
        (void)printf("%-34.*s %10s %10s %8s  only in one report\n", (int)name.len, name.data, "-",
                     "-", "-");
        return false;
    }
    double ratio = after / before;
    bool worse = ratio > 1 + percent / 100;
    const char *word = worse ? "  worse" : ratio < 1 - percent / 100 ? "  better" : "";
    (void)printf("%-34.*s %10.3f %10.3f %8.3f  %.*s%s\n", (int)name.len, name.data, before, after,
                 ratio, (int)unit.len, unit.data == NULL ? "" : unit.data, word);
    return worse;
}

int bench_compare(const char *a, const char *b, double percent, bool *worse, struct diag *diag)
{
    struct side before = {0};
    struct side after = {0};
    int status = side_read(&before, a, diag);
    if (status == 0)
        status = side_read(&after, b, diag);
    if (status == 0) {
        *worse = false;
        (void)printf("%-34s %10s %10s %8s\n", "row", "A", "B", "B / A");
        for (const struct yaml_node *row = after.rows->first; row != NULL; row = row->next) {
            struct slice name = yaml_text(row, SLICE("name"));
            if (name.data != NULL)
                *worse |= compare_row(find_row(before.rows, name), row, name, percent);
        }
    }
    side_release(&before);
    side_release(&after);
    return status;
}
