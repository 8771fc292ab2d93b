/* detect/indicator_build.c - lists to a set: every line read once, equal entries become one. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "detect/indicator_table.h"

enum {
    ORIGINS_FIRST = 64,
    FINDING_BYTES_MAX = 80, /* of a bad line's text */
    RECORD_BYTES_MAX = 3,   /* kind and length */
    /* Half of {"type":"domain|ip","value":"|"}, and 'a', of a list in a pattern. */
    MISP_ENTRY_BYTES_MIN = 16,
    STIX_ENTRY_BYTES_MIN = 4,
    PENDING_MAX = 16, /* entries whose slots are on their way from memory */
};

/* An array that doubles. */
struct growth {
    size_t cap; /* items */
};

/* An entry that was read and is not in the set yet. */
struct pending {
    struct indicator_key key;
    uint64_t hash;
    int64_t expires_ns;
    uint32_t line;
};

struct builder {
    struct indicator_set *set;
    const struct indicator_suffixes *suffixes;
    const struct indicator_known *known; /* or NULL */
    struct diag *diag;
    struct growth texts;
    struct growth origins;
    struct growth words;
    size_t entry_cap;
    size_t text_bytes;      /* what the texts will need, escapes aside */
    uint32_t *origin_slots; /* which origin has this content; number + 1, 0 = free */
    size_t origin_slot_count;
    uint32_t told; /* findings of the list at hand */
    uint32_t pending_count;
    struct pending pending[PENDING_MAX];
};

/* The array with room for `need` items, or NULL, and it is unchanged. */
static void *grow(void *items, struct growth *g, size_t need, size_t first, size_t size)
{
    size_t cap = g->cap == 0 ? first : g->cap;
    if (need <= g->cap)
        return items;
    while (cap < need)
        cap *= 2;
    void *larger = realloc(items, cap * size);
    if (larger != NULL)
        g->cap = cap;
    return larger;
}

/* Give back what an array does not use. */
static void *shrink(void *items, size_t count, size_t size)
{
    void *smaller = count == 0 ? NULL : realloc(items, count * size);
    return smaller == NULL ? items : smaller;
}

/* --- origins: equal ones once --- */

/* Feeds of an origin while it is put together. */
struct draft {
    struct indicator_origin origin;
    struct indicator_word words[INDICATOR_FEEDS_MAX];
};

static uint64_t draft_hash(const struct indicator_set *set, const struct draft *d)
{
    uint64_t content[3 + 2 * INDICATOR_FEEDS_MAX];
    size_t n = 0;
    content[n++] = (uint64_t)d->origin.latest_ns;
    content[n++] = (uint64_t)d->origin.list << 32 | (uint64_t)d->origin.more << 8;
    for (size_t i = 0; i < d->origin.count; i++) {
        content[n++] = (uint64_t)d->words[i].expires_ns;
        content[n++] = d->words[i].list;
    }
    return hash_bytes(set->seed, content, n * sizeof(*content));
}

static void draft_load(struct draft *out, const struct indicator_set *set, size_t number)
{
    out->origin = set->origins[number];
    if (out->origin.count == 1) {
        out->words[0] =
            (struct indicator_word){.expires_ns = out->origin.latest_ns, .list = out->origin.list};
        return;
    }
    for (size_t i = 0; i < out->origin.count; i++)
        out->words[i] = set->words[out->origin.first + i];
}

static bool draft_equal(const struct draft *a, const struct draft *b)
{
    bool same = a->origin.latest_ns == b->origin.latest_ns && a->origin.list == b->origin.list &&
                a->origin.count == b->origin.count && a->origin.more == b->origin.more;
    for (size_t i = 0; same && i < a->origin.count; i++)
        same = a->words[i].expires_ns == b->words[i].expires_ns &&
               a->words[i].list == b->words[i].list;
    return same;
}

static int grow_origin_slots(struct builder *b)
{
    size_t count = b->origin_slot_count == 0 ? ORIGINS_FIRST : 2 * b->origin_slot_count;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < b->set->origin_count; i++) {
        struct draft d;
        draft_load(&d, b->set, i);
        size_t at = draft_hash(b->set, &d) & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(b->origin_slots);
    b->origin_slots = slots;
    b->origin_slot_count = count;
    return 0;
}

