/* app/cmd_replay.c - `sekisho replay`: log files into a new store, through the collector's path. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/alert_list.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/environment.h"
#include "app/hidden.h"
#include "app/manifest.h"
#include "app/options.h"
#include "app/prefecture.h"
#include "app/rejudge.h"
#include "app/replay.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: sekisho replay --data DIR --tenant CODE --format NAME [OPTION...] FILE...\n"
    "       sekisho replay --data DIR --manifest M.yaml [OPTION...]\n"
    "       sekisho replay --log DIR [--config CONF] [--rules DIR]\n"
    "Read files into a new store as the collector would, as fast as it goes, and print the alerts;\n"
    "or judge the rows of a store again and print the alerts that they give.\n"
    "  --log DIR           store whose rows are judged; it is only read\n"
    "  --data DIR          store to make; one that holds events is refused\n"
    "  --tenant CODE       municipality of the files\n"
    "  --format NAME       their format (see sekisho parse --help)\n"
    "  --manifest FILE     list of {tenant, source, format, file, zone, encoding}\n"
    "  --config CONF       networks, databases and limits\n"
    "  --rules DIR         Sigma rules, in place of the configuration's\n"
    "  --zone OFFSET       zone of the devices' clocks (+09:00)\n"
    "  --encoding NAME     encoding of their lines: utf-8, cp932, euc-jp or auto (auto)\n"
    "  --reference-time T  a time near the first lines, for stamps without a year\n"
    "  --workers N         threads (one per core)\n"
    "  --batch-rows N      rows of a batch, 1 to 2048\n";

struct replay_command {
    const char *data;
    const char *log;
    const char *manifest;
    const char *config;
    const char *rules;
    const char *format;
    char **files;
    int file_count;
    uint32_t tenant;
    bool has_tenant;
    int32_t zone_minutes;
    bool has_zone;
    enum charset encoding;
    bool has_encoding;
    int64_t reference_ns;
    uint64_t workers;
    uint64_t batch_rows;
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, 'd'},
    {"log", required_argument, NULL, 'l'},
    {"tenant", required_argument, NULL, 'n'},
    {"format", required_argument, NULL, 'f'},
    {"manifest", required_argument, NULL, 'm'},
    {"config", required_argument, NULL, 'c'},
    {"zone", required_argument, NULL, 'z'},
    {"encoding", required_argument, NULL, 'e'},
    {"reference-time", required_argument, NULL, 't'},
    {"workers", required_argument, NULL, 'w'},
    {"batch-rows", required_argument, NULL, 'b'},
    {"rules", required_argument, NULL, 'R'},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct replay_command *o = self;
    switch (option) {
    case 'd':
        o->data = value;
        return 0;
    case 'l':
        o->log = value;
        return 0;
    case 'R':
        o->rules = value;
        return 0;
    case 'n':
        o->has_tenant = true;
        return option_tenant(&o->tenant, "--tenant", value);
    case 'f':
        o->format = value;
        return 0;
    case 'm':
        o->manifest = value;
        return 0;
    case 'c':
        o->config = value;
        return 0;
    case 'z':
        o->has_zone = true;
        if (clock_parse_zone(&o->zone_minutes, slice_from(value)) == 0)
            return 0;
        return option_usage("replay", "--zone takes an offset such as +09:00");
    case 'e':
        o->has_encoding = true;
        return option_encoding(&o->encoding, "--encoding", value);
    case 't':
        return option_time(&o->reference_ns, "--reference-time", value, clock_now_ns());
    case 'w':
        return option_number(&o->workers, "--workers", value, 1, 256);
    default:
        return option_number(&o->batch_rows, "--batch-rows", value, 1, BATCH_LIVE_ROWS_MAX);
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct replay_command *o = self;
    o->files = words;
    o->file_count = count;
    if (o->log != NULL && (o->data != NULL || o->manifest != NULL || o->file_count != 0))
        return option_usage("replay", "--log DIR stands alone, but for --config and --rules");
    if (o->log != NULL)
        return 0;
    if (o->data == NULL)
        return option_usage("replay", "--data DIR is missing");
    if (o->manifest != NULL && o->file_count == 0 && !o->has_tenant && o->format == NULL)
        return 0;
    if (o->manifest == NULL && o->file_count != 0 && o->has_tenant && o->format != NULL)
        return 0;
    return option_usage("replay", "give --manifest, or --tenant, --format and files");
}

static const struct command_line LINE = {.command = "replay",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands,
                                         .letters = "c:"};

/* Files of the command line; `files` has room for all. */
static int list_files(const struct replay_command *o, struct config *config,
                      struct replay_file *files, struct diag *diag)
{
    for (int i = 0; i < o->file_count; i++) {
        struct replay_file *f = &files[i];
        f->tenant = o->tenant;
        f->path = o->files[i];
        f->source_name = SLICE("file");
        config_source(config, o->tenant, f->source_name, &f->source);
        if (o->has_zone)
            f->source.zone_minutes = o->zone_minutes;
        if (o->has_encoding)
            f->source.encoding = o->encoding;
        int status = config_format(config, slice_from(o->format), &f->source.format,
                                   &f->source.layout, diag);
        if (status != 0)
            return status;
    }
    return 0;
}

