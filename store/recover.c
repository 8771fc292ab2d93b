#include "store/recover.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fault.h"
#include "store/log_hold.h"
#include "store/log_reader.h"
#include "store/remains.h"

enum {
    /* Work to tell a torn tail from damage; past it we refuse rather than cut. */
    RECOVER_HASHED_BYTES_MAX = 1 << 30,
};

#define RECOVER_REMEDY                                                       \
    "nothing was changed; restore this file from a copy, or move the store " \
    "away and collect again from Kafka"

struct recovery {
    char log_dir[FILE_PATH_BYTES_MAX];
    const char *dir;
    bool read_only;
    struct diag *diag;
    struct recovered result;
    struct log_file_header before; /* of the file before; only values, no slices, are used */
    struct sha256 tail_hash;       /* the last 32 bytes of the file before */
    struct remains_head remains;   /* the last before the first file */
};

static int refuse(struct recovery *r, uint64_t first_seq, const char *why, int err)
{
    diag_add(r->diag, r->log_dir, 0, 0, "%016" PRIx64 ".log: %s; %s", first_seq, why,
             err == ERR_FORMAT ? "nothing was changed; use the newer program" : RECOVER_REMEDY);
    return err;
}

/* Whether the header continues the files before it; the first one begins the chain. */
static const char *header_misplaced(const struct recovery *r, const struct log_file_header *header,
                                    uint64_t first_seq)
{
    struct sha256 start = r->tail_hash;
    if (header->first_seq != first_seq)
        return "the file has the name of another";
    if (r->result.report.files == 0 && r->result.report.remains != 0)
        return remains_misjoined(&r->remains, header);
    if (r->result.report.files == 0) {
        if (first_seq != 1)
            return "the files before this one are missing";
        if (log_file_chain_start(&start, header->store_id) != 0)
            return "the start of the chain cannot be computed";
    } else if (memcmp(header->store_id, r->before.store_id, STORE_ID_BYTES) != 0) {
        return "the file belongs to another store";
    }
    if (!sha256_equal(&start, &header->last_hash))
        return "the last frame before this file is damaged or missing";
    if (r->result.report.files != 0 && header->epoch < r->before.epoch)
        return "the file is older than the one before";
    return NULL;
}

/* Check one file's header and keep the hash of its last frame. */
static int check_file(struct recovery *r, struct file *f, uint64_t first_seq)
{
    struct log_file_header header;
    struct buf bytes = {0};
    const char *why = "";
    size_t got = 0;
    int err = log_file_header_read(&header, &bytes, f, &why);
    buf_release(&bytes);
    if (err != 0)
        return refuse(r, first_seq, why, err);
    why = header_misplaced(r, &header, first_seq);
    if (why != NULL)
        return refuse(r, first_seq, why, ERR_CORRUPT);
    uint64_t size = file_end(f);
    /* A file without a frame hands on the hash it began with. */
    r->tail_hash = header.last_hash;
    if (size >= (uint64_t)header.bytes + FRAME_BYTES_MIN) {
        err = file_read_at(&got, f, size - SHA256_BYTES, r->tail_hash.bytes, SHA256_BYTES);
        if (err != 0)
            return err;
    }
    r->before = header;
    memcpy(r->result.store_id, header.store_id, STORE_ID_BYTES);
    if (r->result.report.files != 0)
        r->result.older_bytes += r->result.newest_bytes;
    r->result.newest_bytes = size;
    r->result.newest_seq = first_seq;
    r->result.report.files++;
    return 0;
}

static int refuse_remains(const struct recovery *r, uint64_t first_seq, const char *why, int err)
{
    diag_add(r->diag, r->log_dir, 0, 0, "%016" PRIx64 ".rem: %s; %s", first_seq, why,
             err == ERR_FORMAT ? "nothing was changed; use the newer program" : RECOVER_REMEDY);
    return err;
}

/* Why the remains do not follow the ones before, or begin the log. */
static const char *remains_misplaced(const struct recovery *r, const struct remains_head *head,
                                     uint64_t first_seq)
{
    struct sha256 start = r->remains.last_hash;
    bool first = r->result.report.remains == 0;
    if (head->first_seq != first_seq)
        return "the file has the name of another";
    if (first && log_file_chain_start(&start, head->store_id) != 0)
        return "the start of the chain cannot be computed";
    if (!first && memcmp(head->store_id, r->remains.store_id, STORE_ID_BYTES) != 0)
        return "the file belongs to another store";
    if (first_seq != (first ? 1 : r->remains.last_seq + 1))
        return "the files before this one are missing";
    if (!sha256_equal(&start, &head->prev_hash))
        return "the chain of hashes is broken before this file";
    if (!first &&
        (head->prev_epoch != r->remains.epoch || head->prev_tick_ns != r->remains.tick_ns))
        return "epoch or tick of the file are not those of the file before";
    return NULL;
}

