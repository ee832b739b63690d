#!/usr/bin/env python3
"""The examples and Kafka's own applications against three controllers and brokers: tests/clients/apps.py [app]...

Each app gets a cluster of its own, whose nodes it may kill. --cluster names another program behind the contract of
scripts/cluster, so that what is asked of tidemark can be asked of Apache Kafka first. Ends with "N passed, N failed".
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

import run

HERE = os.path.dirname(os.path.realpath(__file__))
APPS = {  # app: (program, folder of its pom.xml and Java sources)
    'orders': ('../../../examples/orders/check.py', None),
    'payments': ('../../../examples/payments/check.py', None),
    'regions': ('../../../examples/regions/check.py', 'connect'),
    'streams': ('streams_cases.py', 'streams'),
    'tools': ('tools_cases.py', 'tools'),
    'sasl': ('sasl_cases.py', 'tools'),
    'connect': ('connect_cases.py', 'connect'),
    'mirror': ('mirror_cases.py', 'connect'),
    'acls': ('acls_cases.py', 'tools'),
}
# What scripts/cluster is told besides.
OPTIONS = {
    'tools': ('--set', 'log.dirs=data,data2'),
    'acls': ('--controllers', '0', '--brokers', '1', '--set', 'allow.everyone.if.no.acl.found=true', '--set',
             'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer'),
}


def jars_of(folder):
    """Class path of what the folder's pom.xml names and of its compiled sources; fetched when the list has changed."""
    source = os.path.join(HERE, 'apps', folder)
    jars = os.path.join(run.ENVS, 'apps-' + folder)
    stamp = os.path.join(jars, 'fetched.xml')
    with open(os.path.join(source, 'pom.xml')) as f:
        wanted = f.read()
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        shutil.rmtree(jars, ignore_errors=True)
        run.quiet('mvn', '-q', '-B', '-f', os.path.join(source, 'pom.xml'), 'dependency:copy-dependencies',
                  '-DincludeScope=runtime', '-DoutputDirectory=' + jars)
        with open(stamp, 'w') as f:
            f.write(wanted)
    classes = os.path.join(jars, 'classes')
    for name in sorted(f for f in os.listdir(source) if f.endswith('.java')):
        program, made = os.path.join(source, name), os.path.join(classes, name[:-5] + '.class')
        if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(program):
            run.quiet('javac', '-nowarn', '-cp', os.path.join(jars, '*'), '-d', classes, program)
    return classes + ':' + os.path.join(jars, '*')


def run_app(app, args, folder):
    """(lines, exit code) of one app on a new cluster in the folder."""
    program, jars = APPS[app]
    home = os.path.join(folder, 'cluster')
    try:
        environment = {**run.ENVIRONMENT, 'CLASSPATH': jars_of(jars) if jars else '', 'APPS_FOLDER': folder,
                       'APPS_CLUSTER': args.cluster, 'APPS_CLUSTER_HOME': home}
        environment['PYTHONPATH'] += ':' + os.path.join(HERE, 'apps')
        up = subprocess.run([args.cluster, 'up', home, '--base-port', str(args.base_port),
                             *OPTIONS.get(app, ())], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if up.returncode:
            return ['%s: preparation: FAIL no cluster' % app], 1
        command = [run.python_of('confluent-kafka'), os.path.normpath(os.path.join(HERE, 'apps', program)), up.stdout.splitlines()[-1]]
        if app == 'mirror' and args.mirror_from:
            command.append(args.mirror_from)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=environment)
        return done.stdout.splitlines(), done.returncode
    except RuntimeError as e:
        return ['%s: preparation: FAIL %s' % (app, e)], 1
    finally:
        if os.path.exists(os.path.join(home, 'cluster.json')):
            subprocess.run([args.cluster, 'down', home])


def main():
    parser = argparse.ArgumentParser(prog='tests/clients/apps.py', description=__doc__.splitlines()[0])
    parser.add_argument('apps', nargs='*', metavar='app', help='some of: ' + ' '.join(APPS))
    parser.add_argument('--cluster', default=os.path.join(run.ROOT, 'scripts', 'cluster'), help='the cluster script')
    parser.add_argument('--base-port', type=int, default=25092)
    parser.add_argument('--mirror-from', metavar='BROKERS', help='mirror this cluster (default: a second one, started too)')
    parser.add_argument('--prepare', action='store_true', help='only download and compile')
    parser.add_argument('--keep', action='store_true', help='keep logs and data')
    args = parser.parse_args()
    for app in args.apps:
        if app not in APPS:
            parser.error('no app %s; there are: %s' % (app, ' '.join(APPS)))
    if args.prepare:
        for folder in {folder for _, folder in APPS.values() if folder}:
            jars_of(folder)
        run.python_of('confluent-kafka')
        return 0
    passed = failed = 0
    for app in args.apps or APPS:
        folder = tempfile.mkdtemp(prefix='tidemark-%s-' % app)
        began = time.monotonic()
        lines, code = run_app(app, args, folder)
        good, bad = (sum(word in line for line in lines) for word in (': ok (', ': FAIL '))
        if code and not bad:
            bad = 1
            lines.append('%s: the app: FAIL ended with code %s' % (app, code))
        print('\n'.join([*lines, '%s: %.1f s' % (app, time.monotonic() - began)]), flush=True)
        passed, failed = passed + good, failed + bad
        if bad or args.keep:
            print('logs and data: ' + folder, flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print('%d passed, %d failed' % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
