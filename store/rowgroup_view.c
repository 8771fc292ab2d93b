#include "store/rowgroup_view.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "event/grams.h"
#include "store/pack.h"
#include "store/rowgroup_reader.h"

enum {
    HEAD_BLOCK_BYTES = 20, /* of a block, at least */
    COLUMN_BYTES = 4,      /* of a column's description, at least */
    BLOCK_NONE = ROWGROUP_BLOCKS_MAX,
};

static void read_min_max(struct reader *in, int64_t *least, int64_t *most)
{
    uint64_t from = reader_get64(in);
    *least = (int64_t)from;
    *most = (int64_t)(from + reader_varint(in, UINT64_MAX));
}

static void read_blocks(struct rowgroup_head *h, struct reader *in)
{
    for (uint32_t i = 0; i < h->block_count; i++) {
        struct rowgroup_block *b = &h->blocks[i];
        uint32_t left = h->row_count - i * ROWGROUP_BLOCK_ROWS;
        b->row_count = left < ROWGROUP_BLOCK_ROWS ? left : ROWGROUP_BLOCK_ROWS;
        b->unparsed_rows = (uint32_t)reader_varint(in, b->row_count);
        b->raw_bytes = reader_varint(in, UINT64_MAX);
        read_min_max(in, &b->time_min_ns, &b->time_max_ns);
        read_min_max(in, &b->arrival_min_ns, &b->arrival_max_ns);
    }
    int64_t least = 0;
    int64_t most = 0;
    read_min_max(in, &least, &most);
    h->leaf_min = (uint64_t)least;
    h->leaf_max = (uint64_t)most;
    uint32_t at = h->columns_len + h->desc.len + h->table.len;
    for (uint32_t i = 0; i < h->block_count; i++) {
        struct rowgroup_block *b = &h->blocks[i];
        b->filter_at = at;
        b->filter_len = (uint32_t)reader_varint(in, CHUNK_BYTES_MAX);
        b->filter_checksum = b->filter_len == 0 ? 0 : reader_get32(in);
        at += b->filter_len;
        if (at < b->filter_len)
            in->failed = true;
    }
}

int rowgroup_head_read(struct rowgroup_head *out, struct reader *in, const struct file_seal *seal)
{
    struct rowgroup_head h = {.seal = seal, .format = reader_get16(in)};
    h.zone_minutes = reader_get16(in);
    h.generation = (uint32_t)reader_varint(in, UINT32_MAX);
    h.topic = reader_bytes(in, reader_get8(in));
    h.source = reader_bytes(in, reader_get8(in));
    h.format_name = reader_bytes(in, reader_get8(in));
    uint64_t partitions = reader_varint(in, ROWGROUP_ROWS_MAX);
    h.partitions = reader_bytes(in, partitions * sizeof(int32_t));
    h.columns_len = (uint32_t)reader_varint(in, UINT32_MAX / 2);
    h.desc = chunk_described(in, seal);
    h.table = chunk_described(in, seal);
    h.row_count = (uint32_t)reader_varint(in, ROWGROUP_ROWS_MAX);
    h.block_count = (h.row_count + ROWGROUP_BLOCK_ROWS - 1) / ROWGROUP_BLOCK_ROWS;
    if (in->failed || h.row_count == 0 || partitions == 0)
        return ERR_CORRUPT;
    read_blocks(&h, in);
    if (in->failed)
        return ERR_CORRUPT;
    *out = h;
    return 0;
}

uint64_t rowgroup_bytes(const struct rowgroup_head *head)
{
    const struct rowgroup_block *last = &head->blocks[head->block_count - 1];
    return (uint64_t)last->filter_at + last->filter_len;
}

struct rowgroup_reader *rowgroup_reader_new(void)
{
    struct rowgroup_reader *r = calloc(1, sizeof(*r));
    for (uint32_t row = 0; r != NULL && row < ROWGROUP_BLOCK_ROWS; row++)
        r->every_row[row] = row;
    if (r != NULL && chunk_press_init(&r->press, ROWGROUP_ZSTD_LEVEL) != 0) {
        free(r);
        return NULL;
    }
    return r;
}

