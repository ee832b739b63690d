#!/usr/bin/env python3
"""Controllers lose their disks. One after the other, while brokers fail over: each is replaced. All but one: the quorum
is recovered from the survivor. All: it is restored from a backup. Brokers go on, what was acknowledged is there, and
logs of topics that the metadata have forgotten are kept."""
import glob
import json
import os
import shutil
import subprocess
import sys
import threading

import process
import wire
from cases import Cases, equal, until

BASE = 25700
TIDEMARK = os.path.abspath(os.path.join(process.BIN, 'tidemark'))
IDS = (101, 102, 103)
KNOWS = '--i-know-that-committed-metadata-may-be-lost'
KEEPS = 'tidemark.unknown.logs.delete.enable'


def run(*args, ids=IDS, cwd=None, timeout=60):
    at = ','.join('127.0.0.1:%d' % (BASE + i - 1) for i in ids)
    return subprocess.run([TIDEMARK, *args, '--bootstrap-controllers', at], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, env=process.CLEAN, cwd=cwd)


def told(*args, **more):
    done = run(*args, **more)
    equal((args, done.returncode, done.stderr), (args, 0, ''))
    return done.stdout


def refused(sentence, *args, **more):
    done = run(*args, **more)
    assert done.returncode == 1 and sentence in done.stderr, done


def status(**more):
    return json.loads(told('quorum', 'status', '--format', 'json', **more))


def name_of(controller):
    return 'controller-%d' % (controller - 100)


class Records:
    """What was acknowledged: {topic: [value]}, of topics with one partition."""

    def __init__(self, ports):
        self.ports, self.sent = ports, {}

    def leader(self, topic):
        seen = wire.metadata(self.ports[0], [topic])
        leader = seen['topics'][topic]['partitions'][0]['leader'] if seen['topics'][topic]['partitions'] else -1
        return seen['brokers'].get(leader)

    def produce(self, topic, count=20):
        for _ in range(count):
            value = b'%s-%d' % (topic.encode(), len(self.sent.setdefault(topic, [])))

            def acknowledged():
                try:
                    port = self.leader(topic)
                    return port and wire.produce(port, topic, wire.batch([value]))[0] == 0
                except (OSError, KeyError):
                    return False
            until(acknowledged, '%s is acknowledged' % value, 30)
            self.sent[topic].append(value)

    def check(self, *topics):
        for topic in topics or self.sent:
            done = subprocess.run(
                [TIDEMARK, 'consume', topic, '--from-beginning', '--exit-at-end', '--bootstrap-servers',
                 '127.0.0.1:%d' % self.ports[0]],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=process.CLEAN)
            equal(done.returncode, 0)
            lost = set(self.sent[topic]) - set(done.stdout.split())
            assert not lost, (topic, sorted(lost)[:3])


def create(topic, **more):
    told('topic', 'create', topic, '--partitions', '1', '--replication-factor', '3', **more)


def config_of(cluster, controller):
    return cluster.path(name_of(controller), 'server.properties')


def edit(path, **settings):
    """Settings with _ for a dot; None takes one away."""
    with open(path) as f:
        lines = [line for line in f if line.split('=')[0].replace('.', '_') not in settings]
    lines += ['%s=%s\n' % (key.replace('_', '.'), value) for key, value in settings.items() if value is not None]
    with open(path, 'w') as f:
        f.writelines(lines)


def unfenced(count, **more):
    brokers = json.loads(told('broker', 'list', '--format', 'json', **more))
    return len([b for b in brokers if b['state'] == 'running']) == count


def ready(cluster):
    for broker in 1, 2, 3:
        until(lambda: process.http_status(BASE + 199 + broker, '/readyz') == 200, 'broker %d is ready' % broker)


def join_again(cluster, controller, cluster_id, *others):
    """A blank controller under that id follows, then votes: docs/operations.md."""
    name = name_of(controller)
    shutil.rmtree(cluster.path(name, 'data'), ignore_errors=True)
    told('storage', 'format', '--config', config_of(cluster, controller), '--cluster-id', cluster_id,
         '--no-initial-controllers', cwd=cluster.path(name))
    cluster.do('start', name)
    directory = json.loads(told('storage', 'info', cluster.path(name, 'data'), '--format', 'json'))[0]['directory_id']
    until(lambda: run('quorum', 'add', str(controller), '--address', '127.0.0.1:%d' % (BASE + controller - 1),
                      '--directory-id', directory, ids=others).returncode == 0, '%d votes' % controller, 60)


