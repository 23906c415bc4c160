/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans written by hand → the text of explain, and the sentences of render. No configuration: places are lines. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "abi/kernel.h"
#include "base/fd.h"
#include "plan/hints.h"
#include "plan/plan.h"
#include "plan/text.h"

#include "tap.h"

static struct wh_arena *arena;
static struct wh_build *build;

static void start(void)
{
    wh_arena_free(arena);
    arena = wh_arena_new();
    build = wh_build_new(arena);
}

static const struct wh_plan *done(void)
{
    const struct wh_plan *plan = NULL;
    struct wh_err err = { 0 };

    if (wh_build_finish(build, &plan, &err) < 0) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
    return plan;
}

#define STR(s) wh_build_str(build, (s))
#define ADD(NAME, name, line) wh_add(build, NAME, name, line, line)

/* The text of the only step. */
static const char *step_text(void)
{
    static char text[8192];
    const struct wh_plan *plan = done();
    struct wh_buf out = { 0 };

    wh_explain_step(plan, plan->nsteps ? wh_plan_first(plan) : wh_plan_first_host(plan), 0, &out);
    snprintf(text, sizeof text, "%s", out.data);
    wh_buf_done(&out);
    start();
    return text;
}

static void templates(void)
{
    unsigned n = 0;

    for (unsigned op = WH_OP_NONE + 1; op < WH_OP_MAX; op++) {
        const struct wh_optext *t = wh_optext(op);
        const struct wh_opinfo *info = wh_opinfo(op);
        const char *p = t->tmpl;
        bool known = true;

        for (unsigned i = 0; i < info->nfields; i++)
            known = known && t->fields[i];
        known = known && !t->fields[info->nfields];
        /* Every {field} of a template is a field of the op. */
        while ((p = strchr(p, '{'))) {
            size_t len = strcspn(++p, "}");
            bool found = false;

            for (unsigned i = 0; i < info->nfields; i++)
                found = found || (strlen(t->fields[i]) == len && strncmp(t->fields[i], p, len) == 0);
            known = known && found;
        }
        if (!ok(known, "the template of %s names fields of it", t->name))
            diag("%s", t->tmpl);
        n++;
    }
    ok(n > 50 && !wh_optext(0) && !wh_optext(WH_OP_MAX), "all ops have texts, no other has");
}

