/*
 * make_history DIR SEED [STEPS]: a store of random rows, of which the frames but the last are in
 * segments; with STEPS 0 none is. For tests/fault/test_compact.py.
 *
 * After the second step the segments that the third one replaces are still there, and so are late
 * rows for their hours; a municipality has rows in the last step alone. Prints how many rows there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/compact.h"
#include "tests/app/history.h"

enum {
    STEPS = 2,
    FRAMES = 5, /* of a step */
    DECIMAL = 10,
    FILE_BYTES = 32 << 10, /* of the log: several files */
};

static int step(const struct history *h)
{
    struct diag diag = {0};
    struct compact_report report = {0};
    const struct compact_options options = {
        .dir = h->dir.path, .store_id = store_id(h->store), .through_seq = UINT64_MAX};
    int err = compact_run(&options, &report, &diag);
    if (err != 0)
        (void)fprintf(stderr, "make_history: %s: %s\n", err_name(err), diag_text(&diag));
    diag_release(&diag);
    return err;
}

int main(int argc, char **argv)
{
    static const struct history_shape SHAPE = {.records_max = 60,
                                               .late_share = 40,
                                               .late_hours = 3,
                                               .hour_step = 1,
                                               .other_share = 20,
                                               .log_file_bytes = FILE_BYTES,
                                               .tenants = HISTORY_TENANTS - 1};
    struct history h = {0};
    int err = 0;
    if (argc < 3)
        return 2;
    int len = snprintf(h.dir.path, sizeof(h.dir.path), "%s", argv[1]);
    if (len < 0 || (size_t)len >= sizeof(h.dir.path))
        return 2;
    unsigned long steps = argc > 3 ? strtoul(argv[3], NULL, DECIMAL) : STEPS;
    history_begin(&h, strtoull(argv[2], NULL, DECIMAL), &SHAPE);
    for (unsigned long i = 0; i < steps && err == 0; i++) {
        history_grow(&h, FRAMES);
        err = step(&h);
    }
    h.shape.tenants = 0;
    if (err == 0)
        history_grow(&h, FRAMES);
    (void)printf("%zu\n", h.row_count);
    history_end(&h);
    return err == 0 ? 0 : 1;
}
