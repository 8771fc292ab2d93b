/*
 * app/signals.h - SIGINT and SIGTERM as something the main thread waits for.
 *
 * Threads:   signals_block() before any thread starts, so that all inherit the mask.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Block SIGINT, SIGTERM and SIGPIPE in this thread and its children. */
void signals_block(void);

/* Wait up to timeout_ms; true when the process was asked to end. */
bool signals_wait(int timeout_ms);
