#include "app/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    READ_BYTES = 1 << 20,
    LOOKED_AT_BYTES = 64 << 10, /* to tell text from other things */
    CONTROL_SHARE = 20,         /* text holds less than one in so many */
};

/* What begins otherwise than a log does. */
static const struct {
    struct slice magic;
    const char *english;
    const char *japanese;
} NO_LOGS[] = {
    {{"\x1f\x8b", 2},
     "gzip; unpack it first: gzip -dc",
     "gzip 圧縮です。先に展開してください: gzip -dc"},
    {{"\x28\xb5\x2f\xfd", 4},
     "zstd; unpack it first: zstd -dc",
     "zstd 圧縮です。先に展開してください: zstd -dc"},
    {{"\xfd\x37zXZ", 5},
     "xz; unpack it first: xz -dc",
     "xz 圧縮です。先に展開してください: xz -dc"},
    {{"BZh", 3},
     "bzip2; unpack it first: bzip2 -dc",
     "bzip2 圧縮です。先に展開してください: bzip2 -dc"},
    {{"PK\x03\x04", 4},
     "a zip archive or an Office file; unpack it, or save it as text",
     "zip または Office の文書です。展開するか、テキストで保存し直してください"},
    {{"7z\xbc\xaf", 4},
     "a 7-Zip archive; unpack it first",
     "7-Zip の書庫です。先に展開してください"},
    {{"ElfFile", 7},
     "a Windows event log; export it as text, or send it by an agent",
     "Windows イベントログです。テキストで書き出すか、エージェントで送ってください"},
    {{"\xd4\xc3\xb2\xa1", 4},
     "a packet capture, no log",
     "パケットキャプチャです。ログではありません"},
    {{"\xa1\xb2\xc3\xd4", 4},
     "a packet capture, no log",
     "パケットキャプチャです。ログではありません"},
    {{"\x0a\x0d\x0d\x0a", 4},
     "a packet capture, no log",
     "パケットキャプチャです。ログではありません"},
    {{"SQLite format 3", 15},
     "a database; export it as text",
     "データベースです。テキストで書き出してください"},
    {{"%PDF-", 5}, "a PDF document, no log", "PDF 文書です。ログではありません"},
    {{"\xff\xfe", 2},
     "UTF-16; convert it first: iconv -f UTF-16 -t UTF-8",
     "UTF-16 です。先に変換してください: iconv -f UTF-16 -t UTF-8"},
    {{"\xfe\xff", 2},
     "UTF-16; convert it first: iconv -f UTF-16 -t UTF-8",
     "UTF-16 です。先に変換してください: iconv -f UTF-16 -t UTF-8"},
};

static bool is_control(char byte)
{
    return (byte >= 0 && byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' &&
            byte != 0x1b) ||
           byte == 0x7f;
}

/* Why these are no lines of a log; NULL: they may be. */
static const char *refusal(struct slice bytes, bool japanese)
{
    size_t controls = 0;
    size_t zeros = 0;
    size_t looked = bytes.len < LOOKED_AT_BYTES ? bytes.len : LOOKED_AT_BYTES;
    if (bytes.len == 0) {
        return japanese ? "空のファイルです。ログが数百行ほど入ったものを渡してください"
                        : "is empty; hand in a file with a few hundred lines";
    }
    for (size_t i = 0; i < sizeof(NO_LOGS) / sizeof(NO_LOGS[0]); i++) {
        if (slice_starts(bytes, NO_LOGS[i].magic))
            return japanese ? NO_LOGS[i].japanese : NO_LOGS[i].english;
    }
    for (size_t i = 0; i < looked; i++) {
        controls += is_control(bytes.data[i]);
        zeros += bytes.data[i] == '\0';
    }
    if (zeros * 3 > looked) {
        return japanese ? "UTF-16 のようです。先に変換してください: iconv -f UTF-16LE -t UTF-8"
                        : "looks like UTF-16; convert it first: iconv -f UTF-16LE -t UTF-8";
    }
    if (controls * CONTROL_SHARE > looked) {
        return japanese
                   ? "テキストではありません(バイナリ)。機器のログをテキストで書き出してください"
                   : "is binary, no text; export the device's log as text";
    }
    return NULL;
}

/* As much as a sample may have; *cut: there is more. */
static int bytes_read(struct buf *out, struct file *file, bool *cut)
{
    size_t got = 1;
    int err = 0;
    while (err == 0 && got != 0 && out->len <= SAMPLE_BYTES_MAX) {
        char *to = buf_reserve(out, READ_BYTES);
        if (to == NULL)
            return ERR_NOMEM;
        err = file_read(&got, file, to, READ_BYTES);
        if (err == 0)
            out->len += got;
    }
    *cut = out->len > SAMPLE_BYTES_MAX;
    if (*cut)
        out->len = SAMPLE_BYTES_MAX;
    return err;
}

static bool is_empty(struct slice line)
{
    return line.len == 0 || slice_equal(line, SLICE("\n")) || slice_equal(line, SLICE("\r\n"));
}

