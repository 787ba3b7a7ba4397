//! The whole contract: its sections and the checks across them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use crate::{
    authorizer::{Authorizer, IdentitySource},
    document::Document,
    error::{DocumentError, FileError, quote},
    expression::Expression,
    function::Function,
    mention::{self, Mention},
    name,
    node::Node,
    push::Push,
    route::{self, Route},
    stage::Stage,
    topic,
};

/// The parsed `gateway.yaml`: what clients may send, and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// Selects a message's route key from its body. Never reads `$context`.
    pub route_selection_expression: Expression,
    /// The routes by route key, at least one.
    pub routes: BTreeMap<String, Route>,
    /// Decides who may connect. Without it, every client may.
    pub authorizer: Option<Authorizer>,
    /// The settings that apply to all routes.
    pub stage: Stage,
    /// The settings of the functions listed under `functions`.
    ///
    /// [`Contract::function`] returns the defaults for all others.
    pub functions: BTreeMap<String, Function>,
    /// The event source mapping that pushes records from Kafka to clients.
    pub push: Option<Push>,
    file: String,
    /// Each use of a function's name, in file order.
    mentions: Vec<Mention>,
}

impl Contract {
    /// Reads a file. Errors show `path` as it was passed.
    ///
    /// # Errors
    /// If the file cannot be read, or if [`Contract::parse`] fails on its text.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        CONTRACT.load(path, |root| Self::read(&name, root))
    }

    /// Parses `text`. Errors show `file` as its name.
    ///
    /// # Errors
    /// Describes the first fault: its line, the field, the value, and what to write instead.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let contract = CONTRACT.parse(text, |root| Self::read(file, root));
        contract.map_err(|err| err.in_file(file))
    }

    fn read(file: &str, root: &Node) -> Result<Self, DocumentError> {
        let fields = root.fields(&[
            "routeSelectionExpression",
            "routes",
            "authorizer",
            "stage",
            "functions",
            "push",
        ])?;
        let contract = Self {
            route_selection_expression: fields.required(
                "routeSelectionExpression",
                route_selection_expression,
                "a selection expression such as `$request.body.action`",
            )?,
            routes: fields.required("routes", routes, ROUTES)?,
            authorizer: fields.optional("authorizer", Authorizer::read)?,
            stage: fields.optional("stage", Stage::read)?.unwrap_or_default(),
            functions: fields.optional("functions", functions)?.unwrap_or_default(),
            push: fields.optional("push", Push::read)?,
            file: file.to_owned(),
            mentions: mention::all(root),
        };
        topic::reject_collisions(root)?;
        if let Some(functions) = fields.find("functions") {
            contract.reject_unused(functions)?;
            contract.reject_slow_push(functions)?;
        }
        if let Some(authorizer) = fields.find("authorizer") {
            contract.reject_unguarded(authorizer)?;
        }
        Ok(contract)
    }

    /// The settings of a function, or the defaults if the contract has none for it.
    pub fn function(&self, name: &str) -> Function {
        self.functions.get(name).cloned().unwrap_or_default()
    }

    /// The names of all functions that routes, `authorizer` and `push` use.
    pub fn function_names(&self) -> BTreeSet<&str> {
        self.mentions
            .iter()
            .map(|mention| mention.function.as_str())
            .collect()
    }

    /// The topics of all routes and of `push`, including the dead-letter topic.
    pub fn topics(&self) -> BTreeSet<&str> {
        let routes = self
            .routes
            .values()
            .filter_map(|route| route.topic.as_ref());
        let push = self
            .push
            .iter()
            .flat_map(|push| push.topics.iter().chain(&push.dead_letter));
        routes.chain(push).map(String::as_str).collect()
    }

    /// The query parameters that carry credentials, taken from the authorizer's identity sources.
    pub fn credential_query_names(&self) -> BTreeSet<&str> {
        let sources = match &self.authorizer {
            Some(Authorizer::Lambda {
                identity_source, ..
            }) => identity_source.as_slice(),
            Some(Authorizer::AwsIam) | None => &[],
        };
        sources
            .iter()
            .filter_map(|source| match source {
                IdentitySource::QueryString(name) => Some(name.as_str()),
                IdentitySource::Header(_)
                | IdentitySource::StageVariable(_)
                | IdentitySource::Context(_) => None,
            })
            .collect()
    }

    /// Checks that every route of `function` has a topic.
    ///
    /// # Errors
    /// Names the first route without a topic, with its line.
    pub fn require_topics(&self, function: &str) -> Result<(), FileError> {
        let lacks_topic = |key: &String| self.routes.get(key).is_some_and(|r| r.topic.is_none());
        let missing = self.mentions.iter().find(|mention| {
            mention.function == function && mention.route_key.as_ref().is_some_and(lacks_topic)
        });
        let Some(mention) = missing else {
            return Ok(());
        };
        let text = format!("field is missing (expected {})", name::TOPIC);
        let error = DocumentError::new(mention.line, &format!("{}.topic", mention.path), text);
        Err(error.in_file(&self.file))
    }

    /// The error for a function that the caller cannot run, at its first use in the contract.
    pub fn refuse_function(&self, name: &str, expected: &str) -> FileError {
        let text = format!("unknown function {} (expected {expected})", quote(name));
        match self
            .mentions
            .iter()
            .find(|mention| mention.function == name)
        {
            Some(mention) => {
                let path = format!("{}.function", mention.path);
                DocumentError::new(mention.function_line, &path, text).in_file(&self.file)
            }
            None => FileError::of_file(&self.file, text),
        }
    }

    /// Rejects settings of a function that is never used, most likely a typo.
    fn reject_unused(&self, functions: &Node) -> Result<(), DocumentError> {
        let names = self.function_names();
        for (name, node) in functions.entries(FUNCTIONS)? {
            if !names.contains(name.as_str()) {
                let used = Vec::from_iter(names).join(", ");
                let problem = "no route, authorizer or push uses this function";
                return Err(node.refuse(problem, &format!("one of {used}")));
            }
        }
        Ok(())
    }

    /// Rejects an authorizer without a `$connect` route, the only route that invokes it.
    fn reject_unguarded(&self, authorizer: &Node) -> Result<(), DocumentError> {
        if self.routes.contains_key(name::CONNECT) {
            return Ok(());
        }
        Err(authorizer.reject(
            "the contract has no `$connect` route, so the authorizer would never run",
            "add the route, or remove the authorizer to let every client connect",
        ))
    }

    /// Rejects a timeout that Lambda allows for a function, but not for an event source mapping.
    fn reject_slow_push(&self, functions: &Node) -> Result<(), DocumentError> {
        let timeout = self
            .push
            .as_ref()
            .filter(|push| self.function(&push.function).timeout > PUSH_TIMEOUT_MAX)
            .and_then(|push| functions.entry(&push.function)?.entry("timeout"));
        match timeout {
            Some(node) => {
                let seconds = PUSH_TIMEOUT_MAX.as_secs();
                Err(node.unlike(&format!(
                    "at most {seconds} seconds for a function of `push`"
                )))
            }
            None => Ok(()),
        }
    }
}

