#!/usr/bin/env python3
"""Listeners with SASL: who is let in and by what, what strangers may say, users that come and go (kcat, sockets by hand)."""
import os
import re
import ssl
import struct
import subprocess
import time

import process
import sasl
import wire
from cases import Cases, equal, until
from listeners import add
from sasl import Peer, Scram, plain, scram
from tls_files import Authority

BASE = 24292
SASL, SECURE = BASE + 40, BASE + 60
TOPIC = 't'
SHA256, SHA512 = 'SCRAM-SHA-256', 'SCRAM-SHA-512'
FIRST, SECRET, LATER = 'first-password-kept-from-all', 'secret-of-alice-kept-from-all', 'later-password-kept-from-all'
METADATA = struct.pack('>ib', 0, 0)
LIFETIME = 3000


def secure(cluster, authority):
    """Every broker gets two listeners with SASL beside the plain one; the second with TLS and short sessions."""
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="%s" user_bob="b";' % SECRET
    for broker in (1, 2):
        path = cluster.path('broker-%d' % broker, 'server.properties')
        add(path, [('PLAINTEXT', BASE + broker - 1), ('CLIENTS', SASL + broker - 1), ('SASL_SSL', SECURE + broker - 1)], [
            'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CLIENTS:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
            'sasl.enabled.mechanisms=%s,%s' % (SHA256, SHA512),
            'listener.name.clients.sasl.enabled.mechanisms=PLAIN,%s,%s' % (SHA256, SHA512),
            'listener.name.clients.plain.sasl.jaas.config=' + jaas,
            'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config='
            'org.apache.kafka.common.security.scram.ScramLoginModule required;',
            'listener.name.sasl_ssl.connections.max.reauth.ms=%d' % LIFETIME,
            'listener.name.sasl_ssl.ssl.keystore.type=PEM',
            'listener.name.sasl_ssl.ssl.keystore.location=' + authority.path('broker.pem')])
        cluster.do('stop', 'broker-%d' % broker)
        cluster.do('start', 'broker-%d' % broker)
    good, why = wire.wait_healthy([BASE, BASE + 1], TOPIC, 2, 60)
    equal((good, why if not good else None), (True, None))


def tidemark(controller, *args, text=None, code=0):
    done = subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers', controller],
                          input=text, stdin=None if text else subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, env=process.CLEAN)
    equal((args, done.returncode == 0, done.stderr if code == 0 else ''), (args, code == 0, ''))
    return done.stdout


def set_user(controller, user, password, mechanism=SHA256):
    tidemark(controller, 'user', 'set-scram', user, '--mechanism', mechanism, '--password-file', '-', text=password + '\n')


def log_in(port, mechanism, user, password, **more):
    """The error of the last answer; the connection with it when there is none."""
    peer = Peer(port, **more)
    equal(peer.handshake(mechanism)[0], 0)
    said = peer.authenticate(plain(user, password)) if mechanism == 'PLAIN' else scram(peer, mechanism, user, password)
    if said[0]:
        assert peer.is_closed(), 'still open'
        peer.sock.close()
        return said[0], None
    return 0, peer


def refused(port, mechanism, user, password, **more):
    error, peer = log_in(port, mechanism, user, password, **more)
    equal((user, error), (user, 58))


def is_served(peer):
    said = peer.ask(sasl.METADATA, 4, METADATA)
    return said is not None


def accepted(port, mechanism, user, password, **more):
    error, peer = log_in(port, mechanism, user, password, **more)
    equal((user, error, is_served(peer)), (user, 0, True))
    peer.sock.close()


def kcat(port, protocol, mechanism, user, password, *args, text=None, code=0):
    done = subprocess.run(['kcat', '-b', '127.0.0.1:%d' % port, '-q', '-X', 'socket.connection.setup.timeout.ms=3000',
                           '-X', 'security.protocol=' + protocol, '-X', 'sasl.mechanism=' + mechanism,
                           '-X', 'sasl.username=' + user, '-X', 'sasl.password=' + password, *args],
                          input=text, capture_output=True, text=True, timeout=60,
                          stdin=None if text else subprocess.DEVNULL)
    equal((done.returncode == 0, done.stderr if code == 0 else ''), (code == 0, ''))
    return done.stdout


