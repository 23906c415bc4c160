/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filters as the kernel runs them: each case compiles a profile, loads it in a child, makes system calls there and looks at
 * what came back.
 */
#include "tap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "abi/kernel.h"
#include "host/forked.h"
#include "plan/plan.h"

#ifndef HAVE_SECCOMP

int main(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct wh_spec spec = { 0 };
    struct wh_err err = { 0 };
    const void *stub;
    size_t len;

    spec.linux_.set = spec.linux_.seccomp.set = true;
    is_int(wh_seccomp_stub(&spec, arena, &stub, &len, &err), -EOPNOTSUPP, "without libseccomp a filter is refused");
    has_str(err.msg, "built without libseccomp", "and the reason is said");
    is_int(wh_seccomp_compile(&spec, -1, NULL, &err), -EOPNOTSUPP, "also by compile");
    return done_testing();
}

#else

#include <seccomp.h>

/* ---- profiles by hand ---- */

struct profile {
    struct wh_spec spec;
    struct wh_seccomp_rule rules[64];
    struct wh_sstr names[64], arch[8], flags[8];
    struct wh_seccomp_arg args[64][8];
};

static const struct wh_request no_request;

static struct profile *profile(const char *def, int errno_ret)
{
    struct profile *p = calloc(1, sizeof *p);
    struct wh_seccomp *s = &p->spec.linux_.seccomp;

    p->spec.linux_.set = s->set = true;
    s->default_action.v = def;
    s->default_errno_ret = (struct wh_opt_u32){ .v = (uint32_t)errno_ret, .set = errno_ret > 0 };
    s->rules = p->rules;
    s->architectures.v = p->arch;
    s->flags.v = p->flags;
    return p;
}

static struct wh_seccomp_rule *rule(struct profile *p, const char *action, const char *name, int errno_ret)
{
    size_t i = p->spec.linux_.seccomp.nrules++;
    struct wh_seccomp_rule *r = &p->rules[i];

    p->names[i].v = name;
    *r = (struct wh_seccomp_rule){ .names = { .v = &p->names[i], .n = 1, .set = true }, .args = p->args[i] };
    r->action.v = action;
    r->errno_ret = (struct wh_opt_u32){ .v = (uint32_t)errno_ret, .set = errno_ret > 0 };
    return r;
}

static void arg(struct wh_seccomp_rule *r, uint32_t index, const char *op, uint64_t value, uint64_t two)
{
    r->args[r->nargs++] =
        (struct wh_seccomp_arg){ .index = index, .op = { .v = op }, .value = value, .value_two = two };
}

static void arch(struct profile *p, const char *name)
{
    struct wh_sstrv *v = &p->spec.linux_.seccomp.architectures;

    v->v[v->n++].v = name;
    v->set = true;
}

/* ---- compile and run ---- */

struct filter {
    struct sock_filter insns[4096];
    size_t n, nstub;
};

static int compile(struct profile *p, struct filter *ret, struct wh_err *err)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    int fd = memfd_create("filter", MFD_CLOEXEC), r;
    const void *stub;
    ssize_t got;
    size_t len;

    r = wh_seccomp_stub(&p->spec, arena, &stub, &len, err);
    if (r == 0 && write(fd, stub ? stub : "", len) != (ssize_t)len)
        r = -EIO;
    if (r == 0)
        r = wh_seccomp_compile(&p->spec, fd, NULL, err);
    got = pread(fd, ret->insns, sizeof ret->insns, 0);
    ret->nstub = len / sizeof *ret->insns;
    ret->n = got > 0 ? (size_t)got / sizeof *ret->insns : 0;
    close(fd);
    return r;
}

/* What a system call gave in the child: 0 or more, -errno, or -1000 - N when signal N ended it. */
#define DIED 1000

