#include "app/alert_store.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/control.h"
#include "app/output_alert.h"
#include "base/bytes.h"
#include "base/clock.h"

enum {
    ENTRIES_FIRST = 1024,
    CONTROLS_FIRST = 64,
    AWAIT_STEP_MS = 20,
};

struct alert_store {
    struct alert_store_options o;
    struct log_walk walk;
    struct alert_entry *entries;
    size_t count;
    size_t cap;
    uint32_t *slots; /* numbers of entries from 1 by id; 0 = free */
    size_t slot_count;
    struct alert_control *controls;
    size_t control_count;
    size_t control_cap;
    uint64_t control_base; /* number of controls[0] */
    struct file *file;     /* that lines were read from last; or */
    struct remains *remains;
    uint64_t file_seq; /* of either */
    struct buf line;
    struct slice expected; /* a control */
    bool saw_expected;
    int (*visit)(void *self, const struct alert_entry *e);
    void *visit_self;
};

static const char ACKNOWLEDGED[] = "acknowledged";

const char *alert_entry_state(const struct alert_entry *e)
{
    if (e->state == ALERT_SUPERSEDED || e->state == ALERT_CLOSED ||
        e->handling == ALERT_NOT_HANDLED)
        return alert_state_name(e->state);
    return e->handling == ALERT_DONE ? alert_state_name(ALERT_CLOSED) : ACKNOWLEDGED;
}

bool alert_entry_amended_since(const struct alert_entry *e)
{
    return alert_entry_state(e) == ACKNOWLEDGED && e->revision > e->handled_revision;
}

bool alert_state_exists(const char *name)
{
    for (unsigned i = 0; i < ALERT_STATE_COUNT; i++) {
        if (strcmp(alert_state_name(i), name) == 0)
            return true;
    }
    return strcmp(name, ACKNOWLEDGED) == 0;
}

/* ------------------------------------------------------------------------------ entries */

static size_t slot_of(const struct alert_store *s, const struct alert_id *id)
{
    const char *bytes = (const void *)id->bytes;
    size_t at = (size_t)bytes_get64(bytes) & (s->slot_count - 1);
    while (s->slots[at] != 0 && !alert_id_equal(&s->entries[s->slots[at] - 1].id, id))
        at = (at + 1) & (s->slot_count - 1);
    return at;
}

static struct alert_entry *find(const struct alert_store *s, const struct alert_id *id)
{
    if (s->slot_count == 0)
        return NULL;
    uint32_t number = s->slots[slot_of(s, id)];
    return number == 0 ? NULL : &s->entries[number - 1];
}

const struct alert_entry *alert_store_find(const struct alert_store *s, const struct alert_id *id)
{
    return find(s, id);
}

/* Room for one more entry, and a table that is at most half full. */
static int grow(struct alert_store *s)
{
    size_t cap = s->cap == 0 ? ENTRIES_FIRST : s->cap * 2;
    if (s->count < s->cap)
        return 0;
    if (s->count == ALERT_STORE_ALERTS_MAX)
        return ERR_RANGE;
    struct alert_entry *entries = realloc(s->entries, cap * sizeof(*entries));
    if (entries == NULL)
        return ERR_NOMEM;
    s->entries = entries;
    uint32_t *slots = calloc(cap * 2, sizeof(*slots));
    if (slots == NULL)
        return ERR_NOMEM;
    free(s->slots);
    s->slots = slots;
    s->slot_count = cap * 2;
    s->cap = cap;
    for (size_t i = 0; i < s->count; i++)
        s->slots[slot_of(s, &s->entries[i].id)] = (uint32_t)(i + 1);
    return 0;
}

static int entry_of(struct alert_entry **out, struct alert_store *s, const struct alert_id *id)
{
    struct alert_entry *e = find(s, id);
    if (e == NULL) {
        int err = grow(s);
        if (err != 0) {
            if (err == ERR_RANGE) {
                diag_add(s->walk.diag, s->o.dir, 0, 0,
                         "the log holds more than %d alerts: give --tenant, or keep fewer",
                         ALERT_STORE_ALERTS_MAX);
            }
            return err;
        }
        e = &s->entries[s->count];
        *e = (struct alert_entry){.id = *id};
        s->slots[slot_of(s, id)] = (uint32_t)(++s->count);
    }
    *out = e;
    return 0;
}

