/* Cisco ASA series syslog messages: connections, denies, translations, URLs, logins. */
#include "app/gen_writer.h"

static void write_head(struct buf *b, const struct gen_context *c, uint32_t level, uint32_t message)
{
    const struct gen_moment *m = c->moment;
    buf_byte(b, '<');
    text_decimal(b, 160 + level); /* local4 */
    buf_byte(b, '>');
    text_bytes(b, m->month, sizeof(m->month));
    buf_byte(b, ' ');
    text_bytes(b, m->day, sizeof(m->day));
    buf_byte(b, ' ');
    text_bytes(b, m->date, 4);
    buf_byte(b, ' ');
    text_bytes(b, m->time, sizeof(m->time));
    buf_byte(b, ' ');
    text_string(b, c->source->device);
    TEXT(b, " : %ASA-");
    text_decimal(b, level);
    buf_byte(b, '-');
    text_decimal(b, message);
    TEXT(b, ": ");
}

static void write_tuple(struct buf *b, const char *interface, struct gen_address a, uint16_t port)
{
    text_string(b, interface);
    buf_byte(b, ':');
    text_address(b, a);
    buf_byte(b, '/');
    text_decimal(b, port);
}

static void write_mapped(struct buf *b, struct gen_address a, uint16_t port)
{
    TEXT(b, " (");
    text_address(b, a);
    buf_byte(b, '/');
    text_decimal(b, port);
    buf_byte(b, ')');
}

static struct gen_address mapped_client(const struct gen_context *c)
{
    if (!c->route->translated || c->flow->client.v6)
        return c->flow->client;
    return (struct gen_address){.value = c->tenant->translated};
}

static uint64_t connection(const struct gen_flow *f)
{
    return f->salt >> 24 & 0x3FFFFFFF;
}

static const char *protocol_upper(const struct gen_flow *f)
{
    return f->protocol == 6 ? "TCP" : "UDP";
}

/* Of two ends the one on the less trusted interface comes first, whoever began. */
static void write_built(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool inbound = f->path == GEN_PATH_IN;
    write_head(b, c, 6, f->protocol == 6 ? 302013 : 302015);
    TEXT(b, "Built ");
    text_string(b, inbound ? "inbound " : "outbound ");
    text_string(b, protocol_upper(f));
    TEXT(b, " connection ");
    text_decimal(b, connection(f));
    TEXT(b, " for ");
    if (inbound) {
        write_tuple(b, c->route->from_zone, f->client, f->client_port);
        write_mapped(b, f->client, f->client_port);
        TEXT(b, " to ");
        write_tuple(b, c->route->to_zone, f->server, f->server_port);
        write_mapped(b, f->server, f->server_port);
        return;
    }
    write_tuple(b, c->route->to_zone, f->server, f->server_port);
    write_mapped(b, f->server, f->server_port);
    TEXT(b, " to ");
    write_tuple(b, c->route->from_zone, f->client, f->client_port);
    write_mapped(b, mapped_client(c), f->client_port);
}

static const char *teardown_reason(const struct gen_flow *f)
{
    if (f->protocol != 6)
        return "";
    if (f->kind == GEN_FLOW_FAILED)
        return (f->salt & 3) == 0 ? " TCP Reset-O" : " SYN Timeout";
    return (f->salt & 15) == 0 ? " TCP Reset-I" : " TCP FINs";
}

static void write_teardown(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool inbound = f->path == GEN_PATH_IN;
    uint32_t seconds = f->duration_ms / 1000;
    write_head(b, c, 6, f->protocol == 6 ? 302014 : 302016);
    TEXT(b, "Teardown ");
    text_string(b, protocol_upper(f));
    TEXT(b, " connection ");
    text_decimal(b, connection(f));
    TEXT(b, " for ");
    if (inbound)
        write_tuple(b, c->route->from_zone, f->client, f->client_port);
    else
        write_tuple(b, c->route->to_zone, f->server, f->server_port);
    TEXT(b, " to ");
    if (inbound)
        write_tuple(b, c->route->to_zone, f->server, f->server_port);
    else
        write_tuple(b, c->route->from_zone, f->client, f->client_port);
    TEXT(b, " duration ");
    text_decimal(b, seconds / 3600);
    buf_byte(b, ':');
    text_padded(b, seconds / 60 % 60, 2);
    buf_byte(b, ':');
    text_padded(b, seconds % 60, 2);
    TEXT(b, " bytes ");
    text_decimal(b, f->sent_bytes + f->received_bytes);
    text_string(b, teardown_reason(f));
}

static void write_deny(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    write_head(b, c, 4, 106023);
    TEXT(b, "Deny ");
    text_string(b, f->protocol == 6 ? "tcp" : "udp");
    TEXT(b, " src ");
    write_tuple(b, c->route->from_zone, f->client, f->client_port);
    TEXT(b, " dst ");
    write_tuple(b, c->route->to_zone, f->server, f->server_port);
    TEXT(b, " by access-group \"");
    text_string(b, c->route->from_zone);
    TEXT(b, "_access_in\" [0x0, 0x0]");
}

static void write_translation(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    write_head(b, c, 6, 305011);
    TEXT(b, "Built dynamic ");
    text_string(b, protocol_upper(f));
    TEXT(b, " translation from ");
    write_tuple(b, c->route->from_zone, f->client, f->client_port);
    TEXT(b, " to ");
    write_tuple(b, c->route->to_zone, mapped_client(c), f->client_port);
}

static void write_accessed(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    write_head(b, c, 5, 304001);
    text_address(b, f->client);
    TEXT(b, " Accessed URL ");
    text_address(b, f->server);
    buf_byte(b, ':');
    text_url(b, f, c->dest);
}

static void write_login(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool failed = f->kind == GEN_FLOW_LOGIN_FAIL;
    write_head(b, c, 6, failed ? 113005 : 113004);
    if (failed)
        TEXT(b, "AAA user authentication Rejected : reason = AAA failure : server = ");
    else
        TEXT(b, "AAA user authentication Successful : server = ");
    text_ip4(b, c->tenant->inside | 64 << 8 | 30);
    TEXT(b, " : user = ");
    text_user(b, c->world, f);
    if (failed) {
        TEXT(b, " : user IP = ");
        text_address(b, f->client);
    }
}

void gen_asa_write(struct buf *out, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    switch (f->kind) {
    case GEN_FLOW_START:
        if ((f->salt >> 16 & 31) == 0 && c->route->translated && f->planted == GEN_CASE_NONE)
            write_translation(out, c);
        else
            write_built(out, c);
        break;
    case GEN_FLOW_DENY:
        write_deny(out, c);
        break;
    case GEN_FLOW_WEB:
        write_accessed(out, c);
        break;
    case GEN_FLOW_LOGIN:
    case GEN_FLOW_LOGIN_FAIL:
        write_login(out, c);
        break;
    default:
        write_teardown(out, c);
        break;
    }
}
