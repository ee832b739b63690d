#!/usr/bin/env python3
"""A cluster in which all speak TLS: who is let in, and certificates that are replaced under load."""
import base64
import collections
import os
import re
import shutil
import ssl
import stat
import subprocess
import threading
import urllib.error
import urllib.request

import process
from cases import Cases, equal, until

BASE = 26300
TOPIC = 'kept'
NODES = ['controller-1', 'controller-2', 'controller-3', 'broker-1', 'broker-2', 'broker-3']
LINES = 500  # of each producer


class Secured(process.Cluster):
    def environment(self):
        """As scripts/cluster tells people."""
        text = self.do('env')
        return dict(process.CLEAN, **dict(re.findall(r'(?m)^export (\w+)=(\S+)$', text)))

    def tidemark(self, *args, text=None, code=0, environment=None):
        done = subprocess.run([os.path.join(process.BIN, 'tidemark'), *args], input=text, text=True,
                              capture_output=True, timeout=60, env=environment or self.environment())
        equal((args, done.returncode, done.stderr if done.returncode != code else ''), (args, code, ''))
        return done.stdout if code == 0 else done.stderr

    def plaintext(self):
        return {k: v for k, v in self.environment().items() if k != 'TIDEMARK_COMMAND_CONFIG'}

    def security(self, *parts):
        return self.path('security', *parts)

    def flags(self, holder, file='node.pem'):
        return ['--tls-ca', self.security('admin', 'trust.pem'), '--tls-cert', self.security(holder, file)]


def everything_is_served(cluster):
    cluster.tidemark('topic', 'create', TOPIC, '--partitions', '6', '--replication-factor', '3')
    cluster.tidemark('produce', TOPIC, text=''.join('first-%d\n' % i for i in range(LINES)))
    said = cluster.tidemark('consume', TOPIC, '--from-beginning', '--exit-at-end')
    equal(len(said.splitlines()), LINES)
    cluster.tidemark('consume', TOPIC, '--group', 'g', '--from-beginning', '--exit-at-end')
    assert 'g' in cluster.tidemark('group', 'list')
    # Kafka's protocol without librdkafka.
    assert TOPIC in cluster.tidemark('partition', 'log-dirs', '--topic', TOPIC, '--format', 'json')
    cluster.tidemark('txn', 'list')
    backup = os.path.join(cluster.folder, 'backup')
    cluster.tidemark('quorum', 'backup', backup)
    equal(os.path.exists(backup), True)
    # Flags do as well as a file.
    flags = cluster.flags('admin', 'admin.pem')
    assert TOPIC in cluster.tidemark('topic', 'list', *flags, environment=cluster.plaintext())


