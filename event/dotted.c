#include "event/dotted.h"

#include <assert.h>

enum {
    PART_BITS = 11, /* of a number of up to three digits: 10 + 100 + 1000 of them */
    TWO_DIGITS = 10,
    THREE_DIGITS = 110,
    PLACES = 3 * PART_BITS,
};

static_assert(THREE_DIGITS + 1000 <= 1 << PART_BITS, "a part has room for it");

/* Digits as a number that tells 7, 07 and 007 apart. */
static uint64_t part_of(const char *digits, size_t count)
{
    static const uint64_t FIRST[] = {0, TWO_DIGITS, THREE_DIGITS};
    uint64_t value = 0;
    assert(count >= 1 && count <= DOTTED_DIGITS);
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (uint64_t)(digits[i] - '0');
    return FIRST[count - 1] + value;
}

static uint64_t left_key(uint64_t first, uint64_t second, uint64_t third)
{
    return first << 2 * PART_BITS | second << PART_BITS | third;
}

static uint64_t right_key(uint64_t second, uint64_t third, uint64_t last)
{
    return UINT64_C(1) << PLACES | second << 2 * PART_BITS | third << PART_BITS | last;
}

/* Digits of the text from `at` on, but not more than `most`. */
static size_t digits_at(struct slice text, size_t at, size_t most)
{
    size_t count = 0;
    while (count < most && at + count < text.len &&
           (unsigned char)(text.data[at + count] - '0') < 10)
        count++;
    return count;
}

static size_t digits_before(struct slice text, size_t at)
{
    size_t count = 0;
    while (count < DOTTED_DIGITS && count < at &&
           (unsigned char)(text.data[at - count - 1] - '0') < 10)
        count++;
    return count;
}

/* A number and a dot at `at`: its digits, or 0. */
static size_t number_at(struct slice text, size_t at)
{
    size_t count = digits_at(text, at, DOTTED_DIGITS);
    return at + count < text.len && text.data[at + count] == '.' ? count : 0;
}

/* What stands around the dot at `dot`. */
static bool dotted_at(struct slice text, size_t dot, struct dotted *out)
{
    size_t second = number_at(text, dot + 1);
    if (second == 0)
        return false;
    size_t third_at = dot + 1 + second + 1;
    size_t third = number_at(text, third_at);
    if (third == 0)
        return false;
    size_t last_at = third_at + third + 1;
    uint64_t b = part_of(text.data + dot + 1, second);
    uint64_t c = part_of(text.data + third_at, third);
    out->left_count = (uint32_t)digits_before(text, dot);
    out->right_count = (uint32_t)digits_at(text, last_at, DOTTED_DIGITS);
    for (size_t i = 0; i < out->left_count; i++)
        out->left[i] = left_key(part_of(text.data + dot - i - 1, i + 1), b, c);
    for (size_t i = 0; i < out->right_count; i++)
        out->right[i] = right_key(b, c, part_of(text.data + last_at, i + 1));
    return out->left_count + out->right_count != 0;
}

bool dotted_next(struct slice text, size_t *at, struct dotted *out)
{
    while (*at < text.len) {
        const char *dot = memchr(text.data + *at, '.', text.len - *at);
        if (dot == NULL)
            break;
        *at = (size_t)(dot - text.data) + 1;
        if (dotted_at(text, *at - 1, out))
            return true;
    }
    *at = text.len;
    return false;
}

/* A whole number below 256. */
static uint64_t part_of_byte(uint32_t v)
{
    return v < 10 ? v : v < 100 ? (uint64_t)TWO_DIGITS + v : (uint64_t)THREE_DIGITS + v;
}

void dotted_ip4(uint32_t ip4, struct dotted *out)
{
    uint32_t first = ip4 >> 24;
    uint32_t last = ip4 & 0xff;
    uint64_t b = part_of_byte(ip4 >> 16 & 0xff);
    uint64_t c = part_of_byte(ip4 >> 8 & 0xff);
    out->left_count = first < 10 ? 1 : first < 100 ? 2 : 3;
    out->right_count = last < 10 ? 1 : last < 100 ? 2 : 3;
    out->left[0] = left_key(first % 10, b, c);
    out->left[1] = left_key((uint64_t)TWO_DIGITS + first % 100, b, c);
    out->left[2] = left_key((uint64_t)THREE_DIGITS + first, b, c);
    uint32_t shorter = last < 100 ? last : last / 10; /* without its third digit */
    out->right[0] = right_key(b, c, shorter < 10 ? shorter : shorter / 10);
    out->right[1] = right_key(b, c, (uint64_t)TWO_DIGITS + shorter);
    out->right[2] = right_key(b, c, (uint64_t)THREE_DIGITS + last);
}
