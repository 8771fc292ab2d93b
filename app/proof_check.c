#include "app/proof_check.h"

#include <inttypes.h>

#include "base/file.h"

#define GROWTH_BEGIN "sekisho growth "

static int check_row(struct buf *said, struct slice text, const char *path,
                     const struct note_key *key, struct diag *diag)
{
    struct arena arena = {0};
    struct checkpoint c = {0};
    struct proof_row row;
    struct hasher *h = NULL;
    int err = proof_row_parse(&row, &arena, text, path, diag);
    if (err == 0)
        err = hasher_new(&h);
    if (err == 0)
        err = proof_row_verify(h, &row, key, path, diag);
    if (err == 0)
        err = checkpoint_parse(&c, &arena, row.checkpoint, key, path, diag);
    if (err == 0) {
        buf_printf(said, "it holds: row %" PRIu64 " of municipality %06" PRIu32 ", ", row.index,
                   row.tenant);
        buf_slice(said, row.row.topic);
        buf_printf(said,
                   " partition %" PRId32 " offset %" PRId64 " line %" PRIu32
                   ", %zu bytes, was in the store at checkpoint %" PRIu64 "\n",
                   row.row.partition, row.row.offset, row.row.sub, row.row.raw.len, c.number);
    }
    hasher_free(h);
    arena_release(&arena);
    return err;
}

static int check_growth(struct buf *said, struct slice text, const char *path,
                        const struct note_key *key, struct diag *diag)
{
    struct arena arena = {0};
    struct checkpoint older = {0};
    struct checkpoint newer = {0};
    struct proof_growth growth;
    struct hasher *h = NULL;
    int err = proof_growth_parse(&growth, &arena, text, path, diag);
    if (err == 0)
        err = hasher_new(&h);
    if (err == 0)
        err = proof_growth_verify(h, &growth, key, path, diag);
    if (err == 0)
        err = checkpoint_parse(&older, &arena, growth.older, key, path, diag);
    if (err == 0)
        err = checkpoint_parse(&newer, &arena, growth.newer, key, path, diag);
    if (err == 0) {
        buf_printf(said,
                   "it holds: everything at checkpoint %" PRIu64
                   " was there unchanged at checkpoint %" PRIu64 ", of %" PRIu32
                   " municipalities\n",
                   older.number, newer.number, growth.tenant_count);
    }
    hasher_free(h);
    arena_release(&arena);
    return err;
}

int proof_check_file(struct buf *said, const char *path, const struct note_key *key,
                     struct diag *diag)
{
    struct buf text = {0};
    int err = file_read_all(&text, path, PROOF_BYTES_MAX);
    if (err == ERR_NOTFOUND)
        diag_add(diag, path, 0, 0, "no such file");
    if (err == 0)
        err = (slice_starts(buf_content(&text), SLICE(GROWTH_BEGIN)) ? check_growth : check_row)(
            said, buf_content(&text), path, key, diag);
    if (err == 0 && !buf_ok(said))
        err = ERR_NOMEM;
    buf_release(&text);
    return err;
}
