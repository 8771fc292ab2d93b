/* app/cmd_keyring.c - sekisho keyring: the keys with which segments are sealed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "base/clock.h"

static const char HELP[] =
    "usage: sekisho keyring ACTION --keyring FILE [options]\n"
    "\n"
    "Keep the secret keys with which the long-term level of municipalities is encrypted at rest.\n"
    "\n"
    "  init             make an empty keyring; one that is there is never replaced\n"
    "  add              a first key for the municipality\n"
    "  rotate           a new key: what is written from now on is sealed with it, what was sealed\n"
    "                   with an old one stays readable and is not written again\n"
    "  list             which keys there are; never the keys themselves\n"
    "  retire           destroy a key for ever: nobody can read again what was sealed with it\n"
    "\n"
    "  --keyring FILE   the keyring, mode 0600; else SEKISHO_KEYRING names it\n"
    "  --tenant CODE    the municipality, 6 digits\n"
    "  --key ID         of retire: the key, 16 digits, as list shows it\n"
    "  --yes            of retire: really\n"
    "  --json           of list: one object a line\n"
    "\n"
    "WHO LOSES THE KEYRING LOSES THE DATA. There is no other way in. Keep copies of it, apart from\n"
    "the copies of the store, and make a new copy after each add and rotate.\n"
    "\n"
    "Exit codes: 0 ok, 2 usage or others may read it, 3 no keyring or no such key, 5 it is damaged,\n"
    "6 the system refused or another program is changing it.\n";

enum {
    OPT_KEYRING = 256,
    OPT_TENANT,
    OPT_KEY,
    OPT_YES,
    OPT_JSON,
};

static const struct option OPTIONS[] = {
    {"keyring", required_argument, NULL, OPT_KEYRING},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"key", required_argument, NULL, OPT_KEY},
    {"yes", no_argument, NULL, OPT_YES},
    {"json", no_argument, NULL, OPT_JSON},
    {NULL, 0, NULL, 0},
};

struct keyring_command {
    const char *path;
    const char *action;
    bool has_tenant;
    uint32_t tenant;
    const char *key;
    bool yes;
    bool json;
    struct diag diag;
};

static int take_option(void *self, int option, const char *value)
{
    struct keyring_command *c = self;
    switch (option) {
    case OPT_KEYRING:
        return keyring_option_name(value);
    case OPT_TENANT:
        c->has_tenant = true;
        return option_tenant(&c->tenant, "--tenant", value);
    case OPT_KEY:
        c->key = value;
        return 0;
    case OPT_YES:
        c->yes = true;
        return 0;
    default:
        c->json = true;
        return 0;
    }
}

static bool known_action(const char *action)
{
    static const char *const ACTIONS[] = {"init", "add", "rotate", "list", "retire"};
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (strcmp(action, ACTIONS[i]) == 0)
            return true;
    }
    return false;
}

static int take_operands(void *self, char **words, int count)
{
    struct keyring_command *c = self;
    c->path = keyring_option_path();
    if (count != 1)
        return option_usage("keyring", "it takes one action: init, add, rotate, list or retire");
    if (c->path == NULL)
        return option_usage("keyring", "--keyring FILE is missing");
    c->action = words[0];
    if (known_action(c->action))
        return 0;
    return option_usage("keyring", "no action \"%s\": init, add, rotate, list or retire",
                        c->action);
}

static const struct command_line LINE = {.command = "keyring",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

/* Said whenever there is something new to lose. */
static void warn_of_loss(const struct keyring_command *c)
{
    (void)fprintf(stderr,
                  "sekisho keyring: WHO LOSES %s LOSES THE DATA: what is sealed with its keys can\n"
                  "be read with nothing else. Copy it now, to a place apart from the copies of the "
                  "store.\n",
                  c->path);
}

static int init(struct keyring_command *c)
{
    struct keyring *k = NULL;
    int err = keyring_edit(&k, c->path, true, &c->diag);
    keyring_close(k);
    if (err == 0)
        warn_of_loss(c);
    return err;
}

static bool has_key(const struct keyring *k, uint32_t tenant)
{
    for (size_t i = 0; i < keyring_count(k); i++) {
        if (keyring_key(k, i)->tenant == tenant)
            return true;
    }
    return false;
}

