#!/usr/bin/env python3
"""Transfers between accounts: payments.py ask|work|audit BROKERS [--count N] [--first N] [--isolation LEVEL]"""
import argparse
import json
import random

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TRANSFERS, ACCOUNTS = 'transfers', 'accounts'
GROUP = 'payments'


def make_topics(brokers):
    admin = AdminClient({'bootstrap.servers': brokers})
    for made in admin.create_topics([NewTopic(TRANSFERS, 1), NewTopic(ACCOUNTS, 5)]).values():
        try:
            made.result()
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def ask(args):
    make_topics(args.brokers)
    producer = Producer({'bootstrap.servers': args.brokers, 'enable.idempotence': True, 'log_level': 0})
    for number in range(args.first, args.first + args.count):
        payer, payee = random.sample(range(20), 2)
        producer.produce(TRANSFERS, json.dumps({'number': number, 'from': 'a%d' % payer, 'to': 'a%d' % payee,
                                                'amount': random.randrange(1, 1000)}))
    producer.flush()


def carry_out(producer, consumer, message):
    """One transfer is one transaction: both accounts, and that it has been read."""
    t = json.loads(message.value())
    producer.begin_transaction()
    for account, amount in ((t['from'], -t['amount']), (t['to'], t['amount'])):
        producer.produce(ACCOUNTS, json.dumps({'transfer': t['number'], 'amount': amount}), account)
    place = TopicPartition(TRANSFERS, message.partition(), message.offset() + 1)
    producer.send_offsets_to_transaction([place], consumer.consumer_group_metadata())
    producer.commit_transaction()
    print('carried out %d' % t['number'], flush=True)


def work(args):
    producer = Producer({'bootstrap.servers': args.brokers, 'transactional.id': 'payments-worker', 'log_level': 0})
    consumer = Consumer({'bootstrap.servers': args.brokers, 'group.id': GROUP, 'enable.auto.commit': False,
                         'auto.offset.reset': 'earliest', 'session.timeout.ms': 6000, 'log_level': 0})
    producer.init_transactions()  # fences a worker before this one and ends what it left open
    consumer.subscribe([TRANSFERS])
    while True:
        message = consumer.poll(1)
        if message is not None and not message.error():
            carry_out(producer, consumer, message)


def audit(args):
    consumer = Consumer({'bootstrap.servers': args.brokers, 'group.id': 'auditor', 'enable.auto.commit': False,
                         'isolation.level': args.isolation, 'enable.partition.eof': True, 'log_level': 0})
    partitions = consumer.list_topics(ACCOUNTS).topics[ACCOUNTS].partitions
    consumer.assign([TopicPartition(ACCOUNTS, p, 0) for p in partitions])
    amounts, ended = {}, set()
    while len(ended) < len(partitions):
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            ended.add(message.partition())
        else:
            entry = json.loads(message.value())
            amounts.setdefault(entry['transfer'], []).append(entry['amount'])
    consumer.close()
    print('transfers %d' % len(amounts))
    print('half %d' % sum(len(a) == 1 for a in amounts.values()))
    print('double %d' % sum(len(a) > 2 for a in amounts.values()))
    print('sum %d' % sum(map(sum, amounts.values())))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=['ask', 'work', 'audit'])
    parser.add_argument('brokers')
    parser.add_argument('--count', type=int, default=500)
    parser.add_argument('--first', type=int, default=0, help='number of the first transfer (ask)')
    parser.add_argument('--isolation', choices=['read_committed', 'read_uncommitted'], default='read_committed')
    args = parser.parse_args()
    {'ask': ask, 'work': work, 'audit': audit}[args.what](args)


if __name__ == '__main__':
    main()
