/* The controllers' thread: the controllers of api/controllers, and the scheduler of api/scheduler, in the service's
 * process, by the client of api/local/local.h.
 */
#pragma once

struct api_config;
struct api_credentials;
struct api_manager;
struct api_server;
struct err;

/* Begins them; @server is started. Texts of @config, and @credentials, outlive the thread. */
int api_manager_start(const struct api_config *config, struct api_credentials *credentials, struct api_server *server,
                      struct api_manager **ret_manager, struct err **err);

/* Ends the thread, before the server is stopped. What was sent is still done. NULL is fine. */
void api_manager_stop(struct api_manager *manager);

/* Once the server was freed: until then its requests know the accounts that have sent them. NULL is fine. */
void api_manager_free(struct api_manager *manager);
