#include "app/parcel.h"

#include <stdlib.h>

void parcel_free(struct parcel *p)
{
    if (p == NULL)
        return;
    buf_release(&p->bytes);
    arena_release(&p->arena);
    free(p);
}
