/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of seccomp filters gives back exactly what was put in, for exactly that key, or nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/seccomp-cache.h"
#include "tap.h"

static const char key[] = "the key", other[] = "another key";
static const unsigned char filter[32] = { 1, 2, 3, 4, 5 }, second[16] = { 9 };
static int root = -1;

static int get(const char *k, const void **ret, size_t *len)
{
    static struct wh_arena *a;

    wh_arena_free(a);
    a = wh_arena_new();
    return wh_seccomp_cache_get(root, k, strlen(k), a, ret, len);
}

/* The (last) entry of the cache. */
static int open_entry(int flags, char name[64])
{
    int dir = openat(root, ".cache/seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
    DIR *d = fdopendir(dir);
    struct dirent *de;

    while ((de = readdir(d)))
        if (de->d_name[0] != '.') {
            snprintf(name, 64, "%.60s", de->d_name);
            wh_close(fd);
            fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
        }
    closedir(d);
    return fd;
}

static void put(void)
{
    wh_seccomp_cache_put(root, key, strlen(key), filter, sizeof filter);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[128], name[64];
    const void *got = NULL;
    size_t len = 0;
    struct stat st;
    int fd, dir;

    snprintf(path, sizeof path, "%s/wherry-cache-%d", tmp ? tmp : "/tmp", (int)getpid());
    if (mkdirat(AT_FDCWD, path, 0700) < 0)
        bail_out("no temporary directory");
    root = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    is_int(get(key, &got, &len), 0, "an empty cache has nothing");
    put();
    is_int(get(key, &got, &len), 1, "what was put in is found");
    is_int(len, sizeof filter, "whole");
    is_mem(got, filter, sizeof filter, "unchanged");
    is_int(get(other, &got, &len), 0, "under its key only");
    dir = openat(root, ".cache/seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_int(fstat(dir, &st) == 0 ? st.st_mode & 07777 : 0, 0700, "directory 0700");
    fd = open_entry(O_RDWR, name);
    is_int(fstat(fd, &st) == 0 ? st.st_mode & 07777 : 0, 0600, "file 0600");

    fchmod(fd, 0602);
    is_int(get(key, &got, &len), 0, "a file that others can write to is ignored");
    put();
    is_int(get(key, &got, &len), 1, "and replaced");
    wh_close(fd);

    fd = open_entry(O_RDWR, name);
    if (pwrite(fd, "\xff", 1, st.st_size - 1) != 1)
        fail_test("write");
    is_int(get(key, &got, &len), 0, "a filter with one wrong byte is ignored");
    put();
    is_int(get(key, &got, &len), 1, "and replaced");
    wh_close(fd);

    fd = open_entry(O_RDWR, name);
    if (ftruncate(fd, st.st_size - 8) < 0)
        fail_test("truncate");
    is_int(get(key, &got, &len), 0, "a short file is ignored");
    if (ftruncate(fd, 0) < 0)
        fail_test("truncate");
    is_int(get(key, &got, &len), 0, "so is an empty one");
    if (ftruncate(fd, (off_t)1 << 40) < 0)
        fail_test("truncate");
    is_int(get(key, &got, &len), 0, "so is a huge one");
    wh_close(fd);

    /* The file of one key under the name of another: the names are hashes, and hashes collide. */
    put();
    wh_seccomp_cache_put(root, other, strlen(other), second, sizeof second);
    is_int(get(other, &got, &len), 1, "a second key has an entry of its own");
    is_mem(got, second, sizeof second, "with its filter");
    {
        char names[2][64] = { "", "" };
        DIR *d = fdopendir(dup(dir));
        struct dirent *de;
        int n = 0;

        rewinddir(d);
        while ((de = readdir(d)))
            if (de->d_name[0] != '.' && n < 2)
                snprintf(names[n++], 64, "%.60s", de->d_name);
        closedir(d);
        is_int(n, 2, "two entries");
        renameat(dir, names[0], dir, "x");
        renameat(dir, names[1], dir, names[0]);
        renameat(dir, "x", dir, names[1]);
    }
    is_int(get(key, &got, &len), 0, "an entry with another key in it is ignored");
    is_int(get(other, &got, &len), 0, "both ways");
    put();
    is_int(get(key, &got, &len), 1, "and replaced");

    fd = open_entry(O_RDONLY, name);
    wh_close(fd);
    unlinkat(dir, name, 0);
    if (symlinkat("/dev/zero", dir, name) < 0 || mkfifoat(dir, "fifo", 0600) < 0)
        fail_test("symlink");
    is_int(get(key, &got, &len) + get(other, &got, &len) < 2, 1, "a symlink is not followed");
    put();
    wh_seccomp_cache_put(root, other, strlen(other), second, sizeof second);
    is_int(get(key, &got, &len), 1, "and replaced");

    fchmod(dir, 0777);
    is_int(get(key, &got, &len), 0, "nothing is believed in a directory that others can write to");
    fchmod(dir, 0700);

    for (int i = 0; i < 300; i++) {
        char k[32];
        int n = snprintf(k, sizeof k, "key %d", i);

        wh_seccomp_cache_put(root, k, (size_t)n, filter, sizeof filter);
    }
    {
        DIR *d = fdopendir(dup(dir));
        int n = 0;

        rewinddir(d);
        while (readdir(d))
            n++;
        closedir(d);
        ok(n <= 260, "300 profiles do not make 300 files (%d)", n);
    }
    is_int(get("key 299", &got, &len), 1, "the newest is there");
    wh_close(dir);
    wh_close(root);
    wh_remove_tree_at(AT_FDCWD, path);
    return done_testing();
}