static void kinds(void)
{
    start();
    struct wh_step_unshare *un = ADD(UNSHARE, unshare, 0);
    un->nsflags = CLONE_NEWNS | CLONE_NEWTIME;
    is_str(step_text(), "unshare CLONE_NEWNS|CLONE_NEWTIME", "namespace flags in the kernel's words");

    struct wh_step_mount_fs *fs = ADD(MOUNT_FS, mount_fs, 0);
    fs->fstype = STR("tmpfs");
    fs->source = STR("shm");
    fs->attr = WH_MOUNT_ATTR_NOSUID | WH_MOUNT_ATTR_STRICTATIME;
    fs->params = wh_build_params(build, (const char *[]){ "mode", "755", "noswap", NULL }, 4);
    is_str(step_text(), "fsopen tmpfs source shm mode=755,noswap, fsmount nosuid,strictatime", "a file system");

    fs = ADD(MOUNT_FS, mount_fs, 0);
    fs->fstype = STR("proc");
    is_str(step_text(), "fsopen proc", "what is not there takes its words along");

    struct wh_step_mount_bind *b = ADD(MOUNT_BIND, mount_bind, 0);
    b->source = STR("/a dir/x");
    b->recursive = 1;
    is_str(step_text(), "open_tree \"/a dir/x\" recursive", "a path with a space is quoted");

    b = ADD(MOUNT_BIND, mount_bind, 0);
    b->source = STR("/a\nb\033[2J");
    is_str(step_text(), "open_tree \"/a\\nb\\x1b[2J\"", "control bytes are escaped: one step stays one line");

    struct wh_step_ask_mount *am = ADD(ASK_MOUNT, ask_mount, 0);
    am->source = STR("/src");
    is_str(step_text(), "host opens /src", "an absent quoted text takes its quotes along");

    am = ADD(ASK_MOUNT, ask_mount, 0);
    am->source = STR("/src");
    am->uid_map = STR("0 1 2");
    am->gid_map = STR("3 4 5\n6 7 8");
    is_str(step_text(), "host opens /src idmapped uids \"0 1 2\" gids \"3 4 5\\n6 7 8\"", "id maps");

    am = ADD(ASK_MOUNT, ask_mount, 0);
    am->source = STR("/src");
    am->uid_map = am->gid_map = STR("0 1 2");
    am->recursive = am->idmap_recursive = am->nofollow = 1;
    am->propagation = WH_MS_SLAVE;
    is_str(step_text(), "host opens /src recursive nofollow MS_SLAVE idmapped uids \"0 1 2\" gids \"0 1 2\" recursive",
           "of a whole tree");

    am = ADD(ASK_MOUNT, ask_mount, 0);
    am->source = STR("/src");
    am->userns = STR("/proc/7/ns/user");
    is_str(step_text(), "host opens /src idmapped by /proc/7/ns/user", "the ids of a joined user namespace");

    struct wh_step_pivot *pv = ADD(PIVOT, pivot, 0);
    pv->mode = 2;
    is_str(step_text(), "chroot to the rootfs", "a mode that pivots nothing");

    struct wh_step_mount_attr *ma = ADD(MOUNT_ATTR, mount_attr, 0);
    ma->set = WH_MOUNT_ATTR_RDONLY | WH_MOUNT_ATTR_NOATIME;
    ma->clr = WH_MOUNT_ATTR_ATIME | WH_MOUNT_ATTR_NOEXEC;
    ma->propagation = WH_MS_SLAVE;
    ma->recursive = 1;
    is_str(step_text(), "mount_setattr recursive set ro,noatime clear noexec,atime MS_SLAVE", "mount attributes");

    ma = ADD(MOUNT_ATTR, mount_attr, 0);
    ma->clr = WH_MOUNT_ATTR_NOSUID;
    is_str(step_text(), "mount_setattr clear nosuid", "only cleared ones");

    struct wh_step_attach *at = ADD(ATTACH, attach, 0);
    at->dst = STR("/proc");
    at->flags = WH_ATTACH_NOSYMLINK | WH_ATTACH_SOURCE_PROC;
    is_str(step_text(), "mount on /proc (no symlinks, must be a procfs)", "flags of attach");

    struct wh_step_mknod *mk = ADD(MKNOD, mknod, 0);
    mk->path = STR("/dev/null");
    mk->mode = S_IFCHR | 0666;
    mk->major = 1;
    mk->minor = 3;
    is_str(step_text(), "mknod /dev/null c 0666 1:3 owner 0:0", "a device");

    struct wh_step_rlimit *rl = ADD(RLIMIT, rlimit, 0);
    rl->resource = RLIMIT_CORE;
    rl->soft = 1024;
    rl->hard = UINT64_MAX;
    is_str(step_text(), "prlimit RLIMIT_CORE soft 1024 hard unlimited", "limits");

    struct wh_step_umask *um = ADD(UMASK, umask, 0);
    um->mask = 0077;
    is_str(step_text(), "umask 0077", "octal");

    struct wh_step_oom_adj *oom = ADD(OOM_ADJ, oom_adj, 0);
    oom->value = -998;
    is_str(step_text(), "write -998 to /proc/self/oom_score_adj", "a negative number");

    struct wh_step_setgroups *sg = ADD(SETGROUPS, setgroups, 0);
    sg->gids = wh_build_u32v(build, (uint32_t[]){ 5, 4294967294u }, 2);
    is_str(step_text(), "setgroups 5,4294967294", "groups");
    ADD(SETGROUPS, setgroups, 0);
    is_str(step_text(), "setgroups none", "no groups are said");

    struct wh_step_caps *caps = ADD(CAPS, caps, 0);
    caps->effective = (UINT64_C(1) << 41) - 1;
    caps->permitted = ((UINT64_C(1) << 41) - 1) & ~(UINT64_C(1) << 24);
    caps->inheritable = 1u << 21 | 1;
    is_str(step_text(), "capset effective all permitted all but CAP_SYS_RESOURCE inheritable CAP_CHOWN,CAP_SYS_ADMIN",
           "capabilities");

    struct wh_step_exec *ex = ADD(EXEC, exec, 0);
    ex->args = wh_build_strv(build, (const char *[]){ "sh", "-c", "echo \"a\"" }, 3);
    ex->env = wh_build_strv(build, (const char *[]){ "A=b" }, 1);
    is_str(step_text(), "execve [\"sh\", \"-c\", \"echo \\\"a\\\"\"] env [\"A=b\"]", "argument vectors");

    struct wh_step_seccomp *sc = ADD(SECCOMP, seccomp, 0);
    sc->filter = wh_build_bytes(build, "0123456701234567", 16);
    is_str(step_text(), "seccomp filter of 2 instructions", "a filter by its length");
    sc = ADD(SECCOMP, seccomp, 0);
    sc->filter = wh_build_bytes(build, "0123456701234567", 16);
    sc->flags = WH_SECCOMP_FILTER_FLAG_LOG | WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    sc->notify = 1;
    is_str(step_text(), "seccomp filter of 2 instructions, flags LOG,SPEC_ALLOW, with a listener", "with its flags");

    struct wh_step_hook *h = ADD(HOOK, hook, 0);
    h->kind = WH_HOOK_POSTSTOP;
    h->index = 1;
    h->path = STR("/h");
    h->args = wh_build_strv(build, (const char *[]){ "h" }, 1);
    h->env = wh_build_strv(build, NULL, 0);
    h->timeout = 3;
    is_str(step_text(), "poststop hook #1: /h [\"h\"] env inherited timeout 3", "a hook");
    h = ADD(HOOK, hook, 0);
    h->path = STR("/h");
    h->args = wh_build_strv(build, NULL, 0);
    h->env = wh_build_strv(build, NULL, 0);
    h->env_set = 1;
    is_str(step_text(), "prestart hook #0: /h [] env [] timeout none", "with an empty environment of its own");

    struct wh_step_join *j = ADD(JOIN, join, 0);
    j->ns = WH_SLOT_NS + 1;
    j->nstype = CLONE_NEWNET;
    j->path = STR("/run/netns/a");
    is_str(step_text(), "setns /run/netns/a as CLONE_NEWNET", "a joined namespace");
}

