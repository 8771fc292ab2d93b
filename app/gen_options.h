/*
 * app/gen_options.h - what a run of the generator is asked for, and how the command line says it.
 *
 * Ownership: plain values, nothing owned.
 * Threads:   one owner.
 * Failures:  ERR_CONF with a message in the diagnosis; the options are untouched then.
 */
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"

enum gen_format {
    GEN_FORTIGATE,
    GEN_PANOS,
    GEN_CISCO_ASA,
    GEN_SQUID,
    GEN_I_FILTER,
    GEN_FORMATS,
    GEN_FIREWALLS = GEN_SQUID, /* formats below it are firewalls, from it on proxies */
};

/* What can be planted; the detector that each should wake is in gen_inject.c. */
enum gen_case_kind {
    GEN_SCAN,
    GEN_SCAN_VERTICAL,
    GEN_SCAN_INBOUND,
    GEN_SLOW_SCAN,
    GEN_IOC_IP,
    GEN_IOC_DOMAIN,
    GEN_IOC_URL,
    GEN_ZONE_LGWAN,
    GEN_ZONE_MYNUMBER,
    GEN_SILENCE,
    GEN_DENY_BURST,
    GEN_BRUTE_FORCE,
    GEN_FLOOD,
    GEN_BEACON,
    GEN_EXFIL,
    GEN_RARE,
    GEN_FEW_HOSTS,
    GEN_DRIFT,
    GEN_LGWAN_SCAN,
    GEN_LGWAN_SPREAD, /* with fewer than three municipalities nothing to alert of */
    GEN_CASE_KINDS,
};

enum gen_limits {
    GEN_TENANTS_MAX = 500,
    GEN_PCS_MAX = 8000,
    GEN_DAYS_MAX = 366,
    GEN_CASES_MAX = 1000, /* of one kind */
};

/* 2026-10-05, a Monday, 00:00 and 09:00 in Japan. */
#define GEN_START_NS      INT64_C(1791126000000000000)
#define GEN_START_WORK_NS INT64_C(1791158400000000000)

struct gen_options {
    uint64_t seed;
    uint32_t tenants;
    uint64_t events;  /* lines; 0 = as many as the days hold */
    uint32_t days;    /* 0 = as long as the events take at the natural rate */
    int64_t start_ns; /* 0 = GEN_START_NS with days, GEN_START_WORK_NS without */
    bool open_daily;  /* no weekends, no holidays: with a shift they would lie on other days */
    int64_t shift_ns; /* added to every time that comes out: Monday morning at any hour */
    uint32_t pcs_min; /* PCs of the smallest and the largest municipality */
    uint32_t pcs_max;
    uint32_t share[GEN_FORMATS];    /* weights of lines; all 0 = the default mix */
    uint32_t cases[GEN_CASE_KINDS]; /* each planted with a look-alike that must not alert */
    int64_t inject_from_ns;         /* cases begin within [from, until); 0 = anywhere that fits */
    int64_t inject_until_ns;
    int64_t silence_from_ns; /* silences fill [from, until); 0 = they begin like other cases */
    int64_t silence_until_ns;
    uint32_t inject_after_days; /* with days: the first of them are for learning, without cases */
    uint32_t mess_permille;     /* lines made ugly */
    uint32_t huge_permillion;   /* lines blown up to 10 MiB */
};

/* Seed 1, 10 tenants of 50 to 8,000 PCs, neither events nor days. */
void gen_options_init(struct gen_options *o);

/* The name of a format as in FORMATS and topics: "fortigate", "cisco_asa", ... */
const char *gen_format_name(enum gen_format format);
const char *gen_case_name(enum gen_case_kind kind);

/* "fortigate=60,squid=40": weights; formats that are not named get none. */
int gen_options_formats(struct gen_options *o, struct slice text, struct diag *diag);
/* "scan:3,beacon,all": counts to plant, 1 where none is given; "all" is every kind. */
int gen_options_inject(struct gen_options *o, struct slice text, struct diag *diag);
/* Everything that contradicts itself or is out of range, in one pass. */
int gen_options_check(const struct gen_options *o, struct diag *diag);
/* Append the names that gen_options_inject() knows, with blanks between. */
void gen_options_kinds(struct buf *out);
