#include "store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "store/log_hold.h"
#include "store/log_reader.h"
#include "store/log_state.h"
#include "store/remains.h"
#include "store/store.h"

enum {
    VERIFY_WAIT_STEP_NS = 20 * 1000 * 1000,
    VERIFY_BLOBS_MAX = 1 << 16, /* different ones of a log */
};

struct verification {
    const struct store_verify_options *opts;
    char log_dir[FILE_PATH_BYTES_MAX];
    struct log_reader *reader;
    struct diag *diag;
    struct log_state state; /* of all frames so far, computed here */
    bool has_state;
    uint64_t file_seq; /* of the file whose header was checked last */
    struct store_verify_report report;
    struct buf blobs; /* hashes that were checked, SHA256_BYTES each */
};

static int differs(const struct verification *v, const struct log_position *at, const char *why,
                   int err)
{
    diag_add(v->diag, log_reader_path(v->reader), 0, 0, "offset %" PRIu64 ", frame %" PRIu64 ": %s",
             at->offset, at->next_seq, why);
    return err;
}

/* The first file of a log begins the chain with the store's id. */
static int check_first_header(struct verification *v, const struct log_file_header *header,
                              const char **why)
{
    struct sha256 start;
    if (header->first_seq != 1) {
        *why = "the files before this one are missing";
        return ERR_CORRUPT;
    }
    int err = log_file_chain_start(&start, header->store_id);
    if (err == 0)
        err = log_state_init(&v->state, &start);
    if (err != 0)
        return err;
    v->has_state = true;
    return 0;
}

/* Write the header that should stand here, and compare it byte by byte. */
static int check_header(struct verification *v)
{
    const struct log_file_header *header = log_reader_header(v->reader);
    struct log_position at = {.file_seq = header->first_seq, .next_seq = header->first_seq};
    struct buf expected = {0};
    struct log_file_header ours;
    const char *why = "";
    int err = v->has_state ? 0 : check_first_header(v, header, &why);
    if (err == 0)
        err = log_file_header_encode(&expected, header->store_id, &v->state);
    if (err == 0)
        err = log_file_header_decode(&ours, buf_content(&expected), &why);
    if (err == 0 &&
        (ours.first_seq != header->first_seq || ours.epoch != header->epoch ||
         ours.tick_ns != header->tick_ns || !sha256_equal(&ours.last_hash, &header->last_hash))) {
        why = "the file's header does not follow the frames before it";
        err = ERR_CORRUPT;
    }
    if (err == 0 && !slice_equal(ours.checkpoint, header->checkpoint)) {
        why = "the file's checkpoint differs from the frames before it";
        err = ERR_CORRUPT;
    }
    buf_release(&expected);
    if (err != 0)
        return differs(v, &at, why, err);
    v->file_seq = header->first_seq;
    v->report.files++;
    v->report.bytes += header->bytes;
    return 0;
}

static bool blob_seen(const struct verification *v, const struct sha256 *hash)
{
    for (size_t at = 0; at < v->blobs.len; at += SHA256_BYTES) {
        if (memcmp(v->blobs.data + at, hash->bytes, SHA256_BYTES) == 0)
            return true;
    }
    return false;
}

/* Hash a blob that a frame named. */
static int check_blob(struct verification *v, const struct frame_env *env, const char **why)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    struct slice map = {0};
    struct sha256 found;
    if (blob_seen(v, &env->sha256))
        return 0;
    int err = store_env_path(path, sizeof(path), v->opts->dir, &env->sha256);
    if (err == 0)
        err = file_open(&f, path, FILE_READ);
    if (err == ERR_NOTFOUND) {
        *why = "a blob of the environment is missing";
        return ERR_CORRUPT;
    }
    if (err == 0)
        err = file_map(&map, f);
    if (err == 0)
        err = sha256_of(&found, map);
    if (err == 0 && (map.len != env->bytes || !sha256_equal(&found, &env->sha256))) {
        *why = "a blob of the environment is damaged";
        err = ERR_CORRUPT;
    }
    file_unmap(map);
    file_close(f);
    if (err != 0)
        return err;
    v->report.blobs++;
    v->report.bytes += map.len;
    if (v->blobs.len < (size_t)VERIFY_BLOBS_MAX * SHA256_BYTES)
        buf_append(&v->blobs, env->sha256.bytes, SHA256_BYTES);
    return 0;
}

static int check_batches(struct verification *v, const struct frame_view *frame, const char **why)
{
    struct frame_items batches = frame->batches;
    struct slice batch;
    for (uint32_t i = 0; frame_next_blob(&batch, &batches); i++) {
        v->report.batches++;
        int err = v->opts->batch == NULL ? 0 : v->opts->batch(v->opts->ctx, frame, i, batch, why);
        if (err != 0)
            return err;
    }
    return 0;
}

static int check_frame(struct verification *v, const struct frame_view *frame, const char **why)
{
    struct frame_items envs = frame->envs;
    struct frame_env env;
    int err = log_state_apply(&v->state, frame, why);
    if (err != 0)
        return err;
    *why = "a blob of the environment cannot be read";
    while (frame_next_env(&env, &envs)) {
        err = check_blob(v, &env, why);
        if (err != 0)
            return err;
    }
    *why = "a batch is damaged";
    err = check_batches(v, frame, why);
    if (err == 0 && v->opts->frame != NULL) {
        *why = "the frame is not the one that was signed";
        err = v->opts->frame(v->opts->ctx, frame->link.seq, &frame->hash);
    }
    if (err != 0)
        return err;
    v->report.frames++;
    v->report.bytes += frame->bytes.len;
    return 0;
}

