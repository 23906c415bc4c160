/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real wherry-init on images that try to lead it out of the root, to make it hang, or to pass for something else. */
#include "tap.h"

#include "init-host.h"

static char rootfs[64], outside[64];

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...)
{
    char command[1024];
    va_list ap;
    int n = snprintf(command, sizeof(command), "cd '%s' && ", root_dir);

    va_start(ap, fmt);
    vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
    va_end(ap);
    if (system(command) != 0)
        fail_test("%s", command);
}

/* An empty image with busybox, and a directory beside it that nothing may reach. */
static void fresh(void)
{
    static const char *const dirs[] = { "etc", "proc", "sys", "dev", "tmp" };
    char path[100];

    wh_remove_tree_at(AT_FDCWD, rootfs);
    wh_remove_tree_at(AT_FDCWD, outside);
    mkdir(rootfs, 0755);
    mkdir(outside, 0777);
    for (size_t k = 0; k < sizeof(dirs) / sizeof(dirs[0]); k++) {
        snprintf(path, sizeof(path), "%s/%s", rootfs, dirs[k]);
        mkdir(path, 0755);
    }
    write_file(outside, "file", "outside\n", 8, 0644);
    make_busybox(rootfs);
}

static void begin(void)
{
    tp_begin();
    wh_build_host_slot(tp, WH_SLOT_PROC);
    wh_build_host_slot(tp, WH_SLOT_ROOTFS);
    wh_build_host_slot(tp, WH_SLOT_LISTEN);
    ADD(CHDIR_ROOTFS, chdir_rootfs, .rootfs = WH_SLOT_ROOTFS);
    ADD(UNSHARE, unshare, .nsflags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS);
    ADD(DUMPABLE, dumpable, .value = 0);
    ADD(CLONE_B, clone_b, );
    ADD(SESSION, session, );
    ADD(ROOT_PROPAGATION, root_propagation, .propagation = WH_MS_SLAVE);
    ADD(OPEN_DEVNULL, open_devnull, .devnull = WH_SLOT_DEVNULL);
    ADD(ROOT_BIND, root_bind, .root = WH_SLOT_ROOT, .recursive = 1);
}

static void proc(void)
{
    tp_fs("proc", "/proc", (struct wh_vec){ 0, 0 }, 0, WH_ATTACH_NOSYMLINK | WH_ATTACH_SOURCE_PROC, 0);
}

static void end(const char *script, const char *cwd)
{
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 0);
    ADD(UMASK, umask, .mask = 022);
    ADD(HOME, home, .uid = 0);
    ADD(CWD, cwd, .path = STR(cwd), .make = 1);
    ADD(STDIO, stdio, .uid = 0);
    ADD(CWD_CHECK, cwd_check, .path = STR(cwd));
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("sh"), .candidates = STRV("/bin/sh"));
    ADD(READY, ready, .listen = WH_SLOT_LISTEN);
    ADD(WAIT_START, wait_start, .listen = WH_SLOT_LISTEN);
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(EXEC, exec, .args = STRV("sh", "-c", script), .env = STRV("PATH=/bin"));
}

static struct run r;

/* True if it ran to the end. */
static bool run(void)
{
    char sock[sizeof(root_dir) + 16];
    int fd;

    go(&r, ~0u, sock, sizeof(sock));
    if (r.ready) {
        fd = start(sock);
        collect(&r);
        close(fd);
    } else {
        collect(&r);
    }
    return r.mbox->state == WH_MBOX_EXEC;
}

static void refused(uint32_t site, int err, const char *what)
{
    bool ran = run();

    if (!ok(!ran && r.mbox->fail.site == site && r.mbox->fail.err == err, "%s", what))
        diag("%s; output %s", state_name(&r), r.text);
}

static void untouched(const char *what)
{
    struct dirent *d;
    unsigned int n = 0;
    DIR *dir = opendir(outside);

    while (dir && (d = readdir(dir)))
        n += d->d_name[0] != '.';
    if (dir)
        closedir(dir);
    is_u64(n, 1, "%s", what);
}

