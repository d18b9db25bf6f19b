//! What a write takes is answered as it was sent, wherever it is asked for; or the write says why not.

use gatehouse::domain::scim::username;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use super::{Scim, detail};

const USERS: u32 = 60;
const CHANGES: u32 = 3;

#[sqlx::test]
async fn every_attribute_of_a_groups_user_is_answered_as_it_was_sent(pool: PgPool) {
    play(&Scim::of_group(pool).await, 22).await;
}

#[sqlx::test]
async fn every_attribute_of_the_installations_user_is_answered_as_it_was_sent(pool: PgPool) {
    play(&Scim::of_instance(pool).await, 23).await;
}

async fn play(scim: &Scim, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut made, mut refused) = (0, 0);
    for number in 0..USERS {
        let (body, mut sent) = somebody(&mut random, number);
        let before = scim.counts().await;
        let reply = scim.post(&body).await;
        if reply.status != 201 {
            refused += 1;
            assert_eq!((reply.status.as_u16(), scim.counts().await), (412, before), "{body}: {}", reply.text);
            let detail = detail(&reply);
            let reason = detail.rsplit("}: ").next().unwrap();
            assert!(sent.refusals().contains(&reason), "{body} is refused for {reason}");
            continue;
        }
        made += 1;
        assert_eq!(sent.refusals(), Vec::<&str>::new(), "{body} should be refused");
        sent.check(&reply.json());
        look(scim, &sent).await;
        for change in 0..CHANGES {
            alter(scim, &mut random, &mut sent, number, change).await;
            look(scim, &sent).await;
        }
    }
    assert!(made > 20 && refused > 5, "{made} made and {refused} refused: too little happened");
}

/// What a client sent last of a user.
#[derive(Debug, Clone, Default)]
struct Sent {
    extern_uid: String,
    user_name: String,
    email: String,
    active: bool,
    formatted: Option<String>,
    flat: Option<String>,
    display: Option<String>,
    given: Option<String>,
    family: Option<String>,
}

impl Sent {
    /// Ruling 22, written down once more.
    fn whole_name(&self) -> Option<String> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let parts: Vec<String> = [&self.given, &self.family].into_iter().filter_map(filled).collect();
        let joined = parts.iter().map(|part| part.trim()).collect::<Vec<_>>().join(" ");
        let said = filled(&self.formatted).or(filled(&self.flat)).or(filled(&self.display));
        said.or(Some(joined).filter(|joined| !joined.is_empty()))
    }

    /// The reasons for which it can be refused.
    fn refusals(&self) -> Vec<&'static str> {
        let longer = |text: Option<&str>, most: usize| text.is_some_and(|text| text.chars().count() > most);
        let mut refusals = Vec::new();
        let mut note = |refused: bool, reason: &'static str| {
            if refused {
                refusals.push(reason);
            }
        };
        let name = self.whole_name();
        note(self.extern_uid.trim().is_empty(), "Extern uid can't be blank");
        note(longer(Some(&self.extern_uid), 255), "Extern uid is too long (maximum is 255 characters)");
        note(self.email.trim() != self.email, "Email is invalid");
        note(name.is_none(), "Name can't be blank");
        note(longer(name.as_deref(), 255), "Name is too long (maximum is 255 characters)");
        note(longer(self.given.as_deref(), 127), "First name is too long (maximum is 127 characters)");
        note(longer(self.family.as_deref(), 127), "Last name is too long (maximum is 127 characters)");
        refusals
    }

    /// The parts of the name: as they were sent, and split where none was. What is empty is absent.
    fn name(&self) -> Value {
        let whole = self.whole_name().unwrap();
        let (given, family) = match (&self.given, &self.family) {
            (None, None) => {
                let (given, family) = whole.trim().split_once(' ').unwrap_or((whole.trim(), ""));
                (given.to_owned(), family.trim_start().to_owned())
            }
            (given, family) => (given.clone().unwrap_or_default(), family.clone().unwrap_or_default()),
        };
        let mut name = Map::from_iter([("formatted".to_owned(), whole.into())]);
        for (key, text) in [("givenName", given), ("familyName", family)] {
            if !text.is_empty() {
                name.insert(key.to_owned(), text.into());
            }
        }
        name.into()
    }

    /// Whether a resource says all of it.
    fn check(&self, resource: &Value) {
        let whole = self.whole_name().unwrap();
        let mut said = resource.clone();
        for name in ["meta", "schemas"] {
            said.as_object_mut().unwrap().remove(name);
        }
        let expected = json!({
            "id": self.extern_uid, "externalId": self.extern_uid, "userName": self.user_name, "active": self.active,
            "name.formatted": whole, "displayName": whole, "name": self.name(),
            "emails": [{"type": "work", "value": self.email, "primary": true}],
        });
        assert_eq!(said, expected, "{self:?}");
    }
}

