#include "app/retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static const char *const NAMES[RETENTION_CLASSES] = {
#define CLASS(NAME, name) #name,
#include "app/retention_classes.def"
#undef CLASS
};

enum retention_class retention_class_of(uint16_t format)
{
    static const uint8_t CLASSES[] = {[PARSER_FIREWALL] = RETENTION_FIREWALL,
                                      [PARSER_PROXY] = RETENTION_PROXY,
                                      [PARSER_OTHER] = RETENTION_OTHER};
    const struct parser *parser = parser_get(format);
    return parser == NULL ? RETENTION_OTHER : (enum retention_class)CLASSES[parser->kind];
}

const char *retention_class_name(enum retention_class class_id)
{
    return class_id < RETENTION_CLASSES ? NAMES[class_id] : "";
}

enum retention_class retention_class_find(struct slice name)
{
    unsigned i = 0;
    while (i < RETENTION_CLASSES && !slice_equal(name, slice_from(NAMES[i])))
        i++;
    return (enum retention_class)i;
}

void retention_class_list(struct buf *out)
{
    for (unsigned i = 0; i < RETENTION_CLASSES; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : ", ", NAMES[i]);
}

/* The number at retention.<key> below `from`, if the file gives one there. */
static bool find_time(int64_t *out, const struct conf_node *from, const char *key)
{
    char path[64];
    int len = snprintf(path, sizeof(path), "retention.%s", key);
    if (from == NULL || len < 0 || (size_t)len >= sizeof(path) || !conf_given(from, path))
        return false;
    *out = conf_int(from, path);
    return true;
}

void retention_keeps(struct retention_keeps *out, const struct config *config, uint32_t tenant)
{
    const struct conf_node *root = config_root(config);
    const struct conf_node *tenants = conf_find(root, "tenants");
    char code[16];
    (void)snprintf(code, sizeof(code), "%06u", tenant);
    const struct conf_node *own = tenants == NULL ? NULL : conf_child(tenants, slice_from(code));
    for (unsigned i = 0; i < RETENTION_CLASSES; i++) {
        char key[48];
        (void)snprintf(key, sizeof(key), "classes.%s", NAMES[i]);
        out->ns[i] = conf_int(root, "retention.keep");
        if (find_time(&out->ns[i], own, key) || find_time(&out->ns[i], own, "keep"))
            continue;
        (void)find_time(&out->ns[i], root, key);
    }
}

int64_t retention_least(const struct retention_keeps *k)
{
    int64_t least = k->ns[0];
    for (unsigned i = 1; i < RETENTION_CLASSES; i++)
        least = k->ns[i] < least ? k->ns[i] : least;
    return least;
}

int64_t retention_most(const struct retention_keeps *k)
{
    int64_t most = k->ns[0];
    for (unsigned i = 1; i < RETENTION_CLASSES; i++)
        most = k->ns[i] > most ? k->ns[i] : most;
    return most;
}

/* A segment by the number of its first row. */
struct begin {
    uint64_t leaf_min;
    int64_t latest; /* hour, of this and all before it */
};

static int begin_order(const void *left, const void *right)
{
    const struct begin *a = left;
    const struct begin *b = right;
    return a->leaf_min < b->leaf_min ? -1 : a->leaf_min > b->leaf_min;
}

/* The latest hour of those that begin at or before a row. */
static int64_t latest_before(const struct begin *begins, size_t count, uint64_t leaf)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (begins[middle].leaf_min <= leaf)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? INT64_MIN : begins[low - 1].latest;
}

int retention_hours(int64_t *hours, const struct catalog *c, int64_t now_ns)
{
    struct begin *begins = calloc(c->segment_count + 1, sizeof(*begins));
    size_t count = 0;
    if (begins == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < c->segment_count; i++) {
        const struct segment_info *s = &c->segments[i];
        if (s->name.hour <= now_ns / SEGMENT_HOUR_NS)
            begins[count++] = (struct begin){.leaf_min = s->leaf_min, .latest = s->name.hour};
    }
    qsort(begins, count, sizeof(*begins), begin_order);
    for (size_t i = 1; i < count; i++) {
        if (begins[i - 1].latest > begins[i].latest)
            begins[i].latest = begins[i - 1].latest;
    }
    for (size_t i = 0; i < c->segment_count; i++) {
        int64_t latest = latest_before(begins, count, c->segments[i].leaf_max);
        int64_t own = c->segments[i].name.hour;
        hours[i] = latest > own ? latest : own;
    }
    free(begins);
    return 0;
}

int64_t retention_due_ns(int64_t hour, int64_t since_ns, int64_t keep_ns)
{
    int64_t end_ns = 0;
    int64_t due_ns = 0;
    if (hour >= INT64_MAX / SEGMENT_HOUR_NS)
        return INT64_MAX;
    if (hour >= 0)
        end_ns = (hour + 1) * SEGMENT_HOUR_NS;
    end_ns = end_ns < since_ns ? since_ns : end_ns;
    return __builtin_add_overflow(end_ns, keep_ns, &due_ns) ? INT64_MAX : due_ns;
}
