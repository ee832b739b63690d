#!/usr/bin/env python3
"""Records answers of an Apache Kafka broker, as data for the codec's tests.

  capture.py SCHEMAS HOST:PORT OUTPUT

SCHEMAS is the folder of Kafka's message schemas (clients/src/main/resources/
common/message of its sources). For each API one file OUTPUT/<api>.txt is
written, a line per frame: "request|response <version> <hex of the frame
without its length>". The requests are encoded here from the schemas, which
makes them independent of the codec under test.
"""
import json
import os
import re
import socket
import struct
import sys
import time
import uuid

SCHEMAS, ADDRESS, OUTPUT = sys.argv[1:4]
ANY = 1 << 15


def versions(text):
    if text in (None, "none"):
        return (ANY, -1)
    if text.endswith("+"):
        return (int(text[:-1]), ANY)
    low, _, high = text.partition("-")
    return (int(low), int(high or low))


def within(version, text):
    low, high = versions(text)
    return low <= version <= high


def schema(name):
    with open(os.path.join(SCHEMAS, name + ".json")) as f:
        text = f.read()
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    text = re.sub(r'(?<!:)//[^"\n]*$', "", text, flags=re.M)
    return json.loads(text)


def uvarint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


FIXED = {"bool": ">?", "int8": ">b", "int16": ">h", "uint16": ">H",
         "int32": ">i", "int64": ">q", "float64": ">d"}
ZERO_ID = b"\0" * 16


class Codec:
    def __init__(self, message, version):
        self.version = version
        self.flexible = within(version, message["flexibleVersions"])
        self.common = {s["name"]: s["fields"]
                       for s in message.get("commonStructs", [])}
        self.fields = message["fields"]

    def default(self, field):
        kind = field["type"]
        value = field.get("default")
        if value == "null":
            return None
        if kind.startswith("[]"):
            return []
        if kind in FIXED:
            if kind == "bool":
                return str(value).lower() == "true"
            return int(str(value or 0), 0)
        return {"string": value or "", "bytes": b"", "records": b"",
                "uuid": ZERO_ID}.get(kind, {})

    def length(self, n, old):
        if self.flexible:
            return uvarint(0 if n is None else n + 1)
        return struct.pack(old, -1 if n is None else n)

    def write_value(self, field, kind, value):
        if kind in FIXED:
            return struct.pack(FIXED[kind], value)
        if kind == "uuid":
            return value
        if kind == "string":
            raw = None if value is None else value.encode()
            return self.length(None if raw is None else len(raw),
                               ">h") + (raw or b"")
        if kind in ("bytes", "records"):
            return self.length(None if value is None else len(value),
                               ">i") + (value or b"")
        if kind.startswith("[]"):
            if value is None:
                return self.length(None, ">i")
            return self.length(len(value), ">i") + b"".join(
                self.write_value(field, kind[2:], v) for v in value)
        prefix = b""
        if within(self.version, field.get("nullableVersions")) \
                and not field["type"].startswith("[]"):
            if value is None:
                return b"\xff"
            prefix = b"\x01"
        return prefix + self.write(field.get("fields") or self.common[kind],
                                   value)

    def write(self, fields, values):
        out, tagged = b"", []
        known = {f["name"] for f in fields}
        assert not set(values) - known, (values, known)
        for f in fields:
            if not within(self.version, f["versions"]):
                continue
            default = self.default(f)
            value = values.get(f["name"], default)
            if within(self.version, f.get("taggedVersions")):
                if value != default:
                    tagged.append((f["tag"],
                                   self.write_value(f, f["type"], value)))
            else:
                out += self.write_value(f, f["type"], value)
        if self.flexible:
            out += uvarint(len(tagged))
            for tag, raw in sorted(tagged):
                out += uvarint(tag) + uvarint(len(raw)) + raw
        return out

    # Reading: only what later requests need from earlier answers.
    def take(self, n):
        raw, self.rest = self.rest[:n], self.rest[n:]
        assert len(raw) == n
        return raw

    def read_uvarint(self):
        shift = value = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def read_length(self, old):
        if self.flexible:
            return self.read_uvarint() - 1
        return struct.unpack(old, self.take(struct.calcsize(old)))[0]

    def read_value(self, field, kind):
        if kind in FIXED:
            return struct.unpack(FIXED[kind],
                                 self.take(struct.calcsize(FIXED[kind])))[0]
        if kind == "uuid":
            return self.take(16)
        if kind == "string":
            n = self.read_length(">h")
            return None if n < 0 else self.take(n).decode()
        if kind in ("bytes", "records"):
            n = self.read_length(">i")
            return None if n < 0 else self.take(n)
        if kind.startswith("[]"):
            n = self.read_length(">i")
            return None if n < 0 else [self.read_value(field, kind[2:])
                                       for _ in range(n)]
        if within(self.version, field.get("nullableVersions")) \
                and not field["type"].startswith("[]"):
            if self.take(1) == b"\xff":
                return None
        return self.read(field.get("fields") or self.common[kind])

    def read(self, fields):
        out = {}
        for f in fields:
            if within(self.version, f["versions"]) and not within(
                    self.version, f.get("taggedVersions")):
                out[f["name"]] = self.read_value(f, f["type"])
        if self.flexible:
            for _ in range(self.read_uvarint()):
                self.read_uvarint()
                self.take(self.read_uvarint())
        return out


