/*
 * store/frame_items.h - the items in the sections of a frame: bytes of one, and checks of all.
 *
 * Layer:     base < event < store; private to frame.c, frame_items.c, log_state.c and remains*.c
 * Ownership: items borrow the section's bytes.
 * Threads:   any; nothing is kept.
 * Failures:  encoders: ERR_RANGE for values outside the limits (the buffer may hold a part then).
 *            items_of_*(): ERR_CORRUPT unless the section holds its count of well-formed items and
 *            nothing else; `out` is untouched then.
 */
#pragma once

#include "base/cursor.h"
#include "store/frame.h"

int entry_encode(struct buf *out, const struct frame_entry *entry);
int env_encode(struct buf *out, const struct frame_env *env);

int items_of_entries(struct frame_items *out, struct slice content);
int items_of_envs(struct frame_items *out, struct slice content);
int items_of_watermarks(struct frame_items *out, struct slice content);
int items_of_blobs(struct frame_items *out, struct slice content);

/* Read a frame's sections into a view. ERR_CORRUPT, or ERR_FORMAT for a newer program's; *why static. */
int frame_decode_sections(struct frame_view *out, struct slice body, const char **why);
