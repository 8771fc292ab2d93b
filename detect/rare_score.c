#include "detect/rare_score.h"

#include <string.h>

#include "detect/real.h"

enum {
    FADE_BITS = 4, /* a sixteenth a day */
    PEAKS_SHARE = 10,
    ANSWERS_SHARE = 4, /* of the answers are small */
    WORKING_SHARE = 4, /* a day with a quarter of the usual units is a working day */
};

#define WHOLE       UINT64_C(256) /* one unit, in the counts */
#define LN_2        0.693147180559945309
#define SHAPE_MIN   (-0.2)
#define SHAPE_MAX   0.5  /* beyond it the moments do not exist */
#define SHAPE_ZERO  1e-3 /* nearer to 0 it is this: the formula divides by it */
#define SHAPE_PEAKS 100  /* with so many peaks the shape that they show counts half */
#define UNKNOWN     1.5  /* 1 for the scale, a half for the rate, which the peaks tell roughly */
#define SCALE_MIN   0.25
#define RATE_MIN    1e-12

/* ------------------------------------------------------------------------------ bins */

/* 0, 1, 2, 3, 4, 5, 6, 7-, 10-, 14-, 20-, 32-, 64-, 128-, 256-, 512- */
static uint8_t count_bin(uint32_t count)
{
    static const uint16_t FROM[RARE_BINS] = {0,  1,  2,  3,  4,  5,   6,   7,
                                             10, 14, 20, 32, 64, 128, 256, 512};
    uint8_t bin = RARE_BINS - 1;
    while (count < FROM[bin])
        bin--;
    return bin;
}

/* Below 1 KiB, below 2 KiB, ... from 16 MiB on. */
static uint8_t bytes_bin(uint64_t bytes)
{
    uint8_t bin = 0;
    for (bytes >>= 10; bytes != 0 && bin < RARE_BINS - 1; bytes >>= 1)
        bin++;
    return bin;
}

void rare_score_bins(uint8_t bins[RARE_TRAITS], const struct rare_unit *unit)
{
    bins[RARE_VISITS] = count_bin(unit->visits);
    bins[RARE_SMALL] = count_bin(unit->small);
    bins[RARE_UPLOAD] = bytes_bin(unit->upload_bytes);
    bins[RARE_QUIET] = count_bin(unit->quiet);
    bins[RARE_ALONE] = count_bin(unit->alone);
    bins[RARE_KIND] = (uint8_t)(unit->kind % RARE_BINS);
}

static double sum_of(const double *bits, const struct rare_unit *unit)
{
    uint8_t bins[RARE_TRAITS];
    double sum = 0;
    rare_score_bins(bins, unit);
    for (unsigned t = 0; t < RARE_TRAITS; t++)
        sum += bits[t * RARE_BINS + bins[t]];
    return sum;
}

double rare_score_of(const struct rare_score *s, const struct rare_unit *unit)
{
    return sum_of(&s->bits[0][0], unit);
}

/* -------------------------------------------------------------------------- learning */

void rare_score_learn(struct rare_score *s, const struct rare_unit *unit)
{
    uint8_t bins[RARE_TRAITS];
    rare_score_bins(bins, unit);
    for (unsigned t = 0; t < RARE_TRAITS; t++)
        s->traits[t][bins[t]] += WHOLE;
    s->units += WHOLE;
    s->units_today++;
}

/* -log2 of (seen + 1) / (units + 2), in whole units. */
static double worth(uint64_t seen, uint64_t units)
{
    return (real_log((double)(units + 2 * WHOLE)) - real_log((double)(seen + WHOLE))) / LN_2;
}

void rare_score_weigh(struct rare_score *s)
{
    for (unsigned t = 0; t < RARE_TRAITS; t++) {
        uint64_t seen = 0;
        for (unsigned bin = RARE_BINS; bin-- > 0;) {
            seen = t == RARE_KIND ? s->traits[t][bin] : seen + s->traits[t][bin];
            uint64_t others = seen >= WHOLE ? seen - WHOLE : 0;
            uint64_t units = s->units >= WHOLE ? s->units - WHOLE : 0;
            s->bits[t][bin] = worth(seen, s->units);
            s->spare[t][bin] = worth(others, units);
        }
    }
}

static unsigned step_of(double bits)
{
    double step = bits * RARE_STEPS_PER_BIT;
    return step >= RARE_STEPS - 1 ? RARE_STEPS - 1 : (unsigned)step;
}

void rare_score_close(struct rare_score *s, const struct rare_unit *unit)
{
    s->scores[step_of(sum_of(&s->spare[0][0], unit))] += WHOLE;
    s->scored += WHOLE;
}

static void fade(uint64_t *counts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        counts[i] -= counts[i] >> FADE_BITS;
}

/* The highest step that so many scores reach, and how many do. */
static unsigned step_reached_by(const struct rare_score *s, uint64_t want, uint64_t *count)
{
    unsigned step = RARE_STEPS;
    *count = 0;
    while (step > 0 && *count < want)
        *count += s->scores[--step];
    return step;
}

