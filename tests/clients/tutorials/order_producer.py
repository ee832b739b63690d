"""The order producer of the tutorials: order_producer.py BOOTSTRAP TOPIC COUNT"""
import json
import sys

from kafka import KafkaProducer

bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
producer = KafkaProducer(bootstrap_servers=[bootstrap],
                         value_serializer=lambda v: json.dumps(v).encode('utf-8'))
for order_id in range(count):
    order = {'order_id': order_id, 'customer': 'customer-%d' % (order_id % 5), 'amount': 9.99 * order_id}
    producer.send(topic, value=order)
producer.flush()
