/* Squid's native access.log: "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt". */
#include "app/gen_writer.h"

static const char *result_code(const struct gen_flow *f)
{
    if (f->blocked || f->status == 407)
        return "TCP_DENIED";
    if (f->status == 0)
        return f->tls ? "NONE_NONE_ABORTED" : "TCP_MISS_ABORTED";
    if (f->tls)
        return "TCP_TUNNEL";
    if (f->status == 304)
        return "TCP_REFRESH_UNMODIFIED";
    if (f->status == 200 && (f->salt >> 8 & 7) == 0)
        return (f->salt >> 11 & 1) == 0 ? "TCP_MEM_HIT" : "TCP_HIT";
    return "TCP_MISS";
}

static void write_peer(struct buf *b, const struct gen_context *c, const char *code)
{
    const struct gen_flow *f = c->flow;
    /* Refused, failed or answered from the cache: nobody was asked. */
    if (f->blocked || f->status == 407 || f->status == 503 || strstr(code, "_HIT") != NULL) {
        TEXT(b, "HIER_NONE/-");
        return;
    }
    if (c->tenant->series && !c->source->upper) {
        TEXT(b, "FIRSTUP_PARENT/");
        text_ip4(b, c->tenant->sources[gen_world_upper(c->tenant)].address);
        return;
    }
    TEXT(b, "HIER_DIRECT/");
    text_address(b, f->server);
}

void gen_squid_write(struct buf *out, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    const char *code = result_code(f);
    text_decimal(out, (uint64_t)(f->time_ns / 1000000000));
    buf_byte(out, '.');
    text_padded(out, (uint64_t)(f->time_ns / 1000000 % 1000), 3);
    buf_byte(out, ' ');
    text_right(out, f->duration_ms, 6);
    buf_byte(out, ' ');
    text_address(out, f->client);
    buf_byte(out, ' ');
    text_string(out, code);
    buf_byte(out, '/');
    text_padded(out, f->status, 3);
    buf_byte(out, ' ');
    text_decimal(out, f->received_bytes);
    if (f->tls) {
        TEXT(out, " CONNECT ");
        text_bytes(out, c->dest->name, c->dest->name_len);
        TEXT(out, ":443 ");
    } else {
        text_string(out, f->upload ? " POST " : " GET ");
        text_url(out, f, c->dest);
        buf_byte(out, ' ');
    }
    if (f->host == GEN_HOST_NONE || f->status == 407)
        buf_byte(out, '-');
    else
        text_user(out, c->world, f);
    buf_byte(out, ' ');
    write_peer(out, c, code);
    buf_byte(out, ' ');
    if (f->blocked || f->status == 407 || f->status >= 500)
        TEXT(out, "text/html");
    else
        text_string(out, f->tls || f->status == 0 || f->status == 304 ? "-" : gen_mime(f));
}
