/* What kube/apply makes of the histories of tests/conformance/kube_apply: reads lines of JSON, writes each with its
 * answers. */
#include "tests/conformance/lines.h"
#include "tests/unit/kube/apply_history.h"

int main(void) {
        return answer_lines(apply_history_run);
}
