#!/usr/bin/env python3
"""`tidemark dev`: one command, and the first record is acknowledged soon after; ends cleanly, leaves nothing behind.

dev_test.py --measure N prints how long N starts took, in ms, from the start of the process: until it says that it is
ready, and until the first record is acknowledged.
"""
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import process
import wire
from cases import Cases, equal, until

BASE = 25650
READY = 'bootstrap servers: '
# Ten times what it takes on a machine with nothing else to do.
FIRST_RECORD_S = 1.0


class Dev(process.Running):
    def __init__(self, *args, port=BASE, controller=BASE + 1):
        self.began = time.monotonic()
        super().__init__('tidemark', 'dev', '--port', str(port), '--controller-port', str(controller), *args)

    def ready(self):
        """Its port, once it has said that it is ready."""
        until(lambda: READY in self.said() or self.process.poll() is not None, 'it is ready', 20, pause=0.001)
        assert READY in self.said(), self.said()
        return int(self.said().split(READY)[1].split(':')[1])

    def directory(self):
        return self.said().split('data in ')[1].split(',')[0].split('\n')[0]


def children(pid):
    """{program: pid}"""
    found = {}
    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        for child in f.read().split():
            with open('/proc/%s/comm' % child) as name:
                found[name.read().strip()] = int(child)
    return found


def runs(pid):
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def produced(port, topic, text):
    """The offset. As clients do: asked again where the leader, or its topic, is only just coming to be."""
    answers = []

    def taken():
        answers.append(wire.produce(port, topic, wire.batch([text])))
        return answers[-1][0] not in (3, 6)

    until(taken, 'the record is taken', pause=0.001)
    error, offset = answers[-1]
    equal(error, 0)
    return offset


def first_record():
    """Seconds from the start until it is ready, and until a record is acknowledged."""
    with Dev('--topic', 'first') as dev:
        port = dev.ready()
        ready = time.monotonic() - dev.began
        equal(produced(port, 'first', b'x'), 0)
        acknowledged = time.monotonic() - dev.began
        equal(dev.stop(), 0)
    return ready, acknowledged


def soon():
    best = min(first_record()[1] for _ in range(3))
    assert best < FIRST_RECORD_S, '%.3f s' % best


def leaves_nothing():
    for number in signal.SIGTERM, signal.SIGINT:
        with Dev() as dev:
            dev.ready()
            pids = children(dev.process.pid)
            equal(len(pids), 2)
            assert os.path.isdir(dev.directory())
            dev.process.send_signal(number)
            equal(dev.process.wait(20), 0)
            assert not os.path.exists(dev.directory()), dev.directory()
            assert not any(runs(pid) for pid in pids.values()), pids


def dies_with_its_parent():
    with tempfile.TemporaryDirectory() as folder:
        with Dev('--dir', folder) as dev:
            dev.ready()
            pids = children(dev.process.pid)
            dev.process.kill()
            dev.process.wait()
            until(lambda: not any(runs(pid) for pid in pids.values()), 'both are gone', 5)


def abandoned():
    """What a killed one leaves is removed by the next; what another one uses is not."""
    with Dev(port=0, controller=0) as running:
        running.ready()
        with Dev(port=0, controller=0) as killed:
            killed.ready()
            left = killed.directory()
            killed.process.kill()
            killed.process.wait()
        assert os.path.isdir(left)
        with Dev() as dev:
            dev.ready()
            assert not os.path.exists(left), left
            assert os.path.isdir(running.directory())


def tells_of_a_death():
    for name in 'tidemark-broker', 'tidemark-controller':
        with Dev() as dev:
            dev.ready()
            pids = children(dev.process.pid)
            # The kernel cuts names.
            os.kill(next(pid for comm, pid in pids.items() if name.startswith(comm)), signal.SIGKILL)
            equal(dev.process.wait(20), 1)
            assert 'the %s has ended (signal 9)' % name.split('-')[1] in dev.said(), dev.said()
            assert not any(runs(pid) for pid in pids.values()), pids


def keeps():
    with tempfile.TemporaryDirectory() as folder:
        home = os.path.join(folder, 'a', 'b')
        for run in range(2):
            # Elsewhere the second time.
            with Dev('--dir', home, '--topic', 'kept:3', port=BASE + 10 * run, controller=BASE + 1 + 10 * run) as dev:
                port = dev.ready()
                equal(port, BASE + 10 * run)
                equal(len(wire.metadata(port, ['kept'])['topics']['kept']['partitions']), 3)
                equal(produced(port, 'kept', b'run %d' % run), run)
                equal(dev.stop(), 0)
        assert os.path.isdir(home)


def free_ports():
    with Dev(port=0, controller=0) as one, Dev(port=0, controller=0) as other:
        ports = one.ready(), other.ready()
        assert len(set(ports)) == 2 and max(ports) < 32768, ports
        for port in ports:
            # A topic comes to be when it is first asked for.
            until(lambda: wire.metadata(port, ['t'])['topics']['t']['error'] == 0, 'the topic is led')
            equal(produced(port, 't', b'x'), 0)


def taken_port():
    with socket.create_server(('127.0.0.1', BASE + 5)):
        code, lines = process.end_of('tidemark', 'dev', '--port', str(BASE + 5), '--controller-port', str(BASE + 6))
        equal(code, 1)
        assert 'cannot listen on 127.0.0.1:%d' % (BASE + 5) in lines[-1], lines


def settings():
    with Dev('--set', 'num.partitions=5', '--set', 'message.max.bytes=2000') as dev:
        port = dev.ready()
        until(lambda: wire.metadata(port, ['t'])['topics']['t']['error'] == 0, 'the topic is led')
        equal(len(wire.metadata(port, ['t'])['topics']['t']['partitions']), 5)
        equal(wire.produce(port, 't', wire.batch([b'x' * 3000]))[0], 10)
        assert 'unknown' not in dev.said(), dev.said()
        equal(dev.stop(), 0)
    with Dev('--set', 'num.partitionz=5') as dev:
        dev.ready()
        assert "unknown configuration 'num.partitionz' has no effect" in dev.said(), dev.said()
    code, lines = process.end_of('tidemark', 'dev', '--port', str(BASE), '--controller-port', str(BASE + 1), '--set',
                                 'num.partitions=none')
    equal(code, 1)
    assert any('num.partitions' in line for line in lines), lines
    for bad in ['--set', 'nothing'], ['--topic', 'a:b'], ['--host', 'nowhere']:
        code, lines = process.end_of('tidemark', 'dev', *bad)
        equal(code, 1)
        assert 'want' in lines[-1], lines


def measure(count):
    times = [first_record() for _ in range(count)]
    for name, figures in zip(('ready', 'first record acknowledged'), zip(*times)):
        ms = sorted(1000 * x for x in figures)
        print('%s: median %.0f ms, least %.0f, most %.0f, n=%d' % (name, statistics.median(ms), ms[0], ms[-1], count))


def main():
    if sys.argv[1:2] == ['--measure']:
        return measure(int(sys.argv[2]))
    cases = Cases('dev')
    cases.run('the first record is acknowledged within a second', soon)
    cases.run('SIGTERM and SIGINT end it, and leave nothing', leaves_nothing)
    cases.run('killed, it takes its processes with it', dies_with_its_parent)
    cases.run('what a killed one leaves is removed by the next', abandoned)
    cases.run('a process that dies is named', tells_of_a_death)
    cases.run('a named directory keeps its data, at other ports too', keeps)
    cases.run('free ports', free_ports)
    cases.run('a port that is taken', taken_port)
    cases.run('settings, good and bad', settings)
    cases.done()


if __name__ == '__main__':
    main()
