"""Clients of kubelet's API: with a certificate of an authority's making, with a token, or with nothing."""
import datetime
import http.client
import json
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def _name(common, groups=()):
    return x509.Name([*(x509.NameAttribute(NameOID.ORGANIZATION_NAME, g) for g in groups), x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """That of a pki directory, or a new one that nobody knows."""

    def __init__(self, directory, pki=None, name="nobody's"):
        self.directory = str(directory)
        if pki:
            with open(f"{pki}/ca.crt", "rb") as c, open(f"{pki}/ca.key", "rb") as k:
                self.certificate, self.key = x509.load_pem_x509_certificate(c.read()), serialization.load_pem_private_key(k.read(), None)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())
            self.certificate = self.make(_name(name), self.key.public_key(), _name(name), authority=True)

    def make(self, subject, key, issuer, authority=False, since=-1, days=1, server=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        use = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        made = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
                .not_valid_before(now + since * DAY).not_valid_after(now + days * DAY).add_extension(x509.BasicConstraints(authority, None), True))
        if not authority:
            made = made.add_extension(x509.ExtendedKeyUsage([use]), False)
        return made.sign(self.key, hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, name, *groups, **how):
        """The path of a file with a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self.make(_name(name, groups), key.public_key(), self.certificate.subject, **how)
        path = f"{self.directory}/{x509.random_serial_number()}.pem"
        with open(path, "wb") as f:
            f.write(made.public_bytes(serialization.Encoding.PEM))
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return path


class Kubelet:
    def __init__(self, port, certificate=None, token=None):
        self.port, self.certificate = port, certificate
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.connection = None

    def open(self, timeout=30):
        context = ssl._create_unverified_context()
        if self.certificate:
            context.load_cert_chain(self.certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=timeout)

    def raw(self, path, method="GET", body=None, headers=None):
        """Status and answer, on one connection."""
        self.connection = self.connection or self.open()
        self.connection.request(method, path, body, {**self.headers, **(headers or {})})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def ask(self, path, method="GET", body=None):
        status, text = self.raw(path, method, body)
        return status, text.decode()

    def get(self, path):
        status, text = self.ask(path)
        assert status == 200, (status, text)
        return text

    def json(self, path):
        return json.loads(self.get(path))

    def stream(self, path, timeout=30):
        """The answer as it comes."""
        connection = self.open(timeout)
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()
        assert answer.status == 200, (answer.status, answer.read())
        return answer
