#include "lib/journal.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define ID_LENGTH 64

bool journal_is_stderr(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uint64_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int journal_open(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

struct fields {
        char text[4 * JOURNAL_FIELD_MAX + 128];
        size_t n;
};

static void add(struct fields *f, const char *name, const char *value, size_t length) {
        if (length == 0 || length > JOURNAL_FIELD_MAX || memchr(value, '\n', length))
                return;
        f->n += (size_t)snprintf(f->text + f->n, sizeof(f->text) - f->n, "%s=%.*s\n", name, (int)length, value);
}

/* "WORD VALUE: rest" with that word: the value, and where the rest begins. */
static const char *take(const char **text, const char *word, size_t *ret_length) {
        size_t n = strlen(word);
        const char *value = *text + n;

        if (strncmp(*text, word, n) != 0)
                return NULL;
        *ret_length = strcspn(value, ": \n");
        if (strncmp(value + *ret_length, ": ", 2) != 0)
                return NULL;
        *text = value + *ret_length + 2;
        return value;
}

static bool is_id(const char *value, size_t length) {
        return length == ID_LENGTH && strspn(value, "0123456789abcdef") >= ID_LENGTH;
}

static void find_fields(struct fields *f, const char *text) {
        const char *value, *slash;
        size_t length;

        if ((value = take(&text, "pod ", &length)) && (slash = memchr(value, '/', length))) {
                add(f, "POD_NAMESPACE", value, (size_t)(slash - value));
                add(f, "POD_NAME", slash + 1, length - (size_t)(slash + 1 - value));
        }
        if ((value = take(&text, "sandbox ", &length)) && is_id(value, length))
                add(f, "POD_SANDBOX_ID", value, length);
        if ((value = take(&text, "container ", &length)))
                add(f, is_id(value, length) ? "CONTAINER_ID" : "CONTAINER_NAME", value, length);
}

int journal_send(int fd, const char *program, int priority, const char *text) {
        size_t length = strlen(text);
        uint64_t size = htole64(length);
        struct fields fields = { .n = 0 };
        char head[128];
        struct iovec parts[] = {
                { .iov_base = head,
                  .iov_len = (size_t)snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.64s\nMESSAGE\n",
                                              priority, program) },
                { .iov_base = &size, .iov_len = sizeof(size) },
                { .iov_base = (void *)(uintptr_t)text, .iov_len = length },
                { .iov_base = (void *)(uintptr_t) "\n", .iov_len = 1 },
                { .iov_base = fields.text },
        };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTS(parts) };

        find_fields(&fields, text);
        parts[4].iov_len = fields.n;
        return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
