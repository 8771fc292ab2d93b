#include "store/proof.h"

#include <inttypes.h>

#include "base/err.h"
#include "store/lines.h"
#include "store/topic_text.h"

enum {
    TENANT_LINE_BYTES_MIN = sizeof("tenant 052027 0"),
};

#define ROW_TITLE    "sekisho proof v1"
#define GROWTH_TITLE "sekisho growth v1"

static void print_path(struct buf *out, const struct tree_proof *path)
{
    char hex[SHA256_HEX_BYTES + 1];
    for (uint32_t i = 0; i < path->count; i++) {
        sha256_hex(hex, &path->hashes[i]);
        buf_printf(out, "hash %s\n", hex);
    }
}

static uint64_t count_lines(struct slice text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

/* "KEY LINES" and the checkpoint; it must be one note exactly. */
static int print_checkpoint(struct buf *out, const char *key, struct slice text)
{
    if (text.len == 0 || note_length(text) != text.len)
        return ERR_RANGE;
    buf_printf(out, "%s %" PRIu64 "\n", key, count_lines(text));
    buf_slice(out, text);
    return 0;
}

int proof_row_print(struct buf *out, const struct proof_row *p)
{
    const struct tree_row *row = &p->row;
    if (p->tenant > CHECKPOINT_CODE_MAX || p->index >= TREE_ROWS_MAX || row->topic.len == 0 ||
        row->topic.len > TREE_TOPIC_BYTES_MAX || row->partition < 0 || row->offset < 0 ||
        row->raw.len > PROOF_RAW_BYTES_MAX || p->path.count > TREE_PROOF_HASHES_MAX)
        return ERR_RANGE;
    buf_printf(out, ROW_TITLE "\ntenant %06u\nindex %" PRIu64 "\ntopic ", p->tenant, p->index);
    topic_print(out, row->topic);
    buf_printf(out, "\npartition %d\noffset %" PRId64 "\nsub %u\nhashes %u\n", row->partition,
               row->offset, row->sub, p->path.count);
    print_path(out, &p->path);
    buf_printf(out, "raw %zu\n", row->raw.len);
    for (size_t at = 0; at < row->raw.len; at += PROOF_DATA_BYTES) {
        size_t left = row->raw.len - at;
        buf_text(out, "data ");
        lines_put_base64(out, row->raw.data + at,
                         left < PROOF_DATA_BYTES ? left : PROOF_DATA_BYTES);
        buf_byte(out, '\n');
    }
    int err = print_checkpoint(out, "checkpoint", p->checkpoint);
    return err == 0 && !buf_ok(out) ? ERR_NOMEM : err;
}

static int read_topic(struct lines *in, struct arena *arena, struct slice *topic)
{
    struct buf bytes = {.limit = TOPIC_TEXT_BYTES_MAX};
    lines_next(in, "topic");
    struct slice word = lines_word(in, "the topic");
    if (!in->failed && (word.len > TOPIC_TEXT_BYTES_MAX || !topic_read(&bytes, word)))
        lines_fail(in, "the topic is not 1 to %d bytes, others than A-Z a-z 0-9 . _ - as %%XX",
                   (int)TREE_TOPIC_BYTES_MAX);
    lines_end(in);
    char *copy = in->failed ? NULL : arena_copy(arena, buf_content(&bytes));
    int err = in->failed || (buf_ok(&bytes) && copy != NULL) ? 0 : ERR_NOMEM;
    *topic = slice_of(copy, copy == NULL ? 0 : bytes.len);
    buf_release(&bytes);
    return err;
}

static void read_path(struct lines *in, struct tree_proof *path, uint64_t count)
{
    path->count = (uint32_t)count;
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        lines_field_hash(in, "hash", "the hash", &path->hashes[i]);
    }
}

