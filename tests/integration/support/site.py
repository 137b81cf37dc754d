"""HTTP servers of a few lines, for who is asked what, with which credentials, in which order."""
import base64
import http.server
import json
import threading
from urllib.parse import parse_qs, urlsplit


def basic(credentials):
    return "Basic " + base64.b64encode(credentials.encode()).decode()


class Request:
    """What was asked: `method`, `path` without its query, `query` ({name: [values]}), `raw` (as it came), `headers`, `body`."""

    def __init__(self, h):
        parts = urlsplit(h.path)
        self.method, self.raw, self.path, self.headers = h.command, h.path, parts.path, h.headers
        self.query = parse_qs(parts.query, keep_blank_values=True)
        self.body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        self.certificate = h.connection.getpeercert() if hasattr(h.connection, "getpeercert") else None
        self.authorization = h.headers.get("Authorization")

    def form(self):
        return parse_qs(self.body.decode(), keep_blank_values=True)


class Site:
    """Answers by `answer(request)`: (status, {header: value or [values]}, body). What came is in `requests`. `tls`: an
    ssl.SSLContext; then a request's `certificate` is the client's, {} for one that is not looked at, None for none."""

    def __init__(self, answer, address="127.0.0.1", tls=None):
        self.requests, self.answer = [], answer
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def reply(self):
                request = Request(self)
                site.requests.append(request)
                status, headers, body = site.answer(request)
                self.send_response(status)
                for name, values in headers.items():
                    for value in values if isinstance(values, list) else [values]:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = reply

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.host = f"{address}:{self.server.server_address[1]}"
        self.url = f"http://{self.host}"
        if tls:
            self.url, self.server.socket = f"https://{self.host}", tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def told(self):
        """Each Authorization that came, once, in order."""
        return list(dict.fromkeys(r.authorization for r in self.requests if r.authorization))


def serve_layout(layout):
    """An answer() for the manifests and blobs of an OCI layout directory, as any repository and tag."""
    def answer(request):
        what, name = request.path.split("/")[-2:]
        if what == "manifests" and not name.startswith("sha256:"):
            name = json.load(open(layout + "/index.json"))["manifests"][0]["digest"]
        try:
            body = open(f"{layout}/blobs/sha256/{name[7:]}", "rb").read()
        except OSError:
            return 404, {}, b""
        kind = "application/vnd.oci.image.manifest.v1+json" if what == "manifests" else "application/octet-stream"
        return 200, {"Content-Type": kind}, body
    return answer


def take_pushes(request):
    """An answer() that has nothing and takes everything; blobs by POST and PUT."""
    if request.method == "HEAD":
        return 404, {}, b""
    if request.method == "POST":
        return 202, {"Location": request.path + "1?state=x"}, b""
    return (201, {}, b"") if request.method == "PUT" else (404, {}, b"")


def with_basic(credentials, answer):
    """Only for who has them."""
    def guarded(request):
        if request.authorization != basic(credentials):
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return answer(request)
    return guarded


def with_token(token, challenge, answer):
    """Only with "Bearer TOKEN"; `challenge` is the header, or several."""
    def guarded(request):
        if request.authorization != "Bearer " + token:
            return 401, {"WWW-Authenticate": challenge}, b""
        return answer(request)
    return guarded


def tokens(token, credentials=None, **answer):
    """A token server: the token, for who has `credentials` (None: for all)."""
    def give(request):
        if credentials and request.authorization != basic(credentials):
            return 401, {}, b"{}"
        return 200, {"Content-Type": "application/json"}, json.dumps(answer or {"token": token}).encode()
    return give
