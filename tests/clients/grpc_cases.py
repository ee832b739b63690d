"""A program in another language made from proto/admin.proto: grpc_cases.py CONTROLLERS PREFIX"""
import atexit
import os
import shutil
import sys
import tempfile

import grpc
from grpc_tools import protoc

from cases import Cases, equal, until

CONTROLLERS, PREFIX = sys.argv[1].split(','), sys.argv[2]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
OUT = tempfile.mkdtemp(prefix='tidemark-proto-')
atexit.register(shutil.rmtree, OUT, ignore_errors=True)
if protoc.main(['protoc', '-I', ROOT, '--python_out=' + OUT, '--grpc_python_out=' + OUT,
                os.path.join(ROOT, 'proto', 'admin.proto')]):
    sys.exit('protoc failed')
sys.path.insert(0, OUT)
from proto import admin_pb2, admin_pb2_grpc  # noqa: E402


def stub(address):
    return admin_pb2_grpc.AdminStub(grpc.insecure_channel(address, options=[('grpc.enable_http_proxy', 0)]))


def life_of_a_topic(address):
    admin, topic = stub(address), '%s-%s' % (PREFIX, address.rsplit(':', 1)[1])
    new = admin_pb2.NewTopic(name=topic, partitions=3, replication_factor=1, configs={'retention.ms': '1000000'})
    request = admin_pb2.CreateTopicsRequest(topics=[new])
    made = admin.CreateTopics(request, timeout=20).topics[0]
    equal((made.code, made.partitions, made.replication_factor, len(made.topic_id)), (0, 3, 1, 16))
    equal(admin.CreateTopics(request, timeout=20).topics[0].code, 36)
    about = admin.DescribeTopics(admin_pb2.DescribeTopicsRequest(names=[topic]), timeout=20).topics[0]
    equal((about.code, about.topic.topic_id), (0, made.topic_id))
    equal([p.partition for p in about.topic.partitions], [0, 1, 2])
    assert all(p.leader >= 0 and p.leader in p.isr for p in about.topic.partitions), about
    # What one controller made, every other one knows.
    for other in CONTROLLERS:
        seen = stub(other).DescribeTopics(admin_pb2.DescribeTopicsRequest(names=[topic]), timeout=20).topics[0]
        equal((other, seen.code, seen.topic.topic_id), (other, 0, made.topic_id))
    gone = admin.DeleteTopics(admin_pb2.DeleteTopicsRequest(names=[topic]), timeout=20).topics[0]
    equal(gone.code, 0)
    until(lambda: admin.DescribeTopics(admin_pb2.DescribeTopicsRequest(names=[topic]), timeout=20).topics[0].code == 3,
          'UNKNOWN_TOPIC_OR_PARTITION')


def refused(address):
    admin = stub(address)

    def code(**topic):
        request = admin_pb2.CreateTopicsRequest(topics=[admin_pb2.NewTopic(**topic)], validate_only=True)
        answer = admin.CreateTopics(request, timeout=20).topics[0]
        assert answer.code == 0 or answer.message, 'an error without a message'
        return answer.code
    equal(code(name=PREFIX + '-fine', partitions=1, replication_factor=1), 0)
    equal(code(name='no/slash', partitions=1, replication_factor=1), 17)
    equal(code(name=PREFIX + '-p', partitions=0, replication_factor=1), 37)
    equal(code(name=PREFIX + '-r', partitions=1, replication_factor=99), 38)
    equal(code(name=PREFIX + '-c', partitions=1, replication_factor=1, configs={'retention.mss': '1'}), 40)
    equal(code(name=PREFIX + '-v', partitions=1, replication_factor=1, configs={'retention.ms': 'x'}), 40)


def cluster(address):
    admin = stub(address)
    about = admin.DescribeCluster(admin_pb2.DescribeClusterRequest(), timeout=20)
    assert about.cluster_id and about.brokers and not about.offline_partitions, about
    quorum = admin.DescribeQuorum(admin_pb2.DescribeQuorumRequest(), timeout=20)
    equal(len(quorum.voters), len(CONTROLLERS))
    equal(quorum.leader, about.active_controller)


def features(address):
    admin = stub(address)
    about = admin.DescribeFeatures(admin_pb2.DescribeFeaturesRequest(), timeout=20)
    level = {f.name: f for f in about.features}['metadata.version']
    assert level.min_level <= level.level <= level.max_level, about
    assert all(n.known for n in about.nodes) and sum(n.controller for n in about.nodes) == len(CONTROLLERS), about
    update = admin_pb2.UpdateFeaturesRequest.Update(name='metadata.version', level=99,
                                                    kind=admin_pb2.UpdateFeaturesRequest.UPGRADE)
    answer = admin.UpdateFeatures(admin_pb2.UpdateFeaturesRequest(updates=[update]), timeout=20)
    equal([(r.name, r.code) for r in answer.results], [('metadata.version', 95)])


cases = Cases('grpc (python)')
for each in CONTROLLERS:
    cases.run('create, describe and delete a topic on ' + each, life_of_a_topic, each)
cases.run('bad topics are refused with Kafka\'s codes', refused, CONTROLLERS[-1])
for each in CONTROLLERS:
    cases.run('describe cluster and quorum on ' + each, cluster, each)
    cases.run('features on ' + each, features, each)
cases.done()
