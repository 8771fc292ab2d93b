#include "detect/indicator_key.h"

#include <assert.h>

enum {
    V4_BYTES = 4,
    V6_BYTES = 16,
    V4_PREFIX_BITS = 96,
};

static const char *const NOT_ADDRESS = "no address";
static const char *const RESERVED =
    "a private or reserved address would match at home; take it out";

/* The text without the disguises that keep people from clicking on it, padded. */
struct plain {
    size_t len;
    char data[INDICATOR_KEY_BYTES_MAX + SLICE_PADDING_BYTES];
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool starts_nocase(struct slice text, struct slice prefix)
{
    if (text.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (lower(text.data[i]) != prefix.data[i])
            return false;
    }
    return true;
}

/* Disguises, and what they stand for. */
struct disguise {
    struct slice written;
    const char *meant;
};

static const struct disguise *find_disguise(struct slice rest, const struct disguise *list,
                                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (starts_nocase(rest, list[i].written))
            return &list[i];
    }
    return NULL;
}

#define DISGUISE(written_, meant_)                                  \
    {                                                               \
        {.data = (written_), .len = sizeof(written_) - 1}, (meant_) \
    }

static const struct disguise ANYWHERE[] = {
    DISGUISE("[.]", "."),   DISGUISE("(.)", "."),   DISGUISE("{.}", "."), DISGUISE("[dot]", "."),
    DISGUISE("(dot)", "."), DISGUISE("{dot}", "."), DISGUISE("[:]", ":"), DISGUISE("[://]", "://"),
    DISGUISE("[/]", "/"),   DISGUISE("\\.", "."),
};
static const struct disguise IN_FRONT[] = {
    DISGUISE("hxxps", "https"), DISGUISE("hxxp", "http"), DISGUISE("h**ps", "https"),
    DISGUISE("h**p", "http"),   DISGUISE("fxp", "ftp"),
};

enum {
    ANYWHERE_COUNT = sizeof(ANYWHERE) / sizeof(ANYWHERE[0]),
    IN_FRONT_COUNT = sizeof(IN_FRONT) / sizeof(IN_FRONT[0]),
};

/* Whether a disguise of ANYWHERE can begin with it. */
static bool may_disguise(char c)
{
    return c == '[' || c == '(' || c == '{' || c == '\\';
}

static void put(struct plain *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out->data + out->len, text, len);
    out->len += len;
}

/* Undo disguises of scheme, host and port; what comes after the path's '/' stays. */
static bool undo_disguise(struct plain *out, struct slice text)
{
    size_t at = 0;
    out->len = 0;
    if (text.len > INDICATOR_KEY_BYTES_MAX)
        return false;
    const struct disguise *scheme = find_disguise(text, IN_FRONT, IN_FRONT_COUNT);
    if (scheme != NULL) {
        struct slice behind = slice_from_offset(text, scheme->written.len);
        if (slice_starts(behind, SLICE(":")) || slice_starts(behind, SLICE("[:"))) {
            put(out, scheme->meant);
            at = scheme->written.len;
        }
    }
    while (at < text.len) {
        struct slice rest = slice_from_offset(text, at);
        const struct disguise *found = NULL;
        if (may_disguise(text.data[at]))
            found = find_disguise(rest, ANYWHERE, ANYWHERE_COUNT);
        if (found != NULL) {
            put(out, found->meant); /* never longer than what was written */
            at += found->written.len;
            continue;
        }
        bool after_scheme =
            out->len > 0 && (out->data[out->len - 1] == ':' || out->data[out->len - 1] == '/');
        if (text.data[at] == '/' && !after_scheme && !slice_starts(rest, SLICE("//")))
            break;
        out->data[out->len++] = text.data[at++];
    }
    memcpy(out->data + out->len, text.data + at, text.len - at);
    out->len += text.len - at;
    memset(out->data + out->len, 0, SLICE_PADDING_BYTES);
    return true;
}

size_t indicator_address_key(char out[16], const struct ip *ip)
{
    size_t len = ip_is_v4(ip) ? V4_BYTES : V6_BYTES;
    memcpy(out, ip->bytes + (V6_BYTES - len), len);
    return len;
}

size_t indicator_address_port_key(char out[18], const struct ip *ip, uint16_t port)
{
    size_t len = indicator_address_key(out, ip);
    out[len] = (char)(port >> 8);
    out[len + 1] = (char)(port & 0xff);
    return len + 2;
}

