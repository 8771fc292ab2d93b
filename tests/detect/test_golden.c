/*
 * Golden pairs of detectors: tests/golden/detect/<name>.flows is shown to detector_<name>, what it
 * finds is compared with <name>.findings. SEKISHO_GOLDEN_UPDATE=1 rewrites what is expected.
 *
 *   # 2026-10-05 is a Monday
 *   10-05 09:00:00 10.1.0.2 198.51.100.7 443
 *   10-05 09:00:10 10.1.0.3 198.51.100.7 53 udp refused x30 every 60
 *
 * Times are Japan's, of 2026; the seconds between them tick. Words behind the port: udp, refused,
 * failed, begins, shared, excluded, late, login_failed, login_done, unparsed; domain=NAME;
 * format=ID; up=BYTES, down=BYTES; xN every SECONDS.
 */
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
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tests/detect/fake_run.h"

enum {
    PATH_BYTES = 512,
    LINE_BYTES = 512,
    WORD_BYTES = 64,
    WORDS_MAX = 16,
    UDP = 17,
};

/* These two speak for the frame, which is not here. */
const struct detector detector_coverage = {.id = "coverage"};
const struct detector detector_digest = {.id = "digest"};

static const struct named_detector {
    const char *name;
    const struct detector *detector;
} NAMED[] = {
#define DETECTOR(name) {#name, &detector_##name},
#include "detect/detectors.def"
#undef DETECTOR
};

static const struct named_flag {
    const char *name;
    uint16_t flag;
} FLAGS[] = {
    {"refused", FLOW_REFUSED},
    {"failed", FLOW_FAILED},
    {"begins", FLOW_BEGINS},
    {"shared", FLOW_SHARED_SOURCE},
    {"excluded", FLOW_EXCLUDED},
    {"late", FLOW_LATE},
    {"login_failed", FLOW_LOGIN_FAILED},
    {"login_done", FLOW_LOGIN_DONE},
    {"unparsed", FLOW_UNPARSED},
};

/* A line of a script. */
struct step {
    struct flow flow;
    int64_t count;
    int64_t every_ns;
};

static int64_t number_of(const char *text)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    assert_true(end != text && *end == '\0' && value >= 0);
    return value;
}

static int64_t time_of(const char *day, const char *clock)
{
    char text[WORD_BYTES * 2 + SLICE_PADDING_BYTES];
    int64_t ns = 0;
    (void)snprintf(text, sizeof(text), "2026-%sT%s+09:00", day, clock);
    if (clock_parse(&ns, slice_from(text)) != 0)
        fail_msg("%s is no time", text);
    return ns;
}

static bool take_flag(struct flow *f, const char *word)
{
    for (size_t i = 0; i < sizeof(FLAGS) / sizeof(FLAGS[0]); i++) {
        if (strcmp(word, FLAGS[i].name) != 0)
            continue;
        f->flags |= FLAGS[i].flag;
        return true;
    }
    return false;
}

static void take_word(struct detect_run *r, struct step *s, const char *word, const char *before)
{
    if (strcmp(before, "every") == 0)
        s->every_ns = number_of(word) * CLOCK_NS_PER_SECOND;
    else if (strcmp(word, "udp") == 0)
        s->flow.protocol = UDP;
    else if (strncmp(word, "domain=", 7) == 0)
        s->flow.domain = s->flow.registered = fake_run_text(r, word + 7);
    else if (strncmp(word, "format=", 7) == 0)
        s->flow.format = (uint8_t)number_of(word + 7);
    else if (strncmp(word, "up=", 3) == 0)
        s->flow.source_bytes = number_of(word + 3);
    else if (strncmp(word, "down=", 5) == 0)
        s->flow.destination_bytes = number_of(word + 5);
    else if (word[0] == 'x')
        s->count = number_of(word + 1);
    else if (strcmp(word, "every") != 0 && !take_flag(&s->flow, word))
        fail_msg("%s: no such word", word);
}

