/* FortiOS 7 log reference: traffic, webfilter, app-ctrl, dns, ips and vpn messages as key=value. */
#include "app/gen_writer.h"

static void write_head(struct buf *b, const struct gen_context *c, const char *logid)
{
    if (c->tenant->index % 4 == 3)
        TEXT(b, "<189>");
    TEXT(b, "date=");
    text_bytes(b, c->moment->date, sizeof(c->moment->date));
    TEXT(b, " time=");
    text_bytes(b, c->moment->time, sizeof(c->moment->time));
    TEXT(b, " devname=\"");
    text_string(b, c->source->device);
    TEXT(b, "\" devid=\"FG2H0FTK");
    text_padded(b, c->source->serial, 8);
    TEXT(b, "\" eventtime=");
    text_decimal(b, (uint64_t)c->flow->time_ns);
    TEXT(b, " tz=\"+0900\" logid=\"");
    text_string(b, logid);
    buf_byte(b, '"');
}

static const char *country_name(struct gen_address a, bool inside)
{
    return inside ? "Reserved" : gen_country(gen_country_of(a))->name;
}

static bool client_inside(const struct gen_context *c)
{
    return c->flow->path != GEN_PATH_IN;
}

static bool server_inside(const struct gen_context *c)
{
    return gen_path_stays_inside(c->flow->path);
}

static void write_client(struct buf *b, const struct gen_context *c)
{
    TEXT(b, " srcip=");
    text_address(b, c->flow->client);
    TEXT(b, " srcport=");
    text_decimal(b, c->flow->client_port);
    TEXT(b, " srcintf=\"");
    text_string(b, c->route->from_interface);
    TEXT(b, "\" srcintfrole=\"");
    text_string(b, c->route->from_role);
    buf_byte(b, '"');
}

static void write_server(struct buf *b, const struct gen_context *c)
{
    TEXT(b, " dstip=");
    text_address(b, c->flow->server);
    TEXT(b, " dstport=");
    text_decimal(b, c->flow->server_port);
    TEXT(b, " dstintf=\"");
    text_string(b, c->route->to_interface);
    TEXT(b, "\" dstintfrole=\"");
    text_string(b, c->route->to_role);
    buf_byte(b, '"');
}

static void write_countries(struct buf *b, const struct gen_context *c)
{
    TEXT(b, " srccountry=\"");
    text_string(b, country_name(c->flow->client, client_inside(c)));
    TEXT(b, "\" dstcountry=\"");
    text_string(b, country_name(c->flow->server, server_inside(c)));
    buf_byte(b, '"');
}

static uint32_t session(const struct gen_flow *f)
{
    return (uint32_t)(f->salt >> 20) & 0x3FFFFFFF;
}

static void write_policy(struct buf *b, const struct gen_context *c)
{
    bool implicit = c->flow->kind == GEN_FLOW_DENY;
    TEXT(b, " policyid=");
    text_decimal(b, implicit ? 0 : c->route->policy);
    TEXT(b, " policytype=\"policy\"");
    if (implicit)
        return;
    TEXT(b, " poluuid=\"");
    text_string(b, c->route->uuid);
    buf_byte(b, '"');
}

static void write_user(struct buf *b, const struct gen_context *c)
{
    if (c->flow->host == GEN_HOST_NONE)
        return;
    TEXT(b, " user=\"");
    text_user(b, c->world, c->flow);
    buf_byte(b, '"');
}

static void write_service(struct buf *b, const struct gen_context *c)
{
    TEXT(b, " service=\"");
    text_service(b, c->flow);
    buf_byte(b, '"');
}

static const char *traffic_action(const struct gen_flow *f)
{
    if (f->kind == GEN_FLOW_DENY)
        return "deny";
    if (f->kind == GEN_FLOW_FAILED)
        return (f->salt & 3) == 0 ? "server-rst" : "timeout";
    if (f->protocol != 6)
        return "accept";
    return (f->salt & 15) == 0 ? "client-rst" : "close";
}

static uint64_t packets(uint64_t bytes, uint64_t per_packet)
{
    return bytes == 0 ? 0 : bytes / per_packet + 1;
}

static void write_translation(struct buf *b, const struct gen_context *c)
{
    if (c->flow->kind == GEN_FLOW_DENY || !c->route->translated || c->flow->client.v6) {
        TEXT(b, " trandisp=\"noop\"");
        return;
    }
    TEXT(b, " trandisp=\"snat\" transip=");
    text_ip4(b, c->tenant->translated);
    TEXT(b, " transport=");
    text_decimal(b, c->flow->client_port);
}

