/* tests/detect/town_lines.h - how much a town of fifty people has a log source write, by the hour. */
#pragma once

#include "base/calendar.h"

/* Lines an hour. */
static inline uint32_t town_lines(int64_t now_ns)
{
    int64_t day = calendar_day(now_ns);
    uint32_t hour = calendar_minute(now_ns) / 60;
    if (!calendar_open(day))
        return 12;
    if (hour >= 9 && hour < 17)
        return hour == 12 ? 250 : 500;
    return hour == 8 || hour == 17 ? 200 : 20;
}
