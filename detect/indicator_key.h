/*
 * detect/indicator_key.h - one indicator as a list writes it, and as it is compared.
 *
 *   hxxp://EVIL[.]example/x  ->  URL      evil.example/x
 *   *.Evil.example.          ->  DOMAIN   evil.example
 *   192.0.2.7/24             ->  NETWORK  prefix and address
 *   192.0.2.7/32             ->  ADDRESS  4 bytes
 *
 * What would match everything is refused here, with the reason: private and reserved addresses,
 * networks that hold some or are too wide, single labels. (Public suffixes need a list:
 * detect/indicator_set.h.) Documentation and benchmark addresses are accepted: nobody routes them.
 *
 * Ownership: a key is plain data.
 * Threads:   pure functions.
 * Failures:  a static text that says what is wrong.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "detect/indicator_url.h"
#include "event/value.h"

enum indicator_key_limits {
    INDICATOR_KEY_BYTES_MAX = INDICATOR_URL_BYTES_MAX,
    INDICATOR_AGENT_BYTES_MAX = 1024,
    INDICATOR_AGENT_BYTES_MIN = 3,
    INDICATOR_PATH_BYTES_MIN = 5,   /* "/abcd" */
    INDICATOR_PREFIX4_BITS_MIN = 8, /* wider networks are refused */
    INDICATOR_PREFIX6_BITS_MIN = 16,
};

/* What an entry is, and so what it is compared with. */
enum indicator_kind {
    INDICATOR_NONE = 0,
    INDICATOR_ADDRESS,      /* 4 or 16 bytes */
    INDICATOR_ADDRESS_PORT, /* the same and 2 bytes, big endian */
    INDICATOR_NETWORK,      /* 4 or 16 bytes and one of prefix bits of that family */
    INDICATOR_DOMAIN,       /* the name, for itself and every name below it */
    INDICATOR_URL, /* of any scheme; without a query, for any query; without a path: all of that host and port */
    INDICATOR_PATH,  /* path, perhaps with query, on any host */
    INDICATOR_AGENT, /* a whole user agent, in lower case */
    INDICATOR_KINDS,
};

/* What a list is said to hold. */
enum indicator_type {
    INDICATOR_TYPE_AUTO = 0, /* by form: all but paths and user agents */
    INDICATOR_TYPE_ADDRESS,  /* addresses and networks, in both */
    INDICATOR_TYPE_NETWORK,
    INDICATOR_TYPE_ADDRESS_PORT,
    INDICATOR_TYPE_DOMAIN,
    INDICATOR_TYPE_URL,
    INDICATOR_TYPE_PATH, /* what begins with '/' on any host, else URLs */
    INDICATOR_TYPE_AGENT,
    INDICATOR_TYPES,
};

struct indicator_key {
    uint8_t kind; /* enum indicator_kind */
    size_t len;
    char bytes[INDICATOR_KEY_BYTES_MAX + SLICE_PADDING_BYTES];
};

/*
 * Read one entry; `port` is that of a column of its own, or 0. NULL, or what is wrong with it and
 * *out is undefined. A URL without path and port, or of an address, becomes a DOMAIN, an ADDRESS or
 * an ADDRESS_PORT.
 */
const char *indicator_key_read(struct indicator_key *out, struct slice text,
                               enum indicator_type type, uint16_t port);

/* The keys of lookups. The length of what was written to `out`. */
size_t indicator_address_key(char out[16], const struct ip *ip);
size_t indicator_address_port_key(char out[18], const struct ip *ip, uint16_t port);

/* The network of a NETWORK's key. */
struct network indicator_key_network(struct slice key);

/* Append the entry as people write it: printable ASCII but for user agents. */
void indicator_key_print(struct buf *out, enum indicator_kind kind, struct slice key);

const char *indicator_kind_name(enum indicator_kind kind);
