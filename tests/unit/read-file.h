/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_TEST_READ_FILE_H
#define WH_TEST_READ_FILE_H

#include <stdio.h>
#include <stdlib.h>

/* A whole file in memory of its exact size, so that a sanitizer sees a read behind its end; free() it. Null when it cannot be read. */
__attribute__((unused)) static char *read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long len;

    if (!f)
        return NULL;
    if (fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        data = malloc((size_t)len ? (size_t)len : 1);
        *ret_len = (size_t)len;
        if (data && fread(data, 1, (size_t)len, f) != (size_t)len) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

#endif
