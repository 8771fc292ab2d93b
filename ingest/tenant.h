/*
 * ingest/tenant.h - private to ingest/: whose records a topic carries, and in which format.
 *
 *   seclog.raw.052027.fortigate-main      tenant 52027, printed 052027; source fortigate-main
 *
 * A tenant is a municipality code (全国地方公共団体コード): prefecture 2 digits, municipality 3,
 * check digit 1.
 *
 * Threads:   no state.
 * Failures:  ERR_FORMAT, ERR_RANGE; outputs untouched.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"
#include "ingest/parser.h"

enum tenant_limits {
    TENANT_SOURCE_BYTES_MAX = 32,
    TENANT_CODE_DIGITS = 6,
};

/* Read six digits. ERR_FORMAT when they are not six digits, ERR_RANGE for a wrong check digit. */
int tenant_code_parse(uint32_t *out, struct slice text);

/*
 * Split a topic name; *source borrows it. ERR_FORMAT when it is not of the form above with a source
 * of 1 to TENANT_SOURCE_BYTES_MAX of a-z, 0-9 and '-'; ERR_RANGE for a wrong check digit.
 */
int tenant_topic_parse(struct slice topic, uint32_t *tenant, struct slice *source);

/*
 * The format of a source that has none configured: the longest format name, its '_' written '-',
 * that the source's name begins with; FORMAT_AUTO when there is none.
 */
enum format tenant_source_format(struct slice source);
