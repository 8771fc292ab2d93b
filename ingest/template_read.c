#include "base/err.h"
#include "base/yaml.h"
#include "event/verdict.h"
#include "ingest/template.h"

/* The words of `as:`. */
static const struct form_word {
    struct slice word;
    uint8_t form;
    uint16_t field; /* when no field is named */
} FORMS[] = {
    {{"text", 4}, TEMPLATE_TEXT, FIELD_NONE},
    {{"encoded", 7}, TEMPLATE_ENCODED, FIELD_NONE},
    {{"url", 3}, TEMPLATE_URL, FIELD_URL_ORIGINAL},
    {{"request", 7}, TEMPLATE_REQUEST, FIELD_URL_ORIGINAL},
    {{"account", 7}, TEMPLATE_ACCOUNT, FIELD_USER_NAME},
    {{"peer", 4}, TEMPLATE_PEER, FIELD_DESTINATION_IP},
    {{"stamp", 5}, TEMPLATE_STAMP, FIELD_TIME_STAMP},
    {{"bsd-time", 8}, TEMPLATE_BSD, FIELD_TIME_SYSLOG},
};

enum {
    FORM_WORDS = sizeof(FORMS) / sizeof(FORMS[0]),
};

struct source {
    struct arena *arena;
    struct diag *diag;
    const char *filename;
    size_t faults;
};

__attribute__((format(printf, 3, 4))) static void
fault(struct source *s, const struct yaml_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(s->diag, s->filename, node->line, node->column, format, args);
    va_end(args);
    s->faults++;
}

static const struct form_word *form_find(struct slice word)
{
    for (size_t i = 0; i < FORM_WORDS; i++) {
        if (slice_equal(FORMS[i].word, word))
            return &FORMS[i];
    }
    return NULL;
}

/* Every key of the map is one of the NULL-terminated list. */
static void check_keys(struct source *s, const struct yaml_node *map, const char *const *known)
{
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next) {
        size_t i = 0;
        while (known[i] != NULL && !slice_equal(slice_from(known[i]), slice_of(n->key, n->key_len)))
            i++;
        if (known[i] == NULL)
            fault(s, n, "unknown key \"%s\"", n->key);
    }
}

/* One byte, or "tab". */
static char read_byte(struct source *s, const struct yaml_node *map, struct slice key, char preset)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node == NULL)
        return preset;
    if (node->kind == YAML_TEXT && slice_equal(node->text, SLICE("tab")))
        return '\t';
    if (node->kind == YAML_TEXT && node->text.len == 1)
        return node->text.data[0];
    fault(s, node, "\"%s\" is one byte or tab", node->key);
    return preset;
}

/* The field that stands in the map, checked. */
static uint16_t read_field_name(struct source *s, const struct yaml_node *map)
{
    const struct yaml_node *node = yaml_get(map, SLICE("field"));
    if (node == NULL)
        return FIELD_NONE;
    uint16_t id = node->kind == YAML_TEXT ? field_find(node->text) : FIELD_NONE;
    if (id == FIELD_NONE)
        fault(s, node, "no such field");
    return id;
}

static void read_field(struct source *s, const struct yaml_node *map, struct template_field *out)
{
    static const char *const KEYS[] = {"field", "name", "as", "skip", NULL};
    if (map->kind != YAML_MAP) {
        fault(s, map, "a field is a map with field, name, as or skip");
        return;
    }
    check_keys(s, map, KEYS);
    out->field = read_field_name(s, map);
    out->name = yaml_text(map, SLICE("name"));
    if (out->field == FIELD_URL_ORIGINAL)
        out->form = TEMPLATE_URL;
    else if (out->field == FIELD_USER_NAME)
        out->form = TEMPLATE_ACCOUNT;
    const struct yaml_node *as = yaml_get(map, SLICE("as"));
    if (as != NULL) {
        const struct form_word *form = as->kind == YAML_TEXT ? form_find(as->text) : NULL;
        if (form == NULL) {
            fault(s, as, "as is text, encoded, url, request, account, peer, stamp or bsd-time");
            return;
        }
        out->form = form->form;
        if (out->field == FIELD_NONE && out->name.len == 0)
            out->field = form->field;
    }
    const struct yaml_node *skip = yaml_get(map, SLICE("skip"));
    if (skip == NULL)
        return;
    if (skip->kind != YAML_TEXT || !slice_equal(skip->text, SLICE("true")))
        fault(s, skip, "skip is true or left out");
    out->form = TEMPLATE_SKIP;
}