fn route_selection_expression(node: &Node) -> Result<Expression, DocumentError> {
    let expression = route::expression(node)?;
    if expression.reads_context() {
        let problem = format!("{} reads `$context`", node.description());
        return Err(node.reject(
            &problem,
            "use only `$request.body…`: the message selects the route",
        ));
    }
    Ok(expression)
}

fn routes(node: &Node) -> Result<BTreeMap<String, Route>, DocumentError> {
    let entries = node.entries(ROUTES)?;
    if !(1..=ROUTES_MAX).contains(&entries.len()) {
        let problem = format!("{} routes are defined", entries.len());
        return Err(node.refuse(&problem, &format!("1 to {ROUTES_MAX}")));
    }
    entries
        .iter()
        .map(|(key, node)| Ok((key.clone(), Route::read(key, node)?)))
        .collect()
}

fn functions(node: &Node) -> Result<BTreeMap<String, Function>, DocumentError> {
    node.entries(FUNCTIONS)?
        .iter()
        .map(|(name, node)| {
            if !name::is_function(name) {
                return Err(node.refuse("invalid key", name::FUNCTION));
            }
            Ok((name.clone(), Function::read(node)?))
        })
        .collect()
}

const CONTRACT: Document = Document {
    file: "the contract",
    content: "the fields of a contract",
};
const ROUTES: &str = "a mapping of route keys to routes";
const FUNCTIONS: &str = "a mapping of function names to their settings";

/// API Gateway's quota of routes per API.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const ROUTES_MAX: usize = 300;

/// Lambda's timeout limit for a function behind a Kafka event source mapping.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>
const PUSH_TIMEOUT_MAX: Duration = Duration::from_mins(14);
