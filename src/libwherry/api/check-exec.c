/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings about the program: execve(2) says "no such file or directory" of a missing interpreter, a missing loader and
 * a missing file alike. */
#include "api/check.h"
#include "host/foresee.h"

#define DEPTH 5 /* interpreters that are scripts: the kernel's limit is 5 */

static void needed(struct wh_findings *f, const struct wh_exec_head *h, const char *path, wh_node src,
                   enum wh_program there)
{
    bool script = h->kind == WH_EXEC_SCRIPT;

    wh_check_add(f, script ? WH_CHECK_INTERPRETER_MISSING : WH_CHECK_LOADER_MISSING, src, "%s is run by %s, which %s",
                 path, h->runs,
                 there == WH_PROGRAM_MISSING   ? "is not in the root file system"
                 : there == WH_PROGRAM_NO_FILE ? "is not a regular file"
                                               : "may not be executed by the user of the process");
}

void wh_check_program(struct wh_findings *f, const struct wh_spec *s, const char *path, int root_fd, int proc_fd,
                      int cancel_fd)
{
    wh_node src = s->process->args.v[0].src;
    struct wh_exec_head h[2] = { 0 };

    for (unsigned i = 0; i < DEPTH; i++) {
        struct wh_exec_head *now = &h[i % 2];
        enum wh_program there;

        if (wh_foresee_exec(root_fd, path, cancel_fd, now) < 0)
            return;
        switch (now->kind) {
        case WH_EXEC_UNKNOWN:
        case WH_EXEC_STATIC:
            return;
        case WH_EXEC_OTHER_MACHINE:
        case WH_EXEC_NEITHER:
            if (!wh_foresee_binfmt(proc_fd))
                wh_check_add(f, now->kind == WH_EXEC_NEITHER ? WH_CHECK_NOT_A_PROGRAM : WH_CHECK_WRONG_MACHINE, src,
                             now->kind == WH_EXEC_NEITHER ? "%s is neither an ELF file nor a script that begins with #!"
                                                          : "%s is a program of another machine",
                             path);
            return;
        case WH_EXEC_SCRIPT:
        case WH_EXEC_LOADED:
            break;
        }
        if (now->crlf) {
            wh_check_add(f, WH_CHECK_SHEBANG_CRLF, src, "the first line of %s, which names %s, ends in CR LF", path,
                         *now->runs ? now->runs : "nothing");
            return;
        }
        there = wh_check_executable(s, root_fd, proc_fd, now->runs);
        if (there == WH_PROGRAM_MISSING || there == WH_PROGRAM_DENIED || there == WH_PROGRAM_NO_FILE)
            needed(f, now, path, src, there);
        if (there != WH_PROGRAM_THERE || now->kind == WH_EXEC_LOADED)
            return;
        path = now->runs;
    }
}
