#include "app/command_line.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "app/options.h"
#include "base/escape.h"

enum {
    ID_HELP = 1,    /* no letter, and less than commands give */
    ENDS_WELL = -1, /* the command has nothing more to do */
    WORD_BYTES_MAX = 80,
};

static_assert(EXIT_CODE_OK == 0, "a result of 0 goes on");

static int say_help(const struct command_line *line)
{
    struct buf out = {0};
    buf_text(&out, line->help);
    if (line->help_more != NULL)
        line->help_more(&out);
    bool said =
        buf_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_release(&out);
    return said ? ENDS_WELL : EXIT_CODE_SYSTEM;
}

/* What a part of the command returned, as the exit code. */
static int exit_code_of(int result)
{
    return result < 0 ? option_exit_code(result) : result;
}

/* The name of the option that is nearest to a word; NULL: none is near, or it is no long option. */
static const char *nearest(const struct option *options, const char *word)
{
    const char *names[COMMAND_OPTIONS_MAX + 1];
    size_t count = 0;
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    for (; options[count].name != NULL; count++)
        names[count] = options[count].name;
    return diag_suggest(slice_of(word + 2, strcspn(word + 2, "=")), names, count);
}

/* Say what getopt_long() did not understand, of which `word` was the last it saw. */
static int refuse_option(const struct command_line *line, const struct option *options, int got,
                         const char *word)
{
    struct buf shown = {0};
    const char *near = nearest(options, word);
    escape_quoted(&shown, slice_from(word), WORD_BYTES_MAX);
    if (got == ':') {
        (void)option_usage(line->command, "%s needs a value", buf_string(&shown));
    } else if (near != NULL) {
        (void)option_usage(line->command, "unknown option %s; did you mean --%s?",
                           buf_string(&shown), near);
    } else {
        (void)option_usage(line->command, "unknown option %s", buf_string(&shown));
    }
    buf_release(&shown);
    return EXIT_CODE_USAGE;
}

static int refuse_operand(const struct command_line *line, const char *word)
{
    struct buf shown = {0};
    escape_quoted(&shown, slice_from(word), WORD_BYTES_MAX);
    (void)option_usage(line->command, "it takes options only: what is %s?", buf_string(&shown));
    buf_release(&shown);
    return EXIT_CODE_USAGE;
}

/* The command's options, and --help. */
static void list_options(struct option out[COMMAND_OPTIONS_MAX + 2], const struct option *options)
{
    size_t count = 0;
    for (; options[count].name != NULL; count++) {
        assert(count < COMMAND_OPTIONS_MAX);
        out[count] = options[count];
    }
    out[count] = (struct option){"help", no_argument, NULL, ID_HELP};
    out[count + 1] = (struct option){0};
}

/* 0 to go on with what stands behind the options, or what ends the command. */
static int read_options(const struct command_line *line, void *self, int argc, char **argv)
{
    struct option options[COMMAND_OPTIONS_MAX + 2];
    char letters[COMMAND_LETTERS_MAX + 2];
    int got = 0;
    int result = 0;
    list_options(options, line->options);
    int len = snprintf(letters, sizeof(letters), ":%s", line->letters == NULL ? "" : line->letters);
    assert(len > 0 && (size_t)len < sizeof(letters));
    opterr = 0;
    optind = 1;
    while (result == 0 && (got = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        if (got == ID_HELP)
            result = say_help(line);
        else if (got == '?' || got == ':')
            result = refuse_option(line, options, got, argv[optind - 1]);
        else
            result = exit_code_of(line->take(self, got, optarg));
    }
    return result;
}

static int read_operands(const struct command_line *line, void *self, int count, char **words)
{
    if (line->operands != NULL)
        return exit_code_of(line->operands(self, words, count));
    return count == 0 ? 0 : refuse_operand(line, words[0]);
}

static int read_all(const struct command_line *line, void *self, int argc, char **argv)
{
    if (line->verb != NULL) {
        const char *word = argc > 1 ? argv[1] : "";
        int result =
            strcmp(word, "--help") == 0 ? say_help(line) : exit_code_of(line->verb(self, word));
        if (result != 0)
            return result;
        argc--;
        argv++;
    }
    int result = read_options(line, self, argc, argv);
    if (result == 0)
        result = read_operands(line, self, argc - optind, argv + optind);
    if (result == 0 && line->check != NULL)
        result = exit_code_of(line->check(self));
    return result;
}

bool command_line_read(const struct command_line *line, void *self, int argc, char **argv,
                       int *exit_code)
{
    int result = read_all(line, self, argc, argv);
    *exit_code = result == ENDS_WELL ? EXIT_CODE_OK : result;
    return result == 0;
}
