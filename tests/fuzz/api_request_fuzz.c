/* A request's texts: the first byte says which. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/pages/zpage_form.h"
#include "api/rest/page.h"
#include "api/server/negotiate.h"
#include "api/server/path.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        char *text = size > 0 ? arena_strndup(arena, (const char *)data + 1, size - 1) : NULL;
        struct api_media media;
        struct api_place place;
        struct zpage_media zpage;
        struct api_path path;

        if (text && data[0] % 4 == 0)
                assert(api_path_parse(arena, text, strlen(text), &path) < 0 || !path.is_resource || path.resource);
        else if (text && data[0] % 4 == 1)
                api_negotiate(text, &media);
        else if (text && data[0] % 4 == 3)
                assert(zpage_negotiate(text, "Flagz", &zpage) < 0 || !zpage.version == (zpage.form == ZPAGE_TEXT));
        else if (text)
                api_place_parse(arena, text, size % 2 ? "ns" : NULL, &place, NULL);
        arena_free(arena);
        return 0;
}
