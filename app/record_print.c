#include "app/record_print.h"

#include <stdlib.h>

#include "event/ndjson.h"

enum {
    HELD_BYTES_KEPT = 4 << 20, /* larger buffers are given back after their record */
};

struct record_printer {
    struct record_print_options options;
    struct ndjson *ndjson;
    const struct batch *batch; /* that ndjson looked at */
    uint64_t decoding;
    bool open; /* a record has begun */
    bool is_file;
    struct buf topic;
    int32_t partition;
    int64_t offset;
    struct buf bytes;   /* of the open record */
    struct buf objects; /* its rows, each up to its closing brace */
    struct buf ends;    /* uint64_t each: where a row ends in objects */
    struct buf extra;   /* its key and headers as JSON members */
};

int record_printer_new(struct record_printer **out, const struct record_print_options *options)
{
    struct record_printer *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    p->options = *options;
    p->ndjson = ndjson_new();
    if (p->ndjson == NULL) {
        record_printer_free(p);
        return ERR_NOMEM;
    }
    *out = p;
    return 0;
}

void record_printer_free(struct record_printer *p)
{
    if (p == NULL)
        return;
    ndjson_free(p->ndjson);
    buf_release(&p->topic);
    buf_release(&p->bytes);
    buf_release(&p->objects);
    buf_release(&p->ends);
    buf_release(&p->extra);
    free(p);
}

/* A number of the headers' encoding; false past the end. */
static bool take_varint(struct slice *in, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 9 && i < in->len; i++) {
        unsigned char byte = (unsigned char)in->data[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *in = slice_from_offset(*in, i + 1);
            *out = value;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct slice *in, uint64_t len, struct slice *out)
{
    if (len > in->len)
        return false;
    *out = slice_of(in->data, (size_t)len);
    *in = slice_from_offset(*in, (size_t)len);
    return true;
}

/* [{"name":...,"value":...},...]; a header without a value has null. */
static int print_headers(struct slice headers, struct buf *out)
{
    buf_text(out, ",\"kafka.headers\":[");
    for (bool first = true; headers.len != 0; first = false) {
        uint64_t len = 0;
        struct slice name;
        struct slice value = SLICE("");
        if (!take_varint(&headers, &len) || !take_bytes(&headers, len, &name) ||
            !take_varint(&headers, &len) || (len != 0 && !take_bytes(&headers, len - 1, &value)))
            return ERR_CORRUPT;
        buf_text(out, first ? "{\"name\":" : ",{\"name\":");
        ndjson_string(out, name);
        buf_text(out, ",\"value\":");
        if (len == 0)
            buf_text(out, "null");
        else
            ndjson_string(out, value);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
    return 0;
}

static const struct extra *row_extra(const struct batch *b, uint32_t row)
{
    uint32_t low = 0;
    uint32_t high = b->extra_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (b->extras[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < b->extra_count && b->extras[low].row == row ? &b->extras[low] : NULL;
}

static int keep_extra(struct record_printer *p, const struct scan_row *row)
{
    const struct extra *e = row_extra(row->batch, row->row);
    if (e == NULL)
        return 0;
    if (e->has_key) {
        buf_text(&p->extra, ",\"kafka.key\":");
        ndjson_string(&p->extra, batch_span(row->batch, e->key));
    }
    return e->headers.len == 0 ? 0 : print_headers(batch_span(row->batch, e->headers), &p->extra);
}

static void reset_held(struct buf *b)
{
    if (b->cap > HELD_BYTES_KEPT)
        buf_release(b);
    else
        buf_reset(b);
}

/* The objects of the open record, with what is known now that it is whole. */
static int print_objects(struct record_printer *p, struct buf *out)
{
    struct sha256 hash;
    char hex[SHA256_HEX_BYTES + 1];
    int err = sha256_of(&hash, buf_content(&p->bytes));
    if (err != 0)
        return err;
    sha256_hex(hex, &hash);
    size_t at = 0;
    for (size_t i = 0; i < p->ends.len; i += sizeof(uint64_t)) {
        uint64_t end = 0;
        memcpy(&end, p->ends.data + i, sizeof(end));
        buf_append(out, p->objects.data + at, (size_t)end - at);
        buf_text(out, ",\"sekisho.raw.sha256\":\"");
        buf_text(out, hex);
        buf_byte(out, '"');
        buf_slice(out, buf_content(&p->extra));
        buf_append(out, "}\n", 2);
        at = (size_t)end;
    }
    bool kept = buf_ok(&p->objects) && buf_ok(&p->ends) && buf_ok(&p->extra) && buf_ok(&p->bytes);
    reset_held(&p->bytes);
    reset_held(&p->objects);
    reset_held(&p->ends);
    reset_held(&p->extra);
    return kept && buf_ok(out) ? 0 : ERR_NOMEM;
}

int record_print_end(struct record_printer *p, struct buf *out)
{
    if (!p->open)
        return 0;
    p->open = false;
    if (!p->options.raw)
        return print_objects(p, out);
    if (!p->is_file)
        buf_byte(out, p->options.terminator);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

/* The row's object, but for its closing brace and newline. */
static int keep_object(struct record_printer *p, const struct scan_row *row)
{
    int err = 0;
    if (p->batch != row->batch || p->decoding != row->decoding)
        err = ndjson_batch(p->ndjson, row->batch);
    p->batch = row->batch;
    p->decoding = row->decoding;
    if (err == 0)
        err = ndjson_row(p->ndjson, row->row, NDJSON_PLACE, &p->objects);
    if (err == 0)
        err = batch_render(row->batch, row->row, &p->bytes);
    if (err != 0)
        return err;
    p->objects.len -= 2;
    buf_put64(&p->ends, p->objects.len);
    return buf_ok(&p->ends) ? 0 : ERR_NOMEM;
}

int record_print_row(struct record_printer *p, const struct scan_row *row, struct buf *out)
{
    struct slice topic = row->batch->topic;
    int err = 0;
    bool same = p->open && p->offset == row->offset && p->partition == row->partition &&
                slice_equal(buf_content(&p->topic), topic);
    if (!same) {
        err = record_print_end(p, out);
        if (err != 0)
            return err;
        if (!slice_equal(buf_content(&p->topic), topic)) {
            buf_reset(&p->topic);
            buf_slice(&p->topic, topic);
        }
        p->open = true;
        p->is_file = slice_equal(topic, SLICE("file"));
        p->partition = row->partition;
        p->offset = row->offset;
    }
    if (p->options.raw)
        return batch_render(row->batch, row->row, out);
    if (row->sub == 0)
        err = keep_extra(p, row);
    return err == 0 ? keep_object(p, row) : err;
}
