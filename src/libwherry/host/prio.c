/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/prio.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plan/plan.h"

/* The highest capacity of a processor, which a utilization clamp is a part of (SCHED_CAPACITY_SCALE). */
#define CAPACITY 1024

static const char *sched_hint(const struct wh_step_ask_prio *s, int err)
{
    if (err == EPERM && s->policy == SCHED_DEADLINE)
        return " (SCHED_DEADLINE needs CAP_SYS_NICE, and a process that may run on all processors of its cpuset)";
    if (err == EPERM)
        return " (real-time policies and a nice value below the caller's need CAP_SYS_NICE; with cgroup v1 a real-time "
               "policy also needs cpu.rt_runtime_us)";
    if (err == EBUSY)
        return " (the processors have not that much time left for SCHED_DEADLINE)";
    if (err == EOPNOTSUPP)
        return " (this kernel was built without utilization clamping)";
    if (err == EINVAL)
        return " (this kernel does not know the policy or one of its flags, or does not take these values)";
    return "";
}

static int set_policy(const struct wh_step_ask_prio *s, pid_t pid, struct wh_err *err)
{
    struct sched_attr a = {
        .size = SCHED_ATTR_SIZE_VER1,
        .sched_policy = s->policy,
        .sched_flags = s->flags,
        .sched_nice = s->nice,
        .sched_priority = (uint32_t)s->priority,
        .sched_runtime = s->runtime,
        .sched_deadline = s->deadline,
        .sched_period = s->period,
        /* The specification has the flags and no values: the whole range clamps nothing. */
        .sched_util_min = 0,
        .sched_util_max = CAPACITY,
    };
    char words[WH_ERRTEXT_SIZE];
    int e;

    /* pid is our child and not reaped: the number cannot have become another process. */
    if (syscall(SYS_sched_setattr, pid, &a, 0) == 0)
        return 0;
    e = errno;
    return wh_err_set(err, WH_ERR_HOST, -e, NULL, "set scheduling policy %s: %s%s",
                      wh_word_of(WH_WORDS_SCHED_POLICY, s->policy), wh_errno_words(e, words), sched_hint(s, e));
}

static int set_ioprio(uint32_t ioprio, pid_t pid, struct wh_err *err)
{
    unsigned class = ioprio >> WH_IOPRIO_CLASS_SHIFT;
    char words[WH_ERRTEXT_SIZE];
    int e;

    if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, (int)ioprio) == 0)
        return 0;
    e = errno;
    return wh_err_set(err, WH_ERR_HOST, -e, NULL, "set I/O priority %s: %s%s", wh_word_of(WH_WORDS_IOPRIO, class),
                      wh_errno_words(e, words),
                      e == EPERM && class == IOPRIO_CLASS_RT ? " (this class needs CAP_SYS_NICE or CAP_SYS_ADMIN)"
                                                             : "");
}

int wh_prio_set(void *data, const struct wh_ask *ask, int *ret_fd, struct wh_err *err)
{
    const struct wh_step_ask_prio *s = (const struct wh_step_ask_prio *)ask->step;
    int r = 0;

    (void)data;
    (void)ret_fd;
    if (ask->pid <= 0)
        return wh_err_set(err, WH_ERR_HOST, -ESRCH, NULL,
                          "set the priority of the container's process: its pid is not known");
    /* The I/O priority first: under SCHED_IDLE every later step would wait for the processor. */
    if (s->ioprio)
        r = set_ioprio(s->ioprio, ask->pid, err);
    return r < 0 || s->policy == WH_SCHED_KEEP ? r : set_policy(s, ask->pid, err);
}
