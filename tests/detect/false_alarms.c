/*
 * What the detectors say of days on which nothing happened: seeds of generated traffic without
 * planted cases.
 *
 *   false_alarms [SEEDS [DAYS [EVENTS]]]
 *
 * First, realised against nominal false alarms of every statistical threshold: those that rest on a
 * ladder (detect/ladder.h) and those of D1. A line for each: what was judged, what was expected, what
 * came, their ratio with its 95 % interval (Garwood's, exact for Poisson counts).
 *
 * Then the alerts of the days after the LEARN_DAYS, by kind, and how many a municipality had on one
 * day. With SEKISHO_SHOW_ALERTS set, each is printed.
 *
 * Exits with 1 when a threshold with at least EXPECTED_LEAST expected has an interval outside
 * [0.5, 2], or a municipality had more than DETECT_BUDGET_DEFAULT alerts on a day.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "detect/detector_rare.h"
#include "detect/ladder.h"
#include "detect/real.h"
#include "detect/tenant_state.h"
#include "tests/detect/clean_days.h"

extern const struct detector detector_rare;
extern const struct detector detector_silence;

enum {
    SEEDS = 20,
    DAYS = 17,
    LEARN_DAYS = 7,
    TENANTS = 10,
    EVENTS = 3400000, /* of a seed */
    EXPECTED_LEAST = 30,
    SUMS_MAX = 32,
    KINDS_MAX = 64,
    KIND_BYTES_MAX = 48,
    DAY_ALERTS_MAX = 12, /* of the distribution; more are counted there */
};

/* What one threshold expected and got. */
struct sum {
    const char *id;
    const char *what;
    const char *unit;
    double nominal; /* a unit */
    double judged;
    double realised;
};

struct kind {
    char name[KIND_BYTES_MAX];
    unsigned learning; /* alerts of the first days */
    unsigned after;
};

struct report {
    struct sum sums[SUMS_MAX];
    size_t sum_count;
    struct kind kinds[KINDS_MAX];
    size_t kind_count;
    uint64_t seed;
    int64_t first_day;
    unsigned days;
    unsigned *alerts;                      /* of the seed: municipality x day */
    unsigned had[DAY_ALERTS_MAX + 1];      /* municipality-days with so many */
    unsigned worst, worst_code, worst_day; /* the one with most of all */
    uint64_t worst_seed;
};

/* ------------------------------------------------------------------- nominal, realised */

static void add(struct report *r, const struct sum *what)
{
    size_t i = 0;
    while (i < r->sum_count &&
           (strcmp(r->sums[i].id, what->id) != 0 || strcmp(r->sums[i].what, what->what) != 0 ||
            r->sums[i].nominal < what->nominal || r->sums[i].nominal > what->nominal))
        i++;
    if (i == SUMS_MAX)
        abort();
    if (i == r->sum_count) {
        r->sums[r->sum_count++] = *what;
        return;
    }
    r->sums[i].judged += what->judged;
    r->sums[i].realised += what->realised;
}

static void add_ladder(struct report *r, const struct detector *d, unsigned index,
                       const struct ladder *l)
{
    bool sources = d == &detector_silence;
    struct sum s = {.id = d->id,
                    .what = sources ? "silence" : d->texts[index].name,
                    .unit = sources ? "source-days" : "windows",
                    .nominal = sources ? 0.1 : 1e-2,
                    .judged = l->judged};
    for (int m = 0; m < LADDER_MARKS; m++, s.nominal /= 10) {
        s.realised = l->realised[m];
        add(r, &s);
    }
}

static void add_rare(struct report *r, const struct rare_tally *t)
{
    struct sum s = {.id = "D1", .what = "share", .unit = "places", .judged = (double)t->units};
    for (int i = 0; i < RARE_TALLY_LEVELS; i++) {
        s.nominal = RARE_TALLY_SHARES[i];
        s.realised = (double)t->reached[i];
        add(r, &s);
    }
    add(r, &(struct sum){.id = "D1",
                         .what = "alert",
                         .unit = "days",
                         .nominal = RARE_ALERT_RATE,
                         .judged = (double)t->days,
                         .realised = (double)t->alerts});
}

static void take(void *self, const struct detect_tenant *tenant)
{
    struct report *r = self;
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        const struct detector *d = DETECTORS[i];
        const void *state = detector_state(tenant->state, i);
        const struct ladder *l = NULL;
        for (unsigned k = 0; d->ladder != NULL && (l = d->ladder(state, k)) != NULL; k++)
            add_ladder(r, d, k, l);
        if (d == &detector_rare) {
            struct rare_tally t = rare_tally(state);
            add_rare(r, &t);
        }
    }
}

/* The mean under which at least `count` (or, `above`, at most `count`) has probability 2.5 %. */
static double garwood(double count, bool above)
{
    double low = 0;
    double high = 2 * count + 20;
    uint64_t n = (uint64_t)count;
    for (int i = 0; i < 80; i++) {
        double mean = (low + high) / 2;
        double tail = above ? 1 - real_poisson_tail(n + 1, mean) : real_poisson_tail(n, mean);
        bool more = above ? tail > 0.025 : tail < 0.025;
        low = more ? mean : low;
        high = more ? high : mean;
    }
    return low;
}

