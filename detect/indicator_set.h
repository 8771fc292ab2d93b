/*
 * detect/indicator_set.h - indicators of compromise of all lists, and the question whether a value
 * is one.
 *
 *   lists --indicator_set_new()--> set --indicator_find_...()--> handle --indicator_describe()--> why
 *
 *   hash of a value --> filter (2 bytes an entry) --> slots (u32: 8 bits of hash, number of an entry)
 *                                                        |
 *                        entries (place of the text, origins) --> text, compared whole
 *                                                        |
 *                        origins: which feeds name it, each until when (shared by equal entries)
 *
 * Hashes are keyed with a seed of the process: whoever fills a list or a log cannot choose
 * collisions; and a hit compares the whole text, so a hit is never false. About 34 bytes an entry
 * with names of 19 bytes.
 *
 * What matches: an entry (detect/indicator_key.h) in the one spelling of both sides. A domain
 * matches the name and all below it. A URL without a query matches with any query; its scheme does
 * not matter, nor the ports 80 and 443. The most specific entry that lives is the answer:
 * address:port before address before the narrowest network; the longest domain; URL with query,
 * without query, all of the host's port, path on any host.
 *
 * An entry lives while one feed that names it says so: times are the caller's (of the event or of
 * the tick), never the clock's. Several feeds that name the same entry are all told, up to
 * INDICATOR_FEEDS_MAX, the others counted; a feed that names it twice counts once, with the later
 * expiry.
 *
 * Ownership: the set copies what it keeps; answers borrow from it.
 * Threads:   immutable, any number of readers.
 * Failures:  when made: ERR_NOMEM, ERR_RANGE (past a limit, with a finding), ERR_CONF (a list that
 *            cannot be read at all); bad lines are findings and do not stop it. A lookup of what is
 *            no address, name or URL finds nothing.
 */
#pragma once

#include "detect/indicator_list.h"

enum indicator_set_limits {
    INDICATOR_LISTS_MAX = 1024,
    INDICATOR_ENTRIES_MAX = (1 << 24) - 2,
    INDICATOR_TEXT_BYTES_MAX = 1 << 30, /* of all entries */
    INDICATOR_FEEDS_MAX = 8,            /* told of an entry */
    INDICATOR_FINDINGS_MAX = 20,        /* told of a list, the others counted */
    INDICATOR_REFUSED_MANY = 100,       /* bad lines of a list; or one in a hundred: said loudly */
    INDICATOR_NAME_BYTES_MAX = 255,     /* of a feed or a version; what is longer is cut */
};

struct indicator_set;

/* Whether anybody may register names below it (co.jp): such an entry is refused. Context is first. */
struct indicator_suffixes {
    bool (*is_suffix)(const void *context, const char *name);
    const void *context;
};

/* What became of a list's lines. */
struct indicator_counts {
    uint32_t lines;    /* entries read, good or bad */
    uint32_t added;    /* were new */
    uint32_t shared;   /* an earlier list has them too */
    uint32_t repeated; /* this list has them already */
    uint32_t refused;
    uint32_t known;  /* were left out: see indicator_set_new_entries() */
    uint32_t unused; /* are no lines: elements of a feed that no list holds */
};

/*
 * Make the set of `count` lists; 0 gives an empty one. `suffixes` NULL checks no public suffixes.
 * Findings go to `diag`, also on success.
 */
int indicator_set_new(struct indicator_set **out, const struct indicator_source *sources,
                      size_t count, const struct indicator_suffixes *suffixes, struct diag *diag);

/* A set of earlier lists, and the time at which its entries must live to count. */
struct indicator_known {
    const struct indicator_set *set;
    int64_t at_ns;
};

struct indicator_news {
    const struct indicator_suffixes *suffixes; /* as above */
    struct indicator_known known;              /* set NULL: nothing is known */
};

/* The same of those entries alone that are not known yet. */
int indicator_set_new_entries(struct indicator_set **out, const struct indicator_source *sources,
                              size_t count, const struct indicator_news *news, struct diag *diag);
/* NULL is allowed. */
void indicator_set_free(struct indicator_set *set);

size_t indicator_set_lists(const struct indicator_set *set);
struct indicator_counts indicator_set_counts(const struct indicator_set *set, size_t list);
/* Append what the list's counts.unused are: "12 sha256, 3 revoked". */
void indicator_set_print_unused(struct buf *out, const struct indicator_set *set, size_t list);
size_t indicator_set_entries(const struct indicator_set *set);
/* All memory of the set. */
size_t indicator_set_bytes(const struct indicator_set *set);

/* Lookups: 0, or the handle of the entry that lives at `at_ns`. */
uint32_t indicator_find_address(const struct indicator_set *set, const struct ip *ip, uint16_t port,
                                int64_t at_ns);
/* The address will be looked for in a moment: ask the memory for what ends most lookups. */
void indicator_ahead(const struct indicator_set *set, const struct ip *ip);
/* Any spelling of a host name. */
uint32_t indicator_find_domain(const struct indicator_set *set, struct slice host, int64_t at_ns);
uint32_t indicator_find_url(const struct indicator_set *set, struct slice url, int64_t at_ns);
/* A URL in the parts that a line of a log has; without a host only paths are looked for. */
uint32_t indicator_find_url_parts(const struct indicator_set *set, const struct indicator_url *url,
                                  int64_t at_ns);
uint32_t indicator_find_agent(const struct indicator_set *set, struct slice agent, int64_t at_ns);

/* Whether the entry lives at a time: a handle that was found for another time may be asked again. */
bool indicator_is_live(const struct indicator_set *set, uint32_t handle, int64_t at_ns);

struct indicator_feed {
    struct slice name;
    struct slice version;
    int64_t expires_ns; /* INT64_MAX = never */
};

struct indicator_info {
    enum indicator_kind kind;
    struct slice text; /* the entry in its one spelling; of addresses it lies in `scratch` */
    struct indicator_feed
        feeds[INDICATOR_FEEDS_MAX]; /* those that live, in the order of the lists */
    size_t feed_count;
    size_t feeds_more; /* feeds past INDICATOR_FEEDS_MAX, living or not */
    char scratch[64 + SLICE_PADDING_BYTES];
};

/* Why it is a hit: needs a handle of this set. */
void indicator_describe(struct indicator_info *out, const struct indicator_set *set,
                        uint32_t handle, int64_t at_ns);
