#!/usr/bin/env python3
"""Processes that cannot start say why in one line and end; what runs goes on."""
import os
import shutil
import subprocess
import sys
import time

import process
import wire
from cases import Cases, equal

BASE = 23492
ROLES = {'broker': ('broker-1', 'tidemark-broker', BASE), 'controller': ('controller-1', 'tidemark-controller', BASE + 100)}
PROTOCOL = {'broker': 'PLAINTEXT', 'controller': 'CONTROLLER'}


class Place:
    """A folder with a formatted data directory and a server.properties like a running node's, to be spoiled."""

    def __init__(self, cluster, role, name, node_id=None, port=None, cluster_id=None):
        self.role = role
        node, self.program, _ = ROLES[role]
        self.path = os.path.join(cluster.folder, name)
        os.makedirs(os.path.join(self.path, 'data'))
        with open(cluster.path(node, 'server.properties')) as f:
            settings = dict(line.strip().split('=', 1) for line in f)
        settings['http.port'] = str(BASE + 99)
        if node_id is not None:
            settings['node.id'] = str(node_id)
        if port is not None:
            settings['listeners'] = settings['advertised.listeners'] = '%s://127.0.0.1:%d' % (PROTOCOL[role], port)
            if role == 'controller':
                settings.pop('advertised.listeners')
        self.config = os.path.join(self.path, 'server.properties')
        with open(self.config, 'w') as f:
            f.writelines('%s=%s\n' % item for item in settings.items())
        if cluster_id:
            subprocess.run([os.path.join(process.BIN, 'tidemark'), 'storage', 'format', '--config', self.config,
                            '--cluster-id', cluster_id], cwd=self.path, check=True, stdout=subprocess.DEVNULL,
                           env=process.CLEAN)

    def refused(self, *words, overrides=(), seconds=20, uid=None, program=None):
        """It ends with code 1 and a last line, of its own making, that has these words."""
        args = ['--config', self.config]
        for o in overrides:
            args += ['--override', o]
        code, lines = process.end_of(program or self.program, *args, cwd=self.path, seconds=seconds, uid=uid)
        equal((code, lines[-3:]) if code != 1 else 1, 1)
        last = lines[-1]
        assert last.startswith(self.program + ': '), last
        for word in words:
            assert word in last, '%r is not in %r' % (word, last)


def cluster_id_of(cluster):
    with open(cluster.path('broker-1', 'data', 'meta.properties')) as f:
        return next(line.split('=', 1)[1].strip() for line in f if line.startswith('cluster.id='))


def misspelt_key(cluster, role):
    node = ROLES[role][0]
    config = cluster.path(node, 'server.properties')
    before = open(config).read()
    cluster.do('stop', node)
    try:
        with open(config, 'a') as f:
            f.write('log.dris=elsewhere\n')
        cluster.do('start', node)
        assert "did you mean 'log.dirs'" in cluster.said(node), cluster.said(node)[-500:]
    finally:
        with open(config, 'w') as f:
            f.write(before)


def bad_value(cluster, role):
    place = Place(cluster, role, role + '-value', cluster_id=cluster_id_of(cluster), port=BASE + 60)
    place.refused('node.id', "'one'", 'whole number', overrides=['node.id=one'])
    place.refused('key=value', overrides=['node.id'])
    place.refused('http.port', overrides=['http.port=70000'])
    code, lines = process.end_of(place.program, '--config', os.path.join(place.path, 'no-such-file'))
    equal(code, 1)
    assert 'no-such-file' in lines[-1], lines


def asks_for_security(cluster, role):
    """What cannot be had is refused, not left away: the file of a protected cluster must not make an open one."""
    place = Place(cluster, role, role + '-security', cluster_id=cluster_id_of(cluster), port=BASE + 67)
    for key, value in (('ssl.keystore.location', '/x'), ('sasl.enabled.mechanisms', 'PLAIN'),
                       ('authorizer.class.name', 'a.B'), ('super.users', 'User:admin'),
                       ('principal.builder.class', 'a.B'), ('security.inter.broker.protocol', 'SSL')):
        place.refused(key, overrides=['%s=%s' % (key, value)])
    place.refused('ssl.keystore.location', overrides=['listener.security.protocol.map=%s:SSL' % PROTOCOL[role]])
    place.refused(PROTOCOL[role], overrides=['listener.security.protocol.map=%s:SASL_SSL' % PROTOCOL[role]])


