/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units of systemd, against a bus that is a table of functions: what is said in which order, and what every kind of answer leads to. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/cgroup/unit.h"
#include "host/proc.h"
#include "tap.h"

/* ---------------------------------------------------------------- the other side */

struct sd_bus {
    int unused;
};
struct sd_bus_message {
    char text[2048]; /* a call: what was appended */
    const char *reads[4]; /* an answer or a signal: what can be read */
    unsigned nreads, at;
    bool signal;
    struct wh_sdbus_error error;
    unsigned refs; /* besides the first */
};
struct sd_bus_slot {
    int unused;
};

#define JOB "/org/freedesktop/systemd1/job/7"
#define EXISTS "org.freedesktop.systemd1.UnitExists"
#define NOT_THERE "org.freedesktop.systemd1.NoSuchUnit"

static struct {
    char log[8192]; /* what was said, one call a line */
    const char *refuse[4]; /* calls of these members are refused, in this order … */
    const char *with[4], *why[4]; /* … with these errors */
    unsigned refused;
    const char *result; /* of the job; null: it never ends */
    unsigned strangers; /* jobs of others that end first */
    int not_ready; /* how often the connection is not ready yet; -1: never */
    int start, process; /* what these fail with */
    unsigned interrupted; /* how often waiting is */
    bool mute; /* calls are not answered */
    bool chatty; /* but others are told of */
    bool patient; /* the library has no timeout of its own */
    sd_bus_message *reply; /* on its way, to this handler */
    wh_sdbus_handler handler;
    void *data;
    int fd; /* the connection, on which nothing comes */
    unsigned buses, messages, slots; /* that live */
} peer;

static struct sd_bus the_bus;
static struct sd_bus_slot the_slot;

static int silent[2];

static void reset(void)
{
    memset(&peer, 0, sizeof peer);
    peer.fd = silent[0];
    peer.result = "done";
}

static sd_bus_message *message(void)
{
    sd_bus_message *m = calloc(1, sizeof *m);

    if (!m)
        abort();
    peer.messages++;
    return m;
}

static void add(sd_bus_message *m, const char *text)
{
    if (m->text[0] && !strchr("([<", m->text[strlen(m->text) - 1]) && !strchr(")]>", text[0]))
        strncat(m->text, " ", sizeof m->text - strlen(m->text) - 1);
    strncat(m->text, text, sizeof m->text - strlen(m->text) - 1);
}

static int fake_new(sd_bus **ret)
{
    peer.buses++;
    *ret = &the_bus;
    return 0;
}

static int fake_set_address(sd_bus *bus, const char *address)
{
    (void)bus;
    return strchr(address, '=') ? 0 : -EINVAL;
}

static int fake_set_bus_client(sd_bus *bus, int b)
{
    (void)bus;
    return b ? 0 : -EINVAL;
}

static int fake_start(sd_bus *bus)
{
    (void)bus;
    return peer.start;
}

static int fake_is_ready(sd_bus *bus)
{
    (void)bus;
    if (peer.not_ready > 0) {
        peer.not_ready--;
        return 0;
    }
    return peer.not_ready == 0;
}

static sd_bus_message *fake_ref(sd_bus_message *m)
{
    m->refs++;
    return m;
}

static sd_bus_message *fake_unref(sd_bus_message *m)
{
    if (m->refs-- > 0)
        return NULL;
    peer.messages--;
    free(m);
    return NULL;
}

static int fake_process(sd_bus *bus, sd_bus_message **ret)
{
    (void)bus;
    *ret = NULL;
    if (peer.process)
        return peer.process;
    if (peer.not_ready > 0)
        return 1;
    if (peer.not_ready < 0 || peer.interrupted > 0)
        return 0;
    if (peer.reply) {
        sd_bus_message *m = peer.reply;

        peer.reply = NULL;
        peer.handler(m, peer.data, NULL);
        fake_unref(m);
        return 1;
    }
    if (!peer.result || (peer.mute && !peer.chatty))
        return 0;
    *ret = message();
    (*ret)->signal = true;
    (*ret)->reads[0] = "7";
    (*ret)->reads[1] = peer.strangers ? JOB "7" : JOB;
    (*ret)->reads[2] = "x.scope";
    (*ret)->reads[3] = peer.strangers ? "failed" : peer.result;
    (*ret)->nreads = 4;
    peer.strangers -= peer.strangers > 0;
    return 1;
}

