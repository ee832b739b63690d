#!/usr/bin/env python3
"""A compacted topic on real brokers: old values go, the newest of each key stays, also while brokers are killed, and
a replica that comes later copies what is left."""
import shutil
import struct
import sys

import process
import wire
from cases import Cases, equal, until

BASE = 21092
TOPIC = 'table'
KEYS, ROUNDS = 40, 60
SETTINGS = {'log.cleaner.backoff.ms': 200, 'log.cleaner.io.max.bytes.per.second': 50000000}
CONFIGS = {'cleanup.policy': 'compact', 'segment.bytes': 20000, 'min.cleanable.dirty.ratio': 0.01,
           'delete.retention.ms': 500, 'min.insync.replicas': 2}
BROKERS = ['broker-1', 'broker-2', 'broker-3']


def leader():
    """Port of the leader, or None."""
    for i in range(3):
        try:
            seen = wire.metadata(BASE + i, [TOPIC])
            partitions = seen['topics'][TOPIC]['partitions']
            if partitions and partitions[0]['leader'] in seen['brokers']:
                return seen['brokers'][partitions[0]['leader']]
        except (OSError, struct.error, KeyError):
            pass
    return None


def write(keys, value):
    """Until it is acknowledged. value None: tombstones."""
    records = b''
    for i, key in enumerate(keys):
        body = b'\0' + wire.varint(0) + wire.varint(i) + wire.varint(len(key)) + key
        body += wire.varint(-1) if value is None else wire.varint(len(value)) + value
        body += wire.varint(0)
        records += wire.varint(len(body)) + body
    data = wire.batch_of(records, len(keys))

    def sent():
        try:
            return wire.produce(leader(), TOPIC, data)[0] == 0
        except (OSError, struct.error, TypeError):
            return False
    until(sent, 'an acknowledgement')


def fetch(port, offset):
    """Fetch v4 of one partition: (error, high watermark, bytes)."""
    body = struct.pack('>iiiib', -1, 100, 0, 1 << 20, 0) + struct.pack('>i', 1) + wire.string(TOPIC)
    body += struct.pack('>iiqi', 1, 0, offset, 1 << 20)
    r = wire.Reader(wire.call(port, 1, 4, body))
    r.get('ii')
    r.string()
    r.get('i')
    _, error, high, _ = r.get('ihqq')
    for _ in range(max(r.get('i'), 0)):
        r.get('qq')
    size = r.get('i')
    return error, high, r.data[r.at:r.at + max(size, 0)]


def unsigned(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def signed(data, at):
    value, at = unsigned(data, at)
    return value >> 1 ^ -(value & 1), at


def records_of(data):
    """(offset, key, value) of every whole batch; None at the end: (next offset, None, None)."""
    at, following = 0, None
    while at + 61 <= len(data):
        base, length = struct.unpack_from('>qi', data, at)
        if at + 12 + length > len(data):
            break
        equal(struct.unpack_from('>I', data, at + 17)[0], wire.crc32c(data[at + 21:at + 12 + length]))
        delta, = struct.unpack_from('>i', data, at + 23)
        count, = struct.unpack_from('>i', data, at + 57)
        place = at + 61
        for _ in range(count):
            size, place = signed(data, place)
            end = place + size
            place += 1
            _, place = signed(data, place)
            offset, place = signed(data, place)
            size, place = signed(data, place)
            key = data[place:place + size]
            place += size
            size, place = signed(data, place)
            yield base + offset, key, None if size < 0 else data[place:place + size]
            place = end
        following = base + delta + 1
        at += 12 + length
    yield following, None, None


def read(port):
    """Everything from the start: ({offset: (key, value)}, high watermark)."""
    seen, at = {}, 0
    while True:
        error, high, data = fetch(port, at)
        equal(error, 0)
        for offset, key, value in records_of(data):
            if key is not None and offset >= at:
                seen[offset] = (key, value)
            elif key is None and offset is not None:
                following = offset
        if not data:
            return seen, high
        at = following


def table(seen):
    out = {}
    for _, (key, value) in sorted(seen.items()):
        out[key] = value
    return {key: value for key, value in out.items() if value is not None}


def key(i):
    return b'key-%d' % i


def metric(name):
    """Of all brokers together."""
    found = 0
    for i in range(3):
        _, body = process.http_get(BASE + 200 + i, '/metrics')
        found += sum(float(line.split()[-1]) for line in body.splitlines() if line.startswith(name))
    return found


def healthy():
    equal(wire.wait_healthy([BASE, BASE + 1, BASE + 2], TOPIC, 3, 40), (True, ''))


def old_values_go():
    for i in range(ROUNDS):
        write([key(k) for k in range(KEYS)], b'%d' % i * 20)
    until(lambda: len(read(leader())[0]) < KEYS * ROUNDS / 3, 'a compaction')
    seen, high = read(leader())
    equal(table(seen), {key(k): b'%d' % (ROUNDS - 1) * 20 for k in range(KEYS)})
    equal(high, KEYS * ROUNDS)


def tombstones_go():
    write([key(0)], None)
    gone = max(read(leader())[0])

    def is_gone():
        write([key(1)], b'x' * 4000)
        return gone not in read(leader())[0]
    until(is_gone, 'the end of a tombstone')
    equal(key(0) in table(read(leader())[0]), False)


def survives(cluster):
    for i in range(6):
        for j in range(10):
            write([key(k) for k in range(1, KEYS)], b'%d.%d' % (i, j) * 20)
        cluster.do('kill', BROKERS[i % 3])
        write([key(k) for k in range(1, KEYS)], b'last %d' % i)
        cluster.do('start', BROKERS[i % 3])
        healthy()
        equal(table(read(leader())[0]), {key(k): b'last %d' % i for k in range(1, KEYS)})


def copies(cluster):
    """A replica that has lost everything fetches what is left, and leads with it."""
    high = read(leader())[1]
    # Its journal brings the oldest records back, from before tombstones that are gone by now.
    cluster.do('kill', 'broker-2')
    shutil.rmtree(cluster.path('broker-2', 'data', TOPIC + '-0'))
    cluster.do('start', 'broker-2')
    healthy()
    cluster.do('kill', 'broker-1')
    cluster.do('kill', 'broker-3')
    cluster.do('start', 'broker-1')
    cluster.do('start', 'broker-3')
    healthy()
    seen, end = read(leader())
    equal(table(seen), {key(k): b'last 5' for k in range(1, KEYS)})
    equal(end, high)


def metrics_say_so():
    equal(metric('tidemark_log_cleaner_passes_total') > 0, True)


def all_cleanable():
    equal(metric('kafka_log_logcleanermanager_uncleanable_partitions_count'), 0.0)


def main():
    cases = Cases('compaction', 150)
    settings = [part for name, value in SETTINGS.items() for part in ('--set', '%s=%s' % (name, value))]
    with process.Cluster(BASE, *settings) as cluster:
        error, _ = wire.create_topic(BASE, TOPIC, factor=3, configs={k: str(v) for k, v in CONFIGS.items()})
        equal(error, 0)
        healthy()
        cases.run('old values go and the newest stay', old_values_go)
        cases.run('tombstones go after their time', tombstones_go)
        cases.run('metrics say so', metrics_say_so)  # of brokers that have not been started again since
        cases.run('brokers die while they compact', survives, cluster)
        cases.run('a replica that has lost its log copies what is left', copies, cluster)
        cases.run('no log is left alone by the cleaner', all_cleanable)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
