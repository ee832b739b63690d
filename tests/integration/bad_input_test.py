#!/usr/bin/env python3
"""Bytes and requests that make no sense, at every port of a running cluster: each gets Kafka's error code or a closed
connection, and the processes go on."""
import os
import random
import socket
import struct
import sys
import time
import zlib

import process
import wire
from cases import Cases, equal, until

BASE = 23092
CORRUPT, UNKNOWN_TOPIC, INVALID_TOPIC, UNSUPPORTED_VERSION = 2, 3, 17, 35
INVALID_PARTITIONS, INVALID_FACTOR, INVALID_REQUEST, INVALID_RECORD, BAD_FORMAT, INVALID_TIMESTAMP = 37, 38, 42, 87, 43, 32


def closed(data, port, wait=10.0, half=False):
    """Sends, and waits until the other side closes: what it said before."""
    with socket.create_connection(('127.0.0.1', port), timeout=wait) as sock:
        out = b''
        try:
            sock.sendall(data)
            if half:
                sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                out += part
        except ConnectionError:
            pass
        return out


def thrown(data, port):
    """Sends and goes away."""
    with socket.create_connection(('127.0.0.1', port), timeout=5) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass


def random_bytes(port):
    rng = random.Random(1)
    for size in (1, 3, 4, 5, 13, 100, 5000, 200000):
        for _ in range(8):
            thrown(rng.randbytes(size), port)


def half_frames(port):
    whole = wire.frame(3, 1, struct.pack('>i', -1))
    for size in range(1, len(whole)):
        thrown(whole[:size], port)
        closed(whole[:size], port, half=True)


def huge_frames(port):
    for length in (2**31 - 1, 2 * 10**9, -1, -2**31):
        equal(closed(struct.pack('>i', length) + b'x' * 100, port), b'')


def unknown_requests(port):
    for key in (-1, 999, 32767):
        equal(closed(wire.frame(key, 0), port), b'')
    for version in (-1, 99, 32767):
        equal(closed(wire.frame(3, version), port), b'')
    # ApiVersions alone tells a newer client which versions there are (KIP-511).
    answer = wire.call(port, 18, 99, b'\0')
    equal(struct.unpack('>h', answer[:2])[0], UNSUPPORTED_VERSION)


def huge_counts(port):
    for count in (2**31 - 1, 10**9, -2**31, -2):
        for request in (wire.frame(3, 1, struct.pack('>i', count)),
                        wire.frame(0, 3, struct.pack('>hhii', -1, 1, 1000, count)),
                        wire.frame(1, 4, struct.pack('>iiiib', -1, 10, 1, 1000, 0) + struct.pack('>i', count))):
            # What is below 0 may also be taken for null.
            said = closed(request, port, half=count < 0)
            equal(said if count > 0 else b'', b'')
    # Unsigned varint counts of flexible versions.
    equal(closed(wire.frame(3, 12, b'\0' + b'\xff\xff\xff\xff\x0f'), port), b'')
    equal(closed(wire.frame(3, 12, b'\xff\xff\xff\xff\xff\xff'), port), b'')


def bad_batches(port):
    topic = 'batches'
    equal(wire.create_topic(port, topic)[0], 0)
    until(lambda: wire.metadata(port, [topic])['topics'][topic]['partitions'][0]['leader'] >= 0, 'a leader')
    good = wire.batch([b'a', b'b'])
    equal(until(lambda: (lambda r: r if r[0] == 0 else None)(wire.produce(port, topic, good)), 'a good batch'), (0, 0))
    cases = {
        'crc': (wire.batch([b'a'], crc=1), {CORRUPT}),
        'flipped bit': (good[:-1] + bytes([good[-1] ^ 1]), {CORRUPT}),
        'length too long': (wire.batch([b'a'], length=10**6), {CORRUPT, INVALID_RECORD, INVALID_REQUEST}),
        'length too short': (wire.batch([b'a'], length=20), {CORRUPT, INVALID_RECORD, INVALID_REQUEST}),
        'negative length': (wire.batch([b'a'], length=-5), {CORRUPT, INVALID_RECORD, INVALID_REQUEST}),
        'count too large': (wire.batch([b'a', b'b'], count=3), {CORRUPT, INVALID_RECORD}),
        'count of 2^31': (wire.batch([b'a', b'b'], count=2**31 - 1), {CORRUPT, INVALID_RECORD}),
        'negative count': (wire.batch([b'a', b'b'], count=-2), {INVALID_RECORD}),
        'no records': (wire.batch([]), {INVALID_RECORD}),
        'half a batch': (good[:40], {CORRUPT, INVALID_RECORD, INVALID_REQUEST}),
        'magic 7': (wire.batch([b'a'], magic=7), {CORRUPT, INVALID_RECORD, BAD_FORMAT}),
        'no such codec': (wire.batch([b'a'], attributes=7), {CORRUPT, INVALID_RECORD, 76}),
    }
    for name, (data, codes) in cases.items():
        try:
            error = wire.produce(port, topic, data)[0]
        except OSError:
            error = 'closed'
        if error not in codes:
            raise AssertionError('%s: got %s, wanted one of %s' % (name, error, codes))
    equal(wire.produce(port, topic, good), (0, 2))
    # Whoever waits for nobody else does not time out.
    equal(wire.produce(port, topic, good, acks=1, timeout_ms=0), (0, 4))


