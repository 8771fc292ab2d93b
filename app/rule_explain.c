/* app/rule_explain.c - sekisho rule explain: the truth table of a rule on one line, with reasons. */
#include "app/rule_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/filter_print.h"
#include "app/options.h"
#include "app/rule_source.h"
#include "base/escape.h"
#include "detect/detect.h"
#include "event/ndjson.h"

enum {
    VALUE_SHOWN_MAX = 200,
    ITEM_SHOWN_MAX = 120,
    LEAVES_MAX = 64, /* whose fields are looked at for a reason */
};

/* What is asked beside each part, to tell why it does not hold. */
enum variant {
    VARIANT_ITSELF,
    VARIANT_UNCASED, /* with letter case ignored */
    VARIANT_LINE,    /* its texts anywhere in the line */
    VARIANT_PRESENT, /* its fields have a value */
    VARIANT_COUNT,
};

/* What is asked of the rule as a whole. */
enum whole {
    WHOLE_UNFILTERED,
    WHOLE_CONDITION, /* with its filters */
    WHOLE_SCOPE,     /* of its logsource */
    WHOLE_COUNT,
};

struct explain {
    const struct explain_options *options;
    struct rule_set engine;
    struct sigma_rule *rule;
    struct sigma_parts parts;
    bool *holds; /* by part and variant; then by enum whole, and what each filter takes out */
    size_t asked;
    struct signal_fields fields; /* of all parts */
    struct signal values;
    struct arena arena;
    bool seen; /* the line */
    bool unparsed;
    struct buf out;
};

/* Variants of a tree */

static int leaf_uncase(void *self, struct ast *leaf)
{
    (void)self;
    leaf->cased = false;
    return 0;
}

/* A text without its wildcards at the ends; false where it has some in the middle. */
static bool plain_text(struct slice *text)
{
    while (text->len != 0 && *text->data == '*')
        *text = slice_from_offset(*text, 1);
    while (text->len != 0 && text->data[text->len - 1] == '*')
        text->len--;
    return text->len != 0 && memchr(text->data, '*', text->len) == NULL &&
           memchr(text->data, '?', text->len) == NULL &&
           memchr(text->data, '\\', text->len) == NULL;
}

static int leaf_to_line(void *self, struct ast *leaf)
{
    struct slice text = leaf->text;
    (void)self;
    bool textual = leaf->op == AST_EQUAL || leaf->op == AST_GLOB || leaf->op == AST_CONTAINS;
    if (!textual || !plain_text(&text))
        text = SLICE("\x01\x02 stands nowhere \x02\x01");
    *leaf = (struct ast){.kind = AST_LEAF, .op = AST_RAW, .text = text, .next = leaf->next};
    return 0;
}

static int leaf_to_value(void *self, struct ast *leaf)
{
    (void)self;
    if (!leaf->any_field)
        leaf->op = AST_VALUE;
    leaf->part = AST_PART_NONE;
    return 0;
}

static struct ast *variant_of(struct explain *x, const struct ast *tree, enum variant variant)
{
    static int (*const CHANGES[])(void *self, struct ast *leaf) = {
        [VARIANT_UNCASED] = leaf_uncase,
        [VARIANT_LINE] = leaf_to_line,
        [VARIANT_PRESENT] = leaf_to_value,
    };
    struct ast *copy = ast_copy(&x->arena, tree);
    if (copy != NULL && variant != VARIANT_ITSELF)
        (void)ast_leaves(copy, CHANGES[variant], NULL);
    return copy;
}

/* The fields of all parts, whose values are shown */

static int leaf_field(void *self, struct ast *leaf)
{
    struct explain *x = self;
    struct sigma_field field = {.field = leaf->field, .name = leaf->field_name};
    if (leaf->any_field)
        return 0;
    for (uint32_t i = 0; i < x->fields.count; i++) {
        if (slice_equal(x->fields.items[i].name, field.name))
            return 0;
    }
    if (x->fields.count < LEAVES_MAX)
        x->fields.items[x->fields.count++] = field;
    return 0;
}

