/* app/cmd_retain.c - sekisho retain: delete what was kept for long enough, or say what would go. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/existing_store.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/retain.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

static const char HELP[] =
    "usage: sekisho retain --data DIR [options]\n"
    "\n"
    "Delete from segments what has been kept for as long as the configuration says and is under no\n"
    "legal hold, with a signed certificate for each municipality. A collector does this by itself; the\n"
    "command is for stores that no collector has open. Rows that the log still has stay.\n"
    "\n"
    "  --data DIR       the store\n"
    "  --dry-run        say what would go and why the rest stays; works beside a collector\n"
    "  --config FILE    how long to keep; left out, the configuration that the log names last\n"
    "  --now T          the time, as a second witness beside the system clock, which must not differ by\n"
    "                   more than ten minutes: for a machine that was off, and has no broker that says\n"
    "  --keyring FILE   keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --json           one object on standard output\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 3 no store or a faulty configuration, 5 damage, 6 the system refused\n"
    "or a collector is running.\n";

enum {
    OPT_DATA = 256,
    OPT_DRY_RUN,
    OPT_CONFIG,
    OPT_NOW,
    OPT_KEYRING,
    OPT_JSON,
    JAPAN_MINUTES = 9 * 60,
};

#define NOW_NS_MAX   (10 * CLOCK_NS_PER_MINUTE)
#define BEHIND_NS    (10 * CLOCK_NS_PER_MINUTE) /* that is worth a word */
#define CONFIG_BYTES (4 << 20)

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"now", required_argument, NULL, OPT_NOW},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"json", no_argument, NULL, OPT_JSON},
    {NULL, 0, NULL, 0},
};

struct retain_command {
    const char *data;
    const char *config_path;
    bool dry_run;
    bool json;
    int64_t said_ns; /* --now */
    int64_t system_ns;
    struct config *config;
    struct trusted_time time;
    struct buf out; /* what is said of municipalities */
};

static int take_now(struct retain_command *c, const char *text)
{
    int err = option_time(&c->said_ns, "--now", text, c->system_ns);
    if (err != 0)
        return err;
    int64_t apart = c->said_ns - c->system_ns;
    if (apart <= NOW_NS_MAX && apart >= -NOW_NS_MAX)
        return 0;
    return option_usage("retain",
                        "--now: the system clock says another time; one of the two is wrong");
}