/* Whether it is as it should be. */
static bool print_sum(const struct sum *s)
{
    double expected = s->judged * s->nominal;
    if (!(expected > 0)) {
        printf("%-3s %-16s %-7g abstained: too little traffic of its kind\n", s->id, s->what,
               s->nominal);
        return true;
    }
    double least = s->realised > 0 ? garwood(s->realised, false) / expected : 0;
    double most = garwood(s->realised, true) / expected;
    bool counts = expected >= EXPECTED_LEAST;
    bool honest = least >= 0.5 && most <= 2;
    printf(
        "%-3s %-16s %-7g of %8.0f %-11s expected %8.1f realised %6.0f ratio %.2f [%.2f, %.2f]%s\n",
        s->id, s->what, s->nominal, s->judged, s->unit, expected, s->realised,
        s->realised / expected, least, most,
        !counts  ? "  (fewer than 30 expected)"
        : honest ? ""
                 : "  OUTSIDE [0.5, 2]");
    return !counts || honest;
}

/* ------------------------------------------------------------------------------ alerts */

static struct kind *kind_of(struct report *r, struct slice line)
{
    static const char FIELD[] = "\"rule.name\":\"";
    const char *at = memmem(line.data, line.len, FIELD, sizeof(FIELD) - 1);
    assert(at != NULL);
    char name[KIND_BYTES_MAX];
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + sizeof(FIELD) - 1, "\""),
                   at + sizeof(FIELD) - 1);
    size_t i = 0;
    while (i < r->kind_count && strcmp(r->kinds[i].name, name) != 0)
        i++;
    if (i == KINDS_MAX)
        abort();
    if (i == r->kind_count)
        memcpy(r->kinds[r->kind_count++].name, name, sizeof(name));
    return &r->kinds[i];
}

static void alert(void *self, const struct gen *gen, const struct detect_alert *a)
{
    struct report *r = self;
    uint32_t town = 0;
    if (a->record.revision != 1)
        return;
    struct kind *k = kind_of(r, a->record.line);
    int64_t day = calendar_day(a->tick_ns) - r->first_day;
    if (day < LEARN_DAYS || day >= r->days) {
        k->learning++;
        return;
    }
    k->after++;
    while (gen_tenant(gen, town)->code != a->record.tenant)
        town++;
    r->alerts[town * r->days + (unsigned)day] += strncmp(k->name, "digest", 6) != 0;
    if (getenv("SEKISHO_SHOW_ALERTS") != NULL)
        printf("%llu %.*s\n", (unsigned long long)r->seed, (int)a->record.line.len,
               a->record.line.data);
}

static void count_days(struct report *r, const struct gen_options *o)
{
    for (unsigned town = 0; town < TENANTS; town++) {
        for (unsigned day = LEARN_DAYS; day < r->days; day++) {
            unsigned *n = &r->alerts[town * r->days + day];
            r->had[*n < DAY_ALERTS_MAX ? *n : DAY_ALERTS_MAX]++;
            if (*n > r->worst) {
                r->worst = *n;
                r->worst_seed = o->seed;
                r->worst_day = day + 1;
                r->worst_code = town;
            }
            *n = 0;
        }
    }
}

static void print_alerts(const struct report *r, uint64_t seeds)
{
    double days = (double)seeds * TENANTS * (r->days - LEARN_DAYS);
    printf("\nalerts of %.0f municipality-days after %d days of learning\n", days, LEARN_DAYS);
    for (size_t i = 0; i < r->kind_count; i++) {
        const struct kind *k = &r->kinds[i];
        printf("  %-32s %5u, %.3f a municipality and day (while learning: %u)\n", k->name, k->after,
               k->after / days, k->learning);
    }
    printf("municipality-days with so many, without digests:");
    for (unsigned i = 0; i <= DAY_ALERTS_MAX; i++) {
        if (r->had[i] != 0)
            printf(" %u%s: %u", i, i == DAY_ALERTS_MAX ? " or more" : "", r->had[i]);
    }
    printf("\nworst: %u, seed %llu, municipality %u, day %u\n", r->worst,
           (unsigned long long)r->worst_seed, r->worst_code, r->worst_day);
}

/* -------------------------------------------------------------------------------- runs */

static uint64_t number(int argc, char **argv, int which, uint64_t otherwise)
{
    return argc > which ? strtoull(argv[which], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct report r = {.first_day = calendar_day(GEN_START_NS)};
    struct clean_days days = {.done = take, .alert = alert, .self = &r};
    uint64_t seeds = number(argc, argv, 1, SEEDS);
    uint64_t lines = 0;
    gen_options_init(&days.gen);
    days.gen.tenants = TENANTS;
    days.gen.days = (uint32_t)number(argc, argv, 2, DAYS);
    days.gen.events = number(argc, argv, 3, EVENTS);
    r.days = days.gen.days;
    r.alerts = calloc((size_t)TENANTS * r.days, sizeof(*r.alerts));
    assert(r.alerts != NULL);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        r.seed = days.gen.seed = seed;
        lines += clean_days_run(&days);
        count_days(&r, &days.gen);
    }
    printf("%llu seeds of %d municipalities and %u days, %llu lines\n", (unsigned long long)seeds,
           TENANTS, r.days, (unsigned long long)lines);
    bool good = true;
    for (size_t i = 0; i < r.sum_count; i++)
        good = print_sum(&r.sums[i]) && good;
    print_alerts(&r, seeds);
    free(r.alerts);
    return good && r.worst <= DETECT_BUDGET_DEFAULT ? 0 : 1;
}
