/*
 * PAN-OS syslog field descriptions: TRAFFIC (end, drop) and THREAT (url, vulnerability), in the
 * lengths of versions 9.1 (75 and 79 columns), 10.0 (105 and 108) and 10.1 (115 and 119).
 */
#include "app/gen_writer.h"
#include "base/clock.h"

static void write_commas(struct buf *b, uint32_t count)
{
    for (; count > 0; count--)
        buf_byte(b, ',');
}

static void write_time(struct buf *b, const struct gen_context *c)
{
    text_date(b, c->moment, '/');
    buf_byte(b, ' ');
    text_bytes(b, c->moment->time, sizeof(c->moment->time));
}

static const char *application(const struct gen_flow *f)
{
    if (f->kind == GEN_FLOW_DENY)
        return "not-applicable";
    if (f->kind == GEN_FLOW_FAILED)
        return "incomplete";
    switch (f->server_port) {
    case 443:
        return f->protocol == 17 ? "quic" : "ssl";
    case 80:
        return "web-browsing";
    case 53:
        return "dns-base";
    case 123:
        return "ntp-base";
    case 25:
        return "smtp-base";
    case 22:
        return "ssh";
    default:
        return f->protocol == 6 ? "unknown-tcp" : "unknown-udp";
    }
}

static void write_translated(struct buf *b, const struct gen_context *c)
{
    if (c->flow->kind == GEN_FLOW_DENY || !c->route->translated || c->flow->client.v6) {
        if (c->flow->client.v6)
            TEXT(b, "::,::");
        else
            TEXT(b, "0.0.0.0,0.0.0.0");
        return;
    }
    text_ip4(b, c->tenant->translated);
    buf_byte(b, ',');
    text_address(b, c->flow->server);
}

enum version {
    VERSION_9_1,
    VERSION_10_0,
    VERSION_10_1,
};

static enum version version_of(const struct gen_context *c)
{
    return (enum version)((c->tenant->index + 1) % 3);
}

/* Fields 1 to 31, the same in both log types. */
static void write_common(struct buf *b, const struct gen_context *c, const char *type,
                         const char *action)
{
    const struct gen_flow *f = c->flow;
    if (c->tenant->index % 2 == 0) {
        TEXT(b, "<14>");
        text_bsd_time(b, c->moment);
        buf_byte(b, ' ');
        text_string(b, c->source->device);
        buf_byte(b, ' ');
    }
    TEXT(b, "1,");
    write_time(b, c);
    TEXT(b, ",0137");
    text_padded(b, c->source->serial, 8);
    buf_byte(b, ',');
    text_string(b, type);
    TEXT(b, ",2561,");
    write_time(b, c);
    buf_byte(b, ',');
    text_address(b, f->client);
    buf_byte(b, ',');
    text_address(b, f->server);
    buf_byte(b, ',');
    write_translated(b, c);
    buf_byte(b, ',');
    text_string(b, f->kind == GEN_FLOW_DENY ? "interzone-default" : c->route->rule);
    buf_byte(b, ',');
    if (f->host != GEN_HOST_NONE) {
        text_string(b, c->tenant->label);
        buf_byte(b, '\\');
        text_user(b, c->world, f);
    }
    TEXT(b, ",,");
    text_string(b, application(f));
    TEXT(b, ",vsys1,");
    text_string(b, c->route->from_zone);
    buf_byte(b, ',');
    text_string(b, c->route->to_zone);
    TEXT(b, ",ethernet1/2,ethernet1/1,soc-forward,");
    write_time(b, c);
    buf_byte(b, ',');
    text_decimal(b, f->salt >> 30 & 0xFFFFFF);
    TEXT(b, ",1,");
    text_decimal(b, f->client_port);
    buf_byte(b, ',');
    text_decimal(b, f->server_port);
    buf_byte(b, ',');
    bool translated = f->kind != GEN_FLOW_DENY && c->route->translated && !f->client.v6;
    text_decimal(b, translated ? f->client_port : 0);
    buf_byte(b, ',');
    text_decimal(b, translated ? f->server_port : 0);
    buf_byte(b, ',');
    text_string(b, translated ? "0x400019" : "0x19");
    buf_byte(b, ',');
    text_string(b, f->protocol == 6 ? "tcp" : f->protocol == 17 ? "udp" : "icmp");
    buf_byte(b, ',');
    text_string(b, action);
}

static const char *country(struct gen_address a, bool inside)
{
    return inside ? "10.0.0.0-10.255.255.255" : gen_country(gen_country_of(a))->name;
}

/* A country's name may hold a comma. */
static void write_country(struct buf *b, struct gen_address a, bool inside)
{
    const char *name = country(a, inside);
    bool quoted = strchr(name, ',') != NULL;
    if (quoted)
        buf_byte(b, '"');
    text_string(b, name);
    if (quoted)
        buf_byte(b, '"');
}

static void write_countries(struct buf *b, const struct gen_context *c)
{
    write_country(b, c->flow->client, c->flow->path != GEN_PATH_IN);
    buf_byte(b, ',');
    write_country(b, c->flow->server, gen_path_stays_inside(c->flow->path));
}

/* 2026-10-05T09:00:00.123+09:00 */
static void write_precise(struct buf *b, const struct gen_context *c)
{
    text_bytes(b, c->moment->date, sizeof(c->moment->date));
    buf_byte(b, 'T');
    text_bytes(b, c->moment->time, sizeof(c->moment->time));
    buf_byte(b, '.');
    text_padded(b, (uint64_t)(c->flow->time_ns / 1000000 % 1000), 3);
    TEXT(b, "+09:00");
}

