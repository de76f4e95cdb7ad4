//! Addresses that must not be reached are not reached.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatewright_upstream::{
    AddressClass, Destination, DestinationSettings, DialError, Origin, Resolve, Resolving, SendError,
    Upstream,
};

use crate::support::{Provider, call, ok, sockets_are_looked_at, soon, text};

/// Answers with the next address at each look-up, and over and over with the last.
#[derive(Debug)]
struct Flipping {
    answers: Vec<&'static str>,
    asked: AtomicUsize,
}

impl Flipping {
    fn new(answers: impl Into<Vec<&'static str>>) -> Arc<Self> {
        Arc::new(Self { answers: answers.into(), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolve for Flipping {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len() - 1);
        let answer = self.answers[turn];
        Box::pin(async move {
            answer.split(' ').map(|text| text.parse::<IpAddr>().map_err(io::Error::other)).collect()
        })
    }
}

fn public(url: &str) -> Arc<Destination> {
    let origin = Arc::new(Origin::parse(url).unwrap());
    Arc::new(Destination::new(DestinationSettings::new(origin)).unwrap())
}

fn named(provider: &Provider, allow_private: bool) -> Arc<Destination> {
    let url = format!("http://provider.example:{}", provider.address.port());
    let origin = Arc::new(Origin::parse(&url).unwrap());
    let settings = DestinationSettings { allow_private, ..DestinationSettings::new(origin) };
    Arc::new(Destination::new(settings).unwrap())
}

#[tokio::test]
async fn a_destination_without_permission_cannot_be_on_this_machine() {
    let sink = Provider::bind().await;
    let port = sink.address.port();
    let upstream = Upstream::new();
    let forms = [
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "[::]",
        "localhost",
        "LOCALHOST",
    ];
    for form in forms {
        let error = soon(upstream.send(call(&public(&format!("http://{form}:{port}"))))).await.unwrap_err();
        assert!(matches!(error, SendError::Dial(DialError::AddressDenied { .. })), "{form}: {error:?}");
        assert!(error.is_retry_safe());
    }
    assert_eq!(upstream.stats().opened, 0);
    assert!(sink.is_untouched().await);
    let _control = tokio::net::TcpStream::connect(sink.address).await.unwrap();
    assert!(!sink.is_untouched().await, "the sink sees who connects");
}

#[tokio::test]
async fn fault_u15_an_answer_that_flips_to_private_is_denied() {
    let sink = Provider::bind().await;
    for private in ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1 127.0.0.1"] {
        let upstream = Upstream::with_resolver(Flipping::new([private]));
        let error = soon(upstream.send(call(&named(&sink, false)))).await.unwrap_err();
        assert!(matches!(error, SendError::Dial(DialError::AddressDenied { .. })), "{private}: {error:?}");
    }
    assert!(sink.is_untouched().await);
}

#[tokio::test]
async fn a_name_is_resolved_once_per_connection_so_that_no_second_answer_counts() {
    let provider = Provider::bind().await;
    let resolver = Flipping::new(["127.0.0.1", "169.254.169.254"]);
    let upstream = Upstream::with_resolver(Arc::clone(&resolver) as Arc<dyn Resolve>);
    let destination = named(&provider, true);
    let (one, two) = (ok("one"), ok("two"));
    let (answer, (mut peer, request)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&one));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "one");
    assert!(request.contains("host: provider.example:"), "{request}");
    assert_eq!(resolver.asked(), 1);

    let (answer, _) = tokio::join!(upstream.send(call(&destination)), peer.serve(&two));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "two", "the open connection stays");
    assert_eq!(resolver.asked(), 1);

    drop(peer);
    sockets_are_looked_at().await;
    let error = soon(upstream.send(call(&destination))).await.unwrap_err();
    assert!(
        matches!(error, SendError::Dial(DialError::AddressDenied { class: AddressClass::Metadata, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_metadata_service_is_denied_to_destinations_with_private_permission() {
    for address in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "100.100.100.200"] {
        let origin = Arc::new(Origin::parse(&format!("http://{address}/latest")).unwrap());
        let settings = DestinationSettings { allow_private: true, ..DestinationSettings::new(origin) };
        let destination = Arc::new(Destination::new(settings).unwrap());
        let error = soon(Upstream::new().send(call(&destination))).await.unwrap_err();
        assert!(
            matches!(error, SendError::Dial(DialError::AddressDenied { class: AddressClass::Metadata, .. })),
            "{address}: {error:?}"
        );
    }
}
