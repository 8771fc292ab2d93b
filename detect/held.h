/*
 * detect/held.h - private to detect/: findings about a shared address that wait for who is behind it.
 *
 *   finding of a row of a proxy or of a translated address
 *        origin known                      -> told of the host
 *        rows of hosts come here, too      -> held as long as they come behind (detect/lag.h), which
 *                                             may be not at all; HELD_NS at most
 *             the host's row comes         -> told of the host, where it means this connection alone
 *             time is over                 -> told of the host that is alone by then, else as it was
 *
 * Time is over by the arrival of any row, or by a tick. Rows that do not arrive at the time of the
 * ticks (a backlog, a broker's wrong clock) tell nothing of time: what they cause waits HELD_NS of
 * ticks.
 *
 * A finding that is told of a host has it in the place of the shared address, and explains: `via`
 * (that address), `joined_by`, `joined_confidence` and `joined_line`, the row that names the host.
 *
 * Ownership: flat, in the tenant's state.
 * Threads:   the tenant's owner.
 * Failures:  none: where HELD_MAX wait, the one that waited longest goes on with what is known.
 */
#pragma once

#include "detect/lag.h"

enum held_limits {
    HELD_MAX = 64,
    HELD_NAME_BYTES_MAX = 640, /* of all items of a finding, each with its NUL */
};

#define HELD_NS LAG_MOST_NS

struct held_item {
    uint16_t name; /* in names */
    uint16_t at;   /* in values */
    uint16_t len;
    uint8_t key;
    uint8_t kind;
};

/* Without padding: a state is its bytes. */
struct held {
    int64_t due_ns;
    int64_t window_ns;
    int64_t time_ns;
    int64_t arrival_ns;
    int64_t offset;
    uint64_t rule;        /* key of it; 0 = none */
    uint64_t translation; /* the keys of struct origin_trace */
    uint64_t transfer;
    uint64_t request;
    uint64_t site;
    uint64_t destination;
    double tail;
    struct ip via; /* the shared address */
    int32_t partition;
    uint32_t sub;
    uint32_t tenant;
    uint16_t log_source;
    uint16_t text_len;
    uint16_t name_len;
    uint8_t index; /* of the detector */
    uint8_t text;
    uint8_t important;
    uint8_t item_count;
    uint8_t cut;
    uint8_t scored;
    uint8_t ended;
    uint8_t amends;
    int8_t severity_step;
    uint8_t spare[5];
    struct held_item items[FINDING_ITEMS_MAX];
    char names[HELD_NAME_BYTES_MAX];
    char values[FINDING_TEXT_BYTES_MAX];
};

struct held_set {
    uint64_t count;
    int64_t due_ns;              /* of the first that is; meaningless while there are none */
    struct held items[HELD_MAX]; /* in the order of their coming; behind the last zeroes */
};

struct detect_run;

/*
 * Take the finding of the row at hand, if it is to wait or is of a host that is known. False: it is to
 * be delivered as it is, or as it has become.
 */
bool held_take(struct detect_run *run, struct finding *f);
/* A host's own row came: who waited for it goes on. */
void held_meet(struct detect_run *run, const struct origin_trace *trace);
/* Nobody ticked for so long: rows of hosts that came meanwhile are still to be read. */
void held_delay(struct held_set *set, int64_t by_ns);
/* Those whose time is over by now go on; with INT64_MAX all. */
void held_release(struct detect_run *run, int64_t now_ns);
void held_gaps(const struct held_set *set, struct gaps *out);

/* Deliver a finding; detect_fire() without the wait. Defined in run.c. */
void detect_deliver(struct detect_run *run, struct finding *f);
