/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The exact system calls of every op, compared with tests/golden/init/ops.txt, which is reviewed as a diff (WHERRY_UPDATE_GOLDEN=1 writes
 * it), and what must hold of them whatever the text says. */
#include "tap.h"

#include "fake-sys.h"
#include "init-plan.h"
#include "init-trace.h"

static struct wh_plan *plan;
static size_t size;

static const char *const sites[] = {
    "none",
#define SITE(NAME, text) text,
#include "abi/sites.def"
#undef SITE
};

/* Is the op in the list before the colon? */
static bool names(const char *title, const char *op)
{
    size_t n = strlen(op);

    for (;;) {
        if (strncmp(title, op, n) == 0 && strchr(",:", title[n]))
            return true;
        title += strcspn(title, ",:");
        if (*title++ != ',')
            return false;
    }
}

/* Writes down the steps that the title names before its colon; "B" and "A" are whole traces. */
static int run(const char *title)
{
    int ended = fake_run(plan, size);
    bool keep = title[1] == ':', every = keep;
    char *line, *save = NULL, *copy = strdup(fake.text);

    fprintf(all, "==== %s\n", title);
    for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "-- ", 3) == 0 && !every) {
            keep = names(title, line + 3);
        }
        if (keep)
            fprintf(all, "%s\n", line);
    }
    free(copy);
    if (ended == 2)
        fprintf(all, "-> %s\n", fake.exec);
    else if (fake.mbox.state == WH_MBOX_FAILED)
        fprintf(all, "-> FAILED at %s, site %s, errno %d, \"%s\"\n", fake_op(plan, fake.mbox.fail.step),
                sites[fake.mbox.fail.site], fake.mbox.fail.err, fake.mbox.fail.detail);
    fputc('\n', all);
    return ended;
}

static void whole(struct tp_options o)
{
    free(plan);
    tp_realistic(o);
    plan = tp_end(&size);
    fake_reset();
}

static bool alt(const char *op, uint32_t n)
{
    uint32_t nr = 0;

    for (unsigned int k = 0; k < sizeof(fake_ops) / sizeof(fake_ops[0]); k++)
        if (strcmp(fake_ops[k], op) == 0)
            tp_find(plan, k, n, &nr);
    return fake.mbox.alt_taken[nr / 64] >> nr % 64 & 1;
}

static bool any_alt(void)
{
    for (unsigned int k = 0; k < 32; k++)
        if (fake.mbox.alt_taken[k])
            return true;
    return false;
}

static bool is_open(const char *name)
{
    for (int k = 0; k < FAKE_FDS; k++)
        if (fake.fd[k].open && strcmp(fake.fd[k].name, name) == 0)
            return true;
    return false;
}

