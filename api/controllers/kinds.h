/* The controllers, each of its own file; api/controllers/table.c has them all. */
#pragma once

#include "api/controllers/controller.h"

extern const struct controller_kind controller_namespace, controller_garbage, controller_account, controller_root_ca;
