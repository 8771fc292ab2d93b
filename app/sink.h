/*
 * app/sink.h - results on their way to standard output.
 *
 * Ownership: the buffer is the sink's until sink_close(); the descriptor is the caller's.
 * Threads:   one owner.
 * Failures:  the first one stays: ERR_IO for a write that the system refused, ERR_DOWN when nobody
 *            reads any more (EPIPE; SIGPIPE must be ignored to see it), ERR_NOMEM.
 */
#pragma once

#include "base/buf.h"

enum sink_limits {
    SINK_BYTES = 256 << 10, /* written out when the buffer holds more */
};

struct sink {
    struct buf out; /* append here, then call sink_check() */
    int fd;
    int err;
};

/* Write out what is there. */
int sink_flush(struct sink *s);
/* Write out when it is much. */
static inline int sink_check(struct sink *s)
{
    return s->out.len < SINK_BYTES && !s->out.failed ? s->err : sink_flush(s);
}
/* Write out and give the memory back. */
int sink_close(struct sink *s);
