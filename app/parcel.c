#include "app/parcel.h"

#include <stdlib.h>

#include "base/bytes.h"

static void parcel_free_one(struct parcel *p)
{
    pack_release(&p->pack);
    buf_release(&p->bytes);
    buf_release(&p->order);
    buf_release(&p->alerts);
    buf_release(&p->hidden);
    buf_release(&p->watermarks);
    buf_release(&p->contributions);
    buf_release(&p->signals);
    struct snapshot *next = NULL;
    for (struct snapshot *s = p->snapshots; s != NULL; s = next) {
        next = s->next;
        snapshot_free(s);
    }
    arena_release(&p->arena);
    free(p);
}

void parcel_free(struct parcel *p)
{
    while (p != NULL) {
        struct parcel *next = p->next;
        parcel_free_one(p);
        p = next;
    }
}

size_t parcel_items(struct slice *out, size_t most, struct slice bytes)
{
    size_t count = 0;
    while (bytes.len >= sizeof(uint32_t) && count < most) {
        uint32_t len = bytes_get32(bytes.data);
        bytes = slice_from_offset(bytes, sizeof(uint32_t));
        out[count++] = slice_of(bytes.data, len);
        bytes = slice_from_offset(bytes, len);
    }
    return count;
}
