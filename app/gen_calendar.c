#include "app/gen_calendar.h"

#include <stddef.h>

#include "base/calendar.h"

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

bool gen_calendar_holiday(int64_t day)
{
    return calendar_holiday(day);
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
