/*
 * detect/scan_flow.h - what a flow says to the detectors of scans, D3 and D4.
 *
 * A contact is refused by the device, or dies without an answer, or is answered. A line that says
 * neither (a session's beginning) says nothing, unless its source never tells
 * bytes: then let through counts as answered.
 *
 * Scanners ask for what others do not have: of every target (address and port) is remembered
 * whether it ever answered anybody and whether several sources ask for it. Programs that a whole
 * office runs are denied the same updates and advertisements everywhere; that is no scan.
 *
 * Before the LGWAN only refusals are logged: what is not one says nothing there.
 *
 * Ownership: plain values; the set lies in the detector's state.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "detect/contact_set.h"
#include "detect/flow.h"
#include "detect/scan_walk.h"

enum scan_outcome {
    SCAN_SILENT = 0, /* says nothing */
    SCAN_REFUSED,
    SCAN_ANSWERED,
};

enum scan_flow_limits {
    SCAN_PORT_EPHEMERAL = 32768, /* handed out at random by programs from here on */
    SCAN_TARGET_POPULAR = 3,     /* sources that make a target everybody's */
};

/* What is known of a target that refused, as flags. */
enum scan_target {
    SCAN_TARGET_ANSWERS = 1, /* it answered somebody */
    SCAN_TARGET_SHARED = 2,  /* SCAN_TARGET_POPULAR sources or more asked for it */
};

/*
 * Flows that no detector of scans counts: to groups and broadcast addresses; what looks like a late
 * reply (from a well-known port to a high one); traceroute; web over UDP, which browsers try first
 * and do without; requests by name, since names are not guessed.
 */
bool scan_flow_is_noise(const struct flow *f);

/* *tells: a bit for each log source that ever told bytes; updated. */
enum scan_outcome scan_flow_outcome(const struct flow *f, uint64_t *tells);

/* Not SCAN_PORTS. A log of translated addresses is read as seen from outside. */
enum scan_kind scan_flow_kind(const struct flow *f);

/* Whether scanners ask for the port and ordinary programs do not ask many hosts for it. */
bool scan_port_is_sought(uint16_t port);

/* The target will be asked for in a moment. */
void scan_target_ahead(const struct contact_set *targets, const struct flow *f);

/* An answer, and a refusal: what was known before it (enum scan_target). */
void scan_target_answered(struct contact_set *targets, const struct flow *f);
unsigned scan_target_refused(struct contact_set *targets, const struct flow *f);
/* What a refused first contact tells, in quarters, with what was known of its target. */
unsigned scan_target_weight(const struct flow *f, enum scan_kind kind, unsigned known);
