"""The command line `tidemark`: cli_cases.py BOOTSTRAP CONTROLLERS PREFIX TIDEMARK"""
import json
import os
import subprocess
import sys

from cases import CODECS, Cases, equal, until

BOOTSTRAP, CONTROLLERS, PREFIX, TIDEMARK = sys.argv[1:5]


def name(text):
    return '%s-%s' % (PREFIX, text)


def run(*args, text=None):
    return subprocess.run([TIDEMARK, *args, '--bootstrap-controllers', CONTROLLERS, '--bootstrap-servers', BOOTSTRAP],
                          input=text, stdin=subprocess.DEVNULL if text is None else None, capture_output=True,
                          text=True, timeout=60)


def good(*args, text=None):
    done = run(*args, text=text)
    if done.returncode:
        raise AssertionError('tidemark %s: %s' % (' '.join(args), done.stderr.strip()))
    return done.stdout


def parsed(*args):
    return json.loads(good(*args, '--format', 'json'))


def refused(word, *args):
    done = run(*args)
    equal(done.returncode, 1)
    lines = done.stderr.strip().splitlines()
    equal(len(lines), 1)
    assert word in lines[0], lines[0]


def topics():
    topic = name('t')
    equal(parsed('topic', 'create', topic, '--partitions', '3', '--config', 'retention.ms=1000000')[0]['partitions'], 3)
    refused('TOPIC_ALREADY_EXISTS', 'topic', 'create', topic)
    good('topic', 'create', topic, '--if-not-exists')
    about = parsed('topic', 'describe', topic)[0]
    equal([p['partition'] for p in about['partitions']], [0, 1, 2])
    assert topic in good('topic', 'list') and 'LEADER' in good('topic', 'describe', topic)
    good('topic', 'alter', topic, '--partitions', '5', '--set', 'max.message.bytes=2000000', '--delete', 'retention.ms')
    equal(len(parsed('topic', 'describe', topic)[0]['partitions']), 5)
    settings = parsed('config', 'get', 'topic', topic)
    equal(settings['max.message.bytes']['value'], '2000000')
    assert 'retention.ms' not in settings, settings
    good('config', 'set', 'topic', topic, 'retention.ms=5000')
    equal(parsed('config', 'get', 'topic', topic, 'retention.ms')['retention.ms']['value'], '5000')
    good('config', 'delete', 'topic', topic, 'retention.ms')
    refused('INVALID_CONFIG', 'config', 'set', 'topic', topic, 'retention.mss=5000')
    good('topic', 'delete', topic)
    refused('UNKNOWN_TOPIC_OR_PARTITION', 'topic', 'describe', topic)
    good('topic', 'delete', topic, '--if-exists')


def bad_topics():
    refused('INVALID_TOPIC', 'topic', 'create', 'no/slash')
    refused('INVALID_REPLICATION_FACTOR', 'topic', 'create', name('r'), '--replication-factor', '99')
    refused('INVALID_PARTITIONS', 'topic', 'create', name('p'), '--partitions', '0')
    refused('INVALID_REPLICA_ASSIGNMENT', 'topic', 'create', name('a'), '--assignment', '1:x')


def cluster():
    info = parsed('cluster', 'info')
    equal(info['brokers'], len(BOOTSTRAP.split(',')))
    brokers = parsed('broker', 'list')
    equal([b['state'] for b in brokers], ['running'] * len(brokers))
    # Other cases make and delete topics meanwhile.
    moving = ('leaders', 'replicas')
    described = parsed('broker', 'describe', str(brokers[0]['id']))
    equal({**described, **{k: 0 for k in moving}}, {**brokers[0], **{k: 0 for k in moving}})
    assert all(described[k] >= 0 for k in moving)
    refused('no broker has the id', 'broker', 'describe', '4711')
    equal(parsed('quorum', 'status')['leader'], info['active_controller'])
    for verb in (('cluster', 'info'), ('broker', 'list'), ('quorum', 'status'), ('topic', 'list'), ('group', 'list')):
        assert good(*verb)


