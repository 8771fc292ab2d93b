#include "base/err.h"

const char *err_name(int err)
{
    switch (err) {
    case 0:
        return "ok";
    case ERR_NOMEM:
        return "out of memory";
    case ERR_IO:
        return "i/o error";
    case ERR_FORMAT:
        return "bad format";
    case ERR_RANGE:
        return "out of range";
    case ERR_NOTFOUND:
        return "not found";
    case ERR_AGAIN:
        return "try again";
    case ERR_BUSY:
        return "busy";
    case ERR_CONF:
        return "wrong configuration";
    case ERR_DOWN:
        return "service down";
    case ERR_CORRUPT:
        return "corrupt data";
    case ERR_SEALED:
        return "encrypted, and the key is not there";
    default:
        return "unknown error";
    }
}
