//! How settings are read: the file, the environment over it, and what must hold between them.

use serde_json::{Map, Value};

use super::Settings;
use crate::document::{self, Problem};

impl Settings {
    /// The settings that the file's text and the environment together make.
    ///
    /// A key is overridden by the variable that spells it in capitals with two underscores for each dot:
    /// `GITLAB_SHELL__SECRET_FILE`, `REPOSITORIES__STORAGES__DEFAULT__GITALY_ADDRESS`, `GATEHOUSE__LISTEN`.
    /// GitLab's own files keep everything below `production:`; such a file is read as it is.
    ///
    /// # Errors
    /// Every problem of both sources, sorted by key.
    pub fn load(file: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        let mut value = document::read(file).map_err(|problem| vec![problem])?;
        if let Some(production @ Value::Object(_)) = value.get_mut("production") {
            value = production.take();
        }
        if !value.is_object() {
            return Err(vec![Problem::new("", "the settings must be a mapping of sections")]);
        }
        without_empty_sections(&mut value);
        let schema = document::schema_of::<Self>();
        let mut problems = override_with(&mut value, environment, &schema);
        match document::check::<Self>(&value) {
            Ok(settings) if problems.is_empty() => settings.coherent(),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                problems.sort();
                Err(problems)
            }
        }
    }

    fn coherent(self) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        if self.gatehouse.listen.is_none() && self.gatehouse.socket.is_none() {
            problems
                .push(Problem::new("gatehouse.listen", "null, and so is gatehouse.socket: nothing would be served"));
        }
        if self.gatehouse.customers_dot.jwks_file.is_some() && self.gatehouse.customers_dot.url.is_none() {
            problems.push(Problem::new(
                "gatehouse.customers_dot.url",
                "is missing: it is the issuer of CustomersDot's tokens",
            ));
        }
        let limits = &self.gatehouse.limits;
        if limits.bodies_bytes < limits.push_body_bytes.max(limits.body_bytes) {
            let problem = "must be at least body_bytes and push_body_bytes, or no such body could be taken";
            problems.push(Problem::new("gatehouse.limits.bodies_bytes", problem));
        }
        let database = &self.gatehouse.database;
        if database.read_only && !database.replicas.is_empty() {
            let problem = "are asked beside a primary, and gatehouse.database.read_only says that there is none";
            problems.push(Problem::new("gatehouse.database.replicas", problem));
        }
        if database.stale_fetches > 0 && database.replicas.is_empty() {
            let problem = "needs gatehouse.database.replicas: they decide fetches while the primary is away";
            problems.push(Problem::new("gatehouse.database.stale_fetches", problem));
        }
        if let Some(url) = &self.gatehouse.admin.url
            && !is_origin(url)
        {
            let problem = "must be a scheme and a host, for example https://gatehouse-admin.example.com";
            problems.push(Problem::new("gatehouse.admin.url", problem));
        }
        if self.gatehouse.log.level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            problems
                .push(Problem::new("gatehouse.log.level", "must be a level or a filter, for example info,sqlx=warn"));
        }
        problems.extend(self.lfs.object_store.problems());
        for (name, storage) in &self.repositories.storages {
            if storage.gitaly_address.is_none() {
                let place = format!("repositories.storages.{name}.gitaly_address");
                problems.push(Problem::new(place, "is missing, for example tcp://127.0.0.1:8075"));
            }
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}

/// Whether the URL has a scheme of the web's, a host, and no path.
fn is_origin(url: &str) -> bool {
    let Ok(uri) = url.parse::<hyper::Uri>() else { return false };
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    web && uri.authority().is_some() && uri.path() == "/" && uri.query().is_none() && !url.ends_with('/')
}

/// In YAML a section with no keys under it is null; it means the defaults.
fn without_empty_sections(value: &mut Value) {
    if let Value::Object(sections) = value {
        sections.retain(|_, section| !section.is_null());
        for key in ["gatehouse", "lfs", "monitoring", "rack_attack", "repositories"] {
            if let Some(Value::Object(section)) = sections.get_mut(key) {
                let optional = ["listen", "socket", "metrics_listen"];
                section.retain(|name, inner| !inner.is_null() || optional.contains(&name.as_str()));
            }
        }
    }
}

fn override_with(
    value: &mut Value,
    environment: impl IntoIterator<Item = (String, String)>,
    schema: &Value,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, text) in environment {
        let path = match name.as_str() {
            "DATABASE_URL" => "gatehouse.database.url".to_owned(),
            name if name.contains("__") => name.to_lowercase().replace("__", "."),
            _ => continue,
        };
        let keys: Vec<&str> = path.split('.').collect();
        match schema_at(schema, &keys) {
            Some(leaf) => put(value, &keys, typed(&text, leaf)),
            None if keys[0] == "gatehouse" => {
                problems.push(Problem::new(name, "no such setting; see `gatehouse` in config/gitlab.yml"));
            }
            // Variables of other programs, and keys of GitLab's that mean nothing to us.
            None => {}
        }
    }
    problems
}

fn schema_at<'a>(schema: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(schema, |node, key| {
        let known = &node["properties"][key];
        let any = &node["additionalProperties"];
        [known, any].into_iter().find(|node| node.is_object())
    })
}

/// The variable's text as the type that its key has.
fn typed(text: &str, leaf: &Value) -> Value {
    let is = |name: &str| match &leaf["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    };
    if text.is_empty() && is("null") {
        return Value::Null;
    }
    let parsed = || serde_json::from_str::<Value>(text).ok();
    let taken = if is("boolean") || is("integer") || is("number") || is("array") { parsed() } else { None };
    taken.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(value: &mut Value, keys: &[&str], leaf: Value) {
    let (last, sections) = keys.split_last().expect("a split text has a part");
    let mut node = value;
    for key in sections {
        if !node[*key].is_object() {
            node[*key] = Value::Object(Map::new());
        }
        node = &mut node[*key];
    }
    node[*last] = leaf;
}
