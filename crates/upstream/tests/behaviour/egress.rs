//! What an extension reaches, and what it does not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::service::http::{ANSWER_BYTES_MAX, Http, HttpError, Repeatable};
use gatewright_upstream::{Egress, EgressError, EgressHttp, EgressSettings};
use http::{Request, StatusCode};
use tokio::runtime::Handle;

use crate::authority::{Authority, accept_tls};
use crate::support::{Provider, ok, soon};

fn reach(origins: &[&str]) -> EgressSettings {
    EgressSettings {
        metadata: Vec::new(),
        origins: origins.iter().map(|origin| Arc::from(*origin)).collect(),
        allow_private: true,
        deadline: Duration::from_secs(10),
    }
}

fn http(settings: &EgressSettings) -> EgressHttp {
    Egress::new(Handle::current()).http(settings).unwrap()
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_call_goes_out_as_it_is_and_any_status_is_an_answer() {
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let http = http(&reach(&[&origin]));
    let call = Request::put(format!("{origin}/a/b?c=d"))
        .header("authorization", "Bearer own")
        .header("x-one", "1")
        .body(Bytes::from_static(b"body"))
        .unwrap();
    let moved =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nx-a: b\r\ncontent-length: 4\r\n\r\ngone";
    let (answer, (_peer, request)) = tokio::join!(soon(http.send(call)), provider.serve(moved));
    let answer = answer.unwrap();
    assert_eq!((answer.status(), &answer.headers()["x-a"]), (StatusCode::FOUND, &"b".parse().unwrap()));
    assert_eq!(answer.body(), "gone");
    assert!(request.starts_with("PUT /a/b?c=d HTTP/1.1\r\n"), "{request}");
    for part in ["authorization: Bearer own\r\n", "x-one: 1\r\n", "\r\n\r\nbody"] {
        assert!(request.contains(part), "{request}");
    }
}

#[tokio::test]
async fn only_listed_origins_are_reached() {
    let provider = Provider::bind().await;
    let port = provider.address.port();
    let http = http(&reach(&[&format!("http://127.0.0.1:{port}")]));
    let others = [
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.2:{port}"),
        format!("http://localhost:{port}"),
        "http://127.0.0.1".to_owned(),
        format!("http://127.0.0.1.example:{port}"),
    ];
    for origin in others {
        let error = soon(http.send(get(&format!("{origin}/path")))).await.unwrap_err();
        assert_eq!(error, HttpError::Forbidden { origin });
    }
    for url in ["/path", "ftp://127.0.0.1/", &format!("http://user:pass@127.0.0.1:{port}/")] {
        assert_eq!(soon(http.send(get(url))).await.unwrap_err(), HttpError::NotAbsolute, "{url}");
    }
    let tunnel = Request::connect(format!("http://127.0.0.1:{port}/")).body(Bytes::new()).unwrap();
    assert!(matches!(soon(http.send(tunnel)).await, Err(HttpError::Forbidden { .. })));
    assert!(provider.is_untouched().await);
}

#[tokio::test]
async fn an_instance_without_a_list_reaches_nobody() {
    let provider = Provider::bind().await;
    let url = format!("http://{}/", provider.address);
    let error = soon(http(&reach(&[])).send(get(&url))).await.unwrap_err();
    assert!(matches!(error, HttpError::Forbidden { .. }), "{error:?}");
    assert!(provider.is_untouched().await);
}

#[tokio::test]
async fn a_private_address_needs_leave_even_when_it_is_listed() {
    let provider = Provider::bind().await;
    let origin = format!("http://localhost:{}", provider.address.port());
    let http = http(&EgressSettings { allow_private: false, ..reach(&[&origin]) });
    let error = soon(http.send(get(&origin))).await.unwrap_err();
    let HttpError::Unreachable { cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.contains("loopback"), "{cause}");
    assert!(provider.is_untouched().await);
}

#[tokio::test]
async fn metadata_services_are_not_reached_where_private_addresses_are() {
    let http = http(&reach(&["http://169.254.169.254"]));
    let error = soon(http.send(get("http://169.254.169.254/latest"))).await.unwrap_err();
    let HttpError::Unreachable { cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.contains("169.254.169.254, which is a"), "{cause}");
}

#[tokio::test]
async fn leave_for_a_metadata_service_is_no_leave_for_anything_else() {
    let provider = Provider::bind().await;
    let private = format!("http://{}", provider.address);
    let named = EgressSettings {
        allow_private: false,
        metadata: vec!["http://169.254.169.254".into(), private.as_str().into()],
        ..reach(&["http://169.254.170.2"])
    };
    let http = http(&named);
    // Listed for its metadata, but an address of another kind.
    let error = soon(http.send(get(&private))).await.unwrap_err();
    let HttpError::Unreachable { cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.contains("loopback"), "{cause}");
    // Link-local, but in the other list.
    let error = soon(http.send(get("http://169.254.170.2/v2"))).await.unwrap_err();
    let HttpError::Unreachable { cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.contains("169.254.170.2, which is a"), "{cause}");
    // In no list: another port, another host, another scheme.
    for url in ["http://169.254.169.254:8080/", "http://169.254.169.253/", "https://169.254.169.254/"] {
        assert!(matches!(soon(http.send(get(url))).await, Err(HttpError::Forbidden { .. })), "{url}");
    }
    assert!(provider.is_untouched().await);
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_is_not_answered_or_not_to_its_end() {
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let deadline = Duration::from_millis(50);
    let http = http(&EgressSettings { deadline, ..reach(&[&origin]) });
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let serving = async {
            let (mut peer, _) = provider.serve(beginning).await;
            peer.closed().await;
        };
        let (error, ()) = tokio::join!(soon(http.send(get(&origin))), serving);
        assert_eq!(error.unwrap_err(), HttpError::Timeout { origin: origin.clone(), waited: deadline });
    }
}

#[tokio::test]
async fn a_new_deadline_holds_for_the_next_call() {
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let http = http(&EgressSettings { deadline: Duration::from_secs(3600), ..reach(&[&origin]) });
    http.within(Duration::from_millis(50));
    let error = soon(http.send(get(&origin))).await.unwrap_err();
    assert_eq!(error, HttpError::Timeout { origin, waited: Duration::from_millis(50) });
}

#[tokio::test]
async fn an_answer_over_the_bound_is_given_up() {
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let http = http(&reach(&[&origin]));
    let too_large = HttpError::TooLarge { origin: origin.clone(), bytes_max: ANSWER_BYTES_MAX };

    let whole = "x".repeat(ANSWER_BYTES_MAX);
    let (fits, _) = tokio::join!(soon(http.send(get(&origin))), async {
        let mut peer = provider.accept().await;
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").await;
        peer.write(&format!("{ANSWER_BYTES_MAX:x}\r\n{whole}\r\n0\r\n\r\n")).await;
    });
    assert_eq!(fits.unwrap().body().len(), ANSWER_BYTES_MAX);

    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", ANSWER_BYTES_MAX + 1);
    let (announced, _peer) = tokio::join!(soon(http.send(get(&origin))), provider.serve(&announced));
    assert_eq!(announced.unwrap_err(), too_large);

    let (streamed, ()) = tokio::join!(soon(http.send(get(&origin))), async {
        let mut peer = provider.accept().await;
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let piece = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        while peer.try_write(piece.as_bytes()).await.is_ok() {}
    });
    assert_eq!(streamed.unwrap_err(), too_large);
}

#[tokio::test]
async fn https_speaks_tls_and_trusts_public_authorities_only() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let acceptor = authority.acceptor("localhost", 4000, &[]);
    let origin = format!("https://localhost:{}", provider.address.port());
    let http = http(&reach(&[&origin]));
    let (answer, handshake) = tokio::join!(soon(http.send(get(&origin))), accept_tls(&provider, &acceptor));
    let error = answer.unwrap_err();
    let HttpError::Unreachable { cause, .. } = &error else { panic!("{error:?}") };
    assert!(cause.contains("certificate"), "{cause}");
    assert!(handshake.is_err());
}

