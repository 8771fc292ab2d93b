/* What the prefecture knows of destinations: like plain sets of municipalities, within limits. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/hash.h"
#include "detect/prevalence.h"

enum {
    DAY = 20731,
    KEYS = 400,   /* of the random runs */
    TENANTS = 40, /* of them */
    RUN_DAYS = 150,
    LOOKUPS = 2000000,
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A well spread key of a small number. */
static uint64_t key_of(uint64_t number)
{
    return random_next(&number) | 1;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static struct prevalence_contribution contribution(uint32_t tenant, uint64_t *keys, size_t count)
{
    if (count > 0)
        qsort(keys, count, sizeof(*keys), by_value);
    return (struct prevalence_contribution){.tenant = tenant, .keys = keys, .count = count};
}

static void expect(const struct prevalence_set *set, uint64_t key, unsigned tenants,
                   unsigned first_day, unsigned last_day)
{
    struct prevalence_entry e = prevalence_find(set, key);
    assert_int_equal(e.tenants, tenants);
    assert_int_equal(e.first_day, first_day);
    assert_int_equal(e.last_day, last_day);
}

static void test_each_municipality_counts_once(void **state)
{
    (void)state;
    uint64_t a[] = {key_of(1), key_of(2)};
    uint64_t b[] = {key_of(2)};
    struct prevalence_contribution day1[] = {contribution(130001, a, 2), contribution(130002, b, 1),
                                             contribution(130003, NULL, 0)};
    struct prevalence_set *first = NULL;
    struct prevalence_set *second = NULL;
    assert_int_equal(prevalence_next(&first, NULL, day1, 3, DAY), 0);
    assert_int_equal(prevalence_tenants(first), 3);
    assert_int_equal(prevalence_count(first), 2);
    assert_int_equal(prevalence_day(first), DAY);
    expect(first, key_of(1), 1, DAY, DAY);
    expect(first, key_of(2), 2, DAY, DAY);
    expect(first, key_of(3), 0, 0, 0);
    /* The same municipality again, and another one. */
    uint64_t c[] = {key_of(1), key_of(3)};
    struct prevalence_contribution day2[] = {contribution(130001, a, 2),
                                             contribution(130009, c, 2)};
    assert_int_equal(prevalence_next(&second, first, day2, 2, DAY + 1), 0);
    assert_int_equal(prevalence_tenants(second), 4);
    expect(second, key_of(1), 2, DAY, DAY + 1);
    expect(second, key_of(2), 2, DAY, DAY + 1);
    expect(second, key_of(3), 1, DAY + 1, DAY + 1);
    prevalence_free(first);
    prevalence_free(second);
}

static void test_window_of_60_days(void **state)
{
    (void)state;
    uint64_t a[] = {key_of(1)};
    uint64_t b[] = {key_of(1)};
    struct prevalence_contribution day1[] = {contribution(130001, a, 1)};
    struct prevalence_contribution day2[] = {contribution(130002, b, 1)};
    struct prevalence_set *first = NULL;
    struct prevalence_set *second = NULL;
    struct prevalence_set *third = NULL;
    assert_int_equal(prevalence_next(&first, NULL, day1, 1, DAY), 0);
    assert_int_equal(prevalence_next(&second, first, day2, 1, DAY + 59), 0);
    expect(second, key_of(1), 2, DAY, DAY + 59);
    assert_int_equal(prevalence_next(&third, second, NULL, 0, DAY + 60), 0);
    expect(third, key_of(1), 1, DAY, DAY + 59); /* the first one is over */
    assert_int_equal(prevalence_tenants(third), 1);
    prevalence_free(second);
    /* More days off than a day modulo 64 could tell. */
    assert_int_equal(prevalence_next(&second, third, NULL, 0, DAY + 59 + 64), 0);
    assert_int_equal(prevalence_count(second), 0);
    assert_int_equal(prevalence_tenants(second), 0);
    prevalence_free(first);
    prevalence_free(second);
    prevalence_free(third);
}

static void test_common_is_a_lower_bound(void **state)
{
    (void)state;
    enum {
        MANY = 30
    };
    struct prevalence_contribution all[MANY];
    uint64_t key = key_of(7);
    for (uint32_t i = 0; i < MANY; i++)
        all[i] = (struct prevalence_contribution){.tenant = 130001 + i, .keys = &key, .count = 1};
    struct prevalence_set *first = NULL;
    struct prevalence_set *second = NULL;
    assert_int_equal(prevalence_next(&first, NULL, all, PREVALENCE_LIST_MAX, DAY), 0);
    expect(first, key, PREVALENCE_LIST_MAX, DAY, DAY);
    assert_int_equal(prevalence_next(&second, first, all + PREVALENCE_LIST_MAX, 1, DAY + 1), 0);
    expect(second, key, PREVALENCE_COMMON, DAY, DAY + 1);
    prevalence_free(first);
    /* The largest day counts, and stays. */
    assert_int_equal(prevalence_next(&first, second, all, MANY, DAY + 2), 0);
    expect(first, key, MANY, DAY, DAY + 2);
    prevalence_free(second);
    assert_int_equal(prevalence_next(&second, first, all, 2, DAY + 3), 0);
    expect(second, key, MANY, DAY, DAY + 3);
    prevalence_free(first);
    assert_int_equal(prevalence_next(&first, second, NULL, 0, DAY + 63), 0);
    expect(first, key, 0, 0, 0);
    prevalence_free(first);
    prevalence_free(second);
}

static void test_input_that_is_refused(void **state)
{
    (void)state;
    uint64_t twice[] = {key_of(1) | 1, key_of(1) | 1};
    uint64_t zero[] = {0};
    uint64_t good[] = {5};
    struct prevalence_set *set = NULL;
    struct prevalence_contribution bad[] = {{.tenant = 1, .keys = twice, .count = 2}};
    assert_int_equal(prevalence_next(&set, NULL, bad, 1, DAY), ERR_RANGE);
    bad[0] = (struct prevalence_contribution){.tenant = 1, .keys = zero, .count = 1};
    assert_int_equal(prevalence_next(&set, NULL, bad, 1, DAY), ERR_RANGE);
    bad[0] = (struct prevalence_contribution){.tenant = 0, .keys = good, .count = 1};
    assert_int_equal(prevalence_next(&set, NULL, bad, 1, DAY), ERR_RANGE);
    struct prevalence_contribution same[] = {{.tenant = 1, .keys = good, .count = 1},
                                             {.tenant = 1, .keys = good, .count = 1}};
    assert_int_equal(prevalence_next(&set, NULL, same, 2, DAY), ERR_RANGE);
    assert_int_equal(prevalence_next(&set, NULL, same, 1, UINT16_MAX + 1), ERR_RANGE);
    assert_null(set);
    struct prevalence_set *next = NULL;
    assert_int_equal(prevalence_next(&set, NULL, same, 1, DAY), 0);
    assert_int_equal(prevalence_next(&next, set, same, 1, DAY - 1), ERR_RANGE);
    assert_null(next);
    prevalence_free(set);
}

static void test_limits_of_municipalities(void **state)
{
    (void)state;
    struct prevalence_contribution *all = calloc(PREVALENCE_TENANTS_MAX + 1, sizeof(*all));
    assert_non_null(all);
    for (uint32_t i = 0; i <= PREVALENCE_TENANTS_MAX; i++)
        all[i].tenant = i + 1;
    struct prevalence_set *first = NULL;
    struct prevalence_set *second = NULL;
    assert_int_equal(prevalence_next(&first, NULL, all, PREVALENCE_TENANTS_MAX + 1, DAY),
                     ERR_RANGE);
    assert_int_equal(prevalence_next(&first, NULL, all, PREVALENCE_TENANTS_MAX, DAY), 0);
    assert_int_equal(prevalence_tenants(first), PREVALENCE_TENANTS_MAX);
    struct prevalence_contribution *more = all + PREVALENCE_TENANTS_MAX;
    assert_int_equal(prevalence_next(&second, first, more, 1, DAY + 1), ERR_RANGE);
    assert_int_equal(prevalence_next(&second, first, more, 1, DAY + 60), 0);
    assert_int_equal(prevalence_tenants(second), 1);
    prevalence_free(first);
    prevalence_free(second);
    free(all);
}

/* What fits stays: the newest, then those of the most municipalities, then the smallest keys. */
static void test_limit_of_destinations(void **state)
{
    (void)state;
    enum {
        PARTS = 17
    };
    static const size_t PART = PREVALENCE_CONTRIBUTION_MAX;
    uint64_t *keys = calloc(PARTS * PART + 1, sizeof(*keys));
    struct prevalence_contribution all[PARTS];
    assert_non_null(keys);
    for (size_t i = 0; i <= PARTS * PART; i++)
        keys[i] = (i + 1) << 40;
    for (uint32_t i = 0; i < PARTS; i++)
        all[i] = (struct prevalence_contribution){
            .tenant = i + 1, .keys = keys + i * PART, .count = PART};
    all[0].count = PART + 1; /* the one too many does not count for this municipality */
    struct prevalence_set *first = NULL;
    struct prevalence_set *second = NULL;
    assert_int_equal(prevalence_next(&first, NULL, all, PARTS, DAY), 0);
    assert_int_equal(prevalence_count(first), PREVALENCE_KEYS_MAX);
    assert_int_equal(prevalence_dropped(first), PART);
    expect(first, keys[PREVALENCE_KEYS_MAX - 1], 1, DAY, DAY);
    expect(first, keys[PREVALENCE_KEYS_MAX], 0, 0, 0);
    expect(first, keys[PART], 1, DAY, DAY);
    /* Ten new ones by two municipalities: they push out the ten largest of yesterday. */
    struct prevalence_contribution today[] = {
        {.tenant = 1, .keys = keys + PREVALENCE_KEYS_MAX, .count = 10},
        {.tenant = 2, .keys = keys + PREVALENCE_KEYS_MAX, .count = 10}};
    assert_int_equal(prevalence_next(&second, first, today, 2, DAY + 1), 0);
    assert_int_equal(prevalence_count(second), PREVALENCE_KEYS_MAX);
    assert_int_equal(prevalence_dropped(second), 10);
    expect(second, keys[PREVALENCE_KEYS_MAX - 11], 1, DAY, DAY);
    expect(second, keys[PREVALENCE_KEYS_MAX - 10], 0, 0, 0);
    expect(second, keys[PREVALENCE_KEYS_MAX + 9], 2, DAY + 1, DAY + 1);
    prevalence_free(first);
    prevalence_free(second);
    free(keys);
}

/* The naive truth: who met what when, for ever. */
struct truth {
    uint16_t last[KEYS][TENANTS]; /* 0 = never */
    bool common[KEYS];
    uint16_t first[KEYS];
};

static void truth_day(struct truth *t, bool met[KEYS][TENANTS], uint16_t day)
{
    for (size_t k = 0; k < KEYS; k++) {
        unsigned alive = 0;
        bool any = false;
        for (size_t i = 0; i < TENANTS; i++) {
            if (t->last[k][i] != 0 && day - t->last[k][i] >= PREVALENCE_WINDOW_DAYS &&
                !t->common[k])
                t->last[k][i] = 0;
            any = any || (t->last[k][i] != 0 && day - t->last[k][i] < PREVALENCE_WINDOW_DAYS);
        }
        if (!any) {
            t->common[k] = false;
            t->first[k] = 0;
            memset(t->last[k], 0, sizeof(t->last[k]));
        }
        for (size_t i = 0; i < TENANTS; i++) {
            if (met[k][i]) {
                t->last[k][i] = day;
                t->first[k] = t->first[k] == 0 ? day : t->first[k];
            }
            alive += t->last[k][i] != 0;
        }
        t->common[k] = t->common[k] || alive > PREVALENCE_LIST_MAX;
    }
}

static void truth_check(const struct truth *t, const struct prevalence_set *set)
{
    for (size_t k = 0; k < KEYS; k++) {
        unsigned alive = 0;
        uint16_t newest = 0;
        for (size_t i = 0; i < TENANTS; i++) {
            alive += t->last[k][i] != 0;
            newest = t->last[k][i] > newest ? t->last[k][i] : newest;
        }
        struct prevalence_entry e = prevalence_find(set, key_of(k));
        assert_int_equal(e.first_day, t->first[k]);
        assert_int_equal(e.last_day, newest);
        if (!t->common[k])
            assert_int_equal(e.tenants, alive);
        else
            assert_true(e.tenants >= PREVALENCE_COMMON && e.tenants <= TENANTS);
    }
}

static void shuffle(struct prevalence_contribution *c, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_next(random) % i;
        struct prevalence_contribution keep = c[i - 1];
        c[i - 1] = c[j];
        c[j] = keep;
    }
}

