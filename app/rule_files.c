#include "app/rule_files.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/file.h"

enum {
    RULE_FILE_BYTES_MAX = 4 << 20,
    RULE_FOLDER_DEPTH_MAX = 8,
    RULE_PATH_BYTES_MAX = 4096,
    RULE_LISTS_ABOVE_MAX = 3, /* folders above the rules that may hold their lists */
};

/* A folder that is being walked. */
struct walk {
    struct dir_names names;
    size_t at;
    size_t path_len; /* of the folder, in the path */
};

/* Who reads: the set that is filled, where errors go, and what is kept of the bytes. */
struct reading {
    struct sigma_set *set;
    struct buf *record;
    struct diag *diag;
    uint32_t *passed_over; /* files that are no rules; NULL outside folders */
};

/* One file among the bytes of all: its path, its length, itself. */
static void record_add(const struct reading *in, const char *path, const struct buf *text)
{
    if (in->record == NULL)
        return;
    buf_printf(in->record, "== %s %zu\n", path, text->len);
    buf_append(in->record, text->data, text->len);
    buf_byte(in->record, '\n');
}

static int file_add(const struct reading *in, const char *path)
{
    struct sigma_set *set = in->set;
    struct diag *diag = in->diag;
    struct buf text = {0};
    int err = file_read_all(&text, path, RULE_FILE_BYTES_MAX);
    if (err == ERR_RANGE) {
        diag_add(diag, path, 0, 0, "more than %d bytes; split the file", RULE_FILE_BYTES_MAX);
    } else if (err != 0 && err != ERR_NOMEM) {
        diag_add(diag, path, 0, 0, "cannot be read: %s", err_name(err));
    }
    if (err == 0) {
        (void)buf_string(&text);
        record_add(in, path, &text);
        err = sigma_set_add(set, path, buf_content(&text), diag);
    } else if (err != ERR_NOMEM) {
        set->faulty = true;
        err = ERR_CONF;
    }
    buf_release(&text);
    return err;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t len = strlen(name);
    size_t tail = strlen(ending);
    return len > tail && strcasecmp(name + len - tail, ending) == 0;
}

static bool is_rule_file(const char *name)
{
    return name[0] != '.' && (has_ending(name, ".yml") || has_ending(name, ".yaml"));
}

/* A name of the folder at the top of the walk: a file is read, a folder walked next. */
static int entry_take(const struct reading *in, struct walk *walks, unsigned *depth,
                      struct buf *path)
{
    struct walk *w = &walks[*depth - 1];
    const char *name = w->names.names[w->at++];
    struct file_info info;
    path->len = w->path_len;
    buf_printf(path, "/%s", name);
    if (name[0] == '.')
        return 0;
    int err = file_stat(&info, buf_string(path));
    if (err != 0) {
        diag_add(in->diag, buf_string(path), 0, 0, "cannot be read: %s", err_name(err));
        in->set->faulty = true;
        return ERR_CONF;
    }
    if (info.kind != FILE_KIND_DIR && !is_rule_file(name)) {
        ++*in->passed_over;
        return 0;
    }
    if (info.kind == FILE_KIND_OTHER) {
        diag_add(in->diag, buf_string(path), 0, 0, "is no file");
        in->set->faulty = true;
        return ERR_CONF;
    }
    if (info.kind == FILE_KIND_REGULAR)
        return file_add(in, buf_string(path));
    if (*depth == RULE_FOLDER_DEPTH_MAX) {
        diag_add(in->diag, NULL, 0, 0, "%s: folders nested deeper than %d", buf_string(path),
                 RULE_FOLDER_DEPTH_MAX);
        in->set->faulty = true;
        return ERR_CONF;
    }
    struct walk next = {.path_len = path->len};
    err = dir_list(&next.names, &in->set->arena, buf_string(path));
    if (err == 0)
        walks[(*depth)++] = next;
    return err;
}

/* Said here, as nothing else would say it: a set without rules runs without complaint. */
static void warn_empty(struct sigma_set *set, const char *folder, uint32_t passed_over)
{
    diag_add(&set->warnings, folder, 0, 0,
             "warning: no rules: no file below ends in .yml or .yaml; others that were passed "
             "over: %u",
             passed_over);
    set->warning_count++;
}

static int folder_add(const struct reading *in, const char *folder)
{
    struct walk walks[RULE_FOLDER_DEPTH_MAX] = {0};
    struct buf path = {.limit = RULE_PATH_BYTES_MAX};
    unsigned depth = 1;
    buf_text(&path, folder);
    walks[0].path_len = path.len;
    int err = dir_list(&walks[0].names, &in->set->arena, folder);
    bool faulty = false;
    while (err == 0 && depth > 0) {
        if (walks[depth - 1].at == walks[depth - 1].names.count) {
            depth--;
            continue;
        }
        err = entry_take(in, walks, &depth, &path);
        faulty |= err == ERR_CONF;
        err = err == ERR_CONF ? 0 : err;
    }
    buf_release(&path);
    return err != 0 ? err : faulty ? ERR_CONF : 0;
}

