#include "store/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "store/lines.h"

enum {
    LOCK_LOOK_MS = 20,
    ITEMS_FIRST = 16,
    CODE_MAX = 999999,
};

#define TITLE "sekisho hold v1"
#define NAME  "holds"

static int path_of(char *out, const char *dir, const char *name)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/%s", dir, name);
    return len > 0 && len < FILE_PATH_BYTES_MAX ? 0 : ERR_RANGE;
}

void holds_release(struct holds *h)
{
    arena_release(&h->arena);
    *h = (struct holds){0};
}

static int64_t read_time(struct lines *in, const char *key, int64_t open_end)
{
    int64_t ns = 0;
    lines_next(in, key);
    struct slice word = lines_word(in, "a time");
    if (!in->failed && open_end != 0 && slice_equal(word, SLICE("-")))
        ns = open_end;
    else if (!in->failed && clock_parse(&ns, word) != 0)
        lines_fail(in, "the time is none");
    lines_end(in);
    return ns;
}

/* One line without control characters, not empty. */
static bool text_right(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < ' ' || c == 0x7f)
            return false;
    }
    return s.len != 0 && s.len <= HOLD_TEXT_BYTES_MAX;
}

/* Everything behind the key. */
static struct slice read_text(struct lines *in, const char *key)
{
    lines_next(in, key);
    struct slice text = slice_from_offset(in->line, 1);
    if (!in->failed && !text_right(text))
        lines_fail(in, "a text of 1 to %d bytes is missing", HOLD_TEXT_BYTES_MAX);
    return text;
}

static int copy_text(struct arena *arena, struct slice *text)
{
    const char *copy = arena_copy(arena, *text);
    if (copy == NULL)
        return ERR_NOMEM;
    text->data = copy;
    return 0;
}

static struct hold *find_number(struct holds *h, uint64_t number)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->items[i].number == number)
            return &h->items[i];
    }
    return NULL;
}

static int make_room(struct holds *h, size_t *cap)
{
    if (h->count < *cap)
        return 0;
    size_t grown = *cap == 0 ? ITEMS_FIRST : *cap * 2;
    struct hold *items = arena_array(&h->arena, grown, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    if (h->count != 0)
        memcpy(items, h->items, h->count * sizeof(*items));
    h->items = items;
    *cap = grown;
    return 0;
}

/* What a hold is about, behind "add". */
static void read_scope(struct lines *in, struct hold *h)
{
    h->tenant = lines_field_code(in, "tenant");
    lines_next(in, "class");
    h->class_name = lines_word(in, "the class");
    if (!in->failed && h->class_name.len > HOLD_CLASS_BYTES_MAX)
        lines_fail(in, "the class has a longer name than there is");
    lines_end(in);
    h->since_ns = read_time(in, "since", INT64_MIN);
    h->until_ns = read_time(in, "until", INT64_MAX);
}

/* Which hold a release ends. */
static struct hold *read_release(struct lines *in, struct holds *h)
{
    lines_next(in, "release");
    uint64_t number = lines_number(in, "the number of a hold", UINT64_MAX);
    lines_end(in);
    struct hold *ended = find_number(h, number);
    if (!in->failed && (ended == NULL || ended->released != 0))
        lines_fail(in, "no hold %" PRIu64 " is there to be released", number);
    return ended;
}

static int take_record(struct lines *in, struct holds *h, size_t *cap)
{
    struct hold *ended = NULL;
    struct hold r = {0};
    lines_title(in, TITLE);
    lines_next(in, "number");
    r.number = lines_number(in, "the record's number", HOLD_RECORDS_MAX);
    lines_end(in);
    if (!in->failed && r.number != h->records + 1)
        lines_fail(in, "record %" PRIu64 " stands where %" PRIu64 " should", r.number,
                   h->records + 1);
    r.time_ns = read_time(in, "time", 0);
    if (lines_follows(in, "release")) {
        ended = read_release(in, h);
    } else {
        lines_next(in, "add");
        lines_end(in);
        read_scope(in, &r);
    }
    r.by = read_text(in, "by");
    r.reason = read_text(in, "reason");
    if (in->failed)
        return ERR_CORRUPT;
    h->records++;
    int err = copy_text(&h->arena, &r.by);
    err = err == 0 ? copy_text(&h->arena, &r.reason) : err;
    if (err == 0 && ended != NULL) {
        ended->released = r.number;
        ended->released_ns = r.time_ns;
        ended->released_by = r.by;
        ended->released_reason = r.reason;
        return 0;
    }
    err = err == 0 ? copy_text(&h->arena, &r.class_name) : err;
    err = err == 0 ? make_room(h, cap) : err;
    if (err == 0)
        h->items[h->count++] = r;
    return err;
}

static int read_records(struct holds *h, struct slice text, const char *path, struct diag *diag)
{
    struct lines in = lines_of(text, path, diag);
    size_t cap = 0;
    int err = 0;
    while (err == 0 && !in.failed && in.rest.len != 0) {
        struct sha256 said;
        struct sha256 made;
        err = take_record(&in, h, &cap);
        if (err != 0)
            break;
        size_t len = text.len - in.rest.len;
        lines_field_hash(&in, "hash", "the record's hash", &said);
        err = sha256_of(&made, slice_of(text.data, len));
        if (err == 0 && !in.failed && !sha256_equal(&said, &made))
            lines_fail(&in, "the hash of all before is another: the holds were changed");
    }
    if (err == 0 && in.failed)
        err = ERR_CORRUPT;
    return err == 0 ? sha256_of(&h->hash, text) : err;
}

/* The bytes of the file too, for who appends. */
static int read_file(struct holds *out, struct buf *text, const char *path, struct diag *diag)
{
    struct holds h = {0};
    int err = file_read_all(text, path, HOLD_FILE_BYTES_MAX);
    if (err == 0 && text->len == 0) {
        diag_add(diag, path, 0, 0, "the file is empty, which holds never are; restore it");
        err = ERR_CORRUPT;
    }
    if (err == ERR_NOTFOUND)
        return 0;
    if (err == 0)
        err = read_records(&h, buf_content(text), path, diag);
    if (err == 0)
        *out = h;
    else
        holds_release(&h);
    return err;
}

int holds_read(struct holds *out, const char *dir, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf text = {0};
    int err = path_of(path, dir, NAME);
    if (err == 0)
        err = read_file(out, &text, path, diag);
    buf_release(&text);
    return err;
}

const struct hold *holds_find(const struct holds *h, const struct hold_question *q)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct hold *o = &h->items[i];
        if (o->released == 0 && o->tenant == q->tenant &&
            (slice_equal(o->class_name, SLICE(HOLD_CLASS_ALL)) ||
             slice_equal(o->class_name, q->class_name)) &&
            q->from_ns < o->until_ns && q->to_ns >= o->since_ns)
            return o;
    }
    return NULL;
}

