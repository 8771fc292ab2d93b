#include "detect/indicator_set.h"

#include <assert.h>
#include <stdlib.h>

#include "detect/indicator_table.h"

void indicator_set_free(struct indicator_set *set)
{
    if (set == NULL)
        return;
    free(set->filter);
    free(set->slots);
    free(set->entries);
    free(set->texts);
    free(set->origins);
    free(set->words);
    indicator_nets_release(&set->nets);
    arena_release(&set->arena);
    free(set);
}

enum indicator_kind indicator_entry_kind(const struct indicator_set *set, size_t entry)
{
    return (unsigned char)set->texts[set->entries[entry].text];
}

struct slice indicator_entry_key(const struct indicator_set *set, size_t entry)
{
    const char *p = set->texts + set->entries[entry].text + 1;
    size_t len = (unsigned char)*p++;
    if (len >= 128)
        len = (len & 127) | (size_t)(unsigned char)*p++ << 7;
    return slice_of(p, len);
}

size_t indicator_table_find(const struct indicator_set *set, enum indicator_kind kind,
                            struct slice key, uint64_t hash)
{
    const uint32_t index_mask = (UINT32_C(1) << SLOT_INDEX_BITS) - 1;
    uint64_t at = slot_first(set, hash);
    for (; set->slots[at] != 0; at = at + 1 == set->slot_count ? 0 : at + 1) {
        if ((set->slots[at] & ~index_mask) != slot_tag(hash))
            continue;
        size_t entry = (set->slots[at] & index_mask) - 1;
        if (indicator_entry_kind(set, entry) == kind &&
            slice_equal(indicator_entry_key(set, entry), key))
            return entry;
    }
    return SIZE_MAX;
}

static bool entry_lives(const struct indicator_set *set, size_t entry, int64_t at_ns)
{
    return set->origins[set->entries[entry].origin].latest_ns > at_ns;
}

/* The entry or 0, and whether the filter says that there is nothing behind the key. */
static uint32_t find_key(const struct indicator_set *set, enum indicator_kind kind,
                         struct slice key, int64_t at_ns, bool *nothing)
{
    uint64_t hash = indicator_hash(set, kind, key);
    *nothing = !filter_may_hold(set, hash);
    if (*nothing)
        return 0;
    size_t entry = indicator_table_find(set, kind, key, hash);
    return entry != SIZE_MAX && entry_lives(set, entry, at_ns) ? (uint32_t)(entry + 1) : 0;
}

static uint32_t find_network(const struct indicator_set *set, const struct ip *ip, int64_t at_ns)
{
    uint32_t at = indicator_nets_find(&set->nets, ip);
    while (at != INDICATOR_NET_NONE && !entry_lives(set, set->nets.items[at].entry, at_ns))
        at = set->nets.items[at].parent;
    return at == INDICATOR_NET_NONE ? 0 : set->nets.items[at].entry + 1;
}

void indicator_ahead(const struct indicator_set *set, const struct ip *ip)
{
    char key[18];
    size_t len = indicator_address_key(key, ip);
    uint64_t hash = indicator_hash(set, INDICATOR_ADDRESS, slice_of(key, len));
    __builtin_prefetch(&set->filter[filter_word(set, hash)]);
}

uint32_t indicator_find_address(const struct indicator_set *set, const struct ip *ip, uint16_t port,
                                int64_t at_ns)
{
    char key[18];
    bool nothing = true;
    size_t len = indicator_address_key(key, ip);
    uint32_t found = find_key(set, INDICATOR_ADDRESS, slice_of(key, len), at_ns, &nothing);
    if (!nothing && port != 0) {
        len = indicator_address_port_key(key, ip, port);
        uint32_t narrower =
            find_key(set, INDICATOR_ADDRESS_PORT, slice_of(key, len), at_ns, &nothing);
        found = narrower != 0 ? narrower : found;
    }
    return found != 0 ? found : find_network(set, ip, at_ns);
}