static int read_fields(struct source *s, const struct yaml_node *root, struct template *out)
{
    const struct yaml_node *list = yaml_get(root, SLICE("fields"));
    if (list == NULL || list->kind != YAML_LIST || list->count < 2 ||
        list->count > TEMPLATE_FIELDS_MAX) {
        fault(s, list == NULL ? root : list, "\"fields\" is a list of 2 to %d fields",
              (int)TEMPLATE_FIELDS_MAX);
        return 0;
    }
    struct template_field *fields = arena_array(s->arena, list->count, sizeof(*fields));
    if (fields == NULL)
        return ERR_NOMEM;
    uint32_t count = 0;
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next)
        read_field(s, n, &fields[count++]);
    out->fields = fields;
    out->field_count = count;
    return 0;
}

static uint8_t read_verdict(struct source *s, const struct yaml_node *node)
{
    for (uint8_t i = 0; i < VERDICT_COUNT && node->kind == YAML_TEXT; i++) {
        if (slice_equal(verdict_name(i), node->text))
            return i;
    }
    fault(s, node, "a verdict is allow, deny, drop, reset, block, alert or unknown");
    return VERDICT_UNKNOWN;
}

static int read_verdicts(struct source *s, const struct yaml_node *root, struct template *out)
{
    const struct yaml_node *map = yaml_get(root, SLICE("verdict"));
    if (map == NULL)
        return 0;
    if (map->kind != YAML_MAP || map->count > TEMPLATE_VERDICTS_MAX) {
        fault(s, map, "\"verdict\" is a map of at most %d actions", (int)TEMPLATE_VERDICTS_MAX);
        return 0;
    }
    struct template_verdict *verdicts = arena_array(s->arena, map->count, sizeof(*verdicts));
    if (verdicts == NULL)
        return ERR_NOMEM;
    uint32_t count = 0;
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next) {
        verdicts[count].action = slice_of(n->key, n->key_len);
        verdicts[count++].verdict = read_verdict(s, n);
    }
    out->verdicts = verdicts;
    out->verdict_count = count;
    return 0;
}

int template_read(struct template **out, struct arena *arena, struct slice text,
                  const char *filename, struct diag *diag)
{
    static const char *const KEYS[] = {"name", "separator", "quote", "fields", "verdict", NULL};
    struct source s = {.arena = arena, .diag = diag, .filename = filename};
    struct yaml_node *root = NULL;
    int err = yaml_read(&root, arena, text, filename, diag);
    if (err != 0)
        return err;
    if (root->kind != YAML_MAP) {
        fault(&s, root, "a template is a map with name and fields");
        return ERR_FORMAT;
    }
    struct template *t = arena_alloc(arena, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    check_keys(&s, root, KEYS);
    t->name = yaml_text(root, SLICE("name"));
    if (t->name.len == 0)
        fault(&s, root, "a template has a name");
    t->separator = read_byte(&s, root, SLICE("separator"), ' ');
    t->quote = read_byte(&s, root, SLICE("quote"), '"');
    if (t->separator == t->quote)
        fault(&s, root, "separator and quote are the same");
    err = read_fields(&s, root, t);
    if (err == 0)
        err = read_verdicts(&s, root, t);
    if (err != 0)
        return err;
    if (s.faults > 0)
        return ERR_FORMAT;
    *out = t;
    return 0;
}
