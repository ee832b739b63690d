"""Kafka Streams, exactly once, while an instance and a broker die: streams_cases.py BOOTSTRAP

What goes in says what must come out: each word's counts are 1, 2, 3 and so on, and each pair of an order and a payment
within ten seconds of it stands once in the join, whatever died meanwhile.
"""
import collections
import os
import random
import shutil
import threading
import time

from cases import equal, until
from confluent_kafka import Consumer, Producer, TopicPartition
from support import BOOTSTRAP, FOLDER, Program, create, node, read_all, run_steps

APPLICATION = 'shop'
PARTITIONS = 3
WORDS = ['ebb', 'flow', 'tide', 'mark', 'moon', 'gauge', 'harbour', 'spring', 'neap', 'slack', 'race']
LINES, COUNTS, ORDERS, PAYMENTS, PAID = (APPLICATION + x for x in ('-lines', '-counts', '-orders', '-payments', '-paid'))
RANDOM = random.Random(7)
START = int(time.time() * 1000) - 3600 * 1000  # of the records' own time


class Feed:
    """Writes input and knows what output it must make."""

    def __init__(self):
        self.producer = Producer({'bootstrap.servers': BOOTSTRAP, 'enable.idempotence': True, 'linger.ms': 5, 'log_level': 0})
        self.counts, self.paid, self.orders = collections.Counter(), [], 0

    def send(self, topic, key, value, at=START):
        self.producer.produce(topic, key=key, value=value, timestamp=at)

    def order(self):
        number = self.orders
        self.orders += 1
        key, at = 'order-%d' % number, START + number * 1000
        self.send(ORDERS, key, 'o%d' % number, at)
        for n in range(RANDOM.randrange(3)):  # some are never paid, some twice, some too early or too late
            after = RANDOM.randrange(-15, 16)
            self.send(PAYMENTS, key, 'p%d.%d' % (number, n), at + after * 1000)
            if abs(after) <= 10:
                self.paid.append((key, 'o%d p%d.%d' % (number, number, n)))

    def line(self):
        words = RANDOM.choices(WORDS, k=5)
        self.send(LINES, None, ' '.join(words))
        self.counts.update(words)

    def some(self, lines):
        for i in range(lines):
            self.line()
            if i % 2 == 0:
                self.order()
        equal(self.producer.flush(60), 0)

    def expected(self):
        return sum(self.counts.values()) + len(self.paid)


class Output:
    """Counts what a read_committed reader sees arrive."""

    def __init__(self):
        self.seen, self.done = 0, False
        self.consumer = Consumer({'bootstrap.servers': BOOTSTRAP, 'group.id': 'watches', 'enable.auto.commit': False,
                                  'isolation.level': 'read_committed', 'log_level': 0})
        self.consumer.assign([TopicPartition(t, p, 0) for t in (COUNTS, PAID) for p in range(PARTITIONS)])
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.done:
            self.seen += sum(not m.error() for m in self.consumer.consume(500, 0.1))

    def wait_for(self, count, seconds=120):
        try:
            until(lambda: self.seen >= count, 'enough output', seconds)
        except AssertionError:
            raise AssertionError('within %d s %d of %d records came out' % (seconds, self.seen, count)) from None


class Shop:
    def __init__(self):
        self.instances = {}

    def start(self, name):
        self.instances[name] = Program(name, 'StreamsApp', BOOTSTRAP, APPLICATION, os.path.join(FOLDER, 'state-' + name))

    def begin(self):
        create([LINES, COUNTS, ORDERS, PAYMENTS, PAID], PARTITIONS)
        self.feed, self.output = Feed(), Output()
        self.start('one')
        self.start('two')
        for name in ('one', 'two'):
            self.instances[name].wait_for('state RUNNING')
        self.feed.some(300)
        self.output.wait_for(self.feed.expected())

    def feed_while(self, fault):
        """Feeds on and, once some of that has come out, does what is to go wrong."""
        before = self.output.seen
        self.feed.some(200)
        self.output.wait_for(before + 50)
        fault()
        self.feed.some(200)

    def kill_instance(self):
        self.feed_while(self.instances.pop('one').kill)
        self.start('three')
        self.output.wait_for(self.feed.expected())

    def kill_broker(self):
        self.feed_while(lambda: node('kill', 'broker-2'))
        before = self.output.seen
        self.feed.some(200)
        self.output.wait_for(before + 50)
        node('start', 'broker-2')
        self.feed.some(200)
        self.output.wait_for(self.feed.expected())

    def end_all(self):
        for name, instance in self.instances.items():
            equal((name, instance.end()), (name, 0))
            print('\n'.join('%s: %s' % (name, line) for line in instance.said('died')) or '%s: no thread died' % name)
        self.instances = {}

    def restore(self):
        self.end_all()
        for name in os.listdir(FOLDER):
            if name.startswith('state-'):
                shutil.rmtree(os.path.join(FOLDER, name))
        self.start('four')
        self.feed.some(200)
        self.output.wait_for(self.feed.expected())
        restored = collections.Counter()
        for line in self.instances['four'].said('restored'):
            _, store, count = line.split()
            restored[store] += int(count)
        equal(len(restored), 3)  # the counts, and both sides of the join
        for store, count in restored.items():
            assert count >= (len(WORDS) if store == 'counts' else self.feed.orders // 3), restored
        self.end_all()

    def judge(self):
        self.output.done = True
        self.output.thread.join()
        equal(self.output.seen, self.feed.expected())
        found = collections.defaultdict(list)
        for _, word, count in read_all(COUNTS, PARTITIONS):
            found[word].append(int(count))
        equal(set(found), set(self.feed.counts))
        for word, counts in found.items():
            equal((word, counts), (word, list(range(1, self.feed.counts[word] + 1))))
        equal(sorted((k, v) for _, k, v in read_all(PAID, PARTITIONS)), sorted(self.feed.paid))


shop = Shop()
try:
    run_steps('streams', [
        ('two instances count words and join', shop.begin),
        ('an instance is killed, another takes its place', shop.kill_instance),
        ('a broker is killed and comes back', shop.kill_broker),
        ('state is restored from the changelogs', shop.restore),
        ('what came out is exact', shop.judge),
    ])
finally:
    for left in shop.instances.values():
        left.kill()
