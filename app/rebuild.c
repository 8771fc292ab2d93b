#include "app/rebuild.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/control.h"
#include "app/prefecture.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    PREVALENCE_BYTES_MAX = 256 << 20,
};

/* A municipality of the log. */
struct known {
    struct known *next;
    uint32_t tenant;
    uint64_t after_seq;                   /* its snapshot has this frame and all before it */
    struct sha256 prev_hash;              /* of that frame */
    const struct snapshot_file *snapshot; /* to be loaded when that frame is passed; or NULL */
    struct detect_tenant *detect;         /* NULL until then */
    uint32_t batches;                     /* of the frame at hand so far */
};

/* Batches that were filled in turns, of the frame at hand. */
struct interleaved {
    struct interleaved *next;
    struct turns turns;
    uint32_t **order; /* per batch: the place of each of its rows */
    uint32_t *rows;   /* per batch */
    uint32_t added;   /* batches that were given to detection */
};

struct rebuild {
    const struct rebuild_options *o;
    struct rebuild_stats *stats;
    struct diag *diag;
    struct log_reader *reader;
    struct codec *codec;
    struct batch *batch;
    struct known *known;
    struct interleaved *interleaved;
    struct arena arena; /* of the frame */
    struct buf state;
    struct snapshot_file *files; /* snapshots, the newest first within a tenant */
    bool *bad;                   /* of each: it turned out to be of no use */
    size_t file_count;
    uint64_t began_seq; /* frame of the earliest snapshot that was chosen; 0: the log's beginning */
    bool restart;       /* a snapshot that was chosen is of no use */
    struct buf signals; /* that the rows of the frame gave */
    int64_t tick_ns;
};

static struct known *known_of(const struct rebuild *r, uint32_t tenant)
{
    for (struct known *k = r->known; k != NULL; k = k->next) {
        if (k->tenant == tenant)
            return k;
    }
    return NULL;
}

static int known_add(struct known **out, struct rebuild *r, uint32_t tenant)
{
    struct known **place = &r->known;
    while (*place != NULL && (*place)->tenant < tenant)
        place = &(*place)->next;
    struct known *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return ERR_NOMEM;
    k->tenant = tenant;
    k->next = *place;
    *place = k;
    *out = k;
    return 0;
}

/* Its state, in the watch and under the sets of now. */
static int known_open(struct rebuild *r, struct known *k)
{
    return watch_tenant(&k->detect, r->o->watch, k->tenant, r->o->alert, r->o->self);
}

/* -------------------------------------------------------------------------- snapshots */

static int load_prevalence(struct rebuild *r, const struct sha256 *hash)
{
    static const struct sha256 NONE;
    char path[FILE_PATH_BYTES_MAX];
    struct buf content = {0};
    if (sha256_equal(hash, &NONE))
        return 0;
    int status = store_env_path(path, sizeof(path), r->o->dir, hash);
    if (status == 0)
        status = file_read_all(&content, path, PREVALENCE_BYTES_MAX);
    if (status == 0)
        status = watch_load_prevalence(r->o->watch, buf_content(&content));
    if (status != 0)
        diag_add(r->diag, path, 0, 0, "what the prefecture knew cannot be read: %s",
                 err_name(status));
    buf_release(&content);
    return status;
}

/* The newest snapshot of a tenant that may be usable; *i moves behind the tenant's files. */
static int choose_snapshot(struct rebuild *r, size_t *i, struct snapshot_place *earliest)
{
    uint32_t tenant = r->files[*i].tenant;
    struct known *k = NULL;
    bool wanted = tenant != PREFECTURE_CODE || watch_has_prefecture(r->o->watch);
    for (; *i < r->file_count && r->files[*i].tenant == tenant; (*i)++) {
        struct snapshot_place place;
        if (!wanted || k != NULL || r->bad[*i] ||
            snapshot_read_place(&place, r->o->dir, &r->files[*i]) != 0)
            continue;
        int status = known_add(&k, r, tenant);
        if (status != 0)
            return status;
        k->snapshot = &r->files[*i];
        k->after_seq = place.at.next_seq;
        k->prev_hash = place.at.prev_hash;
        if (earliest->at.next_seq == 0 || place.at.next_seq < earliest->at.next_seq)
            *earliest = place;
    }
    return k == NULL && wanted ? ERR_NOTFOUND : 0;
}

