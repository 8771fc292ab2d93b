#include "app/sample_detectors.h"

#include <stddef.h>
#include <string.h>

#include "event/field.h"

/* In place of a field: a verdict in any line, and a line of something refused. */
enum {
    NEEDS_VERDICT = FIELD_VERDICT,
    NEEDS_REFUSED = FIELD_LOCAL_FIRST,
};

static const struct sample_detector DETECTORS[] = {
    {"D1 rare", "places that nobody here used before", "初めての通信先"},
    {"D3 scan", "scans of hosts and ports", "スキャン(機器やポートの探索)"},
    {"D4 slow_scan", "slow scans over hours and days", "ゆっくりしたスキャン"},
    {"D5 burst", "bursts of refused or failed connections of a PC",
     "端末からの拒否・失敗接続の急増"},
    {"D5 login", "failed logins", "ログイン失敗の多発"},
    {"D11 flood", "floods of sessions to a server", "サーバへの接続の急増(サービス不能攻撃)"},
    {"D12 silence", "a source that falls silent or has a wrong clock", "ログの途絶、時計のずれ"},
    {"D12 drift", "lines that can no longer be read, or of another device",
     "読めなくなったログ、別の機器のログ"},
    {"D14 zone", "traffic between the separated segments", "分離した領域の間の通信"},
    {"indicator", "addresses, names and URLs on lists of threats", "脅威情報リストとの照合"},
    {"new-port", "ports that nobody here used before", "初めてのポート"},
};

static const struct detector_need NEEDS[] = {
    {"D1 rare", {FIELD_SOURCE_IP}, NULL, NULL},
    {"D1 rare", {FIELD_DESTINATION_IP, FIELD_URL_DOMAIN, FIELD_DESTINATION_DOMAIN}, NULL, NULL},
    {"D1 rare",
     {FIELD_URL_DOMAIN, FIELD_DESTINATION_DOMAIN},
     "places are addresses without names",
     "通信先は名前でなくアドレスだけになります"},
    {"D1 rare",
     {FIELD_SOURCE_BYTES, FIELD_HTTP_REQUEST_BYTES},
     "how much is sent out is not seen",
     "外部へ送った量が分かりません"},
    {"D3 scan", {FIELD_SOURCE_IP}, NULL, NULL},
    {"D3 scan", {FIELD_DESTINATION_IP, FIELD_URL_DOMAIN, FIELD_DESTINATION_DOMAIN}, NULL, NULL},
    {"D3 scan", {NEEDS_VERDICT}, NULL, NULL},
    {"D3 scan",
     {NEEDS_REFUSED},
     "only connections without an answer count",
     "応答のなかった接続だけで判断します"},
    {"D4 slow_scan", {FIELD_SOURCE_IP}, NULL, NULL},
    {"D4 slow_scan", {FIELD_DESTINATION_IP}, NULL, NULL},
    {"D4 slow_scan", {FIELD_DESTINATION_PORT}, NULL, NULL},
    {"D4 slow_scan",
     {NEEDS_REFUSED},
     "only connections without an answer count",
     "応答のなかった接続だけで判断します"},
    {"D5 burst", {FIELD_SOURCE_IP}, NULL, NULL},
    {"D5 burst", {NEEDS_VERDICT}, NULL, NULL},
    {"D5 burst",
     {NEEDS_REFUSED},
     "only connections without an answer count",
     "応答のなかった接続だけで判断します"},
    {"D5 login", {FIELD_EVENT_ACTION, FIELD_EVENT_CODE, FIELD_EVENT_OUTCOME}, NULL, NULL},
    {"D5 login",
     {FIELD_USER_NAME},
     "many accounts tried from one place look like one",
     "一か所から多数のアカウントを試しても一つに見えます"},
    {"D5 login",
     {FIELD_SOURCE_IP},
     "where the attempts come from is not seen",
     "どこからの試行か分かりません"},
    {"D11 flood", {FIELD_SOURCE_IP}, NULL, NULL},
    {"D11 flood", {FIELD_DESTINATION_IP}, NULL, NULL},
    {"D12 silence", {FIELD_TIMESTAMP}, "a wrong clock is not seen", "時計のずれが分かりません"},
    {"D14 zone", {FIELD_SOURCE_IP}, NULL, NULL},
    {"D14 zone", {FIELD_DESTINATION_IP, FIELD_URL_DOMAIN, FIELD_DESTINATION_DOMAIN}, NULL, NULL},
    {"D14 zone",
     {FIELD_DESTINATION_PORT, FIELD_URL_PORT},
     "registered flows with a port fit no line",
     "ポートを決めた登録済み通信と照合できません"},
    {"indicator",
     {FIELD_SOURCE_IP, FIELD_DESTINATION_IP, FIELD_URL_DOMAIN, FIELD_DESTINATION_DOMAIN},
     NULL,
     NULL},
    {"indicator",
     {FIELD_URL_DOMAIN, FIELD_DESTINATION_DOMAIN, FIELD_DNS_QUESTION},
     "names on lists fit no line",
     "リストのドメイン名と照合できません"},
    {"indicator",
     {FIELD_URL_PATH, FIELD_URL_ORIGINAL},
     "URLs on lists fit no line",
     "リストの URL と照合できません"},
    {"new-port", {FIELD_SOURCE_IP}, NULL, NULL},
    {"new-port", {FIELD_DESTINATION_IP}, NULL, NULL},
    {"new-port", {FIELD_DESTINATION_PORT}, NULL, NULL},
};

