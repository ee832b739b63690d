"""The main classes of Kafka's scripts, as they are: tools_cases.py BOOTSTRAP"""
import datetime
import json
import os
import re
import time
import urllib.request

from cases import Cases, equal, until
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from kafka_tools import HEAD, TOOLS, good, has, lacks, runner, tool
from support import BOOTSTRAP, FOLDER, Program, create, data_of, led_by, node

GROUPS = 'consumer.group.ConsumerGroupCommand'


def topics(*args):
    return good('TopicCommand', HEAD, BOOTSTRAP, *args)


def configs(*args):
    return good('ConfigCommand', HEAD, BOOTSTRAP, *args)


def groups(*args):
    return good(GROUPS, HEAD, BOOTSTRAP, *args)


def file(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, 'w') as f:
        f.write(text if isinstance(text, str) else json.dumps(text))
    return path


def filled(topic, count=100, partitions=1):
    """A new topic with `count` records in each partition, a minute apart; when the first was, in milliseconds."""
    create([topic], partitions)
    p = Producer({'bootstrap.servers': BOOTSTRAP, 'log_level': 0})
    start = int(time.time() - 2 * 3600) * 1000
    for partition in range(partitions):
        for i in range(count):
            p.produce(topic, 'value %d' % i, 'key %d' % i, partition, timestamp=start + 60_000 * i)
    equal(p.flush(30), 0)
    return start


def ends(topic, time_='-1'):
    """{partition: offset} by the tool of offsets."""
    out = good('GetOffsetShell', HEAD, BOOTSTRAP, '--topic', topic, '--time', time_)
    return {int(p): int(o) if o else None for p, o in re.findall(r'%s:(\d+):(\d*)' % topic, out)}


def topic_command():
    topics('--create', '--topic', 'made', '--partitions', '3', '--replication-factor', '3', '--config',
           'retention.ms=7200000')
    until(lambda: led_by('made', 3), 'leaders')
    has(topics('--list'), r'(?m)^made$')
    has(topics('--describe', '--topic', 'made'), r'Topic: made\s+TopicId: \S{22}\s+PartitionCount: 3\s+'
        r'ReplicationFactor: 3\s+Configs: .*retention.ms=7200000', r'Partition: 2\s+Leader: [123]\s+Replicas: \S+\s+Isr: ')
    has(topics('--describe', '--topics-with-overrides'), 'Topic: made')
    code, said = tool('TopicCommand', HEAD, BOOTSTRAP, '--create', '--topic', 'made')
    equal(code, 1)
    has(said, "Topic 'made' already exists")
    topics('--create', '--topic', 'made', '--if-not-exists')
    topics('--alter', '--topic', 'made', '--partitions', '5')
    until(lambda: led_by('made', 5), 'two more')
    for state in ('under-replicated', 'unavailable', 'under-min-isr', 'at-min-isr'):
        lacks(topics('--describe', '--%s-partitions' % state), 'Topic: made')
    topics('--delete', '--topic', 'made')
    until(lambda: not re.search(r'(?m)^made$', topics('--list')), 'the end of the topic', pause=0.5)


