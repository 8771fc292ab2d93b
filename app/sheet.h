/*
 * app/sheet.h - the completeness ledger: what each source put into Kafka, hour by hour, and what became of it.
 *
 *   DIR/seg/<code6>/totals   what compactions counted, for good     --+
 *   log behind it            frames against rows, counted now       --+--> rows by (municipality, source, hour)
 *                                                                    --> events: quarantined, lost, missing
 *   findings: what should be accounted for and is not
 *
 * Records are counted once, whatever a compaction does meanwhile.
 *
 * Ownership: sheet_read() fills a struct that sheet_close() empties.
 * Threads:   one caller; a collector and a compaction may go on beside it.
 * Failures:  ERR_NOTFOUND without a store; ERR_CORRUPT, ERR_FORMAT for a log that cannot even be begun;
 *            ERR_IO, ERR_NOMEM, ERR_RANGE. What is damaged is named in the diag and counted, and the rest is
 *            there.
 */
#pragma once

#include "app/hour_sums.h"

enum sheet_by {
    SHEET_HOUR,
    SHEET_DAY,
    SHEET_MONTH,
};

struct sheet_wish {
    const char *dir; /* of the store; borrowed */
    bool has_tenant;
    uint32_t tenant;
    struct slice source; /* empty: all */
    struct slice topic;  /* likewise */
    int64_t since_ns;    /* hours that have a part in [since, until) */
    int64_t until_ns;
    enum sheet_by by;
    int32_t zone_minutes; /* whose days and months */
};

struct sheet_event {
    uint32_t tenant;
    struct slice source;
    struct slice topic;
    int32_t partition;
    struct totals_event event;
};

enum sheet_finding_kind {
    SHEET_MISSING, /* offsets from..to-1 have no row */
    SHEET_SURPLUS, /* are there, and no frame says so, or they are there twice */
    SHEET_OFFSETS, /* are in nobody's totals */
    SHEET_OVERLAP, /* are in two */
    SHEET_FRAMES,  /* frames from..to-1 are in no totals */
    SHEET_ROWS,    /* the totals have `from` rows, the catalog has `to` */
    SHEET_SUM,     /* the hours have `from` offsets, the frames `to` */
    SHEET_NOBODY,  /* offsets of a topic that is no municipality's and has no row */
    SHEET_FINDING_COUNT,
};

struct sheet_finding {
    enum sheet_finding_kind kind;
    uint32_t tenant;
    struct slice topic; /* empty: of no partition */
    int32_t partition;
    uint64_t from;
    uint64_t to;
};

/* The newest checkpoint that signs totals. */
struct sheet_signed {
    uint64_t number; /* 0: none does */
    int64_t time_ns;
    uint64_t through_seq;
    bool checked; /* not where one municipality is asked for: others' files stay shut */
    bool same;    /* the totals on disk are those that it signs */
};

struct sheet {
    struct hour_sums rows; /* id: index in sources; of a month or day its beginning */
    struct slice *sources;
    size_t source_count;
    struct sheet_event *events;
    size_t event_count;
    struct sheet_finding *findings;
    size_t finding_count;
    uint64_t last_seq;      /* of the log */
    uint64_t compacted_seq; /* up to here the totals are in files */
    struct sheet_signed signature;
    uint64_t damage;
    struct arena arena;
};

int sheet_read(struct sheet *out, const struct sheet_wish *wish, struct diag *diag);
void sheet_close(struct sheet *s);
