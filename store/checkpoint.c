#include "store/checkpoint.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/lines.h"

enum {
    ID_DIGITS = 2 * STORE_ID_BYTES,
};

#define TITLE "sekisho checkpoint v1"

void checkpoint_key_name(char out[NOTE_NAME_BYTES_MAX + 1], const uint8_t store_id[STORE_ID_BYTES])
{
    char id[ID_DIGITS + 1];
    (void)sodium_bin2hex(id, sizeof(id), store_id, STORE_ID_BYTES);
    (void)snprintf(out, NOTE_NAME_BYTES_MAX + 1, "sekisho/%s", id);
}

static bool record_name_valid(struct slice name)
{
    if (name.len == 0 || name.len > CHECKPOINT_RECORD_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool right =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!right)
            return false;
    }
    return true;
}

static bool is_zero(const struct sha256 *hash)
{
    static const struct sha256 ZERO = {0};
    return sha256_equal(hash, &ZERO);
}

/* What is wrong with it as a whole, or NULL. */
static const char *find_fault(const struct checkpoint *c)
{
    if (c->number == 0)
        return "checkpoints are numbered from 1";
    if ((c->number == 1) != is_zero(&c->previous))
        return "the first checkpoint names none before it, and every other one does";
    if (c->tenant_count > CHECKPOINT_TENANTS_MAX || c->record_count > CHECKPOINT_RECORDS_MAX)
        return "too many tenants or records";
    for (uint32_t i = 0; i < c->tenant_count; i++) {
        const struct checkpoint_tenant *t = &c->tenants[i];
        if (t->tenant > CHECKPOINT_CODE_MAX || t->head.size > TREE_ROWS_MAX)
            return "a tenant's code or size is too large";
        if (i != 0 && t->tenant <= t[-1].tenant)
            return "the tenants are not in ascending order";
    }
    for (uint32_t i = 0; i < c->record_count; i++) {
        const struct checkpoint_record *r = &c->records[i];
        if (!record_name_valid(r->name))
            return "a record's name has other characters than a-z 0-9 . _ -, or too many";
        if (i != 0 && slice_compare(r[-1].name, r->name) >= 0)
            return "the records are not in ascending order";
    }
    return NULL;
}

static void print(struct buf *out, const struct checkpoint *c)
{
    buf_text(out, TITLE "\nstore");
    lines_put_id(out, c->store_id, STORE_ID_BYTES);
    buf_printf(out, "\nnumber %" PRIu64 "\ntime ", c->number);
    clock_print(out, c->time_ns);
    buf_printf(out, "\nlog %" PRIu64, c->log_seq);
    lines_put_hash(out, &c->log_hash);
    buf_text(out, "\nprevious");
    lines_put_hash(out, &c->previous);
    buf_printf(out, "\ntenants %u\n", c->tenant_count);
    for (uint32_t i = 0; i < c->tenant_count; i++) {
        const struct checkpoint_tenant *t = &c->tenants[i];
        buf_printf(out, "tenant %06u %" PRIu64, t->tenant, t->head.size);
        lines_put_hash(out, &t->head.root);
        buf_byte(out, '\n');
    }
    buf_printf(out, "records %u\n", c->record_count);
    for (uint32_t i = 0; i < c->record_count; i++) {
        buf_text(out, "record ");
        buf_slice(out, c->records[i].name);
        lines_put_hash(out, &c->records[i].hash);
        buf_byte(out, '\n');
    }
}

int checkpoint_sign(struct buf *out, const struct checkpoint *c, const struct note_signer *signer)
{
    struct buf text = {0};
    if (find_fault(c) != NULL)
        return ERR_RANGE;
    print(&text, c);
    int err = buf_ok(&text) ? 0 : ERR_NOMEM;
    if (err == 0 && text.len > CHECKPOINT_BYTES_MAX - NOTE_KEY_TEXT_BYTES_MAX)
        err = ERR_RANGE;
    if (err == 0)
        err = note_sign(out, signer, buf_content(&text));
    buf_release(&text);
    return err;
}

static void read_head(struct lines *in, struct checkpoint *c)
{
    lines_title(in, TITLE);
    lines_field_id(in, "store", c->store_id, STORE_ID_BYTES);
    c->number = lines_field_number(in, "number", UINT64_MAX);
    c->time_ns = lines_field_time(in, "time");
    lines_next(in, "log");
    c->log_seq = lines_number(in, "the number of the last frame", UINT64_MAX);
    lines_hash(in, "the hash of the last frame", &c->log_hash);
    lines_end(in);
    lines_field_hash(in, "previous", "the hash of the checkpoint before", &c->previous);
}

static int read_tenants(struct lines *in, struct checkpoint *c, struct arena *arena)
{
    uint64_t count = lines_field_number(in, "tenants", CHECKPOINT_TENANTS_MAX);
    struct checkpoint_tenant *tenants = arena_array(arena, count, sizeof(*tenants));
    if (count != 0 && tenants == NULL)
        return ERR_NOMEM;
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        lines_next(in, "tenant");
        tenants[i].tenant = lines_code(in);
        tenants[i].head.size = lines_number(in, "the tree's size", TREE_ROWS_MAX);
        lines_hash(in, "the tree's root", &tenants[i].head.root);
        lines_end(in);
    }
    c->tenants = tenants;
    c->tenant_count = (uint32_t)count;
    return 0;
}