class Connection:
    def __init__(self):
        host, port = ADDRESS.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.id = 0

    def send(self, api, version, request):
        message = schema(api + "Request")
        codec = Codec(message, version)
        self.id += 1
        frame = struct.pack(">hhih", message["apiKey"], version, self.id,
                            7) + b"capture"
        if codec.flexible:
            frame += b"\0"
        frame += codec.write(codec.fields, request)
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        return frame

    def receive(self):
        return self.exactly(struct.unpack(">i", self.exactly(4))[0])

    def exactly(self, n):
        out = b""
        while len(out) < n:
            part = self.socket.recv(n - len(out))
            if not part:
                raise EOFError
            out += part
        return out


def decode(api, version, frame):
    codec = Codec(schema(api + "Response"), version)
    codec.rest = frame[4:]
    if codec.flexible and api != "ApiVersions":
        assert codec.take(1) == b"\0"
    out = codec.read(codec.fields)
    assert not codec.rest, (api, version, codec.rest)
    return out


lines = {}


def save(api, kind, version, frame):
    lines.setdefault(api, []).append("%s %d %s" % (kind, version, frame.hex()))


def ask(api, version, request, connection=None, keep=True):
    connection = connection or Connection()
    sent = connection.send(api, version, request)
    got = connection.receive()
    if keep:
        save(api, "request", version, sent)
        save(api, "response", version, got)
    return decode(api, version, got)


def retry(api, version, request, good, keep=True):
    for _ in range(100):
        answer = ask(api, version, request, keep=False)
        if good(answer):
            return ask(api, version, request) if keep else answer
        time.sleep(0.1)
    raise RuntimeError("%s v%d: %s" % (api, version, answer))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(n):
    return uvarint((n << 1) ^ (n >> 63))


def batch(records, now):
    body = b""
    for i, (key, value, headers) in enumerate(records):
        raw = b"\0" + varint(0) + varint(i)
        for part in (key, value):
            raw += varint(-1) if part is None else varint(len(part)) + part
        raw += varint(len(headers))
        for name, value in headers:
            raw += varint(len(name)) + name + varint(len(value)) + value
        body += varint(len(raw)) + raw
    tail = struct.pack(">hiqqqhii", 0, len(records) - 1, now, now, -1, -1, -1,
                       len(records)) + body
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


