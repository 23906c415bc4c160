/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

#include <string.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include <wherry-commit.h>

/* Docker takes the last line that has the word: it may stand in the first one only. */
void cli_version(struct cli_buf *b, const char *name)
{
    /* Of a version of runc's that was claimed here, programs would conclude which of runc's bugs there are. */
    cli_buf_printf(b, "%s version %s%s\n", name, wherry_version(), strcmp(name, "wherry") == 0 ? "" : "+wherry");
    if (WHERRY_COMMIT[0])
        cli_buf_printf(b, "commit: %s\n", WHERRY_COMMIT);
    cli_buf_printf(b, "spec: %s\n", wherry_spec_version());
#ifdef HAVE_SECCOMP
    const struct scmp_version *v = seccomp_version();

    cli_buf_printf(b, "libseccomp: %u.%u.%u\n", v->major, v->minor, v->micro);
#endif
    cli_buf_printf(b, "%s\n", wherry_build_features());
}
