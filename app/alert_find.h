/*
 * app/alert_find.h - the alert that a person means by its id, or by the first digits of it.
 *
 * Ownership: *out belongs to the store; valid until its next alert_store_follow().
 * Threads:   one.
 * Failures:  the result is an exit code of app/options.h; why stands in the diagnosis.
 */
#pragma once

#include "app/alert_store.h"

struct alert_wanted {
    const char *dir; /* of the store; for what is said */
    const char *id;  /* hex digits, at least six */
    bool has_tenant; /* alerts of others are not there */
    uint32_t tenant;
};

/*
 * EXIT_CODE_USAGE for what is no id and for a beginning that several alerts share,
 * EXIT_CODE_FINDINGS when no alert has it.
 */
int alert_find(const struct alert_entry **out, const struct alert_wanted *wanted,
               const struct alert_store *s, struct diag *diag);
