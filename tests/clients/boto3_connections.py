"""boto3 as a client of @connections."""

import datetime

import boto3
from botocore.exceptions import ClientError
from websockets.sync.client import connect

from common import ENDPOINT, PROBE, connection_id, steps

ABSENT = "R1kmxc2VNjMCFIA="
BYTES_MAX = 128 * 1024


def main():
    api = boto3.client("apigatewaymanagementapi", endpoint_url=ENDPOINT)
    with connect(PROBE, user_agent_header="probe/1", max_size=None) as socket:
        socket.send(steps("report"))
        mine = connection_id(socket.recv())

        for text in ["plain", "ž 馬 🐎", "", "x" * BYTES_MAX]:
            api.post_to_connection(ConnectionId=mine, Data=text.encode())
            assert socket.recv() == text

        found = api.get_connection(ConnectionId=mine)
        assert found["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "probe/1"}, found
        assert isinstance(found["ConnectedAt"], datetime.datetime), found
        assert found["ConnectedAt"] <= found["LastActiveAt"], found

        check(api.exceptions.PayloadTooLargeException, 413, api.post_to_connection, mine, Data=b"x" * (BYTES_MAX + 1))
        check(ClientError, 400, api.post_to_connection, "nobody", Data=b"hi")

        api.delete_connection(ConnectionId=mine)
        try:
            socket.recv()
            raise AssertionError("still open")
        except Exception as error:
            assert error.rcvd.code == 1000, error

    gone = api.exceptions.GoneException
    for each in [mine, ABSENT]:
        check(gone, 410, api.post_to_connection, each, Data=b"hi")
        check(gone, 410, api.get_connection, each)
        check(gone, 410, api.delete_connection, each)

    session = boto3.Session(aws_access_key_id="sluice", aws_secret_access_key="guessed")
    forger = session.client("apigatewaymanagementapi", endpoint_url=ENDPOINT)
    check(ClientError, 403, forger.get_connection, ABSENT)

    # The stage is lost where an endpoint is the host alone.
    host = ENDPOINT.rsplit("/", 1)[0]
    lost = boto3.client("apigatewaymanagementapi", endpoint_url=host)
    check(lost.exceptions.ForbiddenException, 403, lost.get_connection, ABSENT)


def check(expected, status, call, connection, **arguments):
    """The call fails with this type and status."""
    try:
        call(ConnectionId=connection, **arguments)
    except expected as error:
        found = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert found == status, (found, error)
    else:
        raise AssertionError(f"{expected} was expected")


main()
