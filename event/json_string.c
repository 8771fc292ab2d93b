#include "event/ndjson.h"

/* Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), 0 when there is none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
    unsigned char first = p[0];
    if (first < 0x80)
        return 1;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < len)
        return 0;
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

static void escape(struct buf *out, unsigned char c)
{
    static const char HEX[] = "0123456789abcdef";
    static const char SHORT[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    buf_byte(out, '\\');
    if (c == '"' || c == '\\') {
        buf_byte(out, (char)c);
    } else if (c < 32 && SHORT[c] != '\0') {
        buf_byte(out, SHORT[c]);
    } else {
        char unicode[5] = {'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
        buf_append(out, unicode, sizeof(unicode));
    }
}

void ndjson_string(struct buf *out, struct slice text)
{
    const unsigned char *p = (const void *)text.data;
    size_t left = text.len;
    buf_byte(out, '"');
    while (left != 0) {
        size_t plain = 0;
        while (plain < left && p[plain] >= 32 && p[plain] < 127 && p[plain] != '"' &&
               p[plain] != '\\')
            plain++;
        buf_append(out, p, plain);
        p += plain;
        left -= plain;
        if (left == 0)
            break;
        size_t len = utf8_len(p, left);
        if (len > 1) {
            buf_append(out, p, len);
        } else if (len == 0) {
            buf_append(out, "\xef\xbf\xbd", 3);
            len = 1;
        } else {
            escape(out, *p);
        }
        p += len;
        left -= len;
    }
    buf_byte(out, '"');
}
