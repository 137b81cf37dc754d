/* What kube/validate says of the cases of tests/conformance/kube_validate: reads lines of JSON, writes the errors of
 * each.
 */
#include "tests/conformance/lines.h"
#include "tests/unit/kube/validate_case.h"

int main(void) {
        return answer_lines(validate_case_run);
}
