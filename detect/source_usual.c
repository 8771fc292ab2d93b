#include "detect/source_usual.h"

#include <math.h>
#include <stddef.h>

enum {
    CODE_STEPS = 16,  /* per unit of sqrt(lines) */
    LEARN_PART = 4,   /* an hour counts for a quarter */
    CONFIRM_DAYS = 2, /* of the same kind that know an hour */
};

static double decoded(uint16_t code)
{
    double root = (double)(code - 1) / CODE_STEPS;
    return root * root;
}

static uint16_t coded(double lines)
{
    double code = 1.5 + sqrt(lines) * CODE_STEPS;
    return code < UINT16_MAX ? (uint16_t)code : UINT16_MAX;
}

void source_usual_learn(struct source_usual *u, unsigned slot, double lines)
{
    uint16_t *at = &u->coded[slot];
    uint16_t now = coded(lines);
    if (*at == 0) {
        *at = now;
        return;
    }
    int step = ((int)now - (int)*at) / LEARN_PART;
    /* Rounding must not stop it short. */
    if (step == 0 && now != *at)
        step = now > *at ? 1 : -1;
    *at = (uint16_t)((int)*at + step);
}

/* The known codes of the same hour on the days of the slot's kind, ascending. Returns how many. */
static size_t peers(const struct source_usual *u, unsigned slot, uint16_t out[WEEK_DAYS])
{
    unsigned day = slot / WEEK_DAY_HOURS;
    unsigned first = day < WEEK_SATURDAY ? 0 : WEEK_SATURDAY;
    unsigned end = day < WEEK_SATURDAY ? WEEK_SATURDAY : WEEK_DAYS;
    size_t count = 0;
    for (unsigned d = first; d < end; d++) {
        uint16_t code = u->coded[d * WEEK_DAY_HOURS + slot % WEEK_DAY_HOURS];
        if (code == 0)
            continue;
        size_t at = count++;
        for (; at > 0 && out[at - 1] > code; at--)
            out[at] = out[at - 1];
        out[at] = code;
    }
    return count;
}

/* The quietest known hour, when a day's worth of them is known; else 0. */
static uint16_t quietest(const struct source_usual *u)
{
    uint16_t least = UINT16_MAX;
    unsigned known = 0;
    for (unsigned i = 0; i < WEEK_HOURS; i++) {
        known += u->coded[i] != 0;
        if (u->coded[i] != 0 && u->coded[i] < least)
            least = u->coded[i];
    }
    return known >= WEEK_DAY_HOURS ? least : 0;
}

double source_usual_least(const struct source_usual *u, unsigned slot)
{
    uint16_t same[WEEK_DAYS];
    size_t count = peers(u, slot, same);
    uint16_t own = u->coded[slot];
    /* The lowest, of five the second: one odd day is forgiven. One alone confirms nothing. */
    uint16_t usual = count < CONFIRM_DAYS ? quietest(u) : same[(count - 1) / 4];
    if (usual == 0)
        return -1.0;
    return decoded(own != 0 && own < usual ? own : usual);
}

double source_usual_most(const struct source_usual *u, unsigned slot)
{
    uint16_t same[WEEK_DAYS];
    size_t count = peers(u, slot, same);
    if (count < CONFIRM_DAYS)
        return -1.0;
    uint16_t own = u->coded[slot];
    uint16_t usual = same[count - 1 - (count - 1) / 4];
    return decoded(own > usual ? own : usual);
}

void source_usual_scale(struct source_usual *u, double factor)
{
    for (unsigned i = 0; i < WEEK_HOURS; i++) {
        if (u->coded[i] != 0)
            u->coded[i] = coded(decoded(u->coded[i]) * factor);
    }
}