int holds_lock(struct file **out, const char *dir, int64_t wait_ns)
{
    static const struct timespec LOOK = {.tv_nsec = LOCK_LOOK_MS * INT64_C(1000000)};
    char path[FILE_PATH_BYTES_MAX];
    struct file *file = NULL;
    int64_t until_ns = clock_monotonic_ns() + wait_ns;
    int err = path_of(path, dir, NAME ".lock");
    if (err == 0)
        err = file_open(&file, path, FILE_APPEND);
    if (err == 0)
        err = file_lock(file);
    while (err == ERR_BUSY && clock_monotonic_ns() < until_ns) {
        (void)nanosleep(&LOOK, NULL);
        err = file_lock(file);
    }
    if (err != 0) {
        file_close(file);
        return err;
    }
    *out = file;
    return 0;
}

static void print_time(struct buf *out, const char *key, int64_t ns, int64_t open_end)
{
    buf_printf(out, "%s ", key);
    if (ns == open_end)
        buf_byte(out, '-');
    else
        clock_print(out, ns);
    buf_byte(out, '\n');
}

/* Append the record to what the file holds. */
static int print_record(struct buf *out, const struct hold *h, uint64_t number, uint64_t releases)
{
    char hex[SHA256_HEX_BYTES + 1];
    struct sha256 hash;
    buf_printf(out, TITLE "\nnumber %" PRIu64 "\n", number);
    print_time(out, "time", h->time_ns, CLOCK_NONE);
    if (releases != 0) {
        buf_printf(out, "release %" PRIu64 "\n", releases);
    } else {
        buf_printf(out, "add\ntenant %06" PRIu32 "\nclass %.*s\n", h->tenant,
                   (int)h->class_name.len, h->class_name.data);
        print_time(out, "since", h->since_ns, INT64_MIN);
        print_time(out, "until", h->until_ns, INT64_MAX);
    }
    buf_printf(out, "by %.*s\nreason %.*s\n", (int)h->by.len, h->by.data, (int)h->reason.len,
               h->reason.data);
    int err = buf_ok(out) ? sha256_of(&hash, buf_content(out)) : ERR_NOMEM;
    if (err != 0)
        return err;
    sha256_hex(hex, &hash);
    buf_printf(out, "hash %s\n", hex);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

static bool scope_right(const struct hold *h)
{
    bool word = h->class_name.len != 0 && h->class_name.len <= HOLD_CLASS_BYTES_MAX;
    for (size_t i = 0; i < h->class_name.len && word; i++)
        word = h->class_name.data[i] >= 'a' && h->class_name.data[i] <= 'z';
    return word && h->tenant <= CODE_MAX && h->since_ns < h->until_ns;
}

static int append(uint64_t *number, const char *dir, const struct hold *h, uint64_t releases,
                  struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf text = {0};
    struct holds now = {0};
    struct file *lock = NULL;
    if (!text_right(h->by) || !text_right(h->reason) || (releases == 0 && !scope_right(h)))
        return ERR_RANGE;
    int err = path_of(path, dir, NAME);
    if (err == 0)
        err = holds_lock(&lock, dir, HOLD_LOCK_WAIT_NS);
    if (err == 0)
        err = read_file(&now, &text, path, diag);
    const struct hold *ended = err == 0 ? find_number(&now, releases) : NULL;
    if (err == 0 && releases != 0 && (ended == NULL || ended->released != 0)) {
        diag_add(diag, path, 0, 0, "hold %" PRIu64 " %s", releases,
                 ended == NULL ? "is not there" : "was released already");
        err = ERR_NOTFOUND;
    }
    if (err == 0 && now.records == HOLD_RECORDS_MAX)
        err = ERR_RANGE;
    if (err == 0)
        err = print_record(&text, h, now.records + 1, releases);
    failpoint("hold.before_write");
    if (err == 0)
        err = file_write_atomic(path, buf_content(&text));
    if (err == ERR_IO && file_no_space())
        err = ERR_AGAIN;
    failpoint("hold.durable");
    if (err == 0)
        *number = now.records + 1;
    holds_release(&now);
    buf_release(&text);
    file_close(lock);
    return err;
}

int holds_add(uint64_t *number, const char *dir, const struct hold *h, struct diag *diag)
{
    return append(number, dir, h, 0, diag);
}

int holds_end(const char *dir, uint64_t number, const struct hold *by, struct diag *diag)
{
    uint64_t record = 0;
    return number == 0 ? ERR_NOTFOUND : append(&record, dir, by, number, diag);
}
