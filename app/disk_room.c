#include "app/disk_room.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    PPM = 1000000,
    PPM_OF_PERCENT = PPM / 100,
    SHARE_PERCENT_MAX = 99,
    HYSTERESIS_PARTS = 10,
};

enum metric_number {
#define METRIC(name, ...) METRIC_##name,
#include "app/metrics.def"
#undef METRIC
};

static const struct {
    const char *key;
    const char *begins;
    const char *ends;
} MARKS[DISK_MARKS] = {
    {"disk.warn", "the disk is getting full", "the disk has room again"},
    {"disk.stop_compaction", "the disk is nearly full: no more segments are written",
     "segments are written again"},
    {"disk.pause", "the disk is full: nothing more is taken from Kafka, which keeps it",
     "the intake goes on"},
};

static int parse_share(uint32_t *out, struct slice text)
{
    uint64_t ppm = 0;
    uint32_t unit = PPM_OF_PERCENT;
    bool point = false;
    bool digit = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '.' && digit && !point && i + 1 < text.len) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (point && unit == 1))
            return ERR_FORMAT;
        digit = true;
        unit = point ? unit / 10 : unit;
        ppm = point ? ppm + (uint64_t)(c - '0') * unit
                    : ppm * 10 + (uint64_t)(c - '0') * PPM_OF_PERCENT;
        if (ppm > (uint64_t)SHARE_PERCENT_MAX * PPM_OF_PERCENT)
            return ERR_RANGE;
    }
    if (!digit || ppm == 0)
        return ERR_FORMAT;
    *out = (uint32_t)ppm;
    return 0;
}

int disk_limit_parse(struct disk_limit *out, struct slice text)
{
    struct disk_limit limit = {0};
    int64_t bytes = 0;
    int err = 0;
    if (text.len != 0 && text.data[text.len - 1] == '%') {
        err = parse_share(&limit.share_ppm, slice_of(text.data, text.len - 1));
    } else {
        err = conf_parse_size(&bytes, text);
        limit.bytes = (uint64_t)bytes;
    }
    if (err == 0)
        *out = limit;
    return err;
}

void disk_room_check(const struct conf *conf, struct diag *diag)
{
    struct disk_limit limit;
    for (unsigned i = 0; i < DISK_MARKS; i++) {
        const struct conf_node *n = conf_find(conf_root(conf), MARKS[i].key);
        if (n != NULL && n->text.data != NULL && disk_limit_parse(&limit, n->text) != 0) {
            conf_error(conf, n, diag,
                       "\"%s\" is no share of the disk (15%%, up to 99%%) and no size (200GiB)",
                       n->text.data);
        }
    }
}

void disk_room_init(struct disk_room *r, const struct config *config)
{
    for (unsigned i = 0; i < DISK_MARKS; i++) {
        const char *text = conf_text(config_root(config), MARKS[i].key);
        if (text != NULL)
            (void)disk_limit_parse(&r->limits[i], slice_from(text)); /* checked before */
    }
}

static uint64_t mark_bytes(const struct disk_limit *l, uint64_t total_bytes)
{
    if (l->share_ppm == 0)
        return l->bytes;
    return total_bytes / PPM * l->share_ppm + total_bytes % PPM * l->share_ppm / PPM;
}

static void say(const struct disk_room *r, unsigned mark, uint64_t at_bytes)
{
    const char *begins = MARKS[mark].begins;
    if (!r->below[mark]) {
        log_info("disk", MARKS[mark].ends, "free=%" PRIu64, r->free_bytes);
    } else if (mark == DISK_WARN) {
        log_warn("disk", begins, "free=%" PRIu64 " mark=%" PRIu64 " remedy=%s", r->free_bytes,
                 at_bytes, "a larger disk, or a shorter retention");
    } else {
        log_error("disk", begins, "free=%" PRIu64 " mark=%" PRIu64 " remedy=%s", r->free_bytes,
                  at_bytes, "free disk space");
    }
}

void disk_room_take(struct disk_room *r, uint64_t free_bytes, uint64_t total_bytes)
{
    r->free_bytes = free_bytes;
    r->total_bytes = total_bytes;
    for (unsigned i = 0; i < DISK_MARKS; i++) {
        uint64_t mark = mark_bytes(&r->limits[i], total_bytes);
        uint64_t end = mark + mark / HYSTERESIS_PARTS;
        bool below = free_bytes < mark || (r->below[i] && free_bytes < end);
        bool changed = below != r->below[i];
        r->below[i] = below;
        if (changed)
            say(r, i, mark);
    }
    atomic_store(&r->no_compaction, r->below[DISK_STOP_COMPACTION]);
    atomic_store(&r->paused, r->below[DISK_PAUSE]);
}

void disk_room_look(struct disk_room *r, const char *dir)
{
    uint64_t free_bytes = 0;
    uint64_t total_bytes = 0;
    if (file_space(&free_bytes, dir) == 0 && file_space_total(&total_bytes, dir) == 0)
        disk_room_take(r, free_bytes, total_bytes);
}

void disk_room_observe(const struct disk_room *r, struct metric_set *metrics)
{
    metric_set_value(metrics, METRIC_DISK_FREE, (int64_t)r->free_bytes);
    metric_set_value(metrics, METRIC_DISK_TOTAL, (int64_t)r->total_bytes);
    metric_set_value(metrics, METRIC_DISK_WARNING, r->below[DISK_WARN]);
    metric_set_value(metrics, METRIC_DISK_NO_COMPACTION, r->below[DISK_STOP_COMPACTION]);
    metric_set_value(metrics, METRIC_DISK_PAUSED, r->below[DISK_PAUSE]);
}
