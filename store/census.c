#include "store/census.h"

#include <stdlib.h>

#include "base/err.h"
#include "event/columns.h"
#include "store/census_form.h"
#include "store/reader.h"

enum {
    JOIN_SLOTS = 4096, /* combinations of the places asked for that are told apart by a table */
};

/* A place as it stands in the bytes. */
struct census_part {
    uint8_t place;
    uint8_t kind;
    uint8_t flags;
    uint32_t value_count;
    struct reader values;
    const char *rows; /* a byte for the value of each combination, from 1; 0: none */
};

struct census_reader {
    struct census_part parts[CENSUS_PLACES]; /* those that are asked for */
    uint32_t part_count;
    uint32_t count; /* combinations */
    struct reader rows_of;
    uint32_t slots[JOIN_SLOTS];              /* row + 1 */
    uint32_t first[CENSUS_COMBINATIONS_MAX]; /* of each row: a combination that it stands for */
    uint32_t weights[CENSUS_COMBINATIONS_MAX + 1]; /* and how many rows of the group */
};

static_assert(CENSUS_PLACES_ALL <= 63, "places are bits of a mask");
static_assert((int)CENSUS_COMBINATIONS_MAX < (int)BATCH_ROWS_MAX, "they are rows of a batch");

struct census_reader *census_reader_new(void)
{
    return calloc(1, sizeof(struct census_reader));
}

void census_reader_free(struct census_reader *r)
{
    free(r);
}

uint64_t census_places(struct slice census)
{
    struct reader in = reader_of(census);
    uint64_t places = reader_varint(&in, (UINT64_C(1) << CENSUS_PLACES_ALL) - 1);
    return in.failed ? 0 : places;
}

static void skip_values(struct reader *in, const struct census_part *part)
{
    for (uint32_t i = 0; i < part->value_count; i++) {
        uint64_t value = reader_varint(in, UINT64_MAX);
        if ((part->flags & CENSUS_NUMBER) == 0)
            (void)reader_bytes(in, value <= CENSUS_TEXT_BYTES_MAX ? value : UINT64_MAX);
    }
}

/* What stands of a place before the combinations; places ascend, and are of those that are told. */
static bool read_part(struct reader *in, uint64_t told, int before, struct census_part *part)
{
    *part = (struct census_part){.place = reader_get8(in)};
    part->kind = reader_get8(in);
    part->flags = reader_get8(in);
    part->value_count = (uint32_t)reader_varint(in, CENSUS_VALUES_MAX);
    if (in->failed || part->place >= CENSUS_PLACES || (told >> part->place & 1) == 0 ||
        (int)part->place <= before || part->flags > (CENSUS_NUMBER | CENSUS_DERIVED))
        return false;
    struct census_place place = census_place(part->place);
    bool is_number =
        place.row_field != ROW_FIELD_NONE || (field_info(place.field)->type == FIELD_TYPE_INT);
    if (is_number != ((part->flags & CENSUS_NUMBER) != 0) || !slot_kind_is_value(part->kind))
        return false;
    part->values = *in;
    skip_values(in, part);
    return !in->failed;
}

/* The number of a combination's value, 0 without one. */
static uint32_t value_of(const struct census_part *part, uint32_t combination)
{
    return (unsigned char)part->rows[combination];
}

/* The parts that are asked for, and where the combinations stand. */
static int read_parts(struct census_reader *r, struct slice census, uint64_t places)
{
    struct reader in = reader_of(census);
    uint64_t told = reader_varint(&in, (UINT64_C(1) << CENSUS_PLACES_ALL) - 1);
    uint32_t count = (uint32_t)reader_varint(&in, CENSUS_PLACES);
    uint32_t asked[CENSUS_PLACES] = {0}; /* which of the parts they are */
    int before = -1;
    r->part_count = 0;
    if (in.failed || (places & ~told) != 0 || !census_joins(places))
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        struct census_part *part = &r->parts[r->part_count];
        if (!read_part(&in, told, before, part))
            return ERR_CORRUPT;
        before = part->place;
        if ((places >> part->place & 1) != 0)
            asked[r->part_count++] = i;
    }
    r->count = (uint32_t)reader_varint(&in, CENSUS_COMBINATIONS_MAX);
    struct slice rows = reader_bytes(&in, (uint64_t)count * r->count);
    r->rows_of = in;
    if (in.failed || r->count == 0)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < r->part_count; i++) {
        struct census_part *part = &r->parts[i];
        part->rows = rows.data + (size_t)asked[i] * r->count;
        for (uint32_t k = 0; k < r->count; k++) {
            if (value_of(part, k) > part->value_count)
                return ERR_CORRUPT;
        }
    }
    return 0;
}

