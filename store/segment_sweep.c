#include "store/segment_sweep.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fault.h"
#include "store/log_hold.h"

struct sweep {
    const char *dir;
    char folder[FILE_PATH_BYTES_MAX];
    const struct catalog *live;
    struct file *alone; /* keeps readers away; NULL until a file needs it */
    struct segment_sweep *out;
};

static bool is_live(const struct sweep *s, const struct segment_name *name)
{
    const struct segment_info *live = catalog_find(s->live, name->hour);
    return live != NULL && live->name.generation == name->generation;
}

/* ERR_AGAIN while somebody reads. */
static int keep_readers_away(struct sweep *s)
{
    char path[FILE_PATH_BYTES_MAX];
    if (s->alone != NULL)
        return 0;
    int len = snprintf(path, sizeof(path), "%s/log", s->dir);
    return len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : log_hold_exclude(&s->alone, path);
}

static int remove_file(struct sweep *s, const char *file)
{
    char path[FILE_PATH_BYTES_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", s->folder, file);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : file_unlink(path);
    s->out->removed += err == 0;
    failpoint("segment.swept");
    return err;
}

static int look_at(struct sweep *s, const char *file)
{
    struct segment_name name;
    bool begun = false;
    if (!segment_parse(&name, &begun, file) || (!begun && is_live(s, &name)))
        return 0;
    int err = begun ? 0 : keep_readers_away(s);
    if (err == ERR_AGAIN) {
        s->out->left++;
        return 0;
    }
    return err == 0 ? remove_file(s, file) : err;
}

int segment_sweep(struct segment_sweep *out, const char *dir, const struct catalog *live)
{
    struct arena arena = {0};
    struct dir_names names = {0};
    struct sweep s = {.dir = dir, .live = live, .out = out};
    *out = (struct segment_sweep){0};
    int err = catalog_folder(s.folder, sizeof(s.folder), dir, live->tenant);
    if (err == 0)
        err = dir_list(&names, &arena, s.folder);
    for (size_t i = 0; i < names.count && err == 0; i++)
        err = look_at(&s, names.names[i]);
    if (err == 0 && out->removed != 0)
        err = dir_sync(s.folder);
    file_close(s.alone);
    arena_release(&arena);
    return err;
}
