#include "detect/detectors.h"

#include <assert.h>

const struct detector *const DETECTORS[] = {
#define DETECTOR(name) &detector_##name,
#include "detect/detectors.def"
#undef DETECTOR
    NULL,
};
static_assert(sizeof(DETECTORS) / sizeof(DETECTORS[0]) <= TENANT_DETECTORS_MAX,
              "a place in the state for every detector");

unsigned detector_count(void)
{
    return sizeof(DETECTORS) / sizeof(DETECTORS[0]) - 1;
}

void detectors_enter(struct detect_run *run, const struct detector *detector)
{
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        if (DETECTORS[i] == detector) {
            run->detector = detector;
            run->index = i;
            return;
        }
    }
    assert(false && "a detector that is in no table");
}
