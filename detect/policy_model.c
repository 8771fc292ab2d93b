#include "detect/policy_model.h"

#include <assert.h>

/* ------------------------------------------------------------------------ matrices */

#define BIT(role) (1 << (role))

enum {
    NAME_BYTES_MAX = 64,
    NO_ROLE = 0,
    ANY_ROLE = (1 << POLICY_ROLES) - 1,
    /* What comes over the border between two segments: looked through, transferred, handed over. */
    CROSSING = BIT(POLICY_SANITIZER) | BIT(POLICY_SCREEN) | BIT(POLICY_MAIL) | BIT(POLICY_RELAY),
    EDGE = BIT(POLICY_SANITIZER) | BIT(POLICY_SCREEN) | BIT(POLICY_UPDATE) | BIT(POLICY_MAIL),
    FEEDING = BIT(POLICY_UPDATE) | BIT(POLICY_RELAY),
};

#define DENY                 \
    {                        \
        POLICY_DENY, NO_ROLE \
    }
#define ALLOW                 \
    {                         \
        POLICY_ALLOW, NO_ROLE \
    }
#define GATEWAY(roles)          \
    {                           \
        POLICY_GATEWAY, (roles) \
    }
#define SPECIAL(roles)          \
    {                           \
        POLICY_SPECIAL, (roles) \
    }
#define CLOUD(roles)          \
    {                         \
        POLICY_CLOUD, (roles) \
    }
#define NEVER                 \
    {                         \
        POLICY_NEVER, NO_ROLE \
    }

/* What the four models have in common; a place that is not named is POLICY_DENY without roles. */
static const struct policy_cell COMMON[POLICY_KINDS][POLICY_KINDS] = {
    [POLICY_NUMBER] =
        {[POLICY_NUMBER] = ALLOW, [POLICY_LGWAN] = SPECIAL(FEEDING), [POLICY_WORLD] = NEVER},
    [POLICY_LGWAN] = {[POLICY_NUMBER] = SPECIAL(FEEDING),
                      [POLICY_LGWAN] = ALLOW,
                      [POLICY_INTERNET] = GATEWAY(CROSSING),
                      [POLICY_DMZ] = GATEWAY(ANY_ROLE),
                      [POLICY_WORLD] = GATEWAY(EDGE)},
    [POLICY_INTERNET] = {[POLICY_LGWAN] = GATEWAY(CROSSING),
                         [POLICY_INTERNET] = ALLOW,
                         [POLICY_DMZ] = ALLOW,
                         [POLICY_OTHER] = ALLOW,
                         [POLICY_WORLD] = ALLOW},
    [POLICY_DMZ] = {[POLICY_LGWAN] = GATEWAY(CROSSING | FEEDING),
                    [POLICY_INTERNET] = ALLOW,
                    [POLICY_DMZ] = ALLOW,
                    [POLICY_OTHER] = ALLOW,
                    [POLICY_WORLD] = ALLOW},
    [POLICY_OTHER] = {[POLICY_INTERNET] = ALLOW,
                      [POLICY_DMZ] = ALLOW,
                      [POLICY_OTHER] = ALLOW,
                      [POLICY_WORLD] = ALLOW},
    [POLICY_WORLD] = {[POLICY_NUMBER] = NEVER,
                      [POLICY_INTERNET] = ALLOW,
                      [POLICY_DMZ] = ALLOW,
                      [POLICY_OTHER] = ALLOW,
                      [POLICY_WORLD] = ALLOW},
};

/* Where a model differs from that. */
static const struct {
    uint8_t model;
    uint8_t from;
    uint8_t to;
    struct policy_cell cell;
} DIFFERENCES[] = {
    {POLICY_ALPHA_DASH, POLICY_LGWAN, POLICY_WORLD,
     CLOUD(EDGE | BIT(POLICY_BREAKOUT) | BIT(POLICY_PROXY))},
    /* Business PCs work on the systems of the LGWAN segment from the Internet segment. */
    {POLICY_BETA, POLICY_INTERNET, POLICY_LGWAN, GATEWAY(CROSSING | FEEDING)},
    {POLICY_BETA, POLICY_LGWAN, POLICY_INTERNET, GATEWAY(CROSSING | FEEDING)},
    {POLICY_BETA, POLICY_LGWAN, POLICY_WORLD, GATEWAY(BIT(POLICY_UPDATE))},
    /* Systems on both sides of the border talk to each other. */
    {POLICY_BETA_DASH, POLICY_INTERNET, POLICY_LGWAN, SPECIAL(CROSSING | FEEDING)},
    {POLICY_BETA_DASH, POLICY_LGWAN, POLICY_INTERNET, SPECIAL(CROSSING | FEEDING)},
    {POLICY_BETA_DASH, POLICY_DMZ, POLICY_LGWAN, SPECIAL(CROSSING | FEEDING)},
    {POLICY_BETA_DASH, POLICY_LGWAN, POLICY_DMZ, SPECIAL(ANY_ROLE)},
    {POLICY_BETA_DASH, POLICY_LGWAN, POLICY_WORLD, GATEWAY(BIT(POLICY_UPDATE))},
};

