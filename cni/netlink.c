#include "cni/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* What one read takes: a dump's part at the kernel's preferred size. */
#define READ_SIZE 32768

struct netlink_note {
        const char *purpose;
        int tolerate;
};

int cni_netlink_open(int protocol, struct netlink *ret_netlink, struct err **err) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
        int one = 1;

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return err_errno(err, errno, "netlink socket");
        /* Both only better the error's text and size: an old kernel goes without. */
        setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
        setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
        *ret_netlink = (struct netlink){ .fd = TAKE_FD(fd), .sequence = 1 };
        return 0;
}

void cni_netlink_close(struct netlink *netlink) {
        close_fd(netlink->fd);
        free(netlink->buffer);
        free(netlink->notes);
        *netlink = NETLINK_NONE;
}

/* Room for one more message and its note. */
static int reserve(struct netlink *netlink) {
        if (netlink->n == NETLINK_BATCH_MAX || netlink->used + NETLINK_MESSAGE_MAX > NETLINK_BYTES_MAX)
                return -E2BIG;
        if (netlink->used + NETLINK_MESSAGE_MAX > netlink->size) {
                size_t size = netlink->size * 2 + 2 * NETLINK_MESSAGE_MAX;
                char *buffer = realloc(netlink->buffer, size);

                if (!buffer)
                        return -ENOMEM;
                netlink->buffer = buffer;
                netlink->size = size;
        }
        if (netlink->n % 16 == 0) {
                struct netlink_note *notes = reallocarray(netlink->notes, netlink->n + 16, sizeof(*notes));

                if (!notes)
                        return -ENOMEM;
                netlink->notes = notes;
        }
        return 0;
}

struct nlmsghdr *cni_netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags, size_t extra,
                                   const char *purpose, int tolerate) {
        static _Thread_local char scratch[NETLINK_MESSAGE_MAX];
        struct nlmsghdr *message;

        if (netlink->failed == 0)
                netlink->failed = reserve(netlink);
        message = mnl_nlmsg_put_header(netlink->failed == 0 ? netlink->buffer + netlink->used : scratch);
        message->nlmsg_type = type;
        message->nlmsg_flags = NLM_F_REQUEST | flags;
        mnl_nlmsg_put_extra_header(message, extra);
        if (netlink->failed == 0) {
                message->nlmsg_seq = netlink->sequence + (uint32_t)netlink->n;
                netlink->notes[netlink->n] = (struct netlink_note){ .purpose = purpose, .tolerate = tolerate };
        }
        return message;
}

void *cni_netlink_extra(struct nlmsghdr *message) {
        return mnl_nlmsg_get_payload(message);
}

void cni_netlink_end(struct netlink *netlink, struct nlmsghdr *message) {
        if (netlink->failed != 0)
                return;
        netlink->used += MNL_ALIGN(message->nlmsg_len);
        netlink->n++;
}

static void reset(struct netlink *netlink) {
        netlink->sequence += (uint32_t)netlink->n;
        netlink->n = 0;
        netlink->used = 0;
        netlink->failed = 0;
}

static int send_batch(struct netlink *netlink, struct err **err) {
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct iovec part = { .iov_base = netlink->buffer, .iov_len = netlink->used };
        struct msghdr message = {
                .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &part, .msg_iovlen = 1
        };

        if (netlink->failed != 0)
                return err_errno(err, -netlink->failed, "netlink message");
        if (netlink->used > 64 * 1024) {
                int size = (int)netlink->used * 2;

                if (setsockopt(netlink->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                        return err_errno(err, errno, "netlink batch of %zu bytes", netlink->used);
        }
        if (sendmsg(netlink->fd, &message, 0) < 0)
                return err_errno(err, errno, "%s", netlink->notes[0].purpose);
        return 0;
}

/* The kernel's own words in an error answer, or NULL. */
static const char *kernel_words(const struct nlmsghdr *answer) {
        size_t offset = sizeof(struct nlmsgerr);
        const struct nlattr *attribute;

        if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
                return NULL;
        if (!(answer->nlmsg_flags & NLM_F_CAPPED))
                offset += ((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->msg.nlmsg_len -
                          sizeof(struct nlmsghdr);
        mnl_attr_for_each(attribute, answer, offset) if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
                                                         mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >=
                                                                 0) return mnl_attr_get_str(attribute);
        return NULL;
}

/* One NLMSG_ERROR: 0 for an acknowledgement or a tolerated error. */
static int take_answer(struct netlink *netlink, const struct nlmsghdr *answer, struct err **err) {
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(answer);
        uint32_t i = answer->nlmsg_seq - netlink->sequence;
        const char *words;

        if (error->error == 0 || i >= netlink->n || netlink->notes[i].tolerate == -error->error)
                return 0;
        words = kernel_words(answer);
        if (words)
                return err_errno(err, -error->error, "%s (%s)", netlink->notes[i].purpose, words);
        return err_errno(err, -error->error, "%s", netlink->notes[i].purpose);
}

int cni_netlink_run(struct netlink *netlink, struct err **err) {
        char buffer[8192];
        int r, result = 0;
        ssize_t n;

        if (netlink->n == 0 && netlink->failed == 0)
                return 0;
        r = send_batch(netlink, err);
        if (r < 0) {
                reset(netlink);
                return r;
        }
        while ((n = recv(netlink->fd, buffer, sizeof(buffer), 0)) > 0) {
                const struct nlmsghdr *answer = (const struct nlmsghdr *)buffer;
                int left = (int)n;

                for (; mnl_nlmsg_ok(answer, left); answer = mnl_nlmsg_next(answer, &left)) {
                        if (answer->nlmsg_type != NLMSG_ERROR)
                                continue;
                        r = take_answer(netlink, answer, result < 0 ? NULL : err);
                        if (result == 0)
                                result = r;
                }
        }
        if (n < 0 && errno != EAGAIN && result == 0)
                result = err_errno(err, errno, "%s: answer", netlink->notes[0].purpose);
        reset(netlink);
        return result;
}

/* One read's messages; 1 at the dump's end. */
static int take_dump(struct netlink *netlink, char *buffer, size_t n,
                     int (*each)(const struct nlmsghdr *message, void *data), void *data, struct err **err) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
        int left = (int)n, r;

        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
                if (message->nlmsg_flags & NLM_F_DUMP_INTR)
                        return err_errno(err, EINTR, "%s", netlink->notes[0].purpose);
                if (message->nlmsg_type == NLMSG_DONE)
                        return 1;
                r = message->nlmsg_type == NLMSG_ERROR ? take_answer(netlink, message, err) : each(message, data);
                if (r < 0)
                        return r;
        }
        return 0;
}

int cni_netlink_dump(struct netlink *netlink, int (*each)(const struct nlmsghdr *message, void *data), void *data,
                     struct err **err) {
        _cleanup_free_ char *buffer = malloc(READ_SIZE);
        int r = buffer ? send_batch(netlink, err) : err_errno(err, ENOMEM, "netlink dump");
        ssize_t n;

        while (r == 0) {
                n = recv(netlink->fd, buffer, READ_SIZE, 0);
                if (n < 0 && errno == EAGAIN)
                        break;
                r = n < 0 ? err_errno(err, errno, "%s", netlink->notes[0].purpose) :
                            take_dump(netlink, buffer, (size_t)n, each, data, err);
        }
        reset(netlink);
        return r < 0 ? r : 0;
}
