#include "ingest/told.h"

#include "ingest/phrase.h"

#define PHRASES(PHRASE)                                     \
    PHRASE("user [", USER_NAME, NONE, ACCOUNT, ']')         \
    PHRASE("VPN user ", USER_NAME, NONE, ACCOUNT, ' ')      \
    PHRASE("WSM User ", USER_NAME, NONE, ACCOUNT, ' ')      \
    PHRASE("virtual IP is ", HOST_IP, NONE, ADDRESS, 0)     \
    PHRASE("from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)     \
    PHRASE("DHCPACK on ", SOURCE_IP, NONE, ADDRESS, 0)      \
    PHRASE("DHCPNAK on ", SOURCE_IP, NONE, ADDRESS, 0)      \
    PHRASE("DHCPOFFER on ", SOURCE_IP, NONE, ADDRESS, 0)    \
    PHRASE("DHCPREQUEST for ", SOURCE_IP, NONE, ADDRESS, 0) \
    PHRASE("DHCPRELEASE of ", SOURCE_IP, NONE, ADDRESS, 0)

PHRASE_TABLE(TABLE, PHRASES);

bool told_slots(struct slots *out, struct slice line, const struct slot *s)
{
    struct cursor c = cursor_at(out, line, s->offset);
    return phrase_tell(&c, &TABLE, c.at, c.at + s->length);
}
