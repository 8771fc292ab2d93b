#include "app/config.h"

#include <assert.h>
#include <stdlib.h>

#include "app/disk_room.h"
#include "app/output_config.h"
#include "app/policy_config.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    CONFIG_FILE_BYTES_MAX = 4 << 20,
    DEFAULT_ZONE_MINUTES = 9 * 60,
};

#define DEFAULT_LATENESS_NS (120 * CLOCK_NS_PER_SECOND)

static const char *const START_CHOICES[] = {"earliest", "latest", NULL};
static const char *const BODY_CHOICES[] = {"json", "text", NULL};
static const char *const STARTTLS_CHOICES[] = {"try", "require", "off", NULL};
static const char *const SEVERITY_CHOICES[] = {"informational", "low",      "medium",
                                               "high",          "critical", NULL};
/* In the order of enum indicator_type and enum indicator_format. */
static const char *const LIST_TYPE_CHOICES[] = {
    "auto", "address", "network", "address_port", "domain", "url", "path", "agent", NULL};
static const char *const LIST_FORMAT_CHOICES[] = {"lines", "csv", "misp", "stix", "plain", NULL};
static_assert(sizeof(LIST_FORMAT_CHOICES) / sizeof(LIST_FORMAT_CHOICES[0]) == INDICATOR_FORMATS + 2,
              "a word for each format, and another one for lines");
static_assert(sizeof(LIST_TYPE_CHOICES) / sizeof(LIST_TYPE_CHOICES[0]) == INDICATOR_TYPES + 1,
              "a word for each type");

static const char *const ENCODING_CHOICES[] = {"auto", "utf-8", "cp932", "euc-jp", NULL};
/* In the order of enum source_class. */
static const char *const SOURCE_CLASS_CHOICES[] = {"internet", "lgwan_deny", NULL};
static_assert(sizeof(SOURCE_CLASS_CHOICES) / sizeof(SOURCE_CLASS_CHOICES[0]) == SOURCE_CLASSES + 1,
              "a word for each class of sources");
/* In the order of enum detect_class. */
static const char *const SIZE_CHOICES[] = {"small", "medium", "large", NULL};
static_assert(sizeof(SIZE_CHOICES) / sizeof(SIZE_CHOICES[0]) == DETECT_PREFECTURE + 1,
              "a word for each class of municipalities");

static const struct conf_key KEYS[] = {
#define KEY(path_, type_, initial_, min_, max_, choices_, required_, unit_, help_) \
    {.path = (path_),                                                              \
     .type = CONF_##type_,                                                         \
     .initial = (initial_),                                                        \
     .min = (min_),                                                                \
     .max = (max_),                                                                \
     .choices = (choices_),                                                        \
     .required = (required_),                                                      \
     .unit = (unit_),                                                              \
     .help = (help_)},
#include "app/config.def"
#undef KEY
};

enum {
    KEYS_COUNT = sizeof(KEYS) / sizeof(KEYS[0]),
};

/* A municipality: its networks as a table, and the names that the table's ids stand for. */
struct config_tenant {
    uint32_t code;
    const struct conf_node *node;
    struct zone_table *networks; /* NULL without networks */
    struct slice *zones;
    struct slice *assets;
    struct policy *policy; /* NULL: nothing is said of zones */
    struct network *shared;
    size_t shared_count;
};

/* A layout file that was read. */
struct config_layout {
    struct config_layout *next;
    const char *path;
    struct template *layout;
};

enum config_file {
    CONFIG_COUNTRY,
    CONFIG_ASN,
    CONFIG_SUFFIXES,
    CONFIG_RULES,
    CONFIG_DATA,
    CONFIG_CHECKPOINT_KEY,
    CONFIG_ALERT_FILE,
    CONFIG_ALERT_DIRECTORY,
    CONFIG_REDIS_PASSWORD,
    CONFIG_MAIL_CA,
    CONFIG_MAIL_PASSWORD,
    CONFIG_KEYRING,
    CONFIG_FILES
};

