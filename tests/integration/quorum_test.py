#!/usr/bin/env python3
"""A quorum of controllers that changes while it works: grown, its leader removed, a lost disk replaced, handed over."""
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import process
from cases import Cases, equal, until

BASE = 24100
TIDEMARK = os.path.abspath(os.path.join(process.BIN, 'tidemark'))
PORTS = {101: BASE + 100, 102: BASE + 101, 103: BASE + 102, 104: BASE + 110}


def tidemark(*args, ids=(101, 102, 103, 104), timeout=60):
    return subprocess.run([TIDEMARK, *args, '--bootstrap-controllers',
                          ','.join('127.0.0.1:%d' % PORTS[i] for i in ids)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, env=process.CLEAN)


def told(*args, **more):
    done = tidemark(*args, **more)
    equal((args, done.returncode, done.stderr), (args, 0, ''))
    return done.stdout


def status(**more):
    return json.loads(told('quorum', 'status', '--format', 'json', **more))


def voters():
    return {v['id']: v['directory_id'] for v in status()['voters']}


def directory_of(path):
    return json.loads(told('storage', 'info', path, '--format', 'json'))[0]['directory_id']


def format_controller(home, node, *flags):
    """A folder with server.properties and a blank, formatted directory."""
    os.makedirs(home, exist_ok=True)
    config = os.path.join(home, 'server.properties')
    with open(config, 'w') as f:
        f.write('node.id=%d\nlog.dirs=%s\nlisteners=CONTROLLER://127.0.0.1:%d\nhttp.port=-1\n'
                'controller.quorum.bootstrap.servers=%s\n' % (
                    node, os.path.join(home, 'data'), PORTS[node],
                    ','.join('127.0.0.1:%d' % PORTS[i] for i in (101, 102, 103))))
    told('storage', 'format', '--config', config, *flags)
    return config


class Creating:
    """Topics are created, one after the other, all the time; no call fails for good."""

    def __init__(self):
        self.stop, self.failed, self.made = threading.Event(), [], 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            done = tidemark('topic', 'create', 't%d' % self.made, '--partitions', '1', '--replication-factor', '1')
            if done.returncode and 'TOPIC_ALREADY_EXISTS' not in done.stderr and 'already exists' not in done.stderr:
                self.failed.append(done.stderr)
            self.made += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def main():
    cases = Cases('quorum')
    with process.Cluster(BASE, '--brokers', '1') as cluster:
        with open(cluster.path('cluster.json')) as f:
            cluster_id = json.load(f)['cluster_id']
        home = os.path.join(cluster.folder, 'fourth')

        def agrees():
            until(lambda: '-' not in voters().values(), 'the configured quorum has agreed on its directories')
            for node in 101, 102, 103:
                equal(voters()[node], directory_of(cluster.path('controller-%d' % (node - 100), 'data')))

        def grows(config):
            fourth = directory_of(os.path.join(home, 'data'))
            until(lambda: [x['id'] for x in status()['learners']] == [104], 'the fourth follows by itself')
            told('quorum', 'add', '104', '--address', '127.0.0.1:%d' % PORTS[104], '--directory-id', fourth)
            equal(voters().get(104), fourth)
            told('quorum', 'add', '104', '--address', '127.0.0.1:%d' % PORTS[104], '--directory-id', fourth)

        def leader_removed():
            leader = status()['leader']
            told('quorum', 'remove', str(leader))
            assert leader not in voters(), voters()
            until(lambda: status()['leader'] not in (-1, leader), 'another one leads')
            assert len(voters()) == 3, voters()
            # Its process still runs, and says at once that it is not the one to ask.
            began = time.monotonic()
            until(lambda: tidemark('topic', 'list', ids=(leader, 104)).returncode == 0, 'another one answers')
            assert time.monotonic() - began < 3, time.monotonic() - began
            return leader

        def lost_disk_replaced():
            lost = next(i for i in voters() if i not in (104, status()['leader']))
            name = 'controller-%d' % (lost - 100)
            before = voters()[lost]
            cluster.do('kill', name)
            shutil.rmtree(cluster.path(name, 'data'))
            config = cluster.path(name, 'server.properties')
            done = subprocess.run([TIDEMARK, 'storage', 'format', '--config', config,
                                   '--cluster-id', cluster_id], cwd=cluster.path(name), capture_output=True, text=True,
                                  env=process.CLEAN)
            equal((done.returncode, done.stderr), (0, ''))
            now = directory_of(cluster.path(name, 'data'))
            assert now != before
            cluster.do('start', name)
            refused = tidemark('quorum', 'add', str(lost), '--address', '127.0.0.1:%d' % PORTS[lost],
                               '--directory-id', now)
            assert refused.returncode and 'remove it first' in refused.stderr, refused
            told('quorum', 'remove', str(lost), '--directory-id', before)
            told('quorum', 'add', str(lost), '--address', '127.0.0.1:%d' % PORTS[lost], '--directory-id', now)
            equal(voters()[lost], now)

        def transferred():
            for to in sorted(voters()):
                told('quorum', 'transfer', str(to))
                until(lambda: status()['leader'] == to, '%d leads' % to)

        def forgotten(removed):
            """What was removed does not come back, and a learner that is gone is let go."""
            assert removed not in voters()
            done = tidemark('quorum', 'forget', str(status()['leader']))
            assert done.returncode and 'votes' in done.stderr, done

        def seen_without_a_leader():
            for node in voters():
                if node != 104:
                    cluster.do('kill', 'controller-%d' % (node - 100))
            until(lambda: status(ids=(104,), timeout=120)['leader'] == -1, 'the last one has no leader', 60)
            seen = status(ids=(104,))
            equal((seen['seen_by'], len(seen['voters'])), (104, 3))

        cases.run('a configured quorum agrees on its directories', agrees)
        config = format_controller(home, 104, '--cluster-id', cluster_id, '--no-initial-controllers')
        with process.Running('tidemark-controller', '--config', config), Creating() as creating:
            cases.run('a fourth controller is added', grows, config)
            removed = []
            cases.run('the leader is removed', lambda: removed.append(leader_removed()))
            cases.run('a lost disk is replaced under its id', lost_disk_replaced)
            cases.run('leadership is transferred to each', transferred)
            cases.run('only learners are forgotten', lambda: forgotten(removed[0]))
            creating.__exit__()
            cases.run('no topic creation failed', lambda: equal(creating.failed, []))
            cases.run('topics were created all the time', lambda: equal(creating.made > 10, True))
            cases.run('status without a leader', seen_without_a_leader)
    cases.done()


if __name__ == '__main__':
    main()
