"""Fills a SCIM server with users by POST, and prints id, user name and address of each, in random order."""

import http.client
import json
import random
import sys
import time

address, token, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection(address, timeout=60)
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
rows = []
for number in range(1, count + 1):
    name, email = f"user-{number}", f"user-{number}@example.com"
    user = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "externalId": f"id-{number}",
        "name": {"formatted": f"User {number}"},
        "emails": [{"type": "work", "value": email, "primary": True}],
    }
    for attempt in (1, 2, 3):
        try:
            connection.request("POST", "/Users", json.dumps(user), headers)
            break
        except ConnectionError:
            # It may not listen yet, or has closed the connection.
            connection.close()
            time.sleep(1)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 201:
        sys.exit(f"{answer.status}: {body.decode()}")
    rows.append(f"{json.loads(body)['id']}\t{name}\t{email}")
random.shuffle(rows)
print("\n".join(rows))
