#include "detect/finding.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"

enum {
    NUMBER_BYTES_MAX = 64,
};

void finding_begin(struct finding *f, uint8_t text, const struct flow *flow, int64_t window_ns)
{
    *f = (struct finding){.text = text,
                          .window_ns = window_ns,
                          .flow = flow,
                          .time_ns = flow == NULL ? CLOCK_NONE : flow->time_ns};
}

void finding_score(struct finding *f, double tail)
{
    f->scored = true;
    f->tail = tail;
}

/* At most `room` bytes of a text, cut between characters of UTF-8. */
static size_t whole_characters(struct slice text, size_t room)
{
    size_t len = text.len < room ? text.len : room;
    if (len == text.len)
        return len;
    while (len != 0 && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    return len;
}

void finding_add(struct finding *f, const char *name, struct slice text, bool key, uint8_t kind)
{
    size_t room = sizeof(f->values) - f->text_len;
    bool whole = kind != FINDING_TEXT;
    if (f->item_count == FINDING_ITEMS_MAX || (whole && text.len > room) ||
        (room == 0 && text.len != 0)) {
        f->cut++;
        return;
    }
    size_t most = room < FINDING_VALUE_BYTES_MAX ? room : FINDING_VALUE_BYTES_MAX;
    bool cut = text.len > most;
    size_t len = cut && most > 3 ? whole_characters(text, most - 3) : whole_characters(text, most);
    char *at = f->values + f->text_len;
    if (len != 0)
        memcpy(at, text.data, len);
    if (cut && most > 3) {
        for (size_t end = len + 3; len < end; len++)
            at[len] = '.';
    }
    f->items[f->item_count++] = (struct finding_item){
        .name = name, .at = f->text_len, .len = (uint16_t)len, .key = key, .kind = kind};
    f->text_len = (uint16_t)(f->text_len + len);
}

static void add_ip(struct finding *f, const char *name, const struct ip *ip, bool key)
{
    char text[VALUE_IP_TEXT_MAX + 1 + SLICE_PADDING_BYTES];
    struct buf out = {.data = text, .cap = VALUE_IP_TEXT_MAX, .limit = VALUE_IP_TEXT_MAX};
    ip_print(&out, ip);
    finding_add(f, name, buf_content(&out), key, FINDING_TEXT);
}

static void add_int(struct finding *f, const char *name, int64_t value, bool key)
{
    char text[NUMBER_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf out = {.data = text, .cap = NUMBER_BYTES_MAX, .limit = NUMBER_BYTES_MAX};
    buf_decimal(&out, value);
    finding_add(f, name, buf_content(&out), key, FINDING_NUMBER);
}

void finding_key_ip(struct finding *f, const char *name, const struct ip *ip)
{
    add_ip(f, name, ip, true);
}

void finding_key_text(struct finding *f, const char *name, struct slice text)
{
    finding_add(f, name, text, true, FINDING_TEXT);
}

void finding_key_int(struct finding *f, const char *name, int64_t value)
{
    add_int(f, name, value, true);
}

void finding_text(struct finding *f, const char *name, struct slice text)
{
    finding_add(f, name, text, false, FINDING_TEXT);
}

void finding_ip(struct finding *f, const char *name, const struct ip *ip)
{
    add_ip(f, name, ip, false);
}

void finding_int(struct finding *f, const char *name, int64_t value)
{
    add_int(f, name, value, false);
}

void finding_real(struct finding *f, const char *name, double value)
{
    char text[NUMBER_BYTES_MAX];
    assert(isfinite(value));
    int len = snprintf(text, sizeof(text), "%.6g", value);
    finding_add(f, name, slice_of(text, (size_t)len), false, FINDING_REAL);
}

void finding_time(struct finding *f, const char *name, int64_t time_ns)
{
    char text[NUMBER_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf out = {.data = text, .cap = NUMBER_BYTES_MAX, .limit = NUMBER_BYTES_MAX};
    clock_print(&out, time_ns);
    finding_add(f, name, buf_content(&out), false, FINDING_TIME);
}