/* Full lines but for the last one, so that the bytes are written in one way only. */
static int read_raw(struct lines *in, struct arena *arena, struct slice *raw)
{
    uint64_t len = lines_field_number(in, "raw", PROOF_RAW_BYTES_MAX);
    /* Base64 is longer than what it says: no room is taken for bytes that do not follow. */
    if (!in->failed && len > in->rest.len)
        lines_fail(in, "the text ends before %" PRIu64 " bytes of the row", len);
    uint8_t *bytes = in->failed || len == 0 ? NULL : arena_alloc(arena, (size_t)len);
    if (!in->failed && len != 0 && bytes == NULL)
        return ERR_NOMEM;
    for (uint64_t at = 0; at < len && !in->failed; at += PROOF_DATA_BYTES) {
        size_t want = len - at < PROOF_DATA_BYTES ? (size_t)(len - at) : PROOF_DATA_BYTES;
        lines_next(in, "data");
        size_t got = lines_base64(in, "the row", bytes + at, want);
        if (!in->failed && got != want)
            lines_fail(in, "this line has %zu bytes of the row instead of %zu", got, want);
        lines_end(in);
    }
    *raw = slice_of(bytes, in->failed ? 0 : (size_t)len);
    return 0;
}

/* "KEY LINES", then as many lines. */
static struct slice read_checkpoint(struct lines *in, const char *key)
{
    uint64_t count = lines_field_number(in, key, CHECKPOINT_BYTES_MAX);
    struct slice text = slice_of(in->rest.data, 0);
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        const char *end = in->rest.len == 0 ? NULL : memchr(in->rest.data, '\n', in->rest.len);
        in->number++;
        if (end == NULL) {
            lines_fail(in, "the text ends within a checkpoint");
            break;
        }
        size_t len = (size_t)(end - in->rest.data) + 1;
        text.len += len;
        in->rest = slice_from_offset(in->rest, len);
    }
    if (!in->failed && (text.len == 0 || note_length(text) != text.len))
        lines_fail(in, "these lines are not one whole checkpoint");
    return in->failed ? slice_of(NULL, 0) : text;
}

int proof_row_parse(struct proof_row *out, struct arena *arena, struct slice text, const char *file,
                    struct diag *diag)
{
    struct proof_row p = {0};
    struct lines in = lines_of(text, file, diag);
    lines_title(&in, ROW_TITLE);
    p.tenant = lines_field_code(&in, "tenant");
    p.index = lines_field_number(&in, "index", TREE_ROWS_MAX - 1);
    int err = read_topic(&in, arena, &p.row.topic);
    p.row.partition = (int32_t)lines_field_number(&in, "partition", INT32_MAX);
    p.row.offset = (int64_t)lines_field_number(&in, "offset", INT64_MAX);
    p.row.sub = (uint32_t)lines_field_number(&in, "sub", UINT32_MAX);
    read_path(&in, &p.path, lines_field_number(&in, "hashes", TREE_PROOF_HASHES_MAX));
    if (err == 0)
        err = read_raw(&in, arena, &p.row.raw);
    p.checkpoint = read_checkpoint(&in, "checkpoint");
    lines_end_of_text(&in);
    if (err == 0 && in.failed)
        err = ERR_FORMAT;
    if (err == 0)
        *out = p;
    return err;
}

int proof_row_verify(struct hasher *h, const struct proof_row *p, const struct note_key *key,
                     const char *file, struct diag *diag)
{
    struct checkpoint c = {0};
    struct arena arena = {0};
    struct sha256 leaf;
    int err = checkpoint_parse(&c, &arena, p->checkpoint, key, file, diag);
    if (err != 0)
        goto out;
    const struct tree_head *head = checkpoint_head(&c, p->tenant);
    if (head == NULL) {
        diag_add(diag, file, 0, 0, "the checkpoint does not know tenant %06u", p->tenant);
        err = ERR_CORRUPT;
        goto out;
    }
    err = tree_leaf(h, &leaf, &p->row);
    if (err == 0)
        err = tree_check_leaf(h, &p->path, &leaf, p->index, head);
    if (err == ERR_CORRUPT) {
        diag_add(diag, file, 0, 0,
                 "this is not row %" PRIu64 " of tenant %06u in checkpoint %" PRIu64, p->index,
                 p->tenant, c.number);
    }
out:
    arena_release(&arena);
    return err;
}

