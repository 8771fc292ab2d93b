/* app/cmd_top.c - sekisho top: the live screen of a running collector. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/sink.h"
#include "app/top_view.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: sekisho top (--data DIR | --metrics ADDRESS) [options]\n"
    "\n"
    "Show a running collector live: municipalities and sources, rates, lag, silence, what did not\n"
    "parse, alerts, and what each stage costs. On a terminal the screen is drawn again each interval,\n"
    "until q or Ctrl-C; elsewhere a block of plain lines is printed each time.\n"
    "\n"
    "  --data DIR         its store, where it listens on status.sock; alerts are read from its log\n"
    "  --metrics ADDRESS  the address of its metrics (unix:PATH, 127.0.0.1:PORT)\n"
    "  --interval N       seconds between two looks (1)\n"
    "  --count N          end after N looks\n"
    "  --lang ja|en       language (default: from LANG)\n"
    "  --utc              times in UTC instead of JST\n"
    "\n"
    "Sources that were silent for a minute stand on top with \"!\", then the busiest.\n"
    "Exit codes: 0 ended on request, 2 usage, 4 no collector answers, 6 the system refused.\n";

enum {
    ROWS_DEFAULT = 24, /* of a terminal that does not say */
    COLUMNS_DEFAULT = 80,
    INTERVAL_SECONDS_MAX = 3600,
    FIRST_LOOK_MS = 250, /* rates need two looks: the first interval is short */
};

/* The other screen, no cursor, no line goes on below: some terminals show some characters wider. */
#define SCREEN_BEGIN "\x1b[?1049h\x1b[?25l\x1b[?7l"
#define SCREEN_END   "\x1b[?7h\x1b[?25h\x1b[?1049l"
#define SCREEN_HOME  "\x1b[H"
#define LINE_REST    "\x1b[K"
#define SCREEN_REST  "\x1b[J"

struct top {
    const char *data;
    const char *metrics;
    uint64_t interval_s;
    uint64_t count; /* 0 = no end */
    struct alert_print how;
    struct buf address;
    struct top_view *view;
    struct log_reader *reader; /* NULL: no alerts to be had */
    struct sink sink;
    int signals;
    bool screen; /* the terminal is ours */
    bool keys;   /* and what is typed on it */
    struct termios saved;
};

enum {
    OPT_DATA = 256,
    OPT_METRICS,
    OPT_INTERVAL,
    OPT_COUNT,
    OPT_LANG,
    OPT_UTC,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"metrics", required_argument, NULL, OPT_METRICS},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"count", required_argument, NULL, OPT_COUNT},
    {"lang", required_argument, NULL, OPT_LANG},
    {"utc", no_argument, NULL, OPT_UTC},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct top *t = self;
    switch (option) {
    case OPT_DATA:
        t->data = value;
        return 0;
    case OPT_METRICS:
        t->metrics = value;
        return 0;
    case OPT_INTERVAL:
        return option_number(&t->interval_s, "--interval", value, 1, INTERVAL_SECONDS_MAX);
    case OPT_COUNT:
        return option_number(&t->count, "--count", value, 1, UINT64_MAX);
    case OPT_LANG:
        if (alert_language(&t->how.japanese, value) == 0)
            return 0;
        (void)option_usage("top", "--lang is ja or en");
        return ERR_CONF;
    default:
        t->how.utc = true;
        return 0;
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct top *t = self;
    (void)words;
    if ((t->data == NULL && t->metrics == NULL) || count != 0)
        return option_usage("top", "give --data DIR or --metrics ADDRESS");
    if (t->metrics != NULL)
        buf_text(&t->address, t->metrics);
    else
        buf_printf(&t->address, "unix:%s/status.sock", t->data);
    return 0;
}

static const struct command_line LINE = {.command = "top",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

/* ------------------------------------------------------------------------------ the terminal */

static int hold_signals(struct top *t)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGQUIT);
    (void)sigaddset(&set, SIGTSTP);
    (void)sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return ERR_IO;
    t->signals = signalfd(-1, &set, SFD_CLOEXEC);
    return t->signals < 0 ? ERR_IO : 0;
}

/* The other screen, and keys as they are pressed. */
static void screen_begin(struct top *t)
{
    struct termios keys;
    if (isatty(STDOUT_FILENO) == 0)
        return;
    t->screen = true;
    t->keys = tcgetattr(STDIN_FILENO, &t->saved) == 0;
    if (t->keys) {
        keys = t->saved;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    buf_text(&t->sink.out, SCREEN_BEGIN);
}

static void screen_end(struct top *t)
{
    if (!t->screen)
        return;
    buf_text(&t->sink.out, SCREEN_END);
    (void)sink_flush(&t->sink);
    if (t->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
    t->screen = false;
    t->keys = false;
}

/* Ctrl-Z: the terminal belongs to others until we go on. */
static void pause_screen(struct top *t)
{
    bool screen = t->screen;
    screen_end(t);
    (void)raise(SIGSTOP);
    if (screen)
        screen_begin(t);
}

static struct top_size screen_size(void)
{
    struct winsize w = {0};
    struct top_size size = {.rows = ROWS_DEFAULT, .columns = COLUMNS_DEFAULT};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row != 0 && w.ws_col != 0)
        size = (struct top_size){.rows = w.ws_row, .columns = w.ws_col};
    return size;
}

/* Lines over the old ones: what is left of each is cleared, so nothing flickers. */
static void draw_screen(struct top *t)
{
    struct top_size size = screen_size();
    struct buf lines = {0};
    size_t rows = 0;
    top_view_print(t->view, &size, &lines);
    buf_text(&t->sink.out, SCREEN_HOME);
    struct slice rest = buf_content(&lines);
    for (; rest.len != 0 && rows < size.rows; rows++) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);
        buf_text(&t->sink.out, rows == 0 ? "" : "\r\n");
        buf_append(&t->sink.out, rest.data, len);
        buf_text(&t->sink.out, LINE_REST);
        rest = slice_from_offset(rest, len + 1);
    }
    buf_text(&t->sink.out, SCREEN_REST);
    buf_release(&lines);
}

