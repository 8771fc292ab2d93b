/*
 * detect/indicator_url.h - private to detect/: the one spelling of a URL, for lists and for lookups.
 *
 *   HTTP://user@WWW.Example.com.:80/a/%7Eb%2f?q=1#top  ->  www.example.com/a/~b%2F?q=1
 *
 * Scheme, userinfo and fragment are gone (many logs have no scheme); so are the ports 80 and 443, and
 * 21 after ftp://. The host is as of base/hostname.h, an IPv6 address as RFC 5952 between brackets.
 * Escapes of characters that need none are undone, the others are in upper case, and what may not
 * stand in a URL (blanks, controls, bytes over 0x7e, a lone '%') is escaped: the text is printable ASCII. The
 * empty path is "/"; an empty query is none.
 *
 * Ownership: parts borrow; texts are the caller's.
 * Threads:   pure functions.
 * Failures:  false for what is no URL or does not fit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hostname.h"

enum indicator_url_limits {
    INDICATOR_URL_BYTES_MAX = 2048,                         /* of the one spelling */
    INDICATOR_AUTHORITY_BYTES_MAX = HOSTNAME_BYTES_MAX + 6, /* ":65535" */
};

/* Where a URL or a line of a log says what; absent parts are empty. */
struct indicator_url {
    struct slice host;  /* without userinfo; an IPv6 address with or without brackets */
    struct slice path;  /* may still hold query and fragment */
    struct slice query; /* without its '?' */
    uint16_t port;      /* 0 = not said */
};

/* Take "scheme://..." or "host[:port][/path]..." apart. False when it has no host or a bad port. */
bool indicator_url_split(struct indicator_url *out, struct slice text);

/* Write "host" or "host:port"; its length, or 0 for what is no host. Needs no valid host name. */
size_t indicator_authority(char out[INDICATOR_AUTHORITY_BYTES_MAX], struct slice host,
                           uint16_t port);

/* Cut path and query where a '?' or '#' in the path begins something else. */
void indicator_url_trim(struct indicator_url *url);

/* Write a path or a query in its one spelling; its length, or SIZE_MAX when it does not fit. */
size_t indicator_escape(char *out, size_t cap, struct slice text);
