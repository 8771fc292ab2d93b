#include "base/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/err.h"
#include "base/escape.h"
#include "base/hash.h"

enum {
    YAML_INDEX_FIRST = 256,    /* slots; a power of two */
    YAML_SHOWN_BYTES_MAX = 60, /* of a piece of the text in a message */
    YAML_ANCHORS_MAX = 256,    /* of one text */
};

static const struct yaml_bounds YAML_PLAIN = {.depth = YAML_DEPTH_MAX,
                                              .aliases = 0,
                                              .nodes = YAML_EVENTS_MAX,
                                              .document_bytes = YAML_TEXT_BYTES_MAX};

/* What an anchor stands for. */
struct yaml_anchor {
    struct slice name;
    const struct yaml_node *node;
};

/* All keys read so far, by parent and name, so that a key given twice is found in one step. */
struct yaml_index {
    struct yaml_node **slots;
    size_t cap;
    size_t count;
    uint64_t seed;
};

struct yaml_reader {
    yaml_parser_t parser;
    struct arena *arena;
    const char *filename;
    struct diag *diag;
    struct yaml_node *top; /* the list of documents */
    struct yaml_node *at;  /* the innermost list or map that is open */
    size_t depth;          /* of `at`; 0 = between documents */
    size_t events;
    const char *key; /* read, still without its value */
    size_t key_len;
    uint32_t key_line;
    uint32_t key_column;
    bool faulty; /* a diagnosis was given */
    struct yaml_index index;
    const struct yaml_bounds *bounds;
    size_t nodes;
    size_t aliases;
    size_t document_at; /* where it begins, bytes */
    struct slice text;
    size_t seen_characters; /* a place in the text by both counts: marks count characters */
    size_t seen_bytes;
    struct yaml_anchor anchors[YAML_ANCHORS_MAX];
    size_t anchor_count;
};

static uint32_t mark_line(const yaml_mark_t *mark)
{
    return mark->line < UINT32_MAX ? (uint32_t)mark->line + 1 : UINT32_MAX;
}

static uint32_t mark_column(const yaml_mark_t *mark)
{
    return mark->column < UINT32_MAX ? (uint32_t)mark->column + 1 : UINT32_MAX;
}

/* Note a fault of the text; reading may go on. */
static void fault_note(struct yaml_reader *r, const yaml_mark_t *mark, const char *message)
{
    r->faulty = true;
    diag_add(r->diag, r->filename, mark_line(mark), mark_column(mark), "%s", message);
}

/* Note a fault that ends the reading. */
static int fault_end(struct yaml_reader *r, const yaml_mark_t *mark, const char *message)
{
    fault_note(r, mark, message);
    return ERR_FORMAT;
}

static struct yaml_node **index_slot(const struct yaml_index *index, const struct yaml_node *node)
{
    uint64_t seed = index->seed ^ (uint64_t)(uintptr_t)node->parent;
    size_t at = (size_t)hash_bytes(seed, node->key, node->key_len) & (index->cap - 1);
    for (;; at = (at + 1) & (index->cap - 1)) {
        const struct yaml_node *other = index->slots[at];
        if (other == NULL || (other->parent == node->parent && other->key_len == node->key_len &&
                              memcmp(other->key, node->key, node->key_len) == 0))
            return &index->slots[at];
    }
}

static int index_grow(struct yaml_index *index)
{
    struct yaml_index grown = *index;
    grown.cap = index->cap == 0 ? YAML_INDEX_FIRST : index->cap * 2;
    grown.slots = calloc(grown.cap, sizeof(struct yaml_node *));
    if (grown.slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < index->cap; i++) {
        if (index->slots[i] != NULL)
            *index_slot(&grown, index->slots[i]) = index->slots[i];
    }
    free(index->slots);
    *index = grown;
    return 0;
}

/* Enter the node under its key; *out is the node that has the same key already, or NULL. */
static int index_add(struct yaml_index *index, struct yaml_node *node, struct yaml_node **out)
{
    if (index->count >= index->cap / 2) {
        int err = index_grow(index);
        if (err != 0)
            return err;
    }
    struct yaml_node **slot = index_slot(index, node);
    *out = *slot;
    if (*slot == NULL) {
        *slot = node;
        index->count++;
    }
    return 0;
}