/* The log file, or what is left of it. */
static int open_file(struct alert_store *s, uint64_t file_seq)
{
    char dir[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    const char *why = NULL;
    if ((s->file != NULL || s->remains != NULL) && s->file_seq == file_seq)
        return 0;
    file_close(s->file);
    s->file = NULL;
    remains_close(s->remains);
    s->remains = NULL;
    int len = snprintf(dir, sizeof(dir), "%s/log", s->o.dir);
    if (len < 0 || (size_t)len >= sizeof(dir))
        return ERR_RANGE;
    int err = log_file_path(path, sizeof(path), dir, file_seq);
    if (err == 0)
        err = file_open(&s->file, path, FILE_READ);
    if (err == ERR_NOTFOUND)
        err = remains_open(&s->remains, dir, file_seq, false, &why);
    s->file_seq = file_seq;
    return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

static int line_of_remains(struct alert_store *s, const struct alert_entry *e, struct buf *out)
{
    struct frame_view frame;
    struct slice blob;
    const char *why = NULL;
    int err = remains_seek(s->remains, e->frame_seq, &why);
    if (err == 0)
        err = remains_next(&frame, s->remains, &why);
    if (err != 0 || frame.link.seq != e->frame_seq)
        return err == 0 || err == ERR_AGAIN || err == ERR_FORMAT ? ERR_CORRUPT : err;
    while (frame_next_blob(&blob, &frame.alerts)) {
        struct alert_record record;
        if (alert_record_take(&record, blob) != 0 || !alert_id_equal(&record.id, &e->id) ||
            record.revision != e->revision || record.line.len != e->len)
            continue;
        buf_slice(out, record.line);
        return buf_ok(out) ? 0 : ERR_NOMEM;
    }
    return ERR_CORRUPT;
}

static int line_of_file(struct alert_store *s, const struct alert_entry *e, struct buf *out)
{
    size_t got = 0;
    char *to = buf_reserve(out, e->len);
    if (to == NULL)
        return ERR_NOMEM;
    int err = file_read_at(&got, s->file, e->at, to, e->len);
    if (err == 0 && got != e->len)
        err = ERR_CORRUPT;
    if (err == 0)
        out->len += got;
    return err;
}

int alert_store_line(struct alert_store *s, const struct alert_entry *e, struct buf *out)
{
    int err = open_file(s, e->file_seq);
    if (err != 0)
        return err;
    return s->remains != NULL ? line_of_remains(s, e, out) : line_of_file(s, e, out);
}

/* What the entry's line says. A line that says nothing of use is no reason to hide the alert. */
static int know(struct alert_store *s, struct alert_entry *e)
{
    struct output_alert a;
    buf_reset(&s->line);
    int err = alert_store_line(s, e, &s->line);
    if (err != 0)
        return err;
    const struct alert_record record = {
        .tenant = e->tenant, .revision = e->revision, .id = e->id, .line = buf_content(&s->line)};
    (void)output_alert_read(&a, &record);
    size_t len = strlen(a.kind) < sizeof(e->kind) - 1 ? strlen(a.kind) : sizeof(e->kind) - 1;
    memset(e->kind, 0, sizeof(e->kind));
    memcpy(e->kind, a.kind, len);
    e->severity = (uint8_t)a.severity;
    e->state = ALERT_OPEN;
    for (unsigned i = 0; i < ALERT_STATE_COUNT; i++) {
        if (strcmp(a.state, alert_state_name(i)) == 0)
            e->state = (uint8_t)i;
    }
    e->first_ns = a.first_ns;
    e->last_ns = a.last_ns;
    e->known = true;
    output_alert_release(&a);
    return 0;
}

size_t alert_store_count(const struct alert_store *s)
{
    return s->count;
}

const struct alert_entry *alert_store_entry(const struct alert_store *s, size_t at)
{
    return &s->entries[at];
}

/* ------------------------------------------------------------------------------ controls */

void alert_store_controls(const struct alert_store *s, uint64_t *begin, uint64_t *end)
{
    *begin = s->control_base;
    *end = s->control_base + s->control_count;
}

const struct alert_control *alert_store_control(const struct alert_store *s, uint64_t number)
{
    if (number < s->control_base || number - s->control_base >= s->control_count)
        return NULL;
    return &s->controls[number - s->control_base];
}

static bool same_effect(const struct detect_control *a, const struct detect_control *b)
{
    return a->action == b->action && a->tenant == b->tenant && strcmp(a->kind, b->kind) == 0 &&
           strcmp(a->key, b->key) == 0 &&
           (a->kind[0] != '\0' || a->key[0] != '\0' || alert_id_equal(&a->id, &b->id));
}

bool alert_store_in_force(const struct alert_store *s, uint64_t number, int64_t now_ns)
{
    const struct alert_control *c = alert_store_control(s, number);
    if (c == NULL || c->what.action != DETECT_SUPPRESS || c->what.until_ns <= now_ns)
        return false;
    for (uint64_t later = number + 1; later < s->control_base + s->control_count; later++) {
        if (same_effect(&alert_store_control(s, later)->what, &c->what))
            return false;
    }
    return true;
}

static int control_room(struct alert_store *s)
{
    if (s->control_count == ALERT_STORE_CONTROLS_MAX) {
        size_t gone = s->control_count / 2;
        memmove(s->controls, s->controls + gone, (s->control_count - gone) * sizeof(*s->controls));
        s->control_count -= gone;
        s->control_base += gone;
    }
    if (s->control_count < s->control_cap)
        return 0;
    size_t cap = s->control_cap == 0 ? CONTROLS_FIRST : s->control_cap * 2;
    struct alert_control *controls = realloc(s->controls, cap * sizeof(*controls));
    if (controls == NULL)
        return ERR_NOMEM;
    s->controls = controls;
    s->control_cap = cap;
    return 0;
}

/* Who said it, and when: not detection's business, so not part of struct detect_control. */
static void read_person(struct alert_control *c, struct slice json)
{
    json_t *object = json_loadb(json.data, json.len, 0, NULL);
    const char *by = json_string_value(json_object_get(object, "by"));
    const char *at = json_string_value(json_object_get(object, "at"));
    c->at_ns = CLOCK_NONE;
    if (at != NULL)
        (void)clock_parse(&c->at_ns, slice_from(at));
    if (by != NULL) {
        struct slice cut = output_text_cut(by, sizeof(c->by) - 1);
        memcpy(c->by, cut.data, cut.len);
    }
    json_decref(object);
}

/* Later controls stand above earlier ones, but nobody takes a closing back. */
static void handle(struct alert_store *s, const struct detect_control *what, uint64_t number)
{
    struct alert_entry *e = what->by_id ? find(s, &what->id) : NULL;
    uint8_t handling = what->action == DETECT_ACK ? ALERT_ACKNOWLEDGED : ALERT_DONE;
    if (e == NULL || (what->tenant != 0 && what->tenant != e->tenant) || handling < e->handling)
        return;
    e->handling = handling;
    e->handled_revision = e->revision;
    e->control = number;
}

static int take_control(struct alert_store *s, struct slice json)
{
    struct alert_control c = {0};
    if (slice_equal(json, s->expected))
        s->saw_expected = true;
    if (control_read(&c.what, json) != 0)
        return 0; /* without effect on detection, too */
    int err = control_room(s);
    if (err != 0)
        return err;
    read_person(&c, json);
    handle(s, &c.what, s->control_base + s->control_count);
    s->controls[s->control_count++] = c;
    return 0;
}

/* ------------------------------------------------------------------------------ frames */

static int take_alert(struct alert_store *s, const struct frame_view *frame, struct slice blob)
{
    struct alert_record record;
    struct alert_entry *e = NULL;
    if (alert_record_take(&record, blob) != 0) {
        diag_add(s->walk.diag, log_reader_path(s->walk.reader), 0, 0,
                 "frame %" PRIu64 ": an alert here is damaged", frame->link.seq);
        s->walk.damage++;
        return 0;
    }
    if (s->o.has_tenant && record.tenant != s->o.tenant)
        return 0;
    int err = entry_of(&e, s, &record.id);
    if (err != 0 || (e->revision != 0 && record.revision <= e->revision))
        return err;
    struct log_position end = log_reader_position(s->walk.reader);
    e->tenant = record.tenant;
    e->revision = record.revision;
    e->file_seq = end.file_seq;
    e->at = end.offset - frame->bytes.len + (uint64_t)(record.line.data - frame->bytes.data);
    e->frame_seq = frame->link.seq;
    e->len = (uint32_t)record.line.len;
    e->known = false;
    if (s->visit == NULL)
        return 0;
    err = know(s, e);
    return err == 0 ? s->visit(s->visit_self, e) : err;
}

static int take_frame(struct alert_store *s, const struct frame_view *frame)
{
    struct frame_items alerts = frame->alerts;
    struct frame_items controls = frame->controls;
    struct slice item;
    int err = 0;
    /* A tick takes the controls before it releases anything: nobody had seen what stands beside them. */
    while (err == 0 && frame_next_blob(&item, &controls))
        err = take_control(s, item);
    while (err == 0 && frame_next_blob(&item, &alerts))
        err = take_alert(s, frame, item);
    return err;
}

static int know_all(struct alert_store *s)
{
    int err = 0;
    for (size_t i = 0; i < s->count && err == 0; i++) {
        if (!s->entries[i].known)
            err = know(s, &s->entries[i]);
    }
    return err;
}

int alert_store_open(struct alert_store **out, const struct alert_store_options *options,
                     struct diag *diag)
{
    struct frame_view frame;
    size_t said = diag->count;
    struct alert_store *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->o = *options;
    int err = log_walk_open_whole(&s->walk, options->dir, diag);
    while (err == 0) {
        err = log_walk_next(&frame, &s->walk);
        if (err == 0)
            err = take_frame(s, &frame);
    }
    if (err == ERR_AGAIN)
        err = know_all(s);
    log_walk_explain(options->dir, err, said, diag);
    if (err != 0) {
        alert_store_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void alert_store_close(struct alert_store *s)
{
    if (s == NULL)
        return;
    log_walk_close(&s->walk);
    file_close(s->file);
    remains_close(s->remains);
    buf_release(&s->line);
    free(s->entries);
    free(s->slots);
    free(s->controls);
    free(s);
}

uint64_t alert_store_damage(const struct alert_store *s)
{
    return s->walk.damage;
}

int alert_store_follow(struct alert_store *s, int (*visit)(void *self, const struct alert_entry *e),
                       void *self)
{
    struct frame_view frame;
    int err = 0;
    s->visit = visit;
    s->visit_self = self;
    while (err == 0) {
        err = ledger_read(&frame, s->walk.reader, s->walk.diag);
        if (err == 0)
            err = take_frame(s, &frame);
    }
    s->visit = NULL;
    return err == ERR_AGAIN ? 0 : err;
}

int alert_store_await(struct alert_store *s, struct slice json, int64_t wait_ns)
{
    const struct timespec step = {.tv_nsec = AWAIT_STEP_MS * 1000000L};
    int64_t until_ns = clock_monotonic_ns() + wait_ns;
    int err = 0;
    s->expected = json;
    s->saw_expected = false;
    for (;;) {
        err = alert_store_follow(s, NULL, NULL);
        if (err != 0 || s->saw_expected)
            break;
        if (clock_monotonic_ns() >= until_ns) {
            err = ERR_AGAIN;
            break;
        }
        (void)nanosleep(&step, NULL);
    }
    s->expected = SLICE("");
    return err;
}