/* The rows */

static int batch_take(void *self, struct batch *b)
{
    struct explain *x = self;
    const struct column_set rows = {.batch = b, .end_row = 1, .rows_known = true};
    const struct ast **trees = arena_array(&x->arena, x->asked, sizeof(const struct ast *));
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    struct diag diag = {0};
    size_t count = 0;
    if (x->seen || trees == NULL)
        return trees == NULL ? ERR_NOMEM : 0;
    x->seen = true;
    x->unparsed = b->reason[0] != REASON_NONE;
    for (size_t i = 0; i < x->parts.count; i++) {
        for (unsigned v = 0; v < VARIANT_COUNT; v++)
            trees[count++] = variant_of(x, x->parts.items[i].tree, (enum variant)v);
    }
    trees[count++] = x->rule->unfiltered;
    trees[count++] = x->rule->condition;
    static const struct ast EVERYWHERE = {.kind = AST_TRUE};
    trees[count++] = x->rule->scope == NULL ? &EVERYWHERE : x->rule->scope;
    for (uint32_t i = 0; i < x->rule->filter_count; i++)
        trees[count++] = x->rule->hidden[i];
    int err = 0;
    for (size_t i = 0; i < count; i++)
        err = trees[i] == NULL ? ERR_NOMEM : err;
    if (err == 0)
        err = pred_compile(&pred, trees, count, &diag);
    if (err == 0)
        err = pred_scratch_new(&scratch, pred);
    if (err == 0)
        err = pred_eval(pred, scratch, &rows, &hits);
    for (size_t i = 0; i < hits.count; i++)
        x->holds[hits.items[i].expression] = true;
    if (err == 0)
        err = signal_take(&x->values, &x->fields, b, 0, &x->arena);
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    option_say(&diag);
    diag_release(&diag);
    return err;
}

/* Words */

/* The value that the first of the part's fields with one has. */
static int leaf_show(void *self, struct ast *leaf)
{
    struct explain *x = self;
    const struct sigma_field field = {.field = leaf->field, .name = leaf->field_name};
    struct slice value;
    if (leaf->any_field || !signal_value(&x->values, &field, &value))
        return 0;
    buf_printf(&x->out, " %.*s = ", (int)field.name.len, field.name.data);
    escape_quoted(&x->out, value, VALUE_SHOWN_MAX);
    return 1; /* one of them is enough */
}

static int leaf_name(void *self, struct ast *leaf)
{
    struct buf *out = self;
    if (!leaf->any_field)
        buf_printf(out, " %.*s", (int)leaf->field_name.len, leaf->field_name.data);
    return 1;
}

static void reason_print(struct explain *x, const struct sigma_part *part, const bool *holds)
{
    if (holds[VARIANT_ITSELF]) {
        buf_text(&x->out, "holds:");
        (void)ast_leaves(part->tree, leaf_show, x);
    } else if (holds[VARIANT_UNCASED]) {
        buf_text(&x->out, "only the case of letters differs:");
        (void)ast_leaves(part->tree, leaf_show, x);
    } else if (!holds[VARIANT_PRESENT]) {
        buf_text(&x->out, holds[VARIANT_LINE]
                              ? "the field is absent; the text stands in another place of the line:"
                              : "the field is absent:");
        (void)ast_leaves(part->tree, leaf_name, &x->out);
    } else {
        buf_text(&x->out, holds[VARIANT_LINE]
                              ? "the value differs; the text stands in another place of the line:"
                              : "the value differs:");
        (void)ast_leaves(part->tree, leaf_show, x);
    }
}

/* An item as it is written, on one line. */
static void item_print(struct buf *out, const struct yaml_node *node)
{
    struct buf text = {0};
    if (node->key != NULL)
        buf_printf(&text, "%s: ", node->key);
    if (node->kind == YAML_TEXT)
        buf_slice(&text, node->text);
    else
        buf_byte(&text, '[');
    for (const struct yaml_node *v = node->first; v != NULL; v = v->next) {
        buf_slice(&text, v->text);
        buf_text(&text, v->next == NULL ? "]" : ", ");
    }
    if (text.len > ITEM_SHOWN_MAX) {
        text.len = ITEM_SHOWN_MAX;
        buf_text(&text, "...");
    }
    if (buf_ok(&text))
        escape_text(out, buf_content(&text));
    buf_release(&text);
}