def unreadable_records(port):
    """What no consumer could read is not stored, and the producer learns which records it was."""
    topic = 'unreadable'
    equal(wire.create_topic(port, topic)[0], 0)
    until(lambda: wire.metadata(port, [topic])['topics'][topic]['partitions'][0]['leader'] >= 0, 'a leader')
    until(lambda: wire.produce(port, topic, wire.batch([b'a']))[0] == 0, 'a good batch')
    for codec in (1, 2, 3, 4):
        error, _, message = wire.refusal(port, topic, wire.batch([b'garbage' * 9], attributes=codec))
        equal((codec, error), (codec, INVALID_RECORD))
        assert message, 'no message'
    hour = 3600 * 1000
    now = int(time.time() * 1000)
    error, records, _ = wire.refusal(port, topic, wire.batch([b'a', b'b'], now=now + 2 * hour))
    equal((error, sorted(records)), (INVALID_TIMESTAMP, [0, 1]))
    equal(wire.produce(port, topic, wire.batch([b'a'], now=now - 1000 * hour))[0], 0)
    # A header whose key is null.
    head = wire.batch([b'x'])[:61]
    bad = wire.record(0, b'x', headers=wire.varint(1) + wire.varint(-1) + wire.varint(-1))
    tail = head[21:61] + bad
    data = struct.pack('>qiibI', 0, 9 + len(tail), 0, 2, wire.crc32c(tail)) + tail
    equal(wire.refusal(port, topic, data)[0], INVALID_RECORD)
    equal(wire.produce(port, topic, wire.batch([b'a'])), (0, 2))


def bombs(port):
    """All batches of a request unpack to 128 MiB and 128 times its size at most, whatever each of them does."""
    topic, count, size = 'bombs', 4, 60 << 20
    equal(wire.create_topic(port, topic, count)[0], 0)
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = pack.compress(wire.record(0, bytes(size))) + pack.flush()
    bomb = wire.batch_of(packed, 1, attributes=1)
    assert 128 * count * len(bomb) < size, 'the allowance is for one more'
    body = struct.pack('>hhi', -1, -1, 30000) + struct.pack('>i', 1) + wire.string(topic) + struct.pack('>i', count)
    body += b''.join(struct.pack('>ii', i, len(bomb)) + bomb for i in range(count))
    r = wire.Reader(wire.call(port, 0, 3, body, 60))
    answers = []

    def one():
        index, error, _, _ = r.get('ihqq')
        answers.append((index, error))
    r.array(lambda: (r.string(), r.array(one)))
    equal(answers, [(0, 0), (1, 0), (2, INVALID_RECORD), (3, INVALID_RECORD)])


def stored(port, topic):
    """Fetch v4 from the start: the codec of the first batch and the answer's records."""
    body = struct.pack('>iiiib', -1, 500, 1, 1 << 20, 0) + struct.pack('>i', 1) + wire.string(topic)
    r = wire.Reader(wire.call(port, 1, 4, body + struct.pack('>iiqi', 1, 0, 0, 1 << 20)))
    r.get('ii')
    r.string()
    r.get('i')
    equal(r.get('ih')[1], 0)
    r.get('qqii')
    return r.data[r.at + 22] & 7, r.data[r.at:]


def topic_rules(port):
    """What a topic's settings ask of the records of its batches."""
    def make(topic, setting, value):
        equal(wire.create_topic(port, topic, configs={setting: value})[0], 0)
        return topic
    gzip = make('stored-as-gzip', 'compression.type', 'gzip')
    until(lambda: wire.produce(port, gzip, wire.batch([b'value' * 99]))[0] == 0, 'a good batch')
    codec, records = stored(port, gzip)
    equal(codec, 1)
    assert zlib.decompress(records[61:], 31).endswith(b'value' * 99 + b'\0'), records
    compacted = make('needs-keys', 'cleanup.policy', 'compact')
    until(lambda: wire.refusal(port, compacted, wire.batch([b'a', b'b']))[0] == INVALID_RECORD, 'a refusal')
    error, records, message = wire.refusal(port, compacted, wire.batch([b'a', b'b']))
    equal((error, sorted(records)), (INVALID_RECORD, [0, 1]))
    assert message and 'key' in records[0], (records, message)
    trusted = make('trusted', 'tidemark.record.validation', 'header')
    until(lambda: wire.refusal(port, trusted, wire.batch([b'garbage'], attributes=4))[0] == 0, 'what nobody looks at')


