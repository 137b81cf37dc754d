/* What validation asks of the cluster (kube/validate/validate.h): the asker is a request. */
#pragma once

struct validate_asks;

extern const struct validate_asks api_asks;
