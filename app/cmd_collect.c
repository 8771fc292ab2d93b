/* app/cmd_collect.c - `sekisho collect`: the daemon. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/checkpointer.h"
#include "app/collector.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/compactor.h"
#include "app/control_server.h"
#include "app/disk_room.h"
#include "app/hunter.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/rebuild.h"
#include "app/reloads.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric_server.h"

static const char HELP[] =
    "usage: sekisho collect -c CONF [--brokers LIST]\n"
    "Collect log lines from Kafka into a store until SIGTERM or SIGINT.\n"
    "  -c, --config CONF  configuration; sekisho check --example prints one\n"
    "  --brokers LIST     in place of kafka.brokers\n"
    "SIGHUP reads the configuration and the databases again, between two batches; a faulty\n"
    "configuration leaves the running one in force.\n"
    "Exit status: 0 ended on request, 3 configuration, 5 the store is damaged, 6 disk or lock.\n";

enum {
    OBSERVE_MS = 1000,
};

struct collect_command {
    const char *config;
    const char *brokers;
};

static const struct option OPTIONS[] = {
    {"config", required_argument, NULL, 'c'},
    {"brokers", required_argument, NULL, 'b'},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct collect_command *o = self;
    if (option == 'c')
        o->config = value;
    else
        o->brokers = value;
    return 0;
}

static int take_operands(void *self, char **words, int count)
{
    const struct collect_command *o = self;
    (void)words;
    if (o->config == NULL || count != 0)
        return option_usage("collect", "give the configuration: -c CONF");
    return 0;
}

static const struct command_line LINE = {.command = "collect",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .letters = "c:"};

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

/* What a reload replaces; the store stays. */
struct session {
    struct config *config;
    struct environment *environment; /* stays where it is when the session moves: it is borrowed */
    struct watch *watch;
    struct outputs
        *outputs;       /* read the configuration, so they go with it; the log has their place */
    uint64_t first_seq; /* of the log when the collector began */
    struct collector *collector;
    struct metric_server *server;
    struct control_server *controls;
    struct hunter *hunter; /* or NULL: no list changed */
    struct compactor *compactor;
    struct checkpointer *checkpointer;
    struct disk_room *room; /* stays where it is when the session moves */
};

static int serve_metrics(struct session *s, struct diag *diag)
{
    const char *address = conf_text(config_root(s->config), "metrics");
    struct buf own = {0};
    if (address == NULL || address[0] == '\0') {
        buf_printf(&own, "unix:%s/status.sock", config_path(s->config, "data"));
        address = buf_string(&own);
    }
    int status = metric_server_open(&s->server, collector_metrics(s->collector), address);
    if (status != 0)
        diag_add(diag, NULL, 0, 0, "metrics cannot listen on %s: %s; give another address", address,
                 err_name(status));
    buf_release(&own);
    return status;
}

static int take_control(void *self, struct slice json)
{
    return collector_control(self, json);
}

/* Collecting goes on without it: what people say can wait, lines cannot. */
static void serve_controls(struct session *s)
{
    struct buf path = {0};
    buf_printf(&path, "%s/control.sock", config_path(s->config, "data"));
    const struct control_server_options options = {
        .path = buf_string(&path), .take = take_control, .self = s->collector};
    int status = control_server_open(&s->controls, &options);
    if (status != 0)
        log_error("collect", "nobody can suppress, acknowledge or close alerts: no control socket",
                  "path=%s why=%s", buf_string(&path), err_name(status));
    buf_release(&path);
}

/* Collection goes on without a key: rows that are to be encrypted stay in the log until it is there. */
static void warn_of_keys(const struct config *config)
{
    struct diag diag = {0};
    size_t count = 0;
    if (keyring_option_check(&count, config, &diag) != 0) {
        log_error(
            "collect",
            "keys of the encryption at rest are missing: rows of these municipalities stay in "
            "the log, in clear",
            "why=%s", diag_text(&diag));
    }
    diag_release(&diag);
}

/* Read the configuration and the databases; nothing runs yet. */
static int session_load(struct session *s, const char *path, struct diag *diag)
{
    *s = (struct session){0};
    int status = config_load(&s->config, path, diag);
    s->environment = calloc(1, sizeof(*s->environment));
    s->room = calloc(1, sizeof(*s->room));
    if (status == 0 && s->room == NULL)
        status = ERR_NOMEM;
    if (status == 0)
        disk_room_init(s->room, s->config);
    if (status == 0)
        status = s->environment == NULL ? ERR_NOMEM
                                        : environment_open(s->environment, s->config, NULL, diag);
    if (status == 0) {
        struct rule_counts c = rule_count(s->environment->rules);
        warn_of_keys(s->config);
        lists_log(&s->environment->lists, s->environment->indicators, diag);
        log_info("collect", "rules were read",
                 "files=%zu rules=%zu idle=%zu correlations=%zu filters=%zu", c.files, c.rules,
                 c.idle, c.correlations, c.filters);
    }
    return status;
}

