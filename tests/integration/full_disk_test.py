#!/usr/bin/env python3
"""A broker's disk fills up (a small tmpfs; needs root): producers are refused before it is full, everything else goes
on, nothing acknowledged is lost, and with space again the broker goes on without a restart."""
import os
import re
import shutil
import struct
import subprocess
import sys
import time

import process
import wire
from cases import Cases, equal, until

BASE = 23292
PARTITIONS = 3
STORAGE_ERROR = 56
LEAST_FREE = 3 << 20
VALUE = b'x' * 100000


def mount(where, size):
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=' + size, 'tmpfs', where], check=True)


def move_data(cluster, node, to):
    """The node's log directory lies in folder `to` from now on."""
    cluster.do('stop', node)
    shutil.copytree(cluster.path(node, 'data'), to, dirs_exist_ok=True)
    settings = cluster.path(node, 'server.properties')
    with open(settings) as f:
        text = f.read()
    with open(settings, 'w') as f:
        f.write(re.sub(r'(?m)^log\.dirs=.*$', 'log.dirs=' + to, text))
    cluster.do('start', node)


def leader_port(partition):
    for port in (BASE, BASE + 1, BASE + 2):
        try:
            found = wire.metadata(port, ['full'])
            return found['brokers'].get(found['topics']['full']['partitions'][partition]['leader'])
        except (OSError, struct.error, KeyError, IndexError):
            continue
    return None


def send(partition):
    """One record, sent until it is acknowledged."""
    def acknowledged():
        port = leader_port(partition)
        if port is None:
            return False
        try:
            return wire.produce(port, 'full', wire.batch([VALUE]), partition)[0] == 0
        except (OSError, struct.error):
            return False
    until(acknowledged, 'a record to partition %d is acknowledged' % partition, 30)


def end_offset(partition):
    """ListOffsets v1, latest."""
    body = (struct.pack('>ii', -1, 1) + wire.string('full') + struct.pack('>iiq', 1, partition, -1))
    r = wire.Reader(wire.call(leader_port(partition), 2, 1, body))
    r.get('i')
    r.string()
    r.get('i')
    _, error, _, offset = r.get('ihqq')
    equal(error, 0)
    return offset


def led_by(port):
    return [p for p in range(PARTITIONS) if leader_port(p) == port]


def main():
    cases = Cases('full disk')
    # A follower that cannot write holds acknowledgements back for replica.lag.time.max.ms.
    # The journal of a small disk is small; it moves there as it is.
    with process.Cluster(BASE, '--set', 'log.dirs.min.free.bytes=%d' % LEAST_FREE, '--set',
                         'tidemark.log.journal.file.bytes=262144', '--set',
                         'replica.lag.time.max.ms=3000') as cluster:
        small = os.path.join(cluster.folder, 'small')
        os.mkdir(small)
        mount(small, '16m')
        try:
            run(cases, cluster, small)
        finally:
            cluster.do('down')
            subprocess.run(['umount', small], check=False)
    cases.done()


def run(cases, cluster, small):
    sent = [0] * PARTITIONS

    def fills_up():
        move_data(cluster, 'broker-2', os.path.join(small, 'data'))
        until(lambda: len(wire.metadata(BASE)['brokers']) == 3, 'broker 2 is back', 30)
        equal(wire.create_topic(BASE, 'full', PARTITIONS, 3)[0], 0)
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'full', 3, 30)
        assert good, seen
        own = led_by(BASE + 1)
        assert own, 'broker 2 leads nothing'
        while True:
            error, _ = wire.produce(BASE + 1, 'full', wire.batch([VALUE]), own[0])
            if error:
                break
            sent[own[0]] += 1
            time.sleep(0.04)  # space is looked at once a second
            assert sent[own[0]] < 1000, 'nobody was ever refused'
        equal(error, STORAGE_ERROR)
        free = shutil.disk_usage(small).free
        assert 0 < free < 2 * LEAST_FREE, free
        assert 'producers are refused' in cluster.said('broker-2')
    cases.run('producers are refused before the disk is full', fills_up)

    def serves_on():
        equal(process.http_status(BASE + 201, '/livez'), 200)
        equal(process.http_status(BASE + 201, '/readyz'), 200)
        for partition in led_by(BASE + 1):
            equal(end_offset(partition), sent[partition])
    cases.run('what it has is still served', serves_on)

    def others():
        elsewhere = [p for p in range(PARTITIONS) if p not in led_by(BASE + 1)]
        # More than is left: first it follows, then it cannot.
        for _ in range(2 * LEAST_FREE // len(VALUE)):
            for partition in elsewhere:
                send(partition)
                sent[partition] += 1
        for partition in elsewhere:
            assert end_offset(partition) >= sent[partition], 'acknowledged records are gone'
        assert cluster.pid('broker-2'), 'the broker has gone'
        assert 'directory is offline' not in cluster.said('broker-2')
    cases.run('partitions led elsewhere take writes, also when it is full to the last byte', others)

    def starts():
        cluster.do('kill', 'broker-2')
        cluster.do('start', 'broker-2')
        assert wire.serves(BASE + 1), 'the broker does not answer'
    cases.run('it starts on a full disk', starts)

    def comes_back():
        subprocess.run(['mount', '-o', 'remount,size=200m', small], check=True)
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'full', 3, 60)
        assert good, seen
        for partition in range(PARTITIONS):
            send(partition)
            sent[partition] += 1
            assert end_offset(partition) >= sent[partition], 'acknowledged records are gone'
    cases.run('with space again it is back in sync, without a restart', comes_back)


if __name__ == '__main__':
    sys.exit(main())
