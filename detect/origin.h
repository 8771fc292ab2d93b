/*
 * detect/origin.h - private to detect/: which host stands behind a proxy or a translated address.
 *
 *   row of a host itself          translated address and port, or what it asked a proxy for
 *        --origin_note()-->       a tie: key of the connection, host, time, where the row stands
 *   row of a shared address       the same key
 *        --origin_find()-->       the host, if there is one alone that it can be
 *
 * A translation is known by both ends' addresses and ports. What a proxy was asked for is many
 * people's, and so is the address that a request went to, which a firewall outside of the proxy has
 * alone; they name a host only where no other asked at the time, which is known when all rows of that
 * time have come: who waits asks again then (detect/held.h).
 *
 * Ownership: one flat block in the tenant's state.
 * Threads:   the tenant's owner.
 * Failures:  none: what finds no room evicts.
 */
#pragma once

#include "detect/detector.h"
#include "detect/table.h"

/* What a row says of its connection beside the flow; zeroes: nothing. */
struct origin_trace {
    uint64_t translation; /* key of source.nat or of the source itself, and the destination */
    uint64_t transfer;    /* of host and path asked for, and of the bytes that came back */
    uint64_t request;     /* of host and path */
    uint64_t site;        /* of the host alone: a tunnel's row has no path */
    uint64_t destination; /* of the address that a request went to; of a row without one */
    struct ip forwarded;  /* the host of X-Forwarded-For, as a trusted proxy wrote it */
    bool has_forwarded;
};

enum origin_way {
    ORIGIN_UNKNOWN = 0,
    ORIGIN_FORWARDED,
    ORIGIN_TRANSLATION,
    ORIGIN_REQUEST,
    ORIGIN_DESTINATION,
    ORIGIN_WAYS,
};

/* A host, and the row that names it: the last of those that stand near to each other. */
struct origin {
    struct ip host;
    int64_t time_ns;
    int64_t offset;
    uint32_t before_ms; /* from the first to it */
    int32_t partition;
    uint32_t sub;
    uint16_t log_source;
    uint16_t way; /* enum origin_way */
};

struct origin_set {
    struct table ties;
    int64_t noted_tick_ns[ORIGIN_WAYS]; /* at which a host's own row was last noted; 0 = never */
};

/* Whom a key can mean near a time. */
enum origin_near {
    ORIGIN_NOBODY = 0,
    ORIGIN_ONE,
    ORIGIN_SEVERAL,
};

/* Between the rows of one connection, of one request, of a request and its connection's end. */
#define ORIGIN_TRANSLATION_NS (60 * INT64_C(1000000000))
#define ORIGIN_REQUEST_NS     (5 * INT64_C(1000000000))
#define ORIGIN_DESTINATION_NS (120 * INT64_C(1000000000))

size_t origin_bytes(enum detect_class size);
/* Of a zeroed block that `set` is in; `memory` is origin_bytes() long. */
void origin_init(struct origin_set *set, void *memory, enum detect_class size);

/* A row of a host itself. */
void origin_note(struct origin_set *set, const struct origin_trace *trace, const struct flow *flow,
                 int64_t tick_ns);
/* Who is behind a row at `time_ns` by one way of the table of ties; *out only with ORIGIN_ONE. */
enum origin_near origin_near(struct origin *out, struct origin_set *set,
                             const struct origin_trace *trace, enum origin_way way,
                             int64_t time_ns);
/* False: nobody, or one of several. */
bool origin_of_translation(struct origin *out, struct origin_set *set,
                           const struct origin_trace *trace, int64_t time_ns);
/* The same by all that the trace has. */
bool origin_find(struct origin *out, struct origin_set *set, const struct origin_trace *trace,
                 int64_t time_ns);
/* Whether rows of hosts themselves that have keys of the way have come lately; ORIGIN_UNKNOWN: of any. */
bool origin_is_fed(const struct origin_set *set, enum origin_way way, int64_t tick_ns);
/* Whether a trace has a key of the way. */
bool origin_has_key(const struct origin_trace *trace, enum origin_way way);
/* How far the rows of one connection stand apart at most. */
int64_t origin_window(enum origin_way way);
