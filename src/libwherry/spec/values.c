/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "spec/fields.h"

/* The words of the specification and what the kernel calls them. */
#define NAMES(var, text, ...) NAMES_(var, text, false, __VA_ARGS__)
/* Of which a wrong guess would confine less: no "did you mean" from one to another. */
#define NAMES_CLOSED(var, text, ...) NAMES_(var, text, true, __VA_ARGS__)
#define NAMES_(var, text, closed_, ...)                                                                                \
    static const struct wh_name var##_v[] = __VA_ARGS__;                                                               \
    const struct wh_names wh_names_##var = {                                                                           \
        .what = text, .v = var##_v, .n = WH_ELEMENTSOF(var##_v), .closed = closed_                                     \
    }

NAMES(ns, "namespace type",
      { { "pid", WH_NS_PID },
        { "network", WH_NS_NETWORK },
        { "mount", WH_NS_MOUNT },
        { "ipc", WH_NS_IPC },
        { "uts", WH_NS_UTS },
        { "user", WH_NS_USER },
        { "cgroup", WH_NS_CGROUP },
        { "time", WH_NS_TIME } });

#define R(name)                                                                                                        \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
NAMES(rlimit, "resource limit",
      { R(RLIMIT_AS), R(RLIMIT_CORE), R(RLIMIT_CPU), R(RLIMIT_DATA), R(RLIMIT_FSIZE), R(RLIMIT_LOCKS),
        R(RLIMIT_MEMLOCK), R(RLIMIT_MSGQUEUE), R(RLIMIT_NICE), R(RLIMIT_NOFILE), R(RLIMIT_NPROC), R(RLIMIT_RSS),
        R(RLIMIT_RTPRIO), R(RLIMIT_RTTIME), R(RLIMIT_SIGPENDING), R(RLIMIT_STACK) });

NAMES(sched_policy, "scheduling policy",
      { { "SCHED_OTHER", SCHED_NORMAL },
        R(SCHED_FIFO),
        R(SCHED_RR),
        R(SCHED_BATCH),
        { "SCHED_ISO", 4 }, /* reserved: no kernel has it, and its headers do not name it */
        R(SCHED_IDLE),
        R(SCHED_DEADLINE) });
NAMES(sched_flag, "scheduler flag",
      { R(SCHED_FLAG_RESET_ON_FORK), R(SCHED_FLAG_RECLAIM), R(SCHED_FLAG_DL_OVERRUN), R(SCHED_FLAG_KEEP_POLICY),
        R(SCHED_FLAG_KEEP_PARAMS), R(SCHED_FLAG_UTIL_CLAMP_MIN), R(SCHED_FLAG_UTIL_CLAMP_MAX) });
NAMES(ioprio, "I/O priority class", { R(IOPRIO_CLASS_RT), R(IOPRIO_CLASS_BE), R(IOPRIO_CLASS_IDLE) });

NAMES_CLOSED(device, "device type", { { "c", 'c' }, { "b", 'b' }, { "u", 'c' }, { "p", 'p' } });
NAMES_CLOSED(devrule, "device type", { { "a", 'a' }, { "b", 'b' }, { "c", 'c' } });
NAMES_CLOSED(propagation, "propagation",
             { { "shared", 0 },
               { "slave", 0 },
               { "private", 0 },
               { "unbindable", 0 },
               { "rshared", 0 },
               { "rslave", 0 },
               { "rprivate", 0 },
               { "runbindable", 0 } });

/* Values of the kernel's interface, which headers older than the policies do not have. */
NAMES(mpol, "memory policy",
      { { "MPOL_DEFAULT", 0 },
        { "MPOL_PREFERRED", 1 },
        { "MPOL_BIND", 2 },
        { "MPOL_INTERLEAVE", 3 },
        { "MPOL_LOCAL", 4 },
        { "MPOL_PREFERRED_MANY", 5 },
        { "MPOL_WEIGHTED_INTERLEAVE", 6 } });
NAMES(mpol_flag, "memory policy flag",
      { { "MPOL_F_NUMA_BALANCING", 1 << 13 },
        { "MPOL_F_RELATIVE_NODES", 1 << 14 },
        { "MPOL_F_STATIC_NODES", 1 << 15 } });
NAMES(persona, "personality domain", { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } });

#define T(name)                                                                                                        \
    {                                                                                                                  \
#name, 0                                                                                                       \
    }
NAMES_CLOSED(seccomp_action, "seccomp action",
             { T(SCMP_ACT_KILL), T(SCMP_ACT_KILL_PROCESS), T(SCMP_ACT_KILL_THREAD), T(SCMP_ACT_TRAP), T(SCMP_ACT_ERRNO),
               T(SCMP_ACT_TRACE), T(SCMP_ACT_ALLOW), T(SCMP_ACT_LOG), T(SCMP_ACT_NOTIFY) });
