/*
 * event/value.h - typed values and the one test that decides whether a column may hold them.
 *
 * A value is *canonical* when printing it gives back the same bytes. Only canonical text goes into
 * a typed column; text that is valid but written otherwise (007, FE80::A) is kept as text and
 * compared by value; text that is not valid has no value.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/slice.h"

/* "No number here"; no canonical INT or EPOCH has this value. */
#define VALUE_NONE INT64_MIN

/* What a text is to a type. */
enum value_class {
    VALUE_INVALID = 0, /* no value of this type */
    VALUE_VALID,       /* a value, but printed otherwise */
    VALUE_CANONICAL,   /* prints back to the same bytes */
};

/* An address; IPv4 is ::ffff:a.b.c.d. */
struct ip {
    uint8_t bytes[16];
};

enum value_limits {
    VALUE_INT_DIGITS_MAX = 18, /* canonical INT: -?[1-9][0-9]{0,17} or 0 */
    VALUE_IP_TEXT_MAX = 45,    /* the longest text ip_parse() takes */
    VALUE_INT_BYTES = 20,      /* of any int64_t, printed */
    VALUE_IP4_BYTES = 15,
};

/* How the EPOCH values of a column are written: digits alone, or seconds, point, milliseconds. */
enum epoch_form {
    EPOCH_DIGITS = 0,
    EPOCH_MILLIS_POINT = 1,
};

/* Needs SLICE_PADDING_BYTES readable behind the text. *out is set unless VALUE_INVALID. */
enum value_class value_int(struct slice text, int64_t *out);

/* 10, 13, 16 or 19 digits, or s.mmm; *out in the unit that the digits have (milliseconds for s.mmm). */
enum value_class value_epoch(struct slice text, int64_t *out, enum epoch_form *form);

/*
 * Nanoseconds of an epoch column's value: 10 digits are seconds, 13 ms, 16 us, 19 ns. INT64_MAX for
 * a time that does not fit (from 2262 on).
 */
int64_t value_epoch_ns(int64_t value, enum epoch_form form);

/* Dotted IPv4 alone, canonical or VALUE_INVALID; host byte order. */
enum value_class value_ip4(struct slice text, uint32_t *out);

/* Any address; IPv4, IPv6, v4-mapped. Canonical is a.b.c.d and RFC 5952. */
enum value_class ip_parse(struct slice text, struct ip *out);

static inline bool ip_is_v4(const struct ip *ip)
{
    return bytes_get64(ip->bytes) == 0 && bytes_get32(ip->bytes + 8) == 0xffff0000U;
}

/* The last four bytes. */
static inline uint32_t ip_v4(const struct ip *ip)
{
    return bytes_get32_be(ip->bytes + 12);
}

struct ip ip_from_v4(uint32_t v4);
/* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, link-local and loopback. */
bool ip_is_private(const struct ip *ip);
/* Write canonical text at `to`, which has room for VALUE_INT_BYTES or VALUE_IP4_BYTES; its end. */
char *value_put_int(char *to, int64_t v);
char *value_put_ip4(char *to, uint32_t v4);

/* Append canonical text. */
void ip_print(struct buf *out, const struct ip *ip);
void ip4_print(struct buf *out, uint32_t v4);

/* A network: address and prefix of 0..128 bits (IPv4 prefixes are 96 + n). */
struct network {
    struct ip ip; /* host bits are zero */
    uint8_t prefix_bits;
};

/*
 * Read "a.b.c.d/n", "v6/n" or a lone address. Host bits are masked off; *had_host_bits (may be
 * NULL) tells. Returns 0 or ERR_FORMAT.
 */
int network_parse(struct network *out, struct slice text, bool *had_host_bits);
bool network_holds(const struct network *net, const struct ip *ip);
