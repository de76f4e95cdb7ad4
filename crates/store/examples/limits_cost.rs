//! Measures what a claim costs: `cargo run --release -p gatewright-store --example limits_cost`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gatewright::BoxFuture;
use gatewright::service::Clock;
use gatewright::service::limits::{BucketKey, Claim, Claimed, Dimension, Limits};
use gatewright_store::MemoryLimits;

const CLAIMS: u32 = 2_000_000;
const USERS: usize = 10_000;

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(after))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let limits = MemoryLimits::new(Arc::new(RealClock));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for users in [1, USERS] {
        let wanted: Vec<_> = (0..users).map(claims).collect();
        let before = cpu()?;
        runtime
            .block_on(async {
                for claims in wanted.iter().cycle().take(CLAIMS as usize) {
                    if let Claimed::Held(mut held, _) = limits.claim(claims).await? {
                        held.spend(0, 1);
                        held.finish();
                    }
                }
                Ok::<_, gatewright::ExtError>(())
            })
            .map_err(|error| error.to_string())?;
        println!(
            "{users} users: claim two buckets, spend, give back: {:?} of CPU",
            (cpu()? - before) / CLAIMS
        );
    }
    Ok(())
}

fn claims(user: usize) -> [Claim; 2] {
    let key = |dimension, window| BucketKey {
        tenant: "acme".into(),
        rule: "per-user".into(),
        label: format!("user-{user}@example.com").into(),
        dimension,
        window,
    };
    [
        Claim { key: key(Dimension::Requests, Some(Duration::from_secs(60))), limit: u64::MAX, need: 1 },
        Claim { key: key(Dimension::Concurrent, None), limit: 100, need: 1 },
    ]
}

/// What this thread ran so far, by the kernel's count in nanoseconds.
fn cpu() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(stat.split(' ').next().unwrap_or("0").parse()?))
}
