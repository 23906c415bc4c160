/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every system call that wherry-init makes for a realistic plan, made to fail once with each errno of a list. Either the run ends in
 * FAILED, at the step that made the call, with its errno and a site that stands for the call; or the failure is one of those that
 * are tolerated by name below, and then the container is confined by exactly the same calls as without it. No fd is ever left
 * that init does not account for.
 */
#include "../unit/tap.h"

#include "../unit/fake-sys.h"
#include "../unit/init-plan.h"

static struct wh_plan *plan, *work;
static size_t size;
static char *clean_conf;
static unsigned int nfailed, ntolerated, nbad;

static const int errnos[] = { EPERM, EACCES, ENOENT, EEXIST,  EINVAL, ENOMEM, EMFILE, EBUSY,   ENOSYS,     ENODEV,
                              EROFS, ENOSPC, ELOOP,  ENOTDIR, EIO,    EINTR,  EAGAIN, ENOEXEC, EOPNOTSUPP, E2BIG };

static const char *const site_names[] = {
    "none",
#define SITE(NAME, text) #NAME,
#include "abi/sites.def"
#undef SITE
};

struct tolerated {
    const char *op, *call; /* null: any; a call may be given with its first arguments */
    const char *why;
    int err[8]; /* empty: any */
};
/* A line here is a decision. */
static const struct tolerated tolerated[] = {
    { NULL, "openat2", "tried again", { EINTR, EAGAIN } },
    { NULL, "sendmsg", "tried again", { EINTR } },
    { NULL, "recvmsg", "tried again", { EINTR } },
    { "KEYRING", "keyctl", "no keyrings, or its permissions stay", { ENOSYS, ENODEV, EOPNOTSUPP, EACCES } },
    { "MOUNT_FS", NULL, "soft: bound or left out instead", { EPERM, EACCES } },
    { "MOUNT_RELAX", "mount_setattr", "a flag that is locked stays", { EPERM } },
    { "MKNOD", NULL, "soft: bound instead", { EPERM, EACCES } },
    { "ATTACH", "openat2", "taken as missing: made", { ENOENT } },
    { "MKDIR", "openat2", "taken as missing: made", { ENOENT } },
    { "MKNOD", "openat2", "taken as missing: made", { ENOENT } },
    { "COPY_LINK", "openat2", "taken as missing: made", { ENOENT } },
    { "SYMLINK", "openat2", "taken as missing: made", { ENOENT } },
    { "SYMLINK", "symlinkat", "taken as there: replaced", { EEXIST } },
    { "DEV_BIND", "openat2", "taken as missing: made", { ENOENT } },
    { "ASK_DEVICE", "openat2", "taken as missing: made", { ENOENT } },
    { "CONSOLE", "openat2", "taken as missing: made", { ENOENT } },
    { "DEV_BIND", "openat", "made by someone else: opened again", { EEXIST } },
    { "ASK_DEVICE", "openat", "made by someone else: opened again", { EEXIST } },
    { "CONSOLE", "openat", "made by someone else: opened again", { EEXIST } },
    { "ATTACH", "mkdirat", "made by someone else: opened again", { EEXIST } },
    { "MKNOD", "mknodat", "taken as there: looked at", { EEXIST } },
    { "ATTACH", "fchown", "an owner that is not mapped", { EINVAL, EPERM } },
    { "COPYUP", "openat2", "nothing to copy", { ENOENT, ENOTDIR } },
    { "COPYUP", "statx", "gone meanwhile", { ENOENT } },
    { "COPYUP", "flistxattr", "as far as the tmpfs takes them", { 0 } },
    { "COPYUP", "fgetxattr", "as far as the tmpfs takes them", { 0 } },
    { "COPYUP", "fsetxattr", "as far as the tmpfs takes them", { 0 } },
    { "COPYUP", "utimensat", "as far as the tmpfs takes them", { 0 } },
    { "MASK", "openat2", "nothing to mask", { ENOENT, ENOTDIR } },
    { "RDONLY", "openat2", "nothing to protect", { ENOENT, ENOTDIR } },
    { "HOME", NULL, "HOME is / then", { 0 } },
    { "LISTEN_PID", "getpid", "never fails", { 0 } },
    { "BE_INIT", "getpid", "never fails", { 0 } },
    { "CWD", "openat2", "made if missing, left to CWD_CHECK if denied", { ENOENT, EACCES, EPERM } },
    { "CWD", "fchdir", "left to CWD_CHECK", { ENOENT, EACCES, EPERM } },
    { "STDIO", "fchown", "stdio of another owner", { EPERM, EROFS, EINVAL } },
    { "STDIO", "ioctl", "no terminal", { 0 } },
    { "STDIO", "openat2", "stdio stays what it is", { 0 } },
    { "EXEC_CHECK",
      "openat(CWD, \"/sbin/prog\", RD|PATH",
      "the next candidate, as execvp",
      { ENOENT, ENOTDIR, EACCES } },
    { "EXEC_CHECK", "openat(CWD, \"/bin/prog\", RD|NONBLOCK", "not readable: no diagnosis", { 0 } },
    { "EXEC_CHECK", "pread", "no diagnosis", { 0 } },
    { "WAIT_START", "accept4", "tried again", { EINTR } },
    { "WAIT_START", "ppoll", "tried again", { EINTR } },
    { "WAIT_START", "read", "no signal", { 0 } },
    { "ASK_HOOK", "ppoll", "tried again", { EINTR } },
    { "ASK_HOOK", "read", "no signal", { 0 } },
    { "WAIT_START", "recvmsg(conn", "a start that said nothing: the next one", { 0 } },
    { "WAIT_START", "sendmsg", "who asked for the namespaces is gone: the next one", { 0 } },
    { "CLONE_B", "recvmsg", "tried again", { EINTR } },
    { "HOST_ALIVE", "recvmsg", "the answer of a host that has nothing to say", { EAGAIN } },
};

