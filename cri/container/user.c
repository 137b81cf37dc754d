#include "cri/container/user.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/id.h"

/* One line of passwd or group, cut at its colons in place. */
#define FIELDS_MAX 7
struct line {
        char *fields[FIELDS_MAX];
        size_t n;
};

/* Takes the next line out of *@text; false at the end. */
static bool next_line(char **text, struct line *ret_line) {
        char *p = *text, *end;

        if (!p || !*p)
                return false;
        end = strchr(p, '\n');
        if (end)
                *end = '\0';
        *text = end ? end + 1 : NULL;
        ret_line->n = 0;
        while (p && ret_line->n < FIELDS_MAX) {
                ret_line->fields[ret_line->n++] = p;
                p = strchr(p, ':');
                if (p)
                        *p++ = '\0';
        }
        return true;
}

/* Numbers are ids, and are not looked for among the names: what an image calls "1000" in its passwd is for the image to
 * say, what 1000 is is not. */
struct who {
        const char *name; /* NULL: the number */
        uint32_t id;
};

struct wanted {
        struct who user, group;
        bool has_user, has_group;
};

static int who_of_text(const char *what, const char *text, struct who *ret_who, struct err **err) {
        uint32_t id;
        int r = id_parse(text, &id);

        if (r == -ERANGE)
                return err_set(err, EINVAL, "%s %s is no id: 0 to %u are", what, text, ID_MAX);
        *ret_who = r < 0 ? (struct who){ .name = text } : (struct who){ .id = id };
        return 0;
}

static int who_of_number(const char *what, int64_t id, struct who *ret_who, struct err **err) {
        if (id < 0 || id > ID_MAX)
                return err_set(err, EINVAL, "%s %" PRId64 " is no id: 0 to %u are", what, id, ID_MAX);
        *ret_who = (struct who){ .id = (uint32_t)id };
        return 0;
}

/* "USER" or "USER:GROUP" of an image's config. */
static int want_image(struct arena *arena, const char *image_user, struct wanted *wanted, struct err **err) {
        char *user = arena_strdup(arena, image_user), *group = user ? strchr(user, ':') : NULL;
        int r;

        if (!user)
                return err_set(err, ENOMEM, "out of memory");
        if (group)
                *group++ = '\0';
        if (!*user || (group && (!*group || strchr(group, ':'))))
                return err_set(err, EINVAL, "the image's user \"%s\": USER or USER:GROUP is expected", image_user);
        r = who_of_text("user", user, &wanted->user, err);
        if (r >= 0 && group)
                r = who_of_text("group", group, &wanted->group, err);
        wanted->has_user = true;
        wanted->has_group = group;
        return r;
}

static int want(struct arena *arena, const Cri__LinuxContainerSecurityContext *security, const char *image_user,
                struct wanted *ret_wanted, struct err **err) {
        struct wanted wanted = { 0 };
        int r = 0;

        wanted.has_user = true;
        if (security->run_as_username && *security->run_as_username)
                r = who_of_text("user", security->run_as_username, &wanted.user, err);
        else if (security->run_as_user)
                r = who_of_number("user", security->run_as_user->value, &wanted.user, err);
        else
                wanted.has_user = false;
        if (r < 0)
                return r;
        if (security->run_as_group) {
                if (!wanted.has_user)
                        return err_set(err, EINVAL, "user group \"%" PRId64 "\" is specified without user",
                                       security->run_as_group->value);
                if ((r = who_of_number("group", security->run_as_group->value, &wanted.group, err)) < 0)
                        return r;
                wanted.has_group = true;
        }
        if (!wanted.has_user && image_user && *image_user && (r = want_image(arena, image_user, &wanted, err)) < 0)
                return r;
        *ret_wanted = wanted;
        return r;
}

/* Fills uid, gid and home from passwd; @ret_name is the user's name in @passwd, for group's lists. */
static int find_user(struct arena *arena, const struct who *wanted, char *passwd, struct user *user,
                     const char **ret_name, struct err **err) {
        struct line line;
        uint32_t uid, gid;

        *ret_name = NULL;
        while (next_line(&passwd, &line)) {
                if (line.n < 4 || id_parse(line.fields[2], &uid) < 0 || id_parse(line.fields[3], &gid) < 0)
                        continue;
                if (wanted->name ? strcmp(line.fields[0], wanted->name) != 0 : uid != wanted->id)
                        continue;
                user->uid = uid;
                user->gid = gid;
                *ret_name = line.fields[0];
                if (line.n > 5 && *line.fields[5] == '/' && !(user->home = arena_strdup(arena, line.fields[5])))
                        return err_set(err, ENOMEM, "out of memory");
                return 0;
        }
        if (wanted->name)
                return err_set(err, EINVAL, "unable to find user %s: no matching entries in passwd file", wanted->name);
        user->uid = wanted->id;
        user->gid = 0;
        return 0;
}

