/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library inside another program, while the process that sets a container up is killed from outside, in each of its
 * system calls around the birth of the container's first process: the program is left without a child that it does not
 * know. Needs root and a static busybox.
 *
 * The calls are caught by a seccomp filter of the program, whose listener is the test's: processes of the library
 * inherit it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tap.h"
#include "wherry.h"

static char dir[128], bundle[160], state[160], id[64];

#define CONFIG(hooks, args)                                                                                            \
    "{ \"ociVersion\": \"1.0.2\", \"root\": { \"path\": \"rootfs\" }, " hooks                                          \
    "  \"process\": { \"cwd\": \"/\", \"args\": [ \"/bin/busybox\", " args " ] },"                                     \
    "  \"mounts\": [ { \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\" } ],"                      \
    "  \"linux\": { \"namespaces\": [ { \"type\": \"pid\" }, { \"type\": \"mount\" } ] } }"
#define HOOK "\"hooks\": { \"createContainer\": [ { \"path\": \"/bin/busybox\", \"args\": [ \"true\" ] } ] },"

/* The call of a setup process in which it is killed. */
enum at { AT_CLONE, AT_FORKED, AT_EXIT };
static const char *const at_words[] = { "at clone", "between clone and FORKED", "after FORKED" };

enum verb { CREATE, RUN, EXEC, HOOKED };
static const struct {
    const char *what;
    unsigned nth; /* of the setup processes of the command: a hook that enters the container has one of its own */
} verbs[] = { [CREATE] = { "create", 1 }, [RUN] = { "run", 1 }, [EXEC] = { "exec", 1 }, [HOOKED] = { "a hook", 2 } };

/* What the embedding program and its supervisor share. */
static struct shared {
    _Atomic int listener; /* number in the program; 0 = none yet */
    _Atomic bool supervised;
} * shared;

enum { FINE, SUCCEEDED = 1, CHILD_LEFT = 2, DESCRIPTOR_LEFT = 4, NO_FILTER = 8 };

static unsigned open_fds(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static struct wherry_create_opts options(const char *json)
{
    return (struct wherry_create_opts){
        .size = sizeof(struct wherry_create_opts), .bundle = bundle, .config_data = json, .config_len = strlen(json)
    };
}

static int make(wherry_ctx *ctx, enum verb verb)
{
    static const char *const args[] = { "/bin/busybox", "true", NULL };
    struct wherry_create_opts o = options(verb == HOOKED ? CONFIG(HOOK, "\"true\"") : CONFIG("", "\"true\""));
    struct wherry_exec_opts x = { .size = sizeof x, .args = args };
    wherry_error *e = NULL;
    int status, r;

    r = verb == EXEC  ? wherry_exec(ctx, id, &x, &status, &e)
        : verb == RUN ? wherry_run(ctx, id, &o, &status, &e)
                      : wherry_create(ctx, id, &o, &e);
    if (r < 0)
        diag("%s: %s", verbs[verb].what, wherry_error_text(e));
    wherry_error_free(e);
    return r;
}

static bool filtered(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog prog = { .len = sizeof code / sizeof *code, .filter = code };
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);

    if (fd < 0)
        return false;
    shared->listener = fd;
    while (!shared->supervised)
        poll(NULL, 0, 1);
    close(fd);
    return true;
}

/* The embedding program: returns what is wrong. */
static int program(enum verb verb, enum at at)
{
    struct wherry_ctx_opts co = { .size = sizeof co, .root = state, .cgroup_manager = WHERRY_CGROUP_DISABLED };
    wherry_ctx *ctx = NULL;
    unsigned fds;
    int r, wrong = FINE;
    long left;

    alarm(60);
    if (wherry_ctx_new(&co, &ctx, NULL) < 0 || !filtered())
        return NO_FILTER;
    fds = open_fds();
    r = make(ctx, verb);
    /* Once it has sent FORKED it has nothing more to do. */
    if (r == 0 && at != AT_EXIT)
        wrong |= SUCCEEDED;
    if (r < 0) {
        /* One that waits for a word of the host ends when the host's socket is closed, and is then what is left. */
        poll(NULL, 0, 50);
        left = syscall(SYS_wait4, -1, NULL, __WALL | WNOHANG, NULL);
        wrong |= left >= 0 || errno != ECHILD ? CHILD_LEFT : 0;
    }
    wrong |= open_fds() != fds ? DESCRIPTOR_LEFT : 0;
    wherry_ctx_free(ctx);
    return wrong;
}

static bool is_setup(pid_t pid)
{
    char path[32], comm[32] = "";

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    return wh_read_at(AT_FDCWD, path, comm, sizeof comm - 1) > 0 && strcmp(comm, "wherry:[A]\n") == 0;
}

/* Kills the setup process that is meant in its call, and lets all other calls pass, until the program has ended.
 * True: it was killed. */
