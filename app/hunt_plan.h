/*
 * app/hunt_plan.h - which lists an update changed, and from what: what a hunt has to look for.
 *
 *   configuration's lists, as read now   |  differ  |   the log's last word on each: env "list/<name>"
 *                                        v
 *   DIR/reports/pending: what was before, until the hunt is done; so an update whose hunt was cut off
 *   by a restart or another update is not forgotten
 *
 * Ownership: the plan owns copies of all it says.
 * Threads:   one owner.
 * Failures:  ERR_IO, ERR_NOMEM. A pending file that cannot be read is as none, and said.
 */
#pragma once

#include "app/lists.h"
#include "store/store.h"

struct hunt_list {
    struct indicator_source source; /* without content */
    struct sha256 now;
    struct sha256 before;
    bool has_before;
};

struct hunt_plan {
    struct arena arena;
    struct hunt_list *lists;
    size_t count;
    uint64_t last_seq; /* history is up to this frame; the rest was or will be watched */
    int64_t tick_ns;   /* the log's time then */
    char name[48];     /* of the reports: the frame, and a hash of what changed to what */
};

/*
 * Compare before the log learns of the new lists. *needed is false when nothing changed or there is
 * no history: then nothing is pending, and the plan is empty.
 */
int hunt_plan_make(struct hunt_plan *out, bool *needed, const char *dir, const struct store *store,
                   const struct lists *lists);
/* The hunt is done. */
void hunt_plan_done(const char *dir);
void hunt_plan_release(struct hunt_plan *plan);
