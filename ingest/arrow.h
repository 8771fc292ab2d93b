/*
 * ingest/arrow.h - private to ingest/: a connection written with an arrow in a text for people.
 *
 *   discard packet: tcp 192.0.2.7:40000 -> 198.51.100.9:443, cumulative
 *                   ^-- ^-------- ^----    ^----------- ^--
 *   UDP 192.0.2.7:53 (eth0) -> 198.51.100.9:53        192.0.2.7:547-> 198.51.100.9:546
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure functions.
 * Failures:  false when the slots are full.
 */
#pragma once

#include "ingest/phrase.h"

/*
 * phrase_tell(), and of the first arrow between two addresses the transport in front of it, both
 * addresses and their ports. Cost: bytes times phrases.
 */
bool arrow_tell(struct cursor *c, const struct phrase_table *table, const char *from,
                const char *to);
