/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TAP for unit tests, in one header. A test program calls the checks in any order and ends with `return done_testing();`, which prints the plan and
 * gives the exit status. A program that dies before that prints no plan, and the harness counts it as failed.
 *
 *   ok(cond, "text %d", n)        is_int(got, want, "text")       is_u64(got, want, "text")
 *   is_str(got, want, "text")     is_mem(got, want, size, "text") has_str(got, part, "text")
 *   skip("why")                   one skipped check               diag("text")
 *   fd_count()                    how many descriptors are open
 */
#ifndef WH_TAP_H
#define WH_TAP_H

#include <dirent.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How many descriptors this process has: to be compared with what it had before. */
__attribute__((unused)) static unsigned fd_count(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static unsigned int tap_run_count, tap_fail_count;

__attribute__((unused, format(printf, 1, 2))) static void diag(const char *fmt, ...)
{
    va_list ap;

    /* stdout, like the results: their order is what makes a log readable. */
    va_start(ap, fmt);
    printf("# ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    fflush(stdout);
}

__attribute__((format(printf, 4, 5))) static bool tap_ok(bool pass, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    tap_run_count++;
    printf("%s %u - ", pass ? "ok" : "not ok", tap_run_count);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    if (!pass) {
        tap_fail_count++;
        printf("#   at %s:%d\n", file, line);
    }
    /* A crash in the next check must not take this line with it. */
    fflush(stdout);
    return pass;
}

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)
#define pass(...) tap_ok(true, __FILE__, __LINE__, __VA_ARGS__)
#define fail_test(...) tap_ok(false, __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                                                         \
    ({                                                                                                                 \
        long long tap_g = (long long)(got), tap_w = (long long)(want);                                                 \
        bool tap_r = tap_ok(tap_g == tap_w, __FILE__, __LINE__, __VA_ARGS__);                                          \
        if (!tap_r)                                                                                                    \
            diag("  got %lld, want %lld", tap_g, tap_w);                                                               \
        tap_r;                                                                                                         \
    })

#define is_u64(got, want, ...)                                                                                         \
    ({                                                                                                                 \
        unsigned long long tap_g = (got), tap_w = (want);                                                              \
        bool tap_r = tap_ok(tap_g == tap_w, __FILE__, __LINE__, __VA_ARGS__);                                          \
        if (!tap_r)                                                                                                    \
            diag("  got %llu (%#llx), want %llu (%#llx)", tap_g, tap_g, tap_w, tap_w);                                 \
        tap_r;                                                                                                         \
    })

/* Two NULLs are equal. */
#define is_str(got, want, ...)                                                                                         \
    ({                                                                                                                 \
        const char *tap_g = (got), *tap_w = (want);                                                                    \
        bool tap_r =                                                                                                   \
            tap_ok(tap_g && tap_w ? strcmp(tap_g, tap_w) == 0 : tap_g == tap_w, __FILE__, __LINE__, __VA_ARGS__);      \
        if (!tap_r) {                                                                                                  \
            diag("  got  %s", tap_g ? tap_g : "(null)");                                                               \
            diag("  want %s", tap_w ? tap_w : "(null)");                                                               \
        }                                                                                                              \
        tap_r;                                                                                                         \
    })

#define has_str(got, part, ...)                                                                                        \
    ({                                                                                                                 \
        const char *tap_g = (got), *tap_w = (part);                                                                    \
        bool tap_r = tap_ok(tap_g && strstr(tap_g, tap_w), __FILE__, __LINE__, __VA_ARGS__);                           \
        if (!tap_r) {                                                                                                  \
            diag("  got  %s", tap_g ? tap_g : "(null)");                                                               \
            diag("  which lacks %s", tap_w);                                                                           \
        }                                                                                                              \
        tap_r;                                                                                                         \
    })

#define is_mem(got, want, size, ...)                                                                                   \
    ({                                                                                                                 \
        const unsigned char *tap_g = (const void *)(got), *tap_w = (const void *)(want);                               \
        size_t tap_n = (size), tap_i = 0;                                                                              \
        while (tap_i < tap_n && tap_g[tap_i] == tap_w[tap_i])                                                          \
            tap_i++;                                                                                                   \
        bool tap_r = tap_ok(tap_i == tap_n, __FILE__, __LINE__, __VA_ARGS__);                                          \
        if (!tap_r)                                                                                                    \
            diag("  byte %zu: got 0x%02x, want 0x%02x", tap_i, tap_g[tap_i], tap_w[tap_i]);                            \
        tap_r;                                                                                                         \
    })

__attribute__((unused)) static void skip(const char *why)
{
    tap_run_count++;
    printf("ok %u # SKIP %s\n", tap_run_count, why);
    fflush(stdout);
}

__attribute__((unused)) static void bail_out(const char *why)
{
    printf("Bail out! %s\n", why);
    fflush(stdout);
}

/* A program that checked nothing has tested nothing. */
__attribute__((unused, warn_unused_result)) static int done_testing(void)
{
    printf("1..%u\n", tap_run_count);
    fflush(stdout);
    return tap_fail_count > 0 || tap_run_count == 0;
}

#endif
