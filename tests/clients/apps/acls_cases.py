"""What every API asks for, held against Apache Kafka's answers to the same requests; kafka-acls: acls_cases.py BOOTSTRAP

Nobody authenticates here, so who asks is known by the address: 127.0.0.1 may do everything, 127.0.0.2 what a case gives
it. Each request is sent with all rights that it needs, with none, and without each of them. What Kafka answered is in
tests/data/kafka/acls.json; TIDEMARK_UPDATE_GOLDEN=1 writes it, which makes sense against Kafka only
(tests/clients/apps.py acls --cluster ...).
"""
import base64
import json
import os
import re
import struct
import uuid

from cases import Cases, equal, until
from kafka_messages import Client, Schemas, jar_in
from support import BOOTSTRAP, Program

HERE = os.path.dirname(os.path.realpath(__file__))
GOLDEN = os.path.join(HERE, '..', '..', 'data', 'kafka', 'acls.json')
PORT = int(BOOTSTRAP.split(',')[0].rpartition(':')[2])
ADMIN, OTHER = '127.0.0.1', '127.0.0.2'
EVERYBODY = 'User:ANONYMOUS'
TOPIC, GROUP, CLUSTER, TXN, TOKEN, USER = 2, 3, 4, 5, 6, 7
TYPES = {'topic': TOPIC, 'group': GROUP, 'cluster': CLUSTER, 'txn': TXN}
OPS = {'All': 2, 'Read': 3, 'Write': 4, 'Create': 5, 'Delete': 6, 'Alter': 7, 'Describe': 8, 'ClusterAction': 9,
       'DescribeConfigs': 10, 'AlterConfigs': 11, 'IdempotentWrite': 12}
LITERAL, ANY, ALLOW = 3, 1, 3
# Errors that say something of rights, or of what is there. Others depend on what else goes on.
TELLING = {3: 'unknown topic', 29: 'topic', 30: 'group', 31: 'cluster', 53: 'transactional id', 54: 'no authorizer',
           55: 'not attempted', 100: 'unknown topic id'}
IDENTITY = ('name', 'topic', 'topicName', 'groupId', 'resourceName', 'key', 'transactionalId', 'topicId', 'partitionIndex',
            'partition', 'index', 'partitionId', 'producerId')

schemas = Schemas(jar_in(os.environ['CLASSPATH']))
admin, other = Client(schemas, PORT, ADMIN), Client(schemas, PORT, OTHER)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def batch(transactional=False):
    """One record, as producers send it."""
    record = b'\0\0\0\1\2v\0'  # attributes, deltas of time and offset, no key, value "v", no headers
    body = struct.pack('>hiqqqhii', 0x10 if transactional else 0, 0, 0, 0, 7 if transactional else -1,
                       0 if transactional else -1, 0 if transactional else -1, 1) + bytes([2 * len(record)]) + record
    return struct.pack('>qiibI', 0, 9 + len(body), -1, 2, crc32c(body)) + body


def right(text):
    """"Read topic t" -> (operation, type, name)"""
    operation, kind, *name = text.split()
    return OPS[operation], TYPES[kind], name[0] if name else 'kafka-cluster'


def acls_of(host):
    answer = admin.ask('DescribeAcls', 3, resourceTypeFilter=ANY, resourceNameFilter=None, patternTypeFilter=ANY,
                       principalFilter=None, hostFilter=host, operation=ANY, permissionType=ANY)
    equal(answer['errorCode'], 0)
    return {(a['operation'], r['resourceType'], r['resourceName']) for r in answer['resources'] for a in r['acls']}


def create_acls(host, rights):
    answer = admin.ask('CreateAcls', 3, creations=[
        dict(resourceType=kind, resourceName=name, resourcePatternType=LITERAL, principal=EVERYBODY, host=host,
             operation=operation, permissionType=ALLOW) for operation, kind, name in sorted(rights)])
    equal([r['errorCode'] for r in answer['results']], [0] * len(rights))


def delete_acls(host, rights):
    answer = admin.ask('DeleteAcls', 3, filters=[
        dict(resourceTypeFilter=kind, resourceNameFilter=name, patternTypeFilter=LITERAL, principalFilter=EVERYBODY,
             hostFilter=host, operation=operation, permissionType=ALLOW) for operation, kind, name in sorted(rights)])
    equal([(r['errorCode'], len(r['matchingAcls'])) for r in answer['filterResults']], [(0, 1)] * len(rights))


