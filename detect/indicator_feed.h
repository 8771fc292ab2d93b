/*
 * detect/indicator_feed.h - private to detect/: a feed in JSON as entries, one element at a time.
 *
 *   document --json_check()--> right --json_walk--> element as bytes --jansson--> one entry or several
 *
 * Only the element at hand is built in memory, so a feed of 512 MiB costs no more than its largest
 * element. An element that cannot be read is an entry with its reason; what a list cannot hold is an
 * entry with `unused`, so that it is counted.
 *
 * Ownership: as indicator_list.h says; the source's content outlives the feed.
 * Threads:   one owner.
 * Failures:  ERR_CONF with a finding when the document is none of its kind; ERR_NOMEM.
 */
#pragma once

#include <jansson.h>

#include "detect/indicator_list.h"
#include "detect/json_walk.h"
#include "detect/stix_pattern.h"
#include "detect/stix_versions.h"

enum indicator_feed_limits {
    FEED_ELEMENT_BYTES_MAX = 8 << 20,
    FEED_LEVELS_MAX = 8, /* wrappers around attributes */
    FEED_ID_BYTES_MAX = 120,
};

/* An object or array of the document that the walk is inside of. */
struct feed_level {
    bool array;
    uint8_t role; /* the reader's */
};

struct indicator_feed {
    const struct indicator_source *source;
    struct json_walk walk;
    struct feed_level levels[FEED_LEVELS_MAX];
    unsigned depth;
    uint32_t line;   /* of the element at hand */
    json_t *element; /* or NULL */
    size_t next;     /* of its parts: attribute of an object, alternative of a pattern */
    struct stix_pattern pattern;
    struct stix_versions versions;
    char id[FEED_ID_BYTES_MAX + 1];
    struct buf text;   /* of the entry at hand, padded */
    struct buf second; /* of an attribute that holds two */
    bool has_second;
    struct buf said; /* its reason, or what it is that is not used */
};

int indicator_misp_open(struct indicator_feed *f, struct diag *diag);
bool indicator_misp_next(struct indicator_feed *f, struct indicator_entry *out);
int indicator_stix_open(struct indicator_feed *f, struct diag *diag);
bool indicator_stix_next(struct indicator_feed *f, struct indicator_entry *out);

/* --- what both do --- */

/*
 * Build the element that comes next. NULL, or why it cannot be, in f->said; *bytes are its own, for
 * who wants to show them.
 */
const char *feed_take(struct indicator_feed *f);
/* An entry of the element at hand; what the caller does not set is empty. */
void feed_entry(const struct indicator_feed *f, struct indicator_entry *out);
/* The entry is a bad one. */
void feed_fault(struct indicator_feed *f, struct indicator_entry *out, const char *why);
/* The entry is none that a list could hold. `what` is copied. */
void feed_unused(struct indicator_feed *f, struct indicator_entry *out, struct slice what);
/* A member that is a text, else empty. Borrowed from the object. */
struct slice feed_text(const json_t *object, const char *key);
/* Remember the element's name for messages. */
void feed_id(struct indicator_feed *f, struct slice id);
/* The text of the entry at hand is a host, and this its port. */
void feed_port(struct indicator_feed *f, struct indicator_entry *out, uint16_t port);
/* Text of an entry into one of the feed's buffers; the reason when it cannot be one. */
const char *feed_value(struct buf *to, struct slice value);
