#!/usr/bin/env python3
"""The disk of the active controller fills up (a small tmpfs; needs root): another one takes over, the full one stays,
says so and passes calls on, and with room again it is a voter as before, without a restart."""
import os
import subprocess
import sys

import process
from cases import Cases, equal, until

BASE = 25592
FREE_LEFT = 4 << 20


def tidemark(*args, controllers=(1, 2, 3)):
    at = ','.join('127.0.0.1:%d' % (BASE + 99 + i) for i in controllers)
    return subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers', at],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=process.CLEAN)


def create(topic, **controllers):
    done = tidemark('topic', 'create', topic, '--partitions', '1', '--replication-factor', '1', **controllers)
    equal((done.returncode, done.stderr), (0, ''))


def main():
    if os.geteuid() != 0:
        print('skipped: only root can mount a small disk')
        sys.exit(77)
    cases = Cases('full disk of a controller')
    cluster = process.Cluster(BASE, '--brokers', '1')
    mounted = []
    try:
        for node in ('controller-1', 'controller-2', 'controller-3'):
            data = cluster.path(node, 'data')
            os.makedirs(data)
            subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', data], check=True)
            mounted.append(data)
        with cluster:
            try:
                run(cases, cluster)
            finally:
                cluster.do('down')
                for data in mounted:
                    subprocess.run(['umount', '-l', data], check=False)
                mounted.clear()
    finally:
        for data in mounted:
            subprocess.run(['umount', '-l', data], check=False)
    cases.done()


def run(cases, cluster):
    create('before')
    full = cluster.do('active')
    number = int(full[-1])
    pid = cluster.pid(full)
    ballast = cluster.path(full, 'data', 'ballast')
    http = BASE + 249 + number

    def fills_up():
        data = cluster.path(full, 'data')
        space = os.statvfs(data)
        with open(ballast, 'wb') as f:
            f.write(b'x' * (space.f_bavail * space.f_frsize - FREE_LEFT))
        create('meanwhile')
        assert cluster.do('active') != full
        until(lambda: 'until there is room' in cluster.said(full), 'it says so')
        assert 'the disk is full' in process.http_get(http, '/readyz')[1]
        assert 'tidemark_raft_disk_full 1' in process.http_get(http, '/metrics')[1]
    cases.run('another one takes over', fills_up)

    def stays():
        for i in range(20):
            create('passed-on-%d' % i, controllers=(number,))
        assert 'meanwhile' in tidemark('topic', 'list', controllers=(number,)).stdout
        equal(cluster.pid(full), pid)
    cases.run('the full one stays and passes calls on', stays)

    def starts():
        cluster.do('kill', full)
        cluster.do('start', full)
        until(lambda: process.http_status(http, '/readyz') == 503, 'it waits')
        assert 'starts when there is room' in process.http_get(http, '/readyz')[1]
        assert 'tidemark_raft_disk_full 1' in process.http_get(http, '/metrics')[1]
        # It ends when it is told to, and does what is asked of the others all the same.
        cluster.do('stop', full)
        create('without')
        cluster.do('start', full)
    cases.run('it starts on a full disk, and waits', starts)

    def comes_back():
        pid = cluster.pid(full)
        os.remove(ballast)
        until(lambda: 'the disk has room again' in cluster.said(full), 'it notices')
        active = cluster.do('active')
        # One of the other two goes: now it is needed for every majority.
        gone = next(n for n in ('controller-1', 'controller-2', 'controller-3') if n not in (full, active))
        cluster.do('kill', gone)
        create('after')
        equal(cluster.pid(full), pid)
        equal(process.http_get(http, '/readyz'), (200, 'ok\n'))
    cases.run('with room again it is a voter as before', comes_back)


if __name__ == '__main__':
    sys.exit(main())