int rule_files_add(struct sigma_set *set, const char *path, struct buf *record, struct diag *diag)
{
    uint32_t passed_over = 0;
    const struct reading in = {
        .set = set, .record = record, .diag = diag, .passed_over = &passed_over};
    struct file_info info;
    uint32_t rules = set->rule_count;
    if (file_stat(&info, path) != 0 || info.kind != FILE_KIND_DIR)
        return file_add(&in, path);
    int err = folder_add(&in, path);
    if (err == 0 && set->rule_count == rules)
        warn_empty(set, path, passed_over);
    return err;
}

/* The folder of the lists, into *out; false when there is none. */
static bool lists_find(struct buf *out, const char *path)
{
    struct buf base = {.limit = RULE_PATH_BYTES_MAX};
    bool found = false;
    buf_text(&base, path);
    for (unsigned i = 0; i <= RULE_LISTS_ABOVE_MAX && !found && buf_ok(&base); i++) {
        struct file_info info;
        buf_reset(out);
        buf_slice(out, buf_content(&base));
        buf_text(out, "/lists");
        found = file_stat(&info, buf_string(out)) == 0 && info.kind == FILE_KIND_DIR;
        const char *slash = memrchr(base.data, '/', base.len);
        if (slash == NULL && slice_equal(buf_content(&base), SLICE(".")))
            break;
        base.len = slash == NULL ? 0 : (size_t)(slash - base.data);
        if (slash == NULL)
            buf_byte(&base, '.');
    }
    buf_release(&base);
    return found;
}

