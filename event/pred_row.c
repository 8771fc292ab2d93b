#include "event/pred_row.h"

#include "base/clock.h"
#include "base/err.h"
#include "event/pred_form.h"
#include "event/pred_plan.h"

static const struct {
    struct slice name;
    unsigned type;
} ROW_FIELDS[ROW_FIELD_COUNT] = {
    [ROW_FIELD_TENANT] = {{"sekisho.tenant", 14}, FIELD_TYPE_TEXT},
    [ROW_FIELD_SOURCE] = {{"sekisho.source", 14}, FIELD_TYPE_TEXT},
    [ROW_FIELD_FORMAT] = {{"sekisho.format", 14}, FIELD_TYPE_TEXT},
    [ROW_FIELD_TOPIC] = {{"kafka.topic", 11}, FIELD_TYPE_TEXT},
    [ROW_FIELD_VERDICT] = {{"sekisho.verdict", 15}, FIELD_TYPE_TEXT},
    [ROW_FIELD_PARSE_ERROR] = {{"sekisho.parse.error", 19}, FIELD_TYPE_TEXT},
    [ROW_FIELD_TIME_SOURCE] = {{"sekisho.time.source", 19}, FIELD_TYPE_TEXT},
    [ROW_FIELD_TIMESTAMP] = {{"@timestamp", 10}, LEAF_TYPE_TIME},
    [ROW_FIELD_INGESTED] = {{"event.ingested", 14}, LEAF_TYPE_TIME},
    [ROW_FIELD_PARTITION] = {{"kafka.partition", 15}, FIELD_TYPE_INT},
    [ROW_FIELD_OFFSET] = {{"kafka.offset", 12}, FIELD_TYPE_INT},
    [ROW_FIELD_SUB] = {{"sekisho.sub", 11}, FIELD_TYPE_INT},
};

enum row_field row_field_find(struct slice name)
{
    for (unsigned i = ROW_FIELD_NONE + 1; i < ROW_FIELD_COUNT; i++) {
        if (slice_equal(ROW_FIELDS[i].name, name))
            return (enum row_field)i;
    }
    return ROW_FIELD_NONE;
}

struct slice row_field_name(enum row_field field)
{
    return field < ROW_FIELD_COUNT ? ROW_FIELDS[field].name : SLICE("");
}

unsigned row_field_type(enum row_field field)
{
    return field < ROW_FIELD_COUNT ? ROW_FIELDS[field].type : FIELD_TYPE_TEXT;
}

/* 1, 0 or an error for one text; the empty text of "no reason" is no value. */
static int text_holds(struct pred_scratch *s, const struct leaf *leaf, struct slice text)
{
    if (text.len == 0)
        return 0;
    if (leaf->op == LEAF_OP_EXISTS)
        return 1;
    /* Names are static and topics borrowed: without padding. */
    const char *copy = arena_copy(&s->arena, text);
    return copy == NULL ? ERR_NOMEM : leaf_text(leaf, s->regex, slice_of(copy, text.len));
}

static int batch_field_rows(struct pred_scratch *s, const struct leaf *leaf, enum row_field field,
                            const struct rows *mask, struct rows *out)
{
    const struct batch *b = s->batch;
    struct slice text = b->topic;
    if (field == ROW_FIELD_TENANT) {
        buf_reset(&s->text);
        buf_printf(&s->text, "%06u", b->tenant);
        if (!buf_ok(&s->text))
            return ERR_NOMEM;
        text = buf_content(&s->text);
    } else if (field == ROW_FIELD_SOURCE) {
        text = b->source;
    } else if (field == ROW_FIELD_FORMAT) {
        text = b->format_name;
    }
    int holds = text_holds(s, leaf, text);
    if (holds > 0)
        rows_or(out, mask);
    return holds < 0 ? holds : 0;
}

