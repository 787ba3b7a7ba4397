//! Puts faults in force in all parts of the simulator.

use std::{sync::Arc, time::Duration};

use local_sim_broker::{Control, Fault, Kind};
use local_sim_console::FaultControl;
use local_sim_faults::{Striking, Trigger};
use local_sim_gateway::{Gateway, Reorder};
use local_sim_lambda::Lambda;
use parking_lot::Mutex;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    document::{Change, Faults, OfFunction, OfGateway, OfKafka, Timed},
    reader::Scope,
};

/// Controls the faults of all parts of the simulator.
#[derive(Debug)]
pub(crate) struct Switchboard {
    lambda: Arc<Lambda>,
    gateway: Arc<Gateway>,
    /// The embedded broker, if there is one.
    broker: Option<Control>,
    /// The faults of `--faults`.
    start: Faults,
    /// The seed of all random choices. Locked while anything changes.
    seed: Mutex<u32>,
}

impl Switchboard {
    /// Controls these parts. No fault is in force before [`Self::reset`].
    pub(crate) fn new(
        lambda: Arc<Lambda>,
        gateway: Arc<Gateway>,
        broker: Option<Control>,
        start: Faults,
    ) -> Self {
        Self {
            lambda,
            gateway,
            broker,
            start,
            seed: Mutex::default(),
        }
    }

    /// The faults that are possible.
    fn scope(&self) -> Scope {
        Scope {
            functions: self.lambda.functions().map(str::to_owned).collect(),
            has_broker: self.broker.is_some(),
        }
    }

    /// Makes these changes. A seed restarts all random choices.
    fn apply(&self, faults: &Faults) {
        let mut seed = self.seed.lock();
        if let Some(given) = faults.seed {
            *seed = given;
            self.restart(given);
        }
        self.set(faults, *seed);
    }

    fn faults_in_force(&self) -> Faults {
        let seed = *self.seed.lock();
        let functions = self.lambda.functions().filter_map(|name| {
            let of_function = self.of_function(name)?;
            (of_function != OfFunction::default()).then(|| (name.to_owned(), of_function))
        });
        let gateway = self.gateway.faults().in_force();
        Faults {
            seed: Some(seed),
            functions: functions.collect(),
            gateway: OfGateway {
                reorder: gateway.reorder.map(Timed::from).into(),
                drop_disconnect: gateway.drop_disconnect.into(),
            },
            kafka: self.of_kafka(),
        }
    }

    fn of_function(&self, name: &str) -> Option<OfFunction> {
        let in_force = self.lambda.faults(name)?.in_force();
        Some(OfFunction {
            throttle: in_force.throttle.into(),
            cold_start: in_force.cold_start.into(),
            latency: in_force.latency.map(Timed::from).into(),
        })
    }

    fn of_kafka(&self) -> OfKafka {
        let get = |kind| self.broker.as_ref()?.faults().get(kind);
        let plain = |kind| get(kind).map(|fault| fault.trigger).into();
        let timed = |kind| {
            get(kind)
                .map(|it| Timed::from((it.wait, it.trigger)))
                .into()
        };
        OfKafka {
            slow: timed(Kind::Slow),
            silent: plain(Kind::Silent),
            closed: plain(Kind::Closed),
            throttling: timed(Kind::Throttling),
            leaderless: plain(Kind::Leaderless),
        }
    }

    /// The changes that end all faults.
    fn end_all(&self) -> Faults {
        let end = OfFunction {
            throttle: Change::End,
            cold_start: Change::End,
            latency: Change::End,
        };
        let functions = self.lambda.functions();
        Faults {
            seed: None,
            functions: functions
                .map(|name| (name.to_owned(), end.clone()))
                .collect(),
            gateway: OfGateway {
                reorder: Change::End,
                drop_disconnect: Change::End,
            },
            kafka: OfKafka {
                slow: Change::End,
                silent: Change::End,
                closed: Change::End,
                throttling: Change::End,
                leaderless: Change::End,
            },
        }
    }

