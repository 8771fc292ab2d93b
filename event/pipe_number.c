#include "event/pipe_number.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

bool pipe_number_read(pipe_number *out, struct slice text)
{
    size_t at = 0;
    bool negative = text.len != 0 && text.data[0] == '-';
    at += negative || (text.len != 0 && text.data[0] == '+');
    size_t first = at;
    pipe_number value = 0;
    for (; at < text.len && digit(text.data[at]); at++) {
        if (at - first == PIPE_NUMBER_DIGITS_MAX)
            return false;
        value = value * 10 + (text.data[at] - '0');
    }
    if (at == first)
        return false;
    unsigned places = 0;
    if (at < text.len) {
        if (text.data[at++] != '.' || at == text.len)
            return false;
        for (; at < text.len && digit(text.data[at]); at++) {
            if (places < PIPE_NUMBER_PLACES) {
                value = value * 10 + (text.data[at] - '0');
                places++;
            }
        }
        if (at < text.len)
            return false;
    }
    for (; places < PIPE_NUMBER_PLACES; places++)
        value *= 10;
    *out = negative ? -value : value;
    return true;
}

void pipe_number_print(struct buf *out, pipe_number value)
{
    char text[64];
    size_t at = sizeof(text);
    bool negative = value < 0;
    pipe_number left = negative ? -value : value;
    bool seen = false; /* a digit that is not a needless zero */
    for (unsigned place = 0; place < PIPE_NUMBER_PLACES; place++) {
        char c = (char)('0' + (int)(left % 10));
        left /= 10;
        seen = seen || c != '0';
        if (seen)
            text[--at] = c;
    }
    if (seen)
        text[--at] = '.';
    do {
        text[--at] = (char)('0' + (int)(left % 10));
        left /= 10;
    } while (left != 0);
    if (negative)
        text[--at] = '-';
    buf_append(out, text + at, sizeof(text) - at);
}

pipe_number pipe_number_divide(pipe_number sum, uint64_t count)
{
    pipe_number n = (pipe_number)count;
    pipe_number whole = sum / n;
    pipe_number rest = sum % n;
    if (rest < 0)
        return -rest * 2 >= n ? whole - 1 : whole;
    return rest * 2 >= n ? whole + 1 : whole;
}
