/* The kinds of transfer that talk to a registry or write an archive; each as enum image_transfer_kind says. */
#pragma once

struct err;
struct image_layout;
struct report;
struct image_request;

int transfer_pull(const struct image_layout *layout, const struct image_request *request, struct report *report,
                  struct err **err);
int transfer_push(const struct image_layout *layout, const struct image_request *request, struct report *report,
                  struct err **err);
int transfer_export(const struct image_layout *layout, const struct image_request *request, struct report *report,
                    struct err **err);
int transfer_login(const struct image_layout *layout, const struct image_request *request, struct report *report,
                   struct err **err);
