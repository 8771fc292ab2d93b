#include "app/gen_name.h"

#include "app/gen_random.h"

enum {
    HALVES = 16,
    SURNAMES = 32,
    WORDS = 64,
    ENDINGS = 8,
};

struct half {
    const char *text;
    const char *latin;
};

static const struct half TOWN_FIRST[HALVES] = {
    {"霞", "kasumi"},  {"錦", "nishiki"}, {"霧", "kiri"},    {"暁", "akatsuki"},
    {"雲", "kumo"},    {"翠", "midori"},  {"響", "hibiki"},  {"汐", "shio"},
    {"凪", "nagi"},    {"楓", "kaede"},   {"椿", "tsubaki"}, {"篝", "kagari"},
    {"雫", "shizuku"}, {"蛍", "hotaru"},  {"虹", "niji"},    {"朧", "oboro"},
};

static const struct half TOWN_SECOND[HALVES] = {
    {"野", "no"},   {"原", "hara"},   {"沢", "sawa"},     {"浜", "hama"},
    {"坂", "saka"}, {"瀬", "se"},     {"里", "sato"},     {"森", "mori"},
    {"谷", "tani"}, {"岬", "misaki"}, {"泉", "izumi"},    {"橋", "bashi"},
    {"島", "jima"}, {"丘", "oka"},    {"堤", "tsutsumi"}, {"峰", "mine"},
};

static const char *const TOWN_KINDS[3] = {"市", "町", "村"};

/* The last member is the name in CP932, octet by octet. */
static const struct {
    const char *latin;
    const char *cp932;
} SURNAME[SURNAMES] = {
    {"sato", "\x8d\xb2\x93\xa1"},
    {"suzuki", "\x97\xe9\x96\xd8"},
    {"takahashi", "\x8d\x82\x8b\xb4"},
    {"tanaka", "\x93\x63\x92\x86"},
    {"ito", "\x88\xc9\x93\xa1"},
    {"watanabe", "\x93\x6e\x95\xd3"},
    {"yamamoto", "\x8e\x52\x96\x7b"},
    {"nakamura", "\x92\x86\x91\xba"},
    {"kobayashi", "\x8f\xac\x97\xd1"},
    {"kato", "\x89\xc1\x93\xa1"},
    {"yoshida", "\x8b\x67\x93\x63"},
    {"yamada", "\x8e\x52\x93\x63"},
    {"sasaki", "\x8d\xb2\x81\x58\x96\xd8"},
    {"yamaguchi", "\x8e\x52\x8c\xfb"},
    {"matsumoto", "\x8f\xbc\x96\x7b"},
    {"inoue", "\x88\xe4\x8f\xe3"},
    {"kimura", "\x96\xd8\x91\xba"},
    {"hayashi", "\x97\xd1"},
    {"shimizu", "\x90\xb4\x90\x85"},
    {"yamazaki", "\x8e\x52\x8d\xe8"},
    {"mori", "\x90\x58"},
    {"abe", "\x88\xa2\x95\x94"},
    {"ikeda", "\x92\x72\x93\x63"},
    {"hashimoto", "\x8b\xb4\x96\x7b"},
    {"yamashita", "\x8e\x52\x89\xba"},
    {"ishikawa", "\x90\xce\x90\xec"},
    {"nakajima", "\x92\x86\x93\x87"},
    {"maeda", "\x91\x4f\x93\x63"},
    {"fujita", "\x93\xa1\x93\x63"},
    {"ogawa", "\x8f\xac\x90\xec"},
    {"goto", "\x8c\xe3\x93\xa1"},
    {"okada", "\x89\xaa\x93\x63"},
};

