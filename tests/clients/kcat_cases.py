"""kcat: kcat_cases.py BOOTSTRAP PREFIX"""
import json
import subprocess
import sys
import time

from cases import CODECS, Cases, equal, until

BOOTSTRAP, PREFIX = sys.argv[1], sys.argv[2]


def name(text):
    return '%s-%s' % (PREFIX, text)


def kcat(*args, text=None, seconds=40):
    done = subprocess.run(['kcat', '-b', BOOTSTRAP, '-X', 'broker.address.family=v4', *args], input=text,
                          stdin=subprocess.DEVNULL if text is None else None, capture_output=True, text=True,
                          timeout=seconds)
    if done.returncode:
        raise AssertionError('kcat %s: %s' % (' '.join(args), done.stderr.strip()))
    return done.stdout


def create(topic):
    """kcat creates nothing itself: asking for a topic does (auto.create.topics.enable)."""
    def there():
        topics = json.loads(kcat('-L', '-J', '-t', topic))['topics']
        return topics[0]['partitions'] and all(p['leader'] >= 0 for p in topics[0]['partitions'])
    kcat('-P', '-t', topic, text='')
    until(there, topic + ' is there', pause=0.2)
    return topic


def led(topic):
    try:
        return kcat('-Q', '-t', topic + ':0:-1')
    except AssertionError:
        return False


def listing():
    topic = create(name('list'))
    about = json.loads(kcat('-L', '-J'))
    equal(len(about['brokers']), len(BOOTSTRAP.split(',')))
    assert topic in [t['topic'] for t in about['topics']]


def round_trip(codec):
    topic = create(name(codec))
    lines = ''.join('k%d:value %d\n' % (i % 7, i) for i in range(300))
    kcat('-P', '-t', topic, '-K', ':', '-z', codec, '-X', 'acks=all', '-H', 'source=kcat', text=lines)
    got = kcat('-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-K', ':', '-f', '%k:%s %h\n')
    equal(sorted(got.splitlines()), sorted(line + ' source=kcat' for line in lines.splitlines()))


def acks(kind):
    topic = create(name('acks' + kind))
    until(lambda: led(topic), 'its leader knows that it leads')  # else what nobody acknowledges is lost
    kcat('-P', '-t', topic, '-p', '0', '-X', 'acks=' + kind, text='a\nb\n')
    until(lambda: kcat('-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q') == 'a\nb\n', 'both lines')


def idempotent():
    topic = create(name('idempotent'))
    lines = ''.join('%d\n' % i for i in range(1000))
    kcat('-P', '-t', topic, '-p', '0', '-X', 'enable.idempotence=true', text=lines)
    equal(kcat('-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q'), lines)


def group():
    topic = create(name('group'))
    kcat('-P', '-t', topic, '-p', '0', text=''.join('%d\n' % i for i in range(20)))
    settings = ['-X', 'auto.offset.reset=earliest', '-X', 'session.timeout.ms=6000', '-q']
    first = kcat('-G', name('group'), '-c', '8', *settings, topic)
    second = kcat('-G', name('group'), '-c', '12', *settings, topic)
    equal(first + second, ''.join('%d\n' % i for i in range(20)))


def offsets():
    topic = create(name('offsets'))
    kcat('-P', '-t', topic, '-p', '0', text='a\nb\n')
    time.sleep(1.1)
    middle = int(time.time() * 1000)
    time.sleep(0.1)
    kcat('-P', '-t', topic, '-p', '0', text='c\nd\n')
    equal(kcat('-C', '-t', topic, '-p', '0', '-o', '1', '-c', '2', '-q'), 'b\nc\n')
    equal(kcat('-C', '-t', topic, '-p', '0', '-o', '-1', '-e', '-q'), 'd\n')
    equal(kcat('-C', '-t', topic, '-p', '0', '-o', 's@%d' % middle, '-e', '-q'), 'c\nd\n')
    equal(kcat('-Q', '-t', '%s:0:%d' % (topic, middle)).split()[-1], '2')


cases = Cases('kcat')
cases.run('list brokers and topics', listing)
for each in CODECS:
    cases.run('keys, headers, ' + each, round_trip, each)
for each in ('0', '1', 'all'):
    cases.run('acks ' + each, acks, each)
cases.run('idempotent producer', idempotent)
cases.run('group commits and resumes', group)
cases.run('seek to beginning, end, offset and timestamp', offsets)
cases.done()
