#!/usr/bin/env python3
"""Disks that are lost: replaced by an empty one under the same id, or broken beside others that are not."""
import json
import os
import shutil
import struct
import subprocess
import sys

import process
import wire
from cases import Cases, equal, until

BASE = 23892
RECORDS = 1000


def tidemark(*args):
    done = subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers',
                           ','.join('127.0.0.1:%d' % (BASE + 100 + i) for i in range(3))],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=process.CLEAN)
    equal((args, done.returncode, done.stderr), (args, 0, ''))
    return done.stdout


def partitions(topic):
    """As the controllers have them, by index."""
    about = json.loads(tidemark('topic', 'describe', topic, '--format', 'json'))[0]
    return {p['partition']: p for p in about['partitions']}


def leader_of(topic, partition=0):
    return partitions(topic)[partition]['leader']


def send(topic, count, partition=0, broker=None):
    """So many records in batches of 100, each batch until it is acknowledged."""
    for _ in range(count // 100):
        def acknowledged():
            try:
                leader = broker or leader_of(topic, partition)
                return leader > 0 and wire.produce(BASE + leader - 1, topic, wire.batch([b'x'] * 100), partition)[0] == 0
            except (OSError, struct.error):
                return False
        until(acknowledged, 'records to %s-%d are acknowledged' % (topic, partition), 30)


def end_offset(topic, leader, partition=0):
    """ListOffsets v1, latest."""
    body = struct.pack('>ii', -1, 1) + wire.string(topic) + struct.pack('>iiq', 1, partition, -1)
    r = wire.Reader(wire.call(BASE + leader - 1, 2, 1, body))
    r.get('i')
    r.string()
    r.get('i')
    _, error, _, offset = r.get('ihqq')
    equal(error, 0)
    return offset


def said_by_controllers(cluster, word):
    return any(word in cluster.said('controller-%d' % i) for i in (1, 2, 3))


def replaced_disk(cases, cluster):
    """Three replicas, two stop, the third goes on alone, is killed, and comes back with an empty disk."""
    def goes_on_alone():
        tidemark('topic', 'create', 'lost', '--assignment', '3:1:2', '--config', 'min.insync.replicas=1')
        # The same with the default, under which it may not go on alone.
        tidemark('topic', 'create', 'kept', '--assignment', '3:1:2')
        for topic in 'lost', 'kept':
            good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], topic, 3, 30)
            assert good, seen
            send(topic, RECORDS)
        cluster.do('stop', 'broker-1')
        cluster.do('stop', 'broker-2')
        until(lambda: partitions('lost')[0]['isr'] == [3], 'broker 3 is alone in sync')
        until(lambda: partitions('kept')[0]['isr'] == [3], 'broker 3 is alone in sync')
        equal((partitions('lost')[0]['elr'], partitions('kept')[0]['elr']), ([], [2]))
        send('lost', 200, broker=3)
        cluster.do('kill', 'broker-3')
    cases.run('the last in sync goes on alone and dies', goes_on_alone)

    old = cluster.path('broker-3', 'old-data')

    def comes_back_empty():
        data, home = cluster.path('broker-3', 'data'), cluster.path('broker-3')
        with open(os.path.join(data, 'meta.properties')) as f:
            cluster_id = next(line.split('=', 1)[1].strip() for line in f if line.startswith('cluster.id='))
        os.rename(data, old)
        os.mkdir(data)
        subprocess.run([os.path.join(process.BIN, 'tidemark'), 'storage', 'format', '--config',
                        os.path.join(home, 'server.properties'), '--cluster-id', cluster_id], cwd=home, check=True,
                       stdout=subprocess.DEVNULL, env=process.CLEAN)
        for n in (3, 1, 2):
            cluster.do('start', 'broker-%d' % n)
        until(lambda: [b['state'] for b in json.loads(tidemark('broker', 'list', '--format', 'json'))] == ['running'] * 3,
              'all brokers run')
        until(lambda: said_by_controllers(cluster, 'comes back without the directories'), 'the controllers say so')
        for _ in range(20):
            equal(leader_of('lost'), -1)
        assert not os.path.exists(os.path.join(data, 'lost-0')), 'an empty log took the place of the lost one'
        for n in (1, 2):
            assert 'truncating partition=lost-0' not in cluster.said('broker-%d' % n)
    cases.run('with an empty disk it leads nothing, and nobody is cut', comes_back_empty)

    def eligible():
        leader = until(lambda: leader_of('kept') > 0 and leader_of('kept'), 'a leader is elected')
        equal(end_offset('kept', leader), RECORDS)
        equal(partitions('kept')[0]['leader_epoch'] > 0, True)
        assert not said_by_controllers(cluster, 'UNCLEAN ELECTION'), 'nothing was lost'
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'kept', 3, 30)
        assert good, seen
        equal(partitions('kept')[0]['elr'], [])
        send('kept', 100)
    cases.run('where it could not go on alone, an eligible one leads with all that was acknowledged', eligible)

    def restart_changes_nothing():
        cluster.do('stop', 'broker-3')
        cluster.do('start', 'broker-3')
        until(lambda: json.loads(tidemark('broker', 'describe', '3', '--format', 'json'))['state'] == 'running', 'it runs')
        equal(leader_of('lost'), -1)
    cases.run('nor after another start', restart_changes_nothing)

    def ordered():
        tidemark('topic', 'alter', 'lost', '--set', 'unclean.leader.election.enable=true')
        leader = until(lambda: leader_of('lost') > 0 and leader_of('lost'), 'a leader is elected')
        assert leader in (1, 2), leader
        equal(end_offset('lost', leader), RECORDS)
        assert said_by_controllers(cluster, 'UNCLEAN ELECTION'), 'nobody says what was lost'
        tidemark('topic', 'alter', 'lost', '--delete', 'unclean.leader.election.enable')
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'lost', 3, 30)
        assert good, seen
        send('lost', 100)
        shutil.rmtree(old)
    cases.run('an election that is ordered takes who has most, and all are in sync again', ordered)