def grant(rights):
    """The other may do just that."""
    has = acls_of(OTHER)
    if rights - has:
        create_acls(OTHER, rights - has)
    if has - rights:
        delete_acls(OTHER, has - rights)
    until(lambda: acls_of(OTHER) == rights, 'rights %s' % rights, 20, 0.01)


def told(node, path=''):
    """Lines of what an answer says about rights and about what is there."""
    if isinstance(node, list):
        for one in node:
            identity = one
            if isinstance(one, dict):
                identity = next((one[k] for k in IDENTITY if k in one and one[k] is not None), '')
                if identity in ('g', 'x') and 'errorCode' not in one:
                    yield '%s[%s] there' % (path, identity)
            yield from told(one, '%s[%s]' % (path, '@t' if identity == topic_id else identity))
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ('errorCode', 'partitionErrorCode', 'topicConfigErrorCode'):
            yield '%s %s' % (path, TELLING.get(value, '-'))
        elif key.lower().endswith('authorizedoperations'):
            yield '%s %s %s' % (path, key, value)
        elif key not in ('brokers', 'nodes', 'nodeEndpoints', 'configs', 'features', 'supportedFeatures', 'listeners'):
            yield from told(value, path + '.' + key)


topic_id = None
BY_NAME = [{'name': 't'}, {'name': 'gone'}]


def parts(key, value=None):
    """Two topics, one of which is there, with a partition each under `key`."""
    return [{'name': n, key: [value if value is not None else 0]} for n in ('t', 'gone')]


# API, version, request, rights; DENIED: with all rights it is not sent, for it would change something, or is of brokers.
DENIED = True


