#include "app/existing_store.h"

int existing_store_open(struct store **out, const char *dir, bool read_only, struct diag *diag)
{
    const struct store_options look = {.dir = dir, .read_only = true};
    const struct store_options take = {.dir = dir};
    struct store *st = NULL;
    int err = store_open(&st, &look, diag);
    if (err == 0 && !read_only) {
        store_close(st);
        st = NULL;
        err = store_open(&st, &take, diag);
    }
    if (err == 0)
        *out = st;
    return err;
}
