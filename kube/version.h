/* The Kubernetes whose kinds and rules these are, as it is told to clients. */
#pragma once

#define KUBE_VERSION_MAJOR "1"
#define KUBE_VERSION_MINOR "36"
#define KUBE_VERSION_PATCH "3"

/* "v1.36.3+nacelle-0.1": what follows the plus is of no version's order (semver.org, 10). */
#define KUBE_GIT_VERSION "v" KUBE_BINARY_VERSION

/* The same without its letter. */
#define KUBE_BINARY_VERSION KUBE_VERSION_MAJOR "." KUBE_VERSION_MINOR "." KUBE_VERSION_PATCH "+nacelle-" NACELLE_VERSION

struct metrics_writer;

/* kubernetes_build_info, by which Prometheus' rules see a program that is behind the others. */
void kube_version_write(struct metrics_writer *w);