void rowgroup_reader_free(struct rowgroup_reader *r)
{
    if (r == NULL)
        return;
    chunk_press_release(&r->press);
    arena_release(&r->arena);
    for (unsigned i = 0; i < READER_DEPTH; i++)
        buf_release(&r->plain[i]);
    buf_release(&r->scratch);
    buf_release(&r->filter);
    buf_release(&r->grams);
    free(r);
}

/* A filter of the group's bytes, opened to `opened` where it is sealed. */
static int get_filter(const struct rowgroup_head *head, uint64_t at, struct chunk like,
                      struct buf *opened, struct slice *out)
{
    const struct slice body = head->body;
    if (like.len > body.len || at > body.len - like.len)
        return ERR_CORRUPT;
    struct slice filter = slice_of(body.data + at, like.len);
    if (filter.len != 0 && (uint32_t)hash_slice(0, filter) != like.checksum)
        return ERR_CORRUPT;
    if (filter.len != 0 && head->seal != NULL) {
        if (filter.len <= SEAL_TAG_BYTES)
            return ERR_CORRUPT;
        buf_reset(opened);
        char *to = buf_reserve(opened, filter.len - SEAL_TAG_BYTES);
        int err = to == NULL ? ERR_NOMEM : seal_open(head->seal, head->at + at, filter, to);
        if (err != 0)
            return err;
        filter = slice_of(to, filter.len - SEAL_TAG_BYTES);
    }
    *out = filter;
    return 0;
}

int rowgroup_filter(struct rowgroup_reader *r, const struct rowgroup_head *head, uint32_t block,
                    struct slice *out)
{
    const struct rowgroup_block *b = &head->blocks[block];
    const struct chunk like = {.len = b->filter_len, .checksum = b->filter_checksum};
    return get_filter(head, b->filter_at, like, &r->filter, out);
}

int rowgroup_grams(struct rowgroup_reader *r, const struct rowgroup_head *head, struct slice *out)
{
    const struct chunk like = {.len = head->grams_len, .checksum = head->grams_checksum};
    struct slice grams = {0};
    int err = get_filter(head, rowgroup_bytes(head), like, &r->grams, &grams);
    if (err == 0 && !grams_is_filter(grams))
        err = ERR_CORRUPT;
    if (err == 0)
        *out = grams;
    return err;
}

/* A chunk of the group's bytes at a place. */
static int get_chunk(struct rowgroup_reader *r, const struct chunk *c, uint64_t at, struct buf *out)
{
    buf_reset(out);
    return chunk_get(&r->press, c, r->head->body, at, out);
}

int reader_chunk(struct rowgroup_reader *r, uint32_t chunk, struct buf *plain, struct reader *out)
{
    const struct placed_chunk *c = &r->chunks[chunk];
    int err = get_chunk(r, &c->chunk, c->at, plain);
    *out = reader_of(buf_content(plain));
    return err;
}

static bool kind_is_known(const struct column *like)
{
    return slot_kind_is_value(like->kind) && like->type <= FIELD_TYPE_EPOCH &&
           like->epoch_form <= EPOCH_MILLIS_POINT;
}

/* What a column of the lines is, in the batch. */
static bool read_kind(struct rowgroup_reader *r, struct reader *in, struct stored_column *c,
                      struct column *like)
{
    like->field = reader_get16(in);
    like->ordinal = reader_get8(in);
    like->kind = reader_get8(in);
    like->type = reader_get8(in);
    like->derived = reader_get8(in) != 0;
    like->epoch_form = reader_get8(in);
    c->derived = like->derived;
    c->is_text = like->type == FIELD_TYPE_TEXT;
    c->is_ip = like->type == FIELD_TYPE_IP;
    for (uint32_t i = 0; !c->derived && i <= r->shape_count; i += 8)
        c->shapes[i / 64] |= (uint64_t)reader_get8(in) << (i % 64);
    return kind_is_known(like);
}

/* Which forms go with a column. */
static bool form_fits(const struct stored_column *c)
{
    bool coded = c->form == FORM_CODES || c->form == FORM_MAPPED;
    if (c->id == ROWGROUP_SHAPE)
        return c->form == FORM_CODES || c->form == FORM_NUMBERS;
    if (c->form == FORM_EPOCH)
        return c->id == ROWGROUP_TIME;
    if (c->form == FORM_TIME_TEXT)
        return c->is_text && c->id == 0 && !c->derived;
    if (c->id == ROWGROUP_LINE)
        return c->form == FORM_TEXTS;
    if (c->form == FORM_TEXTS)
        return (c->is_text || (c->is_ip && c->any_v6)) && !c->derived;
    if (c->form == FORM_NUMBERS || c->form == FORM_BESIDE)
        return !c->is_text && (!c->is_ip || (!c->any_v6 && c->form == FORM_NUMBERS));
    return coded;
}

