/* store/deletion_text.c - certificates of deletion as text; see store/deletion.h. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/deletion.h"
#include "store/lines.h"
#include "store/topic_text.h"

enum {
    KEEP_SECONDS_MAX = 2000000000,
    TENANT_MAX = 999999,
};

#define TITLE "sekisho deletion v1"

static bool class_right(const struct deletion_class *c)
{
    if (c->name.len == 0 || c->name.len > DELETION_NAME_BYTES_MAX || c->rows == 0 ||
        c->keep_s > KEEP_SECONDS_MAX)
        return false;
    for (size_t i = 0; i < c->name.len; i++) {
        if (c->name.data[i] < 'a' || c->name.data[i] > 'z')
            return false;
    }
    return true;
}

static bool range_right(const struct deletion_range *r)
{
    return r->topic.len != 0 && r->topic.len <= TREE_TOPIC_BYTES_MAX && r->partition >= 0 &&
           r->first >= 0 && r->first <= r->last && r->rows != 0;
}

static bool range_follows(const struct deletion_range *before, const struct deletion_range *r)
{
    int order = slice_compare(before->topic, r->topic);
    return order < 0 || (order == 0 && before->partition < r->partition);
}

static const char *segment_fault(const struct deletion_segment *s)
{
    uint64_t rows = 0;
    if (s->name.generation == 0 || s->class_count == 0 || s->class_count > DELETION_CLASSES_MAX ||
        s->range_count == 0 || s->range_count > DELETION_LINES_MAX)
        return "a segment has no rows that went, or too many lines";
    for (size_t i = 0; i < s->class_count; i++) {
        if (!class_right(&s->classes[i]))
            return "a class of logs cannot be";
        rows += s->classes[i].rows;
    }
    for (size_t i = 0; i < s->range_count; i++) {
        if (!range_right(&s->ranges[i]) ||
            (i != 0 && !range_follows(&s->ranges[i - 1], &s->ranges[i])))
            return "the ranges of offsets cannot be";
        rows -= s->ranges[i].rows;
    }
    return rows == 0 ? NULL : "classes and ranges have other numbers of rows";
}

static uint64_t count_rows(const struct deletion *d)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < d->segment_count; i++) {
        for (size_t k = 0; k < d->segments[i].class_count; k++)
            rows += d->segments[i].classes[k].rows;
    }
    return rows;
}

/* The places of nodes ascend, and none is within another. */
static const char *node_fault(const struct deletion *d)
{
    uint64_t end = 0;
    for (size_t i = 0; i < d->node_count; i++) {
        const struct deletion_node *n = &d->nodes[i];
        if (n->level >= TREE_STORED_LEVEL || n->index > TREE_ROWS_MAX >> n->level ||
            n->index << n->level < end)
            return "the nodes cannot be";
        end = (n->index + 1) << n->level;
    }
    return NULL;
}

/* What is wrong with it as a whole, or NULL. */
static const char *find_fault(const struct deletion *d)
{
    static const struct sha256 ZERO = {0};
    uint64_t rows = count_rows(d);
    const char *fault = node_fault(d);
    if (d->number == 0 || d->number > DELETION_NUMBER_MAX || d->tenant > TENANT_MAX)
        return "number or municipality cannot be";
    if ((d->number == 1) != sha256_equal(&d->previous, &ZERO))
        return "the first certificate names none before it, and every other one does";
    if (d->segment_count > DELETION_SEGMENTS_MAX || d->stretch_count > DELETION_LINES_MAX ||
        d->node_count > DELETION_LINES_MAX)
        return "too many lines";
    if ((d->withdraws != 0) == (d->segment_count != 0) ||
        (d->withdraws != 0 && d->withdraws != d->number - 1))
        return "it withdraws the one before it, or says what went";
    for (size_t i = 0; i < d->segment_count && fault == NULL; i++) {
        fault = segment_fault(&d->segments[i]);
        if (i != 0 && d->segments[i - 1].name.hour >= d->segments[i].name.hour)
            fault = "the segments are not in ascending order";
    }
    for (size_t i = 0; i < d->stretch_count && fault == NULL; i++) {
        const struct deletion_stretch *s = &d->stretches[i];
        if (s->last < s->first || s->last >= TREE_ROWS_MAX ||
            (i != 0 && s->first <= s[-1].last + 1))
            fault = "the stretches are not in ascending order";
        rows -= s->last - s->first + 1;
    }
    return fault != NULL || rows == 0 ? fault : "stretches and classes have other numbers of rows";
}

