#include "event/pred_hs.h"

#include <hs.h>
#include <pthread.h>
#include <string.h>

#include "base/slice.h"

enum {
    STRETCH_MIN = 60, /* bytes before what is planted */
    STRETCH_MAX = 140,
    LITERALS_MAX = 20,
    BLOCK_BYTES = 512,
};

/* Sets that a library with the fault loses; the last of each is planted. */
static const char *const SETS[][LITERALS_MAX + 1] = {
    {".dll", ".bat", ".cmd", ".ps1", ".vbs", ".scr", ".hta", ".exe", NULL},
    {"w0x", "w1x", "w2x", "w3x", "w4x", "w5x", "w6x", "w8x", "w7x", NULL},
    {"%10", "%11", "%12", "%13", "%14", "%15", "%16", "%17", "%20", "%27", NULL},
    {"/login/", "/cgi/", "/git/", "/wp/", "/api/", "/old/", "/tmp/", "/admin/", NULL},
};

static int found_one(unsigned int id, unsigned long long from, unsigned long long to,
                     unsigned int flags, void *found)
{
    bool *seen = found;
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    *seen = true;
    return 1;
}

/* Is the planted word found behind every stretch, with and without something behind it? */
static bool stretches_found(const hs_database_t *db, hs_scratch_t *scratch, struct slice planted)
{
    static const char FILLERS[] = "aQ .z";
    char block[BLOCK_BYTES];
    for (const char *filler = FILLERS; *filler != '\0'; filler++) {
        for (unsigned before = STRETCH_MIN; before < STRETCH_MAX; before++) {
            for (unsigned behind = 0; behind < 2; behind++) {
                bool found = false;
                memset(block, *filler, sizeof(block));
                memcpy(block + before, planted.data, planted.len);
                unsigned bytes = before + (unsigned)planted.len + behind * 70;
                hs_error_t err = hs_scan(db, block, bytes, 0, scratch, found_one, &found);
                if ((err != HS_SUCCESS && err != HS_SCAN_TERMINATED) || !found)
                    return false;
            }
        }
    }
    return true;
}

static bool set_found(const char *const *words)
{
    hs_database_t *db = NULL;
    hs_scratch_t *scratch = NULL;
    hs_compile_error_t *error = NULL;
    unsigned flags[LITERALS_MAX];
    size_t lens[LITERALS_MAX];
    unsigned ids[LITERALS_MAX];
    unsigned count = 0;
    for (; words[count] != NULL; count++) {
        flags[count] = HS_FLAG_CASELESS;
        lens[count] = strlen(words[count]);
        ids[count] = count;
    }
    bool right = hs_compile_lit_multi(words, flags, ids, lens, count, HS_MODE_BLOCK, NULL, &db,
                                      &error) == HS_SUCCESS &&
                 hs_alloc_scratch(db, &scratch) == HS_SUCCESS &&
                 stretches_found(db, scratch, slice_from(words[count - 1]));
    (void)hs_free_compile_error(error);
    (void)hs_free_scratch(scratch);
    (void)hs_free_database(db);
    return right;
}

static bool regex_found(void)
{
    hs_database_t *db = NULL;
    hs_scratch_t *scratch = NULL;
    hs_compile_error_t *error = NULL;
    bool right = hs_compile("\\.(exe|dll|bat)", HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY,
                            HS_MODE_BLOCK, NULL, &db, &error) == HS_SUCCESS &&
                 hs_alloc_scratch(db, &scratch) == HS_SUCCESS &&
                 stretches_found(db, scratch, slice_from(".exe"));
    (void)hs_free_compile_error(error);
    (void)hs_free_scratch(scratch);
    (void)hs_free_database(db);
    return right;
}

static bool library_check(void)
{
    bool right = hs_valid_platform() == HS_SUCCESS && regex_found();
    for (size_t i = 0; i < sizeof(SETS) / sizeof(SETS[0]) && right; i++)
        right = set_found(SETS[i]);
    return right;
}

/* Filled once, before anybody reads it. */
static struct {
    pthread_once_t once;
    bool right;
} verdict = {PTHREAD_ONCE_INIT, false};

static void verdict_fill(void)
{
    verdict.right = library_check();
}

bool hs_is_right(void)
{
    (void)pthread_once(&verdict.once, verdict_fill);
    return verdict.right;
}
