/*
 * ingest/parsers.h - private to ingest/: the vtable of every format in ingest/parsers.def.
 *
 * Layer:     ingest.
 * Ownership: static.
 * Threads:   immutable.
 * Failures:  a format without a line here does not compile.
 *
 * A new format adds its line to ingest/parsers.def and the name of its vtable below.
 */
#pragma once

#include "ingest/parser.h"

#define PARSER_VTABLE_FORTIGATE parser_fortigate
#define PARSER_VTABLE_PANOS     parser_panos
#define PARSER_VTABLE_CISCO_ASA parser_cisco_asa
#define PARSER_VTABLE_SQUID     parser_squid
#define PARSER_VTABLE_I_FILTER  parser_i_filter
#define PARSER_VTABLE_D_SPA     parser_d_spa

#define PARSER(id, name) extern const struct parser PARSER_VTABLE_##name;
#include "ingest/parsers.def"
#undef PARSER
