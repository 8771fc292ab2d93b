#include "base/charset.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/charset_points.h"
#include "base/escape.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    REPLACEMENT = 0xfffd,
    PIECE_END = 0x40,  /* a byte below it ends a piece */
    HALF_FIRST = 0xa1, /* katakana of half width */
    HALF_LAST = 0xdf,
    HALF_POINT = 0xff61, /* code point of the first of them */
    EUC_HALF_RUN = 3,
    UTF8_BROKEN_SHARE = 8, /* of so many bytes one may be broken in what is still UTF-8 */
    LOOK_BYTES_MAX = 128,  /* of a text, by which CP932 and EUC-JP are told apart */
    LOOK_PIECE_BYTES = 8,  /* what a shorter piece counts as: it costs as much to look at */
};

/* One encoding's reading of pieces. */
struct reading {
    bool wrong;        /* some bytes are no character */
    uint32_t known;    /* characters beyond ASCII */
    uint32_t unlikely; /* characters that Japanese text hardly has */
    bool voiced;       /* katakana of half width with a sound mark where one may stand */
};

/* What pieces that are not UTF-8 may be. */
struct look {
    struct reading cp932;
    struct reading euc;
};

bool charset_find(enum charset *out, struct slice name)
{
    static const char *const NAMES[CHARSET_COUNT] = {[CHARSET_UTF8] = "utf-8",
                                                     [CHARSET_CP932] = "cp932",
                                                     [CHARSET_EUC_JP] = "euc-jp",
                                                     [CHARSET_AUTO] = "auto"};
    for (unsigned i = 0; i < CHARSET_COUNT; i++) {
        if (slice_equal(name, slice_from(NAMES[i]))) {
            *out = (enum charset)i;
            return true;
        }
    }
    return false;
}

bool charset_is_ascii(struct slice text)
{
    size_t i = 0;
#if defined(__SSE2__)
    __m128i any = _mm_setzero_si128();
    for (; i + 64 <= text.len; i += 64) {
        for (size_t k = 0; k < 64; k += 16)
            any = _mm_or_si128(any, _mm_loadu_si128((const void *)(text.data + i + k)));
        if (_mm_movemask_epi8(any) != 0)
            return false;
    }
    for (; i + 16 <= text.len; i += 16)
        any = _mm_or_si128(any, _mm_loadu_si128((const void *)(text.data + i)));
    if (_mm_movemask_epi8(any) != 0)
        return false;
#endif
    uint64_t rest = 0;
    for (; i + sizeof(rest) <= text.len; i += sizeof(rest))
        rest |= bytes_get64(text.data + i);
    for (; i < text.len; i++)
        rest |= (unsigned char)text.data[i];
    return (rest & UINT64_C(0x8080808080808080)) == 0;
}

void charset_put(struct buf *out, uint32_t point)
{
    char bytes[4];
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (len == 1) {
        buf_byte(out, (char)point);
        return;
    }
    for (size_t i = len; i-- > 1; point >>= 6)
        bytes[i] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)((0xf00U >> len & 0xf0) | point);
    buf_append(out, bytes, len);
}

static unsigned byte_at(struct slice text, size_t at)
{
    return at < text.len ? (unsigned char)text.data[at] : 0;
}

static bool is_half(unsigned c)
{
    return c >= HALF_FIRST && c <= HALF_LAST;
}

static bool is_cp932_lead(unsigned c)
{
    return (c >= 0x81 && c <= 0x9f) || (c >= 0xe0 && c <= 0xfc);
}

static inline uint32_t cp932_point(unsigned lead, unsigned trail)
{
    if (!is_cp932_lead(lead) || trail < 0x40 || trail > 0xfc)
        return 0;
    unsigned row = lead < 0xa0 ? lead - 0x81 : lead - 0xe0 + (0xa0 - 0x81);
    return CHARSET_CP932_POINTS[row * CHARSET_CP932_TRAILS + (trail - 0x40)];
}

