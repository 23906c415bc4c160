/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>

#include "plan/hints.h"
#include "plan/text.h"

const char *wh_site_name(uint32_t site)
{
    switch (site) {
#define SITE(NAME, text)                                                                                               \
    case WH_SITE_##NAME:                                                                                               \
        return text;
#include "abi/sites.def"
#undef SITE
    default:
        return "unknown call";
    }
}

/* A step's text is for a sentence here: longer ones (environments) are cut. */
#define SUBJECT_MAX 240u

struct subject {
    unsigned op; /* 0 when it is not known */
    const char *fstype;
    const char *exec; /* the executable, of EXEC_CHECK and EXEC */
    char text[SUBJECT_MAX];
};

static void cut(char *to, size_t size, const char *s, size_t len)
{
    if (len < size) {
        memcpy(to, s, len);
        to[len] = 0;
        return;
    }
    len = size - 4;
    /* Not in the middle of a UTF-8 sequence. */
    while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
        len--;
    memcpy(to, s, len);
    memcpy(to + len, "...", 4);
}

/* ---- the subject, from the plan ---- */

/* Where the mount in the slot will be attached, or null. */
static const char *target_of(const struct wh_plan *plan, uint32_t n, wh_slot mount)
{
    const struct wh_step *s = wh_plan_step(plan, n);

    for (; s && n < plan->nsteps; n++, s = wh_step_next(s)) {
        const struct wh_step_attach *a = (const struct wh_step_attach *)s;

        if (s->op == WH_OP_ATTACH && a->mount == mount)
            return wh_plan_str(plan, a->dst);
    }
    return NULL;
}

/* A mount is made by several steps; people think of one. */
static bool mount_subject(const struct wh_plan *plan, uint32_t n, const struct wh_step *s, struct subject *ret,
                          struct wh_buf *out)
{
    const struct wh_step_mount_fs *fs = (const struct wh_step_mount_fs *)s;
    const struct wh_step_mount_bind *bind = (const struct wh_step_mount_bind *)s;
    const struct wh_step_ask_mount *ask = (const struct wh_step_ask_mount *)s;
    const struct wh_step_mount_attr *attr = (const struct wh_step_mount_attr *)s;
    const char *on, *verb, *what;

    switch (s->op) {
    case WH_OP_MOUNT_FS:
        verb = "mount ", what = ret->fstype = wh_plan_str(plan, fs->fstype);
        on = target_of(plan, n, fs->mount);
        break;
    case WH_OP_MOUNT_BIND:
        verb = "bind ", what = wh_plan_str(plan, bind->source);
        on = target_of(plan, n, bind->mount);
        break;
    case WH_OP_ASK_MOUNT:
        verb = "bind ", what = wh_plan_str(plan, ask->source);
        on = target_of(plan, n, ask->mount);
        break;
    case WH_OP_MOUNT_ATTR:
        verb = "set attributes of the mount", what = "";
        on = target_of(plan, n, attr->mount);
        break;
    default:
        return false;
    }
    if (!on)
        return false;
    wh_buf_puts(out, verb);
    wh_buf_escape(out, what, false);
    wh_buf_puts(out, " on ");
    wh_buf_escape(out, on, false);
    return true;
}

static const struct wh_step *subject_of(const struct wh_plan *plan, uint32_t n, struct subject *ret)
{
    const struct wh_step *s = wh_plan_step(plan, n);
    WH_CLEANUP_BUF struct wh_buf out = { 0 };

    if (!s) {
        snprintf(ret->text, sizeof ret->text, "step %u, which the plan does not have", n);
        return NULL;
    }
    ret->op = s->op;
    if (s->op == WH_OP_EXEC_CHECK)
        ret->exec = wh_plan_str(plan, ((const struct wh_step_exec_check *)s)->arg0);
    if (s->op == WH_OP_EXEC)
        ret->exec = wh_plan_str(plan, *(const wh_off *)wh_plan_at(plan, ((const struct wh_step_exec *)s)->args.off));
    /* What a hint depends on: there it is the name of the file. */
    if (s->op == WH_OP_SYSCTL)
        ret->fstype = strrchr(wh_plan_str(plan, ((const struct wh_step_sysctl *)s)->path), '/');
    if (s->op == WH_OP_SYSCTL && ret->fstype)
        ret->fstype++;
    if (!mount_subject(plan, n, s, ret, &out))
        wh_explain_step(plan, s, WH_EXPLAIN_REDACT, &out);
    cut(ret->text, sizeof ret->text, out.data ? out.data : "", out.len);
    return s;
}

