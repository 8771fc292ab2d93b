/*
 * app/background.h - a thread that does its work at regular moments.
 *
 *   moments are multiples of `every_ns` of the wall clock, plus `delay_ns`; when that clock is put back
 *   the next one still comes after every_ns at the latest
 *
 * Ownership: options are copied; `self` is borrowed until background_stop().
 * Threads:   the functions below from one thread; begin, look and run are called in another.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct background;

struct background_options {
    int64_t every_ns;
    int64_t delay_ns;
    void (*begin)(void *self);                  /* once, first; may be NULL */
    void (*look)(void *self);                   /* each second while it waits; may be NULL */
    void (*run)(void *self, atomic_bool *stop); /* ends soon once *stop is set */
    void *self;
};

int background_start(struct background **out, const struct background_options *options);
/* End it, soon; free it. NULL is allowed. */
void background_stop(struct background *b);
