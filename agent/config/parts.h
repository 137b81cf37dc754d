/* Fields of a KubeletConfiguration that are maps of maps, each part of them a row that says which option it sets. */
#pragma once

#include "agent/config/options.h"
#include "lib/value.h"

/* KubeletAuthentication and KubeletAuthorization. -EINVAL with line, field and what it wants; -ENOMEM. */
int config_set_authentication(const struct value *value, struct options *options, struct err **err);
int config_set_shutdown(const struct value *value, struct options *options, struct err **err); /* ...ByPodPriority */
int config_set_authorization(const struct value *value, struct options *options, struct err **err);
