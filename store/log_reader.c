#include "store/log_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/log_hold.h"
#include "store/remains.h"

struct log_reader {
    char dir[FILE_PATH_BYTES_MAX]; /* DIR/log */
    bool verify_hashes;
    bool reads_remains;
    struct log_hold
        hold;            /* while the position is not in the newest file, unless remains are read */
    uint64_t newest_seq; /* newest file when we last looked; may be older than the truth */
    struct file *file;   /* that the position is in; or */
    struct remains *remains;
    struct buf header_bytes;
    struct log_file_header header;
    struct slice map;
    struct buf last;     /* copy of a file's last frame */
    uint64_t size_bytes; /* of the file as we saw it; all of it is durable */
    struct log_position at;
    struct log_tail tail;
};

/* Say why, with the place of the next frame. Passes err through. */
static int complain(const struct log_reader *r, struct diag *diag, int err, const char *why)
{
    if (diag != NULL && err != 0)
        diag_add(diag, log_reader_path(r), 0, 0, "offset %" PRIu64 ", frame %" PRIu64 ": %s",
                 r->at.offset, r->at.next_seq, why);
    return err;
}

static int list_newest(struct log_reader *r)
{
    struct arena arena = {0};
    struct log_file_list list = {0};
    int err = log_file_list(&list, &arena, r->dir);
    if (err == 0 && list.count != 0)
        r->newest_seq = list.first_seqs[list.count - 1];
    arena_release(&arena);
    return err;
}

/* Why the header is not that of the wanted file, or NULL. `prev` is NULL when any chain is fine. */
static const char *header_misplaced(const struct log_reader *r,
                                    const struct log_file_header *header, uint64_t first_seq,
                                    const struct sha256 *prev)
{
    if (header->first_seq != first_seq)
        return "the file has the name of another";
    if ((r->file != NULL || r->remains != NULL) &&
        memcmp(header->store_id, r->header.store_id, STORE_ID_BYTES) != 0)
        return "the file belongs to another store";
    if (prev != NULL && !sha256_equal(&header->last_hash, prev))
        return "the chain of hashes is broken between two files";
    return NULL;
}

static void leave_file(struct log_reader *r)
{
    file_close(r->file);
    r->file = NULL;
    remains_close(r->remains);
    r->remains = NULL;
    file_unmap(r->map);
    r->map = slice_of(NULL, 0);
    buf_release(&r->header_bytes);
    r->size_bytes = 0;
    r->tail = (struct log_tail){0};
}

/*
 * Take the file as the one to read from its first frame; the old one is let go on success only.
 * `prev` is the hash that the file must follow, or NULL.
 */
static int enter_file(struct log_reader *r, uint64_t first_seq, const struct sha256 *prev,
                      const char **why)
{
    struct file *file = NULL;
    struct buf bytes = {0};
    struct log_file_header header;
    char path[FILE_PATH_BYTES_MAX];
    *why = "the path is too long";
    int err = log_file_path(path, sizeof(path), r->dir, first_seq);
    if (err != 0)
        return err;
    *why = "the file is missing or cannot be opened";
    err = file_open(&file, path, FILE_READ);
    if (err != 0)
        return err;
    err = log_file_header_read(&header, &bytes, file, why);
    if (err == 0) {
        const char *misplaced = header_misplaced(r, &header, first_seq, prev);
        *why = misplaced != NULL ? misplaced : *why;
        err = misplaced != NULL ? ERR_CORRUPT : 0;
    }
    if (err != 0) {
        file_close(file);
        buf_release(&bytes);
        return err;
    }
    leave_file(r);
    r->file = file;
    r->header_bytes = bytes;
    r->header = header;
    r->at = (struct log_position){
        .file_seq = first_seq,
        .offset = header.bytes,
        .next_seq = first_seq,
        .prev_hash = header.last_hash,
    };
    if (r->newest_seq < first_seq)
        r->newest_seq = first_seq;
    return 0;
}