/* The next frame, checked. ERR_AGAIN at the end of the log. */
static int verify_next(struct verification *v)
{
    struct frame_view frame;
    const char *why = "";
    struct log_position at = log_reader_position(v->reader);
    int err = ledger_read(&frame, v->reader, v->diag);
    if (err != 0 && err != ERR_AGAIN)
        return err;
    if (log_reader_header(v->reader)->first_seq != v->file_seq) {
        int header_err = check_header(v);
        if (header_err != 0)
            return header_err;
        if (err == 0 && at.file_seq != v->file_seq)
            at = (struct log_position){.offset = log_reader_header(v->reader)->bytes,
                                       .next_seq = frame.link.seq};
    }
    if (err != 0)
        return err;
    err = check_frame(v, &frame, &why);
    return err == 0 ? 0 : differs(v, &at, why, err);
}

static int remains_differ(const struct verification *v, uint64_t first_seq, const char *why,
                          int err)
{
    diag_add(v->diag, v->log_dir, 0, 0, "%016" PRIx64 ".rem: %s", first_seq, why);
    return err;
}

/* The first of all begin the chain. */
static int begin_chain(struct verification *v, const struct remains *r)
{
    struct sha256 start;
    int err = log_file_chain_start(&start, remains_head(r)->store_id);
    if (err == 0)
        err = log_state_init(&v->state, &start);
    v->has_state = err == 0;
    return err;
}

/* Every kept frame; what they put in force. */
static int check_kept(struct verification *v, struct remains *r, const char **why)
{
    struct frame_view frame;
    struct frame_env env;
    int err = 0;
    while ((err = remains_next(&frame, r, why)) == 0) {
        struct frame_items envs = frame.envs;
        while (err == 0 && frame_next_env(&env, &envs)) {
            *why = "a blob of the environment cannot be read";
            err = log_state_env_set(&v->state, &env);
            if (err == 0)
                err = check_blob(v, &env, why);
        }
        if (err != 0)
            return err;
    }
    return err == ERR_AGAIN ? 0 : err;
}

static int tell_hashes(struct verification *v, const struct remains *r)
{
    const struct remains_head *head = remains_head(r);
    int err = 0;
    for (uint64_t seq = head->first_seq; seq <= head->last_seq && err == 0; seq++) {
        struct sha256 hash = remains_hash(r, seq);
        err = v->opts->frame(v->opts->ctx, seq, &hash);
    }
    return err;
}

static int check_remains(struct verification *v, uint64_t first_seq)
{
    struct remains *r = NULL;
    const char *why = "";
    int err = remains_open(&r, v->log_dir, first_seq, true, &why);
    if (err == 0 && !v->has_state)
        err = begin_chain(v, r);
    if (err == 0)
        err = remains_apply(&v->state, r, &why);
    if (err == 0)
        err = check_kept(v, r, &why);
    if (err == 0 && v->opts->frame != NULL) {
        why = "the hashes of its frames are not those that were signed";
        err = tell_hashes(v, r);
    }
    if (err == 0) {
        const struct remains_head *head = remains_head(r);
        v->report.remains++;
        v->report.retired_frames += head->last_seq - head->first_seq + 1;
        v->report.bytes += head->body_bytes + REMAINS_BYTES_MIN;
    }
    remains_close(r);
    return err == 0 ? 0 : remains_differ(v, first_seq, why, err);
}

/* What comes before the first log file. */
static int check_all_remains(struct verification *v)
{
    struct arena arena = {0};
    struct log_file_list logs = {0};
    struct log_file_list list = {0};
    int err = log_file_list(&logs, &arena, v->log_dir);
    if (err == 0)
        err = remains_list(&list, &arena, v->log_dir);
    for (size_t i = 0; err == 0 && i < list.count && logs.count != 0; i++) {
        if (list.first_seqs[i] < logs.first_seqs[0])
            err = check_remains(v, list.first_seqs[i]);
    }
    arena_release(&arena);
    return err;
}

/* Frame by frame to the end of the log, which must be clean; waits for a frame being written. */
static int verify_all(struct verification *v)
{
    const struct timespec step = {.tv_nsec = VERIFY_WAIT_STEP_NS};
    int64_t waited_ns = 0;
    for (;;) {
        int err = verify_next(v);
        if (err != 0 && err != ERR_AGAIN)
            return err;
        if (err == 0) {
            waited_ns = 0;
            continue;
        }
        struct log_tail tail = log_reader_tail(v->reader);
        struct log_position at = log_reader_position(v->reader);
        if (tail.bytes == 0)
            return 0;
        if (waited_ns >= v->opts->wait_ns)
            return differs(v, &at, tail.why, ERR_CORRUPT);
        (void)nanosleep(&step, NULL);
        waited_ns += VERIFY_WAIT_STEP_NS;
    }
}

int store_verify(struct store_verify_report *out, const struct store_verify_options *opts,
                 struct diag *diag)
{
    struct verification v = {.opts = opts, .diag = diag};
    const struct log_reader_options reader = {.dir = opts->dir, .verify_hashes = true};
    struct log_hold hold = {0};
    int len = snprintf(v.log_dir, sizeof(v.log_dir), "%s/log", opts->dir);
    int err = len < 0 || (size_t)len >= sizeof(v.log_dir) ? ERR_RANGE : 0;
    /* Remains and files are looked at one after the other: none must turn into the other meanwhile. */
    if (err == 0)
        err = log_hold_take(&hold, v.log_dir);
    if (err == 0)
        err = log_reader_open(&v.reader, &reader, diag);
    if (err == 0)
        err = check_all_remains(&v);
    if (err == 0)
        err = verify_all(&v);
    log_reader_close(v.reader);
    log_hold_drop(&hold);
    log_state_release(&v.state);
    buf_release(&v.blobs);
    *out = v.report;
    return err;
}
