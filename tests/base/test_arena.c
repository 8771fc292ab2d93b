#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/arena.h"

static void gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena a = {0};
    for (size_t bytes = 0; bytes < 300; bytes++) {
        char *p = arena_alloc(&a, bytes);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xa5, bytes);
    }
    arena_reset(&a);
    assert_int_equal(a.used_bytes, 0);
    char *again = arena_alloc(&a, 4096);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(again[i], 0);
    arena_release(&a);
    assert_null(a.chunks);
}

static void keeps_allocations_apart(void **state)
{
    (void)state;
    struct arena a = {0};
    char *parts[100];
    for (size_t i = 0; i < 100; i++) {
        parts[i] = arena_alloc(&a, 1000);
        memset(parts[i], (int)i, 1000);
    }
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(parts[i][0], (char)i);
        assert_int_equal(parts[i][999], (char)i);
    }
    arena_release(&a);
}

static void stops_at_its_limit(void **state)
{
    (void)state;
    struct arena a = {.limit_bytes = 10000};
    assert_non_null(arena_alloc(&a, 4000));
    assert_null(arena_alloc(&a, 20000));
    assert_true(a.held_bytes <= 10000);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    arena_release(&a);
}

static void copies_with_a_nul(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_string_equal(arena_copy(&a, SLICE("seven")), "seven");
    assert_string_equal(arena_copy(&a, slice_of(NULL, 0)), "");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(keeps_allocations_apart),
        cmocka_unit_test(stops_at_its_limit),
        cmocka_unit_test(copies_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
