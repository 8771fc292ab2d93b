/*
 * app/command_line.h - how each command reads its command line.
 *
 *   sekisho COMMAND [VERB] [OPTION [VALUE]]... [OPERAND]...
 *              |      |       |                    |
 *              |    verb()  take(), in order   operands(), then check()
 *            --help, which every command has
 *
 * A command says in a table what it has. Other options, options without their value, and operands where
 * there are none are refused here, with the nearest option's name and where the options are listed.
 *
 * verb(), take(), operands() and check() return 0 to go on. To end the command they say why and return a
 * negative enum err, as option_tenant() and its like do, or an exit code, as option_usage() does.
 *
 * Ownership: the table and argv are borrowed; values and operands are words of argv.
 * Threads:   the main thread, once, as getopt.
 * Failures:  are said on standard error; what they end the command with is in *exit_code.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#include "base/buf.h"

enum command_line_limits {
    COMMAND_OPTIONS_MAX = 62,
    COMMAND_LETTERS_MAX = 14,
};

struct command_line {
    const char *command; /* its name */
    const char *help;
    void (*help_more)(struct buf *out); /* appends to it what the program knows; NULL: nothing */
    const struct option *options;       /* up to a row without a name; --help is not among them */
    const char *letters;                /* short options, as getopt(3) wants them; NULL: none */
    /* The word before all options, "" where there is none; NULL: the command has no verbs. */
    int (*verb)(void *self, const char *word);
    /* An option, by the last field of its row, or its letter; NULL is the value of one without. */
    int (*take)(void *self, int option, const char *value);
    /* What stands behind all options, in argv; NULL: the command takes options only. */
    int (*operands)(void *self, char **words, int count);
    /* Whether the options can stand together; NULL: nothing is to be checked. */
    int (*check)(void *self);
};

/*
 * Read argv, whose first word is the command. True to go on; false to end with *exit_code:
 * after --help EXIT_CODE_OK, or EXIT_CODE_SYSTEM when it cannot be written.
 */
bool command_line_read(const struct command_line *line, void *self, int argc, char **argv,
                       int *exit_code);
