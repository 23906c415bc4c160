/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/*
 * "did you mean": the commands or options that are nearest to what was written, within two edits; within one if both
 * words are shorter than six letters. An edit is a letter more, a letter less, another letter, or a swap of neighbours.
 */

#define NEAR 2u
#define NAME_MAX_LEN 32u

/* Optimal string alignment: Levenshtein's distance, but a swap of neighbours (seen from two rows above) is one edit. */
static unsigned int distance(const char *a, size_t la, const char *b, size_t lb)
{
    unsigned int rows[3][NAME_MAX_LEN + 1] = { 0 };

    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = (unsigned int)j;
    for (size_t i = 1; i <= la; i++) {
        const unsigned int *second = rows[(i + 1) % 3], *above = rows[(i + 2) % 3];
        unsigned int *row = rows[i % 3];

        row[0] = (unsigned int)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned int best = above[j - 1] + (a[i - 1] != b[j - 1]);

            best = best < above[j] + 1 ? best : above[j] + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && second[j - 2] + 1 < best)
                best = second[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[la % 3][lb];
}

void cli_near_add(struct cli_near *n, const char *name, size_t len, const char *candidate)
{
    size_t other = strlen(candidate);
    unsigned int d, far = (unsigned int)(len > other ? len : other) / 3;

    if (len > NAME_MAX_LEN || other > NAME_MAX_LEN)
        return;
    d = distance(name, len, candidate, other);
    /* In a short word two letters are half of it: that is another word. */
    if (d > NEAR || (d > far && d > 1) || d >= len)
        return;
    if (n->count == 0 || d < n->distance) {
        n->count = 0;
        n->distance = d;
    }
    if (d == n->distance && n->count < CLI_NEAR_MAX)
        n->names[n->count++] = candidate;
}

void cli_near_text(const struct cli_near *n, const char *quote, char *ret, size_t size)
{
    const char *end = *quote == '"' ? "\"" : "";
    size_t len = 0;

    if (size)
        ret[0] = '\0';
    for (unsigned int i = 0; i < n->count && len < size; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s%s%s",
                                i == 0             ? ", did you mean "
                                : i + 1 < n->count ? ", "
                                                   : " or ",
                                quote, n->names[i], end);
    if (n->count > 0 && len < size)
        snprintf(ret + len, size - len, "?");
}