static int add_origin(struct builder *b, struct draft *d)
{
    struct indicator_set *set = b->set;
    size_t extra = d->origin.count > 1 ? d->origin.count : 0;
    void *origins = grow(set->origins, &b->origins, set->origin_count + 1, ORIGINS_FIRST,
                         sizeof(*set->origins));
    if (origins == NULL)
        return ERR_NOMEM;
    set->origins = origins;
    if (extra != 0) {
        void *words = grow(set->words, &b->words, set->word_count + extra, ORIGINS_FIRST,
                           sizeof(*set->words));
        if (words == NULL)
            return ERR_NOMEM;
        set->words = words;
    }
    d->origin.first = (uint32_t)set->word_count;
    for (size_t i = 0; i < extra; i++)
        set->words[set->word_count++] = d->words[i];
    set->origins[set->origin_count++] = d->origin;
    return 0;
}

/* The number of the origin with this content. */
static int intern_origin(struct builder *b, struct draft *d, uint32_t *out)
{
    if (2 * b->set->origin_count >= b->origin_slot_count && grow_origin_slots(b) != 0)
        return ERR_NOMEM;
    size_t mask = b->origin_slot_count - 1;
    size_t at = draft_hash(b->set, d) & mask;
    for (; b->origin_slots[at] != 0; at = (at + 1) & mask) {
        struct draft other;
        draft_load(&other, b->set, b->origin_slots[at] - 1);
        if (draft_equal(&other, d)) {
            *out = b->origin_slots[at] - 1;
            return 0;
        }
    }
    int status = add_origin(b, d);
    if (status != 0)
        return status;
    *out = (uint32_t)b->set->origin_count - 1;
    b->origin_slots[at] = *out + 1;
    return 0;
}

/* Add a feed's word to what is known of an entry. True when this list has named it already. */
static bool draft_add(struct draft *d, uint32_t list, int64_t expires_ns)
{
    bool repeated = d->origin.count > 0 && d->origin.list == list;
    bool told = d->origin.count > 0 && d->words[d->origin.count - 1].list == list;
    if (told) {
        struct indicator_word *last = &d->words[d->origin.count - 1];
        last->expires_ns = expires_ns > last->expires_ns ? expires_ns : last->expires_ns;
    } else if (!repeated && d->origin.count < INDICATOR_FEEDS_MAX) {
        d->words[d->origin.count] = (struct indicator_word){.expires_ns = expires_ns, .list = list};
        d->origin.count++;
    } else if (!repeated) {
        d->origin.more++;
    }
    if (d->origin.count == 1 && d->origin.more == 0)
        d->origin.latest_ns = d->words[0].expires_ns;
    else if (expires_ns > d->origin.latest_ns)
        d->origin.latest_ns = expires_ns;
    d->origin.list = (uint16_t)list;
    return repeated;
}

/* --- entries --- */

static void put_slot(struct indicator_set *set, uint64_t hash, size_t entry)
{
    uint64_t at = slot_first(set, hash);
    while (set->slots[at] != 0)
        at = at + 1 == set->slot_count ? 0 : at + 1;
    set->slots[at] = slot_tag(hash) | (uint32_t)(entry + 1);
}

static int put_text(struct builder *b, const struct indicator_key *key)
{
    struct indicator_set *set = b->set;
    size_t need = set->text_bytes + RECORD_BYTES_MAX + key->len;
    if (need > INDICATOR_TEXT_BYTES_MAX)
        return ERR_RANGE;
    char *texts = grow(set->texts, &b->texts, need, b->text_bytes, 1);
    if (texts == NULL)
        return ERR_NOMEM;
    set->texts = texts;
    char *p = texts + set->text_bytes;
    *p++ = (char)key->kind;
    if (key->len < 128) {
        *p++ = (char)key->len;
    } else {
        *p++ = (char)(unsigned char)(128U | (key->len & 127U));
        *p++ = (char)(unsigned char)(key->len >> 7);
    }
    memcpy(p, key->bytes, key->len);
    p += key->len;
    set->text_bytes = (size_t)(p - texts);
    return 0;
}