static int in_child(const struct filter *f, uint32_t flags, int (*call)(void))
{
    struct sock_fprog prog = { .len = (unsigned short)f->n, .filter = (struct sock_filter *)f->insns };
    int status, *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int result;
    pid_t pid;

    fflush(stdout);
    *shared = INT32_MIN;
    pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            _exit(101);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) < 0) {
            *shared = -DIED - 100 - errno;
            _exit(102);
        }
        *shared = call();
        /* A filter that kills whatever it does not know may have killed exit_group as well. */
        for (;;)
            syscall(SYS_exit_group, 0);
    }
    waitpid(pid, &status, 0);
    result = *shared;
    munmap(shared, 4096);
    if (result == INT32_MIN && WIFSIGNALED(status))
        return -DIED - WTERMSIG(status);
    return result;
}

static int direct(long nr, long a, long b, long c)
{
    long r = syscall(nr, a, b, c);

    return r < 0 ? -errno : r > 0 ? 1 : 0;
}

static int call_getppid(void)
{
    return direct(SYS_getppid, 0, 0, 0);
}
static int call_getpgid_0(void)
{
    return direct(SYS_getpgid, 0, 0, 0);
}
static int call_kill0(void)
{
    return direct(SYS_kill, getpid(), 0, 0);
}
static int call_new(void)
{
    return direct(0x3ffffff0, 0, 0, 0);
}
static int call_sched_yield(void)
{
    return direct(SYS_sched_yield, 0, 0, 0);
}
static int call_getpriority_0_0(void)
{
    return direct(SYS_getpriority, 0, 0, 0);
}
static int call_getpriority_1_0(void)
{
    return direct(SYS_getpriority, 1, 0, 0);
}
static int call_getpriority_0_7(void)
{
    return direct(SYS_getpriority, 0, 7, 0);
}
static int call_getpriority_big(void)
{
    return direct(SYS_getpriority, (long)0x100000000l, 0, 0);
}
static int call_getpriority_6(void)
{
    return direct(SYS_getpriority, 6, 0, 0);
}

/* Every profile below lets the child end. */
static void allow_basics(struct profile *p)
{
    rule(p, "SCMP_ACT_ALLOW", "exit_group", 0);
    rule(p, "SCMP_ACT_ALLOW", "getpid", 0);
}

#define RUN(p, flags, call, want, text)                                                                                \
    do {                                                                                                               \
        static struct filter run_f;                                                                                    \
        struct wh_err run_e = { 0 };                                                                                   \
        if (compile(p, &run_f, &run_e) < 0)                                                                            \
            fail_test("%s: compile: %s", text, run_e.msg);                                                             \
        else                                                                                                           \
            is_int(in_child(&run_f, flags, call), want, "%s", text);                                                   \
    } while (0)

static void test_actions(void)
{
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);

    allow_basics(p);
    rule(p, "SCMP_ACT_ALLOW", "getppid", 0);
    rule(p, "SCMP_ACT_ERRNO", "getpgid", 71);
    rule(p, "SCMP_ACT_KILL_PROCESS", "sched_yield", 0);
    rule(p, "SCMP_ACT_TRAP", "kill", 0);
    RUN(p, 0, call_getppid, 1, "SCMP_ACT_ALLOW");
    RUN(p, 0, call_getpgid_0, -71, "SCMP_ACT_ERRNO with errnoRet");
    RUN(p, 0, call_getpriority_0_0, -EPERM, "the default, SCMP_ACT_ERRNO without an errno: EPERM");
    RUN(p, 0, call_sched_yield, -DIED - SIGSYS, "SCMP_ACT_KILL_PROCESS");
    RUN(p, 0, call_kill0, -DIED - SIGSYS, "SCMP_ACT_TRAP");
    free(p);

    p = profile("SCMP_ACT_ERRNO", 55);
    allow_basics(p);
    RUN(p, 0, call_getppid, -55, "defaultErrnoRet");
    free(p);

    p = profile("SCMP_ACT_KILL", 0);
    allow_basics(p);
    RUN(p, 0, call_getppid, -DIED - SIGSYS, "SCMP_ACT_KILL as the default");
    free(p);

    p = profile("SCMP_ACT_ALLOW", 0);
    rule(p, "SCMP_ACT_ERRNO", "getppid", 13);
    rule(p, "SCMP_ACT_ALLOW", "getpgid", 0);
    RUN(p, 0, call_getppid, -13, "a list of what is denied");
    RUN(p, 0, call_getpgid_0, 1, "a rule that says what the default says is skipped");
    free(p);

    p = profile("SCMP_ACT_LOG", 0);
    RUN(p, 0, call_getppid, 1, "SCMP_ACT_LOG as the default allows");
    free(p);

    p = profile("SCMP_ACT_TRACE", 9);
    allow_basics(p);
    RUN(p, 0, call_getppid, -ENOSYS, "SCMP_ACT_TRACE without a tracer: ENOSYS");
    free(p);
}

