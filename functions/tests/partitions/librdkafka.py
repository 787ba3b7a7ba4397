"""Prints the rows of java.tsv on which librdkafka does not agree: none.

python3 librdkafka.py PATH/OF/librdkafka.so < java.tsv
"""

import ctypes
import sys

murmur2 = ctypes.CDLL(sys.argv[1]).rd_kafka_msg_partitioner_murmur2_random

for row in sys.stdin:
    key, count, partition = row.split()
    key = bytes.fromhex(key)
    found = murmur2(None, key, ctypes.c_size_t(len(key)), int(count), None, None)
    if found != int(partition):
        print(row.rstrip(), "librdkafka:", found)