static int add_new(struct builder *b, const struct indicator_key *key, uint64_t hash,
                   uint32_t origin)
{
    struct indicator_set *set = b->set;
    if (set->entry_count == b->entry_cap)
        return ERR_RANGE;
    struct indicator_place place = {.text = (uint32_t)set->text_bytes, .origin = origin};
    int status = put_text(b, key);
    if (status != 0)
        return status;
    put_slot(set, hash, set->entry_count);
    set->entries[set->entry_count++] = place;
    set->kinds[key->kind]++;
    return 0;
}

static int add_entry(struct builder *b, uint32_t list, const struct pending *p)
{
    struct indicator_set *set = b->set;
    struct indicator_counts *counts = &set->lists[list].counts;
    const struct indicator_key *key = &p->key;
    struct slice text = slice_of(key->bytes, key->len);
    size_t entry = indicator_table_find(set, key->kind, text, p->hash);
    struct draft d = {0};
    uint32_t origin = 0;
    if (entry != SIZE_MAX)
        draft_load(&d, set, set->entries[entry].origin);
    bool repeated = draft_add(&d, list, p->expires_ns);
    int status = intern_origin(b, &d, &origin);
    if (status != 0)
        return status;
    if (entry == SIZE_MAX) {
        status = add_new(b, key, p->hash, origin);
        counts->added += status == 0;
        return status;
    }
    set->entries[entry].origin = origin;
    counts->repeated += repeated;
    counts->shared += !repeated;
    return 0;
}

/* Add what is pending, in its order; *line is that of an entry that failed. */
static int add_pending(struct builder *b, uint32_t list, uint32_t *line)
{
    int status = 0;
    for (uint32_t i = 0; i < b->pending_count && status == 0; i++) {
        *line = b->pending[i].line;
        status = add_entry(b, list, &b->pending[i]);
    }
    b->pending_count = 0;
    return status;
}

/* The key at the end of what is pending is an entry; it waits until its slots are at hand. */
static void defer(struct builder *b, const struct indicator_entry *entry)
{
    const struct indicator_set *set = b->set;
    struct pending *p = &b->pending[b->pending_count++];
    p->hash = indicator_hash(set, p->key.kind, slice_of(p->key.bytes, p->key.len));
    p->expires_ns = entry->expires_ns;
    p->line = entry->line;
    __builtin_prefetch(&set->slots[slot_first(set, p->hash)], 1);
}

/* --- lists --- */

static void refuse(struct builder *b, const struct indicator_source *s, uint32_t list,
                   const struct indicator_entry *entry, const char *why)
{
    b->set->lists[list].counts.refused++;
    if (b->told == INDICATOR_FINDINGS_MAX)
        return;
    b->told++;
    bool cut = entry->text.len > FINDING_BYTES_MAX;
    diag_add(b->diag, s->path, entry->line, 1, "%.*s%s%.*s%s%s%s", (int)entry->id.len,
             entry->id.data, entry->id.len == 0 ? "" : ": ",
             cut ? FINDING_BYTES_MAX : (int)entry->text.len, entry->text.data, cut ? "..." : "",
             entry->text.len == 0 ? "" : ": ", why);
}

static const char *read_key(const struct builder *b, const struct indicator_entry *entry,
                            struct indicator_key *key)
{
    const char *why = entry->fault;
    if (why == NULL)
        why = indicator_key_read(key, entry->text, entry->type, entry->port);
    if (why != NULL || key->kind != INDICATOR_DOMAIN || b->suffixes == NULL)
        return why;
    char name[HOSTNAME_BYTES_MAX + 1];
    memcpy(name, key->bytes, key->len);
    name[key->len] = '\0';
    if (b->suffixes->is_suffix(b->suffixes->context, name))
        return "a public suffix: everybody's names are below it; name the domain";
    return NULL;
}

