//! The contract as a whole: its sections, and what they say together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use crate::{
    authorizer::{Authorizer, IdentitySource},
    document::Document,
    error::{DocumentError, FileError, shown},
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

/// What clients may send, and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// Selects a message's route key from its body; it reads nothing else.
    pub route_selection_expression: Expression,
    /// The routes by their keys, at least one.
    pub routes: BTreeMap<String, Route>,
    /// Who may connect; without one, everybody.
    pub authorizer: Option<Authorizer>,
    /// What holds for all routes.
    pub stage: Stage,
    /// The functions that have settings; see [`Contract::function`] for any of them.
    pub functions: BTreeMap<String, Function>,
    /// From Kafka to the browser.
    pub push: Option<Push>,
    file: String,
    /// Where functions are named, from the top of the file.
    mentions: Vec<Mention>,
}

impl Contract {
    /// Reads a file, which errors name as `path` does.
    ///
    /// # Errors
    /// Where the file cannot be read, or [`Contract::parse`] refuses its text.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        CONTRACT.load(path, |root| Self::read(&name, root))
    }

    /// Reads a text; `file` is its name in errors.
    ///
    /// # Errors
    /// With the line, the field, what was found and what was expected, for the
    /// first fault.
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
        topic::refuse_collisions(root)?;
        if let Some(functions) = fields.find("functions") {
            contract.refuse_unused(functions)?;
            contract.refuse_slow_push(functions)?;
        }
        if let Some(authorizer) = fields.find("authorizer") {
            contract.refuse_unguarded(authorizer)?;
        }
        Ok(contract)
    }

    /// The settings of a function: the defaults where the contract has none.
    pub fn function(&self, name: &str) -> Function {
        self.functions.get(name).cloned().unwrap_or_default()
    }

    /// The functions that routes, authorizer and push name.
    pub fn function_names(&self) -> BTreeSet<&str> {
        self.mentions
            .iter()
            .map(|mention| mention.function.as_str())
            .collect()
    }

    /// The topics that routes and push name, the dead letters' included.
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

    /// The query parameters that carry credentials: the authorizer's identity sources.
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

    /// Checks that every route of a function that stores records says in which topic.
    ///
    /// # Errors
    /// With the line of the first route that does not.
    pub fn require_topics(&self, function: &str) -> Result<(), FileError> {
        let lacks_topic = |key: &String| self.routes.get(key).is_some_and(|r| r.topic.is_none());
        let missing = self.mentions.iter().find(|mention| {
            mention.function == function && mention.route_key.as_ref().is_some_and(lacks_topic)
        });
        let Some(mention) = missing else {
            return Ok(());
        };
        let text = format!("found nothing, expected {}", name::TOPIC);
        let refusal = DocumentError::new(mention.line, &format!("{}.topic", mention.path), text);
        Err(refusal.in_file(&self.file))
    }

    /// The refusal of a function that the caller cannot run, where the contract first names it.
    pub fn refuse_function(&self, name: &str, expected: &str) -> FileError {
        let text = format!("found {}, expected {expected}", shown(name));
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

    /// Refuses settings of a function that nothing names: most likely a slip of the pen.
    fn refuse_unused(&self, functions: &Node) -> Result<(), DocumentError> {
        let names = self.function_names();
        for (name, node) in functions.entries(FUNCTIONS)? {
            if !names.contains(name.as_str()) {
                let expected = Vec::from_iter(names).join(", ");
                let found = "a function that no route, authorizer or push names";
                return Err(node.refuse(found, &format!("one of {expected}")));
            }
        }
        Ok(())
    }

    /// Refuses an authorizer that nobody would ask: it guards `$connect`, and nothing else.
    fn refuse_unguarded(&self, authorizer: &Node) -> Result<(), DocumentError> {
        if self.routes.contains_key(name::CONNECT) {
            return Ok(());
        }
        let expected = "one: without it there is nothing to authorize, and everybody could connect";
        Err(authorizer.refuse("no route `$connect`", expected))
    }

    /// Refuses a timeout that Lambda allows, but not behind an event source mapping.
    fn refuse_slow_push(&self, functions: &Node) -> Result<(), DocumentError> {
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
        return Err(node.unlike("no `$context`: routes are selected by `$request.body…` only"));
    }
    Ok(expression)
}

fn routes(node: &Node) -> Result<BTreeMap<String, Route>, DocumentError> {
    let entries = node.entries(ROUTES)?;
    if !(1..=ROUTES_MAX).contains(&entries.len()) {
        let found = format!("{} routes", entries.len());
        return Err(node.refuse(&found, &format!("1 to {ROUTES_MAX}")));
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
                return Err(node.refuse("a malformed name", name::FUNCTION));
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
const FUNCTIONS: &str = "a mapping of functions' names to their settings";

/// API Gateway's quota of routes in one API.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const ROUTES_MAX: usize = 300;

/// Lambda's limit for a function behind an event source mapping of Kafka.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>
const PUSH_TIMEOUT_MAX: Duration = Duration::from_mins(14);
