#include "ingest/geo_check.h"

#include <maxminddb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "ingest/geo_value.h"

struct check {
    MMDB_s db;
    struct slice data; /* its data section */
    uint8_t *seen;     /* one bit for each byte of the data section: this value was looked at */
    char *why;
};

static int refuse(struct check *c, uint32_t node, const char *what)
{
    (void)snprintf(c->why, CHILD_TEXT_BYTES_MAX, "node %u of its tree: %s", node, what);
    return ERR_FORMAT;
}

/* True the first time. */
static bool mark(struct check *c, uint32_t offset)
{
    uint8_t *byte = &c->seen[offset / 8];
    uint8_t bit = (uint8_t)(1U << offset % 8);
    bool is_new = (*byte & bit) == 0;
    *byte |= bit;
    return is_new;
}

/* The paths that lookups take. That they lead nowhere is no fault. */
static bool is_readable(MMDB_entry_s *entry)
{
    static const char *const COUNTRY[] = {"country", "iso_code", NULL};
    static const char *const NUMBER[] = {"autonomous_system_number", NULL};
    static const char *const *const PATHS[] = {COUNTRY, NUMBER};
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        MMDB_entry_data_s data;
        int err = MMDB_aget_value(entry, &data, PATHS[i]);
        if (err != MMDB_SUCCESS && err != MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR &&
            err != MMDB_INVALID_LOOKUP_PATH_ERROR)
            return false;
    }
    return true;
}

static int check_value(struct check *c, uint32_t node, MMDB_entry_s *entry)
{
    MMDB_entry_data_list_s *list = NULL;
    if (entry->offset >= c->data.len)
        return refuse(c, node, "its value lies outside the data");
    if (!mark(c, entry->offset))
        return 0;
    int status = geo_value_check(c->data, entry->offset);
    if (status == ERR_RANGE)
        return refuse(c, node, "its value is too large or too deep");
    if (status != 0)
        return refuse(c, node, "its value is broken");
    int err = MMDB_get_entry_data_list(entry, &list);
    MMDB_free_entry_data_list(list);
    return err == MMDB_SUCCESS && is_readable(entry) ? 0
                                                     : refuse(c, node, "its value cannot be read");
}

static int check_record(struct check *c, uint32_t node, uint8_t type, MMDB_entry_s *entry)
{
    switch (type) {
    case MMDB_RECORD_TYPE_SEARCH_NODE:
    case MMDB_RECORD_TYPE_EMPTY:
        return 0;
    case MMDB_RECORD_TYPE_DATA:
        return check_value(c, node, entry);
    default:
        return refuse(c, node, "it leads outside the file");
    }
}

static int check_tree(struct check *c)
{
    int status = 0;
    for (uint32_t n = 0; n < c->db.metadata.node_count && status == 0; n++) {
        MMDB_search_node_s node = {0};
        if (MMDB_read_node(&c->db, n, &node) != MMDB_SUCCESS)
            return refuse(c, n, "it cannot be read");
        status = check_record(c, n, node.left_record_type, &node.left_record_entry);
        if (status == 0)
            status = check_record(c, n, node.right_record_type, &node.right_record_entry);
    }
    return status;
}

/* What stands behind the last mark, or nothing. */
static struct slice metadata_of(struct slice file)
{
    const struct slice mark = SLICE("\xab\xcd\xefMaxMind.com");
    size_t part = file.len < GEO_CHECK_METADATA_BYTES_MAX ? file.len : GEO_CHECK_METADATA_BYTES_MAX;
    struct slice rest = slice_of(file.data + (file.len - part), part);
    const char *found = NULL;
    const char *at = memmem(rest.data, rest.len, mark.data, mark.len);
    while (at != NULL) { /* the last one */
        found = at + mark.len;
        rest = slice_of(found, (size_t)(file.data + file.len - found));
        at = memmem(rest.data, rest.len, mark.data, mark.len);
    }
    return found == NULL ? slice_of(file.data + file.len, 0) : rest;
}

/* The number under a key of the metadata; 0 where there is none. */
static uint64_t metadata_number(struct slice metadata, const char *key)
{
    const void *section = metadata.data;
    const MMDB_s db = {.data_section = section, .data_section_size = (uint32_t)metadata.len};
    MMDB_entry_s map = {.mmdb = &db};
    MMDB_entry_data_s data = {0};
    const char *const path[] = {key, NULL};
    if (MMDB_aget_value(&map, &data, path) != MMDB_SUCCESS || !data.has_data)
        return 0;
    return data.type == MMDB_DATA_TYPE_UINT16   ? data.uint16
           : data.type == MMDB_DATA_TYPE_UINT32 ? data.uint32
                                                : 0;
}

/* libmaxminddb before 1.9.0 counts the bytes of the tree in 32 bits, and walks it when it opens the file. */
static bool is_tree_inside(struct slice file, struct slice metadata)
{
    uint64_t bits =
        metadata_number(metadata, "node_count") * metadata_number(metadata, "record_size") * 2;
    return bits / 8 <= (uint64_t)(metadata.data - file.data);
}

int geo_check_here(char *why, const struct file_copy *copy)
{
    struct slice file = file_copy_bytes(copy);
    struct slice metadata = metadata_of(file);
    struct check c = {.why = why};
    /* The library unfolds them when it opens the file. Where there are none it says so. */
    if (metadata.len > 0 && geo_value_check(metadata, 0) != 0) {
        (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "its metadata are broken or too large");
        return ERR_FORMAT;
    }
    if (metadata.len > 0 && !is_tree_inside(file, metadata)) {
        (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "its tree is larger than the file");
        return ERR_FORMAT;
    }
    int err = MMDB_open(file_copy_path(copy), MMDB_MODE_MMAP, &c.db);
    if (err != MMDB_SUCCESS) {
        (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "%s", MMDB_strerror(err));
        return ERR_FORMAT;
    }
    const void *data = c.db.data_section;
    c.data = slice_of(data, c.db.data_section_size);
    c.seen = calloc(c.data.len / 8 + 1, 1);
    int status = ERR_FORMAT;
    if (c.seen == NULL)
        (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "its data needs more memory than there is");
    else
        status = check_tree(&c);
    free(c.seen);
    MMDB_close(&c.db);
    return status;
}

struct job {
    const struct file_copy *copy;
};

static int work(void *self, char *text)
{
    const struct job *job = self;
    return geo_check_here(text, job->copy);
}

int geo_check(char *why, const struct file_copy *copy)
{
    struct child_answer answer;
    struct job job = {.copy = copy};
    const struct child_task task = {.work = work,
                                    .self = &job,
                                    .descriptor = file_copy_descriptor(copy),
                                    .cpu_seconds = GEO_CHECK_CPU_SECONDS,
                                    .wall_seconds = GEO_CHECK_WALL_SECONDS,
                                    .memory_bytes =
                                        GEO_CHECK_MEMORY_BYTES + file_copy_bytes(copy).len};
    int status = child_run(&answer, &task);
    if (status != 0)
        return status;
    switch (answer.end) {
    case CHILD_ANSWERED:
        if (answer.status == ERR_FORMAT)
            (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "%s", answer.text);
        return answer.status;
    case CHILD_TOO_LONG:
        (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "reading all of it takes too long");
        return ERR_FORMAT;
    case CHILD_CRASHED:
    default:
        (void)snprintf(why, CHILD_TEXT_BYTES_MAX, "a process that reads it crashes");
        return ERR_FORMAT;
    }
}
