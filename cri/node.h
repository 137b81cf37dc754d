/* What the agent tells of its pods beyond CRI, for the `nacelle` command: JSON documents, part by part. */
#pragma once

struct cri;

enum cri_node_part {
        CRI_NODE_FILES,  /* the watched directory's files (agent/directory/manifest_files.h) */
        CRI_NODE_POD,    /* one pod of the directory with its status, as the API has it */
        CRI_NODE_EVENTS, /* a v1 EventList */
};

struct cri_node {
        /* Calls @part for each, files first. */
        void (*write)(void *data, void (*part)(void *part_data, enum cri_node_part kind, const char *json),
                      void *part_data);
        void *data;
};

void cri_set_node(struct cri *cri, const struct cri_node *node); /* kept by pointer; NULL: there is none */
