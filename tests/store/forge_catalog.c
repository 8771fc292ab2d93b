/*
 * forge_catalog TRUE FALSE: what somebody does who changed a line in the segments of the folder FALSE and
 * mends everything that stands beside it but the tree: a catalog of FALSE's segments with the tree of
 * TRUE, the municipality's folder as it should be. For tests/fault/test_tampering.py.
 */
#include <stdio.h>

#include "base/err.h"
#include "store/store.h"

static int forge(const char *true_folder, const char *false_folder, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct catalog truth = {0};
    struct catalog lie = {0};
    struct catalog made = {0};
    int err = catalog_read(&truth, true_folder, diag);
    if (err == 0)
        err = catalog_read(&lie, false_folder, diag);
    const struct catalog_change change = {.through_seq = truth.through_seq,
                                          .tree = &truth.tree,
                                          .added = lie.segments,
                                          .added_count = lie.segment_count};
    memcpy(made.store_id, truth.store_id, sizeof(made.store_id));
    made.tenant = truth.tenant;
    int len = snprintf(path, sizeof(path), "%s/catalog", false_folder);
    if (err == 0)
        err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : file_unlink(path);
    if (err == 0)
        err = catalog_append(&made, false_folder, &change);
    catalog_release(&truth);
    catalog_release(&lie);
    catalog_release(&made);
    return err;
}

int main(int argc, char **argv)
{
    struct diag diag = {0};
    if (argc != 3) {
        (void)fputs("usage: forge_catalog TRUE FALSE\n", stderr);
        return 2;
    }
    int err = forge(argv[1], argv[2], &diag);
    if (err != 0)
        (void)fprintf(stderr, "forge_catalog: %s %s\n", err_name(err), diag_text(&diag));
    diag_release(&diag);
    return err == 0 ? 0 : 1;
}
