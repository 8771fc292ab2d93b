/* base/err.h - the one error vocabulary of the project. */
#pragma once

/*
 * Every fallible function returns an int: 0 on success, one of these negative codes on failure.
 * A code says what the caller can do about it, not where it came from; the place is in the log
 * line of whoever handles it.
 */
enum err {
    ERR_NOMEM = -1,    /* a fixed budget or the heap is exhausted */
    ERR_IO = -2,       /* the operating system refused; errno says why */
    ERR_FORMAT = -3,   /* bytes from outside break the format; never retry */
    ERR_RANGE = -4,    /* a value is outside the documented limit */
    ERR_NOTFOUND = -5, /* the thing asked for does not exist */
    ERR_AGAIN = -6,    /* nothing wrong; come back later */
    ERR_BUSY = -7,     /* another process or owner holds it */
    ERR_CONF = -8,     /* the configuration or the command line is wrong; a diagnosis was given */
    ERR_DOWN = -9,     /* a service we depend on does not answer */
    ERR_CORRUPT = -10, /* stored bytes fail their checksum or their format */
    ERR_SEALED = -11,  /* stored bytes are encrypted, and the key is not there */
};

/* Static, never NULL, never freed. */
const char *err_name(int err);
