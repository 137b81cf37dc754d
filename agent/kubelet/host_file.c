#include "agent/kubelet/host_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

int kubelet_open_host_file(const char *path, bool look) {
        const struct open_how how = { .flags = O_CLOEXEC | (look ? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY),
                                      .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
        _cleanup_close_ int top = open(HOST_LOGS, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = top < 0 ? -1 : (int)syscall(SYS_openat2, top, *path ? path : ".", &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

const char *kubelet_host_file_error(int error, char ret_text[HOST_FILE_TEXT_MAX]) {
        if (error == -EXDEV || error == -ELOOP)
                return "path escapes from parent";
        snprintf(ret_text, HOST_FILE_TEXT_MAX, "%s", strerror(-error));
        ret_text[0] = (char)tolower((unsigned char)ret_text[0]);
        return ret_text;
}
