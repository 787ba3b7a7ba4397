//! The section `authorizer`: who may connect.

use std::fmt::{self, Display, Formatter};

use crate::{context, error::DocumentError, name, node::Node};

/// Decides whether a client may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorizer {
    /// A Lambda function, as an authorizer of type REQUEST.
    Lambda {
        /// The function that is invoked.
        function: String,
        /// The values a request must carry; without one of them the response is 401,
        /// and the function is not invoked.
        identity_source: Vec<IdentitySource>,
    },
    /// AWS IAM: requests are signed with AWS credentials (Signature Version 4).
    AwsIam,
}

impl Authorizer {
    pub(crate) fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&["type", "function", "identitySource"])?;
        if let Some(kind) = fields.find("type") {
            kind.text_that(
                |kind| kind == AWS_IAM,
                "`AWS_IAM`, or the field `function` instead",
            )?;
            return match ["function", "identitySource"]
                .iter()
                .find_map(|name| fields.find(name))
            {
                Some(other) => Err(other.reject(
                    "not allowed together with `type`",
                    "remove this field, or remove `type` to use a Lambda function",
                )),
                None => Ok(Self::AwsIam),
            };
        }
        let expected = format!("{}, or `type: {AWS_IAM}`", name::FUNCTION);
        Ok(Self::Lambda {
            function: fields.required("function", name::function, &expected)?,
            identity_source: fields
                .optional("identitySource", |node| {
                    node.list(
                        IdentitySource::read,
                        "a list of at least one identity source",
                    )
                })?
                .unwrap_or_default(),
        })
    }
}

/// A value that a request must carry before the authorizer is invoked.
///
/// `Display` writes it as in the contract.
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
            // `context.authorizer.*` does not exist until the authorizer has returned.
            name_after("context.")
                .filter(|name| context::VARIABLES.contains(&name.as_str()))
                .map(Self::Context)
        }
    }
}

const AWS_IAM: &str = "AWS_IAM";
