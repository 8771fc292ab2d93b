#include "app/hidden.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/escape.h"

enum {
    RECORD_HEAD_BYTES = 16, /* length, tenant, rows */
};

struct taking {
    struct buf *out;
    uint32_t tenant;
};

static int record_add(void *self, const struct sigma_rule *rule, const struct sigma_rule *filter,
                      uint64_t rows)
{
    const struct taking *t = self;
    (void)rule;
    buf_put32(t->out, (uint32_t)(RECORD_HEAD_BYTES - sizeof(uint32_t) + filter->id.len));
    buf_put32(t->out, t->tenant);
    buf_put64(t->out, rows);
    buf_slice(t->out, filter->id);
    return buf_ok(t->out) ? 0 : ERR_NOMEM;
}

int hidden_take(struct buf *out, struct detect_tenant *detect, uint32_t tenant)
{
    struct taking t = {.out = out, .tenant = tenant};
    return detect_tenant_hidden(detect, record_add, &t);
}

static int nobody(void *self, const struct sigma_rule *rule, const struct sigma_rule *filter,
                  uint64_t rows)
{
    (void)self;
    (void)rule;
    (void)filter;
    (void)rows;
    return 0;
}

void hidden_forget(struct detect_tenant *detect)
{
    (void)detect_tenant_hidden(detect, nobody, NULL);
}

void hidden_tally(struct tally *tally, struct slice records)
{
    while (records.len >= RECORD_HEAD_BYTES) {
        size_t len = bytes_get32(records.data) + sizeof(uint32_t);
        const char *at = records.data;
        if (len > records.len)
            return;
        tally_hidden(tally, bytes_get32(at + 4),
                     slice_of(at + RECORD_HEAD_BYTES, len - RECORD_HEAD_BYTES),
                     bytes_get64(at + 8));
        records = slice_from_offset(records, len);
    }
}

void hidden_print(struct tally *tally, FILE *to)
{
    struct tally_hidden *list = calloc(TALLY_HIDDEN_MAX, sizeof(*list));
    size_t count = list == NULL ? 0 : tally_copy_hidden(tally, list, TALLY_HIDDEN_MAX);
    for (size_t i = 0; i < count; i++) {
        struct buf text = {0};
        escape_text(&text, slice_from(list[i].filter));
        (void)fprintf(to, "municipality %06" PRIu32 ": the filter %s took out %" PRIu64 "\n",
                      list[i].tenant, buf_string(&text), list[i].rows);
        buf_release(&text);
    }
    free(list);
}
