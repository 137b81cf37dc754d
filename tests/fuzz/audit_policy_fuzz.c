/* An audit policy of any bytes; what is read decides of a request. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/audit/policy.h"
#include "api/auth/attributes.h"
#include "api/auth/user.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *group = "g";
        const struct auth_user user = { .name = "u", .groups = { &group, 1 } };
        struct auth_attributes page = AUTH_ATTRIBUTES(&user), object = page;
        int fd = memfd_create("policy", MFD_CLOEXEC);
        struct audit_policy *policy = NULL;
        struct err *err = NULL;
        char path[64];

        page.path = "/livez";
        page.verb = object.verb = "get";
        object.is_resource = true;
        object.resource = "pods";
        object.subresource = "log";
        if (write(fd, data, size) != (ssize_t)size)
                abort();
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (audit_policy_load(path, &policy, &err) >= 0) {
                audit_policy_choose(policy, &page);
                audit_policy_choose(policy, &object);
        }
        audit_policy_free(policy);
        err_free(err);
        close(fd);
        return 0;
}
