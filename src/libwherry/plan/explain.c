/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "abi/kernel.h"
#include "base/json-out.h"
#include "plan/text.h"

/* ---- ops.def once more: names and templates. The fields are in the order of wh_opinfo(). ---- */

const struct wh_optext *wh_optext(unsigned op)
{
    switch (op) {
#define F(kind, field) #field,
#define OP(NAME, name_, phases, flags, tmpl_, doc, fields_)                                                            \
    case WH_OP_##NAME: {                                                                                               \
        static const char *const fields[] = { fields_ NULL };                                                          \
        static const struct wh_optext text = { .name = #name_, .tmpl = (tmpl_), .fields = fields };                    \
        return &text;                                                                                                  \
    }
#include "abi/ops.def"
#undef OP
#undef F
    default:
        return NULL;
    }
}

/* ---- fields as words ---- */

struct word {
    uint64_t bits;
    const char *name;
};

static void words(struct wh_buf *out, const struct word *w, size_t n, uint64_t v, const char *sep)
{
    bool some = false;

    for (size_t i = 0; i < n; i++) {
        if ((v & w[i].bits) != w[i].bits)
            continue;
        wh_buf_printf(out, "%s%s", some ? sep : "", w[i].name);
        v &= ~w[i].bits;
        some = true;
    }
    if (v)
        wh_buf_printf(out, "%s0x%" PRIx64, some ? sep : "", v);
}

/* The same with the words of the specification; nothing for 0. */
static void spec_words(struct wh_buf *out, enum wh_words list, uint64_t v)
{
    const char *name;
    int64_t bit;

    for (size_t i = 0, n = 0; (name = wh_word(list, i, &bit)); i++)
        if (v & (uint64_t)bit)
            wh_buf_printf(out, "%s%s", n++ ? "," : "", name);
}

