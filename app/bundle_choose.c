/* app/bundle_choose.c - which rows of the history a query or an alert is about. */
#include <inttypes.h>
#include <stdlib.h>

#include "app/bundle_parts.h"
#include "app/scan.h"

enum {
    NUMBERS_FIRST = 4096,
};

struct chooser {
    const struct bundle_wish *wish;
    struct bundle_choice *choice;
    struct log_index *index;
    size_t blob;
    struct sieve *sieve;
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct diag *diag;
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
};

void bundle_choice_release(struct bundle_choice *c)
{
    free(c->numbers);
    *c = (struct bundle_choice){0};
}

static bool is_covered(const void *self, uint32_t tenant)
{
    const struct chooser *c = self;
    return log_index_is_covered(c->index, c->blob, tenant);
}

/* Whether the row of the batch in the sieve stands at one of the places; always, without places. */
static bool is_wanted(const struct chooser *c, uint32_t row)
{
    const struct sieve *s = c->sieve;
    bool wanted = c->wish->places == NULL;
    for (size_t i = 0; i < c->wish->place_count && !wanted; i++) {
        const struct evidence_place *p = &c->wish->places[i].place;
        wanted = s->offsets[row] == p->offset && s->batch->sub[row] == p->sub &&
                 s->partitions[row] == p->partition && slice_equal(s->batch->topic, p->topic);
    }
    return wanted;
}

static int too_many(struct chooser *c)
{
    diag_add(
        c->diag, NULL, 0, 0,
        "more than %d rows are too many for one bundle: take a shorter time (--since, --until) "
        "or a narrower query, and make several",
        BUNDLE_ROWS_MAX);
    return ERR_RANGE;
}

static int keep_number(struct chooser *c, uint64_t number)
{
    struct bundle_choice *to = c->choice;
    if (to->count == BUNDLE_ROWS_MAX)
        return too_many(c);
    if (to->count == to->cap) {
        size_t cap = to->cap == 0 ? NUMBERS_FIRST : 2 * to->cap;
        uint64_t *numbers = realloc(to->numbers, cap * sizeof(*numbers));
        if (numbers == NULL)
            return ERR_NOMEM;
        to->numbers = numbers;
        to->cap = cap;
    }
    to->numbers[to->count++] = number;
    return 0;
}

/* The rows of the batch in the sieve. */
static int keep_rows(struct chooser *c)
{
    struct sieve *s = c->sieve;
    const struct rowgroup_head *group = s->head.group;
    bool numbered = false;
    int err = 0;
    if (c->wish->places != NULL)
        sieve_places(s);
    for (uint32_t i = 0; i < s->row_count && err == 0; i++) {
        if (!is_wanted(c, s->rows[i]))
            continue;
        if (group == NULL) {
            c->choice->log_rows++;
            continue;
        }
        if (!numbered)
            err = rowgroup_leaves(c->reader, s->head.block, c->numbers);
        numbered = true;
        if (err == 0)
            err = keep_number(c, (uint64_t)c->numbers[s->rows[i]]);
    }
    return err;
}

/* The batches of one blob. ERR_NOTFOUND: all of them. */
static int choose_in_blob(struct chooser *c)
{
    const struct stored_blob blob = log_index_blob(c->index, c->blob);
    bool damaged = false;
    int err = sieve_open(c->sieve, blob);
    if (err == 0 && blob.group != NULL)
        err = rowgroup_open(c->reader, blob.group, c->batch);
    while (err == 0 || (err == ERR_CORRUPT && blob.group != NULL && !damaged)) {
        damaged = err != 0;
        err = sieve_next(c->sieve);
        if (err == 0 && c->sieve->row_count != 0)
            err = keep_rows(c);
    }
    return damaged && err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

static int choose_all(struct chooser *c)
{
    int err = 0;
    for (c->blob = 0; c->blob < log_index_count(c->index) && err == 0; c->blob++) {
        err = choose_in_blob(c);
        if (err == ERR_CORRUPT || (err == ERR_RANGE && c->choice->count != BUNDLE_ROWS_MAX)) {
            log_index_name(c->index, c->blob,
                           err == ERR_RANGE ? "a regular expression gave up on a row here"
                                            : "the batches here are damaged",
                           c->diag);
            c->choice->damage++;
            err = 0;
        }
        err = err == ERR_NOTFOUND ? 0 : err;
    }
    c->choice->damage += log_index_damage(c->index);
    return err;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

int bundle_choose(struct bundle_choice *out, const struct bundle_wish *wish, struct diag *diag)
{
    struct bundle_choice choice = {0};
    struct chooser *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->wish = wish;
    c->choice = &choice;
    c->diag = diag;
    c->reader = rowgroup_reader_new();
    c->batch = batch_new();
    int err = c->reader == NULL || c->batch == NULL ? ERR_NOMEM : 0;
    if (err == 0)
        err = scan_index_open(&c->index, wish->dir, wish->query, diag);
    if (err == 0)
        err = sieve_new(&c->sieve, wish->query);
    if (err == 0) {
        c->sieve->is_covered = is_covered;
        c->sieve->covers = c;
        c->sieve->parts = wish->places != NULL ? PART_PLACES : 0U;
        err = choose_all(c);
    }
    if (err == 0 && choice.count != 0)
        qsort(choice.numbers, choice.count, sizeof(*choice.numbers), compare_numbers);
    sieve_free(c->sieve);
    log_index_close(c->index);
    rowgroup_reader_free(c->reader);
    batch_free(c->batch);
    free(c);
    if (err == 0)
        *out = choice;
    else
        bundle_choice_release(&choice);
    return err;
}
