#include "store/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/fault.h"
#include "store/recover.h"

struct ledger {
    char log_dir[FILE_PATH_BYTES_MAX];
    uint64_t file_bytes_max;
    uint64_t bytes_max;
    uint8_t store_id[STORE_ID_BYTES];
    struct log_state state;
    struct ledger_recovery recovery;
    struct file *file;     /* the newest; NULL when read only */
    uint64_t file_seq;     /* of its first frame */
    uint64_t newest_bytes; /* of it */
    uint64_t older_bytes;  /* of the files and remains before it */
    struct buf frame;      /* being encoded */
    bool failed;           /* nothing is appended any more */
};

static int new_store_id(uint8_t *out, const uint8_t *wanted)
{
    if (wanted != NULL) {
        memcpy(out, wanted, STORE_ID_BYTES);
        return 0;
    }
    return getrandom(out, STORE_ID_BYTES, 0) == STORE_ID_BYTES ? 0 : ERR_IO;
}

/* Make the first file of a new log. */
static int make_log(struct ledger *l, const uint8_t *store_id)
{
    struct sha256 start;
    int err = new_store_id(l->store_id, store_id);
    if (err == 0)
        err = log_file_chain_start(&start, l->store_id);
    if (err == 0)
        err = log_state_init(&l->state, &start);
    if (err == 0)
        err = log_file_create(&l->file, l->log_dir, l->store_id, &l->state);
    if (err != 0)
        return err;
    l->file_seq = l->state.seq + 1;
    l->newest_bytes = file_end(l->file);
    l->recovery.files = 1;
    return 0;
}

/* Go on with the log that recovery found. */
static int take_log(struct ledger *l, const struct recovered *found, bool read_only)
{
    char path[FILE_PATH_BYTES_MAX];
    l->state = found->state;
    l->recovery = found->report;
    l->file_seq = found->newest_seq;
    l->newest_bytes = found->newest_bytes;
    l->older_bytes = found->older_bytes;
    memcpy(l->store_id, found->store_id, STORE_ID_BYTES);
    if (read_only)
        return 0;
    int err = log_file_path(path, sizeof(path), l->log_dir, l->file_seq);
    if (err == 0)
        err = file_open(&l->file, path, FILE_APPEND);
    /* What a process wrote that died before its sync may be read back and yet be lost with the power. */
    if (err == 0)
        err = file_sync(l->file);
    if (err == 0)
        err = dir_sync(l->log_dir);
    return err;
}

static int open_log(struct ledger *l, const struct ledger_options *opts, struct diag *diag)
{
    struct recovered found = {0};
    int len = snprintf(l->log_dir, sizeof(l->log_dir), "%s/log", opts->dir);
    if (len < 0 || (size_t)len >= sizeof(l->log_dir))
        return ERR_RANGE;
    l->bytes_max = opts->bytes_max;
    l->file_bytes_max =
        opts->file_bytes_max == 0 ? LEDGER_FILE_BYTES_DEFAULT : opts->file_bytes_max;
    if (l->file_bytes_max < LEDGER_FILE_BYTES_MIN)
        return ERR_RANGE;
    int err = recover_log(&found, opts->dir, opts->read_only, diag);
    if (err == ERR_NOTFOUND && !opts->read_only)
        return make_log(l, opts->store_id);
    return err == 0 ? take_log(l, &found, opts->read_only) : err;
}

int ledger_open(struct ledger **out, const struct ledger_options *opts, struct diag *diag)
{
    struct ledger *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_NOMEM;
    int err = open_log(l, opts, diag);
    if (err != 0) {
        ledger_close(l);
        return err;
    }
    l->failed = opts->read_only;
    *out = l;
    return 0;
}

void ledger_close(struct ledger *l)
{
    if (l == NULL)
        return;
    int kept = errno;
    file_close(l->file);
    log_state_release(&l->state);
    buf_release(&l->frame);
    free(l);
    errno = kept;
}

static int stage_entries(struct ledger *l, const struct frame_parts *parts)
{
    if (parts->tick_ns < l->state.tick_ns)
        return ERR_RANGE;
    for (size_t i = 0; i < parts->entry_count; i++) {
        const struct frame_entry *e = &parts->entries[i];
        if (e->topic.len == 0 || e->topic.len > FRAME_TOPIC_BYTES_MAX)
            return ERR_RANGE;
        int err = log_state_stage(&l->state, e->topic, e->partition, e->off_start, e->off_end);
        if (err != 0)
            return err;
    }
    return 0;
}

/* Whether the frame fits the budget and the disk. */
static int check_room(const struct ledger *l, uint64_t bytes)
{
    uint64_t space = 0;
    if (l->bytes_max != 0 && ledger_bytes(l) + bytes > l->bytes_max)
        return ERR_AGAIN;
    int err = file_space(&space, l->log_dir);
    if (err != 0)
        return err;
    return space < bytes + LEDGER_SPACE_RESERVE_BYTES ? ERR_AGAIN : 0;
}

