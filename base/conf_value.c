#include <arpa/inet.h>

#include "base/clock.h"
#include "base/conf_schema.h"
#include "base/err.h"
#include "base/escape.h"

enum {
    CONF_SHOWN_BYTES_MAX = 80, /* of a value in a message */
    CONF_CHOICES_MAX = 64,
};

struct conf_unit {
    struct slice name;
    int64_t factor;
};

/* Largest first, so that the first that divides a number is the shortest way to write it. */
static const struct conf_unit SIZE_UNITS[] = {
    {{"TiB", 3}, INT64_C(1) << 40},
    {{"TB", 2}, INT64_C(1000000000000)},
    {{"GiB", 3}, INT64_C(1) << 30},
    {{"GB", 2}, INT64_C(1000000000)},
    {{"MiB", 3}, INT64_C(1) << 20},
    {{"MB", 2}, INT64_C(1000000)},
    {{"KiB", 3}, INT64_C(1) << 10},
    {{"KB", 2}, INT64_C(1000)},
    {{"B", 1}, 1},
    {{"", 0}, 1},
};

static const struct conf_unit DURATION_UNITS[] = {
    {{"d", 1}, INT64_C(24) * 60 * CLOCK_NS_PER_MINUTE},
    {{"h", 1}, 60 * CLOCK_NS_PER_MINUTE},
    {{"m", 1}, CLOCK_NS_PER_MINUTE},
    {{"s", 1}, CLOCK_NS_PER_SECOND},
    {{"ms", 2}, 1000000},
    {{"us", 2}, 1000},
    {{"ns", 2}, 1},
};

static const char *const TYPE_NAMES[] = {
    [CONF_SECTION] = "section",    [CONF_STRING] = "string",     [CONF_INT] = "integer",
    [CONF_BOOL] = "true or false", [CONF_DURATION] = "duration", [CONF_SIZE] = "size in bytes",
    [CONF_ENUM] = "one of",        [CONF_PATH] = "path",         [CONF_ZONE] = "zone offset",
    [CONF_CIDR] = "network",
};

/* Decimal digits at the start of the text; returns their count, 0 when they do not fit 64 bits. */
static size_t read_digits(int64_t *out, struct slice text)
{
    int64_t value = 0;
    size_t at = 0;
    for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[at] - '0', &value))
            return 0;
    }
    *out = value;
    return at;
}

int conf_parse_size(int64_t *out, struct slice text)
{
    int64_t number = 0;
    size_t digits = read_digits(&number, text);
    struct slice unit = slice_from_offset(text, digits);
    if (digits == 0)
        return ERR_FORMAT;
    if (unit.len > 1 && unit.data[0] == ' ')
        unit = slice_from_offset(unit, 1);
    for (size_t i = 0; i < sizeof(SIZE_UNITS) / sizeof(SIZE_UNITS[0]); i++) {
        if (!slice_equal(unit, SIZE_UNITS[i].name))
            continue;
        if (__builtin_mul_overflow(number, SIZE_UNITS[i].factor, &number))
            return ERR_RANGE;
        *out = number;
        return 0;
    }
    return ERR_FORMAT;
}

static int parse_int(int64_t *out, struct slice text)
{
    int64_t number = 0;
    bool negative = text.len != 0 && text.data[0] == '-';
    struct slice digits = slice_from_offset(text, negative ? 1 : 0);
    if (digits.len == 0 || read_digits(&number, digits) != digits.len)
        return ERR_FORMAT;
    *out = negative ? -number : number;
    return 0;
}

static int parse_bool(int64_t *out, struct slice text)
{
    static const char *const WORDS[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_equal(text, slice_from(WORDS[i]))) {
            *out = (int64_t)(i & 1);
            return 0;
        }
    }
    return ERR_FORMAT;
}

/* Whether bits of the address behind the prefix are set. */
static bool host_bits(const uint8_t *address, size_t bytes, int64_t prefix)
{
    for (size_t i = 0; i < bytes; i++) {
        int64_t kept = prefix - (int64_t)i * 8;
        unsigned mask = kept >= 8 ? 0U : kept <= 0 ? 0xffU : 0xffU >> kept;
        if ((address[i] & mask) != 0)
            return true;
    }
    return false;
}

static int parse_cidr(int64_t *out, struct slice text)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t address[16] = {0};
    const char *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
    size_t host_len = slash == NULL ? text.len : (size_t)(slash - text.data);
    if (host_len == 0 || host_len >= sizeof(host))
        return ERR_FORMAT;
    memcpy(host, text.data, host_len);
    host[host_len] = '\0';
    bool v6 = memchr(host, ':', host_len) != NULL;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, address) != 1)
        return ERR_FORMAT;
    size_t bytes = v6 ? 16 : 4;
    int64_t prefix = (int64_t)bytes * 8;
    if (slash != NULL) {
        struct slice digits = slice_from_offset(text, host_len + 1);
        if (digits.len == 0 || digits.len > 3 || read_digits(&prefix, digits) != digits.len ||
            prefix > (int64_t)bytes * 8)
            return ERR_FORMAT;
    }
    if (host_bits(address, bytes, prefix))
        return ERR_RANGE;
    *out = prefix;
    return 0;
}

static size_t choice_count(const struct conf_key *row)
{
    size_t count = 0;
    while (count < CONF_CHOICES_MAX && row->choices[count] != NULL)
        count++;
    return count;
}

