#include "agent/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cri/cri.h"

/* A family by CRI method; names are kubelet's where kubelet has the thing. */
static void write_family(FILE *f, const char *name, const char *type, const char *help, const uint64_t *values,
                         double scale) {
        fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
        for (int i = 0; i < CRI_METHODS; i++)
                if (values[i])
                        fprintf(f, "%s{operation_type=\"%s\"} %.9g\n", name, cri_methods[i].name,
                                (double)values[i] * scale);
}

static void write_one(FILE *f, const char *name, const char *type, const char *help, uint64_t value) {
        fprintf(f, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name, value);
}

char *metrics_text(struct cri *cri, unsigned pods) {
        struct cri_counters c;
        size_t length = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &length);

        if (!f)
                return NULL;
        cri_get_counters(cri, &c);
        write_family(f, "kubelet_runtime_operations_total", "counter", "CRI calls.", c.calls, 1);
        write_family(f, "kubelet_runtime_operations_errors_total", "counter", "CRI calls that failed.", c.errors, 1);
        write_family(f, "nacelle_runtime_operations_seconds_total", "counter", "Time spent in CRI calls.",
                     c.nanoseconds, 1e-9);
        write_one(f, "nacelle_oom_kills_total", "counter", "Processes killed for their memory.", c.oom_kills);
        write_one(f, "nacelle_image_pulls_total", "counter", "Images pulled.", c.pulls);
        write_one(f, "nacelle_shims_recovered_total", "counter", "Shims replaced after their death.",
                  c.shims_recovered);
        write_one(f, "kubelet_running_pods", "gauge", "Pods of the watched directory.", pods);
        write_one(f, "nacelle_sandboxes", "gauge", "Pod sandboxes.", c.sandboxes);
        write_one(f, "nacelle_containers", "gauge", "Containers, dead ones too.", c.containers);
        write_one(f, "kubelet_running_containers", "gauge", "Running containers.", c.running);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