static const char *const FILE_KEYS[CONFIG_FILES] = {
    [CONFIG_COUNTRY] = "mmdb.country",
    [CONFIG_ASN] = "mmdb.asn",
    [CONFIG_SUFFIXES] = "public_suffix_list",
    [CONFIG_RULES] = "rules",
    [CONFIG_DATA] = "data",
    [CONFIG_CHECKPOINT_KEY] = "checkpoint.key",
    [CONFIG_ALERT_FILE] = "outputs.file.path",
    [CONFIG_ALERT_DIRECTORY] = "outputs.file.tenant_directory",
    [CONFIG_REDIS_PASSWORD] = "outputs.redis.password_file",
    [CONFIG_MAIL_CA] = "outputs.mail.ca",
    [CONFIG_MAIL_PASSWORD] = "outputs.mail.password_file",
    [CONFIG_KEYRING] = "encryption.keyring",
};

/* Whether it is made when it is missing. */
static bool is_made(enum config_file file)
{
    return file == CONFIG_DATA || file == CONFIG_ALERT_FILE || file == CONFIG_ALERT_DIRECTORY;
}

struct config {
    struct conf *conf;
    bool past; /* config_load_past() */
    struct buf bytes;
    struct arena arena;
    const char *files[CONFIG_FILES]; /* resolved; NULL when not given */
    struct config_tenant *tenants;   /* ascending codes */
    size_t tenant_count;
    struct config_layout *layouts;
};

static int unknown_format(struct slice text, struct diag *diag)
{
    struct buf names = {0};
    size_t at = 0;
    for (const struct parser *p = parser_at(at); p != NULL; p = parser_at(++at))
        buf_printf(&names, "%s ", p->name);
    diag_add(diag, NULL, 0, 0, "unknown format \"%.*s\"; known are: %sauto template:FILE",
             (int)text.len, text.data, buf_string(&names));
    buf_release(&names);
    return ERR_CONF;
}

/* The layout in a file, read once. */
static int load_layout(struct config *c, struct slice path, const struct template **layout,
                       struct diag *diag)
{
    struct buf resolved = {0};
    struct buf text = {0};
    char *name = arena_copy(&c->arena, path);
    struct config_layout *l = arena_alloc(&c->arena, sizeof(*l));
    int status = name == NULL || l == NULL ? ERR_NOMEM : 0;
    if (status == 0) {
        conf_resolve(&resolved, c->conf, name);
        l->path = arena_copy(&c->arena, buf_content(&resolved));
        status = l->path == NULL ? ERR_NOMEM : 0;
    }
    for (const struct config_layout *old = c->layouts; status == 0 && old != NULL;
         old = old->next) {
        if (strcmp(old->path, l->path) == 0) {
            *layout = old->layout;
            goto out;
        }
    }
    if (status == 0 && file_read_all(&text, l->path, CONFIG_FILE_BYTES_MAX) != 0) {
        diag_add(diag, l->path, 0, 0, "cannot read the layout; give the path of a template file");
        status = ERR_CONF;
    }
    if (status == 0)
        status = template_read(&l->layout, &c->arena, buf_content(&text), l->path, diag);
    if (status == 0) {
        l->next = c->layouts;
        c->layouts = l;
        *layout = l->layout;
    }
out:
    buf_release(&resolved);
    buf_release(&text);
    return status;
}

int config_format(struct config *c, struct slice text, uint16_t *format,
                  const struct template **layout, struct diag *diag)
{
    static const struct slice TEMPLATE = {.data = "template:", .len = 9};
    if (slice_starts(text, TEMPLATE)) {
        *format = FORMAT_TEMPLATE;
        return load_layout(c, slice_from_offset(text, TEMPLATE.len), layout, diag);
    }
    *layout = NULL;
    if (slice_equal(text, SLICE("auto"))) {
        *format = FORMAT_AUTO;
        return 0;
    }
    const struct parser *p = parser_find(text);
    if (p == NULL)
        return unknown_format(text, diag);
    *format = p->format;
    return 0;
}

/* A list of names ends with one without data. */
static uint16_t count_names(const struct slice *names)
{
    uint16_t count = 0;
    while (names != NULL && names[count].data != NULL)
        count++;
    return count;
}

