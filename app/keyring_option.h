/*
 * app/keyring_option.h - the keyring with which this process opens sealed segments.
 *
 *   --keyring FILE, key encryption.keyring  -->  SEKISHO_KEYRING  -->  whoever opens segments
 *
 * The environment holds the name for the whole process; the file is read each time that segments are opened, so that
 * keys that were added are there.
 *
 * Ownership: the keyring is the caller's to close, after the segments.
 * Threads:   keyring_option_name() before others are started; the rest from any.
 * Failures:  those of keyring_open(), said in `diag`.
 */
#pragma once

#include "store/store.h"

struct config;

#define KEYRING_ENVIRONMENT "SEKISHO_KEYRING"

/* What --keyring says goes before what the environment says. ERR_NOMEM. */
int keyring_option_name(const char *path);
/* What a configuration says goes before it as well. */
int keyring_option_config(const struct config *config);
/* The file that is named; NULL: none is. */
const char *keyring_option_path(void);
/* *out is NULL where none is named: then only what is not sealed can be read. */
int keyring_option(struct keyring **out, struct diag *diag);

/*
 * Whether all municipalities of a configuration that are to be encrypted have an active key; *count says how many
 * they are. ERR_CONF with what is missing in `diag`.
 */
int keyring_option_check(size_t *count, const struct config *config, struct diag *diag);