static void write_traffic(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    write_head(b, c, "0000000013");
    if (f->kind == GEN_FLOW_DENY)
        TEXT(b, " type=\"traffic\" subtype=\"forward\" level=\"warning\" vd=\"root\"");
    else
        TEXT(b, " type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\"");
    write_client(b, c);
    write_server(b, c);
    write_countries(b, c);
    TEXT(b, " sessionid=");
    text_decimal(b, session(f));
    TEXT(b, " proto=");
    text_decimal(b, f->protocol);
    TEXT(b, " action=\"");
    text_string(b, traffic_action(f));
    buf_byte(b, '"');
    write_policy(b, c);
    write_user(b, c);
    write_service(b, c);
    write_translation(b, c);
    TEXT(b, " duration=");
    text_decimal(b, (f->duration_ms + 500) / 1000);
    TEXT(b, " sentbyte=");
    text_decimal(b, f->sent_bytes);
    TEXT(b, " rcvdbyte=");
    text_decimal(b, f->received_bytes);
    TEXT(b, " sentpkt=");
    text_decimal(b, packets(f->sent_bytes, 140));
    TEXT(b, " rcvdpkt=");
    text_decimal(b, packets(f->received_bytes, 1150));
    TEXT(b, " appcat=\"unscanned\"");
    if (f->kind == GEN_FLOW_DENY)
        TEXT(b, " crscore=30 craction=131072 crlevel=\"high\"");
}

static void write_filter(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    const struct gen_category *category = gen_world_category(c->dest->category);
    write_head(b, c, f->blocked ? "0316013056" : "0317013312");
    if (f->blocked)
        TEXT(b, " type=\"utm\" subtype=\"webfilter\" eventtype=\"ftgd_blk\" level=\"warning\"");
    else
        TEXT(b, " type=\"utm\" subtype=\"webfilter\" eventtype=\"ftgd_allow\" level=\"notice\"");
    TEXT(b, " vd=\"root\"");
    write_policy(b, c);
    TEXT(b, " sessionid=");
    text_decimal(b, session(f));
    write_user(b, c);
    write_client(b, c);
    write_server(b, c);
    write_countries(b, c);
    TEXT(b, " proto=6");
    write_service(b, c);
    TEXT(b, " hostname=\"");
    text_bytes(b, c->dest->name, c->dest->name_len);
    TEXT(b, "\" profile=\"municipal-web\"");
    if (f->blocked)
        TEXT(b, " action=\"blocked\" reqtype=\"direct\" url=\"");
    else
        TEXT(b, " action=\"passthrough\" reqtype=\"direct\" url=\"");
    text_url(b, f, c->dest);
    TEXT(b, "\" sentbyte=");
    text_decimal(b, f->sent_bytes);
    TEXT(b, " rcvdbyte=");
    text_decimal(b, f->blocked ? 0 : f->received_bytes);
    if (f->blocked)
        TEXT(b, " direction=\"outgoing\" msg=\"URL belongs to a denied category in policy\"");
    else
        TEXT(b, " direction=\"outgoing\" msg=\"URL belongs to an allowed category in policy\"");
    TEXT(b, " method=\"domain\" cat=");
    text_decimal(b, category->fortiguard);
    TEXT(b, " catdesc=\"");
    text_string(b, category->fortinet);
    buf_byte(b, '"');
}

static void write_application(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool plain = f->server_port == 80;
    write_head(b, c, "1059028704");
    TEXT(b, " type=\"utm\" subtype=\"app-ctrl\" eventtype=\"signature\" level=\"information\" "
            "vd=\"root\" appid=");
    text_decimal(b, plain ? 15893 : 40568);
    write_user(b, c);
    write_client(b, c);
    write_server(b, c);
    write_countries(b, c);
    TEXT(b, " proto=");
    text_decimal(b, f->protocol);
    write_service(b, c);
    TEXT(b, " direction=\"outgoing\"");
    write_policy(b, c);
    TEXT(b, " sessionid=");
    text_decimal(b, session(f));
    TEXT(b, " applist=\"municipal-apps\" action=\"pass\" appcat=\"Web.Client\" app=\"");
    text_string(b, plain ? "HTTP.BROWSER" : "HTTPS.BROWSER");
    TEXT(b, "\" hostname=\"");
    text_bytes(b, c->dest->name, c->dest->name_len);
    TEXT(b, "\" incidentserialno=");
    text_decimal(b, f->salt >> 36);
    TEXT(b, " url=\"/\" msg=\"Web.Client: ");
    text_string(b, plain ? "HTTP.BROWSER" : "HTTPS.BROWSER");
    TEXT(b, "\" apprisk=\"medium\"");
}