/* A new active key: the first one, or in place of another. */
static int make_key(struct keyring_command *c, bool is_first)
{
    struct keyring *k = NULL;
    const struct keyring_key *made = NULL;
    char id[KEYRING_ID_HEX_BYTES + 1];
    int err = keyring_edit(&k, c->path, false, &c->diag);
    if (err == 0 && is_first && keyring_active(k, c->tenant) != NULL) {
        diag_add(&c->diag, c->path, 0, 0,
                 "municipality %06u has an active key; sekisho keyring rotate makes a new one",
                 (unsigned)c->tenant);
        err = ERR_CONF;
    }
    if (err == 0 && !is_first && !has_key(k, c->tenant)) {
        diag_add(&c->diag, c->path, 0, 0,
                 "municipality %06u has no key to be rotated; sekisho keyring add makes the first",
                 (unsigned)c->tenant);
        err = ERR_CONF;
    }
    if (err == 0)
        err = keyring_rotate(&made, k, c->tenant, &c->diag);
    if (err == 0) {
        keyring_id_print(id, made->id);
        (void)printf("%06u %s\n", (unsigned)c->tenant, id);
        warn_of_loss(c);
    }
    keyring_close(k);
    return err;
}

static int list(struct keyring_command *c)
{
    struct keyring *k = NULL;
    struct buf out = {0};
    int err = keyring_open(&k, c->path, &c->diag);
    for (size_t i = 0; err == 0 && i < keyring_count(k); i++) {
        const struct keyring_key *key = keyring_key(k, i);
        char id[KEYRING_ID_HEX_BYTES + 1];
        if (c->has_tenant && key->tenant != c->tenant)
            continue;
        keyring_id_print(id, key->id);
        buf_printf(&out,
                   c->json ? "{\"tenant\":\"%06u\",\"key\":\"%s\",\"state\":\"%s\",\"since\":\""
                           : "%06u  %s  %-9s  ",
                   (unsigned)key->tenant, id, keyring_state_name(key->state));
        clock_print(&out, key->since_ns);
        buf_text(&out, c->json ? "\"}\n" : "\n");
    }
    if (err == 0 && fputs(buf_string(&out), stdout) < 0)
        err = ERR_IO;
    buf_release(&out);
    keyring_close(k);
    return err;
}

static int retire(struct keyring_command *c)
{
    struct keyring *k = NULL;
    uint8_t id[KEYRING_ID_BYTES];
    int err = keyring_id_read(id, slice_from(c->key));
    if (err != 0) {
        diag_add(&c->diag, NULL, 0, 0, "--key %s: it is 16 digits 0-9 and a-f", c->key);
        return ERR_CONF;
    }
    err = keyring_edit(&k, c->path, false, &c->diag);
    if (err == 0 && !c->yes) {
        diag_add(&c->diag, c->path, 0, 0,
                 "everything that was sealed with key %s of %06u would be lost for ever, in every "
                 "copy of the store; add --yes if that is what you want",
                 c->key, (unsigned)c->tenant);
        err = ERR_CONF;
    }
    if (err == 0)
        err = keyring_destroy(k, c->tenant, id, &c->diag);
    if (err == 0) {
        (void)fprintf(stderr,
                      "sekisho keyring: key %s of %06u is destroyed here. Copies of the keyring "
                      "still have it: destroy them too.\n",
                      c->key, (unsigned)c->tenant);
    }
    keyring_close(k);
    return err;
}

static int act(struct keyring_command *c)
{
    bool lists = strcmp(c->action, "list") == 0;
    if (strcmp(c->action, "init") == 0)
        return init(c);
    if (lists)
        return list(c);
    if (!c->has_tenant) {
        diag_add(&c->diag, NULL, 0, 0, "--tenant CODE is missing");
        return ERR_CONF;
    }
    if (strcmp(c->action, "add") == 0 || strcmp(c->action, "rotate") == 0)
        return make_key(c, c->action[0] == 'a');
    if (c->key == NULL) {
        diag_add(&c->diag, NULL, 0, 0, "--key ID is missing");
        return ERR_CONF;
    }
    return retire(c);
}

int cmd_keyring(int argc, char **argv)
{
    struct keyring_command c = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &c, argc, argv, &code))
        return code;
    int err = act(&c);
    int saved = errno;
    option_say(&c.diag);
    if (err != 0 && c.diag.count == 0)
        option_why("keyring", err, saved);
    diag_release(&c.diag);
    if (err == 0)
        return fflush(stdout) == 0 ? EXIT_CODE_OK : EXIT_CODE_SYSTEM;
    return option_exit_code(err);
}
