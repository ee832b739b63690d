"""Sends records and reads them, by kafka-python or aiokafka: sasl_python.py BOOTSTRAP TOPIC COUNT SETTINGS

SETTINGS: JSON of the client's own settings. Prints what it has read, or "refused" and the name of the error.
"""
import json
import ssl
import sys
import uuid

BOOTSTRAP, TOPIC, COUNT, SETTINGS = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])


def kafka_python():
    from kafka import KafkaConsumer, KafkaProducer
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, **SETTINGS)
    for future in [producer.send(TOPIC, b'%d' % i) for i in range(COUNT)]:
        future.get(30)
    producer.close()
    consumer = KafkaConsumer(TOPIC, bootstrap_servers=BOOTSTRAP, auto_offset_reset='earliest', group_id=str(uuid.uuid4()),
                             consumer_timeout_ms=20_000, **SETTINGS)
    found = []
    for record in consumer:
        found.append(record.value.decode())
        if len(found) == COUNT:
            break
    return found


def aiokafka():
    import asyncio

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    settings = dict(SETTINGS)
    file = settings.pop('ssl_cafile', None)
    if file:
        settings['ssl_context'] = ssl.create_default_context(cafile=file)

    async def run():
        producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)
        try:
            await producer.start()
            for i in range(COUNT):
                await producer.send_and_wait(TOPIC, b'%d' % i)
        finally:
            await producer.stop()
        consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=BOOTSTRAP, auto_offset_reset='earliest',
                                    group_id=str(uuid.uuid4()), **settings)
        try:
            await consumer.start()
            return [(await asyncio.wait_for(consumer.getone(), 20)).value.decode() for _ in range(COUNT)]
        finally:
            await consumer.stop()
    return asyncio.run(run())


try:
    import aiokafka as _  # noqa: F401
    client = aiokafka
except ImportError:
    client = kafka_python
try:
    print(' '.join(client()))
except Exception as e:  # whatever the client calls it
    print('refused', type(e).__name__, e)
