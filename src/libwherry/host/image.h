/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_IMAGE_H
#define WH_HOST_IMAGE_H

#include <stddef.h>

#include "abi/plan.h"
#include "base/err.h"

/*
 * What is handed to wherry-init. All fds are O_CLOEXEC and the caller's.
 */

/* wherry-init, ready for execveat(fd, ""): a sealed memfd, so that no process in a container can write to the program
 * that it was started from (CVE-2019-5736, invariant I4). Where vm.memfd_noexec forbids that, an unlinked file in the state
 * root, open for reading only. fd or -errno. */
int wh_image_open(int root_fd, struct wh_err *err);

/* The plan, sealed: init maps what compile wrote. */
int wh_image_plan(const struct wh_plan *plan, struct wh_err *err);

/* Data as a sealed memfd that is read from the start (stdin of hooks). */
int wh_image_data(const char *name, const void *data, size_t len, struct wh_err *err);

/* A mailbox without a place in the state directory, for a process that nobody else will ask about: exec. fd or -errno. */
int wh_image_mbox(struct wh_err *err);

#endif
