#include "store/totals_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/file.h"
#include "store/catalog.h"
#include "store/chain.h"
#include "store/compacted.h"
#include "store/reader.h"

enum {
    HASHED_BYTES = TOTALS_FILE_HEADER_BYTES - SHA256_BYTES,
    FRAMING_BYTES = 8 + SHA256_BYTES + 8, /* of a record: length, hash, length of all */
    FIXED_BYTES = 24,                     /* of totals: number, from_seq, through_seq */
    RECORD_BYTES_MIN = FRAMING_BYTES + FIXED_BYTES + 1,
};

static const char MAGIC[8] = "SEKITOT1";
static const char NAME[] = "totals";
static const char RECORD_NAME[] = "ledger.";

static_assert(HASHED_BYTES == 8 + 4 + 4 + STORE_ID_BYTES + 4 + 12, "the header as it is drawn");

static int file_name(char *out, size_t cap, const char *folder)
{
    int len = snprintf(out, cap, "%s/%s", folder, NAME);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

static int header_make(char out[TOTALS_FILE_HEADER_BYTES], const struct totals_head *head)
{
    struct sha256 hash;
    memset(out, 0, TOTALS_FILE_HEADER_BYTES);
    memcpy(out, MAGIC, sizeof(MAGIC));
    bytes_put32(out + 8, TOTALS_FILE_VERSION);
    bytes_put32(out + 12, TOTALS_FILE_HEADER_BYTES);
    memcpy(out + 16, head->store_id, STORE_ID_BYTES);
    bytes_put32(out + 32, head->tenant);
    int err = sha256_of(&hash, slice_of(out, HASHED_BYTES));
    if (err == 0)
        memcpy(out + HASHED_BYTES, hash.bytes, SHA256_BYTES);
    return err;
}

static void written(void)
{
    failpoint("totals.after_write");
}

static const struct chain_form FORM = {
    .len_behind = true, .content_bytes_min = FIXED_BYTES, .written = written};

static int damaged(const char *path, const char *what, struct diag *diag)
{
    diag_add(
        diag, path, 0, 0,
        "%s: the control totals are damaged; restore the file from a copy of the store, or move it "
        "away: they then begin anew, and say so",
        what);
    return ERR_CORRUPT;
}

static int read_header(struct totals_head *out, struct slice bytes, const char *path,
                       struct diag *diag)
{
    struct totals_head h = {.bytes = TOTALS_FILE_HEADER_BYTES};
    if (bytes.len < TOTALS_FILE_HEADER_BYTES || memcmp(bytes.data, MAGIC, sizeof(MAGIC)) != 0)
        return damaged(path, "no control totals begin here", diag);
    int err = sha256_of(&h.hash, slice_of(bytes.data, HASHED_BYTES));
    if (err != 0)
        return err;
    if (memcmp(h.hash.bytes, bytes.data + HASHED_BYTES, SHA256_BYTES) != 0)
        return damaged(path, "the header's hash is wrong", diag);
    if (bytes_get32(bytes.data + 8) != TOTALS_FILE_VERSION) {
        diag_add(diag, path, 0, 0, "version %" PRIu32 ": use the newer program that wrote it",
                 bytes_get32(bytes.data + 8));
        return ERR_FORMAT;
    }
    memcpy(h.store_id, bytes.data + 16, STORE_ID_BYTES);
    h.tenant = bytes_get32(bytes.data + 32);
    *out = h;
    return 0;
}

struct visitor {
    totals_visit *visit;
    void *self;
};

/* Check a record; false in *counts: it is behind through_seq. */
static int take_record(struct totals_head *h, struct arena *arena, struct slice content,
                       uint64_t through_seq, struct totals *out, bool *counts)
{
    arena_reset(arena);
    int err = totals_read(out, arena, content);
    if (err == 0 && (out->number != h->count + 1 || out->through_seq < h->through_seq))
        err = ERR_CORRUPT;
    *counts = err == 0 && out->through_seq <= through_seq;
    return err;
}

static int read_records(struct totals_head *h, struct slice bytes, const char *path,
                        uint64_t through_seq, const struct visitor *visitor, struct diag *diag)
{
    struct arena arena = {0};
    for (;;) {
        bool counts = false;
        struct totals t = {0};
        struct slice content;
        struct sha256 hash;
        int err = chain_next(&content, &hash, &FORM, bytes, (size_t)h->bytes, &h->hash);
        if (err == ERR_CORRUPT)
            err = damaged(path, "a record's hash is wrong", diag);
        if (err == 0 && content.data != NULL) {
            err = take_record(h, &arena, content, through_seq, &t, &counts);
            if (err == ERR_CORRUPT)
                err = damaged(path, "a record does not follow the one before it", diag);
        }
        if (err == 0 && counts && visitor->visit != NULL)
            err = visitor->visit(visitor->self, &t);
        if (err != 0 || !counts) {
            arena_release(&arena);
            return err;
        }
        h->count = t.number;
        h->through_seq = t.through_seq;
        h->hash = hash;
        h->bytes += content.len + FRAMING_BYTES;
    }
}

int totals_file_read(struct totals_head *out, const char *folder, uint64_t through_seq,
                     totals_visit *visit, void *self, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    struct totals_head h = {0};
    const struct visitor visitor = {visit, self};
    int err = file_name(path, sizeof(path), folder);
    if (err == 0)
        err = file_read_all(&bytes, path, TOTALS_FILE_BYTES_MAX);
    if (err == 0)
        err = read_header(&h, buf_content(&bytes), path, diag);
    if (err == 0)
        err = read_records(&h, buf_content(&bytes), path, through_seq, &visitor, diag);
    buf_release(&bytes);
    if (err == 0)
        *out = h;
    return err;
}

/* Exactly `len` bytes at `at`; ERR_CORRUPT where there are fewer. */
static int read_exactly(struct file *f, uint64_t at, struct buf *out, size_t len)
{
    size_t got = 0;
    buf_reset(out);
    char *place = buf_reserve(out, len);
    if (place == NULL)
        return ERR_NOMEM;
    int err = file_read_at(&got, f, at, place, len);
    out->len = got;
    return err == 0 && got != len ? ERR_CORRUPT : err;
}

/* The record that ends at `end`, with the hash before it in front; ERR_CORRUPT when none does. */
static int record_before(struct file *f, uint64_t end, struct buf *out, struct slice *content,
                         struct sha256 *hash)
{
    if (end < TOTALS_FILE_HEADER_BYTES + RECORD_BYTES_MIN)
        return ERR_CORRUPT;
    int err = read_exactly(f, end - 8, out, 8);
    uint64_t all = err == 0 ? bytes_get64(out->data) : 0;
    if (err == 0 && (all < RECORD_BYTES_MIN || all > TOTALS_RECORD_BYTES_MAX ||
                     all > end - TOTALS_FILE_HEADER_BYTES))
        return ERR_CORRUPT;
    /* The hash before it ends 8 bytes earlier than the record begins, or at the header's end. */
    uint64_t gap = end - all == TOTALS_FILE_HEADER_BYTES ? 0 : 8;
    if (err == 0)
        err = read_exactly(f, end - all - gap - SHA256_BYTES, out,
                           (size_t)(all + gap + SHA256_BYTES));
    struct sha256 before;
    if (err != 0)
        return err;
    memcpy(before.bytes, out->data, SHA256_BYTES);
    struct slice record = slice_from_offset(buf_content(out), (size_t)gap + SHA256_BYTES);
    if (!chain_outline(content, hash, &FORM, record) || content->len + FRAMING_BYTES != all)
        return ERR_CORRUPT;
    struct sha256 made;
    err = chain_hash(&made, &before, *content);
    return err != 0 || sha256_equal(&made, hash) ? err : ERR_CORRUPT;
}

/* Record by record from the end, to one that is not behind through_seq. */
static int step_back(struct totals_head *h, struct file *f, uint64_t through_seq)
{
    struct buf bytes = {0};
    struct slice content;
    uint64_t end = file_end(f);
    int err = 0;
    while (err == 0 && end > TOTALS_FILE_HEADER_BYTES) {
        struct sha256 hash;
        err = record_before(f, end, &bytes, &content, &hash);
        if (err == 0 && bytes_get64(content.data + 16) <= through_seq) {
            h->count = bytes_get64(content.data);
            h->through_seq = bytes_get64(content.data + 16);
            h->hash = hash;
            h->bytes = end;
            break;
        }
        end -= err == 0 ? content.len + FRAMING_BYTES : 0;
    }
    buf_release(&bytes);
    return err;
}

int totals_file_head(struct totals_head *out, const char *folder, uint64_t through_seq,
                     struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    char head[TOTALS_FILE_HEADER_BYTES];
    size_t got = 0;
    struct totals_head h = {0};
    struct file *f = NULL;
    int err = file_name(path, sizeof(path), folder);
    if (err == 0)
        err = file_open(&f, path, FILE_READ);
    if (err == 0)
        err = file_read_at(&got, f, 0, head, sizeof(head));
    if (err == 0)
        err = read_header(&h, slice_of(head, got), path, diag);
    bool readable = err == 0;
    if (err == 0)
        err = step_back(&h, f, through_seq);
    file_close(f);
    if (readable && err == ERR_CORRUPT) /* torn or damaged: from the beginning */
        return totals_file_read(out, folder, through_seq, NULL, NULL, diag);
    if (err == 0)
        *out = h;
    return err;
}

static int make_record(const struct totals_head *head, const struct totals *t, struct buf *out,
                       struct sha256 *hash)
{
    struct buf content = {0};
    totals_write(&content, t);
    int err = buf_ok(&content) ? 0 : ERR_NOMEM;
    if (err == 0 && content.len > TOTALS_RECORD_BYTES_MAX - FRAMING_BYTES)
        err = ERR_RANGE;
    if (err == 0)
        err = chain_put(out, hash, &FORM, &head->hash, buf_content(&content));
    buf_release(&content);
    return err;
}

int totals_file_append(struct totals_head *head, const char *folder, struct totals *t)
{
    char path[FILE_PATH_BYTES_MAX];
    char header[TOTALS_FILE_HEADER_BYTES];
    struct buf bytes = {0};
    struct totals_head next = *head;
    struct sha256 hash = {0};
    int err = t->from_seq > t->through_seq || t->through_seq < head->through_seq
                  ? ERR_RANGE
                  : file_name(path, sizeof(path), folder);
    t->number = head->count + 1;
    if (err == 0 && head->bytes == 0) {
        err = header_make(header, head);
        buf_append(&bytes, header, sizeof(header));
        memcpy(next.hash.bytes, header + HASHED_BYTES, SHA256_BYTES);
    }
    if (err == 0)
        err = make_record(&next, t, &bytes, &hash);
    if (err == 0)
        err = chain_append(path, head->bytes, buf_content(&bytes), &FORM);
    if (err == 0) {
        head->count = t->number;
        head->through_seq = t->through_seq;
        head->hash = hash;
        head->bytes += bytes.len;
    }
    buf_release(&bytes);
    return err;
}

/* What the hash of a store's totals is made of, for each municipality. */
static int hash_folder(struct buf *hashed, struct totals_signed *out, const char *dir,
                       uint32_t tenant, struct diag *diag)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct totals_head head = {0};
    int err = catalog_folder(folder, sizeof(folder), dir, tenant);
    if (err == 0)
        err = totals_file_head(&head, folder, out->through_seq, diag);
    if (err == ERR_NOTFOUND || (err == 0 && head.count == 0))
        return 0;
    if (err != 0)
        return err;
    buf_put32(hashed, tenant);
    buf_put64(hashed, head.count);
    buf_append(hashed, head.hash.bytes, SHA256_BYTES);
    out->tenants++;
    return 0;
}

