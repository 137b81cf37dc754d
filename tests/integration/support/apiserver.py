"""As much of an API server as kubectl's exec, attach and port-forward need: it knows the pods of a node, and passes what
kubectl wants to stream on to the CRI streaming server, byte by byte."""
import http.server
import json
import socket
import threading
import urllib.parse

from .cri import Client


def tunnel(a, b):
    def one_way(source, target):
        try:
            while (data := source.recv(65536)):
                target.sendall(data)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    other = threading.Thread(target=one_way, args=(b, a), daemon=True)
    other.start()
    one_way(a, b)
    other.join()


class ApiServer:
    def __init__(self, node):
        self.node, self.seen = node, []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                path, _, query = self.path.partition("?")
                parts = path.strip("/").split("/")
                if parts[:2] == ["api", "v1"] and len(parts) == 7:
                    return self.stream(parts[5], parts[6], urllib.parse.parse_qs(query))
                answer = api.answer(parts)
                body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"}).encode()
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def stream(self, pod, verb, query):
                api.seen.append((verb, self.headers.get("Upgrade"), self.headers.get("Sec-WebSocket-Protocol")))
                url = urllib.parse.urlsplit(api.url(pod, verb, query))
                with socket.create_connection((url.hostname, url.port)) as s:
                    head = f"{self.command} {url.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in self.headers.items()) + "\r\n"
                    s.sendall(head.encode())
                    tunnel(self.connection, s)
                self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, parts):
        if parts == ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if parts == ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
        if parts == ["api", "v1"]:
            verbs = ["get", "list", "create"]
            return {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
                {"name": name, "singularName": "", "namespaced": True, "kind": "Pod", "verbs": verbs, "shortNames": ["po"] if name == "pods" else []}
                for name in ("pods", "pods/exec", "pods/attach", "pods/portforward")]}
        if parts[:5] == ["api", "v1", "namespaces", "default", "pods"] and len(parts) == 6:
            return self.pod(parts[5])
        return None

    def containers(self, pod):
        return [c for c in self.node.containers() if c["labels"].get("io.kubernetes.pod.name") == pod and c["state"] == "CONTAINER_RUNNING"]

    def pod(self, name):
        found = self.containers(name)
        return found and {
            "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": "n", "containers": [{"name": c["metadata"]["name"], "image": "x"} for c in found]},
            "status": {"phase": "Running", "podIP": "127.0.0.1"}}

    def url(self, pod, verb, query):
        def flag(name):
            return query.get(name) in (["true"], ["1"])
        found = {c["metadata"]["name"]: c for c in self.containers(pod)}
        cri = Client(self.node.socket)
        try:
            if verb == "portforward":
                return cri.forward_url(next(iter(found.values()))["podSandboxId"])
            c = found[query["container"][0]]["id"]
            if verb == "exec":
                return cri.exec_url(c, query["command"], tty=flag("tty"), stdin=flag("stdin"), stdout=flag("stdout"), stderr=flag("stderr"))
            return cri.attach_url(c, tty=flag("tty"), stdin=flag("stdin"), stdout=flag("stdout"), stderr=flag("stderr"))
        finally:
            cri.close()