def clients_are_served(controller, authority):
    tls = ['-X', 'ssl.ca.location=' + authority.certificate]
    set_user(controller, 'carol', LATER, SHA512)
    until(lambda: log_in(SASL, SHA512, 'carol', LATER)[0] == 0, 'carol to be known')
    lines = ''.join('%0200d\n' % i for i in range(2000))
    kcat(SASL, 'sasl_plaintext', 'PLAIN', 'alice', SECRET, '-P', '-t', TOPIC, text=lines)
    kcat(SECURE, 'sasl_ssl', SHA512, 'carol', LATER, *tls, '-P', '-t', TOPIC, text=lines)
    for port, protocol, mechanism, user, password, more in (
            (SASL, 'sasl_plaintext', 'PLAIN', 'alice', SECRET, []), (SASL, 'sasl_plaintext', SHA256, 'root', FIRST, []),
            (SECURE, 'sasl_ssl', SHA256, 'root', FIRST, tls)):
        got = kcat(port, protocol, mechanism, user, password, *more, '-C', '-t', TOPIC, '-e', '-o', 'beginning')
        equal(sorted(got.splitlines()), sorted(2 * lines.splitlines()))


def who_is_known(controller):
    accepted(SASL, 'PLAIN', 'alice', SECRET)
    accepted(SASL, SHA256, 'root', FIRST)  # of the formatting
    for user, password in (('alice', 'b'), ('bob', SECRET), ('carla', 'b'), ('root', FIRST)):
        refused(SASL, 'PLAIN', user, password)
    set_user(controller, 'dora', LATER)
    until(lambda: log_in(SASL, SHA256, 'dora', LATER)[0] == 0, 'dora to be known')
    for user, password in (('dora', FIRST), ('root', LATER), ('nobody', LATER), ('x', LATER)):
        refused(SASL, SHA256, user, password)
    refused(SASL, SHA512, 'dora', LATER)
    listed = tidemark(controller, 'user', 'list')
    equal(('dora' in listed, SHA256 in listed, LATER in listed), (True, True, False))
    set_user(controller, 'dora', 'another')
    until(lambda: log_in(SASL, SHA256, 'dora', 'another')[0] == 0, 'the new password')
    refused(SASL, SHA256, 'dora', LATER)
    tidemark(controller, 'user', 'delete-scram', 'dora', '--mechanism', SHA256)
    until(lambda: log_in(SASL, SHA256, 'dora', 'another')[0] == 58, 'dora to be gone')
    tidemark(controller, 'user', 'delete-scram', 'dora', '--mechanism', SHA256, code=1)


def first_answer(port, user):
    with Peer(port) as peer:
        peer.handshake(SHA256)
        fields = peer.authenticate(Scram(SHA256, user, '', nonce='abc').first())
        return fields[0], re.sub(rb'^r=[^,]*', b'', fields[2])


def names_are_not_told():
    """Both brokers answer for somebody unknown as for somebody known, and always the same."""
    unknown = first_answer(SASL, 'nobody')
    equal(unknown, first_answer(SASL + 1, 'nobody'))
    known, other = first_answer(SASL, 'root'), first_answer(SASL, 'nobody2')
    equal((known[0], unknown[0], other == unknown), (0, 0, False))
    form = re.compile(rb',s=[A-Za-z0-9+/=]{32,36},i=4096$')
    assert all(form.match(x[1]) for x in (known, unknown, other)), (known, unknown, other)


def tokens_without_a_header():
    with Peer(SASL) as peer:
        equal(peer.handshake('PLAIN', 0)[0], 0)
        equal(peer.raw(plain('alice', SECRET)), b'')
        equal(is_served(peer), True)
    with Peer(SASL) as peer:
        peer.handshake(SHA256, 0)
        client = Scram(SHA256, 'root', FIRST)
        final = client.final(peer.raw(client.first()))
        equal((peer.raw(final), is_served(peer)), (client.expected, True))
    with Peer(SASL) as peer:
        peer.handshake('PLAIN', 0)
        equal(peer.raw(plain('alice', 'wrong')), None)