static uint8_t storage_of(const struct stored_column *c)
{
    if (c->is_text)
        return c->form == FORM_CODES || c->form == FORM_MAPPED ? COLUMN_CODES : COLUMN_TEXT;
    if (c->is_ip)
        return c->any_v6 ? COLUMN_IP : COLUMN_IP4;
    return COLUMN_INT;
}

static bool read_form(struct rowgroup_reader *r, struct reader *in, struct stored_column *c)
{
    c->form = reader_get8(in);
    uint8_t flags = reader_get8(in);
    c->has_exceptions = (flags & 1) != 0;
    c->any_v6 = (flags & 2) != 0;
    if (c->form == FORM_MAPPED || c->form == FORM_BESIDE || c->form == FORM_EPOCH)
        c->other = (uint32_t)reader_varint(in, r->column_count - 1);
    if (c->form == FORM_CODES || c->form == FORM_MAPPED)
        c->entry_count = (uint32_t)reader_varint(in, ROWGROUP_CODES_MAX);
    if (c->form == FORM_TIME_TEXT) {
        struct slice layout = reader_bytes(in, reader_varint(in, TIME_TEXT_BYTES_MAX));
        if (!time_text_layout(&c->layout, layout))
            return false;
    }
    c->binds_all = reader_binds_all(r, c);
    return c->form <= FORM_TIME_TEXT && flags <= 3 && form_fits(c);
}

static int read_column(struct rowgroup_reader *r, struct reader *in, uint32_t column,
                       struct batch *b)
{
    struct stored_column *c = &r->columns[column];
    if (column < ROWGROUP_INTERNAL) {
        c->id = reader_get16(in);
        c->is_text = c->id == ROWGROUP_LINE;
        return c->id == ROWGROUP_SHAPE + column && read_form(r, in, c) ? 0 : ERR_CORRUPT;
    }
    struct column *to = &b->columns[column - ROWGROUP_INTERNAL];
    if (!read_kind(r, in, c, to) || !read_form(r, in, c))
        return ERR_CORRUPT;
    to->storage = storage_of(c);
    return 0;
}

static int read_names(struct batch *b, struct reader *in)
{
    uint32_t count = (uint32_t)reader_varint(in, BATCH_NAMES_MAX);
    b->names = arena_array(&b->arena, count + 1, sizeof(*b->names));
    if (b->names == NULL)
        return ERR_NOMEM;
    b->name_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct slice name = reader_bytes(in, reader_varint(in, BATCH_NAME_BYTES_MAX));
        b->names[i] = (struct span){.offset = (uint32_t)b->text.len, .len = (uint32_t)name.len};
        buf_slice(&b->text, name);
    }
    return buf_ok(&b->text) ? 0 : ERR_NOMEM;
}

/* What the columns are. */
static int read_columns(struct rowgroup_reader *r, struct batch *b)
{
    int err = get_chunk(r, &r->head->desc, r->head->columns_len, &r->plain[0]);
    if (err != 0)
        return err;
    struct reader in = reader_of(buf_content(&r->plain[0]));
    r->shape_count = (uint32_t)reader_varint(&in, BATCH_SHAPES_MAX - 1);
    err = read_names(b, &in);
    if (err != 0)
        return err;
    uint32_t count = (uint32_t)reader_varint(&in, ROWGROUP_COLUMNS_MAX);
    if (in.failed || count < ROWGROUP_INTERNAL || count > reader_left(&in) / COLUMN_BYTES)
        return ERR_CORRUPT;
    r->column_count = count;
    r->columns = arena_array(&r->arena, count, sizeof(*r->columns));
    b->columns = arena_array(&b->arena, count - ROWGROUP_INTERNAL + 1, sizeof(*b->columns));
    if (r->columns == NULL || b->columns == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count && err == 0; i++)
        err = read_column(r, &in, i, b);
    if (err == 0 && (in.failed || reader_left(&in) != 0))
        err = ERR_CORRUPT;
    if (err == 0) {
        b->column_count = count - ROWGROUP_INTERNAL;
        b->column_cap = b->column_count;
    }
    return err;
}