/// Asks for the user in each of the ways that there are.
async fn look(scim: &Scim, sent: &Sent) {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let path = format!("/Users/{}", encode(&sent.extern_uid).replace('+', "%20"));
    sent.check(&scim.get(&path).await.json());
    let filter = format!("externalId eq {}", Value::from(sent.extern_uid.as_str()));
    let alone = |reply: Value| {
        assert_eq!(reply["totalResults"], 1, "{reply}");
        reply["Resources"][0].clone()
    };
    sent.check(&alone(scim.get(&format!("/Users?filter={}", encode(&filter))).await.json()));
    let mut names = vec![format!("userName eq {}", Value::from(sent.user_name.as_str()))];
    names.extend(
        ["givenName", "familyName"].into_iter().filter_map(|part| {
            Some(format!("name.{part} eq {} and {filter}", Value::from(sent.name()[part].as_str()?)))
        }),
    );
    for filter in names {
        for path in ["/.search", "/Users/.search"] {
            let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
            let reply = scim.send("POST", path, body.to_string()).await;
            assert_eq!(reply.status, 200, "{filter}: {}", reply.text);
            sent.check(&alone(reply.json()));
        }
    }
    for part in ["formatted", "givenName", "familyName"] {
        let reply = scim.get(&format!("{path}?attributes=name.{part}")).await.json();
        assert_eq!(reply["name"][part], sent.name()[part], "{part}: {reply}");
    }
    let reply = scim.get(&format!("{path}?attributes=emails,userName,active,externalId,displayName")).await.json();
    let all = scim.get(&path).await.json();
    for name in ["emails", "userName", "active", "externalId", "displayName"] {
        assert_eq!(reply[name], all[name], "{name}");
    }
}

/// Changes what a PATCH or a PUT can change, and now and then what they pass over.
async fn alter(scim: &Scim, random: &mut StdRng, sent: &mut Sent, number: u32, change: u32) {
    let path = format!("/Users/{}", percent(&sent.extern_uid));
    let mut wanted = sent.clone();
    let uid = [format!("uid {number}.{change}"), " ".to_owned(), "x".repeat(256), sent.extern_uid.to_uppercase()];
    let (mut fields, put) = (Map::new(), random.random_bool(0.5));
    if random.random_bool(0.7) {
        wanted.extern_uid.clone_from(&uid[random.random_range(0..uid.len())]);
        fields.insert("externalId".to_owned(), wanted.extern_uid.clone().into());
        if put && wanted.extern_uid.trim().is_empty() {
            wanted.extern_uid.clone_from(&sent.extern_uid);
        }
    }
    if random.random_bool(0.7) {
        wanted.active = random.random_bool(0.5);
        let spelt = [json!(wanted.active), json!(if wanted.active { "True" } else { "False" })];
        fields.insert("active".to_owned(), spelt[random.random_range(0..2)].clone());
    }
    fields.insert("displayName".to_owned(), "Passed Over".into());
    let reply = if put {
        scim.send("PUT", &path, Value::Object(fields.clone()).to_string()).await
    } else {
        let body = json!({"Operations": [{"op": "replace", "value": fields}]});
        scim.send("PATCH", &path, body.to_string()).await
    };
    let refusals = wanted.refusals();
    if refusals.is_empty() {
        assert_eq!(reply.status.as_u16(), if put { 200 } else { 204 }, "{fields:?}: {}", reply.text);
        *sent = wanted;
    } else {
        assert_eq!(reply.status, 412, "{fields:?}: {}", reply.text);
        assert!(refusals.iter().any(|reason| detail(&reply).ends_with(reason)), "{}", reply.text);
    }
}

