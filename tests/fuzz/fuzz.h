/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_FUZZ_H
#define WH_FUZZ_H

/*
 * A fuzz target is LLVMFuzzerTestOneInput and seeds(). With clang -fsanitize=fuzzer -DWH_LIBFUZZER it is a libFuzzer program; without, a
 * test that feeds the seeds, each of their prefixes, and a fixed number of damaged copies: what has been found once stays found.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef WH_LIBFUZZER
#include "../unit/tap.h"

/* The n-th seed, allocated; null after the last. */
static uint8_t *seed(unsigned int n, size_t *ret_size);

/* In memory of exactly its size, for the sanitizer to watch. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

int main(void)
{
    unsigned int n, rounds = 3000, inputs = 0;
    uint64_t x = 88172645463325252u;
    uint8_t *data;
    size_t size, k;

    for (n = 0; (data = seed(n, &size)) != NULL; n++) {
        size_t step = size > 4096 ? size / 4096 : 1;

        for (k = 0; k <= size; k += step, inputs++)
            feed(data, k);
        for (unsigned int r = 0; r < rounds; r++, inputs++) {
            uint8_t *bad = malloc(size + 1);
            unsigned int changes;

            memcpy(bad, data, size);
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            for (changes = 1 + x % 6; changes && size; changes--) {
                x ^= x << 13, x ^= x >> 7, x ^= x << 17;
                bad[(x >> 16) % size] = (uint8_t)(x % 3 ? x >> 8 : x % 2 ? 0xff : 0);
            }
            feed(bad, size);
            free(bad);
        }
        free(data);
    }
    ok(n > 0, "%u inputs from %u seeds", inputs, n);
    return done_testing();
}
#endif

#endif
