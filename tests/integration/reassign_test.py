#!/usr/bin/env python3
"""Partitions move to other brokers while they are written to and brokers and controllers die."""
import concurrent.futures
import json
import os
import subprocess

import process
from cases import Cases, equal, until

BASE = 24300
BROKERS = (1, 2, 3, 4)
RECORDS = 3000


class Moving:
    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, *args, stdin=None, seconds=90):
        return subprocess.run(
            [os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers',
             ','.join('127.0.0.1:%d' % (BASE + 100 + i) for i in range(3)), '--bootstrap-servers',
             ','.join('127.0.0.1:%d' % (BASE + i) for i in range(len(BROKERS)))],
            input=stdin, capture_output=True, text=True, timeout=seconds, env=process.CLEAN)

    def told(self, *args, stdin=None):
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, (args, done)
        return done.stdout

    def refused(self, why, *args):
        done = self.run(*args)
        assert done.returncode == 1 and why in done.stderr, (args, done)

    def replicas(self, topic):
        about = json.loads(self.told('topic', 'describe', topic, '--format', 'json'))[0]
        return {p['partition']: p['replicas'] for p in about['partitions']}

    def moving(self, *args):
        return json.loads(self.told('topic', 'reassign', *args, '--status', '--format', 'json'))

    def write(self, topic, values):
        self.told('produce', topic, stdin=''.join('%s\n' % value for value in values))

    def read(self, topic):
        return self.told('consume', topic, '--from-beginning', '--exit-at-end').split()

    def has_log(self, broker, topic, partition):
        data = self.cluster.path('broker-%d' % broker, 'data')
        return any('%s-%d' % (topic, partition) in folders for _, folders, _ in os.walk(data))


def others(replicas):
    return [b for b in BROKERS if b not in replicas]


def all_of_it_moves(m):
    """Under load, with the controller that leads and a broker of the target killed in the middle."""
    m.told('topic', 'create', 'all', '--partitions', '4', '--replication-factor', '2', '--config',
           'min.insync.replicas=2')
    m.write('all', range(RECORDS))
    before = m.replicas('all')
    target = {p: others(r) for p, r in before.items()}
    plan = m.cluster.path('plan.json')
    with open(plan, 'w') as f:
        json.dump({'version': 1, 'partitions': [{'topic': 'all', 'partition': p, 'replicas': r}
                                                for p, r in target.items()]}, f)
    m.told('topic', 'reassign', '--file', plan)
    victim = target[0][0]
    m.cluster.do('kill', 'broker-%d' % victim)
    active = m.cluster.do('active')
    m.cluster.do('kill', active)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # What has moved already wants the broker that is down for its acknowledgements.
        written = pool.submit(m.write, 'all', range(RECORDS, 2 * RECORDS))
        m.cluster.do('start', active)
        m.cluster.do('start', 'broker-%d' % victim)
        written.result()
    out = m.told('topic', 'reassign', '--status', '--wait')
    until(lambda: not m.moving(), 'everything has moved', 60)
    equal(m.replicas('all'), target)
    equal(sorted(map(int, m.read('all'))), list(range(2 * RECORDS)))
    for partition, replicas in before.items():
        for broker in replicas:
            until(lambda: not m.has_log(broker, 'all', partition), 'the log is gone at broker %d' % broker, 20)
    assert 'TOPIC' in out, out


def a_throttled_move_is_cancelled(m):
    for topic in ('slow', 'plain'):
        m.told('topic', 'create', topic, '--assignment', '1:2')
        m.write(topic, ['x' * 1000] * 2000)
    m.told('config', 'set', 'topic', 'slow', 'follower.replication.throttled.replicas=0:3')
    m.told('config', 'set', 'broker', '3', 'follower.replication.throttled.rate=1000')
    m.told('topic', 'reassign', 'slow', '--partition', '0', '--replicas', '3,2')
    # As much that is not throttled, to the same broker, is there before it.
    m.told('topic', 'reassign', 'plain', '--partition', '0', '--replicas', '3,2', '--wait')
    equal(m.moving('slow'), [{'topic': 'slow', 'partition': 0, 'replicas': [3, 2, 1], 'adding': [3], 'removing': [1]}])
    m.told('topic', 'reassign', 'slow', '--cancel')
    equal(m.moving(), [])
    equal(sorted(m.replicas('slow')[0]), [1, 2])
    until(lambda: not m.has_log(3, 'slow', 0), 'what had come is gone', 20)
    # Without it the same is quick.
    m.told('config', 'delete', 'broker', '3', 'follower.replication.throttled.rate')
    m.told('topic', 'reassign', 'slow', '--partition', '0', '--replicas', '3,2', '--wait')
    equal(m.replicas('slow')[0], [3, 2])
    equal(len(m.read('slow')), 2000)


def what_cannot_be_is_refused(m):
    m.told('topic', 'create', 'no', '--assignment', '1:2')
    m.refused('no such broker is registered', 'topic', 'reassign', 'no', '--partition', '0', '--replicas', '1,9')
    m.refused('more than once', 'topic', 'reassign', 'no', '--partition', '0', '--replicas', '1,1')
    m.refused('Unable to find partition', 'topic', 'reassign', 'no', '--partition', '7', '--replicas', '1')
    m.refused('Unable to find a topic', 'topic', 'reassign', 'nope', '--partition', '0', '--replicas', '1')
    m.refused('replication factor is changed', 'topic', 'reassign', 'no', '--partition', '0', '--replicas', '3',
              '--keep-replication-factor')
    m.refused('no-0', 'topic', 'reassign', 'no', '--partition', '0', '--cancel')
    m.refused('nothing to do', 'topic', 'reassign', 'no', '--cancel')
    equal(sorted(m.replicas('no')[0]), [1, 2])


def main():
    cases = Cases('reassign', seconds=200)
    with process.Cluster(BASE, '--brokers', '4') as cluster:
        m = Moving(cluster)
        cases.run('all replicas of a topic move, and nothing is lost', all_of_it_moves, m)
        cases.run('a throttled move is cancelled', a_throttled_move_is_cancelled, m)
        cases.run('what cannot be is refused', what_cannot_be_is_refused, m)
    cases.done()


if __name__ == '__main__':
    main()