static void part_print(struct explain *x, size_t i)
{
    const struct sigma_part *part = &x->parts.items[i];
    const bool *holds = &x->holds[i * VARIANT_COUNT];
    if (part->kind == SIGMA_PART_SELECTION) {
        buf_printf(&x->out, "%s  %.*s\n", holds[VARIANT_ITSELF] ? "true " : "false",
                   (int)part->selection.len, part->selection.data);
        return;
    }
    buf_printf(&x->out, "%s      ", holds[VARIANT_ITSELF] ? "true " : "false");
    if (part->map != 0)
        buf_printf(&x->out, "(%u) ", part->map);
    item_print(&x->out, part->node);
    buf_text(&x->out, "\n               ");
    reason_print(x, part, holds);
    buf_byte(&x->out, '\n');
}

static void part_json(struct explain *x, size_t i)
{
    const struct sigma_part *part = &x->parts.items[i];
    const bool *holds = &x->holds[i * VARIANT_COUNT];
    struct buf item = {0};
    struct buf table = x->out;
    x->out = (struct buf){0};
    reason_print(x, part, holds);
    struct buf reason = x->out;
    x->out = table;
    item_print(&item, part->node);
    buf_printf(&x->out, "{\"part\":\"%s\",\"selection\":",
               part->kind == SIGMA_PART_SELECTION ? "selection" : "item");
    ndjson_string(&x->out, part->selection);
    if (part->kind == SIGMA_PART_ITEM) {
        buf_text(&x->out, ",\"item\":");
        ndjson_string(&x->out, buf_content(&item));
        buf_text(&x->out, ",\"reason\":");
        ndjson_string(&x->out, buf_content(&reason));
    }
    buf_printf(&x->out, ",\"holds\":%s}\n", holds[VARIANT_ITSELF] ? "true" : "false");
    buf_release(&item);
    buf_release(&reason);
}

static bool whole_holds(const struct explain *x, enum whole what)
{
    return x->holds[x->parts.count * VARIANT_COUNT + what];
}

static bool rule_holds(const struct explain *x)
{
    return whole_holds(x, WHOLE_CONDITION) && whole_holds(x, WHOLE_SCOPE) && !x->rule->nowhere;
}

/* The filters that take the line out, where the condition alone holds. */
static void filters_print(struct explain *x)
{
    const bool *hidden = &x->holds[x->parts.count * VARIANT_COUNT + WHOLE_COUNT];
    bool first = true;
    for (uint32_t i = 0; i < x->rule->filter_count && whole_holds(x, WHOLE_UNFILTERED); i++) {
        const struct sigma_rule *filter = &x->engine.set.rules[x->rule->filters[i]];
        if (!hidden[i])
            continue;
        if (x->options->json) {
            buf_text(&x->out, first ? "{" : ",{");
            filter_print_json(&x->out, filter);
            buf_byte(&x->out, '}');
        } else {
            buf_text(&x->out, "       filtered by ");
            filter_print(&x->out, filter);
            buf_byte(&x->out, '\n');
        }
        first = false;
    }
}

