#!/usr/bin/env python3
"""A running cluster gets access control lists; brokers need rights too; `tidemark acl`; the audit log.

Nobody authenticates here: who asks is known by the address. Brokers and administrators come from 127.0.0.1, others from
127.0.0.2. What each API asks for is in tests/clients/apps/acls_cases.py.
"""
import json
import os
import re
import socket
import subprocess
import threading
import time

import process
import wire
from cases import Cases, equal, until

BASE = 24400
PORTS = (BASE, BASE + 1)
TOPIC, OTHER = 't', 'other'
AUTHORIZER = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
ANYBODY = 'User:ANONYMOUS'
STRANGER = '127.0.0.2'
TOPIC_ERROR = 29


def tidemark(*args, code=0):
    done = subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers',
                           '127.0.0.1:%d' % (BASE + 100)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, env=process.CLEAN)
    equal((args, done.returncode, done.stderr if done.returncode != code else None), (args, code, None))
    return done.stdout if code == 0 else done.stderr


def acl(*args, code=0):
    return tidemark('acl', *args, code=code)


def rules(*args):
    return [(r['resource_type'], r['resource_name'], r['pattern'], r['principal'], r['permission'], r['operation'],
             r['host']) for r in json.loads(acl('list', '--format', 'json', *args))]


def stranger(port):
    connection = wire.Connection.__new__(wire.Connection)
    connection.sock = socket.create_connection(('127.0.0.1', port), timeout=20, source_address=(STRANGER, 0))
    return connection


def leader_of(topic):
    seen = wire.metadata(BASE, [topic])
    return seen['brokers'][seen['topics'][topic]['partitions'][0]['leader']]


def metadata_error(topic):
    """What somebody from elsewhere is told of a topic."""
    with stranger(leader_of(TOPIC)) as connection:
        r = wire.Reader(connection.call(3, 1, b'\0\0\0\1' + wire.string(topic)))
    for _ in range(r.get('i')):
        r.get('i'), r.string(), r.get('i'), r.string()
    r.get('ii')
    return r.get('h')


def command_line(_cluster):
    acl('create', 'User:a', 'read', 'topic:orders')
    acl('create', 'User:a', 'Write', 'topic:orders-', '--pattern', 'prefixed', '--host', '10.0.0.1')
    acl('create', 'User:*', 'describe-configs', 'cluster', '--deny')
    acl('create', 'User:a', 'read', 'topic:orders')
    equal(rules(), [('TOPIC', 'orders', 'LITERAL', 'User:a', 'ALLOW', 'READ', '*'),
                    ('TOPIC', 'orders-', 'PREFIXED', 'User:a', 'ALLOW', 'WRITE', '10.0.0.1'),
                    ('CLUSTER', 'kafka-cluster', 'LITERAL', 'User:*', 'DENY', 'DESCRIBE_CONFIGS', '*')])
    equal(len(rules('--resource', 'topic:orders-eu', '--pattern', 'match')), 1)
    equal(len(rules('--principal', 'User:a', '--operation', 'read')), 1)
    assert 'TOPIC' in acl('list') and 'orders-' in acl('list')
    equal(acl('test', 'User:a', 'read', 'topic:orders').strip(),
          'allow: TOPIC:LITERAL:orders User:a ALLOW READ from *')
    equal(acl('test', 'User:a', 'write', 'topic:orders-eu').strip(), 'deny: DefaultDeny')
    equal(acl('test', 'User:a', 'write', 'topic:orders-eu', '--host', '10.0.0.1').strip(),
          'allow: TOPIC:PREFIXED:orders- User:a ALLOW WRITE from 10.0.0.1')
    equal(acl('test', 'User:b', 'write', 'topic:x', '--super-users', 'User:b').strip(), 'allow: SuperUser')
    equal(json.loads(acl('test', 'User:a', 'describe-configs', 'cluster', '--format', 'json'))['allowed'], False)
    for words, says in ((('create', 'a', 'read', 'topic:x'), 'principalType'), (('create', 'User:a', 'fly', 'topic:x'), 'fly'),
                        (('create', 'User:a', 'read', 'thing:x'), 'thing'), (('create', 'User:a', 'read', 'topic:'), 'empty'),
                        (('create', 'User:a', 'read', 'topic:x', '--pattern', 'match'), 'MATCH')):
        said = acl(*words, code=1)
        assert says in said, said
    acl('delete', '--resource', 'topic:orders', '--pattern', 'literal')
    acl('delete', '--resource', 'topic:orders-')
    acl('delete', '--resource', 'cluster')
    equal(rules(), [])


def restart(cluster, broker, **settings):
    path = cluster.path('broker-%d' % broker, 'server.properties')
    text = open(path).read()
    for key, value in settings.items():
        text = re.sub(r'(?m)^%s=.*\n' % re.escape(key.replace('_', '.')), '', text)
        text += '%s=%s\n' % (key.replace('_', '.'), value)
    with open(path, 'w') as f:
        f.write(text)
    cluster.do('stop', 'broker-%d' % broker)
    cluster.do('start', 'broker-%d' % broker)


