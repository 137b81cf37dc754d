#include "kube/version.h"

#include "lib/cleanup.h"
#include "lib/metrics.h"

void kube_version_write(struct metrics_writer *w) {
        const struct metrics_label labels[] = { { "git_version", KUBE_GIT_VERSION },
                                                { "major", KUBE_VERSION_MAJOR },
                                                { "minor", KUBE_VERSION_MINOR } };

        metrics_family(w, "kubernetes_build_info", METRICS_GAUGE,
                       "[BETA] A metric with a constant '1' value labeled by major, minor, git version.");
        metrics_sample(w, labels, ELEMENTS(labels), 1);
}