static int check_duplicate(struct yaml_reader *r, struct yaml_node *node)
{
    struct yaml_node *earlier = NULL;
    int err = index_add(&r->index, node, &earlier);
    if (err != 0 || earlier == NULL)
        return err;
    struct buf name = {0};
    escape_quoted(&name, slice_of(node->key, node->key_len), YAML_SHOWN_BYTES_MAX);
    diag_add(r->diag, r->filename, node->key_line, node->key_column,
             "the key %s is given twice, first on line %u; keep one of them", buf_string(&name),
             earlier->key_line);
    buf_release(&name);
    r->faulty = true;
    return 0;
}

/* A new child of the open list or map. */
static int node_add(struct yaml_node **out, struct yaml_reader *r, enum yaml_kind kind,
                    const yaml_mark_t *mark)
{
    if (++r->nodes > r->bounds->nodes)
        return fault_end(r, mark, "too large; too many values, those of aliases included");
    struct yaml_node *node = arena_alloc(r->arena, sizeof(*node));
    if (node == NULL)
        return ERR_NOMEM;
    node->kind = kind;
    node->line = mark_line(mark);
    node->column = mark_column(mark);
    node->key_line = node->line;
    node->key_column = node->column;
    node->parent = r->at;
    node->key = r->key;
    if (r->at->kind == YAML_MAP) {
        node->key_len = r->key_len;
        node->key_line = r->key_line;
        node->key_column = r->key_column;
        r->key = NULL;
        int err = check_duplicate(r, node);
        if (err != 0)
            return err;
    }
    if (r->at->last == NULL) {
        r->at->first = node;
    } else {
        r->at->last->next = node;
    }
    r->at->last = node;
    r->at->count++;
    *out = node;
    return 0;
}

/* Whether the next node is a key. */
static bool key_expected(const struct yaml_reader *r)
{
    return r->at->kind == YAML_MAP && r->key == NULL;
}

static int key_set(struct yaml_reader *r, const yaml_event_t *event)
{
    const void *bytes = event->data.scalar.value;
    struct slice text = slice_of(bytes, event->data.scalar.length);
    if (text.len != 0 && memchr(text.data, '\0', text.len) != NULL)
        return fault_end(r, &event->start_mark, "a key holds a NUL character");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && slice_equal(text, SLICE("<<")))
        fault_note(r, &event->start_mark, "merge keys (<<) are not accepted; write the keys out");
    r->key = arena_copy(r->arena, text);
    r->key_len = text.len;
    r->key_line = mark_line(&event->start_mark);
    r->key_column = mark_column(&event->start_mark);
    return r->key == NULL ? ERR_NOMEM : 0;
}

/* The anchor of an event, or NULL. */
static const void *anchor_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor;
    return event->data.mapping_start.anchor;
}

/* A name that is given again stands for the later one, as YAML has it. */
static void anchor_set(struct yaml_reader *r, const char *name, const struct yaml_node *node,
                       const yaml_mark_t *mark)
{
    if (name == NULL || r->bounds->aliases == 0)
        return;
    if (r->anchor_count == YAML_ANCHORS_MAX) {
        fault_note(r, mark, "too many anchors (&); write the values out");
        return;
    }
    const char *copy = arena_copy(r->arena, slice_from(name));
    if (copy != NULL)
        r->anchors[r->anchor_count++] =
            (struct yaml_anchor){.name = slice_of(copy, strlen(name)), .node = node};
}

