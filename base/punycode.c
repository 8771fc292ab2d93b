#include "base/punycode.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 3492, section 5. */
enum {
    BASE = 36,
    T_MIN = 1,
    T_MAX = 26,
    SKEW = 38,
    DAMP = 700,
    INITIAL_BIAS = 72,
    INITIAL_POINT = 0x80,
    LAST_POINT = 0x10ffff,
};

struct points {
    uint32_t items[PUNYCODE_POINTS_MAX];
    uint32_t count;
};

struct output {
    char *data;
    size_t len;
    size_t cap;
    bool full;
};

static void put(struct output *out, char byte)
{
    if (out->len == out->cap) {
        out->full = true;
        return;
    }
    out->data[out->len++] = byte;
}

/* Bytes of the character that starts with `first`, or 0. */
static size_t utf8_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* One character from p; the bytes it takes, or 0 when it is not valid. */
static size_t utf8_read(const char *p, size_t left, uint32_t *point)
{
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)*p;
    size_t len = utf8_length(first);
    if (len == 0 || len > left)
        return 0;
    uint32_t v = len == 1 ? first : first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)p[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (next & 0x3f);
    }
    if (v < SMALLEST[len] || v > LAST_POINT || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *point = v >= 'A' && v <= 'Z' ? v + 32 : v;
    return len;
}

static bool read_points(struct points *points, struct slice label)
{
    size_t at = 0;
    while (at < label.len) {
        if (points->count == PUNYCODE_POINTS_MAX)
            return false;
        size_t len = utf8_read(label.data + at, label.len - at, &points->items[points->count]);
        if (len == 0)
            return false;
        points->count++;
        at += len;
    }
    return true;
}

static uint32_t adapt(uint32_t delta, uint32_t count, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / DAMP : delta / 2;
    delta += delta / count;
    while (delta > (BASE - T_MIN) * T_MAX / 2) {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

/* Write delta as a generalized variable-length integer. */
static void put_delta(struct output *out, uint32_t delta, uint32_t bias)
{
    uint32_t q = delta;
    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = T_MIN;
        if (k >= bias + T_MAX) {
            t = T_MAX;
        } else if (k > bias) {
            t = k - bias;
        }
        uint32_t digit = q < t ? q : t + (q - t) % (BASE - t);
        put(out, (char)(digit < 26 ? 'a' + digit : '0' + (digit - 26)));
        if (q < t)
            return;
        q = (q - t) / (BASE - t);
    }
}

static uint32_t smallest_from(const struct points *points, uint32_t from)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < points->count; i++) {
        if (points->items[i] >= from && points->items[i] < best)
            best = points->items[i];
    }
    return best;
}

/* RFC 3492, section 6.3; at most 63 points below 2^21 keep delta far from overflow. */
static void encode(struct output *out, const struct points *points)
{
    uint32_t basic = 0;
    for (uint32_t i = 0; i < points->count; i++) {
        if (points->items[i] >= INITIAL_POINT)
            continue;
        put(out, (char)points->items[i]);
        basic++;
    }
    if (basic > 0)
        put(out, '-');
    uint32_t n = INITIAL_POINT;
    uint32_t delta = 0;
    uint32_t bias = INITIAL_BIAS;
    for (uint32_t handled = basic; handled < points->count;) {
        uint32_t next = smallest_from(points, n);
        delta += (next - n) * (handled + 1);
        n = next;
        for (uint32_t i = 0; i < points->count; i++) {
            if (points->items[i] < n)
                delta++;
            if (points->items[i] != n)
                continue;
            put_delta(out, delta, bias);
            bias = adapt(delta, handled + 1, handled == basic);
            delta = 0;
            handled++;
        }
        delta++;
        n++;
    }
}

size_t punycode_label(char *out, size_t cap, struct slice label)
{
    struct points points = {0};
    const struct slice prefix = SLICE("xn--");
    if (cap < prefix.len || !read_points(&points, label))
        return 0;
    memcpy(out, prefix.data, prefix.len);
    struct output output = {.data = out, .len = prefix.len, .cap = cap};
    encode(&output, &points);
    return output.full ? 0 : output.len;
}