/* Fields that a row holds as the number of a name. */
static int name_field_rows(struct pred_scratch *s, const struct leaf *leaf, enum row_field field,
                           const struct rows *mask, struct rows *out)
{
    int8_t known[UINT8_MAX + 1] = {0}; /* 1 = holds, -1 = does not */
    const uint8_t *ids = field == ROW_FIELD_VERDICT       ? s->batch->verdict
                         : field == ROW_FIELD_PARSE_ERROR ? s->batch->reason
                                                          : s->batch->time_source;
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        uint8_t id = ids[s->first_row + i];
        if (known[id] == 0) {
            struct slice name = field == ROW_FIELD_VERDICT       ? verdict_name(id)
                                : field == ROW_FIELD_PARSE_ERROR ? reason_code(id)
                                                                 : time_source_name(id);
            int holds = text_holds(s, leaf, name);
            if (holds < 0)
                return holds;
            known[id] = holds != 0 ? 1 : -1;
        }
        if (known[id] > 0)
            rows_set(out, i);
    }
    return 0;
}

/* Partitions and offsets of all rows of the set, walking the runs once. */
static void place_numbers(const struct pred_scratch *s, bool offset, int64_t *out)
{
    const struct batch *b = s->batch;
    uint32_t end = s->first_row + s->row_count;
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        int64_t at = run->first_offset;
        for (uint32_t row = run->first_row; row < run->first_row + run->count && row < end; row++) {
            if (row != run->first_row && (!run->multi || b->sub == NULL || b->sub[row] == 0))
                at++;
            if (row >= s->first_row)
                out[row - s->first_row] = offset ? at : run->partition;
        }
    }
}

static bool field_numbers(struct pred_scratch *s, enum row_field field, int64_t *out)
{
    const struct batch *b = s->batch;
    for (uint32_t i = 0; i < s->row_count; i++) {
        uint32_t row = s->first_row + i;
        if (field == ROW_FIELD_TIMESTAMP)
            out[i] = b->time_ns[row];
        else if (field == ROW_FIELD_INGESTED)
            out[i] = b->arrival_ns[row];
        else
            out[i] = b->sub == NULL ? 0 : b->sub[row];
    }
    if (field == ROW_FIELD_PARTITION || field == ROW_FIELD_OFFSET)
        place_numbers(s, field == ROW_FIELD_OFFSET, out);
    return row_field_type(field) == LEAF_TYPE_TIME;
}

static int number_holds(struct pred_scratch *s, const struct leaf *leaf, unsigned type,
                        int64_t number)
{
    switch (leaf_way(leaf, type)) {
    case LEAF_PRESENT:
        return 1;
    case LEAF_NUMBER:
        return leaf_number(leaf, type, EPOCH_DIGITS, number);
    case LEAF_TEXT:
        buf_reset(&s->text);
        form_print_number(&s->text, type, EPOCH_DIGITS, number);
        return buf_ok(&s->text) ? leaf_text(leaf, s->regex, buf_content(&s->text)) : ERR_NOMEM;
    case LEAF_NEVER:
    case LEAF_IP:
    default:
        return 0;
    }
}

int row_field_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
                   struct rows *out)
{
    enum row_field field = (enum row_field)s->pred->targets[leaf->target].row_field;
    if (field <= ROW_FIELD_TOPIC)
        return batch_field_rows(s, &leaf->leaf, field, mask, out);
    if (field <= ROW_FIELD_TIME_SOURCE)
        return name_field_rows(s, &leaf->leaf, field, mask, out);
    int64_t *numbers = arena_array(&s->arena, s->row_count, sizeof(*numbers));
    if (numbers == NULL)
        return ERR_NOMEM;
    bool is_time = field_numbers(s, field, numbers);
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        if (is_time && numbers[i] == CLOCK_NONE)
            continue;
        int holds = number_holds(s, &leaf->leaf, row_field_type(field), numbers[i]);
        if (holds < 0)
            return holds;
        if (holds != 0)
            rows_set(out, i);
    }
    return 0;
}
