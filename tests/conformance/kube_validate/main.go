// What kube-apiserver's own strategies say of objects: reads cases, a line of JSON each, {"group": "apps/v1", "kind", "sub", "object", "old"},
// and adds what becomes of the object before it is looked at, and the Status and the warnings that a client would get.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/core/helper/qos"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	_ "k8s.io/kubernetes/pkg/apis/storagemigration/install"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/apps/controllerrevision"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/certificates/certificates"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/event"
	"k8s.io/kubernetes/pkg/registry/core/limitrange"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/podtemplate"
	"k8s.io/kubernetes/pkg/registry/core/replicationcontroller"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/flowschema"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/prioritylevelconfiguration"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/ingressclass"
	"k8s.io/kubernetes/pkg/registry/networking/ipaddress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/networking/servicecidr"
	"k8s.io/kubernetes/pkg/registry/node/runtimeclass"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/resource/deviceclass"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaim"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaimtemplate"
	"k8s.io/kubernetes/pkg/registry/resource/resourceslice"
	"k8s.io/kubernetes/pkg/registry/scheduling/priorityclass"
	"k8s.io/kubernetes/pkg/registry/storage/csidriver"
	"k8s.io/kubernetes/pkg/registry/storage/csinode"
	"k8s.io/kubernetes/pkg/registry/storage/csistoragecapacity"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattachment"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattributesclass"
)

// By group, kind and subresource. "" is the object itself.
type target struct{ group, kind, sub string }

type permissive struct{}

func (permissive) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionAllow, "", nil
}

// Of namespaces one alone is for devices that are shared with those who use them.
type namespaces struct{ typedcore.NamespaceInterface }

func (namespaces) Get(_ context.Context, name string, _ metav1.GetOptions) (*corev1.Namespace, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if name == "admin" {
		namespace.Labels = map[string]string{"resource.kubernetes.io/admin-access": "true"}
	}
	return namespace, nil
}

var claims = resourceclaim.NewStrategy(namespaces{}, permissive{})

