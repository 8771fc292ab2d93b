/*
 * app/manifest.h - the list of files of a replay.
 *
 *   - {tenant: "052027", source: fw1, format: fortigate, file: fw1.log, zone: "+09:00"}
 *
 * Paths are relative to the manifest. A map with `files` (that list) and `reference_time` is read
 * too. What the configuration says of a source holds where the entry is silent.
 *
 * Ownership: the manifest owns its files and texts; zone tables and layouts are the configuration's.
 * Failures:  ERR_CONF with every fault as file:line:column.
 */
#pragma once

#include "app/replay.h"

struct manifest;

int manifest_load(struct manifest **out, const char *path, struct config *config,
                  struct diag *diag);
void manifest_free(struct manifest *m);

/* In the order of the list: index = partition. */
const struct replay_file *manifest_files(const struct manifest *m, size_t *count);
/* CLOCK_NONE when it is not given. */
int64_t manifest_reference_ns(const struct manifest *m);