/*
 * The detectors' states as of the end of the log, whose rows are judged with what was in force then;
 * what is in force now is for the rows to come. `before`: a session that may have it loaded, or NULL.
 */
static int session_watch(struct session *s, struct store *store, const struct session *before,
                         struct diag *diag)
{
    int64_t start = clock_monotonic_ns();
    const struct watch_sets now = {.config = s->config,
                                   .indicators = s->environment->indicators,
                                   .rules = s->environment->rules};
    struct watch_options options = {.config = now.config,
                                    .indicators = now.indicators,
                                    .rules = now.rules,
                                    .seed = watch_seed(store_id(store))};
    const struct past_options loaded = {
        .dir = config_path(s->config, "data"),
        .loaded = {s->environment, before == NULL ? NULL : before->environment}};
    struct rebuild_stats stats = {0};
    struct past *past = NULL;
    int status = past_new(&past, &loaded);
    if (status == 0)
        status = watch_new(&s->watch, &options);
    struct rebuild_options rebuild = {
        .dir = config_path(s->config, "data"), .watch = s->watch, .past = past, .now = &now};
    if (status == 0)
        status = rebuild_run(&rebuild, &stats, diag);
    if (status == 0)
        status = watch_change(s->watch, &now);
    if (status != 0) {
        watch_free(s->watch);
        s->watch = NULL;
    }
    past_free(past);
    if (status == 0 && stats.frames != 0) {
        log_info("collect", "detection goes on where the log ends",
                 "snapshots=%zu frames=%llu rows=%llu took_ms=%lld", stats.snapshots,
                 (unsigned long long)stats.frames, (unsigned long long)stats.rows,
                 (long long)((clock_monotonic_ns() - start) / 1000000));
    }
    return status;
}

/* Before the log grows. */
static int session_outputs(struct session *s, struct store *store, const char *brokers,
                           struct diag *diag)
{
    s->first_seq = store_last_seq(store);
    const struct outputs_options options = {.config = s->config,
                                            .dir = config_path(s->config, "data"),
                                            .brokers = brokers,
                                            .last_seq = s->first_seq};
    return outputs_start(&s->outputs, &options, diag);
}

/* What the lists have new, before the log names them as they are now. */
static int session_hunt(struct session *s, struct store *store)
{
    const struct hunter_options options = {.config = s->config,
                                           .dir = config_path(s->config, "data"),
                                           .store = store,
                                           .lists = &s->environment->lists,
                                           .suffixes = s->environment->domains};
    return hunter_plan(&s->hunter, &options);
}

/* How full the disk is, and what that means for the intake. */
static void session_look_at_disk(struct session *s)
{
    disk_room_look(s->room, config_path(s->config, "data"));
    collector_pause(s->collector, atomic_load(&s->room->paused));
    disk_room_observe(s->room, collector_metrics(s->collector));
}

static void session_observe(struct session *s, const struct reloads *reloads)
{
    session_look_at_disk(s);
    collector_observe(s->collector);
    reloads_observe(reloads, s->environment, collector_metrics(s->collector));
    hunter_observe(s->hunter, collector_metrics(s->collector));
    compactor_observe(s->compactor, collector_metrics(s->collector));
    checkpointer_observe(s->checkpointer, collector_metrics(s->collector));
    const struct outputs_look look = {.tally = collector_tally(s->collector),
                                      .metrics = collector_metrics(s->collector),
                                      .last_seq =
                                          s->first_seq + collector_committed(s->collector).frames};
    outputs_observe(s->outputs, &look);
}

static int session_compact(struct session *s, const struct store *store)
{
    const struct compactor_options options = {.config = s->config,
                                              .dir = config_path(s->config, "data"),
                                              .store_id = store_id(store),
                                              .collector = s->collector,
                                              .room = s->room,
                                              .first_seq = s->first_seq};
    return compactor_start(&s->compactor, &options);
}

static int session_sign(struct session *s, const struct store *store, struct diag *diag)
{
    const struct checkpointer_options options = {.config = s->config,
                                                 .dir = config_path(s->config, "data"),
                                                 .store_id = store_id(store),
                                                 .collector = s->collector};
    return checkpointer_start(&s->checkpointer, &options, diag);
}

static int session_start(struct session *s, struct store *store, const struct session *before,
                         const char *brokers, struct diag *diag)
{
    int status = keyring_option_config(s->config);
    if (status == 0)
        status = session_watch(s, store, before, diag);
    if (status == 0)
        status = session_outputs(s, store, brokers, diag);
    struct collector_options options = {.config = s->config,
                                        .environment = s->environment,
                                        .store = store,
                                        .watch = s->watch,
                                        .outputs = s->outputs,
                                        .brokers = brokers};
    if (status == 0)
        status = session_hunt(s, store);
    if (status == 0)
        status = collector_open(&s->collector, &options, diag);
    if (status == 0)
        status = serve_metrics(s, diag);
    if (status == 0)
        serve_controls(s);
    if (status == 0)
        status = hunter_start(s->hunter);
    /* Signing makes the key, where there is none, which deletion signs with too. */
    if (status == 0)
        status = session_sign(s, store, diag);
    return status == 0 ? session_compact(s, store) : status;
}

