#include "store/pack.h"

#include "base/err.h"

enum {
    PACK_BASE = 0,
    PACK_DELTA = 1,
    PACK_SCALE_MAX = 9,
};

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static unsigned bytes_needed(uint64_t max)
{
    return max == 0 ? 0 : (unsigned)(71 - __builtin_clzll(max)) / 8;
}

static int64_t power(unsigned scale)
{
    static const int64_t POWER[] = {1,      10,      100,      1000,      10000,
                                    100000, 1000000, 10000000, 100000000, 1000000000};
    return POWER[scale];
}

/* The largest of 9, 6, 3, 0 such that 10^scale divides every value. */
static unsigned common_scale(const int64_t *values, uint32_t n)
{
    unsigned scale = PACK_SCALE_MAX;
    for (uint32_t i = 0; i < n && scale != 0; i++) {
        while (scale != 0 && values[i] % power(scale) != 0)
            scale -= 3;
    }
    return scale;
}

static void planes_put(struct buf *out, const uint64_t *numbers, uint32_t n, unsigned width)
{
    char *to = buf_reserve(out, (size_t)n * width);
    if (to == NULL)
        return;
    for (unsigned plane = 0; plane < width; plane++) {
        for (uint32_t i = 0; i < n; i++)
            to[(size_t)plane * n + i] = (char)(numbers[i] >> (plane * 8));
    }
    out->len += (size_t)n * width;
}

/* What the numbers are like, in units. */
struct number_list {
    uint64_t *units; /* of each */
    int64_t least, most;
    uint64_t widest; /* step from one to the next, zigzag */
};

static struct number_list list_units(uint64_t *units, const int64_t *values, uint32_t n,
                                     int64_t unit)
{
    /* A division takes longer than all the rest. */
    for (uint32_t i = 0; i < n && unit != 1; i++)
        units[i] = (uint64_t)(values[i] / unit);
    if (unit == 1)
        memcpy(units, values, n * sizeof(*units));
    struct number_list l = {.units = units, .least = (int64_t)units[0], .most = (int64_t)units[0]};
    uint64_t before = units[0];
    for (uint32_t i = 0; i < n; i++) {
        int64_t v = (int64_t)units[i];
        l.least = v < l.least ? v : l.least;
        l.most = v > l.most ? v : l.most;
        uint64_t step = zigzag((int64_t)(units[i] - before));
        l.widest = step > l.widest ? step : l.widest;
        before = units[i];
    }
    return l;
}

void pack_numbers(struct buf *out, const int64_t *values, uint32_t n, uint64_t *scratch)
{
    if (n == 0)
        return;
    unsigned scale = common_scale(values, n);
    struct number_list l = list_units(scratch, values, n, power(scale));
    unsigned width = bytes_needed((uint64_t)l.most - (uint64_t)l.least);
    unsigned mode = bytes_needed(l.widest) < width ? PACK_DELTA : PACK_BASE;
    uint64_t base = mode == PACK_DELTA ? scratch[0] : (uint64_t)l.least;
    uint64_t before = base;
    for (uint32_t i = 0; i < n && mode == PACK_DELTA; i++) {
        uint64_t v = scratch[i];
        scratch[i] = zigzag((int64_t)(v - before));
        before = v;
    }
    for (uint32_t i = 0; i < n && mode == PACK_BASE; i++)
        scratch[i] -= base;
    width = mode == PACK_DELTA ? bytes_needed(l.widest) : width;
    buf_byte(out, (char)mode);
    buf_byte(out, (char)scale);
    buf_byte(out, (char)width);
    buf_varint(out, zigzag((int64_t)base));
    planes_put(out, scratch, n, width);
}

void skip_numbers(struct reader *in, uint32_t n)
{
    if (n == 0)
        return;
    (void)reader_get16(in); /* mode and scale */
    unsigned width = reader_get8(in);
    (void)reader_varint(in, UINT64_MAX);
    if (width > 8)
        in->failed = true;
    (void)reader_bytes(in, (uint64_t)n * width);
}

/* Plane after plane: each loop is one that the compiler makes vectors of. */
static void planes_get(const char *planes, int64_t *values, uint32_t n, unsigned width)
{
    if (width == 0) {
        memset(values, 0, n * sizeof(*values));
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        values[i] = (uint8_t)planes[i];
    for (unsigned plane = 1; plane < width; plane++) {
        const char *bytes = planes + (size_t)plane * n;
        for (uint32_t i = 0; i < n; i++)
            values[i] |= (int64_t)((uint64_t)(uint8_t)bytes[i] << (plane * 8));
    }
}

int unpack_numbers(struct reader *in, int64_t *values, uint32_t n)
{
    if (n == 0)
        return 0;
    unsigned mode = reader_get8(in);
    unsigned scale = reader_get8(in);
    unsigned width = reader_get8(in);
    int64_t base = unzigzag(reader_varint(in, UINT64_MAX));
    if (mode > PACK_DELTA || scale > PACK_SCALE_MAX || scale % 3 != 0 || width > 8)
        in->failed = true;
    struct slice planes = reader_bytes(in, (uint64_t)n * width);
    if (in->failed)
        return ERR_CORRUPT;
    uint64_t unit = (uint64_t)power(scale);
    planes_get(planes.data, values, n, width);
    if (mode == PACK_BASE) {
        for (uint32_t i = 0; i < n; i++)
            values[i] = (int64_t)(((uint64_t)base + (uint64_t)values[i]) * unit);
        return 0;
    }
    uint64_t before = (uint64_t)base;
    for (uint32_t i = 0; i < n; i++) {
        before += (uint64_t)unzigzag((uint64_t)values[i]);
        values[i] = (int64_t)(before * unit);
    }
    return 0;
}

void pack_codes(struct buf *out, const uint16_t *codes, uint32_t n, uint32_t limit)
{
    unsigned width = limit <= 1 ? 0 : limit <= 256 ? 1 : 2;
    char *to = buf_reserve(out, (size_t)n * width);
    if (to == NULL)
        return;
    for (unsigned plane = 0; plane < width; plane++) {
        for (uint32_t i = 0; i < n; i++)
            to[(size_t)plane * n + i] = (char)(codes[i] >> (plane * 8));
    }
    out->len += (size_t)n * width;
}

int unpack_codes(struct reader *in, uint16_t *codes, uint32_t n, uint32_t limit)
{
    unsigned width = limit <= 1 ? 0 : limit <= 256 ? 1 : 2;
    struct slice planes = reader_bytes(in, (uint64_t)n * width);
    if (in->failed || limit == 0) {
        in->failed = true;
        return ERR_CORRUPT;
    }
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = width == 0 ? 0 : (uint8_t)planes.data[i];
        if (width == 2)
            code |= (uint32_t)(uint8_t)planes.data[(size_t)n + i] << 8;
        codes[i] = (uint16_t)code;
        most = code > most ? code : most;
    }
    if (most >= limit) {
        in->failed = true;
        return ERR_CORRUPT;
    }
    return 0;
}

void skip_codes(struct reader *in, uint32_t n, uint32_t limit)
{
    unsigned width = limit <= 1 ? 0 : limit <= 256 ? 1 : 2;
    (void)reader_bytes(in, (uint64_t)n * width);
    if (limit == 0)
        in->failed = true;
}