static int fake_get_fd(sd_bus *bus)
{
    (void)bus;
    return peer.fd;
}

static int fake_get_events(sd_bus *bus)
{
    (void)bus;
    return POLLIN;
}

static int fake_get_timeout(sd_bus *bus, uint64_t *ret_usec)
{
    (void)bus;
    peer.interrupted -= peer.interrupted > 0;
    *ret_usec = peer.patient ? UINT64_MAX : (uint64_t)wh_now_ms() * 1000 + 2000;
    return 0;
}

static sd_bus *fake_close_unref(sd_bus *bus)
{
    (void)bus;
    peer.buses--;
    return NULL;
}

static int fake_call_async(sd_bus *bus, sd_bus_slot **ret_slot, sd_bus_message *m, wh_sdbus_handler handler, void *data,
                           uint64_t usec)
{
    (void)bus;
    if (usec == 0 || usec > 1000000000)
        abort(); /* sd-bus's own timeout, or none */
    strncat(peer.log, m->text, sizeof peer.log - strlen(peer.log) - 2);
    strcat(peer.log, "\n");
    peer.slots++;
    *ret_slot = &the_slot;
    if (peer.mute)
        return 1;
    peer.handler = handler;
    peer.data = data;
    peer.reply = message();
    if (peer.refused < 4 && peer.refuse[peer.refused] &&
        strncmp(m->text, peer.refuse[peer.refused], strlen(peer.refuse[peer.refused])) == 0) {
        peer.reply->error = (struct wh_sdbus_error){ peer.with[peer.refused], peer.why[peer.refused], 0 };
        peer.refused++;
        return 1;
    }
    peer.reply->reads[0] = JOB;
    peer.reply->nreads = 1;
    return 1;
}

static sd_bus_slot *fake_slot_unref(sd_bus_slot *slot)
{
    (void)slot;
    peer.slots--;
    return NULL;
}

static const struct wh_sdbus_error *fake_get_error(sd_bus_message *m)
{
    return m->error.name ? &m->error : NULL;
}

static int fake_get_errno(sd_bus_message *m)
{
    return m->error.name ? EBADR : 0;
}

static int fake_method_call(sd_bus *bus, sd_bus_message **ret, const char *destination, const char *path,
                            const char *interface, const char *member)
{
    (void)bus;
    (void)path;
    if (strcmp(interface, destination) != 0 && strcmp(interface, "org.freedesktop.systemd1.Manager") != 0)
        return -EINVAL;
    *ret = message();
    add(*ret, member);
    return 0;
}

static int fake_append_basic(sd_bus_message *m, char type, const void *p)
{
    char text[300];

    switch (type) {
    case 's':
        snprintf(text, sizeof text, "%s", (const char *)p);
        break;
    case 'b':
        snprintf(text, sizeof text, "%s", *(const int *)p ? "true" : "false");
        break;
    case 'i':
        snprintf(text, sizeof text, "i%d", (int)*(const int32_t *)p);
        break;
    case 'u':
        snprintf(text, sizeof text, "u%u", *(const uint32_t *)p);
        break;
    case 'x':
        snprintf(text, sizeof text, "x%lld", (long long)*(const int64_t *)p);
        break;
    case 't':
        snprintf(text, sizeof text, "t%llu", (unsigned long long)*(const uint64_t *)p);
        break;
    default:
        return -EINVAL;
    }
    add(m, text);
    return 0;
}

