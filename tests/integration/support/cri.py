"""CRI by a real gRPC client (Debian's python3-grpcio) with messages made from cri/api.proto."""
import importlib
import subprocess
import sys
import tempfile

import grpc

from .node import TOP

_made = tempfile.TemporaryDirectory(prefix="nacelle-proto-")
subprocess.run(["protoc", f"--python_out={_made.name}", "-I", TOP + "/cri", TOP + "/cri/api.proto"], check=True)
sys.path.append(_made.name)
api = importlib.import_module("api_pb2")
SERVICES = {m.name: (s.name, m) for s in api.DESCRIPTOR.services_by_name.values() for m in s.methods}


class Client:
    def __init__(self, socket, **options):
        self.channel = grpc.insecure_channel("unix:" + socket, options=[("grpc.max_receive_message_length", 64 << 20), *options.items()])

    def close(self):
        self.channel.close()

    def _method(self, name, stream):
        service, method = SERVICES[name]
        make = self.channel.unary_stream if stream else self.channel.unary_unary
        return make(f"/runtime.v1.{service}/{name}", request_serializer=lambda m: m.SerializeToString(),
                    response_deserializer=getattr(api, method.output_type.name).FromString)

    def call(self, name, timeout=30, **fields):
        """The response; raises grpc.RpcError."""
        request = getattr(api, SERVICES[name][1].input_type.name)(**fields)
        return self._method(name, False)(request, timeout=timeout)

    def stream(self, name, **fields):
        return self._method(name, True)(getattr(api, SERVICES[name][1].input_type.name)(**fields))

    def code(self, name, **fields):
        """The name of the status code that the call ends with, and its text."""
        return self.send(name, getattr(api, SERVICES[name][1].input_type.name)(**fields))

    def send(self, name, request, timeout=30):
        try:
            self._method(name, False)(request, timeout=timeout)
            return "OK", ""
        except grpc.RpcError as e:
            return e.code().name, e.details()

    def exec_url(self, container, command, tty=False, stdin=False, stdout=True, stderr=None):
        stderr = not tty if stderr is None else stderr
        return self.call("Exec", container_id=container, cmd=command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr).url

    def attach_url(self, container, tty=False, stdin=False, stdout=True, stderr=None):
        stderr = not tty if stderr is None else stderr
        return self.call("Attach", container_id=container, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr).url

    def forward_url(self, sandbox, *ports):
        return self.call("PortForward", pod_sandbox_id=sandbox, port=ports).url
