#include "detect/indicator_url.h"

#include "event/value.h"

enum {
    PORT_FTP = 21,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    PORT_DIGITS_MAX = 5,
    SCHEME_BYTES_MAX = 12,
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_ftp(struct slice scheme)
{
    return scheme.len == 3 && lower(scheme.data[0]) == 'f' && lower(scheme.data[1]) == 't' &&
           lower(scheme.data[2]) == 'p';
}

/* Bytes of "scheme:" before "//", or 0. */
static size_t scheme_length(struct slice text)
{
    size_t at = 0;
    while (at < text.len && at < SCHEME_BYTES_MAX &&
           ((lower(text.data[at]) >= 'a' && lower(text.data[at]) <= 'z') || text.data[at] == '+'))
        at++;
    bool is_scheme = at > 0 && text.len - at >= 3 && memcmp(text.data + at, "://", 3) == 0;
    return is_scheme ? at : 0;
}

static bool read_port(uint16_t *out, struct slice digits)
{
    uint32_t port = 0;
    if (digits.len == 0 || digits.len > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(digits.data[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* "host", "host:port", "[v6]", "[v6]:port", each perhaps behind "user@". */
static bool split_authority(struct indicator_url *out, struct slice text)
{
    const char *at = text.len == 0 ? NULL : memrchr(text.data, '@', text.len);
    if (at != NULL)
        text = slice_from_offset(text, (size_t)(at - text.data) + 1);
    if (text.len == 0)
        return false;
    size_t host = 0;
    if (text.data[0] == '[') {
        const char *close = memchr(text.data, ']', text.len);
        if (close == NULL)
            return false;
        host = (size_t)(close - text.data) + 1;
    } else {
        const char *colon = memchr(text.data, ':', text.len);
        host = colon == NULL ? text.len : (size_t)(colon - text.data);
    }
    out->host = slice_of(text.data, host);
    out->port = 0;
    if (host == text.len)
        return host != 0;
    if (host == 0 || text.data[host] != ':')
        return false;
    struct slice port = slice_from_offset(text, host + 1);
    return port.len == 0 || read_port(&out->port, port); /* "host:" says no port */
}

bool indicator_url_split(struct indicator_url *out, struct slice text)
{
    struct indicator_url url = {0};
    size_t scheme = scheme_length(text);
    struct slice rest = scheme == 0 ? text : slice_from_offset(text, scheme + 3);
    size_t end = 0;
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?' &&
           rest.data[end] != '#')
        end++;
    if (!split_authority(&url, slice_of(rest.data, end)))
        return false;
    if (is_ftp(slice_of(text.data, scheme)) && url.port == PORT_FTP)
        url.port = 0;
    url.path = slice_from_offset(rest, end);
    indicator_url_trim(&url);
    *out = url;
    return true;
}

void indicator_url_trim(struct indicator_url *url)
{
    if (url->path.len == 0)
        return;
    const char *hash = memchr(url->path.data, '#', url->path.len);
    if (hash != NULL)
        url->path.len = (size_t)(hash - url->path.data);
    const char *mark = url->path.len == 0 ? NULL : memchr(url->path.data, '?', url->path.len);
    if (mark != NULL) {
        size_t at = (size_t)(mark - url->path.data);
        url->query = slice_from_offset(url->path, at + 1);
        url->path.len = at;
    }
}

/* An IPv6 address between brackets; its length, or 0. */
static size_t write_ip6(char *out, struct slice host)
{
    char text[VALUE_IP_TEXT_MAX + 1 + SLICE_PADDING_BYTES] = {0};
    struct ip ip;
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_of(host.data + 1, host.len - 2);
    if (host.len > VALUE_IP_TEXT_MAX)
        return 0;
    memcpy(text, host.data, host.len);
    if (ip_parse(slice_of(text, host.len), &ip) == VALUE_INVALID)
        return 0;
    struct buf b = {.data = text, .cap = VALUE_IP_TEXT_MAX, .limit = VALUE_IP_TEXT_MAX};
    ip_print(&b, &ip);
    if (!buf_ok(&b))
        return 0;
    if (ip_is_v4(&ip)) {
        memcpy(out, b.data, b.len);
        return b.len;
    }
    out[0] = '[';
    memcpy(out + 1, b.data, b.len);
    out[b.len + 1] = ']';
    return b.len + 2;
}

/*
 * Bytes at or over 0x80, or of an IPv6 address? The sums of these loops are bytes, so that compilers
 * make them sixteen at a time.
 */
static bool host_is_odd(struct slice host)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        odd = (unsigned char)(odd | (c >= 0x80) | (c == ':') | (c == '['));
    }
    return odd != 0;
}

static size_t write_host(char *out, struct slice host)
{
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    if (host.len == 0 || host.len > HOSTNAME_BYTES_MAX)
        return 0;
    if (host_is_odd(host)) {
        char name[HOSTNAME_BYTES_MAX + 1];
        size_t len = write_ip6(out, host);
        if (len != 0)
            return len;
        len = hostname_normalize(name, host);
        memcpy(out, name, len);
        return len;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        out[i] = (char)(c + (c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0));
    }
    return host.len;
}

size_t indicator_authority(char out[INDICATOR_AUTHORITY_BYTES_MAX], struct slice host,
                           uint16_t port)
{
    size_t len = write_host(out, host);
    if (len == 0 || port == 0 || port == PORT_HTTP || port == PORT_HTTPS)
        return len;
    char digits[PORT_DIGITS_MAX];
    size_t at = sizeof(digits);
    for (uint32_t rest = port; rest != 0; rest /= 10)
        digits[--at] = (char)('0' + rest % 10);
    out[len++] = ':';
    memcpy(out + len, digits + at, sizeof(digits) - at);
    return len + sizeof(digits) - at;
}

/* Whether indicator_escape() would copy it as it stands. */
static bool is_settled(struct slice text)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        odd = (unsigned char)(odd | ((unsigned char)(c - 0x21) > 0x7e - 0x21) | (c == '%'));
    }
    return odd == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Printable, and no delimiter of RFC 3986: its escape means the same. */
static bool needs_no_escape(unsigned c)
{
    static const char DELIMITERS[] = ":/?#[]@!$&'()*+,;=%";
    return c > 0x20 && c < 0x7f && memchr(DELIMITERS, (int)c, sizeof(DELIMITERS) - 1) == NULL;
}

static size_t put_escape(char *out, size_t at, unsigned byte)
{
    static const char HEX[] = "0123456789ABCDEF";
    out[at] = '%';
    out[at + 1] = HEX[byte >> 4];
    out[at + 2] = HEX[byte & 15];
    return at + 3;
}

size_t indicator_escape(char *out, size_t cap, struct slice text)
{
    if (is_settled(text)) {
        if (text.len > cap)
            return SIZE_MAX;
        if (text.len != 0)
            memcpy(out, text.data, text.len);
        return text.len;
    }
    size_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (cap - at < 3)
            return SIZE_MAX;
        unsigned c = (unsigned char)text.data[i];
        int high = c == '%' && text.len - i > 2 ? hex_digit(text.data[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
        if (low >= 0) {
            c = (unsigned)high << 4 | (unsigned)low;
            i += 2;
        }
        if (low >= 0 ? needs_no_escape(c) : c > 0x20 && c < 0x7f && c != '%')
            out[at++] = (char)c;
        else
            at = put_escape(out, at, c);
    }
    return at;
}
