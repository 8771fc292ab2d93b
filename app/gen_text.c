#include "app/gen_text.h"

#include <assert.h>

#include "app/gen_calendar.h"
#include "app/gen_name.h"

enum {
    AGENTS = 6,
    RESOURCES = 16,
};

static const char TWO_DIGITS[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

static const char HEX[] = "0123456789abcdef";

static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static const struct gen_route ROUTES[GEN_PATHS] = {
    [GEN_PATH_OUT] = {"port2", "wan1", "lan", "wan", "internet-lan", "untrust", "lan-to-internet",
                      "6f1c2d9e-7a41-51ee-9c3b-2d5e8f0a4b17", 12, true},
    [GEN_PATH_PROXY] = {"dmz", "wan1", "dmz", "wan", "dmz", "untrust", "proxy-to-internet",
                        "81b0d3a4-7a41-51ee-60f2-93c7d41e5a28", 20, true},
    [GEN_PATH_SERVER] = {"dmz", "wan1", "dmz", "wan", "dmz", "untrust", "dmz-basic-services",
                         "9a47e5c6-7a41-51ee-b8d1-0c6f3e927b39", 22, true},
    [GEN_PATH_IN] = {"wan1", "dmz", "wan", "dmz", "untrust", "dmz", "published-servers",
                     "b25c61f8-7a41-51ee-47a9-5e80d12f6c4a", 30, false},
    [GEN_PATH_INSIDE] = {"port2", "dmz", "lan", "dmz", "internet-lan", "dmz", "lan-to-dmz",
                         "c9e3740a-7a41-51ee-d26c-71b4f80e9d5b", 40, false},
    [GEN_PATH_LGWAN] = {"port3", "wan1", "lan", "wan", "lgwan", "untrust", "lgwan-gateway",
                        "e08f172c-7a41-51ee-158e-c4a92d637e6c", 50, true},
    [GEN_PATH_NUMBER] = {"port4", "wan1", "lan", "wan", "mynumber", "untrust", "legacy-any",
                         "f73ba94e-7a41-51ee-89b3-26d70f5c1a7d", 60, true},
    [GEN_PATH_SCHOOL] = {"port5", "wan1", "lan", "wan", "school", "untrust", "school-to-internet",
                         "0ed24c60-7a42-51ee-fc58-8b13e694d28e", 70, true},
    [GEN_PATH_TO_LGWAN] = {"port3", "port6", "lan", "wan", "lgwan", "lgwan-net", "lgwan-asp",
                           "1fe35d72-7a42-51ee-0d69-9c24f7a5e39f", 80, false},
    [GEN_PATH_FROM_LGWAN] = {"port6", "port3", "wan", "lan", "lgwan-net", "lgwan", "lgwan-in",
                             "20f46e83-7a42-51ee-1e7a-ad3508b6f4a0", 90, false},
};

static const struct {
    uint16_t port;
    uint8_t protocol; /* 0 = both */
    const char *name;
} SERVICE_NAMES[] = {
    {443, 6, "HTTPS"}, {80, 6, "HTTP"},   {53, 0, "DNS"},         {123, 17, "NTP"},
    {443, 17, "QUIC"}, {25, 6, "SMTP"},   {587, 6, "SUBMISSION"}, {22, 6, "SSH"},
    {23, 6, "TELNET"}, {21, 6, "FTP"},    {445, 6, "SMB"},        {3389, 6, "RDP"},
    {139, 6, "SAMBA"}, {161, 17, "SNMP"}, {514, 17, "SYSLOG"},    {8080, 6, "HTTP-8080"},
};

static const char *const AGENT[AGENTS] = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15",
};