static struct ip key_ip(const char *bytes, size_t len)
{
    struct ip ip = {0};
    if (len == V4_BYTES)
        ip = ip_from_v4(0);
    memcpy(ip.bytes + (V6_BYTES - len), bytes, len);
    return ip;
}

struct network indicator_key_network(struct slice key)
{
    assert(key.len == V4_BYTES + 1 || key.len == V6_BYTES + 1);
    unsigned base = key.len == V4_BYTES + 1 ? V4_PREFIX_BITS : 0;
    return (struct network){
        .ip = key_ip(key.data, key.len - 1),
        .prefix_bits = (uint8_t)(base + (unsigned char)key.data[key.len - 1]),
    };
}

/* Networks whose addresses a list must not name, in the form of network_parse(). */
static const struct network RESERVED_NETWORKS[] = {
    {{.bytes = {[10] = 0xff, 0xff, 0}}, 104},        /* 0.0.0.0/8 */
    {{.bytes = {[10] = 0xff, 0xff, 10}}, 104},       /* 10.0.0.0/8 */
    {{.bytes = {[10] = 0xff, 0xff, 100, 64}}, 106},  /* 100.64.0.0/10 */
    {{.bytes = {[10] = 0xff, 0xff, 127}}, 104},      /* 127.0.0.0/8 */
    {{.bytes = {[10] = 0xff, 0xff, 169, 254}}, 112}, /* 169.254.0.0/16 */
    {{.bytes = {[10] = 0xff, 0xff, 172, 16}}, 108},  /* 172.16.0.0/12 */
    {{.bytes = {[10] = 0xff, 0xff, 192, 168}}, 112}, /* 192.168.0.0/16 */
    {{.bytes = {[10] = 0xff, 0xff, 224}}, 99},       /* 224.0.0.0/3: multicast and above */
    {{.bytes = {0}}, 80},                            /* ::, ::1, IPv4-compatible */
    {{.bytes = {0xfc}}, 7},                          /* fc00::/7 */
    {{.bytes = {0xfe, 0x80}}, 9},                    /* fe80::/9: link and site local */
    {{.bytes = {0xff}}, 8},                          /* multicast */
};

enum {
    RESERVED_COUNT = sizeof(RESERVED_NETWORKS) / sizeof(RESERVED_NETWORKS[0]),
};

static bool is_v4_network(const struct network *net)
{
    return net->prefix_bits >= V4_PREFIX_BITS && ip_is_v4(&net->ip);
}

static const char *check_network(const struct network *net)
{
    bool v4 = is_v4_network(net);
    unsigned least = v4 ? V4_PREFIX_BITS + INDICATOR_PREFIX4_BITS_MIN : INDICATOR_PREFIX6_BITS_MIN;
    if (net->prefix_bits < least)
        return v4 ? "a network wider than /8 would match everywhere; name smaller ones"
                  : "a network wider than /16 would match everywhere; name smaller ones";
    for (size_t i = 0; i < RESERVED_COUNT; i++) {
        const struct network *reserved = &RESERVED_NETWORKS[i];
        if (is_v4_network(reserved) != v4)
            continue;
        if (net->prefix_bits >= reserved->prefix_bits && network_holds(reserved, &net->ip))
            return RESERVED;
        if (net->prefix_bits < reserved->prefix_bits && network_holds(net, &reserved->ip))
            return "a network that holds private or reserved addresses; name smaller ones";
    }
    return NULL;
}

static const char *put_network(struct indicator_key *out, const struct network *net, uint16_t port)
{
    const char *why = check_network(net);
    if (why != NULL)
        return why;
    bool whole = net->prefix_bits == 128;
    if (port != 0 && !whole)
        return "a network with a port; leave the port out";
    if (port != 0) {
        out->kind = INDICATOR_ADDRESS_PORT;
        out->len = indicator_address_port_key(out->bytes, &net->ip, port);
        return NULL;
    }
    out->kind = whole ? INDICATOR_ADDRESS : INDICATOR_NETWORK;
    out->len = V6_BYTES;
    if (is_v4_network(net))
        out->len = V4_BYTES;
    memcpy(out->bytes, net->ip.bytes + (V6_BYTES - out->len), out->len);
    if (!whole) {
        unsigned bits = net->prefix_bits - (out->len == V4_BYTES ? (unsigned)V4_PREFIX_BITS : 0U);
        out->bytes[out->len++] = (char)bits;
    }
    return NULL;
}

