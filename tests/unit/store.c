/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* State directories: what is written is read, and damaged, hostile or half-written ones are noticed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/state.h"
#include "tap.h"

static int root = -1;
static char root_path[128];

static struct wh_state sample(struct wh_arena *a, const char *id)
{
    static const char *args[] = { "hook", "a \"b\"\\", "\xc3\xa9" }, *env[] = { "SECRET=1" };
    static struct wh_annotation notes[] = { { "a.b", "c" }, { "long", "line\nbreak\ttab" } };
    static struct wh_hook_entry hooks[] = {
        { .kind = WH_HOOK_POSTSTOP,
          .index = 0,
          .timeout = 7,
          .env_set = true,
          .path = "/bin/hook",
          .args = { args, 3 },
          .env = { env, 1 } },
        { .kind = WH_HOOK_POSTSTART, .index = 4, .path = "/bin/other" },
    };

    return (struct wh_state){ .arena = a,
                              .id = id,
                              .bundle = "/b \"q\"",
                              .rootfs = "/r",
                              .created = "2026-01-01T00:00:00Z",
                              .cgroup = "v2 1 2 3 /x\n",
                              .cgroup_path = "/x",
                              .cgroup_manager = 2,
                              .rootless = true,
                              .private_pidns = true,
                              .notify = true,
                              .listener_path = "/run/agent",
                              .listener_metadata = "a \"b\"",
                              .pid = 123,
                              .identity = { .start = 18446744073709551615ull, .ino = 18446744073709551614ull },
                              .pidns = 4026531836,
                              .boot_id = "boot",
                              .nsflags = 0x7c020000,
                              .annotations = notes,
                              .nannotations = 2,
                              .hooks = hooks,
                              .nhooks = 2 };
}

static void test_roundtrip(void)
{
    struct wh_arena *a = wh_arena_new();
    struct wh_state s = sample(a, "c1"), r;
    struct wh_buf out = { 0 };

    wh_state_write(&s, &out);
    is_int(wh_state_read(out.data, out.len, "c1", a, &r), 0, "what is written can be read");
    is_str(r.bundle, s.bundle, "bundle");
    is_u64(r.identity.start, s.identity.start, "start time, all 64 bits");
    is_u64(r.identity.ino, s.identity.ino, "inode, all 64 bits");
    is_u64(r.pidns, s.pidns, "pid namespace");
    is_int(r.pid, 123, "pid");
    is_str(r.cgroup, s.cgroup, "cgroup, with its line break");
    is_int(r.cgroup_manager, 2, "cgroup manager");
    is_int(r.nsflags, s.nsflags, "namespaces");
    ok(r.rootless && r.private_pidns && r.notify, "flags");
    is_str(r.listener_path, s.listener_path, "listener");
    is_str(r.listener_metadata, s.listener_metadata, "and its metadata");
    is_int(r.nannotations, 2, "annotations");
    is_str(r.annotations[1].key, "long", "key");
    is_str(r.annotations[1].value, "line\nbreak\ttab", "value");
    is_int(r.nhooks, 2, "hooks");
    is_int(r.hooks[0].timeout, 7, "timeout");
    ok(r.hooks[0].env_set && !r.hooks[1].env_set, "with an environment and without");
    is_int(r.hooks[0].args.n, 3, "arguments");
    is_str(r.hooks[0].args.v[1], "a \"b\"\\", "quoted");
    is_str(r.hooks[0].env.v[0], "SECRET=1", "environment");
    is_int(r.hooks[1].args.n, 0, "of their own");
    is_int(r.hooks[1].index, 4, "index");
    is_int(wh_state_read(out.data, out.len, "c2", a, &r), -EINVAL, "a state of another name is refused");
    for (size_t cut = 0; cut + 2 < out.len; cut += 7)
        if (wh_state_read(out.data, cut, "c1", a, &r) != -EINVAL) {
            fail_test("a state cut at byte %zu is refused", cut);
            break;
        }
    wh_buf_done(&out);
    wh_arena_free(a);
}

