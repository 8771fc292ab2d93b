/*
 * ingest/template.h - private to ingest/: lines whose fields a list names in their order.
 *
 *   fields   SOURCE_IP  USER_NAME   TIME_STAMP (stamp)            EVENT_ACTION  ... (request)
 *   line     192.0.2.7  EX\taro     [21/Nov/2026:18:00:00 +0900]  block         "GET / HTTP/1.1"
 *
 * A token ends at the separator; one that begins with a quote or, where a time is due, a bracket,
 * ends with its partner, and the next one may follow without a separator. "-" stands for "none" and
 * gets no slot. Tokens past the list are unnamed, by position.
 *
 * Built-in layouts are static tables; an operator's are read from YAML:
 *
 *   name: our-proxy
 *   separator: " "            # one byte or "tab"; a blank (the default) may repeat
 *   quote: '"'                # the default
 *   fields:
 *     - field: source.ip      # a name or an alias of the dictionary
 *     - {field: user_agent.original, as: encoded}
 *     - {field: destination.ip, as: peer} # with a port or without
 *     - {as: stamp}           # the field is sekisho.time.stamp, if not said
 *     - name: policy          # kept by position; the name is for people
 *     - skip: true            # always the same text: stays where it is, is not searchable
 *   verdict:                  # of event.action, case does not matter
 *     proxied: allow
 *     block: block
 *
 * Ownership: a template borrows its tables; one that was read lives in the caller's arena.
 * Threads:   immutable once made.
 * Failures:  parsing fails by its result only; ERR_FORMAT (a diagnosis was added for each fault)
 *            and ERR_NOMEM when reading.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"
#include "ingest/parser.h"

enum template_limits {
    TEMPLATE_FIELDS_MAX = 256,
    TEMPLATE_VERDICTS_MAX = 64,
};

/* How a token is written, and what it is split into. */
enum template_form {
    TEMPLATE_TEXT = 0,
    TEMPLATE_ENCODED, /* %XX, plus is a blank */
    TEMPLATE_URL,
    TEMPLATE_REQUEST, /* METHOD URL [HTTP/version] */
    TEMPLATE_ACCOUNT, /* DOMAIN\user, encoded */
    TEMPLATE_STAMP,   /* date:time offset: two tokens, or one in brackets */
    TEMPLATE_BSD,     /* Mon dd HH:MM:SS: three tokens */
    TEMPLATE_QUERY,   /* of a URL, with its question mark or without */
    TEMPLATE_PEER,    /* an address, with a port or without; the field is the address's */
    TEMPLATE_SKIP,    /* no slot */
    TEMPLATE_FORM_COUNT
};

struct template_field {
    uint16_t field;    /* enum field; 0 = unnamed, by position */
    uint8_t form;      /* enum template_form */
    struct slice name; /* of an unnamed one, may be empty */
};

struct template_verdict {
    struct slice action; /* lower case */
    uint8_t verdict;     /* enum verdict */
};

struct template
{
    struct slice name;
    char separator;
    char quote;
    uint32_t first; /* tokens of these fields are not in the line: a header took them */
    const struct template_field *fields;
    uint32_t field_count;
    const struct template_verdict *verdicts;
    uint32_t verdict_count;
};

/*
 * Append the slots of line[from..]. PARSE_MISMATCH when not even two tokens stand there;
 * PARSE_PARTIAL when the line ends before the fields do, or a quote or bracket stays open.
 */
enum parse_result template_parse(const struct template *t, struct slice line, uint32_t from,
                                 struct slots *out);

/* The verdict of an action, enum verdict. */
uint8_t template_verdict(const struct template *t, struct slice action);

/* Read a template; `filename` is for the diagnosis. */
int template_read(struct template **out, struct arena *arena, struct slice text,
                  const char *filename, struct diag *diag);
