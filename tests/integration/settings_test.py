#!/usr/bin/env python3
"""Every setting that may be changed while a broker runs takes effect, or is refused; none is left out."""
import os
import socket
import struct
import subprocess

import process
import wire
from cases import Cases, equal, until

BASE = 23460
# Where the effect of one is shown that takes more than this test has.
ELSEWHERE = {
    'follower.replication.throttled.rate': 'reassign_test.py',
    'leader.replication.throttled.rate': 'tests/unit/broker/replication/throttle_test.cc',
    'replica.alter.log.dirs.io.max.bytes.per.second': 'move_dir_test.py',
    'tidemark.unknown.logs.delete.enable': 'backup_test.py',
}
# Another value than the default, of those that are the default of a topic's setting.
VALUES = {
    'log.cleanup.policy': 'compact', 'compression.type': 'gzip', 'log.cleaner.delete.retention.ms': '1000',
    'log.segment.delete.delay.ms': '1000', 'log.flush.interval.messages': '9223372036854775807',
    'log.index.interval.bytes': '100', 'log.cleaner.max.compaction.lag.ms': '100000', 'message.max.bytes': '10000',
    'log.message.timestamp.after.max.ms': '1000', 'log.message.timestamp.before.max.ms': '1000',
    'log.message.timestamp.type': 'LogAppendTime', 'log.cleaner.min.cleanable.ratio': '0.25',
    'log.cleaner.min.compaction.lag.ms': '1000', 'min.insync.replicas': '2', 'log.retention.bytes': '100000',
    'log.retention.ms': '100000', 'log.segment.bytes': '100000', 'log.roll.ms': '100000',
    'tidemark.log.record.validation': 'header', 'unclean.leader.election.enable': 'true',
}
REFUSED = {
    'log.flush.interval.ms': '5', 'log.preallocate': 'true', 'log.index.size.max.bytes': '1000',
    'log.roll.jitter.ms': '5',
}