static void print_segment(struct buf *out, const struct deletion_segment *s)
{
    buf_printf(out, "segment %" PRId64 " %" PRIu32 " %" PRIu64, s->name.hour, s->name.generation,
               s->bytes);
    lines_put_hash(out, &s->hash);
    lines_put_hash(out, &s->file_hash);
    buf_printf(out, "\nrest %" PRIu64 "\nclasses %zu\n", s->rest_rows, s->class_count);
    for (size_t i = 0; i < s->class_count; i++) {
        const struct deletion_class *c = &s->classes[i];
        buf_printf(out, "class %.*s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", (int)c->name.len,
                   c->name.data, c->keep_s, c->rows, c->raw_bytes);
    }
    buf_printf(out, "ranges %zu\n", s->range_count);
    for (size_t i = 0; i < s->range_count; i++) {
        const struct deletion_range *r = &s->ranges[i];
        buf_text(out, "range ");
        topic_print(out, r->topic);
        buf_printf(out, " %" PRId32 " %" PRId64 " %" PRId64 " %" PRIu64 "\n", r->partition,
                   r->first, r->last, r->rows);
    }
}

static void print(struct buf *out, const struct deletion *d)
{
    buf_text(out, TITLE "\nstore");
    lines_put_id(out, d->store_id, STORE_ID_BYTES);
    buf_printf(out, "\ntenant %06" PRIu32 "\nnumber %" PRIu64 "\ntime ", d->tenant, d->number);
    clock_print(out, d->time_ns);
    buf_text(out, "\nclock ");
    clock_print(out, d->clock_ns);
    buf_text(out, "\nprevious");
    lines_put_hash(out, &d->previous);
    buf_printf(out, "\nwithdraws %" PRIu64 "\nsegments %zu\n", d->withdraws, d->segment_count);
    for (size_t i = 0; i < d->segment_count; i++)
        print_segment(out, &d->segments[i]);
    buf_printf(out, "stretches %zu\n", d->stretch_count);
    for (size_t i = 0; i < d->stretch_count; i++)
        buf_printf(out, "stretch %" PRIu64 " %" PRIu64 "\n", d->stretches[i].first,
                   d->stretches[i].last);
    buf_printf(out, "nodes %zu\n", d->node_count);
    for (size_t i = 0; i < d->node_count; i++) {
        buf_printf(out, "node %" PRIu32 " %" PRIu64, d->nodes[i].level, d->nodes[i].index);
        lines_put_hash(out, &d->nodes[i].hash);
        buf_byte(out, '\n');
    }
}

int deletion_sign(struct buf *out, const struct deletion *d, const struct note_signer *signer)
{
    struct buf text = {0};
    if (find_fault(d) != NULL)
        return ERR_RANGE;
    print(&text, d);
    int err = buf_ok(&text) ? 0 : ERR_NOMEM;
    if (err == 0 && text.len > DELETION_BYTES_MAX - NOTE_KEY_TEXT_BYTES_MAX)
        err = ERR_RANGE;
    if (err == 0)
        err = note_sign(out, signer, buf_content(&text));
    buf_release(&text);
    return err;
}

/* An hour before 1970 is negative. */
static int64_t read_hour(struct lines *in)
{
    struct slice rest = in->line;
    bool below = rest.len > 1 && rest.data[1] == '-';
    int64_t hour = 0;
    if (!below)
        return (int64_t)lines_number(in, "the hour", INT64_MAX);
    struct slice word = lines_word(in, "the hour");
    for (size_t i = 1; i < word.len; i++) {
        char c = word.data[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(hour, 10, &hour) ||
            __builtin_sub_overflow(hour, c - '0', &hour))
            lines_fail(in, "the hour is no number");
    }
    return hour;
}

static void read_head(struct lines *in, struct deletion *d)
{
    lines_title(in, TITLE);
    lines_field_id(in, "store", d->store_id, STORE_ID_BYTES);
    d->tenant = lines_field_code(in, "tenant");
    d->number = lines_field_number(in, "number", DELETION_NUMBER_MAX);
    d->time_ns = lines_field_time(in, "time");
    d->clock_ns = lines_field_time(in, "clock");
    lines_field_hash(in, "previous", "the hash of the certificate before", &d->previous);
    d->withdraws = lines_field_number(in, "withdraws", DELETION_NUMBER_MAX);
}

static void read_class(struct lines *in, struct deletion_class *c)
{
    lines_next(in, "class");
    c->name = lines_word(in, "the class");
    c->keep_s = lines_number(in, "the time it is kept", KEEP_SECONDS_MAX);
    c->rows = lines_number(in, "the rows", UINT64_MAX);
    c->raw_bytes = lines_number(in, "the bytes", UINT64_MAX);
    lines_end(in);
}

