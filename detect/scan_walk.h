/*
 * detect/scan_walk.h - the walk that tells a scanner from a host that meets dead ends.
 *
 * Threshold random walk (Jung, Paxson, Berger, Balakrishnan: Fast Portscan Detection Using
 * Sequential Hypothesis Testing, 2004) over *first* contacts: each refused one multiplies the
 * likelihood ratio scanner : normal by failure_scan / failure_normal, each accepted one by
 * (1 - failure_scan) / (1 - failure_normal). In logarithms
 *
 *   score = up * refused - down * accepted      ends unremarkable below 0, alarms at `bound`
 *
 * It differs from the paper in its lower end: a walk begins with the first refused contact and is
 * over as soon as it falls below where it began, so that nobody can collect accepted contacts
 * before a scan. The bound is the paper's, ln(detection / false_alarm). A walk that is neither over
 * nor at its bound after span_s begins anew.
 *
 * A walk at its bound has decided: what is accepted from then on is counted (`open`) but weighs
 * nothing, what is refused counts as before, and it ends SCAN_DECIDED_S after it was last told of.
 *
 * Contacts that say less than others count in quarters (SCAN_WHOLE), refused and accepted alike.
 *
 * `nominal` is the probability that a walk over independent whole contacts, of which failure_normal
 * are refused, reaches the bound: exact, by summing over all walks; tests/detect/test_scan.c sums
 * again and lets walks run.
 *
 * Ownership: plain values.
 * Threads:   one owner; rules are immutable.
 * Failures:  none; counts stop at 65,535.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum scan_units {
    SCAN_WHOLE = 4,
    SCAN_DECIDED_S = 24 * 3600,
    SCAN_MORE_LEAST = 14,  /* different refused contacts, met before or not, in SCAN_MORE_S: */
    SCAN_MORE_S = 10 * 60, /* the scan goes on */
    SCAN_MORE_GAP_S = 60,  /* from one telling to the next for that reason */
};

/* What a walk is about; each has one rule. */
enum scan_kind {
    SCAN_OUT = 0,  /* hosts outside, on ports that people's programs do not use all day */
    SCAN_EVERYDAY, /* hosts on web, name, time and push ports: much fails there by itself */
    SCAN_INSIDE,   /* hosts of the municipality */
    SCAN_PORTS,    /* ports of one host */
    SCAN_INBOUND,  /* a source outside, on any host and port */
    SCAN_LGWAN,    /* any source at the firewall before the LGWAN, on any host and port */
    SCAN_KINDS,
};

struct scan_rule {
    const char *name;
    double failure_normal; /* share of first contacts refused to who does not scan */
    double failure_scan;   /* and to who does */
    double detection;      /* of scanners, that reach the bound */
    double false_alarm;    /* Wald's limit per walk */
    double up;             /* ln(failure_scan / failure_normal) */
    double down;           /* -ln((1 - failure_scan) / (1 - failure_normal)) */
    double bound;          /* ln(detection / false_alarm) */
    double nominal;        /* probability per walk; see above */
    uint32_t span_s;
};

/* An entry of a table. */
struct scan_walk {
    uint64_t key;
    uint32_t start_s;         /* event time of the first refused contact; seconds since 1970 */
    uint32_t told_s;          /* when it was last told of */
    uint32_t weight_refused;  /* of first contacts, in quarters */
    uint32_t weight_accepted; /* the same */
    uint16_t refused;         /* first contacts */
    uint16_t accepted;        /* the same */
    uint16_t port; /* that more than half of the refused ones went to, if port_votes says so */
    uint16_t told; /* value of refused when it was last told of; 0 = below the bound so far */
    uint8_t port_votes;
    uint8_t kind;     /* enum scan_kind */
    uint16_t open;    /* first contacts accepted after the bound; they have no weight */
    uint32_t more_at; /* which span of SCAN_MORE_S `more` is about */
    uint64_t more;    /* refused contacts in it, a bit of 64 for each */
};

const struct scan_rule *scan_rule_of(enum scan_kind kind);

double scan_walk_score(const struct scan_walk *w);

/* Begin anew where the walk is older than its span (or its clock jumped). True: it was. */
bool scan_walk_expire(struct scan_walk *w, int64_t time_ns);
/* A first contact was refused; `weight` of at most SCAN_WHOLE says how much that tells. */
void scan_walk_refuse(struct scan_walk *w, unsigned weight, uint16_t port, int64_t time_ns);
/* A first contact was accepted, that tells so much. True: the walk is over. */
bool scan_walk_accept(struct scan_walk *w, unsigned weight);
/* One that was counted as refused was accepted in the end. True: the walk is over. */
bool scan_walk_forgive(struct scan_walk *w, unsigned weight);
/* Whether the walk is at its bound, or was. */
bool scan_walk_alarms(const struct scan_walk *w);
/*
 * Whether there is something to tell: the walk is at its bound for the first time, or twice as much
 * was refused as when it was last told of. It is then taken as told.
 */
bool scan_walk_tell(struct scan_walk *w, int64_t time_ns);
/*
 * A contact, by its hash, was refused to a walk at its bound, be it a first one or not. True: tell
 * that it goes on.
 */
bool scan_walk_more(struct scan_walk *w, uint64_t contact, int64_t time_ns);
/* The port that nearly all refused contacts went to, or 0. */
uint16_t scan_walk_port(const struct scan_walk *w);
