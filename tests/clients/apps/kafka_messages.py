"""Requests and responses of Kafka as dictionaries, by the schemas that kafka-clients carries.

What a dictionary does not name has the schema's default. Standard library only.
"""
import glob
import json
import os
import re
import socket
import struct
import uuid
import zipfile

NUMBERS = {'bool': '?', 'int8': 'b', 'int16': 'h', 'uint16': 'H', 'int32': 'i', 'uint32': 'I', 'int64': 'q',
           'float64': 'd'}
ANY = 1 << 15


def within(version, text):
    if text in (None, 'none'):
        return False
    low, _, high = text.partition('-')
    if low.endswith('+'):
        return version >= int(low[:-1])
    return int(low) <= version <= int(high or low)


def jar_in(class_path):
    for entry in class_path.split(':'):
        for path in glob.glob(entry + '.jar' if entry.endswith('*') else entry):
            if re.match(r'kafka-clients-[\d.]+\.jar', os.path.basename(path)):
                return path
    raise LookupError('no kafka-clients in ' + class_path)


def begin_small(fields):
    for field in fields:
        field['name'] = field['name'][0].lower() + field['name'][1:]
        begin_small(field.get('fields', []))


class Schemas:
    def __init__(self, jar):
        self.by_name = {}
        with zipfile.ZipFile(jar) as archive:
            for path in archive.namelist():
                name = re.fullmatch(r'common/message/(\w+(?:Request|Response))\.json', path)
                if not name:
                    continue
                text = re.sub(r'^\s*//.*$', '', archive.read(path).decode(), flags=re.M)
                schema = json.loads(re.sub(r'(?<!:)//[^"\n]*$', '', text, flags=re.M))
                for fields in [schema.get('fields', []), *(s['fields'] for s in schema.get('commonStructs', []))]:
                    begin_small(fields)
                self.by_name[name.group(1)] = schema

    def request(self, api):
        return self.by_name[api + 'Request']

    def key(self, api):
        return self.request(api)['apiKey']

    def encode(self, api, version, values):
        schema = self.request(api)
        return Message(schema, version).encode(values)

    def decode(self, api, version, data):
        schema = self.by_name[api + 'Response']
        message = Message(schema, version)
        message.data, message.at = data, 0
        # The header of the answer to ApiVersions is never flexible.
        if message.flexible and api != 'ApiVersions':
            message.skip_tags()
        return message.decode()


