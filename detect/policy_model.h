/*
 * detect/policy_model.h - the words of the Ministry's guideline on three separated segments, and what
 * each of its models lets pass between them.
 *
 *   alpha     business PCs in the LGWAN segment; the Internet is seen through screen transfer, files
 *             come in through a sanitizer
 *   alpha'    the same, and named clouds are reached from the LGWAN segment by a local breakout
 *   beta      business PCs in the Internet segment, business systems in the LGWAN segment
 *   beta'     the same, and some business systems stand in the Internet segment, too
 *   custom    nothing passes between two zones but what the municipality writes down
 *
 * Source: Ministry of Internal Affairs and Communications, guideline on information security
 * policies of local governments, the part on resilience by separation (三層の対策).
 *
 * Ownership: static tables.
 * Threads:   pure functions.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* What a zone is for. Ids are the order of the matrix, not kept anywhere. */
enum policy_kind {
    POLICY_NONE = 0, /* an address of the municipality's that lies in no zone */
    POLICY_NUMBER,   /* マイナンバー利用事務系 */
    POLICY_LGWAN,    /* LGWAN接続系 */
    POLICY_INTERNET, /* インターネット接続系 */
    POLICY_DMZ,      /* published servers, proxies */
    POLICY_OTHER,    /* of the municipality's own: visitors, fire brigade, assembly */
    POLICY_WORLD,    /* the Internet itself */
    POLICY_KINDS,
};

enum policy_model {
    POLICY_ALPHA,
    POLICY_ALPHA_DASH,
    POLICY_BETA,
    POLICY_BETA_DASH,
    POLICY_CUSTOM,
    POLICY_MODELS,
};

/* What is between two zones. */
enum policy_rule {
    POLICY_DENY,    /* nothing, but what is registered with a reason */
    POLICY_ALLOW,   /* everything */
    POLICY_GATEWAY, /* registered gateways */
    POLICY_SPECIAL, /* registered flows (特定通信), and gateways of the roles given */
    POLICY_CLOUD,   /* registered gateways and named clouds */
    POLICY_NEVER,   /* nothing, and nothing may be registered */
    POLICY_RULES,
};

/* What a gateway is there for. */
enum policy_role {
    POLICY_SANITIZER, /* 無害化 of files and mail */
    POLICY_SCREEN,    /* 画面転送 */
    POLICY_UPDATE,    /* 更新プラットフォーム: updates and patterns */
    POLICY_PROXY,
    POLICY_MAIL,
    POLICY_RELAY,    /* a server that hands data over between systems */
    POLICY_BREAKOUT, /* local breakout to named clouds */
    POLICY_ROLES,
};

/* A place of the matrix: the rule, and the roles that the model foresees (bits of policy_role). */
struct policy_cell {
    uint8_t rule;
    uint8_t roles;
};

/* What the model says between two zones of these kinds that are not the same zone. */
struct policy_cell policy_preset(enum policy_model model, enum policy_kind from,
                                 enum policy_kind to);

/*
 * The kind that a zone's name says by itself: the guideline's terms, older ones (個人番号利用事務系,
 * 業務系) and English ones, without regard to case, blanks, hyphens and underscores. POLICY_NONE
 * when it says nothing.
 */
enum policy_kind policy_kind_of(struct slice name);

/* Names as configurations write them; "" out of range. */
const char *policy_kind_name(unsigned kind);
const char *policy_model_name(unsigned model);
const char *policy_rule_name(unsigned rule);
const char *policy_role_name(unsigned role);
/* The same for people. */
const char *policy_model_title(unsigned model, bool japanese);
const char *policy_rule_title(unsigned rule, bool japanese);
const char *policy_role_title(unsigned role, bool japanese);
