#include "app/options.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/escape.h"
#include "ingest/ingest.h"
#include "store/store.h"

enum {
    DIGITS_MAX = 19, /* of a number that fits 64 bits whatever they are */
};

void option_give_way(const char *dir)
{
    if (store_is_held(dir))
        (void)setpriority(PRIO_PROCESS, 0, OPTION_NICENESS); /* refused: it is a courtesy */
}

int option_exit_code(int err)
{
    switch ((enum err)err) {
    case ERR_CONF:
        return EXIT_CODE_USAGE;
    case ERR_NOTFOUND:
        return EXIT_CODE_CONFIG;
    case ERR_DOWN:
        return EXIT_CODE_DOWN;
    case ERR_CORRUPT:
    case ERR_FORMAT:
    case ERR_SEALED:
        return EXIT_CODE_INCOMPLETE;
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_RANGE:
    case ERR_AGAIN:
    case ERR_BUSY:
        break;
    }
    return err == 0 ? EXIT_CODE_OK : EXIT_CODE_SYSTEM;
}

static int refuse(const char *option, const char *text, const char *wanted)
{
    struct buf line = {0};
    buf_printf(&line, "%s ", option);
    escape_quoted(&line, slice_from(text), 80);
    buf_printf(&line, " is not %s\n", wanted);
    (void)fputs(buf_string(&line), stderr);
    buf_release(&line);
    return ERR_CONF;
}

int option_tenant(uint32_t *out, const char *option, const char *text)
{
    int err = tenant_code_parse(out, slice_from(text));
    if (err == ERR_RANGE)
        return refuse(option, text, "a municipality code: its check digit is wrong");
    return err == 0 ? 0 : refuse(option, text, "a municipality code of six digits");
}

int option_time(int64_t *out, const char *option, const char *text, int64_t now_ns)
{
    int64_t back = 0;
    if (clock_parse(out, slice_from(text)) == 0)
        return 0;
    if (clock_parse_duration(&back, slice_from(text)) == 0) {
        *out = now_ns - back;
        return 0;
    }
    return refuse(option, text,
                  "a time (2026-11-21T10:00:00+09:00) or a duration back from now (24h)");
}

int option_encoding(enum charset *out, const char *option, const char *text)
{
    if (charset_find(out, slice_from(text)))
        return 0;
    return refuse(option, text, "one of auto, utf-8, cp932 and euc-jp");
}

int option_class(enum source_class *out, const char *option, const char *text)
{
    if (source_class_find(out, slice_from(text)))
        return 0;
    return refuse(option, text, "one of internet and lgwan_deny");
}

int option_number(uint64_t *out, const char *option, const char *text, uint64_t min, uint64_t max)
{
    uint64_t value = 0;
    size_t len = strlen(text);
    bool good = len > 0 && len <= DIGITS_MAX;
    for (size_t i = 0; good && i < len; i++) {
        good = text[i] >= '0' && text[i] <= '9';
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (!good || value < min || value > max) {
        char wanted[96];
        (void)snprintf(wanted, sizeof(wanted), "a number from %llu to %llu",
                       (unsigned long long)min, (unsigned long long)max);
        return refuse(option, text, wanted);
    }
    *out = value;
    return 0;
}

int option_language(bool *japanese, const char *option, const char *text)
{
    static const char *const VARIABLES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    if (text != NULL) {
        bool ja = strcmp(text, "ja") == 0;
        if (!ja && strcmp(text, "en") != 0) {
            (void)fprintf(stderr, "%s: \"%s\" is no language; write ja or en\n", option, text);
            return ERR_CONF;
        }
        *japanese = ja;
        return 0;
    }
    *japanese = false;
    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++) {
        const char *value = getenv(VARIABLES[i]);
        if (value == NULL || value[0] == '\0')
            continue;
        *japanese = strncmp(value, "ja", 2) == 0;
        break;
    }
    return 0;
}

unsigned option_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    if (count < 1)
        return 1;
    return count < OPTION_THREADS_MAX ? (unsigned)count : OPTION_THREADS_MAX;
}

int option_usage(const char *command, const char *format, ...)
{
    struct buf line = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    (void)fprintf(stderr, "sekisho %s: %s\nsekisho %s --help lists the options\n", command,
                  buf_string(&line), command);
    buf_release(&line);
    return EXIT_CODE_USAGE;
}

void option_why(const char *command, int err, int error_number)
{
    (void)fprintf(stderr, "sekisho %s: %s%s%s\n", command, err_name(err), err == ERR_IO ? ": " : "",
                  err == ERR_IO ? strerrordesc_np(error_number) : "");
}

void option_say(struct diag *diag)
{
    if (diag->count != 0)
        (void)fputs(diag_text(diag), stderr);
}

void option_say_more(const struct diag *diag, size_t said)
{
    if (diag->text.len > said)
        (void)fwrite(diag->text.data + said, 1, diag->text.len - said, stderr);
}
