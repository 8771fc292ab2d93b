/*
 * ingest/names.h - private to ingest/: what a key or a column of a structured feed means, by name.
 *
 * Vendors spell one thing in many ways: clientIp, client_ip, ClientIP. A *plain* name is lower case
 * and has letters, digits, '@' and the dots of nesting only ("properties.clientip"), so one row of
 * ingest/names.def stands for all of them. Where a name means different things, the vendor decides,
 * whom another key of the line gives away.
 *
 * Layer:     ingest; knows names and fields, no format.
 * Ownership: static tables.
 * Threads:   immutable.
 * Failures:  none: a name that no row knows has no meaning.
 */
#pragma once

#include "ingest/meaning.h"

enum vendor {
#define VENDOR(name) VENDOR_##name,
#include "ingest/names.def"
    VENDOR_COUNT
};

enum names_limits {
    NAMES_PLAIN_MAX = 96, /* bytes of the longest plain name that a table may have */
};

/* The plain form of a name, at most `room` bytes at `to`; its length. */
size_t names_plain(char *to, size_t room, struct slice name);

/* The vendor whom a plain name gives away, with its wrapping or without; VENDOR_ANY: nobody. */
enum vendor names_sign(struct slice plain);

/*
 * A memory of what names mean, in front of the tables: a device writes the same ones again and
 * again. Zeroed it is empty; what it holds never changes an answer.
 */
enum names_memory_limits {
    NAMES_HELD = 512,     /* a power of two */
    NAME_HELD_BYTES = 40, /* longer names are looked up each time */
    NAMES_PLACES = 8192,  /* a power of two, several times the rows of the tables */
};

/* Where the rows of the tables are, by the hash of vendor and name; row + 1, 0 = none. Zeroed: not known yet. */
struct names_places {
    uint16_t rows[NAMES_PLACES];
    bool filled;
};

struct names_memory {
    struct {
        char text[NAME_HELD_BYTES];
        uint8_t length;
        uint8_t vendor;
        struct meaning meaning;
    } held[NAMES_HELD];
    struct names_places places;
};

/*
 * What a key of a feed means: its plain name in the vendor's table, else in that of ANY, then `written`
 * in the dictionary ("source.ip"), then the plain name without what only wraps it ("event.",
 * "properties.", ...). FIELD_UNNAMED where nobody knows it, and for what no line says (@timestamp's
 * parts, what is derived). `places` may be NULL: with it a name that is unknown costs less.
 */
struct meaning names_key(struct names_places *places, enum vendor vendor, struct slice plain,
                         struct slice written);

/*
 * The meaning of a name as it is written: in the vendor's table, in that of `dialect`, in ANY.
 * FIELD_UNNAMED where nobody knows it.
 */
struct meaning names_meaning(struct names_memory *memory, enum vendor vendor, enum vendor dialect,
                             struct slice name);

/* Assert that the tables are sorted. For tests. */
void names_check(void);
