/* app/cmd_verify.c - sekisho verify: read everything again and name the first difference. */
#include <errno.h>
#include <stdio.h>

#include "app/commands.h"
#include "app/frame_check.h"
#include "app/options.h"
#include "app/segment_check.h"
#include "base/clock.h"
#include "event/ndjson.h"

static const char HELP[] =
    "usage: sekisho verify --data DIR [--json]\n"
    "\n"
    "Read the whole store again and believe no stored hash: files, the chain of frames, checkpoints,\n"
    "blobs of the environment; then every batch: its checksum, every value, every line, and that its\n"
    "rows are exactly the records that its frame says it holds. Of files whose rows are in segments:\n"
    "what is left of them. Names the first difference.\n"
    "\n"
    "  --data DIR       the store, of a running collector or of none; it is only read\n"
    "  --json           one object on standard output\n"
    "\n"
    "Exit codes: 0 nothing differs, 2 usage, 3 no store, 5 a difference, 6 the system refused.\n";

struct verify {
    const char *data;
    bool json;
    struct store_verify_report report;
    struct frame_check_counts counts;
    struct segment_check_report segments;
    int64_t wall_ns;
    int64_t cpu_ns;
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_JSON,
    OPT_HELP,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* Read the command line. Returns true to go on, false to end with *exit_code. */
static bool read_options(struct verify *v, int argc, char **argv, int *exit_code)
{
    int got = 0;
    *exit_code = EXIT_CODE_USAGE;
    opterr = 0;
    while ((got = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1) {
        switch (got) {
        case OPT_HELP:
            *exit_code = fputs(HELP, stdout) < 0 ? EXIT_CODE_SYSTEM : EXIT_CODE_OK;
            return false;
        case OPT_DATA:
            v->data = optarg;
            break;
        case OPT_JSON:
            v->json = true;
            break;
        default:
            *exit_code = option_refuse(argc, argv, got, OPTIONS);
            return false;
        }
    }
    if (optind != argc)
        *exit_code = option_usage("verify", "it takes options only");
    else if (v->data == NULL)
        *exit_code = option_usage("verify", "--data DIR is missing");
    else
        return true;
    return false;
}

/* Every batch, up to the last frame that the first pass saw. */
static int verify_batches(struct verify *v)
{
    const struct log_reader_options options = {.dir = v->data};
    struct log_reader *reader = NULL;
    struct frame_checker *checker = NULL;
    struct frame_view frame;
    int err = log_reader_open(&reader, &options, &v->diag);
    if (err == 0)
        err = frame_checker_new(&checker);
    for (uint64_t i = 0; err == 0 && i < v->report.frames; i++) {
        err = ledger_read(&frame, reader, &v->diag);
        if (err == 0)
            err = frame_check(checker, &frame, log_reader_path(reader),
                              log_reader_position(reader).offset - frame.bytes.len, &v->diag);
    }
    if (err == ERR_AGAIN) {
        diag_add(&v->diag, log_reader_path(reader), 0, 0, "the log became shorter meanwhile");
        err = ERR_CORRUPT;
    }
    if (checker != NULL)
        v->counts = frame_checker_counts(checker);
    frame_checker_free(checker);
    log_reader_close(reader);
    return err;
}

static double per_second(uint64_t bytes, int64_t ns)
{
    return ns <= 0 ? 0 : (double)bytes / 1e6 / ((double)ns / 1e9);
}

static void print_text(const struct verify *v, int err)
{
    (void)printf("%llu files, %llu frames, %llu blobs, %llu batches, %llu records, %llu rows "
                 "(%llu unparsed)\n%.1f MB stored, %.1f MB of lines, %.2f s, %.0f MB/s stored, "
                 "%.0f MB/s of lines\n",
                 (unsigned long long)v->report.files, (unsigned long long)v->report.frames,
                 (unsigned long long)v->report.blobs, (unsigned long long)v->counts.batches,
                 (unsigned long long)v->counts.records, (unsigned long long)v->counts.rows,
                 (unsigned long long)v->counts.unparsed, (double)v->report.bytes / 1e6,
                 (double)v->counts.raw_bytes / 1e6, (double)v->wall_ns / 1e9,
                 per_second(v->report.bytes, v->wall_ns),
                 per_second(v->counts.raw_bytes, v->wall_ns));
    if (v->report.remains != 0) {
        (void)printf(
            "%llu older files are retired: the remains of their %llu frames are whole, their "
            "rows are in segments\n",
            (unsigned long long)v->report.remains, (unsigned long long)v->report.retired_frames);
    }
    if (v->segments.segments != 0) {
        (void)printf(
            "%llu segments of %llu municipalities: %llu rows, %.1f MB, %.1f MB of lines; the "
            "rows' hashes make their trees\n",
            (unsigned long long)v->segments.segments, (unsigned long long)v->segments.tenants,
            (unsigned long long)v->segments.rows, (double)v->segments.bytes / 1e6,
            (double)v->segments.raw_bytes / 1e6);
    }
    (void)printf("%s\n", err == 0 ? "nothing differs" : "A DIFFERENCE, named on standard error");
}

static void print_json(struct verify *v, int err)
{
    struct buf out = {0};
    buf_printf(&out,
               "{\"ok\":%s,\"files\":%llu,\"frames\":%llu,\"blobs\":%llu,\"batches\":%llu,"
               "\"records\":%llu,\"rows\":%llu,\"unparsed\":%llu,\"bytes\":%llu,\"raw_bytes\":%llu,"
               "\"remains\":%llu,\"retired_frames\":%llu,\"segments\":%llu,"
               "\"segment_rows\":%llu,\"segment_bytes\":%llu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,"
               "\"difference\":",
               err == 0 ? "true" : "false", (unsigned long long)v->report.files,
               (unsigned long long)v->report.frames, (unsigned long long)v->report.blobs,
               (unsigned long long)v->counts.batches, (unsigned long long)v->counts.records,
               (unsigned long long)v->counts.rows, (unsigned long long)v->counts.unparsed,
               (unsigned long long)v->report.bytes, (unsigned long long)v->counts.raw_bytes,
               (unsigned long long)v->report.remains, (unsigned long long)v->report.retired_frames,
               (unsigned long long)v->segments.segments, (unsigned long long)v->segments.rows,
               (unsigned long long)v->segments.bytes, (double)v->wall_ns / 1e9,
               (double)v->cpu_ns / 1e9);
    if (err == 0) {
        buf_text(&out, "null");
    } else {
        struct slice said = slice_from(diag_text(&v->diag));
        const char *end = memchr(said.data, '\n', said.len);
        ndjson_string(&out,
                      slice_of(said.data, end == NULL ? said.len : (size_t)(end - said.data)));
    }
    buf_text(&out, "}\n");
    (void)fputs(buf_string(&out), stdout);
    buf_release(&out);
}

/* Both passes over the same files: none is retired between them. */
static int verify_store(struct verify *v)
{
    char path[FILE_PATH_BYTES_MAX];
    struct log_hold hold = {0};
    const struct store_verify_options options = {.dir = v->data};
    int len = snprintf(path, sizeof(path), "%s/log", v->data);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : log_hold_take(&hold, path);
    if (err == 0)
        err = store_verify(&v->report, &options, &v->diag);
    if (err == 0)
        err = verify_batches(v);
    log_hold_drop(&hold);
    if (err == 0)
        err = segment_check_run(&v->segments, v->data, &v->diag);
    return err;
}

int cmd_verify(int argc, char **argv)
{
    struct verify v = {0};
    int code = EXIT_CODE_OK;
    if (!read_options(&v, argc, argv, &code))
        return code;
    int64_t start_ns = clock_monotonic_ns();
    int err = verify_store(&v);
    v.wall_ns = clock_monotonic_ns() - start_ns;
    v.cpu_ns = clock_cpu_ns();
    if (err == ERR_IO && v.diag.count == 0)
        diag_add(&v.diag, v.data, 0, 0, "cannot be read: %s", strerrordesc_np(errno));
    else if (err != 0 && v.diag.count == 0)
        diag_add(&v.diag, v.data, 0, 0, "cannot be verified: %s", err_name(err));
    option_say(&v.diag);
    if (v.json)
        print_json(&v, err);
    else if (err == 0 || err == ERR_CORRUPT)
        print_text(&v, err);
    code = fflush(stdout) == 0 ? option_exit_code(err) : EXIT_CODE_SYSTEM;
    diag_release(&v.diag);
    return code;
}