static void write_query(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    write_head(b, c, "1501054802");
    TEXT(b,
         " type=\"utm\" subtype=\"dns\" eventtype=\"dns-response\" level=\"notice\" vd=\"root\"");
    write_policy(b, c);
    TEXT(b, " sessionid=");
    text_decimal(b, session(f));
    write_client(b, c);
    write_server(b, c);
    write_countries(b, c);
    TEXT(b, " proto=17 profile=\"municipal-dns\" xid=");
    text_decimal(b, f->salt & 0xFFFF);
    TEXT(b, " qname=\"");
    text_bytes(b, c->dest->name, c->dest->name_len);
    if (c->dest->address.v6)
        TEXT(b, "\" qtype=\"AAAA\" qtypeval=28 qclass=\"IN\" ipaddr=\"");
    else
        TEXT(b, "\" qtype=\"A\" qtypeval=1 qclass=\"IN\" ipaddr=\"");
    text_address(b, c->dest->address);
    TEXT(b, "\" msg=\"Domain is monitored\" action=\"pass\" cat=");
    text_decimal(b, gen_world_category(c->dest->category)->fortiguard);
    TEXT(b, " catdesc=\"");
    text_string(b, gen_world_category(c->dest->category)->fortinet);
    buf_byte(b, '"');
}

static void write_attack(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    write_head(b, c, "0419016384");
    TEXT(b, " type=\"utm\" subtype=\"ips\" eventtype=\"signature\" level=\"alert\" vd=\"root\" "
            "severity=\"medium\"");
    write_client(b, c);
    write_server(b, c);
    write_countries(b, c);
    TEXT(b, " sessionid=");
    text_decimal(b, session(f));
    TEXT(b, " action=\"dropped\" proto=");
    text_decimal(b, f->protocol);
    write_service(b, c);
    write_policy(b, c);
    TEXT(b, " attack=\"Web.Server.Password.File.Access\" direction=\"outgoing\" attackid=12718 "
            "profile=\"municipal-ips\" incidentserialno=");
    text_decimal(b, f->salt >> 36);
    TEXT(b, " msg=\"web_misc: Web.Server.Password.File.Access\" crscore=30 craction=8192 "
            "crlevel=\"high\"");
}

static void write_login(struct buf *b, const struct gen_context *c)
{
    const struct gen_flow *f = c->flow;
    bool failed = f->kind == GEN_FLOW_LOGIN_FAIL;
    write_head(b, c, failed ? "0101039426" : "0101039424");
    text_string(b, failed ? " type=\"event\" subtype=\"vpn\" level=\"alert\" vd=\"root\" "
                            "logdesc=\"SSL VPN login fail\" action=\"ssl-login-fail\""
                          : " type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" "
                            "logdesc=\"SSL VPN tunnel up\" action=\"tunnel-up\"");
    TEXT(b, " tunneltype=\"ssl-web\" tunnelid=");
    text_decimal(b, failed ? 0 : f->salt >> 34);
    TEXT(b, " remip=");
    text_address(b, f->client);
    write_user(b, c);
    text_string(b, failed ? " group=\"N/A\" dst_host=\"N/A\" "
                            "reason=\"sslvpn_login_permission_denied\" "
                            "msg=\"SSL user failed to logged in\""
                          : " group=\"telework\" dst_host=\"N/A\" reason=\"tunnel established\" "
                            "msg=\"SSL tunnel established\"");
}

void gen_fortigate_write(struct buf *out, const struct gen_context *c)
{
    switch (c->flow->kind) {
    case GEN_FLOW_WEB:
        write_filter(out, c);
        break;
    case GEN_FLOW_APP:
        write_application(out, c);
        break;
    case GEN_FLOW_DNS:
        write_query(out, c);
        break;
    case GEN_FLOW_IPS:
        write_attack(out, c);
        break;
    case GEN_FLOW_LOGIN:
    case GEN_FLOW_LOGIN_FAIL:
        write_login(out, c);
        break;
    default:
        write_traffic(out, c);
        break;
    }
}