static void test_tolerance(void)
{
    static const struct {
        const char *text;
        int want;
        const char *name;
    } rows[] = {
#define BASE "\"id\":\"x\",\"bundle\":\"/b\",\"rootfs\":\"/r\",\"created\":\"t\",\"cgroup\":\"\",\"boot_id\":\"b\""
        { "{" BASE "}", 0, "the least that is needed" },
        { "{" BASE ",\"new\":{\"deep\":[1,-2,3.5,{\"x\":null}]},\"neg\":-4}", 0, "unknown members of any type" },
        { "{" BASE ",\"init_process_pid\":-1}", -EINVAL, "a negative pid" },
        { "{" BASE ",\"init_process_pid\":99999999999}", -EINVAL, "a pid that is none" },
        { "{" BASE ",\"init_process_start\":1.5}", -EINVAL, "a fraction of a tick" },
        { "{" BASE ",\"hooks\":[{\"kind\":5}]}", -EINVAL, "a hook without a path" },
        { "{" BASE ",\"hooks\":[{\"kind\":77,\"path\":\"/x\"}]}", -EINVAL, "a hook of no kind" },
        { "{\"id\":\"x\"}", -EINVAL, "members missing" },
        { "{" BASE "} x", -EINVAL, "something behind it" },
        { "[]", -EINVAL, "an array" },
        { "\"x\"", -EINVAL, "a string" },
        { "", -EINVAL, "nothing" },
        { "\x00\x00\x00", -EINVAL, "zeroes" },
#undef BASE
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(rows); i++) {
        struct wh_arena *a = wh_arena_new();
        struct wh_state s;

        is_int(wh_state_read(rows[i].text, strlen(rows[i].text), "x", a, &s), rows[i].want, "state: %s", rows[i].name);
        wh_arena_free(a);
    }
}

static void test_ids(void)
{
    static const char *const good[] = { "a", "A-b_c+d.e", "0", "a.b", "..a" }, *const bad[] = {
        "", ".", "..", ".hidden", "a/b", "a b", "a\n", "\xc3\xa9", "../x", "/"
    };
    char longest[257];

    for (size_t i = 0; i < 4; i++)
        is_int(wh_state_check_id(good[i], NULL), 0, "id %s", good[i]);
    for (size_t i = 0; i < WH_ELEMENTSOF(bad); i++) {
        struct wh_err err = { 0 };

        is_int(wh_state_check_id(bad[i], &err), -EINVAL, "no id: \"%s\"", i == 6 ? "a\\n" : bad[i]);
        is_str(err.msg, *bad[i] ? "invalid container ID format" : "container id cannot be empty", "in runc's words");
    }
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    is_int(wh_state_check_id(longest, NULL), 0, "255 bytes");
    longest[255] = 'x';
    longest[256] = '\0';
    is_int(wh_state_check_id(longest, NULL), -EINVAL, "not 256");
}