/* A plan with a soft step, its alternatives and secrets. */
static const struct wh_plan *sample(void)
{
    struct wh_step_mount_fs *fs;
    struct wh_step_mount_bind *bind;
    struct wh_step_attach *at;
    struct wh_step_keyring *key;
    struct wh_step_exec_check *check;
    struct wh_step_exec *exec;
    struct wh_step_ready *ready;
    struct wh_step_cg_create *cg;
    struct wh_step_umask *um;
    struct wh_step_seccomp *sec;

    start();
    cg = ADD(CG_CREATE, cg_create, 30);
    cg->path = STR("/box");
    wh_build_host_slot(build, WH_SLOT_LISTEN);
    ADD(CLONE_B, clone_b, 0); /* 0 */
    fs = ADD(MOUNT_FS, mount_fs, 41); /* 1 */
    fs->s.soft = WH_SOFT_PERM | WH_SOFT_BUSY;
    fs->fstype = STR("proc");
    fs->mount = WH_SLOT_SCRATCH;
    bind = ADD(MOUNT_BIND, mount_bind, 41); /* 2 */
    bind->s.flags = WH_STEP_ALT;
    bind->source = STR("/proc");
    bind->recursive = 1;
    bind->mount = WH_SLOT_SCRATCH;
    struct wh_step_mount_attr *attr = ADD(MOUNT_ATTR, mount_attr, 41); /* 3 */
    attr->s.flags = WH_STEP_ALT;
    attr->set = WH_MOUNT_ATTR_NODEV;
    attr->mount = WH_SLOT_SCRATCH;
    struct wh_step_root_bind *rb = ADD(ROOT_BIND, root_bind, 0); /* 4 */
    rb->root = WH_SLOT_ROOT;
    at = ADD(ATTACH, attach, 41); /* 5 */
    at->dst = STR("/proc");
    at->mount = WH_SLOT_SCRATCH;
    at->root = WH_SLOT_ROOT;
    key = ADD(KEYRING, keyring, 0); /* 6 */
    key->s.soft = WH_SOFT_NOSYS;
    um = ADD(UMASK, umask, 0); /* 7 */
    um->mask = 022;
    check = ADD(EXEC_CHECK, exec_check, 9); /* 8 */
    check->arg0 = STR("foo");
    check->candidates = wh_build_strv(build, (const char *[]){ "/bin/foo" }, 1);
    ready = ADD(READY, ready, 0); /* 9 */
    ready->listen = WH_SLOT_LISTEN;
    struct wh_step_wait_start *ws = ADD(WAIT_START, wait_start, 0); /* 10 */
    ws->listen = WH_SLOT_LISTEN;
    sec = ADD(SECCOMP, seccomp, 77); /* 11 */
    sec->filter = wh_build_bytes(build, "01234567", 8);
    exec = ADD(EXEC, exec, 9); /* 12 */
    exec->args = wh_build_strv(build, (const char *[]){ "foo", "   (bar)" }, 2);
    exec->env = wh_build_strv(build, (const char *[]){ "PASSWORD=hunter2", "PATH=/bin" }, 2);
    return done();
}