/* What is in force before the frame at a place: the names of its file up to there. */
static int read_names(struct rebuild *r, const struct log_position *at)
{
    if (r->o->past == NULL)
        return 0;
    const struct log_file_header *header = log_reader_header(r->reader);
    int status = past_begin(r->o->past, header);
    const struct log_position first = {.file_seq = header->first_seq,
                                       .offset = header->bytes,
                                       .next_seq = header->first_seq,
                                       .prev_hash = header->last_hash};
    if (status == 0)
        status = log_reader_seek(r->reader, &first, NULL);
    struct frame_view frame;
    while (status == 0 && log_reader_position(r->reader).next_seq < at->next_seq) {
        status = ledger_read(&frame, r->reader, NULL);
        if (status == 0)
            status = past_take(r->o->past, &frame);
    }
    return status;
}

/*
 * Which snapshot each municipality begins with, and the reader at the earliest of them. ERR_NOTFOUND:
 * the log has to be judged from its beginning, in a fresh watch.
 */
static int choose_snapshots(struct rebuild *r)
{
    struct snapshot_place earliest = {0};
    int status = r->file_count == 0 ? ERR_NOTFOUND : 0;
    for (size_t i = 0; i < r->file_count && status == 0;)
        status = choose_snapshot(r, &i, &earliest);
    if (status == 0)
        status = log_reader_seek(r->reader, &earliest.at, NULL);
    if (status == 0)
        status = read_names(r, &earliest.at);
    if (status == ERR_CORRUPT || status == ERR_FORMAT || status == ERR_AGAIN)
        status = ERR_NOTFOUND;
    r->began_seq = earliest.at.next_seq;
    return status == 0 ? load_prevalence(r, &earliest.prevalence) : status;
}

/* A snapshot that was chosen is of no use: ERR_NOTFOUND, and the next try does without it. */
static int refuse_snapshot(struct rebuild *r, const struct known *k)
{
    r->bad[k->snapshot - r->files] = true;
    r->restart = true;
    return ERR_NOTFOUND;
}

static bool has_snapshot(const struct rebuild *r, uint32_t tenant)
{
    const struct known *k = known_of(r, tenant);
    return k != NULL && k->snapshot != NULL;
}

/*
 * Whoever had a state when the earliest snapshot was made needs one too, or its rows before that would
 * never be judged: a process that dies between the snapshots of its first tick leaves some without.
 * Then the snapshots of that tick are of no use; who has older ones begins with them.
 */
static int check_roster(struct rebuild *r, const struct frame_view *frame)
{
    struct frame_items watermarks = frame->watermarks;
    struct frame_watermark mark;
    bool whole = !watch_has_prefecture(r->o->watch) || has_snapshot(r, PREFECTURE_CODE);
    while (whole && frame_next_watermark(&mark, &watermarks))
        whole = has_snapshot(r, mark.tenant);
    if (whole)
        return 0;
    for (size_t i = 0; i < r->file_count; i++)
        r->bad[i] |= r->files[i].seq == frame->link.seq;
    r->restart = true;
    return ERR_NOTFOUND;
}

static int load_snapshot(struct rebuild *r, struct known *k)
{
    struct snapshot_place place;
    int status = snapshot_read(&r->state, &place, r->o->dir, k->snapshot);
    if (status == ERR_NOTFOUND)
        return refuse_snapshot(r, k);
    if (status == 0)
        status = known_open(r, k);
    if (status == 0)
        status = detect_tenant_load(k->detect, buf_content(&r->state));
    if (status == ERR_FORMAT) { /* of another program: none of them is of use */
        r->file_count = 0;
        r->restart = true;
        return ERR_NOTFOUND;
    }
    k->snapshot = NULL;
    r->stats->snapshots += status == 0;
    return status;
}

