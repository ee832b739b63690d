#!/usr/bin/env python3
"""Replicas move between the log directories of their broker, while they are written to and processes die."""
import json
import os
import shutil
import signal
import struct
import subprocess
import threading
import time

import process
import wire
from cases import Cases, equal, until

BASE = 23400
RATE = 'replica.alter.log.dirs.io.max.bytes.per.second'


class Moves:
    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, *args):
        return subprocess.run(
            [os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers', '127.0.0.1:%d' % (BASE + 100),
             '--bootstrap-servers', ','.join('127.0.0.1:%d' % (BASE + i) for i in range(3))],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=process.CLEAN)

    def told(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, (args, done)
        return done.stdout

    def move(self, topic, to, *args, broker=1):
        return self.told('partition', 'move', topic, '--broker', str(broker), '--log-dir', to, *args)

    def refused(self, why, *args):
        done = self.run(*args)
        assert done.returncode == 1 and why in done.stderr + done.stdout, (args, done)

    def where(self, topic, broker=1):
        """Where the replicas lie, and where they move to."""
        found = json.loads(self.told('partition', 'log-dirs', '--topic', topic, '--broker', str(broker),
                                     '--format', 'json'))
        return ([r['log_dir'] for r in found if 'topic' in r and not r['moves_here']],
                [r for r in found if r.get('moves_here')])

    def lies(self, topic):
        """Where, and the other one."""
        (at,), _ = self.where(topic)
        return at, {'data': 'data2', 'data2': 'data'}[at]

    def folders(self, directory, topic, broker=1):
        return sorted(f for f in os.listdir(self.cluster.path('broker-%d' % broker, directory))
                      if f.startswith(topic + '-') and not f.endswith('-delete'))

    def leader(self, topic):
        return json.loads(self.told('topic', 'describe', topic, '--format', 'json'))[0]['partitions'][0]['leader']

    def isr(self, topic):
        return sorted(json.loads(self.told('topic', 'describe', topic, '--format', 'json'))[0]['partitions'][0]['isr'])

    def rate(self, value):
        if value is None:
            self.told('config', 'delete', 'broker', '1', RATE)
        else:
            self.told('config', 'set', 'broker', '1', '%s=%d' % (RATE, value))

    def send(self, topic, values, leader=None):
        data = wire.batch(values)

        def acknowledged():
            try:
                to = leader or self.leader(topic)
                return to > 0 and wire.produce(BASE + to - 1, topic, data)[0] == 0
            except (OSError, struct.error):
                return False
        until(acknowledged, 'records are acknowledged', 40)

    def read(self, topic):
        return self.told('consume', topic, '--from-beginning', '--exit-at-end').split()


class Load:
    """Writes one numbered record after the other, and knows which were acknowledged."""

    def __init__(self, moves, topic, leader):
        self.moves, self.topic, self.leader = moves, topic, leader
        self.acknowledged, self.stopping, self.longest = [], False, 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        number = 0
        while not self.stopping:
            value = b'n%d' % number
            number += 1
            try:
                if wire.produce(BASE + self.leader - 1, self.topic, wire.batch([value]))[0] == 0:
                    self.acknowledged.append(value.decode())
            except (OSError, struct.error):
                pass

    def __enter__(self):
        self.thread.start()
        until(lambda: len(self.acknowledged) > 20, 'it writes')
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()

    def check(self):
        found = set(self.moves.read(self.topic))
        missing = [v for v in self.acknowledged if v not in found]
        assert not missing, '%d of %d acknowledged are gone: %s' % (len(missing), len(self.acknowledged), missing[:5])


def fill(m, topic, records, size=1000):
    for i in range(records // 100):
        m.send(topic, [b'%d-' % (i * 100 + j) + b'x' * size for j in range(100)])


def under_load(m):
    """The only replica there is, and one of three."""
    for topic, assignment in ('alone', '1'), ('three', '1:2:3'):
        m.told('topic', 'create', topic, '--assignment', assignment, '--config', 'segment.bytes=300000')
        good, seen = wire.wait_healthy([BASE], topic, assignment.count(':') + 1, 30)
        assert good, seen
        fill(m, topic, 2000)
        before, to = m.lies(topic)
        with Load(m, topic, 1) as load:
            for _ in range(3):
                count = len(load.acknowledged)
                m.move(topic, to, '--wait')
                equal(m.where(topic), ([to], []))
                until(lambda: len(load.acknowledged) > count, 'it is written to')
                until(lambda: m.folders(before, topic) == [], 'nothing is left', 10)
                equal(m.folders(to, topic), [topic + '-0'])
                before, to = to, before
        load.check()
        equal(m.isr(topic), list(map(int, assignment.split(':'))))
        equal(m.leader(topic), 1)
        # It is found there by the next process.
        m.cluster.do('stop', 'broker-1')
        m.cluster.do('start', 'broker-1')
        until(lambda: m.leader(topic) > 0, 'it is led')
        until(lambda: m.where(topic)[0] == [before], 'it is where it was')
        load.check()
    assert 'moved partition=three-0' in m.cluster.said('broker-1')


def killed_in_the_middle(m):
    m.told('topic', 'create', 'killed', '--assignment', '1', '--config', 'segment.bytes=300000')
    fill(m, 'killed', 3000)
    before, to = m.lies('killed')
    m.rate(500000)
    m.move('killed', to)
    (at,), future = m.where('killed')
    equal((at, [f['log_dir'] for f in future]), (before, [to]))
    until(lambda: m.where('killed')[1][0]['bytes'] > 0, 'it is copied', 20)
    assert m.where('killed')[1][0]['lag'] > 0, m.where('killed')
    assert any(f.endswith('-future') for f in m.folders(to, 'killed')), m.folders(to, 'killed')
    m.send('killed', [b'acknowledged'])
    m.cluster.do('kill', 'broker-1')
    m.cluster.do('start', 'broker-1')
    m.send('killed', [b'later'])
    at, future = m.where('killed')
    equal((at, [f['log_dir'] for f in future]), ([before], [to]))
    m.rate(None)
    until(lambda: m.where('killed') == ([to], []), 'it goes on', 30)
    found = m.read('killed')
    equal((len(found), found[-2:]), (3002, ['acknowledged', 'later']))


def killed_anywhere(m):
    """Also at the changes of names."""
    m.told('topic', 'create', 'often', '--assignment', '1')
    fill(m, 'often', 300)
    for i in range(12):
        before, to = m.lies('often')
        pid = m.cluster.pid('broker-1')
        with Load(m, 'often', 1) as load:
            m.move('often', to)
            time.sleep(0.004 * i)
            os.kill(pid, signal.SIGKILL)
        m.cluster.do('start', 'broker-1')
        until(lambda: m.leader('often') == 1, 'it is led')
        until(lambda: m.where('often') == ([to], []), 'it has moved', 30)
        load.check()
        equal([m.folders(d, 'often') for d in (before, to)], [[], ['often-0']])


def taken_back(m):
    m.told('topic', 'create', 'back', '--assignment', '1')
    fill(m, 'back', 1000)
    before, to = m.lies('back')
    m.rate(10000)
    m.move('back', to)
    equal(len(m.where('back')[1]), 1)
    m.move('back', before)
    equal(m.where('back'), ([before], []))
    until(lambda: m.folders(to, 'back') == [], 'the copy is gone', 10)
    # A topic that is deleted takes its copy along.
    m.move('back', to)
    m.told('topic', 'delete', 'back')
    until(lambda: m.folders(to, 'back') + m.folders(before, 'back') == [], 'both are gone', 20)
    m.rate(None)


def what_cannot_be(m):
    m.refused('LOG_DIR_NOT_FOUND', 'partition', 'move', 'three:0', '--broker', '1', '--log-dir', '/nowhere')
    m.refused('UNKNOWN_TOPIC_OR_PARTITION', 'partition', 'move', 'nix:0', '--broker', '1', '--log-dir', 'data')
    m.refused('no replica of', 'partition', 'move', 'alone', '--broker', '2', '--log-dir', 'data')
    # What is not there yet is made where it was asked for.
    m.told('topic', 'create', 'comes', '--assignment', ','.join(['2'] * 4))
    for partition, directory in enumerate(['data', 'data', 'data2', 'data2']):
        m.refused('REPLICA_NOT_AVAILABLE', 'partition', 'move', 'comes:%d' % partition, '--broker', '1', '--log-dir',
                  directory)
        m.told('topic', 'reassign', 'comes', '--partition', str(partition), '--replicas', '1', '--wait')
    equal([m.folders(d, 'comes') for d in ('data', 'data2')], [['comes-0', 'comes-1'], ['comes-2', 'comes-3']])


def a_directory_breaks(m):
    m.told('topic', 'create', 'breaks', '--assignment', '1:2')
    fill(m, 'breaks', 1000)
    before, to = m.lies('breaks')
    m.rate(50000)
    m.move('breaks', to)
    until(lambda: m.where('breaks')[1][0]['bytes'] > 0, 'it is copied', 20)
    path, gone = m.cluster.path('broker-1', to), m.cluster.path('broker-1', 'gone')
    os.rename(path, gone)
    until(lambda: 'is offline' in process.http_get(BASE + 200, '/readyz')[1], 'it is noticed')
    m.refused('KAFKA_STORAGE_ERROR', 'partition', 'move', 'breaks:0', '--broker', '1', '--log-dir', to)
    m.send('breaks', [b'last'])
    equal(m.where('breaks'), ([before], []))
    m.cluster.do('stop', 'broker-1')
    shutil.rmtree(path, ignore_errors=True)
    os.rename(gone, path)
    m.cluster.do('start', 'broker-1')
    m.rate(None)
    until(lambda: m.where('breaks') == ([to], []), 'with the disk it goes on', 40)
    equal(len(m.read('breaks')), 1001)


def a_full_disk(m, small):
    """A tmpfs in the place of the second directory, which holds less than is to be moved (needs root)."""
    to = os.path.join(small, 'data')
    m.cluster.do('stop', 'broker-1')
    shutil.copytree(m.cluster.path('broker-1', 'data2'), to)
    settings = m.cluster.path('broker-1', 'server.properties')
    with open(settings) as f:
        text = f.read()
    with open(settings, 'w') as f:
        f.write(text.replace('log.dirs=data,data2', 'log.dirs=data,' + to))
    m.cluster.do('start', 'broker-1')
    m.refused('UNKNOWN_TOPIC_OR_PARTITION', 'partition', 'move', 'big:0', '--broker', '1', '--log-dir', 'data')
    until(lambda: m.run('topic', 'create', 'big').returncode == 0, 'it is made')
    until(lambda: m.where('big') == (['data'], []), 'it is where it was asked for')
    fill(m, 'big', 15000)
    m.move('big', to)
    until(lambda: 'move waits partition=big-0' in m.cluster.said('broker-1'), 'it waits for room')
    assert m.where('big')[1][0]['lag'] > 0, m.where('big')
    m.send('big', [b'meanwhile'])
    equal('offline' in m.cluster.said('broker-1'), False)
    subprocess.run(['mount', '-o', 'remount,size=80m', small], check=True)
    until(lambda: m.where('big') == ([to], []), 'with room it goes on')
    equal(len(m.read('big')), 15001)


def full(cases):
    with process.Cluster(BASE, '--controllers', '1', '--brokers', '1', '--set', 'log.dirs=data,data2', '--set',
                         'log.dirs.min.free.bytes=1000000', '--set',
                         'tidemark.log.journal.file.bytes=262144') as cluster:
        small = os.path.join(cluster.folder, 'small')
        os.mkdir(small)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', small], check=True)
        try:
            cases.run('the other directory is full', a_full_disk, Moves(cluster), small)
        finally:
            cluster.do('down')
            subprocess.run(['umount', small], check=False)


def main():
    cases = Cases('move between directories', seconds=160)
    with process.Cluster(BASE, '--controllers', '1', '--set', 'log.dirs=data,data2', '--set',
                         'log.segment.delete.delay.ms=1000', '--set', 'offsets.topic.replication.factor=1') as cluster:
        m = Moves(cluster)
        cases.run('under load, and nothing is lost', under_load, m)
        cases.run('a broker killed in the middle goes on', killed_in_the_middle, m)
        cases.run('a broker killed anywhere', killed_anywhere, m)
        cases.run('a move is taken back', taken_back, m)
        cases.run('what cannot be is refused, or remembered', what_cannot_be, m)
        cases.run('the other directory breaks', a_directory_breaks, m)
    if os.geteuid() == 0:
        full(cases)
    cases.done()


if __name__ == '__main__':
    main()