def broken_directory(cases, cluster):
    """One of the two directories of broker 2 goes away under its feet."""
    count, broken = 12, {}
    data2, gone = cluster.path('broker-2', 'data2'), cluster.path('broker-2', 'gone')

    def moves():
        tidemark('topic', 'create', 'two', '--assignment', ','.join(['2:1:3', '2:1:3', '1:2:3', '1:2:3'] * (count // 4)))
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'two', 3, 30)
        assert good, seen
        for p in range(count):
            send('two', 100, p)
        broken.update({int(name.split('-')[1]): 1 for name in os.listdir(data2) if name.startswith('two-')})
        assert 0 < len(broken) < count, broken
        leaders = {p: row['leader'] for p, row in partitions('two').items()}
        equal({leaders[p] for p in broken}, {1, 2})
        led = [p for p, row in partitions('two').items() if p not in broken and row['leader'] == 2]
        os.rename(data2, gone)

        def moved():
            rows = partitions('two')
            return all(rows[p]['leader'] in (1, 3) and 2 not in rows[p]['isr'] for p in broken)
        until(moved, 'its partitions have other leaders', 30)
        rows = partitions('two')
        for p in range(count):
            if p not in broken:
                assert 2 in rows[p]['isr'], rows[p]
        assert all(rows[p]['leader'] == 2 for p in led), (led, rows)
        for p in range(count):
            send('two', 100, p)
            assert end_offset('two', leader_of('two', p), p) >= 200, 'acknowledged records are gone'
    cases.run('what was in the broken directory is led elsewhere, the rest is not', moves)

    def says_so():
        about = json.loads(tidemark('broker', 'describe', '2', '--format', 'json'))
        equal((about['state'], len(about['offline_directories'])), ('running', 1))
        assert 'data2' in about['offline_directories'][0]['path'], about
        assert about['offline_directories'][0]['reason'], about
        assert 'data2 is offline' in tidemark('broker', 'list')
        equal(process.http_get(BASE + 201, '/readyz')[0], 200)
        assert 'data2 is offline: ' in process.http_get(BASE + 201, '/readyz')[1]
        assert 'kafka_log_logmanager_offlinelogdirectorycount 1' in process.http_get(BASE + 201, '/metrics')[1]
        assert said_by_controllers(cluster, 'cannot use directory=data2')
    cases.run('broker, controllers and command line say which and why', says_so)

    def comes_back():
        cluster.do('stop', 'broker-2')
        shutil.rmtree(data2, ignore_errors=True)
        os.rename(gone, data2)
        cluster.do('start', 'broker-2')
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'two', 3, 30)
        assert good, seen
        equal(json.loads(tidemark('broker', 'describe', '2', '--format', 'json'))['offline_directories'], [])
        for p in range(count):
            assert end_offset('two', leader_of('two', p), p) >= 200, 'acknowledged records are gone'
    cases.run('with it back and started again, all are in sync', comes_back)


def vanishing_directory(cases, cluster):
    """What is open would be written to for a while; it is noticed before that."""
    def noticed():
        data = cluster.path('broker-3', 'data')
        gone = cluster.path('broker-3', 'away')
        os.rename(data, gone)
        os.mkdir(data)
        until(lambda: 'data is not what it was' in process.http_get(BASE + 202, '/readyz')[1], 'it says so', 5)
        for p in range(12):
            send('two', 1, p)
        equal([name for name in os.listdir(data) if os.path.isdir(os.path.join(data, name))], [])
        cluster.do('stop', 'broker-3')
        shutil.rmtree(data)
        os.rename(gone, data)
        cluster.do('start', 'broker-3')
        good, seen = wire.wait_healthy([BASE, BASE + 1, BASE + 2], 'two', 3, 30)
        assert good, seen
    cases.run('another folder in the place of a log directory is left alone', noticed)


def main():
    cases = Cases('lost disk')
    with process.Cluster(BASE) as cluster:
        replaced_disk(cases, cluster)
    with process.Cluster(BASE, '--set', 'log.dirs=data,data2') as cluster:
        broken_directory(cases, cluster)
        vanishing_directory(cases, cluster)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
