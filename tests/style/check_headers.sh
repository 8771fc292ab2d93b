#!/usr/bin/env bash
# Every header compiles alone, first in line, and begins with its own path and what it is for.
set -euo pipefail
status=0
mapfile -d '' headers < <(find base event ingest detect store console app -name '*.h' -print0 2>/dev/null | sort -z)
for header in "${headers[@]}"; do
    if ! head -n 2 "$header" | grep -qF "$header - "; then
        echo "$header: the first comment must begin with '$header - ' and its purpose"
        status=1
    fi
    if ! grep -qx '#pragma once' "$header"; then
        echo "$header: no #pragma once"
        status=1
    fi
done
printf '%s\0' "${headers[@]}" | xargs -0 -r -n 1 -P "$(nproc)" \
    "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -I. -fsyntax-only -Wall -Wextra -Wundef -Werror \
    -xc /dev/null -include || status=1
[ $status = 0 ] && echo "headers ok: ${#headers[@]}"
exit $status