static void test_args(void)
{
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);
    struct wh_seccomp_rule *r;

    /* Two arguments: both have to match. */
    allow_basics(p);
    r = rule(p, "SCMP_ACT_ERRNO", "getpriority", 70);
    arg(r, 0, "SCMP_CMP_EQ", 0, 0);
    arg(r, 1, "SCMP_CMP_EQ", 0, 0);
    RUN(p, 0, call_getpriority_0_0, -70, "conditions on two arguments: both hold");
    RUN(p, 0, call_getpriority_1_0, -EPERM, "the first does not");
    RUN(p, 0, call_getpriority_0_7, -EPERM, "the second does not");
    free(p);

    /* One argument twice: either. */
    p = profile("SCMP_ACT_ERRNO", 0);
    allow_basics(p);
    r = rule(p, "SCMP_ACT_ERRNO", "getpriority", 70);
    arg(r, 0, "SCMP_CMP_EQ", 0, 0);
    arg(r, 0, "SCMP_CMP_EQ", 1, 0);
    RUN(p, 0, call_getpriority_0_0, -70, "two conditions on one argument: the first holds");
    RUN(p, 0, call_getpriority_1_0, -70, "the second holds");
    RUN(p, 0, call_getpriority_6, -EPERM, "neither");
    free(p);

    static const struct {
        const char *op;
        uint64_t value, two;
        bool zero, one, six, big; /* does the rule match the argument 0, 1, 6, 2^32? */
    } ops[] = {
        { "SCMP_CMP_EQ", 1, 0, false, true, false, false },
        { "SCMP_CMP_NE", 1, 0, true, false, true, true },
        { "SCMP_CMP_LT", 1, 0, true, false, false, false },
        { "SCMP_CMP_LE", 1, 0, true, true, false, false },
        { "SCMP_CMP_GE", 1, 0, false, true, true, true },
        { "SCMP_CMP_GT", 1, 0, false, false, true, true },
        { "SCMP_CMP_MASKED_EQ", 4, 4, false, false, true, false },
        { "SCMP_CMP_EQ", 0x100000000ull, 0, false, false, false, true },
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(ops); i++) {
        p = profile("SCMP_ACT_ERRNO", 0);
        allow_basics(p);
        r = rule(p, "SCMP_ACT_ERRNO", "getpriority", 70);
        arg(r, 0, ops[i].op, ops[i].value, ops[i].two);
        diag("%s %llu", ops[i].op, (unsigned long long)ops[i].value);
        RUN(p, 0, call_getpriority_0_0, ops[i].zero ? -70 : -EPERM, "with 0");
        RUN(p, 0, call_getpriority_1_0, ops[i].one ? -70 : -EPERM, "with 1");
        RUN(p, 0, call_getpriority_6, ops[i].six ? -70 : -EPERM, "with 6");
        RUN(p, 0, call_getpriority_big, ops[i].big ? -70 : -EPERM, "with 2^32");
        free(p);
    }
}

