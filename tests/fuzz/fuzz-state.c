/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as what is in a container's state directory: state.json, the journal of its creation, the saved cgroup and the journal of an
 * update. What is read holds together and can be written again, nothing of a damaged text is acted upon, and no path
 * leads out of the directory that it is meant for. The first byte chooses; the rest, divided at NUL bytes, are the files.
 */
#define FUZZ_NAME "state"
#include "fuzz.h"

#include "fake-files.h"

#include "host/cgroup/update.h"
#include "host/state.h"

#include "base/fd.c"
#include "host/state.c"
#include "host/store.c"
#undef JOURNAL_MAX
#include "host/cgroup/tree.c"
#define missing unified_missing
#include "host/cgroup/unified.c"
#undef missing
#include "host/cgroup/hybrid.c"
#include "host/cgroup/payload.c"
#include "host/cgroup/cgroup.c"
#define drop update_drop
#include "host/cgroup/update.c"
#include "host/cgroup/values.c"
#define after journal_after
#include "host/cgroup/journal.c"
#undef after

static char *parts[32];
static size_t lens[32];
static unsigned int nparts, reads;
static bool undoing;

/* The files of the state directory by their names; those of a cgroup are any text. */
static bool fake_file(int at, const char *path, const uint8_t **ret, size_t *ret_len)
{
    unsigned int i = strcmp(path, "state.json") == 0 || strcmp(path, WH_CG_JOURNAL) == 0 ? 0 : 1;

    (void)at;
    if (undoing && i > 0)
        i = 1 + reads++ % (nparts > 1 ? nparts - 1 : 1);
    *ret = i < nparts ? (const uint8_t *)parts[i] : NULL;
    *ret_len = i < nparts ? lens[i] : 0;
    return i < nparts || undoing;
}