/* A call with its first arguments. */
static bool begins(const char *call)
{
    return strchr(call, '(') && strncmp(fake.at_text, call, strlen(call)) == 0;
}

static const struct tolerated *tolerates(const char *op, const char *call, int err)
{
    for (size_t k = 0; k < sizeof(tolerated) / sizeof(tolerated[0]); k++) {
        const struct tolerated *t = &tolerated[k];

        if ((t->op && strcmp(t->op, op) != 0) || (t->call && strcmp(t->call, call) != 0 && !begins(t->call)))
            continue;
        if (!t->err[0])
            return t;
        for (size_t e = 0; e < 8 && t->err[e]; e++)
            if (t->err[e] == err)
                return t;
    }
    return NULL;
}

/* What may be skipped together with a soft or missing thing, from the log of confinement. */
static bool may_lack(const char *op, const char *call, int err, const char *line)
{
    /* Nothing to mask, nothing mounted: those two lines are about the thing itself. */
    if (strcmp(op, "MASK") == 0 && strcmp(call, "openat2") == 0 && (err == ENOENT || err == ENOTDIR))
        return strncmp(line, "move_mount(", 11) == 0;
    if (strcmp(op, "RDONLY") == 0 && strcmp(call, "openat2") == 0 && (err == ENOENT || err == ENOTDIR))
        return strncmp(line, "move_mount(", 11) == 0 || strncmp(line, "mount_setattr(", 14) == 0;
    if (strcmp(op, "MOUNT_FS") == 0)
        return strncmp(line, "fsmount(", 8) == 0 || strncmp(line, "move_mount(", 11) == 0;
    /* Takes restrictions away: with the failure there are more, not fewer. */
    if (strcmp(op, "MOUNT_RELAX") == 0)
        return strncmp(line, "mount_setattr(", 14) == 0;
    if (strcmp(op, "CWD") == 0)
        return strncmp(line, "fchdir(", 7) == 0;
    if (strcmp(op, "STDIO") == 0 || strcmp(op, "COPYUP") == 0)
        return strncmp(line, "write(", 6) == 0;
    return false;
}

