#include "cni/netlink.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

/* What one read takes: a dump's part at the kernel's preferred size. */
#define READ_SIZE 32768
/* Half of what the kernel gives a socket by itself (it doubles what it is asked for): libnl would have it take a third
 * of that, and the answers to a batch wait in it until it is sent. */
#define RECEIVE_SIZE 106496
/* A batch up to this size passes through a socket as it is opened. */
#define SEND_SIZE (64 * 1024)

/* What an answer takes of a socket's room, with the kernel's words and its bookkeeping. */
#define ANSWER_SIZE 1024

struct netlink_note {
        const char *purpose;
        int tolerate;
};

/* What libnl's errors are that are none of the kernel's answers. */
static int to_errno(int nl) {
        static const struct {
                int nl, code;
        } codes[] = {
                { NLE_NOMEM, ENOMEM },         { NLE_DUMP_INTR, EINTR },
                { NLE_PERM, EPERM },           { NLE_EXIST, EADDRINUSE },
                { NLE_INTR, EINTR },           { NLE_MSG_TRUNC, EMSGSIZE },
                { NLE_MSG_OVERFLOW, ENOBUFS }, { NLE_NOACCESS, EACCES },
                { NLE_INVAL, EINVAL },         { NLE_AF_NOSUPPORT, EAFNOSUPPORT },
        };

        for (size_t i = 0; i < ELEMENTS(codes); i++)
                if (codes[i].nl == abs(nl))
                        return codes[i].code;
        return EIO;
}

int cni_netlink_open(int protocol, struct netlink *ret_netlink, struct err **err) {
        struct netlink netlink = { .sequence = 1, .socket = nl_socket_alloc() };
        int one = 1, fd, r;

        if (!netlink.socket)
                return err_errno(err, ENOMEM, "netlink socket");
        if ((r = nl_connect(netlink.socket, protocol)) < 0 || (r = nl_socket_set_nonblocking(netlink.socket)) < 0 ||
            (r = nl_socket_set_buffer_size(netlink.socket, RECEIVE_SIZE, RECEIVE_SIZE)) < 0 ||
            (r = nl_socket_set_msg_buf_size(netlink.socket, READ_SIZE)) < 0) {
                cni_netlink_close(&netlink);
                return err_errno(err, to_errno(r), "netlink socket");
        }
        /* Who an answer is for is told by the messages' notes. */
        nl_socket_disable_seq_check(netlink.socket);
        /* Both only better the error's text and size: an old kernel goes without. */
        fd = nl_socket_get_fd(netlink.socket);
        setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
        setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
        *ret_netlink = netlink;
        return 0;
}

void cni_netlink_close(struct netlink *netlink) {
        nl_socket_free(netlink->socket);
        free(netlink->buffer);
        free(netlink->notes);
        *netlink = NETLINK_NONE;
}

int cni_netlink_fd(const struct netlink *netlink) {
        return netlink->socket ? nl_socket_get_fd(netlink->socket) : -EBADF;
}

/* Room for one more message and its note. */
static int reserve(struct netlink *netlink) {
        int r = GROW(netlink->buffer, netlink->size, netlink->used + NETLINK_MESSAGE_MAX, NETLINK_BYTES_MAX);

        return r < 0 ? r : GROW(netlink->notes, netlink->room, netlink->n + 1, NETLINK_BATCH_MAX);
}

/* Makes the message at the buffer's end the batch's next. */
static void note(struct netlink *netlink, struct nlmsghdr *message, const char *purpose, int tolerate) {
        message->nlmsg_flags |= NLM_F_REQUEST;
        message->nlmsg_seq = netlink->sequence + (uint32_t)netlink->n;
        netlink->notes[netlink->n] = (struct netlink_note){ .purpose = purpose, .tolerate = tolerate };
}

struct nlmsghdr *cni_netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, size_t extra,
                                   const char *purpose, int tolerate) {
        static _Thread_local char scratch[NETLINK_MESSAGE_MAX];
        struct nlmsghdr *message;

        if (netlink->failed == 0)
                netlink->failed = reserve(netlink);
        message = (struct nlmsghdr *)(netlink->failed == 0 ? netlink->buffer + netlink->used : scratch);
        memset(message, 0, NLMSG_SPACE(extra));
        message->nlmsg_len = (uint32_t)NLMSG_SPACE(extra);
        message->nlmsg_type = type;
        message->nlmsg_flags = flags;
        if (netlink->failed == 0)
                note(netlink, message, purpose, tolerate);
        return message;
}

void *cni_netlink_extra(struct nlmsghdr *message) {
        return nlmsg_data(message);
}

void cni_netlink_end(struct netlink *netlink, struct nlmsghdr *message) {
        if (netlink->failed != 0)
                return;
        netlink->used += NLMSG_ALIGN(message->nlmsg_len);
        netlink->n++;
}

void cni_netlink_put(struct netlink *netlink, struct nl_msg *message, const char *purpose, int tolerate) {
        const struct nlmsghdr *header = message ? nlmsg_hdr(message) : NULL;
        struct nlmsghdr *copy;

        if (netlink->failed == 0)
                netlink->failed = !header                                 ? -ENOMEM :
                                  header->nlmsg_len > NETLINK_MESSAGE_MAX ? -EMSGSIZE :
                                                                            reserve(netlink);
        if (netlink->failed == 0) {
                copy = memcpy(netlink->buffer + netlink->used, header, header->nlmsg_len);
                note(netlink, copy, purpose, tolerate);
                cni_netlink_end(netlink, copy);
        }
        nlmsg_free(message);
}

