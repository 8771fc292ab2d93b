/*
 * detect/finding.h - what a detector has to say about a row or a tick, before it is an alert.
 *
 *   struct finding f;
 *   finding_begin(&f, TEXT_SCAN, flow, 30 * MINUTE);
 *   finding_key_ip(&f, "source.ip", &flow->source);
 *   finding_int(&f, "contacts", walk->contacts);
 *   detect_fire(run, &f);
 *
 * Keys group: findings of one detector, text and group key within `window_ns` of event time are one
 * episode and so one alert. Explained numbers must be enough to recompute the decision; the texts
 * name both as {source.ip}, {contacts}.
 *
 * Values are printed into the finding at once: doubles with six significant digits (a text says at
 * most three of them), times as RFC 3339.
 *
 * Ownership: the finding borrows `flow` and the names; texts are copied.
 * Threads:   plain data of one owner.
 * Failures:  what does not fit any more is left out, and the alert says so: "explain.cut" counts.
 */
#pragma once

#include "detect/flow.h"

enum finding_limits {
    FINDING_ITEMS_MAX = 24,
    FINDING_KEYS_MAX = 6,
    FINDING_TEXT_BYTES_MAX = 1024, /* of all values */
    FINDING_VALUE_BYTES_MAX = 256, /* a longer text is cut at a character and ends in "..." */
};

enum finding_kind {
    FINDING_TEXT,   /* a JSON string */
    FINDING_NUMBER, /* a whole one, as it stands */
    FINDING_TIME,   /* RFC 3339, UTC; texts show it in Japan's time */
    FINDING_REAL,   /* as it stands; texts show what people can take in of it */
};

struct finding_item {
    const char *name; /* ECS for keys; without "explain." for the others */
    uint16_t at;      /* in text */
    uint16_t len;
    bool key;
    uint8_t kind; /* enum finding_kind */
};

struct rule_entry; /* detect/rule_set.h */

struct finding {
    uint8_t text; /* index of the detector's texts */
    uint8_t item_count;
    bool scored;          /* counts against the day's budget of alerts; `tail` says how unusual */
    bool ended;           /* what the episode was about is over: it closes */
    bool amends;          /* adds to an open episode and never begins one */
    uint32_t tenant;      /* of the prefecture's: whose alert it is; 0 = its own */
    int8_t severity_step; /* added to the text's severity */
    uint8_t cut;          /* items that found no room */
    uint16_t text_len;
    double tail; /* probability of something at least so unusual on a normal day */
    int64_t window_ns;
    int64_t time_ns;               /* of the flow, or of the tick */
    const struct rule_entry *rule; /* whose words are told; NULL: the detector's text */
    const struct flow *flow;       /* the row that completes it; NULL: the tick does */
    struct finding_item items[FINDING_ITEMS_MAX];
    char values[FINDING_TEXT_BYTES_MAX];
};

/* Certain until finding_score() says otherwise. `flow` NULL: time_ns is set by detect_fire(). */
void finding_begin(struct finding *f, uint8_t text, const struct flow *flow, int64_t window_ns);
void finding_score(struct finding *f, double tail);

/* A value as it is printed. */
void finding_add(struct finding *f, const char *name, struct slice text, bool key, uint8_t kind);

void finding_key_ip(struct finding *f, const char *name, const struct ip *ip);
void finding_key_text(struct finding *f, const char *name, struct slice text);
void finding_key_int(struct finding *f, const char *name, int64_t value);

void finding_text(struct finding *f, const char *name, struct slice text);
void finding_ip(struct finding *f, const char *name, const struct ip *ip);
void finding_int(struct finding *f, const char *name, int64_t value);
void finding_real(struct finding *f, const char *name, double value);
void finding_time(struct finding *f, const char *name, int64_t time_ns);
