#include "cri/call/trace.h"

#include "lib/grpc/grpc.h"

/* What a server answers that is its own failure; the rest is its client's (OpenTelemetry, "Semantic conventions for
 * gRPC"). */
static bool is_failure(enum grpc_code code) {
        switch (code) {
        case GRPC_UNKNOWN:
        case GRPC_DEADLINE_EXCEEDED:
        case GRPC_UNIMPLEMENTED:
        case GRPC_INTERNAL:
        case GRPC_UNAVAILABLE:
        case GRPC_DATA_LOSS:
                return true;
        default:
                return false;
        }
}

struct span *trace_begin(struct cri *cri, enum cri_method method, enum span_kind kind,
                         const struct trace_parent *parent) {
        return span_begin(cri->options.tracer, cri_methods[method].path + 1, kind, parent);
}

/* The image that the request names. */
static const char *image_of(const struct cri_call *call) {
        const Cri__ImageSpec *image = NULL;

        switch (call->method) {
        case CRI_PULL_IMAGE:
                image = ((const Cri__PullImageRequest *)call->request)->image;
                break;
        case CRI_IMAGE_STATUS:
                image = ((const Cri__ImageStatusRequest *)call->request)->image;
                break;
        case CRI_REMOVE_IMAGE:
                image = ((const Cri__RemoveImageRequest *)call->request)->image;
                break;
        default:
                break;
        }
        return image && !text_empty(image->image) ? image->image : NULL;
}

static size_t fill_objects(const struct cri_call *call, struct span_attribute *to) {
        const struct cri_container *container = call->container;
        const struct cri_sandbox *sandbox = call->sandbox;
        const char *image = image_of(call);
        size_t n = 0;

        if (sandbox) {
                const Cri__PodSandboxMetadata *pod = sandbox->config->metadata;

                to[n++] = (struct span_attribute){ "sandbox.id", sandbox->id, 0 };
                to[n++] = (struct span_attribute){ "k8s.namespace.name", pod->namespace_, 0 };
                to[n++] = (struct span_attribute){ "k8s.pod.name", pod->name, 0 };
                to[n++] = (struct span_attribute){ "k8s.pod.uid", pod->uid, 0 };
        }
        if (container) {
                to[n++] = (struct span_attribute){ "container.id", container->id, 0 };
                to[n++] = (struct span_attribute){ "k8s.container.name", container->config->metadata->name, 0 };
        }
        if (image)
                to[n++] = (struct span_attribute){ "container.image.name", image, 0 };
        return n;
}

void trace_end(struct span *span, enum cri_method method, const struct cri_call *call, const struct err *err) {
        const struct cri_method_row *row = &cri_methods[method];
        enum grpc_code code = grpc_code_from_errno(err_code(err));
        struct span_attribute attributes[SPAN_ATTRIBUTES_MAX] = {
                { "rpc.system", "grpc", 0 },
                { "rpc.service",
                  row->flags & CRI_IMAGE_SERVICE ? "runtime.v1.ImageService" : "runtime.v1.RuntimeService", 0 },
                { "rpc.method", row->name, 0 },
                { "rpc.grpc.status_code", NULL, code },
        };
        size_t n = 4;

        if (call)
                n += fill_objects(call, attributes + n);
        span_end(span, attributes, n, err && (is_failure(code) || span_is(span, SPAN_INTERNAL)) ? err_text(err) : NULL);
}
