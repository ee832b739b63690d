#!/usr/bin/env python3
"""The log of __consumer_offsets stays short, and neither kill -9 nor elections take or bring back an offset."""
import os
import struct
import sys
import threading
import time

import process
import wire
from cases import Cases, equal, until

BASE = 24092
TOPIC, OFFSETS = 't', '__consumer_offsets'
SETTINGS = {'tidemark.coordinator.snapshot.min.bytes': 20000, 'tidemark.coordinator.snapshot.dead.ratio': 1,
            'offsets.topic.num.partitions': 1, 'offsets.topic.segment.bytes': 100000, 'min.insync.replicas': 2}
BROKERS = ['broker-1', 'broker-2', 'broker-3']


def anywhere(ask):
    """What `ask(port)` says at the first broker that does not refuse it; None: nowhere."""
    for i in range(3):
        try:
            said = ask(BASE + i)
            if said is not None:
                return said
        except (OSError, struct.error):
            pass
    return None


def commit(group, offset):
    """OffsetCommit v2 of a simple consumer: whether it is acknowledged."""
    body = (wire.string(group) + struct.pack('>i', -1) + wire.string('') + struct.pack('>qi', -1, 1) +
            wire.string(TOPIC) + struct.pack('>iiq', 1, 0, offset) + wire.string(''))

    def ask(port):
        r = wire.Reader(wire.call(port, 8, 2, body, 6))
        r.get('i')
        r.string()
        return True if r.get('iih')[2] == 0 else None
    return anywhere(ask) is not None


def committed(group):
    """OffsetFetch v1: what the coordinator has; None when there is none now."""
    body = wire.string(group) + struct.pack('>i', 1) + wire.string(TOPIC) + struct.pack('>ii', 1, 0)

    def ask(port):
        r = wire.Reader(wire.call(port, 9, 1, body, 6))
        r.get('i')
        r.string()
        _, _, offset = r.get('iiq')
        r.string()
        return offset if r.get('h') == 0 else None
    return anywhere(ask)


def delete(group):
    def ask(port):
        r = wire.Reader(wire.call(port, 42, 0, struct.pack('>i', 1) + wire.string(group), 6))
        r.get('ii')
        r.string()
        return True if r.get('h') in (0, 69) else None
    return anywhere(ask) is not None


def leader():
    seen = anywhere(lambda port: wire.metadata(port, [OFFSETS]))
    partitions = seen['topics'][OFFSETS]['partitions'] if seen else []
    return partitions[0]['leader'] if partitions else -1


def log_range():
    """(earliest, latest) offset by ListOffsets v1."""
    out = []
    for timestamp in (-2, -1):
        body = struct.pack('>ii', -1, 1) + wire.string(OFFSETS) + struct.pack('>iiq', 1, 0, timestamp)

        def ask(port):
            r = wire.Reader(wire.call(port, 2, 1, body))
            r.get('i')
            r.string()
            _, _, error, _, offset = r.get('iihqq')
            return offset if error == 0 else None
        out.append(anywhere(ask))
    return out


def bytes_of(cluster, node):
    folder = cluster.path(node, 'data', OFFSETS + '-0')
    return sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith('.log'))


class Committers(threading.Thread):
    """Commits ever higher offsets of a few groups; `acknowledged` and `asked` by group."""

    def __init__(self, groups):
        super().__init__(daemon=True)
        self.groups, self.stopped = groups, False
        self.acknowledged, self.asked = dict.fromkeys(groups, -1), dict.fromkeys(groups, -1)

    def run(self):
        offset = 0
        while not self.stopped:
            offset += 1
            for group in self.groups:
                self.asked[group] = offset
                if commit(group, offset):
                    self.acknowledged[group] = offset


def survives():
    options = [word for key, value in SETTINGS.items() for word in ('--set', '%s=%s' % (key, value))]
    with process.Cluster(BASE, *options) as cluster:
        equal(wire.create_topic(BASE, TOPIC, 1, 3)[0], 0)
        anywhere(lambda port: wire.call(port, 10, 0, wire.string('g')))
        until(lambda: leader() > 0, 'the offsets have a leader', 20)
        until(lambda: commit('first', 7), 'a first commit', 20)
        committers = Committers(['g%d' % i for i in range(4)])
        committers.start()
        gone = []
        for round_ in range(6):
            name = 'gone-%d' % round_
            until(lambda: commit(name, 1), 'a commit of ' + name, 20)
            until(lambda: delete(name), 'the deletion of ' + name, 20)
            gone.append(name)
            time.sleep(1)
            victim = BROKERS[leader() - 1]
            cluster.do('kill', victim)
            time.sleep(0.5)
            cluster.do('start', victim)
        time.sleep(1)
        for node in BROKERS:
            cluster.do('kill', node)
        for node in BROKERS:
            cluster.do('start', node)
        until(lambda: committed('first') is not None, 'offsets can be read', 30)
        committers.stopped = True
        committers.join(30)
        for group in committers.groups:
            until(lambda: committed(group) is not None, 'the offset of ' + group, 20)
            offset = committed(group)
            low, high = committers.acknowledged[group], committers.asked[group]
            equal((group, low <= offset <= high, low > 100), (group, True, True))
        equal(committed('first'), 7)
        for name in gone:
            equal((name, committed(name)), (name, -1))
        earliest, latest = log_range()
        print('log of __consumer_offsets: %d to %d' % (earliest, latest))
        equal((earliest > 1000, latest - earliest < 1500), (True, True))
        for node in BROKERS:
            until(lambda: bytes_of(cluster, node) < 300000, 'the log is short at ' + node, 20)


def main():
    cases = Cases('offsets log', 150)
    cases.run('a short log survives kill -9 of every coordinator, one by one and at once', survives)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