def round_trip(codec):
    topic = name(codec)
    good('topic', 'create', topic, '--partitions', '2')
    good('produce', topic, '--key-separator', ':', '--compression', codec,
         text=''.join('k%d:v%d\n' % (i % 3, i) for i in range(100)))
    got = good('consume', topic, '--from-beginning', '--exit-at-end', '--key-separator', ':')
    equal(sorted(got.splitlines()), sorted('k%d:v%d' % (i % 3, i) for i in range(100)))


def groups():
    topic, group = name('g'), name('g')
    good('topic', 'create', topic, '--partitions', '1')
    good('produce', topic, '--acks', '1', text='a\nb\nc\nd\n')
    first = good('consume', topic, '--group', group, '--from-beginning', '--count', '3')
    second = good('consume', topic, '--group', group, '--from-beginning', '--count', '1', '--format', 'json')
    equal((first, json.loads(second)['value']), ('a\nb\nc\n', 'd'))
    assert group in [g['group'] for g in parsed('group', 'list')]
    until(lambda: parsed('group', 'describe', group)['offsets'] == [
        {'topic': topic, 'partition': 0, 'committed': 4, 'end': 4}], 'offset 4 is committed')
    equal(good('consume', topic, '--partition', '0', '--offset', '2', '--count', '1'), 'c\n')
    refused('GROUP_ID_NOT_FOUND', 'group', 'describe', name('nobody'))
    refused('UNKNOWN_TOPIC_OR_PARTITION', 'produce', topic, '--partition', '9')


def moving_groups():
    topic, other, group = name('mg'), name('mh'), name('mg')
    for t in (topic, other):
        good('topic', 'create', t, '--partitions', '1')
        good('produce', t, text='a\nb\nc\nd\ne\n')
        good('consume', t, '--group', group, '--from-beginning', '--count', '4')
    until(lambda: len(parsed('group', 'describe', group)['offsets']) == 2, 'both are committed')

    def reset(*args):
        plan = parsed('group', 'reset-offsets', group, *args)
        return plan['executed'], [(o['topic'], o['before'], o['after']) for o in plan['offsets']]
    equal(reset('--topic', topic, '--to-earliest'), (False, [(topic, 4, 0)]))
    equal(reset('--topic', topic + ':0', '--shift-by', '-1', '--execute'), (True, [(topic, 4, 3)]))
    equal(good('consume', topic, '--group', group, '--count', '1'), 'd\n')
    until(lambda: {'topic': topic, 'partition': 0, 'committed': 4, 'end': 5} in
          parsed('group', 'describe', group)['offsets'], 'it is committed again')
    equal(reset('--all-topics', '--to-latest', '--execute'), (True, [(topic, 4, 5), (other, 4, 5)]))
    equal(reset('--topic', topic, '--to-datetime', '2020-01-01T00:00:00.000'), (False, [(topic, 5, 0)]))
    equal(reset('--topic', topic, '--by-duration', '0s'), (False, [(topic, 5, 5)]))
    equal(reset('--topic', topic, '--to-offset', '99'), (False, [(topic, 5, 5)]))
    refused('INVALID_REQUEST', 'group', 'reset-offsets', group, '--topic', topic)
    refused('INVALID_REQUEST', 'group', 'reset-offsets', group, '--to-latest')
    good('group', 'delete-offsets', group, '--topic', other)
    equal([o['topic'] for o in parsed('group', 'describe', group)['offsets']], [topic])
    good('group', 'delete', group)
    refused('GROUP_ID_NOT_FOUND', 'group', 'delete', group)


def trimming():
    topic = name('tr')
    good('topic', 'create', topic, '--partitions', '2')
    for partition in '01':
        good('produce', topic, '--partition', partition, text='a\nb\nc\n')
    equal([r['start'] for r in parsed('topic', 'trim', topic + ':1', '--before', '2')], [2])
    equal(good('consume', topic, '--partition', '1', '--from-beginning', '--exit-at-end'), 'c\n')
    equal(sorted(r['start'] for r in parsed('topic', 'trim', topic, '--all')), [3, 3])
    refused('OFFSET_OUT_OF_RANGE', 'topic', 'trim', topic, '--before', '9')
    refused('INVALID_REQUEST', 'topic', 'trim', topic)


