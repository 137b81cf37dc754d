/* Deletion of a collection: of each object by itself, as if it were asked for. */
#include "api/rest/rest.h"
#include "api/server/request.h"
#include "api/server/status.h"

enum api_step api_clear(struct api_request *r) {
        return api_refuse(r, API_METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource");
}
