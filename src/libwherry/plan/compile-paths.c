/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

char *wh_compile_clean_path(struct wh_arena *arena, const char *base, const char *path)
{
    size_t len = strlen(base) + strlen(path) + 3;
    char *in = wh_arena_alloc(arena, len), *out = wh_arena_alloc(arena, len);
    size_t n = 0;

    if (!in || !out)
        return NULL;
    memcpy(in, base, strlen(base));
    in[strlen(base)] = '/';
    memcpy(in + strlen(base) + 1, path, strlen(path) + 1);
    for (const char *s = in; *s;) {
        size_t part;

        s += strspn(s, "/");
        part = strcspn(s, "/");
        if (part == 2 && s[0] == '.' && s[1] == '.') {
            while (n > 0 && out[--n] != '/') {
            }
        } else if (part > 1 || (part == 1 && s[0] != '.')) {
            out[n++] = '/';
            memcpy(out + n, s, part);
            n += part;
        }
        s += part;
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}

bool wh_compile_is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    if (wh_streq(dir, "/"))
        return path[0] == '/' && path[1];
    return strncmp(path, dir, len) == 0 && path[len] == '/';
}