def strangers(cluster):
    """What somebody may say who has not said who it is."""
    with Peer(SASL) as peer:
        equal(peer.ask(sasl.METADATA, 4, METADATA), None)
    with Peer(SASL) as peer:
        equal(peer.authenticate(plain('alice', SECRET)), None)
    with Peer(SASL) as peer:
        assert len(peer.ask(sasl.API_VERSIONS, 0)) > 100
        equal((peer.handshake('PLAIN')[0], peer.authenticate(plain('alice', SECRET))[0]), (0, 0))
    with Peer(SASL) as peer:
        equal(peer.handshake('GSSAPI'), (33, ['PLAIN', SHA256, SHA512]))
        assert peer.is_closed()
    with Peer(SASL) as peer:
        peer.handshake('PLAIN')
        equal((peer.handshake('PLAIN')[0], peer.is_closed()), (34, True))
    # A frame that is too large, and nothing of it is taken; large requests are, afterwards.
    for before in ([], ['PLAIN']):
        with Peer(SASL) as peer:
            for mechanism in before:
                peer.handshake(mechanism)
            peer.sock.sendall(struct.pack('>i', 524289))
            assert peer.is_closed()
    error, peer = log_in(SASL, 'PLAIN', 'alice', SECRET)
    peer.sock.sendall(wire.frame(18, 0, b'x' * 600_000))
    assert len(peer.answer()) > 100
    # Here nobody has to say it.
    with Peer(BASE) as peer:
        equal((peer.handshake('PLAIN'), peer.authenticate(b'x')[0]), ((34, []), 34))
        equal(is_served(peer), True)


def tampered_and_replayed():
    for change in (lambda f: f[:-5] + b'AAA' + f[-2:], lambda f: f.replace(b'c=biws', b'c=eSws'),
                   lambda f: f[:f.index(b',r=') + 4] + b'x' + f[f.index(b',r=') + 5:], lambda f: f[:f.index(b',p=')]):
        with Peer(SASL) as peer:
            peer.handshake(SHA256)
            client = Scram(SHA256, 'root', FIRST)
            final = client.final(peer.authenticate(client.first())[2])
            equal((peer.authenticate(change(final))[0], peer.is_closed()), (58, True))
    # What one connection has said is of no use to another.
    client = Scram(SHA256, 'root', FIRST, nonce='always-the-same')
    with Peer(SASL) as peer:
        peer.handshake(SHA256)
        final = client.final(peer.authenticate(client.first())[2])
        equal(peer.authenticate(final)[0], 0)
    with Peer(SASL) as peer:
        peer.handshake(SHA256)
        peer.authenticate(client.first())
        equal(peer.authenticate(final)[0], 58)


