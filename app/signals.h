/*
 * app/signals.h - SIGINT, SIGTERM and SIGHUP as something the main thread waits for.
 *
 * Threads:   signals_block() before any thread starts, so that all inherit the mask.
 * Failures:  none.
 */
#pragma once

/* Block SIGINT, SIGTERM, SIGHUP and SIGPIPE in this thread and its children. */
void signals_block(void);

enum signals_event {
    SIGNALS_NONE,
    SIGNALS_RELOAD, /* SIGHUP */
    SIGNALS_END,    /* SIGINT, SIGTERM */
};

/* Wait up to timeout_ms for what the process is asked to do. */
enum signals_event signals_wait(int timeout_ms);
