// An installation to look at: a database, the real server on it, and what stands around both.

import { execFileSync, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const { DATABASE_URL, GATEHOUSE, PSQL } = process.env;

/** A day so many days from now. */
export const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

/** A personal access token that nobody else knows. */
const token = () => `glpat-${randomBytes(16).toString('hex')}`;

export const tokens = { acts: token(), looks: token(), portal: token() };

/** What config/demo.yml does not state: tokens of an administrator, what ends soon, a hook, and a group's addresses. */
const more = {
  settings: { allow_local_requests_from_web_hooks_and_services: true },
  users: [
    {
      username: 'root',
      personal_access_tokens: [
        { name: 'admin area', scopes: ['api'], token: tokens.acts, expires_at: day(200) },
        { name: 'looks', scopes: ['read_api'], token: tokens.looks, expires_at: day(200) },
        { name: 'portal', scopes: ['api'], token: tokens.portal, expires_at: day(20) },
      ],
    },
    {
      username: 'dana',
      personal_access_tokens: [{ name: 'editor', scopes: ['write_repository'], expires_at: day(9) }],
    },
  ],
  projects: [
    { path: 'gnuwget/wget2', hooks: [{ url: 'http://127.0.0.1:9/ci' }] },
    { path: 'acme/platform/web', hooks: [{ url: 'http://127.0.0.1:9/chat' }] },
  ],
};

/** What no document states: jobs that are dead, answers of receivers, sizes, keys that nobody uses. */
const rest = `
  select graphile_worker.add_job('post_receive', '{"push":1}', max_attempts => 25);
  select graphile_worker.add_job('deliver_webhook', '{"delivery":"x"}', max_attempts => 10);
  update graphile_worker._private_jobs
  set attempts = max_attempts, last_error = 'TaskError("the receiver answered 404")';
  update web_hooks set name = case id when (select min(id) from web_hooks) then 'ci' else 'chat' end;
  update web_hooks set recent_failures = 40 where id = (select min(id) from web_hooks);
  insert into web_hook_logs
    (web_hook_id, trigger, execution_duration, response_status, response_body, delivery_id, event_uuid, request_data)
  select min(id), 'push_hooks', 0.25, '503', 'out of order', gen_random_uuid(), gen_random_uuid(), '{"object_kind":"push"}'
  from web_hooks;
  insert into scim_calls values (null, now(), 'PATCH', '/api/scim/v2/application/Users/{id}', 200);
  insert into web_hook_deliveries (web_hook_id, trigger, event_uuid, request_data)
  select min(id), 'push_hooks', gen_random_uuid(), '{"object_kind":"push"}' from web_hooks;
  insert into project_statistics (project_id, namespace_id, repository_size) values (3, 1234, 5242880)
  on conflict (project_id) do update set repository_size = 5242880;
  update keys set expires_at = now() + interval '5 days' where id = 7;
  update keys set created_at = now() - interval '100 days' where id = 11;
  insert into personal_access_tokens (user_id, name, created_at) values (7, 'idle', now() - interval '100 days');
`;

function databaseUrl(name) {
  const url = new URL(DATABASE_URL);
  url.pathname = `/${name}`;
  return url.href;
}

function psql(name, sql) {
  const words = ['-qAtX', '-v', 'ON_ERROR_STOP=1', '-d', databaseUrl(name), '-f', '-'];
  return execFileSync(PSQL, words, { input: sql, encoding: 'utf8' }).trim();
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const made = [];
const running = new Set();

export class Installation {
  /** One of a name, on a new database: a copy of another's, or the demo and what stands above. */
  static async make(folder, name, gitaly, from) {
    const database = `gatehouse_admin_${process.pid}_${name}`;
    psql('postgres', `create database ${database}${from ? ` template ${from.database}` : ''}`);
    made.push(database);
    const here = new Installation();
    Object.assign(here, { name, database, folder: join(folder, name) });
    mkdirSync(here.folder, { recursive: true });
    const [listen, monitoring, admin] = [await freePort(), await freePort(), await freePort()];
    Object.assign(here, { api: `http://127.0.0.1:${listen}`, monitoring, url: `http://127.0.0.1:${admin}` });
    here.environment = {
      ...process.env,
      DATABASE_URL: databaseUrl(database),
      GITLAB_SHELL__SECRET_FILE: join(folder, 'shell_secret'),
      WORKHORSE__SECRET_FILE: join(folder, 'workhorse_secret'),
      GITLAB_KAS__SECRET_FILE: join(folder, 'kas_secret'),
      GATEHOUSE__DB_KEY_BASE_FILE: join(folder, 'db_key_base'),
      GATEHOUSE__LISTEN: `127.0.0.1:${listen}`,
      GATEHOUSE__METRICS_LISTEN: `127.0.0.1:${monitoring}`,
      GATEHOUSE__ADMIN__LISTEN: `127.0.0.1:${admin}`,
      // Counted by the document alone, and not by a job that runs sooner or later.
      GATEHOUSE__SEAT_REFRESH_INTERVAL: '0',
      REPOSITORIES__STORAGES__DEFAULT__GITALY_ADDRESS: gitaly,
    };
    if (!from) {
      here.run('migrate');
      here.run('apply', '-f', 'config/demo.yml');
      here.apply(more);
      here.sql(rest);
    }
    return here;
  }

  /** Runs a command of the binary, and answers what it prints. */
  run(...words) {
    const options = { env: this.environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
    return execFileSync(GATEHOUSE, words, options);
  }

  /** `gatehouse apply` of a document. */
  apply(document) {
    const options = { env: this.environment, input: JSON.stringify(document), stdio: ['pipe', 'pipe', 'pipe'] };
    execFileSync(GATEHOUSE, ['apply', '-f', '-'], options);
  }

  sql(text) {
    return psql(this.database, text);
  }

  /** Serves, until `stop`. */
  async serve() {
    const log = openSync(join(this.folder, 'server.log'), 'a');
    this.server = spawn(GATEHOUSE, ['serve'], { env: this.environment, stdio: ['ignore', log, log] });
    running.add(this.server);
    const readiness = `http://127.0.0.1:${this.monitoring}/-/readiness`;
    for (let tries = 0; tries < 150; tries += 1) {
      if (this.server.exitCode !== null) break;
      if (await fetch(readiness).then((answer) => answer.ok, () => false)) return this;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the server did not become ready:\n${readFileSync(join(this.folder, 'server.log'), 'utf8')}`);
  }

  async stop() {
    const ended = new Promise((resolve) => this.server.once('exit', resolve));
    this.server.kill('SIGTERM');
    await ended;
    running.delete(this.server);
  }

  /** What gitlab-shell asks before git begins, signed as it signs. */
  async allowed(question) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const said = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'gitlab-shell', iat: now, exp: now + 60 })}`;
    const secret = readFileSync(this.environment.GITLAB_SHELL__SECRET_FILE, 'utf8').trim();
    const signed = `${said}.${createHmac('sha256', secret).update(said).digest('base64url')}`;
    const answer = await fetch(`${this.api}/api/v4/internal/allowed`, {
      method: 'POST',
      headers: { 'gitlab-shell-api-request': signed, 'content-type': 'application/json' },
      body: JSON.stringify({ protocol: 'ssh', changes: '_any', check_ip: '192.0.2.7', ...question }),
    });
    return answer.json();
  }

  /** What the customers portal asks about a namespace, with this token: the status of the answer. */
  async subscription(credential, namespace = 'acme') {
    const path = `/api/v4/namespaces/${namespace}/gitlab_subscription`;
    return (await fetch(this.api + path, { headers: { 'private-token': credential } })).status;
  }
}

/** Ends what was started, and drops what was made. */
export function clean() {
  for (const server of running) server.kill('SIGKILL');
  for (const name of made) psql('postgres', `drop database if exists ${name} with (force)`);
}
