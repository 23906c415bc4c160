/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "init/ini.h"

static struct ini ini;

static int number(const char *s)
{
    int n = 0;

    if (!s || !*s)
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || n > 100000)
            return -1;
        n = n * 10 + (*s - '0');
    }
    return n;
}

/* Maps the whole of fd and closes it. */
static int map(int fd, size_t size, int flags, void **ret)
{
    long r = sys_mmap(size, PROT_READ | PROT_WRITE, flags, fd);

    sys_close(fd);
    if (r < 0 && r > -4096)
        return (int)r;
    *ret = (void *)r;
    return 0;
}

/* Before the mailbox is mapped there is no one to tell: the host sees the exit alone. */
static bool set_up(struct ini *i)
{
    struct wh_statx st;
    void *plan = NULL, *mbox;
    int r, fd, slot;
    uint32_t bad = 0;

    i->ctl = i->base + WH_INIT_CTL;
    if (map(i->base + WH_INIT_MBOX, WH_MBOX_SIZE, MAP_SHARED, &mbox) < 0)
        return false;
    i->mbox = mbox;
    if (i->mbox->abi != WH_ABI_VERSION)
        return false;
    r = ini_stat(i->base + WH_INIT_PLAN, &st);
    if (r < 0 || st.size < sizeof(struct wh_plan) || st.size > WH_PLAN_MAX_BYTES) {
        fail(i, VERIFY_PLAN, r < 0 ? r : -EINVAL);
        ini_die(i, 0, r < 0 ? -r : EINVAL);
    }
    /* Writable and private: EXEC widens its vectors in place, in our copy. */
    r = map(i->base + WH_INIT_PLAN, st.size, MAP_PRIVATE, &plan);
    if (r == 0)
        r = wh_plan_verify(plan, st.size, &bad);
    if (r || ((const struct wh_plan *)plan)->preserve != (uint32_t)i->base - 3) {
        fail(i, VERIFY_PLAN, r < 0 ? r : -EINVAL);
        ini_die(i, bad, r < 0 ? -r : EINVAL);
    }
    i->plan = plan;

    fd = i->base + WH_INIT_SLOTS;
    for (slot = 0; slot < WH_SLOTS; slot++)
        i->slot[slot] = i->plan->host_slots >> slot & 1 ? fd++ : -1;
    /* Whatever leaked into the host process behind our fds stays out; ours must not reach the payload. */
    r = (int)sys_close_range((unsigned int)fd, ~0u, 0);
    if (r >= 0)
        r = (int)sys_close_range((unsigned int)i->base, ~0u, WH_CLOSE_RANGE_CLOEXEC);
    if (r < 0) {
        fail(i, CLOSE_RANGE, r);
        ini_die(i, 0, -r);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct ini *i = &ini;
    struct wh_msg m;
    int r;

    /* A set-id copy of the image would run with more privilege than its caller has. */
    if (argc != 2 || getauxval(AT_SECURE))
        return 1;
    i->title = argv[0];
    i->base = number(argv[1]);
    if (i->base < 3 || !set_up(i))
        return 1;
    sys_prctl(PR_SET_NAME, (unsigned long)"wherry:[A]", 0, 0);
    sys_umask(0);

    ini_state(i, WH_MBOX_A);
    r = ini_send(i->ctl, WH_MSG_HELLO, 0, WH_ABI_VERSION, -1);
    if (r < 0) {
        fail(i, SENDMSG, r);
        ini_die(i, 0, -r);
    }
    r = ini_recv(i->ctl, &m, NULL);
    if (r >= 0 && m.type != WH_MSG_GO)
        r = -EPROTO;
    if (r < 0) {
        fail(i, PROTOCOL, r);
        ini_die(i, 0, -r);
    }
    ini_run(i);
}