def table():
    p0 = {'partitionIndex': 0}
    fetch = dict(maxWaitMs=0, minBytes=0, maxBytes=1 << 20)
    read0 = {'partition': 0, 'fetchOffset': 0, 'partitionMaxBytes': 1000}
    by_id = [{'topicId': topic_id, 'partitions': [read0]},
             {'topicId': uuid.UUID(int=77), 'partitions': [read0]}]
    commit = {'partitionIndex': 0, 'committedOffset': 0, 'committedMetadata': ''}
    configs = [dict(resourceType=2, resourceName='t'), dict(resourceType=2, resourceName='gone'),
               dict(resourceType=4, resourceName=''), dict(resourceType=32, resourceName='g')]
    data = [{'name': n, 'partitionData': [{'index': 0, 'records': batch()}]} for n in ('t', 'gone')]
    in_txn = [{'name': 't', 'partitionData': [{'index': 0, 'records': batch(True)}]}]
    marker = dict(producerId=7, producerEpoch=0, transactionResult=False, coordinatorEpoch=0,
                  topics=[{'name': 't', 'partitionIndexes': [0]}])
    return [
        ('Produce', 9, dict(acks=-1, timeoutMs=5000, transactionalId=None, topicData=data), ['Write topic t']),
        ('Produce', 3, dict(acks=1, timeoutMs=5000, transactionalId=None, topicData=data), ['Write topic t', 'Write topic gone']),
        ('Produce', 9, dict(acks=-1, timeoutMs=5000, transactionalId='x', topicData=in_txn),
         ['Write txn x', 'Write topic t'], DENIED),
        ('Fetch', 12, dict(fetch, topics=[{'topic': n, 'partitions': [read0]} for n in ('t', 'gone')]), ['Read topic t']),
        ('Fetch', 4, dict(fetch, topics=[{'topic': n, 'partitions': [read0]} for n in ('t', 'gone')]),
         ['Read topic t', 'Read topic gone']),
        ('Fetch', 17, dict(fetch, topics=by_id), ['Read topic t']),
        ('Fetch', 12, dict(fetch, replicaId=9, topics=[{'topic': 't', 'partitions': [read0]}]), ['ClusterAction cluster'], DENIED),
        ('ListOffsets', 6, dict(replicaId=-1, topics=parts('partitions', {**p0, 'timestamp': -1})), ['Describe topic t']),
        ('Metadata', 9, dict(topics=BY_NAME, allowAutoTopicCreation=False, includeClusterAuthorizedOperations=True,
                             includeTopicAuthorizedOperations=True),
         ['Describe topic t', 'Describe cluster', 'Describe topic gone']),
        ('Metadata', 9, dict(topics=BY_NAME, allowAutoTopicCreation=False, includeClusterAuthorizedOperations=True,
                             includeTopicAuthorizedOperations=True), ['Write topic t', 'Alter cluster']),
        ('Metadata', 4, dict(topics=[{'name': 'made'}], allowAutoTopicCreation=True),
         ['Describe topic made', 'Create topic made'], DENIED),
        ('Metadata', 12, dict(topics=None), ['Describe topic t']),
        ('Metadata', 1, dict(topics=None), ['Describe topic t']),
        ('Metadata', 0, dict(topics=BY_NAME), ['Describe topic t']),
        ('Metadata', 12, dict(topics=[{'topicId': topic_id, 'name': None}, {'topicId': uuid.UUID(int=77), 'name': None}]),
         ['Describe topic t']),
        ('OffsetCommit', 8, dict(groupId='g', topics=parts('partitions', commit)), ['Read group g', 'Read topic t']),
        ('OffsetCommit', 2, dict(groupId='g', topics=parts('partitions', commit)), ['Read group g', 'Read topic t']),
        ('OffsetFetch', 1, dict(groupId='g', topics=parts('partitionIndexes')), ['Describe group g', 'Describe topic t']),
        ('OffsetFetch', 7, dict(groupId='g', topics=parts('partitionIndexes')), ['Describe group g', 'Describe topic t']),
        ('OffsetFetch', 7, dict(groupId='g', topics=None), ['Describe group g', 'Describe topic t']),
        ('OffsetFetch', 8, dict(groups=[{'groupId': 'g', 'topics': parts('partitionIndexes')},
                                        {'groupId': 'h', 'topics': parts('partitionIndexes')}]),
         ['Describe group g', 'Describe topic t']),
        ('OffsetFetch', 8, dict(groups=[{'groupId': 'g', 'topics': None}]), ['Describe group g', 'Describe topic t']),
        ('FindCoordinator', 0, dict(key='g'), ['Describe group g']),
        ('FindCoordinator', 3, dict(key='x', keyType=1), ['Describe txn x']),
        ('FindCoordinator', 4, dict(coordinatorKeys=['g', 'h']), ['Describe group g']),
        ('FindCoordinator', 4, dict(keyType=1, coordinatorKeys=['x', 'y']), ['Describe txn x']),
        ('JoinGroup', 5, dict(groupId='j', sessionTimeoutMs=10000, rebalanceTimeoutMs=10000, protocolType='consumer',
                              protocols=[{'name': 'range', 'metadata': b''}]), ['Read group j']),
        ('Heartbeat', 4, dict(groupId='j', memberId='m'), ['Read group j']),
        ('LeaveGroup', 4, dict(groupId='j', members=[{'memberId': 'm'}]), ['Read group j']),
        ('LeaveGroup', 1, dict(groupId='j', memberId='m'), ['Read group j']),
        ('SyncGroup', 5, dict(groupId='j', memberId='m', protocolType='consumer', protocolName='range'), ['Read group j']),
        ('DescribeGroups', 5, dict(groups=['g', 'h'], includeAuthorizedOperations=True), ['Describe group g']),
        ('DescribeGroups', 5, dict(groups=['g'], includeAuthorizedOperations=True), ['Read group g', 'Delete group g']),
        ('ListGroups', 4, {}, ['Describe group g']),
        ('ListGroups', 4, {}, ['Describe cluster']),
        ('DeleteGroups', 2, dict(groupsNames=['j', 'k']), ['Delete group j']),
        ('OffsetDelete', 0, dict(groupId='g', topics=[{'name': n, 'partitions': [{'partitionIndex': 9}]} for n in ('t', 'gone')]),
         ['Delete group g', 'Read topic t']),
        ('CreateTopics', 7, dict(topics=[dict(name=n, numPartitions=1, replicationFactor=1) for n in ('new', 'newer')],
                                 timeoutMs=5000, validateOnly=True), ['Create topic new', 'DescribeConfigs topic new']),
        ('CreateTopics', 4, dict(topics=[dict(name=n, numPartitions=1, replicationFactor=1) for n in ('new', 'newer')],
                                 timeoutMs=5000, validateOnly=True), ['Create cluster']),
        ('DeleteTopics', 5, dict(topicNames=['t', 'gone'], timeoutMs=5000), ['Describe topic t', 'Describe topic gone', 'Delete topic gone']),
        ('DeleteTopics', 6, dict(topics=[dict(name='t'), dict(name='gone')], timeoutMs=5000), ['Describe topic t', 'Describe topic gone']),
        ('DeleteTopics', 6, dict(topics=[dict(name=None, topicId=topic_id), dict(name=None, topicId=uuid.UUID(int=77))],
                                 timeoutMs=5000), ['Describe topic t']),
        ('CreatePartitions', 3, dict(topics=[dict(name=n, count=7, assignments=None) for n in ('t', 'gone')], timeoutMs=5000,
                                     validateOnly=True), ['Alter topic t']),
        ('DeleteRecords', 2, dict(topics=parts('partitions', {**p0, 'offset': 0}), timeoutMs=5000), ['Delete topic t']),
        ('InitProducerId', 4, dict(transactionalId=None), ['IdempotentWrite cluster']),
        ('InitProducerId', 4, dict(transactionalId=None), ['Write topic gone']),
        ('InitProducerId', 4, dict(transactionalId='x', transactionTimeoutMs=10000), ['Write txn x']),
        ('OffsetForLeaderEpoch', 4, dict(replicaId=-1, topics=[{'topic': n, 'partitions': [{'partition': 0, 'leaderEpoch': 0}]}
                                                               for n in ('t', 'gone')]), ['Describe topic t']),
        ('OffsetForLeaderEpoch', 4, dict(replicaId=-1, topics=[{'topic': n, 'partitions': [{'partition': 0, 'leaderEpoch': 0}]}
                                                               for n in ('t', 'gone')]), ['ClusterAction cluster']),
        ('AddPartitionsToTxn', 3, dict(v3AndBelowTransactionalId='x', v3AndBelowProducerId=7, v3AndBelowProducerEpoch=0,
                                       v3AndBelowTopics=[{'name': n, 'partitions': [0]} for n in ('t', 'gone', 'u')]),
         ['Write txn x', 'Write topic t', 'Write topic gone']),
        ('AddPartitionsToTxn', 4, dict(transactions=[dict(transactionalId='x', producerId=7, producerEpoch=0, verifyOnly=True,
                                                          topics=[{'name': 't', 'partitions': [0]}])]),
         ['ClusterAction cluster']),
        ('AddOffsetsToTxn', 3, dict(transactionalId='x', producerId=7, producerEpoch=0, groupId='g'), ['Write txn x', 'Read group g']),
        ('EndTxn', 3, dict(transactionalId='x', producerId=7, producerEpoch=0, committed=False), ['Write txn x']),
        ('TxnOffsetCommit', 3, dict(transactionalId='x', groupId='g', producerId=7, producerEpoch=0,
                                    topics=parts('partitions', commit)), ['Write txn x', 'Read group g', 'Read topic t'], DENIED),
        ('WriteTxnMarkers', 1, dict(markers=[marker]), ['ClusterAction cluster'], DENIED),
        ('DescribeAcls', 3, dict(resourceTypeFilter=ANY, resourceNameFilter=None, patternTypeFilter=ANY, principalFilter='User:z',
                                 hostFilter=None, operation=ANY, permissionType=ANY), ['Describe cluster']),
        ('CreateAcls', 3, dict(creations=[dict(resourceType=TOPIC, resourceName='t', resourcePatternType=1, principal='User:z',
                                               host='*', operation=3, permissionType=3)]), ['Alter cluster']),
        ('DeleteAcls', 3, dict(filters=[dict(resourceTypeFilter=TOPIC, resourceNameFilter='none', patternTypeFilter=LITERAL,
                                             principalFilter=None, hostFilter=None, operation=ANY, permissionType=ANY)]),
         ['Alter cluster']),
        ('DescribeConfigs', 4, dict(resources=[dict(r, configurationKeys=['retention.ms']) for r in configs]),
         ['DescribeConfigs topic t', 'DescribeConfigs cluster', 'DescribeConfigs group g']),
        ('DescribeConfigs', 1, dict(resources=[dict(r, configurationKeys=['retention.ms']) for r in configs[:3]]),
         ['AlterConfigs topic t', 'AlterConfigs cluster']),
        ('IncrementalAlterConfigs', 1, dict(resources=[dict(r, configs=[]) for r in configs], validateOnly=True),
         ['AlterConfigs topic t', 'AlterConfigs cluster', 'AlterConfigs group g']),
        ('AlterConfigs', 2, dict(resources=[dict(r, configs=[]) for r in configs[:3]], validateOnly=True),
         ['AlterConfigs topic t', 'AlterConfigs cluster']),
        ('AlterReplicaLogDirs', 2, dict(dirs=[dict(path='/nowhere', topics=[{'name': 't', 'partitions': [0]}])]), ['Alter cluster'], DENIED),
        ('DescribeLogDirs', 4, dict(topics=[]), ['Describe cluster'], DENIED),
        ('DescribeLogDirs', 2, dict(topics=[]), ['Describe cluster'], DENIED),
        ('ElectLeaders', 2, dict(topicPartitions=[{'topic': 't', 'partitions': [0]}], timeoutMs=5000), ['Alter cluster'], DENIED),
        ('ElectLeaders', 0, dict(topicPartitions=[{'topic': 't', 'partitions': [0]}], timeoutMs=5000), ['Alter cluster'], DENIED),
        ('AlterPartitionReassignments', 0, dict(timeoutMs=5000, topics=[{'name': 't', 'partitions': [{**p0, 'replicas': None}]}]),
         ['Alter cluster'], DENIED),
        ('ListPartitionReassignments', 0, dict(timeoutMs=5000, topics=None), ['Describe cluster']),
        ('DescribeQuorum', 1, dict(topics=[dict(topicName='__cluster_metadata', partitions=[p0])]), ['Describe cluster'], DENIED),
        ('UpdateFeatures', 1, dict(timeoutMs=5000, validateOnly=True, featureUpdates=[]), ['Alter cluster'], DENIED),
        ('DescribeCluster', 1, dict(includeClusterAuthorizedOperations=True), ['Describe cluster']),
        ('DescribeCluster', 1, dict(includeClusterAuthorizedOperations=True), ['Describe cluster', 'Create cluster', 'AlterConfigs cluster']),
        ('DescribeProducers', 0, dict(topics=[{'name': n, 'partitionIndexes': [0]} for n in ('t', 'gone')]), ['Read topic t']),
        ('UnregisterBroker', 0, dict(brokerId=99), ['Alter cluster'], DENIED),
        ('DescribeTransactions', 0, dict(transactionalIds=['x', 'y']), ['Describe txn x']),
        ('ListTransactions', 1, {}, ['Describe txn x']),
        ('ListConfigResources', 1, dict(resourceTypes=[2]), ['DescribeConfigs cluster'], DENIED),
        ('DescribeTopicPartitions', 0, dict(topics=BY_NAME), ['Describe topic t', 'Alter topic t']),
        ('DescribeTopicPartitions', 0, dict(topics=[]), ['Describe topic t', 'Read topic u']),
        ('AddRaftVoter', 0, dict(clusterId=None, timeoutMs=1000, voterId=99, listeners=[]), ['Alter cluster'], DENIED),
        ('RemoveRaftVoter', 0, dict(clusterId=None, voterId=99), ['Alter cluster'], DENIED),
    ]


