/*
 * app/gen_mess.h - lines as the field delivers them: cut, doubled, in other encodings, far too long.
 *
 * Ownership: changes the caller's buffer.
 * Threads:   one owner.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/gen_random.h"
#include "base/buf.h"

enum {
    GEN_HUGE_BYTES = 10 << 20,
};

struct gen_mess {
    struct gen_random random;
    uint32_t permille;
    uint32_t huge_permillion;
};

/* How a line may be spoilt; the rows of the table in gen_mess.c. */
enum gen_mess_kind {
    GEN_MESS_NONE,
    GEN_MESS_CP932, /* a person's name in CP932 */
    GEN_MESS_NUL,
    GEN_MESS_CRLF, /* a carriage return before the newline */
    GEN_MESS_EMPTY,
    GEN_MESS_CUT,    /* the end is missing */
    GEN_MESS_HEAD,   /* the beginning is missing */
    GEN_MESS_QUOTE,  /* a quote too many or too few */
    GEN_MESS_ESCAPE, /* rsyslog's escape of a control character */
    GEN_MESS_BYTES,  /* bytes that are no UTF-8 */
    GEN_MESS_TWICE,  /* the same line again */
    GEN_MESS_HUGE,
    GEN_MESS_KINDS,
};

/* Draw what happens to the next line. */
enum gen_mess_kind gen_mess_draw(struct gen_mess *m);
/* Do it; `tenant` and `host` say whose name it is. GEN_MESS_TWICE is the caller's to do. */
void gen_mess_apply(struct gen_mess *m, struct buf *line, enum gen_mess_kind kind, uint32_t tenant,
                    uint32_t host);
/* Write it as another firmware would: a header of RFC 5424, the words in a layout nobody knows. */
void gen_mess_layout(struct buf *line, int64_t time_ns);