int totals_hash(struct totals_signed *out, const char *dir, uint64_t through_seq, struct diag *diag)
{
    struct arena arena = {0};
    struct catalog_tenants tenants;
    struct buf hashed = {0};
    struct totals_signed s = {.through_seq = through_seq};
    (void)snprintf(s.name, sizeof(s.name), "%s%" PRIu64, RECORD_NAME, through_seq);
    int err = catalog_list_tenants(&tenants, &arena, dir);
    buf_append(&hashed, MAGIC, sizeof(MAGIC));
    buf_put64(&hashed, through_seq);
    for (size_t i = 0; i < tenants.count && err == 0; i++)
        err = hash_folder(&hashed, &s, dir, tenants.codes[i], diag);
    if (err == 0)
        err = buf_ok(&hashed) ? sha256_of(&s.hash, buf_content(&hashed)) : ERR_NOMEM;
    buf_release(&hashed);
    arena_release(&arena);
    if (err == 0)
        *out = s;
    return err;
}

int totals_hash_now(struct totals_signed *out, const char *dir, struct diag *diag)
{
    struct arena arena = {0};
    struct compacted done = {0};
    int err = compacted_read(&done, dir, &arena, diag);
    uint64_t through_seq = done.through_seq;
    arena_release(&arena);
    return err == 0 ? totals_hash(out, dir, through_seq, diag) : err;
}

bool totals_signed_name(uint64_t *through_seq, struct slice name)
{
    struct slice prefix = slice_from(RECORD_NAME);
    struct slice digits = slice_from_offset(name, prefix.len);
    uint64_t seq = 0;
    if (!slice_starts(name, prefix) || digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || __builtin_mul_overflow(seq, 10, &seq) ||
            __builtin_add_overflow(seq, (uint64_t)(digits.data[i] - '0'), &seq))
            return false;
    }
    *through_seq = seq;
    return true;
}