static const char *const SERVICE_AGENT[GEN_DEST_SERVICES] = {
    [GEN_DEST_ANTIVIRUS] = "AvShield-Agent/9.4",
    [GEN_DEST_CRL] = "Microsoft-CryptoAPI/10.0",
    [GEN_DEST_OCSP] = "Microsoft-CryptoAPI/10.0",
    [GEN_DEST_UPDATE] = "OS-Update-Client/10.0.19045",
    [GEN_DEST_WEATHER] = "TenkiWidget/3.1",
    [GEN_DEST_PUSH] = "NotifyHub/2.2 (Windows)",
    [GEN_DEST_TELEMETRY] = "OfficeSuite/16.0 (telemetry)",
    [GEN_DEST_GROUPWARE] = "KairanBoard/5.8",
    [GEN_DEST_BACKUP] = "CloudStore-Sync/4.0",
};

static const struct {
    const char *folder;
    const char *suffix;
    const char *mime;
} RESOURCE[RESOURCES] = {
    {"/", "", "text/html"},
    {"/index.html", "", "text/html"},
    {"/news/", ".html", "text/html"},
    {"/assets/app.", ".js", "application/javascript"},
    {"/assets/style.", ".css", "text/css"},
    {"/img/", ".jpg", "image/jpeg"},
    {"/img/icons/", ".png", "image/png"},
    {"/api/v2/items?id=", "", "application/json"},
    {"/search?q=%E6%B0%B4%E9%81%93+", "&lang=ja", "text/html"},
    {"/static/fonts/", ".woff2", "font/woff2"},
    {"/media/", "/segment.ts", "video/mp2t"},
    {"/collect?v=2&tid=", "&en=page_view", "image/gif"},
    {"/download/doc-", ".pdf", "application/pdf"},
    {"/shop/item/", "?ref=top", "text/html"},
    {"/img/banner_", ".webp", "image/webp"},
    {"/feed/", ".xml", "application/xml"},
};

static const char *const SERVICE_PATH[GEN_DEST_SERVICES] = {
    [GEN_DEST_ANTIVIRUS] = "/v1/heartbeat",
    [GEN_DEST_CRL] = "/root-g3.crl",
    [GEN_DEST_OCSP] = "/MFIwUDBOMEwwSjAJBgUrDgMCGgUABBT",
    [GEN_DEST_UPDATE] = "/v6/windowsupdate/check.cab",
    [GEN_DEST_WEATHER] = "/tiles/jp/99/current.json",
    [GEN_DEST_PUSH] = "/subscribe",
    [GEN_DEST_TELEMETRY] = "/v1/events",
    [GEN_DEST_GROUPWARE] = "/poll",
    [GEN_DEST_BACKUP] = "/upload",
    [GEN_DEST_PLATFORM] = "/manifest.json",
    [GEN_DEST_OWN_SITE] = "/",
};

static const struct gen_country COUNTRY[GEN_COUNTRIES] = {
    {"JP", "Japan", "日本"},
    {"US", "United States", "アメリカ合衆国"},
    {"SG", "Singapore", "シンガポール"},
    {"DE", "Germany", "ドイツ"},
    {"NL", "Netherlands", "オランダ"},
    {"GB", "United Kingdom", "イギリス"},
    {"FR", "France", "フランス"},
    {"KR", "Korea, Republic of", "大韓民国"},
    {"TW", "Taiwan", "台湾"},
    {"HK", "Hong Kong", "香港"},
    {"IE", "Ireland", "アイルランド"},
    {"CA", "Canada", "カナダ"},
    {"AU", "Australia", "オーストラリア"},
    {"IN", "India", "インド"},
    {"CN", "China", "中国"},
    {"RU", "Russian Federation", "ロシア"},
    {"BR", "Brazil", "ブラジル"},
    {"VN", "Viet Nam", "ベトナム"},
    {"ID", "Indonesia", "インドネシア"},
    {"SE", "Sweden", "スウェーデン"},
    {"PL", "Poland", "ポーランド"},
    {"UA", "Ukraine", "ウクライナ"},
    {"TR", "Turkey", "トルコ"},
    {"RO", "Romania", "ルーマニア"},
};

