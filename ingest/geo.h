/*
 * ingest/geo.h - private to ingest/: country and autonomous system of an address.
 *
 *   geo_lookup -> cache (65,536 entries, one per hash of the address) -> MaxMind DB files
 *
 * A file is copied, the copy is checked in a child process (ingest/geo_check.h), then read with
 * libmaxminddb; what somebody writes into the file later changes nothing. What has another type or
 * length than expected is unknown, never an error.
 *
 * Ownership: geo_open() gives an immutable database; it outlives every cache that points to it.
 * Threads:   a database has any number of readers; a cache has one owner.
 * Failures:  ERR_NOTFOUND (no such file), ERR_IO, ERR_RANGE (too large), ERR_FORMAT (no MaxMind DB, or
 *            one that harms its reader), each with a finding; ERR_NOMEM; ERR_AGAIN (asked to end).
 */
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "event/value.h"

enum geo_limits {
    GEO_FILE_BYTES_MAX = 512 << 20,
    GEO_CACHE_ENTRIES = 1 << 16,
};

struct geo;
struct geo_cache;

enum geo_part {
    GEO_COUNTRY,
    GEO_ASN,
    GEO_PARTS,
};

struct geo_place {
    char country[2]; /* ISO 3166-1 alpha-2, upper case; both 0 = unknown */
    uint32_t asn;    /* 0 = unknown */
};

/*
 * Open the databases; a path may be NULL, then that part is unknown for every address. Both may
 * name the same file. What is wrong with a file is said with its name and what to do about it.
 */
int geo_open(struct geo **out, const char *country_path, const char *asn_path, struct diag *diag);
/* The bytes that are looked into; empty where the part is unknown. As long as `geo`. */
struct slice geo_content(const struct geo *geo, enum geo_part part);
/* NULL is allowed. */
void geo_close(struct geo *geo);

/* A cache in front of `geo`, about 1.8 MB. `geo` may be NULL: everything is unknown. */
int geo_cache_new(struct geo_cache **out, const struct geo *geo);
void geo_cache_free(struct geo_cache *cache);
/* Point the cache to another database and forget what it knows. */
void geo_cache_reset(struct geo_cache *cache, const struct geo *geo);

/* The address will be looked up in a moment: ask the memory for its entry. */
void geo_ahead(struct geo_cache *cache, const struct ip *ip);

/* Where an address is. An IPv4 address is its v4-mapped form. */
struct geo_place geo_lookup(struct geo_cache *cache, const struct ip *ip);
