"""The programs that tutorials show, unmodified, on topics nobody created: tutorial_cases.py BOOTSTRAP PREFIX"""
import os
import subprocess
import sys

from cases import Cases, equal

BOOTSTRAP, PREFIX = sys.argv[1].split(',')[0], sys.argv[2]
HERE = os.path.join(os.path.dirname(os.path.realpath(__file__)), 'tutorials')


def program(file, *args, text=None):
    done = subprocess.run([sys.executable, os.path.join(HERE, file), BOOTSTRAP, *args], input=text,
                          capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError('%s: %s' % (file, done.stderr.strip().splitlines()[-1:]))
    return done.stdout.splitlines()


def orders():
    program('order_producer.py', 'orders-topic', '100')
    got = program('order_consumer.py', 'orders-topic', 'order-service-' + PREFIX, '60')
    got += program('order_consumer.py', 'orders-topic', 'order-service-' + PREFIX, '40')
    equal(sorted(map(int, got)), list(range(100)))


def logs():
    program('console_producer.py', 'log-topic', text='started\nworking\nstopped\n')
    equal(sorted(program('log_collector.py', 'log-topic')), ['started', 'stopped', 'working'])


def round_robin_keys():
    topic = 'console-' + PREFIX
    sent = program('console_producer.py', topic, text=''.join('line %d\n' % i for i in range(9)))
    equal(len(sent), 9)
    partitions = [line.split()[0] for line in sent]
    equal(partitions[:3], partitions[3:6])
    equal(sorted(program('log_collector.py', topic)), ['line %d' % i for i in range(9)])


cases = Cases('tutorials')
cases.run('order producer and consumer', orders)
cases.run('log collector', logs)
cases.run('console producer with round-robin keys', round_robin_keys)
cases.done()
