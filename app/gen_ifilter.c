/* i-FILTER Ver.10 / D-SPA Ver.4 access log in its delivered layout of 33 fields. */
#include "app/gen_name.h"
#include "app/gen_writer.h"

enum {
    CATEGORY_TELEMETRY = 151,
    REASON_CATEGORY = 63, /* blocked by its category */
};

/* Bytes that a URL may not hold stand as %XX, a blank as '+'. */
static void write_encoded(struct buf *b, const char *text)
{
    for (; *text != '\0'; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '*';
        if (plain) {
            buf_byte(b, c);
        } else if (c == ' ') {
            buf_byte(b, '+');
        } else {
            static const char DIGITS[] = "0123456789ABCDEF";
            buf_byte(b, '%');
            buf_byte(b, DIGITS[(unsigned char)c >> 4]);
            buf_byte(b, DIGITS[(unsigned char)c & 15]);
        }
    }
}

static void write_addresses(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool asks_upper = c->tenant->series && !c->source->upper;
    if (asks_upper) {
        text_ip4(b, c->tenant->sources[gen_world_upper(c->tenant)].address);
        TEXT(b, ":8080 ");
    } else {
        TEXT(b, "- ");
    }
    if (f->blocked || f->status == 503 || asks_upper)
        buf_byte(b, '-');
    else
        text_address(b, f->server);
    buf_byte(b, ' ');
    text_address(b, f->client);
    buf_byte(b, ' ');
    text_address(b, f->client);
    buf_byte(b, ' ');
    if (f->host == GEN_HOST_NONE)
        TEXT(b, "- -");
    else {
        gen_name_pc(b, c->tenant->label, f->host);
        buf_byte(b, ' ');
        text_user(b, c->world, f);
    }
}

static void write_verdict(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    uint32_t category = gen_world_category(c->dest->category)->i_filter;
    text_decimal(b, f->status);
    buf_byte(b, ' ');
    text_decimal(b, f->upload ? f->sent_bytes : 0);
    buf_byte(b, ' ');
    text_decimal(b, f->received_bytes);
    if (f->blocked) {
        TEXT(b, " block ");
        text_decimal(b, REASON_CATEGORY);
    } else {
        TEXT(b, " allow 0");
    }
    buf_byte(b, ' ');
    text_decimal(b, category);
    buf_byte(b, ' ');
    text_decimal(b, category);
    if (c->dest->service) {
        buf_byte(b, '/');
        text_decimal(b, CATEGORY_TELEMETRY);
    }
    TEXT(b, " -1 0 ");
    text_decimal(b, f->received_bytes + 311);
    TEXT(b, " 0 ");
}

static void write_request(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    text_string(b, f->tls ? "\"CONNECT " : f->upload ? "\"POST " : "\"GET ");
    if (f->tls) {
        text_bytes(b, c->dest->name, c->dest->name_len);
        TEXT(b, ":443 HTTP/1.1\" - ");
    } else {
        text_url(b, f, c->dest);
        TEXT(b, " HTTP/1.1\" ");
        if (c->dest->service || (f->salt >> 12 & 1) == 0) {
            TEXT(b, "- ");
        } else {
            TEXT(b, "http://");
            text_bytes(b, c->dest->name, c->dest->name_len);
            TEXT(b, "/ ");
        }
    }
    write_encoded(b, gen_agent(f, c->dest));
    buf_byte(b, ' ');
    if (f->blocked || f->status >= 500)
        TEXT(b, "text%2Fhtml%3B+charset%3Dutf-8");
    else if (f->tls || f->status == 0)
        buf_byte(b, '-');
    else
        write_encoded(b, gen_mime(f));
}

void gen_ifilter_write(struct buf *out, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    const struct gen_moment *m = c->moment;
    text_bytes(out, m->month, sizeof(m->month));
    buf_byte(out, ' ');
    text_bytes(out, m->day, sizeof(m->day));
    buf_byte(out, ' ');
    text_bytes(out, m->time, sizeof(m->time));
    buf_byte(out, ' ');
    text_decimal(out, 4000 + c->source->serial % 4000);
    TEXT(out, " 1000/01/ ");
    write_addresses(out, c);
    TEXT(out, " [");
    text_bytes(out, m->day, sizeof(m->day));
    buf_byte(out, '/');
    text_bytes(out, m->month, sizeof(m->month));
    buf_byte(out, '/');
    text_bytes(out, m->date, 4);
    buf_byte(out, ':');
    text_bytes(out, m->time, sizeof(m->time));
    TEXT(out, " +0900] ");
    write_verdict(out, c);
    if (f->host == GEN_HOST_NONE)
        TEXT(out, "-");
    else {
        TEXT(out, "group");
        text_padded(out, f->host % 24, 2);
    }
    TEXT(out, " - 0 - ");
    write_request(out, c);
    buf_byte(out, ' ');
    for (int shift = 60; shift >= 32; shift -= 4)
        buf_byte(out, "0123456789ABCDEF"[f->salt >> shift & 15]);
}
