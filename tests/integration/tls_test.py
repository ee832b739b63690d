#!/usr/bin/env python3
"""Listeners with TLS: who may connect, what strangers cost, certificates that change (kcat, and sockets by hand)."""
import os
import re
import socket
import ssl
import struct
import subprocess
import time

import process
import wire
from cases import Cases, equal, until
from tls_files import Authority

BASE = 24192
SECURE, MUTUAL = BASE + 40, BASE + 60
TOPIC = 't'
PASSWORD = 'of no key that is here'
STRANGERS = 300


def kcat(port, *args, text=None, code=0):
    done = subprocess.run(['kcat', '-b', '127.0.0.1:%d' % port, '-q', '-X', 'socket.connection.setup.timeout.ms=3000',
                           *args], input=text, capture_output=True, text=True, timeout=60,
                          stdin=None if text else subprocess.DEVNULL)
    equal(done.returncode if code == 0 else done.returncode != 0, code if code == 0 else True)
    return done.stdout


def trusting(authority, identity=None):
    args = ['-X', 'security.protocol=ssl', '-X', 'ssl.ca.location=' + authority.certificate]
    if identity:
        args += ['-X', 'ssl.key.location=' + identity[0], '-X', 'ssl.certificate.location=' + identity[1]]
    return args


def secure(cluster, authority):
    """Every broker gets two listeners with TLS beside the plain one; what is set for one is not the other's."""
    for broker in (1, 2):
        n = broker - 1
        path = cluster.path('broker-%d' % broker, 'server.properties')
        text = open(path).read()
        listeners = ','.join('%s://127.0.0.1:%d' % (name, port + n)
                             for name, port in (('PLAINTEXT', BASE), ('SECURE', SECURE), ('MUTUAL', MUTUAL)))
        text = re.sub(r'(?m)^(advertised\.)?listeners=.*$', lambda m: (m.group(1) or '') + 'listeners=' + listeners, text)
        text += '\n'.join(['', 'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,secure : ssl,MUTUAL:SSL',
                           'ssl.keystore.type=PEM', 'ssl.keystore.location=' + authority.path('broker.pem'),
                           'ssl.key.password=' + PASSWORD,
                           'listener.name.mutual.ssl.client.auth=required',
                           'listener.name.mutual.ssl.truststore.type=PEM',
                           'listener.name.mutual.ssl.truststore.location=' + authority.certificate, ''])
        with open(path, 'w') as f:
            f.write(text)
        cluster.do('stop', 'broker-%d' % broker)
        cluster.do('start', 'broker-%d' % broker)
    good, why = wire.wait_healthy([BASE, BASE + 1], TOPIC, 2, 60)
    equal((good, why if not good else None), (True, None))


def clients_are_served(cluster, authority, client):
    secure(cluster, authority)
    lines = ''.join('%0200d\n' % i for i in range(20000))
    kcat(SECURE, *trusting(authority), '-P', '-t', TOPIC, text=lines)
    equal(sorted(kcat(SECURE, *trusting(authority), '-C', '-t', TOPIC, '-e', '-o', 'beginning').splitlines()),
          lines.splitlines())
    # They are told where TLS is spoken.
    said = kcat(SECURE, *trusting(authority), '-L')
    equal(sorted(re.findall(r'broker \d+ at 127\.0\.0\.1:(\d+)', said)), [str(SECURE), str(SECURE + 1)])
    kcat(MUTUAL, *trusting(authority, client), '-P', '-t', TOPIC, text='mutual\n')
    equal(kcat(BASE, '-C', '-t', TOPIC, '-e', '-o', 'beginning').splitlines().count('mutual'), 1)


