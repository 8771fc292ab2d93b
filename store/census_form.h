/*
 * store/census_form.h - private to store/: what the bytes of a census mean (docs/format.md, "Census").
 */
#pragma once

#include "store/census.h"

enum census_flags {
    CENSUS_NUMBER = 1,  /* values are integers */
    CENSUS_DERIVED = 2, /* of a derived column, or a field of the row */
};

enum census_form_limits {
    CENSUS_TEXT_BYTES_MAX = 255,  /* of a value */
    CENSUS_TALLY_SLOTS = 1 << 11, /* a power of two, twice the addresses */
};

/* How many rows have an address: kept by the maker of a census. */
struct census_tally {
    bool there;
    bool lost;
    uint8_t kind;
    uint32_t none; /* rows without one */
    uint32_t count;
    struct ip ips[CENSUS_COMBINATIONS_MAX];
    uint32_t rows[CENSUS_COMBINATIONS_MAX];
    uint16_t slots[CENSUS_TALLY_SLOTS]; /* address + 1 */
};

/* Add a block whose only column of the field is `c`; NULL: it has none. `twice`: it has several. */
void census_tally_add(struct census_tally *t, const struct batch *b, const struct column *c,
                      bool twice);
/* Whether it tells something that is worth its bytes, of so many rows. */
bool census_tally_tells(const struct census_tally *t, uint32_t row_count);
int census_tally_put(struct census_tally *t, struct buf *out);