class Settings:
    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, *args):
        return subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers',
                               '127.0.0.1:%d' % (BASE + 100), '--bootstrap-servers', '127.0.0.1:%d' % BASE],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=process.CLEAN)

    def told(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, (args, done)
        return done.stdout

    def set(self, key, value):
        self.told('config', 'set', 'broker', '1', '%s=%s' % (key, value))

    def unset(self, key):
        self.told('config', 'delete', 'broker', '1', key)

    def described(self, kind, name):
        """Values, and whether they are read only, as Kafka's DescribeConfigs 1 tells of a topic or a broker."""
        body = struct.pack('>ib', 1, {'topic': 2, 'broker': 4}[kind]) + wire.string(name)
        body += struct.pack('>i?', -1, False)
        r = wire.Reader(wire.call(BASE, 32, 1, body))
        _, resources, error = r.get('iih')
        equal((resources, error), (1, 0))
        r.string()
        r.get('b')
        r.string()
        found = {}
        for _ in range(r.get('i')):
            key, value = r.string(), r.string()
            read_only, _, _, synonyms = r.get('?b?i')
            equal(synonyms, 0)
            found[key] = (value, read_only)
        return found

    def cleaners(self):
        tasks = '/proc/%d/task' % self.cluster.pid('broker-1')
        names = []
        for task in os.listdir(tasks):
            try:
                with open(os.path.join(tasks, task, 'comm')) as f:
                    names.append(f.read().strip())
            except OSError:
                pass
        return names.count('log-cleaner')

    def logged(self, text):
        until(lambda: text in self.cluster.said('broker-1'), 'the broker says ' + text, 10)


def topic_defaults(s):
    s.told('topic', 'create', 'any')
    for key, value in VALUES.items():
        before = s.described('topic', 'any')
        s.set(key, value)
        after = s.described('topic', 'any')
        changed = [k for k in after if after[k] != before[k]]
        equal((key, [after[k][0] for k in changed]), (key, [value]))
        s.unset(key)
        equal(s.described('topic', 'any'), before)
    for key, value in REFUSED.items():
        done = s.run('config', 'set', 'broker', '1', '%s=%s' % (key, value))
        assert done.returncode == 1 and 'without effect' in done.stderr, (key, done)


def cleaners(s):
    equal(s.cleaners(), 1)
    s.set('log.cleaner.threads', 2)
    until(lambda: s.cleaners() == 2, 'another cleaner')
    s.unset('log.cleaner.threads')
    until(lambda: s.cleaners() == 1, 'it goes')
    for key, value, said in (('log.cleaner.backoff.ms', 77, 'backoff_ms=77'),
                             ('log.cleaner.dedupe.buffer.size', 7654321, 'dedupe_bytes=7654321'),
                             ('log.cleaner.io.buffer.load.factor', 0.5, 'load_factor=0.5'),
                             ('log.cleaner.io.max.bytes.per.second', 4321, 'bytes_per_second=4321'),
                             ('tidemark.log.cleaner.share', 0.75, 'share=0.75')):
        s.set(key, value)
        s.logged(said)
        s.unset(key)


def refused(port):
    """A new connection is closed at once."""
    with socket.create_connection(('127.0.0.1', port), timeout=5) as one:
        one.settimeout(5)
        try:
            one.sendall(wire.frame(18, 0))
            return one.recv(1) == b''
        except ConnectionError:
            return True


def connections(s):
    for key in ('max.connections', 'max.connections.per.ip'):
        assert not refused(BASE)
        s.set(key, 0)
        until(lambda: refused(BASE), 'connections are refused by ' + key, 10)
        s.unset(key)
        until(lambda: not refused(BASE), 'and are not any more', 10)


def deleted_logs(s):
    data = s.cluster.path('broker-1', 'data')

    def left(topic):
        return [f for f in os.listdir(data) if f.startswith(topic + '-')]
    s.told('topic', 'create', 'stays')
    until(lambda: left('stays'), 'it is there')
    s.told('topic', 'delete', 'stays')
    until(lambda: all(f.endswith('-delete') for f in left('stays')), 'it has another name')
    s.set('log.segment.delete.delay.ms', 0)
    s.told('topic', 'create', 'goes')
    until(lambda: left('goes'), 'it is there')
    s.told('topic', 'delete', 'goes')
    until(lambda: not left('goes'), 'it is gone', 10)
    equal(len(left('stays')), 1)
    s.unset('log.segment.delete.delay.ms')


def of_producer(producer, sequence, attributes=0):
    """A batch of an idempotent producer."""
    data = bytearray(wire.batch([b'x'], attributes=attributes))
    struct.pack_into('>qhi', data, 43, producer, 0, sequence)
    struct.pack_into('>I', data, 17, wire.crc32c(bytes(data[21:])))
    return bytes(data)


def in_transaction(producer):
    """The error of a produce to a transaction that nobody has begun."""
    data = of_producer(producer, 0, 1 << 4)
    body = wire.string('nobody') + struct.pack('>hii', -1, 5000, 1) + wire.string('produced')
    body += struct.pack('>iii', 1, 0, len(data)) + data
    r = wire.Reader(wire.call(BASE, 0, 3, body))
    r.get('i')
    r.string()
    return r.get('iih')[2]


def producers(s):
    s.told('topic', 'create', 'produced')
    until(lambda: wire.produce(BASE, 'produced', of_producer(7, 0))[0] == 0, 'it is led')
    # A leader of less than five seconds has another answer to the first gap.
    until(lambda: wire.produce(BASE, 'produced', of_producer(7, 9))[0] == 45, 'out of order', 10)
    s.set('producer.id.expiration.ms', 1)
    until(lambda: wire.produce(BASE, 'produced', of_producer(7, 9))[0] == 0, 'nobody remembers it', 10)
    s.unset('producer.id.expiration.ms')
    assert in_transaction(8) != 0
    s.set('transaction.partition.verification.enable', 'false')
    until(lambda: in_transaction(8) == 0, 'nobody asks', 10)
    s.unset('transaction.partition.verification.enable')


def nothing_is_left_out(s):
    """What Kafka's tools may change, by their own look at it, is what is shown here."""
    shown = {'log.cleaner.threads', 'log.cleaner.backoff.ms', 'log.cleaner.dedupe.buffer.size',
             'log.cleaner.io.buffer.load.factor', 'log.cleaner.io.max.bytes.per.second', 'tidemark.log.cleaner.share', 'max.connections',
             'max.connections.per.ip', 'producer.id.expiration.ms', 'transaction.partition.verification.enable',
             *VALUES, *REFUSED, *ELSEWHERE}
    dynamic = {k for k, (_, read_only) in s.described('broker', '1').items() if not read_only}
    equal(dynamic, shown)


def main():
    cases = Cases('settings', seconds=120)
    with process.Cluster(BASE, '--controllers', '1', '--brokers', '1', '--set',
                         'log.retention.check.interval.ms=300') as cluster:
        s = Settings(cluster)
        cases.run('defaults of topics', topic_defaults, s)
        cases.run('the cleaner', cleaners, s)
        cases.run('connections', connections, s)
        cases.run('deleted logs', deleted_logs, s)
        cases.run('producers', producers, s)
        cases.run('nothing is left out', nothing_is_left_out, s)
    cases.done()


if __name__ == '__main__':
    main()