static int read_records(struct lines *in, struct checkpoint *c, struct arena *arena)
{
    uint64_t count = lines_field_number(in, "records", CHECKPOINT_RECORDS_MAX);
    struct checkpoint_record *records = arena_array(arena, count, sizeof(*records));
    if (count != 0 && records == NULL)
        return ERR_NOMEM;
    for (uint64_t i = 0; i < count && !in->failed; i++) {
        lines_next(in, "record");
        records[i].name = lines_word(in, "the record's name");
        lines_hash(in, "the record's hash", &records[i].hash);
        lines_end(in);
    }
    c->records = records;
    c->record_count = (uint32_t)count;
    return 0;
}

/* Read the signed part. Whatever has a second form is found by writing it again. */
static int read_text(struct checkpoint *out, struct arena *arena, struct slice text,
                     const char *file, struct diag *diag)
{
    struct checkpoint c = {0};
    struct lines in = lines_of(text, file, diag);
    struct buf again = {0};
    read_head(&in, &c);
    int err = read_tenants(&in, &c, arena);
    if (err == 0)
        err = read_records(&in, &c, arena);
    if (err != 0)
        return err;
    lines_end_of_text(&in);
    const char *fault = in.failed ? NULL : find_fault(&c);
    if (fault != NULL)
        lines_fail(&in, "%s", fault);
    if (!in.failed)
        print(&again, &c);
    err = lines_check_same(&in, text, &again, "checkpoints");
    buf_release(&again);
    if (err == 0)
        *out = c;
    return err;
}

int checkpoint_parse(struct checkpoint *out, struct arena *arena, struct slice text,
                     const struct note_key *key, const char *file, struct diag *diag)
{
    struct note note;
    if (text.len > CHECKPOINT_BYTES_MAX) {
        diag_add(diag, file, 1, 1, "longer than %d bytes, which no checkpoint is",
                 (int)CHECKPOINT_BYTES_MAX);
        return ERR_FORMAT;
    }
    int err = note_parse(&note, text, file, diag);
    if (err == 0 && key != NULL)
        err = note_verify(&note, key, file, diag);
    return err == 0 ? read_text(out, arena, note.text, file, diag) : err;
}

const struct tree_head *checkpoint_head(const struct checkpoint *c, uint32_t tenant)
{
    uint32_t low = 0;
    uint32_t high = c->tenant_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->tenants[middle].tenant == tenant)
            return &c->tenants[middle].head;
        if (c->tenants[middle].tenant < tenant)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int checkpoint_hash(struct sha256 *out, struct slice text)
{
    return sha256_of(out, text);
}

static int check_tenants(const struct checkpoint *older, const struct checkpoint *newer,
                         const char *file, struct diag *diag)
{
    for (uint32_t i = 0; i < older->tenant_count; i++) {
        uint32_t tenant = older->tenants[i].tenant;
        const struct tree_head *was = &older->tenants[i].head;
        const struct tree_head *is = checkpoint_head(newer, tenant);
        const char *wrong = is == NULL             ? "is gone"
                            : is->size < was->size ? "has fewer rows"
                            : is->size == was->size && !sha256_equal(&is->root, &was->root)
                                ? "has other rows"
                                : NULL;
        if (wrong == NULL)
            continue;
        diag_add(diag, file, 0, 0,
                 "tenant %06u %s in checkpoint %" PRIu64 " than in number %" PRIu64, tenant, wrong,
                 newer->number, older->number);
        return ERR_CORRUPT;
    }
    return 0;
}

int checkpoint_check_later(const struct checkpoint *older, const struct checkpoint *newer,
                           const char *file, struct diag *diag)
{
    const char *wrong = NULL;
    if (memcmp(older->store_id, newer->store_id, STORE_ID_BYTES) != 0)
        wrong = "is of another store than";
    else if (newer->number <= older->number)
        wrong = "is not later than";
    else if (newer->log_seq < older->log_seq)
        wrong = "knows a shorter log than";
    else if (newer->log_seq == older->log_seq && !sha256_equal(&newer->log_hash, &older->log_hash))
        wrong = "knows another log than";
    if (wrong == NULL)
        return check_tenants(older, newer, file, diag);
    diag_add(diag, file, 0, 0, "checkpoint %" PRIu64 " %s number %" PRIu64, newer->number, wrong,
             older->number);
    return ERR_CORRUPT;
}

int checkpoint_check_next(const struct checkpoint *older, const struct sha256 *older_hash,
                          const struct checkpoint *newer, const char *file, struct diag *diag)
{
    int err = checkpoint_check_later(older, newer, file, diag);
    if (err == 0 &&
        (newer->number != older->number + 1 || !sha256_equal(&newer->previous, older_hash))) {
        diag_add(diag, file, 0, 0,
                 "checkpoint %" PRIu64 " does not follow number %" PRIu64
                 ": between them the history was cut or forked",
                 newer->number, older->number);
        err = ERR_CORRUPT;
    }
    return err;
}

int checkpoint_check_tree(struct hasher *h, const struct checkpoint *c, uint32_t tenant,
                          const struct tree_source *source, const char *file, struct diag *diag)
{
    const struct tree_head *head = checkpoint_head(c, tenant);
    struct sha256 root = {0};
    if (head == NULL)
        return 0;
    int err = tree_root_at(h, &root, source, head->size);
    if (err == 0 && sha256_equal(&root, &head->root))
        return 0;
    if (err == ERR_RANGE || err == ERR_NOTFOUND) {
        diag_add(diag, file, 0, 0,
                 "tenant %06u: the store holds fewer rows than the %" PRIu64
                 " of checkpoint %" PRIu64,
                 tenant, head->size, c->number);
        return ERR_CORRUPT;
    }
    if (err != 0)
        return err;
    diag_add(diag, file, 0, 0,
             "tenant %06u: the first %" PRIu64 " rows are not those of checkpoint %" PRIu64, tenant,
             head->size, c->number);
    return ERR_CORRUPT;
}