def config_command():
    create(['set'], 1)
    on = ('--entity-type', 'topics', '--entity-name', 'set')
    has(configs('--alter', *on, '--add-config', 'retention.ms=5000000,cleanup.policy=[compact,delete]'),
        'Completed updating config for topic set')
    has(configs('--describe', *on), r'retention.ms=5000000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:'
        'retention.ms=5000000', r'cleanup.policy=compact,delete ')
    has(configs('--describe', *on, '--all'), 'max.message.bytes=', 'segment.bytes=', 'min.insync.replicas=')
    configs('--alter', *on, '--delete-config', 'retention.ms')
    lacks(configs('--describe', *on), 'retention.ms=5000000')
    code, said = tool('ConfigCommand', HEAD, BOOTSTRAP, '--alter', *on, '--add-config', 'retention.ms=soon')
    equal(code, 1)
    has(said, 'retention.ms')
    configs('--alter', '--entity-type', 'brokers', '--entity-name', '2', '--add-config', 'log.retention.ms=100000000')
    has(configs('--describe', '--entity-type', 'brokers', '--entity-name', '2'), 'log.retention.ms=100000000 .*DYNAMIC_BROKER_CONFIG')
    configs('--alter', '--entity-type', 'brokers', '--entity-default', '--add-config', 'message.max.bytes=2000000')
    has(configs('--describe', '--entity-type', 'brokers', '--entity-default'), 'message.max.bytes=2000000')
    has(configs('--describe', '--entity-type', 'brokers', '--entity-name', '1', '--all'),
        'message.max.bytes=2000000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=2000000', 'node.id=1 ')
    configs('--alter', '--entity-type', 'brokers', '--entity-default', '--delete-config', 'message.max.bytes')
    configs('--alter', '--entity-type', 'brokers', '--entity-name', '2', '--delete-config', 'log.retention.ms')
    # Groups of the classic protocol have no other: their members say it.
    setting = 'consumer.session.timeout.ms=45000'
    configs('--alter', '--entity-type', 'groups', '--entity-name', 'tuned', '--add-config', setting)
    has(configs('--describe', '--entity-type', 'groups', '--entity-name', 'tuned'), setting)


def metric(name, client):
    """Of the brokers' metrics, what clients of that name pushed."""
    found = []
    for server in BOOTSTRAP.split(','):
        host, port = server.split(':')
        with urllib.request.urlopen('http://%s:%d/metrics' % (host, int(port) + 200), timeout=10) as answer:
            found += [float(line.split()[-1]) for line in answer.read().decode().splitlines()
                      if line.startswith(name + '{') and 'client_id="%s"' % client in line]
    return found


def client_metrics():
    """KIP-714: clients push what a subscription asks for, and /metrics shows it."""
    def command(*args):
        return good('ClientMetricsCommand', HEAD, BOOTSTRAP, *args)
    create(['pushed'], 1)
    command('--alter', '--name', 'pushers', '--metrics', 'org.apache.kafka.producer.', '--interval', '500', '--match',
            'client_id=push.*')
    has(command('--list'), r'(?m)^pushers$')
    has(command('--describe', '--name', 'pushers'), 'interval.ms=500', r'match=client_id=push.\*',
        'metrics=org.apache.kafka.producer.')
    on = ('--entity-type', 'client-metrics', '--entity-name', 'pushers')
    has(configs('--describe', *on), 'interval.ms=500 ')
    code, said = tool('ConfigCommand', HEAD, BOOTSTRAP, '--alter', *on, '--add-config', 'match=[color=red]')
    equal(code, 1)
    has(said, 'Illegal client matching pattern: color=red')

    def pushed():
        """By librdkafka."""
        p.produce('pushed', b'x')
        p.poll(0.1)
        return metric('kafka_client_producer_connection_creation_total', 'push-c')
    p = Producer({'bootstrap.servers': BOOTSTRAP, 'client.id': 'push-c', 'log_level': 0})
    until(pushed, 'the metrics of librdkafka', 30)
    equal(p.flush(10), 0)
    good('ProducerPerformance', '--topic', 'pushed', '--num-records', '400', '--record-size', '10', '--throughput', '100',
         HEAD, BOOTSTRAP, '--command-property', 'client.id=push-java')
    until(lambda: sum(metric('kafka_client_producer_record_send_total', 'push-java')) > 0 or
          metric('kafka_client_producer_connection_creation_total', 'push-java'), 'those of Java', 10)
    command('--delete', '--name', 'pushers')
    lacks(command('--list'), r'(?m)^pushers$')


def group_of(group, topic, offset=50):
    c = Consumer({'bootstrap.servers': BOOTSTRAP, 'group.id': group, 'enable.auto.commit': False, 'log_level': 0})

    def committed():
        try:
            return c.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        except KafkaException:  # the group's coordinator may only just begin
            return None
    until(committed, 'a commit')
    c.close()


