/* app/bench_cut.c - values cut out of lines by position and by key alone. */
#include "app/bench_cut.h"

#include "ingest/ingest.h"

/* The n-th word (from 0) of a text with runs of blanks between words. */
static struct slice word_at(struct slice text, unsigned n)
{
    size_t at = 0;
    for (;;) {
        while (at < text.len && text.data[at] == ' ')
            at++;
        size_t end = at;
        while (end < text.len && text.data[end] != ' ')
            end++;
        if (n-- == 0 || end == text.len)
            return slice_of(text.data + at, end - at);
        at = end;
    }
}

struct slice bench_cut_between(struct slice line, struct slice before, char end)
{
    const char *at = memmem(line.data, line.len, before.data, before.len);
    if (at == NULL)
        return SLICE("");
    at += before.len;
    size_t left = line.len - (size_t)(at - line.data);
    const char *stop = memchr(at, end, left);
    return slice_of(at, stop == NULL ? left : (size_t)(stop - at));
}

struct slice bench_cut_address(struct slice line, uint16_t format)
{
    return format == FORMAT_SQUID ? word_at(line, 2)
                                  : bench_cut_between(line, SLICE(" srcip="), ' ');
}

struct slice bench_cut_url(struct slice line, uint16_t format)
{
    return format == FORMAT_SQUID ? word_at(line, 6)
                                  : bench_cut_between(line, SLICE(" url=\""), '"');
}

struct slice bench_cut_destination(struct slice line, uint16_t format)
{
    if (format != FORMAT_SQUID)
        return bench_cut_between(line, SLICE(" dstip="), ' ');
    struct slice peer = word_at(line, 8);
    const char *slash = peer.len == 0 ? NULL : memchr(peer.data, '/', peer.len);
    if (slash == NULL)
        return SLICE("");
    return slice_of(slash + 1, peer.len - (size_t)(slash + 1 - peer.data));
}
