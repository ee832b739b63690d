#!/usr/bin/env python3
"""The disk of the active controller answers no sync any more, and fails nothing (needs /dev/fuse): another controller
takes over, the one with that disk says so and ends, and with its disk back it follows."""
import os
import shutil
import subprocess
import sys
import threading
import time

import process
from cases import Cases, equal, until

sys.path.insert(0, os.path.join(process.ROOT, 'tests', 'chaos'))
import forgetful_disk  # noqa: E402
import unavailable  # noqa: E402

BASE = 25092
# The longest election timeout is twice 300 ms.
TAKES_OVER = 2 * 0.6
TIMEOUT_MS = 4000


def tidemark(*args):
    return subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers',
                           ','.join('127.0.0.1:%d' % (BASE + 100 + i) for i in range(3))],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=process.CLEAN)


def create(topic):
    done = tidemark('topic', 'create', topic, '--partitions', '1', '--replication-factor', '1')
    equal((done.returncode, done.stderr), (0, ''))


def main():
    cases = Cases('hung disk')
    # One broker; the controllers are what this is about.
    cluster = process.Cluster(BASE, '--brokers', '1', '--set',
                              'tidemark.metadata.disk.timeout.ms=%d' % TIMEOUT_MS)
    try:
        disk = forgetful_disk.ForgetfulDisk(os.path.join(process.BIN, 'tidemark-forgetfs'),
                                            os.path.join(cluster.folder, 'disks'),
                                            ['controller-%d' % i for i in (1, 2, 3)], cluster.home)
    except unavailable.Unavailable as e:
        print('skipped: %s' % e)
        sys.exit(77)
    try:
        with cluster:
            try:
                run(cases, cluster, disk)
            finally:
                for i in (1, 2, 3):
                    disk.mend('controller-%d' % i, 'data')
    finally:
        disk.close()
        shutil.rmtree(cluster.folder, ignore_errors=True)
    cases.done()


def run(cases, cluster, disk):
    create('before')
    hung = cluster.do('active')

    def takes_over():
        disk.hang(hung, 'data')
        began = time.monotonic()
        # A majority has it, the active controller cannot answer: the next one is asked again, and says the same.
        create('meanwhile')
        took = time.monotonic() - began
        print('a topic is made %.0f ms after the disk hangs' % (took * 1000))
        # Two longest election timeouts, and what two processors do beside it.
        assert took < TAKES_OVER + 1, took
        assert cluster.do('active') != hung
        for i in range(20):
            create('later-%d' % i)
    cases.run('another controller leads within two election timeouts, and goes on', takes_over)

    def ends():
        until(lambda: 'has not ended a write for' in cluster.said(hung), 'it says so')
        until(lambda: 's, stopping:' in cluster.said(hung), 'it stops')
        # What hangs in the kernel keeps the process until the disk answers.
        disk.mend(hung, 'data')
        until(lambda: cluster.pid(hung) is None, 'the process is gone')
    cases.run('the one with the hung disk says why, and ends', ends)

    def comes_back():
        before = len(cluster.said(hung))
        cluster.do('start', hung)
        last = 'later-19'
        until(lambda: 'leader=' in cluster.said(hung)[before:], 'it follows')
        for node in ('controller-%d' % i for i in (1, 2, 3)):
            if node != hung and node != cluster.do('active'):
                cluster.do('kill', node)
        # Now it is needed for every majority.
        create('after')
        assert last in tidemark('topic', 'list').stdout
    cases.run('with its disk back it is a voter again', comes_back)

    def short():
        active = cluster.do('active')
        sentence = 'has not ended a write'
        before = cluster.said(active).count(sentence)
        disk.hang(active, 'data')
        call = threading.Thread(target=create, args=('short',))
        call.start()
        until(lambda: cluster.said(active).count(sentence) > before, 'it notices')
        disk.mend(active, 'data')
        call.join()
        assert 'short' in tidemark('topic', 'list').stdout
        assert cluster.pid(active), 'a short hang ended the process'
    cases.run('one that hangs for a moment ends nothing', short)


if __name__ == '__main__':
    sys.exit(main())
