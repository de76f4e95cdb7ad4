use super::*;
use crate::origin::Origin;

fn settings(url: &str) -> DestinationSettings {
    DestinationSettings::new(Arc::new(Origin::parse(url).unwrap()))
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn only_checked_addresses_are_tried() {
    let found = addresses(&["10.0.0.1", "::ffff:1.1.1.1", "::1", "1.1.1.1", "2606:4700::1"]);
    let checked = check(&found, &settings("https://a.example")).unwrap();
    assert_eq!(checked, addresses(&["1.1.1.1", "2606:4700::1"]));
}

#[test]
fn a_host_with_denied_addresses_only_is_denied_with_the_first() {
    let found = addresses(&["64:ff9b::169.254.169.254", "10.0.0.1"]);
    let error = check(&found, &settings("https://a.example")).unwrap_err();
    assert_eq!(error.to_string(), "a.example is at 64:ff9b::a9fe:a9fe, which is a cloud metadata address");
}

#[test]
fn private_permission_does_not_open_the_metadata_service() {
    let mut lab = settings("http://a.example");
    lab.allow_private = true;
    assert!(check(&addresses(&["10.0.0.1"]), &lab).is_ok());
    for denied in ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1"] {
        assert!(
            matches!(check(&addresses(&[denied]), &lab), Err(DialError::AddressDenied { .. })),
            "{denied}"
        );
    }
    lab.allow_link_local = true;
    assert!(check(&addresses(&["169.254.169.254"]), &lab).is_ok());
}

#[test]
fn the_number_of_attempts_is_bounded() {
    let found: Vec<IpAddr> = (0..100).map(|last| IpAddr::from([1, 1, 1, last])).collect();
    assert_eq!(check(&found, &settings("https://a.example")).unwrap().len(), ADDRESSES_MAX);
}

#[tokio::test]
async fn the_race_goes_on_to_the_next_address_when_one_refuses() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap();
    let closed = SocketAddr::from(([127, 0, 0, 2], open.port()));
    let stream = race(&[closed, open]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), open);
    let (address, error) = race(&[closed, closed]).await.unwrap_err();
    assert_eq!((address, error.kind()), (closed, io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn the_race_tries_the_next_address_beside_a_silent_one() {
    // A full accept queue makes the kernel ignore further handshakes.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let full = socket.listen(1).unwrap();
    let silent = full.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(silent)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "the accept queue never fills");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap();
    let stream = timeout(Duration::from_secs(2), race(&[silent, open])).await.unwrap().unwrap();
    assert_eq!(stream.peer_addr().unwrap(), open);
}
