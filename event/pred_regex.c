#include "event/pred_regex.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs.h>
#include <pcre2.h>

#include "base/err.h"
#include "event/pred_hs.h"

enum {
    LINEAR_BYTES_MAX = 1024,
    LINEAR_STARS_MAX = 32,
    LINEAR_REPEATS_MAX = 2000,
    REGEX_JIT_STACK_FIRST = 32 * 1024,
    REGEX_JIT_STACK_MAX = 1024 * 1024,
};

struct regex {
    pcre2_code *code;
    hs_database_t *linear; /* NULL: PCRE2 alone */
    bool exact;            /* `linear` gives the answer; else what may hold the text */
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    hs_scratch_t *linear;
    bool forgiving;
    uint64_t given_up; /* texts */
};

/*
 * How long the library takes to compile cannot be bounded, so what may take long is left to PCRE2:
 * long patterns, and repeats that multiply.
 */
static bool is_cheap(struct slice pattern)
{
    unsigned long product = 1;
    unsigned stars = 0;
    for (size_t i = 0; i < pattern.len && product <= LINEAR_REPEATS_MAX; i++) {
        unsigned long bound = 0;
        stars += pattern.data[i] == '*' || pattern.data[i] == '+';
        if (pattern.data[i] != '{')
            continue;
        for (size_t k = i + 1; k < pattern.len && pattern.data[k] != '}'; k++) {
            bool digit = pattern.data[k] >= '0' && pattern.data[k] <= '9';
            bound = digit && bound <= LINEAR_REPEATS_MAX
                        ? bound * 10 + (unsigned long)(pattern.data[k] - '0')
                        : 0;
        }
        product *= bound > 1 ? bound : 1;
    }
    return pattern.len <= LINEAR_BYTES_MAX && stars <= LINEAR_STARS_MAX &&
           product <= LINEAR_REPEATS_MAX;
}

/* The same expression for the library, or one that holds wherever it does. */
static void linear_compile(struct regex *re, struct slice pattern, bool cased)
{
    char text[REGEX_PATTERN_BYTES_MAX + 1];
    unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | (cased ? 0U : HS_FLAG_CASELESS);
    if (!is_cheap(pattern) || !hs_is_right() || pattern.len == 0 ||
        memchr(pattern.data, '\0', pattern.len) != NULL)
        return;
    memcpy(text, pattern.data, pattern.len);
    text[pattern.len] = '\0';
    for (unsigned attempt = 0; attempt < 2 && re->linear == NULL; attempt++) {
        hs_compile_error_t *error = NULL;
        unsigned wide = attempt == 0 ? 0U : HS_FLAG_PREFILTER;
        if (hs_compile(text, flags | wide, HS_MODE_BLOCK, NULL, &re->linear, &error) != HS_SUCCESS)
            re->linear = NULL;
        (void)hs_free_compile_error(error);
        re->exact = attempt == 0 && re->linear != NULL;
    }
}

static int pattern_compile(pcre2_code **out, struct slice pattern, bool cased,
                           char message[REGEX_MESSAGE_BYTES])
{
    uint32_t flags = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    const void *bytes = pattern.len == 0 ? "" : pattern.data;
    int code = 0;
    PCRE2_SIZE at = 0;
    if (pattern.len > REGEX_PATTERN_BYTES_MAX) {
        (void)snprintf(message, REGEX_MESSAGE_BYTES, "longer than %d bytes",
                       REGEX_PATTERN_BYTES_MAX);
        return ERR_CONF;
    }
    *out =
        pcre2_compile(bytes, pattern.len, cased ? flags : flags | PCRE2_CASELESS, &code, &at, NULL);
    if (*out != NULL)
        return 0;
    PCRE2_UCHAR text[REGEX_MESSAGE_BYTES - 32];
    (void)pcre2_get_error_message(code, text, sizeof(text));
    const void *raw = text;
    const char *shown = raw;
    (void)snprintf(message, REGEX_MESSAGE_BYTES, "%s at byte %zu", shown, at);
    return code == PCRE2_ERROR_NOMEMORY ? ERR_NOMEM : ERR_CONF;
}

int regex_check(struct slice pattern, char message[REGEX_MESSAGE_BYTES])
{
    pcre2_code *code = NULL;
    int err = pattern_compile(&code, pattern, true, message);
    pcre2_code_free(code);
    return err;
}

int regex_compile(struct regex **out, struct slice pattern, bool cased,
                  char message[REGEX_MESSAGE_BYTES])
{
    struct regex *re = calloc(1, sizeof(*re));
    if (re == NULL)
        return ERR_NOMEM;
    int err = pattern_compile(&re->code, pattern, cased, message);
    if (err != 0) {
        free(re);
        return err;
    }
    /* Without a just-in-time compiler the interpreter gives the same answers. */
    (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    linear_compile(re, pattern, cased);
    *out = re;
    return 0;
}

void regex_free(struct regex *re)
{
    if (re == NULL)
        return;
    pcre2_code_free(re->code);
    (void)hs_free_database(re->linear);
    free(re);
}

int regex_scratch_new(struct regex_scratch **out)
{
    struct regex_scratch *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->data = pcre2_match_data_create(1, NULL);
    s->context = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(REGEX_JIT_STACK_FIRST, REGEX_JIT_STACK_MAX, NULL);
    if (s->data == NULL || s->context == NULL) {
        regex_scratch_free(s);
        return ERR_NOMEM;
    }
    (void)pcre2_set_match_limit(s->context, REGEX_MATCH_STEPS_MAX);
    (void)pcre2_set_heap_limit(s->context, REGEX_HEAP_KIB_MAX);
    if (s->stack != NULL)
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
    *out = s;
    return 0;
}

void regex_scratch_free(struct regex_scratch *s)
{
    if (s == NULL)
        return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    (void)hs_free_scratch(s->linear);
    free(s);
}

void regex_scratch_forgive(struct regex_scratch *s)
{
    s->forgiving = true;
}

uint64_t regex_scratch_given_up(const struct regex_scratch *s)
{
    return s->given_up;
}

int regex_scratch_fit(struct regex_scratch *s, const struct regex *re)
{
    if (re->linear == NULL)
        return 0;
    return hs_alloc_scratch(re->linear, &s->linear) == HS_SUCCESS ? 0 : ERR_NOMEM;
}

/* The first match is enough. */
static int linear_found(unsigned int id, unsigned long long from, unsigned long long to,
                        unsigned int flags, void *found)
{
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    bool *seen = found;
    *seen = true;
    return 1;
}

int regex_match(const struct regex *re, struct regex_scratch *s, struct slice text)
{
    bool found = false;
    if (re->linear != NULL && text.len <= UINT32_MAX) {
        hs_error_t err = hs_scan(re->linear, text.len == 0 ? "" : text.data, (unsigned)text.len, 0,
                                 s->linear, linear_found, &found);
        if (err != HS_SUCCESS && err != HS_SCAN_TERMINATED)
            return ERR_NOMEM;
        if (re->exact || !found)
            return found;
    }
    const void *bytes = text.len == 0 ? "" : text.data;
    int code = pcre2_match(re->code, bytes, text.len, 0, 0, s->data, s->context);
    if (code >= 0)
        return 1;
    if (code == PCRE2_ERROR_NOMATCH)
        return 0;
    if (code == PCRE2_ERROR_NOMEMORY)
        return ERR_NOMEM;
    s->given_up++;
    return s->forgiving ? 0 : ERR_RANGE;
}