NAMES(seccomp_arch, "seccomp architecture",
      { T(SCMP_ARCH_X86),         T(SCMP_ARCH_X86_64),      T(SCMP_ARCH_X32),      T(SCMP_ARCH_ARM),
        T(SCMP_ARCH_AARCH64),     T(SCMP_ARCH_LOONGARCH64), T(SCMP_ARCH_M68K),     T(SCMP_ARCH_MIPS),
        T(SCMP_ARCH_MIPS64),      T(SCMP_ARCH_MIPS64N32),   T(SCMP_ARCH_MIPSEL),   T(SCMP_ARCH_MIPSEL64),
        T(SCMP_ARCH_MIPSEL64N32), T(SCMP_ARCH_PARISC),      T(SCMP_ARCH_PARISC64), T(SCMP_ARCH_PPC),
        T(SCMP_ARCH_PPC64),       T(SCMP_ARCH_PPC64LE),     T(SCMP_ARCH_RISCV64),  T(SCMP_ARCH_S390),
        T(SCMP_ARCH_S390X),       T(SCMP_ARCH_SH),          T(SCMP_ARCH_SHEB) });
NAMES_CLOSED(seccomp_op, "seccomp operator",
             { T(SCMP_CMP_NE), T(SCMP_CMP_LT), T(SCMP_CMP_LE), T(SCMP_CMP_EQ), T(SCMP_CMP_GE), T(SCMP_CMP_GT),
               T(SCMP_CMP_MASKED_EQ) });
NAMES_CLOSED(seccomp_flag, "seccomp flag",
             { T(SECCOMP_FILTER_FLAG_TSYNC), T(SECCOMP_FILTER_FLAG_LOG), T(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
               T(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) });

/* ---------------------------------------------------------------- capabilities */

#define C(name) [name] = #name
static const char *const cap_names[] = {
    C(CAP_CHOWN),
    C(CAP_DAC_OVERRIDE),
    C(CAP_DAC_READ_SEARCH),
    C(CAP_FOWNER),
    C(CAP_FSETID),
    C(CAP_KILL),
    C(CAP_SETGID),
    C(CAP_SETUID),
    C(CAP_SETPCAP),
    C(CAP_LINUX_IMMUTABLE),
    C(CAP_NET_BIND_SERVICE),
    C(CAP_NET_BROADCAST),
    C(CAP_NET_ADMIN),
    C(CAP_NET_RAW),
    C(CAP_IPC_LOCK),
    C(CAP_IPC_OWNER),
    C(CAP_SYS_MODULE),
    C(CAP_SYS_RAWIO),
    C(CAP_SYS_CHROOT),
    C(CAP_SYS_PTRACE),
    C(CAP_SYS_PACCT),
    C(CAP_SYS_ADMIN),
    C(CAP_SYS_BOOT),
    C(CAP_SYS_NICE),
    C(CAP_SYS_RESOURCE),
    C(CAP_SYS_TIME),
    C(CAP_SYS_TTY_CONFIG),
    C(CAP_MKNOD),
    C(CAP_LEASE),
    C(CAP_AUDIT_WRITE),
    C(CAP_AUDIT_CONTROL),
    C(CAP_SETFCAP),
    C(CAP_MAC_OVERRIDE),
    C(CAP_MAC_ADMIN),
    C(CAP_SYSLOG),
    C(CAP_WAKE_ALARM),
    C(CAP_BLOCK_SUSPEND),
    C(CAP_AUDIT_READ),
    C(CAP_PERFMON),
    C(CAP_BPF),
    C(CAP_CHECKPOINT_RESTORE),
};

int wh_cap_from_name(const char *name)
{
    cap_value_t cap;

    /* libcap takes any case and plain numbers too; the specification has one way to write a capability. */
    if (!wh_startswith(name, "CAP_") || name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] != '\0')
        return -EINVAL;
    if (cap_from_name(name, &cap) < 0 || cap < 0 || cap > 63)
        return -EINVAL;
    return cap;
}

const char *wh_cap_name(unsigned cap)
{
    return cap < WH_ELEMENTSOF(cap_names) ? cap_names[cap] : NULL;
}

const struct wh_names wh_names_cap = {
    .what = "capability", .lookup = wh_cap_from_name, .nth = wh_cap_name, .closed = true, .prefix = "CAP_"
};

/* ---------------------------------------------------------------- lookup */

const struct wh_name *wh_names_find(const struct wh_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (wh_streq(names->v[i].name, name))
            return &names->v[i];
    return NULL;
}

#define NEAR 2u /* edits */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

void wh_nearest(const char *name, const char *candidate, const char **best, unsigned *best_distance)
{
    char a[64], b[64];
    size_t la = strlen(name), lb = strlen(candidate);
    unsigned d = 1, far = (unsigned)(la > lb ? la : lb) / 3;
    bool prefixed;

    if (la == 0 || lb == 0 || la >= sizeof a || lb >= sizeof b)
        return;
    /* Case counts for nothing here: it is the most frequent slip of all. */
    for (size_t i = 0; i <= la; i++)
        a[i] = lower(name[i]);
    for (size_t i = 0; i <= lb; i++)
        b[i] = lower(candidate[i]);
    /* A name without its prefix is near; else a third of the letters may differ, and no more than two: more is another word. */
    prefixed = la >= 3 && la < lb && b[lb - la - 1] == '_' && wh_streq(b + lb - la, a);
    if (!prefixed) {
        if ((la > lb ? la - lb : lb - la) > far + 1)
            return;
        d = wh_edit_distance(a, b);
        /* One of three letters is still the same word, one of two is another. */
        if ((d > far && (d > 1 || lb < 3)) || d > NEAR)
            return;
    }
    if (!*best || d < *best_distance) {
        *best = candidate;
        *best_distance = d;
    }
}