/* The character at `at`; its bytes, 0 where there is none. */
static inline size_t cp932_next(struct slice text, size_t at, uint32_t *point)
{
    unsigned c = byte_at(text, at);
    if (c < 0x80 || is_half(c)) {
        *point = c < 0x80 ? c : HALF_POINT + (c - HALF_FIRST);
        return 1;
    }
    *point = cp932_point(c, byte_at(text, at + 1));
    return *point == 0 ? 0 : 2;
}

static bool is_euc_byte(unsigned c)
{
    return c >= 0xa1 && c <= 0xfe;
}

/* Row and cell of JIS X 0208 as CP932 writes them. */
static inline uint32_t jisx0208_point(unsigned row, unsigned cell)
{
    unsigned lead = (row - 1) / 2 + (row <= 62 ? 0x81 : 0xc1);
    unsigned trail = cell + 0x9e;
    if (row % 2 == 1)
        trail = cell + 0x3f + (cell >= 64);
    return cp932_point(lead, trail);
}

static inline size_t euc_next(struct slice text, size_t at, uint32_t *point)
{
    unsigned c = byte_at(text, at);
    unsigned second = byte_at(text, at + 1);
    unsigned third = byte_at(text, at + 2);
    *point = 0;
    if (c < 0x80) {
        *point = c;
        return 1;
    }
    if (c == 0x8e && is_half(second))
        *point = HALF_POINT + (second - HALF_FIRST);
    else if (is_euc_byte(c) && is_euc_byte(second))
        *point = jisx0208_point(c - 0xa0, second - 0xa0);
    else if (c == 0x8f && is_euc_byte(second) && is_euc_byte(third))
        *point = CHARSET_JISX0212_POINTS[(second - 0xa1) * CHARSET_JIS_CELLS + (third - 0xa1)];
    return *point == 0 ? 0 : c == 0x8f ? 3 : 2;
}

size_t charset_next(uint32_t *point, struct slice text, enum charset charset)
{
    assert(text.len != 0 && charset < CHARSET_AUTO);
    if (charset == CHARSET_UTF8)
        return escape_utf8(point, text);
    return charset == CHARSET_CP932 ? cp932_next(text, 0, point) : euc_next(text, 0, point);
}

/* Is the text at `at` the beginning of a character that its end cuts off? */
static bool is_cut(struct slice text, size_t at, enum charset charset)
{
    unsigned c = byte_at(text, at);
    size_t left = text.len - at;
    if (charset == CHARSET_CP932)
        return left == 1 && is_cp932_lead(c);
    if (charset == CHARSET_EUC_JP)
        return c == 0x8f ? left == 1 || (left == 2 && is_euc_byte(byte_at(text, at + 1)))
                         : left == 1 && (c == 0x8e || is_euc_byte(c));
    size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || left >= need)
        return false;
    for (size_t i = 1; i < left; i++) {
        if ((byte_at(text, at + i) & 0xc0) != 0x80)
            return false;
    }
    return true;
}

/* UTF-8 */

struct utf8_count {
    uint32_t high;     /* bytes above 7F */
    uint32_t broken;   /* of them in no character */
    uint32_t japanese; /* characters */
    bool cut;
    bool half; /* all bytes above 7F could be katakana of half width */
    bool rare; /* a character of two bytes that is neither Latin 1, Greek nor Cyrillic */
};

static bool is_japanese(uint32_t point)
{
    return (point >= 0x3000 && point < 0xa000) || (point >= 0xff00 && point < 0xfff0);
}

static struct utf8_count utf8_count(struct slice piece)
{
    struct utf8_count n = {.half = true};
    const size_t broken_max =
        (piece.len < LOOK_BYTES_MAX ? piece.len : LOOK_BYTES_MAX) / UTF8_BROKEN_SHARE;
    for (size_t at = 0; at < piece.len;) {
        uint32_t point = 0;
        unsigned c = byte_at(piece, at);
        if (c < 0x80) {
            at++;
            continue;
        }
        size_t len = escape_utf8(&point, slice_from_offset(piece, at));
        if (len == 0 && is_cut(piece, at, CHARSET_UTF8)) {
            n.cut = true;
            return n;
        }
        n.broken += len == 0;
        /* Too many, whatever follows. */
        if (n.broken > broken_max)
            return n;
        len = len == 0 ? 1 : len;
        for (size_t i = 0; i < len; i++)
            n.half = n.half && is_half(byte_at(piece, at + i));
        n.high += (uint32_t)len;
        n.japanese += is_japanese(point);
        n.rare |= len == 2 && !(c <= 0xc3 || (c >= 0xce && c <= 0xd1));
        at += len;
    }
    return n;
}

