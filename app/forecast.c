#include "app/forecast.h"

#define DAY_NS (24 * SEGMENT_HOUR_NS)

enum {
    HOURS_OF_DAY = 24,
};

void forecast_begin(struct forecast *f, int64_t now_ns)
{
    *f = (struct forecast){.now_ns = now_ns, .first_due_ns = INT64_MAX, .recent_first = INT64_MAX};
}

void forecast_add(struct forecast *f, const struct segment_info *s, int64_t due_ns)
{
    int64_t hour = f->now_ns / SEGMENT_HOUR_NS; /* which is not over */
    f->stored_bytes += s->bytes;
    if (s->name.hour < hour && s->name.hour >= hour - FORECAST_RECENT_HOURS) {
        f->recent_bytes += s->bytes;
        f->recent_first = s->name.hour < f->recent_first ? s->name.hour : f->recent_first;
    }
    f->first_due_ns = due_ns < f->first_due_ns ? due_ns : f->first_due_ns;
    int64_t days = due_ns <= f->now_ns ? 0 : (due_ns - f->now_ns) / DAY_NS;
    if (days < FORECAST_DAYS_MAX)
        f->due_bytes[days] += s->bytes;
}

uint64_t forecast_daily(const struct forecast *f)
{
    if (f->recent_first == INT64_MAX)
        return 0;
    uint64_t hours = (uint64_t)(f->now_ns / SEGMENT_HOUR_NS - f->recent_first);
    return f->recent_bytes / hours * HOURS_OF_DAY;
}

int64_t forecast_days(const struct forecast *f, uint64_t free_bytes, int64_t keep_ns)
{
    uint64_t daily = forecast_daily(f);
    int64_t keep_days = keep_ns / DAY_NS;
    uint64_t left = free_bytes;
    if (daily == 0)
        return -1;
    for (int64_t day = 0; day < FORECAST_DAYS_MAX; day++) {
        left += f->due_bytes[day];
        if (day > keep_days)
            left += daily; /* what came within the forecast is due as well */
        if (left < daily)
            return day;
        left -= daily;
    }
    return -1;
}
