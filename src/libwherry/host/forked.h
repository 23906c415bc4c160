/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_FORKED_H
#define WH_HOST_FORKED_H

#include <stddef.h>

/*
 * A computation in a library that may not come to an end, or take all the memory that there is: libseccomp's compiler
 * of rules. Unlike the system calls of host/apart.h it allocates, so that a process which shares our memory could not
 * be killed: it would leave the allocator locked. It runs in a copy of this process, which is the one use of fork(2):
 * the C library's, which leaves the allocator usable in the copy whatever the caller's other threads were doing. That
 * costs as much as the caller is big, so it is for what cannot be trusted alone.
 *
 * fn gets a copy of *arg in memory that both processes share, and it is copied back however the process ended: what fn
 * wrote until then is seen. Pointers in it are good for what existed before. The fd `keep` (-1 = none) is open in fn
 * under the same number, and no other. It may take WH_FORKED_MEMORY on top of what the caller has.
 *
 * fn's result, which is 0 or more or -errno; -ETIMEDOUT after ms milliseconds, -ECANCELED when cancel_fd (-1 = none)
 * became readable, -ECHILD when the process ended without a result. Nothing is left of it.
 */
#define WH_FORKED_MEMORY (256u << 20)

int wh_forked(int (*fn)(void *arg), void *arg, size_t arg_size, int keep, int ms, int cancel_fd);

#endif
