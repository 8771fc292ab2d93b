#!/usr/bin/env bash
# Every C file has the form that .clang-format describes; `./dev format` gives it.
set -euo pipefail
find . -path './build*' -prune -o -name '*.[ch]' -print0 |
    xargs -0 -r -n 8 -P "$(nproc)" clang-format-14 --dry-run -Werror --ferror-limit=3
echo "format ok"