/* ---- the subject, from the text saved at create ---- */

/* The op whose template begins like the text; the longest such beginning wins. */
static unsigned op_of(const char *text)
{
    size_t best = 0;
    unsigned op = 0;

    for (unsigned i = WH_OP_NONE + 1; i < WH_OP_MAX; i++) {
        const struct wh_optext *t = wh_optext(i);
        size_t len = strcspn(t->tmpl, "{");

        if (len > best && strncmp(text, t->tmpl, len) == 0) {
            best = len;
            op = i;
        }
    }
    return op;
}

/* "   57 C  text   (config.json:9: /process/args)": true if the line is that of step n; its parts. */
static bool parse_line(const char *line, size_t len, uint32_t n, const char **text, size_t *text_len,
                       const char **place, size_t *place_len)
{
    size_t i = 0, digits;
    uint64_t v = 0;

    while (i < len && line[i] == ' ')
        i++;
    for (digits = i; i < len && line[i] >= '0' && line[i] <= '9' && i - digits < 6; i++)
        v = v * 10 + (uint64_t)(line[i] - '0');
    if (i == digits || v != n || len - i < 4 || line[i] != ' ' || line[i + 1] < 'A' || line[i + 1] > 'C' ||
        line[i + 2] != ' ' || line[i + 3] != ' ')
        return false;
    i += 4;
    /* "else, if EPERM: " and "then " are of the list, not of the step. */
    while (i < len && line[i] == ' ')
        i++;
    if (len - i > 5 && memcmp(line + i, "then ", 5) == 0) {
        i += 5;
    } else if (len - i > 9 && memcmp(line + i, "else, if ", 9) == 0) {
        const char *colon = memchr(line + i, ':', len - i);

        if (colon)
            i = (size_t)(colon - line) + 2;
    }
    if (i >= len)
        return false;
    *text = line + i;
    *text_len = len - i;
    *place_len = 0;
    if (line[len - 1] != ')')
        return true;
    /* The last one: the text before it may have brackets of its own. */
    for (size_t k = len - 1; k >= i + 4; k--)
        if (memcmp(line + k - 4, "   (", 4) == 0) {
            *text_len = k - 4 - i;
            *place = line + k;
            *place_len = len - 1 - k;
            break;
        }
    return true;
}

/* The first argument of "execve ["sh", …" and "find sh in …", as it is spelt there. */
static void exec_from_text(const char *text, char *buf, size_t size)
{
    const char *start = strchr(text, '"'), *end;

    if (!start)
        return;
    for (end = ++start; *end && *end != '"'; end++)
        if (*end == '\\' && end[1])
            end++;
    cut(buf, size, start, (size_t)(end - start));
}

/* ---- the sentence ---- */

/* How runc words the failures of args[0]; engines make exit codes of it. */
static bool exec_sentence(const char *name, const struct wh_failure *f, const char *detail, struct wh_buf *out)
{
    char words[WH_ERRTEXT_SIZE];
    int err = f->err;

    switch (f->site) {
    case WH_SITE_EXEC_NOT_FOUND:
        wh_buf_printf(out, "exec: \"%s\": executable file not found in $PATH", name);
        return true;
    case WH_SITE_EXEC_STAT:
        wh_buf_printf(out, "exec: \"%s\": stat %s: %s", name, *detail ? detail : name, wh_errno_words(err, words));
        return true;
    case WH_SITE_EXEC_IS_DIR:
        /* The errno of execve, which engines know as 126; their tables for EISDIR differ. */
        wh_buf_printf(out, "exec: \"%s\": %s (it is a directory)", name, wh_errno_words(EACCES, words));
        return true;
    case WH_SITE_EXEC_NO_X:
    case WH_SITE_EXEC_NOEXEC_MOUNT:
        err = EACCES;
        break;
    case WH_SITE_EXEC_FORMAT:
    case WH_SITE_EXEC_ARCH:
        err = ENOEXEC;
        break;
    case WH_SITE_EXEC_SHEBANG:
    case WH_SITE_EXEC_SHEBANG_CRLF:
    case WH_SITE_EXEC_LOADER:
        if (!err)
            err = ENOENT;
        break;
    case WH_SITE_EXECVE:
        break;
    default:
        return false;
    }
    wh_buf_printf(out, "exec: \"%s\": %s", name, wh_errno_words(err, words));
    return true;
}

