/*
 * app/prefecture.h - what several municipalities met together: correlations of scope prefecture.
 *
 *   marks of all workers --signals, watermarks--> one state --alerts--> the first of the marks
 *
 * It is judged once a tick, when all workers have answered, by what stands in the same frame: so a
 * restart that reads the frames comes to the same state.
 *
 * Ownership: borrows the state from the watch.
 * Threads:   one.
 * Failures:  ERR_NOMEM; ERR_FORMAT for damaged items.
 */
#pragma once

#include "app/mark.h"
#include "app/parcel.h"
#include "app/ward.h"

enum {
    PREFECTURE_CODE = 0, /* no municipality has it */
};

#define PREFECTURE_TEXT "000000"

/* How far the municipalities are. */
struct prefecture_clock {
    bool any;
    int64_t first_ns; /* the watermark that is furthest behind */
    int64_t last_ns;
};
void prefecture_clock_add(struct prefecture_clock *c, int64_t watermark_ns);
/*
 * Up to where everything is there, but that a municipality that is far behind is not waited for;
 * CLOCK_NONE: nobody has begun.
 */
int64_t prefecture_clock_ns(const struct prefecture_clock *c);

/* `items`: of all municipalities, each behind its u32 length. Then the tick happens. */
int prefecture_judge(struct detect_tenant *t, struct slice items, int64_t watermark_ns,
                     int64_t tick_ns, unsigned flags);

/* *out is NULL where the rules have nothing for it. */
int prefecture_open(struct ward **out, struct watch *watch);
/* All workers have answered the mark; alerts and a snapshot that is due go into marks[0]. */
int prefecture_mark(struct ward *prefecture, struct parcel *const *marks, unsigned workers,
                    const struct mark *mark);