static struct policy_cell custom(enum policy_kind from, enum policy_kind to)
{
    bool number = from == POLICY_NUMBER || to == POLICY_NUMBER;
    bool world = from == POLICY_WORLD || to == POLICY_WORLD;
    if (from == to && from != POLICY_NONE && from != POLICY_OTHER)
        return (struct policy_cell)ALLOW;
    if (number && world)
        return (struct policy_cell)NEVER;
    if (from == POLICY_NONE || to == POLICY_NONE)
        return (struct policy_cell)DENY;
    return (struct policy_cell)SPECIAL(ANY_ROLE);
}

struct policy_cell policy_preset(enum policy_model model, enum policy_kind from,
                                 enum policy_kind to)
{
    assert(model < POLICY_MODELS && from < POLICY_KINDS && to < POLICY_KINDS);
    if (model == POLICY_CUSTOM)
        return custom(from, to);
    for (size_t i = 0; i < sizeof(DIFFERENCES) / sizeof(DIFFERENCES[0]); i++) {
        if (DIFFERENCES[i].model == model && DIFFERENCES[i].from == from && DIFFERENCES[i].to == to)
            return DIFFERENCES[i].cell;
    }
    return COMMON[from][to];
}

/* --------------------------------------------------------------------------- names */

static const struct {
    const char *name; /* lower case, without blanks, '-' and '_' */
    uint8_t kind;
} ALIASES[] = {
    {"マイナンバー利用事務系", POLICY_NUMBER},
    {"マイナンバー系", POLICY_NUMBER},
    {"個人番号利用事務系", POLICY_NUMBER},
    {"個人番号系", POLICY_NUMBER},
    {"基幹系", POLICY_NUMBER},
    {"住民情報系", POLICY_NUMBER},
    {"mynumber", POLICY_NUMBER},
    {"individualnumber", POLICY_NUMBER},
    {"lgwan接続系", POLICY_LGWAN},
    {"lgwan系", POLICY_LGWAN},
    {"業務系", POLICY_LGWAN},
    {"内部情報系", POLICY_LGWAN},
    {"lgwan", POLICY_LGWAN},
    {"インターネット接続系", POLICY_INTERNET},
    {"インターネット系", POLICY_INTERNET},
    {"情報系", POLICY_INTERNET},
    {"internetsegment", POLICY_INTERNET},
    {"internetconnected", POLICY_INTERNET},
    {"internet", POLICY_INTERNET},
    {"dmz", POLICY_DMZ},
    {"公開セグメント", POLICY_DMZ},
    {"公開系", POLICY_DMZ},
    {"公開サーバ", POLICY_DMZ},
    {"published", POLICY_DMZ},
};

/*
 * Lower case, a full-width letter as its narrow one, without what people put between words; `room`
 * bytes at most.
 */
