#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"

enum {
    LOG_TAIL_BYTES = 64,        /* kept free for what ends a cut line */
    LOG_NUMBER_BYTES_MAX = 400, /* a double in %f */
    LOG_WIDTH_MAX = 64,
};

enum log_length {
    LOG_LENGTH_INT,
    LOG_LENGTH_LONG,
    LOG_LENGTH_LONG_LONG,
};

static_assert(sizeof(size_t) == sizeof(long) && sizeof(intmax_t) == sizeof(long) &&
                  sizeof(ptrdiff_t) == sizeof(long),
              "z, j and t are read as long");

/* The values of a line that are still to come. */
struct log_args {
    va_list list;
};

/* One conversion of a format. */
struct log_conversion {
    bool zero;
    int width;
    int precision; /* -1 = none */
    enum log_length length;
    char letter;
};

static const char *const SEVERITY_NAMES[LOG_SEVERITY_COUNT] = {
    [LOG_SEVERITY_DEBUG] = "debug",
    [LOG_SEVERITY_INFO] = "info",
    [LOG_SEVERITY_WARN] = "warn",
    [LOG_SEVERITY_ERROR] = "error",
};

static _Atomic int severity_least = LOG_SEVERITY_INFO;

void log_set_severity(enum log_severity severity)
{
    atomic_store(&severity_least, (int)severity);
}

int log_severity_parse(enum log_severity *out, struct slice text)
{
    for (int i = 0; i < LOG_SEVERITY_COUNT; i++) {
        if (slice_equal(text, slice_from(SEVERITY_NAMES[i]))) {
            *out = (enum log_severity)i;
            return 0;
        }
    }
    return ERR_FORMAT;
}

/* Whether the site may write now; if so, how many of its lines were swallowed since it last did. */
static bool site_admit(struct log_site *site, uint32_t *suppressed)
{
    *suppressed = 0;
    if (site == NULL)
        return true;
    int64_t now = clock_monotonic_ns();
    int64_t start = atomic_load(&site->window_ns);
    if ((start == 0 || now - start >= LOG_WINDOW_NS) &&
        atomic_compare_exchange_strong(&site->window_ns, &start, now))
        atomic_store(&site->lines, 0);
    if (atomic_fetch_add(&site->lines, 1) >= LOG_SITE_LINES) {
        atomic_fetch_add(&site->suppressed, 1);
        return false;
    }
    *suppressed = atomic_exchange(&site->suppressed, 0);
    return true;
}

static int read_digits(const char **at)
{
    int value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (value < LOG_VALUE_BYTES_MAX)
            value = value * 10 + (**at - '0');
    }
    return value;
}

static enum log_length read_length(const char **at)
{
    while (**at == 'h') /* promoted to int on the way here */
        (*at)++;
    if ((*at)[0] == 'l' && (*at)[1] == 'l') {
        *at += 2;
        return LOG_LENGTH_LONG_LONG;
    }
    if (**at == 'l' || **at == 'z' || **at == 'j' || **at == 't') {
        (*at)++;
        return LOG_LENGTH_LONG;
    }
    return LOG_LENGTH_INT;
}

/*
 * The analyzer does not follow a va_list into a function, and takes long and long long for one.
 * NOLINTBEGIN(clang-analyzer-valist.Uninitialized, bugprone-branch-clone)
 */

/* Read a conversion behind its '%'; afterwards *at is behind its letter. */
static struct log_conversion read_conversion(const char **at, struct log_args *args)
{
    struct log_conversion c = {.precision = -1};
    if (**at == '0') {
        c.zero = true;
        (*at)++;
    }
    c.width = read_digits(at);
    if (**at == '.') {
        (*at)++;
        if (**at == '*') {
            (*at)++;
            c.precision = va_arg(args->list, int);
        } else {
            c.precision = read_digits(at);
        }
    }
    c.length = read_length(at);
    c.letter = **at;
    if (c.letter != '\0')
        (*at)++;
    return c;
}

static int64_t take_signed(enum log_length length, struct log_args *args)
{
    switch (length) {
    case LOG_LENGTH_LONG: /* z, j and t are long too */
        return va_arg(args->list, long);
    case LOG_LENGTH_LONG_LONG:
        return va_arg(args->list, long long);
    case LOG_LENGTH_INT:
    default:
        return va_arg(args->list, int);
    }
}

static uint64_t take_unsigned(enum log_length length, struct log_args *args)
{
    switch (length) {
    case LOG_LENGTH_LONG:
        return va_arg(args->list, unsigned long);
    case LOG_LENGTH_LONG_LONG:
        return va_arg(args->list, unsigned long long);
    case LOG_LENGTH_INT:
    default:
        return va_arg(args->list, unsigned int);
    }
}

/* Append as much as the value may still take. */
static void put_clipped(struct buf *value, const char *data, size_t len)
{
    size_t room = value->limit - value->len;
    buf_append(value, data, len < room ? len : room);
}

static void put_string(struct buf *value, const struct log_conversion *c, const char *text)
{
    if (text == NULL)
        text = "(null)";
    size_t max = c->precision >= 0 ? (size_t)c->precision : LOG_VALUE_BYTES_MAX + 1;
    put_clipped(value, text, strnlen(text, max));
}

