/*
 * app/main.c - the map.
 *
 *   kafka, files -> ingest/  split, parse, build, enrich -> batches
 *                -> app/intake.c  parcels -> app/committer.c -> store/  one frame, one fdatasync
 *   store/ log   -> app/scan.c  search, export, tail; store/verify.c
 *
 * Each command is one file, app/cmd_<name>.c.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/options.h"
#include "base/fault.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command COMMANDS[] = {
    {"collect", cmd_collect, "collect log lines from Kafka into a store"},
    {"replay", cmd_replay, "read log files into a store through the collector's own path"},
    {"demo", cmd_demo, "show it all: embedded broker, generated traffic, collector"},
    {"parse", cmd_parse, "print the fields of log lines as NDJSON"},
    {"source", cmd_source, "say what a new source's sample is, print what connects it"},
    {"gen", cmd_gen, "generate the log lines of municipalities"},
    {"send", cmd_send, "send lines to Kafka and print what was acknowledged"},
    {"search", cmd_search, "find events in a store"},
    {"hunt", cmd_hunt, "look for indicators of compromise in a store"},
    {"export", cmd_export, "print everything in a store"},
    {"tail", cmd_tail, "print events as they are stored"},
    {"alerts", cmd_alerts, "list and show alerts; acknowledge (ack), suppress and close them"},
    {"rule", cmd_rule, "check and explain Sigma rules, run them on events"},
    {"compact", cmd_compact, "rows of the log into the long-term level"},
    {"keyring", cmd_keyring, "the keys of the encryption at rest"},
    {"checkpoint", cmd_checkpoint,
     "print what a store says of itself, signed, to be kept elsewhere"},
    {"proof", cmd_proof,
     "prove a line, or that nothing was changed, to somebody without the store"},
    {"ledger", cmd_ledger, "what each source sent, hour by hour, and what became of it"},
    {"retain", cmd_retain, "delete what has been kept for long enough"},
    {"hold", cmd_hold, "legal hold: what must not be deleted"},
    {"verify", cmd_verify, "read and hash everything in a store again"},
    {"check", cmd_check, "find all errors of a configuration"},
    {"bench", cmd_bench, "measure speed, size and memory; compare measurements"},
    {"status", cmd_status, "show what a running collector does"},
    {"top", cmd_top, "the same as a live screen"},
};

enum {
    COMMANDS_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]),
};

static void usage(FILE *to)
{
    (void)fprintf(to, "usage: sekisho COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        (void)fprintf(to, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    (void)fprintf(to, "\nsekisho COMMAND --help explains one; sekisho(1) is the manual.\n");
}

/* The name that is not a command, with the nearest one that is. */
static int unknown(const char *word)
{
    const char *names[COMMANDS_COUNT];
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        names[i] = COMMANDS[i].name;
    struct slice slice = {.data = word, .len = strlen(word)};
    const char *near = diag_suggest(slice, names, COMMANDS_COUNT);
    (void)fprintf(stderr, "sekisho: no command \"%s\"%s%s%s\n", word,
                  near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                  near == NULL ? "; sekisho --help lists them" : "\"?");
    return EXIT_CODE_USAGE;
}

enum {
    KEPT_BYTES = 64 << 20, /* freed memory that stays with the process */
};

int main(int argc, char **argv)
{
    /* Batches come and go four times a second: their pages need not go back to the system. */
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES / 2);
    if (fault_set(getenv("SEKISHO_FAULTS")) != 0) {
        (void)fprintf(stderr, "sekisho: SEKISHO_FAULTS cannot be read; see base/fault.h\n");
        return EXIT_CODE_USAGE;
    }
    if (argc < 2) {
        usage(stderr);
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_CODE_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("sekisho %s\n", SEKISHO_VERSION);
        return EXIT_CODE_OK;
    }
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    }
    return unknown(argv[1]);
}