/* The header of one file of remains; its inside is for a full verification. */
static int check_remains(struct recovery *r, uint64_t first_seq)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    struct remains_head head;
    const char *why = "the file cannot be opened";
    int err = remains_path(path, sizeof(path), r->log_dir, first_seq);
    if (err == 0)
        err = file_open(&f, path, FILE_READ);
    if (err == 0)
        err = remains_head_read(&head, f, &why);
    file_close(f);
    if (err != 0)
        return refuse_remains(r, first_seq, why, err);
    why = remains_misplaced(r, &head, first_seq);
    if (why != NULL)
        return refuse_remains(r, first_seq, why, ERR_CORRUPT);
    r->remains = head;
    r->result.older_bytes += head.body_bytes + REMAINS_BYTES_MIN;
    r->result.report.remains++;
    return 0;
}

/* The remains before the first log file; those beside their file do not count yet. */
static int check_all_remains(struct recovery *r, struct arena *arena,
                             const struct log_file_list *logs)
{
    struct log_file_list list = {0};
    int err = remains_list(&list, arena, r->log_dir);
    for (size_t i = 0; err == 0 && i < list.count; i++) {
        if (logs->count == 0)
            return refuse_remains(r, list.first_seqs[i], "the log files behind it are missing",
                                  ERR_CORRUPT);
        if (list.first_seqs[i] < logs->first_seqs[0])
            err = check_remains(r, list.first_seqs[i]);
    }
    return err;
}

static int check_files(struct recovery *r)
{
    struct arena arena = {0};
    struct log_file_list list = {0};
    int err = log_file_list(&list, &arena, r->log_dir);
    if (err == 0)
        err = check_all_remains(r, &arena, &list);
    if (err == 0 && list.count == 0)
        err = ERR_NOTFOUND;
    for (size_t i = 0; i < list.count && err == 0; i++) {
        char path[FILE_PATH_BYTES_MAX];
        struct file *f = NULL;
        err = log_file_path(path, sizeof(path), r->log_dir, list.first_seqs[i]);
        if (err == 0)
            err = file_open(&f, path, FILE_READ);
        if (err == 0)
            err = check_file(r, f, list.first_seqs[i]);
        file_close(f);
    }
    arena_release(&arena);
    return err;
}

/*
 * Whether a whole frame with a later number stands behind the damage at the beginning of `bytes`: a
 * torn write is the last thing in a log, so then it is none. Numbers and ticks are compared, as a
 * stored line might carry the bytes of a frame. Also true when looking would cost too much.
 */
static bool frame_follows(const struct log_state *state, struct slice bytes)
{
    uint64_t hashed = 0;
    struct slice rest = slice_from_offset(bytes, 1);
    for (;;) {
        const char *at = rest.len < FRAME_BYTES_MIN
                             ? NULL
                             : memmem(rest.data, rest.len, FRAME_MAGIC, FRAME_MAGIC_BYTES);
        struct frame_view view;
        const char *why = "";
        uint64_t len = 0;
        if (at == NULL)
            return false;
        rest = slice_from_offset(rest, (size_t)(at - rest.data));
        if (rest.len >= FRAME_HEADER_BYTES && frame_length(&len, rest, &why) == 0 &&
            len <= rest.len) {
            hashed += len;
            int err = frame_decode(&view, rest, true, &why);
            bool later = err == ERR_FORMAT ||
                         (err == 0 && view.link.seq > state->seq &&
                          view.link.seq - state->seq <= bytes.len / FRAME_BYTES_MIN + 1 &&
                          view.link.epoch >= state->epoch && view.tick_ns >= state->tick_ns);
            if (later || hashed > RECOVER_HASHED_BYTES_MAX)
                return true;
        }
        rest = slice_from_offset(rest, 1);
    }
}

