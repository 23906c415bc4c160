/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <unistd.h>

#include "api/api.h"
#include "api/features.h"

const char *wherry_version(void)
{
    return WHERRY_VERSION;
}

const char *wherry_spec_version(void)
{
    return "1.3.0";
}

const char *wherry_build_features(void)
{
    return ""
#ifdef HAVE_SECCOMP
           "+SECCOMP "
#else
           "-SECCOMP "
#endif
#ifdef HAVE_SYSTEMD
           "+SYSTEMD "
#else
           "-SYSTEMD "
#endif
#ifdef HAVE_SELINUX
           "+SELINUX "
#else
           "-SELINUX "
#endif
           "+APPARMOR "
           "+CAP +EBPF +YAJL";
}

/* What a writer left in `out`, to the caller of the library. */
static int hand_over(struct wh_buf *out, char **ret, wherry_error **reterr)
{
    struct wh_err err = { 0 };

    if (reterr)
        *reterr = NULL;
    *ret = NULL;
    if (out->failed || !out->data) {
        wh_buf_done(out);
        wh_err_sys(&err, -ENOMEM, "write the document");
        return wh_api_fail(reterr, &err, WH_NO_STEP);
    }
    *ret = out->data;
    return 0;
}

int wherry_features(wherry_ctx *ctx, char **ret_json, wherry_error **reterr)
{
    struct wh_buf out = { 0 };

    (void)ctx;
    wh_features_write(&out);
    return hand_over(&out, ret_json, reterr);
}

int wherry_spec(wherry_ctx *ctx, uint32_t flags, char **ret_json, wherry_error **reterr)
{
    struct wh_buf out = { 0 };

    (void)ctx;
    wh_spec_write(flags & WHERRY_SPEC_ROOTLESS, geteuid(), getegid(), &out);
    return hand_over(&out, ret_json, reterr);
}
