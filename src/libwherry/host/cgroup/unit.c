/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/cgroup/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/cgroup/internal.h"
#include "host/waits.h"

#define MANAGER "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_IFACE "org.freedesktop.systemd1.Manager"
#define UNIT_EXISTS "org.freedesktop.systemd1.UnitExists"
#define NO_SUCH_UNIT "org.freedesktop.systemd1.NoSuchUnit"
#define JOB_REMOVED                                                                                                    \
    "type='signal',sender='" MANAGER "',path='" MANAGER_PATH "',interface='" MANAGER_IFACE "',member='JobRemoved'"

/* One conversation. */
struct talk {
    const struct wh_sdbus *sd;
    const struct wh_unit_ref *unit;
    const char *verb; /* for messages: what is done to the unit */
    sd_bus *bus;
    sd_bus_message *reply; /* of the last call; the error is its own */
    struct wh_sdbus_error error; /* of the last call that the other side refused */
    int64_t deadline;
};

static void forget(struct talk *t)
{
    if (t->reply)
        t->sd->sd_bus_message_unref(t->reply);
    t->reply = NULL;
    t->error = (struct wh_sdbus_error){ 0 };
}

static void talk_done(struct talk *t)
{
    forget(t);
    if (t->bus)
        t->sd->sd_bus_close_unref(t->bus);
    t->bus = NULL;
}
#define CLEANUP_TALK __attribute__((cleanup(talk_done)))

/* sd_bus_wait(3) and sd_bus_call(3) would look at the bus alone: who has cancelled must not wait for it. */
static int wait_bus(const struct talk *t)
{
    int fd = t->sd->sd_bus_get_fd(t->bus), events = t->sd->sd_bus_get_events(t->bus);
    int64_t end = t->deadline;
    uint64_t usec;
    int r;

    if (fd < 0 || events < 0)
        return fd < 0 ? fd : events;
    r = t->sd->sd_bus_get_timeout(t->bus, &usec);
    if (r < 0)
        return r;
    if (usec != UINT64_MAX && (int64_t)(usec / 1000) < end)
        end = (int64_t)(usec / 1000) + 1;
    r = wh_wait_fd(fd, (short)events, t->unit->cancel_fd, end);
    return r == -ETIMEDOUT ? 0 : r;
}

/* Lets the connection work until something was done. 1, 0 at the deadline, -ECANCELED, -errno. *ret: a message that came, or null. */
static int work(struct talk *t, sd_bus_message **ret)
{
    int r;

    *ret = NULL;
    for (;;) {
        /* First, because a bus that always has something to tell would keep us as well. */
        if (wh_wait_fd(-1, 0, t->unit->cancel_fd, 0) == -ECANCELED)
            return -ECANCELED;
        if (wh_cg_left(t->deadline) == 0)
            return 0;
        r = t->sd->sd_bus_process(t->bus, ret);
        if (r != 0)
            return r;
        r = wait_bus(t);
        if (r < 0)
            return r;
    }
}

static int unreachable(const struct talk *t, int r, struct wh_err *err)
{
    if (r == -ECANCELED)
        wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
    else
        wh_err_sys(err, r, "reach systemd at %s", t->unit->address ? t->unit->address : "the user's bus");
    /* One whose backlog is full (-EAGAIN) is there. */
    return r == -ETIMEDOUT || r == -ECANCELED || r == -EAGAIN ? r : -ECONNREFUSED;
}

/* Lets it work once, and drops what came. 1, -ETIMEDOUT at the deadline, -errno. */
static int work_on(struct talk *t)
{
    sd_bus_message *m;
    int r = work(t, &m);

    if (m)
        t->sd->sd_bus_message_unref(m);
    return r == 0 ? -ETIMEDOUT : r;
}