/* An existing store with events is refused: a replay makes the whole history. */
static int open_store(struct store **store, const struct replay_command *o,
                      const struct config *config, struct diag *diag)
{
    struct store_options options = {
        .dir = o->data,
        .store_id = REJUDGE_REPLAY_ID,
        .log_file_bytes_max = (uint64_t)conf_int(config_root(config), "limits.log_file_bytes"),
        .log_bytes_max = (uint64_t)conf_int(config_root(config), "limits.log_bytes"),
    };
    int status = store_open(store, &options, diag);
    if (status != 0)
        return status;
    if (store_last_seq(*store) == 0)
        return 0;
    diag_add(diag, o->data, 0, 0,
             "holds events already; a replay makes a whole history: give a new directory");
    return ERR_CONF;
}

static int midnight(void *self, struct slice contributions, int64_t tick_ns, struct buf *out)
{
    return watch_midnight(self, contributions, tick_ns, out);
}

static int open_watch(struct watch **watch, struct alert_list **alerts, const struct config *config,
                      const struct environment *environment, const struct store *store)
{
    int status = alert_list_new(alerts);
    struct watch_options options = {.config = config,
                                    .indicators = environment->indicators,
                                    .rules = environment->rules,
                                    .seed = watch_seed(store_id(store)),
                                    .rows_tick = true,
                                    .tap = alert_list_add,
                                    .tap_self = *alerts};
    return status == 0 ? watch_new(watch, &options) : status;
}

static int run(const struct replay_command *o, struct config *config,
               const struct replay_options *wanted, struct diag *diag)
{
    struct environment environment = {0};
    struct replay_options options = *wanted;
    options.environment = &environment;
    struct store *store = NULL;
    struct tally *tally = NULL;
    struct committer *committer = NULL;
    struct watch *watch = NULL;
    struct alert_list *alerts = NULL;
    struct frame_env envs[ENVIRONMENT_BLOBS];
    struct committer_options commit = {
        .workers = options.workers,
        .zstd_level = options.zstd_level,
        .frame_bytes = (size_t)conf_int(config_root(config), "limits.frame_bytes"),
        .frame_age_ns = INT64_MAX,
        .give_up_when_full = true,
        .envs = envs};
    int status = environment_open(&environment, config, o->rules, diag);
    if (status == 0)
        status = open_store(&store, o, config, diag);
    if (status == 0)
        status = environment_record(&environment, store, config, envs, &commit.env_count);
    if (status == 0)
        status = tally_new(&tally);
    if (status == 0)
        status = open_watch(&watch, &alerts, config, &environment, store);
    commit.store = store;
    commit.tally = tally;
    commit.midnight = midnight;
    commit.self = watch;
    options.watch = watch;
    if (status == 0)
        status = prefecture_open(&commit.prefecture, watch);
    if (status == 0)
        status = committer_open(&committer, &commit);
    if (status == 0)
        status = replay_run(&options, committer, diag);
    if (committer != NULL) {
        int finished = committer_finish(committer, 0);
        if (status == 0 || finished == ERR_IO || finished == ERR_AGAIN)
            status = finished;
    }
    if (status == 0)
        status = alert_list_print(alerts, stdout);
    if (status == 0) {
        hidden_print(tally, stderr);
        struct tally_row total = tally_total(tally);
        (void)fprintf(stderr, "%llu events, %llu not parsed, %.1f bytes stored per event\n",
                      (unsigned long long)total.rows, (unsigned long long)total.unparsed,
                      total.rows == 0 ? 0.0 : (double)store_log_bytes(store) / (double)total.rows);
    }
    committer_free(committer);
    ward_free(commit.prefecture);
    watch_free(watch);
    alert_list_free(alerts);
    tally_free(tally);
    store_close(store);
    environment_close(&environment);
    return status;
}

