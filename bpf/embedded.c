#include "bpf/embedded.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

#define COMPLAINT_MAX 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char complaint[COMPLAINT_MAX]; /* libbpf's last, under the lock */

static int note(enum libbpf_print_level level, const char *format, va_list ap) {
        if (level == LIBBPF_WARN) {
                vsnprintf(complaint, sizeof(complaint), format, ap);
                complaint[strcspn(complaint, "\n")] = '\0';
        }
        return 0;
}

static int load(const struct bpf_embedded *embedded, struct bpf_object **ret_object) {
        LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = embedded->name);
        struct bpf_object *object = bpf_object__open_mem(embedded->object, embedded->size, &options);
        int r;

        if (!object)
                return -errno;
        r = bpf_object__load(object);
        if (r < 0) {
                bpf_object__close(object);
                return r;
        }
        *ret_object = object;
        return 0;
}

int bpf_embedded_load(const struct bpf_embedded *embedded, struct bpf_object **ret_object, struct err **err) {
        libbpf_print_fn_t before;
        int r;

        pthread_mutex_lock(&lock);
        complaint[0] = '\0';
        before = libbpf_set_print(note);
        r = load(embedded, ret_object);
        libbpf_set_print(before);
        if (r < 0)
                r = err_errno(err, -r, "eBPF object %s%s%s", embedded->name, complaint[0] ? ": " : "", complaint);
        pthread_mutex_unlock(&lock);
        return r;
}
