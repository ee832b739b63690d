"""The console producer of the tutorials: each line goes out under the next of three keys.
console_producer.py BOOTSTRAP TOPIC"""
import itertools
import sys

from kafka import KafkaProducer

producer = KafkaProducer(bootstrap_servers=sys.argv[1], key_serializer=str.encode, value_serializer=str.encode)
keys = itertools.cycle(['a', 'b', 'c'])
for line in sys.stdin:
    sent = producer.send(sys.argv[2], key=next(keys), value=line.rstrip('\n')).get(timeout=30)
    print(sent.partition, sent.offset, flush=True)
producer.close()
