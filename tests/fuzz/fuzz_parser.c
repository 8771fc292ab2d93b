/* One program per parser of ingest/parsers.def: FUZZ_PARSER names its vtable. */
#include "ingest/parsers.h"
#include "tests/fuzz/slots_check.h"

#ifndef FUZZ_PARSER
#error "tests/meson.build defines FUZZ_PARSER for each parser"
#endif

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every line of the input goes through one state, as the lines of a source do. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct parser *parser = &FUZZ_PARSER;
    struct parser_state *state = parser->state_new == NULL ? NULL : parser->state_new();
    size_t from = 0;
    while (from < size) {
        const uint8_t *end = memchr(data + from, '\n', size - from);
        size_t len = end == NULL ? size - from : (size_t)(end - data) - from;
        (void)slots_check_line(parser, state, data + from, len);
        from += len + 1;
    }
    if (state != NULL)
        parser->state_free(state);
    return 0;
}