def position(group, topic):
    """(committed, end, lag) as described."""
    out = groups('--describe', '--group', group)
    found = re.search(r'%s\s+%s\s+0\s+(\d+)\s+(\d+)\s+(-?\d+)' % (group, topic), out)
    return found and tuple(map(int, found.groups()))


def group_command():
    filled('read')
    group_of('reader', 'read')
    has(groups('--list'), r'(?m)^reader$')
    equal(position('reader', 'read'), (50, 100, 50))
    has(groups('--describe', '--group', 'reader', '--state'), r'reader\s.*Empty\s+0')
    has(groups('--list', '--state', 'Empty'), r'reader\s+Empty')
    c = Consumer({'bootstrap.servers': BOOTSTRAP, 'group.id': 'reader', 'enable.auto.commit': False,
                  'client.id': 'lives', 'log_level': 0})
    c.subscribe(['read'])
    until(lambda: c.poll(0.1) and c.assignment(), 'an assignment')
    has(groups('--describe', '--group', 'reader', '--members', '--verbose'), r'reader\s+lives-\S+\s+.*127.0.0.1\s+lives\s+1')
    has(groups('--describe', '--group', 'reader', '--state'), r'reader\s.*Stable\s+1')
    has(tool(GROUPS, HEAD, BOOTSTRAP, '--delete', '--group', 'reader')[1], 'GroupNotEmptyException|not empty')
    has(tool(GROUPS, HEAD, BOOTSTRAP, '--group', 'reader', '--topic', 'read', '--reset-offsets', '--to-earliest',
             '--execute')[1], 'inactive')
    c.close()


def reset_offsets():
    start = filled('rewound')
    group_of('rewinder', 'rewound')
    when = datetime.datetime.fromtimestamp(start / 1000 + 30.5 * 60, datetime.timezone.utc)
    back = 'PT%dS' % (time.time() - start / 1000 - 20.1 * 60)
    for form, offset in ((['--to-earliest'], 0), (['--to-latest'], 100), (['--to-offset', '40'], 40),
                         (['--shift-by', '-15'], 25), (['--shift-by', '1000'], 100), (['--to-current'], 100),
                         (['--to-datetime', when.strftime('%Y-%m-%dT%H:%M:%S.000Z')], 31), (['--by-duration', back], 21)):
        asked = ('--group', 'rewinder', '--topic', 'rewound:0', '--reset-offsets', *form)
        before = position('rewinder', 'rewound')
        has(groups(*asked, '--dry-run'), r'rewinder\s+rewound\s+0\s+%d' % offset)
        equal(position('rewinder', 'rewound'), before)
        has(groups(*asked, '--execute'), r'rewinder\s+rewound\s+0\s+%d' % offset)
        equal((form, position('rewinder', 'rewound')), (form, (offset, 100, 100 - offset)))
    exported = groups('--group', 'rewinder', '--topic', 'rewound', '--reset-offsets', '--to-offset', '77', '--export',
                      '--dry-run')
    equal(exported.strip().replace('"', ''), 'rewound,0,77')
    groups('--group', 'rewinder', '--reset-offsets', '--from-file', file('offsets.csv', exported), '--execute')
    equal(position('rewinder', 'rewound'), (77, 100, 23))
    groups('--reset-offsets', '--all-groups', '--all-topics', '--to-earliest', '--dry-run')


def delete_offsets():
    filled('left')
    group_of('leaver', 'left')
    has(groups('--delete-offsets', '--group', 'leaver', '--topic', 'left'), r'left\s+0\s+Successful')
    equal(position('leaver', 'left'), None)
    group_of('leaver', 'left')
    has(groups('--delete', '--group', 'leaver'), 'successful')
    lacks(groups('--list'), r'(?m)^leaver$')


