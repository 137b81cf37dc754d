// client-go against an API service: what controllers are made of, each a check that is named when it fails.
//
//	informers KUBECONFIG [NAME...]
//
// With "churn" alone: informers follow random writers until standard input ends, and must then have what a list has, with each
// change seen once and in order, however often the server went away meanwhile.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

const (
	space = "informers"
	wait  = 60 * time.Second // reflectors wait longer and longer for a server that was away
)

var (
	config      *rest.Config
	jsonClient  *kubernetes.Clientset
	protoClient *kubernetes.Clientset
	maps        = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

func fail(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

func check(ok bool, format string, args ...any) {
	if !ok {
		fail(format, args...)
	}
}

// Waits for what informers hear of by themselves.
func until(what string, ready func() bool) {
	for end := time.Now().Add(wait); !ready(); time.Sleep(5 * time.Millisecond) {
		check(time.Now().Before(end), "never: %s", what)
	}
}

func newMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"made": "here"}}, Data: map[string]string{"v": value}}
}

// What an informer told of, in its order.
type events struct {
	sync.Mutex
	seen []string
}

func (e *events) add(what string, object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	value := ""
	if m, ok := object.(*corev1.ConfigMap); ok {
		value = "=" + m.Data["v"]
	}
	e.Lock()
	defer e.Unlock()
	e.seen = append(e.seen, what+" "+object.(metav1.Object).GetName()+value)
}

func (e *events) handler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{AddFunc: func(o any) { e.add("add", o) }, DeleteFunc: func(o any) { e.add("delete", o) },
		UpdateFunc: func(old, o any) {
			if old.(metav1.Object).GetResourceVersion() == o.(metav1.Object).GetResourceVersion() {
				e.add("resync", o)
			} else {
				e.add("update", o)
			}
		}}
}

func (e *events) are(want ...string) {
	until(fmt.Sprint("events ", want), func() bool { e.Lock(); defer e.Unlock(); return len(e.seen) >= len(want) })
	e.Lock()
	defer e.Unlock()
	check(fmt.Sprint(e.seen) == fmt.Sprint(want), "events %v, not %v", e.seen, want)
}

func follows(ctx context.Context, client kubernetes.Interface, name string) {
	space := "shared-" + name
	must(client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{}))
	all := client.CoreV1().ConfigMaps(space)
	must(all.Create(ctx, newMap("before", "1"), metav1.CreateOptions{}))
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(space),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "made=here" }))
	var heard events
	informer := factory.Core().V1().ConfigMaps()
	must(informer.Informer().AddEventHandler(heard.handler()))
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		check(ok, "%v is not synced", kind)
	}
	heard.are("add before=1")
	made := must(all.Create(ctx, newMap("after", "1"), metav1.CreateOptions{}))
	made.Data["v"] = "2"
	made = must(all.Update(ctx, made, metav1.UpdateOptions{}))
	must(all.Patch(ctx, "after", types.StrategicMergePatchType, []byte(`{"data":{"v":"3"}}`), metav1.PatchOptions{}))
	stale := made.DeepCopy()
	_, err := all.Update(ctx, stale, metav1.UpdateOptions{})
	check(errors.IsConflict(err), "an old version: %v", err)
	check(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now := must(all.Get(ctx, "after", metav1.GetOptions{}))
		now.Labels = map[string]string{"made": "elsewhere"}
		_, err := all.Update(ctx, now, metav1.UpdateOptions{})
		return err
	}) == nil, "a retried update")
	check(all.Delete(ctx, "before", metav1.DeleteOptions{}) == nil, "delete")
	heard.are("add before=1", "add after=1", "update after=2", "update after=3", "delete after=3", "delete before=1")
	_, err = informer.Lister().ConfigMaps(space).Get("after")
	check(errors.IsNotFound(err), "what left the selector stays: %v", err)
}

