/* app/cmd_collect.c - `sekisho collect`: the daemon. */
#include <stdio.h>
#include <string.h>

#include "app/collector.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric_server.h"

static const char USAGE[] =
    "usage: sekisho collect -c CONF [--brokers LIST]\n"
    "Collect log lines from Kafka into a store until SIGTERM or SIGINT.\n"
    "  -c, --config CONF  configuration; sekisho check --example prints one\n"
    "  --brokers LIST     in place of kafka.brokers\n"
    "Exit status: 0 ended on request, 3 configuration, 5 the store is damaged, 6 disk or lock.\n";

enum {
    OBSERVE_MS = 1000,
};

struct collect_command {
    const char *config;
    const char *brokers;
};

static int read_options(int argc, char **argv, struct collect_command *o)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"brokers", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *o = (struct collect_command){0};
    opterr = 0;
    optind = 1;
    int got = 0;
    while ((got = getopt_long(argc, argv, ":c:", OPTIONS, NULL)) != -1) {
        switch (got) {
        case 'c':
            o->config = optarg;
            break;
        case 'b':
            o->brokers = optarg;
            break;
        case 'h':
            (void)fputs(USAGE, stdout);
            return -1;
        default:
            return option_refuse(argc, argv, got, OPTIONS);
        }
    }
    if (o->config == NULL || optind != argc)
        return option_usage("collect", "give the configuration: -c CONF");
    return 0;
}

static int open_store(struct store **store, const struct config *config, struct diag *diag)
{
    const struct conf_node *root = config_root(config);
    struct store_options options = {
        .dir = config_path(config, "data"),
        .log_file_bytes_max = (uint64_t)conf_int(root, "limits.log_file_bytes"),
        .log_bytes_max = (uint64_t)conf_int(root, "limits.log_bytes"),
    };
    int status = store_open(store, &options, diag);
    if (status != 0)
        return status;
    const struct ledger_recovery *recovery = store_recovery(*store);
    if (recovery->cut_bytes != 0)
        log_warn("collect", "cut an unfinished commit off the log", "bytes=%llu why=%s",
                 (unsigned long long)recovery->cut_bytes, recovery->cut_why);
    return 0;
}

static int serve_metrics(struct metric_server **server, const struct config *config,
                         struct collector *c, struct diag *diag)
{
    const char *address = conf_text(config_root(config), "metrics");
    struct buf own = {0};
    if (address == NULL || address[0] == '\0') {
        buf_printf(&own, "unix:%s/status.sock", config_path(config, "data"));
        address = buf_string(&own);
    }
    int status = metric_server_open(server, collector_metrics(c), address);
    if (status != 0)
        diag_add(diag, NULL, 0, 0, "metrics cannot listen on %s: %s; give another address", address,
                 err_name(status));
    buf_release(&own);
    return status;
}

static int run(const struct collect_command *o, const struct config *config, struct diag *diag)
{
    struct environment environment = {0};
    struct store *store = NULL;
    struct collector *collector = NULL;
    struct metric_server *server = NULL;
    int status = environment_open(&environment, config, diag);
    if (status == 0)
        status = open_store(&store, config, diag);
    struct collector_options options = {
        .config = config, .environment = &environment, .store = store, .brokers = o->brokers};
    if (status == 0)
        status = collector_open(&collector, &options, diag);
    if (status == 0)
        status = serve_metrics(&server, config, collector, diag);
    if (status == 0)
        log_info("collect", "started", "data=%s seq=%llu", config_path(config, "data"),
                 (unsigned long long)store_last_seq(store));
    while (status == 0 && !signals_wait(OBSERVE_MS)) {
        collector_observe(collector);
        status = collector_error(collector);
    }
    metric_server_close(server);
    if (collector != NULL) {
        int64_t start = clock_monotonic_ns();
        int ended = collector_stop(collector);
        /* What a full disk kept out of the log is still with Kafka. */
        if (status == 0 && ended != ERR_AGAIN)
            status = ended;
        struct tally_row total = tally_total(collector_tally(collector));
        log_info("collect", "ended", "events=%llu unparsed=%llu took_ms=%lld",
                 (unsigned long long)total.rows, (unsigned long long)total.unparsed,
                 (long long)((clock_monotonic_ns() - start) / 1000000));
    }
    collector_free(collector);
    store_close(store);
    environment_close(&environment);
    return status;
}

int cmd_collect(int argc, char **argv)
{
    struct collect_command o;
    int refused = read_options(argc, argv, &o);
    if (refused != 0)
        return refused < 0 ? EXIT_CODE_OK : refused;
    signals_block();
    struct diag diag = {0};
    struct config *config = NULL;
    int status = config_load(&config, o.config, &diag);
    if (status == 0)
        status = run(&o, config, &diag);
    if (status != 0 && diag.count == 0)
        diag_add(&diag, "sekisho collect", 0, 0,
                 "%s; what is not in the log is read from Kafka again after a restart",
                 err_name(status));
    option_say(&diag);
    config_free(config);
    diag_release(&diag);
    return status == ERR_CONF ? EXIT_CODE_CONFIG : option_exit_code(status);
}