    /// Restarts the random choices of the faults in force.
    fn restart(&self, seed: u32) {
        for name in self.lambda.functions() {
            if let Some(faults) = self.lambda.faults(name) {
                faults.restart(seed.into());
            }
        }
        self.gateway.faults().restart(seed.into());
        if let Some(broker) = &self.broker {
            broker.faults().restart(seed.into());
        }
    }

    fn set(&self, faults: &Faults, seed: u32) {
        for (name, of_function) in &faults.functions {
            self.set_function(name, of_function, seed.into());
        }
        self.set_gateway(&faults.gateway, seed.into());
        self.set_kafka(&faults.kafka);
    }

    fn set_function(&self, name: &str, faults: &OfFunction, seed: u64) {
        let Some(function) = self.lambda.faults(name) else {
            return;
        };
        let striking = |trigger, what| Striking::new(trigger, seed, &format!("{name} {what}"));
        faults.throttle.apply(|throttle| {
            function.set_throttle(throttle.map(|it| striking(it, "throttle")));
        });
        faults.cold_start.apply(|cold_start| {
            function.set_cold_start(cold_start.map(|it| striking(it, "coldStart")));
        });
        faults.latency.apply(|latency| {
            function.set_latency(latency.map(|it| (it.time, striking(it.trigger, "latency"))));
        });
    }

    fn set_gateway(&self, faults: &OfGateway, seed: u64) {
        let gateway = self.gateway.faults();
        faults.reorder.apply(|reorder| {
            gateway.set_reorder(reorder.map(|it| Reorder::new(it.time, it.trigger, seed)));
        });
        faults.drop_disconnect.apply(|drop| {
            let striking = |trigger| Striking::new(trigger, seed, "gateway dropDisconnect");
            gateway.set_drop_disconnect(drop.map(striking));
        });
    }

    fn set_kafka(&self, faults: &OfKafka) {
        let Some(broker) = &self.broker else {
            return;
        };
        let broker = broker.faults();
        let plain = |kind, it: Change<Trigger>| {
            let fault = |trigger| Fault {
                trigger,
                wait: Duration::ZERO,
            };
            it.apply(|it| broker.set(kind, it.map(fault)));
        };
        let timed = |kind, it: Change<Timed>| {
            let fault = |it: Timed| Fault {
                trigger: it.trigger,
                wait: it.time,
            };
            it.apply(|it| broker.set(kind, it.map(fault)));
        };
        timed(Kind::Slow, faults.slow);
        plain(Kind::Silent, faults.silent);
        plain(Kind::Closed, faults.closed);
        timed(Kind::Throttling, faults.throttling);
        plain(Kind::Leaderless, faults.leaderless);
    }
}

impl FaultControl for Switchboard {
    fn in_force(&self) -> Box<RawValue> {
        to_raw_value(&self.faults_in_force()).expect("names and numbers are always JSON")
    }

    fn change(&self, body: &[u8]) -> Result<(), String> {
        let faults = Faults::parse(body, &self.scope()).map_err(|error| error.to_string())?;
        self.apply(&faults);
        Ok(())
    }

    fn reset(&self) {
        let mut seed = self.seed.lock();
        *seed = self.start.seed.unwrap_or_default();
        self.set(&self.end_all(), *seed);
        self.restart(*seed);
        self.set(&self.start, *seed);
    }
}

impl<T: Copy> Change<T> {
    /// Calls `change` with the new fault, or with `None` to end it.
    fn apply(&self, change: impl FnOnce(Option<T>)) {
        match self {
            Self::None => {}
            Self::End => change(None),
            Self::Set(fault) => change(Some(*fault)),
        }
    }
}

impl From<(Duration, Trigger)> for Timed {
    fn from((time, trigger): (Duration, Trigger)) -> Self {
        Self { time, trigger }
    }
}