static void test_links(void)
{
    fresh();
    sh("rm -r rootfs/dev; ln -s '%s' rootfs/dev; ln -s ../../../../../../../../../..'%s' rootfs/var", outside, outside);
    begin();
    proc();
    tp_fs("tmpfs", "/dev", PARAMS("mode", "755"), 0, 0, 0);
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3);
    ADD(SYMLINK, symlink, .root = WH_SLOT_ROOT, .target = STR("x"), .path = STR("/var/link"));
    tp_fs("tmpfs", "/var/a/b", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    ADD(MOUNT_BIND, mount_bind, .source = STR("/etc/passwd"), .mount = WH_SLOT_SCRATCH);
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/var/new/file"));
    end("stat -c %F /dev/null; ls /var/; echo done", "/var/cwd");
    if (!ok(run(), "an image whose /dev and /var are links to the outside runs"))
        diag("%s", state_name(&r));
    is_str(r.text, "character special file\na\ncwd\nlink\nnew\nnull\ndone\n", "all was made inside");
    untouched("and nothing outside");
}

static void test_proc(void)
{
    fresh();
    sh("rm -r rootfs/proc; ln -s tmp rootfs/proc");
    begin();
    proc();
    end("true", "/");
    refused(WH_SITE_OPENAT2, ELOOP, "/proc as a link is refused");

    fresh();
    sh("rm -r rootfs/sys; ln -s '%s' rootfs/sys", outside);
    begin();
    tp_fs("sysfs", "/sys", (struct wh_vec){ 0, 0 }, 0, WH_ATTACH_NOSYMLINK, 0);
    end("true", "/");
    refused(WH_SITE_OPENAT2, ELOOP, "so is /sys");

    fresh();
    begin();
    tp_fs("tmpfs", "/proc", (struct wh_vec){ 0, 0 }, 0, WH_ATTACH_SOURCE_PROC, 0);
    end("true", "/");
    refused(WH_SITE_VERIFY_FS, EINVAL, "a tmpfs as /proc is refused");

    fresh();
    begin();
    proc();
    tp_fs("tmpfs", "/proc/sys", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_VERIFY_FS, EPERM, "a mount below /proc is refused");

    fresh();
    sh("ln -s proc/self/attr rootfs/attr");
    begin();
    proc();
    tp_fs("tmpfs", "/attr", (struct wh_vec){ 0, 0 }, 0, WH_ATTACH_BENEATH_PROC, 0);
    end("true", "/");
    refused(WH_SITE_VERIFY_FS, EPERM, "by way of a link too");
}

static void test_magic(void)
{
    fresh();
    sh("ln -s /proc/self/root rootfs/magic; ln -s /proc/1/cwd rootfs/cwd; ln -s /proc/self/fd rootfs/fd");
    begin();
    proc();
    tp_fs("tmpfs", "/magic/tmp/x", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_OPENAT2, ELOOP, "a magic link is not followed to a mount target");
    begin();
    proc();
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/cwd/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3);
    end("true", "/");
    refused(WH_SITE_OPENAT2, ELOOP, "nor to a device");
    begin();
    proc();
    ADD(MASK, mask, .root = WH_SLOT_ROOT, .devnull = WH_SLOT_DEVNULL, .maskfs = WH_SLOT_DEVNULL,
        .path = STR("/magic/etc"));
    end("true", "/");
    refused(WH_SITE_OPENAT2, ELOOP, "nor to a mask, which is an error and not a path that is missing");
    for (int fd = 3; fd < 9; fd++) {
        char path[20];

        snprintf(path, sizeof(path), "/fd/%d", fd);
        begin();
        proc();
        end("pwd", path);
        if (run() || r.mbox->fail.step == 0)
            fail_test("%s is no working directory: %s", path, state_name(&r));
    }
    pass("no fd of ours is a working directory");
    untouched("and nothing outside");
}

static void test_files(void)
{
    fresh();
    sh("echo text >rootfs/dev/null; mkfifo rootfs/dev/zero; mkfifo rootfs/etc/passwd");
    begin();
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/null"), .mode = S_IFCHR | 0666, .major = 1, .minor = 3);
    end("true", "/");
    refused(WH_SITE_VERIFY_DEVICE, EEXIST, "a file as /dev/null is refused");
    begin();
    ADD(MKNOD, mknod, .root = WH_SLOT_ROOT, .path = STR("/dev/zero"), .mode = S_IFCHR | 0666, .major = 1, .minor = 5);
    end("true", "/");
    refused(WH_SITE_VERIFY_DEVICE, EEXIST, "so is a FIFO");
    begin();
    end("echo $HOME", "/");
    ok(run(), "a FIFO as /etc/passwd does not hang");
    is_str(r.text, "/\n", "and HOME is /");

    fresh();
    sh("rm -r rootfs/dev; mkdir rootfs/dev; mkfifo rootfs/dev/null");
    begin();
    end("echo ran", "/");
    ok(run(), "a FIFO as /dev/null does not hang the stdio that is one");
    is_str(r.text, "ran\n", "it runs");

    fresh();
    sh("ln -s x rootfs/x; ln -s b rootfs/a; ln -s a rootfs/b");
    begin();
    tp_fs("tmpfs", "/a/c", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_OPENAT2, ELOOP, "a loop of links ends");

    fresh();
    sh("touch rootfs/plain");
    begin();
    tp_fs("tmpfs", "/plain/x", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_OPENAT2, ENOTDIR, "a file is no directory");
    begin();
    tp_fs("tmpfs", "/plain", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_VERIFY_FS, ENOTDIR, "nor a place for one");

    fresh();
    sh("ln -s / rootfs/top");
    begin();
    tp_fs("tmpfs", "/top", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_VERIFY_FS, EINVAL, "a link to the root is no target");
    begin();
    tp_fs("tmpfs", "/etc/../../..", (struct wh_vec){ 0, 0 }, 0, 0, 0);
    end("true", "/");
    refused(WH_SITE_VERIFY_FS, EINVAL, "nor is a path above it");
}

