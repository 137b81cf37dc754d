/* What kube/defaults makes of the cases of tests/conformance/kube_defaults: reads lines of JSON, writes each filled in.
 */
#include "tests/conformance/lines.h"
#include "tests/unit/kube/defaults_case.h"

int main(void) {
        return answer_lines(defaults_case_run);
}