SPECIAL = {  # what the documentation of a key says about one of its values: each is a start like any other
    'both': ('http.port=-1', 'http.port=0', 'http.host=127.0.0.1', 'log.retention.hours=-1',
             'log.retention.minutes=-1', 'log.retention.ms=-1', 'log.retention.bytes=-1',
             'log.flush.interval.messages=9223372036854775807'),
    'broker': ('tidemark.shards=0', 'log.dirs=data', 'advertised.listeners=', 'broker.rack=',
               'controlled.shutdown.timeout.ms=0', 'group.initial.rebalance.delay.ms=0'),
    'controller': ('cluster.id=', 'advertised.listeners=', 'broker.reconnect.grace.ms=0', 'listeners='),
}


def special_values_start(cluster, role):
    node_id = 21 if role == 'broker' else 101
    place = Place(cluster, role, role + '-special', node_id=node_id, port=BASE + 68, cluster_id=cluster_id_of(cluster))
    more = [] if role == 'broker' else ['controller.quorum.voters=101@127.0.0.1:%d' % (BASE + 68)]
    for special in SPECIAL['both'] + SPECIAL[role]:
        args = [word for o in more + [special] for word in ('--override', o)]
        with process.Running(place.program, '--config', place.config, *args, cwd=place.path) as started:
            ready = started.says('unfenced' if role == 'broker' else 'controller: started')
            assert ready, (special, started.said()[-500:])
            equal((special, started.stop()), (special, 0))


def port_in_use(cluster, role):
    node_id = 7 if role == 'broker' else 101
    port = ROLES[role][2]
    place = Place(cluster, role, role + '-port', node_id=node_id, port=port, cluster_id=cluster_id_of(cluster))
    place.refused(str(port), 'in use')


def not_formatted(cluster, role):
    Place(cluster, role, role + '-raw', port=BASE + 61).refused('storage format')


def controller_without_its_votes(cluster):
    """What has voted and is gone is not replaced by a blank voter of the same name (D-2)."""
    place = Place(cluster, 'controller', 'no-votes', port=BASE + 61, cluster_id=cluster_id_of(cluster))
    data = os.path.join(place.path, 'data')
    os.remove(os.path.join(data, 'raft.unused'))
    for _ in range(2):
        place.refused('is gone', 'another node id')
    equal(os.path.exists(os.path.join(data, 'raft')), False)


def contradicting_flags():
    for words, args in ((('--restore and --recover',), ['--restore', 'file', '--recover']),
                        (('--cluster-id', '--restore'), ['--cluster-id', 'c']),
                        (('--cluster-id', '--restore'), ['--cluster-id', 'c', '--recover'])):
        code, lines = process.end_of('tidemark-controller', '--config', 'none', *args)
        equal((code, len(lines)), (1, 1))
        assert all(word in lines[0] for word in words), lines


def directory_of_another_node(cluster, role):
    place = Place(cluster, role, role + '-node', port=BASE + 62, cluster_id=cluster_id_of(cluster))
    place.refused('node', overrides=['node.id=55'])


def directory_of_another_cluster(cluster):
    place = Place(cluster, 'broker', 'other-cluster', node_id=8, port=BASE + 63, cluster_id='AAAAAAAAAAAAAAAAAAAAAA')
    place.refused('cluster', 'AAAAAAAAAAAAAAAAAAAAAA', seconds=40)


def directories_of_two_clusters(cluster):
    place = Place(cluster, 'broker', 'two-clusters', port=BASE + 64, cluster_id=cluster_id_of(cluster))
    shutil.copytree(os.path.join(place.path, 'data'), os.path.join(place.path, 'data2'))
    meta = os.path.join(place.path, 'data2', 'meta.properties')
    with open(meta) as f:
        text = f.read().replace(cluster_id_of(cluster), 'AAAAAAAAAAAAAAAAAAAAAA')
    with open(meta, 'w') as f:
        f.write(text)
    place.refused('data2', overrides=['log.dirs=data,data2'])


def read_only(cluster, role):
    place = Place(cluster, role, role + '-ro', node_id=9 if role == 'broker' else None, port=BASE + 65,
                  cluster_id=cluster_id_of(cluster))
    data, program, uid = os.path.join(place.path, 'data'), None, None
    for folder, _, files in os.walk(data):
        for f in files:
            os.chmod(os.path.join(folder, f), 0o444)
        os.chmod(folder, 0o555)
    if os.getuid() == 0:  # root may write anywhere: be somebody else
        program = os.path.join(cluster.folder, place.program)
        if not os.path.exists(program):
            shutil.copy(os.path.join(process.BIN, place.program), program)
        uid = 65534
    place.refused('data', overrides=['log.dirs=' + data], program=program, uid=uid)


