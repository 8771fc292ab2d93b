/*
 * event/source_class.h - what the device of a log source stands before.
 *
 *   internet     the Internet, or anything else: nothing is said of it
 *   lgwan_deny   the LGWAN, the closed network of the municipalities, and only what it refused is
 *                logged: an address in no network of the municipality's is the LGWAN's
 *
 * A row of a source that is not of class internet has the name as `sekisho.source.class`.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum source_class {
    SOURCE_CLASS_INTERNET = 0,
    SOURCE_CLASS_LGWAN_DENY,
    SOURCE_CLASSES,
};

/* Static text. */
struct slice source_class_name(enum source_class class);
/* False: there is no such class. */
bool source_class_find(enum source_class *out, struct slice name);
