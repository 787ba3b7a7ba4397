//! One JSON object a line, for programs.

use chrono::{SecondsFormat, Utc};
use local_sim_broker::Place;
use local_sim_gateway::{Event, Kind};
use local_sim_lambda::Origin;
use serde_json::{Map, Value, json};

use super::{answer::Answer, notice::Notice, summary::Summary};

pub(super) fn event(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    answer: &Answer<'_>,
    record: Option<&Place>,
) {
    let mut line = Line::new(match event.kind {
        Kind::Connect => "connect",
        Kind::Message { .. } => "message",
        Kind::Post(_) => "post",
        Kind::Disconnect { .. } => "disconnect",
    });
    line.put("connectionId", Some(event.connection_id));
    line.put("routeKey", event.route_key);
    match event.kind {
        Kind::Message { message_id, .. } => line.put("messageId", message_id),
        Kind::Post(bytes) => line.put("bytes", Some(bytes)),
        Kind::Connect | Kind::Disconnect { .. } => {}
    }
    if let Some(invocation) = event.invocation {
        line.put("function", Some(invocation.function.as_str()));
        line.put("requestId", invocation.request_id.map(|it| it.to_string()));
        line.put("durationMillis", Some(millis(invocation.duration)));
        line.put("cold", Some(invocation.is_cold));
    }
    line.put("record", record.map(place));
    match answer {
        Answer::None => {}
        Answer::Ack => line.put("answer", Some("ack")),
        Answer::Code(code) => line.put("answer", Some(&**code)),
        Answer::Error(error) => line.put("error", Some(*error)),
        Answer::Status(status) => {
            line.put("status", Some(*status));
            line.put("error", event.error);
        }
        Answer::Close(code, reason) => {
            line.put("code", Some(*code));
            line.put("reason", Some(*reason));
        }
    }
    line.write(out);
}

pub(super) fn printed(out: &mut Vec<u8>, origin: &Origin<'_>, text: &str) {
    let mut line = Line::new("log");
    line.put("function", Some(origin.function));
    line.put("environment", Some(origin.environment));
    line.put("requestId", origin.request_id.map(|it| it.to_string()));
    line.put("line", Some(text));
    line.write(out);
}

pub(super) fn notice(out: &mut Vec<u8>, notice: &Notice) {
    let mut line = Line::new(notice.level());
    line.put("message", Some(notice.message.as_str()));
    line.put("connectionId", notice.connection.as_deref());
    line.put("requestId", notice.request.as_deref());
    for (name, value) in &notice.fields {
        line.put(name, Some(value.as_str()));
    }
    line.write(out);
}

pub(super) fn summary(out: &mut Vec<u8>, summary: &Summary) {
    let mut line = Line::new("summary");
    line.put("messages", Some(summary.messages));
    line.put("acknowledged", Some(summary.acknowledged));
    line.put("refused", Some(json!(summary.refused)));
    line.put("coldStarts", Some(summary.cold_starts));
    if let Some([median, late]) = summary.latencies() {
        line.put("p50Millis", Some(millis(median)));
        line.put("p99Millis", Some(millis(late)));
    }
    line.write(out);
}

fn place(place: &Place) -> Value {
    json!({ "topic": &*place.topic, "partition": place.partition, "offset": place.offset })
}

fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

struct Line(Map<String, Value>);

impl Line {
    fn new(kind: &str) -> Self {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut line = Self(Map::new());
        line.put("time", Some(time));
        line.put("type", Some(kind));
        line
    }

    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        // Writing a map of texts and numbers to a vector does not fail.
        let _ = serde_json::to_writer(&mut *out, &self.0);
        out.push(b'\n');
    }
}
