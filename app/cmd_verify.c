/* app/cmd_verify.c - sekisho verify: read everything again and name the first difference. */
#include <errno.h>
#include <stdio.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/frame_check.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/proof_check.h"
#include "app/proof_maker.h"
#include "app/segment_check.h"
#include "app/totals_check.h"
#include "base/clock.h"
#include "event/ndjson.h"

static const char HELP[] =
    "usage: sekisho verify --data DIR [--checkpoint FILE] [--key FILE] [--json]\n"
    "       sekisho verify --proof FILE (--key FILE | --data DIR)\n"
    "\n"
    "Read the whole store again and believe no stored hash: files, the chain of frames, checkpoints,\n"
    "blobs of the environment; then every batch: its checksum, every value, every line, and that its\n"
    "rows are exactly the records that its frame says it holds. Of files whose rows are in segments:\n"
    "what is left of them. Then every segment, and that frames and rows are those that were signed.\n"
    "The counts of `sekisho ledger` are made again. Names the first difference.\n"
    "\n"
    "  --data DIR         the store, of a running collector or of none; it is only read\n"
    "  --keyring FILE     keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "  --checkpoint FILE  a checkpoint that was kept elsewhere: nothing from before it has changed\n"
    "  --key FILE         the public key, kept elsewhere; DIR/checkpoint.pub when not given\n"
    "  --proof FILE       verify this proof of sekisho proof alone\n"
    "  --json             one object on standard output\n"
    "\n"
    "Exit codes: 0 nothing differs, 2 usage, 3 no store or key, 5 a difference or keys are\n"
    "missing, 6 the system refused.\n";

struct verify {
    const char *data;
    const char *checkpoint;
    const char *key_path;
    const char *proof;
    bool json;
    struct vouched *vouched; /* NULL: nothing was signed */
    struct signed_checkpoint held;
    struct store_verify_report report;
    struct frame_check_counts counts;
    struct segment_check_report segments;
    struct totals_check_report totals;
    int64_t wall_ns;
    int64_t cpu_ns;
    struct diag diag;
};

