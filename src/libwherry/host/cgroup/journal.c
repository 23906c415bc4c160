/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of an update, and undoing one that was killed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/cgroup/update.h"

#define JOURNAL_MAX (16 << 20)

int wh_cg_journal_move(int journal_fd, const struct wh_cgroup_dir *dir, const struct wh_cg_moved *m)
{
    WH_CLEANUP_BUF struct wh_buf line = { 0 };

    wh_buf_printf(&line, "moved %s %d %s\n", dir->controller, (int)m->pid, m->from ? m->from : "/");
    return line.failed ? -ENOMEM : wh_write_all(journal_fd, line.data, line.len);
}

int wh_cg_journal_write(const struct wh_cgroup *cg, uint32_t first, const struct wh_cg_old *old, size_t n, int dir_fd,
                        struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf text = { 0 };
    int r;

    for (uint32_t i = first; i < cg->none; i++)
        wh_buf_printf(&text, "made %s\n", cg->one[i].controller);
    for (size_t i = 0; i < n; i++)
        if (old[i].value)
            wh_buf_printf(&text, "was %s %s %.*s\n", old[i].w->controller, old[i].w->file,
                          (int)strcspn(old[i].value, "\n"), old[i].value);
    r = text.failed ? -ENOMEM : wh_replace_at(dir_fd, WH_CG_JOURNAL, text.data ? text.data : "", text.len, 0600);
    return r < 0 ? wh_err_sys(err, r, "write the journal of the update") : 0;
}

/* ---------------------------------------------------------------- undoing */

/* The journal, cut into its lines in place. */
struct undo {
    char *text, **line;
    size_t n;
};

static void undo_done(struct undo *u)
{
    free(u->text);
    free(u->line);
}

static int read_undo(int dir_fd, struct undo *ret)
{
    WH_CLEANUP_FD int fd = openat(dir_fd, WH_CG_JOURNAL, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > JOURNAL_MAX)
        return -EINVAL;
    ret->text = malloc((size_t)st.st_size + 1);
    ret->line = calloc((size_t)st.st_size + 1, sizeof *ret->line);
    if (!ret->text || !ret->line)
        return -ENOMEM;
    n = wh_read_fd(fd, ret->text, (size_t)st.st_size);
    if (n < 0)
        return (int)n;
    for (char *at = ret->text, *end; (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        ret->line[ret->n++] = at;
    }
    return 0;
}

/* What follows "WORD NAME " in the line, or null. */
static char *after(char *line, const char *word, const char *name)
{
    size_t len = strlen(word), n = strlen(name);

    if (strncmp(line, word, len) != 0 || line[len] != ' ' || strncmp(line + len + 1, name, n) != 0)
        return NULL;
    line += len + 1 + n;
    return *line == ' ' || !*line ? line + (*line == ' ') : NULL;
}

/* Where that process was; one that was born since then, where the first of them was. Null: nobody was moved into it. */
static const char *was_in(const struct undo *u, const struct wh_cgroup_dir *dir, pid_t pid)
{
    const char *first = NULL;
    char number[16];

    snprintf(number, sizeof number, "%d ", (int)pid);
    for (size_t i = 0; i < u->n; i++) {
        char *p = after(u->line[i], "moved", dir->controller), *from = p ? strchr(p, ' ') : NULL;

        /* It becomes a path below the mount: what cannot be a cgroup's is a damaged line. */
        if (!from || !wh_cg_path_ok(from + 1))
            continue;
        first = first ? first : from + 1;
        if (wh_startswith(p, number))
            return from + 1;
    }
    return first;
}

/* Moves back those that are there now; whether there were any. */
static bool undo_moves_of(const struct wh_cgroup_dir *dir, const struct undo *u)
{
    struct wh_cg_moves moves = { 0 };
    struct wh_pids there = { 0 };
    int r = wh_cg_collect(dir->fd, &there);

    moves.v = r < 0 ? NULL : calloc(there.n + 1, sizeof *moves.v);
    for (size_t k = 0; moves.v && k < there.n; k++)
        moves.v[moves.n++] = (struct wh_cg_moved){ there.v[k], (char *)(uintptr_t)was_in(u, dir, there.v[k]) };
    wh_cg_move_back(dir, &moves);
    free(moves.v);
    free(there.v);
    return moves.n > 0;
}

static void undo_moves(const struct wh_cgroup *cg, const struct undo *u)
{
    int64_t deadline = wh_cg_now() + WH_CG_MOVE_MS;
    bool more = true;

    /* One that is not moved back yet bears its children here. */
    while (more && wh_cg_left(deadline) > 0) {
        more = false;
        for (uint32_t i = 0; i < cg->none; i++)
            if (cg->one[i].fd >= 0 && was_in(u, &cg->one[i], 0))
                more |= undo_moves_of(&cg->one[i], u);
    }
}

static bool undo_values(const struct wh_cgroup *cg, const struct undo *u, struct wh_err *err)
{
    struct wh_cg_old *old = calloc(u->n + 1, sizeof *old);
    bool done = old != NULL;
    size_t n = 0;

    for (size_t i = 0; old && i < u->n; i++) {
        char *controller = wh_startswith(u->line[i], "was ") ? u->line[i] + strlen("was ") : NULL, *file, *value;

        file = controller ? strchr(controller, ' ') : NULL;
        value = file ? strchr(file + 1, ' ') : NULL;
        if (!value)
            continue;
        *file = *value = '\0';
        old[n].value = value[1] ? value + 1 : (char *)(uintptr_t) "\n";
        /* The old value begins with the same device or word as the new one did. */
        old[n].extra = (struct wh_cg_write){ 0, controller, file + 1, old[n].value, 0 };
        old[n].w = &old[n].extra;
        n++;
    }
    /* The unit first, because systemd writes files. */
    if (old && cg->unit)
        done = wh_cg_unit_set_back(cg, old, n, err);
    if (old)
        done = wh_cg_old_restore(cg, old, n, err) && done;
    free(old);
    return done;
}

bool wh_cgroup_undo_wanted(int dir_fd)
{
    return faccessat(dir_fd, WH_CG_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int undo_all(struct wh_cgroup *cg, const struct undo *u, const struct wh_cgroup_saver *save, struct wh_err *err)
{
    bool dropped = false, back;
    int r;

    wh_err_set(err, WH_ERR_HOST, -EIO, NULL, "an update was killed");
    undo_moves(cg, u);
    back = undo_values(cg, u, err);
    for (uint32_t i = cg->none; i-- > 0;)
        for (size_t k = 0; k < u->n; k++)
            if (after(u->line[k], "made", cg->one[i].controller)) {
                dropped |= wh_cg_remove_v1(cg, i);
                break;
            }
    if (back)
        *err = (struct wh_err){ 0 };
    r = dropped ? save->save(save->data, cg, back ? err : NULL) : 0;
    /* What could not be brought back will not be later. */
    if (r == 0 && unlinkat(save->dir_fd, WH_CG_JOURNAL, 0) < 0)
        r = wh_err_sys(back ? err : NULL, -errno, "remove the journal of an update");
    return back ? r : -EIO;
}

int wh_cgroup_undo(struct wh_cgroup *cg, const struct wh_cgroup_saver *save, struct wh_err *err)
{
    struct undo u = { 0 };
    int r = read_undo(save->dir_fd, &u);

    if (r == 0)
        r = undo_all(cg, &u, save, err);
    else
        r = r == -ENOENT ? 0 : wh_err_sys(err, r, "read the journal of an update that was killed");
    undo_done(&u);
    return r;
}