static void whole(void)
{
    const struct wh_plan *plan = sample();
    struct wh_buf out = { 0 };
    uint32_t step = 0;

    is_int(wh_plan_verify(plan, plan->size, &step), 0, "the sample is a valid plan (step %u)", step);
    wh_explain(plan, NULL, 0, &out);
    has_str(out.data, "    - H  mkdir cgroup /box   (line 30)\n    0 A  clone B",
            "host lists come first, without number");
    has_str(out.data, "    1 B  fsopen proc   (line 41)\n", "a step with its number, phase and line");
    has_str(out.data, "    2 B    else, if EPERM, EACCES, EBUSY: open_tree /proc recursive   (line 41)\n",
            "its alternative, and when");
    has_str(out.data, "    3 B    then mount_setattr set nodev   (line 41)\n", "and what follows in it");
    has_str(out.data, "join a new session keyring; skipped if ENOSYS, ENODEV, EOPNOTSUPP\n",
            "a step that may be skipped");
    has_str(out.data, "   12 C  execve", "the phases");
    has_str(out.data, "hunter2", "explain shows the environment");
    wh_buf_done(&out);
    wh_explain(plan, NULL, WH_EXPLAIN_REDACT, &out);
    ok(!strstr(out.data, "hunter2"), "what is written to disk has no values of it");
    has_str(out.data, "env [\"PASSWORD=...\", \"PATH=...\"]", "only the names");
    wh_buf_done(&out);
    wh_explain(plan, NULL, WH_EXPLAIN_JSON, &out);
    has_str(out.data, "\"op\": \"mount_fs\"", "JSON has ops");
    has_str(out.data, "\"phase\": \"H\"", "and host lists");
    has_str(out.data, "\"soft\": \"EPERM, EACCES, EBUSY\"", "and what is soft");
    has_str(out.data, "hunter2\"", "and the environment");
    wh_buf_done(&out);
    wh_explain(plan, NULL, WH_EXPLAIN_JSON | WH_EXPLAIN_REDACT, &out);
    ok(!strstr(out.data, "hunter2"), "unless it is redacted");
    wh_buf_done(&out);
}

/* ---- render ---- */

static const char *sentence(const struct wh_plan *plan, uint32_t step, uint32_t site, int err, const char *detail)
{
    static char text[1200];
    struct wh_err e = { 0 };

    wh_render_failure(plan, NULL, &(struct wh_failure){ .step = step, .site = site, .err = err, .detail = detail }, &e);
    return wh_err_text(&e, text, sizeof text);
}

