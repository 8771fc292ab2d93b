/*
 * app/output_cursor.h - how far an output got, over restarts: DIR/state/output-<name>.
 *
 *   sekisho-output 1
 *   store 73656b6973686f2074657374203100ff     the log that the numbers are of
 *   next 4711 0                                 frame, alerts of it that are done
 *   state 52                                    bytes that follow: the driver's
 *   ...
 *   check 0123456789abcdef                      XXH3 of all before this line
 *
 * Ownership: the state that is read is appended to the caller's buffer.
 * Threads:   one writer per path.
 * Failures:  the file is replaced as a whole (base/file.h): a crash leaves the old or the new one.
 */
#pragma once

#include "app/output_driver.h"

struct output_cursor {
    uint8_t store_id[STORE_ID_BYTES];
    struct output_place place;
};

/*
 * ERR_NOTFOUND without a file; ERR_CORRUPT when it is damaged, with a finding that says what to do;
 * ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int output_cursor_read(struct output_cursor *out, struct buf *state, const char *path,
                       struct diag *diag);
int output_cursor_write(const char *path, const struct output_cursor *cursor, struct slice state);
