#include "cri/user.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

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

static bool parse_id(const char *text, uint32_t *ret_id) {
        uint64_t id = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                if (!isdigit((unsigned char)*text) || (id = id * 10 + (uint64_t)(*text - '0')) > INT32_MAX)
                        return false;
        }
        *ret_id = (uint32_t)id;
        return true;
}

struct wanted {
        const char *user;  /* name or number; NULL: 0 */
        const char *group; /* name or number; NULL: passwd's */
};

/* A CRI id fits into 31 bits, as the OCI runtimes take it. */
static int number_text(struct arena *arena, const char *what, const Cri__Int64Value *value, const char **ret_text,
                       struct err **err) {
        if (value->value < 0 || value->value > INT32_MAX)
                return err_set(err, EINVAL, "%s %" PRId64 " is no id", what, value->value);
        *ret_text = arena_printf(arena, "%" PRId64, value->value);
        return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int want(struct arena *arena, const Cri__LinuxContainerSecurityContext *security, const char *image_user,
                struct wanted *ret_wanted, struct err **err) {
        struct wanted wanted = { 0 };
        char *colon;
        int r = 0;

        if (security->run_as_username && *security->run_as_username)
                wanted.user = security->run_as_username;
        else if (security->run_as_user)
                r = number_text(arena, "user", security->run_as_user, &wanted.user, err);
        if (r < 0)
                return r;
        if (security->run_as_group) {
                if (!wanted.user)
                        return err_set(err, EINVAL, "user group \"%" PRId64 "\" is specified without user",
                                       security->run_as_group->value);
                r = number_text(arena, "group", security->run_as_group, &wanted.group, err);
                if (r < 0)
                        return r;
        }
        if (!wanted.user && image_user && *image_user) {
                wanted.user = arena_strdup(arena, image_user);
                if (!wanted.user)
                        return err_set(err, ENOMEM, "out of memory");
                colon = strchr(wanted.user, ':');
                if (colon) {
                        *colon = '\0';
                        wanted.group = colon[1] ? colon + 1 : NULL;
                }
        }
        *ret_wanted = wanted;
        return 0;
}

/* Fills uid, gid and home from passwd; @ret_name is the user's name in @passwd, for group's lists. */
static int find_user(struct arena *arena, const struct wanted *wanted, char *passwd, struct user *user,
                     const char **ret_name, struct err **err) {
        const char *text = wanted->user && *wanted->user ? wanted->user : "0";
        uint32_t number = 0, uid, gid;
        bool is_number = parse_id(text, &number);
        struct line line;

        *ret_name = NULL;
        while (next_line(&passwd, &line)) {
                if (line.n < 4 || !parse_id(line.fields[2], &uid) || !parse_id(line.fields[3], &gid))
                        continue;
                if (strcmp(line.fields[0], text) != 0 && !(is_number && uid == number))
                        continue;
                user->uid = uid;
                user->gid = gid;
                *ret_name = line.fields[0];
                if (line.n > 5 && *line.fields[5] == '/')
                        user->home = arena_strdup(arena, line.fields[5]);
                return 0;
        }
        if (!is_number)
                return err_set(err, EINVAL, "unable to find user %s: no matching entries in passwd file", text);
        user->uid = number;
        user->gid = 0;
        return 0;
}

static int find_group(const char *text, char *groups, uint32_t *ret_gid, struct err **err) {
        bool is_number = parse_id(text, ret_gid);
        struct line line;

        while (!is_number && next_line(&groups, &line))
                if (line.n >= 3 && strcmp(line.fields[0], text) == 0 && parse_id(line.fields[2], ret_gid))
                        return 0;
        return is_number ? 0 : err_set(err, EINVAL, "unable to find group %s: no matching entries in group file", text);
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
                if (line.n >= 4 && parse_id(line.fields[2], &gid) && listed(line.fields[3], name))
                        add_group(user, gid, room);
        for (size_t i = 0; i < security->n_supplemental_groups; i++) {
                int64_t group = security->supplemental_groups[i];

                if (group < 0 || group > INT32_MAX)
                        return err_set(err, EINVAL, "supplemental group %" PRId64 " is no id", group);
                add_group(user, (uint32_t)group, room);
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

int user_resolve(struct arena *arena, const Cri__LinuxContainerSecurityContext *security, const char *image_user,
                 char *const *layers, size_t n_layers, struct user *ret_user, struct err **err) {
        _cleanup_free_ char *passwd = NULL, *group = NULL, *scratch = NULL;
        struct user user = { 0 };
        struct wanted wanted = { 0 };
        const char *name;
        int r;

        r = want(arena, security, image_user, &wanted, err);
        if (r >= 0)
                r = read_or_empty(layers, n_layers, "etc/passwd", &passwd, err);
        if (r >= 0)
                r = read_or_empty(layers, n_layers, "etc/group", &group, err);
        if (r >= 0 && !(scratch = strdup(group))) /* each look cuts the text into pieces */
                r = err_set(err, ENOMEM, "out of memory");
        if (r >= 0)
                r = find_user(arena, &wanted, passwd, &user, &name, err);
        if (r >= 0 && wanted.group)
                r = find_group(wanted.group, scratch, &user.gid, err);
        if (r >= 0)
                r = fill_groups(arena, security, name, group, &user, err);
        if (r >= 0)
                *ret_user = user;
        return r;
}