enum utf8_answer {
    UTF8_NO,
    UTF8_WEAK, /* valid, and katakana of half width as well */
    UTF8_YES,
};

static enum utf8_answer utf8_answer(struct slice piece)
{
    struct utf8_count n = utf8_count(piece);
    if (n.broken != 0)
        return n.japanese >= 2 && n.broken * UTF8_BROKEN_SHARE <= n.high ? UTF8_YES : UTF8_NO;
    if (n.cut)
        return n.japanese != 0 ? UTF8_YES : UTF8_NO;
    if (n.high == 0 || !n.half)
        return UTF8_YES;
    return n.rare ? UTF8_NO : UTF8_WEAK;
}

/* CP932 and EUC-JP */

/* Katakana that a sound mark may follow: ｳ, ｶ..ﾄ, ﾊ..ﾎ. */
static bool takes_mark(unsigned c)
{
    return c == 0xb3 || (c >= 0xb6 && c <= 0xc4) || (c >= 0xca && c <= 0xce);
}

/* Katakana of half width behind the byte `before`: is the order one that words have? */
static void half_look(struct reading *r, unsigned before, unsigned c)
{
    bool mark = c == 0xde || c == 0xdf;
    bool small = c >= 0xa7 && c <= 0xb0;
    bool follows = is_half(before) && before > 0xa5;
    if (c <= 0xa5 || (mark && !takes_mark(before)) || (small && !follows))
        r->unlikely++;
    r->voiced |= mark && takes_mark(before);
}

static void cp932_look(struct reading *r, struct slice piece)
{
    unsigned before = 0;
    for (size_t at = 0; at < piece.len;) {
        uint32_t point = 0;
        unsigned c = byte_at(piece, at);
        size_t len = cp932_next(piece, at, &point);
        if (len == 0) {
            r->wrong |= !is_cut(piece, at, CHARSET_CP932);
            r->unlikely++;
            return;
        }
        r->known += c >= 0x80;
        if (len == 1 && c >= 0x80)
            half_look(r, before, c);
        r->unlikely += len == 2 && c >= 0xe0;
        before = len == 1 ? c : 0;
        at += len;
    }
}

/*
 * Katakana of half width are pairs with 8E, which kanji of CP932 begin with, too: some of them in a row
 * are katakana.
 */
static void euc_half_look(struct reading *r, uint32_t *run, bool half)
{
    *run = half ? *run + 1 : 0;
    if (*run < EUC_HALF_RUN)
        r->unlikely += half;
    else if (*run == EUC_HALF_RUN)
        r->unlikely -= EUC_HALF_RUN - 1;
}

static void euc_look(struct reading *r, struct slice piece)
{
    uint32_t run = 0;
    for (size_t at = 0; at < piece.len;) {
        uint32_t point = 0;
        unsigned c = byte_at(piece, at);
        size_t len = euc_next(piece, at, &point);
        if (len == 0) {
            r->wrong |= !is_cut(piece, at, CHARSET_EUC_JP);
            r->unlikely++;
            return;
        }
        r->known += c >= 0x80;
        /* What is frequent: punctuation, letters, kana, kanji of the first level. */
        bool frequent = (c >= 0xa1 && c <= 0xa5) || (c >= 0xb0 && c <= 0xcf);
        r->unlikely += len > 1 && !frequent && c != 0x8e;
        euc_half_look(r, &run, c == 0x8e);
        at += len;
    }
}

