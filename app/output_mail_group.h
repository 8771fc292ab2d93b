/*
 * app/output_mail_group.h - which alerts of a municipality go into which mail, and when.
 *
 *   alert >= minimum severity --> pending: up to MAIL_ITEMS_MAX listed, worst first, the rest counted
 *                                 due: `window` after the first, if an hour has room for one more
 *   milder                    --> counted by kind, due once a day
 *
 * A further revision of an alert that was mailed changes no mail and makes none, unless it is more
 * severe than what was mailed; it is counted. All of it survives a restart as JSON.
 *
 * Ownership: the groups own their tenants.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_CORRUPT for a state that is none; past MAIL_TENANTS_MAX ERR_RANGE.
 */
#pragma once

#include "app/output_alert.h"

enum mail_limits {
    MAIL_TENANTS_MAX = 2048,
    MAIL_ITEMS_MAX = 20,       /* listed in a mail */
    MAIL_KINDS_MAX = 32,       /* told apart in the daily summary, the rest together */
    MAIL_MEMORY = 256,         /* alerts of a municipality that were mailed last */
    MAIL_SENT_MAX = 60,        /* mails an hour */
    MAIL_TEXT_BYTES_MAX = 600, /* of a message or an action */
    MAIL_NAME_BYTES_MAX = 120,
};

struct mail_policy {
    int64_t window_ns;
    unsigned per_hour; /* 1..MAIL_SENT_MAX */
    enum alert_severity minimum;
    int summary_hour; /* of the day in Japan */
};

struct mail_item {
    char id[2 * ALERT_ID_BYTES + 1];
    int64_t revision;
    enum alert_severity severity;
    int64_t count;
    int64_t first_ns;
    int64_t last_ns;
    char kind[MAIL_NAME_BYTES_MAX + 1];
    char name[MAIL_NAME_BYTES_MAX + 1]; /* of the rule */
    char evidence[2 * MAIL_NAME_BYTES_MAX + 1];
    char message[MAIL_TEXT_BYTES_MAX + 1];
    char action[MAIL_TEXT_BYTES_MAX + 1];
};

struct mail_kind {
    char kind[MAIL_NAME_BYTES_MAX + 1];
    int64_t count;
};

struct mail_memory {
    char id[2 * ALERT_ID_BYTES + 1];
    enum alert_severity severity;
};

struct mail_tenant {
    uint32_t tenant;
    char name[MAIL_NAME_BYTES_MAX + 1];
    int64_t since_ns; /* wall clock of the first pending alert; CLOCK_NONE = none is */
    struct mail_item items[MAIL_ITEMS_MAX];
    size_t item_count;
    int64_t more[ALERT_SEVERITY_COUNT]; /* pending and not listed */
    int64_t updates;                    /* revisions of mailed alerts since the last mail */
    struct mail_kind kinds[MAIL_KINDS_MAX];
    size_t kind_count;
    int64_t summary_day; /* of the last summary, counted from the policy's hour; 0 = none yet */
    int64_t sent_ns[MAIL_SENT_MAX]; /* mails of the last hour, oldest first */
    size_t sent_count;
    struct mail_memory memory[MAIL_MEMORY]; /* a ring */
    size_t memory_count;
    size_t memory_next;
    int64_t not_before_ns; /* after a refusal; CLOCK_NONE = at once */
    int64_t refusals;      /* in a row */
};

struct mail_groups {
    struct mail_policy policy;
    struct mail_tenant **tenants;
    size_t count;
};

int mail_groups_read(struct mail_groups *g, struct slice state);
void mail_groups_write(const struct mail_groups *g, struct buf *state);
void mail_groups_release(struct mail_groups *g);

/* Take an alert in. */
int mail_groups_add(struct mail_groups *g, const struct alert_record *record, int64_t now_ns);

enum mail_due {
    MAIL_NONE,
    MAIL_ALERTS,
    MAIL_SUMMARY,
};

/* The next mail that is due, and whose; NULL out when none is. */
enum mail_due mail_groups_due(const struct mail_groups *g, int64_t now_ns,
                              struct mail_tenant **out);
/* It was sent. */
void mail_groups_sent(const struct mail_groups *g, struct mail_tenant *t, enum mail_due what,
                      int64_t now_ns);
/* It was refused for good or for now: others first. */
void mail_groups_refused(struct mail_tenant *t, int64_t now_ns);
