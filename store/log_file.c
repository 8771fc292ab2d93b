#include "store/log_file.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/fault.h"

enum {
    OFFSET_HEADER_LEN = 8,
    OFFSET_VERSION = 12,
    OFFSET_STORE_ID = 16,
    OFFSET_FIRST_SEQ = 32,
    OFFSET_EPOCH = 40,
    OFFSET_TICK = 48,
    OFFSET_LAST_HASH = 56,
    LOG_FILE_MAGIC_BYTES = 8,
    LOG_FILE_NAME_BYTES = 16 + 4, /* %016x.log */
    LOG_FILE_DIGITS = 16,
};
static_assert(OFFSET_LAST_HASH + SHA256_BYTES == LOG_FILE_HEADER_FIXED_BYTES, "header layout");
static_assert(sizeof(LOG_FILE_MAGIC) - 1 == LOG_FILE_MAGIC_BYTES, "magic[8]");

int log_file_chain_start(struct sha256 *out, const uint8_t *store_id)
{
    return sha256_of(out, slice_of(store_id, STORE_ID_BYTES));
}

static int header_encode(struct buf *out, const uint8_t *store_id, const struct log_state *state)
{
    size_t start = out->len;
    struct sha256 hash;
    buf_append(out, LOG_FILE_MAGIC, LOG_FILE_MAGIC_BYTES);
    buf_put32(out, 0);
    buf_put32(out, LOG_FILE_VERSION);
    buf_append(out, store_id, STORE_ID_BYTES);
    buf_put64(out, state->seq + 1);
    buf_put64(out, state->epoch);
    buf_put64(out, (uint64_t)state->tick_ns);
    buf_append(out, state->hash.bytes, SHA256_BYTES);
    int err = log_state_encode(out, state);
    if (err != 0)
        return err;
    size_t len = out->len - start;
    if (len > LOG_FILE_HEADER_BYTES_MAX - SHA256_BYTES)
        return ERR_RANGE;
    bytes_put32(out->data + start + OFFSET_HEADER_LEN, (uint32_t)len + SHA256_BYTES);
    err = sha256_of(&hash, slice_of(out->data + start, len));
    if (err != 0)
        return err;
    buf_append(out, hash.bytes, SHA256_BYTES);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

int log_file_header_encode(struct buf *out, const uint8_t *store_id, const struct log_state *state)
{
    size_t before = out->len;
    int err = header_encode(out, store_id, state);
    if (err != 0)
        out->len = before;
    return err;
}

/* The length of the header; needs its fixed part. */
static int header_length(uint32_t *out, const char *fixed, const char **why)
{
    if (memcmp(fixed, LOG_FILE_MAGIC, LOG_FILE_MAGIC_BYTES) != 0) {
        *why = "not a log file (magic)";
        return ERR_CORRUPT;
    }
    uint32_t len = bytes_get32(fixed + OFFSET_HEADER_LEN);
    if (len < LOG_FILE_HEADER_BYTES_MIN || len > LOG_FILE_HEADER_BYTES_MAX) {
        *why = "wrong length of the file's header";
        return ERR_CORRUPT;
    }
    *out = len;
    return 0;
}

int log_file_header_decode(struct log_file_header *out, struct slice bytes, const char **why)
{
    uint32_t len = 0;
    struct sha256 hash;
    *why = "the file's header ends early";
    if (bytes.len < LOG_FILE_HEADER_FIXED_BYTES)
        return ERR_AGAIN;
    int err = header_length(&len, bytes.data, why);
    if (err != 0)
        return err;
    if (bytes.len < len)
        return ERR_AGAIN;
    size_t hashed = len - SHA256_BYTES;
    err = sha256_of(&hash, slice_of(bytes.data, hashed));
    if (err != 0)
        return err;
    if (memcmp(hash.bytes, bytes.data + hashed, SHA256_BYTES) != 0) {
        *why = "the checksum of the file's header differs";
        return ERR_CORRUPT;
    }
    if (bytes_get32(bytes.data + OFFSET_VERSION) != LOG_FILE_VERSION) {
        *why = "the file is of another version of the format";
        return ERR_FORMAT;
    }
    *out = (struct log_file_header){
        .first_seq = bytes_get64(bytes.data + OFFSET_FIRST_SEQ),
        .epoch = bytes_get64(bytes.data + OFFSET_EPOCH),
        .tick_ns = (int64_t)bytes_get64(bytes.data + OFFSET_TICK),
        .checkpoint = slice_of(bytes.data + LOG_FILE_HEADER_FIXED_BYTES,
                               hashed - LOG_FILE_HEADER_FIXED_BYTES),
        .bytes = len,
    };
    memcpy(out->store_id, bytes.data + OFFSET_STORE_ID, STORE_ID_BYTES);
    memcpy(out->last_hash.bytes, bytes.data + OFFSET_LAST_HASH, SHA256_BYTES);
    return 0;
}

int log_file_header_read(struct log_file_header *out, struct buf *keep, struct file *f,
                         const char **why)
{
    uint32_t len = 0;
    size_t got = 0;
    *why = "the file cannot be read";
    buf_reset(keep);
    char *at = buf_reserve(keep, LOG_FILE_HEADER_FIXED_BYTES);
    if (at == NULL)
        return ERR_NOMEM;
    int err = file_read_at(&got, f, 0, at, LOG_FILE_HEADER_FIXED_BYTES);
    if (err != 0)
        return err;
    *why = "the file ends within its header";
    if (got < LOG_FILE_HEADER_FIXED_BYTES)
        return ERR_CORRUPT;
    err = header_length(&len, at, why);
    if (err != 0)
        return err;
    at = buf_reserve(keep, len);
    if (at == NULL)
        return ERR_NOMEM;
    *why = "the file cannot be read";
    err = file_read_at(&got, f, 0, at, len);
    if (err != 0)
        return err;
    keep->len = got;
    err = log_file_header_decode(out, buf_content(keep), why);
    return err == ERR_AGAIN ? ERR_CORRUPT : err;
}

int log_file_state(struct log_state *out, const struct log_file_header *header, const char **why)
{
    struct log_state state;
    *why = "the file's header has a bad checkpoint";
    if (header->first_seq == 0)
        return ERR_CORRUPT;
    int err = log_state_init(&state, &header->last_hash);
    if (err != 0)
        return err;
    state.seq = header->first_seq - 1;
    state.epoch = header->epoch;
    state.tick_ns = header->tick_ns;
    err = log_state_decode(&state, header->checkpoint);
    if (err != 0) {
        log_state_release(&state);
        return err;
    }
    *out = state;
    return 0;
}

int log_file_path(char *out, size_t cap, const char *log_dir, uint64_t first_seq)
{
    int len = snprintf(out, cap, "%s/%016" PRIx64 ".log", log_dir, first_seq);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

/* The number in a name of the log's files; 0 for other names. */
static uint64_t name_seq(const char *name, const char *suffix)
{
    uint64_t seq = 0;
    if (strlen(name) != LOG_FILE_NAME_BYTES || strcmp(name + LOG_FILE_DIGITS, suffix) != 0)
        return 0;
    for (size_t i = 0; i < LOG_FILE_DIGITS; i++) {
        char c = name[i];
        if (c >= '0' && c <= '9')
            seq = seq << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            seq = seq << 4 | (uint64_t)(c - 'a' + 10);
        else
            return 0;
    }
    return seq;
}

int log_file_list_named(struct log_file_list *out, struct arena *arena, const char *log_dir,
                        const char *suffix)
{
    struct dir_names names = {0};
    struct log_file_list list = {0};
    int err = dir_list(&names, arena, log_dir);
    if (err != 0)
        return err;
    list.first_seqs = arena_array(arena, names.count + 1, sizeof(*list.first_seqs));
    if (list.first_seqs == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < names.count; i++) {
        uint64_t seq = name_seq(names.names[i], suffix);
        if (seq != 0)
            list.first_seqs[list.count++] = seq;
    }
    if (list.count > LOG_FILES_MAX)
        return ERR_RANGE;
    *out = list;
    return 0;
}

int log_file_list(struct log_file_list *out, struct arena *arena, const char *log_dir)
{
    return log_file_list_named(out, arena, log_dir, ".log");
}

/* ERR_AGAIN for a full disk that left no file behind, else `err`. */
static int create_error(int err, const char *path)
{
    struct file_info info;
    bool full = err == ERR_IO && file_no_space();
    return full && file_stat(&info, path) == ERR_NOTFOUND ? ERR_AGAIN : err;
}

int log_file_create(struct file **out, const char *log_dir, const uint8_t *store_id,
                    const struct log_state *state)
{
    struct buf header = {0};
    struct file_info info;
    char path[FILE_PATH_BYTES_MAX];
    int err = log_file_path(path, sizeof(path), log_dir, state->seq + 1);
    if (err == 0 && file_stat(&info, path) != ERR_NOTFOUND)
        err = ERR_BUSY;
    if (err == 0)
        err = log_file_header_encode(&header, store_id, state);
    if (err != 0)
        goto out;
    failpoint("roll.before_create");
    err = file_write_atomic(path, buf_content(&header));
    if (err != 0) {
        err = create_error(err, path);
        goto out;
    }
    failpoint("roll.after_create");
    err = file_open(out, path, FILE_APPEND);
    failpoint("roll.after_open");
out:
    buf_release(&header);
    return err;
}