static struct step step_of(struct detect_run *r, const char *line)
{
    static const char BLANK[] = " \n";
    char words[WORDS_MAX][WORD_BYTES] = {{0}};
    int count = 0;
    for (line += strspn(line, BLANK); *line != '\0'; line += strspn(line, BLANK)) {
        size_t len = strcspn(line, BLANK);
        assert_true(count < WORDS_MAX && len < WORD_BYTES);
        memcpy(words[count++], line, len);
        line += len;
    }
    assert_in_range(count, 5, WORDS_MAX);
    struct step s = {.count = 1, .every_ns = CLOCK_NS_PER_SECOND};
    int64_t port = number_of(words[4]);
    assert_in_range(port, 0, UINT16_MAX);
    s.flow = fake_flow(words[2], words[3], (uint16_t)port, time_of(words[0], words[1]));
    for (int i = 5; i < count; i++)
        take_word(r, &s, words[i], words[i - 1]);
    fake_flow_keys(&s.flow);
    return s;
}

static void print_finding(struct buf *out, const struct detector *d, const struct finding *f)
{
    clock_print(out, f->time_ns);
    buf_printf(out, " %s %s%s", d->id, d->texts[f->text].name, f->ended ? " ended" : "");
    if (f->scored)
        buf_printf(out, " tail=%.6g", f->tail);
    for (uint8_t i = 0; i < f->item_count; i++) {
        const struct finding_item *item = &f->items[i];
        buf_printf(out, " %s%s=", item->key ? "" : "explain.", item->name);
        buf_append(out, f->values + item->at, item->len);
    }
    buf_byte(out, '\n');
}

static void play(struct buf *out, struct detect_run *r, FILE *script)
{
    char line[LINE_BYTES];
    while (fgets(line, sizeof(line), script) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        struct step s = step_of(r, line);
        for (int64_t i = 0; i < s.count; i++) {
            fake_run_ticks(r, s.flow.time_ns);
            fake_run_flow(r, &s.flow);
            s.flow.time_ns += s.every_ns;
            s.flow.arrival_ns = s.flow.time_ns;
        }
    }
    for (size_t i = 0; i < r->finding_count; i++)
        print_finding(out, r->detector, &r->findings[i]);
}

static void compare(const char *path, struct slice got)
{
    bool update = getenv("SEKISHO_GOLDEN_UPDATE") != NULL;
    FILE *file = fopen(path, update ? "wb" : "rb");
    if (file == NULL)
        fail_msg("%s does not open (SEKISHO_GOLDEN_UPDATE=1 makes it)", path);
    if (update) {
        assert_int_equal(fwrite(got.data, 1, got.len, file), got.len);
        assert_int_equal(fclose(file), 0);
        return;
    }
    struct buf want = {0};
    char chunk[4096];
    size_t count = 0;
    while ((count = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(&want, chunk, count);
    (void)fclose(file);
    assert_true(buf_ok(&want));
    if (!slice_equal(got, buf_content(&want)))
        fail_msg("%s differs (SEKISHO_GOLDEN_UPDATE=1 rewrites it); now it is\n%.*s", path,
                 (int)got.len, got.data);
    buf_release(&want);
}

/* Whether the detector has a script. */
static bool one_detector(const struct named_detector *d)
{
    const char *root = getenv("SEKISHO_GOLDEN");
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof(path), "%s/detect/%s.flows",
                       root == NULL ? "tests/golden" : root, d->name);
    assert_in_range(len, 1, sizeof(path) - sizeof("findings"));
    FILE *script = fopen(path, "rb");
    if (script == NULL)
        return false;
    struct detect_run r;
    struct buf got = {0};
    fake_run_begin(&r, d->detector, DETECT_SMALL);
    play(&got, &r, script);
    (void)fclose(script);
    assert_true(buf_ok(&got));
    assert_true(r.finding_count > 0 && r.fired == r.finding_count);
    (void)snprintf(strrchr(path, '.'), sizeof("findings") + 1, ".findings");
    compare(path, buf_content(&got));
    buf_release(&got);
    fake_run_end(&r);
    return true;
}

static void test_golden_pairs(void **state)
{
    (void)state;
    size_t pairs = 0;
    for (size_t i = 0; i < sizeof(NAMED) / sizeof(NAMED[0]); i++)
        pairs += one_detector(&NAMED[i]);
    assert_true(pairs > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