static void test_whole(void)
{
    const char *at;

    whole((struct tp_options){ .notify = true });
    is_int(run("B: a whole container"), 2, "a whole plan ends in execve");
    is_str(fake.exec, "/bin/prog prog arg A=1 B=2 HOME=/home/user", "argv, environment, HOME at its end");
    is_int(fake.mbox.state, WH_MBOX_EXEC, "state EXEC is stored before execve");
    ok(!any_alt(), "no fallback was taken");
    ok(fake.mbox.notify_fd > 0 && strcmp(fake.fd[fake.mbox.notify_fd].name, "listener") == 0,
       "the listener is announced");
    for (int k = 0; k < FAKE_FDS; k++)
        if (fake.fd[k].open && k > 3 && !fake.fd[k].cloexec)
            fail_test("%s reaches the payload", fake.fd[k].name);
    ok(fake.fd[0].open && fake.fd[1].open && fake.fd[2].open && fake.fd[3].open,
       "stdio and the preserved fd reach the payload");
    is_str(fake.fd[0].name, "slave", "the terminal is stdio");

    whole((struct tp_options){ .notify = true });
    fake.is_a = true;
    is_int(run("A: a whole container"), 1, "A exits");
    is_int(fake.status, 0, "with 0");
    is_int(fake.mbox.state, WH_MBOX_A, "and leaves the state to B");

    whole((struct tp_options){ .exec = true });
    is_int(run("B: exec"), 2, "a plan without READY ends in execve");
    ok(!strstr(fake.text, "open_tree") && !strstr(fake.text, "ROOT/dev/console"),
       "the terminal of an exec is not mounted on /dev/console");
    whole((struct tp_options){ .exec = true });
    fake.is_a = true;
    is_int(run("A: exec"), 1, "A of an exec exits");
    for (int k = 0; k < FAKE_FDS; k++)
        if (fake.fd[k].open && (strcmp(fake.fd[k].name, "PROC") == 0 || strcmp(fake.fd[k].name, "TARGET") == 0))
            fail_test("%s is open when B is made", fake.fd[k].name);
    whole((struct tp_options){ .exec = true });
    is_int(run("B: exec, for its privileges"), 2, "an exec ends in execve");
    at = strstr(fake.text, "clone(");
    ok(at && strstr(fake.text, "capset") && strstr(fake.text, "capset") < at && !strstr(at, "capset") &&
           !strstr(at, "setresuid") && !strstr(at, "setgroups") && !strstr(at, "CAPBSET_DROP") && !strstr(at, "fchown"),
       "B does nothing that takes a privilege");
    whole((struct tp_options){ .exec = true, .early = true });
    is_int(run("SECCOMP,CLONE_B: exec under its filter"), 2, "an exec whose filter is A's ends in execve");
    at = strstr(fake.text, "clone(");
    ok(at && strstr(fake.text, "seccomp(") && strstr(fake.text, "seccomp(") < at && !strstr(at, "seccomp("),
       "B is born under it");
    whole((struct tp_options){ .exec = true, .fds = true });
    fake.is_a = true;
    is_int(run("A: exec by descriptor"), 1, "A of an exec by descriptor exits");
    for (int k = 0; k < FAKE_FDS; k++)
        if (fake.fd[k].open && (strcmp(fake.fd[k].name, "PROC") == 0 || strcmp(fake.fd[k].name, "NETNS") == 0 ||
                                strcmp(fake.fd[k].name, "USERNS") == 0))
            fail_test("%s is open when B is made", fake.fd[k].name);
    whole((struct tp_options){ .fds = true });
    is_int(run("OPEN_NS,READY,WAIT_START,ASK_HOOK: a whole container with its namespaces open"), 2,
           "a container whose init has its namespaces open ends in execve");
    ok(strstr(fake.text, "sendmsg(conn, OK, fd"), "who asks a created container for its namespaces gets them");
    ok(strstr(fake.text, "sendmsg(conn, ASK, fd"), "and whoever runs its startContainer hooks");
    for (int k = 0; k < FAKE_FDS; k++)
        if (fake.fd[k].open && k > 3 && !fake.fd[k].cloexec)
            fail_test("%s reaches the payload", fake.fd[k].name);
    whole((struct tp_options){ 0 });
    fake.after_ready = WH_MSG_START;
    is_int(run("READY,WAIT_START,ASK_HOOK: run says START at once"), 2, "START instead of COMMIT starts the container");
    ok(!strstr(fake.text, "accept4(") && !is_open("LISTEN"), "on the control socket, and the start socket is closed");
    whole((struct tp_options){ 0 });
    fake.after_ready = 0;
    is_int(run("READY,WAIT_START: the host has died before it committed"), 1, "an init that nobody knows of ends");
    ok(fake.mbox.fail.site == WH_SITE_PROTOCOL && fake.mbox.fail.err == ECONNRESET, "and says why");
    whole((struct tp_options){ 0 });
    fake.after_ready = WH_MSG_GO;
    is_int(run("READY,WAIT_START: neither COMMIT nor START"), 1, "nothing else is taken for a COMMIT");
    ok(fake.mbox.fail.site == WH_SITE_PROTOCOL && fake.mbox.fail.err == EPROTO, "which is said");
    whole((struct tp_options){ .exec = true });
    fake.gone = true;
    is_int(run("HOST_ALIVE: the host is gone"), 1, "an exec whose host is gone does not happen");
    is_int(fake.mbox.fail.site, WH_SITE_PROTOCOL, "and says why");
}

static void test_fallbacks(void)
{
    whole((struct tp_options){ 0 });
    fake.match = "fsopen(sysfs", fake.match_err = EPERM;
    is_int(run("MOUNT_FS,MOUNT_BIND,ATTACH: sysfs is refused"), 2, "sysfs refused: the container runs");
    ok(alt("MOUNT_BIND", 0) && strstr(fake.text, "move_mount(tree(/sys), ROOT/sys"),
       "/sys is bound instead, and says so");

    whole((struct tp_options){ 0 });
    fake.match = "fsopen(mqueue", fake.match_err = EPERM;
    is_int(run("MOUNT_FS,ATTACH: mqueue is refused"), 2, "mqueue refused: the container runs");
    ok(alt("MOUNT_FS", 4) && !strstr(fake.text, "ROOT/dev/mqueue"), "it is left out, and says so");

    whole((struct tp_options){ 0 });
    fake.match = "fsopen(mqueue", fake.match_err = EINVAL;
    is_int(run("MOUNT_FS: mqueue fails otherwise"), 1, "another error than the soft ones is fatal");
    is_int(fake.mbox.fail.site, WH_SITE_FSOPEN, "at fsopen");

    whole((struct tp_options){ 0 });
    fake.match = "mknodat(ROOT/dev", fake.match_err = EPERM;
    is_int(run("MKNOD,DEV_BIND: mknod is refused"), 2, "mknod refused: the container runs");
    ok(alt("DEV_BIND", 0), "the node is bound instead");

    whole((struct tp_options){ 0 });
    fake.match = "keyctl(new", fake.match_err = ENOSYS;
    is_int(run("KEYRING: no keyrings"), 2, "no keyrings: the container runs");
    ok(alt("KEYRING", 0), "and says so");

    whole((struct tp_options){ 0 });
    is_int(run("KEYRING: a new one"), 2, "a new keyring");
    ok(strstr(fake.text, "keyctl(new") && !strstr(fake.text, "keyctl(by name"),
       "has no name by which it could be joined");
    ok(strstr(fake.text, "keyctl(SETPERM, 0x3f000000)"), "and lets its user nothing");

    whole((struct tp_options){ 0 });
    fake.match = "capset", fake.match_err = EPERM;
    is_int(run("CAPS: capset is refused"), 1, "capset refused: no container");
    is_int(fake.mbox.state, WH_MBOX_FAILED, "FAILED");
}