static void test_enosys(void)
{
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);
    static struct filter f;
    struct wh_err err = { 0 };

    allow_basics(p);
    rule(p, "SCMP_ACT_ALLOW", "getppid", 0);
    RUN(p, 0, call_new, -ENOSYS, "a system call above all that are mentioned: ENOSYS");
    RUN(p, 0, call_getpgid_0, -EPERM, "one below: the default");
    RUN(p, 0, call_getppid, 1, "one that is allowed");
    free(p);

    p = profile("SCMP_ACT_KILL_PROCESS", 0);
    allow_basics(p);
    RUN(p, 0, call_new, -ENOSYS, "also where the default kills");
    free(p);

    static const struct {
        const char *action;
        int errno_ret;
    } without[] = {
        { "SCMP_ACT_ALLOW", 0 }, { "SCMP_ACT_LOG", 0 }, { "SCMP_ACT_TRACE", 0 }, { "SCMP_ACT_ERRNO", ENOSYS }
    };

    for (size_t i = 0; i < WH_ELEMENTSOF(without); i++) {
        p = profile(without[i].action, without[i].errno_ret);
        rule(p, "SCMP_ACT_KILL", "getppid", 0);
        ok(compile(p, &f, &err) == 0 && f.nstub == 0, "no stub with %s", without[i].action);
        free(p);
    }
}

/* The stub on machines that this is not: classic BPF in a small interpreter. */
static uint32_t run_stub(const struct filter *f, uint32_t audit_arch, uint32_t nr)
{
    uint32_t a = 0;

    for (size_t pc = 0; pc < f->nstub; pc++) {
        const struct sock_filter *i = &f->insns[pc];

        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            a = i->k == offsetof(struct seccomp_data, arch) ? audit_arch : nr;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            return 1;
        }
        if (pc + 1 > f->nstub)
            return 2;
    }
    return 0; /* on to libseccomp's part */
}

static void test_enosys_arches(void)
{
    const uint32_t enosys = SECCOMP_RET_ERRNO | ENOSYS, on = 0;
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);
    static struct filter f;
    struct wh_err err = { 0 };

    /* dup2 exists on few architectures, and close_range has the number 436 on all. */
    allow_basics(p);
    rule(p, "SCMP_ACT_ALLOW", "dup2", 0);
    rule(p, "SCMP_ACT_ALLOW", "socket", 0);
    arch(p, "SCMP_ARCH_X86_64");
    arch(p, "SCMP_ARCH_X86");
    arch(p, "SCMP_ARCH_X32");
    arch(p, "SCMP_ARCH_AARCH64");
    arch(p, "SCMP_ARCH_S390X");
    arch(p, "SCMP_ARCH_LOONGARCH64");
    is_int(compile(p, &f, &err), 0, "a profile for many architectures, one of them unknown to libseccomp 2.5");
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, 231), on, "x86-64: exit_group, the highest one mentioned");
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, 232), enosys, "x86-64: the one above");
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, 0x40000000u | 231), on, "x32: the highest one");
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, 0x40000000u | 232), enosys, "x32: the one above");
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, UINT32_MAX), enosys, "system call -1");
    is_u64(run_stub(&f, AUDIT_ARCH_I386, 252), on, "x86: exit_group");
    is_u64(run_stub(&f, AUDIT_ARCH_I386, 359), on, "x86: socket has a number of its own, beside socketcall");
    is_u64(run_stub(&f, AUDIT_ARCH_I386, 374), enosys, "x86: above the socket calls");
    is_u64(run_stub(&f, AUDIT_ARCH_AARCH64, 198), on, "arm64: socket");
    is_u64(run_stub(&f, AUDIT_ARCH_AARCH64, 199), enosys, "arm64: the one above");
    is_u64(run_stub(&f, AUDIT_ARCH_S390X, 0), enosys, "s390x: 0, whose real number is in a register");
    is_u64(run_stub(&f, AUDIT_ARCH_S390X, 1), on, "s390x: exit");
    is_u64(run_stub(&f, AUDIT_ARCH_S390X, 374), enosys, "s390x: above the socket calls");
    is_u64(run_stub(&f, AUDIT_ARCH_PPC64LE, 9999), on,
           "an architecture that is not in the filter is libseccomp's to refuse");
    free(p);

    p = profile("SCMP_ACT_ERRNO", 0);
    allow_basics(p);
    is_int(compile(p, &f, &err), 0, "a profile without architectures");