def delete_records():
    filled('cut')
    plan = file('cut.json', {'version': 1, 'partitions': [{'topic': 'cut', 'partition': 0, 'offset': 30}]})
    has(good('DeleteRecordsCommand', HEAD, BOOTSTRAP, '--offset-json-file', plan),
        r'partition: cut-0\s+low_watermark: 30')
    equal(ends('cut', '-2'), {0: 30})
    plan = file('cut.json', {'version': 1, 'partitions': [{'topic': 'cut', 'partition': 0, 'offset': 101}]})
    has(tool('DeleteRecordsCommand', HEAD, BOOTSTRAP, '--offset-json-file', plan)[1], 'OffsetOutOfRange')
    plan = file('cut.json', {'version': 1, 'partitions': [{'topic': 'cut', 'partition': 0, 'offset': -1}]})
    has(good('DeleteRecordsCommand', HEAD, BOOTSTRAP, '--offset-json-file', plan), 'low_watermark: 100')


def get_offsets():
    start = filled('placed', 100, 2)
    equal(ends('placed'), {0: 100, 1: 100})
    for time_, offset in (('earliest', 0), ('latest', 100), ('max-timestamp', 99), (str(start + 630_000), 11)):
        equal((time_, ends('placed', time_)), (time_, {0: offset, 1: offset}))


def log_dirs():
    filled('lies')
    out = good('LogDirsCommand', HEAD, BOOTSTRAP, '--describe', '--topic-list', 'lies')
    about = json.loads(next(line for line in out.splitlines() if line.startswith('{')))
    equal({b['broker'] for b in about['brokers']}, {1, 2, 3})
    for broker in about['brokers']:
        (found,) = [p for d in broker['logDirs'] for p in d['partitions'] if p['partition'] == 'lies-0']
        assert found['size'] > 1000 and found['offsetLag'] == 0 and not found['isFuture'], found


def about(topic):
    """(leader, replicas, in sync) of partition 0, as described."""
    found = re.search(r'Leader: (\S+)\s+Replicas: (\S+)\s+Isr: (\S*)', topics('--describe', '--topic', topic))
    return found.groups()


def elect(kind, topic):
    return good('LeaderElectionCommand', HEAD, BOOTSTRAP, '--election-type', kind, '--topic', topic, '--partition', '0')


def leader_election():
    topics('--create', '--topic', 'elected', '--replica-assignment', '1:2', '--config', 'min.insync.replicas=1')
    until(lambda: led_by('elected', 1), 'a leader')
    has(elect('preferred', 'elected'), 'Valid replica already elected for partitions elected-0')
    node('stop', 'broker-1')
    until(lambda: about('elected')[0] == '2', 'another leader')
    node('start', 'broker-1')
    until(lambda: '1' in about('elected')[2], 'broker 1 in sync')
    has(elect('preferred', 'elected'), r'Successfully completed leader election \(PREFERRED\) for partitions elected-0')
    until(lambda: about('elected')[0] == '1', 'broker 1 leads')
    # Until broker 1 is in sync everywhere, it is not available for some.
    until(lambda: tool('LeaderElectionCommand', HEAD, BOOTSTRAP, '--election-type', 'preferred',
                       '--all-topic-partitions')[0] == 0, 'all that need it', 40, 0.3)
    node('stop', 'broker-2')
    until(lambda: about('elected')[2] == '1', 'broker 2 out of sync')
    node('kill', 'broker-1')
    node('start', 'broker-2')
    until(lambda: about('elected')[0] == 'none', 'no leader', 60)
    has(elect('unclean', 'elected'), r'Successfully completed leader election \(UNCLEAN\) for partitions elected-0')
    until(lambda: about('elected')[0] == '2', 'broker 2 leads')
    node('start', 'broker-1')


def reassign(*args):
    return good('reassign.ReassignPartitionsCommand', HEAD, BOOTSTRAP, *args)


def replicas_of(topic):
    return re.findall(r'Replicas: (\S+)', topics('--describe', '--topic', topic))


