"""A real registry (Debian's docker-registry) on loopback, and images pushed to it."""
import shutil
import subprocess
import tempfile
import urllib.request

from .node import free_port, wait_for


class Registry:
    """`auth`: an htpasswd line; `tls`: (certificate, key) files; `client_ca`: clients must bring a certificate of it; `data`: a directory
    that keeps the images for the next one; `address`: of the host that it listens at."""

    def __init__(self, auth=None, tls=None, client_ca=None, data=None, address="127.0.0.1"):
        self.dir = tempfile.mkdtemp(prefix="nacelle-registry-")
        self.port = free_port()
        self.address = address
        self.host = f"{address}:{self.port}"
        self.tls = tls
        config = f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {data or self.dir + '/data'}}}, delete: {{enabled: true}}}}\nhttp:\n  addr: {self.host}\n"
        if tls:
            clients = f", clientcas: [{client_ca}]" if client_ca else ""
            config += f"  tls: {{certificate: {tls[0]}, key: {tls[1]}{clients}}}\n"
        if auth:
            with open(self.dir + "/htpasswd", "w") as f:
                f.write(auth + "\n")
            config += f"auth: {{htpasswd: {{realm: test, path: {self.dir}/htpasswd}}}}\n"
        with open(self.dir + "/config.yml", "w") as f:
            f.write(config)
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", self.dir + "/config.yml"], stdout=self.log, stderr=self.log)
        wait_for("registry", self._listens if client_ca else self._answers)

    def _listens(self):
        import socket
        with socket.socket() as s:
            return s.connect_ex((self.address, self.port)) == 0

    def _answers(self):
        import ssl
        try:
            urllib.request.urlopen(f"http{'s' if self.tls else ''}://{self.host}/v2/", timeout=1, context=ssl._create_unverified_context())
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def push(self, image, name, credentials=None):
        """Pushes an oci.Image as `name` (repository:tag); returns the full reference."""
        layout = tempfile.mkdtemp(prefix="nacelle-layout-")
        try:
            image.write_layout(layout, "x")
            args = ["skopeo", "copy", "-q", "--dest-tls-verify=false"]
            if credentials:
                args += ["--dest-creds", credentials]
            subprocess.run(args + [f"oci:{layout}:x", f"docker://{self.host}/{name}"], check=True)
        finally:
            shutil.rmtree(layout)
        return f"{self.host}/{name}"

    def blob_path(self, digest):
        return f"{self.dir}/data/docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