static int fake_append_array(sd_bus_message *m, char type, const void *p, size_t size)
{
    add(m, "[");
    for (size_t i = 0; type == 'y' && i < size; i++) {
        char text[8];

        snprintf(text, sizeof text, "%02x", ((const unsigned char *)p)[i]);
        add(m, text);
    }
    for (size_t i = 0; type == 'u' && i < size / 4; i++)
        fake_append_basic(m, 'u', (const uint32_t *)p + i);
    add(m, "]");
    return 0;
}

static char open_containers[16];

static int fake_open(sd_bus_message *m, char type, const char *contents)
{
    size_t n = strlen(open_containers);

    (void)contents;
    open_containers[n] = type;
    open_containers[n + 1] = '\0';
    add(m, type == 'a' ? "[" : type == 'r' ? "(" : "<");
    return 0;
}

static int fake_close(sd_bus_message *m)
{
    size_t n = strlen(open_containers);
    char type = n ? open_containers[n - 1] : '?';

    if (n == 0)
        return -EINVAL;
    open_containers[n - 1] = '\0';
    add(m, type == 'a' ? "]" : type == 'r' ? ")" : ">");
    return 0;
}

static int fake_read_basic(sd_bus_message *m, char type, void *p)
{
    if (m->at == m->nreads)
        return 0;
    if (type == 'u')
        *(uint32_t *)p = (uint32_t)atoi(m->reads[m->at++]);
    else
        *(const char **)p = m->reads[m->at++];
    return 1;
}

static int fake_is_signal(sd_bus_message *m, const char *interface, const char *member)
{
    return m->signal && strcmp(interface, "org.freedesktop.systemd1.Manager") == 0 && strcmp(member, "JobRemoved") == 0;
}

static const struct wh_sdbus fake = {
    .sd_bus_new = fake_new,
    .sd_bus_set_address = fake_set_address,
    .sd_bus_set_bus_client = fake_set_bus_client,
    .sd_bus_start = fake_start,
    .sd_bus_is_ready = fake_is_ready,
    .sd_bus_process = fake_process,
    .sd_bus_get_fd = fake_get_fd,
    .sd_bus_get_events = fake_get_events,
    .sd_bus_get_timeout = fake_get_timeout,
    .sd_bus_close_unref = fake_close_unref,
    .sd_bus_call_async = fake_call_async,
    .sd_bus_slot_unref = fake_slot_unref,
    .sd_bus_message_new_method_call = fake_method_call,
    .sd_bus_message_append_basic = fake_append_basic,
    .sd_bus_message_append_array = fake_append_array,
    .sd_bus_message_open_container = fake_open,
    .sd_bus_message_close_container = fake_close,
    .sd_bus_message_read_basic = fake_read_basic,
    .sd_bus_message_is_signal = fake_is_signal,
    .sd_bus_message_get_error = fake_get_error,
    .sd_bus_message_get_errno = fake_get_errno,
    .sd_bus_message_ref = fake_ref,
    .sd_bus_message_unref = fake_unref,
};

/* ---------------------------------------------------------------- our side */

static const struct wh_unit_ref scope = { "p-n.scope", "unix:path=/bus", -1 };

static const char *const texts[][4] = { { "a b" },
                                        { "true" },
                                        { "false" },
                                        { "a.service", "b.service" },
                                        { NULL },
                                        { "-5" },
                                        { "4294967295" },
                                        { "-9223372036854775808" },
                                        { "18446744073709551615" },
                                        { "0ff1" },
                                        { "" },
                                        { "/dev/char/1:3", "rw", "char-*", "m" } };
static const struct wh_unit_prop list[] = {
    { 1, "Description", "s", texts[0], 1 },
    { 2, "Delegate", "b", texts[1], 1 },
    { 3, "SendSIGHUP", "b", texts[2], 1 },
    { 4, "After", "as", texts[3], 2 },
    { 5, "Wants", "as", texts[4], 0 },
    { 6, "KillSignal", "i", texts[5], 1 },
    { 7, "A", "u", texts[6], 1 },
    { 8, "B", "x", texts[7], 1 },
    { 9, "C", "t", texts[8], 1 },
    { 10, "AllowedCPUs", "ay", texts[9], 1 },
    { 0, "AllowedMemoryNodes", "ay", texts[10], 1 },
    { 0, "DeviceAllow", "a(ss)", texts[11], 4 },
};
static const struct wh_unit_props props = { list, sizeof list / sizeof list[0] };