static int connect_bus(struct talk *t, int timeout_ms, struct wh_err *err)
{
    int64_t end = wh_cg_now() + timeout_ms;
    int r;

    t->deadline = wh_cg_now() + (wh_waits.peer < timeout_ms ? wh_waits.peer : timeout_ms);
    if (!t->unit->address) {
        wh_err_set(err, WH_ERR_HOST, -ENOMEDIUM, NULL,
                   "the bus of this user's systemd is not known: set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR");
        return -ECONNREFUSED;
    }
    r = t->sd->sd_bus_new(&t->bus);
    if (r >= 0)
        r = t->sd->sd_bus_set_address(t->bus, t->unit->address);
    if (r >= 0)
        r = t->sd->sd_bus_set_bus_client(t->bus, 1);
    if (r >= 0)
        r = t->sd->sd_bus_start(t->bus);
    /* Not left to the first call: sd-bus would wait for authentication with a timeout of its own, 90 s. */
    while (r >= 0 && (r = t->sd->sd_bus_is_ready(t->bus)) == 0)
        r = work_on(t);
    t->deadline = end;
    return r < 0 ? unreachable(t, r, err) : 0;
}

static int on_reply(sd_bus_message *m, void *data, struct wh_sdbus_error *ret)
{
    struct talk *t = data;

    (void)ret;
    t->reply = t->sd->sd_bus_message_ref(m);
    return 1;
}

/* Sends m, which it takes. 0 and *ret_reply (may be null), or -errno with t->error set if the other side refused. What comes before the reply is
 * dropped: systemd tells the end of a job after it has named it. */
static int call(struct talk *t, sd_bus_message *m, sd_bus_message **ret_reply)
{
    const struct wh_sdbus_error *refusal;
    sd_bus_slot *slot = NULL;
    int r;

    forget(t);
    /* The deadline is ours; 0 would be sd-bus's own default. */
    r = t->sd->sd_bus_call_async(t->bus, &slot, m, on_reply, t, ((uint64_t)wh_cg_left(t->deadline) + 1000) * 1000);
    t->sd->sd_bus_message_unref(m);
    while (r >= 0 && !t->reply)
        r = work_on(t);
    if (slot)
        t->sd->sd_bus_slot_unref(slot);
    if (r < 0)
        return r;
    refusal = t->sd->sd_bus_message_get_error(t->reply);
    if (refusal) {
        t->error = *refusal;
        r = t->sd->sd_bus_message_get_errno(t->reply);
        return r > 0 ? -r : -EIO;
    }
    if (ret_reply) {
        *ret_reply = t->reply;
        t->reply = NULL;
    }
    return 0;
}

static int text_call(struct talk *t, const char *destination, const char *path, const char *interface,
                     const char *member, const char *const *v, size_t n, sd_bus_message **ret_reply)
{
    sd_bus_message *m = NULL;
    int r = t->sd->sd_bus_message_new_method_call(t->bus, &m, destination, path, interface, member);

    for (size_t i = 0; r >= 0 && i < n; i++)
        r = t->sd->sd_bus_message_append_basic(m, 's', v[i]);
    if (r < 0) {
        if (m)
            t->sd->sd_bus_message_unref(m);
        return r;
    }
    return call(t, m, ret_reply);
}

#define manager_call(t, member, ret_reply, ...)                                                                        \
    text_call((t), MANAGER, MANAGER_PATH, MANAGER_IFACE, (member), (const char *const[]){ __VA_ARGS__ },               \
              WH_ELEMENTSOF(((const char *const[]){ __VA_ARGS__ })), (ret_reply))

/* Jobs are told to everybody who listens; that we do must be known before there is one. */
static int listen_to_jobs(struct talk *t)
{
    const char *const match[] = { JOB_REMOVED };
    int r = text_call(t, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", match, 1,
                      NULL);

    return r < 0 ? r : text_call(t, MANAGER, MANAGER_PATH, MANAGER_IFACE, "Subscribe", NULL, 0, NULL);
}