def prepare():
    """Topics, a group, a transactional id, and the one who may do everything."""
    global topic_id
    create_acls(ADMIN, {(OPS['All'], kind, 'kafka-cluster' if kind == CLUSTER else '*')
                        for kind in (TOPIC, GROUP, CLUSTER, TXN, TOKEN, USER)})
    answer = admin.ask('CreateTopics', 7, timeoutMs=20000, topics=[
        dict(name=n, numPartitions=1, replicationFactor=1) for n in ('t', 'u')])
    equal([t['errorCode'] for t in answer['topics']], [0, 0])
    topic_id = until(lambda: id_of('t'), 'the topic', 30)
    commit = {'partitionIndex': 0, 'committedOffset': 0, 'committedMetadata': ''}
    until(lambda: admin.ask('FindCoordinator', 3, key='g')['errorCode'] == 0, 'a coordinator', 60)
    until(lambda: admin.ask('OffsetCommit', 8, groupId='g', topics=[{'name': n, 'partitions': [commit]} for n in 'tu'])
          ['topics'][0]['partitions'][0]['errorCode'] == 0, 'a group', 60)
    until(lambda: admin.ask('FindCoordinator', 3, key='x', keyType=1)['errorCode'] == 0, 'a coordinator', 60)
    until(lambda: admin.ask('InitProducerId', 4, transactionalId='x', transactionTimeoutMs=60000)['errorCode'] == 0,
          'a transactional id', 60)


