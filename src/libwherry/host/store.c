/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/intelrdt.h"
#include "host/state.h"
#include "host/waits.h"

/* A state holds annotations and hooks of one configuration: never near this. */
#define STATE_MAX (80u * 1024u * 1024u)

static int open_dir(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int make_root(const char *path)
{
    char part[4096];
    size_t len = strlen(path);

    if (len >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, len + 1);
    for (char *p = part + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdirat(AT_FDCWD, part, 0711) < 0 && errno != EEXIST)
                return -errno;
            *p = '/';
        }
    return mkdirat(AT_FDCWD, part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int not_ours(int r, const char *verb, const char *path, struct wh_err *err)
{
    if (r == -EACCES && geteuid() != 0)
        return wh_err_set(
            err, WH_ERR_HOST, r, NULL,
            "%s the state root %s: permission denied (set XDG_RUNTIME_DIR to a directory of this user's, or "
            "give --root)",
            verb, path);
    return wh_err_sys(err, r, "%s the state root %s", verb, path);
}

int wh_store_root(const char *path, bool make, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = open_dir(AT_FDCWD, path);
    struct stat st;

    if (fd == -ENOENT && !make)
        return -ENOENT;
    if (fd == -ENOENT) {
        int r = make_root(path);

        if (r < 0)
            return not_ours(r, "make", path, err);
        fd = open_dir(AT_FDCWD, path);
    }
    if (fd < 0)
        return not_ours(fd, "open", path, err);
    if (fstat(fd, &st) < 0)
        return wh_err_sys(err, -errno, "stat the state root %s", path);
    /* Whoever can write here chooses which process and which cgroup we kill. */
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
        return wh_err_set(err, WH_ERR_HOST, -EPERM, NULL,
                          "state root %s belongs to uid %u, mode %04o: others could write to it", path, st.st_uid,
                          st.st_mode & 07777u);
    return wh_take_fd(&fd);
}

int wh_store_unused(int root_fd, const char *id, struct wh_err *err)
{
    struct stat st;

    if (fstatat(root_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return wh_err_set(err, WH_ERR_STATE, -EEXIST, NULL, "container with given ID already exists");
    return errno == ENOENT ? 0 : wh_err_sys(err, -errno, "look for the state directory of %s", id);
}

int wh_store_make(int root_fd, const char *id, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = -1;
    struct stat st;

    if (mkdirat(root_fd, id, 0711) < 0) {
        if (errno == EEXIST)
            return wh_err_set(err, WH_ERR_STATE, -EEXIST, NULL, "container with given ID already exists");
        return wh_err_sys(err, -errno, "make the state directory of %s", id);
    }
    fd = open_dir(root_fd, id);
    /* The umask took what it wanted from the mode. A delete of the same name may have come between: then the directory has
     * no link, and nothing can be made in it. */
    if (fd < 0 || fchmod(fd, 0711) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0) {
        int r = fd < 0 ? fd : -errno;

        unlinkat(root_fd, id, AT_REMOVEDIR);
        return wh_err_sys(err, r, "open the state directory of %s", id);
    }
    if (st.st_nlink == 0)
        return wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "container %s was deleted while it was created", id);
    return wh_take_fd(&fd);
}

int wh_store_open(int root_fd, const char *id, struct wh_err *err)
{
    int fd = open_dir(root_fd, id);

    if (fd == -ENOENT)
        return wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "container does not exist");
    return fd < 0 ? wh_err_sys(err, fd, "open the state directory of %s", id) : fd;
}

int wh_store_lock(int dir_fd, int ms)
{
    int64_t end = wh_now_ms() + ms;
    struct stat st;

    int r = 0;

    /* flock(2) has no timeout, and no library may set an alarm. */
    while (flock(dir_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            r = -errno;
            break;
        }
        if (wh_now_ms() >= end)
            return -EBUSY;
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
    if (fstat(dir_fd, &st) < 0)
        return r < 0 ? r : -errno;
    return st.st_nlink == 0 ? -ENOENT : r;
}

/* Whole file, malloc'ed. O_NOFOLLOW, and only regular files: nothing in the root leads elsewhere or blocks (I13). */
static int slurp(int dir_fd, const char *name, char **ret, size_t *ret_len)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    ssize_t n;
    char *buf;

    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > STATE_MAX)
        return -EINVAL;
    buf = malloc((size_t)st.st_size + 1);
    if (!buf)
        return -ENOMEM;
    n = wh_read_fd(fd, buf, (size_t)st.st_size);
    if (n < 0) {
        free(buf);
        return (int)n;
    }
    *ret = buf;
    *ret_len = (size_t)n;
    return 0;
}

/* "init PID START INO" */
static void journal_line(struct wh_state *s, const char *line, size_t len)
{
    char buf[96], *space, *second;
    uint64_t pid, start, ino;

    if (len < 6 || len >= sizeof buf || memcmp(line, "init ", 5) != 0)
        return;
    memcpy(buf, line + 5, len - 5);
    buf[len - 5] = '\0';
    space = strchr(buf, ' ');
    if (!space)
        return;
    *space = '\0';
    second = strchr(space + 1, ' ');
    if (!second)
        return;
    *second = '\0';
    if (wh_parse_u64(buf, INT32_MAX, &pid) < 0 || wh_parse_u64(space + 1, UINT64_MAX, &start) < 0 ||
        wh_parse_u64(second + 1, UINT64_MAX, &ino) < 0)
        return;
    s->pid = (pid_t)pid;
    s->identity = (struct wh_identity){ .start = start, .ino = ino };
}

static int read_journal(int dir_fd, const char *id, struct wh_arena *arena, struct wh_state *ret)
{
    char *text = NULL, *p, *nl;
    size_t len = 0;
    int r = slurp(dir_fd, "journal", &text, &len);

    if (r < 0 || !text)
        return r < 0 ? r : -EINVAL;
    nl = memchr(text, '\n', len);
    r = nl ? wh_state_read(text, (size_t)(nl - text), id, arena, ret) : -EINVAL;
    /* A line without its end was being written when the writer died. */
    for (p = nl ? nl + 1 : NULL; r == 0 && p && (nl = memchr(p, '\n', len - (size_t)(p - text))); p = nl + 1)
        journal_line(ret, p, (size_t)(nl - p));
    free(text);
    return r;
}

int wh_store_read(int dir_fd, const char *id, struct wh_arena *arena, struct wh_state *ret, bool *creating,
                  struct wh_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int r = slurp(dir_fd, "state.json", &text, &len);

    if (r == 0) {
        r = wh_state_read(text, len, id, arena, ret);
        free(text);
    }
    if (creating)
        *creating = r == -ENOENT;
    if (r == 0)
        return 0;
    if (r == -ENOENT && !creating)
        return wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "container does not exist");
    if (creating && r != -ENOMEM) {
        int j = read_journal(dir_fd, id, arena, ret);

        if (j == 0 || (j == -ENOENT && r == -ENOENT))
            return j == 0 ? 0 : wh_err_set(err, WH_ERR_STATE, -ENOENT, NULL, "container does not exist");
        r = j;
    }
    if (r == -EINVAL || r == -EFBIG || r == -ENOENT)
        return wh_err_set(err, WH_ERR_STATE, -EINVAL, NULL,
                          "the state of container %s is damaged (state.json): delete --force clears it up", id);
    return wh_err_sys(err, r, "read the state of container %s", id);
}

