#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"

struct store {
    char dir[FILE_PATH_BYTES_MAX];
    struct file *lock; /* NULL when read only */
    struct ledger *ledger;
};

static int join(char *out, size_t cap, const char *dir, const char *name)
{
    int len = snprintf(out, cap, "%s/%s", dir, name);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

/* Make DIR so that its name survives a power loss, and take the lock: all else comes after. */
static int take_lock(struct store *st, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    int err = join(path, sizeof(path), st->dir, "lock");
    if (err == 0)
        err = dir_create(st->dir);
    if (err == 0)
        err = file_open(&st->lock, path, FILE_APPEND);
    if (err == 0)
        err = file_lock(st->lock);
    if (err == ERR_BUSY)
        diag_add(diag, path, 0, 0,
                 "another collector uses this store; stop it, or give this one another folder");
    return err;
}

/* Make the folders, and sync the folders that hold them. */
static int make_folders(const struct store *st)
{
    static const char *const NAMES[] = {"log", "env", "state", "seg"};
    char path[FILE_PATH_BYTES_MAX];
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        int err = join(path, sizeof(path), st->dir, NAMES[i]);
        if (err == 0)
            err = dir_create(path);
        if (err != 0)
            return err;
    }
    failpoint("store.after_folders");
    int err = dir_sync(st->dir);
    if (err == 0)
        err = join(path, sizeof(path), st->dir, "..");
    if (err == 0)
        err = dir_sync(path);
    return err;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* Remove what file_write_atomic() left when it was killed. */
static int remove_leftovers(const struct store *st, const char *folder)
{
    struct arena arena = {0};
    struct dir_names names = {0};
    char path[FILE_PATH_BYTES_MAX];
    char file[FILE_PATH_BYTES_MAX];
    int err = join(path, sizeof(path), st->dir, folder);
    if (err == 0)
        err = dir_list(&names, &arena, path);
    for (size_t i = 0; i < names.count && err == 0; i++) {
        if (!ends_with(names.names[i], ".tmp"))
            continue;
        err = join(file, sizeof(file), path, names.names[i]);
        if (err == 0)
            err = file_unlink(file);
    }
    arena_release(&arena);
    return err;
}

/* An empty log beside blobs that its frames named: files were deleted, this is no new store. */
static int check_not_emptied(const struct store *st, struct diag *diag)
{
    struct arena arena = {0};
    struct log_file_list log = {0};
    struct dir_names env = {0};
    char path[FILE_PATH_BYTES_MAX];
    int err = join(path, sizeof(path), st->dir, "log");
    if (err == 0)
        err = log_file_list(&log, &arena, path);
    if (err == 0)
        err = join(path, sizeof(path), st->dir, "env");
    if (err == 0)
        err = dir_list(&env, &arena, path);
    if (err == 0 && log.count == 0 && env.count != 0) {
        diag_add(diag, st->dir, 0, 0,
                 "log/ is empty though env/ is not: the log was deleted; restore it from a copy, "
                 "or begin with an empty folder");
        err = ERR_CORRUPT;
    }
    arena_release(&arena);
    return err;
}

/* What readers lock, and what a retirement that was interrupted left undone. */
static int prepare_log(const struct store *st, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    int err = join(path, sizeof(path), st->dir, "log");
    if (err == 0)
        err = log_hold_prepare(path);
    return err == 0 ? retire_finish(path, diag) : err;
}

static int prepare_to_write(struct store *st, struct diag *diag)
{
    int err = take_lock(st, diag);
    failpoint("store.after_lock");
    if (err == 0)
        err = make_folders(st);
    if (err == 0)
        err = remove_leftovers(st, "log");
    if (err == 0)
        err = remove_leftovers(st, "env");
    if (err == 0)
        err = remove_leftovers(st, "state");
    if (err == 0)
        err = check_not_emptied(st, diag);
    if (err == 0)
        err = prepare_log(st, diag);
    return err;
}

static int open_store(struct store *st, const struct store_options *opts, struct diag *diag)
{
    int len = snprintf(st->dir, sizeof(st->dir), "%s", opts->dir);
    if (len <= 0 || (size_t)len >= sizeof(st->dir))
        return ERR_RANGE;
    int err = opts->read_only ? 0 : prepare_to_write(st, diag);
    if (err != 0)
        return err;
    const struct ledger_options ledger = {
        .dir = opts->dir,
        .file_bytes_max = opts->log_file_bytes_max,
        .bytes_max = opts->log_bytes_max,
        .store_id = opts->store_id,
        .read_only = opts->read_only,
    };
    return ledger_open(&st->ledger, &ledger, diag);
}

int store_open(struct store **out, const struct store_options *opts, struct diag *diag)
{
    struct store *st = calloc(1, sizeof(*st));
    if (st == NULL)
        return ERR_NOMEM;
    size_t said = diag->count;
    int err = open_store(st, opts, diag);
    if (err != 0) {
        if (diag->count == said)
            diag_add(diag, opts->dir, 0, 0, "the store cannot be opened: %s%s%s", err_name(err),
                     err == ERR_IO ? ": " : "", err == ERR_IO ? strerrordesc_np(errno) : "");
        store_close(st);
        return err;
    }
    *out = st;
    return 0;
}

void store_close(struct store *st)
{
    if (st == NULL)
        return;
    ledger_close(st->ledger);
    file_close(st->lock);
    free(st);
}

int store_env_path(char *out, size_t cap, const char *dir, const struct sha256 *hash)
{
    char hex[SHA256_HEX_BYTES + 1];
    sha256_hex(hex, hash);
    int len = snprintf(out, cap, "%s/env/%s", dir, hex);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

/* Whether the blob is there with the content it should have. */
static int blob_intact(bool *out, const char *path, const struct sha256 *hash)
{
    struct file *f = NULL;
    struct slice map;
    struct sha256 found;
    int err = file_open(&f, path, FILE_READ);
    if (err == ERR_NOTFOUND) {
        *out = false;
        return 0;
    }
    if (err == 0)
        err = file_map(&map, f);
    if (err == 0) {
        err = sha256_of(&found, map);
        file_unmap(map);
        *out = err == 0 && sha256_equal(&found, hash);
    }
    file_close(f);
    return err;
}

int store_env_put(struct store *st, struct frame_env *out, struct slice name, struct slice content)
{
    char path[FILE_PATH_BYTES_MAX];
    struct frame_env env = {.name = name, .bytes = content.len};
    bool intact = false;
    if (name.len == 0 || name.len > FRAME_ENV_NAME_BYTES_MAX)
        return ERR_RANGE;
    int err = sha256_of(&env.sha256, content);
    if (err == 0)
        err = store_env_path(path, sizeof(path), st->dir, &env.sha256);
    if (err == 0)
        err = blob_intact(&intact, path, &env.sha256);
    if (err != 0)
        return err;
    failpoint("env.before_write");
    if (!intact)
        err = file_write_atomic(path, content);
    failpoint("env.after_write");
    if (err != 0)
        return err == ERR_IO && file_no_space() ? ERR_AGAIN : err;
    *out = env;
    return 0;
}

bool store_is_held(const char *dir)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *lock = NULL;
    bool held = false;
    int err = join(path, sizeof(path), dir, "lock");
    if (err == 0)
        err = file_open(&lock, path, FILE_READ);
    if (err == 0 && file_is_locked(&held, lock) != 0)
        held = false;
    file_close(lock);
    return held;
}

const struct frame_env *store_env_find(const struct store *st, struct slice name)
{
    return log_state_env(ledger_state(st->ledger), name);
}

int store_env_current(const struct store *st, struct frame_env *out, struct slice name)
{
    const struct frame_env *env = log_state_env(ledger_state(st->ledger), name);
    if (env == NULL)
        return ERR_NOTFOUND;
    *out = *env;
    return 0;
}

/* A frame must not name a blob that a power loss can take away. */
static int check_blobs(const struct store *st, const struct frame_parts *parts)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    for (size_t i = 0; i < parts->env_count; i++) {
        int err = store_env_path(path, sizeof(path), st->dir, &parts->envs[i].sha256);
        if (err == 0)
            err = file_stat(&info, path);
        if (err == 0 && info.size_bytes != parts->envs[i].bytes)
            err = ERR_NOTFOUND;
        if (err != 0)
            return err;
    }
    return 0;
}

