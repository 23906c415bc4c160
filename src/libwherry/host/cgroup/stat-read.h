/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_CGROUP_STAT_READ_H
#define WH_HOST_CGROUP_STAT_READ_H

/* How the files of cgroups are read and their numbers written; for the two drivers, and for nobody outside this directory. */

#include "base/json-out.h"

/* The whole file, malloc'ed and NUL-terminated; null when it is not there, cannot be read, or is longer than any such file. */
char *wh_stat_file(int dirfd, const char *name);
/* Cuts the next line off *at, in place; null at the end. */
char *wh_stat_line(char **at);
/* Cuts the next blank-separated word off *at, in place; null at the end. */
char *wh_stat_word(char **at);
/* The first line of a file as a number; "max" is UINT64_MAX. */
bool wh_stat_number(int dirfd, const char *name, uint64_t *ret);
/* The same for a file that is 0 when it is not there. */
uint64_t wh_stat_value(int dirfd, const char *name);
/* The number behind a key, in "KEY NUMBER" lines of a text (which stays as it is). */
bool wh_stat_key(const char *text, const char *key, uint64_t *ret);

uint64_t wh_stat_mul(uint64_t a, uint64_t b); /* both end at UINT64_MAX instead of wrapping around */
uint64_t wh_stat_add(uint64_t a, uint64_t b);

/* A member that is left out when it is 0. */
void wh_stat_opt(struct wh_json *j, const char *key, uint64_t value);
/* "0-3,8" as an array; nothing when it is empty or something else. */
void wh_stat_list(struct wh_json *j, const char *key, const char *text);
/* The same, of the first line of a file; nothing where there is none. */
void wh_stat_list_file(struct wh_json *j, const char *key, int dirfd, const char *name);
/* All "KEY NUMBER" lines as one object; nothing when there is none. */
void wh_stat_map(struct wh_json *j, const char *key, char *text);
/* The member psi, of a *.pressure file. */
void wh_stat_psi(struct wh_json *j, int dirfd, const char *name);

#define WH_STAT_SIZES 16
struct wh_stat_sizes {
    char name[WH_STAT_SIZES][16]; /* "2MB", sorted */
    unsigned n;
};
/* The sizes of huge pages for which there is a file hugetlb.SIZE.SUFFIX. */
void wh_stat_sizes(int dirfd, const char *suffix, struct wh_stat_sizes *ret);

/* One list of block I/O, opened with its first entry. op may be null. */
struct wh_stat_blkio {
    struct wh_json *j;
    const char *key;
    bool open;
};
void wh_stat_blkio_add(struct wh_stat_blkio *b, const char *device, const char *op, uint64_t value);
void wh_stat_blkio_end(struct wh_stat_blkio *b);

/* ---- the drivers; each writes the inside of an object ---- */

void wh_stat_one_usage(struct wh_json *j, int dirfd); /* cpuacct */
void wh_stat_two_usage(struct wh_json *j, int dirfd);
void wh_stat_one_throttling(struct wh_json *j, int dirfd); /* cpu */
void wh_stat_two_throttling(struct wh_json *j, int dirfd);
void wh_stat_one_cpuset(struct wh_json *j, int dirfd);
void wh_stat_two_cpuset(struct wh_json *j, int dirfd); /* dirfd may be -1: the members that are always there */
void wh_stat_one_memory(struct wh_json *j, int dirfd);
void wh_stat_two_memory(struct wh_json *j, int dirfd);
void wh_stat_one_blkio(struct wh_json *j, int dirfd);
void wh_stat_two_blkio(struct wh_json *j, int dirfd);
void wh_stat_one_hugetlb(struct wh_json *j, int dirfd);
void wh_stat_two_hugetlb(struct wh_json *j, int dirfd);

#endif
