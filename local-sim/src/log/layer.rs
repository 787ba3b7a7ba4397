//! What the simulator's crates say by `tracing`, with the connection and the request that it is about.

use std::{
    error::Error,
    fmt::{Debug, Write as _},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

use super::{notice::Notice, sink::Log};

/// Logs what the simulator's own crates say; the logs of libraries are for their authors.
#[derive(Debug)]
pub struct LogLayer(Log);

impl LogLayer {
    /// A layer for `tracing`, which logs warnings and notices with the ids of the connection and the request.
    pub fn new(log: Log) -> Self {
        Self(log)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with(OWN_CRATES)
            && (metadata.is_span() || *metadata.level() <= Level::INFO)
    }

    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::into_iter)
        {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        let Fields {
            message,
            connection,
            request,
            others,
        } = fields;
        self.0.notice(&Notice {
            level: *event.metadata().level(),
            message,
            connection,
            request,
            fields: others,
        });
    }
}

/// The fields of an event or of a span.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    connection: Option<String>,
    request: Option<String>,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn inherit(&mut self, outer: &Self) {
        let ids = [
            (&mut self.connection, &outer.connection),
            (&mut self.request, &outer.request),
        ];
        for (own, outer) in ids {
            if own.is_none() {
                own.clone_from(outer);
            }
        }
    }

    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "connection" => self.connection = Some(value),
            "request" => self.request = Some(value),
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Writing to a text does not fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// The beginning of the names of the simulator's crates.
const OWN_CRATES: &str = "local_sim";