static const struct word ns_words[] = {
    { CLONE_NEWUSER, "CLONE_NEWUSER" },     { CLONE_NEWNS, "CLONE_NEWNS" },     { CLONE_NEWPID, "CLONE_NEWPID" },
    { CLONE_NEWNET, "CLONE_NEWNET" },       { CLONE_NEWIPC, "CLONE_NEWIPC" },   { CLONE_NEWUTS, "CLONE_NEWUTS" },
    { CLONE_NEWCGROUP, "CLONE_NEWCGROUP" }, { CLONE_NEWTIME, "CLONE_NEWTIME" },
};
static const struct word prop_words[] = {
    { WH_MS_SHARED, "MS_SHARED" },
    { WH_MS_SLAVE, "MS_SLAVE" },
    { WH_MS_PRIVATE, "MS_PRIVATE" },
    { WH_MS_UNBINDABLE, "MS_UNBINDABLE" },
};
/* The mask of all atime modes is what mount_setattr wants cleared before one is set. */
static const struct word attr_words[] = {
    { WH_MOUNT_ATTR_RDONLY, "ro" },
    { WH_MOUNT_ATTR_NOSUID, "nosuid" },
    { WH_MOUNT_ATTR_NODEV, "nodev" },
    { WH_MOUNT_ATTR_NOEXEC, "noexec" },
    { WH_MOUNT_ATTR_ATIME, "atime" },
    { WH_MOUNT_ATTR_NOATIME, "noatime" },
    { WH_MOUNT_ATTR_STRICTATIME, "strictatime" },
    { WH_MOUNT_ATTR_NODIRATIME, "nodiratime" },
    { WH_MOUNT_ATTR_IDMAP, "idmap" },
    { WH_MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow" },
};
static const struct word sec_words[] = {
    { WH_SECCOMP_FILTER_FLAG_TSYNC, "TSYNC" },
    { WH_SECCOMP_FILTER_FLAG_LOG, "LOG" },
    { WH_SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SPEC_ALLOW" },
    { WH_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, "WAIT_KILLABLE_RECV" },
};
static const struct word attach_words[] = {
    { WH_ATTACH_NOSYMLINK, "no symlinks" },
    { WH_ATTACH_KEEP_MODE, "keep the mode of what it covers" },
    { WH_ATTACH_BENEATH_PROC, "a file of procfs" },
    { WH_ATTACH_SOURCE_PROC, "must be a procfs" },
    { WH_ATTACH_NOFOLLOW, "not following a symlink" },
};
static const struct word cgroup_write_words[] = {
    { WH_CGW_ELSE, "instead of the one before if that is not there" },
    { WH_CGW_MAY_LACK, "if it is there" },
    { WH_CGW_RETRY, "again after the next if EINVAL" },
    { WH_CGW_ABOVE_USE, "unless more is in use" },
};
static const char *const hook_names[WH_HOOK_MAX] = { "prestart",       "createRuntime", "createContainer",
                                                     "startContainer", "poststart",     "poststop" };
static const struct word soft_words[] = {
    { WH_SOFT_PERM, "EPERM, EACCES" },
    { WH_SOFT_NOSYS, "ENOSYS, ENODEV, EOPNOTSUPP" },
    { WH_SOFT_BUSY, "EBUSY" },
};

/* More than half of them are named by what is missing. */
#define KNOWN_CAPS 41
static void caps(struct wh_buf *out, uint64_t v)
{
    const uint64_t known = (UINT64_C(1) << KNOWN_CAPS) - 1;
    unsigned count = 0;
    bool some = false;

    if (v == 0) {
        wh_buf_puts(out, "none");
        return;
    }
    for (unsigned i = 0; i < KNOWN_CAPS; i++)
        count += v >> i & 1;
    if (count > KNOWN_CAPS / 2) {
        wh_buf_puts(out, "all");
        v = ~v & known;
        if (v)
            wh_buf_puts(out, " but ");
    }
    for (unsigned i = 0; i < 64; i++) {
        const char *name;

        if (!(v >> i & 1))
            continue;
        name = wh_cap_name(i);
        wh_buf_printf(out, "%s", some ? "," : "");
        if (name)
            wh_buf_puts(out, name);
        else
            wh_buf_printf(out, "CAP_%u", i);
        some = true;
    }
}

/* Bare where a reader cannot misread it, in double quotes otherwise. One line whatever it contains. */
static void string(struct wh_buf *out, const char *s, bool quoted)
{
    bool bare = !quoted && *s && !strpbrk(s, " \"'(){}[]");

    for (const char *p = s; bare && *p; p++)
        bare = (unsigned char)*p > 0x20 && *p != 0x7f;
    if (bare) {
        wh_buf_escape(out, s, false);
        return;
    }
    wh_buf_puts(out, "\"");
    wh_buf_escape(out, s, true);
    wh_buf_puts(out, "\"");
}

static const char *vec_str(const struct wh_plan *p, const struct wh_vec *v, uint32_t i)
{
    return wh_plan_str(p, ((const wh_off *)wh_plan_at(p, v->off))[i]);
}

/* The text to show for an entry of an environment: without its value where secrets must not go. */
static int env_len(const char *entry, unsigned flags)
{
    return (flags & WH_EXPLAIN_REDACT) ? (int)strcspn(entry, "=") : (int)strlen(entry);
}

static void strings(struct wh_buf *out, const struct wh_plan *p, const struct wh_vec *v, bool env, unsigned flags)
{
    wh_buf_puts(out, "[");
    for (uint32_t i = 0; i < v->n; i++) {
        const char *s = vec_str(p, v, i);

        wh_buf_puts(out, i ? ", " : "");
        if (env && (flags & WH_EXPLAIN_REDACT)) {
            struct wh_buf name = { 0 };

            wh_buf_printf(&name, "%.*s=...", env_len(s, flags), s);
            string(out, name.data ? name.data : "...", true);
            wh_buf_done(&name);
        } else {
            string(out, s, true);
        }
    }
    wh_buf_puts(out, "]");
}

/* Parameters of file systems that are secrets: pass, password and password2 of cifs, secret of ceph, and their like.
 * Those in capitals too, which a kernel may refuse: the failing step is what is logged then. */
static bool is_secret(const char *key)
{
    static const char *const words[] = { "pass", "secret", "token" };

    for (size_t i = 0; i < WH_ELEMENTSOF(words); i++)
        for (const char *p = key; *p; p++)
            if (strncasecmp(p, words[i], strlen(words[i])) == 0)
                return true;
    return strcasecmp(key, "key") == 0;
}

static void params(struct wh_buf *out, const struct wh_plan *p, const struct wh_vec *v, unsigned flags)
{
    for (uint32_t i = 0; i + 1 < v->n; i += 2) {
        const char *key = vec_str(p, v, i), *value = vec_str(p, v, i + 1);

        wh_buf_puts(out, i ? "," : "");
        wh_buf_escape(out, key, true);
        if (value) {
            wh_buf_puts(out, "=");
            wh_buf_escape(out, (flags & WH_EXPLAIN_REDACT) && is_secret(key) ? "..." : value, true);
        }
    }
}

static void slot(struct wh_buf *out, wh_slot s)
{
    static const char *const names[] = { "PROC", "ROOTFS", "CONSOLE", "LISTEN", "TARGET" };
    static const char *const more[] = { "ROOT", "DEVNULL", "MASKFS", "SCRATCH" };

    if (s < WH_SLOT_NS)
        wh_buf_puts(out, names[s]);
    else if (s < WH_SLOT_ROOT)
        wh_buf_printf(out, "NS.%s", wh_ns_name((enum wh_ns)(s - WH_SLOT_NS)));
    else if (s < WH_SLOT_FREE)
        wh_buf_puts(out, more[s - WH_SLOT_ROOT]);
    else
        wh_buf_printf(out, "%u", s);
}

static void mode(struct wh_buf *out, uint32_t v)
{
    if (v & S_IFMT)
        wh_buf_printf(out, "%c 0%o", S_ISCHR(v) ? 'c' : S_ISBLK(v) ? 'b' : S_ISFIFO(v) ? 'p' : '?', v & 07777);
    else
        wh_buf_printf(out, "0%03o", v);
}

struct value {
    uint32_t u32;
    uint64_t u64;
    struct wh_vec vec;
    struct wh_bytes bytes;
};

static struct value load(const struct wh_step *s, const struct wh_field *f)
{
    const char *at = (const char *)s + f->off;
    struct value v = { 0 };

    memcpy(&v.u32, at, sizeof v.u32);
    switch ((enum wh_field_kind)f->kind) {
    case WH_FK_U64:
    case WH_FK_U64NZ:
    case WH_FK_MATTR:
    case WH_FK_CAPS:
        memcpy(&v.u64, at, sizeof v.u64);
        break;
    case WH_FK_STRV:
    case WH_FK_ENVV:
    case WH_FK_PARAMS:
    case WH_FK_U32V:
        memcpy(&v.vec, at, sizeof v.vec);
        break;
    case WH_FK_BLOB:
        memcpy(&v.bytes, at, sizeof v.bytes);
        break;
    default:
        break;
    }
    return v;
}

/* One field by its kind. `quoted`: the template has the quotes. Writes nothing for what is not there. */
static void field(struct wh_buf *out, const struct wh_plan *p, const struct wh_step *s, const struct wh_field *f,
                  unsigned flags, bool quoted)
{
    struct value v = load(s, f);

    switch ((enum wh_field_kind)f->kind) {
    case WH_FK_U32:
        if (s->op == WH_OP_HOOK && !v.u32 && f->off == offsetof(struct wh_step_hook, timeout))
            wh_buf_puts(out, "none");
        else
            wh_buf_printf(out, "%u", v.u32);
        break;
    case WH_FK_I32:
        wh_buf_printf(out, "%d", (int32_t)v.u32);
        break;
    case WH_FK_U64:
        if (v.u64 == UINT64_MAX)
            wh_buf_puts(out, "unlimited");
        else
            wh_buf_printf(out, "%" PRIu64, v.u64);
        break;
    case WH_FK_I32NZ:
        if (v.u32)
            wh_buf_printf(out, "%d", (int32_t)v.u32);
        break;
    case WH_FK_U64NZ:
        if (v.u64)
            wh_buf_printf(out, "%" PRIu64, v.u64);
        break;
    case WH_FK_SCHED:
        if (v.u32 != WH_SCHED_KEEP)
            wh_buf_printf(out, " %s", wh_word_of(WH_WORDS_SCHED_POLICY, v.u32));
        break;
    case WH_FK_SCHEDFLAGS:
        spec_words(out, WH_WORDS_SCHED_FLAG, v.u32);
        break;
    case WH_FK_IOPRIO:
        if (v.u32)
            wh_buf_printf(out, " %s %u", wh_word_of(WH_WORDS_IOPRIO, v.u32 >> WH_IOPRIO_CLASS_SHIFT),
                          v.u32 & ((1u << WH_IOPRIO_CLASS_SHIFT) - 1));
        break;
    case WH_FK_MPOL:
        wh_buf_puts(out, wh_word_of(WH_WORDS_MPOL, v.u32));
        break;
    case WH_FK_MPOLFLAGS:
        spec_words(out, WH_WORDS_MPOL_FLAG, v.u32);
        break;
    case WH_FK_RDTMODE:
        wh_buf_puts(out, v.u32 == WH_RDT_OWN    ? "made and removed with the container"
                         : v.u32 == WH_RDT_JOIN ? "which must be there"
                                                : "made if it is missing");
        break;
    case WH_FK_LSMATTR:
        /* Back-quoted: engines find it by that (podman, libpod/oci_util.go). */
        wh_buf_printf(out, "`/proc/%s`",
                      v.u32 == WH_LSM_APPARMOR    ? WH_LSM_APPARMOR_PATH
                      : v.u32 == WH_LSM_KEYCREATE ? WH_LSM_KEYCREATE_PATH
                                                  : WH_LSM_SELINUX_PATH);
        break;
    case WH_FK_HEX:
        wh_buf_printf(out, "0x%x", v.u32);
        break;
    case WH_FK_MODE:
        mode(out, v.u32);
        break;
    case WH_FK_REC:
        wh_buf_puts(out, v.u32 ? " recursive" : "");
        break;
    case WH_FK_NOFOLLOW:
        wh_buf_puts(out, v.u32 ? " nofollow" : "");
        break;
    case WH_FK_NOCRLF:
        wh_buf_puts(out, v.u32 ? " without ONLCR" : "");
        break;
    case WH_FK_DEVCONSOLE:
        wh_buf_puts(out, v.u32 ? " and /dev/console" : "");
        break;
    case WH_FK_RLIMIT:
        wh_buf_puts(out, wh_rlimit_name((int)v.u32));
        break;
    case WH_FK_NSFLAGS:
        words(out, ns_words, WH_ELEMENTSOF(ns_words), v.u32, "|");
        break;
    case WH_FK_PROP:
        words(out, prop_words, WH_ELEMENTSOF(prop_words), v.u32, "|");
        break;
    case WH_FK_MATTR:
        words(out, attr_words, WH_ELEMENTSOF(attr_words), v.u64, ",");
        break;
    case WH_FK_CAPS:
        caps(out, v.u64);
        break;
    case WH_FK_SECFLAGS:
        words(out, sec_words, WH_ELEMENTSOF(sec_words), v.u32, ",");
        break;
    case WH_FK_NOTIFY:
        wh_buf_puts(out, v.u32 ? ", with a listener" : "");
        break;
    case WH_FK_MAKE:
        wh_buf_puts(out, v.u32 ? ", made if missing" : "");
        break;
    case WH_FK_FOREGROUND:
        wh_buf_puts(out, v.u32 ? ", in the foreground of its terminal" : "");
        break;
    case WH_FK_CGWFLAGS:
        if (v.u32) {
            wh_buf_puts(out, ", ");
            words(out, cgroup_write_words, WH_ELEMENTSOF(cgroup_write_words), v.u32, ", ");
        }
        break;
    case WH_FK_HOOKKIND:
        wh_buf_puts(out, v.u32 < WH_HOOK_MAX ? hook_names[v.u32] : "unknown");
        break;
    case WH_FK_ATTACHFLAGS:
        if (v.u32) {
            wh_buf_puts(out, " (");
            words(out, attach_words, WH_ELEMENTSOF(attach_words), v.u32, ", ");
            wh_buf_puts(out, ")");
        }
        break;
    case WH_FK_STR:
    case WH_FK_STRN:
    case WH_FK_HPATH:
    case WH_FK_CPATH:
        if (!v.u32)
            break;
        if (quoted)
            wh_buf_escape(out, wh_plan_str(p, v.u32), true);
        else
            string(out, wh_plan_str(p, v.u32), false);
        break;
    case WH_FK_STRV:
        strings(out, p, &v.vec, false, flags);
        break;
    case WH_FK_ENVV:
        /* The runtime's own environment does not get into a container. */
        if (s->op == WH_OP_HOOK && !((const struct wh_step_hook *)s)->env_set)
            wh_buf_puts(out, ((const struct wh_step_hook *)s)->kind == WH_HOOK_CREATE_CONTAINER  ? "[]"
                             : ((const struct wh_step_hook *)s)->kind == WH_HOOK_START_CONTAINER ? "of the process"
                                                                                                 : "inherited");
        else
            strings(out, p, &v.vec, true, flags);
        break;
    case WH_FK_PARAMS:
        params(out, p, &v.vec, flags);
        break;
    case WH_FK_U32V:
        for (uint32_t i = 0; i < v.vec.n; i++)
            wh_buf_printf(out, "%s%u", i ? "," : "", ((const uint32_t *)wh_plan_at(p, v.vec.off))[i]);
        if (v.vec.n == 0)
            wh_buf_puts(out, "none");
        break;
    case WH_FK_BLOB:
        wh_buf_printf(out, "%u instructions", v.bytes.len / 8);
        break;
    case WH_FK_SLOTIN:
    case WH_FK_SLOTOUT:
        slot(out, v.u32);
        break;
    }
}

/* One op, of which two modes pivot and one does not. */
static const char *template_of(const struct wh_step *s)
{
    if (s->op == WH_OP_PIVOT && ((const struct wh_step_pivot *)s)->mode == 2)
        return "chroot to the rootfs";
    return wh_optext(s->op)->tmpl;
}

void wh_explain_step(const struct wh_plan *plan, const struct wh_step *step, unsigned flags, struct wh_buf *out)
{
    const struct wh_optext *t = wh_optext(step->op);
    const struct wh_opinfo *info = wh_opinfo(step->op);
    const char *p = template_of(step), *open;
    bool first = true;

    while ((open = strchr(p, '{'))) {
        size_t literal = (size_t)(open - p), len = strcspn(open + 1, "}"), before, after;
        /* Between quotes; a suffix after the closing one is not. */
        bool quoted = literal && open[-1] == '"' && open[1 + len] && open[2 + len] == '"';
        unsigned i = 0;

        while (i < info->nfields && (strncmp(t->fields[i], open + 1, len) != 0 || t->fields[i][len]))
            i++;
        before = out->len;
        wh_buf_add(out, p, literal);
        after = out->len;
        if (i < info->nfields)
            field(out, plan, step, &info->fields[i], flags, quoted);
        p = open + len + 2;
        /* What is not there takes the words that introduce it along; those of optional suffixes have none. */
        if (out->len == after && !first && literal && (quoted || open[-1] == ' ') && !out->failed) {
            out->len = before;
            out->data[before] = 0;
            p += quoted && *p == '"';
        }
        first = false;
    }
    wh_buf_puts(out, p);
    if (!out->failed && out->len && out->data[out->len - 1] == ' ')
        out->data[--out->len] = 0;
}

/* ---- whole plans ---- */

/* The phase of the steps, as verify sees it: B begins after CLONE_B, C after READY or (exec) with its first own step. */
static char phase_of(char phase, const struct wh_step *s)
{
    unsigned may = wh_opinfo(s->op)->phases;

    return phase == 'B' && !(may & WH_PH_B) && (may & WH_PH_C) ? 'C' : phase;
}
static char phase_after(char phase, const struct wh_step *s)
{
    return s->op == WH_OP_CLONE_B ? 'B' : s->op == WH_OP_READY ? 'C' : phase;
}

/* What the configuration asks for and the step does not do, because this host cannot; false when there is nothing. */
static bool note(const struct wh_spec *spec, const struct wh_step *s, struct wh_buf *out)
{
    /* With the process of another file, the configuration's is not what these steps are made of. */
    const struct wh_caps *want = spec && spec->process && !spec->exec ? &spec->process->capabilities : NULL;
    uint64_t missing = 0;

    if (!want)
        return false;
    if (s->op == WH_OP_BOUNDING)
        missing = want->bounding.mask & ~((const struct wh_step_bounding *)s)->caps;
    else if (s->op == WH_OP_CAPS)
        missing = (want->permitted.mask & ~((const struct wh_step_caps *)s)->permitted) |
                  (want->effective.mask & ~((const struct wh_step_caps *)s)->effective) |
                  (want->inheritable.mask & ~((const struct wh_step_caps *)s)->inheritable);
    else if (s->op == WH_OP_AMBIENT)
        missing = want->ambient.mask & ~((const struct wh_step_ambient *)s)->caps;
    if (!missing)
        return false;
    caps(out, missing);
    wh_buf_puts(out, s->op == WH_OP_AMBIENT ? " cannot be ambient: not permitted and inheritable"
                                            : " cannot be granted by this host");
    return true;
}

static void place(const struct wh_spec *spec, const struct wh_step *s, struct wh_buf *out)
{
    char pointer[256];

    if (!s->src)
        return;
    if (spec && spec->one_line)
        wh_buf_printf(out, "   (%s: %s)", wh_spec_file(spec, s->src),
                      wh_spec_pointer(spec, s->src, pointer, sizeof pointer));
    else if (spec)
        wh_buf_printf(out, "   (%s:%u: %s)", wh_spec_file(spec, s->src), s->src_line,
                      wh_spec_pointer(spec, s->src, pointer, sizeof pointer));
    else
        wh_buf_printf(out, "   (line %u)", s->src_line);
}

struct walk {
    const struct wh_plan *plan;
    const struct wh_spec *spec;
    unsigned flags;
    struct wh_buf *out;
    struct wh_json json;
    uint16_t soft; /* of the soft step before */
    bool alt; /* the step before was an alternative */
};

static void text_line(struct walk *w, const struct wh_step *s, uint32_t n, char phase)
{
    const struct wh_step *next = wh_step_next(s);
    struct wh_buf *out = w->out;

    if (phase == 'H')
        wh_buf_puts(out, "    - H  ");
    else
        wh_buf_printf(out, "%5u %c  ", n, phase);
    if (s->flags & WH_STEP_ALT) {
        if (w->alt) {
            wh_buf_puts(out, "  then ");
        } else {
            wh_buf_puts(out, "  else, if ");
            words(out, soft_words, WH_ELEMENTSOF(soft_words), w->soft, ", ");
            wh_buf_puts(out, ": ");
        }
    }
    wh_explain_step(w->plan, s, w->flags, out);
    if (s->soft && (n + 1 >= w->plan->nsteps || !(next->flags & WH_STEP_ALT))) {
        wh_buf_puts(out, "; skipped if ");
        words(out, soft_words, WH_ELEMENTSOF(soft_words), s->soft, ", ");
    }
    place(w->spec, s, out);
    wh_buf_puts(out, "\n");

    struct wh_buf text = { 0 };

    if (note(w->spec, s, &text) && text.data)
        wh_buf_printf(out, "           note: %s\n", text.data);
    wh_buf_done(&text);
}

static void json_field(struct walk *w, const struct wh_step *s, const struct wh_field *f, const char *name)
{
    struct value v = load(s, f);
    struct wh_buf text = { 0 };

    switch ((enum wh_field_kind)f->kind) {
    case WH_FK_U32:
        wh_json_u64(&w->json, name, v.u32);
        return;
    case WH_FK_I32:
    case WH_FK_I32NZ:
        wh_json_i64(&w->json, name, (int32_t)v.u32);
        return;
    case WH_FK_U64:
    case WH_FK_U64NZ:
        wh_json_u64(&w->json, name, v.u64);
        return;
    case WH_FK_REC:
    case WH_FK_NOFOLLOW:
    case WH_FK_NOCRLF:
    case WH_FK_DEVCONSOLE:
    case WH_FK_NOTIFY:
    case WH_FK_MAKE:
    case WH_FK_FOREGROUND:
        wh_json_bool(&w->json, name, v.u32);
        return;
    case WH_FK_BLOB:
        wh_json_u64(&w->json, name, v.bytes.len / 8);
        return;
    case WH_FK_STR:
    case WH_FK_STRN:
    case WH_FK_HPATH:
    case WH_FK_CPATH:
        if (v.u32)
            wh_json_str(&w->json, name, wh_plan_str(w->plan, v.u32));
        return;
    case WH_FK_U32V:
        wh_json_open(&w->json, name, '[');
        for (uint32_t i = 0; i < v.vec.n; i++)
            wh_json_u64(&w->json, NULL, ((const uint32_t *)wh_plan_at(w->plan, v.vec.off))[i]);
        wh_json_close(&w->json, ']');
        return;
    case WH_FK_STRV:
    case WH_FK_ENVV:
        wh_json_open(&w->json, name, '[');
        for (uint32_t i = 0; i < v.vec.n; i++) {
            const char *entry = vec_str(w->plan, &v.vec, i);

            if (f->kind == WH_FK_ENVV && (w->flags & WH_EXPLAIN_REDACT)) {
                wh_buf_printf(&text, "%.*s=...", env_len(entry, w->flags), entry);
                wh_json_str(&w->json, NULL, text.data ? text.data : "");
                wh_buf_done(&text);
            } else {
                wh_json_str(&w->json, NULL, entry);
            }
        }
        wh_json_close(&w->json, ']');
        return;
    default:
        field(&text, w->plan, s, f, w->flags, true);
        wh_json_str(&w->json, name, text.data ? text.data : "");
        wh_buf_done(&text);
        return;
    }
}

static void json_step(struct walk *w, const struct wh_step *s, uint32_t n, char phase)
{
    const struct wh_optext *t = wh_optext(s->op);
    const struct wh_opinfo *info = wh_opinfo(s->op);
    struct wh_buf text = { 0 };
    char pointer[256];

    wh_json_open(&w->json, NULL, '{');
    if (phase != 'H')
        wh_json_u64(&w->json, "step", n);
    wh_json_str(&w->json, "phase", (char[]){ phase, 0 });
    wh_json_str(&w->json, "op", t->name);
    wh_explain_step(w->plan, s, w->flags, &text);
    wh_json_str(&w->json, "text", text.data ? text.data : "");
    wh_buf_done(&text);
    wh_json_open(&w->json, "args", '{');
    for (unsigned i = 0; i < info->nfields; i++)
        json_field(w, s, &info->fields[i], t->fields[i]);
    wh_json_close(&w->json, '}');
    if (s->src && w->spec)
        wh_json_str(&w->json, "src", wh_spec_pointer(w->spec, s->src, pointer, sizeof pointer));
    if (s->src)
        wh_json_u64(&w->json, "line", s->src_line);
    wh_json_bool(&w->json, "alt", s->flags & WH_STEP_ALT);
    if (s->soft) {
        words(&text, soft_words, WH_ELEMENTSOF(soft_words), s->soft, ", ");
        wh_json_str(&w->json, "soft", text.data ? text.data : "");
        wh_buf_done(&text);
    }
    if (note(w->spec, s, &text))
        wh_json_str(&w->json, "note", text.data ? text.data : "");
    wh_buf_done(&text);
    wh_json_close(&w->json, '}');
}

void wh_explain(const struct wh_plan *plan, const struct wh_spec *spec, unsigned flags, struct wh_buf *out)
{
    struct walk w = { .plan = plan, .spec = spec, .flags = flags, .out = out, .json = { .out = out, .indent = 2 } };
    void (*one)(struct walk *, const struct wh_step *, uint32_t, char) =
        flags & WH_EXPLAIN_JSON ? json_step : text_line;
    const struct wh_step *s;
    char phase = 'A';

    if (flags & WH_EXPLAIN_JSON)
        wh_json_open(&w.json, NULL, '[');
    s = wh_plan_first_host(plan);
    for (uint32_t i = 0; i < plan->nhost; i++, s = wh_step_next(s))
        one(&w, s, UINT32_MAX - 1, 'H');
    s = wh_plan_first(plan);
    for (uint32_t i = 0; i < plan->nsteps; i++, s = wh_step_next(s)) {
        phase = phase_of(phase, s);
        one(&w, s, i, phase);
        phase = phase_after(phase, s);
        w.alt = s->flags & WH_STEP_ALT;
        if (!w.alt)
            w.soft = s->soft;
    }
    if (flags & WH_EXPLAIN_JSON) {
        wh_json_close(&w.json, ']');
        wh_buf_puts(out, "\n");
    }
}