/* Every line of the clean log stands in this one, in order. */
static bool same_confinement(const char *op, const char *call, int err)
{
    char *a = strdup(clean_conf), *b = strdup(fake.conf_text), *sa = NULL, *sb = NULL;
    char *la = strtok_r(a, "\n", &sa), *lb = strtok_r(b, "\n", &sb);
    bool good = true;

    while (la && good) {
        if (lb && strcmp(la, lb) == 0) {
            lb = strtok_r(NULL, "\n", &sb);
            la = strtok_r(NULL, "\n", &sa);
        } else if (may_lack(op, call, err, la)) {
            la = strtok_r(NULL, "\n", &sa);
        } else if (lb) {
            /* Something more than before. */
            lb = strtok_r(NULL, "\n", &sb);
        } else {
            diag("missing: %s", la);
            good = false;
        }
    }
    free(a);
    free(b);
    return good;
}

static const char *leaked(void)
{
    for (int k = 4; k < FAKE_FDS; k++) {
        bool known = k == ini.ctl;

        if (!fake.fd[k].open)
            continue;
        for (int s = 0; s < WH_SLOTS; s++)
            known |= ini.slot[s] == k;
        for (unsigned s = 0; s < ini.nns; s++)
            known |= ini.ns[s] == k;
        /* Before and while the fds are taken over, and the listener, which nobody may close. */
        known |= !ini.plan || k == fake.mbox.notify_fd || !strstr(fake.text, "HELLO");
        if (!known)
            return fake.fd[k].name;
    }
    return NULL;
}

static const char *upper(const char *s)
{
    static char buf[64];
    size_t k;

    for (k = 0; s[k] && k < sizeof(buf) - 1; k++)
        buf[k] = (char)(s[k] >= 'a' && s[k] <= 'z' ? s[k] - 32 : s[k]);
    buf[k] = 0;
    return buf;
}

/* The site is the call's own name, or one of these. */
static bool fits(const char *call, const char *site)
{
    static const struct {
        const char *call, *sites;
    } other[] = {
        { "openat", " OPEN CREAT EXEC_STAT EXEC_NOT_FOUND OPENAT2 " },
        { "openat2", " OPENAT2 CHDIR OPEN " },
        { "statx", " FSTAT VERIFY_PLAN EXEC_STAT EXEC_NOT_FOUND " },
        { "mmap", " VERIFY_PLAN " },
        { "fsconfig", " FSCONFIG FSCONFIG_CREATE FSCONFIG_RECONFIGURE " },
        { "prctl", " PRCTL CAP_BSET CAP_AMBIENT " },
        { "umount2", " UMOUNT " },
        { "accept4", " ACCEPT " },
        { "ppoll", " POLL " },
        { "signalfd4", " SIGNALFD " },
        { "dup3", " DUP " },
        { "sigaction", " SIGNAL " },
        { "sigprocmask", " SIGNAL " },
        { "getresuid", " VERIFY_IDS " },
        { "getresgid", " VERIFY_IDS " },
        { "prlimit", " PRLIMIT " },
        { "recvmsg", " RECVMSG PROTOCOL " },
        { "faccessat2", " EXEC_NO_X EXEC_NOT_FOUND " },
        { "readlinkat", " READLINK " },
        { "getdents64", " GETDENTS " },
        { "fchownat", " FCHOWN " },
        { "fchdir", " FCHDIR CHDIR " },
        { "mkdirat", " MKDIRAT READLINK OPENAT2 " },
        { "execve", " EXECVE EXEC_FORMAT " },
        { "mknodat", " MKNODAT OPEN VERIFY_DEVICE " },
        { "fchown", " FCHOWN " },
    };
    char key[40];

    snprintf(key, sizeof(key), " %s ", site);
    for (size_t k = 0; k < sizeof(other) / sizeof(other[0]); k++)
        if (strcmp(other[k].call, call) == 0)
            return strstr(other[k].sites, key);
    return strcmp(upper(call), site) == 0;
}