static int draw(struct top *t)
{
    const struct top_size plain = {0};
    if (t->screen) {
        draw_screen(t);
    } else {
        top_view_print(t->view, &plain, &t->sink.out);
        buf_byte(&t->sink.out, '\n');
    }
    return sink_flush(&t->sink);
}

/* ------------------------------------------------------------------------------ the loop */

enum wake {
    WAKE_TIME,
    WAKE_REDRAW,
    WAKE_END,
};

static enum wake read_signal(struct top *t)
{
    struct signalfd_siginfo info;
    if (read(t->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return WAKE_END;
    if (info.ssi_signo == SIGTSTP)
        pause_screen(t);
    return info.ssi_signo == SIGWINCH || info.ssi_signo == SIGTSTP ? WAKE_REDRAW : WAKE_END;
}

/* Keys that were pressed; a closed terminal ends, too. */
static bool wants_end(void)
{
    char key = 0;
    ssize_t got = read(STDIN_FILENO, &key, 1);
    return got <= 0 || key == 'q' || key == 'Q';
}

/* Sleep until a moment of the monotonic clock, or something else happens. */
static enum wake wait_until(struct top *t, int64_t until_ns)
{
    for (;;) {
        int keys = t->keys ? STDIN_FILENO : -1;
        int64_t left_ms = (until_ns - clock_monotonic_ns() + 999999) / 1000000;
        if (left_ms <= 0)
            return WAKE_TIME;
        struct pollfd fds[] = {{.fd = t->signals, .events = POLLIN},
                               {.fd = STDOUT_FILENO},
                               {.fd = keys, .events = POLLIN}};
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), (int)left_ms) <= 0)
            continue;
        if (fds[0].revents != 0)
            return read_signal(t);
        if ((fds[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            return WAKE_END;
        if (fds[2].revents != 0 && wants_end())
            return WAKE_END;
    }
}

static int look(struct top *t)
{
    struct status_page page = {0};
    int err = status_page_fetch(&page, buf_string(&t->address));
    if (err == 0)
        top_view_page(t->view, &page, clock_now_ns(), clock_monotonic_ns());
    return err;
}

/* Alerts are an addition: a log that cannot be read leaves the numbers. */
static void look_at_alerts(struct top *t)
{
    const struct log_reader_options options = {
        .dir = t->data, .from_newest = true, .remains = true};
    if (t->data == NULL || (t->reader == NULL && log_reader_open(&t->reader, &options, NULL) != 0))
        return;
    if (top_view_alerts(t->view, t->reader) == 0)
        return;
    log_reader_close(t->reader);
    t->reader = NULL;
    t->data = NULL;
}

static int run(struct top *t)
{
    int64_t next_ns = clock_monotonic_ns() + FIRST_LOOK_MS * INT64_C(1000000);
    for (uint64_t shown = 0; t->count == 0 || shown < t->count;) {
        enum wake wake = wait_until(t, next_ns);
        if (wake == WAKE_END)
            return 0;
        if (wake == WAKE_TIME) {
            int64_t now_ns = clock_monotonic_ns();
            next_ns += (int64_t)t->interval_s * CLOCK_NS_PER_SECOND;
            if (next_ns < now_ns) /* the machine or we stood still: looks are not made up for */
                next_ns = now_ns;
            if (look(t) != 0)
                top_view_lost(t->view);
            look_at_alerts(t);
            shown++;
        }
        int err = draw(t);
        if (err != 0)
            return err == ERR_DOWN ? 0 : err;
    }
    return 0;
}

static int show(struct top *t)
{
    int err = top_view_new(&t->view, &t->how);
    if (err == 0)
        err = look(t);
    if (err == ERR_DOWN || err == ERR_FORMAT || err == ERR_CONF) {
        (void)fprintf(stderr, "sekisho top: no collector answers on %s (%s); is it running?\n",
                      buf_string(&t->address), err_name(err));
        return err == ERR_CONF ? EXIT_CODE_USAGE : EXIT_CODE_DOWN;
    }
    if (err == 0)
        err = hold_signals(t);
    int saved = errno;
    if (err == 0) {
        screen_begin(t);
        err = run(t);
        saved = errno;
        screen_end(t);
    }
    if (err != 0)
        option_why("top", err, saved);
    return option_exit_code(err);
}

int cmd_top(int argc, char **argv)
{
    struct top t = {.interval_s = 1, .sink = {.fd = STDOUT_FILENO}, .signals = -1};
    int code = EXIT_CODE_OK;
    t.how.japanese = alert_language_default();
    if (command_line_read(&LINE, &t, argc, argv, &code))
        code = show(&t);
    log_reader_close(t.reader);
    top_view_free(t.view);
    (void)sink_close(&t.sink);
    buf_release(&t.address);
    if (t.signals >= 0)
        (void)close(t.signals);
    return code;
}