func resync(ctx context.Context) {
	must(protoClient.CoreV1().ConfigMaps(space).Create(ctx, newMap("resync", "1"), metav1.CreateOptions{}))
	factory := informers.NewSharedInformerFactoryWithOptions(protoClient, time.Second, informers.WithNamespace(space),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=resync" }))
	var heard events
	must(factory.Core().V1().ConfigMaps().Informer().AddEventHandlerWithResyncPeriod(heard.handler(), time.Second))
	factory.Start(ctx.Done())
	until("a resync", func() bool { heard.Lock(); defer heard.Unlock(); return len(heard.seen) > 1 })
	check(heard.seen[1] == "resync resync=1", "%v", heard.seen)
}

// sendInitialEvents: what is there, then a bookmark that says so, then what comes.
func watchList(ctx context.Context) {
	all := jsonClient.CoreV1().ConfigMaps(space)
	must(all.Create(ctx, newMap("initial", "1"), metav1.CreateOptions{}))
	yes := true
	for _, client := range []kubernetes.Interface{jsonClient, protoClient} {
		w := must(client.CoreV1().ConfigMaps(space).Watch(ctx, metav1.ListOptions{SendInitialEvents: &yes, AllowWatchBookmarks: true,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}))
		n := 0
		for event := range w.ResultChan() {
			if event.Type == watch.Bookmark {
				m := event.Object.(*corev1.ConfigMap)
				check(m.Annotations[metav1.InitialEventsAnnotationKey] == "true" && m.ResourceVersion != "", "bookmark: %v", m)
				break
			}
			check(event.Type == watch.Added, "%v before the bookmark", event)
			n++
		}
		check(n == len(must(all.List(ctx, metav1.ListOptions{})).Items), "%d initial events", n)
		w.Stop()
	}
	_, err := all.Watch(ctx, metav1.ListOptions{SendInitialEvents: &yes})
	check(errors.IsInvalid(err), "without resourceVersionMatch: %v", err)
}

// A watch of what is gone, as it is of revision 1 once the server was started again, ends with 410, upon which a reflector lists anew.
func expired(ctx context.Context) {
	all := jsonClient.CoreV1().ConfigMaps(space)
	w, err := all.Watch(ctx, metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		event := <-w.ResultChan()
		err = errors.FromObject(event.Object)
	}
	check(errors.IsResourceExpired(err) || errors.IsGone(err), "a watch of revision 1: %v", err)
	first, lists := true, atomic.Int32{}
	source := &cache.ListWatch{
		ListFunc: func(o metav1.ListOptions) (runtime.Object, error) {
			lists.Add(1)
			list, err := all.List(ctx, o)
			if err == nil && first {
				first, list.ResourceVersion = false, "1"
			}
			return list, err
		},
		WatchFunc: func(o metav1.ListOptions) (watch.Interface, error) { return all.Watch(ctx, o) },
	}
	informer := cache.NewSharedInformer(noWatchList{source}, &corev1.ConfigMap{}, 0)
	go informer.Run(ctx.Done())
	until("a second list", func() bool { return lists.Load() >= 2 })
	must(all.Create(ctx, newMap("relisted", "1"), metav1.CreateOptions{}))
	until("what came after it", func() bool { _, there, _ := informer.GetStore().GetByKey(space + "/relisted"); return there })
}

type noWatchList struct{ *cache.ListWatch }

func (noWatchList) IsWatchListSemanticsUnSupported() bool { return true }

func pages(ctx context.Context) {
	all := protoClient.CoreV1().Secrets(space)
	for i := range 25 {
		must(all.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%02d", i)}}, metav1.CreateOptions{}))
	}
	options, names := metav1.ListOptions{Limit: 10}, []string{}
	for {
		page := must(all.List(ctx, options))
		for _, s := range page.Items {
			names = append(names, s.Name)
		}
		if options.Continue = page.Continue; page.Continue == "" {
			break
		}
		check(page.RemainingItemCount != nil && *page.RemainingItemCount == int64(25-len(names)), "remaining: %v", page.RemainingItemCount)
		all.Delete(ctx, "s24", metav1.DeleteOptions{})
	}
	check(len(names) == 25 && sort.StringsAreSorted(names), "pages are of one moment: %v", names)
	check(all.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}) == nil, "delete of all")
	check(len(must(all.List(ctx, metav1.ListOptions{})).Items) == 0, "some are left")
}

