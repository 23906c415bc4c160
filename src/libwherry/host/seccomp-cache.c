/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/seccomp-cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "base/str.h"

#define MAGIC "wherry-seccomp-1"
/* Profiles are some 50 kB of text; what the kernel takes is bounded anyway. */
#define KEY_MAX (4u << 20)
#define FILTER_MAX (WH_BPF_MAXINSNS * 8u * 8u)
/* Profiles change seldom, and there are few: a cache that grew beyond this is emptied. */
#define ENTRIES_MAX 256

struct head {
    char magic[16];
    uint32_t key_len, filter_len;
    uint64_t sum; /* of key and filter: a write that a crash cut short is not mistaken for a whole one */
};

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    /* FNV-1a, eight bytes a round. It names a file; nothing is trusted because of it. */
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t w;

        memcpy(&w, p, 8);
        h = (h ^ w) * 0x100000001b3ull;
        h ^= h >> 29;
    }
    for (; len > 0; p++, len--)
        h = (h ^ *p) * 0x100000001b3ull;
    return h;
}
#define HASH_SEED 0xcbf29ce484222325ull

static bool ours(int fd, bool dir, struct stat *st)
{
    return fstat(fd, st) == 0 && (dir ? S_ISDIR(st->st_mode) : S_ISREG(st->st_mode)) && st->st_uid == geteuid() &&
           !(st->st_mode & 077);
}

static int cache_dir(int root_fd, bool make)
{
    static const char *const parts[] = { ".cache", "seccomp" };
    WH_CLEANUP_FD int fd = -1;
    struct stat st;

    for (size_t i = 0; i < WH_ELEMENTSOF(parts); i++) {
        int at = i ? fd : root_fd, next;

        if (make && mkdirat(at, parts[i], 0700) < 0 && errno != EEXIST)
            return -errno;
        next = openat(at, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return -errno;
        wh_close(fd);
        fd = next;
        if (!ours(fd, true, &st))
            return -EPERM;
    }
    return wh_take_fd(&fd);
}

/* Whether the file has the key at `off`: piece by piece, because keys are larger than all that a run needs otherwise. */
static bool same_key(int fd, off_t off, const char *key, size_t len)
{
    char piece[2048];

    for (size_t done = 0; done < len;) {
        size_t n = len - done < sizeof piece ? len - done : sizeof piece;

        if (pread(fd, piece, n, off + (off_t)done) != (ssize_t)n || memcmp(piece, key + done, n) != 0)
            return false;
        done += n;
    }
    return true;
}

int wh_seccomp_cache_get(int root_fd, const char *key, size_t key_len, struct wh_arena *arena, const void **ret,
                         size_t *ret_len)
{
    WH_CLEANUP_FD int dir = cache_dir(root_fd, false), fd = -1;
    struct head h;
    struct stat st;
    char name[24], *buf;

    if (dir < 0 || key_len > KEY_MAX)
        return 0;
    snprintf(name, sizeof name, "%016llx", (unsigned long long)hash(HASH_SEED, key, key_len));
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || !ours(fd, false, &st) || read(fd, &h, sizeof h) != sizeof h)
        return 0;
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.key_len != key_len || h.filter_len == 0 ||
        h.filter_len > FILTER_MAX || h.filter_len % sizeof(struct wh_sock_filter) != 0 ||
        (uint64_t)st.st_size != sizeof h + (uint64_t)h.key_len + h.filter_len)
        return 0;
    if (!same_key(fd, sizeof h, key, key_len))
        return 0;
    buf = wh_arena_alloc(arena, h.filter_len);
    if (!buf || pread(fd, buf, h.filter_len, (off_t)(sizeof h + h.key_len)) != (ssize_t)h.filter_len ||
        hash(hash(HASH_SEED, key, key_len), buf, h.filter_len) != h.sum)
        return 0;
    *ret = buf;
    *ret_len = h.filter_len;
    return 1;
}

/* Empties a full cache; the entry that is made next is the first again. */
static void prune(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;
    unsigned n = 0;

    if (!dir) {
        wh_close(fd);
        return;
    }
    while (readdir(dir))
        n++;
    rewinddir(dir);
    while (n > ENTRIES_MAX && (de = readdir(dir)))
        if (de->d_name[0] != '.')
            unlinkat(dir_fd, de->d_name, 0);
    closedir(dir);
}

void wh_seccomp_cache_put(int root_fd, const char *key, size_t key_len, const void *filter, size_t len)
{
    WH_CLEANUP_FD int dir = -1;
    WH_CLEANUP_BUF struct wh_buf buf = { 0 };
    struct head h = { .key_len = (uint32_t)key_len, .filter_len = (uint32_t)len };
    uint64_t sum = hash(HASH_SEED, key, key_len);
    char name[24];

    if (key_len > KEY_MAX || len == 0 || len > FILTER_MAX)
        return;
    dir = cache_dir(root_fd, true);
    if (dir < 0)
        return;
    memcpy(h.magic, MAGIC, sizeof h.magic);
    snprintf(name, sizeof name, "%016llx", (unsigned long long)sum);
    h.sum = hash(sum, filter, len);
    wh_buf_add(&buf, &h, sizeof h);
    wh_buf_add(&buf, key, key_len);
    wh_buf_add(&buf, filter, len);
    prune(dir);
    if (!buf.failed)
        wh_replace_at(dir, name, buf.data, buf.len, 0600);
}
