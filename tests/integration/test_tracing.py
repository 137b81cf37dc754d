"""Spans of the runtime, as a collector of OpenTelemetry's gets them."""
import os
import re
import subprocess
import time

import pytest

import oci
from support.cri import Client, api
from support.node import PEERS, free_port, pod, wait_for
from support.otlp import INTERNAL, SERVER, SLACK, Collector
from test_metrics import IDLE_SECONDS, WAKE_UPS_MAX, scrape, switches, value

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def config(port, rate=1000000):
    return ("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
            f"tracing: {{endpoint: '127.0.0.1:{port}', samplingRatePerMillion: {rate}}}\n")


@pytest.fixture(scope="module")
def collector():
    with Collector() as c:
        yield c


@pytest.fixture
def traced(new_node, collector):
    """make(rate): an agent that sends to the collector."""
    return lambda rate=1000000: new_node(config=config(collector.port, rate))


def call(node, name, *parents, **fields):
    """A call with these traceparents; the code's name of a failure."""
    client = Client(node.socket)
    try:
        method = client._method(name, False)
        method(getattr(api, name + "Request")(**fields), timeout=30, metadata=[("traceparent", p) for p in parents])
        return "OK"
    except Exception as e:
        return e.code().name
    finally:
        client.close()


def test_pod_of_the_directory(traced, collector):
    node = traced()
    node.write("a.yaml", pod("traced", "sleep 1000"))
    container = node.running("main")["id"]
    sync = collector.one("syncPod", k8s_pod_name=f"traced-{node.name}")
    assert sync.kind == INTERNAL and not sync.parent and sync.status == 0 and sync.scope == "nacelle"
    assert sync.resource["host.name"] == node.name and sync.resource["service.version"] in node.nacelle("version")
    assert sync.attributes["k8s.pod"] == f"default/traced-{node.name}" and len(sync.attributes["k8s.pod.uid"]) == 32
    assert abs(time.time() - sync.end / 1e9) < 60 and sync.start < sync.end
    parts = collector.below(sync)
    assert {"prepare_pod", "RunPodSandbox", "ImageStatus", "prepare_container", "CreateContainer", "StartContainer"} <= parts.keys()
    assert all(s.within(sync) and s.kind == INTERNAL and s.status == 0 for s in parts.values())
    run, create, start = parts["RunPodSandbox"], parts["CreateContainer"], parts["StartContainer"]
    assert run.name == "runtime.v1.RuntimeService/RunPodSandbox" and parts["ImageStatus"].name == "runtime.v1.ImageService/ImageStatus"
    assert run.end <= create.start + SLACK and create.end <= start.start + SLACK
    assert {"rpc.system": "grpc", "rpc.service": "runtime.v1.RuntimeService", "rpc.method": "RunPodSandbox", "rpc.grpc.status_code": 0,
            "k8s.pod.name": f"traced-{node.name}", "k8s.namespace.name": "default",
            "sandbox.id": node.pods()[0]["id"]}.items() <= run.attributes.items()
    assert create.attributes["container.id"] == start.attributes["container.id"] == container
    assert start.attributes["k8s.container.name"] == "main"
    assert parts["ImageStatus"].attributes["container.image.name"] == "localhost/busybox:test"
    steps = {**collector.below(run), **collector.below(create), **collector.below(start)}
    assert {"sandbox_create", "network_attach", "record_write", "image_store_find", "cgroup_create", "container_start"} <= steps.keys()
    assert all(s.within(run) for s in collector.below(run).values()) and all(s.within(start) for s in collector.below(start).values())
    node.remove("a.yaml")
    ending = collector.one("syncTerminatingPod", k8s_pod_name=f"traced-{node.name}")
    ended = collector.one("syncTerminatedPod", k8s_pod_name=f"traced-{node.name}")
    assert {"StopContainer", "StopPodSandbox"} <= collector.below(ending).keys()
    assert {"release_pod", "RemovePodSandbox", "sweep_pod"} <= collector.below(ended).keys()
    assert {"sandbox_delete", "network_detach"} <= collector.below(collector.below(ending)["StopPodSandbox"]).keys()
    assert len({sync.trace, ending.trace, ended.trace}) == 3


