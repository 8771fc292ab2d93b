/* tests/ingest/corpus.h - files of the corpus, which is not part of the repository. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum corpus_limits {
    CORPUS_PATH_BYTES_MAX = 1024,
};

/*
 * The path of a file below SEKISHO_CORPUS (default ../shared/corpus). False when it is not there;
 * the reason is printed and the test should skip().
 */
static inline bool corpus_path(char path[CORPUS_PATH_BYTES_MAX], const char *name)
{
    const char *root = getenv("SEKISHO_CORPUS");
    (void)snprintf(path, CORPUS_PATH_BYTES_MAX, "%s/%s", root != NULL ? root : "../shared/corpus",
                   name);
    if (access(path, R_OK) == 0)
        return true;
    (void)fprintf(stderr, "skipped: no %s (set SEKISHO_CORPUS)\n", path);
    return false;
}
