/* app/bench_lines.c - the lines that are measured, their streams, and the proof that none changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "app/bench.h"
#include "app/line_reader.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    TENANT_OF_FILE = 999997,
    JST_MINUTES = 9 * 60,
};

void bench_lines_release(struct bench_lines *l)
{
    buf_release(&l->text);
    free(l->lines);
    free(l->streams);
    *l = (struct bench_lines){0};
}

struct slice bench_line_text(const struct bench_lines *l, size_t index)
{
    return slice_of(l->text.data + l->lines[index].offset, l->lines[index].len);
}

double bench_line_bytes(const struct bench_lines *l)
{
    return l->count == 0 ? 0 : (double)(l->text.len - l->count) / (double)l->count;
}

static struct bench_stream *stream_add(struct bench_lines *l)
{
    if (l->stream_count == l->stream_cap) {
        size_t cap = l->stream_cap == 0 ? 16 : l->stream_cap * 2;
        struct bench_stream *streams = realloc(l->streams, cap * sizeof(*streams));
        if (streams == NULL)
            return NULL;
        l->streams = streams;
        l->stream_cap = cap;
    }
    struct bench_stream *s = &l->streams[l->stream_count++];
    *s = (struct bench_stream){0};
    return s;
}

size_t bench_stream_find(struct bench_lines *l, const struct gen_line *line)
{
    for (size_t i = 0; i < l->stream_count; i++) {
        if (l->streams[i].tenant == line->tenant && strcmp(l->streams[i].source, line->source) == 0)
            return i;
    }
    const struct parser *parser = parser_find(slice_from(line->format));
    struct bench_stream *s = parser == NULL ? NULL : stream_add(l);
    if (s == NULL)
        return SIZE_MAX;
    s->tenant = line->tenant;
    s->format = parser->format;
    (void)snprintf(s->source, sizeof(s->source), "%s", line->source);
    (void)snprintf(s->topic, sizeof(s->topic), "seclog.raw.%06u.%s", line->tenant, line->source);
    return l->stream_count - 1;
}

int bench_lines_add(struct bench_lines *l, struct slice text, size_t stream)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 4096 : l->cap * 2;
        struct bench_line *lines = realloc(l->lines, cap * sizeof(*lines));
        if (lines == NULL)
            return ERR_NOMEM;
        l->lines = lines;
        l->cap = cap;
    }
    l->lines[l->count++] = (struct bench_line){
        .offset = l->text.len, .len = (uint32_t)text.len, .stream = (uint32_t)stream};
    buf_slice(&l->text, text);
    buf_byte(&l->text, '\n');
    return buf_ok(&l->text) ? 0 : ERR_NOMEM;
}

int bench_lines_start(struct bench_lines *out, uint16_t format)
{
    *out = (struct bench_lines){0};
    struct bench_stream *s = stream_add(out);
    if (s == NULL)
        return ERR_NOMEM;
    *s = (struct bench_stream){
        .tenant = TENANT_OF_FILE, .source = "file", .topic = "file", .format = format};
    return 0;
}

int bench_lines_generate(struct bench_lines *out, const struct bench_mix *mix,
                         const struct bench_options *o)
{
    struct gen_options options;
    gen_options_init(&options);
    options.seed = o->seed;
    options.tenants = mix->tenants;
    options.events = mix->events;
    struct gen *gen = NULL;
    int status = 0;
    if (mix->formats != NULL)
        status = gen_options_formats(&options, slice_from(mix->formats), o->diag);
    if (status == 0)
        status = gen_open(&gen, &options, o->diag);
    *out = (struct bench_lines){0};
    while (status == 0) {
        struct gen_line line;
        status = gen_next(gen, &line);
        if (status != 0)
            break;
        size_t stream = bench_stream_find(out, &line);
        status = stream == SIZE_MAX ? ERR_NOMEM : bench_lines_add(out, line.line, stream);
    }
    gen_close(gen);
    if (status == ERR_NOTFOUND && out->count != 0)
        return 0;
    bench_lines_release(out);
    return status;
}

int bench_lines_two_sources(struct bench_lines *l)
{
    size_t streams = l->stream_count;
    bool *other = calloc(streams, sizeof(*other));
    for (size_t i = 0; i < streams && other != NULL; i++) {
        struct bench_stream *s = stream_add(l);
        if (s == NULL) {
            free(other);
            return ERR_NOMEM;
        }
        *s = l->streams[i];
        (void)snprintf(s->source, sizeof(s->source), "fw2");
        (void)snprintf(s->topic, sizeof(s->topic), "seclog.raw.%06u.fw2", s->tenant);
    }
    for (size_t i = 0; i < l->count && other != NULL; i++) {
        uint32_t stream = l->lines[i].stream;
        other[stream] = !other[stream];
        if (other[stream])
            l->lines[i].stream = (uint32_t)(stream + streams);
    }
    int status = other == NULL ? ERR_NOMEM : 0;
    free(other);
    return status;
}

int bench_lines_read(struct bench_lines *out, const struct bench_options *o)
{
    *out = (struct bench_lines){0};
    const struct parser *parser = parser_find(slice_from(o->format));
    if (parser == NULL && strcmp(o->format, "auto") != 0) {
        diag_add(o->diag, "--format", 0, 0, "no format \"%s\"", o->format);
        return ERR_CONF;
    }
    struct line_reader *reader = NULL;
    int status = bench_lines_start(out, parser == NULL ? (uint16_t)FORMAT_AUTO : parser->format);
    if (status == 0)
        status = line_reader_open(&reader, o->lines, '\n', BATCH_RECORD_BYTES_MAX);
    while (status == 0) {
        struct slice line;
        status = line_reader_next(reader, &line);
        if (status != 0)
            break;
        if (line.len != 0 && line.data[line.len - 1] == '\n')
            line.len--;
        status = bench_lines_add(out, line, 0);
    }
    line_reader_close(reader);
    if (status == ERR_NOTFOUND && out->count != 0)
        return 0;
    diag_add(o->diag, o->lines, 0, 0, "cannot be read: %s", err_name(status));
    bench_lines_release(out);
    return status;
}

uint64_t bench_zstd(struct slice text, int level, size_t block)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    size_t step = block == 0 ? text.len : block;
    size_t cap = ZSTD_compressBound(step);
    char *to = malloc(cap);
    uint64_t bytes = 0;
    for (size_t at = 0; cctx != NULL && to != NULL && at < text.len; at += step) {
        size_t len = text.len - at < step ? text.len - at : step;
        size_t packed = ZSTD_compressCCtx(cctx, to, cap, text.data + at, len, level);
        if (ZSTD_isError(packed)) {
            bytes = 0;
            break;
        }
        bytes += packed;
    }
    free(to);
    ZSTD_freeCCtx(cctx);
    return bytes;
}

struct record bench_record(struct slice line, int64_t offset, int64_t arrival_ns)
{
    return (struct record){
        .offset = offset, .arrival_ns = arrival_ns, .reference_ns = arrival_ns, .value = line};
}

struct feed_options bench_feed(const struct bench_stream *s)
{
    return (struct feed_options){.tenant = s->tenant,
                                 .topic = slice_from(s->topic),
                                 .source = slice_from(s->source),
                                 .format = s->format,
                                 .zone_minutes = JST_MINUTES,
                                 .encoding = CHARSET_AUTO,
                                 .rows_max = BATCH_LIVE_ROWS_MAX,
                                 .split = SPLIT_LINES};
}

void bench_prove_line(struct bench_proof *p, uint32_t tenant, int64_t offset, struct slice line)
{
    p->rows++;
    p->sum += hash_slice(((uint64_t)tenant << 40) + (uint64_t)offset, line);
}

int bench_prove_batch(struct bench_proof *p, const struct batch *b)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < b->run_count; i++) {
        for (uint32_t n = 0; n < b->runs[i].count; n++, row++) {
            buf_reset(&p->text);
            if (batch_render(b, row, &p->text) != 0)
                return ERR_NOMEM;
            p->unparsed += b->reason[row] != REASON_NONE;
            bench_prove_line(p, b->tenant, b->runs[i].first_offset + n, buf_content(&p->text));
        }
    }
    return 0;
}

int bench_prove_equal(const struct bench_proof *in, const struct bench_proof *out, const char *what,
                      struct diag *diag)
{
    if (in->rows == out->rows && in->sum == out->sum)
        return 0;
    diag_add(diag, what, 0, 0, "%llu lines went in and %llu came out%s: no speed is shown",
             (unsigned long long)in->rows, (unsigned long long)out->rows,
             in->rows == out->rows ? ", but not the same bytes" : "");
    return ERR_CORRUPT;
}
