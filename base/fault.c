#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

enum fault_action {
    FAULT_CRASH,
    FAULT_STOP,
    FAULT_SLEEP,
    FAULT_ERRNO,
    FAULT_SHORT,
    FAULT_FULL,
};

struct fault_rule {
    enum fault_action action;
    int error;        /* FAULT_ERRNO */
    enum fault_op op; /* FAULT_OP_COUNT: a named failpoint */
    bool repeats;     /* every pass from the nth on */
    uint64_t nth;     /* the first pass that counts, from 1 */
    int64_t argument; /* nanoseconds or bytes */
    size_t text_len;
    char text[FAULT_TEXT_BYTES_MAX]; /* the name, or a piece of the path */
};

/* Rules are written before threads start; passes and bytes are counted by all of them. */
static struct {
    _Atomic bool armed;
    size_t count;
    struct fault_rule rules[FAULT_RULES_MAX];
    _Atomic uint64_t passes[FAULT_RULES_MAX];
    _Atomic int64_t bytes[FAULT_RULES_MAX];
} faults;

static const char *const OP_NAMES[FAULT_OP_COUNT] = {
    [FAULT_OPEN] = "open",     [FAULT_READ] = "read",         [FAULT_WRITE] = "write",
    [FAULT_SYNC] = "sync",     [FAULT_TRUNCATE] = "truncate", [FAULT_RENAME] = "rename",
    [FAULT_UNLINK] = "unlink", [FAULT_MKDIR] = "mkdir",       [FAULT_DIRSYNC] = "dirsync",
    [FAULT_LIST] = "list",     [FAULT_MAP] = "map",           [FAULT_LOCK] = "lock",
    [FAULT_STAT] = "stat",
};

static const struct {
    const char *name;
    enum fault_action action;
    int error;
} ACTIONS[] = {
    {"crash", FAULT_CRASH, 0},       {"stop", FAULT_STOP, 0},
    {"sleep", FAULT_SLEEP, 0},       {"short", FAULT_SHORT, 0},
    {"full", FAULT_FULL, 0},         {"EIO", FAULT_ERRNO, EIO},
    {"ENOSPC", FAULT_ERRNO, ENOSPC}, {"EINTR", FAULT_ERRNO, EINTR},
    {"EROFS", FAULT_ERRNO, EROFS},   {"EACCES", FAULT_ERRNO, EACCES},
    {"EDQUOT", FAULT_ERRNO, EDQUOT}, {"EMFILE", FAULT_ERRNO, EMFILE},
    {"ENOENT", FAULT_ERRNO, ENOENT}, {"EAGAIN", FAULT_ERRNO, EAGAIN},
};

/* The part of *rest before `sep`, taken off; all of it when there is none. */
static struct slice take_part(struct slice *rest, char sep)
{
    const char *at = rest->len == 0 ? NULL : memchr(rest->data, sep, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->data);
    struct slice part = slice_of(rest->data, len);
    *rest = slice_from_offset(*rest, at == NULL ? len : len + 1);
    return part;
}

static bool read_number(int64_t *out, struct slice text)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[i] - '0', &value))
            return false;
    }
    *out = value;
    return text.len != 0;
}

static bool read_action(struct fault_rule *rule, struct slice name)
{
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (!slice_equal(name, slice_from(ACTIONS[i].name)))
            continue;
        rule->action = ACTIONS[i].action;
        rule->error = ACTIONS[i].error;
        return true;
    }
    return false;
}

static bool read_target(struct fault_rule *rule, struct slice target)
{
    struct slice text = target;
    rule->op = FAULT_OP_COUNT;
    if (target.len != 0 && memchr(target.data, '=', target.len) != NULL) {
        struct slice op = take_part(&text, '=');
        int i = 0;
        while (i < FAULT_OP_COUNT && !slice_equal(op, slice_from(OP_NAMES[i])))
            i++;
        if (i == FAULT_OP_COUNT)
            return false;
        rule->op = (enum fault_op)i;
    }
    if (text.len >= FAULT_TEXT_BYTES_MAX || (text.len == 0 && rule->op == FAULT_OP_COUNT))
        return false;
    if (text.len != 0)
        memcpy(rule->text, text.data, text.len);
    rule->text_len = text.len;
    return true;
}

static bool read_nth(struct fault_rule *rule, struct slice text)
{
    int64_t nth = 1;
    rule->nth = 1;
    if (text.len == 0) {
        rule->repeats = rule->action == FAULT_FULL;
        return true;
    }
    if (slice_equal(text, SLICE("*"))) {
        rule->repeats = true;
        return true;
    }
    if (text.data[text.len - 1] == '+') {
        rule->repeats = true;
        text.len--;
    }
    if (!read_number(&nth, text) || nth < 1)
        return false;
    rule->nth = (uint64_t)nth;
    return true;
}

