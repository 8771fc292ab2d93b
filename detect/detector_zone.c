/*
 * Segment violations (D14): what passes between zones although the municipality's model does not let
 * it, or tries to; addresses in no zone; and the first time that a service is used between two
 * zones.
 *
 *   flow -> policy_judge() -> against, attempt, homeless: certain
 *                          -> permitted: seen between these zones before? else scored
 *
 * One misconfigured PC is one alert. Of the hosts of one day the first HOSTS_ALONE between two zones
 * have alerts of their own; what comes after them is told together, and stays together while it goes
 * on.
 *
 * A new service between two zones is as unusual as days with one have been rare: each day is a
 * Bernoulli trial, and the chance of the next one is (days with a new service + 1/2) / (days + 1),
 * the estimator of R. Krichevsky and V. Trofimov (IEEE Trans. Inf. Theory 27, 1981).
 */
#include "base/bytes.h"
#include "base/calendar.h"
#include "detect/detectors.h"
#include "detect/policy.h"
#include "event/verdict.h"

enum {
    HOSTS_ALONE = 10,  /* a day, between two zones, of one kind */
    REMEMBER_DAYS = 7, /* a host that is told together with others */
    LEARN_DAYS = 7,    /* before a service is called new */
    DOUBT_DAYS = 30,   /* after evictions "never seen" may be wrong */
    CROWDS = 512,      /* kinds x pairs of zones */
    LANES = 512,       /* pairs of zones */
    PORT_WELL_KNOWN = 1024,
    PORT_DYNAMIC = 49152, /* from here on: one service */
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TEXT_BYTES_MAX = 384,
};

#define WINDOW_NS CALENDAR_DAY_NS

/* Kinds, each alone and for many hosts. */
enum {
    TEXT_PERMITTED_NUMBER,
    TEXT_DENIED_NUMBER,
    TEXT_PERMITTED_LGWAN,
    TEXT_PERMITTED,
    TEXT_DENIED,
    TEXT_HOMELESS,
    TEXT_KINDS,
    TEXT_FIRST = TEXT_KINDS * 2,
    TEXT_COUNT,
};

/* A host that was told about. */
struct host {
    uint64_t key; /* kind, zones, address */
    int32_t day;  /* of its last violation */
    uint32_t together;
};

/* The hosts of one kind between two zones. */
struct crowd {
    uint64_t key;
    int32_t day;
    uint32_t alone; /* on that day */
    uint64_t hosts; /* since it was quiet for REMEMBER_DAYS */
};

/* A service between two zones. */
struct service {
    uint64_t key;
    int64_t first_ns;
};

/* What is known of two zones. */
struct lane {
    uint64_t key;
    int32_t new_day;        /* the last day with a new service */
    uint32_t days_with_new; /* the first day of all is not one */
};

struct zone_state {
    struct table hosts;
    struct table crowds;
    struct table services;
    struct table lanes;
    int64_t evicted_day; /* of services; 0 = never */
};