func apply(ctx context.Context) {
	labels := map[string]string{"a": "b"}
	wanted := appsapply.Deployment("applied", space).WithLabels(labels).WithSpec(appsapply.DeploymentSpec().WithReplicas(2).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(coreapply.Container().WithName("c").WithImage("i:1")))))
	all := protoClient.AppsV1().Deployments(space)
	must(all.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "one"}))
	_, err := all.Apply(ctx, appsapply.Deployment("applied", space).WithSpec(appsapply.DeploymentSpec().WithReplicas(3)), metav1.ApplyOptions{FieldManager: "two"})
	check(errors.IsConflict(err), "two managers of one field: %v", err)
	got := must(all.Apply(ctx, appsapply.Deployment("applied", space).WithSpec(appsapply.DeploymentSpec().WithReplicas(3)),
		metav1.ApplyOptions{FieldManager: "two", Force: true}))
	check(*got.Spec.Replicas == 3 && got.Spec.Template.Spec.Containers[0].Image == "i:1", "forced: %v", got.Spec)
	own := must(appsapply.ExtractDeployment(got, "two"))
	check(own.Spec != nil && *own.Spec.Replicas == 3 && own.Spec.Template == nil, "what two owns: %v", own)
	got = must(all.Apply(ctx, appsapply.Deployment("applied", space).WithLabels(map[string]string{}), metav1.ApplyOptions{FieldManager: "two", Force: true}))
	check(*got.Spec.Replicas == 1 || *got.Spec.Replicas == 3, "left: %v", *got.Spec.Replicas)
	scale := must(all.GetScale(ctx, "applied", metav1.GetOptions{}))
	scale.Spec.Replicas = 5
	check(must(all.UpdateScale(ctx, "applied", scale, metav1.UpdateOptions{})).Spec.Replicas == 5, "scale")
	got.Status = appsv1.DeploymentStatus{Replicas: 7}
	got = must(all.Get(ctx, "applied", metav1.GetOptions{}))
	got.Status.Replicas, *got.Spec.Replicas = 7, 9
	got = must(all.UpdateStatus(ctx, got, metav1.UpdateOptions{}))
	check(got.Status.Replicas == 7 && *got.Spec.Replicas == 5, "status is changed alone: %v %v", got.Status, got.Spec)
}

func dynamicClient(ctx context.Context) {
	client := must(dynamic.NewForConfig(config))
	all := client.Resource(maps).Namespace(space)
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "dynamic"}, "data": map[string]any{"v": "1"}}}
	must(all.Apply(ctx, "dynamic", object, metav1.ApplyOptions{FieldManager: "d"}))
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, space, nil)
	lister := factory.ForResource(maps).Lister().ByNamespace(space)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	must(lister.Get("dynamic"))
	must(all.Patch(ctx, "dynamic", types.JSONPatchType, []byte(`[{"op":"replace","path":"/data/v","value":"2"}]`), metav1.PatchOptions{}))
	until("the patch", func() bool {
		o := must(lister.Get("dynamic"))
		v, _, _ := unstructured.NestedString(o.(*unstructured.Unstructured).Object, "data", "v")
		return v == "2"
	})
}

