/* Cells: what columns show of an object. Each is a print_column's. */
#pragma once

struct arena;
struct json_writer;
struct value;

#define PRINT_CELL(name)                                                                                               \
        void print_##name(struct json_writer *w, struct arena *arena, const struct value *object, const char *path)

PRINT_CELL(text);          /* what is there; "" without */
PRINT_CELL(text_or_none);  /* "<none>" without */
PRINT_CELL(text_or_unset); /* "<unset>" without */
PRINT_CELL(number);        /* 0 without */
PRINT_CELL(text_or_na);    /* "N/A" without */
PRINT_CELL(truth);         /* false without */
PRINT_CELL(truth_text);    /* "True" or "False" */
PRINT_CELL(count);         /* of a list's items or a map's members */
PRINT_CELL(data);          /* of a ConfigMap: how many entries */
PRINT_CELL(since);         /* how long ago a time is */
PRINT_CELL(since_or_none); /* "<none>" without */
PRINT_CELL(time);          /* the time itself */
PRINT_CELL(labels);        /* of a map, "a=b,c=d" */
PRINT_CELL(selector);      /* of a LabelSelector or a map */
PRINT_CELL(keys);          /* of a list: its texts, by commas */

/* Of what has a pod's template at @path. */
PRINT_CELL(container_names);
PRINT_CELL(container_images);

/* A kind's own; @path is not looked at. */
PRINT_CELL(ready_replicas);
PRINT_CELL(node_status);
PRINT_CELL(node_roles);
PRINT_CELL(node_address); /* @path is the address's type */
PRINT_CELL(pod_ready);
PRINT_CELL(pod_status);
PRINT_CELL(pod_restarts);
PRINT_CELL(service_external);
PRINT_CELL(service_ports);
PRINT_CELL(access_modes);
PRINT_CELL(claim_of_volume);
PRINT_CELL(event_last);
PRINT_CELL(event_first);
PRINT_CELL(event_object);
PRINT_CELL(event_source);
PRINT_CELL(event_message);
PRINT_CELL(role_ref);
PRINT_CELL(subjects); /* @path is the subjects' kind */
PRINT_CELL(job_completions);
PRINT_CELL(job_duration);
PRINT_CELL(job_status);
PRINT_CELL(ingress_hosts);
PRINT_CELL(ingress_address);
PRINT_CELL(ingress_ports);
PRINT_CELL(scale_reference);
PRINT_CELL(endpoints);
PRINT_CELL(slice_ports);
PRINT_CELL(slice_endpoints);
