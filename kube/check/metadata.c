/* What metadata of every object is held to: apimachinery's validation of ObjectMeta, pkg/apis/core/validation's. */
#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"
#include "lib/cleanup.h"

#define ANNOTATIONS_SIZE_MAX ((size_t)256 * 1024)
#define GENERATE_NAME_MAX 512
#define MANAGER_MAX 128

static void check_annotations(struct check *c, const string_map *annotations) {
        size_t size = 0;

        list_for_each (annotation, annotations) {
                check_name_if(c, ".annotations", NAME_QUALIFIED, annotation->key);
                size += strlen(annotation->key) + strlen(annotation->value);
        }
        if (size > ANNOTATIONS_SIZE_MAX)
                problem_error(c->problems, "metadata.annotations", "Too long: may not be more than %zu bytes",
                              ANNOTATIONS_SIZE_MAX);
}

/* A kubelet looks at none; here as there it is a directory's name, in ROOT, in /var/log/pods and in each cgroup. */
static void check_uid(struct check *c, const char *uid) {
        if (!uid)
                return;
        for (const char *p = uid; *p; p++)
                if (*p == '/' || (unsigned char)*p < ' ' || *p == 0x7f) {
                        check_invalid(c, ".uid", uid, "must not contain '/' or control characters");
                        return;
                }
        if (!*uid || strcmp(uid, ".") == 0 || strcmp(uid, "..") == 0 || strlen(uid) > POD_UID_MAX)
                check_invalid(c, ".uid", uid, "must be a directory's name of at most 128 bytes");
}

/* More is put behind it: that it ends with a dash is none of the name's. */
static void check_generate_name(struct check *c, const char *prefix) {
        char name[GENERATE_NAME_MAX];
        size_t n = prefix ? strlen(prefix) : 0;
        const char *problem;

        if (n == 0)
                return;
        snprintf(name, sizeof(name), "%s", prefix);
        if (n > 1 && n < sizeof(name) && name[n - 1] == '-')
                strcpy(name + n - 2, "a");
        if ((problem = name_problem(NAME_SUBDOMAIN, name)))
                check_invalid(c, ".generateName", prefix, problem);
}

/* VERSION or GROUP/VERSION. */
static bool has_version(const char *api_version) {
        const char *slash = api_version ? strchr(api_version, '/') : NULL;

        if (!slash)
                return api_version && *api_version;
        return slash[1] && !strchr(slash + 1, '/');
}

static void check_owners(struct check *c, const kube_owner_reference_items *owners) {
        unsigned controllers = 0;

        list_for_each (owner, owners) {
                if (!has_version(owner->api_version))
                        check_invalid(c, ".ownerReferences.apiVersion", owner->api_version,
                                      "version must not be empty");
                if (!owner->kind)
                        check_invalid(c, ".ownerReferences.kind", "", "must not be empty");
                if (!owner->name)
                        check_invalid(c, ".ownerReferences.name", "", "must not be empty");
                if (!owner->uid)
                        check_invalid(c, ".ownerReferences.uid", "", "must not be empty");
                if (kube_is(owner->api_version, "v1") && kube_is(owner->kind, "Event"))
                        check_invalid(c, ".ownerReferences", "Event", "v1 Event is disallowed from being an owner");
                controllers += owner->controller == TRI_TRUE;
        }
        if (controllers > 1)
                check_invalid(c, ".ownerReferences", "", "Only one reference can have Controller set to true");
}

static void check_finalizers(struct check *c, const string_list *finalizers) {
        static const char *const standard[] = { "foregroundDeletion", "kubernetes", "orphan" };
        bool orphan = false, foreground = false;

        for (uint32_t i = 0; i < finalizers->count; i++) {
                const char *name = finalizers->items[i];
                bool known = strchr(name, '/');

                for (size_t k = 0; k < ELEMENTS(standard); k++)
                        known |= strcmp(name, standard[k]) == 0;
                check_name_if(c, ".finalizers", NAME_QUALIFIED, name);
                if (!known)
                        check_invalid(c, ".finalizers", name,
                                      "name is neither a standard finalizer name nor is it fully qualified");
                orphan |= strcmp(name, "orphan") == 0;
                foreground |= strcmp(name, "foregroundDeletion") == 0;
        }
        if (orphan && foreground)
                check_invalid(c, ".finalizers", "orphan", "finalizer orphan and foregroundDeletion cannot be both set");
}

static void check_managed_fields(struct check *c, const kube_managed_fields_entry_items *entries) {
        static const char *const operations[] = { "Apply", "Update", NULL };
        static const char *const fields_types[] = { "FieldsV1", NULL };

        for (uint32_t i = 0; i < entries->count; i++) {
                size_t before = TRAIL_ENTER(c, ".managedFields[%u]", i);

                check_choice(c, ".operation", entries->items[i].operation ?: "", operations);
                if (strlen(entries->items[i].manager ?: "") > MANAGER_MAX)
                        check_invalid(c, ".manager", entries->items[i].manager, "may not be more than 128 bytes");
                check_choice(c, ".fieldsType", entries->items[i].fields_type, fields_types);
                TRAIL_LEAVE(c, before);
        }
}

void check_metadata(struct check *c) {
        const struct kube_object_meta *meta = &c->pod->metadata;
        size_t before = TRAIL_ENTER(c, "metadata");

        check_generate_name(c, meta->generate_name);
        if (!meta->name)
                check_required(c, ".name", "name or generateName is required");
        check_name_if(c, ".name", NAME_SUBDOMAIN, meta->name);
        if (!meta->namespace)
                check_required(c, ".namespace", "");
        check_name_if(c, ".namespace", NAME_LABEL, meta->namespace);
        check_not_negative(c, ".generation", meta->generation);
        check_uid(c, meta->uid);
        check_labels(c, ".labels", &meta->labels);
        check_annotations(c, &meta->annotations);
        check_owners(c, &meta->owner_references);
        check_finalizers(c, &meta->finalizers);
        check_managed_fields(c, &meta->managed_fields);
        TRAIL_LEAVE(c, before);
}