static void test_journal(void)
{
    struct wh_arena *a = wh_arena_new();
    struct wh_state s = sample(a, "j"), r;
    struct wh_err err = { 0 };
    bool creating;
    int dir = wh_store_make(root, "j", &err), fd;
    struct stat st;

    ok(dir >= 0, "a state directory is made");
    s.pid = 0;
    s.identity = (struct wh_identity){ 0 };
    is_int(wh_store_read(dir, "j", a, &r, NULL, &err), -ENOENT, "with nothing in it, it is no container");
    is_str(err.msg, "container does not exist", "in runc's words");
    err.code = 0;
    is_int(wh_store_read(dir, "j", a, &r, &creating, &err), -ENOENT, "not for delete either");
    err.code = 0;
    fd = wh_store_journal(dir, &s, &err);
    ok(fd >= 0, "the journal is written");
    is_int(fstat(fd, &st) == 0 ? st.st_mode & 07777 : 0, 0600, "0600");
    is_int(wh_store_read(dir, "j", a, &r, NULL, &err), -ENOENT, "a container that is being made does not exist");
    err.code = 0;
    is_int(wh_store_read(dir, "j", a, &r, &creating, &err), 0, "for delete it does");
    ok(creating && r.pid == 0, "without an init yet");
    wh_store_journal_init(fd, 4711, &(struct wh_identity){ .start = 99, .ino = 77 }, &err);
    is_int(wh_store_read(dir, "j", a, &r, &creating, &err), 0, "the journal with init's identity");
    ok(creating && r.pid == 4711 && r.identity.start == 99 && r.identity.ino == 77, "says who it is");
    if (write(fd, "init 5 ", 7) != 7)
        fail_test("write");
    is_int(wh_store_read(dir, "j", a, &r, &creating, &err), 0, "a line that was being written");
    is_int(r.pid, 4711, "does not count");
    if (unlinkat(dir, "state.json", 0) < 0 && mkdirat(dir, "state.json", 0700) < 0)
        fail_test("mkdir");
    is_int(wh_store_read(dir, "j", a, &r, &creating, &err), 0, "with a damaged state.json the journal tells");
    ok(!creating, "about a container that was made");
    is_int(wh_store_read(dir, "j", a, &r, NULL, &err), -EINVAL, "and state says that it is damaged");
    has_str(err.msg, "damaged", "in words");
    err.code = 0;
    unlinkat(dir, "state.json", AT_REMOVEDIR);
    if (symlinkat("/etc/passwd", dir, "state.json") < 0)
        fail_test("symlink");
    is_int(wh_store_read(dir, "j", a, &r, NULL, &err), -EINVAL, "a symlink is not followed");
    err.code = 0;
    unlinkat(dir, "state.json", 0);
    if (mkfifoat(dir, "state.json", 0600) < 0)
        fail_test("mkfifo");
    is_int(wh_store_read(dir, "j", a, &r, NULL, &err), -EINVAL, "a FIFO does not block");
    err.code = 0;
    wh_close(fd);
    wh_close(dir);
    is_int(wh_store_remove(root, "j", &err), 0, "all of it is removed");
    is_int(wh_store_open(root, "j", &err), -ENOENT, "and gone");
    wh_arena_free(a);
}

static void test_locks(void)
{
    struct wh_err err = { 0 };
    int dir = wh_store_make(root, "l", &err), again;
    struct stat st;

    is_int(fstat(dir, &st) == 0 ? st.st_mode & 07777 : 0, 0711, "a state directory is 0711 whatever the umask");
    is_int(wh_store_unused(root, "l", &err), -EEXIST, "the name is taken");
    err.code = 0;
    is_int(wh_store_make(root, "l", &err), -EEXIST, "and cannot be made again");
    is_str(err.msg, "container with given ID already exists", "in runc's words");
    err.code = 0;
    again = wh_store_open(root, "l", &err);
    is_int(wh_store_lock(again, 30), -EBUSY, "its maker has the lock");
    is_int(wh_store_remove(root, "l", &err), 0, "removed by somebody");
    wh_close(dir);
    is_int(wh_store_lock(again, 30), -ENOENT, "a lock on what is gone is noticed");
    wh_close(again);
}

static void test_root(void)
{
    char path[256];
    struct wh_err err = { 0 };
    struct stat st;
    int fd;

    snprintf(path, sizeof path, "%s/x/y/root", root_path);
    is_int(wh_store_root(path, false, &err), -ENOENT, "a state root that is not there");
    is_int(err.code, 0, "is no error by itself");
    fd = wh_store_root(path, true, &err);
    ok(fd >= 0, "is made with its parents");
    is_int(fstat(fd, &st) == 0 ? st.st_mode & 07777 : 0, 0700, "0700");
    fchmod(fd, 0777);
    is_int(wh_store_root(path, true, &err), -EPERM, "a root that others can write to is refused");
    err.code = 0;
    fchmod(fd, 0700);
    wh_close(fd);
    if (symlinkat("y", root, "x/link") < 0 || symlinkat("root", root, "x/y/link") < 0)
        fail_test("symlink");
    snprintf(path, sizeof path, "%s/x/y/link", root_path);
    ok(wh_store_root(path, true, &err) < 0, "nor may it be a symlink");
}

