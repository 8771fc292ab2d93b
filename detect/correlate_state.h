/*
 * detect/correlate_state.h - private to detect/correlate*.c: the memory of correlations.
 *
 *   table -> group (correlation, values of its group-by) -> entries, oldest first
 *              |                                             cells of one pool
 *              +-> text of its values: cells, too
 *   lane   the groups of one correlation, by the time of their newest entry
 *   waits  windows of groups that are decided when they are over, by their end
 *
 * Indices instead of pointers; everything has a fixed number of places. Where cells or groups run
 * out, the lane with most groups gives up its oldest one.
 *
 * Ownership: struct correlate owns all of it.
 */
#pragma once

#include "base/hash.h"
#include "detect/correlate.h"

#define CELL_NONE UINT32_MAX

enum {
    CELL_TEXT_BYTES = 28,
    GROUP_CELLS = 2, /* a group takes two cells' worth of memory */
    CELLS_MIN = 1024,
    WAITS_PER_GROUP = 2, /* one, and one that a group before it left behind */
};

/* Flags of an entry. */
enum {
    ENTRY_VALUE = 1,  /* it has a value */
    ENTRY_LATEST = 2, /* value_count: no later entry of the group has the same */
};

/* What a window holds: one match of one group; or a piece of a group's text. */
struct cell {
    union {
        struct {
            int64_t time_ns;
            union {
                uint64_t event; /* temporal */
                uint64_t group; /* value_count */
            };
            union {
                double value;
                uint64_t hash; /* value_count: of the value */
            };
        };
        char text[CELL_TEXT_BYTES - 4];
    };
    uint32_t next;
    uint8_t reference;
    uint8_t flags;
    uint16_t spare;
};

struct group {
    uint64_t hash;
    int64_t last_ns;      /* of its newest entry */
    uint32_t correlation; /* index in the set; CELL_NONE: free */
    uint32_t first;       /* entries, oldest first */
    uint32_t last;
    uint32_t text;
    uint32_t older;     /* by last_ns, within its correlation */
    uint32_t newer;     /* free groups: the next free one */
    uint32_t count;     /* entries */
    uint32_t valued;    /* entries with a value */
    uint32_t distinct;  /* values, of value_count */
    uint32_t fractions; /* entries whose value is no whole number below 1e15 */
    uint32_t generation;
    uint32_t spare4;
    double sum;       /* of the whole ones, so that it is exact */
    int64_t armed_ns; /* begin of the window that waits for its end */
    bool armed;
    bool fired;       /* since its window was empty */
    uint8_t spare[6]; /* no byte of a snapshot is left to chance */
};

/* A window that waits for its end; a heap by (end, group). */
struct wait {
    int64_t end_ns;
    uint32_t group;
    uint32_t check; /* the group's generation: it may be another one by then */
};

/* One correlation's share: its groups by age. */
struct lane {
    uint32_t oldest;
    uint32_t newest;
    uint32_t groups;
    uint32_t keep; /* entries that can matter */
};

struct correlate {
    const struct sigma_set *set;
    const uint32_t *order; /* correlations that run */
    uint32_t order_count;
    bool tells_joining;
    struct cell *cells;
    struct group *group_items;
    uint32_t *table;  /* group + 1 by hash */
    uint32_t *values; /* cell + 1 by hash of (group, value), of value_count */
    struct wait *waits;
    struct lane *lanes;
    double *numbers; /* working memory: the values of a window */
    uint64_t seed;
    uint64_t *seeds; /* of the hashes of groups, by correlation: of its id, whatever its place */
    uint32_t cell_count;
    uint32_t cell_used; /* from the front, free ones among them */
    uint32_t cell_free;
    uint32_t group_count;
    uint32_t group_used;
    uint32_t group_free;
    uint32_t table_mask;
    uint32_t value_mask;
    uint32_t wait_count;
    uint32_t generations;
    uint64_t evictions;
    uint64_t cuts;
    uint64_t ungrouped;
    uint32_t *fired; /* correlations that fired at the event at hand */
    uint32_t fired_count;
};

/* A group as it is looked for. */
struct key {
    struct slice values[SIGMA_GROUP_FIELDS_MAX];
    char text[CORRELATE_GROUP_BYTES_MAX]; /* u16 length and bytes of each value */
    size_t len;
    uint64_t hash;
};

static inline struct sigma_correlation *correlation_at(const struct correlate *c, uint32_t rule)
{
    return c->set->rules[rule].correlation;
}

/* Of a key whose text is filled. */
static inline uint64_t group_hash(const struct correlate *c, uint32_t correlation,
                                  const struct key *key)
{
    return hash_bytes(c->seeds[correlation], key->text, key->len);
}

/* The group of a key, made where it is new; CELL_NONE where there is no room at all. */
uint32_t group_find(struct correlate *c, uint32_t correlation, const struct key *key);
bool group_is(const struct correlate *c, uint32_t group, const struct key *key);
void group_drop(struct correlate *c, uint32_t group);
/* It has the newest entry of its lane now. */
void group_touch(struct correlate *c, uint32_t group);

/* Put a group, or the newest cell of a value, into its hash table. */
void group_enter(struct correlate *c, uint32_t group);
void value_enter(struct correlate *c, uint32_t at);
/* Forget every group. */
void correlate_reset(struct correlate *c);

/* A cell; groups but the spared one give way. CELL_NONE where none can. */
uint32_t cell_take(struct correlate *c, uint32_t spared);
/* Count an entry of the group that is filled; the first entry of a group goes. */
void entry_count(struct correlate *c, uint32_t group, uint32_t at);
void entry_drop(struct correlate *c, struct group *g);

/* The window that begins at `from_ns` waits for its end; one of a group at a time. */
void wait_arm(struct correlate *c, uint32_t group, int64_t from_ns);
/* The window that is over at `now_ns`, the earliest end first; false when there is none. */
bool wait_next(struct correlate *c, int64_t now_ns, struct wait *out);