static int find_group(const struct who *wanted, char *groups, uint32_t *ret_gid, struct err **err) {
        struct line line;

        if (!wanted->name) {
                *ret_gid = wanted->id;
                return 0;
        }
        while (next_line(&groups, &line))
                if (line.n >= 3 && strcmp(line.fields[0], wanted->name) == 0 && id_parse(line.fields[2], ret_gid) == 0)
                        return 0;
        return err_set(err, EINVAL, "unable to find group %s: no matching entries in group file", wanted->name);
}

static bool listed(const char *members, const char *name) {
        size_t n = strlen(name);

        for (const char *p = members; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
                if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0' || p[n] == '\r'))
                        return true;
        return false;
}

static void add_group(struct user *user, uint32_t gid, size_t room) {
        for (size_t i = 0; i < user->n_groups; i++)
                if (user->groups[i] == gid)
                        return;
        if (user->n_groups < room)
                user->groups[user->n_groups++] = gid;
}

static size_t count_lines(const char *text) {
        size_t n = 1;

        for (; *text && n < USER_GROUPS_MAX; text++)
                n += *text == '\n';
        return n;
}

static int fill_groups(struct arena *arena, const Cri__LinuxContainerSecurityContext *security, const char *name,
                       char *groups, struct user *user, struct err **err) {
        bool merge = security->supplemental_groups_policy == CRI__SUPPLEMENTAL_GROUPS_POLICY__Merge;
        size_t room = 1 + security->n_supplemental_groups + (merge && name ? count_lines(groups) : 0);
        struct line line;
        uint32_t gid;

        if (security->n_supplemental_groups > USER_GROUPS_MAX)
                return err_set(err, EINVAL, "more than %d supplemental groups", USER_GROUPS_MAX);
        user->groups = arena_alloc_array(arena, room, sizeof(*user->groups));
        if (!user->groups)
                return err_set(err, ENOMEM, "out of memory");
        add_group(user, user->gid, room);
        while (merge && name && next_line(&groups, &line))
                if (line.n >= 4 && id_parse(line.fields[2], &gid) == 0 && listed(line.fields[3], name))
                        add_group(user, gid, room);
        for (size_t i = 0; i < security->n_supplemental_groups; i++) {
                struct who group = { 0 };
                int r = who_of_number("supplemental group", security->supplemental_groups[i], &group, err);

                if (r < 0)
                        return r;
                add_group(user, group.id, room);
        }
        return 0;
}

/* A missing file is an empty one: images without a shell have none. */
static int read_or_empty(char *const *layers, size_t n_layers, const char *path, char **ret_data, struct err **err) {
        _cleanup_err_ struct err *why = NULL;
        int r = layers_read_file(layers, n_layers, path, USER_FILE_MAX, ret_data, &why);

        if (r == -ENOENT) {
                *ret_data = strdup("");
                return *ret_data ? 0 : err_set(err, ENOMEM, "out of memory");
        }
        if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EIO)
                return err_move(err, TAKE_PTR(why));
        return r < 0 ? err_set(err, EINVAL, "%s", err_text(why)) : 0;
}

int user_resolve(struct arena *arena, const Cri__LinuxContainerSecurityContext *security,
                 const struct user_image *image, struct user *ret_user, struct err **err) {
        _cleanup_free_ char *passwd = NULL, *group = NULL, *scratch = NULL;
        struct user user = { 0 };
        struct wanted wanted = { 0 };
        const char *name;
        int r;

        if ((r = want(arena, security, image->user, &wanted, err)) < 0 ||
            (r = read_or_empty(image->layers, image->n_layers, "etc/passwd", &passwd, err)) < 0 ||
            (r = read_or_empty(image->layers, image->n_layers, "etc/group", &group, err)) < 0)
                return r;
        if (!(scratch = strdup(group))) /* each look cuts the text into pieces */
                return err_set(err, ENOMEM, "out of memory");
        if ((r = find_user(arena, &wanted.user, passwd, &user, &name, err)) < 0 ||
            (wanted.has_group && (r = find_group(&wanted.group, scratch, &user.gid, err)) < 0) ||
            (r = fill_groups(arena, security, name, group, &user, err)) < 0)
                return r;
        *ret_user = user;
        return 0;
}

int user_check_sandbox(const Cri__LinuxSandboxSecurityContext *security, struct err **err) {
        struct who ignored;
        int r;

        if (security->run_as_user && (r = who_of_number("user", security->run_as_user->value, &ignored, err)) < 0)
                return r;
        if (security->run_as_group && (r = who_of_number("group", security->run_as_group->value, &ignored, err)) < 0)
                return r;
        for (size_t i = 0; i < security->n_supplemental_groups; i++)
                if ((r = who_of_number("supplemental group", security->supplemental_groups[i], &ignored, err)) < 0)
                        return r;
        return 0;
}
