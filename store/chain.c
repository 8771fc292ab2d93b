#include "store/chain.h"

#include "base/err.h"
#include "base/file.h"
#include "store/reader.h"

enum {
    LEN_BYTES = 8,
};

size_t chain_framing_bytes(const struct chain_form *form)
{
    return LEN_BYTES + SHA256_BYTES + (form->len_behind ? LEN_BYTES : 0);
}

int chain_hash(struct sha256 *out, const struct sha256 *before, struct slice content)
{
    struct buf hashed = {0};
    buf_append(&hashed, before->bytes, sizeof(before->bytes));
    buf_put64(&hashed, content.len);
    buf_slice(&hashed, content);
    int err = buf_ok(&hashed) ? sha256_of(out, buf_content(&hashed)) : ERR_NOMEM;
    buf_release(&hashed);
    return err;
}

int chain_put(struct buf *out, struct sha256 *hash, const struct chain_form *form,
              const struct sha256 *before, struct slice content)
{
    struct sha256 made;
    int err = chain_hash(&made, before, content);
    if (err != 0)
        return err;
    buf_put64(out, content.len);
    buf_slice(out, content);
    buf_append(out, made.bytes, sizeof(made.bytes));
    if (form->len_behind)
        buf_put64(out, content.len + chain_framing_bytes(form));
    if (!buf_ok(out))
        return ERR_NOMEM;
    *hash = made;
    return 0;
}

bool chain_outline(struct slice *content, struct sha256 *hash, const struct chain_form *form,
                   struct slice bytes)
{
    struct reader in = reader_of(bytes);
    uint64_t len = reader_get64(&in);
    struct slice inner = reader_bytes(&in, len);
    struct slice written = reader_bytes(&in, SHA256_BYTES);
    uint64_t all = form->len_behind ? reader_get64(&in) : len + chain_framing_bytes(form);
    if (in.failed || inner.len < form->content_bytes_min ||
        all != inner.len + chain_framing_bytes(form))
        return false;
    *content = inner;
    memcpy(hash->bytes, written.data, SHA256_BYTES);
    return true;
}

static bool follows(const struct sha256 *before, struct slice content, const struct sha256 *hash)
{
    struct sha256 computed;
    return chain_hash(&computed, before, content) == 0 && sha256_equal(&computed, hash);
}

/*
 * Whether a whole record stands somewhere behind `from`: it follows the hash that stands before it, or
 * `computed`, which the record at `from` should have.
 */
static bool record_behind(const struct chain_form *form, struct slice bytes, size_t from,
                          const struct sha256 *computed)
{
    const size_t least = chain_framing_bytes(form) + form->content_bytes_min;
    const size_t back = SHA256_BYTES + (form->len_behind ? LEN_BYTES : 0);
    for (size_t at = from + back; at + least <= bytes.len; at++) {
        struct slice content;
        struct sha256 before;
        struct sha256 hash;
        if (!chain_outline(&content, &hash, form, slice_from_offset(bytes, at)) ||
            (form->can_be != NULL && !form->can_be(content)))
            continue;
        memcpy(before.bytes, bytes.data + at - back, SHA256_BYTES);
        if (follows(&before, content, &hash) || follows(computed, content, &hash))
            return true;
    }
    return false;
}

int chain_next(struct slice *content, struct sha256 *hash, const struct chain_form *form,
               struct slice bytes, size_t from, const struct sha256 *before)
{
    struct slice inner;
    struct sha256 written;
    struct sha256 computed = {0};
    *content = (struct slice){0};
    if (from == bytes.len)
        return 0;
    bool whole = chain_outline(&inner, &written, form, slice_from_offset(bytes, from));
    int err = whole ? chain_hash(&computed, before, inner) : 0;
    if (err != 0)
        return err;
    if (!whole || !sha256_equal(&computed, &written))
        return record_behind(form, bytes, from, &computed) ? ERR_CORRUPT : 0;
    *content = inner;
    *hash = written;
    return 0;
}

/* Write behind the whole records, over what stands there. */
static int write_behind(const char *path, uint64_t end, struct slice bytes,
                        const struct chain_form *form)
{
    struct file *file = NULL;
    int err = file_open(&file, path, FILE_APPEND);
    if (err == 0 && file_end(file) != end)
        err = file_truncate(file, end);
    if (err == 0)
        err = file_append(file, bytes.data, bytes.len);
    form->written();
    if (err == 0)
        err = file_sync(file);
    bool full = err == ERR_IO && file_no_space();
    file_close(file);
    return full ? ERR_AGAIN : err;
}

int chain_append(const char *path, uint64_t end, struct slice bytes, const struct chain_form *form)
{
    if (end != 0)
        return write_behind(path, end, bytes, form);
    int err = file_write_atomic(path, bytes);
    return err == ERR_IO && file_no_space() ? ERR_AGAIN : err;
}