int store_append(struct store *st, const struct frame_parts *parts)
{
    int err = check_blobs(st, parts);
    return err == 0 ? ledger_append(st->ledger, parts) : err;
}

int store_retire(struct store *st, uint64_t through_seq, struct retire_report *out,
                 struct diag *diag)
{
    return ledger_retire(st->ledger, through_seq, out, diag);
}

int store_end_offset(const struct store *st, struct slice topic, int32_t partition, int64_t *out)
{
    const struct partition_end *end = log_state_find(ledger_state(st->ledger), topic, partition);
    if (end == NULL)
        return ERR_NOTFOUND;
    *out = end->end;
    return 0;
}

bool store_next_end(const struct store *st, size_t *cursor, struct partition_end *out)
{
    const struct log_state *state = ledger_state(st->ledger);
    while (*cursor < state->end_count) {
        const struct partition_end *end = &state->ends[(*cursor)++];
        if (end->end == LOG_OFFSET_NONE)
            continue;
        *out = *end;
        return true;
    }
    return false;
}

struct log_end store_log_end(const struct store *st)
{
    const struct log_state *state = ledger_state(st->ledger);
    return (struct log_end){state->seq, state->hash};
}

uint64_t store_last_seq(const struct store *st)
{
    return ledger_state(st->ledger)->seq;
}

int64_t store_last_tick_ns(const struct store *st)
{
    return ledger_state(st->ledger)->tick_ns;
}

struct log_position store_position(const struct store *st)
{
    return ledger_position(st->ledger);
}

uint64_t store_log_bytes(const struct store *st)
{
    return ledger_bytes(st->ledger);
}

const struct ledger_recovery *store_recovery(const struct store *st)
{
    return ledger_recovery(st->ledger);
}

const uint8_t *store_id(const struct store *st)
{
    return ledger_store_id(st->ledger);
}