def reassign_partitions():
    topics('--create', '--topic', 'moved', '--replica-assignment', '1:2,2:3')
    until(lambda: led_by('moved', 2), 'leaders')
    out = reassign('--generate', '--topics-to-move-json-file', file('move.json', {
        'version': 1, 'topics': [{'topic': 'moved'}]}), '--broker-list', '2,3')
    has(out, 'Current partition replica assignment', 'Proposed partition reassignment configuration')
    wanted = {'version': 1, 'partitions': [{'topic': 'moved', 'partition': 0, 'replicas': [3, 2]},
                                           {'topic': 'moved', 'partition': 1, 'replicas': [3, 1, 2]}]}
    plan = file('plan.json', wanted)
    has(reassign('--execute', '--reassignment-json-file', plan, '--throttle', '50000000'),
        'Successfully started partition reassignments')
    until(lambda: 'still in progress' not in reassign('--verify', '--reassignment-json-file', plan), 'the end', 40, 0.3)
    has(reassign('--verify', '--reassignment-json-file', plan), 'Reassignment of partition moved-0 is completed',
        'Reassignment of partition moved-1 is completed')
    until(lambda: replicas_of('moved') == ['3,2', '3,1,2'], 'the new replicas')
    has(reassign('--list'), 'No partition reassignments found')
    has(reassign('--cancel', '--reassignment-json-file', plan), 'None of the specified partition moves are active')


def moves_of(name, *partitions):
    """A plan that kafka-reassign-partitions reads."""
    return file(name, {'version': 1, 'partitions': list(partitions)})


def cancel_moves():
    """Under way: there is more to copy than the rate lets through."""
    topics('--create', '--topic', 'held', '--replica-assignment', '1:2')
    until(lambda: led_by('held', 1), 'a leader')
    p = Producer({'bootstrap.servers': BOOTSTRAP, 'acks': 'all', 'linger.ms': 20})
    for _ in range(3000):
        p.produce('held', b'x' * 1000)
    equal(p.flush(30), 0)
    plan = moves_of('held.json', {'topic': 'held', 'partition': 0, 'replicas': [3, 2]})
    reassign('--execute', '--reassignment-json-file', plan, '--throttle', '1000')
    has(reassign('--verify', '--reassignment-json-file', plan), 'Reassignment of partition held-0 is still in progress')
    has(reassign('--list'), r'held-0: replicas: 3,2,1\. adding: 3\. removing: 1')
    # Another takes its place, and is cancelled: what was before the first is left.
    other = moves_of('other.json', {'topic': 'held', 'partition': 0, 'replicas': [2, 3, 1]})
    reassign('--execute', '--reassignment-json-file', other, '--throttle', '1000', '--additional')
    has(reassign('--list'), r'held-0: replicas: 2,3,1\. adding: 3\.')
    has(reassign('--cancel', '--reassignment-json-file', other),
        'Successfully cancelled partition reassignments? for: held-0')
    has(reassign('--list'), 'No partition reassignments found')
    equal([sorted(r.split(',')) for r in replicas_of('held')], [['1', '2']])
    has(reassign('--cancel', '--reassignment-json-file', other), 'None of the specified partition moves are active')
    lacks(configs('--describe', '--entity-type', 'brokers', '--entity-name', '3'), 'throttled.rate')
    until(lambda: not [f for f in data_of('held-0') if '/broker-3/' in f], 'what had come is gone', 20)


def dirs_of(topic):
    """Of broker 1: where partition 0 lies, and where it moves to."""
    out = good('LogDirsCommand', HEAD, BOOTSTRAP, '--describe', '--topic-list', topic, '--broker-list', '1')
    found = json.loads(next(line for line in out.splitlines() if line.startswith('{')))['brokers'][0]['logDirs']
    return tuple([d['logDir'] for d in found for p in d['partitions'] if p['isFuture'] == future]
                 for future in (False, True))