#ifdef __x86_64__
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, 232), enosys, "the native one is always there");
    is_u64(run_stub(&f, AUDIT_ARCH_X86_64, 0x40000000u | 400), on, "x32 not asked for: libseccomp's to refuse");
#endif
    free(p);
}

static void test_many(void)
{
    static const char *const names[] = { "read",    "write",    "open",    "close",    "stat",     "fstat", "lstat",
                                         "poll",    "lseek",    "mmap",    "mprotect", "munmap",   "brk",   "ioctl",
                                         "pread64", "pwrite64", "readv",   "writev",   "access",   "pipe",  "select",
                                         "mremap",  "msync",    "mincore", "madvise",  "shmget",   "shmat", "shmctl",
                                         "dup",     "dup2",     "pause",   "alarm",    "getitimer" };
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);

    allow_basics(p);
    for (size_t i = 0; i < WH_ELEMENTSOF(names); i++)
        rule(p, "SCMP_ACT_ALLOW", names[i], 0);
    rule(p, "SCMP_ACT_ALLOW", "getppid", 0);
    RUN(p, 0, call_getppid, 1, "a binary tree allows what the list allows");
    RUN(p, 0, call_getpgid_0, -EPERM, "and denies what it does not");
    RUN(p, 0, call_new, -ENOSYS, "behind the stub");
    free(p);
}

static void test_names(void)
{
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);
    const struct wh_sstr *name;
    size_t pos = 0;

    allow_basics(p);
    rule(p, "SCMP_ACT_ALLOW", "no_such_call", 0);
    rule(p, "SCMP_ACT_ALLOW", "getppid", 0);
    rule(p, "SCMP_ACT_ALLOW", "nor_this_one", 0);
    RUN(p, 0, call_getppid, 1, "names that nobody knows are skipped");
    name = wh_seccomp_unknown(&p->spec, &pos);
    is_str(name ? name->v : NULL, "no_such_call", "and told");
    name = wh_seccomp_unknown(&p->spec, &pos);
    is_str(name ? name->v : NULL, "nor_this_one", "every one of them");
    ok(!wh_seccomp_unknown(&p->spec, &pos), "once");
    free(p);
}

static void test_errors(void)
{
    static struct filter f;
    struct profile *p;
    struct wh_err err;
    struct wh_seccomp_rule *r;

#define REFUSED(text, part)                                                                                            \
    do {                                                                                                               \
        err = (struct wh_err){ 0 };                                                                                    \
        is_int(compile(p, &f, &err), -EINVAL, "%s", text);                                                             \
        has_str(err.msg, part, "in these words");                                                                      \
        free(p);                                                                                                       \
    } while (0)

    p = profile("SCMP_ACT_NOTIFY", 0);
    REFUSED("NOTIFY as the default", "cannot be the default action");
    p = profile("SCMP_ACT_ERRNO", 0);
    rule(p, "SCMP_ACT_NOTIFY", "write", 0);
    REFUSED("NOTIFY on write", "SCMP_ACT_NOTIFY cannot be used for the write syscall");
    p = profile("SCMP_ACT_ERRNO", 0);
    r = rule(p, "SCMP_ACT_ALLOW", "getppid", 0);
    arg(r, 6, "SCMP_CMP_EQ", 0, 0);
    REFUSED("a seventh argument", "arguments 0 to 5");
    p = profile("SCMP_ACT_ERRNO", 0);
    rule(p, "SCMP_ACT_ERRNO", "getppid", 65536);
    REFUSED("an errno that reaches into the action", "larger than 65535");
    p = profile("SCMP_ACT_ERRNO", 0);
    r = rule(p, "SCMP_ACT_ALLOW", "getpriority", 0);
    arg(r, 0, "SCMP_CMP_EQ", 1, 0);
    r = rule(p, "SCMP_ACT_ERRNO", "getpriority", 5);
    arg(r, 0, "SCMP_CMP_EQ", 1, 0);
    REFUSED("two answers to one question", "different actions for the system call getpriority");
}

