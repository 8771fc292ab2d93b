/*
 * app/gen_mmdb.h - synthetic country and ASN databases that cover the generator's addresses.
 *
 * MaxMind DB 2.0, IPv6 tree, 32-bit records: 524,288 networks /51 of 2001:db8::/32, 32,768 networks
 * /30 of 198.18.0.0/15 and the three documentation networks; IPv4 also under ::ffff:0:0/96. The
 * values are those of gen_country_of() and gen_system_of().
 *
 * Ownership: appends to the caller's buffer.
 * Threads:   pure functions.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "base/buf.h"

enum gen_mmdb_kind {
    GEN_MMDB_COUNTRY, /* country.iso_code, country.names.{en,ja} */
    GEN_MMDB_ASN,     /* autonomous_system_number, autonomous_system_organization */
};

/* `out` must be empty. The same bytes each time. */
int gen_mmdb_make(struct buf *out, enum gen_mmdb_kind kind);
