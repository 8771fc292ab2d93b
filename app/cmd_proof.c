/* app/cmd_proof.c - sekisho proof: evidence that stands alone, out of a store. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "app/proof_maker.h"

static const char HELP[] =
    "usage: sekisho proof --data DIR --tenant CODE (--number N |\n"
    "                     --topic NAME --partition N --offset N [--line N])\n"
    "       sekisho proof --data DIR --since FILE\n"
    "\n"
    "Print a proof that needs nothing but the store's public key: that a line was in the store when a\n"
    "checkpoint was signed, or that since an older checkpoint nothing was changed, only added.\n"
    "sekisho-verify(1) verifies it, with that key alone.\n"
    "\n"
    "  --data DIR       the store\n"
    "  --tenant CODE    municipality of the line\n"
    "  --number N       of the line in the municipality's history, from 0\n"
    "  --topic NAME     or where it came from: topic,\n"
    "  --partition N    partition,\n"
    "  --offset N       offset,\n"
    "  --line N         and which line of the record, from 0; 0 when not given\n"
    "  --since FILE     an older checkpoint, to be compared with the newest one\n"
    "  --keyring FILE   keys of encrypted segments; else SEKISHO_KEYRING names them\n"
    "\n"
    "Exit codes: 0 ok, 1 no such line, or nothing signed vouches for it as yet, 2 usage, 3 no store,\n"
    "5 damage, or the checkpoint is not of this history, 6 the system refused.\n";

enum {
    OPT_DATA = 256,
    OPT_TENANT,
    OPT_NUMBER,
    OPT_TOPIC,
    OPT_PARTITION,
    OPT_OFFSET,
    OPT_LINE,
    OPT_SINCE,
    OPT_KEYRING,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"number", required_argument, NULL, OPT_NUMBER},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"partition", required_argument, NULL, OPT_PARTITION},
    {"offset", required_argument, NULL, OPT_OFFSET},
    {"line", required_argument, NULL, OPT_LINE},
    {"since", required_argument, NULL, OPT_SINCE},
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {NULL, 0, NULL, 0},
};

/* Which were given. */
enum {
    HAS_TENANT = 1,
    HAS_NUMBER = 2,
    HAS_TOPIC = 4,
    HAS_PARTITION = 8,
    HAS_OFFSET = 16,
    HAS_LINE = 32,
    HAS_PLACE = HAS_TOPIC | HAS_PARTITION | HAS_OFFSET,
};

struct proof_command {
    const char *data;
    const char *since;
    unsigned has;
    uint32_t tenant;
    uint64_t number;
    uint64_t partition;
    uint64_t offset;
    uint64_t line;
    struct tree_row place;
};

static int take_option(void *self, int option, const char *value)
{
    struct proof_command *c = self;
    switch (option) {
    case OPT_TENANT:
        c->has |= HAS_TENANT;
        return option_tenant(&c->tenant, "--tenant", value);
    case OPT_NUMBER:
        c->has |= HAS_NUMBER;
        return option_number(&c->number, "--number", value, 0, TREE_ROWS_MAX);
    case OPT_TOPIC:
        c->has |= HAS_TOPIC;
        c->place.topic = slice_from(value);
        return 0;
    case OPT_PARTITION:
        c->has |= HAS_PARTITION;
        return option_number(&c->partition, "--partition", value, 0, INT32_MAX);
    case OPT_OFFSET:
        c->has |= HAS_OFFSET;
        return option_number(&c->offset, "--offset", value, 0, INT64_MAX);
    case OPT_LINE:
        c->has |= HAS_LINE;
        return option_number(&c->line, "--line", value, 0, UINT32_MAX);
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_KEYRING:
        return keyring_option_name(value);
    default:
        c->since = value;
        return 0;
    }
}

/* Whether the options ask for one thing, whole. */
static bool is_whole(const struct proof_command *c)
{
    bool by_number = (c->has & HAS_NUMBER) != 0;
    bool by_place = (c->has & HAS_PLACE) == HAS_PLACE;
    bool any_place = (c->has & (HAS_PLACE | HAS_LINE)) != 0;
    if (c->since != NULL)
        return c->has == 0;
    return (c->has & HAS_TENANT) != 0 && (by_number ? !any_place : by_place);
}

static int check_options(void *self)
{
    struct proof_command *c = self;
    c->place.partition = (int32_t)c->partition;
    c->place.offset = (int64_t)c->offset;
    c->place.sub = (uint32_t)c->line;
    if (c->data == NULL)
        return option_usage("proof", "--data DIR is missing");
    if (is_whole(c))
        return 0;
    return option_usage("proof", "give --tenant with --number, or with --topic, --partition "
                                 "and --offset; or --since alone");
}

static const struct command_line LINE = {.command = "proof",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

static int prove_row(struct proof_command *c, const struct signed_checkpoint *newest,
                     struct buf *out, struct diag *diag)
{
    struct tree_rows *rows = NULL;
    int err = tree_rows_open(&rows, c->data, c->tenant, diag);
    if (err == ERR_NOTFOUND)
        diag_add(diag, c->data, 0, 0, "municipality %06" PRIu32 " has no rows in segments",
                 c->tenant);
    if (err == 0 && (c->has & HAS_NUMBER) == 0) {
        err = tree_rows_find(rows, &c->place, &c->number);
        if (err == ERR_NOTFOUND) {
            diag_add(diag, c->data, 0, 0,
                     "no such line in the segments of %06" PRIu32
                     "; one that is in the log alone can be proved after the next compaction",
                     c->tenant);
        }
    }
    if (err == 0)
        err = proof_make_row(out, rows, c->number, newest, diag);
    tree_rows_close(rows);
    return err;
}

static int prove_growth(const struct proof_command *c, const struct note_key *key,
                        const struct signed_checkpoint *newest, struct buf *out, struct diag *diag)
{
    struct signed_checkpoint older = {0};
    int err = signed_checkpoint_read(&older, c->since, key, diag);
    if (err == 0)
        err = proof_make_growth(out, c->data, &older, newest, diag);
    signed_checkpoint_release(&older);
    return err;
}

static int run(struct proof_command *c, struct diag *diag)
{
    const struct store_options look = {.dir = c->data, .read_only = true};
    struct store *st = NULL;
    struct note_key key;
    struct signed_checkpoint newest = {0};
    struct buf out = {0};
    int err = store_open(&st, &look, diag);
    store_close(st);
    if (err == 0)
        err = proof_key_read(&key, c->data, diag);
    if (err == 0)
        err = signed_checkpoint_last(&newest, c->data, &key, diag);
    if (err == ERR_NOTFOUND)
        err = ERR_CONF;
    if (err == 0)
        err = c->since != NULL ? prove_growth(c, &key, &newest, &out, diag)
                               : prove_row(c, &newest, &out, diag);
    if (err == 0 && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
        err = ERR_IO;
    signed_checkpoint_release(&newest);
    buf_release(&out);
    return err;
}

int cmd_proof(int argc, char **argv)
{
    struct proof_command c = {0};
    struct diag diag = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    int err = run(&c, &diag);
    if (err != 0 && diag.count == 0)
        diag_add(&diag, c.data, 0, 0, "no proof: %s", err_name(err));
    option_say(&diag);
    diag_release(&diag);
    if (err == ERR_CONF)
        return EXIT_CODE_CONFIG;
    return err == ERR_NOTFOUND ? EXIT_CODE_FINDINGS : option_exit_code(err);
}