/* Give every distinct name under `key` an id from 1 up; ids[i] for the i-th network. */
static int number_names(struct config *c, const struct config_tenant *t, const char *key,
                        struct slice **names, uint16_t *ids)
{
    const struct conf_node *networks = conf_find(t->node, "networks");
    bool zone = strcmp(key, "zone") == 0;
    size_t count = 0;
    size_t at = 0;
    struct slice *list = arena_array(&c->arena, networks->count + 1, sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    for (const struct conf_node *n = networks->first; n != NULL; n = n->next, at++) {
        const char *text = conf_text(n, key);
        ids[at] = 0;
        if (text == NULL || conf_bool(n, "exclude"))
            continue;
        struct slice name = slice_from(text);
        if (zone)
            name = policy_config_zone(t->node, name);
        size_t i = 0;
        while (i < count && !slice_equal(list[i], name))
            i++;
        if (i == count)
            list[count++] = name;
        ids[at] = (uint16_t)(i + 1);
    }
    *names = list;
    return 0;
}

/* The policy of networks that are right; without networks it says what is missing. */
static int load_policy(struct config *c, struct config_tenant *t,
                       const struct zone_network *networks, size_t count, struct diag *diag)
{
    struct policy_config in = {.conf = c->conf,
                               .tenant = t->node,
                               .networks = networks,
                               .network_count = count,
                               .zones = t->zones,
                               .zone_count = count_names(t->zones)};
    return policy_config_load(&t->policy, &in, diag);
}

static int load_networks(struct config *c, struct config_tenant *t, struct diag *diag)
{
    const struct conf_node *networks = conf_find(t->node, "networks");
    if (networks == NULL || networks->count == 0)
        return load_policy(c, t, NULL, 0, diag);
    size_t count = networks->count;
    if (count > ZONE_NETWORKS_MAX) {
        conf_error(c->conf, networks, diag, "%zu networks; at most %d, write wider ones", count,
                   ZONE_NETWORKS_MAX);
        return 0;
    }
    struct zone_network *items = arena_array(&c->arena, count, sizeof(*items));
    uint16_t *zones = arena_array(&c->arena, networks->count, sizeof(*zones));
    uint16_t *assets = arena_array(&c->arena, networks->count, sizeof(*assets));
    if (items == NULL || zones == NULL || assets == NULL ||
        number_names(c, t, "zone", &t->zones, zones) != 0 ||
        number_names(c, t, "asset", &t->assets, assets) != 0)
        return ERR_NOMEM;
    size_t at = 0;
    for (const struct conf_node *n = networks->first; n != NULL && at < count; n = n->next, at++) {
        const char *cidr = conf_text(n, "cidr");
        items[at].match = (struct zone_match){
            .zone = zones[at], .asset = assets[at], .excluded = conf_bool(n, "exclude")};
        if (cidr == NULL || network_parse(&items[at].network, slice_from(cidr), NULL) != 0)
            return 0; /* found by the table already */
    }
    size_t bad = 0;
    int status = zone_table_new(&t->networks, items, count, &bad);
    if (status == ERR_CONF) {
        const struct conf_node *n = networks->first;
        for (size_t i = 0; i < bad; i++) {
            assert(n != NULL);
            n = n->next;
        }
        conf_error(c->conf, n, diag, "the network %s is listed twice; keep one",
                   conf_text(n, "cidr"));
        return 0;
    }
    return status == 0 ? load_policy(c, t, items, count, diag) : status;
}

/* Addresses behind which many people are. */
static int load_shared(struct config *c, struct config_tenant *t)
{
    const struct conf_node *list = conf_find(t->node, "shared");
    if (list == NULL || list->count == 0)
        return 0;
    t->shared = arena_array(&c->arena, list->count, sizeof(*t->shared));
    if (t->shared == NULL)
        return ERR_NOMEM;
    for (const struct conf_node *n = list->first; n != NULL; n = n->next) {
        struct network *net = &t->shared[t->shared_count];
        if (network_parse(net, n->text, NULL) != 0)
            continue; /* found by the table already */
        size_t same = 0;
        while (same < t->shared_count && memcmp(&t->shared[same], net, sizeof(*net)) != 0)
            same++;
        t->shared_count += same == t->shared_count;
    }
    return 0;
}

/* Each line of the findings about a value as a finding of the file. */
static void pass_on(const struct config *c, const struct conf_node *node, struct diag *diag,
                    const char *findings)
{
    while (*findings != '\0') {
        size_t len = strcspn(findings, "\n");
        conf_error(c->conf, node, diag, "%.*s", (int)len, findings);
        findings += len + (findings[len] != '\0');
    }
}

/* Hosts are told from the LGWAN by the networks of their municipality. */
static void check_classes(const struct config *c, const struct conf_node *tenant, struct diag *diag)
{
    const struct conf_node *networks = conf_find(tenant, "networks");
    const struct conf_node *sources = conf_find(tenant, "sources");
    if (c->past || (networks != NULL && networks->count != 0))
        return;
    for (const struct conf_node *n = sources == NULL ? NULL : sources->first; n != NULL;
         n = n->next) {
        bool denies = conf_given(n, "class") && conf_int(n, "class") == SOURCE_CLASS_LGWAN_DENY;
        if (denies) {
            conf_error(c->conf, conf_find(n, "class"), diag,
                       "class lgwan_deny needs the municipality's networks, or its hosts pass for "
                       "the LGWAN's; list them under networks");
        }
    }
}

static void check_sources(struct config *c, const struct conf_node *sources, struct diag *diag)
{
    if (c->past)
        return; /* it was checked when its rows were read */
    for (const struct conf_node *n = sources == NULL ? NULL : sources->first; n != NULL;
         n = n->next) {
        const struct conf_node *format = conf_find(n, "format");
        uint16_t id = 0;
        const struct template *layout = NULL;
        struct diag why = {0};
        if (format != NULL && format->text.data != NULL &&
            config_format(c, format->text, &id, &layout, &why) != 0)
            pass_on(c, format, diag, diag_text(&why));
        diag_release(&why);
        uint32_t tenant = 0;
        struct slice source;
        struct buf topic = {0};
        buf_printf(&topic, "seclog.raw.000019.%s", n->key);
        if (tenant_topic_parse(buf_content(&topic), &tenant, &source) == ERR_FORMAT)
            conf_error(c->conf, n, diag,
                       "a source's name is 1 to 32 of a-z, 0-9 and '-', as in its topic");
        buf_release(&topic);
    }
}

static int tenant_compare(const void *a, const void *b)
{
    const struct config_tenant *x = a;
    const struct config_tenant *y = b;
    return x->code < y->code ? -1 : x->code > y->code;
}

static int load_tenants(struct config *c, struct diag *diag)
{
    const struct conf_node *tenants = conf_find(conf_root(c->conf), "tenants");
    if (tenants == NULL)
        return 0;
    c->tenants = arena_array(&c->arena, tenants->count + 1, sizeof(*c->tenants));
    if (c->tenants == NULL)
        return ERR_NOMEM;
    for (const struct conf_node *n = tenants->first; n != NULL; n = n->next) {
        struct config_tenant *t = &c->tenants[c->tenant_count];
        t->node = n;
        int status = tenant_code_parse(&t->code, slice_from(n->key));
        if (status == ERR_FORMAT)
            conf_error(c->conf, n, diag, "a municipality is named by its code of 6 digits");
        else if (status != 0)
            conf_error(c->conf, n, diag, "the check digit of municipality %s is wrong", n->key);
        if (status == 0)
            c->tenant_count++;
        check_sources(c, conf_find(n, "sources"), diag);
        check_classes(c, n, diag);
        int loaded = load_networks(c, t, diag);
        if (loaded == 0)
            loaded = load_shared(c, t);
        if (status != 0) {
            /* Its place is the next one's. */
            zone_table_free(t->networks);
            policy_free(t->policy);
            *t = (struct config_tenant){0};
        }
        if (loaded != 0)
            return loaded;
    }
    qsort(c->tenants, c->tenant_count, sizeof(*c->tenants), tenant_compare);
    return 0;
}

static int load_files(struct config *c, struct diag *diag)
{
    for (size_t i = 0; i < CONFIG_FILES; i++) {
        const char *path = conf_text(conf_root(c->conf), FILE_KEYS[i]);
        if (path == NULL || path[0] == '\0')
            continue;
        struct buf resolved = {0};
        conf_resolve(&resolved, c->conf, path);
        c->files[i] = arena_copy(&c->arena, buf_content(&resolved));
        buf_release(&resolved);
        if (c->files[i] == NULL)
            return ERR_NOMEM;
        struct file_info info;
        if (!c->past && !is_made((enum config_file)i) && file_stat(&info, c->files[i]) != 0) {
            conf_error(c->conf, conf_find(conf_root(c->conf), FILE_KEYS[i]), diag,
                       "cannot read %s; give the path of a file, relative to this one",
                       c->files[i]);
        }
    }
    return 0;
}

/* Everything behind the table's own checks. */
static int load_parts(struct config *c, struct diag *diag)
{
    size_t before = diag->count;
    int status = load_tenants(c, diag);
    check_sources(c, conf_find(conf_root(c->conf), "sources"), diag);
    const struct conf_node *prefix = conf_find(conf_root(c->conf), "kafka.prefix");
    if (prefix != NULL && !slice_starts(prefix->text, SLICE("seclog.raw."))) {
        conf_error(c->conf, prefix, diag,
                   "topics are named seclog.raw.<code6>.<source>; begin "
                   "the prefix with seclog.raw.");
    }
    output_config_check(c->conf, diag);
    disk_room_check(c->conf, diag);
    if (status == 0)
        status = load_files(c, diag);
    return status == 0 && diag->count != before ? ERR_CONF : status;
}

static int parse(struct config *c, struct slice bytes, const char *name, struct diag *diag)
{
    return conf_parse(&c->conf, KEYS, KEYS_COUNT, bytes.len == 0 ? SLICE("data: .\n") : bytes, name,
                      diag);
}

int config_load(struct config **out, const char *path, struct diag *diag)
{
    struct config *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    int status = 0;
    if (path == NULL) {
        status = parse(c, SLICE(""), "defaults", diag);
    } else {
        status = conf_load(&c->conf, KEYS, KEYS_COUNT, path, diag);
        if (status == 0)
            status = file_read_all(&c->bytes, path, CONFIG_FILE_BYTES_MAX);
    }
    if (status == 0)
        status = load_parts(c, diag);
    if (status == 0 && path == NULL)
        c->files[CONFIG_DATA] = NULL;
    if (status != 0) {
        config_free(c);
        return status;
    }
    *out = c;
    return 0;
}

int config_load_past(struct config **out, struct slice bytes, struct diag *diag)
{
    struct config *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->past = true;
    buf_slice(&c->bytes, bytes);
    int status = buf_ok(&c->bytes) ? 0 : ERR_NOMEM;
    if (status == 0)
        status = parse(c, bytes, "configuration of the log", diag);
    if (status == 0)
        status = load_parts(c, diag);
    if (status != 0) {
        config_free(c);
        return status;
    }
    *out = c;
    return 0;
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->tenant_count; i++) {
        zone_table_free(c->tenants[i].networks);
        policy_free(c->tenants[i].policy);
    }
    conf_free(c->conf);
    buf_release(&c->bytes);
    arena_release(&c->arena);
    free(c);
}