/* Combinations that are alike in what is asked for become one row; how many rows there are. */
static uint32_t join(struct census_reader *r)
{
    uint32_t slots = 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->part_count && slots <= JOIN_SLOTS; i++)
        slots *= r->parts[i].value_count + 1;
    bool is_small = slots <= JOIN_SLOTS;
    if (is_small)
        memset(r->slots, 0, slots * sizeof(*r->slots));
    for (uint32_t k = 0; k < r->count; k++) {
        uint32_t weight = (uint32_t)reader_varint(&r->rows_of, ROWGROUP_ROWS_MAX);
        uint32_t at = 0;
        for (uint32_t i = 0; i < r->part_count && is_small; i++)
            at = at * (r->parts[i].value_count + 1) + value_of(&r->parts[i], k);
        uint32_t row = is_small && r->slots[at] != 0 ? r->slots[at] - 1 : count;
        if (is_small)
            r->slots[at] = row + 1;
        if (row == count) {
            r->first[count] = k;
            r->weights[count++] = 0;
        }
        r->weights[row] += weight;
    }
    return count;
}

static bool weights_fit(const struct census_reader *r, uint32_t count, uint32_t rows)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += r->weights[i];
    return sum == rows && !r->rows_of.failed;
}

static int64_t number_of(struct reader *values)
{
    uint64_t v = reader_varint(values, UINT64_MAX);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* A field of the row: verdict, parse error, source of the time. */
static int fill_row_field(const struct census_reader *r, const struct census_part *part,
                          uint8_t row_field, struct batch *out)
{
    uint8_t bytes[CENSUS_VALUES_MAX + 1] = {0};
    uint8_t *to = row_field == ROW_FIELD_VERDICT       ? out->verdict
                  : row_field == ROW_FIELD_PARSE_ERROR ? out->reason
                                                       : out->time_source;
    struct reader values = part->values;
    for (uint32_t i = 0; i < part->value_count; i++) {
        int64_t number = number_of(&values);
        if (number < 0 || number > UINT8_MAX)
            return ERR_CORRUPT;
        bytes[i + 1] = (uint8_t)number;
    }
    for (uint32_t row = 0; row < out->row_count; row++) {
        uint32_t value = value_of(part, r->first[row]);
        if (value == 0)
            return ERR_CORRUPT;
        to[row] = bytes[value];
    }
    return 0;
}

static void fill_numbers(const struct census_reader *r, const struct census_part *part,
                         struct column *c)
{
    int64_t numbers[CENSUS_VALUES_MAX + 1] = {VALUE_NONE};
    struct reader values = part->values;
    for (uint32_t i = 0; i < part->value_count; i++)
        numbers[i + 1] = number_of(&values);
    for (uint32_t row = 0; row < c->row_cap; row++)
        c->numbers[row] = numbers[value_of(part, r->first[row])];
}

/* The texts stay where they stand: the batch's text is a copy of the census. */
static int fill_texts(const struct census_reader *r, const struct census_part *part,
                      struct column *c, struct batch *out, const char *census)
{
    struct reader values = part->values;
    c->entries = arena_array(&out->arena, part->value_count + 1, sizeof(*c->entries));
    if (c->entries == NULL)
        return ERR_NOMEM;
    c->entry_count = part->value_count;
    for (uint32_t i = 0; i < part->value_count; i++) {
        struct slice text = reader_bytes(&values, reader_varint(&values, CENSUS_TEXT_BYTES_MAX));
        c->entries[i] =
            (struct span){.offset = (uint32_t)(text.data - census), .len = (uint32_t)text.len};
    }
    for (uint32_t row = 0; row < c->row_cap; row++) {
        uint32_t value = value_of(part, r->first[row]);
        c->codes[row] = value == 0 ? CODE_NONE : (uint16_t)(value - 1);
    }
    return 0;
}

static int add_column(const struct census_reader *r, const struct census_part *part,
                      const struct rowgroup_head *head, struct batch *out)
{
    struct census_place place = census_place(part->place);
    const struct field_info *info = field_info(place.field);
    bool is_number = (part->flags & CENSUS_NUMBER) != 0;
    const struct column like = {.field = place.field,
                                .kind = part->kind,
                                .type = info->type,
                                .storage = is_number ? COLUMN_INT : COLUMN_CODES,
                                .derived = (part->flags & CENSUS_DERIVED) != 0};
    int column = batch_column_add(out, &like);
    if (column < 0)
        return column;
    struct column *c = &out->columns[column];
    if (!is_number)
        return fill_texts(r, part, c, out, head->census.data);
    fill_numbers(r, part, c);
    return 0;
}

static void tally_row(struct census_reader *r, struct column *c, uint32_t row, const struct ip *ip)
{
    if (c->storage == COLUMN_IP4)
        c->ip4[row] = ip_v4(ip);
    else
        c->ips[row] = *ip;
    column_set_present(c, row);
    r->weights[row] = (uint32_t)reader_varint(&r->rows_of, ROWGROUP_ROWS_MAX);
}

/* How the addresses are stored depends on whether there are others than of IPv4: look before reading. */
static int tally_column(const struct census_reader *r, struct batch *out, uint8_t kind)
{
    struct reader in = r->rows_of;
    struct column like = {.field = census_place(CENSUS_TALLY).field,
                          .kind = kind,
                          .type = FIELD_TYPE_IP,
                          .storage = COLUMN_IP4};
    uint32_t v4 = (uint32_t)reader_varint(&in, CENSUS_COMBINATIONS_MAX);
    for (uint32_t i = 0; i < 2 * v4; i++)
        (void)reader_varint(&in, UINT32_MAX);
    uint32_t v6 = (uint32_t)reader_varint(&in, CENSUS_COMBINATIONS_MAX - v4);
    if (in.failed || !slot_kind_is_value(kind))
        return ERR_CORRUPT;
    like.storage = v6 != 0 ? COLUMN_IP : COLUMN_IP4;
    int err = batch_reserve_rows(out, v4 + v6 + 1);
    int column = err == 0 ? batch_column_add(out, &like) : err;
    return column < 0 ? column : 0;
}

/* The addresses, one a row, and at last those rows that have none. */
static int read_tally(struct census_reader *r, uint32_t rows, struct batch *out)
{
    for (uint32_t i = 0; i < r->count; i++)
        (void)reader_varint(&r->rows_of, ROWGROUP_ROWS_MAX);
    uint8_t kind = reader_get8(&r->rows_of);
    uint32_t none = (uint32_t)reader_varint(&r->rows_of, ROWGROUP_ROWS_MAX);
    int err = tally_column(r, out, kind);
    if (err != 0)
        return err;
    struct column *c = &out->columns[0];
    uint32_t ip4 = 0;
    uint32_t row = 0;
    uint32_t v4 = (uint32_t)reader_varint(&r->rows_of, CENSUS_COMBINATIONS_MAX);
    for (; row < v4; row++) {
        ip4 += (uint32_t)reader_varint(&r->rows_of, UINT32_MAX);
        struct ip ip = ip_from_v4(ip4);
        tally_row(r, c, row, &ip);
    }
    uint32_t v6 = (uint32_t)reader_varint(&r->rows_of, CENSUS_COMBINATIONS_MAX);
    for (; row < v4 + v6; row++) {
        struct slice bytes = reader_bytes(&r->rows_of, sizeof(struct ip));
        struct ip ip = {0};
        if (bytes.len == sizeof(ip.bytes))
            memcpy(ip.bytes, bytes.data, bytes.len);
        tally_row(r, c, row, &ip);
    }
    if (none != 0)
        r->weights[row++] = none;
    out->row_count = row;
    return weights_fit(r, row, rows) ? 0 : ERR_CORRUPT;
}

int census_read(struct census_reader *r, const struct rowgroup_head *head, uint64_t places,
                struct batch *out, const uint32_t **rows)
{
    int err = read_parts(r, head->census, places);
    if (err != 0)
        return err;
    batch_reset(out);
    uint32_t count = 0;
    if (places == CENSUS_TALLIES) {
        err = read_tally(r, head->row_count, out);
    } else {
        count = join(r);
        err = weights_fit(r, count, head->row_count) ? 0 : ERR_CORRUPT;
    }
    if (err != 0) {
        batch_reset(out);
        return err;
    }
    out->tenant = head->tenant;
    out->format = head->format;
    out->zone_minutes = head->zone_minutes;
    out->generation = head->generation;
    out->topic = head->topic;
    out->source = head->source;
    out->format_name = head->format_name;
    *rows = r->weights;
    if (places == CENSUS_TALLIES)
        return 0;
    buf_slice(&out->text, head->census);
    err = buf_ok(&out->text) ? batch_reserve_rows(out, count) : ERR_NOMEM;
    out->row_count = err == 0 ? count : 0;
    for (uint32_t i = 0; i < r->part_count && err == 0; i++) {
        uint8_t row_field = census_place(r->parts[i].place).row_field;
        err = row_field != ROW_FIELD_NONE ? fill_row_field(r, &r->parts[i], row_field, out)
                                          : add_column(r, &r->parts[i], head, out);
    }
    if (err != 0)
        batch_reset(out);
    return err;
}