def bad_topics(port):
    for name in ('', '.', '..', 'no/slash', 'sp ace', 'x' * 250, 'ümlaut'):
        equal((name, wire.create_topic(port, name)[0]), (name, INVALID_TOPIC))
    error, message = wire.create_topic(port, 'too-many-replicas', factor=9)
    equal(error, INVALID_FACTOR)
    assert message, 'no message'
    equal(wire.create_topic(port, 'no-partitions', partitions=0)[0], INVALID_PARTITIONS)
    equal(wire.metadata(port, ['no/slash'])['topics']['no/slash']['error'], INVALID_TOPIC)
    equal(wire.produce(port, 'nobody-made-this', wire.batch([b'a']))[0], UNKNOWN_TOPIC)


def endless_names(port):
    """Names that a request can carry, but no answer together with what it says about them (D1)."""
    name = b'g' * 32767
    compact = bytes([0x80 | (len(name) + 1) & 0x7f, 0x80 | (len(name) + 1) >> 7 & 0x7f, (len(name) + 1) >> 14]) + name
    until(lambda: coordinator(port, b'g')[0] == 0 or None, 'a coordinator', seconds=30)

    def described():
        return wire.call(port, 15, 6, b'\0\x02' + compact + b'\0\0')

    def error_of(answer):  # behind the header's tags, the throttle time and the count of groups
        return struct.unpack('>h', answer[6:8])[0]
    # The partition of this group begins to be led when it does, not with that of the other.
    until(lambda: error_of(described()) not in (14, 15, 16), 'the coordinator of that group', seconds=30)
    answer = described()
    equal(error_of(answer), 69)  # GROUP_ID_NOT_FOUND, and a message that ends early
    assert len(answer) > 2 * 32767, len(answer)
    # A config value that is appended to until no string holds it.
    topic = 'endless'
    equal(wire.create_topic(port, topic)[0], 0)
    for how, value in ((0, 'delete,' * 4600 + 'delete'), (2, 'compact,' + 'delete,' * 4000)):
        entry = wire.string('cleanup.policy') + struct.pack('>b', how) + wire.string(value)
        wire.call(port, 44, 0, struct.pack('>ib', 1, 2) + wire.string(topic) + struct.pack('>i', 1) + entry + b'\0')
    described = wire.call(port, 32, 1, struct.pack('>ib', 1, 2) + wire.string(topic) + struct.pack('>ib', -1, 0))
    assert struct.unpack('>h', described[8:10])[0] in (0, -1), described[:40]


def coordinator(port, group):
    r = wire.Reader(wire.call(port, 10, 0, struct.pack('>h', len(group)) + group))
    return r.get('hi')


def controller_port(port):
    random_bytes(port)
    preface = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    for size in range(1, len(preface), 5):
        thrown(preface[:size], port)
    thrown(preface + b'\xff\xff\xff\x00\x00\x00\x00\x00\x01' + b'x' * 1000, port)
    thrown(struct.pack('>i', 2**31 - 1) + b'x' * 100, port)


def http_port(port):
    random_bytes(port)
    thrown(b'GET /' + b'a' * 100000 + b' HTTP/1.1\r\n\r\n', port)
    thrown(b'POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx', port)
    equal(process.http_status(port, '/metrics'), 200)
    equal(process.http_status(port, '/nothing-here'), 404)


def main():
    cases = Cases('bad input')
    with process.Cluster(BASE, '--controllers', '0', '--brokers', '1') as cluster:
        nodes = ('broker-1', 'controller-1')
        pids = [cluster.pid(n) for n in nodes]
        wire.call(BASE, 3, 1, struct.pack('>i', -1))
        memory = [process.resident_mb(p) for p in pids]

        def unmoved():
            equal([cluster.pid(n) for n in nodes], pids)
            assert wire.serves(BASE), 'the broker answers no more'
            equal([process.http_status(p, '/livez') for p in (BASE + 200, BASE + 250)], [200, 200])
            equal(wire.create_topic(BASE, 'after-%d' % random.getrandbits(40))[0], 0)

        def check(name, function, *args):
            def both():
                function(*args)
                unmoved()
            cases.run(name, both)
        check('random bytes at the Kafka port', random_bytes, BASE)
        check('half frames', half_frames, BASE)
        check('frame lengths of 2 GB and below 0', huge_frames, BASE)
        check('unknown keys and versions', unknown_requests, BASE)
        check('array counts of 2^31', huge_counts, BASE)
        check('damaged record batches', bad_batches, BASE)
        check('records that nobody could read', unreadable_records, BASE)
        check('a request of bombs', bombs, BASE)
        check('what topics ask of records', topic_rules, BASE)
        check('illegal topics', bad_topics, BASE)
        check('names too long for the answer', endless_names, BASE)
        check('nonsense at the controller port', controller_port, BASE + 100)
        check('nonsense at the HTTP port of the broker', http_port, BASE + 200)
        check('nonsense at the HTTP port of the controller', http_port, BASE + 250)

        def no_growth():
            for pid, before in zip(pids, memory):
                now = process.resident_mb(pid)
                assert now < before + 100, 'memory grew from %d to %d MB' % (before, now)
        cases.run('memory has not grown', no_growth)
    cases.done()


if __name__ == '__main__':
    os.environ.setdefault('PYTHONUNBUFFERED', '1')
    sys.exit(main())