const struct conf_node *config_root(const struct config *c)
{
    return conf_root(c->conf);
}

const struct conf *config_conf(const struct config *c)
{
    return c->conf;
}

const char *config_path(const struct config *c, const char *key)
{
    for (size_t i = 0; i < CONFIG_FILES; i++) {
        if (strcmp(FILE_KEYS[i], key) == 0)
            return c->files[i];
    }
    assert(false && "a path that is not in the table");
    return NULL;
}

struct slice config_bytes(const struct config *c)
{
    return buf_content(&c->bytes);
}

static const struct config_tenant *find_tenant(const struct config *c, uint32_t code)
{
    struct config_tenant key = {.code = code};
    return c->tenant_count == 0
               ? NULL
               : bsearch(&key, c->tenants, c->tenant_count, sizeof(*c->tenants), tenant_compare);
}

/* The layout of "template:FILE" as written in the file; it was read when the file was checked. */
static const struct template *find_layout(const struct config *c, struct slice text)
{
    struct buf resolved = {0};
    struct buf path = {0};
    buf_slice(&path, slice_from_offset(text, sizeof("template:") - 1));
    conf_resolve(&resolved, c->conf, buf_string(&path));
    const struct config_layout *l = c->layouts;
    while (l != NULL && strcmp(l->path, buf_string(&resolved)) != 0)
        l = l->next;
    buf_release(&resolved);
    buf_release(&path);
    return l == NULL ? NULL : l->layout;
}