/* A plan of the step(s) under test alone, between the least that a plan needs. */
static void begin(void)
{
    free(plan);
    plan = NULL;
    tp_begin();
    wh_build_preserve(tp, 1);
    for (wh_slot k = 0; k <= WH_SLOT_NS; k++)
        wh_build_host_slot(tp, k);
    ADD(CLONE_B, clone_b, );
    ADD(ROOT_BIND, root_bind, .root = WH_SLOT_ROOT);
}

static void end(void)
{
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("prog"), .candidates = STRV("/bin/prog"));
    ADD(EXEC, exec, .args = STRV("prog"), .env = NO_STRV);
    plan = tp_end(&size);
    fake_reset();
}

static void failed(const char *op, uint32_t site, int err, const char *what)
{
    ok(fake.ended == 1 && fake.mbox.state == WH_MBOX_FAILED && strcmp(fake_op(plan, fake.mbox.fail.step), op) == 0 &&
           fake.mbox.fail.site == site && fake.mbox.fail.err == err,
       "%s", what);
    if (fake.mbox.fail.site != site || fake.mbox.fail.err != err)
        diag("%s, site %u, errno %d; state %u", fake_op(plan, fake.mbox.fail.step), fake.mbox.fail.site,
             fake.mbox.fail.err, fake.mbox.state);
}

static void attach(const char *type, const char *dst, uint32_t flags)
{
    begin();
    tp_fs(type, dst, (struct wh_vec){ 0, 0 }, 0, flags, 0);
    end();
}

static void test_targets(void)
{
    attach("tmpfs", "/a/b//c/", 0);
    fake_missing("ROOT/a");
    fake_missing("ROOT/a/b");
    fake_missing("ROOT/a/b/c");
    run("ATTACH: missing directories");
    has_str(fake.text, "mkdirat(ROOT/a, \"b\", 755)", "a missing directory is made on the fd of its parent");

    attach("tmpfs", "/a/x", 0);
    fake_missing("ROOT/a");
    fake_missing("ROOT/a/x");
    fake.match = "mkdirat(ROOT, \"a\"", fake.match_err = EEXIST;
    strcpy(fake_find("ROOT/a")->link, "/b/../c");
    is_int(run("ATTACH: a dangling symlink"), 2, "a dangling symlink is followed to where it leads");
    has_str(fake.text, "readlinkat(ROOT, \"a\")", "by its text, below the root");
    has_str(fake.text, "openat2(ROOT, \"/b/../c/x\"", "and the rest of the path is kept");

    attach("tmpfs", "/a", 0);
    fake_missing("ROOT/a");
    fake.match = "mkdirat(ROOT, \"a\"", fake.match_err = EEXIST;
    strcpy(fake_find("ROOT/a")->link, "/a");
    fake_run(plan, size); /* forty times the same: not written down */
    failed("ATTACH", WH_SITE_OPENAT2, ELOOP, "a symlink loop ends");

    begin();
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/hosts"), .mount = WH_SLOT_SCRATCH);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/new"));
    end();
    fake_missing("ROOT/new");
    run("ATTACH: a missing file");
    has_str(fake.text, "openat(ROOT, \"new\", WR|NOFOLLOW|CREAT|EXCL|NOCTTY, 644)",
            "a file is made for a file, exclusively");

    attach("proc", "/proc", WH_ATTACH_NOSYMLINK);
    run("ATTACH: proc");
    has_str(fake.text, "openat2(ROOT, \"/proc\", RD|PATH, IN_ROOT|NO_MAGICLINKS|NO_SYMLINKS)",
            "proc follows no symlink");

    attach("tmpfs", "/x/..", 0);
    fake_node("ROOT/x/..", S_IFDIR | 0755)->ino = fake_hash("ROOT");
    run("ATTACH: the root");
    failed("ATTACH", WH_SITE_VERIFY_FS, EINVAL, "the root itself is refused");

    attach("tmpfs", "/proc/sys", 0);
    run("ATTACH: below a procfs");
    failed("ATTACH", WH_SITE_VERIFY_FS, EPERM, "a mount below a procfs is refused");
    begin();
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/meminfo"), .mount = WH_SLOT_SCRATCH);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/proc/meminfo"),
        .flags = WH_ATTACH_BENEATH_PROC);
    end();
    run("ATTACH: a file of a procfs");
    is_int(fake.ended, 2, "a regular file of it that compile allows is not");
    attach("tmpfs", "/etc/hosts", 0);
    run("ATTACH: a directory on a file");
    failed("ATTACH", WH_SITE_VERIFY_FS, ENOTDIR, "a directory does not go on a file");
    attach("tmpfs", "/proc/sys", WH_ATTACH_BENEATH_PROC);
    run("ATTACH: a directory of a procfs");
    failed("ATTACH", WH_SITE_VERIFY_FS, EPERM, "but a directory is");
    attach("tmpfs", "/proc", WH_ATTACH_SOURCE_PROC);
    run("ATTACH: a false procfs");
    failed("ATTACH", WH_SITE_VERIFY_FS, EINVAL, "what is not a procfs does not get on /proc");

    attach("tmpfs", "/run", WH_ATTACH_KEEP_MODE);
    run("ATTACH: keep mode");
    has_str(fake.text, "fchmod(mnt(tmpfs), 750)", "the mode of what is covered is kept");
    attach("tmpfs", "/new", WH_ATTACH_KEEP_MODE);
    fake_missing("ROOT/new");
    run("ATTACH: keep mode of nothing");
    has_str(fake.text, "fchmod(ROOT/new, 1777)",
            "a directory that was made for it gets the mode of the tmpfs, for the next start");
}