def elections():
    topic = name('el')
    good('topic', 'create', topic, '--partitions', '3')
    equal([r['result'] for r in parsed('partition', 'elect', '--topic', topic + ':0,2')], ['ELECTION_NOT_NEEDED'] * 2)
    equal(len(parsed('partition', 'elect', '--topic', topic)), 3)
    refused('UNKNOWN_TOPIC_OR_PARTITION', 'partition', 'elect', '--topic', topic + ':7')
    refused('INVALID_REQUEST', 'partition', 'elect')
    refused('BROKER_ID_NOT_REGISTERED', 'broker', 'unregister', '77')


def flags_beat_the_environment():
    """Exported addresses are defaults; a flag, before or behind the verb, names the cluster that is meant."""
    topic = name('env')
    good('topic', 'create', topic, '--partitions', '1')
    nowhere = {'TIDEMARK_CONTROLLERS': '127.0.0.1:1', 'TIDEMARK_SERVERS': '127.0.0.1:1'}
    there = {'TIDEMARK_CONTROLLERS': CONTROLLERS, 'TIDEMARK_SERVERS': BOOTSTRAP}

    def call(environment, *args):
        return subprocess.run([TIDEMARK, *args], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
    wrong = ('--bootstrap-controllers', '127.0.0.1:1', '--bootstrap-servers', '127.0.0.1:1', '--timeout-ms', '1000')
    right = ('--bootstrap-controllers', CONTROLLERS, '--bootstrap-servers', BOOTSTRAP)
    for verb in (('topic', 'delete', topic), ('cluster', 'info'), ('group', 'list'), ('produce', topic),
                 ('consume', topic, '--from-beginning', '--exit-at-end')):
        equal((verb, call(there, *verb, *wrong).returncode), (verb, 1))
        equal((verb, call(there, *wrong, *verb).returncode), (verb, 1))
    for verb in (('topic', 'describe', topic), ('cluster', 'info'), ('group', 'list')):
        for environment, flags in ((there, ()), (nowhere, right)):
            done = call(environment, '--format', 'json', *flags, *verb)
            equal((verb, done.returncode, done.stderr), (verb, 0, ''))
            json.loads(done.stdout)


def output_that_cannot_be_written():
    """What could not be written has not been consumed, and no verb calls it a success."""
    topic, group = name('full'), name('full')
    good('topic', 'create', topic, '--partitions', '1')
    good('produce', topic, text=''.join('r%d\n' % i for i in range(100)))
    flags = ('--bootstrap-controllers', CONTROLLERS, '--bootstrap-servers', BOOTSTRAP)

    def to_full_disk(*args):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([TIDEMARK, *args, *flags], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        equal((args, done.returncode), (args, 1))
        assert 'cannot write' in done.stderr, done.stderr
    for form in ('table', 'json'):
        to_full_disk('consume', topic, '--group', group, '--from-beginning', '--exit-at-end', '--format', form)
        for verb in (('topic', 'list'), ('cluster', 'info'), ('broker', 'list'), ('quorum', 'status'),
                     ('group', 'list'), ('config', 'get', 'topic', topic, '--all')):
            to_full_disk(*verb, '--format', form)
    got = good('consume', topic, '--group', group, '--from-beginning', '--exit-at-end')
    equal(got.split(), ['r%d' % i for i in range(100)])


def help_texts():
    for words in ((), ('topic',), ('topic', 'create'), ('storage', 'format'), ('produce',), ('group', 'describe')):
        done = subprocess.run([TIDEMARK, *words, '--help'], capture_output=True, text=True)
        equal((done.returncode, 'Usage' in done.stdout), (0, True))
    equal(subprocess.run([TIDEMARK, 'topic', 'frob'], capture_output=True).returncode, 2)


cases = Cases('tidemark')
cases.run('topics and their settings', topics)
cases.run('bad topics are refused in one line', bad_topics)
cases.run('cluster, brokers and quorum', cluster)
for each in CODECS:
    cases.run('produce and consume, ' + each, round_trip, each)
cases.run('groups', groups)
cases.run('moving groups', moving_groups)
cases.run('trimming', trimming)
cases.run('elections', elections)
cases.run('flags beat the environment', flags_beat_the_environment)
cases.run('output that cannot be written', output_that_cannot_be_written)
cases.run('help', help_texts)
cases.done()
