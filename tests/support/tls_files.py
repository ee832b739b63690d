"""Keys and certificates for tests, by openssl as its manual has it."""
import os
import subprocess


def run(*args):
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """Files of certificates in a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key, self.certificate = self.path(name + '.key'), self.path(name + '.crt')
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
            '-subj', '/CN=' + name, '-keyout', self.key, '-out', self.certificate)

    def path(self, file):
        return os.path.join(self.folder, file)

    def identity(self, name):
        """(key file, certificate file), and PEM of both in NAME.pem."""
        key, request, certificate = (self.path(name + x) for x in ('.key', '.csr', '.crt'))
        extension = self.path(name + '.ext')
        with open(extension, 'w') as f:
            f.write('subjectAltName=IP:127.0.0.1\n')
        run('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=' + name, '-keyout', key, '-out', request)
        run('openssl', 'x509', '-req', '-in', request, '-CA', self.certificate, '-CAkey', self.key, '-CAcreateserial',
            '-days', '20', '-extfile', extension, '-out', certificate)
        with open(self.path(name + '.pem'), 'w') as both:
            for file in (key, certificate):
                both.write(open(file).read())
        return key, certificate