static int lines_find(struct sample *s)
{
    struct slice all = buf_content(&s->bytes);
    uint64_t number = 0;
    s->lines = calloc(SAMPLE_LINES_MAX, sizeof(*s->lines));
    s->numbers = calloc(SAMPLE_LINES_MAX, sizeof(*s->numbers));
    if (s->lines == NULL || s->numbers == NULL)
        return ERR_NOMEM;
    for (size_t at = 0; at < all.len;) {
        const char *end = memchr(all.data + at, '\n', all.len - at);
        size_t len = end == NULL ? all.len - at : (size_t)(end - (all.data + at)) + 1;
        struct slice line = slice_of(all.data + at, len);
        number++;
        if (is_empty(line)) {
            s->empty++;
        } else if (s->count == SAMPLE_LINES_MAX) {
            s->cut = true;
            return 0;
        } else if (end != NULL || !s->cut || s->count == 0) {
            s->numbers[s->count] = number;
            s->lines[s->count++] = (struct span){.offset = (uint32_t)at, .len = (uint32_t)len};
        }
        at += len;
    }
    return 0;
}

static int file_take(struct sample *s, const char *path, const char **why, bool japanese)
{
    struct file *file = NULL;
    struct file_info info = {.modified_ns = clock_now_ns()};
    bool piped = path == NULL || strcmp(path, "-") == 0;
    int err = file_open(&file, piped ? "/dev/stdin" : path, FILE_READ);
    if (err == 0 && !piped)
        err = file_stat(&info, path);
    if (err == 0 && !piped && info.kind == FILE_KIND_DIR) {
        *why = japanese ? "ディレクトリです。ログファイルを一つ指定してください"
                        : "is a directory; name one log file";
        err = ERR_CONF;
    }
    if (err == 0)
        err = bytes_read(&s->bytes, file, &s->cut);
    file_close(file);
    s->modified_ns = info.modified_ns;
    if (err == 0)
        *why = refusal(buf_content(&s->bytes), japanese);
    if (err == 0 && *why != NULL)
        err = ERR_CONF;
    return err == 0 ? lines_find(s) : err;
}

int sample_read(struct sample *out, const char *path, bool japanese, struct diag *diag)
{
    struct sample s = {0};
    const char *name = path == NULL || strcmp(path, "-") == 0 ? "standard input" : path;
    const char *why = NULL;
    int err = file_take(&s, path, &why, japanese);
    if (err == 0 && s.count == 0) {
        why = japanese ? "空行しかありません。ログの入ったファイルを渡してください"
                       : "holds empty lines only; hand in a file with log lines";
        err = ERR_CONF;
    }
    if (err != 0) {
        diag_add(diag, name, 0, 0, "%s", why != NULL ? why : err_name(err));
        sample_release(&s);
        return err;
    }
    *out = s;
    return 0;
}

int sample_from(struct sample *out, struct buf *bytes)
{
    struct sample s = {.bytes = *bytes, .modified_ns = clock_now_ns()};
    *bytes = (struct buf){0};
    int err = buf_ok(&s.bytes) ? lines_find(&s) : ERR_NOMEM;
    if (err == 0)
        *out = s;
    else
        sample_release(&s);
    return err;
}

void sample_release(struct sample *s)
{
    buf_release(&s->bytes);
    free(s->lines);
    free(s->numbers);
    *s = (struct sample){0};
}

struct slice sample_line(const struct sample *s, size_t at)
{
    return slice_of(s->bytes.data + s->lines[at].offset, s->lines[at].len);
}

struct slice sample_text(const struct sample *s, size_t at)
{
    struct slice line = sample_line(s, at);
    if (line.len != 0 && line.data[line.len - 1] == '\n')
        line.len--;
    if (line.len != 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

int sample_feed(const struct sample *s, const struct sample_reading *how)
{
    const struct feed_options options = {.tenant = how->tenant,
                                         .source = how->source,
                                         .format = how->format,
                                         .layout = how->layout,
                                         .zone_minutes = how->zone_minutes,
                                         .rows_max = BATCH_LIVE_ROWS_MAX,
                                         .split = SPLIT_LINES,
                                         .closed = how->closed,
                                         .self = how->self};
    struct feed *feed = NULL;
    struct feed_result result;
    struct record record = {.arrival_ns = s->modified_ns, .reference_ns = how->reference_ns};
    int err = feed_open(&feed, how->bench, &options);
    for (size_t i = 0; i < s->count && i < how->lines_max && err == 0; i++) {
        record.offset = (int64_t)i;
        record.value = sample_line(s, i);
        err = feed_record(feed, &record, &result);
        int64_t last = err == 0 ? feed_last_time(feed) : CLOCK_NONE;
        record.reference_ns = last == CLOCK_NONE ? how->reference_ns : last;
    }
    if (err == 0)
        err = feed_close(feed);
    feed_free(feed);
    return err;
}