static bool supervise(int listener, pid_t program_pid, unsigned nth, enum at at, int *ret_status)
{
    struct pollfd p = { .fd = listener, .events = POLLIN };
    pid_t setup = 0;
    bool cloned = false, killed = false;

    while (waitpid(program_pid, ret_status, WNOHANG) != program_pid) {
        struct seccomp_notif n = { 0 };
        struct seccomp_notif_resp resp = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

        if (poll(&p, 1, 20) <= 0 || !(p.revents & POLLIN) || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
            continue;
        if (!killed && is_setup((pid_t)n.pid)) {
            /* Its first call of these is that of HELLO. */
            if ((pid_t)n.pid != setup && nth-- > 0)
                setup = (pid_t)n.pid;
            if (nth == 0) {
                killed = n.data.nr == SYS_clone     ? at == AT_CLONE
                         : n.data.nr == SYS_sendmsg ? at == AT_FORKED && cloned
                                                    : at == AT_EXIT;
                cloned = cloned || n.data.nr == SYS_clone;
            }
            /* It would still make the call with an answer. */
            if (killed) {
                syscall(SYS_kill, n.pid, SIGKILL);
                continue;
            }
        }
        resp.id = n.id;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
    }
    return killed;
}

static void test_killed(wherry_ctx *ctx, enum verb verb, enum at at)
{
    struct wherry_create_opts o = options(CONFIG("", "\"sleep\", \"1000\""));
    wherry_container *c = NULL;
    wherry_error *e = NULL;
    int pidfd, listener, status = 0;
    bool killed;
    pid_t pid;

    if (verb == EXEC && (wherry_create(ctx, id, &o, &e) < 0 || wherry_start(ctx, id, &e) < 0))
        bail_out(wherry_error_text(e));
    *shared = (struct shared){ 0 };
    pid = fork();
    if (pid == 0)
        syscall(SYS_exit, program(verb, at));
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    while (!shared->listener && waitpid(pid, &status, WNOHANG) == 0)
        poll(NULL, 0, 1);
    listener = (int)syscall(SYS_pidfd_getfd, pidfd, shared->listener, 0);
    shared->supervised = true;
    killed = listener >= 0 && supervise(listener, pid, verbs[verb].nth, at, &status);
    ok(killed, "%s, %s: the setup process is killed", verbs[verb].what, at_words[at]);
    ok(WIFEXITED(status) && !(WEXITSTATUS(status) & SUCCEEDED), "%s, %s: that is an error", verbs[verb].what,
       at_words[at]);
    ok(WIFEXITED(status) && !(WEXITSTATUS(status) & CHILD_LEFT), "%s, %s: no child is left", verbs[verb].what,
       at_words[at]);
    ok(WIFEXITED(status) && !(WEXITSTATUS(status) & DESCRIPTOR_LEFT), "%s, %s: no descriptor is left", verbs[verb].what,
       at_words[at]);
    if (status)
        diag("status %#x", (unsigned)status);
    wh_close(listener);
    wh_close(pidfd);
    if (verb != EXEC && at != AT_EXIT)
        is_int(wherry_container_open(ctx, id, &c, NULL), -ENOENT, "%s, %s: no container is left", verbs[verb].what,
               at_words[at]);
    wherry_delete(ctx, id, WHERRY_DELETE_FORCE, NULL);
    while (syscall(SYS_wait4, -1, NULL, __WALL, NULL) > 0)
        ;
}

static bool make_bundle(void)
{
    char command[640];

    snprintf(command, sizeof command, "mkdir -p '%s/rootfs/bin' '%s/rootfs/proc' && cp /bin/busybox '%s/rootfs/bin/'",
             bundle, bundle, bundle);
    return system(command) == 0;
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    struct wherry_ctx_opts co = { .size = sizeof co, .root = state, .cgroup_manager = WHERRY_CGROUP_DISABLED };
    wherry_ctx *ctx = NULL;

    if (geteuid() != 0) {
        skip("needs root");
        return done_testing();
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(dir, sizeof dir, "%.60s/wherry-killed-%d", tmp ? tmp : "/tmp", (int)getpid());
    snprintf(bundle, sizeof bundle, "%s/b", dir);
    snprintf(state, sizeof state, "%s/state", dir);
    snprintf(id, sizeof id, "killed-%d", (int)getpid());
    if (!make_bundle()) {
        skip("needs /bin/busybox");
    } else if (wherry_ctx_new(&co, &ctx, NULL) < 0) {
        bail_out("no context");
    } else {
        for (enum verb v = CREATE; v <= HOOKED; v++)
            for (enum at a = AT_CLONE; a <= AT_EXIT; a++)
                test_killed(ctx, v, a);
        wherry_ctx_free(ctx);
    }
    wh_remove_tree_at(AT_FDCWD, dir);
    return done_testing();
}
