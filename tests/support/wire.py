"""The little of the Kafka protocol that tests speak by hand. Standard library only."""
import socket
import struct
import time

HOST = '127.0.0.1'


def frame(key, version, body=b'', correlation=7, client=b'test'):
    head = struct.pack('>hhih', key, version, correlation, len(client)) + client
    return struct.pack('>i', len(head) + len(body)) + head + body


def read_exactly(sock, count):
    out = bytearray()
    while len(out) < count:
        part = sock.recv(count - len(out))
        if not part:
            raise OSError('closed by the other side')
        out += part
    return bytes(out)


def read_frame(sock):
    return read_exactly(sock, struct.unpack('>i', read_exactly(sock, 4))[0])


def address(where):
    """Of a broker: a port of this machine, or (host, port)."""
    return (HOST, where) if isinstance(where, int) else where


def call(port, key, version, body=b'', timeout=10.0):
    """The response without its correlation id. `port` may be (host, port), here and below."""
    with socket.create_connection(address(port), timeout=timeout) as sock:
        sock.sendall(frame(key, version, body))
        return read_frame(sock)[4:]


class Connection:
    """For many requests, one at a time."""

    def __init__(self, port, timeout=10.0):
        self.sock = socket.create_connection(address(port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, key, version, body=b''):
        self.sock.sendall(frame(key, version, body))
        return read_frame(self.sock)[4:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def string(text):
    raw = text.encode()
    return struct.pack('>h', len(raw)) + raw


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def get(self, form):
        out = struct.unpack_from('>' + form, self.data, self.at)
        self.at += struct.calcsize('>' + form)
        return out[0] if len(out) == 1 else out

    def string(self):
        size = self.get('h')
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def array(self, read):
        return [read() for _ in range(self.get('i'))]

    def ints(self):
        count = self.get('i')
        found = struct.unpack_from('>%di' % count, self.data, self.at)
        self.at += 4 * count
        return list(found)


def serves(port, timeout=2.0):
    """The port answers ApiVersions v0 without an error."""
    try:
        return call(port, 18, 0, timeout=timeout)[:2] == b'\0\0'
    except (OSError, struct.error):
        return False


def metadata(port, topics=None, timeout=5.0):
    """Metadata v1: {brokers: {id: port}, topics: {name: {error, partitions: [{...}]}}}."""
    body = struct.pack('>i', -1) if topics is None else struct.pack('>i', len(topics)) + b''.join(map(string, topics))
    r = Reader(call(port, 3, 1, body, timeout))
    brokers = {}
    for _ in range(r.get('i')):
        node = r.get('i')
        r.string()
        brokers[node] = r.get('i')
        r.string()
    r.get('i')
    found = {}

    def partition():
        error, index, leader = r.get('hii')
        return dict(error=error, index=index, leader=leader, replicas=r.ints(), isr=r.ints())
    for _ in range(r.get('i')):
        error, name = r.get('h'), r.string()
        r.get('b')
        found[name] = dict(error=error, partitions=sorted(r.array(partition), key=lambda p: p['index']))
    return dict(brokers=brokers, topics=found)


def create_topic(port, name, partitions=1, factor=1, timeout=30.0, configs=()):
    """CreateTopics v2, sent again while there is no controller: (error code, message). Then its leaders answer, mostly."""
    configs = dict(configs)
    body = (struct.pack('>i', 1) + string(name) + struct.pack('>ihii', partitions, factor, 0, len(configs)) +
            b''.join(string(key) + string(value) for key, value in configs.items()) + struct.pack('>ib', 10000, 0))
    end = time.monotonic() + timeout
    while True:
        r = Reader(call(port, 19, 2, body, timeout))
        r.get('ii')
        r.string()
        error, message = r.get('h'), r.string()
        if error == 0:
            wait_led([port], name, 10)
        if error not in (7, 41) or time.monotonic() > end:
            return error, message
        brokers = metadata(port)['brokers']
        port = brokers[sorted(brokers)[int(time.monotonic() * 10) % len(brokers)]]
        time.sleep(0.05)


def wait_healthy(ports, topic, replicas, seconds):
    """Waits until every partition of the topic is led and fully in sync in the eyes of every broker."""
    end = time.monotonic() + seconds
    seen = 'nothing'
    while time.monotonic() < end:
        try:
            good = True
            for port in ports:
                meta = metadata(port, [topic], timeout=2.0)
                partitions = meta['topics'][topic]['partitions']
                bad = [p for p in partitions if p['leader'] < 0 or len(p['isr']) < replicas]
                if not partitions or bad or len(meta['brokers']) < len(ports):
                    seen = 'port %s: %d brokers, out of sync %s' % (port, len(meta['brokers']), bad[:2])
                    good = False
                    break
            if good:
                return True, ''
        except (OSError, struct.error, KeyError) as e:
            seen = repr(e)
        time.sleep(0.05)
    return False, seen


def wait_without(ports, topic, replicas, seconds):
    """Waits until no partition of the topic has more replicas in sync, in the eyes of every broker."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [metadata(port, [topic])['topics'][topic]['partitions'] for port in ports]
        if all(len(p['isr']) <= replicas for partitions in found for p in partitions):
            return True
        time.sleep(0.05)
    return False


def wait_led(ports, topic, seconds):
    """Waits until the leader of every partition of the topic answers for it: what the metadata say may be ahead."""
    end = time.monotonic() + seconds
    why = 'nothing'
    while time.monotonic() < end:
        try:
            meta = metadata(ports[0], [topic])
            by_leader = {}
            for p in meta['topics'][topic]['partitions']:
                by_leader.setdefault(meta['brokers'].get(p['leader']), []).append(p['index'])
            bad = [p for port, mine in by_leader.items() for p in unled(port, topic, mine)]
            if by_leader and not bad:
                return True, ''
            why = 'not led: %d of them' % len(bad)
        except (OSError, struct.error, KeyError) as e:
            why = repr(e)
        time.sleep(0.05)
    return False, why


def unled(port, topic, partitions):
    """Those that the broker does not answer for (ListOffsets v1)."""
    if port is None:
        return partitions
    r = Reader(call(port, 2, 1, struct.pack('>ii', -1, 1) + string(topic) + struct.pack('>i', len(partitions)) +
                    b''.join(struct.pack('>iq', p, -1) for p in partitions), 30))
    bad = []

    def one():
        index, error, _, _ = r.get('ihqq')
        if error:
            bad.append(index)
    r.array(lambda: (r.string(), r.array(one)))
    return bad


# --- record batches ---

def _table():
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        out.append(n)
    return out


CRC_TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value & ~0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(index, value, key=None, headers=varint(0)):
    body = b'\0' + varint(0) + varint(index)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(len(value)) + value + headers
    return varint(len(body)) + body


def batch(values, crc=None, length=None, count=None, magic=2, attributes=0, now=None):
    """A record batch; what is given replaces the right value of that field."""
    records = b''.join(record(i, v) for i, v in enumerate(values))
    return batch_of(records, len(values), crc, length, count, magic, attributes, now)


def batch_of(records, number, crc=None, length=None, count=None, magic=2, attributes=0, now=None):
    """The same of so many records as they stand in it."""
    now = int(time.time() * 1000) if now is None else now
    tail = struct.pack('>hiqqqhi', attributes, number - 1, now, now, -1, -1, -1)
    tail += struct.pack('>i', number if count is None else count) + records
    if crc is None:
        crc = crc32c(tail)
    size = 4 + 1 + 4 + len(tail)
    return struct.pack('>qiibI', 0, size if length is None else length, 0, magic, crc) + tail


def produce(port, topic, data, partition=0, acks=-1, version=3, timeout_ms=5000):
    """Produce with one batch, from version 3: (error code, base offset)."""
    body = struct.pack('>h', -1) + struct.pack('>hi', acks, timeout_ms) + struct.pack('>i', 1) + string(topic)
    body += struct.pack('>ii', 1, partition) + struct.pack('>i', len(data)) + data
    r = Reader(call(port, 0, version, body))
    r.get('i')
    r.string()
    r.get('i')
    _, error, offset = r.get('ihq')
    return error, offset


def refusal(port, topic, data, partition=0):
    """Produce v8 with one batch: (error code, {index: message} of records, message)."""
    body = struct.pack('>h', -1) + struct.pack('>hi', -1, 5000) + struct.pack('>i', 1) + string(topic)
    body += struct.pack('>ii', 1, partition) + struct.pack('>i', len(data)) + data
    r = Reader(call(port, 0, 8, body))
    r.get('i')
    r.string()
    r.get('i')
    _, error, _, _, _ = r.get('ihqqq')
    records = dict(r.array(lambda: (r.get('i'), r.string())))
    return error, records, r.string()