/* Snapshots of the frame that was passed. */
static int load_snapshots(struct rebuild *r, const struct frame_link *link)
{
    int status = 0;
    for (struct known *k = r->known; k != NULL && status == 0; k = k->next) {
        if (k->snapshot == NULL || k->after_seq > link->seq)
            continue;
        status = sha256_equal(&k->prev_hash, &link->prev_hash) ? load_snapshot(r, k)
                                                               : refuse_snapshot(r, k);
    }
    return status;
}

/* At the end of the log: what is ahead of it is of another history. */
static int check_snapshots(struct rebuild *r)
{
    int status = 0;
    for (const struct known *k = r->known; k != NULL; k = k->next) {
        if (k->snapshot != NULL)
            status = refuse_snapshot(r, k);
    }
    return status;
}

/* ----------------------------------------------------------------------------- sets */

/* Its correlations are gone, and so is its state: what comes later begins anew. */
static void forget_prefecture(struct rebuild *r, uint64_t seq)
{
    struct known *k = known_of(r, PREFECTURE_CODE);
    if (k == NULL)
        return;
    k->detect = NULL;
    k->snapshot = NULL;
    k->after_seq = seq - 1;
}

static int change_sets(struct rebuild *r, const struct frame_view *frame)
{
    struct watch_sets sets;
    if (r->o->past == NULL)
        return 0;
    int status = past_take(r->o->past, frame);
    if (status != 0 || !past_is_new(r->o->past))
        return status;
    struct diag why = {0};
    status = past_sets(r->o->past, &sets, &why);
    if (status == ERR_CONF && r->o->now != NULL) {
        log_warn("detect", "rows of the log are judged with the sets of now: theirs cannot be read",
                 "frame=%" PRIu64 " why=%s", frame->link.seq, diag_text(&why));
        sets = *r->o->now;
        status = 0;
    }
    if (status != 0)
        diag_add_all(r->diag, &why);
    diag_release(&why);
    r->stats->changes += r->stats->frames != 0;
    if (status == 0)
        status = watch_change(r->o->watch, &sets);
    if (status == 0 && !watch_has_prefecture(r->o->watch))
        forget_prefecture(r, frame->link.seq);
    return status;
}

/* ------------------------------------------------------------------------------ rows */

static struct interleaved *interleaved_of(struct rebuild *r, const struct known *k)
{
    for (struct interleaved *i = r->interleaved; i != NULL; i = i->next) {
        if (i->turns.tenant == k->tenant && k->batches >= i->turns.first &&
            k->batches - i->turns.first < i->turns.batches)
            return i;
    }
    return NULL;
}

/* Count the rows of each batch, then give each its place. */
static int read_turns(struct rebuild *r, struct slice item)
{
    struct interleaved *i = arena_alloc(&r->arena, sizeof(*i));
    uint32_t batch = 0;
    uint64_t rows = 0;
    uint32_t place = 0;
    if (i == NULL)
        return ERR_NOMEM;
    if (turns_open(&i->turns, item) != 0 || i->turns.batches > FRAME_BLOBS_MAX)
        return ERR_CORRUPT;
    i->order = arena_array(&r->arena, i->turns.batches, sizeof(*i->order));
    i->rows = arena_array(&r->arena, i->turns.batches, sizeof(*i->rows));
    if (i->order == NULL || i->rows == NULL)
        return ERR_NOMEM;
    for (struct turns t = i->turns; t.left != 0;) {
        if (!turns_next(&t, &batch, &rows))
            return ERR_CORRUPT;
        if (i->order[batch] == NULL)
            i->order[batch] = arena_array(&r->arena, BATCH_LIVE_ROWS_MAX, sizeof(uint32_t));
        if (i->order[batch] == NULL)
            return ERR_NOMEM;
        for (uint64_t row = 0; row < rows; row++) {
            if (i->rows[batch] == BATCH_LIVE_ROWS_MAX)
                return ERR_CORRUPT;
            i->order[batch][i->rows[batch]++] = place++;
        }
    }
    i->next = r->interleaved;
    r->interleaved = i;
    return 0;
}

