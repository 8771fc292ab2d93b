/*
 * tests/ingest/small_mmdb.h - a MaxMind DB of a few hundred bytes, and hostile ones of its kind.
 *
 *   0.0.0.0/1 -> the first value, 128.0.0.0/2 -> the second, 192.0.0.0/3 -> none, 224.0.0.0/3 -> the
 *   second again
 *
 * Format 2.0, IPv4, records of 24 bits.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

enum small_mmdb_limits {
    SMALL_MMDB_NODES = 3,
    SMALL_MMDB_TREE_BYTES = SMALL_MMDB_NODES * 6,
    SMALL_MMDB_SEPARATOR_BYTES = 16,
};

enum small_mmdb_type {
    SMALL_MMDB_POINTER = 1,
    SMALL_MMDB_STRING = 2,
    SMALL_MMDB_UINT16 = 5,
    SMALL_MMDB_UINT32 = 6,
    SMALL_MMDB_MAP = 7,
    SMALL_MMDB_ARRAY = 11,
};

/* Type and size, up to 65,820. */
static inline void small_mmdb_control(struct buf *b, unsigned type, unsigned size)
{
    unsigned low = size < 29 ? size : size < 285 ? 29 : 30;
    buf_byte(b, (char)((type < 8 ? type << 5 : 0) | low));
    if (type >= 8)
        buf_byte(b, (char)(type - 7));
    if (low == 29)
        buf_byte(b, (char)(size - 29));
    if (low == 30) {
        buf_byte(b, (char)((size - 285) >> 8));
        buf_byte(b, (char)(size - 285));
    }
}

static inline void small_mmdb_string(struct buf *b, const char *text)
{
    small_mmdb_control(b, SMALL_MMDB_STRING, (unsigned)strlen(text));
    buf_text(b, text);
}

static inline void small_mmdb_number(struct buf *b, unsigned type, uint32_t value)
{
    small_mmdb_control(b, type, type == SMALL_MMDB_UINT16 ? 2 : 4);
    for (int shift = type == SMALL_MMDB_UINT16 ? 8 : 24; shift >= 0; shift -= 8)
        buf_byte(b, (char)(value >> shift));
}

/* To a place in the data, as 32 bits. */
static inline void small_mmdb_pointer(struct buf *b, uint32_t to)
{
    buf_byte(b, (char)(SMALL_MMDB_POINTER << 5 | 3 << 3));
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_byte(b, (char)(to >> shift));
}

static inline void small_mmdb_place(struct buf *b, const char *country, uint32_t asn)
{
    small_mmdb_control(b, SMALL_MMDB_MAP, 2);
    small_mmdb_string(b, "country");
    small_mmdb_control(b, SMALL_MMDB_MAP, 1);
    small_mmdb_string(b, "iso_code");
    small_mmdb_string(b, country);
    small_mmdb_string(b, "autonomous_system_number");
    small_mmdb_number(b, SMALL_MMDB_UINT32, asn);
}

static inline void small_mmdb_metadata(struct buf *b)
{
    buf_text(b, "\xab\xcd\xefMaxMind.com");
    small_mmdb_control(b, SMALL_MMDB_MAP, 9);
    small_mmdb_string(b, "binary_format_major_version");
    small_mmdb_number(b, SMALL_MMDB_UINT16, 2);
    small_mmdb_string(b, "binary_format_minor_version");
    small_mmdb_number(b, SMALL_MMDB_UINT16, 0);
    small_mmdb_string(b, "build_epoch");
    small_mmdb_control(b, 9, 1); /* an unsigned number of 64 bits */
    buf_byte(b, 1);
    small_mmdb_string(b, "database_type");
    small_mmdb_string(b, "Small");
    small_mmdb_string(b, "description");
    small_mmdb_control(b, SMALL_MMDB_MAP, 1);
    small_mmdb_string(b, "en");
    small_mmdb_string(b, "invented");
    small_mmdb_string(b, "ip_version");
    small_mmdb_number(b, SMALL_MMDB_UINT16, 4);
    small_mmdb_string(b, "languages");
    small_mmdb_control(b, SMALL_MMDB_ARRAY, 1);
    small_mmdb_string(b, "en");
    small_mmdb_string(b, "node_count");
    small_mmdb_number(b, SMALL_MMDB_UINT32, SMALL_MMDB_NODES);
    small_mmdb_string(b, "record_size");
    small_mmdb_number(b, SMALL_MMDB_UINT16, 24);
}

/* The tree over `data`, whose first two values begin at 0 and at `second`. */
static inline void small_mmdb_make(struct buf *out, struct slice data, uint32_t second)
{
    static const char SEPARATOR[SMALL_MMDB_SEPARATOR_BYTES];
    const uint32_t values = SMALL_MMDB_NODES + SMALL_MMDB_SEPARATOR_BYTES;
    const uint32_t records[SMALL_MMDB_NODES][2] = {
        {values, 1}, {values + second, 2}, {SMALL_MMDB_NODES, values + second}};
    for (int node = 0; node < SMALL_MMDB_NODES; node++) {
        for (int side = 0; side < 2; side++) {
            for (int shift = 16; shift >= 0; shift -= 8)
                buf_byte(out, (char)(records[node][side] >> shift));
        }
    }
    buf_append(out, SEPARATOR, sizeof(SEPARATOR));
    buf_slice(out, data);
    small_mmdb_metadata(out);
}

/* The valid one: JP and 64500, DE and 64501. */
static inline void small_mmdb(struct buf *out)
{
    struct buf data = {0};
    small_mmdb_place(&data, "JP", 64500);
    uint32_t second = (uint32_t)data.len;
    small_mmdb_place(&data, "DE", 64501);
    small_mmdb_make(out, buf_content(&data), second);
    buf_release(&data);
}
