#include "api/server/pipeline.h"

#include <assert.h>
#include <string.h>

#include "api/server/deadline.h"
#include "api/server/request.h"
#include "api/server/status.h"

static bool applies(const struct api_stage *stage, const struct api_request *r) {
        unsigned kind = r->path.is_resource ? API_FOR_RESOURCES : API_FOR_OTHERS;

        return stage->kind & kind && (!stage->verbs || stage->verbs & r->verb);
}

/* Whether it goes on. */
static bool run_stage(struct api_request *r) {
        const struct api_stage *stage = &api_stages[r->stage];
        enum api_step step = API_NEXT;

        if (!stage->name) {
                api_no_page(r);
                step = API_END;
        } else if (applies(stage, r)) {
                r->running = true;
                r->resumed = false;
                step = stage->run(r);
                r->running = false;
        }
        if (step == API_END && !r->taken)
                api_request_free(r);
        if (step == API_WAIT && !r->resumed)
                api_deadline_arm(r);
        if (step == API_END || (step == API_WAIT && !r->resumed))
                return false;
        r->stage++;
        return true;
}

void api_run(struct api_request *r) {
        while (run_stage(r))
                ;
}

void api_resume(struct api_request *r) {
        if (r->running) {
                r->resumed = true;
                return;
        }
        r->stage++;
        api_run(r);
}

enum api_step api_wait_again(struct api_request *r) {
        r->stage--;
        return API_WAIT;
}

enum api_step api_again(struct api_request *r, const char *name) {
        unsigned i = 0;

        while (strcmp(api_stages[i].name, name) != 0) {
                i++;
                assert(api_stages[i].name);
        }
        assert(i > 0);
        r->stage = i - 1;
        return API_NEXT;
}
