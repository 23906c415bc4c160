/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

/* SUB_UID_MIN of login.defs(5), as it is delivered. */
#define FIRST_SUBID 100000

static FILE *open_file(const char *path)
{
    int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "re");

    if (fd >= 0 && !f)
        wh_close(fd);
    return f;
}

static void close_filep(FILE **f)
{
    if (*f)
        fclose(*f);
}
#define CLEANUP_FILE __attribute__((cleanup(close_filep)))

static void freep(char **p)
{
    free(*p);
}
#define CLEANUP_FREE __attribute__((cleanup(freep)))

void wh_user_name(uid_t uid, char *buf, size_t size)
{
    CLEANUP_FILE FILE *f = open_file("/etc/passwd");
    struct passwd pw, *found;
    char line[4096];

    snprintf(buf, size, "%u", uid);
    while (f && fgetpwent_r(f, &pw, line, sizeof line, &found) == 0)
        if (pw.pw_uid == uid) {
            snprintf(buf, size, "%s", pw.pw_name);
            return;
        }
}

/* "name:first:count" or "uid:first:count"; name null: anybody's. */
static bool parse(char *line, const char *name, const char *number, struct wh_subid_range *ret)
{
    char *first = strchr(line, ':'), *count = first ? strchr(first + 1, ':') : NULL;

    if (!count)
        return false;
    *first++ = *count++ = '\0';
    count[strcspn(count, "\n")] = '\0';
    return (!name || wh_streq(line, name) || wh_streq(line, number)) &&
           wh_parse_u64(first, UINT32_MAX, &ret->first) == 0 && wh_parse_u64(count, UINT32_MAX, &ret->count) == 0;
}

static int each(bool gid, uid_t uid, const char *name, bool (*fn)(void *, const struct wh_subid_range *), void *data)
{
    CLEANUP_FILE FILE *f = open_file(gid ? "/etc/subgid" : "/etc/subuid");
    CLEANUP_FREE char *line = NULL;
    struct wh_subid_range range;
    char number[16];
    size_t size = 0;

    if (!f)
        return errno == ENOENT ? 0 : -errno;
    snprintf(number, sizeof number, "%u", uid);
    while (getline(&line, &size, f) > 0)
        if (parse(line, name, number, &range) && fn(data, &range))
            break;
    return ferror(f) ? -EIO : 0;
}

static bool bigger(void *data, const struct wh_subid_range *range)
{
    struct wh_subid_range *best = data;

    if (range->count > best->count)
        *best = *range;
    return false;
}

int wh_subid_biggest(bool gid, uid_t uid, const char *name, struct wh_subid_range *ret)
{
    int r;

    *ret = (struct wh_subid_range){ 0 };
    r = each(gid, uid, name, bigger, ret);
    return r < 0 ? r : ret->count > 0;
}

static bool after(void *data, const struct wh_subid_range *range)
{
    uint64_t *first = data;

    if (range->first + range->count > *first)
        *first = range->first + range->count;
    return false;
}

uint64_t wh_subid_free(void)
{
    uint64_t first = FIRST_SUBID;

    (void)each(false, 0, NULL, after, &first);
    (void)each(true, 0, NULL, after, &first);
    return first;
}

/* Moves the beginning of what is left behind the range, when it is inside. */
static bool advance(void *data, const struct wh_subid_range *range)
{
    struct wh_subid_range *left = data;
    uint64_t end = range->first + range->count;

    if (left->first < range->first || left->first >= end)
        return false;
    left->count = left->first + left->count > end ? left->first + left->count - end : 0;
    left->first = end;
    return true;
}

static int number(const char **p, uint64_t *ret)
{
    size_t len;
    char buf[24];

    *p += strspn(*p, " ");
    len = strcspn(*p, " \n");
    snprintf(buf, sizeof buf, "%.*s", (int)(len < sizeof buf ? len : sizeof buf - 1), *p);
    *p += len;
    return wh_parse_u64(buf, UINT32_MAX, ret);
}

int wh_subid_uncovered(bool gid, uid_t uid, const char *name, uint32_t own, const char *map, struct wh_subid_range *ret)
{
    const struct wh_subid_range self = { own, 1 };
    uint64_t cid, hid, size;

    for (const char *p = map; *p; p = *p ? p + 1 : p) {
        if (number(&p, &cid) < 0 || number(&p, &hid) < 0 || number(&p, &size) < 0)
            return -EINVAL;
        *ret = (struct wh_subid_range){ hid, size };
        /* A map line may span ranges that meet. Each pass goes on where the last one stopped. */
        for (uint64_t before = UINT64_MAX; ret->count > 0 && before != ret->first;) {
            int r;

            before = ret->first;
            advance(ret, &self);
            r = ret->count ? each(gid, uid, name, advance, ret) : 0;
            if (r < 0)
                return r;
        }
        if (ret->count > 0)
            return 1;
        p += strcspn(p, "\n");
    }
    return 0;
}