static const char *from_text(const char *steps, uint32_t step, uint32_t site, int err, const char *detail)
{
    static char text[1200];
    struct wh_err e = { 0 };

    wh_render_failure_text(steps, strlen(steps),
                           &(struct wh_failure){ .step = step, .site = site, .err = err, .detail = detail }, &e);
    return wh_err_text(&e, text, sizeof text);
}

static void sentences(void)
{
    const struct wh_plan *plan = sample();
    struct wh_err e = { 0 };

    is_str(sentence(plan, 1, WH_SITE_FSCONFIG, EINVAL, "proc: Bad value for 'hidepid'"),
           "line 41: mount proc on /proc: fsconfig: invalid argument: proc: Bad value for 'hidepid' (the file system "
           "does not know "
           "this option, or not this value)",
           "the sentence of a mount: what, where, which call, why, the kernel's own words, a hint");
    has_str(sentence(plan, 1, WH_SITE_FSMOUNT, EPERM, NULL),
            "line 41: mount proc on /proc: fsmount: operation not permitted (the kernel refuses a new proc while",
            "the hint for a masked proc");
    is_str(
        sentence(plan, 2, WH_SITE_OPEN_TREE, ENOENT, NULL),
        "line 41: bind /proc on /proc: open_tree: no such file or directory (the source of the bind mount is missing)",
        "a missing source");
    is_str(sentence(plan, 3, WH_SITE_MOUNT_SETATTR, ENOMEM, NULL),
           "line 41: set attributes of the mount on /proc: mount_setattr: cannot allocate memory", "attributes");
    is_str(sentence(plan, 6, WH_SITE_KEYCTL, EDQUOT, NULL),
           "join a new session keyring: keyctl: disk quota exceeded (the user's quota of keys is used up: "
           "kernel.keys.maxkeys)",
           "a step without a place");
    is_str(sentence(plan, 5, WH_SITE_OPENAT2, EXDEV, "a\nb\033[0m\\"),
           "line 41: mount on /proc: openat2: invalid cross-device link: a\\nb\\x1b[0m\\\\ (the target leads out of "
           "the rootfs)",
           "text from init is escaped");
    has_str(sentence(plan, 99, WH_SITE_OPEN, EIO, NULL),
            "step 99, which the plan does not have: open: input/output error", "a number out of range");
    has_str(sentence(plan, 7, 4000, EIO, NULL), "umask 0022: unknown call: input/output error", "a site out of range");
    wh_render_failure(plan, NULL, &(struct wh_failure){ .step = 7, .site = WH_SITE_OPEN, .err = EROFS }, &e);
    is_int(e.code, -EROFS, "the code is the errno");
    is_int(e.kind, WH_ERR_STEP, "the kind says that a step failed");
    e = (struct wh_err){ 0 };
    wh_render_failure(plan, NULL, &(struct wh_failure){ .step = 7, .site = WH_SITE_OPEN, .err = -5 }, &e);
    is_int(e.code, -EIO, "a hostile errno is no success");

    start();
    ADD(SESSION, session, 0);
    is_str(sentence(done(), 0, WH_SITE_SETSID, ENOMEM, NULL), "setsid: cannot allocate memory",
           "no call is named twice");

    start();
    static char big[5000];
    memset(big, 'x', sizeof big - 1);
    struct wh_step_sysctl *s = ADD(SYSCTL, sysctl, 3);
    s->path = STR("net/a");
    s->value = STR(big);
    has_str(sentence(done(), 0, WH_SITE_WRITE, EINVAL, NULL),
            "xxx...: invalid argument (the kernel does not take this value)", "a long step is cut, the cause is not");
}

