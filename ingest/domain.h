/*
 * ingest/domain.h - private to ingest/: the registrable domain of a host name.
 *
 *   www.example.co.jp -> example.co.jp        co.jp -> none        198.51.100.7 -> none
 *
 * By the Public Suffix List, its ICANN and its private part; a top-level domain that is not listed
 * counts as a public suffix. Called once per distinct name, not once per row.
 *
 * Ownership: the answer lies in the caller's scratch until its next use.
 * Threads:   a list is immutable, any number of readers; a scratch has one owner.
 * Failures:  domain_open() returns those of file_read_all() and ERR_FORMAT; a name without a
 *            registrable domain gives the empty slice.
 */
#pragma once

#include <stdbool.h>

#include "base/hostname.h"

enum domain_limits {
    DOMAIN_LIST_BYTES_MAX = 16 << 20, /* the real one has 0.3 MB */
};

struct domain_list;

struct domain_scratch {
    char name[HOSTNAME_BYTES_MAX + 1]; /* NUL-terminated */
};

/*
 * Load a list (text or DAFSA); `path` NULL takes the system's or, where there is none, the one inside
 * libpsl. ERR_FORMAT also for a list that knows neither com nor jp: it is another file.
 */
int domain_open(struct domain_list **out, const char *path);
/* The bytes it was made of; empty for the one inside libpsl. As long as the list. */
struct slice domain_content(const struct domain_list *list);
/* NULL is allowed. */
void domain_close(struct domain_list *list);

/*
 * The registrable domain of `name` as lower-case ASCII, internationalized labels as A-labels
 * (xn--). Upper case, one trailing dot and UTF-8 are accepted. Empty for addresses, public
 * suffixes, single labels and what is no host name.
 */
struct slice domain_registered(const struct domain_list *list, struct slice name,
                               struct domain_scratch *scratch);

/*
 * Whether anybody may register names below it: com, co.jp. By the ICANN part of the list alone: a
 * name like github.io belongs to somebody. `name` is canonical (base/hostname.h).
 */
bool domain_is_suffix(const struct domain_list *list, const char *name);