class Writer(threading.Thread):
    """Writes with acks=all, again and again; what was acknowledged and the longest time without."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.acknowledged, self.longest = False, 0, 0.0

    def run(self):
        last = time.monotonic()
        while not self.over:
            try:
                error = wire.produce(leader_of(TOPIC), TOPIC, wire.batch([b'x']))[0]
            except (OSError, KeyError, IndexError):  # while a broker starts
                error = -1
            if error == 0:
                self.longest = max(self.longest, time.monotonic() - last)
                last = time.monotonic()
                self.acknowledged += 1
            time.sleep(0.01)

    def stop(self):
        self.over = True
        self.join(30)


def rules_for_a_running_cluster(cluster):
    """First the rules of those who are there, then the authorizer, broker by broker, under load."""
    for resource in ('topic:*', 'group:*', 'transactional-id:*', 'cluster'):
        acl('create', ANYBODY, 'all', resource, '--host', '127.0.0.1')
    equal(metadata_error(OTHER), 0)
    writer = Writer()
    writer.start()
    for broker in (1, 2):
        restart(cluster, broker, authorizer_class_name=AUTHORIZER)
        good, why = wire.wait_healthy(PORTS, TOPIC, 2, 60)
        equal((good, why if not good else None), (True, None))
    # With both it goes on.
    before = writer.acknowledged
    until(lambda: writer.acknowledged > before + 20, 'more that is acknowledged', 30)
    writer.stop()
    # As long as a leader takes to move.
    assert writer.longest < 5, writer.longest
    equal(metadata_error(OTHER), TOPIC_ERROR)
    equal(metadata_error('none'), TOPIC_ERROR)


def a_rule_counts_at_once(_cluster):
    acl('create', ANYBODY, 'describe', 'topic:' + OTHER, '--host', STRANGER)
    began = time.monotonic()
    until(lambda: metadata_error(OTHER) == 0, 'the right', 5, 0.005)
    acl('delete', '--resource', 'topic:' + OTHER)
    until(lambda: metadata_error(OTHER) == TOPIC_ERROR, 'the end of the right', 5, 0.005)
    assert time.monotonic() - began < 2, time.monotonic() - began


def brokers_need_rights(cluster):
    """Who may not follow is out of sync, and in again when it may."""
    acl('create', ANYBODY, 'cluster-action', 'cluster', '--host', '127.0.0.1', '--deny')
    # Who has all that there is stays in sync.
    equal(wire.produce(leader_of(TOPIC), TOPIC, wire.batch([b'x']), acks=1)[0], 0)
    equal(wire.wait_without(PORTS, TOPIC, 1, 60), True)
    acl('delete', '--resource', 'cluster', '--operation', 'cluster-action', '--permission', 'deny')
    good, why = wire.wait_healthy(PORTS, TOPIC, 2, 60)
    equal((good, why if not good else None), (True, None))


def audit(cluster):
    lines = []
    for broker in (1, 2):
        with open(cluster.path('broker-%d' % broker, 'data', 'audit.log')) as f:
            lines += f.read().splitlines()
    for line in lines:
        assert re.fullmatch(r'time=\S+Z (denials_not_written=\d+ )?outcome=(allowed|denied) principal="[^"]*" host=\S+ '
                            r'operation=[A-Z_]+ resource=[A-Z_]+ name="[^"]*" request=\w+ client_id="[^"]*" rule="[^"]*"',
                            line), line
    denied = [line for line in lines if 'outcome=denied' in line and 'host=' + STRANGER in line]
    assert any('operation=DESCRIBE resource=TOPIC name="none" request=Metadata' in line for line in denied), denied[:3]
    assert any('operation=CLUSTER_ACTION' in line and 'DENY' in line for line in lines), 'a follower was denied'
    # Reading and writing that are allowed are no news.
    assert not any('outcome=allowed' in line and 'operation=WRITE' in line for line in lines)
    error, _ = wire.create_topic(BASE, 'noted', factor=2)
    equal(error, 0)

    def noted():
        return any('outcome=allowed' in line and 'operation=CREATE' in line and 'request=CreateTopics' in line
                   for line in open(cluster.path('broker-1', 'data', 'audit.log')))
    until(noted, 'a line of what an administrator did', 10)


def bad_settings(cluster):
    path = cluster.path('broker-1', 'server.properties')
    text = open(path).read()
    bad = os.path.join(cluster.folder, 'bad.properties')
    for wrong, says in ((('authorizer.class.name', 'kafka.security.authorizer.AclAuthorizer'), 'AclAuthorizer'),
                        (('super.users', 'alice'), 'super.users'), (('authorizer.class.name', ''), 'super.users')):
        with open(bad, 'w') as f:
            f.write(re.sub(r'(?m)^(%s|super.users)=.*\n' % re.escape(wrong[0]), '', text))
            f.write('super.users=User:a\n%s=%s\n' % wrong)
        code, said = process.end_of('tidemark-broker', '--config', bad, cwd=cluster.path('broker-1'))
        equal((wrong, code not in (0, None), any(says in line for line in said)), (wrong, True, True))


def downgrade_waits(_cluster):
    said = tidemark('features', 'downgrade', '--feature', 'metadata.version=3', code=1)
    assert 'access control' in said, said


def main():
    cases = Cases('acl', 120)
    with process.Cluster(BASE, '--controllers', '0', '--brokers', '2', '--set', 'replica.lag.time.max.ms=3000') as cluster:
        for topic in (TOPIC, OTHER):
            equal(wire.create_topic(BASE, topic, factor=2)[0], 0)
        cases.run('command line', command_line, cluster)
        cases.run('rules for a running cluster', rules_for_a_running_cluster, cluster)
        cases.run('a rule counts at once', a_rule_counts_at_once, cluster)
        cases.run('brokers need rights', brokers_need_rights, cluster)
        cases.run('audit', audit, cluster)
        cases.run('bad settings', bad_settings, cluster)
        cases.run('downgrade waits', downgrade_waits, cluster)
    cases.done()


main()
