#include "store/retire.h"

#include <errno.h>
#include <stdio.h>

#include "base/fault.h"
#include "store/log_hold.h"

/* The header of a log file; slices of it are gone. */
static int read_header(struct log_file_header *out, const char *log_dir, uint64_t seq)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    struct buf bytes = {0};
    const char *why = NULL;
    int err = log_file_path(path, sizeof(path), log_dir, seq);
    if (err == 0)
        err = file_open(&f, path, FILE_READ);
    if (err == 0)
        err = log_file_header_read(out, &bytes, f, &why);
    file_close(f);
    buf_release(&bytes);
    out->checkpoint = slice_of(NULL, 0);
    return err;
}

/* Whether the remains can take the place of the file that begins with frame `seq`. */
static int check_remains(struct remains_head *out, const char *log_dir, uint64_t seq,
                         uint64_t next_seq)
{
    struct remains *r = NULL;
    struct log_file_header replaced;
    struct log_file_header next;
    const char *why = NULL;
    int err = remains_open(&r, log_dir, seq, true, &why);
    if (err == 0)
        *out = *remains_head(r);
    remains_close(r);
    if (err == 0)
        err = read_header(&replaced, log_dir, seq);
    if (err == 0)
        err = read_header(&next, log_dir, next_seq);
    if (err == 0 && (!sha256_equal(&replaced.last_hash, &out->prev_hash) ||
                     remains_misjoined(out, &next) != NULL))
        err = ERR_CORRUPT;
    return err;
}

/* Remove the file that remains were checked for. Counts it as soon as it is gone. */
static int remove_file(struct retire_report *report, const char *log_dir,
                       const struct remains_head *head, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    int err = log_file_path(path, sizeof(path), log_dir, head->first_seq);
    if (err == 0)
        err = file_stat(&info, path);
    failpoint("retire.before_unlink");
    if (err == 0)
        err = file_unlink(path);
    failpoint("retire.after_unlink");
    if (err == 0) {
        report->files++;
        report->frames += head->last_seq - head->first_seq + 1;
        report->log_bytes += info.size_bytes;
        report->remains_bytes += head->body_bytes + REMAINS_BYTES_MIN;
        report->through_seq = head->last_seq;
        err = dir_sync(log_dir);
    }
    failpoint("retire.after_sync");
    if (err != 0)
        diag_add(diag, path, 0, 0, "the file cannot be removed, though its remains are there: %s",
                 err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    return err;
}

/* Make the remains of a file where there are none that are whole. */
static int ensure_remains(const char *log_dir, uint64_t seq, uint64_t next_seq, struct diag *diag)
{
    struct remains_head head;
    int err = check_remains(&head, log_dir, seq, next_seq);
    if (err == ERR_NOTFOUND || err == ERR_CORRUPT || err == ERR_FORMAT) {
        err = remains_make(log_dir, seq, diag);
    } else if (err != 0) {
        char path[FILE_PATH_BYTES_MAX];
        const char *named = remains_path(path, sizeof(path), log_dir, seq) == 0 ? path : log_dir;
        diag_add(diag, named, 0, 0, "the remains or their file cannot be read: %s",
                 err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    }
    return err;
}

/* Remove the first `count` files of the list; all of them have remains. */
static int remove_files(struct retire_report *report, const char *log_dir,
                        const struct log_file_list *list, size_t count, struct diag *diag)
{
    struct file *lock = NULL;
    if (count == 0)
        return 0;
    int err = log_hold_exclude(&lock, log_dir);
    if (err != 0 && err != ERR_AGAIN)
        diag_add(diag, log_dir, 0, 0, "readers: cannot be locked: %s",
                 err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    for (size_t i = 0; i < count && err == 0; i++) {
        struct remains_head head;
        err = check_remains(&head, log_dir, list->first_seqs[i], list->first_seqs[i + 1]);
        if (err == 0)
            err = remove_file(report, log_dir, &head, diag);
        else
            diag_add(diag, log_dir, 0, 0, "remains that were just made cannot be read: %s",
                     err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    }
    file_close(lock);
    return err;
}

int retire_files(struct retire_report *out, const char *log_dir, uint64_t through_seq,
                 struct diag *diag)
{
    struct arena arena = {0};
    struct log_file_list list = {0};
    size_t count = 0;
    *out = (struct retire_report){0};
    int err = log_file_list(&list, &arena, log_dir);
    if (err != 0)
        diag_add(diag, log_dir, 0, 0, "the log's files cannot be listed: %s",
                 err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    /* A file ends where the next begins; so the newest is never meant. */
    while (err == 0 && count + 1 < list.count && list.first_seqs[count + 1] - 1 <= through_seq) {
        err = ensure_remains(log_dir, list.first_seqs[count], list.first_seqs[count + 1], diag);
        count += err == 0;
    }
    int removed = remove_files(out, log_dir, &list, count, diag);
    arena_release(&arena);
    return err != 0 ? err : removed;
}

/* Of a file that has remains: whether they are whole. Those that are not go. */
static int judge(bool *whole, const char *log_dir, uint64_t seq, uint64_t next_seq)
{
    char path[FILE_PATH_BYTES_MAX];
    struct remains_head head;
    struct log_file_header header;
    int err = check_remains(&head, log_dir, seq, next_seq);
    *whole = err == 0;
    if (err != ERR_CORRUPT)
        return err == ERR_NOTFOUND || err == ERR_FORMAT ? 0 : err;
    /* The fault may be the log file's: then recovery says so, and nothing goes. */
    if (read_header(&header, log_dir, seq) != 0 || read_header(&header, log_dir, next_seq) != 0)
        return 0;
    err = remains_path(path, sizeof(path), log_dir, seq);
    if (err == 0)
        err = file_unlink(path);
    return err == 0 ? dir_sync(log_dir) : err;
}

int retire_finish(const char *log_dir, struct diag *diag)
{
    struct arena arena = {0};
    struct log_file_list list = {0};
    struct log_file_list remains = {0};
    struct retire_report report = {0};
    size_t count = 0;
    bool whole = true;
    int err = log_file_list(&list, &arena, log_dir);
    if (err == 0)
        err = remains_list(&remains, &arena, log_dir);
    /* Usually there is nothing to look at: the newest remains are before the oldest file. */
    if (err == 0 && list.count > 1 && remains.count != 0 &&
        remains.first_seqs[remains.count - 1] >= list.first_seqs[0]) {
        while (err == 0 && whole && count + 1 < list.count) {
            err = judge(&whole, log_dir, list.first_seqs[count], list.first_seqs[count + 1]);
            count += err == 0 && whole;
        }
    }
    if (err == 0)
        err = remove_files(&report, log_dir, &list, count, diag);
    arena_release(&arena);
    return err == ERR_AGAIN ? 0 : err;
}