/* Fields of the lines' columns must be ones of the dictionary or named. */
static bool fields_fit(const struct batch *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        uint16_t field = b->columns[i].field;
        if (field >= FIELD_LOCAL_FIRST ? (uint32_t)field - FIELD_LOCAL_FIRST >= b->name_count
                                       : field_info(field) == NULL)
            return false;
    }
    return true;
}

/* Which columns the others are read through; none through itself, and shapes through none. */
static bool others_fit(const struct rowgroup_reader *r)
{
    if (r->columns[0].form != FORM_CODES && r->columns[0].form != FORM_NUMBERS)
        return false;
    for (uint32_t i = 0; i < r->column_count; i++) {
        uint32_t at = i;
        for (unsigned depth = 0;
             r->columns[at].form >= FORM_MAPPED && r->columns[at].form <= FORM_EPOCH; depth++) {
            const struct stored_column *c = &r->columns[at];
            const struct stored_column *other = &r->columns[c->other];
            if (depth + 1 == READER_CHAIN ||
                (c->form == FORM_MAPPED && other->form != FORM_CODES) ||
                (c->form != FORM_MAPPED && (other->is_text || other->is_ip)))
                return false;
            at = c->other;
        }
    }
    return true;
}

/* How many chunks there are: shapes, extras, runs of each block, then the columns'. */
static uint32_t count_chunks(struct rowgroup_reader *r)
{
    uint32_t count = 2 + r->head->block_count;
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct stored_column *c = &r->columns[i];
        c->chunks = count;
        count += c->form == FORM_MAPPED ? 2 : c->form == FORM_CODES;
        c->blocks = count;
        count += r->head->block_count;
    }
    return count;
}

static int read_table(struct rowgroup_reader *r)
{
    const struct rowgroup_head *h = r->head;
    r->chunk_count = count_chunks(r);
    r->chunks = arena_array(&r->arena, r->chunk_count, sizeof(*r->chunks));
    if (r->chunks == NULL)
        return ERR_NOMEM;
    int err = get_chunk(r, &h->table, (uint64_t)h->columns_len + h->desc.len, &r->plain[0]);
    if (err != 0)
        return err;
    struct reader in = reader_of(buf_content(&r->plain[0]));
    uint64_t at = 0;
    for (uint32_t i = 0; i < r->chunk_count; i++) {
        r->chunks[i] = (struct placed_chunk){.chunk = chunk_described(&in, h->seal), .at = at};
        at += r->chunks[i].chunk.len;
    }
    return in.failed || reader_left(&in) != 0 || at != h->columns_len ? ERR_CORRUPT : 0;
}

int rowgroup_open(struct rowgroup_reader *r, const struct rowgroup_head *head, struct batch *out)
{
    batch_reset(out);
    arena_reset(&r->arena);
    r->head = head;
    r->press.seal = head->seal;
    r->press.at = head->at;
    r->batch = out;
    r->needs_shapes = false;
    r->shapes_loaded = false;
    r->extras_loaded = false;
    r->extra_count = 0;
    r->extra_cap = 0;
    r->extras = NULL;
    r->block = BLOCK_NONE;
    r->texts_block = BLOCK_NONE;
    for (uint32_t i = 0; i < READER_LISTS; i++)
        r->lists[i].block = BLOCK_NONE;
    out->tenant = head->tenant;
    out->format = head->format;
    out->zone_minutes = head->zone_minutes;
    out->generation = head->generation;
    out->topic = head->topic;
    out->source = head->source;
    out->format_name = head->format_name;
    r->shape = arena_array(&r->arena, ROWGROUP_BLOCK_ROWS, sizeof(*r->shape));
    int err = r->shape == NULL ? ERR_NOMEM : read_columns(r, out);
    if (err == 0)
        err = fields_fit(out) && others_fit(r) ? read_table(r) : ERR_CORRUPT;
    r->texts_len = out->text.len;
    return err;
}

