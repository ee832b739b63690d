#!/usr/bin/env python3
"""A broker's disk fills up (a small tmpfs; needs root): its partitions move, nothing acknowledged is lost, the process
stays up and says what is wrong, and with space again it comes back."""
import os
import re
import shutil
import struct
import subprocess
import sys

import process
import wire
from cases import Cases, equal, until

BASE = 23292
PARTITIONS = 3
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
    for port in (BASE, BASE + 2):
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


def main():
    cases = Cases('full disk')
    with process.Cluster(BASE) as cluster:
        small = os.path.join(cluster.folder, 'small')
        os.mkdir(small)
        mount(small, '12m')
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
        while 'log directory is offline' not in cluster.said('broker-2'):
            for partition in range(PARTITIONS):
                send(partition)
                sent[partition] += 1
            assert sum(sent) < 1000, 'the disk never filled up'
    cases.run('writes go on while a disk fills up', fills_up)

    def stays():
        assert cluster.pid('broker-2'), 'the broker has gone'
        assert wire.serves(BASE + 1), 'the broker does not answer'
        equal(process.http_status(BASE + 201, '/livez'), 200)
        equal(process.http_status(BASE + 201, '/readyz'), 503)
        assert 'No space left on device' in cluster.said('broker-2')
    cases.run('the process stays up and says so', stays)

    def kept():
        for partition in range(PARTITIONS):
            send(partition)
            sent[partition] += 1
            assert end_offset(partition) >= sent[partition], 'acknowledged records are gone'
            assert leader_port(partition) != BASE + 1
    cases.run('its partitions are led elsewhere, with everything', kept)

    def comes_back():
        cluster.do('stop', 'broker-2')
        subprocess.run(['mount', '-o', 'remount,size=200m', small], check=True)
        cluster.do('start', 'broker-2')
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'full', 3, 60)
        assert good, seen
    cases.run('with space again it is back in sync', comes_back)


if __name__ == '__main__':
    sys.exit(main())
