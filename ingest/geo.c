#include "ingest/geo.h"

#include <maxminddb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/hash.h"
#include "ingest/geo_check.h"

struct geo_file {
    struct file_copy *copy; /* NULL: this part is unknown */
    bool is_open;
    MMDB_s db;
};

struct geo {
    struct geo_file parts[GEO_PARTS];
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

/* --- open --- */

static void say(struct diag *diag, const char *path, const char *key, int status, const char *why)
{
    switch (status) {
    case ERR_FORMAT:
        diag_add(diag, path, 0, 0,
                 "no MaxMind database that can be used: %s; fetch it again, or leave %s out", why,
                 key);
        break;
    case ERR_RANGE:
        diag_add(diag, path, 0, 0, "has more than %d MiB; give a smaller database to %s",
                 GEO_FILE_BYTES_MAX >> 20, key);
        break;
    case ERR_AGAIN:
        diag_add(diag, path, 0, 0, "was not looked at to its end: the program is to end");
        break;
    default:
        diag_add(diag, path, 0, 0,
                 "cannot be read: %s; give %s the path of a readable .mmdb file, or leave it out",
                 err_name(status), key);
    }
}

static int open_map(MMDB_s *db, const struct file_copy *copy, char *why)
{
    int err = MMDB_open(file_copy_path(copy), MMDB_MODE_MMAP, db);
    if (err == MMDB_SUCCESS)
        return 0;
    (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "%s", MMDB_strerror(err));
    return err == MMDB_OUT_OF_MEMORY_ERROR ? ERR_NOMEM : ERR_FORMAT;
}

static int open_file(struct geo_file *f, const char *path, const char *key, struct diag *diag)
{
    char why[CHILD_TEXT_BYTES_MAX] = "";
    if (path == NULL)
        return 0;
    int status = file_copy_new(&f->copy, path, GEO_FILE_BYTES_MAX);
    if (status == 0)
        status = geo_check(why, f->copy);
    if (status == 0)
        status = open_map(&f->db, f->copy, why);
    f->is_open = status == 0;
    if (status != 0)
        say(diag, path, key, status, why);
    return status;
}

int geo_open(struct geo **out, const char *country_path, const char *asn_path, struct diag *diag)
{
    struct geo *geo = calloc(1, sizeof(*geo));
    if (geo == NULL)
        return ERR_NOMEM;
    int country = open_file(&geo->parts[GEO_COUNTRY], country_path, "mmdb.country", diag);
    /* All that is wrong is said at once. */
    int asn = open_file(&geo->parts[GEO_ASN], asn_path, "mmdb.asn", diag);
    if (country != 0 || asn != 0) {
        geo_close(geo);
        return country != 0 ? country : asn;
    }
    *out = geo;
    return 0;
}

void geo_close(struct geo *geo)
{
    if (geo == NULL)
        return;
    for (size_t i = 0; i < GEO_PARTS; i++) {
        if (geo->parts[i].is_open)
            MMDB_close(&geo->parts[i].db);
        file_copy_free(geo->parts[i].copy);
    }
    free(geo);
}

struct slice geo_content(const struct geo *geo, enum geo_part part)
{
    const struct file_copy *copy = geo->parts[part].copy;
    return copy == NULL ? SLICE("") : file_copy_bytes(copy);
}

/* --- look up --- */

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
    if (cache->geo != NULL && cache->geo->parts[GEO_COUNTRY].is_open)
        read_country(&cache->geo->parts[GEO_COUNTRY].db, ip, &place);
    if (cache->geo != NULL && cache->geo->parts[GEO_ASN].is_open)
        read_asn(&cache->geo->parts[GEO_ASN].db, ip, &place);
    *entry = (struct geo_entry){.ip = *ip, .place = place, .used = 1};
    return place;
}