def keys_are_their_owners(cluster):
    for folder, _, files in os.walk(cluster.security()):
        equal(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        for file in files:
            path = os.path.join(folder, file)
            if 'PRIVATE KEY' in open(path).read():
                equal((path, stat.S_IMODE(os.stat(path).st_mode)), (path, 0o600))
    for node in NODES:
        assert 'PRIVATE' not in cluster.said(node)


def strangers_are_not(cluster):
    plain = cluster.plaintext()
    short = ['--timeout-ms', '1500']
    cluster.tidemark('topic', 'list', *short, code=1, environment=plain)
    cluster.tidemark('group', 'list', *short, code=1, environment=plain)
    # Of the cluster, but of another role.
    for holder in 'broker-1', 'controller-101':
        said = cluster.tidemark('quorum', 'backup', os.path.join(cluster.folder, 'none'), *short,
                                *cluster.flags(holder), code=1, environment=plain)
        assert 'Backup/Save is for admin' in said, said
    said = cluster.tidemark('cluster', 'info', *short, *cluster.flags('broker-1'), code=1, environment=plain)
    assert 'broker 1' in said, said
    # Of an authority of their own.
    other = os.path.join(cluster.folder, 'other')
    subprocess.run([os.path.join(process.BIN, 'tidemark'), 'security', 'init', other, '--brokers', '1'], check=True,
                   stdout=subprocess.DEVNULL)
    for own, trust in (os.path.join(other, 'admin'), cluster.security('admin')), (cluster.security('admin'),
                                                                                  os.path.join(other, 'admin')):
        flags = ['--tls-cert', os.path.join(own, 'admin.pem'), '--tls-ca', os.path.join(trust, 'trust.pem')]
        for what in ('topic', 'list'), ('txn', 'list'):
            cluster.tidemark(*what, *short, *flags, code=1, environment=plain)


def nodes_have_their_own_certificates(cluster):
    """One that was given another's ends at once, and says why."""
    for node, other, says in (('broker-3', 'broker-2', 'broker 2, not of broker 3'),
                              ('controller-3', 'broker-1', 'broker 1, not of controller 103')):
        cluster.do('stop', node)
        own = 'controller-103' if node == 'controller-3' else node
        path = cluster.security(own, 'node.pem')
        shutil.move(path, path + '.kept')
        shutil.copy(cluster.security(other, 'node.pem'), path)
        role = node.split('-')[0]
        code, said = process.end_of('tidemark-' + role, '--config', cluster.path(node, 'server.properties'),
                                    cwd=cluster.path(node))
        equal(code, 1)
        assert says in said[-1], said
        shutil.move(path + '.kept', path)
        cluster.do('start', node)


def health_is_for_who_knows_the_password(cluster):
    secret = 'of-the-watch'
    for node, port in ('broker-2', BASE + 201), ('controller-2', BASE + 251):
        with open(cluster.path(node, 'server.properties'), 'a') as f:
            f.write('http.security.protocol=SSL\nhttp.basic.auth=watch:%s\n'
                    'listener.name.http.ssl.client.auth=none\n' % secret)
        cluster.do('stop', node)
        # It is waited for by its plain port, which is no more.
        with process.Running('tidemark-' + node.split('-')[0], '--config', cluster.path(node, 'server.properties'),
                             cwd=cluster.path(node)) as running:
            context = ssl.create_default_context(cafile=cluster.security('admin', 'trust.pem'))

            def status(user=None):
                request = urllib.request.Request('https://127.0.0.1:%d/livez' % port)
                if user:
                    request.add_header('Authorization', 'Basic ' + base64.b64encode(user.encode()).decode())
                try:
                    with urllib.request.urlopen(request, timeout=5, context=context) as answer:
                        return answer.status
                except urllib.error.HTTPError as e:
                    return e.code
                except OSError:
                    return None
            until(lambda: status() is not None, 'an answer of ' + node)
            equal((status(), status('watch:wrong'), status('watch:' + secret)), (401, 401, 200))
            try:
                process.http_get(port, '/livez')
                raise AssertionError('plaintext was answered')
            except (OSError, IndexError, ValueError):
                pass
            assert secret not in running.said()
            if node == 'broker-2':
                said = cluster.tidemark('config', 'get', 'broker', '2')
                assert secret not in said and 'PRIVATE KEY' not in said, said
            equal(running.stop(), 0)
        path = cluster.path(node, 'server.properties')
        text = open(path).read()
        with open(path, 'w') as f:
            f.write(text[:text.index('http.security.protocol')])
        cluster.do('start', node)


class Load:
    """Producers one after the other, each with what certificate there is when it begins."""

    def __init__(self, cluster):
        self.cluster, self.sent, self.error, self.over = cluster, [], None, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over.is_set():
                lines = ['load-%d-%d' % (len(self.sent), i) for i in range(LINES)]
                self.cluster.tidemark('produce', TOPIC, '--rate', '1000', text=''.join(x + '\n' for x in lines))
                self.sent += lines
        except Exception as e:
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def certificates_are_replaced_under_load(cluster):
    def reloads(node):
        return collections.Counter(re.findall(r'certificate reloaded listener=(\w+)', cluster.said(node)))

    def change(*flags):
        """All have read it: brokers for clients, for each other and for controllers."""
        before = {node: reloads(node) for node in NODES}
        cluster.tidemark('security', 'rotate', cluster.security(), *flags)
        for node in NODES:
            for use in ('SSL', 'peers', 'CONTROLLER') if node.startswith('broker') else ('controllers',):
                until(lambda: reloads(node)[use] > before[node][use], 'the files to be read by %s for %s' % (node, use))

    with Load(cluster) as load:
        until(lambda: len(load.sent) >= LINES or load.error, 'the load')
        first = cluster.security('ca', '1.pem')
        change('--add-ca')
        said = cluster.tidemark('security', 'rotate', cluster.security(), '--drop-old-cas', code=1)
        assert 'newest authority' in said, said
        change()
        change('--drop-old-cas')
        equal(os.path.exists(first), False)
        # New connections, of everybody to everybody.
        for node in 'broker-1', 'controller-1':
            cluster.do('stop', node)
            cluster.do('start', node)
        some = len(load.sent)
        until(lambda: len(load.sent) >= some + 2 * LINES or load.error, 'more of the load')
    equal(load.error, None)
    got = cluster.tidemark('consume', TOPIC, '--from-beginning', '--exit-at-end').split()
    equal(sorted(set(load.sent) - set(got)), [])
    equal(len(got), len(set(got)))


def plaintext_is_said(cluster):
    """Nobody is heard by the network because a line was forgotten."""
    for role, settings in (('controller', {'controller.quorum.voters': '101@10.0.0.1:%d' % (BASE + 80),
                                           'listeners': 'CONTROLLER://0.0.0.0:%d' % (BASE + 80)}),
                           ('broker', {'controller.quorum.voters': '101@10.0.0.1:9093',
                                       'listeners': 'PLAINTEXT://127.0.0.1:%d' % (BASE + 81)})):
        path = os.path.join(cluster.folder, role + '.properties')
        settings.update({'node.id': 101, 'log.dirs': os.path.join(cluster.folder, role), 'http.port': -1})
        with open(path, 'w') as f:
            f.writelines('%s=%s\n' % item for item in settings.items())
        code, said = process.end_of('tidemark-' + role, '--config', path)
        equal(code, 1)
        assert 'listener.security.protocol.map' in said[-1] and 'CONTROLLER:PLAINTEXT' in said[-1], said


def main():
    cases = Cases('node security', 150)
    with Secured(BASE, '--security', 'tls') as cluster:
        cases.run('everything is served', everything_is_served, cluster)
        cases.run('keys are their owners\'', keys_are_their_owners, cluster)
        cases.run('strangers are not', strangers_are_not, cluster)
        cases.run('nodes have their own certificates', nodes_have_their_own_certificates, cluster)
        cases.run('health is for who knows the password', health_is_for_who_knows_the_password, cluster)
        cases.run('certificates are replaced under load', certificates_are_replaced_under_load, cluster)
        cases.run('plaintext is said', plaintext_is_said, cluster)
    cases.done()


main()
