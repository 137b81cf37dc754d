"""A TCP proxy that cuts each connection after so many bytes of answers, in front of a real registry."""
import socket
import threading


class Cutter:
    def __init__(self, port, after):
        self.after, self.connections = after, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(port,), daemon=True).start()

    def _serve(self, port):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server), daemon=True).start()

    def _up(self, client, server):
        try:
            while (data := client.recv(65536)):
                server.sendall(data)
        except OSError:
            pass

    def _down(self, client, server):
        left = self.after
        try:
            while left > 0 and (data := server.recv(min(65536, left))):
                client.sendall(data)
                left -= len(data)
        except OSError:
            pass
        for s in (client, server):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def stop(self):
        self.listener.close()