static int take_option(void *self, int option, const char *value)
{
    struct retain_command *c = self;
    switch (option) {
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_DRY_RUN:
        c->dry_run = true;
        return 0;
    case OPT_CONFIG:
        c->config_path = value;
        return 0;
    case OPT_NOW:
        return take_now(c, value);
    case OPT_KEYRING:
        return keyring_option_name(value);
    default:
        c->json = true;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct retain_command *c = self;
    return c->data == NULL ? option_usage("retain", "--data DIR is missing") : 0;
}

static const struct command_line LINE = {.command = "retain",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

/* What the log's last frame has in force; without one, the defaults. */
static int config_of_log(struct retain_command *c, const struct store *st, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct frame_env env;
    struct buf bytes = {0};
    int err = store_env_current(st, &env, SLICE("config"));
    if (err == ERR_NOTFOUND)
        return config_load(&c->config, NULL, diag);
    if (err == 0)
        err = store_env_path(path, sizeof(path), c->data, &env.sha256);
    if (err == 0)
        err = file_read_all(&bytes, path, CONFIG_BYTES);
    if (err == ERR_NOTFOUND) {
        diag_add(diag, path, 0, 0,
                 "the configuration that the log names is missing; give it with --config");
        err = ERR_CORRUPT;
    }
    if (err == 0)
        err = config_load_past(&c->config, buf_content(&bytes), diag);
    buf_release(&bytes);
    return err;
}

/* The clock, as it was left by who looked last, and as it is now. */
static int look_at_clock(struct retain_command *c, struct diag *diag)
{
    char boot_id[TRUSTED_BOOT_ID_BYTES + 1];
    trusted_time_boot_id(boot_id);
    const struct time_look look = {.system_ns = c->system_ns,
                                   .boot_ns = clock_boot_ns(),
                                   .boot_id = boot_id,
                                   .witness_ns = c->said_ns};
    int err = trusted_time_read(&c->time, c->data, diag);
    if (err == ERR_CORRUPT || err == ERR_NOTFOUND)
        err = 0; /* anew: everything counts from now on, and that is said */
    if (err == 0)
        trusted_time_look(&c->time, &look);
    if (err == 0 && !c->dry_run)
        err = trusted_time_write(c->data, &c->time);
    return err;
}

static void print_hours(struct buf *out, const struct retain_count *n)
{
    buf_printf(out, "%" PRIu64 " rows of %" PRIu64 " hours, ", n->rows, n->segments);
    clock_print_zone(out, n->first_hour * SEGMENT_HOUR_NS, JAPAN_MINUTES);
    buf_text(out, " .. ");
    clock_print_zone(out, (n->last_hour + 1) * SEGMENT_HOUR_NS, JAPAN_MINUTES);
}

static void print_tenant(struct retain_command *c, const struct retain_tenant *t)
{
    struct buf *out = &c->out;
    for (unsigned i = 0; i < RETENTION_CLASSES; i++) {
        const char *name = retention_class_name((enum retention_class)i);
        if (t->gone[i].segments != 0) {
            buf_printf(out, "%06" PRIu32 " %s: %s ", t->tenant, name,
                       c->dry_run ? "would go:" : "gone:");
            print_hours(out, &t->gone[i]);
            buf_byte(out, '\n');
        }
        if (t->held[i].segments != 0) {
            buf_printf(out, "%06" PRIu32 " %s: held (hold %" PRIu64 "): ", t->tenant, name,
                       t->hold);
            print_hours(out, &t->held[i]);
            buf_byte(out, '\n');
        }
    }
    if (t->segments_in_log != 0) {
        buf_printf(out,
                   "%06" PRIu32 ": %" PRIu64 " hours are due, and the log has rows of them "
                   "yet: a collector lets go of these\n",
                   t->tenant, t->segments_in_log);
    }
    if (t->segments_locked != 0) {
        buf_printf(out,
                   "%06" PRIu32 ": %" PRIu64 " hours are due, and encrypted with keys that are not "
                   "here: give them with --keyring\n",
                   t->tenant, t->segments_locked);
    }
    if (t->segments_left != 0)
        buf_printf(out, "%06" PRIu32 ": %" PRIu64 " files are removed when nobody reads any more\n",
                   t->tenant, t->segments_left);
    if (t->withdrawn != 0) {
        buf_printf(out,
                   "%06" PRIu32 ": certificate %" PRIu64 " was withdrawn: nothing came of it\n",
                   t->tenant, t->withdrawn);
    }
}

static void put_time(struct buf *out, const char *key, int64_t ns)
{
    buf_printf(out, ",\"%s\":", key);
    if (ns == INT64_MAX || ns == CLOCK_NONE) {
        buf_text(out, "null");
        return;
    }
    buf_byte(out, '"');
    clock_print(out, ns);
    buf_byte(out, '"');
}

static void put_count(struct buf *out, const char *key, const struct retain_count *n)
{
    buf_printf(out,
               "\"%s\":{\"segments\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"raw_bytes\":%" PRIu64 "}",
               key, n->segments, n->rows, n->raw_bytes);
}

static void print_tenant_json(struct retain_command *c, const struct retain_tenant *t)
{
    struct buf *out = &c->out;
    buf_printf(out, "%s{\"tenant\":\"%06" PRIu32 "\",\"classes\":{", out->len == 0 ? "" : ",",
               t->tenant);
    for (unsigned i = 0; i < RETENTION_CLASSES; i++) {
        buf_printf(out, "%s\"%s\":{", i == 0 ? "" : ",",
                   retention_class_name((enum retention_class)i));
        put_count(out, "gone", &t->gone[i]);
        buf_byte(out, ',');
        put_count(out, "held", &t->held[i]);
        buf_byte(out, '}');
    }
    buf_printf(out,
               "},\"in_log\":%" PRIu64 ",\"damaged\":%" PRIu64 ",\"locked\":%" PRIu64
               ",\"left\":%" PRIu64 ",\"certificate\":%" PRIu64
               ",\"completed\":%s,\"withdrawn\":%" PRIu64 ",\"bytes\":%" PRIu64,
               t->segments_in_log, t->segments_damaged, t->segments_locked, t->segments_left,
               t->certificate, t->completed ? "true" : "false", t->withdrawn, t->bytes);
    put_time(out, "next_due", t->next_due_ns);
    buf_byte(out, '}');
}

static void visit(void *self, const struct retain_tenant *t)
{
    struct retain_command *c = self;
    if (c->json)
        print_tenant_json(c, t);
    else
        print_tenant(c, t);
}

/* What the clock has to do with it. */
static void print_clock(const struct retain_command *c, struct buf *out)
{
    int64_t trusted = trusted_time_now(&c->time, c->system_ns);
    if (c->system_ns - c->time.time_ns > BEHIND_NS) {
        buf_text(out, "the clock is not trusted beyond ");
        clock_print_zone(out, trusted, JAPAN_MINUTES);
        buf_text(out,
                 ": it went forward while nobody looked; --now T or two partitions of a broker "
                 "that stamps records confirm it\n");
    } else if (c->time.time_ns > c->system_ns) {
        buf_text(out, "the clock stands below what it was, ");
        clock_print_zone(out, c->time.time_ns, JAPAN_MINUTES);
        buf_text(out, ": set it right (NTP)\n");
    }
    buf_text(out, "nothing counts as older than ");
    clock_print_zone(out, c->time.since_ns, JAPAN_MINUTES);
    buf_text(out, ", when this store was first looked at\n");
}

static int print_report(struct retain_command *c, const struct retain_report *r)
{
    struct buf out = {0};
    if (c->json) {
        buf_printf(&out,
                   "{\"dry_run\":%s,\"segments\":%" PRIu64 ",\"rows\":%" PRIu64
                   ",\"raw_bytes\":%" PRIu64 ",\"freed_bytes\":%" PRIu64
                   ",\"certificates\":%" PRIu64 ",\"held\":%" PRIu64 ",\"waiting\":%" PRIu64
                   ",\"stored_bytes\":%" PRIu64,
                   c->dry_run ? "true" : "false", r->segments, r->rows, r->raw_bytes,
                   r->freed_bytes, r->certificates, r->held, r->waiting, r->stored_bytes);
        put_time(&out, "trusted", trusted_time_now(&c->time, c->system_ns));
        put_time(&out, "since", c->time.since_ns);
        put_time(&out, "clock", c->system_ns);
        put_time(&out, "next_due", r->next_due_ns);
        buf_text(&out, ",\"tenants\":[");
        buf_slice(&out, buf_content(&c->out));
        buf_text(&out, "]}\n");
    } else {
        buf_slice(&out, buf_content(&c->out));
        buf_printf(&out,
                   "%" PRIu64 " rows %s, %.1f MB of lines; %" PRIu64 " certificates; %" PRIu64
                   " hours held, %" PRIu64 " waiting\n",
                   r->rows, c->dry_run ? "would go" : "are gone", (double)r->raw_bytes / 1e6,
                   r->certificates, r->held, r->waiting);
        if (r->next_due_ns != INT64_MAX) {
            buf_text(&out, "next: ");
            clock_print_zone(&out, r->next_due_ns, JAPAN_MINUTES);
            buf_byte(&out, '\n');
        }
        print_clock(c, &out);
    }
    bool whole = buf_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len;
    buf_release(&out);
    return whole ? 0 : ERR_IO;
}

static int run(struct retain_command *c, struct diag *diag)
{
    struct store *st = NULL;
    struct retain_report report = {0};
    int err = existing_store_open(&st, c->data, c->dry_run, diag);
    if (err == 0 && c->config_path != NULL) {
        err = config_load(&c->config, c->config_path, diag);
        err = err == ERR_CONF ? ERR_NOTFOUND : err; /* exit 3 */
    } else if (err == 0) {
        err = config_of_log(c, st, diag);
    }
    if (err == 0)
        err = look_at_clock(c, diag);
    if (err == 0) {
        const struct retain_options options = {.dir = c->data,
                                               .store_id = store_id(st),
                                               .config = c->config,
                                               .time = &c->time,
                                               .system_ns = c->system_ns,
                                               .dry_run = c->dry_run,
                                               .visit = visit,
                                               .self = c};
        err = retain_run(&options, &report, diag);
        int printed = print_report(c, &report);
        err = err != 0 ? err : printed != 0 ? printed : report.locked != 0 ? ERR_SEALED : 0;
    }
    store_close(st);
    return err;
}

int cmd_retain(int argc, char **argv)
{
    struct retain_command c = {.said_ns = CLOCK_NONE, .system_ns = clock_now_ns()};
    struct diag diag = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    int err = run(&c, &diag);
    int saved = errno;
    option_say(&diag);
    if (err != 0 && diag.count == 0)
        option_why("retain", err, saved);
    config_free(c.config);
    buf_release(&c.out);
    diag_release(&diag);
    return option_exit_code(err);
}