static size_t plain_name(char *out, size_t room, struct slice name)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz";
    static const struct slice WIDE_SPACE = {.data = "\xe3\x80\x80", .len = 3};
    size_t len = 0;
    for (size_t i = 0; i < name.len && len < room; i++) {
        unsigned char c = (unsigned char)name.data[i];
        struct slice rest = slice_from_offset(name, i);
        if (slice_starts(rest, WIDE_SPACE)) {
            i += 2;
            continue;
        }
        /* U+FF21..FF3A and U+FF41..FF5A are EF BC A1.. and EF BD 81.. */
        if (c == 0xef && rest.len >= 3 &&
            ((unsigned char)rest.data[1] == 0xbc || (unsigned char)rest.data[1] == 0xbd)) {
            unsigned low = (unsigned char)rest.data[2];
            bool upper = (unsigned char)rest.data[1] == 0xbc && low >= 0xa1 && low <= 0xba;
            bool lower = (unsigned char)rest.data[1] == 0xbd && low >= 0x81 && low <= 0x9a;
            if (upper || lower) {
                out[len++] = LETTERS[upper ? low - 0xa1 : low - 0x81];
                i += 2;
                continue;
            }
        }
        if (c == ' ' || c == '-' || c == '_')
            continue;
        out[len] = name.data[i];
        if (c >= 'A' && c <= 'Z')
            out[len] = LETTERS[c - 'A'];
        len++;
    }
    return len;
}

enum policy_kind policy_kind_of(struct slice name)
{
    char plain[NAME_BYTES_MAX];
    struct slice text = {.data = plain, .len = plain_name(plain, sizeof(plain), name)};
    for (size_t i = 0; i < sizeof(ALIASES) / sizeof(ALIASES[0]); i++) {
        if (slice_equal(text, slice_from(ALIASES[i].name)))
            return (enum policy_kind)ALIASES[i].kind;
    }
    return POLICY_NONE;
}

const char *policy_kind_name(unsigned kind)
{
    static const char *const NAMES[POLICY_KINDS] = {
        [POLICY_NONE] = "none",         [POLICY_NUMBER] = "mynumber", [POLICY_LGWAN] = "lgwan",
        [POLICY_INTERNET] = "internet", [POLICY_DMZ] = "dmz",         [POLICY_OTHER] = "other",
        [POLICY_WORLD] = "outside",
    };
    return kind < POLICY_KINDS ? NAMES[kind] : "";
}

const char *policy_model_name(unsigned model)
{
    static const char *const NAMES[POLICY_MODELS] = {"alpha", "alpha'", "beta", "beta'", "custom"};
    return model < POLICY_MODELS ? NAMES[model] : "";
}

const char *policy_rule_name(unsigned rule)
{
    static const char *const NAMES[POLICY_RULES] = {"deny",    "allow", "gateway",
                                                    "special", "cloud", "never"};
    return rule < POLICY_RULES ? NAMES[rule] : "";
}

const char *policy_role_name(unsigned role)
{
    static const char *const NAMES[POLICY_ROLES] = {"sanitizer", "screen", "update",  "proxy",
                                                    "mail",      "relay",  "breakout"};
    return role < POLICY_ROLES ? NAMES[role] : "";
}

const char *policy_model_title(unsigned model, bool japanese)
{
    static const char *const NAMES[POLICY_MODELS] = {"αモデル", "α'モデル", "βモデル", "β'モデル",
                                                     "独自の表"};
    static const char *const ENGLISH[POLICY_MODELS] = {"model alpha", "model alpha'", "model beta",
                                                       "model beta'", "a matrix of its own"};
    if (model >= POLICY_MODELS)
        return "";
    return japanese ? NAMES[model] : ENGLISH[model];
}

const char *policy_rule_title(unsigned rule, bool japanese)
{
    static const char *const NAMES[POLICY_RULES] = {
        "通信不可",
        "許可",
        "登録された中継装置だけ可",
        "登録された特定通信と中継装置だけ可",
        "登録された中継装置と指定クラウドだけ可",
        "常に不可",
    };
    static const char *const ENGLISH[POLICY_RULES] = {
        "nothing may pass",
        "allowed",
        "only through registered gateways",
        "only registered special flows and gateways",
        "only registered gateways and named clouds",
        "never",
    };
    if (rule >= POLICY_RULES)
        return "";
    return japanese ? NAMES[rule] : ENGLISH[rule];
}

const char *policy_role_title(unsigned role, bool japanese)
{
    static const char *const NAMES[POLICY_ROLES] = {
        "無害化",     "画面転送",   "更新プラットフォーム",  "プロキシ",
        "メール中継", "データ連携", "ローカルブレイクアウト"};
    static const char *const ENGLISH[POLICY_ROLES] = {
        "sanitizer",  "screen transfer", "update platform", "proxy",
        "mail relay", "data relay",      "local breakout"};
    if (role >= POLICY_ROLES)
        return "";
    return japanese ? NAMES[role] : ENGLISH[role];
}
