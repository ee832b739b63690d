#!/usr/bin/env python3
"""The show of scripts/quickstart: quickstart.py DIR. Ends within a few minutes, whatever happens."""
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'support')]
import checker  # noqa: E402
import wire  # noqa: E402

TOPIC, PARTITIONS, RECORDS, RATE = 'quickstart', 6, 100000, 5000
BIN = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))
BASE_PORT = int(os.environ.get('QUICKSTART_PORT', '19092'))
CONTROLLERS = ','.join('127.0.0.1:%d' % (BASE_PORT + 100 + i) for i in range(3))


def now_ms():
    return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000)


def run(*command, seconds=120):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=seconds)
    if done.returncode:
        sys.exit('quickstart: %s: %s' % (' '.join(command[:3]), done.stdout.strip()))
    return done.stdout.strip()


class Show:
    def __init__(self, home):
        self.home = home
        self.kills = []  # (what, begin ms)

    def cluster(self, verb, *args):
        return run(os.path.join(ROOT, 'scripts', 'cluster'), verb, self.home, *args)

    def tidemark(self, *args):
        return run(os.path.join(BIN, 'tidemark'), *args, '--bootstrap-controllers', CONTROLLERS)

    def workload(self, verb, *args):
        return [os.path.join(BIN, 'tidemark-workload'), verb, '--bootstrap', self.bootstrap, '--topic', TOPIC, *args]

    def log(self, name):
        return os.path.join(self.home, name + '.log')

    def up(self):
        if os.path.exists(os.path.join(self.home, 'cluster.json')):
            print('an earlier quickstart is in %s: stopping and removing it' % self.home, flush=True)
            self.cluster('down')
        shutil.rmtree(self.home, ignore_errors=True)
        lines = self.cluster('up', '--base-port', str(BASE_PORT)).splitlines()
        self.bootstrap = lines[-1]
        self.ports = [int(b.rsplit(':', 1)[1]) for b in self.bootstrap.split(',')]
        print('started 3 controllers and 3 brokers (%s)' % lines[0])
        print(self.tidemark('topic', 'create', TOPIC, '--partitions', str(PARTITIONS), '--replication-factor', '3'))
        print(self.tidemark('topic', 'describe', TOPIC), flush=True)
        self.heal()

    def heal(self):
        healthy, why = wire.wait_healthy(self.ports, TOPIC, 3, 60)
        if not healthy:
            sys.exit('quickstart: the replicas are not in sync after 60 s: ' + why)

    def kill(self, node, what):
        self.kills.append((what, now_ms()))
        print('kill -9 %s (%s)' % (node, what), flush=True)
        self.cluster('kill', node)

    def revive(self, node):
        self.cluster('start', node)
        self.heal()
        print('%s is back, all replicas in sync' % node, flush=True)

    def produce_under_fire(self):
        producer = subprocess.Popen(self.workload('produce', '--id', 'q', '--log', self.log('produced'), '--partitions',
                                                  str(PARTITIONS), '--rate', str(RATE), '--count', str(RECORDS)),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            print('producing %d records, %d a second, acks=all' % (RECORDS, RATE), flush=True)
            time.sleep(3)
            about = json.loads(self.tidemark('topic', 'describe', TOPIC, '--format', 'json'))
            leader = 'broker-%d' % about[0]['partitions'][0]['leader']
            self.kill(leader, 'leader of partition 0')
            time.sleep(4)
            self.revive(leader)
            active = self.cluster('active')
            self.kill(active, 'active controller')
            began = now_ms()
            run(*self.workload('create', '--partitions', '1')[:4], '--topic', TOPIC + '-2', '--partitions', '1')
            self.creation = now_ms() - began
            self.cluster('start', active)
            print('%s is back' % active, flush=True)
            said = producer.communicate(timeout=180)[0].strip()
        finally:
            producer.kill()
        return producer.returncode, said

    def verdict(self):
        code, said = self.produce_under_fire()
        run(*self.workload('read', '--log', self.log('read'), '--partitions', str(PARTITIONS), '--seconds', '100'))
        lines = checker.parse(self.log('produced'))
        seen = checker.judge({'q': lines}, checker.parse(self.log('read')), [])
        times, ends = checker.gaps(lines), [begin for _, begin in self.kills[1:]] + [now_ms()]
        print()
        print('acknowledged           %7d' % seen.acknowledged)
        print('read                   %7d' % seen.read)
        print('lost                   %7d' % len(seen.lost))
        print('duplicated             %7d' % len(seen.duplicated))
        for (what, begin), end in zip(self.kills, ends):
            print('longest pause          %7d ms  after the kill of the %s' % (
                checker.longest_gap(times, begin, end), what))
        print('topics can be created  %7d ms  after the kill of the active controller' % self.creation)
        good = code == 0 and seen.acknowledged == RECORDS and not (
            seen.lost or seen.duplicated or seen.disordered or seen.conflicts)
        if not good:
            print('this is not how it should be: %s; logs are in %s' % (said, self.home))
        return good

    def goodbye(self):
        def short(path):
            relative = os.path.relpath(path)
            return path if relative.startswith('..') else relative
        relative = short(self.home)
        print('''
The cluster keeps running: Kafka clients find it at %s. Go on with:

  export PATH=%s:$PATH
  export TIDEMARK_CONTROLLERS=%s TIDEMARK_SERVERS=%s
  tidemark topic create hello --partitions 3
  echo world | tidemark produce hello
  tidemark consume hello --from-beginning --count 1
  tidemark broker list
  kcat -b %s -L
  scripts/cluster nodes %s          # names, pids, ports
  scripts/cluster kill %s broker-2  # or stop, start, pause, resume
  scripts/cluster down %s           # stop everything''' % (
            self.bootstrap, os.path.abspath(BIN), CONTROLLERS, self.bootstrap, self.bootstrap, relative, relative,
            relative))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    show = Show(os.path.abspath(sys.argv[1]))
    show.up()
    good = show.verdict()
    if good:
        show.goodbye()
    else:
        show.cluster('down')
    return 0 if good else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except subprocess.TimeoutExpired as e:
        sys.exit('quickstart: gave up: %s' % e)
