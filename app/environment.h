/*
 * app/environment.h - the databases that rows are enriched with, and their place in the log.
 *
 * What decides how a line is read is recorded: the configuration file and each database by its
 * content's hash, the bytes in DIR/env/, named by the first frame of a run.
 *
 * Ownership: the environment owns its databases.
 * Threads:   immutable after environment_open().
 * Failures:  ERR_CONF with a finding, ERR_NOMEM, and those of store_env_put().
 */
#pragma once

#include "app/config.h"
#include "store/store.h"

enum environment_limits {
    ENVIRONMENT_BLOBS = 4, /* configuration, country, asn, public suffix list */
    ENVIRONMENT_BLOB_BYTES_MAX = 512 << 20,
};

struct environment {
    struct feed_environment feed;
    struct geo *geo;
    struct domain_list *domains;
};

int environment_open(struct environment *out, const struct config *config, struct diag *diag);
void environment_close(struct environment *e);

/*
 * Put the blobs into the store and list those that the log does not name yet. `envs` holds
 * ENVIRONMENT_BLOBS items.
 */
int environment_record(struct store *store, const struct config *config, struct frame_env *envs,
                       size_t *count);