/* True if the call number k was made at all. */
static bool one(unsigned int k, int err, bool is_a, bool say)
{
    const char *op, *site, *leak, *what = NULL;
    bool expected_errno;
    int ended;

    fake_reset();
    fake.at = k;
    fake.err = err;
    fake.is_a = is_a;
    memcpy(work, plan, size);
    ended = fake_run(work, size);
    if (!fake.at_name[0])
        return false;

    op = ini.plan ? fake_op(work, fake.at_step) : "SET_UP";
    site = fake.mbox.fail.site < WH_SITE_MAX ? site_names[fake.mbox.fail.site] : "?";
    /* The end of a list of candidates has its own errno, and so has a race that never ends. */
    expected_errno = fake.mbox.fail.err == err || strcmp(op, "EXEC_CHECK") == 0 ||
                     (strcmp(fake.at_name, "mknodat") == 0 && err == EEXIST);
    leak = leaked();
    if (leak) {
        what = "an fd is left";
    } else if (fake.mbox.state == WH_MBOX_FAILED && ended == 1 && fake.status == 1) {
        nfailed++;
        if (ini.plan && fake.mbox.fail.step != fake.at_step)
            what = "another step";
        else if (!expected_errno)
            what = "another errno";
        else if (!fits(fake.at_name, site))
            what = "another site";
    } else if (ended == 2 || (is_a && ended == 1 && fake.status == 0)) {
        ntolerated++;
        if (!tolerates(op, fake.at_name, err))
            what = "not tolerated, but the container runs";
        else if (!is_a && !same_confinement(op, fake.at_name, err))
            what = "weaker confinement";
    } else if (!ini.plan && fake.mbox.state == WH_MBOX_NEW) {
        nfailed++; /* no mailbox: the exit says it all */
    } else {
        what = "neither failed nor done";
    }
    if (what)
        nbad++;
    /* Once for each call. */
    if (what && say) {
        fail_test("%s: call %u (%s) fails with %s: %s", op, k, fake.at_name, strerror(err), what);
        diag("%s", leak ? leak : "");
        diag("state %u, step %u, site %s, errno %d", fake.mbox.state, fake.mbox.fail.step, site, fake.mbox.fail.err);
    }
    return true;
}

static void all(struct tp_options o, bool is_a, const char *title)
{
    unsigned int k = 0;
    size_t e;
    bool more;

    tp_realistic(o);
    plan = tp_end(&size);
    work = malloc(size);
    memcpy(work, plan, size);
    fake_reset();
    fake.is_a = is_a;
    is_int(fake_run(work, size), is_a ? 1 : 2, "%s: runs without a fault", title);
    free(clean_conf);
    clean_conf = strdup(fake.conf_text);

    nfailed = ntolerated = nbad = 0;
    do {
        k++;
        more = false;
        unsigned int before = nbad;

        for (e = 0; e < sizeof(errnos) / sizeof(errnos[0]); e++)
            more |= one(k, errnos[e], is_a, nbad == before);
    } while (more);
    ok(nbad == 0 && nfailed > 100, "%s: %u calls, %u failures reported, %u tolerated, %u wrong", title, k - 1, nfailed,
       ntolerated, nbad);
    free(plan);
    free(work);
}

int main(void)
{
    all((struct tp_options){ .notify = true }, false, "create and start");
    all((struct tp_options){ .notify = true }, true, "A");
    all((struct tp_options){ .exec = true }, false, "exec");
    all((struct tp_options){ .exec = true }, true, "A of exec");
    all((struct tp_options){ .exec = true, .early = true }, false, "exec with the filter in A");
    all((struct tp_options){ .fds = true }, false, "create and start, with its namespaces open");
    all((struct tp_options){ .exec = true, .fds = true }, true, "A of exec, by descriptor");
    all((struct tp_options){ .init = true, .notify = true }, false, "a payload below init");
    free(clean_conf);
    return done_testing();
}