/* Decide what the `bytes` bytes behind the last whole frame are: 0 = a torn write. */
static int judge_tail(struct recovery *r, struct file *f, const struct log_position *at,
                      uint64_t bytes)
{
    struct buf tail = {0};
    size_t got = 0;
    char *to = buf_reserve(&tail, (size_t)bytes);
    int err = to == NULL ? ERR_NOMEM : file_read_at(&got, f, at->offset, to, (size_t)bytes);
    if (err == 0 && frame_follows(&r->result.state, slice_of(to, got))) {
        diag_add(r->diag, file_path(f), 0, 0,
                 "offset %" PRIu64 ", frame %" PRIu64
                 ": %s, and whole frames follow it; " RECOVER_REMEDY,
                 at->offset, at->next_seq, r->result.report.cut_why);
        err = ERR_CORRUPT;
    }
    buf_release(&tail);
    return err;
}

/* Cut the newest file behind its last whole frame. */
static int cut_tail(struct recovery *r, const char *path, const struct log_position *at,
                    uint64_t bytes)
{
    struct file *f = NULL;
    int err = file_open(&f, path, r->read_only ? FILE_READ : FILE_APPEND);
    if (err == 0)
        err = judge_tail(r, f, at, bytes);
    if (err == 0 && !r->read_only) {
        failpoint("recover.before_cut");
        err = file_truncate(f, at->offset);
        failpoint("recover.after_cut");
        if (err == 0)
            err = file_sync(f);
        failpoint("recover.after_sync");
    }
    file_close(f);
    if (err == 0) {
        r->result.report.cut_offset = at->offset;
        r->result.report.cut_bytes = bytes;
        r->result.newest_bytes = at->offset;
    }
    return err;
}

/* Apply the next frame. ERR_AGAIN at the end of the log. */
static int read_frame(struct recovery *r, struct log_reader *reader)
{
    struct frame_view frame;
    const char *why = "";
    struct log_position at = log_reader_position(reader);
    int err = ledger_read(&frame, reader, r->diag);
    if (err == ERR_CORRUPT)
        diag_add(r->diag, log_reader_path(reader), 0, 0, RECOVER_REMEDY);
    if (err != 0)
        return err;
    err = log_state_apply(&r->result.state, &frame, &why);
    if (err == ERR_CORRUPT) {
        diag_add(r->diag, log_reader_path(reader), 0, 0,
                 "offset %" PRIu64 ", frame %" PRIu64 ": %s; " RECOVER_REMEDY, at.offset,
                 at.next_seq, why);
    }
    if (err == 0)
        r->result.report.frames_read++;
    return err;
}

/* Read every frame of the newest file; leaves the reader at the end of the log. */
static int read_newest(struct recovery *r, struct log_reader *reader)
{
    const char *why = "";
    int err = log_file_state(&r->result.state, log_reader_header(reader), &why);
    if (err != 0)
        return refuse(r, log_reader_header(reader)->first_seq, why, err);
    while (err == 0)
        err = read_frame(r, reader);
    return err == ERR_AGAIN ? 0 : err;
}

static int recover_newest(struct recovery *r)
{
    struct log_reader *reader = NULL;
    const struct log_reader_options opts = {
        .dir = r->dir,
        .verify_hashes = true,
        .from_newest = true,
    };
    int err = log_reader_open(&reader, &opts, r->diag);
    if (err != 0)
        return err;
    err = read_newest(r, reader);
    if (err == 0) {
        struct log_position at = log_reader_position(reader);
        struct log_tail tail = log_reader_tail(reader);
        r->result.newest_seq = at.file_seq;
        r->result.newest_bytes = at.offset;
        r->result.report.cut_why = tail.why;
        if (tail.bytes != 0)
            err = cut_tail(r, log_reader_path(reader), &at, tail.bytes);
    }
    log_reader_close(reader);
    return err;
}

int recover_log(struct recovered *out, const char *dir, bool read_only, struct diag *diag)
{
    struct recovery r = {.dir = dir, .read_only = read_only, .diag = diag};
    struct log_hold hold = {0};
    int len = snprintf(r.log_dir, sizeof(r.log_dir), "%s/log", dir);
    if (len < 0 || (size_t)len >= sizeof(r.log_dir))
        return ERR_RANGE;
    /* A writer is the only one who removes files. */
    int err = read_only ? log_hold_take(&hold, r.log_dir) : 0;
    if (err == 0)
        err = check_files(&r);
    log_hold_drop(&hold);
    if (err == 0)
        err = recover_newest(&r);
    if (err != 0) {
        log_state_release(&r.result.state);
        return err;
    }
    *out = r.result;
    return 0;
}
