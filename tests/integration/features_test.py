#!/usr/bin/env python3
"""Feature levels of a cluster of one release: how it begins, goes down a level and up again, restarted in between."""
import json
import os
import re
import subprocess
import sys
import tempfile

import process
from cases import Cases, equal, until

BASE = 23400
TIDEMARK = os.path.abspath(os.path.join(process.BIN, 'tidemark'))
CONTROLLERS = ['controller-%d' % i for i in (1, 2, 3)]
LEVEL = 4  # the newest of metadata.version
NEWEST = {'metadata.version': LEVEL, 'kraft.version': 1, 'transaction.version': 2}
BASE_LEVELS = {'metadata.version': 1, 'kraft.version': 0, 'transaction.version': 0}


def run(*args):
    return subprocess.run([TIDEMARK, *args, '--bootstrap-controllers',
                           ','.join('127.0.0.1:%d' % (BASE + 100 + i) for i in range(3))], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, env=process.CLEAN)


def told(*args):
    done = run(*args)
    equal((args, done.returncode, done.stderr), (args, 0, ''))
    return done.stdout


def refused(word, *args):
    done = run(*args)
    equal(done.returncode, 1)
    assert word in done.stderr, done.stderr


def described():
    return json.loads(told('features', 'describe', '--format', 'json'))


def levels():
    return {f['name']: f['level'] for f in described()['features']}


def on_disk():
    """What a release must support to start from each controller's disk."""
    pages = [process.http_get(BASE + 250 + i, '/metrics')[1] for i in range(3)]
    return [float(re.search(r'^tidemark_controller_metadata_version_on_disk (\S+)', page, re.M)[1]) for page in pages]


def begins(cluster):
    until(lambda: levels() == NEWEST, 'the newest levels')
    nodes = described()['nodes']
    equal(len(nodes), 4)
    assert all(n['known'] and n['supports']['metadata.version'] == [1, LEVEL] for n in nodes), nodes
    assert 'metadata.version' in told('features', 'describe')
    told('topic', 'create', 't', '--partitions', '1', '--replication-factor', '1')


def refusals(cluster):
    refused('tidemark\'s own', 'features', 'upgrade', '--feature', 'metadata.version=29')
    refused('does not support this feature', 'features', 'upgrade', '--feature', 'group.version=1')
    refused('without setting the upgrade type', 'features', 'upgrade', '--feature', 'metadata.version=1')
    refused('stay there', 'features', 'downgrade', '--feature', 'kraft.version=0', '--unsafe')
    refused('feature=level', 'features', 'upgrade', '--feature', 'metadata.version=x')
    equal(levels(), NEWEST)


def down(cluster):
    told('features', 'downgrade', '--feature', 'metadata.version=1', '--dry-run')
    equal(levels(), NEWEST)
    equal(on_disk(), [LEVEL] * 3)
    told('features', 'downgrade', '--feature', 'metadata.version=1')
    equal(levels(), BASE_LEVELS)
    # Nobody has to read what an older release does not know.
    until(lambda: on_disk() == [1, 1, 1], 'a snapshot of each controller')
    for node in CONTROLLERS:
        cluster.do('kill', node)
        cluster.do('start', node)
        until(lambda: run('features', 'describe').returncode == 0, 'an active controller')
        equal(levels(), BASE_LEVELS)
        until(lambda: on_disk() == [1, 1, 1], 'all say what is on their disks')
    told('topic', 'create', 'u', '--partitions', '1', '--replication-factor', '1')


def up(cluster):
    def raised():
        # A controller that has just become active has to hear of everyone.
        return run('features', 'upgrade').returncode == 0
    until(raised, 'the upgrade')
    until(lambda: levels() == NEWEST, 'the newest levels')
    for node in CONTROLLERS + ['broker-1']:
        cluster.do('stop', node)
        cluster.do('start', node)
    until(lambda: levels() == NEWEST, 'the newest levels after a restart')
    equal(len(json.loads(told('topic', 'list', '--format', 'json'))), 2)


def formatting():
    with tempfile.TemporaryDirectory(prefix='tidemark-features-') as home:
        config = os.path.join(home, 'server.properties')
        with open(config, 'w') as f:
            f.write('node.id=1\nlog.dirs=%s/data\nlisteners=CONTROLLER://127.0.0.1:%d\n'
                    'controller.quorum.bootstrap.servers=127.0.0.1:%d\n' % (home, BASE + 299, BASE + 299))
        for word, feature in (('want 1 to %d' % LEVEL, 'metadata.version=%d' % (LEVEL + 1)),
                              ('want 1 to %d' % LEVEL, 'metadata.version=x'),
                              ('follows from', 'kraft.version=1'), ('no feature', 'foo=1'), ('key=value', 'foo')):
            refused(word, 'storage', 'format', '--config', config, '--standalone', '--feature', feature)
        told('storage', 'format', '--config', config, '--standalone', '--feature', 'metadata.version=1')
        with open(os.path.join(home, 'data', 'initial-features')) as f:
            equal(f.read(), 'metadata.version=1\n')
        # One that is of a newer release's making is refused with what it is.
        with open(os.path.join(home, 'data', 'initial-features'), 'w') as f:
            f.write('metadata.version=9\n')
        done = process.end_of('tidemark-controller', '--config', config)
        assert done[0] == 1 and 'metadata.version 9' in done[1][-1], done


def main():
    cases = Cases('features')
    cases.run('a directory is formatted for a level', formatting)
    with process.Cluster(BASE, '--controllers', '3', '--brokers', '1') as cluster:
        cases.run('a new cluster begins at the newest', begins, cluster)
        cases.run('what makes no sense is refused', refusals, cluster)
        cases.run('down, and controllers killed', down, cluster)
        cases.run('up again, and all restarted', up, cluster)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