/* In lower case, as an A-label where needed, without the last dot; its length, or 0. */
static size_t plain_name(char out[HOSTNAME_BYTES_MAX + 1], struct slice host)
{
    unsigned high = 0;
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    for (size_t i = 0; i < host.len; i++)
        high |= (unsigned char)host.data[i];
    if (high >= 0x80)
        return hostname_normalize(out, host);
    if (host.len > HOSTNAME_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        out[i] = (char)(c + (c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0));
    }
    return host.len;
}

uint32_t indicator_find_domain(const struct indicator_set *set, struct slice host, int64_t at_ns)
{
    char name[HOSTNAME_BYTES_MAX + 1];
    uint32_t found = 0;
    bool nothing = set->kinds[INDICATOR_DOMAIN] == 0;
    size_t len = nothing ? 0 : plain_name(name, host);
    size_t from = len;
    /* From the last label up; a longer name that is listed replaces a shorter one. */
    for (unsigned labels = 1; !nothing && from > 0; labels++) {
        do
            from--;
        while (from > 0 && name[from - 1] != '.');
        if (labels == 1) {
            from -= from > 0; /* to the dot before the top-level domain, which is never listed */
            continue;
        }
        uint32_t longer =
            find_key(set, INDICATOR_DOMAIN, slice_of(name + from, len - from), at_ns, &nothing);
        found = longer != 0 ? longer : found;
        from -= from > 0;
    }
    return found;
}

/* A URL in its one spelling: authority, path and query, one behind the other. */
struct url_text {
    size_t authority; /* its length */
    size_t path;      /* end of the path; 0 = it does not fit */
    struct slice query;
    char bytes[INDICATOR_AUTHORITY_BYTES_MAX + INDICATOR_URL_BYTES_MAX];
};

static void write_path(struct url_text *out, struct indicator_url url)
{
    size_t at = out->authority;
    indicator_url_trim(&url);
    if (url.path.len == 0)
        out->bytes[at++] = '/';
    size_t len = indicator_escape(out->bytes + at, sizeof(out->bytes) - at, url.path);
    out->path = len == SIZE_MAX ? 0 : at + len;
    out->query = url.query;
}

/* Write the query behind the path; the end of both, or 0 when it does not fit. */
static size_t write_query(struct url_text *text)
{
    size_t at = text->path;
    if (at == sizeof(text->bytes))
        return 0;
    text->bytes[at++] = '?';
    size_t len = indicator_escape(text->bytes + at, sizeof(text->bytes) - at, text->query);
    return len == SIZE_MAX ? 0 : at + len;
}

/* Without its query, and then with it. */
static uint32_t find_path(const struct indicator_set *set, enum indicator_kind kind,
                          struct url_text *text, size_t from, int64_t at_ns)
{
    bool nothing = text->path == 0;
    uint32_t found = 0;
    if (!nothing)
        found =
            find_key(set, kind, slice_of(text->bytes + from, text->path - from), at_ns, &nothing);
    size_t end = nothing || text->query.len == 0 ? 0 : write_query(text);
    if (end == 0)
        return found;
    uint32_t narrower =
        find_key(set, kind, slice_of(text->bytes + from, end - from), at_ns, &nothing);
    return narrower != 0 ? narrower : found;
}

uint32_t indicator_find_url_parts(const struct indicator_set *set, const struct indicator_url *url,
                                  int64_t at_ns)
{
    struct url_text text;
    bool known = false;
    bool paths = set->kinds[INDICATOR_PATH] != 0;
    text.authority = 0;
    if (set->kinds[INDICATOR_URL] != 0 && url->host.len != 0) {
        text.authority = indicator_authority(text.bytes, url->host, url->port);
        struct slice authority = slice_of(text.bytes, text.authority);
        known = text.authority != 0 &&
                filter_may_hold(set, indicator_hash(set, INDICATOR_NONE, authority));
    }
    if (!known && !paths)
        return 0;
    write_path(&text, *url);
    uint32_t found = 0;
    if (known) {
        bool nothing = false;
        found = find_path(set, INDICATOR_URL, &text, 0, at_ns);
        if (found == 0)
            found =
                find_key(set, INDICATOR_URL, slice_of(text.bytes, text.authority), at_ns, &nothing);
    }
    if (found == 0 && paths)
        found = find_path(set, INDICATOR_PATH, &text, text.authority, at_ns);
    return found;
}