#define HELLO                                                                                                          \
    "AddMatch "                                                                                                        \
    "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/"                                          \
    "systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'\nSubscribe\n"
#define PROPS                                                                                                          \
    "(Description <a b>) (Delegate <true>) (SendSIGHUP <false>) (After <[a.service b.service]>) (Wants <[]>) "         \
    "(KillSignal <i-5>) (A <u4294967295>) (B <x-9223372036854775808>) (C <t18446744073709551615>) "                    \
    "(AllowedCPUs <[0f f1]>) (AllowedMemoryNodes <[]>) (DeviceAllow <[(/dev/char/1:3 rw) (char-* m)]>)"
#define START "StartTransientUnit p-n.scope fail [(PIDs <[u42]>) " PROPS "] []\n"
#define CHANGE "SetUnitProperties p-n.scope true [" PROPS "]\n"
#define ASK "GetUnit p-n.scope\n"
#define RESET "ResetFailedUnit p-n.scope\n"
#define STOP "StopUnit p-n.scope replace\n"

static void nothing_left(void)
{
    is_int(peer.buses, 0, "the connection is closed");
    is_int(peer.messages, 0, "and no message is left");
    is_int(peer.slots, 0, "nor a call");
    is_str(open_containers, "", "nor a container open");
}

static void start(int want, const char *log, const char *text, const char *name)
{
    struct wh_err err = { 0 };
    bool asked = false;
    wh_node src = 0;

    is_int(wh_unit_start(&fake, &scope, &props, 42, 60, &asked, &src, &err), want, "start: %s", name);
    is_int(asked, strstr(log, "StartTransientUnit") != NULL, "whether systemd may have a unit is known");
    is_str(peer.log, log, "this was said");
    has_str(err.msg, text, "and this is told");
    ok((want < 0) == (err.code != 0), "an error exactly when it fails");
    nothing_left();
}

static void stop(int want, const char *log, const char *text, const char *name)
{
    struct wh_err err = { 0 };

    is_int(wh_unit_stop(&fake, &scope, 60, &err), want, "stop: %s", name);
    is_str(peer.log, log, "this was said");
    has_str(err.msg, text, "and this is told");
    nothing_left();
}

static void refuse(unsigned i, const char *member, const char *with, const char *why)
{
    peer.refuse[i] = member;
    peer.with[i] = with;
    peer.why[i] = why;
}

