/*
 * detect/source_usual.h - how many lines of a log source are usual in each hour of the week.
 *
 *   Mon 00 .. 23 | Tue .. | ... | Sun          holidays are Sundays (week.h)
 *   168 x u16: 1 + 16 * sqrt(lines), 0 = unknown: Poisson noise is the same everywhere on this
 *   scale, and an hour of 16 million lines has a place.
 *
 * What is expected is said in two ways, since an hour is believed only as far as the same hour of the
 * other days confirms it: source_usual_least() for what is too little, source_usual_most() for what
 * is too much. So a backup or a patch day that happened once does not make the next week's quiet
 * hour look like silence. What was seen on one day alone is taken from the quietest hour known, and
 * only when a whole day is.
 *
 * Ownership: plain data without pointers; zeroed knows nothing.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include "detect/week.h"

struct source_usual {
    uint16_t coded[WEEK_HOURS];
};

/* Learn the lines of a whole hour. */
void source_usual_learn(struct source_usual *u, unsigned slot, double lines);
/* Lines of that hour, at least and at most; negative when nothing is known. */
double source_usual_least(const struct source_usual *u, unsigned slot);
double source_usual_most(const struct source_usual *u, unsigned slot);
/* From now on everything is `factor` times what it was. */
void source_usual_scale(struct source_usual *u, double factor);
