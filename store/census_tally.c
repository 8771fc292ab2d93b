/* store/census_tally.c - how many rows of a group have which address. */
#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/census_form.h"

enum {
    TALLY_ROWS = 2, /* of an address, on the average, or the tally is not worth its bytes */
};

static_assert(CENSUS_TALLY_SLOTS >= 2 * CENSUS_COMBINATIONS_MAX, "a free slot is found soon");

/* The place of an address, a new one where there is room; the count without. */
static uint32_t place_of(struct census_tally *t, const struct ip *ip)
{
    uint64_t key = bytes_get64(ip->bytes) ^ bytes_get64(ip->bytes + 8);
    uint32_t at = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 53) & (CENSUS_TALLY_SLOTS - 1);
    while (t->slots[at] != 0 &&
           memcmp(t->ips[t->slots[at] - 1].bytes, ip->bytes, sizeof(ip->bytes)) != 0)
        at = (at + 1) & (CENSUS_TALLY_SLOTS - 1);
    if (t->slots[at] != 0)
        return t->slots[at] - 1U;
    if (t->count == CENSUS_COMBINATIONS_MAX)
        return t->count;
    t->ips[t->count] = *ip;
    t->rows[t->count] = 0;
    t->slots[at] = (uint16_t)++t->count;
    return t->count - 1;
}

void census_tally_add(struct census_tally *t, const struct batch *b, const struct column *c,
                      bool twice)
{
    if (c == NULL) {
        t->none += b->row_count;
        return;
    }
    t->there = true;
    t->kind = c->kind;
    t->lost = t->lost || twice || c->ordinal != 0 || c->derived || c->exception_count != 0 ||
              (c->storage != COLUMN_IP4 && c->storage != COLUMN_IP);
    for (uint32_t row = 0; row < b->row_count && !t->lost; row++) {
        if (!column_is_present(c, row)) {
            t->none++;
            continue;
        }
        struct ip ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
        uint32_t place = place_of(t, &ip);
        t->lost = place == CENSUS_COMBINATIONS_MAX;
        if (!t->lost)
            t->rows[place]++;
    }
}

bool census_tally_tells(const struct census_tally *t, uint32_t row_count)
{
    return !t->lost && t->count <= row_count / TALLY_ROWS;
}

static int by_address(const void *left, const void *right, void *self)
{
    const struct census_tally *t = self;
    const uint32_t *a = left;
    const uint32_t *b = right;
    return memcmp(t->ips[*a].bytes, t->ips[*b].bytes, sizeof(t->ips[*a].bytes));
}

/* IPv4 addresses are alike in their first 12 bytes, so they stand together. */
int census_tally_put(struct census_tally *t, struct buf *out)
{
    uint32_t order[CENSUS_COMBINATIONS_MAX];
    uint32_t before = 0;
    uint32_t v4 = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        order[i] = i;
        v4 += ip_is_v4(&t->ips[i]);
    }
    qsort_r(order, t->count, sizeof(*order), by_address, t);
    buf_byte(out, (char)t->kind);
    buf_varint(out, t->none);
    buf_varint(out, v4);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct ip *ip = &t->ips[order[i]];
        if (!ip_is_v4(ip))
            continue;
        buf_varint(out, ip_v4(ip) - before);
        buf_varint(out, t->rows[order[i]]);
        before = ip_v4(ip);
    }
    buf_varint(out, t->count - v4);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct ip *ip = &t->ips[order[i]];
        if (ip_is_v4(ip))
            continue;
        buf_append(out, ip->bytes, sizeof(ip->bytes));
        buf_varint(out, t->rows[order[i]]);
    }
    return buf_ok(out) ? 0 : ERR_NOMEM;
}
