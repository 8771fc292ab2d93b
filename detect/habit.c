#include "detect/habit.h"

#include <assert.h>

#include "detect/real.h"

enum {
    WARM_WINDOWS = 100,      /* before the dispersion means anything */
    SHRINK_WINDOWS = 20,     /* that the mean of all hours counts for in each hour */
    HOUR_WINDOWS_MAX = 4096, /* then the older half counts half */
    ALL_WINDOWS_MAX = 1 << 17,
};

#define MEAN_FIRST       1.0 /* of r, before anything is known */
#define MEAN_LEAST       0.02
#define DISPERSION_FIRST 1.0
#define DISPERSION_LEAST 0.05
#define DISPERSION_MOST  16.0
#define LEARN_BASE       8.0 /* r counts at most as this plus so many times the mean */
#define LEARN_TIMES      8.0
#define BUSY_KEPT        0.97 /* of the busiest day's evaluations, from day to day */
#define LADDER_DAYS      28.0 /* of busy days are remembered */
#define LADDER_LEAST     4096.0
#define LEDGER_MARK      1e-2

static unsigned slot_at(struct habit *h, int64_t time_ns)
{
    int64_t hour = week_hour(time_ns);
    if (hour != h->hour) {
        h->hour = hour;
        h->slot = week_slot(hour);
    }
    return (unsigned)h->slot;
}

double habit_mean(struct habit *h, int64_t time_ns, double level)
{
    unsigned slot = slot_at(h, time_ns);
    double all = (h->all_sum + MEAN_FIRST * SHRINK_WINDOWS) / (h->all_windows + SHRINK_WINDOWS);
    double mean = (h->sum[slot] + all * SHRINK_WINDOWS) / (h->windows[slot] + SHRINK_WINDOWS);
    mean *= level;
    return mean > MEAN_LEAST ? mean : MEAN_LEAST;
}

double habit_dispersion(const struct habit *h)
{
    if (h->all_windows < WARM_WINDOWS || !(h->square > 0))
        return DISPERSION_FIRST;
    double d = h->spread / h->square;
    if (d < DISPERSION_LEAST)
        return DISPERSION_LEAST;
    return d < DISPERSION_MOST ? d : DISPERSION_MOST;
}

double habit_size(const struct habit *h, uint32_t count, double mean)
{
    assert(count > 0);
    uint32_t r = count - 1;
    /* Less than usual is not unusual, and needs no tail. */
    if ((double)r <= mean)
        return 0.0;
    return real_unusual(real_nbinom_tail(r, mean, habit_dispersion(h)));
}

bool habit_knows(const struct habit *h)
{
    return h->day - h->first_day >= HABIT_DAYS && h->ladder.exposure >= HABIT_EVALUATIONS &&
           ladder_knows(&h->ladder);
}

double habit_tail(const struct habit *h, double size)
{
    if (!habit_knows(h))
        return 1.0;
    double a_day = ladder_rate(&h->ladder, size) * h->evaluations_day;
    return a_day < 1e-9 ? a_day : 1.0 - real_exp(-a_day);
}

static void turn_day(struct habit *h, int64_t time_ns)
{
    int64_t day = calendar_day(time_ns);
    if (h->first_day == 0)
        h->first_day = day;
    if (day > h->day) {
        h->day = day;
        h->evaluations_day *= BUSY_KEPT;
        h->evaluations_today = 0;
    }
    h->evaluations_today += 1.0;
    if (h->evaluations_today > h->evaluations_day)
        h->evaluations_day = h->evaluations_today;
}

static void learn_mean(struct habit *h, unsigned slot, double r, double mean)
{
    h->sum[slot] += r;
    h->windows[slot] += 1.0;
    if (h->windows[slot] > HOUR_WINDOWS_MAX) {
        h->sum[slot] *= 0.5;
        h->windows[slot] *= 0.5;
    }
    h->all_sum += r;
    h->all_windows += 1.0;
    h->spread += (r - mean) * (r - mean) - mean;
    h->square += mean * mean;
    if (h->all_windows > ALL_WINDOWS_MAX) {
        h->all_sum *= 0.5;
        h->all_windows *= 0.5;
        h->spread *= 0.5;
        h->square *= 0.5;
    }
}

double habit_close(struct habit *h, const struct habit_window *w)
{
    double mean = habit_mean(h, w->time_ns, w->level);
    double r = (double)(w->count - 1);
    double most = LEARN_BASE + LEARN_TIMES * mean;
    double learned = r < most ? r : most;
    double size = habit_size(h, w->count, mean);
    turn_day(h, w->time_ns);
    if (habit_knows(h)) {
        h->ladder.judged += 1.0;
        ladder_judge(&h->ladder, size, LEDGER_MARK);
    }
    if (w->alarmed)
        return learned;
    /* On the first day the levels of keys and the dispersion are not known yet. */
    if (h->all_windows >= WARM_WINDOWS && h->day > h->first_day) {
        double memory = LADDER_DAYS * h->evaluations_day;
        ladder_expose(&h->ladder, 1.0, memory > LADDER_LEAST ? memory : LADDER_LEAST);
        ladder_learn(&h->ladder, size);
    }
    learn_mean(h, slot_at(h, w->time_ns), learned, mean);
    return learned;
}