/* Keys that are met by few and by many, seldom and often. */
static size_t draw_day(bool met[KEYS][TENANTS], uint64_t (*keys)[KEYS],
                       struct prevalence_contribution *out, uint64_t *random)
{
    size_t counts[TENANTS] = {0};
    memset(met, 0, sizeof(bool[KEYS][TENANTS]));
    for (size_t k = 0; k < KEYS; k++) {
        uint64_t seldom = 1 + k % 20 * 20;
        for (size_t i = 0; i < TENANTS; i++) {
            if (i % (1 + k % 7) != 0 || random_next(random) % seldom != 0)
                continue;
            met[k][i] = true;
            keys[i][counts[i]++] = key_of(k);
        }
    }
    for (uint32_t i = 0; i < TENANTS; i++)
        out[i] = contribution(500000 - i * 7, keys[i], counts[i]);
    return TENANTS;
}

static void test_like_plain_sets(void **state)
{
    (void)state;
    static struct truth truth;
    static bool met[KEYS][TENANTS];
    static uint64_t keys[TENANTS][KEYS];
    struct prevalence_contribution day[TENANTS];
    uint64_t random = 1;
    struct prevalence_set *set = NULL;
    for (uint16_t d = DAY; (int)d < DAY + RUN_DAYS; d++) {
        size_t count = draw_day(met, keys, day, &random);
        struct prevalence_set *next = NULL;
        struct prevalence_set *again = NULL;
        struct buf bytes[2] = {{0}, {0}};
        assert_int_equal(prevalence_next(&next, set, day, count, d), 0);
        shuffle(day, count, &random);
        assert_int_equal(prevalence_next(&again, set, day, count, d), 0);
        truth_day(&truth, met, d);
        truth_check(&truth, next);
        prevalence_encode(&bytes[0], next);
        prevalence_encode(&bytes[1], again);
        assert_true(slice_equal(buf_content(&bytes[0]), buf_content(&bytes[1])));
        prevalence_free(again);
        prevalence_free(set);
        /* The next day starts from the bytes, as after a restart. */
        assert_int_equal(prevalence_decode(&set, buf_content(&bytes[0])), 0);
        prevalence_free(next);
        buf_release(&bytes[0]);
        buf_release(&bytes[1]);
    }
    prevalence_free(set);
}