def test_pod_that_cannot_start(traced, collector):
    node = traced()
    node.write("b.yaml", pod("broken", {"image": "localhost/nosuch:1"}))
    node.write("c.yaml", pod("failing", {"command": ["/nosuch"], "name": "failing"}))
    sync = wait_for("a sync that failed", lambda: [s for s in collector.spans("syncPod", k8s_pod_name=f"failing-{node.name}") if s.status == 2])[0]
    start = collector.below(sync)["StartContainer"]
    assert start.status == 2 and "nosuch" in start.message and "nosuch" in sync.message
    assert start.attributes["rpc.grpc.status_code"] != 0
    step = collector.below(start)["container_start"]
    assert step.status == 2 and "nosuch" in step.message


def test_pulls_and_their_layers(traced, collector, registry):
    node = traced()
    layers = [oci.Layer().file(f"data{i}", os.urandom(50000)).tar() for i in range(3)]
    first, second = registry.push(oci.Image(layers[:2], Cmd=["x"]), "traced:1"), registry.push(oci.Image(layers, Cmd=["x"]), "traced:2")
    node.crictl("pull", first)
    pull = collector.one("PullImage", container_image_name=first)
    steps = [s for s in collector.spans("layer") if s.parent == pull.id]
    assert len({s.attributes["digest"] for s in steps}) == 2 and {s.attributes["result"] for s in steps} == {"done"}
    assert all(50000 < s.attributes["bytes"] < 60000 and s.within(pull) for s in steps)
    node.crictl("pull", second)
    pull = collector.one("PullImage", container_image_name=second)
    assert sorted(s.attributes["result"] for s in collector.spans("layer") if s.parent == pull.id) == ["done", "exists", "exists"]
    wrong = first.rsplit(":", 1)[0] + ":nosuch"
    assert node.crictl("pull", wrong, check=False).returncode != 0
    assert collector.one("PullImage", container_image_name=wrong).attributes["rpc.grpc.status_code"] == 5


def test_crictl(traced, collector):
    node = traced()
    node.crictl("pods")
    listed = wait_for("a span of the list", lambda: collector.spans("ListPodSandbox"))[-1]
    assert listed.kind == SERVER and not listed.parent and listed.status == 0
    assert node.crictl("inspect", "nosuch", check=False).returncode != 0
    missed = wait_for("a span of a failed call", lambda: [s for s in collector.spans("ContainerStatus") if s.attributes["rpc.grpc.status_code"] == 5])[-1]
    assert missed.kind == SERVER and missed.status == 0  # its client's mistake is no failure of the server


def test_crictl_that_traces(traced, collector):
    """crictl's own spans are the parents of ours; it decides, with the agent's own rate 0."""
    node = traced(0)
    crictl = [PEERS + "/crictl", "-r", "unix://" + node.socket, "--enable-tracing", "--tracing-endpoint", f"127.0.0.1:{collector.port}",
              "--tracing-sampling-rate-per-million"]
    subprocess.run([*crictl, "1000000", "info"], check=True, capture_output=True)
    ours = wait_for("our span", lambda: [s for s in collector.spans("Status") if s.parent])[-1]
    theirs = wait_for("crictl's span", lambda: [s for s in collector.spans(service="cri-tools") if s.id == ours.parent])[0]
    assert theirs.trace == ours.trace and theirs.name == ours.name == "runtime.v1.RuntimeService/Status"
    assert ours.kind == SERVER and ours.flags & 0x300 == 0x300  # the parent is known to be elsewhere
    assert theirs.start - SLACK <= ours.start and ours.end <= theirs.end + SLACK


def test_traceparents(traced, collector):
    node = traced(0)
    assert call(node, "Version", f"00-{TRACE}-{PARENT}-01") == "OK"
    assert call(node, "Version", f"00-{TRACE[::-1]}-{PARENT}-00") == "OK"  # not to be sampled
    assert call(node, "Version", f"00-{TRACE[::-1]}-{PARENT}-1") == "OK"  # no traceparent
    assert call(node, "Version", f"00-{TRACE[::-1]}-{PARENT}-01", f"00-{TRACE[::-1]}-{PARENT}-01") == "OK"  # nobody knows which
    assert call(node, "ContainerStatus", f"00-{TRACE}-{PARENT}-01", container_id="nosuch") == "NOT_FOUND"
    wait_for("both spans", lambda: len([s for s in collector.spans() if s.trace == TRACE]) == 2)
    assert {s.parent for s in collector.spans() if s.trace == TRACE} == {PARENT}
    assert not [s for s in collector.spans() if s.trace == TRACE[::-1]]
    assert value(scrape(node), "nacelle_trace_spans_exported_total") == 2