static void test_copyup(void)
{
    fresh();
    sh("mkdir rootfs/data && cd rootfs/data && ln -s '%s'/file link && mkfifo fifo && echo a >a && chmod 4755 a && "
       "mkdir -p d/e && ln -s ../../../../.. d/up && echo b >d/e/b && chmod 0 d/e/b && mknod dev c 1 5",
       outside);
    begin();
    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .mount = WH_SLOT_SCRATCH);
    ADD(COPYUP, copyup, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/data"));
    ADD(ATTACH, attach, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/data"));
    end("cd /data; stat -c '%n %a %F' *; stat -c '%a' d/e/b; readlink link; readlink d/up", "/");
    if (!ok(run(), "tmpcopyup of all kinds of files"))
        diag("%s", state_name(&r));
    is_str(r.text, ({
               static char want[400];
               snprintf(want, sizeof(want),
                        "a 4755 regular file\nd 755 directory\nfifo 644 fifo\nlink 777 symbolic "
                        "link\n0\n%s/file\n../../../../..\n",
                        outside);
               want;
           }),
           "copies what is a file, follows nothing");
    untouched("and nothing outside");

    fresh();
    sh("cd rootfs && p=data; mkdir data; for i in $(seq 40); do p=$p/d; mkdir $p; done");
    begin();
    ADD(MOUNT_FS, mount_fs, .fstype = STR("tmpfs"), .mount = WH_SLOT_SCRATCH);
    ADD(COPYUP, copyup, .mount = WH_SLOT_SCRATCH, .root = WH_SLOT_ROOT, .dst = STR("/data"));
    end("true", "/");
    refused(WH_SITE_LIMIT, ELOOP, "tmpcopyup is bounded in depth");
}

/* The runtime's binary must be out of reach: an entry point that leads to it runs a sealed copy of init, which does nothing. */
static void test_self(void)
{
    fresh();
    sh("printf '#!/proc/self/exe\\n' >rootfs/bin/evil; chmod 755 rootfs/bin/evil; ln -sf /proc/self/exe "
       "rootfs/bin/self");
    begin();
    proc();
    ADD(PIVOT, pivot, .root = WH_SLOT_ROOT, .mode = 0);
    ADD(UMASK, umask, .mask = 022);
    ADD(EXEC_CHECK, exec_check, .arg0 = STR("/bin/self"), .candidates = STRV("/bin/self"));
    ADD(READY, ready, .listen = WH_SLOT_LISTEN);
    ADD(WAIT_START, wait_start, .listen = WH_SLOT_LISTEN);
    ADD(CLOSE_FDS, close_fds, .first = 3);
    ADD(EXEC, exec, .args = STRV("/bin/self", "3"), .env = NO_STRV);
    ok(run() && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 1,
       "/proc/self/exe as the entry point is init again, which gives up");
}

int main(void)
{
    const char *why = cannot_run();

    if (why) {
        skip(why);
        return done_testing();
    }
    /* Hanging is one of the failures looked for. */
    alarm(120);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(root_dir) || chmod(root_dir, 0755)) {
        fail_test("%s: %s", root_dir, strerror(errno));
        return done_testing();
    }
    snprintf(rootfs, sizeof(rootfs), "%s/rootfs", root_dir);
    snprintf(outside, sizeof(outside), "%s/outside", root_dir);
    test_links();
    test_proc();
    test_magic();
    test_files();
    test_copyup();
    test_self();
    is_int(wh_remove_tree_at(AT_FDCWD, root_dir), 0, "nothing is left");
    return done_testing();
}