class Producing:
    """Records are sent all the time."""

    def __init__(self, records, topic):
        self.records, self.topic, self.over, self.failure = records, topic, threading.Event(), None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over.is_set():
                self.records.produce(self.topic, 1)
        except Exception as e:
            self.failure = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def replacement(cluster, records, cluster_id):
    """Every controller in turn, the one that leads as well, and each time a broker dies, too."""
    create('meanwhile')
    with Producing(records, 'meanwhile') as producing:
        for controller, broker in zip(IDS, ('broker-3', 'broker-2', 'broker-3')):
            sent = len(records.sent['meanwhile'])
            old = next(v['directory_id'] for v in status()['voters'] if v['id'] == controller)
            cluster.do('kill', name_of(controller))
            cluster.do('kill', broker)
            others = [i for i in IDS if i != controller]
            until(lambda: status(ids=others)['leader'] in others, 'another one leads')
            told('quorum', 'remove', str(controller), '--directory-id', old, ids=others)
            edit(config_of(cluster, controller), controller_quorum_voters=None,
                 controller_quorum_bootstrap_servers=','.join('127.0.0.1:%d' % (BASE + i - 1) for i in IDS))
            join_again(cluster, controller, cluster_id, *others)
            cluster.do('start', broker)
            until(lambda: unfenced(3), 'all brokers are there')
            until(lambda: len(records.sent['meanwhile']) > sent + 10 or producing.failure, 'records are acknowledged')
    equal(producing.failure, None)
    assert old not in [v['directory_id'] for v in status()['voters']]
    records.check()


def copied_back(cluster):
    """An older copy of a directory: what it has acknowledged since is missing, and its leader knows."""
    leader = status()['leader']
    name = name_of(next(i for i in IDS if i != leader))
    data, older, newer = (cluster.path(name, x) for x in ('data', 'older', 'newer'))
    cluster.do('stop', name)
    shutil.copytree(data, older)
    cluster.do('start', name)
    create('since')
    until(lambda: len({v['match_offset'] for v in status()['voters']}) == 1, 'all have it')
    cluster.do('kill', name)
    os.rename(data, newer)
    os.rename(older, data)
    cluster.do('start', name)
    until(lambda: 'is an older copy' in cluster.said(name), 'it says so')
    equal(status()['leader'], leader)
    until(lambda: not next(v for v in status()['voters'] if name_of(v['id']) == name)['active'], 'it is not counted on')
    equal(status()['leader'], leader)
    cluster.do('kill', name)
    shutil.rmtree(data)
    os.rename(newer, data)
    cluster.do('start', name)
    until(lambda: all(v['active'] for v in status()['voters']), 'all controllers follow')


def come_back(cluster, records, survivor, lost):
    """Those who were left behind, a majority of the voters that they know, on their old disks: against what is said."""
    create('alone', ids=(survivor,))
    epoch = status(ids=(survivor,))['epoch']
    first, second = (process.Running('tidemark-controller', '--config', config_of(cluster, controller),
                                     cwd=cluster.path(name_of(controller))) for controller in lost)
    with first, second:
        for each in first, second:
            # Neither leads: they end, in order, and are not to be started again.
            equal(each.process.wait(20), 78)
            said = each.said()
            assert 'was recovered without this controller' in said and 'active epoch' not in said, said
    after = status(ids=(survivor,))
    equal((after['leader'], after['epoch'], [v['id'] for v in after['voters']]), (survivor, epoch, [survivor]))
    records.produce('alone')
    assert 'alone' in {t['name'] for t in json.loads(told('topic', 'list', '--format', 'json', ids=(survivor,)))}


def recovery(cluster, records, cluster_id):
    survivor, lost = 102, (101, 103)
    home, config = cluster.path(name_of(survivor)), config_of(cluster, survivor)
    before = status()
    refused('another process', 'quorum', 'recover', '--config', config, KNOWS, cwd=home)
    for controller in lost:
        cluster.do('kill', name_of(controller))
    refused('is lost', 'quorum', 'recover', '--config', config, cwd=home)
    cluster.do('kill', name_of(survivor))
    said = told('quorum', 'recover', '--config', config, KNOWS, cwd=home)
    assert 'controller 102' in said and 'is the only voter' in said and 'voters before: 101 102 103' in said, said
    refused('only voter already', 'quorum', 'recover', '--config', config, KNOWS, cwd=home)
    cluster.do('start', name_of(survivor))
    until(lambda: status(ids=(survivor,))['leader'] == survivor, 'the survivor leads')
    after = status(ids=(survivor,))
    equal([v['id'] for v in after['voters']], [survivor])
    assert after['epoch'] > before['epoch'] and after['committed_offset'] > before['committed_offset'] + 10 ** 8
    come_back(cluster, records, survivor, lost)
    for controller in lost:
        join_again(cluster, controller, cluster_id, survivor)
    equal(sorted(v['id'] for v in status()['voters']), sorted(IDS))
    until(lambda: unfenced(3), 'all brokers are there')
    for topic in list(records.sent):
        records.produce(topic)
    create('after-recovery')
    records.produce('after-recovery')
    # Another one leads, and has it all.
    told('quorum', 'transfer', '101')
    until(lambda: status()['leader'] == 101, '101 leads')
    records.produce('before')
    records.check()