/* ------------------------------------------------------------------------- texts */

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_PERMITTED_NUMBER] =
        {"permitted-mynumber", ALERT_CRITICAL, "T1599",
         "マイナンバー利用事務系の端末 {source} からインターネット({destination}、{service})への通信が"
         "許可され、境界で記録されました。マイナンバー利用事務系はインターネットと通信できない決まりです。"
         "根拠: {rule.ja}。",
         "A connection of {source} in the My-Number segment to {destination} on the Internet ({service}) was "
         "let through. The My-Number segment must never reach the Internet. Rule: {rule.en}.",
         "直ちに {source} のLANケーブルを抜き、使用者と作業内容を確認してください。境界の装置で"
         "マイナンバー利用事務系からの通信を許可している規則を今日中に止め、県のSOCへ連絡してください。",
         "Unplug {source} from the network now and ask its user what was done. Today, switch off the rule of the "
         "border device that lets the My-Number segment out, and call the prefecture's SOC."},
    [TEXT_DENIED_NUMBER] =
        {"denied-mynumber", ALERT_CRITICAL, "T1599",
         "マイナンバー利用事務系の端末 {source} がインターネット({destination}、{service})へ通信を試み、"
         "境界の装置が止めました。止まっていても、この端末の通信がインターネットとの境界まで届くこと自体が"
         "あってはならない状態です。根拠: {rule.ja}。",
         "{source} in the My-Number segment tried to reach {destination} on the Internet ({service}) and was "
         "refused. That its traffic arrives at the Internet's border at all must not happen. Rule: {rule.en}.",
         "今日中に {source} の設定(既定の経路、プロキシ)と配線を確認し、マイナンバー利用事務系と"
         "インターネットの境界がつながっている箇所を切り離してください。ウイルス検査も行ってください。",
         "Today, look at the default route, proxy and cabling of {source}. Find and cut the place where the "
         "My-Number segment touches the border, and scan the PC for malware."},
    [TEXT_PERMITTED_LGWAN] =
        {"permitted-lgwan", ALERT_CRITICAL, "T1599",
         "LGWAN接続系の端末 {source} が、登録された中継装置を通らずに直接インターネット({destination}、"
         "{service})と通信し、許可されました。根拠: {rule.ja}。",
         "{source} in the LGWAN segment reached {destination} on the Internet ({service}) directly, past all "
         "registered gateways, and was let through. Rule: {rule.en}.",
         "直ちに {source} をネットワークから外し、境界の装置でこの通信を許可している規則を確認して"
         "止めてください。正当な中継装置なら設定の gateways に登録してください。県のSOCへ今日中に連絡を。",
         "Take {source} off the network now, find the border device's rule that allows this and switch it off. If it "
         "is a rightful gateway, register it under gateways. Call the prefecture's SOC today."},
    [TEXT_PERMITTED] =
        {"permitted", ALERT_HIGH, "T1599",
         "{sekisho.zone.source} の {source} から {sekisho.zone.destination} の {destination}({service})への"
         "通信が許可されましたが、団体の通信方針では認められていません。根拠: {rule.ja}。",
         "The device let {source} ({sekisho.zone.source}) through to {destination} ({sekisho.zone.destination}, "
         "{service}), but the municipality's policy does not allow it. Rule: {rule.en}.",
         "業務に必要な通信か {source} の担当課に今日中に確認してください。不要なら装置の規則を止め、必要なら"
         "特定通信(flows)または中継装置(gateways)として理由を付けて登録してください。",
         "Ask the section in charge of {source} today whether the connection is needed. If not, switch the "
         "device's rule off; if so, register it under flows or gateways with its reason."},
    [TEXT_DENIED] =
        {"denied", ALERT_MEDIUM, "",
         "{sekisho.zone.source} の {source} が {sekisho.zone.destination} の {destination}({service})へ通信を"
         "試み、装置が止めました。団体の通信方針でも認められていない通信です。根拠: {rule.ja}。",
         "{source} ({sekisho.zone.source}) tried to reach {destination} ({sekisho.zone.destination}, {service}) "
         "and the device refused it, as the municipality's policy does. Rule: {rule.en}.",
         "今週中に {source} の設定(更新先、プロキシ、既定の経路)を確認してください。心当たりのない通信なら"
         "今日中にウイルス検査を行ってください。",
         "Within the week look at the settings of {source}: update source, proxy, default route. If nobody can "
         "explain the attempt, scan it for malware today."},
    [TEXT_HOMELESS] =
        {"no-zone", ALERT_MEDIUM, "",
         "どの領域(セグメント)にも登録されていない庁内アドレス {address} の通信が記録されました"
         "(送信元 {source}、宛先 {destination}、{service})。許可なく接続された機器か、登録漏れの可能性があります。",
         "Traffic of {address}, an inside address that belongs to no registered zone, was seen ({source} to "
         "{destination}, {service}). It may be a device that nobody approved, or a network that was not listed.",
         "今週中に {address} がどの機器か確認してください。正当なネットワークなら設定の networks に領域を付けて"
         "登録し、心当たりがなければ接続箇所を探して外してください。",
         "Find out within the week which device {address} is. List its network with a zone under networks, or, "
         "if nobody knows it, find where it is plugged in and remove it."},
    [TEXT_KINDS + TEXT_PERMITTED_NUMBER] =
        {"permitted-mynumber-many", ALERT_CRITICAL, "T1599",
         "マイナンバー利用事務系の多数の端末({hosts} 台目: {source})からインターネットへの通信が許可されて"
         "います。経路か境界の装置の設定が誤っていると考えられます。根拠: {rule.ja}。",
         "Many hosts of the My-Number segment (number {hosts} is {source}) are let through to the Internet: a route "
         "or the border device is set wrongly. Rule: {rule.en}.",
         "直ちに境界の装置でマイナンバー利用事務系からの通信を止め、県のSOCへ連絡してください。直前の設定"
         "変更を確認してください。",
         "Stop all traffic of the My-Number segment at the border device now and call the prefecture's SOC. Look "
         "for the last change of settings."},
    [TEXT_KINDS + TEXT_DENIED_NUMBER] =
        {"denied-mynumber-many", ALERT_CRITICAL, "T1599",
         "マイナンバー利用事務系の多数の端末({hosts} 台目: {source})の通信がインターネットとの境界に届き、"
         "止められています。経路の設定が誤っていると考えられます。根拠: {rule.ja}。",
         "Traffic of many hosts of the My-Number segment (number {hosts} is {source}) arrives at the Internet's "
         "border and is refused: a route is set wrongly. Rule: {rule.en}.",
         "今日中に、マイナンバー利用事務系からインターネットの境界へ向かう経路と直前の設定変更を確認し、"
         "切り離してください。",
         "Today, find the route from the My-Number segment to the border and the last change of settings, and cut "
         "it."},
    [TEXT_KINDS + TEXT_PERMITTED_LGWAN] =
        {"permitted-lgwan-many", ALERT_CRITICAL, "T1599",
         "LGWAN接続系の多数の端末({hosts} 台目: {source})が直接インターネットと通信し、許可されています。"
         "境界の装置の規則が誤っていると考えられます。根拠: {rule.ja}。",
         "Many hosts of the LGWAN segment (number {hosts} is {source}) reach the Internet directly: a rule of the "
         "border device is wrong. Rule: {rule.en}.",
         "直ちに境界の装置でLGWAN接続系からインターネットへの許可規則を止め、県のSOCへ連絡してください。",
         "Switch off the border device's rule that lets the LGWAN segment out now, and call the prefecture's SOC."},
    [TEXT_KINDS + TEXT_PERMITTED] =
        {"permitted-many", ALERT_HIGH, "T1599",
         "{sekisho.zone.source} と {sekisho.zone.destination} の間で、方針で認められていない通信が多数の端末"
         "({hosts} 台目: {source} → {destination})で許可されています。根拠: {rule.ja}。",
         "Between {sekisho.zone.source} and {sekisho.zone.destination} many hosts (number {hosts}: {source} to "
         "{destination}) are let through against the policy. Rule: {rule.en}.",
         "今日中に、この区間を許可している装置の規則を確認してください。領域の登録(networks)の誤りでないかも"
         "あわせて確認してください。",
         "Today, look at the device's rule that allows this, and whether the zones under networks are right."},
    [TEXT_KINDS + TEXT_DENIED] =
        {"denied-many", ALERT_MEDIUM, "",
         "{sekisho.zone.source} の多数の端末({hosts} 台目: {source})が {sekisho.zone.destination} への通信を"
         "試み、止められています。共通の設定(更新先など)が原因と考えられます。根拠: {rule.ja}。",
         "Many hosts of {sekisho.zone.source} (number {hosts} is {source}) try to reach {sekisho.zone.destination} "
         "and are refused, probably for a common setting such as an update source. Rule: {rule.en}.",
         "今週中に、端末の共通設定(更新先、プロキシ、配布ソフト)を確認してください。",
         "Within the week look at what the PCs have in common: update source, proxy, distributed software."},
    [TEXT_KINDS + TEXT_HOMELESS] =
        {"no-zone-many", ALERT_MEDIUM, "",
         "どの領域にも登録されていない庁内アドレスの通信が多数({hosts} 個目: {address})記録されています。"
         "ネットワークの登録漏れと考えられます。",
         "Traffic of many inside addresses in no registered zone was seen (number {hosts} is {address}): a network "
         "is probably missing in the configuration.",
         "今週中に {address} を含むネットワークを確認し、設定の networks に領域を付けて登録してください。",
         "Within the week find out which network {address} is of, and list it with its zone under networks."},
    [TEXT_FIRST] =
        {"first-seen", ALERT_LOW, "",
         "{sekisho.zone.source} から {sekisho.zone.destination} へ、この {days} 日間で初めての種類の通信"
         "({service}、{source} → {destination})がありました。この区間で新しい種類の通信が現れた日は "
         "{days_with_new} 日だけです。方針では認められています。",
         "From {sekisho.zone.source} to {sekisho.zone.destination} a service was used for the first time in {days} "
         "days ({service}, {source} to {destination}); only {days_with_new} days had a new one. The policy "
         "allows it.",
         "新しいシステムや設定変更によるものか、今週中に担当者に確認してください。",
         "Ask within the week whether a new system or a change of settings explains it."},
};