static int failed(const struct talk *t, int r, struct wh_err *err)
{
    const char *name = t->unit->name;

    if (r == -ECANCELED)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
    if (r == -ETIMEDOUT)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "%s unit %s: systemd does not answer", t->verb, name);
    if (t->error.name)
        return wh_err_set(err, WH_ERR_HOST, r, NULL, "%s unit %s: systemd: %s (%s)", t->verb, name,
                          t->error.message ? t->error.message : "refused", t->error.name);
    return wh_err_sys(err, r, "%s unit %s", t->verb, name);
}

/* The conversations that wait for a job begin so. */
static int begin(struct talk *t, int timeout_ms, struct wh_err *err)
{
    int r = connect_bus(t, timeout_ms, err);

    if (r < 0)
        return r;
    r = listen_to_jobs(t);
    return r < 0 ? failed(t, r, err) : 0;
}

/* Waits until the job of a reply has ended. Takes the reply. */
static int wait_job(struct talk *t, sd_bus_message *reply, struct wh_err *err)
{
    char job[256] = "", result[64] = "";
    const char *path = NULL;
    int r = t->sd->sd_bus_message_read_basic(reply, 'o', &path);

    if (r > 0)
        snprintf(job, sizeof job, "%s", path);
    t->sd->sd_bus_message_unref(reply);
    if (r <= 0)
        return wh_err_set(err, WH_ERR_HOST, r < 0 ? r : -EBADMSG, NULL,
                          "%s unit %s: systemd's answer is not understood", t->verb, t->unit->name);
    while (!result[0]) {
        const char *of = NULL, *unit, *why = NULL;
        sd_bus_message *m;
        uint32_t id;

        r = work(t, &m);
        if (r == 0)
            return wh_err_set(err, WH_ERR_HOST, -ETIMEDOUT, NULL, "%s unit %s: systemd's job is not done in time",
                              t->verb, t->unit->name);
        if (r == -ECANCELED)
            return wh_err_set(err, WH_ERR_HOST, r, NULL, "canceled");
        if (r < 0)
            return wh_err_sys(err, r, "%s unit %s: the connection to systemd", t->verb, t->unit->name);
        if (!m)
            continue;
        if (t->sd->sd_bus_message_is_signal(m, MANAGER_IFACE, "JobRemoved") > 0 &&
            t->sd->sd_bus_message_read_basic(m, 'u', &id) > 0 && t->sd->sd_bus_message_read_basic(m, 'o', &of) > 0 &&
            wh_streq(of, job) && t->sd->sd_bus_message_read_basic(m, 's', &unit) > 0 &&
            t->sd->sd_bus_message_read_basic(m, 's', &why) > 0)
            snprintf(result, sizeof result, "%s", *why ? why : "unknown");
        t->sd->sd_bus_message_unref(m);
    }
    if (wh_streq(result, "done"))
        return 0;
    return wh_err_set(err, WH_ERR_HOST, -EIO, NULL, "%s unit %s: systemd's job ended with \"%s\" (systemctl status %s)",
                      t->verb, t->unit->name, result, t->unit->name);
}

/* ---------------------------------------------------------------- properties */

static int append_number(const struct wh_sdbus *sd, sd_bus_message *m, char type, const char *text)
{
    bool negative = text[0] == '-';
    uint64_t n, x;
    uint32_t u;

    if (wh_parse_u64(text + negative, UINT64_MAX, &n) < 0)
        return -EINVAL;
    x = negative ? -n : n;
    u = (uint32_t)x;
    return type == 't' || type == 'x' ? sd->sd_bus_message_append_basic(m, type, &x)
                                      : sd->sd_bus_message_append_basic(m, type, &u);
}