/* Whether the set is made without this entry, which another one holds and says to live. */
static bool is_known(const struct builder *b, const struct indicator_key *key)
{
    if (b->known == NULL)
        return false;
    struct slice text = slice_of(key->bytes, key->len);
    const struct indicator_set *set = b->known->set;
    size_t entry = indicator_table_find(set, key->kind, text, indicator_hash(set, key->kind, text));
    return entry != SIZE_MAX && indicator_is_live(set, (uint32_t)(entry + 1), b->known->at_ns);
}

static int count_unused(struct builder *b, uint32_t list, const char *what)
{
    struct indicator_list_info *info = &b->set->lists[list];
    if (info->unused == NULL) {
        info->unused = arena_alloc(&b->set->arena, sizeof(*info->unused));
        if (info->unused == NULL)
            return ERR_NOMEM;
        *info->unused = (struct indicator_unused){0};
    }
    info->counts.unused++;
    indicator_unused_add(info->unused, what);
    return 0;
}

/* A feed that is all of other things is no mistake of the file, but whoever named it should know. */
static void say_useless(struct builder *b, const struct indicator_source *s, uint32_t list)
{
    const struct indicator_list_info *info = &b->set->lists[list];
    struct buf what = {0};
    if (info->counts.lines != 0 || info->unused == NULL)
        return;
    indicator_unused_print(&what, info->unused);
    diag_add(b->diag, s->path, 0, 0, "list %.*s: nothing of it can be used: %s", (int)s->name.len,
             s->name.data, buf_string(&what));
    buf_release(&what);
}

/* What a list comes to, where that is worth a word. */
static void sum_up(struct builder *b, const struct indicator_source *s, uint32_t list)
{
    const struct indicator_counts *c = &b->set->lists[list].counts;
    bool many = c->refused > INDICATOR_REFUSED_MANY ||
                (uint64_t)c->refused * INDICATOR_REFUSED_MANY > c->lines;
    if (c->refused > b->told || (many && c->lines > 1)) {
        diag_add(b->diag, s->path, 0, 0,
                 "list %.*s: %u of %u lines refused, %u of them shown above%s", (int)s->name.len,
                 s->name.data, c->refused, c->lines, b->told,
                 many ? "; MANY: is it what its type and format say?" : "");
    }
}

static int read_list(struct builder *b, const struct indicator_source *s, uint32_t list)
{
    struct indicator_list reader;
    struct indicator_entry entry;
    uint32_t line = 0;
    struct indicator_counts *counts = &b->set->lists[list].counts;
    int status = indicator_list_open(&reader, s, b->diag);
    if (status != 0)
        return status;
    b->told = 0;
    while (status == 0 && indicator_list_next(&reader, &entry)) {
        if (entry.unused != NULL) {
            status = count_unused(b, list, entry.unused);
            continue;
        }
        counts->lines++;
        struct indicator_key *key = &b->pending[b->pending_count].key;
        const char *why = read_key(b, &entry, key);
        if (why != NULL)
            refuse(b, s, list, &entry, why);
        else if (is_known(b, key))
            counts->known++;
        else
            defer(b, &entry);
        if (b->pending_count == PENDING_MAX)
            status = add_pending(b, list, &line);
    }
    if (status == 0)
        status = add_pending(b, list, &line);
    if (status == ERR_RANGE) {
        diag_add(b->diag, s->path, line, 1,
                 "more than %d entries or %d bytes in all lists; take some lists out",
                 INDICATOR_ENTRIES_MAX, INDICATOR_TEXT_BYTES_MAX);
    }
    if (status == 0) {
        sum_up(b, s, list);
        say_useless(b, s, list);
    }
    indicator_list_close(&reader);
    return status;
}

static struct slice keep_name(struct indicator_set *set, struct slice name)
{
    if (name.len > INDICATOR_NAME_BYTES_MAX)
        name.len = INDICATOR_NAME_BYTES_MAX;
    const char *copy = arena_copy(&set->arena, name);
    return slice_of(copy, copy == NULL ? 0 : name.len);
}

