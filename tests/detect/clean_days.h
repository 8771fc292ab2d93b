/*
 * tests/detect/clean_days.h - days of generated traffic through the real parsers and the whole
 * detection, in one process: what `sekisho gen` and `sekisho replay` do, without files.
 *
 *   gen_next() -> feed of the device -> detect_add() -> detect_run_rows() -> alert()
 *                                       midnight: prevalence_next()
 *
 * Ownership: clean_days_run() owns everything; what callbacks get is lent for the call.
 * Threads:   one owner.
 * Failures:  asserts.
 */
#pragma once

#include "app/gen.h"
#include "detect/detect.h"

struct clean_days {
    struct gen_options gen;
    const struct indicator_set *indicators; /* or NULL */
    /* Each revision of an alert. May be NULL. */
    void (*alert)(void *self, const struct gen *gen, const struct detect_alert *alert);
    /* Each municipality at the end of the run. May be NULL. */
    void (*done)(void *self, const struct detect_tenant *tenant);
    /* A planted case that came out whole. May be NULL. */
    void (*label)(void *self, const struct gen_label *label);
    void *self;
};

/* Returns the number of lines. */
uint64_t clean_days_run(const struct clean_days *days);
