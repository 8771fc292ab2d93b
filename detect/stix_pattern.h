/*
 * detect/stix_pattern.h - private to detect/: a STIX 2.1 pattern as single indicators.
 *
 *   [ipv4-addr:value = '192.0.2.7' OR domain-name:value IN ('a.example', 'b.example')]  -> 3 alternatives
 *   [network-traffic:dst_ref.value = '192.0.2.7' AND network-traffic:dst_port = 443]    -> 192.0.2.7, 443
 *   [file:hashes.MD5 = '...' OR url:value = 'http://a.example/x']   -> "file:hashes.MD5" not supported, url
 *
 * A pattern holds when one of its alternatives does. One that cannot be told by comparing a single
 * value (with a port) is kept with its reason: it must not be matched by a part of it, which would be
 * a wider pattern than was written, nor be lost without a word.
 *
 * The grammar is that of OASIS STIX 2.1, part 9: AND binds closer than OR, OR closer than FOLLOWEDBY.
 * An own stack instead of recursion.
 *
 * Ownership: the pattern owns its texts and alternatives.
 * Threads:   one owner.
 * Failures:  a static text for what is no pattern, or for which there is no memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum stix_limits {
    STIX_PATTERN_BYTES_MAX = 1 << 20,
    STIX_ALTERNATIVES_MAX = 16384,
    STIX_NESTING_MAX = 64,
    STIX_NAME_BYTES_MAX = 60, /* of what is not supported */
};

enum stix_kind {
    STIX_UNSUPPORTED = 0, /* the text names what is not supported */
    STIX_ADDRESS,         /* an address or a network */
    STIX_DOMAIN,
    STIX_URL,
    STIX_AGENT,
    STIX_DESTINATION, /* address, network or name */
    STIX_PORT,        /* inner: no text */
    STIX_TYPE,        /* inner: what a dst_ref is, which its value tells as well */
};

struct stix_alternative {
    uint32_t text; /* place in the pattern's texts */
    uint32_t len;
    uint16_t port; /* 0 = any */
    uint8_t kind;  /* enum stix_kind */
};

/* A zeroed struct is an empty pattern. */
struct stix_pattern {
    struct buf texts;
    struct stix_alternative *items;
    size_t count;
    size_t cap;
    size_t fault_at; /* byte of the pattern where it is wrong, from 1 */
};

/* NULL, or what is wrong with it; the last pattern is forgotten in any case. */
const char *stix_pattern_read(struct stix_pattern *p, struct slice text);
struct slice stix_pattern_text(const struct stix_pattern *p, const struct stix_alternative *a);
void stix_pattern_release(struct stix_pattern *p);