const struct sample_detector *sample_detector_at(unsigned index)
{
    return index < sizeof(DETECTORS) / sizeof(DETECTORS[0]) ? &DETECTORS[index] : NULL;
}

const char *detector_state_name(enum detector_state state)
{
    static const char *const NAMES[] = {
        [DETECTOR_WORKS] = "works", [DETECTOR_WEAKER] = "weaker", [DETECTOR_BLIND] = "blind"};
    return NAMES[state];
}

static bool is_met(const struct detector_need *need, const struct detector_facts *facts)
{
    for (unsigned i = 0; i < NEED_ALTERNATIVES_MAX; i++) {
        uint16_t field = need->fields[i];
        if ((field == NEEDS_VERDICT && facts->verdicts != 0) ||
            (field == NEEDS_REFUSED && facts->refused != 0))
            return true;
        if (field != FIELD_NONE && field < FIELD_LOCAL_FIRST && facts->values[field] != 0)
            return true;
    }
    return false;
}

const struct detector_need *sample_detector_lacks(const char *id,
                                                  const struct detector_facts *facts, size_t *at)
{
    while (*at < sizeof(NEEDS) / sizeof(NEEDS[0])) {
        const struct detector_need *need = &NEEDS[(*at)++];
        if (strcmp(need->detector, id) == 0 && !is_met(need, facts))
            return need;
    }
    return NULL;
}

enum detector_state sample_detector_state(const char *id, const struct detector_facts *facts)
{
    enum detector_state state = DETECTOR_WORKS;
    const struct detector_need *need = NULL;
    for (size_t at = 0; (need = sample_detector_lacks(id, facts, &at)) != NULL;) {
        if (need->weaker_english == NULL)
            return DETECTOR_BLIND;
        state = DETECTOR_WEAKER;
    }
    return state;
}

void detector_need_print(struct buf *out, const struct detector_need *need, bool japanese)
{
    for (unsigned i = 0; i < NEED_ALTERNATIVES_MAX && need->fields[i] != FIELD_NONE; i++) {
        const struct field_info *info = field_info(need->fields[i]);
        if (i != 0)
            buf_text(out, japanese ? " または " : " or ");
        if (info == NULL)
            buf_text(out, japanese ? "拒否された通信の行" : "lines of refused connections");
        else
            buf_printf(out, "%.*s", (int)info->name.len, info->name.data);
    }
}
