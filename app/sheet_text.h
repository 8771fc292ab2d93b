/*
 * app/sheet_text.h - private to app/sheet_*.c: the words of the ledger.
 *
 * Ownership: texts are static.
 * Threads:   any.
 */
#pragma once

#include "app/sheet.h"

/* A word in both languages. */
struct sheet_word {
    const char *english;
    const char *japanese;
};

/* "2026-11-22 18:00", "2026-11-22" or "2026-11". */
void sheet_text_start(struct buf *out, const struct sheet_wish *wish, int64_t start_ns);
/* A sentence of ours, with numbers where A and B stand. */
void sheet_text_numbers(struct buf *out, const char *text, uint64_t a, uint64_t b);
/* What an event is, and a finding in a sentence. */
const char *sheet_text_kind(enum totals_kind kind, bool japanese);
void sheet_text_finding(struct buf *out, const struct sheet_finding *f, bool japanese);
/* The name of a finding for programs. */
const char *sheet_finding_name(enum sheet_finding_kind kind);
