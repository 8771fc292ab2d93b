/* Country and autonomous system, against the test databases and hostile ones of the corpus. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <glob.h>

#include "base/err.h"
#include "base/file.h"
#include "ingest/geo.h"
#include "tests/ingest/corpus.h"
#include "tests/ingest/padded.h"

enum {
    LINE_BYTES_MAX = 4096,
    NETWORKS_MIN = 100, /* fewer would mean that this test no longer reads the source */
};

/* What is refused is said with the file and a remedy, what is taken says nothing. */
static int open_geo(struct geo **out, const char *country, const char *asn)
{
    struct diag diag = {0};
    int status = geo_open(out, country, asn, &diag);
    assert_int_equal(status == 0, diag.count == 0);
    if (status != 0) {
        assert_non_null(strstr(diag_text(&diag), country != NULL ? country : asn));
        assert_non_null(strstr(diag_text(&diag), "out"));
    }
    diag_release(&diag);
    return status;
}

static bool ip_from_text(const char *text, size_t len, struct ip *ip)
{
    struct slice padded = padded_copy(slice_of(text, len));
    bool is_ip = ip_parse(padded, ip) != VALUE_INVALID;
    padded_free(padded);
    return is_ip;
}

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    assert_true(ip_from_text(text, strlen(text), &ip));
    return ip;
}

/* The address in a line `    "198.51.100.0/24": {`. */
static bool network_line(const char *line, struct ip *ip)
{
    const char *quote = strchr(line, '"');
    const char *slash = quote == NULL ? NULL : strchr(quote, '/');
    return slash != NULL && strstr(slash, "\": {") != NULL &&
           ip_from_text(quote + 1, (size_t)(slash - quote - 1), ip);
}

static void test_countries(void **state)
{
    (void)state;
    char database[CORPUS_PATH_BYTES_MAX];
    char source[CORPUS_PATH_BYTES_MAX];
    if (!corpus_path(database, "mmdb/test-data/GeoLite2-Country-Test.mmdb") ||
        !corpus_path(source, "mmdb/source-data/GeoLite2-Country-Test.json"))
        skip();
    struct geo *geo = NULL;
    struct geo_cache *cache = NULL;
    assert_int_equal(open_geo(&geo, database, NULL), 0);
    assert_int_equal(geo_cache_new(&cache, geo), 0);
    FILE *file = fopen(source, "r");
    assert_non_null(file);
    char line[LINE_BYTES_MAX];
    struct ip ip = {0};
    bool in_country = false;
    int seen = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)network_line(line, &ip);
        if (strstr(line, "\"country\": {") != NULL)
            in_country = true;
        const char *code = strstr(line, "\"iso_code\": \"");
        if (!in_country || code == NULL)
            continue;
        in_country = false;
        struct geo_place place = geo_lookup(cache, &ip);
        assert_memory_equal(place.country, code + strlen("\"iso_code\": \""), 2);
        assert_int_equal(place.asn, 0);
        seen++;
    }
    assert_true(seen >= NETWORKS_MIN);
    (void)fclose(file);
    geo_cache_free(cache);
    geo_close(geo);
}

static void test_autonomous_systems(void **state)
{
    (void)state;
    char database[CORPUS_PATH_BYTES_MAX];
    char source[CORPUS_PATH_BYTES_MAX];
    if (!corpus_path(database, "mmdb/test-data/GeoLite2-ASN-Test.mmdb") ||
        !corpus_path(source, "mmdb/source-data/GeoLite2-ASN-Test.json"))
        skip();
    struct geo *geo = NULL;
    struct geo_cache *cache = NULL;
    assert_int_equal(open_geo(&geo, NULL, database), 0);
    assert_int_equal(geo_cache_new(&cache, geo), 0);
    FILE *file = fopen(source, "r");
    assert_non_null(file);
    char line[LINE_BYTES_MAX];
    struct ip ip = {0};
    int seen = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)network_line(line, &ip);
        const char *number = strstr(line, "\"autonomous_system_number\": ");
        if (number == NULL)
            continue;
        uint32_t asn =
            (uint32_t)strtoul(number + strlen("\"autonomous_system_number\": "), NULL, 10);
        /* Once from the file, once from the cache. */
        assert_int_equal(geo_lookup(cache, &ip).asn, asn);
        struct geo_place place = geo_lookup(cache, &ip);
        assert_int_equal(place.asn, asn);
        assert_int_equal(place.country[0], 0);
        seen++;
    }
    assert_true(seen >= NETWORKS_MIN);
    (void)fclose(file);
    geo_cache_free(cache);
    geo_close(geo);
}