static void test_identity(void)
{
    struct wh_err err = { 0 };
    int proc = wh_proc_open(&err), fd;
    char boot[WH_BOOT_ID_SIZE];
    struct wh_state s = { .pid = getpid(), .boot_id = boot };
    struct wh_identity id;
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0), shm;

    is_int(wh_proc_boot_id(proc, -1, boot), 0, "boot id");
    is_int(wh_proc_ns_ino(proc, "self/ns/pid", &s.pidns), 0, "pid namespace");
    is_int(wh_identity(proc, self, getpid(), &id), 0, "own identity");
    ok(id.start > 0, "has a start time");
    s.identity.start = id.start;
    fd = wh_state_pidfd(&s, proc);
    ok(fd >= 0, "a process is found by pid, start time, boot and pid namespace");
    is_int(wh_pidfd_pid(proc, fd), getpid(), "and its pidfd knows the pid");
    wh_close(fd);
    s.identity.start++;
    is_int(wh_state_pidfd(&s, proc), -ESRCH, "a reused pid is another process");
    s.identity.start--;
    s.pidns++;
    is_int(wh_state_pidfd(&s, proc), -ESRCH, "so is one of another pid namespace");
    s.pidns--;
    boot[0] ^= 1;
    is_int(wh_state_pidfd(&s, proc), -ESRCH, "or of another boot");
    boot[0] ^= 1;
    s.identity.ino = id.ino;
    s.identity.start++;
    fd = wh_state_pidfd(&s, proc);
    if (id.ino) {
        ok(fd >= 0, "where pidfds have inodes, the start time does not count");
        wh_close(fd);
        s.identity.ino++;
        is_int(wh_state_pidfd(&s, proc), -ESRCH, "and the inode does");
    } else
        is_int(fd, -ESRCH, "where pidfds have no inodes, the start time counts");
    s.identity = (struct wh_identity){ .start = id.start };
    /* As where /proc has no more than processes: nothing but self is looked at. */
    shm = openat(AT_FDCWD, "/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = openat(proc, "self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    boot[0] ^= 1;
    is_int(wh_proc_this_boot(fd, boot), -ENOENT, "a boot id that cannot be compared is not another one");
    boot[0] ^= 1;
    is_int(wh_proc_boot_id(fd, proc, (char[WH_BOOT_ID_SIZE]){ 0 }), -ENOENT, "no boot id");
    if (shm >= 0) {
        char none[WH_BOOT_ID_SIZE] = "x";

        is_int(wh_proc_boot_id(fd, shm, none), 0, "none is needed where a boot ends what is stored");
        is_str(none, "", "and it is empty");
        is_int(wh_proc_this_boot(fd, none), 1, "which is this boot");
    }
    wh_close(fd);
    wh_close(shm);
    wh_close(self);
    ok(!wh_state_elsewhere(&s, proc), "it is not elsewhere");
    s.pidns++;
    ok(wh_state_elsewhere(&s, proc), "one of another pid namespace is");
    s.pidns--;
    is_int(wh_state_pidfd(&s, -1), -EBADF, "where nothing can be looked at, it is not taken for gone");
    s.pid = 0;
    is_int(wh_state_pidfd(&s, proc), -ESRCH, "pid 0 is nobody");
    is_int(wh_pidfd_pid(proc, proc), -EINVAL, "a directory is no pidfd");
    wh_close(proc);
}

