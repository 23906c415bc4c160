/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as /etc/passwd: the scan stays within its buffer, and reading in pieces finds the same as reading at once. */
#define WH_FAKE_SYS
#include "init/home.c"

#define FUZZ_NAME "home"
#include "fuzz.h"

/* What home.c needs of the rest of init, which is not under test here. */
long sys_openat2(int fd, const char *path, const struct wh_open_how *how)
{
    (void)fd, (void)path, (void)how;
    return -ENOSYS;
}
long sys_statx(int fd, const char *path, int flags, unsigned int mask, struct wh_statx *st)
{
    (void)fd, (void)path, (void)flags, (void)mask, (void)st;
    return -ENOSYS;
}
long sys_read(int fd, void *buf, size_t n)
{
    (void)fd, (void)buf, (void)n;
    return -ENOSYS;
}
long sys_close(int fd)
{
    (void)fd;
    return 0;
}
long ini_openat2(int fd, const char *path, uint64_t flags, uint64_t resolve)
{
    (void)fd, (void)path, (void)flags, (void)resolve;
    return -ENOSYS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t uids[] = { 0, 7, 1000, 4294967295u };

    for (size_t k = 0; k < sizeof(uids) / sizeof(uids[0]); k++) {
        char *whole = malloc(INI_HOME_MAX), *pieces = malloc(INI_HOME_MAX);
        struct ini_home_scan a = { .uid = uids[k], .home = whole }, b = { .uid = uids[k], .home = pieces };
        bool found_a = ini_home_scan(&a, (const char *)data, size), found_b = false;

        for (size_t at = 0, n; at < size && !found_b; at += n) {
            n = 1 + at % 7;
            if (n > size - at)
                n = size - at;
            found_b = ini_home_scan(&b, (const char *)data + at, n);
        }
        if (found_a != found_b || (found_a && (strcmp(whole, pieces) != 0 || strlen(whole) >= INI_HOME_MAX)))
            abort();
        free(whole);
        free(pieces);
    }
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const seeds[] = {
        "",
        "root:x:0:0:root:/root:/bin/sh\nu:x:7:7::/home/u:\nv:x:1000:1000:a,b:/home/v\nw::4294967295:::/w:",
        "::::::\n\n:::::::::\n0:0:0:0:0:0:0\nx:x:00000000007:1::/a:\nx:x:18446744073709551623:1::/b:\nx:x:7",
        "u:x:7:7::/home/u",
    };
    char *text;

    if (n < sizeof(seeds) / sizeof(seeds[0])) {
        *ret_size = strlen(seeds[n]);
        text = malloc(*ret_size + 1);
        memcpy(text, seeds[n], *ret_size);
        return (uint8_t *)text;
    }
    /* A home that just fits, and one that does not. */
    if (n - sizeof(seeds) / sizeof(seeds[0]) < 3) {
        size_t len = INI_HOME_MAX - 2 + n - sizeof(seeds) / sizeof(seeds[0]);

        text = malloc(len + 32);
        memcpy(text, "u:x:7:7::", 9);
        memset(text + 9, '/', len);
        memcpy(text + 9 + len, ":/bin/sh\n", 9);
        *ret_size = len + 18;
        return (uint8_t *)text;
    }
    return NULL;
}