/* What one section says of a source; keys that it does not give stay as they are. */
static void apply_source(const struct config *c, const struct conf_node *section,
                         struct slice source, struct config_source *out)
{
    const struct conf_node *n = section == NULL ? NULL : conf_child(section, source);
    const struct conf_node *format = n == NULL ? NULL : conf_find(n, "format");
    if (format != NULL && format->given) {
        const struct parser *p = parser_find(format->text);
        out->layout = find_layout(c, format->text);
        out->format = out->layout != NULL ? FORMAT_TEMPLATE : p != NULL ? p->format : FORMAT_AUTO;
    }
    if (n != NULL && conf_given(n, "zone"))
        out->zone_minutes = (int32_t)conf_int(n, "zone");
    if (n != NULL && conf_given(n, "encoding"))
        (void)charset_find(&out->encoding, slice_from(conf_text(n, "encoding")));
    if (n != NULL && conf_given(n, "class"))
        out->class = (enum source_class)conf_int(n, "class");
}

void config_source(const struct config *c, uint32_t tenant, struct slice source,
                   struct config_source *out)
{
    *out = (struct config_source){.format = (uint16_t)tenant_source_format(source),
                                  .zone_minutes = DEFAULT_ZONE_MINUTES,
                                  .encoding = CHARSET_AUTO};
    apply_source(c, conf_find(conf_root(c->conf), "sources"), source, out);
    const struct config_tenant *t = find_tenant(c, tenant);
    if (t == NULL)
        return;
    apply_source(c, conf_find(t->node, "sources"), source, out);
    out->networks = t->networks;
    out->names = (struct feed_names){.zones = t->zones, .assets = t->assets};
}