static struct prevalence_set *small_set(void)
{
    uint64_t a[] = {key_of(1), key_of(2), key_of(3)};
    uint64_t b[] = {key_of(2), key_of(4)};
    struct prevalence_contribution day[] = {contribution(130001, a, 3), contribution(130002, b, 2)};
    struct prevalence_set *set = NULL;
    assert_int_equal(prevalence_next(&set, NULL, day, 2, DAY), 0);
    return set;
}

static void flip(struct buf *bytes, size_t bit)
{
    bytes->data[bit / 8] = (char)(bytes->data[bit / 8] ^ (1 << (bit % 8)));
}

static void test_every_byte_is_checked(void **state)
{
    (void)state;
    struct prevalence_set *set = small_set();
    struct prevalence_set *untouched = set;
    struct buf bytes = {0};
    prevalence_encode(&bytes, set);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(prevalence_decode(&untouched, slice_of(bytes.data, len)), ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        flip(&bytes, bit);
        assert_int_equal(prevalence_decode(&untouched, buf_content(&bytes)), ERR_CORRUPT);
        flip(&bytes, bit);
    }
    assert_ptr_equal(untouched, set);
    prevalence_free(set);
    buf_release(&bytes);
}

/* With a right hash, too, every number must agree with the others. */
static void test_bytes_that_contradict_themselves(void **state)
{
    (void)state;
    struct prevalence_set *set = small_set();
    struct buf bytes = {0};
    prevalence_encode(&bytes, set);
    prevalence_free(set);
    uint64_t random = 3;
    unsigned taken = 0;
    for (size_t at = 0; at + 8 < bytes.len; at++) {
        char old = bytes.data[at];
        for (unsigned i = 0; i < 8; i++) {
            bytes.data[at] = (char)random_next(&random);
            uint64_t hash = hash_bytes(1, bytes.data, bytes.len - 8);
            memcpy(bytes.data + bytes.len - 8, &hash, sizeof(hash));
            struct prevalence_set *read = NULL;
            if (prevalence_decode(&read, buf_content(&bytes)) != 0) {
                assert_null(read);
                continue;
            }
            /* Other keys, other codes: what is taken is a set that writes the same bytes. */
            struct buf again = {0};
            prevalence_encode(&again, read);
            assert_true(slice_equal(buf_content(&again), buf_content(&bytes)));
            buf_release(&again);
            prevalence_free(read);
            taken++;
        }
        bytes.data[at] = old;
    }
    assert_true(taken > 0);
    buf_release(&bytes);
}

