#!/usr/bin/env python3
"""Places orders and lists them: orders.py place|list BROKERS [--count N] [--rate N] [--acks all|1]"""
import argparse
import json
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = 'orders'


def make_topic(brokers):
    """Three partitions, three replicas; a write needs two of them."""
    admin = AdminClient({'bootstrap.servers': brokers})
    wanted = NewTopic(TOPIC, 3, 3, config={'min.insync.replicas': '2'})
    try:
        admin.create_topics([wanted])[TOPIC].result()
    except KafkaException as e:
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def place(args):
    make_topic(args.brokers)
    producer = Producer({'bootstrap.servers': args.brokers, 'acks': args.acks, 'log_level': 0,
                         'enable.idempotence': args.acks == 'all'})

    def delivered(error, message):
        order = json.loads(message.value())
        print('%s %d' % ('failed' if error else 'placed', order['number']), flush=True)

    for number in range(args.count):
        order = {'number': number, 'customer': 'c%d' % (number % 100), 'item': 'lamp'}
        # The key keeps the orders of a customer in one partition, and so in their order.
        producer.produce(TOPIC, json.dumps(order), order['customer'], on_delivery=delivered)
        producer.poll(0)
        time.sleep(1 / args.rate)
    producer.flush()


def list_all(args):
    consumer = Consumer({'bootstrap.servers': args.brokers, 'group.id': 'lister', 'enable.auto.commit': False,
                         'enable.partition.eof': True, 'log_level': 0})
    partitions = consumer.list_topics(TOPIC).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, p, 0) for p in partitions])
    ended = set()
    while len(ended) < len(partitions):
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            ended.add(message.partition())
        else:
            order = json.loads(message.value())
            print('%d %s' % (order['number'], order['customer']))
    consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=['place', 'list'])
    parser.add_argument('brokers')
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--rate', type=int, default=500, help='orders a second')
    parser.add_argument('--acks', choices=['all', '1'], default='all')
    args = parser.parse_args()
    place(args) if args.what == 'place' else list_all(args)


if __name__ == '__main__':
    main()
