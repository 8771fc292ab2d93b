/*
 * app/alert_request.h - what a person does to alerts, from the command line to the collector's log.
 *
 *   id, or beginning of one --> the alert in the log --> control as JSON --> DIR/control.sock
 *   --> wait until a frame of the log holds it: then it is durable and has its effect
 *
 * Ownership: a request borrows its texts.
 * Threads:   one.
 * Failures:  the result is an exit code of app/options.h; why stands in the diagnosis.
 */
#pragma once

#include "app/alert_print.h"

struct alert_request {
    const char *dir; /* of the store */
    int action;      /* of struct detect_control */
    const char *id;  /* or its first digits; NULL: `kind` and `key` say what is suppressed */
    const char *kind;
    const char *key; /* "source.ip=192.0.2.1" */
    bool has_tenant;
    uint32_t tenant;
    int64_t until_ns; /* of a suppression */
    const char *reason;
    const char *by; /* NULL: the user's name */
    bool json;      /* print the control itself */
    struct alert_print print;
};

/* Do it, and append to `out` what was done. */
int alert_request_run(const struct alert_request *r, struct buf *out, struct diag *diag);
