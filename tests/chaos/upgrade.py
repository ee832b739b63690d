#!/usr/bin/env python3
"""A cluster of the release before is upgraded node by node to this one, and back, under load.

Two idempotent producers (acks=all) and two consumer groups work on one topic; topics are made, grown and deleted all
the time. Nodes are restarted one after the other on the binaries of this release, and, before and after the features
are upgraded, on those of the release before again. Nothing that was acknowledged is lost, and no admin call fails.
docs/operations.md, "Upgrade and downgrade", is what is carried out here.

  upgrade.py --old DIR [--seed N] [--base-port P]      DIR has the binaries of the release before
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'support')]
import failover  # noqa: E402
import wire  # noqa: E402

say = failover.say
CONTROLLERS = ['controller-%d' % i for i in (1, 2, 3)]
BROKERS = ['broker-%d' % i for i in (1, 2, 3)]
PATIENCE = 60
# A broker that the controllers refuse, or a controller that meets records it does not know, ends or goes on asking.
REFUSAL_SECONDS = 20


def expect(holds, what):
    if not holds:
        raise RuntimeError(what)


class Admin(threading.Thread):
    """Takes topics through their lives with the tool of either release; every call must succeed. Of three brokers one is
    being restarted, so a topic has two replicas."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.tools = [run.old, run.new]
        self.run_, self.ended = run, threading.Event()
        self.calls, self.longest, self.failures = 0, 0.0, []

    def call(self, number, *args):
        began = time.monotonic()
        done = self.run_.tool(self.tools[number % 2], *args)
        self.calls += 1
        self.longest = max(self.longest, time.monotonic() - began)
        if done.returncode:
            self.failures.append('%s: %s' % (' '.join(args), done.stderr.strip()))

    def run(self):
        number = 0
        while not self.ended.is_set():
            name = 'admin-%d' % number
            self.call(number, 'topic', 'create', name, '--partitions', '2', '--replication-factor', '2')
            self.call(number, 'topic', 'alter', name, '--partitions', '3')
            if number % 3:
                self.call(number + 1, 'topic', 'delete', name)
            number += 1

    def stop(self):
        self.ended.set()
        self.join(60)
        self.run_.problems += ['admin call failed: ' + text for text in self.failures[:5]]
        say('admin calls=%d failed=%d longest=%.1f s' % (self.calls, len(self.failures), self.longest))