static void relax_case(const char *what, const char *match, int err)
{
    begin();
    ADD(MOUNT_BIND, mount_bind, .source = STR("/srv"), .mount = WH_SLOT_SCRATCH);
    ADD(MOUNT_RELAX, mount_relax, .mount = WH_SLOT_SCRATCH, .clr = WH_MOUNT_ATTR_NOEXEC | WH_MOUNT_ATTR_NODEV);
    end();
    fake.match = match, fake.match_err = err;
    run(what);
}

/* What a configuration of rootfsPropagation, of a bind below the rootfs and of a mount on / adds. */
static void test_root(void)
{
    begin();
    ADD(ROOT_HOLDER, root_holder, );
    end();
    fake_node(".", S_IFDIR | 0755)->no_mount = true;
    run("ROOT_HOLDER");
    has_str(fake.text, "openat(., \"..\", RD|PATH|DIR", "the mount that holds the rootfs is looked for upwards");
    for (int missing = 0; missing < 2; missing++) {
        begin();
        ADD(BIND_ROOT, bind_root, .root = WH_SLOT_ROOT, .source = STR("/in"), .nofollow = !missing,
            .mount = WH_SLOT_SCRATCH);
        end();
        if (missing)
            fake_missing("ROOT/in");
        run(missing ? "BIND_ROOT: missing" : "BIND_ROOT");
        has_str(fake.text, "openat2(ROOT, \"/in\"", "a source in the rootfs is resolved below ROOT");
    }
    failed("BIND_ROOT", WH_SITE_OPENAT2, ENOENT, "a source that is not there is not made");
    relax_case("MOUNT_RELAX", NULL, 0);
    relax_case("MOUNT_RELAX: locked", "mount_setattr(", EPERM);
    is_int(fake.ended, 2, "flags that are locked stay");
    relax_case("MOUNT_RELAX: refused", "mount_setattr(", EINVAL);
    failed("MOUNT_RELAX", WH_SITE_MOUNT_SETATTR, EINVAL, "another refusal is a failure");
    for (int file = 0; file < 2; file++) {
        begin();
        ADD(MOUNT_BIND, mount_bind, .source = STR(file ? "/etc/hosts" : "/srv"), .mount = WH_SLOT_SCRATCH);
        ADD(ROOT_OVER, root_over, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT);
        end();
        run(file ? "ROOT_OVER: a file" : "ROOT_OVER");
        if (!file)
            has_str(fake.text, ", ROOT, \"\")", "a mount on / goes onto the rootfs");
    }
    failed("ROOT_OVER", WH_SITE_VERIFY_FS, ENOTDIR, "and has to be a directory");
    for (uint32_t mode = 0; mode < 2; mode++) {
        begin();
        ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = mode, .old = WH_MS_SLAVE);
        end();
        run(mode ? "PIVOT: MS_MOVE, shared" : "PIVOT: shared");
        has_str(fake.text, "mount_setattr(", "mode %u: the old root is a slave before anything of it is unmounted",
                mode);
    }
}

