/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the security label of the session keyring. */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* musl-gcc does not find linux/keyctl.h. */
#define KEYCTL_GET_SECURITY 17
#define KEY_SPEC_SESSION_KEYRING -3

int main(void)
{
    char label[256] = "";

    if (syscall(SYS_keyctl, KEYCTL_GET_SECURITY, (long)KEY_SPEC_SESSION_KEYRING, label, sizeof label - 1) < 0) {
        perror("keyctl");
        return 1;
    }
    printf("keyring: %s\n", label);
    return 0;
}
