#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column service_columns[] = {
        PRINT_NAME,
        PRINT_FIELD(
                "Type", "string", 0, PRINT_TEXT, "spec.type", NULL,
                "type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, "
                "ClusterIP, NodePort, and LoadBalancer. \"ClusterIP\" allocates a cluster-internal IP address for "
                "load-balancing to endpoints. Endpoints are determined by the selector or if that is not specified, by "
                "manual construction of an Endpoints object or EndpointSlice objects. If clusterIP is \"None\", no "
                "virtual IP is allocated and the endpoints are published as a set of endpoints rather than a virtual "
                "IP. \"NodePort\" builds on ClusterIP and allocates a port on every node which routes to the same "
                "endpoints as the clusterIP. \"LoadBalancer\" builds on NodePort and creates an external load-balancer "
                "(if supported in the current cloud) which routes to the same endpoints as the clusterIP. "
                "\"ExternalName\" aliases this service to the specified externalName. Several other fields do not "
                "apply to ExternalName services. More info: "
                "https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types"),
        PRINT_MADE("Cluster-IP", "string", 0, print_service_address, "spec.clusterIPs", NULL,
                   "clusterIP is the IP address of the service and is usually assigned randomly. If an address is "
                   "specified manually, is in-range (as per system configuration), and is not in use, it will be "
                   "allocated to the service; otherwise creation of the service will fail. This field may not be "
                   "changed through updates unless the type field is also being changed to ExternalName (which "
                   "requires this field to be blank) or the type field is being changed from ExternalName (in which "
                   "case this field may optionally be specified, as describe above).  Valid values are \"None\", empty "
                   "string (\"\"), or a valid IP address. Setting this to \"None\" makes a \"headless service\" (no "
                   "virtual IP), which is useful when direct endpoint connections are preferred and proxying is not "
                   "required.  Only applies to types ClusterIP, NodePort, and LoadBalancer. If this field is specified "
                   "when creating a Service of type ExternalName, creation will fail. This field will be wiped when "
                   "updating a Service to type ExternalName. More info: "
                   "https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies"),
        PRINT_MADE("External-IP", "string", 0, print_service_external,
                   "spec.type spec.externalIPs spec.externalName status.loadBalancer.ingress", NULL,
                   "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for "
                   "this service.  These IPs are not managed by Kubernetes.  The user is responsible for ensuring that "
                   "traffic arrives at a node with this IP.  A common example is external load-balancers that are not "
                   "part of the Kubernetes system."),
        PRINT_MADE("Port(s)", "string", 0, print_service_ports, "spec.ports", NULL,
                   "The list of ports that are exposed by this service. More info: "
                   "https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies"),
        PRINT_AGE_COLUMN,
        PRINT_FIELD(
                "Selector", "string", 1, PRINT_MAP, "spec.selector", NULL,
                "Route service traffic to pods with label keys and values matching this selector. If empty or not "
                "present, the service is assumed to have an external process managing its endpoints, which Kubernetes "
                "will not modify. Only applies to types ClusterIP, NodePort, and LoadBalancer. Ignored if type is "
                "ExternalName. More info: https://kubernetes.io/docs/concepts/services-networking/service/"),
};

static const struct print_column endpoints_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Endpoints", "string", 0, print_endpoints, "subsets.addresses.ip subsets.ports.port", NULL,
                   "The set of all endpoints is the union of all subsets. Addresses are placed into subsets according "
                   "to the IPs they share. A single address with multiple ports, some of which are ready and some of "
                   "which are not (because they come from different containers) will result in the address being "
                   "displayed in different subsets for the different ports. No address will appear in both Addresses "
                   "and NotReadyAddresses in the same subset. Sets of addresses and ports that comprise a service."),
        PRINT_AGE_COLUMN,
};