def groups(topic):
    """A group's life, once per version."""
    for v in range(0, 6):
        if v <= 3:
            retry("FindCoordinator", v, {"Key": "g"},
                  lambda a: a["ErrorCode"] == 0)
        else:
            retry("FindCoordinator", v, {"CoordinatorKeys": ["g", "h"]},
                  lambda a: a["Coordinators"][0]["ErrorCode"] == 0)
    ask("FindCoordinator", 3, {"Key": "g", "KeyType": 9})
    for v in range(0, 10):  # their coordinators have loaded
        retry("DescribeGroups", 0, {"Groups": ["group-%d" % v]},
              lambda a: a["Groups"][0]["ErrorCode"] == 0, keep=False)
    for v in range(0, 10):
        group = "group-%d" % v
        join = {"GroupId": group, "SessionTimeoutMs": 30000, "MemberId": "",
                "RebalanceTimeoutMs": 30000, "ProtocolType": "consumer",
                "Protocols": [{"Name": "range",
                               "Metadata": b"\0\0\0\0\0\1\0\1t\0\0\0\0"}]}
        if v == 0:
            join.pop("RebalanceTimeoutMs")
        if v >= 5:
            join["GroupInstanceId"] = "instance"
        if v == 4 or v == 9:
            join.pop("GroupInstanceId", None)
        connection = Connection()
        answer = ask("JoinGroup", v, join, connection)
        if answer["ErrorCode"] == 79:
            join["MemberId"] = answer["MemberId"]
            answer = ask("JoinGroup", v, join, connection)
        member, generation = answer["MemberId"], answer["GenerationId"]
        assert answer["ErrorCode"] == 0, answer
        sync = {"GroupId": group, "GenerationId": generation,
                "MemberId": member,
                "Assignments": [{"MemberId": member,
                                 "Assignment": b"\0\0\0\0\0\0\0\0\0\0"}]}
        if v >= 5:
            sync["ProtocolType"], sync["ProtocolName"] = "consumer", "range"
        ask("SyncGroup", min(v, 5), sync, connection)
        ask("Heartbeat", min(v, 4), {"GroupId": group, "MemberId": member,
                                     "GenerationId": generation}, connection)
        partition = {"PartitionIndex": 0, "CommittedOffset": 3,
                     "CommittedMetadata": "note"}
        if v >= 2:
            ask("OffsetCommit", v, {
                "GroupId": group, "GenerationIdOrMemberEpoch": generation,
                "MemberId": member,
                "Topics": [{"Name": topic, "Partitions": [partition]},
                           {"Name": "none", "Partitions": [partition]}]},
                connection)
        if v >= 1:
            if v <= 7:
                ask("OffsetFetch", v, {
                    "GroupId": group, "Topics": [{"Name": topic,
                                                  "PartitionIndexes": [0, 1]}]},
                    connection)
            else:
                ask("OffsetFetch", v, {"Groups": [
                    {"GroupId": group, "Topics": [
                        {"Name": topic, "PartitionIndexes": [0, 1]}]},
                    {"GroupId": "unknown", "Topics": None}]}, connection)
        ask("DescribeGroups", min(v, 6), {"Groups": [group, "unknown"]},
            connection)
        ask("ListGroups", min(v, 5), {}, connection)
        if v % 2 == 0:
            leave = {"GroupId": group}
            if v <= 2:
                leave["MemberId"] = member
            else:
                leave["Members"] = [{"MemberId": member}, {"MemberId": "x"}]
            ask("LeaveGroup", min(v, 5), leave, connection)
    ask("LeaveGroup", 1, {"GroupId": "group-1", "MemberId": "x"})
    ask("LeaveGroup", 3, {"GroupId": "group-3", "Members": []})
    for v in range(0, 3):
        ask("DeleteGroups", v, {"GroupsNames": ["group-%d" % (2 * v),
                                                "unknown"]})


def topics():
    for v in range(2, 8):
        ask("CreateTopics", v, {
            "Topics": [
                {"Name": "topic-%d" % v, "NumPartitions": 2,
                 "ReplicationFactor": 1,
                 "Configs": [{"Name": "retention.ms", "Value": "1000000"}]},
                {"Name": "assigned-%d" % v, "NumPartitions": -1,
                 "ReplicationFactor": -1,
                 "Assignments": [{"PartitionIndex": 0, "BrokerIds": [1]}]},
                {"Name": "bad name", "NumPartitions": 1,
                 "ReplicationFactor": 1}],
            "timeoutMs": 10000})
    for v in range(0, 4):
        ask("CreatePartitions", v, {
            "Topics": [{"Name": "topic-2", "Count": 3 + v,
                        "Assignments": None}], "TimeoutMs": 10000})
    for v in range(0, 13):
        ask("Metadata", v, {"Topics": [{"Name": "topic-7"}, {"Name": "none"}],
                            **({"AllowAutoTopicCreation": False}
                               if v >= 4 else {})})
        if v >= 1:
            ask("Metadata", v, {"Topics": None})
    for v in range(1, 5):
        ask("DescribeConfigs", v, {
            "Resources": [
                {"ResourceType": 2, "ResourceName": "topic-7",
                 "ConfigurationKeys": ["retention.ms", "cleanup.policy"]},
                {"ResourceType": 2, "ResourceName": "none",
                 "ConfigurationKeys": None}],
            "IncludeSynonyms": True,
            **({"IncludeDocumentation": True} if v >= 3 else {})})
    for v in range(0, 2):
        ask("IncrementalAlterConfigs", v, {"Resources": [
            {"ResourceType": 2, "ResourceName": "topic-7", "Configs": [
                {"Name": "retention.ms", "ConfigOperation": 0,
                 "Value": "2000000"},
                {"Name": "segment.ms", "ConfigOperation": 1, "Value": None}]}]})
    topic_id = ask("Metadata", 12, {"Topics": [{"Name": "topic-7"}]},
                   keep=False)["Topics"][0]["TopicId"]
    ask("DescribeTopicPartitions", 0, {
        "Topics": [{"Name": "topic-7"}, {"Name": "none"}]})
    ask("DescribeTopicPartitions", 0, {
        "Topics": [{"Name": "topic-6"}, {"Name": "topic-7"}],
        "ResponsePartitionLimit": 1,
        "Cursor": {"TopicName": "topic-6", "PartitionIndex": 1}})
    return "topic-7", topic_id


