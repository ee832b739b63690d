#!/usr/bin/env python3
"""Kills controllers (SIGKILL) at random moments while topics are made, grown and deleted, by the CLI and by Kafka's
protocol. Afterwards the metadata are what was acknowledged: a call that succeeded has happened, one that failed has not,
and one whose outcome is unknown (REQUEST_TIMED_OUT) has or has not. Each controller in turn must say the same, and all
of them after a restart.

  controller_kills.py [--seed N] [--kills N] [--base-port P]
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))
import process  # noqa: E402
import wire  # noqa: E402

WORKERS = 4
ABSENT = 0
REQUEST_TIMED_OUT = 7
CONTROLLERS = ('controller-1', 'controller-2', 'controller-3')


class Failure(Exception):
    pass


class Ledger:
    """What each topic may be: the numbers of partitions it may have, ABSENT for none."""

    def __init__(self):
        self.lock = threading.Lock()
        self.topics, self.wrong = {}, []
        self.counts = {'done': 0, 'refused': 0, 'unknown': 0}

    def note(self, name, old, new, error, message):
        """A call that was to take `name` from `old` to `new` ended with this code; what it may be now."""
        with self.lock:
            if error == 0:
                self.counts['done'] += 1
                self.topics[name] = {new}
            elif error == REQUEST_TIMED_OUT:
                self.counts['unknown'] += 1
                self.topics[name] = {old, new}
            else:
                self.counts['refused'] += 1
                self.topics[name] = {old}
                # Nobody else has this name: it was refused for what it had done itself.
                if error not in (41, 8):
                    self.wrong.append('%s: from %d to %d partitions: error %d %s' % (name, old, new, error, message))


class Calls:
    def __init__(self, base):
        self.base = base

    def tidemark(self, *args, controllers=(1, 2, 3)):
        at = ','.join('127.0.0.1:%d' % (self.base + 99 + i) for i in controllers)
        return subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers', at],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env=process.CLEAN)

    def by_cli(self, *args):
        done = self.tidemark(*args)
        if done.returncode == 0:
            return 0, ''
        for code, word in ((REQUEST_TIMED_OUT, 'REQUEST_TIMED_OUT'), (41, 'NOT_CONTROLLER')):
            if word in done.stderr:
                return code, done.stderr
        return -1, done.stderr.strip()

    def by_kafka(self, key, body):
        """The code of the only topic of a CreateTopics v2 or CreatePartitions v0 or DeleteTopics v1."""
        r = wire.Reader(wire.call(self.base, key, {19: 2, 37: 0, 20: 1}[key], body, 60))
        r.get('ii')
        r.string()
        error = r.get('h')
        return error, '' if key == 20 else r.string()

    def create(self, name, count, cli):
        if cli:
            return self.by_cli('topic', 'create', name, '--partitions', str(count), '--replication-factor', '1')
        return self.by_kafka(19, struct.pack('>i', 1) + wire.string(name) +
                             struct.pack('>ihiiib', count, 1, 0, 0, 20000, 0))

    def grow(self, name, count, cli):
        if cli:
            return self.by_cli('topic', 'alter', name, '--partitions', str(count))
        return self.by_kafka(37, struct.pack('>i', 1) + wire.string(name) + struct.pack('>iiib', count, -1, 20000, 0))

    def delete(self, name, cli):
        if cli:
            return self.by_cli('topic', 'delete', name)
        return self.by_kafka(20, struct.pack('>i', 1) + wire.string(name) + struct.pack('>i', 20000))

    def topics(self, controllers=(1, 2, 3)):
        """Partitions of every topic."""
        end = time.monotonic() + 30
        while True:
            done = self.tidemark('topic', 'describe', '--format', 'json', controllers=controllers)
            if done.returncode == 0:
                return {t['name']: len(t['partitions']) for t in json.loads(done.stdout)}
            if time.monotonic() > end:
                raise Failure('the topics cannot be described: ' + done.stderr)
            time.sleep(0.1)


def work(number, seed, calls, ledger, stop):
    """Takes topics of its own through their lives, until told to stop."""
    rng = random.Random('%d/%d' % (seed, number))
    live, made = {}, 0
    while not stop.is_set():
        choice, cli = rng.random(), rng.random() < 0.5
        if len(live) < 3 or choice < 0.4:
            name, old = 'w%d-%d' % (number, made), ABSENT
            made, new = made + 1, rng.randint(1, 3)
            ended = calls.create(name, new, cli)
        else:
            name = rng.choice(sorted(live))
            old = live.pop(name)
            if choice < 0.6 and old < 8:
                new = old + 1
                ended = calls.grow(name, new, cli)
            else:
                new = ABSENT
                ended = calls.delete(name, cli)
        ledger.note(name, old, new, *ended)
        if ended[0] == 0 and new != ABSENT:
            live[name] = new
        elif ended[0] not in (0, REQUEST_TIMED_OUT) and old != ABSENT:
            live[name] = old


def kill_and_start(cluster, rng, kills):
    """One controller at a time; the active one more often than by chance, and every tenth time two."""
    for done in range(kills):
        time.sleep(rng.uniform(0.05, 1.2))
        victims = [cluster.do('active') if rng.random() < 0.6 else rng.choice(CONTROLLERS)]
        if rng.random() < 0.1:
            victims.append(rng.choice([c for c in CONTROLLERS if c not in victims]))
        for victim in victims:
            cluster.do('kill', victim)
        time.sleep(rng.choice((0, 0, 0.3, 0.8)))
        for victim in victims:
            cluster.do('start', victim)
        if (done + 1) % 20 == 0:
            print('%d kills' % (done + 1), flush=True)


def compare(ledger, topics, when):
    wrong = []
    for name, may_be in sorted(ledger.topics.items()):
        found = topics.get(name, ABSENT)
        if found not in may_be:
            wrong.append('%s has %d partitions, acknowledged were %s' % (name, found, sorted(may_be)))
    wrong += ['%s was made by nobody' % name for name in topics
              if name not in ledger.topics and not name.startswith('__')]
    if wrong:
        raise Failure('%s: %s' % (when, '; '.join(wrong[:10])))


def check(cluster, calls, ledger):
    if ledger.wrong:
        raise Failure('; '.join(ledger.wrong[:10]))
    first = calls.topics()
    compare(ledger, first, 'after the last kill')
    led = set()
    for _ in range(30):
        active = cluster.do('active')
        topics = calls.topics(controllers=(int(active[-1]),))
        if topics != first:
            raise Failure('%s has another image: %s' % (active, sorted(set(topics.items()) ^ set(first.items()))[:10]))
        led.add(active)
        if len(led) == len(CONTROLLERS):
            break
        cluster.do('kill', active)
        cluster.do('start', active)
    for node in CONTROLLERS:
        cluster.do('kill', node)
    for node in CONTROLLERS:
        cluster.do('start', node)
    if calls.topics() != first:
        raise Failure('after a restart of all the topics are others')
    return len(first), len(led)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--base-port', type=int, default=25192)
    args = parser.parse_args()
    ledger, stop = Ledger(), threading.Event()
    crashed = []

    def guarded(number, calls):
        try:
            work(number, args.seed, calls, ledger, stop)
        except Exception as e:
            crashed.append('worker %d: %r' % (number, e))

    with process.Cluster(args.base_port, '--brokers', '1') as cluster:
        calls = Calls(args.base_port)
        threads = [threading.Thread(target=guarded, args=(n, calls)) for n in range(WORKERS)]
        for thread in threads:
            thread.start()
        try:
            kill_and_start(cluster, random.Random(args.seed), args.kills)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        try:
            if crashed:
                raise Failure('; '.join(crashed))
            topics, led = check(cluster, calls, ledger)
        except Failure as e:
            print('FAIL seed %d: %s' % (args.seed, e))
            return 1
    print('ok: seed %d, %d kills, calls %s, %d topics, the same on %d controllers that led' % (
        args.seed, args.kills, ledger.counts, topics, led))
    return 0


if __name__ == '__main__':
    sys.exit(main())
