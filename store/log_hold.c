#include "store/log_hold.h"

#include <stdio.h>
#include <time.h>

enum {
    WAIT_STEP_MS = 5,
};

static int path_of(char *out, size_t cap, const char *log_dir)
{
    int len = snprintf(out, cap, "%s/readers", log_dir);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

int log_hold_take(struct log_hold *h, const char *log_dir)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    if (h->file != NULL)
        return 0;
    int err = path_of(path, sizeof(path), log_dir);
    if (err != 0)
        return err;
    if (file_open(&f, path, FILE_READ) != 0)
        return 0;
    err = file_lock_shared(f);
    for (int waited = 0; err == ERR_BUSY && waited < LOG_HOLD_WAIT_MS; waited += WAIT_STEP_MS) {
        (void)nanosleep(&step, NULL);
        err = file_lock_shared(f);
    }
    if (err != 0) {
        /* A file system without locks has no store that is written, either. */
        file_close(f);
        return err == ERR_BUSY ? ERR_BUSY : 0;
    }
    h->file = f;
    return 0;
}

int log_hold_take_store(struct log_hold *h, const char *dir)
{
    char log_dir[FILE_PATH_BYTES_MAX];
    int len = snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
    return len < 0 || (size_t)len >= sizeof(log_dir) ? ERR_RANGE : log_hold_take(h, log_dir);
}

void log_hold_drop(struct log_hold *h)
{
    file_close(h->file);
    h->file = NULL;
}

int log_hold_prepare(const char *log_dir)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    int err = path_of(path, sizeof(path), log_dir);
    if (err == 0)
        err = file_open(&f, path, FILE_APPEND);
    file_close(f);
    return err;
}

int log_hold_exclude(struct file **out, const char *log_dir)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    int err = path_of(path, sizeof(path), log_dir);
    if (err == 0)
        err = file_open(&f, path, FILE_APPEND);
    if (err == 0)
        err = file_lock(f);
    if (err != 0) {
        file_close(f);
        return err == ERR_BUSY ? ERR_AGAIN : err;
    }
    *out = f;
    return 0;
}
