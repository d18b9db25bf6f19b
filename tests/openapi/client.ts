// Calls each area once through the types that openapi-typescript made of the document.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./gatehouse.js";

const { GATEHOUSE_URL, MONITORING_URL, SHELL_TOKEN, KAS_TOKEN, PERSONAL_ACCESS_TOKEN, CUSTOMERS_DOT_TOKEN } = process.env;
const client = (headers: Record<string, string> = {}, baseUrl = GATEHOUSE_URL) => createClient<paths>({ baseUrl, headers });

const shell = client({ "Gitlab-Shell-Api-Request": SHELL_TOKEN! });
const discovered = await shell.GET("/api/v4/internal/discover", { params: { query: { key_id: "7" } } });
assert.equal(discovered.data?.username, "rubi");

const kas = client({ "Gitlab-Kas-Api-Request": KAS_TOKEN!, "Gitlab-Agent-Api-Request": "glagent-example" });
const agent = await kas.GET("/api/v4/internal/kubernetes/agent_info");
assert.equal(agent.data?.agent_name, "prod");

const token = client({ "PRIVATE-TOKEN": PERSONAL_ACCESS_TOKEN! });
const acme = { params: { path: { id: "acme" } } };
const bought = await token.GET("/api/v4/namespaces/{id}/gitlab_subscription", acme);
assert.ok(bought.data?.usage.seats_in_subscription);
const self = await token.GET("/api/v4/personal_access_tokens/self");
assert.equal(self.data?.active, true);

const customersDot = client({ "X-Customers-Dot-Internal-Token": CUSTOMERS_DOT_TOKEN! });
const same = await customersDot.GET("/api/v4/internal/gitlab_subscriptions/namespaces/{id}/gitlab_subscription", acme);
assert.deepEqual(same.data, bought.data);

const scim = client({ Authorization: "Bearer glsoat-example" });
const users = await scim.GET("/api/scim/v2/groups/{path}/Users", { params: { path: { path: "test_group" } } });
assert.ok(users.data!.totalResults >= 2);

const monitoring = client({}, MONITORING_URL);
assert.equal((await monitoring.GET("/-/liveness")).data?.status, "ok");