static void test_masks(void)
{
    static const char *const paths[] = { "/sys/firmware", "/proc/acpi", "/proc/kcore", "/none" };

    begin();
    ADD(OPEN_DEVNULL, open_devnull, .devnull = WH_SLOT_DEVNULL);
    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .attr = WH_MOUNT_ATTR_RDONLY, .mount = WH_SLOT_MASKFS);
    for (unsigned int k = 0; k < 4; k++)
        ADD(MASK, mask, .root = WH_SLOT_ROOT, .devnull = WH_SLOT_DEVNULL, .maskfs = WH_SLOT_MASKFS,
            .path = STR(paths[k]));
    ADD(RDONLY, rdonly, .root = WH_SLOT_ROOT, .path = STR("/none"));
    end();
    fake_missing("ROOT/none");
    is_int(run("MASK"), 2, "masks");
    has_str(fake.text, "move_mount(mnt(tmpfs), ROOT/sys/firmware", "the first directory gets the mount itself");
    has_str(fake.text, "move_mount(tree(mnt(tmpfs)), ROOT/proc/acpi", "the second a clone");
    has_str(fake.text, "move_mount(tree(/dev/null), ROOT/proc/kcore", "a file /dev/null");

    begin();
    ADD(OPEN_DEVNULL, open_devnull, .devnull = WH_SLOT_DEVNULL);
    end();
    fake_find("/dev/null")->minor = 5;
    run("OPEN_DEVNULL: /dev/zero");
    failed("OPEN_DEVNULL", WH_SITE_VERIFY_DEVICE, ENODEV, "a /dev/null that is another device is refused");
}

static void node(uint32_t mode)
{
    begin();
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/x"), .mode = mode, .major = 1, .minor = 5, .uid = 3,
        .gid = 4);
    end();
    fake_missing("ROOT/dev/x");
}

static void test_devices(void)
{
    struct fake_node *n;

    node(S_IFCHR | 0640);
    is_int(run("MKNOD"), 2, "a node is made");
    has_str(fake.text, "fchownat(ROOT/dev/x, \"\", 3, 4, EMPTY_PATH)", "and owned by its fd, not by a name");
    node(S_IFCHR | 0640);
    fake_node("ROOT/dev/x", S_IFREG | 0640);
    run("MKNOD: a file is there");
    failed("MKNOD", WH_SITE_VERIFY_DEVICE, EEXIST, "a file in its place is refused");
    node(S_IFCHR | 0640);
    n = fake_node("ROOT/dev/x", S_IFCHR | 0640);
    n->major = 1, n->minor = 6;
    run("MKNOD: another device is there");
    failed("MKNOD", WH_SITE_VERIFY_DEVICE, EEXIST, "so is another device");
    node(S_IFCHR | 0640);
    n = fake_node("ROOT/dev/x", S_IFCHR | 0666);
    n->major = 1, n->minor = 5;
    is_int(run("MKNOD: the device with another mode is there"), 2, "the same device with another mode is made anew");
    has_str(fake.text, "unlinkat", "after it was removed");

    begin();
    ADD(DEV_BIND, dev_bind, .source = STR("/dev/full"), .root = WH_SLOT_ROOT, .path = STR("/dev/y"),
        .mode = S_IFCHR | 0666, .major = 1, .minor = 8);
    end();
    run("DEV_BIND: another device");
    failed("DEV_BIND", WH_SITE_VERIFY_DEVICE, ENODEV, "a host node that is another device is not bound");

    begin();
    ADD(ASK_DEVICE, ask_device, .root = WH_SLOT_ROOT, .path = STR("/dev/y"), .mode = S_IFCHR | 0660, .major = 1,
        .minor = 3);
    end();
    fake.wrong_device = true;
    run("ASK_DEVICE: another device");
    failed("ASK_DEVICE", WH_SITE_VERIFY_DEVICE, ENODEV, "nor is what the host sends, if it is another one");

    for (uint32_t replace = 0; replace < 2; replace++) {
        begin();
        ADD(SYMLINK, symlink, .root = WH_SLOT_ROOT, .target = STR("t"), .path = STR("/dev/l"), .replace = replace);
        end();
        fake_node("ROOT/dev/l", S_IFREG | 0644);
        is_int(run(replace ? "SYMLINK: replaced" : "SYMLINK: kept"), 2, "an entry in the place of a symlink");
        ok(!!strstr(fake.text, "unlinkat(ROOT/dev, \"l\"") == replace, replace ? "is replaced if asked" : "is kept");
    }
    begin();
    ADD(SYMLINK, symlink, .root = WH_SLOT_ROOT, .target = STR("t"), .path = STR("/dev/.."));
    end();
    run("SYMLINK: ..");
    failed("SYMLINK", WH_SITE_OPENAT2, EINVAL, "a last component .. is no name");

    begin();
    ADD(CONSOLE, console, .root = WH_SLOT_ROOT, .socket = WH_SLOT_CONSOLE, .uid = 1);
    end();
    run("CONSOLE: no devpts");
    failed("CONSOLE", WH_SITE_VERIFY_FS, ENODEV, "a /dev/pts that is no devpts is not opened");
    ok(!strstr(fake.text, "\"ptmx\""), "nor anything in it");
}

