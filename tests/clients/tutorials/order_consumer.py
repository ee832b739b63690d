"""The order consumer of the tutorials: order_consumer.py BOOTSTRAP TOPIC GROUP COUNT"""
import json
import sys

from kafka import KafkaConsumer

bootstrap, topic, group, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
consumer = KafkaConsumer(topic, bootstrap_servers=[bootstrap], group_id=group, auto_offset_reset='earliest',
                         enable_auto_commit=True, value_deserializer=lambda m: json.loads(m.decode('utf-8')))
for n, message in enumerate(consumer, 1):
    print(message.value['order_id'], flush=True)
    if n == count:
        break
consumer.close()
