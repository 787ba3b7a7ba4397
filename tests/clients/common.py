"""What the Python clients share: where everything is, and how the probe is spoken to."""

import json
import sys
import urllib.parse

# The shipped functions; the probe, which does what it is told; what is below its stage's URL; the first one's Kafka.
SHIPPED, PROBE, ENDPOINT, KAFKA = sys.argv[1:5]


def steps(*steps):
    """A message that tells the probe what to do."""
    return json.dumps({"do": list(steps)})


def doing(*steps):
    """The URL of a handshake at which the probe does this."""
    return f"{PROBE}?do={urllib.parse.quote(json.dumps(steps))}"


def connection_id(report):
    """The connection's id in the text of a report."""
    return json.loads(report)["event"]["requestContext"]["connectionId"]
