"""SASL as clients of Kafka speak it, by hand. Standard library only."""
import base64
import hashlib
import hmac
import os
import socket
import struct

import wire

HANDSHAKE, AUTHENTICATE, API_VERSIONS, METADATA = 17, 36, 18, 3
HASHES = {'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512'}


def plain(user, password, authorization=''):
    return '\0'.join((authorization, user, password)).encode()


class Peer:
    """A connection that has not said who it is."""

    def __init__(self, port, timeout=10.0, wrap=None):
        self.sock = socket.create_connection(wire.address(port), timeout=timeout)
        if wrap:
            self.sock = wrap(self.sock)

    def ask(self, key, version, body=b''):
        """The answer without its correlation id; None: it was closed."""
        self.sock.sendall(wire.frame(key, version, body))
        return self.answer()

    def answer(self):
        try:
            return wire.read_frame(self.sock)[4:]
        except OSError:
            return None

    def handshake(self, mechanism, version=1):
        """(error, mechanisms), or None."""
        said = self.ask(HANDSHAKE, version, wire.string(mechanism))
        if said is None:
            return None
        r = wire.Reader(said)
        return r.get('h'), r.array(r.string)

    def authenticate(self, token, version=1):
        """(error, message, bytes, lifetime in ms), or None."""
        said = self.ask(AUTHENTICATE, version, struct.pack('>i', len(token)) + token)
        if said is None:
            return None
        r = wire.Reader(said)
        error, message, size = r.get('h'), r.string(), r.get('i')
        r.at += size
        return error, message, r.data[r.at - size:r.at], r.get('q') if version > 0 else 0

    def raw(self, token):
        """A token without a header, and what comes back."""
        self.sock.sendall(struct.pack('>i', len(token)) + token)
        try:
            return wire.read_frame(self.sock)
        except OSError:
            return None

    def is_closed(self):
        try:
            return self.sock.recv(1) == b''
        except ConnectionError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Scram:
    """A client of SCRAM (RFC 5802)."""

    def __init__(self, mechanism, user, password, nonce=None, extensions=''):
        self.hash, self.password = HASHES[mechanism], password.encode()
        name = user.replace('=', '=3D').replace(',', '=2C')
        self.bare = 'n=%s,r=%s%s' % (name, nonce or base64.b64encode(os.urandom(18)).decode(), extensions)

    def first(self):
        return ('n,,' + self.bare).encode()

    def mac(self, key, text):
        return hmac.new(key, text.encode(), self.hash).digest()

    def final(self, server_first):
        text = server_first.decode()
        fields = dict(f.split('=', 1) for f in text.split(','))
        self.salt, self.iterations = base64.b64decode(fields['s']), int(fields['i'])
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, self.salt, self.iterations)
        without = 'c=biws,r=' + fields['r']
        signed = ','.join((self.bare, text, without))
        key = self.mac(salted, 'Client Key')
        signature = self.mac(hashlib.new(self.hash, key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.expected = b'v=' + base64.b64encode(self.mac(self.mac(salted, 'Server Key'), signed))
        return (without + ',p=' + base64.b64encode(proof).decode()).encode()


def scram(peer, mechanism, user, password, **more):
    """The last answer of an authentication; a server that does not know the password itself is an error."""
    client = Scram(mechanism, user, password, **more)
    said = peer.authenticate(client.first())
    if said is None or said[0]:
        return said
    said = peer.authenticate(client.final(said[2]))
    if said is not None and said[0] == 0 and said[2] != client.expected:
        raise AssertionError('the server has another key')
    return said
