#include "ingest/told.h"

#include "ingest/phrase.h"

static const struct phrase PHRASES[] = {
    {{"user [", 6}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, ']'},
    {{"VPN user ", 9}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, ' '},
    {{"WSM User ", 9}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, ' '},
    {{"virtual IP is ", 14}, FIELD_HOST_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
    {{"from ", 5}, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, PHRASE_ADDRESS, 0},
    {{"DHCPACK on ", 11}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
    {{"DHCPNAK on ", 11}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
    {{"DHCPOFFER on ", 13}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
    {{"DHCPREQUEST for ", 16}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
    {{"DHCPRELEASE of ", 15}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
};

static const struct phrase_table TABLE = {PHRASES, sizeof(PHRASES) / sizeof(PHRASES[0])};

bool told_slots(struct slots *out, struct slice line, const struct slot *s)
{
    struct cursor c = cursor_at(out, line, s->offset);
    return phrase_tell(&c, &TABLE, c.at, c.at + s->length);
}
