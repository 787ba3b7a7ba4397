//! The probe: a Lambda function that does what the client tells it, step by step.
//!
//! Where the steps are found:
//!
//! | event | place |
//! | --- | --- |
//! | a message | `do` of the message, which is a JSON object |
//! | `$connect` | `do` of the query, else as for `$disconnect` |
//! | an authorizer's | `authorize` of the query, else as for `$disconnect` |
//! | `$disconnect` | what comes after `do=` in the client's `User-Agent`, or in the reason of its close |
//!
//! Without any, a message is answered with a report, a connection is accepted, and an authorizer allows it.

use std::process;
use std::time::Duration;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::{Response, connection_url, send};
use crate::sigv4::Signer;

/// The interval between two polls of a connection.
const POLL: Duration = Duration::from_millis(20);

/// One step. A step that replies, throws or exits is the last.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Replies with exactly this JSON.
    Reply(Value),
    /// Replies with invalid JSON.
    Garbage,
    /// Replies with status 200, and the report of this invocation as the body.
    Report,
    /// Fails with this message.
    Throw(String),
    /// Ends the process.
    Exit,
    /// Sleeps for this many milliseconds.
    Sleep(u64),
    /// Waits until this connection is closed.
    Await(String),
    /// Posts a text to a connection.
    Post {
        /// The connection; defaults to the event's own.
        to: Option<String>,
        /// The text.
        text: String,
    },
    /// Posts the report of this invocation to another connection, which so learns of events that no message answers.
    Tell(String),
    /// Allows as an authorizer, with a context of one value of so many bytes.
    AllowWith(usize),
}

/// The report of an invocation.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// The event, unchanged.
    event: &'a RawValue,
    /// The responses to the posts so far.
    posts: &'a [Posted],
}

/// The response to a post.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Posted {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// `x-amzn-ErrorType`
    pub error_type: Option<String>,
}

impl From<Response> for Posted {
    fn from(response: Response) -> Self {
        Self {
            status: response.status,
            error_type: response.header("x-amzn-errortype").map(str::to_owned),
            body: response.body,
        }
    }
}

/// Serves invocations until Lambda ends the process.
///
/// # Errors
/// The Runtime API cannot be reached.
pub async fn serve() -> Result<(), Error> {
    let signer = &Signer::from_env();
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        Invocation::new(&event.payload, signer)?.run().await
    }))
    .await
}

struct Invocation<'a> {
    raw: &'a RawValue,
    event: Value,
    signer: &'a Signer,
    posts: Vec<Posted>,
}

impl<'a> Invocation<'a> {
    fn new(raw: &'a RawValue, signer: &'a Signer) -> Result<Self, Diagnostic> {
        Ok(Self {
            raw,
            event: serde_json::from_str(raw.get()).map_err(|error| failure(&error.to_string()))?,
            signer,
            posts: Vec::new(),
        })
    }

    async fn run(mut self) -> Result<Answer, Diagnostic> {
        for step in self.steps()? {
            match step {
                Step::Reply(reply) => return Ok(Answer::Json(reply)),
                Step::Garbage => return Ok(Answer::Garbage),
                Step::Report => return Ok(Answer::Json(self.report_reply())),
                Step::Throw(message) => return Err(failure(&message)),
                Step::Exit => process::exit(1),
                Step::Sleep(millis) => sleep(Duration::from_millis(millis)).await,
                Step::Await(id) => {
                    while self.manage("GET", &id, "").await.status != GONE {
                        sleep(POLL).await;
                    }
                }
                Step::Post { to, text } => {
                    let to = to.unwrap_or_else(|| self.context("connectionId"));
                    let answer = self.manage("POST", &to, &text).await;
                    self.posts.push(answer.into());
                }
                Step::Tell(id) => {
                    self.manage("POST", &id, &self.report()).await;
                }
                Step::AllowWith(bytes) => {
                    return Ok(Answer::Json(self.allow(&"x".repeat(bytes))));
                }
            }
        }
        Ok(Answer::Json(self.default_reply()))
    }

