#include "detect/scan_flow.h"

#include "detect/detector.h"
#include "event/verdict.h"

enum {
    ICMP = 1,
    TCP = 6,
    UDP = 17,
    ICMP6 = 58,
    WELL_KNOWN = 1024,
    TRACEROUTE_FIRST = 33434,
    TRACEROUTE_LAST = 33534,
    LOG_SOURCES = 64,
    RESET_BYTES = 40,
    SYN_BYTES_MAX = 64,
    SYNS_MAX = 4, /* a client tries again */
};

/* The note of a target's slot. */
enum {
    NOTE_ANSWERED = 1,
    NOTE_COUNT_SHIFT = 1, /* two bits: sources, up to SCAN_TARGET_POPULAR */
    NOTE_COUNT_MASK = 3,
    NOTE_LAST_SHIFT = 3, /* six bits: of the hash of the source that asked last */
    NOTE_LAST_MASK = 63,
};

/* ------------------------------------------------------------------------ flows */

static bool is_group(const struct ip *ip)
{
    if (!ip_is_v4(ip))
        return ip->bytes[0] == 0xFF;
    return ip_v4(ip) >> 28 == 0xE || ip_v4(ip) == UINT32_MAX;
}

static bool is_service_port(uint16_t port)
{
    return port != 0 && (port < WELL_KNOWN || port == 8080 || port == 8443);
}

static bool is_late_reply(const struct flow *f)
{
    return is_service_port(f->source_port) && f->destination_port >= WELL_KNOWN &&
           !is_service_port(f->destination_port);
}

static bool is_udp_noise(const struct flow *f)
{
    uint16_t port = f->destination_port;
    if (f->protocol != UDP)
        return false;
    if (port >= TRACEROUTE_FIRST && port <= TRACEROUTE_LAST)
        return true;
    return f->direction == FLOW_OUT && (port == 443 || port == 80);
}

bool scan_flow_is_noise(const struct flow *f)
{
    if ((f->flags & FLOW_WEB) != 0 && (f->registered != 0 || f->direction == FLOW_IN))
        return true;
    if ((f->flags & FLOW_HAS_DESTINATION) != 0 && is_group(&f->destination))
        return true;
    return is_late_reply(f) || is_udp_noise(f);
}

/*
 * Where bytes are those of packets, a closed port answers each SYN with an RST of 40 bytes: let
 * through and answered by the count, refused by the sense.
 */
static bool is_reset_alone(const struct flow *f)
{
    int64_t resets = f->destination_bytes / RESET_BYTES;
    return f->protocol == TCP && f->destination_bytes % RESET_BYTES == 0 && resets >= 1 &&
           resets <= SYNS_MAX && f->source_bytes >= 0 && f->source_bytes <= resets * SYN_BYTES_MAX;
}

enum scan_outcome scan_flow_outcome(const struct flow *f, uint64_t *tells)
{
    uint64_t source = UINT64_C(1) << f->log_source % LOG_SOURCES;
    if ((f->flags & (FLOW_REFUSED | FLOW_FAILED)) != 0)
        return SCAN_REFUSED;
    if ((f->flags & (FLOW_BEGINS | FLOW_LGWAN)) != 0)
        return SCAN_SILENT;
    if (f->destination_bytes < 0)
        return f->verdict != VERDICT_ALLOW || (*tells & source) != 0 ? SCAN_SILENT : SCAN_ANSWERED;
    *tells |= source;
    if (f->destination_bytes > 0)
        return is_reset_alone(f) ? SCAN_REFUSED : SCAN_ANSWERED;
    bool asks = f->protocol == UDP || f->protocol == ICMP || f->protocol == ICMP6;
    return asks ? SCAN_REFUSED : SCAN_SILENT;
}

/* What programs ask for all day by names whose addresses change. */
static bool is_everyday(const struct flow *f)
{
    switch (f->destination_port) {
    case 53:   /* names */
    case 123:  /* time */
    case 137:  /* NetBIOS names, asked of any address */
    case 138:  /* NetBIOS datagrams */
    case 3478: /* calls through NAT */
    case 3479:
    case 3480:
    case 3481:
        return f->protocol != TCP;
    case 80:
    case 443:
    case 853:  /* names over TLS */
    case 5222: /* push */
    case 5223:
    case 5228:
    case 8080:
    case 8443:
    case 8883:
        return true;
    default:
        return false;
    }
}

