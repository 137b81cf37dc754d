#include "agent/container/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node/dns.h"
#include "agent/volumes/subpath.h"
#include "agent/volumes/tree.h"
#include "lib/cleanup.h"

/* The file is made here and not by the container: only its content is the container's. */
static int make_message_file(const struct member_files *f, struct err **err) {
        _cleanup_free_ char *dir = strdup(f->message_file);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!slash)
                return err_set(err, ENOMEM, "out of memory");
        *slash = '\0';
        if ((r = pod_tree_make(dir, 0750, err)) < 0)
                return r;
        fd = open(f->message_file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 || fchmod(fd, 0666) < 0)
                return err_errno(err, errno, "cannot create %s", f->message_file);
        return 0;
}

static int write_hosts(const struct pod_files *f, struct err **err) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r = dns_hosts_text(f->pod, f->options, f->ips, &text, err);

        if (r < 0)
                return r;
        if (asprintf(&path, "%s/etc-hosts", f->dir) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        /* Written in place when it is there: containers have the file itself mounted. */
        fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_errno(err, errno, "cannot create %s", path);
        if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || ftruncate(fd, (off_t)strlen(text)) < 0 ||
            fchmod(fd, 0644) < 0)
                return err_errno(err, errno, "cannot write %s", path);
        return 0;
}

int member_files_prepare(const struct member_files *f, struct err **err) {
        _cleanup_free_ char *logs = NULL;
        int r;

        if (asprintf(&logs, "%s/%s", f->pod->logs, f->container) < 0) {
                logs = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = pod_tree_make(logs, 0755, err)) < 0 || (r = make_message_file(f, err)) < 0 ||
            (r = write_hosts(f->pod, err)) < 0)
                return r;
        for (size_t i = 0; i < f->n_subpaths; i++)
                if ((r = subpath_mount(f->subpaths[i].volume, f->subpaths[i].path, f->subpaths[i].target, err)) < 0)
                        return err_wrap(err, r, "failed to prepare subPath for volumeMount of container \"%s\"",
                                        f->container);
        return 0;
}
