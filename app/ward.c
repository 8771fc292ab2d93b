#include "app/ward.h"

#include <stdlib.h>

#include "app/hidden.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    PLACES_FIRST = 4096,
    SNAPSHOT_ROWS = 20000, /* judging so many again takes some ten milliseconds */
    SNAPSHOT_TICKS = 300,
};

/* An alert on its way to the next chain: its record behind its length. */
static int keep_alert(void *self, const struct detect_alert *alert)
{
    struct ward *w = self;
    size_t at = w->alerts.len;
    buf_put32(&w->alerts, 0);
    alert_record_put(&w->alerts, &alert->record);
    if (!buf_ok(&w->alerts))
        return ERR_NOMEM;
    bytes_put32(w->alerts.data + at, (uint32_t)(w->alerts.len - at - sizeof(uint32_t)));
    w->alert_count++;
    return 0;
}

int ward_new(struct ward **out, uint32_t tenant, struct watch *watch)
{
    struct ward *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ERR_NOMEM;
    w->tenant = tenant;
    int status = watch == NULL ? 0 : watch_tenant(&w->detect, watch, tenant, keep_alert, w);
    if (status != 0) {
        free(w);
        return status;
    }
    if (w->detect != NULL)
        hidden_forget(w->detect);
    *out = w;
    return 0;
}

void ward_free(struct ward *w)
{
    if (w == NULL)
        return;
    buf_release(&w->alerts);
    free(w->batch_of);
    free(w);
}

static int make_room(struct ward *w)
{
    size_t cap = w->place_cap == 0 ? PLACES_FIRST : w->place_cap;
    while (cap < w->order)
        cap *= 2;
    if (cap == w->place_cap)
        return 0;
    uint32_t *places = realloc(w->batch_of, cap * sizeof(*places));
    if (places == NULL)
        return ERR_NOMEM;
    w->batch_of = places;
    w->place_cap = cap;
    return 0;
}

int ward_batch(struct ward *w, const struct batch *b)
{
    int status = make_room(w);
    if (status != 0)
        return status;
    for (uint32_t row = 0; row < b->row_count; row++)
        w->batch_of[b->order[row]] = w->batches;
    w->batches++;
    return w->detect == NULL ? 0 : detect_add(w->detect, b, b->order);
}

int ward_judge(struct ward *w, struct parcel *chain)
{
    int status = w->detect == NULL ? 0 : detect_run_rows(w->detect);
    if (status == 0 && w->detect != NULL)
        status = hidden_take(&chain->hidden, w->detect, w->tenant);
    if (status == 0 && w->batches > 1)
        turns_put(&chain->order, w->tenant, w->batches, w->batch_of, w->order);
    w->rows += w->order;
    w->order = 0;
    w->batches = 0;
    ward_give_alerts(w, chain);
    return status != 0 || buf_ok(&chain->order) ? status : ERR_NOMEM;
}

int ward_contribute(struct ward *w, struct buf *out)
{
    size_t at = out->len;
    buf_put32(out, w->tenant);
    buf_put32(out, 0);
    int status = detect_tenant_contribution(w->detect, out);
    if (status == 0)
        bytes_put32(out->data + at + 4, (uint32_t)((out->len - at - 8) / sizeof(uint64_t)));
    return status;
}

int ward_snapshot(struct ward *w, unsigned *left, struct parcel *mark)
{
    struct snapshot *s = NULL;
    struct buf image = {0};
    w->idle++;
    bool due = w->rows >= SNAPSHOT_ROWS || w->idle >= SNAPSHOT_TICKS;
    if (w->kept && (!due || *left == 0))
        return 0;
    int status = detect_tenant_image(w->detect, &image);
    if (status == 0)
        status = snapshot_make(&s, w->tenant, buf_content(&image));
    buf_release(&image);
    if (status != 0)
        return status;
    s->next = mark->snapshots;
    mark->snapshots = s;
    *left -= *left != 0;
    w->kept = true;
    w->rows = 0;
    w->idle = 0;
    return 0;
}

void ward_give_alerts(struct ward *w, struct parcel *mark)
{
    if (mark->alert_count == 0) {
        buf_release(&mark->alerts);
        mark->alerts = w->alerts;
        w->alerts = (struct buf){0};
    } else {
        buf_slice(&mark->alerts, buf_content(&w->alerts));
        buf_reset(&w->alerts);
    }
    mark->alert_count += w->alert_count;
    w->alert_count = 0;
}