static const struct print_column endpoint_slice_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("AddressType", "string", 0, PRINT_TEXT, "addressType", NULL,
                    "addressType specifies the type of address carried by this EndpointSlice. All addresses in this "
                    "slice must be the same type. This field is immutable after creation. The following address types "
                    "are currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 Address. "
                    "* FQDN: Represents a Fully Qualified Domain Name. (Deprecated) The EndpointSlice controller only "
                    "generates, and kube-proxy only processes, slices of addressType \"IPv4\" and \"IPv6\". No "
                    "semantics are defined for the \"FQDN\" type."),
        PRINT_MADE("Ports", "string", 0, print_slice_ports, "ports", NULL,
                   "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must "
                   "have a unique name. Each slice may include a maximum of 100 ports. Services always have at least 1 "
                   "port, so EndpointSlices generated by the EndpointSlice controller will likewise always have at "
                   "least 1 port. EndpointSlices used for other purposes may have an empty ports list."),
        PRINT_MADE("Endpoints", "string", 0, print_slice_endpoints, "endpoints.addresses", NULL,
                   "endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 "
                   "endpoints."),
        PRINT_AGE_COLUMN,
};

static const struct print_column ingress_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Class", "string", 0, PRINT_TEXT, "spec.ingressClassName", "<none>",
                    "The name of the IngressClass resource that should be used for additional configuration"),
        PRINT_MADE("Hosts", "string", 0, print_ingress_hosts, "spec.rules.host", NULL,
                   "Hosts that incoming requests are matched against before the ingress rule"),
        PRINT_MADE("Address", "string", 0, print_ingress_address, "status.loadBalancer.ingress", NULL,
                   "Address is a list containing ingress points for the load-balancer"),
        PRINT_MADE("Ports", "string", 0, print_ingress_ports, "spec.tls#", NULL,
                   "Ports of TLS configurations that open"),
        PRINT_AGE_COLUMN,
};

static const struct print_column ingress_class_columns[] = {
        PRINT_CLASS_NAME("ingressclass.kubernetes.io/is-default-class"),
        PRINT_FIELD("Controller", "string", 0, PRINT_TEXT, "spec.controller", NULL,
                    "Controller that is responsible for handling this class"),
        PRINT_MADE("Parameters", "string", 0, print_ingress_parameters, "spec.parameters", NULL,
                   "A reference to a resource with additional parameters"),
        PRINT_AGE_COLUMN,
};

static const struct print_column network_policy_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Pod-Selector", "string", 0, PRINT_SELECTOR, "spec.podSelector", NULL,
                    "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is "
                    "applied to any pods selected by this field. An empty selector matches all pods in the policy's "
                    "namespace. Multiple network policies can select the same set of pods. In this case, the ingress "
                    "rules for each are combined additively. This field is optional. If it is not specified, it "
                    "defaults to an empty selector."),
        PRINT_AGE_COLUMN,
};

static const struct print_column service_cidr_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("CIDRs", "string", 0, PRINT_LIST, "spec.cidrs", NULL,
                    "CIDRs defines the IP blocks in CIDR notation (e.g. \"192.168.0.0/24\" or \"2001:db8::/64\") from "
                    "which to assign service cluster IPs. Max of two CIDRs is allowed, one of each IP family. This "
                    "field is immutable."),
        PRINT_AGE_COLUMN,
};

static const struct print_column ip_address_columns[] = {
        PRINT_NAME,
        PRINT_MADE("ParentRef", "string", 0, print_address_parent, "spec.parentRef", NULL,
                   "ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a "
                   "parent object."),
        PRINT_UNNAMED_AGE,
};

const struct print_kind print_network_kinds[] = {
        PRINT_KIND("", "Service", service_columns),
        PRINT_KIND("", "Endpoints", endpoints_columns),
        PRINT_KIND("discovery.k8s.io", "EndpointSlice", endpoint_slice_columns),
        PRINT_KIND("networking.k8s.io", "Ingress", ingress_columns),
        PRINT_KIND("networking.k8s.io", "IngressClass", ingress_class_columns),
        PRINT_KIND("networking.k8s.io", "NetworkPolicy", network_policy_columns),
        PRINT_KIND("networking.k8s.io", "ServiceCIDR", service_cidr_columns),
        PRINT_KIND("networking.k8s.io", "IPAddress", ip_address_columns),
        { .kind = NULL },
};
