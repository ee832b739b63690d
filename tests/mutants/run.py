#!/usr/bin/env python3
"""Proves that the tests notice a missing guard: scripts/sim --mutants [NAME...] [--list]

Each tests/mutants/NAME.patch takes one guard out of the product. Its head says why the guard is there and who must
notice, a test or the simulation:

  Why: an acknowledgement before the sync may be lost
  Found by: cluster_sim_test
  Found by: tidemark-sim --only cluster --minutes 2

Patches go to a copy of the tree (build/mutants/tree), one after the other; what was built for one is there for the
next. A mutant is found when its command fails by itself (an assertion, an invariant; not a time-out); the same command
must pass on the tree as it is. A patch that no longer applies, or no longer builds, is a failure.
"""
import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(ROOT, 'build', 'mutants')
TREE = os.path.join(WORK, 'tree')
LIMIT_SECONDS = 400


def read(name):
    with open(os.path.join(HERE, name + '.patch')) as f:
        text = f.read()
    heads = dict(re.findall(r'(?m)^(Why|Found by): (.+)$', text.split('\n--- ', 1)[0]))
    if set(heads) != {'Why', 'Found by'}:
        sys.exit('mutants: %s.patch needs a "Why:" and a "Found by:" line' % name)
    return heads['Why'], heads['Found by'].split()


def refresh():
    """Makes the copy equal to the tree; untouched files keep their times, so that little is compiled."""
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split('\0')
    wanted = [f for f in listed if f and os.path.exists(os.path.join(ROOT, f))]
    for name in wanted:
        source, copy = os.path.join(ROOT, name), os.path.join(TREE, name)
        if os.path.exists(copy) and filecmp.cmp(source, copy, shallow=False):
            continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy(source, copy)
    keep = set(wanted)
    for folder, folders, files in os.walk(TREE):
        folders[:] = [d for d in folders if os.path.join(folder, d) != os.path.join(TREE, 'build')]
        for f in files:
            if os.path.relpath(os.path.join(folder, f), TREE) not in keep:
                os.remove(os.path.join(folder, f))


def build(target):
    return subprocess.run([os.path.join(TREE, 'scripts', 'build'), 'dev', target], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)


def binary(target):
    for folder, folders, files in os.walk(os.path.join(TREE, 'build', 'dev')):
        folders[:] = [d for d in folders if d != 'CMakeFiles']
        if target in files:
            return os.path.join(folder, target)
    sys.exit('mutants: no program %s' % target)


def ends(command):
    """(0 or how it failed, seconds, last words); None for a time-out."""
    began = time.monotonic()
    try:
        done = subprocess.run([binary(command[0]), *command[1:]], cwd=TREE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None, LIMIT_SECONDS, 'no end'
    lines = done.stdout.decode(errors='replace').strip().splitlines()
    telling = [l for l in lines if re.search(r'FAILED|Failure|seed|Check failed', l)]
    return done.returncode, time.monotonic() - began, (telling[:1] or lines or ['(nothing)'])[-1].strip()


def try_mutant(name, command):
    """'' when it was found, else what is wrong."""
    patched = subprocess.run(['patch', '-p1', '--no-backup-if-mismatch', '-r', '-', '-i',
                              os.path.join(HERE, name + '.patch')], cwd=TREE, capture_output=True, text=True)
    if patched.returncode:
        return 'the patch does not apply: ' + patched.stdout.strip().replace('\n', '; ')
    built = build(command[0])
    if built.returncode:
        return 'does not build:\n' + '\n'.join(built.stdout.splitlines()[-15:])
    code, seconds, words = ends(command)
    if code == 0:
        return 'SURVIVES %s (%.0f s)' % (' '.join(command), seconds)
    if code is None:
        return 'no verdict within %d s of %s' % (LIMIT_SECONDS, ' '.join(command))
    print('found     %-44s %5.1f s  %s' % (name, seconds, words[:110]), flush=True)
    return ''


def main():
    parser = argparse.ArgumentParser(prog='scripts/sim --mutants', description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME', help='only these (default: all)')
    parser.add_argument('--list', action='store_true', help='name the mutants and end')
    args = parser.parse_args()
    known = sorted(f[:-6] for f in os.listdir(HERE) if f.endswith('.patch'))
    unknown = [n for n in args.names if n not in known]
    if unknown:
        sys.exit('mutants: no mutant %s; scripts/sim --mutants --list names them' % unknown[0])
    if args.list:
        for name in known:
            print('%-44s %s' % (name, read(name)[0]))
        return 0
    mutants = [(name, read(name)[1]) for name in args.names or known]
    os.makedirs(TREE, exist_ok=True)
    refresh()
    for command in sorted({tuple(command) for _, command in mutants}):
        built = build(command[0])
        if built.returncode:
            sys.exit('mutants: the tree itself does not build\n' + built.stdout[-2000:])
        # Explorations pass or fail by their own test; here only what is fixed must pass untouched.
        if '--minutes' not in command and ends(list(command))[0] != 0:
            sys.exit('mutants: %s fails without any mutant' % ' '.join(command))
    failures = 0
    for name, command in mutants:
        wrong = try_mutant(name, command)
        if wrong:
            failures += 1
            print('NOT FOUND %-44s %s' % (name, wrong), flush=True)
        refresh()
    print('%d passed, %d failed' % (len(mutants) - failures, failures))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
