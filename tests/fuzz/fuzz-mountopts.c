/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any words as the options of a mount: the first line is its type, each other line a word. What is accepted is in the range of what the kernel
 * takes and does not contradict itself; a refusal has a sentence of one line.
 */
#define FUZZ_NAME "mountopts"
#include "fuzz.h"

#include <errno.h>

#include "abi/kernel.h"
#include "plan/compile.h"

#define MAX_WORDS 64
#define FSCONFIG_MAX 256

/* What mount_setattr(2) can be given; the access time is a number of two bits among them. */
static const uint64_t attrs = WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_NODEV | WH_MOUNT_ATTR_NOEXEC |
                              WH_MOUNT_ATTR_ATIME | WH_MOUNT_ATTR_NODIRATIME | WH_MOUNT_ATTR_NOSYMFOLLOW;

static void check_attrs(uint64_t set, uint64_t clear)
{
    must(!(set & ~attrs) && !(clear & ~attrs));
    /* The kernel clears first: only the field of the access time may be in both, and then as a whole. */
    must(!(set & clear & ~(uint64_t)WH_MOUNT_ATTR_ATIME));
    must(!(set & WH_MOUNT_ATTR_ATIME) || (clear & WH_MOUNT_ATTR_ATIME) == WH_MOUNT_ATTR_ATIME);
}

static void check(const struct wh_mountopts *o, size_t nwords)
{
    check_attrs(o->attr_set, o->attr_clr);
    check_attrs(o->rattr_set, o->rattr_clr);
    must(o->ro == !!(o->attr_set & WH_MOUNT_ATTR_RDONLY));
    must(o->nprop <= WH_ELEMENTSOF(o->prop));
    for (unsigned int i = 0; i < o->nprop; i++)
        must(o->prop[i] == WH_MS_SHARED || o->prop[i] == WH_MS_SLAVE || o->prop[i] == WH_MS_PRIVATE ||
             o->prop[i] == WH_MS_UNBINDABLE);
    must(o->params.n % 2 == 0 && !(o->bind && o->params.n));
    for (size_t i = 0; i < o->params.n; i += 2) {
        must(o->params.v[i] && o->params.v[i][0] && strlen(o->params.v[i]) < FSCONFIG_MAX);
        must(!o->params.v[i + 1] || strlen(o->params.v[i + 1]) < FSCONFIG_MAX);
    }
    must(!o->idmap || o->idmap_opt);
    must(!o->rec || o->bind);
    must(nwords > 0 || (!o->bind && !o->attr_set && !o->params.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = { data, size };
    struct wh_errlist errs = { 0 };
    struct wh_spec spec = { 0 };
    struct wh_arena *arena = wh_arena_new();
    struct wh_compile c = { .spec = &spec, .arena = arena, .errs = &errs };
    struct wh_sstr words[MAX_WORDS] = { 0 };
    struct wh_mount_spec m = { .options = { .v = words, .set = true } };
    struct wh_mountopts o;
    char *type = fuzz_part(&b, '\n', NULL);
    int r;

    m.type.v = type[0] ? type : NULL;
    while (b.left > 0 && m.options.n < MAX_WORDS)
        words[m.options.n++].v = fuzz_part(&b, '\n', NULL);
    r = wh_mountopts_parse(&c, &m, &o);
    if (r == 0)
        check(&o, m.options.n);
    else
        must(r == -EINVAL && errs.n > 0);
    for (unsigned int i = 0; i < errs.n; i++)
        must(errs.e[i].code < 0 && errs.e[i].msg[0] && !strchr(errs.e[i].msg, '\n'));
    for (size_t i = 0; i < m.options.n; i++)
        free((char *)(uintptr_t)words[i].v);
    free(type);
    wh_arena_free(arena);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
    static const char *const seeds[] = {
        "tmpfs\nnosuid\nnoexec\nstrictatime\nmode=755\nsize=65536k",
        "bind\nrbind\nro\nrprivate\nrro\nnoatime",
        "overlay\nlowerdir=/a\\,b:/c,upperdir=/d,workdir=/e\nuserxattr\nlazytime\ndirsync",
        "\nidmap=uids=0-1-10#10-11-10;gids=0-3-10\nrslave\nshared\nrelatime\nnodiratime\natime\nrnoexec\nrdev",
        "tmpfs\ncontext=\"system_u:object_r:container_file_t:s0:c1,c2\"\nmpol=bind:0,2\ntmpcopyup\nsync\nasync",
    };

    if (n >= WH_ELEMENTSOF(seeds))
        return NULL;
    *ret_size = strlen(seeds[n]);
    return (uint8_t *)strdup(seeds[n]);
}
