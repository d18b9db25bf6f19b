"""Calls each area once through the client that openapi-python-client made of the document."""

import os

from gatehouse_client import Client
from gatehouse_client.api.gitlab_subscriptions import get_internal_gitlab_subscriptions_namespaces_id_gitlab_subscription
from gatehouse_client.api.kubernetes import get_internal_kubernetes_agent_info
from gatehouse_client.api.monitoring import get_liveness
from gatehouse_client.api.provisioning import get_namespaces_id_gitlab_subscription
from gatehouse_client.api.rest import get_personal_access_tokens_self
from gatehouse_client.api.scim import get_scim_groups_path_users
from gatehouse_client.api.shell import get_internal_discover


def client(**headers):
    return Client(base_url=os.environ["GATEHOUSE_URL"], headers=headers)


shell = client(**{"Gitlab-Shell-Api-Request": os.environ["SHELL_TOKEN"]})
assert get_internal_discover.sync(client=shell, key_id="7").username == "rubi"

kas = client(**{"Gitlab-Kas-Api-Request": os.environ["KAS_TOKEN"], "Gitlab-Agent-Api-Request": "glagent-example"})
agent = get_internal_kubernetes_agent_info.sync_detailed(client=kas)
assert agent.status_code == 200, agent
assert agent.parsed.agent_name == "prod"

token = client(**{"PRIVATE-TOKEN": os.environ["PERSONAL_ACCESS_TOKEN"]})
assert get_namespaces_id_gitlab_subscription.sync("acme", client=token).usage.seats_in_subscription > 0
assert get_personal_access_tokens_self.sync(client=token).active

customers_dot = client(**{"X-Customers-Dot-Internal-Token": os.environ["CUSTOMERS_DOT_TOKEN"]})
subscription = get_internal_gitlab_subscriptions_namespaces_id_gitlab_subscription.sync("acme", client=customers_dot)
assert subscription.usage.seats_in_subscription > 0

scim = client(Authorization="Bearer glsoat-example")
assert get_scim_groups_path_users.sync("test_group", client=scim).total_results >= 2

monitoring = Client(base_url=os.environ["MONITORING_URL"])
assert get_liveness.sync(client=monitoring).status == "ok"
