/*
 * retire_store DIR SEQ: retire all log files of a store whose last frame is not behind SEQ, as if their rows
 * were in segments. What tests/fault/test_retired.py drives. Prints how many files went.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store.h"

int main(int argc, char **argv)
{
    struct store *st = NULL;
    struct retire_report report = {0};
    struct diag diag = {0};
    if (argc != 3)
        return 2;
    const struct store_options opts = {.dir = argv[1]};
    int err = store_open(&st, &opts, &diag);
    if (err == 0)
        err = store_retire(st, strtoull(argv[2], NULL, 10), &report, &diag);
    (void)fputs(diag_text(&diag), stderr);
    (void)printf("%" PRIu64 " %" PRIu64 "\n", report.files, report.through_seq);
    store_close(st);
    diag_release(&diag);
    return err == 0 ? 0 : err == ERR_AGAIN ? 4 : 1;
}
