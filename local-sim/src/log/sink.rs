//! The log of a simulator: receives events, lines and notices, and writes them in its format.

use std::{
    collections::BTreeSet,
    env,
    io::{self, IsTerminal as _},
    sync::{Arc, OnceLock},
};

use local_sim_broker::{Control, Place};
use local_sim_gateway::{Event, Kind, Observer};
use local_sim_lambda::{Lines, LogSink, Origin};
use parking_lot::Mutex;
use sluice_contract::Contract;

use super::{
    answer::Answer, format::LogFormat, json, notice::Notice, style::Style, summary::Summary, text,
};

/// The log of a simulator.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lines: Lines,
    format: LogFormat,
    /// Only warnings are logged.
    is_quiet: bool,
    style: Style,
    summary: Mutex<Summary>,
    records: OnceLock<Records>,
}

/// Where the records of events are found.
#[derive(Debug)]
struct Records {
    broker: Control,
    /// The routes whose messages become records.
    routes: BTreeSet<String>,
}

impl Log {
    /// Starts a log on standard error.
    ///
    /// # Errors
    /// The thread that writes cannot be started.
    pub fn start(format: LogFormat, is_quiet: bool) -> io::Result<Self> {
        // <https://no-color.org>
        let is_plain = env::vars_os().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
        let is_coloured = io::stderr().is_terminal() && !is_plain;
        Ok(Self(Arc::new(Inner {
            lines: Lines::start()?,
            format,
            is_quiet,
            style: Style { is_coloured },
            summary: Mutex::default(),
            records: OnceLock::new(),
        })))
    }

    /// From now on, events name the record that they led to.
    pub(crate) fn find_records(&self, contract: &Contract, broker: Control) {
        let routes = contract.routes.iter();
        let routes = routes.filter(|(_, route)| route.topic.is_some());
        let routes = routes.map(|(key, _)| key.clone()).collect();
        // A simulator has one broker.
        let _ = self.0.records.set(Records { broker, routes });
    }

    /// Logs the summary, unless the log is quiet or Lambda's.
    pub fn summarize(&self) {
        let inner = &self.0;
        if !inner.is_quiet {
            let summary = inner.summary.lock();
            match inner.format {
                LogFormat::Events => inner.lines.add(|out| text::summary(out, &summary)),
                LogFormat::Json => inner.lines.add(|out| json::summary(out, &summary)),
                LogFormat::Lambda => {}
            }
        }
    }

    /// Waits, for a moment, until everything is written.
    pub fn flush(&self) {
        self.0.lines.end();
    }

    /// Logs a notice.
    pub(super) fn notice(&self, notice: &Notice) {
        if self.0.is_quiet && notice.is_info() {
            return;
        }
        let Inner { lines, style, .. } = &*self.0;
        match self.0.format {
            LogFormat::Json => lines.add(|out| json::notice(out, notice)),
            LogFormat::Events | LogFormat::Lambda => {
                lines.add(|out| text::notice(out, *style, notice));
            }
        }
    }

    /// The record that an event led to, if it is in the embedded broker.
    fn record(&self, event: &Event<'_>) -> Option<Place> {
        let records = self.0.records.get()?;
        event.invocation.filter(|_| event.status == 200)?;
        records.routes.get(event.route_key?)?;
        let ce_id = match event.kind {
            Kind::Connect => format!("{}:connect", event.connection_id),
            Kind::Disconnect { .. } => format!("{}:disconnect", event.connection_id),
            Kind::Message { message_id, .. } => message_id?.to_owned(),
            Kind::Post(_) => return None,
        };
        records.broker.find_newest(ce_id)
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        if self.0.is_quiet || self.0.format == LogFormat::Lambda {
            return;
        }
        let answer = Answer::of(event);
        self.0.summary.lock().count(event, &answer);
        let record = match &answer {
            Answer::Code(_) | Answer::Error(_) => None,
            Answer::Ack | Answer::Close(..) | Answer::None | Answer::Status(_) => {
                self.record(event)
            }
        };
        let Inner { lines, style, .. } = &*self.0;
        lines.add(|out| {
            if self.0.format == LogFormat::Json {
                json::event(out, event, &answer, record.as_ref());
            } else {
                text::event(out, *style, event, &answer, record.as_ref());
            }
        });
    }
}

impl LogSink for Log {
    fn printed(&self, origin: &Origin<'_>, line: &str) {
        let Inner { lines, style, .. } = &*self.0;
        match self.0.format {
            _ if self.0.is_quiet => {}
            LogFormat::Events => lines.add(|out| text::printed(out, *style, origin, line)),
            LogFormat::Lambda => lines.printed(origin, line),
            LogFormat::Json => lines.add(|out| json::printed(out, origin, line)),
        }
    }

    fn platform(&self, origin: &Origin<'_>, lines: &str) {
        if self.0.format == LogFormat::Lambda && !self.0.is_quiet {
            self.0.lines.platform(origin, lines);
        }
    }
}
