/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_SECCOMP_CACHE_H
#define WH_HOST_SECCOMP_CACHE_H

#include <stddef.h>

#include "base/arena.h"

/*
 * Compiled seccomp filters in <root>/.cache/seccomp, because libseccomp needs several milliseconds for an engine's
 * profile. A file is named by a hash of its key and holds the whole key and the filter; the key is compared in full, so
 * neither a collision nor a renamed file gives a container another filter. Only files of ours, in directories of ours,
 * that nobody else can write to are believed; anything else counts as absent and is replaced. Never an error: without the cache
 * a filter is compiled.
 */

/* 1 and the filter in arena, or 0. */
int wh_seccomp_cache_get(int root_fd, const char *key, size_t key_len, struct wh_arena *arena, const void **ret,
                         size_t *ret_len);
void wh_seccomp_cache_put(int root_fd, const char *key, size_t key_len, const void *filter, size_t len);

#endif
