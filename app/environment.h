/*
 * app/environment.h - the databases that rows are enriched with, and their place in the log.
 *
 * What decides how a line is read is recorded: the configuration file and each database by its
 * content's hash, the bytes in DIR/env/, named by the first frame of a run. The bytes are those that
 * are in force, in memory, not what the files have become meanwhile.
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
    const struct config *config; /* borrowed */
    struct feed_environment feed;
    struct geo *geo;
    struct domain_list *domains;
    struct indicator_set *indicators;
    struct lists lists;     /* their bytes, until environment_record() */
    struct arena names;     /* of their blobs */
    struct rule_set *rules; /* NULL: none are configured */
    struct buf rule_bytes;  /* until environment_record() */
    /* What rows are judged with, by name and hash: configuration, suffixes, rules, lists. */
    struct frame_env *judged;
    size_t judged_count;
    struct frame_env databases[2]; /* as they were recorded */
    size_t database_count;
    bool recorded;
};

/* `rules`: a path in place of the configuration's, or NULL. */
int environment_open(struct environment *out, const struct config *config, const char *rules,
                     struct diag *diag);
/* Only what rows are read and enriched with. */
int environment_open_databases(struct environment *out, const struct config *config,
                               struct diag *diag);
/* The same for somebody who asks whether it is right: a filter that is over by `now_ns` is a fault. */
int environment_check(struct environment *out, const struct config *config, int64_t now_ns,
                      struct diag *diag);
void environment_close(struct environment *e);

/* Where the contents of a log's names come from. */
struct environment_origin {
    int (*read)(void *self, struct slice name, struct buf *out); /* none: appends nothing */
    const struct frame_env *suffixes; /* the public suffix list, or NULL */
    const char *suffixes_path;
    void *self;
};
/* What rows were judged with: indicators and rules; rows cannot be read with it. */
int environment_open_past(struct environment *out, const struct config *config,
                          const struct environment_origin *origin, struct diag *diag);

/* Whether what find() gives for the names, NULL for none, is what `e` judges rows with. */
bool environment_is(const struct environment *e,
                    const struct frame_env *(*find)(const void *self, struct slice name),
                    const void *self);
/* The same for what the store's last frame has in force. */
bool environment_is_current(const struct environment *e, const struct store *store);

/*
 * Put the blobs into the store (lists as "list/<name>") and tell those that the log does not name
 * yet. `envs` holds ENVIRONMENT_BLOBS items. Where it was done before, for a run that could not go on,
 * their bytes are in the store already. Rules that the log names and nobody loads any more become
 * empty.
 */
int environment_record(struct environment *e, struct store *store, const struct config *config,
                       struct frame_env *envs, size_t *count);
