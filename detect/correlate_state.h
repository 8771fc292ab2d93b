/*
 * detect/correlate_state.h - private to detect/correlate*.c: the memory of correlations.
 *
 *   table -> group (correlation, values of its group-by) -> entries, oldest first
 *              |                                             cells of one pool
 *              +-> what its type adds, and what of its text has no room in it: cells, too
 *   lane   the groups of one correlation, by the time of their newest entry
 *   waits  windows of groups that are decided when they are over, by their end
 *
 * Indices instead of pointers; everything has a fixed number of places in one block of pages, taken
 * from the front, so that what was never used is not resident. Where cells or groups run out, the
 * lane with most groups gives up its oldest one.
 *
 * Ownership: struct correlate owns all of it.
 */
#pragma once

#include <assert.h>
#include <stddef.h>

#include "detect/correlate.h"

#define CELL_NONE  UINT32_MAX
#define GROUP_FREE UINT16_MAX

enum {
    CELL_TEXT_BYTES = 20,
    GROUP_TEXT_BYTES = 24, /* the rest is in cells */
    GROUP_CELLS = 2,       /* places for cells to each for a group */
    CELLS_MIN = 1024,
    WAITS_PER_GROUP = 2, /* one, and one that a group before it left behind */
};

/* Flags of an entry. */
enum {
    ENTRY_VALUE = 1,  /* it has a value */
    ENTRY_LATEST = 2, /* value_count: no later entry of the group has the same */
    ENTRY_KEPT = 4,   /* during entries_thin() */
};

/* Flags of a group. */
enum {
    GROUP_FIRED = 1, /* since its window was empty */
    GROUP_ARMED = 2, /* a window waits for its end */
};

/* What a window holds: one match of one group; or a group's tally, or a piece of its text. */
struct cell {
    union {
        struct {
            int64_t time_ns;
            union {
                uint64_t event; /* temporal */
                double value;
                uint64_t hash; /* value_count: keyed, of the group and the value */
            };
            uint8_t reference;
            uint8_t flags;
            uint16_t spare;
            uint32_t next;
        };
        struct {             /* tally of a value_sum or value_avg */
            double sum;      /* of the whole values, so that it is exact */
            uint64_t broken; /* entries whose value is no whole number below 1e15 */
        };
        struct {              /* tally of a temporal condition with `not` */
            int64_t armed_ns; /* begin of the window that waits */
            uint64_t generation;
        };
        char text[CELL_TEXT_BYTES];
    };
};

struct group {
    uint32_t hash;        /* low half of the keyed one; the whole is that of the text */
    uint32_t chain;       /* next group + 1 of its place in the table */
    uint32_t first;       /* entries, oldest first; none only while it is made */
    uint32_t last;        /* its time is that of the group */
    uint32_t older;       /* within its correlation, by time */
    uint32_t newer;       /* free groups: the next free one */
    uint32_t count;       /* entries */
    uint32_t values;      /* of value_count: different ones; else entries with a value */
    uint32_t more;        /* its tally, where its type has one, and more of its text behind */
    uint16_t correlation; /* index in the set; GROUP_FREE */
    uint8_t flags;
    uint8_t spare; /* no byte of a snapshot is left to chance */
    char text[GROUP_TEXT_BYTES];
};

static_assert(sizeof(struct cell) == 24 && offsetof(struct cell, next) == CELL_TEXT_BYTES,
              "a text ends where the link is");
static_assert(sizeof(struct group) == 64, "a group is a line of the cache");
static_assert((int)SIGMA_RULES_MAX < (int)GROUP_FREE, "a correlation has a number");

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
    void *block; /* of what follows, up to numbers */
    size_t block_bytes;
    struct cell *cells;
    struct group *group_items;
    uint32_t *table;  /* group + 1 by hash, as many as groups */
    uint32_t *values; /* cell + 1 by hash; none where no correlation is a value_count */
    struct wait *waits;
    double *numbers; /* working memory: the values of a window */
    struct lane *lanes;
    uint64_t seed;
    uint64_t *seeds; /* of the hashes of groups, by correlation: of its id, whatever its place */
    uint32_t cell_count;
    uint32_t cell_used; /* from the front, free ones among them */
    uint32_t cell_free;
    uint32_t group_count;
    uint32_t group_used;
    uint32_t group_free;
    uint32_t value_count;
    uint32_t wait_cap; /* 0 where no correlation has to wait */
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
    struct slice values[SIGMA_GROUP_FIELDS_MAX]; /* set by group_key() alone */
    char text[CORRELATE_GROUP_BYTES_MAX];        /* u16 length and bytes of each value */
    size_t len;
    uint64_t hash;
};

static inline struct sigma_correlation *correlation_at(const struct correlate *c, uint32_t rule)
{
    return c->set->rules[rule].correlation;
}

/* Do its groups add up values? */
static inline bool is_summed(const struct sigma_correlation *s)
{
    return s->type == SIGMA_VALUE_SUM || s->type == SIGMA_VALUE_AVG;
}

/* Do its groups have a tally? */
static inline bool has_tally(const struct sigma_correlation *s)
{
    return s->has_not || is_summed(s);
}

static inline struct cell *tally_of(const struct correlate *c, const struct group *g)
{
    return &c->cells[g->more];
}

/* The keyed hash of a correlation's group: by the id of the correlation, whatever its place. */
uint64_t key_hash(const struct correlate *c, uint32_t correlation, struct slice text);

/* The group of a key, or CELL_NONE; group_find() makes it where it is new and there is room. */
uint32_t group_seek(const struct correlate *c, uint32_t correlation, const struct key *key);
uint32_t group_find(struct correlate *c, uint32_t correlation, const struct key *key);
bool group_is(const struct correlate *c, uint32_t group, const struct key *key);
/* The key of a group that is there; false where its lengths do not fit, as damage makes them. */
bool group_key(const struct correlate *c, uint32_t group, struct key *out);
void group_drop(struct correlate *c, uint32_t group);
/* It has the newest entry of its lane now. */
void group_touch(struct correlate *c, uint32_t group);

/* Put a group that is not there, or the newest cell of a value, into its hash table. */
void group_enter(struct correlate *c, uint32_t group);
/* false: there is one of the same hash. */
bool value_enter(struct correlate *c, uint32_t at);

/* A cell; groups but the spared one give way. CELL_NONE where none can. */
uint32_t cell_take(struct correlate *c, uint32_t spared);
/* Is the number one that sums stay exact with? */
bool is_whole(double number);
/* Count an entry of the group that is filled; the first entry of a group goes. */
void entry_count(struct correlate *c, uint32_t group, uint32_t at);
/* The same of one that becomes the newest: it is put behind the others. */
void entry_append(struct correlate *c, uint32_t group, uint32_t at);
void entry_drop(struct correlate *c, struct group *g);
/* Entries without ENTRY_KEPT go, the others lose the mark. Of groups without values, whose last stays. */
void entries_sweep(struct correlate *c, struct group *g);
/*
 * Of a temporal correlation without `not`, when all of an event is in: entries that no window will need
 * beside the others go, so that an event costs by the number of rules, not of events.
 */
void entries_thin(struct correlate *c, uint32_t group);

/* The window that begins at `from_ns` waits for its end; one of a group at a time. */
void wait_arm(struct correlate *c, uint32_t group, int64_t from_ns);
/* The window that is over at `now_ns`, the earliest end first; false when there is none. */
bool wait_next(struct correlate *c, int64_t now_ns, struct wait *out);
/* Does a group still wait for it? */
bool wait_is_live(const struct correlate *c, const struct wait *w);
bool wait_before(const struct wait *a, const struct wait *b);