/* Commit what was read and end; 0, or why it could not all be committed. */
static int session_stop(struct session *s)
{
    checkpointer_stop(s->checkpointer);
    s->checkpointer = NULL;
    compactor_stop(s->compactor);
    s->compactor = NULL;
    hunter_stop(s->hunter);
    s->hunter = NULL;
    control_server_close(s->controls);
    s->controls = NULL;
    metric_server_close(s->server);
    s->server = NULL;
    int status = s->collector == NULL ? 0 : collector_stop(s->collector);
    collector_free(s->collector);
    s->collector = NULL;
    outputs_stop(s->outputs);
    s->outputs = NULL;
    watch_free(s->watch);
    s->watch = NULL;
    return status;
}

static void session_free(struct session *s)
{
    (void)session_stop(s);
    if (s->environment != NULL)
        environment_close(s->environment);
    free(s->environment);
    free(s->room);
    config_free(s->config);
    *s = (struct session){0};
}

static void say_not_reloaded(const struct collect_command *o, struct diag *diag)
{
    log_error("collect", "not reloaded: the running configuration stays in force",
              "config=%s why=%s", o->config, diag_text(diag));
}

/* Replace the session by one of the file as it is now, or keep it where that cannot be. */
static int reload(struct session *s, struct store *store, const struct collect_command *o,
                  struct reloads *reloads)
{
    struct diag diag = {0};
    struct session next;
    int64_t read_ns = clock_now_ns();
    int status = session_load(&next, o->config, &diag);
    if (status == 0) {
        status = session_stop(s);
        /* What a full disk keeps out of the log is read from Kafka again. */
        if (status == ERR_AGAIN)
            status = 0;
        if (status == 0)
            status = session_start(&next, store, s, o->brokers, &diag);
        if (status == 0) {
            session_free(s);
            *s = next;
            /* Threads come and go with each session; what theirs left free would stay with us. */
            (void)malloc_trim(0);
            reloads_take(reloads, read_ns);
            log_info("collect", "reloaded", "config=%s", o->config);
            diag_release(&diag);
            return 0;
        }
        (void)session_stop(&next);
        reloads_refuse(reloads);
        say_not_reloaded(o, &diag);
        if (s->collector == NULL && status == ERR_CONF)
            status = session_start(s, store, &next, o->brokers, &diag);
    } else {
        reloads_refuse(reloads);
        say_not_reloaded(o, &diag);
        status = 0;
    }
    session_free(&next);
    diag_release(&diag);
    return status;
}

static int run(const struct collect_command *o, struct session *s, struct store *store,
               struct diag *diag)
{
    struct reloads reloads = {.loaded_ns = clock_now_ns()};
    int status = session_start(s, store, NULL, o->brokers, diag);
    if (status == 0)
        session_observe(s, &reloads);
    if (status == 0)
        log_info("collect", "started", "data=%s seq=%llu", config_path(s->config, "data"),
                 (unsigned long long)store_last_seq(store));
    while (status == 0) {
        enum signals_event event = signals_wait(OBSERVE_MS);
        if (event == SIGNALS_END)
            break;
        if (event == SIGNALS_RELOAD)
            status = reload(s, store, o, &reloads);
        if (status == 0) {
            session_observe(s, &reloads);
            status = collector_error(s->collector);
        }
    }
    int64_t start = clock_monotonic_ns();
    struct tally_row total = {0};
    if (s->collector != NULL)
        total = tally_total(collector_tally(s->collector));
    int ended = session_stop(s);
    /* What a full disk kept out of the log is still with Kafka. */
    if (status == 0 && ended != ERR_AGAIN)
        status = ended;
    log_info("collect", "ended", "events=%llu unparsed=%llu took_ms=%lld",
             (unsigned long long)total.rows, (unsigned long long)total.unparsed,
             (long long)((clock_monotonic_ns() - start) / 1000000));
    return status;
}

int cmd_collect(int argc, char **argv)
{
    struct collect_command o = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &o, argc, argv, &code))
        return code;
    signals_block();
    struct diag diag = {0};
    struct session session;
    struct store *store = NULL;
    int status = session_load(&session, o.config, &diag);
    if (status == 0 && o.brokers == NULL &&
        conf_text(config_root(session.config), "kafka.brokers") == NULL) {
        diag_add(
            &diag, o.config, 0, 0,
            "kafka.brokers is missing: there is nothing to collect from; give it, or --brokers");
        status = ERR_CONF;
    }
    if (status == 0)
        status = open_store(&store, session.config, &diag);
    if (status == 0)
        status = run(&o, &session, store, &diag);
    if (status != 0 && diag.count == 0) {
        diag_add(&diag, "sekisho collect", 0, 0,
                 "%s; what is not in the log is read from Kafka again after a restart",
                 err_name(status));
    }
    option_say(&diag);
    session_free(&session);
    store_close(store);
    diag_release(&diag);
    return status == ERR_CONF ? EXIT_CODE_CONFIG : option_exit_code(status);
}