class Message:
    """One message in one version."""

    def __init__(self, schema, version):
        self.schema, self.version = schema, version
        self.flexible = within(version, schema['flexibleVersions'])
        self.common = {s['name']: s['fields'] for s in schema.get('commonStructs', [])}
        self.out = bytearray()

    def encode(self, values):
        self.write_fields(self.schema['fields'], values)
        return bytes(self.out)

    def decode(self):
        return self.read_fields(self.schema['fields'])

    def here(self, fields):
        present = [f for f in fields if within(self.version, f['versions'])]
        tagged = [f for f in present if within(self.version, f.get('taggedVersions'))]
        return [f for f in present if f not in tagged], {f['tag']: f for f in tagged}

    # Writing.

    def varint(self, value):
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

    def length(self, size, form):
        """None: there is nothing at all."""
        if self.flexible:
            self.varint(0 if size is None else size + 1)
        else:
            self.out += struct.pack('>' + form, -1 if size is None else size)

    def write_fields(self, fields, values):
        unknown = set(values) - {f['name'] for f in fields}
        if unknown:
            raise KeyError('%s has no %s' % (self.schema['name'], unknown))
        plain, _ = self.here(fields)
        for field in plain:
            self.write(field, field['type'], values.get(field['name'], Default))
        if self.flexible:
            self.varint(0)  # of fields with tags none is sent

    def default(self, field, kind):
        value = field.get('default')
        if value == 'null':
            return None
        if kind.startswith('[]'):
            return []
        if kind == 'bool':
            return value in (True, 'true')
        if kind in NUMBERS:
            return int(str(value), 0) if value not in (None, '') else 0
        if kind == 'string':
            return value or ''
        return {'uuid': uuid.UUID(int=0), 'bytes': b'', 'records': None}.get(kind, {})

    def write(self, field, kind, value):
        if value is Default:
            value = self.default(field, kind)
        if kind.startswith('[]'):
            self.length(None if value is None else len(value), 'i')
            element = {**field, 'nullableVersions': None}
            for one in value or ():
                self.write(element, kind[2:], one)
        elif kind in NUMBERS:
            self.out += struct.pack('>' + NUMBERS[kind], value)
        elif kind == 'uuid':
            self.out += value.bytes
        elif kind in ('string', 'bytes', 'records'):
            raw = value.encode() if isinstance(value, str) else value
            self.length(None if raw is None else len(raw), 'h' if kind == 'string' else 'i')
            self.out += raw or b''
        else:
            if within(self.version, field.get('nullableVersions')):
                self.out += struct.pack('>b', -1 if value is None else 1)
            if value is not None:
                self.write_fields(field.get('fields') or self.common[kind], value)

    # Reading.

    def read_varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def number(self, form):
        value = struct.unpack_from('>' + form, self.data, self.at)[0]
        self.at += struct.calcsize('>' + form)
        return value

    def read_length(self, form):
        return self.read_varint() - 1 if self.flexible else self.number(form)

    def skip_tags(self):
        for _ in range(self.read_varint()):
            self.read_varint()
            self.at += self.read_varint()

    def read_fields(self, fields):
        plain, tagged = self.here(fields)
        found = {f['name']: self.read(f, f['type']) for f in plain}
        if self.flexible:
            for _ in range(self.read_varint()):
                tag, size = self.read_varint(), self.read_varint()
                end = self.at + size
                if tag in tagged:
                    found[tagged[tag]['name']] = self.read(tagged[tag], tagged[tag]['type'])
                self.at = end
        return found

    def read(self, field, kind):
        if kind.startswith('[]'):
            count = self.read_length('i')
            element = {**field, 'nullableVersions': None}
            return None if count < 0 else [self.read(element, kind[2:]) for _ in range(count)]
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == 'uuid':
            self.at += 16
            return uuid.UUID(bytes=bytes(self.data[self.at - 16:self.at]))
        if kind in ('string', 'bytes', 'records'):
            size = self.read_length('h' if kind == 'string' else 'i')
            if size < 0:
                return None
            self.at += size
            raw = bytes(self.data[self.at - size:self.at])
            return raw.decode() if kind == 'string' else raw
        # A structure that may be null says so in a byte.
        if within(self.version, field.get('nullableVersions')) and self.number('b') < 0:
            return None
        return self.read_fields(field.get('fields') or self.common[kind])


class Default:
    pass


class Client:
    """One connection, from an address of this machine: who asks is known by it where nobody authenticates."""

    def __init__(self, schemas, port, source='127.0.0.1', timeout=20):
        self.schemas, self.where = schemas, (('127.0.0.1', port), source, timeout)
        self.sock = None

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def ask(self, api, version, **values):
        """The answer; None when the other side has closed instead."""
        flexible = within(version, self.schemas.request(api)['flexibleVersions'])
        head = struct.pack('>hhih', self.schemas.key(api), version, 7, 4) + b'test' + (b'\0' if flexible else b'')
        body = self.schemas.encode(api, version, values)
        if not self.sock:
            to, source, timeout = self.where
            self.sock = socket.create_connection(to, timeout=timeout, source_address=(source, 0))
        try:
            self.sock.sendall(struct.pack('>i', len(head) + len(body)) + head + body)
            data = self.exactly(struct.unpack('>i', self.exactly(4))[0])
        except OSError:
            self.close()
            return None
        return self.schemas.decode(api, version, data[4:])

    def exactly(self, count):
        out = bytearray()
        while len(out) < count:
            part = self.sock.recv(count - len(out))
            if not part:
                raise OSError('closed')
            out += part
        return bytes(out)