/* ------------------------------------------------------------------------- values */

/* A buffer in the caller's memory, which has room for padding behind TEXT_BYTES_MAX. */
static struct buf fixed(char *memory)
{
    return (struct buf){.data = memory, .cap = TEXT_BYTES_MAX, .limit = TEXT_BYTES_MAX};
}

static void add_service(struct finding *f, const struct flow *flow)
{
    char memory[TEXT_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf text = fixed(memory);
    buf_text(&text, flow->protocol == PROTOCOL_TCP    ? "tcp"
                    : flow->protocol == PROTOCOL_UDP  ? "udp"
                    : flow->protocol == PROTOCOL_ICMP ? "icmp"
                                                      : "ip");
    if (flow->destination_port != 0 || flow->protocol > PROTOCOL_UDP) {
        buf_byte(&text, '/');
        buf_decimal(&text, flow->destination_port != 0 ? flow->destination_port : flow->protocol);
    }
    finding_text(f, "service", buf_content(&text));
}

static void add_ends(const struct detect_run *run, struct finding *f, const struct flow *flow)
{
    finding_ip(f, "source", &flow->source);
    if ((flow->flags & FLOW_HAS_DESTINATION) != 0)
        finding_ip(f, "destination", &flow->destination);
    else
        finding_text(f, "destination", detect_text(run, flow->domain));
    add_service(f, flow);
}

static void add_zones(const struct policy *p, struct finding *f, const struct policy_judgement *j)
{
    finding_key_text(f, "sekisho.zone.source", policy_place_name(p, j->from));
    finding_key_text(f, "sekisho.zone.destination", policy_place_name(p, j->to));
}

static void add_rule(const struct policy *p, struct finding *f, const struct policy_judgement *j)
{
    char memory[TEXT_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf text = fixed(memory);
    policy_explain(&text, p, j, true);
    finding_text(f, "rule.ja", buf_content(&text));
    text = fixed(memory);
    policy_explain(&text, p, j, false);
    finding_text(f, "rule.en", buf_content(&text));
}

/* --------------------------------------------------------------------- violations */

static uint8_t kind_of(const struct policy_judgement *j)
{
    bool edge = j->to_kind == POLICY_WORLD;
    if (j->verdict == POLICY_HOMELESS)
        return TEXT_HOMELESS;
    if (j->verdict == POLICY_ATTEMPT)
        return j->from_kind == POLICY_NUMBER && edge ? TEXT_DENIED_NUMBER : TEXT_DENIED;
    if (edge && j->from_kind == POLICY_NUMBER)
        return TEXT_PERMITTED_NUMBER;
    return edge && j->from_kind == POLICY_LGWAN ? TEXT_PERMITTED_LGWAN : TEXT_PERMITTED;
}

static int8_t step_of(const struct policy_judgement *j, bool refused)
{
    bool number = j->from_kind == POLICY_NUMBER || j->to_kind == POLICY_NUMBER;
    bool lgwan = j->from_kind == POLICY_LGWAN || j->to_kind == POLICY_LGWAN;
    if (j->verdict == POLICY_HOMELESS)
        return (int8_t)((number || lgwan ? 1 : 0) - (refused ? 1 : 0));
    return number && TEXTS[kind_of(j)].severity < ALERT_CRITICAL ? 1 : 0;
}

/* Whose doing it is: the end in no zone, else the one that is the municipality's. */
static bool is_destination(const struct policy_judgement *j)
{
    return j->verdict == POLICY_HOMELESS ? j->from != 0 : j->from == POLICY_PLACE_WORLD;
}

static uint64_t address_key(const struct ip *ip)
{
    return detect_key(bytes_get64(ip->bytes), bytes_get64(ip->bytes + 8));
}

/* Whether the host is told about together with others; *hosts counts them. */
static bool joins_crowd(struct zone_state *s, const struct policy_judgement *j,
                        const struct ip *address, int64_t time_ns, uint64_t *hosts)
{
    uint64_t what = (uint64_t)kind_of(j) << 16 | (uint64_t)j->from << 8 | j->to;
    int32_t day = (int32_t)calendar_day(time_ns);
    bool fresh = false;
    struct crowd *crowd = table_take(&s->crowds, detect_key(what, 0), &fresh, NULL);
    if (fresh || day > crowd->day + REMEMBER_DAYS)
        *crowd = (struct crowd){.key = crowd->key, .day = day};
    if (day > crowd->day) {
        crowd->day = day;
        crowd->alone = 0;
    }
    struct host *host =
        table_take(&s->hosts, detect_key(address_key(address), what + 1), &fresh, NULL);
    if (fresh || day > host->day + REMEMBER_DAYS) {
        host->together = crowd->alone >= HOSTS_ALONE;
        crowd->alone += host->together == 0;
        crowd->hosts++;
        host->day = day;
    }
    host->day = day > host->day ? day : host->day;
    *hosts = crowd->hosts;
    return host->together != 0;
}

static void tell(struct detect_run *run, struct zone_state *s, const struct flow *flow,
                 const struct policy_judgement *j)
{
    const struct policy *p = detect_policy(run);
    bool theirs = is_destination(j);
    const struct ip *address = theirs ? &flow->destination : &flow->source;
    uint64_t hosts = 0;
    bool together = joins_crowd(s, j, address, flow->time_ns, &hosts);
    struct finding f;
    finding_begin(&f, (uint8_t)(kind_of(j) + (together ? TEXT_KINDS : 0)), flow, WINDOW_NS);
    f.severity_step = step_of(j, (flow->flags & FLOW_REFUSED) != 0);
    if (!together)
        finding_key_ip(&f, theirs ? "destination.ip" : "source.ip", address);
    add_zones(p, &f, j);
    add_ends(run, &f, flow);
    if (j->verdict == POLICY_HOMELESS)
        finding_ip(&f, "address", address);
    finding_text(&f, "verdict", verdict_name(flow->verdict));
    finding_text(&f, "rule", slice_from(policy_rule_name(j->rule)));
    add_rule(p, &f, j);
    if (together)
        finding_int(&f, "hosts", (int64_t)hosts);
    detect_fire(run, &f);
}

/* ---------------------------------------------------------------------- first seen */

/* Between two zones, opened, of a port that means a service. */
static bool is_service(const struct flow *flow, const struct policy_judgement *j)
{
    if (j->from == j->to || flow->destination_port == 0 ||
        (flow->protocol != PROTOCOL_TCP && flow->protocol != PROTOCOL_UDP) ||
        (flow->flags & (FLOW_REFUSED | FLOW_FAILED)) != 0)
        return false;
    /* Whatever people do on the Internet has ports of all kinds; detectors of destinations see it. */
    return j->to != POLICY_PLACE_WORLD || flow->destination_port < PORT_WELL_KNOWN;
}

/* Whether the service was never seen; it is from now on. */
static bool learn_service(struct zone_state *s, const struct flow *flow,
                          const struct policy_judgement *j)
{
    uint16_t port = flow->destination_port < PORT_DYNAMIC ? flow->destination_port : PORT_DYNAMIC;
    uint64_t what =
        (uint64_t)j->from << 40 | (uint64_t)j->to << 32 | (uint64_t)flow->protocol << 16 | port;
    uint64_t evictions = s->services.evictions;
    bool fresh = false;
    struct service *service = table_take(&s->services, detect_key(what, 2), &fresh, NULL);
    if (fresh)
        service->first_ns = flow->time_ns;
    if (s->services.evictions != evictions)
        s->evicted_day = calendar_day(flow->time_ns);
    return fresh;
}

static void tell_first(struct detect_run *run, const struct flow *flow,
                       const struct policy_judgement *j, const uint32_t trials[2])
{
    struct finding f;
    finding_begin(&f, TEXT_FIRST, flow, WINDOW_NS);
    finding_score(&f, (trials[1] + 0.5) / (trials[0] + 1.0));
    add_zones(detect_policy(run), &f, j);
    add_ends(run, &f, flow);
    finding_int(&f, "days", trials[0]);
    finding_int(&f, "days_with_new", trials[1]);
    finding_real(&f, "tail", f.tail);
    detect_fire(run, &f);
}

/* One evaluation a day and pair of zones: the day's first new service. */
static void learn(struct detect_run *run, struct zone_state *s, const struct flow *flow,
                  const struct policy_judgement *j)
{
    if (!is_service(flow, j) || !learn_service(s, flow, j))
        return;
    int64_t day = calendar_day(flow->time_ns);
    int64_t first_day = calendar_day(detect_since_ns(run));
    uint64_t what = (uint64_t)j->from << 8 | j->to;
    bool fresh = false;
    struct lane *lane = table_take(&s->lanes, detect_key(what, 3), &fresh, NULL);
    if (day <= first_day || day <= lane->new_day)
        return;
    /* Whole days between the first one, which is all learning, and today. */
    uint32_t trials[2] = {(uint32_t)(day - first_day - 1), lane->days_with_new};
    lane->new_day = (int32_t)day;
    lane->days_with_new++;
    bool doubtful = s->evicted_day != 0 && day < s->evicted_day + DOUBT_DAYS;
    if (day - first_day >= LEARN_DAYS && !doubtful)
        tell_first(run, flow, j, trials);
}

/* ---------------------------------------------------------------------- the detector */

static size_t zone_bytes(const struct detect_size *size)
{
    return sizeof(struct zone_state) + table_bytes(size->hosts, sizeof(struct host)) +
           table_bytes(CROWDS, sizeof(struct crowd)) +
           table_bytes(size->hosts, sizeof(struct service)) +
           table_bytes(LANES, sizeof(struct lane));
}

static void zone_init(void *state, const struct detect_size *size)
{
    struct zone_state *s = state;
    unsigned char *at = state;
    at += sizeof(*s);
    table_init(&s->hosts, at, size->hosts, sizeof(struct host));
    at += table_bytes(size->hosts, sizeof(struct host));
    table_init(&s->crowds, at, CROWDS, sizeof(struct crowd));
    at += table_bytes(CROWDS, sizeof(struct crowd));
    table_init(&s->services, at, size->hosts, sizeof(struct service));
    at += table_bytes(size->hosts, sizeof(struct service));
    table_init(&s->lanes, at, LANES, sizeof(struct lane));
}

static void zone_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    const struct policy *p = detect_policy(run);
    if (p == NULL)
        return;
    bool addressed = (flow->flags & FLOW_HAS_DESTINATION) != 0;
    struct policy_facts facts = {
        .time_ns = flow->time_ns,
        .source = &flow->source,
        .destination = addressed ? &flow->destination : NULL,
        .domain = detect_text(run, flow->domain),
        .source_zone = flow->source_zone,
        .destination_zone = flow->destination_zone,
        .port = flow->destination_port,
        .protocol = flow->protocol,
        .source_inside = flow->direction == FLOW_OUT || flow->direction == FLOW_INSIDE,
        .destination_inside = flow->direction == FLOW_IN || flow->direction == FLOW_INSIDE,
        .refused = (flow->flags & FLOW_REFUSED) != 0,
        .lgwan = (flow->flags & FLOW_LGWAN) != 0,
    };
    struct policy_judgement j = policy_judge(p, &facts);
    if (j.verdict == POLICY_PERMITTED)
        learn(run, state, flow, &j);
    else if (j.verdict != POLICY_UNJUDGED)
        tell(run, state, flow, &j);
}

static void zone_gaps(const void *state, struct gaps *out)
{
    const struct zone_state *s = state;
    table_gap(&s->hosts, out);
    table_gap(&s->crowds, out);
    table_gap(&s->services, out);
    table_gap(&s->lanes, out);
}

static uint64_t zone_evictions(const void *state)
{
    const struct zone_state *s = state;
    return s->hosts.evictions + s->crowds.evictions + s->services.evictions + s->lanes.evictions;
}

const struct detector detector_zone = {
    .id = "zone",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .needs = FLOW_HAS_SOURCE,
    .avoids = FLOW_EXCLUDED,
    .bytes = zone_bytes,
    .init = zone_init,
    .gaps = zone_gaps,
    .flow = zone_flow,
    .evictions = zone_evictions,
};