void text_decimal(struct buf *b, uint64_t v)
{
    char text[20];
    size_t at = sizeof(text);
    while (v >= 100) {
        at -= 2;
        memcpy(text + at, TWO_DIGITS + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(text + at, TWO_DIGITS + v * 2, 2);
    } else {
        text[--at] = (char)('0' + (int)v);
    }
    text_bytes(b, text + at, sizeof(text) - at);
}

void text_padded(struct buf *b, uint64_t v, uint32_t digits)
{
    char text[20];
    assert(digits <= sizeof(text));
    for (uint32_t i = digits; i-- > 0; v /= 10)
        text[i] = (char)('0' + (int)(v % 10));
    text_bytes(b, text, digits);
}

void text_right(struct buf *b, uint64_t v, uint32_t width)
{
    uint64_t limit = 10;
    uint32_t digits = 1;
    while (v >= limit && digits < 19) {
        limit *= 10;
        digits++;
    }
    for (; digits < width; digits++)
        buf_byte(b, ' ');
    text_decimal(b, v);
}

void text_hex(struct buf *b, uint64_t v, uint32_t digits)
{
    char text[16];
    assert(digits <= sizeof(text));
    for (uint32_t i = digits; i-- > 0; v >>= 4)
        text[i] = HEX[v & 15];
    text_bytes(b, text, digits);
}

static void hex_group(struct buf *b, uint32_t v)
{
    uint32_t digits = v >= 0x1000 ? 4 : v >= 0x100 ? 3 : v >= 0x10 ? 2 : 1;
    text_hex(b, v, digits);
}

void text_ip4(struct buf *b, uint32_t address)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        text_decimal(b, address >> shift & 255);
        if (shift > 0)
            buf_byte(b, '.');
    }
}

void text_address(struct buf *b, struct gen_address a)
{
    if (!a.v6) {
        text_ip4(b, a.value);
        return;
    }
    TEXT(b, "2001:db8:");
    if (a.value > 0xFFFF || (a.value & 0xFFFF) != 0) {
        hex_group(b, a.value >> 16);
        buf_byte(b, ':');
    }
    if ((a.value & 0xFFFF) != 0) {
        hex_group(b, a.value & 0xFFFF);
        buf_byte(b, ':');
    }
    TEXT(b, ":1");
}

static void put_two(char *to, int32_t v)
{
    memcpy(to, TWO_DIGITS + (size_t)(v % 100) * 2, 2);
}

void gen_moment_set(struct gen_moment *m, int64_t time_ns)
{
    int64_t second = time_ns / CLOCK_NS_PER_SECOND;
    if (m->second == second)
        return;
    struct clock_civil c;
    clock_to_civil(&c, second * CLOCK_NS_PER_SECOND + GEN_JST_NS);
    m->second = second;
    put_two(m->date, c.year / 100);
    put_two(m->date + 2, c.year);
    m->date[4] = m->date[7] = '-';
    put_two(m->date + 5, c.month);
    put_two(m->date + 8, c.day);
    put_two(m->time, c.hour);
    put_two(m->time + 3, c.minute);
    put_two(m->time + 6, c.second);
    m->time[2] = m->time[5] = ':';
    memcpy(m->month, MONTHS + (size_t)(c.month - 1) * 3, 3);
    memcpy(m->day, m->date + 8, 2);
}

void text_date(struct buf *b, const struct gen_moment *m, char separator)
{
    text_bytes(b, m->date, 4);
    buf_byte(b, separator);
    text_bytes(b, m->date + 5, 2);
    buf_byte(b, separator);
    text_bytes(b, m->date + 8, 2);
}

void text_bsd_time(struct buf *b, const struct gen_moment *m)
{
    text_bytes(b, m->month, 3);
    buf_byte(b, ' ');
    text_bytes(b, m->day[0] == '0' ? " " : m->day, 1);
    buf_byte(b, m->day[1]);
    buf_byte(b, ' ');
    text_bytes(b, m->time, 8);
}

const struct gen_route *gen_route(uint8_t path)
{
    assert(path < GEN_PATHS);
    return &ROUTES[path];
}

