/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_HOST_SIGSYS_H
#define WH_HOST_SIGSYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "bad system call", and which one where the kernel has told it: "bad system call: mkdir". pid is the process that
 * SIGSYS has just ended. Reads the kernel's log, and waits 100 ms at most for the record: only for what was killed. */
void wh_sigsys_text(pid_t pid, char *ret, size_t size);
/* What a record of /dev/kmsg says about it, if it is not older than some seconds: 0 and the architecture and number
 * of the call, or -ENOENT. now: us since boot. For wh_sigsys_text() and its test. */
int wh_sigsys_record(const char *record, pid_t pid, uint64_t now, unsigned *ret_arch, int *ret_nr);

#endif
