/*
 * base/fold.h - a text as it is searched for: NFKC, letter case folded.
 *
 *   ＡＢＣ １２３   abc 123        ﾊﾟｿｺﾝ   パソコン        É   é        か + ゛   が
 *
 * By utf8proc (Unicode, annex 15 and "NFKC_Casefold"): characters that are not to be seen are left
 * out. Bytes that are not UTF-8 become U+FFFD, as in output. Three characters that Japanese systems
 * write in two ways each are one: the wave dash, the minus sign and the dash of JIS X 0208.
 *
 * Ownership: struct fold_bufs is working memory of the caller; zeroed is valid.
 * Threads:   pure functions.
 * Failures:  those of the buffer.
 */
#pragma once

#include "base/buf.h"

struct fold_bufs {
    struct buf text;
    struct buf points;
};

void fold_bufs_release(struct fold_bufs *f);

/*
 * May folding change more than ASCII case? False for ASCII, and for kana and kanji as they mostly
 * are. One look at every byte, 16 at a time where they are ASCII.
 */
bool fold_changes(struct slice text);

/* Append the folded text; nothing is appended where all of it is not to be seen. */
void fold_text(struct buf *out, struct slice text, struct fold_bufs *f);
