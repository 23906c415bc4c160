/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The first chunk holds a usual config.json and its plan. It is small because `run` is measured by its peak RSS. */
#define CHUNK_MIN 16384u
#define CHUNK_MAX (1024u * 1024u)
#define ALIGN 16u

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char data[];
};

struct wh_arena {
    struct chunk *head;
    size_t next_size;
    bool failed;
};

struct wh_arena *wh_arena_new(void)
{
    struct wh_arena *a = calloc(1, sizeof *a);

    if (a)
        a->next_size = CHUNK_MIN;
    return a;
}

void wh_arena_free(struct wh_arena *a)
{
    if (!a)
        return;
    for (struct chunk *c = a->head, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *wh_arena_alloc(struct wh_arena *a, size_t size)
{
    struct chunk *c = a->head;
    size_t want;
    void *p;

    if (a->failed || size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    want = size ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (!c || c->size - c->used < want) {
        size_t chunk_size = want > a->next_size ? want : a->next_size;

        c = malloc(sizeof *c + chunk_size);
        if (!c) {
            a->failed = true;
            return NULL;
        }
        c->next = a->head;
        c->used = 0;
        c->size = chunk_size;
        a->head = c;
        if (a->next_size < CHUNK_MAX)
            a->next_size *= 2;
    }
    p = c->data + c->used;
    c->used += want;
    return memset(p, 0, size);
}

void *wh_arena_array(struct wh_arena *a, size_t size, size_t n)
{
    size_t total;

    if (__builtin_mul_overflow(size, n, &total)) {
        a->failed = true;
        return NULL;
    }
    return wh_arena_alloc(a, total);
}

char *wh_arena_strndup(struct wh_arena *a, const char *s, size_t len)
{
    char *p = wh_arena_alloc(a, len + 1);

    if (p)
        memcpy(p, s, len);
    return p;
}

char *wh_arena_printf(struct wh_arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        a->failed = true;
        return NULL;
    }
    p = wh_arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

bool wh_arena_failed(const struct wh_arena *a)
{
    return a->failed;
}
