#include "app/text_encoding.h"

#include "base/charset.h"

const char *text_encoding_name(enum text_encoding encoding)
{
    static const char *const NAMES[TEXT_ENCODINGS] = {
        [TEXT_ASCII] = "ASCII",   [TEXT_UTF8] = "UTF-8",    [TEXT_CP932] = "CP932",
        [TEXT_EUC_JP] = "EUC-JP", [TEXT_EITHER] = "either", [TEXT_BROKEN] = "broken",
    };
    return NAMES[encoding];
}

static bool is_whole(struct slice line, enum charset charset)
{
    while (line.len != 0) {
        uint32_t point = 0;
        size_t len = charset_next(&point, line, charset);
        if (len == 0)
            return false;
        line = slice_from_offset(line, len);
    }
    return true;
}

enum text_encoding text_encoding_of(struct slice line)
{
    if (charset_is_ascii(line))
        return TEXT_ASCII;
    if (is_whole(line, CHARSET_UTF8))
        return TEXT_UTF8;
    bool cp932 = is_whole(line, CHARSET_CP932);
    bool euc = is_whole(line, CHARSET_EUC_JP);
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
