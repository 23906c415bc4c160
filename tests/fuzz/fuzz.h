/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_FUZZ_H
#define WH_FUZZ_H

/*
 * A fuzz target is FUZZ_NAME, defined before this file is included, LLVMFuzzerTestOneInput and seed(). With clang -fsanitize=fuzzer
 * -DWH_LIBFUZZER it is a libFuzzer program. Without, it is a unit test that feeds the seeds and the kept corpus (tests/fuzz/corpus/NAME), as
 * they are, cut off and damaged, FUZZ_INPUTS times in all: what was found once stays found, also by a gcc that has no libFuzzer.
 * FUZZ_PARTS: only what is shared with other tests.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property of the code under test; with a name, so that a report says which one. */
#define must(cond) ((cond) ? (void)0 : fuzz_broken(#cond, __FILE__, __LINE__))
__attribute__((noreturn, unused)) static void fuzz_broken(const char *what, const char *file, int line);

/* What a target takes off the front of its input to decide about the rest; zeros when it is used up. */
struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
};
__attribute__((unused)) static uint64_t fuzz_take(struct fuzz_bytes *b, size_t n)
{
    uint64_t v = 0;

    for (; n > 0 && b->left > 0; n--, b->left--)
        v = v << 8 | *b->at++;
    return v;
}

/* The part up to the next byte `sep`, as a string of its own, malloc'ed to its exact size; *ret_len may be null. */
__attribute__((unused)) static char *fuzz_part(struct fuzz_bytes *b, uint8_t sep, size_t *ret_len)
{
    const uint8_t *end = b->left ? memchr(b->at, sep, b->left) : NULL;
    size_t n = end ? (size_t)(end - b->at) : b->left, skip = n + (end != NULL);
    char *s = malloc(n + 1);

    if (!s)
        abort();
    if (n)
        memcpy(s, b->at, n);
    s[n] = '\0';
    if (ret_len)
        *ret_len = n;
    b->at += skip;
    b->left -= skip;
    return s;
}

#if defined WH_LIBFUZZER || defined FUZZ_PARTS
#include <stdio.h>

static void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    abort();
}
#else
#include <dirent.h>

#include "../unit/read-file.h"
#include "../unit/tap.h"

#ifndef FUZZ_INPUTS
#define FUZZ_INPUTS 20000u
#endif
#define FUZZ_MAX_SEEDS 4096u

/* The n-th seed, allocated; null after the last. */
static uint8_t *seed(unsigned int n, size_t *ret_size);

static void fuzz_broken(const char *what, const char *file, int line)
{
    diag("%s:%d: broken: %s", file, line, what);
    abort();
}

struct fuzz_seed {
    uint8_t *data;
    size_t size;
};

/* In memory of exactly its size, for the sanitizer to watch. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static unsigned int add_corpus(struct fuzz_seed *v, unsigned int n)
{
    static const char dir[] = "tests/fuzz/corpus/" FUZZ_NAME;
    DIR *d = opendir(dir);
    char path[400];

    for (struct dirent *e; d && n < FUZZ_MAX_SEEDS && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        v[n].data = e->d_name[0] == '.' ? NULL : (uint8_t *)read_file(path, &v[n].size);
        n += v[n].data != NULL;
    }
    if (d)
        closedir(d);
    return n;
}

/* With a directory as argument: writes the target's own seeds there, for the kept corpus. */
static int write_seeds(const char *dir)
{
    uint8_t *data;
    size_t size;

    for (unsigned int n = 0; (data = seed(n, &size)) != NULL; n++, free(data)) {
        char path[400];
        FILE *f;

        snprintf(path, sizeof path, "%s/seed-%u", dir, n);
        f = fopen(path, "wb");
        if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct fuzz_seed v[FUZZ_MAX_SEEDS];
    unsigned int n = 0, own, inputs = 0;
    uint64_t x = 88172645463325252u;

    if (argc > 1)
        return write_seeds(argv[1]);
    while (n < FUZZ_MAX_SEEDS && (v[n].data = seed(n, &v[n].size)) != NULL)
        n++;
    own = n;
    n = add_corpus(v, n);
    for (unsigned int i = 0; i < n; i++, inputs++)
        feed(v[i].data, v[i].size);
    for (unsigned int i = 0; i < own; i++)
        for (size_t k = 0, step = 1 + v[i].size / (FUZZ_INPUTS / 8); k < v[i].size; k += step, inputs++)
            feed(v[i].data, k);
    for (unsigned int r = 0; n > 0 && r < FUZZ_INPUTS; r++, inputs++) {
        const struct fuzz_seed *s = &v[r % n];
        uint8_t *bad = malloc(s->size + 1);
        unsigned int changes;

        memcpy(bad, s->data, s->size);
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        for (changes = 1 + x % 6; changes && s->size; changes--) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            bad[(x >> 16) % s->size] = (uint8_t)(x % 3 ? x >> 8 : x % 2 ? 0xff : 0);
        }
        feed(bad, s->size);
        free(bad);
    }
    for (unsigned int i = 0; i < n; i++)
        free(v[i].data);
    ok(n > 0, FUZZ_NAME ": %u inputs from %u seeds, %u of them of the kept corpus", inputs, n, n - own);
    return done_testing();
}
#endif

#endif