/* Go on in a new file when the frame would make this one too large. */
static int roll(struct ledger *l, uint64_t bytes)
{
    struct file *next = NULL;
    bool empty = l->state.seq + 1 == l->file_seq;
    if (empty || file_end(l->file) + bytes <= l->file_bytes_max)
        return 0;
    int err = log_file_create(&next, l->log_dir, l->store_id, &l->state);
    if (err != 0)
        return err;
    l->older_bytes += file_end(l->file);
    file_close(l->file);
    l->file = next;
    l->file_seq = l->state.seq + 1;
    l->newest_bytes = file_end(next);
    return 0;
}

/*
 * Write and sync. A full disk is taken back whole. After another failure the frame is in doubt: it
 * is cut off, so that a restart does not believe what only the page cache has.
 */
static int write_frame(struct ledger *l)
{
    uint64_t end = file_end(l->file);
    failpoint("ledger.before_write");
    int err = file_append(l->file, l->frame.data, l->frame.len);
    if (err != 0) {
        bool full = err == ERR_IO && file_no_space();
        int kept = errno;
        int cut = file_truncate(l->file, end);
        errno = kept;
        return full && cut == 0 ? ERR_AGAIN : ERR_IO;
    }
    failpoint("ledger.after_write");
    err = file_sync(l->file);
    if (err != 0) {
        int kept = errno;
        (void)file_truncate(l->file, end);
        errno = kept;
        return ERR_IO;
    }
    failpoint("ledger.after_sync");
    return 0;
}

static int commit_state(struct ledger *l, const struct frame_parts *parts,
                        const struct frame_link *link, const struct sha256 *hash)
{
    int err = 0;
    log_state_commit(&l->state, link, parts->tick_ns, hash);
    for (size_t i = 0; i < parts->env_count && err == 0; i++)
        err = log_state_env_set(&l->state, &parts->envs[i]);
    return err;
}

/* Make room for the frame, then make it durable. Failures but ERR_AGAIN and ERR_NOMEM are final. */
static int store_frame(struct ledger *l)
{
    int err = check_room(l, l->frame.len);
    if (err == 0)
        err = roll(l, l->frame.len);
    if (err == 0)
        err = write_frame(l);
    l->failed = err != 0 && err != ERR_AGAIN && err != ERR_NOMEM;
    return l->failed ? ERR_IO : err;
}

int ledger_append(struct ledger *l, const struct frame_parts *parts)
{
    struct sha256 hash;
    struct frame_view check;
    const char *why = "";
    if (l->failed) {
        errno = EIO;
        return ERR_IO;
    }
    struct frame_link link = {
        .epoch = l->state.epoch,
        .seq = l->state.seq + 1,
        .prev_hash = l->state.hash,
    };
    buf_reset(&l->frame);
    int err = stage_entries(l, parts);
    if (err == 0)
        err = frame_encode(&l->frame, &hash, parts, &link);
    if (err == 0) {
        assert(frame_decode(&check, buf_content(&l->frame), false, &why) == 0);
        err = store_frame(l);
    }
    if (err == 0) {
        l->newest_bytes = file_end(l->file);
        err = commit_state(l, parts, &link, &hash);
        /* The frame is durable but not all of it is known here: only a restart can tell. */
        l->failed = err != 0;
        err = err == 0 ? 0 : ERR_IO;
    } else {
        log_state_abandon(&l->state);
    }
    if (l->frame.cap > LEDGER_BUFFER_BYTES_KEPT)
        buf_release(&l->frame);
    return err;
}

int ledger_retire(struct ledger *l, uint64_t through_seq, struct retire_report *out,
                  struct diag *diag)
{
    *out = (struct retire_report){0};
    if (l->failed) {
        diag_add(diag, l->log_dir, 0, 0, "the store takes nothing more: no file is retired");
        errno = EIO;
        return ERR_IO;
    }
    int err = retire_files(out, l->log_dir, through_seq, diag);
    l->older_bytes += out->remains_bytes;
    l->older_bytes -= out->log_bytes;
    return err;
}

const struct log_state *ledger_state(const struct ledger *l)
{
    return &l->state;
}

const struct ledger_recovery *ledger_recovery(const struct ledger *l)
{
    return &l->recovery;
}

const uint8_t *ledger_store_id(const struct ledger *l)
{
    return l->store_id;
}

struct log_position ledger_position(const struct ledger *l)
{
    return (struct log_position){.file_seq = l->file_seq,
                                 .offset = l->newest_bytes,
                                 .next_seq = l->state.seq + 1,
                                 .prev_hash = l->state.hash};
}

uint64_t ledger_bytes(const struct ledger *l)
{
    return l->older_bytes + l->newest_bytes;
}
