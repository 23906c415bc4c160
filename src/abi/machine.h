/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_ABI_MACHINE_H
#define WH_ABI_MACHINE_H

#include <elf.h>

/* What an ELF file must say to run on this machine without binfmt_misc. wherry-init asks before it executes one,
 * check before there is a container. */
#if defined(__x86_64__)
#define WH_MACHINE EM_X86_64
#define WH_MACHINE_32 EM_386
#elif defined(__aarch64__)
#define WH_MACHINE EM_AARCH64
#define WH_MACHINE_32 EM_ARM
#elif defined(__i386__)
#define WH_MACHINE EM_386
#define WH_MACHINE_32 EM_386
#elif defined(__arm__)
#define WH_MACHINE EM_ARM
#define WH_MACHINE_32 EM_ARM
#elif defined(__riscv)
#define WH_MACHINE EM_RISCV
#define WH_MACHINE_32 EM_RISCV
#elif defined(__s390x__)
#define WH_MACHINE EM_S390
#define WH_MACHINE_32 EM_S390
#elif defined(__powerpc64__)
#define WH_MACHINE EM_PPC64
#define WH_MACHINE_32 EM_PPC
#else
#define WH_MACHINE 0 /* unknown: no diagnosis */
#define WH_MACHINE_32 0
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WH_MACHINE_DATA ELFDATA2LSB
#else
#define WH_MACHINE_DATA ELFDATA2MSB
#endif

#define WH_EXEC_HEAD 256 /* as much as the kernel reads of a file to tell its format */

#endif
