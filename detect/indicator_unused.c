#include "detect/indicator_unused.h"

#include <string.h>

void indicator_unused_add(struct indicator_unused *u, const char *name)
{
    size_t len = strlen(name);
    if (len > INDICATOR_UNUSED_NAME_BYTES - 1)
        len = INDICATOR_UNUSED_NAME_BYTES - 1;
    for (uint32_t i = 0; i < u->kind_count; i++) {
        if (strlen(u->kinds[i].name) == len && memcmp(u->kinds[i].name, name, len) == 0) {
            u->kinds[i].count++;
            return;
        }
    }
    if (u->kind_count == INDICATOR_UNUSED_KINDS_MAX) {
        u->others++;
        return;
    }
    memcpy(u->kinds[u->kind_count].name, name, len);
    u->kinds[u->kind_count].name[len] = '\0';
    u->kinds[u->kind_count++].count = 1;
}

void indicator_unused_print(struct buf *out, const struct indicator_unused *u)
{
    bool printed[INDICATOR_UNUSED_KINDS_MAX] = {false};
    const char *before = "";
    for (uint32_t n = 0; n < u->kind_count; n++) {
        uint32_t most = u->kind_count;
        for (uint32_t i = 0; i < u->kind_count; i++) {
            if (!printed[i] && (most == u->kind_count || u->kinds[i].count > u->kinds[most].count))
                most = i;
        }
        printed[most] = true;
        buf_printf(out, "%s%u %s", before, u->kinds[most].count, u->kinds[most].name);
        before = ", ";
    }
    if (u->others != 0)
        buf_printf(out, "%s%u of further kinds", before, u->others);
}
