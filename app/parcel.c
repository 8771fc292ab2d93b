#include "app/parcel.h"

#include <stdlib.h>

void parcel_free(struct parcel *p)
{
    if (p == NULL)
        return;
    buf_release(&p->bytes);
    pack_release(&p->pack);
    arena_release(&p->arena);
    free(p);
}