def id_of(topic):
    found = admin.ask('Metadata', 12, topics=[{'topicId': uuid.UUID(int=0), 'name': topic}])['topics'][0]
    return found['topicId'] if found['errorCode'] == 0 and found['partitions'] else None


def ask(api, version, request):
    answer = other.ask(api, version, **request)
    if answer is None:
        return ['closed']
    # Topics that a cluster keeps for itself come when they are needed.
    return sorted({line for line in told(answer) if '__' not in line})


golden = {}
seen = {}


def every_right(api, version, request, rights, denied=False):
    wanted = {text: right(text) for text in rights}
    sets = [('none', set())]
    sets += [('all but ' + text, set(wanted.values()) - {wanted[text]}) for text in rights if len(rights) > 1]
    sets += [] if denied else [('all', set(wanted.values()))]
    for name, given in sets:
        grant(given)
        key = '%s %d of %s: %s' % (api, version, ', '.join(rights), name)
        while key in seen:
            key += "'"
        seen[key] = ask(api, version, request)
        if golden and seen[key] != golden.get(key):
            raise AssertionError('%s: got %s, Kafka says %s' % (key, seen[key], golden.get(key)))


def tool(*args):
    """(exit code, output) of kafka-acls."""
    answered = len(runner.lines)
    words = ['.' + base64.b64encode(a.encode()).decode() for a in ('', '--bootstrap-server', BOOTSTRAP, *args)]
    runner.process.stdin.write(' '.join(['org.apache.kafka.tools.AclCommand', *words]) + '\n')
    runner.process.stdin.flush()
    until(lambda: len(runner.lines) > answered, 'an answer of kafka-acls', 80, 0.01)
    code, _, output = runner.lines[answered].partition(' ')
    return int(code), base64.b64decode(output).decode()


