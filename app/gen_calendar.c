#include "app/gen_calendar.h"

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

/*
 * Quarter hours from 6:00: mails at 8:30, the lunch peak at 12:00, the last look before going home;
 * outside it only the few who are there.
 */
static const uint16_t OFFICE_CURVE[] = {
    40,  50,  60,  80,  110, 150, 200, 260, 330, 390, 470, 430, 350, 300, 270, 250,
    235, 225, 215, 210, 205, 200, 200, 215, 460, 520, 480, 390, 260, 225, 205, 200,
    200, 200, 205, 205, 210, 210, 215, 220, 225, 235, 250, 280, 330, 370, 300, 240,
    200, 180, 165, 150, 140, 130, 120, 110, 100, 90,  80,  70,  60,  50,  45,  40,
};

/* Hours from 0:00. */
static const uint16_t VISITOR_CURVE[24] = {
    60,  35,  25,  20,  20,  40,  90,  180, 300, 400, 420, 400,
    480, 410, 380, 370, 360, 360, 340, 350, 370, 340, 240, 130,
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
    clock_to_civil(&civil, day * GEN_DAY_NS);
    uint32_t weekday = gen_calendar_weekday(day);
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
    clock_to_civil(&civil, day * GEN_DAY_NS);
    return (civil.month == 12 && civil.day >= 29) || (civil.month == 1 && civil.day <= 3);
}

bool gen_calendar_holiday(int64_t day)
{
    if (named_holiday(day))
        return true;
    /* A holiday on a Sunday moves to the next day that is none; a day between two is one too. */
    int64_t back = day - 1;
    while (gen_calendar_weekday(back) != 6 && named_holiday(back))
        back--;
    if (gen_calendar_weekday(back) == 6 && named_holiday(back) && !turn_of_year(back))
        return true;
    return gen_calendar_weekday(day) < 5 && named_holiday(day - 1) && named_holiday(day + 1);
}

uint32_t gen_calendar_curve(uint32_t quarter)
{
    const uint32_t first = 24;
    if (quarter < first)
        return 15;
    if (quarter - first >= sizeof(OFFICE_CURVE) / sizeof(OFFICE_CURVE[0]))
        return 25;
    return OFFICE_CURVE[quarter - first];
}

uint32_t gen_calendar_visitors(uint32_t quarter)
{
    return VISITOR_CURVE[quarter / 4 % 24];
}
