#include "ingest/asa_peers.h"

#include <assert.h>

#include "ingest/url.h"
#include "ingest/word.h"

enum {
    SERVICE_PORTS = 1024,
    PORT_DIGITS_MAX = 7,
    PEERS_SLOTS_MAX = 32, /* values of the longest template */
};

bool asa_account(struct slots *out, struct slice line, uint32_t from, uint32_t length)
{
    const char *text = line.data + from;
    const char *bar = memchr(text, '\\', length);
    const char *realm = bar == NULL ? NULL : memchr(bar, '@', length - (size_t)(bar - text));
    if (realm == NULL)
        return account_slots(out, line, from, length, SLOT_PLAIN);
    uint32_t name = (uint32_t)(realm - text);
    return account_slots(out, line, from, name, SLOT_PLAIN) &&
           (name + 1 == length ||
            slots_add(out, from + name + 1, length - name - 1, FIELD_USER_DOMAIN, SLOT_PLAIN));
}

static uint32_t small_number(struct slice s)
{
    uint32_t number = 0;
    for (size_t i = 0; i < s.len && i < PORT_DIGITS_MAX; i++) {
        if (!word_is_digit(s.data[i]))
            return SERVICE_PORTS;
        number = number * 10 + (uint32_t)(s.data[i] - '0');
    }
    return number;
}

/*
 * Is the second peer the one who acted? The direction word says it. Without one, a service's port
 * on the first side alone, or an ICMP identifier on the second alone, says that it was outbound.
 */
static bool second_acted(const struct slots *out, uint32_t first_slot, const char *text)
{
    uint32_t source_port = 0;
    uint32_t destination_port = 0;
    for (uint32_t i = first_slot; i < out->count; i++) {
        const struct slot *s = &out->items[i];
        struct slice value = slice_of(text + s->offset, s->length);
        if (s->field == FIELD_NETWORK_DIRECTION)
            return slice_equal(value, SLICE("outbound"));
        if (s->field == FIELD_SOURCE_PORT)
            source_port = small_number(value);
        else if (s->field == FIELD_DESTINATION_PORT)
            destination_port = small_number(value);
    }
    if (source_port == 0)
        return destination_port != 0;
    return source_port < SERVICE_PORTS && destination_port >= SERVICE_PORTS;
}

static uint16_t other_peer(uint16_t field)
{
    static const uint16_t PAIRS[][2] = {
        {FIELD_SOURCE_IP, FIELD_DESTINATION_IP},
        {FIELD_SOURCE_PORT, FIELD_DESTINATION_PORT},
        {FIELD_OBSERVER_INGRESS, FIELD_OBSERVER_EGRESS},
        {FIELD_SOURCE_NAT_IP, FIELD_DESTINATION_NAT_IP},
        {FIELD_SOURCE_NAT_PORT, FIELD_DESTINATION_NAT_PORT},
        {FIELD_SOURCE_DOMAIN, FIELD_DESTINATION_DOMAIN},
        {FIELD_USER_NAME, FIELD_DESTINATION_USER},
    };
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        if (field == PAIRS[i][0])
            return PAIRS[i][1];
        if (field == PAIRS[i][1])
            return PAIRS[i][0];
    }
    return field;
}

bool asa_peers(struct slots *out, uint32_t first_slot, struct slice line)
{
    struct slot written[PEERS_SLOTS_MAX];
    uint32_t count = out->count - first_slot;
    bool swap = second_acted(out, first_slot, line.data);
    assert(count <= PEERS_SLOTS_MAX);
    memcpy(written, &out->items[first_slot], count * sizeof(written[0]));
    out->count = first_slot;
    for (uint32_t i = 0; i < count; i++) {
        const struct slot *s = &written[i];
        uint16_t field = swap ? other_peer(s->field) : s->field;
        if (field == FIELD_SOURCE_USER)
            field =
                FIELD_USER_NAME; /* who logged in for the connection acted, whichever side it is */
        bool added = field == FIELD_USER_NAME
                         ? asa_account(out, line, s->offset, s->length)
                         : slots_add(out, s->offset, s->length, field, SLOT_PLAIN);
        if (!added)
            return false;
    }
    return true;
}
