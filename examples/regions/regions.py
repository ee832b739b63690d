#!/usr/bin/env python3
"""Visits are written and counted: regions.py visit|count BROKERS [--count N] [--first N]"""
import argparse

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = 'visits'


def visit(args):
    admin = AdminClient({'bootstrap.servers': args.brokers})
    try:
        admin.create_topics([NewTopic(TOPIC, 2)])[TOPIC].result()
    except KafkaException as e:
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    producer = Producer({'bootstrap.servers': args.brokers, 'enable.idempotence': True, 'log_level': 0})
    for number in range(args.first, args.first + args.count):
        producer.produce(TOPIC, str(number), str(number))
    producer.flush()


def count(args):
    consumer = Consumer({'bootstrap.servers': args.brokers, 'group.id': 'counter', 'auto.offset.reset': 'earliest',
                         'enable.auto.commit': False, 'session.timeout.ms': 6000, 'topic.metadata.refresh.interval.ms': 2000,
                         'log_level': 0})
    consumer.subscribe([r'^(west\.)?%s$' % TOPIC])
    left = args.count
    while left:
        message = consumer.poll(1)
        if message is not None and not message.error():
            print(int(message.value()), flush=True)
            consumer.commit(message, asynchronous=False)
            left -= 1
    consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=['visit', 'count'])
    parser.add_argument('brokers')
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--first', type=int, default=0)
    args = parser.parse_args()
    {'visit': visit, 'count': count}[args.what](args)


if __name__ == '__main__':
    main()
