#include "kube/pod/image_name.h"

#include <string.h>

bool image_name_is_latest(const char *image) {
        const char *slash = strrchr(image, '/'), *digest = strchr(image, '@');
        const char *colon = strchr(slash ? slash : image, ':');

        if (digest && (!colon || colon > digest))
                return false;
        if (!colon)
                return true;
        colon++;
        return digest ? (size_t)(digest - colon) == strlen("latest") && strncmp(colon, "latest", 6) == 0 :
                        strcmp(colon, "latest") == 0;
}
