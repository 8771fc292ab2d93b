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

#include "app/lists.h"
#include "app/rule_load.h"
#include "store/store.h"

enum environment_limits {
    ENVIRONMENT_LISTS_MAX = 512,
    /* Configuration, country, asn, public suffix list, rules, and the lists of indicators. */
    ENVIRONMENT_BLOBS = 5 + ENVIRONMENT_LISTS_MAX,
    ENVIRONMENT_BLOB_BYTES_MAX = 512 << 20,
};

struct environment {
    struct feed_environment feed;
    struct geo *geo;
    struct domain_list *domains;
    struct indicator_set *indicators;
    struct lists lists;     /* their bytes, until environment_record() */
    struct arena names;     /* of their blobs */
    struct rule_set *rules; /* NULL: none are configured */
    struct buf rule_bytes;  /* until environment_record() */
};

/* `rules`: a path in place of the configuration's, or NULL. */
int environment_open(struct environment *out, const struct config *config, const char *rules,
                     struct diag *diag);
void environment_close(struct environment *e);

/*
 * Put the blobs into the store (lists as "list/<name>") and tell those that the log does not name
 * yet. `envs` holds
 * ENVIRONMENT_BLOBS items.
 */
int environment_record(struct environment *e, struct store *store, const struct config *config,
                       struct frame_env *envs, size_t *count);