/* The same with what is left of a retired file. */
static int enter_remains(struct log_reader *r, uint64_t first_seq, const struct sha256 *prev,
                         const char **why)
{
    struct remains *remains = NULL;
    int err = remains_open(&remains, r->dir, first_seq, r->verify_hashes, why);
    if (err != 0)
        return err;
    const struct remains_head *head = remains_head(remains);
    struct log_file_header header = {
        .first_seq = first_seq,
        .epoch = head->prev_epoch,
        .tick_ns = head->prev_tick_ns,
        .last_hash = head->prev_hash,
    };
    memcpy(header.store_id, head->store_id, STORE_ID_BYTES);
    const char *misplaced = header_misplaced(r, &header, first_seq, prev);
    if (misplaced != NULL) {
        *why = misplaced;
        remains_close(remains);
        return ERR_CORRUPT;
    }
    leave_file(r);
    r->remains = remains;
    r->header = header;
    r->at = (struct log_position){
        .file_seq = first_seq,
        .next_seq = first_seq,
        .prev_hash = header.last_hash,
    };
    return 0;
}

/* The log file, or its remains where it is retired and they are read. */
static int enter(struct log_reader *r, uint64_t first_seq, const struct sha256 *prev,
                 const char **why)
{
    int err = enter_file(r, first_seq, prev, why);
    return err == ERR_NOTFOUND && r->reads_remains ? enter_remains(r, first_seq, prev, why) : err;
}

/* Before it is looked which files there are. Who reads remains can go on in them at any time. */
static int hold_files(struct log_reader *r)
{
    return r->reads_remains ? 0 : log_hold_take(&r->hold, r->dir);
}

/* Closed files are held, the newest need not be. */
static int settle_hold(struct log_reader *r)
{
    if (r->at.file_seq != r->newest_seq)
        return hold_files(r);
    log_hold_drop(&r->hold);
    return 0;
}

/*
 * The name of the file to begin at: the last one that does not begin behind `seq`, else the oldest;
 * 0 when there is no log.
 */
static int choose_file(uint64_t *out, struct log_reader *r, uint64_t seq)
{
    struct arena arena = {0};
    struct log_file_list lists[2] = {0};
    uint64_t oldest = UINT64_MAX;
    uint64_t chosen = 0;
    int err = log_file_list(&lists[0], &arena, r->dir);
    if (err == 0 && r->reads_remains)
        err = remains_list(&lists[1], &arena, r->dir);
    for (size_t which = 0; which < 2 && err == 0; which++) {
        for (size_t i = 0; i < lists[which].count; i++) {
            uint64_t first = lists[which].first_seqs[i];
            oldest = first < oldest ? first : oldest;
            chosen = first <= seq && first > chosen ? first : chosen;
        }
    }
    if (err == 0 && lists[0].count != 0)
        r->newest_seq = lists[0].first_seqs[lists[0].count - 1];
    if (err == 0)
        *out = chosen != 0 ? chosen : oldest != UINT64_MAX ? oldest : 0;
    arena_release(&arena);
    return err;
}

/* Open the first file; its name is in the message, as no file is open yet. */
static int open_first(struct log_reader *r, bool from_newest, struct diag *diag)
{
    const char *why = "there is no log";
    uint64_t first = 0;
    int err = hold_files(r);
    if (err == 0)
        err = choose_file(&first, r, from_newest ? UINT64_MAX : 0);
    if (err == 0 && first == 0)
        err = ERR_NOTFOUND;
    if (err == 0)
        err = enter(r, first, NULL, &why);
    if (err == 0)
        err = settle_hold(r);
    if (err != 0 && diag != NULL)
        diag_add(diag, r->dir, 0, 0, "%016" PRIx64 ".log: %s (%s)", first, why, err_name(err));
    return err;
}