static void verdict_print(struct explain *x)
{
    bool condition = whole_holds(x, WHOLE_UNFILTERED);
    bool applies = whole_holds(x, WHOLE_SCOPE) && !x->rule->nowhere;
    if (x->options->json) {
        bool filtered = condition && !whole_holds(x, WHOLE_CONDITION);
        buf_text(&x->out, "{\"part\":\"rule\",\"rule\":");
        ndjson_string(&x->out, x->rule->id);
        buf_printf(&x->out, ",\"condition\":%s,\"filtered\":%s,\"filters\":[",
                   condition ? "true" : "false", filtered ? "true" : "false");
        filters_print(x);
        buf_printf(&x->out, "],\"applies\":%s,\"holds\":%s}\n", applies ? "true" : "false",
                   rule_holds(x) ? "true" : "false");
        return;
    }
    buf_printf(&x->out, "%s  the condition\n", condition ? "true " : "false");
    filters_print(x);
    if (!applies)
        buf_text(&x->out, "       the rule's logsource does not mean this kind of log\n");
    if (x->unparsed)
        buf_text(&x->out, "       the line is not of the format: it has few or no fields\n");
    buf_printf(&x->out, "=> the rule %s\n", rule_holds(x) ? "holds" : "does not hold");
}

/* The rule that is meant. */
static int rule_choose(struct explain *x, struct diag *diag)
{
    struct sigma_set *set = &x->engine.set;
    if (x->options->rule != NULL)
        x->rule = sigma_find(set, slice_from(x->options->rule));
    for (uint32_t i = 0; i < set->rule_count && x->options->rule == NULL; i++) {
        if (set->rules[i].kind != SIGMA_RULE)
            continue;
        if (x->rule != NULL) {
            diag_add(diag, x->options->rules.path, 0, 0, "has several rules; name one with --rule");
            return ERR_CONF;
        }
        x->rule = &set->rules[i];
    }
    if (x->rule != NULL && x->rule->kind == SIGMA_RULE)
        return 0;
    diag_add(diag, x->options->rules.path, 0, 0,
             "has no such rule; correlations and filters are "
             "explained by the rules that they name");
    return ERR_CONF;
}

static int explain_run(struct explain *x, struct diag *diag)
{
    struct rule_source *source = NULL;
    uint32_t unparsed = 0;
    int err = rule_load(&x->engine, &x->options->rules, diag);
    if (err == 0)
        err = rule_choose(x, diag);
    if (err == 0)
        err = sigma_parts_make(&x->parts, &x->engine.set, x->rule);
    x->asked = x->parts.count * VARIANT_COUNT + WHOLE_COUNT;
    if (err == 0)
        x->asked += x->rule->filter_count;
    x->holds = calloc(x->asked, sizeof(*x->holds));
    x->fields.items = arena_array(&x->arena, LEAVES_MAX, sizeof(*x->fields.items));
    if (err == 0 && (x->holds == NULL || x->fields.items == NULL))
        err = ERR_NOMEM;
    for (size_t i = 0; i < x->parts.count && err == 0; i++)
        (void)ast_leaves(x->parts.items[i].tree, leaf_field, x);
    const struct rule_source_lines lines = {.format = slice_from(x->options->format),
                                            .lines = x->options->line,
                                            .tenant = x->options->tenant,
                                            .class = x->options->class,
                                            .take = batch_take,
                                            .self = x};
    if (err == 0)
        err = rule_source_open(&source, diag);
    if (err == 0)
        err = rule_source_feed(source, &lines, &unparsed, diag);
    rule_source_close(source);
    if (err == 0 && !x->seen) {
        diag_add(diag, NULL, 0, 0, "sekisho rule explain: there is no line");
        err = ERR_CONF;
    }
    return err;
}

int rule_explain(const struct explain_options *options)
{
    struct diag diag = {0};
    struct explain x = {.options = options};
    int err = explain_run(&x, &diag);
    option_say(&diag);
    diag_release(&diag);
    int code = err == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(err);
    if (err == 0) {
        for (size_t i = 0; i < x.parts.count; i++) {
            if (options->json)
                part_json(&x, i);
            else
                part_print(&x, i);
        }
        verdict_print(&x);
        code = rule_holds(&x) ? EXIT_CODE_OK : EXIT_CODE_FINDINGS;
        if (!buf_ok(&x.out) || fwrite(x.out.data, 1, x.out.len, stdout) != x.out.len)
            code = EXIT_CODE_SYSTEM;
    }
    buf_release(&x.out);
    free(x.holds);
    arena_release(&x.arena);
    rule_set_release(&x.engine);
    return code;
}
