/*
 * store/segment_seal.h - private to store/: what of a sealed segment can be read without its key.
 *
 *   section SEALED   key id, salt, prefix | of each group: place, length, rows, SHA-256 | sealed footer
 *
 * So whoever has no key can tell that every byte is the one that was written, and what key is missing.
 *
 * Ownership: what was read borrows the section.
 * Threads:   none.
 * Failures:  ERR_CORRUPT, ERR_NOMEM, ERR_IO.
 */
#pragma once

#include "store/keyring.h"
#include "store/reader.h"
#include "store/seal.h"
#include "store/sha256.h"

struct sealed_group {
    uint64_t at;
    uint64_t len;
    uint32_t row_count;
    struct sha256 hash;
};

struct sealed_footer {
    uint8_t key_id[KEYRING_ID_BYTES];
    uint8_t salt[SEAL_SALT_BYTES];
    uint8_t prefix[SEAL_PREFIX_BYTES];
    uint32_t group_count;
    struct slice groups;
    struct slice inside; /* sealed */
};

void sealed_group_put(struct buf *out, const struct sealed_group *g);
/* The next one. */
struct sealed_group sealed_group_read(struct reader *in);

/*
 * Append the section's content to a footer whose first byte stands at `footer_at` of the file. Of
 * `what` everything is given, `inside` unsealed.
 */
int sealed_footer_put(struct buf *footer, uint64_t footer_at, const struct file_seal *seal,
                      const struct sealed_footer *what);
/* How long that is. */
uint64_t sealed_footer_bytes(const struct sealed_footer *what);
int sealed_footer_read(struct sealed_footer *out, struct slice section, uint32_t groups_max);
/* Say which key of the municipality is missing, or was destroyed. Returns ERR_SEALED. */
int sealed_footer_refuse(const struct sealed_footer *f, const char *path, uint32_t tenant,
                         bool destroyed, struct diag *diag);
