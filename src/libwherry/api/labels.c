/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "api/api.h"
#include "host/selinux.h"

static int invalid(struct wh_load *l, const struct wh_sstr *label, const char *attempt, struct wh_err *err)
{
    char words[WH_ERRTEXT_SIZE], where[sizeof err->path];

    /* That of a command line has no place in the configuration. */
    return wh_err_set(err, WH_ERR_SPEC, -EINVAL,
                      label->src ? wh_spec_where(l->spec, label->src, where, sizeof where) : NULL,
                      "%s: %s: the context \"%.200s\" is not valid in the loaded policy", attempt,
                      wh_errno_words(EINVAL, words), label->v);
}

int wh_load_labels(struct wh_load *l, struct wh_err *err)
{
    const struct wh_exec_request *e = l->req.exec;
    const struct wh_process *p = l->spec->exec ? l->spec->exec->process : l->spec->process;
    struct wh_sstr label = p ? p->selinux_label : (struct wh_sstr){ 0 }, mount = l->spec->linux_.mount_label;
    struct wh_selinux se = { 0 };
    int r;

    if (e && e->selinux_label)
        label = (struct wh_sstr){ e->selinux_label, 0 };
    else if (e && l->spec->process && (!label.v || !*label.v))
        label = l->spec->process->selinux_label;
    /* An exec mounts nothing. */
    if (e)
        mount.v = NULL;
    if (!(l->facts.feat & WH_FEAT_SELINUX) || ((!label.v || !*label.v) && (!mount.v || !*mount.v)))
        return 0;
    r = wh_selinux_load(&se);
    if (r == -ELIBACC)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "this program cannot load libselinux");
    if (r < 0)
        return 0;
    /* Back-quoted, as where wherry-init fails to write it: engines look for that. */
    if (label.v && *label.v && wh_selinux_check(&se, label.v) < 0)
        return invalid(l, &label, "write to `/proc/thread-self/attr/exec`", err);
    if (mount.v && *mount.v && wh_selinux_check(&se, mount.v) < 0)
        return invalid(l, &mount, "label new file systems", err);
    return 0;
}
