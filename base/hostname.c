#include "base/hostname.h"

#include "base/punycode.h"

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Write a label in lower case, as an A-label when it is not ASCII; its length, or 0. */
static size_t write_label(char *out, size_t cap, struct slice label)
{
    bool ascii = true;
    for (size_t i = 0; i < label.len; i++)
        ascii = ascii && (unsigned char)label.data[i] < 0x80;
    if (!ascii)
        return punycode_label(out, cap, label);
    if (label.len > cap)
        return 0;
    for (size_t i = 0; i < label.len; i++) {
        out[i] = label.data[i];
        if (out[i] >= 'A' && out[i] <= 'Z')
            out[i] = (char)(out[i] + ('a' - 'A'));
    }
    return label.len;
}

/* Append a label; the length of the name so far, or 0 when it is none or does not fit. */
static size_t append_label(char *out, size_t at, struct slice label)
{
    size_t len = write_label(out + at, HOSTNAME_BYTES_MAX - at, label);
    if (len == 0 || len > HOSTNAME_LABEL_BYTES_MAX)
        return 0;
    for (size_t i = at; i < at + len; i++) {
        if (!is_label_byte(out[i]))
            return 0;
    }
    return at + len;
}

size_t hostname_normalize(char out[HOSTNAME_BYTES_MAX + 1], struct slice name)
{
    size_t at = 0;
    size_t from = 0;
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0)
        return 0;
    for (;;) {
        const char *start = name.data + from;
        const char *dot = memchr(start, '.', name.len - from);
        size_t len = dot == NULL ? name.len - from : (size_t)(dot - start);
        at = append_label(out, at, slice_of(start, len));
        if (at == 0)
            return 0;
        from += len + 1;
        if (from > name.len)
            break;
        if (at == HOSTNAME_BYTES_MAX)
            return 0;
        out[at++] = '.';
    }
    out[at] = '\0';
    return at;
}

bool hostname_ends_in_number(struct slice name)
{
    size_t at = name.len;
    while (at > 0 && name.data[at - 1] >= '0' && name.data[at - 1] <= '9')
        at--;
    return at < name.len && (at == 0 || name.data[at - 1] == '.');
}
