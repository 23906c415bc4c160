/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern const unsigned char wh_init_image[], wh_init_image_end[];

/* `kind` is MFD_EXEC or MFD_NOEXEC_SEAL, which Linux 6.3 introduced; kernels before know neither and need neither. */
static int memfd(const char *name, unsigned kind)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kind);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

static int sealed(const char *name, unsigned kind, const void *data, size_t len)
{
    WH_CLEANUP_FD int fd = memfd(name, kind);
    int r;

    if (fd < 0)
        return fd;
    r = wh_write_all(fd, data, len);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return wh_take_fd(&fd);
}

/* vm.memfd_noexec = 2. The state root is root's alone, the file has no name and nobody has it open for writing: as
 * unreachable as a memfd, though not sealed. */
static int image_copy(int root_fd, const void *data, size_t len)
{
    WH_CLEANUP_FD int fd = openat(root_fd, ".", O_TMPFILE | O_WRONLY | O_EXCL | O_CLOEXEC, 0500), ro = -1;
    char path[32];
    int r;

    if (fd < 0)
        return -errno;
    r = wh_write_all(fd, data, len);
    if (r < 0)
        return r;
    if (fchmod(fd, 0500) < 0)
        return -errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ro = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return ro < 0 ? -errno : wh_take_fd(&ro);
}

int wh_image_open(int root_fd, struct wh_err *err)
{
    size_t len = (size_t)(wh_init_image_end - wh_init_image);
    int fd;

    if (len == 0)
        return wh_err_set(err, WH_ERR_HOST, -ENOEXEC, NULL, "this build has no wherry-init");
    fd = sealed("wherry-init", MFD_EXEC, wh_init_image, len);
    if (fd != -EACCES)
        return fd < 0 ? wh_err_sys(err, fd, "copy wherry-init to a memfd") : fd;
    fd = image_copy(root_fd, wh_init_image, len);
    if (fd < 0)
        return wh_err_sys(
            err, fd,
            "sysctl vm.memfd_noexec forbids executable memfds, and no unnamed file can be made in the state "
            "root instead");
    return fd;
}

int wh_image_plan(const struct wh_plan *plan, struct wh_err *err)
{
    int fd = sealed("wherry-plan", MFD_NOEXEC_SEAL, plan, plan->size);

    return fd < 0 ? wh_err_sys(err, fd, "copy the plan to a memfd") : fd;
}

int wh_image_data(const char *name, const void *data, size_t len, struct wh_err *err)
{
    WH_CLEANUP_FD int fd = sealed(name, MFD_NOEXEC_SEAL, data, len);

    if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0)
        return wh_err_sys(err, -errno, "seek in a memfd");
    return fd < 0 ? wh_err_sys(err, fd, "make a memfd") : wh_take_fd(&fd);
}

int wh_image_mbox(struct wh_err *err)
{
    WH_CLEANUP_FD int fd = memfd("wherry-mbox", MFD_NOEXEC_SEAL);
    const uint32_t abi = WH_ABI_VERSION;

    /* Its size is sealed: wherry-init, which may end up in somebody's hands, could shrink it otherwise. */
    if (fd < 0)
        return wh_err_sys(err, fd, "make the mailbox");
    if (ftruncate(fd, WH_MBOX_SIZE) < 0 || pwrite(fd, &abi, sizeof abi, 0) != sizeof abi ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return wh_err_sys(err, -errno, "make the mailbox");
    return wh_take_fd(&fd);
}
