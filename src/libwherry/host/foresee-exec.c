/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of a program, as execve(2) and wherry-init's EXEC_CHECK read it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/machine.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/apart.h"
#include "host/foresee.h"

struct reading {
    int root_fd;
    const char *path;
    struct wh_exec_head head;
};

static void read_script(char *text, size_t n, struct wh_exec_head *ret)
{
    char *p = text + 2, *line_end = memchr(text, '\n', n), *end;

    text[n] = '\0';
    while (*p == ' ' || *p == '\t')
        p++;
    end = p + strcspn(p, " \t\n");
    /* The kernel refuses a line that it sees no end of. */
    if (end == p || (!*end && n >= WH_EXEC_HEAD)) {
        ret->kind = WH_EXEC_NEITHER;
        return;
    }
    ret->kind = WH_EXEC_SCRIPT;
    ret->crlf = line_end && line_end[-1] == '\r';
    if (ret->crlf && end == line_end)
        end--;
    memcpy(ret->runs, p, (size_t)(end - p));
    ret->runs[end - p] = '\0';
}

static void read_loader(int fd, uint64_t off, uint64_t size, struct wh_exec_head *ret)
{
    ssize_t n;

    if (size < 2 || size > sizeof ret->runs || off > INT64_MAX)
        return;
    n = pread(fd, ret->runs, size, (off_t)off);
    if (n == (ssize_t)size && ret->runs[size - 1] == '\0')
        ret->kind = WH_EXEC_LOADED;
}

static void read_elf(int fd, const char *text, size_t n, struct wh_exec_head *ret)
{
    bool wide = text[EI_CLASS] == ELFCLASS64;
    union {
        Elf32_Ehdr h32;
        Elf64_Ehdr h64;
    } h = { 0 };
    uint16_t machine, count, size;
    uint64_t off;

    memcpy(&h, text, n < sizeof h ? n : sizeof h);
    machine = wide ? h.h64.e_machine : h.h32.e_machine;
    off = wide ? h.h64.e_phoff : h.h32.e_phoff;
    count = wide ? h.h64.e_phnum : h.h32.e_phnum;
    size = wide ? h.h64.e_phentsize : h.h32.e_phentsize;
    if (WH_MACHINE == 0)
        return;
    if (text[EI_DATA] != WH_MACHINE_DATA || (machine != WH_MACHINE && machine != WH_MACHINE_32)) {
        ret->kind = WH_EXEC_OTHER_MACHINE;
        return;
    }
    if (size != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || off > INT32_MAX) {
        ret->kind = WH_EXEC_NEITHER;
        return;
    }
    ret->kind = WH_EXEC_STATIC;
    for (uint16_t k = 0; k < count && k < 256; k++) {
        union {
            Elf32_Phdr p32;
            Elf64_Phdr p64;
        } p = { 0 };

        if (pread(fd, &p, size, (off_t)(off + (uint64_t)k * size)) != size)
            ret->kind = WH_EXEC_UNKNOWN;
        else if ((wide ? p.p64.p_type : p.p32.p_type) == PT_INTERP) {
            ret->kind = WH_EXEC_UNKNOWN;
            read_loader(fd, wide ? p.p64.p_offset : p.p32.p_offset, wide ? p.p64.p_filesz : p.p32.p_filesz, ret);
        } else
            continue;
        return;
    }
}

static int read_head(void *arg)
{
    struct reading *r = arg;
    char text[WH_EXEC_HEAD + 1];
    int fd =
        wh_openat2(r->root_fd, r->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return fd;
    n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, text, WH_EXEC_HEAD, 0) : -1;
    if (n > 2 && text[0] == '#' && text[1] == '!')
        read_script(text, (size_t)n, &r->head);
    else if (n > EI_DATA && memcmp(text, ELFMAG, SELFMAG) == 0)
        read_elf(fd, text, (size_t)n, &r->head);
    else if (n >= 0)
        r->head.kind = WH_EXEC_NEITHER;
    wh_close(fd);
    return n < 0 ? -EACCES : 0;
}

int wh_foresee_exec(int root_fd, const char *path, int cancel_fd, struct wh_exec_head *ret)
{
    struct reading r = { .root_fd = root_fd, .path = path };
    int e = wh_apart(read_head, &r, sizeof r, cancel_fd);

    *ret = r.head;
    return e;
}
