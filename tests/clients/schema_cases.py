#!/usr/bin/env python3
"""Holds the field tables of our codec against Kafka's published schemas: schema_cases.py FIELDS JAR

FIELDS is the program that prints ours (kafka_fields.cc), JAR kafka-clients, which carries Kafka's. Every field of every
version that we have: order, name, type, tag, whether it may be null, and the default of numbers.
"""
import json
import re
import subprocess
import sys
import zipfile

OURS_FROM = 20000  # tags of fields that are tidemark's own
ANY = 1 << 15
# Fields that differ on purpose, with the reason.
DIFFER = {}
TYPES = {'uint16': 'int16', 'records': 'bytes'}


def versions(text):
    if text in (None, 'none'):
        return (ANY, -1)
    if text.endswith('+'):
        return (int(text[:-1]), ANY)
    low, _, high = text.partition('-')
    return (int(low), int(high or low))


def within(version, text):
    low, high = versions(text)
    return low <= version <= high


def snake(name):
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()


class Schema:
    def __init__(self, text):
        text = re.sub(r'^\s*//.*$', '', text, flags=re.M)
        self.message = json.loads(re.sub(r'(?<!:)//[^"\n]*$', '', text, flags=re.M))
        self.common = {s['name']: s['fields'] for s in self.message.get('commonStructs', [])}

    def lines(self, version):
        flexible = int(within(version, self.message['flexibleVersions']))
        return ['flexible=%d' % flexible] + list(self.walk(self.message['fields'], version, ''))

    def walk(self, fields, version, path):
        here = [f for f in fields if within(version, f['versions'])]
        tagged = [f for f in here if within(version, f.get('taggedVersions'))]
        for field in [f for f in here if f not in tagged] + tagged:
            yield from self.field(field, version, path, field in tagged)

    def field(self, field, version, path, tagged):
        kind, array = field['type'], ''
        if kind.startswith('[]'):
            kind, array = kind[2:], '[]'
        kind = TYPES.get(kind, kind)
        inner = field.get('fields') or self.common.get(kind)
        name = path + snake(field['name'])
        nullable = 'nullable' if within(version, field.get('nullableVersions')) else '-'
        default = '-'
        if not array and (kind == 'bool' or kind.startswith('int')):
            text = str(field.get('default', 0)).lower()
            default = str({'true': 1, 'false': 0}.get(text) if text in ('true', 'false') else int(text, 0))
        yield '%s %s%s* %s %s %s' % (name, array, '' if inner else kind, nullable, field['tag'] if tagged else '-',
                                     default)
        if inner:
            yield from self.walk(inner, version, name + '.')


def ours(program):
    """{message: {version: lines}}"""
    found, own = {}, None
    for line in subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        message, version, rest = line.split(' ', 2)
        lines = found.setdefault(message, {}).setdefault(int(version), [])
        words = rest.split()
        if own and words[0].startswith(own + '.'):
            continue
        own = words[0] if len(words) > 1 and words[3] != '-' and int(words[3]) >= OURS_FROM else None
        if not own:
            lines.append(rest)
    return found


def compare(name, mine, schema):
    """What differs, as sentences."""
    out = []
    low, high = versions(schema.message['validVersions'])
    for version, lines in sorted(mine.items()):
        if not low <= version <= high:
            continue  # Kafka 4 has removed some that old clients still speak
        theirs = schema.lines(version)
        for a, b in zip(lines + [None] * len(theirs), theirs + [None] * len(lines)):
            if a == b or (name, (a or b).split()[0]) in DIFFER:
                continue
            out.append('%s v%d: ours %s, Kafka\'s %s' % (name, version, a, b))
            break
    return out


def main():
    fields, jar = sys.argv[1:]
    mine = ours(fields)
    bad, checked = [], 0
    with zipfile.ZipFile(jar) as archive:
        for name in sorted(mine):
            path = 'common/message/%s.json' % name
            if path not in archive.namelist():
                bad.append('%s: Kafka has no such message' % name)
                continue
            bad += compare(name, mine[name], Schema(archive.read(path).decode()))
            checked += len(mine[name])
    for line in bad:
        print('schemas: FAIL ' + line)
    if not bad and checked > 100:
        print('schemas: field tables of %d messages, %d versions: ok (0.0 s)' % (len(mine), checked))
    return 1 if bad or checked <= 100 else 0


if __name__ == '__main__':
    sys.exit(main())