def move_between_directories():
    topics('--create', '--topic', 'aside', '--replica-assignment', '1:2')
    until(lambda: led_by('aside', 1), 'a leader')
    p = Producer({'bootstrap.servers': BOOTSTRAP, 'acks': 'all', 'linger.ms': 20})
    for _ in range(2000):
        p.produce('aside', b'x' * 1000)
    equal(p.flush(30), 0)
    (before,), _ = dirs_of('aside')
    to = {'data': 'data2', 'data2': 'data'}[before]
    plan = moves_of('aside.json', {'topic': 'aside', 'partition': 0, 'replicas': [1, 2], 'log_dirs': [to, 'any']})
    reassign('--execute', '--reassignment-json-file', plan, '--replica-alter-log-dirs-throttle', '10')
    has(reassign('--verify', '--preserve-throttles', '--reassignment-json-file', plan), 'is still in progress')
    equal(dirs_of('aside'), ([before], [to]))
    configs('--alter', '--entity-type', 'brokers', '--entity-name', '1', '--delete-config',
            'replica.alter.log.dirs.io.max.bytes.per.second')
    until(lambda: dirs_of('aside') == ([to], []), 'it has moved', 40, 0.3)
    has(reassign('--verify', '--reassignment-json-file', plan), 'Reassignment of replica aside-0-1 completed successfully')
    equal(ends('aside'), {0: 2000})


def transactions_of(*args):
    return good('TransactionsCommand', HEAD, BOOTSTRAP, *args)


def transactions():
    create(['paid'], 1)
    p = Producer({'bootstrap.servers': BOOTSTRAP, 'transactional.id': 'payer', 'log_level': 0})
    p.init_transactions(30)
    p.begin_transaction()
    p.produce('paid', 'open')
    equal(p.flush(30), 0)
    has(transactions_of('list'), r'payer\s+\d+\s+\d+\s+Ongoing')
    has(transactions_of('describe', '--transactional-id', 'payer'), r'Ongoing\s.*paid-0')
    out = transactions_of('describe-producers', '--topic', 'paid', '--partition', '0')
    has(out, r'(?m)^\d+\s+\d+\s+-?\d+\s+\d+\s+\d+\s+0\s*$')
    transactions_of('find-hanging', '--topic', 'paid', '--max-transaction-timeout', '1')
    transactions_of('abort', '--topic', 'paid', '--partition', '0', '--start-offset', '0')
    has(transactions_of('describe-producers', '--topic', 'paid', '--partition', '0'), r'(?m)\sNone\s*$')
    try:
        p.abort_transaction(30)
    except Exception:  # its batch is aborted already; the coordinator may say so
        pass


def features():
    has(good('FeatureCommand', HEAD, BOOTSTRAP, 'describe'), r'Feature: transaction.version\s.*FinalizedVersionLevel: 2',
        r'Feature: metadata.version\s')


def metadata_quorum():
    has(good('MetadataQuorumCommand', HEAD, BOOTSTRAP, 'describe', '--status'), r'LeaderId:\s+\d+', r'HighWatermark:\s+\d+',
        'CurrentVoters:')
    has(good('MetadataQuorumCommand', HEAD, BOOTSTRAP, 'describe', '--replication', '--human-readable'), 'Leader', 'Follower')


def others():
    has(good('BrokerApiVersionsCommand', HEAD, BOOTSTRAP), r'Produce\(0\): ', r'id: 3 ')
    has(good('ClusterTool', 'cluster-id', HEAD, BOOTSTRAP), r'Cluster ID: \S{22}')
    has(good('ClusterTool', 'list-endpoints', HEAD, BOOTSTRAP), r'3\s+127.0.0.1')
    has(good('GroupsCommand', HEAD, BOOTSTRAP, '--list'), 'GROUP')


def console():
    create(['typed'], 1)
    good('ConsoleProducer', HEAD, BOOTSTRAP, '--topic', 'typed', '--reader-property', 'parse.key=true',
         '--reader-property', 'key.separator=:', given='a:one\nb:two\nc:three\n')
    out = good('consumer.ConsoleConsumer', HEAD, BOOTSTRAP, '--topic', 'typed', '--from-beginning', '--max-messages', '3',
               '--formatter-property', 'print.key=true', '--formatter-property', 'print.offset=true')
    has(out, r'Offset:0\ta\tone\nOffset:1\tb\ttwo\nOffset:2\tc\tthree\n')