def second_process(cluster, role):
    node, program, _ = ROLES[role]
    place = Place(cluster, role, role + '-second', port=BASE + 66)
    place.refused('data', 'another process', overrides=['log.dirs=' + cluster.path(node, 'data')])


def limited(count, place, *more):
    """A command: the broker with so many descriptors."""
    return [shutil.which('bash'), '-c', 'ulimit -n %d && exec "$@"' % count, 'limited',
            os.path.join(process.BIN, place.program), '--config', place.config, *more]


def told_to_stop_while_it_waits(cluster):
    """Descriptors have run out: it tries again for half a minute, but not when it is told to stop."""
    place = Place(cluster, 'broker', 'broker-waits', node_id=31, port=BASE + 69)
    with open(place.config, 'a') as f:
        f.write('log.dirs=%s\n' % ','.join('data/%d' % i for i in range(140)))
    subprocess.run([os.path.join(process.BIN, 'tidemark'), 'storage', 'format', '--config', place.config, '--cluster-id',
                    cluster_id_of(cluster)], cwd=place.path, check=True, stdout=subprocess.DEVNULL, env=process.CLEAN)
    with process.Running(*limited(130, place), cwd=place.path) as started:
        assert started.says('the start waits'), started.said()[-500:]
        began = time.monotonic()
        equal(started.stop(), 0)
        assert time.monotonic() - began < 1.5, time.monotonic() - began
        assert 'stopped before it had started' in started.said(), started.said()[-500:]


def too_few_descriptors(cluster):
    place = Place(cluster, 'broker', 'broker-few', node_id=32, port=BASE + 70, cluster_id=cluster_id_of(cluster))
    for count in (20, 60, 127):
        code, lines = process.end_of(*limited(count, place), cwd=place.path)
        equal((count, code), (count, 1))
        assert 'limit of open files is %d' % count in lines[-1], lines[-1]


def a_disk_that_is_not_mounted(cluster):
    """One of two directories is an empty folder, or is not there: the other is served, and it is said why."""
    for name, make in (('empty', True), ('absent', False)):
        place = Place(cluster, 'broker', 'broker-' + name, node_id=41 if make else 42, port=BASE + 71,
                      cluster_id=cluster_id_of(cluster))
        more = os.path.join(place.path, 'more')
        if make:
            os.mkdir(more)
        with process.Running(place.program, '--config', place.config, '--override', 'log.dirs=data,' + more,
                             cwd=place.path) as started:
            assert started.says('unfenced'), started.said()[-500:]
            status, body = process.http_get(BASE + 99, '/readyz')
            equal(status, 200)
            assert more + ' is offline: ' in body and 'storage format' in body, body
            equal(started.stop(), 0)
        assert not os.path.exists(os.path.join(more, 'journal')), 'it has written there'


def a_copied_directory(cluster):
    place = Place(cluster, 'broker', 'broker-copied', node_id=51, port=BASE + 72, cluster_id=cluster_id_of(cluster))
    shutil.copytree(os.path.join(place.path, 'data'), os.path.join(place.path, 'copy'))
    place.refused('same directory.id', 'copy', overrides=['log.dirs=data,copy'])


def main():
    cases = Cases('bad start')
    with process.Cluster(BASE, '--controllers', '0', '--brokers', '1') as cluster:
        for role in ROLES:
            for case in (misspelt_key, bad_value, asks_for_security, special_values_start, port_in_use, not_formatted,
                         directory_of_another_node, read_only, second_process):
                cases.run('%s: %s' % (role, case.__name__.replace('_', ' ')), case, cluster, role)
        cases.run('controller: contradicting flags', contradicting_flags)
        cases.run('controller: without its votes', controller_without_its_votes, cluster)
        cases.run('broker: directory of another cluster', directory_of_another_cluster, cluster)
        cases.run('broker: directories of two clusters', directories_of_two_clusters, cluster)
        for case in (told_to_stop_while_it_waits, too_few_descriptors, a_disk_that_is_not_mounted, a_copied_directory):
            cases.run('broker: ' + case.__name__.replace('_', ' '), case, cluster)

        def goes_on():
            assert wire.serves(BASE), 'the broker answers no more'
            equal(wire.create_topic(BASE, 'still-fine')[0], 0)
        cases.run('the cluster goes on', goes_on)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
