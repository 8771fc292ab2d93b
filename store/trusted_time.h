/*
 * store/trusted_time.h - a time that is not later than the true one, for what cannot be undone.
 *
 *   trusted  --------------.            goes on with the clock that counts since the boot
 *                          |
 *   system   ------.       |   .----    steps, forth and back: only ever holds the other one back
 *                  '-----------'
 *   brokers  - - - - - - - - - - -      what two partitions have stamped, has come
 *
 * A look brings it forward by what has passed since the last look in the same boot, or to what two
 * partitions' brokers (or a person) say, if that is later; in both cases not beyond the system
 * clock. So one wrong clock moves nothing. After a time without any look, as a reboot, it stays behind
 * by that, until a second clock agrees. What is behind is harmless: things are kept longer.
 * Why: docs/decisions/0015-deletion.md.
 *
 *   DIR/clock    the last look, so that the next process goes on from it
 *
 * Layer:     base < event < store
 * Ownership: values.
 * Threads:   one owner.
 * Failures:  named per function.
 */
#pragma once

#include <stddef.h>

#include "base/clock.h"
#include "base/diag.h"

enum trusted_time_limits {
    TRUSTED_BOOT_ID_BYTES = 36,
    TRUSTED_DRIFT_PARTS = 1000, /* of these one more may pass than the counting clock says */
};

/* The system clock must have stood below for so long before it is believed that it was too late. */
#define TRUSTED_PATIENCE_NS (60 * CLOCK_NS_PER_MINUTE)

/* A zeroed one has never looked. */
struct trusted_time {
    bool known;
    int64_t time_ns;
    int64_t since_ns; /* its first look: the store knows of no time before */
    int64_t boot_ns;  /* at the last look */
    char boot_id[TRUSTED_BOOT_ID_BYTES + 1];
    int64_t below_ns; /* so long the system clock has stood below it */
};

/* What is seen at one moment. */
struct time_look {
    int64_t system_ns;
    int64_t boot_ns; /* clock_boot_ns() */
    const char *boot_id;
    int64_t witness_ns; /* what has come by two clocks that are not ours, or CLOCK_NONE */
};

/* Take one look in. */
void trusted_time_look(struct trusted_time *t, const struct time_look *look);
/* The time to judge by, the system clock being at that. CLOCK_NONE without a look. */
int64_t trusted_time_now(const struct trusted_time *t, int64_t system_ns);
/* The later one of the two partitions that are furthest: both have stamped it. CLOCK_NONE of fewer. */
int64_t trusted_time_witness(const int64_t *stamps_ns, size_t count);

/* The boot's id as the system gives it; empty where it gives none. */
void trusted_time_boot_id(char out[TRUSTED_BOOT_ID_BYTES + 1]);

/* Read DIR/clock. ERR_NOTFOUND; ERR_CORRUPT, and begin anew: that is late, never early. */
int trusted_time_read(struct trusted_time *out, const char *dir, struct diag *diag);
/* Replace it, durable on return. ERR_IO, ERR_NOMEM, ERR_RANGE. */
int trusted_time_write(const char *dir, const struct trusted_time *t);