uint32_t indicator_find_url(const struct indicator_set *set, struct slice url, int64_t at_ns)
{
    struct indicator_url parts = {0};
    if (url.len != 0 && url.data[0] == '/')
        parts.path = url;
    else if (!indicator_url_split(&parts, url))
        return 0;
    return indicator_find_url_parts(set, &parts, at_ns);
}

uint32_t indicator_find_agent(const struct indicator_set *set, struct slice agent, int64_t at_ns)
{
    char text[INDICATOR_AGENT_BYTES_MAX];
    bool nothing = false;
    if (set->kinds[INDICATOR_AGENT] == 0 || agent.len > sizeof(text))
        return 0;
    for (size_t i = 0; i < agent.len; i++) {
        char c = agent.data[i];
        text[i] = (char)(c + (c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0));
    }
    return find_key(set, INDICATOR_AGENT, slice_of(text, agent.len), at_ns, &nothing);
}

bool indicator_is_live(const struct indicator_set *set, uint32_t handle, int64_t at_ns)
{
    assert(handle != 0 && handle <= set->entry_count);
    return entry_lives(set, handle - 1, at_ns);
}

static void add_feed(struct indicator_info *out, const struct indicator_set *set,
                     const struct indicator_word *word, int64_t at_ns)
{
    if (word->expires_ns <= at_ns)
        return;
    out->feeds[out->feed_count++] = (struct indicator_feed){
        .name = set->lists[word->list].name,
        .version = set->lists[word->list].version,
        .expires_ns = word->expires_ns,
    };
}

void indicator_describe(struct indicator_info *out, const struct indicator_set *set,
                        uint32_t handle, int64_t at_ns)
{
    assert(handle != 0 && handle <= set->entry_count);
    size_t entry = handle - 1;
    const struct indicator_origin *origin = &set->origins[set->entries[entry].origin];
    struct slice key = indicator_entry_key(set, entry);
    out->kind = indicator_entry_kind(set, entry);
    out->text = key;
    out->feed_count = 0;
    out->feeds_more = origin->more;
    if (out->kind == INDICATOR_ADDRESS || out->kind == INDICATOR_ADDRESS_PORT ||
        out->kind == INDICATOR_NETWORK) {
        struct buf text = {.data = out->scratch, .cap = 64, .limit = 64};
        indicator_key_print(&text, out->kind, key);
        assert(buf_ok(&text));
        out->text = buf_content(&text);
    }
    const struct indicator_word alone = {.expires_ns = origin->latest_ns, .list = origin->list};
    for (unsigned i = 0; i < origin->count; i++)
        add_feed(out, set, origin->count == 1 ? &alone : &set->words[origin->first + i], at_ns);
}

size_t indicator_set_lists(const struct indicator_set *set)
{
    return set->list_count;
}

struct indicator_counts indicator_set_counts(const struct indicator_set *set, size_t list)
{
    assert(list < set->list_count);
    return set->lists[list].counts;
}

void indicator_set_print_unused(struct buf *out, const struct indicator_set *set, size_t list)
{
    assert(list < set->list_count);
    if (set->lists[list].unused != NULL)
        indicator_unused_print(out, set->lists[list].unused);
}

size_t indicator_set_entries(const struct indicator_set *set)
{
    return set->entry_count;
}

size_t indicator_set_bytes(const struct indicator_set *set)
{
    size_t map = set->nets.map == NULL ? 0 : INDICATOR_NET_MAP_WORDS * sizeof(*set->nets.map);
    return sizeof(*set) + set->filter_words * sizeof(*set->filter) +
           set->slot_count * sizeof(*set->slots) + set->entry_count * sizeof(*set->entries) +
           set->text_bytes + set->origin_count * sizeof(*set->origins) +
           set->word_count * sizeof(*set->words) + set->nets.count * sizeof(*set->nets.items) +
           map + set->arena.held_bytes;
}
