/*
 * store/filter.h - private to store/: which addresses and names a stored batch may hold.
 *
 * A Bloom filter (Bloom 1970; double hashing after Kirsch and Mitzenmacher 2006) of FILTER_BITS a
 * key and FILTER_HASHES probes: about 1 wrong "maybe" in 100, never a wrong "no". Keys are XXH3-64
 * with seed 0 of the 16 bytes of an address, or of a decoded text in lower-case ASCII.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "event/batch.h"

enum filter_limits {
    FILTER_BITS = 10,
    FILTER_HASHES = 5,
    FILTER_KEYS_MAX = 1 << 16,
};

uint64_t filter_key_ip(const struct ip *ip);
/* `scratch` is reset and used for the lower-case form. */
uint64_t filter_key_text(struct slice text, struct buf *scratch);

/* Append the filter of the keys (not sorted, repeats allowed). Returns its length in bytes. */
uint32_t filter_build(struct buf *out, const uint64_t *keys, uint32_t count);

/* May the filter hold the key? The empty filter stands for "not known". */
bool filter_may_hold(struct slice filter, uint64_t key);
