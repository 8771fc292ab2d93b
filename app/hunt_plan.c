#include "app/hunt_plan.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "event/ndjson.h"

enum {
    PENDING_BYTES_MAX = 4 << 20,
    NAME_HASH_BYTES = 8,
};

static void pending_path(struct buf *out, const char *dir)
{
    buf_printf(out, "%s/reports/pending", dir);
}

/* --- what is pending --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(struct sha256 *out, const char *hex)
{
    if (hex == NULL || strlen(hex) != SHA256_HEX_BYTES)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The file as a value, or NULL: nothing is pending. */
static json_t *read_pending(const char *dir)
{
    struct buf path = {0};
    struct buf content = {0};
    json_t *pending = NULL;
    pending_path(&path, dir);
    int status = file_read_all(&content, buf_string(&path), PENDING_BYTES_MAX);
    if (status == 0)
        pending = json_loadb(content.data, content.len, JSON_REJECT_DUPLICATES, NULL);
    if (status != ERR_NOTFOUND && !json_is_array(json_object_get(pending, "lists"))) {
        log_warn("hunt",
                 "what was pending is lost: the last update of a list may not be searched for",
                 "path=%s", buf_string(&path));
    }
    buf_release(&path);
    buf_release(&content);
    return pending;
}

/* What is pending of a list; NULL: nothing. */
static const json_t *pending_list(const json_t *pending, struct slice name)
{
    const json_t *lists = json_object_get(pending, "lists");
    for (size_t i = 0; i < json_array_size(lists); i++) {
        const json_t *list = json_array_get(lists, i);
        const json_t *text = json_object_get(list, "name");
        if (json_is_string(text) &&
            slice_equal(slice_of(json_string_value(text), json_string_length(text)), name))
            return list;
    }
    return NULL;
}

static void write_hash(struct buf *out, const char *key, const struct sha256 *hash)
{
    char hex[SHA256_HEX_BYTES + 1];
    sha256_hex(hex, hash);
    buf_printf(out, ",\"%s\":\"%s\"", key, hex);
}

static bool is_changed(const struct hunt_list *l)
{
    return !l->has_before || !sha256_equal(&l->before, &l->now);
}

static int write_pending(const char *dir, const struct hunt_plan *plan)
{
    struct buf text = {0};
    struct buf path = {0};
    const char *before = "";
    buf_printf(&text, "{\"seq\":%" PRIu64 ",\"lists\":[", plan->last_seq);
    for (size_t i = 0; i < plan->count; i++) {
        const struct hunt_list *l = &plan->lists[i];
        if (!is_changed(l))
            continue;
        buf_printf(&text, "%s{\"name\":", before);
        ndjson_string(&text, l->source.name);
        if (l->has_before)
            write_hash(&text, "before", &l->before);
        buf_byte(&text, '}');
        before = ",";
    }
    buf_text(&text, "]}\n");
    buf_printf(&path, "%s/reports", dir);
    int status = buf_ok(&text) && buf_ok(&path) ? dir_create(buf_string(&path)) : ERR_NOMEM;
    buf_reset(&path);
    pending_path(&path, dir);
    if (status == 0)
        status = file_write_atomic(buf_string(&path), buf_content(&text));
    buf_release(&text);
    buf_release(&path);
    return status;
}

void hunt_plan_done(const char *dir)
{
    struct buf path = {0};
    pending_path(&path, dir);
    (void)file_unlink(buf_string(&path));
    buf_release(&path);
}

/* --- the plan --- */

static bool keep_text(struct slice *text, struct arena *arena)
{
    const char *copy = arena_copy(arena, *text);
    *text = slice_of(copy, copy == NULL ? 0 : text->len);
    return copy != NULL;
}

/* The list without its content, which the store has. */
static int keep_list(struct hunt_list *out, struct arena *arena, const struct list_file *file)
{
    out->source = file->source;
    out->source.content = SLICE("");
    out->now = file->hash;
    struct slice path = slice_from(file->source.path);
    path.len++; /* with its NUL */
    bool kept = keep_text(&out->source.name, arena) && keep_text(&out->source.version, arena) &&
                keep_text(&out->source.column, arena) &&
                keep_text(&out->source.expiry_column, arena) && keep_text(&path, arena);
    out->source.path = path.data;
    return kept ? 0 : ERR_NOMEM;
}