/* The limits of the configuration, where the command line gives none. */
static void set_limits(struct replay_options *options, const struct replay_command *o,
                       const struct conf_node *root)
{
    int64_t workers = conf_int(root, "limits.workers");
    options->workers = o->workers != 0 ? (unsigned)o->workers
                       : workers != 0  ? (unsigned)workers
                                       : option_processors();
    options->batch_rows = (uint32_t)(o->batch_rows != 0 ? (int64_t)o->batch_rows
                                                        : conf_int(root, "limits.batch_rows"));
    options->open_bytes_max = (size_t)conf_int(root, "limits.open_bytes") / options->workers;
    options->zstd_level = (int)conf_int(root, "limits.zstd_level");
}

static int exit_code_of(int status)
{
    if (status == ERR_CONF)
        return EXIT_CODE_CONFIG;
    return status == ERR_AGAIN ? EXIT_CODE_SYSTEM : option_exit_code(status);
}

/* Judge a store's rows again. Returns the exit code. */
static int judge_again(const struct replay_command *o)
{
    struct diag diag = {0};
    struct config *config = NULL;
    uint64_t different = 0;
    int status = o->config == NULL ? 0 : config_load(&config, o->config, &diag);
    const struct rejudge rejudge = {.dir = o->log, .config = config, .rules = o->rules};
    if (status == 0)
        status = rejudge_run(&rejudge, &different, &diag);
    if (status != 0 && diag.count == 0)
        diag_add(&diag, o->log, 0, 0, "%s", err_name(status));
    option_say(&diag);
    config_free(config);
    diag_release(&diag);
    if (status == 0)
        return different == 0 ? EXIT_CODE_OK : EXIT_CODE_INCOMPLETE;
    return exit_code_of(status);
}

int cmd_replay(int argc, char **argv)
{
    struct replay_command o = {.reference_ns = CLOCK_NONE};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &o, argc, argv, &code))
        return code;
    if (o.log != NULL)
        return judge_again(&o);
    assert(o.manifest != NULL || (o.file_count > 0 && o.format != NULL));
    struct diag diag = {0};
    struct config *config = NULL;
    struct manifest *manifest = NULL;
    struct replay_file *files = NULL;
    int status = config_load(&config, o.config, &diag);
    struct replay_options options = {.reference_ns = o.reference_ns};
    if (status == 0 && o.manifest != NULL) {
        status = manifest_load(&manifest, o.manifest, config, &diag);
        if (status == 0) {
            options.files = manifest_files(manifest, &options.file_count);
            if (o.reference_ns == CLOCK_NONE)
                options.reference_ns = manifest_reference_ns(manifest);
        }
    } else if (status == 0) {
        files = calloc((size_t)o.file_count, sizeof(*files));
        status = files == NULL ? ERR_NOMEM : list_files(&o, config, files, &diag);
        options.files = files;
        options.file_count = (size_t)o.file_count;
    }
    if (status == 0) {
        set_limits(&options, &o, config_root(config));
        status = run(&o, config, &options, &diag);
    }
    if (status != 0 && diag.count == 0)
        diag_add(&diag, "sekisho replay", 0, 0, "%s", err_name(status));
    option_say(&diag);
    manifest_free(manifest);
    free(files);
    config_free(config);
    diag_release(&diag);
    return exit_code_of(status);
}
