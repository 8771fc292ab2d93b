/*
 * app/mark.h - a tick of all workers, decided in one place.
 *
 * Ownership: borrows its controls.
 * Threads:   plain data.
 * Failures:  none.
 */
#pragma once

#include "detect/detect.h"

enum mark_limits {
    MARK_CONTROLS_MAX = 256, /* further ones are refused until the next mark */
};

struct mark {
    int64_t tick_ns;
    unsigned flags;                        /* enum detect_tick_flag */
    bool day_ends;                         /* Japan's day ended since the tick before */
    bool keeps_states;                     /* snapshots that are due are made */
    const struct detect_control *controls; /* what people did meanwhile */
    size_t control_count;
};
