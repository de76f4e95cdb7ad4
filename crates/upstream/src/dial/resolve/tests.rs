use std::collections::VecDeque;

use super::*;

/// Gives the scripted answers one after the other.
#[derive(Debug)]
struct Script(Mutex<VecDeque<io::Result<Vec<IpAddr>>>>);

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(async { self.0.lock().pop_front().expect("an answer is scripted") })
    }
}

fn resolver(answers: impl IntoIterator<Item = io::Result<Vec<IpAddr>>>) -> Resolver {
    Resolver::new(Arc::new(Script(Mutex::new(answers.into_iter().collect()))))
}

fn good(last: u8) -> io::Result<Vec<IpAddr>> {
    Ok(vec![IpAddr::from([192, 0, 2, last])])
}

fn failed() -> io::Result<Vec<IpAddr>> {
    Err(io::Error::other("SERVFAIL"))
}

#[tokio::test(start_paused = true)]
async fn fault_u15_the_last_good_answer_serves_five_minutes() {
    let resolver = resolver([good(1), good(2), failed(), Ok(vec![]), failed()]);
    resolver.resolve("a.example").await.unwrap();
    resolver.resolve("a.example").await.unwrap();
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(resolver.resolve("a.example").await.unwrap(), good(2).unwrap(), "after a failure");
    assert_eq!(resolver.resolve("a.example").await.unwrap(), good(2).unwrap(), "after an empty answer");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(resolver.resolve("a.example").await, Err(DialError::Resolve { .. })));
}

#[tokio::test]
async fn an_unknown_host_fails_with_what_the_resolver_said() {
    let resolver = resolver([good(1), failed(), Ok(vec![])]);
    resolver.resolve("a.example").await.unwrap();
    let error = resolver.resolve("b.example").await.unwrap_err();
    assert!(matches!(&error, DialError::Resolve { host, .. } if host == "b.example"), "{error:?}");
    assert!(matches!(resolver.resolve("b.example").await, Err(DialError::NoAddress { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_memory_is_bounded_and_forgets_the_old() {
    let resolver = resolver((0..HOSTS_MAX + 3).map(|_| good(1)));
    for host in 0..HOSTS_MAX + 1 {
        resolver.resolve(&format!("h{host}.example")).await.unwrap();
    }
    assert_eq!(resolver.last_good.lock().len(), HOSTS_MAX);
    tokio::time::advance(LAST_GOOD_FOR).await;
    resolver.resolve("new.example").await.unwrap();
    assert_eq!(resolver.last_good.lock().len(), 1);
}