def good(*args):
    code, output = tool(*args)
    if code:
        raise AssertionError('kafka-acls %s: code %d: %s' % (' '.join(args), code, output[-1500:]))
    return output


def listed(*args):
    """{(resource, name, pattern): {(principal, host, operation, permission)}}"""
    found, current = {}, None
    for line in good('--list', *args).splitlines():
        head = re.search(r'ResourcePattern\(resourceType=(\w+), name=([^,]+), patternType=(\w+)\)', line)
        if head:
            current = found.setdefault(head.groups(), set())
        entry = re.search(r'\(principal=([^,]+), host=([^,]+), operation=(\w+), permissionType=(\w+)\)', line)
        if entry:
            current.add(entry.groups())
    return found


def one(name, *operations, principal='User:app'):
    return {(principal, '*', operation, 'ALLOW') for operation in operations} if name else set()


def kafka_acls():
    grant(set())
    good('--add', '--allow-principal', 'User:app', '--operation', 'Read', '--operation', 'DescribeConfigs', '--topic', 'cli')
    equal(listed('--topic', 'cli')[('TOPIC', 'cli', 'LITERAL')], one('cli', 'READ', 'DESCRIBE_CONFIGS'))
    good('--add', '--deny-principal', 'User:app', '--deny-host', '10.0.0.1', '--operation', 'All', '--topic', 'cli')
    assert ('User:app', '10.0.0.1', 'ALL', 'DENY') in listed('--topic', 'cli')[('TOPIC', 'cli', 'LITERAL')]
    good('--add', '--allow-principal', 'User:app', '--operation', 'Read', '--topic', 'cli')  # again
    good('--remove', '--force', '--allow-principal', 'User:app', '--operation', 'Read', '--topic', 'cli')
    equal(listed('--topic', 'cli')[('TOPIC', 'cli', 'LITERAL')],
          one('cli', 'DESCRIBE_CONFIGS') | {('User:app', '10.0.0.1', 'ALL', 'DENY')})
    good('--remove', '--force', '--topic', 'cli')
    equal(listed('--topic', 'cli'), {})
    # What would be no rule.
    code, said = tool('--add', '--allow-principal', 'User:app', '--operation', 'Read', '--cluster')
    equal(code != 0, True)


def kafka_acls_prefixed():
    good('--add', '--allow-principal', 'User:app', '--operation', 'Write', '--topic', 'pre', '--resource-pattern-type',
         'prefixed')
    equal(set(listed('--topic', 'prefix', '--resource-pattern-type', 'match')) & {('TOPIC', 'pre', 'PREFIXED')},
          {('TOPIC', 'pre', 'PREFIXED')})
    equal(listed('--topic', 'pre', '--resource-pattern-type', 'literal'), {})
    good('--remove', '--force', '--topic', 'pre', '--resource-pattern-type', 'prefixed')
    equal(listed('--topic', 'pre', '--resource-pattern-type', 'prefixed'), {})


