/*
 * app/gen_text.h - pieces of lines that several devices write, made to be fast.
 *
 * Ownership: everything is appended to the caller's buffer.
 * Threads:   a struct gen_moment has one owner; the rest are pure functions.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdint.h>

#include "app/gen_flow.h"
#include "app/gen_world.h"
#include "base/buf.h"

/* The texts of the last second that was written, since nearly every line repeats it. */
struct gen_moment {
    int64_t second; /* since 1970, UTC */
    char date[10];  /* 2026-10-05, Japan Standard Time */
    char time[8];   /* 09:00:00 */
    char month[3];  /* Oct */
    char day[2];    /* 05 */
};

/* How a way through the firewall is named by each vendor. */
struct gen_route {
    const char *from_interface;
    const char *to_interface;
    const char *from_role; /* FortiGate: lan wan dmz undefined */
    const char *to_role;
    const char *from_zone; /* PAN-OS, and ASA's interface names */
    const char *to_zone;
    const char *rule;
    const char *uuid;
    uint32_t policy;
    bool translated; /* the source is hidden behind the municipality's address */
};

#define TEXT(b, literal) text_bytes((b), (literal), sizeof(literal) - 1)

static inline void text_bytes(struct buf *b, const char *data, size_t len)
{
    if (b->cap - b->len >= len && !b->failed) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    } else {
        buf_append(b, data, len);
    }
}

static inline void text_string(struct buf *b, const char *s)
{
    text_bytes(b, s, strlen(s));
}

void text_decimal(struct buf *b, uint64_t v);
/* The last `digits` digits, with leading zeros; at most 20. */
void text_padded(struct buf *b, uint64_t v, uint32_t digits);
/* Blanks in front up to a width. */
void text_right(struct buf *b, uint64_t v, uint32_t width);
void text_hex(struct buf *b, uint64_t v, uint32_t digits);
void text_ip4(struct buf *b, uint32_t address);
/* Canonical text (RFC 5952). */
void text_address(struct buf *b, struct gen_address a);

void gen_moment_set(struct gen_moment *m, int64_t time_ns);
/* 2026-10-05 and 09:00:00; `separator` between the parts of the date. */
void text_date(struct buf *b, const struct gen_moment *m, char separator);
/* Oct  5 09:00:00, as RFC 3164 and old devices write it. */
void text_bsd_time(struct buf *b, const struct gen_moment *m);

const struct gen_route *gen_route(uint8_t path);
/* "HTTPS", "tcp/8443": by protocol and port. */
void text_service(struct buf *b, const struct gen_flow *f);
/* Path of the request in a URL, from "/" on; the same salt gives the same path. */
void text_path(struct buf *b, const struct gen_flow *f, const struct gen_dest *d);
void text_url(struct buf *b, const struct gen_flow *f, const struct gen_dest *d);
/* Login of the person behind the flow, or nothing. */
void text_user(struct buf *b, const struct gen_world *w, const struct gen_flow *f);
/* What the request's client calls itself. */
const char *gen_agent(const struct gen_flow *f, const struct gen_dest *d);
/* MIME type of the answer, and whether a path like it ends in .html, .js, ... */
const char *gen_mime(const struct gen_flow *f);
/* Country of an address outside as row of gen_country(). */
uint32_t gen_country_of(struct gen_address a);

struct gen_country {
    const char *code;
    const char *name;
    const char *name_ja;
};

enum {
    GEN_COUNTRIES = 24,
    GEN_AUTONOMOUS_SYSTEMS = 30,
};

const struct gen_country *gen_country(uint32_t row);
/* Row of the autonomous system of an address, and its number (RFC 5398). */
uint32_t gen_system_of(struct gen_address a);
uint32_t gen_system_number(uint32_t row);
const char *gen_system_name(uint32_t row);
