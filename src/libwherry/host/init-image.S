/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of wherry-init, as the host writes them into the sealed memfd: extern const unsigned char wh_init_image[], wh_init_image_end[].
 * Empty when the image was not built. make runs the assembler where wherry-init was linked. */
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
    .section .rodata
    .balign 64
    .globl wh_init_image
    .hidden wh_init_image
    .type wh_init_image, %object
wh_init_image:
    .incbin "wherry-init"
    .globl wh_init_image_end
    .hidden wh_init_image_end
    .size wh_init_image, . - wh_init_image
    .type wh_init_image_end, %object
wh_init_image_end:
    .byte 0
    .size wh_init_image_end, 1
    .section .note.GNU-stack, "", %progbits
