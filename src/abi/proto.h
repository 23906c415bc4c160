/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_ABI_PROTO_H
#define WH_ABI_PROTO_H

#include <stdint.h>

/*
 * The protocol between the host and wherry-init: SOCK_SEQPACKET, fixed messages, strict alternation.
 *
 *   init                       host                               rule
 *   HELLO(abi)           -->                                      first message, once
 *                        <--   GO
 *   ASK(step)            -->   looks the step up in its own copy  the op has WH_OPF_ASK, step > last asked
 *                        <--   OK(step) + fds | DENY(step, errno) at most one ASK outstanding
 *   FORKED(pid)          -->   pidfd_open, waitid: our child?     A only, once; A then exits 0 and never reads again
 *                        <--   GO                                 read by B as its first act: A and B never race
 *   READY                -->   writes the state to disk           B only, once
 *                        <--   COMMIT (create: it may return)     the control socket closes; B
 *                        accepts on the LISTEN slot
 *                              | START (run: both in one)         on the control socket,
 *                              which is that of a start from here on
 *                              | EOF: the host has died           B ends: nobody would know of it
 *   --- create: from here on a connection to the LISTEN slot ---
 *                        <--   ENTER (from `wherry exec`)         any number of times, a connection each
 *   OK + namespaces      -->   this end closes                    only where the plan has OPEN_NS
 *                        <--   START (from `wherry start`)
 *   ASK(startContainer)  -->   OK | DENY
 *   EOF (execve closed it)     success only if mailbox state == EXEC
 *   --- exec: no READY, no START; after FORKED only ASKs and that EOF, on the control socket itself ---
 *
 * A message from init carries no path, size or text: only numbers that the host checks against the plan it wrote. Any
 * violation: SIGKILL through the pidfd. Init never times out; its death is the host's business. fds travel from init
 * only
 * where the plan has OPEN_NS, in ASK(hook) and the answer to ENTER (init's namespaces, one fd each).
 *
 * B's pid is in the mailbox before B runs (CLONE_PARENT_SETTID). B is a child of the host, which reaps it also when A
 * was
 * killed before FORKED, or when the host fails before it has looked at FORKED.
 */
enum wh_msg_type {
    WH_MSG_HELLO = 1,
    WH_MSG_GO,
    WH_MSG_ASK,
    WH_MSG_OK,
    WH_MSG_DENY,
    WH_MSG_FORKED,
    WH_MSG_READY,
    WH_MSG_START,
    WH_MSG_ENTER,
    WH_MSG_COMMIT
};

struct wh_msg {
    uint16_t type, nfds;
    uint32_t step;
    int32_t val; /* HELLO: abi; FORKED: pid as A sees it; DENY: positive errno */
    uint32_t pad;
};
_Static_assert(sizeof(struct wh_msg) == 16, "fixed on the wire");

/*
 * How the image is started: argv = { "wherry:[A]", BASE }, empty environment, BASE a decimal fd number = 3 + preserved fds.
 *   BASE      control socket
 *   BASE + 1  plan (sealed memfd), mapped private and closed
 *   BASE + 2  mailbox, mapped shared and closed
 *   BASE + 3… one fd for each bit of wh_plan.host_slots, in ascending order
 * fds 0-2 are the payload's stdio (filled with /dev/null where the caller had them closed).
 */
#define WH_INIT_CTL 0
#define WH_INIT_PLAN 1
#define WH_INIT_MBOX 2
#define WH_INIT_SLOTS 3

#endif
