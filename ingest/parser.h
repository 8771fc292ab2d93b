/*
 * ingest/parser.h - private to ingest/: one vtable per log format.
 *
 * Layer:     ingest; knows slots and nothing of columns, dictionaries or the store.
 * Ownership: a parser's memory (struct parser_state) belongs to one source of one worker.
 * Threads:   a state has one owner; the vtables are immutable.
 * Failures:  a parser cannot lose a byte: whatever it does not mark stays in the skeleton, and a
 *            line that it refuses is kept verbatim.
 *
 * A new format is one file, one line in ingest/parsers.def, one folder of golden pairs
 * (docs/adding-a-parser.md).
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "event/slot.h"

enum format {
    FORMAT_AUTO = 0, /* as a setting: the parsers' probes decide line by line */
#define PARSER(id, upper, lower) FORMAT_##upper = (id),
#include "ingest/parsers.def"
#undef PARSER
    FORMAT_TEMPLATE = 63, /* a layout of the operator's own, read from a file */
};

/* What writes a format's lines; decides how long they are kept. */
enum parser_kind {
    PARSER_FIREWALL = 0, /* and routers that filter */
    PARSER_PROXY,
    PARSER_OTHER, /* servers, resolvers, gateways of VPNs, what may be anything */
};

/* What became of a line. */
enum parse_result {
    PARSE_OK = 0,
    PARSE_MISMATCH, /* not this format; slots are to be ignored */
    PARSE_PARTIAL,  /* ours, but unreadable from some point on; the slots so far are good */
};

enum parser_verdict {
    /* Added to a verdict that holds where the row names a threat; of another nothing is known then. */
    VERDICT_OF_THREAT = 0x80,
};

/*
 * Memory of a parser between the lines of one source; never needed for correctness, the same line
 * gives the same slots whatever came before, except where a header line of the format (#Fields:)
 * says how to read what follows.
 */
struct parser_state;

struct parser {
    const char *name; /* as in --format, topics and configuration: lower case, '_' */
    uint16_t format;  /* enum format, stored with every batch */
    uint8_t kind;     /* enum parser_kind */
    /*
     * Does the message look like ours? Constant time: reads at most the first 512 bytes. `message`
     * is what follows the syslog header. Used by `--format auto`, in the table's order.
     */
    bool (*probe)(struct slice message);
    /*
     * Append the slots of line[from..] to out, in order; offsets count from the start of `line`.
     * `from` is where the message begins behind the syslog header, whose slots are in `out`
     * already. `line` excludes its terminator; SLICE_PADDING_BYTES behind it are readable.
     * Cost is linear in the bytes; no recursion, no allocation.
     */
    enum parse_result (*parse)(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out);
    /* Optional: a state for a source, NULL where none is needed; freed with state_free. */
    struct parser_state *(*state_new)(void);
    void (*state_free)(struct parser_state *state);
    /*
     * The verdict of an action word of this format ("event.action", decoded). `beside` is the row's
     * value of the field `verdict_beside` (0: none), or empty: an outcome, a message number. Called
     * once per distinct pair of values. Returns enum verdict, with VERDICT_OF_THREAT or without.
     */
    uint8_t (*verdict)(struct slice action, struct slice beside);
    uint16_t verdict_beside;
    uint16_t verdict_else; /* judged instead where no action says something (0: none) */
    /*
     * The transport that a value of one of the fields `transport_of` (0: none) says without naming it ("udp" of a
     * DHCP message), or empty. For rows whose line has no network.transport. Called once per
     * distinct value.
     */
    struct slice (*transport)(struct slice value);
    uint16_t transport_of[2];
    bool utc;           /* a time without an offset is UTC, whatever zone the source has */
    bool in_structured; /* RFC 5424: what it reads is structured data, and is probed, too */
    bool last_resort;   /* under auto: asked where no other probe says yes, whatever the habit */
    bool reads_headers; /* a line may say how those behind it are to be read (#Fields:) */
    /*
     * Optional: key number `index` of a format with keys of its own, and what it is: a field, or
     * FIELD_NONE; *unnamed tells whether a value of it may (also) be <format>.<key>. NULL at the end.
     */
    const char *(*key_at)(size_t index, uint16_t *field, bool *unnamed);
};

/* The parser of a format id or of a name, or NULL. */
const struct parser *parser_get(uint16_t format);
const struct parser *parser_find(struct slice name);
/* In table order; NULL at the end. */
const struct parser *parser_at(size_t index);

/* Does any format, its syslog header or what is derived of a line fill a field of the dictionary? */
bool parser_fills(uint16_t field);
