"""The log collector of the tutorials: log_collector.py BOOTSTRAP TOPIC"""
import sys

from kafka import KafkaConsumer

consumer = KafkaConsumer(sys.argv[2], bootstrap_servers=sys.argv[1], auto_offset_reset='earliest',
                         consumer_timeout_ms=5000)
for message in consumer:
    print(message.value.decode(), flush=True)
