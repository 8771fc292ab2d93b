/* app/cmd_checkpoint.c - sekisho checkpoint: what a store says of itself, signed, to be kept elsewhere. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/existing_store.h"
#include "app/options.h"
#include "app/proof_maker.h"
#include "app/signing.h"

static const char HELP[] =
    "usage: sekisho checkpoint --data DIR [--sign [--key FILE]] [--public-key]\n"
    "\n"
    "Print the newest signed checkpoint of a store. Keep it where nobody who can write to the store\n"
    "can: sekisho verify --checkpoint FILE then tells whether anything from before was changed.\n"
    "\n"
    "  --data DIR       the store\n"
    "  --sign           sign a new one first; no collector may be running, as it signs by itself\n"
    "  --key FILE       the secret key to sign with; DIR/checkpoint.key, which is made when missing\n"
    "  --public-key     print the key that it is verified with instead\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 3 no store, key or checkpoint, 5 damage, 6 the system refused or a\n"
    "collector is running.\n";

enum {
    OPT_DATA = 256,
    OPT_SIGN,
    OPT_KEY,
    OPT_PUBLIC,
};

static const struct option OPTIONS[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"sign", no_argument, NULL, OPT_SIGN},
    {"key", required_argument, NULL, OPT_KEY},
    {"public-key", no_argument, NULL, OPT_PUBLIC},
    {NULL, 0, NULL, 0},
};

struct checkpoint_command {
    const char *data;
    const char *key;
    bool sign;
    bool public_key;
};

static int take_option(void *self, int option, const char *value)
{
    struct checkpoint_command *c = self;
    switch (option) {
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_SIGN:
        c->sign = true;
        return 0;
    case OPT_KEY:
        c->key = value;
        return 0;
    default:
        c->public_key = true;
        return 0;
    }
}

static int check_options(void *self)
{
    const struct checkpoint_command *c = self;
    if (c->data == NULL)
        return option_usage("checkpoint", "--data DIR is missing");
    if (c->key != NULL && !c->sign)
        return option_usage("checkpoint", "--key FILE says what to --sign with");
    return 0;
}

static const struct command_line LINE = {.command = "checkpoint",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .check = check_options};

static int sign(const struct checkpoint_command *c, struct diag *diag)
{
    struct store *st = NULL;
    struct signing *signing = NULL;
    struct buf text = {0};
    int err = existing_store_open(&st, c->data, false, diag);
    if (err == 0)
        err = signing_open(&signing, c->data, store_id(st), c->key, diag);
    if (err == 0)
        err = signing_look(signing, diag);
    if (err == 0) {
        struct log_end end = store_log_end(st);
        err = signing_next(signing, &end, &text, diag);
    }
    signing_close(signing);
    store_close(st);
    buf_release(&text);
    return err;
}

static int print(const struct checkpoint_command *c, struct diag *diag)
{
    struct note_key key;
    struct signed_checkpoint last = {0};
    struct buf out = {0};
    int err = proof_key_read(&key, c->data, diag);
    if (err == 0 && c->public_key)
        note_key_print(&out, &key);
    else if (err == 0)
        err = signed_checkpoint_last(&last, c->data, &key, diag);
    if (err == 0 && !c->public_key)
        buf_slice(&out, buf_content(&last.text));
    if (err == 0 && !buf_ok(&out))
        err = ERR_NOMEM;
    if (err == 0 && fwrite(out.data, 1, out.len, stdout) != out.len)
        err = ERR_IO;
    if (err == 0 && fflush(stdout) != 0)
        err = ERR_IO;
    signed_checkpoint_release(&last);
    buf_release(&out);
    return err;
}

int cmd_checkpoint(int argc, char **argv)
{
    struct checkpoint_command c = {0};
    struct diag diag = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    int err = c.sign ? sign(&c, &diag) : 0;
    if (err == 0)
        err = print(&c, &diag);
    if (err != 0 && diag.count == 0)
        diag_add(&diag, c.data, 0, 0, "no checkpoint: %s", err_name(err));
    option_say(&diag);
    diag_release(&diag);
    return err == ERR_CONF ? EXIT_CODE_CONFIG : option_exit_code(err);
}
