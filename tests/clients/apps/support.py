"""What the cases of tests/clients/apps.py share: Java processes that are watched, the nodes under them, topics."""
import glob
import os
import subprocess
import sys
import threading

from cases import Cases, until
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = sys.argv[1]
FOLDER = os.environ['APPS_FOLDER']
JAVA = ['java', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto',
        '-Dlog4j2.configurationFile=' + os.path.join(os.path.dirname(os.path.realpath(__file__)), 'log4j2.properties'),
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true']


def node(verb, name):
    """kill, stop or start a node of the cluster."""
    done = subprocess.run([os.environ['APPS_CLUSTER'], verb, os.environ['APPS_CLUSTER_HOME'], name],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError('%s %s: %s' % (verb, name, done.stderr.strip()))


def second_cluster(name, base_port=25592):
    """(home, bootstrap servers) of one more cluster, of one broker."""
    home = os.path.join(FOLDER, name)
    up = subprocess.run([os.environ['APPS_CLUSTER'], 'up', home, '--controllers', '0', '--brokers', '1', '--base-port',
                         str(base_port)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if up.returncode:
        raise RuntimeError(up.stderr.strip())
    return home, up.stdout.splitlines()[-1]


def stop_cluster(home):
    subprocess.run([os.environ['APPS_CLUSTER'], 'down', home])


class Program:
    """A Java process; its lines are collected, what it logs is in FOLDER/NAME.log."""

    def __init__(self, name, *command, options=()):
        self.name, self.lines = name, []
        with open(os.path.join(FOLDER, name + '.log'), 'ab') as log:
            self.process = subprocess.Popen([*JAVA, *options, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, cwd=FOLDER)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))

    def said(self, word):
        return [line for line in list(self.lines) if line.startswith(word)]

    def wait_for(self, line, seconds=120):
        def there():
            if self.process.poll() is not None and line not in self.lines:
                raise AssertionError('%s ended with code %d: %s' % (self.name, self.process.returncode, self.lines[-3:]))
            return line in self.lines
        until(there, '%s says "%s"' % (self.name, line), seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, seconds=40):
        """Closes its input and waits; its exit code."""
        self.process.stdin.close()
        try:
            return self.process.wait(seconds)
        finally:
            self.kill()


def run_steps(suite, steps, seconds=240):
    """The steps (name, function) as cases; after one that fails the others make no sense. Ends the process."""
    cases = Cases(suite, seconds)
    for name, function in steps:
        cases.run(name, function)
        if cases.failed:
            break
    cases.done()


def create(topics, partitions, bootstrap=BOOTSTRAP, **config):
    admin = AdminClient({'bootstrap.servers': bootstrap, 'log_level': 0})
    made = admin.create_topics([NewTopic(t, partitions, config=config) for t in topics])
    for future in made.values():
        future.result()

    until(lambda: all(led_by(t, partitions, bootstrap) for t in topics), 'leaders of ' + ' '.join(topics))


def read_all(topic, partitions, bootstrap=BOOTSTRAP, places=None):
    """Everything a read_committed consumer finds: [(partition, key, value)], by partition and in order; from places on."""
    c = Consumer({'bootstrap.servers': bootstrap, 'group.id': 'reads-all', 'enable.auto.commit': False,
                  'isolation.level': 'read_committed', 'enable.partition.eof': True, 'log_level': 0})
    c.assign([TopicPartition(topic, p, places[p] if places else 0) for p in range(partitions)])
    found, ended = [], set()
    while len(ended) < partitions:
        m = c.poll(30)
        if m is None:
            raise AssertionError('%s: no end within 30 s' % topic)
        if m.error():
            if m.error().code() != KafkaError._PARTITION_EOF:
                raise AssertionError('%s: %s' % (topic, m.error()))
            ended.add(m.partition())
        else:
            found.append((m.partition(), *(None if x is None else x.decode() for x in (m.key(), m.value()))))
    c.close()
    return sorted(found, key=lambda record: record[0])


def led_by(topic, partitions, bootstrap=BOOTSTRAP):
    """Does the topic have that many partitions, each with a leader?"""
    admin = AdminClient({'bootstrap.servers': bootstrap, 'log_level': 0})
    known = admin.list_topics(timeout=10).topics.get(topic)
    return bool(known) and len(known.partitions) == partitions and all(p.leader >= 0 for p in known.partitions.values())


def data_of(partition):
    """The files of a partition on all nodes."""
    return sorted(glob.glob(os.path.join(os.environ['APPS_CLUSTER_HOME'], 'broker-*', 'data*', partition, '*')))
