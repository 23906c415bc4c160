/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/build-id.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The header of what this file is linked into, program or library: the linker defines it where a segment holds the header. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"), weak));

static const char *note(const char *at, const char *end, char *ret)
{
    ElfW(Nhdr) n;

    while ((size_t)(end - at) >= sizeof n) {
        size_t name, desc;
        const char *text = at + sizeof n;

        memcpy(&n, at, sizeof n);
        name = ((size_t)n.n_namesz + 3) & ~(size_t)3;
        desc = ((size_t)n.n_descsz + 3) & ~(size_t)3;
        if (name > (size_t)(end - text) || desc > (size_t)(end - text) - name)
            return NULL;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && memcmp(text, "GNU", 4) == 0 && n.n_descsz > 0 &&
            n.n_descsz <= WH_BUILD_ID_MAX) {
            for (size_t i = 0; i < n.n_descsz; i++)
                snprintf(ret + 2 * i, 3, "%02x", (unsigned char)text[name + i]);
            return ret;
        }
        at = text + name + desc;
    }
    return NULL;
}

const char *wh_build_id(char ret[WH_BUILD_ID_TEXT])
{
    const char *base = (const char *)&__ehdr_start;
    const ElfW(Phdr) * ph;
    uintptr_t first = UINTPTR_MAX;

    if (!base)
        return NULL;
    ph = (const void *)(base + __ehdr_start.e_phoff);
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++)
        if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr < first)
            first = ph[i].p_vaddr;
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++) {
        const char *at = base + (ph[i].p_vaddr - first);

        if (ph[i].p_type == PT_NOTE && note(at, at + ph[i].p_memsz, ret))
            return ret;
    }
    return NULL;
}
