#!/usr/bin/env python3
"""Consumers read in their own rack, and deleted records stay deleted (kcat is the client)."""
import os
import subprocess
import sys
import time

import process
import wire
from cases import Cases, equal, until

BASE = 23592
TOPIC = 't'
SELECTOR = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'


def kcat(*args, text=None, port=BASE):
    done = subprocess.run(['kcat', '-b', '127.0.0.1:%d' % port, '-q', *args], input=text, capture_output=True,
                          text=True, timeout=60, stdin=None if text else subprocess.DEVNULL)
    equal(done.returncode, 0)
    return done.stdout


def bytes_out(broker):
    """What consumers have read there."""
    _, text = process.http_get(BASE + 200 + broker - 1, '/metrics')
    return next(float(line.split()[-1]) for line in text.splitlines()
                if line.startswith('kafka_server_brokertopicmetrics_bytesout_total'))


def set_racks(cluster):
    for broker in (1, 2, 3):
        with open(cluster.path('broker-%d' % broker, 'server.properties'), 'a') as f:
            f.write('\nbroker.rack=rack-%d\n' % broker)
        cluster.do('stop', 'broker-%d' % broker)
        cluster.do('start', 'broker-%d' % broker)
    good, why = wire.wait_healthy([BASE + i for i in range(3)], TOPIC, 3, 60)
    equal((good, why if not good else None), (True, None))


def leader():
    partitions = wire.metadata(BASE, [TOPIC])['topics'][TOPIC]['partitions']
    return partitions[0]['leader'] if partitions else -1


def near(cluster):
    """A consumer with a rack reads from the replica there, and from no other."""
    set_racks(cluster)
    kcat('-P', '-t', TOPIC, '-p', '0', text=''.join('%0100d\n' % i for i in range(2000)))
    other = next(b for b in (1, 2, 3) if b != leader())
    before = {b: bytes_out(b) for b in (1, 2, 3)}
    got = kcat('-C', '-t', TOPIC, '-p', '0', '-o', 'beginning', '-c', '2000', '-X', 'client.rack=rack-%d' % other)
    equal(len(got.splitlines()), 2000)
    read = {b: bytes_out(b) - before[b] for b in (1, 2, 3)}
    assert read[other] > 200000, read
    assert sum(read[b] for b in (1, 2, 3) if b != other) < 20000, read


def at_once(cluster):
    """It does not wait for its replica to hear what is committed."""
    other = next(b for b in (1, 2, 3) if b != leader())
    with subprocess.Popen(['kcat', '-b', '127.0.0.1:%d' % BASE, '-q', '-u', '-C', '-t', TOPIC, '-p', '0', '-o', 'end', '-X',
                           'client.rack=rack-%d' % other, '-X', 'fetch.wait.max.ms=5000'],
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as consumer:
        try:
            before = bytes_out(other)
            late = []

            def send(text):
                kcat('-P', '-t', TOPIC, '-p', '0', text=text + '\n')
                return bytes_out(other) > before
            # It finds its way, which -o end makes it do with some record only.
            until(lambda: send('hello'), 'it reads there')
            for i in range(6):
                sent = time.monotonic()
                send('now %d' % i)
                line = consumer.stdout.readline()
                while line.strip() != 'now %d' % i:
                    line = consumer.stdout.readline()
                late.append(time.monotonic() - sent)
            assert sorted(late)[len(late) // 2] < 0.4, late
        finally:
            consumer.kill()


def far(cluster):
    """Where its rack has no replica that is alive, the leader serves it."""
    other = next(b for b in (1, 2, 3) if b != leader())
    cluster.do('kill', 'broker-%d' % other)
    up = next(b for b in (1, 2, 3) if b != other)
    # Until it is fenced consumers are sent to it, and wait for it.
    until(lambda: other not in wire.metadata(BASE + up - 1, [TOPIC])['brokers'], 'it is fenced')
    got = kcat('-C', '-t', TOPIC, '-p', '0', '-o', 'beginning', '-c', '2000', '-X', 'client.rack=rack-%d' % other,
               port=BASE + up - 1)
    equal(len(got.splitlines()), 2000)
    cluster.do('start', 'broker-%d' % other)


def deleted(cluster):
    """Records that a client was told are gone do not come back when all brokers are killed at once."""
    until(lambda: leader() > 0, 'it is led')
    tidemark = os.path.join(process.BIN, 'tidemark')
    done = subprocess.run([tidemark, 'topic', 'trim', TOPIC + ':0', '--before', '1500', '--bootstrap-servers',
                           '127.0.0.1:%d' % BASE], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    equal((done.returncode, done.stderr), (0, ''))
    for broker in (1, 2, 3):
        cluster.do('kill', 'broker-%d' % broker)
    for broker in (1, 2, 3):
        cluster.do('start', 'broker-%d' % broker)
    good, why = wire.wait_healthy([BASE + i for i in range(3)], TOPIC, 3, 60)
    equal((good, why if not good else None), (True, None))
    first = kcat('-C', '-t', TOPIC, '-p', '0', '-o', 'beginning', '-c', '1', '-f', '%o')
    equal(first.strip(), '1500')


def main():
    cases = Cases('racks', 150)
    with process.Cluster(BASE, '--set', 'replica.selector.class=' + SELECTOR) as cluster:
        error, _ = wire.create_topic(BASE, TOPIC, factor=3)
        equal(error, 0)
        cases.run('a consumer reads in its rack', near, cluster)
        cases.run('at once', at_once, cluster)
        cases.run('without a replica there, from the leader', far, cluster)
        cases.run('deleted records stay deleted', deleted, cluster)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
