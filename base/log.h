/*
 * base/log.h - what the program says about itself, as logfmt lines on standard error.
 *
 *   ts=2026-11-21T01:00:00.123Z level=warn component=store msg="disk is nearly full" free=1048576
 *
 * log_info("store", "segment written", "path=%s rows=%zu", path, rows): the format is a list of
 * key=value pairs separated by one blank. Each pair is formatted and quoted on its own, so a value
 * can forge neither a second pair nor a line (base/escape.h). Conversions: %s %.*s %c %d %i %u %x
 * %f %p %% with the lengths hh h l ll z j t, a width and the flag 0. A line without values passes
 * LOG_NO_VALUES.
 *
 * Ownership: nothing is kept; the state is one severity in log.c and one struct log_site per call
 *            site, the documented exceptions to "no mutable globals".
 * Threads:   any; a line is one write(2).
 * Failures:  a line that cannot be written is lost; errno is kept. Past LOG_SITE_LINES in
 *            LOG_WINDOW_NS a call site is silent; its next line after that carries suppressed=K.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/slice.h"

enum log_severity {
    LOG_SEVERITY_DEBUG,
    LOG_SEVERITY_INFO,
    LOG_SEVERITY_WARN,
    LOG_SEVERITY_ERROR,
    LOG_SEVERITY_COUNT,
};

enum log_limits {
    LOG_LINE_BYTES_MAX = 4096,  /* longer lines end in truncated=true */
    LOG_VALUE_BYTES_MAX = 1024, /* of one value before quoting; the rest is cut */
    LOG_SITE_LINES = 20,        /* per window */
};

#define LOG_WINDOW_NS INT64_C(10000000000)

/* Zeroed at start; one per call site. */
struct log_site {
    _Atomic int64_t window_ns; /* start of the window, monotonic */
    _Atomic uint32_t lines;    /* written or suppressed in it */
    _Atomic uint32_t suppressed;
};

#define LOG_NO_VALUES "%s", ""

#define LOG_AT(severity, component, message, ...)                                   \
    do {                                                                            \
        static struct log_site log_site_here;                                       \
        log_write(&log_site_here, (severity), (component), (message), __VA_ARGS__); \
    } while (0)

/* Lower case: they are called as functions are. NOLINTBEGIN(readability-identifier-naming) */
#define log_debug(component, message, ...) \
    LOG_AT(LOG_SEVERITY_DEBUG, component, message, __VA_ARGS__)
#define log_info(component, message, ...) LOG_AT(LOG_SEVERITY_INFO, component, message, __VA_ARGS__)
#define log_warn(component, message, ...) LOG_AT(LOG_SEVERITY_WARN, component, message, __VA_ARGS__)
#define log_error(component, message, ...) \
    LOG_AT(LOG_SEVERITY_ERROR, component, message, __VA_ARGS__)
/* NOLINTEND(readability-identifier-naming) */

/* Behind the macros. `site` may be NULL: no rate limit. */
void log_write(struct log_site *site, enum log_severity severity, const char *component,
               const char *message, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Write only lines of this severity and above; info at start. */
void log_set_severity(enum log_severity severity);
/* Read "debug", "info", "warn" or "error". Returns 0 or ERR_FORMAT. */
int log_severity_parse(enum log_severity *out, struct slice text);
