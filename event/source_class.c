#include "event/source_class.h"

#include <assert.h>

static const char *const NAMES[SOURCE_CLASSES] = {
    [SOURCE_CLASS_INTERNET] = "internet",
    [SOURCE_CLASS_LGWAN_DENY] = "lgwan_deny",
};

struct slice source_class_name(enum source_class class)
{
    assert(class < SOURCE_CLASSES);
    return slice_from(NAMES[class]);
}

bool source_class_find(enum source_class *out, struct slice name)
{
    for (unsigned i = 0; i < SOURCE_CLASSES; i++) {
        if (!slice_equal(name, slice_from(NAMES[i])))
            continue;
        *out = (enum source_class)i;
        return true;
    }
    return false;
}