def kafka_acls_producer():
    good('--add', '--allow-principal', 'User:app', '--producer', '--topic', 'p', '--transactional-id', 'px', '--idempotent')
    found = listed('--principal', 'User:app')
    equal(found[('TOPIC', 'p', 'LITERAL')], one('p', 'WRITE', 'DESCRIBE', 'CREATE'))
    equal(found[('TRANSACTIONAL_ID', 'px', 'LITERAL')], one('px', 'WRITE', 'DESCRIBE'))
    equal(found[('CLUSTER', 'kafka-cluster', 'LITERAL')], one('c', 'IDEMPOTENT_WRITE'))
    good('--remove', '--force', '--allow-principal', 'User:app', '--producer', '--topic', 'p', '--transactional-id', 'px',
         '--idempotent')
    equal(listed('--principal', 'User:app'), {})


def kafka_acls_consumer():
    good('--add', '--allow-principal', 'User:app', '--consumer', '--topic', 'c', '--group', 'cg')
    found = listed('--principal', 'User:app')
    equal(found[('TOPIC', 'c', 'LITERAL')], one('c', 'READ', 'DESCRIBE'))
    equal(found[('GROUP', 'cg', 'LITERAL')], one('cg', 'READ'))
    good('--remove', '--force', '--allow-principal', 'User:app', '--consumer', '--topic', 'c', '--group', 'cg')
    equal(listed('--principal', 'User:app'), {})


def sessions():
    """A fetch session is its principal's, and what is taken away from it is gone with the next fetch."""
    grant({right('Read topic t'), right('Read topic u')})
    asked = [{'topic': n, 'partitions': [{'partition': 0, 'fetchOffset': 0, 'partitionMaxBytes': 1000}]} for n in 'tu']
    fetch = dict(maxWaitMs=100, minBytes=1, maxBytes=1 << 20)
    answer = other.ask('Fetch', 12, **fetch, sessionEpoch=0, topics=asked)
    session = answer['sessionId']
    assert session, answer
    errors = lambda a: {t['topic']: p['errorCode'] for t in a['responses'] for p in t['partitions']}
    equal(errors(answer), {'t': 0, 'u': 0})
    grant({right('Read topic t')})
    answer = other.ask('Fetch', 12, **fetch, sessionId=session, sessionEpoch=1)
    equal(errors(answer).get('u'), 29)
    assert errors(answer).get('t', 0) == 0
    answer = other.ask('Fetch', 12, **fetch, sessionId=session, sessionEpoch=2)
    equal(errors(answer).get('u'), 29)
    grant({right('Read topic u')})
    answer = other.ask('Fetch', 12, **fetch, sessionId=session, sessionEpoch=3)
    equal(errors(answer).get('t'), 29)
    equal(errors(answer).get('u', 0), 0)
    # Another client that has found out the session's number reads what it may read itself.
    answer = admin.ask('Fetch', 12, **fetch, sessionId=session, sessionEpoch=4)
    equal({code for code in errors(answer).values()} <= {0}, True)
    grant(set())
    answer = other.ask('Fetch', 12, **fetch, sessionId=session, sessionEpoch=5)
    equal(errors(answer), {'t': 29, 'u': 29})


update = bool(os.environ.get('TIDEMARK_UPDATE_GOLDEN'))
if not update:
    with open(GOLDEN) as f:
        golden = json.load(f)
cases = Cases('acls', 120)
cases.run('preparation', prepare)
if cases.failed:
    cases.done()
for row in table():
    cases.run('%s %d: %s' % (row[0], row[1], ', '.join(row[3])), every_right, *row)
cases.run('sessions', sessions)
runner = Program('tools', 'Tools')
for case in (kafka_acls, kafka_acls_prefixed, kafka_acls_producer, kafka_acls_consumer):
    cases.run(case.__name__, case)
runner.end(10)
if update and not cases.failed:
    with open(GOLDEN, 'w') as f:
        json.dump(seen, f, indent=1, sort_keys=True)
        f.write('\n')
elif not update and set(golden) != set(seen) and not cases.failed:
    print('acls: FAIL rows that Kafka was not asked, or is only known of: %s' % sorted(set(golden) ^ set(seen))[:5])
    cases.failed += 1
cases.done()
