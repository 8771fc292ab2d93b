#include "detect/ladder.h"

#include <assert.h>

#include "detect/real.h"

static const double RUNGS[LADDER_RUNGS] = {
    1.5, 2.4, 3.84, 6.144, 9.8304, 15.72864, 25.165824, 40.2653184, 64.42450944, 103.079215104};

void ladder_expose(struct ladder *l, double exposure, double memory)
{
    l->exposure += exposure;
    if (l->exposure <= memory)
        return;
    l->exposure *= 0.5;
    for (int i = 0; i < LADDER_RUNGS; i++) {
        l->count[i] *= 0.5;
        l->sum[i] *= 0.5;
    }
}

void ladder_learn(struct ladder *l, double size)
{
    for (int i = 0; i < LADDER_RUNGS && size > RUNGS[i]; i++) {
        l->count[i] += 1.0;
        l->sum[i] += size - RUNGS[i];
    }
}

bool ladder_knows(const struct ladder *l)
{
    return l->count[0] >= LADDER_COUNT_LEAST;
}

double ladder_rate(const struct ladder *l, double size)
{
    assert(ladder_knows(l) && l->exposure > 0);
    int rung = 0;
    while (rung + 1 < LADDER_RUNGS && RUNGS[rung + 1] < size &&
           l->count[rung + 1] >= LADDER_COUNT_LEAST)
        rung++;
    double beyond = l->count[rung] / l->exposure;
    if (!(size > RUNGS[rung]))
        return beyond;
    double excess = size - RUNGS[rung];
    return beyond * real_exp(-l->count[rung] * real_log1p(excess / l->sum[rung]));
}

void ladder_judge(struct ladder *l, double size, double mark)
{
    double rate = ladder_rate(l, size);
    for (int i = 0; i < LADDER_MARKS && rate < mark; i++) {
        l->realised[i] += 1.0;
        mark *= 0.1;
    }
}