/* What the log says of the list: 0 with *hash, or ERR_NOTFOUND. */
static int logged(struct sha256 *hash, const struct store *store, struct slice name)
{
    struct buf key = {0};
    struct frame_env env;
    buf_text(&key, "list/");
    buf_slice(&key, name);
    int status = buf_ok(&key) ? store_env_current(store, &env, buf_content(&key)) : ERR_NOMEM;
    if (status == 0)
        *hash = env.sha256;
    buf_release(&key);
    return status;
}

/* What the list was; *as_logged stays true while the log names the lists as they are now. */
static int find_before(struct hunt_list *l, const struct store *store, const json_t *pending,
                       bool *as_logged)
{
    struct sha256 hash;
    int status = logged(&hash, store, l->source.name);
    if (status == ERR_NOMEM)
        return status;
    *as_logged = *as_logged && status == 0 && sha256_equal(&hash, &l->now);
    const json_t *list = pending_list(pending, l->source.name);
    if (list != NULL) {
        l->has_before = read_hash(&l->before, json_string_value(json_object_get(list, "before")));
    } else if (status == 0) {
        l->before = hash;
        l->has_before = true;
    }
    return 0;
}

static void make_name(struct hunt_plan *plan)
{
    struct buf text = {0};
    uint8_t id[HASH_ID_BYTES];
    for (size_t i = 0; i < plan->count; i++) {
        const struct hunt_list *l = &plan->lists[i];
        if (!is_changed(l))
            continue;
        ndjson_string(&text, l->source.name);
        write_hash(&text, "now", &l->now);
        if (l->has_before)
            write_hash(&text, "before", &l->before);
    }
    hash_id(id, buf_content(&text));
    buf_release(&text);
    int len = snprintf(plan->name, sizeof(plan->name), "hunt-%012" PRIu64 "-", plan->last_seq);
    for (size_t i = 0; i < NAME_HASH_BYTES; i++)
        len += snprintf(plan->name + len, sizeof(plan->name) - (size_t)len, "%02x", id[i]);
}

static int fill_plan(struct hunt_plan *plan, bool *as_logged, const struct store *store,
                     const struct lists *lists, const json_t *pending)
{
    plan->lists = arena_array(&plan->arena, lists->count + 1, sizeof(*plan->lists));
    if (plan->lists == NULL)
        return ERR_NOMEM;
    int status = 0;
    for (; plan->count < lists->count && status == 0; plan->count++) {
        struct hunt_list *l = &plan->lists[plan->count];
        *l = (struct hunt_list){0};
        status = keep_list(l, &plan->arena, &lists->files[plan->count]);
        if (status == 0)
            status = find_before(l, store, pending, as_logged);
    }
    return status;
}

int hunt_plan_make(struct hunt_plan *out, bool *needed, const char *dir, const struct store *store,
                   const struct lists *lists)
{
    struct hunt_plan plan = {.last_seq = store_last_seq(store),
                             .tick_ns = store_last_tick_ns(store)};
    json_t *pending = read_pending(dir);
    bool as_logged = true;
    bool changed = false;
    int status = fill_plan(&plan, &as_logged, store, lists, pending);
    for (size_t i = 0; i < plan.count; i++)
        changed = changed || is_changed(&plan.lists[i]);
    /* The update is in the log already: what came since was watched with it. */
    const json_t *seq = json_object_get(pending, "seq");
    if (as_logged && json_is_integer(seq) && json_integer_value(seq) >= 0 &&
        (uint64_t)json_integer_value(seq) < plan.last_seq)
        plan.last_seq = (uint64_t)json_integer_value(seq);
    changed = changed && plan.last_seq != 0;
    if (status == 0 && changed)
        status = write_pending(dir, &plan);
    else if (status == 0 && pending != NULL)
        hunt_plan_done(dir);
    json_decref(pending);
    if (status != 0 || !changed) {
        hunt_plan_release(&plan);
        *needed = false;
        return status;
    }
    make_name(&plan);
    *out = plan;
    *needed = true;
    return 0;
}

void hunt_plan_release(struct hunt_plan *plan)
{
    arena_release(&plan->arena);
    *plan = (struct hunt_plan){0};
}