static void reset(struct netlink *netlink) {
        netlink->sequence += (uint32_t)netlink->n;
        netlink->n = 0;
        netlink->used = 0;
        netlink->failed = 0;
}

/* Room for a large batch on its way, and for the answers when each of it fails. */
static int widen(struct netlink *netlink, struct err **err) {
        int fd = cni_netlink_fd(netlink), size = (int)netlink->used * 2, answers = (int)netlink->n * ANSWER_SIZE;

        if ((netlink->used > SEND_SIZE && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0) ||
            (answers > RECEIVE_SIZE && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &answers, sizeof(answers)) < 0))
                return err_errno(err, errno, "netlink batch of %zu bytes", netlink->used);
        return 0;
}

static int send_batch(struct netlink *netlink, struct err **err) {
        int r = netlink->failed;

        if (r < 0)
                return err_errno(err, -r, "netlink message");
        r = widen(netlink, err);
        if (r < 0)
                return r;
        errno = 0;
        r = nl_sendto(netlink->socket, netlink->buffer, netlink->used);
        if (r < 0) /* what the system call said says more */
                return err_errno(err, errno ?: to_errno(r), "%s", netlink->notes[0].purpose);
        return 0;
}

/* The kernel's own words in an error answer, or NULL. */
static const char *kernel_words(const struct nlmsghdr *answer) {
        const struct nlmsgerr *error = nlmsg_data(answer);
        size_t offset = sizeof(*error);
        struct nlattr *words;

        if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
                return NULL;
        if (!(answer->nlmsg_flags & NLM_F_CAPPED))
                offset += error->msg.nlmsg_len - sizeof(struct nlmsghdr);
        if ((int)NLMSG_ALIGN(offset) > nlmsg_datalen(answer))
                return NULL;
        words = nlmsg_find_attr((struct nlmsghdr *)answer, (int)offset, NLMSGERR_ATTR_MSG);
        return words && memchr(nla_data(words), '\0', (size_t)nla_len(words)) ? nla_get_string(words) : NULL;
}

/* One NLMSG_ERROR: 0 for an acknowledgement or a tolerated error. */
static int take_answer(struct netlink *netlink, const struct nlmsghdr *answer, struct err **err) {
        const struct nlmsgerr *error = nlmsg_data(answer);
        uint32_t i = answer->nlmsg_seq - netlink->sequence;
        const char *words;

        if (error->error == 0 || i >= netlink->n || netlink->notes[i].tolerate == -error->error)
                return 0;
        words = kernel_words(answer);
        if (words)
                return err_errno(err, -error->error, "%s (%s)", netlink->notes[i].purpose, words);
        return err_errno(err, -error->error, "%s", netlink->notes[i].purpose);
}

/* The reading of a batch's answers. */
struct reading {
        struct netlink *netlink;
        int (*each)(const struct nlmsghdr *message, void *data);
        void *data;
        int result; /* the first failure */
        bool done;
        struct err **err;
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *data) {
        const struct nlmsghdr *answer = (const struct nlmsghdr *)((const char *)error - NLMSG_HDRLEN);
        struct reading *reading = data;
        int r = take_answer(reading->netlink, answer, reading->result < 0 ? NULL : reading->err);

        if (reading->result == 0)
                reading->result = r;
        return NL_SKIP;
}

static int on_message(struct nl_msg *message, void *data) {
        struct reading *reading = data;

        if (reading->each && reading->result == 0)
                reading->result = reading->each(nlmsg_hdr(message), reading->data);
        return reading->result < 0 ? NL_STOP : NL_OK;
}

static int on_finish(struct nl_msg *message, void *data) {
        struct reading *reading = data;

        reading->done = true;
        return NL_OK;
}

/* Sends the batch, and reads until its dump is complete or nothing is left. */
static int carry_out(struct reading *reading) {
        struct netlink *netlink = reading->netlink;
        int r = send_batch(netlink, reading->err);

        if (r < 0)
                return r;
        nl_socket_modify_err_cb(netlink->socket, NL_CB_CUSTOM, on_error, reading);
        nl_socket_modify_cb(netlink->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, reading);
        nl_socket_modify_cb(netlink->socket, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, reading);
        do {
                r = nl_recvmsgs_default(netlink->socket);
        } while (r >= 0 && !reading->done && (!reading->each || reading->result == 0));
        if (r < 0 && r != -NLE_AGAIN && reading->result == 0)
                return err_errno(reading->err, to_errno(r), "%s: answer", netlink->notes[0].purpose);
        return reading->result;
}

int cni_netlink_run(struct netlink *netlink, struct err **err) {
        struct reading reading = { .netlink = netlink, .err = err };
        int r = 0;

        if (netlink->n > 0 || netlink->failed != 0)
                r = carry_out(&reading);
        reset(netlink);
        return r;
}

int cni_netlink_dump(struct netlink *netlink, int (*each)(const struct nlmsghdr *message, void *data), void *data,
                     struct err **err) {
        struct reading reading = { .netlink = netlink, .each = each, .data = data, .err = err };
        int r = carry_out(&reading);

        reset(netlink);
        return r;
}