static int judge(struct rebuild *r, struct known *k)
{
    struct interleaved *i = interleaved_of(r, k);
    struct batch *b = r->batch;
    const uint32_t *order = b->order;
    if (i != NULL) {
        uint32_t index = k->batches - i->turns.first;
        if (i->rows[index] != b->row_count)
            return ERR_CORRUPT;
        order = i->order[index];
        i->added++;
    } else {
        for (uint32_t row = 0; row < b->row_count; row++)
            b->order[row] = row;
    }
    r->stats->rows += b->row_count;
    int status = detect_add(k->detect, b, order);
    if (status == 0 && (i == NULL || i->added == i->turns.batches))
        status = detect_run_rows(k->detect);
    return status;
}

static int judge_head(struct rebuild *r, const struct batch_head *head, uint64_t seq)
{
    struct known *k = known_of(r, head->tenant);
    int status = k == NULL ? known_add(&k, r, head->tenant) : 0;
    if (status == 0 && seq > k->after_seq && k->detect == NULL)
        status = known_open(r, k);
    if (status == 0 && seq > k->after_seq) {
        batch_reset(r->batch);
        status = codec_texts(r->codec, head, r->batch);
        if (status == 0)
            status = codec_rows(r->codec, head, r->batch, NULL);
        if (status == 0)
            status = judge(r, k);
    }
    if (status == 0)
        k->batches++;
    return status;
}

static int judge_batches(struct rebuild *r, const struct frame_view *frame)
{
    struct frame_items items = frame->batches;
    struct slice blob;
    int status = 0;
    while (status == 0 && frame_next_blob(&blob, &items)) {
        struct pack_view view;
        struct batch_head head;
        status = pack_open(&view, blob);
        while (status == 0 && (status = pack_next(&view, &head)) == 0)
            status = judge_head(r, &head, frame->link.seq);
        if (status == ERR_NOTFOUND)
            status = 0;
    }
    return status;
}

/* Whether the frame had all batches that its turns speak of, each in one item: no row waits. */
static int check_turns(const struct rebuild *r, uint64_t seq)
{
    for (const struct interleaved *i = r->interleaved; i != NULL; i = i->next) {
        const struct known *k = known_of(r, i->turns.tenant);
        if (k == NULL || (seq > k->after_seq && i->added != i->turns.batches))
            return ERR_CORRUPT;
    }
    return 0;
}

/* ------------------------------------------------------------------------------ ticks */

static int give_controls(const struct known *k, struct frame_items items)
{
    struct slice json;
    struct detect_control control;
    while (frame_next_blob(&json, &items)) {
        if (control_read(&control, json) != 0)
            continue; /* refused when it was given, too */
        int status = detect_control(k->detect, &control);
        if (status != 0 && status != ERR_NOTFOUND)
            return status;
    }
    return 0;
}

static int end_day(struct rebuild *r, const struct frame_view *frame)
{
    struct frame_items items = frame->envs;
    struct frame_env env;
    struct buf unused = {0};
    for (struct known *k = r->known; k != NULL; k = k->next) {
        buf_reset(&unused);
        if (frame->link.seq > k->after_seq && k->detect != NULL &&
            detect_tenant_contribution(k->detect, &unused) != 0)
            return ERR_NOMEM;
    }
    buf_release(&unused);
    while (frame_next_env(&env, &items)) {
        if (slice_equal(env.name, SLICE("prevalence")))
            return load_prevalence(r, &env.sha256);
    }
    return 0;
}

static void compare_states(struct rebuild *r, const struct frame_view *frame)
{
    struct frame_items items = frame->snapshots;
    struct slice item;
    while (r->o->differs != NULL && frame_next_blob(&item, &items)) {
        uint8_t hash[HASH_ID_BYTES] = {0};
        if (item.len != SNAPSHOT_HASH_ITEM_BYTES)
            continue;
        uint32_t tenant = bytes_get32(item.data);
        struct known *k = known_of(r, tenant);
        buf_reset(&r->state);
        if (k != NULL && k->detect != NULL && detect_tenant_image(k->detect, &r->state) == 0)
            hash_content(hash, buf_content(&r->state));
        if (k == NULL || memcmp(hash, item.data + 4, HASH_ID_BYTES) != 0)
            r->o->differs(r->o->self, tenant, frame->link.seq);
        r->stats->states++;
    }
}

