//! A gateway in whose build everything is wrong, for the scenarios about what a binary says of itself.
//!
//! One extension is listed and does not register, two have one name, one is at a point that it may not have, one comes
//! in unlisted, and two need each other.

use std::process::ExitCode;

use gatewright::prelude::*;
use gatewright::registry::{Creating, Registration};
use gatewright::serde_json::Value;
use gatewright_gateway::{Build, Expected, Point};

/// There is nothing to set.
#[gatewright::config]
#[derive(Debug)]
struct Nothing {}

macro_rules! passes {
    ($type:ident is $name:literal, provides $provides:literal, needs $needs:literal) => {
        struct $type;

        impl Extension for $type {
            const NAME: &'static str = $name;
            const PROVIDES: &'static [&'static str] = &[$provides];
            const NEEDS: &'static [&'static str] = &[$needs];
            type Config = Nothing;

            async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
                Ok(Self)
            }
        }

        #[async_trait]
        impl RequestTransform for $type {
            async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
                Ok(Flow::Continue)
            }
        }

        gatewright::register!($type => RequestTransform);
    };
}

passes!(Hen is "acme.hen", provides "acme.bird", needs "acme.shell");
passes!(Egg is "acme.egg", provides "acme.shell", needs "acme.bird");
passes!(First is "acme.twin", provides "acme.one", needs "acme.bird");
passes!(Second is "acme.twin", provides "acme.two", needs "acme.bird");

fn create(_: gatewright::Settings, _: ExtEnv) -> Creating {
    Box::pin(async { Err(BuildError::new("it is not there to be used")) })
}

fn schema() -> Value {
    Value::Bool(true)
}

gatewright::inventory::submit! {
    Registration {
        name: "acme.stray",
        package: "acme-stray",
        version: "0.1.0",
        module: "acme_stray",
        points: &[Point::UsageSink],
        provides: &[],
        needs: &[],
        base_url: None,
        schema,
        create,
    }
}

const EXPECTED: &[Expected] = &[
    Expected {
        package: env!("CARGO_PKG_NAME"),
        listed_in: "gatewright.toml:7, extensions.farm",
        points: Some(&[Point::ResponseFilter]),
    },
    Expected { package: "acme-silent", listed_in: "gatewright.toml:8, extensions.silent", points: None },
];

fn main() -> ExitCode {
    gatewright_gateway::run(&Build {
        name: "gatewright-misbuilt",
        version: env!("CARGO_PKG_VERSION"),
        expected: EXPECTED,
        allow_unlisted: false,
        info: None,
    })
}