def kept(cluster, topic):
    return [glob.glob(cluster.path('broker-%d' % broker, 'data', topic + '-0.*-kept')) for broker in (1, 2, 3)]


def restoration(cluster, records, cluster_id):
    file = os.path.join(cluster.folder, 'metadata.backup')
    assert 'wrote ' + file in told('quorum', 'backup', file)
    equal(os.stat(file).st_mode & 0o777, 0o600)  # it may hold credentials
    create('late')
    records.produce('late')
    records.produce('before')
    # One broker knows what comes; another starts after it.
    cluster.do('stop', 'broker-3')
    for controller in IDS:
        cluster.do('kill', name_of(controller))
        shutil.rmtree(cluster.path(name_of(controller), 'data'))
    home, config = cluster.path('controller-1'), config_of(cluster, 101)
    edit(config, controller_quorum_voters=None, controller_quorum_bootstrap_servers='127.0.0.1:%d' % (BASE + 100))
    with open(file, 'r+b') as f:
        f.seek(os.path.getsize(file) // 2)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))
    refused('not those that were written', 'quorum', 'restore', file, '--config', config, cwd=home)
    with open(file, 'r+b') as f:
        f.seek(os.path.getsize(file) // 2)
        f.write(byte)
    assert 'only voter of cluster %s' % cluster_id in told('quorum', 'restore', file, '--config', config, cwd=home)
    refused('is formatted', 'quorum', 'restore', file, '--config', config, cwd=home)
    cluster.do('start', 'controller-1')
    until(lambda: status(ids=(101,))['leader'] == 101, 'the restored one leads')
    cluster.do('start', 'broker-3')
    until(lambda: unfenced(3, ids=(101,)), 'all brokers are there')
    for controller in 102, 103:
        edit(config_of(cluster, controller), controller_quorum_voters=None,
             controller_quorum_bootstrap_servers='127.0.0.1:%d' % (BASE + 100))
        join_again(cluster, controller, cluster_id, 101)
    # Nobody knows the topic any more, and nobody has removed it.
    until(lambda: all(kept(cluster, 'late')), 'all three logs are kept')
    topics = {t['name'] for t in json.loads(told('topic', 'list', '--format', 'json'))}
    assert 'late' not in topics and 'before' in topics, topics
    del records.sent['late']
    records.produce('before')
    records.check()
    # Neither does the same name again, nor a restart.
    create('late')
    records.produce('late')
    cluster.do('stop', 'broker-1')
    cluster.do('start', 'broker-1')
    until(lambda: unfenced(3), 'all brokers are there')
    assert all(kept(cluster, 'late')), kept(cluster, 'late')
    records.check('late')
    # What is deleted then is deleted, once that is wanted again.
    told('config', 'delete', 'broker', 'default', KEEPS)
    told('topic', 'delete', 'late')
    until(lambda: not any(glob.glob(cluster.path('broker-%d' % b, 'data', 'late-0')) for b in (1, 2, 3)), 'it goes')
    equal([len(x) for x in kept(cluster, 'late')], [1, 1, 1])


def local_backup(cluster):
    """Without a leader: of one controller as it is."""
    file = os.path.join(cluster.folder, 'local.backup')
    for controller in 102, 103:
        cluster.do('kill', name_of(controller))
    until(lambda: status(ids=(101,))['leader'] == -1, 'nobody leads')
    refused('this is not the active controller', 'quorum', 'backup', file, '--timeout-ms', '1500', ids=(101,))
    assert not os.path.exists(file)
    made = json.loads(told('quorum', 'backup', file, '--local', '--format', 'json', ids=(101,)))
    equal((made['controller'], made['bytes']), (101, os.path.getsize(file)))
    for controller in 102, 103:
        cluster.do('start', name_of(controller))
    until(lambda: all(v['active'] for v in status()['voters']), 'all controllers follow')


def main():
    cases = Cases('backup', seconds=180)
    with process.Cluster(BASE) as cluster:
        with open(cluster.path('cluster.json')) as f:
            cluster_id = json.load(f)['cluster_id']
        records = Records([BASE, BASE + 1, BASE + 2])
        create('before')
        records.produce('before')
        until(lambda: None not in [v['directory_id'] for v in status()['voters']], 'voters are known')
        cases.run('each controller gets an empty disk, while brokers fail over', replacement, cluster, records, cluster_id)
        cases.run('an older copy of a directory is noticed', copied_back, cluster)
        cases.run('a backup of a controller without a leader', local_backup, cluster)
        cases.run('a quorum is recovered from one survivor', recovery, cluster, records, cluster_id)
        cases.run('a quorum is restored from a backup', restoration, cluster, records, cluster_id)
    cases.done()


if __name__ == '__main__':
    main()
