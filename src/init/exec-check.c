/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "abi/machine.h"
#include "init/ini.h"

/*
 * Which of the candidates execve will take, and why it would not: execve itself says ENOENT for a missing loader, a missing
 * interpreter and a missing file alike. What binfmt_misc could still run (another machine's ELF, text without #!) is only
 * remembered, and told if execve fails.
 */

static void maybe(struct ini *i, uint32_t site, const char *detail)
{
    size_t n = strlen(detail);

    if (n >= sizeof(i->exec_detail))
        n = sizeof(i->exec_detail) - 1;
    i->exec_site = site;
    memcpy(i->exec_detail, detail, n);
    i->exec_detail[n] = 0;
}

/* The kernel opens interpreters and loaders itself; a name that is not there is its ENOENT. */
static int check_interpreter(struct ini *i, const char *path, uint32_t site)
{
    long r = sys_faccessat2(AT_FDCWD, path, X_OK, AT_EACCESS);

    if (r != -ENOENT && r != -ENOTDIR && r != -EACCES && r != -ELOOP)
        return 0;
    ini_detail(i, path);
    return ini_fail(i, site, r);
}

static int check_script(struct ini *i, char *head, size_t n)
{
    char *p = head + 2, *end;
    int r;

    head[n] = 0;
    while (*p == ' ' || *p == '\t')
        p++;
    for (end = p; *end && *end != ' ' && *end != '\t' && *end != '\n';)
        end++;
    /* The kernel refuses a line that it sees no end of; binfmt_misc may still want it. */
    if (end == p || (!*end && n >= WH_EXEC_HEAD)) {
        maybe(i, WH_SITE_EXEC_FORMAT, "#!");
        return 0;
    }
    *end = 0;
    r = check_interpreter(i, p, WH_SITE_EXEC_SHEBANG);
    if (r < 0 && end > p && end[-1] == '\r') {
        end[-1] = 0;
        ini_detail(i, p);
        return fail(i, EXEC_SHEBANG_CRLF, r);
    }
    return r;
}

static int check_loader(struct ini *i, int fd, uint64_t off, uint64_t size)
{
    long n;

    /* A name that the kernel would refuse as well: execve says ENOEXEC. */
    if (size < 2 || size > sizeof(i->path) || off > INT64_MAX)
        return 0;
    n = sys_pread(fd, i->path, size, (long)off);
    if (n < 0 || (uint64_t)n != size || i->path[size - 1])
        return 0;
    return check_interpreter(i, i->path, WH_SITE_EXEC_LOADER);
}

static int check_elf(struct ini *i, int fd, const char *path, const char *head, size_t n)
{
    bool wide = head[EI_CLASS] == ELFCLASS64;
    uint64_t phoff;
    uint16_t machine, phnum, phsize, k;
    union {
        Elf32_Ehdr h32;
        Elf64_Ehdr h64;
    } h;

    memset(&h, 0, sizeof(h));
    memcpy(&h, head, n < sizeof(h) ? n : sizeof(h));
    if (!WH_MACHINE)
        return 0;
    machine = wide ? h.h64.e_machine : h.h32.e_machine;
    if (head[EI_DATA] != WH_MACHINE_DATA || (machine != WH_MACHINE && machine != WH_MACHINE_32)) {
        maybe(i, WH_SITE_EXEC_ARCH, path);
        return 0;
    }
    phoff = wide ? h.h64.e_phoff : h.h32.e_phoff;
    phnum = wide ? h.h64.e_phnum : h.h32.e_phnum;
    phsize = wide ? h.h64.e_phentsize : h.h32.e_phentsize;
    if (phsize != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || phoff > INT32_MAX) {
        maybe(i, WH_SITE_EXEC_FORMAT, path);
        return 0;
    }
    for (k = 0; k < phnum && k < 256; k++) {
        union {
            Elf32_Phdr p32;
            Elf64_Phdr p64;
        } p;
        long r;

        memset(&p, 0, sizeof(p));
        r = sys_pread(fd, &p, phsize, (long)(phoff + (uint64_t)k * phsize));
        if (r != phsize)
            return 0;
        if ((wide ? p.p64.p_type : p.p32.p_type) == PT_INTERP)
            return check_loader(i, fd, wide ? p.p64.p_offset : p.p32.p_offset, wide ? p.p64.p_filesz : p.p32.p_filesz);
    }
    return 0;
}

static int diagnose(struct ini *i, const char *path)
{
    char head[WH_EXEC_HEAD + 1];
    CLEAN_FD fd = -1;
    long n;

    /* An executable that may not be read runs all the same. */
    fd = (int)sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    n = sys_pread(fd, head, WH_EXEC_HEAD, 0);
    if (n < 0)
        return 0;
    if (n > 2 && head[0] == '#' && head[1] == '!')
        return check_script(i, head, (size_t)n);
    if (n > EI_DATA && !memcmp(head, ELFMAG, SELFMAG))
        return check_elf(i, fd, path, head, (size_t)n);
    maybe(i, WH_SITE_EXEC_FORMAT, path);
    return 0;
}

/* 0 if execve would find an executable file there; otherwise where and why not. */
static int candidate(struct ini *i, const char *path)
{
    CLEAN_FD fd = -1;
    struct wh_statx st;
    struct statfs fs;
    long r;

    fd = (int)sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
    if (fd < 0)
        return fail(i, EXEC_STAT, fd);
    r = ini_stat(fd, &st);
    if (r < 0)
        return fail(i, EXEC_STAT, r);
    if ((st.mode & S_IFMT) == S_IFDIR)
        return fail(i, EXEC_IS_DIR, -EACCES);
    if ((st.mode & S_IFMT) != S_IFREG)
        return fail(i, EXEC_NO_X, -EACCES);
    r = sys_faccessat2(fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS);
    if (r >= 0)
        return 0;
    if (r == -EACCES && sys_fstatfs(fd, &fs) >= 0 && fs.f_flags & WH_ST_NOEXEC)
        return fail(i, EXEC_NOEXEC_MOUNT, r);
    return fail(i, EXEC_NO_X, r);
}

int op_exec_check(struct ini *i, const struct wh_step_exec_check *s)
{
    const wh_off *v = wh_plan_at(i->plan, s->candidates.off);
    const char *arg0 = ini_str(i, s->arg0), *p, *denied = NULL;
    uint32_t k, site = WH_SITE_EXEC_NOT_FOUND;
    bool named = false;
    int r, err = -ENOENT;

    for (p = arg0; *p; p++)
        named |= *p == '/';
    for (k = 0; k < s->candidates.n; k++) {
        const char *path = ini_str(i, v[k]);

        r = candidate(i, path);
        if (r == 0) {
            i->exec_path = path;
            return diagnose(i, path);
        }
        /* Like execvp: a file that is there and may not be run says more than the end of the list, and what could not be
         * looked at is not passed over: another program could be found behind it. */
        if (named || (r != -ENOENT && r != -ENOTDIR && !denied)) {
            denied = path;
            site = i->site;
            err = r;
            if (r != -EACCES)
                break;
        }
    }
    ini_detail(i, denied ? denied : arg0);
    return ini_fail(i, site, err);
}