/* Sign, padding to the width and the digits of a number in base 10 or 16. */
static void put_number(struct buf *value, const struct log_conversion *c, bool negative,
                       uint64_t number)
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned base = c->letter == 'x' || c->letter == 'p' ? 16 : 10;
    char text[LOG_WIDTH_MAX + 1];
    int width = c->width < LOG_WIDTH_MAX ? c->width : LOG_WIDTH_MAX;
    size_t at = sizeof(text);
    do {
        text[--at] = DIGITS[number % base];
        number /= base;
    } while (number != 0);
    while (c->zero && (int)(sizeof(text) - at) + (negative ? 1 : 0) < width)
        text[--at] = '0';
    if (negative)
        text[--at] = '-';
    put_clipped(value, text + at, sizeof(text) - at);
}

static void put_double(struct buf *value, const struct log_conversion *c, double number)
{
    char text[LOG_NUMBER_BYTES_MAX];
    int precision = c->precision < 0 || c->precision > 17 ? 6 : c->precision;
    int len = c->letter == 'g' ? snprintf(text, sizeof(text), "%.*g", precision, number)
                               : snprintf(text, sizeof(text), "%.*f", precision, number);
    if (len > 0 && (size_t)len < sizeof(text))
        put_clipped(value, text, (size_t)len);
}

static void put_conversion(struct buf *value, const struct log_conversion *c, struct log_args *args)
{
    switch (c->letter) {
    case 's':
        put_string(value, c, va_arg(args->list, const char *));
        break;
    case 'c': {
        char letter = (char)va_arg(args->list, int);
        put_clipped(value, &letter, 1);
        break;
    }
    case 'd':
    case 'i': {
        int64_t number = take_signed(c->length, args);
        put_number(value, c, number < 0, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
        break;
    }
    case 'u':
    case 'x':
        put_number(value, c, false, take_unsigned(c->length, args));
        break;
    case 'p':
        put_number(value, c, false, (uintptr_t)va_arg(args->list, void *));
        break;
    case 'f':
    case 'g':
        put_double(value, c, va_arg(args->list, double));
        break;
    default: /* '%' and what the compiler's format check lets through */
        put_clipped(value, &c->letter, c->letter == '\0' ? 0 : 1);
        break;
    }
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized, bugprone-branch-clone) */

/* Bare when it is one harmless word, in quotes otherwise. */
static void put_value(struct buf *line, struct slice value)
{
    bool bare = value.len != 0 && memchr(value.data, ' ', value.len) == NULL &&
                memchr(value.data, '=', value.len) == NULL && !escape_needed(value);
    if (bare) {
        buf_slice(line, value);
    } else {
        escape_quoted(line, value, 0);
    }
}

/* Write " key=value" for the pair at *at and move behind it. */
static void put_pair(struct buf *line, const char **at, struct log_args *args)
{
    char bytes[LOG_VALUE_BYTES_MAX];
    struct buf value = {.data = bytes, .cap = sizeof(bytes), .limit = sizeof(bytes)};
    size_t key_len = strcspn(*at, "=% ");
    struct slice key = slice_of(*at, key_len);
    *at += key_len;
    if (**at == '=')
        (*at)++;
    while (**at != '\0' && **at != ' ') {
        if (**at == '%') {
            (*at)++;
            struct log_conversion c = read_conversion(at, args);
            put_conversion(&value, &c, args);
        } else {
            put_clipped(&value, *at, 1);
            (*at)++;
        }
    }
    if (key.len == 0 && value.len == 0) /* LOG_NO_VALUES */
        return;
    buf_byte(line, ' ');
    buf_slice(line, key.len == 0 ? SLICE("value") : key);
    buf_byte(line, '=');
    put_value(line, buf_content(&value));
}

static void put_pairs(struct buf *line, const char *format, struct log_args *args)
{
    const char *at = format;
    while (*at != '\0') {
        size_t before = line->len;
        if (*at == ' ') {
            at++;
            continue;
        }
        put_pair(line, &at, args);
        if (buf_ok(line))
            continue;
        line->len = before;
        line->failed = false;
        line->limit += LOG_TAIL_BYTES / 2;
        buf_text(line, " truncated=true");
        return;
    }
}

static void write_line(struct slice line)
{
    ssize_t done = 0;
    do {
        done = write(STDERR_FILENO, line.data, line.len);
    } while (done < 0 && errno == EINTR);
}

void log_write(struct log_site *site, enum log_severity severity, const char *component,
               const char *message, const char *format, ...)
{
    char bytes[LOG_LINE_BYTES_MAX];
    struct buf line = {.data = bytes, .cap = sizeof(bytes)};
    uint32_t suppressed = 0;
    struct log_args args;
    if ((int)severity < atomic_load_explicit(&severity_least, memory_order_relaxed) ||
        !site_admit(site, &suppressed))
        return;
    int kept = errno;
    line.limit = sizeof(bytes) - LOG_TAIL_BYTES;
    buf_text(&line, "ts=");
    clock_print_ms(&line, clock_now_ns());
    buf_printf(&line, " level=%s component=", SEVERITY_NAMES[severity]);
    put_value(&line, slice_from(component));
    buf_text(&line, " msg=");
    escape_quoted(&line, slice_from(message), LOG_VALUE_BYTES_MAX);
    va_start(args.list, format);
    put_pairs(&line, format, &args);
    va_end(args.list);
    line.failed = false;
    line.limit = sizeof(bytes);
    if (suppressed != 0)
        buf_printf(&line, " suppressed=%u", suppressed);
    buf_byte(&line, '\n');
    write_line(buf_content(&line));
    errno = kept;
}