static const char *const WORD[WORDS] = {
    "hikari", "kawa",    "sora",   "mori",   "yama",   "umi",     "hoshi",  "tsuki",
    "kaze",   "hana",    "yuki",   "ame",    "kumo",   "niwa",    "machi",  "eki",
    "shima",  "tani",    "iwa",    "suna",   "nami",   "kage",    "asahi",  "yuuhi",
    "midori", "momiji",  "sakura", "ume",    "matsu",  "take",    "kiku",   "fuji",
    "portal", "news",    "market", "travel", "sports", "weather", "maps",   "mail",
    "cloud",  "office",  "photo",  "music",  "video",  "books",   "recipe", "health",
    "school", "library", "bank",   "insure", "rail",   "bus",     "map",    "job",
    "house",  "garden",  "repair", "parts",  "paper",  "print",   "secure", "data",
};

static const char *const ENDING[ENDINGS] = {
    ".example", ".example", ".example",    ".test",
    ".example", ".test",    ".example.jp", ".example.ne.jp",
};

static const char *const PREFIX[16] = {
    "www.", "www.",    "www.", "www.",   "",        "",    "cdn.",  "api.",
    "img.", "static.", "m.",   "login.", "assets.", "dl.", "blog.", "s3.",
};

void gen_name_town(struct buf *out, uint32_t number, uint32_t kind)
{
    buf_text(out, TOWN_FIRST[number % HALVES].text);
    buf_text(out, TOWN_SECOND[(number / HALVES + number) % HALVES].text);
    buf_text(out, TOWN_KINDS[kind % 3]);
}

void gen_name_town_latin(struct buf *out, uint32_t number)
{
    buf_text(out, TOWN_FIRST[number % HALVES].latin);
    buf_text(out, TOWN_SECOND[(number / HALVES + number) % HALVES].latin);
}

static uint32_t surname(uint32_t tenant, uint32_t host)
{
    return (uint32_t)(gen_mix(tenant, host) >> 32) % SURNAMES;
}

static void four_digits(struct buf *out, uint32_t number)
{
    char digits[4];
    for (size_t i = sizeof(digits); i-- > 0; number /= 10)
        digits[i] = (char)('0' + (int)(number % 10));
    buf_append(out, digits, sizeof(digits));
}

void gen_name_user(struct buf *out, uint32_t tenant, uint32_t host)
{
    buf_text(out, SURNAME[surname(tenant, host)].latin);
    four_digits(out, host);
}

void gen_name_user_cp932(struct buf *out, uint32_t tenant, uint32_t host)
{
    buf_text(out, SURNAME[surname(tenant, host)].cp932);
}

void gen_name_pc(struct buf *out, const char *label, uint32_t host)
{
    for (; *label != '\0'; label++)
        buf_byte(out, (char)(*label >= 'a' && *label <= 'z' ? *label - 'a' + 'A' : *label));
    buf_text(out, "-PC");
    four_digits(out, host);
}

void gen_name_site(struct buf *out, uint64_t number)
{
    /* Odd multipliers permute the pairs of words, so that near ranks have unlike names. */
    uint32_t pair = (uint32_t)(number * 2741) % (WORDS * WORDS);
    uint64_t more = number / WORDS / WORDS;
    uint64_t style = gen_mix(number, 77);
    buf_text(out, PREFIX[style % 16]);
    buf_text(out, WORD[pair % WORDS]);
    buf_byte(out, '-');
    buf_text(out, WORD[pair / WORDS]);
    if (more > 0)
        buf_decimal(out, (int64_t)more);
    buf_text(out, ENDING[style >> 8 & (ENDINGS - 1)]);
}

void gen_name_odd(struct buf *out, uint64_t number)
{
    static const char CONSONANTS[] = "bdfgjklmnprstvz";
    static const char VOWELS[] = "aeiou";
    uint64_t bits = gen_mix(number, 4711);
    for (int i = 0; i < 4; i++) {
        buf_byte(out, CONSONANTS[bits % 15]);
        buf_byte(out, VOWELS[bits / 15 % 5]);
        bits /= 75;
    }
    buf_byte(out, (char)('a' + (int)(number % 26)));
    buf_decimal(out, (int64_t)(number / 26));
    buf_text(out, bits % 3 == 0 ? ".test" : ".example");
}
