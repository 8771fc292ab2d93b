/*
 * app/rule_files.h - Sigma documents from files and folders, and lists for their placeholders.
 *
 * `record`, if not NULL, gets the bytes of every file that was read: "== PATH LENGTH", the file, a
 * newline.
 *
 * Ownership: the files' texts are copied into the set, and so are placeholders.
 * Failures:  ERR_CONF with a diagnosis for what is wrong in a file or cannot be read; ERR_NOMEM.
 */
#pragma once

#include "detect/detect.h"

/*
 * A file, or all *.yml and *.yaml (in any case) below a folder in the order of their names. All
 * errors at once; a folder without rules is a warning of the set.
 */
int rule_files_add(struct sigma_set *set, const char *path, struct buf *record, struct diag *diag);

/*
 * The lists beside the rules: the folder `lists` in `path`, or in one of the folders above it. Each
 * x.txt is the placeholder x, a value a line; # begins a comment. None is no error.
 */
int rule_lists_add(struct sigma_set *set, const char *path, struct buf *record, struct diag *diag);

/* Documents and lists from a record of them. ERR_CONF too where it is none. */
int rule_record_add(struct sigma_set *set, struct slice record, struct diag *diag);

/* {"name": ["value", ...]} as placeholders of the set. An empty file has none. */
int rule_placeholders_read(struct sigma_set *set, const char *path, struct diag *diag);
