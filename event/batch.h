/*
 * event/batch.h - rows of one tenant, one source and one format, as columns.
 *
 *            column 0      column 1     column 2
 *            source.ip     event.action url.path        shapes
 *   row 0  | 0xc6336407 |  0          | (off,len)  |    1 -> skeleton `srcip=? action=? url="?"\n`
 *   row 1  | 0xc6336408 |  1          | (off,len)  |    2 -> another skeleton
 *   row 2  |     -      |  -          |     -      |    0 -> verbatim: line[row] is the whole text
 *              IP4         CODES          TEXT
 *                          dictionary: 0 "accept", 1 "deny"
 *
 * A line is its shape plus values. A shape binds each of its values to one column, so an absent
 * field costs nothing; a column is (field, ordinal, kind): a key that repeats within a line, or is
 * written another way, has another column of the same field. What is not canonical for a typed
 * column stands in the column's exceptions, as text.
 *
 * The same struct is a live batch, made by event/builder.h, and a batch read back by the store:
 * rules, search and output do not see the difference.
 *
 * Ownership: the batch owns everything below it; spans are offsets into `text`, valid until
 *            batch_reset().
 * Threads:   one owner at a time; handing the pointer over hands over everything.
 * Failures:  none here; who fills the batch reports ERR_NOMEM.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "event/slot.h"
#include "event/value.h"
#include "event/verdict.h"

enum batch_limits {
    BATCH_ROWS_MAX = 4096,                     /* of one read back from a segment */
    BATCH_LIVE_ROWS_MAX = 2048,                /* a batch that is filled closes here */
    BATCH_RAW_BYTES_MAX = 1 << 20,             /* a batch closes here; a larger line has its own */
    BATCH_ROW_BYTES_MAX = 10 * 1024 * 1024,    /* a longer line becomes consecutive rows */
    BATCH_RECORD_BYTES_MAX = 64 * 1024 * 1024, /* a larger record is quarantined */
    BATCH_SHAPES_MAX = 256,                    /* shape 0 is verbatim */
    BATCH_COLUMNS_MAX = 1024,
    BATCH_NAMES_MAX = 1024, /* unnamed fields of one batch */
    BATCH_NAME_BYTES_MAX = 256,
    BATCH_TEXT_SWITCH_ROWS = 256, /* from here a column with too many distinct values is TEXT */
    BATCH_SHAPE_GUESSES = 64,     /* a power of two */
};

/* Bytes of batch->text. */
struct span {
    uint32_t offset;
    uint32_t len; /* SPAN_NONE: no value here */
};

#define SPAN_NONE UINT32_MAX
#define CODE_NONE UINT16_MAX

/*
 * Where rows come from: `count` rows from `first_row` on are consecutive lines of consecutive
 * offsets of one partition. Row first_row is line sub[first_row] (0 without sub) of first_offset;
 * each row with sub 0 after it begins the next offset.
 */
struct run {
    int32_t partition;
    uint32_t first_row;
    int64_t first_offset;
    uint32_t count;
    bool multi; /* some row has sub > 0 */
};

/* What a Kafka record had besides its value; only for records where there was something. */
struct extra {
    uint32_t row;    /* the record's first row */
    bool null_value; /* the record had no value at all */
    bool has_key;    /* an empty key differs from no key */
    struct span key;
    struct span
        headers; /* repeated: varint name length, name, varint value length + 1 (0 = null), value */
};

enum column_storage {
    COLUMN_CODES = 0, /* uint16_t codes[row] -> entries[code] */
    COLUMN_TEXT = 1,  /* struct span spans[row] */
    COLUMN_INT = 2,   /* int64_t numbers[row]; INT and EPOCH */
    COLUMN_IP4 = 3,   /* uint32_t ip4[row], host byte order */
    COLUMN_IP = 4,    /* struct ip ips[row] */
};

/* A value of a typed column that is not canonical. */
struct exception {
    uint32_t row;
    struct span text; /* as written */
};

struct column {
    uint16_t field;       /* enum field, or a local id: batch->names */
    uint8_t ordinal;      /* 0 for the first value of the field in a line */
    uint8_t kind;         /* enum slot_kind */
    uint8_t type;         /* enum field_type */
    uint8_t storage;      /* enum column_storage */
    uint8_t epoch_form;   /* enum epoch_form */
    bool derived;         /* not part of the line: absent rows hold NONE, no shape binds it */
    uint32_t value_count; /* rows that a shape binds here, exceptions included */
    /*
     * Row-aligned values; rows without one hold CODE_NONE, {0, SPAN_NONE} or VALUE_NONE. Address
     * columns have no such value: there `present` tells, one bit a row. A row whose exception is
     * not valid for the type holds NONE too; a valid one holds the value.
     */
    union {
        void *rows;
        uint16_t *codes;
        struct span *spans;
        int64_t *numbers;
        uint32_t *ip4;
        struct ip *ips;
    };
    uint64_t *present;    /* COLUMN_IP4, COLUMN_IP only; BATCH_ROWS_MAX bits at most */
    struct span *entries; /* COLUMN_CODES: distinct values as written, in order of appearance */
    struct exception *exceptions; /* ascending rows */
    /*
     * Read back, typed: rows of one number below value_numbers_end hold one value, those of another
     * number none. NULL: not told.
     */
    uint16_t *value_numbers;
    uint32_t value_numbers_end;
    uint32_t entry_count;
    uint32_t exception_count;
    uint32_t row_cap;
    uint32_t entry_cap;
    uint32_t exception_cap;
    uint32_t table_mask;  /* builder only */
    uint16_t *table;      /* builder only: hash -> entry + 1 */
    uint32_t *entry_hash; /* builder only */
};

