/*
 * app/existing_store.h - the store that a command works on: one that is there.
 *
 * store_open() makes a store where there is none, as a collector wants it. A command that was given a wrong
 * --data must not.
 *
 * Ownership: the caller closes it with store_close().
 * Threads:   one owner.
 * Failures:  those of store_open(), said in `diag`.
 */
#pragma once

#include "store/store.h"

/* ERR_NOTFOUND when there is none; ERR_BUSY when a collector holds it and it is not only read. */
int existing_store_open(struct store **out, const char *dir, bool read_only, struct diag *diag);
