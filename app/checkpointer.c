#include "app/checkpointer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/background.h"
#include "app/signing.h"
#include "base/clock.h"
#include "base/log.h"

enum metric_number {
#define METRIC(name, ...) METRIC_##name,
#include "app/metrics.def"
#undef METRIC
};

struct checkpointer {
    struct checkpointer_options o;
    struct background *background;
    struct signing *signing; /* NULL: to be opened again */
    atomic_uint_fast64_t number;
    atomic_int_fast64_t signed_ns;
    atomic_uint_fast64_t failures;
};

static int open_signing(struct checkpointer *c, struct diag *diag)
{
    int err = signing_open(&c->signing, c->o.dir, c->o.store_id,
                           config_path(c->o.config, "checkpoint.key"), diag);
    if (err == 0)
        atomic_store(&c->number, signing_number(c->signing));
    return err;
}

static int sign(struct checkpointer *c, struct buf *text, struct diag *diag)
{
    int err = c->signing == NULL ? open_signing(c, diag) : 0;
    if (err == 0)
        err = signing_look(c->signing, diag);
    if (err != 0)
        return err;
    struct log_end end = collector_log_end(c->o.collector);
    return signing_next(c->signing, &end, text, diag);
}

static void run(void *self, atomic_bool *stop)
{
    struct checkpointer *c = self;
    struct diag diag = {0};
    struct buf text = {0};
    struct sha256 hash;
    char hex[SHA256_HEX_BYTES + 1];
    (void)stop; /* the work of some milliseconds */
    int err = sign(c, &text, &diag);
    if (err == 0)
        err = checkpoint_hash(&hash, buf_content(&text));
    if (err == 0) {
        sha256_hex(hex, &hash);
        atomic_store(&c->number, signing_number(c->signing));
        atomic_store(&c->signed_ns, clock_now_ns());
        log_info("checkpoint", "signed", "number=%" PRIu64 " hash=%s", signing_number(c->signing),
                 hex);
    } else {
        signing_close(c->signing);
        c->signing = NULL;
        atomic_fetch_add(&c->failures, 1);
        log_error("checkpoint", "no checkpoint could be signed; the next one is tried as ever",
                  "why=%s", diag.count != 0 ? diag_text(&diag) : err_name(err));
    }
    buf_release(&text);
    diag_release(&diag);
}

int checkpointer_start(struct checkpointer **out, const struct checkpointer_options *options,
                       struct diag *diag)
{
    int64_t every_ns = conf_int(config_root(options->config), "checkpoint.every");
    *out = NULL;
    if (!conf_bool(config_root(options->config), "checkpoint.sign"))
        return 0;
    struct checkpointer *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->o = *options;
    const struct background_options background = {.every_ns = every_ns, .run = run, .self = c};
    int err = open_signing(c, diag);
    if (err == 0)
        err = background_start(&c->background, &background);
    if (err != 0) {
        checkpointer_stop(c);
        return err;
    }
    *out = c;
    return 0;
}

void checkpointer_observe(struct checkpointer *c, struct metric_set *metrics)
{
    if (c == NULL)
        return;
    metric_set_value(metrics, METRIC_CHECKPOINT_NUMBER, (int64_t)atomic_load(&c->number));
    metric_set_value(metrics, METRIC_CHECKPOINT_TIME, (int64_t)atomic_load(&c->signed_ns));
    metric_set_value(metrics, METRIC_CHECKPOINT_FAILURES, (int64_t)atomic_load(&c->failures));
}

void checkpointer_stop(struct checkpointer *c)
{
    if (c == NULL)
        return;
    background_stop(c->background);
    signing_close(c->signing);
    free(c);
}