def records(topic, topic_id):
    now = 1700000000000
    some = batch([(b"key", b"value", []), (None, b"x" * 50, [(b"h", b"1")]),
                  (b"k", None, [])], now)
    for v in range(3, 13):
        for index, data in ((0, some), (9, some)):
            ask("Produce", v, {"Acks": -1, "TimeoutMs": 10000, "TopicData": [
                {"Name": topic, "PartitionData": [
                    {"Index": index, "Records": data}]}]})
    ask("Produce", 11, {"Acks": -1, "TimeoutMs": 10000, "TopicData": [
        {"Name": topic, "PartitionData": [
            {"Index": 0, "Records": batch([(b"k", b"v", [])], 1 << 50)}]}]})
    for v in range(4, 18):
        name = {"Topic": topic} if v <= 12 else {"TopicId": topic_id}
        for offset in (0, 1000):
            ask("Fetch", v, {"MaxWaitMs": 10, "MinBytes": 1, "MaxBytes": 300,
                             "Topics": [{**name, "Partitions": [
                                 {"Partition": 0, "FetchOffset": offset,
                                  "PartitionMaxBytes": 300}]}]})
        if v >= 9:
            ask("Fetch", v, {"MaxWaitMs": 10, "MinBytes": 1,
                             "Topics": [{**name, "Partitions": [
                                 {"Partition": 0, "CurrentLeaderEpoch": 7,
                                  "FetchOffset": 0,
                                  "PartitionMaxBytes": 300}]}]})
    ask("Fetch", 16, {"MaxWaitMs": 10, "MinBytes": 1, "Topics": [
        {"TopicId": uuid.UUID(int=77).bytes, "Partitions": [
            {"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 300}]}]})
    for v in range(1, 11):
        for stamp in (-1, -2, now):
            ask("ListOffsets", v, {"ReplicaId": -1, "Topics": [
                {"Name": topic, "Partitions": [
                    {"PartitionIndex": 0, "Timestamp": stamp}]}],
                **({"TimeoutMs": 1000} if v >= 10 else {})})
    for v in range(2, 5):
        ask("OffsetForLeaderEpoch", v, {"Topics": [
            {"Topic": topic, "Partitions": [
                {"Partition": 0, "LeaderEpoch": 0},
                {"Partition": 8, "LeaderEpoch": 0}]}],
            **({"ReplicaId": -1} if v >= 3 else {})})
    for v in range(0, 6):
        ask("InitProducerId", v, {"TransactionalId": None,
                                  "TransactionTimeoutMs": 60000})


def batches():
    """Batches as the broker compresses them, and its own group records."""
    now = 1700000000000
    some = batch([(b"key", b"value" * 40, []), (None, b"x" * 500, [(b"h", b"1")]),
                  (b"k", None, [])], now)

    def fetch(topic):
        answer = ask("Fetch", 11, {
            "MaxWaitMs": 10, "MinBytes": 1, "Topics": [
                {"Topic": topic, "Partitions": [
                    {"Partition": 0, "FetchOffset": 0,
                     "PartitionMaxBytes": 1 << 20}]}]}, keep=False)
        return answer["Responses"][0]["Partitions"][0]["Records"].hex()

    out = []
    for codec in ("uncompressed", "gzip", "snappy", "lz4", "zstd"):
        ask("CreateTopics", 7, {"Topics": [
            {"Name": codec, "NumPartitions": 1, "ReplicationFactor": 1,
             "Configs": [{"Name": "compression.type", "Value": codec}]}]},
            keep=False)
        retry("Produce", 11, {"Acks": -1, "TimeoutMs": 10000, "TopicData": [
            {"Name": codec, "PartitionData": [
                {"Index": 0, "Records": some}]}]},
            lambda a: a["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
            == 0)
        out.append(codec + " " + fetch(codec))
    out.append("__consumer_offsets " + fetch("__consumer_offsets"))
    with open(os.path.join(OUTPUT, "batches.txt"), "w") as f:
        f.write("\n".join(out) + "\n")


def quorum():
    """With voters in a file, nobody is added or removed: the answers say so."""
    for v in range(0, 3):
        ask("DescribeQuorum", v, {"Topics": [
            {"TopicName": "__cluster_metadata", "Partitions": [
                {"PartitionIndex": 0}]}]})
    directory = uuid.UUID(int=99).bytes
    ask("AddRaftVoter", 0, {
        "ClusterId": None, "TimeoutMs": 1000, "VoterId": 5,
        "VoterDirectoryId": directory, "Listeners": [
            {"Name": "CONTROLLER", "Host": "h", "Port": 40093}]})
    ask("RemoveRaftVoter", 0, {"ClusterId": None, "VoterId": 5,
                               "VoterDirectoryId": directory})


def features():
    """A change that is none, and one that is refused: whole, and by feature."""
    for v in range(0, 3):
        kind = {"AllowDowngrade": False} if v == 0 else {"UpgradeType": 1}
        for level in (1, 99):
            ask("UpdateFeatures", v, {
                "timeoutMs": 5000, "FeatureUpdates": [
                    {"Feature": "kraft.version", "MaxVersionLevel": level,
                     **kind}]})


def transactional_offsets(topic):
    """Offsets committed in a transaction, and by nobody, once per version."""
    for v in range(0, 6):
        tid, group = "offsets-%d" % v, "txn-group-%d" % v
        for kind, key in ((1, tid), (0, group)):
            retry("FindCoordinator", 3, {"Key": key, "KeyType": kind},
                  lambda a: a["ErrorCode"] == 0, keep=False)
        who = retry("InitProducerId", 4, {
            "TransactionalId": tid, "TransactionTimeoutMs": 60000},
            lambda a: a["ErrorCode"] == 0, keep=False)
        who = {"TransactionalId": tid, "GroupId": group,
               "ProducerId": who["ProducerId"],
               "ProducerEpoch": who["ProducerEpoch"]}
        retry("AddOffsetsToTxn", 3, who, lambda a: a["ErrorCode"] == 0,
              keep=False)
        partition = {"PartitionIndex": 0, "CommittedOffset": 5,
                     "CommittedMetadata": "note",
                     **({"CommittedLeaderEpoch": 0} if v >= 2 else {})}
        commit = {**who, "Topics": [
            {"Name": topic, "Partitions": [
                partition, {**partition, "PartitionIndex": 1,
                            "CommittedMetadata": None}]},
            {"Name": "none", "Partitions": [partition]}]}
        retry("TxnOffsetCommit", v, commit, lambda a: a["Topics"][1][
            "Partitions"][0]["ErrorCode"] == 0)
        if v >= 3:
            ask("TxnOffsetCommit", v, {
                **commit, "MemberId": "nobody", "GroupInstanceId": "i",
                "GenerationIdOrMemberEpoch": 7})
        ask("OffsetFetch", 7, {"GroupId": group, "RequireStable": True,
                               "Topics": [{"Name": topic,
                                           "PartitionIndexes": [0, 7]}]})
        ask("EndTxn", 3, {k: who[k] for k in who if k != "GroupId"} | {
            "Committed": True}, keep=False)


def transactions(topic):
    """Transactions of one producer a version, and of nobody."""
    for v in range(0, 6):
        tid = "tid-%d" % v
        retry("FindCoordinator", 4, {"CoordinatorKeys": [tid], "KeyType": 1},
              lambda a: a["Coordinators"][0]["ErrorCode"] == 0)
        start = retry("InitProducerId", 4, {
            "TransactionalId": tid, "TransactionTimeoutMs": 60000,
            "ProducerId": -1, "ProducerEpoch": -1},
            lambda a: a["ErrorCode"] == 0)
        who = {"ProducerId": start["ProducerId"],
               "ProducerEpoch": start["ProducerEpoch"]}
        topics = [{"Name": topic, "Partitions": [0, 1]},
                  {"Name": "none", "Partitions": [0]}]
        for some in (topics[:1], topics):
            if v <= 3:
                ask("AddPartitionsToTxn", v, {
                    "V3AndBelowTransactionalId": tid,
                    "V3AndBelowProducerId": who["ProducerId"],
                    "V3AndBelowProducerEpoch": who["ProducerEpoch"],
                    "V3AndBelowTopics": some})
            else:
                ask("AddPartitionsToTxn", v, {"Transactions": [
                    {"TransactionalId": tid, "VerifyOnly": only, **who,
                     "Topics": some} for only in (False,)]})
                ask("AddPartitionsToTxn", v, {"Transactions": [
                    {"TransactionalId": "unknown", "VerifyOnly": True, **who,
                     "Topics": some}]})
        ask("AddOffsetsToTxn", min(v, 4), {"TransactionalId": tid, **who,
                                           "GroupId": "group-0"})
        ask("DescribeTransactions", 0, {"TransactionalIds": [tid, "unknown"]})
        ask("ListTransactions", min(v, 2), {
            "StateFilters": ["Ongoing", "Unheard"], "ProducerIdFilters": [],
            **({"DurationFilter": 0} if v >= 1 else {}),
            **({"TransactionalIdPattern": "tid-[0-%d]" % v} if v >= 2 else {})})
        ask("DescribeProducers", 0, {"Topics": [
            {"Name": topic, "PartitionIndexes": [0, 99]}]})
        ask("EndTxn", v, {"TransactionalId": tid, **who,
                          "Committed": v % 2 == 0})
        ask("EndTxn", v, {"TransactionalId": "unknown", **who,
                          "Committed": True})
    for v in range(1, 3):
        ask("WriteTxnMarkers", v, {"Markers": [
            {"ProducerId": 987654, "ProducerEpoch": 3,
             "TransactionResult": v == 1, "CoordinatorEpoch": 5,
             **({"TransactionVersion": 2} if v == 2 else {}),
             "Topics": [{"Name": topic, "PartitionIndexes": [0, 9]}]}]})


def administration(topic):
    """Settings, places and leaders: what is right, and what is not there."""
    for v in range(0, 3):
        ask("AlterConfigs", v, {"Resources": [
            {"ResourceType": 2, "ResourceName": topic, "Configs": [
                {"Name": "retention.ms", "Value": str(1000000 + v)}]},
            {"ResourceType": 2, "ResourceName": "none", "Configs": [
                {"Name": "segment.ms", "Value": None}]}]})
    for v in range(1, 5):
        ask("DescribeLogDirs", v, {"Topics": [
            {"Topic": topic, "Partitions": [0, 99]}]})
        ask("DescribeLogDirs", v, {"Topics": None})
    for v in range(1, 3):
        ask("AlterReplicaLogDirs", v, {"Dirs": [
            {"Path": "/nowhere", "Topics": [
                {"Name": topic, "Partitions": [0]},
                {"Name": "none", "Partitions": [0]}]}]})
    for v in range(0, 3):
        ask("DeleteRecords", v, {"TimeoutMs": 5000, "Topics": [
            {"Name": topic, "Partitions": [
                {"PartitionIndex": 0, "Offset": 1 + v},
                {"PartitionIndex": 1, "Offset": 99}]},
            {"Name": "none", "Partitions": [
                {"PartitionIndex": 0, "Offset": -1}]}]})
        ask("ElectLeaders", v, {
            "TimeoutMs": 5000, **({"ElectionType": 0} if v >= 1 else {}),
            "TopicPartitions": [{"Topic": topic, "Partitions": [0]},
                                {"Topic": "none", "Partitions": [0]}]})
        ask("ElectLeaders", v, {"TimeoutMs": 5000, "TopicPartitions": None})
    for v in range(0, 2):
        ask("AlterPartitionReassignments", v, {"TimeoutMs": 5000, "Topics": [
            {"Name": topic, "Partitions": [
                {"PartitionIndex": 0, "Replicas": [1]},
                {"PartitionIndex": 1, "Replicas": [7, 8]}]},
            {"Name": "none", "Partitions": [
                {"PartitionIndex": 0, "Replicas": None}]}]})
        ask("ListConfigResources", v, {"ResourceTypes": [2, 4]} if v else {})
    ask("ListPartitionReassignments", 0, {"TimeoutMs": 5000, "Topics": None})
    ask("ListPartitionReassignments", 0, {"TimeoutMs": 5000, "Topics": [
        {"Name": topic, "PartitionIndexes": [0, 9]}]})
    ask("OffsetDelete", 0, {"GroupId": "group-1", "Topics": [
        {"Name": topic, "Partitions": [{"PartitionIndex": 0}]},
        {"Name": "none", "Partitions": [{"PartitionIndex": 0}]}]})
    ask("OffsetDelete", 0, {"GroupId": "unknown", "Topics": []})
    ask("UnregisterBroker", 0, {"BrokerId": 77})


def acls():
    """Rules: what is right, what is none, by filters. Of a broker with an
    authorizer that allows everything."""
    for v in range(1, 4):
        rule = {"ResourceType": 2, "ResourceName": "acl-%d" % v,
                "ResourcePatternType": 4, "Principal": "User:a", "Host": "*",
                "Operation": 3, "PermissionType": 3}
        ask("CreateAcls", v, {"Creations": [
            rule, {**rule, "ResourceName": ""},
            {**rule, "ResourceType": 4, "ResourceName": "none"}]})
        by = {"ResourceTypeFilter": 2, "ResourceNameFilter": "acl-%d" % v,
              "PatternTypeFilter": 4, "PrincipalFilter": None,
              "HostFilter": None, "Operation": 1, "PermissionType": 1}
        retry("DescribeAcls", v, by, lambda a: a["Resources"])
        ask("DescribeAcls", v, {**by, "PrincipalFilter": "User:b"})
        ask("DeleteAcls", v, {"Filters": [
            by, {**by, "ResourceNameFilter": "none", "HostFilter": "*"}]})


def users():
    """Authentication where nobody has to, and credentials: good, and bad."""
    for v in range(0, 2):
        ask("SaslHandshake", v, {"Mechanism": "PLAIN"})
    for v in range(0, 3):
        ask("SaslAuthenticate", v, {"AuthBytes": b"\0alice\0secret"})
    for v in range(0, 2):
        ask("DescribeClientQuotas", v, {"Components": [
            {"EntityType": "user", "MatchType": 0, "Match": "alice"},
            {"EntityType": "client-id", "MatchType": 2, "Match": None}],
            "Strict": True})
    good = {"Name": "alice", "Mechanism": 1, "Iterations": 4096,
            "Salt": b"salt", "SaltedPassword": b"p" * 32}
    ask("AlterUserScramCredentials", 0, {"Deletions": [
        {"Name": "nobody", "Mechanism": 1}], "Upsertions": [
        good, {**good, "Name": "few", "Iterations": 4095},
        {**good, "Name": "many", "Iterations": 16385},
        {**good, "Name": "", "Iterations": 8192},
        {**good, "Name": "what", "Mechanism": 9},
        {**good, "Name": "twice"}, {**good, "Name": "twice"}]})
    retry("DescribeUserScramCredentials", 0, {"Users": None},
          lambda a: a["Results"])
    ask("DescribeUserScramCredentials", 0, {"Users": [
        {"Name": "alice"}, {"Name": "nobody"}, {"Name": "few"},
        {"Name": "few"}]})
    ask("AlterUserScramCredentials", 0, {"Deletions": [
        {"Name": "alice", "Mechanism": 1}], "Upsertions": []})


def main():
    for v in range(0, 5):
        ask("ApiVersions", v, {} if v < 3 else {
            "ClientSoftwareName": "capture", "ClientSoftwareVersion": "1.0"})
    for v in range(0, 3):
        ask("DescribeCluster", v, {})
    quorum()
    features()
    users()
    topic, topic_id = topics()
    records(topic, topic_id)
    groups(topic)
    batches()
    transactional_offsets(topic)
    transactions(topic)
    administration(topic)
    acls()
    for v in range(1, 7):
        if v < 6:
            ask("DeleteTopics", v, {"TopicNames": ["assigned-%d" % v, "none"],
                                    "TimeoutMs": 10000})
        else:
            ask("DeleteTopics", v, {"Topics": [
                {"Name": "assigned-6"}, {"Name": None, "TopicId": topic_id},
                {"Name": None, "TopicId": uuid.UUID(int=77).bytes}],
                "TimeoutMs": 10000})
    for api, text in lines.items():
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", api).lower()
        with open(os.path.join(OUTPUT, name + ".txt"), "w") as f:
            f.write("\n".join(text) + "\n")


main()
