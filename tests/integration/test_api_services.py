"""Services of an API service: what each is given is its own, whoever asks at the same time and whatever ends in between."""
import concurrent.futures
import contextlib
import ipaddress
import signal
import time

from support.api import Api

SERVICES = "/api/v1/namespaces/default/services"
RECORDS = "/apis/networking.k8s.io/v1/ipaddresses"


@contextlib.contextmanager
def running(*options):
    a = Api(*options).start()
    try:
        yield a
    finally:
        a.stop()


def service(name, **spec):
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def many(api, ask, n, workers=16):
    """ask(client, i) for each i, by some at the same time."""
    def work(numbers):
        client = api.client()
        return [ask(client, i) for i in numbers]

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        parts = pool.map(work, [range(w, n, workers) for w in range(workers)])
        return [answer for part in parts for answer in part]


def records(client):
    return {r["metadata"]["name"]: r["spec"]["parentRef"]["name"] for r in client.ask("GET", RECORDS)[1]["items"]}


def services(client):
    return {ip: s["metadata"]["name"] for s in client.ask("GET", SERVICES)[1]["items"] for ip in s["spec"].get("clusterIPs", []) if ip != "None"}


def until(check):
    """IPAddresses follow their services a moment later."""
    for _ in range(200):
        if check():
            return
        time.sleep(0.02)
    assert check()


def test_no_address_and_no_port_twice():
    with running("--service-cluster-ip-range", "10.9.0.0/26", "--service-node-port-range", "31000-31039") as api:
        client = api.client()
        made = many(api, lambda c, i: c.ask("POST", SERVICES, service(f"s{i}")), 90)
        given = [s["spec"]["clusterIP"] for code, s in made if code == 201]
        assert len(given) == len(set(given)) == 61, given  # 62, without that of kubernetes
        assert {code for code, _ in made} == {201, 500}
        assert "range is full" in next(s["message"] for code, s in made if code == 500)
        until(lambda: records(client) == services(client))

        assert {code for code, _ in many(api, lambda c, i: c.ask("DELETE", f"{SERVICES}/s{i}"), 90)} == {200, 404}
        until(lambda: list(records(client).values()) == ["kubernetes"])
        made = many(api, lambda c, i: c.ask("POST", SERVICES, service(f"n{i}", type="NodePort")), 45)
        ports = [s["spec"]["ports"][0]["nodePort"] for code, s in made if code == 201]
        assert len(ports) == len(set(ports)) == 40, ports
        many(api, lambda c, i: c.ask("PATCH", f"{SERVICES}/n{i}", {"spec": {"type": "ClusterIP"}}, **{"Content-Type": "application/merge-patch+json"}), 45)
        code, again = client.ask("POST", SERVICES, service("again", type="NodePort"))
        assert code == 201 and 31000 <= again["spec"]["ports"][0]["nodePort"] <= 31039


def test_one_address_for_one_of_many():
    with running() as api:
        made = many(api, lambda c, i: c.ask("POST", SERVICES, service(f"s{i}", clusterIP="10.96.0.99")), 32)
        assert sorted(code for code, _ in made) == [201] + [422] * 31
        owner = next(s["metadata"]["name"] for code, s in made if code == 201)
        client = api.client()
        until(lambda: records(client)["10.96.0.99"] == owner)
        assert client.ask("POST", SERVICES + "?dryRun=All", service("dry"))[0] == 201
        assert client.ask("DELETE", f"{SERVICES}/{owner}")[0] == 200
        assert client.ask("POST", SERVICES, service("next", clusterIP="10.96.0.99"))[0] == 201
        until(lambda: records(client).get("10.96.0.99") == "next")


def test_a_kill_takes_nothing_apart():
    with running("--service-cluster-ip-range", "10.9.0.0/24,fd00:9::/112") as api:
        many(api, lambda c, i: c.ask("POST", SERVICES, service(f"s{i}", ipFamilyPolicy="PreferDualStack")), 40)
        many(api, lambda c, i: c.ask("DELETE", f"{SERVICES}/s{i}"), 20)
        api.end(signal.SIGKILL)
        client = api.start().client()
        assert len(services(client)) == 41
        until(lambda: records(client) == services(client))
        taken = next(iter(services(client)))
        assert client.ask("POST", SERVICES, service("x", clusterIP=taken))[0] == 422


def test_the_service_that_leads_to_the_server():
    with running("--advertise-address", "10.7.7.7", "--service-cluster-ip-range", "10.8.0.0/16") as api:
        client = api.client()
        assert client.ask("GET", f"{SERVICES}/kubernetes")[1]["spec"]["clusterIP"] == "10.8.0.1"
        place = client.ask("GET", "/api/v1/namespaces/default/endpoints/kubernetes")[1]["subsets"]
        assert place == [{"addresses": [{"ip": "10.7.7.7"}], "ports": [{"name": "https", "port": api.port, "protocol": "TCP"}]}]
        names = (f"{SERVICES}/kubernetes", "/api/v1/namespaces/default/endpoints/kubernetes",
                 "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
        before = [client.ask("GET", n)[1]["metadata"]["uid"] for n in names]
        for name in reversed(names):
            assert client.ask("DELETE", name)[0] == 200
        until(lambda: all(client.ask("GET", n)[0] == 200 and client.ask("GET", n)[1]["metadata"]["uid"] != uid for n, uid in zip(names, before)))
        until(lambda: records(client) == services(client))
        api.end()
        api.options = ("--advertise-address", "10.7.7.8", "--service-cluster-ip-range", "10.8.0.0/16")
        client = api.start().client()
        slices = client.ask("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")[1]
        assert slices["endpoints"][0]["addresses"] == ["10.7.7.8"]
    with running() as api:  # whoever listens on this host alone leads nobody anywhere
        assert api.client().ask("GET", "/api/v1/namespaces/default/endpoints/kubernetes")[0] == 404


def test_another_range():
    merge = {"Content-Type": "application/merge-patch+json"}
    with running("--service-cluster-ip-range", "10.9.0.0/28") as api:
        client = api.client()
        assert client.ask("POST", SERVICES, service("far", clusterIP="10.10.0.5"))[0] == 422
        assert client.ask("POST", "/apis/networking.k8s.io/v1/servicecidrs", {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.10.0.0/24"]}})[0] == 201
        assert client.ask("POST", SERVICES, service("far", clusterIP="10.10.0.5"))[0] == 201
        made = many(api, lambda c, i: c.ask("POST", SERVICES, service(f"s{i}")), 30)
        assert {code for code, _ in made} == {201}
        assert any(ipaddress.ip_address(s["spec"]["clusterIP"]) in ipaddress.ip_network("10.10.0.0/24") for _, s in made)
        ready = {"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2024-01-01T00:00:00Z", "reason": "R", "message": ""}]}}
        assert client.ask("PATCH", "/apis/networking.k8s.io/v1/servicecidrs/more/status", ready, **merge)[0] == 200
        assert client.ask("POST", SERVICES, service("late", clusterIP="10.10.0.200"))[0] == 422