int proof_growth_print(struct buf *out, const struct proof_growth *p)
{
    if (p->tenant_count > CHECKPOINT_TENANTS_MAX)
        return ERR_RANGE;
    buf_printf(out, GROWTH_TITLE "\ntenants %u\n", p->tenant_count);
    for (uint32_t i = 0; i < p->tenant_count; i++) {
        const struct proof_growth_tenant *t = &p->tenants[i];
        if (t->tenant > CHECKPOINT_CODE_MAX || t->path.count > TREE_PROOF_HASHES_MAX)
            return ERR_RANGE;
        buf_printf(out, "tenant %06u %u\n", t->tenant, t->path.count);
        print_path(out, &t->path);
    }
    int err = print_checkpoint(out, "older", p->older);
    if (err == 0)
        err = print_checkpoint(out, "newer", p->newer);
    return err == 0 && !buf_ok(out) ? ERR_NOMEM : err;
}

int proof_growth_parse(struct proof_growth *out, struct arena *arena, struct slice text,
                       const char *file, struct diag *diag)
{
    struct proof_growth p = {0};
    struct lines in = lines_of(text, file, diag);
    lines_title(&in, GROWTH_TITLE);
    p.tenant_count = (uint32_t)lines_field_number(&in, "tenants", CHECKPOINT_TENANTS_MAX);
    if (p.tenant_count > in.rest.len / TENANT_LINE_BYTES_MIN) {
        lines_fail(&in, "the text ends before %u tenants", p.tenant_count);
        return ERR_FORMAT;
    }
    struct proof_growth_tenant *tenants = arena_array(arena, p.tenant_count, sizeof(*tenants));
    if (p.tenant_count != 0 && tenants == NULL)
        return ERR_NOMEM;
    p.tenants = tenants;
    for (uint32_t i = 0; i < p.tenant_count && !in.failed; i++) {
        lines_next(&in, "tenant");
        tenants[i].tenant = lines_code(&in);
        uint64_t count = lines_number(&in, "the count of hashes", TREE_PROOF_HASHES_MAX);
        lines_end(&in);
        read_path(&in, &tenants[i].path, count);
    }
    p.older = read_checkpoint(&in, "older");
    p.newer = read_checkpoint(&in, "newer");
    lines_end_of_text(&in);
    if (in.failed)
        return ERR_FORMAT;
    *out = p;
    return 0;
}

/* Each tenant of the older one has its proof, and there is no other. */
static int check_trees(struct hasher *h, const struct proof_growth *p,
                       const struct checkpoint *older, const struct checkpoint *newer,
                       const char *file, struct diag *diag)
{
    int err = p->tenant_count == older->tenant_count ? 0 : ERR_CORRUPT;
    if (err != 0)
        diag_add(diag, file, 2, 1, "%u tenants have a proof, the older checkpoint knows %u",
                 p->tenant_count, older->tenant_count);
    for (uint32_t i = 0; i < p->tenant_count && err == 0; i++) {
        const struct proof_growth_tenant *t = &p->tenants[i];
        const struct checkpoint_tenant *was = &older->tenants[i];
        const struct tree_head *is = checkpoint_head(newer, was->tenant);
        err = t->tenant == was->tenant && is != NULL
                  ? tree_check_growth(h, &t->path, &was->head, is)
                  : ERR_CORRUPT;
        if (err == ERR_CORRUPT) {
            diag_add(diag, file, 0, 0,
                     "tenant %06u: the rows of checkpoint %" PRIu64
                     " are not the first ones of checkpoint %" PRIu64,
                     was->tenant, older->number, newer->number);
        }
    }
    return err;
}

int proof_growth_verify(struct hasher *h, const struct proof_growth *p, const struct note_key *key,
                        const char *file, struct diag *diag)
{
    struct checkpoint older = {0};
    struct checkpoint newer = {0};
    struct sha256 hash;
    struct arena arena = {0};
    int err = checkpoint_parse(&older, &arena, p->older, key, file, diag);
    if (err == 0)
        err = checkpoint_parse(&newer, &arena, p->newer, key, file, diag);
    if (err == 0)
        err = checkpoint_hash(&hash, p->older);
    bool next = err == 0 && newer.number == older.number + 1;
    if (err == 0)
        err = next ? checkpoint_check_next(&older, &hash, &newer, file, diag)
                   : checkpoint_check_later(&older, &newer, file, diag);
    if (err == 0)
        err = check_trees(h, p, &older, &newer, file, diag);
    arena_release(&arena);
    return err;
}