var strategies = map[target]any{
	{"", "ConfigMap", ""}:                   configmap.Strategy,
	{"", "Endpoints", ""}:                   endpoint.Strategy,
	{"", "Event", ""}:                       event.Strategy,
	{"", "LimitRange", ""}:                  limitrange.Strategy,
	{"", "Namespace", ""}:                   namespace.Strategy,
	{"", "Namespace", "status"}:             namespace.StatusStrategy,
	{"", "Namespace", "finalize"}:           namespace.FinalizeStrategy,
	{"", "Node", ""}:                        node.Strategy,
	{"", "Node", "status"}:                  node.StatusStrategy,
	{"", "PersistentVolume", ""}:            persistentvolume.Strategy,
	{"", "PersistentVolume", "status"}:      persistentvolume.StatusStrategy,
	{"", "PersistentVolumeClaim", ""}:       persistentvolumeclaim.Strategy,
	{"", "PersistentVolumeClaim", "status"}: persistentvolumeclaim.StatusStrategy,
	{"", "Pod", ""}:                         pod.Strategy,
	{"", "Pod", "status"}:                   pod.StatusStrategy,
	{"", "Pod", "ephemeralcontainers"}:      pod.EphemeralContainersStrategy,
	{"", "Pod", "resize"}:                   pod.ResizeStrategy,
	{"", "PodTemplate", ""}:                 podtemplate.Strategy,
	{"", "ReplicationController", ""}:       replicationcontroller.Strategy,
	{"", "ReplicationController", "status"}: replicationcontroller.StatusStrategy,
	{"", "ResourceQuota", ""}:               resourcequota.Strategy,
	{"", "ResourceQuota", "status"}:         resourcequota.StatusStrategy,
	{"", "Secret", ""}:                      secret.Strategy,
	{"", "Service", ""}:                     service.Strategy,
	{"", "Service", "status"}:               service.StatusStrategy,
	{"", "ServiceAccount", ""}:              serviceaccount.Strategy,

	{"admissionregistration.k8s.io", "MutatingAdmissionPolicy", ""}:          mutatingadmissionpolicy.NewStrategy(permissive{}, nil),
	{"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", ""}:   mutatingadmissionpolicybinding.NewStrategy(permissive{}, nil, nil),
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", ""}:     mutatingwebhookconfiguration.Strategy,
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", ""}:        validatingadmissionpolicy.NewStrategy(permissive{}, nil),
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "status"}:  validatingadmissionpolicy.NewStatusStrategy(validatingadmissionpolicy.NewStrategy(permissive{}, nil)),
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", ""}: validatingadmissionpolicybinding.NewStrategy(permissive{}, nil, nil),
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", ""}:   validatingwebhookconfiguration.Strategy,

	{"apps", "ControllerRevision", ""}: controllerrevision.Strategy,
	{"apps", "DaemonSet", ""}:          daemonset.Strategy,
	{"apps", "DaemonSet", "status"}:    daemonset.StatusStrategy,
	{"apps", "Deployment", ""}:         deployment.Strategy,
	{"apps", "Deployment", "status"}:   deployment.StatusStrategy,
	{"apps", "ReplicaSet", ""}:         replicaset.Strategy,
	{"apps", "ReplicaSet", "status"}:   replicaset.StatusStrategy,
	{"apps", "StatefulSet", ""}:        statefulset.Strategy,
	{"apps", "StatefulSet", "status"}:  statefulset.StatusStrategy,

	{"autoscaling", "HorizontalPodAutoscaler", ""}:       horizontalpodautoscaler.Strategy,
	{"autoscaling", "HorizontalPodAutoscaler", "status"}: horizontalpodautoscaler.StatusStrategy,

	{"batch", "CronJob", ""}:       cronjob.Strategy,
	{"batch", "CronJob", "status"}: cronjob.StatusStrategy,
	{"batch", "Job", ""}:           job.Strategy,
	{"batch", "Job", "status"}:     job.StatusStrategy,

	{"certificates.k8s.io", "CertificateSigningRequest", ""}:         certificates.Strategy,
	{"certificates.k8s.io", "CertificateSigningRequest", "status"}:   certificates.StatusStrategy,
	{"certificates.k8s.io", "CertificateSigningRequest", "approval"}: certificates.ApprovalStrategy,

	{"coordination.k8s.io", "Lease", ""}:      lease.Strategy,
	{"discovery.k8s.io", "EndpointSlice", ""}: endpointslice.Strategy,
	{"events.k8s.io", "Event", ""}:            event.Strategy,

	{"flowcontrol.apiserver.k8s.io", "FlowSchema", ""}:                       flowschema.Strategy,
	{"flowcontrol.apiserver.k8s.io", "FlowSchema", "status"}:                 flowschema.StatusStrategy,
	{"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", ""}:       prioritylevelconfiguration.Strategy,
	{"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "status"}: prioritylevelconfiguration.StatusStrategy,

	{"networking.k8s.io", "Ingress", ""}:           ingress.Strategy,
	{"networking.k8s.io", "Ingress", "status"}:     ingress.StatusStrategy,
	{"networking.k8s.io", "IngressClass", ""}:      ingressclass.Strategy,
	{"networking.k8s.io", "IPAddress", ""}:         ipaddress.Strategy,
	{"networking.k8s.io", "NetworkPolicy", ""}:     networkpolicy.Strategy,
	{"networking.k8s.io", "ServiceCIDR", ""}:       servicecidr.Strategy,
	{"networking.k8s.io", "ServiceCIDR", "status"}: servicecidr.StatusStrategy,

	{"node.k8s.io", "RuntimeClass", ""}:         runtimeclass.Strategy,
	{"policy", "PodDisruptionBudget", ""}:       poddisruptionbudget.Strategy,
	{"policy", "PodDisruptionBudget", "status"}: poddisruptionbudget.StatusStrategy,

	{"rbac.authorization.k8s.io", "ClusterRole", ""}:        clusterrole.Strategy,
	{"rbac.authorization.k8s.io", "ClusterRoleBinding", ""}: clusterrolebinding.Strategy,
	{"rbac.authorization.k8s.io", "Role", ""}:               role.Strategy,
	{"rbac.authorization.k8s.io", "RoleBinding", ""}:        rolebinding.Strategy,

	{"resource.k8s.io", "DeviceClass", ""}:           deviceclass.Strategy,
	{"resource.k8s.io", "ResourceClaim", ""}:         claims,
	{"resource.k8s.io", "ResourceClaim", "status"}:   resourceclaim.NewStatusStrategy(claims),
	{"resource.k8s.io", "ResourceClaimTemplate", ""}: resourceclaimtemplate.NewStrategy(namespaces{}),
	{"resource.k8s.io", "ResourceSlice", ""}:         resourceslice.Strategy,

	{"scheduling.k8s.io", "PriorityClass", ""}: priorityclass.Strategy,

	{"storage.k8s.io", "CSIDriver", ""}:              csidriver.Strategy,
	{"storage.k8s.io", "CSINode", ""}:                csinode.Strategy,
	{"storage.k8s.io", "CSIStorageCapacity", ""}:     csistoragecapacity.Strategy,
	{"storage.k8s.io", "StorageClass", ""}:           storageclass.Strategy,
	{"storage.k8s.io", "VolumeAttachment", ""}:       volumeattachment.Strategy,
	{"storage.k8s.io", "VolumeAttachment", "status"}: volumeattachment.StatusStrategy,
	{"storage.k8s.io", "VolumeAttributesClass", ""}:  volumeattributesclass.Strategy,
}

