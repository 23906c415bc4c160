/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The notices of the libraries that are linked into the program: extern const char cli_licenses[], ends with a NUL. A section of its own, so that
 * no start of a container maps a page of it. */
/* One object without this note would take control-flow protection from all of them. */
#ifdef __CET__
#include <cet.h>
#endif
#if defined(__aarch64__) && defined(__ARM_FEATURE_BTI_DEFAULT)
    .pushsection .note.gnu.property, "a"
    .balign 8
    .long 4, 16, 5
    .asciz "GNU"
    .long 0xc0000000, 4, 3, 0
    .popsection
#endif
    .section .rodata.licenses, "a"
    .globl cli_licenses
    .hidden cli_licenses
    .type cli_licenses, %object
cli_licenses:
    .incbin "licenses.txt"
    .byte 0
    .size cli_licenses, . - cli_licenses
    .section .note.GNU-stack, "", %progbits
