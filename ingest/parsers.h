/*
 * ingest/parsers.h - private to ingest/: the vtable of every format in ingest/parsers.def.
 *
 * Layer:     ingest.
 * Ownership: static.
 * Threads:   immutable.
 * Failures:  a format in the table whose file defines no vtable does not link.
 */
#pragma once

#include "ingest/parser.h"

#define PARSER(id, upper, lower) extern const struct parser parser_##lower;
#include "ingest/parsers.def"
#undef PARSER
