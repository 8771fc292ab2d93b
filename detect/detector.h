/*
 * detect/detector.h - the extension point: what a detector is, and what it may ask.
 *
 * A detector is one file detector_<name>.c that defines `const struct detector detector_<name>`,
 * and one line in detectors.def. docs/adding-a-detector.md shows how.
 *
 * Its state is one flat block of the tenant's, of a size fixed by the tenant's size class: no
 * pointers, no padding that holds anything (a snapshot is a copy of the bytes), tables from
 * detect/table.h inside. Flows come one by one in the order of the tenant's history; event times
 * may go back within lateness. Arithmetic is in event time. Nothing but flows and ticks may change
 * what a detector says: no clock, no randomness, no address of memory, no libm beyond sqrt
 * (detect/real.h has the rest).
 *
 * Ownership: the frame owns the block.
 * Threads:   the tenant's owner.
 * Failures:  none: a detector that has no room evicts, and counts it.
 */
#pragma once

#include "detect/finding.h"
#include "detect/table.h"
#include "event/alert.h"

struct detect_run; /* the call at hand: which tenant, which tick */

enum detect_class {
    DETECT_SMALL = 0,  /* up to 1,000 hosts */
    DETECT_MEDIUM,     /* up to 4,000 */
    DETECT_LARGE,      /* up to 16,000 */
    DETECT_PREFECTURE, /* no municipality: what they tell the prefecture of */
    DETECT_CLASSES,
};

/* Sizes of a class, for the tables of detectors. */
struct detect_size {
    uint32_t hosts;
    uint32_t destinations; /* domains and addresses, over 60 days */
    uint32_t pairs;        /* host x destination, over a day */
    uint32_t parties;      /* municipality x group of a correlation; 0 but in the prefecture */
};

/* What an alert of one kind says. {names} stand for values of the finding. */
struct detector_text {
    const char *name; /* part of the alert's identity; rule.name is "<id> <name>" */
    enum alert_severity severity;
    const char *technique; /* ATT&CK ids, blank separated; "" = none */
    const char *message_ja;
    const char *message_en;
    const char *action_ja;
    const char *action_en;
};

struct ladder;

struct detector {
    const char *id;  /* alert.kind */
    uint8_t version; /* major; part of the alert's identity */
    uint8_t text_count;
    const struct detector_text *texts;
    uint16_t needs; /* flags of enum flow_flag that a flow must have */
    uint16_t
        avoids; /* and must not have; FLOW_EXCLUDED is never shown to a detector that says so */
    size_t (*bytes)(const struct detect_size *size);           /* of its state, a multiple of 8 */
    void (*init)(void *state, const struct detect_size *size); /* of a zeroed block */
    /* What is still as init() left it, zeros, in the order of addresses; NULL = look at all of it. */
    void (*gaps)(const void *state, struct gaps *out);
    void (*flow)(struct detect_run *run, void *state, const struct flow *flow);
    /*
     * A flow that comes a few flows later, twice (`near` the second time): ask the memory for what
     * flow() will look up first, and change nothing. NULL = not worth it.
     */
    void (*ahead)(const void *state, const struct flow *flow, bool near);
    /* Each second, also without flows; NULL = not interested. */
    void (*tick)(struct detect_run *run, void *state, int64_t tick_ns);
    /* Entries that its tables gave up so far; NULL = it has none. */
    uint64_t (*evictions)(const void *state);
    /* What the threshold of a text, or of a log source, rests on, and how it keeps its word
     * (detect/ladder.h); NULL past the last. NULL = it has none. */
    const struct ladder *(*ladder)(const void *state, unsigned index);
};

/* Raise a finding: opens an episode, adds to one, or goes to the digest. */
void detect_fire(struct detect_run *run, struct finding *f);

/* Text of an id of a flow; the empty slice for 0. */
struct slice detect_text(const struct detect_run *run, uint32_t id);
/* Names of a zone and of a log source. */
struct slice detect_zone_name(const struct detect_run *run, uint16_t zone);
struct slice detect_source_name(const struct detect_run *run, uint16_t log_source);
/* The name of a log format by flow.format. */
struct slice detect_format_name(const struct detect_run *run, uint8_t format);
unsigned detect_source_count(const struct detect_run *run);

uint32_t detect_tenant_code(const struct detect_run *run);
/* The tick at hand, or the last one while flows come. */
int64_t detect_tick_ns(const struct detect_run *run);
/* A span before this tick was not watched (restart): silence in it means nothing. */
bool detect_tick_gap(const struct detect_run *run);
/* Event time of the tenant's first flow: how long it has been learning. */
int64_t detect_since_ns(const struct detect_run *run);
/* No flow before this time is expected any more: min over sources, less their lateness. */
int64_t detect_watermark_ns(const struct detect_run *run);

/* What the prefecture knew of a destination at the last midnight. */
struct prevalence {
    uint16_t tenants;   /* municipalities that met it, this one included */
    uint16_t first_day; /* days since 1970-01-01 JST; 0 = never */
};
struct prevalence detect_prevalence(const struct detect_run *run, uint64_t destination_key);
/* Municipalities that the snapshot was made of; 0 = there is none yet. */
unsigned detect_prevalence_tenants(const struct detect_run *run);
/* Tell the prefecture, once a day and destination: counted in tomorrow's snapshot. */
void detect_contribute(struct detect_run *run, uint64_t destination_key);

struct indicator_set;
/* The lists of indicators, or NULL. */
const struct indicator_set *detect_indicators(const struct detect_run *run);
struct rule_set;
struct rule_hit;
/* The Sigma rules, or NULL; the rules that the row at hand holds, in the order of the set. */
const struct rule_set *detect_rules(const struct detect_run *run);
size_t detect_rule_hits(const struct detect_run *run, const struct rule_hit **out);
struct policy;
/* The municipality's zone matrix, or NULL (no zones configured). */
const struct policy *detect_policy(const struct detect_run *run);

/* Keyed hash of a few numbers, never 0: a key of a table. */
uint64_t detect_key(uint64_t a, uint64_t b);
