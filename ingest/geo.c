#include "ingest/geo.h"

#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/hash.h"

struct geo {
    MMDB_s country;
    MMDB_s asn;
    bool has_country;
    bool has_asn;
};

struct geo_entry {
    struct ip ip;
    struct geo_place place;
    uint32_t used; /* 0 = nothing here */
};

struct geo_cache {
    const struct geo *geo;
    uint64_t seed;
    struct geo_entry entries[GEO_CACHE_ENTRIES];
};

static int open_file(MMDB_s *db, const char *path)
{
    errno = 0;
    switch (MMDB_open(path, MMDB_MODE_MMAP, db)) {
    case MMDB_SUCCESS:
        return 0;
    case MMDB_FILE_OPEN_ERROR:
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO;
    case MMDB_IO_ERROR:
        return ERR_IO;
    case MMDB_OUT_OF_MEMORY_ERROR:
        return ERR_NOMEM;
    default:
        return ERR_FORMAT;
    }
}

int geo_open(struct geo **out, const char *country_path, const char *asn_path)
{
    struct geo *geo = calloc(1, sizeof(*geo));
    if (geo == NULL)
        return ERR_NOMEM;
    int err = 0;
    if (country_path != NULL) {
        err = open_file(&geo->country, country_path);
        geo->has_country = err == 0;
    }
    if (err == 0 && asn_path != NULL) {
        err = open_file(&geo->asn, asn_path);
        geo->has_asn = err == 0;
    }
    if (err != 0) {
        geo_close(geo);
        return err;
    }
    *out = geo;
    return 0;
}

void geo_close(struct geo *geo)
{
    if (geo == NULL)
        return;
    if (geo->has_country)
        MMDB_close(&geo->country);
    if (geo->has_asn)
        MMDB_close(&geo->asn);
    free(geo);
}

int geo_cache_new(struct geo_cache **out, const struct geo *geo)
{
    struct geo_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return ERR_NOMEM;
    cache->geo = geo;
    cache->seed = hash_seed();
    *out = cache;
    return 0;
}

void geo_cache_free(struct geo_cache *cache)
{
    free(cache);
}

void geo_cache_reset(struct geo_cache *cache, const struct geo *geo)
{
    cache->geo = geo;
    memset(cache->entries, 0, sizeof(cache->entries));
}

static bool find(const MMDB_s *db, const struct ip *ip, MMDB_lookup_result_s *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {.sin6_family = AF_INET6}};
    if (ip_is_v4(ip)) {
        address.v4.sin_family = AF_INET;
        memcpy(&address.v4.sin_addr, ip->bytes + 12, 4);
    } else {
        memcpy(&address.v6.sin6_addr, ip->bytes, sizeof(ip->bytes));
    }
    int err = MMDB_SUCCESS;
    *out = MMDB_lookup_sockaddr(db, &address.any, &err);
    return err == MMDB_SUCCESS && out->found_entry;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static void read_country(const MMDB_s *db, const struct ip *ip, struct geo_place *place)
{
    static const char *const PATH[] = {"country", "iso_code", NULL};
    MMDB_lookup_result_s found = {0};
    MMDB_entry_data_s data = {0};
    if (!find(db, ip, &found) || MMDB_aget_value(&found.entry, &data, PATH) != MMDB_SUCCESS)
        return;
    if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
        return;
    if (!is_upper(data.utf8_string[0]) || !is_upper(data.utf8_string[1]))
        return;
    memcpy(place->country, data.utf8_string, sizeof(place->country));
}

static void read_asn(const MMDB_s *db, const struct ip *ip, struct geo_place *place)
{
    static const char *const PATH[] = {"autonomous_system_number", NULL};
    MMDB_lookup_result_s found = {0};
    MMDB_entry_data_s data = {0};
    if (!find(db, ip, &found) || MMDB_aget_value(&found.entry, &data, PATH) != MMDB_SUCCESS)
        return;
    if (!data.has_data)
        return;
    if (data.type == MMDB_DATA_TYPE_UINT32) {
        place->asn = data.uint32;
    } else if (data.type == MMDB_DATA_TYPE_UINT16) {
        place->asn = data.uint16;
    }
}

static struct geo_entry *entry_of(struct geo_cache *cache, const struct ip *ip)
{
    uint64_t hash = hash_bytes(cache->seed, ip->bytes, sizeof(ip->bytes));
    return &cache->entries[hash & (GEO_CACHE_ENTRIES - 1)];
}

void geo_ahead(struct geo_cache *cache, const struct ip *ip)
{
    const struct geo_entry *entry = entry_of(cache, ip);
    __builtin_prefetch(entry, 1);
    __builtin_prefetch(&entry->used, 1);
}

struct geo_place geo_lookup(struct geo_cache *cache, const struct ip *ip)
{
    struct geo_entry *entry = entry_of(cache, ip);
    if (entry->used != 0 && memcmp(&entry->ip, ip, sizeof(*ip)) == 0)
        return entry->place;
    struct geo_place place = {0};
    if (cache->geo != NULL && cache->geo->has_country)
        read_country(&cache->geo->country, ip, &place);
    if (cache->geo != NULL && cache->geo->has_asn)
        read_asn(&cache->geo->asn, ip, &place);
    *entry = (struct geo_entry){.ip = *ip, .place = place, .used = 1};
    return place;
}
