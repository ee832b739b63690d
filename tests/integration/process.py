"""Clusters and single processes for integration tests."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
BIN = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith('TIDEMARK_')}


class Cluster:
    """scripts/cluster in a folder of its own; `with` brings it up and down."""

    def __init__(self, base_port, *options, command=()):
        """Runs scripts/cluster behind `command`."""
        self.base, self.options, self.command = base_port, options, command
        self.folder = tempfile.mkdtemp(prefix='tidemark-integration-')
        os.chmod(self.folder, 0o755)
        self.home = os.path.join(self.folder, 'cluster')

    def do(self, verb, *args):
        done = subprocess.run([*self.command, os.path.join(ROOT, 'scripts', 'cluster'), verb, self.home, *args],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError('cluster %s %s: %s' % (verb, ' '.join(args), done.stderr.strip()))
        return done.stdout.strip()

    def __enter__(self):
        self.do('up', '--base-port', str(self.base), *self.options)
        return self

    def __exit__(self, *_):
        self.do('down')
        shutil.rmtree(self.folder, ignore_errors=True)

    def pid(self, node):
        for line in self.do('nodes').splitlines():
            name, pid, _ = line.split()
            if name == node:
                return None if pid == '-' else int(pid)
        return None

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def said(self, node):
        with open(self.path(node, 'logs', 'out')) as f:
            return f.read()


def resident_mb(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) // 1024


def end_of(program, *args, seconds=20, cwd=None, uid=None):
    """(exit code, lines on stderr and stdout) of a process that ought to end by itself; code None when it doesn't."""
    process = subprocess.Popen([program if os.path.isabs(program) else os.path.join(BIN, program), *args],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               cwd=cwd, env=CLEAN, user=uid)
    try:
        said = process.communicate(timeout=seconds)[0]
        return process.returncode, said.strip().splitlines()
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0].strip().splitlines()


class Running:
    """A process that ought to go on; `with` ends it."""

    def __init__(self, program, *args, cwd=None):
        # The process shares the place in the file: what it says goes to the end, wherever it is read.
        self.log = tempfile.TemporaryFile('a+')
        self.process = subprocess.Popen([os.path.join(BIN, program), *args], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT, cwd=cwd, env=CLEAN)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def says(self, word, seconds=20):
        """True once `word` is in its log; False when it ends or is late."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            over = self.process.poll() is not None
            if word in self.said():
                return True
            if over:
                return False
            time.sleep(0.02)
        return False

    def stop(self):
        """Its exit code after SIGTERM."""
        self.process.terminate()
        return self.process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def http_get(port, path):
    """(status, body)"""
    with socket.create_connection(('127.0.0.1', port), timeout=5) as sock:
        sock.sendall(b'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' % path.encode())
        head, _, body = sock.makefile('rb').read().decode().partition('\r\n\r\n')
        return int(head.split()[1]), body


def http_status(port, path):
    return http_get(port, path)[0]