/* The values of a list's text, one a line. */
static int list_fill(struct sigma_set *set, struct sigma_placeholder *out, struct slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    out->values = arena_array(&set->arena, lines, sizeof(*out->values));
    if (out->values == NULL)
        return ERR_NOMEM;
    for (size_t at = 0; at < text.len;) {
        const char *from = text.data + at;
        const char *newline = memchr(from, '\n', text.len - at);
        size_t len = newline == NULL ? text.len - at : (size_t)(newline - from);
        at += len + 1;
        const char *comment = memchr(from, '#', len);
        len = comment == NULL ? len : (size_t)(comment - from);
        while (len != 0 && (from[len - 1] == ' ' || from[len - 1] == '\t' || from[len - 1] == '\r'))
            len--;
        if (len == 0)
            continue;
        out->values[out->count] = slice_of(arena_copy(&set->arena, slice_of(from, len)), len);
        if (out->values[out->count++].data == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

static int list_add(const struct reading *in, struct sigma_placeholder *out, const char *folder,
                    const char *name)
{
    struct sigma_set *set = in->set;
    struct buf path = {0};
    struct buf text = {0};
    size_t stem = strlen(name) - (sizeof(".txt") - 1);
    buf_printf(&path, "%s/%s", folder, name);
    int err = file_read_all(&text, buf_string(&path), RULE_FILE_BYTES_MAX);
    if (err != 0)
        diag_add(in->diag, buf_string(&path), 0, 0, "cannot be read");
    else
        record_add(in, buf_string(&path), &text);
    *out = (struct sigma_placeholder){
        .name = slice_of(arena_copy(&set->arena, slice_of(name, stem)), stem)};
    if (err == 0)
        err = out->name.data == NULL ? ERR_NOMEM : list_fill(set, out, buf_content(&text));
    buf_release(&path);
    buf_release(&text);
    return err;
}

/* --- a record --- */

struct record_item {
    char path[RULE_PATH_BYTES_MAX];
    struct slice text;
};

/* The next file of a record; false at its end, and where it is damaged: then something is left. */
static bool record_next(struct record_item *out, struct slice *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    size_t head = end == NULL ? 0 : (size_t)(end - rest->data);
    const char *blank = end == NULL ? NULL : memrchr(rest->data, ' ', head);
    if (blank == NULL || blank < rest->data + 4 || memcmp(rest->data, "== ", 3) != 0)
        return false;
    size_t path = (size_t)(blank - rest->data) - 3;
    size_t len = 0;
    for (const char *digit = blank + 1; digit < end; digit++) {
        if (*digit < '0' || *digit > '9' || len > RULE_FILE_BYTES_MAX)
            return false;
        len = len * 10 + (size_t)(*digit - '0');
    }
    if (path >= sizeof(out->path) || len > RULE_FILE_BYTES_MAX || rest->len - head - 1 <= len)
        return false;
    memcpy(out->path, rest->data + 3, path);
    out->path[path] = '\0';
    out->text = slice_of(end + 1, len);
    *rest = slice_from_offset(*rest, head + 1 + len + 1);
    return true;
}

/* ".../lists/x.txt": the name of the list, or NULL for a document. */
static const char *record_list(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char folder[] = "/lists";
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (len < sizeof(folder) - 1 || !has_ending(slash + 1, ".txt") ||
        memcmp(slash - (sizeof(folder) - 1), folder, sizeof(folder) - 1) != 0)
        return NULL;
    return slash + 1;
}

static int record_lists(struct sigma_set *set, struct slice record)
{
    struct record_item item;
    size_t count = 0;
    for (struct slice rest = record; record_next(&item, &rest);)
        count += record_list(item.path) != NULL;
    struct sigma_placeholder *lists = arena_array(&set->arena, count + 1, sizeof(*lists));
    int err = lists == NULL ? ERR_NOMEM : 0;
    set->placeholders = lists;
    for (struct slice rest = record; err == 0 && record_next(&item, &rest);) {
        const char *name = record_list(item.path);
        if (name == NULL)
            continue;
        size_t stem = strlen(name) - (sizeof(".txt") - 1);
        struct sigma_placeholder *out = &lists[set->placeholder_count++];
        *out = (struct sigma_placeholder){
            .name = slice_of(arena_copy(&set->arena, slice_of(name, stem)), stem)};
        err = out->name.data == NULL ? ERR_NOMEM : list_fill(set, out, item.text);
    }
    return err;
}

int rule_record_add(struct sigma_set *set, struct slice record, struct diag *diag)
{
    struct record_item item;
    struct slice rest = record;
    int err = record_lists(set, record);
    while (err == 0 && record_next(&item, &rest)) {
        struct buf text = {0};
        if (record_list(item.path) != NULL)
            continue;
        buf_slice(&text, item.text);
        (void)buf_string(&text);
        err = buf_ok(&text) ? sigma_set_add(set, item.path, buf_content(&text), diag) : ERR_NOMEM;
        buf_release(&text);
    }
    if (err == 0 && rest.len != 0) {
        diag_add(diag, "rules of the log", 0, 0, "are damaged; run sekisho verify");
        return ERR_CONF;
    }
    return err;
}

int rule_lists_add(struct sigma_set *set, const char *path, struct buf *record, struct diag *diag)
{
    const struct reading in = {.set = set, .record = record, .diag = diag};
    struct buf folder = {.limit = RULE_PATH_BYTES_MAX};
    struct dir_names names = {0};
    int err = 0;
    if (lists_find(&folder, path))
        err = dir_list(&names, &set->arena, buf_string(&folder));
    struct sigma_placeholder *lists =
        arena_array(&set->arena, set->placeholder_count + names.count + 1, sizeof(*lists));
    err = lists == NULL ? ERR_NOMEM : err;
    if (err == 0 && set->placeholder_count != 0)
        memcpy(lists, set->placeholders, set->placeholder_count * sizeof(*lists));
    for (size_t i = 0; i < names.count && err == 0; i++) {
        if (!has_ending(names.names[i], ".txt"))
            continue;
        err = list_add(&in, &lists[set->placeholder_count], buf_string(&folder), names.names[i]);
        set->placeholder_count += err == 0;
    }
    if (err == 0)
        set->placeholders = lists;
    buf_release(&folder);
    return err;
}

static int placeholder_fill(struct sigma_set *set, struct sigma_placeholder *out, const char *name,
                            const json_t *list)
{
    size_t count = json_array_size(list);
    struct slice key = slice_from(name);
    *out = (struct sigma_placeholder){
        .name = slice_of(arena_copy(&set->arena, key), key.len),
        .values = arena_array(&set->arena, count + 1, sizeof(struct slice))};
    if (out->name.data == NULL || out->values == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item))
            return ERR_CONF;
        struct slice text = slice_of(json_string_value(item), json_string_length(item));
        out->values[out->count++] = slice_of(arena_copy(&set->arena, text), text.len);
        if (out->values[out->count - 1].data == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

int rule_placeholders_read(struct sigma_set *set, const char *path, struct diag *diag)
{
    struct buf text = {0};
    json_error_t error;
    int err = file_read_all(&text, path, RULE_FILE_BYTES_MAX);
    if (err != 0)
        diag_add(diag, path, 0, 0, "cannot be read: %s", err_name(err));
    if (err != 0 || text.len == 0) {
        buf_release(&text);
        return err;
    }
    json_t *root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    buf_release(&text);
    if (!json_is_object(root)) {
        diag_add(diag, path, 1, 1, "an object of lists is expected, as {\"admins\": [\"sato\"]}");
        json_decref(root);
        return ERR_CONF;
    }
    struct sigma_placeholder *list =
        arena_array(&set->arena, json_object_size(root) + 1, sizeof(*list));
    const char *name = NULL;
    json_t *value = NULL;
    size_t count = 0;
    err = list == NULL ? ERR_NOMEM : 0;
    json_object_foreach(root, name, value)
    {
        if (err == 0)
            err = placeholder_fill(set, &list[count++], name, value);
    }
    if (err == ERR_CONF)
        diag_add(diag, path, 1, 1, "the values of a placeholder are a list of texts");
    json_decref(root);
    set->placeholders = list;
    set->placeholder_count = err == 0 ? count : 0;
    return err;
}
