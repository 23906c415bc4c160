/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_BASE_ARENA_H
#define WH_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Memory of one lifetime: a spec, or a plan under construction. Nothing in it is freed alone, so no error path of the
 * pure floors has anything to undo. Running out is remembered (`failed`) and every later call returns null: a caller
 * may build a whole structure and test once at the end.
 */
struct wh_arena;

struct wh_arena *wh_arena_new(void);
void wh_arena_free(struct wh_arena *a); /* null is fine */

/* Zeroed memory aligned to 16, or null. size 0 gives a valid pointer. */
void *wh_arena_alloc(struct wh_arena *a, size_t size);
char *wh_arena_strndup(struct wh_arena *a, const char *s, size_t len);
char *wh_arena_printf(struct wh_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool wh_arena_failed(const struct wh_arena *a);

#define wh_arena_new_array(a, type, n) ((type *)wh_arena_array((a), sizeof(type), (n)))
void *wh_arena_array(struct wh_arena *a, size_t size, size_t n); /* checks the multiplication */

static inline void wh_arena_freep(struct wh_arena **a)
{
    wh_arena_free(*a);
    *a = NULL;
}
#define WH_CLEANUP_ARENA __attribute__((cleanup(wh_arena_freep)))

#endif
