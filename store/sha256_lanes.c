#include "store/sha256_lanes.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#include "base/bytes.h"

enum {
    LANES = 2,
    BLOCK_BYTES = 64,
    LENGTH_BYTES = 8,
    QUADS = 4, /* of words in a block, and of rounds between two uses of a quad */
    LEAF_FEATURES = 7,
    FEATURE_SHA = 1 << 29,   /* of EBX */
    FEATURE_SSE41 = 1 << 19, /* of ECX, leaf 1 */
};

#define TARGET __attribute__((target("sha,sse4.1")))

/* FIPS 180-4, 4.2.2. */
static const uint32_t ROUNDS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* A text on its way through a lane. */
struct lane {
    __m128i abef; /* the eight words of the state, as the instructions want them */
    __m128i cdgh;
    __m128i quads[QUADS];
    struct slice text; /* whole blocks that are left, or those of the tail */
    bool in_tail;
    bool busy;
    size_t index;               /* of the text */
    char tail[2 * BLOCK_BYTES]; /* what is no whole block, padded */
    size_t tail_len;
};

static void lane_begin(struct lane *l, struct slice text, size_t index)
{
    size_t whole = text.len - text.len % BLOCK_BYTES;
    size_t rest = text.len - whole;
    size_t tail_len = rest < BLOCK_BYTES - LENGTH_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    l->abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    l->cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    memset(l->tail, 0, sizeof(l->tail));
    if (rest != 0)
        memcpy(l->tail, text.data + whole, rest);
    l->tail[rest] = (char)0x80;
    bytes_put32_be(l->tail + tail_len - LENGTH_BYTES, (uint32_t)((uint64_t)text.len >> 29));
    bytes_put32_be(l->tail + tail_len - LENGTH_BYTES / 2, (uint32_t)(text.len << 3));
    l->tail_len = tail_len;
    l->in_tail = whole == 0;
    l->text = whole == 0 ? slice_of(l->tail, tail_len) : slice_of(text.data, whole);
    l->index = index;
    l->busy = true;
}

static void lane_end(struct lane *l, struct sha256 *out)
{
    uint32_t abef[4];
    uint32_t cdgh[4];
    memcpy(abef, &l->abef, sizeof(abef));
    memcpy(cdgh, &l->cdgh, sizeof(cdgh));
    const uint32_t words[] = {abef[3], abef[2], cdgh[3], cdgh[2],
                              abef[1], abef[0], cdgh[1], cdgh[0]};
    char bytes[SHA256_BYTES];
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        bytes_put32_be(bytes + 4 * i, words[i]);
    memcpy(out[l->index].bytes, bytes, sizeof(bytes));
    l->busy = false;
}

/* Four rounds with four words of the schedule. */
TARGET static inline void four_rounds(struct lane *l, unsigned quad, unsigned round)
{
    __m128i constants;
    memcpy(&constants, &ROUNDS[round], sizeof(constants));
    __m128i words = _mm_add_epi32(l->quads[quad], constants);
    l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, words);
    l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(words, 0x0e));
}

TARGET static inline void load_quad(struct lane *l, unsigned quad, const char *block)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    l->quads[quad] =
        _mm_shuffle_epi8(_mm_loadu_si128((const void *)(block + 16 * (size_t)quad)), big_endian);
}

/* The words sixteen rounds later, in the place of those of now. */
TARGET static inline void next_quad(struct lane *l, unsigned quad)
{
    __m128i before = l->quads[(quad + 3) % QUADS];
    __m128i words = _mm_sha256msg1_epu32(l->quads[quad], l->quads[(quad + 1) % QUADS]);
    words = _mm_add_epi32(words, _mm_alignr_epi8(before, l->quads[(quad + 2) % QUADS], 4));
    l->quads[quad] = _mm_sha256msg2_epu32(words, before);
}

TARGET static inline void both_load(struct lane *a, struct lane *b, unsigned quad)
{
    load_quad(a, quad, a->text.data);
    load_quad(b, quad, b->text.data);
    four_rounds(a, quad, quad * 4);
    four_rounds(b, quad, quad * 4);
}

TARGET static inline void both_next(struct lane *a, struct lane *b, unsigned quad, unsigned round)
{
    next_quad(a, quad);
    next_quad(b, quad);
    four_rounds(a, quad, round + quad * 4);
    four_rounds(b, quad, round + quad * 4);
}

/* `blocks` blocks of either lane. */
TARGET static void compress(struct lane *left, struct lane *right, size_t blocks)
{
    struct lane a;
    struct lane b;
    a.abef = left->abef;
    a.cdgh = left->cdgh;
    a.text = left->text;
    b.abef = right->abef;
    b.cdgh = right->cdgh;
    b.text = right->text;
    for (; blocks != 0; blocks--) {
        const __m128i before[] = {a.abef, a.cdgh, b.abef, b.cdgh};
        both_load(&a, &b, 0);
        both_load(&a, &b, 1);
        both_load(&a, &b, 2);
        both_load(&a, &b, 3);
        for (unsigned round = 16; round < 64; round += 16) {
            both_next(&a, &b, 0, round);
            both_next(&a, &b, 1, round);
            both_next(&a, &b, 2, round);
            both_next(&a, &b, 3, round);
        }
        a.abef = _mm_add_epi32(a.abef, before[0]);
        a.cdgh = _mm_add_epi32(a.cdgh, before[1]);
        b.abef = _mm_add_epi32(b.abef, before[2]);
        b.cdgh = _mm_add_epi32(b.cdgh, before[3]);
        a.text = slice_from_offset(a.text, BLOCK_BYTES);
        b.text = slice_from_offset(b.text, BLOCK_BYTES);
    }
    left->abef = a.abef;
    left->cdgh = a.cdgh;
    left->text = a.text;
    right->abef = b.abef;
    right->cdgh = b.cdgh;
    right->text = b.text;
}

bool sha256_lanes_there(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & FEATURE_SSE41) == 0)
        return false;
    return __get_cpuid_count(LEAF_FEATURES, 0, &a, &b, &c, &d) != 0 && (b & FEATURE_SHA) != 0;
}

/* The lane's next blocks: the tail behind the text, the next text behind the tail. */
static void lane_go_on(struct lane *l, struct sha256 *out, const struct slice *texts, size_t count,
                       size_t *next)
{
    if (l->text.len != 0)
        return;
    if (l->busy && !l->in_tail) {
        l->text = slice_of(l->tail, l->tail_len);
        l->in_tail = true;
        return;
    }
    if (l->busy)
        lane_end(l, out);
    if (*next < count) {
        lane_begin(l, texts[*next], *next);
        (*next)++;
    } else {
        l->text = slice_of(l->tail, BLOCK_BYTES); /* the other one goes on alone */
    }
}

void sha256_lanes_hash(struct sha256 *out, const struct slice *texts, size_t count)
{
    struct lane lanes[LANES] = {0};
    size_t next = 0;
    for (;;) {
        for (unsigned i = 0; i < LANES; i++)
            lane_go_on(&lanes[i], out, texts, count, &next);
        if (!lanes[0].busy && !lanes[1].busy)
            return;
        size_t left = lanes[0].text.len / BLOCK_BYTES;
        size_t right = lanes[1].text.len / BLOCK_BYTES;
        compress(&lanes[0], &lanes[1], left < right ? left : right);
    }
}

#else

bool sha256_lanes_there(void)
{
    return false;
}

void sha256_lanes_hash(struct sha256 *out, const struct slice *texts, size_t count)
{
    (void)texts;
    memset(out, 0, count * sizeof(*out));
}

#endif