static void exec_texts(void)
{
    static const struct {
        uint32_t step, site;
        int err;
        const char *detail, *want;
    } t[] = {
        { 8, WH_SITE_EXEC_NOT_FOUND, ENOENT, NULL, "exec: \"foo\": executable file not found in $PATH" },
        { 8, WH_SITE_EXEC_NOT_FOUND, ENOENT, "foo", "exec: \"foo\": executable file not found in $PATH" },
        { 8, WH_SITE_EXEC_STAT, ENOENT, "/foo", "exec: \"foo\": stat /foo: no such file or directory" },
        { 8, WH_SITE_EXEC_STAT, ENOENT, NULL, "exec: \"foo\": stat foo: no such file or directory" },
        { 8, WH_SITE_EXEC_STAT, ENOTDIR, "/etc/passwd/x", "exec: \"foo\": stat /etc/passwd/x: not a directory" },
        { 8, WH_SITE_EXEC_IS_DIR, EACCES, NULL, "exec: \"foo\": permission denied (it is a directory)" },
        { 8, WH_SITE_EXEC_NO_X, EACCES, NULL, "exec: \"foo\": permission denied (it has no x bit for this user)" },
        { 8, WH_SITE_EXEC_NOEXEC_MOUNT, EACCES, NULL,
          "exec: \"foo\": permission denied (it is on a mount with noexec)" },
        { 8, WH_SITE_EXEC_FORMAT, ENOEXEC, NULL,
          "exec: \"foo\": exec format error (it is neither an ELF program nor a script that begins with #!)" },
        { 8, WH_SITE_EXEC_ARCH, ENOEXEC, "EM_ARM",
          "exec: \"foo\": exec format error: EM_ARM (it is built for another machine than this one)" },
        { 8, WH_SITE_EXEC_SHEBANG, ENOENT, "/bin/bash",
          "exec: \"foo\": no such file or directory: /bin/bash (the interpreter after its #! is missing)" },
        { 8, WH_SITE_EXEC_SHEBANG_CRLF, ENOENT, "/bin/sh\r",
          "exec: \"foo\": no such file or directory: /bin/sh\\x0d (its first line ends in a carriage return: save the "
          "script with Unix line ends)" },
        { 8, WH_SITE_EXEC_LOADER, ENOENT, "/lib/ld-musl-x86_64.so.1",
          "exec: \"foo\": no such file or directory: /lib/ld-musl-x86_64.so.1 (its ELF loader (dynamic linker) is "
          "missing "
          "in the rootfs)" },
        { 12, WH_SITE_EXEC_FORMAT, ENOEXEC, NULL,
          "exec: \"foo\": exec format error (it is neither an ELF program nor a script that begins with #!)" },
        { 12, WH_SITE_EXEC_ARCH, ENOEXEC, NULL,
          "exec: \"foo\": exec format error (it is built for another machine than this one)" },
        { 12, WH_SITE_EXECVE, EACCES, NULL,
          "exec: \"foo\": permission denied (the file, or its interpreter, may not be executed by this user)" },
        { 12, WH_SITE_EXECVE, E2BIG, NULL,
          "exec: \"foo\": argument list too long (arguments and environment are too long together)" },
    };
    const struct wh_plan *plan = sample();
    struct wh_buf out = { 0 };

    wh_explain(plan, NULL, WH_EXPLAIN_REDACT, &out);
    for (size_t i = 0; i < WH_ELEMENTSOF(t); i++) {
        char want[400];

        snprintf(want, sizeof want, "line 9: %s", t[i].want);
        is_str(sentence(plan, t[i].step, t[i].site, t[i].err, t[i].detail), want, "%s, %s", wh_site_name(t[i].site),
               wh_errno_name(t[i].err));
        /* `start` has the saved text only. EXEC_CHECK is over by then. */
        if (t[i].step == 12)
            is_str(from_text(out.data, t[i].step, t[i].site, t[i].err, t[i].detail), want,
                   "the same from the saved text");
    }
    is_str(from_text(out.data, 11, WH_SITE_SECCOMP, EINVAL, NULL),
           "line 77: seccomp filter of 1 instructions: invalid argument (this kernel does not know a flag of the "
           "filter, or it is too long)",
           "another step of the saved text");
    is_str(from_text(out.data, 3, WH_SITE_MOUNT_SETATTR, EROFS, NULL),
           "line 41: mount_setattr set nodev: read-only file system", "an alternative of it");
    has_str(from_text(out.data, 1234, WH_SITE_OPEN, EIO, NULL), "step 1234: open: input/output error",
            "a step that the saved text does not have");
    has_str(from_text("", 1, WH_SITE_OPEN, EIO, NULL), "step 1: open: input/output error", "an empty one");
    has_str(from_text("garbage\n    1 Z  x\n1\n    1 B\n  1 B  (", 1, WH_SITE_OPEN, EIO, NULL),
            "(: open: input/output error", "a damaged one");
    has_str(from_text("    1 B  umask (odd)   (config.json:4: /process)\n", 1, WH_SITE_OPEN, EIO, NULL),
            "config.json:4: /process: umask (odd): open:", "the place is the last bracket");
    wh_buf_done(&out);
}

