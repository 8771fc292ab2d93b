#include "app/text_encoding.h"

#include "base/escape.h"

const char *text_encoding_name(enum text_encoding encoding)
{
    static const char *const NAMES[TEXT_ENCODINGS] = {
        [TEXT_ASCII] = "ASCII",   [TEXT_UTF8] = "UTF-8",    [TEXT_CP932] = "CP932",
        [TEXT_EUC_JP] = "EUC-JP", [TEXT_EITHER] = "either", [TEXT_BROKEN] = "broken",
    };
    return NAMES[encoding];
}

static bool in(unsigned char byte, unsigned char first, unsigned char last)
{
    return byte >= first && byte <= last;
}

/* Byte `at`, or 0 behind the end, which is part of no character. */
static unsigned char byte_at(struct slice s, size_t at)
{
    return at < s.len ? (unsigned char)s.data[at] : 0;
}

/* The length of the character at the start of s in each encoding; 0: it is none. */
static size_t utf8_len(struct slice s)
{
    uint32_t code = 0;
    return escape_utf8(&code, s);
}

static size_t cp932_len(struct slice s)
{
    unsigned char lead = byte_at(s, 0);
    unsigned char trail = byte_at(s, 1);
    if (lead < 0x80 || in(lead, 0xA1, 0xDF))
        return 1;
    if (!in(lead, 0x81, 0x9F) && !in(lead, 0xE0, 0xFC))
        return 0;
    return in(trail, 0x40, 0x7E) || in(trail, 0x80, 0xFC) ? 2 : 0;
}

static size_t euc_len(struct slice s)
{
    unsigned char lead = byte_at(s, 0);
    unsigned char next = byte_at(s, 1);
    if (lead < 0x80)
        return 1;
    if (lead == 0x8E)
        return in(next, 0xA1, 0xDF) ? 2 : 0;
    if (lead == 0x8F)
        return in(next, 0xA1, 0xFE) && in(byte_at(s, 2), 0xA1, 0xFE) ? 3 : 0;
    return in(lead, 0xA1, 0xFE) && in(next, 0xA1, 0xFE) ? 2 : 0;
}

static bool is_whole(struct slice line, size_t (*character)(struct slice s))
{
    while (line.len != 0) {
        size_t len = character(line);
        if (len == 0)
            return false;
        line = slice_from_offset(line, len);
    }
    return true;
}

enum text_encoding text_encoding_of(struct slice line)
{
    size_t at = 0;
    while (at < line.len && byte_at(line, at) < 0x80)
        at++;
    line = slice_from_offset(line, at);
    if (line.len == 0)
        return TEXT_ASCII;
    if (is_whole(line, utf8_len))
        return TEXT_UTF8;
    bool cp932 = is_whole(line, cp932_len);
    bool euc = is_whole(line, euc_len);
    if (cp932 && euc)
        return TEXT_EITHER;
    if (cp932)
        return TEXT_CP932;
    return euc ? TEXT_EUC_JP : TEXT_BROKEN;
}

void text_encoding_count(struct text_encodings *all, struct slice line, uint64_t number)
{
    enum text_encoding encoding = text_encoding_of(line);
    if (all->lines[encoding]++ == 0)
        all->first[encoding] = number;
}

void text_encoding_settle(struct text_encodings *all)
{
    bool cp932 = all->lines[TEXT_CP932] != 0 && all->lines[TEXT_EUC_JP] == 0;
    enum text_encoding to = cp932 ? TEXT_CP932 : TEXT_EUC_JP;
    if (all->lines[TEXT_EITHER] == 0)
        return;
    if (all->first[to] == 0 || all->first[to] > all->first[TEXT_EITHER])
        all->first[to] = all->first[TEXT_EITHER];
    all->lines[to] += all->lines[TEXT_EITHER];
    all->lines[TEXT_EITHER] = 0;
    all->first[TEXT_EITHER] = 0;
}

enum text_encoding text_encoding_most(const struct text_encodings *all)
{
    enum text_encoding most = TEXT_ASCII;
    uint64_t lines = 0;
    for (unsigned i = TEXT_UTF8; i < TEXT_ENCODINGS; i++) {
        if (all->lines[i] <= lines)
            continue;
        lines = all->lines[i];
        most = (enum text_encoding)i;
    }
    return most;
}