/* Entries of a text dictionary: lengths, then bytes. */
static int load_texts(struct stored_column *c, struct reader *in, struct column *to,
                      struct batch *b)
{
    to->entries = arena_array(&b->arena, (size_t)c->entry_count + 1, sizeof(*to->entries));
    if (to->entries == NULL)
        return ERR_NOMEM;
    uint64_t at = b->text.len;
    for (uint32_t i = 0; i < c->entry_count; i++) {
        uint32_t len = (uint32_t)reader_varint(in, CHUNK_BYTES_MAX);
        to->entries[i] = (struct span){.offset = (uint32_t)at, .len = len};
        at += len;
    }
    struct slice texts = reader_bytes(in, reader_left(in));
    if (in->failed || at > UINT32_MAX || texts.len != at - b->text.len)
        return ERR_CORRUPT;
    buf_slice(&b->text, texts);
    to->entry_count = c->entry_count;
    return buf_ok(&b->text) ? 0 : ERR_NOMEM;
}

static int load_values(struct rowgroup_reader *r, struct stored_column *c, struct reader *in)
{
    c->values = arena_array(&r->arena, (size_t)c->entry_count + 1, sizeof(*c->values));
    if (c->values == NULL)
        return ERR_NOMEM;
    int err = 0;
    if (c->is_ip) {
        for (uint32_t i = 0; i < c->entry_count; i++)
            c->values[i] = reader_get32(in);
    } else {
        for (uint32_t i = 0; i < c->entry_count && err == 0; i += ROWGROUP_BLOCK_ROWS) {
            uint32_t left = c->entry_count - i;
            err = unpack_numbers(in, c->values + i,
                                 left < ROWGROUP_BLOCK_ROWS ? left : ROWGROUP_BLOCK_ROWS);
        }
    }
    return err;
}

static int load_addresses(struct rowgroup_reader *r, struct stored_column *c, struct reader *in)
{
    c->ips = arena_array(&r->arena, (size_t)c->entry_count + 1, sizeof(*c->ips));
    if (c->ips == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (reader_varint(in, sizeof(struct ip)) != sizeof(struct ip))
            return ERR_CORRUPT;
    }
    for (uint32_t i = 0; i < c->entry_count; i++) {
        struct slice ip = reader_bytes(in, sizeof(struct ip));
        if (ip.len == sizeof(struct ip))
            memcpy(c->ips[i].bytes, ip.data, ip.len);
    }
    return 0;
}

static int load_map(struct rowgroup_reader *r, struct stored_column *c)
{
    struct reader in;
    uint32_t entries = r->columns[c->other].entry_count + 1;
    c->map = arena_array(&r->arena, entries, sizeof(*c->map));
    if (c->map == NULL)
        return ERR_NOMEM;
    int err = reader_chunk(r, c->chunks + 1, &r->scratch, &in);
    if (err == 0)
        err = unpack_codes(&in, c->map, entries, c->entry_count + 1);
    return err == 0 && reader_left(&in) != 0 ? ERR_CORRUPT : err;
}

/* Dictionary and map of one column. */
static int load_one(struct rowgroup_reader *r, uint32_t column)
{
    struct stored_column *c = &r->columns[column];
    struct reader in;
    int err = reader_chunk(r, c->chunks, &r->scratch, &in);
    if (err == 0 && c->is_text)
        err = load_texts(c, &in, &r->batch->columns[column - ROWGROUP_INTERNAL], r->batch);
    else if (err == 0)
        err = c->is_ip && c->any_v6 ? load_addresses(r, c, &in) : load_values(r, c, &in);
    if (err == 0 && (in.failed || reader_left(&in) != 0))
        err = ERR_CORRUPT;
    if (err == 0 && c->form == FORM_MAPPED)
        err = load_map(r, c);
    return err;
}

/* A map needs the codes of the column it is read through, not what they stand for. */
int reader_load(struct rowgroup_reader *r, uint32_t column)
{
    int err = 0;
    bool codes_only = false;
    for (unsigned depth = 0; depth < READER_CHAIN && err == 0; depth++) {
        struct stored_column *c = &r->columns[column];
        bool coded = c->form == FORM_CODES || c->form == FORM_MAPPED;
        if (coded && !codes_only && !c->loaded) {
            err = load_one(r, column);
            c->loaded = err == 0;
        }
        r->needs_shapes |= !c->binds_all;
        if (c->form < FORM_MAPPED || c->form > FORM_EPOCH)
            break;
        codes_only = c->form == FORM_MAPPED;
        column = c->other;
    }
    return err;
}
