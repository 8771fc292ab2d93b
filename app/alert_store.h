/*
 * app/alert_store.h - the alerts of a store's log for people: each as its highest revision says,
 * together with what people did to it.
 *
 *   frames --> ALERTS    id -> revision, place of its line     104 bytes an alert, no texts
 *          --> CONTROLS  suppressions, acknowledgements, closings, in their order
 *
 * The lines stay in the log, or in what is left of its oldest files, and are read from there when they
 * are asked for.
 *
 * Ownership: the store owns its memory; directory and diagnosis are borrowed for its life.
 * Threads:   one owner.
 * Failures:  named per function. Damage of the log is named in the diagnosis and counted; what lies
 *            in other files is there all the same.
 */
#pragma once

#include "app/log_walk.h"
#include "detect/detect.h"

enum alert_store_limits {
    ALERT_STORE_ALERTS_MAX = 4 << 20,    /* distinct ids; more give ERR_RANGE */
    ALERT_STORE_CONTROLS_MAX = 64 << 10, /* the newest; older ones are forgotten */
    ALERT_STORE_BY_MAX = 64,             /* bytes of a person's name with the NUL */
};

/* What people did to an alert, beside what its own line says. */
enum alert_handling {
    ALERT_NOT_HANDLED,
    ALERT_ACKNOWLEDGED,
    ALERT_DONE, /* closed, or suppressed by its id */
};

struct alert_entry {
    struct alert_id id;
    uint32_t tenant;
    uint32_t revision;
    int64_t first_ns; /* event times; CLOCK_NONE where the line has none */
    int64_t last_ns;
    char kind[DETECT_CONTROL_KIND_MAX];
    uint8_t severity;          /* enum alert_severity */
    uint8_t state;             /* enum alert_state of the line */
    uint8_t handling;          /* enum alert_handling */
    uint32_t handled_revision; /* the newest that whoever did it could know */
    uint64_t control;          /* number of the control that says so; see alert_store_control() */
    /* Where the line stands: a file of the log, the offset in it; in remains the frame alone tells. */
    uint64_t file_seq;
    uint64_t at;
    uint64_t frame_seq;
    uint32_t len;
    bool known; /* what stands in the line was read */
};

struct alert_control {
    struct detect_control what;
    int64_t at_ns; /* CLOCK_NONE where it was not said */
    char by[ALERT_STORE_BY_MAX];
};

struct alert_store;

struct alert_store_options {
    const char *dir; /* of the store */
    bool has_tenant; /* alerts of others are left out; controls are not */
    uint32_t tenant;
};

/*
 * Read the log as it is now. Returns 0, also when something of it is damaged; ERR_RANGE for more
 * than ALERT_STORE_ALERTS_MAX alerts; else as log_walk_open(). Says why in `diag`.
 */
int alert_store_open(struct alert_store **out, const struct alert_store_options *options,
                     struct diag *diag);
/* NULL is allowed. */
void alert_store_close(struct alert_store *s);

/* Places where the log is damaged or missing. */
uint64_t alert_store_damage(const struct alert_store *s);

size_t alert_store_count(const struct alert_store *s);
/* In the order of first sight; at < alert_store_count(). Valid until the next alert_store_follow(). */
const struct alert_entry *alert_store_entry(const struct alert_store *s, size_t at);
/* NULL when there is none. */
const struct alert_entry *alert_store_find(const struct alert_store *s, const struct alert_id *id);

/* Append an entry's line to `out`. ERR_CORRUPT when the log no longer has it; ERR_IO, ERR_NOMEM. */
int alert_store_line(struct alert_store *s, const struct alert_entry *e, struct buf *out);

/* open, amended, acknowledged, closed or superseded: the line's state, or what people made of it. */
const char *alert_entry_state(const struct alert_entry *e);
bool alert_state_exists(const char *name);
/* Acknowledged, and something was added after that: worth another look. */
bool alert_entry_amended_since(const struct alert_entry *e);

/* Controls kept, the oldest first, as [begin, end); numbers go on from one reading to the next. */
void alert_store_controls(const struct alert_store *s, uint64_t *begin, uint64_t *end);
/* NULL for one that is not kept. */
const struct alert_control *alert_store_control(const struct alert_store *s, uint64_t number);
/*
 * Whether a suppression still has its effect at a time: it has not ended, and no later control of
 * the same municipality, kind and key took its place.
 */
bool alert_store_in_force(const struct alert_store *s, uint64_t number, int64_t now_ns);

/*
 * Read what the log got since. Each new revision is shown, in the order of the log, to `visit`,
 * which returns 0 to go on. Damage ends it with ERR_CORRUPT. visit may be NULL.
 */
int alert_store_follow(struct alert_store *s, int (*visit)(void *self, const struct alert_entry *e),
                       void *self);
/*
 * Read on until a frame holds this control, byte for byte: it is durable then. ERR_AGAIN when the
 * time is over.
 */
int alert_store_await(struct alert_store *s, struct slice json, int64_t wait_ns);
