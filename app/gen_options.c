#include "app/gen_options.h"

#include "base/err.h"

static const char *const FORMAT_NAMES[GEN_FORMATS] = {
    [GEN_FORTIGATE] = "fortigate", [GEN_PANOS] = "panos",       [GEN_CISCO_ASA] = "cisco_asa",
    [GEN_SQUID] = "squid",         [GEN_I_FILTER] = "i_filter",
};

static const char *const CASE_NAMES[GEN_CASE_KINDS + 1] = {
    [GEN_SCAN] = "scan",
    [GEN_SCAN_VERTICAL] = "scan_vertical",
    [GEN_SCAN_INBOUND] = "scan_inbound",
    [GEN_SLOW_SCAN] = "slow_scan",
    [GEN_IOC_IP] = "ioc_ip",
    [GEN_IOC_DOMAIN] = "ioc_domain",
    [GEN_IOC_URL] = "ioc_url",
    [GEN_ZONE_LGWAN] = "zone_lgwan",
    [GEN_ZONE_MYNUMBER] = "zone_mynumber",
    [GEN_SILENCE] = "silence",
    [GEN_DENY_BURST] = "deny_burst",
    [GEN_BRUTE_FORCE] = "brute_force",
    [GEN_FLOOD] = "flood",
    [GEN_BEACON] = "beacon",
    [GEN_EXFIL] = "exfil",
    [GEN_RARE] = "rare",
    [GEN_FEW_HOSTS] = "few_hosts",
    [GEN_DRIFT] = "drift",
    [GEN_LGWAN_SCAN] = "lgwan_scan",
    [GEN_LGWAN_SPREAD] = "lgwan_spread",
    [GEN_CASE_KINDS] = "all",
};

void gen_options_init(struct gen_options *o)
{
    *o = (struct gen_options){.seed = 1, .tenants = 10, .pcs_min = 50, .pcs_max = GEN_PCS_MAX};
}

const char *gen_format_name(enum gen_format format)
{
    return FORMAT_NAMES[format];
}

const char *gen_case_name(enum gen_case_kind kind)
{
    return CASE_NAMES[kind];
}

void gen_options_kinds(struct buf *out)
{
    for (size_t i = 0; i <= GEN_CASE_KINDS; i++) {
        if (i > 0)
            buf_byte(out, ' ');
        buf_text(out, CASE_NAMES[i]);
    }
}

/* Cut the part up to `separator` off the front of rest. */
static struct slice take_part(struct slice *rest, char separator)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    struct slice part = slice_of(rest->data, len);
    *rest = slice_from_offset(*rest, end == NULL ? len : len + 1);
    return part;
}

static int read_count(uint32_t *out, struct slice text, uint32_t max)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 9)
        return ERR_FORMAT;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_FORMAT;
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (value > max)
        return ERR_RANGE;
    *out = value;
    return 0;
}

static int find_name(size_t *out, struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(name, slice_from(names[i]))) {
            *out = i;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}

static int refuse(struct diag *diag, const char *option, struct slice part, const char *wanted)
{
    diag_add(diag, option, 0, 0, "\"%.*s\" is not %s", (int)part.len, part.data, wanted);
    return ERR_CONF;
}

int gen_options_formats(struct gen_options *o, struct slice text, struct diag *diag)
{
    uint32_t share[GEN_FORMATS] = {0};
    uint32_t total = 0;
    while (text.len > 0) {
        struct slice part = take_part(&text, ',');
        struct slice weight = part;
        struct slice name = take_part(&weight, '=');
        size_t format = 0;
        if (find_name(&format, name, FORMAT_NAMES, GEN_FORMATS) != 0)
            return refuse(diag, "--format", name,
                          "one of fortigate, panos, cisco_asa, squid, i_filter");
        share[format] = 1;
        if (name.len != part.len && read_count(&share[format], weight, 1000) != 0)
            return refuse(diag, "--format", weight, "a weight of 0 to 1000");
        total += share[format];
    }
    if (total == 0)
        return refuse(diag, "--format", text, "a mix with any weight");
    memcpy(o->share, share, sizeof(share));
    return 0;
}

int gen_options_inject(struct gen_options *o, struct slice text, struct diag *diag)
{
    uint32_t cases[GEN_CASE_KINDS];
    memcpy(cases, o->cases, sizeof(cases));
    while (text.len > 0) {
        struct slice part = take_part(&text, ',');
        struct slice count = part;
        struct slice name = take_part(&count, ':');
        size_t kind = 0;
        uint32_t value = 1;
        if (find_name(&kind, name, CASE_NAMES, GEN_CASE_KINDS + 1) != 0) {
            const char *near = diag_suggest(name, CASE_NAMES, GEN_CASE_KINDS + 1);
            diag_add(diag, "--inject", 0, 0, "unknown kind \"%.*s\"; did you mean \"%s\"?",
                     (int)name.len, name.data, near == NULL ? "all" : near);
            return ERR_CONF;
        }
        if (name.len != part.len && read_count(&value, count, GEN_CASES_MAX) != 0)
            return refuse(diag, "--inject", count, "a count of 0 to 1000");
        for (size_t i = 0; i < GEN_CASE_KINDS; i++)
            if (i == kind || kind == GEN_CASE_KINDS)
                cases[i] = value;
    }
    memcpy(o->cases, cases, sizeof(cases));
    return 0;
}

static size_t require(bool holds, struct diag *diag, const char *option, const char *message)
{
    if (holds)
        return 0;
    diag_add(diag, option, 0, 0, "%s", message);
    return 1;
}

int gen_options_check(const struct gen_options *o, struct diag *diag)
{
    size_t faults = 0;
    faults += require(o->tenants >= 1 && o->tenants <= GEN_TENANTS_MAX, diag, "--tenants",
                      "must be 1 to 500");
    faults += require(o->events > 0 || o->days > 0, diag, "gen", "give --events or --days");
    faults += require(o->days <= GEN_DAYS_MAX, diag, "--days", "must be at most 366");
    faults += require(o->pcs_min >= 8 && o->pcs_min <= o->pcs_max && o->pcs_max <= GEN_PCS_MAX,
                      diag, "--pcs", "must be MIN-MAX within 8 and 8000");
    faults += require(o->mess_permille <= 1000, diag, "--mess", "must be at most 1000");
    faults +=
        require(o->huge_permillion <= 1000000, diag, "--mess-huge", "must be at most 1000000");
    faults += require(o->start_ns >= 0, diag, "--start", "must be after 1970");
    faults += require(o->inject_after_days == 0 || o->inject_after_days < o->days, diag,
                      "--inject-after", "fewer days than --days, which it needs");
    faults += require(o->silence_from_ns == 0 || o->silence_from_ns < o->silence_until_ns, diag,
                      "--inject", "the span of silences is empty");
    faults += require(o->inject_until_ns == 0 || o->inject_from_ns < o->inject_until_ns, diag,
                      "--inject", "its span of time is empty");
    return faults == 0 ? 0 : ERR_CONF;
}