int wh_store_journal(int dir_fd, const struct wh_state *s, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf buf = { 0 };
    WH_CLEANUP_FD int fd = -1;
    int r;

    wh_state_write(s, &buf);
    if (buf.failed)
        return wh_err_sys(err, -ENOMEM, "write the journal");
    fd = openat(dir_fd, "journal", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    r = fd < 0 ? -errno : wh_write_all(fd, buf.data, buf.len);
    return r < 0 ? wh_err_sys(err, r, "write the journal") : wh_take_fd(&fd);
}

int wh_store_journal_init(int journal_fd, pid_t pid, const struct wh_identity *id, struct wh_err *err)
{
    char line[96];
    int n = snprintf(line, sizeof line, "init %d %llu %llu\n", (int)pid, (unsigned long long)id->start,
                     (unsigned long long)id->ino);
    int r = wh_write_all(journal_fd, line, (size_t)n);

    return r < 0 ? wh_err_sys(err, r, "write the journal") : 0;
}

int wh_store_write(int dir_fd, const char *name, const struct wh_buf *text, struct wh_err *err)
{
    int r = text->failed ? -ENOMEM : wh_replace_at(dir_fd, name, text->data, text->len, 0600);

    return r < 0 ? wh_err_sys(err, r, "write %s", name) : 0;
}

int wh_store_remove(int root_fd, const char *id, struct wh_err *err)
{
    /* The journal goes last: killed on the way, we can be called again. What else there may be, of a damaged or foreign directory, is
     * looked for only when the directory is not empty then. */
    static const char *const files[] = { "rdt",        "state.json", "config.json", "steps.txt",
                                         "start.sock", "mbox",       "journal" };
    WH_CLEANUP_FD int fd = open_dir(root_fd, id);
    int r;

    /* Damaged: no directory. Of all else what it has of the host's would be forgotten. */
    if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
        return wh_err_sys(err, fd, "open the state directory of %s", id);
    /* From here, so that no way of removing a container can forget what it has of the host's. */
    r = fd >= 0 ? wh_rdt_remove_here(fd, faccessat(fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0, err) : 0;
    if (r < 0)
        return r;
    for (size_t i = 0; fd >= 0 && i < WH_ELEMENTSOF(files); i++)
        unlinkat(fd, files[i], 0);
    if (unlinkat(root_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = wh_remove_tree_at(root_fd, id);
    if (r < 0)
        return wh_err_sys(err, r, "remove the state directory of %s", id);
    if (fd >= 0)
        WH_INFO("removed the state directory of container %s", id);
    r = wh_mark_remove(root_fd, id);
    return r < 0 ? wh_err_sys(err, r, "remove the record of container %s's first process", id) : 0;
}

int wh_store_mbox_make(int dir_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, "mbox", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    const uint32_t abi = WH_ABI_VERSION;

    if (fd < 0 || ftruncate(fd, WH_MBOX_SIZE) < 0 || pwrite(fd, &abi, sizeof abi, 0) != sizeof abi)
        return wh_err_sys(err, -errno, "make the mailbox");
    return wh_take_fd(&fd);
}

int wh_store_mbox_open(int dir_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, "mbox", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    return fd < 0 ? wh_err_sys(err, -errno, "open the mailbox") : wh_take_fd(&fd);
}

int wh_mbox_read(int fd, struct wh_mbox *ret)
{
    ssize_t n;

    memset(ret, 0, sizeof *ret);
    n = pread(fd, ret, sizeof *ret, 0);
    if (n != sizeof *ret)
        return n < 0 ? -errno : -ENODATA;
    ret->fail.detail[WH_MBOX_DETAIL - 1] = '\0';
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void wh_mbox_time(int fd)
{
    static const uint32_t none[WH_MBOX_TIMES];
    uint64_t epoch = now_ns();

    if (pwrite(fd, none, sizeof none, WH_MBOX_TIMES_OFF) == (ssize_t)sizeof none)
        (void)!pwrite(fd, &epoch, sizeof epoch, offsetof(struct wh_mbox, epoch));
}

bool wh_mbox_times(int fd, uint32_t *ret, uint64_t *ret_now)
{
    const size_t size = WH_MBOX_TIMES * sizeof *ret;
    const uint64_t none = 0;
    uint64_t epoch = 0, now = now_ns();

    if (pread(fd, &epoch, sizeof epoch, offsetof(struct wh_mbox, epoch)) != (ssize_t)sizeof epoch || !epoch ||
        pread(fd, ret, size, WH_MBOX_TIMES_OFF) != (ssize_t)size)
        return false;
    /* The next command may not want them. */
    (void)!pwrite(fd, &none, sizeof none, offsetof(struct wh_mbox, epoch));
    *ret_now = now > epoch ? (now - epoch) / 1000 : 0;
    return true;
}

/* sun_path holds 108 bytes, a state root may be longer: name it by fd. */
static void sock_addr(int dir_fd, struct sockaddr_un *sa)
{
    *sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(sa->sun_path, sizeof sa->sun_path, "/proc/self/fd/%d/start.sock", dir_fd);
}

int wh_store_listen(int dir_fd, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un sa;

    sock_addr(dir_fd, &sa);
    /* The socket's own mode is what bind gives to the file, less the umask, which is not ours to change. */
    if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 1) < 0)
        return wh_err_sys(err, -errno, "make the start socket");
    return wh_take_fd(&fd);
}

int wh_store_connect(int dir_fd, int cancel_fd)
{
    WH_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un sa;
    struct stat st;
    int r;

    /* A symlink in its place would lead us elsewhere. */
    if (fd < 0 || fstatat(dir_fd, "start.sock", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ENOTSOCK;
    sock_addr(dir_fd, &sa);
    r = wh_wait_connect(fd, (struct sockaddr *)&sa, sizeof sa, cancel_fd);
    return r < 0 ? r : wh_take_fd(&fd);
}

int wh_state_pidfd(const struct wh_state *s, int proc_fd)
{
    WH_CLEANUP_FD int fd = -1;
    uint64_t pidns = 0;
    int r;

    if (s->pid <= 0)
        return -ESRCH;
    r = wh_proc_ns_ino(proc_fd, "self/ns/pid", &pidns);
    if (r == 0)
        r = wh_proc_this_boot(proc_fd, s->boot_id);
    /* Who cannot look does not know that it is gone: a delete would end what lives. */
    if (r < 0)
        return r;
    if (pidns != s->pidns || r == 0)
        return -ESRCH;
    fd = wh_pidfd_open(proc_fd, s->pid, &s->identity);
    if (fd < 0)
        return fd;
    /* Not the state letter of /proc/PID/stat: a first thread that has called pthread_exit(3) is a zombie there while the others run. The
     * pidfd becomes readable when the last of them has ended. */
    r = wh_pidfd_wait(fd, 0);
    return r == -ETIMEDOUT ? wh_take_fd(&fd) : r < 0 ? r : -ESRCH;
}

bool wh_state_elsewhere(const struct wh_state *s, int proc_fd)
{
    uint64_t pidns;

    return wh_proc_ns_ino(proc_fd, "self/ns/pid", &pidns) == 0 && pidns != s->pidns &&
           wh_proc_this_boot(proc_fd, s->boot_id) == 1;
}

int wh_state_status(int dir_fd, bool alive, bool frozen)
{
    WH_CLEANUP_FD int fd = -1;
    struct wh_mbox mbox;
    int r;

    if (!alive)
        return WH_STATUS_STOPPED;
    if (frozen)
        return WH_STATUS_PAUSED;
    fd = openat(dir_fd, "mbox", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    r = fd < 0 ? -errno : wh_mbox_read(fd, &mbox);
    /* One that is missing, or something else, says nothing any more; what could not be looked at is not known. */
    if (r == -ENOENT || r == -ELOOP || r == -ENXIO || r == -EISDIR || r == -EINVAL || r == -ESPIPE || r == -ENODATA)
        return WH_STATUS_RUNNING;
    if (r < 0)
        return r;
    /* FAILED: the payload could not be executed, and init is about to be gone. */
    if (mbox.state < WH_MBOX_EXEC)
        return WH_STATUS_CREATED;
    return mbox.state == WH_MBOX_FAILED ? WH_STATUS_STOPPED : WH_STATUS_RUNNING;
}
