/*
 * tests/detect/fake_run.h - a detector alone: its state, flows and ticks by hand, findings recorded.
 *
 * Defines the detect_*() functions of detect/detector.h for whoever links it in place of
 * detect/run.c. State is allocated at an address without meaning and may be moved by
 * fake_run_move(), so that a detector that keeps pointers falls over.
 *
 * Ownership: fake_run_begin() gives what fake_run_end() takes back.
 * Threads:   one owner.
 * Failures:  asserts.
 */
#pragma once

#include "detect/detector.h"

#define DETECTOR(name) extern const struct detector detector_##name;
#include "detect/detectors.def"
#undef DETECTOR

enum fake_limits {
    FAKE_FINDINGS_MAX = 4096, /* later ones are counted only */
    FAKE_TEXTS_MAX = 4096,
    FAKE_PREVALENCES_MAX = 1024,
};

struct fake_prevalence {
    uint64_t key;
    struct prevalence what;
};

struct detect_run {
    const struct detector *detector;
    void *state;
    size_t state_bytes;
    struct finding *findings; /* copies; .flow is NULL or points into `flows` */
    struct flow *flows;       /* of the findings */
    size_t finding_count;     /* recorded */
    uint64_t fired;
    uint64_t contributed;
    char *texts[FAKE_TEXTS_MAX];
    uint32_t text_count;
    struct fake_prevalence prevalence[FAKE_PREVALENCES_MAX];
    size_t prevalence_count;
    unsigned prevalence_tenants;
    unsigned source_count;
    int64_t tick_ns;
    int64_t since_ns;     /* CLOCK_NONE: the first flow's */
    int64_t watermark_ns; /* CLOCK_NONE: the last flow's */
    bool gap;
    const struct indicator_set *indicators;
    const struct policy *policy;
};

void fake_run_begin(struct detect_run *r, const struct detector *d, enum detect_class size);
void fake_run_end(struct detect_run *r);

/* Show a flow if its flags are what the detector asks for. */
void fake_run_flow(struct detect_run *r, const struct flow *f);
/* Every second from the last tick up to this one. */
void fake_run_ticks(struct detect_run *r, int64_t until_ns);
/* One tick. */
void fake_run_tick(struct detect_run *r, int64_t tick_ns);
/* Copy the state elsewhere, as a snapshot and its loading do. */
void fake_run_move(struct detect_run *r);
/* Forget the findings. */
void fake_run_clear(struct detect_run *r);

/* An id for a text. */
uint32_t fake_run_text(struct detect_run *r, const char *text);
void fake_run_prevalence(struct detect_run *r, uint64_t key, struct prevalence what);

/* A flow of addresses given as text; TCP, allowed, answered unless changed. Keys are set. */
struct flow fake_flow(const char *source, const char *destination, uint16_t port, int64_t time_ns);
/* Recompute the keys after an address or a name was changed. */
void fake_flow_keys(struct flow *f);
struct ip fake_ip(const char *text);

/* The value of an item as text, "" when it is not there; static until the next call. */
const char *fake_item(const struct finding *f, const char *name);
/* How many recorded findings are of that text and, unless NULL, have that item. */
size_t fake_count(const struct detect_run *r, unsigned text, const char *name, const char *value);