static enum charset look_answer(const struct look *l)
{
    bool cp932 = !l->cp932.wrong && l->cp932.known != 0;
    bool euc = !l->euc.wrong && l->euc.known != 0;
    if (!cp932 || !euc)
        return cp932 ? CHARSET_CP932 : euc ? CHARSET_EUC_JP : CHARSET_UTF8;
    if (l->cp932.unlikely == 0 && l->cp932.voiced)
        return CHARSET_CP932;
    return l->euc.unlikely == 0 || l->euc.unlikely < l->cp932.unlikely ? CHARSET_EUC_JP
                                                                       : CHARSET_CP932;
}

/* Pieces */

/* The first byte above 7F at or behind `at`, or the text's length. */
static size_t find_high(struct slice text, size_t at)
{
    enum {
        STEP = 64,
    };
    while (text.len - at >= STEP && charset_is_ascii(slice_of(text.data + at, STEP)))
        at += STEP;
    while (at < text.len && byte_at(text, at) < 0x80)
        at++;
    return at;
}

/* The next piece with a byte above 7F at or behind *at, which moves behind it; false at the end. */
static bool piece_next(struct slice text, size_t *at, struct slice *out)
{
    size_t high = find_high(text, *at);
    size_t from = high;
    while (from > *at && byte_at(text, from - 1) >= PIECE_END)
        from--;
    size_t end = high;
    while (end < text.len && byte_at(text, end) >= PIECE_END)
        end++;
    *out = slice_of(text.data + from, end - from);
    *at = end;
    return end > high;
}

/* Is it UTF-8 without characters of two bytes? Then there is nothing to guess. */
static bool is_plain_utf8(struct slice text)
{
    for (size_t at = find_high(text, 0); at < text.len; at = find_high(text, at)) {
        uint32_t point = 0;
        size_t len = escape_utf8(&point, slice_from_offset(text, at));
        if (len == 0 || len == 2)
            return false;
        at += len;
    }
    return true;
}

enum charset charset_guess(struct slice text)
{
    if (is_plain_utf8(text))
        return CHARSET_UTF8;
    struct look look = {0};
    struct slice piece;
    size_t left = LOOK_BYTES_MAX;
    for (size_t at = 0; left > 0 && piece_next(text, &at, &piece);) {
        if (utf8_answer(piece) != UTF8_NO)
            continue;
        piece.len = piece.len < left ? piece.len : left;
        size_t cost = piece.len < LOOK_PIECE_BYTES ? LOOK_PIECE_BYTES : piece.len;
        left -= cost < left ? cost : left;
        cp932_look(&look.cp932, piece);
        euc_look(&look.euc, piece);
        if (look.cp932.wrong && look.euc.wrong)
            return CHARSET_UTF8;
    }
    return look_answer(&look);
}

bool charset_is_utf8(struct slice text)
{
    struct slice piece;
    bool some = false;
    for (size_t at = 0; piece_next(text, &at, &piece);) {
        if (utf8_answer(piece) != UTF8_YES)
            return false;
        some = true;
    }
    return some;
}

static void convert(struct buf *out, struct slice text, enum charset charset)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t point = 0;
        size_t len =
            charset == CHARSET_CP932 ? cp932_next(text, at, &point) : euc_next(text, at, &point);
        charset_put(out, len == 0 ? REPLACEMENT : point);
        at += len == 0 ? 1 : len;
    }
}

void charset_to_utf8(struct buf *out, struct slice text, enum charset charset)
{
    if (charset == CHARSET_CP932 || charset == CHARSET_EUC_JP) {
        convert(out, text, charset);
        return;
    }
    enum charset guess = charset == CHARSET_AUTO ? charset_guess(text) : CHARSET_UTF8;
    if (guess == CHARSET_UTF8) {
        buf_slice(out, text);
        return;
    }
    struct slice piece;
    size_t done = 0;
    for (size_t at = 0; piece_next(text, &at, &piece); done = at) {
        buf_append(out, text.data + done, (size_t)(piece.data - text.data) - done);
        if (utf8_answer(piece) == UTF8_YES)
            buf_slice(out, piece);
        else
            convert(out, piece, guess);
    }
    buf_slice(out, slice_from_offset(text, done));
}
