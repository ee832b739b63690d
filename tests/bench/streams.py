"""Section of scripts/bench: what Kafka Streams does in a second, exactly once."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'clients'))  # which has a run.py, too
import apps  # noqa: E402
import run as clients  # noqa: E402

PARTITIONS, LINES = 6, 100_000


def program():
    """Class path of the compiled program, with the libraries that the applications of tests/clients are tested with."""
    jars = apps.jars_of('streams')
    made, source = os.path.join(clients.ENVS, 'bench-streams'), os.path.join(HERE, 'java', 'WordCount.java')
    clients.quiet('javac', '-nowarn', '-cp', jars, '-d', made, source)
    return made + ':' + jars


def streams(system):
    classes = program()
    for topic in ('words-lines', 'words-counts'):
        system.topic(topic, PARTITIONS)
    before = system.cpu()
    done = subprocess.run(
        ['java', '-Xmx1g', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classes, 'WordCount', system.bootstrap,
         str(LINES), os.path.join(system.folder, 'state')], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode or not done.stdout.startswith('{'):
        raise RuntimeError('WordCount: ' + (done.stderr or done.stdout)[-500:])
    got = json.loads(done.stdout)
    yield 'words counted/s', got['words'] / got['seconds']
    yield 'threads of it that died', got['died']
    yield 'broker CPU us per word, with filling the topic', 1e6 * (system.cpu() - before) / got['words']
