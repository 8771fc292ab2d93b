/* app/cmd_check.c - `sekisho check`: all errors of a configuration in one pass. */
#include <stdio.h>
#include <string.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/environment.h"
#include "app/keyring_option.h"
#include "app/options.h"
#include "base/clock.h"
#include "base/escape.h"
#include "detect/detect.h"

static const char HELP[] =
    "usage: sekisho check [--policy] [--tenant CODE] [--lang ja|en] CONF\n"
    "       sekisho check --example | --man\n"
    "Read a configuration and say everything that is wrong with it, as file:line:column.\n"
    "  --policy   print what may pass between the zones of each municipality, and why\n"
    "  --tenant   of this municipality only\n"
    "  --lang     language of the policy; default from LANG\n"
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

/* What became of the lists; bad lines alone do not make a configuration wrong. */
static void print_lists(const struct environment *environment)
{
    struct buf text = {0};
    lists_print(&text, &environment->lists, environment->indicators);
    (void)fputs(buf_string(&text), stdout);
    buf_release(&text);
}

static void print_rules(const struct config *config, const struct environment *environment)
{
    const char *path = config_path(config, "rules");
    struct rule_counts c = rule_count(environment->rules);
    if (path == NULL) {
        (void)puts("rules: none are configured; only the built-in detections run");
        return;
    }
    (void)printf("rules %s: %zu files: %zu rules (%zu of them never run), %zu correlations, "
                 "%zu filters; %zu lists with %zu values\n",
                 path, c.files, c.rules, c.idle, c.correlations, c.filters, c.lists, c.values);
}

/* What to print beside findings. */
struct check_options {
    bool policy;
    bool japanese;
    uint32_t tenant; /* 0 = all */
    const char *language;
    const char *path;
    void (*print)(struct buf *out); /* instead of a check; NULL: none */
};

/* Flows that are over: right, but somebody may wonder why they are refused. */
static void print_over(uint32_t tenant, const struct policy *p, int64_t now_ns)
{
    const struct policy_options *l = policy_lists(p);
    for (size_t i = 0; i < l->flow_count; i++) {
        if (now_ns < l->flows[i].until_ns)
            continue;
        (void)printf("%06u: the registered flow \"%.*s\" is over\n", tenant,
                     (int)l->flows[i].name.len, l->flows[i].name.data);
    }
}

/* Sums over all municipalities, and each one's page when asked for. */
static void print_policies(const struct config *config, const struct check_options *o)
{
    size_t models[POLICY_MODELS] = {0};
    size_t judged = 0;
    struct buf text = {0};
    int64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < config_tenant_count(config); i++) {
        struct detect_profile profile;
        config_profile(config, config_tenant_code(config, i), &profile);
        if (profile.policy == NULL || (o->tenant != 0 && o->tenant != profile.tenant))
            continue;
        models[policy_model_of(profile.policy)]++;
        judged++;
        print_over(profile.tenant, profile.policy, now_ns);
        if (!o->policy)
            continue;
        buf_printf(&text, "\n%06u ", profile.tenant);
        escape_text(&text, profile.name);
        buf_printf(&text, "  %s\n",
                   policy_model_title(policy_model_of(profile.policy), o->japanese));
        policy_print(&text, profile.policy, now_ns, o->japanese);
    }
    (void)printf("zone policy: %zu of %zu municipalities", judged, config_tenant_count(config));
    const char *before = ": ";
    for (unsigned i = 0; i < POLICY_MODELS; i++) {
        if (models[i] == 0)
            continue;
        (void)printf("%s%zu %s", before, models[i], policy_model_name(i));
        before = ", ";
    }
    (void)printf("\n%s", buf_string(&text));
    buf_release(&text);
}

/* Append the sources of a section that are of class lgwan_deny. */
static void add_denies(struct buf *out, const struct conf_node *sources, const char *whose)
{
    for (const struct conf_node *n = sources == NULL ? NULL : sources->first; n != NULL;
         n = n->next) {
        if (conf_given(n, "class") && conf_int(n, "class") == SOURCE_CLASS_LGWAN_DENY)
            buf_printf(out, "%s%s of %s", out->len == 0 ? "" : ", ", n->key, whose);
    }
}

static void print_classes(const struct config *config)
{
    struct buf names = {0};
    const struct conf_node *tenants = conf_find(config_root(config), "tenants");
    add_denies(&names, conf_find(config_root(config), "sources"), "every municipality");
    for (const struct conf_node *t = tenants == NULL ? NULL : tenants->first; t != NULL;
         t = t->next)
        add_denies(&names, conf_find(t, "sources"), t->key);
    if (names.len != 0)
        (void)printf("before the LGWAN (class lgwan_deny): %s\n", buf_string(&names));
    buf_release(&names);
}

static int check_file(const char *path, const struct check_options *o)
{
    struct diag diag = {0};
    struct config *config = NULL;
    struct environment environment = {0};
    int status = config_load(&config, path, &diag);
    if (status == 0)
        status = environment_check(&environment, config, clock_now_ns(), &diag);
    size_t encrypted = 0;
    if (status == 0)
        status = keyring_option_check(&encrypted, config, &diag);
    if (status == 0) {
        print_rules(config, &environment);
        print_lists(&environment);
        print_policies(config, o);
        print_classes(config);
        if (config_path(config, "encryption.keyring") != NULL) {
            (void)printf("encryption at rest: %zu of %zu municipalities, each with a key\n",
                         encrypted, config_tenant_count(config));
        }
        (void)printf("%s: right\n", path);
    } else if (diag.count == 0)
        diag_add(&diag, path, 0, 0, "%s", err_name(status));
    option_say(&diag);
    environment_close(&environment);
    config_free(config);
    diag_release(&diag);
    return status == 0          ? EXIT_CODE_OK
           : status == ERR_CONF ? EXIT_CODE_CONFIG
                                : option_exit_code(status);
}

static const struct option OPTIONS[] = {
    {"policy", no_argument, NULL, 'p'},     {"tenant", required_argument, NULL, 't'},
    {"lang", required_argument, NULL, 'l'}, {"example", no_argument, NULL, 'e'},
    {"man", no_argument, NULL, 'm'},        {NULL, 0, NULL, 0},
};

static int take_option(void *self, int option, const char *value)
{
    struct check_options *o = self;
    switch (option) {
    case 'p':
        o->policy = true;
        return 0;
    case 't':
        return option_tenant(&o->tenant, "--tenant", value);
    case 'l':
        o->language = value;
        return 0;
    default:
        if (o->print == NULL)
            o->print = option == 'e' ? config_print_example : config_print_man;
        return 0;
    }
}

static int take_operands(void *self, char **words, int count)
{
    struct check_options *o = self;
    int err = o->print == NULL ? option_language(&o->japanese, "--lang", o->language) : 0;
    if (err == 0 && o->print == NULL && count != 1)
        return option_usage("check", "give one configuration file");
    o->path = count == 0 ? NULL : words[0];
    return err;
}

static const struct command_line LINE = {.command = "check",
                                         .help = HELP,
                                         .options = OPTIONS,
                                         .take = take_option,
                                         .operands = take_operands};

int cmd_check(int argc, char **argv)
{
    struct check_options o = {0};
    int code = EXIT_CODE_OK;
    if (!command_line_read(&LINE, &o, argc, argv, &code))
        return code;
    return o.print != NULL ? print_keys(o.print) : check_file(o.path, &o);
}
