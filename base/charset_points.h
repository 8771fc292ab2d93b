/*
 * base/charset_points.h - private to charset.c: tables that base/charset_points.py makes at build time.
 *
 * Threads: constants.
 */
#pragma once

#include <stdint.h>

enum charset_points {
    CHARSET_CP932_TRAILS = 0xfd - 0x40, /* second bytes 40..FC */
    CHARSET_CP932_LEADS = (0xa0 - 0x81) + (0xfd - 0xe0),
    CHARSET_CP932_COUNT = CHARSET_CP932_LEADS * CHARSET_CP932_TRAILS,
    CHARSET_JIS_CELLS = 94,
    CHARSET_JISX0212_COUNT = CHARSET_JIS_CELLS * CHARSET_JIS_CELLS,
};

/* By first byte 81..9F, E0..FC, then second byte; 0 = not assigned. */
extern const uint16_t CHARSET_CP932_POINTS[CHARSET_CP932_COUNT];
/* By row and cell; 0 = not assigned. */
extern const uint16_t CHARSET_JISX0212_POINTS[CHARSET_JISX0212_COUNT];