#[tokio::test]
async fn a_rehearsal_checks_and_sends_nothing() {
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let http = EgressHttp::rehearsal(&reach(&[&origin])).unwrap();
    assert_eq!(http.send(get(&origin)).await.unwrap_err(), HttpError::Rehearsal { origin });
    assert!(matches!(http.send(get("http://other.example/")).await, Err(HttpError::Forbidden { .. })));
    assert!(provider.is_untouched().await);
}

#[tokio::test]
async fn an_entry_that_is_no_origin_is_named() {
    let error = EgressHttp::rehearsal(&reach(&["https://good.example", "good.example"])).unwrap_err();
    assert!(matches!(&error, EgressError::Origin { origin, .. } if &**origin == "good.example"), "{error:?}");
}

/// Calls come from workers and from threads of extensions; the connections stay where they were made.
#[test]
fn calls_from_other_runtimes_share_the_connections() {
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let provider = home.block_on(Provider::bind());
    let origin = format!("http://{}", provider.address);
    let http = home.block_on(async { Arc::new(http(&reach(&[&origin]))) });
    let answers = ["one", "two"];
    let serving = home.spawn(async move {
        let (mut peer, _) = provider.serve(&ok(answers[0])).await;
        peer.serve(&ok(answers[1])).await;
    });
    for answer in answers {
        // A runtime of its own without a driver, which is gone before the next call.
        let (http, url) = (Arc::clone(&http), origin.clone());
        let calling = std::thread::spawn(move || {
            let own = tokio::runtime::Builder::new_current_thread().build().unwrap();
            own.block_on(http.send(get(&url))).unwrap().into_body()
        });
        assert_eq!(calling.join().unwrap(), answer);
    }
    home.block_on(soon(serving)).unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_call_along() {
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let patient = EgressSettings { deadline: Duration::from_secs(3600), ..reach(&[&origin]) };
    let http = Egress::new(home.handle().clone()).http(&patient).unwrap();
    let mut peer = tokio::select! {
        answer = http.send(get(&origin)) => panic!("{answer:?}"),
        peer = async {
            let mut peer = provider.accept().await;
            peer.request().await;
            peer
        } => peer,
    };
    peer.closed().await;
    home.shutdown_background();
}

/// What comes of a call on a connection that ends once the whole of it is there, with `last` as its last bytes.
async fn broken_off(call: &Request<Bytes>, has_served: bool, last: &str) -> Result<Bytes, HttpError> {
    let provider = Provider::bind().await;
    let origin = format!("http://{}", provider.address);
    let http = http(&reach(&[&origin]));
    let mut call = call.clone();
    *call.uri_mut() = format!("{origin}/question").parse().unwrap();
    let mut peer = None;
    if has_served {
        let first = ok("first");
        let (answer, (connected, _)) = tokio::join!(soon(http.send(get(&origin))), provider.serve(&first));
        assert_eq!(answer.unwrap().body(), "first");
        peer = Some(connected);
    }
    let serving = async {
        let mut peer = match peer {
            Some(peer) => peer,
            None => provider.accept().await,
        };
        let request = peer.request().await;
        peer.write(last).await;
        drop(peer);
        let (_peer, again) = provider.serve(&ok("second")).await;
        assert_eq!(again, request, "the very same");
        std::future::pending().await
    };
    tokio::select! {
        answer = soon(http.send(call)) => answer.map(http::Response::into_body),
        never = serving => never,
    }
}

#[tokio::test]
async fn a_call_that_may_come_twice_outlives_the_connection_that_ends_under_it() {
    let post = || Request::post("/").body(Bytes::from_static(b"body")).unwrap();
    let mut repeatable = post();
    repeatable.extensions_mut().insert(Repeatable);
    let mut keyed = post();
    keyed.headers_mut().insert("idempotency-key", "1".parse().unwrap());
    let put = Request::put("/").body(Bytes::from_static(b"body")).unwrap();
    for call in [&get("/"), &put, &repeatable, &keyed] {
        assert_eq!(broken_off(call, true, "").await.unwrap(), "second", "{call:?}");
        let is_failure = |came: Result<Bytes, HttpError>| matches!(came, Err(HttpError::Unreachable { .. }));
        assert!(is_failure(broken_off(call, true, "HTTP/1.1 2").await), "an answer had begun: {call:?}");
        assert!(is_failure(broken_off(call, false, "").await), "the connection was fresh: {call:?}");
        assert!(is_failure(broken_off(&post(), true, "").await), "it may have been processed");
    }
}
