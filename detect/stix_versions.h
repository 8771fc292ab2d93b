/*
 * detect/stix_versions.h - private to detect/: which version of an object of a bundle is its newest.
 *
 * STIX names an object once and for ever; a bundle may hold it several times, with other times of
 * modification. Only the newest counts: it may be revoked, or name something else.
 *
 * Ownership: a zeroed struct is empty; keys are hashes, so nothing is borrowed.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM. An object without id or without a time that can be read has one version.
 */
#pragma once

#include "detect/json_walk.h"

struct stix_version {
    uint64_t id; /* hash, 0 = free */
    int64_t modified_ns;
};

struct stix_versions {
    uint64_t seed;
    struct stix_version *slots;
    size_t slot_count; /* a power of two */
    size_t count;
};

/* Look through the array of objects that the walk has entered; the walk is copied. */
int stix_versions_read(struct stix_versions *out, const struct json_walk *objects);
/* Whether a newer version of the object was there. Texts as the object has them, without escapes. */
bool stix_versions_is_old(const struct stix_versions *v, struct slice id, struct slice modified);
void stix_versions_release(struct stix_versions *v);
