"""Kafka Connect, two workers, one killed: connect_cases.py BOOTSTRAP

Lines of a file go into a topic exactly once and from there into another file; then the offsets of both connectors are
taken away through the REST interface, and everything comes once more.
"""
import json
import os
import urllib.error
import urllib.request

from cases import equal, until
from support import BOOTSTRAP, FOLDER, Program, read_all, run_steps

PORTS = {'one': 25391, 'two': 25392}
TOPIC = 'lines'
SOURCE, SINK = (os.path.join(FOLDER, name) for name in ('in.txt', 'out.txt'))
WORKER = '''
bootstrap.servers=%s
group.id=connect
listeners=http://127.0.0.1:%d
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
offset.storage.partitions=3
status.storage.partitions=3
exactly.once.source.support=enabled
consumer.isolation.level=read_committed
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
plugin.discovery=service_load
offset.flush.interval.ms=1000
session.timeout.ms=6000
heartbeat.interval.ms=1000
scheduled.rebalance.max.delay.ms=1000
'''
CONNECTORS = {
    'in': {'connector.class': 'FileStreamSource', 'tasks.max': '1', 'file': SOURCE, 'topic': TOPIC, 'batch.size': '100',
           'exactly.once.support': 'required', 'topic.creation.default.replication.factor': '-1',
           'topic.creation.default.partitions': '1'},
    'out': {'connector.class': 'FileStreamSink', 'tasks.max': '1', 'file': SINK, 'topics': TOPIC},
}
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Workers:
    def __init__(self):
        self.workers, self.lines = {}, []

    def rest(self, method, path, body=None):
        """The answer of a living worker; while workers come to agree they say 409 or nothing, and are asked again."""
        port = PORTS[next(iter(self.workers))]
        request = urllib.request.Request('http://127.0.0.1:%d/connectors%s' % (port, path), method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={'Content-Type': 'application/json'})

        def answered():
            try:
                with NO_PROXY.open(request, timeout=30) as answer:
                    return (json.loads(answer.read() or b'null'),)
            except urllib.error.HTTPError as e:
                said = e.read().decode()
                if e.code in (404, 409, 500):
                    self.refused = '%s %s: %d %s' % (method, path, e.code, said)
                    return None
                raise AssertionError('%s %s: %d %s' % (method, path, e.code, said)) from None
            except OSError as e:
                self.refused = '%s %s: %s' % (method, path, e)
                return None
        try:
            return until(answered, 'an answer', 90, 0.2)[0]
        except AssertionError:
            raise AssertionError(self.refused) from None

    def start(self, name):
        config = os.path.join(FOLDER, name + '.properties')
        with open(config, 'w') as f:
            f.write(WORKER % (BOOTSTRAP, PORTS[name]))
        self.workers[name] = Program('worker-' + name, 'org.apache.kafka.connect.cli.ConnectDistributed', config)

    def append(self, count):
        first = len(self.lines)
        self.lines += ['line %d of what goes through' % i for i in range(first, first + count)]
        with open(SOURCE, 'a') as f:
            f.write(''.join(line + '\n' for line in self.lines[first:]))

    @staticmethod
    def written():
        try:
            with open(SINK) as f:
                return f.read().splitlines()
        except OSError:
            return []

    def wait_for(self, copies):
        wanted = len(self.lines) * copies

        def there():
            for name in CONNECTORS:
                self.heal(name)
            return len(self.written()) >= wanted
        try:
            until(there, 'all lines', 90, 0.5)
        except AssertionError:
            raise AssertionError('%d of %d lines came through' % (len(self.written()), wanted)) from None
        equal(self.written(), self.lines * copies)

    def state(self, connector):
        """(state, state of its task, name of the worker its task runs on)"""
        status = self.rest('GET', '/%s/status' % connector)
        task = (status['tasks'] or [{'state': None, 'worker_id': ''}])[0]
        names = {'127.0.0.1:%d' % port: name for name, port in PORTS.items()}
        return status['connector']['state'], task['state'], names.get(task['worker_id'])

    def heal(self, connector):
        """What an operator does: a task that has failed is begun again. Nothing may be lost or doubled by that."""
        for task in self.rest('GET', '/%s/status' % connector)['tasks']:
            if task['state'] == 'FAILED':
                print('connect: task of %s begun again: %s' % (connector, ' '.join(task['trace'].split())[-200:]))
                self.rest('POST', '/%s/tasks/0/restart' % connector)

    def begin(self):
        for name in PORTS:
            self.start(name)
        self.append(1000)
        for name, config in CONNECTORS.items():
            self.rest('PUT', '/%s/config' % name, config)
        for name in CONNECTORS:
            until(lambda: self.state(name)[:2] == ('RUNNING', 'RUNNING'), '%s runs' % name, 90, 0.2)
        self.wait_for(1)

    def kill_worker(self):
        victim = self.state('in')[2]
        self.append(20000)
        until(lambda: len(self.written()) > 3000, 'some of the lines')
        self.workers.pop(victim).kill()
        assert len(self.written()) < len(self.lines), 'the lines were through before the worker was killed'
        self.append(1000)
        self.wait_for(1)
        self.start(victim)

    def reset(self, connector):
        self.rest('PUT', '/%s/stop' % connector)
        until(lambda: self.state(connector)[:2] == ('STOPPED', None), '%s stops' % connector, 60, 0.2)
        assert self.rest('GET', '/%s/offsets' % connector)['offsets'], 'no offsets'
        self.rest('DELETE', '/%s/offsets' % connector)
        equal(self.rest('GET', '/%s/offsets' % connector)['offsets'], [])
        self.rest('PUT', '/%s/resume' % connector)

    def reset_sink(self):
        self.reset('out')
        self.wait_for(2)

    def reset_source(self):
        self.reset('in')
        self.wait_for(3)

    def judge(self):
        for name in CONNECTORS:
            self.rest('DELETE', '/' + name)
        equal([value for _, _, value in read_all(TOPIC, 1)], self.lines * 2)


connect = Workers()
try:
    run_steps('connect', [
        ('lines of a file go through a topic into a file', connect.begin),
        ('a worker is killed', connect.kill_worker),
        ('the offsets of the sink are taken away', connect.reset_sink),
        ('the offsets of the source are taken away', connect.reset_source),
        ('what stands in the topic is exact', connect.judge),
    ])
finally:
    for worker in connect.workers.values():
        worker.kill()