static void test_roots(void)
{
    static const char *const titles[] = { "PIVOT: pivot_root", "PIVOT: move and chroot", "PIVOT: chroot" };

    for (uint32_t mode = 0; mode < 3; mode++) {
        begin();
        ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = mode);
        end();
        if (mode == 1)
            fake.match = "umount2(/sys", fake.match_err = EPERM;
        is_int(run(titles[mode]), 2, "%s", titles[mode]);
        if (mode == 1)
            has_str(fake.text, "move_mount(mnt(tmpfs), CWD, \"/sys\")", "what cannot be unmounted is covered");
    }
    begin();
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 2);
    end();
    fake.match = "chroot(.", fake.match_err = 0; /* says it worked */
    fake_node("ROOT", S_IFDIR | 0755)->ino = 1;
    run("PIVOT: it did not work");
    failed("PIVOT", WH_SITE_VERIFY_FS, EXDEV, "a root that is another than ROOT is found");
    begin();
    ADD(ROOT_OPEN, root_open, .root = WH_SLOT_ROOT, .mode = 1);
    end();
    is_int(run("ROOT_OPEN"), 2, "ROOT_OPEN");
}

static void link_plan(const char *source, const char *dst)
{
    begin();
    ADD(MOUNT_BIND, mount_bind, .source = STR(source), .nofollow = 1, .mount = WH_SLOT_SCRATCH);
    ADD(COPY_LINK, copy_link, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR(dst));
    ADD(MOUNT_ATTR, mount_attr, .mount = WH_SLOT_SCRATCH, .set = WH_MOUNT_ATTR_RDONLY);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR(dst));
    end();
}

static void test_copy_link(void)
{
    link_plan("/etc/localtime", "/etc/l");
    is_int(run("MOUNT_BIND,COPY_LINK,MOUNT_ATTR,ATTACH: a symlink is copied"), 2, "a source that is a symlink");
    has_str(fake.text, "symlinkat(\"zone/utc\", ROOT/etc, \"l\")", "its text is copied");
    ok(!strstr(fake.text, "move_mount(tree(/etc/localtime)"), "and nothing is mounted");
    link_plan("/etc/hosts", "/etc/hosts");
    is_int(run("MOUNT_BIND,COPY_LINK,ATTACH: no symlink"), 2, "a source that is none");
    has_str(fake.text, "move_mount(tree(/etc/hosts)", "is mounted as ever");

    link_plan("/etc/localtime", "/etc/l");
    fake.match = "symlinkat(\"zone/utc\"", fake.match_err = EEXIST;
    strcpy(fake_node("ROOT/etc/l", S_IFLNK | 0777)->link, "zone/utc");
    is_int(run("COPY_LINK: the same link is there"), 2, "the same link is tolerated");
    link_plan("/etc/localtime", "/etc/l");
    fake.match = "symlinkat(\"zone/utc\"", fake.match_err = EEXIST;
    strcpy(fake_node("ROOT/etc/l", S_IFLNK | 0777)->link, "zone/other");
    run("COPY_LINK: another link is there");
    failed("COPY_LINK", WH_SITE_SYMLINKAT, EEXIST, "another link is not");
    link_plan("/etc/localtime", "/etc/l");
    fake.match = "symlinkat(\"zone/utc\"", fake.match_err = EEXIST;
    fake_node("ROOT/etc/l", S_IFREG | 0644);
    run("COPY_LINK: a file is there");
    failed("COPY_LINK", WH_SITE_SYMLINKAT, EEXIST, "nor is a file");
}

static void remount(struct wh_vec params)
{
    ADD(REMOUNT, remount, .root = WH_SLOT_ROOT, .dst = STR("/tmp"), .params = params, .mount = WH_SLOT_SCRATCH);
    ADD(MOUNT_ATTR, mount_attr, .mount = WH_SLOT_SCRATCH, .set = WH_MOUNT_ATTR_NOEXEC);
    end();
}

static void test_remount(void)
{
    const struct wh_vec none = { 0, 0 };

    begin();
    remount(none);
    is_int(run("REMOUNT,MOUNT_ATTR: attributes"), 2, "attributes of a mount that is there");
    ok(!strstr(fake.text, "fspick"), "its file system is left alone");
    begin();
    remount(PARAMS("size", "1m", "ro", NULL));
    is_int(run("REMOUNT: parameters"), 2, "parameters of its file system");
    has_str(fake.text, "openat2(ROOT, \"/tmp\", RD|PATH, IN_ROOT|NO_MAGICLINKS|NO_SYMLINKS)",
            "no link of the image says which one");
    begin();
    remount(none);
    fake_node("ROOT/tmp", S_IFDIR | 0755)->no_mount = true;
    run("REMOUNT: nothing is mounted there");
    failed("REMOUNT", WH_SITE_VERIFY_FS, EINVAL, "a directory that is no mount");
    begin();
    remount(PARAMS("size", "x"));
    fake.match = "fsconfig(fs(ROOT/tmp), STRING", fake.match_err = EINVAL;
    run("REMOUNT: a parameter is refused");
    failed("REMOUNT", WH_SITE_FSCONFIG, EINVAL, "a parameter that the file system does not know");
    begin();
    remount(PARAMS("size", "0"));
    fake.match = "fsconfig(fs(ROOT/tmp), RECONFIGURE", fake.match_err = EBUSY;
    run("REMOUNT: it cannot change");
    failed("REMOUNT", WH_SITE_FSCONFIG_RECONFIGURE, EBUSY, "a file system that is in use");
}

