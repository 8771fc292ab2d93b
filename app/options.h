/*
 * app/options.h - what the command lines have in common: exit codes, values, help for mistakes.
 *
 * Ownership: nothing is kept; texts are borrowed for the call.
 * Threads:   the main thread.
 * Failures:  the option_*() readers return ERR_CONF and say what is wrong on standard error, with
 *            the option's name; *out is untouched then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/charset.h"
#include "base/diag.h"
#include "base/err.h"
#include "event/source_class.h"

/* What a command ends with; the contract that scripts rely on. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FINDINGS = 1,   /* of a check; or a search without a match */
    EXIT_CODE_USAGE = 2,      /* command line, query or rule */
    EXIT_CODE_CONFIG = 3,     /* configuration; no store where one should be */
    EXIT_CODE_DOWN = 4,       /* a service that is needed does not answer */
    EXIT_CODE_INCOMPLETE = 5, /* corruption, or an answer that lacks something */
    EXIT_CODE_SYSTEM = 6,     /* the operating system refused: disk, memory, permissions, a lock */
};

enum option_limits {
    OPTION_THREADS_MAX = 256,
    OPTION_NICENESS = 15, /* of who gives way: a 28th of the share of one who does not */
};

/*
 * Before a command reads much of a store that a collector is writing: from now on this process and
 * its threads take the CPU that the collector, and whatever else runs as usual, leaves. Without a
 * collector nothing changes.
 */
void option_give_way(const char *dir);

/* The exit code of an error that ends a command. */
int option_exit_code(int err);

/* Six digits with the right check digit. */
int option_tenant(uint32_t *out, const char *option, const char *text);
/* RFC 3339, or a duration back from now_ns ("24h"). */
int option_time(int64_t *out, const char *option, const char *text, int64_t now_ns);
/* A decimal number in [min, max]. */
int option_number(uint64_t *out, const char *option, const char *text, uint64_t min, uint64_t max);

/* The name of an encoding, auto among them. */
int option_encoding(enum charset *out, const char *option, const char *text);

/* A class of log sources, as `class` in a configuration. */
int option_class(enum source_class *out, const char *option, const char *text);

/* "ja" or "en"; NULL as text: by LC_ALL, LC_MESSAGES or LANG. */
int option_language(bool *japanese, const char *option, const char *text);

/* Processors that this process may run on, 1..OPTION_THREADS_MAX. */
unsigned option_processors(void);

/* "sekisho COMMAND: what", then where the help is. Returns EXIT_CODE_USAGE. */
int option_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * "sekisho COMMAND: why", for an error that `diag` has no words for; of ERR_IO with what the system says,
 * `error_number`.
 */
void option_why(const char *command, int err, int error_number);

/* What `diag` says to standard error, as it stands. */
void option_say(struct diag *diag);
/* What came behind the first `said` bytes of diag->text. */
void option_say_more(const struct diag *diag, size_t said);
