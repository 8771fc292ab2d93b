/*
 * detect/rare_score.h - private to detect/: how unusual it is what hosts do at a new, rare place.
 *
 * Every day a municipality meets hundreds of places that nobody met before and that one host alone
 * visits: that is no news. What is compared is what happens there in the first 24 hours. Each place
 * has six traits, which only grow; each is put into one of 16 bins:
 *
 *   visits    windows of five seconds with contacts     small   answers before the first sizeable one
 *   upload    bytes that went there, doublings of 1 KiB quiet   visits between 20:00 and 7:00
 *   alone     visits during which the host went nowhere else: pages that people open bring others
 *   kind      name or bare address, which port, refused: a class, not an amount
 *
 * A trait is worth -log2 of the share of the places of earlier days that had at least so much of it
 * (kind: that were of the class). The sum, in bits, is the score: small for what many places have
 * in common, whatever that is in this municipality. Traits are not independent, so the sum is no
 * probability; what the score means is read from the scores themselves:
 *
 *   rate(s) = places a working day that reached s
 *           = counted, where they are at least RARE_PEAKS;
 *             above it a generalized Pareto tail: rate(u) (1 + x (s-u) / w)^(-1/x)
 *
 * as in SPOT (Siffer et al., KDD 2017), with w and x by moments (Hosking and Wallis 1987). Few
 * peaks say little of the shape x: it is drawn to 0, an exponential tail, and then raised by 1.5 /
 * peaks, which is what not knowing w and rate(u) adds to it. Of the places that are learnt each is
 * scored without itself, so that they are like those to come.
 *
 * Old days fade by a sixteenth a day. Alarms are not learnt.
 *
 * Ownership: plain data without pointers, part of a detector's state.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum rare_limits {
    RARE_BINS = 16,
    RARE_STEPS = 512, /* of the score: 0 to 127.75 bits */
    RARE_STEPS_PER_BIT = 4,
    RARE_PEAKS_MIN = 10,    /* scores above the threshold of the tail: a tenth of all, */
    RARE_PEAKS_MAX = 50,    /* within these bounds */
    RARE_UNITS_MIN = 30,    /* before that nothing is judged */
    RARE_ANSWER_STEPS = 64, /* half doublings of bytes */
};

enum rare_trait {
    RARE_VISITS,
    RARE_SMALL,
    RARE_UPLOAD,
    RARE_QUIET,
    RARE_ALONE,
    RARE_KIND,
    RARE_TRAITS,
};

/* What happened at one place: a unit. */
struct rare_unit {
    uint32_t visits;
    uint32_t small;
    uint32_t quiet;
    uint32_t alone;
    uint64_t upload_bytes;
    uint32_t kind; /* below RARE_BINS */
};

/* Counts are in 256ths of a unit, so that they can fade. */
struct rare_score {
    uint64_t traits[RARE_TRAITS][RARE_BINS];
    double bits[RARE_TRAITS][RARE_BINS];  /* what a bin is worth today */
    double spare[RARE_TRAITS][RARE_BINS]; /* and to a unit that is in the counts itself */
    uint64_t scores[RARE_STEPS];
    uint64_t answers[RARE_ANSWER_STEPS];
    uint64_t units;        /* in traits */
    uint64_t scored;       /* in scores */
    uint64_t days;         /* working days in scores */
    uint64_t units_today;  /* whole ones, since the last turn */
    uint64_t small_bytes;  /* an answer below it is small: the lower quartile; 0 = not known */
    double threshold;      /* bits */
    double threshold_rate; /* units a working day that reach it */
    double scale;          /* bits */
    double shape;
};

/* Bin of each trait. */
void rare_score_bins(uint8_t bins[RARE_TRAITS], const struct rare_unit *unit);
/* Bits, by what is known since the last turn; 0 before the first. */
double rare_score_of(const struct rare_score *s, const struct rare_unit *unit);

/*
 * Midnight: first every unit whose 24 hours are over is given to rare_score_learn(), then
 * rare_score_weigh() is called once, then every such unit is given to rare_score_close(), at last
 * rare_score_turn() makes the tail.
 */
void rare_score_learn(struct rare_score *s, const struct rare_unit *unit);
void rare_score_weigh(struct rare_score *s);
void rare_score_close(struct rare_score *s, const struct rare_unit *unit);
/* Returns whether the day counts as a working day. */
bool rare_score_turn(struct rare_score *s);

/* An answer's size at a new place: what is small is learnt from them. */
void rare_score_answer(struct rare_score *s, int64_t bytes);

/* Whether enough was learnt to judge. */
bool rare_score_ready(const struct rare_score *s);
/* Units a working day that score at least so much; never 0. Needs that it is ready. */
double rare_score_rate(const struct rare_score *s, double bits);
/* The same as a share of all units. */
double rare_score_share(const struct rare_score *s, double bits);
