//! What a test is: a name that begins with its row's number, and what it runs against.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use libtest_mimic::{Completion, Trial};
use tests::sigv4::Signer;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::api::{Api, Deployment};

/// A test that runs.
type Running = Pin<Box<dyn Future<Output = ()>>>;

/// One test.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

/// What a test runs against.
#[derive(Debug)]
pub(crate) enum Run {
    /// An API that is deployed anywhere.
    On(&'static Deployment, fn(Arc<Api>) -> Running),
    /// A simulator of its own, whose flags or time it controls.
    Simulated(fn() -> Running),
}

/// A test on an API that others use as well.
macro_rules! on {
    ($deployment:expr, $test:ident) => {
        $crate::suite::Test {
            name: stringify!($test),
            run: $crate::suite::Run::On($deployment, |api| {
                Box::pin(async move { $test(&api).await })
            }),
        }
    };
}

/// A test that controls the simulator.
macro_rules! simulated {
    ($test:ident) => {
        $crate::suite::Test {
            name: stringify!($test),
            run: $crate::suite::Run::Simulated(|| Box::pin($test())),
        }
    };
}

pub(crate) use {on, simulated};

/// Where tests run, and what they share: each API is started when a test first needs it.
#[derive(Debug)]
pub(crate) struct Suite {
    runtime: Runtime,
    signer: Signer,
    apis: HashMap<&'static str, OnceCell<Option<Arc<Api>>>>,
}

impl Suite {
    pub(crate) fn new(tests: &[Test]) -> Self {
        let deployments = tests.iter().filter_map(|test| match test.run {
            Run::On(deployment, _) => Some(deployment.name),
            Run::Simulated(_) => None,
        });
        Self {
            runtime: Runtime::new().unwrap(),
            signer: Signer::from_env(),
            apis: deployments.map(|name| (name, OnceCell::new())).collect(),
        }
    }

    /// Runs the test where what it needs is there.
    fn complete(&self, run: &Run) -> Completion {
        match run {
            Run::Simulated(_) if Api::is_elsewhere() => {
                return Completion::ignored_with("needs the simulator's flags or time");
            }
            Run::Simulated(test) => self.runtime.block_on(test()),
            Run::On(deployment, test) => match self.api(deployment) {
                Some(api) => self.runtime.block_on(test(api)),
                None => {
                    let [variable, _] = deployment.variables();
                    return Completion::ignored_with(format!("{variable} is not set"));
                }
            },
        }
        Completion::Completed
    }

    fn api(&self, deployment: &'static Deployment) -> Option<Arc<Api>> {
        let found = self.apis[deployment.name]
            .get_or_init(|| async { Api::find(deployment, &self.signer).await.map(Arc::new) });
        self.runtime.block_on(found).clone()
    }

    /// What the simulators of shared APIs have said.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (&str, String)> {
        self.apis.iter().filter_map(|(name, api)| {
            let log = api.get()?.as_ref()?.log()?;
            Some((*name, log))
        })
    }
}

impl Test {
    /// The test as the runner takes it.
    pub(crate) fn trial(self, suite: &Arc<Suite>) -> Trial {
        let suite = Arc::clone(suite);
        let run = self.run;
        Trial::ignorable_test(self.name, move || Ok(suite.complete(&run)))
    }

    /// The row that the name begins with: `r5_6_function_error…` is `5.6`.
    pub(crate) fn row(&self) -> String {
        let numbers: Vec<&str> = self
            .name
            .trim_start_matches('r')
            .split('_')
            .take_while(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        numbers.join(".")
    }
}