enum {
    OPT_DATA = 256,
    OPT_KEYRING,
    OPT_CHECKPOINT,
    OPT_KEY,
    OPT_PROOF,
    OPT_JSON,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"checkpoint", required_argument, NULL, OPT_CHECKPOINT},
    {"key", required_argument, NULL, OPT_KEY},
    {"proof", required_argument, NULL, OPT_PROOF},
    {"json", no_argument, NULL, OPT_JSON},
    {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct verify *v = self;
    switch (option) {
    case OPT_DATA:
        v->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    case OPT_CHECKPOINT:
        v->checkpoint = value;
        return 0;
    case OPT_KEY:
        v->key_path = value;
        return 0;
    case OPT_PROOF:
        v->proof = value;
        return 0;
    default:
        v->json = true;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct verify *v = self;
    if (v->proof != NULL && (v->checkpoint != NULL || v->json))
        return option_usage("verify", "--proof FILE goes with --key or --data only");
    if (v->data == NULL && (v->proof == NULL || v->key_path == NULL))
        return option_usage("verify", "--data DIR is missing");
    return 0;
}

static const struct command_line LINE = {.command = "verify",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

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
    if (v->segments.locked_segments != 0) {
        (void)printf(
            "%llu of them are encrypted, and their keys are not here: every byte is the one "
            "that was written, %llu rows were not verified\n",
            (unsigned long long)v->segments.locked_segments,
            (unsigned long long)v->segments.locked_rows);
    }
    if (v->vouched != NULL) {
        (void)printf("%llu checkpoints: their frames and trees are those of the store%s\n",
                     (unsigned long long)vouched_count(v->vouched),
                     v->checkpoint == NULL ? "" : ", and the one that was kept is among them");
    }
    if (v->totals.tenants != 0) {
        (void)printf(
            "control totals of %llu municipalities: %llu records, %llu rows of segments and %llu "
            "offsets of frames counted again\n",
            (unsigned long long)v->totals.tenants, (unsigned long long)v->totals.records,
            (unsigned long long)v->totals.rows, (unsigned long long)v->totals.offsets);
    }
    if (v->segments.deletions.certificates != 0) {
        (void)printf("%llu certificates of deletion, signed and chained: %llu rows were deleted\n",
                     (unsigned long long)v->segments.deletions.certificates,
                     (unsigned long long)v->segments.deletions.rows);
    }
    (void)printf("%s\n", err == 0            ? "nothing differs"
                         : err == ERR_SEALED ? "nothing differs, INCOMPLETE: rows were not verified"
                                             : "A DIFFERENCE, named on standard error");
}

static void print_json(struct verify *v, int err)
{
    struct buf out = {0};
    buf_printf(
        &out,
        "{\"ok\":%s,\"files\":%llu,\"frames\":%llu,\"blobs\":%llu,\"batches\":%llu,"
        "\"records\":%llu,\"rows\":%llu,\"unparsed\":%llu,\"bytes\":%llu,\"raw_bytes\":%llu,"
        "\"remains\":%llu,\"retired_frames\":%llu,\"segments\":%llu,"
        "\"segment_rows\":%llu,\"segment_bytes\":%llu,\"locked_segments\":%llu,\"locked_rows\":%llu,\"checkpoints\":%llu,\"certificates\":%llu,\"deleted_rows\":%llu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,"
        "\"difference\":",
        err == 0 ? "true" : "false", (unsigned long long)v->report.files,
        (unsigned long long)v->report.frames, (unsigned long long)v->report.blobs,
        (unsigned long long)v->counts.batches, (unsigned long long)v->counts.records,
        (unsigned long long)v->counts.rows, (unsigned long long)v->counts.unparsed,
        (unsigned long long)v->report.bytes, (unsigned long long)v->counts.raw_bytes,
        (unsigned long long)v->report.remains, (unsigned long long)v->report.retired_frames,
        (unsigned long long)v->segments.segments, (unsigned long long)v->segments.rows,
        (unsigned long long)v->segments.bytes, (unsigned long long)v->segments.locked_segments,
        (unsigned long long)v->segments.locked_rows,
        (unsigned long long)(v->vouched == NULL ? 0 : vouched_count(v->vouched)),
        (unsigned long long)v->segments.deletions.certificates,
        (unsigned long long)v->segments.deletions.rows, (double)v->wall_ns / 1e9,
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

static int read_key(struct verify *v, struct note_key *key)
{
    int err = v->key_path != NULL ? note_key_read(key, v->key_path, &v->diag)
                                  : proof_key_read(key, v->data, &v->diag);
    return err == ERR_NOTFOUND ? ERR_CONF : err;
}

/* What was signed of the store; nothing where it never was. */
static int read_vouched(struct verify *v)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    struct note_key key;
    int len = snprintf(path, sizeof(path), "%s/checkpoints", v->data);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : file_stat(&info, path);
    if (err == ERR_NOTFOUND && v->checkpoint == NULL)
        return 0;
    if (err == 0 || err == ERR_NOTFOUND)
        err = read_key(v, &key);
    if (err == 0 && v->checkpoint != NULL) {
        err = signed_checkpoint_read(&v->held, v->checkpoint, &key, &v->diag);
        err = err == ERR_NOTFOUND ? ERR_CONF : err;
    }
    if (err == 0)
        err = vouched_read(&v->vouched, v->data, &key, buf_content(&v->held.text), &v->diag);
    return err;
}

static int see_frame(void *self, uint64_t seq, const struct sha256 *hash)
{
    struct verify *v = self;
    return v->vouched == NULL ? 0 : vouched_frame(v->vouched, seq, hash);
}

static int verify_proof(struct verify *v)
{
    struct note_key key;
    struct buf said = {0};
    int err = read_key(v, &key);
    if (err == 0)
        err = proof_check_file(&said, v->proof, &key, &v->diag);
    if (err == 0 && fputs(buf_string(&said), stdout) < 0)
        err = ERR_IO;
    buf_release(&said);
    return err;
}

/* Both passes over the same files: none is retired between them. */
static int verify_store(struct verify *v)
{
    struct log_hold hold = {0};
    const struct store_verify_options options = {.dir = v->data, .frame = see_frame, .ctx = v};
    int err = log_hold_take_store(&hold, v->data);
    if (err == 0)
        err = read_vouched(v);
    if (err == 0)
        err = store_verify(&v->report, &options, &v->diag);
    if (err == 0)
        err = verify_batches(v);
    if (err == 0 && v->vouched != NULL)
        err = vouched_frames_end(v->vouched, &v->diag);
    log_hold_drop(&hold);
    if (err == 0)
        err = segment_check_run(&v->segments, v->data, v->vouched, &v->diag);
    if (err != 0 && err != ERR_SEALED)
        return err;
    /* What keys are missing for leaves the rest to be checked. */
    int counted =
        totals_check_run(&v->totals, v->data, v->checkpoint == NULL ? NULL : &v->held.is, &v->diag);
    return counted != 0 ? counted : err;
}

int cmd_verify(int argc, char **argv)
{
    struct verify v = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &v, argc, argv, &code))
        return code;
    if (v.proof == NULL)
        option_give_way(v.data);
    int64_t start_ns = clock_monotonic_ns();
    const char *what = v.proof != NULL ? v.proof : v.data;
    int err = v.proof != NULL ? verify_proof(&v) : verify_store(&v);
    v.wall_ns = clock_monotonic_ns() - start_ns;
    v.cpu_ns = clock_cpu_ns();
    if (err == ERR_IO && v.diag.count == 0)
        diag_add(&v.diag, what, 0, 0, "cannot be read: %s", strerrordesc_np(errno));
    else if (err != 0 && v.diag.count == 0)
        diag_add(&v.diag, what, 0, 0, "cannot be verified: %s", err_name(err));
    option_say(&v.diag);
    if (v.json)
        print_json(&v, err);
    else if (v.proof == NULL && (err == 0 || err == ERR_CORRUPT || err == ERR_SEALED))
        print_text(&v, err);
    code = err == ERR_CONF ? EXIT_CODE_CONFIG : option_exit_code(err);
    if (fflush(stdout) != 0)
        code = EXIT_CODE_SYSTEM;
    vouched_free(v.vouched);
    signed_checkpoint_release(&v.held);
    diag_release(&v.diag);
    return code;
}