static void test_unknown_addresses(void **state)
{
    (void)state;
    char country[CORPUS_PATH_BYTES_MAX];
    char asn[CORPUS_PATH_BYTES_MAX];
    if (!corpus_path(country, "mmdb/test-data/GeoLite2-Country-Test.mmdb") ||
        !corpus_path(asn, "mmdb/test-data/GeoLite2-ASN-Test.mmdb"))
        skip();
    struct geo *geo = NULL;
    struct geo_cache *cache = NULL;
    assert_int_equal(open_geo(&geo, country, asn), 0);
    assert_int_equal(geo_cache_new(&cache, geo), 0);
    static const char *const UNKNOWN[] = {
        "192.0.2.1", "198.51.100.7", "10.0.0.1", "::", "::1", "2001:db8::1", "255.255.255.255"};
    for (size_t i = 0; i < sizeof(UNKNOWN) / sizeof(UNKNOWN[0]); i++) {
        struct ip ip = ip_of(UNKNOWN[i]);
        struct geo_place place = geo_lookup(cache, &ip);
        assert_int_equal(place.country[0], 0);
        assert_int_equal(place.country[1], 0);
        assert_int_equal(place.asn, 0);
    }
    /* A database without the paths that are asked for. */
    geo_cache_reset(cache, NULL);
    geo_close(geo);
    assert_int_equal(open_geo(&geo, asn, country), 0);
    geo_cache_reset(cache, geo);
    struct ip known = ip_of("1.128.0.0");
    struct geo_place place = geo_lookup(cache, &known);
    assert_int_equal(place.country[0], 0);
    assert_int_equal(place.asn, 0);
    geo_cache_free(cache);
    geo_close(geo);
}

static void test_reset_forgets(void **state)
{
    (void)state;
    char asn[CORPUS_PATH_BYTES_MAX];
    if (!corpus_path(asn, "mmdb/test-data/GeoLite2-ASN-Test.mmdb"))
        skip();
    struct geo *geo = NULL;
    struct geo_cache *cache = NULL;
    struct ip ip = ip_of("1.128.0.0");
    assert_int_equal(open_geo(&geo, NULL, asn), 0);
    assert_int_equal(geo_cache_new(&cache, NULL), 0);
    assert_int_equal(geo_lookup(cache, &ip).asn, 0);
    geo_cache_reset(cache, geo);
    assert_int_equal(geo_lookup(cache, &ip).asn, 1221);
    geo_cache_reset(cache, NULL);
    assert_int_equal(geo_lookup(cache, &ip).asn, 0);
    geo_cache_free(cache);
    geo_close(geo);
}

static void test_files_that_are_refused(void **state)
{
    (void)state;
    struct geo *geo = NULL;
    assert_int_equal(open_geo(&geo, "/nonexistent/country.mmdb", NULL), ERR_NOTFOUND);
    assert_int_equal(open_geo(&geo, NULL, "/nonexistent/asn.mmdb"), ERR_NOTFOUND);
    assert_int_equal(open_geo(&geo, "/proc/self/exe", NULL), ERR_FORMAT);
    assert_null(geo);
    assert_int_equal(open_geo(&geo, NULL, NULL), 0);
    geo_close(geo);
    geo_close(NULL);
    geo_cache_free(NULL);
}

/* Whatever stands in such a file, a lookup ends and says something well formed. */
static void look_into(const char *path)
{
    static const char *const ADDRESSES[] = {"0.0.0.0",        "1.1.1.1", "81.2.69.160",
                                            "198.51.100.7",   "::1",     "2001:218::1",
                                            "255.255.255.255"};
    struct geo *geo = NULL;
    struct geo_cache *cache = NULL;
    if (open_geo(&geo, path, path) != 0)
        return;
    assert_int_equal(geo_cache_new(&cache, geo), 0);
    for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++) {
        struct ip ip = ip_of(ADDRESSES[i]);
        struct geo_place place = geo_lookup(cache, &ip);
        bool known = place.country[0] >= 'A' && place.country[0] <= 'Z' &&
                     place.country[1] >= 'A' && place.country[1] <= 'Z';
        assert_true(known || (place.country[0] == 0 && place.country[1] == 0));
    }
    geo_cache_free(cache);
    geo_close(geo);
}

static void test_hostile_files(void **state)
{
    (void)state;
    static const char *const PATTERNS[] = {"mmdb/bad-data", "mmdb/test-data"};
    static const char *const TAILS[] = {"/*/*.mmdb", "/*.mmdb"};
    size_t files = 0;
    for (size_t i = 0; i < 2; i++) {
        char folder[CORPUS_PATH_BYTES_MAX];
        char pattern[CORPUS_PATH_BYTES_MAX + 16];
        glob_t found = {0};
        if (!corpus_path(folder, PATTERNS[i]))
            skip();
        (void)snprintf(pattern, sizeof(pattern), "%s%s", folder, TAILS[i]);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        for (size_t f = 0; f < found.gl_pathc; f++)
            look_into(found.gl_pathv[f]);
        files += found.gl_pathc;
        globfree(&found);
    }
    assert_true(files > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_countries),
        cmocka_unit_test(test_autonomous_systems),
        cmocka_unit_test(test_unknown_addresses),
        cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_hostile_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
