/*
 * tests/support/lines.h - random lines and random slots over them, for property tests.
 *
 * The lines hold what real ones hold and what breaks: quotes, zeros, repeated keys, CRLF, NUL,
 * CP932 bytes; the slots are in order but otherwise arbitrary, with every field type and kind.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "event/builder.h"

struct lines {
    uint64_t state;
    char line[4096 + SLICE_PADDING_BYTES];
    size_t len;
    struct slots slots;
};

/* xorshift64*, seed not 0. */
static inline uint64_t lines_random(struct lines *l)
{
    l->state ^= l->state >> 12;
    l->state ^= l->state << 25;
    l->state ^= l->state >> 27;
    return l->state * UINT64_C(2685821657736338717);
}

static inline uint32_t lines_below(struct lines *l, uint32_t n)
{
    return (uint32_t)(lines_random(l) >> 33) % n;
}

static inline void lines_put(struct lines *l, const void *bytes, size_t len)
{
    if (l->len + len > sizeof(l->line) - SLICE_PADDING_BYTES)
        return;
    memcpy(l->line + l->len, bytes, len);
    l->len += len;
}

static inline size_t lines_value_text(struct lines *l, char *out, size_t cap)
{
    static const char *const ODD[] = {"",
                                      "0",
                                      "-",
                                      "007",
                                      "-0",
                                      "FE80::A",
                                      "fe80::a",
                                      "255.255.255.255",
                                      "192.0.2.010",
                                      "1.2.3.4.5",
                                      "::ffff:192.0.2.1",
                                      "99999999999999999999",
                                      "-5",
                                      "a\\\"b",
                                      "%41%zz",
                                      "a+b",
                                      "\"\"",
                                      "1700000000.123",
                                      "01700000000",
                                      "00192.0.2.100:00:00:00",
                                      "\x93\xfa\x96\x7b",
                                      "a\\u0041\\",
                                      "1.2.3"};
    switch (lines_below(l, 6)) {
    case 0:
        return (size_t)snprintf(out, cap, "%u", lines_below(l, 70000));
    case 1:
        return (size_t)snprintf(out, cap, "198.51.100.%u", lines_below(l, 256));
    case 2:
        return (size_t)snprintf(out, cap, "2001:db8::%x", lines_below(l, 65535) + 1);
    case 3:
        return (size_t)snprintf(out, cap, "1763%06u%s", lines_below(l, 1000000),
                                lines_below(l, 2) == 0 ? "" : ".250");
    case 4:
        return (size_t)snprintf(out, cap, "word%u", lines_below(l, 2000));
    default:
        return (size_t)snprintf(out, cap, "%s", ODD[lines_below(l, sizeof(ODD) / sizeof(ODD[0]))]);
    }
}

/* Make the next line; `layouts` bounds how many skeletons occur. */
static inline void lines_next(struct lines *l, uint32_t layouts)
{
    static const uint16_t FIELDS[] = {FIELD_SOURCE_IP,    FIELD_SOURCE_PORT, FIELD_TIME_EPOCH,
                                      FIELD_EVENT_ACTION, FIELD_URL_PATH,    FIELD_USER_NAME,
                                      FIELD_SOURCE_BYTES, FIELD_SOURCE_IP,   FIELD_URL_DOMAIN};
    uint64_t layout = lines_below(l, layouts) + 1;
    l->len = 0;
    l->slots.count = 0;
    uint32_t values = (uint32_t)(layout * 7 % 12);
    for (uint32_t i = 0; i < values; i++) {
        char text[64];
        char key[16];
        uint32_t pick = (uint32_t)(layout * 31 + i * 17);
        int key_len = snprintf(key, sizeof(key), "k%u", pick % 40);
        uint32_t key_at = (uint32_t)l->len;
        lines_put(l, key, (size_t)key_len);
        lines_put(l, pick % 3 == 0 ? "=\"" : "=", pick % 3 == 0 ? 2 : 1);
        uint32_t value_at = (uint32_t)l->len;
        size_t len = lines_value_text(l, text, sizeof(text));
        lines_put(l, text, len);
        uint8_t kind = (uint8_t)(pick % SLOT_KEY);
        struct slot name = {.offset = key_at, .length = (uint32_t)key_len};
        struct slot value = {.offset = value_at, .length = (uint32_t)len, .kind = kind};
        if (pick % 5 == 0)
            (void)slots_add_unnamed(&l->slots, &name, &value);
        else if (pick % 5 == 1)
            (void)slots_add(&l->slots, value_at, (uint32_t)len, FIELD_COLUMN(i), kind);
        else
            (void)slots_add(&l->slots, value_at, (uint32_t)len,
                            FIELDS[pick % (sizeof(FIELDS) / sizeof(FIELDS[0]))], kind);
        lines_put(l, pick % 3 == 0 ? "\" " : " ", pick % 3 == 0 ? 2 : 1);
    }
    lines_put(l, layout % 4 == 0 ? "\0x\r\n" : "\n", layout % 4 == 0 ? 4 : 1);
}