static void test_protocol(void)
{
    begin();
    ADD(ASK_LIMITS, ask_limits, );
    end();
    fake.deny = 2;
    run("ASK_LIMITS: denied");
    failed("ASK_LIMITS", WH_SITE_DENIED, EPERM, "the host's refusal is the error");
    begin();
    ADD(ASK_MOUNT, ask_mount, .source = STR("/x"), .mount = WH_SLOT_SCRATCH);
    end();
    fake.match = "sendmsg(ctl, ASK", fake.match_err = EPIPE;
    run("ASK_MOUNT: no host");
    failed("ASK_MOUNT", WH_SITE_SENDMSG, EPIPE, "a dead host ends init");
    begin();
    end();
    fake.eof = true;
    run("CLONE_B: no answer");
    is_int(fake.mbox.fail.site, WH_SITE_PROTOCOL, "end of the connection ends init");

    whole((struct tp_options){ 0 });
    plan->preserve = 2;
    run("SIGNALS: preserved fds disagree");
    is_int(fake.mbox.fail.site, WH_SITE_VERIFY_PLAN, "BASE must be what the plan says");
    whole((struct tp_options){ 0 });
    tp_find(plan, WH_OP_IDS, 0, NULL)->len = 8;
    run("SIGNALS: a broken plan");
    is_int(fake.mbox.fail.site, WH_SITE_VERIFY_PLAN, "a broken plan is not run");
    ok(!strstr(fake.text, "HELLO"), "not even begun");
    whole((struct tp_options){ 0 });
    fake.mbox.abi++;
    run("SIGNALS: another mailbox");
    is_int(fake.mbox.state, WH_MBOX_NEW, "a mailbox of another version is not written");

    whole((struct tp_options){ .notify = true });
    fake.ack = -1;
    run("SECCOMP: refused");
    failed("SECCOMP", WH_SITE_SECCOMP, ECONNREFUSED, "a listener that the host refuses");
    whole((struct tp_options){ .notify = true });
    fake.ack = 0;
    run("SECCOMP: no answer");
    failed("SECCOMP", WH_SITE_SECCOMP, ETIMEDOUT, "a listener that nobody takes");
}

/* The process that stays: from the return of vfork on there is nobody to tell. */
static void stays(int status, bool failed)
{
    whole((struct tp_options){ .init = true });
    fake.stays = true;
    fake.payload_status = status;
    fake.payload_failed = failed;
}

static void test_be_init(void)
{
    unsigned int confining = 0;

    whole((struct tp_options){ .init = true });
    is_int(run("BE_INIT: the payload"), 2, "--init: the payload is executed");
    is_str(fake.exec, "/bin/prog prog arg A=1 B=2 HOME=/home/user LISTEN_PID=77",
           "--init: LISTEN_PID is the payload's");

    stays(3 << 8, false);
    is_int(run("BE_INIT: the process that stays"), 1, "--init: what stays exits with the payload");
    is_int(fake.status, 3, "--init: the payload's status");
    ok(strstr(fake.text, "kill(77, 15)"), "--init: a signal is passed on");
    ok(!strstr(fake.text, "execve("), "--init: one process executes");
    stays(9, false);
    run("BE_INIT: a payload that is killed");
    is_int(fake.status, 137, "--init: 128 + N for a signal");
    stays(1 << 8, true);
    run("BE_INIT: a payload that cannot be executed");
    is_int(fake.status, 1, "--init: a payload that failed is the end");
    ok(!strstr(fake.text, "sigtimedwait"), "--init: nobody waits for it");

    /* Every call by which it gives up privileges and fds: without it, the container ends. */
    for (unsigned int k = 1, more = 1; more; k++) {
        stays(0, false);
        fake.at = k;
        fake.err = EPERM;
        fake_run(plan, size);
        more = fake.at_name[0];
        if (more && strcmp(fake_op(plan, fake.at_step), "BE_INIT") == 0 &&
            strstr(fake.text, "SET_NAME, wherry:[init]") && strcmp(fake.at_name, "kill") != 0 &&
            !strstr(fake.text, "sigtimedwait")) {
            confining++;
            ok(fake.status == 137 && strstr(fake.text, "kill(77, 9)"), "--init: without %s the container ends",
               fake.at_name);
        }
    }
    is_int(confining, 7, "--init: steps of confinement");

    begin();
    ADD(BE_INIT, be_init, .keep = 0);
    ADD(BE_INIT, be_init, .keep = 0);
    end();
    run("BE_INIT: twice");
    is_int(fake.mbox.fail.site, WH_SITE_VERIFY_PLAN, "--init: once is enough");
}