void text_service(struct buf *b, const struct gen_flow *f)
{
    for (size_t i = 0; i < sizeof(SERVICE_NAMES) / sizeof(SERVICE_NAMES[0]); i++) {
        if (SERVICE_NAMES[i].port == f->server_port &&
            (SERVICE_NAMES[i].protocol == 0 || SERVICE_NAMES[i].protocol == f->protocol)) {
            text_string(b, SERVICE_NAMES[i].name);
            return;
        }
    }
    if (f->protocol == 1) {
        TEXT(b, "PING");
        return;
    }
    if (f->protocol == 6)
        TEXT(b, "tcp/");
    else
        TEXT(b, "udp/");
    text_decimal(b, f->server_port);
}

void text_path(struct buf *b, const struct gen_flow *f, const struct gen_dest *d)
{
    if (d->service) {
        const char *path = SERVICE_PATH[d->number];
        text_string(b, path == NULL ? "/" : path);
        return;
    }
    if (d->number >= GEN_DEST_PLANTED) {
        TEXT(b, "/gate/"); /* gen_case.c lists such URLs */
        text_hex(b, f->salt >> 48, 4);
        TEXT(b, ".php");
        return;
    }
    size_t kind = f->salt % RESOURCES;
    text_string(b, RESOURCE[kind].folder);
    if (kind > 1)
        text_hex(b, f->salt >> 40, 6);
    text_string(b, RESOURCE[kind].suffix);
}

void text_url(struct buf *b, const struct gen_flow *f, const struct gen_dest *d)
{
    if (f->tls)
        TEXT(b, "https://");
    else
        TEXT(b, "http://");
    text_bytes(b, d->name, d->name_len);
    text_path(b, f, d);
}

void text_user(struct buf *b, const struct gen_world *w, const struct gen_flow *f)
{
    if (f->host != GEN_HOST_NONE)
        gen_name_user(b, w->tenants[f->tenant].code, f->host);
}

const char *gen_agent(const struct gen_flow *f, const struct gen_dest *d)
{
    if (d->service && SERVICE_AGENT[d->number] != NULL)
        return SERVICE_AGENT[d->number];
    return AGENT[f->agent % 16 % AGENTS];
}

const char *gen_mime(const struct gen_flow *f)
{
    return RESOURCE[f->salt % RESOURCES].mime;
}

uint32_t gen_country_of(struct gen_address a)
{
    /* Whole /24s (/51s of IPv6), half of them in Japan, as the traffic of a municipality is. */
    uint32_t block = a.v6 ? a.value >> 13 : a.value >> 8;
    if (!a.v6 && (a.value & UINT32_C(0xFFFE0000)) != GEN_DEST_BASE)
        return block == GEN_ATTACK_BASE >> 8 ? 15 : 0;
    uint32_t draw = (uint32_t)(gen_mix(block, a.v6 ? 61 : 41) >> 40) % 1000;
    if (draw < 480)
        return 0;
    if (draw < 800)
        return 1;
    return 2 + (draw - 800) * (GEN_COUNTRIES - 2) / 200;
}

const struct gen_country *gen_country(uint32_t row)
{
    assert(row < GEN_COUNTRIES);
    return &COUNTRY[row];
}

uint32_t gen_system_of(struct gen_address a)
{
    return (uint32_t)(gen_mix(a.v6 ? a.value >> 13 : a.value >> 10, a.v6 ? 62 : 42) >> 40) %
           GEN_AUTONOMOUS_SYSTEMS;
}

uint32_t gen_system_number(uint32_t row)
{
    /* 64496..64511 and 65536..65551 are set aside for documentation. */
    return row < 15 ? 64496 + row : 65536 + row - 15;
}

const char *gen_system_name(uint32_t row)
{
    static const char *const NAMES[6] = {"Example Backbone", "Example Cloud",  "Example Hosting",
                                         "Example Mobile",   "Example Access", "Example Exchange"};
    return NAMES[row % 6];
}
