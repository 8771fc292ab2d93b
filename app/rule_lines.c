#include "app/rule_lines.h"

#include <string.h>

#include "base/err.h"
#include "ingest/ingest.h"

struct reader {
    struct arena *arena;
    const char *filename;
    struct diag *diag;
    struct rule_lines *out;
    size_t block_cap;
    size_t part_cap;
    uint32_t line;
    bool faulty;
};

static void fault(struct reader *r, const char *message)
{
    diag_add(r->diag, r->filename, r->line, 1, "%s", message);
    r->faulty = true;
}

/* The next word of a header. */
static struct slice word_next(struct slice *rest)
{
    size_t at = 0;
    while (at < rest->len && (rest->data[at] == ' ' || rest->data[at] == '\r'))
        at++;
    size_t from = at;
    while (at < rest->len && rest->data[at] != ' ' && rest->data[at] != '\r')
        at++;
    struct slice word = slice_of(rest->data + from, at - from);
    *rest = slice_from_offset(*rest, at);
    return word;
}

/* Room for one more item behind `count`. */
static void *grow(struct reader *r, const void *items, size_t count, size_t *cap, size_t size)
{
    size_t bigger = count < 4 ? 4 : count * 2;
    void *grown = arena_array(r->arena, bigger, size);
    if (grown != NULL && count != 0)
        memcpy(grown, items, count * size);
    *cap = bigger;
    return grown;
}

/* What follows the key; empty where the option is another one. */
static struct slice behind(struct slice option, struct slice key)
{
    return slice_starts(option, key) ? slice_from_offset(option, key.len) : SLICE("");
}

/* What stands behind the name of a format. */
static void options_read(struct reader *r, struct slice header, struct rule_block *b,
                         struct rule_part *part)
{
    bool first = b->part_count == 0;
    struct slice option;
    while ((option = word_next(&header)).len != 0) {
        struct slice code = behind(option, SLICE("tenant="));
        if (slice_starts(option, SLICE("rule=")) && first) {
            b->rule = behind(option, SLICE("rule="));
        } else if (!source_class_find(&part->class, behind(option, SLICE("class="))) &&
                   tenant_code_parse(&part->tenant, code) != 0) {
            fault(r, first
                         ? "only rule=NAME, class=CLASS of a source and tenant=CODE, a "
                           "municipality's code of 6 digits, are known behind the format"
                         : "only class=CLASS of a source and tenant=CODE, a municipality's code of "
                           "6 digits, are known behind the format");
        }
    }
}

static int part_add(struct reader *r, struct slice header, const char *from)
{
    struct rule_block *b = &r->out->blocks[r->out->count - 1];
    struct rule_part part = {
        .format = word_next(&header), .lines = slice_of(from, 0), .line = r->line};
    if (part.format.len == 0)
        fault(r, "the name of a format is expected, as in \"== fires squid\"");
    options_read(r, header, b, &part);
    if (b->part_count == 0 || b->part_count == r->part_cap) {
        struct rule_part *parts = grow(r, b->parts, b->part_count, &r->part_cap, sizeof(*b->parts));
        if (parts == NULL)
            return ERR_NOMEM;
        b->parts = parts;
    }
    b->parts[b->part_count++] = part;
    return 0;
}

static int block_add(struct reader *r, struct slice header, const char *from)
{
    struct slice kind = word_next(&header);
    if (r->out->count == 0 || r->out->count == r->block_cap) {
        struct rule_block *blocks =
            grow(r, r->out->blocks, r->out->count, &r->block_cap, sizeof(*r->out->blocks));
        if (blocks == NULL)
            return ERR_NOMEM;
        r->out->blocks = blocks;
    }
    struct rule_block *b = &r->out->blocks[r->out->count++];
    *b = (struct rule_block){.fires = slice_equal(kind, SLICE("fires")), .line = r->line};
    if (!b->fires && !slice_equal(kind, SLICE("quiet")))
        fault(r, "fires or quiet is expected behind \"==\"");
    return part_add(r, header, from);
}

/* One line of the text; `next` is where the following one begins. */
static int line_take(struct reader *r, struct slice line, const char *next)
{
    if (slice_starts(line, SLICE("== ")))
        return block_add(r, slice_from_offset(line, 3), next);
    if (r->out->count == 0)
        return 0;
    struct rule_block *b = &r->out->blocks[r->out->count - 1];
    if (slice_starts(line, SLICE("-- "))) {
        return part_add(r, slice_from_offset(line, 3), next);
    }
    struct rule_part *part = &b->parts[b->part_count - 1];
    part->lines.len = (size_t)(next - part->lines.data);
    return 0;
}

int rule_lines_read(struct rule_lines *out, struct arena *arena, const char *filename,
                    struct slice text, struct diag *diag)
{
    struct rule_lines lines = {0};
    struct reader r = {.arena = arena, .filename = filename, .diag = diag, .out = &lines};
    const char *end = text.data + text.len;
    int err = 0;
    for (const char *at = text.data; at < end && err == 0;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline == NULL ? end : newline + 1;
        r.line++;
        err = line_take(&r, slice_of(at, (size_t)((newline == NULL ? end : newline) - at)), next);
        at = next;
    }
    if (err == 0 && r.faulty)
        err = ERR_CONF;
    if (err == 0)
        *out = lines;
    return err;
}
