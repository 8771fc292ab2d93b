/* The table of what detectors need: each detector is there, and each state can come about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/sample_detectors.h"
#include "event/field.h"

/* Those that work on whatever the others or the rules make of the lines. */
static const char *const WITHOUT_NEEDS[] = {"coverage", "digest", "rule", "correlation"};

static bool is_without_needs(const char *name)
{
    for (size_t i = 0; i < sizeof(WITHOUT_NEEDS) / sizeof(WITHOUT_NEEDS[0]); i++) {
        if (strcmp(WITHOUT_NEEDS[i], name) == 0)
            return true;
    }
    return false;
}

/* "D4 slow_scan" is slow_scan, "new-port" new_port. */
static bool is_called(const char *id, const char *name)
{
    const char *blank = strchr(id, ' ');
    const char *word = blank == NULL ? id : blank + 1;
    size_t len = strlen(word);
    if (len != strlen(name))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (word[i] != name[i] && !(word[i] == '-' && name[i] == '_'))
            return false;
    }
    return true;
}

static void each_detector_is_there(void **state)
{
    static const char *const NAMES[] = {
#define DETECTOR(name) #name,
#include "detect/detectors.def"
#undef DETECTOR
    };
    unsigned rows = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        bool found = false;
        for (unsigned k = 0; sample_detector_at(k) != NULL; k++)
            found = found || is_called(sample_detector_at(k)->id, NAMES[i]);
        if (found == is_without_needs(NAMES[i]))
            fail_msg("detector %s %s a row of needs", NAMES[i], found ? "has" : "lacks");
        rows += found;
    }
    assert_null(sample_detector_at(rows));
}

static void states_follow_fields(void **state)
{
    static uint64_t values[FIELD_LOCAL_FIRST];
    const struct sample_detector *d = NULL;
    struct detector_facts facts = {.values = values};
    (void)state;
    for (unsigned i = 0; (d = sample_detector_at(i)) != NULL; i++) {
        enum detector_state none = sample_detector_state(d->id, &facts);
        /* Silence is heard without a single field; its clock needs times. Drift is about lines. */
        enum detector_state want = is_called(d->id, "silence") ? DETECTOR_WEAKER : DETECTOR_BLIND;
        assert_int_equal(none, is_called(d->id, "drift") ? DETECTOR_WORKS : want);
    }
    for (size_t i = 0; i < FIELD_LOCAL_FIRST; i++)
        values[i] = 1;
    facts.verdicts = 1;
    for (unsigned i = 0; (d = sample_detector_at(i)) != NULL; i++) {
        bool refusals =
            is_called(d->id, "scan") || is_called(d->id, "slow_scan") || is_called(d->id, "burst");
        assert_int_equal(sample_detector_state(d->id, &facts),
                         refusals ? DETECTOR_WEAKER : DETECTOR_WORKS);
    }
    facts.refused = 1;
    values[FIELD_SOURCE_BYTES] = 0;
    assert_int_equal(sample_detector_state("D1 rare", &facts), DETECTOR_WORKS);
    values[FIELD_HTTP_REQUEST_BYTES] = 0;
    assert_int_equal(sample_detector_state("D1 rare", &facts), DETECTOR_WEAKER);
    values[FIELD_SOURCE_IP] = 0;
    assert_int_equal(sample_detector_state("D1 rare", &facts), DETECTOR_BLIND);
}

static void needs_are_said(void **state)
{
    static uint64_t values[FIELD_LOCAL_FIRST];
    const struct detector_facts facts = {.values = values};
    struct buf text = {0};
    size_t at = 0;
    (void)state;
    const struct detector_need *need = sample_detector_lacks("D14 zone", &facts, &at);
    assert_non_null(need);
    detector_need_print(&text, need, false);
    assert_string_equal(buf_string(&text), "source.ip");
    need = sample_detector_lacks("D14 zone", &facts, &at);
    assert_non_null(need);
    buf_reset(&text);
    detector_need_print(&text, need, true);
    assert_string_equal(buf_string(&text),
                        "destination.ip または url.domain または destination.domain");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_detector_is_there),
                                       cmocka_unit_test(states_follow_fields),
                                       cmocka_unit_test(needs_are_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
