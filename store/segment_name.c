/* store/segment_name.c - how the files of segments are called. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/segment.h"

int segment_path(char *out, size_t cap, const char *folder, const struct segment_name *name)
{
    int len = snprintf(out, cap, "%s/%08" PRIx64 ".%" PRIu32 ".seg", folder, (uint64_t)name->hour,
                       name->generation);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

bool segment_parse(struct segment_name *out, bool *begun, const char *file)
{
    char *end = NULL;
    struct segment_name name = {0};
    if (strspn(file, "0123456789abcdef") < 8)
        return false;
    name.hour = (int64_t)strtoull(file, &end, 16);
    if (end[0] != '.' || end[1] < '1' || end[1] > '9')
        return false;
    name.generation = (uint32_t)strtoul(end + 1, &end, 10);
    *begun = strcmp(end, ".seg.tmp") == 0;
    if (!*begun && strcmp(end, ".seg") != 0)
        return false;
    *out = name;
    return true;
}
