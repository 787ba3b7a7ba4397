//! `authorizer`: who may connect.

use std::fmt::{self, Display, Formatter};

use crate::{context, error::DocumentError, name, node::Node};

/// What decides about `$connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorizer {
    /// A Lambda function of type REQUEST.
    Lambda {
        /// The function that is invoked.
        function: String,
        /// What a request must carry to be worth an invocation; without it the answer is 401.
        identity_source: Vec<IdentitySource>,
    },
    /// Requests are signed with AWS credentials (Signature Version 4).
    AwsIam,
}

impl Authorizer {
    pub(crate) fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&["type", "function", "identitySource"])?;
        if let Some(kind) = fields.find("type") {
            kind.text_that(|kind| kind == AWS_IAM, "`AWS_IAM`, or a `function` instead")?;
            return match ["function", "identitySource"]
                .iter()
                .find_map(|name| fields.find(name))
            {
                Some(other) => Err(other.refuse("a field beside `type`", "`type` alone")),
                None => Ok(Self::AwsIam),
            };
        }
        let expected = format!("{}, or `type: {AWS_IAM}`", name::FUNCTION);
        Ok(Self::Lambda {
            function: fields.required("function", name::function, &expected)?,
            identity_source: fields
                .optional("identitySource", |node| {
                    node.list(IdentitySource::read, "a list of identity sources")
                })?
                .unwrap_or_default(),
        })
    }
}

/// A value that a request must carry for the authorizer to be asked.
///
/// `Display` gives the text of the contract back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// `route.request.header.NAME`
    Header(String),
    /// `route.request.querystring.NAME`
    QueryString(String),
    /// `stageVariables.NAME`
    StageVariable(String),
    /// `context.NAME`
    Context(String),
}

impl Display for IdentitySource {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "route.request.header.{name}"),
            Self::QueryString(name) => write!(f, "route.request.querystring.{name}"),
            Self::StageVariable(name) => write!(f, "stageVariables.{name}"),
            Self::Context(name) => write!(f, "context.{name}"),
        }
    }
}

impl IdentitySource {
    fn read(node: &Node) -> Result<Self, DocumentError> {
        const EXPECTED: &str = "`route.request.header.NAME`, `route.request.querystring.NAME`, \
             `stageVariables.NAME` or `context.NAME`";
        Self::parse(node.text(EXPECTED)?).ok_or_else(|| node.unlike(EXPECTED))
    }

    fn parse(text: &str) -> Option<Self> {
        let name_after = |prefix| {
            text.strip_prefix(prefix)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
        };
        if let Some(name) = name_after("route.request.header.") {
            Some(Self::Header(name))
        } else if let Some(name) = name_after("route.request.querystring.") {
            Some(Self::QueryString(name))
        } else if let Some(name) = name_after("stageVariables.") {
            Some(Self::StageVariable(name))
        } else {
            // The authorizer's own values do not exist before it has answered.
            name_after("context.")
                .filter(|name| context::VARIABLES.contains(&name.as_str()))
                .map(Self::Context)
        }
    }
}

const AWS_IAM: &str = "AWS_IAM";