static void hints(void)
{
    static const char *const forbidden[] = {
        "permission denied", "operation not permitted",  "not found",      "no such file",    "is a directory",
        "not a directory",   "executable path is empty", "does not exist", "open executable", "no such process",
        "not running",       "invalid process"
    };
    const struct wh_hint_row *r;

    for (size_t n = 0; (r = wh_hint_row(n)); n++) {
        bool clean = true;

        for (size_t i = 0; i < WH_ELEMENTSOF(forbidden); i++)
            clean = clean && !strcasestr(r->hint, forbidden[i]);
        ok(clean && r->hint[0] && r->hint[strlen(r->hint) - 1] != '.', "hint %zu has no words that engines match", n);
        /* No row is hidden by one before it. */
        is_str(wh_hint(r->op, r->site, r->err, r->fstype), r->hint, "hint %zu is reached: %s", n, r->hint);
    }
    ok(!wh_hint(WH_OP_UMASK, WH_SITE_OPEN, EIO, NULL), "no hint where nothing is known");
}

/* Each hint with when it is given, as hints.txt has it; WHERRY_WRITE=1 writes that file anew. */
static void hint_table(void)
{
    static const char *const op[] = {
        "any step",
#define OP(NAME, name, phases, flags, tmpl, doc, fields) #name,
#include "abi/ops.def"
#undef OP
    };
    static const char path[] = "tests/golden/hints.txt";
    WH_CLEANUP_BUF struct wh_buf now = { 0 };
    const struct wh_hint_row *r;
    static char text[65536];
    ssize_t n;

    for (size_t i = 0; (r = wh_hint_row(i)); i++)
        wh_buf_printf(&now, "%s, %s, %s%s%s: %s\n", op[r->op], r->site ? wh_site_name(r->site) : "any call",
                      r->err ? wh_errno_name(r->err) : "any error", r->fstype ? ", " : "", r->fstype ? r->fstype : "",
                      r->hint);
    if (getenv("WHERRY_WRITE"))
        ok(wh_replace_at(AT_FDCWD, path, now.data, now.len, 0644) == 0, "%s is written", path);
    n = wh_read_at(AT_FDCWD, path, text, sizeof text - 1);
    ok(n > 0 && now.data && strcmp(text, now.data) == 0, "every hint is that of %s, and given when it says", path);
}

/* The names of calls in messages. */
static void sites(void)
{
    static const char *const want[] = {
#define SITE(NAME, text) #NAME,
#include "abi/sites.def"
#undef SITE
    };

    is_str(wh_site_name(WH_SITE_CREAT), "create file", "a file that is made");
    is_str(wh_site_name(WH_SITE_VERIFY_FD), "verify fd", "a descriptor that is looked at");
    is_str(wh_site_name(WH_SITE_EXEC_ARCH), "executable architecture", "a program of another machine");
    for (uint32_t i = 1; i <= WH_ELEMENTSOF(want); i++)
        ok(*wh_site_name(i) && strcmp(wh_site_name(i), "unknown call") != 0, "site %s has a name", want[i - 1]);
}

int main(void)
{
    templates();
    kinds();
    whole();
    sentences();
    exec_texts();
    hints();
    hint_table();
    sites();
    wh_arena_free(arena);
    return done_testing();
}
