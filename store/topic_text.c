#include "store/topic_text.h"

static bool topic_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

void topic_print(struct buf *out, struct slice topic)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (size_t i = 0; i < topic.len; i++) {
        unsigned char c = (unsigned char)topic.data[i];
        if (topic_plain(topic.data[i])) {
            buf_byte(out, topic.data[i]);
            continue;
        }
        buf_byte(out, '%');
        buf_byte(out, DIGITS[c >> 4]);
        buf_byte(out, DIGITS[c & 15]);
    }
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool topic_read(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            if (text.len - i < 3)
                return false;
            int high = digit_value(text.data[i + 1]);
            int low = digit_value(text.data[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            if (topic_plain(c))
                return false;
            i += 2;
        } else if (!topic_plain(c)) {
            return false;
        }
        buf_byte(out, c);
    }
    return out->len != 0 && out->len <= TREE_TOPIC_BYTES_MAX;
}