fn percent(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Somebody new, as a body and as what it says.
fn somebody(random: &mut StdRng, number: u32) -> (Value, Sent) {
    let mut text = |absent: f64| {
        let long = [127, 128, 255, 256].map(|length| "x".repeat(length));
        let mut texts = vec![
            "Mary Jane",
            "van der Berg",
            "",
            " ",
            " x ",
            "Solo",
            "日本 太郎",
            "a\u{3000}b",
            "O'Neil \"X\"",
            "%_\\",
        ];
        if random.random_bool(0.6) {
            texts.extend(long.iter().map(String::as_str));
        }
        (!random.random_bool(absent)).then(|| texts[random.random_range(0..texts.len())].to_owned())
    };
    let mut sent = Sent {
        formatted: text(0.6),
        flat: text(0.8),
        display: text(0.6),
        given: text(0.4),
        family: text(0.4),
        ..Sent::default()
    };
    let uids =
        [format!("uid-{number}"), format!("Ü {number}/a%2Fb"), format!("CN=x{number},O=\"y\""), number.to_string()];
    sent.extern_uid.clone_from(&uids[random.random_range(0..uids.len())]);
    sent.email = format!("{}user{number}@corp.example", if random.random_bool(0.05) { " " } else { "" });
    let names = [format!("user{number}"), format!("u.{number}@corp.example"), format!("User-{number}")];
    let user_name = &names[random.random_range(0..names.len())];
    sent.user_name = username::candidates(user_name, 0).next().unwrap();
    sent.active = random.random_bool(0.7);
    let mut name = Map::new();
    for (key, text) in [("formatted", &sent.formatted), ("givenName", &sent.given), ("familyName", &sent.family)] {
        if let Some(text) = text {
            name.insert(key.to_owned(), text.as_str().into());
        }
    }
    let mut body = json!({
        "externalId": sent.extern_uid, "userName": user_name, "active": sent.active,
        "emails": [{"type": "work", "value": sent.email}],
    });
    for (key, text) in [("name.formatted", &sent.flat), ("displayName", &sent.display)] {
        if let Some(text) = text {
            body[key] = text.as_str().into();
        }
    }
    if !name.is_empty() {
        body["name"] = name.into();
    }
    (body, sent)
}

/// The cases of the report, by hand.
#[sqlx::test]
async fn parts_of_a_name_are_not_split_anew(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    for (number, (sent, kept)) in [
        (
            json!({"givenName": "Mary Jane", "familyName": "van der Berg"}),
            json!({"formatted": "Mary Jane van der Berg", "givenName": "Mary Jane", "familyName": "van der Berg"}),
        ),
        (json!({"givenName": "", "familyName": "Solo"}), json!({"formatted": "Solo", "familyName": "Solo"})),
        (json!({"givenName": "Solo"}), json!({"formatted": "Solo", "givenName": "Solo"})),
        (json!({"formatted": "A B C"}), json!({"formatted": "A B C", "givenName": "A", "familyName": "B C"})),
        (
            json!({"formatted": "Dr. M. J. van der Berg", "givenName": "Mary Jane", "familyName": "van der Berg"}),
            json!({"formatted": "Dr. M. J. van der Berg", "givenName": "Mary Jane", "familyName": "van der Berg"}),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({
            "externalId": number.to_string(), "userName": format!("u{number}"), "name": sent,
            "emails": [{"type": "work", "value": format!("{number}@x.example")}],
        });
        let reply = scim.post(&body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["name"]), (201, &kept), "{}", reply.text);
        assert_eq!(scim.get(&format!("/Users/{number}")).await.json()["name"], kept);
    }
    let stored: String = scim
        .given
        .value("select string_agg(concat_ws('|', first_name, coalesce(last_name, '-')), ', ' order by id) from users")
        .await;
    assert_eq!(stored, "Mary Jane|van der Berg, |Solo, Solo|-, -, Mary Jane|van der Berg");
}