def sessions_end(controller, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    tls = dict(wrap=lambda sock: context.wrap_socket(sock, server_hostname='127.0.0.1'))
    set_user(controller, 'emil', LATER)
    until(lambda: log_in(SECURE, SHA256, 'emil', LATER, **tls)[0] == 0, 'emil to be known')

    def again(peer, user, password, mechanism=SHA256):
        equal(peer.handshake(mechanism)[0], 0)
        return scram(peer, mechanism, user, password)
    _, stays = log_in(SECURE, SHA256, 'emil', LATER, **tls)
    _, leaves = log_in(SECURE, SHA256, 'emil', LATER, **tls)
    _, changes = log_in(SECURE, SHA256, 'emil', LATER, **tls)
    _, silent = log_in(SECURE, SHA256, 'emil', LATER, **tls)
    began = time.monotonic()
    equal(again(changes, 'root', FIRST)[0], 58)
    assert changes.is_closed()
    said = again(stays, 'emil', LATER)
    equal((said[0], said[3], is_served(stays), is_served(silent)), (0, LIFETIME, True, True))
    until(lambda: time.monotonic() - began > LIFETIME / 1000 + 0.5 or None, 'the session to be over')
    equal(is_served(silent), False)
    equal(is_served(leaves), False)
    # Who was removed is out when it has to say it again.
    _, removed = log_in(SECURE, SHA256, 'emil', LATER, **tls)
    tidemark(controller, 'user', 'delete-scram', 'emil', '--mechanism', SHA256)
    until(lambda: log_in(SECURE, SHA256, 'emil', LATER, **tls)[0] == 58, 'emil to be gone')
    equal(is_served(removed), True)
    equal(again(removed, 'emil', LATER)[0], 58)
    assert removed.is_closed()


def nothing_is_told(cluster):
    """Passwords are in no log, no file of the metadata, no answer."""
    body = struct.pack('>ib', 1, 4) + wire.string('1') + struct.pack('>i??', -1, True, True)
    said = wire.call(BASE, 32, 3, body)
    equal((b'plain.sasl.jaas.config' in said, SECRET.encode() in said), (True, False))
    places = [said]
    for folder, _, files in os.walk(cluster.home):
        for name in files:
            if name != 'server.properties':
                with open(os.path.join(folder, name), 'rb') as f:
                    places.append(f.read())
    assert len(places) > 20
    for secret in (FIRST, SECRET, LATER):
        assert not any(secret.encode() in place for place in places), 'a password lies about'
    _, text = process.http_get(BASE + 200, '/metrics')
    counts = {name: float(re.search(r'(?m)^tidemark_%s_total (\S+)' % name, text).group(1))
              for name in ('authentications', 'reauthentications', 'authentications_failed', 'sessions_expired')}
    assert min(counts.values()) > 0, counts


def bad_settings(folder):
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_a="%s";' % SECRET
    good = {'node.id': 9, 'log.dirs': os.path.join(folder, 'data'), 'controller.quorum.voters': '1@127.0.0.1:1',
            'listeners': 'PLAINTEXT://127.0.0.1:%d,SASL_PLAINTEXT://127.0.0.1:%d' % (BASE + 80, BASE + 81),
            'http.port': -1, 'sasl.enabled.mechanisms': 'PLAIN',
            'listener.name.sasl_plaintext.plain.sasl.jaas.config': jaas}
    key = 'listener.name.sasl_plaintext.plain.sasl.jaas.config'
    for wrong, says in (({'sasl.enabled.mechanisms': 'GSSAPI'}, 'PLAIN|SCRAM-SHA-256|SCRAM-SHA-512'),
                        ({'sasl.enabled.mechanisms': ''}, 'SASL_PLAINTEXT'), ({key: ''}, key), ({key: jaas[:-1]}, key),
                        ({key: jaas + jaas}, 'one login module'), ({key: jaas.replace('Plain', 'Own')}, 'PlainLoginModule'),
                        ({'listeners': 'PLAINTEXT://127.0.0.1:%d' % (BASE + 80)}, 'SASL_PLAINTEXT or SASL_SSL'),
                        ({'listener.name.other.sasl.enabled.mechanisms': 'PLAIN'}, 'listener.name.other'),
                        ({'listener.name.sasl_plaintext.ssl.client.auth': 'required'}, 'listener.name.sasl_plaintext'),
                        ({'sasl.jaas.config': jaas}, 'sasl.jaas.config'),
                        ({'sasl.mechanism.inter.broker.protocol': 'PLAIN'}, 'sasl.mechanism.inter.broker.protocol'),
                        ({'listener.name.sasl_plaintext.plain.sasl.server.callback.handler.class': 'x'}, 'callback'),
                        ({'inter.broker.listener.name': 'SASL_PLAINTEXT'}, 'PLAINTEXT')):
        path = os.path.join(folder, 'bad.properties')
        with open(path, 'w') as f:
            f.writelines('%s=%s\n' % item for item in {**good, **wrong}.items())
        process.end_of('tidemark', 'storage', 'format', '--config', path, '--cluster-id', 'AAAAAAAAAAAAAAAAAAAAAQ')
        code, said = process.end_of('tidemark-broker', '--config', path)
        equal((wrong, code not in (0, None), any(says in line for line in said), any(SECRET in line for line in said)),
              (wrong, True, True, False))


def main():
    cases = Cases('sasl', 150)
    with process.Cluster(BASE, '--controllers', '1', '--brokers', '2', '--add-scram',
                         '%s=[name=root,password=%s]' % (SHA256, FIRST)) as cluster:
        controller = '127.0.0.1:%d' % (BASE + 100)
        authority = Authority(cluster.folder, 'authority')
        authority.identity('broker')
        error, _ = wire.create_topic(BASE, TOPIC, factor=2)
        equal(error, 0)
        secure(cluster, authority)
        cases.run('clients are served', clients_are_served, controller, authority)
        cases.run('who is known', who_is_known, controller)
        cases.run('names are not told', names_are_not_told)
        cases.run('tokens without a header', tokens_without_a_header)
        cases.run('strangers', strangers, cluster)
        cases.run('tampered and replayed', tampered_and_replayed)
        cases.run('sessions end', sessions_end, controller, authority)
        cases.run('nothing is told', nothing_is_told, cluster)
        cases.run('bad settings are refused', bad_settings, cluster.folder)
    cases.done()


main()