/*
 * The prefecture's tick, by what its rows gave where all of them were judged, else by what the frame
 * says that they gave: a municipality's snapshot may be newer than the prefecture's.
 */
static int judge_prefecture(struct rebuild *r, const struct frame_view *frame, unsigned flags)
{
    struct known *prefecture = known_of(r, PREFECTURE_CODE);
    struct prefecture_clock clock = {0};
    struct frame_items watermarks = frame->watermarks;
    struct frame_items signals = frame->signals;
    struct frame_watermark mark;
    struct slice item;
    int status = 0;
    if (!watch_has_prefecture(r->o->watch))
        return 0;
    if (prefecture == NULL)
        status = known_add(&prefecture, r, PREFECTURE_CODE);
    if (status != 0 || frame->link.seq <= prefecture->after_seq)
        return status;
    if (prefecture->detect == NULL)
        status = known_open(r, prefecture);
    if (status != 0)
        return status;
    if (!r->o->from_start)
        buf_reset(&r->signals);
    while (!r->o->from_start && frame_next_blob(&item, &signals)) {
        buf_put32(&r->signals, (uint32_t)item.len);
        buf_slice(&r->signals, item);
    }
    while (!r->o->from_start && frame_next_watermark(&mark, &watermarks))
        prefecture_clock_add(&clock, mark.time_ns);
    for (const struct known *k = r->known; k != NULL && r->o->from_start; k = k->next) {
        int64_t watermark = k->detect == NULL ? CLOCK_NONE : detect_tenant_watermark_ns(k->detect);
        if (k != prefecture && watermark != CLOCK_NONE)
            prefecture_clock_add(&clock, watermark);
    }
    status = give_controls(prefecture, frame->controls);
    if (status == 0 && !buf_ok(&r->signals))
        status = ERR_NOMEM;
    if (status == 0)
        status = prefecture_judge(prefecture->detect, buf_content(&r->signals),
                                  prefecture_clock_ns(&clock), frame->tick_ns, flags);
    return status;
}

static int judge_tick(struct rebuild *r, const struct frame_view *frame)
{
    bool end = (frame->flags & FRAME_FLAG_INPUT_END) != 0;
    int status = 0;
    if (frame->tick_ns <= r->tick_ns && !end)
        return 0;
    unsigned flags = (frame->flags & FRAME_FLAG_TICK_GAP) != 0 ? DETECT_TICK_GAP : 0;
    flags |= end ? DETECT_TICK_END : 0;
    buf_reset(&r->signals);
    for (struct known *k = r->known; k != NULL && status == 0; k = k->next) {
        if (frame->link.seq <= k->after_seq || k->detect == NULL || k->tenant == PREFECTURE_CODE)
            continue;
        status = give_controls(k, frame->controls);
        if (status == 0)
            status = detect_tick(k->detect, frame->tick_ns, flags);
        if (status == 0)
            status = detect_tenant_signals(k->detect, &r->signals);
    }
    if (status == 0)
        status = judge_prefecture(r, frame, flags);
    r->tick_ns = frame->tick_ns;
    if (status == 0 && (frame->flags & FRAME_FLAG_DAY_END) != 0)
        status = end_day(r, frame);
    if (status == 0)
        compare_states(r, frame);
    return status;
}

static int judge_frame(struct rebuild *r, const struct frame_view *frame)
{
    struct frame_items items = frame->order;
    struct slice item;
    int status = 0;
    arena_reset(&r->arena);
    r->interleaved = NULL;
    for (struct known *k = r->known; k != NULL; k = k->next)
        k->batches = 0;
    status = change_sets(r, frame);
    if (status == 0 && frame->link.seq == r->began_seq)
        status = check_roster(r, frame);
    if (status != 0)
        return status;
    while (status == 0 && frame_next_blob(&item, &items))
        status = read_turns(r, item);
    if (status == 0)
        status = judge_batches(r, frame);
    if (status == 0)
        status = check_turns(r, frame->link.seq);
    if (status == 0)
        status = judge_tick(r, frame);
    if (status == ERR_CORRUPT || status == ERR_FORMAT) {
        diag_add(r->diag, log_reader_path(r->reader), 0, 0,
                 "frame %" PRIu64
                 ": its batches and turns do not fit each other; run sekisho verify",
                 frame->link.seq);
    }
    r->stats->frames++;
    return status;
}