    /// The steps that the client asked for.
    fn steps(&self) -> Result<Vec<Step>, Diagnostic> {
        let query = |name: &str| {
            let value = self.event["queryStringParameters"][name].as_str();
            value.map(str::to_owned)
        };
        let found = match self.kind() {
            Kind::Authorizer => query("authorize").or_else(|| self.told()),
            Kind::Connect => query("do").or_else(|| self.told()),
            Kind::Disconnect => self.told(),
            Kind::Message => self.message().get("do").map(Value::to_string),
        };
        match found {
            None => Ok(Vec::new()),
            Some(steps) => serde_json::from_str(&steps)
                .map_err(|error| failure(&format!("these are no steps: {steps}: {error}"))),
        }
    }

    /// What the client said when it came, or when it left.
    fn told(&self) -> Option<String> {
        let context = &self.event["requestContext"];
        [
            &context["identity"]["userAgent"],
            &context["disconnectReason"],
        ]
        .iter()
        .find_map(|place| place.as_str()?.strip_prefix("do=").map(str::to_owned))
    }

    fn message(&self) -> Value {
        let text = self.event["body"].as_str().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_default()
    }

    fn kind(&self) -> Kind {
        if self.event["type"] == "REQUEST" {
            return Kind::Authorizer;
        }
        match self.event["requestContext"]["eventType"].as_str() {
            Some("CONNECT") => Kind::Connect,
            Some("DISCONNECT") => Kind::Disconnect,
            _ => Kind::Message,
        }
    }

    fn default_reply(&self) -> Value {
        match self.kind() {
            Kind::Authorizer => self.allow("probe"),
            Kind::Connect | Kind::Disconnect => json!({"statusCode": 200}),
            Kind::Message => self.report_reply(),
        }
    }

    fn report_reply(&self) -> Value {
        json!({"statusCode": 200, "body": self.report()})
    }

    fn report(&self) -> String {
        let report = Report {
            event: self.raw,
            posts: &self.posts,
        };
        serde_json::to_string(&report).unwrap()
    }

    fn allow(&self, value: &str) -> Value {
        json!({
            "principalId": "probe",
            "policyDocument": policy("Allow", &self.event["methodArn"]),
            "context": {"value": value},
        })
    }

    /// Calls `@connections` of the stage that the event came from.
    async fn manage(&self, method: &str, id: &str, body: &str) -> Response {
        let (domain, stage) = (self.context("domainName"), self.context("stage"));
        // API Gateway's own names have no port, and are reached by TLS alone.
        let scheme = if domain.contains(':') {
            "http"
        } else {
            "https"
        };
        let url = connection_url(&format!("{scheme}://{domain}/{stage}/@connections"), id);
        let headers = self.signer.headers(method, &url, body.as_bytes());
        send(method, &url, &headers, body.as_bytes()).await
    }

    fn context(&self, name: &str) -> String {
        let value = &self.event["requestContext"][name];
        value.as_str().unwrap_or_default().to_owned()
    }
}

/// The function's reply.
enum Answer {
    Json(Value),
    Garbage,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(value) => value.serialize(serializer),
            Self::Garbage => {
                // What `serde_json` finds in such a struct, as its own `RawValue` is one, it writes as it is.
                let mut raw = serializer.serialize_struct(RAW, 1)?;
                raw.serialize_field(RAW, "Garbage {")?;
                raw.end()
            }
        }
    }
}

const RAW: &str = "$serde_json::private::RawValue";

enum Kind {
    Authorizer,
    Connect,
    Disconnect,
    Message,
}

/// An IAM policy with one statement.
pub fn policy(effect: &str, resource: &Value) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
    })
}

fn failure(message: &str) -> Diagnostic {
    Diagnostic {
        error_type: "Told".to_owned(),
        error_message: message.to_owned(),
    }
}

/// The status of a post to a connection that has closed.
const GONE: u16 = 410;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_no_json() {
        let bytes = serde_json::to_vec(&Answer::Garbage).unwrap();
        assert_eq!(bytes, b"Garbage {");
        assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    }
}