static bool read_argument(struct fault_rule *rule, struct slice text)
{
    switch (rule->action) {
    case FAULT_SLEEP:
        return clock_parse_duration(&rule->argument, text) == 0;
    case FAULT_SHORT:
        rule->argument = 1;
        return text.len == 0 || (read_number(&rule->argument, text) && rule->argument > 0);
    case FAULT_FULL:
        rule->argument = 0;
        return text.len == 0 || read_number(&rule->argument, text);
    case FAULT_CRASH:
    case FAULT_STOP:
    case FAULT_ERRNO:
    default:
        return text.len == 0;
    }
}

/* Whether the action can happen at the place. */
static bool rule_possible(const struct fault_rule *rule)
{
    switch (rule->action) {
    case FAULT_ERRNO:
        return rule->op != FAULT_OP_COUNT;
    case FAULT_SHORT:
        return rule->op == FAULT_READ || rule->op == FAULT_WRITE;
    case FAULT_FULL:
        return rule->op == FAULT_WRITE;
    case FAULT_CRASH:
    case FAULT_STOP:
    case FAULT_SLEEP:
    default:
        return true;
    }
}

static bool read_rule(struct fault_rule *rule, struct slice text)
{
    if (memchr(text.data, '@', text.len) == NULL)
        return false;
    struct slice action = take_part(&text, '@');
    struct slice target = take_part(&text, ':');
    struct slice nth = take_part(&text, ':');
    return read_action(rule, action) && read_target(rule, target) && read_nth(rule, nth) &&
           read_argument(rule, text) && rule_possible(rule);
}

int fault_set(const char *spec)
{
    struct fault_rule rules[FAULT_RULES_MAX] = {0};
    size_t count = 0;
    struct slice rest = slice_from(spec == NULL ? "" : spec);
    while (rest.len != 0) {
        struct slice text = take_part(&rest, ';');
        if (text.len == 0)
            continue;
        if (count == FAULT_RULES_MAX || !read_rule(&rules[count], text))
            return ERR_CONF;
        count++;
    }
    atomic_store(&faults.armed, false);
    memcpy(faults.rules, rules, sizeof(rules));
    faults.count = count;
    for (size_t i = 0; i < FAULT_RULES_MAX; i++) {
        atomic_store(&faults.passes[i], 0);
        atomic_store(&faults.bytes[i], 0);
    }
    atomic_store(&faults.armed, count != 0);
    return 0;
}

static void sleep_ns(int64_t ns)
{
    struct timespec left = {.tv_sec = ns / CLOCK_NS_PER_SECOND,
                            .tv_nsec = ns % CLOCK_NS_PER_SECOND};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* Do what a rule says. Returns 0, or the errno that the operation has to fail with. */
static int rule_fire(size_t i, size_t *len)
{
    const struct fault_rule *rule = &faults.rules[i];
    switch (rule->action) {
    case FAULT_CRASH:
        (void)kill(getpid(), SIGKILL);
        break;
    case FAULT_STOP:
        (void)kill(getpid(), SIGSTOP);
        break;
    case FAULT_SLEEP:
        sleep_ns(rule->argument);
        break;
    case FAULT_ERRNO:
        return rule->error;
    case FAULT_SHORT:
        if (len != NULL && *len > (size_t)rule->argument)
            *len = (size_t)rule->argument;
        break;
    case FAULT_FULL: {
        if (len == NULL)
            break;
        int64_t before = atomic_fetch_add(&faults.bytes[i], (int64_t)*len);
        if (before >= rule->argument)
            return ENOSPC;
        if ((int64_t)*len > rule->argument - before)
            *len = (size_t)(rule->argument - before);
        break;
    }
    }
    return 0;
}

static int rules_run(enum fault_op op, const char *text, size_t *len)
{
    size_t text_len = strlen(text);
    for (size_t i = 0; i < faults.count; i++) {
        const struct fault_rule *rule = &faults.rules[i];
        if (rule->op != op)
            continue;
        bool match = op == FAULT_OP_COUNT ? slice_equal(slice_of(text, text_len),
                                                        slice_of(rule->text, rule->text_len))
                                          : strstr(text, rule->text) != NULL;
        if (!match)
            continue;
        uint64_t pass = atomic_fetch_add(&faults.passes[i], 1) + 1;
        if (pass != rule->nth && !(rule->repeats && pass > rule->nth))
            continue;
        int error = rule_fire(i, len);
        if (error != 0)
            return error;
    }
    return 0;
}

void failpoint(const char *name)
{
    if (__builtin_expect(atomic_load_explicit(&faults.armed, memory_order_relaxed), 0))
        (void)rules_run(FAULT_OP_COUNT, name, NULL);
}

int fault_file(enum fault_op op, const char *path, size_t *len)
{
    if (__builtin_expect(atomic_load_explicit(&faults.armed, memory_order_relaxed), 0))
        return rules_run(op, path, len);
    return 0;
}
