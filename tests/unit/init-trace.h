/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TESTS_INIT_TRACE_H
#define WH_TESTS_INIT_TRACE_H

/* What init-ops.c writes down, and the text that it has to be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define GOLDEN "tests/golden/init/ops.txt"

static FILE *all;
static char *all_text;
static size_t all_size;
static void compare(void)
{
    FILE *f;
    char *want;
    size_t n, line = 1;

    fclose(all);
    if (getenv("WHERRY_UPDATE_GOLDEN")) {
        f = fopen(GOLDEN, "we");
        if (!f || fwrite(all_text, 1, all_size, f) != all_size)
            fail_test("write " GOLDEN);
        if (f)
            fclose(f);
    }
    f = fopen(GOLDEN, "re");
    want = malloc(all_size + 2);
    n = f ? fread(want, 1, all_size + 1, f) : 0;
    if (f)
        fclose(f);
    if (!ok(n == all_size && memcmp(want, all_text, n) == 0, "traces are those of " GOLDEN)) {
        for (size_t k = 0; k < n && k < all_size && want[k] == all_text[k]; k++)
            line += want[k] == '\n';
        diag("first difference in line %zu; WHERRY_UPDATE_GOLDEN=1 writes the new text", line);
    }
    free(want);
    free(all_text);
}

#endif