def handshake(port, authority, identity=None):
    """A connection on which one request was answered. Raises ssl.SSLError or OSError."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if identity:
        context.load_cert_chain(identity[1], identity[0])
    stream = context.wrap_socket(socket.create_connection(('127.0.0.1', port), timeout=10),
                                 server_hostname='127.0.0.1')
    ask(stream)
    return stream


def ask(stream):
    stream.sendall(wire.frame(18, 0))
    wire.read_frame(stream)


def is_refused(port, authority, identity=None):
    try:
        handshake(port, authority, identity).close()
        return False
    except (ssl.SSLError, OSError):
        return True


def failed_handshakes():
    _, text = process.http_get(BASE + 200, '/metrics')
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith('tidemark_tls_handshakes_failed_total'))


def strangers_are_not(cluster, authority, client, stranger):
    before = failed_handshakes()
    equal(is_refused(MUTUAL, authority, client), False)
    equal(is_refused(MUTUAL, authority), True)
    equal(is_refused(MUTUAL, authority, stranger), True)
    equal(is_refused(SECURE, authority), False)
    # Plain bytes where TLS is spoken, and the other way round.
    for port, data in ((SECURE, wire.frame(18, 0)), (SECURE, os.urandom(1000)), (BASE, b'\x16\x03\x01\x02\x00' + b'x' * 512)):
        with socket.create_connection(('127.0.0.1', port), timeout=10) as sock:
            sock.sendall(data)
            try:
                while sock.recv(4096):
                    pass
            except ConnectionError:
                pass
    until(lambda: failed_handshakes() >= before + 4, 'the failures to be counted')
    assert 'TLS handshake failed' in cluster.said('broker-1'), 'no word in the log'
    # Passwords are shown to nobody.
    body = struct.pack('>ib', 1, 4) + wire.string('1') + struct.pack('>i??', -1, True, True)
    with socket.create_connection(('127.0.0.1', BASE), timeout=10) as sock:
        sock.sendall(wire.frame(32, 3, body))
        said = wire.read_frame(sock)
    equal((b'ssl.key.password' in said, b'ssl.keystore.location' in said, PASSWORD.encode() in said), (True, True, False))
    assert PASSWORD not in cluster.said('broker-1'), 'a password in the log'


def silent_ones_hold_up_nobody(authority):
    """Many that begin a handshake and do not go on, and many that do it all at once."""
    half = []
    hello = b'\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03' + os.urandom(32)
    for _ in range(STRANGERS):
        sock = socket.create_connection(('127.0.0.1', SECURE), timeout=10)
        sock.sendall(hello)
        half.append(sock)
    began = time.monotonic()
    crowd = [subprocess.Popen(['openssl', 's_time', '-connect', '127.0.0.1:%d' % SECURE, '-new', '-time', '2'],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
             for _ in range(4)]
    slowest = 0
    while time.monotonic() - began < 2:
        at = time.monotonic()
        error, _ = wire.produce(BASE, TOPIC, wire.batch([b'x']))[:2] if led_by_first() else (0, 0)
        equal(error, 0)
        slowest = max(slowest, time.monotonic() - at)
    for one in crowd:
        one.kill()
        one.wait()
    for sock in half:
        sock.close()
    assert slowest < 1, 'a produce took %.2f s' % slowest


def led_by_first():
    seen = wire.metadata(BASE, [TOPIC])
    return seen['brokers'][seen['topics'][TOPIC]['partitions'][0]['leader']] == BASE


def serial(stream):
    return stream.getpeercert()['serialNumber']


def certificates_change(cluster, authority):
    old = handshake(SECURE, authority)
    before = serial(old)
    path = authority.path('broker.pem')
    good = open(path).read()
    with open(path, 'w') as f:
        f.write(good[:len(good) // 3])
    until(lambda: 'certificate not reloaded' in cluster.said('broker-1'), 'a complaint')
    with handshake(SECURE, authority) as stream:
        equal(serial(stream), before)
    authority.identity('broker')

    def changed():
        with handshake(SECURE, authority) as stream:
            return serial(stream) != before
    until(changed, 'the new certificate')
    ask(old)  # goes on with what it has
    old.close()
    _, text = process.http_get(BASE + 200, '/metrics')
    at = float(re.search(r'tidemark_certificate_expiry_timestamp_seconds\{listener="SECURE"\} (\S+)', text).group(1))
    equal(19 * 86400 < at - time.time() <= 20 * 86400, True)


def bad_settings(authority):
    for wrong, says in (({'ssl.keystore.location': '/nowhere'}, '/nowhere'),
                        ({'ssl.keystore.type': 'PKCS12'}, 'it is PEM'),
                        ({'ssl.enabled.protocols': 'SSLv3'}, 'TLSv1.2'),
                        ({'ssl.cipher.suites': 'NONSENSE'}, 'ssl.cipher.suites'),
                        ({'sasl.enabled.mechanisms': 'PLAIN'}, 'sasl.enabled.mechanisms'),
                        ({'inter.broker.listener.name': 'NOBODY'}, 'names in listeners'),
                        ({'listeners': 'PLAINTEXT://127.0.0.1:%d' % (BASE + 80)}, 'SSL'),
                        ({'listener.name.other.ssl.client.auth': 'required'}, 'listener.name.other')):
        settings = {'node.id': 9, 'log.dirs': authority.path('data'), 'controller.quorum.voters': '1@127.0.0.1:1',
                    'listeners': 'PLAINTEXT://127.0.0.1:%d,SSL://127.0.0.1:%d' % (BASE + 80, BASE + 81), 'http.port': -1,
                    'ssl.keystore.type': 'PEM', 'ssl.keystore.location': authority.path('broker.pem'), **wrong}
        path = authority.path('bad.properties')
        with open(path, 'w') as f:
            f.writelines('%s=%s\n' % item for item in settings.items())
        process.end_of('tidemark', 'storage', 'format', '--config', path, '--cluster-id', 'AAAAAAAAAAAAAAAAAAAAAQ')
        code, said = process.end_of('tidemark-broker', '--config', path)
        equal((wrong, code not in (0, None), any(says in line for line in said)), (wrong, True, True))


def main():
    cases = Cases('tls', 150)
    with process.Cluster(BASE, '--controllers', '0', '--brokers', '2') as cluster:
        authority, other = Authority(cluster.folder, 'authority'), Authority(cluster.folder, 'other')
        authority.identity('broker')
        client, stranger = authority.identity('client'), other.identity('stranger')
        error, _ = wire.create_topic(BASE, TOPIC, factor=2)
        equal(error, 0)
        cases.run('clients are served', clients_are_served, cluster, authority, client)
        cases.run('strangers are not', strangers_are_not, cluster, authority, client, stranger)
        cases.run('silent ones hold up nobody', silent_ones_hold_up_nobody, authority)
        cases.run('certificates change', certificates_change, cluster, authority)
        cases.run('bad settings are refused', bad_settings, authority)
    cases.done()


main()