/* ')' and blanks in the name must not shift the fields. */
static void test_names(void)
{
    struct wh_err err = { 0 };
    int proc = wh_proc_open(&err);
    struct wh_proc_stat a, b;

    is_int(wh_proc_stat(proc, getpid(), &a), 0, "stat");
    prctl(PR_SET_NAME, (unsigned long)"x) Z 1 (", 0, 0, 0);
    is_int(wh_proc_stat(proc, getpid(), &b), 0, "stat of a process with a strange name");
    is_u64(b.start, a.start, "same start time");
    is_int(b.state, 'R', "same state");
    prctl(PR_SET_NAME, (unsigned long)"store", 0, 0, 0);
    is_int(wh_proc_stat(proc, 0, &b), -ESRCH, "no pid 0");
    wh_close(proc);
}

/* Who else could write there would choose whom we kill. */
static void test_modes(void)
{
    static const mode_t bad[] = { 0720, 0702, 0770, 0777 }, good[] = { 0700, 0711, 0755 };
    struct wh_err err = { 0 };
    int fd;

    for (size_t i = 0; i < WH_ELEMENTSOF(bad); i++) {
        err = (struct wh_err){ 0 };
        fchmod(root, bad[i]);
        fd = wh_store_root(root_path, false, &err);
        is_int(fd, -EPERM, "a state root of mode %04o is refused", (unsigned)bad[i]);
        has_str(err.msg, ": others could write to it", "and why");
    }
    for (size_t i = 0; i < WH_ELEMENTSOF(good); i++) {
        fchmod(root, good[i]);
        fd = wh_store_root(root_path, false, &err);
        ok(fd >= 0, "one of mode %04o is taken", (unsigned)good[i]);
        wh_close(fd);
    }
    fchmod(root, 0700);
}

/* A state that is good where a link leads, and a journal with a pid that none can be. */
static void test_hostile(void)
{
    struct wh_arena *a = wh_arena_new();
    struct wh_state s = sample(a, "linked"), r;
    struct wh_buf out = { 0 };
    struct wh_err err = { 0 };
    bool creating = false;
    int dir, journal;

    wh_state_write(&s, &out);
    is_int(wh_replace_at(root, "elsewhere", out.data, out.len, 0600), 0, "a state outside of the directory");
    dir = wh_store_make(root, "linked", &err);
    ok(symlinkat("../elsewhere", dir, "state.json") == 0, "a link to it in the directory");
    is_int(wh_store_read(dir, "linked", a, &r, NULL, &err), -EINVAL, "is not followed");
    is_str(err.msg, "the state of container linked is damaged (state.json): delete --force clears it up",
           "and the state is damaged");
    unlinkat(dir, "state.json", 0);
    err = (struct wh_err){ 0 };
    journal = wh_store_journal(dir, &s, &err);
    ok(journal >= 0 && wh_write_all(journal, "init 99999999999 5 6\n", 21) == 0, "a journal with a pid that is none");
    is_int(wh_store_read(dir, "linked", a, &r, &creating, &err), 0, "is read");
    ok(creating && r.pid == s.pid && r.identity.start == s.identity.start, "without that line");
    wh_close(journal);
    wh_close(dir);
    wh_store_remove(root, "linked", &err);
    unlinkat(root, "elsewhere", 0);
    wh_buf_done(&out);
    wh_arena_free(a);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(root_path, sizeof root_path, "%s/wherry-store-%d", tmp ? tmp : "/tmp", (int)getpid());
    if (mkdirat(AT_FDCWD, root_path, 0700) < 0)
        bail_out("no temporary directory");
    root = openat(AT_FDCWD, root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    umask(077);
    test_roundtrip();
    test_tolerance();
    test_ids();
    test_journal();
    test_locks();
    test_root();
    test_identity();
    test_names();
    test_modes();
    test_hostile();
    wh_close(root);
    wh_remove_tree_at(AT_FDCWD, root_path);
    return done_testing();
}
