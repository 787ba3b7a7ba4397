//! Lines for people.
//!
//! ```text
//! 14:02:07.402 in    R1kmxc2VN chat         message 8.7 ms cold chat.messages-2@0 ack
//! ```

use std::{fmt, io::Write as _, time::Duration};

use chrono::Utc;
use clap::builder::styling::Style as Ansi;
use local_sim_broker::Place;
use local_sim_gateway::{Event, Kind};
use local_sim_lambda::Origin;

use super::{
    answer::Answer,
    notice::Notice,
    style::{BAD, DIM, GOOD, REMARKABLE, Style},
    summary::Summary,
};

pub(super) fn event(
    out: &mut Vec<u8>,
    style: Style,
    event: &Event<'_>,
    answer: &Answer<'_>,
    record: Option<&Place>,
) {
    let direction = match event.kind {
        Kind::Post(_) => "out",
        Kind::Connect | Kind::Disconnect { .. } | Kind::Message { .. } => "in",
    };
    begin(out, style, PLAIN, direction);
    let route = event.route_key.unwrap_or("-");
    let route = if let Kind::Post(bytes) = event.kind {
        format!("{bytes} bytes")
    } else {
        format!("{:<12}", Printable(route))
    };
    put(
        out,
        format_args!("{} {route}", connection(Some(event.connection_id))),
    );
    if let Some(invocation) = event.invocation {
        let duration = Millis(invocation.duration);
        put(out, format_args!(" {} {duration}", invocation.function));
        if invocation.is_cold {
            out.push(b' ');
            style.paint(out, REMARKABLE, "cold");
        }
    }
    if let Some(Place {
        topic,
        partition,
        offset,
    }) = record
    {
        put(out, format_args!(" {topic}-{partition}@{offset}"));
    }
    answered(out, style, answer);
    out.push(b'\n');
}

fn answered(out: &mut Vec<u8>, style: Style, answer: &Answer<'_>) {
    let (colour, text) = match answer {
        Answer::None => return,
        Answer::Ack => (GOOD, "ack".to_owned()),
        Answer::Code(code) => (BAD, Printable(code).to_string()),
        Answer::Error(error) => (BAD, (*error).to_owned()),
        Answer::Status(200) => (GOOD, "101".to_owned()),
        Answer::Status(status) => (BAD, status.to_string()),
        Answer::Close(code, reason) => (DIM, format!("{code} {}", Printable(reason))),
    };
    out.push(b' ');
    style.paint(out, colour, text.trim_end());
}

/// A line that a function printed.
pub(super) fn printed(out: &mut Vec<u8>, style: Style, origin: &Origin<'_>, line: &str) {
    begin(out, style, PLAIN, "log");
    let Origin {
        function,
        environment,
        ..
    } = origin;
    put(out, format_args!("{function}-{environment} {line}\n"));
}

/// A warning, or a notice.
pub(super) fn notice(out: &mut Vec<u8>, style: Style, notice: &Notice) {
    let colour = if notice.is_info() { DIM } else { REMARKABLE };
    begin(out, style, colour, notice.level());
    put(
        out,
        format_args!(
            "{} {}",
            connection(notice.connection.as_deref()),
            notice.message
        ),
    );
    for (name, value) in &notice.fields {
        put(out, format_args!(" {name}={value}"));
    }
    if let Some(request) = &notice.request {
        put(out, format_args!(" request={request}"));
    }
    out.push(b'\n');
}

pub(super) fn summary(out: &mut Vec<u8>, summary: &Summary) {
    let Summary {
        messages,
        acknowledged,
        refused,
        cold_starts,
        ..
    } = summary;
    put(
        out,
        format_args!("{messages} messages: {acknowledged} acknowledged"),
    );
    for (why, count) in refused {
        put(out, format_args!(", {count} {}", Printable(why)));
    }
    put(out, format_args!("; {cold_starts} cold starts"));
    if let Some([median, late]) = summary.latencies() {
        put(
            out,
            format_args!("; p50 {}, p99 {}", Millis(median), Millis(late)),
        );
    }
    out.push(b'\n');
}

/// The time, and what kind of line this is.
fn begin(out: &mut Vec<u8>, style: Style, colour: Ansi, kind: &str) {
    style.paint(out, DIM, Utc::now().format("%H:%M:%S%.3f"));
    out.push(b' ');
    style.paint(out, colour, format_args!("{kind:<KIND_WIDTH$}"));
    out.push(b' ');
}

/// As much of a connection id as tells it from others: the rest is the same for all of a simulator.
fn connection(id: Option<&str>) -> impl fmt::Display {
    let id = id.unwrap_or("-");
    let short: String = id.chars().take(CONNECTION_CHARS).collect();
    format!("{short:<CONNECTION_CHARS$}")
}

fn put(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = out.write_fmt(text);
}

/// A text of a client, which must not control the terminal.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().any(char::is_control) {
            return f.pad(&self.0.escape_debug().to_string());
        }
        f.pad(self.0)
    }
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

const CONNECTION_CHARS: usize = 9;
const KIND_WIDTH: usize = 5;
const PLAIN: Ansi = Ansi::new();

#[cfg(test)]
mod tests;