static struct slice name_of(const void *config, uint32_t tenant)
{
    return slice_from(config_tenant_name(config, tenant));
}

void config_profile(const struct config *c, uint32_t tenant, struct detect_profile *out)
{
    const struct config_tenant *t = find_tenant(c, tenant);
    *out = (struct detect_profile){.tenant = tenant,
                                   .name = slice_from(config_tenant_name(c, tenant)),
                                   .size = DETECT_MEDIUM,
                                   .budget = DETECT_BUDGET_DEFAULT,
                                   .lateness_ns = DEFAULT_LATENESS_NS};
    if (tenant == 0) {
        out->size = DETECT_PREFECTURE;
        out->name_of = name_of;
        out->names = c;
    }
    if (t == NULL)
        return;
    out->networks = t->networks;
    out->zones = t->zones;
    out->zone_count = count_names(t->zones);
    out->assets = t->assets;
    out->asset_count = count_names(t->assets);
    out->size = (enum detect_class)conf_int(t->node, "size");
    out->shared = t->shared;
    out->shared_count = t->shared_count;
    out->policy = t->policy;
}

size_t config_tenant_count(const struct config *c)
{
    return c->tenant_count;
}

uint32_t config_tenant_code(const struct config *c, size_t index)
{
    assert(index < c->tenant_count);
    return c->tenants[index].code;
}

const char *config_tenant_name(const struct config *c, uint32_t tenant)
{
    const struct config_tenant *t = find_tenant(c, tenant);
    const char *name = t == NULL ? NULL : conf_text(t->node, "name");
    if (tenant == 0)
        return "県全体";
    return name == NULL ? "" : name;
}

bool config_encrypts(const struct config *c, uint32_t tenant)
{
    const struct config_tenant *t = find_tenant(c, tenant);
    return t != NULL && conf_given(t->node, "encrypt")
               ? conf_bool(t->node, "encrypt")
               : conf_bool(config_root(c), "encryption.default");
}

void config_print_example(struct buf *out)
{
    conf_print_example(KEYS, KEYS_COUNT, out);
}

void config_print_man(struct buf *out)
{
    conf_print_man(KEYS, KEYS_COUNT, out);
}
