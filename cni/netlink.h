/* Netlink requests in batches over libnl: many messages, one sendmsg, the answers read after it.
 *
 * Requests of rtnetlink are libnl-route's (cni_netlink_put()); those of nftables and conntrack are written in place
 * with libmnl and libnftnl (cni_netlink_begin()), which libnl has no part for. The kernel handles a request inside
 * sendmsg, so all answers wait in the socket when it returns; nothing here ever blocks on a reply. An error carries
 * what the failed message was for and the kernel's own words (extended ack). A socket stays in the namespace in which
 * it was opened, whoever uses it. Not for use by two threads at a time.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct nl_msg;
struct nl_sock;

/* Room that each message has, attributes included. */
#define NETLINK_MESSAGE_MAX 8192
/* Messages in a batch, and bytes that a batch may grow to. */
#define NETLINK_BATCH_MAX 65536
#define NETLINK_BYTES_MAX (32 * 1024 * 1024)

struct netlink_note; /* what a message is for */

struct netlink {
        struct nl_sock *socket;
        uint32_t sequence; /* of the batch's first message; they count up */
        size_t n, room;
        struct netlink_note *notes; /* of each message */
        char *buffer;
        size_t size, used;
        int failed; /* -ENOMEM or -E2BIG from building; reported by cni_netlink_run() */
};

#define NETLINK_NONE ((struct netlink){ .socket = NULL })

/* Opens a socket of @protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in the thread's namespace. */
int cni_netlink_open(int protocol, struct netlink *ret_netlink, struct err **err);

/* Closes and frees; NETLINK_NONE is fine, and what is left. */
void cni_netlink_close(struct netlink *netlink);
#define _cleanup_netlink_ __attribute__((cleanup(cni_netlink_close)))

/* The socket, -EBADF for NETLINK_NONE. */
int cni_netlink_fd(const struct netlink *netlink);

/* Adds @message (taken over; NULL is out of memory, which cni_netlink_run() reports), at most NETLINK_MESSAGE_MAX
 * bytes.
 * @tolerate: an errno that is no failure, or 0. @purpose is constant text. */
void cni_netlink_put(struct netlink *netlink, struct nl_msg *message, const char *purpose, int tolerate);

/* Starts a message of @type with @flags (NLM_F_REQUEST is added) and @extra zeroed bytes of its family's header.
 * Attributes are put with mnl_attr_put*() until cni_netlink_end(); they must fit NETLINK_MESSAGE_MAX. Never NULL: after
 * a failure to grow it is a scratch message that is not sent. */
struct nlmsghdr *cni_netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, size_t extra,
                                   const char *purpose, int tolerate);

/* The family header of @message: the @extra bytes asked for. */
void *cni_netlink_extra(struct nlmsghdr *message);

void cni_netlink_end(struct netlink *netlink, struct nlmsghdr *message);

/* Sends the batch and reads its answers; the batch is empty afterwards. Returns 0, or the first message's error that
 * was not tolerated: "PURPOSE: text (kernel's words)". Later messages may have been carried out all the same. */
int cni_netlink_run(struct netlink *netlink, struct err **err);

/* Sends the batch, which is one dump or get, and calls @each for each message of the answer; a negative return ends
 * it and is returned. -EINTR: the dump was changed under way. After a failure only cni_netlink_close() is left: answers
 * may still wait in the socket. */
int cni_netlink_dump(struct netlink *netlink, int (*each)(const struct nlmsghdr *message, void *data), void *data,
                     struct err **err);