static void test_flags(void)
{
    struct profile *p = profile("SCMP_ACT_ALLOW", 0);
    struct wh_sstrv *flags = &p->spec.linux_.seccomp.flags;

    is_u64(wh_seccomp_flags(&p->spec, &no_request), WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW, "flags absent: SPEC_ALLOW");
    flags->set = true;
    is_u64(wh_seccomp_flags(&p->spec, &no_request), 0, "flags empty: none");
    flags->v[flags->n++].v = "SECCOMP_FILTER_FLAG_TSYNC";
    is_u64(wh_seccomp_flags(&p->spec, &no_request), 0, "TSYNC is accepted and means nothing");
    flags->v[flags->n++].v = "SECCOMP_FILTER_FLAG_LOG";
    flags->v[flags->n++].v = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
    is_u64(wh_seccomp_flags(&p->spec, &no_request), WH_SECCOMP_FILTER_FLAG_LOG,
           "WAIT_KILLABLE_RECV only with a listener");
    RUN(p, wh_seccomp_flags(&p->spec, &no_request), call_getppid, 1, "the kernel takes them");
    ok(!wh_seccomp_notifies(&p->spec, &no_request), "no listener yet");
    rule(p, "SCMP_ACT_NOTIFY", "getppid", 0);
    ok(wh_seccomp_notifies(&p->spec, &no_request), "a rule with NOTIFY asks for one");
    is_u64(wh_seccomp_flags(&p->spec, &no_request),
           WH_SECCOMP_FILTER_FLAG_LOG | WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
           "and then WAIT_KILLABLE_RECV counts");
    free(p);
}

static void test_key(void)
{
    WH_CLEANUP_ARENA struct wh_arena *arena = wh_arena_new();
    struct profile *p = profile("SCMP_ACT_ERRNO", 0), *q = profile("SCMP_ACT_ERRNO", 0);
    struct wh_spec none = { 0 };
    const char *a, *b;
    size_t n;

    ok(!wh_seccomp_key(&none, "by", arena, &n) && n == 0, "no filter, no key");
    allow_basics(p);
    allow_basics(q);
    a = wh_seccomp_key(&p->spec, "by", arena, &n);
    is_u64(n, strlen(a), "the length of the key");
    is_str(a, wh_seccomp_key(&q->spec, "by", arena, &n), "equal profiles, equal keys");
    has_str(a, "libseccomp 2.", "the version of the library is part of it");
    ok(strcmp(a, wh_seccomp_key(&q->spec, "other", arena, &n)) != 0, "so is what compiles it");

#define DIFFERS(change, text)                                                                                          \
    do {                                                                                                               \
        a = wh_seccomp_key(&q->spec, "by", arena, &n);                                                                 \
        change;                                                                                                        \
        b = wh_seccomp_key(&q->spec, "by", arena, &n);                                                                 \
        ok(strcmp(a, b) != 0, "another key: %s", text);                                                                \
    } while (0)

    DIFFERS(q->names[0].v = "exit", "a name");
    DIFFERS(q->rules[0].action.v = "SCMP_ACT_LOG", "an action");
    DIFFERS(q->rules[0].errno_ret = ((struct wh_opt_u32){ .v = 3, .set = true }), "an errno");
    DIFFERS(arg(&q->rules[1], 0, "SCMP_CMP_EQ", 1, 0), "a condition");
    DIFFERS(q->args[1][0].value_two = 9, "its second value");
    DIFFERS(q->args[1][0].op.v = "SCMP_CMP_MASKED_EQ", "its comparison");
    DIFFERS(arch(q, "SCMP_ARCH_X86"), "an architecture");
    DIFFERS(q->spec.linux_.seccomp.default_errno_ret = ((struct wh_opt_u32){ .v = 1, .set = true }),
            "the default's errno");
    DIFFERS(rule(q, "SCMP_ACT_ALLOW", "read", 0), "a rule");
    q->names[0].v = "exit\nname 4:read";
    p->names[0].v = "exit";
    rule(p, "SCMP_ACT_ALLOW", "read", 0);
    ok(strcmp(wh_seccomp_key(&p->spec, "by", arena, &n), wh_seccomp_key(&q->spec, "by", arena, &n)) != 0,
       "no name can look like two");
    free(p);
    free(q);
}

