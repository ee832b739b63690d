#!/usr/bin/env python3
"""Real clients from their registries against a cluster: tests/clients/run.py [options] [suite]...

Without --bootstrap it starts three controllers and three brokers of its own (scripts/cluster) and stops them again.
Suites run side by side, each with topics of its own prefix. Ends with "N passed, N failed".
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENVS = os.path.join(ROOT, 'build', 'clients')
JAVA = {'java-4': '4.4.0', 'java-3': '3.9.2'}
PYTHON = {  # suite: (program, requirements)
    'kafka-python-2.0.2': ('kafka_python_cases.py', 'kafka-python-2.0.2'),
    'kafka-python-newest': ('kafka_python_cases.py', 'kafka-python-3.0.12'),
    'confluent-kafka': ('confluent_cases.py', 'confluent-kafka'),
    'confluent-kafka-2.0.2': ('confluent_cases.py', 'confluent-kafka-2.0.2'),  # with Debian 12's version of librdkafka
    'aiokafka': ('aiokafka_cases.py', 'aiokafka'),
    'tutorials': ('tutorial_cases.py', 'kafka-python-3.0.12'),
    'kcat': ('kcat_cases.py', None),
}
GO = {'franz-go': 'franz', 'sarama': 'sarama'}  # suite: program of the module in go/
OWN = ('grpc', 'tidemark')  # need controllers
ENVIRONMENT = {**os.environ, 'PYTHONPATH': os.path.join(ROOT, 'tests', 'support')}
SUITES = [*PYTHON, *JAVA, *GO, 'kafkajs', *OWN, 'schemas']
PREPARING = threading.Lock()  # what suites share is made once


def quiet(*command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **more)
    if done.returncode:
        raise RuntimeError('%s\n%s' % (' '.join(command), done.stdout[-2000:]))


def python_of(requirements):
    """A virtual environment with exactly these packages; made when missing or when the list has changed."""
    if requirements is None:
        return sys.executable
    source = os.path.join(HERE, 'requirements', requirements + '.txt')
    env = os.path.join(ENVS, requirements)
    stamp = os.path.join(env, 'installed.txt')
    wanted = open(source).read()
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        shutil.rmtree(env, ignore_errors=True)
        quiet(sys.executable, '-m', 'venv', env)
        quiet(os.path.join(env, 'bin', 'pip'), 'install', '-q', '--disable-pip-version-check', '-r', source)
        with open(stamp, 'w') as f:
            f.write(wanted)
    return os.path.join(env, 'bin', 'python')


def java_of(version):
    """Class path of the compiled cases with this version of kafka-clients."""
    jars = os.path.join(ENVS, 'kafka-clients-' + version)
    source = os.path.join(HERE, 'java', 'ClientCases.java')
    if not os.path.exists(os.path.join(jars, 'kafka-clients-%s.jar' % version)):
        quiet('mvn', '-q', '-B', '-f', os.path.join(HERE, 'java', 'pom.xml'), 'dependency:copy-dependencies',
              '-Dkafka.version=' + version, '-DoutputDirectory=' + jars)
    classes = os.path.join(jars, 'classes')
    made = os.path.join(classes, 'ClientCases.class')
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(source):
        quiet('javac', '-nowarn', '-cp', os.path.join(jars, '*'), '-d', classes, source)
    return classes + ':' + os.path.join(jars, '*')


def go_of(program):
    """The compiled program of go/. The compiler comes as a package from PyPI: Debian's is too old for today's clients."""
    made = os.path.join(ENVS, 'go-programs')
    compiler = os.path.join(os.path.dirname(python_of('go')), 'go')
    quiet(compiler, 'build', '-buildvcs=false', '-o', made + os.sep, './...', cwd=os.path.join(HERE, 'go'),
          env={**os.environ, 'CGO_ENABLED': '0', 'GOTOOLCHAIN': 'local'})
    return os.path.join(made, program)


def node_of():
    """(node, modules): an interpreter, from PyPI as well, and the folder of the packages of node/package-lock.json."""
    source, modules = os.path.join(HERE, 'node'), os.path.join(ENVS, 'node-modules')
    programs = os.path.dirname(python_of('node'))
    stamp = os.path.join(modules, 'installed.json')
    with open(os.path.join(source, 'package-lock.json')) as f:
        wanted = f.read()
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        shutil.rmtree(modules, ignore_errors=True)
        os.makedirs(modules)
        for name in ('package.json', 'package-lock.json'):
            shutil.copy(os.path.join(source, name), modules)
        quiet(os.path.join(programs, 'npm'), 'ci', '--no-audit', '--no-fund', cwd=modules,
              env={**os.environ, 'PATH': programs + ':' + os.environ['PATH']})
        with open(stamp, 'w') as f:
            f.write(wanted)
    return os.path.join(programs, 'node'), os.path.join(modules, 'node_modules')


def command_of(suite, args, prefix):
    """What runs the suite; fetched and compiled if need be, by one suite at a time."""
    if suite in GO:
        return [go_of(GO[suite]), args.bootstrap, prefix]
    if suite == 'kafkajs':
        node, modules = node_of()
        return ['env', 'NODE_PATH=' + modules, node, os.path.join(HERE, 'node', 'kafkajs_cases.js'), args.bootstrap, prefix]
    if suite in JAVA:
        return ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-Dkafka.version=' + JAVA[suite],
                '-cp', java_of(JAVA[suite]), 'ClientCases', args.bootstrap, prefix]
    if suite == 'schemas':
        newest = JAVA['java-4']
        java_of(newest)
        jar = os.path.join(ENVS, 'kafka-clients-' + newest, 'kafka-clients-%s.jar' % newest)
        return [sys.executable, os.path.join(HERE, 'schema_cases.py'),
                os.path.join(os.path.dirname(args.tidemark), 'kafka-fields'), jar]
    if suite == 'grpc':
        return [python_of('grpc'), os.path.join(HERE, 'grpc_cases.py'), args.controllers, prefix]
    if suite == 'tidemark':
        return [sys.executable, os.path.join(HERE, 'cli_cases.py'), args.bootstrap, args.controllers, prefix,
                args.tidemark]
    program, requirements = PYTHON[suite]
    return [python_of(requirements), os.path.join(HERE, program), args.bootstrap, prefix]


def run_suite(suite, args):
    """(lines, exit code) of the suite."""
    prefix = '%s-%d' % (suite, int(time.time()))
    try:
        with PREPARING:
            command = command_of(suite, args, prefix)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=args.seconds, env=ENVIRONMENT)
        return done.stdout.splitlines(), done.returncode
    except subprocess.TimeoutExpired as e:
        said = (e.stdout or b'').decode(errors='replace') if isinstance(e.stdout, bytes) else e.stdout or ''
        return said.splitlines() + ['%s: the suite: FAIL not done within %d s' % (suite, args.seconds)], 1
    except RuntimeError as e:
        return ['%s: preparation: FAIL %s' % (suite, e)], 1


def run_suites(args):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(run_suite, suite, args): suite for suite in args.suites}
        for job in concurrent.futures.as_completed(jobs):
            lines, code = job.result()
            good = sum(': ok (' in line for line in lines)
            bad = sum(': FAIL ' in line for line in lines)
            if code and not bad:
                bad = 1
                lines.append('%s: the suite: FAIL ended with code %s' % (jobs[job], code))
            passed, failed = passed + good, failed + bad
            print('\n'.join(lines), flush=True)
    print('%d passed, %d failed' % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(prog='tests/clients/run.py', description=__doc__.splitlines()[0])
    parser.add_argument('suites', nargs='*', metavar='suite', help='some of: ' + ' '.join(SUITES))
    parser.add_argument('--bootstrap', help='brokers of a running cluster (default: start one)')
    parser.add_argument('--controllers', help='its controllers; without them, the suites %s %s are left out' % OWN)
    parser.add_argument('--base-port', type=int, default=22092)
    parser.add_argument('--jobs', type=int, default=4, help='suites at a time')
    parser.add_argument('--seconds', type=int, default=420, help='the most a suite may take')
    parser.add_argument('--prepare', action='store_true', help='only download and compile the clients')
    args = parser.parse_args()
    for suite in args.suites:
        if suite not in SUITES:
            parser.error('no suite %s; there are: %s' % (suite, ' '.join(SUITES)))
    if args.prepare:
        for requirements in sorted({r for _, r in PYTHON.values() if r} | {'grpc'}):
            python_of(requirements)
        for version in JAVA.values():
            java_of(version)
        for program in GO.values():
            go_of(program)
        node_of()
        return 0
    bin_dir = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))
    args.tidemark = os.path.join(bin_dir, 'tidemark')
    if args.bootstrap:
        args.suites = args.suites or [s for s in SUITES if args.controllers or s not in OWN]
        return run_suites(args)
    args.suites = args.suites or SUITES
    cluster, folder = os.path.join(ROOT, 'scripts', 'cluster'), tempfile.mkdtemp(prefix='tidemark-clients-')
    home = os.path.join(folder, 'cluster')
    code = 1
    try:
        up = subprocess.run([cluster, 'up', home, '--base-port', str(args.base_port)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)
        if up.returncode:
            return 1
        args.bootstrap = up.stdout.splitlines()[-1]
        args.controllers = ','.join('127.0.0.1:%d' % (args.base_port + 100 + i) for i in range(3))
        code = run_suites(args)
        return code
    finally:
        if os.path.exists(os.path.join(home, 'cluster.json')):
            subprocess.run([cluster, 'down', home])
        if code == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print('logs and data: ' + folder)


if __name__ == '__main__':
    sys.exit(main())
