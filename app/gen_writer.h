/*
 * app/gen_writer.h - a device that writes lines about flows; one file per format.
 *
 * Ownership: a line is appended to the caller's buffer, without a newline.
 * Threads:   one owner of the context.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/gen_flow.h"
#include "app/gen_text.h"
#include "app/gen_world.h"
#include "base/buf.h"

struct gen_context {
    const struct gen_world *world;
    const struct gen_tenant *tenant;
    const struct gen_source *source;
    const struct gen_flow *flow;
    const struct gen_dest *dest;
    const struct gen_route *route;
    const struct gen_moment *moment;
};

struct gen_writer {
    uint32_t kinds; /* bit per enum gen_flow_kind that the device writes lines about */
    void (*write)(struct buf *out, const struct gen_context *c);
};

const struct gen_writer *gen_writer(enum gen_format format);

static inline bool gen_writer_knows(enum gen_format format, enum gen_flow_kind kind)
{
    return (gen_writer(format)->kinds >> kind & 1) != 0;
}

/* The writers, each in its own file. */
void gen_fortigate_write(struct buf *out, const struct gen_context *c);
void gen_panos_write(struct buf *out, const struct gen_context *c);
void gen_asa_write(struct buf *out, const struct gen_context *c);
void gen_squid_write(struct buf *out, const struct gen_context *c);
void gen_ifilter_write(struct buf *out, const struct gen_context *c);