/* Mail, web, names and time are ordinary. */
bool scan_port_is_sought(uint16_t port)
{
    static const uint16_t HIGH[] = {1433, 1521, 2049, 2222, 2323, 2375, 3306, 3389,  5432,  5555,
                                    5900, 5985, 5986, 6379, 7001, 8291, 9200, 10250, 11211, 27017};
    static const uint16_t ORDINARY[] = {25, 53, 80, 110, 123, 143, 443, 465, 587, 853, 993, 995};
    bool low = port > 0 && port < WELL_KNOWN;
    const uint16_t *list = low ? ORDINARY : HIGH;
    size_t count = low ? sizeof(ORDINARY) / sizeof(ORDINARY[0]) : sizeof(HIGH) / sizeof(HIGH[0]);
    for (size_t i = 0; i < count; i++) {
        if (list[i] == port)
            return !low;
    }
    return low;
}

enum scan_kind scan_flow_kind(const struct flow *f)
{
    if ((f->flags & FLOW_LGWAN) != 0)
        return SCAN_LGWAN;
    if (f->direction == FLOW_IN || f->direction == FLOW_PASSING)
        return SCAN_INBOUND;
    bool web = f->destination_port == 80 || f->destination_port == 443;
    if (f->direction == FLOW_INSIDE)
        return is_everyday(f) && f->protocol == UDP && !web ? SCAN_EVERYDAY : SCAN_INSIDE;
    return is_everyday(f) ? SCAN_EVERYDAY : SCAN_OUT;
}

/* ---------------------------------------------------------------------- targets */

static uint64_t target_key(const struct flow *f)
{
    return detect_key(f->destination_key, f->destination_port);
}

void scan_target_ahead(const struct contact_set *targets, const struct flow *f)
{
    contact_ahead(targets, target_key(f));
}

void scan_target_answered(struct contact_set *targets, const struct flow *f)
{
    uint32_t *slot = contact_take(targets, target_key(f), f->time_ns, NULL);
    contact_note_set(slot, contact_note(slot) | NOTE_ANSWERED);
}

unsigned scan_target_refused(struct contact_set *targets, const struct flow *f)
{
    uint32_t *slot = contact_take(targets, target_key(f), f->time_ns, NULL);
    unsigned note = contact_note(slot);
    unsigned count = note >> NOTE_COUNT_SHIFT & NOTE_COUNT_MASK;
    unsigned last = note >> NOTE_LAST_SHIFT & NOTE_LAST_MASK;
    unsigned asks = (unsigned)(f->source_key >> 8) & NOTE_LAST_MASK;
    unsigned known = (note & NOTE_ANSWERED) != 0 ? SCAN_TARGET_ANSWERS : 0;
    if (count == 0 || last != asks)
        count += count < SCAN_TARGET_POPULAR;
    if (count == SCAN_TARGET_POPULAR)
        known |= SCAN_TARGET_SHARED;
    contact_note_set(slot,
                     (note & NOTE_ANSWERED) | count << NOTE_COUNT_SHIFT | asks << NOTE_LAST_SHIFT);
    return known;
}

unsigned scan_target_weight(const struct flow *f, enum scan_kind kind, unsigned known)
{
    bool answers = (known & SCAN_TARGET_ANSWERS) != 0;
    if (answers && (f->flags & FLOW_REFUSED) == 0)
        return 0; /* a server that exists and did not answer this once */
    bool shared = (known & SCAN_TARGET_SHARED) != 0;
    if (kind == SCAN_LGWAN)
        return shared ? 0 : SCAN_WHOLE; /* a service that is gone is missed by the whole office */
    if (kind == SCAN_EVERYDAY && (answers || shared))
        return 0; /* the office's programs are denied the same places */
    return answers ? SCAN_WHOLE / 2 : SCAN_WHOLE;
}
