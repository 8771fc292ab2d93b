/*
 * detect/indicator_hunt.h - the rows of a stored batch that name an entry of a set, as detection would
 * have seen them.
 *
 *   texts of the batch --indicator_hunt_texts()--> may it hold a listed name, URL or user agent?
 *   its addresses --indicator_hunt_addresses()--> may it hold a listed address?
 *   all its rows --indicator_hunt_rows()--> flows with their hits, by the code that judges live rows
 *
 * The first two ask about distinct values and may say yes for nothing; they never say no wrongly.
 *
 * Ownership: the hunt borrows the set for its life.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM, and what a visit returned.
 */
#pragma once

#include "detect/flow.h"
#include "detect/indicator_set.h"
#include "event/columns.h"

struct detect_profile;
struct indicator_hunt;

/* What a row says of the entry, as the alerts of detect/detector_indicator.c tell it apart. */
enum indicator_manner {
    INDICATOR_CONTACT, /* let through */
    INDICATOR_ATTEMPT, /* refused */
    INDICATOR_USED,    /* a listed user agent */
    INDICATOR_INBOUND, /* a listed address came in and was let through */
    INDICATOR_KNOCK,   /* it was refused: everyday noise */
    INDICATOR_MANNERS,
};

struct indicator_sighting {
    const struct flow *flow;
    uint32_t row;
    enum indicator_manner manner;
    struct slice destination; /* the host that was asked for; or empty */
};

/* Returns 0 to go on, or an error that ends the visits. */
typedef int indicator_hunt_visit(void *self, const struct indicator_sighting *sighting);

int indicator_hunt_new(struct indicator_hunt **out, const struct indicator_set *set);
/* NULL is allowed. */
void indicator_hunt_free(struct indicator_hunt *h);

/* Of a batch whose texts alone are known, or all of it. */
bool indicator_hunt_texts(struct indicator_hunt *h, const struct batch *b);
/* The columns that indicator_hunt_addresses() looks at. False when the batch has none. */
bool indicator_hunt_columns(const struct batch *b, struct column_mask *out);
bool indicator_hunt_addresses(struct indicator_hunt *h, const struct batch *b);
/*
 * Every row that names an entry which lives at the row's time, in their order. Rows in networks that
 * nobody wants watched are left out. The profile is the tenant's.
 */
int indicator_hunt_rows(struct indicator_hunt *h, const struct detect_profile *profile,
                        const struct batch *b, indicator_hunt_visit *visit, void *self);
