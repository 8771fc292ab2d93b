/*
 * app/rule_lines.h - test lines beside a rule: raw log lines that must fire it, and near misses.
 *
 *   == fires squid
 *   1763715600.123 82 198.18.1.7 TCP_MISS/200 3184 POST http://upload.example.com/ - ...
 *   == quiet fortigate rule=base_rule
 *   date=2026-11-20 ...
 *   -- squid                  another source of the same municipality, in the same block
 *   -- squid tenant=100005    a source of another one
 *   -- fortigate class=lgwan_deny   a source of that class
 *
 * Before the first block lines are comments; empty lines are passed over. A block is a history by
 * itself. `rule` names the document that is meant where the file has several that stand alone.
 *
 * Ownership: slices point into the text given.
 * Failures:  ERR_CONF with diagnoses.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "event/source_class.h"

struct rule_part {
    struct slice format;
    struct slice lines; /* with their newlines */
    uint32_t tenant;    /* 0: the one that all tests are of */
    enum source_class class;
    uint32_t line;
};

struct rule_block {
    bool fires;
    uint32_t line;
    struct slice rule; /* empty: the one that stands alone */
    struct rule_part *parts;
    size_t part_count;
};

struct rule_lines {
    struct rule_block *blocks;
    size_t count;
};

int rule_lines_read(struct rule_lines *out, struct arena *arena, const char *filename,
                    struct slice text, struct diag *diag);