static void test_start(void)
{
    const struct wh_unit_ref nowhere = { "p-n.scope", NULL, -1 };
    bool asked = false;
    const struct wh_unit_props none = { NULL, 0 };
    struct wh_err err = { 0 };
    wh_node src = 0;

    reset();
    start(0, HELLO START, "", "done");
    reset();
    peer.strangers = 3;
    peer.not_ready = 2;
    peer.interrupted = 2;
    start(0, HELLO START, "", "after others' jobs, interrupted");
    reset();
    peer.result = "timeout";
    start(-EIO, HELLO START, "start unit p-n.scope: systemd's job ended with \"timeout\"", "the job fails");
    reset();
    peer.result = NULL;
    start(-ETIMEDOUT, HELLO START, "systemd's job is not done in time", "the job never ends");
    reset();
    peer.mute = true;
    start(-ETIMEDOUT,
          "AddMatch "
          "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/"
          "systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'\n",
          "start unit p-n.scope: systemd does not answer", "no answer");
    reset();
    peer.not_ready = -1;
    start(-ETIMEDOUT, "", "reach systemd at unix:path=/bus", "nobody authenticates us");
    reset();
    peer.start = -ENOENT;
    start(-ECONNREFUSED, "", "reach systemd at unix:path=/bus: no such file or directory", "no bus");
    reset();
    peer.start = -EAGAIN;
    start(-EAGAIN, "", "reach systemd at unix:path=/bus: resource temporarily unavailable", "its backlog is full");
    reset();
    refuse(0, "StartTransientUnit", EXISTS, "Unit p-n.scope was already loaded");
    start(0, HELLO START RESET START, "", "left by one that failed");
    reset();
    refuse(0, "StartTransientUnit", EXISTS, "Unit p-n.scope was already loaded");
    refuse(1, "StartTransientUnit", EXISTS, "Unit p-n.scope was already loaded");
    start(-EEXIST, HELLO START RESET START, "systemd: Unit p-n.scope was already loaded (" EXISTS ")",
          "one that lives: tried twice, no more");
    reset();
    refuse(0, "StartTransientUnit", EXISTS, "Unit p-n.scope was already loaded");
    refuse(1, "ResetFailedUnit", NOT_THERE, "Unit p-n.scope not loaded.");
    start(0, HELLO START RESET START, "", "gone in between");
    reset();
    refuse(0, "Subscribe", "org.freedesktop.DBus.Error.AccessDenied", NULL);
    start(-EBADR, HELLO, "systemd: refused (org.freedesktop.DBus.Error.AccessDenied)", "not allowed, in no words");

    reset();
    refuse(0, "StartTransientUnit", "org.freedesktop.DBus.Error.PropertyReadOnly",
           "Cannot set property KillSignal, or unknown property.");
    ok(wh_unit_start(&fake, &scope, &props, 42, 60, &asked, &src, &err) < 0 && src == 6,
       "the property that is refused is known by its place");
    has_str(err.msg, "Cannot set property KillSignal", "and told");
    nothing_left();
    reset();
    err = (struct wh_err){ 0 };
    is_int(wh_unit_start(&fake, &nowhere, &props, 42, 60, &asked, &src, &err), -ECONNREFUSED,
           "the user's bus is not known");
    has_str(err.msg, "set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR", "what to do is told");
    nothing_left();
    reset();
    is_int(wh_unit_start(&fake, &scope, &props, 0, 60, &asked, &src, NULL), 0, "a slice");
    has_str(peer.log, "StartTransientUnit p-n.scope fail [(Description", "has no process");
    reset();
    is_int(wh_unit_start(&fake, &scope, &none, 42, 60, &asked, &src, NULL), 0, "without a property");
    has_str(peer.log, "StartTransientUnit p-n.scope fail [(PIDs <[u42]>)] []", "it has its process");
}

static void change(int want, const char *log, const char *text, wh_node where, const char *name)
{
    struct wh_err err = { 0 };
    wh_node src = 0;

    is_int(wh_unit_set(&fake, &scope, &props, 60, &src, &err), want, "change: %s", name);
    is_str(peer.log, log, "this was said");
    has_str(err.msg, text, "and this is told");
    is_int(src, where, "with this place");
    nothing_left();
}

static void test_set(void)
{
    reset();
    change(0, CHANGE ASK, "", 0, "done, and systemd has come to the next message");
    reset();
    refuse(0, "SetUnitProperties", "org.freedesktop.DBus.Error.InvalidArgs", "Value for AllowedCPUs is out of range");
    change(-EBADR, CHANGE, "change unit p-n.scope: systemd: Value for AllowedCPUs is out of range", 10, "refused");
    reset();
    refuse(0, "SetUnitProperties", NOT_THERE, "Unit p-n.scope not loaded.");
    change(-EBADR, CHANGE, "change unit p-n.scope: systemd: Unit p-n.scope not loaded.", 0, "no such unit");
    reset();
    refuse(0, "GetUnit", NOT_THERE, "Unit p-n.scope not loaded.");
    change(-EBADR, CHANGE ASK, "change unit p-n.scope: systemd: Unit p-n.scope not loaded.", 0, "it has ended");
    reset();
    peer.mute = true;
    change(-ETIMEDOUT, CHANGE, "change unit p-n.scope: systemd does not answer", 0, "no answer");
    reset();
    peer.start = -ENOENT;
    change(-ECONNREFUSED, "", "reach systemd at unix:path=/bus: no such file or directory", 0, "no bus");
}

