#include "app/output_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

enum {
    FRAMES_MAX = 4096, /* looked at by one call */
};

struct output_log {
    struct log_reader *reader;
    struct output_place place;
    bool inside; /* items are of frame place.seq, place.skip of them are taken */
    struct frame_items items;
    uint8_t store_id[STORE_ID_BYTES];
};

int output_batch_init(struct output_batch_store *b)
{
    *b = (struct output_batch_store){
        .alerts = calloc(OUTPUT_BATCH_ALERTS_MAX, sizeof(*b->alerts)),
        .done = calloc(OUTPUT_BATCH_ALERTS_MAX, sizeof(*b->done)),
        .at = calloc(OUTPUT_BATCH_ALERTS_MAX, sizeof(*b->at)),
    };
    b->batch.alerts = b->alerts;
    b->batch.done = b->done;
    if (b->alerts != NULL && b->done != NULL && b->at != NULL)
        return 0;
    output_batch_release(b);
    return ERR_NOMEM;
}

void output_batch_release(struct output_batch_store *b)
{
    free(b->alerts);
    free(b->done);
    free(b->at);
    buf_release(&b->bytes);
    *b = (struct output_batch_store){0};
}

void output_batch_reset(struct output_batch_store *b, struct output_place place)
{
    b->batch.count = 0;
    b->batch.from = place;
    b->batch.end = place;
    buf_reset(&b->bytes);
}

/* Go to the frame at the place, or as far as the log reaches. */
static int enter_place(struct output_log *l, struct diag *diag)
{
    int err = log_reader_find(l->reader, l->place.seq, diag);
    uint64_t at = log_reader_position(l->reader).next_seq;
    if (err == ERR_AGAIN)
        err = 0;
    if (err == 0 && at != l->place.seq)
        l->place = (struct output_place){.seq = at};
    return err;
}

int output_log_open(struct output_log **out, const char *dir, struct output_place *place,
                    struct diag *diag)
{
    const struct log_reader_options options = {.dir = dir, .remains = true};
    struct output_log *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_NOMEM;
    l->place = *place;
    int err = log_reader_open(&l->reader, &options, diag);
    if (err == 0)
        err = enter_place(l, diag);
    if (err != 0) {
        output_log_close(l);
        return err;
    }
    memcpy(l->store_id, log_reader_header(l->reader)->store_id, sizeof(l->store_id));
    *place = l->place;
    *out = l;
    return 0;
}

void output_log_close(struct output_log *l)
{
    if (l == NULL)
        return;
    log_reader_close(l->reader);
    free(l);
}

const uint8_t *output_log_store_id(const struct output_log *l)
{
    return l->store_id;
}

/*
 * Read the frame at the place, or the next one that is left where files are retired: those between
 * had no alerts. Its first place.skip alerts are passed over.
 */
static int enter_frame(struct output_log *l, struct diag *diag)
{
    struct frame_view view;
    struct slice blob;
    int err = ledger_read(&view, l->reader, diag);
    if (err != 0)
        return err;
    if (view.link.seq != l->place.seq)
        l->place = (struct output_place){.seq = view.link.seq};
    l->items = view.alerts;
    l->inside = true;
    for (uint64_t i = 0; i < l->place.skip; i++) {
        if (!frame_next_blob(&blob, &l->items))
            break;
    }
    return 0;
}

static bool room(const struct output_batch_store *b)
{
    return b->batch.count < OUTPUT_BATCH_ALERTS_MAX && b->bytes.len < OUTPUT_BATCH_BYTES_MAX;
}

/* The alerts of the frame, as many as fit; false when the buffer could not grow. */
static bool take_alerts(struct output_log *l, struct output_batch_store *b)
{
    struct slice blob;
    struct frame_items before = l->items;
    while (room(b) && frame_next_blob(&blob, &l->items)) {
        struct alert_record record;
        l->place.skip++;
        if (alert_record_take(&record, blob) != 0) {
            b->damaged++;
            before = l->items;
            continue;
        }
        b->at[b->batch.count] = b->bytes.len;
        buf_slice(&b->bytes, record.line);
        if (!buf_ok(&b->bytes)) {
            l->place.skip--;
            l->items = before;
            return false;
        }
        before = l->items;
        b->done[b->batch.count] = false;
        b->alerts[b->batch.count++] = record;
    }
    if (l->items.left == 0) {
        l->place = (struct output_place){.seq = l->place.seq + 1};
        l->inside = false;
    }
    return true;
}

int output_log_fill(struct output_log *l, struct output_batch_store *b, struct diag *diag)
{
    int err = 0;
    unsigned frames = 0;
    output_batch_reset(b, l->place);
    while (err == 0 && room(b) && frames < FRAMES_MAX) {
        if (!l->inside) {
            err = enter_frame(l, diag);
            frames += err == 0;
        }
        if (err == 0 && !take_alerts(l, b))
            err = ERR_NOMEM;
    }
    for (size_t i = 0; i < b->batch.count; i++)
        b->alerts[i].line.data = b->bytes.data + b->at[i];
    b->batch.end = l->place;
    /* What was taken is a batch; the failure comes again with the next call. */
    return b->batch.count != 0 || frames != 0 ? 0 : err;
}
