"""A registry that misbehaves on demand, for what a good one never does: cuts, lies, tokens, missing ranges."""
import base64
import http.server
import json
import threading


class FakeRegistry:
    """Serves an OCI layout directory's blobs as `any/name`; what it was asked is in `requests`.

    cut: bytes after which a blob's connection is closed, each time; ranges: whether Range is honoured; corrupt: a blob
    whose bytes are changed; fail: how many times a blob is answered with fail_status first, with
    Retry-After: retry_after; expire: how many requests each token is good for; token: credentials that the token
    server wants (None: no token needed, "": anonymous ones are given out).
    """

    def __init__(self, layout, cut=None, ranges=True, corrupt=None, fail=0, token=None, refresh=None, fail_status=503, retry_after=None,
                 expire=None):
        self.layout, self.cut, self.ranges, self.corrupt, self.fail, self.token = layout, cut, ranges, corrupt, fail, token
        self.refresh, self.fail_status, self.retry_after, self.expire = refresh, fail_status, retry_after, expire
        self.issued, self.uses = [], {}
        self.requests = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                fake.requests.append((self.path, dict(self.headers)))
                fake.answer(self)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fake.requests.append((self.path + " " + body, dict(self.headers)))
                ok = fake.refresh and f"refresh_token={fake.refresh}" in body
                fake.send(self, 200 if ok else 401, json.dumps({"access_token": "good"}).encode(), "application/json")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def send(self, h, status, body, kind="application/octet-stream", **headers):
        h.send_response(status)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            h.send_header(key.replace("_", "-"), value)
        h.end_headers()
        h.wfile.write(body)

    def takes(self, authorization):
        """Whether it is a token that was given out and is still good."""
        if not self.expire:
            return authorization == "Bearer good"
        self.uses[authorization] = self.uses.get(authorization, 0) + 1
        return authorization in ("Bearer " + t for t in self.issued) and self.uses[authorization] <= self.expire

    def answer(self, h):
        if h.path.startswith("/token"):
            auth = h.headers.get("Authorization", "")
            wanted = "Basic " + base64.b64encode((self.token or "").encode()).decode() if self.token else ""
            if auth != wanted:
                return self.send(h, 401, b"{}")
            self.issued.append(f"good{len(self.issued)}" if self.expire else "good")
            return self.send(h, 200, json.dumps({"token": self.issued[-1]}).encode(), "application/json")
        if (self.token is not None or self.refresh) and not self.takes(h.headers.get("Authorization")):
            realm = f'Bearer realm="http://{self.host}/token",service="fake, with comma",scope="repository:x:pull"'
            return self.send(h, 401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no token"}]}', WWW_Authenticate=realm)
        what, name = h.path.split("?")[0].split("/")[-2:]
        if what == "manifests":
            return self.manifest(h, name)
        return self.blob(h, name)

    def manifest(self, h, name):
        index = json.load(open(self.layout + "/index.json"))
        digest = name if name.startswith("sha256:") else index["manifests"][0]["digest"]
        body = open(f"{self.layout}/blobs/sha256/{digest[7:]}", "rb").read()
        self.send(h, 200, body, "application/vnd.oci.image.manifest.v1+json")

    def blob(self, h, digest):
        try:
            data = open(f"{self.layout}/blobs/sha256/{digest[7:]}", "rb").read()
        except OSError:
            return self.send(h, 404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}')
        if len(data) > 10000 and self.fail > 0:
            self.fail -= 1
            return self.send(h, self.fail_status, b"busy", **({"Retry_After": str(self.retry_after)} if self.retry_after else {}))
        if digest == self.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        begin = 0
        if self.ranges and h.headers.get("Range"):
            begin = int(h.headers["Range"].split("=")[1].rstrip("-"))
        h.send_response(206 if begin else 200)
        h.send_header("Content-Length", str(len(data) - begin))
        if begin:
            h.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        h.end_headers()
        end = len(data)
        if self.cut and len(data) > 10000:
            end = min(end, begin + self.cut)
        h.wfile.write(data[begin:end])
        if end < len(data):
            h.close_connection = True
            h.wfile.flush()
            h.connection.shutdown(2)