static size_t count_lines(struct slice content)
{
    size_t lines = content.len != 0;
    while (content.len != 0) {
        const char *newline = memchr(content.data, '\n', content.len);
        if (newline == NULL)
            break;
        lines++;
        content = slice_from_offset(content, (size_t)(newline - content.data) + 1);
    }
    return lines;
}

/* No entry has less than a line, or than its bytes in a feed; and the bytes of all lists. */
static size_t count_entries(const struct indicator_source *sources, size_t count, size_t *bytes)
{
    size_t entries = 0;
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice content = sources[i].content;
        *bytes += content.len;
        if (sources[i].format == INDICATOR_FORMAT_MISP)
            entries += content.len / MISP_ENTRY_BYTES_MIN + 1;
        else if (sources[i].format == INDICATOR_FORMAT_STIX)
            entries += content.len / STIX_ENTRY_BYTES_MIN + 1;
        else
            entries += count_lines(content);
    }
    return entries;
}

static uint64_t slots_for(size_t entries)
{
    return entries * SLOT_LOAD_NUMERATOR / SLOT_LOAD_DENOMINATOR + SLOT_LOAD_NUMERATOR;
}

/* Memory that is not touched before it is used: arrays are as large as the lists can need. */
static int begin(struct builder *b, const struct indicator_source *sources, size_t count)
{
    struct indicator_set *set = b->set;
    size_t lines = count_entries(sources, count, &b->text_bytes);
    b->text_bytes += RECORD_BYTES_MAX * (lines + 1);
    b->entry_cap = lines < INDICATOR_ENTRIES_MAX ? lines : INDICATOR_ENTRIES_MAX;
    set->seed = hash_seed();
    set->slot_count = slots_for(b->entry_cap);
    set->slots = calloc(set->slot_count, sizeof(*set->slots));
    set->entries = malloc((b->entry_cap + 1) * sizeof(*set->entries));
    set->lists = arena_array(&set->arena, count + 1, sizeof(*set->lists));
    if (set->slots == NULL || set->entries == NULL || set->lists == NULL)
        return ERR_NOMEM;
    set->list_count = count;
    for (size_t i = 0; i < count; i++) {
        set->lists[i].name = keep_name(set, sources[i].name);
        set->lists[i].version = keep_name(set, sources[i].version);
        if (set->lists[i].name.data == NULL || set->lists[i].version.data == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

/* The filter while it is made: first the keys are counted, then added. */
struct filling {
    struct indicator_set *set;
    size_t keys;
    bool add;
};

static void fill_key(struct filling *f, enum indicator_kind kind, struct slice key)
{
    f->keys++;
    if (!f->add)
        return;
    uint64_t hash = indicator_hash(f->set, kind, key);
    f->set->filter[filter_word(f->set, hash)] |= filter_mask(hash);
}

/* The key without what begins with `mark`, when there is such a byte. */
static void fill_cut(struct filling *f, enum indicator_kind kind, struct slice key, char mark)
{
    const char *at = memchr(key.data, mark, key.len);
    if (at != NULL)
        fill_key(f, kind, slice_of(key.data, (size_t)(at - key.data)));
}

/* An entry's key and what leads to it (detect/indicator_table.h). */
static void fill_entry(struct filling *f, enum indicator_kind kind, struct slice key)
{
    fill_key(f, kind, key);
    if (kind == INDICATOR_ADDRESS_PORT) {
        fill_key(f, INDICATOR_ADDRESS, slice_of(key.data, key.len - 2));
    } else if (kind == INDICATOR_URL) {
        if (memchr(key.data, '/', key.len) == NULL)
            fill_key(f, INDICATOR_NONE, key);
        fill_cut(f, INDICATOR_NONE, key, '/');
        fill_cut(f, INDICATOR_URL, key, '?');
    } else if (kind == INDICATOR_PATH) {
        fill_cut(f, INDICATOR_PATH, key, '?');
    } else if (kind == INDICATOR_DOMAIN) {
        const char *dot = memchr(key.data, '.', key.len);
        while (dot != NULL) {
            key = slice_from_offset(key, (size_t)(dot - key.data) + 1);
            dot = memchr(key.data, '.', key.len);
            if (dot != NULL)
                fill_key(f, kind, key);
        }
    }
}

static void fill(struct filling *f)
{
    for (size_t i = 0; i < f->set->entry_count; i++)
        fill_entry(f, indicator_entry_kind(f->set, i), indicator_entry_key(f->set, i));
}

static int make_filter(struct indicator_set *set)
{
    struct filling counting = {.set = set};
    struct filling adding = {.set = set, .add = true};
    fill(&counting);
    set->filter_words = counting.keys * FILTER_BITS / 64 + 1;
    set->filter = calloc(set->filter_words, sizeof(*set->filter));
    if (set->filter == NULL)
        return ERR_NOMEM;
    fill(&adding);
    return 0;
}

/* Smaller slots, where many lines were no new entry. */
static int fit_slots(struct indicator_set *set)
{
    uint64_t wanted = slots_for(set->entry_count);
    if (set->slot_count <= wanted + wanted / 4)
        return 0;
    free(set->slots);
    set->slot_count = wanted;
    set->slots = calloc(set->slot_count, sizeof(*set->slots));
    if (set->slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < set->entry_count; i++)
        put_slot(set,
                 indicator_hash(set, indicator_entry_kind(set, i), indicator_entry_key(set, i)), i);
    return 0;
}

static int make_networks(struct indicator_set *set)
{
    size_t count = set->kinds[INDICATOR_NETWORK];
    struct network *networks = calloc(count + 1, sizeof(*networks));
    uint32_t *entries = calloc(count + 1, sizeof(*entries));
    size_t used = 0;
    int status = networks == NULL || entries == NULL ? ERR_NOMEM : 0;
    for (size_t i = 0; i < set->entry_count && status == 0 && count != 0; i++) {
        if (indicator_entry_kind(set, i) != INDICATOR_NETWORK)
            continue;
        networks[used] = indicator_key_network(indicator_entry_key(set, i));
        entries[used++] = (uint32_t)i;
    }
    if (status == 0)
        status = indicator_nets_make(&set->nets, networks, entries, used);
    free(networks);
    free(entries);
    return status;
}

static void give_back(struct indicator_set *set)
{
    set->entries = shrink(set->entries, set->entry_count, sizeof(*set->entries));
    set->texts = shrink(set->texts, set->text_bytes, 1);
    set->origins = shrink(set->origins, set->origin_count, sizeof(*set->origins));
    set->words = shrink(set->words, set->word_count, sizeof(*set->words));
}

int indicator_set_new(struct indicator_set **out, const struct indicator_source *sources,
                      size_t count, const struct indicator_suffixes *suffixes, struct diag *diag)
{
    const struct indicator_news news = {.suffixes = suffixes};
    return indicator_set_new_entries(out, sources, count, &news, diag);
}

int indicator_set_new_entries(struct indicator_set **out, const struct indicator_source *sources,
                              size_t count, const struct indicator_news *news, struct diag *diag)
{
    if (count > INDICATOR_LISTS_MAX) {
        diag_add(diag, NULL, 0, 0, "more than %d lists", INDICATOR_LISTS_MAX);
        return ERR_RANGE;
    }
    struct builder b = {.suffixes = news->suffixes,
                        .known = news->known.set == NULL ? NULL : &news->known,
                        .diag = diag};
    b.set = calloc(1, sizeof(*b.set));
    if (b.set == NULL)
        return ERR_NOMEM;
    int status = begin(&b, sources, count);
    for (size_t i = 0; i < count && status == 0; i++)
        status = read_list(&b, &sources[i], (uint32_t)i);
    free(b.origin_slots);
    if (status == 0) {
        give_back(b.set);
        status = fit_slots(b.set);
    }
    if (status == 0)
        status = make_filter(b.set);
    if (status == 0)
        status = make_networks(b.set);
    if (status != 0) {
        indicator_set_free(b.set);
        return status;
    }
    *out = b.set;
    return 0;
}