class Upgrade(failover.Run):
    def __init__(self, args):
        super().__init__(args)
        self.old, self.new = os.path.abspath(args.old), os.path.dirname(os.path.abspath(args.workload))

    def tool(self, bin_dir, *args):
        at = ','.join('127.0.0.1:%d' % (self.args.base_port + 100 + i) for i in range(3))
        return subprocess.run([os.path.join(bin_dir, 'tidemark'), *args, '--bootstrap-controllers', at],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def features(self, *args):
        return self.tool(self.new, 'features', *args)

    def levels(self):
        done = self.features('describe', '--format', 'json')
        expect(done.returncode == 0, 'features describe: ' + done.stderr)
        return {f['name']: f['level'] for f in json.loads(done.stdout)['features']}

    def on(self, bin_dir, verb, node):
        """Of scripts/cluster, with these binaries."""
        os.environ['TIDEMARK_BIN_DIR'] = bin_dir
        return self.do(verb, node)

    def healthy(self, when):
        well, why = wire.wait_healthy(self.ports, failover.TOPIC, 3, PATIENCE)
        expect(well, '%s: %s is not in full ISR: %s' % (when, failover.TOPIC, why))

    def restart(self, node, bin_dir):
        self.do('stop', node)
        self.on(bin_dir, 'start', node)
        self.healthy('after the restart of ' + node)

    def lead(self, node):
        """Leadership of the controllers goes to that one."""
        number = node.rsplit('-', 1)[1]
        deadline = time.monotonic() + PATIENCE
        while self.do('active') != node:
            expect(time.monotonic() < deadline, node + ' does not lead')
            self.tool(self.new, 'quorum', 'transfer', str(100 + int(number)))

    def roll(self, bin_dir, what, midway=None):
        nodes = self.random.sample(CONTROLLERS, 3) + self.random.sample(BROKERS, 3)
        for i, node in enumerate(nodes):
            self.restart(node, bin_dir)
            if node in CONTROLLERS:
                # One of each kind leads the mixed ones.
                self.lead(node)
            if midway and i in (1, 4):
                midway(node)
        say('%s: %s' % (what, ' '.join(nodes)))

    def refused_while_mixed(self, node):
        done = self.features('upgrade')
        expect(done.returncode == 1, 'features were upgraded while the release before was running')
        say('  with %s just restarted: %s' % (node, done.stderr.strip()))

    def level_on_disk(self, node):
        port = self.args.base_port + 250 + int(node.rsplit('-', 1)[1]) - 1
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open('http://127.0.0.1:%d/metrics' % port, timeout=5) as r:
            for line in r.read().decode().splitlines():
                if line.startswith('tidemark_controller_metadata_version_on_disk '):
                    return float(line.split()[1])
        raise RuntimeError('%s does not say what is on its disk' % node)

    def wait_for_snapshots(self):
        deadline = time.monotonic() + PATIENCE
        for node in CONTROLLERS:
            while self.level_on_disk(node) > 1:
                expect(time.monotonic() < deadline, node + ' takes no snapshot')
                time.sleep(0.05)

    def said_since(self, node, mark):
        return self.said(node)[mark:]

    def old_broker_is_refused(self, node):
        mark = len(self.said(node))
        self.do('stop', node)
        # It may never answer: nobody waits for that.
        starting = subprocess.Popen([self.args.cluster, 'start', os.path.join(self.dir, 'cluster'), node],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    env={**os.environ, 'TIDEMARK_BIN_DIR': self.old})
        deadline = time.monotonic() + REFUSAL_SECONDS
        while 'UNSUPPORTED_VERSION' not in self.said_since(node, mark):
            expect(time.monotonic() < deadline, 'the broker of the release before is not told why it is refused')
            time.sleep(0.05)
        say('old broker: ' + next(line for line in self.said_since(node, mark).splitlines() if 'UNSUPPORTED_VERSION' in line))
        self.do('kill', node)
        starting.wait(30)
        self.on(self.new, 'start', node)
        self.healthy('after ' + node + ' was refused on the release before')

    def run(self):
        os.environ['TIDEMARK_BIN_DIR'] = self.old
        up = self.cluster('up', os.path.join(self.dir, 'cluster'), '--base-port', str(self.args.base_port))
        self.bootstrap = up.splitlines()[-1]
        self.ports = [(host, int(port)) for host, port in (b.rsplit(':', 1) for b in self.bootstrap.split(','))]
        subprocess.run(self.workload('create', '--partitions', str(failover.PARTITIONS), '--replication-factor', '3'),
                       check=True, stdout=subprocess.DEVNULL)
        self.healthy('at the start')
        for name in ('p1', 'p2'):
            self.begin(name, 'produce', '--id', name, '--rate', str(self.args.rate), '--partitions',
                       str(failover.PARTITIONS))
        for name in ('c1', 'c2'):
            self.begin(name, 'consume', '--group', name)
        time.sleep(4)  # of load, as a measure of what is normal
        self.began = failover.now_ms()
        admin = Admin(self)
        admin.start()
        self.steps()
        admin.stop()
        self.judge()

    def steps(self):
        self.roll(self.new, 'up', self.refused_while_mixed)
        expect(self.levels() == {'metadata.version': 1, 'kraft.version': 0}, 'levels went up by themselves')
        self.roll(self.old, 'back down, features as they were')
        self.roll(self.new, 'up again')
        done = self.features('upgrade', '--dry-run')
        expect(done.returncode == 0 and self.levels()['metadata.version'] == 1, 'dry run: ' + done.stderr)
        done = self.features('upgrade')
        expect(done.returncode == 0, 'features upgrade: ' + done.stderr)
        deadline = time.monotonic() + PATIENCE
        while self.levels() != {'metadata.version': 4, 'kraft.version': 1}:
            expect(time.monotonic() < deadline, 'levels after the upgrade: %s' % self.levels())
        say('features upgraded: %s' % self.levels())
        self.old_broker_is_refused(self.random.choice(BROKERS))
        for node in self.random.sample(CONTROLLERS, 3):
            self.restart(node, self.new)
        done = self.features('upgrade', '--feature', 'metadata.version=1')
        expect(done.returncode == 1, 'a downgrade as an upgrade')
        done = self.features('downgrade', '--feature', 'metadata.version=1')
        expect(done.returncode == 0, 'features downgrade: ' + done.stderr)
        self.wait_for_snapshots()
        expect(self.levels() == {'metadata.version': 1, 'kraft.version': 0}, 'levels after the downgrade')
        self.roll(self.old, 'down, after the features')


def main():
    parser = argparse.ArgumentParser(prog='scripts/upgrade-test', description=__doc__.splitlines()[0])
    parser.add_argument('--old', required=True, help='the folder of the binaries of the release before')
    parser.add_argument('--seed', type=int, default=None, help='order of the restarts (default: random)')
    parser.add_argument('--rate', type=int, default=600, help='records a second of each producer (default: 600)')
    parser.add_argument('--base-port', type=int, default=23092)
    parser.add_argument('--bin', default=os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin')),
                        help='those of this release')
    args = parser.parse_args()
    args.seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    args.workload = os.path.join(args.bin, 'tidemark-workload')
    args.cluster = os.path.join(ROOT, 'scripts', 'cluster')
    args.dir = tempfile.mkdtemp(prefix='tidemark-upgrade-')
    args.controllers = args.brokers = 3
    args.inside = None
    say('seed %d' % args.seed)
    run = Upgrade(args)
    try:
        run.run()
    except (RuntimeError, subprocess.SubprocessError, OSError) as e:
        run.problems.append(str(e))
    finally:
        run.close()
    for problem in run.problems:
        say('FAIL: ' + problem)
    if run.problems:
        say('everything is kept in ' + run.dir)
        return 1
    subprocess.run(['rm', '-rf', run.dir], check=True)
    say('PASS')
    return 0


if __name__ == '__main__':
    sys.exit(main())
