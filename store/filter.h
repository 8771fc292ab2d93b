/*
 * store/filter.h - private to store/: which addresses and names a stored batch may hold.
 *
 * A Bloom filter (Bloom 1970; double hashing after Kirsch and Mitzenmacher 2006) of FILTER_BITS a
 * key and FILTER_HASHES probes: about 1 wrong "maybe" in 500, never a wrong "no". Keys are XXH3-64
 * with seed 0 of the 16 bytes of an address, or of a decoded text in lower-case ASCII.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "event/batch.h"

enum filter_limits {
    FILTER_BITS = 14,
    FILTER_HASHES = 6,
    FILTER_KEYS_MAX = 1 << 16, /* distinct; with more the filter is left out */
};

uint64_t filter_key_ip(const struct ip *ip);
/* `scratch` is reset and used for the lower-case form. */
uint64_t filter_key_text(struct slice text, struct buf *scratch);

/* The distinct keys of a batch: open addressing, from 256 slots up; a zeroed struct is empty. */
struct filter_keys {
    uint64_t *slots; /* 0 = free */
    uint32_t mask;   /* slots - 1; 0 with slots NULL */
    uint32_t count;
};

/* Forget the keys, keep the memory where it is small. 0 or ERR_NOMEM. */
int filter_keys_reset(struct filter_keys *k);
void filter_keys_release(struct filter_keys *k);
/* 0 or ERR_NOMEM; past FILTER_KEYS_MAX the key is only counted. */
int filter_keys_add(struct filter_keys *k, uint64_t key);

/* Append the filter's length as a varint and the filter; length 0 past FILTER_KEYS_MAX keys. */
void filter_build(struct buf *out, const struct filter_keys *k);

/* May the filter hold the key? The empty filter stands for "not known". */
bool filter_may_hold(struct slice filter, uint64_t key);