static const char *put_domain(struct indicator_key *out, struct slice name)
{
    while (slice_starts(name, SLICE("*.")))
        name = slice_from_offset(name, 2);
    if (slice_starts(name, SLICE(".")))
        name = slice_from_offset(name, 1);
    out->kind = INDICATOR_DOMAIN;
    out->len = hostname_normalize(out->bytes, name);
    if (out->len == 0)
        return "no host name: letters, digits, '-' and '_', labels of 1 to 63, 253 in all";
    struct slice text = slice_of(out->bytes, out->len);
    if (memchr(text.data, '.', text.len) == NULL)
        return "a name without a dot would match a whole top-level domain; name the domain";
    if (hostname_ends_in_number(text))
        return "no address and no host name: its last label is a number";
    return NULL;
}

/* Path and query behind what is there, or NULL and the reason. */
static const char *put_path(struct indicator_key *out, const struct indicator_url *url)
{
    static const char TOO_LONG[] = "a URL of more than 2,048 bytes";
    size_t cap = INDICATOR_URL_BYTES_MAX - out->len;
    if (url->path.len == 0) {
        if (cap == 0)
            return TOO_LONG;
        out->bytes[out->len++] = '/';
        cap--;
    }
    size_t len = indicator_escape(out->bytes + out->len, cap, url->path);
    if (len == SIZE_MAX)
        return TOO_LONG;
    out->len += len;
    if (url->query.len == 0)
        return NULL;
    if (len == cap)
        return TOO_LONG;
    out->bytes[out->len++] = '?';
    len = indicator_escape(out->bytes + out->len, cap - len - 1, url->query);
    if (len == SIZE_MAX)
        return TOO_LONG;
    out->len += len;
    return NULL;
}

/* The host of a URL as an address; false when it is a name. */
static bool url_address(struct network *out, struct slice host)
{
    char text[VALUE_IP_TEXT_MAX + SLICE_PADDING_BYTES] = {0};
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_of(host.data + 1, host.len - 2);
    if (host.len > VALUE_IP_TEXT_MAX)
        return false;
    memcpy(text, host.data, host.len);
    out->prefix_bits = 128;
    return ip_parse(slice_of(text, host.len), &out->ip) != VALUE_INVALID;
}

static const char *put_url(struct indicator_key *out, struct slice text)
{
    struct indicator_url url;
    struct network address;
    if (!indicator_url_split(&url, text))
        return "no URL: without a host, or its port is no number of 1 to 65535";
    bool bare = (url.path.len == 0 || slice_equal(url.path, SLICE("/"))) && url.query.len == 0;
    bool is_address = url_address(&address, url.host);
    const char *why = is_address ? check_network(&address) : put_domain(out, url.host);
    if (why != NULL)
        return why;
    if (bare && is_address)
        return put_network(out, &address, url.port);
    /* The name of a URL with a path stands for itself alone. */
    struct slice host = is_address ? url.host : slice_of(out->bytes, out->len);
    char authority[INDICATOR_AUTHORITY_BYTES_MAX];
    size_t len = indicator_authority(authority, host, url.port);
    if (len == 0)
        return "no host name";
    if (bare && memchr(authority, ':', len) == NULL)
        return NULL; /* a DOMAIN */
    memcpy(out->bytes, authority, len);
    out->len = len;
    out->kind = INDICATOR_URL;
    return bare ? NULL : put_path(out, &url);
}

static const char *put_any_host(struct indicator_key *out, struct slice text)
{
    struct indicator_url url = {.path = text};
    indicator_url_trim(&url);
    out->kind = INDICATOR_PATH;
    out->len = 0;
    const char *why = put_path(out, &url);
    if (why == NULL && out->len < INDICATOR_PATH_BYTES_MIN)
        return "a path of less than 5 bytes would match on too many hosts";
    return why;
}

static const char *put_address(struct indicator_key *out, struct slice text, uint16_t port)
{
    struct network net;
    if (network_parse(&net, text, NULL) != 0)
        return NOT_ADDRESS;
    return put_network(out, &net, port);
}

/* "address:port", or an address and the port of another column. */
static const char *put_address_port(struct indicator_key *out, struct slice text, uint16_t port)
{
    struct indicator_url url;
    struct network net;
    if (network_parse(&net, text, NULL) == 0)
        return port != 0 ? put_network(out, &net, port)
                         : "an address without a port; give the list the type address";
    if (!indicator_url_split(&url, text) || url.path.len != 0 || url.port == 0 ||
        !url_address(&net, url.host))
        return "no address:port, with a port of 1 to 65535";
    return put_network(out, &net, url.port);
}