static bool same_word(const char *a, const char *b)
{
    for (; lower(*a) == lower(*b); a++, b++)
        if (!*a)
            return true;
    return false;
}

/* The word itself, in other letters or with the prefix that all have. */
static bool is_spelling(const struct wh_names *names, const char *name, const char *candidate)
{
    return same_word(name, candidate) || (names->prefix && wh_startswith(candidate, names->prefix) &&
                                          same_word(name, candidate + strlen(names->prefix)));
}

const char *wh_names_nearest(const struct wh_names *names, const char *name)
{
    const char *best = NULL, *candidate;
    unsigned distance = 0;

    for (unsigned i = 0; (candidate = i < names->n ? names->v[i].name : names->nth ? names->nth(i) : NULL); i++)
        if (!names->closed)
            wh_nearest(name, candidate, &best, &distance);
        else if (is_spelling(names, name, candidate))
            return candidate;
    return best;
}

const char *wh_ns_name(enum wh_ns ns)
{
    return ns < WH_NS_MAX ? ns_v[ns].name : NULL;
}

const char *wh_rlimit_name(int resource)
{
    for (size_t i = 0; i < WH_ELEMENTSOF(rlimit_v); i++)
        if (rlimit_v[i].value == resource)
            return rlimit_v[i].name;
    return NULL;
}

const char *wh_word(enum wh_words list, size_t i, int64_t *ret_value)
{
    static const struct wh_names *const lists[] = {
        [WH_WORDS_SCHED_POLICY] = &wh_names_sched_policy,
        [WH_WORDS_SCHED_FLAG] = &wh_names_sched_flag,
        [WH_WORDS_IOPRIO] = &wh_names_ioprio,
        [WH_WORDS_MPOL] = &wh_names_mpol,
        [WH_WORDS_MPOL_FLAG] = &wh_names_mpol_flag,
    };

    if (i >= lists[list]->n)
        return NULL;
    if (ret_value)
        *ret_value = lists[list]->v[i].value;
    return lists[list]->v[i].name;
}

const char *wh_word_of(enum wh_words list, int64_t value)
{
    const char *name;
    int64_t v;

    for (size_t i = 0; (name = wh_word(list, i, &v)); i++)
        if (v == value)
            return name;
    return NULL;
}

/* ---------------------------------------------------------------- signals */

#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, SIG##name                                                                                               \
    }
static const struct wh_name signals[] = {
    S(HUP),    S(INT),  S(QUIT), S(ILL),  S(TRAP),   S(ABRT), S(BUS),   S(FPE),  S(KILL), S(USR1),
    S(SEGV),   S(USR2), S(PIPE), S(ALRM), S(TERM),   S(CHLD), S(CONT),  S(STOP), S(TSTP), S(TTIN),
    S(TTOU),   S(URG),  S(XCPU), S(XFSZ), S(VTALRM), S(PROF), S(WINCH), S(IO),   S(PWR),  S(SYS),
#ifdef SIGSTKFLT
    S(STKFLT),
#endif
};
/* As the kernel counts them; the C library keeps the first two of them for itself and moves SIGRTMIN. */
#define RT_MIN 34
#define RT_MAX 64

int wh_signal_from_name(const char *name, int *ret)
{
    char up[16];
    uint64_t n;
    size_t i;

    if (wh_parse_u64(name, RT_MAX, &n) == 0) {
        if (n == 32 || n == 33) /* the threads library's own */
            return -EINVAL;
        *ret = (int)n;
        return 0;
    }
    for (i = 0; i < sizeof up - 1 && name[i]; i++)
        up[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
    if (name[i])
        return -EINVAL;
    up[i] = '\0';
    name = wh_startswith(up, "SIG") ? up + 3 : up;
    for (i = 0; i < WH_ELEMENTSOF(signals); i++)
        if (wh_streq(signals[i].name, name)) {
            *ret = (int)signals[i].value;
            return 0;
        }
    if (wh_streq(name, "RTMIN") || wh_streq(name, "RTMAX")) {
        *ret = name[3] == 'I' ? RT_MIN : RT_MAX;
        return 0;
    }
    if (wh_startswith(name, "RTMIN+") && wh_parse_u64(name + 6, RT_MAX - RT_MIN, &n) == 0) {
        *ret = RT_MIN + (int)n;
        return 0;
    }
    if (wh_startswith(name, "RTMAX-") && wh_parse_u64(name + 6, RT_MAX - RT_MIN, &n) == 0) {
        *ret = RT_MAX - (int)n;
        return 0;
    }
    return -EINVAL;
}
