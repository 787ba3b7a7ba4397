"""Apache Kafka with the properties that `compose.yaml` gives it, started from its jars. Needs java and kcat."""
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time

INFRA = pathlib.Path(__file__).resolve().parent.parent
TOPICS = ("ws.connections", "ws.messages", "chat.messages", "ws.outbound")
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"

# A start may take this long on a machine that is busy with other tests.
START_SECONDS_MAX = 120
# An answer of a function that starts cold, too.
ANSWER_SECONDS_MAX = 60
POLL_SECONDS = 0.1


@contextlib.contextmanager
def kafka(folder, jars, nodes=1):
    """Yields the brokers' addresses, once they have the topics."""
    java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    properties = INFRA / "compose" / ("one" if nodes == 1 else "three") / "server.properties"
    ports = [free_ports(3) for _ in range(nodes)]
    voters = ",".join(f"{node}@127.0.0.1:{controller}" for node, (_, _, controller) in enumerate(ports, 1))
    with contextlib.ExitStack() as stack:
        for node, (host, inside, controller) in enumerate(ports, 1):
            overrides = {
                "node.id": str(node),
                "listeners": f"HOST://127.0.0.1:{host},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": f"HOST://127.0.0.1:{host},INSIDE://127.0.0.1:{inside}",
                "controller.quorum.voters": voters,
                "log.dirs": str(folder / f"kafka-{node}"),
            }
            # `StorageTool` takes no overrides: they come last in a copy.
            formatted = folder / f"kafka-{node}.properties"
            formatted.write_text(properties.read_text() + "".join(f"{key}={value}\n" for key, value in overrides.items()))
            quietly([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(formatted)])
            command = [*java, "kafka.Kafka", str(properties)]
            for key, value in overrides.items():
                command += ["--override", f"{key}={value}"]
            stack.enter_context(running(command, folder / f"kafka-{node}.log"))
        for host, _, _ in ports:
            eventually(lambda: accepts(host), START_SECONDS_MAX)
        brokers = ",".join(f"127.0.0.1:{host}" for host, _, _ in ports)
        make_topics(jars, brokers, nodes)
        print(f"Kafka runs with compose's properties on {nodes} node(s), and has the topics")
        yield brokers


def make_topics(jars, brokers, replication):
    environment = {
        **os.environ,
        "TOPIC_COMMAND": f"java -cp {jars}/* org.apache.kafka.tools.TopicCommand",
        "TOPICS": " ".join(TOPICS),
        "BOOTSTRAP": brokers,
        "REPLICATION": str(replication),
    }
    quietly(["bash", "-f", str(INFRA / "compose/topics")], env=environment)


def records(brokers, topic):
    """The records of a topic, each `key value`."""
    command = ["kcat", "-b", brokers, "-t", topic, "-C", "-e", "-q", "-o", "beginning", "-f", "%k %s\n"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_SECONDS_MAX).stdout.splitlines()


@contextlib.contextmanager
def running(command, log, **options):
    with open(log, "w") as output:
        process = subprocess.Popen(command, **{"cwd": log.parent, **options}, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        except BaseException:
            print(f"--- the end of {log.name}\n{log.read_text()[-4000:]}", file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(timeout=ANSWER_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def quietly(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX, **options)
    assert done.returncode == 0, f"{command[0]} … {command[-1]}: {done.stdout}{done.stderr}"


def eventually(condition, seconds=ANSWER_SECONDS_MAX):
    """What the condition returns, once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"not within {seconds} s")


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