static void test_lookup_is_fast(void **state)
{
    (void)state;
    enum {
        PARTS = 16
    };
    uint64_t *keys = calloc(PREVALENCE_KEYS_MAX, sizeof(*keys));
    struct prevalence_contribution all[PARTS];
    struct prevalence_set *set = NULL;
    assert_non_null(keys);
    for (size_t i = 0; i < PREVALENCE_KEYS_MAX; i++)
        keys[i] = key_of(i);
    for (uint32_t i = 0; i < PARTS; i++)
        all[i] = contribution(i + 1, keys + (size_t)i * PREVALENCE_CONTRIBUTION_MAX,
                              PREVALENCE_CONTRIBUTION_MAX);
    struct timespec begin;
    struct timespec end;
    assert_int_equal(prevalence_next(&set, NULL, all, PARTS, DAY), 0);
    assert_int_equal(prevalence_count(set), PREVALENCE_KEYS_MAX);
    uint64_t random = 9;
    unsigned found = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (unsigned i = 0; i < LOOKUPS; i++)
        found += prevalence_find(set, keys[random_next(&random) % PREVALENCE_KEYS_MAX]).tenants;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(found, LOOKUPS);
    int64_t ns = (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
    print_message("a lookup among 1,048,576: %.0f ns\n", (double)ns / LOOKUPS);
    prevalence_free(set);
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_municipality_counts_once),
        cmocka_unit_test(test_window_of_60_days),
        cmocka_unit_test(test_common_is_a_lower_bound),
        cmocka_unit_test(test_input_that_is_refused),
        cmocka_unit_test(test_limits_of_municipalities),
        cmocka_unit_test(test_limit_of_destinations),
        cmocka_unit_test(test_like_plain_sets),
        cmocka_unit_test(test_every_byte_is_checked),
        cmocka_unit_test(test_bytes_that_contradict_themselves),
        cmocka_unit_test(test_lookup_is_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