struct bounded {
    struct profile *p;
    int fd;
    struct wh_seccomp_at at;
    struct wh_err err;
};

static int compile_bounded(void *arg)
{
    struct bounded *b = arg;

    return wh_seccomp_compile(&b->p->spec, b->fd, &b->at, &b->err);
}

/* What libseccomp may not finish is known before, and what it was doing afterwards. */
static void test_endless(void)
{
    struct profile *p = profile("SCMP_ACT_ERRNO", 0);
    struct bounded b = { .p = p, .fd = memfd_create("filter", MFD_CLOEXEC) };
    struct wh_seccomp_rule *r = rule(p, "SCMP_ACT_ERRNO", "openat", 13);
    int result;

    arg(r, 1, "SCMP_CMP_GE", 5, 0);
    arg(r, 2, "SCMP_CMP_LT", UINT64_C(1) << 32, 0);
    rule(p, "SCMP_ACT_KILL_PROCESS", "ptrace", 0);
    ok(!wh_seccomp_risky(&p->spec), "one rule with conditions for a call is compiled at once");
    r = rule(p, "SCMP_ACT_ERRNO", "openat2", 13);
    arg(r, 1, "SCMP_CMP_GE", 5, 0);
    ok(!wh_seccomp_risky(&p->spec), "and one for another call");
    rule(p, "SCMP_ACT_LOG", "openat", 0);
    ok(!wh_seccomp_risky(&p->spec), "and one without conditions");
    p->spec.linux_.seccomp.nrules -= 2;
    r = rule(p, "SCMP_ACT_ERRNO", "openat", 13);
    arg(r, 1, "SCMP_CMP_GE", 5, 0);
    arg(r, 2, "SCMP_CMP_LT", 1, 0);
    ok(wh_seccomp_risky(&p->spec), "two rules with conditions for one call may be endless");
    result = wh_forked(compile_bounded, &b, sizeof b, b.fd, 1500, -1);
    /* A libseccomp that finishes it has nothing to say. */
    if (seccomp_version()->major == 2 && seccomp_version()->minor <= 5)
        is_int(result, -ETIMEDOUT, "these are");
    b.at = result == -ETIMEDOUT ? b.at : (struct wh_seccomp_at){ .rule = 2 };
    is_int(wh_seccomp_endless(&p->spec, &b.at, 10000, &b.err), -ETIMEDOUT, "which is an error");
    is_str(b.err.msg,
           "libseccomp has not compiled the rule for openat within 10 s: its conditions overlap those of "
           "/linux/seccomp/syscalls/0, and some such rules are endless for it (write conditions that exclude each "
           "other, or one rule)",
           "with the two rules");
    b.at.rule = p->spec.linux_.seccomp.nrules;
    b.err = (struct wh_err){ 0 };
    wh_seccomp_endless(&p->spec, &b.at, 3000, &b.err);
    is_str(b.err.msg, "libseccomp has not compiled the filter within 3 s: it has too many rules or conditions",
           "or, where it is not one rule, the filter");
    p->spec.linux_.seccomp.nrules = 0;
    r = rule(p, "SCMP_ACT_ERRNO", "openat", 13);
    arg(r, 1, "SCMP_CMP_GE", 5, 0);
    arg(r, 1, "SCMP_CMP_LT", 1, 0);
    ok(wh_seccomp_risky(&p->spec), "two conditions on one argument are two rules");
    close(b.fd);
    free(p);
}

int main(void)
{
    test_endless();
    test_actions();
    test_args();
    test_enosys();
    test_enosys_arches();
    test_many();
    test_names();
    test_errors();
    test_flags();
    test_key();
    return done_testing();
}

#endif
