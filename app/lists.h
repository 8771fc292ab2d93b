/*
 * app/lists.h - the lists of indicators that the configuration names: read, then made into a set.
 *
 *   lists_read() --> contents and their hashes --lists_build()--> struct indicator_set
 *                    (to be recorded: what is built is what was read, whatever the files become)
 *
 * Ownership: the lists own the contents; the set outlives them.
 * Threads:   one owner.
 * Failures:  ERR_CONF with findings, ERR_NOMEM. Bad lines are findings, too, but no failure.
 */
#pragma once

#include "app/config.h"
#include "store/store.h"

enum lists_limits {
    LISTS_FILE_BYTES_MAX = 512 << 20,
    LISTS_VERSION_DIGITS = 12, /* of a SHA-256, where no version is given */
};

struct list_file {
    const struct conf_node *node; /* in the configuration, or NULL */
    struct buf path;
    struct buf content;
    struct sha256 hash;
    char version[SHA256_HEX_BYTES + 1];
    struct indicator_source source; /* borrows from all of it */
};

struct lists {
    struct list_file *files; /* in the configuration's order */
    size_t count;
};

/* Read every file. All that is wrong with the section is said in one pass. */
int lists_read(struct lists *out, const struct config *config, struct diag *diag);
/* The same with contents from elsewhere: read() appends that of the list of a name, or fails. */
struct lists_origin {
    int (*read)(void *self, struct slice name, struct buf *out);
    void *self;
};
int lists_read_from(struct lists *out, const struct config *config,
                    const struct lists_origin *origin, struct diag *diag);
void lists_release(struct lists *lists);

/*
 * Read one more list, which no configuration names: "FILE" or "FILE:WORD", where the word is a format
 * (plain, csv, misp, stix) or a type of entries (domain, ...); left out, by the look of the file. Its
 * name is the file's. A zeroed struct is no lists.
 */
int lists_add(struct lists *lists, const char *spec, struct diag *diag);

/*
 * Make the set; `suffixes` NULL accepts public suffixes. A list of which no line can be used is
 * ERR_CONF.
 */
int lists_build(struct indicator_set **out, const struct lists *lists,
                const struct domain_list *suffixes, struct diag *diag);

/* Append a line for each list: what became of its entries. */
void lists_print(struct buf *out, const struct lists *lists, const struct indicator_set *set);
/* The same into the program's log, and what `diag` has found. */
void lists_log(const struct lists *lists, const struct indicator_set *set, struct diag *diag);
