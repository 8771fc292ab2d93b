/*
 * tests/fuzz/indicator_check.h - every entry of a set is found by its own text, whose reading gives the
 * entry again.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/indicator_set.h"

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum indicator_type TYPE_OF[INDICATOR_KINDS] = {
    [INDICATOR_ADDRESS] = INDICATOR_TYPE_AUTO,    [INDICATOR_ADDRESS_PORT] = INDICATOR_TYPE_AUTO,
    [INDICATOR_NETWORK] = INDICATOR_TYPE_NETWORK, [INDICATOR_DOMAIN] = INDICATOR_TYPE_DOMAIN,
    [INDICATOR_URL] = INDICATOR_TYPE_URL,         [INDICATOR_PATH] = INDICATOR_TYPE_PATH,
    [INDICATOR_AGENT] = INDICATOR_TYPE_AGENT,
};

static uint32_t find_address(const struct indicator_set *set, const struct indicator_key *key)
{
    struct network net;
    uint16_t port = 0;
    size_t len = key->len;
    if (key->kind == INDICATOR_ADDRESS_PORT) {
        port = (uint16_t)((unsigned char)key->bytes[len - 2] << 8 |
                          (unsigned char)key->bytes[len - 1]);
        len -= 2;
    }
    if (key->kind == INDICATOR_NETWORK) {
        net = indicator_key_network(slice_of(key->bytes, len));
    } else {
        char bytes[17];
        memcpy(bytes, key->bytes, len);
        bytes[len] = (char)(unsigned char)(len * 8);
        net = indicator_key_network(slice_of(bytes, len + 1));
    }
    return indicator_find_address(set, &net.ip, port, INT64_MIN);
}

static void check_entry(const struct indicator_set *set, uint32_t handle)
{
    struct indicator_info info;
    struct indicator_key key;
    indicator_describe(&info, set, handle, INT64_MIN);
    assert(info.kind > INDICATOR_NONE && info.kind < INDICATOR_KINDS);
    assert(info.feed_count == 1 && slice_equal(info.feeds[0].name, SLICE("feed")));
    const char *why = indicator_key_read(&key, info.text, TYPE_OF[info.kind], 0);
    assert(why == NULL && key.kind == info.kind);
    switch (info.kind) {
    case INDICATOR_DOMAIN:
        assert(indicator_find_domain(set, info.text, INT64_MIN) == handle);
        break;
    case INDICATOR_URL:
    case INDICATOR_PATH:
        assert(indicator_find_url(set, info.text, INT64_MIN) == handle);
        break;
    case INDICATOR_AGENT:
        assert(indicator_find_agent(set, info.text, INT64_MIN) == handle);
        break;
    case INDICATOR_ADDRESS:
    case INDICATOR_ADDRESS_PORT:
        assert(find_address(set, &key) == handle);
        break;
    case INDICATOR_NETWORK: /* a narrower one may begin at the same address */
        assert(find_address(set, &key) != 0);
        break;
    case INDICATOR_NONE:
    case INDICATOR_KINDS:
    default:
        assert(false);
    }
}