/* A path that the text has as the beginning of a longer one is not named by it. */
static bool names(const char *text, const char *path)
{
    size_t len = strlen(path);

    for (const char *at = strstr(text, path); at; at = strstr(at + 1, path))
        if (at[len] != '/')
            return true;
    return false;
}

static void render(const struct subject *s, const char *place, const struct wh_failure *f, struct wh_err *err)
{
    WH_CLEANUP_BUF struct wh_buf out = { 0 }, detail = { 0 };
    char words[WH_ERRTEXT_SIZE], name[128] = "";
    const char *said, *site = wh_site_name(f->site), *hint = wh_hint(s->op, f->site, f->err, s->fstype);
    bool exec = s->op == WH_OP_EXEC_CHECK || s->op == WH_OP_EXEC;

    wh_buf_puts(&detail, "");
    if (f->detail)
        wh_buf_escape(&detail, f->detail, false);
    said = detail.data ? detail.data : "";
    if (exec && s->exec) {
        WH_CLEANUP_BUF struct wh_buf escaped = { 0 };

        wh_buf_escape(&escaped, s->exec, true);
        cut(name, sizeof name, escaped.data ? escaped.data : "", escaped.len);
    } else if (exec) {
        exec_from_text(s->text, name, sizeof name);
    }
    if (!exec || !exec_sentence(name, f, said, &out)) {
        /* Engines' users know this from runc; the attribute follows in back-quotes, which engines look for. */
        if (s->op == WH_OP_LSM_EXEC && strstr(s->text, WH_LSM_APPARMOR_PATH))
            wh_buf_puts(&out, "apparmor failed to apply profile: ");
        wh_buf_puts(&out, s->text);
        /* "setsid: setsid: …" says nothing more. */
        if (f->site != WH_SITE_NONE && !wh_startswith(s->text, site))
            wh_buf_printf(&out, ": %s", site);
        wh_buf_printf(&out, ": %s", wh_errno_words(f->err, words));
    }
    /* Most often the path that failed, and the step may have named it. */
    if (*said && out.data && f->site != WH_SITE_EXEC_STAT && !names(out.data, said))
        wh_buf_printf(&out, ": %s", said);
    if (hint)
        wh_buf_printf(&out, " (%s)", hint);
    wh_err_set(err, WH_ERR_STEP, f->err > 0 ? -f->err : -EIO, place, "%s", out.data ? out.data : s->text);
}

void wh_render_failure(const struct wh_plan *plan, const struct wh_spec *spec, const struct wh_failure *f,
                       struct wh_err *err)
{
    struct subject s = { 0 };
    const struct wh_step *step = subject_of(plan, f->step, &s);
    char place[sizeof err->path] = "";

    if (step && step->src && spec)
        wh_spec_where(spec, step->src, place, sizeof place);
    else if (step && step->src_line)
        snprintf(place, sizeof place, "line %u", step->src_line);
    render(&s, place, f, err);
}

static bool line_of(const char *steps_txt, size_t len, uint32_t step, const char **text, size_t *text_len,
                    const char **at, size_t *at_len)
{
    const char *end = steps_txt + len;

    for (const char *line = steps_txt; line < end;) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((eol ? eol : end) - line);

        if (n && parse_line(line, n, step, text, text_len, at, at_len))
            return true;
        line += n + 1;
    }
    return false;
}

bool wh_step_text(const char *steps_txt, size_t len, uint32_t step, char *ret, size_t size)
{
    const char *text, *at;
    size_t text_len, at_len;

    if (!line_of(steps_txt, len, step, &text, &text_len, &at, &at_len))
        return false;
    cut(ret, size, text, text_len);
    return true;
}

void wh_render_failure_text(const char *steps_txt, size_t len, const struct wh_failure *f, struct wh_err *err)
{
    const char *text = NULL, *at = NULL;
    char place[sizeof err->path] = "";
    struct subject s = { 0 };
    size_t text_len = 0, place_len = 0;

    if (line_of(steps_txt, len, f->step, &text, &text_len, &at, &place_len)) {
        cut(s.text, sizeof s.text, text, text_len);
        s.op = op_of(s.text);
    } else {
        snprintf(s.text, sizeof s.text, "step %u", f->step);
    }
    if (place_len)
        cut(place, sizeof place, at, place_len);
    render(&s, place, f, err);
}
