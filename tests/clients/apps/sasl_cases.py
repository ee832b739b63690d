"""Clients that have to say who they are, over plain and encrypted listeners: sasl_cases.py BOOTSTRAP"""
import json
import os
import subprocess
import sys
import time
import urllib.request

from cases import equal, until
from confluent_kafka import Consumer, KafkaError, Producer
from kafka_tools import HEAD, good, has, runner, tool
from listeners import add
from support import BOOTSTRAP, FOLDER, create, node, run_steps
from tls_files import Authority

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..'))
import run  # noqa: E402  the environments of clients

PORT = int(BOOTSTRAP.split(',')[0].rsplit(':', 1)[1])
BROKERS = [1, 2, 3]
MECHANISMS = ('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512')
PROTOCOLS = {'SASL_PLAINTEXT': PORT + 40, 'SASL_SSL': PORT + 60}
SHORT = PORT + 80  # sessions of 2 s
USER, PASSWORD = 'alice', 'alice-secret'
PYTHON = ('kafka-python-2.0.2', 'kafka-python-3.0.12', 'aiokafka')
authority = Authority(FOLDER, 'authority')


def at(port):
    return ','.join('127.0.0.1:%d' % (port + b - 1) for b in BROKERS)


def secure():
    """Two more listeners on each broker, and one with short sessions."""
    authority.identity('broker')
    plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";' % (USER, PASSWORD)
    for b in BROKERS:
        add(os.path.join(os.environ['APPS_CLUSTER_HOME'], 'broker-%d' % b, 'server.properties'),
            [('PLAINTEXT', PORT + b - 1), *((name, port + b - 1) for name, port in PROTOCOLS.items()),
             ('SHORT', SHORT + b - 1)],
            ['listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,'
             'SHORT:SASL_PLAINTEXT', 'sasl.enabled.mechanisms=' + ','.join(MECHANISMS),
             *('listener.name.%s.plain.sasl.jaas.config=%s' % (name, plain) for name in ('sasl_plaintext', 'sasl_ssl', 'short')),
             'listener.name.short.connections.max.reauth.ms=2000',
             'listener.name.sasl_ssl.ssl.keystore.type=PEM',
             'listener.name.sasl_ssl.ssl.keystore.location=' + authority.path('broker.pem')])
        node('stop', 'broker-%d' % b)
        node('start', 'broker-%d' % b)


def users():
    configs = ('ConfigCommand', HEAD, BOOTSTRAP, '--entity-type', 'users')
    good(*configs, '--entity-name', USER, '--alter', '--add-config',
         'SCRAM-SHA-256=[iterations=8192,password=%s],SCRAM-SHA-512=[password=%s]' % (PASSWORD, PASSWORD))
    said = good(*configs, '--entity-name', USER, '--describe')
    has(said, 'SCRAM-SHA-256=iterations=8192', 'SCRAM-SHA-512=iterations=4096')
    good(*configs, '--entity-name', 'bob', '--alter', '--add-config', 'SCRAM-SHA-256=[password=b]')
    has(good(*configs, '--describe'), "'alice'", "'bob'")
    good(*configs, '--entity-name', 'bob', '--alter', '--delete-config', 'SCRAM-SHA-256')
    code, said = tool(*configs, '--entity-name', 'bob', '--alter', '--delete-config', 'SCRAM-SHA-256')
    equal(code != 0, True)
    has(said, 'does not exist')


def java_file(name, protocol, mechanism, password=PASSWORD):
    module = 'plain.PlainLoginModule' if mechanism == 'PLAIN' else 'scram.ScramLoginModule'
    lines = ['security.protocol=' + protocol, 'sasl.mechanism=' + mechanism,
             'sasl.jaas.config=org.apache.kafka.common.security.%s required username="%s" password="%s";'
             % (module, USER, password)]
    if protocol == 'SASL_SSL':
        lines += ['ssl.truststore.type=PEM', 'ssl.truststore.location=' + authority.certificate]
    path = os.path.join(FOLDER, name)
    with open(path, 'w') as f:
        f.write('\n'.join(lines) + '\n')
    return path


def java():
    for protocol, port in PROTOCOLS.items():
        for mechanism in MECHANISMS:
            topic = 'java-%s-%s' % (protocol, mechanism)
            file = java_file('client.properties', protocol, mechanism)
            good('TopicCommand', HEAD, at(port), '--command-config', file, '--create', '--topic', topic)
            good('ConsoleProducer', HEAD, at(port), '--command-config', file, '--topic', topic, given='one\ntwo\n')
            said = good('consumer.ConsoleConsumer', HEAD, at(port), '--command-config', file, '--topic', topic,
                        '--from-beginning', '--max-messages', '2', '--timeout-ms', '30000')
            has(said, 'one', 'two')


def java_with_a_wrong_password():
    file = java_file('wrong.properties', 'SASL_PLAINTEXT', 'SCRAM-SHA-256', 'wrong')
    code, said = tool('TopicCommand', HEAD, at(PROTOCOLS['SASL_PLAINTEXT']), '--command-config', file, '--list')
    equal(code != 0, True)
    has(said, 'due to invalid credentials with SASL mechanism SCRAM-SHA-256')


