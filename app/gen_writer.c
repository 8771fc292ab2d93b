#include "app/gen_writer.h"

#include <assert.h>

#define KIND(k) (UINT32_C(1) << (k))

enum {
    SESSIONS = KIND(GEN_FLOW_END) | KIND(GEN_FLOW_FAILED) | KIND(GEN_FLOW_DENY),
    LOGINS = KIND(GEN_FLOW_LOGIN) | KIND(GEN_FLOW_LOGIN_FAIL),
};

static const struct gen_writer WRITERS[GEN_FORMATS] = {
    [GEN_FORTIGATE] = {SESSIONS | LOGINS | KIND(GEN_FLOW_WEB) | KIND(GEN_FLOW_APP) |
                           KIND(GEN_FLOW_DNS) | KIND(GEN_FLOW_IPS),
                       gen_fortigate_write},
    [GEN_PANOS] = {SESSIONS | KIND(GEN_FLOW_WEB) | KIND(GEN_FLOW_IPS), gen_panos_write},
    [GEN_CISCO_ASA] = {SESSIONS | LOGINS | KIND(GEN_FLOW_START) | KIND(GEN_FLOW_WEB),
                       gen_asa_write},
    [GEN_SQUID] = {KIND(GEN_FLOW_HTTP), gen_squid_write},
    [GEN_I_FILTER] = {KIND(GEN_FLOW_HTTP), gen_ifilter_write},
};

const struct gen_writer *gen_writer(enum gen_format format)
{
    assert(format < GEN_FORMATS);
    return &WRITERS[format];
}