static void cwd(const char *title)
{
    begin();
    ADD(CWD, cwd, .path = STR("/work"), .make = 1);
    ADD(CWD_CHECK, cwd_check, .path = STR("/work"));
    end();
    if (strstr(title, "missing"))
        fake_missing("/work");
    if (strstr(title, "denied"))
        fake.match = "fchdir(/work", fake.match_err = EACCES;
    if (strstr(title, "outside")) {
        fake_node("getcwd", 0)->data = "(unreachable)/work";
    }
    run(title);
}

static void test_process(void)
{
    struct fake_node *n;

    cwd("CWD: missing");
    is_int(fake.ended, 2, "a missing working directory is made");
    cwd("CWD: denied");
    failed("CWD_CHECK", WH_SITE_CHDIR, EACCES, "one that nobody may enter is an error, after the second try");
    cwd("CWD: outside");
    failed("CWD_CHECK", WH_SITE_VERIFY_CWD, EXDEV, "one outside of the root is an error");
    ok(!strstr(fake.text, "chdir(\""), "no chdir by path");

    begin();
    ADD(HOME, home, .uid = 1000);
    end();
    fake_node("/etc/passwd", S_IFIFO | 0644);
    run("HOME: a FIFO");
    is_str(fake.exec, "/bin/prog prog HOME=/", "a FIFO as /etc/passwd gives /");
    ok(!strstr(fake.text, "\nread("), "and is not read");

    begin();
    ADD(STDIO, stdio, .uid = 5);
    end();
    fake.fd[2].node = (struct fake_node){ .mode = S_IFCHR | 0620, .tty = true };
    run("STDIO");
    has_str(fake.text, "dup3(/dev/null, 0, 0)", "the host's /dev/null is replaced");
    has_str(fake.text, "fchown(stdout, 5, -1)", "a pipe is given to the user");
    ok(!strstr(fake.text, "fchown(stderr"), "a terminal stays the caller's");
    begin();
    ADD(STDIO, stdio, .uid = 5);
    end();
    fake_node("/dev/null", S_IFIFO | 0666);
    is_int(run("STDIO: a false /dev/null"), 2, "a /dev/null that is none");
    ok(!strstr(fake.text, "dup3") && !strstr(fake.text, "RDWR"), "is not opened");

    begin();
    ADD(IDS, ids, .uid = 7, .gid = 8);
    end();
    fake.match = "setresuid", fake.match_err = 0; /* says it worked */
    run("IDS: not set");
    failed("IDS", WH_SITE_VERIFY_IDS, EPERM, "ids that did not change are found");

#define CHECK(title, ...)                                                                                              \
    begin();                                                                                                           \
    end();                                                                                                             \
    n = fake_find("/bin/prog");                                                                                        \
    __VA_ARGS__;                                                                                                       \
    run(title)
    CHECK("EXEC_CHECK: missing", n->err = ENOENT);
    failed("EXEC_CHECK", WH_SITE_EXEC_NOT_FOUND, ENOENT, "missing");
    CHECK("EXEC_CHECK: directory", n->mode = S_IFDIR | 0755);
    failed("EXEC_CHECK", WH_SITE_EXEC_IS_DIR, EACCES, "a directory");
    CHECK("EXEC_CHECK: no x", n->exec_denied = true);
    failed("EXEC_CHECK", WH_SITE_EXEC_NO_X, EACCES, "no execute permission");
    CHECK("EXEC_CHECK: noexec", n->exec_denied = n->noexec = true);
    failed("EXEC_CHECK", WH_SITE_EXEC_NOEXEC_MOUNT, EACCES, "a noexec mount");
    CHECK("EXEC_CHECK: #!", n->data = "#! /bin/lost -x\n", n->len = 16, fake_missing("/bin/lost"));
    failed("EXEC_CHECK", WH_SITE_EXEC_SHEBANG, ENOENT, "a missing interpreter");
    is_str(fake.mbox.fail.detail, "/bin/lost", "by name");
    CHECK("EXEC_CHECK: #! CRLF", n->data = "#!/bin/x\r\n", n->len = 10, fake_missing("/bin/x\r"));
    failed("EXEC_CHECK", WH_SITE_EXEC_SHEBANG_CRLF, ENOENT, "a carriage return");
    CHECK("EXEC_CHECK: unreadable", n->err = 0;
          fake.match = "openat(CWD, \"/bin/prog\", RD|NONBLOCK", fake.match_err = EACCES);
    is_int(fake.ended, 2, "a file without read permission is not diagnosed");
    CHECK("EXEC: text", n->data = "echo\n", n->len = 5; fake.match = "execve", fake.match_err = ENOEXEC);
    failed("EXEC", WH_SITE_EXEC_FORMAT, ENOEXEC, "text without #! is told when execve fails");
    is_int(fake.mbox.state, WH_MBOX_FAILED, "and the state is FAILED, not EXEC");
}

int main(void)
{
    all = open_memstream(&all_text, &all_size);
    test_whole();
    test_fallbacks();
    test_targets();
    test_root();
    test_masks();
    test_devices();
    test_roots();
    test_copy_link();
    test_remount();
    test_protocol();
    test_be_init();
    test_process();
    compare();
    free(plan);
    return done_testing();
}
