#include "event/value.h"

#include <arpa/inet.h>

#include "base/bytes.h"
#include "base/err.h"

/* Eight ASCII digits in memory order to a number; well known SWAR (Lemire, 2018). */
static uint32_t eight_digits(uint64_t v)
{
    v -= UINT64_C(0x3030303030303030);
    v = v * 10 + (v >> 8);
    v = ((v & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
         ((v >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >>
        32;
    return (uint32_t)v;
}

static bool eight_are_digits(uint64_t v)
{
    uint64_t high = v & UINT64_C(0xF0F0F0F0F0F0F0F0);
    uint64_t over = (v + UINT64_C(0x0606060606060606)) & UINT64_C(0xF0F0F0F0F0F0F0F0);
    return high == UINT64_C(0x3030303030303030) && over == UINT64_C(0x3030303030303030);
}

/* 1..19 digits with 8 readable bytes behind; false if a byte is no digit or it does not fit. */
static bool digits_read(const char *p, size_t len, uint64_t *out)
{
    uint64_t v = 0;
    while (len >= 8) {
        uint64_t chunk = bytes_get64(p);
        if (!eight_are_digits(chunk))
            return false;
        v = v * 100000000 + eight_digits(chunk);
        p += 8;
        len -= 8;
    }
    if (len != 0) {
        /* Shift the digits to the end of the word and fill the front with '0'. */
        unsigned gap = (unsigned)(8 - len) * 8;
        uint64_t chunk = bytes_get64(p) << gap | (UINT64_C(0x3030303030303030) >> (64 - gap));
        if (!eight_are_digits(chunk))
            return false;
        static const uint32_t SCALE[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
        v = v * SCALE[len] + eight_digits(chunk);
    }
    *out = v;
    return true;
}

enum value_class value_int(struct slice text, int64_t *out)
{
    const char *p = text.data;
    size_t len = text.len;
    bool negative = len > 1 && *p == '-';
    if (negative) {
        p++;
        len--;
    }
    if (len == 0)
        return VALUE_INVALID;
    size_t zeros = 0;
    while (zeros + 1 < len && p[zeros] == '0')
        zeros++;
    uint64_t v = 0;
    if (len - zeros > VALUE_INT_DIGITS_MAX || !digits_read(p + zeros, len - zeros, &v))
        return VALUE_INVALID;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return zeros != 0 || (negative && v == 0) ? VALUE_VALID : VALUE_CANONICAL;
}

enum value_class value_epoch(struct slice text, int64_t *out, enum epoch_form *form)
{
    uint64_t v = 0;
    size_t len = text.len;
    if (len == 14 && text.data[10] == '.') {
        uint64_t ms = 0;
        if (!digits_read(text.data, 10, &v) || !digits_read(text.data + 11, 3, &ms))
            return VALUE_INVALID;
        *form = EPOCH_MILLIS_POINT;
        *out = (int64_t)(v * 1000 + ms);
        return text.data[0] == '0' ? VALUE_VALID : VALUE_CANONICAL;
    }
    if ((len != 10 && len != 13 && len != 16 && len != 19) || text.data[0] == '0')
        return VALUE_INVALID;
    if (!digits_read(text.data, len, &v) || v > INT64_MAX)
        return VALUE_INVALID;
    *form = EPOCH_DIGITS;
    *out = (int64_t)v;
    return VALUE_CANONICAL;
}

int64_t value_epoch_ns(int64_t value, enum epoch_form form)
{
    int64_t unit = 1;
    if (form == EPOCH_MILLIS_POINT || (value >= 1000000000000 && value < 10000000000000))
        unit = 1000000;
    else if (value < 100000000000)
        unit = 1000000000;
    else if (value < 10000000000000000)
        unit = 1000;
    int64_t ns = 0;
    return __builtin_mul_overflow(value, unit, &ns) ? INT64_MAX : ns;
}

enum value_class value_ip4(struct slice text, uint32_t *out)
{
    if (text.len < 7 || text.len > 15)
        return VALUE_INVALID;
    const char *p = text.data;
    const char *end = p + text.len;
    uint32_t v = 0;
    for (int part = 0; part < 4; part++) {
        if (p == end || (unsigned)(unsigned char)*p - '0' > 9)
            return VALUE_INVALID;
        unsigned byte = (unsigned)(unsigned char)*p - '0';
        p++;
        while (p < end && (unsigned)(unsigned char)*p - '0' <= 9) {
            if (byte == 0 || byte > 25)
                return VALUE_INVALID;
            byte = byte * 10 + (unsigned)(unsigned char)*p - '0';
            p++;
        }
        if (byte > 255 || (part < 3 && (p == end || *p != '.')))
            return VALUE_INVALID;
        v = v << 8 | byte;
        p += part < 3;
    }
    if (p != end)
        return VALUE_INVALID;
    *out = v;
    return VALUE_CANONICAL;
}

bool ip_is_private(const struct ip *ip)
{
    if (!ip_is_v4(ip))
        return (ip->bytes[0] & 0xFE) == 0xFC || (ip->bytes[0] == 0xFE && ip->bytes[1] >= 0x80);
    uint32_t v4 = ip_v4(ip);
    return v4 >> 24 == 10 || v4 >> 20 == 0xAC1 || v4 >> 16 == 0xC0A8 || v4 >> 22 == 0x191 ||
           v4 >> 24 == 127 || v4 >> 16 == 0xA9FE;
}

struct ip ip_from_v4(uint32_t v4)
{
    struct ip ip = {.bytes = {[10] = 0xff, [11] = 0xff}};
    bytes_put32_be(ip.bytes + 12, v4);
    return ip;
}

static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

char *value_put_int(char *to, int64_t v)
{
    char text[VALUE_INT_BYTES];
    size_t at = sizeof(text);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (v < 0)
        *to++ = '-';
    while (rest >= 100) {
        at -= 2;
        memcpy(text + at, PAIRS + rest % 100 * 2, 2);
        rest /= 100;
    }
    if (rest >= 10) {
        at -= 2;
        memcpy(text + at, PAIRS + rest * 2, 2);
    } else {
        text[--at] = (char)('0' + rest);
    }
    memcpy(to, text + at, sizeof(text) - at);
    return to + (sizeof(text) - at);
}

static char *put_octet(char *to, uint32_t v)
{
    if (v >= 100)
        *to++ = (char)('0' + v / 100);
    if (v >= 10) {
        memcpy(to, PAIRS + (size_t)(v % 100) * 2, 2);
        return to + 2;
    }
    *to = (char)('0' + v);
    return to + 1;
}

char *value_put_ip4(char *to, uint32_t v4)
{
    for (int shift = 24; shift > 0; shift -= 8) {
        to = put_octet(to, v4 >> shift & 0xff);
        *to++ = '.';
    }
    return put_octet(to, v4 & 0xff);
}

void ip4_print(struct buf *out, uint32_t v4)
{
    char text[VALUE_IP4_BYTES + 1];
    buf_append(out, text, (size_t)(value_put_ip4(text, v4) - text));
}

/* A group of an IPv6 address in lower case, without leading zeros. */
static char *put_group(char *to, unsigned v)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (int shift = v >= 0x1000 ? 12 : v >= 0x100 ? 8 : v >= 0x10 ? 4 : 0; shift >= 0; shift -= 4)
        *to++ = DIGITS[v >> shift & 0xf];
    return to;
}

/* RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::". */
static char *put_ip6(char *to, const uint8_t *bytes)
{
    unsigned groups[8];
    int best = -1;
    int best_len = 1;
    int run = 0;
    for (int i = 0; i < 8; i++) {
        size_t at = 2 * (size_t)i;
        groups[i] = (unsigned)bytes[at] << 8 | bytes[at + 1];
        run = groups[i] == 0 ? run + 1 : 0;
        if (run > best_len) {
            best_len = run;
            best = i - run + 1;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            *to++ = ':';
            *to++ = ':';
            i += best_len - 1;
            continue;
        }
        if (i != 0 && (best < 0 || i != best + best_len))
            *to++ = ':';
        to = put_group(to, groups[i]);
    }
    return to;
}

/* At most VALUE_IP_TEXT_MAX bytes; returns behind the last. */
static char *put_ip(char *to, const struct ip *ip)
{
    return ip_is_v4(ip) ? value_put_ip4(to, ip_v4(ip)) : put_ip6(to, ip->bytes);
}

void ip_print(struct buf *out, const struct ip *ip)
{
    char text[VALUE_IP_TEXT_MAX];
    buf_append(out, text, (size_t)(put_ip(text, ip) - text));
}

enum value_class ip_parse(struct slice text, struct ip *out)
{
    uint32_t v4 = 0;
    if (value_ip4(text, &v4) == VALUE_CANONICAL) {
        *out = ip_from_v4(v4);
        return VALUE_CANONICAL;
    }
    if (text.len < 2 || text.len > VALUE_IP_TEXT_MAX || memchr(text.data, ':', text.len) == NULL)
        return VALUE_INVALID;
    char copy[VALUE_IP_TEXT_MAX + 1];
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    struct ip ip;
    if (memchr(copy, '\0', text.len) != NULL || inet_pton(AF_INET6, copy, ip.bytes) != 1)
        return VALUE_INVALID;
    char printed[VALUE_IP_TEXT_MAX];
    size_t len = (size_t)(put_ip(printed, &ip) - printed);
    *out = ip;
    return slice_equal(slice_of(printed, len), text) ? VALUE_CANONICAL : VALUE_VALID;
}

int network_parse(struct network *out, struct slice text, bool *had_host_bits)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
    struct slice address = text;
    char digits[8 + SLICE_PADDING_BYTES] = {0};
    int64_t bits = -1;
    if (slash != NULL) {
        address.len = (size_t)(slash - text.data);
        struct slice rest = slice_from_offset(text, address.len + 1);
        if (rest.len == 0 || rest.len > 3)
            return ERR_FORMAT;
        memcpy(digits, rest.data, rest.len);
        if (value_int(slice_of(digits, rest.len), &bits) != VALUE_CANONICAL || bits < 0)
            return ERR_FORMAT;
    }
    struct network net = {0};
    if (ip_parse(address, &net.ip) == VALUE_INVALID)
        return ERR_FORMAT;
    bool v4 = memchr(address.data, ':', address.len) == NULL;
    if (bits < 0)
        bits = v4 ? 32 : 128;
    if (bits > (v4 ? 32 : 128))
        return ERR_FORMAT;
    net.prefix_bits = (uint8_t)(v4 ? bits + 96 : bits);
    bool host_bits = false;
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = net.prefix_bits > i * 8 ? net.prefix_bits - i * 8 : 0;
        uint8_t mask = keep >= 8 ? 0xff : (uint8_t)(0xff00U >> keep);
        host_bits |= (net.ip.bytes[i] & (uint8_t)~mask) != 0;
        net.ip.bytes[i] = (uint8_t)(net.ip.bytes[i] & mask);
    }
    if (had_host_bits != NULL)
        *had_host_bits = host_bits;
    *out = net;
    return 0;
}

enum {
    IP4_PREFIX_BITS = 96, /* of the mapped form */
};

bool network_holds(const struct network *net, const struct ip *ip)
{
    unsigned whole = net->prefix_bits / 8U;
    if (net->prefix_bits < IP4_PREFIX_BITS && ip_is_v4(ip))
        return false; /* ::/0 holds no IPv4 address, though their mapped form lies in it */
    if (memcmp(net->ip.bytes, ip->bytes, whole) != 0)
        return false;
    unsigned rest = net->prefix_bits % 8U;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00U >> rest);
    return ((net->ip.bytes[whole] ^ ip->bytes[whole]) & mask) == 0;
}
