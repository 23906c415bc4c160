/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "spec/fields.h"

/* The file that a node is of, and its place there. */
static const struct wh_spec *of(const struct wh_spec *s, wh_node *n)
{
    if ((*n & WH_NODE_PROCESS) != s->tag && s->exec)
        s = s->exec;
    *n &= ~WH_NODE_PROCESS;
    return s;
}

static size_t pointer(const struct wh_spec *s, wh_node n, char *buf, size_t size)
{
    wh_node up[WH_JSON_MAX_DEPTH + 1];
    size_t depth = 0, pos = 0;

    buf[0] = '\0';
    /* Node 1 is the document, whose pointer is the empty string. */
    for (; n > 1 && n < s->nnodes && depth < WH_ELEMENTSOF(up); n = s->nodes[n].parent & ~WH_NODE_PROCESS)
        up[depth++] = n;
    while (depth > 0)
        pos = wh_json_pointer_add(buf, size, pos, s->keys, s->nodes[up[--depth]].key);
    return pos;
}

const char *wh_spec_pointer(const struct wh_spec *s, wh_node n, char *buf, size_t size)
{
    s = of(s, &n);
    pointer(s, n, buf, size);
    return buf;
}

uint32_t wh_spec_line(const struct wh_spec *s, wh_node n, uint32_t *ret_col)
{
    uint32_t lo = 0, hi, offset;

    s = of(s, &n);
    hi = s->nlines;
    if (n == 0 || n >= s->nnodes) {
        if (ret_col)
            *ret_col = 0;
        return 0;
    }
    offset = s->nodes[n].offset;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (s->lines[mid] <= offset)
            lo = mid;
        else
            hi = mid;
    }
    if (ret_col)
        *ret_col = offset - s->lines[lo] + 1;
    return lo + 1;
}

const char *wh_spec_where(const struct wh_spec *s, wh_node n, char *buf, size_t size)
{
    uint32_t col, line = wh_spec_line(s, n, &col);
    int len;

    s = of(s, &n);
    if (line == 0) {
        snprintf(buf, size, "%s", s->name);
        return buf;
    }
    len = s->one_line && n > 1 ? snprintf(buf, size, "%s: ", s->name)
                               : snprintf(buf, size, "%s:%u:%u%s", s->name, line, col, n > 1 ? ": " : "");
    if (len > 0 && (size_t)len < size)
        pointer(s, n, buf + len, size - (size_t)len);
    return buf;
}

const char *wh_spec_file(const struct wh_spec *s, wh_node n)
{
    return of(s, &n)->name;
}

wh_node wh_spec_child(const struct wh_spec *s, wh_node object, const char *name)
{
    for (wh_node n = (object & ~WH_NODE_PROCESS) + 1; n < s->nnodes; n++)
        if (s->nodes[n].parent == object && !(s->nodes[n].key & WH_KEY_INDEX) &&
            wh_streq(s->keys + s->nodes[n].key, name))
            return n | s->tag;
    return object;
}
