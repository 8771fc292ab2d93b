/*
 * event/intern.h - private to event/: the dictionary of a column while its batch is being built.
 *
 * An open-addressing table of 16-bit entry numbers, from 64 slots up, at most half full. It dies
 * with the batch, so nothing is shared between tenants and nothing has to be collected.
 */
#pragma once

#include "event/batch.h"

/* The code of the text at `span`, added where it is new. 0 or ERR_NOMEM. */
int intern_code(struct batch *b, struct column *c, struct span span, uint16_t *code);

/* The code of a text that need not be in the batch and not be padded, or CODE_NONE. */
uint16_t intern_find(const struct batch *b, const struct column *c, struct slice text);

/* Turn a CODES column into TEXT. 0 or ERR_NOMEM. */
int intern_drop(struct batch *b, struct column *c);
