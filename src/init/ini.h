/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_INIT_INI_H
#define WH_INIT_INI_H

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "abi/plan.h"
#include "abi/proto.h"
#include "init/sys.h"

#define INI_HOME_MAX 1024
#define WH_NS_FDS 8 /* one for each kind of namespace */

/* All that init knows. Buffers stand at the end: their pages are touched only when a step needs them. */
struct ini {
    struct wh_plan *plan;
    struct wh_mbox *mbox;
    char *title; /* argv[0], "wherry:[A]" */
    uint32_t nr; /* of the step that runs */
    int base; /* first fd that is ours: 3 + preserved */
    int ctl; /* control socket, or the connection of `start`; -1 between COMMIT and START */
    uint32_t site; /* of the last failure */
    uint64_t attached; /* slots whose mount is in the tree already: it can be cloned, and must not be moved again */
    uint64_t skipped; /* slots that a soft step left empty */
    int slot[WH_SLOTS];
    int ns[WH_NS_FDS]; /* of OPEN_NS, the first `nns` */
    unsigned int nns;
    bool filtered; /* a filter is in force */
    bool made; /* the last ini_resolve() made the last component */
    bool cwd_later; /* CWD was not allowed as root */
    bool home_set, listen_pid_set;
    const char *exec_path;
    uint32_t exec_site; /* why execve will fail unless binfmt_misc knows better */
    char detail[WH_MBOX_DETAIL];
    char exec_detail[WH_MBOX_DETAIL];
    char listen_pid[24]; /* "LISTEN_PID=…" */
    char home[5 + INI_HOME_MAX]; /* "HOME=…" */
    char path[PATH_MAX];
    char link[PATH_MAX];
};

/* ---- run.c ---- */

/* Runs the steps one by one; does not return but through execve, the exit of A, or ini_die(). */
_Noreturn void ini_run(struct ini *i);
/* Runs one step: dispatch alone. */
int ini_step(struct ini *i, const struct wh_step *s);
/* Notes where a step failed; r is a negative errno and is what the op returns. There is no other way to fail. */
int ini_fail(struct ini *i, uint32_t site, long r);
#define fail(i, SITE, r) ini_fail((i), WH_SITE_##SITE, (r))
/* Adds what is needed to understand the failure: a path, a line of the kernel. Cut to WH_MBOX_DETAIL. */
void ini_detail(struct ini *i, const char *text);
/* Fills the mailbox and exits. Plain stores first: after the seccomp filter the exit itself may be denied. */
_Noreturn void ini_die(struct ini *i, uint32_t step, int err);
void ini_state(struct ini *i, uint32_t state);
/* Puts fd, which it then owns, into a slot. */
void ini_slot_set(struct ini *i, wh_slot slot, int fd);

/* ---- fds ---- */
static inline void ini_close(int fd)
{
    if (fd >= 0)
        sys_close(fd);
}
static inline void ini_closep(int *fd)
{
    ini_close(*fd);
}
#define CLEAN_FD __attribute__((cleanup(ini_closep))) int
static inline int take_fd(int *fd)
{
    int r = *fd;

    *fd = -1;
    return r;
}

static inline const char *ini_str(const struct ini *i, wh_off off)
{
    return wh_plan_str(i->plan, off);
}
static inline int ini_stat(int fd, struct wh_statx *st)
{
    return (int)sys_statx(fd, "", AT_EMPTY_PATH, WH_STATX_BASIC | WH_STATX_MNT_ID, st);
}

/* ---- resolve.c: the one way from a container path to an fd ---- */
enum ini_make { INI_MAKE_NOTHING, INI_MAKE_DIR, INI_MAKE_FILE };
#define INI_NOSYMLINK 1u /* no component may be a symlink */
#define INI_NOFOLLOW 2u /* the last one may, and is not followed */

/* O_PATH fd of `path` below `root`; missing directories, and the last component as `make` says, are made. */
int ini_resolve(struct ini *i, int root, const char *path, enum ini_make make, unsigned int flags, int *ret_fd);
/* O_PATH fd of the directory of `path` (made if missing) and its last component, which is in i->link until the next call. */
int ini_resolve_parent(struct ini *i, int root, const char *path, int *ret_fd, const char **ret_name);
/* openat2 with a bounded retry: EAGAIN is its answer to a rename that raced with "..". */
long ini_openat2(int fd, const char *path, uint64_t flags, uint64_t resolve);

/* ---- ops-ns.c ---- */
#define INI_I32_TEXT 12
/* v in decimal, terminated, at the end of `text`: returns its first character. */
char *ini_decimal(char text[INI_I32_TEXT], int32_t v);
/* Writes to a file below `dir`, which is the host's verified procfs or a directory of it; more RESOLVE_* flags in `resolve`. */
int ini_proc_write(struct ini *i, int dir, const char *path, uint64_t resolve, const char *text, size_t n);

/* ---- ops-mount.c ---- */
/* Resolves the target (made if missing, of the kind of the mount) and moves the mount there. flags: WH_ATTACH_*. */
int ini_attach(struct ini *i, int mount, int root, const char *path, uint32_t flags);

/* ---- ops-sync.c ---- */
int ini_send_fds(int fd, uint16_t type, uint32_t step, int32_t val, const int *fds, unsigned int n);
static inline int ini_send(int fd, uint16_t type, uint32_t step, int32_t val, int with_fd)
{
    return ini_send_fds(fd, type, step, val, &with_fd, with_fd >= 0);
}
/* Receives one message; ret_fd, if not null, gets the fd that came with it or -1. EOF is -ECONNRESET. */
int ini_recv(int fd, struct wh_msg *ret, int *ret_fd);
/* Asks the host to do the current step; ret_fd, if not null, must come with the answer. */
int ini_ask(struct ini *i, int *ret_fd);
/* Fds between `first` and the end are closed, but for those of the list. */
long ini_close_others(int first, const int *keep, unsigned int n);

/* ---- home.c ---- */
struct ini_home_scan {
    uint32_t uid;
    uint32_t field; /* of the line */
    uint64_t value; /* of the uid field, capped */
    uint32_t digits;
    bool match, found;
    uint32_t len;
    char *home; /* INI_HOME_MAX bytes */
};
/* Feeds n bytes of a passwd file; true when the line was found: s->home is terminated then. */
bool ini_home_scan(struct ini_home_scan *s, const char *buf, size_t n);

/* ---- copyup.c ---- */
int ini_copyup(struct ini *i, int from, int to);

#define WH_OPS_INIT
#define OP(NAME, name, phases, flags, tmpl, doc, fields) int op_##name(struct ini *i, const struct wh_step_##name *s);
#include "abi/ops.def"
#undef OP
#undef WH_OPS_INIT

#endif
