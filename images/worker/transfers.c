#include "images/worker/transfers.h"
#include "lib/err.h"
#include <errno.h>
int transfer_push(const struct image_layout *l, const struct request *q, struct report *r, struct err **err) { return err_set(err, ENOSYS, "x"); }
int transfer_export(const struct image_layout *l, const struct request *q, struct report *r, struct err **err) { return err_set(err, ENOSYS, "x"); }
int transfer_login(const struct image_layout *l, const struct request *q, struct report *r, struct err **err) { return err_set(err, ENOSYS, "x"); }
