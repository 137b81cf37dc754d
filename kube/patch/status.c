#include "kube/patch/patch.h"

int patch_status(int error) {
        switch (-error) {
        case PATCH_MALFORMED:
                return 400;
        case PATCH_CONFLICT:
                return 409;
        case PATCH_TOO_LARGE:
                return 413;
        case PATCH_UNFIT:
                return 422;
        default:
                return 500;
        }
}