/* Of those that compile writes. */
static unsigned digit(char c)
{
    return (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

static int append_bytes(const struct wh_sdbus *sd, sd_bus_message *m, const char *hex)
{
    size_t len = strlen(hex) / 2;
    unsigned char *bytes = malloc(len + 1);
    int r = bytes ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < len; i++)
        bytes[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    if (r == 0)
        r = sd->sd_bus_message_append_array(m, 'y', bytes, len);
    free(bytes);
    return r;
}

static int append_value(const struct wh_sdbus *sd, sd_bus_message *m, const struct wh_unit_prop *p)
{
    int r, on;

    if (wh_streq(p->type, "as")) {
        r = sd->sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && i < p->n; i++)
            r = sd->sd_bus_message_append_basic(m, 's', p->v[i]);
        return r < 0 ? r : sd->sd_bus_message_close_container(m);
    }
    if (wh_streq(p->type, "a(ss)")) {
        r = sd->sd_bus_message_open_container(m, 'a', "(ss)");
        for (size_t i = 0; r >= 0 && i + 1 < p->n; i += 2) {
            r = sd->sd_bus_message_open_container(m, 'r', "ss");
            for (size_t k = i; r >= 0 && k < i + 2; k++)
                r = sd->sd_bus_message_append_basic(m, 's', p->v[k]);
            r = r < 0 ? r : sd->sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd->sd_bus_message_close_container(m);
    }
    if (p->n != 1 || !p->type[0] || (p->type[1] && !wh_streq(p->type, "ay")))
        return -EINVAL;
    switch (p->type[0]) {
    case 'a':
        return append_bytes(sd, m, p->v[0]);
    case 'b':
        on = wh_streq(p->v[0], "true");
        return sd->sd_bus_message_append_basic(m, 'b', &on);
    case 's':
        return sd->sd_bus_message_append_basic(m, 's', p->v[0]);
    case 'i':
    case 'u':
    case 'x':
    case 't':
        return append_number(sd, m, p->type[0], p->v[0]);
    default:
        return -EINVAL;
    }
}

/* ("NAME", <value>), one of a(sv). */
static int open_property(const struct wh_sdbus *sd, sd_bus_message *m, const char *name, const char *type)
{
    int r = sd->sd_bus_message_open_container(m, 'r', "sv");

    if (r >= 0)
        r = sd->sd_bus_message_append_basic(m, 's', name);
    return r < 0 ? r : sd->sd_bus_message_open_container(m, 'v', type);
}

static int close_property(const struct wh_sdbus *sd, sd_bus_message *m)
{
    int r = sd->sd_bus_message_close_container(m);

    return r < 0 ? r : sd->sd_bus_message_close_container(m);
}

static int append_properties(const struct wh_sdbus *sd, sd_bus_message *m, const struct wh_unit_props *props, pid_t pid)
{
    uint32_t pids[1] = { (uint32_t)pid };
    int r = sd->sd_bus_message_open_container(m, 'a', "(sv)");

    if (r >= 0 && pid > 0) {
        r = open_property(sd, m, "PIDs", "au");
        if (r >= 0)
            r = sd->sd_bus_message_append_array(m, 'u', pids, sizeof pids);
        r = r < 0 ? r : close_property(sd, m);
    }
    for (size_t i = 0; r >= 0 && i < props->n; i++) {
        r = open_property(sd, m, props->v[i].name, props->v[i].type);
        if (r >= 0)
            r = append_value(sd, m, &props->v[i]);
        r = r < 0 ? r : close_property(sd, m);
    }
    return r < 0 ? r : sd->sd_bus_message_close_container(m);
}

/* StartTransientUnit(NAME, "fail", properties, no auxiliary units), or SetUnitProperties(NAME, runtime, properties). */
static int properties_call(struct talk *t, bool start, const struct wh_unit_props *props, pid_t pid,
                           sd_bus_message **ret_reply)
{
    const struct wh_sdbus *sd = t->sd;
    sd_bus_message *m = NULL;
    const int runtime = 1;
    int r = sd->sd_bus_message_new_method_call(t->bus, &m, MANAGER, MANAGER_PATH, MANAGER_IFACE,
                                               start ? "StartTransientUnit" : "SetUnitProperties");

    if (r >= 0)
        r = sd->sd_bus_message_append_basic(m, 's', t->unit->name);
    if (r >= 0)
        r = start ? sd->sd_bus_message_append_basic(m, 's', "fail") : sd->sd_bus_message_append_basic(m, 'b', &runtime);
    if (r >= 0)
        r = append_properties(sd, m, props, pid);
    if (r >= 0 && start)
        r = sd->sd_bus_message_open_container(m, 'a', "(sa(sv))");
    if (r >= 0 && start)
        r = sd->sd_bus_message_close_container(m);
    if (r < 0) {
        if (m)
            sd->sd_bus_message_unref(m);
        return r;
    }
    return call(t, m, ret_reply);
}

static bool is_error(const struct talk *t, const char *name)
{
    return t->error.name && wh_streq(t->error.name, name);
}

static bool has_word(const char *text, const char *word)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (const char *s = text; (s = strstr(s, word)) != NULL; s++) {
        const char *end = s + strlen(word);

        if ((s == text || !strchr(letters, s[-1])) && (!*end || !strchr(letters, *end)))
            return true;
    }
    return false;
}

/* systemd's texts name the property ("Cannot set property X, or unknown property."); so its place in the configuration can be told. */
static wh_node refused_property(const struct talk *t, const struct wh_unit_props *props)
{
    wh_node found = 0;

    for (size_t i = 0; t->error.message && i < props->n; i++)
        if (props->v[i].src && has_word(t->error.message, props->v[i].name))
            found = props->v[i].src;
    return found;
}

int wh_unit_start(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, const struct wh_unit_props *props,
                  pid_t pid, int timeout_ms, bool *ret_asked, wh_node *ret_src, struct wh_err *err)
{
    CLEANUP_TALK struct talk t = { .sd = sd, .unit = unit, .verb = "start" };
    sd_bus_message *reply = NULL;
    int r = begin(&t, timeout_ms, err);

    if (r < 0)
        return r;
    *ret_asked = true;
    r = properties_call(&t, true, props, pid, &reply);
    /* Left by a container that failed, and by nobody reset: it has no processes, or this would fail again. */
    if (r < 0 && is_error(&t, UNIT_EXISTS)) {
        r = manager_call(&t, "ResetFailedUnit", NULL, unit->name);
        if (r == 0 || is_error(&t, NO_SUCH_UNIT))
            r = properties_call(&t, true, props, pid, &reply);
    }
    if (r < 0) {
        *ret_src = refused_property(&t, props);
        return failed(&t, is_error(&t, UNIT_EXISTS) ? -EEXIST : r, err);
    }
    return wait_job(&t, reply, err);
}

int wh_unit_set(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, const struct wh_unit_props *props,
                int timeout_ms, wh_node *ret_src, struct wh_err *err)
{
    CLEANUP_TALK struct talk t = { .sd = sd, .unit = unit, .verb = "change" };
    int r = connect_bus(&t, timeout_ms, err);

    if (r < 0)
        return r;
    r = properties_call(&t, false, props, 0, NULL);
    if (r < 0)
        *ret_src = refused_property(&t, props);
    /* systemd answers before it writes the cgroup's files, which it does before it looks at the next message of anybody. */
    if (r == 0)
        r = manager_call(&t, "GetUnit", NULL, unit->name);
    return r < 0 ? failed(&t, r, err) : 0;
}

int wh_unit_stop(const struct wh_sdbus *sd, const struct wh_unit_ref *unit, int timeout_ms, struct wh_err *err)
{
    CLEANUP_TALK struct talk t = { .sd = sd, .unit = unit, .verb = "stop" };
    sd_bus_message *reply = NULL;
    int r = begin(&t, timeout_ms, err);

    if (r < 0)
        return r;
    r = manager_call(&t, "StopUnit", &reply, unit->name, "replace");
    if (r == 0)
        r = wait_job(&t, reply, err);
    else if (!is_error(&t, NO_SUCH_UNIT))
        r = failed(&t, r, err);
    else
        r = 0;
    if (r < 0)
        return r;
    /* A scope whose processes were killed has failed, and stays until somebody says that it was seen. */
    t.verb = "reset";
    r = manager_call(&t, "ResetFailedUnit", NULL, unit->name);
    return r < 0 && !is_error(&t, NO_SUCH_UNIT) ? failed(&t, r, err) : 0;
}