def verifiable():
    create(['checked'], 1)
    producer = Program('verifiable', TOOLS + 'VerifiableProducer', HEAD, BOOTSTRAP, '--topic', 'checked', '--max-messages',
                       '200')  # says the sums from a hook of the end of its JVM
    equal(producer.end(60), 0)
    has('\n'.join(producer.lines), r'"name":"producer_send_success"', r'"name":"tool_data","sent":200,"acked":200')
    out = good('VerifiableConsumer', HEAD, BOOTSTRAP, '--topic', 'checked', '--group-id', 'checker', '--max-messages', '200',
               '--reset-policy', 'earliest')
    read = [json.loads(line) for line in out.splitlines() if line.startswith('{')]
    equal(sum(r['count'] for r in read if r['name'] == 'records_consumed'), 200)
    assert any(r['name'] == 'offsets_committed' and r['success'] for r in read), read


def performance():
    create(['fast'], 1)
    has(good('ProducerPerformance', HEAD, BOOTSTRAP, '--topic', 'fast', '--num-records', '20000', '--record-size', '100',
             '--throughput', '-1', '--command-property', 'acks=all'), r'20000 records sent, .* 99.9th')
    has(good('ConsumerPerformance', HEAD, BOOTSTRAP, '--topic', 'fast', '--num-records', '20000'),
        r'(?m)^\d{4}-.*, 2\d{4}, ')
    has(good('EndToEndLatency', HEAD, BOOTSTRAP, '--topic', 'fast', '--num-records', '100', '--producer-acks', 'all',
             '--record-size', '100'), 'Avg latency', 'Percentiles')


def streams_reset():
    filled('in')
    group_of('stream', 'in')
    out = good('StreamsResetter', HEAD, BOOTSTRAP, '--application-id', 'stream', '--input-topics', 'in', '--to-offset', '7')
    has(out, 'Following input topics offsets will be reset')
    equal(position('stream', 'in'), (7, 100, 93))


def dump_log():
    filled('dumped', 10)
    logs = [f for f in data_of('dumped-0') if f.endswith('.log')]
    equal(len(logs), 3)
    out = good('DumpLogSegments', '--files', ','.join(logs), '--print-data-log', '--deep-iteration')
    equal(out.count('payload: value 9'), 3)
    lacks(out, 'isvalid: false|Exception|mismatch')
    offsets = [f for p in range(50) for f in data_of('__consumer_offsets-%d' % p) if f.endswith('.log')]
    has(good('DumpLogSegments', '--offsets-decoder', '--files', ','.join(f for f in offsets if os.path.getsize(f))),
        r'"group":"reader","topic":"read","partition":0')
    states = [f for p in range(50) for f in data_of('__transaction_state-%d' % p) if f.endswith('.log')]
    has(good('DumpLogSegments', '--transaction-log-decoder', '--files', ','.join(f for f in states if os.path.getsize(f))),
        'payer', 'Ongoing')


cases = Cases('tools', 90)
for name, case in (
        ('kafka-topics', topic_command), ('kafka-configs', config_command), ('kafka-client-metrics', client_metrics),
        ('kafka-consumer-groups', group_command),
        ('kafka-consumer-groups resets offsets in every form', reset_offsets),
        ('kafka-consumer-groups deletes offsets and groups', delete_offsets), ('kafka-delete-records', delete_records),
        ('kafka-get-offsets', get_offsets), ('kafka-log-dirs', log_dirs), ('kafka-leader-election', leader_election),
        ('kafka-reassign-partitions', reassign_partitions),
        ('kafka-reassign-partitions --cancel of what moves', cancel_moves),
        ('kafka-reassign-partitions between log directories', move_between_directories), ('kafka-transactions', transactions),
        ('kafka-features', features), ('kafka-metadata-quorum', metadata_quorum),
        ('kafka-broker-api-versions, kafka-cluster, kafka-groups', others), ('console producer and consumer', console),
        ('verifiable producer and consumer', verifiable), ('performance of producer, consumer and both', performance),
        ('kafka-streams-application-reset', streams_reset), ('kafka-dump-log', dump_log)):
    cases.run(name, case)
runner.end(10)
cases.done()
