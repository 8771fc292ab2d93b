#include "ingest/key_order.h"

#include "base/hash.h"

static_assert((KEY_BUCKETS & (KEY_BUCKETS - 1)) == 0, "buckets are masked");
static_assert(KEY_ORDER_MAX <= UINT8_MAX && KEY_ORDER_MAX < KEY_BUCKETS / 2,
              "indexes fit, and a probe finds a free bucket");

/* The bucket that holds the text, or the free one where it belongs. At most KEY_ORDER_MAX steps. */
static size_t bucket_of(const struct key_order *order, const char *text, size_t length)
{
    size_t bucket = hash_bytes(order->seed, text, length) & (KEY_BUCKETS - 1);
    while (order->buckets[bucket] != 0) {
        const struct key *key = &order->keys[order->buckets[bucket]];
        if (key->length == length && memcmp(key->text, text, length) == 0)
            break;
        bucket = (bucket + 1) & (KEY_BUCKETS - 1);
    }
    return bucket;
}

struct key *key_order_find(struct key_order *order, const char *text, size_t length,
                           uint32_t *bucket)
{
    *bucket = (uint32_t)bucket_of(order, text, length);
    uint8_t index = order->buckets[*bucket];
    return index == 0 ? NULL : &order->keys[index];
}

struct key *key_order_add(struct key_order *order, const struct key *key, uint32_t bucket,
                          bool *emptied)
{
    assert(key->length > 0 && key->length <= KEY_TEXT_MAX);
    *emptied = order->count + 1 == KEY_ORDER_MAX;
    if (*emptied) {
        memset(order->keys, 0, sizeof(order->keys));
        memset(order->buckets, 0, sizeof(order->buckets));
        order->count = 0;
    }
    struct key *added = &order->keys[++order->count];
    *added = *key;
    added->bits = key->length >= SCAN_BLOCK ? UINT16_MAX : (uint16_t)((1U << key->length) - 1);
    memset(added->guess, 0, sizeof(added->guess));
    order->buckets[*emptied ? bucket_of(order, key->text, key->length) : bucket] =
        (uint8_t)order->count;
    return added;
}

void key_order_link(struct key_order *order, struct key *previous, const struct key *key)
{
    uint8_t index = (uint8_t)(key - order->keys);
    size_t place = 0;
    while (place < KEY_GUESSES - 1 && previous->guess[place] != index)
        place++;
    memmove(previous->guess + 1, previous->guess, place);
    previous->guess[0] = index;
}
