#!/usr/bin/env python3
"""Many partitions on real brokers beside three controllers.

  tests/bench/partitions.py [--partitions N=100000] [--replicas R=3] [--brokers N=3] [--step N=10000] [--seconds 30]
                            [--base-port P] [--folder DIR] [--out FILE]

Topics of 1,000 partitions are made one after the other. Of every step: until all are led and in full ISR on every
broker, and what that cost the controllers and the brokers. Then, with all of them idle: CPU and memory of each kind of
process, a topic more, and how long no topic can be made after the active controller was killed -9. Every figure is a
line of JSON in --out (default: build/partitions-bench.jsonl). A broker holds a file open for each of its replicas:
where a process may not open enough (ulimit -Hn) it takes more brokers.
"""
import argparse
import json
import os
import resource
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'support')]
import run  # noqa: E402
import wire  # noqa: E402

TOPIC = 1000  # partitions of one


class Cluster(run.System):
    def __init__(self, folder, base, brokers):
        super().__init__('tidemark', os.path.join(ROOT, 'scripts', 'cluster'), [])
        self.parent, self.base, self.count = folder, base, brokers

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix='tidemark-partitions-', dir=self.parent)
        self.home = os.path.join(self.folder, 'cluster')
        self.bootstrap = self.do('up', '--brokers', str(self.count), '--base-port', str(self.base)).splitlines()[-1]
        self.ports = [int(b.rsplit(':', 1)[1]) for b in self.bootstrap.split(',')]
        return self

    def pids(self, kind):
        nodes = [line.split() for line in self.do('nodes').splitlines()]
        return [int(n[1]) for n in nodes if n[0].startswith(kind) and n[1] != '-']

    def cpu_of(self, kind):
        return sum(map(run.cpu_of, self.pids(kind)))

    def memory(self, kind):
        return [round(run.resident_mib(pid)) for pid in self.pids(kind)]


def make(cluster, name, partitions, replicas, seconds=600):
    """Until the controller has answered."""
    end = time.monotonic() + seconds
    while True:
        error, message = wire.create_topic(cluster.ports[0], name, partitions, replicas, timeout=120)
        if not error:
            return
        # 6, 7, 41: not the controller, timed out, and one that leads no more; 36: it was made by an attempt before.
        if error == 36:
            return
        if error not in (6, 7, 41) or time.monotonic() > end:
            raise RuntimeError('creating %s: %s %s' % (name, error, message))


def healthy(cluster, name, replicas):
    for what, (good, why) in (('in full ISR', wire.wait_healthy(cluster.ports, name, replicas, 600)),
                              ('led', wire.wait_led(cluster.ports, name, 600))):
        if not good:
            raise RuntimeError('%s is not %s: %s' % (name, what, why))


def grow(cluster, args):
    """A figure of each step: all of its topics are made, then all are awaited."""
    for first in range(0, args.partitions, args.step):
        names = ['many-%d' % (first + i) for i in range(0, min(args.step, args.partitions - first), TOPIC)]
        began = time.monotonic()
        cpu = {kind: cluster.cpu_of(kind) for kind in ('controller', 'broker')}
        for name in names:
            make(cluster, name, TOPIC, args.replicas)
        made = time.monotonic() - began
        for name in names:
            healthy(cluster, name, args.replicas)
        yield 'step', {'partitions': first + len(names) * TOPIC, 'answered_s': round(made, 2),
                       'in_full_isr_s': round(time.monotonic() - began, 2),
                       **{kind + 's_cpu_s': round(cluster.cpu_of(kind) - before, 2) for kind, before in cpu.items()},
                       **{kind + 's_mib': cluster.memory(kind) for kind in cpu}}


def rest(cluster, args):
    time.sleep(10)
    cpu, began = {kind: cluster.cpu_of(kind) for kind in ('controller', 'broker')}, time.monotonic()
    time.sleep(args.seconds)
    took = time.monotonic() - began
    for kind, before in cpu.items():
        share = 100 * (cluster.cpu_of(kind) - before) / took / len(cluster.pids(kind))
        yield 'idle', {'kind': kind, 'percent_of_a_core_each': round(share, 2), 'mib': cluster.memory(kind)}


def one_more(cluster, args):
    for i in range(5):
        began = time.monotonic()
        make(cluster, 'more-%d' % i, 10, args.replicas)
        answered = time.monotonic() - began
        healthy(cluster, 'more-%d' % i, args.replicas)
        yield 'a topic of 10 more', {'answered_ms': round(answered * 1e3, 1),
                                     'in_full_isr_ms': round((time.monotonic() - began) * 1e3, 1)}


def without_the_active(cluster, args):
    victim = cluster.do('active')
    cluster.do('kill', victim)
    began = time.monotonic()
    make(cluster, 'after', 1, args.replicas)
    yield 'active controller killed -9', {'a_topic_is_made_after_s': round(time.monotonic() - began, 3)}
    began = time.monotonic()
    cluster.do('start', victim)
    yield 'that controller started again', {'answers_after_s': round(time.monotonic() - began, 3)}


def allow_files(replicas):
    """So many replicas of each broker, which leaves a quarter of its files to connections."""
    want = replicas * 4 // 3 + 1000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most >= want:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, want))
    except (ValueError, OSError) as error:
        sys.exit('partitions: a broker has to open %d files and may open %d (%s): try with more --brokers' %
                 (want, most, error))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--partitions', type=int, default=100000)
    parser.add_argument('--replicas', type=int, default=3)
    parser.add_argument('--brokers', type=int, default=3)
    parser.add_argument('--step', type=int, default=10000)
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--base-port', type=int, default=24192)
    parser.add_argument('--folder', help='where the cluster lies (default: where temporary files do)')
    parser.add_argument('--out', default=os.path.join(ROOT, 'build', 'partitions-bench.jsonl'))
    args = parser.parse_args()
    allow_files(args.partitions * args.replicas // args.brokers)
    with Cluster(args.folder, args.base_port, args.brokers) as cluster, open(args.out, 'a') as out:
        for part in (grow, rest, one_more, without_the_active):
            for figure, values in part(cluster, args):
                line = json.dumps(dict(figure=figure, replicas=args.replicas, brokers=args.brokers, load=os.getloadavg()[0], **values))
                print(line, flush=True)
                print(line, file=out, flush=True)


if __name__ == '__main__':
    main()