static double per_day(const struct rare_score *s, uint64_t count)
{
    return (double)count / (double)(s->days == 0 ? WHOLE : s->days);
}

/* Scores are taken in the middle of their step. */
static double excess_of(unsigned step, unsigned threshold)
{
    return ((double)(step - threshold) + 0.5) / RARE_STEPS_PER_BIT;
}

/* The shape by moments as far as so many peaks can tell, and what they cannot; never quite 0. */
static double shape_of(double ratio, double peaks)
{
    double shape = 0.5 * (1 - ratio) * peaks / (peaks + SHAPE_PEAKS) + UNKNOWN / peaks;
    if (shape < SHAPE_MIN)
        return SHAPE_MIN;
    if (shape > SHAPE_MAX)
        return SHAPE_MAX;
    return shape < SHAPE_ZERO && shape > -SHAPE_ZERO ? SHAPE_ZERO : shape;
}

static void fit(struct rare_score *s)
{
    uint64_t want = s->scored / PEAKS_SHARE;
    uint64_t count = 0;
    want = want < RARE_PEAKS_MIN * WHOLE ? RARE_PEAKS_MIN * WHOLE : want;
    want = want > RARE_PEAKS_MAX * WHOLE ? RARE_PEAKS_MAX * WHOLE : want;
    unsigned threshold = step_reached_by(s, want, &count);
    if (count == 0)
        return;
    double mean = 0;
    double square = 0;
    for (unsigned step = threshold; step < RARE_STEPS; step++) {
        double weight = (double)s->scores[step] / (double)count;
        double excess = excess_of(step, threshold);
        mean += weight * excess;
        square += weight * excess * excess;
    }
    double variance = square - mean * mean;
    double ratio = variance > 0 ? mean * mean / variance : 1;
    s->shape = shape_of(ratio, (double)count / WHOLE);
    s->scale = mean * (1 - s->shape);
    s->scale = s->scale < SCALE_MIN ? SCALE_MIN : s->scale;
    s->threshold = (double)threshold / RARE_STEPS_PER_BIT;
    s->threshold_rate = per_day(s, count);
}

/* The half doubling of a size, and the size that a half doubling begins with. */
static unsigned answer_step(uint64_t bytes)
{
    unsigned step = 0;
    while (bytes >= 4 && step < RARE_ANSWER_STEPS - 2) {
        bytes >>= 1;
        step += 2;
    }
    return step + (bytes == 3);
}

static uint64_t answer_begin(unsigned step)
{
    return (step % 2 == 0 ? UINT64_C(2) : UINT64_C(3)) << step / 2;
}

void rare_score_answer(struct rare_score *s, int64_t bytes)
{
    if (bytes > 0)
        s->answers[answer_step((uint64_t)bytes)] += WHOLE;
}

static void weigh_answers(struct rare_score *s)
{
    uint64_t all = 0;
    uint64_t below = 0;
    unsigned step = 0;
    for (unsigned i = 0; i < RARE_ANSWER_STEPS; i++)
        all += s->answers[i];
    while (step < RARE_ANSWER_STEPS - 1 && below < all / ANSWERS_SHARE)
        below += s->answers[step++];
    if (all >= RARE_UNITS_MIN * WHOLE)
        s->small_bytes = answer_begin(step);
}

bool rare_score_turn(struct rare_score *s)
{
    /* Today's units are in both. */
    bool working = s->units_today != 0 && (double)(s->units_today * WORKING_SHARE *
                                                   (s->days + WHOLE)) >= (double)s->scored;
    if (working)
        s->days += WHOLE;
    s->units_today = 0;
    fit(s);
    weigh_answers(s);
    fade(&s->traits[0][0], (size_t)RARE_TRAITS * RARE_BINS);
    fade(s->scores, RARE_STEPS);
    for (unsigned i = 0; i < RARE_ANSWER_STEPS; i++)
        s->answers[i] /= 2;
    fade(&s->units, 1);
    fade(&s->scored, 1);
    fade(&s->days, 1);
    return working;
}

/* --------------------------------------------------------------------------- judging */

bool rare_score_ready(const struct rare_score *s)
{
    return s->scored >= RARE_UNITS_MIN * WHOLE && s->scale > 0;
}

double rare_score_rate(const struct rare_score *s, double bits)
{
    unsigned step = step_of(bits);
    uint64_t count = 0;
    double at = (double)step / RARE_STEPS_PER_BIT;
    if (at < s->threshold) {
        for (; step < RARE_STEPS; step++)
            count += s->scores[step];
        return per_day(s, count);
    }
    double stretch = s->shape * (at - s->threshold) / s->scale;
    if (stretch <= -1)
        return RATE_MIN;
    double rate = s->threshold_rate * real_exp(-real_log1p(stretch) / s->shape);
    return rate > RATE_MIN ? rate : RATE_MIN;
}

double rare_score_share(const struct rare_score *s, double bits)
{
    double all = per_day(s, s->scored);
    double share = all > 0 ? rare_score_rate(s, bits) / all : 1;
    return share < 1 ? share : 1;
}