static void test_stop(void)
{
    reset();
    stop(0, HELLO STOP RESET, "", "done");
    reset();
    refuse(0, "StopUnit", NOT_THERE, "Unit p-n.scope not loaded.");
    refuse(1, "ResetFailedUnit", NOT_THERE, "Unit p-n.scope not loaded.");
    stop(0, HELLO STOP RESET, "", "gone");
    reset();
    refuse(0, "ResetFailedUnit", NOT_THERE, "Unit p-n.scope not loaded.");
    stop(0, HELLO STOP RESET, "", "gone with the job");
    reset();
    refuse(0, "StopUnit", "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
    stop(-EBADR, HELLO STOP, "stop unit p-n.scope: systemd: Permission denied", "not allowed");
    reset();
    refuse(0, "ResetFailedUnit", "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
    stop(-EBADR, HELLO STOP RESET, "reset unit p-n.scope: systemd: Permission denied", "the reset is not allowed");
    reset();
    peer.result = "canceled";
    stop(-EIO, HELLO STOP, "stop unit p-n.scope: systemd's job ended with \"canceled\"", "canceled");
    reset();
    peer.result = NULL;
    stop(-ETIMEDOUT, HELLO STOP, "not done in time", "never done");
    reset();
    peer.start = -ECONNREFUSED;
    stop(-ECONNREFUSED, "", "reach systemd", "no bus");
}

static void test_load(void)
{
    struct wh_sdbus sd = { 0 };
    struct wh_err err = { 0 };
    int r = wh_sdbus_load(&sd, &err);

    if (r == -ENOPKG) {
        skip("libsystemd is not here");
        return;
    }
    is_int(r, 0, "libsystemd is loaded");
    for (size_t i = 0; i < sizeof sd / sizeof(void *); i++) {
        void *p;

        memcpy(&p, (char *)&sd + i * sizeof p, sizeof p);
        ok(p != NULL, "function %zu of the table is there", i);
    }
}

/* The bus says nothing at all, and the caller gives up: in each of the conversations, at each of their waits. */
static void test_cancel(void)
{
    int gone[2];
    struct wh_unit_ref unit = scope;

    if (pipe(gone) < 0 || write(gone[1], "x", 1) != 1)
        abort();
    unit.cancel_fd = gone[0];
    for (int stage = 0; stage < 9; stage++) {
        int64_t began = wh_now_ms();
        struct wh_err err = { 0 };
        bool asked = false;
        wh_node src = 0;
        int r;

        reset();
        peer.patient = true;
        peer.chatty = stage / 3 == 2;
        peer.strangers = UINT_MAX;
        if (stage / 3 == 0)
            peer.not_ready = -1;
        else
            peer.mute = true;
        r = stage % 3 == 0   ? wh_unit_start(&fake, &unit, &props, 42, 60000, &asked, &src, &err)
            : stage % 3 == 1 ? wh_unit_set(&fake, &unit, &props, 60000, &src, &err)
                             : wh_unit_stop(&fake, &unit, 60000, &err);
        is_int(r, -ECANCELED, "canceled, %d", stage);
        is_str(err.msg, "canceled", "and this is told");
        ok(wh_now_ms() - began < 5000, "at once");
        nothing_left();
    }
    /* One that talks of others for ever does not keep us past the deadline. */
    reset();
    peer.mute = peer.chatty = true;
    peer.strangers = UINT_MAX;
    start(-ETIMEDOUT,
          "AddMatch "
          "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/"
          "systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'\n",
          "start unit p-n.scope: systemd does not answer", "no answer but news of others");
    close(gone[0]);
    close(gone[1]);
}

int main(void)
{
    if (pipe(silent) < 0)
        abort();
    test_start();
    test_set();
    test_stop();
    test_cancel();
    test_load();
    return done_testing();
}
