/* app/cmd_check.c - `sekisho check`: all errors of a configuration in one pass. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/config.h"
#include "app/environment.h"
#include "app/options.h"

static const char USAGE[] =
    "usage: sekisho check CONF\n"
    "       sekisho check --example | --man\n"
    "Read a configuration and say everything that is wrong with it, as file:line:column.\n"
    "  --example  print an example file with every key\n"
    "  --man      print the keys as a piece of a manual page\n"
    "Exit status: 0 right, 3 wrong.\n";

static int print_keys(void (*print)(struct buf *out))
{
    struct buf out = {0};
    print(&out);
    size_t written = fwrite(out.data, 1, out.len, stdout);
    int code = buf_ok(&out) && written == out.len ? EXIT_CODE_OK : EXIT_CODE_SYSTEM;
    buf_release(&out);
    return code;
}

static int check_file(const char *path)
{
    struct diag diag = {0};
    struct config *config = NULL;
    struct environment environment = {0};
    int status = config_load(&config, path, &diag);
    if (status == 0)
        status = environment_open(&environment, config, &diag);
    if (status == 0)
        (void)printf("%s: right\n", path);
    else if (diag.count == 0)
        diag_add(&diag, path, 0, 0, "%s", err_name(status));
    option_say(&diag);
    environment_close(&environment);
    config_free(config);
    diag_release(&diag);
    return status == 0          ? EXIT_CODE_OK
           : status == ERR_CONF ? EXIT_CODE_CONFIG
                                : option_exit_code(status);
}

int cmd_check(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"example", no_argument, NULL, 'e'},
        {"man", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    optind = 1;
    int got = getopt_long(argc, argv, ":", OPTIONS, NULL);
    switch (got) {
    case 'e':
        return print_keys(config_print_example);
    case 'm':
        return print_keys(config_print_man);
    case 'h':
        (void)fputs(USAGE, stdout);
        return EXIT_CODE_OK;
    case -1:
        break;
    default:
        return option_refuse(argc, argv, got, OPTIONS);
    }
    if (argc - optind != 1)
        return option_usage("check", "give one configuration file");
    return check_file(argv[optind]);
}