static int scalar_add(struct yaml_reader *r, const yaml_event_t *event)
{
    if (key_expected(r)) {
        return event->data.scalar.anchor == NULL
                   ? key_set(r, event)
                   : fault_end(r, &event->start_mark, "an anchor (&) on a key; put it on a value");
    }
    struct yaml_node *node = NULL;
    int err = node_add(&node, r, YAML_TEXT, &event->start_mark);
    if (err != 0)
        return err;
    const void *bytes = event->data.scalar.value;
    const char *copy = arena_copy(r->arena, slice_of(bytes, event->data.scalar.length));
    if (copy == NULL)
        return ERR_NOMEM;
    anchor_set(r, anchor_of(event), node, &event->start_mark);
    node->text = slice_of(copy, event->data.scalar.length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

static int too_deep(struct yaml_reader *r, const yaml_mark_t *mark)
{
    char message[80];
    (void)snprintf(message, sizeof(message), "nested too deep; at most %u levels are accepted",
                   r->bounds->depth);
    return fault_end(r, mark, message);
}

static int collection_open(struct yaml_reader *r, enum yaml_kind kind, const yaml_event_t *event)
{
    if (key_expected(r))
        return fault_end(r, &event->start_mark, "a key must be a plain word, not a list or a map");
    if (r->depth == r->bounds->depth)
        return too_deep(r, &event->start_mark);
    struct yaml_node *node = NULL;
    int err = node_add(&node, r, kind, &event->start_mark);
    if (err != 0)
        return err;
    anchor_set(r, anchor_of(event), node, &event->start_mark);
    r->at = node;
    r->depth++;
    return 0;
}

static void collection_close(struct yaml_reader *r)
{
    assert(r->depth > 0 && r->at != r->top);
    r->at = r->at->parent;
    r->depth--;
}

/* Anchors and tags change what the text means elsewhere; neither is accepted. */
static void refuse_marks(struct yaml_reader *r, const yaml_event_t *event, const void *anchor,
                         const void *tag)
{
    if (anchor != NULL && r->bounds->aliases == 0)
        fault_note(r, &event->start_mark, "anchors (&) are not accepted; write the value out");
    if (tag != NULL)
        fault_note(r, &event->start_mark, "tags (!) are not accepted; leave it out");
}

/* Put a copy of a node under the open list or map; its children are still missing. */
static int copy_add(struct yaml_node **out, struct yaml_reader *r, const struct yaml_node *from,
                    const yaml_mark_t *mark)
{
    struct yaml_node *node = NULL;
    if (r->at->kind == YAML_MAP && r->key == NULL) {
        r->key = from->key;
        r->key_len = from->key_len;
        r->key_line = from->key_line;
        r->key_column = from->key_column;
    }
    int err = node_add(&node, r, from->kind, mark);
    if (err != 0)
        return err;
    node->quoted = from->quoted;
    node->text = from->text;
    node->line = from->line;
    node->column = from->column;
    *out = node;
    return 0;
}

/* Copy all below `from` under the open node `to`, which is the reader's. */
static int copy_below(struct yaml_reader *r, const struct yaml_node *from, const yaml_mark_t *mark)
{
    const struct yaml_node *at = from->first;
    struct yaml_node *top = r->at;
    while (at != NULL) {
        struct yaml_node *node = NULL;
        int err = copy_add(&node, r, at, mark);
        if (err != 0)
            return err;
        if (at->first != NULL && r->depth == r->bounds->depth)
            return too_deep(r, mark);
        if (at->first != NULL) {
            r->at = node;
            r->depth++;
            at = at->first;
            continue;
        }
        while (at->next == NULL && r->at != top) {
            at = at->parent;
            r->at = r->at->parent;
            r->depth--;
        }
        at = at->next;
    }
    return 0;
}

static bool is_open(const struct yaml_reader *r, const struct yaml_node *node)
{
    for (const struct yaml_node *up = r->at; up != NULL; up = up->parent) {
        if (up == node)
            return true;
    }
    return false;
}

static int alias_add(struct yaml_reader *r, const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    const void *name = event->data.alias.anchor;
    struct slice asked = slice_from(name);
    const struct yaml_node *from = NULL;
    if (r->bounds->aliases == 0)
        return fault_end(r, mark, "aliases (*) are not accepted; write the value out");
    if (++r->aliases > r->bounds->aliases)
        return fault_end(r, mark, "too many aliases (*); write the values out");
    for (size_t i = 0; i < r->anchor_count; i++) {
        if (slice_equal(r->anchors[i].name, asked))
            from = r->anchors[i].node;
    }
    if (from == NULL || is_open(r, from))
        return fault_end(r, mark, "an alias (*) of an anchor (&) that does not stand before it");
    if (key_expected(r))
        return fault_end(r, mark, "an alias (*) cannot be a key; write the key out");
    struct yaml_node *node = NULL;
    int err = copy_add(&node, r, from, mark);
    if (err != 0 || from->first == NULL)
        return err;
    if (r->depth == r->bounds->depth)
        return too_deep(r, mark);
    struct yaml_node *open = r->at;
    r->at = node;
    r->depth++;
    err = copy_below(r, from, mark);
    r->at = open;
    r->depth--;
    return err;
}

/* The bytes before a mark; marks come in the order of the text. */
static size_t mark_bytes(struct yaml_reader *r, const yaml_mark_t *mark)
{
    while (r->seen_characters < mark->index && r->seen_bytes < r->text.len) {
        r->seen_bytes++;
        while (r->seen_bytes < r->text.len &&
               ((unsigned char)r->text.data[r->seen_bytes] & 0xc0) == 0x80)
            r->seen_bytes++;
        r->seen_characters++;
    }
    return r->seen_bytes;
}

/* Where a document begins and ends, so that none is too long. */
static int document_take(struct yaml_reader *r, const yaml_event_t *event)
{
    if (event->type == YAML_DOCUMENT_START_EVENT) {
        r->document_at = mark_bytes(r, &event->start_mark);
        r->anchor_count = 0;
        return 0;
    }
    if (mark_bytes(r, &event->start_mark) - r->document_at <= r->bounds->document_bytes)
        return 0;
    char message[80];
    (void)snprintf(message, sizeof(message), "a document of more than %zu bytes; split it",
                   r->bounds->document_bytes);
    return fault_end(r, &event->start_mark, message);
}

static int event_take(struct yaml_reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        refuse_marks(r, event, event->data.scalar.anchor, event->data.scalar.tag);
        return scalar_add(r, event);
    case YAML_SEQUENCE_START_EVENT:
        refuse_marks(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return collection_open(r, YAML_LIST, event);
    case YAML_MAPPING_START_EVENT:
        refuse_marks(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return collection_open(r, YAML_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        collection_close(r);
        return 0;
    case YAML_ALIAS_EVENT:
        return alias_add(r, event);
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return document_take(r, event);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    default:
        return 0;
    }
}

static int parser_fault(struct yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return ERR_NOMEM;
    const char *problem = p->problem == NULL ? "not YAML" : p->problem;
    r->faulty = true;
    if (p->error == YAML_READER_ERROR) {
        diag_add(r->diag, r->filename, mark_line(&p->mark), mark_column(&p->mark),
                 "%s at byte %zu; the file must be UTF-8 text", problem, p->problem_offset);
    } else {
        diag_add(r->diag, r->filename, mark_line(&p->problem_mark), mark_column(&p->problem_mark),
                 "not YAML: %s%s%s", problem, p->context == NULL ? "" : " ",
                 p->context == NULL ? "" : p->context);
    }
    return ERR_FORMAT;
}

static int read_events(struct yaml_reader *r)
{
    yaml_event_t event;
    bool ended = false;
    while (!ended) {
        if (yaml_parser_parse(&r->parser, &event) == 0)
            return parser_fault(r);
        int err = 0;
        if (++r->events > YAML_EVENTS_MAX) {
            err = fault_end(r, &event.start_mark, "too large; at most 1000000 values are accepted");
        } else {
            err = event_take(r, &event);
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (err != 0)
            return err;
    }
    return 0;
}

int yaml_read_stream(struct yaml_node **out, struct arena *arena, struct slice text,
                     const char *filename, struct diag *diag)
{
    return yaml_read_within(out, arena, text, filename, &YAML_PLAIN, diag);
}

int yaml_read_within(struct yaml_node **out, struct arena *arena, struct slice text,
                     const char *filename, const struct yaml_bounds *bounds, struct diag *diag)
{
    struct yaml_reader r = {
        .arena = arena, .filename = filename, .diag = diag, .bounds = bounds, .text = text};
    if (text.len > YAML_TEXT_BYTES_MAX) {
        diag_add(diag, filename, 0, 0, "%zu bytes are too many; at most %d are accepted", text.len,
                 YAML_TEXT_BYTES_MAX);
        return ERR_FORMAT;
    }
    r.top = arena_alloc(arena, sizeof(*r.top));
    if (r.top == NULL || yaml_parser_initialize(&r.parser) == 0)
        return ERR_NOMEM;
    r.top->kind = YAML_LIST;
    r.top->line = 1;
    r.top->column = 1;
    r.at = r.top;
    r.index.seed = hash_seed();
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) /* a byte order mark says nothing here */
        text = slice_from_offset(text, 3);
    r.text = text;
    const void *bytes = text.len == 0 ? "" : text.data;
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, bytes, text.len);
    int err = read_events(&r);
    yaml_parser_delete(&r.parser);
    free(r.index.slots);
    if (err == 0 && r.faulty)
        err = ERR_FORMAT;
    if (err == 0)
        *out = r.top;
    return err;
}

int yaml_read(struct yaml_node **out, struct arena *arena, struct slice text, const char *filename,
              struct diag *diag)
{
    struct yaml_node *top = NULL;
    int err = yaml_read_stream(&top, arena, text, filename, diag);
    if (err != 0)
        return err;
    if (top->count > 1) {
        diag_add(diag, filename, top->first->next->line, top->first->next->column,
                 "a second document; only one is accepted here");
        return ERR_FORMAT;
    }
    struct yaml_node *root = top->first;
    if (root == NULL) {
        root = arena_alloc(arena, sizeof(*root));
        if (root == NULL)
            return ERR_NOMEM;
        root->kind = YAML_TEXT;
        root->text = SLICE("");
        root->line = 1;
        root->column = 1;
    }
    root->parent = NULL;
    *out = root;
    return 0;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, struct slice key)
{
    if (map == NULL || map->kind != YAML_MAP)
        return NULL;
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next) {
        if (slice_equal(slice_of(n->key, n->key_len), key))
            return n;
    }
    return NULL;
}

struct slice yaml_text(const struct yaml_node *map, struct slice key)
{
    const struct yaml_node *n = yaml_get(map, key);
    return n == NULL || n->kind != YAML_TEXT ? slice_of(NULL, 0) : n->text;
}

/* Whether the text is one of the words. */
static bool word_in(struct slice text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (slice_equal(text, slice_from(*words)))
            return true;
    }
    return false;
}

bool yaml_null(const struct yaml_node *node)
{
    static const char *const WORDS[] = {"", "~", "null", "Null", "NULL", NULL};
    return node->kind == YAML_TEXT && !node->quoted && word_in(node->text, WORDS);
}

/* Whether any YAML reader takes the plain text as this very text, and not as a number or a flag. */
static bool plain_safe(struct slice text)
{
    static const char *const WORDS[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n",   NULL};
    char low[8] = {0};
    bool letter = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_';
        letter = letter || alpha;
        if (!alpha && (i == 0 || !((c >= '0' && c <= '9') || c == '.' || c == '-')))
            return false;
        if (i < sizeof(low))
            low[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (text.len < sizeof(low) && word_in(slice_of(low, text.len), WORDS))
        return false;
    return letter;
}

void yaml_print_scalar(struct buf *out, struct slice text)
{
    if (plain_safe(text)) {
        buf_slice(out, text);
        return;
    }
    buf_byte(out, '"');
    for (size_t at = 0; at < text.len && buf_ok(out);) {
        uint32_t point = 0;
        struct slice rest = slice_from_offset(text, at);
        size_t len = escape_utf8(&point, rest);
        if (len == 0)
            point = 0xfffd;
        if (len == 1 && (point == '"' || point == '\\'))
            buf_byte(out, '\\');
        bool hidden = len > 1 && escape_needed(slice_of(rest.data, len));
        if (len == 0 || point < 0x20 || point == 0x7f || (point | 1) == 0xffff || hidden) {
            buf_printf(out, point > 0xffff ? "\\U%08x" : "\\u%04x", point);
        } else {
            buf_append(out, rest.data, len);
        }
        at += len == 0 ? 1 : len;
    }
    buf_byte(out, '"');
}
