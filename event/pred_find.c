#include "event/pred_find.h"

#include "base/fold.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    ESCAPE_BYTES = 3, /* %XX */
    KANJI_BYTES = 3,  /* of UTF-8, of kana too */
};

/* What the lines of all formats and their URLs have most, in that order (tests/golden, `sekisho gen`). */
static const char COMMON_BYTES[] = "0 e/t1.anios2prlc|d:m\"95u-384\t6=,f7hwvbgky+x%_j";

static bool letter(unsigned char c)
{
    return (unsigned char)(find_fold(c) - 'a') < 26;
}

/* The place of the byte that logs have least, but for `other`. */
static uint32_t rarest(struct slice text, uint32_t other)
{
    size_t best_rank = 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        const char *common =
            memchr(COMMON_BYTES, find_fold((unsigned char)text.data[i]), sizeof(COMMON_BYTES) - 1);
        size_t rank = common == NULL ? sizeof(COMMON_BYTES) : (size_t)(common - COMMON_BYTES) + 1;
        if (i == other || rank <= best_rank)
            continue;
        best_rank = rank;
        best = i;
    }
    return best;
}

struct needle needle_of(struct slice text, bool cased)
{
    struct needle n = {.text = text, .cased = cased};
    if (text.len == 0)
        return n;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = find_fold((unsigned char)text.data[i]);
        n.bytes[c / 64] |= UINT64_C(1) << (c % 64);
    }
    n.at[0] = rarest(text, UINT32_MAX);
    n.at[1] = text.len == 1 ? n.at[0] : rarest(text, n.at[0]);
    for (size_t i = 0; i < 2; i++) {
        n.byte[i] = (unsigned char)text.data[n.at[i]];
        n.fold[i] = !cased && letter(n.byte[i]) ? 0x20 : 0;
    }
    return n;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)find_fold((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next escape at or behind `at`, or NULL; what it means. */
static const char *escape_next(const char *at, const char *end, unsigned char *out)
{
    while (end - at >= ESCAPE_BYTES) {
        at = memchr(at, '%', (size_t)(end - at) - (ESCAPE_BYTES - 1));
        if (at == NULL)
            return NULL;
        int high = hex_digit(at[1]);
        int low = hex_digit(at[2]);
        if (high >= 0 && low >= 0) {
            *out = (unsigned char)(high * 16 + low);
            return at;
        }
        at++;
    }
    return NULL;
}

/* Do the escapes from `at` on make a kana or kanji of UTF-8, and none of its bytes is the needle's? */
static bool is_other_kanji(const struct needle *n, const char *at, const char *end)
{
    char bytes[KANJI_BYTES + SLICE_PADDING_BYTES] = {0};
    for (size_t i = 0; i < KANJI_BYTES; i++, at += ESCAPE_BYTES) {
        unsigned char c = 0;
        if (escape_next(at, end, &c) != at || (n->bytes[c / 64] >> (c % 64) & 1) != 0)
            return false;
        bytes[i] = (char)c;
    }
    return (unsigned char)bytes[0] >= 0xe0 && !fold_changes(slice_of(bytes, KANJI_BYTES));
}

bool needle_escaped(const struct needle *n, struct slice text)
{
    const char *end = text.data + text.len;
    unsigned char c = 0;
    for (const char *at = text.data; text.len != 0 && (at = escape_next(at, end, &c)) != NULL;) {
        if (c < 0x80) {
            c = find_fold(c);
            if ((n->bytes[c / 64] >> (c % 64) & 1) != 0)
                return true;
            at++;
        } else if (is_other_kanji(n, at, end)) {
            at += (size_t)KANJI_BYTES * ESCAPE_BYTES;
        } else {
            return true;
        }
    }
    return false;
}

bool find_high_escape(struct slice text)
{
    const char *end = text.data + text.len;
    unsigned char c = 0;
    for (const char *at = text.data; text.len != 0 && (at = escape_next(at, end, &c)) != NULL;
         at++) {
        if (c >= 0x80)
            return true;
    }
    return false;
}

struct slice find_folded(struct arena *arena, struct slice text)
{
    char *copy = arena_copy(arena, text);
    if (copy == NULL)
        return (struct slice){0};
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)find_fold((unsigned char)copy[i]);
    return slice_of(copy, text.len);
}

static bool folded_equal_bytes(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (find_fold((unsigned char)a[i]) != (unsigned char)b[i])
            return false;
    }
    return true;
}

#if defined(__SSE2__)

static __m128i load16(const char *p)
{
    return _mm_loadu_si128((const void *)p);
}

static __m128i fold16(__m128i v)
{
    __m128i above = _mm_cmpgt_epi8(v, _mm_set1_epi8('A' - 1));
    __m128i below = _mm_cmplt_epi8(v, _mm_set1_epi8('Z' + 1));
    return _mm_or_si128(v, _mm_and_si128(_mm_and_si128(above, below), _mm_set1_epi8(0x20)));
}

static bool folded_equal(const char *a, const char *b, size_t len)
{
    size_t i = 0;
    for (; i + 16 <= len; i += 16) {
        __m128i same = _mm_cmpeq_epi8(fold16(load16(a + i)), load16(b + i));
        if (_mm_movemask_epi8(same) != 0xffff)
            return false;
    }
    return folded_equal_bytes(a + i, b + i, len - i);
}

bool find_equal(const char *a, const char *b, size_t len, bool cased)
{
    if (len == 0)
        return true;
    return cased ? memcmp(a, b, len) == 0 : folded_equal(a, b, len);
}

const char *needle_find(const struct needle *n, const char *from, const char *end)
{
    size_t len = n->text.len;
    if (len == 0)
        return from;
    if ((size_t)(end - from) < len)
        return NULL;
    const char *stop = end - len + 1; /* one past the last place where it fits */
    __m128i one = _mm_set1_epi8((char)n->byte[0]);
    __m128i two = _mm_set1_epi8((char)n->byte[1]);
    __m128i one_fold = _mm_set1_epi8((char)n->fold[0]);
    __m128i two_fold = _mm_set1_epi8((char)n->fold[1]);
    for (const char *p = from; p < stop; p += 16) {
        __m128i a = _mm_cmpeq_epi8(_mm_or_si128(load16(p + n->at[0]), one_fold), one);
        __m128i b = _mm_cmpeq_epi8(_mm_or_si128(load16(p + n->at[1]), two_fold), two);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_and_si128(a, b));
        while (mask != 0) {
            const char *at = p + __builtin_ctz(mask);
            if (at >= stop)
                return NULL;
            if (find_equal(at, n->text.data, len, n->cased))
                return at;
            mask &= mask - 1;
        }
    }
    return NULL;
}

#else

bool find_equal(const char *a, const char *b, size_t len, bool cased)
{
    if (len == 0)
        return true;
    return cased ? memcmp(a, b, len) == 0 : folded_equal_bytes(a, b, len);
}

const char *needle_find(const struct needle *n, const char *from, const char *end)
{
    size_t len = n->text.len;
    if (len == 0)
        return from;
    for (const char *p = from; (size_t)(end - p) >= len; p++) {
        if (find_equal(p, n->text.data, len, n->cased))
            return p;
    }
    return NULL;
}

#endif
