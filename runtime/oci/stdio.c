/* The standard streams that nacelle-oci was started with: whose they are once a process of another user has them.
 *
 * That user has to be able to open /dev/stdout anew. Pipes are given to it, and where nobody waits for the process all
 * else is too, as runc does. While we wait, a terminal or a file stays its owner's: the process gets a pipe of its own,
 * and we copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"

#define CHUNK_SIZE 4096

enum passing { PASS_AS_IT_IS, PASS_AS_THEIRS, PASS_COPIED };

static bool is_read_only(int fd) {
        return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

/* Devices are everybody's. Root opens all of its own anew, whoever's it is. A file that is only read is never given
 * away: its owner could open it to write. */
static enum passing passing_of(int fd, uint32_t uid, bool waits) {
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_uid == uid)
                return PASS_AS_IT_IS;
        switch (st.st_mode & S_IFMT) {
        case S_IFIFO:
        case S_IFSOCK:
                return PASS_AS_THEIRS;
        case S_IFCHR:
                return uid == 0 || !isatty(fd) ? PASS_AS_IT_IS : waits ? PASS_COPIED : PASS_AS_THEIRS;
        case S_IFREG:
                if (uid == 0)
                        return PASS_AS_IT_IS;
                return waits ? PASS_COPIED : is_read_only(fd) ? PASS_AS_IT_IS : PASS_AS_THEIRS;
        default:
                return PASS_AS_IT_IS;
        }
}

/* Descriptors beyond those of the caller that the process gets, too. */
static int open_pipe(struct oci_streams *streams, int fd, uint32_t uid, unsigned preserve, struct err **err) {
        int pipes[2], ours = fd == 0 ? 1 : 0, beyond = 3 + (int)preserve;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "make a pipe");
        if (fchown(pipes[0], uid, (gid_t)-1) >= 0) {
                streams->ours[fd] = fcntl(pipes[ours], F_DUPFD_CLOEXEC, beyond);
                streams->theirs[fd] = fcntl(pipes[!ours], F_DUPFD_CLOEXEC, beyond);
        }
        close(pipes[0]);
        close(pipes[1]);
        if (streams->ours[fd] < 0 || streams->theirs[fd] < 0 || fcntl(streams->ours[fd], F_SETFL, O_NONBLOCK) < 0)
                return err_errno(err, errno, "make a pipe for user %u", uid);
        return 0;
}

int oci_streams_open(struct oci_streams *streams, uint32_t uid, bool waits, unsigned preserve, struct err **err) {
        int r = 0;

        *streams = (struct oci_streams){ true, { -EBADF, -EBADF, -EBADF }, { -EBADF, -EBADF, -EBADF } };
        for (int fd = 0; fd <= 2 && r == 0 && uid != UINT32_MAX; fd++)
                switch (passing_of(fd, uid, waits)) {
                case PASS_AS_IT_IS:
                        break;
                case PASS_AS_THEIRS:
                        if (fchown(fd, uid, (gid_t)-1) < 0)
                                break; /* not ours to give: the process has it open all the same */
                        break;
                case PASS_COPIED:
                        r = open_pipe(streams, fd, uid, preserve, err);
                        break;
                }
        return r;
}

void oci_streams_take(const struct oci_streams *streams) {
        for (int fd = 0; fd <= 2; fd++)
                if (streams->theirs[fd] >= 0)
                        dup2(streams->theirs[fd], fd);
}

void oci_streams_passed(struct oci_streams *streams) {
        for (int fd = 0; fd <= 2; fd++)
                streams->theirs[fd] = close_fd(streams->theirs[fd]);
}

void oci_streams_close(struct oci_streams *streams) {
        if (!streams->open)
                return;
        oci_streams_passed(streams);
        for (int fd = 0; fd <= 2; fd++)
                streams->ours[fd] = close_fd(streams->ours[fd]);
}

/* What was read of our standard input and is not written yet. */
struct input {
        char data[CHUNK_SIZE];
        size_t begin, end;
};

static bool copy_in(struct input *input, int to) {
        ssize_t n;

        if (input->begin == input->end) {
                n = read(0, input->data, sizeof(input->data));
                if (n <= 0)
                        return n < 0 && (errno == EINTR || errno == EAGAIN);
                input->begin = 0;
                input->end = (size_t)n;
        }
        n = write(to, input->data + input->begin, input->end - input->begin);
        if (n > 0)
                input->begin += (size_t)n;
        return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static bool copy_out(int from, int to) {
        char data[CHUNK_SIZE];
        ssize_t n = read(from, data, sizeof(data)), done = 0;

        if (n <= 0)
                return n < 0 && (errno == EINTR || errno == EAGAIN);
        while (done < n) {
                ssize_t written = write(to, data + done, (size_t)(n - done));

                if (written < 0 && errno != EINTR)
                        return false;
                done += written > 0 ? written : 0;
        }
        return true;
}

/* What it wrote before its end; what it left behind may hold the pipe for ever. */
static void drain(struct oci_streams *streams) {
        for (int fd = 1; fd <= 2; fd++) {
                struct pollfd ready = { .fd = streams->ours[fd], .events = POLLIN };

                while (ready.fd >= 0 && poll(&ready, 1, 0) > 0 && copy_out(ready.fd, fd))
                        ;
        }
}

void oci_streams_copy(struct oci_streams *streams, int pidfd) {
        struct input input = { .end = 0 };
        struct pollfd fds[4] = { { .fd = pidfd, .events = POLLIN } };

        if (!streams->open || (streams->ours[0] < 0 && streams->ours[1] < 0 && streams->ours[2] < 0))
                return;
        signal(SIGPIPE, SIG_IGN);
        while (!fds[0].revents) {
                bool pending = input.begin < input.end;

                fds[1] = (struct pollfd){ .fd = streams->ours[0] < 0 ? -1 :
                                                pending              ? streams->ours[0] :
                                                                       0,
                                          .events = pending ? POLLOUT : POLLIN };
                for (int fd = 1; fd <= 2; fd++)
                        fds[1 + fd] = (struct pollfd){ .fd = streams->ours[fd], .events = POLLIN };
                if (poll(fds, 4, -1) < 0 && errno != EINTR)
                        break;
                if (fds[1].revents && !copy_in(&input, streams->ours[0]))
                        streams->ours[0] = close_fd(streams->ours[0]);
                for (int fd = 1; fd <= 2; fd++)
                        if (fds[1 + fd].revents && !copy_out(streams->ours[fd], fd))
                                streams->ours[fd] = close_fd(streams->ours[fd]);
        }
        drain(streams);
}
