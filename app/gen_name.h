/*
 * app/gen_name.h - invented names: municipalities, people, PCs, web sites.
 *
 * A name is a function of numbers, so that nothing has to be kept for 160,000 PCs. None of them
 * exists: web sites end in .example, .test or names reserved for documentation.
 *
 * Threads:   pure functions; they append to the caller's buffer.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

/* 霞野市 and kasumino: number 0..767; `kind` 0 city, 1 town, 2 village. */
void gen_name_town(struct buf *out, uint32_t number, uint32_t kind);
void gen_name_town_latin(struct buf *out, uint32_t number);

/* Login of the person at a PC: sato0123. */
void gen_name_user(struct buf *out, uint32_t tenant, uint32_t host);
/* The same person's family name in CP932, as old clients send it. */
void gen_name_user_cp932(struct buf *out, uint32_t tenant, uint32_t host);
/* KASUMINO-PC0123 */
void gen_name_pc(struct buf *out, const char *label, uint32_t host);

/* Host name of a web site: www.hikari-kawa.example. Equal numbers, equal names. */
void gen_name_site(struct buf *out, uint64_t number);
/* A rarely seen one that no gen_name_site() gives, for what is planted. */
void gen_name_odd(struct buf *out, uint64_t number);