/* Every frame from where the reader stands. */
static int judge_frames(struct rebuild *r)
{
    struct frame_view frame;
    int status = 0;
    while (status == 0 && (status = ledger_read(&frame, r->reader, r->diag)) == 0) {
        status = judge_frame(r, &frame);
        if (status == 0)
            status = load_snapshots(r, &frame.link);
    }
    return status == ERR_AGAIN ? check_snapshots(r) : status;
}

static int open_parts(struct rebuild *r)
{
    struct log_reader_options options = {.dir = r->o->dir};
    *r->stats = (struct rebuild_stats){0};
    r->tick_ns = 0;
    r->began_seq = 0;
    r->codec = codec_new(1);
    r->batch = batch_new();
    if (r->codec == NULL || r->batch == NULL)
        return ERR_NOMEM;
    int status = r->o->past == NULL ? 0 : past_begin(r->o->past, NULL);
    return status == 0 ? log_reader_open(&r->reader, &options, r->diag) : status;
}

static void close_parts(struct rebuild *r)
{
    struct known *next = NULL;
    for (struct known *k = r->known; k != NULL; k = next) {
        next = k->next;
        free(k);
    }
    r->known = NULL;
    log_reader_close(r->reader);
    r->reader = NULL;
    codec_free(r->codec);
    r->codec = NULL;
    batch_free(r->batch);
    r->batch = NULL;
    arena_release(&r->arena);
    r->interleaved = NULL;
}

/* What was judged is forgotten, and the log read from its beginning. */
static int open_again(struct rebuild *r)
{
    close_parts(r);
    watch_forget(r->o->watch);
    return open_parts(r);
}

static int list_snapshots(struct rebuild *r)
{
    if (r->o->from_start)
        return 0;
    int status = snapshot_list(&r->files, &r->file_count, r->o->dir);
    if (status == 0)
        r->bad = calloc(r->file_count + 1, sizeof(*r->bad));
    return status == 0 && r->bad == NULL ? ERR_NOMEM : status;
}

/*
 * Rows that are to be judged from the first one on have to be in the log. A collector whose snapshots
 * cannot be used (lost, or of another version of the program) begins anew where the log begins: lines
 * must be kept whatever became of the states.
 */
static int check_beginning(const struct rebuild *r)
{
    uint64_t first = log_reader_header(r->reader)->first_seq;
    if (first == 1)
        return 0;
    if (r->o->from_start) {
        diag_add(r->diag, log_reader_path(r->reader), 0, 0,
                 "rows before frame %" PRIu64
                 " are in segments and cannot be judged again: the log begins here; judge a copy "
                 "of the store from before they were retired",
                 first);
        return ERR_NOTFOUND;
    }
    log_warn("collect",
             "no snapshot in state/ can be used, and the log begins later: detection begins anew, "
             "episodes that are open alert again",
             "frame=%" PRIu64, first);
    return 0;
}

/* With snapshots, as long as there are some that may be of use; else from the first frame. */
static int run(struct rebuild *r)
{
    int status = 0;
    do {
        r->restart = false;
        status = choose_snapshots(r);
        if (status == ERR_NOTFOUND) {
            r->file_count = 0;
            status = open_again(r);
            if (status == 0)
                status = check_beginning(r);
        }
        if (status == 0)
            status = judge_frames(r);
        if (r->restart)
            status = open_again(r);
    } while (status == 0 && r->restart);
    return status;
}

int rebuild_run(const struct rebuild_options *options, struct rebuild_stats *stats,
                struct diag *diag)
{
    struct rebuild r = {.o = options, .stats = stats, .diag = diag};
    int status = open_parts(&r);
    if (status == 0)
        status = list_snapshots(&r);
    if (status == 0)
        status = run(&r);
    else if (status == ERR_NOTFOUND) /* no log yet */
        status = 0;
    close_parts(&r);
    free(r.files);
    free(r.bad);
    buf_release(&r.state);
    buf_release(&r.signals);
    return status;
}