/* Files of a cgroup by their names alone, a process's cgroup below the mount, and the directories of the container. */
static void fake_path(int at, const char *path)
{
    must(at >= FAKE_FD && path[0] && path[0] != '/');
    must(strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 && !strstr(path, "/../"));
    must(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
    if (strchr(path, '/') && strcmp(path, "a/b") != 0)
        must(strlen(path) > 13 && strcmp(path + strlen(path) - 13, "/cgroup.procs") == 0);
}

/* ---- what is done with them ---- */

static void read_cgroup_text(const char *text, size_t len)
{
    struct wh_buf again = { 0 };
    struct wh_cgroup cg, copy;
    struct wh_err err = { 0 };

    undoing = true;
    if (wh_cgroup_load(&cg, text, len, &err) == 0) {
        wh_cgroup_save(&cg, &again);
        err = (struct wh_err){ 0 };
        must(!again.failed && wh_cgroup_load(&copy, again.data ? again.data : "", again.len, &err) == 0);
        must(copy.none == cg.none && !copy.two.mount == !cg.two.mount && !copy.unit == !cg.unit);
        wh_cgroup_done(&copy);
    } else {
        must(err.code < 0 && err.msg[0]);
    }
    wh_cgroup_done(&cg);
    wh_buf_done(&again);
    undoing = false;
}

/* A state that was read is whole, and is the same again after it was written. */
static void check_state(const struct wh_state *s, struct wh_arena *arena)
{
    struct wh_buf text = { 0 };
    struct wh_state again;

    must(s->id && s->bundle && s->rootfs && s->created && s->cgroup && s->boot_id && s->pid >= 0);
    for (size_t i = 0; i < s->nhooks; i++)
        must(s->hooks[i].path && s->hooks[i].kind < WH_HOOK_MAX);
    for (size_t i = 0; i < s->nannotations; i++)
        must(s->annotations[i].key && s->annotations[i].value);
    wh_state_write(s, &text);
    must(!text.failed && wh_state_read(text.data, text.len, s->id, arena, &again) == 0);
    must(again.pid == s->pid && again.identity.start == s->identity.start && again.identity.ino == s->identity.ino &&
         again.pidns == s->pidns && again.nhooks == s->nhooks && again.nannotations == s->nannotations &&
         again.nsflags == s->nsflags && again.rootless == s->rootless);
    wh_buf_done(&text);
}

static void read_state(bool with_journal)
{
    struct wh_arena *arena = wh_arena_new();
    int dir = fake_new(NULL, 0, true), r;
    struct wh_err err = { 0 };
    struct wh_state s;
    bool creating;

    r = wh_store_read(dir, "box", arena, &s, with_journal ? &creating : NULL, &err);
    if (r == 0)
        check_state(&s, arena);
    else
        must(err.code < 0 && err.msg[0]);
    if (r == 0)
        read_cgroup_text(s.cgroup, strlen(s.cgroup));
    fake_close(dir);
    wh_arena_free(arena);
}

static int save_nothing(void *data, const struct wh_cgroup *cg, struct wh_err *err)
{
    (void)data, (void)cg, (void)err;
    return 0;
}

static void undo_update(void)
{
    static const char saved[] = "v2 1 0 2 /c/a/b\nv1:cpu,cpuacct 1 0 5 /one1/a/b\nv1:memory 2 0 5 /two1/a/b\n";
    struct wh_err err = { 0 };
    struct wh_cgroup cg;
    int dir;

    undoing = true;
    must(wh_cgroup_load(&cg, saved, sizeof saved - 1, &err) == 0 && cg.none == 2 && cg.one[1].fd >= 0 &&
         cg.two.fd >= 0);
    dir = fake_new(NULL, 0, true);
    if (wh_cgroup_undo(&cg, &(struct wh_cgroup_saver){ save_nothing, NULL, dir }, &err) < 0)
        must(err.code < 0 && err.msg[0]);
    fake_close(dir);
    wh_cgroup_done(&cg);
    undoing = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = { data, size };
    unsigned int which = (unsigned int)fuzz_take(&b, 1) % 4;

    fake_reset();
    nparts = reads = 0;
    undoing = false;
    while (b.left > 0 && nparts < WH_ELEMENTSOF(parts)) {
        parts[nparts] = fuzz_part(&b, '\0', &lens[nparts]);
        nparts++;
    }
    if (which < 2)
        read_state(which == 1);
    else if (which == 2 && nparts > 0)
        read_cgroup_text(parts[0], lens[0]);
    else if (which == 3)
        undo_update();
    must(fake.open == 0);
    while (nparts > 0)
        free(parts[--nparts]);
    return 0;
}

__attribute__((unused)) static uint8_t *seed(unsigned int n, size_t *ret_size)
{
#define SEED(text)                                                                                                     \
    {                                                                                                                  \
        text, sizeof text - 1                                                                                          \
    }
#define STATE                                                                                                          \
    "{\"id\":\"box\",\"init_process_pid\":42,\"init_process_start\":7,\"created\":\"2026-01-01T00:00:00Z\","           \
    "\"bundle\":"                                                                                                      \
    "\"/b\",\"rootfs\":\"/b/r\",\"rootless\":false,\"cgroup_paths\":{\"\":\"/c/a/b\"},\"namespace_paths\":{},"         \
    "\"nsflags\":131072,\"start_step\":3,\"cgroup\":\"v2 1 7 2 /c/a/b\\nv1:cpu,cpuacct 1 0 5 /one1/a/b\\n\","          \
    "\"cgroup_manager\":0,\"private_pidns\":true,\"notify\":false,\"pidns\":4026531836,\"boot_id\":\"x\","             \
    "\"annotations\":{\"a\":\"b\",\"c\":\"d\"},\"hooks\":[{\"kind\":5,\"index\":0,\"timeout\":3,\"env_set\":true,"     \
    "\"path\":\"/h\",\"args\":[\"h\",\"x\"],\"env\":[\"A=b\"]}]}\n"
    static const struct {
        const char *text;
        size_t len;
    } seeds[] = {
        SEED("\0" STATE),
        SEED("\1{\"id\"\0" STATE "init 42 7 1\ninit 43 99 2\ninit 4"),
        SEED("\2v2 1 7 2 /c/a/b\nv1:cpu,cpuacct 1 0 5 /one1/a/b\nsub payload\nleaf main\n"),
        SEED("\2v2 2 0 2 /c/s.slice/box.scope\nunit system box.scope\n"),
        SEED("\3made memory\nwas unified pids.max 5\nwas cpu,cpuacct cpu.cfs_quota_us -1\nwas unified io.max 8:16 "
             "rbps=1\nmoved memory 12 /x\nmoved memory 13 /\n\0"
             "12\n13\n14\n\0max\n\0"
             "8:16 rbps=max\n\0"),
    };

    if (n >= WH_ELEMENTSOF(seeds))
        return NULL;
    *ret_size = seeds[n].len;
    return memcpy(malloc(seeds[n].len), seeds[n].text, seeds[n].len);
}