/* By form; the reason is that of the form that the text has. */
static const char *put_by_form(struct indicator_key *out, struct slice text, uint16_t port)
{
    struct network net;
    if (network_parse(&net, text, NULL) == 0)
        return put_network(out, &net, port);
    if (text.data[0] == '/')
        return "a path alone matches on any host; if that is meant, give the list the type path";
    if (memchr(text.data, ' ', text.len) != NULL || memchr(text.data, '\t', text.len) != NULL)
        return "more than one word; put # before a remark, or give the list a type";
    if (memchr(text.data, '/', text.len) != NULL || memchr(text.data, ':', text.len) != NULL)
        return put_url(out, text);
    return put_domain(out, text);
}

static const char *put_agent(struct indicator_key *out, struct slice text)
{
    if (text.len < INDICATOR_AGENT_BYTES_MIN || text.len > INDICATOR_AGENT_BYTES_MAX)
        return "a user agent has 3 to 1,024 bytes";
    if (text.data[0] == '*' || text.data[text.len - 1] == '*')
        return "a whole user agent is compared, '*' is no wildcard; write a rule for parts of one";
    for (size_t i = 0; i < text.len; i++)
        out->bytes[i] = lower(text.data[i]);
    out->kind = INDICATOR_AGENT;
    out->len = text.len;
    return NULL;
}

const char *indicator_key_read(struct indicator_key *out, struct slice text,
                               enum indicator_type type, uint16_t port)
{
    struct plain plain;
    if (text.len == 0)
        return "empty";
    if (type == INDICATOR_TYPE_AGENT)
        return put_agent(out, text);
    if (!undo_disguise(&plain, text))
        return "more than 2,048 bytes";
    struct slice clean = slice_of(plain.data, plain.len);
    switch (type) {
    case INDICATOR_TYPE_ADDRESS:
    case INDICATOR_TYPE_NETWORK:
        return put_address(out, clean, 0);
    case INDICATOR_TYPE_ADDRESS_PORT:
        return put_address_port(out, clean, port);
    case INDICATOR_TYPE_DOMAIN:
        return put_domain(out, clean);
    case INDICATOR_TYPE_PATH:
        return clean.data[0] == '/' ? put_any_host(out, clean) : put_url(out, clean);
    case INDICATOR_TYPE_URL:
        return clean.data[0] == '/' ? put_by_form(out, clean, 0) : put_url(out, clean);
    case INDICATOR_TYPE_AUTO:
    case INDICATOR_TYPE_AGENT:
    case INDICATOR_TYPES:
    default:
        return put_by_form(out, clean, port);
    }
}

void indicator_key_print(struct buf *out, enum indicator_kind kind, struct slice key)
{
    if (kind == INDICATOR_ADDRESS) {
        struct ip ip = key_ip(key.data, key.len);
        ip_print(out, &ip);
    } else if (kind == INDICATOR_ADDRESS_PORT) {
        struct ip ip = key_ip(key.data, key.len - 2);
        bool v4 = ip_is_v4(&ip);
        buf_text(out, v4 ? "" : "[");
        ip_print(out, &ip);
        buf_text(out, v4 ? ":" : "]:");
        buf_decimal(out, (unsigned char)key.data[key.len - 2] << 8 |
                             (unsigned char)key.data[key.len - 1]);
    } else if (kind == INDICATOR_NETWORK) {
        struct network net = indicator_key_network(key);
        ip_print(out, &net.ip);
        buf_byte(out, '/');
        buf_decimal(out, (unsigned char)key.data[key.len - 1]);
    } else {
        buf_slice(out, key);
    }
}

const char *indicator_kind_name(enum indicator_kind kind)
{
    static const char *const NAMES[INDICATOR_KINDS] = {
        [INDICATOR_NONE] = "none",
        [INDICATOR_ADDRESS] = "address",
        [INDICATOR_ADDRESS_PORT] = "address_port",
        [INDICATOR_NETWORK] = "network",
        [INDICATOR_DOMAIN] = "domain",
        [INDICATOR_URL] = "url",
        [INDICATOR_PATH] = "path",
        [INDICATOR_AGENT] = "agent",
    };
    assert(kind < INDICATOR_KINDS);
    return NAMES[kind];
}
