"""MirrorMaker 2 as docs/migration.md has it: mirror_cases.py BOOTSTRAP [OLD_BROKERS]

Everything moves to the cluster at BOOTSTRAP; without OLD_BROKERS from a second cluster that is started here.
"""
import os
import re
import sys
import time

from cases import equal, until
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from support import BOOTSTRAP, FOLDER, Program, create, read_all, run_steps, second_cluster, stop_cluster

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
PARTITIONS = 3
TOPIC = 'orders-%d' % time.time()
BEHIND, READY = 'billing-%d' % time.time(), 'shipping-%d' % time.time()


def settings(old):
    """The settings that the document names, for these clusters and only our topics."""
    with open(os.path.join(ROOT, 'docs', 'migration.md')) as f:
        text = re.search(r'```properties\n(.*?)```', f.read(), re.DOTALL).group(1)
    for before, after in (('OLD_BROKERS', old), ('NEW_BROKERS', BOOTSTRAP), ('topics = .*', 'topics = ' + TOPIC),
                          ('127.0.0.1:8083', '127.0.0.1:25393')):
        equal(text.count(before), 1)
        text = text.replace(before, after)
    return text + 'plugin.discovery = service_load\nnew.plugin.discovery = service_load\n'


def positions(bootstrap, group):
    """What the group has committed, [offset or None] by partition."""
    c = Consumer({'bootstrap.servers': bootstrap, 'group.id': group, 'log_level': 0})
    found = c.committed([TopicPartition(TOPIC, p) for p in range(PARTITIONS)], timeout=30)
    c.close()
    return [None if tp.offset < 0 else tp.offset for tp in found]


def read(bootstrap, group, least, quiet=0):
    """Joins the group, reads `least` records, and what comes within `quiet` seconds after them; commits."""
    c = Consumer({'bootstrap.servers': bootstrap, 'group.id': group, 'auto.offset.reset': 'earliest', 'log_level': 0,
                  'enable.auto.commit': False, 'session.timeout.ms': 6000})
    c.subscribe([TOPIC])
    found, end = [], time.monotonic() + 60
    while len(found) < least:
        found += [m.value().decode() for m in c.consume(min(least - len(found), 50), 0.5) if not m.error()]
        if time.monotonic() > end:
            raise AssertionError('%s read %d of %d records' % (group, len(found), least))
    end = time.monotonic() + quiet
    while time.monotonic() < end:
        found += [m.value().decode() for m in c.consume(50, 0.2) if not m.error()]
    c.commit(asynchronous=False)
    c.close()
    return found


class Migration:
    def __init__(self):
        self.old, self.mirror, self.sent, self.home = sys.argv[2] if len(sys.argv) > 2 else None, None, 0, None

    def write(self, count):
        p = Producer({'bootstrap.servers': self.old, 'enable.idempotence': True, 'log_level': 0})
        for i in range(self.sent, self.sent + count):
            p.produce(TOPIC, 'order %d' % i, 'key %d' % i, i % PARTITIONS, headers={'number': str(i)})
        equal(p.flush(30), 0)
        self.sent += count

    def start_mirror(self):
        config = os.path.join(FOLDER, 'mirror.properties')
        with open(config, 'w') as f:
            f.write(settings(self.old))
        self.mirror = Program('mirror', 'org.apache.kafka.connect.mirror.MirrorMaker', config)

    def same(self):
        """Is everything in the new cluster, where it was in the old one, and once?"""
        def there():
            c = Consumer({'bootstrap.servers': BOOTSTRAP, 'group.id': 'asks', 'log_level': 0})
            try:
                places = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
                if TOPIC not in c.list_topics(timeout=10).topics:
                    return False
                # The ends count the markers of transactions too.
                return sum(c.get_watermark_offsets(tp, timeout=10)[1] for tp in places) >= self.sent
            finally:
                c.close()
        until(there, '%d records in the new cluster' % self.sent, 220, 0.5)
        until(lambda: len(read_all(TOPIC, PARTITIONS)) >= self.sent, 'all of them committed', 60, 0.5)
        equal(read_all(TOPIC, PARTITIONS), read_all(TOPIC, PARTITIONS, self.old))

    def begin(self):
        if self.old is None:
            self.home, self.old = second_cluster('old')
        create([TOPIC], PARTITIONS, self.old, **{'retention.ms': '7654321000'})
        self.write(600)
        self.read = {BEHIND: read(self.old, BEHIND, 250), READY: read(self.old, READY, self.sent)}
        self.start_mirror()
        self.same()
        resource = ConfigResource(ResourceType.TOPIC, TOPIC)
        admin = AdminClient({'bootstrap.servers': BOOTSTRAP, 'log_level': 0})
        equal(admin.describe_configs([resource])[resource].result()['retention.ms'].value, '7654321000')

    def kill_mirror(self):
        self.write(3000)
        self.mirror.kill()
        self.write(300)
        self.start_mirror()
        self.same()

    def move_consumers(self):
        self.read[READY] += read(self.old, READY, self.sent - 600)
        # MirrorMaker knows no pairs of offsets from before it began: who is behind that starts from the beginning.
        self.read[BEHIND] += read(self.old, BEHIND, self.sent - 250 - 60)
        ends = positions(self.old, READY)
        equal(sum(ends), self.sent)

        def arrived():
            # Markers of MirrorMaker's own transactions lie between the records in the new cluster.
            return None not in positions(BOOTSTRAP, BEHIND) + positions(BOOTSTRAP, READY) and self.lag(READY) == 0
        try:
            until(arrived, 'the positions of both groups', 90, 0.5)
        except AssertionError:
            raise AssertionError('%s %s, not those of %s %s' % (
                *(positions(at, group) for at in (BOOTSTRAP, self.old) for group in (BEHIND, READY)),)) from None
        self.write(90)
        went_on = read(BOOTSTRAP, READY, 90, 2)
        equal(sorted(went_on, key=number), ['order %d' % i for i in range(self.sent - 90, self.sent)])
        everything = ['order %d' % i for i in range(self.sent)]
        missing = set(everything) - set(self.read[BEHIND])
        went_on = read(BOOTSTRAP, BEHIND, len(missing), 2)
        equal(missing - set(went_on), set())
        assert len(went_on) < 1000, 'it read %d records again' % (len(went_on) - len(missing))
        equal(len(went_on), len(set(went_on)))

    def lag(self, group):
        """Records that a read_committed consumer of the new cluster would get after the group's positions."""
        found = read_all(TOPIC, PARTITIONS, places=positions(BOOTSTRAP, group))
        return len(found)

    def end(self):
        self.same()
        self.mirror.process.terminate()
        self.mirror.process.wait(60)


def number(value):
    return int(value.split()[1])


migration = Migration()
try:
    run_steps('mirror', [
        ('topics come over with their records and settings', migration.begin),
        ('MirrorMaker is killed and begun again', migration.kill_mirror),
        ('consumers go on in the new cluster', migration.move_consumers),
        ('both clusters hold the same', migration.end),
    ])
finally:
    if migration.mirror:
        migration.mirror.kill()
    if migration.home:
        stop_cluster(migration.home)