int log_reader_open(struct log_reader **out, const struct log_reader_options *opts,
                    struct diag *diag)
{
    struct log_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    int len = snprintf(r->dir, sizeof(r->dir), "%s/log", opts->dir);
    r->verify_hashes = opts->verify_hashes;
    r->reads_remains = opts->remains;
    int err = len < 0 || (size_t)len >= sizeof(r->dir) ? ERR_RANGE : 0;
    if (err == 0)
        err = open_first(r, opts->from_newest, diag);
    if (err != 0) {
        log_reader_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void log_reader_close(struct log_reader *r)
{
    if (r == NULL)
        return;
    leave_file(r);
    log_hold_drop(&r->hold);
    buf_release(&r->last);
    free(r);
}

/* Whether `len` bytes from the position on are there and durable; looks again when they are not. */
static int ensure(struct log_reader *r, uint64_t len, const char **why)
{
    uint64_t size = 0;
    if (len <= r->size_bytes && r->at.offset <= r->size_bytes - len)
        return 0;
    *why = "the file cannot be read";
    int err = file_size(&size, r->file);
    if (err != 0)
        return err;
    if (size < r->at.offset) {
        *why = "the file was cut below this place";
        return ERR_CORRUPT;
    }
    if (size > r->size_bytes && r->at.file_seq == r->newest_seq) {
        err = file_sync(r->file);
        if (err != 0)
            return err;
    }
    r->size_bytes = size;
    *why = "the frame ends early";
    if (len <= size && r->at.offset <= size - len)
        return 0;
    r->tail = (struct log_tail){.bytes = size - r->at.offset, .ends_early = true, .why = *why};
    return ERR_AGAIN;
}

/* What stands at the end of the newest file is not a whole frame: not yet, torn, or damaged. */
static int not_yet(struct log_reader *r, const char *why)
{
    r->tail = (struct log_tail){.bytes = r->size_bytes - r->at.offset, .why = why};
    return ERR_AGAIN;
}

static int read_exact(struct log_reader *r, void *to, size_t len, const char **why)
{
    size_t got = 0;
    *why = "the file cannot be read";
    int err = file_read_at(&got, r->file, r->at.offset, to, len);
    if (err == 0 && got != len) {
        *why = "the file shrinks";
        err = ERR_AGAIN;
    }
    return err;
}

/* Bytes of a frame that others follow: from the map, made again when the file has grown past it. */
static int mapped_frame(struct slice *out, struct log_reader *r, uint64_t len, const char **why)
{
    uint64_t end = r->at.offset + len;
    if (end > r->map.len) {
        struct slice map;
        *why = "the file cannot be mapped";
        int err = file_map(&map, r->file);
        if (err != 0)
            return err;
        file_unmap(r->map);
        r->map = map;
        *why = "the file shrinks";
        if (end > map.len)
            return ERR_CORRUPT;
    }
    *out = slice_of(r->map.data + r->at.offset, (size_t)len);
    return 0;
}

/* Bytes of a file's last frame: a copy, as the writer may still take the frame back. */
static int copied_frame(struct slice *out, struct log_reader *r, uint64_t len, const char **why)
{
    buf_reset(&r->last);
    char *to = buf_reserve(&r->last, (size_t)len);
    if (to == NULL) {
        *why = "out of memory";
        return ERR_NOMEM;
    }
    int err = read_exact(r, to, (size_t)len, why);
    if (err != 0)
        return err;
    *out = slice_of(to, (size_t)len);
    return 0;
}

static const char *frame_misplaced(const struct log_reader *r, const struct frame_view *view)
{
    if (view->link.seq != r->at.next_seq)
        return "the frame's number does not follow";
    if (!sha256_equal(&view->link.prev_hash, &r->at.prev_hash))
        return "the chain of hashes is broken";
    return NULL;
}

/*
 * Whether the header of the next frame stands behind the one at the position. Then this one was
 * durable before that was begun, and what is wrong with it is damage.
 */
static int frame_follows(bool *out, struct log_reader *r, uint64_t len, const char **why)
{
    char header[FRAME_HEADER_BYTES];
    struct slice next = slice_of(header, sizeof(header));
    const char *no_frame = NULL;
    uint64_t next_len = 0;
    size_t got = 0;
    int err = file_read_at(&got, r->file, r->at.offset + len, header, sizeof(header));
    if (err != 0) {
        *why = "the file cannot be read";
        return err;
    }
    *out = got == sizeof(header) && frame_length(&next_len, next, &no_frame) == 0 &&
           frame_header_seq(next) == r->at.next_seq + 1;
    return 0;
}

/* The frame at the position in the open file. ERR_AGAIN: none (yet) here. */
static int read_here(struct frame_view *out, struct log_reader *r, const char **why)
{
    char header[FRAME_HEADER_BYTES];
    uint64_t len = 0;
    struct slice bytes;
    r->tail = (struct log_tail){0};
    int err = ensure(r, FRAME_BYTES_MIN, why);
    if (err == 0)
        err = read_exact(r, header, sizeof(header), why);
    if (err != 0)
        return err;
    if (frame_length(&len, slice_of(header, sizeof(header)), why) != 0)
        return not_yet(r, *why);
    err = ensure(r, len, why);
    if (err != 0)
        return err;
    bool settled = false;
    err = frame_follows(&settled, r, len, why);
    if (err == 0)
        err = settled ? mapped_frame(&bytes, r, len, why) : copied_frame(&bytes, r, len, why);
    if (err != 0)
        return err;
    err = frame_decode(out, bytes, !settled || r->verify_hashes, why);
    if (err == 0) {
        const char *misplaced = frame_misplaced(r, out);
        *why = misplaced != NULL ? misplaced : *why;
        err = misplaced != NULL ? ERR_CORRUPT : 0;
    }
    return err == ERR_CORRUPT && !settled ? not_yet(r, *why) : err;
}

/* Whether the file that begins with the next frame is no more, though its remains are. */
static bool was_retired(const struct log_reader *r)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    return remains_path(path, sizeof(path), r->dir, r->at.next_seq) == 0 &&
           file_stat(&info, path) == 0;
}

/* Into the file that begins with the next frame. ERR_AGAIN when there is none and `newest`. */
static int enter_next(struct log_reader *r, bool newest, struct diag *diag)
{
    const char *why = "";
    struct sha256 prev = r->at.prev_hash;
    bool first = r->at.next_seq == r->at.file_seq;
    /* A file that is empty is followed by none of another name. */
    int err = first ? ERR_NOTFOUND : enter(r, r->at.next_seq, &prev, &why);
    if (err == ERR_NOTFOUND && !first && was_retired(r)) {
        why = "retired while nobody read here: its rows are in segments; begin again";
        if (diag != NULL)
            diag_add(diag, r->dir, 0, 0, "%016" PRIx64 ".log: %s", r->at.next_seq, why);
        return ERR_NOTFOUND;
    }
    if (err == ERR_NOTFOUND && newest)
        return ERR_AGAIN;
    if (err != 0 && diag != NULL)
        diag_add(diag, r->dir, 0, 0, "%016" PRIx64 ".log: %s", r->at.next_seq, why);
    if (err != 0)
        return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    err = list_newest(r);
    return err == 0 ? settle_hold(r) : err;
}

/*
 * Go on in the file that begins with the next frame. ERR_AGAIN when there is none yet. `diag` hears
 * of other failures.
 */
static int next_file(struct log_reader *r, struct diag *diag)
{
    const char *why = r->tail.why;
    bool newest = r->at.file_seq == r->newest_seq;
    if (r->tail.bytes != 0 && newest) {
        int err = list_newest(r);
        if (err != 0)
            return complain(r, diag, err, "the folder cannot be listed");
        newest = r->at.file_seq == r->newest_seq;
    }
    if (r->tail.bytes != 0 && !newest)
        return complain(r, diag, ERR_CORRUPT, why);
    if (r->tail.bytes != 0)
        return ERR_AGAIN;
    if (r->at.next_seq == r->at.file_seq && !newest)
        return complain(r, diag, ERR_CORRUPT, "the file is empty, though others follow");
    return enter_next(r, newest, diag);
}

/* The next kept frame. ERR_AGAIN behind the last: then the next file is the one to read. */
static int read_remains(struct frame_view *out, struct log_reader *r, const char **why)
{
    const struct remains_head *head = remains_head(r->remains);
    int err = remains_next(out, r->remains, why);
    r->at.offset = remains_offset(r->remains);
    if (err == 0) {
        r->at.next_seq = out->link.seq + 1;
        r->at.prev_hash = out->hash;
    } else if (err == ERR_AGAIN) {
        r->at.next_seq = head->last_seq + 1;
        r->at.prev_hash = head->last_hash;
    }
    return err;
}

/* Where the position is. ERR_AGAIN: none (yet) in this file. */
static int read_frame(struct frame_view *out, struct log_reader *r, const char **why)
{
    if (r->remains != NULL)
        return read_remains(out, r, why);
    int err = read_here(out, r, why);
    if (err != 0)
        return err;
    r->at.offset += out->bytes.len;
    r->at.next_seq++;
    r->at.prev_hash = out->hash;
    return 0;
}

int ledger_read(struct frame_view *out, struct log_reader *r, struct diag *diag)
{
    const char *why = "";
    struct frame_view view;
    int err = read_frame(&view, r, &why);
    while (err == ERR_AGAIN) {
        err = r->remains != NULL ? enter_next(r, false, diag) : next_file(r, diag);
        if (err != 0)
            return err;
        err = read_frame(&view, r, &why);
    }
    if (err != 0)
        return complain(r, diag, err, why);
    *out = view;
    return 0;
}

struct log_position log_reader_position(const struct log_reader *r)
{
    return r->at;
}

/* The place of frame `seq` in the remains that were entered; the frames before it count as read. */
static int place_in_remains(struct log_reader *r, uint64_t seq, const char **why)
{
    const struct remains_head *head = remains_head(r->remains);
    if (seq > head->last_seq + 1)
        seq = head->last_seq + 1;
    if (seq <= head->first_seq)
        return 0;
    int err = remains_seek(r->remains, seq, why);
    if (err != 0)
        return err;
    r->at.offset = remains_offset(r->remains);
    r->at.next_seq = seq;
    r->at.prev_hash = remains_hash(r->remains, seq - 1);
    return 0;
}

static int seek_in_remains(struct log_reader *r, const struct log_position *at, const char **why)
{
    const struct remains_head *head = remains_head(r->remains);
    *why = "the bookmark points outside the remains";
    if (at->next_seq < head->first_seq || at->next_seq > head->last_seq + 1)
        return ERR_CORRUPT;
    struct sha256 prev = at->next_seq == head->first_seq
                             ? head->prev_hash
                             : remains_hash(r->remains, at->next_seq - 1);
    if (!sha256_equal(&prev, &at->prev_hash)) {
        *why = "the bookmark is of another history than the remains";
        return ERR_CORRUPT;
    }
    return place_in_remains(r, at->next_seq, why);
}

static int seek_in_file(struct log_reader *r, const struct log_position *at, const char **why)
{
    uint64_t size = 0;
    int err = file_size(&size, r->file);
    if (err == 0 &&
        (at->offset < r->header.bytes || at->offset > size || at->next_seq < at->file_seq)) {
        *why = "the bookmark points outside the file";
        err = ERR_CORRUPT;
    }
    if (err == 0)
        r->at = *at;
    return err;
}

/* The file is gone; if the bookmark was its end, the beginning of the next is the same place. */
static int seek_behind(struct log_reader *r, const struct log_position *at, const char **why)
{
    struct sha256 prev = at->prev_hash;
    const char *other = "";
    int err =
        at->next_seq == at->file_seq ? ERR_NOTFOUND : enter_file(r, at->next_seq, &prev, &other);
    *why = err == ERR_NOTFOUND ? *why : other;
    return err;
}

int log_reader_seek(struct log_reader *r, const struct log_position *at, struct diag *diag)
{
    const char *why = "";
    int err = hold_files(r);
    if (err == 0)
        err = enter(r, at->file_seq, NULL, &why);
    if (err == ERR_NOTFOUND)
        err = seek_behind(r, at, &why);
    else if (err == 0)
        err = r->remains != NULL ? seek_in_remains(r, at, &why) : seek_in_file(r, at, &why);
    int held = settle_hold(r);
    return complain(r, diag, err != 0 ? err : held, why);
}

int log_reader_find(struct log_reader *r, uint64_t seq, struct diag *diag)
{
    const char *why = "there is no log";
    struct frame_view frame;
    uint64_t first = 0;
    int err = hold_files(r);
    if (err == 0)
        err = choose_file(&first, r, seq);
    if (err == 0 && first == 0)
        err = ERR_NOTFOUND;
    if (err == 0)
        err = enter(r, first, NULL, &why);
    if (err == 0 && r->remains != NULL)
        err = place_in_remains(r, seq, &why);
    int held = settle_hold(r);
    if (err != 0 || held != 0)
        return complain(r, diag, err != 0 ? err : held, why);
    while (err == 0 && r->remains == NULL && r->at.next_seq < seq)
        err = ledger_read(&frame, r, diag);
    return err;
}

struct log_tail log_reader_tail(const struct log_reader *r)
{
    return r->tail;
}

const struct log_file_header *log_reader_header(const struct log_reader *r)
{
    return &r->header;
}

const char *log_reader_path(const struct log_reader *r)
{
    return r->remains != NULL ? remains_name(r->remains) : file_path(r->file);
}
