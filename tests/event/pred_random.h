/* tests/event/pred_random.h - random batches and random trees about them. */
#pragma once

#include "event/builder.h"
#include "tests/event/pred_naive.h"

struct random {
    uint64_t state;
};

uint32_t random_below(struct random *r, uint32_t bound);

/* A batch and what the test knows of its rows. */
struct sample {
    struct batch *batch;
    struct naive_row known[BATCH_ROWS_MAX];
    struct arena arena;
};

/* Fill an empty batch with up to `rows` random rows through the builder. */
void sample_make(struct sample *s, struct random *r, uint32_t rows);
/* Make it look as if it were read back: no lines, a text block without them, some dictionaries gone (r NULL: none). */
void sample_read_back(struct sample *s, struct random *r);
void sample_reset(struct sample *s);

/* A random tree of at most `depth` levels. */
struct ast *random_ast(struct random *r, struct arena *arena, const struct batch *b,
                       unsigned depth);