static void write_sequence(struct buf *b, const struct gen_context *c)
{
    TEXT(b, "70");
    text_padded(b, c->flow->salt >> 16, 14);
    TEXT(b, ",0x8000000000000000,");
}

static const char *end_reason(const struct gen_flow *f)
{
    if (f->kind == GEN_FLOW_DENY)
        return "policy-deny";
    if (f->kind == GEN_FLOW_FAILED)
        return (f->salt & 3) == 0 ? "tcp-rst-from-server" : "aged-out";
    return f->protocol == 6 ? "tcp-fin" : "aged-out";
}

static void write_traffic(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool denied = f->kind == GEN_FLOW_DENY;
    write_common(b, c, denied ? "TRAFFIC,drop" : "TRAFFIC,end", denied ? "drop" : "allow");
    uint64_t sent_packets = f->sent_bytes == 0 ? 0 : f->sent_bytes / 140 + 1;
    uint64_t received_packets = f->received_bytes == 0 ? 0 : f->received_bytes / 1150 + 1;
    buf_byte(b, ',');
    text_decimal(b, f->sent_bytes + f->received_bytes);
    buf_byte(b, ',');
    text_decimal(b, f->sent_bytes);
    buf_byte(b, ',');
    text_decimal(b, f->received_bytes);
    buf_byte(b, ',');
    text_decimal(b, sent_packets + received_packets);
    buf_byte(b, ',');
    struct gen_moment begin = {.second = -1};
    struct gen_context start = *c;
    start.moment = &begin;
    gen_moment_set(&begin, f->time_ns - f->duration_ms * INT64_C(1000000));
    write_time(b, &start);
    buf_byte(b, ',');
    text_decimal(b, f->duration_ms / 1000);
    buf_byte(b, ',');
    text_string(b, denied ? "any" : gen_world_category(c->dest->category)->panos);
    TEXT(b, ",0,");
    write_sequence(b, c);
    write_countries(b, c);
    TEXT(b, ",0,");
    text_decimal(b, sent_packets);
    buf_byte(b, ',');
    text_decimal(b, received_packets);
    buf_byte(b, ',');
    text_string(b, end_reason(f));
    TEXT(b, ",0,0,0,0,,");
    text_string(b, c->source->device);
    TEXT(b, ",from-policy,,,0,,0,,N/A,0,0,0,0,");
    text_string(b, denied ? "" : c->route->uuid);
    /* HTTP/2 and link changes; then SD-WAN, endpoints, containers, lists: without values here. */
    TEXT(b, ",0,0");
    if (version_of(c) == VERSION_9_1) {
        write_commas(b, 7);
        return;
    }
    write_commas(b, 35);
    write_precise(b, c);
    write_commas(b, version_of(c) == VERSION_10_0 ? 2 : 3);
    if (version_of(c) == VERSION_10_0)
        return;
    TEXT(b, "encrypted-tunnel,networking,browser-based,4,,,untunneled,no,no,0");
}

static void write_threat(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool url = f->kind == GEN_FLOW_WEB;
    write_common(b, c, url ? "THREAT,url" : "THREAT,vulnerability",
                 !url         ? "reset-both"
                 : f->blocked ? "block-url"
                              : "alert");
    /* The field has no scheme. */
    TEXT(b, ",\"");
    text_bytes(b, c->dest->name, c->dest->name_len);
    if (f->tls)
        buf_byte(b, '/');
    else
        text_path(b, f, c->dest);
    if (url)
        TEXT(b, "\",(9999),");
    else
        TEXT(b, "\",HTTP Directory Traversal Request Attempt(30844),");
    text_string(b, gen_world_category(c->dest->category)->panos);
    text_string(b, url ? ",informational,client-to-server," : ",medium,client-to-server,");
    write_sequence(b, c);
    write_countries(b, c);
    TEXT(b, ",0,");
    text_string(b, f->tls ? "" : gen_mime(f));
    TEXT(b, ",0,,,");
    text_decimal(b, url);
    buf_byte(b, ',');
    if (!f->tls) {
        buf_byte(b, '"');
        text_string(b, gen_agent(f, c->dest));
        buf_byte(b, '"');
    }
    /* File type, X-Forwarded-For, referer, sender, subject, recipient, report id, groups. */
    TEXT(b, ",,,,,,,0,0,0,0,0,,");
    text_string(b, c->source->device);
    TEXT(b, ",,,,");
    text_string(b, f->tls ? "connect" : f->upload ? "post" : "get");
    TEXT(b, ",0,,0,,N/A,unknown,AppThreat-8882-8893,0x0,0,4294967295,,\"");
    text_string(b, gen_world_category(c->dest->category)->panos);
    TEXT(b, ",low-risk\",");
    text_string(b, c->route->uuid);
    TEXT(b, ",0");
    if (version_of(c) == VERSION_9_1) {
        buf_byte(b, ',');
        return;
    }
    write_commas(b, 30);
    write_precise(b, c);
    if (version_of(c) == VERSION_10_0)
        return;
    write_commas(b, 4);
    TEXT(b, "internet-utility,general-internet,browser-based,4,,,no,no");
}

void gen_panos_write(struct buf *out, const struct gen_context *c)
{
    if (c->flow->kind == GEN_FLOW_WEB || c->flow->kind == GEN_FLOW_IPS)
        write_threat(out, c);
    else
        write_traffic(out, c);
}
