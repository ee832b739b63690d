#!/usr/bin/env python3
"""Producers and group consumers run while brokers and controllers are killed, stopped, paused and restarted.

Two idempotent producers (acks=all) and two consumer groups work on one topic. Faults come in rounds; each round has
every kind once, in an order drawn from the seed, each on a victim drawn from the seed. Between two faults the victim
is restarted and all partitions come back into full ISR. At the end everything is read and judged (checker.py).
Where the network is to be cut, every node runs in a network namespace of its own (network.py; needs root). Where the
power is, the data are on a file system that then forgets what was not synced (forgetful_disk.py; needs /dev/fuse);
there a directory can fail, too. Where disks fill up, each broker has a small one (small_disk.py; needs root).
"""
import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'support')]
import checker  # noqa: E402
import disk_faults  # noqa: E402
import network  # noqa: E402
import unavailable  # noqa: E402
import wire  # noqa: E402

TOPIC, PARTITIONS, PAUSE_SECONDS, CUT_SECONDS = 'chaos', 6, 5, 5
KINDS = {
    'broker-kill': 'broker killed -9',
    'broker-stop': 'broker SIGTERM',
    'broker-pause': 'broker paused 5 s',
    'controller-kill': 'active controller killed -9',
    'controller-stop': 'active controller SIGTERM',
    'controller-pause': 'active controller paused 5 s',
    'all-kill': 'all processes killed -9',
    'broker-power': 'broker loses power',
    'all-power': 'all lose power',
    'disk-full': "broker's disk full 5 s",
    'disks-full': "all brokers' disks full 5 s",
    'disk-fails': 'one of two directories fails',
    'broker-cut': 'broker cut off 5 s',
    'broker-cut-nodes': 'broker cut off from nodes 5 s',
    'broker-cut-deaf': 'broker hears nobody 5 s',
    'controller-cut': 'active controller cut off 5 s',
}
CUTS = [kind for kind in KINDS if '-cut' in kind]
POWER = [kind for kind in KINDS if kind.endswith('-power')]
FULL = ['disk-full', 'disks-full']
PROCESS = [kind for kind in KINDS if kind not in CUTS + POWER + FULL + ['disk-fails']]
SKIPPED = 77  # how the process ends where a fault cannot be had


def now_ms():
    return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000)


def say(text):
    print(text, flush=True)


