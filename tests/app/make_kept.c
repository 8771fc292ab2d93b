/*
 * make_kept DIR SEED HOURS: a store of random rows of many hours, firewall and proxy, all of them in
 * segments, and the log has only its last file; for tests/fault/test_retention.py.
 *
 * Prints when the first hour begins, in seconds, and how many rows there are.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/compact.h"
#include "app/keyring_option.h"
#include "ingest/ingest.h"
#include "tests/app/history.h"

enum {
    DECIMAL = 10,
    FRAMES = 8, /* of a compaction */
};

static int compact(const struct history *h)
{
    struct diag diag = {0};
    struct compact_report report = {0};
    struct keyring *keys = NULL;
    int err = keyring_option(&keys, &diag);
    const struct compact_options options = {.dir = h->dir.path,
                                            .keys = keys,
                                            .store_id = store_id(h->store),
                                            .through_seq = UINT64_MAX};
    if (err == 0)
        err = compact_run(&options, &report, &diag);
    keyring_close(keys);
    if (err != 0)
        (void)fprintf(stderr, "make_kept: %s: %s\n", err_name(err), diag_text(&diag));
    diag_release(&diag);
    return err;
}

static int let_go(struct history *h)
{
    struct diag diag = {0};
    struct retire_report report = {0};
    int err = store_retire(h->store, store_last_seq(h->store), &report, &diag);
    if (err != 0)
        (void)fprintf(stderr, "make_kept: %s: %s\n", err_name(err), diag_text(&diag));
    diag_release(&diag);
    return err;
}

int main(int argc, char **argv)
{
    static const struct history_shape SHAPE = {.records_max = 40,
                                               .late_share = 5,
                                               .late_hours = 3,
                                               .hour_step = 1,
                                               .formats = {FORMAT_FORTIGATE, FORMAT_SQUID},
                                               .log_file_bytes = LEDGER_FILE_BYTES_MIN};
    struct history h = {0};
    int err = 0;
    if (argc != 4)
        return 2;
    int len = snprintf(h.dir.path, sizeof(h.dir.path), "%s", argv[1]);
    if (len < 0 || (size_t)len >= sizeof(h.dir.path))
        return 2;
    int64_t hours = strtoll(argv[3], NULL, DECIMAL);
    history_begin(&h, strtoull(argv[2], NULL, DECIMAL), &SHAPE);
    while (h.hour < hours && err == 0) {
        history_grow(&h, FRAMES);
        err = compact(&h);
    }
    /* The last file stays, whatever happens: what it has is not to be missed. */
    if (err == 0)
        err = let_go(&h);
    (void)printf("%" PRId64 " %zu\n", HISTORY_TIME_NS / 1000000000, h.row_count);
    history_end(&h);
    return err == 0 ? 0 : 1;
}
