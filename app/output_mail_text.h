/*
 * app/output_mail_text.h - a mail as RFC 5322 and MIME write it: Japanese plain text in UTF-8.
 *
 * Every text that comes from outside goes through a function here that leaves it no line end and no
 * control character, in headers and in the body; links in it are made unclickable.
 *
 * Threads:   no state.
 * Failures:  those of the buffer.
 */
#pragma once

#include "app/output_mail_group.h"

struct mail_envelope {
    const char *from;      /* addresses of mail_address_valid() */
    const char *const *to; /* of the municipality */
    size_t to_count;
    const char *const *cc; /* of the prefecture */
    size_t cc_count;
    int64_t date_ns;
};

/* Whether the text is one plain address, local@domain, that can do no harm in a header or command. */
bool mail_address_valid(const char *text);

/* A header's text: as it is in ASCII, else encoded words of RFC 2047; folded. */
void mail_put_header(struct buf *out, const char *name, struct slice text);
/* Base64 in lines of 76 characters, each with CRLF. */
void mail_put_base64(struct buf *out, struct slice bytes);
/* The date of RFC 5322 in Japan's time. */
void mail_put_date(struct buf *out, int64_t ns);

/* Append the whole message about what is pending of a municipality, or its daily summary. */
void mail_print(struct buf *out, const struct mail_envelope *envelope, const struct mail_tenant *t,
                enum mail_due what);
