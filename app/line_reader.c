#include "app/line_reader.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

enum {
    READ_BYTES = 1 << 20,
};

struct line_reader {
    struct file *file;
    struct buf buf;
    size_t at;   /* the next record starts here */
    size_t seen; /* no end byte before here */
    size_t bytes_max;
    char end;
    bool done;
};

int line_reader_open(struct line_reader **out, const char *path, char end, size_t bytes_max)
{
    struct line_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    r->end = end;
    r->bytes_max = bytes_max;
    bool is_stdin = path == NULL || strcmp(path, "-") == 0;
    int status = file_open(&r->file, is_stdin ? "/dev/stdin" : path, FILE_READ);
    if (status != 0) {
        free(r);
        return status;
    }
    *out = r;
    return 0;
}

void line_reader_close(struct line_reader *r)
{
    if (r == NULL)
        return;
    file_close(r->file);
    buf_release(&r->buf);
    free(r);
}

/* Read more behind what is there; moves the unfinished record to the front first. */
static int fill(struct line_reader *r)
{
    size_t left = r->buf.len - r->at;
    if (r->at != 0) {
        memmove(r->buf.data, r->buf.data + r->at, left);
        r->seen -= r->at;
        r->at = 0;
        r->buf.len = left;
    }
    size_t got = 0;
    char *to = buf_reserve(&r->buf, READ_BYTES);
    if (to == NULL)
        return ERR_NOMEM;
    int status = file_read(&got, r->file, to, READ_BYTES);
    if (status != 0)
        return status;
    r->buf.len += got;
    r->done = got == 0;
    return 0;
}

static void take(struct line_reader *r, size_t len, struct slice *out)
{
    *out = slice_of(r->buf.data + r->at, len);
    r->at += len;
    r->seen = r->at;
}

int line_reader_next(struct line_reader *r, struct slice *out)
{
    for (;;) {
        size_t unseen = r->buf.len - r->seen;
        const char *end = unseen == 0 ? NULL : memchr(r->buf.data + r->seen, r->end, unseen);
        size_t len = end == NULL ? r->buf.len - r->at : (size_t)(end - r->buf.data) + 1 - r->at;
        if (len > r->bytes_max || (end == NULL && len == r->bytes_max)) {
            take(r, r->bytes_max, out);
            return 0;
        }
        if (end != NULL || (r->done && len != 0)) {
            take(r, len, out);
            return 0;
        }
        if (r->done)
            return ERR_NOTFOUND;
        r->seen = r->buf.len;
        int status = fill(r);
        if (status != 0)
            return status;
    }
}