/* One value in a shape: the skeleton bytes before it, and the column it goes to. */
struct shape_slot {
    uint32_t piece;     /* offset of the bytes before the value, in batch->skeleton */
    uint32_t piece_len; /* bytes */
    uint16_t field;     /* as the parser gave it */
    uint16_t column;    /* index in batch->columns */
    uint8_t kind;       /* enum slot_kind */
};

struct shape {
    struct shape_slot *slots;
    uint32_t slot_count;
    uint32_t tail; /* bytes after the last value, terminator included, in batch->skeleton */
    uint32_t tail_len;
    uint32_t row_count;
    uint64_t hash; /* builder only */
};

/* Builder only: where the names and columns of a batch are found; see event/binder.h. */
struct id_table {
    uint16_t *ids; /* id + 1, 0 = free */
    uint32_t mask;
    uint32_t count; /* ids in it, from 0 on */
};

struct batch {
    uint32_t tenant; /* municipality code */
    uint16_t format;
    uint16_t zone_minutes; /* offset of the source's configured zone, biased by 32768 */
    uint32_t generation;   /* of databases and configuration: the first frame under them */
    struct slice topic;    /* borrowed from the source, or inside `arena` when read back */
    struct slice source;
    struct slice format_name;

    uint32_t row_count;
    uint32_t row_cap;
    int64_t *time_ns; /* event time */
    int64_t *arrival_ns;
    uint8_t *shape;       /* 0 = verbatim */
    uint8_t *reason;      /* enum reason */
    uint8_t *time_source; /* enum time_source */
    uint8_t *verdict;     /* enum verdict */
    uint32_t *sub;        /* line within its record */
    uint32_t *order;      /* live: place among the rows of all the tenant's open batches */
    struct span *line;    /* live: every row's bytes; read back: verbatim rows' only */
    bool live;

    struct run *runs;
    uint32_t run_count;
    uint32_t run_cap;
    struct extra *extras;
    uint32_t extra_count;
    uint32_t extra_cap;

    struct column *columns;
    uint32_t column_count;
    uint32_t column_cap;
    struct id_table column_table;
    struct shape *shapes; /* [0] unused: verbatim */
    uint32_t shape_count; /* including [0] */
    uint32_t shape_cap;
    struct span *names; /* local field FIELD_LOCAL_FIRST + i */
    uint32_t name_count;
    uint32_t name_cap;
    struct id_table name_table;

    struct buf text;         /* lines and derived texts (live), or the text block (read back) */
    struct buf skeleton;     /* pieces of all shapes */
    struct arena arena;      /* every array above */
    uint64_t hash_seed;      /* builder only */
    int64_t last_offset;     /* builder only: of the last row */
    uint16_t verbatim_count; /* reader only: rows without a shape, until their lines are placed */
    /* Builder only: the last shape of a line with so many slots, modulo; 0 = none. */
    uint8_t shape_guess[BATCH_SHAPE_GUESSES];
    bool shapes_full; /* a line found no more shapes, columns or names: close */
};

/* An empty batch on the heap, or NULL. */
struct batch *batch_new(void);
void batch_free(struct batch *b);
/* Forget all rows, keep the memory. */
void batch_reset(struct batch *b);
/* Heap bytes held now. */
size_t batch_held_bytes(const struct batch *b);

static inline struct slice batch_span(const struct batch *b, struct span s)
{
    return (struct slice){.data = b->text.data + s.offset, .len = s.len};
}

/* The offset and partition of a row; `row` must exist. Linear in the runs. */
void batch_place(const struct batch *b, uint32_t row, int32_t *partition, int64_t *offset);

/* Those of all rows, into offsets[0, row_count) and partitions[0, row_count). */
void batch_places(const struct batch *b, int64_t *offsets, int32_t *partitions);

/* The name of a column's field: ECS, or <format>.<key> printed into `scratch`. */
struct slice batch_field_name(const struct batch *b, uint16_t field, struct buf *scratch);

/*
 * The value of a column in a row as written: text of the line, or printed from a typed column into
 * *scratch (which is reset). Returns false when the row has none.
 */
bool batch_value(const struct batch *b, const struct column *c, uint32_t row, struct buf *scratch,
                 struct slice *out);

/* The exception of a row, or NULL. */
const struct exception *column_exception(const struct column *c, uint32_t row);

/* Append the row's bytes exactly as they came, terminator included. Returns 0 or ERR_NOMEM. */
int batch_render(const struct batch *b, uint32_t row, struct buf *out);

/* True when `kind` may write other bytes than it means and `text` does. */
bool value_is_encoded(struct slice text, uint8_t kind);
/*
 * Append what the text means, in UTF-8 where the kind names another encoding or percent escapes make
 * one. A broken escape stands for itself.
 */
void value_decode(struct buf *out, struct slice text, uint8_t kind);
