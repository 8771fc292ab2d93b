#include "ingest/tenant.h"

#include <stdbool.h>

#include "base/err.h"

static bool is_source_name(struct slice name)
{
    if (name.len == 0 || name.len > TENANT_SOURCE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
            return false;
    }
    return true;
}

/*
 * The check digit of the first five digits: weights 6 5 4 3 2; from 11 up the sum counts modulo 11;
 * what is missing to 11, its last decimal digit (Ministry of Internal Affairs, code specification).
 */
static uint32_t check_digit(const uint32_t digits[TENANT_CODE_DIGITS])
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < TENANT_CODE_DIGITS - 1; i++)
        sum += (TENANT_CODE_DIGITS - i) * digits[i];
    return (sum < 11 ? 11 - sum : 11 - sum % 11) % 10;
}

int tenant_code_parse(uint32_t *out, struct slice text)
{
    uint32_t digits[TENANT_CODE_DIGITS];
    uint32_t code = 0;
    if (text.len != TENANT_CODE_DIGITS)
        return ERR_FORMAT;
    for (uint32_t i = 0; i < TENANT_CODE_DIGITS; i++) {
        digits[i] = (uint32_t)(unsigned char)text.data[i] - '0';
        if (digits[i] > 9)
            return ERR_FORMAT;
        code = code * 10 + digits[i];
    }
    if (check_digit(digits) != digits[TENANT_CODE_DIGITS - 1])
        return ERR_RANGE;
    *out = code;
    return 0;
}

int tenant_topic_parse(struct slice topic, uint32_t *tenant, struct slice *source)
{
    const struct slice prefix = SLICE("seclog.raw.");
    if (!slice_starts(topic, prefix) || topic.len <= prefix.len + TENANT_CODE_DIGITS + 1 ||
        topic.data[prefix.len + TENANT_CODE_DIGITS] != '.')
        return ERR_FORMAT;
    struct slice name = slice_from_offset(topic, prefix.len + TENANT_CODE_DIGITS + 1);
    if (!is_source_name(name))
        return ERR_FORMAT;
    int err = tenant_code_parse(tenant, slice_of(topic.data + prefix.len, TENANT_CODE_DIGITS));
    if (err != 0)
        return err;
    *source = name;
    return 0;
}

/* Whether the source's name begins with the format's, '_' written '-'. */
static bool begins_with_format(struct slice source, struct slice format)
{
    if (source.len < format.len)
        return false;
    for (size_t i = 0; i < format.len; i++) {
        bool same = source.data[i] == format.data[i];
        bool written = format.data[i] == '_' && source.data[i] == '-';
        if (!same && !written)
            return false;
    }
    return true;
}

enum format tenant_source_format(struct slice source)
{
    enum format best = FORMAT_AUTO;
    size_t best_len = 0;
    const struct parser *parser = NULL;
    for (size_t i = 0; (parser = parser_at(i)) != NULL; i++) {
        struct slice name = slice_from(parser->name);
        if (name.len <= best_len || !begins_with_format(source, name))
            continue;
        best = (enum format)parser->format;
        best_len = name.len;
    }
    return best;
}
