//! Requests and answers, as plain values. What the server makes up (ids, tokens, seeds) has a name in angle brackets, such
//! as `<id:7>`, in both; what it is becomes known from the first answer that shows it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

/// A request, but for who sends it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Method and path.
    pub(super) route: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Body,
    pub(super) device: Option<String>,
}

/// What a request brings.
#[derive(Debug, Clone)]
pub(super) enum Body {
    None,
    /// An object.
    Json(Value),
    /// An object of texts, as the part `data` of a form.
    Form(Value),
    /// One object a line.
    Lines(Vec<Value>),
    /// Something that is none of these.
    Wrong,
}

impl Asked {
    pub(super) fn to(route: &str) -> Self {
        Self { route: route.to_owned(), query: Vec::new(), body: Body::None, device: None }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    pub(super) fn form(self, fields: Value) -> Self {
        Self { body: Body::Form(fields), ..self }
    }

    /// The parameter of that name, if it is filled.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The field of the body of that name; `null` where it is missing.
    pub(super) fn field(&self, name: &str) -> &Value {
        match &self.body {
            Body::Json(body) | Body::Form(body) => &body[name],
            Body::None | Body::Lines(_) | Body::Wrong => &Value::Null,
        }
    }

    /// The text of that field of the body; empty where it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_default()
    }

    /// The reply; a report that has to wait for the store on a busy machine is asked for again.
    pub(super) async fn send(&self, app: &TestApp, bearer: Option<&str>, known: &Known) -> Reply {
        for _ in 0..200 {
            let reply = self.send_once(app, bearer, known).await;
            if reply.status != 503 || !self.route.starts_with("GET /telemetry") {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{self:?} is answered 503 for long");
    }

    async fn send_once(&self, app: &TestApp, bearer: Option<&str>, known: &Known) -> Reply {
        let (method, path) = self.route.split_once(' ').unwrap();
        let mut query = form_urlencoded(self.query.iter().map(|(name, value)| (*name, known.fill(value))));
        if !query.is_empty() {
            query.insert(0, '?');
        }
        let mut request = app.request(method, &format!("{path}{query}"));
        if let Some(bearer) = bearer {
            request = request.bearer(&known.fill(bearer));
        }
        if let Some(device) = &self.device {
            request = request.header("X-Device-ID", device);
        }
        let text = |body: &Value| known.fill(&body.to_string());
        match &self.body {
            Body::None => request,
            Body::Json(body) => request.header("Content-Type", "application/json").body(text(body)),
            Body::Form(fields) => request.multipart(reqwest::multipart::Form::new().text("data", text(fields))),
            Body::Lines(lines) => request.body(lines.iter().map(|line| text(line) + "\n").collect::<String>()),
            Body::Wrong => request.body("[]"),
        }
        .send()
        .await
    }
}

fn form_urlencoded(pairs: impl Iterator<Item = (&'static str, String)>) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    pairs.map(|(name, value)| format!("{name}={}", encode(&value))).collect::<Vec<_>>().join("&")
}

/// What is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `null`: an empty body.
    pub(super) body: Value,
    /// The header `Headcount`.
    pub(super) outcome: Option<String>,
    /// The header `Location`.
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body, outcome: None, location: None }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// The same that the owner would be answered.
    pub(super) fn as_the_owner() -> Self {
        Self::new(0, Value::Null)
    }

    pub(super) fn is_as_the_owner(&self) -> bool {
        self.status == 0
    }

    /// One that is not foreseen, but for that it tells nothing of other administrators.
    pub(super) fn of_nobody_else() -> Self {
        Self::new(1, Value::Null)
    }

    pub(super) fn is_of_nobody_else(&self) -> bool {
        self.status == 1
    }

    /// An error of that status, which has a code of its own.
    pub(super) fn refused(status: u16, error: impl Into<String>) -> Self {
        let code = match status {
            400 => "invalid",
            401 => "unauthenticated",
            403 => "forbidden",
            404 => "not_found",
            409 => "conflict",
            _ => panic!("no code for {status}"),
        };
        Self::new(status, json!({"error": error.into(), "code": code}))
    }

    /// 400 with a field.
    pub(super) fn invalid(field: impl Into<String>, error: impl Into<String>) -> Self {
        Self::refused(400, error).field(field)
    }

    fn more(mut self, name: &str, text: impl Into<String>) -> Self {
        self.body[name] = text.into().into();
        self
    }

    pub(super) fn field(self, text: impl Into<String>) -> Self {
        self.more("field", text)
    }

    pub(super) fn accepted(self, text: impl Into<String>) -> Self {
        self.more("accepted", text)
    }

    pub(super) fn details(self, text: impl Into<String>) -> Self {
        self.more("details", text)
    }

    /// The same, with names filled in.
    pub(super) fn filled(&self, known: &Known) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(|text| known.fill(text));
        Self {
            status: self.status,
            body: known.fill_value(&self.body),
            outcome: self.outcome.clone(),
            location: text(&self.location),
        }
    }
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        let header = |name| reply.header(name).map(str::to_owned);
        let body = if reply.text.is_empty() { Value::Null } else { reply.json() };
        Self { status: reply.status, body, outcome: header("headcount"), location: header("location") }
    }
}

/// What names stand for.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_name: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Known {
    pub(super) fn learn(&mut self, name: &str, stands_for: &str) {
        assert!(self.taken.insert(stands_for.to_owned()), "{name}: {stands_for} was given before");
        self.by_name.insert(name.to_owned(), stands_for.to_owned());
        if let Some(number) = name.strip_prefix("<token:") {
            self.by_name.insert(format!("<prefix:{number}"), stands_for[..12].to_owned());
        }
    }

    /// Learns the names of an answer from what the server says in their place.
    pub(super) fn learn_from(&mut self, expected: &Value, said: &Value) {
        match (expected, said) {
            (Value::Object(expected), Value::Object(said)) => {
                for (name, value) in expected {
                    if let Some(said) = said.get(name) {
                        self.learn_from(value, said);
                    }
                }
            }
            (Value::Array(expected), Value::Array(said)) => {
                expected.iter().zip(said).for_each(|(expected, said)| self.learn_from(expected, said));
            }
            (Value::String(name), Value::String(said))
                if is_name(name) && !self.by_name.contains_key(name) && has_form(name, said) =>
            {
                self.learn(name, said);
            }
            _ => {}
        }
    }

    /// The text with what its names stand for.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, name)) = rest.split_once('<') {
            let Some((name, after)) = name.split_once('>') else { break };
            filled.push_str(before);
            let name = format!("<{name}>");
            filled.push_str(self.by_name.get(&name).map_or(name.as_str(), String::as_str));
            rest = after;
        }
        filled + rest
    }

    fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.fill_value(value))).collect()
            }
            Value::Array(values) => values.iter().map(|value| self.fill_value(value)).collect(),
            Value::String(text) => self.fill(text).into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>')
}

/// Whether what the server made up looks as it should.
fn has_form(name: &str, said: &str) -> bool {
    if name.starts_with("<text:") {
        return !said.is_empty();
    }
    let (prefix, digits) = match name[1..].split_once(':').unwrap().0 {
        "id" => ("", 24),
        "session" => ("hcs_", 64),
        "token" => ("fns_", 64),
        "seed" => ("", 16),
        _ => return false,
    };
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    said.strip_prefix(prefix).is_some_and(|rest| rest.len() == digits && hex(rest))
}
