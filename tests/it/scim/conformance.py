"""Checks one SCIM base with scim2-tester, and prints a line for each result: status, check, and why it is not a success."""

import sys

from httpx2 import Client, HTTPTransport
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

socket, base, token = sys.argv[1:]
client = Client(
    base_url=base,
    headers={"Authorization": f"Bearer {token}"},
    transport=HTTPTransport(uds=socket),
)
scim = SyncSCIMClient(client)
scim.discover()
for result in check_server(scim):
    reason = "" if result.status.name == "SUCCESS" else " ".join(str(result.reason).split())
    print(result.status.name, result.title, reason, sep="\t")
