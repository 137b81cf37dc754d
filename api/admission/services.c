/* DenyServiceExternalIPs: nobody takes addresses for a Service that it did not have. */
#include <string.h>

#include "api/admission/builtin.h"
#include "kube/core_v1.h"

static bool has(const struct kube_service *service, const char *address) {
        list_for_each (ip, &service->spec.external_ips)
                if (strcmp(*ip, address) == 0)
                        return true;
        return false;
}

enum api_step admission_external_ips(struct admission *a) {
        bool update = a->operation == ADMISSION_UPDATE;
        const struct kube_service *service = admission_object(a), *old = service && update ? admission_old(a) : NULL;

        if (!service || (update && !old))
                return API_END;
        list_for_each (ip, &service->spec.external_ips)
                if (!old || !has(old, *ip))
                        return admission_forbid(a, "Use of external IPs is denied by admission control");
        return API_NEXT;
}