func metadataClient(ctx context.Context) {
	client := must(metadata.NewForConfig(config))
	must(jsonClient.CoreV1().ConfigMaps(space).Create(ctx, newMap("meta", "1"), metav1.CreateOptions{}))
	factory := metadatainformer.NewFilteredSharedInformerFactory(client, 0, space, nil)
	lister := factory.ForResource(maps).Lister().ByNamespace(space)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	must(lister.Get("meta"))
	patched := must(client.Resource(maps).Namespace(space).Patch(ctx, "meta", types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`), metav1.PatchOptions{}))
	check(patched.Labels["x"] == "y", "%v", patched)
	until("the label", func() bool { return must(lister.Get("meta")).(metav1.Object).GetLabels()["x"] == "y" })
	check(client.Resource(maps).Namespace(space).Delete(ctx, "meta", metav1.DeleteOptions{}) == nil, "delete")
}

func discover(ctx context.Context) {
	cached := memory.NewMemCacheClient(must(discovery.NewDiscoveryClientForConfig(config)))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	mapping := must(mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"}))
	check(mapping.Resource.Resource == "deployments" && mapping.Scope.Name() == "namespace", "%v", mapping)
	kind := must(restmapper.NewShortcutExpander(mapper, cached, nil).KindFor(schema.GroupVersionResource{Resource: "netpol"}))
	check(kind.Kind == "NetworkPolicy", "%v", kind)
	_, lists, err := cached.ServerGroupsAndResources()
	check(err == nil && len(lists) > 15, "%d groups: %v", len(lists), err)
	for _, list := range must(cached.ServerPreferredResources()) {
		if list.GroupVersion == "autoscaling/v1" && len(list.APIResources) > 0 {
			fail("autoscaling/v2 is preferred")
		}
	}
	check(len(must(cached.OpenAPIV3().Paths())) > 15, "OpenAPI")
	must(cached.OpenAPISchema())
	check(must(cached.ServerVersion()).Minor == "36", "version")
}

// Each of three leads for a moment, then gives it up.
func lead(ctx context.Context) {
	var leaders, most, led atomic.Int32
	run := func(name string) {
		own, stop := context.WithCancel(ctx)
		defer stop()
		lock := must(resourcelock.New(resourcelock.LeasesResourceLock, space, "leader", protoClient.CoreV1(), protoClient.CoordinationV1(),
			resourcelock.ResourceLockConfig{Identity: name}))
		leaderelection.RunOrDie(own, leaderelection.LeaderElectionConfig{Lock: lock, LeaseDuration: 30 * time.Second, RenewDeadline: 20 * time.Second,
			RetryPeriod: 100 * time.Millisecond, ReleaseOnCancel: true, Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) {
					if n := leaders.Add(1); n > most.Load() {
						most.Store(n)
					}
					led.Add(1)
					time.Sleep(200 * time.Millisecond)
					leaders.Add(-1)
					stop()
				},
				OnStoppedLeading: func() {}}})
	}
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() { run(strconv.Itoa(i)) })
	}
	group.Wait()
	check(led.Load() == 3 && most.Load() == 1, "%d led, at most %d at once", led.Load(), most.Load())
}

// Each writer counts its own map up; a follower must hear of the numbers in order, and of none twice.
func churn() {
	ctx, stop := context.WithCancel(context.Background())
	space := "churn"
	jsonClient.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{})
	ending := make(chan struct{})
	go func() { io.Copy(io.Discard, os.Stdin); close(ending) }()
	const writers = 4
	var acknowledged [writers]atomic.Int64
	var trouble atomic.Value
	follow := func(client kubernetes.Interface) cache.SharedIndexInformer {
		factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(space))
		informer, last := factory.Core().V1().ConfigMaps().Informer(), map[string]int64{}
		see := func(o any) {
			m := o.(*corev1.ConfigMap)
			n, _ := strconv.ParseInt(m.Data["v"], 10, 64)
			if n < last[m.Name] {
				trouble.Store(fmt.Sprintf("%s: %d after %d", m.Name, n, last[m.Name]))
			}
			last[m.Name] = n
		}
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, o any) { see(o) }})
		factory.Start(ctx.Done())
		return informer
	}
	followers := []cache.SharedIndexInformer{follow(jsonClient), follow(protoClient)}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			client, name := []kubernetes.Interface{jsonClient, protoClient}[w%2], fmt.Sprintf("m%d", w)
			all := client.CoreV1().ConfigMaps(space)
			for n := int64(1); ; n++ {
				select {
				case <-ending:
					return
				default:
				}
				now, err := all.Get(ctx, name, metav1.GetOptions{})
				if errors.IsNotFound(err) {
					now, err = all.Create(ctx, newMap(name, "0"), metav1.CreateOptions{})
				}
				if err == nil {
					stands, _ := strconv.ParseInt(now.Data["v"], 10, 64)
					if stands < acknowledged[w].Load() {
						trouble.Store(fmt.Sprintf("%s: %d was acknowledged, %d stands", name, acknowledged[w].Load(), stands))
					}
					now.Data["v"] = strconv.FormatInt(stands+1, 10)
					if _, err = all.Update(ctx, now, metav1.UpdateOptions{}); err == nil {
						acknowledged[w].Store(stands + 1)
					}
				}
				if err != nil {
					time.Sleep(20 * time.Millisecond)
				} else {
					time.Sleep(time.Duration(rand.Intn(3)) * time.Millisecond)
				}
			}
		})
	}
	// A watch of its own hears of each change once. What ended goes on where it was; what is gone by then is listed.
	var heard, listed atomic.Int64
	group.Go(func() {
		all, last, revision := jsonClient.CoreV1().ConfigMaps(space), map[string]int64{}, ""
		for ctx.Err() == nil {
			if revision == "" {
				list, err := all.List(ctx, metav1.ListOptions{})
				if err != nil {
					time.Sleep(20 * time.Millisecond)
					continue
				}
				for _, m := range list.Items {
					n, _ := strconv.ParseInt(m.Data["v"], 10, 64)
					if n < last[m.Name] {
						trouble.Store(fmt.Sprintf("list: %s=%d after %d", m.Name, n, last[m.Name]))
					}
					last[m.Name] = n
				}
				revision = list.ResourceVersion
				listed.Add(1)
			}
			w, err := all.Watch(ctx, metav1.ListOptions{ResourceVersion: revision})
			if err != nil {
				if errors.IsResourceExpired(err) || errors.IsGone(err) {
					revision = ""
				}
				time.Sleep(20 * time.Millisecond)
				continue
			}
			for event := range w.ResultChan() {
				m, ok := event.Object.(*corev1.ConfigMap)
				if !ok {
					if errors.IsResourceExpired(errors.FromObject(event.Object)) {
						revision = ""
					}
					break // or cut
				}
				n, _ := strconv.ParseInt(m.Data["v"], 10, 64)
				at, _ := strconv.ParseInt(m.ResourceVersion, 10, 64)
				after, _ := strconv.ParseInt(revision, 10, 64)
				if before, known := last[m.Name]; at <= after || known && n != before+1 {
					trouble.Store(fmt.Sprintf("watch: %s=%d at %d after %d at %d", m.Name, n, at, before, after))
				}
				last[m.Name], revision = n, m.ResourceVersion
				heard.Add(1)
			}
			w.Stop()
		}
	})
	<-ending
	time.Sleep(50 * time.Millisecond)
	until("the same as a list", func() bool {
		list, err := jsonClient.CoreV1().ConfigMaps(space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false
		}
		for _, m := range list.Items {
			for _, f := range followers {
				o, there, _ := f.GetStore().GetByKey(space + "/" + m.Name)
				if !there || o.(*corev1.ConfigMap).ResourceVersion != m.ResourceVersion {
					return false
				}
			}
		}
		return true
	})
	stop()
	group.Wait()
	total := int64(0)
	for w := range writers {
		total += acknowledged[w].Load()
	}
	check(trouble.Load() == nil, "%v", trouble.Load())
	json.NewEncoder(os.Stdout).Encode(map[string]int64{"acknowledged": total, "heard": heard.Load(), "listed": listed.Load()})
}

func run(name string, f func()) (ok bool) {
	start := time.Now()
	defer func() {
		trouble := recover()
		ok = trouble == nil
		if ok {
			fmt.Printf("ok   %s (%d ms)\n", name, time.Since(start).Milliseconds())
		} else {
			fmt.Printf("FAIL %s: %v\n", name, trouble)
		}
	}()
	f()
	return
}

func main() {
	config = must(clientcmd.BuildConfigFromFlags("", os.Args[1]))
	config.QPS = -1
	jsonConfig, protoConfig := rest.CopyConfig(config), rest.CopyConfig(config)
	jsonConfig.ContentType, protoConfig.ContentType = "application/json", "application/vnd.kubernetes.protobuf"
	protoConfig.AcceptContentTypes = "application/vnd.kubernetes.protobuf"
	jsonClient, protoClient = kubernetes.NewForConfigOrDie(jsonConfig), kubernetes.NewForConfigOrDie(protoConfig)
	if len(os.Args) > 2 && os.Args[2] == "churn" {
		churn()
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	must(jsonClient.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{}))
	good := true
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"shared informers, JSON", func() { follows(ctx, jsonClient, "json") }},
		{"shared informers, protobuf", func() { follows(ctx, protoClient, "protobuf") }},
		{"resync", func() { resync(ctx) }},
		{"WatchList", func() { watchList(ctx) }},
		{"relist on 410", func() { expired(ctx) }},
		{"pages", func() { pages(ctx) }},
		{"apply", func() { apply(ctx) }},
		{"dynamic client", func() { dynamicClient(ctx) }},
		{"metadata client", func() { metadataClient(ctx) }},
		{"discovery", func() { discover(ctx) }},
		{"leader election", func() { lead(ctx) }},
	} {
		good = run(c.name, c.f) && good
	}
	if !good {
		os.Exit(1)
	}
}