static int parse_enum(int64_t *out, const struct conf_key *row, struct slice text)
{
    for (size_t i = 0; i < choice_count(row); i++) {
        if (slice_equal(text, slice_from(row->choices[i]))) {
            *out = (int64_t)i;
            return 0;
        }
    }
    return ERR_FORMAT;
}

/* ERR_RANGE: well written but outside of what is allowed. */
static int parse_typed(int64_t *out, const struct conf_key *row, struct slice text)
{
    int32_t minutes = 0;
    int err = 0;
    switch (row->type) {
    case CONF_STRING:
        *out = (int64_t)text.len;
        return 0;
    case CONF_PATH:
        *out = (int64_t)text.len;
        return text.len == 0 ? ERR_FORMAT : 0;
    case CONF_INT:
        return parse_int(out, text);
    case CONF_BOOL:
        return parse_bool(out, text);
    case CONF_DURATION:
        return clock_parse_duration(out, text);
    case CONF_SIZE:
        return conf_parse_size(out, text);
    case CONF_ENUM:
        return parse_enum(out, row, text);
    case CONF_ZONE:
        err = clock_parse_zone(&minutes, text);
        *out = minutes;
        return err;
    case CONF_CIDR:
        return parse_cidr(out, text);
    case CONF_SECTION:
    default:
        return ERR_FORMAT;
    }
}

static bool type_ranged(enum conf_type type)
{
    return type == CONF_INT || type == CONF_DURATION || type == CONF_SIZE || type == CONF_STRING;
}

/* What to write instead. */
static void put_remedy(struct buf *why, const struct conf_key *row, struct slice text)
{
    const char *near = NULL;
    switch (row->type) {
    case CONF_DURATION:
        buf_text(why, "write a number with ms, s, m, h or d, such as 10s");
        break;
    case CONF_SIZE:
        buf_text(why, "write bytes, or a number with KiB, MiB, GiB, KB, MB or GB, such as 64MiB");
        break;
    case CONF_ZONE:
        buf_text(why, "write hours and minutes east of UTC in quotes, such as \"+09:00\"");
        break;
    case CONF_CIDR:
        buf_text(why, "write an address and a prefix length, such as 192.0.2.0/24");
        break;
    case CONF_ENUM:
        near = diag_suggest(text, row->choices, choice_count(row));
        if (near != NULL)
            buf_printf(why, "did you mean %s? ", near);
        buf_text(why, "it is ");
        conf_value_describe(why, row);
        break;
    case CONF_SECTION:
    case CONF_STRING:
    case CONF_INT:
    case CONF_BOOL:
    case CONF_PATH:
    default:
        buf_text(why, "write ");
        conf_value_describe(why, row);
        break;
    }
}

int conf_value_parse(int64_t *out, const struct conf_key *row, struct slice text, struct buf *why)
{
    int64_t number = 0;
    bool nul = text.len != 0 && memchr(text.data, '\0', text.len) != NULL;
    int err = nul ? ERR_FORMAT : parse_typed(&number, row, text);
    if (err == 0 && type_ranged(row->type) && row->min < row->max &&
        (number < row->min || number > row->max))
        err = ERR_RANGE;
    if (err == 0) {
        *out = number;
        return 0;
    }
    escape_quoted(why, text, CONF_SHOWN_BYTES_MAX);
    if (nul) {
        buf_text(why, " holds a NUL character; leave it out");
    } else if (err == ERR_RANGE && row->type == CONF_CIDR) {
        buf_text(why, " has bits set behind its prefix; clear them or write a longer prefix");
    } else if (err == ERR_RANGE) {
        buf_text(why, " is out of range; allowed is ");
        conf_value_describe(why, row);
    } else {
        buf_printf(why, " is not a valid %s; ",
                   row->type == CONF_ENUM ? "choice" : TYPE_NAMES[row->type]);
        put_remedy(why, row, text);
    }
    return ERR_CONF;
}

void conf_value_print(struct buf *out, enum conf_type type, int64_t number)
{
    const struct conf_unit *units = type == CONF_SIZE ? SIZE_UNITS : DURATION_UNITS;
    size_t count = type == CONF_SIZE ? sizeof(SIZE_UNITS) / sizeof(SIZE_UNITS[0])
                                     : sizeof(DURATION_UNITS) / sizeof(DURATION_UNITS[0]);
    size_t i = 0;
    if (type != CONF_SIZE && type != CONF_DURATION) {
        buf_decimal(out, number);
        return;
    }
    while (i + 1 < count && (number == 0 || number % units[i].factor != 0))
        i++;
    buf_decimal(out, number / units[i].factor);
    if (number != 0) {
        buf_slice(out, units[i].name);
    } else if (type == CONF_DURATION) {
        buf_byte(out, 's');
    }
}

void conf_value_describe(struct buf *out, const struct conf_key *row)
{
    buf_text(out, TYPE_NAMES[row->type]);
    if (row->type == CONF_ENUM) {
        for (size_t i = 0; i < choice_count(row); i++)
            buf_printf(out, "%s %s", i == 0 ? "" : ",", row->choices[i]);
        return;
    }
    if (!type_ranged(row->type) || row->min >= row->max)
        return;
    buf_text(out, row->type == CONF_STRING ? " of " : " from ");
    conf_value_print(out, row->type, row->min);
    buf_text(out, " to ");
    conf_value_print(out, row->type, row->max);
    if (row->type == CONF_STRING) {
        buf_text(out, " bytes");
    } else if (row->unit != NULL) {
        buf_printf(out, " %s", row->unit);
    }
}