static int read_range(struct lines *in, struct arena *arena, struct deletion_range *r)
{
    struct buf topic = {0};
    lines_next(in, "range");
    struct slice word = lines_word(in, "the topic");
    if (!in->failed && (word.len > TOPIC_TEXT_BYTES_MAX || !topic_read(&topic, word)))
        lines_fail(in, "the topic is none");
    const char *copy = arena_copy(arena, buf_content(&topic));
    bool whole = buf_ok(&topic) && copy != NULL;
    r->topic = slice_of(copy, whole ? topic.len : 0);
    buf_release(&topic);
    r->partition = (int32_t)lines_number(in, "the partition", INT32_MAX);
    r->first = (int64_t)lines_number(in, "the first offset", INT64_MAX);
    r->last = (int64_t)lines_number(in, "the last offset", INT64_MAX);
    r->rows = lines_number(in, "the rows", UINT64_MAX);
    lines_end(in);
    return whole ? 0 : ERR_NOMEM;
}

static int read_segment(struct lines *in, struct arena *arena, struct deletion_segment *s)
{
    lines_next(in, "segment");
    s->name.hour = read_hour(in);
    s->name.generation = (uint32_t)lines_number(in, "the generation", UINT32_MAX);
    s->bytes = lines_number(in, "the length", UINT64_MAX);
    lines_hash(in, "the segment's hash", &s->hash);
    lines_hash(in, "the file's hash", &s->file_hash);
    lines_end(in);
    s->rest_rows = lines_field_number(in, "rest", UINT64_MAX);
    s->class_count = (size_t)lines_field_number(in, "classes", DELETION_CLASSES_MAX);
    s->classes = arena_array(arena, s->class_count + 1, sizeof(*s->classes));
    if (s->classes == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < s->class_count && !in->failed; i++)
        read_class(in, &s->classes[i]);
    s->range_count = (size_t)lines_field_number(in, "ranges", DELETION_LINES_MAX);
    s->ranges = arena_array(arena, s->range_count + 1, sizeof(*s->ranges));
    int err = s->ranges == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < s->range_count && !in->failed && err == 0; i++)
        err = read_range(in, arena, &s->ranges[i]);
    return err;
}

static int read_rows(struct lines *in, struct arena *arena, struct deletion *d)
{
    d->stretch_count = (size_t)lines_field_number(in, "stretches", DELETION_LINES_MAX);
    d->stretches = arena_array(arena, d->stretch_count + 1, sizeof(*d->stretches));
    if (d->stretches == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < d->stretch_count && !in->failed; i++) {
        lines_next(in, "stretch");
        d->stretches[i].first = lines_number(in, "the first row", TREE_ROWS_MAX);
        d->stretches[i].last = lines_number(in, "the last row", TREE_ROWS_MAX);
        lines_end(in);
    }
    d->node_count = (size_t)lines_field_number(in, "nodes", DELETION_LINES_MAX);
    d->nodes = arena_array(arena, d->node_count + 1, sizeof(*d->nodes));
    if (d->nodes == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < d->node_count && !in->failed; i++) {
        lines_next(in, "node");
        d->nodes[i].level = (uint32_t)lines_number(in, "the level", TREE_STORED_LEVEL - 1);
        d->nodes[i].index = lines_number(in, "the node's number", TREE_ROWS_MAX);
        lines_hash(in, "the node", &d->nodes[i].hash);
        lines_end(in);
    }
    return 0;
}

/* Read the signed part. Whatever has a second form is found by writing it again. */
static int read_text(struct deletion *out, struct arena *arena, struct slice text, const char *file,
                     struct diag *diag)
{
    struct deletion d = {0};
    struct lines in = lines_of(text, file, diag);
    struct buf again = {0};
    read_head(&in, &d);
    d.segment_count = (size_t)lines_field_number(&in, "segments", DELETION_SEGMENTS_MAX);
    d.segments = arena_array(arena, d.segment_count + 1, sizeof(*d.segments));
    int err = d.segments == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < d.segment_count && !in.failed && err == 0; i++) {
        err = read_segment(&in, arena, &d.segments[i]);
        d.segments[i].name.tenant = d.tenant;
    }
    if (err == 0)
        err = read_rows(&in, arena, &d);
    if (err != 0)
        return err;
    lines_end_of_text(&in);
    const char *fault = in.failed ? NULL : find_fault(&d);
    if (fault != NULL)
        lines_fail(&in, "%s", fault);
    if (!in.failed)
        print(&again, &d);
    err = lines_check_same(&in, text, &again, "certificates");
    buf_release(&again);
    if (err == 0)
        *out = d;
    return err;
}

int deletion_parse(struct deletion *out, struct arena *arena, struct slice text,
                   const struct note_key *key, const char *file, struct diag *diag)
{
    struct note note;
    if (text.len > DELETION_BYTES_MAX) {
        diag_add(diag, file, 1, 1, "longer than %d bytes, which no certificate is",
                 (int)DELETION_BYTES_MAX);
        return ERR_FORMAT;
    }
    int err = note_parse(&note, text, file, diag);
    if (err == 0 && key != NULL)
        err = note_verify(&note, key, file, diag);
    return err == 0 ? read_text(out, arena, note.text, file, diag) : err;
}