def confluent(protocol, mechanism, port, password=PASSWORD, **more):
    settings = {'bootstrap.servers': at(port), 'security.protocol': protocol, 'sasl.mechanism': mechanism,
                'sasl.username': USER, 'sasl.password': password, 'log_level': 0, **more}
    if protocol == 'SASL_SSL':
        settings['ssl.ca.location'] = authority.certificate
    return settings


def librdkafka():
    for protocol, port in PROTOCOLS.items():
        for mechanism in MECHANISMS:
            topic = 'rdkafka-%s-%s' % (protocol, mechanism)
            create([topic], 1)
            settings = confluent(protocol, mechanism, port)
            producer = Producer(settings)
            for i in range(10):
                producer.produce(topic, b'%d' % i)
            equal(producer.flush(30), 0)
            consumer = Consumer({**settings, 'group.id': topic, 'auto.offset.reset': 'earliest'})
            consumer.subscribe([topic])
            equal([m.value() for m in consumer.consume(10, 30)], [b'%d' % i for i in range(10)])
            consumer.close()


def librdkafka_with_a_wrong_password():
    for mechanism in MECHANISMS:
        seen = []
        producer = Producer(confluent('SASL_PLAINTEXT', mechanism, PROTOCOLS['SASL_PLAINTEXT'], 'wrong',
                                      error_cb=seen.append))

        def refused():
            producer.poll(0.1)
            return any(e.code() == KafkaError._AUTHENTICATION for e in seen)
        until(refused, 'a refusal of ' + mechanism, 20)


def python(client, topic, port, protocol, mechanism, password=PASSWORD, count=10):
    settings = {'security_protocol': protocol, 'sasl_mechanism': mechanism, 'sasl_plain_username': USER,
                'sasl_plain_password': password}
    if protocol == 'SASL_SSL':
        settings['ssl_cafile'] = authority.certificate
    done = subprocess.run([run.python_of(client), os.path.join(os.path.dirname(os.path.realpath(__file__)), 'sasl_python.py'),
                           at(port), topic, str(count), json.dumps(settings)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    return done.stdout.strip() or done.stderr[-500:]


def pythons():
    for client in PYTHON:
        for protocol, port in PROTOCOLS.items():
            for mechanism in MECHANISMS:
                topic = '%s-%s-%s' % (client, protocol, mechanism)
                create([topic], 1)
                equal((topic, python(client, topic, port, protocol, mechanism)), (topic, ' '.join(map(str, range(10)))))


def pythons_with_a_wrong_password():
    for client in PYTHON:
        said = python(client, 'none', PROTOCOLS['SASL_PLAINTEXT'], 'SASL_PLAINTEXT', 'PLAIN', 'wrong')
        equal((client, said.split()[0]), (client, 'refused'))


def counter(name):
    total = 0
    for b in BROKERS:
        with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % (PORT + 200 + b - 1), timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith('tidemark_%s_total ' % name):
                    total += float(line.split()[1])
    return total


def sessions():
    """A producer and a consumer live through several sessions, and nobody of them notices."""
    create(['sessions'], 3)
    errors = []
    settings = confluent('SASL_PLAINTEXT', 'SCRAM-SHA-512', SHORT, error_cb=errors.append)
    producer = Producer(settings)
    consumer = Consumer({**settings, 'group.id': 'sessions', 'auto.offset.reset': 'earliest'})
    consumer.subscribe(['sessions'])
    before, sent, read = counter('reauthentications'), 0, 0
    end = time.monotonic() + 8
    while time.monotonic() < end:
        producer.produce('sessions', b'%d' % sent)
        sent += 1
        producer.poll(0.01)
        message = consumer.poll(0.01)
        read += message is not None and not message.error()
    equal(producer.flush(30), 0)
    while read < sent:
        message = consumer.poll(30)
        equal((message is None, message and message.error()), (False, None))
        read += 1
    consumer.close()
    equal([e.str() for e in errors], [])
    assert counter('reauthentications') >= before + 6, 'nobody said it again'


def java_sessions():
    file = java_file('short.properties', 'SASL_PLAINTEXT', 'SCRAM-SHA-256')
    before = counter('reauthentications')
    said = good('ProducerPerformance', '--topic', 'sessions', '--num-records', '6000', '--record-size', '100', '--throughput',
                '1000', HEAD, at(SHORT), '--command-config', file)
    has(said, '6000 records sent')
    assert counter('reauthentications') > before, 'nobody said it again'


run_steps('sasl', [
    ('listeners', secure), ('kafka-configs', users), ('Java and its console tools', java),
    ('Java with a wrong password', java_with_a_wrong_password), ('librdkafka', librdkafka),
    ('librdkafka with a wrong password', librdkafka_with_a_wrong_password), ('kafka-python and aiokafka', pythons),
    ('these with a wrong password', pythons_with_a_wrong_password), ('sessions of librdkafka', sessions),
    ('sessions of Java', java_sessions)])