class Run:
    program = 'failover'

    def __init__(self, args):
        self.args = args
        self.dir = tempfile.mkdtemp(prefix='tidemark-chaos-') if args.dir is None else args.dir
        os.makedirs(self.dir, exist_ok=True)
        self.random = random.Random(args.seed)
        self.workers = {}
        self.faults = []      # (kind, begin ms, end ms)
        self.creations = []   # (kind, ms until a topic could be made)
        self.problems = []
        self.disks = None
        self.nodes, self.topic, self.partitions, self.now_ms = nodes_of(args), TOPIC, PARTITIONS, now_ms
        self.network = network.Network(self.nodes, args.inside) if args.inside else None

    def cluster(self, *argv):
        done = subprocess.run([self.args.cluster, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError('%s %s: %s' % (self.args.cluster, ' '.join(argv), (done.stderr or done.stdout).strip()))
        return done.stdout.strip()

    def do(self, verb, *argv):
        return self.cluster(verb, os.path.join(self.dir, 'cluster'), *argv)

    def log(self, name):
        return os.path.join(self.dir, name + '.log')

    def said(self, node):
        with open(os.path.join(self.dir, 'cluster', node, 'logs', 'out'), errors='replace') as f:
            return f.read()

    def workload(self, verb, *argv, topic=TOPIC, program=None):
        return [program or self.args.workload, verb, '--bootstrap', self.bootstrap, '--topic', topic, *argv]

    def begin(self, name, verb, *argv, program=None):
        self.workers[name] = subprocess.Popen(self.workload(verb, '--log', self.log(name), *argv, program=program),
                                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                              stderr=subprocess.STDOUT, text=True)

    def end(self, name, seconds):
        worker = self.workers.pop(name)
        worker.terminate()
        try:
            said = worker.communicate(timeout=seconds)[0].strip()
        except subprocess.TimeoutExpired:
            worker.kill()
            said = worker.communicate()[0] + ' did not end within %d s' % seconds
        if worker.returncode:
            self.problems.append('%s: %s' % (name, said))
        return said

    # --- faults ---

    def victims(self, kind):
        nodes = [line.split() for line in self.do('nodes').splitlines()]
        names = [n[0] for n in nodes]
        if kind.startswith('all'):
            return names
        brokers = [n for n in names if n.startswith('broker')]
        if kind == 'disks-full':
            return brokers
        if kind.startswith(('broker', 'disk')):
            return [self.random.choice(brokers)]
        return [self.do('active')]

    def fault(self, kind):
        victims = self.victims(kind)
        begin = now_ms()
        creation = None
        if kind.endswith('pause'):
            self.do('pause', victims[0])
        elif kind in CUTS:
            self.cut(kind, victims[0])
        elif kind in POWER + ['all-kill']:
            self.parallel([[self.args.cluster, 'kill', os.path.join(self.dir, 'cluster'), v] for v in victims])
            for victim in victims if kind in POWER else []:
                self.disks.cut(victim)
        elif kind in FULL:
            self.disks.full(victims)
        elif kind == 'disk-fails':
            self.disks.fail(victims[0])
        else:
            self.do('stop' if kind.endswith('stop') else 'kill', victims[0])
        if kind.startswith('controller'):
            creation = subprocess.Popen(self.workload('create', '--partitions', '1', topic='made-%d' % begin),
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if kind.endswith('pause'):
            time.sleep(PAUSE_SECONDS)
            self.do('resume', victims[0])
        elif kind in CUTS:
            time.sleep(CUT_SECONDS)
            self.network.heal(victims[0])
        elif kind not in FULL:
            if not kind.startswith('all'):
                time.sleep(self.random.uniform(1.0, 3.0))
            self.parallel([[self.args.cluster, 'start', os.path.join(self.dir, 'cluster'), v] for v in victims])
        if creation:
            said = creation.communicate(timeout=90)[0].strip()
            if creation.returncode:
                self.problems.append('%s: %s' % (kind, said))
            else:
                self.creations.append((kind, int(said)))
        healthy, why = wire.wait_healthy(self.ports, TOPIC, self.replicas, self.args.patience)
        if not healthy:
            raise RuntimeError('after %s of %s the cluster did not heal within %d s: %s' % (
                kind, victims, self.args.patience, why))
        time.sleep(1)
        self.faults.append((kind, begin, now_ms()))
        say('%7.1f s  %-16s %s' % ((begin - self.began) / 1000, kind, ' '.join(victims) if len(victims) < 2 else ''))

    def cut(self, kind, victim):
        """Clients still reach a broker that only the nodes have lost: it must not acknowledge anything on its own."""
        others = [n for n in self.network.nodes if n != victim]
        peers = others if kind.endswith('nodes') else None
        self.network.cut(victim, peers, ('saddr',) if kind.endswith('deaf') else ('saddr', 'daddr'))

    def parallel(self, commands):
        running = [subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True) for c in commands]
        for command, process in zip(commands, running):
            said = process.communicate()[0]
            if process.returncode:
                raise RuntimeError('%s: %s' % (' '.join(command), said.strip()))

    # --- the run ---

    def hosts(self):
        nodes = self.network.nodes if self.network else []
        return [word for n in nodes for word in ('--host', '%s=%s' % (n, network.node_address(n)))]

    def run(self):
        power = any(kind in POWER for kind in self.args.faults)
        self.disks = disk_faults.Disks(self, any(kind in FULL for kind in self.args.faults),
                                       'disk-fails' in self.args.faults, power)
        up = self.cluster('up', os.path.join(self.dir, 'cluster'), '--base-port', str(self.args.base_port),
                          '--controllers', str(self.args.controllers), '--brokers', str(self.args.brokers),
                          *self.hosts(), *self.disks.settings(), *(word for setting in self.args.set for word in ('--set', setting)))
        self.bootstrap = up.splitlines()[-1]
        self.ports = [(host, int(port)) for host, port in (b.rsplit(':', 1) for b in self.bootstrap.split(','))]
        self.replicas = min(3, len(self.ports))
        subprocess.run(self.workload('create', '--partitions', str(PARTITIONS), '--replication-factor',
                                     str(self.replicas)), check=True, stdout=subprocess.DEVNULL)
        healthy, why = wire.wait_healthy(self.ports, TOPIC, self.replicas, 30)
        if not healthy:
            raise RuntimeError('the new topic is not in full ISR: ' + why)
        self.begin_load()
        time.sleep(4)
        self.began = now_ms()
        kinds = self.args.faults
        deadline = time.monotonic() + self.args.seconds
        while time.monotonic() < deadline:
            for kind in self.random.sample(kinds, len(kinds)):
                if time.monotonic() < deadline:
                    self.fault(kind)
        self.judge()

    def begin_load(self):
        for name in ('p1', 'p2'):
            self.begin(name, 'produce', '--id', name, '--rate', str(self.args.rate), '--partitions', str(PARTITIONS))
        for name in ('c1', 'c2'):
            self.begin(name, 'consume', '--group', name)

    def judge(self):
        ended = {name: self.end(name, 150) for name in ('p1', 'p2')}
        final = subprocess.run(self.workload('read', '--log', self.log('final'), '--partitions', str(PARTITIONS)),
                               capture_output=True, text=True)
        if final.returncode:
            self.problems.append('final read: ' + final.stderr.strip())
        # A member whose coordinator vanished is let in again when its session has ended at the next one.
        self.wait_for_readers(checker.parse(self.log('final')), 45)
        for name in ('c1', 'c2'):
            ended[name] = self.end(name, 60)
        produced = {p: checker.parse(self.log(p)) for p in ('p1', 'p2')}
        readers = [checker.parse(self.log(c)) for c in ('c1', 'c2')]
        verdict = checker.judge(produced, checker.parse(self.log('final')), readers)
        acks = [checker.gaps(lines) for lines in produced.values()]
        reads = [checker.gaps(lines, 'R') for lines in readers]
        say('')
        say('%-30s %6s %22s %22s' % ('fault', 'times', 'produce gap ms', 'consume gap ms'))
        say('%-30s %6s %22s %22s' % ('', '', 'median   longest', 'median   longest'))
        for kind, name in KINDS.items():
            spans = [(b, e) for k, b, e in self.faults if k == kind]
            if spans:
                columns = [sorted(max(checker.longest_gap(t, b, e) for t in series) for b, e in spans)
                           for series in (acks, reads)]
                say('%-30s %6d %22s %22s' % (name, len(spans), *('%6d   %7d' % (statistics.median(c), c[-1])
                                                               for c in columns)))
        quiet = max(checker.longest_gap(t, self.began - 2000, self.began) for t in acks)
        say('%-30s %6s %22s' % ('none (before the first)', '-', '%7d' % quiet))
        for kind in ('controller-kill', 'controller-stop', 'controller-pause'):
            times = sorted(ms for k, ms in self.creations if k == kind)
            if times:
                say('topic creation works again after %s: median %d ms, longest %d ms' % (
                    KINDS[kind], statistics.median(times), times[-1]))
        say('')
        consumed = sum(line[0] == 'R' for line in readers[0])
        say('acknowledged=%d read=%d consumed=%d lost=%d duplicated=%d disordered=%d conflicts=%d' % (
            verdict.acknowledged, verdict.read, consumed, *(len(x) for x in verdict[2:])))
        for name, found in zip(verdict._fields[2:], verdict[2:]):
            if found:
                self.problems.append('%s: %s%s' % (name, found[:5], ' ...' if len(found) > 5 else ''))
        for reader, lines in zip(('c1', 'c2'), readers):
            unread = verdict.read - len({(l[1], l[2]) for l in lines if l[0] == 'R'})
            if unread > 0:
                self.problems.append('group %s never got %d records' % (reader, unread))

    def wait_for_readers(self, final, seconds):
        ends = checker.ends(final)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(
                checker.ends(checker.parse(self.log(c))) != ends for c in ('c1', 'c2')):
            time.sleep(0.5)

    def close(self):
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        if os.path.exists(os.path.join(self.dir, 'cluster', 'cluster.json')):
            try:
                self.do('down')
            except RuntimeError as e:
                self.problems.append(str(e))
        if self.disks:
            self.disks.close()


def nodes_of(args):
    return ['controller-%d' % (i + 1) for i in range(max(args.controllers, 1))] + [
        'broker-%d' % (i + 1) for i in range(args.brokers)]


def in_namespaces(args, argv):
    """Runs this script once more in the hub of a network made for it."""
    made = network.Network(nodes_of(args))
    try:
        env = dict(os.environ, CLUSTER_EXEC='%s %s %s' % (sys.executable, os.path.join(HERE, 'in_namespace.py'),
                                                          made.prefix))
        return subprocess.run(made.inside(network.HUB, sys.executable, os.path.realpath(sys.argv[0]), *argv, '--seed', str(args.seed),
                                          '--inside', str(os.getpid())), env=env, check=False).returncode
    finally:
        made.remove()


def kinds_of(text):
    kinds = {'all': [kind for kind in KINDS if kind not in FULL], 'process': PROCESS, 'network': CUTS, 'power': POWER,
             'full': FULL}.get(text) or text.split(',')
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError('no fault %s; there are: all process network power full %s' % (
                kind, ' '.join(KINDS)))
    if set(kinds) & set(FULL) and set(kinds) & set(POWER):
        raise argparse.ArgumentTypeError('a disk that fills up is no disk that forgets: run them one after the other')
    return kinds


def main(kind=Run, description=__doc__):
    parser = argparse.ArgumentParser(prog='scripts/chaos ' + kind.program, description=description.splitlines()[0])
    parser.add_argument('--seed', type=int, default=None, help='order and victims of the faults (default: random)')
    parser.add_argument('--seconds', type=int, default=120, help='how long faults go on (default: 120)')
    parser.add_argument('--faults', type=kinds_of, default=PROCESS,
                        help='all (but the full disks), process (the default), network (needs root), power (needs '
                        '/dev/fuse), full (needs root), or some of: ' + ','.join(KINDS))
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', help='a setting of every node')
    parser.add_argument('--patience', type=int, default=90, metavar='SECONDS',
                        help='until a cluster has to be well again after a fault (default: 90)')
    parser.add_argument('--rate', type=int, default=1200, help='records a second of each producer (default: 1200)')
    parser.add_argument('--controllers', type=int, default=3)
    parser.add_argument('--brokers', type=int, default=3)
    parser.add_argument('--base-port', type=int, default=21092)
    parser.add_argument('--cluster', default=os.path.join(ROOT, 'scripts', 'cluster'), help='the cluster script')
    parser.add_argument('--workload', default=None, help='path of tidemark-workload')
    parser.add_argument('--dir', default=None, help='where to work (default: a new temporary folder)')
    parser.add_argument('--inside', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1 << 32)
    bin_dir = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))
    args.transactions = os.path.join(bin_dir, 'tidemark-transactions')
    if args.workload is None:
        args.workload = os.path.join(bin_dir, 'tidemark-workload')
        if not os.path.exists(args.workload):
            subprocess.run([os.path.join(ROOT, 'scripts', 'build'), 'release'], check=True, stdout=sys.stderr)
    if not args.inside and any(kind in CUTS for kind in args.faults):
        return in_namespaces(args, sys.argv[1:])
    say('seed %d' % args.seed)
    run = kind(args)
    # Disks are unmounted also after a SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run.run()
    except unavailable.Unavailable as e:
        say('SKIP: ' + str(e))
        shutil.rmtree(run.dir, ignore_errors=True)
        return SKIPPED
    except (RuntimeError, subprocess.SubprocessError, OSError) as e:
        run.problems.append(str(e))
    finally:
        run.close()
    for problem in run.problems:
        say('FAIL: ' + problem)
    if run.problems:
        say('logs and data: %s; again: scripts/chaos %s --seed %d' % (run.dir, kind.program, args.seed))
        return 1
    if args.dir is None:
        shutil.rmtree(run.dir, ignore_errors=True)
    say('ok')
    return 0


if __name__ == '__main__':
    sys.exit(main())
