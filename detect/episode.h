/*
 * detect/episode.h - private to detect/: findings of one thing become one alert with revisions.
 *
 *   finding -> key -> open episode within its window? -> count, evidence -> amended at a tick
 *                     none                            -> new episode     -> released at once
 *
 * A key has at most two episodes open at a time: a late row may lie between them, then they become
 * one, and the later one is superseded.
 *
 * Ownership: episodes are flat and live in the tenant's block.
 * Threads:   the tenant's owner.
 * Failures:  a full table ends its least recently used episode, which is released first.
 */
#pragma once

#include "detect/detector.h"
#include "detect/finding.h"
#include "detect/table.h"

struct detect_run;

enum episode_limits {
    EPISODE_ITEM_BYTES_MAX = 800, /* group keys and explained numbers */
    EPISODE_PLACE_NONE = 255,
};

#define EPISODE_AMEND_NS (60 * INT64_C(1000000000)) /* between two revisions */

/* Where a row stands. */
struct episode_place {
    int64_t offset;
    int32_t partition;
    uint32_t sub;
    uint32_t log_source; /* EPISODE_PLACE_NONE: the tick at `offset` */
    uint32_t spare;
};

/* Why nothing is released of an episode. When the reason is gone, what goes on is a new episode. */
enum episode_silence {
    EPISODE_HEARD, /* it is */
    EPISODE_SUPPRESSED,
    EPISODE_CAPPED,
};

struct episode {
    uint64_t key;
    struct alert_id id;
    int64_t first_ns;
    int64_t last_ns;
    int64_t arrival_ns; /* of the first row; 0 = the tick's */
    int64_t window_ns;
    int64_t released_tick_ns;
    int64_t tick_ns; /* at which it began */
    uint64_t count;
    double tail;   /* of the strongest finding */
    uint64_t rule; /* key of the rule whose words are told; 0 = the detector's text */
    uint32_t revision;
    uint32_t tenant; /* as in struct finding */
    uint16_t item_bytes;
    uint8_t detector;
    uint8_t text;
    uint8_t severity;
    uint8_t dirty;  /* something was added since the last revision */
    uint8_t silent; /* enum episode_silence */
    uint8_t place_count;
    uint8_t cut; /* items that found no room */
    uint8_t spare[7];
    struct episode_place places[ALERT_EVIDENCE_MAX]; /* [0] the row that first fired */
    char items[EPISODE_ITEM_BYTES_MAX];
};

struct episode_set {
    struct table table;
    int64_t due_tick_ns; /* no revision is due before */
    int64_t due_mark_ns; /* no window has emptied before the watermark is there */
};

size_t episode_bytes(enum detect_class size);
void episode_init(struct episode_set *set, void *memory, enum detect_class size);

/* Open or add to an episode. Counts and scores of the day are the caller's. */
void episode_take(struct detect_run *run, const struct finding *f);
/* Whether a finding would open a new one. */
bool episode_is_new(struct detect_run *run, const struct finding *f);
/* Revisions that are due and episodes whose window is empty; all of them when `end`. */
void episode_tick(struct detect_run *run, int64_t tick_ns, int64_t watermark_ns, bool end);

/* The keyed hash of a finding's detector, text and group key. */
uint64_t episode_key(struct detect_run *run, const struct finding *f);
/* The open episode of an id, or NULL. */
struct episode *episode_of_id(struct episode_set *set, const struct alert_id *id);
/* Release a last revision with that state and forget it; `reason` may be empty. */
void episode_close(struct detect_run *run, struct episode *e, enum alert_state state,
                   struct slice reason);

/* Whether a person's suppression or the hour's cap keeps a new episode back; it is counted. */
enum episode_silence detect_withheld(struct detect_run *run, const struct finding *f,
                                     uint8_t severity);
/* The same, but nothing is counted. */
enum episode_silence detect_silence_of(const struct detect_run *run, const struct finding *f,
                                       uint8_t severity);

/* Items of an episode, one behind the other; *at starts at 0. */
struct episode_item {
    struct slice name;
    struct slice value;
    bool key;
    uint8_t kind;
};
bool episode_next_item(struct episode_item *out, const struct episode *e, size_t *at);