def test_traceparent_that_says_no_outranks_the_rate(traced, collector):
    node = traced()
    assert call(node, "ContainerStatus", f"00-{TRACE[::-1]}-{PARENT}-00", container_id="unwanted") == "NOT_FOUND"
    assert call(node, "ContainerStatus", "00-" + "x" * 52, container_id="wanted") == "NOT_FOUND"  # malformed: a trace of our own
    span, = wait_for("a span", lambda: [s for s in collector.spans("ContainerStatus") if s.resource["host.name"] == node.name])
    assert not span.parent and not [s for s in collector.spans() if s.trace == TRACE[::-1]]


def test_events_have_a_span_when_they_end(traced, collector):
    node = traced(0)
    client = Client(node.socket)
    stream = client._method("GetContainerEvents", True)(api.GetEventsRequest(), metadata=[("traceparent", f"00-{'e' * 32}-{PARENT}-01")])
    wait_for("the open stream", lambda: stream.initial_metadata() is not None)
    stream.cancel()
    client.close()
    span = collector.one("GetContainerEvents")
    assert span.trace == "e" * 32 and span.attributes["rpc.grpc.status_code"] == 1 and span.status == 0


def test_collector_away_and_back(new_node):
    port = free_port()
    node = new_node(config=config(port))
    node.write("a.yaml", pod("early", "sleep 1000"))
    node.running("main")
    wait_for("the warning", lambda: "up to 4096 spans wait" in node.log())
    wait_for("spans that wait", lambda: value(scrape(node), "nacelle_trace_spans_waiting") > 10)
    with Collector(port) as collector:
        sync = collector.one("syncPod", k8s_pod_name=f"early-{node.name}")
        assert "StartContainer" in collector.below(sync)
        wait_for("the good news", lambda: "there again; 0 spans were dropped" in node.log())
        collector.stop()
        node.crictl("inspect", "while-away", check=False)
        wait_for("a second outage", lambda: len(re.findall("up to 4096 spans wait", node.log())) == 2)
        collector.start()
        wait_for("the span of the call", lambda: collector.spans("ContainerStatus"))
        wait_for("nothing that waits", lambda: value(scrape(node), "nacelle_trace_spans_waiting") == 0)
        assert value(scrape(node), "nacelle_trace_spans_dropped_total") == 0
        assert len(re.findall("traces:.*spans wait", node.log())) == 2  # one line an outage


def test_spans_of_the_last_moment_are_sent(new_node, collector):
    node = new_node(config=config(collector.port))
    node.crictl("inspect", "the-last-one", check=False)
    node.restart(15)
    assert [s for s in collector.spans("ContainerStatus") if s.resource["host.name"] == node.name]


def test_nothing_is_sent_when_not_configured(new_node):
    """Not even to the default endpoint, nor for a caller that traces; with `tracing: {}` that is where it goes."""
    def taken():
        try:
            return Collector(4317)
        except (AssertionError, RuntimeError):
            return None
    with wait_for("port 4317", taken, timeout=60, interval=0.5) as collector:
        silent = new_node()
        silent.write("a.yaml", pod("a", "sleep 1000"))
        silent.running("main")
        assert call(silent, "Version", f"00-{TRACE}-{PARENT}-01") == "OK"
        assert not [name for name in scrape(silent) if "trace" in name]
        loud = new_node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ntracing: {}\n")
        assert call(loud, "Version", f"00-{TRACE}-{PARENT}-01") == "OK"
        assert collector.one("Version").resource["host.name"] == loud.name
        silent.kill(15)  # what it had not sent would come now
        assert {s.resource["host.name"] for s in collector.spans()} == {loud.name}


def test_nothing_wakes_it_between_spans(traced, collector):
    node = traced()
    node.write("a.yaml", pod("a", "sleep 1000"))
    node.running("main")
    wait_for("all spans sent", lambda: value(scrape(node), "nacelle_trace_spans_waiting") == 0)
    wait_for("one thread", lambda: len(os.listdir(f"/proc/{node.process.pid}/task")) == 1, timeout=40, interval=0.2)
    before = switches(node.process.pid)
    time.sleep(IDLE_SECONDS)
    assert switches(node.process.pid) - before <= WAKE_UPS_MAX
