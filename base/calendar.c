#include "base/calendar.h"

#include <stddef.h>

/* By month and day; a week > 0 stands for the Monday of that week instead. */
struct holiday {
    int8_t month;
    int8_t day;
    int8_t week;
};

static const struct holiday HOLIDAYS[] = {
    {1, 1, 0},   {1, 0, 2},   {2, 11, 0},  {2, 23, 0}, {4, 29, 0}, {5, 3, 0},  {5, 4, 0},
    {5, 5, 0},   {7, 0, 3},   {8, 11, 0},  {9, 0, 3},  {10, 0, 2}, {11, 3, 0}, {11, 23, 0},
    {12, 29, 0}, {12, 30, 0}, {12, 31, 0}, {1, 2, 0},  {1, 3, 0},
};

/* Day of March or September of an equinox; the astronomical approximation of 1980 to 2099. */
static int32_t equinox(int32_t year, bool autumn)
{
    int32_t since = year - 1980;
    int32_t base = autumn ? 232488 : 208431; /* ten-thousandths of a day */
    return (base + since * 2422) / 10000 - since / 4;
}

static bool named_holiday(int64_t day)
{
    struct clock_civil civil;
    clock_to_civil(&civil, day * CALENDAR_DAY_NS);
    uint32_t weekday = calendar_weekday(day);
    for (size_t i = 0; i < sizeof(HOLIDAYS) / sizeof(HOLIDAYS[0]); i++) {
        const struct holiday *h = &HOLIDAYS[i];
        if (h->month != civil.month)
            continue;
        if (h->week == 0 ? h->day == civil.day : weekday == 0 && (civil.day - 1) / 7 + 1 == h->week)
            return true;
    }
    return (civil.month == 3 && civil.day == equinox(civil.year, false)) ||
           (civil.month == 9 && civil.day == equinox(civil.year, true));
}

/* Offices close from 29 December to 3 January whatever the weekdays are. */
static bool turn_of_year(int64_t day)
{
    struct clock_civil civil;
    clock_to_civil(&civil, day * CALENDAR_DAY_NS);
    return (civil.month == 12 && civil.day >= 29) || (civil.month == 1 && civil.day <= 3);
}

bool calendar_holiday(int64_t day)
{
    if (named_holiday(day))
        return true;
    /* A holiday on a Sunday moves to the next day that is none; a day between two is one too. */
    int64_t back = day - 1;
    while (calendar_weekday(back) != 6 && named_holiday(back))
        back--;
    if (calendar_weekday(back) == 6 && named_holiday(back) && !turn_of_year(back))
        return true;
    return calendar_weekday(day) < 5 && named_holiday(day - 1) && named_holiday(day + 1);
}