type validateCase struct {
	ID       int                  `json:"id,omitempty"`
	Group    string               `json:"group"`
	Kind     string               `json:"kind"`
	Sub      string               `json:"sub,omitempty"`
	Object   json.RawMessage      `json:"object"`
	Old      json.RawMessage      `json:"old,omitempty"`
	Message  string               `json:"message,omitempty"`
	Causes   []metav1.StatusCause `json:"causes,omitempty"`
	Warnings []string             `json:"warnings,omitempty"`
}

type recorder struct{ texts []string }

func (r *recorder) AddWarning(_, text string) { r.texts = append(r.texts, text) }

// As the server has it: filled in, and in the version that all are converted to.
func read(gvk schema.GroupVersionKind, text []byte) (runtime.Object, error) {
	object, err := legacyscheme.Scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, object); err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(object)
	return legacyscheme.Scheme.ConvertToVersion(object, schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal})
}

func write(gvk schema.GroupVersionKind, object runtime.Object) (json.RawMessage, error) {
	versioned, err := legacyscheme.Scheme.ConvertToVersion(object, gvk.GroupVersion())
	if err != nil {
		return nil, err
	}
	return json.Marshal(versioned)
}

func check(ctx context.Context, strategy any, object, old runtime.Object) error {
	if old == nil {
		return rest.BeforeCreate(strategy.(rest.RESTCreateStrategy), ctx, object)
	}
	return rest.BeforeUpdate(strategy.(rest.RESTUpdateStrategy), ctx, object, old)
}

func run(c *validateCase) (failure error) {
	defer func() {
		if r := recover(); r != nil {
			failure = fmt.Errorf("%v", r)
		}
	}()
	gv, err := schema.ParseGroupVersion(c.Group)
	if err != nil {
		return err
	}
	strategy, ok := strategies[target{gv.Group, c.Kind, c.Sub}]
	if !ok {
		return fmt.Errorf("no strategy")
	}
	gvk := gv.WithKind(c.Kind)
	object, err := read(gvk, c.Object)
	if err != nil {
		return err
	}
	m, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	if m.GetName() == "" && m.GetGenerateName() != "" && len(c.Old) == 0 {
		m.SetName(m.GetGenerateName() + "abcde")
	}
	var old runtime.Object
	if len(c.Old) > 0 {
		if old, err = read(gvk, c.Old); err != nil {
			return err
		}
		before, _ := meta.Accessor(old)
		if before.GetUID() == "" {
			rest.FillObjectMetaSystemFields(before)
			before.SetUID("old")
		}
		if p, ok := old.(*core.Pod); ok && p.Status.QOSClass == "" {
			p.Status.QOSClass = qos.ComputePodQOS(p)
		}
		before.SetResourceVersion("1")
		m.SetResourceVersion("1")
	} else {
		rest.FillObjectMetaSystemFields(m)
	}
	warned := &recorder{}
	ctx := genericapirequest.WithNamespace(context.Background(), m.GetNamespace())
	ctx = genericapirequest.WithUser(ctx, &user.DefaultInfo{Name: "admin", Groups: []string{"system:masters"}})
	ctx = genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{APIGroup: gv.Group, APIVersion: gv.Version, Resource: c.Kind, Subresource: c.Sub, Verb: "create"})
	ctx = warning.WithWarningRecorder(ctx, warned)
	err = check(ctx, strategy, object, old)
	c.Warnings = warned.texts
	if status, ok := err.(apierrors.APIStatus); ok {
		c.Message = status.Status().Message
		if status.Status().Details != nil {
			c.Causes = status.Status().Details.Causes
		}
	} else if err != nil {
		return err
	}
	if c.Object, err = write(gvk, object); err == nil && old != nil {
		c.Old, err = write(gvk, old)
	}
	return err
}

func main() {
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		c := &validateCase{}
		if err := json.Unmarshal(line, c); err != nil {
			panic(err)
		}
		if err := run(c); err != nil {
			fmt.Fprintln(os.Stderr, c.Kind, c.Sub, err)
			continue
		}
		text, err := json.Marshal(c)
		if err != nil {
			panic(err)
		}
		out.Write(append(text, '\n'))
	}
}
