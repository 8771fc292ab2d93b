#include "ingest/json_keys.h"

#include <assert.h>

#include "base/hash.h"
#include "ingest/names.h"

static_assert((JSON_KEY_BUCKETS & (JSON_KEY_BUCKETS - 1)) == 0, "buckets are masked");
static_assert(JSON_KEYS_HELD > JSON_KEYS_MAX && JSON_KEYS_HELD < JSON_KEY_BUCKETS / 2,
              "the keys of one line find room, and a search ends at a free bucket");

void json_keys_init(struct json_keys *keys)
{
    memset(keys, 0, sizeof(*keys));
    keys->seed = hash_seed();
    keys->count = 1;
}

void json_keys_empty(struct json_keys *keys)
{
    memset(keys->buckets, 0, sizeof(keys->buckets));
    memset(keys->keys, 0, sizeof(keys->keys[0]));
    keys->text_bytes = 0;
    keys->count = 1;
    keys->emptied++;
}

/* The bucket that holds the key, or the free one where it belongs. */
static size_t bucket_of(const struct json_keys *keys, uint16_t parent, struct slice text)
{
    size_t bucket = hash_slice(keys->seed ^ parent, text) & (JSON_KEY_BUCKETS - 1);
    while (keys->buckets[bucket] != 0) {
        const struct json_key *key = &keys->keys[keys->buckets[bucket]];
        if (key->parent == parent && key->length == text.len &&
            memcmp(keys->texts + key->text, text.data, text.len) == 0)
            break;
        bucket = (bucket + 1) & (JSON_KEY_BUCKETS - 1);
    }
    return bucket;
}

/* Make `index` the first guess behind `previous`. */
static void link_follower(struct json_keys *keys, uint16_t previous, uint16_t index)
{
    uint16_t *guess = keys->keys[previous].guess;
    size_t place = 0;
    while (place < JSON_KEY_GUESSES - 1 && guess[place] != index)
        place++;
    memmove(guess + 1, guess, place * sizeof(guess[0]));
    guess[0] = index;
}

static uint16_t add_key(struct json_keys *keys, size_t bucket, uint16_t parent, struct slice text)
{
    if (keys->count == JSON_KEYS_HELD || text.len > JSON_KEY_TEXT_BYTES - keys->text_bytes)
        return JSON_KEY_NONE;
    const struct json_key *above = &keys->keys[parent];
    uint16_t index = (uint16_t)keys->count++;
    struct json_key *key = &keys->keys[index];
    *key = (struct json_key){.text = keys->text_bytes,
                             .length = (uint16_t)text.len,
                             .bits = UINT16_MAX,
                             .parent = parent,
                             .depth = parent == JSON_KEY_ROOT ? 0 : (uint8_t)(above->depth + 1)};
    size_t name = text.len - 2 + (parent == JSON_KEY_ROOT ? 0 : above->name_bytes + 1U);
    key->name_bytes = (uint16_t)(name > JSON_KEY_NAME_MAX ? JSON_KEY_NAME_MAX + 1 : name);
    if (text.len < SCAN_BLOCK)
        key->bits = (uint16_t)((1U << text.len) - 1);
    memcpy(key->head, text.data, text.len < SCAN_BLOCK ? text.len : SCAN_BLOCK);
    memcpy(keys->texts + keys->text_bytes, text.data, text.len);
    keys->text_bytes += (uint32_t)text.len;
    keys->buckets[bucket] = index;
    return index;
}

uint16_t json_keys_find(struct json_keys *keys, uint16_t previous, uint16_t parent,
                        struct slice text)
{
    assert(text.len >= 2 && keys->count > 0);
    if (text.len > UINT16_MAX)
        return JSON_KEY_NONE;
    size_t bucket = bucket_of(keys, parent, text);
    uint16_t index = keys->buckets[bucket];
    if (index == 0)
        index = add_key(keys, bucket, parent, text);
    if (index != JSON_KEY_NONE)
        link_follower(keys, previous, index);
    return index;
}

size_t json_keys_name(const struct json_keys *keys, uint16_t index, char *to)
{
    size_t length = keys->keys[index].name_bytes;
    if (index == JSON_KEY_ROOT || length > JSON_KEY_NAME_MAX)
        return 0;
    /* From the end: a key knows its parent, not its children. */
    size_t at = length;
    while (index != JSON_KEY_ROOT) {
        const struct json_key *key = &keys->keys[index];
        at -= key->length - 2U;
        memcpy(to + at, keys->texts + key->text + 1, key->length - 2U);
        index = key->parent;
        if (index != JSON_KEY_ROOT)
            to[--at] = '.';
    }
    assert(at == 0);
    return length;
}

size_t json_keys_plain_name(const struct json_keys *keys, uint16_t index, char *to)
{
    char name[JSON_KEY_NAME_MAX];
    size_t length = json_keys_name(keys, index, name);
    return names_plain(to, JSON_KEY_NAME_MAX, slice_of(name, length));
}
