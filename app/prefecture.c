#include "app/prefecture.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    WATERMARK_BYTES = 12,
    SNAPSHOTS_A_TICK = 1,
};

#define BEHIND_NS (10 * CLOCK_NS_PER_MINUTE) /* one that is further behind is not waited for */

void prefecture_clock_add(struct prefecture_clock *c, int64_t watermark_ns)
{
    if (!c->any || watermark_ns < c->first_ns)
        c->first_ns = watermark_ns;
    if (!c->any || watermark_ns > c->last_ns)
        c->last_ns = watermark_ns;
    c->any = true;
}

int64_t prefecture_clock_ns(const struct prefecture_clock *c)
{
    if (!c->any)
        return CLOCK_NONE;
    return c->last_ns - c->first_ns > BEHIND_NS ? c->last_ns - BEHIND_NS : c->first_ns;
}

int prefecture_judge(struct detect_tenant *t, struct slice items, int64_t watermark_ns,
                     int64_t tick_ns, unsigned flags)
{
    size_t most = items.len / sizeof(uint32_t) + 1;
    struct slice *list = calloc(most, sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    int status = detect_prefecture_take(t, list, parcel_items(list, most, items), watermark_ns);
    if (status == 0)
        status = detect_tick(t, tick_ns, flags);
    free(list);
    return status;
}

int prefecture_open(struct ward **out, struct watch *watch)
{
    *out = NULL;
    if (watch == NULL || !watch_has_prefecture(watch))
        return 0;
    return ward_new(out, PREFECTURE_CODE, watch);
}

static int64_t clock_of(struct parcel *const *marks, unsigned workers)
{
    struct prefecture_clock clock = {0};
    for (unsigned w = 0; w < workers; w++) {
        struct slice rest = buf_content(&marks[w]->watermarks);
        for (; rest.len >= WATERMARK_BYTES; rest = slice_from_offset(rest, WATERMARK_BYTES))
            prefecture_clock_add(&clock, (int64_t)bytes_get64(rest.data + sizeof(uint32_t)));
    }
    return prefecture_clock_ns(&clock);
}

int prefecture_mark(struct ward *prefecture, struct parcel *const *marks, unsigned workers,
                    const struct mark *mark)
{
    struct buf items = {0};
    unsigned snapshots = SNAPSHOTS_A_TICK;
    int status = 0;
    for (unsigned w = 0; w < workers; w++)
        buf_slice(&items, buf_content(&marks[w]->signals));
    if (!buf_ok(&items))
        status = ERR_NOMEM;
    for (size_t i = 0; i < mark->control_count && status == 0; i++) {
        status = detect_control(prefecture->detect, &mark->controls[i]);
        if (status == ERR_NOTFOUND)
            status = 0;
    }
    if (status == 0)
        status = prefecture_judge(prefecture->detect, buf_content(&items), clock_of(marks, workers),
                                  mark->tick_ns, mark->flags);
    ward_give_alerts(prefecture, marks[0]);
    if (status == 0 && mark->keeps_states)
        status = ward_snapshot(prefecture, &snapshots, marks[0]);
    buf_release(&items);
    return status;
}
